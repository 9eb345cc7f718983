/*-------------------------------------------------------------------------
 *
 * bayeux.h
 *	  A client of the Bayeux protocol (CometD): one channel, by long polling, with
 *	  the replay extension.
 *
 * The client keeps a session at the server alive as long as it is asked for
 * messages.  When the session ends, or the connection breaks, it makes another,
 * behind the last message that it has given.
 *
 * IDENTIFICATION
 *	  src/apps/bayeux.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_BAYEUX_H
#define APPFLOW_BAYEUX_H

#include "postgres.h"

#include "connector/connector.h"

/* places for the replay extension, besides ids of messages */
#define BAYEUX_NEW "-1"
#define BAYEUX_RETAINED "-2"

typedef struct Bayeux
{
	ConnectorSession *session;
	const char *path;			/* of the server's endpoint, behind the base */
	const char *channel;

	/* where a message has the id to replay from: "data.event.replayId" */
	const char *replay_path;

	/* what is wanted of messages: paths, as in json_reader.h, and cells for each */
	int			npaths;
	const char *const *paths;

	/* ---------- set by bayeux_next() ---------- */

	int			nmessages;
	Cell	  **values;			/* one array of nmessages cells for each path */
	Cell	   *replay_ids;		/* of nmessages cells */
	uint64		bytes;			/* received, in all */

	/*
	 * The session has ended before the first message came, and another had to begin
	 * with all that is retained: messages from before this time (seconds since
	 * 1970, by the server's clock) are none of those that were asked for.  0: all are.
	 */
	int64		since;
	struct BayeuxState *state;
} Bayeux;

/*
 * Begin behind a message (its replay id), or at BAYEUX_NEW, BAYEUX_RETAINED.  Asks
 * nobody.  Members above are set by the caller; it lives in the current memory context.
 */
extern void bayeux_open(Bayeux *bayeux, const char *replay);

/*
 * Wait for messages, at most so many ms (-1: for ever); false: none came.  What it sets is
 * valid until it is called again.  Raises an error if the server refuses, or cannot be
 * reached for long.
 */
extern bool bayeux_next(Bayeux *bayeux, int64 patience);

/* End the session at the server; raises no errors. */
extern void bayeux_close(Bayeux *bayeux);

#endif							/* APPFLOW_BAYEUX_H */
