/*-------------------------------------------------------------------------
 *
 * parquet_page.c
 *	  Pages: a Thrift header and a compressed body.
 *
 * Data pages are of version 1, which every reader knows.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_page.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_page.h"

#include "codec/parquet_thrift.h"

#include <snappy-c.h>
#include <zstd.h>

/* level 1 writes about as small as 3 on typed columns, at half the time */
#define ZSTD_LEVEL 1

/* no header is longer */
#define HEADER_MAX 64

static size_t
make_header(const Page *page, size_t compressed, char header[HEADER_MAX])
{
	ByteBuffer		out = {.data = header,.capacity = HEADER_MAX};
	ThriftWriter thrift = {.out = &out};

	thrift_begin(&thrift);
	thrift_i32_field(&thrift, 1, page->type);
	thrift_i32_field(&thrift, 2, (int32_t) page->length);
	thrift_i32_field(&thrift, 3, (int32_t) compressed);
	if (page->type == PAGE_DATA)
	{
		thrift_struct_field(&thrift, 5);
		thrift_i32_field(&thrift, 1, (int32_t) page->values);
		thrift_i32_field(&thrift, 2, page->encoding);
		thrift_i32_field(&thrift, 3, ENCODING_RLE);
		thrift_i32_field(&thrift, 4, ENCODING_RLE);
	}
	else
	{
		thrift_struct_field(&thrift, 7);
		thrift_i32_field(&thrift, 1, (int32_t) page->values);
		thrift_i32_field(&thrift, 2, page->encoding);
	}
	thrift_end(&thrift);
	thrift_end(&thrift);
	return out.length;
}

/*
 * Snappy is C++ and throws when it gets no memory for a call (175 kB), which
 * would end the process: see beforehand that there is some.
 */
#define SNAPPY_MEMORY ((size_t) 256 << 10)

static bool
snappy_has_memory(void)
{
	void	   *volatile probe = malloc(SNAPPY_MEMORY);

	free(probe);
	return probe != NULL;
}

/* the body into place, which has room for it; its size, 0 on failure */
static size_t
compress(PageCodec *codec, const Page *page, char *place, size_t room)
{
	size_t		size = room;

	switch (codec->compression)
	{
		case PARQUET_SNAPPY:
			if (!snappy_has_memory() ||
				snappy_compress(page->body, page->length, place, &size) != SNAPPY_OK)
				return 0;
			return size;
		case PARQUET_ZSTD:
			if (codec->zstd == NULL)
				codec->zstd = ZSTD_createCCtx();
			if (codec->zstd == NULL)
				return 0;
			size = ZSTD_compressCCtx(codec->zstd, place, room, page->body, page->length,
									 ZSTD_LEVEL);
			return ZSTD_isError(size) ? 0 : size;
		case PARQUET_UNCOMPRESSED:
			break;
	}
	memcpy(place, page->body, page->length);
	return page->length;
}

bool
page_write(PageCodec *codec, const Page *page, ByteBuffer *out, uint64_t *uncompressed)
{
	char		header[HEADER_MAX];
	size_t		guess;			/* length of the header */
	size_t		length;
	size_t		room;
	size_t		size;
	char	   *place;

	if (page->length > PAGE_MAX_BYTES)
		return false;
	room = codec->compression == PARQUET_SNAPPY ? snappy_max_compressed_length(page->length) :
		codec->compression == PARQUET_ZSTD ? ZSTD_compressBound(page->length) :
		page->length;
	if (!buffer_reserve(out, HEADER_MAX + room))
		return false;

	/*
	 * The header comes first and tells the compressed size: compress behind a
	 * header of the likely length, and move the body in the rare case that the
	 * real one is longer or shorter.
	 */
	guess = make_header(page, page->length / 2, header);
	place = out->data + out->length;
	size = compress(codec, page, place + guess, room);
	if (size == 0)
		return false;
	length = make_header(page, size, header);
	if (length != guess)
		memmove(place + length, place + guess, size);
	memcpy(place, header, length);
	out->length += length + size;
	*uncompressed += length + page->length;
	return true;
}

int
page_codec_number(const PageCodec *codec)
{
	return codec->compression == PARQUET_SNAPPY ? 1 : codec->compression == PARQUET_ZSTD ? 6 : 0;
}

void
page_codec_free(PageCodec *codec)
{
	ZSTD_freeCCtx(codec->zstd);
	codec->zstd = NULL;
}
