/*-------------------------------------------------------------------------
 *
 * sigv4_fuzz.c
 *	  Any paths, queries and headers to be signed.
 *
 * IDENTIFICATION
 *	  test/fuzz/sigv4_fuzz.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/sigv4.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* lines: path, query, then names and values of headers by turns */
	char	   *text = malloc(size + 1);
	char	   *parts[20];
	int			n = 0;
	SigV4Header headers[9];
	SigV4Request request = {
		.method = "GET", .path = "", .headers = headers, .payload_hash = SIGV4_EMPTY_PAYLOAD,
		.timestamp = "20260102T030405Z", .region = "r", .service = "s3",
		.access_key_id = "id", .secret_access_key = "secret"
	};
	char	   *canonical;
	char	   *authorization;
	char	   *encoded;

	memcpy(text, data, size);
	text[size] = '\0';
	for (char *line = text; line != NULL && n < 20; n++)
	{
		char	   *end = strchr(line, '\n');

		parts[n] = line;
		if (end != NULL)
			*end++ = '\0';
		line = end;
	}
	if (size > 0 && (data[0] & 1))
		request.service = "appflow";
	request.path = parts[0];
	request.query = n > 1 ? parts[1] : NULL;
	for (int i = 2; i + 1 < n; i += 2)
	{
		headers[request.nheaders].name = parts[i];
		headers[request.nheaders++].value = parts[i + 1];
	}
	authorization = sigv4_authorization(&request, &canonical);
	if (authorization == NULL || canonical == NULL)
		abort();
	encoded = sigv4_encode(request.path, true);
	if (encoded == NULL)
		abort();
	free(encoded);
	free(authorization);
	free(canonical);
	free(text);
	return 0;
}
