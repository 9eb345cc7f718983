/*-------------------------------------------------------------------------
 *
 * glue.c
 *	  Tables and partitions of the AWS Glue Data Catalog.
 *
 * Follows the AWS Glue Web API Reference: GetTable, CreateTable, UpdateTable,
 * GetPartitions, BatchCreatePartition, BatchDeletePartition.
 *
 * UpdateTable replaces a table's definition.  So it is read, changed, and written as
 * a whole; what others have added stays.
 *
 * IDENTIFICATION
 *	  src/apps/glue.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/glue.h"
#include "codec/parquet_value.h"
#include "miscadmin.h"
#include "net/aws_service.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

#define NAME "AWS Glue"
#define MAX_CREATED 100			/* partitions of BatchCreatePartition */
#define MAX_DELETED 25			/* of BatchDeletePartition */
#define MAX_LISTED 1000			/* of GetPartitions */
#define MAX_TRIES 6				/* when others change the table at the same time */
#define FIRST_PAUSE 100			/* ms; doubles */

/* the parameter that says which flow a table is of */
#define FLOW_PARAMETER "AppFlowFlow"

#define TEXT_INPUT "org.apache.hadoop.mapred.TextInputFormat"
#define TEXT_OUTPUT "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

/*
 * How files are read.  OpenCSVSerde takes a backslash for an escape unless told of
 * another character; ours has none, so it is told of one that text does not have.
 */
static const struct
{
	const char *classification;
	const char *input;
	const char *output;
	const char *library;
	const char *parameters;
}			formats[] = {
	[S3_CSV] = {"csv", TEXT_INPUT, TEXT_OUTPUT, "org.apache.hadoop.hive.serde2.OpenCSVSerde",
	"{\"separatorChar\":\",\",\"quoteChar\":\"\\\"\",\"escapeChar\":\"\\u0001\"}"},
	[S3_JSON] = {"json", TEXT_INPUT, TEXT_OUTPUT, "org.openx.data.jsonserde.JsonSerDe", "{\"serialization.format\":\"1\"}"},
	[S3_PARQUET] = {"parquet", "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
		"org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
	"org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe", "{\"serialization.format\":\"1\"}"},
};

/* members of a table that TableInput has too, and that are not ours to set */
static const char *const kept_members[] = {
	"Description", "Owner", "LastAccessTime", "LastAnalyzedTime", "Retention", "ViewOriginalText", "ViewExpandedText",
	"TargetTable"
};

/* the same of a StorageDescriptor */
static const char *const kept_storage[] = {
	"AdditionalLocations", "NumberOfBuckets", "BucketColumns", "SortColumns", "Parameters", "SchemaReference",
	"SkewedInfo", "StoredAsSubDirectories"
};

/* ---------- types ---------- */

char *
glue_type(const Field *field, S3FileType file_type)
{
	/* text files have no types: this one reads all columns as text */
	if (file_type == S3_CSV)
		return "string";
	switch (field->type)
	{
		case FIELD_BOOLEAN:
			return "boolean";
		case FIELD_INTEGER:
			return "int";
		case FIELD_LONG:
			return "bigint";
		case FIELD_FLOAT:
			return "float";
		case FIELD_DOUBLE:
			return "double";
		case FIELD_DECIMAL:
			if (field->precision > 0 && field->precision <= PARQUET_DECIMAL_DIGITS && field->scale >= 0 &&
				field->scale <= field->precision)
				return psprintf("decimal(%d,%d)", field->precision, field->scale);
			return "string";
		default:
			break;
	}
	/* in JSON the others are text, in whatever form the source has given it */
	if (file_type == S3_JSON)
		return "string";
	switch (field->type)
	{
		case FIELD_DATE:
			return "date";
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			return "timestamp";
		case FIELD_BINARY:
			return "binary";
		default:
			return "string";
	}
}

/* ---------- JSON ---------- */

static void
append_key(StringInfo out, const char *key)
{
	char		last = out->len > 0 ? out->data[out->len - 1] : '{';

	if (last != '{' && last != '[')
		appendStringInfoChar(out, ',');
	escape_json(out, key);
	appendStringInfoChar(out, ':');
}

static void
append_text(StringInfo out, const char *key, const char *value)
{
	append_key(out, key);
	escape_json(out, value);
}

/* an element of an array */
static void
append_comma(StringInfo out)
{
	if (out->data[out->len - 1] != '[')
		appendStringInfoChar(out, ',');
}

/* append the member of a document, if it has it */
static void
append_member(StringInfo out, Jsonb *document, const char *key)
{
	JsonbValue	value;

	if (document == NULL || getKeyJsonValueFromContainer(&document->root, key, strlen(key), &value) == NULL)
		return;
	if (value.type == jbvNull)
		return;
	append_key(out, key);
	switch (value.type)
	{
		case jbvBinary:
			(void) JsonbToCString(out, value.val.binary.data, value.val.binary.len);
			break;
		case jbvString:
			escape_json(out, pnstrdup(value.val.string.val, value.val.string.len));
			break;
		case jbvNumeric:
			appendStringInfoString(out, DatumGetCString(DirectFunctionCall1(numeric_out,
																			NumericGetDatum(value.val.numeric))));
			break;
		default:
			appendStringInfoString(out, value.val.boolean ? "true" : "false");
	}
}

static void
append_texts(StringInfo out, const char *key, List *texts)
{
	ListCell   *lc;

	append_key(out, key);
	appendStringInfoChar(out, '[');
	foreach(lc, texts)
	{
		append_comma(out);
		escape_json(out, lfirst(lc));
	}
	appendStringInfoChar(out, ']');
}

/* a request about a table begins so */
static void
begin_request(StringInfo out, const GlueCatalog *catalog)
{
	initStringInfo(out);
	appendStringInfoChar(out, '{');
	append_text(out, "DatabaseName", catalog->database);
}

/* JSON in a form that two documents of the same contents share */
static char *
canonical(const char *text)
{
	Jsonb	   *document = jsonb_parse(text);

	return document == NULL ? "" : JsonbToCString(NULL, &document->root, VARSIZE(document));
}

/* ---------- calls ---------- */

/* A failure that is an answer as good as others, or not. */
static bool
failed_so(HttpCall *call, const char *name)
{
	return call->status != 200 && strcmp(aws_read_failure(call).name, name) == 0;
}

static HttpCall *
send_request(GlueCatalog *catalog, const char *action, const char *body)
{
	HttpCall   *call = aws_target_call(catalog->target, "POST", "/", psprintf("AWSGlue.%s", action), body, strlen(body),
									   true);

	http_wait(call);
	return call;
}

static Jsonb *
take_answer(GlueCatalog *catalog, HttpCall *call, const char *table)
{
	char	   *what = psprintf("table \"%s\"", table);
	Jsonb	   *document;

	if (call->status != 200)
		aws_target_raise(catalog->target, call, what);
	document = aws_target_document(catalog->target, call, what);
	http_close(call);
	return document;
}

/* the table as it is, or NULL */
static Jsonb *
get_table(GlueCatalog *catalog, const char *name)
{
	StringInfoData body;
	HttpCall   *call;

	begin_request(&body, catalog);
	append_text(&body, "Name", name);
	appendStringInfoChar(&body, '}');
	call = send_request(catalog, "GetTable", body.data);
	if (failed_so(call, "EntityNotFoundException"))
	{
		/* of the database, CreateTable tells the same in its own words */
		http_close(call);
		return NULL;
	}
	return jsonb_get_container(take_answer(catalog, call, name), "Table");
}

/* ---------- columns ---------- */

static void
append_column(StringInfo out, const GlueColumn *column, Jsonb *before)
{
	append_comma(out);
	appendStringInfoChar(out, '{');
	append_text(out, "Name", column->name);
	append_text(out, "Type", column->type);
	append_member(out, before, "Comment");
	if (column->label != NULL || column->description != NULL)
	{
		append_key(out, "Parameters");
		appendStringInfoChar(out, '{');
		if (column->label != NULL)
			append_text(out, "AppFlowLabel", column->label);
		if (column->description != NULL)
			append_text(out, "AppFlowDescription", column->description);
		appendStringInfoChar(out, '}');
	}
	appendStringInfoChar(out, '}');
}

static Jsonb *
find_column(List *columns, const char *name)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		char	   *other = jsonb_get_text(lfirst(lc), "Name");

		if (other != NULL && strcmp(other, name) == 0)
			return lfirst(lc);
	}
	return NULL;
}

static bool
is_ours(const GlueTable *table, const char *name)
{
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		if (strcmp(((GlueColumn *) lfirst(lc))->name, name) == 0)
			return true;
	}
	foreach(lc, table->keys)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/*
 * The columns of the files, then those that only earlier files have, where
 * columns are told by name.
 */
static void
append_columns(StringInfo out, const GlueTable *table, Jsonb *before)
{
	List	   *old = jsonb_array_containers(jsonb_get_container(before, "Columns"));
	ListCell   *lc;

	append_key(out, "Columns");
	appendStringInfoChar(out, '[');
	foreach(lc, table->columns)
	{
		const GlueColumn *column = lfirst(lc);

		append_column(out, column, find_column(old, column->name));
	}
	foreach(lc, table->latest || table->file_type == S3_CSV ? NIL : old)
	{
		char	   *name = jsonb_get_text(lfirst(lc), "Name");

		if (name == NULL || is_ours(table, name))
			continue;
		append_comma(out);
		(void) JsonbToCString(out, &((Jsonb *) lfirst(lc))->root, VARSIZE(lfirst(lc)));
	}
	appendStringInfoChar(out, ']');
}

/* ---------- descriptions ---------- */

static void
append_storage(StringInfo out, const GlueTable *table, const char *location, Jsonb *before)
{
	append_key(out, "StorageDescriptor");
	appendStringInfoChar(out, '{');
	append_columns(out, table, before);
	append_text(out, "Location", location);
	append_text(out, "InputFormat", formats[table->file_type].input);
	append_text(out, "OutputFormat", formats[table->file_type].output);
	append_key(out, "Compressed");
	appendStringInfoString(out, "false");
	append_key(out, "SerdeInfo");
	appendStringInfo(out, "{\"SerializationLibrary\":\"%s\",\"Parameters\":%s}", formats[table->file_type].library,
					 formats[table->file_type].parameters);
	for (int i = 0; i < (int) lengthof(kept_storage); i++)
		append_member(out, before, kept_storage[i]);
	appendStringInfoChar(out, '}');
}

/* ours, and those that others have added */
static void
append_parameters(StringInfo out, const GlueTable *table, Jsonb *before)
{
	ListCell   *lc;

	append_key(out, "Parameters");
	appendStringInfoChar(out, '{');
	append_text(out, "classification", formats[table->file_type].classification);
	append_text(out, "EXTERNAL", "TRUE");
	append_text(out, FLOW_PARAMETER, table->flow);
	if (table->file_type == S3_CSV)
		append_text(out, "skip.header.line.count", "1");
	foreach(lc, jsonb_keys(before))
	{
		if (strcmp(lfirst(lc), "classification") != 0 && strcmp(lfirst(lc), "EXTERNAL") != 0 &&
			strcmp(lfirst(lc), FLOW_PARAMETER) != 0 && strcmp(lfirst(lc), "skip.header.line.count") != 0)
			append_member(out, before, lfirst(lc));
	}
	appendStringInfoChar(out, '}');
}

/* the table's TableInput, made of what it is (or NULL) and what it should be */
static char *
table_input(const GlueTable *table, Jsonb *before)
{
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	append_text(&out, "Name", table->name);
	append_text(&out, "TableType", "EXTERNAL_TABLE");
	for (int i = 0; i < (int) lengthof(kept_members); i++)
		append_member(&out, before, kept_members[i]);
	append_parameters(&out, table, jsonb_get_container(before, "Parameters"));
	append_key(&out, "PartitionKeys");
	appendStringInfoChar(&out, '[');
	foreach(lc, table->keys)
	{
		append_comma(&out);
		appendStringInfoChar(&out, '{');
		append_text(&out, "Name", lfirst(lc));
		append_text(&out, "Type", "string");
		appendStringInfoChar(&out, '}');
	}
	appendStringInfoChar(&out, ']');
	append_storage(&out, table, table->location, jsonb_get_container(before, "StorageDescriptor"));
	appendStringInfoChar(&out, '}');
	return out.data;
}

/* the TableInput that would leave the table as it is */
static char *
input_as_is(Jsonb *before)
{
	StringInfoData out;
	static const char *const members[] = {"Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor"};

	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	for (int i = 0; i < (int) lengthof(members); i++)
		append_member(&out, before, members[i]);
	for (int i = 0; i < (int) lengthof(kept_members); i++)
		append_member(&out, before, kept_members[i]);
	appendStringInfoChar(&out, '}');
	return out.data;
}

/* ---------- partitions ---------- */

/* do the partitions of a table as it is have our keys? */
static bool
same_keys(const GlueTable *table, Jsonb *before)
{
	List	   *keys = jsonb_array_containers(jsonb_get_container(before, "PartitionKeys"));

	if (list_length(keys) != list_length(table->keys))
		return false;
	for (int i = 0; i < list_length(keys); i++)
	{
		char	   *name = jsonb_get_text(list_nth(keys, i), "Name");

		if (name == NULL || strcmp(name, list_nth(table->keys, i)) != 0)
			return false;
	}
	return true;
}

/*
 * Raise the first of the errors of a batch but for one that means that all is
 * well; returns how many were that one.
 */
static int
check_errors(const char *action, const char *table, Jsonb *answer, const char *fine)
{
	int			count = 0;
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "Errors")))
	{
		Jsonb	   *detail = jsonb_get_container(lfirst(lc), "ErrorDetail");
		char	   *code = jsonb_get_text(detail, "ErrorCode");
		char	   *message = jsonb_get_text(detail, "ErrorMessage");
		StringInfoData values;
		ListCell   *value;

		if (code != NULL && strcmp(code, fine) == 0)
		{
			count++;
			continue;
		}
		initStringInfo(&values);
		foreach(value, jsonb_array_texts(jsonb_get_container(lfirst(lc), "PartitionValues")))
			appendStringInfo(&values, "%s%s", values.len > 0 ? ", " : "", (char *) lfirst(value));
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "%s answered %s with the error %s.", NAME, action,
									 code == NULL ? "without a code" : aws_shown(code)),
				errmsg("%s refused partition (%s) of table \"%s\": %s", NAME, values.data, table,
					   message != NULL ? aws_shown(message) : code != NULL ? aws_shown(code) : "it does not say why"));
	}
	return count;
}

static void
delete_partitions(GlueCatalog *catalog, const char *table, List *partitions)
{
	for (int i = 0; i < list_length(partitions); i += MAX_DELETED)
	{
		StringInfoData body;

		CHECK_FOR_INTERRUPTS();
		begin_request(&body, catalog);
		append_text(&body, "TableName", table);
		append_key(&body, "PartitionsToDelete");
		appendStringInfoChar(&body, '[');
		for (int j = i; j < Min(i + MAX_DELETED, list_length(partitions)); j++)
		{
			append_comma(&body);
			appendStringInfoChar(&body, '{');
			append_texts(&body, "Values", list_nth(partitions, j));
			appendStringInfoChar(&body, '}');
		}
		appendStringInfoString(&body, "]}");
		(void) check_errors("BatchDeletePartition", table,
							take_answer(catalog, send_request(catalog, "BatchDeletePartition", body.data), table),
							"EntityNotFoundException");
		pfree(body.data);
	}
}

/* Remove partitions that are not of the table as it should be: all if its keys are others. */
static void
remove_stale(GlueCatalog *catalog, const GlueTable *table, bool all)
{
	List	   *stale = NIL;
	char	   *token = NULL;
	char	   *last;

	do
	{
		StringInfoData body;
		Jsonb	   *answer;
		ListCell   *lc;

		CHECK_FOR_INTERRUPTS();
		begin_request(&body, catalog);
		append_text(&body, "TableName", table->name);
		append_key(&body, "MaxResults");
		appendStringInfo(&body, "%d", MAX_LISTED);
		append_key(&body, "ExcludeColumnSchema");
		appendStringInfoString(&body, "true");
		if (token != NULL)
			append_text(&body, "NextToken", token);
		appendStringInfoChar(&body, '}');
		answer = take_answer(catalog, send_request(catalog, "GetPartitions", body.data), table->name);
		foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "Partitions")))
		{
			char	   *location = jsonb_get_text(jsonb_get_container(lfirst(lc), "StorageDescriptor"), "Location");

			if (all || location == NULL || strncmp(location, table->location, strlen(table->location)) != 0)
				stale = lappend(stale, jsonb_array_texts(jsonb_get_container(lfirst(lc), "Values")));
		}
		last = token;
		token = jsonb_get_text(answer, "NextToken");
		if (token != NULL && last != NULL && strcmp(token, last) == 0)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("%s gives the same page of the partitions of table \"%s\" again and again", NAME, table->name));
	} while (token != NULL && token[0] != '\0');
	delete_partitions(catalog, table->name, stale);
}

int
glue_put_partitions(GlueCatalog *catalog, const GlueTable *table)
{
	int			created = 0;

	for (int i = 0; i < list_length(table->partitions); i += MAX_CREATED)
	{
		StringInfoData body;
		int			count = Min(MAX_CREATED, list_length(table->partitions) - i);

		CHECK_FOR_INTERRUPTS();
		begin_request(&body, catalog);
		append_text(&body, "TableName", table->name);
		append_key(&body, "PartitionInputList");
		appendStringInfoChar(&body, '[');
		for (int j = i; j < i + count; j++)
		{
			const GluePartition *partition = list_nth(table->partitions, j);

			append_comma(&body);
			appendStringInfoChar(&body, '{');
			append_texts(&body, "Values", partition->values);
			append_storage(&body, table, partition->location, NULL);
			appendStringInfoChar(&body, '}');
		}
		appendStringInfoString(&body, "]}");
		created += count - check_errors("BatchCreatePartition", table->name,
										take_answer(catalog, send_request(catalog, "BatchCreatePartition", body.data), table->name),
										"AlreadyExistsException");
		pfree(body.data);
	}
	return created;
}

/* ---------- tables ---------- */

/* two flows whose names differ in what a table's name cannot have */
static void
check_flow(const GlueTable *table, Jsonb *before)
{
	char	   *flow = jsonb_get_text(jsonb_get_container(before, "Parameters"), FLOW_PARAMETER);

	if (flow != NULL && strcmp(flow, table->flow) != 0)
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("table \"%s\" is of another flow: %s; give this one another tablePrefix", table->name, flow));
}

GlueCatalog *
glue_open(const char *database, const char *role_arn, Oid user)
{
	GlueCatalog *catalog = palloc0(sizeof(GlueCatalog));

	catalog->target = aws_target_open(NAME, "glue", "glue", aws_glue_endpoint, NULL, user);
	catalog->target->signer.credentials = aws_role_credentials(role_arn);
	catalog->database = database;
	return catalog;
}

/* create or update the table, once; false if somebody else has changed it meanwhile */
static bool
try_table(GlueCatalog *catalog, const GlueTable *table, GlueChange *change)
{
	Jsonb	   *before = get_table(catalog, table->name);
	char	   *input = table_input(table, before);
	StringInfoData body;
	HttpCall   *call;

	*change = before == NULL ? GLUE_CREATED : GLUE_UPDATED;
	if (before != NULL)
	{
		bool		keys = same_keys(table, before);

		check_flow(table, before);
		if ((!keys || table->latest) && jsonb_array_containers(jsonb_get_container(before, "PartitionKeys")) != NIL)
			remove_stale(catalog, table, !keys);
		if (strcmp(canonical(input), canonical(input_as_is(before))) == 0)
		{
			*change = GLUE_UNCHANGED;
			return true;
		}
	}
	begin_request(&body, catalog);
	append_key(&body, "TableInput");
	appendStringInfoString(&body, input);
	if (before != NULL)
	{
		append_key(&body, "SkipArchive");
		appendStringInfoString(&body, "true");
	}
	appendStringInfoChar(&body, '}');
	call = send_request(catalog, before == NULL ? "CreateTable" : "UpdateTable", body.data);
	if (failed_so(call, "ConcurrentModificationException") ||
		failed_so(call, before == NULL ? "AlreadyExistsException" : "EntityNotFoundException"))
		return false;
	(void) take_answer(catalog, call, table->name);
	return true;
}

GlueChange
glue_put_table(GlueCatalog *catalog, const GlueTable *table)
{
	GlueChange	change;

	for (int i = 1; !try_table(catalog, table, &change); i++)
	{
		if (i == MAX_TRIES)
			ereport(ERROR,
					appflow_error(WF_THROTTLING),
					errmsg("table \"%s\" is changed by others all the time: gave up after %d tries", table->name, MAX_TRIES));
		http_pause(FIRST_PAUSE << (i - 1));
	}
	return change;
}
