/*-------------------------------------------------------------------------
 *
 * sigv4_test.c
 *	  Signature Version 4 against AWS's published test suite, and against vectors
 *	  on which botocore and @smithy/signature-v4 agree.
 *
 * IDENTIFICATION
 *	  test/unit/sigv4_test.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "net/sigv4.h"
#include "tap.h"

typedef struct Case
{
	const char *name;
	const char *method;
	const char *path;
	const char *query;
	const char *headers;		/* "Name:value", with \001 between them */
	const char *body;
	const char *signed_names;
	const char *signature;
} Case;

/* AWS's suite: AKIDEXAMPLE, us-east-1, service "service" */
static const Case suite[] = {
	{"get-header-key-duplicate", "GET", "/", "",
		"Host:example.amazonaws.com\001My-Header1:value2\001My-Header1:value2\001My-Header1:value1\001X-Amz-Date:20150830T123600Z",
		"", "host;my-header1;x-amz-date",
	"c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{"get-header-value-multiline", "GET", "/", "",
		"Host:example.amazonaws.com\001My-Header1:value1\n  value2\n     value3\001X-Amz-Date:20150830T123600Z",
		"", "host;my-header1;x-amz-date",
	"cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd"},
	{"get-header-value-order", "GET", "/", "",
		"Host:example.amazonaws.com\001My-Header1:value4\001My-Header1:value1\001My-Header1:value3\001My-Header1:value2\001X-Amz-Date:20150830T123600Z",
		"", "host;my-header1;x-amz-date",
	"08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
	{"get-header-value-trim", "GET", "/", "",
		"Host:example.amazonaws.com\001My-Header1: value1\001My-Header2: \"a   b   c\"\001X-Amz-Date:20150830T123600Z",
		"", "host;my-header1;my-header2;x-amz-date",
	"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"get-unreserved", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{"get-utf8", "GET", "/\341\210\264", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{"get-vanilla-empty-query-key", "GET", "/", "Param1=value1",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{"get-vanilla-query-order-encoded", "GET", "/", "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z\n",
		"", "host;x-amz-date",
	"371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
	{"get-vanilla-query-order-key-case", "GET", "/", "Param2=value2&Param1=value1",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-vanilla-query-order-key", "GET", "/", "Param1=value2&Param1=Value1",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"},
	{"get-vanilla-query-order-value", "GET", "/", "Param1=value2&Param1=value1",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
	{"get-vanilla-query-unreserved", "GET", "/", "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{"get-vanilla-query", "GET", "/", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-vanilla-utf8-query", "GET", "/", "\341\210\264=bar",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{"get-vanilla-with-session-token", "GET", "/", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z\001X-Amz-Security-Token:6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
		"", "host;x-amz-date;x-amz-security-token",
	"07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	{"get-vanilla", "GET", "/", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-relative-relative", "GET", "/example1/example2/../..", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-relative", "GET", "/example/..", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slash-dot-slash", "GET", "/./", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slash-pointless-dot", "GET", "/./example", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
	{"get-slash", "GET", "//", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slashes", "GET", "//example//", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
	{"get-space", "GET", "/example space/", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{"get-special-character", "GET", "/example/$delete", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z\n",
		"", "host;x-amz-date",
	"a853c9b21b528b19643d00910d35b83a10c366a10833ceefb45edd6c80e40f27"},
	{"post-header-key-case", "POST", "/", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-header-key-sort", "POST", "/", "",
		"Host:example.amazonaws.com\001My-Header1:value1\001X-Amz-Date:20150830T123600Z",
		"", "host;my-header1;x-amz-date",
	"c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{"post-header-value-case", "POST", "/", "",
		"Host:example.amazonaws.com\001My-Header1:VALUE1\001X-Amz-Date:20150830T123600Z",
		"", "host;my-header1;x-amz-date",
	"cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	{"post-sts-header-after", "POST", "/", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-sts-header-before", "POST", "/", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z\001X-Amz-Security-Token:AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==",
		"", "host;x-amz-date;x-amz-security-token",
	"85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	{"post-vanilla-empty-query-value", "POST", "/", "Param1=value1",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{"post-vanilla-query", "POST", "/", "Param1=value1",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{"post-vanilla", "POST", "/", "",
		"Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"", "host;x-amz-date",
	"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-x-www-form-urlencoded-parameters", "POST", "/", "",
		"Content-Type:application/x-www-form-urlencoded; charset=utf8\001Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"Param1=value1", "content-type;host;x-amz-date",
	"1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
	{"post-x-www-form-urlencoded", "POST", "/", "",
		"Content-Type:application/x-www-form-urlencoded\001Host:example.amazonaws.com\001X-Amz-Date:20150830T123600Z",
		"Param1=value1", "content-type;host;x-amz-date",
	"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
};

/* key id AKIDTESTTESTTESTTEST, eu-central-1; name is the service */
static const Case services[] = {
	{"appflow", "GET",
		"/tags/arn%3Aaws%3Aappflow%3Aeu-central-1%3A111122223333%3Aflow%2Fdaily-orders", "",
		"Host:appflow.eu-central-1.amazonaws.com\001X-Amz-Date:20260102T030405Z",
		"", "host;x-amz-date",
	"1f925d7e32a1b0609f73b6039ce8864a809d7d468fc71bf6577d476c0086759a"},
	{"lambda", "POST",
		"/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A111122223333%3Afunction%3Amy-conn/invocations",
		"Qualifier=live",
		"Host:lambda.eu-central-1.amazonaws.com\001Content-Type:application/json\001"
		"X-Amz-Invocation-Type:RequestResponse\001X-Amz-Date:20260102T030405Z\001"
		"X-Amz-Security-Token:tok/en==\001User-Agent:changes on the way\001Expect:100-continue",
		"{\"type\":\"ValidateCredentialsRequest\"}",
		"content-type;host;x-amz-date;x-amz-invocation-type;x-amz-security-token",
	"e056b0a7439d3a077b2f072cb43971b18d3baf33734235978bc05cf390cd1578"},
	{"s3", "PUT",
		"/acme-out/p/daily/Account%20Rating%3DWarm/1-2026-01-02T03%3A04%3A05", "",
		"Host:s3.eu-central-1.amazonaws.com\001Content-Type:application/json\001"
		"x-amz-server-side-encryption:aws:kms\001X-Amz-Date:20260102T030405Z",
		"{\"a\":1}\n",
		"content-type;host;x-amz-content-sha256;x-amz-date;x-amz-server-side-encryption",
	"edc3ad8650f8add8ce80204e05a8ac62f4a07cfbfdcc41573fdfd1d662ec8c05"},
	{"s3", "GET", "/acme-in",
		"list-type=2&prefix=in%2F2026%20%2F&encoding-type=url&continuation-token=a%2Bb%3D%3D",
		"Host:s3.eu-central-1.amazonaws.com\001X-Amz-Date:20260102T030405Z",
		"", "host;x-amz-content-sha256;x-amz-date",
	"eeb10af5ec77092aac074f919e8bbbb76653a833da3be27e463c6756e20669b2"},
};

static void
check(const Case *given, const char *service, const char *region, const char *timestamp,
	  const char *id, const char *secret)
{
	char	   *lines = strdup(given->headers);
	char		hash[65];
	SigV4Header headers[16];
	SigV4Request request = {
		.method = given->method, .path = given->path, .query = given->query,
		.headers = headers, .payload_hash = hash, .timestamp = timestamp,
		.region = region, .service = service,
		.access_key_id = id, .secret_access_key = secret
	};
	char		expected[2048];
	char	   *canonical;
	char	   *authorization;

	for (char *line = strtok(lines, "\001"); line != NULL; line = strtok(NULL, "\001"))
	{
		char	   *colon = strchr(line, ':');

		*colon = '\0';
		headers[request.nheaders].name = line;
		headers[request.nheaders++].value = colon + 1;
	}
	ok(sigv4_payload_hash(given->body, strlen(given->body), hash), "%s: hash", given->name);
	if (strcmp(service, "s3") == 0)
	{
		headers[request.nheaders].name = "X-Amz-Content-Sha256";
		headers[request.nheaders++].value = hash;
	}
	snprintf(expected, sizeof(expected),
			 "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
			 id, timestamp, region, service, given->signed_names, given->signature);
	authorization = sigv4_authorization(&request, &canonical);
	is_str(authorization, expected, "%s: %s %s", given->name, given->method, given->path);
	if (strcmp(authorization, expected) != 0)
		printf("# canonical request:\n# %s\n", canonical);
	free(authorization);
	free(canonical);
	free(lines);
}

int
main(void)
{
	char		hash[65];
	char	   *text;

	for (size_t i = 0; i < sizeof(suite) / sizeof(suite[0]); i++)
		check(&suite[i], "service", "us-east-1", "20150830T123600Z",
			  "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		check(&services[i], services[i].name, "eu-central-1", "20260102T030405Z",
			  "AKIDTESTTESTTESTTEST", "not+a/real+secret+key+used+for+tests");

	ok(sigv4_payload_hash(NULL, 0, hash), "no body");
	is_str(hash, SIGV4_EMPTY_PAYLOAD, "hash of no body");
	text = sigv4_encode("a b/\xc3\xa9+=%~\"'", true);
	is_str(text, "a%20b/%C3%A9%2B%3D%25~%22%27", "a path is encoded");
	free(text);
	text = sigv4_encode("a/b", false);
	is_str(text, "a%2Fb", "and a slash in a query");
	free(text);
	return done_testing();
}
