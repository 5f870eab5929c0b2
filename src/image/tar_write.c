/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing tar (image/tar.h): ustar headers, preceded by a pax header for what
 * does not fit one: long names, large numbers, fractions of seconds, xattrs.
 */
#include "image/tar.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Offsets in the ustar header (POSIX.1-2017 pax, "ustar Interchange Format"). */
enum {
	AT_NAME = 0,
	AT_MODE = 100,
	AT_UID = 108,
	AT_GID = 116,
	AT_SIZE = 124,
	AT_MTIME = 136,
	AT_CHKSUM = 148,
	AT_TYPE = 156,
	AT_LINK = 157,
	AT_MAGIC = 257,
	AT_MAJOR = 329,
	AT_MINOR = 337,
};
#define NAME_LEN 100u

/* Extended header being put together. */
struct pax {
	char *p;
	size_t len;
	bool failed;
};

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void pax_add(struct pax *x, const char *key, const void *value, size_t len)
{
	size_t body = strlen(key) + len + 3, total = body + 1;
	char digits[24];
	char *grown;

	while (total != body + (size_t)snprintf(digits, sizeof(digits), "%zu", total))
		total = body + strlen(digits);
	grown = x->failed ? NULL : realloc(x->p, x->len + total + 1);
	if (!grown) {
		x->failed = true;
		return;
	}
	x->p = grown;
	x->len += (size_t)sprintf(x->p + x->len, "%s %s=", digits, key);
	memcpy(x->p + x->len, value, len);
	x->len += len;
	x->p[x->len++] = '\n';
}

static void pax_text(struct pax *x, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void pax_text(struct pax *x, const char *key, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pax_add(x, key, text, strlen(text));
}

/* Octal with a NUL at the end, or zero when it does not fit (a pax record has it then). */
static bool octal(u8 *h, unsigned at, unsigned len, u64 v)
{
	bool fits = v >> (3 * (len - 1)) == 0;

	snprintf((char *)h + at, len, "%0*llo", (int)len - 1, fits ? (unsigned long long)v : 0);
	return fits;
}

static void text_field(u8 *h, unsigned at, const char *s)
{
	size_t n = strlen(s);

	memcpy(h + at, s, n < NAME_LEN ? n : NAME_LEN);
}

static void finish_header(u8 *h, char type)
{
	unsigned sum = 0;

	h[AT_TYPE] = (u8)type;
	memcpy(h + AT_MAGIC,
	       "ustar\0"
	       "00",
	       8);
	memset(h + AT_CHKSUM, ' ', 8);
	for (unsigned i = 0; i < TAR_BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + AT_CHKSUM, 7, "%06o", sum);
}

static int put_pax(const struct tar_writer *w, struct pax *x, struct err *e)
{
	u8 h[TAR_BLOCK] = {0};
	int ret;

	text_field(h, AT_NAME, "./PaxHeaders");
	octal(h, AT_MODE, 8, 0644);
	octal(h, AT_UID, 8, 0);
	octal(h, AT_GID, 8, 0);
	octal(h, AT_SIZE, 12, x->len);
	octal(h, AT_MTIME, 12, 0);
	finish_header(h, 'x');
	ret = w->write(w->opaque, h, sizeof(h), e);
	ret = ret ? ret : w->write(w->opaque, x->p, x->len, e);
	return ret ? ret : tar_pad(w, x->len, e);
}

static void fill_header(u8 *h, struct pax *x, const struct tar_entry *t, const char *name)
{
	text_field(h, AT_NAME, name);
	if (strlen(name) > NAME_LEN)
		pax_add(x, "path", name, strlen(name));
	if (t->kind == TAR_HARDLINK || t->kind == TAR_SYMLINK) {
		text_field(h, AT_LINK, t->link);
		if (strlen(t->link) > NAME_LEN)
			pax_add(x, "linkpath", t->link, strlen(t->link));
	}
	octal(h, AT_MODE, 8, t->mode & 07777);
	if (!octal(h, AT_UID, 8, t->uid))
		pax_text(x, "uid", "%u", t->uid);
	if (!octal(h, AT_GID, 8, t->gid))
		pax_text(x, "gid", "%u", t->gid);
	if (!octal(h, AT_SIZE, 12, t->kind == TAR_FILE ? t->size : 0))
		pax_text(x, "size", "%llu", (unsigned long long)t->size);
	if (!octal(h, AT_MTIME, 12, t->mtime < 0 ? ~0ULL : (u64)t->mtime) || t->mtime_ns) {
		s64 sec = t->mtime;
		u32 ns = t->mtime_ns;
		bool minus = sec < 0 && ns;

		/* -1.75 s is second -2 and 250 ms. */
		pax_text(x, "mtime", "%s%lld.%09u", minus && sec == -1 ? "-" : "",
			 (long long)(minus ? sec + 1 : sec), minus ? 1000000000 - ns : ns);
	}
	octal(h, AT_MAJOR, 8, t->major);
	octal(h, AT_MINOR, 8, t->minor);
}

int tar_put(const struct tar_writer *w, const struct tar_entry *t, struct err *e)
{
	static const char types[] = {
		[TAR_FILE] = '0',     [TAR_HARDLINK] = '1', [TAR_SYMLINK] = '2', [TAR_CHAR] = '3',
		[TAR_BLOCKDEV] = '4', [TAR_DIR] = '5',	    [TAR_FIFO] = '6'};
	char name[TAR_MAX_NAME + 1], key[300];
	u8 h[TAR_BLOCK] = {0};
	struct pax x = {0};
	int ret = 0;

	snprintf(name, sizeof(name), "%s%s", t->name, t->kind == TAR_DIR ? "/" : "");
	fill_header(h, &x, t, name);
	for (unsigned i = 0; i < t->nxattrs; i++) {
		snprintf(key, sizeof(key), "SCHILY.xattr.%.255s", t->xattrs[i].name);
		pax_add(&x, key, t->xattrs[i].value, t->xattrs[i].len);
	}
	if (x.failed)
		ret = err_set(e, ENOMEM, "no memory");
	else if (x.len)
		ret = put_pax(w, &x, e);
	free(x.p);
	if (ret)
		return ret;
	finish_header(h, types[t->kind]);
	return w->write(w->opaque, h, sizeof(h), e);
}

int tar_pad(const struct tar_writer *w, u64 size, struct err *e)
{
	static const u8 zeros[TAR_BLOCK];
	size_t n = (size_t)(align_up(size, TAR_BLOCK) - size);

	return n ? w->write(w->opaque, zeros, n, e) : 0;
}

int tar_put_file(const struct tar_writer *w, const char *name, const void *data, size_t len,
		 struct err *e)
{
	struct tar_entry *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return err_set(e, ENOMEM, "no memory");
	t->kind = TAR_FILE;
	t->mode = 0644;
	t->size = len;
	snprintf(t->name, sizeof(t->name), "%s", name);
	ret = tar_put(w, t, e);
	free(t);
	ret = ret ? ret : w->write(w->opaque, data, len, e);
	return ret ? ret : tar_pad(w, len, e);
}

int tar_finish(const struct tar_writer *w, struct err *e)
{
	static const u8 zeros[2 * TAR_BLOCK];

	return w->write(w->opaque, zeros, sizeof(zeros), e);
}
