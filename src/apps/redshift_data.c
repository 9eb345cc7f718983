/*-------------------------------------------------------------------------
 *
 * redshift_data.c
 *	  Statements of Amazon Redshift by the Data API, in one session.
 *
 * IDENTIFICATION
 *	  src/apps/redshift_data.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/aws_target.h"
#include "apps/redshift.h"
#include "miscadmin.h"
#include "net/aws.h"
#include "net/aws_service.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/fmgrprotos.h"
#include "utils/uuid.h"

#define NAME "Amazon Redshift"
#define SESSION_SECONDS 3600
#define MAX_POLL 2000			/* ms between two looks */

typedef struct DataLink
{
	RedshiftLink base;
	AwsTarget  *target;
	Jsonb	   *properties;		/* of the profile */
	char	   *session_id;		/* NULL: no statement was sent yet */
} DataLink;

static Jsonb *
call(DataLink *link, const char *action, const char *body, const char *what)
{
	return aws_target_fetch(link->target, aws_target_call(link->target, "POST", "/",
		psprintf("RedshiftData.%s", action), body, strlen(body), true), what);
}

static void
append_member(StringInfo out, const char *key, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(out, "%s\"%s\":", out->len > 1 ? "," : "", key);
	escape_json(out, value);
}

/* the statement's id */
static char *
execute(DataLink *link, const char *sql, const char *what)
{
	StringInfoData body;
	Jsonb	   *answer;
	char	   *session;

	initStringInfo(&body);
	appendStringInfoChar(&body, '{');
	append_member(&body, "Sql", sql);
	append_member(&body, "ClientToken", DatumGetCString(DirectFunctionCall1(uuid_out,
		DirectFunctionCall1(gen_random_uuid, (Datum) 0))));
	if (link->session_id != NULL)
		append_member(&body, "SessionId", link->session_id);
	else
	{
		append_member(&body, "Database", jsonb_get_text(link->properties, "databaseName"));
		append_member(&body, "ClusterIdentifier", jsonb_get_text(link->properties, "clusterIdentifier"));
		append_member(&body, "WorkgroupName", jsonb_get_text(link->properties, "workgroupName"));
		appendStringInfo(&body, ",\"SessionKeepAliveSeconds\":%d", SESSION_SECONDS);
	}
	appendStringInfoChar(&body, '}');
	answer = call(link, "ExecuteStatement", body.data, what);
	session = jsonb_get_text(answer, "SessionId");
	if (link->session_id == NULL && session != NULL)
		link->session_id = MemoryContextStrdup(GetMemoryChunkContext(link), session);
	return jsonb_get_text(answer, "Id");
}

/* a value in a row: {"stringValue": "x"}, {"longValue": 1}, {"isNull": true} ... */
static char *
value_of(Jsonb *cell)
{
	char	   *key;
	char	   *text;
	Jsonb	   *value;

	if (!jsonb_get_only(cell, &key, &value, &text) || strcmp(key, "isNull") == 0)
		return NULL;
	return text;
}

static WarehouseRows *
fetch_rows(DataLink *link, const char *id, const char *what)
{
	WarehouseRows *result = palloc0(sizeof(WarehouseRows));
	char	   *token = NULL;

	do
	{
		StringInfoData body;
		Jsonb	   *answer;
		ListCell   *lc;

		CHECK_FOR_INTERRUPTS();
		initStringInfo(&body);
		appendStringInfoChar(&body, '{');
		append_member(&body, "Id", id);
		append_member(&body, "NextToken", token);
		appendStringInfoChar(&body, '}');
		answer = call(link, "GetStatementResult", body.data, what);
		if (result->names == NULL)
		{
			List	   *columns = jsonb_array_containers(jsonb_get_container(answer, "ColumnMetadata"));

			result->ncolumns = list_length(columns);
			result->names = palloc(sizeof(char *) * Max(result->ncolumns, 1));
			foreach(lc, columns)
			{
				char	   *name = jsonb_get_text(lfirst(lc), "name");

				result->names[foreach_current_index(lc)] = name == NULL ? "" : name;
			}
		}
		foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "Records")))
		{
			char	  **row = palloc0(sizeof(char *) * Max(result->ncolumns, 1));
			ListCell   *cell;

			foreach(cell, jsonb_array_containers(lfirst(lc)))
			{
				if (foreach_current_index(cell) < result->ncolumns)
					row[foreach_current_index(cell)] = value_of(lfirst(cell));
			}
			result->rows = lappend(result->rows, row);
		}
		token = aws_next_token(answer, "NextToken", token, NAME, what);
	} while (token != NULL);
	return result;
}

/* a statement that the service has begun */
typedef struct Statement
{
	DataLink   *link;
	char	   *id;
	char	   *body;			/* of requests about it */
	bool		running;		/* nothing says that it is not */
} Statement;

static void
stop_statement(void *arg)
{
	Statement  *statement = arg;
	HttpCall   *cancel = aws_target_call(statement->link->target, "POST", "/", "RedshiftData.CancelStatement",
										 statement->body, strlen(statement->body), false);

	cancel->max_retries = 0;
	cancel->connect_timeout = cancel->idle_timeout = WAREHOUSE_STOP_TIMEOUT;
	(void) http_try_wait(cancel);
	http_close(cancel);
}

/* wait for its end; the rows that it gives */
static WarehouseRows *
await_statement(Statement *statement, const char *what)
{
	DataLink   *link = statement->link;
	int64		pause = 50;

	for (;;)
	{
		Jsonb	   *answer = call(link, "DescribeStatement", statement->body, what);
		char	   *status = jsonb_get_text(answer, "Status");
		char	   *error = jsonb_get_text(answer, "Error");

		if (status == NULL || strcmp(status, "FINISHED") == 0 || strcmp(status, "FAILED") == 0 || strcmp(status, "ABORTED") == 0)
			statement->running = false;
		if (status != NULL && strcmp(status, "FINISHED") == 0)
		{
			if (jsonb_get_bool(answer, "HasResultSet", false))
				return fetch_rows(link, statement->id, what);
			return palloc0(sizeof(WarehouseRows));
		}
		if (status != NULL && link->base.underway != NULL && (strcmp(status, "FAILED") == 0 || strcmp(status, "ABORTED") == 0))
			*link->base.underway = 0;
		if (status == NULL || strcmp(status, "FAILED") == 0 || strcmp(status, "ABORTED") == 0)
			ereport(ERROR,
					appflow_error(error != NULL && strstr(error, "password authentication") != NULL ?
								  WF_AUTHENTICATION : WF_CONNECTOR),
					errmsg(NAME " refused %s: %s", what, error == NULL ? "the statement was stopped" : aws_shown(error)));
		http_pause(pause);
		pause = Min(pause * 2, MAX_POLL);
	}
}

static WarehouseRows *
data_query(RedshiftLink *base, const char *sql, const char *what)
{
	MemoryContext context = CurrentMemoryContext;
	Statement  *statement = palloc0(sizeof(Statement));
	WarehouseRows *rows;
	StringInfoData body;

	statement->link = (DataLink *) base;
	statement->id = execute(statement->link, sql, what);
	initStringInfo(&body);
	appendStringInfoString(&body, "{\"Id\":");
	escape_json(&body, statement->id == NULL ? "" : statement->id);
	appendStringInfoChar(&body, '}');
	statement->body = body.data;
	statement->running = true;
	PG_TRY();
	{
		rows = await_statement(statement, what);
	}
	PG_CATCH();
	{
		if (statement->running)
			warehouse_stop(context, stop_statement, statement);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return rows;
}

RedshiftLink *
redshift_data_api(ConnectorSession *session)
{
	DataLink   *link = palloc0(sizeof(DataLink));
	char	   *role = jsonb_get_text(session->profile_properties, "dataApiRoleArn");

	link->base.query = data_query;
	link->properties = session->profile_properties;
	link->target = aws_target_open(NAME, "redshift-data", "redshift-data", aws_redshift_data_endpoint, NULL, session->role);
	if (role != NULL)
		link->target->signer.credentials = aws_role_credentials(role);
	return &link->base;
}
