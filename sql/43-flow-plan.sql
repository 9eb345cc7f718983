-- ---------- what a flow will do (src/operations/flow_plan.c) ----------

CREATE FUNCTION flow_plan(flow_name text,
	OUT step integer,
	OUT action text,
	OUT task integer,
	OUT fields text[],
	OUT target text,
	OUT details text)
RETURNS SETOF record LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'appflow_flow_plan';

COMMENT ON FUNCTION flow_plan IS
	'what a run of the flow does, in order: each step with the number of its task, the fields it works on, the field it makes, and how';
