/* SPDX-License-Identifier: Apache-2.0 */
#include "image/unpack.h"

#include "host/log.h"
#include "host/rootless.h"
#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DEFAULT_BYTES GIB(64)
#define DEFAULT_ENTRIES 4000000u
/* Names of directories kept for their times; bounds the memory an archive can take. */
#define DIR_NAMES_MAX MIB(256)

/* layer.md, "Whiteouts". */
static const char wh_prefix[] = ".wh.", wh_opaque[] = ".wh..wh..opq", wh_reserved[] = ".wh..wh.";

struct dir_time {
	char *name;
	s64 sec;
	u32 ns;
};

struct unpack {
	int root;
	bool privileged, whiteouts;
	bool one_id;		  /* there is one user here: all files are his */
	const char *opaque_xattr; /* unpack_opaque_xattr() */
	const struct unpack_limits *limits;
	struct unpack_result done;
	char parent[TAR_MAX_NAME]; /* of the last entry, cleaned */
	int parent_fd;		   /* -1: none cached */
	struct dir_time *dirs;
	size_t ndirs, room;
	u64 dir_bytes;
	const char *name; /* of the current entry, for messages */
};

void unpack_limits_default(struct unpack_limits *out)
{
	const char *own = getenv("HULL_LAYER_MAX");
	char *end;

	*out = (struct unpack_limits){DEFAULT_BYTES, DEFAULT_ENTRIES};
	if (own && *own >= '0' && *own <= '9') {
		u64 n = strtoull(own, &end, 10);

		if (!*end)
			out->bytes = n;
	}
}

const char *unpack_opaque_xattr(void)
{
	return rootless() ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

static int fail(const struct unpack *u, const char *what, struct err *e)
{
	int ret = err_errno(e, "%s %.200s", what, u->name);

	/* A name that leads nowhere is the archive's fault, not a missing file of the user's. */
	if (ret != -ENOENT && ret != -ENOTDIR && ret != -ELOOP)
		return ret;
	if (e)
		e->status = EBADMSG;
	return -EBADMSG;
}

static int refuse(const struct unpack *u, const char *why, struct err *e)
{
	err_set(e, EBADMSG, "entry %.200s: %s", u->name, why);
	return -EBADMSG;
}

/* ---- names ---- */

static int open_in_root(int root, const char *path, int flags)
{
	struct open_how how = {.flags = (u64)flags | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/*
 * "./a//b/./c" to "a/b/c" in out (TAR_MAX_NAME bytes); "" is the root. Refuses
 * "..", and depths that a later removal could not walk.
 */
static int clean(const struct unpack *u, const char *in, char *out, struct err *e)
{
	size_t at = 0;
	unsigned depth = 0;

	for (const char *s = in; *s;) {
		size_t n = strcspn(s, "/");

		if (n == 2 && !memcmp(s, "..", 2))
			return refuse(u, "\"..\" would lead out of the layer", e);
		if (n > 255)
			return refuse(u, "a name of more than 255 bytes", e);
		if (n && !(n == 1 && *s == '.')) {
			if (++depth > TREE_MAX_DEPTH)
				return refuse(u, "too many directories deep", e);
			if (at)
				out[at++] = '/';
			memcpy(out + at, s, n);
			at += n;
		}
		s += n + (s[n] == '/');
	}
	out[at] = 0;
	return 0;
}

/* Makes the missing part of a path; what is there is resolved inside the root. */
static int make_parents(struct unpack *u, const char *path, struct err *e)
{
	char part[TAR_MAX_NAME];
	int fd = -1, at = u->root;

	memcpy(part, path, strlen(path) + 1);
	for (char *s = part;; s++) {
		char *slash = strchr(s, '/');

		if (slash)
			*slash = 0;
		/* Never through a link: an existing one is for openat2 below to follow or refuse.
		 */
		if (!mkdirat(at, s, 0755))
			fchmodat(at, s, 0755, 0);
		if (fd >= 0)
			close(fd);
		fd = at = open_in_root(u->root, part, O_PATH | O_DIRECTORY);
		if (fd < 0)
			return fail(u, "the directory of", e);
		if (!slash)
			break;
		*slash = '/';
		s = slash;
	}
	return fd;
}

/* The directory an entry goes into; cached, and not the caller's to close. */
static int open_parent(struct unpack *u, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	int fd;

	if (!n)
		return u->root;
	if (u->parent_fd >= 0 && !strncmp(u->parent, path, n) && !u->parent[n])
		return u->parent_fd;
	if (u->parent_fd >= 0)
		close(u->parent_fd);
	memcpy(u->parent, path, n);
	u->parent[n] = 0;
	fd = open_in_root(u->root, u->parent, O_PATH | O_DIRECTORY);
	if (fd < 0 && errno == ENOENT)
		fd = make_parents(u, u->parent, e);
	else if (fd < 0)
		fd = fail(u, "the directory of", e);
	u->parent_fd = fd < 0 ? -1 : fd;
	return fd;
}

static void forget_parent(struct unpack *u)
{
	if (u->parent_fd >= 0)
		close(u->parent_fd);
	u->parent_fd = -1;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- what is there already ---- */

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* Makes way for an entry of that name; *was_whiteout if one stood there. */
static int make_way(struct unpack *u, int dir, const char *name, bool *was_whiteout, struct err *e)
{
	struct stat st;
	int ret;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : fail(u, "cannot replace", e);
	if (was_whiteout)
		*was_whiteout = is_whiteout(&st);
	/* It may be a link on the way to the cached directory: resolve that anew next time. */
	u->parent[0] = 0;
	ret = store_tree_remove(dir, name);
	return ret ? err_set(e, -ret, "cannot replace %.200s: %s", u->name, strerror(-ret)) : 0;
}

/* ---- attributes ---- */

static bool xattr_wanted(const struct unpack *u, const char *name)
{
	if (!strncmp(name, "trusted.overlay.", 16) || !strncmp(name, "user.overlay.", 13))
		return false;
	if (!strncmp(name, "user.", 5))
		return true;
	return u->privileged &&
	       (!strcmp(name, "security.capability") || !strncmp(name, "trusted.", 8) ||
		!strncmp(name, "system.posix_acl_", 17));
}

/*
 * The owner of what name (AT_SYMLINK_NOFOLLOW) or the descriptor dir itself
 * (name "", AT_EMPTY_PATH) is. Where there is one ID, nobody else can own it.
 */
static int set_owner(struct unpack *u, int dir, const char *name, int flag,
		     const struct tar_entry *t, struct err *e)
{
	if (!u->privileged || u->one_id || !fchownat(dir, name, t->uid, t->gid, flag))
		return 0;
	if (errno != EINVAL)
		return fail(u, "cannot set the owner of", e);
	return err_set(e, EPERM,
		       "%.200s belongs to %u:%u, which is beyond the IDs of this user in "
		       "/etc/subuid and /etc/subgid: images want 65536",
		       u->name, t->uid, t->gid);
}

/* fd -1: through dir and name, not following; only files and directories have user. xattrs. */
static int set_xattrs(struct unpack *u, int fd, const struct tar_entry *t, struct err *e)
{
	for (unsigned i = 0; i < t->nxattrs; i++) {
		const struct tar_xattr *x = &t->xattrs[i];

		if (!xattr_wanted(u, x->name))
			continue;
		/* EINVAL: an ACL that names an ID which is not here. */
		if (fsetxattr(fd, x->name, x->value, x->len, 0) && errno != ENOTSUP &&
		    errno != EPERM && !(errno == EINVAL && u->one_id))
			return fail(u, "cannot set extended attributes of", e);
	}
	return 0;
}

static void times(const struct tar_entry *t, struct timespec ts[2])
{
	ts[0] = ts[1] = (struct timespec){.tv_sec = t->mtime, .tv_nsec = t->mtime_ns};
}

/* Owner, mode, xattrs of an open file or directory, in the order that keeps setuid and caps. */
static int set_attributes(struct unpack *u, int fd, const struct tar_entry *t, struct err *e)
{
	mode_t mode = u->privileged || t->kind != TAR_DIR ? t->mode : t->mode | 0700;

	int ret = t->uid || t->gid ? set_owner(u, fd, "", AT_EMPTY_PATH, t, e) : 0;

	if (ret)
		return ret;
	if (fchmod(fd, u->privileged ? mode : mode & ~06000u))
		return fail(u, "cannot set the mode of", e);
	return t->nxattrs ? set_xattrs(u, fd, t, e) : 0;
}

/* The same for what cannot be opened: links, devices, fifos. */
static int set_attributes_at(struct unpack *u, int dir, const char *name, const struct tar_entry *t,
			     struct err *e)
{
	struct timespec ts[2];
	int ret = set_owner(u, dir, name, AT_SYMLINK_NOFOLLOW, t, e);

	times(t, ts);
	if (ret)
		return ret;
	if (t->kind != TAR_SYMLINK && fchmodat(dir, name, t->mode, 0))
		return fail(u, "cannot set the mode of", e);
	if (utimensat(dir, name, ts, AT_SYMLINK_NOFOLLOW))
		return fail(u, "cannot set the time of", e);
	return 0;
}

/* ---- kinds of entries ---- */

static int write_data(struct unpack *u, struct tar *t, int fd, struct err *e)
{
	const u8 *p = NULL;
	ssize_t n;

	while ((n = tar_data(t, &p, e)) > 0) {
		u->done.bytes += (u64)n;
		if (u->done.bytes > u->limits->bytes)
			return err_set(e, EFBIG,
				       "the layer unpacks to more than %llu bytes: if that is "
				       "meant, set HULL_LAYER_MAX",
				       (unsigned long long)u->limits->bytes);
		while (n) {
			ssize_t k = write(fd, p, (size_t)n);

			if (k < 0 && errno == EINTR)
				continue;
			if (k < 0)
				return fail(u, "cannot write", e);
			p += k;
			n -= k;
		}
	}
	return (int)n;
}

static int put_file(struct unpack *u, struct tar *tar, const struct tar_entry *t, int dir,
		    const char *name, struct err *e)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int ret, fd = openat(dir, name, flags, 0600);
	struct timespec ts[2];

	if (fd < 0 && errno == EEXIST) {
		ret = make_way(u, dir, name, NULL, e);
		if (ret)
			return ret;
		fd = openat(dir, name, flags, 0600);
	}
	if (fd < 0)
		return fail(u, "cannot create", e);
	ret = write_data(u, tar, fd, e);
	if (!ret)
		ret = set_attributes(u, fd, t, e);
	times(t, ts);
	if (!ret && futimens(fd, ts))
		ret = fail(u, "cannot set the time of", e);
	close(fd);
	return ret;
}

static int set_opaque(struct unpack *u, int dir, struct err *e)
{
	if (fsetxattr(dir, u->opaque_xattr, "y", 1, 0))
		return fail(u, "cannot make opaque the directory of", e);
	return 0;
}

/* Times of directories are set at the end, when nothing changes them any more. */
static int remember_dir(struct unpack *u, const char *path, const struct tar_entry *t,
			struct err *e)
{
	u->dir_bytes += strlen(path) + sizeof(*u->dirs) + 32;
	if (u->dir_bytes > DIR_NAMES_MAX)
		return err_set(e, EFBIG, "the layer has too many directories");
	if (u->ndirs == u->room) {
		size_t room = u->room ? 2 * u->room : 256;
		struct dir_time *grown = reallocarray(u->dirs, room, sizeof(*grown));

		if (!grown)
			return err_set(e, ENOMEM, "no memory");
		u->dirs = grown;
		u->room = room;
	}
	u->dirs[u->ndirs] = (struct dir_time){strdup(path), t->mtime, t->mtime_ns};
	if (!u->dirs[u->ndirs].name)
		return err_set(e, ENOMEM, "no memory");
	u->ndirs++;
	return 0;
}

static int make_dir(struct unpack *u, int dir, const char *name, bool *was_whiteout, struct err *e)
{
	struct stat st;
	int ret;

	if (!mkdirat(dir, name, 0700))
		return 0;
	if (errno != EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return fail(u, "cannot create", e);
	if (S_ISDIR(st.st_mode))
		return 0;
	ret = make_way(u, dir, name, was_whiteout, e);
	if (!ret && mkdirat(dir, name, 0700))
		ret = fail(u, "cannot create", e);
	return ret;
}

static int put_dir(struct unpack *u, const struct tar_entry *t, const char *path, int dir,
		   const char *name, struct err *e)
{
	bool was_whiteout = false;
	int ret = *name ? make_dir(u, dir, name, &was_whiteout, e) : 0;
	int fd;

	if (ret)
		return ret;
	fd = *name ? openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
		   : openat(u->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(u, "cannot open", e);
	ret = set_attributes(u, fd, t, e);
	if (!ret && was_whiteout)
		ret = set_opaque(u, fd, e);
	close(fd);
	return ret ? ret : remember_dir(u, path, t, e);
}

static int put_symlink(struct unpack *u, const struct tar_entry *t, int dir, const char *name,
		       struct err *e)
{
	int ret = make_way(u, dir, name, NULL, e);

	if (ret)
		return ret;
	if (symlinkat(t->link, dir, name))
		return fail(u, "cannot create the link", e);
	return set_attributes_at(u, dir, name, t, e);
}

/* The target is another entry of the archive, named from its root. */
static int put_hardlink(struct unpack *u, const struct tar_entry *t, const char *path, int dir,
			const char *name, struct err *e)
{
	char target[TAR_MAX_NAME];
	char *slash;
	int from, ret = clean(u, t->link, target, e);

	if (ret)
		return ret;
	if (!strcmp(target, path))
		return 0;
	if (!*target)
		return refuse(u, "a hard link to the root", e);
	ret = make_way(u, dir, name, NULL, e);
	if (ret)
		return ret;
	slash = strrchr(target, '/');
	if (slash)
		*slash = 0;
	from = open_in_root(u->root, slash ? target : ".", O_PATH | O_DIRECTORY);
	if (from < 0)
		return fail(u, "no target for the hard link", e);
	if (linkat(from, slash ? slash + 1 : target, dir, name, 0))
		ret = errno == ENOENT ? refuse(u, "a hard link to what is not in the layer", e)
				      : fail(u, "cannot create the hard link", e);
	close(from);
	return ret;
}

static int put_node(struct unpack *u, const struct tar_entry *t, int dir, const char *name,
		    struct err *e)
{
	mode_t type = t->kind == TAR_FIFO ? S_IFIFO : t->kind == TAR_CHAR ? S_IFCHR : S_IFBLK;
	bool whiteout = t->kind == TAR_CHAR && !t->major && !t->minor;
	int ret;

	if (whiteout)
		return refuse(u, "a device 0:0, which overlayfs takes for a whiteout", e);
	ret = make_way(u, dir, name, NULL, e);
	if (ret)
		return ret;
	if (mknodat(dir, name, type | 0600, makedev(t->major, t->minor))) {
		if (errno != EPERM || t->kind == TAR_FIFO)
			return fail(u, "cannot create the device", e);
		u->done.devices_skipped++;
		return 0;
	}
	return set_attributes_at(u, dir, name, t, e);
}

/* ".wh.NAME" hides NAME of the layers below; what this layer itself has of that name stays. */
static int put_whiteout(struct unpack *u, int dir, const char *name, struct err *e)
{
	const char *hidden = name + sizeof(wh_prefix) - 1;
	struct stat st;
	int fd, ret;

	if (!strcmp(name, wh_opaque)) {
		fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return fail(u, "cannot open the directory of", e);
		ret = set_opaque(u, fd, e);
		close(fd);
		return ret;
	}
	/* Other reserved names are AUFS' own (layer.md, "Whiteouts"). */
	if (!strncmp(name, wh_reserved, sizeof(wh_reserved) - 1))
		return 0;
	if (!*hidden || !strcmp(hidden, ".") || !strcmp(hidden, ".."))
		return refuse(u, "a whiteout of nothing", e);
	if (!mknodat(dir, hidden, S_IFCHR, 0))
		return 0;
	if (errno != EEXIST || fstatat(dir, hidden, &st, AT_SYMLINK_NOFOLLOW))
		return fail(u, "cannot create the whiteout", e);
	if (!S_ISDIR(st.st_mode))
		return 0;
	fd = openat(dir, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(u, "cannot open", e);
	ret = set_opaque(u, fd, e);
	close(fd);
	return ret;
}

static int put_entry(struct unpack *u, struct tar *tar, const struct tar_entry *t, struct err *e)
{
	char path[TAR_MAX_NAME] = "";
	const char *name;
	int dir, ret = clean(u, t->name, path, e);

	if (ret)
		return ret;
	name = base_of(path);
	if (!*name && t->kind != TAR_DIR)
		return refuse(u, "only a directory can be the root", e);
	dir = open_parent(u, path, e);
	if (dir < 0)
		return dir;
	if (u->whiteouts && !strncmp(name, wh_prefix, sizeof(wh_prefix) - 1))
		return put_whiteout(u, dir, name, e);
	switch (t->kind) {
	case TAR_FILE:
		return put_file(u, tar, t, dir, name, e);
	case TAR_DIR:
		return put_dir(u, t, path, dir, name, e);
	case TAR_SYMLINK:
		return put_symlink(u, t, dir, name, e);
	case TAR_HARDLINK:
		return put_hardlink(u, t, path, dir, name, e);
	default:
		return put_node(u, t, dir, name, e);
	}
}

/* ---- the whole archive ---- */

/* Deepest last does not matter: utimensat changes no parent. A later link in its place is not
 * followed. */
static void set_dir_times(struct unpack *u)
{
	for (size_t i = 0; i < u->ndirs; i++) {
		struct timespec ts[2] = {{.tv_sec = u->dirs[i].sec, .tv_nsec = u->dirs[i].ns}};
		const char *path = *u->dirs[i].name ? u->dirs[i].name : ".";
		int fd = open_in_root(u->root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

		ts[1] = ts[0];
		if (fd < 0)
			continue;
		futimens(fd, ts);
		close(fd);
	}
}

static void unpack_fini(struct unpack *u)
{
	forget_parent(u);
	for (size_t i = 0; i < u->ndirs; i++)
		free(u->dirs[i].name);
	free(u->dirs);
}

static int put_all(struct unpack *u, struct tar *tar, struct err *e)
{
	const struct tar_entry *t;
	int ret;

	while ((ret = tar_next(tar, &t, e)) > 0) {
		u->name = t->name;
		if (++u->done.entries > u->limits->entries)
			return err_set(e, EFBIG, "the layer has more than %llu entries",
				       (unsigned long long)u->limits->entries);
		ret = put_entry(u, tar, t, e);
		if (ret)
			return ret;
	}
	return ret ? ret : tar_drain(tar, e);
}

int unpack_tar(const struct source *from, int root, bool whiteouts,
	       const struct unpack_limits *limits, struct unpack_result *out, struct err *e)
{
	struct unpack_limits standard;
	struct unpack *u = calloc(1, sizeof(*u));
	struct tar *tar = NULL;
	int ret;

	if (!u)
		return err_set(e, ENOMEM, "no memory");
	ret = tar_open(from, &tar, e);
	if (ret) {
		free(u);
		return ret;
	}
	unpack_limits_default(&standard);
	u->root = root;
	u->parent_fd = -1;
	u->privileged = geteuid() == 0;
	u->one_id = rootless_single_id();
	u->opaque_xattr = unpack_opaque_xattr();
	u->whiteouts = whiteouts;
	u->limits = limits ? limits : &standard;
	ret = put_all(u, tar, e);
	if (!ret)
		set_dir_times(u);
	if (u->done.devices_skipped)
		log_warn("%llu devices of an image left out: only root can make them",
			 (unsigned long long)u->done.devices_skipped);
	if (out)
		*out = u->done;
	unpack_fini(u);
	tar_close(tar);
	free(u);
	return ret;
}
