/*-------------------------------------------------------------------------
 *
 * zip_bench.c
 *	  How much processor time it takes to have the lines of an archive as Amplitude
 *	  sends them, against what one would do at a shell.
 *
 *		zip_bench [EVENTS]
 *
 * The archive has 24 gzip files in a ZIP file, an event of some 1,200 bytes on each
 * line.  Ours reads the file piece by piece, through zip_reader and gunzip, and
 * counts lines; the peer is "unzip -p FILE | zcat | wc -l".  Both are processor
 * time, user and system, of all processes, the best of three.
 *
 *	  BENCH archive_lines_cpu <ours> <peer> <ratio> <goal> ok|short
 *
 * IDENTIFICATION
 *	  test/bench/zip_bench.c
 *
 *-------------------------------------------------------------------------
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "codec/buffer.h"
#include "codec/gunzip.h"
#include "codec/zip_reader.h"

#define MEMBERS 24
#define RUNS 3
#define GOAL 1.00

/* ---------- the archive ---------- */

static void
number(ByteBuffer *to, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		buffer_append_char(to, (char) (value >> (8 * i)));
}

static uint32_t seed = 7;

static uint32_t
draw(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static void
add_event(ByteBuffer *lines, uint64_t n)
{
	char		event[2048];
	int			length = snprintf(event, sizeof(event),
								  "{\"$insert_id\":\"%08x%08x\",\"$schema\":13,\"amplitude_id\":91234567%u,\"app\":187520,\"city\":\"Z\xc3\xbcrich\","
								  "\"client_event_time\":\"2024-03-05 08:%02u:%02u.%03u000\",\"client_upload_time\":\"2024-03-05 08:%02u:%02u.%03u000\","
								  "\"country\":\"Switzerland\",\"data\":{},\"device_family\":\"Mac\",\"device_id\":\"d-%u\",\"event_id\":%" PRIu64 ","
								  "\"event_properties\":{\"total\":%u.5,\"item\":\"Gr\xc3\xb6\xc3\x9f" "e %u\",\"referrer\":\"https://example.com/%x/%x\"},"
								  "\"event_time\":\"2024-03-05 08:%02u:%02u.%03u000\",\"event_type\":\"%s\",\"group_properties\":{},\"groups\":{},"
								  "\"ip_address\":\"10.%u.%u.%u\",\"is_attribution_event\":false,\"language\":\"German\",\"library\":\"http/2.0\","
								  "\"location_lat\":47.%u,\"location_lng\":8.%u,\"os_name\":\"macosx\",\"os_version\":\"10\",\"platform\":\"Web\","
								  "\"processed_time\":\"2024-03-05 08:%02u:%02u.%03u000\",\"region\":\"Zurich\",\"server_received_time\":\"2024-03-05 08:00:01.000000\","
								  "\"server_upload_time\":\"2024-03-05 08:%02u:%02u.%03u000\",\"session_id\":17096256%05u,\"user_id\":\"u-%u\","
								  "\"user_properties\":{\"plan\":\"free\",\"cohort\":\"%x\"},\"uuid\":\"%08x-0000-4000-8000-%012" PRIx64 "\",\"version_name\":\"1.0\"}\n",
								  draw(), draw(), draw() % 100000, draw() % 60, draw() % 60, draw() % 1000, draw() % 60, draw() % 60, draw() % 1000,
								  draw() % 5000, n, draw() % 1000, draw() % 300, draw(), draw(), draw() % 60, draw() % 60, draw() % 1000,
								  draw() % 3 ? "view" : "checkout", draw() % 256, draw() % 256, draw() % 256, draw() % 100000, draw() % 100000,
								  draw() % 60, draw() % 60, draw() % 1000, draw() % 60, draw() % 60, draw() % 1000, draw() % 100000, draw() % 5000,
								  draw() % 64, draw(), n);

	buffer_append(lines, event, (size_t) length);
}

static ByteBuffer
packed(const ByteBuffer *data, int bits)
{
	ByteBuffer	out = {0};
	z_stream	stream = {0};

	deflateInit2(&stream, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);
	buffer_reserve(&out, deflateBound(&stream, data->length) + 64);
	stream.next_in = (Bytef *) data->data;
	stream.avail_in = (uInt) data->length;
	stream.next_out = (Bytef *) out.data;
	stream.avail_out = (uInt) out.capacity;
	deflate(&stream, Z_FINISH);
	out.length = stream.total_out;
	deflateEnd(&stream);
	return out;
}

static void
header(ByteBuffer *to, uint32_t signature, const char *name, uint32_t sum, const ByteBuffer *body, const ByteBuffer *data,
	   uint64_t place)
{
	bool		entry = signature == 0x02014b50;

	number(to, signature, 4);
	if (entry)
		number(to, 20, 2);
	number(to, 20, 2);
	number(to, 0, 2);
	number(to, 8, 2);
	number(to, 0x21 << 16, 4);	/* 1980-01-01 */
	number(to, sum, 4);
	number(to, body->length, 4);
	number(to, data->length, 4);
	number(to, strlen(name), 2);
	number(to, 0, 2);
	if (entry)
	{
		number(to, 0, 8);
		number(to, 0, 2);
		number(to, place, 4);
	}
	buffer_append_string(to, name);
}

/* bytes of JSON in it */
static uint64_t
make_archive(const char *path, uint64_t events)
{
	ByteBuffer	archive = {0};
	ByteBuffer	directory = {0};
	uint64_t	total = 0;
	uint64_t	place;
	FILE	   *file = fopen(path, "wb");

	for (int i = 0; i < MEMBERS; i++)
	{
		ByteBuffer	lines = {0};
		ByteBuffer	gzip;
		ByteBuffer	body;
		uint32_t	sum;
		char		name[64];

		for (uint64_t n = 0; n < events / MEMBERS; n++)
			add_event(&lines, i * events + n);
		total += lines.length;
		gzip = packed(&lines, 31);
		body = packed(&gzip, -15);
		sum = (uint32_t) crc32(0, (const Bytef *) gzip.data, (uInt) gzip.length);
		snprintf(name, sizeof(name), "187520/187520_2024-03-05_%d#0.json.gz", i);
		place = archive.length;
		header(&archive, 0x04034b50, name, sum, &body, &gzip, 0);
		buffer_append(&archive, body.data, body.length);
		header(&directory, 0x02014b50, name, sum, &body, &gzip, place);
		buffer_free(&lines);
		buffer_free(&gzip);
		buffer_free(&body);
	}
	place = archive.length;
	buffer_append(&archive, directory.data, directory.length);
	number(&archive, 0x06054b50, 4);
	number(&archive, 0, 4);
	number(&archive, MEMBERS, 2);
	number(&archive, MEMBERS, 2);
	number(&archive, directory.length, 4);
	number(&archive, place, 4);
	number(&archive, 0, 2);
	if (file == NULL || archive.failed || fwrite(archive.data, 1, archive.length, file) != archive.length || fclose(file) != 0)
	{
		perror(path);
		exit(1);
	}
	printf("archive of %zu bytes, %" PRIu64 " bytes of JSON\n", archive.length, total);
	buffer_free(&archive);
	buffer_free(&directory);
	return total;
}

/* ---------- reading it ---------- */

static int64_t
read_file(void *arg, uint64_t offset, void *buffer, size_t length)
{
	return pread(*(int *) arg, buffer, length, (off_t) offset);
}

static uint64_t
count_lines(const char *path)
{
	static char packed_bytes[64 * 1024];
	static char bytes[256 * 1024];
	int			file = open(path, O_RDONLY);
	ZipSource	source = {.read = read_file, .size = (uint64_t) lseek(file, 0, SEEK_END), .arg = &file};
	const char *problem;
	ZipReader  *reader = zip_reader_open(&source, &problem);
	Gunzip	   *gunzip = gunzip_create();
	uint64_t	lines = 0;

	while (reader != NULL && zip_reader_next(reader) == ZIP_OK)
	{
		ZipStatus	status;
		size_t		length;

		gunzip_restart(gunzip);
		do
		{
			size_t		used = 0;
			GunzipStatus got;

			status = zip_reader_read(reader, packed_bytes, sizeof(packed_bytes), &length);
			do
			{
				size_t		consumed;
				size_t		produced;

				got = gunzip_run(gunzip, packed_bytes + used, length - used, status == ZIP_END, &consumed, bytes, sizeof(bytes),
								 &produced);
				used += consumed;
				for (const char *p = bytes; (p = memchr(p, '\n', (size_t) (bytes + produced - p))) != NULL; p++)
					lines++;
			} while (got == GUNZIP_FULL);
			if (got == GUNZIP_ERROR)
				exit(1);
		} while (status == ZIP_OK);
	}
	zip_reader_free(reader);
	gunzip_free(gunzip);
	close(file);
	return lines;
}

static double
seconds(const struct rusage *usage)
{
	return (double) usage->ru_utime.tv_sec + (double) usage->ru_stime.tv_sec +
		((double) usage->ru_utime.tv_usec + (double) usage->ru_stime.tv_usec) / 1e6;
}

static double
used_by(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return seconds(&usage);
}

int
main(int argc, char **argv)
{
	uint64_t	events = argc > 1 ? strtoull(argv[1], NULL, 10) : 240000;
	char		path[] = "/tmp/appflow-archive-XXXXXX";
	char		command[128];
	double		ours = 1e9;
	double		peer = 1e9;
	uint64_t	total;
	uint64_t	lines = 0;
	int			file = mkstemp(path);
	int			failed = 0;

	events -= events % MEMBERS;
	close(file);
	total = make_archive(path, events);
	snprintf(command, sizeof(command), "test $(unzip -p %s | zcat | wc -l) = %" PRIu64, path, events);
	for (int run = 0; run < RUNS; run++)
	{
		double		before = used_by(RUSAGE_SELF);

		lines = count_lines(path);
		ours = used_by(RUSAGE_SELF) - before < ours ? used_by(RUSAGE_SELF) - before : ours;
		before = used_by(RUSAGE_CHILDREN);
		failed |= system(command) != 0;
		peer = used_by(RUSAGE_CHILDREN) - before < peer ? used_by(RUSAGE_CHILDREN) - before : peer;
	}
	unlink(path);
	if (lines != events || failed)
	{
		printf("counted %" PRIu64 " lines of %" PRIu64 "\n", lines, events);
		return 1;
	}
	printf("%.0f MB/s of JSON\n", (double) total / ours / 1e6);
	printf("BENCH archive_lines_cpu %.3fs %.3fs %.2f <%.2f %s\n", ours, peer, ours / peer, GOAL,
		   ours / peer < GOAL ? "ok" : "short");
	return 0;
}
