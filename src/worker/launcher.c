/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  The process that keeps a scheduler in every database with the extension.
 *
 * It is connected to no database and sees shared catalogs only.  Whether a
 * database has the extension, a scheduler finds out; they are started one after
 * another, so that looking into many databases takes one background worker.
 * Between events it sleeps.
 *
 * IDENTIFICATION
 *	  src/worker/launcher.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "compat.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/hsearch.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/launcher.h"
#include "worker/schedulers.h"

/* a scheduler that ended is started again after a second, or two, four ... */
#define FIRST_DELAY_MS 1000
#define LONGEST_DELAY_MS (5 * 60 * 1000)

/* ... unless it has lived that long */
#define HEALTHY_MS (60 * 1000)

/* a datconnlimit that says that dropping the database did not come to its end */
#define INVALID_DATABASE_LIMIT (-2)

typedef struct Database
{
	Oid			oid;			/* hash key */
	bool		seen;			/* by the last scan */
	bool		absent;			/* it has no extension */
	int			delay_ms;		/* before the next start; 0: none yet */
	TimestampTz retry_at;
} Database;

static HTAB *databases;

static Database *
know(Oid oid)
{
	bool		found;
	Database   *database = hash_search(databases, &oid, HASH_ENTER, &found);

	if (!found)
	{
		memset(database, 0, sizeof(Database));
		database->oid = oid;
	}
	return database;
}

static void
scan(void)
{
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;
	HASH_SEQ_STATUS status;
	Database   *database;

	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
		database->seen = false;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (form->datallowconn && !form->datistemplate && form->datconnlimit != INVALID_DATABASE_LIMIT)
			know(form->oid)->seen = true;
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();

	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (!database->seen)
			(void) hash_search(databases, &database->oid, HASH_REMOVE, NULL);
	}
}

static void
delay(Database *database)
{
	database->delay_ms = database->delay_ms == 0 ? FIRST_DELAY_MS : Min(database->delay_ms * 2, LONGEST_DELAY_MS);
	database->retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), database->delay_ms);
}

static void
hear(void)
{
	SchedulerEnd ends[MAX_SCHEDULERS];
	Oid			asked[MAX_SCHEDULERS];
	bool		rescan;
	int			n = schedulers_ended(ends);

	for (int i = 0; i < n; i++)
	{
		Database   *database = know(ends[i].database);

		database->seen = true;
		if (ends[i].absent)
			database->absent = true;
		else
		{
			if (TimestampDifferenceExceeds(ends[i].started_at, GetCurrentTimestamp(), HEALTHY_MS))
				database->delay_ms = 0;
			delay(database);
		}
	}
	n = schedulers_asked(asked, &rescan);
	for (int i = 0; i < n; i++)
	{
		Database   *database = know(asked[i]);

		database->absent = false;
		database->delay_ms = 0;
		database->retry_at = 0;
		rescan = true;			/* it may be one where nothing can be started */
	}
	if (rescan)
		scan();
}

/* start a scheduler in the database; false if there is no room for one */
static bool
start(Database *database)
{
	BackgroundWorker worker = {0};
	int			slot = schedulers_reserve(database->oid);

	if (slot < 0)
		return false;
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	snprintf(worker.bgw_library_name, BGW_MAXLEN, "appflow");
	snprintf(worker.bgw_function_name, BGW_MAXLEN, "appflow_scheduler_main");
	snprintf(worker.bgw_name, BGW_MAXLEN, "appflow scheduler for database %u", database->oid);
	snprintf(worker.bgw_type, BGW_MAXLEN, "appflow scheduler");
	worker.bgw_main_arg = ObjectIdGetDatum(database->oid);
	memcpy(worker.bgw_extra, &slot, sizeof(slot));
	if (RegisterDynamicBackgroundWorker(&worker, NULL))
		return true;
	schedulers_unreserve(slot);
	if (database->delay_ms == 0)
		ereport(LOG,
				errmsg("no background worker slot is free for the scheduler of database %u", database->oid),
				errhint("Raise max_worker_processes."));
	return false;
}

/* start what can be; returns how long to sleep, or -1 */
static long
start_schedulers(void)
{
	TimestampTz now = GetCurrentTimestamp();
	HASH_SEQ_STATUS status;
	Database   *database;
	long		sleep = -1;

	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		long		left = TimestampDifferenceMilliseconds(now, database->retry_at);

		if (database->absent || schedulers_present(database->oid))
			continue;
		if (left <= 0 && schedulers_starting())
			left = 1000;		/* it wakes us when it has come */
		else if (left <= 0)
		{
			if (start(database))
				continue;
			delay(database);
			left = database->delay_ms;
		}
		if (sleep < 0 || left < sleep)
			sleep = left;
	}
	return sleep;
}

void
appflow_launcher_main(Datum argument)
{
	HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(Database)};
	uint32		event = extension_wait_event("AppflowLauncherMain");

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(InvalidOid, InvalidOid, 0);
	databases = hash_create("appflow databases", 64, &control, HASH_ELEM | HASH_BLOBS);
	schedulers_attach_launcher();
	for (;;)
	{
		long		sleep;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		hear();
		sleep = start_schedulers();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (sleep >= 0 ? WL_TIMEOUT : 0),
						 sleep, event);
	}
}

void
launcher_register(void)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 5;
	snprintf(worker.bgw_library_name, BGW_MAXLEN, "appflow");
	snprintf(worker.bgw_function_name, BGW_MAXLEN, "appflow_launcher_main");
	snprintf(worker.bgw_name, BGW_MAXLEN, "appflow launcher");
	snprintf(worker.bgw_type, BGW_MAXLEN, "appflow launcher");
	RegisterBackgroundWorker(&worker);
	database_hooks_install();
}
