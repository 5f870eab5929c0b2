/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Garbage of the store (image/store.h): everything that names and pins reach is
 * marked, the rest goes. Runs alone (the exclusive lock), in an order that a
 * kill at any point leaves only more garbage.
 */
#include "image/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_MS 10000
#define LOCK_STEP_MS 50

/* Sets of 64-digit hexadecimal names, sorted before use. */
struct names {
	char (*v)[65];
	size_t n, room;
};

struct marks {
	struct image_store *s;
	struct names blobs, layers, blocks;
	const struct digest *seek; /* is_pinned: what to look for */
	bool found;
};

/* ---- sets ---- */

static int add(struct names *x, const char *digest, struct err *e)
{
	if (x->n == x->room) {
		size_t room = x->room ? 2 * x->room : 256;
		void *grown = reallocarray(x->v, room, sizeof(*x->v));

		if (!grown)
			return err_set(e, ENOMEM, "no memory");
		x->v = grown;
		x->room = room;
	}
	snprintf(x->v[x->n++], sizeof(*x->v), "%.64s", digest + DIGEST_PREFIX);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void sort(struct names *x)
{
	if (x->n)
		qsort(x->v, x->n, sizeof(*x->v), compare);
}

static bool has(const struct names *x, const char *name)
{
	return x->n && bsearch(name, x->v, x->n, sizeof(*x->v), compare);
}

/* ---- marking ---- */

static int mark_image(struct marks *g, const struct descriptor *at, const struct manifest *m,
		      struct err *e)
{
	struct image *im;
	int ret = add(&g->blobs, m->config.digest.s, e);

	for (unsigned i = 0; !ret && i < m->nitems; i++)
		ret = add(&g->blobs, m->items[i].digest.s, e);
	/* A damaged config keeps the image's blobs and loses what can be made again. */
	if (ret || store_image(g->s, at, m, &im, NULL))
		return ret;
	for (unsigned i = 0; !ret && i < im->nlayers; i++)
		ret = add(&g->layers, im->diff_ids[i], e);
	if (!ret)
		ret = add(&g->blocks, im->chain, e);
	image_free(im);
	return ret;
}

static int mark_any(struct marks *g, const struct descriptor *d, unsigned depth, struct err *e)
{
	struct manifest m;
	char *data;
	size_t len;
	int ret = add(&g->blobs, d->digest.s, e);

	if (ret || depth > MANIFEST_MAX_DEPTH || !blob_stat(g->s, &d->digest, NULL))
		return ret;
	if (depth && d->media[0] && !media_is_index(d->media) && !media_is_manifest(d->media))
		return 0;
	if (blob_read(g->s, &d->digest, &data, &len, NULL))
		return 0;
	if (!manifest_parse(d->digest.s, data, len, d->media, &m, NULL)) {
		if (!m.is_index)
			ret = mark_image(g, d, &m, e);
		for (unsigned i = 0; m.is_index && !ret && i < m.nitems; i++)
			ret = mark_any(g, &m.items[i], depth + 1, e);
		manifest_fini(&m);
	}
	free(data);
	return ret;
}

static int mark_pin(void *opaque, const char *owner, const struct digest *manifest)
{
	const struct descriptor d = {.digest = *manifest};

	return mark_any(opaque, &d, 0, NULL);
}

static int mark_all(struct marks *g, struct err *e)
{
	struct index_entries x;
	int ret = index_load(g->s, &x, e);

	for (unsigned i = 0; !ret && i < x.n; i++)
		ret = mark_any(g, &x.v[i], 0, e);
	index_free(&x);
	if (!ret)
		ret = store_each_pin(g->s, mark_pin, g, e);
	if (ret)
		return ret;
	sort(&g->blobs);
	sort(&g->layers);
	sort(&g->blocks);
	return 0;
}

/* ---- sweeping ---- */

/* Calls drop for each name of a directory that is not in the set. */
static int sweep(struct marks *g, const char *dir, const struct names *keep,
		 int (*drop)(int fd, const char *name, struct prune_result *out),
		 struct prune_result *out, struct err *e)
{
	int ret = 0, fd = openat(g->s->fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!d)
		return err_errno(e, "%s in %s", dir, g->s->dir);
	while (!ret && (de = readdir(d))) {
		char hex[65];

		snprintf(hex, sizeof(hex), "%.64s", de->d_name);
		if (de->d_name[0] == '.' || (keep && has(keep, hex)))
			continue;
		ret = drop(fd, de->d_name, out);
		if (ret)
			err_set(e, -ret, "cannot remove %s/%.80s in %s: %s", dir, de->d_name,
				g->s->dir, strerror(-ret));
	}
	closedir(d);
	return ret;
}

static int drop_file(int fd, const char *name, struct prune_result *out)
{
	struct stat st;

	if (!fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
		out->bytes += (u64)st.st_blocks * 512;
	return unlinkat(fd, name, 0) ? -errno : 0;
}

static int drop_blob(int fd, const char *name, struct prune_result *out)
{
	out->blobs++;
	return drop_file(fd, name, out);
}

static int drop_block(int fd, const char *name, struct prune_result *out)
{
	out->blocks++;
	return drop_file(fd, name, out);
}

/* First out of sight in one step: a half removed layer must never be found. */
static int drop_layer(int fd, const char *name, struct prune_result *out)
{
	char gone[300];

	out->layers++;
	snprintf(gone, sizeof(gone), "../tmp/gone-%.200s", name);
	if (renameat(fd, name, fd, gone))
		return -errno;
	return store_tree_remove(fd, gone);
}

/* A partial download that somebody may still want is a day's worth of patience. */
static int drop_partial(int fd, const char *name, struct prune_result *out)
{
	struct stat st;

	if (!fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) && time(NULL) - st.st_mtime < 86400)
		return 0;
	return drop_file(fd, name, out);
}

static int sweep_all(struct marks *g, struct prune_result *out, struct err *e)
{
	int ret = sweep(g, "layers", &g->layers, drop_layer, out, e);

	ret = ret ? ret : sweep(g, "erofs", &g->blocks, drop_block, out, e);
	ret = ret ? ret : sweep(g, "blobs/sha256", &g->blobs, drop_blob, out, e);
	return ret ? ret : sweep(g, "partial", NULL, drop_partial, out, e);
}

/* ---- names ---- */

static int seek_pin(void *opaque, const char *owner, const struct digest *manifest)
{
	struct marks *g = opaque;

	g->found |= digest_equal(manifest, g->seek);
	return 0;
}

static int seek_manifest(void *opaque, const struct descriptor *at, const struct manifest *m)
{
	struct marks *g = opaque;

	g->seek = &at->digest;
	return store_each_pin(g->s, seek_pin, g, NULL);
}

bool store_is_pinned(struct image_store *s, const struct descriptor *d)
{
	struct marks g = {.s = s};

	store_each_manifest(s, d, seek_manifest, &g, NULL);
	return g.found;
}

static int drop_names(struct image_store *s, struct prune_result *out, struct err *e)
{
	struct index_entries x;
	int ret = index_load(s, &x, e);

	for (unsigned i = 0; !ret && i < x.n; i++) {
		if (store_is_pinned(s, &x.v[i]))
			continue;
		ret = index_untag(s, x.v[i].name, e);
		out->names += !ret;
	}
	index_free(&x);
	return ret;
}

static int lock_alone(struct image_store *s, bool wait, struct err *e)
{
	for (unsigned ms = 0; flock(s->lock_fd, LOCK_EX | LOCK_NB); ms += LOCK_STEP_MS) {
		if (!wait || ms >= LOCK_WAIT_MS)
			return err_set(
				e, EBUSY,
				"image store %s is in use by another hull: try again when it "
				"is done",
				s->dir);
		usleep(LOCK_STEP_MS * 1000);
	}
	return 0;
}

int store_prune(struct image_store *s, bool all, bool wait, struct prune_result *out, struct err *e)
{
	struct marks g = {.s = s};
	int ret = lock_alone(s, wait, e);

	*out = (struct prune_result){0};
	if (ret)
		return ret;
	if (all)
		ret = drop_names(s, out, e);
	if (!ret)
		ret = mark_all(&g, e);
	if (!ret)
		ret = sweep_all(&g, out, e);
	flock(s->lock_fd, LOCK_SH);
	free(g.blobs.v);
	free(g.layers.v);
	free(g.blocks.v);
	return ret;
}
