/* SPDX-License-Identifier: Apache-2.0 */
#include "image/ignore.h"

#include "image/doc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PATTERNS 2000u
/* No path is longer (linux/limits.h, PATH_MAX). */
#define PATTERN_MAX 4096u
/* Bounds what "*" after "*" can cost. */
#define MAX_STEPS 200000u

bool glob_has_magic(const char *pattern)
{
	return strpbrk(pattern, "*?[") != NULL;
}

/* "[a-z]", "[^a]": *p stands after the bracket; moves behind the closing one. */
static bool match_class(const char **p, char c)
{
	const char *s = *p;
	bool no = *s == '^' || *s == '!', hit = false;

	s += no;
	do {
		char lo = *s, hi;

		if (lo == '\\' && s[1])
			lo = *++s;
		if (!lo)
			break;
		hi = lo;
		s++;
		if (*s == '-' && s[1] && s[1] != ']') {
			hi = s[1];
			s += 2;
		}
		hit |= c >= lo && c <= hi;
	} while (*s && *s != ']');
	*p = *s ? s + 1 : s;
	return hit != no && c != '/';
}

static bool match(const char *p, const char *s, unsigned *steps)
{
	while (*p) {
		if (!(*steps)--)
			return *steps = 0, false;
		if (p[0] == '*' && p[1] == '*') {
			p += 2 + (p[2] == '/');
			do
				if (match(p, s, steps))
					return true;
			while (*steps && *s++);
			return false;
		}
		if (*p == '*') {
			p++;
			for (;; s++) {
				if (match(p, s, steps))
					return true;
				if (!*steps || !*s || *s == '/')
					return false;
			}
		}
		if (!*s)
			return false;
		if (*p == '[') {
			p++;
			if (!match_class(&p, *s++))
				return false;
			continue;
		}
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '?') {
			if (*s++ == '/')
				return false;
			p++;
			continue;
		}
		if (*p++ != *s++)
			return false;
	}
	return !*s;
}

bool glob_match(const char *pattern, const char *path)
{
	unsigned steps = MAX_STEPS;

	return match(pattern, path, &steps);
}

/* Strips blanks, "./", a leading and trailing slashes. */
static char *clean(const char *s, size_t n)
{
	bool no = n && *s == '!';
	char *out;

	n = n < PATTERN_MAX ? n : PATTERN_MAX;
	s += no;
	n -= no;
	while (n && (*s == '/' || (n > 1 && s[0] == '.' && s[1] == '/'))) {
		n -= *s == '/' ? 1 : 2;
		s += *s == '/' ? 1 : 2;
	}
	while (n && s[n - 1] == '/')
		n--;
	out = malloc(n + 2);
	if (!out)
		return NULL;
	out[0] = '!';
	memcpy(out + no, s, n);
	out[no + n] = 0;
	return out;
}

int ignore_parse(const char *text, size_t len, struct ignore *out, struct err *e)
{
	const char *end = text + len;
	unsigned n = 0;

	out->patterns = calloc(MAX_PATTERNS + 1, sizeof(*out->patterns));
	if (!out->patterns)
		return err_set(e, ENOMEM, "no memory");
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text)), *stop = nl ? nl : end;
		const char *s = text;

		text = nl ? nl + 1 : end;
		while (s < stop && strchr(" \t\r", *s))
			s++;
		while (stop > s && strchr(" \t\r", stop[-1]))
			stop--;
		if (s == stop || *s == '#')
			continue;
		if (n == MAX_PATTERNS)
			return err_set(e, EFBIG, ".dockerignore: more than %u patterns",
				       MAX_PATTERNS);
		out->patterns[n] = clean(s, (size_t)(stop - s));
		if (!out->patterns[n++])
			return err_set(e, ENOMEM, "no memory");
	}
	return 0;
}

void ignore_fini(struct ignore *x)
{
	list_free(x->patterns);
	x->patterns = NULL;
}

/* The path itself or a directory above it. */
static bool match_upwards(const char *pattern, const char *path)
{
	char part[4096];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return false;
	memcpy(part, path, n + 1);
	for (;;) {
		char *slash;

		if (glob_match(pattern, part))
			return true;
		slash = strrchr(part, '/');
		if (!slash)
			return false;
		*slash = 0;
	}
}

bool ignore_match(const struct ignore *x, const char *path)
{
	bool out = false;

	/* The last pattern that fits decides. */
	for (char **p = x->patterns; p && *p; p++) {
		bool no = **p == '!';

		if (match_upwards(*p + no, path))
			out = !no;
	}
	return out;
}

bool ignore_may_hold(const struct ignore *x, const char *dir)
{
	for (char **p = x->patterns; p && *p; p++)
		if (**p == '!')
			return true;
	return false;
}
