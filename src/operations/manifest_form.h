/*-------------------------------------------------------------------------
 *
 * manifest_form.h
 *	  Manifests that are registered, in the form of the reference.
 *
 * IDENTIFICATION
 *	  src/operations/manifest_form.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_MANIFEST_FORM_H
#define APPFLOW_MANIFEST_FORM_H

#include "postgres.h"

#include "utils/jsonb.h"

/*
 * The ConnectorConfiguration of a connector that is a manifest.  Raises
 * ValidationException, with the place of the mistake, if it is not right.
 */
extern Jsonb *manifest_configuration(const char *label, Jsonb *document);

#endif							/* APPFLOW_MANIFEST_FORM_H */
