/*-------------------------------------------------------------------------
 *
 * aws_service.c
 *	  What requests to AWS's services have in common: who may make them in the
 *	  server's name, where they may be sent, and what errors are said.
 *
 * IDENTIFICATION
 *	  src/net/aws_service.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "compat.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "net/aws.h"
#include "net/aws_service.h"
#include "parser/parse_func.h"
#include "record/jsonb_access.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* the part behind the scheme, or NULL */
static const char *
endpoint_host(const char *url)
{
	if (strncmp(url, "https://", 8) == 0)
		return url + 8;
	if (strncmp(url, "http://", 7) == 0)
		return url + 7;
	return NULL;
}

bool
aws_is_endpoint(const char *url)
{
	const char *host = endpoint_host(url);

	return host != NULL && *host != '\0' &&
		strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:[]") == strlen(host);
}

bool
aws_check_endpoint(char **newval, void **extra, GucSource source)
{
	if (**newval == '\0' || aws_is_endpoint(*newval))
		return true;
	GUC_check_errdetail("An endpoint is https:// or http:// with a host and perhaps a port, and nothing behind it.");
	return false;
}

void
aws_check_unrestricted(void)
{
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				appflow_error(WF_ACCESS_DENIED),
				errmsg("AWS cannot be called within a security-restricted operation"));
}

/*
 * The setting is anybody's, the server's AWS identity is not.  In a function that
 * maintenance calls with its owner's rights, whoever made that function would
 * spend them.
 */
void
aws_check_identity(Oid role, const char *otherwise)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		outside = !IsTransactionState();
	Oid			no_types[1] = {InvalidOid};
	char	   *name = NULL;
	Oid			function;

	aws_check_unrestricted();

	/* a run has none open while it works */
	if (outside)
		StartTransactionCommand();
	function = LookupFuncName(list_make2(makeString("appflow"), makeString("aws_identity")), 0, no_types, false);
	if (function_aclcheck(function, role) != ACLCHECK_OK)
		name = MemoryContextStrdup(caller, GetUserNameFromId(role, false));
	if (outside)
		CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	if (name != NULL)
		ereport(ERROR,
				appflow_error(WF_ACCESS_DENIED),
				errmsg("role \"%s\" may not use the AWS identity of this server", name),
				errhint("A superuser can permit it with GRANT EXECUTE ON FUNCTION appflow.aws_identity() TO %s%s.",
						quote_identifier(name), otherwise));
}

/* ---------- errors ---------- */

/* bytes of a vendor's words that are shown */
#define MAX_WORDS 2000

/*
 * What a service says on one line, in the server's encoding.  A complaint about a signature
 * ends with the request, and the token in it, as it should have been: that is left out.
 */
char *
aws_clean_line(const char *text)
{
	const char *request = strstr(text, "The Canonical String for this request");
	size_t		end = request == NULL ? strlen(text) : (size_t) (request - text);
	char	   *line = palloc(end + 4);
	size_t		length = 0;
	bool		broken = false;
	bool		keep;

	/* a line break, with the blanks around it, is one blank */
	for (size_t i = 0; i < end; i++)
	{
		if (text[i] == '\n' || text[i] == '\r' || text[i] == '\t')
		{
			while (length > 0 && line[length - 1] == ' ')
				length--;
			if (length > 0)
				line[length++] = ' ';
			broken = true;
		}
		else if (text[i] != ' ' || !broken)
		{
			line[length++] = (unsigned char) text[i] < ' ' ? '?' : text[i];
			broken = false;
		}
	}
	while (length > 0 && line[length - 1] == ' ')
		length--;
	keep = GetDatabaseEncoding() == PG_UTF8 && pg_verify_mbstr(PG_UTF8, line, length, true);
	for (size_t i = 0; i < length && !keep; i++)
	{
		if (IS_HIGHBIT_SET(line[i]))
			line[i] = '?';
	}
	if (length > MAX_WORDS)
	{
		length = pg_encoding_mbcliplen(keep ? PG_UTF8 : PG_SQL_ASCII, line, (int) length, MAX_WORDS);
		strcpy(line + length, "...");
	}
	else
		line[length] = '\0';
	return line;
}

/* a text with *** for every occurrence of another */
char *
aws_without_secret(char *text, const char *secret)
{
	StringInfoData out;
	char	   *found;

	if (secret == NULL || strlen(secret) < AWS_MIN_SECRET || strstr(text, secret) == NULL)
		return text;
	initStringInfo(&out);
	for (; (found = strstr(text, secret)) != NULL; text = found + strlen(secret))
	{
		appendBinaryStringInfo(&out, text, found - text);
		appendStringInfoString(&out, "***");
	}
	appendStringInfoString(&out, text);
	return out.data;
}

char *
aws_shown(const char *text)
{
	const AwsCredentials *credentials = aws_chain_cached();
	char	   *line = aws_clean_line(text);

	if (credentials != NULL)
	{
		line = aws_without_secret(line, credentials->secret_access_key);
		line = aws_without_secret(line, credentials->session_token);
	}
	return line;
}

/* "ConflictException" of "com.amazonaws.appflow#ConflictException:http://..." */
static char *
bare_name(const char *name)
{
	const char *hash = strchr(name, '#');

	name = hash == NULL ? name : hash + 1;
	return pnstrdup(name, strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"));
}

AwsFailure
aws_read_failure(HttpCall *call)
{
	const char *header = http_response_header(call, "x-amzn-ErrorType");
	size_t		length;
	const char *body = http_body(call, &length);
	Jsonb	   *document = NULL;
	AwsFailure	failure = {.name = header == NULL ? "" : bare_name(header),.message = ""};
	char	   *text = pnstrdup(body == NULL ? "" : body, body == NULL ? 0 : length);

	/* what this database cannot hold would be an error of its own */
	for (char *p = text; *p != '\0'; p++)
	{
		if (IS_HIGHBIT_SET(*p) && GetDatabaseEncoding() != PG_UTF8)
			*p = '?';
	}
	if (pg_verify_mbstr(PG_UTF8, text, strlen(text), true) &&
		(strstr(text, "\\u") == NULL || GetDatabaseEncoding() == PG_UTF8) &&
		strstr(text, "\\u0000") == NULL && strcasestr(text, "\\ud") == NULL)
		document = jsonb_parse(text);
	if (document != NULL && JB_ROOT_IS_OBJECT(document))
	{
		static const char *const names[] = {"__type", "code"};
		static const char *const messages[] = {"message", "Message"};

		for (int i = 0; i < 2; i++)
		{
			if (failure.name[0] == '\0' && (text = jsonb_get_text(document, names[i])) != NULL)
				failure.name = bare_name(text);
			if (failure.message[0] == '\0' && (text = jsonb_get_text(document, messages[i])) != NULL)
				failure.message = text;
		}
	}
	return failure;
}

/*
 * Errors that every service of AWS has beside its own exceptions, and what they
 * are here (behaviour of the SDKs, see doc/aws-engine.md).
 */
static const struct
{
	const char *name;
	AppflowException exception;
	bool		expired;		/* new credentials may help */
	bool		passing;		/* waiting may help */
}			common_errors[] = {
	{"AccessDenied", WF_ACCESS_DENIED, false, false},
	{"NotAuthorized", WF_ACCESS_DENIED, false, false},
	{"OptInRequired", WF_ACCESS_DENIED, false, false},
	{"ExpiredToken", WF_AUTHENTICATION, true, false},
	{"ExpiredTokenException", WF_AUTHENTICATION, true, false},
	{"IncompleteSignature", WF_AUTHENTICATION, false, false},
	{"IncompleteSignatureException", WF_AUTHENTICATION, false, false},
	{"InvalidAccessKeyId", WF_AUTHENTICATION, false, false},
	{"InvalidClientTokenId", WF_AUTHENTICATION, false, false},
	{"InvalidSignatureException", WF_AUTHENTICATION, false, false},
	{"InvalidToken", WF_AUTHENTICATION, false, false},
	{"MissingAuthenticationToken", WF_AUTHENTICATION, false, false},
	{"MissingAuthenticationTokenException", WF_AUTHENTICATION, false, false},
	{"RequestExpired", WF_AUTHENTICATION, false, false},
	{"SignatureDoesNotMatch", WF_AUTHENTICATION, false, false},
	{"UnrecognizedClientException", WF_AUTHENTICATION, false, false},
	{"LimitExceededException", WF_THROTTLING, false, true},
	{"RequestLimitExceeded", WF_THROTTLING, false, true},
	{"RequestThrottled", WF_THROTTLING, false, true},
	{"RequestThrottledException", WF_THROTTLING, false, true},
	{"SlowDown", WF_THROTTLING, false, true},
	{"ThrottledException", WF_THROTTLING, false, true},
	{"Throttling", WF_THROTTLING, false, true},
	{"ThrottlingException", WF_THROTTLING, false, true},
	{"TooManyRequestsException", WF_THROTTLING, false, true},
	{"SerializationException", WF_VALIDATION, false, false},
	{"UnknownOperationException", WF_UNSUPPORTED, false, false},
};

static int
common_error(const char *name)
{
	for (int i = 0; i < (int) lengthof(common_errors); i++)
	{
		if (strcmp(common_errors[i].name, name) == 0)
			return i;
	}
	return -1;
}

AppflowException
aws_exception(const AwsFailure *failure, int status)
{
	const char *name = failure->name;
	int			known = common_error(name);

	for (int i = WF_VALIDATION; i <= WF_CONNECTOR; i++)
	{
		if (strcmp(appflow_exception_name(i), name) == 0)
			return i;
	}
	if (known >= 0)
		return common_errors[known].exception;
	switch (status)
	{
		case 401:
			return WF_AUTHENTICATION;
		case 402:
			return WF_QUOTA;
		case 403:
			return WF_ACCESS_DENIED;
		case 404:
			return WF_NOT_FOUND;
		case 409:
			return WF_CONFLICT;
		case 429:
			return WF_THROTTLING;
		default:
			return status >= 400 && status < 500 ? WF_VALIDATION : WF_INTERNAL;
	}
}

bool
aws_is_common(const AwsFailure *failure)
{
	return common_error(failure->name) >= 0;
}

bool
aws_is_expired(HttpCall *call)
{
	int			known = call->status < 400 ? -1 : common_error(aws_read_failure(call).name);

	return known >= 0 && common_errors[known].expired;
}

bool
aws_worth_repeating(HttpCall *call, bool retry)
{
	int			known;

	if (call->status < 400)
		return false;
	known = common_error(aws_read_failure(call).name);
	if (known >= 0 && common_errors[known].expired && call->attempts == 1)
	{
		aws_chain_forget();
		return true;
	}
	return retry || (known >= 0 && common_errors[known].passing);
}
