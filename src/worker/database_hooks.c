/*-------------------------------------------------------------------------
 *
 * database_hooks.c
 *	  Keeps schedulers out of the way of statements on databases.
 *
 * DROP, RENAME, SET TABLESPACE and the use as a template need a database that
 * nobody is connected to.  The hooks are there when the library is preloaded,
 * and so whenever there are schedulers.
 *
 * IDENTIFICATION
 *	  src/worker/database_hooks.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_trigger.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "worker/launcher.h"
#include "worker/schedulers.h"

static ProcessUtility_hook_type previous_utility_hook;
static object_access_hook_type previous_access_hook;

static const char *
option_text(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst(lc);

		if (strcmp(option->defname, name) == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return NULL;
}

/*
 * The database that a statement needs for itself, or NULL; *concerned says
 * whether the launcher should look at the databases afterwards.
 */
static const char *
database_of(Node *statement, bool *concerned)
{
	*concerned = true;
	switch (nodeTag(statement))
	{
		case T_DropdbStmt:
			return ((DropdbStmt *) statement)->dbname;
		case T_RenameStmt:
			if (((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
				return ((RenameStmt *) statement)->subname;
			break;
		case T_AlterDatabaseStmt:
			if (option_text(((AlterDatabaseStmt *) statement)->options, "tablespace") != NULL)
				return ((AlterDatabaseStmt *) statement)->dbname;
			return NULL;
		case T_CreatedbStmt:
			return option_text(((CreatedbStmt *) statement)->options, "template");
		default:
			break;
	}
	*concerned = false;
	return NULL;
}

/* only who owns a database stops its scheduler: others will be refused by the statement itself */
static pg_noinline Oid
owned_database(const char *name)
{
	Oid			oid = name != NULL ? get_database_oid(name, true) : InvalidOid;
	HeapTuple	tuple;
	bool		owned;

	if (!OidIsValid(oid))
		return InvalidOid;
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owned = has_privs_of_role(GetUserId(), ((Form_pg_database) GETSTRUCT(tuple))->datdba);
	ReleaseSysCache(tuple);
	return owned ? oid : InvalidOid;
}

/* changes that were captured in a transaction that was prepared become visible */
static bool
commits_prepared(Node *statement)
{
	return IsA(statement, TransactionStmt) && ((TransactionStmt *) statement)->kind == TRANS_STMT_COMMIT_PREPARED;
}

static void
run_utility(PlannedStmt *planned, const char *text, bool read_only, ProcessUtilityContext context,
			ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *destination,
			QueryCompletion *completion)
{
	bool		concerned;
	const char *name = database_of(planned->utilityStmt, &concerned);
	Oid			database = concerned ? owned_database(name) : InvalidOid;

	if (database == MyDatabaseId)
		database = InvalidOid;	/* will be refused */
	if (concerned)
		schedulers_rescan_at_commit();
	if (commits_prepared(planned->utilityStmt))
		schedulers_nudge_at_commit();
	PG_TRY();
	{
		if (OidIsValid(database))
			schedulers_hold(database);
		(previous_utility_hook ? previous_utility_hook : standard_ProcessUtility)
			(planned, text, read_only, context, parameters, environment, destination, completion);
	}
	PG_FINALLY();
	{
		if (OidIsValid(database))
			schedulers_release(database);
	}
	PG_END_TRY();
}

static void
see_object(ObjectAccessType access, Oid class, Oid object, int sub_object, void *arg)
{
	if (previous_access_hook)
		previous_access_hook(access, class, object, sub_object, arg);
	if (access == OAT_DROP && class == ExtensionRelationId && object == get_extension_oid("appflow", true))
		schedulers_wake_at_commit();

	/* it may be one that captures changes, gone with its table */
	if (access == OAT_DROP && class == TriggerRelationId)
		schedulers_nudge_at_commit();
}

void
database_hooks_install(void)
{
	previous_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = run_utility;
	previous_access_hook = object_access_hook;
	object_access_hook = see_object;
}
