/*-------------------------------------------------------------------------
 *
 * errors.h
 *	  AppFlow's exceptions as PostgreSQL errors.
 *
 * Every error of the extension that AppFlow has an exception for carries that
 * exception's SQLSTATE and its name in DETAIL:
 *
 *	  ereport(ERROR,
 *			  appflow_error(WF_VALIDATION),
 *			  errmsg("..."));
 *
 * IDENTIFICATION
 *	  src/record/errors.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_ERRORS_H
#define APPFLOW_ERRORS_H

#include "postgres.h"

typedef enum AppflowException
{
	WF_VALIDATION,				/* WF400 ValidationException */
	WF_AUTHENTICATION,			/* WF401 ConnectorAuthenticationException */
	WF_QUOTA,					/* WF402 ServiceQuotaExceededException */
	WF_ACCESS_DENIED,			/* WF403 AccessDeniedException */
	WF_NOT_FOUND,				/* WF404 ResourceNotFoundException */
	WF_UNSUPPORTED,				/* WF405 UnsupportedOperationException */
	WF_CONFLICT,				/* WF409 ConflictException */
	WF_THROTTLING,				/* WF429 ThrottlingException */
	WF_INTERNAL,				/* WF500 InternalServerException */
	WF_CONNECTOR				/* WF502 ConnectorServerException */
} AppflowException;

/* sets the SQLSTATE and DETAIL; for use inside ereport() */
extern int	appflow_error(AppflowException exception);

/* the same, with words of its own behind the exception's name in DETAIL */
extern int	appflow_error_detail(AppflowException exception, const char *fmt,...) pg_attribute_printf(2, 3);

/* "ValidationException", ... */
extern const char *appflow_exception_name(AppflowException exception);

/* the exception of a SQLSTATE, or NULL if it is none of ours */
extern const char *appflow_exception_of_sqlstate(int sqlstate);

#endif							/* APPFLOW_ERRORS_H */
