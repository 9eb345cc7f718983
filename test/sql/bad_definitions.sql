-- Definitions that can never run, refused when the flow is created: what, where, what to do.
CREATE EXTENSION appflow;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY default
SET client_min_messages = warning;

-- a good definition, of which each case below spoils one thing
CREATE FUNCTION good(tasks jsonb DEFAULT '[{"taskType": "Map_all", "sourceFields": []}]') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object(
		'flowName', 'bad',
		'triggerConfig', '{"triggerType": "OnDemand"}'::jsonb,
		'sourceFlowConfig', '{"connectorType": "S3", "sourceConnectorProperties":
			{"S3": {"bucketName": "source", "bucketPrefix": "in", "s3InputFormatConfig": {"s3InputFileType": "JSON"}}}}'::jsonb,
		'destinationFlowConfigList', '[{"connectorType": "S3", "destinationConnectorProperties":
			{"S3": {"bucketName": "target", "bucketPrefix": "out"}}}]'::jsonb,
		'tasks', tasks)
$$;

-- the error, or how the flow could be created; and its hint
CREATE FUNCTION try(definition jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	state text;
	hint text;
BEGIN
	PERFORM appflow.create_flow(definition);
	RETURN 'ACCEPTED';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE, hint = PG_EXCEPTION_HINT;
	RETURN state || ' ' || message || CASE WHEN hint <> '' THEN E'\n      HINT ' || hint ELSE '' END;
END
$$;

-- one task beside a Map_all
CREATE FUNCTION task(task jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT try(good(jsonb_build_array('{"taskType": "Map_all", "sourceFields": []}'::jsonb, task)))
$$;

-- only these
CREATE FUNCTION tasks(tasks jsonb) RETURNS text LANGUAGE sql AS $$ SELECT try(good(tasks)) $$;

-- the definition with one path changed
CREATE FUNCTION spoiled(path text[], value jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT try(CASE WHEN value IS NULL THEN good() #- path ELSE jsonb_set(good(), path, value) END)
$$;

SELECT try(good());
SELECT appflow.delete_flow('{"flowName": "bad"}');

-- ---------- tasks as a whole
SELECT tasks('[]');
SELECT tasks('[{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "PROJECTION"}}]');
SELECT task('{"taskType": "Explode", "sourceFields": ["a"]}');
SELECT task('{"sourceFields": ["a"]}');
SELECT task('{"taskType": "Map"}');
SELECT tasks('[{"taskType": "Map_all", "sourceFields": []}, {"taskType": "Map_all", "sourceFields": []}]');
SELECT tasks('[{"taskType": "Passthrough", "sourceFields": []}, {"taskType": "Map", "sourceFields": ["a"]}]');
SELECT tasks('[{"taskType": "Passthrough", "sourceFields": []}, {"taskType": "Truncate", "sourceFields": ["a"], "taskProperties": {"TRUNCATE_LENGTH": "1"}}]');

-- ---------- operators
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "taskProperties": {"VALUE": "1"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "LIKE"}, "taskProperties": {"VALUE": "1"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "CONTAINS"}, "taskProperties": {"VALUE": "1"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "ADDITION"}, "taskProperties": {"VALUE": "1"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"Salesforce": "EQUAL_TO"}, "taskProperties": {"VALUE": "1"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO", "Salesforce": "EQUAL_TO"}, "taskProperties": {"VALUE": "1"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "NO_OP"}, "taskProperties": {"VALUE": "1"}}');
SELECT task('{"taskType": "Mask", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"MASK_LENGTH": "1"}}');
SELECT task('{"taskType": "Map", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}}');

-- ---------- Filter
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}}');
SELECT task('{"taskType": "Filter", "sourceFields": [], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUE": "1"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a", "b"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUE": "1"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUE": "1", "VALUES": "1,2"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"LOWER_BOUND": "1", "VALUE": "2"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "LESS_THAN"}, "taskProperties": {"VALUES": "1,2"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "BETWEEN"}, "taskProperties": {"LOWER_BOUND": "1"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "BETWEEN"}, "taskProperties": {"UPPER_BOUND": "1"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "BETWEEN"}, "taskProperties": {"LOWER_BOUND": "1", "UPPER_BOUND": "2", "VALUE": "3"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUE": "ten", "DATA_TYPE": "integer"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUES": "1,2,,3x", "DATA_TYPE": "double"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUE": "1e99999", "DATA_TYPE": "double"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUE": "maybe", "DATA_TYPE": "boolean"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUE": "2024-02-30", "DATA_TYPE": "date"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUE": "2024-02-03T04:05:06Z", "DATA_TYPE": "date"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "GREATER_THAN"}, "taskProperties": {"VALUE": "last week", "DATA_TYPE": "datetime"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "BETWEEN"}, "taskProperties": {"LOWER_BOUND": "9223372036854775807", "UPPER_BOUND": "2024-13-01", "DATA_TYPE": "datetime"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUES": "[\"a\"", "DATA_TYPE": "string"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUES": "[\"a\"],\"x\":1", "DATA_TYPE": "string"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUES": "[[1]]", "DATA_TYPE": "string"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUES": ",", "DATA_TYPE": "string"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "PROJECTION"}, "taskProperties": {"VALUE": "1"}}');
SELECT task('{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUE": "1", "MASK_LENGTH": "2"}}');
SELECT tasks('[{"taskType": "Merge", "sourceFields": ["a", "b"], "destinationField": "m"}, {"taskType": "Map", "sourceFields": ["m"]},
	{"taskType": "Filter", "sourceFields": ["m"], "connectorOperator": {"S3": "EQUAL_TO"}, "taskProperties": {"VALUE": "1"}}]');

-- ---------- Map, Map_all
SELECT task('{"taskType": "Map", "sourceFields": []}');
SELECT task('{"taskType": "Map", "sourceFields": [""]}');
SELECT task('{"taskType": "Map", "sourceFields": ["a", "b"]}');
SELECT tasks('[{"taskType": "Map", "sourceFields": ["a"]}, {"taskType": "Map", "sourceFields": ["b"], "destinationField": "a"}]');
SELECT task('{"taskType": "Map", "sourceFields": ["a"], "taskProperties": {"TRUNCATE_LENGTH": "2"}}');
SELECT tasks('[{"taskType": "Map_all", "sourceFields": [], "taskProperties": {"EXCLUDE_SOURCE_FIELDS_LIST": "[1,"}}]');
SELECT tasks('[{"taskType": "Map_all", "sourceFields": [], "taskProperties": {"EXCLUDE_SOURCE_FIELDS_LIST": "[{\"a\": 1}]"}}]');
SELECT tasks('[{"taskType": "Map_all", "sourceFields": [], "taskProperties": {"INCLUDE_NEW_FIELDS": "perhaps"}}]');
SELECT tasks('[{"taskType": "Map_all", "sourceFields": [], "destinationField": "x"}]');

-- ---------- Mask, Truncate
SELECT task('{"taskType": "Mask", "sourceFields": ["a"], "connectorOperator": {"S3": "MASK_FIRST_N"}}');
SELECT task('{"taskType": "Mask", "sourceFields": ["a"], "connectorOperator": {"S3": "MASK_FIRST_N"}, "taskProperties": {"MASK_LENGTH": "0"}}');
SELECT task('{"taskType": "Mask", "sourceFields": ["a"], "connectorOperator": {"S3": "MASK_LAST_N"}, "taskProperties": {"MASK_LENGTH": "-3"}}');
SELECT task('{"taskType": "Mask", "sourceFields": ["a"], "connectorOperator": {"S3": "MASK_LAST_N"}, "taskProperties": {"MASK_LENGTH": "2.5"}}');
SELECT task('{"taskType": "Mask", "sourceFields": ["a"], "connectorOperator": {"S3": "MASK_ALL"}, "taskProperties": {"MASK_LENGTH": "2147483647"}}');
SELECT task('{"taskType": "Mask", "sourceFields": ["a"], "connectorOperator": {"S3": "MASK_ALL"}, "taskProperties": {"MASK_VALUE": "**"}}');
SELECT task('{"taskType": "Mask", "sourceFields": [], "connectorOperator": {"S3": "MASK_ALL"}}');
SELECT task('{"taskType": "Mask", "sourceFields": ["a.b"], "connectorOperator": {"S3": "MASK_ALL"}}');
SELECT tasks('[{"taskType": "Mask", "sourceFields": ["a.b"], "connectorOperator": {"S3": "MASK_ALL"}}, {"taskType": "Map", "sourceFields": ["a"]}]');
SELECT tasks('[{"taskType": "Mask", "sourceFields": ["a"], "connectorOperator": {"S3": "MASK_ALL"}}, {"taskType": "Map", "sourceFields": ["a.b"]}]');
SELECT tasks('[{"taskType": "Mask", "sourceFields": ["a.b"], "connectorOperator": {"S3": "MASK_ALL"}}, {"taskType": "Merge", "sourceFields": ["a", "c"], "destinationField": "m"}, {"taskType": "Map", "sourceFields": ["m"]}]');
SELECT task('{"taskType": "Truncate", "sourceFields": ["a"]}');
SELECT task('{"taskType": "Truncate", "sourceFields": ["a"], "taskProperties": {"TRUNCATE_LENGTH": "ten"}}');
SELECT task('{"taskType": "Truncate", "sourceFields": ["a"], "taskProperties": {"TRUNCATE_LENGTH": "99999999999"}}');

-- ---------- Merge, Arithmetic
SELECT task('{"taskType": "Merge", "sourceFields": ["a", "b"], "taskProperties": {"CONCAT_FORMAT": "${a} ${c}"}}');
SELECT task('{"taskType": "Merge", "sourceFields": ["a", "b"], "taskProperties": {"CONCAT_FORMAT": "${a} ${b"}}');
SELECT task('{"taskType": "Merge", "sourceFields": []}');
SELECT tasks('[{"taskType": "Merge", "sourceFields": ["a", "b"], "destinationField": "a"}, {"taskType": "Map", "sourceFields": ["a"]}]');
SELECT tasks('[{"taskType": "Merge", "sourceFields": ["a", "y"], "destinationField": "x"}, {"taskType": "Merge", "sourceFields": ["a", "x"], "destinationField": "y"}, {"taskType": "Map", "sourceFields": ["x"]}]');
SELECT tasks('[{"taskType": "Merge", "sourceFields": ["a", "b"], "destinationField": "x"}, {"taskType": "Merge", "sourceFields": ["a", "c"], "destinationField": "x"}, {"taskType": "Map", "sourceFields": ["x"]}]');
SELECT task('{"taskType": "Arithmetic", "sourceFields": ["a", "b"]}');
SELECT task('{"taskType": "Arithmetic", "sourceFields": ["a"], "connectorOperator": {"S3": "ADDITION"}}');
SELECT task('{"taskType": "Arithmetic", "sourceFields": ["a", "b"], "connectorOperator": {"S3": "MODULO"}}');
SELECT task('{"taskType": "Arithmetic", "sourceFields": ["a", "b"], "connectorOperator": {"S3": "ADDITION"}, "taskProperties": {"MATH_OPERATION_FIELDS_ORDER": "a,c"}}');
SELECT task('{"taskType": "Arithmetic", "sourceFields": ["a", "b"], "connectorOperator": {"S3": "ADDITION"}, "taskProperties": {"MATH_OPERATION_FIELDS_ORDER": "a"}}');
SELECT task('{"taskType": "Arithmetic", "sourceFields": ["a", "b"], "connectorOperator": {"S3": "ADDITION"}, "taskProperties": {"MATH_OPERATION_FIELDS_ORDER": "a,a"}}');

-- ---------- Validate, Partition
SELECT task('{"taskType": "Validate", "sourceFields": ["a"], "connectorOperator": {"S3": "VALIDATE_NON_NULL"}}');
SELECT task('{"taskType": "Validate", "sourceFields": ["a"], "connectorOperator": {"S3": "VALIDATE_NON_NULL"}, "taskProperties": {"VALIDATION_ACTION": "Ignore"}}');
SELECT task('{"taskType": "Validate", "sourceFields": ["a"], "connectorOperator": {"S3": "VALIDATE_EMAIL"}, "taskProperties": {"VALIDATION_ACTION": "DropRecord"}}');
SELECT task('{"taskType": "Validate", "sourceFields": ["a"], "taskProperties": {"VALIDATION_ACTION": "DropRecord"}}');
SELECT task('{"taskType": "Partition", "sourceFields": []}');
SELECT task('{"taskType": "Partition", "sourceFields": ["a"], "taskProperties": {"ORDERED_PARTITION_KEYS_LIST": "[\"a\",\"a\"]"}}');
SELECT task('{"taskType": "Partition", "sourceFields": ["1","2","3","4","5","6","7","8","9","10","11"]}');
SELECT tasks('[{"taskType": "Map", "sourceFields": ["a"]}, {"taskType": "Partition", "sourceFields": ["b"]}]');
SELECT tasks('[{"taskType": "Map_all", "sourceFields": []}, {"taskType": "Partition", "sourceFields": ["b"]}, {"taskType": "Partition", "sourceFields": ["c"]}]');

-- ---------- several at once: all are named
SELECT tasks('[{"taskType": "Map", "sourceFields": ["a", "b"]}, {"taskType": "Truncate", "sourceFields": []}, {"taskType": "Nothing", "sourceFields": []}]');

-- ---------- the ends
SELECT spoiled('{sourceFlowConfig}', NULL);
SELECT spoiled('{sourceFlowConfig,connectorType}', '"Oracle"');
SELECT spoiled('{sourceFlowConfig,connectorType}', '"EventBridge"');
SELECT spoiled('{sourceFlowConfig,connectorType}', '"Salesforce"');
SELECT spoiled('{sourceFlowConfig,connectorType}', '"CustomConnector"');
SELECT spoiled('{sourceFlowConfig,sourceConnectorProperties}', '{}');
SELECT spoiled('{sourceFlowConfig,sourceConnectorProperties}', '{"Salesforce": {"object": "Account"}}');
SELECT spoiled('{sourceFlowConfig,sourceConnectorProperties,S3,bucketName}', NULL);
SELECT spoiled('{sourceFlowConfig,sourceConnectorProperties,S3,bucketName}', '"x"');
SELECT spoiled('{sourceFlowConfig,sourceConnectorProperties,S3,s3InputFormatConfig,s3InputFileType}', '"XML"');
SELECT spoiled('{sourceFlowConfig,sourceConnectorProperties,S3,s3InputFormatConfig,s3InputFileType}', '"PARQUET"');
SELECT spoiled('{destinationFlowConfigList}', '[]');
SELECT spoiled('{destinationFlowConfigList}', (SELECT jsonb_build_array(d, d) FROM (SELECT good() #> '{destinationFlowConfigList,0}') AS x (d)));
SELECT spoiled('{destinationFlowConfigList,0,connectorType}', '"Slack"');
SELECT spoiled('{destinationFlowConfigList,0,destinationConnectorProperties,S3,bucketName}', NULL);
SELECT spoiled('{destinationFlowConfigList,0,destinationConnectorProperties,S3,s3OutputFormatConfig}', '{"fileType": "ORC"}');
SELECT spoiled('{destinationFlowConfigList,0,destinationConnectorProperties,S3,s3OutputFormatConfig}', '{"aggregationConfig": {"aggregationType": "MultipleFiles"}}');
SELECT spoiled('{destinationFlowConfigList,0,destinationConnectorProperties,S3,s3OutputFormatConfig}', '{"aggregationConfig": {"aggregationType": "SingleFile", "targetFileSize": 10}}');
SELECT spoiled('{destinationFlowConfigList,0,destinationConnectorProperties,S3,s3OutputFormatConfig}', '{"aggregationConfig": {"targetFileSize": 0}}');
SELECT spoiled('{destinationFlowConfigList,0,destinationConnectorProperties,S3,s3OutputFormatConfig}', '{"aggregationConfig": {"targetFileSize": "big"}}');
SELECT spoiled('{destinationFlowConfigList,0,destinationConnectorProperties,S3,s3OutputFormatConfig}', '{"prefixConfig": {"prefixType": "PATH_AND_FILE"}}');
SELECT spoiled('{destinationFlowConfigList,0,destinationConnectorProperties,S3,s3OutputFormatConfig}', '{"prefixConfig": {"prefixFormat": "WEEK"}}');
SELECT spoiled('{destinationFlowConfigList,0,destinationConnectorProperties,S3,s3OutputFormatConfig}', '{"prefixConfig": {"pathPrefixHierarchy": ["FLOW_NAME"]}}');
SELECT spoiled('{destinationFlowConfigList,0}', '{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL", "destinationConnectorProperties": {"CustomConnector": {"entityName": "public.t", "writeOperationType": "UPSERT"}}}');
SELECT spoiled('{destinationFlowConfigList,0}', '{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL", "destinationConnectorProperties": {"CustomConnector": {"entityName": "public.t", "writeOperationType": "MERGE"}}}');
SELECT spoiled('{destinationFlowConfigList,0}', '{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL", "destinationConnectorProperties": {"CustomConnector": {}}}');
SELECT spoiled('{destinationFlowConfigList,0}', '{"connectorType": "CustomConnector", "connectorProfileName": "nobody", "destinationConnectorProperties": {"CustomConnector": {"entityName": "public.t"}}}');
SELECT spoiled('{destinationFlowConfigList,0}', '{"connectorType": "CustomConnector", "destinationConnectorProperties": {"CustomConnector": {"entityName": "public.t"}}}');
SELECT try(jsonb_set(good('[{"taskType": "Map", "sourceFields": ["a"]}]'), '{destinationFlowConfigList,0}', '{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL", "destinationConnectorProperties": {"CustomConnector": {"entityName": "public.t", "writeOperationType": "UPDATE", "idFieldNames": ["id"]}}}'));
SELECT try(jsonb_set(good('[{"taskType": "Map_all", "sourceFields": []}, {"taskType": "Partition", "sourceFields": ["a"]}]'), '{destinationFlowConfigList,0}', '{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL", "destinationConnectorProperties": {"CustomConnector": {"entityName": "public.t"}}}'));

-- ---------- the flow
SELECT spoiled('{flowName}', NULL);
SELECT spoiled('{flowName}', '"a flow"');
SELECT spoiled('{triggerConfig}', NULL);
SELECT spoiled('{triggerConfig,triggerType}', '"Hourly"');
SELECT spoiled('{triggerConfig,triggerType}', '"Event"');
SELECT spoiled('{tasks}', '{"taskType": "Map_all"}');
SELECT spoiled('{tasks}', NULL);
SELECT count(*) FROM appflow.flows;
