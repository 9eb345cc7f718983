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

#if PG_VERSION_NUM < 160000
#include "fmgr.h"

/* from 16 on the macro exports the function as well as its record */
#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(funcname) \
extern PGDLLEXPORT Datum funcname(PG_FUNCTION_ARGS); \
extern PGDLLEXPORT const Pg_finfo_record *CppConcat(pg_finfo_, funcname)(void); \
const Pg_finfo_record * \
CppConcat(pg_finfo_, funcname)(void) \
{ \
	static const Pg_finfo_record my_finfo = {1}; \
	return &my_finfo; \
} \
extern int no_such_variable
#endif

#endif							/* APPFLOW_COMPAT_H */
