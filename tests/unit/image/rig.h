/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a temporary directory, and small images in it. */
#ifndef HULL_TESTS_IMAGE_RIG_H
#define HULL_TESTS_IMAGE_RIG_H

#include "image/fetch.h"
#include "image/tar.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rig {
	char dir[64];
	struct image_store *s;
};

static inline bool rig_open(struct rig *r)
{
	snprintf(r->dir, sizeof(r->dir), "/tmp/hull-store-XXXXXX");
	return mkdtemp(r->dir) && !image_store_open(r->dir, IMAGE_STORE_WRITE, &r->s, NULL);
}

static inline void rig_close(struct rig *r)
{
	image_store_close(r->s);
	store_tree_remove(AT_FDCWD, r->dir);
}

struct rig_buf {
	u8 p[1 << 16];
	size_t len;
};

static int rig_write(void *opaque, const void *data, size_t len, struct err *e)
{
	struct rig_buf *b = opaque;

	memcpy(b->p + b->len, data, len);
	b->len += len;
	return 0;
}

/* A layer that holds one file of that name and text. */
static inline int rig_layer(struct rig *r, const char *name, const char *text, struct descriptor *d,
			    struct digest *id, struct err *e)
{
	const struct layer_want want = {0};
	struct rig_buf *b = calloc(1, sizeof(*b));
	const struct tar_writer w = {rig_write, b};
	struct layer_job *j;
	int ret;

	if (!b)
		return -12;
	tar_put_file(&w, name, text, strlen(text), NULL);
	tar_finish(&w, NULL);
	ret = layer_begin(r->s, &want, &j, e);
	if (!ret) {
		ret = layer_push(j, b->p, b->len, e);
		ret = ret ? ret : layer_finish(j, d, id, e);
	}
	free(b);
	return ret;
}

/* An image of n such layers, "f0", "f1" and so on, under a canonical name. */
static inline int rig_image(struct rig *r, const char *name, unsigned n, struct err *e)
{
	struct descriptor layers[8], d;
	struct digest ids[8], id;
	json_t *config = json_pack("{s:s, s:s, s:{s:[s]}}", "architecture", "amd64", "os", "linux",
				   "config", "Env", "A=1");
	int ret = 0;

	for (unsigned i = 0; !ret && i < n; i++) {
		char file[16];

		snprintf(file, sizeof(file), "f%u", i);
		ret = rig_layer(r, file, name, &layers[i], &ids[i], e);
	}
	if (!ret)
		ret = compose_image(r->s, config, layers, ids, n, &d, &id, e);
	json_decref(config);
	return ret ? ret : index_tag(r->s, name, &d, e);
}

#endif
