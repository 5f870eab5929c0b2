/* SPDX-License-Identifier: Apache-2.0 */
#include "run/copy.h"

#include "base/endian.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAGIC 0x70637568u /* "hucp" */
#define OPAQUE "trusted.overlay.opaque"
#define OPAQUE_USER "user.overlay.opaque" /* in a user namespace, where the other is refused */

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return -1;
}

static int refuse(const char *what)
{
	fprintf(stderr, "%s\n", what);
	return -1;
}

/* ---- heads ---- */

/* Relative, no empty and no ".." component. */
static bool name_ok(const char *s)
{
	if (!*s)
		return false;
	for (;;) {
		size_t n = strcspn(s, "/");

		if (!n || (n == 2 && !strncmp(s, "..", 2)))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

static bool text_at(const u8 *p, u32 len, char *out)
{
	memcpy(out, p, len);
	out[len] = 0;
	return !memchr(out, 0, len);
}

long copy_parse(const u8 *p, size_t len, struct copy_entry *out)
{
	u32 name, link, attrs;

	if (len < COPY_HEAD)
		return 0;
	name = load_le32(p + 20);
	link = load_le32(p + 24);
	attrs = load_le32(p + 28);
	if (load_le32(p) != MAGIC || name >= COPY_NAME_MAX || link >= COPY_NAME_MAX ||
	    attrs > COPY_XATTRS_MAX)
		return -1;
	if (len < COPY_HEAD + name + link + attrs)
		return 0;
	out->mode = load_le32(p + 4);
	out->uid = load_le32(p + 8);
	out->gid = load_le32(p + 12);
	out->opaque = load_le32(p + 16);
	out->size = load_le64(p + 32);
	out->mtime_ns = load_le64(p + 40);
	if (!text_at(p + COPY_HEAD, name, out->name) ||
	    !text_at(p + COPY_HEAD + name, link, out->link))
		return -1;
	out->nxattrs = attrs;
	memcpy(out->xattrs, p + COPY_HEAD + name + link, attrs);
	if ((out->mode && !name_ok(out->name)) || !copy_xattrs_ok(out->xattrs, attrs))
		return -1;
	return (long)(COPY_HEAD + name + link + attrs);
}

static int put_head(FILE *to, const struct copy_entry *c)
{
	u8 head[COPY_HEAD] = {0};

	store_le32(head, MAGIC);
	store_le32(head + 4, c->mode);
	store_le32(head + 8, c->uid);
	store_le32(head + 12, c->gid);
	store_le32(head + 16, c->opaque);
	store_le32(head + 20, (u32)strlen(c->name));
	store_le32(head + 24, (u32)strlen(c->link));
	store_le32(head + 28, c->nxattrs);
	store_le64(head + 32, c->size);
	store_le64(head + 40, c->mtime_ns);
	if (fwrite(head, sizeof(head), 1, to) != 1 || fputs(c->name, to) < 0 ||
	    fputs(c->link, to) < 0 || (c->nxattrs && fwrite(c->xattrs, c->nxattrs, 1, to) != 1))
		return fail("copy");
	return 0;
}

/* ---- out ---- */

struct walk {
	FILE *to;
	unsigned flags;
	struct copy_entry c;
};

/* Exactly c.size bytes: what a file lost meanwhile is zeros, what it gained is left out. */
static int put_data(struct walk *w, int fd)
{
	u8 buf[65536];

	for (u64 left = w->c.size; left;) {
		size_t want = left < sizeof(buf) ? (size_t)left : sizeof(buf);
		ssize_t n = read(fd, buf, want);

		if (n < 0)
			return fail(w->c.name);
		if (!n) {
			memset(buf, 0, want);
			n = (ssize_t)want;
		}
		if (fwrite(buf, (size_t)n, 1, w->to) != 1)
			return fail("copy");
		left -= (u64)n;
	}
	return 0;
}

static int walk_name(struct walk *w, int dir, const char *name, size_t at, unsigned depth);

static int walk_dir(struct walk *w, int fd, size_t at, unsigned depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	int ret = 0;

	if (!d) {
		close(fd);
		return fail(w->c.name);
	}
	while (!ret && (de = readdir(d)))
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			ret = walk_name(w, dirfd(d), de->d_name, at, depth);
	closedir(d);
	return ret;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && !st->st_rdev;
}

static u32 owner(const struct walk *w, u32 id)
{
	return w->flags & COPY_USER && id == COPY_NOBODY ? 0 : id;
}

static int put_entry(struct walk *w, int dir, const char *name, const struct stat *st)
{
	struct copy_entry *c = &w->c;
	ssize_t n;

	c->mode = st->st_mode;
	c->uid = owner(w, st->st_uid);
	c->gid = owner(w, st->st_gid);
	c->size = S_ISREG(st->st_mode) ? (u64)st->st_size : 0;
	c->mtime_ns = (u64)st->st_mtim.tv_sec * 1000000000u + (u64)st->st_mtim.tv_nsec;
	c->link[0] = 0;
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dir, name, c->link, sizeof(c->link) - 1);
		if (n < 0)
			return fail(c->name);
		c->link[n] = 0;
	}
	return put_head(w->to, c);
}

/* One file, or a directory and all below. at: length of c.name before this component. */
static int walk_name(struct walk *w, int dir, const char *name, size_t at, unsigned depth)
{
	struct stat st;
	size_t n = strlen(name);
	int fd, ret;

	if (at + n + 2 > COPY_NAME_MAX || !depth)
		return refuse("copy: too deep a directory");
	memcpy(w->c.name + at, name, n + 1);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : fail(w->c.name);
	w->c.opaque = 0;
	w->c.nxattrs = 0;
	if (is_whiteout(&st) && w->flags & COPY_OVERLAY)
		return put_entry(w, dir, name, &st);
	if (S_ISLNK(st.st_mode))
		return put_entry(w, dir, name, &st);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0; /* sockets, pipes and devices are not copied */
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail(w->c.name);
	if (w->flags & COPY_OVERLAY && S_ISDIR(st.st_mode))
		w->c.opaque = fgetxattr(fd, OPAQUE, (char[4]){0}, 4) == 1;
	ret = copy_xattrs_read(fd, &w->c) ? refuse("copy: too many extended attributes")
					  : put_entry(w, dir, name, &st);
	if (!ret && S_ISDIR(st.st_mode)) {
		w->c.name[at + n] = '/';
		return walk_dir(w, fd, at + n + 1, depth - 1);
	}
	if (!ret)
		ret = put_data(w, fd);
	close(fd);
	return ret;
}

int copy_out(FILE *to, const char *path, unsigned flags)
{
	struct walk *w = calloc(1, sizeof(*w));
	char copy[COPY_NAME_MAX], *slash;
	int ret, dir;

	if (!w)
		return refuse("out of memory");
	w->to = to;
	w->flags = flags;
	snprintf(copy, sizeof(copy), "%s", path);
	while (strlen(copy) > 1 && copy[strlen(copy) - 1] == '/')
		copy[strlen(copy) - 1] = 0;
	slash = strrchr(copy, '/');
	if (!strcmp(copy, "/") || !strcmp(slash ? slash + 1 : copy, ".")) {
		dir = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ret = dir < 0 ? fail(path) : walk_dir(w, dir, 0, COPY_DEPTH_MAX);
	} else {
		if (slash)
			*slash = 0;
		dir = open(!slash	   ? "."
			   : slash == copy ? "/"
					   : copy,
			   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0 || faccessat(dir, slash ? slash + 1 : copy, F_OK, AT_SYMLINK_NOFOLLOW))
			ret = fail(path);
		else
			ret = walk_name(w, dir, slash ? slash + 1 : copy, 0, COPY_DEPTH_MAX);
		if (dir >= 0)
			close(dir);
	}
	if (!ret) {
		memset(&w->c, 0, sizeof(w->c));
		ret = put_head(to, &w->c);
	}
	if (fflush(to) && !ret)
		ret = fail("copy");
	free(w);
	return ret;
}

/* ---- in ---- */

static int get_entry(FILE *from, struct copy_entry *c)
{
	u8 *buf = malloc(COPY_HEAD + 2 * COPY_NAME_MAX + COPY_XATTRS_MAX);
	size_t more = 0;
	long n = -1;

	if (buf && fread(buf, COPY_HEAD, 1, from) == 1) {
		u32 name = load_le32(buf + 20), link = load_le32(buf + 24),
		    attrs = load_le32(buf + 28);

		if (name < COPY_NAME_MAX && link < COPY_NAME_MAX && attrs <= COPY_XATTRS_MAX)
			more = name + link + attrs;
		if (!more || fread(buf + COPY_HEAD, more, 1, from) == 1)
			n = copy_parse(buf, COPY_HEAD + more, c);
	}
	free(buf);
	return n > 0 ? 0 : refuse("copy: the other side sent no file");
}

/* Opens the directory a name is in; components that are links are not followed. */
static int open_parent(int dest, const char *name, const char **last)
{
	int dir = fcntl(dest, F_DUPFD_CLOEXEC, 3);
	const char *slash;

	while (dir >= 0 && (slash = strchr(name, '/'))) {
		char part[COPY_NAME_MAX];
		int next;

		snprintf(part, sizeof(part), "%.*s", (int)(slash - name), name);
		next = openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(dir);
		dir = next;
		name = slash + 1;
	}
	*last = name;
	return dir;
}

static int get_data(FILE *from, int fd, u64 left, const char *name)
{
	u8 buf[65536];

	while (left) {
		size_t want = left < sizeof(buf) ? (size_t)left : sizeof(buf);

		if (fread(buf, want, 1, from) != 1)
			return refuse("copy: the other side went away");
		if (write(fd, buf, want) != (ssize_t)want)
			return fail(name);
		left -= want;
	}
	return 0;
}

static int make_file(FILE *from, int dir, const char *last, const struct copy_entry *c,
		     unsigned flags)
{
	int ret, fd;

	unlinkat(dir, last, 0);
	fd = openat(dir, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(c->name);
	ret = get_data(from, fd, c->size, c->name);
	/* A change of owner takes capabilities away: these come last. */
	if (!ret && (fchown(fd, c->uid, c->gid) || fchmod(fd, c->mode & 07777) ||
		     copy_xattrs_set(fd, c, flags)))
		ret = fail(c->name);
	close(fd);
	return ret;
}

static int make_dir(int dir, const char *last, const struct copy_entry *c, unsigned flags)
{
	int ret = 0, fd;

	if (mkdirat(dir, last, 0700) && errno != EEXIST)
		return fail(c->name);
	fd = openat(dir, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, c->uid, c->gid) || fchmod(fd, c->mode & 07777) ||
	    copy_xattrs_set(fd, c, flags))
		ret = fail(c->name);
	if (!ret && c->opaque && flags & COPY_OVERLAY && fsetxattr(fd, OPAQUE, "y", 1, 0) &&
	    fsetxattr(fd, OPAQUE_USER, "y", 1, 0))
		ret = fail(c->name);
	if (fd >= 0)
		close(fd);
	return ret;
}

static int make_entry(FILE *from, int dir, const char *last, const struct copy_entry *c,
		      unsigned flags)
{
	struct timespec t[2] = {
		{.tv_nsec = UTIME_OMIT},
		{(time_t)(c->mtime_ns / 1000000000u), (long)(c->mtime_ns % 1000000000u)}};
	int ret;

	if (S_ISREG(c->mode)) {
		ret = make_file(from, dir, last, c, flags);
	} else if (S_ISDIR(c->mode)) {
		ret = make_dir(dir, last, c, flags);
	} else if (S_ISLNK(c->mode)) {
		unlinkat(dir, last, 0);
		ret = symlinkat(c->link, dir, last) ||
				      fchownat(dir, last, c->uid, c->gid, AT_SYMLINK_NOFOLLOW)
			      ? fail(c->name)
			      : 0;
	} else if (S_ISCHR(c->mode) && flags & COPY_OVERLAY) {
		ret = mknodat(dir, last, S_IFCHR, 0) ? fail(c->name) : 0;
	} else {
		return refuse("copy: a file of a kind that is not copied");
	}
	if (!ret)
		utimensat(dir, last, t, AT_SYMLINK_NOFOLLOW);
	return ret;
}

/* The first entry and those below it get the name `as` in place of their first component. */
static int rename_entry(struct copy_entry *c, const char *as)
{
	char rest[COPY_NAME_MAX];
	size_t n = strcspn(c->name, "/");

	snprintf(rest, sizeof(rest), "%s", c->name + n);
	if (snprintf(c->name, sizeof(c->name), "%s%s", as, rest) >= (int)sizeof(c->name))
		return refuse("copy: too long a name");
	return 0;
}

/* dest as a directory to build in; if it is none, its parent, and *as the new name. */
static int open_dest(char *dest, const char **as)
{
	const char *dir = dest;
	struct stat st;
	char *slash;
	size_t n = strlen(dest);
	bool must = n > 1 && dest[n - 1] == '/';
	int fd;

	*as = NULL;
	if (stat(dest, &st) || !S_ISDIR(st.st_mode)) {
		if (must) {
			errno = ENOTDIR;
			return fail(dest);
		}
		slash = strrchr(dest, '/');
		*as = slash ? slash + 1 : dest;
		if (!slash)
			dir = ".";
		else if (slash == dest)
			dir = "/";
		else
			*slash = 0;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail(dir) : fd;
}

static int copy_entries(FILE *from, int dest, const char *as, unsigned flags)
{
	struct copy_entry *c = calloc(1, sizeof(*c));
	int ret = c ? 0 : refuse("out of memory");

	while (!ret && !(ret = get_entry(from, c)) && c->mode) {
		const char *last;
		int dir;

		if (as && (ret = rename_entry(c, as)))
			break;
		if (flags & COPY_USER)
			c->uid = c->gid = 0;
		dir = open_parent(dest, c->name, &last);
		ret = dir < 0 ? fail(c->name) : make_entry(from, dir, last, c, flags);
		if (dir >= 0)
			close(dir);
	}
	free(c);
	return ret;
}

int copy_in(FILE *from, const char *dest, unsigned flags)
{
	char path[COPY_NAME_MAX];
	const char *as;
	int ret, fd;

	snprintf(path, sizeof(path), "%s", *dest ? dest : ".");
	umask(0);
	fd = open_dest(path, &as);
	if (fd < 0)
		return -1;
	ret = copy_entries(from, fd, as, flags);
	close(fd);
	return ret;
}
