/*-------------------------------------------------------------------------
 *
 * metadata_catalog.c
 *	  Registers what a run has written with the AWS Glue Data Catalog.
 *
 * Three kinds of tables, named as AppFlow names them:
 *
 *	  PREFIX_appflow_FLOW_EPOCH_latest	what the latest run has written
 *	  PREFIX_appflow_FLOW_VERSION		what all runs of a schema version have
 *	  PREFIX_appflow_FLOW_VERSION_ID	what one run has, if the path names runs
 *
 * The folders that a run's path goes through are partition keys of the second, and
 * those of a Partition task are of all.  Folders of dates are bare (2026/05),
 * so each partition is registered with its place.
 *
 * IDENTIFICATION
 *	  src/flow/metadata_catalog.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "apps/glue.h"
#include "flow/metadata_catalog.h"
#include "mb/pg_wchar.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* characters of a message that the reference has room for */
#define MAX_MESSAGE 2048

/* put before the name of a partition key that a column or another key has */
#define KEY_PREFIX "partition_"

typedef struct Registration
{
	const CatalogRequest *request;
	const S3Written *written;
	GlueCatalog *catalog;		/* NULL: not open yet */
	List	   *columns;		/* of GlueColumn *; NIL: not made yet */

	/* what went wrong with a table and would with the next, too */
	char	   *status;			/* "Error" or "Canceled"; NULL: nothing */
	char	   *message;
	StringInfoData details;		/* JSON array */
} Registration;

/* ---------- labels ---------- */

/* the field of the source that a field of the destination has its values from, or NULL */
static const Field *
source_field(const Transform *transform, const Schema *described, int output)
{
	int			column = transform->outputs[output].column;
	const Field *field;
	int			other;

	if (column < 0 || column >= transform->reader->schema->nfields)
		return NULL;
	field = &transform->reader->schema->fields[column];
	if (field->label != NULL || field->description != NULL || described == NULL)
		return field;
	other = schema_find(described, field->name);
	return other < 0 ? field : &described->fields[other];
}

CatalogLabel *
metadata_catalog_labels(const Transform *transform, const Schema *described)
{
	CatalogLabel *labels = palloc0(sizeof(CatalogLabel) * Max(transform->noutputs, 1));

	for (int i = 0; i < transform->noutputs; i++)
	{
		const Field *field = source_field(transform, described, i);

		if (field != NULL && field->label != NULL)
			labels[i].label = pstrdup(field->label);
		if (field != NULL && field->description != NULL)
			labels[i].description = pstrdup(field->description);
	}
	return labels;
}

/* ---------- names ---------- */

static char *
lower(const char *name)
{
	char	   *text = pstrdup(name);

	for (char *p = text; *p != '\0'; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	return text;
}

/* the beginning of tables' names; of the flow's name there stays what a name may have in queries without quotes */
static char *
name_stem(const CatalogRequest *request)
{
	char	   *prefix = request->plan->catalog_prefix;
	char	   *flow = lower(request->flow_name);

	for (char *p = flow; *p != '\0'; p++)
	{
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_", *p) == NULL)
			*p = '_';
	}
	return psprintf("%s%sappflow_%s", lower(prefix), prefix[0] ? "_" : "", flow);
}

/* ---------- columns and keys ---------- */

static bool
is_partition_key(const S3Written *written, const char *field)
{
	ListCell   *lc;

	foreach(lc, written->partition_keys)
	{
		if (strcmp(lfirst(lc), field) == 0)
			return true;
	}
	return false;
}

static bool
has_column(List *columns, const char *name)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		if (strcmp(((GlueColumn *) lfirst(lc))->name, name) == 0)
			return true;
	}
	return false;
}

/*
 * A partition key must not be a column as well.  Where columns are told by name it is
 * left out; in CSV they are told by their place, so there the key gets another name.
 */
static List *
make_columns(const Registration *registration)
{
	const S3Written *written = registration->written;
	List	   *columns = NIL;

	for (int i = 0; i < written->schema->nfields; i++)
	{
		const Field *field = &written->schema->fields[i];
		const CatalogLabel *label = &registration->request->labels[i];
		GlueColumn *column = palloc0(sizeof(GlueColumn));

		if (written->file_type != S3_CSV && is_partition_key(written, field->name))
			continue;
		column->name = lower(field->name);
		column->type = glue_type(field, written->file_type);
		column->label = label->label;
		column->description = label->description;
		if (has_column(columns, column->name))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("two fields are column \"%s\" of the catalog, which does not tell upper from lower case: map one of them to another name",
						   column->name));
		columns = lappend(columns, column);
	}
	return columns;
}

static List *
add_key(const Registration *registration, List *keys, const char *name)
{
	char	   *key = lower(name);

	while (has_column(registration->columns, key) || list_has_text(keys, key))
		key = psprintf(KEY_PREFIX "%s", key);
	return lappend(keys, key);
}

/* ---------- tables ---------- */

static char *
location(const S3Written *written, const char *folder, const char *partition)
{
	return psprintf("s3://%s/%s%s", written->bucket, folder, partition);
}

static void
add_partition(GlueTable *table, const S3Written *written, List *values, const char *folder)
{
	GluePartition *partition = palloc(sizeof(GluePartition));

	partition->values = values;
	partition->location = location(written, written->place->folder, folder);
	table->partitions = lappend(table->partitions, partition);
}

/* Fill in what the table has: of the run's folder, or with the folders that lead there. */
static void
describe_table(const Registration *registration, GlueTable *table, bool of_version)
{
	const S3Written *written = registration->written;
	List	   *path = NIL;
	ListCell   *lc;

	table->flow = registration->request->flow_name;
	table->file_type = written->file_type;
	table->columns = registration->columns;
	table->location = location(written, of_version ? written->place->root : written->place->folder, "");
	foreach(lc, of_version ? written->place->levels : NIL)
	{
		const S3Level *level = lfirst(lc);

		table->keys = add_key(registration, table->keys, level->name);
		path = lappend(path, level->value);
	}
	foreach(lc, written->partition_keys)
		table->keys = add_key(registration, table->keys, lfirst(lc));
	foreach(lc, written->partitions)
	{
		const S3Partition *partition = lfirst(lc);

		add_partition(table, written, list_concat_copy(path, partition->values), partition->folder);
	}
	if (written->partition_keys == NIL && path != NIL)
		add_partition(table, written, path, "");
}

/* ---------- outcomes ---------- */

static void
append_output(StringInfo out, const char *member, const char *status, int result, const char *message)
{
	appendStringInfo(out, ",\"%s\":{\"status\":\"%s\",\"result\":\"%d\",\"message\":", member, status, result);
	escape_json(out, message);
	appendStringInfoChar(out, '}');
}

static void
begin_detail(Registration *registration, const char *table)
{
	StringInfo	out = &registration->details;

	appendStringInfoString(out, out->len > 1 ? ",{" : "{");
	appendStringInfoString(out, "\"catalogType\":\"GLUE\",\"tableName\":");
	escape_json(out, table);
}

/* Would an error that one table gave come of the others, too? */
static bool
concerns_all(int sqlstate)
{
	static const AppflowException of_one[] = {WF_VALIDATION, WF_ACCESS_DENIED, WF_NOT_FOUND, WF_CONFLICT, WF_QUOTA};
	const char *name = appflow_exception_of_sqlstate(sqlstate);

	for (int i = 0; name != NULL && i < (int) lengthof(of_one); i++)
	{
		if (strcmp(name, appflow_exception_name(of_one[i])) == 0)
			return false;
	}
	return true;
}

/* Register a table; what comes of it goes to the details. */
static void
register_table(Registration *registration, GlueTable *table, bool of_version)
{
	static const char *const said[] = {
		[GLUE_UNCHANGED] = "The table was there already, as it should be.",
		[GLUE_CREATED] = "The table was created.",
		[GLUE_UPDATED] = "The table was updated.",
	};
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(outer, "appflow catalog table", ALLOCSET_DEFAULT_SIZES);
	const CatalogRequest *request = registration->request;
	const FlowPlan *plan = request->plan;
	const char *volatile doing = "tableRegistrationOutput";
	StringInfo	details = &registration->details;

	begin_detail(registration, table->name);
	if (registration->status != NULL)
	{
		append_output(details, doing, registration->status, 0, registration->message);
		appendStringInfoChar(details, '}');
		return;
	}
	PG_TRY();
	{
		GlueChange	change;

		if (registration->catalog == NULL)
			registration->catalog = glue_open(plan->catalog_database, plan->catalog_role, request->owner);
		if (registration->columns == NIL)
			registration->columns = make_columns(registration);
		describe_table(registration, table, of_version);
		MemoryContextSwitchTo(context);
		change = glue_put_table(registration->catalog, table);
		append_output(details, doing, "Successful", change == GLUE_UNCHANGED ? 0 : 1, said[change]);
		if (table->keys != NIL)
		{
			int			created;

			doing = "partitionRegistrationOutput";
			created = glue_put_partitions(registration->catalog, table);
			append_output(details, doing, "Successful", created,
						  psprintf("Of %d partitions of the run, %d were created; the others were there already.",
								   list_length(table->partitions), created));
		}
	}
	PG_CATCH();
	{
		ErrorData  *error;
		bool		cancelled;

		MemoryContextSwitchTo(outer);
		error = CopyErrorData();
		FlushErrorState();

		/* whether the identity may be used is looked up in one */
		AbortCurrentTransaction();
		MemoryContextSwitchTo(outer);
		cancelled = error->sqlerrcode == ERRCODE_QUERY_CANCELED;
		error->message = cancelled ? "The registration was cancelled. The objects of the run are there." :
			pnstrdup(error->message, pg_mbcliplen(error->message, strlen(error->message), MAX_MESSAGE));
		append_output(details, doing, cancelled ? "Canceled" : "Error", 0, error->message);
		if (cancelled || concerns_all(error->sqlerrcode))
		{
			registration->status = cancelled ? "Canceled" : "Error";
			registration->message = error->message;
		}
	}
	PG_END_TRY();
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(context);
	appendStringInfoChar(details, '}');
}

Jsonb *
metadata_catalog_register(const CatalogRequest *request)
{
	Registration registration = {.request = request,.written = s3_written(request->writer)};
	char	   *stem = name_stem(request);
	GlueTable	latest = {.latest = true};
	GlueTable	version = {0};
	GlueTable	run = {0};

	if (registration.written->objects == 0)
		return NULL;
	initStringInfo(&registration.details);
	appendStringInfoChar(&registration.details, '[');
	latest.name = psprintf("%s_" INT64_FORMAT "_latest", stem, (int64) timestamptz_to_time_t(request->flow_created_at));
	version.name = psprintf("%s_" INT64_FORMAT, stem, request->schema_version);
	run.name = psprintf("%s_%s", version.name, request->execution_id);

	register_table(&registration, &version, true);
	if (registration.written->place->per_run)
		register_table(&registration, &run, false);
	register_table(&registration, &latest, false);
	appendStringInfoChar(&registration.details, ']');
	return jsonb_parse(registration.details.data);
}
