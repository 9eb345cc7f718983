/*-------------------------------------------------------------------------
 *
 * page_reader.h
 *	  Reads records from an application that answers in pages of JSON.
 *
 * A page is one answer.  The connector says which call gets the next one; all
 * else is here: records are parsed as their bytes arrive, and the next page is on
 * its way while one is being read.
 *
 * IDENTIFICATION
 *	  src/connector/page_reader.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_PAGE_READER_H
#define APPFLOW_PAGE_READER_H

#include "postgres.h"

#include "connector/connector.h"

/* what is known of a page, so far or in the end */
typedef struct RecordPage
{
	HttpCall   *call;			/* headers are there */
	uint64		number;			/* 1 is the first */
	uint64		records;		/* read from it so far */
	bool		complete;		/* all has been read */
	Cell	   *envelope;		/* one for each path of the source */
} RecordPage;

typedef enum NextPage
{
	PAGE_FOLLOWS,
	PAGE_LAST,					/* there is no other */
	PAGE_UNKNOWN				/* not known yet; never of a complete page */
} NextPage;

typedef struct PageSource
{
	ConnectorSession *session;
	const char *what;			/* for messages: "entity \"Account\"" */
	Schema	   *schema;			/* of the records: becomes the reader's */

	/* where the records and the envelope's values are (codec/json_reader.h) */
	const char *record_path;
	const char *const *envelope;
	int			nenvelope;

	/* member or dotted path of each field in a record; NULL: their names */
	const char *const *paths;

	/* members of records that the schema does not have are appended to it */
	bool		discover;

	/* that nothing at all is at record_path means no records, not an error */
	bool		may_lack_records;

	/* records stand one behind the other, with nothing around them */
	bool		lines;

	/*
	 * The call for the page behind previous (NULL: the first), made but not
	 * started.  Asked while previous is being read, and again when it is complete,
	 * until the answer is another than PAGE_UNKNOWN; in a memory context that
	 * goes when the page to come has been read.
	 */
	NextPage	(*next_page) (void *arg, const RecordPage *previous, HttpCall **call);

	/* the headers are there: raise an error if they are of no answer; NULL: the status tells */
	void		(*begun) (void *arg, HttpCall *call);

	/* the answer's status is 400 or more: raise what it means; NULL: session_raise() */
	void		(*fail) (void *arg, HttpCall *call);

	/* a page is complete: raise an error if it says that it failed; NULL: it cannot */
	void		(*check) (void *arg, const RecordPage *page);

	/* the records of a batch, for connectors that change cells; NULL: they are right */
	void		(*adapt) (void *arg, const RecordPage *page, Batch *batch);
	void	   *arg;

	int64		limit_hint;		/* as in ReadRequest; no page is fetched ahead before so
								 * many records have been read */
} PageSource;

/* The reader, in the current memory context, which holds a copy of source. */
extern RecordReader *page_reader_open(const PageSource *source);

/* the source's arg */
extern void *page_reader_arg(RecordReader *reader);

#endif							/* APPFLOW_PAGE_READER_H */
