/*-------------------------------------------------------------------------
 *
 * postgresql.c
 *	  The connector "PostgreSQL": tables of this database as source and
 *	  destination.
 *
 * An entity is schema.table, spelled as in SQL; a name without quotes stands
 * for the table of exactly that spelling, or else of its lower-case form.
 * Everything happens in the caller's transaction and with the rights of the
 * session's role.
 *
 * postgresql_read.c reads, by a query of postgresql_query.c; postgresql_write.c opens a writer and deals with
 * refused records, over postgresql_insert.c (the way of COPY) and
 * postgresql_statement.c (everything else); postgresql_ddl.c makes tables.
 *
 * IDENTIFICATION
 *	  src/apps/postgresql.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "apps/postgresql.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "common/string.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/scansup.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

/* ---------- rights ---------- */

/*
 * SECURITY_LOCAL_USERID_CHANGE keeps code of triggers and functions from
 * becoming someone else with SET ROLE.
 */
void
table_role_enter(TableRole *saved, Oid role)
{
	GetUserIdAndSecContext(&saved->user, &saved->context);
	saved->guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(role, saved->context | SECURITY_LOCAL_USERID_CHANGE);
}

void
table_role_leave(const TableRole *saved)
{
	AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->context);
}

void
table_rethrow_error(ErrorData *error)
{
	if (error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE)
	{
		const char *name = appflow_exception_name(WF_ACCESS_DENIED);

		error->sqlerrcode = MAKE_SQLSTATE('W', 'F', '4', '0', '3');
		error->detail = error->detail == NULL ? pstrdup(name) :
			psprintf("%s: %s", name, error->detail);
	}
	ReThrowError(error);
}

void
table_rethrow(void)
{
	ErrorData  *error = CopyErrorData();

	FlushErrorState();
	table_rethrow_error(error);
}

/* ---------- names ---------- */

/* one part of a name; *folded is its lower-case form if it is not in quotes */
static const char *
parse_name_part(const char *p, StringInfo part, bool *quoted)
{
	*quoted = *p == '"';
	if (!*quoted)
	{
		while (*p != '\0' && *p != '.' && *p != '"')
			appendStringInfoChar(part, *p++);
		return *p == '"' || part->len == 0 ? NULL : p;
	}
	for (p++; *p != '\0'; p++)
	{
		if (*p == '"')
		{
			if (p[1] != '"')
				return part->len == 0 ? NULL : p + 1;
			p++;
		}
		appendStringInfoChar(part, *p);
	}
	return NULL;
}

TableName *
table_name_parse(const char *entity)
{
	TableName  *name = palloc0(sizeof(TableName));
	StringInfoData schema;
	StringInfoData table;
	bool		schema_quoted = false;
	bool		table_quoted = false;
	const char *p;

	initStringInfo(&schema);
	initStringInfo(&table);
	p = parse_name_part(entity, &schema, &schema_quoted);
	if (p != NULL && *p == '.')
		p = parse_name_part(p + 1, &table, &table_quoted);
	else
		p = NULL;
	if (p == NULL || *p != '\0' || schema.len >= NAMEDATALEN || table.len >= NAMEDATALEN)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("entity name \"%s\" is not of the form schema.table", entity),
				errhint("Names with dots or quotes are written in double quotes, as in SQL."));
	name->schema = schema.data;
	name->name = table.data;

	/* the exact spelling wins; otherwise names without quotes are lower-case, as in SQL */
	if (!schema_quoted && !OidIsValid(get_namespace_oid(schema.data, true)))
		name->schema = downcase_identifier(schema.data, schema.len, false, false);
	if (!table_quoted)
	{
		Oid			namespace = get_namespace_oid(name->schema, true);

		if (!OidIsValid(namespace) || !OidIsValid(get_relname_relid(table.data, namespace)))
			name->name = downcase_identifier(table.data, table.len, false, false);
	}
	name->quoted = quote_qualified_identifier(name->schema, name->name);
	name->display = psprintf("%s.%s", name->schema, name->name);
	return name;
}

Oid
table_name_lookup(TableName *name, LOCKMODE lockmode)
{
	return RangeVarGetRelid(makeRangeVar(name->schema, name->name, -1), lockmode, true);
}

const char *
table_nearest_column(Relation rel, const char *name)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	const char *nearest = NULL;
	int			best = Max((int) strlen(name) / 2, 1);

	/* varstr_levenshtein() takes no more */
	if (strlen(name) > 255)
		return NULL;
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(tupdesc, i);
		const char *column = NameStr(attr->attname);
		int			distance;

		if (attr->attisdropped)
			continue;
		if (pg_strcasecmp(column, name) == 0)
			return column;
		distance = varstr_levenshtein_less_equal(name, strlen(name), column, strlen(column),
												 1, 1, 1, best, true);
		if (distance <= best && (nearest == NULL || distance < best))
		{
			best = distance;
			nearest = column;
		}
	}
	return nearest;
}

/* ---------- properties ---------- */

static JsonbValue *
object_member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	if (!JsonContainerIsObject(object))
		return NULL;
	return getKeyJsonValueFromContainer(object, key, strlen(key), value);
}

void
table_custom_properties(Jsonb *properties,
						void (*property) (void *arg, const char *key, const char *value),
						void *arg)
{
	JsonbContainer *object;
	JsonbValue	member;
	JsonbValue	key;
	JsonbValue	value;
	JsonbIterator *it;
	JsonbIteratorToken token;

	if (properties == NULL)
		return;
	object = &properties->root;
	if (object_member(object, "CustomConnector", &member) != NULL && member.type == jbvBinary)
		object = member.val.binary.data;
	if (object_member(object, "customProperties", &member) == NULL ||
		member.type != jbvBinary || !JsonContainerIsObject(member.val.binary.data))
		return;
	it = JsonbIteratorInit(member.val.binary.data);
	(void) JsonbIteratorNext(&it, &key, true);
	while ((token = JsonbIteratorNext(&it, &key, true)) == WJB_KEY)
	{
		char	   *name = pnstrdup(key.val.string.val, key.val.string.len);

		(void) JsonbIteratorNext(&it, &value, true);
		if (value.type == jbvString)
			property(arg, name, pnstrdup(value.val.string.val, value.val.string.len));
		else if (value.type == jbvBool)
			property(arg, name, value.val.boolean ? "true" : "false");
		else
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("value of custom property \"%s\" must be a string", name));
	}
}

/* ---------- describe ---------- */

List *
table_primary_key(Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	List	   *numbers = NIL;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		for (int i = 0; index->indisprimary && i < index->indnkeyatts; i++)
			numbers = lappend_int(numbers, index->indkey.values[i]);
		ReleaseSysCache(tuple);
	}
	return numbers;
}

static void
mark_primary_key(Relation rel, Schema *schema)
{
	ListCell   *cell;

	foreach(cell, table_primary_key(rel))
	{
		int			field = schema_find(schema, NameStr(TupleDescAttr(RelationGetDescr(rel), lfirst_int(cell) - 1)->attname));

		if (field >= 0)
			schema->fields[field].key = true;
	}
}

Schema *
table_describe(Relation rel)
{
	Schema	   *schema = schema_create();
	TupleDesc	tupdesc = RelationGetDescr(rel);

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(tupdesc, i);
		Field	   *field;

		if (attr->attisdropped)
			continue;
		field = schema_add(schema, NameStr(attr->attname), FIELD_STRING);
		field_set_column_type(field, attr->atttypid, attr->atttypmod);
		field->not_null = attr->attnotnull;
		field->sortable = table_column_orders(attr->atttypid);
	}
	mark_primary_key(rel, schema);
	return schema;
}

Relation
table_open_source(TableName *name)
{
	Oid			relid = table_name_lookup(name, AccessShareLock);
	Relation	rel;

	if (!OidIsValid(relid))
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("table \"%s\" does not exist", name->display));
	rel = relation_open(relid, NoLock);
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
			return rel;
		default:
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("\"%s\" is not a table or view", name->display));
	}
}

static Schema *
postgresql_describe_entity(ConnectorSession *session, const char *entity)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	Schema	   *volatile schema = NULL;
	TableRole	saved;

	table_role_enter(&saved, session->role);
	PG_TRY();
	{
		Relation	rel = table_open_source(table_name_parse(entity));

		schema = table_describe(rel);
		relation_close(rel, NoLock);
	}
	PG_CATCH();
	{
		table_role_leave(&saved);
		MemoryContextSwitchTo(oldcontext);
		table_rethrow();
	}
	PG_END_TRY();
	table_role_leave(&saved);
	return schema;
}

/* columns that are there have types; those to be made need them */
static bool
table_needs_schema(Jsonb *properties, bool all_fields)
{
	Jsonb	   *custom = jsonb_get_container(properties, "customProperties");

	return all_fields || jsonb_get_bool(custom, "createTable", false) ||
		jsonb_get_bool(custom, "addColumns", false);
}

const Connector postgresql_connector = {
	.type = "CustomConnector",
	.label = "PostgreSQL",
	.describe_entity = postgresql_describe_entity,
	.plan_read = table_plan_read,
	.open_reader = table_open_reader,
	.open_writer = table_open_writer,
	.transactional = true,
	.needs_schema = table_needs_schema,
};
