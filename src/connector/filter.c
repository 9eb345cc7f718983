/*-------------------------------------------------------------------------
 *
 * filter.c
 *	  AppFlow's row filters, evaluated here when the source cannot.
 *
 * IDENTIFICATION
 *	  src/connector/filter.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/text.h"
#include "connector/connector.h"
#include "fmgr.h"
#include "record/number.h"
#include "utils/builtins.h"

/* how values of a filter are compared */
typedef enum Comparison
{
	COMPARE_TEXT,
	COMPARE_NUMBER,
	COMPARE_INTEGER,			/* booleans, dates, instants: as int64 */
	COMPARE_DATE,				/* the same against operands of no type */
	COMPARE_TIME
} Comparison;

typedef struct FilterOperand
{
	Comparison	comparison;
	const char *text;
	size_t		length;
	bool		integral;		/* COMPARE_NUMBER: value is exact */
	int64		value;
	Numeric		numeric;		/* COMPARE_NUMBER */
	bool		is_date;		/* of a filter without a type: what it may be */
	bool		is_time;
	int64		date;
	int64		time;
} FilterOperand;

static const struct
{
	const char *name;
	FilterOperator operator;
}			operators[] = {
	{"LESS_THAN", FILTER_LESS_THAN},
	{"GREATER_THAN", FILTER_GREATER_THAN},
	{"CONTAINS", FILTER_CONTAINS},
	{"BETWEEN", FILTER_BETWEEN},
	{"LESS_THAN_OR_EQUAL_TO", FILTER_LESS_THAN_OR_EQUAL_TO},
	{"GREATER_THAN_OR_EQUAL_TO", FILTER_GREATER_THAN_OR_EQUAL_TO},
	{"EQUAL_TO", FILTER_EQUAL_TO},
	{"NOT_EQUAL_TO", FILTER_NOT_EQUAL_TO},
};

bool
filter_operator_from_name(const char *name, FilterOperator *operator)
{
	for (int i = 0; i < (int) lengthof(operators); i++)
	{
		if (pg_strcasecmp(name, operators[i].name) == 0)
		{
			*operator = operators[i].operator;
			return true;
		}
	}
	return false;
}

const char *
filter_operator_name(FilterOperator operator)
{
	for (int i = 0; i < (int) lengthof(operators); i++)
	{
		if (operators[i].operator == operator)
			return operators[i].name;
	}
	elog(ERROR, "filter operator %d has no name", operator);
}

static int
compare_numeric(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

static Comparison
comparison_of(FieldType type)
{
	switch (type)
	{
		case FIELD_INTEGER:
		case FIELD_LONG:
		case FIELD_FLOAT:
		case FIELD_DOUBLE:
		case FIELD_DECIMAL:
			return COMPARE_NUMBER;
		case FIELD_BOOLEAN:
		case FIELD_DATE:
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			return COMPARE_INTEGER;
		case FIELD_STRING:
		case FIELD_TIME:
		case FIELD_UUID:
		case FIELD_BINARY:
		case FIELD_JSON:
			break;
	}
	return COMPARE_TEXT;
}

bool
filter_parse_time(const char *text, FieldType type, int64 *value)
{
	int64		millis;
	bool		has_zone;

	if (text_parse_int64(text, strlen(text), &millis))
	{
		if (millis > PG_INT64_MAX / 1000 || millis < PG_INT64_MIN / 1000)
			return false;
		*value = millis * 1000;
		if (type == FIELD_DATE)
			*value = millis >= 0 ? millis / 86400000 : -((86399999 - millis) / 86400000);
		return true;
	}
	if (type == FIELD_DATE && text_parse_date(text, strlen(text), value))
		return true;
	if (!text_parse_datetime(text, strlen(text), value, &has_zone))
		return false;
	if (type == FIELD_DATE)
	{
		if (*value % INT64CONST(86400000000) != 0)
			return false;
		*value /= INT64CONST(86400000000);
	}
	return true;
}

static char *
prepare_operand(const Filter *filter, const char *text, FilterOperand *operand)
{
	bool		flag;
	int			sign;

	operand->text = text;
	operand->length = strlen(text);
	operand->integral = text_parse_int64(text, operand->length, &operand->value);

	if (!filter->typed)
	{
		operand->comparison = COMPARE_TEXT;
		operand->numeric = number_parse(text, operand->length);
		operand->is_date = filter_parse_time(text, FIELD_DATE, &operand->date);
		operand->is_time = filter_parse_time(text, FIELD_DATETIME, &operand->time);
		return NULL;
	}
	operand->comparison = filter->operator == FILTER_CONTAINS ? COMPARE_TEXT : comparison_of(filter->type);
	switch (operand->comparison)
	{
		case COMPARE_TEXT:
			return NULL;
		case COMPARE_NUMBER:
			operand->numeric = number_parse(text, operand->length);
			if (operand->numeric == NULL)
				return psprintf(number_sign(text, operand->length, &sign) ?
								"\"%s\" is not a number of a size that can be compared" :
								"\"%s\" is not a number", text);
			return NULL;
		case COMPARE_INTEGER:
			if (filter->type == FIELD_BOOLEAN)
			{
				if (!parse_bool(text, &flag))
					return psprintf("\"%s\" is not a boolean", text);
				operand->value = flag;
				return NULL;
			}
			if (!filter_parse_time(text, filter->type, &operand->value))
				return psprintf("\"%s\" is neither an ISO 8601 %s nor epoch milliseconds", text,
								filter->type == FIELD_DATE ? "date" : "date and time");
			return NULL;
		case COMPARE_DATE:
		case COMPARE_TIME:
			break;
	}
	return NULL;
}

char *
filter_prepare(Filter *filter)
{
	filter->prepared = palloc0(sizeof(FilterOperand) * Max(filter->noperands, 1));
	for (int i = 0; i < filter->noperands; i++)
	{
		char	   *problem = prepare_operand(filter, filter->operands[i], &filter->prepared[i]);

		if (problem != NULL)
			return problem;
	}
	return NULL;
}

static int
compare_int64(int64 a, int64 b)
{
	return a < b ? -1 : a > b;
}

/* a value, brought into the form its filter compares */
typedef struct FilterValue
{
	Comparison	comparison;
	const char *text;
	size_t		length;
	bool		integral;
	int64		value;
	Numeric		numeric;		/* made when first needed */
} FilterValue;

static bool
compare(FilterValue *value, const FilterOperand *operand, int *result)
{
	switch (value->comparison)
	{
		case COMPARE_INTEGER:
			*result = compare_int64(value->value, operand->value);
			return true;
		case COMPARE_DATE:
			*result = compare_int64(value->value, operand->date);
			return true;
		case COMPARE_TIME:
			*result = compare_int64(value->value, operand->time);
			return true;
		case COMPARE_NUMBER:
			if (value->integral && operand->integral)
			{
				*result = compare_int64(value->value, operand->value);
				return true;
			}
			if (value->numeric == NULL)
				value->numeric = number_parse(value->text, value->length);
			if (value->numeric == NULL)
				return false;
			*result = compare_numeric(value->numeric, operand->numeric);
			return true;
		case COMPARE_TEXT:
			*result = memcmp(value->text, operand->text, Min(value->length, operand->length));
			if (*result == 0)
				*result = compare_int64(value->length, operand->length);
			return true;
	}
	return false;
}

static bool
contains(const FilterValue *value, const FilterOperand *operand)
{
	return operand->length == 0 ||
		memmem(value->text, value->length, operand->text, operand->length) != NULL;
}

/* text of any cell, without copying where it is text already */
static void
value_text(FilterValue *value, const Cell *cell, FieldType type, char scratch[CELL_TEXT_MAX])
{
	if (cell_is_text(cell))
	{
		value->text = cell->data;
		value->length = cell->length;
	}
	else
	{
		value->text = scratch;
		value->length = text_format_cell(cell, type, scratch);
	}
}

/* a date or time, of a source that has such, against operands of no type */
static char *
date_or_time(const Filter *filter, const Cell *cell, FilterValue *value)
{
	for (int i = 0; i < filter->noperands; i++)
	{
		const FilterOperand *operand = &filter->prepared[i];

		if (cell->kind == CELL_DATE ? !operand->is_date : !operand->is_time)
			return psprintf("\"%s\" is neither an ISO 8601 %s nor epoch milliseconds", operand->text,
							cell->kind == CELL_DATE ? "date" : "date and time");
	}
	value->comparison = cell->kind == CELL_DATE ? COMPARE_DATE : COMPARE_TIME;
	value->value = cell->integer;
	return NULL;
}

static bool
evaluate(const Filter *filter, FilterValue *value, bool *incomparable)
{
	int			order[2];
	int			i;

	if (filter->operator == FILTER_CONTAINS)
	{
		for (i = 0; i < filter->noperands; i++)
		{
			if (contains(value, &filter->prepared[i]))
				return true;
		}
		return false;
	}
	if (filter->operator == FILTER_EQUAL_TO || filter->operator == FILTER_NOT_EQUAL_TO)
	{
		for (i = 0; i < filter->noperands; i++)
		{
			if (!compare(value, &filter->prepared[i], order))
			{
				*incomparable = true;
				return false;
			}
			if (order[0] == 0)
				return filter->operator == FILTER_EQUAL_TO;
		}
		return filter->operator == FILTER_NOT_EQUAL_TO;
	}
	for (i = 0; i < filter->noperands; i++)
	{
		if (!compare(value, &filter->prepared[i], &order[i]))
		{
			*incomparable = true;
			return false;
		}
	}
	switch (filter->operator)
	{
		case FILTER_LESS_THAN:
			return order[0] < 0;
		case FILTER_GREATER_THAN:
			return order[0] > 0;
		case FILTER_LESS_THAN_OR_EQUAL_TO:
			return order[0] <= 0;
		case FILTER_GREATER_THAN_OR_EQUAL_TO:
			return order[0] >= 0;
		case FILTER_BETWEEN:
			return order[0] > 0 && order[1] < 0;
		default:
			return false;
	}
}

bool
filter_matches(const Filter *filter, Batch *batch, const Cell *cell, char **problem)
{
	FilterValue value = {0};
	char		scratch[CELL_TEXT_MAX];
	bool		incomparable = false;
	bool		result;

	*problem = NULL;
	if (cell->kind == CELL_NULL)
		return false;
	value.comparison = filter->noperands > 0 ? filter->prepared[0].comparison : COMPARE_TEXT;

	/* no type given: numbers compare as numbers if all operands are */
	if (!filter->typed && filter->operator != FILTER_CONTAINS &&
		(cell->kind == CELL_NUMBER || cell->kind == CELL_INTEGER || cell->kind == CELL_DOUBLE))
	{
		value.comparison = COMPARE_NUMBER;
		for (int i = 0; i < filter->noperands; i++)
		{
			if (filter->prepared[i].numeric == NULL)
				value.comparison = COMPARE_TEXT;
		}
	}

	if (!filter->typed && filter->operator != FILTER_CONTAINS &&
		(cell->kind == CELL_DATE || cell->kind == CELL_TIMESTAMP))
	{
		*problem = date_or_time(filter, cell, &value);
		if (*problem != NULL)
			return false;
	}

	switch (value.comparison)
	{
		case COMPARE_DATE:
		case COMPARE_TIME:
			break;
		case COMPARE_TEXT:
			value_text(&value, cell, filter->type, scratch);
			break;
		case COMPARE_NUMBER:
			if (cell->kind == CELL_INTEGER)
			{
				value.integral = true;
				value.value = cell->integer;
			}
			value_text(&value, cell, filter->type, scratch);
			if (!value.integral)
				value.integral = text_parse_int64(value.text, value.length, &value.value);
			break;
		case COMPARE_INTEGER:
			{
				Cell		copy = *cell;
				Field		field = {.name = filter->field,.type = filter->type};

				*problem = cell_convert(batch, &copy, &field);
				if (*problem != NULL)
					return false;
				value.value = copy.integer;

				/* infinite dates and times stay text */
				if (cell_is_text(&copy))
				{
					*problem = pstrdup("value is infinite");
					return false;
				}
				break;
			}
	}

	result = evaluate(filter, &value, &incomparable);
	if (incomparable)
		*problem = psprintf("\"%.*s\" is not a number", (int) Min(value.length, 64), value.text);
	return result;
}
