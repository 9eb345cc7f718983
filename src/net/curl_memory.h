/*-------------------------------------------------------------------------
 *
 * curl_memory.h
 *	  Memory for libcurl, which is wiped when it is given back.
 *
 * What libcurl returns for the caller to free must be given to curl_free().
 *
 * IDENTIFICATION
 *	  src/net/curl_memory.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_CURL_MEMORY_H
#define APPFLOW_NET_CURL_MEMORY_H

#include <curl/curl.h>

/*
 * In the place of curl_global_init().  If something else in this process was
 * faster, libcurl keeps the memory that it has.
 */
extern CURLcode curl_memory_init(void);

#endif							/* APPFLOW_NET_CURL_MEMORY_H */
