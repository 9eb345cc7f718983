/*-------------------------------------------------------------------------
 *
 * manifest.h
 *	  REST applications described by a JSON document, parsed and checked.
 *
 * doc/manifest.md tells what the keys mean; the structures here have a member for
 * each.  Plain C: the program that checks src/apps/ at build time is made of the
 * same code.  All lives in the arena that was given.
 *
 * IDENTIFICATION
 *	  src/connector/manifest.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_MANIFEST_H
#define APPFLOW_MANIFEST_H

#include "codec/arena.h"
#include "codec/json_tree.h"

typedef struct ManifestTexts
{
	int			count;
	const char **items;
} ManifestTexts;

/* texts, each alone or several side by side */
typedef struct ManifestLists
{
	int			count;
	ManifestTexts *items;
} ManifestLists;

typedef struct ManifestPair
{
	const char *name;
	const char *value;
} ManifestPair;

typedef struct ManifestPairs
{
	int			count;
	ManifestPair *items;
} ManifestPairs;

typedef struct ManifestCondition
{
	const char *path;			/* NULL: there is no condition */
	ManifestTexts equals;
	ManifestTexts not;
} ManifestCondition;

typedef struct ManifestConditions
{
	int			count;
	ManifestCondition *items;
} ManifestConditions;

/* how a value of a type is written */
typedef enum ManifestFormat
{
	FORMAT_NONE,				/* not said */
	FORMAT_ISO,
	FORMAT_EPOCH,
	FORMAT_EPOCH_MILLISECONDS,
	FORMAT_DATETIME,
	FORMAT_DATE,
	FORMAT_EPOCH_FRACTION,
	FORMAT_ISO_SECONDS
} ManifestFormat;

typedef struct ManifestFormatRule
{
	int			type;			/* a ManifestType, or -1: all */
	ManifestFormat format;
} ManifestFormatRule;

typedef struct ManifestFormats
{
	int			count;
	ManifestFormatRule *items;
} ManifestFormats;

/* field types by the names of manifests */
typedef struct ManifestType
{
	const char *name;
	FieldType	type;
	int			precision;
} ManifestType;

extern const ManifestType manifest_types[];
extern const int manifest_type_count;

/* index in manifest_types, or -1 */
extern int	manifest_type_find(const char *name);

typedef struct ManifestCall
{
	const char *method;			/* NULL: GET, or POST with a body */
	const char *path;
	ManifestPairs parameters;
	ManifestPairs first_parameters;
	ManifestPairs next_parameters;
	ManifestPairs headers;
	const JsonTree *body;
	ManifestPairs form;
	int			repeatable;		/* 1, 0, or -1: not said */
	struct
	{
		int			count;
		int		   *items;
	}			not_ready;		/* statuses: ask again later */
} ManifestCall;

typedef enum ManifestPagingKind
{
	PAGING_NONE,
	PAGING_OFFSET,
	PAGING_PAGE,
	PAGING_CURSOR,
	PAGING_LINK,
	PAGING_LINK_HEADER,
	PAGING_HEADER,
	PAGING_TIME,
	PAGING_KEY
} ManifestPagingKind;

typedef struct ManifestPaging
{
	int			kind;
	int			size;
	int			maximum;		/* 0: size */
	int			first;			/* -1: as the kind likes */
	const char *next;
	ManifestCondition more;
	ManifestCondition last;
	const char *total;
	const char *at;				/* where the answer says which page it is */
	int			link_tells;
	int			short_pages;
} ManifestPaging;

/* operators in the order of FilterOperator (connector.h) */
#define MANIFEST_OPERATORS 11

typedef struct ManifestUnless
{
	ManifestTexts contains;
	ManifestTexts begins_with;
} ManifestUnless;

typedef struct ManifestFilter
{
	unsigned	operators;		/* bits 1 << FilterOperator */
	ManifestTexts fields;
	ManifestTexts except;		/* of all fields */
	unsigned	types;			/* bits 1 << FieldType; 0: all */
	const char *term;
	ManifestPairs parameters;
	ManifestPairs first_parameters;
	const char *values;
	const char *or;
	int			format;
	const char *quote;
	ManifestPairs escape;
	ManifestUnless unless;
	const char *characters;		/* of literals of text that can be sent; NULL: any */
	int			length;			/* of them; 0: any */
	int			settled;		/* seconds; 0: it does not matter */
	int			exact;
} ManifestFilter;

typedef enum ManifestNulls
{
	NULLS_UNKNOWN,
	NULLS_ARE_FIRST,
	NULLS_ARE_LAST,
	NULLS_ARE_SMALLEST,
	NULLS_ARE_LARGEST
} ManifestNulls;

typedef struct ManifestOrder
{
	const char *ascending;
	const char *descending;
	const char *join;
	int			nulls;
	ManifestTexts fields;
	int			multiple;
	ManifestPaging *paging;		/* NULL: that of reading */
} ManifestOrder;

typedef struct ManifestQuery
{
	const char *join;
	ManifestTexts first;
	ManifestTexts last;
} ManifestQuery;

/* a way to read that tells for certain only what changed some time ago */
typedef struct ManifestSettled
{
	const char *field;
	int			seconds;
} ManifestSettled;

typedef struct ManifestRead
{
	ManifestCall call;
	int			when_filtered;
	ManifestSettled *settled;	/* NULL: it does not matter */
	ManifestTexts lacks;		/* fields that it does not tell */
	const char *records;
	int			may_lack_records;
	ManifestLists unnest;		/* paths of arrays within a record */
	ManifestPaging paging;
	int			lines;			/* records one behind the other, with nothing around them */
	const char *field_separator;
	ManifestQuery query;
	struct
	{
		int			count;
		ManifestFilter *items;
	}			filters;
	ManifestOrder *order;
	ManifestTexts distinct;
} ManifestRead;

typedef struct ManifestReads
{
	int			count;
	ManifestRead *items;
} ManifestReads;

typedef struct ManifestCount
{
	ManifestCall call;
	const char *value;
	const char *header;
} ManifestCount;

typedef struct ManifestList
{
	ManifestRead read;			/* its call, records and paging */
	const char *name;
	const char *label;
	ManifestConditions where;
} ManifestList;

typedef struct ManifestField
{
	const char *name;
	int			type;			/* in manifest_types; 0: String */
	const char *path;
	const char *constant;
	const char *label;
	const char *description;
	const char *native_type;
	const char *references;
	int			format;
	int			key;
	int			required;
	int			length;
	ManifestTexts values;
	int			incremental;
	int			sortable;
	int			upsert_key;
	unsigned	write;			/* bits 1 << WriteOperation */
	int			write_only;
	const char *null;			/* what stands for no value */
} ManifestField;

typedef struct ManifestLineage
{
	ManifestCall call;
	const char *records;
	const char *parent;
} ManifestLineage;

typedef struct ManifestDescribe
{
	ManifestRead read;			/* its call, records and paging */
	const char *name;
	const char *type;
	ManifestPairs types;
	const char *path;
	const char *label;
	const char *description;
	const char *length;
	const char *references;
	const char *format;
	ManifestCondition required;
	ManifestCondition sortable;
	ManifestCondition read_only;
	ManifestCondition key;
	ManifestCondition incremental;
	const char *values;
	const char *values_name;
	ManifestConditions where;
	unsigned	write;
	ManifestLineage *lineage;
} ManifestDescribe;

typedef struct ManifestResults
{
	const char *records;
	const char *index;
	ManifestCondition failed;
	ManifestTexts code;
	ManifestTexts message;
	const char *id;
} ManifestResults;

typedef struct ManifestJob
{
	ManifestCall call;
	const char *id;
	const char *status;
	ManifestTexts running;
	ManifestTexts done;
	int			interval;
	int			timeout;
} ManifestJob;

typedef struct ManifestWrite
{
	ManifestCall call;
	int			batch;
	int			ids_in_path;
	int			nulls;			/* 1: sent, 0: left out, -1: as the operation likes */
	int			only_ids;
	ManifestResults *results;
	ManifestJob *job;
	struct
	{
		int			count;		/* -1: not said */
		int		   *items;
	}			rejects;
} ManifestWrite;

typedef struct ManifestEntity
{
	const char *name;
	const char *label;
	const char *group;
	const char *characters;		/* of what stands for '*' */
	ManifestList *list;
	struct
	{
		int			count;
		ManifestField *items;
	}			fields;
	ManifestDescribe *describe;
	int			sample;
	ManifestReads read;
	ManifestCount *count;
	ManifestWrite *write[4];	/* by WriteOperation */
} ManifestEntity;

typedef struct ManifestException
{
	struct
	{
		int			count;
		int		   *items;
	}			status;
	ManifestTexts code;
	int			exception;		/* in manifest_exceptions */
	const char *hint;
} ManifestException;

/* names of exceptions, and how many there are */
extern const char *const manifest_exceptions[];

typedef enum ManifestExceptionKind
{
	MANIFEST_VALIDATION,
	MANIFEST_AUTHENTICATION,
	MANIFEST_ACCESS_DENIED,
	MANIFEST_NOT_FOUND,
	MANIFEST_THROTTLING,
	MANIFEST_CONNECTOR
} ManifestExceptionKind;

typedef struct ManifestErrors
{
	ManifestTexts code;
	ManifestTexts message;
	ManifestConditions failed;	/* one of them is enough */
	ManifestTexts expired;
	ManifestTexts throttled;
	struct
	{
		int			count;
		ManifestException *items;
	}			exceptions;
} ManifestErrors;

typedef enum ManifestResetKind
{
	RESET_SECONDS,
	RESET_EPOCH,
	RESET_EPOCH_MILLISECONDS,
	RESET_EPOCH_MICROSECONDS
} ManifestResetKind;

typedef struct ManifestRateLimit
{
	const char *remaining;
	const char *reset;
	int			reset_is;
} ManifestRateLimit;

typedef struct ManifestApiKey
{
	const char *header;
	const char *parameter;
	const char *prefix;
} ManifestApiKey;

typedef struct ManifestOAuth2
{
	ManifestTexts scopes;
	ManifestTexts token_urls;
	ManifestTexts auth_code_urls;
	unsigned	grants;			/* bits, see connector/traits.h */
} ManifestOAuth2;

typedef struct ManifestCustomAuth
{
	const char *type;
	ManifestPairs headers;
	ManifestPairs parameters;
} ManifestCustomAuth;

typedef struct ManifestAuthentication
{
	int			basic;
	ManifestApiKey *api_key;
	ManifestOAuth2 *oauth2;
	ManifestCustomAuth *custom;
} ManifestAuthentication;

typedef struct ManifestSetting
{
	const char *key;
	const char *label;
	const char *description;
	int			scope;			/* in manifest_scopes */
	int			required;
	ManifestTexts values;
	const char *otherwise;		/* the default */
} ManifestSetting;

#define SCOPE_PROFILE 0
#define SCOPE_SOURCE 1
#define SCOPE_DESTINATION 2
#define SCOPE_BOTH 3
extern const char *const manifest_scopes[];

typedef struct Manifest
{
	int			version;
	const char *connector;
	const char *name;
	const char *description;
	const char *owner;
	const char *connector_version;
	const char *logo_url;
	const char *base_url;
	const char *base_path;
	ManifestTexts api_versions;
	ManifestPairs headers;
	ManifestAuthentication *authentication;
	struct
	{
		int			count;
		ManifestSetting *items;
	}			settings;
	ManifestFormats formats;
	int			empty_is_null;
	ManifestErrors errors;
	ManifestRateLimit *rate_limit;
	struct
	{
		int			count;
		ManifestEntity *items;
	}			entities;
} Manifest;

#define MANIFEST_PROBLEM 512

/*
 * Parse and check a manifest; built_in: it names the connector that it is.  NULL:
 * problem says what is wrong, beginning with the place.
 */
extern Manifest *manifest_parse(Arena *arena, const char *text, size_t length, bool built_in,
								char problem[MANIFEST_PROBLEM]);

/* ---------- templates ---------- */

/*
 * The next piece of a template: plain text, or the name of a value.  False at its
 * end.  Braces that are doubled are plain text of one.
 */
typedef struct TemplatePiece
{
	bool		value;
	const char *text;
	size_t		length;
} TemplatePiece;

extern bool template_next(const char **template, TemplatePiece *piece);

/* whether a template names the value, or one that begins so when that ends with a dot */
extern bool template_names(const char *template, const char *value);

/* ---------- manifest_check.c: between the two ---------- */

/* What is wrong with it as a whole; false, with the problem written. */
extern bool manifest_check(const Manifest *manifest, bool built_in, char problem[MANIFEST_PROBLEM]);

/* every key there is, one after another; NULL at the end; for tests of the documentation */
extern const char *manifest_key(int number);

/* ---------- what make embeds (build/manifests.c) ---------- */

typedef struct EmbeddedManifest
{
	const char *file;
	const char *connector;
	const char *text;
	size_t		length;
} EmbeddedManifest;

extern const EmbeddedManifest embedded_manifests[];
extern const int embedded_manifest_count;

#endif							/* APPFLOW_MANIFEST_H */
