/*-------------------------------------------------------------------------
 *
 * trigger.h
 *	  What makes a flow run: triggerConfig of its definition.
 *
 * IDENTIFICATION
 *	  src/flow/trigger.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_TRIGGER_H
#define APPFLOW_FLOW_TRIGGER_H

#include "postgres.h"

#include "connector/traits.h"
#include "datatype/timestamp.h"
#include "flow/schedule.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef struct FlowTrigger
{
	bool		events;			/* triggerType Event */
	bool		scheduled;		/* the rest counts only then */
	Schedule	schedule;
	TimestampTz start;			/* DT_NOBEGIN: none given */
	TimestampTz end;			/* DT_NOEND: none given */
	int64		offset;			/* of the pull window's end, in microseconds: scheduleOffset,
								 * or more if the source is slow to tell */
	TimestampTz first_from;		/* DT_NOBEGIN: none given */
	int			threshold;		/* flowErrorDeactivationThreshold; 0: none */
	bool		incremental;	/* dataPullMode */
} FlowTrigger;

/*
 * Compile triggerConfig for records of that source (NULL: not known).  What is
 * wrong is appended to problems (of char *).
 */
extern void trigger_compile(FlowTrigger *trigger, Jsonb *definition, const ConnectorTraits *source,
							List **problems);

/* The same for a definition that has been accepted before: NULL, or what is wrong with it now. */
extern char *trigger_load(FlowTrigger *trigger, Jsonb *definition);

/*
 * The first due time behind "after" of a flow activated at that time, which
 * takes the place of a start that is not given; DT_NOEND: never.
 */
extern TimestampTz trigger_next(const FlowTrigger *trigger, TimestampTz activated_at, TimestampTz after);

/* the last due time from "from" (which is one) up to now */
extern TimestampTz trigger_latest(const FlowTrigger *trigger, TimestampTz activated_at,
								  TimestampTz from, TimestampTz now);

/* The shortest time between two runs, in seconds; 0: there is no schedule, or but one time. */
extern int64 trigger_period(const FlowTrigger *trigger);

/* a time of the server's as schedule.h has them */
extern int64 trigger_unix_time(TimestampTz time);

#endif							/* APPFLOW_FLOW_TRIGGER_H */
