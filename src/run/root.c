/* SPDX-License-Identifier: Apache-2.0 */
#include "run/root.h"

#include "run/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int resolve(const struct run_spec *spec, const char *ref, struct image_store **store,
		   struct image **out, struct err *e)
{
	struct image_platform p;
	int ret = spec->arch ? image_platform_parse(spec->arch, &p, e) : 0;

	if (ret)
		return ret;
	ret = image_store_open(NULL, IMAGE_STORE_WRITE, store, e);
	if (ret)
		return ret;
	ret = image_resolve(*store, ref, spec->arch ? &p : NULL, out, e);
	if (ret)
		image_store_close(*store);
	return ret;
}

int root_resolve(const struct run_spec *spec, struct image_store **store, struct image **out,
		 struct err *e)
{
	return resolve(spec, spec->digest, store, out, e);
}

int root_image(struct run_spec *spec, struct image **out, struct err *e)
{
	struct image_store *store;
	int ret = resolve(spec, spec->image, &store, out, e);

	if (ret)
		return ret;
	image_store_close(store);
	ret = spec_text(&spec->digest, (*out)->id, e);
	if (ret)
		image_free(*out);
	return ret;
}

/* "thing-NAME" of a thing, as pins are named in the store. */
static void owner(const struct thing *t, char *out, size_t size)
{
	snprintf(out, size, "thing-%s", t->name);
}

int root_pin(const struct thing *t, const struct image *im, struct err *e)
{
	struct image_store *store;
	char name[RUN_NAME_MAX + 8];
	int ret = image_store_open(NULL, IMAGE_STORE_WRITE, &store, e);

	if (ret)
		return ret;
	owner(t, name, sizeof(name));
	ret = image_pin(store, im, name, e);
	image_store_close(store);
	return ret;
}

void thing_unpin(const struct thing *t)
{
	struct image_store *store;
	char name[RUN_NAME_MAX + 8];

	if (image_store_open(NULL, IMAGE_STORE_WRITE, &store, NULL))
		return;
	owner(t, name, sizeof(name));
	image_unpin(store, name, NULL);
	image_store_close(store);
}

int root_block(const struct run_spec *spec, char *path, struct err *e)
{
	struct image_store *store;
	struct image *im;
	int ret = root_resolve(spec, &store, &im, e);

	if (ret)
		return ret;
	ret = image_rootfs_block(store, im, path, e);
	image_free(im);
	image_store_close(store);
	return ret;
}

int root_mount(const struct thing *t, const struct run_spec *spec, struct err *e)
{
	static const char *const names[] = {"upper", "work", "root"};
	char path[3][PATHS_MAX];
	struct image_mount_config c = {.volatile_ = spec->rm};
	struct image_store *store;
	struct image *im;
	int ret = root_resolve(spec, &store, &im, e);

	if (ret)
		return ret;
	image_store_close(store);
	for (unsigned i = 0; !ret && i < 3; i++) {
		ret = thing_path(t, names[i], path[i], e);
		if (!ret && mkdir(path[i], 0755) && errno != EEXIST)
			ret = err_errno(e, "%s", path[i]);
	}
	c.upper = path[0];
	c.work = path[1];
	if (!ret)
		ret = image_mount(im, &c, path[2], e);
	image_free(im);
	return ret;
}
