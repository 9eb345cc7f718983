/*-------------------------------------------------------------------------
 *
 * numeric_text.h
 *	  Decimal text to and from numeric values, the short way.
 *
 * IDENTIFICATION
 *	  src/record/numeric_text.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NUMERIC_TEXT_H
#define APPFLOW_NUMERIC_TEXT_H

#include "postgres.h"

/* the longest text that numeric_to_text() makes */
#define NUMERIC_TEXT_MAX 192

/*
 * What numeric_in() makes of digits with an optional minus and point, under
 * the typmod.  False when the text is of another form, long, or does not fit
 * the typmod exactly: numeric_in() has the answer then.
 */
extern bool numeric_from_text(const char *text, size_t length, int32 typmod, Datum *value);

/*
 * What numeric_out() makes of the value, without a terminator; returns its
 * length.  0 when the value is long, out of line or not finite: ask numeric_out().
 */
extern size_t numeric_to_text(Datum value, char out[NUMERIC_TEXT_MAX]);

#endif							/* APPFLOW_NUMERIC_TEXT_H */
