/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading typed members out of a JSON tree somebody else wrote. Failure sticks
 * in the context: read a whole object, look at `ret` once. An absent member
 * gives the default; one of the wrong type or out of range is an error that
 * names it. Used by config*.c only.
 */
#ifndef HULL_OCI_PARSE_H
#define HULL_OCI_PARSE_H

#include "oci/config.h"

struct oci_arena {
	struct oci_arena *next;
};

struct parse {
	struct oci_config *config; /* owns what parse_alloc gives */
	struct err *e;
	int ret;
	const char *in; /* "process", "linux.resources": for messages */
};

/* n zeroed items; NULL only with p->ret set. */
void *parse_alloc(struct parse *p, size_t n, size_t size);
int parse_fail(struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

bool parse_has(json_t *obj, const char *key);
const char *parse_str(struct parse *p, json_t *obj, const char *key);
bool parse_bool(struct parse *p, json_t *obj, const char *key);
s64 parse_int(struct parse *p, json_t *obj, const char *key, s64 min, s64 max, s64 def);
u64 parse_u64(struct parse *p, json_t *obj, const char *key, u64 def);
/* A sub-object or array; NULL when absent. *n: number of its items. */
json_t *parse_obj(struct parse *p, json_t *obj, const char *key);
json_t *parse_array(struct parse *p, json_t *obj, const char *key, unsigned *n);
/* The i-th item of an array, which must be an object; NULL after an error. */
json_t *parse_item(struct parse *p, json_t *array, unsigned i);
void parse_strings(struct parse *p, json_t *obj, const char *key, struct oci_strings *out);
/* An object of strings as pairs. */
struct oci_pair *parse_pairs(struct parse *p, json_t *obj, const char *key, unsigned *n);
void parse_idmaps(struct parse *p, json_t *obj, const char *ukey, const char *gkey,
		  struct oci_idmaps *out);

/* The rooms of config*.c. */
void parse_process(struct parse *p, json_t *obj, struct oci_process *out);
void parse_mounts(struct parse *p, json_t *root);
void parse_hooks(struct parse *p, json_t *root);
void parse_linux(struct parse *p, json_t *obj);
void parse_resources(struct parse *p, json_t *obj, struct oci_resources *r);
/* MS_* of a rootfsPropagation name, 0 if unknown. */
unsigned long oci_propagation_by_name(const char *name);
/* For `features`. New reference. */
json_t *oci_mount_option_names(void);
/* Splits mount options into flags, attributes and data. */
void parse_mount_options(struct parse *p, json_t *opts, unsigned n, struct oci_mount *m);

#endif
