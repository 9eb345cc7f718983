/*-------------------------------------------------------------------------
 *
 * postgresql_statement.c
 *	  Rows as a transient relation, and one statement over it: UPSERT, UPDATE,
 *	  DELETE, and insertion where the way of COPY would differ from INSERT.
 *
 * The rows are put into a tuplestore that the statement knows as the relation
 * appflow_batch.  Its columns are the row's number and c1 .. cN, the values of
 * the writer's columns, already of the columns' types.  The statement is
 * planned once.
 *
 * The effect is that of writing one record after the other: rows go into one
 * statement only as long as their ids differ.
 *
 * IDENTIFICATION
 *	  src/apps/postgresql_statement.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "apps/postgresql.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/queryenvironment.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#define BATCH_RELATION "appflow_batch"

/* open addressing over the ids of one statement: at most half full */
#define ID_SLOTS (BATCH_ROWS * 2)

struct TableStatement
{
	TupleDesc	tupdesc;		/* row number, then the columns */
	SPIPlanPtr	plan;
	SPIPlanPtr	matches;		/* which rows' ids exist, where row triggers may
								 * suppress what the statement does; or NULL */
	bool		returns_rows;	/* the statement returns the numbers of rows met */
	bool		hashable;		/* the ids can be told apart */
	int			nids;
	int		   *ids;			/* columns, counted from 0 */
	TypeCacheEntry **id_types;
};

/* ---------- the statement's text ---------- */

/* t."x" OPERATOR(pg_catalog.=) b.c3: with the equality of the column's type, whatever the search path */
static void
append_id_condition(StringInfo sql, TableWriter *writer, TableStatement *statement)
{
	for (int i = 0; i < statement->nids; i++)
	{
		TableColumn *column = &writer->columns[statement->ids[i]];
		HeapTuple	tuple = SearchSysCache1(OPEROID,
											ObjectIdGetDatum(statement->id_types[i]->eq_opr));
		Form_pg_operator operator;

		if (!HeapTupleIsValid(tuple))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("column \"%s\" of type %s cannot be an id field: the type has no equality",
						   column->name, format_type_be(column->type)));
		operator = (Form_pg_operator) GETSTRUCT(tuple);
		appendStringInfo(sql, "%st.%s OPERATOR(%s.%s) b.c%d", i > 0 ? " AND " : "",
						 quote_identifier(column->name),
						 quote_identifier(get_namespace_name(operator->oprnamespace)),
						 NameStr(operator->oprname), statement->ids[i] + 1);
		ReleaseSysCache(tuple);
	}
}

/* the columns' names, or those of the batch, or assignments, comma-separated */
static void
append_columns(StringInfo sql, TableWriter *writer, const char *format, bool ids, bool others)
{
	bool		first = true;

	for (int i = 0; i < writer->ncolumns; i++)
	{
		TableColumn *column = &writer->columns[i];

		if (!(column->id ? ids : others))
			continue;
		if (!first)
			appendStringInfoString(sql, ", ");
		first = false;
		for (const char *p = format; *p != '\0'; p++)
		{
			if (*p == '@')
				appendStringInfoString(sql, quote_identifier(column->name));
			else if (*p == '#')
				appendStringInfo(sql, "%d", i + 1);
			else
				appendStringInfoChar(sql, *p);
		}
	}
}

static char *
statement_text(TableWriter *writer, TableStatement *statement)
{
	StringInfoData sql;
	bool		others = statement->nids < writer->ncolumns;

	initStringInfo(&sql);
	switch (writer->operation)
	{
		case WRITE_INSERT:
		case WRITE_UPSERT:
			appendStringInfo(&sql, "INSERT INTO %s AS t (", writer->name->quoted);
			append_columns(&sql, writer, "@", true, true);
			appendStringInfoString(&sql, ") SELECT ");
			append_columns(&sql, writer, "b.c#", true, true);
			appendStringInfoString(&sql, " FROM " BATCH_RELATION " AS b");
			if (writer->operation == WRITE_INSERT)
				break;
			appendStringInfoString(&sql, " ON CONFLICT (");
			append_columns(&sql, writer, "@", true, false);
			appendStringInfoString(&sql, others ? ") DO UPDATE SET " : ") DO NOTHING");
			append_columns(&sql, writer, "@ = excluded.@", false, true);
			break;
		case WRITE_UPDATE:
			appendStringInfo(&sql, "UPDATE %s AS t SET ", writer->name->quoted);
			append_columns(&sql, writer, "@ = b.c#", false, true);
			appendStringInfoString(&sql, " FROM " BATCH_RELATION " AS b WHERE ");
			append_id_condition(&sql, writer, statement);
			appendStringInfoString(&sql, " RETURNING b.row");
			break;
		case WRITE_DELETE:
			appendStringInfo(&sql, "DELETE FROM %s AS t USING " BATCH_RELATION " AS b WHERE ",
							 writer->name->quoted);
			append_id_condition(&sql, writer, statement);
			appendStringInfoString(&sql, " RETURNING b.row");
			break;
	}
	return sql.data;
}

static char *
matches_text(TableWriter *writer, TableStatement *statement)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT b.row FROM " BATCH_RELATION " AS b WHERE EXISTS (SELECT FROM %s AS t WHERE ",
					 writer->name->quoted);
	append_id_condition(&sql, writer, statement);
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* ---------- planning ---------- */

static void
register_batch(TableStatement *statement, Tuplestorestate *rows)
{
	EphemeralNamedRelation relation = palloc0(sizeof(EphemeralNamedRelationData));
	int			result;

	relation->md.name = BATCH_RELATION;
	relation->md.tupdesc = statement->tupdesc;
	relation->md.enrtype = ENR_NAMED_TUPLESTORE;
	relation->md.enrtuples = BATCH_ROWS;
	relation->reldata = rows;
	result = SPI_register_relation(relation);
	if (result != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation failed: %s", SPI_result_code_string(result));
}

static SPIPlanPtr
prepare(const char *sql)
{
	SPIPlanPtr	plan = SPI_prepare(sql, 0, NULL);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
	return plan;
}

static void
find_ids(TableWriter *writer, TableStatement *statement)
{
	statement->ids = palloc(sizeof(int) * Max(writer->ncolumns, 1));
	statement->id_types = palloc(sizeof(TypeCacheEntry *) * Max(writer->ncolumns, 1));
	statement->hashable = true;
	for (int i = 0; i < writer->ncolumns; i++)
	{
		TypeCacheEntry *type;

		if (!writer->columns[i].id)
			continue;
		type = lookup_type_cache(writer->columns[i].type,
								 TYPECACHE_EQ_OPR | TYPECACHE_EQ_OPR_FINFO |
								 TYPECACHE_HASH_PROC | TYPECACHE_HASH_PROC_FINFO);
		if (!OidIsValid(type->hash_proc_finfo.fn_oid) || !OidIsValid(type->eq_opr_finfo.fn_oid))
			statement->hashable = false;
		statement->ids[statement->nids] = i;
		statement->id_types[statement->nids++] = type;
	}
}

/* may the table's triggers make a row that is there look as if it was not? */
static bool
triggers_may_suppress(TableWriter *writer, Relation rel)
{
	if (rel->trigdesc == NULL)
		return false;
	return writer->operation == WRITE_UPDATE ?
		rel->trigdesc->trig_update_before_row || rel->trigdesc->trig_update_instead_row :
		rel->trigdesc->trig_delete_before_row || rel->trigdesc->trig_delete_instead_row;
}

/* Plan; in the current memory context, as the role. */
TableStatement *
table_statement_create(TableWriter *writer, Relation rel)
{
	TableStatement *statement = palloc0(sizeof(TableStatement));

	statement->tupdesc = CreateTemplateTupleDesc(writer->ncolumns + 1);
	TupleDescInitEntry(statement->tupdesc, 1, "row", INT4OID, -1, 0);
	for (int i = 0; i < writer->ncolumns; i++)
	{
		TableColumn *column = &writer->columns[i];

		TupleDescInitEntry(statement->tupdesc, i + 2, psprintf("c%d", i + 1),
						   column->type, column->typmod, 0);
		TupleDescInitEntryCollation(statement->tupdesc, i + 2, column->collation);
	}
	if (writer->operation != WRITE_INSERT)
		find_ids(writer, statement);
	statement->returns_rows = writer->operation == WRITE_UPDATE || writer->operation == WRITE_DELETE;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	register_batch(statement, NULL);
	statement->plan = prepare(statement_text(writer, statement));
	if (statement->returns_rows && triggers_may_suppress(writer, rel))
		statement->matches = prepare(matches_text(writer, statement));
	SPI_finish();
	return statement;
}

void
table_statement_free(TableStatement *statement)
{
	if (statement->plan != NULL)
		SPI_freeplan(statement->plan);
	if (statement->matches != NULL)
		SPI_freeplan(statement->matches);
	statement->plan = NULL;
	statement->matches = NULL;
}

/* ---------- one attempt ---------- */

/* the ids that are in the statement so far */
typedef struct IdSet
{
	uint32	   *hashes;			/* ID_SLOTS; 0: empty */
	Datum	  **values;
} IdSet;

/* add a row's ids (none is null); false if equal ones are there already */
static bool
add_ids(TableWriter *writer, TableStatement *statement, IdSet *set, const Datum *values)
{
	uint32		hash = 0;
	uint32		slot;
	Datum	   *ids = palloc(sizeof(Datum) * statement->nids);

	for (int i = 0; i < statement->nids; i++)
	{
		Oid			collation = writer->columns[statement->ids[i]].collation;

		ids[i] = values[statement->ids[i]];
		hash = hash_combine(hash, DatumGetUInt32(FunctionCall1Coll(&statement->id_types[i]->hash_proc_finfo,
																   collation, ids[i])));
	}
	if (hash == 0)
		hash = 1;
	for (slot = hash % ID_SLOTS; set->hashes[slot] != 0; slot = (slot + 1) % ID_SLOTS)
	{
		bool		equal = set->hashes[slot] == hash;

		for (int i = 0; i < statement->nids && equal; i++)
		{
			Oid			collation = writer->columns[statement->ids[i]].collation;

			equal = DatumGetBool(FunctionCall2Coll(&statement->id_types[i]->eq_opr_finfo, collation,
												   ids[i], set->values[slot][i]));
		}
		if (equal)
			return false;
	}
	set->hashes[slot] = hash;
	set->values[slot] = ids;
	return true;
}

/*
 * Convert rows into the tuplestore, as far as their ids differ; attempt->last
 * is then behind the last one taken.
 */
static Tuplestorestate *
fill_batch(TableStatement *statement, TableAttempt *attempt)
{
	TableWriter *writer = attempt->writer;
	Tuplestorestate *rows = tuplestore_begin_heap(false, false, work_mem);
	int			ncolumns = writer->ncolumns;
	Datum	   *values = palloc(sizeof(Datum) * (ncolumns + 1));
	bool	   *nulls = palloc(sizeof(bool) * (ncolumns + 1));
	IdSet		set = {0};

	if (statement->nids > 0)
	{
		set.hashes = palloc0(sizeof(uint32) * ID_SLOTS);
		set.values = palloc(sizeof(Datum *) * ID_SLOTS);
		if (!statement->hashable)
			attempt->last = attempt->first + 1;
	}
	attempt->converting = true;
	for (uint32 row = attempt->first; row < attempt->last; row++)
	{
		uint32		batch_row = attempt->set->rows[row];

		attempt->row = row;
		values[0] = Int32GetDatum((int32) row);
		nulls[0] = false;
		for (int i = 0; i < ncolumns; i++)
		{
			attempt->column = i;
			values[i + 1] = datum_make(&writer->columns[i].maker,
									   &attempt->set->columns[i][batch_row],
									   &nulls[i + 1]);
		}
		if (statement->nids > 0 && statement->hashable &&
			!add_ids(writer, statement, &set, values + 1))
		{
			attempt->last = row;
			break;
		}
		tuplestore_putvalues(rows, statement->tupdesc, values, nulls);
	}
	attempt->converting = false;
	attempt->row = attempt->last - attempt->first == 1 ? (int64) attempt->first : -1;
	return rows;
}

/* run a plan; if it gives row numbers, mark them as found */
static void
execute_plan(SPIPlanPtr plan, TableAttempt *attempt, bool mark)
{
	int			result = SPI_execute_plan(plan, NULL, NULL, false, 0);

	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
	if (!mark || SPI_tuptable == NULL)
		return;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		row = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
			attempt->found[DatumGetInt32(row)] = true;
	}
}

void
table_statement_attempt(TableStatement *statement, TableAttempt *attempt)
{
	Tuplestorestate *rows = fill_batch(statement, attempt);

	/* what an attempt found that was rolled back does not count */
	if (attempt->found != NULL)
		memset(attempt->found + attempt->first, false, attempt->last - attempt->first);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	register_batch(statement, rows);
	if (statement->matches != NULL)
		execute_plan(statement->matches, attempt, true);
	execute_plan(statement->plan, attempt, statement->returns_rows);
	SPI_finish();
	tuplestore_end(rows);
}
