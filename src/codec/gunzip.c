/*-------------------------------------------------------------------------
 *
 * gunzip.c
 *	  Decompresses a gzip file as a stream (RFC 1952), by zlib.
 *
 * IDENTIFICATION
 *	  src/codec/gunzip.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/gunzip.h"

#include <stdlib.h>
#include <zlib.h>

/* the largest window, and gzip's header and trailer */
#define WINDOW_BITS (15 + 16)

#define PIECE_MAX (1024 * 1024 * 1024)

struct Gunzip
{
	z_stream	stream;
	bool		within;			/* a member has begun and not ended */
	const char *problem;
};

Gunzip *
gunzip_create(void)
{
	Gunzip	   *gunzip = calloc(1, sizeof(Gunzip));

	if (gunzip != NULL && inflateInit2(&gunzip->stream, WINDOW_BITS) != Z_OK)
	{
		free(gunzip);
		return NULL;
	}
	return gunzip;
}

void
gunzip_restart(Gunzip *gunzip)
{
	(void) inflateReset2(&gunzip->stream, WINDOW_BITS);
	gunzip->within = false;
	gunzip->problem = NULL;
}

static GunzipStatus
fail(Gunzip *gunzip, const char *problem)
{
	if (gunzip->problem == NULL)
		gunzip->problem = problem;
	return GUNZIP_ERROR;
}

/* why inflate() has stopped, in words */
static const char *
words_of(const Gunzip *gunzip, int result)
{
	if (result == Z_MEM_ERROR)
		return "out of memory";
	if (gunzip->stream.total_out == 0 && gunzip->stream.total_in < 10)
		return "it is not gzip";
	return gunzip->stream.msg != NULL ? gunzip->stream.msg : "it is damaged";
}

GunzipStatus
gunzip_run(Gunzip *gunzip, const void *data, size_t length, bool final, size_t *consumed,
		   void *output, size_t size, size_t *produced)
{
	z_stream   *stream = &gunzip->stream;

	*consumed = *produced = 0;
	if (gunzip->problem != NULL)
		return GUNZIP_ERROR;
	while (*consumed < length || gunzip->within)
	{
		size_t		input = length - *consumed < PIECE_MAX ? length - *consumed : PIECE_MAX;
		size_t		room = size - *produced < PIECE_MAX ? size - *produced : PIECE_MAX;
		int			result;

		stream->next_in = (Bytef *) data + *consumed;
		stream->avail_in = (uInt) input;
		stream->next_out = (Bytef *) output + *produced;
		stream->avail_out = (uInt) room;
		gunzip->within = true;
		result = inflate(stream, Z_NO_FLUSH);
		*consumed += input - stream->avail_in;
		*produced += room - stream->avail_out;
		if (result == Z_STREAM_END)
		{
			(void) inflateReset2(stream, WINDOW_BITS);
			gunzip->within = false;
			continue;
		}

		/* no progress for want of input or room is no error */
		if (result != Z_OK && result != Z_BUF_ERROR)
			return fail(gunzip, words_of(gunzip, result));
		if (*produced == size)
			return GUNZIP_FULL;
		if (*consumed == length)
			break;
	}
	if (final && gunzip->within)
		return fail(gunzip, "it ends early");
	return GUNZIP_MORE;
}

const char *
gunzip_problem(const Gunzip *gunzip)
{
	return gunzip->problem;
}

void
gunzip_free(Gunzip *gunzip)
{
	if (gunzip == NULL)
		return;
	(void) inflateEnd(&gunzip->stream);
	free(gunzip);
}
