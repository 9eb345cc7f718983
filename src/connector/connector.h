/*-------------------------------------------------------------------------
 *
 * connector.h
 *	  What a connector is: one contract for flows and foreign tables.
 *
 * IDENTIFICATION
 *	  src/connector/connector.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CONNECTOR_H
#define APPFLOW_CONNECTOR_H

#include "postgres.h"

#include "connector/traits.h"
#include "datatype/timestamp.h"
#include "net/auth.h"
#include "record/errors.h"
#include "record/record.h"
#include "store/store.h"
#include "utils/jsonb.h"

/* ---------- filters (filter.c) ---------- */

/* AppFlow's comparison operators, then those that only foreign tables use */
typedef enum FilterOperator
{
	FILTER_LESS_THAN,
	FILTER_GREATER_THAN,
	FILTER_CONTAINS,
	FILTER_BETWEEN,				/* both ends exclusive */
	FILTER_LESS_THAN_OR_EQUAL_TO,
	FILTER_GREATER_THAN_OR_EQUAL_TO,
	FILTER_EQUAL_TO,			/* any of the operands */
	FILTER_NOT_EQUAL_TO,		/* none of the operands */

	FILTER_STARTS_WITH,
	FILTER_IS_NULL,				/* no operands */
	FILTER_IS_NOT_NULL,
	FILTER_ANY,					/* one of the children is satisfied */
	FILTER_ALL					/* all of them are */
} FilterOperator;

/*
 * One condition; a request's conditions are ANDed.  A null value satisfies none
 * but FILTER_IS_NULL.
 *
 * Values compare by the type: numbers by value, text by bytes, times by
 * instant.  Without a type, a number compares with a numeric operand by value
 * and everything else as text.
 */
typedef struct Filter
{
	FilterOperator operator;
	char	   *field;
	bool		typed;
	FieldType	type;
	int			noperands;		/* 2 for BETWEEN: lower and upper */
	char	  **operands;		/* text as the definition gives it; times are ISO 8601
								 * or epoch milliseconds.  An entry that is NULL
								 * is not known yet (planning) */
	List	   *children;		/* of Filter *: FILTER_ANY, FILTER_ALL; they have no field */

	/*
	 * Set by the connector: the application evaluates this one, exactly as said
	 * here.  The caller evaluates the rest; that an application leaves out some
	 * records of which a condition is not true, does no harm.
	 */
	bool		taken;
	struct FilterOperand *prepared;
} Filter;

/*
 * Parse the operands.  Returns NULL, or why an operand cannot be compared with
 * values of the type.
 */
extern char *filter_prepare(Filter *filter);

/*
 * Does the value satisfy the condition?  A value that cannot be compared (text
 * where numbers are compared) gives false and sets *problem.
 */
extern bool filter_matches(const Filter *filter, Batch *batch, const Cell *cell, char **problem);

/*
 * The instant that an operand names, epoch milliseconds or ISO 8601: days for
 * FIELD_DATE, otherwise microseconds.  False if it is none.
 */
extern bool filter_parse_time(const char *text, FieldType type, int64 *value);

extern bool filter_operator_from_name(const char *name, FilterOperator *operator);

/* AppFlow's name of one of its operators */
extern const char *filter_operator_name(FilterOperator operator);

/* ---------- requests ---------- */

typedef struct OrderKey
{
	char	   *field;
	bool		descending;
	bool		nulls_first;
} OrderKey;

typedef enum AggregateFunction
{
	AGGREGATE_COUNT,			/* of records with a value; without a field, of all */
	AGGREGATE_SUM,
	AGGREGATE_MIN,
	AGGREGATE_MAX,
	AGGREGATE_AVG
} AggregateFunction;

typedef struct Aggregate
{
	AggregateFunction function;
	char	   *field;			/* NULL: COUNT of records */
} Aggregate;

#define NO_LIMIT (-1)

/*
 * What to read.  Flows use the first part; foreign tables the second too, after
 * asking plan_read() what the application can do.  A request is made by
 * read_request_create(), with nothing in it.
 */
typedef struct ReadRequest
{
	const char *entity;			/* NULL for S3 */
	List	   *fields;			/* of char *: fields to read; a dotted name leads into a
								 * nested value, or along a relationship */
	bool		all_fields;		/* and every other that the entity has, new ones
								 * included */
	List	   *exclude;		/* of char *: not these, with all_fields */
	List	   *filters;		/* of Filter * */
	Jsonb	   *properties;		/* the wire SourceConnectorProperties of this connector,
								 * or NULL */
	const Schema *described;	/* the entity as describe_entity() tells, if the caller
								 * has it at hand; NULL: ask, if it matters */

	/* S3: only objects last modified from ... until before; elsewhere filters say so */
	bool		windowed;
	TimestampTz modified_from;
	TimestampTz modified_before;

	/*
	 * Sources without a schema look for one among their first
	 * sample_records records when need_types is set: types for all fields, and
	 * with all_fields the fields themselves.  Otherwise fields read are of no
	 * particular type (FIELD_STRING) and their cells say what they are.
	 */
	bool		need_types;
	uint64		sample_records;

	/* ---------- what only foreign tables ask for ---------- */

	List	   *order;			/* of OrderKey * */
	int64		limit;			/* records after filters and order, or NO_LIMIT */
	int64		offset;			/* of them to leave out first */
	List	   *group_by;		/* of char *: with aggregates */
	List	   *aggregates;		/* of Aggregate *: records are groups; their fields are
								 * group_by, then one for each aggregate */

	/*
	 * Set by plan_read() and open_reader(): whether the application does what was
	 * asked.  open_reader() gives up filters only; what plan_read() has promised
	 * of the others it keeps, as long as it takes all filters that
	 * plan_read() took.
	 */
	bool		order_taken;
	bool		limit_taken;	/* limit and offset; needs all filters taken */
	bool		aggregates_taken;	/* the same */

	/*
	 * The caller may stop after that many records though nobody has said so to
	 * the application: no reason to fetch ahead.  NO_LIMIT: it will read all.
	 */
	int64		limit_hint;
	int			page_size;		/* records of a page; 0: as the connector likes */

	/* ---------- events: flows with triggerType Event ---------- */

	/*
	 * Tables: only the rows with these primary keys (of ArrayType *, of text in the
	 * order of the key's columns), if keyed is set.
	 */
	bool		keyed;
	List	   *keys;

	/*
	 * Read events from behind this position (replay id) on, in their order; ""
	 * is now.  NULL: not events, but what the entity holds.
	 */
	const char *position;
	int64		patience;		/* ms without an event after which the reader ends; -1: none;
								 * may be changed between two calls of next() */
} ReadRequest;

extern ReadRequest *read_request_create(const char *entity);

/* a position: behind which are all events that the application keeps */
#define POSITION_RETAINED "-2"

#define SAMPLE_ALL PG_UINT64_MAX
#define SAMPLE_DEFAULT 20000

typedef enum WriteOperation
{
	WRITE_INSERT,
	WRITE_UPSERT,
	WRITE_UPDATE,
	WRITE_DELETE
} WriteOperation;

typedef struct WriteRequest
{
	const char *entity;
	WriteOperation operation;
	List	   *id_fields;		/* of char * */
	Schema	   *schema;			/* names and types of what will come; the writer may
								 * set types to what the destination has */
	Jsonb	   *properties;		/* the wire DestinationConnectorProperties */
	List	   *partition_keys; /* of char *: names in schema */
	bool		open_schema;	/* fields may be added while writing */
	bool		files;			/* records come with files: put_files() */

	int			batch_size;		/* records of one request; 0: as the connector likes */

	/* the run, for object keys and staging; NULL and 0 outside of flows */
	const char *flow_name;
	const char *source_entity;	/* where the records come from; NULL: S3 */
	const char *execution_id;
	int64		schema_version;
	TimestampTz started_at;
	int64		period;			/* seconds between its scheduled runs; 0: no schedule */
} WriteRequest;

/* ---------- the connector ---------- */

/* something that records can be read from or written to, or a group of such */
typedef struct Entity
{
	char	   *name;			/* whole, as requests take it */
	char	   *label;			/* for people */
	bool		nested;			/* has entities under its name as a path */
	const char *group;			/* key in connectorEntityMap; NULL: "Objects" */
} Entity;

typedef struct ConnectorSession ConnectorSession;
typedef struct Connector Connector;

/*
 * Members may be NULL where an application has no such thing.  All but
 * plan_read may ask the application, and raise errors: ConnectorAuthenticationException,
 * ConnectorServerException with the application's own words, ValidationException
 * for what the request says wrongly.
 */
struct Connector
{
	const char *type;			/* wire name of the connectorType */
	const char *label;			/* connectorLabel of a custom connector, or NULL */
	const struct Manifest *manifest;	/* of those that are made of one */

	/* Entities (of Entity *) under a path; "" is the top. */
	List	   *(*list_entities) (ConnectorSession *session, const char *path);

	/* Schema of an entity, or NULL where only reading tells (S3). */
	Schema	   *(*describe_entity) (ConnectorSession *session, const char *entity);

	/*
	 * What reading would do: sets taken and ..._taken, and returns the request to
	 * the application in words (method, URL or query), for EXPLAIN.  Asks nobody;
	 * request->described is set.  Operands that are not known yet read as $1, $2, ...
	 */
	char	   *(*plan_read) (ConnectorSession *session, ReadRequest *request);
	RecordReader *(*open_reader) (ConnectorSession *session, ReadRequest *request);
	RecordWriter *(*open_writer) (ConnectorSession *session, WriteRequest *request);

	/*
	 * What is wrong with a flow's properties at this connector (of char *, each
	 * beginning with the member), as source or destination; for CreateFlow.
	 */
	List	   *(*check_properties) (Jsonb *properties, bool as_source);

	/* Records of one request when writing to the entity so. */
	int			(*batch_size) (ConnectorSession *session, const char *entity, WriteOperation operation);

	/*
	 * Entities may keep track of what changes: a reading with a position then gives
	 * what has changed behind it, with "" all there is, and has its own at the end.
	 * Incremental pulls may do without a field that says when a record has changed.
	 */
	bool		tracks_changes;

	/*
	 * Whether reading or writing needs a transaction of the caller's that stays
	 * open from open to close (PostgreSQL tables), and so commits with it.
	 */
	bool		transactional;

	/*
	 * The bucket of a flow to it (intermediateBucketName) is only for staging: what a
	 * lost run has left there goes.
	 */
	bool		staged;

	/*
	 * A destination whose properties name nothing (Lookout for Metrics): the bucket
	 * that its records go to; "" if it has none.
	 */
	const char *(*bucket) (void);

	/* What is wrong with so many seconds between runs to this destination, or NULL. */
	char	   *(*check_period) (int64 seconds);

	/*
	 * As a source with these properties: whether records come with files (NULL: no).
	 * As a destination: whether it takes them.
	 */
	bool		(*brings_files) (Jsonb *properties);
	bool		takes_files;

	/*
	 * As a destination with these properties: whether the names and types of
	 * fields must be known before the first record is written (names are, unless
	 * all fields are mapped), and whether no field can be added afterwards.
	 * NULL: no.
	 */
	bool		(*needs_schema) (Jsonb *properties, bool all_fields);
	bool		(*fixed_schema) (Jsonb *properties);

	/*
	 * Records are groups, made by the fields that are asked for (dimensions of a
	 * report).  So no field is asked for that nobody has named, and all are that
	 * have been: in a statement anywhere, in a flow by any task but a filter that
	 * compares.  What such a filter names besides need not be among the reader's
	 * fields if the filter is taken; the connector refuses what it cannot take.
	 */
	bool		grouping;
};

/* One use of a connector with one profile by one role; flow/session.h opens them. */
struct ConnectorSession
{
	const Connector *connector;
	const char *profile_name;	/* NULL: none */
	Oid			role;			/* whose rights count */

	ObjectStore *store;			/* of the bucket that the properties name (S3), or NULL */

	/* connectors with a profile */
	Jsonb	   *profile_properties;	/* the connector's own of ConnectorProfileProperties, or NULL */
	const char *api_version;	/* of the flow's end, or NULL */
	Authenticator *authenticator;	/* NULL: not asked by HTTP */
	char	   *base;			/* URL that paths of the application follow, no '/' at its end; NULL:
								 * the token tells, see session_base() */

	/* registered connectors */
	Jsonb	   *provisioning;	/* ConnectorProvisioningConfig, or NULL */

	/* the run, or NULL outside of flows */
	const char *flow_name;
	const char *execution_id;

	void	   *state;			/* the connector's own, in the context of the session */
	MemoryContext context;
};

/* ---------- session.c: for connectors that are asked by HTTP ---------- */

/* session->base; gets a token if that is what tells */
extern const char *session_base(ConnectorSession *session);

/*
 * A call to the application, not started: path begins with '/' and follows the
 * base, or is a whole URL, which must be of the base's host (a next-page link).
 * Authenticated, and asking for JSON.
 */
extern HttpCall *session_call(ConnectorSession *session, const char *method, const char *path);

/* The same at another address of the application's own, which is no link that it sent. */
extern HttpCall *session_call_at(ConnectorSession *session, const char *base, const char *method, const char *path);

/* The first with a JSON body, which must stay until the call is closed. */
extern HttpCall *session_call_json(ConnectorSession *session, const char *method, const char *path,
								   const char *body, size_t length);

/* the application's name for messages: the connector's label if it is a registered one */
extern const char *session_application(const ConnectorSession *session);

/* a text that the application sent, on one line, without the credentials that went there */
extern char *session_words(const ConnectorSession *session, const char *text);

/*
 * Raise what an answer that is no success means, by its status: 401 and 403
 * ConnectorAuthenticationException, 429 ThrottlingException, 404 or any other
 * ConnectorServerException.  what says what was being done: "entity \"Account\"";
 * code and message are the application's own, or NULL, then some of the body is shown.
 */
pg_noreturn extern void session_raise(ConnectorSession *session, HttpCall *call, const char *what,
									  const char *code, const char *message);

/* The same with the exception that the application's code stands for. */
pg_noreturn extern void session_raise_as(ConnectorSession *session, HttpCall *call, AppflowException exception,
										 const char *what, const char *code, const char *message);

/*
 * Make the call, have all of its body, and parse it; raises for a status >= 400
 * through fail (NULL: session_raise() without words), and for a body that is not JSON.
 */
typedef void (*SessionFailure) (ConnectorSession *session, HttpCall *call, const char *what);
extern Jsonb *session_fetch(ConnectorSession *session, HttpCall *call, const char *what, SessionFailure fail);

#endif							/* APPFLOW_CONNECTOR_H */
