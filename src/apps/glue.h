/*-------------------------------------------------------------------------
 *
 * glue.h
 *	  Tables and partitions of the AWS Glue Data Catalog.
 *
 * IDENTIFICATION
 *	  src/apps/glue.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_APPS_GLUE_H
#define APPFLOW_APPS_GLUE_H

#include "apps/aws_target.h"
#include "apps/s3.h"

/* what the catalog takes of a table's name */
#define GLUE_MAX_NAME 255

typedef struct GlueCatalog
{
	AwsTarget  *target;
	const char *database;
} GlueCatalog;

typedef struct GlueColumn
{
	const char *name;			/* in lower case */
	const char *type;			/* glue_type() */
	const char *label;			/* or NULL */
	const char *description;	/* or NULL */
} GlueColumn;

typedef struct GluePartition
{
	List	   *values;			/* of char *, one for each key */
	const char *location;		/* URL of a folder, ending in '/' */
} GluePartition;

/* A table as it should be. */
typedef struct GlueTable
{
	const char *name;			/* in lower case */
	const char *flow;			/* whose table it is, kept as a parameter of it */
	const char *location;		/* URL of a folder, ending in '/' */
	S3FileType	file_type;
	List	   *columns;		/* of GlueColumn *, in the order of the files */
	List	   *keys;			/* of char *: partition keys */
	List	   *partitions;		/* of GluePartition * that it has to have */

	/* it stands for what is in its folder alone: columns and partitions of elsewhere go */
	bool		latest;
} GlueTable;

typedef enum GlueChange
{
	GLUE_UNCHANGED,
	GLUE_CREATED,
	GLUE_UPDATED
} GlueChange;

/* The type of a field in files of a type. */
extern char *glue_type(const Field *field, S3FileType file_type);

/*
 * A database of the catalog in the region of appflow.region, by a role that the server's
 * identity assumes; user is who needs the right to that.  The functions below
 * raise errors with the service's own words.
 */
extern GlueCatalog *glue_open(const char *database, const char *role_arn, Oid user);

/*
 * Make the table, or change it to what it should be, leaving alone what is not said
 * here; removes the partitions that it must not have any more.
 */
extern GlueChange glue_put_table(GlueCatalog *catalog, const GlueTable *table);

/* Make the partitions that are not there; returns how many were not. */
extern int	glue_put_partitions(GlueCatalog *catalog, const GlueTable *table);

#endif							/* APPFLOW_APPS_GLUE_H */
