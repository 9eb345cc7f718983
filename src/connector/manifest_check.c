/*-------------------------------------------------------------------------
 *
 * manifest_check.c
 *	  What is wrong with a manifest whose every key is right.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_check.c
 *
 *-------------------------------------------------------------------------
 */
#include "connector/manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct Check
{
	const Manifest *manifest;
	char	   *problem;
	char		place[100];
} Check;

__attribute__((format(printf, 3, 4)))
static bool
fail(Check *check, const char *place, const char *fmt,...)
{
	va_list		ap;
	int			written = snprintf(check->problem, MANIFEST_PROBLEM, "%s%s%s%s", check->place,
								   check->place[0] && place[0] ? "." : "", place,
								   check->place[0] || place[0] ? ": " : "");

	va_start(ap, fmt);
	vsnprintf(check->problem + written, (size_t) (MANIFEST_PROBLEM - written), fmt, ap);
	va_end(ap);
	return false;
}

/* ---------- what templates of a call name ---------- */

static bool
pairs_name(const ManifestPairs *pairs, const char *value)
{
	for (int i = 0; i < pairs->count; i++)
	{
		if (template_names(pairs->items[i].value, value))
			return true;
	}
	return false;
}

static bool
body_names(const JsonTree *tree, const char *value)
{
	if (tree == NULL)
		return false;
	if (tree->kind == JSON_TREE_STRING && template_names(tree->text, value))
		return true;
	for (const JsonTree *item = tree->first; item != NULL; item = item->next)
	{
		if (body_names(item, value))
			return true;
	}
	return false;
}

static bool
call_names(const ManifestCall *call, const char *value)
{
	return template_names(call->path, value) || pairs_name(&call->parameters, value) ||
		pairs_name(&call->first_parameters, value) || pairs_name(&call->next_parameters, value) ||
		pairs_name(&call->headers, value) || pairs_name(&call->form, value) || body_names(call->body, value);
}

static bool
check_call(Check *check, const char *place, const ManifestCall *call)
{
	if (call->path[0] != '/')
		return fail(check, place, "path must begin with \"/\": it follows the base URL");
	if (call->body != NULL && call->form.count > 0)
		return fail(check, place, "a call has a body or a form, not both");
	if ((call->body != NULL || call->form.count > 0) && call->method != NULL && strcmp(call->method, "GET") == 0)
		return fail(check, place, "a GET has no body");
	return true;
}

/* ---------- reading ---------- */

static bool
check_paging(Check *check, const char *place, const ManifestRead *read, const ManifestPaging *paging)
{
	static const char *const values[] = {
		[PAGING_OFFSET] = "offset", [PAGING_PAGE] = "page", [PAGING_CURSOR] = "cursor", [PAGING_HEADER] = "cursor",
		[PAGING_TIME] = "cursor", [PAGING_KEY] = "cursor"
	};
	const char *value = values[paging->kind];
	bool		wants_next = paging->kind == PAGING_CURSOR || paging->kind == PAGING_LINK ||
		paging->kind == PAGING_HEADER || paging->kind == PAGING_TIME || paging->kind == PAGING_KEY;

	if (wants_next && paging->next == NULL)
		return fail(check, place, "paging of this kind needs the key \"next\"");
	if (!wants_next && paging->next != NULL)
		return fail(check, place, "paging of this kind has no \"next\"");
	if (value != NULL && !call_names(&read->call, value))
		return fail(check, place, "paging of this kind needs {%s} in the call, or every page would be the first", value);
	if (paging->total != NULL && paging->kind != PAGING_OFFSET && paging->kind != PAGING_PAGE)
		return fail(check, place, "\"total\" goes with the kinds offset and page");
	if (paging->at != NULL && paging->kind != PAGING_OFFSET && paging->kind != PAGING_PAGE)
		return fail(check, place, "\"at\" goes with the kinds offset and page");
	if (paging->link_tells && paging->kind != PAGING_KEY && paging->kind != PAGING_OFFSET && paging->kind != PAGING_PAGE)
		return fail(check, place, "\"linkTells\" goes with the kinds key, offset and page");
	if (paging->maximum != 0 && paging->maximum < paging->size)
		return fail(check, place, "\"maximum\" is less than \"size\"");
	if (paging->kind == PAGING_TIME && paging->last.path == NULL && paging->more.path == NULL && paging->size == 0)
		return fail(check, place, "paging by time needs \"last\" or \"more\"");
	return true;
}

static bool
check_filters(Check *check, const ManifestRead *read)
{
	char		place[40];

	for (int i = 0; i < read->filters.count; i++)
	{
		const ManifestFilter *filter = &read->filters.items[i];

		snprintf(place, sizeof(place), "filters[%d]", i);
		if (filter->term == NULL && filter->parameters.count == 0 && filter->first_parameters.count == 0)
			return fail(check, place, "a filter needs \"term\", \"parameters\" or \"firstParameters\"");
		if (filter->term != NULL && !call_names(&read->call, "query") && !call_names(&read->call, "filter"))
			return fail(check, place, "a term goes into {query} or {filter}, but no parameter of the call has one");
		if (filter->operators == 0)
			return fail(check, place, "operators is empty");
		if (filter->values != NULL && filter->or != NULL)
			return fail(check, place, "several operands go by \"values\" or by \"or\", not both");
		if (filter->fields.count > 0 && filter->except.count > 0)
			return fail(check, place, "\"except\" is for filters of all fields, this one has \"fields\"");
		if (filter->or != NULL && filter->term == NULL)
			return fail(check, place, "\"or\" joins terms, and there is no \"term\"");
		for (int k = 0; k < filter->escape.count; k++)
		{
			if (filter->escape.items[k].name[0] == '\0')
				return fail(check, place, "escape has nothing for a name");
		}
	}
	return true;
}

static bool
check_pages(Check *check, const ManifestRead *read)
{
	return check_call(check, "", &read->call) && check_paging(check, "paging", read, &read->paging);
}

static bool
has_field(const ManifestEntity *entity, const char *name)
{
	for (int i = 0; i < entity->fields.count; i++)
	{
		if (strcmp(entity->fields.items[i].name, name) == 0)
			return true;
	}
	return false;
}

static bool
check_read(Check *check, const ManifestEntity *entity, const ManifestRead *read)
{
	if (!check_pages(check, read) || !check_filters(check, read))
		return false;
	if (read->lines && read->records != NULL && read->records[0] != '\0')
		return fail(check, "lines", "lines have nothing around them, so \"records\" leads nowhere");
	if (read->lines && read->paging.kind != PAGING_NONE && read->paging.kind != PAGING_LINK_HEADER &&
		read->paging.kind != PAGING_HEADER)
		return fail(check, "lines", "lines have nothing around them: what the next page is, only headers can tell");
	if (read->order != NULL)
	{
		if (read->order->ascending == NULL && read->order->descending == NULL)
			return fail(check, "order", "neither \"ascending\" nor \"descending\" is there");
		if (!call_names(&read->call, "query") && !call_names(&read->call, "order"))
			return fail(check, "order", "terms of order go into {query} or {order}, but no parameter of the call has one");
		if (read->order->paging == NULL && read->paging.kind == PAGING_KEY)
			return fail(check, "order", "pages by key are in the key's order: to give another it needs a \"paging\" of its own");
		if (read->order->paging != NULL &&
			(read->order->paging->kind == PAGING_KEY || !check_paging(check, "order.paging", read, read->order->paging)))
			return fail(check, "order.paging", "pages by key are in no other order");
	}
	for (int i = 0; i < read->unnest.count; i++)
	{
		for (int k = 0; k < read->unnest.items[i].count; k++)
		{
			if (read->unnest.items[i].items[k][0] == '\0' || strchr(read->unnest.items[i].items[k], '[') != NULL)
				return fail(check, "unnest", "\"%.60s\" is not the path of an array", read->unnest.items[i].items[k]);
		}
		if (read->unnest.items[i].count == 0)
			return fail(check, "unnest", "a step names no array");
	}
	if (read->unnest.count > 0 && (read->paging.kind == PAGING_KEY || read->paging.kind == PAGING_TIME))
		return fail(check, "unnest", "it does not go with paging of the kinds key and time");
	if (read->distinct.count > 0 && read->paging.kind != PAGING_TIME)
		return fail(check, "distinct", "it goes with paging of the kind time");
	for (int i = 0; i < read->distinct.count; i++)
	{
		if (entity->describe == NULL && !has_field(entity, read->distinct.items[i]))
			return fail(check, "distinct", "the entity has no field \"%.60s\"", read->distinct.items[i]);
	}
	return true;
}

/* ---------- fields ---------- */

/* "a.b[key=value].c": brackets in their place */
static bool
path_is_right(const char *path)
{
	const char *open = strchr(path, '[');
	const char *close;

	if (open == NULL)
		return strchr(path, ']') == NULL;
	close = strchr(open, ']');
	if (open == path || close == NULL || memchr(open, '=', (size_t) (close - open)) == NULL || open[1] == '=')
		return false;
	return close[1] == '\0' || (close[1] == '.' && close[2] != '\0' && strpbrk(close, "[") == NULL);
}

static bool
check_fields(Check *check, const ManifestEntity *entity)
{
	char		place[60];

	for (int i = 0; i < entity->fields.count; i++)
	{
		const ManifestField *field = &entity->fields.items[i];
		FieldType	type = manifest_types[field->type].type;

		snprintf(place, sizeof(place), "fields[%d]", i);
		if (field->name[0] == '\0')
			return fail(check, place, "name is empty");
		for (int k = 0; k < i; k++)
		{
			if (strcmp(field->name, entity->fields.items[k].name) == 0)
				return fail(check, place, "the field \"%.60s\" is there twice", field->name);
		}
		if (field->path != NULL && field->constant != NULL)
			return fail(check, place, "a field has a path or is a constant, not both");
		if (field->path != NULL && !path_is_right(field->path))
			return fail(check, place, "\"%.100s\" is not a path; an element of an array is named list[key=value]",
						field->path);
		if (field->format != FORMAT_NONE && type != FIELD_DATE && type != FIELD_DATETIME && type != FIELD_TIMESTAMP)
			return fail(check, place, "only the types Date, DateTime and Timestamp have formats");
		if (field->incremental && type != FIELD_DATE && type != FIELD_DATETIME && type != FIELD_TIMESTAMP &&
			type != FIELD_LONG && type != FIELD_DECIMAL && type != FIELD_STRING)
			return fail(check, place, "a field that says when a record has changed is a time or a number");
	}
	return true;
}

static bool
check_describe(Check *check, const ManifestDescribe *describe)
{
	if (!check_pages(check, &describe->read))
		return false;
	if (describe->lineage != NULL)
	{
		if (!check_call(check, "lineage", &describe->lineage->call))
			return false;
		if (!call_names(&describe->lineage->call, "entity"))
			return fail(check, "lineage", "the call must have {entity}: it is made for each ancestor");
	}
	else if (call_names(&describe->read.call, "lineage"))
		return fail(check, "", "{lineage} needs the key \"lineage\"");
	if (describe->values_name != NULL && describe->values == NULL)
		return fail(check, "", "\"valuesName\" goes with \"values\"");
	return true;
}

/* ---------- writing ---------- */

static bool
check_write(Check *check, const ManifestWrite *write, const char *operation)
{
	bool		deletes = strcmp(operation, "DELETE") == 0;
	bool		body = write->call.body != NULL || write->call.form.count > 0;

	if (!check_call(check, "", &write->call))
		return false;
	if (write->call.method == NULL && strcmp(operation, "INSERT") != 0 && !body)
		return fail(check, "", "the key \"method\" is missing");
	if (write->batch > 1 && (call_names(&write->call, "id") || call_names(&write->call, "id.") ||
							 call_names(&write->call, "record")))
		return fail(check, "", "{id} and {record} are of one record, but \"batch\" is %d: use {ids} and {records}",
					write->batch);
	if (write->ids_in_path && !call_names(&write->call, "id") && !call_names(&write->call, "id.") &&
		!call_names(&write->call, "ids"))
		return fail(check, "", "\"ids\" is \"path\", but neither path nor parameters have {id} or {ids}");
	if (deletes && !body && !call_names(&write->call, "id") && !call_names(&write->call, "id.") &&
		!call_names(&write->call, "ids"))
		return fail(check, "", "the call does not say what to delete: it has neither {id} nor {ids} nor a body");
	if (write->job != NULL)
	{
		if (!check_call(check, "job", &write->job->call))
			return false;
		if (!call_names(&write->job->call, "job"))
			return fail(check, "job", "the call must have {job}");
	}
	if (write->results != NULL && write->results->records != NULL && write->results->failed.path == NULL)
		return fail(check, "results", "the key \"failed\" is missing: nothing tells which records were refused");
	return true;
}

/* ---------- entities ---------- */

static bool
check_name(Check *check, const ManifestEntity *entity)
{
	const char *star = strchr(entity->name, '*');
	size_t		length = strlen(entity->name);

	if (length == 0 || entity->name[0] == '/' || entity->name[length - 1] == '/' || strstr(entity->name, "//") != NULL)
		return fail(check, "name", "\"%.60s\" is not pieces joined by slashes", entity->name);
	if (star != NULL && (star[1] != '\0' || (star != entity->name && star[-1] != '/')))
		return fail(check, "name", "a star is a whole piece of a name, the last");
	if (entity->list != NULL && star == NULL)
		return fail(check, "list", "only names that end in a star are of entities that can be listed");
	return true;
}

static bool
check_entity(Check *check, int number)
{
	static const char *const operations[] = {"INSERT", "UPSERT", "UPDATE", "DELETE"};
	const ManifestEntity *entity = &check->manifest->entities.items[number];
	char		place[sizeof(check->place)];

	snprintf(place, sizeof(place), "entities[%d]", number);
	strcpy(check->place, place);
	for (int i = 0; i < number; i++)
	{
		if (strcmp(entity->name, check->manifest->entities.items[i].name) == 0)
			return fail(check, "name", "the entity \"%.60s\" is there twice", entity->name);
	}
	if (!check_name(check, entity) || !check_fields(check, entity))
		return false;
	if (entity->fields.count == 0 && entity->describe == NULL && entity->sample == 0 &&
		(entity->read.count > 0 || strchr(entity->name, '*') != NULL))
		return fail(check, "", "nothing tells the entity's fields: neither \"fields\" nor \"describe\" nor \"sample\"");
	if (entity->sample > 0 && entity->read.count == 0)
		return fail(check, "sample", "an entity that cannot be read has no sample");
	if (entity->count != NULL)
	{
		if (entity->read.count == 0)
			return fail(check, "count", "an entity that cannot be read is not counted");
		if ((entity->count->value == NULL) == (entity->count->header == NULL))
			return fail(check, "count", "it needs \"value\" or \"header\", and one only");
		if (!check_call(check, "count", &entity->count->call))
			return false;
	}
	for (int i = 0; i < entity->read.count; i++)
	{
		if (entity->read.count > 1)
			snprintf(check->place, sizeof(check->place), "entities[%d].read[%d]", number, i);
		else
			snprintf(check->place, sizeof(check->place), "entities[%d].read", number);
		if (!check_read(check, entity, &entity->read.items[i]))
			return false;
	}
	if (entity->read.count > 0 && (entity->read.items[entity->read.count - 1].when_filtered ||
								   entity->read.items[entity->read.count - 1].settled != NULL ||
								   entity->read.items[entity->read.count - 1].lacks.count > 0))
		return fail(check, "when", "the last way to read must be one that always fits");
	snprintf(check->place, sizeof(check->place), "entities[%d].list", number);
	if (entity->list != NULL && !check_pages(check, &entity->list->read))
		return false;
	snprintf(check->place, sizeof(check->place), "entities[%d].describe", number);
	if (entity->describe != NULL && !check_describe(check, entity->describe))
		return false;
	for (int i = 0; i < 4; i++)
	{
		snprintf(check->place, sizeof(check->place), "entities[%d].write.%s", number, operations[i]);
		if (entity->write[i] != NULL && !check_write(check, entity->write[i], operations[i]))
			return false;
	}
	check->place[0] = '\0';
	return true;
}

static bool
check_authentication(Check *check, const ManifestAuthentication *authentication)
{
	const ManifestApiKey *key = authentication->api_key;
	const ManifestCustomAuth *custom = authentication->custom;

	if (!authentication->basic && key == NULL && authentication->oauth2 == NULL && custom == NULL)
		return fail(check, "authentication", "it names no way to authenticate");
	if (key != NULL && (key->header == NULL) == (key->parameter == NULL))
		return fail(check, "authentication.apiKey", "it needs \"header\" or \"parameter\", and one only");
	if (key != NULL && key->parameter != NULL && key->prefix != NULL)
		return fail(check, "authentication.apiKey", "\"prefix\" goes with \"header\"");
	if (custom != NULL && (custom->headers.count == 0) == (custom->parameters.count == 0))
		return fail(check, "authentication.custom", "it needs \"headers\" or \"parameters\", and one only");
	if (custom != NULL && custom->headers.count + custom->parameters.count > 4)
		return fail(check, "authentication.custom", "more than four credentials cannot be sent");
	return true;
}

bool
manifest_check(const Manifest *manifest, bool built_in, char problem[MANIFEST_PROBLEM])
{
	Check		check = {.manifest = manifest, .problem = problem};

	if (built_in && manifest->connector == NULL)
		return fail(&check, "", "the key \"connector\" is missing: it says whose manifest it is");
	if (!built_in && manifest->connector != NULL)
		return fail(&check, "connector", "a registered connector has its connectorLabel instead");
	if (!built_in && manifest->authentication == NULL)
		return fail(&check, "", "the key \"authentication\" is missing");
	if (manifest->entities.count == 0)
		return fail(&check, "entities", "there is none");
	if (manifest->base_path != NULL && manifest->base_path[0] != '/')
		return fail(&check, "basePath", "it must begin with \"/\"");
	if (manifest->base_url != NULL && strncmp(manifest->base_url, "https://", 8) != 0 &&
		strncmp(manifest->base_url, "http://", 7) != 0 && manifest->base_url[0] != '{')
		return fail(&check, "baseUrl", "it must begin with https:// or http://");
	if (manifest->authentication != NULL && !check_authentication(&check, manifest->authentication))
		return false;
	for (int i = 0; i < manifest->settings.count; i++)
	{
		for (int k = 0; k < i; k++)
		{
			if (strcmp(manifest->settings.items[i].key, manifest->settings.items[k].key) == 0)
				return fail(&check, "settings", "the setting \"%.60s\" is there twice", manifest->settings.items[i].key);
		}
	}
	for (int i = 0; i < manifest->entities.count; i++)
	{
		if (!check_entity(&check, i))
			return false;
	}
	return true;
}
