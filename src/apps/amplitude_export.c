/*-------------------------------------------------------------------------
 *
 * amplitude_export.c
 *	  Reads events of Amplitude by its Export API.
 *
 * An answer is a ZIP archive of gzip files, with an event on each line, for a span of
 * hours.  It goes to a temporary file of the server first: the archive's directory is at
 * its end, and one that was cut off must be asked for again before any of it has
 * been told.  From there it is read as a stream: file, ZIP, gzip, lines.
 *
 * Amplitude refuses what is too much for one answer; then fewer hours are asked for.
 * As long as archives are small, the next one is of more hours.
 *
 * Follows Amplitude's page "Export API".
 *
 * IDENTIFICATION
 *	  src/apps/amplitude_export.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/amplitude.h"
#include "codec/gunzip.h"
#include "codec/json_reader.h"
#include "codec/text.h"
#include "codec/zip_reader.h"
#include "compat.h"
#include "connector/stream_buffer.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#define PATH "/api/2/export"

#define HOURS_OF_DAY 24
#define FIRST_HOURS 24			/* of the first request */
#define MOST_HOURS (365 * HOURS_OF_DAY)	/* of a request, as the service has it */

/* 2014-11-12: events before it are filed by days, an hour of them may be a whole day */
#define FILED_BY_HOURS (INT64CONST(16386) * HOURS_OF_DAY)

/* an archive up to this size lets the next one be of more hours */
#define SMALL_ARCHIVE (64 * 1024 * 1024)

/* answers for one hour that may be cut off before it is an error, and ms between two */
#define MOST_TRIES 3
#define PAUSE 1000

/* ms that the service may take to make an archive, at least */
#define PATIENCE 300000

#define COPY_SIZE (256 * 1024)
#define PACKED_SIZE (64 * 1024)

/*
 * Deflate makes no more of a byte.  A file that is larger is a bomb, packed
 * twice.
 */
#define MOST_RATIO 1032
#define RATIO_SLACK (1024 * 1024)

#define SHOWN_BODY 500

typedef struct ExportReader
{
	RecordReader base;
	MemoryContext context;
	ConnectorSession *session;
	char	   *what;			/* for messages */
	bool	   *moments;		/* columns that are times */
	int			nmoments;

	/* hours */
	int64		next;			/* to be asked for next */
	int64		last;
	int64		stride;			/* how many at a time */
	int64		ceiling;		/* not more than that, as more was refused ... */
	int64		ceiling_until;	/* ... before this hour */
	int			tries;			/* answers for them that were cut off */

	/* the archive; what belongs to it is in a context of its own */
	MemoryContext archive_context;
	Owned	   *file;			/* a temporary file, see file_of() */
	uint64		size;
	char	   *hours;			/* its hours, for messages */
	Owned	   *zip;			/* NULL: there is none */

	/* the member */
	bool		member;			/* one is being read */
	Owned	   *gunzip;
	char	   *packed;
	size_t		packed_start;	/* bytes in use */
	size_t		packed_length;
	bool		packed_end;		/* there are no more */
	uint64		unpacked;		/* bytes of the member so far */

	StreamBuffer lines;			/* decompressed */
	Owned	   *json;
} ExportReader;

static void
out_of_memory(void)
{
	ereport(ERROR,
			errcode(ERRCODE_OUT_OF_MEMORY),
			errmsg("out of memory"));
}

static void
free_json(void *object)
{
	json_reader_free(object);
}

static void
free_gunzip(void *object)
{
	gunzip_free(object);
}

static void
free_zip(void *object)
{
	zip_reader_free(object);
}

/* a descriptor of the server's files, in the place of a pointer */
static void
free_file(void *object)
{
	FileClose((File) (intptr_t) object);
}

static File
file_of(const ExportReader *reader)
{
	return (File) (intptr_t) reader->file->object;
}

/* ---------- hours ---------- */

/* as the service wants them: 20240305T08 */
static char *
hour_text(int64 hour)
{
	int64		year;
	unsigned	month;
	unsigned	day;

	text_civil_from_days(hour / HOURS_OF_DAY, &year, &month, &day);
	return psprintf("%04d%02u%02uT%02d", (int) year, month, day, (int) (hour % HOURS_OF_DAY));
}

char *
amplitude_export_path(int64 first, int64 last)
{
	return psprintf(PATH "?start=%s&end=%s", hour_text(first), hour_text(last));
}

static char *
hours_text(int64 first, int64 last)
{
	return first == last ? psprintf("hour %s", hour_text(first)) :
		psprintf("hours %s to %s", hour_text(first), hour_text(last));
}

/* what cannot be divided */
static int64
least_hours(const ExportReader *reader)
{
	return reader->next < FILED_BY_HOURS ? HOURS_OF_DAY : 1;
}

static int64
hours_now(const ExportReader *reader)
{
	int64		hours = Min(reader->stride, reader->last - reader->next + 1);

	return reader->next < FILED_BY_HOURS ? Max(hours / HOURS_OF_DAY, 1) * HOURS_OF_DAY : hours;
}

/* ---------- an archive ---------- */

/* what comes of an answer that was too much, or cut off: fewer hours, or another try */
static void
divide(ExportReader *reader, int64 hours, bool too_much)
{
	if (hours <= least_hours(reader))
	{
		reader->tries++;
		http_pause(PAUSE);
		return;
	}
	reader->stride = (hours + 1) / 2;
	if (too_much)
	{
		reader->ceiling = hours - 1;
		reader->ceiling_until = Max(reader->ceiling_until, reader->next + hours);
	}
}

pg_noreturn static void
too_much(ExportReader *reader, HttpCall *call)
{
	size_t		length;
	const char *body = http_body(call, &length);
	char	   *words = session_words(reader->session, pnstrdup(body, Min(length, SHOWN_BODY)));

	ereport(ERROR,
			appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method, http_shown_url(call->url),
								 call->status),
			errmsg("Amplitude does not export %s of %s, and less cannot be asked for%s%s", reader->hours, reader->what,
				   words[0] == '\0' ? "" : ": ", words),
			errhint("It exports 4 GB at most. For hours with more it has an export to Amazon S3."));
}

/* nothing was collected in these hours; any other 404 is that of a wrong URL */
static bool
says_nothing_there(HttpCall *call)
{
	size_t		length;
	const char *body = http_body(call, &length);
	char	   *text = pnstrdup(body, length);

	for (char *p = text; *p != '\0'; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	return strstr(text, "raw data") != NULL;
}

/*
 * An answer that does not come in time, or breaks off, is not asked for again by the call
 * itself, but by one for fewer hours.
 */
static bool
worth_repeating(HttpCall *call, bool retry, void *arg)
{
	return call->status == 408 || call->status == 429 || (call->status >= 500 && call->status <= 503);
}

static void
write_file(ExportReader *reader, const char *data, size_t length)
{
	errno = 0;
	if (FileWrite(file_of(reader), unconstify(char *, data), (int) length, (off_t) reader->size,
				  WAIT_EVENT_BUFFILE_WRITE) == (int) length)
	{
		reader->size += length;
		return;
	}
	if (errno == 0)
		errno = ENOSPC;
	ereport(ERROR,
			errcode_for_file_access(),
			errmsg("could not write an archive of Amplitude to a temporary file: %m"));
}

/* what is no archive from the beginning is likely some page for people */
static void
check_beginning(ExportReader *reader, HttpCall *call, const char *data, size_t length)
{
	if (length >= 2 && data[0] == 'P' && data[1] == 'K')
		return;
	ereport(ERROR,
			appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method, http_shown_url(call->url),
								 call->status),
			errmsg("the answer of Amplitude about %s is not a ZIP archive: %s", reader->what,
				   session_words(reader->session, pnstrdup(data, Min(length, SHOWN_BODY)))),
			errhint("Is the URL of connector profile \"%s\" right?", reader->session->profile_name));
}

/* the body to the temporary file; false: it broke off */
static bool
save_archive(ExportReader *reader, HttpCall *call)
{
	char	   *data = palloc(COPY_SIZE);
	size_t		length = 0;
	size_t		got;

	reader->file = own_in_context(reader->archive_context, free_file);
	reader->file->object = (void *) (intptr_t) OpenTemporaryFile(true);
	reader->size = 0;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!http_try_read(call, data + length, COPY_SIZE - length, &got))
			return false;
		length += got;
		if (reader->size == 0 && (got == 0 || length >= 2))
			check_beginning(reader, call, data, length);
		if (got == 0 || length == COPY_SIZE)
		{
			write_file(reader, data, length);
			length = 0;
		}
		if (got == 0)
			break;
	}
	pfree(data);
	return true;
}

/* of the temporary file, within the codec: raises nothing */
static int64_t
read_file(void *arg, uint64_t offset, void *buffer, size_t length)
{
	return FileRead(file_of(arg), buffer, (int) length, (off_t) offset, WAIT_EVENT_BUFFILE_READ);
}

/* false: it has no end */
static bool
open_archive(ExportReader *reader, const char **problem)
{
	ZipSource	source = {.read = read_file, .size = reader->size, .arg = reader};

	reader->zip = own_in_context(reader->archive_context, free_zip);
	reader->zip->object = zip_reader_open(&source, problem);
	if (reader->zip->object != NULL)
		return true;
	own_release(reader->zip);
	reader->zip = NULL;
	return false;
}

typedef enum Fetched
{
	FETCHED,
	FETCHED_NOTHING,			/* there are no events */
	FETCHED_TOO_MUCH,			/* fewer hours, please */
	FETCHED_BROKEN				/* the answer was cut off */
} Fetched;

/* raises errors unless fewer hours, or another try, may help */
static Fetched
fetch_archive(ExportReader *reader, int64 hours)
{
	HttpCall   *call = session_call(reader->session, "GET",
									amplitude_export_path(reader->next, reader->next + hours - 1));
	bool		least = hours <= least_hours(reader);
	bool		last = least && reader->tries + 1 >= MOST_TRIES;
	const char *problem = NULL;

	http_header(call, "Accept", "application/zip");
	call->keep_encoding = true;
	call->judge = worth_repeating;
	call->repeatable = false;
	call->idle_timeout = Max(call->idle_timeout, PATIENCE);
	if (!http_try_wait(call))
	{
		if ((call->failure != HTTP_TIMEOUT && call->failure != HTTP_CUT) || last)
			http_raise(call);
		return call->failure == HTTP_TIMEOUT ? FETCHED_TOO_MUCH : FETCHED_BROKEN;
	}
	if (call->status == 404 && says_nothing_there(call))
		return FETCHED_NOTHING;
	if (call->status == 400 || call->status == 504)
	{
		if (least)
			too_much(reader, call);
		return FETCHED_TOO_MUCH;
	}
	if (call->status != 200)
		session_raise(reader->session, call, reader->what, NULL, NULL);
	if (!save_archive(reader, call))
	{
		if (last)
			http_raise(call);
		return FETCHED_BROKEN;
	}
	http_close(call);
	if (open_archive(reader, &problem))
		return FETCHED;
	if (last)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the archive of Amplitude for %s of %s is cut off: %s", reader->hours, reader->what, problem));
	return FETCHED_BROKEN;
}

/* the archive of the next hours that have any events; false: there are no more */
static bool
next_archive(ExportReader *reader)
{
	while (reader->next <= reader->last)
	{
		int64		hours = hours_now(reader);
		MemoryContext old;
		Fetched		fetched;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(reader->archive_context);
		old = MemoryContextSwitchTo(reader->archive_context);
		reader->hours = hours_text(reader->next, reader->next + hours - 1);
		fetched = fetch_archive(reader, hours);
		MemoryContextSwitchTo(old);
		if (fetched == FETCHED_TOO_MUCH || fetched == FETCHED_BROKEN)
		{
			divide(reader, hours, fetched == FETCHED_TOO_MUCH);
			continue;
		}
		reader->tries = 0;
		reader->next += hours;
		if (reader->next >= reader->ceiling_until)
			reader->ceiling = MOST_HOURS;
		if (fetched == FETCHED_NOTHING || reader->size <= SMALL_ARCHIVE)
			reader->stride = Min(hours * 2, reader->ceiling);
		if (fetched == FETCHED)
		{
			reader->base.pages++;
			return true;
		}
	}
	return false;
}

/* ---------- members ---------- */

pg_noreturn static void
damaged(ExportReader *reader, const char *problem)
{
	const char *name = zip_reader_name(reader->zip->object);

	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("the archive of Amplitude for %s of %s is damaged%s%s: %s", reader->hours, reader->what,
				   name[0] == '\0' ? "" : ", at member ",
				   name[0] == '\0' ? "" : session_words(reader->session, name), problem));
}

/* false: the archive has no more */
static bool
next_member(ExportReader *reader)
{
	switch (zip_reader_next(reader->zip->object))
	{
		case ZIP_OK:
			break;
		case ZIP_END:
			own_release(reader->zip);
			reader->zip = NULL;
			return false;
		case ZIP_ERROR:
			damaged(reader, zip_reader_problem(reader->zip->object));
	}
	reader->member = true;
	reader->packed_start = reader->packed_length = 0;
	reader->packed_end = false;
	reader->unpacked = 0;
	stream_buffer_restart(&reader->lines);
	gunzip_restart(reader->gunzip->object);
	json_reader_restart(reader->json->object);
	return true;
}

/* more bytes of the member as it is in the archive */
static void
fill_packed(ExportReader *reader)
{
	reader->packed_start = 0;
	switch (zip_reader_read(reader->zip->object, reader->packed, PACKED_SIZE, &reader->packed_length))
	{
		case ZIP_OK:
			break;
		case ZIP_END:
			reader->packed_end = true;
			break;
		case ZIP_ERROR:
			damaged(reader, zip_reader_problem(reader->zip->object));
	}
}

/* some bytes of the member, decompressed; 0 at its end */
static size_t
read_unpacked(void *arg, char *to, size_t room)
{
	ExportReader *reader = arg;

	for (;;)
	{
		size_t		consumed;
		size_t		produced;
		GunzipStatus status;

		CHECK_FOR_INTERRUPTS();
		status = gunzip_run(reader->gunzip->object, reader->packed + reader->packed_start, reader->packed_length,
							reader->packed_end, &consumed, to, room, &produced);
		reader->packed_start += consumed;
		reader->packed_length -= consumed;
		reader->unpacked += produced;
		reader->base.bytes += produced;
		if (status == GUNZIP_ERROR)
			damaged(reader, gunzip_problem(reader->gunzip->object));
		if (reader->unpacked > zip_reader_packed_size(reader->zip->object) * MOST_RATIO + RATIO_SLACK)
			damaged(reader, "it is larger than its bytes can say");
		if (produced > 0 || (status == GUNZIP_MORE && reader->packed_end))
			return produced;
		if (status == GUNZIP_MORE)
			fill_packed(reader);
	}
}

/* ---------- lines ---------- */

/* parse what is in the buffer; true if the member is done */
static bool
parse(ExportReader *reader, Batch *batch)
{
	StreamBuffer *lines = &reader->lines;
	JsonReadResult result;

	for (;;)
	{
		JsonStatus	status = json_reader_read(reader->json->object, lines->data + lines->start, lines->length,
											  lines->at_end, batch->arena, batch->columns, batch->lines, BATCH_ROWS,
											  &result);

		stream_buffer_consume(lines, result.consumed);
		batch->nrows = result.rows;
		switch (status)
		{
			case JSON_MORE:
				lines->starved = true;
				return lines->at_end;
			case JSON_FULL:
				return false;
			case JSON_NEW_FIELD:
				/* rows before it go first, they have no such column */
				if (result.rows > 0)
					return false;
				batch_add_found(batch, reader->base.schema, reader->json->object);
				break;
			case JSON_ERROR:
				{
					const CodecError *error = json_reader_error(reader->json->object);

					damaged(reader, psprintf("line " UINT64_FORMAT ", column " UINT64_FORMAT ": %s",
											 (uint64) error->line, (uint64) error->column, error->message));
				}
		}
	}
}

/* times have no zone: they are UTC.  What is none stays, and is refused where it has to be one */
static void
adapt(const ExportReader *reader, Batch *batch)
{
	for (int i = 0; i < reader->nmoments; i++)
	{
		for (uint32 row = 0; reader->moments[i] && row < batch->nrows; row++)
		{
			Cell	   *cell = &batch->columns[i][row];
			int64		micros;
			bool		has_zone;

			if (cell->kind == CELL_STRING && text_parse_datetime(cell->data, cell->length, &micros, &has_zone))
				*cell = cell_integer(CELL_TIMESTAMP, micros);
		}
	}
}

/* ---------- the reader ---------- */

static bool
export_next(RecordReader *base, Batch *batch)
{
	ExportReader *reader = (ExportReader *) base;
	MemoryContext old = MemoryContextSwitchTo(reader->context);
	bool		more = true;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!reader->member)
		{
			if (reader->zip == NULL && !next_archive(reader))
			{
				more = false;
				break;
			}
			if (!next_member(reader))
				continue;
		}
		if (reader->lines.starved &&
			!stream_buffer_fill(&reader->lines, STREAM_BUFFER_ENOUGH, read_unpacked, reader))
			damaged(reader, psprintf("it has an event of more than %d MB", STREAM_BUFFER_MAX_MB));
		reader->member = !parse(reader, batch);

		/* lines of a member of an archive help nobody to find an event */
		memset(batch->lines, 0, sizeof(uint64) * batch->nrows);
		if (batch->nrows > 0)
		{
			adapt(reader, batch);
			break;
		}
		arena_reset(batch->arena);
	}
	MemoryContextSwitchTo(old);
	return more;
}

static void
export_close(RecordReader *base)
{
	MemoryContextDelete(((ExportReader *) base)->context);
}

static void
create_json_reader(ExportReader *reader, bool discover)
{
	Schema	   *schema = reader->base.schema;
	JsonReaderOptions options = {
		.framing = JSON_FRAMING_LINES, .nfields = schema->nfields, .discover = discover
	};
	const char **fields = palloc(sizeof(char *) * Max(schema->nfields, 1));

	for (int i = 0; i < schema->nfields; i++)
		fields[i] = schema->fields[i].name;
	options.fields = fields;
	reader->json = own_in_context(reader->context, free_json);
	reader->json->object = json_reader_create(&options);
	if (reader->json->object == NULL)
		out_of_memory();
	pfree(fields);
}

RecordReader *
amplitude_export_reader(ConnectorSession *session, const char *entity, Schema *schema, bool discover,
						const AmplitudeSpan *hours, bool few)
{
	ExportReader *reader = palloc0(sizeof(ExportReader));	/* outlives its context: what it has counted is asked for later */
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow Amplitude export",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	reader->base.schema = schema;
	reader->base.next = export_next;
	reader->base.close = export_close;
	reader->context = context;
	reader->session = session;
	reader->what = psprintf("entity \"%s\"", entity);
	reader->next = hours->first;
	reader->last = hours->last;
	if (reader->next < FILED_BY_HOURS)
		reader->next -= reader->next % HOURS_OF_DAY;
	reader->stride = few ? 1 : FIRST_HOURS;
	reader->ceiling = MOST_HOURS;
	reader->archive_context = AllocSetContextCreate(context, "appflow Amplitude archive", ALLOCSET_SMALL_SIZES);
	stream_buffer_init(&reader->lines);
	reader->packed = palloc(PACKED_SIZE);
	reader->moments = palloc0(sizeof(bool) * Max(schema->nfields, 1));
	reader->nmoments = schema->nfields;
	for (int i = 0; i < schema->nfields; i++)
		reader->moments[i] = schema->fields[i].type == FIELD_DATETIME;
	reader->gunzip = own_in_context(context, free_gunzip);
	reader->gunzip->object = gunzip_create();
	if (reader->gunzip->object == NULL)
		out_of_memory();
	create_json_reader(reader, discover);
	MemoryContextSwitchTo(old);
	return &reader->base;
}
