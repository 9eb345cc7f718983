/*-------------------------------------------------------------------------
 *
 * launcher.h
 *	  The process that keeps a scheduler in every database with the extension.
 *
 * IDENTIFICATION
 *	  src/worker/launcher.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_WORKER_LAUNCHER_H
#define APPFLOW_WORKER_LAUNCHER_H

#include "postgres.h"

/* ---------- launcher.c ---------- */

/* While the library is being preloaded: register the launcher and the hooks. */
extern void launcher_register(void);

extern PGDLLEXPORT void appflow_launcher_main(Datum argument);

/* ---------- database_hooks.c ---------- */

/* See that statements on databases are not held up by schedulers, and that the launcher hears of them. */
extern void database_hooks_install(void);

/* ---------- scheduler.c ---------- */

extern PGDLLEXPORT void appflow_scheduler_main(Datum argument);

#endif							/* APPFLOW_WORKER_LAUNCHER_H */
