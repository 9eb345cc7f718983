/*-------------------------------------------------------------------------
 *
 * import.c
 *	  IMPORT FOREIGN SCHEMA: entities as foreign tables.
 *
 * A remote schema is a group of entities: "Objects" is what is at the top, others
 * are groups by the connector's own names, or paths that lead to nested
 * entities (an OData service, a folder of a bucket, a schema of this database).
 *
 * Comments cannot be part of the commands that an import returns; they are made
 * from labels when it is over, by an event trigger of the extension.
 *
 * IDENTIFICATION
 *	  src/fdw/import.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "commands/defrem.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "fdw/fdw.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"

/* the name of the group that entities have which are in none */
#define TOP_GROUP "Objects"

PG_FUNCTION_INFO_V1(appflow_comment_foreign_table);
PG_FUNCTION_INFO_V1(appflow_comment_imported_tables);

/* ---------- names ---------- */

/* AnnualRevenue, annual-revenue: annual_revenue; HTTPServer: http_server */
static char *
snake_case(const char *name)
{
	StringInfoData out;

	initStringInfo(&out);
	for (const char *p = name; *p != '\0'; p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c >= 'A' && c <= 'Z')
		{
			unsigned char before = p > name ? (unsigned char) p[-1] : '_';
			bool		after_small = (before >= 'a' && before <= 'z') || (before >= '0' && before <= '9');
			bool		begins_word = before >= 'A' && before <= 'Z' && p[1] >= 'a' && p[1] <= 'z';

			if (after_small || begins_word)
				appendStringInfoChar(&out, '_');
			appendStringInfoChar(&out, (char) (c - 'A' + 'a'));
		}
		else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80)
			appendStringInfoChar(&out, (char) c);
		else if (out.len > 0 && out.data[out.len - 1] != '_')
			appendStringInfoChar(&out, '_');
	}
	if (out.len == 0)
		appendStringInfoChar(&out, '_');
	return out.data;
}

/* no longer than names may be, and none of those taken before */
static char *
unique_name(const char *name, List *taken)
{
	char	   *unique = pnstrdup(name, pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1));

	for (int i = 2;; i++)
	{
		char	   *suffix = psprintf("_%d", i);
		ListCell   *lc;

		foreach(lc, taken)
		{
			if (strcmp(lfirst(lc), unique) == 0)
				break;
		}
		if (lc == NULL)
			return unique;
		unique = psprintf("%.*s%s", pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1 - strlen(suffix)), name, suffix);
	}
}

char *
fdw_local_name(const char *name, bool as_is, List *taken)
{
	return unique_name(as_is ? name : snake_case(name), taken);
}

/* 8-4-4-4-12 hexadecimal digits: a name that says nothing */
static bool
is_uuid(const char *name)
{
	return strlen(name) == 36 && strspn(name, "0123456789abcdefABCDEF-") == 36 &&
		name[8] == '-' && name[13] == '-' && name[18] == '-' && name[23] == '-';
}

/* what an entity is called without the path that leads to it */
static const char *
bare_name(const Entity *entity)
{
	size_t		length = strlen(entity->name);
	size_t		of_label = entity->label ? strlen(entity->label) : 0;
	const char *slash = strrchr(entity->name, '/');

	if (of_label > 0 && of_label < length && strcmp(entity->name + length - of_label, entity->label) == 0 &&
		strchr("./", entity->name[length - of_label - 1]) != NULL)
		return entity->label;

	/* a name in quotes, of this database */
	if (of_label > 0 && entity->name[length - 1] == '"')
		return entity->label;
	if (of_label > 0 && is_uuid(slash != NULL ? slash + 1 : entity->name))
		return entity->label;
	return slash != NULL && slash[1] != '\0' ? slash + 1 : entity->name;
}

/* ---------- which entities ---------- */

static char *
group_names(List *entities)
{
	StringInfoData out;
	List	   *seen = NIL;
	ListCell   *lc;

	initStringInfo(&out);
	foreach(lc, entities)
	{
		Entity	   *entity = lfirst(lc);
		char	   *name = entity->nested ? entity->name : (char *) entity->group;
		ListCell   *ls;

		foreach(ls, seen)
		{
			if (strcmp(lfirst(ls), name) == 0)
				break;
		}
		if (ls != NULL)
			continue;
		seen = lappend(seen, name);
		if (list_length(seen) > 10)
		{
			appendStringInfoString(&out, ", ...");
			break;
		}
		appendStringInfo(&out, "%s\"%s\"", out.len > 0 ? ", " : "", name);
	}
	return out.data;
}

/* the entities of a remote schema; buckets' folders are tables, though more may be in them */
static List *
find_entities(const TableOptions *options, const char *schema)
{
	List	   *top = fdw_list_entities(options, "");
	bool		at_top = pg_strcasecmp(schema, TOP_GROUP) == 0;
	const char *path = NULL;
	List	   *found = NIL;
	ListCell   *lc;

	foreach(lc, top)
	{
		Entity	   *entity = lfirst(lc);

		if (!entity->nested && (at_top || strcmp(entity->group, schema) == 0))
			found = lappend(found, entity);
		else if (entity->nested && (strcmp(entity->name, schema) == 0 ||
									(entity->label != NULL && strcmp(entity->label, schema) == 0)))
			path = entity->name;
	}
	if (found != NIL)
		return found;
	if (path == NULL && options->profile == NULL && !at_top)
		path = schema;			/* a bucket that no pattern names, or a folder in one */
	if (path == NULL && (strchr(schema, '/') != NULL || (top == NIL && !at_top)))
		path = schema;			/* also of an application that does not tell what is at its top */
	if (path != NULL)
	{
		foreach(lc, fdw_list_entities(options, path))
		{
			Entity	   *entity = lfirst(lc);

			if (!entity->nested || options->profile == NULL)
				found = lappend(found, entity);
		}
	}
	if (found == NIL)
		ereport(ERROR,
				errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				errmsg("server \"%s\" has no entities in \"%s\"", options->server, schema),
				top == NIL ? 0 : errhint("There is: %s.", group_names(top)));
	return found;
}

/* LIMIT TO and EXCEPT name entities or the tables that they become */
static bool
is_wanted(ImportForeignSchemaStmt *stmt, const char *entity, const char *bare, const char *table)
{
	ListCell   *lc;

	if (stmt->list_type == FDW_IMPORT_SCHEMA_ALL)
		return true;
	foreach(lc, stmt->table_list)
	{
		const char *name = ((RangeVar *) lfirst(lc))->relname;

		if (strcmp(name, entity) == 0 || strcmp(name, bare) == 0 || strcmp(name, table) == 0)
			return stmt->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO;
	}
	return stmt->list_type == FDW_IMPORT_SCHEMA_EXCEPT;
}

/* ---------- the commands ---------- */

static char *
literal(const char *text)
{
	return quote_literal_cstr(text);
}

static void
append_column(StringInfo out, const Field *field, const char *name)
{
	bool		renamed = strcmp(name, field->name) != 0;

	appendStringInfo(out, "%s\n\t%s %s", out->data[out->len - 1] == '(' ? "" : ",",
					 quote_identifier(name), field_sql_type(field));
	if (renamed || field->key)
		appendStringInfo(out, " OPTIONS (%s%s%s%s)", renamed ? "field " : "", renamed ? literal(field->name) : "",
						 renamed && field->key ? ", " : "", field->key ? "key 'true'" : "");
	if (field->not_null || field->key)
		appendStringInfoString(out, " NOT NULL");
}

/* "bucket/folder" in two; the folder is NULL for the whole bucket */
static char *
split_bucket(const char *path, const char **folder)
{
	const char *slash = strchr(path, '/');

	*folder = slash == NULL || slash[1] == '\0' ? NULL : slash + 1;
	return slash == NULL ? pstrdup(path) : pnstrdup(path, slash - path);
}

/* the format of a folder's objects, as the first of them says by its name */
static const char *
folder_format(const char *bucket, const char *folder)
{
	FdwSql		sql;
	const char *values[] = {bucket, folder == NULL ? "" : psprintf("%s/", folder)};
	const char *format = "json";

	fdw_sql_begin(&sql);
	if (fdw_sql_execute("SELECT key ILIKE '%.csv' FROM appflow.list_objects($1, $2) LIMIT 1", lengthof(values), values) > 0 &&
		strcmp(fdw_sql_text(&sql, 0, 1), "t") == 0)
		format = "csv";
	fdw_sql_end(&sql);
	return format;
}

static char *
make_command(const TableOptions *options, const Entity *entity, const char *table, bool as_is)
{
	Schema	   *schema = fdw_describe_entity(options, entity->name);
	List	   *names = NIL;
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "CREATE FOREIGN TABLE %s (", quote_identifier(table));
	for (int i = 0; i < schema->nfields; i++)
	{
		char	   *name;

		if (schema->fields[i].write_only)
			continue;
		if (list_length(names) == MaxHeapAttributeNumber)
		{
			ereport(WARNING,
					errmsg("entity \"%s\" has more than %d fields: the table gets the first", entity->name,
						   MaxHeapAttributeNumber));
			break;
		}
		name = fdw_local_name(schema->fields[i].name, as_is, names);
		names = lappend(names, name);
		append_column(&out, &schema->fields[i], name);
	}
	appendStringInfo(&out, "\n) SERVER %s OPTIONS (", quote_identifier(options->server));
	if (options->profile != NULL)
		appendStringInfo(&out, "entity %s)", literal(entity->name));
	else
	{
		const char *folder;
		char	   *bucket = split_bucket(entity->name, &folder);

		appendStringInfo(&out, "bucket %s", literal(bucket));
		if (folder != NULL)
			appendStringInfo(&out, ", prefix %s", literal(folder));
		appendStringInfo(&out, ", format '%s')", folder_format(bucket, folder));
	}
	return out.data;
}

/*
 * The same, but an entity that cannot be described is left out with a warning:
 * among hundreds some may be closed to the profile.
 */
static char *
try_make_command(const TableOptions *options, const Entity *entity, const char *table, bool as_is)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *volatile command = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		command = make_command(options, entity, table, as_is);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		ereport(WARNING,
				errmsg("entity \"%s\" is not imported: %s", entity->name, error->message));
		FreeErrorData(error);
	}
	PG_END_TRY();
	return command;
}

static bool
naming_as_is(List *options)
{
	bool		as_is = false;
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst(lc);
		char	   *value;

		if (strcmp(def->defname, "naming") != 0)
			ereport(ERROR,
					errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					errmsg("IMPORT FOREIGN SCHEMA has no option \"%s\"", def->defname),
					errhint("Valid options are: naming."));
		value = defGetString(def);
		if (strcmp(value, "as_is") != 0 && strcmp(value, "snake_case") != 0)
			ereport(ERROR,
					errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					errmsg("option \"naming\" must be snake_case or as_is, not \"%s\"", value));
		as_is = strcmp(value, "as_is") == 0;
	}
	return as_is;
}

static List *
import_schema(ImportForeignSchemaStmt *stmt, Oid serverid)
{
	TableOptions *options = fdw_server_options(serverid);
	bool		as_is = naming_as_is(stmt->options);
	bool		named = stmt->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO;
	List	   *commands = NIL;
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, find_entities(options, stmt->remote_schema))
	{
		Entity	   *entity = lfirst(lc);
		const char *bare = bare_name(entity);
		char	   *table = fdw_local_name(bare, as_is, names);
		char	   *command;

		CHECK_FOR_INTERRUPTS();
		if (!is_wanted(stmt, entity->name, bare, table))
			continue;
		command = named ? make_command(options, entity, table, as_is) :
			try_make_command(options, entity, table, as_is);
		if (command == NULL)
			continue;
		names = lappend(names, table);
		commands = lappend(commands, command);
	}

	/* the choice is made; the server would make it by the tables' names alone */
	stmt->list_type = FDW_IMPORT_SCHEMA_ALL;
	return commands;
}

/* ---------- comments ---------- */

/*
 * comment_foreign_table(foreign_table regclass) returns integer: comments on the
 * table's columns by the labels and descriptions of their fields; how many.
 */
Datum
appflow_comment_foreign_table(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	TableOptions *options = fdw_table_options(relid);
	char	   *table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
	Schema	   *schema;
	Relation	rel;
	FdwSql		sql;
	int			comments = 0;

	if (options->profile == NULL)
		PG_RETURN_INT32(0);
	schema = fdw_describe_entity(options, options->entity);
	rel = table_open(relid, AccessShareLock);
	fdw_sql_begin(&sql);
	for (AttrNumber attnum = 1; attnum <= RelationGetDescr(rel)->natts; attnum++)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
		char	   *name = fdw_column_field(rel, attnum);
		int			index = name == NULL ? -1 : schema_find(schema, name);
		const Field *field;
		const char *comment;

		if (index < 0)
			continue;
		field = &schema->fields[index];
		comment = field->label != NULL && strcmp(field->label, field->name) != 0 ? field->label : NULL;
		if (field->description != NULL && field->description[0] != '\0')
			comment = comment == NULL ? field->description : psprintf("%s: %s", comment, field->description);
		if (comment == NULL)
			continue;
		(void) fdw_sql_execute(psprintf("COMMENT ON COLUMN %s.%s IS %s", table, quote_identifier(NameStr(attr->attname)),
										literal(comment)), 0, NULL);
		comments++;
	}
	fdw_sql_end(&sql);
	table_close(rel, NoLock);
	PG_RETURN_INT32(comments);
}

/*
 * comment_imported_tables() returns event_trigger: after IMPORT FOREIGN SCHEMA,
 * comments on the tables of appflow_fdw that it made.
 */
Datum
appflow_comment_imported_tables(PG_FUNCTION_ARGS)
{
	FdwSql		sql;
	List	   *tables = NIL;
	uint64		n;
	ListCell   *lc;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("appflow.comment_imported_tables() is for an event trigger"));

	/* others import, too, who may have nothing to do with this extension */
	fdw_sql_begin(&sql);
	n = fdw_sql_execute("SELECT c.objid FROM pg_event_trigger_ddl_commands() c "
						"JOIN pg_foreign_table t ON t.ftrelid = c.objid JOIN pg_foreign_server s ON s.oid = t.ftserver "
						"JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw JOIN pg_proc p ON p.oid = w.fdwhandler "
						"JOIN pg_namespace n ON n.oid = p.pronamespace WHERE c.classid = 'pg_class'::regclass "
						"AND p.proname = 'appflow_fdw_handler' AND n.nspname = 'appflow'", 0, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(sql.caller);

		tables = lappend_oid(tables, (Oid) strtoul(fdw_sql_text(&sql, i, 1), NULL, 10));
		MemoryContextSwitchTo(old);
	}
	fdw_sql_end(&sql);
	foreach(lc, tables)
		(void) DirectFunctionCall1(appflow_comment_foreign_table, ObjectIdGetDatum(lfirst_oid(lc)));
	PG_RETURN_NULL();
}

void
fdw_import_routine(FdwRoutine *routine)
{
	routine->ImportForeignSchema = import_schema;
}
