/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between PostgreSQL 15, 16, 17 and 18 that the
 *	  extension meets, and nowhere else.
 *
 * Code is written for the newest API; this header gives older servers the
 * same names.
 *
 * IDENTIFICATION
 *	  src/compat.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_COMPAT_H
#define APPFLOW_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "appflow needs PostgreSQL 15 or later"
#endif

#endif							/* APPFLOW_COMPAT_H */
