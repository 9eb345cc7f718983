/*-------------------------------------------------------------------------
 *
 * manifest_keys.h
 *	  The keys of manifests, as tables: what the value of each must be, where it
 *	  goes, and which values a template there may name.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_keys.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_MANIFEST_KEYS_H
#define APPFLOW_MANIFEST_KEYS_H

#include "connector/manifest.h"

/* ---------- values that templates may name, in groups ---------- */

#define OF_ENTITY		0x0001
#define OF_SETTING		0x0002
#define OF_PAGE			0x0004
#define OF_READ			0x0008
#define OF_FILTER		0x0010
#define OF_RECORD		0x0020
#define OF_LINEAGE		0x0040
#define OF_WRITE		0x0080
#define OF_JOB			0x0100
#define OF_CREDENTIAL	0x0200
#define OF_ALL			0x0400
#define OF_PROPERTY		0x0800

typedef struct TemplateValue
{
	const char *name;			/* with a dot at its end: and more behind that */
	unsigned	group;
} TemplateValue;

extern const TemplateValue template_values[];
extern const int template_value_count;

#define EVERYWHERE (OF_ALL | OF_PROPERTY)

/* ---------- tables of keys ---------- */

typedef enum KeyKind
{
	KEY_INCLUDE,				/* the keys of another table, for a structure in this one */
	KEY_TEXT,
	KEY_PATH,
	KEY_TEMPLATE,
	KEY_TEXTS,					/* one, or an array */
	KEY_TEMPLATES,
	KEY_TEXT_LISTS,				/* an array of KEY_TEXTS */
	KEY_PAIRS,					/* object of texts */
	KEY_TEMPLATE_PAIRS,
	KEY_TYPE_PAIRS,				/* object of names of types */
	KEY_BOOLEAN,
	KEY_NUMBER,
	KEY_NUMBERS,
	KEY_NAME,					/* one of a list: its number */
	KEY_METHOD,					/* one of a list: as text */
	KEY_NAMES,					/* some of a list: bits */
	KEY_TYPE,
	KEY_TYPES,					/* bits 1 << FieldType */
	KEY_FORMATS,
	KEY_JSON,
	KEY_OBJECT,					/* a structure in this one */
	KEY_POINTER,				/* a structure of its own */
	KEY_OBJECTS,				/* an array of structures */
	KEY_OBJECT_OR_OBJECTS,
	KEY_WRITES					/* an operation to a structure of its own */
} KeyKind;

typedef struct Key Key;

typedef struct KeyTable
{
	const Key  *keys;
	int			count;
	size_t		size;
} KeyTable;

struct Key
{
	const char *name;
	KeyKind		kind;
	size_t		offset;
	bool		required;
	int			otherwise;		/* what numbers are when the key is absent */
	int			minimum;
	int			maximum;
	const char *const *names;
	const KeyTable *table;
	unsigned	adds;			/* groups of values that templates may name here and below */
};

/* the keys of a whole manifest, and names of formats */
extern const KeyTable manifest_table;
extern const char *const manifest_format_names[];

#endif							/* APPFLOW_MANIFEST_KEYS_H */
