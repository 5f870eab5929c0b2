/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY and ADD (image/build.h): from the context or another image's root into
 * the mounted root. Both sides are hostile: every path is resolved inside its
 * root, and trees are walked by descriptors that follow no links.
 */
#include "image/build_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUFFER KIB(256)
#define PATH_BYTES 4096

static int open_in(int root, const char *path, int flags)
{
	struct open_how how = {.flags = (u64)flags | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

int copy_make_dirs(int root, const char *path, struct err *e)
{
	char part[PATH_BYTES];
	int fd = open_in(root, ".", O_RDONLY | O_DIRECTORY);

	if (strlen(path) >= sizeof(part)) {
		close(fd);
		return err_set(e, ENAMETOOLONG, "%.40s...: too long", path);
	}
	memcpy(part, path, strlen(path) + 1);
	for (char *s = part; fd >= 0 && *s;) {
		size_t skip = strspn(s, "/"), n = strcspn(s + skip, "/");
		char end = s[skip + n];
		int next;

		if (!n)
			break;
		s[skip + n] = 0;
		if (!mkdirat(fd, s + skip, 0755))
			fchmodat(fd, s + skip, 0755, 0);
		next = open_in(root, part, O_RDONLY | O_DIRECTORY);
		s[skip + n] = end;
		close(fd);
		fd = next;
		s += skip + n;
	}
	return fd < 0 ? err_errno(e, "cannot make the directory %s", path) : fd;
}

/* ---- one walk for copying and for hashing ---- */

struct walk {
	const struct copy *c;
	struct hash *hash; /* not NULL: only hash */
	u8 *buf;
};

static int walk_entry(struct walk *w, int from, const char *name, const char *path, int to,
		      const char *as, unsigned depth, struct err *e);

static int not_dots(const struct dirent *de)
{
	return strcmp(de->d_name, ".") && strcmp(de->d_name, "..");
}

static int in_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The entries of an open directory; path is its own in the source. */
static int walk_below(struct walk *w, int from, const char *path, int to, unsigned depth,
		      struct err *e)
{
	struct dirent **names = NULL;
	char below[PATH_BYTES];
	int n, ret = 0;

	if (depth > TREE_MAX_DEPTH)
		return err_set(e, ELOOP, "%.100s...: too many directories deep", path);
	n = scandirat(from, ".", &names, not_dots, in_order);
	if (n < 0)
		return err_errno(e, "%s", path);
	for (int i = 0; i < n; i++) {
		if (!ret && snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "",
				     names[i]->d_name) >= (int)sizeof(below))
			ret = err_set(e, ENAMETOOLONG, "%.60s...: too long", path);
		if (!ret)
			ret = walk_entry(w, from, names[i]->d_name, below, to, names[i]->d_name,
					 depth, e);
		free(names[i]);
	}
	free(names);
	return ret;
}

static void hash_meta(struct walk *w, const char *as, const struct stat *st)
{
	u64 meta[3] = {st->st_mode, S_ISREG(st->st_mode) ? (u64)st->st_size : 0, st->st_rdev};

	hash_add(w->hash, as, strlen(as) + 1);
	hash_add(w->hash, meta, sizeof(meta));
}

static int attributes(const struct copy *c, int fd, const struct stat *st, const char *path,
		      struct err *e)
{
	struct timespec ts[2] = {st->st_mtim, st->st_mtim};
	mode_t mode = c->mode >= 0 && !S_ISDIR(st->st_mode) ? (mode_t)c->mode : st->st_mode & 07777;

	if (fchown(fd, c->uid, c->gid) || fchmod(fd, mode) || futimens(fd, ts))
		return err_errno(e, "cannot set owner and mode of %s", path);
	return 0;
}

/* Makes way for what is no directory. */
static int make_way(int to, const char *as, struct err *e)
{
	int ret = store_tree_remove(to, as);

	return ret ? err_set(e, -ret, "cannot replace %s: %s", as, strerror(-ret)) : 0;
}

static int file_bytes(struct walk *w, int in, int out, const char *path, struct err *e)
{
	ssize_t n;

	while ((n = read(in, w->buf, BUFFER)) > 0) {
		if (w->hash)
			hash_add(w->hash, w->buf, (size_t)n);
		else if (write(out, w->buf, (size_t)n) != n)
			return err_errno(e, "cannot write %s", path);
	}
	return n < 0 ? err_errno(e, "cannot read %s", path) : 0;
}

static int walk_file(struct walk *w, int in, const struct stat *st, const char *path, int to,
		     const char *as, struct err *e)
{
	int out, ret;

	if (w->hash)
		return file_bytes(w, in, -1, path, e);
	ret = make_way(to, as, e);
	if (ret)
		return ret;
	out = openat(to, as, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_errno(e, "cannot create %s", as);
	ret = file_bytes(w, in, out, path, e);
	if (!ret)
		ret = attributes(w->c, out, st, path, e);
	close(out);
	return ret;
}

static int walk_link(struct walk *w, int from, const char *name, const char *path, int to,
		     const char *as, struct err *e)
{
	char target[PATH_BYTES];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);
	int ret;

	if (n < 0)
		return err_errno(e, "%s", path);
	target[n] = 0;
	if (w->hash) {
		hash_add(w->hash, target, (size_t)n + 1);
		return 0;
	}
	ret = make_way(to, as, e);
	if (ret)
		return ret;
	if (symlinkat(target, to, as) ||
	    fchownat(to, as, w->c->uid, w->c->gid, AT_SYMLINK_NOFOLLOW))
		return err_errno(e, "cannot create the link %s", as);
	return 0;
}

static int walk_dir(struct walk *w, int in, const struct stat *st, const char *path, int to,
		    const char *as, unsigned depth, struct err *e)
{
	struct stat have;
	int out = -1, ret = 0;

	if (!w->hash) {
		/* Into an existing directory as it is; anything else makes way. */
		if (!fstatat(to, as, &have, AT_SYMLINK_NOFOLLOW) && !S_ISDIR(have.st_mode))
			ret = make_way(to, as, e);
		if (!ret && mkdirat(to, as, 0700) && errno != EEXIST)
			ret = err_errno(e, "cannot create %s", as);
		if (!ret) {
			out = openat(to, as, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			ret = out < 0 ? err_errno(e, "%s", as) : 0;
		}
	}
	if (!ret)
		ret = walk_below(w, in, path, out, depth + 1, e);
	if (!ret && out >= 0)
		ret = attributes(w->c, out, st, path, e);
	if (out >= 0)
		close(out);
	return ret;
}

static int walk_entry(struct walk *w, int from, const char *name, const char *path, int to,
		      const char *as, unsigned depth, struct err *e)
{
	const struct ignore *ig = w->c->ignore;
	struct stat st;
	int in, ret;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW))
		return err_errno(e, "%s", path);
	/* A directory that is left out may hold something that is let in again. */
	if (ig && ignore_match(ig, path) && !(S_ISDIR(st.st_mode) && ignore_may_hold(ig, path)))
		return 0;
	if (w->hash)
		hash_meta(w, as, &st);
	if (S_ISLNK(st.st_mode))
		return walk_link(w, from, name, path, to, as, e);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_set(e, EOPNOTSUPP, "%s is neither file, directory nor link", path);
	in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (in < 0)
		return err_errno(e, "%s", path);
	ret = S_ISDIR(st.st_mode) ? walk_dir(w, in, &st, path, to, as, depth, e)
				  : walk_file(w, in, &st, path, to, as, e);
	close(in);
	return ret;
}

/* ---- ADD of archives ---- */

static ssize_t next_plain(void *opaque, const u8 **p, struct err *e)
{
	void **both = opaque;
	ssize_t n = inflate_read(both[0], both[1], BUFFER, e);

	*p = both[1];
	return n;
}

/* Unpacks a file that is an archive into a directory: 1, or 0 when it is none. */
static int unpack_archive(struct walk *w, int in, const char *path, int to, struct err *e)
{
	struct file_source f = {0};
	struct source raw, plain;
	const struct tar_entry *t;
	struct inflate *z = NULL;
	struct tar *tar = NULL;
	void *both[2] = {NULL, w->buf};
	int ret = file_source_init(&f, in, 0, (u64)-1, path, &raw, e);

	/* Twice: to see whether it is one, and to unpack. */
	for (unsigned pass = 0; !ret && pass < 2; pass++) {
		f.at = 0;
		f.left = (u64)-1;
		if (inflate_create(&raw, &z, NULL))
			break;
		both[0] = z;
		plain = (struct source){next_plain, both};
		if (!pass) {
			ret = tar_open(&plain, &tar, e);
			if (!ret && tar_next(tar, &t, NULL) != 1)
				pass = 2;
			tar_close(tar);
		} else {
			ret = unpack_tar(&plain, to, false, NULL, NULL, e);
			ret = ret ? err_wrap(e, "%s", path) : 1;
		}
		inflate_destroy(z);
	}
	file_source_fini(&f);
	return ret;
}

/* The same into a directory of that name, which an archive makes of "ADD x.tar /name". */
static int unpack_named(struct walk *w, int in, const char *path, const char *as, int to,
			struct err *e)
{
	int ret, dir;
	bool made = !mkdirat(to, as, 0755);

	dir = openat(to, as, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return 0;
	ret = unpack_archive(w, in, path, dir, e);
	close(dir);
	if (made && !ret)
		unlinkat(to, as, AT_REMOVEDIR);
	return ret;
}

/* ---- sources and destination ---- */

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The directory sources go into, and for a single file its new name. */
static int open_dest(const struct copy *c, bool into, const char **as, struct err *e)
{
	char parent[PATH_BYTES];
	const char *slash = strrchr(c->dest, '/');
	int fd;

	*as = NULL;
	if (into || c->dest_is_dir)
		return copy_make_dirs(c->root, c->dest, e);
	fd = open_in(c->root, c->dest, O_RDONLY | O_DIRECTORY);
	if (fd >= 0)
		return fd;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - c->dest), c->dest);
	*as = slash + 1;
	return copy_make_dirs(c->root, parent, e);
}

static int copy_one_open(struct walk *w, int in, const struct stat *st, const char *path,
			 struct err *e)
{
	const struct copy *c = w->c;
	const char *as = NULL;
	int to = -1, ret = 0;

	if (w->hash) {
		hash_meta(w, last_name(path), st);
		return S_ISDIR(st->st_mode) ? walk_below(w, in, path, -1, 0, e)
					    : walk_file(w, in, st, path, -1, path, e);
	}
	to = open_dest(c, S_ISDIR(st->st_mode), &as, e);
	if (to < 0)
		return to;
	if (S_ISDIR(st->st_mode)) {
		/* What the directory holds, not the directory. */
		ret = walk_below(w, in, path, to, 0, e);
	} else {
		if (c->unpack)
			ret = as ? unpack_named(w, in, path, as, to, e)
				 : unpack_archive(w, in, path, to, e);
		if (!ret)
			ret = walk_file(w, in, st, path, to, as ? as : last_name(path), e);
		ret = ret > 0 ? 0 : ret;
	}
	close(to);
	return ret;
}

static int copy_one(struct walk *w, const char *path, struct err *e)
{
	struct stat st;
	int in, ret;

	while (*path == '/' || !strncmp(path, "./", 2))
		path += *path == '/' ? 1 : 2;
	if (!strcmp(path, "."))
		path = "";
	if (*path && w->c->ignore && ignore_match(w->c->ignore, path) &&
	    !ignore_may_hold(w->c->ignore, path))
		return err_set(e, ENOENT, "%s is left out by .dockerignore", path);
	in = open_in(w->c->from, path, O_RDONLY | O_NONBLOCK);
	if (in < 0)
		return err_errno(e, "%s", *path ? path : ".");
	if (fstat(in, &st) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		ret = err_set(e, EOPNOTSUPP, "%s is neither file nor directory", path);
	else
		ret = copy_one_open(w, in, &st, path, e);
	close(in);
	return ret;
}

/* ---- globs ---- */

/* Calls copy_one for each path that matches, component by component; *hits counts. */
static int copy_glob(struct walk *w, const char *dir, const char *rest, unsigned *hits,
		     struct err *e)
{
	char part[256], path[PATH_BYTES];
	struct dirent **names = NULL;
	size_t n = strcspn(rest, "/");
	int fd, count, ret = 0;

	if (n >= sizeof(part))
		return err_set(e, ENAMETOOLONG, "%.60s...: too long", rest);
	snprintf(part, sizeof(part), "%.*s", (int)n, rest);
	rest += n;
	rest += strspn(rest, "/");
	fd = open_in(w->c->from, dir, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "%s", dir);
	count = scandirat(fd, ".", &names, not_dots, in_order);
	close(fd);
	for (int i = 0; i < count; i++) {
		if (!ret && glob_match(part, names[i]->d_name) &&
		    snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", names[i]->d_name) <
			    (int)sizeof(path)) {
			if (*rest) {
				ret = copy_glob(w, path, rest, hits, e);
			} else if (!w->c->ignore || !ignore_match(w->c->ignore, path)) {
				++*hits;
				ret = copy_one(w, path, e);
			}
		}
		free(names[i]);
	}
	free(names);
	return ret;
}

static int copy_all(struct walk *w, struct err *e)
{
	const struct copy *c = w->c;
	int ret = 0;

	w->buf = malloc(BUFFER);
	if (!w->buf)
		return err_set(e, ENOMEM, "no memory");
	for (unsigned i = 0; !ret && i < c->nsources; i++) {
		const char *s = c->sources[i];
		unsigned hits = 0;

		if (!glob_has_magic(s)) {
			ret = copy_one(w, s, e);
			continue;
		}
		while (*s == '/' || !strncmp(s, "./", 2))
			s += *s == '/' ? 1 : 2;
		ret = copy_glob(w, "", s, &hits, e);
		if (!ret && !hits)
			ret = err_set(e, ENOENT, "nothing matches %s", c->sources[i]);
	}
	free(w->buf);
	return ret;
}

int copy_files(const struct copy *c, struct err *e)
{
	struct walk w = {.c = c};

	return copy_all(&w, e);
}

int copy_digest(const struct copy *c, struct digest *out, struct err *e)
{
	struct hash h;
	struct walk w = {.c = c, .hash = &h};
	int ret = hash_begin(&h, e);

	if (ret)
		return ret;
	ret = copy_all(&w, e);
	if (ret)
		hash_drop(&h);
	else
		hash_end(&h, out);
	return ret;
}

/* ---- owners ---- */

/* The number in field (from 0) of the line of a colon-separated file that begins with name. */
static bool lookup(int root, const char *file, const char *name, unsigned field, u32 *out)
{
	char line[1024];
	size_t n = strlen(name);
	bool found = false;
	int fd = open_in(root, file, O_RDONLY | O_NONBLOCK);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (!f) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!found && fgets(line, sizeof(line), f)) {
		char *s = line;

		if (strncmp(line, name, n) || line[n] != ':')
			continue;
		for (unsigned i = 0; s && i < field; i++) {
			s = strchr(s, ':');
			s += s != NULL;
		}
		if (s && *s >= '0' && *s <= '9') {
			*out = (u32)strtoul(s, NULL, 10);
			found = true;
		}
	}
	fclose(f);
	return found;
}

static bool number(const char *text, u32 *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	*out = (u32)v;
	return *text >= '0' && *text <= '9' && !*end && v == (u32)v;
}

int copy_owner(int root, const char *text, u32 *uid, u32 *gid, struct err *e)
{
	char user[64];
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : strlen(text);

	if (!n || n >= sizeof(user))
		return err_set(e, EINVAL, "--chown=%.60s: give USER[:GROUP]", text);
	snprintf(user, sizeof(user), "%.*s", (int)n, text);
	if (number(user, uid)) {
		*gid = *uid;
	} else if (!lookup(root, "etc/passwd", user, 2, uid) ||
		   !lookup(root, "etc/passwd", user, 3, gid)) {
		return err_set(e, ENOENT, "--chown: no user %s in the image", user);
	}
	if (colon && !number(colon + 1, gid) && !lookup(root, "etc/group", colon + 1, 2, gid))
		return err_set(e, ENOENT, "--chown: no group %.60s in the image", colon + 1);
	return 0;
}
