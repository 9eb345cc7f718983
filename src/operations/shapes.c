/*-------------------------------------------------------------------------
 *
 * shapes.c
 *	  Looking things up in the wire model, and what a string must satisfy.
 *
 * The model's patterns run on PostgreSQL's own regular expression engine, in
 * its advanced flavour and the C collation: \w, \d and \s are then ASCII, as
 * they are in Java, whose expressions these are.  Values are matched as
 * Unicode whatever the server's encoding is.  No pattern has a back reference
 * or a capturing group, so a match costs time linear in the value.
 *
 * IDENTIFICATION
 *	  src/operations/shapes.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "operations/shapes.h"
#include "regex/regex.h"
#include "utils/memutils.h"

/*
 * A value longer than this is not matched: every pattern stands beside a
 * maximum length far below, so the value is refused for that already.
 */
#define PATTERN_LONGEST_VALUE 65536

static regex_t *compiled[SHAPE_PATTERN_COUNT];
static MemoryContext pattern_context;

const ShapeOperation *
shape_find_operation(const char *name)
{
	for (int i = 0; i < SHAPE_OPERATION_COUNT; i++)
	{
		const char *wire = shape_operations[i].name;
		const char *given = name;

		if (strcmp(wire, name) == 0)
			return &shape_operations[i];

		/* CreateFlow is create_flow in SQL */
		for (; *wire; wire++)
		{
			if (*wire >= 'A' && *wire <= 'Z')
			{
				if (wire != shape_operations[i].name && *given++ != '_')
					break;
				if (*given++ != *wire - 'A' + 'a')
					break;
			}
			else if (*given++ != *wire)
				break;
		}
		if (*wire == '\0' && *given == '\0')
			return &shape_operations[i];
	}
	return NULL;
}

int
shape_find(const char *name)
{
	for (int i = 0; i < SHAPE_COUNT; i++)
	{
		if (strcmp(shape_table[i].name, name) == 0)
			return i;
	}
	return -1;
}

static bool
same(const char *known, const char *given, size_t length)
{
	return strlen(known) == length && memcmp(known, given, length) == 0;
}

const ShapeMember *
shape_find_member(ShapeId structure, const char *name, size_t length)
{
	const Shape *shape = &shape_table[structure];

	for (int i = 0; i < shape->count; i++)
	{
		const ShapeMember *member = &shape_members[shape->first + i];

		if (same(member->name, name, length))
			return member;
	}
	return NULL;
}

const char *
shape_enum_value(ShapeId id, const char *value, size_t length)
{
	const Shape *shape = &shape_table[id];
	const char *const *values = &shape_enum_values[shape->first];

	for (int i = 0; i < shape->count; i++)
	{
		if (same(values[i], value, length))
			return values[i];
	}
	for (int i = 0; i < shape_alias_count; i++)
	{
		if (shape_aliases[i].shape == id && same(shape_aliases[i].alias, value, length))
			return shape_aliases[i].canonical;
	}

	/* no enum has two values that differ in case only; test/t/041_shape_table.pl looks */
	for (int i = 0; i < shape->count; i++)
	{
		if (strlen(values[i]) == length && pg_strncasecmp(values[i], value, length) == 0)
			return values[i];
	}
	return NULL;
}

/* the value as Unicode, and its length in characters; palloc'd */
static pg_wchar *
unicode_of(const char *value, size_t length, size_t *characters)
{
	char	   *text = pg_server_to_any(value, length, PG_UTF8);
	pg_wchar   *wide;

	if (text != value)
		length = strlen(text);
	wide = palloc_extended((length + 1) * sizeof(pg_wchar), MCXT_ALLOC_HUGE);
	*characters = pg_encoding_mb2wchar_with_len(PG_UTF8, text, wide, length);
	if (text != value)
		pfree(text);
	return wide;
}

static void
pattern_error(int code, int pattern)
{
	char		words[100];

	pg_regerror(code, NULL, words, sizeof(words));
	CHECK_FOR_INTERRUPTS();
	ereport(ERROR,
			errcode(ERRCODE_INVALID_REGULAR_EXPRESSION),
			errmsg("regular expression \"%s\" failed: %s",
				   shape_patterns[pattern - 1].advanced, words));
}

/* a pattern is compiled at its first use and stays as long as the backend */
static regex_t *
compiled_pattern(int pattern)
{
	const char *text = shape_patterns[pattern - 1].advanced;
	MemoryContext old;
	regex_t    *regex;
	pg_wchar   *wide;
	size_t		length = strlen(text);
	int			code;

	if (compiled[pattern - 1])
		return compiled[pattern - 1];

	if (pattern_context == NULL)
		pattern_context = AllocSetContextCreate(TopMemoryContext, "appflow patterns",
												ALLOCSET_SMALL_SIZES);

	/* the text is ASCII */
	wide = palloc((length + 1) * sizeof(pg_wchar));
	for (size_t i = 0; i < length; i++)
		wide[i] = (unsigned char) text[i];

	/* the engine allocates with palloc from PostgreSQL 16 on */
	old = MemoryContextSwitchTo(pattern_context);
	regex = palloc0(sizeof(regex_t));
	code = pg_regcomp(regex, wide, length, REG_ADVANCED | REG_NOSUB, C_COLLATION_OID);
	MemoryContextSwitchTo(old);
	pfree(wide);
	if (code != REG_OKAY)
	{
		pfree(regex);
		pattern_error(code, pattern);
	}
	compiled[pattern - 1] = regex;
	return regex;
}

static bool
matches(int pattern, const pg_wchar *wide, size_t characters)
{
	int			code = pg_regexec(compiled_pattern(pattern), wide, characters, 0, NULL, 0, NULL, 0);

	if (code != REG_OKAY && code != REG_NOMATCH)
		pattern_error(code, pattern);
	return code == REG_OKAY;
}

int
shape_check_string(ShapeId id, const char *value, size_t length)
{
	const Shape *shape = &shape_table[id];
	int			wrong = 0;
	size_t		characters;
	pg_wchar   *wide;

	if (shape->count > 0 && shape_enum_value(id, value, length) == NULL)
		wrong |= STRING_NO_VALUE;
	if (shape->min < 0 && shape->max < 0 && shape->pattern == 0)
		return wrong;

	/* a character has at most four bytes, so this one is too long however many it has */
	if (length > PATTERN_LONGEST_VALUE * 4 && shape->max >= 0)
		return wrong | STRING_TOO_LONG;

	wide = unicode_of(value, length, &characters);
	if (shape->min >= 0 && characters < (size_t) shape->min)
		wrong |= STRING_TOO_SHORT;
	if (shape->max >= 0 && characters > (size_t) shape->max)
		wrong |= STRING_TOO_LONG;
	if (shape->pattern != 0 && !matches(shape->pattern, wide, characters))
		wrong |= STRING_NO_MATCH;
	pfree(wide);
	return wrong;
}
