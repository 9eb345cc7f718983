/*-------------------------------------------------------------------------
 *
 * private_link.c
 *	  Where private endpoints are: set_private_endpoint().
 *
 * IDENTIFICATION
 *	  src/operations/private_link.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private_link.h"
#include "catalog/profile.h"
#include "fmgr.h"
#include "flow/profile_auth.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "utils/builtins.h"
#include "worker/worker.h"

#define DEFAULT_PORT 443
#define HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
#define IPV6_CHARACTERS "[0123456789abcdefABCDEF:.]"

PG_FUNCTION_INFO_V1(appflow_set_private_endpoint);

/* "host:port" of "host" or "host:port", with an address of IPv6 in brackets; NULL if it is neither */
static char *
with_port(const char *address)
{
	bool		brackets = address[0] == '[';
	size_t		host = brackets ? strcspn(address, "]") + 1 : strcspn(address, ":");
	int			port = DEFAULT_PORT;

	if (host == 0 || host > strlen(address) || strspn(address, brackets ? IPV6_CHARACTERS : HOST_CHARACTERS) < host)
		return NULL;
	if (address[host] == ':')
	{
		const char *digits = address + host + 1;

		port = strlen(digits) > 5 || strspn(digits, "0123456789") != strlen(digits) ? 0 : atoi(digits);
		if (port < 1 || port > 65535)
			return NULL;
	}
	else if (address[host] != '\0')
		return NULL;
	return psprintf("%.*s:%d", (int) host, address, port);
}

/*
 * set_private_endpoint(name text, address text) returns void.  Connections by this endpoint
 * are checked again.
 */
Datum
appflow_set_private_endpoint(PG_FUNCTION_ARGS)
{
	char	   *name = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *given = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *address = given == NULL ? NULL : with_port(given);
	ListCell   *lc;

	if (name[0] == '\0')
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("the name of a private endpoint must not be empty"));
	if (given != NULL && address == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("address \"%s\" of a private endpoint is neither host nor host:port", given),
				errhint("An address of IPv6 is in brackets: [fd00::1]:443."));

	/* hosts have no letter case, names of services have */
	if (strncmp(name, "com.amazonaws.vpce.", 19) != 0)
	{
		for (char *p = name; *p != '\0'; p++)
			*p = pg_ascii_tolower((unsigned char) *p);
	}
	private_endpoint_set(name, address);
	foreach(lc, private_link_profiles())
	{
		const ProfileRow *profile = profile_get(lfirst(lc), HOLD_CHANGE);
		char	   *endpoint = profile == NULL ? NULL : profile_private_endpoint(profile);

		if (endpoint == NULL || strcmp(endpoint, name) != 0)
			continue;
		private_link_recheck(profile->name);
		worker_wake_at_commit();
	}
	PG_RETURN_VOID();
}
