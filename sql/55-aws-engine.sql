-- ---------------------------------------------------------------------------
-- Operations carried out by AWS
-- ---------------------------------------------------------------------------

CREATE FUNCTION aws_identity() RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_aws_identity';
COMMENT ON FUNCTION aws_identity() IS
	'the access key, region and endpoint that appflow.engine = aws uses; whoever may execute this may use them';

-- the identity is the server's, not everybody's
REVOKE ALL ON FUNCTION aws_identity() FROM PUBLIC;
