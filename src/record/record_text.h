/*-------------------------------------------------------------------------
 *
 * record_text.h
 *	  A record as the text of a JSON object, for requests that carry records so.
 *
 * IDENTIFICATION
 *	  src/record/record_text.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_RECORD_TEXT_H
#define APPFLOW_RECORD_TEXT_H

#include "record/record.h"

typedef struct RecordText RecordText;

/* In the current memory context. Fields may be appended to the schema afterwards. */
extern RecordText *record_text_create(const Schema *schema);

/* {"name":value,...}, nulls included; valid until the next call */
extern char *record_text(RecordText *text, const RecordSet *set, uint32 row, size_t *length);

#endif							/* APPFLOW_RECORD_TEXT_H */
