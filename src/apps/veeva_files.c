/*-------------------------------------------------------------------------
 *
 * veeva_files.c
 *	  Files of documents: sources and renditions, as they stream.
 *
 * They are asked for one by one, by the endpoints of a document's version.  The bulk
 * export would have Vault copy them to its file staging first, as a job that is asked
 * about every ten seconds at most, from where they come by calls of the same number,
 * and have to be deleted.
 *
 * IDENTIFICATION
 *	  src/apps/veeva_files.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/veeva.h"
#include "codec/text.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

#define MAX_NAME 200			/* bytes of a file's name, as stores take no more than 255 */
#define MAX_EXTENSION 20
#define MAX_BREAKS 3			/* how often a file is begun anew because its transfer broke off */

struct VeevaFiles
{
	RecordFiles base;
	ConnectorSession *session;
	RecordReader *reader;
	MemoryContext context;		/* of a record's files */
	MemoryContext own;			/* what all of this lives in */
	bool		sources;
	bool		renditions;

	VeevaVersion version;
	char	   *what;			/* for messages */
	char	   *root;			/* path of the version */
	bool		source_left;	/* the source has not been had yet */
	bool		asked;			/* for the list of renditions */
	List	   *types;			/* of renditions that have not been had yet */

	HttpCall   *call;			/* of the file that is read */
	char	   *path;
	int			breaks;
};

/* ---------- names ---------- */

/* text up to a quote that is not escaped, or as far as a token goes */
static char *
parameter_value(const char *text)
{
	StringInfoData value;

	initStringInfo(&value);
	if (*text != '"')
		return pnstrdup(text, strcspn(text, "; \t"));
	for (text++; *text != '\0' && *text != '"'; text++)
	{
		if (*text == '\\' && text[1] != '\0')
			text++;
		appendStringInfoChar(&value, *text);
	}
	return value.data;
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* what stands behind filename*=UTF-8''; NULL if it is something else */
static char *
decoded(const char *text)
{
	StringInfoData value;

	if (pg_strncasecmp(text, "UTF-8'", 6) != 0 || (text = strchr(text + 6, '\'')) == NULL)
		return NULL;
	initStringInfo(&value);
	for (text++; *text != '\0' && *text != ';'; text++)
	{
		if (*text == '%' && hex_digit(text[1]) >= 0 && hex_digit(text[2]) >= 0)
		{
			appendStringInfoChar(&value, (char) (hex_digit(text[1]) * 16 + hex_digit(text[2])));
			text += 2;
		}
		else
			appendStringInfoChar(&value, *text);
	}
	return value.data;
}

/* the file's name by a Content-Disposition; NULL: it has none */
static char *
disposition_name(const char *header)
{
	char	   *name = NULL;

	for (const char *part = strchr(header, ';'); part != NULL; part = strchr(part, ';'))
	{
		part += 1 + strspn(part + 1, " \t");
		if (pg_strncasecmp(part, "filename*=", 10) == 0)
		{
			char	   *better = decoded(part + 10);

			if (better != NULL)
				return better;
		}
		else if (pg_strncasecmp(part, "filename=", 9) == 0 && name == NULL)
		{
			name = parameter_value(part + 9);

			/* a quoted name may have semicolons */
			if (part[9] == '"')
			{
				for (part += 10; *part != '\0' && *part != '"'; part++)
				{
					if (*part == '\\' && part[1] != '\0')
						part++;
				}
			}
		}
	}
	return name;
}

/*
 * A name that is one part of a path: what Vault says, without what leads elsewhere
 * or cannot be in a name.  Long ones lose their middle.
 */
static char *
safe_name(const char *told)
{
	char	   *name = pstrdup(told);
	size_t		length = strlen(name);
	bool		utf8 = text_utf8_check(name, length) == length;
	const char *dot;

	for (char *p = name; *p != '\0'; p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c == '/' || c == '\\' || c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
			*p = '_';
	}
	if (length == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "_";
	if (length <= MAX_NAME)
		return name;
	dot = strrchr(name, '.');
	if (dot == NULL || strlen(dot) > MAX_EXTENSION)
		dot = "";
	length = MAX_NAME - strlen(dot);
	while (length > 0 && ((unsigned char) name[length] & 0xC0) == 0x80)
		length--;
	return psprintf("%.*s%s", (int) length, name, dot);
}

/* ---------- one file after another ---------- */

/* Does Vault refuse what the call asks for?  Then it says why. */
static bool
is_refused(VeevaFiles *files, HttpCall *call)
{
	const char *code;
	const char *message;

	http_wait(call);
	if (!veeva_refused(files->session, call, files->what, &code, &message))
		return false;
	files->base.code = pstrdup(code);
	files->base.message = psprintf("%s: %s", files->what, session_words(files->session, message != NULL ? message : code));
	return true;
}

/* Ask for the file at the path; false: Vault does not give it. */
static bool
open_file(VeevaFiles *files)
{
	if (files->call != NULL)
		http_close(files->call);
	files->call = veeva_call(files->session, "GET", files->path);
	http_header(files->call, "Accept", "*/*");
	if (is_refused(files, files->call))
		return false;
	if (http_response_header(files->call, "Content-Disposition") == NULL)
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", files->call->method,
									 http_shown_url(files->call->url), files->call->status),
				errmsg("the answer of Veeva about %s is no file", files->what),
				errhint("Is the URL of connector profile \"%s\" right?", files->session->profile_name));
	return true;
}

static bool
begin_file(VeevaFiles *files, const char *folder, char *path)
{
	char	   *name;

	files->path = path;
	files->breaks = 0;
	if (!open_file(files))
		return false;
	name = disposition_name(http_response_header(files->call, "Content-Disposition"));
	files->base.name = psprintf("%s/%s", folder, safe_name(name != NULL ? name : ""));
	files->base.content_type = http_response_header(files->call, "Content-Type");
	return true;
}

/* the types of the version's renditions; false if Vault does not tell */
static bool
list_renditions(VeevaFiles *files)
{
	HttpCall   *call = veeva_call(files->session, "GET", psprintf("%s/renditions", files->root));
	ListCell   *lc;

	call->whole = true;
	if (is_refused(files, call))
		return false;
	foreach(lc, jsonb_keys(jsonb_get_container(veeva_fetch(files->session, call, files->what), "renditions")))
	{
		if (veeva_is_name(lfirst(lc), false))
			files->types = lappend(files->types, lfirst(lc));
	}
	return true;
}

static bool
go_on(VeevaFiles *files)
{
	const VeevaVersion *version = &files->version;
	char	   *type;

	CHECK_FOR_INTERRUPTS();
	if (files->source_left)
	{
		files->source_left = false;
		return begin_file(files, psprintf("%s/%s_%s", version->id, version->major, version->minor),
						  psprintf("%s/file", files->root));
	}
	if (!files->renditions)
		return false;
	if (!files->asked)
	{
		files->asked = true;
		if (!list_renditions(files))
			return false;
	}
	if (files->types == NIL)
		return false;
	type = linitial(files->types);
	files->types = list_delete_first(files->types);
	return begin_file(files, psprintf("%s/renditions/%s_%s/%s", version->id, version->major, version->minor, type),
					  psprintf("%s/renditions/%s", files->root, type));
}

static bool
files_next(RecordFiles *base)
{
	VeevaFiles *files = (VeevaFiles *) base;
	MemoryContext old = MemoryContextSwitchTo(files->context);
	bool		found = go_on(files);

	if (!found && files->call != NULL && base->message == NULL)
	{
		http_close(files->call);
		files->call = NULL;
	}
	MemoryContextSwitchTo(old);
	return found;
}

static ssize_t
files_read(RecordFiles *base, char *buffer, size_t size)
{
	VeevaFiles *files = (VeevaFiles *) base;
	MemoryContext old = MemoryContextSwitchTo(files->context);
	size_t		length;

	if (http_try_read(files->call, buffer, size, &length))
	{
		files->reader->bytes += length;
		MemoryContextSwitchTo(old);
		return (ssize_t) length;
	}
	if (files->call->failure != HTTP_CUT && files->call->failure != HTTP_TIMEOUT && files->call->failure != HTTP_UNREACHABLE)
		http_raise(files->call);
	if (++files->breaks > MAX_BREAKS)
		http_raise(files->call);
	if (!open_file(files))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Veeva refused %s, of which some had come: %s", files->what, base->message));
	MemoryContextSwitchTo(old);
	return -1;
}

/* ---------- for the reader ---------- */

VeevaFiles *
veeva_files_create(ConnectorSession *session, Jsonb *properties)
{
	VeevaFiles *files = palloc0(sizeof(VeevaFiles));

	files->base.next = files_next;
	files->base.read = files_read;
	files->session = session;
	files->own = CurrentMemoryContext;
	files->sources = veeva_includes(properties, "includeSourceFiles");
	files->renditions = veeva_includes(properties, "includeRenditions");
	return files;
}

RecordFiles *
veeva_files_of(VeevaFiles *files, RecordReader *reader, const VeevaVersion *version)
{
	MemoryContext old;

	if (files->context == NULL)
		files->context = AllocSetContextCreate(files->own, "appflow Veeva files", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(files->context);
	old = MemoryContextSwitchTo(files->context);
	files->call = NULL;
	files->base.code = files->base.message = files->base.name = NULL;
	files->reader = reader;
	files->version = *version;
	files->what = psprintf("the files of document %s, version %s.%s", version->id, version->major, version->minor);
	files->root = psprintf("/objects/documents/%s/versions/%s/%s", version->id, version->major, version->minor);
	files->source_left = files->sources && version->has_source;
	files->asked = false;
	files->types = NIL;
	MemoryContextSwitchTo(old);
	return &files->base;
}
