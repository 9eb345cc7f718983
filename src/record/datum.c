/*-------------------------------------------------------------------------
 *
 * datum.c
 *	  Cells to values of PostgreSQL's types, and back.
 *
 * The types that data mostly has are built and read directly; every other
 * type goes through its input and output functions.  Cells are UTF-8; text
 * is converted only where the database encoding differs.
 *
 * IDENTIFICATION
 *	  src/record/datum.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "record/datum.h"
#include "record/numeric_text.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* days and microseconds between the Unix and the PostgreSQL epoch */
#define EPOCH_DAYS (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)
#define EPOCH_MICROS (EPOCH_DAYS * USECS_PER_DAY)

/* ---------- text of either encoding ---------- */

/* the cell's text in the database encoding; also refuses what no text type holds */
static const char *
server_text(const Cell *cell, size_t *length)
{
	*length = cell->length;
	if (memchr(cell->data, '\0', cell->length) != NULL)
		ereport(ERROR,
				errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				errmsg("invalid byte sequence for encoding \"%s\": 0x00",
					   GetDatabaseEncodingName()));
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		char	   *converted = pg_any_to_server(cell->data, cell->length, PG_UTF8);

		if (converted != cell->data)
		{
			*length = strlen(converted);
			return converted;
		}
	}
	return cell->data;
}

/* text in the database encoding as a cell of the batch */
static Cell
text_cell(Batch *batch, CellKind kind, const char *data, size_t length)
{
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		char	   *converted = pg_server_to_any(data, length, PG_UTF8);

		if (converted != data)
		{
			data = converted;
			length = strlen(converted);
		}
	}
	return cell_text(kind, batch_copy(batch, data, length), length);
}

/* the cell as a C string for an input function, in the maker's scratch space */
static char *
input_text(DatumMaker *maker, const Cell *cell, FieldType type)
{
	resetStringInfo(&maker->scratch);
	if (cell_is_text(cell))
	{
		size_t		length;
		const char *text = server_text(cell, &length);

		appendBinaryStringInfo(&maker->scratch, text, length);
	}
	else
	{
		char	   *text = cell_text_cstring(cell, type);

		appendStringInfoString(&maker->scratch, text);
		pfree(text);
	}
	return maker->scratch.data;
}

/* ---------- cell to value ---------- */

static Datum
write_by_input(DatumMaker *maker, const Cell *cell)
{
	return InputFunctionCall(&maker->input, input_text(maker, cell, FIELD_DATETIME),
							 maker->ioparam, maker->typmod);
}

static Datum
write_boolean(DatumMaker *maker, const Cell *cell)
{
	return BoolGetDatum(cell->integer != 0);
}

static Datum
write_int2(DatumMaker *maker, const Cell *cell)
{
	if (cell->integer < PG_INT16_MIN || cell->integer > PG_INT16_MAX)
		ereport(ERROR,
				errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				errmsg("value \"" INT64_FORMAT "\" is out of range for type %s",
					   cell->integer, "smallint"));
	return Int16GetDatum((int16) cell->integer);
}

static Datum
write_int4(DatumMaker *maker, const Cell *cell)
{
	return Int32GetDatum((int32) cell->integer);
}

static Datum
write_int8(DatumMaker *maker, const Cell *cell)
{
	return Int64GetDatum(cell->integer);
}

static Datum
write_oid(DatumMaker *maker, const Cell *cell)
{
	if (cell->integer < 0 || cell->integer > PG_UINT32_MAX)
		ereport(ERROR,
				errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				errmsg("value \"" INT64_FORMAT "\" is out of range for type %s",
					   cell->integer, "oid"));
	return ObjectIdGetDatum((Oid) cell->integer);
}

static Datum
write_float4(DatumMaker *maker, const Cell *cell)
{
	return Float4GetDatum((float4) cell->real);
}

static Datum
write_float8(DatumMaker *maker, const Cell *cell)
{
	return Float8GetDatum(cell->real);
}

static Datum
write_numeric(DatumMaker *maker, const Cell *cell)
{
	char		small[64];
	char	   *text = small;
	Datum		value;

	if (numeric_from_text(cell->data, cell->length, maker->typmod, &value))
		return value;

	/* numbers are ASCII, and nearly always short */
	if (cell->length < sizeof(small))
	{
		memcpy(small, cell->data, cell->length);
		small[cell->length] = '\0';
	}
	else
		text = input_text(maker, cell, FIELD_DECIMAL);
	return DirectFunctionCall3(numeric_in, CStringGetDatum(text),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(maker->typmod));
}

static Datum
write_text(DatumMaker *maker, const Cell *cell)
{
	size_t		length;
	const char *text = server_text(cell, &length);

	return PointerGetDatum(cstring_to_text_with_len(text, length));
}

/*
 * Unlike varchar's own input, this does not cut blanks that exceed the limit:
 * a value arrives whole or is refused.
 */
static Datum
write_varchar(DatumMaker *maker, const Cell *cell)
{
	size_t		length;
	const char *text = server_text(cell, &length);
	size_t		limit = maker->typmod - VARHDRSZ;

	if (length > limit && (size_t) pg_mbstrlen_with_len(text, length) > limit)
		ereport(ERROR,
				errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				errmsg("value too long for type character varying(%d)", (int) limit));
	return PointerGetDatum(cstring_to_text_with_len(text, length));
}

static Datum
write_bpchar(DatumMaker *maker, const Cell *cell)
{
	size_t		length;
	const char *text = server_text(cell, &length);
	size_t		limit = maker->typmod - VARHDRSZ;

	if (length > limit && (size_t) pg_mbstrlen_with_len(text, length) > limit)
		ereport(ERROR,
				errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				errmsg("value too long for type character(%d)", (int) limit));
	return write_by_input(maker, cell);
}

static Datum
write_date(DatumMaker *maker, const Cell *cell)
{
	int64		days;

	if (cell->kind == CELL_STRING)
		return write_by_input(maker, cell);	/* infinity */
	days = cell->integer - EPOCH_DAYS;
	if (days < (int64) DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE ||
		days >= (int64) DATE_END_JULIAN - POSTGRES_EPOCH_JDATE)
		ereport(ERROR,
				errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("date out of range: \"%s\"", cell_text_cstring(cell, FIELD_DATE)));
	return DateADTGetDatum((DateADT) days);
}

static Datum
write_timestamp(DatumMaker *maker, const Cell *cell)
{
	int64		micros;
	Datum		value;

	if (cell->kind == CELL_STRING)
		return write_by_input(maker, cell);	/* infinity */
	if (__builtin_sub_overflow(cell->integer, EPOCH_MICROS, &micros) ||
		!IS_VALID_TIMESTAMP(micros))
		ereport(ERROR,
				errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("timestamp out of range: \"%s\"", cell_text_cstring(cell, FIELD_TIMESTAMP)));
	value = TimestampGetDatum(micros);

	/* a column of few fractional digits rounds, as its type is meant to */
	if (maker->typmod >= 0)
		value = DirectFunctionCall2(timestamp_scale, value, Int32GetDatum(maker->typmod));
	return value;
}

static Datum
write_uuid(DatumMaker *maker, const Cell *cell)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));
	const char *p = cell->data;

	/* canonical: 36 characters, lower case */
	for (int i = 0; i < UUID_LEN; i++)
	{
		int			high;
		int			low;

		if (*p == '-')
			p++;
		high = *p <= '9' ? *p - '0' : *p - 'a' + 10;
		low = p[1] <= '9' ? p[1] - '0' : p[1] - 'a' + 10;
		uuid->data[i] = high << 4 | low;
		p += 2;
	}
	return UUIDPGetDatum(uuid);
}

static Datum
write_bytea(DatumMaker *maker, const Cell *cell)
{
	bytea	   *value = palloc(VARHDRSZ + cell->length / 4 * 3);

	SET_VARSIZE(value, VARHDRSZ + cell_base64_decode(cell, VARDATA(value)));
	return PointerGetDatum(value);
}

/* a cell as JSON text, in the database encoding, appended */
static void
append_json(StringInfo out, const Cell *cell)
{
	const char *text = cell->data;
	size_t		length = cell->length;

	if (cell->kind == CELL_BOOLEAN)
	{
		appendStringInfoString(out, cell->integer ? "true" : "false");
		return;
	}
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		char	   *converted = pg_any_to_server(text, length, PG_UTF8);

		if (converted != text)
		{
			text = converted;
			length = strlen(converted);
		}
	}
	if (cell->kind != CELL_STRING)
	{
		appendBinaryStringInfo(out, text, length);
		return;
	}
	appendStringInfoChar(out, '"');
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c == '"' || c == '\\')
		{
			appendStringInfoCharMacro(out, '\\');
			appendStringInfoCharMacro(out, (char) c);
		}
		else if (c == '\n')
			appendStringInfoString(out, "\\n");
		else if (c < 0x20)
			appendStringInfo(out, "\\u%04x", c);
		else
			appendStringInfoCharMacro(out, (char) c);
	}
	appendStringInfoChar(out, '"');
}

static Datum
write_json(DatumMaker *maker, const Cell *cell)
{
	resetStringInfo(&maker->scratch);
	append_json(&maker->scratch, cell);
	return PointerGetDatum(cstring_to_text_with_len(maker->scratch.data, maker->scratch.len));
}

static Datum
write_jsonb(DatumMaker *maker, const Cell *cell)
{
	resetStringInfo(&maker->scratch);
	append_json(&maker->scratch, cell);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(maker->scratch.data));
}

/* an element of an array's literal, quoted */
static void
append_array_element(StringInfo out, const char *text, size_t length)
{
	appendStringInfoChar(out, '"');
	for (size_t i = 0; i < length; i++)
	{
		if (text[i] == '"' || text[i] == '\\')
			appendStringInfoChar(out, '\\');
		appendStringInfoChar(out, text[i]);
	}
	appendStringInfoChar(out, '"');
}

/* a JSON array as the literal that array_in takes */
static void
append_array_literal(StringInfo out, JsonbContainer *array, bool json_elements)
{
	JsonbIterator *it = JsonbIteratorInit(array);
	JsonbValue	value;
	JsonbIteratorToken token;
	bool		first = true;

	check_stack_depth();
	appendStringInfoChar(out, '{');
	(void) JsonbIteratorNext(&it, &value, true);
	while ((token = JsonbIteratorNext(&it, &value, true)) == WJB_ELEM)
	{
		if (!first)
			appendStringInfoChar(out, ',');
		first = false;
		if (value.type == jbvNull && !json_elements)
			appendStringInfoString(out, "NULL");
		else if (value.type == jbvBinary && !json_elements &&
				 JsonContainerIsArray(value.val.binary.data))
			append_array_literal(out, value.val.binary.data, false);
		else if (value.type == jbvString && !json_elements)
			append_array_element(out, value.val.string.val, value.val.string.len);
		else
		{
			Jsonb	   *element = JsonbValueToJsonb(&value);
			char	   *text = JsonbToCString(NULL, &element->root, VARSIZE(element));

			append_array_element(out, text, strlen(text));
		}
	}
	appendStringInfoChar(out, '}');
}

/* JSON arrays become arrays; any other text must be an array's literal */
static Datum
write_array(DatumMaker *maker, const Cell *cell)
{
	char	   *text;

	if (cell->kind != CELL_JSON || cell->length == 0 || cell->data[0] == '{')
		return write_by_input(maker, cell);
	text = input_text(maker, cell, FIELD_JSON);
	if (text[strspn(text, " \t\r\n")] == '[')
	{
		Jsonb	   *array = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));

		resetStringInfo(&maker->scratch);
		append_array_literal(&maker->scratch, &array->root,
							 maker->element == JSONOID || maker->element == JSONBOID);
	}
	return InputFunctionCall(&maker->input, maker->scratch.data, maker->ioparam, maker->typmod);
}

/* JSON objects fill composite values as jsonb_populate_record() does */
static Datum
write_composite(DatumMaker *maker, const Cell *cell)
{
	LOCAL_FCINFO(fcinfo, 2);
	Datum		value;

	if (cell->kind != CELL_JSON)
		return write_by_input(maker, cell);
	value = DirectFunctionCall1(jsonb_in, CStringGetDatum(input_text(maker, cell, FIELD_JSON)));
	InitFunctionCallInfoData(*fcinfo, &maker->populate, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = (Datum) 0;
	fcinfo->args[0].isnull = true;
	fcinfo->args[1].value = value;
	fcinfo->args[1].isnull = false;
	return FunctionCallInvoke(fcinfo);
}

/* the base type's value, checked; a domain may refuse null, too */
static Datum
write_domain(DatumMaker *maker, const Cell *cell)
{
	bool		isnull;
	Datum		value = datum_make(maker->base, cell, &isnull);

	domain_check(value, isnull, maker->type, &maker->domain_state, maker->context);
	return value;
}

/*
 * How the columns of a type are made and read.  Other types: by input and
 * output function, as FIELD_STRING.
 */
static const struct
{
	Oid			type;
	FieldType	field;
	Datum		(*make) (DatumMaker *maker, const Cell *cell);
}			direct_types[] = {
	{TEXTOID, FIELD_STRING, write_text},
	{VARCHAROID, FIELD_STRING, write_varchar},
	{BPCHAROID, FIELD_STRING, write_bpchar},
	{BOOLOID, FIELD_BOOLEAN, write_boolean},
	{INT2OID, FIELD_INTEGER, write_int2},
	{INT4OID, FIELD_INTEGER, write_int4},
	{INT8OID, FIELD_LONG, write_int8},
	{OIDOID, FIELD_LONG, write_oid},
	{FLOAT4OID, FIELD_FLOAT, write_float4},
	{FLOAT8OID, FIELD_DOUBLE, write_float8},
	{NUMERICOID, FIELD_DECIMAL, write_numeric},
	{DATEOID, FIELD_DATE, write_date},
	{TIMESTAMPTZOID, FIELD_DATETIME, write_timestamp},
	{TIMESTAMPOID, FIELD_TIMESTAMP, write_timestamp},
	{TIMEOID, FIELD_TIME, write_by_input},
	{UUIDOID, FIELD_UUID, write_uuid},
	{BYTEAOID, FIELD_BINARY, write_bytea},
	{JSONOID, FIELD_JSON, write_json},
	{JSONBOID, FIELD_JSON, write_jsonb},
};

static int
find_direct_type(Oid type)
{
	for (int i = 0; i < (int) lengthof(direct_types); i++)
	{
		if (direct_types[i].type == type)
			return i;
	}
	return -1;
}

bool
datum_reads_as_json(Oid type)
{
	Oid			base = getBaseType(type);

	if (base == JSONOID || base == JSONBOID)
		return false;
	return OidIsValid(get_base_element_type(base)) || type_is_rowtype(base);
}

void
field_set_column_type(Field *field, Oid type, int32 typmod)
{
	int32		base_typmod = typmod;
	Oid			base = getBaseTypeAndTypmod(type, &base_typmod);
	int			direct = find_direct_type(base);

	field->native_type = format_type_with_typemod(type, typmod);
	field->precision = 0;
	field->scale = 0;
	field->specials = false;
	if (direct >= 0)
		field->type = direct_types[direct].field;
	else if (datum_reads_as_json(base))
		field->type = FIELD_JSON;
	else
		field->type = FIELD_STRING;
	switch (field->type)
	{
		case FIELD_DECIMAL:
			field->specials = true;
			if (base_typmod >= (int32) VARHDRSZ)
			{
				int32		packed = base_typmod - VARHDRSZ;

				/* as numeric.c packs them: the scale is signed, of 11 bits */
				field->precision = packed >> 16 & 0xffff;
				field->scale = ((packed & 0x7ff) ^ 1024) - 1024;
			}
			break;
		case FIELD_DATE:
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			field->specials = true;
			break;
		default:
			break;
	}
}

void
datum_maker_init(DatumMaker *maker, Oid type, int32 typmod)
{
	Oid			input;
	int			direct = find_direct_type(type);

	memset(maker, 0, sizeof(*maker));
	maker->type = type;
	maker->typmod = typmod;
	maker->context = CurrentMemoryContext;
	if (get_typtype(type) == TYPTYPE_DOMAIN)
	{
		int32		base_typmod = typmod;
		Oid			base = getBaseTypeAndTypmod(type, &base_typmod);

		maker->base = palloc(sizeof(DatumMaker));
		datum_maker_init(maker->base, base, base_typmod);
		maker->make = write_domain;
		return;
	}
	getTypeInputInfo(type, &input, &maker->ioparam);
	fmgr_info(input, &maker->input);
	initStringInfo(&maker->scratch);
	maker->make = write_by_input;
	if (direct >= 0)
	{
		maker->make = direct_types[direct].make;
		if ((type == VARCHAROID || type == BPCHAROID) && typmod < (int32) VARHDRSZ)
			maker->make = type == VARCHAROID ? write_text : write_by_input;
	}
	else if (OidIsValid(get_element_type(type)))
	{
		maker->element = getBaseType(get_element_type(type));
		maker->make = write_array;
	}
	else if (type_is_rowtype(type))
	{
		Const	   *row = makeNullConst(type, typmod, InvalidOid);
		Const	   *json = makeNullConst(JSONBOID, -1, InvalidOid);

		/* the function finds out the row type from the expression it is called by */
		fmgr_info(F_JSONB_POPULATE_RECORD, &maker->populate);
		fmgr_info_set_expr((Node *) makeFuncExpr(F_JSONB_POPULATE_RECORD, type,
												 list_make2(row, json),
												 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
						   &maker->populate);
		maker->make = write_composite;
	}
}

/* ---------- value to cell ---------- */

static Cell
read_by_output(DatumReader *reader, Batch *batch, Datum value)
{
	char	   *text = OutputFunctionCall(&reader->output, value);

	return text_cell(batch, CELL_STRING, text, strlen(text));
}

static Cell
read_boolean(DatumReader *reader, Batch *batch, Datum value)
{
	return cell_integer(CELL_BOOLEAN, DatumGetBool(value));
}

static Cell
read_int2(DatumReader *reader, Batch *batch, Datum value)
{
	return cell_integer(CELL_INTEGER, DatumGetInt16(value));
}

static Cell
read_int4(DatumReader *reader, Batch *batch, Datum value)
{
	return cell_integer(CELL_INTEGER, DatumGetInt32(value));
}

static Cell
read_int8(DatumReader *reader, Batch *batch, Datum value)
{
	return cell_integer(CELL_INTEGER, DatumGetInt64(value));
}

static Cell
read_oid(DatumReader *reader, Batch *batch, Datum value)
{
	return cell_integer(CELL_INTEGER, DatumGetObjectId(value));
}

static Cell
read_float4(DatumReader *reader, Batch *batch, Datum value)
{
	return cell_double(DatumGetFloat4(value));
}

static Cell
read_float8(DatumReader *reader, Batch *batch, Datum value)
{
	return cell_double(DatumGetFloat8(value));
}

static Cell
read_numeric(DatumReader *reader, Batch *batch, Datum value)
{
	char		digits[NUMERIC_TEXT_MAX];
	size_t		length = numeric_to_text(value, digits);
	char	   *text;
	char		last;

	if (length > 0)
		return cell_text(CELL_NUMBER, batch_copy(batch, digits, length), length);
	text = DatumGetCString(DirectFunctionCall1(numeric_out, value));
	length = strlen(text);
	last = text[length - 1];

	/* NaN and infinities are no numbers in JSON's sense */
	return cell_text(last >= '0' && last <= '9' ? CELL_NUMBER : CELL_STRING,
					 batch_copy(batch, text, length), length);
}

static Cell
read_text(DatumReader *reader, Batch *batch, Datum value)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(value);

	return text_cell(batch, CELL_STRING, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
}

static Cell
read_name(DatumReader *reader, Batch *batch, Datum value)
{
	const char *text = NameStr(*DatumGetName(value));

	return text_cell(batch, CELL_STRING, text, strlen(text));
}

static Cell
read_date(DatumReader *reader, Batch *batch, Datum value)
{
	DateADT		date = DatumGetDateADT(value);

	if (DATE_IS_NOBEGIN(date))
		return cell_text(CELL_STRING, "-infinity", 9);
	if (DATE_IS_NOEND(date))
		return cell_text(CELL_STRING, "infinity", 8);
	return cell_integer(CELL_DATE, (int64) date + EPOCH_DAYS);
}

static Cell
read_timestamp(DatumReader *reader, Batch *batch, Datum value)
{
	Timestamp	timestamp = DatumGetTimestamp(value);

	if (TIMESTAMP_IS_NOBEGIN(timestamp))
		return cell_text(CELL_STRING, "-infinity", 9);
	if (TIMESTAMP_IS_NOEND(timestamp))
		return cell_text(CELL_STRING, "infinity", 8);
	return cell_integer(CELL_TIMESTAMP, timestamp + EPOCH_MICROS);
}

static Cell
read_uuid(DatumReader *reader, Batch *batch, Datum value)
{
	static const char hex[] = "0123456789abcdef";
	pg_uuid_t  *uuid = DatumGetUUIDP(value);
	char	   *text = batch_alloc(batch, 36);
	char	   *p = text;

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[uuid->data[i] >> 4];
		*p++ = hex[uuid->data[i] & 15];
	}
	return cell_text(CELL_STRING, text, 36);
}

static Cell
read_bytea(DatumReader *reader, Batch *batch, Datum value)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);

	return cell_from_bytes(batch, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

/* a scalar JSON value has a kind of its own */
static Cell
scalar_cell(Batch *batch, Jsonb *jsonb)
{
	JsonbValue	scalar;

	JsonbExtractScalar(&jsonb->root, &scalar);
	switch (scalar.type)
	{
		case jbvString:
			return text_cell(batch, CELL_STRING, scalar.val.string.val, scalar.val.string.len);
		case jbvBool:
			return cell_integer(CELL_BOOLEAN, scalar.val.boolean);
		case jbvNumeric:
			{
				char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
																	   NumericGetDatum(scalar.val.numeric)));

				return text_cell(batch, CELL_NUMBER, text, strlen(text));
			}
		default:
			return cell_null();
	}
}

static Cell
read_jsonb(DatumReader *reader, Batch *batch, Datum value)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);

	if (JB_ROOT_IS_SCALAR(jsonb))
		return scalar_cell(batch, jsonb);
	resetStringInfo(&reader->scratch);
	JsonbToCString(&reader->scratch, &jsonb->root, VARSIZE(jsonb));
	return text_cell(batch, CELL_JSON, reader->scratch.data, reader->scratch.len);
}

static Cell
read_json(DatumReader *reader, Batch *batch, Datum value)
{
	struct varlena *json = PG_DETOAST_DATUM_PACKED(value);
	const char *text = VARDATA_ANY(json);
	size_t		length = VARSIZE_ANY_EXHDR(json);

	while (length > 0 && strchr(" \t\r\n", text[0]) != NULL)
	{
		text++;
		length--;
	}
	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		length--;
	if (length > 0 && text[0] != '{' && text[0] != '[')
	{
		char	   *scalar = pnstrdup(text, length);

		/* json takes a NUL character, which jsonb does not: leave that as it is written */
		if (strstr(scalar, "\\u0000") == NULL)
			return scalar_cell(batch, DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
																		 CStringGetDatum(scalar))));
	}
	return text_cell(batch, CELL_JSON, text, length);
}

void
datum_reader_init(DatumReader *reader, Oid type)
{
	static const struct
	{
		Oid			type;
		Cell		(*read) (DatumReader *reader, Batch *batch, Datum value);
	}			readers[] = {
		{TEXTOID, read_text},
		{VARCHAROID, read_text},
		{BPCHAROID, read_text},
		{NAMEOID, read_name},
		{BOOLOID, read_boolean},
		{INT2OID, read_int2},
		{INT4OID, read_int4},
		{INT8OID, read_int8},
		{OIDOID, read_oid},
		{FLOAT4OID, read_float4},
		{FLOAT8OID, read_float8},
		{NUMERICOID, read_numeric},
		{DATEOID, read_date},
		{TIMESTAMPOID, read_timestamp},
		{TIMESTAMPTZOID, read_timestamp},
		{UUIDOID, read_uuid},
		{BYTEAOID, read_bytea},
		{JSONOID, read_json},
		{JSONBOID, read_jsonb},
	};
	Oid			output;
	bool		varlena;

	memset(reader, 0, sizeof(*reader));
	reader->type = getBaseType(type);
	getTypeOutputInfo(reader->type, &output, &varlena);
	fmgr_info(output, &reader->output);
	initStringInfo(&reader->scratch);
	reader->read = read_by_output;
	for (int i = 0; i < (int) lengthof(readers); i++)
	{
		if (readers[i].type == reader->type)
			reader->read = readers[i].read;
	}
}
