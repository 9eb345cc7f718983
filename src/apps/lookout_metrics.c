/*-------------------------------------------------------------------------
 *
 * lookout_metrics.c
 *	  Amazon Lookout for Metrics: records are measures that a detector watches.
 *
 * Amazon has ended the service; what answers its protocol (version 2017-07-25) is served
 * all the same.  The definition of a flow says nothing: a metric set of a detector names
 * the flow, as its MetricSource.AppFlowConfig or, where it reads S3, by its own name.  The
 * flow is held against it before anything is written: columns, their types, the
 * schedule.
 *
 * What AppFlow hands over and how was never published.  Here records are objects of the
 * bucket appflow.lookoutmetrics_bucket, JSON lines or CSV, in a folder for each interval,
 * which is where a detector looks for data in S3: a metric set that reads S3 says by
 * its path template how the folders are called; for others they are
 * FLOW/yyyyMMdd/HHmm.
 *
 * IDENTIFICATION
 *	  src/apps/lookout_metrics.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "apps/apps.h"
#include "apps/aws_target.h"
#include "apps/lookout_metrics.h"
#include "apps/s3.h"
#include "codec/text.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "net/aws_service.h"
#include "nodes/bitmapset.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#define NAME "Amazon Lookout for Metrics"

/* intervals of detectors, and the records that one takes (quotas of the service) */
static const struct
{
	const char *frequency;
	int64		seconds;
	int64		records;
	const char *words;
}			intervals[] = {
	{"PT5M", 5 * SECS_PER_MINUTE, 15000, "5 minutes"},
	{"PT10M", 10 * SECS_PER_MINUTE, 24000, "10 minutes"},
	{"PT1H", SECS_PER_HOUR, 150000, "hour"},
	{"P1D", SECS_PER_DAY, 150000, "day"},
};

/* a metric set, as far as it matters here */
typedef struct MetricSet
{
	char	   *name;
	char	   *detector;		/* its name */
	char	   *detector_arn;
	Jsonb	   *document;		/* of DescribeMetricSet */
} MetricSet;

/* ---------- asking ---------- */

static AwsTarget *
open_target(const ConnectorSession *session)
{
	return aws_target_open(NAME, "lookoutmetrics", "lookoutmetrics", aws_lookout_metrics_endpoint, NULL, session->role);
}

/* An operation with one argument or none, both text. */
static Jsonb *
ask(AwsTarget *target, const char *operation, const char *argument, const char *value, const char *token, const char *what)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoChar(&body, '{');
	if (argument != NULL)
	{
		appendStringInfo(&body, "\"%s\":", argument);
		escape_json(&body, value);
	}
	else
		appendStringInfoString(&body, "\"MaxResults\":100");
	if (token != NULL)
	{
		appendStringInfoString(&body, ",\"NextToken\":");
		escape_json(&body, token);
	}
	appendStringInfoChar(&body, '}');
	return aws_target_fetch(target, aws_target_call(target, "POST", psprintf("/%s", operation), NULL, body.data, body.len, true),
							what);
}

/* "set" of "arn:aws:lookoutmetrics:region:account:MetricSet/detector/set", and the like */
static char *
last_part(const char *arn, char separator)
{
	const char *end = arn == NULL ? NULL : strrchr(arn, separator);

	return pstrdup(end == NULL ? "" : end + 1);
}

/* All metric sets (of MetricSet *) without their documents. */
static List *
list_metric_sets(AwsTarget *target)
{
	List	   *sets = NIL;
	char	   *token = NULL;

	do
	{
		Jsonb	   *answer;
		ListCell   *lc;

		CHECK_FOR_INTERRUPTS();
		answer = ask(target, "ListMetricSets", NULL, NULL, token, "ListMetricSets");
		foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "MetricSetSummaryList")))
		{
			MetricSet  *set = palloc0(sizeof(MetricSet));
			char	   *arn = jsonb_get_text(lfirst(lc), "MetricSetArn");

			set->name = jsonb_get_text(lfirst(lc), "MetricSetName");
			set->detector_arn = jsonb_get_text(lfirst(lc), "AnomalyDetectorArn");
			if (arn == NULL || set->name == NULL || set->detector_arn == NULL)
				ereport(ERROR,
						appflow_error(WF_CONNECTOR),
						errmsg(NAME " lists a metric set without a name or ARN"));
			set->detector = last_part(set->detector_arn, ':');
			set->document = ask(target, "DescribeMetricSet", "MetricSetArn", arn, NULL,
								psprintf("metric set \"%s\"", set->name));
			sets = lappend(sets, set);
		}
		token = aws_next_token(answer, "NextToken", token, NAME, "ListMetricSets");
	} while (token != NULL);
	return sets;
}

static Jsonb *
source_of(const MetricSet *set, const char *kind)
{
	return jsonb_get_container(jsonb_get_container(set->document, "MetricSource"), kind);
}

/* by MetricSource.AppFlowConfig; one that reads S3 by its own name */
static bool
names_flow(const MetricSet *set, const char *flow)
{
	char	   *named = jsonb_get_text(source_of(set, "AppFlowConfig"), "FlowName");

	if (named != NULL)
		return strcmp(named, flow) == 0;
	return source_of(set, "S3SourceConfig") != NULL && strcmp(set->name, flow) == 0;
}

static MetricSet *
find_metric_set(AwsTarget *target, const char *flow)
{
	MetricSet  *found = NULL;
	ListCell   *lc;

	foreach(lc, list_metric_sets(target))
	{
		MetricSet  *set = lfirst(lc);

		if (!names_flow(set, flow))
			continue;
		if (found != NULL)
			ereport(ERROR,
					appflow_error(WF_CONFLICT),
					errmsg("flow \"%s\" is named by two metric sets of " NAME ": \"%s\" of detector \"%s\" and \"%s\" of detector \"%s\"",
						   flow, found->name, found->detector, set->name, set->detector));
		found = set;
	}
	if (found == NULL)
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("no metric set of " NAME " names flow \"%s\"", flow),
				errhint("CreateMetricSet with MetricSource.AppFlowConfig.FlowName does, as does one that reads S3 and has the flow's name."));
	return found;
}

/* ---------- entities: metric sets, by detector ---------- */

static List *
list_sets(ConnectorSession *session, const char *path)
{
	List	   *entities = NIL;
	ListCell   *lc;

	foreach(lc, list_metric_sets(open_target(session)))
	{
		MetricSet  *set = lfirst(lc);
		Entity	   *entity = palloc0(sizeof(Entity));

		if (path[0] != '\0' && strcmp(path, set->detector) != 0)
			continue;
		entity->name = psprintf("%s/%s", set->detector, set->name);
		entity->label = jsonb_get_text(set->document, "MetricSetDescription");
		if (entity->label == NULL)
			entity->label = set->name;
		entities = lappend(entities, entity);
	}
	return entities;
}

static void
add_column(Schema *schema, const char *name, FieldType type, const char *role)
{
	Field	   *field;

	if (name == NULL || schema_find(schema, name) >= 0)
		return;
	field = schema_add(schema, name, type);
	field->native_type = pstrdup(role);
	field->writes = WRITES_INSERT;
}

static Schema *
describe_set(ConnectorSession *session, const char *entity)
{
	Schema	   *schema = schema_create();
	ListCell   *lc;

	foreach(lc, list_metric_sets(open_target(session)))
	{
		MetricSet  *set = lfirst(lc);
		ListCell   *part;

		if (strcmp(psprintf("%s/%s", set->detector, set->name), entity) != 0)
			continue;
		add_column(schema, jsonb_get_text(jsonb_get_container(set->document, "TimestampColumn"), "ColumnName"),
				   FIELD_DATETIME, "timestamp");
		foreach(part, jsonb_array_containers(jsonb_get_container(set->document, "MetricList")))
			add_column(schema, jsonb_get_text(lfirst(part), "MetricName"), FIELD_DOUBLE, "measure");
		foreach(part, jsonb_array_texts(jsonb_get_container(set->document, "DimensionList")))
			add_column(schema, lfirst(part), FIELD_STRING, "dimension");
		return schema;
	}
	ereport(ERROR,
			appflow_error(WF_NOT_FOUND),
			errmsg(NAME " has no metric set \"%s\"", entity),
			errhint("Metric sets are named detector/metric-set."));
}

/* ---------- the flow, held against the metric set ---------- */

typedef struct Span
{
	int64		start;			/* hash key: seconds of the dataset's wall clock */
	int64		records;
	char	   *folder;
} Span;

typedef struct MetricWriter
{
	RecordWriter base;
	MemoryContext context;
	MemoryContext scratch;		/* of a batch */
	RecordWriter *objects;
	char	   *what;			/* metric set "x" of detector "y" */
	int			interval;		/* index in intervals[] */
	pg_tz	   *zone;
	int			time_column;
	Bitmapset  *measures;		/* columns */
	char	   *time_format;
	char	   *template;		/* of the path, behind the bucket */
	HTAB	   *intervals;
	const char **folders;		/* of the rows of the batch */
	Cell	   *times;			/* the timestamp column as it is written */
} MetricWriter;

static int
find_frequency(const char *frequency)
{
	for (int i = 0; frequency != NULL && i < (int) lengthof(intervals); i++)
	{
		if (strcmp(intervals[i].frequency, frequency) == 0)
			return i;
	}
	return -1;
}

static char *
check_period(int64 seconds)
{
	for (int i = 0; i < (int) lengthof(intervals); i++)
	{
		if (intervals[i].seconds == seconds)
			return NULL;
	}
	return pstrdup("flows to LookoutMetrics run every 5 or 10 minutes, every hour or every day, as their detector does");
}

pg_noreturn static void
mismatch(const MetricWriter *writer, const char *words)
{
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("the flow does not fit %s: %s", writer->what, aws_clean_line(words)));
}

static int
find_column(const MetricWriter *writer, const char *name, const char *role)
{
	int			column = name == NULL ? -1 : schema_find(writer->base.schema, name);

	if (name == NULL)
		mismatch(writer, psprintf("it has no %s", role));
	if (column < 0)
		mismatch(writer, psprintf("no field is mapped to \"%s\", its %s", name, role));
	return column;
}

/* the detector can still read, and says how often */
static void
check_detector(MetricWriter *writer, AwsTarget *target, const MetricSet *set, int64 period)
{
	Jsonb	   *detector = ask(target, "DescribeAnomalyDetector", "AnomalyDetectorArn", set->detector_arn, NULL,
							   psprintf("detector \"%s\"", set->detector));
	char	   *status = jsonb_get_text(detector, "Status");
	char	   *reason = jsonb_get_text(detector, "FailureReason");
	char	   *frequency = jsonb_get_text(set->document, "MetricSetFrequency");

	if (status != NULL && (strcmp(status, "FAILED") == 0 || strcmp(status, "DELETING") == 0))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("detector \"%s\" of " NAME " is %s%s%s", set->detector, status, reason != NULL ? ": " : "",
					   reason != NULL ? aws_shown(reason) : ""));
	if (frequency == NULL)
		frequency = jsonb_get_text(jsonb_get_container(detector, "AnomalyDetectorConfig"), "AnomalyDetectorFrequency");
	writer->interval = find_frequency(frequency);
	if (writer->interval < 0)
		mismatch(writer, psprintf("its interval \"%s\" is none of PT5M, PT10M, PT1H, P1D", frequency == NULL ? "" : frequency));
	if (intervals[writer->interval].seconds != period)
		mismatch(writer, psprintf("its interval is %s, the flow runs every " INT64_FORMAT " minutes",
								  intervals[writer->interval].frequency, period / SECS_PER_MINUTE));
}

static void
check_columns(MetricWriter *writer, const MetricSet *set)
{
	Jsonb	   *timestamp = jsonb_get_container(set->document, "TimestampColumn");
	List	   *metrics = jsonb_array_containers(jsonb_get_container(set->document, "MetricList"));
	char	   *zone = jsonb_get_text(set->document, "Timezone");
	char	   *problem;
	ListCell   *lc;

	writer->time_column = find_column(writer, jsonb_get_text(timestamp, "ColumnName"), "timestamp column");
	writer->time_format = jsonb_get_text(timestamp, "ColumnFormat");
	if (writer->time_format == NULL)
		writer->time_format = "yyyy-MM-dd HH:mm:ss";
	problem = lookout_check_pattern(writer->time_format, strlen(writer->time_format));
	if (problem != NULL)
		mismatch(writer, psprintf("the format \"%s\" of its timestamps %s", writer->time_format, problem));
	writer->zone = pg_tzset(zone == NULL || zone[0] == '\0' ? "UTC" : zone);
	if (writer->zone == NULL)
		mismatch(writer, psprintf("its time zone \"%s\" is not known here", zone));
	if (metrics == NIL)
		mismatch(writer, "it has no measure");
	foreach(lc, metrics)
	{
		char	   *name = jsonb_get_text(lfirst(lc), "MetricName");
		int			column = find_column(writer, name, "measure");
		Field	   *field = &writer->base.schema->fields[column];

		writer->measures = bms_add_member(writer->measures, column);
		if (field->type == FIELD_STRING || field->type == FIELD_JSON)
			field->type = FIELD_DECIMAL;
		else if (field->type < FIELD_INTEGER || field->type > FIELD_DECIMAL)
			mismatch(writer, psprintf("\"%s\", a measure, is of type %s and no number", name, field_type_name(field->type)));
	}
	foreach(lc, jsonb_array_texts(jsonb_get_container(set->document, "DimensionList")))
		(void) find_column(writer, lfirst(lc), "dimension");
	foreach(lc, jsonb_array_containers(jsonb_get_container(set->document, "DimensionFilterList")))
		(void) find_column(writer, jsonb_get_text(lfirst(lc), "Name"), "filtered dimension");
}

/* where and how a metric set that reads S3 wants its data */
static void
check_source(MetricWriter *writer, const MetricSet *set, const char *flow, S3Layout *layout)
{
	Jsonb	   *source = source_of(set, "S3SourceConfig");
	List	   *paths = jsonb_array_texts(jsonb_get_container(source, "TemplatedPathList"));
	Jsonb	   *file = jsonb_get_container(source, "FileFormatDescriptor");
	Jsonb	   *csv = jsonb_get_container(file, "CsvFormatDescriptor");
	Jsonb	   *json = jsonb_get_container(file, "JsonFormatDescriptor");
	char	   *prefix = psprintf("s3://%s/", layout->bucket);
	char	   *problem;

	layout->format.single_file = true;
	layout->format.file_type = S3_JSON;
	writer->template = psprintf("%s/{{yyyyMMdd}}/{{HHmm}}", flow);
	if (source != NULL)
	{
		static const struct
		{
			const char *member;
			const char *takes;
		}			written[] = {
			{"Charset", "UTF-8"}, {"FileCompression", "NONE"}, {"Delimiter", ","}, {"QuoteSymbol", "\""}, {"ContainsHeader", "true"},
		};

		if (list_length(paths) != 1)
			mismatch(writer, psprintf("it has %d path templates", list_length(paths)));
		if (strncmp(linitial(paths), prefix, strlen(prefix)) != 0)
			mismatch(writer, psprintf("its path \"%s\" is not in the bucket of appflow.lookoutmetrics_bucket, \"%s\"",
									  (char *) linitial(paths), layout->bucket));
		writer->template = (char *) linitial(paths) + strlen(prefix);
		if (csv != NULL)
			layout->format.file_type = S3_CSV;
		for (int i = 0; i < (int) lengthof(written); i++)
		{
			char	   *wanted = jsonb_get_text(csv != NULL ? csv : json, written[i].member);

			if (wanted != NULL && wanted[0] != '\0' && pg_strcasecmp(wanted, written[i].takes) != 0)
				mismatch(writer, psprintf("it reads files of %s \"%s\", these are of %s", written[i].member, wanted, written[i].takes));
		}
	}
	problem = lookout_check_template(writer->template);
	if (problem != NULL)
		mismatch(writer, psprintf("its path template \"%s\" %s", writer->template, problem));
}

/* ---------- writing ---------- */

static const char *
folder_of(void *arg, uint32 row)
{
	return ((MetricWriter *) arg)->folders[row];
}

/* The time of a cell on the dataset's wall clock; false with *problem. */
static bool
wall_clock(const MetricWriter *writer, const Cell *cell, FieldType type, LookoutTime *time, const char **problem)
{
	int64		micros;
	bool		zone = type == FIELD_DATETIME;

	switch (cell->kind)
	{
		case CELL_TIMESTAMP:
			micros = cell->integer;
			break;
		case CELL_DATE:
			if (cell->integer <= INT64_C(-2147483648) || cell->integer >= INT64_C(2147483647))
			{
				*problem = "the timestamp is no time";
				return false;
			}
			micros = cell->integer * USECS_PER_DAY;
			zone = false;
			break;
		case CELL_STRING:
			if (text_parse_datetime(cell->data, cell->length, &micros, &zone))
				break;
			*problem = psprintf("\"%.*s\" is no time in ISO 8601", (int) Min(cell->length, 64), cell->data);
			return false;
		case CELL_NULL:
			*problem = "the record has no timestamp";
			return false;
		default:
			*problem = "the timestamp is no time";
			return false;
	}
	if (!lookout_time(micros, zone ? writer->zone : NULL, time))
	{
		*problem = "the timestamp is not within the years 1 to 9999";
		return false;
	}
	return true;
}

/* the interval of a time, new if no record was in it yet */
static Span *
find_span(MetricWriter *writer, const LookoutTime *time)
{
	int64		length = intervals[writer->interval].seconds;
	int64		start = time->wall - ((time->wall % length) + length) % length;
	bool		found;
	Span   *interval = hash_search(writer->intervals, &start, HASH_ENTER, &found);

	if (!found)
	{
		MemoryContext old = MemoryContextSwitchTo(writer->context);
		LookoutTime beginning;

		interval->records = 0;
		(void) lookout_time(start * USECS_PER_SEC, NULL, &beginning);
		beginning.offset = time->offset;
		interval->folder = lookout_path(writer->template, &beginning);
		MemoryContextSwitchTo(old);
	}
	return interval;
}

/* the name of a measure that is no finite number, or NULL */
static const char *
bad_measure(const MetricWriter *writer, const RecordSet *set, uint32 row)
{
	int			column = -1;

	while ((column = bms_next_member(writer->measures, column)) >= 0)
	{
		const Cell *cell = &set->columns[column][row];

		if (cell->kind == CELL_DOUBLE && !isfinite(cell->real))
			return writer->base.schema->fields[column].name;
	}
	return NULL;
}

static void
metric_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	MetricWriter *writer = (MetricWriter *) base;
	FieldType	type = base->schema->fields[writer->time_column].type;
	int64		most = intervals[writer->interval].records;
	MemoryContext old;
	const Cell **columns;
	uint32	   *rows;
	RecordSet	kept = *set;

	MemoryContextReset(writer->scratch);
	old = MemoryContextSwitchTo(writer->scratch);
	columns = palloc(sizeof(Cell *) * base->schema->nfields);
	memcpy(columns, set->columns, sizeof(Cell *) * base->schema->nfields);
	columns[writer->time_column] = writer->times;
	rows = palloc(sizeof(uint32) * Max(set->nrows, 1));
	kept.columns = columns;
	kept.rows = rows;
	kept.nrows = 0;
	for (uint32 i = 0; i < set->nrows; i++)
	{
		uint32		row = set->rows[i];
		LookoutTime time;
		const char *problem = bad_measure(writer, set, row);
		Span	   *interval;
		char	   *text;

		CHECK_FOR_INTERRUPTS();
		if (problem != NULL)
		{
			outcomes->reject(outcomes->arg, set->batch, row, "InvalidMeasure",
							 psprintf("the measure \"%s\" is no finite number", problem));
			continue;
		}
		if (!wall_clock(writer, &set->columns[writer->time_column][row], type, &time, &problem))
		{
			outcomes->reject(outcomes->arg, set->batch, row, "InvalidTimestamp", problem);
			continue;
		}
		interval = find_span(writer, &time);
		if (interval->records >= most)
		{
			outcomes->reject(outcomes->arg, set->batch, row, "TooManyRecords",
							 psprintf("the interval %s has " INT64_FORMAT " records, a detector takes no more in one of %s",
									  interval->folder, most, intervals[writer->interval].words));
			continue;
		}
		interval->records++;
		text = lookout_format(writer->time_format, &time);
		writer->times[row] = cell_text(CELL_STRING, text, strlen(text));
		writer->folders[row] = interval->folder;
		rows[kept.nrows++] = row;
	}
	MemoryContextSwitchTo(old);
	if (kept.nrows > 0)
		writer->objects->put(writer->objects, &kept, outcomes);
	base->records = writer->objects->records;
	base->bytes = writer->objects->bytes;
}

static void
metric_add_field(RecordWriter *base)
{
	RecordWriter *objects = ((MetricWriter *) base)->objects;

	objects->add_field(objects);
}

static void
metric_seal(RecordWriter *base, const Outcomes *outcomes)
{
	RecordWriter *objects = ((MetricWriter *) base)->objects;

	objects->seal(objects, outcomes);
	base->bytes = objects->bytes;
}

static void
metric_finish(RecordWriter *base)
{
	RecordWriter *objects = ((MetricWriter *) base)->objects;

	objects->finish(objects);
}

static void
metric_abort(RecordWriter *base)
{
	RecordWriter *objects = ((MetricWriter *) base)->objects;

	objects->abort(objects);
}

static const char *
metric_bucket(void)
{
	return aws_lookout_metrics_bucket;
}

static RecordWriter *
metric_open_writer(ConnectorSession *session, WriteRequest *request)
{
	MetricWriter *writer = palloc0(sizeof(MetricWriter));
	HASHCTL		control = {.keysize = sizeof(int64),.entrysize = sizeof(Span),.hcxt = CurrentMemoryContext};
	S3Layout	layout = {.folder = folder_of,.arg = writer};
	AwsTarget  *target;
	MetricSet  *set;

	if (session->store == NULL || request->flow_name == NULL)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("LookoutMetrics is written to by flows only: a metric set names the flow"));
	target = open_target(session);
	set = find_metric_set(target, request->flow_name);
	writer->context = CurrentMemoryContext;
	writer->scratch = AllocSetContextCreate(CurrentMemoryContext, "appflow metrics", ALLOCSET_DEFAULT_SIZES);
	writer->what = psprintf("metric set \"%s\" of detector \"%s\"", set->name, set->detector);
	writer->base.schema = request->schema;
	layout.bucket = pstrdup(aws_lookout_metrics_bucket);
	layout.name_prefix = psprintf("%s-", request->execution_id);
	check_detector(writer, target, set, request->period);
	check_columns(writer, set);
	check_source(writer, set, request->flow_name, &layout);
	writer->intervals = hash_create("appflow intervals", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	writer->folders = palloc0(sizeof(char *) * BATCH_ROWS);
	writer->times = palloc0(sizeof(Cell) * BATCH_ROWS);
	writer->objects = s3_open_laid_out(session, request, &layout);
	writer->base.typed = true;
	writer->base.put = metric_put;
	if (writer->objects->add_field != NULL)
		writer->base.add_field = metric_add_field;
	writer->base.seal = metric_seal;
	writer->base.finish = metric_finish;
	writer->base.abort = metric_abort;
	return &writer->base;
}

const Connector lookout_metrics_connector = {
	.type = "LookoutMetrics",
	.list_entities = list_sets,
	.describe_entity = describe_set,
	.open_writer = metric_open_writer,
	.bucket = metric_bucket,
	.check_period = check_period,
};
