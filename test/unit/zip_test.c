/*
 * zip_test.c
 *	  ZIP archives and gzip files: what is read, and what is refused.  Archives
 *	  are made here byte by byte, so that they can be wrong in any way.
 */
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include "codec/buffer.h"
#include "codec/gunzip.h"
#include "codec/zip_reader.h"
#include "tap.h"

/* ---------- making archives ---------- */

typedef enum Shape
{
	STORED = 0,
	DEFLATED = 1,
	STREAMED = 2,				/* lengths behind the data */
	ZIP64 = 4,					/* lengths and places of 64 bits */
	ENCRYPTED = 8,
	BZIPPED = 16,
	WRONG_SUM = 32,
	LONGER = 64,				/* the directory says one byte more */
	SHORTER = 128,				/* and here one less */
	MISPLACED = 256				/* the directory leads beside the header */
} Shape;

typedef struct Made
{
	ByteBuffer	bytes;
	ByteBuffer	directory;
	uint64_t	entries;
} Made;

static void
number(ByteBuffer *to, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		buffer_append_char(to, (char) (value >> (8 * i)));
}

/* as much as deflate makes of it; windowBits as zlib has them */
static ByteBuffer
packed(const char *data, size_t length, int bits)
{
	ByteBuffer	out = {0};
	z_stream	stream = {0};

	deflateInit2(&stream, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);
	buffer_reserve(&out, deflateBound(&stream, length) + 64);
	stream.next_in = (Bytef *) data;
	stream.avail_in = (uInt) length;
	stream.next_out = (Bytef *) out.data;
	stream.avail_out = (uInt) out.capacity;
	deflate(&stream, Z_FINISH);
	out.length = stream.total_out;
	deflateEnd(&stream);
	return out;
}

static void
add(Made *made, const char *name, const char *data, size_t length, int shape)
{
	ByteBuffer	body = packed(data, length, -15);
	uint64_t	place = made->bytes.length;
	int			method = shape & BZIPPED ? 12 : shape & DEFLATED ? 8 : 0;
	int			flags = (shape & STREAMED ? 8 : 0) | (shape & ENCRYPTED ? 1 : 0);
	uint32_t	sum = (uint32_t) crc32(0, (const Bytef *) data, (uInt) length) ^ (shape & WRONG_SUM ? 1 : 0);
	uint64_t	size = length + (shape & LONGER ? 1 : 0) - (shape & SHORTER ? 1 : 0);
	bool		large = (shape & ZIP64) != 0;

	if (method == 0)
	{
		buffer_reset(&body);
		buffer_append(&body, data, length);
	}
	number(&made->bytes, 0x04034b50, 4);
	number(&made->bytes, 45, 2);
	number(&made->bytes, flags, 2);
	number(&made->bytes, method, 2);
	number(&made->bytes, 0, 4);
	number(&made->bytes, shape & STREAMED ? 0 : sum, 4);
	number(&made->bytes, shape & STREAMED ? 0 : large ? 0xffffffff : body.length, 4);
	number(&made->bytes, shape & STREAMED ? 0 : large ? 0xffffffff : size, 4);
	number(&made->bytes, strlen(name), 2);
	number(&made->bytes, large ? 20 : 0, 2);
	buffer_append_string(&made->bytes, name);
	if (large)
	{
		number(&made->bytes, 1, 2);
		number(&made->bytes, 16, 2);
		number(&made->bytes, size, 8);
		number(&made->bytes, body.length, 8);
	}
	buffer_append(&made->bytes, body.data, body.length);
	if (shape & STREAMED)
	{
		number(&made->bytes, 0x08074b50, 4);
		number(&made->bytes, sum, 4);
		number(&made->bytes, body.length, 4);
		number(&made->bytes, size, 4);
	}

	if (shape & MISPLACED)
		place++;
	number(&made->directory, 0x02014b50, 4);
	number(&made->directory, 45, 2);
	number(&made->directory, 45, 2);
	number(&made->directory, flags, 2);
	number(&made->directory, method, 2);
	number(&made->directory, 0, 4);
	number(&made->directory, sum, 4);
	number(&made->directory, large ? 0xffffffff : body.length, 4);
	number(&made->directory, large ? 0xffffffff : size, 4);
	number(&made->directory, strlen(name), 2);
	number(&made->directory, large ? 28 : 0, 2);
	number(&made->directory, 0, 8);
	number(&made->directory, 0, 2);
	number(&made->directory, large ? 0xffffffff : place, 4);
	buffer_append_string(&made->directory, name);
	if (large)
	{
		number(&made->directory, 1, 2);
		number(&made->directory, 24, 2);
		number(&made->directory, size, 8);
		number(&made->directory, body.length, 8);
		number(&made->directory, place, 8);
	}
	made->entries++;
	buffer_free(&body);
}

/* the directory, again and again, and what stands behind it */
static void
finish(Made *made, bool large, int repeat)
{
	uint64_t	start = made->bytes.length;
	uint64_t	size = made->directory.length * repeat;

	for (int i = 0; i < repeat; i++)
		buffer_append(&made->bytes, made->directory.data, made->directory.length);
	made->entries *= repeat;
	if (large)
	{
		number(&made->bytes, 0x06064b50, 4);
		number(&made->bytes, 44, 8);
		number(&made->bytes, 45, 2);
		number(&made->bytes, 45, 2);
		number(&made->bytes, 0, 8);
		number(&made->bytes, made->entries, 8);
		number(&made->bytes, made->entries, 8);
		number(&made->bytes, size, 8);
		number(&made->bytes, start, 8);
		number(&made->bytes, 0x07064b50, 4);
		number(&made->bytes, 0, 4);
		number(&made->bytes, start + size, 8);
		number(&made->bytes, 1, 4);
	}
	number(&made->bytes, 0x06054b50, 4);
	number(&made->bytes, 0, 4);
	number(&made->bytes, large ? 0xffff : made->entries, 2);
	number(&made->bytes, large ? 0xffff : made->entries, 2);
	number(&made->bytes, large ? 0xffffffff : size, 4);
	number(&made->bytes, large ? 0xffffffff : start, 4);
	number(&made->bytes, 0, 2);
	buffer_free(&made->directory);
}

/* ---------- reading them ---------- */

static int64_t
read_bytes(void *arg, uint64_t offset, void *buffer, size_t length)
{
	const ByteBuffer *bytes = arg;

	if (offset > bytes->length)
		return 0;
	if (length > bytes->length - offset)
		length = bytes->length - offset;
	memcpy(buffer, bytes->data + offset, length);
	return (int64_t) length;
}

static int64_t
read_nothing(void *arg, uint64_t offset, void *buffer, size_t length)
{
	return -1;
}

/* "name=contents;" for each member, and what is wrong at the end; to be freed */
static char *
all_of(ByteBuffer *bytes, size_t piece, bool shown)
{
	ZipSource	source = {.read = read_bytes, .size = bytes->length, .arg = bytes};
	const char *problem;
	ZipReader  *reader = zip_reader_open(&source, &problem);
	ByteBuffer	out = {0};
	char	   *buffer = malloc(piece);
	ZipStatus	status = ZIP_ERROR;
	size_t		length;

	while (reader != NULL && (status = zip_reader_next(reader)) == ZIP_OK)
	{
		size_t		total = 0;

		buffer_append_string(&out, zip_reader_name(reader));
		buffer_append_char(&out, '=');
		while ((status = zip_reader_read(reader, buffer, piece, &length)) == ZIP_OK)
		{
			total += length;
			if (shown)
				buffer_append(&out, buffer, length);
		}
		if (!shown)
		{
			char		count[32];

			snprintf(count, sizeof(count), "%zu", total);
			buffer_append_string(&out, count);
		}
		if (status == ZIP_ERROR)
			break;
		buffer_append_char(&out, ';');
	}
	if (status == ZIP_ERROR)
	{
		buffer_append_char(&out, '!');
		buffer_append_string(&out, reader == NULL ? problem : zip_reader_problem(reader));
	}
	buffer_append_char(&out, '\0');
	zip_reader_free(reader);
	free(buffer);
	return out.data;
}

static void
reads(Made *made, bool large, int repeat, const char *expected, const char *name)
{
	static const size_t pieces[] = {1, 3, 65536};

	finish(made, large, repeat);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
	{
		char	   *got = all_of(&made->bytes, pieces[i], true);

		is_str(got, expected, "%s, in pieces of %zu", name, pieces[i]);
		free(got);
	}
	buffer_free(&made->bytes);
	memset(made, 0, sizeof(*made));
}

static void
test_archives(void)
{
	Made		made = {0};
	char	   *large = malloc(300000);
	char	   *got;

	add(&made, "a/a#0.json.gz", "first", 5, DEFLATED);
	add(&made, "a/a#1.json.gz", "second", 6, STORED);
	add(&made, "a/", "", 0, STORED);
	add(&made, "a/a#2.json.gz", "", 0, DEFLATED);
	reads(&made, false, 1, "a/a#0.json.gz=first;a/a#1.json.gz=second;a/a#2.json.gz=;", "deflated, stored, a folder, nothing");
	add(&made, "x", "streamed", 8, DEFLATED | STREAMED);
	add(&made, "y", "behind", 6, STORED | STREAMED);
	reads(&made, false, 1, "x=streamed;y=behind;", "lengths behind the data");
	add(&made, "x", "large", 5, DEFLATED | ZIP64);
	add(&made, "y", "also", 4, STORED | ZIP64);
	reads(&made, true, 1, "x=large;y=also;", "ZIP64");
	add(&made, "../../etc/passwd", "root", 4, STORED);
	reads(&made, false, 1, "../../etc/passwd=root;", "a name that climbs is only a name");
	reads(&made, false, 1, "", "no members");

	for (int i = 0; i < 300000; i++)
		large[i] = (char) (i * 7 + i / 1000);
	add(&made, "big", large, 300000, DEFLATED);
	finish(&made, false, 1);
	got = all_of(&made.bytes, 4096, false);
	is_str(got, "big=300000;", "a large member");
	free(got);
	free(large);

	/* cut anywhere, there is no directory; or what it leads to is not there */
	for (size_t length = made.bytes.length - 1; length > 0; length = length > 40 ? length * 3 / 4 : length - 1)
	{
		ByteBuffer	cut = {.data = malloc(length), .length = length};

		memcpy(cut.data, made.bytes.data, length);
		got = all_of(&cut, 4096, false);
		is_str(got, "!it has no directory at its end", "cut off after %zu bytes", length);
		free(got);
		buffer_free(&cut);
	}
	buffer_free(&made.bytes);
}

static void
test_bad_archives(void)
{
	Made		made = {0};
	ByteBuffer	page = {0};
	ZipSource	source = {.read = read_nothing, .size = 1000};
	const char *problem;
	char	   *got;

	add(&made, "x", "abc", 3, DEFLATED | WRONG_SUM);
	reads(&made, false, 1, "x=abc!its checksum is wrong", "a wrong checksum");
	add(&made, "x", "abc", 3, STORED | WRONG_SUM);
	reads(&made, false, 1, "x=abc!its checksum is wrong", "a wrong checksum, stored");
	add(&made, "x", "abc", 3, DEFLATED | LONGER);
	reads(&made, false, 1, "x=abc!it ends early", "less than the directory says");
	add(&made, "x", "abc", 3, STORED | LONGER);
	reads(&made, false, 1, "!its header is not what the directory says", "the same, stored");
	add(&made, "x", "abc", 3, DEFLATED | SHORTER);
	finish(&made, false, 1);
	got = all_of(&made.bytes, 100, true);
	is_str(got, "x=!it is longer than the directory says", "more than the directory says");
	free(got);
	buffer_free(&made.bytes);
	memset(&made, 0, sizeof(made));
	add(&made, "x", "abc", 3, ENCRYPTED);
	reads(&made, false, 1, "!it is encrypted", "encrypted");
	add(&made, "x", "abc", 3, BZIPPED);
	reads(&made, false, 1, "!it is compressed by a method other than deflate", "another method");
	add(&made, "x", "abc", 3, MISPLACED);
	reads(&made, false, 1, "!its header is not what the directory says", "a header that is elsewhere");
	add(&made, "x", "abcdefghij", 10, STORED);
	add(&made, "y", "0123456789", 10, STORED);
	finish(&made, false, 30);
	got = all_of(&made.bytes, 100, false);
	ok(strstr(got, ";!its members are larger than the archive") != NULL, "members over one another");
	free(got);
	buffer_free(&made.bytes);

	buffer_append_string(&page, "<!DOCTYPE html><html><body>Log in</body></html>");
	got = all_of(&page, 100, true);
	is_str(got, "!it has no directory at its end", "a page for people");
	free(got);
	buffer_free(&page);
	ok(zip_reader_open(&source, &problem) == NULL, "a source that cannot be read");
	is_str(problem, "it cannot be read", "... and is said to be");
}

/* ---------- gzip ---------- */

/* what comes of it, with input and output in pieces; to be freed */
static char *
unzipped(const char *data, size_t length, size_t piece, size_t room)
{
	Gunzip	   *gunzip = gunzip_create();
	ByteBuffer	out = {0};
	char	   *output = malloc(room);
	size_t		at = 0;
	GunzipStatus status;

	do
	{
		size_t		end = length - at < piece ? length : at + piece;
		char	   *input = malloc(end - at + 1);
		size_t		used = 0;

		memcpy(input, data + at, end - at);
		do
		{
			size_t		consumed;
			size_t		produced;

			status = gunzip_run(gunzip, input + used, end - at - used, end == length, &consumed, output, room, &produced);
			used += consumed;
			buffer_append(&out, output, produced);
		} while (status == GUNZIP_FULL);
		free(input);
		at = end;
	} while (status == GUNZIP_MORE && at < length);
	if (status == GUNZIP_ERROR)
	{
		buffer_append_char(&out, '!');
		buffer_append_string(&out, gunzip_problem(gunzip));
	}
	buffer_append_char(&out, '\0');
	gunzip_free(gunzip);
	free(output);
	return out.data;
}

static void
gunzips(ByteBuffer *bytes, size_t length, const char *expected, const char *name)
{
	static const size_t pieces[][2] = {{1, 1}, {1, 1000}, {1000, 1}, {7, 3}, {100000, 100000}};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
	{
		char	   *got = unzipped(bytes->data, length, pieces[i][0], pieces[i][1]);

		is_str(got, expected, "%s, %zu bytes into room for %zu", name, pieces[i][0], pieces[i][1]);
		free(got);
	}
}

static void
test_gzip(void)
{
	ByteBuffer	one = packed("{\"a\": 1}\n", 9, 31);
	ByteBuffer	two = packed("{\"a\": 2}\n", 9, 31);
	size_t		first = one.length;
	Gunzip	   *gunzip;
	char		room[100];
	size_t		consumed;
	size_t		produced;

	gunzips(&one, first, "{\"a\": 1}\n", "a file");
	gunzips(&one, first - 1, "{\"a\": 1}\n!it ends early", "a file that ends early");
	gunzips(&one, 0, "", "no bytes at all");
	buffer_append(&one, two.data, two.length);
	gunzips(&one, one.length, "{\"a\": 1}\n{\"a\": 2}\n", "two members");
	gunzips(&one, first + 4, "{\"a\": 1}\n!it ends early", "half of the second");
	one.data[first - 6] ^= 1;
	gunzips(&one, one.length, "{\"a\": 1}\n!incorrect data check", "a wrong checksum");
	one.length = first;
	one.data[first - 6] ^= 1;
	buffer_append_string(&one, "{\"a\": 3}\n");
	gunzips(&one, one.length, "{\"a\": 1}\n!it is not gzip", "something else behind it");
	gunzips(&(ByteBuffer) {.data = "{\"a\": 3}\n"}, 9, "!it is not gzip", "no gzip");

	gunzip = gunzip_create();
	ok(gunzip_run(gunzip, "nonsense", 8, true, &consumed, room, sizeof(room), &produced) == GUNZIP_ERROR, "nonsense");
	gunzip_restart(gunzip);
	ok(gunzip_run(gunzip, two.data, two.length, true, &consumed, room, sizeof(room), &produced) == GUNZIP_MORE &&
	   produced == 9 && consumed == two.length, "another file after it");
	gunzip_free(gunzip);
	buffer_free(&one);
	buffer_free(&two);
}

int
main(void)
{
	test_archives();
	test_bad_archives();
	test_gzip();
	return done_testing();
}
