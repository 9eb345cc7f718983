-- ---------------------------------------------------------------------------
-- Notifications (src/worker/announce.c)
-- ---------------------------------------------------------------------------

CREATE FUNCTION announce_run() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_announce_run';
REVOKE ALL ON FUNCTION announce_run() FROM PUBLIC;

CREATE FUNCTION announce_flow() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_announce_flow';
REVOKE ALL ON FUNCTION announce_flow() FROM PUBLIC;

CREATE TRIGGER announce
	AFTER UPDATE OF status, started_at ON flow_execution
	FOR EACH ROW WHEN (NEW.status <> OLD.status OR (OLD.started_at IS NULL AND NEW.started_at IS NOT NULL))
	EXECUTE FUNCTION announce_run();

-- runs that events start are taken from the beginning
CREATE TRIGGER announce_begin
	AFTER INSERT ON flow_execution
	FOR EACH ROW WHEN (NEW.started_at IS NOT NULL)
	EXECUTE FUNCTION announce_run();

CREATE TRIGGER announce
	AFTER UPDATE OF status ON flow
	FOR EACH ROW WHEN (NEW.status <> OLD.status)
	EXECUTE FUNCTION announce_flow();

CREATE TRIGGER announce_end
	AFTER DELETE ON flow
	FOR EACH ROW EXECUTE FUNCTION announce_flow();

-- ---------- limits of a flow of its own (src/operations/schedules.c) ----------

CREATE FUNCTION limit_flow(flow_name text, max_run_time interval DEFAULT NULL, history_runs integer DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'appflow_limit_flow';
COMMENT ON FUNCTION limit_flow(text, interval, integer) IS
	'how long a run of the flow may take, and how many finished runs are kept; null: as appflow.max_run_time and appflow.history_runs say';
