/* SPDX-License-Identifier: Apache-2.0 */
#include "image/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* image-layout.md, "oci-layout file". */
static const char oci_layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
static const char empty_index[] =
	"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_INDEX "\",\"manifests\":[]}\n";

static const struct {
	const char *name;
	mode_t mode;
} store_dirs[] = {
	{"blobs", 0755}, {"blobs/sha256", 0755}, {"layers", 0700}, {"erofs", 0755},
	{"cache", 0700}, {"pins", 0755},	 {"tmp", 0700},	   {"partial", 0700},
	{"empty", 0755}, {"empty2", 0755},
};

int store_io_error(const struct image_store *s, const char *what, struct err *e)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return err_set(e, errno,
			       "%s: no space left in %s: free some, `hull prune` may help", what,
			       s->dir);
	return err_errno(e, "%s in %s", what, s->dir);
}

/* ---- removing trees ---- */

static int tree_remove_at(int dirfd, const char *name, unsigned depth);

/* Removes what a directory holds; takes the descriptor over. */
static int tree_empty(int fd, unsigned depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	int ret = 0;

	if (!d) {
		ret = -errno;
		close(fd);
		return ret;
	}
	/* A user who is not root may have unpacked directories he cannot change. */
	fchmod(fd, 0700);
	while (!ret && (de = readdir(d)))
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			ret = tree_remove_at(fd, de->d_name, depth + 1);
	closedir(d);
	return ret;
}

static int tree_remove_at(int dirfd, const char *name, unsigned depth)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd, ret;

	if (!unlinkat(dirfd, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth > 2 * TREE_MAX_DEPTH)
		return -ELOOP;
	fd = openat(dirfd, name, flags);
	if (fd < 0 && errno == EACCES && !fchmodat(dirfd, name, 0700, 0))
		fd = openat(dirfd, name, flags);
	if (fd < 0)
		return -errno;
	ret = tree_empty(fd, depth);
	if (!ret && unlinkat(dirfd, name, AT_REMOVEDIR))
		ret = -errno;
	return ret;
}

int store_tree_remove(int dirfd, const char *name)
{
	return tree_remove_at(dirfd, name, 0);
}

/* ---- opening ---- */

static int put_file(struct image_store *s, const char *name, const char *text, struct err *e)
{
	char tmp[100];
	int fd, ret = 0;

	if (!faccessat(s->fd, name, F_OK, 0))
		return 0;
	fd = store_temp_file(s, tmp, e);
	if (fd < 0)
		return fd;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    (linkat(s->fd, tmp, s->fd, name, 0) && errno != EEXIST))
		ret = store_io_error(s, "cannot create an image store", e);
	close(fd);
	unlinkat(s->fd, tmp, 0);
	return ret;
}

/* Nobody else has the store open: whatever is in tmp was left by a process that died. */
static void sweep(struct image_store *s)
{
	int fd;

	if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
		return;
	fd = openat(s->fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	tree_empty(fd, 0);
}

static int fill(struct image_store *s, struct err *e)
{
	int ret;

	for (unsigned i = 0; i < ARRAY_LEN(store_dirs); i++)
		if (mkdirat(s->fd, store_dirs[i].name, store_dirs[i].mode) && errno != EEXIST)
			return store_io_error(s, "cannot create an image store", e);
	ret = put_file(s, "oci-layout", oci_layout, e);
	return ret ? ret : put_file(s, "index.json", empty_index, e);
}

static int open_dirs(struct image_store *s, struct err *e)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int ret = s->writable ? paths_make_dir(s->dir, 0755, e) : 0;

	if (ret)
		return ret;
	s->fd = open(s->dir, flags);
	if (s->fd < 0 && errno == ENOENT && !s->writable)
		return 0;
	if (s->fd < 0)
		return err_errno(e, "image store %s", s->dir);
	s->lock_fd =
		openat(s->fd, "lock", O_RDONLY | O_CLOEXEC | (s->writable ? O_CREAT : 0), 0644);
	if (s->lock_fd < 0 && s->writable)
		return store_io_error(s, "cannot create a lock", e);
	if (s->lock_fd >= 0 && s->writable)
		sweep(s);
	if (s->lock_fd >= 0 && flock(s->lock_fd, LOCK_SH))
		return err_errno(e, "cannot lock image store %s", s->dir);
	return s->writable ? fill(s, e) : 0;
}

int image_store_open(const char *dir, enum image_store_mode mode, struct image_store **out,
		     struct err *e)
{
	struct image_store *s = calloc(1, sizeof(*s));
	char data[PATHS_MAX];
	int ret = 0;

	*out = NULL;
	if (!s)
		return err_set(e, ENOMEM, "no memory");
	s->fd = s->lock_fd = -1;
	s->writable = mode == IMAGE_STORE_WRITE;
	if (!dir)
		ret = paths_data(data, e);
	if (!ret)
		ret = dir ? paths_format(s->dir, e, "%s", dir)
			  : paths_format(s->dir, e, "%s/images", data);
	if (!ret)
		ret = open_dirs(s, e);
	if (ret)
		image_store_close(s);
	else
		*out = s;
	return ret;
}

void image_store_close(struct image_store *s)
{
	if (!s)
		return;
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

/* ---- temporary names ---- */

static int temp_name(char *out, struct err *e)
{
	u64 r;
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, &r, sizeof(r)) == sizeof(r);

	if (fd >= 0)
		close(fd);
	if (!ok)
		return err_errno(e, "/dev/urandom");
	snprintf(out, 100, "tmp/%016llx", (unsigned long long)r);
	return 0;
}

int store_temp_file(const struct image_store *s, char *out, struct err *e)
{
	int fd, ret = temp_name(out, e);

	if (ret)
		return ret;
	fd = openat(s->fd, out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? store_io_error(s, "cannot create a file", e) : fd;
}

int store_temp_dir(const struct image_store *s, char *out, struct err *e)
{
	int ret = temp_name(out, e);

	if (!ret && mkdirat(s->fd, out, 0700))
		ret = store_io_error(s, "cannot create a directory", e);
	return ret;
}
