/*-------------------------------------------------------------------------
 *
 * collation.h
 *	  How collations order text.
 *
 * IDENTIFICATION
 *	  src/record/collation.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_RECORD_COLLATION_H
#define APPFLOW_RECORD_COLLATION_H

#include "postgres.h"

/* whether text of the collation is ordered by its bytes; false also if that is not known */
extern bool collation_is_c(Oid collation);

#endif							/* APPFLOW_RECORD_COLLATION_H */
