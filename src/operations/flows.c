/*-------------------------------------------------------------------------
 *
 * flows.c
 *	  Operations on flows: CreateFlow, UpdateFlow, StopFlow, DescribeFlow,
 *	  ListFlows, DeleteFlow.
 *
 * IDENTIFICATION
 *	  src/operations/flows.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/flow.h"
#include "catalog/grant.h"
#include "catalog/object_store.h"
#include "catalog/profile.h"
#include "compat.h"
#include "fmgr.h"
#include "flow/plan.h"
#include "miscadmin.h"
#include "net/aws_service.h"
#include "operations/operations.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(appflow_create_flow);
PG_FUNCTION_INFO_V1(appflow_update_flow);
PG_FUNCTION_INFO_V1(appflow_stop_flow);
PG_FUNCTION_INFO_V1(appflow_describe_flow);
PG_FUNCTION_INFO_V1(appflow_list_flows);
PG_FUNCTION_INFO_V1(appflow_delete_flow);

/*
 * What schemaVersion counts the changes of, in SQL: mappings, data types and
 * partition keys of a definition, folders of S3 included.
 */
#define SCHEMA_OF(definition) \
	"pg_catalog.jsonb_build_array(" definition " OPERATOR(pg_catalog.#>) " \
	"'{destinationFlowConfigList,0,destinationConnectorProperties,S3,s3OutputFormatConfig,prefixConfig}', " \
	"coalesce((SELECT pg_catalog.jsonb_agg(t ORDER BY t) FROM pg_catalog.jsonb_array_elements(" definition \
	" OPERATOR(pg_catalog.->) 'tasks') t WHERE t OPERATOR(pg_catalog.->>) 'taskType' " \
	"IN ('Map', 'Map_all', 'Passthrough', 'Partition', 'Merge', 'Arithmetic')), '[]'))"

/* the definition that is kept: the request without what belongs to the call */
static Jsonb *
without(Jsonb *object, const char *key)
{
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(object),
											  CStringGetTextDatum(key)));
}

static bool
is_on_demand(Jsonb *definition)
{
	char	   *trigger = jsonb_get_text(jsonb_get_container(definition, "triggerConfig"), "triggerType");

	return trigger != NULL && strcmp(trigger, "OnDemand") == 0;
}

/* compile, see to it that the profiles stay until the transaction ends, and that the buckets may be used */
void
operation_check_definition(Jsonb *definition)
{
	FlowPlan   *plan = flow_compile(definition);

	if (plan->source.has_profile)
		(void) profile_use(plan->source.profile, HOLD_KEEP);
	if (plan->destination.has_profile)
		(void) profile_use(plan->destination.profile, HOLD_KEEP);
	if (plan->source.bucket != NULL)
		object_store_check_bucket(plan->source.bucket, GetUserId());
	if (plan->destination.bucket != NULL)
		object_store_check_bucket(plan->destination.bucket, GetUserId());
	if (plan->error_bucket != NULL)
		object_store_check_bucket(plan->error_bucket, GetUserId());
	if (plan->response_bucket != NULL)
		object_store_check_bucket(plan->response_bucket, GetUserId());
	if (plan->catalog_database != NULL)
		aws_check_identity(GetUserId(), ", or leave metadataCatalogConfig away");
}

/*
 * create_flow(request jsonb) returns jsonb: {"flowArn", "flowStatus"}.
 * Follows CreateFlow of the API reference.
 */
OPERATION(appflow_create_flow, "CreateFlow")
{
	Jsonb	   *response = operation_recall("CreateFlow", request);
	char	   *name = jsonb_get_text(request, "flowName");
	Jsonb	   *definition;
	char	   *status;
	CatalogValue values[2];

	if (response != NULL)
		PG_RETURN_JSONB_P(response);
	definition = without(without(request, "clientToken"), "tags");

	/* scheduled and event flows wait for StartFlow */
	status = is_on_demand(definition) ? "Active" : "Draft";
	operation_check_definition(definition);
	if (flow_count() >= quota_flows)
		ereport(ERROR,
				appflow_error(WF_QUOTA),
				errmsg("this database has %d flows, more are not allowed", quota_flows),
				errhint("An administrator can raise appflow.quota_flows."));
	if (!flow_insert(name, GetUserId(), status, definition, jsonb_get_container(request, "tags"),
					 operation_user_arn()))
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("Conflict executing request: Flow with name %s already exists.", name),
				errhint("Delete the flow first, update it, or choose another name."));

	values[0] = catalog_text(operation_arn("flow", name));
	values[1] = catalog_text(status);
	response = operation_respond("SELECT pg_catalog.jsonb_build_object('flowArn', $1, 'flowStatus', $2)", 2, values);
	PG_RETURN_JSONB_P(operation_remember("CreateFlow", request, response));
}

/* the connectorType of an end */
static char *
end_type(Jsonb *definition, bool source)
{
	List	   *destinations;

	if (source)
		return jsonb_get_text(jsonb_get_container(definition, "sourceFlowConfig"), "connectorType");
	destinations = jsonb_array_containers(jsonb_get_container(definition, "destinationFlowConfigList"));
	return destinations == NIL ? NULL : jsonb_get_text(linitial(destinations), "connectorType");
}

/* what cannot change about an end of a flow */
static void
check_same_connector(Jsonb *before, Jsonb *after, bool source)
{
	char	   *old_type = end_type(before, source);
	char	   *new_type = end_type(after, source);

	if (old_type != NULL && new_type != NULL && strcmp(old_type, new_type) != 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("the %s of a flow cannot change from %s to %s", source ? "source" : "destination",
					   old_type, new_type),
				errhint("Create another flow."));
}

/*
 * update_flow(request jsonb) returns jsonb: {"flowStatus"}.
 * Follows UpdateFlow of the API reference.  Runs that go on keep the definition
 * they began with; the next one has the new.
 */
OPERATION(appflow_update_flow, "UpdateFlow")
{
	Jsonb	   *response = operation_recall("UpdateFlow", request);
	FlowRow    *flow;
	Jsonb	   *definition;
	const char *status;
	CatalogValue values[4];

	if (response != NULL)
		PG_RETURN_JSONB_P(response);
	(void) operation_own_flow(jsonb_get_text(request, "flowName"), false);
	definition = without(request, "clientToken");

	/* profiles are locked before flows, as by those who delete profiles */
	operation_check_definition(definition);
	flow = operation_own_flow(jsonb_get_text(request, "flowName"), true);
	check_same_connector(flow->definition, definition, true);
	check_same_connector(flow->definition, definition, false);

	/* a flow that gets another kind of trigger begins anew with it, and so does one that is repaired */
	status = flow->status;
	if (is_on_demand(definition))
		status = "Active";
	else if (is_on_demand(flow->definition) || strcmp(status, "Errored") == 0)
		status = "Draft";

	values[0] = catalog_int64(flow->flow_id);
	values[1] = catalog_jsonb(definition);
	values[2] = catalog_text(status);
	values[3] = catalog_text(operation_user_arn());
	response = operation_respond("UPDATE appflow.flow f SET "
					   "definition = $2 OPERATOR(pg_catalog.||) pg_catalog.jsonb_strip_nulls("
					   "pg_catalog.jsonb_build_object('kmsArn', f.definition OPERATOR(pg_catalog.->) 'kmsArn')), "
					   "status = $3, status_message = NULL, "
					   "schema_version = f.schema_version OPERATOR(pg_catalog.+) "
					   "CASE WHEN " SCHEMA_OF("f.definition") " OPERATOR(pg_catalog.=) " SCHEMA_OF("$2") " THEN 0 ELSE 1 END, "
					   "last_updated_at = pg_catalog.now(), last_updated_by = $4 "
					   "WHERE f.flow_id OPERATOR(pg_catalog.=) $1 "
					   "RETURNING pg_catalog.jsonb_build_object('flowStatus', f.status)", 4, values);
	operation_reschedule(flow, status, definition);
	PG_RETURN_JSONB_P(operation_remember("UpdateFlow", request, response));
}

/*
 * stop_flow(request jsonb) returns jsonb: {"flowArn", "flowStatus"}.
 * Follows StopFlow of the API reference.
 */
OPERATION(appflow_stop_flow, "StopFlow")
{
	FlowRow    *flow = operation_flow(jsonb_get_text(request, "flowName"), true);
	CatalogValue values[2];

	if (is_on_demand(flow->definition))
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("flow \"%s\" runs on demand, only scheduled and event-triggered flows can be stopped", flow->flow_name),
				errhint("To end a run, use appflow.cancel_flow_executions()."));
	if (strcmp(flow->status, "Active") != 0 && strcmp(flow->status, "Suspended") != 0)
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("Conflict executing request: Flow is not in active state: %s", flow->flow_name),
				errhint("Its status is %s; appflow.start_flow() activates it.", flow->status));
	operation_deactivate(flow);
	flow_set_status(flow->flow_id, "Suspended", NULL, operation_user_arn());
	values[0] = catalog_text(operation_arn("flow", flow->flow_name));
	values[1] = catalog_text("Suspended");
	PG_RETURN_JSONB_P(operation_respond("SELECT pg_catalog.jsonb_build_object('flowArn', $1, 'flowStatus', $2)", 2, values));
}

/*
 * describe_flow(request jsonb) returns jsonb.
 * Follows DescribeFlow of the API reference.
 */
OPERATION(appflow_describe_flow, "DescribeFlow")
{
	FlowRow    *flow = operation_flow(jsonb_get_text(request, "flowName"), false);
	CatalogValue values[2];
	Jsonb	   *response;

	values[0] = catalog_int64(flow->flow_id);
	values[1] = catalog_text(operation_arn("flow", flow->flow_name));
	response = operation_respond("SELECT f.definition OPERATOR(pg_catalog.||) pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
					"'flowArn', $2, 'flowStatus', f.status, 'flowStatusMessage', f.status_message, "
					"'schemaVersion', f.schema_version, 'tags', f.tags, "
					"'createdAt', " EPOCH("f.created_at") ", 'createdBy', f.created_by, "
					"'lastUpdatedAt', " EPOCH("f.last_updated_at") ", 'lastUpdatedBy', f.last_updated_by, "
					"'lastRunExecutionDetails', (SELECT pg_catalog.jsonb_build_object("
					"'mostRecentExecutionMessage', e.execution_message, "
					"'mostRecentExecutionTime', " EPOCH("coalesce(e.started_at, e.requested_at)") ", "
					"'mostRecentExecutionStatus', e.status) "
					"FROM appflow.execution_state e WHERE e.flow_id OPERATOR(pg_catalog.=) f.flow_id "
					"ORDER BY e.requested_at DESC, e.execution_id LIMIT 1), "
					"'lastRunMetadataCatalogDetails', (SELECT e.metadata_catalog_details "
					"FROM appflow.flow_execution e WHERE e.flow_id OPERATOR(pg_catalog.=) f.flow_id "
					"ORDER BY e.requested_at DESC, e.execution_id LIMIT 1))) "
					"FROM appflow.flow f WHERE f.flow_id OPERATOR(pg_catalog.=) $1", 2, values);

	/* deleted since the look above */
	if (response == NULL)
		operation_flow_missing(flow->flow_name);
	PG_RETURN_JSONB_P(response);
}

/*
 * list_flows(request jsonb) returns jsonb: {"flows": [...], "nextToken"}.
 * Follows ListFlows of the API reference; in the order of names.  Definitions are
 * taken apart once each: they are long enough to be compressed.
 */
OPERATION(appflow_list_flows, "ListFlows")
{
	OperationPage page = operation_page(request, "ListFlows", 20);
	CatalogAccess access;
	CatalogValue values[4];
	Jsonb	   *flows;
	char	   *last;
	bool		more;

	catalog_begin(&access);
	values[0] = catalog_text(page.after);
	values[1] = catalog_int64(page.size);
	values[2] = catalog_text(operation_arn("flow", ""));
	values[3] = catalog_oid(access.user);
	catalog_execute("WITH visible AS ("
					"SELECT f.* FROM appflow.flow f "
					"WHERE ($1 IS NULL OR f.flow_name OPERATOR(pg_catalog.>) $1) "
					"AND " VISIBLE_TO("$4", GRANT_OF_FLOW, "f.flow_name", "f.owner") " "
					"ORDER BY f.flow_name LIMIT $2 OPERATOR(pg_catalog.+) 1), "
					"page AS (SELECT v.*, d.* FROM visible v, LATERAL pg_catalog.jsonb_to_record(v.definition) AS "
					"d (description jsonb, \"sourceFlowConfig\" jsonb, \"destinationFlowConfigList\" jsonb, \"triggerConfig\" jsonb) "
					"ORDER BY v.flow_name LIMIT $2) "
					"SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
					"'flowArn', $3 OPERATOR(pg_catalog.||) f.flow_name, "
					"'flowName', f.flow_name, 'flowStatus', f.status, "
					"'description', f.description, "
					"'sourceConnectorType', f.\"sourceFlowConfig\" #> '{connectorType}', "
					"'destinationConnectorType', f.\"destinationFlowConfigList\" #> '{0,connectorType}', "
					"'sourceConnectorLabel', CASE WHEN f.\"sourceFlowConfig\" #>> '{connectorType}' OPERATOR(pg_catalog.=) 'CustomConnector' "
					"THEN coalesce((SELECT pg_catalog.to_jsonb(p.connector_label) FROM appflow.connector_profile p "
					"WHERE p.connector_profile_name = f.\"sourceFlowConfig\" #>> '{connectorProfileName}'), f.\"sourceFlowConfig\" #> '{connectorProfileName}') END, "
					"'destinationConnectorLabel', CASE WHEN f.\"destinationFlowConfigList\" #>> '{0,connectorType}' OPERATOR(pg_catalog.=) 'CustomConnector' "
					"THEN coalesce((SELECT pg_catalog.to_jsonb(p.connector_label) FROM appflow.connector_profile p "
					"WHERE p.connector_profile_name = f.\"destinationFlowConfigList\" #>> '{0,connectorProfileName}'), f.\"destinationFlowConfigList\" #> '{0,connectorProfileName}') END, "
					"'triggerType', f.\"triggerConfig\" #> '{triggerType}', "
					"'createdAt', " EPOCH("f.created_at") ", 'createdBy', f.created_by, "
					"'lastUpdatedAt', " EPOCH("f.last_updated_at") ", 'lastUpdatedBy', f.last_updated_by, "
					"'tags', f.tags, "
					"'lastRunExecutionDetails', (SELECT pg_catalog.jsonb_build_object("
					"'mostRecentExecutionMessage', e.execution_message, "
					"'mostRecentExecutionTime', " EPOCH("coalesce(e.started_at, e.requested_at)") ", "
					"'mostRecentExecutionStatus', e.status) "
					"FROM appflow.execution_state e WHERE e.flow_id OPERATOR(pg_catalog.=) f.flow_id "
					"ORDER BY e.requested_at DESC, e.execution_id LIMIT 1))) ORDER BY f.flow_name), '[]'), "
					"pg_catalog.max(f.flow_name), (SELECT pg_catalog.count(*) FROM visible) OPERATOR(pg_catalog.>) $2 "
					"FROM page f", 4, values);
	flows = catalog_get_jsonb(&access, 0, 1);
	last = catalog_get_text(&access, 0, 2);
	more = catalog_get_bool(0, 3);
	catalog_end(&access);
	PG_RETURN_JSONB_P(operation_page_response("flows", flows, "ListFlows", more ? last : NULL));
}

/*
 * delete_flow(request jsonb) returns jsonb: {}.
 * Follows DeleteFlow of the API reference.  Runs that go on are cancelled.
 */
OPERATION(appflow_delete_flow, "DeleteFlow")
{
	FlowRow    *flow = operation_own_flow(jsonb_get_text(request, "flowName"), true);
	List	   *invalid = NIL;
	ListCell   *lc;

	if (strcmp(flow->status, "Active") == 0 && strcmp(flow->trigger_type, "OnDemand") != 0 &&
		!jsonb_get_bool(request, "forceDelete", false))
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("Conflict executing request: Flow is in active state, please set forceDelete to true or deactivate the flow: %s",
					   flow->flow_name));
	foreach(lc, execution_cancel(flow->flow_id, NIL, &invalid))
		worker_cancel_at_commit(lfirst(lc));
	flow_delete(flow->flow_id);
	PG_RETURN_JSONB_P(operation_empty());
}
