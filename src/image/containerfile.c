/* SPDX-License-Identifier: Apache-2.0 */
#include "image/containerfile.h"

#include "image/doc.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- growing text ---- */

struct text {
	char *s;
	size_t len, room;
	bool failed;
};

static void put(struct text *t, const char *s, size_t n)
{
	if (t->len + n + 1 > t->room && !t->failed) {
		size_t room = (t->room ? 2 * t->room : 128) + n;
		char *grown = t->len + n > 4 * CONTAINERFILE_MAX ? NULL : realloc(t->s, room);

		t->failed = !grown;
		if (grown) {
			t->s = grown;
			t->room = room;
		}
	}
	if (t->failed)
		return;
	memcpy(t->s + t->len, s, n);
	t->len += n;
	t->s[t->len] = 0;
}

static int finish(struct text *t, char **out, struct err *e)
{
	if (!t->failed && !t->s)
		put(t, "", 0);
	if (t->failed) {
		free(t->s);
		err_set(e, ENOMEM, "too long, or no memory");
		return -ENOMEM;
	}
	*out = t->s;
	return 0;
}

/* ---- lines ---- */

struct reader {
	const char *at, *end;
	unsigned line;
	char escape;
};

/* The next line without its end: false at the end of the text. */
static bool next_line(struct reader *r, const char **line, size_t *len)
{
	const char *nl;

	if (r->at >= r->end)
		return false;
	nl = memchr(r->at, '\n', (size_t)(r->end - r->at));
	*line = r->at;
	*len = (size_t)((nl ? nl : r->end) - r->at);
	r->at = nl ? nl + 1 : r->end;
	r->line++;
	if (*len && (*line)[*len - 1] == '\r')
		--*len;
	return true;
}

static size_t blanks(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && (s[n] == ' ' || s[n] == '\t'))
		n++;
	return n;
}

static bool is_comment(const char *s, size_t len)
{
	size_t n = blanks(s, len);

	return n < len && s[n] == '#';
}

/* "# escape=`" before anything else (Dockerfile reference, "Parser directives"). */
static void directives(struct reader *r)
{
	struct reader try = *r;
	const char *line;
	size_t len;

	while (next_line(&try, &line, &len) && is_comment(line, len)) {
		char text[80];

		snprintf(text, sizeof(text), "%.*s", (int)(len < 79 ? len : 79), line);
		for (char *s = text, *d = text;; s++) {
			if (*s == ' ' || *s == '\t')
				continue;
			*d++ = (char)tolower((unsigned char)*s);
			if (!*s)
				break;
		}
		if (!strncmp(text, "#escape=", 8) && (text[8] == '`' || text[8] == '\\'))
			r->escape = text[8];
	}
}

/* One instruction with its continuation lines joined: 1, 0 at the end. */
static int logical_line(struct reader *r, char **out, unsigned *first, struct err *e)
{
	struct text t = {0};
	const char *line;
	size_t len;
	bool going = false;
	int ret;

	while (next_line(r, &line, &len)) {
		size_t skip = blanks(line, len);

		/* Comments and empty lines may stand inside a continued instruction. */
		if (is_comment(line, len) || (skip == len && !going))
			continue;
		if (skip == len)
			continue;
		if (!going)
			*first = r->line;
		else
			skip = 0;
		line += skip;
		len -= skip;
		while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
			len--;
		going = len && line[len - 1] == r->escape;
		put(&t, line, len - going);
		if (!going)
			break;
	}
	if (!t.len) {
		free(t.s);
		return 0;
	}
	ret = finish(&t, out, e);
	return ret ? ret : 1;
}

/* ---- here-documents (Dockerfile reference, "Here-Documents") ---- */

/* Where a word "<<NAME" ends that begins at s, or NULL if it is none. Fills d in but for the text.
 */
static const char *doc_word(const char *s, struct cf_doc *d, bool *tabs)
{
	char quote;
	size_t n;

	while (*s >= '0' && *s <= '9')
		s++;
	if (strncmp(s, "<<", 2))
		return NULL;
	s += 2;
	*tabs = *s == '-';
	s += *tabs;
	quote = *s == '"' || *s == '\'' ? *s++ : 0;
	n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
	if (!n || *s == '.' || n > 64 || (quote && s[n] != quote))
		return NULL;
	d->expand = !quote;
	d->name = strndup(s, n);
	s += n + (quote != 0);
	if (d->name && (!*s || *s == ' ' || *s == '\t'))
		return s;
	free(d->name);
	d->name = NULL;
	return NULL;
}

/* The lines up to the one that is the name alone. */
static int read_doc(struct reader *r, struct cf_instruction *x, struct cf_doc *d, bool tabs,
		    struct err *e)
{
	struct text t = {0};
	const char *line;
	size_t len;

	while (next_line(r, &line, &len)) {
		while (tabs && len && *line == '\t') {
			line++;
			len--;
		}
		if (len == strlen(d->name) && !memcmp(line, d->name, len))
			return finish(&t, &d->text, e);
		put(&t, line, len);
		put(&t, "\n", 1);
	}
	free(t.s);
	return err_set(e, EINVAL, "line %u: the here-document %s has no end", x->line, d->name);
}

/* "#!PROGRAM" in front: the document goes to it by a descriptor, as to the kernel's interpreters.
 */
static void put_script(struct text *t, const struct cf_doc *d)
{
	static const char script[] = " /proc/self/fd/3 3<<'";
	const char *program = d->text + 2;

	put(t, "exec ", 5);
	program += blanks(program, strlen(program));
	put(t, program, strcspn(program, "\n"));
	put(t, script, strlen(script));
	put(t, d->name, strlen(d->name));
	put(t, "'\n", 2);
	put(t, d->text, strlen(d->text));
	put(t, d->name, strlen(d->name));
}

/* RUN: one document alone is the shell's script; else the shell reads them itself, behind its line.
 */
static int join_docs(struct cf_instruction *x, bool alone, struct err *e)
{
	struct text t = {0};

	if (alone && !strncmp(x->docs[0].text, "#!", 2)) {
		put_script(&t, &x->docs[0]);
	} else if (alone) {
		put(&t, x->docs[0].text, strlen(x->docs[0].text));
	} else {
		put(&t, x->args, strlen(x->args));
		for (unsigned i = 0; i < x->ndocs; i++) {
			put(&t, "\n", 1);
			put(&t, x->docs[i].text, strlen(x->docs[i].text));
			put(&t, x->docs[i].name, strlen(x->docs[i].name));
		}
	}
	free(x->args);
	x->args = NULL;
	return finish(&t, &x->args, e);
}

static int parse_docs(struct reader *r, struct cf_instruction *x, struct err *e)
{
	bool run = !strcmp(x->name, "RUN"), begin = true, alone = false, tabs;
	char quote = 0;
	int ret = 0;

	if (!x->args || x->exec || (!run && strcmp(x->name, "COPY") && strcmp(x->name, "ADD")))
		return 0;
	for (const char *s = x->args; !ret && *s;) {
		struct cf_doc d = {0};
		const char *end = begin && !quote ? doc_word(s, &d, &tabs) : NULL;

		if (end && x->ndocs == CF_MAX_DOCS) {
			free(d.name);
			return err_set(e, EINVAL, "line %u: too many here-documents", x->line);
		}
		if (end) {
			alone = s == x->args && !*end && s[0] == '<';
			x->docs[x->ndocs] = d;
			ret = read_doc(r, x, &x->docs[x->ndocs++], tabs, e);
			s = end;
			continue;
		}
		if (*s == quote)
			quote = 0;
		else if (!quote && (*s == '"' || *s == '\''))
			quote = *s;
		begin = *s == ' ' || *s == '\t';
		s++;
	}
	return ret || !x->ndocs || !run ? ret : join_docs(x, alone, e);
}

/* ---- instructions ---- */

static int parse_flag(struct cf_instruction *x, const char *s, size_t n, struct err *e)
{
	const char *eq = memchr(s, '=', n);
	struct cf_flag *f = &x->flags[x->nflags];

	if (x->nflags == CF_MAX_FLAGS)
		return err_set(e, EINVAL, "line %u: too many flags", x->line);
	f->name = strndup(s + 2, (size_t)((eq ? eq : s + n) - s - 2));
	f->value = eq ? strndup(eq + 1, (size_t)(s + n - eq - 1)) : strdup("");
	x->nflags++;
	return f->name && f->value ? 0 : err_set(e, ENOMEM, "no memory");
}

static int parse_exec(struct cf_instruction *x, struct err *e)
{
	json_t *doc, *array;
	char *wrapped;
	int ret;

	if (x->args[0] != '[' || asprintf(&wrapped, "{\"v\":%s}", x->args) < 0)
		return 0;
	/* What is no JSON array of strings is a shell's business. */
	ret = doc_parse("exec form", wrapped, strlen(wrapped), &doc, NULL);
	free(wrapped);
	if (ret)
		return 0;
	array = json_object_get(doc, "v");
	if (json_is_array(array) && json_object_size(doc) == 1)
		ret = doc_list(doc, "v", &x->exec, NULL);
	if (!ret && !x->exec && json_is_array(array) && !json_array_size(array)) {
		x->exec = calloc(1, sizeof(*x->exec));
		ret = x->exec ? 0 : err_set(e, ENOMEM, "no memory");
	}
	json_decref(doc);
	return ret == -ENOMEM ? ret : 0;
}

static int parse_instruction(const char *line, unsigned number, struct cf_instruction *x,
			     struct err *e)
{
	size_t n = strcspn(line, " \t");
	int ret = 0;

	x->line = number;
	if (n >= sizeof(x->name))
		return err_set(e, EINVAL, "line %u: unknown instruction %.20s", number, line);
	for (size_t i = 0; i < n; i++)
		x->name[i] = (char)toupper((unsigned char)line[i]);
	line += n;
	line += blanks(line, strlen(line));
	while (!ret && !strncmp(line, "--", 2)) {
		n = strcspn(line, " \t");
		ret = parse_flag(x, line, n, e);
		line += n;
		line += blanks(line, strlen(line));
	}
	x->args = strdup(line);
	if (!x->args)
		return err_set(e, ENOMEM, "no memory");
	return ret ? ret : parse_exec(x, e);
}

int containerfile_parse(const char *text, size_t len, struct containerfile *out, struct err *e)
{
	struct reader r = {text, text + len, 0, '\\'};
	char *line = NULL;
	unsigned number = 0;
	int ret;

	*out = (struct containerfile){0};
	if (len > CONTAINERFILE_MAX)
		return err_set(e, EFBIG, "more than 1 MiB");
	if (memchr(text, 0, len))
		return err_set(e, EINVAL, "it holds a zero byte: no text");
	directives(&r);
	out->escape = r.escape;
	out->v = calloc(CF_MAX_INSTRUCTIONS, sizeof(*out->v));
	if (!out->v)
		return err_set(e, ENOMEM, "no memory");
	while ((ret = logical_line(&r, &line, &number, e)) > 0) {
		if (out->n == CF_MAX_INSTRUCTIONS)
			ret = err_set(e, EFBIG, "more than %u instructions", CF_MAX_INSTRUCTIONS);
		else
			ret = parse_instruction(line, number, &out->v[out->n++], e);
		free(line);
		ret = ret ? ret : parse_docs(&r, &out->v[out->n - 1], e);
		if (ret)
			return ret;
	}
	return ret;
}

void containerfile_free(struct containerfile *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		free(c->v[i].args);
		list_free(c->v[i].exec);
		for (unsigned k = 0; k < c->v[i].ndocs; k++) {
			free(c->v[i].docs[k].name);
			free(c->v[i].docs[k].text);
		}
		for (unsigned k = 0; k < c->v[i].nflags; k++) {
			free(c->v[i].flags[k].name);
			free(c->v[i].flags[k].value);
		}
	}
	free(c->v);
	*c = (struct containerfile){0};
}

const char *cf_flag(const struct cf_instruction *x, const char *name)
{
	for (unsigned i = 0; i < x->nflags; i++)
		if (!strcmp(x->flags[i].name, name))
			return x->flags[i].value;
	return NULL;
}

/* ---- words ---- */

static size_t name_len(const char *s)
{
	size_t n = 0;

	if (isalpha((unsigned char)*s) || *s == '_')
		while (isalnum((unsigned char)s[n]) || s[n] == '_')
			n++;
	return n;
}

static int expand_braces(const char **at, const struct cf_vars *vars, struct text *to,
			 struct err *e)
{
	const char *name = *at + 1, *value, *close = strchr(name, '}');
	size_t n = name_len(name);
	bool set;
	char *word;
	int ret = 0;

	value = n ? vars->get(vars->opaque, name, n) : NULL;
	set = value && *value;
	if (!n || !close)
		return err_set(e, EINVAL, "bad variable $%.20s", *at);
	if (name[n] == '}') {
		put(to, value ? value : "", value ? strlen(value) : 0);
	} else if (name[n] == ':' && (name[n + 1] == '-' || name[n + 1] == '+')) {
		if (set == (name[n + 1] == '+')) {
			word = strndup(name + n + 2, (size_t)(close - name - n - 2));
			put(to, word ? word : "", word ? strlen(word) : 0);
			free(word);
		} else if (set) {
			put(to, value, strlen(value));
		}
	} else {
		ret = err_set(e, EINVAL,
			      "bad variable $%.20s: ${NAME}, ${NAME:-x} and ${NAME:+x} are known",
			      *at);
	}
	*at = close + 1;
	return ret;
}

/* *at stands after the dollar. */
static int expand(const char **at, const struct cf_vars *vars, struct text *to, struct err *e)
{
	size_t n = name_len(*at);
	const char *value;

	if (**at == '{' && vars->get)
		return expand_braces(at, vars, to, e);
	if (!n || !vars->get) {
		put(to, "$", 1);
		return 0;
	}
	value = vars->get(vars->opaque, *at, n);
	put(to, value ? value : "", value ? strlen(value) : 0);
	*at += n;
	return 0;
}

/* One word (split true) or all of the text; *at moves behind it. */
static int one_word(const char **at, const struct cf_vars *vars, bool split, struct text *to,
		    struct err *e)
{
	char quote = 0;
	int ret = 0;

	while (!ret && **at && (quote || !split || (**at != ' ' && **at != '\t'))) {
		char c = *(*at)++;

		if (c == quote) {
			quote = 0;
		} else if (!quote && (c == '"' || c == '\'')) {
			quote = c;
			put(to, "", 0);
		} else if (c == vars->escape && quote != '\'' && **at &&
			   (!quote || strchr("\"$\\`", **at))) {
			put(to, (*at)++, 1);
		} else if (c == '$' && quote != '\'') {
			ret = expand(at, vars, to, e);
		} else {
			put(to, &c, 1);
		}
	}
	if (!ret && quote)
		ret = err_set(e, EINVAL, "a %c is not closed", quote);
	return ret;
}

int cf_words(const char *text, const struct cf_vars *vars, char ***out, struct err *e)
{
	size_t n = 0, room = 8;
	int ret = 0;

	*out = calloc(room, sizeof(**out));
	while (*out && !ret && *(text += blanks(text, strlen(text)))) {
		struct text t = {0};

		if (n + 2 > room) {
			char **grown = reallocarray(*out, room * 2, sizeof(**out));

			if (!grown)
				break;
			*out = grown;
			room *= 2;
		}
		ret = one_word(&text, vars, true, &t, e);
		if (ret)
			free(t.s);
		else
			ret = finish(&t, &(*out)[n], e);
		n += !ret;
		(*out)[n] = NULL;
	}
	if (!*out || (!ret && *text))
		ret = err_set(e, ENOMEM, "no memory");
	if (ret) {
		list_free(*out);
		*out = NULL;
	}
	return ret;
}

int cf_expand(const char *text, const struct cf_vars *vars, char **out, struct err *e)
{
	struct text t = {0};
	int ret = one_word(&text, vars, false, &t, e);

	*out = NULL;
	if (ret)
		free(t.s);
	return ret ? ret : finish(&t, out, e);
}

int cf_expand_text(const char *text, const struct cf_vars *vars, char **out, struct err *e)
{
	struct text t = {0};
	int ret = 0;

	*out = NULL;
	while (!ret && *text) {
		char c = *text++;

		if (c == vars->escape && *text == '$')
			put(&t, text++, 1);
		else if (c == '$')
			ret = expand(&text, vars, &t, e);
		else
			put(&t, &c, 1);
	}
	if (ret)
		free(t.s);
	return ret ? ret : finish(&t, out, e);
}

int cf_duration(const char *text, u64 *out, struct err *e)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
	double sum = 0;
	const char *s = text;

	while (*s) {
		char *end = (char *)s;
		double v = *s >= '0' && *s <= '9' ? strtod(s, &end) : -1;
		unsigned best = ARRAY_LEN(units);

		for (unsigned i = 0; v >= 0 && i < ARRAY_LEN(units); i++)
			if (!strncmp(end, units[i].unit, strlen(units[i].unit)) &&
			    (best == ARRAY_LEN(units) ||
			     strlen(units[i].unit) > strlen(units[best].unit)))
				best = i;
		if (best == ARRAY_LEN(units) || sum > 1e18)
			return err_set(e, EINVAL, "%.40s is no duration: 30s, 1m30s, 500ms", text);
		sum += v * units[best].ns;
		s = end + strlen(units[best].unit);
	}
	if (s == text || sum > 1e18)
		return err_set(e, EINVAL, "%.40s is no duration: 30s, 1m30s, 500ms", text);
	*out = (u64)sum;
	return 0;
}
