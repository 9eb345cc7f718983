/*-------------------------------------------------------------------------
 *
 * custom_session.h
 *	  What requests to custom connectors say of a connector profile.
 *
 * IDENTIFICATION
 *	  src/flow/custom_session.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CUSTOM_SESSION_H
#define APPFLOW_CUSTOM_SESSION_H

#include "postgres.h"

#include "apps/custom.h"
#include "catalog/profile.h"

/*
 * The context of requests for a profile of a registered connector that is a function,
 * in the current memory context; needs a transaction.  Raises what custom_function()
 * and custom_check_credentials() do.
 */
extern CustomContext *custom_context(const ConnectorRow *connector, const ProfileRow *profile);

/*
 * Raise UnsupportedOperationException if the profile has credentials that the
 * connector has no way to read: it is a Lambda function.
 */
extern void custom_check_credentials(const ConnectorRow *connector, const ProfileRow *profile);

/* lambda.lambdaArn of a ConnectorProvisioningConfig; raises ValidationException if it is missing */
extern char *custom_function_arn(Jsonb *provisioning);

/*
 * ARN of the secret that holds a profile's credentials; connector is its label or
 * else its type, id the profile's credentials_id.
 */
extern char *custom_secret_arn(const char *connector, const char *profile, const char *id);

#endif							/* APPFLOW_CUSTOM_SESSION_H */
