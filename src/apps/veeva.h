/*-------------------------------------------------------------------------
 *
 * veeva.h
 *	  Veeva Vault: what calls, queries and files have in common.
 *
 * IDENTIFICATION
 *	  src/apps/veeva.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_VEEVA_H
#define APPFLOW_VEEVA_H

#include "postgres.h"

#include "connector/connector.h"

/* entities that are documents: all, or those of a type by its name */
#define VEEVA_DOCUMENTS "documents"
#define VEEVA_TYPES "documents/types"

/* ---------- veeva.c ---------- */

/*
 * A call, not started: path follows /api/vNN.N, or begins with /api/, or is a whole
 * URL (links that Vault gave).  A session that has ended is begun anew once; what
 * Vault says to try again is tried again.
 */
extern HttpCall *veeva_call(ConnectorSession *session, const char *method, const char *path);

/*
 * Of a call that has been waited for: raise what its answer says is wrong, if it does,
 * with any status.  what is for messages: "entity \"documents\"".
 */
extern void veeva_check(ConnectorSession *session, HttpCall *call, const char *what);

/*
 * The same, but what is wrong with what was asked for, not with the session or the
 * service, is told by its type and message (may be NULL); false if nothing is wrong.
 */
extern bool veeva_refused(ConnectorSession *session, HttpCall *call, const char *what, const char **type,
						  const char **message);

/* Make the call and have its answer, which is a success. */
extern Jsonb *veeva_fetch(ConnectorSession *session, HttpCall *call, const char *what);

/* is that a name that may stand in a path or a query: letters, digits, _ (and dots, if said so)? */
extern bool veeva_is_name(const char *name, bool dotted);

/* is the entity documents, or those of a type?  *type (may be NULL) is its name, or NULL */
extern bool veeva_is_documents(const char *entity, const char **type);

/* do the properties ask for files? */
extern bool veeva_brings_files(Jsonb *properties);

/* includeAllVersions, includeSourceFiles, includeRenditions of source properties */
extern bool veeva_includes(Jsonb *properties, const char *member);

/* ---------- veeva_vql.c ---------- */

/* a condition on a field that is a list: one of the values, not the list, is compared */
typedef struct VeevaListFilter
{
	FilterOperator operator;	/* EQUAL_TO, NOT_EQUAL_TO, CONTAINS */
	char	   *field;
	int			noperands;
	char	  **operands;
} VeevaListFilter;

typedef struct VeevaQuery
{
	char	   *text;			/* VQL */
	List	   *lists;			/* of VeevaListFilter *: taken, for the reader to see to */
} VeevaQuery;

/*
 * The query for a request whose entity is described; sets taken of its filters, and
 * order_taken and limit_taken.  selected (of char *) are names of fields.  Conditions
 * that make the text too long are left out.
 */
extern VeevaQuery veeva_query(ReadRequest *request, const Schema *described, List *selected);

/* ---------- veeva_files.c ---------- */

/* which version of which document a record is about; all are digits */
typedef struct VeevaVersion
{
	char		id[20];
	char		major[12];
	char		minor[12];
	bool		has_source;		/* it is not known to have no source file */
} VeevaVersion;

typedef struct VeevaFiles VeevaFiles;

/* Files as source properties ask for them, in the current memory context. */
extern VeevaFiles *veeva_files_create(ConnectorSession *session, Jsonb *properties);

/* Those of one version; their bytes count as the reader's. */
extern RecordFiles *veeva_files_of(VeevaFiles *files, RecordReader *reader, const VeevaVersion *version);

/* ---------- veeva_read.c ---------- */

extern char *veeva_plan_read(ConnectorSession *session, ReadRequest *request);
extern RecordReader *veeva_open_reader(ConnectorSession *session, ReadRequest *request);

#endif							/* APPFLOW_VEEVA_H */
