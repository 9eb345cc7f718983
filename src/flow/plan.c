/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  Compiles a flow definition: its two ends, then its tasks.
 *
 * IDENTIFICATION
 *	  src/flow/plan.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/glue.h"
#include "catalog/profile.h"
#include "flow/plan.h"
#include "flow/pull_window.h"
#include "flow/session.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/formatting.h"

#define problem(problems, ...) compile_problem(problems, "", __VA_ARGS__)

void
compile_problem(List **problems, const char *prefix, const char *fmt,...)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, prefix);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&text, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&text, needed);
	}
	*problems = lappend(*problems, text.data);
}

/*
 * The connector's own properties lie under its key in
 * source/destinationConnectorProperties.
 */
static Jsonb *
own_properties(Jsonb *properties, const ConnectorTraits *traits)
{
	ListCell   *lc;

	foreach(lc, jsonb_keys(properties))
	{
		char	   *key = lfirst(lc);

		if (connector_traits_find(key) == traits)
			return jsonb_get_container(properties, key);
	}
	return NULL;
}

/* the profile, which the user may use; false if it is one of another connector type */
static bool
find_profile(FlowEnd *end, const char *path, List **problems)
{
	const char *type = connector_traits[CONNECTOR_CUSTOM].type;

	if (strcmp(end->profile, POSTGRESQL_LABEL) == 0)
	{
		end->connector_label = POSTGRESQL_LABEL;
		end->connector = app_find(end->connector_type, POSTGRESQL_LABEL);
	}
	else
	{
		ProfileRow *profile = profile_use(end->profile, HOLD_NOT);

		end->has_profile = true;
		end->connector_label = profile->connector_label;
		type = profile->connector_type;
		end->connector = connector_of_profile(profile);
		if (profile->connector_label != NULL)
		{
			ConnectorRow *row = connector_get(profile->connector_label, HOLD_NOT);

			end->configuration = row == NULL ? NULL : row->configuration;
		}
	}
	if (strcmp(type, end->connector_type) == 0)
		return true;
	problem(problems, "%s.connectorProfileName: profile \"%s\" is one of %s, not of %s", path, end->profile,
			type, end->connector_type);
	return false;
}

static void
require_connector(const FlowEnd *end)
{
	if (end->connector == NULL)
		session_refuse(end->profile, end->connector_label);
}

static void
require_bucket(const FlowEnd *end)
{
	if (end->connector->bucket != NULL && end->bucket[0] == '\0')
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("there is no bucket yet for records that go to %s", end->connector_type),
				errhint("A superuser names it with appflow.%s_bucket.", asc_tolower(end->connector_type, strlen(end->connector_type))));
}

/* connectors whose records are objects of a bucket */
static bool
is_bucket(const ConnectorTraits *traits)
{
	return connector_traits_type(traits) == CONNECTOR_S3 || connector_traits_type(traits) == CONNECTOR_UPSOLVER;
}

static void
compile_end(FlowEnd *end, Jsonb *config, const char *path, const char *properties_key,
			List **problems)
{
	char	   *type = jsonb_get_text(config, "connectorType");

	end->profile = jsonb_get_text(config, "connectorProfileName");
	end->api_version = jsonb_get_text(config, "apiVersion");
	if (type == NULL)
	{
		problem(problems, "%s.connectorType is missing", path);
		return;
	}
	end->traits = connector_traits_find(type);
	if (end->traits == NULL)
	{
		problem(problems, "%s.connectorType \"%s\" is not known", path, type);
		return;
	}
	end->connector_type = end->traits->type;

	if (end->profile == NULL && end->traits->needs_profile)
	{
		problem(problems, "%s.connectorProfileName is missing: %s needs a connector profile%s", path, end->traits->type,
				connector_traits_type(end->traits) == CONNECTOR_CUSTOM ?
				" (\"" POSTGRESQL_LABEL "\" for tables of this database)" : "");
		return;
	}
	if (end->traits->needs_profile && !find_profile(end, path, problems))
		return;
	if (!end->traits->needs_profile)
		end->connector = app_find(end->connector_type, NULL);

	end->properties = own_properties(jsonb_get_container(config, properties_key), end->traits);
	if (end->properties == NULL)
	{
		problem(problems, "%s.%s.%s is missing", path, properties_key, end->traits->key);
		return;
	}
	end->entity = jsonb_get_text(end->properties, "entityName");
	if (end->entity == NULL)
		end->entity = jsonb_get_text(end->properties, "object");
	if (end->entity == NULL)
		end->entity = jsonb_get_text(end->properties, "objectPath");
	if (end->entity == NULL)
		end->entity = jsonb_get_text(end->properties, "domainName");
	if (is_bucket(end->traits))
	{
		end->bucket = jsonb_get_text(end->properties, "bucketName");
		if (end->bucket == NULL || end->bucket[0] == '\0')
			problem(problems, "%s.%s.%s.bucketName is missing", path, properties_key, end->traits->key);
	}
	else if (end->connector != NULL && end->connector->bucket != NULL)
		end->bucket = pstrdup(end->connector->bucket());
	else if (end->connector != NULL)
	{
		bool		as_source = strcmp(properties_key, "sourceConnectorProperties") == 0;

		if (end->entity == NULL || end->entity[0] == '\0')
			problem(problems, "%s.%s.%s.%s is missing", path, properties_key, end->traits->key,
					connector_traits_type(end->traits) == CONNECTOR_CUSTOM ? "entityName" : "object");
		if (end->connector->staged)
			end->bucket = jsonb_get_text(end->properties, "intermediateBucketName");
		if (end->connector->check_properties != NULL)
		{
			ListCell   *lc;

			foreach(lc, end->connector->check_properties(end->properties, as_source))
				problem(problems, "%s.%s.%s.%s", path, properties_key, end->traits->key, (char *) lfirst(lc));
		}
	}
}

bool
plan_brings_files(const FlowPlan *plan)
{
	const Connector *source = plan->source.connector;

	return source != NULL && source->brings_files != NULL && plan->source.properties != NULL &&
		source->brings_files(plan->source.properties);
}

/* what source and destination can be together */
static void
check_pair(const FlowPlan *plan, Jsonb *definition, List **problems)
{
	const ConnectorTraits *source = plan->source.traits;
	const ConnectorTraits *destination = plan->destination.traits;
	char	   *trigger = jsonb_get_text(jsonb_get_container(definition, "triggerConfig"), "triggerType");
	int			triggers = connector_pair_triggers(source, destination);

	/* changes of tables are events, those of other custom connectors are not heard of */
	if (plan->source.profile != NULL && strcmp(plan->source.profile, POSTGRESQL_LABEL) == 0)
		triggers |= destination->destination_triggers & TRIGGER_EVENT;
	if (!jsonb_get_bool(plan->source.configuration, "canUseAsSource", true))
		problem(problems, "connector %s cannot be a source", plan->source.connector_label);
	if (!jsonb_get_bool(plan->destination.configuration, "canUseAsDestination", true))
		problem(problems, "connector %s cannot be a destination", plan->destination.connector_label);
	if (!source->source)
		problem(problems, "%s cannot be a source", source->type);
	else if (!destination->destination)
		problem(problems, "%s cannot be a destination", destination->type);
	else if (!connector_may_feed(source, destination))
		problem(problems, "records of %s cannot go to %s", source->type, destination->type);
	if (plan_brings_files(plan) && plan->destination.connector != NULL && !plan->destination.connector->takes_files)
		problem(problems, "files of %s cannot go to %s, only to S3", source->type, destination->type);
	for (int i = 0; trigger != NULL && i < (int) lengthof(trigger_names); i++)
	{
		if (pg_strcasecmp(trigger, trigger_names[i]) == 0 &&
			(triggers & (1 << i)) == 0)
			problem(problems, "triggerType %s is not supported for flows from %s to %s",
					trigger_names[i], source->type, destination->type);
	}
}

static const struct
{
	const char *name;
	WriteOperation operation;
}			write_operations[] = {
	{"INSERT", WRITE_INSERT},
	{"UPSERT", WRITE_UPSERT},
	{"UPDATE", WRITE_UPDATE},
	{"DELETE", WRITE_DELETE},
};

static bool
has_text(Jsonb *array, const char *text)
{
	ListCell   *lc;

	foreach(lc, jsonb_array_texts(array))
	{
		if (pg_strcasecmp(lfirst(lc), text) == 0)
			return true;
	}
	return false;
}

static void
compile_write(FlowPlan *plan, List **problems)
{
	Jsonb	   *properties = plan->destination.properties;
	char	   *operation = jsonb_get_text(properties, "writeOperationType");
	Jsonb	   *error_handling = jsonb_get_container(properties, "errorHandlingConfig");
	Jsonb	   *responses = jsonb_get_container(properties, "successResponseHandlingConfig");

	plan->operation = WRITE_INSERT;
	if (operation != NULL)
	{
		bool		known = false;

		for (int i = 0; i < (int) lengthof(write_operations); i++)
		{
			if (pg_strcasecmp(operation, write_operations[i].name) == 0)
			{
				plan->operation = write_operations[i].operation;
				known = true;
			}
		}
		if (!known)
			problem(problems, "writeOperationType \"%s\" is none of INSERT, UPSERT, UPDATE, DELETE", operation);
	}

	if (jsonb_get_container(plan->destination.configuration, "supportedWriteOperations") != NULL &&
		!has_text(jsonb_get_container(plan->destination.configuration, "supportedWriteOperations"),
				  operation == NULL ? "INSERT" : operation))
		problem(problems, "connector %s does not support writeOperationType %s", plan->destination.connector_label,
				operation == NULL ? "INSERT" : operation);

	plan->id_fields = jsonb_array_texts(jsonb_get_container(properties, "idFieldNames"));
	if (plan->operation != WRITE_INSERT && plan->id_fields == NIL)
		problem(problems, "idFieldNames is missing: %s has to know which fields identify a record", operation);

	if (responses != NULL)
	{
		plan->response_bucket = jsonb_get_text(responses, "bucketName");
		plan->response_prefix = jsonb_get_text(responses, "bucketPrefix");
	}
	if (error_handling != NULL)
	{
		plan->error_bucket = jsonb_get_text(error_handling, "bucketName");
		plan->error_prefix = jsonb_get_text(error_handling, "bucketPrefix");
		plan->fail_on_first_error = jsonb_get_bool(error_handling, "failOnFirstDestinationError", false);
	}
}

static void
compile_s3(FlowPlan *plan, List **problems)
{
	if (plan->source.properties != NULL && plan->source.bucket != NULL)
	{
		Jsonb	   *format = jsonb_get_container(plan->source.properties, "s3InputFormatConfig");
		char	   *type = jsonb_get_text(format, "s3InputFileType");

		if (type != NULL && pg_strcasecmp(type, "CSV") != 0 && pg_strcasecmp(type, "JSON") != 0)
			problem(problems, "s3InputFileType \"%s\" is none of CSV, JSON", type);
	}
	if (plan->destination.properties != NULL && plan->destination.bucket != NULL)
	{
		Jsonb	   *format = jsonb_get_container(plan->destination.properties, "s3OutputFormatConfig");
		Jsonb	   *aggregation = jsonb_get_container(format, "aggregationConfig");
		char	   *type = jsonb_get_text(aggregation, "aggregationType");
		int64		size;

		if (type != NULL && pg_strcasecmp(type, "SingleFile") == 0 &&
			jsonb_get_int64(aggregation, "targetFileSize", &size))
			problem(problems, "aggregationConfig.targetFileSize goes with aggregationType None, not with SingleFile");
		if (jsonb_get_int64(aggregation, "targetFileSize", &size) && size <= 0)
			problem(problems, "aggregationConfig.targetFileSize " INT64_FORMAT " is not a number of megabytes above 0", size);
	}
}

/* room for what the names of tables have beside prefix and flow: "_appflow_", a version, an execution id */
#define TABLE_NAME_REST 60

static void
compile_catalog(FlowPlan *plan, Jsonb *definition, List **problems)
{
	Jsonb	   *glue = jsonb_get_container(jsonb_get_container(definition, "metadataCatalogConfig"), "glueDataCatalog");
	char	   *name = jsonb_get_text(definition, "flowName");

	if (glue == NULL)
		return;
	plan->catalog_database = jsonb_get_text(glue, "databaseName");
	plan->catalog_role = jsonb_get_text(glue, "roleArn");
	plan->catalog_prefix = jsonb_get_text(glue, "tablePrefix");
	if (plan->destination.traits != NULL && connector_traits_type(plan->destination.traits) != CONNECTOR_S3)
		problem(problems, "metadataCatalogConfig goes with the destination S3, not with %s", plan->destination.traits->type);
	if (plan_brings_files(plan))
		problem(problems, "metadataCatalogConfig goes with records, not with files of %s: a table would have them for records",
				plan->source.traits->type);
	if (plan->catalog_database == NULL || plan->catalog_database[0] == '\0' || plan->catalog_role == NULL ||
		plan->catalog_role[0] == '\0' || plan->catalog_prefix == NULL)
		problem(problems, "metadataCatalogConfig.glueDataCatalog has databaseName, roleArn and tablePrefix, and none but the last may be empty");
	else if (strlen(plan->catalog_prefix) + (name == NULL ? 0 : strlen(name)) + TABLE_NAME_REST > GLUE_MAX_NAME)
		problem(problems, "metadataCatalogConfig.glueDataCatalog.tablePrefix is too long: with the flow's name behind it, "
				"names of tables would be longer than %d characters", GLUE_MAX_NAME);
}

List *
plan_source_fields(const FlowPlan *plan)
{
	List	   *fields = NIL;

	for (int i = 0; i < plan->nslots; i++)
	{
		/* what only filters name would make other records of some sources */
		if (!plan->slots[i].derived && (plan->slots[i].named || !plan->source.connector->grouping))
			fields = lappend(fields, plan->slots[i].name);
	}
	return fields;
}

FlowPlan *
flow_compile(Jsonb *definition)
{
	FlowPlan   *plan = palloc0(sizeof(FlowPlan));
	List	   *problems = NIL;
	List	   *destinations;

	destinations = jsonb_array_containers(jsonb_get_container(definition, "destinationFlowConfigList"));
	if (list_length(destinations) != 1)
		problem(&problems, "destinationFlowConfigList has %d entries, a flow has exactly one destination",
				list_length(destinations));
	compile_end(&plan->source, jsonb_get_container(definition, "sourceFlowConfig"),
				"sourceFlowConfig", "sourceConnectorProperties", &problems);
	if (destinations != NIL)
		compile_end(&plan->destination, linitial(destinations),
					"destinationFlowConfigList.1", "destinationConnectorProperties", &problems);
	if (plan->destination.properties != NULL)
		compile_write(plan, &problems);
	compile_s3(plan, &problems);
	compile_catalog(plan, definition, &problems);
	if (plan->source.traits != NULL && plan->destination.traits != NULL)
		check_pair(plan, definition, &problems);
	if (plan->source.traits != NULL)
		compile_tasks(plan, definition, &problems);
	trigger_compile(&plan->trigger, definition, plan->source.traits, &problems);
	if (plan->trigger.scheduled && problems == NIL && plan->destination.connector != NULL &&
		plan->destination.connector->check_period != NULL)
	{
		char	   *why = plan->destination.connector->check_period(trigger_period(&plan->trigger));

		if (why != NULL)
			problem(&problems, "scheduleExpression: %s", why);
	}
	if (plan->trigger.incremental)
		pull_window_check(definition, &problems);

	if (problems != NIL)
	{
		StringInfoData text;
		ListCell   *lc;

		initStringInfo(&text);
		foreach(lc, problems)
		{
			if (foreach_current_index(lc) > 0)
				appendStringInfoString(&text, "; ");
			appendStringInfoString(&text, lfirst(lc));
		}
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("Create Flow request failed: [%s]", text.data));
	}
	require_connector(&plan->source);
	require_connector(&plan->destination);
	require_bucket(&plan->destination);
	return plan;
}
