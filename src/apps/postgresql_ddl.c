/*-------------------------------------------------------------------------
 *
 * postgresql_ddl.c
 *	  Making tables and columns for what arrives, and emptying tables.
 *
 * IDENTIFICATION
 *	  src/apps/postgresql_ddl.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/postgresql.h"
#include "catalog/heap.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* run one SQL statement as the current user */
static void
table_execute(const char *sql)
{
	int			result;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	result = SPI_execute(sql, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
	SPI_finish();
}

/* a name that the server would cut is a different name: refuse it */
static void
check_column_name(const char *name)
{
	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("field name \"%s\" is too long for a column", name),
				errdetail("Column names have at most %d bytes.", NAMEDATALEN - 1));
}

void
table_create(const TableName *name, const Schema *schema, List *id_fields)
{
	StringInfoData sql;
	ListCell   *cell;
	bool		first = true;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TABLE %s (", name->quoted);
	for (int i = 0; i < schema->nfields; i++)
	{
		const Field *field = &schema->fields[i];

		check_column_name(field->name);
		appendStringInfo(&sql, "%s%s %s%s", i > 0 ? ", " : "", quote_identifier(field->name),
						 field_sql_type(field), field->not_null ? " NOT NULL" : "");
	}
	foreach(cell, id_fields)
	{
		if (schema_find(schema, lfirst(cell)) < 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("id field \"%s\" is not among the fields that are written to table \"%s\"",
						   (char *) lfirst(cell), name->display),
					errhint("Map a source field to it."));
		appendStringInfo(&sql, "%s%s", first ? ", PRIMARY KEY (" : ", ",
						 quote_identifier(lfirst(cell)));
		first = false;
	}
	appendStringInfoString(&sql, first ? ")" : "))");
	table_execute(sql.data);
}

void
table_add_column(const TableName *name, const Field *field)
{
	check_column_name(field->name);
	table_execute(psprintf("ALTER TABLE %s ADD COLUMN %s %s", name->quoted,
						   quote_identifier(field->name), field_sql_type(field)));
}

/*
 * TRUNCATE needs a right of its own, and that no foreign key refers to the
 * table; DELETE does the same more slowly.
 */
void
table_empty(const TableName *name, Oid relid)
{
	char		relkind = get_rel_relkind(relid);
	bool		truncate = (relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE) &&
		pg_class_aclcheck(relid, GetUserId(), ACL_TRUNCATE) == ACLCHECK_OK &&
		heap_truncate_find_FKs(list_make1_oid(relid)) == NIL;

	table_execute(psprintf(truncate ? "TRUNCATE TABLE %s" : "DELETE FROM %s", name->quoted));
}
