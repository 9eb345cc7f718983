/*-------------------------------------------------------------------------
 *
 * policy.h
 *	  Which addresses are this machine's own, or a private network's, and which
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

typedef enum PolicyPlace
{
	POLICY_PUBLIC,

	/* networks that are not the Internet's: RFC 1918, unique local, of carriers ... */
	POLICY_PRIVATE,

	/* loopback, link-local, "this host", and what AWS's machines have their metadata at */
	POLICY_LOCAL
} PolicyPlace;

/*
 * Where an address is, also one of IPv4 within one of IPv6.  Families other than
 * these are local.
 */
extern PolicyPlace policy_address_place(const struct sockaddr *address);

/*
 * Where a host is, as a URL has it, if it plainly is an address or "localhost";
 * what a name resolves to is not looked at.
 */
extern PolicyPlace policy_name_place(const char *host);

/*
 * Is a host in a list of hosts and domains, separated by commas or spaces?  A
 * domain, with or without a dot before it, stands for all that is in it, "*" for
 * everything.
 */
extern bool policy_listed(const char *host, const char *list);

#endif							/* APPFLOW_NET_POLICY_H */
