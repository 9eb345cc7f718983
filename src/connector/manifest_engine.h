/*-------------------------------------------------------------------------
 *
 * manifest_engine.h
 *	  The connector that every manifest is: its parts among themselves, and how it
 *	  is made.
 *
 * manifest_engine.c		the connector; templates
 * manifest_call.c		calls, what their answers say, pages of documents
 * manifest_entity.c	entities, and their fields
 * manifest_plan.c		filters, order and fields of a read request
 * manifest_read.c		reading, page by page
 * manifest_unnest.c	records of arrays within a record
 * manifest_cells.c		cells as the application writes them, and as we do
 * manifest_record.c	records as the JSON that is sent
 * manifest_write.c		writing, jobs
 *
 * IDENTIFICATION
 *	  src/connector/manifest_engine.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_MANIFEST_ENGINE_H
#define APPFLOW_MANIFEST_ENGINE_H

#include "postgres.h"

#include "connector/connector.h"
#include "connector/manifest.h"

/* ---------- manifest_engine.c ---------- */

/* The connector of a manifest, in the current memory context; label NULL: built in. */
extern Connector *manifest_connector(const Manifest *manifest, const char *type, const char *label);

/*
 * Parse a registered manifest into the current memory context; NULL: *problem, palloc'd,
 * says why not.
 */
extern const Manifest *manifest_from_jsonb(Jsonb *document, char **problem);

/* The built-in connector of a type, or NULL; lives as long as the process. */
extern const Connector *manifest_built_in(const char *type);

/*
 * The base URL by the manifest's baseUrl, or NULL if it has none; the session has
 * the profile's properties.
 */
extern char *manifest_base_url(const ConnectorSession *session);

/* what templates may name */
typedef struct ManifestValues
{
	const ConnectorSession *session;
	Jsonb	   *settings;		/* customProperties of the flow's end */
	Jsonb	   *credentials;	/* credentialsMap of a profile */
	bool		shown;			/* to somebody: the profile's properties are left as names */
	const char *entity;
	const char *size;
	const char *offset;
	const char *page;
	const char *cursor;
	bool		number_cursor;	/* a key that is a number */
	const char *fields;
	const char *query;
	const char *filter;
	const char *order;
	const char *field;
	const char *value;
	const char *values;
	const char *lower;
	const char *upper;
	const JsonTree *record_of;	/* {record.PATH} */
	const char *lineage;
	const char *job;
	int64		moment;			/* what {ago.N} counts from, seconds since 1970; 0: the current time */

	/* writing: the id fields and their values; JSON text */
	int			nids;
	const char *const *id_names;
	const char *const *id_values;
	const char *ids;
	const char *record;
	const char *records;
} ManifestValues;

/* The template with its values, encoded for a URL or not; NULL: one of them is not there. */
extern char *manifest_expand(const ManifestValues *values, const char *template, bool encode);

/* The same, with {credential.NAME} from a credentialsMap. */
extern char *manifest_expand_credentials(const ConnectorSession *session, const char *template, Jsonb *credentials);

/* Raise what is wrong with the customProperties of a flow's end (NULL: there are none). */
extern void manifest_check_settings(const ConnectorSession *session, Jsonb *settings, bool source);

static inline const Manifest *
manifest_of(const ConnectorSession *session)
{
	return session->connector->manifest;
}

/* an arena that goes with the current memory context */
extern Arena *manifest_arena(void);

/* ---------- manifest_call.c ---------- */

/* parameters beside those of a call: they replace what has their name */
typedef struct ExtraParameter
{
	const char *name;
	const char *value;
	bool		first_only;
} ExtraParameter;

typedef enum CallTurn
{
	TURN_FIRST,					/* first page, or the only one */
	TURN_NEXT
} CallTurn;

/* The call, not started; extra is of ExtraParameter *. */
extern HttpCall *manifest_make_call(ConnectorSession *session, const ManifestCall *call, const ManifestValues *values,
									CallTurn turn, List *extra);

/* method and URL as they would be sent, for EXPLAIN */
extern char *manifest_show_call(ConnectorSession *session, const ManifestCall *call, const ManifestValues *values,
								List *extra);

/* whether a status says that there is no answer yet; and the error for it */
extern bool manifest_not_ready(const ManifestCall *spec, int status);
pg_noreturn extern void manifest_raise_not_ready(ConnectorSession *session, HttpCall *call, const char *what);

/* a value of an answer, by its path; NULL: there is none, or it is no scalar */
typedef const char *(*ManifestLookup) (void *arg, const char *path);

extern bool manifest_holds(const ManifestCondition *condition, ManifestLookup lookup, void *arg);
extern bool manifest_failed(const ManifestErrors *errors, ManifestLookup lookup, void *arg);
extern const char *manifest_lookup_tree(void *tree, const char *path);
extern const char *manifest_first_text(const ManifestTexts *paths, ManifestLookup lookup, void *arg);

/* Raise what an answer says: by its status, and by code and message (or NULL). */
pg_noreturn extern void manifest_raise(ConnectorSession *session, HttpCall *call, const char *what,
									   const char *code, const char *message);

/* whether the manifest has an exception of its own for it */
extern const ManifestException *manifest_exception_of(const Manifest *manifest, int status, const char *code);

/* Raise what a status of 400 or more means. */
pg_noreturn extern void manifest_fail(ConnectorSession *session, HttpCall *call, const char *what);

/* The body as a tree, or NULL if it is no JSON. */
extern const JsonTree *manifest_body(HttpCall *call, Arena *arena);

/* Make the call and have its answer, which is right; raises errors. */
extern const JsonTree *manifest_fetch(ConnectorSession *session, HttpCall *call, const char *what, Arena *arena);

/* ---------- paging, of documents and of records ---------- */

typedef struct Pager
{
	ConnectorSession *session;
	const ManifestRead *read;
	ManifestValues *values;		/* size, offset, page and cursor are set in it */
	List	   *extra;
	MemoryContext context;		/* of what is remembered from page to page */
	int			size;
	int64		offset;
	int64		page;
	char	   *cursor;			/* or link */
	char	   *last_key;		/* of kind key: of the last record */
	const char *what;
} Pager;

extern void pager_begin(Pager *pager, int size);

/* the first call, and what it will be */
extern HttpCall *pager_first(Pager *pager);
extern char *pager_show(Pager *pager, int size);

/* what is known of the answer that a page was */
typedef struct PageFacts
{
	HttpCall   *call;
	uint64		records;
	ManifestLookup lookup;
	void	   *arg;
} PageFacts;

/* The call for the page behind one that is complete; NULL: there is none. */
extern HttpCall *pager_next(Pager *pager, const PageFacts *facts);

/* Whether the next page can be asked for before this one is complete. */
extern bool pager_may_hurry(const Pager *pager, const PageFacts *facts);

/* Every record of a listing; records of a page are gone when the next one comes. */
typedef void (*ManifestVisit) (const JsonTree *record, void *arg);
extern void manifest_each(ConnectorSession *session, const ManifestRead *read, ManifestValues *values, const char *what,
						  ManifestVisit visit, void *arg);

/* ---------- manifest_entity.c ---------- */

/* The definition of an entity; raises ValidationException if there is none. */
extern const ManifestEntity *manifest_entity(ConnectorSession *session, const char *name);

extern List *manifest_list_entities(ConnectorSession *session, const char *path);
extern Schema *manifest_describe(ConnectorSession *session, const char *name);

/* the fields that manifest and application tell; those that only records show are not among them */
extern Schema *manifest_known_fields(ConnectorSession *session, const ManifestEntity *entity, const char *name);

/* Whether a text is made of these characters; "a-z" is all from a to z.  NULL: any. */
extern bool manifest_made_of(const char *piece, const char *characters);

/* "entity \"x\"" */
extern char *manifest_what(const char *entity);

/* ---------- manifest_plan.c ---------- */

typedef struct ReadPlan
{
	const ManifestEntity *entity;
	const ManifestRead *read;
	const Schema *described;
	Schema	   *schema;			/* fields to read */
	bool		discover;		/* and others that records show */
	ManifestValues values;		/* entity, settings, fields, query, filter, order */
	List	   *extra;			/* of ExtraParameter * */
	bool		all_taken;		/* filters */
} ReadPlan;

/* How the request is carried out; sets what is taken of it. */
extern ReadPlan *manifest_plan(ConnectorSession *session, ReadRequest *request, const Schema *described);

/* the size of pages that makes sense; 0: as the manifest says */
extern int	manifest_page_size(const ReadRequest *request, const ReadPlan *plan);

extern char *manifest_plan_read(ConnectorSession *session, ReadRequest *request);

/* filters that the application evaluates, exactly or not, for a field: bits */
extern uint32 manifest_filters(const ManifestEntity *entity, const char *field, FieldType type);

/* ---------- manifest_cells.c ---------- */

/* how values of a field are written, by its own format or the manifest's */
extern ManifestFormat manifest_format(const Manifest *manifest, const Field *field);
extern ManifestFormat manifest_format_from_name(const char *name);
extern const char *manifest_format_name(ManifestFormat format);

/*
 * A moment in a format (micros of UTC; of a FIELD_DATE days); rounded down, or up, to
 * what the format can say.  *exact: it says it all.
 */
extern char *manifest_format_time(ManifestFormat format, FieldType type, int64 value, bool up, bool *exact);

/* a moment with all its digits, or a day, by ISO 8601 */
extern char *manifest_iso_time(FieldType type, int64 value);

/* The value of a cell in a format as the canonical cell; false: it is of another form. */
extern bool manifest_parse_time(ManifestFormat format, FieldType type, Cell *cell);

/* an element of an array: list[key=value].rest */
typedef struct Selector
{
	char	   *base;
	char	   *key;
	char	   *value;
	char	   *rest;			/* "" : the element itself */
} Selector;

/* NULL: the path has none */
extern Selector *selector_parse(const char *path);

/* a value of a document as a cell of the batch */
extern Cell manifest_cell(const JsonTree *tree, Batch *batch);

/* its value in the raw JSON of the base */
extern Cell selector_apply(const Selector *selector, const Cell *base, Batch *batch, uint32 row);

/* ---------- manifest_unnest.c ---------- */

typedef struct Unnest Unnest;

/* For the steps of a way to read; in the current memory context. */
extern Unnest *unnest_create(const ManifestRead *read);

/* members of a record that arrays are in; NULL at the end */
extern const char *unnest_base(const Unnest *unnest, int number);

/* Whether a path leads into one of these; place: what unnest_value() wants. */
typedef struct UnnestPlace
{
	int			base;
	int			step;			/* -1: of the record itself */
	int			array;			/* of that step */
	const char *rest;			/* behind it */
} UnnestPlace;

extern bool unnest_find(const Unnest *unnest, const char *path, UnnestPlace *place);

/*
 * Begin with a record: a cell of raw JSON (or null) for each base.  Raises an error
 * if arrays that belong together differ; where is the record, for its message.
 */
extern void unnest_begin(Unnest *unnest, const Cell *const *bases, const Batch *batch, uint32 row);

/* The next combination of elements; false: there are no more. */
extern bool unnest_next(Unnest *unnest);

/* what is at a place; NULL: nothing */
extern const JsonTree *unnest_value(const Unnest *unnest, const UnnestPlace *place);

/* ---------- manifest_read.c, manifest_write.c ---------- */

extern RecordReader *manifest_open_reader(ConnectorSession *session, ReadRequest *request);
extern RecordWriter *manifest_open_writer(ConnectorSession *session, WriteRequest *request);
extern int	manifest_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation);

/* fields that the first records of an entity show, appended to the schema */
extern void manifest_sample(ConnectorSession *session, const ManifestEntity *entity, const char *name, Jsonb *properties,
							Schema *schema);

#endif							/* APPFLOW_MANIFEST_ENGINE_H */
