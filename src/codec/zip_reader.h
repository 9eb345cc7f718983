/*-------------------------------------------------------------------------
 *
 * zip_reader.h
 *	  Reads the members of a ZIP archive, one after another, as streams.
 *
 * The archive is hostile until proven otherwise: its names are never used as paths,
 * members that lie over one another are refused (bombs are made so), and a
 * member has ended well only if its length and its checksum are what the
 * directory says.  Neither archive nor member is ever in memory as a whole.
 *
 * It is written here, over zlib: of Debian's libraries minizip (1.1) cannot read lengths of 64 bits
 * on a 64-bit machine, nor an archive without members, and does not look at the checksum of
 * a member that ends early; libzip holds the whole directory in memory, which an
 * archive makes as large as it likes; libarchive brings a dozen libraries along.
 *
 * IDENTIFICATION
 *	  src/codec/zip_reader.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_ZIP_READER_H
#define APPFLOW_CODEC_ZIP_READER_H

#include <stddef.h>
#include <stdint.h>

typedef struct ZipReader ZipReader;

/* where the bytes of an archive are; read must not throw */
typedef struct ZipSource
{
	/* that many bytes from offset on; fewer at the end only, negative: it cannot be read */
	int64_t		(*read) (void *arg, uint64_t offset, void *buffer, size_t length);
	uint64_t	size;
	void	   *arg;
} ZipSource;

typedef enum ZipStatus
{
	ZIP_OK,
	ZIP_END,					/* of the archive, or of the member */
	ZIP_ERROR					/* see zip_reader_problem(); final */
} ZipStatus;

/*
 * The archive, before its first member.  NULL: *problem says why not.  An archive
 * that has lost its end has no directory, and cannot be opened.
 */
extern ZipReader *zip_reader_open(const ZipSource *source, const char **problem);

/* Go to the next member that is a file; what is left of the one before is not read. */
extern ZipStatus zip_reader_next(ZipReader *reader);

/* of the current member: its name, as far as 255 bytes, and how long it is in the archive */
extern const char *zip_reader_name(const ZipReader *reader);
extern uint64_t zip_reader_packed_size(const ZipReader *reader);

/*
 * Some bytes of the member, decompressed: at least one with ZIP_OK.  ZIP_END comes
 * once, after all of them, if they were what the directory says.
 */
extern ZipStatus zip_reader_read(ZipReader *reader, void *buffer, size_t size, size_t *length);

/* what is wrong, after ZIP_ERROR */
extern const char *zip_reader_problem(const ZipReader *reader);

extern void zip_reader_free(ZipReader *reader);

#endif							/* APPFLOW_CODEC_ZIP_READER_H */
