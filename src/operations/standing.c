/*-------------------------------------------------------------------------
 *
 * standing.c
 *	  The end of the extension: DROP EXTENSION stops what runs.
 *
 * IDENTIFICATION
 *	  src/operations/standing.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "commands/event_trigger.h"
#include "compat.h"
#include "nodes/parsenodes.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(appflow_before_drop);

/* does the statement name the extension, or the schema that it is in? */
static bool
drops_extension(Node *statement)
{
	DropStmt   *drop = (DropStmt *) statement;
	ListCell   *lc;

	if (!IsA(statement, DropStmt) ||
		(drop->removeType != OBJECT_EXTENSION && drop->removeType != OBJECT_SCHEMA))
		return false;
	foreach(lc, drop->objects)
	{
		Node	   *name = lfirst(lc);

		if (IsA(name, String) && strcmp(strVal(name), "appflow") == 0)
			return true;
	}
	return false;
}

/*
 * appflow.before_drop() returns event_trigger
 *
 * Before DROP EXTENSION and DROP SCHEMA: when the statement commits, runs that go
 * on are cancelled.
 */
Datum
appflow_before_drop(PG_FUNCTION_ARGS)
{
	CatalogAccess access;
	uint64		rows;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		elog(ERROR, "not called by an event trigger");
	if (!drops_extension(((EventTriggerData *) fcinfo->context)->parsetree))
		PG_RETURN_NULL();
	catalog_begin(&access);
	rows = catalog_execute("SELECT execution_id FROM appflow.flow_execution "
						   "WHERE status IN ('InProgress', 'CancelStarted') AND started_at IS NOT NULL", 0, NULL);
	for (uint64 i = 0; i < rows; i++)
	{
		pg_uuid_t	id;

		if (catalog_get_uuid(i, 1, &id))
			worker_cancel_at_commit(&id);
	}
	catalog_end(&access);
	PG_RETURN_NULL();
}
