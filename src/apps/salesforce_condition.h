/*-------------------------------------------------------------------------
 *
 * salesforce_condition.h
 *	  Filters as conditions of SOQL.
 *
 * IDENTIFICATION
 *	  src/apps/salesforce_condition.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_SALESFORCE_CONDITION_H
#define APPFLOW_SALESFORCE_CONDITION_H

#include "postgres.h"

#include "apps/salesforce.h"

/* what a field is, as far as conditions go */
typedef enum SoqlClass
{
	SOQL_NOTHING,				/* no condition works on it */
	SOQL_TEXT,
	SOQL_CHOICE,				/* picklist */
	SOQL_CHOICES,				/* multi-select picklist: "a;b" */
	SOQL_ID,
	SOQL_NUMBER,
	SOQL_INTEGER,
	SOQL_BOOLEAN,
	SOQL_DATE,
	SOQL_DATETIME
} SoqlClass;

/* what became of a condition */
typedef enum Pushed
{
	PUSHED_NOT,
	PUSHED_MORE,				/* all that is wanted, and maybe more */
	PUSHED_EXACTLY
} Pushed;

/* a query that is being made */
typedef struct Soql
{
	ConnectorSession *session;
	const Schema *described;
	bool		ask;
	int			unknown;		/* operands that are not known yet, so far */
} Soql;

/* what the field is; SOQL_NOTHING too if the application does not filter by it */
extern SoqlClass soql_class(const Field *field);

/* does the aggregate function work on the field? */
extern bool soql_aggregates(const Field *field, AggregateFunction function);

/*
 * Append a filter's condition.  What cannot be said leaves nothing.  Ids of 15 characters
 * among the filter's operands become those of 18.
 */
extern Pushed soql_condition(Soql *soql, Filter *filter, StringInfo out);

#endif							/* APPFLOW_SALESFORCE_CONDITION_H */
