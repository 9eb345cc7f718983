/*-------------------------------------------------------------------------
 *
 * record.h
 *	  Records on their way: schema, batch, and the two ends of a pipe.
 *
 * A reader fills batches, a writer takes them.  A batch is a table of cells,
 * column by column; its cells stay valid until the reader is asked for the
 * next one.
 *
 * IDENTIFICATION
 *	  src/record/record.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_RECORD_H
#define APPFLOW_RECORD_H

#include "postgres.h"

#include "codec/arena.h"
#include "codec/cell.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

/* ---------- schema.c ---------- */

typedef struct Field
{
	char	   *name;			/* as the application spells it */
	FieldType	type;
	int			precision;		/* FIELD_DECIMAL; 0: unlimited */
	int			scale;
	bool		from_double;	/* FIELD_DECIMAL: its values were doubles, so as such they lose
								 * nothing */
	bool		not_null;
	bool		key;			/* part of the entity's primary key */
	bool		hidden;			/* read because a task works on it; Map_all leaves it
								 * out */
	bool		specials;		/* takes what only text can carry: NaN and infinities of
								 * FIELD_DECIMAL, infinity of dates and times; their
								 * cells are then CELL_STRING */
	char	   *native_type;	/* the application's own name of the type */
	char	   *label;			/* for people; NULL: none */

	/* what the application tells of it beyond; what is zero is not told */
	char	   *description;
	int			max_length;		/* characters */
	List	   *values;			/* of char *: it has no others ... */
	bool		open_values;	/* ... but may, these are what people are offered */
	uint32		filters;		/* bits 1 << FilterOperator: conditions that the
								 * application evaluates */
	uint8		writes;			/* WRITES_... (connector/traits.h) that may set it */
	bool		write_only;		/* it cannot be read */
	bool		sortable;		/* the application can order by it */
	bool		incremental;	/* a time that says when a record has changed */
	bool		upsert_key;		/* UPSERT can go by it: an external id */
	char	   *references;		/* entity whose key it holds */
	char	   *relationship;	/* what comes before a dot and a field of that entity:
								 * "Account" in "Account.Name" */
	char	   *path;			/* where records of the application have it; NULL: its name */
	char	   *format;			/* how the application writes its values; NULL: as ISO 8601 */
} Field;

typedef struct Schema
{
	int			nfields;
	int			capacity;
	Field	   *fields;
} Schema;

extern Schema *schema_create(void);

/* append a field (the name is copied); returns it for more to be set */
extern Field *schema_add(Schema *schema, const char *name, FieldType type);

/* index of the field of that exact name, or -1 */
extern int	schema_find(const Schema *schema, const char *name);

/* the names of all fields, which are not copied */
extern List *schema_names(const Schema *schema);

/* whether a list of char * has a text */
extern bool list_has_text(const List *texts, const char *text);

/*
 * The field type that a native or AppFlow type name stands for ("String",
 * "picklist", "BigDecimal", "timestamp with time zone", ...; letter case does
 * not matter).  False, and FIELD_STRING, when the name is not known.
 */
extern bool field_type_from_name(const char *name, FieldType *type);

/* the same, with precision and scale: "numeric(10,2)", "BigInteger" */
extern bool field_set_type(Field *field, const char *name);

/* AppFlow's name of a field type, e.g. "DateTime" */
extern const char *field_type_name(FieldType type);

/* the PostgreSQL type for a field, e.g. "timestamp with time zone", "numeric(10,2)" */
extern char *field_sql_type(const Field *field);

/* ---------- batch.c ---------- */

#define BATCH_ROWS 1024			/* rows a batch has room for */

typedef struct Batch
{
	MemoryContext context;
	Arena	   *arena;			/* for text made on the way; emptied by batch_reset */
	int			ncolumns;
	int			capacity;
	Cell	  **columns;		/* ncolumns arrays of BATCH_ROWS cells */
	uint32		nrows;
	uint64		first_record;	/* 1-based number of row 0 in the run */
	uint64	   *lines;			/* line of each row in its object, 0: none */
	const char *object;			/* object or page the rows come from, or NULL */
} Batch;

extern Batch *batch_create(int ncolumns);
extern int	batch_add_column(Batch *batch); /* returns its index */

/*
 * The reader has come to a member that the schema does not have: it becomes a field, in
 * the schema's own memory context, and a column.
 */
struct JsonReader;
extern void batch_add_found(Batch *batch, Schema *schema, struct JsonReader *reader);
extern void batch_reset(Batch *batch);

/* arena_alloc() and arena_copy() that raise an error when memory is out */
extern void *batch_alloc(Batch *batch, size_t size);
extern char *batch_copy(Batch *batch, const char *data, size_t length);

/* "object \"x\", line 7" or "record 7": where a row came from */
extern char *batch_locate(const Batch *batch, uint32 row);

/* ---------- the ends of a pipe ---------- */

/*
 * The files that belong to a record, one after another: documents of which the record
 * tells.  Lives until the reader is asked for another record's, or for records.
 */
typedef struct RecordFiles RecordFiles;

struct RecordFiles
{
	/*
	 * Go to the next one.  False: there is no other; or, with message set, not all of
	 * them can be had, and the record is to be rejected.
	 */
	bool		(*next) (RecordFiles *files);

	/*
	 * Some bytes of it; 0: that was all; -1: what came of it is of no use, it
	 * begins anew.
	 */
	ssize_t		(*read) (RecordFiles *files, char *buffer, size_t size);

	const char *name;			/* its path among the files of all records: parts with '/'
								 * between, none of them empty, "." or ".." */
	const char *content_type;
	const char *code;
	const char *message;

	/* the destination calls it with each piece; NULL: nobody wants to know */
	void		(*moved) (void *arg);
	void	   *arg;
};

typedef struct RecordReader RecordReader;

struct RecordReader
{
	/*
	 * What the batches hold, column for column.  Readers of sources without a
	 * fixed schema append fields as they meet them.
	 */
	Schema	   *schema;

	/* Fill batch (already reset); false at the end of the data, with no rows. */
	bool		(*next) (RecordReader *reader, Batch *batch);

	/* What it holds goes; the reader itself, with what it counts, stays. */
	void		(*close) (RecordReader *reader);

	/*
	 * Reading ends because something failed, maybe elsewhere: tell the application
	 * what it can forget.  Must not raise errors.  NULL: it has nothing to forget.
	 */
	void		(*abort) (RecordReader *reader);


	/*
	 * Whether next() would not have to wait; lets transfers move on.  NULL: it
	 * cannot tell.
	 */
	bool		(*ready) (RecordReader *reader);

	/* The files of a row of the batch that next() gave last.  NULL: records have none. */
	RecordFiles *(*files) (RecordReader *reader, uint32 row);

	/*
	 * What the application says of the records as a whole, and who reads them
	 * should know (they are a sample, ...): words for people, or NULL.  Known at
	 * the end; outlives the reader's closing.
	 */
	char	   *warning;

	uint64		bytes;			/* bytes read from the source so far */
	uint64		pages;			/* pages or objects begun so far; 0: it has none */

	/*
	 * Events (ReadRequest.position): the place behind all records that next() has
	 * given, from which another reader goes on without loss and without
	 * repetition.  Where nothing has come yet, the place where it listens, as far
	 * as it is known.  Valid until next() is asked again; NULL: not events.
	 */
	char	   *position;
};

/*
 * What becomes of the records that a writer is given.  A writer says it for each
 * once, or never: what is not rejected is written when the writer is sealed.
 * Rejecting returns normally when the run goes on, and raises an error when it
 * must not.
 */
typedef struct Outcomes
{
	/* refused; row is the row in the batch, which is the one being put */
	void		(*reject) (void *arg, const Batch *batch, uint32 row,
						   const char *code, const char *message);

	/*
	 * The same for a record of an earlier batch (jobs tell late): the record as a
	 * JSON object, and where it came from in words, such as "record 7".
	 */
	void		(*reject_late) (void *arg, const char *record, const char *where,
								const char *code, const char *message);

	/*
	 * Written.  result is what the application gave back: a cell for each
	 * field of the writer's results schema.  NULL: nobody wants to know.
	 */
	void		(*accept) (void *arg, const Batch *batch, uint32 row, const Cell *result);
	void	   *arg;
} Outcomes;

typedef struct RecordWriter RecordWriter;

/* What a writer is given: some rows of a batch, some of its columns, in order. */
typedef struct RecordSet
{
	const Batch *batch;
	const Cell *const *columns; /* one per field of the writer's schema */
	const uint32 *rows;			/* rows of the batch to write */
	uint32		nrows;
} RecordSet;

struct RecordWriter
{
	Schema	   *schema;			/* types the cells must have (canonical kinds) */

	/* what the application tells of a written record (the id it made, ...), or NULL */
	Schema	   *results;

	void		(*put) (RecordWriter *writer, const RecordSet *set, const Outcomes *outcomes);

	/*
	 * Put the files of a record (WriteRequest.files), before the record: they are
	 * there at once, each when it is whole, and gone if the writer is aborted.  False,
	 * and none is put, if not all of them can be had.  NULL: the destination takes none.
	 */
	bool		(*put_files) (RecordWriter *writer, RecordFiles *files);

	/*
	 * A field that was not in the schema when the writer was opened has been
	 * appended to it.  NULL: the destination cannot take one.
	 */
	void		(*add_field) (RecordWriter *writer);

	/*
	 * Whether all cells must come in the canonical kinds of the schema.  Text
	 * formats take any kind.
	 */
	bool		typed;

	/* Make everything visible.  seal does all that can fail before it. */
	void		(*seal) (RecordWriter *writer, const Outcomes *outcomes);
	void		(*finish) (RecordWriter *writer);

	/*
	 * Undo what can be, and stop the rest; must not raise errors.  Also done
	 * when its memory context goes.
	 */
	void		(*abort) (RecordWriter *writer);

	/*
	 * What has been written cannot be undone: records says how many the
	 * destination keeps even if the run fails.
	 */
	bool		irrevocable;

	/*
	 * Records that are on their way without an answer: should the run end now, nobody
	 * knows whether the destination has them.
	 */
	uint64		uncertain;

	uint64		bytes;			/* bytes written to the destination so far */
	uint64		records;		/* records accepted so far */
	uint64		files;			/* files put so far */
};

/* ---------- convert.c ---------- */

/*
 * Bring a cell into the canonical kind of the field's type (see cell.h), checking
 * range, precision and form.  Text made on the way lives in the batch's arena.
 * Returns NULL if it went well, otherwise the reason in words, allocated in the
 * current memory context; the cell is then unchanged.  Null stays null.
 *
 * source is the type of the field the cell comes from.  It matters only for a
 * CELL_TIMESTAMP that becomes text: cell_convert() takes it for an instant and
 * puts a Z behind it.
 */
extern char *cell_convert(Batch *batch, Cell *cell, const Field *field);
extern char *cell_convert_from(Batch *batch, Cell *cell, FieldType source, const Field *field);

/* the cell as text, palloc'd; null gives "" */
extern char *cell_text_cstring(const Cell *cell, FieldType type);

/* a canonical cell of FIELD_BINARY, and its bytes: out has room for length / 4 * 3 */
extern Cell cell_from_bytes(Batch *batch, const void *data, size_t length);
extern size_t cell_base64_decode(const Cell *cell, void *out);

/* ---------- own.c ---------- */

/*
 * Have a memory context free an object of a C library when it goes.  Make the
 * wrapper first, then the object, then set it: own = own_in_context(ctx, free_fn);
 * own->object = thing_create().  own_release() frees now.
 */
typedef struct Owned
{
	void	   *object;
	void		(*free_object) (void *object);
	MemoryContextCallback callback;
} Owned;

extern Owned *own_in_context(MemoryContext context, void (*free_object) (void *object));
extern void own_release(Owned *owned);

/* an empty ByteBuffer */
extern Owned *own_buffer(MemoryContext context);

#endif							/* APPFLOW_RECORD_H */
