/*-------------------------------------------------------------------------
 *
 * zip_reader.c
 *	  Reads the members of a ZIP archive, one after another, as streams.
 *
 * Follows PKWARE's APPNOTE.TXT, 4.3 (structure) and 4.5.3 (lengths of 64 bits).
 *
 * IDENTIFICATION
 *	  src/codec/zip_reader.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/zip_reader.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LOCAL_HEADER 30
#define ENTRY 46
#define END_RECORD 22
#define END_LOCATOR_64 20
#define END_RECORD_64 56
#define COMMENT_MAX 65535

#define LOCAL_SIGNATURE 0x04034b50
#define ENTRY_SIGNATURE 0x02014b50
#define END_SIGNATURE 0x06054b50
#define END_LOCATOR_64_SIGNATURE 0x07064b50
#define END_RECORD_64_SIGNATURE 0x06064b50
#define EXTRA_64 1

#define FLAG_ENCRYPTED 1
#define METHOD_STORED 0
#define METHOD_DEFLATED 8
#define NO_DISK 0xffff
#define ELSEWHERE_16 0xffff
#define ELSEWHERE_32 0xffffffff

/* the directory is read by way of it: must hold an end record with its comment */
#define WINDOW_SIZE (COMMENT_MAX + END_RECORD + 8192)

#define INPUT_SIZE 65536
#define NAME_SIZE 256

struct ZipReader
{
	ZipSource	source;
	const char *problem;

	/* the directory */
	uint64_t	entries;		/* left */
	uint64_t	directory;		/* where it begins: members lie before it */
	uint64_t	next;			/* the next entry */
	uint64_t	end;
	uint64_t	window_start;
	size_t		window_length;
	unsigned char *window;

	/* the member */
	bool		open;
	char		name[NAME_SIZE];
	bool		deflated;
	uint32_t	sum;			/* as the directory says */
	uint64_t	packed;
	uint64_t	size;
	uint64_t	position;		/* of the bytes to be read next */
	uint64_t	left;			/* packed bytes that have not been read */
	uint64_t	produced;
	uint32_t	produced_sum;
	uint64_t	all_packed;		/* of all members so far */
	z_stream	stream;
	unsigned char *input;
};

static ZipStatus
fail(ZipReader *reader, const char *problem)
{
	if (reader->problem == NULL)
		reader->problem = problem;
	return ZIP_ERROR;
}

static uint64_t
number(const unsigned char *bytes, int length)
{
	uint64_t	value = 0;

	for (int i = length - 1; i >= 0; i--)
		value = value << 8 | bytes[i];
	return value;
}

/* ---------- bytes ---------- */

static bool
read_all(ZipReader *reader, uint64_t offset, void *buffer, size_t length)
{
	size_t		done = 0;

	if (offset > reader->source.size || length > reader->source.size - offset)
		return false;
	while (done < length)
	{
		int64_t		got = reader->source.read(reader->source.arg, offset + done, (char *) buffer + done, length - done);

		if (got < 0)
			(void) fail(reader, "it cannot be read");
		if (got <= 0)
			return false;
		done += (size_t) got;
	}
	return true;
}

/* bytes of the directory, valid until the next call; NULL: there are not so many */
static const unsigned char *
peek(ZipReader *reader, uint64_t offset, size_t length)
{
	if (offset < reader->window_start || offset - reader->window_start > reader->window_length ||
		length > reader->window_length - (size_t) (offset - reader->window_start))
	{
		uint64_t	rest = offset > reader->source.size ? 0 : reader->source.size - offset;
		size_t		size = rest < WINDOW_SIZE ? (size_t) rest : WINDOW_SIZE;

		if (length > size)
			return NULL;
		reader->window_length = 0;
		if (!read_all(reader, offset, reader->window, size))
			return NULL;
		reader->window_start = offset;
		reader->window_length = size;
	}
	return reader->window + (offset - reader->window_start);
}

/* ---------- the directory ---------- */

/* The end record: the last thing in the archive, but for its comment. */
static bool
find_end(ZipReader *reader, uint64_t *offset)
{
	uint64_t	size = reader->source.size;
	size_t		tail = size < COMMENT_MAX + END_RECORD ? (size_t) size : COMMENT_MAX + END_RECORD;
	const unsigned char *bytes = peek(reader, size - tail, tail);

	for (size_t i = tail; bytes != NULL && i >= END_RECORD; i--)
	{
		const unsigned char *record = bytes + i - END_RECORD;

		if (number(record, 4) == END_SIGNATURE && number(record + 20, 2) == tail - i)
		{
			*offset = size - tail + (i - END_RECORD);
			return true;
		}
	}
	return false;
}

/* what the record of 64 bits says, if there is one; *offset: where the end begins */
static bool
read_end_64(ZipReader *reader, uint64_t *offset, uint64_t *entries, uint64_t *length, uint64_t *start)
{
	unsigned char locator[END_LOCATOR_64];
	unsigned char record[END_RECORD_64];

	if (*offset < END_LOCATOR_64 || !read_all(reader, *offset - END_LOCATOR_64, locator, END_LOCATOR_64) ||
		number(locator, 4) != END_LOCATOR_64_SIGNATURE)
		return *entries != ELSEWHERE_16 && *length != ELSEWHERE_32 && *start != ELSEWHERE_32;
	if (!read_all(reader, number(locator + 8, 8), record, END_RECORD_64) ||
		number(record, 4) != END_RECORD_64_SIGNATURE)
		return false;
	*offset = number(locator + 8, 8);
	*entries = number(record + 32, 8);
	*length = number(record + 40, 8);
	*start = number(record + 48, 8);
	return number(record + 24, 8) == *entries;
}

static bool
find_directory(ZipReader *reader, const char **problem)
{
	unsigned char record[END_RECORD];
	uint64_t	offset;
	uint64_t	entries;
	uint64_t	length;
	uint64_t	start;

	*problem = "it has no directory at its end";
	if (!find_end(reader, &offset) || !read_all(reader, offset, record, END_RECORD))
		return false;
	*problem = "its directory is damaged";
	entries = number(record + 10, 2);
	length = number(record + 12, 4);
	start = number(record + 16, 4);
	if (number(record + 4, 2) != 0 && number(record + 4, 2) != NO_DISK)
	{
		*problem = "it is a part of an archive";
		return false;
	}
	if (!read_end_64(reader, &offset, &entries, &length, &start) || start > offset || length > offset - start ||
		entries > length / ENTRY)
		return false;
	reader->entries = entries;
	reader->directory = reader->next = start;
	reader->end = start + length;
	return true;
}

ZipReader *
zip_reader_open(const ZipSource *source, const char **problem)
{
	ZipReader  *reader = calloc(1, sizeof(ZipReader));

	*problem = "out of memory";
	if (reader == NULL)
		return NULL;
	reader->source = *source;
	reader->window = malloc(WINDOW_SIZE);
	reader->input = malloc(INPUT_SIZE);
	if (reader->window == NULL || reader->input == NULL || inflateInit2(&reader->stream, -MAX_WBITS) != Z_OK)
	{
		free(reader->window);
		free(reader->input);
		free(reader);
		return NULL;
	}
	if (find_directory(reader, problem))
	{
		*problem = NULL;
		return reader;
	}
	if (reader->problem != NULL)
		*problem = reader->problem;
	zip_reader_free(reader);
	return NULL;
}

/* ---------- members ---------- */

/* Lengths and place of an entry that do not fit into 32 bits: they are in its extra field. */
static bool
read_extra_64(ZipReader *reader, uint64_t offset, size_t length, uint64_t *values[], int nvalues)
{
	const unsigned char *extra = peek(reader, offset, length);

	if (extra == NULL)
		return false;
	while (length >= 4)
	{
		size_t		size = (size_t) number(extra + 2, 2);

		if (size > length - 4)
			return false;
		if (number(extra, 2) == EXTRA_64)
		{
			if (size < (size_t) nvalues * 8)
				return false;
			for (int i = 0; i < nvalues; i++)
				*values[i] = number(extra + 4 + 8 * i, 8);
			return true;
		}
		extra += 4 + size;
		length -= 4 + size;
	}
	return false;
}

/* Find the data of a member by the header before it. */
static ZipStatus
open_member(ZipReader *reader, uint64_t offset, int method)
{
	unsigned char header[LOCAL_HEADER];
	uint64_t	start;

	if (!read_all(reader, offset, header, LOCAL_HEADER) || number(header, 4) != LOCAL_SIGNATURE ||
		(int) number(header + 8, 2) != method)
		return fail(reader, "its header is not what the directory says");
	start = offset + LOCAL_HEADER + number(header + 26, 2) + number(header + 28, 2);
	if (start > reader->directory || reader->packed > reader->directory - start)
		return fail(reader, "its data is not in the archive");
	reader->all_packed += reader->packed;
	if (reader->all_packed > reader->directory)
		return fail(reader, "its members are larger than the archive");
	if (method == METHOD_STORED && reader->packed != reader->size)
		return fail(reader, "its header is not what the directory says");
	reader->deflated = method == METHOD_DEFLATED;
	reader->position = start;
	reader->left = reader->packed;
	reader->produced = 0;
	reader->produced_sum = (uint32_t) crc32(0, NULL, 0);
	(void) inflateReset(&reader->stream);
	reader->stream.avail_in = 0;
	reader->open = true;
	return ZIP_OK;
}

/* the next entry of the directory; ZIP_END: it is a folder */
static ZipStatus
next_entry(ZipReader *reader)
{
	const unsigned char *entry = peek(reader, reader->next, ENTRY);
	uint64_t   *values[3];
	int			nvalues = 0;
	size_t		name_length;
	size_t		extra_length;
	uint64_t	length;
	uint64_t	offset;
	uint64_t	place = reader->next + ENTRY;
	uint64_t	extra_place;
	int			flags;
	int			method;

	if (entry == NULL || number(entry, 4) != ENTRY_SIGNATURE)
		return fail(reader, "its directory is damaged");
	flags = (int) number(entry + 8, 2);
	method = (int) number(entry + 10, 2);
	reader->sum = (uint32_t) number(entry + 16, 4);
	reader->packed = number(entry + 20, 4);
	reader->size = number(entry + 24, 4);
	name_length = (size_t) number(entry + 28, 2);
	extra_length = (size_t) number(entry + 30, 2);
	extra_place = place + name_length;
	length = ENTRY + name_length + extra_length + number(entry + 32, 2);
	offset = number(entry + 42, 4);
	if (length > reader->end - reader->next)
		return fail(reader, "its directory is damaged");
	reader->next += length;
	reader->entries--;

	/* in this order, those that are there */
	if (reader->size == ELSEWHERE_32)
		values[nvalues++] = &reader->size;
	if (reader->packed == ELSEWHERE_32)
		values[nvalues++] = &reader->packed;
	if (offset == ELSEWHERE_32)
		values[nvalues++] = &offset;
	entry = peek(reader, place, name_length);
	if (entry == NULL)
		return fail(reader, "its directory is damaged");
	if (name_length >= NAME_SIZE)
		name_length = NAME_SIZE - 1;
	memcpy(reader->name, entry, name_length);
	reader->name[name_length] = '\0';
	if (nvalues > 0 && !read_extra_64(reader, extra_place, extra_length, values, nvalues))
		return fail(reader, "its directory is damaged");
	if (reader->size == 0 && name_length > 0 && reader->name[name_length - 1] == '/')
		return ZIP_END;
	if (flags & FLAG_ENCRYPTED)
		return fail(reader, "it is encrypted");
	if (method != METHOD_STORED && method != METHOD_DEFLATED)
		return fail(reader, "it is compressed by a method other than deflate");
	return open_member(reader, offset, method);
}

ZipStatus
zip_reader_next(ZipReader *reader)
{
	ZipStatus	status = ZIP_END;

	reader->open = false;
	reader->name[0] = '\0';
	while (status == ZIP_END)
	{
		if (reader->problem != NULL)
			return ZIP_ERROR;
		if (reader->entries == 0)
			return reader->next == reader->end ? ZIP_END : fail(reader, "its directory is damaged");
		status = next_entry(reader);
	}
	return status;
}

const char *
zip_reader_name(const ZipReader *reader)
{
	return reader->name;
}

uint64_t
zip_reader_packed_size(const ZipReader *reader)
{
	return reader->packed;
}

/* ---------- data ---------- */

/* bytes of the member as they are in the archive; 0 at their end */
static size_t
take(ZipReader *reader, void *buffer, size_t size)
{
	size_t		length = reader->left < size ? (size_t) reader->left : size;

	if (length == 0)
		return 0;
	if (!read_all(reader, reader->position, buffer, length))
	{
		(void) fail(reader, "it cannot be read");
		return 0;
	}
	reader->position += length;
	reader->left -= length;
	return length;
}

/* fill the buffer; false: there is something wrong */
static bool
inflate_some(ZipReader *reader, void *buffer, size_t size, size_t *length)
{
	z_stream   *stream = &reader->stream;
	int			result = Z_OK;

	stream->next_out = buffer;
	stream->avail_out = (uInt) size;
	while (stream->avail_out > 0 && result == Z_OK)
	{
		if (stream->avail_in == 0)
		{
			stream->next_in = reader->input;
			stream->avail_in = (uInt) take(reader, reader->input, INPUT_SIZE);
			if (reader->problem != NULL)
				return false;
		}
		result = inflate(stream, Z_NO_FLUSH);
	}
	*length = size - stream->avail_out;
	if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
		(void) fail(reader, result == Z_MEM_ERROR ? "out of memory" : "its data is damaged");
	else if (result == Z_STREAM_END && *length == 0 && (stream->avail_in > 0 || reader->left > 0))
		(void) fail(reader, "its data is damaged");
	return reader->problem == NULL;
}

ZipStatus
zip_reader_read(ZipReader *reader, void *buffer, size_t size, size_t *length)
{
	*length = 0;
	if (reader->problem != NULL)
		return ZIP_ERROR;
	if (!reader->open)
		return fail(reader, "no member is open");
	if (size > (1U << 30))
		size = 1U << 30;
	if (reader->deflated)
		(void) inflate_some(reader, buffer, size, length);
	else
		*length = take(reader, buffer, size);
	if (reader->problem != NULL)
		return ZIP_ERROR;
	if (*length > reader->size - reader->produced)
		return fail(reader, "it is longer than the directory says");
	if (*length > 0)
	{
		reader->produced += *length;
		reader->produced_sum = (uint32_t) crc32(reader->produced_sum, buffer, (uInt) *length);
		return ZIP_OK;
	}
	reader->open = false;
	if (reader->produced != reader->size)
		return fail(reader, "it ends early");
	if (reader->produced_sum != reader->sum)
		return fail(reader, "its checksum is wrong");
	return ZIP_END;
}

const char *
zip_reader_problem(const ZipReader *reader)
{
	return reader->problem;
}

void
zip_reader_free(ZipReader *reader)
{
	if (reader == NULL)
		return;
	(void) inflateEnd(&reader->stream);
	free(reader->window);
	free(reader->input);
	free(reader);
}
