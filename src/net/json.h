/*-------------------------------------------------------------------------
 *
 * json.h
 *	  json-c, for small documents of services.
 *
 * json-c and PostgreSQL both declare json_object: a file that includes this
 * must not include utils/builtins.h, nor utils/fmgrprotos.h.
 *
 * IDENTIFICATION
 *	  src/net/json.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_JSON_H
#define APPFLOW_NET_JSON_H

#include <json-c/json.h>

#endif							/* APPFLOW_NET_JSON_H */
