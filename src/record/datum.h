/*-------------------------------------------------------------------------
 *
 * datum.h
 *	  Cells to values of PostgreSQL's types, and back.
 *
 * IDENTIFICATION
 *	  src/record/datum.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_DATUM_H
#define APPFLOW_DATUM_H

#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "record/record.h"

typedef struct DatumMaker DatumMaker;

/* what a column of a table takes: from a canonical cell to its value */
struct DatumMaker
{
	Oid			type;
	int32		typmod;
	Datum		(*make) (DatumMaker *maker, const Cell *cell);

	/* types without a path of their own go through their input function */
	FmgrInfo	input;
	Oid			ioparam;
	StringInfoData scratch;

	/* a domain: the maker of its base type, and what checks it */
	DatumMaker *base;
	void	   *domain_state;
	MemoryContext context;

	FmgrInfo	populate;		/* composite types: JSON objects */
	Oid			element;		/* arrays */
};

/*
 * Set the field's type, precision, scale and native_type to what cells of a
 * column of that type must be, for reading as well as for writing.
 */
extern void field_set_column_type(Field *field, Oid type, int32 typmod);

/* the maker lives in the current memory context */
extern void datum_maker_init(DatumMaker *maker, Oid type, int32 typmod);

/*
 * The value of a canonical cell, in the current memory context.  Raises the
 * type's own errors (class 22 and the like) for what it does not take.
 */
static inline Datum
datum_make(DatumMaker *maker, const Cell *cell, bool *isnull)
{
	*isnull = cell->kind == CELL_NULL;

	/* domains have a say on nulls, too */
	if (*isnull && maker->base == NULL)
		return (Datum) 0;
	return maker->make(maker, cell);
}

typedef struct DatumReader DatumReader;

/* from a value to a cell whose text lives in the batch's arena */
struct DatumReader
{
	Oid			type;
	Cell		(*read) (DatumReader *reader, Batch *batch, Datum value);
	FmgrInfo	output;
	StringInfoData scratch;
};

extern void datum_reader_init(DatumReader *reader, Oid type);

/* whether a column of the type is read as to_json(column), that is as JSON text */
extern bool datum_reads_as_json(Oid type);

#endif							/* APPFLOW_DATUM_H */
