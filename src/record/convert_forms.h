/*-------------------------------------------------------------------------
 *
 * convert_forms.h
 *	  What the two files of conversion share; others use record.h.
 *
 * IDENTIFICATION
 *	  src/record/convert_forms.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CONVERT_FORMS_H
#define APPFLOW_CONVERT_FORMS_H

#include "postgres.h"

#include "record/record.h"

/* ---------- convert.c ---------- */

/* why a value is refused; format has one %s, for the value in quotes */
extern char *convert_refuse(const Cell *cell, FieldType type, const char *format) pg_attribute_format_arg(3);

/* the same for a kind of value, "a boolean is not ..." */
extern char *convert_refuse_kind(const Cell *cell, const char *wanted);

/* ---------- convert_forms.c ---------- */

/* as cell_convert(), for one type each */
extern char *convert_to_uuid(Batch *batch, Cell *cell);
extern char *convert_to_binary(Batch *batch, Cell *cell);
extern char *convert_to_json(Batch *batch, Cell *cell, FieldType source);

static inline bool
is_digit(char c)
{
	return (unsigned char) (c - '0') < 10;
}

#endif							/* APPFLOW_CONVERT_FORMS_H */
