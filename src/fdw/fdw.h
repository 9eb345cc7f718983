/*-------------------------------------------------------------------------
 *
 * fdw.h
 *	  What the parts of appflow_fdw know of each other.
 *
 *	  option.c		options, and what they say of a table
 *	  pushdown.c	PostgreSQL's expressions as conditions of the contract
 *	  request.c		a request of a plan: made, kept in the plan, asked
 *	  plan.c		paths and plans of tables
 *	  upper.c		aggregates, order and limits
 *	  join.c		joins along relationships
 *	  rows.c		records of a reader as values of columns
 *	  scan.c		the scan node
 *	  async.c		the same under an asynchronous append
 *	  explain.c		what EXPLAIN tells of it
 *	  modify.c		INSERT, UPDATE, DELETE, COPY, TRUNCATE
 *	  analyze.c		samples for ANALYZE
 *	  entities.c	entities and their fields
 *	  import.c		IMPORT FOREIGN SCHEMA
 *	  refresh.c		a table follows its entity
 *
 * IDENTIFICATION
 *	  src/fdw/fdw.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FDW_H
#define APPFLOW_FDW_H

#include "postgres.h"

#include "compat.h"
#include "commands/explain.h"
#include "connector/connector.h"
#include "foreign/fdwapi.h"
#include "net/http.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
#include "record/datum.h"
#include "utils/rel.h"

/* ---------- option.c ---------- */

/* what a foreign table's and its server's options say */
typedef struct TableOptions
{
	Oid			relid;
	Oid			serverid;
	const char *table;			/* for messages */
	const char *server;
	const char *connector_type; /* wire name */
	const char *profile;		/* NULL: S3 */
	const char *api_version;	/* or NULL */
	const char *entity;			/* NULL: S3 */
	const char *bucket;			/* S3 */
	const char *prefix;
	const char *format;			/* CSV or JSON */

	double		startup_cost;
	double		tuple_cost;
	double		rows;			/* -1: not told */
	int			page_size;		/* 0: as the connector likes */
	int64		analyze_rows;	/* records that ANALYZE reads at most */
	bool		async_capable;
} TableOptions;

extern TableOptions *fdw_table_options(Oid relid);

/*
 * The same for a server alone, as far as it goes; option (may be NULL) is its
 * value of one that only servers have.
 */
extern TableOptions *fdw_server_options(Oid serverid);

/* the field that a column is, or NULL if it is computed here (generated) or gone */
extern char *fdw_column_field(Relation rel, AttrNumber attnum);

/* whether the column is a part of the key by its option */
extern bool fdw_column_is_key(Oid relid, AttrNumber attnum);

/* value of an option of a foreign table, or of its server; NULL: neither has it */
extern char *fdw_option_value(Oid relid, const char *name);

/* what a table's entity is called in messages: its name, or s3://bucket/prefix */
extern const char *fdw_entity_name(const TableOptions *options);

/*
 * A session with the table's connector for a role; asks nobody.  Raises an error if
 * the role may not.
 */
extern ConnectorSession *fdw_session_open(const TableOptions *options, Oid role);

/* ---------- pushdown.c ---------- */

/*
 * A condition in the contract's terms with operands that are expressions: indexes
 * into a list of them.  It is satisfied by exactly those records for which
 * PostgreSQL's expression is true.
 */
typedef struct Condition
{
	FilterOperator operator;
	int			member;			/* of the request */
	char	   *field;			/* of the member; NULL: FILTER_ANY, FILTER_ALL */
	Oid			type;			/* of the column, not a domain */
	int32		typmod;
	bool		array;			/* the operand is an array: any, or none, of its elements */
	List	   *operands;		/* of int */
	List	   *children;		/* of Condition * */
} Condition;

struct Request;

/* what is needed to make conditions of expressions */
typedef struct Pushdown
{
	PlannerInfo *root;
	Relids		relids;			/* of all members */
	struct Request *request;	/* exprs are appended to it */
	const char *reason;			/* why the last expression makes none */
} Pushdown;

extern Condition *condition_make(Pushdown *pushdown, Expr *clause);

/* the member and field that an expression is, or NULL */
extern char *pushdown_field(Pushdown *pushdown, Expr *expr, int *member, Oid *type, int32 *typmod);

/* ---------- request.c ---------- */

/* an entity that is read: the table's own, or one along a relationship from it */
typedef struct Member
{
	Index		rti;			/* planning only */
	Oid			relid;
	char	   *prefix;			/* before its fields' names: "", "Account." */
	const TableOptions *options;
	Schema	   *described;		/* NULL: not known */
} Member;

/* a column of the rows that a scan makes */
typedef struct Column
{
	int			attnum;			/* in the rows */
	char	   *field;			/* whole name; NULL: an aggregate */
} Column;

typedef struct Order
{
	int			attnum;			/* in the rows, for sorting here; 0: not known yet */
	int			member;
	char	   *field;
	bool		descending;
	bool		nulls_first;
	Oid			operator;		/* that sorts so */
	Oid			collation;
	Expr	   *expr;			/* planning only */
} Order;

/* an aggregate, or a field to group by, as far as the plan is concerned */
typedef struct AggregateColumn
{
	bool		group;			/* else: function */
	AggregateFunction function;
	int			member;
	char	   *field;			/* NULL: count(*) */
} AggregateColumn;

/* what a scan asks for: made by the planner, kept in the plan, used by the executor */
typedef struct Request
{
	List	   *members;		/* of Member *; the first is the table's own */
	List	   *columns;		/* of Column * */
	List	   *conditions;		/* of Condition * */
	List	   *order;			/* of Order * */
	bool		limited;
	int			limit;			/* indexes into exprs, or -1 */
	int			offset;
	double		limit_hint;		/* -1: none */
	List	   *aggregates;		/* of AggregateColumn *: rows are groups, one column each */
	List	   *reasons;		/* of char *: why each of the plan's own quals is one */

	List	   *exprs;			/* of Expr *: operands; not in the plan's private list */
} Request;

extern List *request_to_list(const Request *request);
extern Request *request_from_list(List *list);

/* the value of an operand */
typedef struct Operand
{
	bool		known;			/* not before the executor starts, unless it is a constant */
	bool		isnull;
	Datum		value;
	Oid			type;
} Operand;

/* operands as far as the planner knows them */
extern Operand *request_constants(const Request *request);

typedef struct Asking
{
	ReadRequest *read;
	Filter	  **filters;		/* one for each condition; NULL: not offered */
	bool		never;			/* no record can satisfy all conditions */
} Asking;

/*
 * The request as the connector wants it.  Conditions that it could not compare
 * in the same way are not offered.
 */
extern Asking *request_ask(const Request *request, const Operand *operands);

/* whether the condition need not be checked here */
extern bool asking_settled(const Asking *asking, int condition);

/* whether the application could order by a field as the column's type and collation do */
extern bool request_sortable(const Request *request, int member, const char *field, Oid type, int32 typmod,
							 Oid collation);

/* whether values of a field compare as those of a column type do */
extern bool field_compares(const Field *field, Oid type, int32 typmod, FilterOperator operator);

/* ---------- plan.c ---------- */

/* RelOptInfo.fdw_private */
typedef struct FdwRelation
{
	ConnectorSession *session;
	Request    *request;		/* conditions that the application takes, and what is read */
	List	   *pushed;			/* of Expr *: the conditions' clauses */
	List	   *local;			/* of RestrictInfo *: the others */
	bool		all_taken;		/* by the application, and there are no others */
	double		retrieved;		/* rows that come over the network */
	double		rows;
	int			width;
	Relids		relids;

	/* upper relations with aggregates */
	List	   *tlist;			/* the groups' columns */
	List	   *having;			/* evaluated here */
} FdwRelation;

extern void fdw_plan_routine(FdwRoutine *routine);

extern void fdw_scan_cost(PlannerInfo *root, const TableOptions *options, List *local, double retrieved,
						  Cost *startup, Cost *total);

/* The pathkeys as an order (of Order *) that the application keeps, or NIL. */
extern List *fdw_order_of(PlannerInfo *root, FdwRelation *relation, List *pathkeys);

/* The order with the places of its columns in the rows: of a table, or of a target list. */
extern List *fdw_place_order(List *order, List *tlist);

/* what the connector would do with a request, and its words; NULL: it plans nothing */
extern char *fdw_ask_plan(ConnectorSession *session, const Request *request, const Operand *operands,
						  Asking **asking);

/* ---------- upper.c ---------- */

extern void fdw_upper_routine(FdwRoutine *routine);

/* The plan of anything that is not a single table. */
extern ForeignScan *fdw_upper_plan(PlannerInfo *root, RelOptInfo *rel, ForeignPath *path, List *tlist,
								   List *clauses, Plan *outer_plan);

/* ---------- join.c ---------- */

extern void fdw_join_routine(FdwRoutine *routine);

/* ---------- rows.c ---------- */

typedef struct RowsColumn
{
	int			attnum;
	int			column;			/* of the reader's */
	const char *field;
	Field		target;
	DatumMaker	maker;
} RowsColumn;

/* records as rows of a descriptor */
typedef struct Rows
{
	const TableOptions *options;
	Oid			role;
	MemoryContext home;			/* it was made in */
	ConnectorSession *session;	/* NULL: not yet */
	MemoryContext context;		/* of one reading: goes with it */
	TupleDesc	tupdesc;
	Asking	   *asking;
	RecordReader *reader;
	Batch	   *batch;
	uint32		row;			/* next of the batch */
	uint64		records;		/* in all batches so far */
	int			ncolumns;
	RowsColumn *columns;
	int			converting;		/* column that is being converted, for messages; -1: none */
	bool		done;
	bool		narrowed;		/* limit or aggregates were to rely on filters that the
								 * application gave up */

	/* columns that are computed from the others */
	int			ngenerated;
	AttrNumber *generated;
	ExprState **expressions;
	ExprContext *econtext;

	HttpUse		use;
	int64		waited;			/* microseconds */
	uint64		bytes;			/* of readings that are closed */
	uint64		pages;
} Rows;

/* The columns that are read, with those that generated columns without a field are computed from. */
extern Bitmapset *fdw_generated_inputs(Relation rel, bool whole, Bitmapset *used);

/*
 * A reading, in the current memory context: nothing is asked before
 * rows_open(); rows_close() ends it, to be opened anew.
 */
extern Rows *rows_create(const TableOptions *options, Oid role);
extern void rows_open(Rows *rows, Request *request, const Operand *operands, TupleDesc tupdesc);

/* The next row, in the current memory context; false at the end. */
extern bool rows_next(Rows *rows, TupleTableSlot *slot);
extern void rows_close(Rows *rows);

/* as of now, the reader that is open included */
extern uint64 rows_bytes(const Rows *rows);
extern uint64 rows_pages(const Rows *rows);

/* Whether rows_next() would not have to wait. */
extern bool rows_ready(Rows *rows);

/* Whether the connector makes the aggregates of a request, as far as it can plan it; may ask it. */
extern bool rows_plans_aggregates(Rows *rows, Request *request);

/* ---------- scan.c ---------- */

typedef struct AsyncWait AsyncWait;

typedef struct FdwScan
{
	Request    *request;
	Oid			role;
	Rows	   *rows;
	bool		open;
	Operand    *operands;		/* their values, or NULL */
	MemoryContext operand_context;
	int			noperands;
	List	   *expressions;	/* of ExprState *: operands */
	bool		stale;			/* operands may have changed */
	ExprState  *checks;			/* conditions that are not taken */
	int64		skip;			/* rows to leave out, and to give, here */
	int64		give;			/* NO_LIMIT: all */
	bool		keep;			/* rows may be read again with the same operands */
	bool		rewinds;		/* and surely are */
	Tuplestorestate *store;		/* rows for the next time, or NULL */
	bool		store_read;		/* they are being read again */
	TupleTableSlot *kept_slot;	/* for rows from store and sort */
	struct Tuplesortstate *sort;	/* order that the application did not keep, or NULL */
	bool		patient;		/* it waits for rows; else it says that it would have to: */
	bool		blocked;
	AsyncWait  *wait;			/* or NULL */
	uint64		checked_out;	/* rows that did not satisfy conditions checked here */
	uint64		scans;			/* times that the application was asked */
} FdwScan;

extern void fdw_scan_routine(FdwRoutine *routine);

/* ---------- async.c, analyze.c ---------- */

extern void fdw_async_routine(FdwRoutine *routine);
extern void fdw_analyze_routine(FdwRoutine *routine);

/* ---------- explain.c ---------- */

extern void fdw_explain_routine(FdwRoutine *routine);

/* parts of ForeignScan.fdw_private */
enum FdwPrivate
{
	FDW_PRIVATE_REQUEST
};

/* ---------- modify.c ---------- */

extern void fdw_modify_routine(FdwRoutine *routine);

/* ---------- entities.c ---------- */

/* SQL as the user, with a search path that is safe */
typedef struct FdwSql
{
	MemoryContext caller;		/* texts go there */
	int			settings;
	bool		snapshot;
} FdwSql;

extern void fdw_sql_begin(FdwSql *sql);
extern void fdw_sql_end(const FdwSql *sql);

/* Execute with texts as $1 ... (NULL: null); how many rows. */
extern uint64 fdw_sql_execute(const char *statement, int nvalues, const char *const *values);

/* text of a column (from 1) of a row of the last statement, or NULL */
extern char *fdw_sql_text(const FdwSql *sql, uint64 row, int column);

/* Entities (of Entity *) under a path, with their groups. */
extern List *fdw_list_entities(const TableOptions *options, const char *path);
extern Schema *fdw_describe_entity(const TableOptions *options, const char *entity);

/* The next description is asked for anew. */
extern void fdw_forget_entity(const TableOptions *options, const char *entity);

/* ---------- import.c ---------- */

extern void fdw_import_routine(FdwRoutine *routine);

/* the name of a table or column for that of an entity or field */
extern char *fdw_local_name(const char *name, bool as_is, List *taken);

#endif							/* APPFLOW_FDW_H */
