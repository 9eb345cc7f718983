/*-------------------------------------------------------------------------
 *
 * policy.h
 *	  Which addresses are this machine's own or its neighbourhood's, and which
 *	  hosts are reached past the proxy.  Plain C.
 *
 * IDENTIFICATION
 *	  src/net/policy.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_POLICY_H
#define APPFLOW_NET_POLICY_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Loopback, link-local and "this host" addresses, also as IPv6 has IPv4 ones
 * within, and the one that AWS's machines have their metadata at.  Families other
 * than IPv4 and IPv6 are local.
 */
extern bool policy_local_address(const struct sockaddr *address);

/*
 * Is a host, as a URL has it, plainly such an address or "localhost"?  What it
 * resolves to is not looked at.
 */
extern bool policy_local_name(const char *host);

/*
 * Is a host in a list of hosts and domains, separated by commas or spaces?  A
 * domain, with or without a dot before it, stands for all that is in it, "*" for
 * everything.
 */
extern bool policy_listed(const char *host, const char *list);

#endif							/* APPFLOW_NET_POLICY_H */
