/*-------------------------------------------------------------------------
 *
 * parquet_writer.c
 *	  Streaming writer of Apache Parquet files: row groups and the footer.
 *
 * A file is "PAR1", row groups, the footer (FileMetaData as Thrift), its
 * length, "PAR1".  A row group is one chunk per column, one behind the other,
 * so the columns of the open row group wait in memory, as compressed pages.
 * Of a finished row group only its part of the footer stays.
 *
 * Format: apache/parquet-format, parquet.thrift.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_writer.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_writer.h"

#include "codec/parquet_column.h"

#include <stdarg.h>
#include <stdio.h>

#define DEFAULT_ROW_GROUP_BYTES ((size_t) 16 << 20)
#define DEFAULT_ROW_GROUP_ROWS 122880

struct ParquetWriter
{
	Column	   *columns;
	size_t		ncolumns;
	char	   *created_by;
	size_t		row_group_bytes;
	uint32_t	row_group_rows;
	PageCodec	codec;
	ColumnScratch *scratch;

	ByteBuffer		output;
	uint64_t	position;		/* of the end of output in the file */
	uint32_t	rows;			/* in the open row group */
	uint64_t	finished_rows;
	uint32_t	row_groups;
	ByteBuffer		descriptions;	/* the finished row groups, as Thrift structs RowGroup */

	bool		failed;
	bool		finished;
	CodecError	error;
};

__attribute__((format(printf, 4, 5)))
static bool
fail(ParquetWriter *writer, uint64_t line, uint64_t column, const char *fmt,...)
{
	va_list		ap;

	writer->failed = true;
	writer->error.offset = writer->position;
	writer->error.line = line;
	writer->error.column = column;
	va_start(ap, fmt);
	vsnprintf(writer->error.message, sizeof(writer->error.message), fmt, ap);
	va_end(ap);
	return false;
}

static bool
fail_memory(ParquetWriter *writer)
{
	return fail(writer, 0, 0, "out of memory");
}

/* an earlier failure stays what it is */
static bool
usable(ParquetWriter *writer)
{
	if (writer->failed)
		return false;
	if (writer->finished)
		return fail(writer, 0, 0, "Parquet file is already finished");
	return true;
}

ParquetWriter *
parquet_writer_create(const ParquetColumn *columns, size_t ncolumns,
					  const ParquetWriterOptions *options)
{
	ParquetWriter *writer;
	const char *created_by = "appflow version 1.0";
	size_t		i;

	if (ncolumns == 0 || ncolumns > INT32_MAX / 2)
		return NULL;
	writer = calloc(1, sizeof(ParquetWriter));
	if (writer == NULL)
		return NULL;
	writer->codec.compression = PARQUET_SNAPPY;
	writer->row_group_bytes = DEFAULT_ROW_GROUP_BYTES;
	writer->row_group_rows = DEFAULT_ROW_GROUP_ROWS;
	if (options != NULL)
	{
		writer->codec.compression = options->compression;
		if (options->row_group_bytes > 0)
			writer->row_group_bytes = options->row_group_bytes;
		if (options->row_group_rows > 0)
			writer->row_group_rows = options->row_group_rows;
		if (options->created_by != NULL)
			created_by = options->created_by;
	}
	writer->created_by = strdup(created_by);
	writer->columns = calloc(ncolumns, sizeof(Column));
	writer->scratch = calloc(1, sizeof(ColumnScratch));
	if (writer->created_by == NULL || writer->columns == NULL || writer->scratch == NULL)
	{
		parquet_writer_free(writer);
		return NULL;
	}
	for (i = 0; i < COLUMN_SLICE_ROWS; i++)
		writer->scratch->first_rows[i] = (uint32_t) i;
	for (writer->ncolumns = 0; writer->ncolumns < ncolumns; writer->ncolumns++)
		if (!column_init(&writer->columns[writer->ncolumns], &columns[writer->ncolumns]))
		{
			parquet_writer_free(writer);
			return NULL;
		}
	buffer_append(&writer->output, "PAR1", 4);
	if (writer->output.failed)
	{
		parquet_writer_free(writer);
		return NULL;
	}
	writer->position = 4;
	return writer;
}

static bool
close_row_group(ParquetWriter *writer)
{
	ThriftWriter thrift = {.out = &writer->descriptions};
	uint64_t	start = writer->position;
	uint64_t	uncompressed = 0;
	uint64_t	compressed = 0;
	size_t		i;

	if (writer->rows == 0)
		return true;
	thrift_begin(&thrift);
	thrift_list_field(&thrift, 1, THRIFT_STRUCT, writer->ncolumns);
	for (i = 0; i < writer->ncolumns; i++)
	{
		size_t		before = writer->output.length;

		if (!column_close(&writer->columns[i], &writer->codec, &writer->output,
						  writer->position, &thrift, &uncompressed, &compressed))
			return fail_memory(writer);
		writer->position += writer->output.length - before;
	}
	thrift_i64_field(&thrift, 2, (int64_t) uncompressed);
	thrift_i64_field(&thrift, 3, (int64_t) writer->rows);
	thrift_i64_field(&thrift, 5, (int64_t) start);
	thrift_i64_field(&thrift, 6, (int64_t) compressed);
	if (writer->row_groups <= INT16_MAX)
		thrift_i16_field(&thrift, 7, (int16_t) writer->row_groups);
	thrift_end(&thrift);
	if (writer->descriptions.failed)
		return fail_memory(writer);
	writer->finished_rows += writer->rows;
	writer->rows = 0;
	writer->row_groups++;
	return true;
}

/* column's name for an error message, cut between characters */
static int
name_length(const char *name)
{
	size_t		length = strlen(name);

	if (length <= 60)
		return (int) length;
	length = 60;
	while (length > 0 && ((unsigned char) name[length] & 0xC0) == 0x80)
		length--;
	return (int) length;
}

bool
parquet_writer_put(ParquetWriter *writer, const Cell *const *columns,
				   const uint32_t *rows, uint32_t nrows)
{
	uint32_t	done = 0;

	if (!usable(writer))
		return false;
	while (done < nrows)
	{
		uint32_t	n = nrows - done;
		size_t		encoded = 0;
		size_t		i;

		if (n > COLUMN_SLICE_ROWS)
			n = COLUMN_SLICE_ROWS;
		if (n > writer->row_group_rows - writer->rows)
			n = writer->row_group_rows - writer->rows;
		for (i = 0; i < writer->ncolumns; i++)
		{
			Column	   *column = &writer->columns[i];
			ColumnScratch *scratch = writer->scratch;

			if (!column_put(column, &writer->codec, scratch,
							rows ? columns[i] : columns[i] + done,
							rows ? rows + done : scratch->first_rows, n))
			{
				if (scratch->reason[0] == '\0')
					return fail_memory(writer);
				return fail(writer, (uint64_t) done + scratch->bad_row + 1, i + 1,
							"value of column \"%.*s\" %s",
							name_length(column->name), column->name, scratch->reason);
			}
			encoded += column_encoded(column);
		}
		writer->rows += n;
		done += n;
		if ((encoded >= writer->row_group_bytes || writer->rows == writer->row_group_rows) &&
			!close_row_group(writer))
			return false;
	}
	return true;
}

size_t
parquet_writer_memory(const ParquetWriter *writer)
{
	size_t		bytes = 0;
	size_t		i;

	for (i = 0; i < writer->ncolumns; i++)
		bytes += column_memory(&writer->columns[i]);
	return bytes;
}

bool
parquet_writer_flush(ParquetWriter *writer)
{
	size_t		i;

	if (!usable(writer) || !close_row_group(writer))
		return false;
	for (i = 0; i < writer->ncolumns; i++)
		column_release(&writer->columns[i]);
	return true;
}

/* FileMetaData of parquet.thrift */
static void
write_footer(ParquetWriter *writer)
{
	ThriftWriter thrift = {.out = &writer->output};
	size_t		i;

	thrift_begin(&thrift);
	thrift_i32_field(&thrift, 1, 2);	/* version */
	thrift_list_field(&thrift, 2, THRIFT_STRUCT, writer->ncolumns + 1);
	thrift_begin(&thrift);
	thrift_binary_field(&thrift, 4, "schema", 6);
	thrift_i32_field(&thrift, 5, (int32_t) writer->ncolumns);
	thrift_end(&thrift);
	for (i = 0; i < writer->ncolumns; i++)
		column_type_write(&writer->columns[i].type, writer->columns[i].name, &thrift);
	thrift_i64_field(&thrift, 3, (int64_t) writer->finished_rows);
	thrift_list_field(&thrift, 4, THRIFT_STRUCT, writer->row_groups);
	buffer_append(&writer->output, writer->descriptions.data, writer->descriptions.length);
	thrift_binary_field(&thrift, 6, writer->created_by, strlen(writer->created_by));

	/* every column in the order of its type: makes min_value and max_value count */
	thrift_list_field(&thrift, 7, THRIFT_STRUCT, writer->ncolumns);
	for (i = 0; i < writer->ncolumns; i++)
	{
		thrift_begin(&thrift);
		thrift_struct_field(&thrift, 1);
		thrift_end(&thrift);
		thrift_end(&thrift);
	}
	thrift_end(&thrift);
}

bool
parquet_writer_finish(ParquetWriter *writer)
{
	size_t		start;
	size_t		length;
	char		tail[8] = {0, 0, 0, 0, 'P', 'A', 'R', '1'};

	if (!usable(writer) || !close_row_group(writer))
		return false;
	start = writer->output.length;
	write_footer(writer);
	length = writer->output.length - start;
	if (length > INT32_MAX)
		return fail(writer, 0, 0, "Parquet file has too many row groups");
	store32(tail, (uint32_t) length);
	buffer_append(&writer->output, tail, sizeof(tail));
	if (writer->output.failed)
		return fail_memory(writer);
	writer->position += writer->output.length - start;
	writer->finished = true;
	return true;
}

ByteBuffer *
parquet_writer_output(ParquetWriter *writer)
{
	return &writer->output;
}

const CodecError *
parquet_writer_error(const ParquetWriter *writer)
{
	return &writer->error;
}

void
parquet_writer_free(ParquetWriter *writer)
{
	size_t		i;

	if (writer == NULL)
		return;
	for (i = 0; i < writer->ncolumns; i++)
		column_free(&writer->columns[i]);
	free(writer->columns);
	free(writer->created_by);
	if (writer->scratch != NULL)
		buffer_free(&writer->scratch->text);
	free(writer->scratch);
	page_codec_free(&writer->codec);
	buffer_free(&writer->descriptions);
	buffer_free(&writer->output);
	free(writer);
}
