/* SPDX-License-Identifier: Apache-2.0 */
#include "image/doc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No list in an image has more entries. */
#define LIST_MAX 20000u

static bool too_many_values(const char *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] == '[' || p[i] == '{' || p[i] == ',';
	return n > DOC_MAX_VALUES;
}

int doc_parse(const char *what, const void *data, size_t len, json_t **out, struct err *e)
{
	json_error_t why;

	*out = NULL;
	if (len > DOC_MAX)
		return err_set(e, EFBIG, "%s: more than %u MiB of JSON", what,
			       (unsigned)(DOC_MAX >> 20));
	if (too_many_values(data, len))
		return err_set(e, EFBIG, "%s: too many values", what);
	*out = json_loadb(data, len, JSON_REJECT_DUPLICATES, &why);
	if (!*out)
		return err_set(e, EINVAL, "%s: bad JSON: %.120s (line %d)", what, why.text,
			       why.line);
	if (json_is_object(*out))
		return 0;
	json_decref(*out);
	*out = NULL;
	return err_set(e, EINVAL, "%s: not a JSON object", what);
}

const char *doc_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

u64 doc_uint(const json_t *object, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(object, key));

	return v > 0 ? (u64)v : 0;
}

void list_free(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

static int list_new(size_t n, char ***out, struct err *e)
{
	int status = n > LIST_MAX ? EFBIG : ENOMEM;

	*out = n > LIST_MAX ? NULL : calloc(n + 1, sizeof(**out));
	if (*out)
		return 0;
	err_set(e, status, "a list of %zu entries is too long", n);
	return -status;
}

int doc_list(const json_t *object, const char *key, char ***out, struct err *e)
{
	const json_t *a = json_object_get(object, key);
	size_t n = json_array_size(a);
	int ret;

	*out = NULL;
	if (a && !json_is_array(a) && !json_is_null(a))
		return err_set(e, EINVAL, "%s is no list", key);
	if (!n)
		return 0;
	ret = list_new(n, out, e);
	for (size_t i = 0; !ret && i < n; i++) {
		const char *s = json_string_value(json_array_get(a, i));

		if (!s)
			ret = err_set(e, EINVAL, "%s holds something that is no text", key);
		else if (!((*out)[i] = strdup(s)))
			ret = err_set(e, ENOMEM, "no memory");
	}
	if (ret) {
		list_free(*out);
		*out = NULL;
	}
	return ret;
}

int doc_keys(const json_t *object, const char *key, bool values, char ***out, struct err *e)
{
	json_t *m = json_object_get(object, key), *v;
	size_t i = 0;
	const char *k;
	int ret;

	*out = NULL;
	if (m && !json_is_object(m) && !json_is_null(m))
		return err_set(e, EINVAL, "%s is no object", key);
	if (!json_object_size(m))
		return 0;
	ret = list_new(json_object_size(m), out, e);
	if (ret)
		return ret;
	json_object_foreach(m, k, v)
	{
		const char *s = json_string_value(v);
		int n = values ? asprintf(&(*out)[i], "%s=%s", k, s ? s : "")
			       : asprintf(&(*out)[i], "%s", k);

		if (n < 0) {
			(*out)[i] = NULL;
			list_free(*out);
			*out = NULL;
			return err_set(e, ENOMEM, "no memory");
		}
		i++;
	}
	return 0;
}

int doc_copy(const char *what, const char *text, char *out, size_t size, struct err *e)
{
	size_t n = strlen(text);

	if (n >= size)
		return err_set(e, EINVAL, "%s is too long: %.40s...", what, text);
	memcpy(out, text, n + 1);
	return 0;
}

int doc_print(const json_t *doc, char **out, size_t *len, struct err *e)
{
	*out = json_dumps(doc, JSON_COMPACT);
	if (!*out)
		return err_set(e, ENOMEM, "no memory");
	*len = strlen(*out);
	return 0;
}
