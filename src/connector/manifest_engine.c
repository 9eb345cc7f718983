/*-------------------------------------------------------------------------
 *
 * manifest_engine.c
 *	  The connector that every manifest is.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_engine.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "connector/manifest_engine.h"
#include "lib/stringinfo.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

static void
free_arena(void *object)
{
	arena_free((Arena *) object);
}

Arena *
manifest_arena(void)
{
	Owned	   *owned = own_in_context(CurrentMemoryContext, free_arena);

	owned->object = arena_create();
	if (owned->object == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	return owned->object;
}

/* ---------- templates ---------- */

/* what the manifest's settings say a property is when nobody says it */
static char *
default_of(const Manifest *manifest, const char *key, bool profile)
{
	for (int i = 0; i < manifest->settings.count; i++)
	{
		const ManifestSetting *setting = &manifest->settings.items[i];

		if (strcmp(setting->key, key) == 0 && (setting->scope == SCOPE_PROFILE) == profile &&
			setting->otherwise != NULL)
			return pstrdup(setting->otherwise);
	}
	return NULL;
}

static char *
property(const ConnectorSession *session, const char *key)
{
	Jsonb	   *own = session->profile_properties;
	char	   *value;

	if (session->connector->label != NULL)
		own = jsonb_get_container(own, "profileProperties");
	value = jsonb_get_text(own, key);
	if (value == NULL || value[0] == '\0')
		value = default_of(manifest_of(session), key, true);
	return value;
}

static const char *
api_version(const ConnectorSession *session)
{
	const ManifestTexts *versions = &manifest_of(session)->api_versions;

	if (session->api_version != NULL)
		return session->api_version;
	return versions->count == 0 ? NULL : versions->items[versions->count - 1];
}

/* piece of an entity's name, from 1 on; NULL: it has not so many */
static char *
entity_piece(const char *entity, const char *number)
{
	int			n = atoi(number);

	while (entity != NULL && --n > 0)
	{
		entity = strchr(entity, '/');
		if (entity != NULL)
			entity++;
	}
	return entity == NULL || n < 0 ? NULL : pnstrdup(entity, strcspn(entity, "/"));
}

static const char *
id_value(const ManifestValues *values, const char *field)
{
	if (field == NULL)
		return values->nids == 1 ? values->id_values[0] : NULL;
	for (int i = 0; i < values->nids; i++)
	{
		if (strcmp(values->id_names[i], field) == 0)
			return values->id_values[i];
	}
	return NULL;
}

static const char *
value_of(const ManifestValues *values, const char *name)
{
	static const struct
	{
		const char *name;
		size_t		offset;
	}			plain[] = {
		{"entity", offsetof(ManifestValues, entity)},
		{"size", offsetof(ManifestValues, size)},
		{"offset", offsetof(ManifestValues, offset)},
		{"page", offsetof(ManifestValues, page)},
		{"cursor", offsetof(ManifestValues, cursor)},
		{"fields", offsetof(ManifestValues, fields)},
		{"query", offsetof(ManifestValues, query)},
		{"filter", offsetof(ManifestValues, filter)},
		{"order", offsetof(ManifestValues, order)},
		{"field", offsetof(ManifestValues, field)},
		{"value", offsetof(ManifestValues, value)},
		{"values", offsetof(ManifestValues, values)},
		{"lower", offsetof(ManifestValues, lower)},
		{"upper", offsetof(ManifestValues, upper)},
		{"lineage", offsetof(ManifestValues, lineage)},
		{"job", offsetof(ManifestValues, job)},
		{"ids", offsetof(ManifestValues, ids)},
		{"record", offsetof(ManifestValues, record)},
		{"records", offsetof(ManifestValues, records)},
	};
	const char *dot = strchr(name, '.');

	for (int i = 0; i < (int) lengthof(plain); i++)
	{
		if (strcmp(plain[i].name, name) == 0)
			return *(const char *const *) ((const char *) values + plain[i].offset);
	}
	if (strcmp(name, "apiVersion") == 0)
		return api_version(values->session);
	if (strcmp(name, "id") == 0)
		return id_value(values, NULL);
	if (dot == NULL)
		return NULL;
	if (strncmp(name, "entity.", 7) == 0)
		return entity_piece(values->entity, dot + 1);
	if (strncmp(name, "ago.", 4) == 0)
		return values->shown ? psprintf("{%s}", name) :
			psprintf(INT64_FORMAT, (values->moment != 0 ? values->moment : (int64) time(NULL)) - atoi(dot + 1));
	if (strncmp(name, "property.", 9) == 0)
	{
		char	   *value = property(values->session, dot + 1);

		return value != NULL && values->shown ? psprintf("{%s}", name) : value;
	}
	if (strncmp(name, "setting.", 8) == 0)
	{
		char	   *value = jsonb_get_text(values->settings, dot + 1);

		return value != NULL ? value : default_of(manifest_of(values->session), dot + 1, false);
	}
	if (strncmp(name, "credential.", 11) == 0)
		return jsonb_get_text(values->credentials, dot + 1);
	if (strncmp(name, "record.", 7) == 0)
		return values->record_of == NULL ? NULL : json_tree_text(values->record_of, dot + 1);
	if (strncmp(name, "id.", 3) == 0)
		return id_value(values, dot + 1);
	return NULL;
}

char *
manifest_expand(const ManifestValues *values, const char *template, bool encode)
{
	StringInfoData out;
	TemplatePiece piece;

	initStringInfo(&out);
	while (template_next(&template, &piece))
	{
		char	   *name;
		const char *value;

		if (!piece.value)
		{
			appendBinaryStringInfo(&out, piece.text, (int) piece.length);
			continue;
		}
		name = pnstrdup(piece.text, piece.length);
		value = value_of(values, name);
		pfree(name);
		if (value == NULL)
		{
			pfree(out.data);
			return NULL;
		}
		appendStringInfoString(&out, encode ? url_encode(value) : value);
	}
	return out.data;
}

char *
manifest_expand_credentials(const ConnectorSession *session, const char *template, Jsonb *credentials)
{
	ManifestValues values = {.session = session, .credentials = credentials};

	return manifest_expand(&values, template, false);
}

char *
manifest_base_url(const ConnectorSession *session)
{
	ManifestValues values = {.session = session};
	const char *template = manifest_of(session)->base_url;
	char	   *url;

	if (template == NULL)
		return NULL;
	url = manifest_expand(&values, template, false);
	if (url == NULL || (pg_strncasecmp(url, "https://", 8) != 0 && pg_strncasecmp(url, "http://", 7) != 0))
		ereport(ERROR,
				appflow_error_detail(WF_VALIDATION, "It is %s.", template),
				errmsg("the properties of connector profile \"%s\" do not make the URL of connector \"%s\"",
					   session->profile_name, session_application(session)));
	for (size_t length = strlen(url); length > 0 && url[length - 1] == '/'; length--)
		url[length - 1] = '\0';
	return url;
}

/* ---------- settings of a flow's end ---------- */

static bool
is_value_of(const ManifestSetting *setting, const char *value)
{
	for (int i = 0; i < setting->values.count; i++)
	{
		if (strcmp(setting->values.items[i], value) == 0)
			return true;
	}
	return setting->values.count == 0;
}

void
manifest_check_settings(const ConnectorSession *session, Jsonb *settings, bool source)
{
	const Manifest *manifest = manifest_of(session);

	for (int i = 0; i < manifest->settings.count; i++)
	{
		const ManifestSetting *setting = &manifest->settings.items[i];
		char	   *value;

		if (setting->scope != SCOPE_BOTH && setting->scope != (source ? SCOPE_SOURCE : SCOPE_DESTINATION))
			continue;
		value = jsonb_get_text(settings, setting->key);
		if (value == NULL && setting->required && setting->otherwise == NULL)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("customProperties.%s is missing, connector \"%s\" requires it of a %s", setting->key,
						   session_application(session), source ? "source" : "destination"));
		if (value != NULL && !is_value_of(setting, value))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("customProperties.%s cannot be \"%s\", connector \"%s\" has other values for it, such as \"%s\"",
						   setting->key, value, session_application(session), setting->values.items[0]));
	}
}

/* ---------- the connector ---------- */

Connector *
manifest_connector(const Manifest *manifest, const char *type, const char *label)
{
	Connector  *connector = palloc0(sizeof(Connector));

	connector->type = pstrdup(type);
	connector->label = label == NULL ? NULL : pstrdup(label);
	connector->manifest = manifest;
	connector->list_entities = manifest_list_entities;
	connector->describe_entity = manifest_describe;
	connector->plan_read = manifest_plan_read;
	connector->open_reader = manifest_open_reader;
	connector->open_writer = manifest_open_writer;
	connector->batch_size = manifest_batch_size;
	return connector;
}

const Manifest *
manifest_from_jsonb(Jsonb *document, char **problem)
{
	char		words[MANIFEST_PROBLEM] = "";
	char	   *text = JsonbToCString(NULL, &document->root, VARSIZE(document));
	Manifest   *manifest = manifest_parse(manifest_arena(), text, strlen(text), false, words);

	pfree(text);
	*problem = manifest == NULL ? pstrdup(words) : NULL;
	return manifest;
}

const Connector *
manifest_built_in(const char *type)
{
	static const Connector **made;

	for (int i = 0; i < embedded_manifest_count; i++)
	{
		const EmbeddedManifest *embedded = &embedded_manifests[i];

		if (pg_strcasecmp(embedded->connector, type) != 0)
			continue;
		if (made == NULL)
			made = MemoryContextAllocZero(TopMemoryContext, sizeof(*made) * embedded_manifest_count);
		if (made[i] == NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
			char		problem[MANIFEST_PROBLEM] = "";
			Manifest   *manifest = manifest_parse(manifest_arena(), embedded->text, embedded->length, true, problem);

			/* make has checked it */
			if (manifest == NULL)
				elog(ERROR, "manifest %s: %s", embedded->file, problem);
			made[i] = manifest_connector(manifest, embedded->connector, NULL);
			MemoryContextSwitchTo(old);
		}
		return made[i];
	}
	return NULL;
}
