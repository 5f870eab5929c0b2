/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs of the store (image/store.h): reading with the digest checked, writing
 * under a temporary name until the digest is right.
 */
#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK KIB(256)

void blob_path(const struct digest *d, char *out)
{
	snprintf(out, 100, "blobs/sha256/%s", digest_hex(d));
}

bool blob_stat(const struct image_store *s, const struct digest *d, u64 *size)
{
	char path[100];
	struct stat st;

	blob_path(d, path);
	if (s->fd < 0 || fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
		return false;
	if (size)
		*size = (u64)st.st_size;
	return true;
}

void blob_forget(const struct image_store *s, const struct digest *d)
{
	char path[100];

	blob_path(d, path);
	unlinkat(s->fd, path, 0);
}

int blob_open(const struct image_store *s, const struct digest *d, struct err *e)
{
	char path[100];
	int fd = -1;

	blob_path(d, path);
	errno = ENOENT;
	if (s->fd >= 0)
		fd = openat(s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_errno(e, "blob %s", d->s) : fd;
}

static int read_all(int fd, char *buf, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = read(fd, buf + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

int blob_read(const struct image_store *s, const struct digest *d, char **data, size_t *len,
	      struct err *e)
{
	struct digest have;
	u64 size;
	int fd, ret;

	*data = NULL;
	if (!blob_stat(s, d, &size))
		return err_set(e, ENOENT, "blob %s is not stored", d->s);
	if (size > DOC_MAX)
		return err_set(e, EFBIG, "%s is larger than %u MiB", d->s,
			       (unsigned)(DOC_MAX >> 20));
	fd = blob_open(s, d, e);
	if (fd < 0)
		return fd;
	*data = malloc(size + 1);
	ret = *data ? read_all(fd, *data, size) : -ENOMEM;
	close(fd);
	if (ret)
		err_set(e, -ret, "cannot read blob %s: %s", d->s, strerror(-ret));
	if (!ret)
		ret = digest_of(*data, size, &have, e);
	if (!ret && !digest_equal(&have, d))
		ret = err_set(e, EBADMSG,
			      "blob %s in %s is damaged: remove that file and pull the image again",
			      d->s, s->dir);
	if (ret) {
		free(*data);
		*data = NULL;
		return ret;
	}
	(*data)[size] = 0;
	*len = size;
	return 0;
}

/* ---- writing ---- */

int blob_begin(const struct image_store *s, struct blob_writer *w, struct err *e)
{
	int ret;

	*w = (struct blob_writer){.store = s};
	ret = hash_begin(&w->hash, e);
	if (ret)
		return ret;
	w->fd = store_temp_file(s, w->path, e);
	if (w->fd < 0) {
		hash_drop(&w->hash);
		return w->fd;
	}
	w->open = true;
	return 0;
}

static int hash_present(struct blob_writer *w, struct err *e)
{
	char *buf = malloc(READ_CHUNK);
	ssize_t n = 0;

	if (!buf)
		return err_set(e, ENOMEM, "no memory");
	while ((n = read(w->fd, buf, READ_CHUNK)) > 0) {
		hash_add(&w->hash, buf, (size_t)n);
		w->size += (u64)n;
	}
	free(buf);
	return n < 0 ? err_errno(e, "%s", w->path) : 0;
}

int blob_resume(const struct image_store *s, struct blob_writer *w, const struct digest *d,
		struct err *e)
{
	int ret;

	*w = (struct blob_writer){.store = s};
	snprintf(w->path, sizeof(w->path), "partial/%s", digest_hex(d));
	w->fd = openat(s->fd, w->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (w->fd < 0)
		return store_io_error(s, "cannot create a file", e);
	if (flock(w->fd, LOCK_EX | LOCK_NB)) {
		close(w->fd);
		return err_set(e, EBUSY, "another process is fetching %s", d->s);
	}
	ret = hash_begin(&w->hash, e);
	if (ret) {
		close(w->fd);
		return ret;
	}
	w->open = true;
	w->keep = true;
	ret = hash_present(w, e);
	if (ret)
		blob_abort(w);
	return ret;
}

int blob_write(struct blob_writer *w, const void *data, size_t len, struct err *e)
{
	const char *p = data;

	hash_add(&w->hash, data, len);
	for (size_t left = len; left;) {
		ssize_t n = write(w->fd, p, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return store_io_error(w->store, "cannot write a blob", e);
		p += n;
		left -= (size_t)n;
	}
	w->size += len;
	return 0;
}

static int judge(const struct blob_writer *w, const struct digest *have, const struct digest *want,
		 u64 want_size, struct err *e)
{
	if (want_size != (u64)-1 && want_size != w->size)
		return err_set(e, EBADMSG, "%s: %llu bytes instead of %llu",
			       want ? want->s : have->s, (unsigned long long)w->size,
			       (unsigned long long)want_size);
	if (want && !digest_equal(have, want))
		return err_set(e, EBADMSG, "wrong digest: %s was announced, %s came", want->s,
			       have->s);
	return 0;
}

int blob_check(const struct blob_writer *w, const struct digest *want, u64 want_size, struct err *e)
{
	struct digest have;
	struct hash h;
	int ret = hash_copy(&h, &w->hash, e);

	if (ret)
		return ret;
	hash_end(&h, &have);
	return judge(w, &have, want, want_size, e);
}

int blob_commit(struct blob_writer *w, const struct digest *want, u64 want_size, struct digest *out,
		struct err *e)
{
	const struct image_store *s = w->store;
	struct digest have;
	char path[100];
	int ret;

	hash_end(&w->hash, &have);
	ret = judge(w, &have, want, want_size, e);
	blob_path(&have, path);
	if (!ret && !blob_stat(s, &have, NULL)) {
		if (renameat(s->fd, w->path, s->fd, path))
			ret = store_io_error(s, "cannot store a blob", e);
	} else {
		unlinkat(s->fd, w->path, 0);
	}
	w->keep = w->keep && ret && ret != -EBADMSG;
	blob_abort(w);
	if (!ret && out)
		*out = have;
	return ret;
}

void blob_abort(struct blob_writer *w)
{
	if (!w->open)
		return;
	hash_drop(&w->hash);
	if (!w->keep)
		unlinkat(w->store->fd, w->path, 0);
	close(w->fd);
	w->open = false;
}

int blob_put(const struct image_store *s, const void *data, size_t len, struct digest *out,
	     struct err *e)
{
	struct blob_writer w;
	int ret = blob_begin(s, &w, e);

	if (ret)
		return ret;
	ret = blob_write(&w, data, len, e);
	if (!ret)
		ret = blob_commit(&w, NULL, (u64)-1, out, e);
	blob_abort(&w);
	return ret;
}
