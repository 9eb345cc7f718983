/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  Settings of everything that leaves the server.
 *
 * IDENTIFICATION
 *	  src/net/settings.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "net/aws_json.h"
#include "net/net.h"
#include "utils/guc.h"

int			net_connect_timeout = 10000;
int			net_idle_timeout = 60000;
int			net_max_retries = 4;
int			net_max_run_retries = 1000;
int			net_max_retry_delay = 20000;
char	   *net_proxy = "";
char	   *net_no_proxy = "";
char	   *net_ca_bundle = "";
char	   *net_user_agent = "";
bool		net_allow_local_endpoints = false;
bool		net_allow_private_networks = false;

/* What becomes part of a header must not bring lines of its own. */
static bool
check_one_line(char **newval, void **extra, GucSource source)
{
	if (*newval != NULL && strpbrk(*newval, "\r\n") != NULL)
	{
		GUC_check_errdetail("The value must not contain line breaks.");
		return false;
	}
	return true;
}

void
net_define_settings(void)
{
	DefineCustomIntVariable("appflow.connect_timeout",
							"Time allowed for connecting to a service.",
							"Name lookup and TLS are part of it.",
							&net_connect_timeout, 10000, 1, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("appflow.idle_timeout",
							"Time after which a service that sends and takes nothing is given up.",
							NULL,
							&net_idle_timeout, 60000, 1, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("appflow.max_retries",
							"How often a request is repeated after a failure that may pass.",
							NULL,
							&net_max_retries, 4, 0, 100,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("appflow.max_run_retries",
							"How often requests of one run are repeated in all.",
							"-1: no limit but that of each request.",
							&net_max_run_retries, 1000, -1, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("appflow.max_retry_delay",
							"Longest pause before a repetition, unless the service asks for a longer one.",
							NULL,
							&net_max_retry_delay, 20000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomStringVariable("appflow.proxy",
							   "URL of the proxy for requests to services.",
							   "Empty: none, whatever the server's environment says.",
							   &net_proxy, "", PGC_SUSET, GUC_SUPERUSER_ONLY,
							   check_one_line, NULL, NULL);
	DefineCustomStringVariable("appflow.no_proxy",
							   "Hosts that are reached without the proxy, separated by commas.",
							   NULL,
							   &net_no_proxy, "", PGC_SUSET, 0,
							   check_one_line, NULL, NULL);
	DefineCustomStringVariable("appflow.ca_bundle",
							   "File of the certificate authorities that services are checked against.",
							   "Empty: those of the operating system.",
							   &net_ca_bundle, "", PGC_SUSET, 0,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("appflow.user_agent",
							   "What requests to services call themselves.",
							   NULL,
							   &net_user_agent, "appflow/1.0 (PostgreSQL " PG_MAJORVERSION ")",
							   PGC_SUSET, 0, check_one_line, NULL, NULL);
	DefineCustomBoolVariable("appflow.allow_local_endpoints",
							 "Allows requests to loopback and link-local addresses.",
							 "Such addresses lead to services of this machine and of its cloud that trust whoever reaches them.",
							 &net_allow_local_endpoints, false, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("appflow.allow_private_networks",
							 "Allows requests to addresses of private networks.",
							 "Services within the network of the server may trust whoever is there.",
							 &net_allow_private_networks, false, PGC_SUSET, 0, NULL, NULL, NULL);
	aws_json_define_settings();
}
