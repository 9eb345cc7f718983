/*-------------------------------------------------------------------------
 *
 * url.c
 *	  URLs: taking apart and putting together.
 *
 * IDENTIFICATION
 *	  src/net/url.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>

#include "lib/stringinfo.h"
#include "net/url.h"

char *
url_resolve(const char *url, const char *location)
{
	CURLU	   *parts = curl_url();
	char	   *found = NULL;
	char	   *result = NULL;

	if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_set(parts, CURLUPART_URL, location, 0) == CURLUE_OK &&
		curl_url_set(parts, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
		curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
		curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
		curl_url_get(parts, CURLUPART_URL, &found, 0) == CURLUE_OK &&
		(pg_strncasecmp(found, "http://", 7) == 0 || pg_strncasecmp(found, "https://", 8) == 0))
		result = pstrdup(found);
	curl_free(found);
	curl_url_cleanup(parts);
	return result;
}

bool
url_same_origin(const char *a, const char *b)
{
	static const CURLUPart compared[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	CURLU	   *one = curl_url();
	CURLU	   *other = curl_url();
	bool		same = one != NULL && other != NULL &&
		curl_url_set(one, CURLUPART_URL, a, 0) == CURLUE_OK &&
		curl_url_set(other, CURLUPART_URL, b, 0) == CURLUE_OK;

	for (int i = 0; i < (int) lengthof(compared) && same; i++)
	{
		char	   *left = NULL;
		char	   *right = NULL;

		same = curl_url_get(one, compared[i], &left, CURLU_DEFAULT_PORT) == CURLUE_OK &&
			curl_url_get(other, compared[i], &right, CURLU_DEFAULT_PORT) == CURLUE_OK &&
			pg_strcasecmp(left, right) == 0;
		curl_free(left);
		curl_free(right);
	}
	curl_url_cleanup(one);
	curl_url_cleanup(other);
	return same;
}

char *
url_origin(const char *url)
{
	CURLU	   *parts = curl_url();
	char	   *user = NULL;
	char	   *found = NULL;
	char	   *result = NULL;

	if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_NO_USER &&
		curl_url_set(parts, CURLUPART_PATH, NULL, 0) == CURLUE_OK &&
		curl_url_set(parts, CURLUPART_QUERY, NULL, 0) == CURLUE_OK &&
		curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
		curl_url_get(parts, CURLUPART_URL, &found, 0) == CURLUE_OK &&
		(strncmp(found, "http://", 7) == 0 || strncmp(found, "https://", 8) == 0))
		result = pnstrdup(found, strlen(found) - (found[strlen(found) - 1] == '/'));
	curl_free(user);
	curl_free(found);
	curl_url_cleanup(parts);
	return result;
}

static void
append_encoded(StringInfo query, const char *text)
{
	for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++)
	{
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			strchr("-_.~", *p) != NULL)
			appendStringInfoChar(query, *p);
		else
			appendStringInfo(query, "%%%02X", *p);
	}
}

char *
url_encode(const char *text)
{
	StringInfoData encoded;

	initStringInfo(&encoded);
	append_encoded(&encoded, text);
	return encoded.data;
}

char *
url_with_parameter(const char *query, const char *name, const char *value)
{
	StringInfoData longer;

	initStringInfo(&longer);
	appendStringInfoString(&longer, query);
	if (query[0] != '\0')
		appendStringInfoChar(&longer, '&');
	append_encoded(&longer, name);
	appendStringInfoChar(&longer, '=');
	append_encoded(&longer, value);
	return longer.data;
}

char *
url_with_query(const char *url, const char *query)
{
	int			length = (int) strcspn(url, "#");

	return psprintf("%.*s%c%s", length, url, memchr(url, '?', length) == NULL ? '?' : '&', query);
}

const char *
url_target(const char *url)
{
	const char *authority = strstr(url, "://");
	const char *target = authority == NULL ? url : authority + 3 + strcspn(authority + 3, "/?#");

	return *target == '\0' ? "/" : target;
}
