/*-------------------------------------------------------------------------
 *
 * json_reader.c
 *	  Streaming reader of records from JSON text: the framing.
 *
 * Finds where records begin and end in the document, keeps the place from
 * one call to the next, and counts lines.  A record is read in one go by
 * json_walk.c, from the beginning again if it was cut off by the end of the
 * data.  What surrounds the records of a page (the envelope) is read token by
 * token, so that the reader can be done with it as it arrives.
 *
 * IDENTIFICATION
 *	  src/codec/json_reader.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "codec/isa.h"
#include "codec/json_internal.h"

#define DEFAULT_MAX_DEPTH 64

/* an incomplete record is tried anew with every byte that comes up to this size */
#define PENDING_MIN ((size_t) 64 * 1024)

typedef enum State
{
	STATE_START,
	STATE_LINES,				/* between records that stand free */
	STATE_SINGLE,				/* before the only record */
	STATE_FIRST_RECORD,			/* behind the bracket of the array of records */
	STATE_NEXT_RECORD,			/* behind a comma in it */
	STATE_AFTER_RECORD,			/* behind a record in it */
	STATE_ENVELOPE,				/* see EnvelopeState */
	STATE_END,					/* behind the document */
	STATE_FAILED
} State;

typedef enum EnvelopeState
{
	ENVELOPE_VALUE,
	ENVELOPE_FIRST_MEMBER,
	ENVELOPE_MEMBER,
	ENVELOPE_COLON,
	ENVELOPE_FIRST_ELEMENT,
	ENVELOPE_AFTER_VALUE
} EnvelopeState;

/* an open container of the envelope */
typedef struct EnvelopeFrame
{
	JsonPath   *path;			/* NULL: nothing in it is wanted */
	bool		array;
	uint32_t	elements;		/* begun so far */
} EnvelopeFrame;

typedef struct EnvelopeValue
{
	int32_t		column;			/* in the paths of the envelope */
	bool		met;
	Cell		cell;
	ByteBuffer		text;
} EnvelopeValue;

/* what is known of a large record that has not arrived completely */
typedef struct Pending
{
	size_t		tried;			/* length when it was last parsed; 0: not pending */
	size_t		scanned;
	size_t		depth;
	bool		in_string;
	bool		escape;
} Pending;

struct JsonReader
{
	JsonFraming framing;
	JsonWalk	walk;
	JsonRecordWalk walk_record;

	State		state;
	const char *mark;			/* done up to here in the data of this call */
	uint64_t	offset;			/* of mark in the object */
	uint64_t	line;			/* of mark */
	uint64_t	line_start;		/* offset where that line starts */
	Pending		pending;
	bool		broken;			/* memory was out in the middle of a change */
	CodecError	error;

	/* PAGE */
	JsonPaths	page;
	int32_t		record_column;	/* of the records' path in it; -1: the document */
	bool		found_records;
	EnvelopeValue *values;
	size_t		nvalues;
	EnvelopeState envelope;
	JsonPath   *parent;			/* the path that target belongs to */
	JsonTarget *target;			/* of the value to come; NULL: not wanted */
	EnvelopeFrame *frames;
	uint32_t	nframes;
	uint32_t	frames_allocated;
};

/* ---------- making and freeing ---------- */

/* arrays with one entry per field */
static bool
size_for_fields(JsonWalk *walk)
{
	size_t		n = walk->paths.nfields;
	JsonSeen   *seen = realloc(walk->seen, (n + 1) * sizeof(JsonSeen));
	const char **captures;

	if (seen == NULL)
		return false;
	walk->seen = seen;
	memset(seen, 0, (n + 1) * sizeof(JsonSeen));
	captures = realloc(walk->captures, (n + 1) * sizeof(char *));
	if (captures == NULL)
		return false;
	walk->captures = captures;
	return true;
}

/* the paths of the envelope, and last the one of the records */
static bool
init_page(JsonReader *reader, const JsonReaderOptions *options)
{
	const char *record_path = options->record_path ? options->record_path : "";
	size_t		i;

	reader->values = calloc(options->nenvelope + 1, sizeof(EnvelopeValue));
	if (reader->values == NULL || !json_paths_init(&reader->page, NULL, 0))
		return false;
	reader->nvalues = options->nenvelope;
	for (i = 0; i < options->nenvelope; i++)
	{
		const char *name = options->envelope[i];
		JsonTarget *target = json_path_find(reader->page.root, name, strlen(name));

		if (target != NULL && target->column >= 0)
		{
			reader->values[i].column = target->column;
			continue;
		}
		reader->values[i].column = (int32_t) reader->page.nfields;
		if (!json_paths_add(&reader->page, name, strlen(name)))
			return false;
	}
	reader->record_column = -1;
	if (*record_path != '\0')
	{
		reader->record_column = (int32_t) reader->page.nfields;
		if (!json_paths_add(&reader->page, record_path, strlen(record_path)))
			return false;
	}
	return true;
}

JsonReader *
json_reader_create(const JsonReaderOptions *options)
{
	JsonReader *reader = calloc(1, sizeof(JsonReader));
	JsonWalk   *walk;

	if (reader == NULL)
		return NULL;
	walk = &reader->walk;
	reader->framing = options->framing;
	walk->max_depth = options->max_depth ? options->max_depth : DEFAULT_MAX_DEPTH;
	walk->discover = options->discover;
	if (!json_paths_init(&walk->paths, options->fields, options->nfields) ||
		!json_shape_init(&walk->shape, &walk->paths) ||
		!size_for_fields(walk) ||
		(options->framing == JSON_FRAMING_PAGE && !init_page(reader, options)))
	{
		json_reader_free(reader);
		return NULL;
	}

	switch (codec_isa())
	{
#ifdef CODEC_X86
		case CODEC_ISA_AVX2:
			reader->walk_record = json_walk_avx2;
			break;
		case CODEC_ISA_SSE2:
			reader->walk_record = json_walk_sse2;
			break;
#endif
		default:
			reader->walk_record = json_walk_scalar;
	}
	json_reader_restart(reader);
	return reader;
}

void
json_reader_free(JsonReader *reader)
{
	size_t		i;

	if (reader == NULL)
		return;
	json_paths_free(&reader->walk.paths);
	json_shape_free(&reader->walk.shape);
	free(reader->walk.seen);
	free(reader->walk.captures);
	buffer_free(&reader->walk.name);
	json_paths_free(&reader->page);
	for (i = 0; i < reader->nvalues; i++)
		buffer_free(&reader->values[i].text);
	free(reader->values);
	free(reader->frames);
	free(reader);
}

void
json_reader_restart(JsonReader *reader)
{
	size_t		i;

	reader->state = STATE_START;
	reader->offset = 0;
	reader->line = 1;
	reader->line_start = 0;
	reader->nframes = 0;
	reader->found_records = false;
	memset(&reader->pending, 0, sizeof(reader->pending));
	memset(&reader->error, 0, sizeof(reader->error));
	for (i = 0; i < reader->nvalues; i++)
	{
		reader->values[i].met = false;
		reader->values[i].cell = cell_null();
	}
}

bool
json_reader_add_field(JsonReader *reader, const char *name, size_t length)
{
	JsonWalk   *walk = &reader->walk;
	JsonTarget *target = json_path_find(walk->paths.root, name, length);

	if (reader->broken || (target != NULL && target->column >= 0))
		return false;
	reader->broken = !(json_paths_add(&walk->paths, name, length) &&
					   size_for_fields(walk) &&
					   json_shape_reset(&walk->shape, &walk->paths));
	return !reader->broken;
}

const char *
json_reader_new_field(const JsonReader *reader, size_t *length)
{
	*length = reader->walk.name.length;
	return reader->walk.name.data ? reader->walk.name.data : "";
}

Cell
json_reader_envelope(const JsonReader *reader, size_t i)
{
	return i < reader->nvalues ? reader->values[i].cell : cell_null();
}

bool
json_reader_found_records(const JsonReader *reader)
{
	return reader->found_records;
}

const CodecError *
json_reader_error(const JsonReader *reader)
{
	return &reader->error;
}

/* ---------- places ---------- */

/* done up to here */
static void
advance(JsonReader *reader, const char *to)
{
	const char *p = reader->mark;

	for (; p < to; p++)
		if (*p == '\n')
		{
			reader->line++;
			reader->line_start = reader->offset + (uint64_t) (p + 1 - reader->mark);
		}
	reader->offset += (uint64_t) (to - reader->mark);
	reader->mark = to;
}

/* turn the error of the walk into one with a place */
static void
locate_error(JsonReader *reader)
{
	JsonWalk   *walk = &reader->walk;
	CodecError *error = &reader->error;
	uint64_t	line = reader->line;
	uint64_t	line_start = reader->line_start;
	const char *p;

	for (p = reader->mark; p < walk->error_at; p++)
		if (*p == '\n')
		{
			line++;
			line_start = reader->offset + (uint64_t) (p + 1 - reader->mark);
		}
	error->offset = reader->offset + (uint64_t) (walk->error_at - reader->mark);
	error->line = line;
	error->column = error->offset - line_start + 1;
	memcpy(error->message, walk->message, sizeof(error->message));
}

/* at the end of the data: wait for more, or complain if there is none */
static JsonStep
out_of_data(JsonReader *reader)
{
	JsonWalk   *walk = &reader->walk;

	if (!walk->final)
		return STEP_MORE;
	return json_fail(walk, walk->end, "unexpected end of input inside %s", walk->inside);
}

/* ---------- records ---------- */

/*
 * Where records are: behind base_depth containers.  What is remembered of
 * records is within the depth limit only for the same place.
 */
static JsonStep
set_base_depth(JsonReader *reader, uint32_t depth)
{
	JsonWalk   *walk = &reader->walk;

	if (depth != walk->base_depth && !json_shape_reset(&walk->shape, &walk->paths))
	{
		reader->broken = true;
		return json_fail(walk, reader->mark, "out of memory");
	}
	walk->base_depth = depth;
	reader->found_records = true;
	return STEP_OK;
}

/*
 * Is it worth trying to parse the record at mark, of which so much is here?
 * A large record is parsed once its closing brace has come, or its size has
 * doubled, not with every piece.
 */
static bool
worth_trying(JsonReader *reader, const char *end)
{
	Pending    *pending = &reader->pending;
	size_t		length = (size_t) (end - reader->mark);
	size_t		i;

	if (pending->tried < PENDING_MIN || length >= pending->tried * 2)
		return true;
	for (i = pending->scanned; i < length; i++)
	{
		char		c = reader->mark[i];

		if (pending->in_string)
		{
			if (pending->escape)
				pending->escape = false;
			else if (c == '\\')
				pending->escape = true;
			else if (c == '"')
				pending->in_string = false;
		}
		else if (c == '"')
			pending->in_string = true;
		else if (c == '{' || c == '[')
			pending->depth++;
		else if ((c == '}' || c == ']') && --pending->depth == 0)
			return true;
	}
	pending->scanned = i;
	return false;
}

/* the record at mark, into a row */
static JsonStep
read_record(JsonReader *reader, uint32_t row, uint64_t *lines)
{
	JsonWalk   *walk = &reader->walk;
	size_t		i;
	JsonStep	step;

	if (*reader->mark != '{')
	{
		step = json_fail_expected(walk, reader->mark, "an object as record");
		return step == STEP_MORE ? out_of_data(reader) : step;
	}
	if (reader->pending.tried > 0 && !walk->final && !worth_trying(reader, walk->end))
		return STEP_MORE;
	if (walk->shape.misses > JSON_SHAPE_MISSES &&
		!json_shape_reset(&walk->shape, &walk->paths))
		reader->broken = true;
	if (reader->broken)
		return json_fail(walk, reader->mark, "out of memory");

	for (i = 0; i < walk->paths.nfields; i++)
		walk->columns[i][row] = cell_null();
	walk->record++;
	walk->row = row;
	walk->newlines = 0;
	walk->p = reader->mark;
	step = reader->walk_record(walk);
	if (step == STEP_MORE)
	{
		reader->pending.tried = (size_t) (walk->end - reader->mark);
		return out_of_data(reader);
	}
	if (step != STEP_OK)
		return step;

	if (lines != NULL)
		lines[row] = reader->line;
	if (walk->newlines > 0)
	{
		reader->line += walk->newlines;
		reader->line_start = reader->offset + (uint64_t) (walk->after_newline - reader->mark);
	}
	reader->offset += (uint64_t) (walk->p - reader->mark);
	reader->mark = walk->p;
	memset(&reader->pending, 0, sizeof(reader->pending));
	return STEP_OK;
}

/* ---------- the envelope of a page ---------- */

static JsonStep
push_envelope_frame(JsonReader *reader, JsonPath *path, bool array)
{
	JsonWalk   *walk = &reader->walk;

	if (reader->nframes >= walk->max_depth)
		return json_fail(walk, reader->mark, "nesting is deeper than %u levels",
						 (unsigned) walk->max_depth);
	if (reader->nframes == reader->frames_allocated)
	{
		uint32_t	allocate = reader->frames_allocated ? reader->frames_allocated * 2 : 16;
		EnvelopeFrame *frames = realloc(reader->frames, allocate * sizeof(EnvelopeFrame));

		if (frames == NULL)
			return json_fail(walk, reader->mark, "out of memory");
		reader->frames = frames;
		reader->frames_allocated = allocate;
	}
	reader->frames[reader->nframes].path = path;
	reader->frames[reader->nframes].array = array;
	reader->frames[reader->nframes].elements = 0;
	reader->nframes++;
	return STEP_OK;
}

/* keep a scalar for all envelope values of the target's path */
static JsonStep
keep_value(JsonReader *reader, CellKind kind, const char *text, size_t length, unsigned flags)
{
	JsonWalk   *walk = &reader->walk;
	size_t		i;

	if (reader->target == NULL || reader->target->column < 0)
		return STEP_OK;
	for (i = 0; i < reader->nvalues; i++)
	{
		EnvelopeValue *value = &reader->values[i];
		const JsonField *field = &reader->page.fields[reader->target->column];

		if (value->column != reader->target->column)
			continue;
		if (value->met)
			return json_fail(walk, reader->mark, "\"%.*s\" occurs twice",
							 json_message_length(field), field->name);
		value->met = true;
		if (kind == CELL_NULL)
			continue;
		if (kind == CELL_BOOLEAN)
		{
			value->cell = cell_integer(CELL_BOOLEAN, *text == 't');
			continue;
		}
		if (flags & STRING_NUL)
			return json_fail(walk, reader->mark, "value of \"%.*s\" contains \\u0000, which PostgreSQL cannot store",
							 json_message_length(field), field->name);
		if (length > UINT32_MAX)
			return json_fail(walk, reader->mark, "value is longer than 4 GB");
		buffer_reset(&value->text);
		if (!buffer_reserve(&value->text, length + 1))
			return json_fail(walk, reader->mark, "out of memory");
		value->text.length = json_unescape(text, length, value->text.data);
		value->cell = cell_text(kind, value->text.data, (uint32_t) value->text.length);
	}
	return STEP_OK;
}

/* the value at p; a scalar is read as a whole, a container is entered */
static JsonStep
envelope_value(JsonReader *reader, const char *p)
{
	JsonWalk   *walk = &reader->walk;
	bool		records = reader->target != NULL && reader->target->column >= 0 &&
		reader->target->column == reader->record_column;
	const char *start = p;
	unsigned	flags = 0;
	bool		failed = false;
	JsonPath   *path;
	JsonStep	step;

	if (records)
	{
		const JsonField *field = &reader->page.fields[reader->record_column];

		if (reader->found_records)
			return json_fail(walk, p, "\"%.*s\" occurs twice",
							 json_message_length(field), field->name);
		if (*p == '[' || *p == '{')
		{
			step = set_base_depth(reader, reader->nframes + (*p == '['));
			if (step != STEP_OK)
				return step;
			if (*p == '[')
			{
				reader->state = STATE_FIRST_RECORD;
				advance(reader, p + 1);
			}
			else
				reader->state = STATE_SINGLE;
			return STEP_OK;
		}
		if (*p != 'n')
		{
			char		expected[100];

			snprintf(expected, sizeof(expected), "an array of records at \"%.*s\"",
					 json_message_length(field), field->name);
			return json_fail_expected(walk, p, expected);
		}
	}
	else if (reader->nframes == 0 && *p != '{')
		return json_fail_expected(walk, p, "an object as document");

	switch (*p)
	{
		case '{':
		case '[':
			path = reader->nframes == 0 ? reader->page.root :
				json_path_below(&reader->page, reader->parent, reader->target, &failed);
			if (failed)
				return json_fail(walk, p, "out of memory");
			step = push_envelope_frame(reader, path, *p == '[');
			if (step != STEP_OK)
				return step;
			reader->envelope = *p == '[' ? ENVELOPE_FIRST_ELEMENT : ENVELOPE_FIRST_MEMBER;
			advance(reader, p + 1);
			return STEP_OK;

		case '"':
			p++;
			step = json_string_end_scalar(walk, &p, &flags);
			if (step == STEP_OK)
				step = keep_value(reader, CELL_STRING, start + 1, (size_t) (p - start - 1), flags);
			p++;
			break;

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
			step = json_number(walk, &p);
			if (step == STEP_OK)
				step = keep_value(reader, CELL_NUMBER, start, (size_t) (p - start), 0);
			break;

		default:
			step = json_literal(walk, &p);
			if (step == STEP_OK)
				step = keep_value(reader, *start == 'n' ? CELL_NULL : CELL_BOOLEAN,
								  start, (size_t) (p - start), 0);
			if (step == STEP_OK && records)
				reader->found_records = true;
			break;
	}
	if (step != STEP_OK)
		return step;
	reader->envelope = ENVELOPE_AFTER_VALUE;
	advance(reader, p);
	return STEP_OK;
}

/* the name of a member at p */
static JsonStep
envelope_member(JsonReader *reader, const char *p)
{
	JsonWalk   *walk = &reader->walk;
	const char *name = p + 1;
	size_t		length;
	unsigned	flags = 0;
	JsonStep	step;

	p++;
	step = json_string_end_scalar(walk, &p, &flags);
	if (step != STEP_OK)
		return step;
	length = (size_t) (p - name);
	reader->parent = reader->frames[reader->nframes - 1].path;
	reader->target = NULL;
	if (reader->parent != NULL)
	{
		if (flags & STRING_ESCAPED)
		{
			buffer_reset(&walk->name);
			if (!buffer_reserve(&walk->name, length))
				return json_fail(walk, reader->mark, "out of memory");
			length = json_unescape(name, length, walk->name.data);
			name = walk->name.data;
		}
		reader->target = json_path_find(reader->parent, name, length);
	}
	reader->envelope = ENVELOPE_COLON;
	advance(reader, p + 1);
	return STEP_OK;
}

/* the next element of an array: its name is its number */
static void
envelope_element(JsonReader *reader, EnvelopeFrame *frame)
{
	char		name[16];

	reader->parent = frame->path;
	reader->target = frame->path == NULL ? NULL :
		json_path_find(frame->path, name, (size_t) snprintf(name, sizeof(name), "%u", (unsigned) frame->elements));
	frame->elements++;
}

/* one token of the envelope */
static JsonStep
envelope_token(JsonReader *reader)
{
	JsonWalk   *walk = &reader->walk;
	EnvelopeFrame *frame = reader->nframes == 0 ? NULL : &reader->frames[reader->nframes - 1];
	const char *p = reader->mark;

	if (reader->envelope == ENVELOPE_AFTER_VALUE && frame == NULL)
	{
		reader->state = STATE_END;
		return STEP_OK;
	}
	if (p == walk->end)
		return json_more(walk, frame == NULL ? "the document" : frame->array ? "an array" : "an object");

	switch (reader->envelope)
	{
		case ENVELOPE_FIRST_ELEMENT:
			if (*p == ']')
				break;
			envelope_element(reader, frame);
			reader->envelope = ENVELOPE_VALUE;
			return envelope_value(reader, p);

		case ENVELOPE_VALUE:
			return envelope_value(reader, p);

		case ENVELOPE_FIRST_MEMBER:
			if (*p == '}')
				break;
			if (*p != '"')
				return json_fail_expected(walk, p, "a member name in double quotes or \"}\"");
			return envelope_member(reader, p);

		case ENVELOPE_MEMBER:
			if (*p != '"')
				return json_fail_expected(walk, p, "a member name in double quotes");
			return envelope_member(reader, p);

		case ENVELOPE_COLON:
			if (*p != ':')
				return json_fail_expected(walk, p, "\":\"");
			reader->envelope = ENVELOPE_VALUE;
			advance(reader, p + 1);
			return STEP_OK;

		case ENVELOPE_AFTER_VALUE:
			if (*p == ',')
			{
				reader->target = NULL;
				if (frame->array)
					envelope_element(reader, frame);
				reader->envelope = frame->array ? ENVELOPE_VALUE : ENVELOPE_MEMBER;
				advance(reader, p + 1);
				return STEP_OK;
			}
			if (*p != (frame->array ? ']' : '}'))
				return json_fail_expected(walk, p, frame->array ? "\",\" or \"]\"" : "\",\" or \"}\"");
			break;
	}

	/* the container closes */
	reader->nframes--;
	reader->envelope = ENVELOPE_AFTER_VALUE;
	advance(reader, p + 1);
	return STEP_OK;
}

/* ---------- the document ---------- */

/* what the first byte tells; STEP_MORE at the end also of an empty input */
static JsonStep
begin_document(JsonReader *reader)
{
	static const char bom[] = "\xef\xbb\xbf";
	JsonWalk   *walk = &reader->walk;
	const char *p = reader->mark;
	size_t		left = (size_t) (walk->end - p);

	if (reader->offset == 0 && left > 0)
	{
		if (left >= 3 && memcmp(p, bom, 3) == 0)
		{
			/* it is in no column */
			advance(reader, p + 3);
			reader->line_start = reader->offset;
		}
		else if (left < 3 && memcmp(p, bom, left) == 0 && !walk->final)
			return STEP_MORE;
	}
	advance(reader, json_skip_space(reader->mark, walk->end));
	p = reader->mark;
	if (p == walk->end)
	{
		if (walk->final && (reader->framing == JSON_FRAMING_ARRAY || reader->framing == JSON_FRAMING_PAGE))
			return json_fail(walk, p, "input is empty: expected %s",
							 reader->framing == JSON_FRAMING_ARRAY ? "an array of records" : "a JSON document");
		return STEP_MORE;
	}

	if (reader->framing == JSON_FRAMING_PAGE && reader->record_column >= 0)
	{
		reader->state = STATE_ENVELOPE;
		reader->envelope = ENVELOPE_VALUE;
		reader->target = NULL;
		return STEP_OK;
	}
	if (*p == '[' && reader->framing != JSON_FRAMING_LINES)
	{
		reader->state = STATE_FIRST_RECORD;
		advance(reader, p + 1);
		return set_base_depth(reader, 1);
	}
	if (reader->framing == JSON_FRAMING_ARRAY)
		return json_fail_expected(walk, p, "an array of records");
	if (reader->framing == JSON_FRAMING_PAGE && *p != '{')
		return json_fail_expected(walk, p, "an array of records or an object");
	reader->state = reader->framing == JSON_FRAMING_PAGE ? STATE_SINGLE : STATE_LINES;
	return set_base_depth(reader, 0);
}

JsonStatus
json_reader_read(JsonReader *reader,
				 const char *data, size_t length, bool final,
				 Arena *arena, Cell *const *columns,
				 uint64_t *lines, uint32_t max_rows,
				 JsonReadResult *result)
{
	JsonWalk   *walk = &reader->walk;
	JsonStep	step = STEP_OK;
	bool		record;

	result->rows = 0;
	result->consumed = 0;
	if (reader->state == STATE_FAILED)
		return JSON_ERROR;
	if (max_rows == 0)
		return JSON_FULL;
	if (length == 0)
		data = "";				/* it may be NULL */
	walk->end = data + length;
	walk->final = final;
	walk->arena = arena;
	walk->columns = columns;
	walk->inside = "the document";
	reader->mark = data;

	while (step == STEP_OK)
	{
		record = false;
		if (reader->state != STATE_START)
			advance(reader, json_skip_space(reader->mark, walk->end));

		if (reader->state == STATE_START)
			step = begin_document(reader);
		else if (reader->state == STATE_ENVELOPE)
		{
			/* long strings are tried anew as records are, but for their end */
			if (reader->pending.tried >= PENDING_MIN && !final &&
				(size_t) (walk->end - reader->mark) < reader->pending.tried * 2)
			{
				step = STEP_MORE;
				break;
			}
			step = envelope_token(reader);
			reader->pending.tried = 0;
			if (step == STEP_MORE)
			{
				reader->pending.tried = (size_t) (walk->end - reader->mark);
				step = out_of_data(reader);
			}
		}
		else if (reader->mark == walk->end)
		{
			if (reader->state == STATE_LINES || reader->state == STATE_END)
				step = STEP_MORE;
			else
			{
				walk->inside = "the array of records";
				step = out_of_data(reader);
			}
		}
		else if (reader->state == STATE_END)
			step = json_fail_expected(walk, reader->mark, "nothing behind the document");
		else if (reader->state == STATE_AFTER_RECORD && *reader->mark == ',')
		{
			advance(reader, reader->mark + 1);
			reader->state = STATE_NEXT_RECORD;
		}
		else if (*reader->mark == ']' &&
				 (reader->state == STATE_AFTER_RECORD || reader->state == STATE_FIRST_RECORD))
		{
			advance(reader, reader->mark + 1);
			reader->state = STATE_ENVELOPE;
			reader->envelope = ENVELOPE_AFTER_VALUE;
		}
		else if (reader->state == STATE_AFTER_RECORD)
			step = json_fail_expected(walk, reader->mark, "\",\" or \"]\" behind a record");
		else
		{
			step = read_record(reader, result->rows, lines);
			record = true;
		}

		if (record && step == STEP_OK)
		{
			if (reader->state == STATE_SINGLE)
			{
				reader->state = STATE_ENVELOPE;
				reader->envelope = ENVELOPE_AFTER_VALUE;
			}
			else if (reader->state != STATE_LINES)
				reader->state = STATE_AFTER_RECORD;
			if (++result->rows == max_rows)
				break;
		}
	}

	result->consumed = (size_t) (reader->mark - data);
	switch (step)
	{
		case STEP_OK:
			return JSON_FULL;
		case STEP_MORE:
			return JSON_MORE;
		case STEP_NEW_FIELD:
			return JSON_NEW_FIELD;
		case STEP_ERROR:
			break;
	}
	locate_error(reader);
	reader->state = STATE_FAILED;
	return JSON_ERROR;
}
