/*-------------------------------------------------------------------------
 *
 * policy.c
 *	  Which addresses are this machine's own or its neighbourhood's, and which
 *	  hosts are reached past the proxy.
 *
 * IDENTIFICATION
 *	  src/net/policy.c
 *
 *-------------------------------------------------------------------------
 */
#include "net/policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool
local_v4(uint32_t address)
{
	return (address >> 24) == 127 || (address >> 24) == 0 || (address >> 16) == 0xa9fe;
}

static bool
local_v6(const uint8_t *bytes)
{
	static const uint8_t zeros[12] = {0};
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
	static const uint8_t metadata[4] = {0xfd, 0, 0x0e, 0xc2};
	uint32_t	low = (uint32_t) bytes[12] << 24 | (uint32_t) bytes[13] << 16 |
		(uint32_t) bytes[14] << 8 | bytes[15];

	if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
		return true;
	if (memcmp(bytes, metadata, sizeof(metadata)) == 0)
		return true;
	if (memcmp(bytes, zeros, 12) == 0)
		return low <= 1 || local_v4(low);
	if (memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, nat64, 12) == 0)
		return local_v4(low);

	/* 6to4: the IPv4 address is behind the prefix */
	if (bytes[0] == 0x20 && bytes[1] == 0x02)
		return local_v4((uint32_t) bytes[2] << 24 | (uint32_t) bytes[3] << 16 |
						(uint32_t) bytes[4] << 8 | bytes[5]);
	return false;
}

bool
policy_local_address(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return local_v4(ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr));
	if (address->sa_family == AF_INET6)
		return local_v6(((const struct sockaddr_in6 *) address)->sin6_addr.s6_addr);
	return true;
}

bool
policy_local_name(const char *host)
{
	size_t		length = strlen(host);
	struct in_addr v4;
	struct in6_addr v6;
	char		inner[INET6_ADDRSTRLEN];

	if (length > 2 && host[0] == '[' && host[length - 1] == ']')
	{
		/* a zone comes after the address, and is nothing but link-local */
		size_t		n = strcspn(host + 1, "]%");

		if (host[1 + n] == '%')
			return true;
		if (n >= sizeof(inner))
			return false;
		memcpy(inner, host + 1, n);
		inner[n] = '\0';
		return inet_pton(AF_INET6, inner, &v6) == 1 && local_v6(v6.s6_addr);
	}

	/* all forms that a resolver takes: 127.1, 0x7f000001, 2130706433 */
	if (inet_aton(host, &v4) != 0)
		return local_v4(ntohl(v4.s_addr));

	if (length > 0 && host[length - 1] == '.')
		length--;
	if (length >= 9 && strncasecmp(host + length - 9, "localhost", 9) == 0)
		return length == 9 || host[length - 10] == '.';
	return false;
}

bool
policy_listed(const char *host, const char *list)
{
	size_t		host_length = strlen(host);

	while (*list != '\0')
	{
		size_t		length = strcspn(list, ", ");
		const char *name = list[0] == '.' ? list + 1 : list;
		size_t		name_length = length - (size_t) (name - list);

		if (length == 1 && list[0] == '*')
			return true;
		if (name_length > 0 && name_length <= host_length &&
			strncasecmp(host + host_length - name_length, name, name_length) == 0 &&
			(name_length == host_length || host[host_length - name_length - 1] == '.'))
			return true;
		list += length;
		list += strspn(list, ", ");
	}
	return false;
}
