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

/* ---------- predicates (predicate.c) ---------- */

/* AppFlow's comparison operators, in the order of the wire enum */
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

/* one condition; a request's conditions are ANDed */
typedef struct Filter
{
	FilterOperator operator;
	char	   *field;
	FieldType	type;			/* how operands and values compare */
	int			noperands;
	char	  **operands;		/* text as the definition gives it */
	bool		taken;			/* set by the connector: it evaluates this one itself,
								 * exactly; the caller evaluates the rest */
} Filter;

/* ---------- requests ---------- */

typedef struct ReadRequest
{
	const char *entity;			/* NULL for S3 */
	List	   *fields;			/* of char *: the projection; NIL: see all_fields */
	bool		all_fields;		/* every field the entity has, new ones included */
	List	   *exclude;		/* of char *: not these, with all_fields */
	List	   *filters;		/* of Filter * */
	Jsonb	   *properties;		/* the wire SourceConnectorProperties of this connector */

	/*
	 * Sources without a schema: how many records to look at for one before
	 * reading starts; 0 = all there are.
	 */
	uint64		sample_records;
} ReadRequest;

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
} Connector;

/* One use of a connector with one profile by one role. */
struct ConnectorSession
{
	const Connector *connector;
	const char *profile_name;	/* NULL: none */
	Oid			role;			/* whose rights count */

	/* object store that serves a bucket, by the administrator's registrations */
	ObjectStore *(*store_for_bucket) (const char *bucket);
};

#endif							/* APPFLOW_CONNECTOR_H */
