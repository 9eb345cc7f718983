/*-------------------------------------------------------------------------
 *
 * number.c
 *	  Numbers as text: what counts as one, its sign, its exact value.
 *
 * IDENTIFICATION
 *	  src/record/number.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "record/number.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

static const char *
skip_digits(const char *p, const char *end, bool *any, bool *nonzero)
{
	for (; p < end && *p >= '0' && *p <= '9'; p++)
	{
		*any = true;
		*nonzero |= *p != '0';
	}
	return p;
}

/* take a number apart; *exponent is cut off beyond the limit */
static bool
scan(const char *text, size_t length, int *sign, int *exponent)
{
	const char *p = text;
	const char *end = text + length;
	bool		digits = false;
	bool		nonzero = false;
	bool		negative = false;

	*exponent = 0;
	if (p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	p = skip_digits(p, end, &digits, &nonzero);
	if (p < end && *p == '.')
		p = skip_digits(p + 1, end, &digits, &nonzero);
	if (!digits)
		return false;
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		const char *start;

		p++;
		if (p < end && (*p == '-' || *p == '+'))
			p++;
		for (start = p; p < end && *p >= '0' && *p <= '9'; p++)
		{
			if (*exponent <= NUMBER_MAX_EXPONENT)
				*exponent = *exponent * 10 + (*p - '0');
		}
		if (p == start)
			return false;
	}
	*sign = !nonzero ? 0 : negative ? -1 : 1;
	return p == end;
}

bool
number_sign(const char *text, size_t length, int *sign)
{
	int			exponent;

	return scan(text, length, sign, &exponent);
}

Numeric
number_parse(const char *text, size_t length)
{
	int			sign;
	int			exponent;

	if (length > NUMBER_MAX_LENGTH || !scan(text, length, &sign, &exponent) ||
		exponent > NUMBER_MAX_EXPONENT)
		return NULL;
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(pnstrdup(text, length)),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

bool
number_is_reasonable(Numeric number)
{
	static Numeric bound = NULL;
	Datum		size = DirectFunctionCall1(numeric_abs, NumericGetDatum(number));

	if (bound == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
		char		text[32];

		snprintf(text, sizeof(text), "1e%d", 2 * NUMBER_MAX_LENGTH);
		bound = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
													ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
		MemoryContextSwitchTo(old);
	}
	return DatumGetBool(DirectFunctionCall2(numeric_lt, size, NumericGetDatum(bound))) &&
		DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(number))) <= 2 * NUMBER_MAX_LENGTH;
}
