/*-------------------------------------------------------------------------
 *
 * warehouse.h
 *	  Data warehouses as destinations: records are staged as objects of the
 *	  intermediate bucket, which a statement of the warehouse then loads.
 *
 * IDENTIFICATION
 *	  src/apps/warehouse.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_WAREHOUSE_H
#define APPFLOW_WAREHOUSE_H

#include "postgres.h"

#include "connector/connector.h"

/* rows that a statement gave; a value that is NULL is SQL null */
typedef struct WarehouseRows
{
	int			ncolumns;
	char	  **names;
	List	   *rows;			/* of char **, one value a column */
} WarehouseRows;

/* the value of a row in a column by name, in any letter case; NULL if there is none */
extern char *warehouse_value(const WarehouseRows *rows, char **row, const char *name);

/* a record that the warehouse did not take */
typedef struct LoadError
{
	char	   *key;			/* of the object, or the end of it */
	int64		line;			/* in the object, 1 is the first */
	char	   *code;
	char	   *message;
} LoadError;

typedef struct Load
{
	const char *table;
	const char *bucket;
	List	   *keys;			/* of char *: the objects, JSON lines */
	List	   *columns;		/* of char *: as the warehouse spells them */
	uint64		records;		/* in all objects */
	bool		all_or_none;

	/* set by the load, also when it fails */
	uint64		loaded;
	uint64		underway;		/* records of a statement that has not been answered */
	List	   *errors;			/* of LoadError *: as many as are known */
} Load;

typedef struct Warehouse
{
	/* the columns of a table, with names as the warehouse spells them; NULL: there is no such table */
	Schema	   *(*describe) (ConnectorSession *session, const char *table);

	/* before anything is staged: raise an error if the bucket's objects could not be loaded */
	void		(*check) (ConnectorSession *session, const WriteRequest *request, const char *folder);
	void		(*load) (ConnectorSession *session, Load *load);
} Warehouse;

/* The writer; session->store is that of the intermediate bucket. */
extern RecordWriter *warehouse_open_writer(ConnectorSession *session, WriteRequest *request, const Warehouse *warehouse);

/*
 * In PG_CATCH: stop a statement that nobody waits for any more, and throw again what has ended the
 * waiting.  What goes wrong with the stopping is not told.  The context must stay.
 */
pg_noreturn extern void warehouse_stop(MemoryContext context, void (*stop) (void *arg), void *arg);

/* how long a request to stop something may take, in ms */
#define WAREHOUSE_STOP_TIMEOUT 3000

/* "a.b"."c" in parts, without quotes; parts that are not quoted in upper or lower case as fold says */
extern List *warehouse_name_parts(const char *name, char (*fold) (char));

/* name as a quoted identifier, text as a literal of SQL */
extern char *warehouse_identifier(const char *name);
extern char *warehouse_literal(const char *text);

#endif							/* APPFLOW_WAREHOUSE_H */
