/*-------------------------------------------------------------------------
 *
 * operations.h
 *	  What the operations have in common.
 *
 * Every operation is a SQL function (request jsonb) RETURNS jsonb named as the
 * operation in snake_case; the functions are documented where they are.
 *
 * IDENTIFICATION
 *	  src/operations/operations.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_OPERATIONS_H
#define APPFLOW_OPERATIONS_H

#include "postgres.h"

#include "catalog/access.h"
#include "catalog/flow.h"
#include "compat.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/jsonb.h"

/* ---------- common.c ---------- */

/* Settings of the operations (region, account); for _PG_init. */
extern void operations_define_settings(void);

/* arn:aws:appflow:<region>:<account>:<kind>/<name>; kind flow, connectorprofile, connector */
extern char *operation_arn(const char *kind, const char *name);

/* the current role as an ARN, for createdBy and lastUpdatedBy */
extern char *operation_user_arn(void);

/*
 * Pages of lists, by key: the entries behind "after" in the order of the key.
 * A token tells what it continues and is no use elsewhere.
 */
typedef struct OperationPage
{
	char	   *after;			/* NULL: from the start */
	int64		size;
} OperationPage;

extern OperationPage operation_page(Jsonb *request, const char *operation, int64 default_size);

/* {"<member>": items, "nextToken": ...}; last is the key of the last entry, NULL at the end */
extern Jsonb *operation_page_response(const char *member, Jsonb *items, const char *operation,
									  const char *last);

/* a time as the service gives it, in SQL: epoch seconds with milliseconds */
#define EPOCH(column) "pg_catalog.round(extract(epoch FROM " column ")::numeric, 3)"

/*
 * Defines the SQL function of an operation.  What follows is its body here: it
 * has the request, checked and in canonical form, and is not called when
 * appflow.engine sends requests elsewhere (forward.h).
 */
#define OPERATION(function, operation) \
	static Datum function##_here(Jsonb *request); \
	Datum \
	function(PG_FUNCTION_ARGS) \
	{ \
		return operation_call(fcinfo, operation, function##_here); \
	} \
	static Datum \
	function##_here(Jsonb *request)

extern Datum operation_call(FunctionCallInfo fcinfo, const char *operation, Datum (*here) (Jsonb *request));

/* appflow.region */
extern const char *operation_region(void);

/* The flow of that name; ResourceNotFoundException if the user has none. */
extern FlowRow *operation_flow(const char *name, bool for_update);

/* The same to change it: AccessDeniedException if the user was only granted its use. */
extern FlowRow *operation_own_flow(const char *name, bool for_update);
pg_noreturn extern void operation_flow_missing(const char *name);

/* Raise what is wrong with a definition; its profiles stay until the transaction ends. */
extern void operation_check_definition(Jsonb *definition);

/* {} */
extern Jsonb *operation_empty(void);

/* the one value of a statement that makes a response (or a part of one); NULL if it gives no row */
extern Jsonb *operation_respond(const char *statement, int nvalues, const CatalogValue *values);

/* ARN of a SQL function as a connector: arn:aws:postgresql:<region>:<account>:function:<name> */
extern char *operation_function_arn(const char *function);

/* keyed hash of a text, in hex: this database's own */
extern char *operation_sign(const char *text);

/* ---------- object_stores.c ---------- */

/* The patterns of bucket names in a text[]; raises what is wrong with one. */
extern List *operation_bucket_patterns(ArrayType *array);

/* ---------- schedules.c ---------- */

/* What a change of a flow's status or definition means for when it is due. */
extern void operation_activate(const FlowRow *flow);
extern void operation_deactivate(const FlowRow *flow);
extern void operation_reschedule(const FlowRow *flow, const char *status, Jsonb *definition);

/* Service quotas, as settings. */
extern int	quota_flows;
extern int	quota_connector_profiles;
extern int	quota_concurrent_runs;

/* ---------- entities.c ---------- */

/*
 * What the objects under a prefix seem to be, by the name of the first: "CSV" or
 * "JSON"; NULL if there are none.
 */
extern const char *operation_file_type(const char *bucket, const char *prefix);

/* ---------- idempotency.c ---------- */

/*
 * The response that a call with this clientToken had, if it had one: then it is
 * to be given again and nothing to be done.  NULL: carry on, and remember the
 * response (which is returned).  ConflictException if the token was used with
 * other parameters.
 */
extern Jsonb *operation_recall(const char *operation, Jsonb *request);
extern Jsonb *operation_remember(const char *operation, Jsonb *request, Jsonb *response);

#endif							/* APPFLOW_OPERATIONS_H */
