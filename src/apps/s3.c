/*-------------------------------------------------------------------------
 *
 * s3.c
 *	  S3 as a connector: what it offers, formats, and names of objects.
 *
 * IDENTIFICATION
 *	  src/apps/s3.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/s3.h"
#include "pgtime.h"
#include "record/jsonb_access.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

bool
s3_input_is_csv(Jsonb *properties)
{
	char	   *type = jsonb_get_text(jsonb_get_container(properties, "s3InputFormatConfig"), "s3InputFileType");

	return type == NULL || pg_strcasecmp(type, "JSON") != 0;
}

bool		s3_portable_object_names = false;

void
apps_define_settings(void)
{
	DefineCustomBoolVariable("appflow.portable_object_names",
							 "Objects get names without colons and with an extension (.csv, .jsonl, .parquet).",
							 "Otherwise they are named as AppFlow names them.",
							 &s3_portable_object_names,
							 false,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
}

S3OutputFormat
s3_output_format(Jsonb *properties)
{
	S3OutputFormat format = {.file_type = S3_JSON};
	Jsonb	   *config = jsonb_get_container(properties, "s3OutputFormatConfig");
	Jsonb	   *aggregation = jsonb_get_container(config, "aggregationConfig");
	char	   *type = jsonb_get_text(config, "fileType");
	char	   *aggregation_type = jsonb_get_text(aggregation, "aggregationType");
	int64		megabytes;

	if (type != NULL && pg_strcasecmp(type, "CSV") == 0)
		format.file_type = S3_CSV;
	else if (type != NULL && pg_strcasecmp(type, "PARQUET") == 0)
		format.file_type = S3_PARQUET;

	/* untyped Parquet is what AppFlow's users complain of; it must be asked for */
	format.typed = format.file_type == S3_PARQUET &&
		jsonb_get_bool(config, "preserveSourceDataTyping", true);
	format.single_file = aggregation_type != NULL && pg_strcasecmp(aggregation_type, "SingleFile") == 0;
	if (jsonb_get_int64(aggregation, "targetFileSize", &megabytes) && megabytes > 0)
		format.target_size = (uint64) megabytes * 1024 * 1024;
	return format;
}

static bool
s3_needs_schema(Jsonb *properties, bool all_fields)
{
	return s3_output_format(properties).typed;
}

static bool
s3_fixed_schema(Jsonb *properties)
{
	S3OutputFormat format = s3_output_format(properties);

	return s3_schema_is_fixed(&format);
}

/* the parts of a date in a prefixFormat; one that is named has those above it too */
static const struct
{
	const char *name;
	const char *level;
	const char *format;
}			date_parts[] = {
	{"YEAR", "year", "%Y"},
	{"MONTH", "month", "%m"},
	{"DAY", "day", "%d"},
	{"HOUR", "hour", "%H"},
	{"MINUTE", "minute", "%M"},
};

static char *
format_time(TimestampTz when, const char *format)
{
	char		text[64];
	pg_time_t	seconds = timestamptz_to_time_t(when);

	pg_strftime(text, sizeof(text), format, pg_gmtime(&seconds));
	return pstrdup(text);
}

static void
add_level(S3Place *place, const char *name, char *value)
{
	S3Level    *level = palloc(sizeof(S3Level));

	level->name = name;
	level->value = value;
	place->levels = lappend(place->levels, level);
}

/* how many parts of the date a prefixFormat names */
static int
date_depth(const char *format)
{
	for (int i = 0; format != NULL && i < (int) lengthof(date_parts); i++)
	{
		if (pg_strcasecmp(format, date_parts[i].name) == 0)
			return i + 1;
	}
	return 0;
}

S3Place *
s3_output_place(const WriteRequest *request)
{
	S3Place    *place = palloc0(sizeof(S3Place));
	Jsonb	   *config = jsonb_get_container(request->properties, "s3OutputFormatConfig");
	Jsonb	   *prefix = jsonb_get_container(config, "prefixConfig");
	char	   *bucket_prefix = jsonb_get_text(request->properties, "bucketPrefix");
	char	   *type = jsonb_get_text(prefix, "prefixType");
	int			depth = date_depth(jsonb_get_text(prefix, "prefixFormat"));
	bool		in_path = type == NULL || pg_strcasecmp(type, "FILENAME") != 0;
	bool		in_file = type != NULL && pg_strcasecmp(type, "PATH") != 0;
	bool		schema_version = false;
	bool		execution_id = false;
	StringInfoData folder;
	StringInfoData name;
	ListCell   *lc;

	foreach(lc, jsonb_array_texts(jsonb_get_container(prefix, "pathPrefixHierarchy")))
	{
		schema_version |= pg_strcasecmp(lfirst(lc), "SCHEMA_VERSION") == 0;
		execution_id |= pg_strcasecmp(lfirst(lc), "EXECUTION_ID") == 0;
	}
	initStringInfo(&name);
	for (int i = 0; i < depth; i++)
	{
		char	   *value = format_time(request->started_at, date_parts[i].format);

		if (in_path)
			add_level(place, date_parts[i].level, value);
		if (in_file)
			appendStringInfo(&name, "%s-", value);
	}

	place->per_run = execution_id;

	/* left out only where a hierarchy names the schema version alone */
	place->exclusive = execution_id || !schema_version || place->levels != NIL;
	if (place->exclusive)
		add_level(place, "execution_id", pstrdup(request->execution_id));
	else
		appendStringInfo(&name, "%.8s-", request->execution_id);
	place->name_prefix = name.data;

	initStringInfo(&folder);
	if (bucket_prefix != NULL && bucket_prefix[0] != '\0')
	{
		appendStringInfoString(&folder, bucket_prefix);
		if (folder.data[folder.len - 1] != '/')
			appendStringInfoChar(&folder, '/');
	}
	appendStringInfo(&folder, "%s/", request->flow_name);
	if (schema_version)
		appendStringInfo(&folder, "schemaVersion_" INT64_FORMAT "/", request->schema_version);
	place->root = pstrdup(folder.data);
	foreach(lc, place->levels)
		appendStringInfo(&folder, "%s/", ((S3Level *) lfirst(lc))->value);
	place->folder = folder.data;
	return place;
}

const Connector s3_connector = {
	.type = "S3",
	.open_reader = s3_open_reader,
	.open_writer = s3_open_writer,
	.takes_files = true,
	.needs_schema = s3_needs_schema,
	.fixed_schema = s3_fixed_schema,
};

/* Upsolver takes what lies in a bucket of the customer's: its rules are those of the definition */
const Connector upsolver_connector = {
	.type = "Upsolver",
	.open_writer = s3_open_writer,
	.needs_schema = s3_needs_schema,
	.fixed_schema = s3_fixed_schema,
};
