-- ---------- requests against the model (src/operations/reader.c) ----------

CREATE FUNCTION appflow.validate_request(operation text, request jsonb) RETURNS jsonb
AS 'MODULE_PATHNAME', 'appflow_validate_request' LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION appflow.validate_request(text, jsonb) IS
'Checks a request against the API model without carrying it out. operation: "CreateFlow" or "create_flow", or a structure of the reference such as "DescribeFlowResponse". Returns the request in canonical form: aliases, connector keys and enum values in the reference''s spelling, timestamps as epoch seconds, null members left out. Raises ValidationException (WF400) listing every violation; warns of unknown members, which are left out.';
