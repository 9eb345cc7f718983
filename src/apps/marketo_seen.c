/*-------------------------------------------------------------------------
 *
 * marketo_seen.c
 *	  Which records of exports have been read: spans of time overlap by a second.
 *
 * Leads are told by their ids, all of which are remembered: they are numbers that follow
 * each other, so a bit does for each.  Custom objects are told by GUIDs; of these only those are
 * remembered that show the second that a span shares with the next.
 *
 * IDENTIFICATION
 *	  src/apps/marketo_seen.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/marketo.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

/* ids around one that was read */
#define IDS_OF_PAGE 65536

/* bytes of a GUID, and more */
#define KEY_LENGTH 64

typedef struct IdPage
{
	int64		number;			/* id / IDS_OF_PAGE */
	uint64		bits[IDS_OF_PAGE / 64];
} IdPage;

struct MarketoSeen
{
	MemoryContext context;
	int			key_column;		/* -1: it does not show */
	HTAB	   *ids;			/* leads: of IdPage */

	/* others */
	int			time_column;
	HTAB	   *before;			/* keys of the span before, or NULL */
	HTAB	   *after;			/* of this one, for the next */
};

MarketoSeen *
marketo_seen_create(const MarketoPlan *plan, MemoryContext context)
{
	MarketoSeen *seen = MemoryContextAllocZero(context, sizeof(MarketoSeen));
	HASHCTL		control = {.keysize = sizeof(int64),.entrysize = sizeof(IdPage),.hcxt = context};

	seen->context = context;
	seen->time_column = -1;
	if (plan->entity->kind != MARKETO_LEADS)
	{
		seen->key_column = marketo_need_column(plan, "marketoGUID");
		seen->time_column = marketo_need_column(plan, plan->field);
		return seen;
	}
	seen->key_column = marketo_need_column(plan, "id");
	seen->ids = hash_create("appflow Marketo leads", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return seen;
}

/* Has the lead been read before?  Now it has. */
static bool
is_read_lead(MarketoSeen *seen, const Cell *key)
{
	int64		id = key->kind == CELL_INTEGER ? key->integer : -1;
	int64		number = id / IDS_OF_PAGE;
	uint64		bit = UINT64CONST(1) << (id & 63);
	uint64	   *word;
	IdPage	   *page;
	bool		found;

	if (id < 0)
		return false;
	page = hash_search(seen->ids, &number, HASH_ENTER, &found);
	if (!found)
		memset(page->bits, 0, sizeof(page->bits));
	word = &page->bits[id % IDS_OF_PAGE / 64];
	found = (*word & bit) != 0;
	*word |= bit;
	return found;
}

static HTAB *
make_keys(MarketoSeen *seen)
{
	HASHCTL		control = {.keysize = KEY_LENGTH,.entrysize = KEY_LENGTH,.hcxt = seen->context};

	return hash_create("appflow Marketo keys", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* The same of a custom object; if the next span may have it too, it is remembered. */
static bool
is_read_object(MarketoSeen *seen, const Cell *key, const Cell *time, int64 shared_before, int64 shared_after)
{
	char		text[KEY_LENGTH] = "";
	int64		second;
	bool		found = false;

	if (time->kind != CELL_TIMESTAMP || key->kind != CELL_STRING)
		return false;
	second = time->integer / USECS_PER_SEC;
	if (second != shared_before && second != shared_after)
		return false;
	memcpy(text, key->data, Min(key->length, sizeof(text) - 1));
	if (seen->before != NULL && second == shared_before)
		(void) hash_search(seen->before, text, HASH_FIND, &found);
	if (second == shared_after)
	{
		if (seen->after == NULL)
			seen->after = make_keys(seen);
		(void) hash_search(seen->after, text, HASH_ENTER, NULL);
	}
	return found;
}

void
marketo_seen_drop(MarketoSeen *seen, Batch *batch, int64 shared_before, int64 shared_after)
{
	uint32		kept = 0;

	if (seen->key_column < 0 || (seen->ids == NULL && seen->time_column < 0))
		return;
	for (uint32 row = 0; row < batch->nrows; row++)
	{
		const Cell *key = &batch->columns[seen->key_column][row];

		if (seen->ids != NULL ? is_read_lead(seen, key) :
			is_read_object(seen, key, &batch->columns[seen->time_column][row], shared_before, shared_after))
			continue;
		for (int column = 0; kept != row && column < batch->ncolumns; column++)
			batch->columns[column][kept] = batch->columns[column][row];
		kept++;
	}
	batch->nrows = kept;
}

void
marketo_seen_next_span(MarketoSeen *seen)
{
	if (seen->before != NULL)
		hash_destroy(seen->before);
	seen->before = seen->after;
	seen->after = NULL;
}
