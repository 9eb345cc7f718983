/*-------------------------------------------------------------------------
 *
 * parquet_value.c
 *	  Text to what Parquet stores: decimals and bytes.
 *
 * A decimal is never rounded: what does not fit precision and scale exactly
 * is refused, and the caller says so.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_value.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_value.h"

static const uint32_t power_of_ten[10] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000
};

/* a number's significant digits: value = digits * 10 ^ zeros at the wanted scale */
typedef struct Decimal
{
	bool		negative;
	int			ndigits;		/* 0: the number is zero */
	int			zeros;			/* to append behind the digits */
	char		digits[PARQUET_DECIMAL_DIGITS];
} Decimal;

static inline bool
is_digit(char c)
{
	return (unsigned char) (c - '0') <= 9;
}

/*
 * Read a number by RFC 8259's grammar.  Leading and trailing zeros are not
 * significant: 1500e-2 has the digits 15, and fits a scale of 0.
 */
static DecimalStatus
decimal_parse(const char *text, size_t length, int precision, int scale, Decimal *d)
{
	const char *p = text;
	const char *end = text + length;
	const char *integer;
	const char *fraction = NULL;
	const char *first;			/* first and last digit that is not 0 */
	const char *last;
	const char *point;
	int64_t		exponent = 0;
	int64_t		place;			/* power of ten of the last significant digit */
	const char *c;

	d->negative = p < end && *p == '-';
	if (d->negative)
		p++;
	integer = p;
	while (p < end && is_digit(*p))
		p++;
	if (p == integer || (*integer == '0' && p - integer > 1))
		return DECIMAL_NOT_A_NUMBER;
	point = p;
	if (p < end && *p == '.')
	{
		fraction = ++p;
		while (p < end && is_digit(*p))
			p++;
		if (p == fraction)
			return DECIMAL_NOT_A_NUMBER;
	}
	last = p - 1;
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		bool		negative = false;
		const char *start;

		p++;
		if (p < end && (*p == '+' || *p == '-'))
			negative = *p++ == '-';
		for (start = p; p < end && is_digit(*p); p++)
			if (exponent < INT64_C(1) << 40)	/* far from any number that fits */
				exponent = exponent * 10 + (*p - '0');
		if (p == start)
			return DECIMAL_NOT_A_NUMBER;
		if (negative)
			exponent = -exponent;
	}
	if (p != end)
		return DECIMAL_NOT_A_NUMBER;

	for (first = integer; first <= last && (*first == '0' || *first == '.'); first++)
		;
	d->ndigits = 0;
	d->zeros = 0;
	if (first > last)
		return DECIMAL_OK;		/* zero, whatever its exponent */
	while (*last == '0' || *last == '.')
		last--;

	place = (last < point ? point - last - 1 : point - last) + exponent + scale;
	if (place < 0)
		return DECIMAL_TOO_PRECISE;
	if (last - first >= PARQUET_DECIMAL_DIGITS + 1)
		return DECIMAL_TOO_LARGE;
	for (c = first; c <= last; c++)
	{
		if (*c == '.')
			continue;
		if (d->ndigits == precision)
			return DECIMAL_TOO_LARGE;
		d->digits[d->ndigits++] = (char) (*c - '0');
	}
	if (place > precision - d->ndigits)
		return DECIMAL_TOO_LARGE;
	d->zeros = (int) place;
	return DECIMAL_OK;
}

DecimalStatus
decimal_to_int64(const char *text, size_t length, int precision, int scale, int64_t *value)
{
	Decimal		d;
	DecimalStatus status = decimal_parse(text, length, precision, scale, &d);
	int64_t		v = 0;
	int			i;

	if (status != DECIMAL_OK)
		return status;
	for (i = 0; i < d.ndigits; i++)
		v = v * 10 + d.digits[i];
	for (i = d.zeros; i > 0; i -= 9)
		v *= power_of_ten[i < 9 ? i : 9];
	*value = d.negative ? -v : v;
	return DECIMAL_OK;
}

/* limbs = limbs * factor + add, least significant limb first */
static inline void
limbs_multiply_add(uint32_t limbs[4], uint32_t factor, uint32_t add)
{
	uint64_t	carry = add;
	int			i;

	for (i = 0; i < 4; i++)
	{
		carry += (uint64_t) limbs[i] * factor;
		limbs[i] = (uint32_t) carry;
		carry >>= 32;
	}
}

DecimalStatus
decimal_to_bytes(const char *text, size_t length, int precision, int scale,
				 unsigned char out[PARQUET_DECIMAL_BYTES])
{
	Decimal		d;
	DecimalStatus status = decimal_parse(text, length, precision, scale, &d);
	uint32_t	limbs[4] = {0, 0, 0, 0};	/* 38 digits need 127 bits */
	int			i;

	if (status != DECIMAL_OK)
		return status;
	for (i = 0; i < d.ndigits;)
	{
		uint32_t	chunk = 0;
		int			start = i;

		for (; i < d.ndigits && i - start < 9; i++)
			chunk = chunk * 10 + (uint32_t) d.digits[i];
		limbs_multiply_add(limbs, power_of_ten[i - start], chunk);
	}
	for (i = d.zeros; i > 0; i -= 9)
		limbs_multiply_add(limbs, power_of_ten[i < 9 ? i : 9], 0);
	if (d.negative && d.ndigits > 0)
	{
		uint64_t	carry = 1;

		for (i = 0; i < 4; i++)
		{
			carry += (uint32_t) ~limbs[i];
			limbs[i] = (uint32_t) carry;
			carry >>= 32;
		}
	}
	for (i = 0; i < PARQUET_DECIMAL_BYTES; i++)
		out[i] = (unsigned char) (limbs[3 - i / 4] >> (24 - i % 4 * 8));
	return DECIMAL_OK;
}

#define BAD 0x80
#define PAD 0x40
#define BRK 0x41				/* line break */

/* the six bits of each character; bytes above 127 are none */
static const unsigned char base64_value[128] = {
	BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BRK, BAD, BAD, BRK, BAD, BAD,
	BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
	BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, 62, BAD, BAD, BAD, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, BAD, BAD, BAD, PAD, BAD, BAD,
	BAD, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, BAD, BAD, BAD, BAD, BAD,
	BAD, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, BAD, BAD, BAD, BAD, BAD
};

static inline unsigned char
base64_bits(unsigned char c)
{
	return c < 128 ? base64_value[c] : BAD;
}

bool
base64_decode(const char *text, size_t length, char *out, size_t *out_length)
{
	const unsigned char *p = (const unsigned char *) text;
	const unsigned char *end = p + length;
	char	   *start = out;
	uint32_t	bits = 0;
	int			have = 0;		/* characters of the open quantum */
	int			pads = 0;

	while (p < end)
	{
		unsigned char v;

		/* whole quanta, four characters to three bytes */
		if (have == 0)
		{
			while (end - p >= 4)
			{
				unsigned char a = base64_bits(p[0]);
				unsigned char b = base64_bits(p[1]);
				unsigned char c = base64_bits(p[2]);
				unsigned char d = base64_bits(p[3]);

				if (((a | b | c | d) & (BAD | PAD)) != 0 || pads > 0)
					break;
				out[0] = (char) (a << 2 | b >> 4);
				out[1] = (char) (b << 4 | c >> 2);
				out[2] = (char) (c << 6 | d);
				out += 3;
				p += 4;
			}
			if (p == end)
				break;
		}
		v = base64_bits(*p++);
		if (v == BRK)
			continue;
		if (v == BAD)
			return false;
		if (v == PAD)
		{
			/* only in the last two places, and nothing may follow */
			if (have < 2)
				return false;
			pads++;
			v = 0;
		}
		else if (pads > 0)
			return false;
		bits = bits << 6 | v;
		if (++have < 4)
			continue;
		/* bits that padding cuts off must be zero, or two texts mean one value */
		if ((pads == 1 && (bits & 0xC0) != 0) || (pads == 2 && (bits & 0xF000) != 0))
			return false;
		*out++ = (char) (bits >> 16);
		if (pads < 2)
			*out++ = (char) (bits >> 8);
		if (pads < 1)
			*out++ = (char) bits;
		bits = 0;
		have = 0;
	}
	*out_length = (size_t) (out - start);
	return have == 0;
}
