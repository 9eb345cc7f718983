/*-------------------------------------------------------------------------
 *
 * net.h
 *	  Settings of everything that leaves the server.
 *
 * IDENTIFICATION
 *	  src/net/net.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_H
#define APPFLOW_NET_H

#include "postgres.h"

extern int	net_connect_timeout;	/* ms */
extern int	net_idle_timeout;	/* ms */
extern int	net_max_retries;
extern int	net_max_run_retries;
extern int	net_max_retry_delay;	/* ms */
extern char *net_proxy;			/* "": none */
extern char *net_no_proxy;		/* "": none */
extern char *net_ca_bundle;		/* "": the system's */
extern char *net_user_agent;
extern bool net_allow_local_endpoints;
extern bool net_allow_private_networks;

/* Define the settings; for _PG_init(). */
extern void net_define_settings(void);

#endif							/* APPFLOW_NET_H */
