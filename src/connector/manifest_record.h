/*-------------------------------------------------------------------------
 *
 * manifest_record.h
 *	  Records as the JSON objects that an application wants to be sent.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_record.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_MANIFEST_RECORD_H
#define APPFLOW_MANIFEST_RECORD_H

#include "postgres.h"

#include "connector/manifest_engine.h"
#include "lib/stringinfo.h"

typedef struct RecordShape RecordShape;

/* nulls: members without a value are sent as null, else left out */
extern RecordShape *record_shape_create(bool nulls);

/* a column goes where its field's path (or name) says; raises for paths that contradict each other */
extern void record_shape_add(RecordShape *shape, int column, const Field *field, ManifestFormat format);

/*
 * Append a record, of canonical cells.  Returns NULL, or why a value cannot be sent;
 * what has been appended is then of no use.
 */
extern char *record_shape_append(const RecordShape *shape, StringInfo out, const Cell *const *columns, uint32 row);

#endif							/* APPFLOW_MANIFEST_RECORD_H */
