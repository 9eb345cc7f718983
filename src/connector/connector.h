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

#include "datatype/timestamp.h"
#include "record/record.h"
#include "store/store.h"
#include "utils/jsonb.h"

/* ---------- filters (filter.c) ---------- */

/* AppFlow's comparison operators */
typedef enum FilterOperator
{
	FILTER_LESS_THAN,
	FILTER_GREATER_THAN,
	FILTER_CONTAINS,
	FILTER_BETWEEN,				/* both ends exclusive */
	FILTER_LESS_THAN_OR_EQUAL_TO,
	FILTER_GREATER_THAN_OR_EQUAL_TO,
	FILTER_EQUAL_TO,			/* any of the operands */
	FILTER_NOT_EQUAL_TO			/* none of the operands */
} FilterOperator;

/*
 * One condition; a request's conditions are ANDed.  A null value satisfies none.
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
								 * or epoch milliseconds */
	bool		taken;			/* set by the connector: it evaluates this one itself,
								 * exactly; the caller evaluates the rest */
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

extern bool filter_operator_from_name(const char *name, FilterOperator *operator);

/* ---------- requests ---------- */

typedef struct ReadRequest
{
	const char *entity;			/* NULL for S3 */
	List	   *fields;			/* of char *: fields to read */
	bool		all_fields;		/* and every other that the entity has, new ones
								 * included */
	List	   *exclude;		/* of char *: not these, with all_fields */
	List	   *filters;		/* of Filter * */
	Jsonb	   *properties;		/* the wire SourceConnectorProperties of this connector */

	/* S3: only objects last modified from ... until before; elsewhere filters say so */
	bool		windowed;
	TimestampTz modified_from;
	TimestampTz modified_before;

	/*
	 * Sources without a schema (S3) look for one among their first
	 * sample_records records when need_types is set: types for all fields, and
	 * with all_fields the fields themselves.  Otherwise fields read are of no
	 * particular type (FIELD_STRING) and their cells say what they are.
	 */
	bool		need_types;
	uint64		sample_records;
} ReadRequest;

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

	/* the run, for object keys and staging */
	const char *flow_name;
	const char *execution_id;
	int64		schema_version;
	TimestampTz started_at;
} WriteRequest;

/* ---------- the connector ---------- */

typedef struct ConnectorSession ConnectorSession;

typedef struct Connector
{
	const char *type;			/* wire name of the connectorType */
	const char *label;			/* connectorLabel of a custom connector, or NULL */

	/* Schema of an entity, or NULL where only reading tells (S3). */
	Schema	   *(*describe_entity) (ConnectorSession *session, const char *entity);
	RecordReader *(*open_reader) (ConnectorSession *session, ReadRequest *request);
	RecordWriter *(*open_writer) (ConnectorSession *session, WriteRequest *request);

	/*
	 * Whether reading or writing needs a transaction of the caller's that stays
	 * open from open to close (PostgreSQL tables), and so commits with it.
	 */
	bool		transactional;

	/*
	 * As a destination with these properties: whether the names and types of
	 * fields must be known before the first record is written (names are, unless
	 * all fields are mapped), and whether no field can be added afterwards.
	 * NULL: no.
	 */
	bool		(*needs_schema) (Jsonb *properties, bool all_fields);
	bool		(*fixed_schema) (Jsonb *properties);
} Connector;

/* One use of a connector with one profile by one role. */
struct ConnectorSession
{
	const Connector *connector;
	const char *profile_name;	/* NULL: none */
	Oid			role;			/* whose rights count */

	ObjectStore *store;			/* of the bucket that the properties name (S3), or NULL */
};

#endif							/* APPFLOW_CONNECTOR_H */
