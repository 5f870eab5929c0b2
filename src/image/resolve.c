/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a reference to a struct image with its layers unpacked (image/image.h),
 * and the pins that keep it.
 */
#include "image/layer.h"
#include "image/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int image_fill(const struct image_store *s, const struct descriptor *at,
		      const struct manifest *m, struct image *im, struct err *e)
{
	char *data;
	size_t len;
	int ret = blob_read(s, &m->config.digest, &data, &len, e);

	if (ret)
		return ret;
	ret = config_parse(m->config.digest.s, data, len, im, e);
	free(data);
	if (ret)
		return ret;
	if (im->nlayers != m->nitems)
		return err_set(e, EBADMSG, "%s: %u layers in the manifest, %u in the config",
			       at->digest.s, m->nitems, im->nlayers);
	snprintf(im->name, sizeof(im->name), "%s", at->name);
	snprintf(im->id, sizeof(im->id), "%s", m->config.digest.s);
	snprintf(im->manifest, sizeof(im->manifest), "%s", at->digest.s);
	im->size = at->size + m->config.size;
	for (unsigned i = 0; i < m->nitems; i++)
		im->size += m->items[i].size;
	im->store = strdup(s->dir);
	return im->store ? 0 : err_set(e, ENOMEM, "no memory");
}

int store_image(const struct image_store *s, const struct descriptor *at, const struct manifest *m,
		struct image **out, struct err *e)
{
	struct image *im = calloc(1, sizeof(*im));
	int ret;

	*out = im;
	if (!im) {
		err_set(e, ENOMEM, "no memory");
		return -ENOMEM;
	}
	ret = image_fill(s, at, m, im, e);
	if (ret) {
		image_free(im);
		*out = NULL;
	}
	return ret;
}

static int check_platform(const struct image *im, const char *ref,
			  const struct image_platform *want, struct err *e)
{
	struct image_platform host;
	char have[100], asked[100];

	image_platform_host(&host);
	want = want ? want : &host;
	if (!im->platform.arch[0] || platform_fits(&im->platform, want))
		return 0;
	platform_format(&im->platform, have);
	platform_format(want, asked);
	return err_set(e, ENOENT, "image %s is for %s, not for %s: give the platform", ref, have,
		       asked);
}

static int layer_dirs(struct image_store *s, const struct manifest *m, struct image *im,
		      struct err *e)
{
	im->layers = calloc(im->nlayers + 1, sizeof(*im->layers));
	if (!im->layers)
		return err_set(e, ENOMEM, "no memory");
	for (unsigned i = 0; i < im->nlayers; i++) {
		struct digest diff_id;
		int ret = digest_parse(im->diff_ids[i], &diff_id, e);

		if (!ret)
			ret = layer_ensure(s, &m->items[i], &diff_id, e);
		if (ret)
			return ret;
		if (asprintf(&im->layers[i], "%s/layers/%s/fs", s->dir, digest_hex(&diff_id)) < 0) {
			im->layers[i] = NULL;
			return err_set(e, ENOMEM, "no memory");
		}
	}
	return 0;
}

int image_resolve(struct image_store *s, const char *ref, const struct image_platform *want,
		  struct image **out, struct err *e)
{
	struct descriptor d, at;
	struct manifest m;
	struct image *im = NULL;
	int ret;

	*out = NULL;
	ret = store_find(s, ref, &d, e);
	if (!ret)
		ret = store_manifest(s, &d, want, &at, &m, e);
	if (ret)
		return ret;
	memcpy(at.name, d.name, sizeof(at.name));
	ret = store_image(s, &at, &m, &im, e);
	if (!ret)
		ret = check_platform(im, ref, want, e);
	if (!ret)
		ret = layer_dirs(s, &m, im, e);
	manifest_fini(&m);
	if (ret)
		image_free(im);
	else
		*out = im;
	return ret;
}

/* ---- pins ---- */

static int pin_path(const char *owner, char *out, struct err *e)
{
	size_t n = strlen(owner);

	if (!n || n > 128 || owner[0] == '.' ||
	    strspn(owner, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != n)
		return err_set(e, EINVAL, "%.60s cannot own a pin", owner);
	snprintf(out, 160, "pins/%s", owner);
	return 0;
}

int image_pin(struct image_store *s, const struct image *im, const char *owner, struct err *e)
{
	char path[160], tmp[100];
	size_t len = strlen(im->manifest);
	int fd, ret = pin_path(owner, path, e);

	if (ret)
		return ret;
	fd = store_temp_file(s, tmp, e);
	if (fd < 0)
		return fd;
	if (write(fd, im->manifest, len) != (ssize_t)len || renameat(s->fd, tmp, s->fd, path)) {
		ret = store_io_error(s, "cannot pin an image", e);
		unlinkat(s->fd, tmp, 0);
	}
	close(fd);
	return ret;
}

int image_unpin(struct image_store *s, const char *owner, struct err *e)
{
	char path[160];
	int ret = pin_path(owner, path, e);

	if (ret || s->fd < 0)
		return ret;
	if (unlinkat(s->fd, path, 0) && errno != ENOENT)
		return err_errno(e, "cannot unpin %s", owner);
	return 0;
}

static int read_pin(int dirfd, const char *name, struct digest *out)
{
	char text[80] = "";
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n < 0 ? -errno : digest_parse(text, out, NULL);
}

int store_each_pin(const struct image_store *s,
		   int (*fn)(void *opaque, const char *owner, const struct digest *manifest),
		   void *opaque, struct err *e)
{
	int ret = 0,
	    fd = s->fd < 0 ? -1 : openat(s->fd, "pins", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct digest digest;
	struct dirent *de;
	DIR *d;

	if (fd < 0)
		return 0;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return err_set(e, ENOMEM, "no memory");
	}
	while (!ret && (de = readdir(d)))
		if (de->d_name[0] != '.' && !read_pin(fd, de->d_name, &digest))
			ret = fn(opaque, de->d_name, &digest);
	closedir(d);
	return ret;
}
