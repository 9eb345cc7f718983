/*-------------------------------------------------------------------------
 *
 * redshift_libpq.c
 *	  Statements of Amazon Redshift by its databaseUrl, which speaks PostgreSQL's
 *	  protocol.
 *
 * IDENTIFICATION
 *	  src/apps/redshift_libpq.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <libpq-fe.h>

#include "apps/redshift.h"
#include "compat.h"
#include "miscadmin.h"
#include "net/aws_service.h"
#include "net/http.h"
#include "net/net.h"
#include "net/policy.h"
#include "pgstat.h"
#include "record/errors.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

#define DEFAULT_PORT "5439"
#define SCHEME "jdbc:redshift:"

/* a name that no file can have */
#define NO_FILE "/dev/null/none"

typedef struct LibpqLink
{
	RedshiftLink base;
	Owned	   *connection;		/* a PGconn */
	const char *host;
} LibpqLink;

static void
free_connection(void *object)
{
	PQfinish((PGconn *) object);
	ReleaseExternalFD();
}

/* ---------- the URL ---------- */

typedef struct Address
{
	char	   *host;
	char	   *port;
	char	   *database;
	bool		plain;			/* ssl=false */
} Address;

/* jdbc:redshift[:iam]://host[:port]/database[?options or ;options] */
static Address
parse_url(const char *url, const char *profile)
{
	Address		address = {.port = DEFAULT_PORT};
	const char *p = strstr(url, "://");
	size_t		length;

	if (strncmp(url, SCHEME, strlen(SCHEME)) != 0 || p == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("databaseUrl of connector profile \"%s\" is not of the form jdbc:redshift://host:port/database", profile));
	p += 3;
	length = strcspn(p, ":/?;");
	address.host = pnstrdup(p, length);
	p += length;
	if (*p == ':')
	{
		length = strspn(++p, "0123456789");
		address.port = pnstrdup(p, length);
		p += length;
	}
	if (*p == '/')
	{
		length = strcspn(++p, "?;");
		address.database = pnstrdup(p, length);
		p += length;
	}
	address.plain = strstr(p, "ssl=false") != NULL;
	if (address.host[0] == '\0' || address.database == NULL || address.database[0] == '\0')
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("databaseUrl of connector profile \"%s\" lacks a host or a database", profile));
	return address;
}

/* ---------- waiting ---------- */

/* Wait for the socket; raises an error after the idle timeout. */
static void
wait_for(LibpqLink *link, int event, const char *what)
{
	int			result;

	CHECK_FOR_INTERRUPTS();
	result = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH | event,
							   PQsocket(link->connection->object), net_idle_timeout, PG_WAIT_EXTENSION);
	if (result & WL_LATCH_SET)
	{
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	if (result & WL_TIMEOUT)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("%s at \"%s\" was given up: the database did not answer in time", what, link->host));
}

static char *
words(const char *message)
{
	return aws_clean_line(message == NULL ? "" : message);
}

static AppflowException
exception_of(const char *sqlstate, const char *message)
{
	if ((sqlstate != NULL && strncmp(sqlstate, "28", 2) == 0) || strstr(message, "authentication failed") != NULL)
		return WF_AUTHENTICATION;
	return WF_CONNECTOR;
}

/* ---------- connecting ---------- */

static void
connect_to(LibpqLink *link, const char *profile)
{
	PGconn	   *connection = link->connection->object;
	PostgresPollingStatusType status;

	while ((status = PQconnectPoll(connection)) != PGRES_POLLING_OK)
	{
		if (status == PGRES_POLLING_FAILED)
		{
			char	   *message = words(PQerrorMessage(connection));

			ereport(ERROR,
					appflow_error(exception_of(NULL, message)),
					errmsg("could not connect to Redshift by connector profile \"%s\": %s", profile, message));
		}
		wait_for(link, status == PGRES_POLLING_READING ? WL_SOCKET_READABLE : WL_SOCKET_WRITEABLE, "the connection");
	}
	(void) PQsetnonblocking(connection, 1);
}

/* ---------- statements ---------- */

static WarehouseRows *
rows_of(const PGresult *result)
{
	WarehouseRows *rows = palloc0(sizeof(WarehouseRows));

	rows->ncolumns = PQnfields(result);
	rows->names = palloc(sizeof(char *) * Max(rows->ncolumns, 1));
	for (int i = 0; i < rows->ncolumns; i++)
		rows->names[i] = pstrdup(PQfname(result, i));
	for (int r = 0; r < PQntuples(result); r++)
	{
		char	  **row = palloc0(sizeof(char *) * Max(rows->ncolumns, 1));

		for (int i = 0; i < rows->ncolumns; i++)
		{
			if (!PQgetisnull(result, r, i))
				row[i] = pstrdup(PQgetvalue(result, r, i));
		}
		rows->rows = lappend(rows->rows, row);
	}
	return rows;
}

static void
free_result(void *object)
{
	PQclear((PGresult *) object);
}

static WarehouseRows *
libpq_query(RedshiftLink *base, const char *sql, const char *what)
{
	LibpqLink  *link = (LibpqLink *) base;
	PGconn	   *connection = link->connection->object;
	WarehouseRows *rows = palloc0(sizeof(WarehouseRows));
	Owned	   *owned;

	if (!PQsendQuery(connection, sql))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("could not send %s to Redshift: %s", what, words(PQerrorMessage(connection))));
	for (;;)
	{
		PGresult   *result;

		while (PQflush(connection) > 0)
			wait_for(link, WL_SOCKET_WRITEABLE, what);

		/* a load takes as long as it takes: the server is alive as long as the connection is */
		while (PQisBusy(connection))
		{
			int			event;

			CHECK_FOR_INTERRUPTS();
			event = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_EXIT_ON_PM_DEATH,
									  PQsocket(connection), -1, PG_WAIT_EXTENSION);
			if (event & WL_LATCH_SET)
			{
				ResetLatch(MyLatch);
				CHECK_FOR_INTERRUPTS();
			}
			if ((event & WL_SOCKET_READABLE) && !PQconsumeInput(connection))
				break;
		}
		owned = own_in_context(CurrentMemoryContext, free_result);
		owned->object = result = PQgetResult(connection);
		if (result == NULL)
			return rows;
		switch (PQresultStatus(result))
		{
			case PGRES_TUPLES_OK:
				rows = rows_of(result);
				break;
			case PGRES_COMMAND_OK:
				break;
			default:
				{
					char	   *message = words(PQresultErrorMessage(result));

					if (link->base.underway != NULL && PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL)
						*link->base.underway = 0;

					ereport(ERROR,
							appflow_error(exception_of(PQresultErrorField(result, PG_DIAG_SQLSTATE), message)),
							errmsg("Redshift refused %s: %s", what, message));
				}
		}
		own_release(owned);
	}
}

RedshiftLink *
redshift_connect(ConnectorSession *session, const char *url)
{
	LibpqLink  *link = palloc0(sizeof(LibpqLink));
	Address		address = parse_url(url, session->profile_name);

	/* libpq looks names up without heeding interrupts; and the policy is for the address that is connected to */
	char	   *found = http_find_address(address.host, address.port,
										  psprintf("redshift://%s:%s", address.host, address.port));
	bool		verified = net_ca_bundle[0] != '\0';

	/* files that the server's operating system user has for itself mean nothing here */
	const char *const parameters[][2] = {
		{"host", address.host},
		{"hostaddr", found},
		{"port", address.port},
		{"dbname", address.database},
		{"user", session->authenticator == NULL ? NULL : session->authenticator->user},
		{"password", session->authenticator == NULL ? NULL : session->authenticator->secret},
		{"passfile", NO_FILE},
		{"gssencmode", "disable"},
		{"sslmode", address.plain ? "disable" : verified ? "verify-full" : "require"},
		{"sslrootcert", verified ? net_ca_bundle : NO_FILE},
		{"sslcert", NO_FILE},
		{"application_name", "appflow"},
		{"client_encoding", "UTF8"},
		{"keepalives_idle", "60"},
	};
	const char *keys[lengthof(parameters) + 1] = {NULL};
	const char *values[lengthof(parameters) + 1] = {NULL};

	for (int i = 0; i < (int) lengthof(parameters); i++)
	{
		keys[i] = parameters[i][0];
		values[i] = parameters[i][1];
	}
	if (address.plain && policy_name_place(strchr(found, ':') == NULL ? found : psprintf("[%s]", found)) == POLICY_PUBLIC)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("databaseUrl of connector profile \"%s\" asks for no TLS (ssl=false)", session->profile_name),
				errhint("A password does not go over the Internet in clear."));
	link->base.query = libpq_query;
	link->host = address.host;
	link->connection = own_in_context(session->context, free_connection);
	if (!AcquireExternalFD())
		ereport(ERROR,
				errcode(ERRCODE_TOO_MANY_CONNECTIONS),
				errmsg("too many open file descriptors for a connection to Redshift"));
	link->connection->object = PQconnectStartParams(keys, values, 0);
	if (link->connection->object == NULL)
	{
		ReleaseExternalFD();
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	}
	connect_to(link, session->profile_name);
	return &link->base;
}
