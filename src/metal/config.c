/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/config.h"

#include "base/bits.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_MIN MIB(4)
#define MEMORY_MAX GIB(64)

struct parse {
	struct config *c;
	struct config_guest *g; /* section being read, or NULL */
	unsigned line;
	void (*say)(void *opaque, const char *line);
	void *opaque;
};

struct word {
	const char *p;
	u64 len;
};

static bool fail(struct parse *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct parse *x, const char *fmt, ...)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "configuration line %u: ", x->line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	x->c->errors++;
	if (x->g)
		x->g->bad = true;
	if (x->say)
		x->say(x->opaque, text);
	return false;
}

/* ---- words ---------------------------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct word trim(struct word w)
{
	while (w.len && is_space(*w.p))
		w.p++, w.len--;
	while (w.len && is_space(w.p[w.len - 1]))
		w.len--;
	return w;
}

/* The first word, which is taken off *rest; its end is white space or `also`. */
static struct word next_word(struct word *rest, char also)
{
	struct word w;

	*rest = trim(*rest);
	w = (struct word){rest->p, 0};
	while (w.len < rest->len && !is_space(w.p[w.len]) && (!also || w.p[w.len] != also))
		w.len++;
	rest->p += w.len;
	rest->len -= w.len;
	if (also && rest->len && *rest->p == also)
		rest->p++, rest->len--;
	return w;
}

static bool is(struct word w, const char *s)
{
	return strlen(s) == w.len && !memcmp(w.p, s, w.len);
}

static bool copy(struct parse *x, const char *what, struct word w, char *to, u64 cap)
{
	if (!w.len)
		return fail(x, "%s needs a value", what);
	if (w.len >= cap)
		return fail(x, "%s has more than %lu characters", what, cap - 1);
	for (u64 i = 0; i < w.len; i++)
		if (w.p[i] < ' ' || w.p[i] > '~')
			return fail(x, "%s has a character that is not printable ASCII", what);
	memcpy(to, w.p, w.len);
	to[w.len] = 0;
	return true;
}

static bool number(struct word w, u64 max, u64 *v)
{
	*v = 0;
	for (u64 i = 0; i < w.len; i++) {
		if (w.p[i] < '0' || w.p[i] > '9' || *v > (max - (u64)(w.p[i] - '0')) / 10)
			return false;
		*v = *v * 10 + (u64)(w.p[i] - '0');
	}
	return w.len && *v <= max;
}

/* A number with K, M or G behind it; without: MiB. */
static bool size(struct word w, u64 *v)
{
	u64 unit = MIB(1);

	if (w.len) {
		char c = w.p[w.len - 1];

		unit = c == 'K' ? KIB(1) : c == 'M' ? MIB(1) : c == 'G' ? GIB(1) : 0;
		w.len -= unit != 0;
		unit = unit ? unit : MIB(1);
	}
	if (!number(w, ~0ULL / unit, v))
		return false;
	*v *= unit;
	return true;
}

/* ---- keys ------------------------------------------------------------------------------ */

struct key {
	const char *name;
	bool (*set)(struct parse *x, const struct key *k, struct word v);
	/* For set_text, set_number, set_choice: */
	u16 offset;	      /* in struct config_guest */
	u32 min, max;	      /* max: bytes of a text */
	const char *words[3]; /* 0, 1, 2 of an unsigned */
	const char *wrong;
};

static void *field(struct parse *x, const struct key *k)
{
	return (u8 *)x->g + k->offset;
}

static bool set_text(struct parse *x, const struct key *k, struct word v)
{
	return copy(x, k->name, v, field(x, k), k->max);
}

static bool set_number(struct parse *x, const struct key *k, struct word v)
{
	u64 n;

	if (!number(v, k->max, &n) || n < k->min)
		return fail(x, "%s is %s", k->name, k->wrong);
	*(unsigned *)field(x, k) = (unsigned)n;
	return true;
}

static bool set_choice(struct parse *x, const struct key *k, struct word v)
{
	for (unsigned i = 0; i < ARRAY_LEN(k->words) && k->words[i]; i++)
		if (is(v, k->words[i])) {
			*(unsigned *)field(x, k) = i;
			return true;
		}
	return fail(x, "%s is %s", k->name, k->wrong);
}

static bool set_yes_no(struct parse *x, const struct key *k, struct word v)
{
	bool *yes = field(x, k);

	*yes = is(v, "yes");
	return *yes || is(v, "no") || fail(x, "%s is yes or no", k->name);
}

static bool set_initrd(struct parse *x, const struct key *k, struct word v)
{
	struct word w;

	while ((w = next_word(&v, 0)).len) {
		if (x->g->ninitrd == CONFIG_INITRDS_MAX)
			return fail(x, "more than %u initrds", CONFIG_INITRDS_MAX);
		if (!copy(x, k->name, w, x->g->initrd[x->g->ninitrd++], CONFIG_FILE_MAX))
			return false;
	}
	return true;
}

static bool set_cmdline(struct parse *x, const struct key *k, struct word v)
{
	return !v.len || copy(x, k->name, v, x->g->cmdline, sizeof(x->g->cmdline));
}

static bool set_memory(struct parse *x, const struct key *k, struct word v)
{
	if (!size(v, &x->g->memory) || x->g->memory < MEMORY_MIN || x->g->memory > MEMORY_MAX ||
	    x->g->memory % MIB(1))
		return fail(x, "memory is 4M to 64G in whole MiB");
	return true;
}

static bool set_pin(struct parse *x, const struct key *k, struct word v)
{
	struct word w;
	u64 n;

	x->g->npins = 0;
	while ((w = next_word(&v, ',')).len) {
		if (!number(w, 63, &n) || x->g->npins == CONFIG_CPUS_MAX)
			return fail(x,
				    "pin is one physical CPU (0 to 63) for each CPU of the guest");
		x->g->pin[x->g->npins++] = (u8)n;
	}
	return true;
}

/* disk = MODULE [ro], disk = memory:SIZE */
static bool set_disk(struct parse *x, const struct key *k, struct word v)
{
	struct config_disk *d = &x->g->disk[x->g->ndisks];
	struct word w = next_word(&v, 0), opt = next_word(&v, 0);

	if (x->g->ndisks == CONFIG_DISKS_MAX)
		return fail(x, "more than %u disks", CONFIG_DISKS_MAX);
	if (opt.len && !is(opt, "ro"))
		return fail(x, "behind a disk's module only ro may stand");
	d->readonly = opt.len;
	if (w.len >= 7 && !memcmp(w.p, "memory:", 7)) {
		w.p += 7;
		w.len -= 7;
		if (!size(w, &d->size) || !d->size || d->size > MEMORY_MAX)
			return fail(x, "disk = memory:SIZE needs a size such as 64M");
	} else if (!copy(x, k->name, w, d->module, sizeof(d->module))) {
		return false;
	}
	x->g->ndisks++;
	return true;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_mac(struct word w, u8 *mac)
{
	if (w.len != 17)
		return false;
	for (unsigned i = 0; i < 6; i++) {
		int hi = hex(w.p[3 * i]), lo = hex(w.p[3 * i + 1]);

		if (hi < 0 || lo < 0 || (i < 5 && w.p[3 * i + 2] != ':'))
			return false;
		mac[i] = (u8)(hi << 4 | lo);
	}
	return !(mac[0] & 1);
}

/* net = SEGMENT [MAC] */
static bool set_net(struct parse *x, const struct key *k, struct word v)
{
	struct config_net *n = &x->g->net[x->g->nnets];
	struct word w = next_word(&v, 0), mac = next_word(&v, 0);

	if (x->g->nnets == CONFIG_NETS_MAX)
		return fail(x, "more than %u network cards", CONFIG_NETS_MAX);
	if (!copy(x, k->name, w, n->segment, sizeof(n->segment)))
		return false;
	if (mac.len && !parse_mac(mac, n->mac))
		return fail(x, "a MAC address looks like 02:00:00:00:00:01 and is no group's");
	x->g->nnets++;
	return true;
}

#define AT(field) offsetof(struct config_guest, field)

static const struct key keys[] = {
	{"kernel", set_text, AT(kernel), .max = CONFIG_FILE_MAX},
	{"initrd", set_initrd},
	{"cmdline", set_cmdline},
	{"memory", set_memory},
	{"cpus", set_number, AT(cpus), 1, CONFIG_CPUS_MAX, .wrong = "1 to 16"},
	{"pin", set_pin},
	{"weight", set_number, AT(weight), 1, 65536, .wrong = "1 to 65536 (256 is ordinary)"},
	{"cap", set_number, AT(cap), 0, 100, .wrong = "a percentage, 0 for none"},
	{"pv", set_choice, AT(pv), .words = {"none", "kvm", "xen"}, .wrong = "none, kvm or xen"},
	{"console", set_choice, AT(console), .words = {"serial", "virtio"},
	 .wrong = "serial or virtio"},
	{"entry", set_choice, AT(entry), .words = {"linux", "pvh"}, .wrong = "linux or pvh"},
	{"disk", set_disk},
	{"net", set_net},
	{"dedicated", set_yes_no, AT(dedicated)},
	{"rng", set_yes_no, AT(rng)},
	{"start", set_yes_no, AT(start)},
	{"log", set_yes_no, AT(log)},
};
static_assert(CONFIG_CPUS_MAX == 16 && sizeof(enum config_pv) == sizeof(unsigned),
	      "the table above");

/* ---- lines ------------------------------------------------------------------------------ */

static bool section(struct parse *x, struct word w)
{
	struct word kind, name;

	x->g = NULL;
	if (w.p[w.len - 1] != ']')
		return fail(x, "a section looks like [guest NAME]");
	w = (struct word){w.p + 1, w.len - 2};
	kind = next_word(&w, 0);
	name = next_word(&w, 0);
	if (!is(kind, "guest") || !name.len || trim(w).len)
		return fail(x, "a section looks like [guest NAME]");
	if (x->c->nguests == CONFIG_GUESTS_MAX)
		return fail(x, "more than %u guests", CONFIG_GUESTS_MAX);
	for (unsigned i = 0; i < x->c->nguests; i++)
		if (is(name, x->c->guest[i].name))
			return fail(x, "there is a guest of this name at line %u already",
				    x->c->guest[i].line);
	x->g = &x->c->guest[x->c->nguests++];
	*x->g = (struct config_guest){.line = x->line,
				      .memory = MIB(256),
				      .cpus = 1,
				      .weight = 256,
				      .rng = true,
				      .start = true};
	return copy(x, "the guest's name", name, x->g->name, sizeof(x->g->name));
}

static bool setting(struct parse *x, struct word w)
{
	struct word key = {w.p, 0}, value;

	while (key.len < w.len && w.p[key.len] != '=')
		key.len++;
	if (key.len == w.len)
		return fail(x, "a setting looks like KEY = VALUE");
	value = trim((struct word){w.p + key.len + 1, w.len - key.len - 1});
	key = trim(key);
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		if (is(key, keys[i].name))
			return keys[i].set(x, &keys[i], value);
	return fail(x, "there is no setting %.*s", (int)min_u64(key.len, 40), key.p);
}

static void line(struct parse *x, struct word w)
{
	w = trim(w);
	if (!w.len || *w.p == '#')
		return;
	if (*w.p == '[')
		section(x, w);
	else if (x->g)
		setting(x, w);
	else if (!x->c->nguests || !x->c->errors)
		fail(x, "a setting outside of a section [guest NAME]");
}

/* What can only be said of a whole section. */
static void check_guest(struct parse *x, struct config_guest *g)
{
	x->g = g;
	x->line = g->line;
	if (!g->bad && !g->kernel[0])
		fail(x, "guest %s has no kernel", g->name);
	if (!g->bad && g->npins && g->npins != g->cpus)
		fail(x, "guest %s has %u CPUs but %u pins", g->name, g->cpus, g->npins);
	if (!g->bad && g->dedicated && !g->npins)
		fail(x, "guest %s is to have CPUs of its own: pin says which", g->name);
}

unsigned config_parse(const char *text, u64 len, struct config *c,
		      void (*say)(void *opaque, const char *line), void *opaque)
{
	struct parse x = {.c = c, .say = say, .opaque = opaque};

	memset(c, 0, sizeof(*c));
	for (u64 at = 0; at < len;) {
		struct word w = {text + at, 0};

		while (at + w.len < len && w.p[w.len] != '\n')
			w.len++;
		x.line++;
		line(&x, w);
		at += w.len + 1;
	}
	for (unsigned i = 0; i < c->nguests; i++)
		check_guest(&x, &c->guest[i]);
	return c->errors;
}
