/*-------------------------------------------------------------------------
 *
 * record_text.c
 *	  A record as the text of a JSON object.
 *
 * IDENTIFICATION
 *	  src/record/record_text.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/json_writer.h"
#include "record/record_text.h"

struct RecordText
{
	const Schema *schema;
	Owned	   *buffer;
};

RecordText *
record_text_create(const Schema *schema)
{
	RecordText *text = palloc0(sizeof(RecordText));

	text->schema = schema;
	text->buffer = own_buffer(CurrentMemoryContext);
	return text;
}

char *
record_text(RecordText *text, const RecordSet *set, uint32 row, size_t *length)
{
	ByteBuffer *out = text->buffer->object;

	buffer_reset(out);
	buffer_append_char(out, '{');
	for (int i = 0; i < text->schema->nfields; i++)
	{
		const Field *field = &text->schema->fields[i];

		if (i > 0)
			buffer_append_char(out, ',');
		json_append_string(out, field->name, strlen(field->name));
		buffer_append_char(out, ':');
		json_append_cell(out, &set->columns[i][row], field->type);
	}
	buffer_append_char(out, '}');
	*length = out->length;
	buffer_append_char(out, '\0');
	if (out->failed)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	return out->data;
}
