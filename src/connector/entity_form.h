/*-------------------------------------------------------------------------
 *
 * entity_form.h
 *	  Entities and their fields in the wire form of the reference.
 *
 * IDENTIFICATION
 *	  src/connector/entity_form.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_ENTITY_FORM_H
#define APPFLOW_ENTITY_FORM_H

#include "postgres.h"

#include "connector/connector.h"

/* An array of ConnectorEntity, of a list of Entity *; with "group" for those that have one. */
extern Jsonb *entities_to_wire(List *entities);

/*
 * An array of ConnectorEntityField.  What the reference has no member for
 * is in customProperties: nativeType (if it has no white space), exactType, sortable,
 * upsertKey, openValues, notNull, references, relationship, precision, scale.
 */
extern Jsonb *schema_to_wire(const Schema *schema);

/* bits 1 << FilterOperator that make sense for a type, as far as AppFlow has them */
extern uint32 filters_of_type(FieldType type);

/* and back, also from what others made */
extern Schema *schema_from_wire(Jsonb *fields);

#endif							/* APPFLOW_ENTITY_FORM_H */
