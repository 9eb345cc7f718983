-- ---------------------------------------------------------------------------
-- Operations carried out by AWS
-- ---------------------------------------------------------------------------

CREATE FUNCTION aws_identity() RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_aws_identity';
COMMENT ON FUNCTION aws_identity() IS
	'the access key, region and endpoint that appflow.engine = aws uses; whoever may execute this may use them';

-- the identity is the server's, not everybody's
REVOKE ALL ON FUNCTION aws_identity() FROM PUBLIC;

CREATE FUNCTION call_aws(connector_profile_name text, operation text, request jsonb DEFAULT '{}') RETURNS jsonb
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_call_aws';
COMMENT ON FUNCTION call_aws IS
	'one call of an operation (by its name in the reference) carried out by AWS AppFlow, with the credentials of a connector profile of the label AWS';
