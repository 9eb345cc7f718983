/*-------------------------------------------------------------------------
 *
 * marketo.h
 *	  Marketo Engage: what its files have in common.
 *
 * marketo.c			the connector; calls, and what their answers say
 * marketo_entity.c		entities and their fields
 * marketo_plan.c		how a request is carried out
 * marketo_read.c		reading by pages
 * marketo_extract.c	reading by export jobs
 * marketo_seen.c		which records of these have been read
 * marketo_write.c		writing by requests
 * marketo_import.c		writing by import jobs
 *
 * IDENTIFICATION
 *	  src/apps/marketo.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_MARKETO_H
#define APPFLOW_MARKETO_H

#include "postgres.h"

#include "connector/connector.h"

/* records of a page, of a request, and values of a condition */
#define MARKETO_PAGE 300

/* ---------- marketo.c: calls ---------- */

/* what is known of a call of ours; call->arg */
typedef struct MarketoCall
{
	ConnectorSession *session;
	bool		once;			/* what it does must not be done twice */
	bool		renewed;		/* the token, as the answer said that it is not valid */
	bool		throttled;
	int			harmless;		/* attempts that surely did nothing */
	bool		doubtful;		/* the answer does not tell for certain that nothing was done */
	bool		refused;		/* the answer says that it failed, and why: */
	char	   *code;
	char	   *message;
} MarketoCall;

/*
 * A call, not started, whose answer is JSON: path begins with /rest or /bulk.  body (NULL:
 * none) must stay until the call is closed.  Refusals because of an invalid token, of
 * limits and of what passes are dealt with.
 */
extern HttpCall *marketo_call(ConnectorSession *session, const char *method, const char *path, const char *body,
							  size_t length, const char *type);

/* A GET; what is too long for a URL goes as Marketo wants it then. */
extern HttpCall *marketo_get(ConnectorSession *session, const char *path, const char *query);

static inline MarketoCall *
marketo_state(const HttpCall *call)
{
	return call->arg;
}

/* Wait for the answer; false: it is a refusal, whose code is in the call's state. */
extern bool marketo_wait(HttpCall *call, const char *what);

/* Raise what the refusal of a call means; also a SessionFailure. */
pg_noreturn extern void marketo_fail(ConnectorSession *session, HttpCall *call, const char *what);

/* Make the call and have its answer, which is no refusal; closes it. */
extern Jsonb *marketo_fetch(ConnectorSession *session, HttpCall *call, const char *what);

/* the same of an answer that has come; does not close it */
extern Jsonb *marketo_answer(HttpCall *call, const char *what);

/* the first of the answer's "result", which is an object; raises if there is none */
extern Jsonb *marketo_first(ConnectorSession *session, Jsonb *answer, const char *what);

/* Wait so long, or three times appflow.max_retry_delay if that is shorter: a minute by default. */
extern void marketo_pause(int64 milliseconds);

/* ---------- marketo_entity.c ---------- */

typedef enum MarketoKind
{
	MARKETO_LEADS,
	MARKETO_RECORDS,			/* companies, opportunities ...: found by values only */
	MARKETO_CUSTOM,				/* custom objects */
	MARKETO_ACTIVITIES,
	MARKETO_LISTING,			/* lists, campaigns */
	MARKETO_PROGRAMS
} MarketoKind;

typedef struct MarketoEntity
{
	MarketoKind kind;
	const char *name;
	const char *path;			/* records are at that with ".json" */
	const char *bulk;			/* the same of jobs; NULL: it has none */
	const char *type;			/* activities of one type: the end of its name; NULL: all */
} MarketoEntity;

/* The entity of a name; raises ValidationException if there can be none. */
extern const MarketoEntity *marketo_entity(const char *name);

extern List *marketo_list_entities(ConnectorSession *session, const char *path);
extern Schema *marketo_describe(ConnectorSession *session, const char *name);

/* of a custom object: when its type was made, before which it has no records */
extern int64 marketo_born(ConnectorSession *session, const MarketoEntity *entity);

/* ids of activity types: of the entity's, or of all */
extern List *marketo_activity_types(ConnectorSession *session, const MarketoEntity *entity);

/* the type of deleted leads, which have an address of their own */
#define MARKETO_DELETE_LEAD "37"

/* Is the field one that an activity has besides its attributes? */
extern bool marketo_is_plain(const MarketoEntity *entity, const char *field);

/* ---------- marketo_plan.c ---------- */

typedef enum MarketoRoute
{
	ROUTE_NONE,					/* Marketo cannot list that */
	ROUTE_VALUES,				/* records with one of the values in a field */
	ROUTE_JOBS,					/* exports of spans of time */
	ROUTE_ACTIVITIES,
	ROUTE_LISTING,
	ROUTE_PROGRAMS
} MarketoRoute;

#define MARKETO_NO_TIME PG_INT64_MIN

/* when Marketo was founded, in seconds of the epoch: nothing in it is older */
#define MARKETO_FOUNDED INT64CONST(1136073600)

typedef struct MarketoPlan
{
	const MarketoEntity *entity;
	const Schema *described;
	MarketoRoute route;
	Schema	   *schema;			/* fields to read */

	/* VALUES: of a field, those listed, or whole numbers from ... to */
	const char *field;			/* also of JOBS, the time */
	List	   *values;			/* of char * */
	bool		ranged;
	int64		first;
	int64		last;

	/* seconds of the epoch, both ends included; MARKETO_NO_TIME: open */
	int64		from;
	int64		until;
} MarketoPlan;

/*
 * How the request is carried out.  Of a flow, conditions on the time that JOBS go by are taken,
 * as far as only Marketo knows it; all others are evaluated by the caller.
 */
extern MarketoPlan *marketo_plan(ConnectorSession *session, ReadRequest *request, const Schema *described);

/* A column of the plan's schema that the reader needs, whether anybody wants it or not; -1: there is no such field. */
extern int	marketo_need_column(const MarketoPlan *plan, const char *name);

extern char *marketo_plan_read(ConnectorSession *session, ReadRequest *request);

/* yyyy-mm-ddThh:mm:ssZ */
extern char *marketo_time(int64 seconds);

/* ---------- reading ---------- */

extern RecordReader *marketo_open_reader(ConnectorSession *session, ReadRequest *request);

/*
 * The reader of export jobs.  NULL: Marketo does not export by that field (1035), which
 * it may do by another.
 */
extern RecordReader *marketo_extract_reader(ConnectorSession *session, const ReadRequest *request,
											const MarketoPlan *plan);

typedef struct MarketoSeen MarketoSeen;

/* In a context; the columns that it needs are added to the plan's schema in the current one. */
extern MarketoSeen *marketo_seen_create(const MarketoPlan *plan, MemoryContext context);

/*
 * Leave out the records of a batch that have been read before.  The seconds are those that the span
 * shares with the one before and with the next.
 */
extern void marketo_seen_drop(MarketoSeen *seen, Batch *batch, int64 shared_before, int64 shared_after);
extern void marketo_seen_next_span(MarketoSeen *seen);

/* bring cells into the canonical kinds of the schema */
extern void marketo_adapt(const Schema *schema, Batch *batch);

/* ---------- writing ---------- */

extern RecordWriter *marketo_open_writer(ConnectorSession *session, WriteRequest *request);
extern int	marketo_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation);

#endif							/* APPFLOW_MARKETO_H */
