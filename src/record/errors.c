/*-------------------------------------------------------------------------
 *
 * errors.c
 *	  AppFlow's exceptions as PostgreSQL errors.
 *
 * IDENTIFICATION
 *	  src/record/errors.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "record/errors.h"

static const struct
{
	const char *name;
	int			sqlstate;
}			exceptions[] = {
	[WF_VALIDATION] = {"ValidationException", MAKE_SQLSTATE('W', 'F', '4', '0', '0')},
	[WF_AUTHENTICATION] = {"ConnectorAuthenticationException", MAKE_SQLSTATE('W', 'F', '4', '0', '1')},
	[WF_QUOTA] = {"ServiceQuotaExceededException", MAKE_SQLSTATE('W', 'F', '4', '0', '2')},
	[WF_ACCESS_DENIED] = {"AccessDeniedException", MAKE_SQLSTATE('W', 'F', '4', '0', '3')},
	[WF_NOT_FOUND] = {"ResourceNotFoundException", MAKE_SQLSTATE('W', 'F', '4', '0', '4')},
	[WF_UNSUPPORTED] = {"UnsupportedOperationException", MAKE_SQLSTATE('W', 'F', '4', '0', '5')},
	[WF_CONFLICT] = {"ConflictException", MAKE_SQLSTATE('W', 'F', '4', '0', '9')},
	[WF_THROTTLING] = {"ThrottlingException", MAKE_SQLSTATE('W', 'F', '4', '2', '9')},
	[WF_INTERNAL] = {"InternalServerException", MAKE_SQLSTATE('W', 'F', '5', '0', '0')},
	[WF_CONNECTOR] = {"ConnectorServerException", MAKE_SQLSTATE('W', 'F', '5', '0', '2')},
};

int
appflow_error(AppflowException exception)
{
	errcode(exceptions[exception].sqlstate);
	return errdetail_internal("%s", exceptions[exception].name);
}

int
appflow_error_detail(AppflowException exception, const char *fmt,...)
{
	char		few[1024];
	char	   *words = few;
	va_list		args;
	int			length;

	va_start(args, fmt);
	length = vsnprintf(few, sizeof(few), fmt, args);
	va_end(args);
	if (length >= (int) sizeof(few))
	{
		words = palloc(length + 1);
		va_start(args, fmt);
		vsnprintf(words, length + 1, fmt, args);
		va_end(args);
	}
	errcode(exceptions[exception].sqlstate);
	return errdetail_internal("%s: %s", exceptions[exception].name, words);
}

const char *
appflow_exception_name(AppflowException exception)
{
	return exceptions[exception].name;
}

const char *
appflow_exception_of_sqlstate(int sqlstate)
{
	for (int i = 0; i < (int) lengthof(exceptions); i++)
	{
		if (exceptions[i].sqlstate == sqlstate)
			return exceptions[i].name;
	}
	return NULL;
}
