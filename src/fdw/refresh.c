/*-------------------------------------------------------------------------
 *
 * refresh.c
 *	  A foreign table follows its entity.
 *
 * IDENTIFICATION
 *	  src/fdw/refresh.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "fdw/fdw.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parse_type.h"
#include "record/errors.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(appflow_refresh_foreign_table);

typedef struct Refresh
{
	ReturnSetInfo *result;
	const char *table;			/* quoted */
	bool		drop;
	bool		as_is;
	List	   *names;			/* of columns */
	List	   *commands;
} Refresh;

static void
report(Refresh *refresh, const char *change, const char *column, const char *field, const char *detail)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, false, detail == NULL};

	values[0] = CStringGetTextDatum(change);
	values[1] = CStringGetTextDatum(column);
	values[2] = CStringGetTextDatum(field);
	values[3] = detail == NULL ? (Datum) 0 : CStringGetTextDatum(detail);
	tuplestore_putvalues(refresh->result->setResult, refresh->result->setDesc, values, nulls);
}

static void
command(Refresh *refresh, const char *change)
{
	refresh->commands = lappend(refresh->commands, psprintf("ALTER FOREIGN TABLE %s %s", refresh->table, change));
}

/* a column whose field is still there: its type, whether it may be null, whether it is a key */
static void
compare_column(Refresh *refresh, Relation rel, AttrNumber attnum, const Field *field)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	const char *name = NameStr(attr->attname);
	const char *column = quote_identifier(name);
	char	   *wanted = field_sql_type(field);
	bool		not_null = field->not_null || field->key;
	Oid			type;
	int32		typmod;

	parseTypeString(wanted, &type, &typmod, false);
	if (attr->atttypid != type || attr->atttypmod != typmod)
	{
		char	   *detail = psprintf("%s, was %s", format_type_with_typemod(type, typmod),
									  format_type_with_typemod(attr->atttypid, attr->atttypmod));

		command(refresh, psprintf("ALTER COLUMN %s TYPE %s", column, wanted));
		report(refresh, "type", name, field->name, detail);
	}
	if (attr->attnotnull != not_null)
	{
		command(refresh, psprintf("ALTER COLUMN %s %s NOT NULL", column, not_null ? "SET" : "DROP"));
		report(refresh, not_null ? "not null" : "nullable", name, field->name, NULL);
	}
	if (fdw_column_is_key(RelationGetRelid(rel), attnum) != field->key)
	{
		command(refresh, psprintf("ALTER COLUMN %s OPTIONS (%s)", column, field->key ? "ADD key 'true'" : "DROP key"));
		report(refresh, field->key ? "key" : "no key", name, field->name, NULL);
	}
}

static void
lost_column(Refresh *refresh, const char *name, const char *field)
{
	if (refresh->drop)
	{
		command(refresh, psprintf("DROP COLUMN %s", quote_identifier(name)));
		report(refresh, "dropped", name, field, "the entity has no such field any more");
	}
	else
		report(refresh, "missing", name, field, "the entity has no such field any more; drop_columns => true drops the column");
}

static void
new_column(Refresh *refresh, const Field *field)
{
	char	   *name = fdw_local_name(field->name, refresh->as_is, refresh->names);
	bool		renamed = strcmp(name, field->name) != 0;

	refresh->names = lappend(refresh->names, name);
	command(refresh, psprintf("ADD COLUMN %s %s%s%s%s%s%s%s", quote_identifier(name), field_sql_type(field),
							  renamed || field->key ? " OPTIONS (" : "",
							  renamed ? psprintf("field %s", quote_literal_cstr(field->name)) : "",
							  renamed && field->key ? ", " : "", field->key ? "key 'true'" : "",
							  renamed || field->key ? ")" : "",
							  field->not_null || field->key ? " NOT NULL" : ""));
	report(refresh, "added", name, field->name, field_sql_type(field));
}

/* the table's columns against the entity's fields */
static void
compare(Refresh *refresh, Relation rel, const Schema *schema)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	bool	   *found = palloc0(sizeof(bool) * Max(schema->nfields, 1));

	for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
	{
		char	   *name = NameStr(TupleDescAttr(tupdesc, attnum - 1)->attname);
		char	   *field = fdw_column_field(rel, attnum);
		int			index;

		if (field == NULL)
			continue;
		refresh->names = lappend(refresh->names, pstrdup(name));

		/* names are as they are where one shows that nobody made them otherwise */
		if (strcmp(name, field) == 0 && strpbrk(field, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL)
			refresh->as_is = true;
		index = schema_find(schema, field);
		if (index >= 0)
		{
			found[index] = true;
			compare_column(refresh, rel, attnum, &schema->fields[index]);
		}
		else if (strchr(field, '.') == NULL)
			lost_column(refresh, name, field);
	}
	for (int i = 0; i < schema->nfields; i++)
	{
		if (!found[i] && !schema->fields[i].write_only)
			new_column(refresh, &schema->fields[i]);
	}
}

/*
 * refresh_foreign_table(foreign_table regclass, drop_columns boolean) returns
 * table (change, column_name, field, detail): makes the table's columns those of
 * its entity, asked anew, and tells what has changed.
 */
Datum
appflow_refresh_foreign_table(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	TableOptions *options;
	Refresh		refresh = {.drop = PG_GETARG_BOOL(1)};
	const char *entity;
	Relation	rel;
	Schema	   *schema;
	FdwSql		sql;
	ListCell   *lc;

	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("\"%s\" is not a foreign table", get_rel_name(relid)));
	if (!relation_is_owned(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_TABLE, get_rel_name(relid));
	InitMaterializedSRF(fcinfo, 0);
	refresh.result = (ReturnSetInfo *) fcinfo->resultinfo;
	refresh.table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
	options = fdw_table_options(relid);
	entity = options->entity != NULL ? options->entity :
		options->prefix != NULL ? psprintf("%s/%s", options->bucket, options->prefix) : options->bucket;
	fdw_forget_entity(options, entity);
	schema = fdw_describe_entity(options, entity);

	rel = table_open(relid, AccessExclusiveLock);
	compare(&refresh, rel, schema);
	table_close(rel, NoLock);
	fdw_sql_begin(&sql);
	foreach(lc, refresh.commands)
	{
		if (SPI_execute(lfirst(lc), false, 0) < 0)
			elog(ERROR, "could not execute \"%s\"", (char *) lfirst(lc));
	}
	fdw_sql_end(&sql);
	return (Datum) 0;
}
