/*-------------------------------------------------------------------------
 *
 * connector_form.h
 *	  Connector types in the form of the reference.
 *
 * IDENTIFICATION
 *	  src/operations/connector_form.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CONNECTOR_FORM_H
#define APPFLOW_CONNECTOR_FORM_H

#include "postgres.h"

#include "connector/traits.h"
#include "utils/jsonb.h"

/*
 * A connector type as ConnectorConfiguration (DescribeConnector,
 * DescribeConnectors) or as ConnectorDetail (ListConnectors), with all that its
 * traits tell.  What only a registration knows (owner, version, ARN, runtime
 * settings) is not in it.  The result is one object, in the current context.
 */
extern Jsonb *connector_configuration(const ConnectorTraits *traits);

#endif							/* APPFLOW_CONNECTOR_FORM_H */
