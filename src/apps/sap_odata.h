/*-------------------------------------------------------------------------
 *
 * sap_odata.h
 *	  Services of OData, versions 2 and 4, as SAP's systems offer them.
 *
 * An entity is the path of an entity set: that of its service, then its name, as in
 * "/sap/opu/odata/sap/API_SALES_ORDER_SRV/A_SalesOrder".
 *
 *	  sap_odata.c			the connector: calls, errors, the service catalogue
 *	  sap_odata_metadata.c	$metadata documents: entity sets, their fields
 *	  sap_odata_query.c		$filter, $orderby, $select, $expand, keys: text
 *	  sap_odata_value.c		values of records to and from what JSON holds
 *	  sap_odata_read.c		reading, in pages
 *	  sap_odata_delta.c		what has changed, in version 4
 *	  sap_odata_write.c		writing, in batches
 *	  sap_odata_batch.c		$batch documents
 *
 * Follows "OData Version 2.0" (odata.org), "OData Version 4.01" (OASIS) and "SAP
 * Annotations for OData Version 2.0".
 *
 * IDENTIFICATION
 *	  src/apps/sap_odata.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_SAP_ODATA_H
#define APPFLOW_SAP_ODATA_H

#include "postgres.h"

#include "connector/connector.h"

typedef enum ODataVersion
{
	ODATA_UNKNOWN = 0,
	ODATA_V2 = 2,
	ODATA_V4 = 4
} ODataVersion;

/* ---------- sap_odata_metadata.c ---------- */

/* a $metadata document, taken apart */
typedef struct EdmDocument EdmDocument;

/* a property that leads to other entities */
typedef struct ODataNavigation
{
	char	   *name;
	char	   *target;			/* entity set, or NULL if it has none */
	bool		collection;
	Schema	   *schema;			/* of the entity that it leads to; without paths of its own */
} ODataNavigation;

typedef struct ODataEntity
{
	ODataVersion version;
	char	   *service;		/* path, without a slash at its end */
	char	   *set;			/* name of the entity set */
	Schema	   *schema;
	List	   *keys;			/* of char * */
	List	   *navigations;	/* of ODataNavigation * */
	uint8		writes;			/* WRITES_... that the service allows */
	bool		etag;			/* changes want If-Match */
	bool		countable;
	bool		pageable;		/* takes $top and $skip */
	bool		delta;			/* keeps track of changes, and tells where they begin */
	List	   *required;		/* of char *: fields that a filter must be on */
} ODataEntity;

/*
 * Take a document apart, in the current memory context.  Returns NULL if it is no
 * $metadata document, with the reason in *problem.
 */
extern EdmDocument *edm_parse(const char *data, size_t length, const char **problem);

/* Names of its entity sets (of char *), and a label or NULL. */
extern List *edm_sets(const EdmDocument *document);
extern char *edm_set_label(const EdmDocument *document, const char *set);

/* An entity set, in the current memory context; NULL: there is none of that name. */
extern ODataEntity *edm_entity(const EdmDocument *document, const char *service, const char *set);

/*
 * A copy of what was described, with the types that its native names stand for: the
 * wire form has no names for some.
 */
extern Schema *edm_refine(const Schema *described);

extern ODataNavigation *odata_navigation(const ODataEntity *entity, const char *name, size_t length);

/* ---------- sap_odata.c ---------- */

/* session->state */
typedef struct SapState
{
	char	   *service;		/* of the document */
	EdmDocument *document;
	MemoryContext document_context;

	char	   *cookies;		/* of our session there, or NULL */

	/* what allows to write: of a service, in that session */
	char	   *csrf_service;
	char	   *csrf_token;		/* NULL: it wants none */
} SapState;

extern SapState *sap_state(ConnectorSession *session);

/*
 * A call, not started, to a path with its query or to a link that an answer gave:
 * of a link, whatever host it names, only path and query are used.  The profile's client
 * and language are added.
 */
extern HttpCall *sap_call(ConnectorSession *session, const char *method, const char *target);

/* Path and query of the same, as they are sent. */
extern char *sap_target(ConnectorSession *session, const char *target);

/* Raise what an answer that is no success means. */
pg_noreturn extern void sap_fail(ConnectorSession *session, HttpCall *call, const char *what);

/* Code and message of an error's body in any of its forms; NULL where there are none. */
extern void sap_error(const char *body, size_t length, char **code, char **message);

/* "/service/Set" in two; raises ValidationException for what is no such path. */
extern void sap_split_entity(const char *entity, char **service, char **set);

/* The entity as its service describes it; raises ValidationException if it has none. */
extern ODataEntity *sap_entity(ConnectorSession *session, const char *entity);

/* Have a token for changing things in a service; renew: the one at hand was refused. */
extern void sap_csrf(ConnectorSession *session, const char *service, bool renew);

/* ---------- sap_odata_query.c ---------- */

/*
 * Conditions of $filter for those filters that the service can evaluate; NULL: none.
 * Sets taken of those that it evaluates exactly as we do.
 */
extern char *odata_filter(ODataVersion version, const Schema *schema, List *filters);

/*
 * $orderby for the keys asked for, of what the filters let through, or NULL if the service
 * cannot order by one; then come the entity's keys if stable is set.  "" is no order.
 */
extern char *odata_order(const Schema *schema, List *order, List *filters, bool stable);

/* Is there an order that tells any two records apart? */
extern bool odata_has_stable_order(const Schema *schema);

/*
 * $select and $expand for fields (of char *); NULL where there is nothing to say.
 * The paths at which a record has them are appended to *paths (of char *), what
 * they are to *fields (of Field *).  Raises ValidationException for an unknown field.
 */
extern void odata_select(const ODataEntity *entity, List *names, char **select, char **expand,
						 List **paths, List **fields);

/* "(ID=1,Pos='10')" of a record's cells in the order of keys, percent-encoded. */
extern char *odata_key(ODataVersion version, const Schema *schema, List *keys, const Cell *cells);

/* name=value for a query, encoded as far as need be; appended with '?' or '&'. */
extern void odata_option(StringInfo target, const char *name, const char *value);

/* ---------- sap_odata_value.c ---------- */

/*
 * Bring the cells of a column from the forms that JSON has of them into those of the
 * field's type: dates as /Date(0)/, numbers in quotes, and so on; records within a record
 * lose what version 2 adds to them.  What cannot be is left as it is.
 */
extern void odata_adapt_column(ODataVersion version, const Field *field, Batch *batch, Cell *cells);

/* A cell, canonical for the field, as JSON. */
extern void odata_append_json(ODataVersion version, const Field *field, const Cell *cell, StringInfo out);

/* "PT10H11M12S" of hh:mm:ss[.f] */
extern char *odata_duration(const char *time, size_t length);

/* ---------- sap_odata_read.c ---------- */

extern char *sap_plan_read(ConnectorSession *session, ReadRequest *request);
extern RecordReader *sap_open_reader(ConnectorSession *session, ReadRequest *request);

/* ---------- sap_odata_delta.c ---------- */

/*
 * A field that entities of version 4 have which keep track of changes: why the record is gone,
 * "deleted" or "changed" (it does not belong to them any more); null of all others.
 * No property can have such a name.
 */
#define ODATA_REMOVED "@removed"

#define ODATA_MARKS 6

typedef struct ODataDelta
{
	Schema	   *schema;			/* of the reader */
	int			marks[ODATA_MARKS];	/* columns */
} ODataDelta;

/* Add to schema and paths what tells the kinds of things in a page of changes. */
extern void odata_delta_init(ODataDelta *delta, Schema *schema, List **paths);

/*
 * Leave in a batch what is a record, those that are gone with no more than keys and
 * ODATA_REMOVED; before the columns are adapted.
 */
extern void odata_delta_adapt(const ODataDelta *delta, const ODataEntity *entity, const char *what, Batch *batch);

/* ---------- sap_odata_write.c, sap_odata_batch.c ---------- */

extern RecordWriter *sap_open_writer(ConnectorSession *session, WriteRequest *request);
extern int	sap_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation);

/* one request of a $batch, and what became of it */
typedef struct BatchPart
{
	const char *method;
	char	   *target;			/* relative to the service */
	char	   *body;			/* JSON, or NULL */
	const char *if_match;		/* or NULL */

	int			status;			/* 0: not answered */
	char	   *answer;			/* body, NUL-terminated, or NULL */
	size_t		answer_length;
} BatchPart;

/* The document, each part in a changeset of its own. */
extern void odata_batch_write(ODataVersion version, BatchPart *parts, int nparts, const char *boundary,
							  StringInfo out);

/*
 * Take the answer apart into the parts; false if it is none, or not of as many
 * parts, with the reason in *problem.
 */
extern bool odata_batch_read(const char *content_type, const char *body, size_t length,
							 BatchPart *parts, int nparts, const char **problem);

#endif							/* APPFLOW_SAP_ODATA_H */
