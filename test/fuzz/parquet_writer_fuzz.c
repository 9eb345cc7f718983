/*-------------------------------------------------------------------------
 *
 * parquet_writer_fuzz.c
 *	  Any cells into a Parquet writer, canonical or not.
 *
 * The input chooses columns, options and, batch by batch, cells.  Nothing may
 * crash or leak; an error must have a place; and a file that is finished must
 * be framed as one.
 *
 * IDENTIFICATION
 *	  test/fuzz/parquet_writer_fuzz.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_writer.h"

#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 6
#define MAX_ROWS 3000

typedef struct Input
{
	const uint8_t *at;
	const uint8_t *end;
} Input;

static uint64_t
take(Input *input, size_t bytes)
{
	uint64_t	value = 0;

	while (bytes-- > 0 && input->at < input->end)
		value = value << 8 | *input->at++;
	return value;
}

/* text cells point into the input, or are one of these */
static const char *const texts[] = {
	"", "0", "-1.5e3", "123.450", "9999999999999999999999999999999999999999", "1e-400", "AAAA",
	"AA==", "not base64", "{\"a\":1}", "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf", "\xff\xfe", "NaN", "null"
};

static Cell
make_cell(Input *input, FieldType type)
{
	static const uint8_t kinds[] = {
		CELL_STRING, CELL_BOOLEAN, CELL_INTEGER, CELL_INTEGER, CELL_DOUBLE, CELL_DOUBLE,
		CELL_NUMBER, CELL_DATE, CELL_TIMESTAMP, CELL_TIMESTAMP, CELL_STRING, CELL_STRING,
		CELL_STRING, CELL_JSON
	};
	uint8_t		choice = (uint8_t) take(input, 1);
	Cell		cell = cell_null();

	if (choice % 8 == 0)
		return cell;
	/* mostly the right kind, or errors would be all that is seen */
	cell.kind = choice == 255 ? (uint8_t) take(input, 1) : kinds[type];
	if (cell_is_text(&cell) || cell.kind > CELL_TIMESTAMP)
	{
		if (choice % 8 == 1)
		{
			cell.length = (uint32_t) take(input, 1);
			if (cell.length > (size_t) (input->end - input->at))
				cell.length = (uint32_t) (input->end - input->at);
			cell.data = (const char *) input->at;
			input->at += cell.length;
		}
		else if (choice % 8 == 2)
			cell.data = NULL;
		else
		{
			cell.data = texts[type == FIELD_BINARY ? 6 + choice % 2 :
							  type == FIELD_DECIMAL ? choice / 8 % 4 :
							  choice / 8 % (sizeof(texts) / sizeof(texts[0]))];
			cell.length = (uint32_t) strlen(cell.data);
		}
		return cell;
	}
	cell.integer = (int64_t) take(input, choice % 8 == 1 ? 8 : 1);
	if (cell.kind == CELL_BOOLEAN && choice % 8 != 1)
		cell.integer &= 1;
	return cell;
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Cell cells[MAX_COLUMNS][MAX_ROWS];
	static uint32_t rows[MAX_ROWS];
	Input		input = {data, data + size};
	ParquetColumn columns[MAX_COLUMNS];
	char		names[MAX_COLUMNS][8];
	ParquetWriterOptions options = {
		.compression = (ParquetCompression) (take(&input, 1) % 3),
		.row_group_bytes = take(&input, 2),
		.row_group_rows = (uint32_t) take(&input, 2)
	};
	size_t		ncolumns = take(&input, 1) % MAX_COLUMNS + 1;
	ParquetWriter *writer;
	ByteBuffer *out;
	ByteBuffer		file = {0};
	bool		good = true;
	uint64_t	total = 0;
	size_t		i;

	for (i = 0; i < ncolumns; i++)
	{
		size_t		n;

		for (n = 0; n < sizeof(names[i]) - 1; n++)
			names[i][n] = (char) take(&input, 1);
		names[i][n] = '\0';
		columns[i].name = names[i];
		columns[i].type = (FieldType) (take(&input, 1) % (FIELD_JSON + 1));
		columns[i].precision = (int8_t) take(&input, 1);
		columns[i].scale = (int8_t) take(&input, 1);
	}
	writer = parquet_writer_create(columns, ncolumns, &options);
	if (writer == NULL)
		abort();
	out = parquet_writer_output(writer);
	while (good && input.at < input.end && total < 200000)
	{
		const Cell *batch[MAX_COLUMNS];
		uint8_t		how = (uint8_t) take(&input, 1);
		uint32_t	made = (uint32_t) take(&input, 1) % 40 + 1;
		/* a few cells, over and over: many rows out of little input */
		uint32_t	nrows = how & 1 ? made : (uint32_t) take(&input, 2) % MAX_ROWS + 1;
		uint32_t	row;

		if (made > nrows)
			made = nrows;
		for (i = 0; i < ncolumns; i++)
		{
			for (row = 0; row < made; row++)
				cells[i][row] = make_cell(&input, columns[i].type);
			for (; row < nrows; row++)
			{
				cells[i][row] = cells[i][row - made];
				/* numbers go on counting: dictionaries overflow */
				if (how & 8 && (cells[i][row].kind == CELL_INTEGER ||
								cells[i][row].kind == CELL_TIMESTAMP))
					cells[i][row].integer = (int32_t) ((uint32_t) cells[i][row].integer + row);
			}
			batch[i] = cells[i];
		}
		for (row = 0; row < nrows; row++)
			rows[row] = (uint32_t) (((uint64_t) row * 31 + how) % nrows);
		good = parquet_writer_put(writer, batch, how & 2 ? rows : NULL, nrows);
		if (!good && (parquet_writer_error(writer)->line == 0 ||
					  parquet_writer_error(writer)->line > nrows ||
					  parquet_writer_error(writer)->column == 0 ||
					  parquet_writer_error(writer)->column > ncolumns ||
					  parquet_writer_error(writer)->message[0] == '\0'))
			abort();
		if (good && how & 4)
			good = parquet_writer_flush(writer) && parquet_writer_memory(writer) == 0;
		total += nrows;
		buffer_append(&file, out->data, out->length);
		buffer_reset(out);
	}
	if (good)
	{
		uint32_t	footer;

		if (!parquet_writer_finish(writer))
			abort();
		buffer_append(&file, out->data, out->length);
		memcpy(&footer, file.data + file.length - 8, 4);
		if (memcmp(file.data, "PAR1", 4) != 0 ||
			memcmp(file.data + file.length - 4, "PAR1", 4) != 0 || footer > file.length - 12)
			abort();
	}
	else if (parquet_writer_finish(writer))
		abort();
	parquet_writer_free(writer);
	buffer_free(&file);
	return 0;
}
