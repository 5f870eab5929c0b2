/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON documents that others wrote: manifests, configs, tokens. Bounded in size
 * and in number of values before a parser sees them. Used all over image/.
 */
#ifndef HULL_IMAGE_DOC_H
#define HULL_IMAGE_DOC_H

#include "host/err.h"

#include <jansson.h>

/* Largest document: distribution-spec 1.1 asks registries for 4 MiB of manifest. */
#define DOC_MAX MIB(4)
/* Most values in one document; keeps a parsed one below some 100 MiB. */
#define DOC_MAX_VALUES 400000u

/*
 * Parses one JSON object (no duplicate keys). what names it in messages. The
 * result is the caller's: json_decref.
 */
int doc_parse(const char *what, const void *data, size_t len, json_t **out, struct err *e);

/* A member that is a string, else "". Lives as long as the object; object NULL is fine. */
const char *doc_text(const json_t *object, const char *key);
/* A member that is a non-negative integer, else 0. */
u64 doc_uint(const json_t *object, const char *key);

/* A member that is an array of strings as a list for list_free; NULL if absent, null or empty. */
int doc_list(const json_t *object, const char *key, char ***out, struct err *e);
/* The keys of an object member, with "=value" appended if values. */
int doc_keys(const json_t *object, const char *key, bool values, char ***out, struct err *e);

/* Copies text into a fixed buffer; -EINVAL naming what when it does not fit. */
int doc_copy(const char *what, const char *text, char *out, size_t size, struct err *e);

/* Frees a NULL-terminated list of strings and itself. NULL ok. */
void list_free(char **list);

/* json_dumps without spaces, as malloc'ed bytes. -ENOMEM. */
int doc_print(const json_t *doc, char **out, size_t *len, struct err *e);

#endif
