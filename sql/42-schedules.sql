-- ---------------------------------------------------------------------------
-- Schedules (src/operations/schedules.c)
-- ---------------------------------------------------------------------------

CREATE FUNCTION schedule_times(
	schedule_expression text,
	schedule_start_time timestamptz DEFAULT pg_catalog.now(),
	schedule_end_time timestamptz DEFAULT NULL,
	times integer DEFAULT 10)
RETURNS SETOF timestamptz LANGUAGE c IMMUTABLE ROWS 10 AS 'MODULE_PATHNAME', 'appflow_schedule_times';
COMMENT ON FUNCTION schedule_times(text, timestamptz, timestamptz, integer) IS
	'when a schedule expression is due: the first times from the start to the end';
