/*-------------------------------------------------------------------------
 *
 * policy_test.c
 *	  The policy for endpoints: addresses, names, and the list past the proxy.
 *
 * IDENTIFICATION
 *	  test/unit/policy_test.c
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "net/policy.h"
#include "tap.h"

static bool
local(const char *text)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return policy_local_address((struct sockaddr *) &v4);
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
		ok(false, "%s is an address", text);
	return policy_local_address((struct sockaddr *) &v6);
}

int
main(void)
{
	static const char *const local_addresses[] = {
		"127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.0",
		"::", "::1", "fe80::1", "febf::1", "::ffff:127.0.0.1", "::ffff:169.254.1.1", "::127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::169.254.169.254", "fd00:ec2::254", "2002:7f00:1::", "2002:a9fe:a9fe::1"
	};
	static const char *const other_addresses[] = {
		"128.0.0.1", "126.255.255.255", "1.0.0.0", "169.253.255.255", "169.255.0.0", "10.0.0.1",
		"192.168.1.1", "8.8.8.8", "2001:db8::1", "fec0::1", "fd00::1", "::ffff:8.8.8.8",
		"64:ff9b::808:808", "2002:808:808::1", "ff02::1"
	};
	static const char *const local_names[] = {
		"localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.1", "2130706433",
		"0x7f.1", "0177.0.0.1", "0", "[::1]", "[fe80::1%25eth0]", "[::ffff:127.0.0.1]"
	};
	static const char *const other_names[] = {
		"example.com", "notlocalhost", "localhost.example.com", "local", "", "8.8.8.8", "[2001:db8::1]",
		"[]", "[", "[not an address]", "127.0.0.1.example.com"
	};
	struct sockaddr unknown = {.sa_family = AF_UNIX};

	for (size_t i = 0; i < sizeof(local_addresses) / sizeof(char *); i++)
		ok(local(local_addresses[i]), "local: %s", local_addresses[i]);
	for (size_t i = 0; i < sizeof(other_addresses) / sizeof(char *); i++)
		ok(!local(other_addresses[i]), "not local: %s", other_addresses[i]);
	for (size_t i = 0; i < sizeof(local_names) / sizeof(char *); i++)
		ok(policy_local_name(local_names[i]), "local: %s", local_names[i]);
	for (size_t i = 0; i < sizeof(other_names) / sizeof(char *); i++)
		ok(!policy_local_name(other_names[i]), "not local: \"%s\"", other_names[i]);
	ok(policy_local_address(&unknown), "another family is local");

	ok(policy_listed("a.example.com", "example.com"), "a domain");
	ok(policy_listed("a.example.com", ".example.com"), "a domain with a dot");
	ok(policy_listed("example.com", ".example.com"), "and itself");
	ok(policy_listed("A.Example.COM", "b, a.eXample.com"), "in a list, in any case");
	ok(policy_listed("x", "*"), "everything");
	ok(!policy_listed("example.com", ""), "an empty list");
	ok(!policy_listed("example.com", " , ,. "), "a list of nothing");
	ok(!policy_listed("badexample.com", "example.com"), "a name that ends alike");
	ok(!policy_listed("example.com", "a.example.com"), "a part of the domain");
	ok(!policy_listed("example.com", "example"), "a beginning");
	return done_testing();
}
