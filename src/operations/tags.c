/*-------------------------------------------------------------------------
 *
 * tags.c
 *	  TagResource, UntagResource, ListTagsForResource: tags of flows, connector
 *	  profiles and registered connectors, by ARN.
 *
 * IDENTIFICATION
 *	  src/operations/tags.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "compat.h"
#include "miscadmin.h"
#include "operations/operations.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(appflow_tag_resource);
PG_FUNCTION_INFO_V1(appflow_untag_resource);
PG_FUNCTION_INFO_V1(appflow_list_tags_for_resource);

/* tags that a resource may have */
#define MAX_TAGS 50

/* what has tags, by the kind that its ARN names */
typedef struct Taggable
{
	const char *kind;
	const char *select;			/* owner and tags of the name $1, locked */
	const char *update;			/* set the tags of the name $1 to $2 */
} Taggable;

#define TAGGABLE(kind, relation, column) \
	{kind, \
	"SELECT owner::oid, tags FROM appflow." relation " WHERE " column " OPERATOR(pg_catalog.=) $1 FOR UPDATE", \
	"UPDATE appflow." relation " SET tags = $2 WHERE " column " OPERATOR(pg_catalog.=) $1"}

static const Taggable taggables[] = {
	TAGGABLE("flow", "flow", "flow_name"),
	TAGGABLE("connectorprofile", "connector_profile", "connector_profile_name"),
	TAGGABLE("connector", "connector", "connector_label"),
};

typedef struct Resource
{
	const Taggable *taggable;
	char	   *arn;
	char	   *name;
	Jsonb	   *tags;
} Resource;

pg_noreturn static void resource_missing(const char *arn);

static void
resource_missing(const char *arn)
{
	ereport(ERROR,
			appflow_error(WF_NOT_FOUND),
			errmsg("Resource with ARN %s does not exist.", arn));
}

/* the resource that the request's ARN names, locked, if the user may see it */
static Resource
find_resource(Jsonb *request)
{
	Resource	resource = {.arn = jsonb_get_text(request, "resourceArn")};
	CatalogAccess access;
	CatalogValue values[1];
	Oid			owner = InvalidOid;

	for (int i = 0; i < (int) lengthof(taggables); i++)
	{
		char	   *prefix = operation_arn(taggables[i].kind, "");

		if (strncmp(resource.arn, prefix, strlen(prefix)) == 0)
		{
			resource.taggable = &taggables[i];
			resource.name = resource.arn + strlen(prefix);
		}
	}
	if (resource.taggable == NULL)
		resource_missing(resource.arn);

	catalog_begin(&access);
	values[0] = catalog_text(resource.name);
	if (catalog_execute(resource.taggable->select, 1, values) > 0)
	{
		owner = catalog_get_oid(0, 1);
		resource.tags = catalog_get_jsonb(&access, 0, 2);
	}
	catalog_end(&access);
	if (!OidIsValid(owner) || !has_privs_of_role(GetUserId(), owner))
		resource_missing(resource.arn);
	return resource;
}

static void
store_tags(const Resource *resource, Jsonb *tags)
{
	CatalogAccess access;
	CatalogValue values[2];

	if (JB_ROOT_COUNT(tags) > MAX_TAGS)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("resource %s would have %d tags, %d are allowed", resource->arn,
					   (int) JB_ROOT_COUNT(tags), MAX_TAGS));
	catalog_begin(&access);
	values[0] = catalog_text(resource->name);
	values[1] = catalog_jsonb(tags);
	catalog_execute(resource->taggable->update, 2, values);
	catalog_end(&access);
}

/* one value that a SQL expression makes of two */
static Jsonb *
combine(const char *statement, Jsonb *a, Jsonb *b)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_jsonb(a), catalog_jsonb(b)};
	Jsonb	   *result;

	catalog_begin(&access);
	catalog_execute(statement, 2, values);
	result = catalog_get_jsonb(&access, 0, 1);
	catalog_end(&access);
	return result;
}

/*
 * tag_resource(request jsonb) returns jsonb: {}.
 * Follows TagResource of the API reference; a tag that is there gets the new value.
 */
OPERATION(appflow_tag_resource, "TagResource")
{
	Resource	resource = find_resource(request);

	store_tags(&resource, combine("SELECT $1 OPERATOR(pg_catalog.||) $2", resource.tags,
								  jsonb_get_container(request, "tags")));
	PG_RETURN_JSONB_P(operation_empty());
}

/*
 * untag_resource(request jsonb) returns jsonb: {}.
 * Follows UntagResource of the API reference; keys that are not there are no error.
 */
OPERATION(appflow_untag_resource, "UntagResource")
{
	Resource	resource = find_resource(request);

	store_tags(&resource, combine("SELECT $1 OPERATOR(pg_catalog.-) "
								  "ARRAY(SELECT pg_catalog.jsonb_array_elements_text($2))",
								  resource.tags, jsonb_get_container(request, "tagKeys")));
	PG_RETURN_JSONB_P(operation_empty());
}

/*
 * list_tags_for_resource(request jsonb) returns jsonb: {"tags": {...}}.
 * Follows ListTagsForResource of the API reference.
 */
OPERATION(appflow_list_tags_for_resource, "ListTagsForResource")
{
	Resource	resource = find_resource(request);

	PG_RETURN_JSONB_P(combine("SELECT pg_catalog.jsonb_build_object('tags', $1)", resource.tags, NULL));
}
