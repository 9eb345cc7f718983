-- An update as the next version may bring one; only for test/t/083_standing.pl.
\echo Use "ALTER EXTENSION appflow UPDATE" to load this file. \quit

CREATE TABLE added (a int);
ALTER TABLE flow ADD test_added text;
CREATE OR REPLACE FUNCTION describe_flow(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_describe_flow';
