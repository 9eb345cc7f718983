/*-------------------------------------------------------------------------
 *
 * gunzip.h
 *	  Decompresses a gzip file as a stream (RFC 1952), by zlib.
 *
 * A file may have several members, one behind the other; their checksums and
 * lengths are verified.  What is no gzip behind a member is an error.
 *
 * IDENTIFICATION
 *	  src/codec/gunzip.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_GUNZIP_H
#define APPFLOW_CODEC_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Gunzip Gunzip;

typedef enum GunzipStatus
{
	GUNZIP_MORE,				/* all input is used up: needs more, or (when final) the file is
								 * complete */
	GUNZIP_FULL,				/* the output is full: empty it, call again */
	GUNZIP_ERROR				/* see gunzip_problem(); final */
} GunzipStatus;

/* NULL: out of memory */
extern Gunzip *gunzip_create(void);

/*
 * Decompress data[0..length) into output.  final: no more bytes will follow.
 * Sets how much was used, and how much was made of it.
 */
extern GunzipStatus gunzip_run(Gunzip *gunzip, const void *data, size_t length, bool final, size_t *consumed,
							   void *output, size_t size, size_t *produced);

/* Begin another file. */
extern void gunzip_restart(Gunzip *gunzip);

/* what is wrong, after GUNZIP_ERROR */
extern const char *gunzip_problem(const Gunzip *gunzip);

extern void gunzip_free(Gunzip *gunzip);

#endif							/* APPFLOW_CODEC_GUNZIP_H */
