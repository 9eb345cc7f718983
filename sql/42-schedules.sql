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

-- ---------- the scheduler (src/worker/schedulers.c) ----------

CREATE FUNCTION schedule_changed() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_schedule_changed';
REVOKE ALL ON FUNCTION schedule_changed() FROM PUBLIC;

-- a restored dump changes schedules too
CREATE TRIGGER wake_scheduler
	AFTER INSERT OR UPDATE OF next_at, captures, subscribes, "position" OR DELETE ON flow_schedule
	FOR EACH STATEMENT EXECUTE FUNCTION schedule_changed();

CREATE FUNCTION wake_scheduler() RETURNS boolean
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'appflow_wake_scheduler';
COMMENT ON FUNCTION wake_scheduler() IS
	'have the schedules of this database looked at, when the transaction commits; whether a scheduler is running';

CREATE FUNCTION scheduler_activity(
	OUT pid integer,
	OUT started_at timestamptz,
	OUT wakes bigint,
	OUT ticks bigint,
	OUT flows_due bigint,
	OUT runs bigint,
	OUT mean_tick_ms double precision,
	OUT longest_tick_ms double precision,
	OUT busy_ticks bigint)
RETURNS record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'appflow_scheduler_activity';
COMMENT ON FUNCTION scheduler_activity IS
	'what the scheduler of this database has done since it was started: how often it went to sleep, how often it looked for flows that are due, how many were, runs, and how long the decisions took when there were some';

CREATE VIEW flow_schedules WITH (security_barrier) AS
	SELECT f.flow_name, f.status AS flow_status,
		f.definition #>> '{triggerConfig,triggerProperties,Scheduled,scheduleExpression}' AS schedule_expression,
		s.activated_at, s.next_at AS next_run_at, s.failures AS failed_runs, s.skipped AS skipped_runs,
		s.watermark
	FROM flow f LEFT JOIN flow_schedule s ON s.flow_id = f.flow_id
	WHERE f.definition #>> '{triggerConfig,triggerType}' = 'Scheduled'
		AND (pg_catalog.pg_has_role(f.owner, 'USAGE') OR EXISTS (SELECT FROM access_grant g
		WHERE g.kind = 'flow' AND g.name = f.flow_name AND (g.grantee::oid = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE'))));

COMMENT ON VIEW flow_schedules IS 'scheduled flows that you may see, and when they run next';

GRANT SELECT ON flow_schedules TO PUBLIC;

CREATE FUNCTION set_watermark(flow_name text, watermark timestamptz)
RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'appflow_set_watermark';
COMMENT ON FUNCTION set_watermark(text, timestamptz) IS
	'where the next incremental pull of a flow begins; null: as if there had been none. The view flow_schedules shows it';

-- ---------- what the end of a run means (src/worker/accounting.c) ----------

CREATE FUNCTION execution_changed() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_execution_changed';
REVOKE ALL ON FUNCTION execution_changed() FROM PUBLIC;

-- with the run's end, and with the data of a table, or not at all
CREATE TRIGGER account
	AFTER UPDATE OF status ON flow_execution
	FOR EACH ROW WHEN (NEW.due_at IS NOT NULL AND NEW.status <> OLD.status AND NEW.status IN ('Successful', 'Error', 'Canceled'))
	EXECUTE FUNCTION execution_changed();

-- ---------- metrics, named as the service names them in CloudWatch ----------

CREATE VIEW flow_metrics WITH (security_barrier) AS
	SELECT e.flow_name AS "FlowName", pg_catalog.date_trunc('minute', e.requested_at) AS "Timestamp",
		pg_catalog.count(*) AS "FlowExecutionsStarted",
		pg_catalog.count(*) FILTER (WHERE e.status = 'Error') AS "FlowExecutionsFailed",
		pg_catalog.count(*) FILTER (WHERE e.status = 'Successful') AS "FlowExecutionsSucceeded",
		pg_catalog.round(pg_catalog.avg(1000 * extract(epoch FROM e.last_updated_at - e.started_at))
			FILTER (WHERE e.status IN ('Successful', 'Error'))) AS "FlowExecutionTime",
		pg_catalog.sum(e.records_processed) AS "FlowExecutionRecordsProcessed"
	FROM execution_state e
	WHERE (pg_catalog.pg_has_role(e.owner, 'USAGE') OR EXISTS (SELECT FROM access_grant g
		WHERE g.kind = 'flow' AND g.name = e.flow_name AND (g.grantee::oid = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE'))))
	GROUP BY 1, 2;

COMMENT ON VIEW flow_metrics IS 'the metrics of AWS/AppFlow in CloudWatch, by flow and minute; FlowExecutionTime is a mean in milliseconds';

GRANT SELECT ON flow_metrics TO PUBLIC;
