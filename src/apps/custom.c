/*-------------------------------------------------------------------------
 *
 * custom.c
 *	  Custom connectors, which are SQL functions of this database or functions of
 *	  AWS Lambda: calls of AppFlow's Lambda protocol.
 *
 * A SQL function runs as the owner of the registration, whoever uses it, never
 * with more rights, now or later; a Lambda function is invoked with the server's AWS
 * identity if that role may use it.  Credentials are not in the requests: as with Lambda, a
 * request names a secret, and the function fetches it while it answers.
 *
 * IDENTIFICATION
 *	  src/apps/custom.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/custom.h"
#include "apps/lambda.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(appflow_connector_credentials);

#define FUNCTION_PREFIX "arn:aws:postgresql:"

/* the secret of the call that goes on */
static const CustomSecret *current_secret = NULL;

/* the name behind "arn:aws:postgresql:<region>:<account>:function:", or NULL */
static const char *
name_in_arn(const char *arn)
{
	const char *name;

	if (strncmp(arn, FUNCTION_PREFIX, strlen(FUNCTION_PREFIX)) != 0)
		return NULL;
	name = strstr(arn, ":function:");
	return name == NULL ? NULL : name + strlen(":function:");
}

char *
custom_function_name(Oid function)
{
	return quote_qualified_identifier(get_namespace_name(get_func_namespace(function)), get_func_name(function));
}

static void
check_signature(Oid function, const char *name)
{
	if (get_func_rettype(function) != JSONBOID || get_func_retset(function) ||
		get_func_prokind(function) != PROKIND_FUNCTION)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("function %s is not (request jsonb) RETURNS jsonb", name));
}

static Oid
sql_function(const char *arn, Oid role)
{
	const char *name = name_in_arn(arn);
	Oid			argument = JSONBOID;
	Oid			function;
	List	   *names;
	Oid			user;
	int			security;

	if (name == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("lambdaArn \"%s\" names no function", arn),
				errhint("A SQL function is named %s<region>:<account>:function:schema.name, see appflow.function_arn(); "
						"one of AWS Lambda arn:aws:lambda:<region>:<account>:function:name.", FUNCTION_PREFIX));
	names = qualified_name_list(name);
	if (list_length(names) != 2)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("function name \"%s\" is not of the form schema.name", name));

	/* the schema must be open to the role too; an error restores the user */
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(role, security | SECURITY_LOCAL_USERID_CHANGE);
	function = LookupFuncName(names, 1, &argument, true);
	SetUserIdAndSecContext(user, security);
	if (!OidIsValid(function))
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("function %s(jsonb) does not exist", name));
	if (function_aclcheck(function, role) != ACLCHECK_OK)
		ereport(ERROR,
				appflow_error(WF_ACCESS_DENIED),
				errmsg("role \"%s\" may not call function %s", GetUserNameFromId(role, false), name));
	check_signature(function, name);
	return function;
}

CustomFunction
custom_function(const char *arn, Oid role)
{
	CustomFunction function = {0};

	if (lambda_is_arn(arn))
	{
		lambda_check(arn, role);
		function.lambda = arn;
	}
	else
		function.oid = sql_function(arn, role);
	return function;
}

/* as messages name it */
static const char *
shown_name(CustomFunction function)
{
	return function.lambda ? function.lambda : custom_function_name(function.oid);
}

void
custom_invalid_answer(CustomFunction function, const char *type, const char *reason)
{
	ereport(ERROR,
			appflow_error_detail(WF_CONNECTOR, "%s to function %s: %s", type, shown_name(function), reason),
			errmsg("Error while communicating to connector: Got error from connector. "
				   "No valid response and error details found in the connector response."));
}

/* an error that is not the function's own: the call was cancelled, or the server goes down */
static bool
is_interruption(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_OPERATOR_INTERVENTION ||
		ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_INSUFFICIENT_RESOURCES;
}

/* the answer, or NULL for SQL null; errors of the function are told as those of a connector */
static Jsonb *
call_sql(Oid function, Oid role, const char *type, Jsonb *request, const CustomSecret *secret)
{
	LOCAL_FCINFO(fcinfo, 1);
	FmgrInfo	flinfo;
	MemoryContext context = CurrentMemoryContext;
	const CustomSecret *outer = current_secret;
	bool		snapshot = !ActiveSnapshotSet();
	Jsonb	   *volatile answer = NULL;
	Oid			user;
	int			security;
	int			settings = NewGUCNestLevel();

	if (snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());

	/*
	 * Called for somebody else, it must not leave anything behind that is
	 * carried out later with that one's rights, such as deferred triggers.
	 */
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(role, security | SECURITY_LOCAL_USERID_CHANGE |
						   (role != user ? SECURITY_RESTRICTED_OPERATION : 0));
	current_secret = secret;
	PG_TRY();
	{
		Datum		result;

		fmgr_info(function, &flinfo);
		InitFunctionCallInfoData(*fcinfo, &flinfo, 1, InvalidOid, NULL, NULL);
		fcinfo->args[0].value = JsonbPGetDatum(request);
		fcinfo->args[0].isnull = false;
		result = FunctionCallInvoke(fcinfo);
		if (!fcinfo->isnull)
			answer = DatumGetJsonbPCopy(result);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		current_secret = outer;
		SetUserIdAndSecContext(user, security);
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (is_interruption(error->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "%s to function %s, SQLSTATE %s", type,
									 custom_function_name(function), unpack_sql_state(error->sqlerrcode)),
				errmsg("Error while communicating to connector: Got error from connector. %s", error->message));
	}
	PG_END_TRY();
	current_secret = outer;
	AtEOXact_GUC(false, settings);
	SetUserIdAndSecContext(user, security);
	if (snapshot)
		PopActiveSnapshot();
	return answer;
}

void
custom_raise(CustomFunction function, const char *type, Jsonb *answer)
{
	Jsonb	   *details = jsonb_get_container(answer, "errorDetails");
	char	   *code = jsonb_get_text(details, "errorCode");
	char	   *message = jsonb_get_text(details, "errorMessage");
	AppflowException exception = WF_CONNECTOR;

	if (code == NULL || message == NULL)
		custom_invalid_answer(function, type, "isSuccess is false, and errorDetails have no errorCode and errorMessage");
	if (strcmp(code, "InvalidCredentials") == 0 || strcmp(type, "ValidateCredentialsRequest") == 0)
		exception = WF_AUTHENTICATION;
	else if (strcmp(code, "InvalidArgument") == 0)
		exception = WF_VALIDATION;
	if (strcmp(type, "ValidateCredentialsRequest") == 0)
		ereport(ERROR,
				appflow_error_detail(exception, "%s to function %s", type, shown_name(function)),
				errmsg("Error authenticating to connector: Failed to validate Connection while attempting "
					   "\"ValidateCredentials with CustomConnector\" with connector failure %s: %s", code, message));
	ereport(ERROR,
			appflow_error_detail(exception, "%s to function %s", type, shown_name(function)),
			errmsg("Error while communicating to connector: Got error from connector. %s: %s", code, message));
}

Jsonb *
custom_ask(CustomFunction function, Oid role, const char *type, Jsonb *request, const CustomSecret *secret,
		   bool repeatable)
{
	Jsonb	   *answer = function.lambda ? lambda_invoke(function.lambda, type, request, repeatable) :
		call_sql(function.oid, role, type, request, secret);
	JsonbValue	value;

	if (answer == NULL)
		custom_invalid_answer(function, type, function.lambda ? "the answer is no JSON" : "the function returned null");
	if (!JB_ROOT_IS_OBJECT(answer))
		custom_invalid_answer(function, type, "the answer is not an object");
	if (getKeyJsonValueFromContainer(&answer->root, "isSuccess", strlen("isSuccess"), &value) == NULL ||
		value.type != jbvBool)
		custom_invalid_answer(function, type, "the answer has no boolean isSuccess");
	return answer;
}

Jsonb *
custom_call(CustomFunction function, Oid role, const char *type, Jsonb *request, const CustomSecret *secret)
{
	Jsonb	   *answer = custom_ask(function, role, type, request, secret, true);

	if (!jsonb_get_bool(answer, "isSuccess", false))
		custom_raise(function, type, answer);
	return answer;
}

/*
 * appflow.connector_credentials(secret_arn text) returns jsonb
 *
 * The secret that the request names, for the function that answers it.
 */
Datum
appflow_connector_credentials(PG_FUNCTION_ARGS)
{
	char	   *arn = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (current_secret == NULL || strcmp(current_secret->arn, arn) != 0)
		ereport(ERROR,
				appflow_error(WF_ACCESS_DENIED),
				errmsg("secret \"%s\" is not one of the request that is being answered", arn),
				errhint("Only a function that is a connector gets credentials, while it answers a request."));
	PG_RETURN_JSONB_P(current_secret->body);
}
