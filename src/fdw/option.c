/*-------------------------------------------------------------------------
 *
 * option.c
 *	  Options of servers, tables and columns.
 *
 * No option holds a secret: credentials are the connector profile's.
 *
 * IDENTIFICATION
 *	  src/fdw/option.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "catalog/object_store.h"
#include "commands/defrem.h"
#include "fdw/fdw.h"
#include "flow/session.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

/* as postgres_fdw: what it costs to ask at all, and for each row */
#define DEFAULT_STARTUP_COST 100.0
#define DEFAULT_TUPLE_COST 0.2
#define DEFAULT_ANALYZE_ROWS 100000

typedef enum OptionForm
{
	TAKES_TEXT,
	TAKES_BOOLEAN,
	TAKES_COST,					/* a number, not negative */
	TAKES_COUNT,				/* an integer from 1 on */
	TAKES_CONNECTOR_TYPE,
	TAKES_FORMAT
} OptionForm;

#define OF_SERVER	0x01
#define OF_TABLE	0x02
#define OF_COLUMN	0x04

static const struct
{
	const char *name;
	int			of;
	OptionForm	form;
}			known_options[] = {
	{"analyze_rows", OF_SERVER | OF_TABLE, TAKES_COUNT},
	{"api_version", OF_SERVER, TAKES_TEXT},
	{"async_capable", OF_SERVER | OF_TABLE, TAKES_BOOLEAN},
	{"batch_size", OF_SERVER | OF_TABLE, TAKES_COUNT},
	{"bucket", OF_SERVER | OF_TABLE, TAKES_TEXT},
	{"connector_profile", OF_SERVER, TAKES_TEXT},
	{"connector_type", OF_SERVER, TAKES_CONNECTOR_TYPE},
	{"entity", OF_TABLE, TAKES_TEXT},
	{"fdw_startup_cost", OF_SERVER | OF_TABLE, TAKES_COST},
	{"fdw_tuple_cost", OF_SERVER | OF_TABLE, TAKES_COST},
	{"field", OF_COLUMN, TAKES_TEXT},
	{"format", OF_SERVER | OF_TABLE, TAKES_FORMAT},
	{"key", OF_COLUMN, TAKES_BOOLEAN},
	{"page_size", OF_SERVER | OF_TABLE, TAKES_COUNT},
	{"parallel_safe", OF_SERVER | OF_TABLE, TAKES_BOOLEAN},
	{"prefix", OF_TABLE, TAKES_TEXT},
	{"rows", OF_TABLE, TAKES_COUNT},
	{"updatable", OF_SERVER | OF_TABLE, TAKES_BOOLEAN},
	{"upsert", OF_SERVER | OF_TABLE, TAKES_BOOLEAN},
};

PG_FUNCTION_INFO_V1(appflow_fdw_validator);

/* ---------- the validator ---------- */

/* " near the name given, or all of them */
static char *
name_hint(const char *name, int of)
{
	const char *nearest = NULL;
	int			best = Max((int) strlen(name) / 2, 1);
	StringInfoData all;

	initStringInfo(&all);
	for (int i = 0; i < (int) lengthof(known_options); i++)
	{
		const char *known = known_options[i].name;
		int			distance;

		if ((known_options[i].of & of) == 0)
			continue;
		appendStringInfo(&all, "%s%s", all.len > 0 ? ", " : "", known);
		if (strlen(name) > 255)
			continue;
		distance = varstr_levenshtein_less_equal(name, strlen(name), known, strlen(known), 1, 1, 1, best, true);
		if (distance <= best && (nearest == NULL || distance < best))
		{
			best = distance;
			nearest = known;
		}
	}
	if (nearest != NULL)
		return psprintf("Perhaps you mean \"%s\". Valid options are: %s.", nearest, all.data);
	return psprintf("Valid options are: %s.", all.data);
}

static void
check_value(const DefElem *def, OptionForm form)
{
	char	   *value = defGetString((DefElem *) def);
	const ConnectorTraits *traits;
	double		number;
	int64		count;
	bool		flag;
	char	   *end;

	switch (form)
	{
		case TAKES_TEXT:
			if (value[0] == '\0')
				ereport(ERROR,
						errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
						errmsg("option \"%s\" must not be empty", def->defname));
			break;
		case TAKES_BOOLEAN:
			if (!parse_bool(value, &flag))
				ereport(ERROR,
						errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
						errmsg("option \"%s\" must be true or false, not \"%s\"", def->defname, value));
			break;
		case TAKES_COST:
			errno = 0;
			number = strtod(value, &end);
			if (end == value || *end != '\0' || errno != 0 || !(number >= 0 && number <= 1e15))
				ereport(ERROR,
						errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
						errmsg("option \"%s\" must be a number that is not negative, not \"%s\"", def->defname, value));
			break;
		case TAKES_COUNT:
			errno = 0;
			count = strtoll(value, &end, 10);
			if (end == value || *end != '\0' || errno != 0 || count < 1 || count > PG_INT32_MAX)
				ereport(ERROR,
						errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
						errmsg("option \"%s\" must be an integer from 1 on, not \"%s\"", def->defname, value));
			break;
		case TAKES_CONNECTOR_TYPE:
			traits = connector_traits_find(value);
			if (traits == NULL)
				ereport(ERROR,
						errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
						errmsg("\"%s\" is not a connector type", value),
						errhint("S3 is the one that needs no connector profile."));
			break;
		case TAKES_FORMAT:
			if (pg_strcasecmp(value, "csv") != 0 && pg_strcasecmp(value, "json") != 0)
				ereport(ERROR,
						errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
						errmsg("option \"%s\" must be csv or json, not \"%s\"", def->defname, value));
			break;
	}
}

/* a server is over a profile, or over S3 */
static void
check_server(List *options)
{
	const char *profile = NULL;
	const char *type = NULL;
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst(lc);

		if (strcmp(def->defname, "connector_profile") == 0)
			profile = defGetString(def);
		else if (strcmp(def->defname, "connector_type") == 0)
			type = defGetString(def);
	}
	if (profile == NULL && type == NULL)
		ereport(ERROR,
				errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				errmsg("a server needs the option \"connector_profile\""),
				errhint("For object stores, which have no profiles, give connector_type 'S3' instead."));
	if (profile == NULL && connector_traits_type(connector_traits_find(type)) != CONNECTOR_S3)
		ereport(ERROR,
				errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				errmsg("a server of connector type %s needs the option \"connector_profile\"", type));
}

/*
 * appflow_fdw_validator(options text[], catalog oid) returns void
 */
Datum
appflow_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	int			of = catalog == ForeignServerRelationId ? OF_SERVER :
		catalog == ForeignTableRelationId ? OF_TABLE :
		catalog == AttributeRelationId ? OF_COLUMN : 0;
	const char *thing = of == OF_SERVER ? "server" : of == OF_TABLE ? "foreign table" :
		of == OF_COLUMN ? "column" : catalog == UserMappingRelationId ? "user mapping" : "foreign-data wrapper";
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst(lc);
		int			i;

		for (i = 0; i < (int) lengthof(known_options); i++)
		{
			if ((known_options[i].of & of) && strcmp(known_options[i].name, def->defname) == 0)
				break;
		}
		if (i < (int) lengthof(known_options))
			check_value(def, known_options[i].form);
		else if (of == 0)
			ereport(ERROR,
					errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					errmsg("a %s of appflow_fdw has no options", thing),
					errhint("Credentials are kept, sealed, in connector profiles: see appflow.create_connector_profile()."));
		else
			ereport(ERROR,
					errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					errmsg("a %s of appflow_fdw has no option \"%s\"", thing, def->defname),
					errhint("%s", name_hint(def->defname, of)));
	}
	if (of == OF_SERVER)
		check_server(options);
	PG_RETURN_VOID();
}

/* ---------- what options say ---------- */

static char *
find_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst(lc);

		if (strcmp(def->defname, name) == 0)
			return defGetString(def);
	}
	return NULL;
}

/* the table's own word, or its server's */
static char *
either_option(List *table, List *server, const char *name)
{
	char	   *value = find_option(table, name);

	return value != NULL ? value : find_option(server, name);
}

char *
fdw_option_value(Oid relid, const char *name)
{
	ForeignTable *table = GetForeignTable(relid);

	return either_option(table->options, GetForeignServer(table->serverid)->options, name);
}

static void
read_options(TableOptions *options, List *table, List *server)
{
	char	   *value;
	bool		flag;

	options->profile = find_option(server, "connector_profile");
	options->connector_type = find_option(server, "connector_type");
	if (options->connector_type == NULL)
		options->connector_type = connector_traits[CONNECTOR_CUSTOM].type;
	else
		options->connector_type = connector_traits_find(options->connector_type)->type;
	options->api_version = find_option(server, "api_version");
	options->entity = find_option(table, "entity");
	options->bucket = either_option(table, server, "bucket");
	options->prefix = find_option(table, "prefix");
	value = either_option(table, server, "format");
	options->format = value != NULL && pg_strcasecmp(value, "csv") == 0 ? "CSV" : "JSON";
	value = either_option(table, server, "fdw_startup_cost");
	options->startup_cost = value ? strtod(value, NULL) : DEFAULT_STARTUP_COST;
	value = either_option(table, server, "fdw_tuple_cost");
	options->tuple_cost = value ? strtod(value, NULL) : DEFAULT_TUPLE_COST;
	value = find_option(table, "rows");
	options->rows = value ? strtod(value, NULL) : -1;
	value = either_option(table, server, "page_size");
	options->page_size = value ? atoi(value) : 0;
	value = either_option(table, server, "analyze_rows");
	options->analyze_rows = value ? atoi(value) : DEFAULT_ANALYZE_ROWS;
	value = either_option(table, server, "async_capable");
	options->async_capable = value != NULL && parse_bool(value, &flag) && flag;
}

TableOptions *
fdw_server_options(Oid serverid)
{
	ForeignServer *server = GetForeignServer(serverid);
	TableOptions *options = palloc0(sizeof(TableOptions));

	options->serverid = serverid;
	options->server = server->servername;
	read_options(options, NIL, server->options);
	return options;
}

TableOptions *
fdw_table_options(Oid relid)
{
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);
	TableOptions *options = palloc0(sizeof(TableOptions));

	options->relid = relid;
	options->serverid = table->serverid;
	options->table = get_rel_name(relid);
	options->server = server->servername;
	read_options(options, table->options, server->options);
	if (options->profile == NULL)
	{
		if (options->bucket == NULL)
			ereport(ERROR,
					errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
					errmsg("foreign table \"%s\" needs the option \"bucket\"", options->table));
		options->entity = NULL;
	}
	else if (options->entity == NULL)
		ereport(ERROR,
				errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				errmsg("foreign table \"%s\" needs the option \"entity\"", options->table));
	return options;
}

const char *
fdw_entity_name(const TableOptions *options)
{
	if (options->entity != NULL)
		return options->entity;
	return psprintf("s3://%s/%s", options->bucket, options->prefix ? options->prefix : "");
}

char *
fdw_column_field(Relation rel, AttrNumber attnum)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	char	   *field;

	if (attr->attisdropped)
		return NULL;
	field = find_option(GetForeignColumnOptions(RelationGetRelid(rel), attnum), "field");
	if (field == NULL && attr->attgenerated == '\0')
		field = pstrdup(NameStr(attr->attname));
	return field;
}

bool
fdw_column_is_key(Oid relid, AttrNumber attnum)
{
	char	   *value = find_option(GetForeignColumnOptions(relid, attnum), "key");
	bool		key;

	return value != NULL && parse_bool(value, &key) && key;
}

/* ---------- sessions ---------- */

ConnectorSession *
fdw_session_open(const TableOptions *options, Oid role)
{
	ConnectorSession *session;
	MemoryContext old;

	if (options->profile != NULL)
		return session_open(options->connector_type, options->profile, options->api_version, role);
	session = session_open(options->connector_type, NULL, NULL, role);
	old = MemoryContextSwitchTo(session->context);
	session->store = object_store_for_bucket_as(options->bucket, role);
	MemoryContextSwitchTo(old);
	return session;
}
