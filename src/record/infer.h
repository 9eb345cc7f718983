/*-------------------------------------------------------------------------
 *
 * infer.h
 *	  Guesses the type of a field from a sample of its values.
 *
 * The rule: the narrowest type that holds every value seen.
 *	  all integers of 64 bits				Long
 *	  all numbers of at most 15 digits		Double
 *	  all numbers							BigDecimal
 *	  all true or false						Boolean
 *	  all YYYY-MM-DD						Date
 *	  all ISO 8601 with a zone				DateTime
 *	  all ISO 8601 without a zone			timestamp
 *	  any object or array					JSON
 *	  anything else, or only nulls			String
 *
 * Text in quotes is never taken for a number or a boolean; where text is all
 * there is (CSV), only the forms that JSON has are (so 007 stays text).
 *
 * IDENTIFICATION
 *	  src/record/infer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_RECORD_INFER_H
#define APPFLOW_RECORD_INFER_H

#include "postgres.h"

#include "codec/cell.h"

typedef struct TypeGuess
{
	uint32		excluded;		/* candidates that some value ruled out */
	bool		seen;			/* a value that was not null */
	bool		nested;			/* an object or array */
} TypeGuess;

/* text_only: the format has no types of its own (CSV) */
extern void type_guess_add(TypeGuess *guess, const Cell *cell, bool text_only);
extern FieldType type_guess_result(const TypeGuess *guess);

#endif							/* APPFLOW_RECORD_INFER_H */
