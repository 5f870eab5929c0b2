/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tree.h"

#include "image/store.h"
#include "image/transfer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define COPY_CHUNK KIB(256)
#define NAMES_MAX KIB(64)
/* Linux' limit of one attribute (linux/limits.h, XATTR_SIZE_MAX). */
#define VALUES_MAX KIB(64)

/* A file with several names: where its first name stands in the archive. */
struct inode {
	ino_t ino;
	char *name;
};

struct tree {
	const struct tar_writer *w;
	enum tree_form form;
	dev_t dev;
	void *inodes; /* tsearch */
	struct tar_entry t;
	u8 *buf, *xattrs; /* COPY_CHUNK; values of one entry */
	char *xattr_names;
};

static int by_inode(const void *a, const void *b)
{
	ino_t x = ((const struct inode *)a)->ino, y = ((const struct inode *)b)->ino;

	return x < y ? -1 : x > y;
}

static void free_inode(void *p)
{
	free(((struct inode *)p)->name);
	free(p);
}

/* The name under which the file is in the archive already, or NULL and it is noted. */
static const char *seen_as(struct tree *x, ino_t ino, const char *name)
{
	struct inode *n = calloc(1, sizeof(*n)), **found;

	if (!n)
		return NULL;
	n->ino = ino;
	n->name = strdup(name);
	found = n->name ? tsearch(n, &x->inodes, by_inode) : NULL;
	if (found && *found == n)
		return NULL;
	free_inode(n);
	return found ? (*found)->name : NULL;
}

/* ---- attributes ---- */

static bool overlay_xattr(const char *name)
{
	return !strncmp(name, "trusted.overlay.", 16) || !strncmp(name, "user.overlay.", 13);
}

/* path: through /proc/self/fd, so that links are read and not followed. */
static int read_xattrs(struct tree *x, const char *path, struct err *e)
{
	ssize_t n = llistxattr(path, x->xattr_names, NAMES_MAX);
	size_t used = 0;

	x->t.nxattrs = 0;
	if (n < 0)
		return errno == ENOTSUP || errno == EPERM ? 0 : err_errno(e, "%s", x->t.name);
	for (char *s = x->xattr_names; s < x->xattr_names + n; s += strlen(s) + 1) {
		struct tar_xattr *a = &x->t.xattrs[x->t.nxattrs];
		ssize_t len;

		if (overlay_xattr(s) || !strcmp(s, "security.selinux"))
			continue;
		if (x->t.nxattrs == TAR_MAX_XATTRS)
			return err_set(e, E2BIG, "%s: too many extended attributes", x->t.name);
		len = lgetxattr(path, s, x->xattrs + used, VALUES_MAX * 2 - used);
		if (len < 0)
			return err_errno(e, "%s: extended attribute %s", x->t.name, s);
		*a = (struct tar_xattr){s, x->xattrs + used, (size_t)len};
		used += (size_t)len;
		x->t.nxattrs++;
	}
	return 0;
}

static int kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return TAR_FILE;
	case S_IFDIR:
		return TAR_DIR;
	case S_IFLNK:
		return TAR_SYMLINK;
	case S_IFCHR:
		return TAR_CHAR;
	case S_IFBLK:
		return TAR_BLOCKDEV;
	case S_IFIFO:
		return TAR_FIFO;
	default:
		return -1;
	}
}

static void fill(struct tree *x, const struct stat *st, const char *name)
{
	struct tar_entry *t = &x->t;

	t->kind = (enum tar_kind)kind_of(st->st_mode);
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->link[0] = 0;
	t->mode = st->st_mode & 07777;
	t->uid = st->st_uid;
	t->gid = st->st_gid;
	t->size = S_ISREG(st->st_mode) ? (u64)st->st_size : 0;
	t->mtime = st->st_mtim.tv_sec;
	t->mtime_ns = (u32)st->st_mtim.tv_nsec;
	t->major = major(st->st_rdev);
	t->minor = minor(st->st_rdev);
	t->nxattrs = 0;
}

/* ---- entries ---- */

/* Exactly the size in the header, whatever happens to the file meanwhile. */
static int put_data(struct tree *x, int fd, u64 size, struct err *e)
{
	for (u64 left = size; left;) {
		size_t want = left < COPY_CHUNK ? (size_t)left : COPY_CHUNK;
		ssize_t n = read(fd, x->buf, want);
		int ret;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? err_errno(e, "%s", x->t.name)
				 : err_set(e, EAGAIN, "%s became shorter while it was read",
					   x->t.name);
		ret = x->w->write(x->w->opaque, x->buf, (size_t)n, e);
		if (ret)
			return ret;
		left -= (u64)n;
	}
	return tar_pad(x->w, size, e);
}

static int put_file(struct tree *x, int dir, const char *base, const struct stat *st, struct err *e)
{
	const char *first = st->st_nlink > 1 ? seen_as(x, st->st_ino, x->t.name) : NULL;
	int fd, ret;

	if (first) {
		x->t.kind = TAR_HARDLINK;
		x->t.size = 0;
		x->t.nxattrs = 0;
		snprintf(x->t.link, sizeof(x->t.link), "%s", first);
		return tar_put(x->w, &x->t, e);
	}
	fd = openat(dir, base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_errno(e, "%s", x->t.name);
	ret = tar_put(x->w, &x->t, e);
	if (!ret)
		ret = put_data(x, fd, (u64)st->st_size, e);
	close(fd);
	return ret;
}

static int put_whiteout(struct tree *x, const char *parent, const char *base, struct err *e)
{
	struct tar_entry *t = &x->t;

	t->kind = TAR_FILE;
	t->mode = 0;
	t->size = 0;
	t->nxattrs = 0;
	if (snprintf(t->name, sizeof(t->name), "%s%s.wh.%s", parent, *parent ? "/" : "", base) >=
	    (int)sizeof(t->name))
		return err_set(e, ENAMETOOLONG, "%.60s...: name too long", parent);
	return tar_put(x->w, t, e);
}

static bool is_opaque(int fd)
{
	char v[2];

	return fgetxattr(fd, "trusted.overlay.opaque", v, sizeof(v)) == 1 ||
	       fgetxattr(fd, "user.overlay.opaque", v, sizeof(v)) == 1;
}

static int walk(struct tree *x, int fd, const char *name, unsigned depth, struct err *e);

static int put_dir(struct tree *x, int dir, const char *base, const char *name, unsigned depth,
		   struct err *e)
{
	int fd, ret = tar_put(x->w, &x->t, e);

	if (ret)
		return ret;
	fd = openat(dir, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "%s", name);
	if (x->form == TREE_OVERLAY && is_opaque(fd))
		ret = put_whiteout(x, name, ".wh..opq", e);
	if (ret) {
		close(fd);
		return ret;
	}
	return walk(x, fd, name, depth + 1, e);
}

static int put_entry(struct tree *x, int dir, const char *parent, const char *base, unsigned depth,
		     struct err *e)
{
	char name[TAR_MAX_NAME], path[300];
	struct stat st;
	ssize_t n;
	int ret;

	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : err_errno(e, "%s/%s", parent, base);
	if (kind_of(st.st_mode) < 0 || (st.st_dev != x->dev && S_ISDIR(st.st_mode)))
		return 0;
	if (snprintf(name, sizeof(name), "%s%s%s", parent, *parent ? "/" : "", base) >=
	    (int)sizeof(name))
		return err_set(e, ENAMETOOLONG, "%.60s...: name too long", parent);
	fill(x, &st, name);
	if (x->form == TREE_OVERLAY && S_ISCHR(st.st_mode) && !st.st_rdev)
		return put_whiteout(x, parent, base, e);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(dir, base, x->t.link, sizeof(x->t.link) - 1);
		if (n < 0)
			return err_errno(e, "%s", name);
		x->t.link[n] = 0;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, base);
	ret = read_xattrs(x, path, e);
	if (ret)
		return ret;
	if (S_ISREG(st.st_mode))
		return put_file(x, dir, base, &st, e);
	return S_ISDIR(st.st_mode) ? put_dir(x, dir, base, name, depth, e)
				   : tar_put(x->w, &x->t, e);
}

static int skip_dots(const struct dirent *de)
{
	return strcmp(de->d_name, ".") && strcmp(de->d_name, "..");
}

static int plain_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Takes fd over. */
static int walk(struct tree *x, int fd, const char *name, unsigned depth, struct err *e)
{
	struct dirent **names = NULL;
	int n, ret = 0;

	if (depth > TREE_MAX_DEPTH)
		ret = err_set(e, ELOOP, "%.100s...: too many directories deep", name);
	n = ret ? 0 : scandirat(fd, ".", &names, skip_dots, plain_order);
	if (n < 0)
		ret = err_errno(e, "%s", *name ? name : "/");
	for (int i = 0; i < n; i++) {
		if (!ret)
			ret = put_entry(x, fd, name, names[i]->d_name, depth, e);
		free(names[i]);
	}
	free(names);
	close(fd);
	return ret;
}

static int put_root(struct tree *x, int fd, const struct stat *st, struct err *e)
{
	char path[40];
	int ret;

	fill(x, st, ".");
	snprintf(path, sizeof(path), "/proc/self/fd/%d/.", fd);
	ret = read_xattrs(x, path, e);
	return ret ? ret : tar_put(x->w, &x->t, e);
}

int tree_tar(const struct tar_writer *w, int dirfd, enum tree_form form, bool with_root,
	     struct err *e)
{
	struct tree *x = calloc(1, sizeof(*x));
	struct stat st = {0};
	int fd, ret = 0;

	if (!x)
		return err_set(e, ENOMEM, "no memory");
	x->w = w;
	x->form = form;
	x->buf = malloc(COPY_CHUNK);
	x->xattrs = malloc(VALUES_MAX * 2);
	x->xattr_names = malloc(NAMES_MAX);
	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!x->buf || !x->xattrs || !x->xattr_names)
		ret = err_set(e, ENOMEM, "no memory");
	else if (fd < 0 || fstat(fd, &st))
		ret = err_errno(e, "cannot read a directory");
	else
		x->dev = st.st_dev;
	if (!ret && with_root)
		ret = put_root(x, fd, &st, e);
	if (!ret)
		ret = walk(x, fd, "", 0, e);
	else if (fd >= 0)
		close(fd);
	tdestroy(x->inodes, free_inode);
	free(x->buf);
	free(x->xattrs);
	free(x->xattr_names);
	free(x);
	return ret;
}

/* ---- hull export ---- */

static int write_fd(void *opaque, const void *data, size_t len, struct err *e)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(*(int *)opaque, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "cannot write the archive");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int image_export_dir(const char *dir, int fd, struct err *e)
{
	const struct tar_writer w = {write_fd, &fd};
	int ret, root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_errno(e, "%s", dir);
	ret = tree_tar(&w, root, TREE_PLAIN, true, e);
	close(root);
	return ret ? ret : tar_finish(&w, e);
}

static int export_root(void *opaque, const char *root, struct err *e)
{
	return image_export_dir(root, *(int *)opaque, e);
}

int image_export(struct image_store *s, const char *ref, const struct image_platform *want,
		 const char *path, struct err *e)
{
	bool out = !strcmp(path, "-");
	char tmp[PATHS_MAX] = "";
	struct image *im;
	int fd = STDOUT_FILENO, ret = image_resolve(s, ref, want, &im, e);

	if (ret)
		return ret;
	if (!out)
		ret = paths_format(tmp, e, "%s.XXXXXX", path);
	if (!ret && !out && (fd = mkostemp(tmp, O_CLOEXEC)) < 0)
		ret = err_errno(e, "cannot create %s", path);
	if (!ret)
		ret = tree_with_root(s, im, export_root, &fd, e);
	if (!ret && !out && (fchmod(fd, 0644) || rename(tmp, path)))
		ret = err_errno(e, "cannot create %s", path);
	if (!out && fd >= 0)
		close(fd);
	if (ret && !out && fd >= 0)
		unlink(tmp);
	image_free(im);
	return ret;
}
