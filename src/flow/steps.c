/*-------------------------------------------------------------------------
 *
 * steps.c
 *	  What Validate, Mask, Truncate, Merge and Arithmetic tasks do to the
 *	  selected rows of a batch.
 *
 * IDENTIFICATION
 *	  src/flow/steps.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/text.h"
#include "common/int.h"
#include "flow/transform.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "record/errors.h"
#include "record/number.h"
#include "utils/fmgrprotos.h"

/* digits behind the point that a quotient has at least, if it needs them */
#define DIVISION_SCALE 16

/* the text of a cell; scratch serves kinds that are not text */
static const char *
cell_as_text(const Cell *cell, FieldType type, char scratch[CELL_TEXT_MAX], uint32 *length)
{
	if (cell_is_text(cell))
	{
		*length = cell->length;
		return cell->data;
	}
	*length = (uint32) text_format_cell(cell, type, scratch);
	return scratch;
}

/* bytes that the first n characters take, or all if there are fewer; *chars = how many there are */
static uint32
prefix_bytes(const char *text, uint32 length, int n, int *chars)
{
	uint32		bytes = 0;
	int			count = 0;

	while (count < n && bytes < length)
	{
		bytes += pg_utf_mblen((const unsigned char *) text + bytes);
		count++;
	}
	if (chars != NULL)
		*chars = count;
	return Min(bytes, length);
}

/* ---------- numbers ---------- */

/* the sign of a value, which may be of any size; false if it is not a number */
static bool
cell_sign(const Cell *cell, FieldType type, int *sign)
{
	char		scratch[CELL_TEXT_MAX];
	uint32		length;
	const char *text;

	if (cell->kind == CELL_INTEGER)
	{
		*sign = cell->integer < 0 ? -1 : cell->integer > 0;
		return true;
	}
	if (cell->kind != CELL_NUMBER && cell->kind != CELL_STRING && cell->kind != CELL_DOUBLE)
		return false;
	text = cell_as_text(cell, type, scratch, &length);
	return number_sign(text, length, sign);
}

/* the value of a cell as numeric, or NULL if it is not a number (or an unreasonable one) */
static Numeric
cell_numeric(const Cell *cell, FieldType type)
{
	char		scratch[CELL_TEXT_MAX];
	uint32		length;
	const char *text;

	if (cell->kind == CELL_INTEGER)
		return int64_to_numeric(cell->integer);
	if (cell->kind != CELL_NUMBER && cell->kind != CELL_STRING && cell->kind != CELL_DOUBLE)
		return NULL;
	text = cell_as_text(cell, type, scratch, &length);
	return number_parse(text, length);
}

/* ---------- Validate ---------- */

/* is the value bad by the operator? */
static bool
is_bad(ValidateOperator operator, const Cell *cell, FieldType type)
{
	int			sign;

	if (operator == VALIDATE_NON_NULL || cell->kind == CELL_NULL)
		return operator == VALIDATE_NON_NULL && cell->kind == CELL_NULL;
	if (!cell_sign(cell, type, &sign))
		return operator == VALIDATE_NUMERIC;
	return (operator == VALIDATE_NON_ZERO && sign == 0) ||
		(operator == VALIDATE_NON_NEGATIVE && sign < 0);
}

static const char *const validate_words[] = {
	[VALIDATE_NON_NULL] = "is null",
	[VALIDATE_NON_ZERO] = "is zero",
	[VALIDATE_NON_NEGATIVE] = "is negative",
	[VALIDATE_NUMERIC] = "is not a number",
};

static void
apply_validate(Transform *transform, const Step *step)
{
	for (int s = 0; s < step->nslots; s++)
	{
		const Cell *cells = transform_cells(transform, step->slots[s]);
		FieldType	type = transform->slots[step->slots[s]].type;
		uint32		kept = 0;

		for (uint32 i = 0; i < transform->nrows; i++)
		{
			uint32		row = transform->rows[i];

			if (transform->failed[row] == NULL && is_bad(step->validate, &cells[row], type))
			{
				if (step->terminate)
					ereport(ERROR,
							appflow_error(WF_VALIDATION),
							errmsg("task %d (Validate): field \"%s\" %s in %s",
								   step->task, transform->plan->slots[step->slots[s]].name,
								   validate_words[step->validate],
								   batch_locate(transform->batch, row)));
				continue;
			}
			transform->rows[kept++] = row;
		}
		transform->filtered += transform->nrows - kept;
		transform->nrows = kept;
	}
}

/* ---------- Mask and Truncate ---------- */

static Cell
mask_cell(Batch *batch, const Step *step, const Cell *cell, FieldType type)
{
	char		scratch[CELL_TEXT_MAX];
	uint32		length;
	const char *text = cell_as_text(cell, type, scratch, &length);
	uint32		unit = strlen(step->mask_value);
	uint32		clear_start = 0;
	uint32		clear_end = 0;
	int			masked = step->length;
	int			chars;
	char	   *out;
	char	   *p;

	if (step->mask == MASK_FIRST_N)
	{
		clear_start = prefix_bytes(text, length, step->length, &masked);
		clear_end = length;
	}
	else if (step->mask == MASK_LAST_N)
	{
		(void) prefix_bytes(text, length, PG_INT32_MAX, &chars);
		masked = Min(step->length, chars);
		clear_end = prefix_bytes(text, length, chars - masked, NULL);
	}

	p = out = batch_alloc(batch, (size_t) masked * unit + (clear_end - clear_start));
	if (step->mask == MASK_LAST_N)
	{
		memcpy(p, text, clear_end);
		p += clear_end;
	}
	for (int i = 0; i < masked; i++, p += unit)
		memcpy(p, step->mask_value, unit);
	if (step->mask == MASK_FIRST_N)
	{
		memcpy(p, text + clear_start, clear_end - clear_start);
		p += clear_end - clear_start;
	}
	return cell_text(CELL_STRING, out, (uint32) (p - out));
}

static void
apply_mask(Transform *transform, const Step *step)
{
	for (int s = 0; s < step->nslots; s++)
	{
		Cell	   *cells = transform_cells(transform, step->slots[s]);
		FieldType	type = transform->slots[step->slots[s]].type;

		for (uint32 i = 0; i < transform->nrows; i++)
		{
			Cell	   *cell = &cells[transform->rows[i]];

			if (cell->kind != CELL_NULL)
				*cell = mask_cell(transform->batch, step, cell, type);
		}
	}
}

static void
apply_truncate(Transform *transform, const Step *step)
{
	for (int s = 0; s < step->nslots; s++)
	{
		Cell	   *cells = transform_cells(transform, step->slots[s]);
		FieldType	type = transform->slots[step->slots[s]].type;

		for (uint32 i = 0; i < transform->nrows; i++)
		{
			Cell	   *cell = &cells[transform->rows[i]];
			char		scratch[CELL_TEXT_MAX];
			const char *text;
			uint32		length;
			uint32		kept;

			if (cell->kind == CELL_NULL)
				continue;
			text = cell_as_text(cell, type, scratch, &length);
			kept = prefix_bytes(text, length, step->length, NULL);
			if (kept == length)
				continue;
			if (text == scratch)
				text = batch_copy(transform->batch, text, kept);
			*cell = cell_text(CELL_STRING, text, kept);
		}
	}
}

/* ---------- Merge ---------- */

static void
apply_merge(Transform *transform, const Step *step)
{
	Cell	   *target = transform_cells(transform, step->target);

	for (uint32 i = 0; i < transform->nrows; i++)
	{
		uint32		row = transform->rows[i];
		char		scratch[CELL_TEXT_MAX];
		const char *text;
		uint32		length;
		size_t		total = 0;
		char	   *out;
		char	   *p;

		for (int part = 0; part < step->nparts; part++)
		{
			const MergePart *piece = &step->parts[part];
			const Cell *cell;

			total += strlen(piece->literal);
			if (piece->slot < 0)
				continue;
			cell = &transform_cells(transform, piece->slot)[row];
			if (cell->kind == CELL_NULL)
				continue;
			(void) cell_as_text(cell, transform->slots[piece->slot].type, scratch, &length);
			total += length;
		}
		if (total > PG_INT32_MAX)
		{
			transform_fail(transform, row, psprintf("task %d (Merge): result has %zu bytes", step->task, total));
			target[row] = cell_null();
			continue;
		}
		p = out = batch_alloc(transform->batch, total);
		for (int part = 0; part < step->nparts; part++)
		{
			const MergePart *piece = &step->parts[part];
			const Cell *cell;

			length = strlen(piece->literal);
			memcpy(p, piece->literal, length);
			p += length;
			if (piece->slot < 0)
				continue;
			cell = &transform_cells(transform, piece->slot)[row];
			if (cell->kind == CELL_NULL)
				continue;
			text = cell_as_text(cell, transform->slots[piece->slot].type, scratch, &length);
			memcpy(p, text, length);
			p += length;
		}
		target[row] = cell_text(CELL_STRING, out, (uint32) (p - out));
	}
}

/* ---------- Arithmetic ---------- */

/* exact and quick, where it can be; false where it cannot */
static bool
compute_int64(ArithmeticOperator operator, int64 a, int64 b, int64 *result)
{
	switch (operator)
	{
		case ARITHMETIC_ADDITION:
			return !pg_add_s64_overflow(a, b, result);
		case ARITHMETIC_SUBTRACTION:
			return !pg_sub_s64_overflow(a, b, result);
		case ARITHMETIC_MULTIPLICATION:
			return !pg_mul_s64_overflow(a, b, result);
		case ARITHMETIC_DIVISION:
			break;
	}
	return false;
}

static bool
cell_int64(const Cell *cell, int64 *value)
{
	if (cell->kind == CELL_INTEGER)
	{
		*value = cell->integer;
		return true;
	}
	return (cell->kind == CELL_NUMBER || cell->kind == CELL_STRING) &&
		text_parse_int64(cell->data, cell->length, value);
}

/* the same value with that many digits behind the point: a quotient has as many as its dividend */
static Numeric
at_least_scale(Numeric number, int scale)
{
	if (DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(number))) >= scale)
		return number;
	return DatumGetNumeric(DirectFunctionCall2(numeric_round, NumericGetDatum(number), Int32GetDatum(scale)));
}

/*
 * Fold the operands from the left.  Returns why it cannot be done, or NULL.
 */
static char *
compute(Transform *transform, const Step *step, uint32 row, Cell *result)
{
	static const PGFunction functions[] = {
		[ARITHMETIC_ADDITION] = numeric_add,
		[ARITHMETIC_SUBTRACTION] = numeric_sub,
		[ARITHMETIC_MULTIPLICATION] = numeric_mul,
		[ARITHMETIC_DIVISION] = numeric_div,
	};
	int64		total = 0;
	bool		integral = true;
	Numeric		sum = NULL;
	int			sign;
	char	   *text;

	for (int s = 0; s < step->nslots; s++)
	{
		if (transform_cells(transform, step->slots[s])[row].kind == CELL_NULL)
			return NULL;
	}
	for (int s = 0; s < step->nslots && integral; s++)
	{
		const Cell *cell = &transform_cells(transform, step->slots[s])[row];
		int64		value;

		integral = cell_int64(cell, &value);
		if (integral && s == 0)
			total = value;
		else if (integral)
			integral = compute_int64(step->arithmetic, total, value, &total);
	}
	if (integral)
	{
		*result = cell_integer(CELL_INTEGER, total);
		return NULL;
	}

	for (int s = 0; s < step->nslots; s++)
	{
		const Cell *cell = &transform_cells(transform, step->slots[s])[row];
		const char *name = transform->plan->slots[step->slots[s]].name;
		FieldType	type = transform->slots[step->slots[s]].type;
		Numeric		value = cell_numeric(cell, type);

		if (value == NULL)
			return psprintf(cell_sign(cell, type, &sign) ?
							"task %d (Arithmetic): field \"%s\" has more digits than can be computed with" :
							"task %d (Arithmetic): field \"%s\" is not a number", step->task, name);
		if (s == 0)
			sum = value;
		else if (step->arithmetic == ARITHMETIC_DIVISION && cell_sign(cell, type, &sign) && sign == 0)
			return psprintf("task %d (Arithmetic): field \"%s\" is zero, division is not possible", step->task, name);
		else
			sum = DatumGetNumeric(DirectFunctionCall2(functions[step->arithmetic],
													  NumericGetDatum(sum), NumericGetDatum(value)));
		if (!number_is_reasonable(sum))
			return psprintf("task %d (Arithmetic): the result has more digits than can be computed with", step->task);
		if (step->arithmetic == ARITHMETIC_DIVISION)
			sum = at_least_scale(sum, DIVISION_SCALE);
	}
	sum = DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(sum)));
	text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(sum)));
	*result = cell_text(CELL_NUMBER, batch_copy(transform->batch, text, strlen(text)), strlen(text));
	return NULL;
}

static void
apply_arithmetic(Transform *transform, const Step *step)
{
	Cell	   *target = transform_cells(transform, step->target);

	for (uint32 i = 0; i < transform->nrows; i++)
	{
		uint32		row = transform->rows[i];
		char	   *problem;

		target[row] = cell_null();
		problem = compute(transform, step, row, &target[row]);
		if (problem != NULL)
			transform_fail(transform, row, problem);
	}
}

void
step_apply(Transform *transform, const Step *step)
{
	static void (*const apply[]) (Transform *, const Step *) = {
		[STEP_VALIDATE] = apply_validate,
		[STEP_MASK] = apply_mask,
		[STEP_TRUNCATE] = apply_truncate,
		[STEP_MERGE] = apply_merge,
		[STEP_ARITHMETIC] = apply_arithmetic,
	};

	apply[step->kind] (transform, step);
}
