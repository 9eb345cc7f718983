/*-------------------------------------------------------------------------
 *
 * number.h
 *	  Numbers as text: what counts as one, its sign, its exact value.
 *
 * A number is what a conversion to a numeric type takes (convert.c): sign,
 * digits, point, exponent, so also 007, +5 and .5, which CSV files have.
 *
 * IDENTIFICATION
 *	  src/record/number.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_RECORD_NUMBER_H
#define APPFLOW_RECORD_NUMBER_H

#include "postgres.h"

#include "utils/numeric.h"

/*
 * Numbers with more digits, or larger exponents, are not computed or compared
 * with: they can only be an accident or an attack.
 */
#define NUMBER_MAX_LENGTH 2000
#define NUMBER_MAX_EXPONENT 1000

/* is the text a number, of any size?  *sign is then -1, 0 or 1 */
extern bool number_sign(const char *text, size_t length, int *sign);

/* its exact value; NULL if it is not a number or beyond the limits */
extern Numeric number_parse(const char *text, size_t length);

/*
 * Can be gone on computing with a result?  One operation with another number
 * within the limits is then exact and does not overflow.
 */
extern bool number_is_reasonable(Numeric number);

#endif							/* APPFLOW_RECORD_NUMBER_H */
