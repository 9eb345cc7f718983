/*-------------------------------------------------------------------------
 *
 * jsonb_access.h
 *	  Short words for reading members of jsonb documents.
 *
 * All results are allocated in the current memory context.  A member that is
 * absent and one that is JSON null look the same.
 *
 * IDENTIFICATION
 *	  src/record/jsonb_access.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_JSONB_ACCESS_H
#define APPFLOW_JSONB_ACCESS_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* text of a scalar member (numbers and booleans as JSON prints them), or NULL */
extern char *jsonb_get_text(Jsonb *object, const char *key);

/* a member that is an object or array, or NULL */
extern Jsonb *jsonb_get_container(Jsonb *object, const char *key);

/* a boolean member (also "true"/"false" as text), or the default */
extern bool jsonb_get_bool(Jsonb *object, const char *key, bool otherwise);

/* an integral number member (also as text); false if absent or something else */
extern bool jsonb_get_int64(Jsonb *object, const char *key, int64 *value);

/* the only member of an object: its name and value (NULL unless a container); false if not one */
extern bool jsonb_get_only(Jsonb *object, char **key, Jsonb **value, char **text);

/* elements of an array: texts of the scalars (nulls left out), or containers */
extern List *jsonb_array_texts(Jsonb *array);
extern List *jsonb_array_containers(Jsonb *array);

/* names of an object's members */
extern List *jsonb_keys(Jsonb *object);

/* parse JSON text; NULL if it is not JSON */
extern Jsonb *jsonb_parse(const char *text);

#endif							/* APPFLOW_JSONB_ACCESS_H */
