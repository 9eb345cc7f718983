/*-------------------------------------------------------------------------
 *
 * json_walk.h
 *	  The record walk of the JSON reader, included by json_walk.c once for
 *	  each instruction set with these macros set:
 *
 *	  WALK_FUNCTION		name of the walk
 *	  WALK_STRING_END	name of the search for a string's end
 *	  WALK_MATCH		name of the comparison with a gap
 *	  WALK_NUMBER_END	name of the search for a number's end
 *	  WALK_TARGET		attribute of the functions
 *	  WALK_WIDTH		bytes in a vector: 0, 16 or 32
 *
 * No byte at or behind walk->end is read.
 *
 * IDENTIFICATION
 *	  src/codec/json_walk.h
 *
 *-------------------------------------------------------------------------
 */

/*
 * From behind the opening quote to the closing quote; what lies between is
 * checked.
 */
static inline __attribute__((always_inline)) WALK_TARGET JsonStep
WALK_STRING_END(JsonWalk *walk, const char **position, unsigned *flags)
{
	const char *p = *position;
	const char *end = walk->end;

	for (;;)
	{
#if WALK_WIDTH == 32
		if (end - p >= 32)
		{
			__m256i		v = _mm256_loadu_si256((const __m256i *) p);
			/* as signed bytes, controls and all above ASCII are below a blank */
			__m256i		hit = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')),
															  _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'))),
											  _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v));
			unsigned	mask = (unsigned) _mm256_movemask_epi8(hit);

			if (mask == 0)
			{
				p += 32;
				continue;
			}
			p += __builtin_ctz(mask);
		}
		else
#elif WALK_WIDTH == 16
		if (end - p >= 16)
		{
			__m128i		v = _mm_loadu_si128((const __m128i *) p);
			__m128i		hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
														_mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
										   _mm_cmpgt_epi8(_mm_set1_epi8(0x20), v));
			unsigned	mask = (unsigned) _mm_movemask_epi8(hit);

			if (mask == 0)
			{
				p += 16;
				continue;
			}
			p += __builtin_ctz(mask);
		}
		else
#endif
		{
			while (p < end && plain[(unsigned char) *p])
				p++;
			if (p == end)
				return json_more(walk, "a string");
		}

		*position = p;
		if (*p == '"')
			return STEP_OK;
		{
			JsonStep	step = json_string_special(walk, position, flags);

			if (step != STEP_OK)
				return step;
			p = *position;
		}
	}
}

/* is the gap of the edge what stands at p? */
static inline __attribute__((always_inline)) WALK_TARGET bool
WALK_MATCH(const char *p, const char *end, const JsonEdge *edge)
{
	uint32_t	length = edge->length;

	if ((size_t) (end - p) <= length)
		return false;
#if WALK_WIDTH == 32
	if (length <= 32 && end - p >= 32)
	{
		__m256i		equal = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *) p),
											  _mm256_loadu_si256((const __m256i *) edge->gap));

		return _bzhi_u32(~(unsigned) _mm256_movemask_epi8(equal), length) == 0;
	}
#elif WALK_WIDTH == 16
	if (length <= 32 && end - p >= 32)
	{
		__m128i		low = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) p),
										 _mm_loadu_si128((const __m128i *) edge->gap));
		__m128i		high = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) (p + 16)),
										  _mm_loadu_si128((const __m128i *) (edge->gap + 16)));
		uint64_t	mask = (uint64_t) _mm_movemask_epi8(low) | (uint64_t) _mm_movemask_epi8(high) << 16;

		return (~mask & ((UINT64_C(1) << length) - 1)) == 0;
	}
#endif
	return memcmp(p, edge->gap, length) == 0;
}

/* a number: the common short forms here, all others and all errors by json_number() */
static inline __attribute__((always_inline)) WALK_TARGET JsonStep
WALK_NUMBER_END(JsonWalk *walk, const char **position)
{
#if WALK_WIDTH >= 16
	const char *p = *position;

	if (walk->end - p >= 18)
	{
		__m128i		v;
		unsigned	others;
		unsigned	length;

		p += *p == '-';
		v = _mm_sub_epi8(_mm_loadu_si128((const __m128i *) p), _mm_set1_epi8('0'));
		/* a bit for each byte that is no digit */
		others = (unsigned) _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(9)), v)) ^ 0xffff;
		others |= 0x10000;
		length = (unsigned) __builtin_ctz(others);
		if (length > 0 && length < 16 && (length == 1 || *p != '0'))
		{
			if (p[length] == '.')
			{
				unsigned	point = length;

				others &= others - 1;
				length = (unsigned) __builtin_ctz(others);
				if (length > point + 1 && length < 16 && (p[length] | 0x20) != 'e')
				{
					*position = p + length;
					return STEP_OK;
				}
			}
			else if ((p[length] | 0x20) != 'e')
			{
				*position = p + length;
				return STEP_OK;
			}
		}
	}
#endif
	return json_number(walk, position);
}

/* the record at walk->p, which begins with a brace */
WALK_TARGET JsonStep
WALK_FUNCTION(JsonWalk *walk)
{
	const char *p = walk->p;
	const char *end = walk->end;
	JsonNode   *node = walk->shape.root;

	for (;;)
	{
		const char *value;
		int32_t		column;
		uint32_t	depth;
		JsonStep	step;

		/* the gap */
		if (node != NULL)
		{
			uint32_t	nedges = node->nedges;
			uint32_t	i;

			/* a gap that led to a scalar may go on otherwise this time */
			for (i = 0; i < nedges; i++)
				if (WALK_MATCH(p, end, node->edges[i]) &&
					(begins_scalar[(unsigned char) p[node->edges[i]->length]] ||
					 node->edges[i]->target == NULL))
					break;
			if (i < nedges)
			{
				JsonEdge   *edge = node->edges[i];

				if (i > 0)
				{
					node->edges[i] = node->edges[i - 1];
					node->edges[i - 1] = edge;
				}
				if (edge->newlines > 0)
				{
					walk->newlines += edge->newlines;
					walk->after_newline = p + edge->after_newline;
				}
				if (edge->ncaptures > 0)
				{
					step = json_edge_captures(walk, edge, p);
					if (step != STEP_OK)
						return step;
				}
				p += edge->length;
				node = edge->target;
				if (node == NULL)
				{
					walk->p = p;
					return STEP_OK;
				}
				column = node->column;
				depth = node->depth;
				goto scalar;
			}
		}
		walk->p = p;
		step = json_gap(walk, node);
		if (step != STEP_OK)
			return step;
		if (walk->complete)
			return STEP_OK;
		p = walk->p;
		node = walk->node;
		column = walk->column;
		depth = walk->depth;

scalar:
		value = p;
		switch (*p)
		{
			case '"':
				{
					unsigned	flags = 0;

					p++;
					step = WALK_STRING_END(walk, &p, &flags);
					if (step != STEP_OK)
						return step;
					if (column >= 0)
					{
						step = store_string(walk, column, depth, value + 1, p, flags);
						if (step != STEP_OK)
							return step;
					}
					p++;
					break;
				}

			case '-':
			case '0':
			case '1':
			case '2':
			case '3':
			case '4':
			case '5':
			case '6':
			case '7':
			case '8':
			case '9':
				step = WALK_NUMBER_END(walk, &p);
				if (step != STEP_OK)
					return step;
				if (column >= 0)
				{
					if ((uint64_t) (p - value) > UINT32_MAX)
						return json_fail(walk, value, "value is longer than 4 GB");
					step = json_set(walk, column, depth,
									cell_text(CELL_NUMBER, value, (uint32_t) (p - value)), value);
					if (step != STEP_OK)
						return step;
				}
				break;

			default:
				step = json_literal(walk, &p);
				if (step != STEP_OK)
					return step;
				if (column >= 0)
				{
					step = json_set(walk, column, depth,
									*value == 'n' ? cell_null() : cell_integer(CELL_BOOLEAN, *value == 't'),
									value);
					if (step != STEP_OK)
						return step;
				}
				break;
		}
	}
}

#undef WALK_FUNCTION
#undef WALK_STRING_END
#undef WALK_MATCH
#undef WALK_NUMBER_END
#undef WALK_TARGET
#undef WALK_WIDTH
