-- ---------------------------------------------------------------------------
-- Entities of connectors and their fields (src/operations/entities.c,
-- src/catalog/metadata.c)
-- ---------------------------------------------------------------------------

-- what connectors have told: for an hour, or as long as they say; not dumped, and
-- gone after a crash
CREATE UNLOGGED TABLE connector_metadata (
	connector_profile_name text COLLATE "C" NOT NULL,
	api_version text NOT NULL,
	-- 'entities' under a path, or the fields of an 'entity'
	kind text NOT NULL,
	path text COLLATE "C" NOT NULL,
	metadata jsonb NOT NULL,
	expires_at timestamptz NOT NULL,
	PRIMARY KEY (connector_profile_name, api_version, kind, path)
);

COMMENT ON TABLE connector_metadata IS 'what connectors have told of their entities and fields, kept for a while';

REVOKE ALL ON connector_metadata FROM PUBLIC;

CREATE FUNCTION list_connector_entities(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_list_connector_entities';
COMMENT ON FUNCTION list_connector_entities(jsonb) IS
	'ListConnectorEntities: what can be read from or written to with a profile: objects, tables, folders';

CREATE FUNCTION describe_connector_entity(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_describe_connector_entity';
COMMENT ON FUNCTION describe_connector_entity(jsonb) IS
	'DescribeConnectorEntity: the fields of an entity, their types and what can be done with them';

CREATE FUNCTION reset_connector_metadata_cache(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_reset_connector_metadata_cache';
COMMENT ON FUNCTION reset_connector_metadata_cache(jsonb) IS
	'ResetConnectorMetadataCache: ask the connector again: for names of entities, or for the fields of one';

-- ---------- for people ----------

CREATE FUNCTION connector_entities(profile text, path text DEFAULT NULL,
	OUT entity text, OUT label text, OUT has_nested_entities boolean)
RETURNS SETOF record LANGUAGE sql VOLATILE ROWS 100
BEGIN ATOMIC
	WITH RECURSIVE page (response) AS (
		SELECT list_connector_entities(pg_catalog.jsonb_build_object(
			CASE WHEN pg_catalog.lower(profile) OPERATOR(pg_catalog.=) 's3' THEN 'connectorType' ELSE 'connectorProfileName' END, profile,
			'entitiesPath', path, 'maxResults', 10000))
		UNION ALL
		SELECT list_connector_entities(pg_catalog.jsonb_build_object(
			CASE WHEN pg_catalog.lower(profile) OPERATOR(pg_catalog.=) 's3' THEN 'connectorType' ELSE 'connectorProfileName' END, profile,
			'entitiesPath', path, 'maxResults', 10000,
			'nextToken', page.response OPERATOR(pg_catalog.->>) 'nextToken'))
		FROM page WHERE page.response OPERATOR(pg_catalog.->>) 'nextToken' IS NOT NULL
	)
	SELECT e.value OPERATOR(pg_catalog.->>) 'name', e.value OPERATOR(pg_catalog.->>) 'label',
		coalesce((e.value OPERATOR(pg_catalog.->>) 'hasNestedEntities')::boolean, false)
	FROM page,
		pg_catalog.jsonb_each(page.response OPERATOR(pg_catalog.->) 'connectorEntityMap') g,
		pg_catalog.jsonb_array_elements(g.value) e;
END;

COMMENT ON FUNCTION connector_entities(text, text) IS
	'the entities of a connector profile ("S3" for buckets), at the top or under a path';

CREATE FUNCTION connector_entity_fields(profile text, entity text,
	OUT field text, OUT field_type text, OUT label text, OUT is_primary_key boolean,
	OUT is_nullable boolean, OUT filter_operators text[], OUT write_operations text[])
RETURNS SETOF record LANGUAGE sql VOLATILE ROWS 50
BEGIN ATOMIC
	SELECT f.value OPERATOR(pg_catalog.->>) 'identifier',
		f.value OPERATOR(pg_catalog.#>>) '{supportedFieldTypeDetails,v1,fieldType}',
		f.value OPERATOR(pg_catalog.->>) 'label',
		coalesce((f.value OPERATOR(pg_catalog.->>) 'isPrimaryKey')::boolean, false),
		(f.value OPERATOR(pg_catalog.#>>) '{destinationProperties,isNullable}')::boolean,
		ARRAY(SELECT pg_catalog.jsonb_array_elements_text(
			f.value OPERATOR(pg_catalog.#>) '{supportedFieldTypeDetails,v1,filterOperators}')),
		ARRAY(SELECT pg_catalog.jsonb_array_elements_text(
			f.value OPERATOR(pg_catalog.#>) '{destinationProperties,supportedWriteOperations}'))
	FROM pg_catalog.jsonb_array_elements(describe_connector_entity(pg_catalog.jsonb_build_object(
			CASE WHEN pg_catalog.lower(profile) OPERATOR(pg_catalog.=) 's3' THEN 'connectorType' ELSE 'connectorProfileName' END, profile,
			'connectorEntityName', entity)) OPERATOR(pg_catalog.->) 'connectorEntityFields') WITH ORDINALITY f (value, n)
	ORDER BY f.n;
END;

COMMENT ON FUNCTION connector_entity_fields(text, text) IS
	'the fields of an entity of a connector profile, in its order';

CREATE FUNCTION sync(
	connector_profile_name text,
	entity text,
	into_table text,
	schedule text DEFAULT NULL,
	flow_name text DEFAULT NULL,
	key text[] DEFAULT NULL,
	file_type text DEFAULT NULL,
	datetime_field text DEFAULT NULL)
RETURNS jsonb LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_sync';

COMMENT ON FUNCTION sync(text, text, text, text, text, text[], text, text) IS
	'make or change the flow that keeps a table the same as an entity: all fields, the table made as needed, records matched by the entity''s key. S3 (connector_profile_name "S3"): entity is bucket/prefix, file_type CSV or JSON. With a schedule it is activated; datetime_field, which tells when a record was changed, then makes its pulls incremental. Without one start it with run_flow';
