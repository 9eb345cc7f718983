/*-------------------------------------------------------------------------
 *
 * infer.c
 *	  Guesses the type of a field from a sample of its values.
 *
 * IDENTIFICATION
 *	  src/record/infer.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/text.h"
#include "record/infer.h"

/* candidates, narrowest first; bit i of TypeGuess.excluded rules candidate i out */
static const FieldType candidates[] = {
	FIELD_LONG, FIELD_DOUBLE, FIELD_DECIMAL, FIELD_BOOLEAN, FIELD_DATE, FIELD_DATETIME, FIELD_TIMESTAMP
};

/* digits of a number that a double keeps for certain */
#define DOUBLE_DIGITS 15

static uint32
allow(FieldType type)
{
	for (int i = 0; i < (int) lengthof(candidates); i++)
	{
		if (candidates[i] == type)
			return 1u << i;
	}
	return 0;
}

/* digits from the first that is not zero to the last before the exponent */
static int
significant_digits(const char *text, size_t length)
{
	int			digits = 0;

	for (size_t i = 0; i < length && text[i] != 'e' && text[i] != 'E'; i++)
	{
		if (text[i] >= '0' && text[i] <= '9' && (digits > 0 || text[i] != '0'))
			digits++;
	}
	return digits;
}

static uint32
allow_number(const char *text, size_t length)
{
	uint32		allowed = allow(FIELD_DECIMAL);
	int64		integer;
	double		real;

	if (text_parse_int64(text, length, &integer))
		allowed |= allow(FIELD_LONG);
	if (significant_digits(text, length) <= DOUBLE_DIGITS && text_parse_double(text, length, &real))
		allowed |= allow(FIELD_DOUBLE);
	return allowed;
}

static uint32
allow_text(const char *text, size_t length, bool text_only)
{
	uint32		allowed = 0;
	int64		value;
	bool		has_zone;

	if (text_only && length > 0)
	{
		if (text_is_number(text, length))
			return allow_number(text, length);
		if ((length == 4 && memcmp(text, "true", 4) == 0) || (length == 5 && memcmp(text, "false", 5) == 0))
			return allow(FIELD_BOOLEAN);
	}
	/* shortest: 2026-01-01; anything longer than a full timestamp is prose */
	if (length < 10 || length > 40 || text[4] != '-')
		return 0;
	if (text_parse_date(text, length, &value))
		return allow(FIELD_DATE);
	if (text_parse_datetime(text, length, &value, &has_zone))
		allowed = allow(has_zone ? FIELD_DATETIME : FIELD_TIMESTAMP);
	return allowed;
}

void
type_guess_add(TypeGuess *guess, const Cell *cell, bool text_only)
{
	uint32		allowed = 0;

	switch ((CellKind) cell->kind)
	{
		case CELL_NULL:
			return;
		case CELL_STRING:
			allowed = allow_text(cell->data, cell->length, text_only);
			break;
		case CELL_NUMBER:
			allowed = allow_number(cell->data, cell->length);
			break;
		case CELL_BOOLEAN:
			allowed = allow(FIELD_BOOLEAN);
			break;
		case CELL_JSON:
			guess->nested = true;
			break;
		case CELL_INTEGER:
			allowed = allow(FIELD_LONG) | allow(FIELD_DOUBLE) | allow(FIELD_DECIMAL);
			break;
		case CELL_DOUBLE:
			allowed = allow(FIELD_DOUBLE);
			break;
		case CELL_DATE:
			allowed = allow(FIELD_DATE);
			break;
		case CELL_TIMESTAMP:
			allowed = allow(FIELD_DATETIME);
			break;
	}
	guess->seen = true;
	guess->excluded |= ~allowed;
}

FieldType
type_guess_result(const TypeGuess *guess)
{
	if (guess->nested)
		return FIELD_JSON;
	for (int i = 0; guess->seen && i < (int) lengthof(candidates); i++)
	{
		if ((guess->excluded & (1u << i)) == 0)
			return candidates[i];
	}
	return FIELD_STRING;
}
