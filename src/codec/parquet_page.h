/*-------------------------------------------------------------------------
 *
 * parquet_page.h
 *	  Pages: a Thrift header and a compressed body.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_page.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_PARQUET_PAGE_H
#define APPFLOW_CODEC_PARQUET_PAGE_H

#include "codec/buffer.h"
#include "codec/parquet_writer.h"

/* numbers of parquet.thrift */
typedef enum PageType
{
	PAGE_DATA = 0,
	PAGE_DICTIONARY = 2
} PageType;

typedef enum PageEncoding
{
	ENCODING_PLAIN = 0,
	ENCODING_RLE = 3,
	ENCODING_RLE_DICTIONARY = 8
} PageEncoding;

typedef struct PageCodec
{
	ParquetCompression compression;
	void	   *zstd;			/* a ZSTD_CCtx, made when first needed */
} PageCodec;

typedef struct Page
{
	PageType	type;
	PageEncoding encoding;
	uint32_t	values;			/* nulls included */
	const char *body;
	size_t		length;			/* at most PAGE_MAX_BYTES */
} Page;

/* sizes in page headers are 32 bits, and compression can add a sixth */
#define PAGE_MAX_BYTES ((size_t) 1800000000)

/*
 * Append a page to out.  *uncompressed grows by what the page would take
 * uncompressed, header included, as Parquet counts it.  False: out of memory.
 */
extern bool page_write(PageCodec *codec, const Page *page, ByteBuffer *out, uint64_t *uncompressed);

/* CompressionCodec of parquet.thrift */
extern int	page_codec_number(const PageCodec *codec);

extern void page_codec_free(PageCodec *codec);

#endif							/* APPFLOW_CODEC_PARQUET_PAGE_H */
