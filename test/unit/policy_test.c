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

static PolicyPlace
place(const char *text)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return policy_address_place((struct sockaddr *) &v4);
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
		ok(false, "%s is an address", text);
	return policy_address_place((struct sockaddr *) &v6);
}

int
main(void)
{
	static const char *const local_addresses[] = {
		"127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.0", "255.255.255.255",
		"::", "::1", "fe80::1", "febf::1", "::ffff:127.0.0.1", "::ffff:169.254.1.1", "::127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::169.254.169.254", "fd00:ec2::254", "2002:7f00:1::", "2002:a9fe:a9fe::1",
		"::ffff:0:127.0.0.1", "64:ff9b:1::127.0.0.1", "2001::80ff:fffe"
	};
	static const char *const private_addresses[] = {
		"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255",
		"100.64.0.0", "100.127.255.255", "192.0.0.170", "198.18.0.1", "198.19.255.255",
		"fc00::", "fd00::1", "fdff:ffff::1", "fec0::1", "::ffff:10.0.0.1", "::ffff:100.64.0.1", "::192.168.1.1",
		"64:ff9b::172.16.0.1", "64:ff9b:1::8.8.8.8", "2002:c0a8:101::1", "::ffff:0:10.0.0.1", "2001::1"
	};
	static const char *const public_addresses[] = {
		"128.0.0.1", "126.255.255.255", "1.0.0.0", "169.253.255.255", "169.255.0.0", "9.255.255.255", "11.0.0.0",
		"172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "100.63.255.255", "100.128.0.0",
		"192.0.1.0", "198.17.255.255", "198.20.0.0", "8.8.8.8", "2001:db8::1", "fbff::1", "fe00::1", "::ffff:8.8.8.8",
		"64:ff9b::808:808", "64:ff9b:2::7f00:1", "2002:808:808::1", "2001:1::1", "ff02::1"
	};
	static const char *const local_names[] = {
		"localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.1", "2130706433",
		"0x7f.1", "0177.0.0.1", "0", "[::1]", "[fe80::1%25eth0]", "[::ffff:127.0.0.1]"
	};
	static const char *const private_names[] = {
		"10.0.0.1", "10.1", "0xa000001", "192.168.257", "[fd12::1]", "[::ffff:10.0.0.1]"
	};
	static const char *const public_names[] = {
		"example.com", "notlocalhost", "localhost.example.com", "local", "", "8.8.8.8", "[2001:db8::1]",
		"[]", "[", "[not an address]", "127.0.0.1.example.com", "10.0.0.1.example.com"
	};
	static const struct
	{
		PolicyPlace place;
		const char *what;
		const char *const *addresses;
		size_t		naddresses;
		const char *const *names;
		size_t		nnames;
	}			cases[] = {
#define OF(list) list, sizeof(list) / sizeof(char *)
		{POLICY_LOCAL, "local", OF(local_addresses), OF(local_names)},
		{POLICY_PRIVATE, "private", OF(private_addresses), OF(private_names)},
		{POLICY_PUBLIC, "public", OF(public_addresses), OF(public_names)},
	};
	struct sockaddr unknown = {.sa_family = AF_UNIX};

	for (int i = 0; i < 3; i++)
	{
		for (size_t j = 0; j < cases[i].naddresses; j++)
			ok(place(cases[i].addresses[j]) == cases[i].place, "%s: %s", cases[i].what, cases[i].addresses[j]);
		for (size_t j = 0; j < cases[i].nnames; j++)
			ok(policy_name_place(cases[i].names[j]) == cases[i].place, "%s: \"%s\"", cases[i].what, cases[i].names[j]);
	}
	ok(policy_address_place(&unknown) == POLICY_LOCAL, "another family is local");

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
