/*-------------------------------------------------------------------------
 *
 * salesforce.h
 *	  Salesforce: what reading, writing and listening have in common.
 *
 * IDENTIFICATION
 *	  src/apps/salesforce.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_SALESFORCE_H
#define APPFLOW_SALESFORCE_H

#include "postgres.h"

#include "connector/connector.h"
#include "lib/stringinfo.h"

/* records to read, and to write, from which on AUTOMATIC is Bulk API 2.0 */
#define SALESFORCE_BULK_READ 1000000
#define SALESFORCE_BULK_WRITE 1000

/* wire SalesforceDataTransferApi */
typedef enum SalesforceApi
{
	SALESFORCE_AUTOMATIC,
	SALESFORCE_REST,
	SALESFORCE_BULK
} SalesforceApi;

/* ---------- salesforce.c ---------- */

/* version of the API, such as "58.0": the session's, else the one that AppFlow uses by now */
extern const char *salesforce_version(ConnectorSession *session);

/*
 * A call, not started: path follows /services/data/vNN.N, or is a whole URL or one
 * that begins with /services (links that Salesforce gave).  body (NULL: none) is JSON
 * and must stay until the call is closed.  A refusal because of too many concurrent
 * requests is repeated.
 */
extern HttpCall *salesforce_call(ConnectorSession *session, const char *method, const char *path,
								 const char *body);

/*
 * Raise what an answer that is no success means, with Salesforce's errorCode and
 * message (a SessionFailure).
 */
pg_noreturn extern void salesforce_fail(ConnectorSession *session, HttpCall *call, const char *what);

/* the errorCode and message of an answer that is no success; NULL, NULL if it has none */
extern void salesforce_error(HttpCall *call, char **code, char **message);

/*
 * A message of Salesforce on one line, in place.  Those about a query begin with a piece
 * of it, with a mark below the place; what is wrong is in the lines after "ERROR at Row".
 */
extern char *salesforce_one_line(char *message);

/* Make the call and have its answer; raises by salesforce_fail(). */
extern Jsonb *salesforce_fetch(ConnectorSession *session, HttpCall *call, const char *what);

/* The entity as Salesforce describes it, asked once in a session. */
extern const Schema *salesforce_describe(ConnectorSession *session, const char *entity);

/*
 * How often it has been counted in this session whether an entity has many records; all
 * says whether deleted ones count.  From the second time on, the whole entity is: what is
 * known of that need not be asked again.
 */
typedef struct SalesforceCount
{
	int			questions;
	bool		few;			/* all of them together are not many */
} SalesforceCount;

extern SalesforceCount *salesforce_count(ConnectorSession *session, const char *entity, bool all);

/* dataTransferApi of source or destination properties */
extern SalesforceApi salesforce_api(Jsonb *properties);

/* is that a name that may stand in a path or a query: letters, digits, _ (and dots, if said so)? */
extern bool salesforce_is_name(const char *name, bool dotted);

/* a platform event or change data capture: to be listened to, not queried */
extern bool salesforce_is_event(const char *name);

/* do values of that native type come and go as objects, which Bulk API 2.0 does not know? */
extern bool salesforce_is_compound(const Field *field);

/*
 * The field of a name that may lead along relationships ("Account.Owner.Name") or into
 * a compound field; NULL if there is none, or if nobody can tell: the entity at the
 * other end is one of several, or has not been described in this session and must not
 * be asked for.
 */
extern const Field *salesforce_field(ConnectorSession *session, const Schema *described, const char *name,
									 bool ask);

/* ---------- salesforce_soql.c ---------- */

/* how a request is carried out */
typedef struct SoqlQuery
{
	char	   *text;			/* SOQL */
	char	   *count;			/* SOQL that counts its records, without order and limit */
	bool		all;			/* deleted records too: queryAll */
} SoqlQuery;

/*
 * The query for a request whose entity is described; sets taken of its filters, and
 * order_taken, limit_taken and aggregates_taken.  selected (of char *) are names of
 * fields.  What the API cannot take is left out: conditions that make the text too long.
 * ask: other entities may be asked for.
 */
extern SoqlQuery soql_make(ConnectorSession *session, ReadRequest *request, const Schema *described,
						   List *selected, SalesforceApi api, bool ask);

/* may the query stand in a URL? */
extern bool soql_fits_url(const char *text);

/* the name of an aggregate in the answer */
extern char *soql_aggregate_name(int number);

/* ---------- reading ---------- */

extern char *salesforce_plan_read(ConnectorSession *session, ReadRequest *request);
extern RecordReader *salesforce_open_reader(ConnectorSession *session, ReadRequest *request);

/*
 * The reader of a Bulk API 2.0 query; schema becomes the reader's.  NULL if may_refuse
 * is set and the entity is none that Bulk API 2.0 has.
 */
extern RecordReader *salesforce_bulk_reader(ConnectorSession *session, const ReadRequest *request,
											const SoqlQuery *query, Schema *schema, bool may_refuse);

/* bring cells as the API gives them into one form, whichever API that is */
extern void salesforce_adapt(const Schema *schema, Batch *batch);

#endif							/* APPFLOW_SALESFORCE_H */
