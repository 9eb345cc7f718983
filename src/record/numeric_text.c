/*-------------------------------------------------------------------------
 *
 * numeric_text.c
 *	  Decimal text to and from numeric values, the short way.
 *
 * numeric_in() and numeric_out() take four times as long as all else that is
 * done to a value, mostly with memory they obtain on the way.  Here are the
 * common values: a few digits, stored in the row.  What a numeric looks like
 * on disk has been the same since PostgreSQL 9.1, and cannot change under
 * pg_upgrade:
 *
 *	  16 bits	10 n ddddddw wwwwww  (short form) n: negative, d: digits shown
 *				behind the point, w: signed weight of the first digit
 *				0n dddddddddddddd + 16 bits weight  (long form)
 *				11...  not finite
 *	  16 bits	for each digit to base 10,000, without zeros at either end
 *
 * IDENTIFICATION
 *	  src/record/numeric_text.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "record/numeric_text.h"

#define DIGITS_MAX		40		/* decimal digits dealt with here */
#define GROUP			4		/* of them in a stored digit */

#define KIND_MASK		0xC000
#define KIND_SHORT		0x8000
#define KIND_NEGATIVE	0x4000	/* of the long form */
#define KIND_SPECIAL	0xC000
#define SHORT_NEGATIVE	0x2000
#define SHORT_SCALE_SHIFT 7
#define SHORT_SCALE_MAX	63
#define SHORT_WEIGHT_SIGN 0x40
#define SHORT_WEIGHT_MASK 0x3F
#define LONG_SCALE_MASK	0x3FFF

bool
numeric_from_text(const char *text, size_t length, int32 typmod, Datum *value)
{
	const char *p = text;
	const char *end = text + length;
	bool		negative = false;
	uint8		decimals[DIGITS_MAX + 2 * GROUP];
	int			nwhole = 0;
	int			nfraction = 0;
	int			scale;
	int			lead;
	int			ngroups;
	int			weight;
	int			first;
	char	   *result;
	uint16		header;

	if (p < end && *p == '-')
	{
		negative = true;
		p++;
	}
	if (p == end || length > DIGITS_MAX)
		return false;
	while (p < end - 1 && *p == '0' && p[1] != '.')
		p++;

	/* decimals: whole digits behind as many zeros as make groups of four */
	memset(decimals, 0, GROUP);
	for (; p < end && (unsigned char) (*p - '0') < 10; p++)
		decimals[GROUP + nwhole++] = *p - '0';
	if (nwhole == 0)
		return false;
	if (p < end)
	{
		if (*p++ != '.' || p == end)
			return false;
		for (; p < end && (unsigned char) (*p - '0') < 10; p++)
			decimals[GROUP + nwhole + nfraction++] = *p - '0';
		if (p < end)
			return false;
	}
	memset(decimals + GROUP + nwhole + nfraction, 0, GROUP);

	scale = nfraction;
	if (typmod >= (int32) VARHDRSZ)
	{
		int32		packed = typmod - VARHDRSZ;
		int			precision = packed >> 16 & 0xffff;
		int			significant = nwhole == 1 && decimals[GROUP] == 0 ? 0 : nwhole;

		scale = ((packed & 0x7ff) ^ 1024) - 1024;
		if (nfraction > scale || significant > precision - scale)
			return false;
	}
	if (scale > SHORT_SCALE_MAX)
		return false;

	/* the first group has the digits that are left over */
	lead = GROUP - (nwhole % GROUP == 0 ? GROUP : nwhole % GROUP);
	ngroups = (lead + nwhole) / GROUP + (nfraction + GROUP - 1) / GROUP;
	weight = (lead + nwhole) / GROUP - 1;
	result = palloc(VARHDRSZ + sizeof(uint16) * (1 + ngroups));
	first = ngroups;
	for (int i = 0; i < ngroups; i++)
	{
		const uint8 *d = decimals + GROUP - lead + i * GROUP;
		int16		group = d[0] * 1000 + d[1] * 100 + d[2] * 10 + d[3];

		memcpy(result + VARHDRSZ + sizeof(uint16) * (1 + i), &group, sizeof(group));
		if (group != 0 && first == ngroups)
			first = i;
	}

	/* no zeros at either end */
	if (first > 0)
	{
		memmove(result + VARHDRSZ + sizeof(uint16),
				result + VARHDRSZ + sizeof(uint16) * (1 + first),
				sizeof(uint16) * (ngroups - first));
		ngroups -= first;
		weight -= first;
	}
	while (ngroups > 0)
	{
		int16		group;

		memcpy(&group, result + VARHDRSZ + sizeof(uint16) * ngroups, sizeof(group));
		if (group != 0)
			break;
		ngroups--;
	}
	if (ngroups == 0)
	{
		weight = 0;
		negative = false;
	}
	header = KIND_SHORT | (negative ? SHORT_NEGATIVE : 0) | scale << SHORT_SCALE_SHIFT |
		(weight < 0 ? SHORT_WEIGHT_SIGN : 0) | (weight & SHORT_WEIGHT_MASK);
	memcpy(result + VARHDRSZ, &header, sizeof(header));
	SET_VARSIZE(result, VARHDRSZ + sizeof(uint16) * (1 + ngroups));
	*value = PointerGetDatum(result);
	return true;
}

static inline char *
put_group(char *out, int group)
{
	out[0] = '0' + group / 1000;
	out[1] = '0' + group / 100 % 10;
	out[2] = '0' + group / 10 % 10;
	out[3] = '0' + group % 10;
	return out + GROUP;
}

static inline int
get_group(const char *groups, int ngroups, int i)
{
	int16		group;

	if (i < 0 || i >= ngroups)
		return 0;
	memcpy(&group, groups + sizeof(group) * i, sizeof(group));
	return group;
}

size_t
numeric_to_text(Datum value, char out[NUMERIC_TEXT_MAX])
{
	struct varlena *datum = (struct varlena *) DatumGetPointer(value);
	const char *data;
	const char *groups;
	int			size;
	int			ngroups;
	int			weight;
	int			scale;
	bool		negative;
	uint16		header;
	char	   *p = out;

	if (VARATT_IS_EXTENDED(datum) && (!VARATT_IS_SHORT(datum) || VARATT_IS_EXTERNAL(datum)))
		return 0;
	data = VARDATA_ANY(datum);
	size = VARSIZE_ANY_EXHDR(datum);
	memcpy(&header, data, sizeof(header));
	if ((header & KIND_MASK) == KIND_SPECIAL)
		return 0;
	if ((header & KIND_MASK) == KIND_SHORT)
	{
		negative = (header & SHORT_NEGATIVE) != 0;
		scale = (header & ~KIND_MASK & ~SHORT_NEGATIVE) >> SHORT_SCALE_SHIFT;
		weight = (header & SHORT_WEIGHT_MASK) - (header & SHORT_WEIGHT_SIGN);
		groups = data + sizeof(uint16);
	}
	else
	{
		int16		stored;

		negative = (header & KIND_MASK) == KIND_NEGATIVE;
		scale = header & LONG_SCALE_MASK;
		memcpy(&stored, data + sizeof(uint16), sizeof(stored));
		weight = stored;
		groups = data + 2 * sizeof(uint16);
	}
	ngroups = (size - (groups - data)) / sizeof(int16);
	if (weight > 20 || scale > 80)
		return 0;

	if (negative)
		*p++ = '-';
	if (weight < 0)
		*p++ = '0';
	for (int i = 0; i <= weight; i++)
	{
		int			group = get_group(groups, ngroups, i);

		if (i > 0)
			p = put_group(p, group);
		else
		{
			char		first[GROUP];
			int			zeros = group >= 1000 ? 0 : group >= 100 ? 1 : group >= 10 ? 2 : 3;

			put_group(first, group);
			memcpy(p, first + zeros, GROUP - zeros);
			p += GROUP - zeros;
		}
	}
	if (scale > 0)
	{
		char	   *fraction;

		*p++ = '.';
		fraction = p;
		for (int i = weight + 1; p - fraction < scale; i++)
			p = put_group(p, get_group(groups, ngroups, i));
		p = fraction + scale;
	}
	return p - out;
}
