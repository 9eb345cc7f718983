/*-------------------------------------------------------------------------
 *
 * postgresql.h
 *	  PostgreSQL's own tables as source and destination: what the files of
 *	  this connector share.
 *
 * IDENTIFICATION
 *	  src/apps/postgresql.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_POSTGRESQL_H
#define APPFLOW_POSTGRESQL_H

#include "postgres.h"

#include "compat.h"
#include "connector/connector.h"
#include "record/datum.h"
#include "record/errors.h"
#include "storage/lockdefs.h"
#include "utils/rel.h"

extern const Connector postgresql_connector;

/* ---------- postgresql.c ---------- */

typedef struct TableName
{
	char	   *schema;
	char	   *name;
	char	   *quoted;			/* schema.name, for SQL */
	char	   *display;		/* the same without quotes, for messages */
} TableName;

/* what table_role_enter() must give back */
typedef struct TableRole
{
	Oid			user;
	int			context;
	int			guc_level;
} TableRole;

/*
 * Act as the role until table_role_leave(), with settings that its code
 * changes undone then.  An error in between needs PG_FINALLY, or the abort
 * of a (sub)transaction that began before.
 */
extern void table_role_enter(TableRole *saved, Oid role);
extern void table_role_leave(const TableRole *saved);

/*
 * For PG_CATCH in place of PG_RE_THROW: missing privileges become an
 * AccessDeniedException, everything else passes as it is.  Call it in a memory
 * context that lives on.
 */
pg_noreturn extern void table_rethrow(void);
pg_noreturn extern void table_rethrow_error(ErrorData *error);

/* split an entity's name; raises WF400 unless it is schema.table */
extern TableName *table_name_parse(const char *entity);

/* the table's OID, locked; InvalidOid if there is none */
extern Oid	table_name_lookup(TableName *name, LOCKMODE lockmode);

/* a source's table or view, opened and locked; raises WF404 or WF400 */
extern Relation table_open_source(TableName *name);

/* its columns, in their order, dropped ones left out */
extern Schema *table_describe(Relation rel);

/* the columns of its primary key, by number, in the key's order; NIL: none */
extern List *table_primary_key(Relation rel);

/* the column whose name is most like this one, or NULL */
extern const char *table_nearest_column(Relation rel, const char *name);

/* "customProperties" of the connector's properties: calls back for each pair */
extern void table_custom_properties(Jsonb *properties,
									void (*property) (void *arg, const char *key, const char *value),
									void *arg);

/* ---------- postgresql_query.c ---------- */

/* the query as it is put together */
typedef struct TableQuery
{
	Relation	rel;
	bool		only_shown;		/* not to be run: operands may not be known */
	StringInfoData text;
	int			conditions;
	int			nparams;
	Oid		   *types;
	Datum	   *values;
	Batch	   *scratch;		/* for converting operands */
} TableQuery;

/*
 * The query for the fields of schema (or for groups), with all of the request that
 * it can do; sets what is taken.
 */
extern void table_query_make(TableQuery *query, const TableName *name, ReadRequest *request, const Schema *schema);

/* whether values of the type, as they are read, order as in SQL (text: by bytes) */
extern bool table_column_orders(Oid type);

/* ---------- postgresql_read.c ---------- */

extern char *table_plan_read(ConnectorSession *session, ReadRequest *request);
extern RecordReader *table_open_reader(ConnectorSession *session, ReadRequest *request);

/* ---------- the writer ---------- */

typedef struct TableColumn
{
	AttrNumber	attnum;
	Oid			type;
	int32		typmod;
	Oid			collation;
	char	   *name;
	bool		id;
	DatumMaker	maker;
} TableColumn;

typedef struct TableInsert TableInsert;
typedef struct TableStatement TableStatement;

typedef struct TableWriter
{
	RecordWriter writer;		/* first: it is what callers hold */
	MemoryContext context;		/* of the writer */
	MemoryContext batch_context;	/* emptied by every put */
	Oid			role;
	WriteOperation operation;
	List	   *id_fields;
	TableName  *name;
	Oid			relid;
	bool		add_columns;
	int			ncolumns;		/* columns[i] takes field i of the schema */
	TableColumn *columns;
	MemoryContext plan_context; /* of the columns and of one of: */
	TableInsert *insert;
	TableStatement *statement;
} TableWriter;

/* One attempt to write rows first .. last - 1 of a set, in a subtransaction of its own. */
typedef struct TableAttempt
{
	TableWriter *writer;
	const RecordSet *set;
	uint32		first;
	uint32		last;			/* in: what is asked; out: what was tried */
	int64		row;			/* the row being worked on, -1 when that is not known */
	bool		converting;		/* the cell of this column of it is being converted */
	int			column;
	bool	   *found;			/* per row of the set: an id matched (UPDATE, DELETE) */
	char		code[16];		/* out, of a failed attempt: the record error */
	char	   *message;
} TableAttempt;

/* ---------- postgresql_write.c ---------- */

extern RecordWriter *table_open_writer(ConnectorSession *session, WriteRequest *request);

/* ---------- postgresql_insert.c ---------- */

/* whether plain insertion, past the planner, does what INSERT would do */
extern bool table_insert_suits(TableWriter *writer, Relation rel);
extern TableInsert *table_insert_create(TableWriter *writer, Relation rel);
extern void table_insert_attempt(TableInsert *insert, TableAttempt *attempt);

/* to be called when an attempt was rolled back */
extern void table_insert_aborted(TableInsert *insert);

/* ---------- postgresql_statement.c ---------- */

extern TableStatement *table_statement_create(TableWriter *writer, Relation rel);
extern void table_statement_attempt(TableStatement *statement, TableAttempt *attempt);
extern void table_statement_free(TableStatement *statement);

/* ---------- postgresql_ddl.c ---------- */

/* as the current user; CREATE TABLE with a primary key of the id fields */
extern void table_create(const TableName *name, const Schema *schema, List *id_fields);
extern void table_add_column(const TableName *name, const Field *field);

/* empty the table, by TRUNCATE where the role may and can */
extern void table_empty(const TableName *name, Oid relid);


#endif							/* APPFLOW_POSTGRESQL_H */
