/*-------------------------------------------------------------------------
 *
 * aws.c
 *	  Signing of requests to AWS and its like.
 *
 * IDENTIFICATION
 *	  src/net/aws.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>
#include <time.h>

#include <curl/curl.h>

#include "net/aws.h"
#include "net/http_quiet.h"
#include "net/sigv4.h"
#include "record/errors.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define MAX_SIGNED_HEADERS 64

const char *
aws_domain(const char *region)
{
	if (strncmp(region, "cn-", 3) == 0)
		return "amazonaws.com.cn";
	if (strncmp(region, "eusc-", 5) == 0)
		return "amazonaws.eu";
	return "amazonaws.com";
}

char *
aws_host(const char *url)
{
	const char *authority = strstr(url, "://");
	size_t		length;
	const char *at;
	bool		https = strncmp(url, "https:", 6) == 0;
	const char *port = https ? ":443" : ":80";

	authority = authority == NULL ? url : authority + 3;
	length = strcspn(authority, "/?#");
	at = memchr(authority, '@', length);
	if (at != NULL)
	{
		length -= at + 1 - authority;
		authority = at + 1;
	}
	if (length > strlen(port) &&
		strncmp(authority + length - strlen(port), port, strlen(port)) == 0)
		length -= strlen(port);
	return pnstrdup(authority, length);
}

TimestampTz
aws_parse_time(const char *text)
{
	struct pg_tm tm = {0};
	double		seconds;
	Timestamp	result;
	int			consumed = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%lfZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
			   &tm.tm_hour, &tm.tm_min, &seconds, &consumed) != 6 ||
		consumed == 0 || !(seconds >= 0 && seconds < 61) ||
		tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31)
		return 0;
	tm.tm_sec = (int) seconds;
	if (tm2timestamp(&tm, (fsec_t) rint((seconds - tm.tm_sec) * 1000000), NULL, &result) != 0)
		return 0;
	return result;
}

static void
timestamp_now(char timestamp[17])
{
	time_t		now = time(NULL);
	struct tm	utc;

	gmtime_r(&now, &utc);
	strftime(timestamp, 17, "%Y%m%dT%H%M%SZ", &utc);
}

void
aws_sign(HttpCall *call, const AwsSigner *signer)
{
	const AwsCredentials *credentials =
		signer->credentials != NULL ? signer->credentials : aws_chain_credentials();
	MemoryContext old = MemoryContextSwitchTo(call->context);
	const char *names[MAX_SIGNED_HEADERS];
	const char *values[MAX_SIGNED_HEADERS];
	SigV4Header headers[MAX_SIGNED_HEADERS + 1];
	const char *path = strstr(call->url, "://");
	const char *query;
	char		hash[65];
	char		timestamp[17];
	SigV4Request request = {0};
	char	   *authorization;

	timestamp_now(timestamp);
	if (!sigv4_payload_hash(call->body, call->body == NULL ? 0 : call->body_length, hash))
		elog(ERROR, "could not compute a SHA-256 hash");
	http_attempt_header(call, "X-Amz-Date", timestamp);
	if (credentials->session_token != NULL)
		http_attempt_header(call, "X-Amz-Security-Token", credentials->session_token);
	if (strcmp(signer->service, "s3") == 0)
		http_attempt_header(call, "X-Amz-Content-Sha256", hash);

	request.nheaders = http_request_headers(call, names, values, MAX_SIGNED_HEADERS);
	for (size_t i = 0; i < request.nheaders; i++)
	{
		headers[i].name = names[i];
		headers[i].value = values[i];
	}
	headers[request.nheaders].name = "host";
	headers[request.nheaders++].value = aws_host(call->url);

	path = path == NULL ? call->url : path + 3;
	path += strcspn(path, "/?");
	query = strchr(path, '?');
	request.method = call->method;
	request.path = query == NULL ? path : pnstrdup(path, query - path);
	request.query = query == NULL ? NULL : query + 1;
	request.headers = headers;
	request.payload_hash = hash;
	request.timestamp = timestamp;
	request.region = signer->region;
	request.service = signer->service;
	request.access_key_id = credentials->access_key_id;
	request.secret_access_key = credentials->secret_access_key;
	authorization = sigv4_authorization(&request, NULL);
	if (authorization == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"),
				errdetail("A request to a service could not be signed."));

	/* copied first: adding it may raise an error */
	request.method = pstrdup(authorization);
	free(authorization);
	http_attempt_header(call, "Authorization", request.method);
	MemoryContextSwitchTo(old);
}

int
aws_send_quietly(const char *method, const char *url, const char *host,
				 const char *path, const char *query,
				 const char *service, const char *region,
				 const AwsCredentials *credentials, int budget)
{
	char		timestamp[17];
	SigV4Header headers[4] = {
		{"host", host},
		{"x-amz-date", timestamp},
		{"x-amz-content-sha256", SIGV4_EMPTY_PAYLOAD},
		{"x-amz-security-token", credentials->session_token}
	};
	SigV4Request request = {
		.method = method, .path = path, .query = query, .headers = headers,
		.nheaders = credentials->session_token == NULL ? 3 : 4,
		.payload_hash = SIGV4_EMPTY_PAYLOAD, .timestamp = timestamp,
		.region = region, .service = service,
		.access_key_id = credentials->access_key_id,
		.secret_access_key = credentials->secret_access_key
	};
	QuietHeader lines[4];
	char	   *authorization;
	int			n = 0;
	int			status;

	timestamp_now(timestamp);
	authorization = sigv4_authorization(&request, NULL);
	if (authorization == NULL)
		return 0;
	for (size_t i = 1; i < request.nheaders; i++)
	{
		lines[n].name = headers[i].name;
		lines[n++].value = headers[i].value;
	}
	lines[n].name = "Authorization";
	lines[n++].value = authorization;
	status = http_send_quietly(method, url, lines, n, budget);
	free(authorization);
	return status;
}
