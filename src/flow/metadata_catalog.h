/*-------------------------------------------------------------------------
 *
 * metadata_catalog.h
 *	  Registers what a run has written with the AWS Glue Data Catalog.
 *
 * IDENTIFICATION
 *	  src/flow/metadata_catalog.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_METADATA_CATALOG_H
#define APPFLOW_FLOW_METADATA_CATALOG_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "flow/transform.h"

/* what the source tells of the field that a field of the destination has its values from */
typedef struct CatalogLabel
{
	const char *label;			/* or NULL */
	const char *description;	/* or NULL */
} CatalogLabel;

/*
 * Those of all fields of the destination, as of now; the reader must still be open.
 * described is the source's entity, or NULL.
 */
extern CatalogLabel *metadata_catalog_labels(const Transform *transform, const Schema *described);

typedef struct CatalogRequest
{
	const char *flow_name;
	const char *execution_id;
	int64		schema_version;
	TimestampTz flow_created_at;
	Oid			owner;			/* who needs the right to the server's AWS identity */
	const FlowPlan *plan;
	const CatalogLabel *labels; /* one for each field of the writer */
	const RecordWriter *writer; /* of s3_connector; its objects are visible */
} CatalogRequest;

/*
 * Register; needs no transaction, and none should be open.  Raises no errors: what
 * went wrong, or was cancelled, is in the result, which is metadataCatalogDetails; NULL
 * if there was nothing to register.
 */
extern Jsonb *metadata_catalog_register(const CatalogRequest *request);

#endif							/* APPFLOW_FLOW_METADATA_CATALOG_H */
