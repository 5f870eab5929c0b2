/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *parse_alloc(struct parse *p, size_t n, size_t size)
{
	struct oci_arena *a = NULL;

	if (n <= OCI_CONFIG_BYTES)
		a = calloc(1, sizeof(*a) + (n ? n : 1) * size);
	if (!a) {
		p->ret = err_set(p->e, ENOMEM, "config: out of memory");
		return NULL;
	}
	a->next = p->config->arena;
	p->config->arena = a;
	return a + 1;
}

int parse_fail(struct parse *p, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	if (p->ret)
		return p->ret;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->ret = err_set(p->e, EINVAL, "config: %s: %s", p->in, text);
	return p->ret;
}

/* A member, with JSON null counting as absent (as Go's decoder has it). */
static json_t *member(json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	return json_is_null(v) ? NULL : v;
}

bool parse_has(json_t *obj, const char *key)
{
	return member(obj, key) != NULL;
}

const char *parse_str(struct parse *p, json_t *obj, const char *key)
{
	json_t *v = member(obj, key);

	if (!v)
		return NULL;
	if (!json_is_string(v))
		parse_fail(p, "%s must be a string", key);
	return json_string_value(v);
}

bool parse_bool(struct parse *p, json_t *obj, const char *key)
{
	json_t *v = member(obj, key);

	if (v && !json_is_boolean(v))
		parse_fail(p, "%s must be true or false", key);
	return json_is_true(v);
}

s64 parse_int(struct parse *p, json_t *obj, const char *key, s64 min, s64 max, s64 def)
{
	json_t *v = member(obj, key);
	s64 n;

	if (!v)
		return def;
	if (json_is_integer(v))
		n = json_integer_value(v);
	else if (json_is_real(v) && json_real_value(v) >= -0x1p63 && json_real_value(v) < 0x1p63)
		n = (s64)json_real_value(v);
	else
		return parse_fail(p, "%s must be an integer", key), def;
	if (n < min || n > max)
		return parse_fail(p, "%s is %lld, must be %lld to %lld", key, (long long)n,
				  (long long)min, (long long)max),
		       def;
	return n;
}

u64 parse_u64(struct parse *p, json_t *obj, const char *key, u64 def)
{
	json_t *v = member(obj, key);
	double d = json_real_value(v);

	if (!v)
		return def;
	if (json_is_integer(v) && json_integer_value(v) >= 0)
		return (u64)json_integer_value(v);
	/* Whole files are read again with reals when an integer does not fit s64. */
	if (json_is_real(v) && d >= 0)
		return d >= 0x1p64 ? UINT64_MAX : (u64)d;
	parse_fail(p, "%s must be an integer, not negative", key);
	return def;
}

json_t *parse_obj(struct parse *p, json_t *obj, const char *key)
{
	json_t *v = member(obj, key);

	if (v && !json_is_object(v)) {
		parse_fail(p, "%s must be an object", key);
		return NULL;
	}
	return v;
}

json_t *parse_array(struct parse *p, json_t *obj, const char *key, unsigned *n)
{
	json_t *v = member(obj, key);

	*n = 0;
	if (!v)
		return NULL;
	if (!json_is_array(v) || json_array_size(v) > OCI_LIST_MAX) {
		parse_fail(p, "%s must be an array of at most %u items", key, OCI_LIST_MAX);
		return NULL;
	}
	*n = (unsigned)json_array_size(v);
	return v;
}

json_t *parse_item(struct parse *p, json_t *array, unsigned i)
{
	json_t *v = json_array_get(array, i);

	if (p->ret)
		return NULL;
	if (!json_is_object(v)) {
		parse_fail(p, "item %u must be an object", i);
		return NULL;
	}
	return v;
}

void parse_strings(struct parse *p, json_t *obj, const char *key, struct oci_strings *out)
{
	json_t *a = parse_array(p, obj, key, &out->n);

	out->v = parse_alloc(p, out->n + 1, sizeof(*out->v));
	for (unsigned i = 0; out->v && i < out->n; i++) {
		out->v[i] = json_string_value(json_array_get(a, i));
		if (!out->v[i]) {
			parse_fail(p, "%s: item %u must be a string", key, i);
			out->v[i] = "";
		}
	}
	if (!out->v)
		out->n = 0;
}

struct oci_pair *parse_pairs(struct parse *p, json_t *obj, const char *key, unsigned *n)
{
	json_t *o = parse_obj(p, obj, key), *v;
	struct oci_pair *pairs;
	const char *k;

	*n = 0;
	if (!o || json_object_size(o) > OCI_LIST_MAX)
		return NULL;
	pairs = parse_alloc(p, json_object_size(o), sizeof(*pairs));
	if (!pairs)
		return NULL;
	json_object_foreach(o, k, v)
	{
		if (!json_is_string(v)) {
			parse_fail(p, "%s: \"%s\" must be a string", key, k);
			break;
		}
		pairs[(*n)++] = (struct oci_pair){k, json_string_value(v)};
	}
	return pairs;
}

static struct oci_idmap *parse_idmap(struct parse *p, json_t *obj, const char *key, unsigned *n)
{
	json_t *a = parse_array(p, obj, key, n);
	struct oci_idmap *maps = parse_alloc(p, *n, sizeof(*maps));

	if (*n > OCI_ID_MAPS)
		parse_fail(p, "%s has more than %u items", key, OCI_ID_MAPS);
	for (unsigned i = 0; maps && i < *n; i++) {
		json_t *o = parse_item(p, a, i);

		if (!o)
			break;
		maps[i].container = (u32)parse_int(p, o, "containerID", 0, UINT32_MAX, 0);
		maps[i].host = (u32)parse_int(p, o, "hostID", 0, UINT32_MAX, 0);
		maps[i].size = (u32)parse_int(p, o, "size", 0, UINT32_MAX, 0);
	}
	return maps;
}

void parse_idmaps(struct parse *p, json_t *obj, const char *ukey, const char *gkey,
		  struct oci_idmaps *out)
{
	out->uid = parse_idmap(p, obj, ukey, &out->nuid);
	out->gid = parse_idmap(p, obj, gkey, &out->ngid);
	if (p->ret)
		out->nuid = out->ngid = 0;
}
