/*-------------------------------------------------------------------------
 *
 * text.h
 *	  Text of scalar values: numbers, ISO 8601 dates and times, UTF-8.
 *
 * IDENTIFICATION
 *	  src/codec/text.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_TEXT_H
#define APPFLOW_CODEC_TEXT_H

#include "codec/cell.h"

/* the largest text that text_format_cell() needs for a kind that is not text */
#define CELL_TEXT_MAX 40

/*
 * The text of a cell that is not text itself (boolean true/false, integer,
 * shortest round-trip double, ISO 8601 date, timestamp with up to six
 * fractional digits, trailing zeros cut; Z behind a FIELD_DATETIME; "infinity"
 * and "-infinity" for the largest and smallest date and timestamp; years before
 * 1 as ISO 8601 counts them, 0000 being 1 BC).
 * Returns its length; no terminator.
 */
extern size_t text_format_cell(const Cell *cell, FieldType type, char out[CELL_TEXT_MAX]);

/* days since 1970-01-01 of a proleptic Gregorian date, and back; years -9999..294276 */
extern int64_t text_days_from_civil(int64_t year, unsigned month, unsigned day);
extern void text_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);

/*
 * Parsers take the whole text; false if it is anything else than described.
 *
 * date:      YYYY-MM-DD, years 0001 to 294276 (more digits than four only where
 *            the year needs them)
 * datetime:  date, 'T' or ' ', hh:mm[:ss[.fraction]], then Z, +hh, +hhmm, +hh:mm
 *            (or minus); *has_zone tells whether one was given.  The value is
 *            microseconds since the epoch, in UTC if there was a zone, as on the
 *            wall clock otherwise.  24:00:00 and second 60 roll over as PostgreSQL
 *            does.  Fractions beyond microseconds are rounded, half to even.  A
 *            bare date is midnight.  64 bits of microseconds since 1970 end in
 *            January 294247: what is later is not read.
 * epoch:     a number of seconds or milliseconds is not read here.
 */
extern bool text_parse_date(const char *text, size_t length, int64_t *days);
extern bool text_parse_datetime(const char *text, size_t length, int64_t *micros, bool *has_zone);

/* decimal integer with optional sign, within 64 bits, no blanks */
extern bool text_parse_int64(const char *text, size_t length, int64_t *value);

/* RFC 8259 number grammar, also a leading '+'; correctly rounded; false on overflow to infinity */
extern bool text_parse_double(const char *text, size_t length, double *value);

/* true if the text is a number by RFC 8259's grammar */
extern bool text_is_number(const char *text, size_t length);

/* offset of the first byte that is not valid UTF-8 (RFC 3629), or length if all is */
extern size_t text_utf8_check(const char *text, size_t length);

/*
 * How doubles become text: shortest digits that read back the same.  The server
 * sets this to PostgreSQL's own routine; the default works anywhere.
 * Writes at most 32 bytes and no terminator, returns the length.
 */
extern size_t (*text_format_double) (double value, char *out);

#endif							/* APPFLOW_CODEC_TEXT_H */
