/*-------------------------------------------------------------------------
 *
 * forward.h
 *	  Operations carried out by AWS AppFlow instead of this server.
 *
 * IDENTIFICATION
 *	  src/operations/forward.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FORWARD_H
#define APPFLOW_FORWARD_H

#include "postgres.h"

#include "utils/jsonb.h"

/* appflow.engine and appflow.aws_endpoint; for _PG_init */
extern void forward_define_settings(void);

/* whether the session wants its operations carried out by AWS */
extern bool forward_wanted(void);

/*
 * Sends a request, as shape_read_request() gives it, to AWS AppFlow and returns
 * the response as it comes.  AWS's exceptions are raised as ours.
 * AccessDeniedException if the current role may not use the server's AWS identity.
 */
extern Jsonb *forward_operation(const char *operation, Jsonb *request);

/*
 * appflow.call_aws() does the same with the credentials, region and endpoint of a
 * connector profile of the label AWS_LABEL.  There is no setting for that: it would
 * let the caller of a SECURITY DEFINER function choose where its requests go.
 */

#endif							/* APPFLOW_FORWARD_H */
