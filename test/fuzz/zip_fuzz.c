/*
 * zip_fuzz.c
 *	  ZIP archives of gzip files on hostile input.  What must hold, besides no
 *	  crash and no endless loop: what comes out, and what is said to be wrong, does not
 *	  depend on the pieces in which it is asked for; and no member gives more than
 *	  deflate can make of the bytes it has.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/buffer.h"
#include "codec/gunzip.h"
#include "codec/zip_reader.h"

#define SHOWN_MAX (1024 * 1024)	/* bytes that are compared */
#define DEFLATE_RATIO 1040

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Input
{
	const uint8_t *data;
	size_t		size;
} Input;

static int64_t
read_input(void *arg, uint64_t offset, void *buffer, size_t length)
{
	const Input *input = arg;

	if (offset > input->size)
		return 0;
	if (length > input->size - offset)
		length = input->size - offset;
	memcpy(buffer, input->data + offset, length);
	return (int64_t) length;
}

static void
show(ByteBuffer *out, const char *text, size_t length)
{
	if (out->length + length <= SHOWN_MAX)
		buffer_append(out, text, length);
}

/* a piece of a member through gunzip */
static void
gunzip_piece(Gunzip *gunzip, const char *data, size_t length, bool final, size_t room, ByteBuffer *out, bool *broken)
{
	char	   *output = malloc(room);
	size_t		used = 0;
	size_t		total = 0;
	GunzipStatus status;

	do
	{
		size_t		consumed;
		size_t		produced;

		status = gunzip_run(gunzip, data + used, length - used, final, &consumed, output, room, &produced);
		if (consumed > length - used || produced > room)
			abort();
		used += consumed;
		total += produced;
		show(out, output, produced);
	} while (status == GUNZIP_FULL && total < SHOWN_MAX);
	*broken = status == GUNZIP_ERROR;
	free(output);
}

static void
run(const Input *input, size_t piece, size_t room, ByteBuffer *zipped, ByteBuffer *plain)
{
	ZipSource	source = {.read = read_input, .size = input->size, .arg = (void *) input};
	const char *problem;
	ZipReader  *reader = zip_reader_open(&source, &problem);
	Gunzip	   *gunzip = gunzip_create();
	char	   *buffer = malloc(piece);
	size_t		members = 0;
	ZipStatus	status = ZIP_ERROR;

	while (reader != NULL && members++ < 1000 && (status = zip_reader_next(reader)) == ZIP_OK)
	{
		uint64_t	total = 0;
		size_t		length;
		bool		broken = false;

		show(zipped, zip_reader_name(reader), strlen(zip_reader_name(reader)));
		gunzip_restart(gunzip);
		while ((status = zip_reader_read(reader, buffer, piece, &length)) == ZIP_OK)
		{
			total += length;
			if (length == 0 || length > piece || total > zip_reader_packed_size(reader) * DEFLATE_RATIO + 1000)
				abort();
			show(zipped, buffer, length);
			if (!broken)
				gunzip_piece(gunzip, buffer, length, false, room, plain, &broken);
		}
		if (!broken)
			gunzip_piece(gunzip, "", 0, true, room, plain, &broken);
		if (broken)
			show(plain, gunzip_problem(gunzip), strlen(gunzip_problem(gunzip)));
	}
	if (reader != NULL && status == ZIP_ERROR)
	{
		/* bytes before the error may be more or fewer: the error is the same */
		if (zip_reader_next(reader) != ZIP_ERROR || zip_reader_problem(reader) == NULL)
			abort();
		buffer_append_string(zipped, zip_reader_problem(reader));
		zipped->failed = true;
	}
	zip_reader_free(reader);
	gunzip_free(gunzip);
	free(buffer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input		input = {.data = data, .size = size};
	ByteBuffer	zipped[2] = {{0}, {0}};
	ByteBuffer	plain[2] = {{0}, {0}};

	run(&input, 65536, 65536, &zipped[0], &plain[0]);
	run(&input, 7, 5, &zipped[1], &plain[1]);
	if (zipped[0].failed != zipped[1].failed)
		abort();
	if (!zipped[0].failed && zipped[0].length < SHOWN_MAX && plain[0].length < SHOWN_MAX / 2 &&
		(zipped[0].length != zipped[1].length || plain[0].length != plain[1].length ||
		 (plain[0].length > 0 && memcmp(plain[0].data, plain[1].data, plain[0].length) != 0)))
		abort();
	for (int i = 0; i < 2; i++)
	{
		buffer_free(&zipped[i]);
		buffer_free(&plain[i]);
	}
	return 0;
}
