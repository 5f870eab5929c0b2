/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- nearest name ---- */

#define WORD_MAX 32u

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edit distance; longer words than WORD_MAX are never near anything. */
static unsigned edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned row[WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned diag = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned up = row[j];

			row[j] = min3(up + 1, row[j - 1] + 1, diag + (a[i - 1] != b[j - 1]));
			diag = up;
		}
	}
	return row[lb];
}

const char *cli_closest(const char *word, const char *(*nth)(void *opaque, unsigned i),
			void *opaque)
{
	const char *best = NULL, *name;
	unsigned best_d = strlen(word) <= 3 ? 2 : 3;

	for (unsigned i = 0; (name = nth(opaque, i)); i++) {
		unsigned d = edit_distance(word, name);

		if (d < best_d) {
			best_d = d;
			best = name;
		}
	}
	return best;
}

/* ---- options ---- */

static const char *nth_option(void *opaque, unsigned i)
{
	const struct cli_command *c = opaque;

	return i < c->noptions ? c->options[i].name : NULL;
}

static int unknown_option(const struct cli_command *c, const char *text, struct err *e)
{
	char word[WORD_MAX + 1];
	const char *near;

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(text, "="), text);
	near = cli_closest(word + strspn(word, "-"), nth_option, (void *)c);
	if (near)
		return err_set(e, EINVAL, "unknown option %s: did you mean --%s?", word, near);
	return err_set(e, EINVAL, "unknown option %s: see `hull %s --help`", word, c->name);
}

static const struct cli_option *find_option(const struct cli_command *c, const char *text)
{
	size_t n = strcspn(text, "=");

	for (unsigned i = 0; i < c->noptions; i++) {
		const struct cli_option *o = &c->options[i];

		if (text[1] != '-' ? o->letter == text[1]
				   : strlen(o->name) == n - 2 && !strncmp(o->name, text + 2, n - 2))
			return o;
	}
	return NULL;
}

/* Finds the value: --name=value, --name value, -xvalue or -x value. */
static int option_value(struct cli_parser *p, const struct cli_option *o, const char *text,
			struct err *e)
{
	bool is_long = text[1] == '-';
	const char *eq = is_long ? strchr(text, '=') : NULL;
	const char *joined = eq ? eq + 1 : !is_long && text[2] ? text + 2 : NULL;

	p->value = NULL;
	if (!o->arg) {
		if (joined && !is_long) {
			p->letters = joined;
			return 1;
		}
		if (joined)
			return err_set(e, EINVAL, "option --%s takes no value", o->name);
		return 1;
	}
	if (!joined && p->at < p->argc)
		joined = p->argv[p->at++];
	if (!joined)
		return err_set(e, EINVAL, "option --%s needs a value: --%s %s", o->name, o->name,
			       o->arg);
	p->value = joined;
	return 1;
}

/* One of the letters behind the first of a word like -it. */
static int next_letter(struct cli_parser *p, const struct cli_option **opt, struct err *e)
{
	const char text[] = {'-', p->letters[0], 0};

	p->letters = p->letters[1] ? p->letters + 1 : NULL;
	p->value = NULL;
	*opt = find_option(p->cmd, text);
	if (!*opt || (*opt)->arg)
		return err_set(e, EINVAL, "%s: only options without value can share a dash", text);
	return 1;
}

int cli_next(struct cli_parser *p, const struct cli_option **opt, struct err *e)
{
	const char *text;

	if (!p->at)
		p->at = 1;
	*opt = NULL;
	if (p->letters)
		return next_letter(p, opt, e);
	if (p->at < p->argc && !p->only_positional && !strcmp(p->argv[p->at], "--")) {
		p->only_positional = true;
		p->at++;
	}
	if (p->at >= p->argc)
		return 0;
	text = p->argv[p->at++];
	if (p->only_positional || text[0] != '-' || !text[1]) {
		p->value = text;
		return 1;
	}
	if (!strcmp(text, "--help") || !strcmp(text, "-h")) {
		cli_print_help(p->cmd);
		return -ECANCELED;
	}
	*opt = find_option(p->cmd, text);
	if (!*opt)
		return unknown_option(p->cmd, text, e);
	return option_value(p, *opt, text, e);
}

int cli_parse_end(const struct cli_command *c, int ret, const struct err *e)
{
	return ret == -ECANCELED ? CLI_OK : cli_fail(c, e);
}

/* ---- help and errors ---- */

static void print_option(const struct cli_option *o)
{
	char left[64];

	snprintf(left, sizeof(left), "%c%c%s--%s%s%s", o->letter ? '-' : ' ',
		 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name, o->arg ? " " : "",
		 o->arg ? o->arg : "");
	if (strlen(left) > 26)
		printf("  %s\n  %-26s  %s\n", left, "", o->help);
	else
		printf("  %-26s  %s\n", left, o->help);
}

void cli_print_help(const struct cli_command *c)
{
	printf("usage: hull %s%s%s%s\n\n%s.\n", c->name, c->noptions ? " [OPTION]..." : "",
	       *c->args ? " " : "", c->args, c->help);
	if (c->noptions)
		printf("\n");
	for (unsigned i = 0; i < c->noptions; i++)
		print_option(&c->options[i]);
	if (c->more)
		printf("\n%s", c->more);
}

int cli_fail(const struct cli_command *c, const struct err *e)
{
	fprintf(stderr, "hull%s%s: %s\n", c ? " " : "", c ? c->name : "", e->msg);
	switch (e->status) {
	case ENOENT:
		return CLI_NOT_FOUND;
	case ENOEXEC:
		return CLI_UNUSABLE;
	default:
		return CLI_ERROR;
	}
}

/* ---- numbers ---- */

int cli_parse_size(const char *text, u64 unit, u64 *out, struct err *e)
{
	static const char suffixes[] = "KMGT";
	char *end;
	u64 n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (end == text || *text == '-' || errno)
		return err_set(e, EINVAL, "%s is not a size: give a number with K, M, G or T",
			       text);
	if (*end) {
		const char *s = strchr(suffixes, *end & ~0x20);

		if (!s || (end[1] && strcmp(end + 1, "iB") && strcmp(end + 1, "B")))
			return err_set(e, EINVAL, "%s is not a size: unknown suffix %s", text, end);
		unit = 1ULL << (10 * (s - suffixes + 1));
	}
	if (__builtin_mul_overflow(n, unit, out))
		return err_set(e, EINVAL, "%s is too large a size", text);
	return 0;
}

int cli_parse_uint(const char *what, const char *text, u64 min, u64 max, u64 *out, struct err *e)
{
	char *end;
	u64 n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (end == text || *end || *text == '-' || errno || n < min || n > max)
		return err_set(e, EINVAL, "%s %s: give a number from %llu to %llu", what, text,
			       (unsigned long long)min, (unsigned long long)max);
	*out = n;
	return 0;
}
