/*-------------------------------------------------------------------------
 *
 * sap_odata_batch.c
 *	  $batch: many changes in one request.
 *
 * Each change stands in a changeset of its own, since a changeset succeeds or fails
 * as a whole.  A changeset that failed is answered by one response in its place, so
 * responses come in the order of the changes either way.  A service of version 4
 * may stop at the first that fails, though it is asked to go on; the changes behind
 * it are then not answered.
 *
 * IDENTIFICATION
 *	  src/apps/sap_odata_batch.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/sap_odata.h"
#include "miscadmin.h"

#define MAX_NESTING 3

/* ---------- writing ---------- */

void
odata_batch_write(ODataVersion version, BatchPart *parts, int nparts, const char *boundary, StringInfo out)
{
	for (int i = 0; i < nparts; i++)
	{
		const BatchPart *part = &parts[i];

		CHECK_FOR_INTERRUPTS();
		appendStringInfo(out, "--%s\r\nContent-Type: multipart/mixed; boundary=%s_%d\r\n\r\n", boundary, boundary, i);
		appendStringInfo(out, "--%s_%d\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
						 "Content-ID: %d\r\n\r\n", boundary, i, i + 1);
		appendStringInfo(out, "%s %s HTTP/1.1\r\nAccept: application/json\r\n", part->method, part->target);
		if (part->body != NULL)
			appendStringInfo(out, "Content-Type: application/json%s\r\nContent-Length: %zu\r\n",
							 version == ODATA_V4 ? ";IEEE754Compatible=true" : "", strlen(part->body));
		if (part->if_match != NULL)
			appendStringInfo(out, "If-Match: %s\r\n", part->if_match);
		appendStringInfo(out, "\r\n%s\r\n--%s_%d--\r\n", part->body == NULL ? "" : part->body, boundary, i);
	}
	appendStringInfo(out, "--%s--\r\n", boundary);
}

/* ---------- reading ---------- */

typedef struct Answers
{
	BatchPart  *parts;
	int			nparts;
	int			answered;
	const char *problem;
} Answers;

/* a piece of text: not terminated */
typedef struct Span
{
	const char *data;
	size_t		length;
} Span;

/* cut a line off, without its end; false: there is none */
static bool
take_line(Span *rest, Span *line)
{
	const char *end;

	if (rest->length == 0)
		return false;
	end = memchr(rest->data, '\n', rest->length);
	line->data = rest->data;
	line->length = end == NULL ? rest->length : (size_t) (end - rest->data);
	rest->length -= end == NULL ? line->length : line->length + 1;
	rest->data += end == NULL ? line->length : line->length + 1;
	if (line->length > 0 && line->data[line->length - 1] == '\r')
		line->length--;
	return true;
}

/* Skip headers and the empty line behind them; the value of Content-Type, or NULL. */
static char *
take_headers(Span *rest)
{
	static const char name[] = "content-type:";
	char	   *type = NULL;
	Span		line;

	while (take_line(rest, &line) && line.length > 0)
	{
		if (line.length > sizeof(name) - 1 && pg_strncasecmp(line.data, name, sizeof(name) - 1) == 0)
			type = pnstrdup(line.data + sizeof(name) - 1, line.length - (sizeof(name) - 1));
	}
	return type;
}

/* the boundary that a Content-Type names; NULL: it is no multipart/mixed */
static char *
boundary_of(const char *type)
{
	const char *p;

	if (type == NULL)
		return NULL;
	while (*type == ' ' || *type == '\t')
		type++;
	if (pg_strncasecmp(type, "multipart/mixed", 15) != 0)
		return NULL;
	for (p = strchr(type, ';'); p != NULL; p = strchr(p, ';'))
	{
		p++;
		while (*p == ' ' || *p == '\t')
			p++;
		if (pg_strncasecmp(p, "boundary=", 9) != 0)
			continue;
		p += 9;
		if (*p == '"')
			return pnstrdup(p + 1, strcspn(p + 1, "\""));
		return pnstrdup(p, strcspn(p, "; \t"));
	}
	return NULL;
}

/* one response: a status line, headers, a body */
static void
take_response(Answers *answers, Span response)
{
	BatchPart  *part;
	Span		line;
	char	   *words;

	if (answers->answered == answers->nparts)
	{
		answers->problem = "it has more responses than there were changes";
		return;
	}
	part = &answers->parts[answers->answered];
	do
	{
		if (!take_line(&response, &line))
		{
			answers->problem = "a response in it is empty";
			return;
		}
	} while (line.length == 0);
	words = pnstrdup(line.data, line.length);
	if (strncmp(words, "HTTP/", 5) != 0 || strchr(words, ' ') == NULL)
	{
		answers->problem = "a response in it has no status";
		return;
	}
	part->status = atoi(strchr(words, ' ') + 1);
	if (part->status < 100 || part->status > 599)
	{
		answers->problem = "a response in it has no status";
		return;
	}
	(void) take_headers(&response);
	while (response.length > 0 && (response.data[response.length - 1] == '\n' || response.data[response.length - 1] == '\r'))
		response.length--;
	part->answer = response.length > 0 ? pnstrdup(response.data, response.length) : NULL;
	part->answer_length = response.length;
	answers->answered++;
}

static void
take_multipart(Answers *answers, Span body, const char *boundary, int depth)
{
	char	   *marker = psprintf("--%s", boundary);
	size_t		length = strlen(marker);
	const char *start = NULL;
	const char *p = body.data;
	const char *end = body.data + body.length;

	if (depth > MAX_NESTING)
	{
		answers->problem = "it is nested too deep";
		return;
	}
	while (answers->problem == NULL)
	{
		const char *found = memmem(p, end - p, marker, length);
		const char *behind = found == NULL ? NULL : found + length;

		CHECK_FOR_INTERRUPTS();
		if (found == NULL)
		{
			answers->problem = "it is cut off";
			return;
		}

		/* a marker begins a line and ends it */
		if ((found > body.data && found[-1] != '\n') ||
			(behind < end && *behind != '\r' && *behind != '\n' && *behind != '-' && *behind != ' '))
		{
			p = behind;
			continue;
		}
		if (start != NULL)
		{
			Span		part = {.data = start,.length = found - start};
			char	   *type = take_headers(&part);
			char	   *inner = boundary_of(type);

			if (inner != NULL)
				take_multipart(answers, part, inner, depth + 1);
			else
				take_response(answers, part);
		}
		if (end - behind >= 2 && behind[0] == '-' && behind[1] == '-')
			return;
		start = memchr(behind, '\n', end - behind);
		if (start == NULL)
		{
			answers->problem = "it is cut off";
			return;
		}
		p = ++start;
	}
}

bool
odata_batch_read(const char *content_type, const char *body, size_t length,
				 BatchPart *parts, int nparts, const char **problem)
{
	Answers		answers = {.parts = parts,.nparts = nparts};
	char	   *boundary = boundary_of(content_type);

	*problem = NULL;
	if (boundary == NULL || boundary[0] == '\0')
	{
		*problem = "it is not of the type multipart/mixed";
		return false;
	}
	take_multipart(&answers, (Span){.data = body,.length = length}, boundary, 1);
	if (answers.problem == NULL && answers.answered == 0)
		answers.problem = "it has no response";
	*problem = answers.problem;
	return answers.problem == NULL;
}
