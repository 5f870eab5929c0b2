/* SPDX-License-Identifier: Apache-2.0 */
#include "image/ref.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static int bad(const char *text, const char *why, struct err *e)
{
	return err_set(e, EINVAL, "%.100s is no image reference: %s", text, why);
}

/* Does the first component name a registry? It has a dot or a port, or is localhost. */
static bool is_registry(const char *text, size_t n)
{
	return memchr(text, '.', n) || memchr(text, ':', n) || text[0] == '[' ||
	       (n == 9 && !memcmp(text, "localhost", 9));
}

static bool registry_ok(const char *s)
{
	size_t n;

	if (*s == '[') {
		n = strspn(s + 1, DIGITS "abcdefABCDEF:.");
		if (!n || s[n + 1] != ']')
			return false;
		s += n + 2;
	} else {
		n = strspn(s, LOWER UPPER DIGITS "-.");
		if (!n || *s == '-' || *s == '.')
			return false;
		s += n;
	}
	if (!*s)
		return true;
	n = *s == ':' ? strspn(s + 1, DIGITS) : 0;
	return n >= 1 && n <= 5 && !s[n + 1];
}

/* One component: lower-case letters and digits with ".", "_", "__" or dashes inside. */
static bool component_ok(const char *s, size_t n)
{
	static const char edge[] = LOWER DIGITS;

	if (!n || !strchr(edge, s[0]) || !strchr(edge, s[n - 1]))
		return false;
	for (size_t i = 1; i < n; i++) {
		if (!memchr(LOWER DIGITS "._-", s[i], sizeof(LOWER DIGITS "._-") - 1))
			return false;
		if (s[i] == '.' && !strchr(edge, s[i - 1]))
			return false;
		if (s[i] == '_' && s[i - 1] != '_' && !strchr(edge, s[i - 1]))
			return false;
	}
	return true;
}

static bool path_ok(const char *s)
{
	for (;;) {
		size_t n = strcspn(s, "/");

		if (!component_ok(s, n))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

static bool tag_ok(const char *s)
{
	size_t n = strlen(s);

	return n >= 1 && n <= 128 && *s != '.' && *s != '-' &&
	       strspn(s, LOWER UPPER DIGITS "_.-") == n;
}

/* Takes "@digest" and ":tag" off the end of buf. */
static int parse_suffix(char *buf, const char *text, struct ref *out, struct err *e)
{
	char *at = strchr(buf, '@'), *slash, *colon;

	if (at) {
		if (digest_parse(at + 1, &out->digest, NULL))
			return bad(text, "the digest after @ is malformed", e);
		*at = 0;
	}
	slash = strrchr(buf, '/');
	colon = strchr(slash ? slash : buf, ':');
	if (!colon) {
		if (!at)
			memcpy(out->tag, "latest", 7);
		return 0;
	}
	if (!tag_ok(colon + 1))
		return bad(text, "a tag is up to 128 letters, digits and _.-", e);
	memcpy(out->tag, colon + 1, strlen(colon + 1) + 1);
	*colon = 0;
	return 0;
}

static int parse_name(const char *name, const char *text, struct ref *out, struct err *e)
{
	const char *slash = strchr(name, '/'), *path = name;
	size_t n = slash ? (size_t)(slash - name) : 0;

	if (slash && is_registry(name, n)) {
		if (n >= sizeof(out->registry))
			return bad(text, "the registry's name is too long", e);
		memcpy(out->registry, name, n);
		out->registry[n] = 0;
		path = slash + 1;
	} else {
		memcpy(out->registry, "docker.io", 10);
		out->short_name = true;
	}
	if (!strcmp(out->registry, "index.docker.io"))
		memcpy(out->registry, "docker.io", 10);
	if (!registry_ok(out->registry))
		return bad(text, "its registry is no host name with an optional port", e);
	n = (size_t)snprintf(
		out->path, sizeof(out->path), "%s%s",
		!strcmp(out->registry, "docker.io") && !strchr(path, '/') ? "library/" : "", path);
	if (n >= sizeof(out->path))
		return bad(text, "the name is too long", e);
	if (!path_ok(out->path))
		return bad(text, "names are lower-case letters, digits and ._- between slashes", e);
	return 0;
}

int ref_parse(const char *text, struct ref *out, struct err *e)
{
	char buf[IMAGE_NAME_MAX + 80];
	int ret;

	*out = (struct ref){0};
	if (!*text)
		return bad(text, "it is empty", e);
	if (strlen(text) >= IMAGE_NAME_MAX)
		return bad(text, "it is too long", e);
	memcpy(buf, text, strlen(text) + 1);
	ret = parse_suffix(buf, text, out, e);
	return ret ? ret : parse_name(buf, text, out, e);
}

int ref_format(const struct ref *r, char *out, struct err *e)
{
	int n = snprintf(out, IMAGE_NAME_MAX, "%s/%s%s%s%s%s", r->registry, r->path,
			 r->tag[0] ? ":" : "", r->tag, r->digest.s[0] ? "@" : "", r->digest.s);

	if (n >= IMAGE_NAME_MAX)
		return err_set(e, ENAMETOOLONG, "image name too long: %.60s...", out);
	return 0;
}

bool ref_is_id(const char *text)
{
	size_t n = strlen(text);

	return n >= 4 && n <= 64 && strspn(text, DIGITS "abcdef") == n;
}

bool ref_is_loopback(const struct ref *r)
{
	return !strncmp(r->registry, "127.", 4) || !strncmp(r->registry, "[::1]", 5) ||
	       !strcmp(r->registry, "localhost") || !strncmp(r->registry, "localhost:", 10);
}
