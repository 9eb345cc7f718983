-- ---------------------------------------------------------------------------
-- Operations with their members as parameters.  Made of the model by
-- src/operations/make_named_forms.pl; change that, not this.
--
-- They call the other form, with the caller's privileges: whoever may call that
-- may call these.
-- ---------------------------------------------------------------------------

CREATE FUNCTION cancel_flow_executions(
	flow_name text,
	execution_ids text[] DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(flow_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN cancel_flow_executions(flow_name::jsonb)
		ELSE cancel_flow_executions(pg_catalog.jsonb_build_object(
		'flowName', flow_name,
		'executionIds', execution_ids)) END;

COMMENT ON FUNCTION cancel_flow_executions(text, text[]) IS
	'CancelFlowExecutions with its members as parameters; required: flow_name';

CREATE FUNCTION create_connector_profile(
	connector_profile_name text,
	connector_type text,
	connection_mode text,
	connector_profile_config jsonb,
	kms_arn text DEFAULT NULL,
	connector_label text DEFAULT NULL,
	client_token text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(connector_profile_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN create_connector_profile(connector_profile_name::jsonb)
		ELSE create_connector_profile(pg_catalog.jsonb_build_object(
		'connectorProfileName', connector_profile_name,
		'kmsArn', kms_arn,
		'connectorType', connector_type,
		'connectorLabel', connector_label,
		'connectionMode', connection_mode,
		'connectorProfileConfig', connector_profile_config,
		'clientToken', client_token)) END;

COMMENT ON FUNCTION create_connector_profile(text, text, text, jsonb, text, text, text) IS
	'CreateConnectorProfile with its members as parameters; required: connector_profile_name, connector_type, connection_mode, connector_profile_config';

CREATE FUNCTION create_flow(
	flow_name text,
	trigger_config jsonb,
	source_flow_config jsonb,
	destination_flow_config_list jsonb,
	tasks jsonb,
	description text DEFAULT NULL,
	kms_arn text DEFAULT NULL,
	tags jsonb DEFAULT NULL,
	metadata_catalog_config jsonb DEFAULT NULL,
	client_token text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(flow_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN create_flow(flow_name::jsonb)
		ELSE create_flow(pg_catalog.jsonb_build_object(
		'flowName', flow_name,
		'description', description,
		'kmsArn', kms_arn,
		'triggerConfig', trigger_config,
		'sourceFlowConfig', source_flow_config,
		'destinationFlowConfigList', destination_flow_config_list,
		'tasks', tasks,
		'tags', tags,
		'metadataCatalogConfig', metadata_catalog_config,
		'clientToken', client_token)) END;

COMMENT ON FUNCTION create_flow(text, jsonb, jsonb, jsonb, jsonb, text, text, jsonb, jsonb, text) IS
	'CreateFlow with its members as parameters; required: flow_name, trigger_config, source_flow_config, destination_flow_config_list, tasks';

CREATE FUNCTION delete_connector_profile(
	connector_profile_name text,
	force_delete boolean DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(connector_profile_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN delete_connector_profile(connector_profile_name::jsonb)
		ELSE delete_connector_profile(pg_catalog.jsonb_build_object(
		'connectorProfileName', connector_profile_name,
		'forceDelete', force_delete)) END;

COMMENT ON FUNCTION delete_connector_profile(text, boolean) IS
	'DeleteConnectorProfile with its members as parameters; required: connector_profile_name';

CREATE FUNCTION delete_flow(
	flow_name text,
	force_delete boolean DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(flow_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN delete_flow(flow_name::jsonb)
		ELSE delete_flow(pg_catalog.jsonb_build_object(
		'flowName', flow_name,
		'forceDelete', force_delete)) END;

COMMENT ON FUNCTION delete_flow(text, boolean) IS
	'DeleteFlow with its members as parameters; required: flow_name';

CREATE FUNCTION describe_connector(
	connector_type text,
	connector_label text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(connector_type, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN describe_connector(connector_type::jsonb)
		ELSE describe_connector(pg_catalog.jsonb_build_object(
		'connectorType', connector_type,
		'connectorLabel', connector_label)) END;

COMMENT ON FUNCTION describe_connector(text, text) IS
	'DescribeConnector with its members as parameters; required: connector_type';

CREATE FUNCTION describe_connector_entity(
	connector_entity_name text,
	connector_type text DEFAULT NULL,
	connector_profile_name text DEFAULT NULL,
	api_version text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(connector_entity_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN describe_connector_entity(connector_entity_name::jsonb)
		ELSE describe_connector_entity(pg_catalog.jsonb_build_object(
		'connectorEntityName', connector_entity_name,
		'connectorType', connector_type,
		'connectorProfileName', connector_profile_name,
		'apiVersion', api_version)) END;

COMMENT ON FUNCTION describe_connector_entity(text, text, text, text) IS
	'DescribeConnectorEntity with its members as parameters; required: connector_entity_name';

CREATE FUNCTION describe_connector_profiles(
	connector_type text DEFAULT NULL,
	connector_profile_names text[] DEFAULT NULL,
	connector_label text DEFAULT NULL,
	max_results integer DEFAULT NULL,
	next_token text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(connector_type, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN describe_connector_profiles(connector_type::jsonb)
		ELSE describe_connector_profiles(pg_catalog.jsonb_build_object(
		'connectorProfileNames', connector_profile_names,
		'connectorType', connector_type,
		'connectorLabel', connector_label,
		'maxResults', max_results,
		'nextToken', next_token)) END;

COMMENT ON FUNCTION describe_connector_profiles(text, text[], text, integer, text) IS
	'DescribeConnectorProfiles with its members as parameters';

CREATE FUNCTION describe_connectors(
	next_token text DEFAULT NULL,
	connector_types text[] DEFAULT NULL,
	max_results integer DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(next_token, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN describe_connectors(next_token::jsonb)
		ELSE describe_connectors(pg_catalog.jsonb_build_object(
		'connectorTypes', connector_types,
		'maxResults', max_results,
		'nextToken', next_token)) END;

COMMENT ON FUNCTION describe_connectors(text, text[], integer) IS
	'DescribeConnectors with its members as parameters';

CREATE FUNCTION describe_flow(
	flow_name text)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(flow_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN describe_flow(flow_name::jsonb)
		ELSE describe_flow(pg_catalog.jsonb_build_object(
		'flowName', flow_name)) END;

COMMENT ON FUNCTION describe_flow(text) IS
	'DescribeFlow with its members as parameters; required: flow_name';

CREATE FUNCTION describe_flow_execution_records(
	flow_name text,
	max_results integer DEFAULT NULL,
	next_token text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(flow_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN describe_flow_execution_records(flow_name::jsonb)
		ELSE describe_flow_execution_records(pg_catalog.jsonb_build_object(
		'flowName', flow_name,
		'maxResults', max_results,
		'nextToken', next_token)) END;

COMMENT ON FUNCTION describe_flow_execution_records(text, integer, text) IS
	'DescribeFlowExecutionRecords with its members as parameters; required: flow_name';

CREATE FUNCTION list_connector_entities(
	connector_profile_name text DEFAULT NULL,
	connector_type text DEFAULT NULL,
	entities_path text DEFAULT NULL,
	api_version text DEFAULT NULL,
	max_results integer DEFAULT NULL,
	next_token text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(connector_profile_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN list_connector_entities(connector_profile_name::jsonb)
		ELSE list_connector_entities(pg_catalog.jsonb_build_object(
		'connectorProfileName', connector_profile_name,
		'connectorType', connector_type,
		'entitiesPath', entities_path,
		'apiVersion', api_version,
		'maxResults', max_results,
		'nextToken', next_token)) END;

COMMENT ON FUNCTION list_connector_entities(text, text, text, text, integer, text) IS
	'ListConnectorEntities with its members as parameters';

CREATE FUNCTION list_connectors(
	next_token text DEFAULT NULL,
	max_results integer DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(next_token, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN list_connectors(next_token::jsonb)
		ELSE list_connectors(pg_catalog.jsonb_build_object(
		'maxResults', max_results,
		'nextToken', next_token)) END;

COMMENT ON FUNCTION list_connectors(text, integer) IS
	'ListConnectors with its members as parameters';

CREATE FUNCTION list_flows(
	next_token text DEFAULT NULL,
	max_results integer DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(next_token, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN list_flows(next_token::jsonb)
		ELSE list_flows(pg_catalog.jsonb_build_object(
		'maxResults', max_results,
		'nextToken', next_token)) END;

COMMENT ON FUNCTION list_flows(text, integer) IS
	'ListFlows with its members as parameters';

CREATE FUNCTION list_tags_for_resource(
	resource_arn text)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(resource_arn, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN list_tags_for_resource(resource_arn::jsonb)
		ELSE list_tags_for_resource(pg_catalog.jsonb_build_object(
		'resourceArn', resource_arn)) END;

COMMENT ON FUNCTION list_tags_for_resource(text) IS
	'ListTagsForResource with its members as parameters; required: resource_arn';

CREATE FUNCTION register_connector(
	connector_label text DEFAULT NULL,
	description text DEFAULT NULL,
	connector_provisioning_type text DEFAULT NULL,
	connector_provisioning_config jsonb DEFAULT NULL,
	client_token text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(connector_label, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN register_connector(connector_label::jsonb)
		ELSE register_connector(pg_catalog.jsonb_build_object(
		'connectorLabel', connector_label,
		'description', description,
		'connectorProvisioningType', connector_provisioning_type,
		'connectorProvisioningConfig', connector_provisioning_config,
		'clientToken', client_token)) END;

COMMENT ON FUNCTION register_connector(text, text, text, jsonb, text) IS
	'RegisterConnector with its members as parameters';

CREATE FUNCTION reset_connector_metadata_cache(
	connector_profile_name text DEFAULT NULL,
	connector_type text DEFAULT NULL,
	connector_entity_name text DEFAULT NULL,
	entities_path text DEFAULT NULL,
	api_version text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(connector_profile_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN reset_connector_metadata_cache(connector_profile_name::jsonb)
		ELSE reset_connector_metadata_cache(pg_catalog.jsonb_build_object(
		'connectorProfileName', connector_profile_name,
		'connectorType', connector_type,
		'connectorEntityName', connector_entity_name,
		'entitiesPath', entities_path,
		'apiVersion', api_version)) END;

COMMENT ON FUNCTION reset_connector_metadata_cache(text, text, text, text, text) IS
	'ResetConnectorMetadataCache with its members as parameters';

CREATE FUNCTION start_flow(
	flow_name text,
	client_token text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(flow_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN start_flow(flow_name::jsonb)
		ELSE start_flow(pg_catalog.jsonb_build_object(
		'flowName', flow_name,
		'clientToken', client_token)) END;

COMMENT ON FUNCTION start_flow(text, text) IS
	'StartFlow with its members as parameters; required: flow_name';

CREATE FUNCTION stop_flow(
	flow_name text)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(flow_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN stop_flow(flow_name::jsonb)
		ELSE stop_flow(pg_catalog.jsonb_build_object(
		'flowName', flow_name)) END;

COMMENT ON FUNCTION stop_flow(text) IS
	'StopFlow with its members as parameters; required: flow_name';

CREATE FUNCTION tag_resource(
	resource_arn text,
	tags jsonb)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(resource_arn, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN tag_resource(resource_arn::jsonb)
		ELSE tag_resource(pg_catalog.jsonb_build_object(
		'resourceArn', resource_arn,
		'tags', tags)) END;

COMMENT ON FUNCTION tag_resource(text, jsonb) IS
	'TagResource with its members as parameters; required: resource_arn, tags';

CREATE FUNCTION unregister_connector(
	connector_label text,
	force_delete boolean DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(connector_label, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN unregister_connector(connector_label::jsonb)
		ELSE unregister_connector(pg_catalog.jsonb_build_object(
		'connectorLabel', connector_label,
		'forceDelete', force_delete)) END;

COMMENT ON FUNCTION unregister_connector(text, boolean) IS
	'UnregisterConnector with its members as parameters; required: connector_label';

CREATE FUNCTION untag_resource(
	resource_arn text,
	tag_keys text[])
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(resource_arn, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN untag_resource(resource_arn::jsonb)
		ELSE untag_resource(pg_catalog.jsonb_build_object(
		'resourceArn', resource_arn,
		'tagKeys', tag_keys)) END;

COMMENT ON FUNCTION untag_resource(text, text[]) IS
	'UntagResource with its members as parameters; required: resource_arn, tag_keys';

CREATE FUNCTION update_connector_profile(
	connector_profile_name text,
	connection_mode text,
	connector_profile_config jsonb,
	client_token text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(connector_profile_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN update_connector_profile(connector_profile_name::jsonb)
		ELSE update_connector_profile(pg_catalog.jsonb_build_object(
		'connectorProfileName', connector_profile_name,
		'connectionMode', connection_mode,
		'connectorProfileConfig', connector_profile_config,
		'clientToken', client_token)) END;

COMMENT ON FUNCTION update_connector_profile(text, text, jsonb, text) IS
	'UpdateConnectorProfile with its members as parameters; required: connector_profile_name, connection_mode, connector_profile_config';

CREATE FUNCTION update_connector_registration(
	connector_label text,
	description text DEFAULT NULL,
	connector_provisioning_config jsonb DEFAULT NULL,
	client_token text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(connector_label, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN update_connector_registration(connector_label::jsonb)
		ELSE update_connector_registration(pg_catalog.jsonb_build_object(
		'connectorLabel', connector_label,
		'description', description,
		'connectorProvisioningConfig', connector_provisioning_config,
		'clientToken', client_token)) END;

COMMENT ON FUNCTION update_connector_registration(text, text, jsonb, text) IS
	'UpdateConnectorRegistration with its members as parameters; required: connector_label';

CREATE FUNCTION update_flow(
	flow_name text,
	trigger_config jsonb,
	source_flow_config jsonb,
	destination_flow_config_list jsonb,
	tasks jsonb,
	description text DEFAULT NULL,
	metadata_catalog_config jsonb DEFAULT NULL,
	client_token text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.ltrim(flow_name, E' \t\r\n') OPERATOR(pg_catalog.~~) '{%'
		THEN update_flow(flow_name::jsonb)
		ELSE update_flow(pg_catalog.jsonb_build_object(
		'flowName', flow_name,
		'description', description,
		'triggerConfig', trigger_config,
		'sourceFlowConfig', source_flow_config,
		'destinationFlowConfigList', destination_flow_config_list,
		'tasks', tasks,
		'metadataCatalogConfig', metadata_catalog_config,
		'clientToken', client_token)) END;

COMMENT ON FUNCTION update_flow(text, jsonb, jsonb, jsonb, jsonb, text, jsonb, text) IS
	'UpdateFlow with its members as parameters; required: flow_name, trigger_config, source_flow_config, destination_flow_config_list, tasks';
