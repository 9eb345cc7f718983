/*-------------------------------------------------------------------------
 *
 * policy.c
 *	  Which addresses are this machine's own, or a private network's, and which
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

typedef struct Block
{
	uint32_t	start;
	int			bits;
	PolicyPlace place;
} Block;

/* what is not the Internet's, of RFC 6890 and AWS's documentation */
static const Block blocks[] = {
	{0x00000000, 8, POLICY_LOCAL},	/* this host */
	{0x7f000000, 8, POLICY_LOCAL},	/* loopback */
	{0xa9fe0000, 16, POLICY_LOCAL}, /* link-local, metadata of clouds */
	{0xffffffff, 32, POLICY_LOCAL}, /* broadcast */
	{0x0a000000, 8, POLICY_PRIVATE},
	{0xac100000, 12, POLICY_PRIVATE},
	{0xc0a80000, 16, POLICY_PRIVATE},
	{0x64400000, 10, POLICY_PRIVATE},	/* of carriers */
	{0xc0000000, 24, POLICY_PRIVATE},	/* of protocols */
	{0xc6120000, 15, POLICY_PRIVATE},	/* of measurements */
};

static PolicyPlace
place_of_v4(uint32_t address)
{
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
	{
		if ((address ^ blocks[i].start) >> (32 - blocks[i].bits) == 0)
			return blocks[i].place;
	}
	return POLICY_PUBLIC;
}

static uint32_t
four_bytes(const uint8_t *bytes)
{
	return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 | (uint32_t) bytes[2] << 8 | bytes[3];
}

static PolicyPlace
place_of_v6(const uint8_t *bytes)
{
	static const uint8_t zeros[12] = {0};
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	static const uint8_t translated[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
	static const uint8_t local_nat64[6] = {0, 0x64, 0xff, 0x9b, 0, 1};
	static const uint8_t metadata[4] = {0xfd, 0, 0x0e, 0xc2};
	uint32_t	low = four_bytes(bytes + 12);
	PolicyPlace inner;

	if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
		return POLICY_LOCAL;
	if (memcmp(bytes, metadata, sizeof(metadata)) == 0)
		return POLICY_LOCAL;
	if ((bytes[0] & 0xfe) == 0xfc || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0xc0))
		return POLICY_PRIVATE;
	if (memcmp(bytes, zeros, 12) == 0)
		return low <= 1 ? POLICY_LOCAL : place_of_v4(low);
	if (memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, translated, 12) == 0 || memcmp(bytes, nat64, 12) == 0)
		return place_of_v4(low);

	/* a translator of the network's own: wherever the IPv4 address is in there */
	if (memcmp(bytes, local_nat64, sizeof(local_nat64)) == 0)
	{
		inner = place_of_v4(low);
		return inner == POLICY_LOCAL ? inner : POLICY_PRIVATE;
	}

	/* 6to4: the IPv4 address is behind the prefix */
	if (bytes[0] == 0x20 && bytes[1] == 0x02)
		return place_of_v4(four_bytes(bytes + 2));

	/* Teredo: a client behind somebody's translator, its address in disguise */
	if (memcmp(bytes, "\x20\x01\0\0", 4) == 0)
	{
		inner = place_of_v4(~low);
		return inner == POLICY_LOCAL ? inner : POLICY_PRIVATE;
	}
	return POLICY_PUBLIC;
}

PolicyPlace
policy_address_place(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return place_of_v4(ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr));
	if (address->sa_family == AF_INET6)
		return place_of_v6(((const struct sockaddr_in6 *) address)->sin6_addr.s6_addr);
	return POLICY_LOCAL;
}

PolicyPlace
policy_name_place(const char *host)
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
			return POLICY_LOCAL;
		if (n >= sizeof(inner))
			return POLICY_PUBLIC;
		memcpy(inner, host + 1, n);
		inner[n] = '\0';
		return inet_pton(AF_INET6, inner, &v6) == 1 ? place_of_v6(v6.s6_addr) : POLICY_PUBLIC;
	}

	/* all forms that a resolver takes: 127.1, 0x7f000001, 2130706433 */
	if (inet_aton(host, &v4) != 0)
		return place_of_v4(ntohl(v4.s_addr));

	if (length > 0 && host[length - 1] == '.')
		length--;
	if (length >= 9 && strncasecmp(host + length - 9, "localhost", 9) == 0 &&
		(length == 9 || host[length - 10] == '.'))
		return POLICY_LOCAL;
	return POLICY_PUBLIC;
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
