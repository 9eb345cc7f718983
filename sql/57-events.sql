
-- ---------- events ----------

CREATE FUNCTION read_events(connector_profile_name text, entity text, "position" text DEFAULT '',
		patience interval DEFAULT '10 s', max_events integer DEFAULT 1000, fields text[] DEFAULT NULL)
	RETURNS TABLE (continue_from text, event jsonb)
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_read_events';
COMMENT ON FUNCTION read_events IS
	'events that the service behind a connector profile of yours announces, from behind a position on, until none came for a while: to see what a flow would get';

-- it reaches out of the server: grant EXECUTE to those who should
REVOKE ALL ON FUNCTION read_events FROM PUBLIC;
