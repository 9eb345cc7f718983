/*-------------------------------------------------------------------------
 *
 * private_link.c
 *	  Whether the private connection of a connector profile is there.
 *
 * There is no network to be made: an administrator has said where the endpoint is.  What is
 * found out is whether the application answers there, with a certificate of its own, and
 * takes the credentials.
 *
 * IDENTIFICATION
 *	  src/flow/private_link.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "flow/private_link.h"
#include "flow/session.h"
#include "record/errors.h"

ConnectorSession *
private_link_open(const char *name)
{
	ProfileRow *profile = profile_get(name, HOLD_NOT);
	ConnectorSession *session;

	if (profile == NULL || profile->private_status == NULL)
		return NULL;

	/* nobody else gets through before this is done */
	profile->private_status = NULL;
	session = session_open_profile(profile, profile->owner);

	/* what is asked need not go this way otherwise */
	session->authenticator->metadata_guard.via = session->authenticator->guard.via;
	return session;
}

void
private_link_ask(ConnectorSession *session)
{
	(void) session->connector->list_entities(session, "");
	session_close(session);
}

static const struct
{
	AppflowException exception;
	const char *cause;
}			causes[] = {
	{WF_AUTHENTICATION, "CONNECTOR_AUTHENTICATION"},
	{WF_ACCESS_DENIED, "ACCESS_DENIED"},
	{WF_CONNECTOR, "CONNECTOR_SERVER"},
	{WF_THROTTLING, "CONNECTOR_SERVER"},
	{WF_VALIDATION, "VALIDATION"},
	{WF_NOT_FOUND, "VALIDATION"},
	{WF_UNSUPPORTED, "VALIDATION"},
};

const char *
private_link_cause(int sqlstate)
{
	const char *name = appflow_exception_of_sqlstate(sqlstate);

	for (int i = 0; name != NULL && i < (int) lengthof(causes); i++)
	{
		if (strcmp(name, appflow_exception_name(causes[i].exception)) == 0)
			return causes[i].cause;
	}
	return "INTERNAL_SERVER";
}
