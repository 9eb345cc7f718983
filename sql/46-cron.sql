-- ---------- pg_cron (src/operations/cron.c) ----------

CREATE FUNCTION schedule_with_cron(flow_name text, schedule text) RETURNS bigint
	LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'appflow_schedule_with_cron';
COMMENT ON FUNCTION schedule_with_cron(text, text) IS
	'have pg_cron run an on-demand flow by its schedule, such as */10 * * * *; the id of the job';

CREATE FUNCTION unschedule_with_cron(flow_name text) RETURNS boolean
	LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'appflow_unschedule_with_cron';
COMMENT ON FUNCTION unschedule_with_cron(text) IS 'have pg_cron run the flow no more; whether it did';
