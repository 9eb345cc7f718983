/*-------------------------------------------------------------------------
 *
 * convert.c
 *	  Cells of any kind to the canonical kind of a field type.
 *
 * A conversion is exact or it is refused: no digit, character or fraction is
 * dropped.  The one exception are the binary floating-point types, which round
 * to nearest as they do everywhere.  doc/types.md has the whole matrix.
 *
 * Cells that are canonical already, and the usual text of numbers, are dealt
 * with first and inline; what is left goes through the slower general forms.
 * UUIDs, bytes and JSON are in convert_forms.c.
 *
 * IDENTIFICATION
 *	  src/record/convert.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "codec/text.h"
#include "common/string.h"
#include "mb/pg_wchar.h"
#include "record/convert_forms.h"
#include "record/record.h"

/* bytes of an offending value that a message quotes */
#define QUOTED_BYTES 64

/* an epoch number of at least this many units counts milliseconds, not seconds */
#define EPOCH_MILLISECONDS_FROM INT64CONST(100000000000)

#define MICROS_PER_DAY INT64CONST(86400000000)

/* a decimal literal taken apart; value = 0.DIGITS * 10^point, DIGITS being whole then fraction */
typedef struct Decimal
{
	bool		negative;
	bool		canonical;		/* the literal is a number by RFC 8259 */
	bool		exponent;		/* the literal has one */
	const char *whole;
	int			nwhole;
	const char *fraction;
	int			nfraction;
	int			shift;			/* power of ten of the exponent */
	int			point;			/* digits before the point, leading zeros not counted;
								 * negative: zeros behind the point */
	int			scale;			/* digits needed behind the point; negative: zeros
								 * before it */
	bool		zero;
} Decimal;

/* ---------- messages ---------- */

/*
 * The value in quotes, cut at a character's end when long, control
 * characters escaped, and nothing that the database encoding may lack.
 */
static char *
quote_value(const Cell *cell, FieldType type)
{
	char		formatted[CELL_TEXT_MAX];
	const char *data = cell->data;
	size_t		length = cell->length;
	bool		cut = false;
	StringInfoData out;

	if (!cell_is_text(cell))
	{
		length = text_format_cell(cell, type, formatted);
		data = formatted;
	}
	if (length > QUOTED_BYTES)
	{
		length = QUOTED_BYTES;
		while (length > 0 && ((unsigned char) data[length] & 0xC0) == 0x80)
			length--;
		cut = true;
	}
	initStringInfo(&out);
	appendStringInfoChar(&out, '"');
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) data[i];

		if (c < 0x20 || c == 0x7F ||
			(c >= 0x80 && GetDatabaseEncoding() != PG_UTF8))
			appendStringInfo(&out, "\\x%02x", c);
		else
			appendStringInfoChar(&out, (char) c);
	}
	appendStringInfoString(&out, cut ? "...\"" : "\"");
	return out.data;
}

char *
convert_refuse(const Cell *cell, FieldType type, const char *format)
{
	char	   *quoted = quote_value(cell, type);
	char	   *message = psprintf(format, quoted);

	pfree(quoted);
	return message;
}

static const char *
kind_name(CellKind kind)
{
	switch (kind)
	{
		case CELL_NULL:
			return "null";
		case CELL_STRING:
			return "text";
		case CELL_NUMBER:
		case CELL_INTEGER:
		case CELL_DOUBLE:
			return "number";
		case CELL_BOOLEAN:
			return "boolean";
		case CELL_JSON:
			return "JSON object or array";
		case CELL_DATE:
			return "date";
		case CELL_TIMESTAMP:
			return "date and time";
	}
	return "value";
}

char *
convert_refuse_kind(const Cell *cell, const char *wanted)
{
	return psprintf("a %s is not %s", kind_name(cell->kind), wanted);
}

/* ---------- numbers ---------- */

/* digits with an optional minus, as long as they cannot overflow: nearly every integer there is */
static inline bool
parse_short_integer(const char *data, uint32 length, int64 *value)
{
	const char *end = data + length;
	bool		negative = false;
	int64		n = 0;

	if (length > 0 && *data == '-')
	{
		negative = true;
		data++;
	}
	if (end - data < 1 || end - data > 18)
		return false;
	for (; data < end; data++)
	{
		if (!is_digit(*data))
			return false;
		n = n * 10 + (*data - '0');
	}
	*value = negative ? -n : n;
	return true;
}

/*
 * Take a decimal literal apart: sign, digits, fraction, exponent.  Besides RFC
 * 8259's numbers this accepts what numeric's input does: a plus, leading
 * zeros, and nothing on one side of the point.
 */
static bool
scan_decimal(const char *data, uint32 length, Decimal *d)
{
	const char *p = data;
	const char *end = data + length;
	int			whole_zeros = 0;
	int			significant;

	memset(d, 0, sizeof(*d));
	d->canonical = true;
	if (length > 100000000)
		return false;
	if (p < end && (*p == '-' || *p == '+'))
	{
		d->negative = *p == '-';
		d->canonical = d->negative;
		p++;
	}
	d->whole = p;
	while (p < end && is_digit(*p))
		p++;
	d->nwhole = p - d->whole;
	if (d->nwhole == 0 || (d->nwhole > 1 && *d->whole == '0'))
		d->canonical = false;
	if (p < end && *p == '.')
	{
		d->fraction = ++p;
		while (p < end && is_digit(*p))
			p++;
		d->nfraction = p - d->fraction;
		if (d->nfraction == 0)
			d->canonical = false;
	}
	if (d->nwhole + d->nfraction == 0)
		return false;
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		bool		negative = false;

		d->exponent = true;
		p++;
		if (p < end && (*p == '-' || *p == '+'))
			negative = *p++ == '-';
		if (p == end)
			return false;
		for (; p < end && is_digit(*p); p++)
		{
			if (d->shift < 100000000)
				d->shift = d->shift * 10 + (*p - '0');
		}
		if (negative)
			d->shift = -d->shift;
	}
	if (p != end)
		return false;

	/* drop zeros that say nothing, and find where the point stands */
	while (d->nwhole > 0 && *d->whole == '0')
	{
		d->whole++;
		d->nwhole--;
	}
	while (d->nfraction > 0 && d->fraction[d->nfraction - 1] == '0')
		d->nfraction--;
	significant = d->nwhole;
	if (d->nfraction == 0)
	{
		while (significant > 0 && d->whole[significant - 1] == '0')
		{
			significant--;
			whole_zeros++;
		}
	}
	d->zero = significant == 0 && d->nfraction == 0;
	if (d->zero)
	{
		d->nwhole = 0;
		d->shift = 0;
		return true;
	}
	d->point = d->nwhole + d->shift;
	if (d->nwhole == 0)
	{
		for (const char *z = d->fraction; *z == '0'; z++)
			d->point--;
	}
	d->scale = d->nfraction - whole_zeros - d->shift;
	return true;
}

/* the whole number a decimal stands for; false if it is not one or too large */
static bool
decimal_to_int64(const Decimal *d, int64 *value)
{
	uint64		n = 0;
	int			ndigits = d->nwhole + d->nfraction;
	int			zeros = d->shift - d->nfraction;

	*value = 0;
	if (d->zero)
		return true;
	if (d->scale > 0 || d->point > 19)
		return false;
	/* with a negative shift the last digits are zeros: leave them out */
	if (zeros < 0)
	{
		ndigits += zeros;
		zeros = 0;
	}
	for (int i = 0; i < ndigits + zeros; i++)
	{
		unsigned	digit = 0;

		if (i < d->nwhole && i < ndigits)
			digit = d->whole[i] - '0';
		else if (i < ndigits)
			digit = d->fraction[i - d->nwhole] - '0';
		if (n > (PG_UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (n > (uint64) PG_INT64_MAX + (d->negative ? 1 : 0))
		return false;
	*value = d->negative ? (int64) (0 - n) : (int64) n;
	return true;
}

/* the literal anew, without exponent; d->point and d->scale must be within reason */
static void
decimal_to_plain(Batch *batch, const Decimal *d, Cell *cell)
{
	int			before = Max(d->point, 1);
	int			after = Max(d->scale, 0);
	char	   *out = batch_alloc(batch, before + after + 2);
	char	   *p = out;
	int			skip = 0;		/* leading zeros of the digits */
	int			ndigits = d->nwhole + d->nfraction;

	if (d->negative && !d->zero)
		*p++ = '-';
	if (d->nwhole == 0)
	{
		while (skip < d->nfraction && d->fraction[skip] == '0')
			skip++;
	}
	/* position i counts digits from the first one before the point */
	for (int i = 0; i < before + after; i++)
	{
		int			digit = skip + i - before + d->point;

		if (i == before)
			*p++ = '.';
		if (d->zero || digit < skip || digit >= ndigits)
			*p++ = '0';
		else if (digit < d->nwhole)
			*p++ = d->whole[digit];
		else
			*p++ = d->fraction[digit - d->nwhole];
	}
	*cell = cell_text(CELL_NUMBER, out, p - out);
}

static char *
refuse_integer(const Cell *cell, FieldType type, bool range)
{
	if (!range)
		return convert_refuse(cell, type, "%s is not an integer");
	return convert_refuse(cell, type, type == FIELD_INTEGER ?
				  "%s is out of range for type Integer" :
				  "%s is out of range for type Long");
}

static char *
to_integer(Cell *cell, FieldType type)
{
	int64		value;

	switch (cell->kind)
	{
		case CELL_INTEGER:
			value = cell->integer;
			break;
		case CELL_STRING:
		case CELL_NUMBER:
			if (!parse_short_integer(cell->data, cell->length, &value))
			{
				Decimal		d;

				if (!scan_decimal(cell->data, cell->length, &d) || d.scale > 0)
					return refuse_integer(cell, type, false);
				if (!decimal_to_int64(&d, &value))
					return refuse_integer(cell, type, true);
			}
			break;
		case CELL_DOUBLE:
			if (isnan(cell->real) || isinf(cell->real) || cell->real != floor(cell->real))
				return refuse_integer(cell, type, false);
			if (cell->real < -9223372036854775808.0 || cell->real >= 9223372036854775808.0)
				return refuse_integer(cell, type, true);
			value = (int64) cell->real;
			break;
		default:
			return convert_refuse_kind(cell, "an integer");
	}
	if (type == FIELD_INTEGER && (value < PG_INT32_MIN || value > PG_INT32_MAX))
		return refuse_integer(cell, type, true);
	*cell = cell_integer(CELL_INTEGER, value);
	return NULL;
}

/* "NaN", "Infinity", "-inf", ... as float8in and numeric_in know them */
static bool
parse_special_number(const Cell *cell, double *value)
{
	static const struct
	{
		const char *name;
		double		value;
	}			specials[] = {
		{"nan", NAN}, {"infinity", INFINITY}, {"-infinity", -INFINITY},
		{"+infinity", INFINITY}, {"inf", INFINITY}, {"-inf", -INFINITY}, {"+inf", INFINITY},
	};

	if (cell->kind != CELL_STRING || cell->length < 3)
		return false;
	for (int i = 0; i < (int) lengthof(specials); i++)
	{
		if (cell->length == strlen(specials[i].name) &&
			pg_strncasecmp(cell->data, specials[i].name, cell->length) == 0)
		{
			*value = specials[i].value;
			return true;
		}
	}
	return false;
}

static char *
to_double(Cell *cell, FieldType type)
{
	double		value;
	int64		integer;

	switch (cell->kind)
	{
		case CELL_DOUBLE:
			value = cell->real;
			break;
		case CELL_INTEGER:
			value = (double) cell->integer;
			break;
		case CELL_STRING:
		case CELL_NUMBER:
			if (cell->length <= 15 && parse_short_integer(cell->data, cell->length, &integer) &&
				integer != 0)
			{
				value = (double) integer;
				break;
			}
			if (!text_parse_double(cell->data, cell->length, &value) &&
				!parse_special_number(cell, &value))
			{
				Decimal		d;

				if (!scan_decimal(cell->data, cell->length, &d))
					return convert_refuse(cell, type, "%s is not a number");
				if (!d.canonical && !d.exponent && d.point <= 308 && d.scale <= 1000)
				{
					/* ".5", "007": spelled otherwise than RFC 8259 has it */
					char	   *literal = pnstrdup(cell->data, cell->length);

					value = strtod(literal, NULL);
					pfree(literal);
				}
				else
					return convert_refuse(cell, type, "%s is out of range for a floating-point number");
			}
			if (value == 0)
			{
				Decimal		d;

				/* too small to be told from zero */
				if (scan_decimal(cell->data, cell->length, &d) && !d.zero)
					return convert_refuse(cell, type, "%s is out of range for a floating-point number");
			}
			break;
		default:
			return convert_refuse_kind(cell, "a number");
	}
	if (type == FIELD_FLOAT)
	{
		float		single = (float) value;

		if ((isinf(single) && !isinf(value)) || (single == 0.0f && value != 0.0))
			return convert_refuse(cell, type, "%s is out of range for type Float");
		value = (double) single;
	}
	*cell = cell_double(value);
	return NULL;
}

/* check against precision and scale, and cut zeros that exceed the scale */
static char *
fit_decimal(Batch *batch, Cell *cell, const Field *field)
{
	Decimal		d;

	if (!scan_decimal(cell->data, cell->length, &d))
		return convert_refuse(cell, field->type, "%s is not a decimal number");
	if (field->precision > 0 && !d.zero)
	{
		if (d.scale > field->scale)
		{
			char	   *quoted = quote_value(cell, field->type);

			return psprintf("%s has more than %d digits after the decimal point", quoted,
							Max(field->scale, 0));
		}
		if (d.point > field->precision - field->scale)
		{
			char	   *quoted = quote_value(cell, field->type);

			return psprintf("%s is out of range for a decimal of precision %d and scale %d",
							quoted, field->precision, field->scale);
		}
	}
	cell->kind = CELL_NUMBER;
	if (d.canonical && (field->precision == 0 ||
						(!d.exponent && (d.fraction == NULL ||
										 cell->data + cell->length - d.fraction <= field->scale))))
		return NULL;
	if (field->precision == 0 && d.exponent && (d.point > 1000 || d.scale > 1000))
	{
		cell->kind = CELL_STRING;
		return convert_refuse(cell, field->type, "%s is not a decimal number");
	}
	decimal_to_plain(batch, &d, cell);
	return NULL;
}

static char *
to_decimal(Batch *batch, Cell *cell, const Field *field)
{
	Cell		number = *cell;
	double		special;
	char	   *reason;

	switch (cell->kind)
	{
		case CELL_NUMBER:
			if (field->precision == 0)
				return NULL;
			break;
		case CELL_STRING:
			break;
		case CELL_INTEGER:
		case CELL_DOUBLE:
			{
				char	   *text;

				if (cell->kind == CELL_DOUBLE && (isnan(cell->real) || isinf(cell->real)))
				{
					if (!field->specials)
						return convert_refuse(cell, field->type, "%s is not a decimal number");
					*cell = isnan(cell->real) ? cell_text(CELL_STRING, "NaN", 3) :
						cell->real > 0 ? cell_text(CELL_STRING, "Infinity", 8) :
						cell_text(CELL_STRING, "-Infinity", 9);
					return NULL;
				}
				text = batch_alloc(batch, CELL_TEXT_MAX);
				number = cell_text(CELL_NUMBER, text, text_format_cell(cell, field->type, text));
				if (field->precision == 0)
				{
					*cell = number;
					return NULL;
				}
			}
			break;
		default:
			return convert_refuse_kind(cell, "a decimal number");
	}
	if (field->specials && parse_special_number(&number, &special))
		return NULL;
	reason = fit_decimal(batch, &number, field);
	if (reason == NULL)
		*cell = number;
	return reason;
}

/* ---------- booleans ---------- */

static char *
to_boolean(Cell *cell)
{
	static const struct
	{
		const char *name;
		bool		value;
	}			words[] = {
		{"true", true}, {"false", false}, {"1", true}, {"0", false},
		{"t", true}, {"f", false}, {"yes", true}, {"no", false},
		{"y", true}, {"n", false},
	};

	switch (cell->kind)
	{
		case CELL_BOOLEAN:
			return NULL;
		case CELL_STRING:
			for (int i = 0; i < (int) lengthof(words); i++)
			{
				if (cell->length == strlen(words[i].name) &&
					pg_strncasecmp(cell->data, words[i].name, cell->length) == 0)
				{
					*cell = cell_integer(CELL_BOOLEAN, words[i].value);
					return NULL;
				}
			}
			break;
		case CELL_NUMBER:
		case CELL_INTEGER:
		case CELL_DOUBLE:
			{
				Cell		number = *cell;
				char	   *reason = to_integer(&number, FIELD_LONG);

				if (reason != NULL)
					pfree(reason);
				else if (number.integer == 0 || number.integer == 1)
				{
					*cell = cell_integer(CELL_BOOLEAN, number.integer);
					return NULL;
				}
			}
			break;
		default:
			return convert_refuse_kind(cell, "a boolean");
	}
	return convert_refuse(cell, FIELD_BOOLEAN, "%s is not a boolean");
}

/* ---------- dates and times ---------- */

/* "infinity" and "-infinity", which tables have and which only text can carry */
static bool
is_infinity(const Cell *cell)
{
	return cell->kind == CELL_STRING &&
		((cell->length == 8 && memcmp(cell->data, "infinity", 8) == 0) ||
		 (cell->length == 9 && memcmp(cell->data, "-infinity", 9) == 0));
}

/*
 * An instant from a count since the epoch: milliseconds from 12 digits on,
 * seconds below.  Exact down to microseconds, otherwise refused.
 */
static bool
epoch_from_text(const char *data, uint32 length, int64 *micros)
{
	Decimal		d;
	int64		value;
	bool		milliseconds;

	if (!scan_decimal(data, length, &d))
		return false;
	milliseconds = d.point >= 12;
	if (d.scale > (milliseconds ? 3 : 6) || d.point > 17)
		return false;
	d.shift += milliseconds ? 3 : 6;
	d.point += milliseconds ? 3 : 6;
	d.scale -= milliseconds ? 3 : 6;
	if (!decimal_to_int64(&d, &value))
		return false;
	*micros = value;
	return true;
}

static bool
epoch_from_integer(int64 value, int64 *micros)
{
	bool		milliseconds = value >= EPOCH_MILLISECONDS_FROM || value <= -EPOCH_MILLISECONDS_FROM;

	return !__builtin_mul_overflow(value, milliseconds ? 1000 : 1000000, micros);
}

static char *
to_timestamp(Cell *cell, const Field *field)
{
	int64		micros;
	int64		integer;
	bool		has_zone;

	switch (cell->kind)
	{
		case CELL_TIMESTAMP:
			return NULL;
		case CELL_STRING:
			if (text_parse_datetime(cell->data, cell->length, &micros, &has_zone))
				break;
			if (is_infinity(cell) && field->specials)
				return NULL;

			/*
			 * CSV knows no numbers, so text counts as one too; from nine
			 * digits on, for fewer may be a date such as 20240131.
			 */
			if (parse_short_integer(cell->data, cell->length, &integer) &&
				(integer >= 100000000 || integer <= -100000000) &&
				epoch_from_integer(integer, &micros))
				break;
			return convert_refuse(cell, field->type, "%s is not an ISO 8601 date and time");
		case CELL_DATE:
			if (__builtin_mul_overflow(cell->integer, MICROS_PER_DAY, &micros))
				return convert_refuse(cell, FIELD_DATE, "%s is out of range for type DateTime");
			break;
		case CELL_INTEGER:
			if (!epoch_from_integer(cell->integer, &micros))
				return convert_refuse(cell, field->type, "%s is out of range for type DateTime");
			break;
		case CELL_NUMBER:
			if (!epoch_from_text(cell->data, cell->length, &micros))
				return convert_refuse(cell, field->type, "%s is not a count of seconds or milliseconds since 1970");
			break;
		case CELL_DOUBLE:
			{
				double		value = cell->real;

				value *= fabs(value) >= (double) EPOCH_MILLISECONDS_FROM ? 1000.0 : 1000000.0;
				if (isnan(value) || fabs(value) > 9.2e18)
					return convert_refuse(cell, field->type, "%s is not a count of seconds or milliseconds since 1970");
				micros = (int64) rint(value);
			}
			break;
		default:
			return convert_refuse_kind(cell, "a date and time");
	}
	*cell = cell_integer(CELL_TIMESTAMP, micros);
	return NULL;
}

static char *
to_date(Cell *cell, const Field *field)
{
	int64		days;
	int64		micros;
	bool		has_zone;

	switch (cell->kind)
	{
		case CELL_DATE:
			return NULL;
		case CELL_STRING:
			if (text_parse_date(cell->data, cell->length, &days))
				break;
			if (is_infinity(cell) && field->specials)
				return NULL;
			if (!text_parse_datetime(cell->data, cell->length, &micros, &has_zone))
				return convert_refuse(cell, field->type, "%s is not an ISO 8601 date");
			if (micros % MICROS_PER_DAY != 0)
				return convert_refuse(cell, field->type, "%s has a time of day and is not a date");
			days = micros / MICROS_PER_DAY;
			break;
		case CELL_TIMESTAMP:
			if (cell->integer % MICROS_PER_DAY != 0)
				return convert_refuse(cell, FIELD_DATETIME, "%s has a time of day and is not a date");
			days = cell->integer / MICROS_PER_DAY;
			break;
		default:
			return convert_refuse_kind(cell, "a date");
	}
	*cell = cell_integer(CELL_DATE, days);
	return NULL;
}

/* two digits below limit */
static bool
two_digits(const char *p, int limit, int *value)
{
	if (!is_digit(p[0]) || !is_digit(p[1]))
		return false;
	*value = (p[0] - '0') * 10 + (p[1] - '0');
	return *value < limit;
}

/* hh:mm[:ss[.ffffff]], also with the Z that some applications write behind it */
static char *
to_time(Batch *batch, Cell *cell)
{
	const char *p = cell->data;
	uint32		length = cell->length;
	int			hour;
	int			minute;
	int			second = 0;
	uint32		end = 5;

	if (cell->kind != CELL_STRING)
		return convert_refuse_kind(cell, "a time of day");
	if (length > 0 && p[length - 1] == 'Z')
		length--;
	if (length < 5 || !two_digits(p, 25, &hour) || p[2] != ':' || !two_digits(p + 3, 60, &minute))
		return convert_refuse(cell, FIELD_TIME, "%s is not an ISO 8601 time of day");
	if (length > 5)
	{
		if (length < 8 || p[5] != ':' || !two_digits(p + 6, 60, &second))
			return convert_refuse(cell, FIELD_TIME, "%s is not an ISO 8601 time of day");
		end = 8;
	}
	if (length > 8)
	{
		if (p[8] != '.' || length == 9)
			return convert_refuse(cell, FIELD_TIME, "%s is not an ISO 8601 time of day");
		for (uint32 i = 9; i < length; i++)
		{
			if (!is_digit(p[i]))
				return convert_refuse(cell, FIELD_TIME, "%s is not an ISO 8601 time of day");
			if (p[i] != '0')
				end = i + 1;
		}
		if (end > 15)
			return convert_refuse(cell, FIELD_TIME, "%s has more than 6 digits of a second");
	}
	if (hour == 24 && (minute > 0 || second > 0 || end > 8))
		return convert_refuse(cell, FIELD_TIME, "%s is not an ISO 8601 time of day");
	if (end == 5)
	{
		char	   *full = batch_alloc(batch, 8);

		memcpy(full, p, 5);
		memcpy(full + 5, ":00", 3);
		*cell = cell_text(CELL_STRING, full, 8);
	}
	else
		cell->length = end;
	return NULL;
}

/* ---------- entry ---------- */

static char *
to_string(Batch *batch, Cell *cell, FieldType source)
{
	if (cell_is_text(cell))
		cell->kind = CELL_STRING;
	else
	{
		char	   *text = batch_alloc(batch, CELL_TEXT_MAX);

		*cell = cell_text(CELL_STRING, text, text_format_cell(cell, source, text));
	}
	return NULL;
}

char *
cell_convert_from(Batch *batch, Cell *cell, FieldType source, const Field *field)
{
	if (cell->kind == CELL_NULL)
		return NULL;
	switch (field->type)
	{
		case FIELD_STRING:
			if (cell->kind == CELL_STRING)
				return NULL;
			return to_string(batch, cell, source);
		case FIELD_BOOLEAN:
			return to_boolean(cell);
		case FIELD_INTEGER:
		case FIELD_LONG:
			return to_integer(cell, field->type);
		case FIELD_FLOAT:
		case FIELD_DOUBLE:
			return to_double(cell, field->type);
		case FIELD_DECIMAL:
			return to_decimal(batch, cell, field);
		case FIELD_DATE:
			return to_date(cell, field);
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			return to_timestamp(cell, field);
		case FIELD_TIME:
			return to_time(batch, cell);
		case FIELD_UUID:
			return convert_to_uuid(batch, cell);
		case FIELD_BINARY:
			return convert_to_binary(batch, cell);
		case FIELD_JSON:
			return convert_to_json(batch, cell, source);
	}
	return psprintf("unknown field type %d", (int) field->type);
}

char *
cell_convert(Batch *batch, Cell *cell, const Field *field)
{
	return cell_convert_from(batch, cell, FIELD_DATETIME, field);
}

char *
cell_text_cstring(const Cell *cell, FieldType type)
{
	char		text[CELL_TEXT_MAX];

	if (cell->kind == CELL_NULL)
		return pstrdup("");
	if (cell_is_text(cell))
		return pnstrdup(cell->data, cell->length);
	return pnstrdup(text, text_format_cell(cell, type, text));
}
