/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The ustar header (POSIX.1-2017 pax, "ustar Interchange Format"). */
struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8], typeflag;
	char linkname[100], magic[6], version[2], uname[32], gname[32], devmajor[8], devminor[8];
	char prefix[155], pad[12];
};

static_assert(sizeof(struct tar_header) == TAR_BLOCK, "tar header");

struct tar {
	struct source from;
	const u8 *p; /* the source's current bytes */
	size_t left;
	u64 offset;  /* consumed of the archive */
	u64 data;    /* left of the current entry's data */
	u64 pad;     /* after it */
	bool has[4]; /* extended headers said: path, link, size, mtime */
	u64 pax_size;
	char *pax; /* the current entry's extended header, NUL-terminated */
	size_t pax_len;
	bool has_uid, has_gid;
	struct tar_entry entry;
};

enum { HAS_PATH, HAS_LINK, HAS_SIZE, HAS_MTIME };

int tar_open(const struct source *from, struct tar **out, struct err *e)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return err_set(e, ENOMEM, "no memory");
	(*out)->from = *from;
	return 0;
}

void tar_close(struct tar *t)
{
	if (t)
		free(t->pax);
	free(t);
}

u64 tar_offset(const struct tar *t)
{
	return t->offset;
}

static int damaged(const struct tar *t, const char *why, struct err *e)
{
	return err_set(e, EBADMSG, "bad tar archive at byte %llu: %s",
		       (unsigned long long)t->offset, why);
}

/* ---- bytes ---- */

/* 1 if there are bytes, 0 at the end of the source, -errno. */
static int more(struct tar *t, struct err *e)
{
	ssize_t n;

	if (t->left)
		return 1;
	n = t->from.next(t->from.opaque, &t->p, e);
	if (n <= 0)
		return (int)n;
	t->left = (size_t)n;
	return 1;
}

static void take(struct tar *t, size_t n)
{
	t->p += n;
	t->left -= n;
	t->offset += n;
}

/* Exactly n bytes; 0 bytes and end of the source: 0. 1 when read. */
static int read_exact(struct tar *t, void *out, size_t n, struct err *e)
{
	u8 *to = out;

	for (size_t at = 0; at < n;) {
		int ret = more(t, e);
		size_t k;

		if (ret < 0)
			return ret;
		if (!ret)
			return at ? damaged(t, "cut short", e) : 0;
		k = t->left < n - at ? t->left : n - at;
		memcpy(to + at, t->p, k);
		take(t, k);
		at += k;
	}
	return 1;
}

static int skip(struct tar *t, u64 n, struct err *e)
{
	while (n) {
		int ret = more(t, e);
		size_t k;

		if (ret <= 0)
			return ret ? ret : damaged(t, "cut short", e);
		k = t->left < n ? t->left : (size_t)n;
		take(t, k);
		n -= k;
	}
	return 0;
}

/* ---- numbers ---- */

/* Octal digits with blanks around, or base 256 when the top bit is set. False: malformed. */
static bool number(const char *f, size_t len, s64 *out)
{
	const u8 *b = (const u8 *)f;
	u64 v = 0;
	size_t i = 0;

	if (b[0] & 0x80) {
		v = b[0] & 0x40 ? ~0ULL : 0;
		v = v << 6 | (b[0] & 0x3f);
		for (i = 1; i < len; i++) {
			if (i + 8 <= len && b[i] != (b[0] & 0x40 ? 0xff : 0))
				return false;
			v = v << 8 | b[i];
		}
		*out = (s64)v;
		return true;
	}
	while (i < len && f[i] == ' ')
		i++;
	for (; i < len && f[i] >= '0' && f[i] <= '7'; i++)
		v = v << 3 | (u64)(f[i] - '0');
	*out = (s64)v;
	return i == len || f[i] == ' ' || f[i] == 0;
}

static bool checksum_ok(const struct tar_header *h)
{
	const u8 *b = (const u8 *)h;
	s64 want, sum = 0, sum_signed = 0;

	for (unsigned i = 0; i < TAR_BLOCK; i++) {
		bool in = i >= offsetof(struct tar_header, chksum) &&
			  i < offsetof(struct tar_header, typeflag);

		sum += in ? ' ' : b[i];
		sum_signed += in ? ' ' : (signed char)b[i];
	}
	return number(h->chksum, sizeof(h->chksum), &want) && (want == sum || want == sum_signed);
}

/* ---- extended headers ---- */

static bool pax_u64(const char *s, u64 max, u64 *out)
{
	char *end;

	errno = 0;
	*out = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && !*end && !errno && *out <= max;
}

/* "123", "-5.25": seconds with a fraction. */
static bool pax_time(const char *s, s64 *sec, u32 *ns)
{
	bool minus = *s == '-';
	u32 frac = 0, unit = 100000000;
	u64 v = 0;
	size_t n;

	s += minus;
	n = strspn(s, "0123456789");
	if (!n || n > 18)
		return false;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (u64)(s[i] - '0');
	s += n;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
			frac += (u32)(*s - '0') * unit;
	*sec = minus ? -(s64)v - (frac != 0) : (s64)v;
	*ns = minus && frac ? 1000000000 - frac : frac;
	return !*s;
}

static int pax_xattr(struct tar *t, const char *name, const char *value, size_t len, struct err *e)
{
	struct tar_entry *x = &t->entry;

	if (x->nxattrs == TAR_MAX_XATTRS)
		return damaged(t, "too many extended attributes", e);
	x->xattrs[x->nxattrs++] = (struct tar_xattr){name, (const u8 *)value, len};
	return 0;
}

static int pax_name(struct tar *t, const char *value, size_t len, char *out, int has, struct err *e)
{
	if (len >= TAR_MAX_NAME || memchr(value, 0, len))
		return damaged(t, "a name is too long or holds a zero byte", e);
	memcpy(out, value, len + 1);
	t->has[has] = true;
	return 0;
}

static int pax_number(struct tar *t, const char *key, const char *value, struct err *e)
{
	u64 v;

	if (!pax_u64(value, strcmp(key, "size") ? (u64)0xffffffff : (u64)1 << 60, &v))
		return damaged(t, "bad number in an extended header", e);
	if (!strcmp(key, "size")) {
		t->pax_size = v;
		t->has[HAS_SIZE] = true;
	} else if (!strcmp(key, "uid")) {
		t->entry.uid = (u32)v;
		t->has_uid = true;
	} else {
		t->entry.gid = (u32)v;
		t->has_gid = true;
	}
	return 0;
}

static int pax_record(struct tar *t, const char *key, const char *value, size_t len, struct err *e)
{
	static const char xattr[] = "SCHILY.xattr.";

	if (!strcmp(key, "path"))
		return pax_name(t, value, len, t->entry.name, HAS_PATH, e);
	if (!strcmp(key, "linkpath"))
		return pax_name(t, value, len, t->entry.link, HAS_LINK, e);
	if (!strcmp(key, "size") || !strcmp(key, "uid") || !strcmp(key, "gid"))
		return pax_number(t, key, value, e);
	if (!strcmp(key, "mtime")) {
		t->has[HAS_MTIME] = pax_time(value, &t->entry.mtime, &t->entry.mtime_ns);
		return t->has[HAS_MTIME] ? 0 : damaged(t, "bad time in an extended header", e);
	}
	if (!strncmp(key, xattr, sizeof(xattr) - 1))
		return pax_xattr(t, key + sizeof(xattr) - 1, value, len, e);
	if (!strncmp(key, "GNU.sparse.", 11))
		return err_set(e, EOPNOTSUPP, "sparse files in tar are not supported (%s)", key);
	return 0;
}

/* "LENGTH KEY=VALUE\n", LENGTH counting all of it. */
static int pax_parse(struct tar *t, struct err *e)
{
	char *p = t->pax, *end = p + t->pax_len;

	while (p < end) {
		char *key, *eq, *stop;
		size_t n = strtoul(p, &key, 10);
		int ret;

		if (key == p || *key != ' ' || n > (size_t)(end - p) || p + n <= key + 1 ||
		    p[n - 1] != '\n')
			return damaged(t, "malformed extended header", e);
		stop = p + n - 1;
		*stop = 0;
		eq = memchr(key + 1, '=', (size_t)(stop - key - 1));
		if (!eq)
			return damaged(t, "malformed extended header", e);
		*eq = 0;
		ret = pax_record(t, key + 1, eq + 1, (size_t)(stop - eq - 1), e);
		if (ret)
			return ret;
		p += n;
	}
	return 0;
}

static int read_pax(struct tar *t, u64 size, bool global, struct err *e)
{
	int ret;

	if (size > TAR_MAX_PAX)
		return damaged(t, "an extended header of more than 1 MiB", e);
	if (global)
		return skip(t, align_up(size, TAR_BLOCK), e);
	free(t->pax);
	t->pax_len = 0;
	t->pax = malloc(size + 1);
	if (!t->pax)
		return err_set(e, ENOMEM, "no memory");
	ret = read_exact(t, t->pax, size, e);
	if (ret <= 0 && size)
		return ret ? ret : damaged(t, "cut short", e);
	t->pax[size] = 0;
	t->pax_len = size;
	t->entry.nxattrs = 0;
	ret = pax_parse(t, e);
	return ret ? ret : skip(t, align_up(size, TAR_BLOCK) - size, e);
}

/* GNU 'L' and 'K': the whole name as data. */
static int read_long(struct tar *t, u64 size, char *out, int has, struct err *e)
{
	int ret;

	if (size > TAR_MAX_NAME)
		return damaged(t, "a name is too long", e);
	memset(out, 0, TAR_MAX_NAME);
	ret = read_exact(t, out, size, e);
	if (ret <= 0 && size)
		return ret ? ret : damaged(t, "cut short", e);
	if (out[TAR_MAX_NAME - 1])
		return damaged(t, "a name is too long", e);
	t->has[has] = true;
	return skip(t, align_up(size, TAR_BLOCK) - size, e);
}

/* ---- entries ---- */

static void short_name(const struct tar_header *h, char *out)
{
	if (!memcmp(h->magic, "ustar\0", 6) && h->prefix[0])
		snprintf(out, TAR_MAX_NAME, "%.155s/%.100s", h->prefix, h->name);
	else
		snprintf(out, TAR_MAX_NAME, "%.100s", h->name);
}

static int kind_of(char type, bool slash)
{
	switch (type) {
	case 0:
	case '0':
	case '7':
		return slash ? TAR_DIR : TAR_FILE;
	case '1':
		return TAR_HARDLINK;
	case '2':
		return TAR_SYMLINK;
	case '3':
		return TAR_CHAR;
	case '4':
		return TAR_BLOCKDEV;
	case '5':
		return TAR_DIR;
	case '6':
		return TAR_FIFO;
	default:
		return -1;
	}
}

static int parse_numbers(struct tar *t, const struct tar_header *h, u64 *size, struct err *e)
{
	struct tar_entry *x = &t->entry;
	s64 mode, uid, gid, n, mtime, major = 0, minor = 0;

	if (!number(h->mode, 8, &mode) || !number(h->uid, 8, &uid) || !number(h->gid, 8, &gid) ||
	    !number(h->size, 12, &n) || !number(h->mtime, 12, &mtime) || n < 0)
		return damaged(t, "bad number in a header", e);
	if ((h->typeflag == '3' || h->typeflag == '4') &&
	    (!number(h->devmajor, 8, &major) || !number(h->devminor, 8, &minor)))
		return damaged(t, "bad device number", e);
	*size = t->has[HAS_SIZE] ? t->pax_size : (u64)n;
	x->mode = (u32)mode & 07777;
	if ((!t->has_uid && uid != (u32)uid) || (!t->has_gid && gid != (u32)gid) ||
	    *size >= (u64)1 << 60)
		return damaged(t, "a number is out of range", e);
	x->uid = t->has_uid ? x->uid : (u32)uid;
	x->gid = t->has_gid ? x->gid : (u32)gid;
	x->major = (u32)major;
	x->minor = (u32)minor;
	if (!t->has[HAS_MTIME]) {
		x->mtime = mtime;
		x->mtime_ns = 0;
	}
	return 0;
}

static int parse_entry(struct tar *t, const struct tar_header *h, struct err *e)
{
	struct tar_entry *x = &t->entry;
	size_t n;
	u64 size = 0;
	bool slash;
	int kind, ret = parse_numbers(t, h, &size, e);

	if (ret)
		return ret;
	if (!t->has[HAS_PATH])
		short_name(h, x->name);
	if (!t->has[HAS_LINK])
		snprintf(x->link, sizeof(x->link), "%.100s", h->linkname);
	n = strlen(x->name);
	slash = n && x->name[n - 1] == '/';
	while (n > 1 && x->name[n - 1] == '/')
		x->name[--n] = 0;
	kind = kind_of(h->typeflag, slash);
	if (h->typeflag == 'S')
		return err_set(e, EOPNOTSUPP, "sparse files in tar are not supported (%.200s)",
			       x->name);
	if (kind < 0)
		return err_set(e, EOPNOTSUPP, "tar entry %.200s is of the unknown type %d", x->name,
			       h->typeflag);
	x->kind = (enum tar_kind)kind;
	/* Only files carry data; old archives give links a size without any (pax, "size"). */
	x->size = kind == TAR_FILE ? size : 0;
	t->data = kind == TAR_HARDLINK || kind == TAR_SYMLINK ? 0 : size;
	t->pad = align_up(t->data, TAR_BLOCK) - t->data;
	return 1;
}

static bool is_zero(const struct tar_header *h)
{
	const u8 *b = (const u8 *)h;

	return !b[0] && !memcmp(b, b + 1, TAR_BLOCK - 1);
}

/* A header that only says something about the next one: 1 when it was one. */
static int parse_extension(struct tar *t, const struct tar_header *h, struct err *e)
{
	s64 size;
	int ret;

	if (!h->typeflag || !strchr("xgLK", h->typeflag))
		return 0;
	if (!number(h->size, 12, &size) || size < 0)
		return damaged(t, "bad number in a header", e);
	if (h->typeflag == 'L')
		ret = read_long(t, (u64)size, t->entry.name, HAS_PATH, e);
	else if (h->typeflag == 'K')
		ret = read_long(t, (u64)size, t->entry.link, HAS_LINK, e);
	else
		ret = read_pax(t, (u64)size, h->typeflag == 'g', e);
	return ret ? ret : 1;
}

int tar_next(struct tar *t, const struct tar_entry **out, struct err *e)
{
	struct tar_header h;
	int ret = skip(t, t->data + t->pad, e);

	t->data = t->pad = 0;
	memset(t->has, 0, sizeof(t->has));
	t->has_uid = t->has_gid = false;
	t->entry.nxattrs = 0;
	while (!ret || ret == 1) {
		ret = read_exact(t, &h, sizeof(h), e);
		/* The end by two zero blocks; without them is common enough to be let pass. */
		if (ret <= 0 || is_zero(&h))
			return ret < 0 ? ret : 0;
		if (!checksum_ok(&h))
			return damaged(t, "wrong header checksum", e);
		ret = parse_extension(t, &h, e);
		if (!ret) {
			ret = parse_entry(t, &h, e);
			*out = &t->entry;
			return ret;
		}
	}
	return ret;
}

ssize_t tar_data(struct tar *t, const u8 **p, struct err *e)
{
	size_t n;
	int ret;

	if (!t->data)
		return 0;
	ret = more(t, e);
	if (ret <= 0)
		return ret ? ret : damaged(t, "cut short", e);
	n = t->left < t->data ? t->left : (size_t)t->data;
	*p = t->p;
	take(t, n);
	t->data -= n;
	return (ssize_t)n;
}

int tar_drain(struct tar *t, struct err *e)
{
	int ret;

	while ((ret = more(t, e)) > 0)
		take(t, t->left);
	return ret;
}
