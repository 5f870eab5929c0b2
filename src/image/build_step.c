/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers of a build (image/build.h): the overlay a step works on, the layer made
 * of its upper directory, the cache; and `hull commit`, which is one such step.
 */
#include "image/build_internal.h"
#include "image/ref.h"
#include "image/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- from upper directory to layer ---- */

static int push_tar(void *opaque, const void *data, size_t len, struct err *e)
{
	return layer_push(opaque, data, len, e);
}

static bool dir_empty(int fd)
{
	DIR *d = fdopendir(dup(fd));
	struct dirent *de;
	bool empty = true;

	if (!d)
		return false;
	rewinddir(d);
	while (empty && (de = readdir(d)))
		empty = !strcmp(de->d_name, ".") || !strcmp(de->d_name, "..");
	closedir(d);
	return empty;
}

static int tar_upper(struct image_store *s, int fd, struct descriptor *layer,
		     struct digest *diff_id, struct err *e)
{
	const struct layer_want want = {0};
	struct tar_writer w = {push_tar, NULL};
	struct layer_job *j;
	int ret = layer_begin(s, &want, &j, e);

	if (ret)
		return ret;
	w.opaque = j;
	ret = tree_tar(&w, fd, TREE_OVERLAY, false, e);
	if (!ret)
		ret = tar_finish(&w, e);
	if (!ret)
		return layer_finish(j, layer, diff_id, e);
	layer_abort(j);
	return ret;
}

int step_from_upper(struct image_store *s, const char *upper, struct descriptor *layer,
		    struct digest *diff_id, bool *empty, struct err *e)
{
	int ret = 0, fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "%s", upper);
	*empty = dir_empty(fd);
	if (!*empty)
		ret = tar_upper(s, fd, layer, diff_id, e);
	close(fd);
	return ret;
}

/* ---- the overlay ---- */

int step_image(struct build *b, const struct stage *st, struct image **out, struct err *e)
{
	struct image *im = calloc(1, sizeof(*im));

	*out = im;
	if (!im)
		return err_set(e, ENOMEM, "no memory");
	im->store = strdup(b->store->dir);
	im->layers = calloc(st->nlayers + 1, sizeof(*im->layers));
	if (!im->store || !im->layers)
		return err_set(e, ENOMEM, "no memory");
	snprintf(im->name, sizeof(im->name), "the build");
	for (; im->nlayers < st->nlayers; im->nlayers++)
		if (asprintf(&im->layers[im->nlayers], "%s/layers/%s/fs", b->store->dir,
			     digest_hex(&st->diff_ids[im->nlayers])) < 0) {
			im->layers[im->nlayers] = NULL;
			return err_set(e, ENOMEM, "no memory");
		}
	return 0;
}

/* The merged root looks like its uppermost directory: that must look like the one below. */
static void copy_root_mode(const struct image *im, const char *upper)
{
	struct stat st;

	if (!im->nlayers || stat(im->layers[im->nlayers - 1], &st))
		return;
	if (chown(upper, st.st_uid, st.st_gid) || chmod(upper, st.st_mode & 07777))
		return;
}

struct step_dirs {
	char top[100], upper[PATHS_MAX], work[PATHS_MAX], root[PATHS_MAX];
};

static int make_dirs(struct build *b, struct step_dirs *d, struct err *e)
{
	int ret = store_temp_dir(b->store, d->top, e);

	ret = ret ? ret : paths_format(d->upper, e, "%s/%s/upper", b->store->dir, d->top);
	ret = ret ? ret : paths_format(d->work, e, "%s/%s/work", b->store->dir, d->top);
	ret = ret ? ret : paths_format(d->root, e, "%s/%s/root", b->store->dir, d->top);
	if (!ret && (mkdir(d->upper, 0755) || mkdir(d->work, 0755) || mkdir(d->root, 0755)))
		ret = store_io_error(b->store, "cannot create a directory", e);
	return ret;
}

static int on_mounted(struct build *b, const struct image *im, const struct step_dirs *d,
		      int (*fn)(void *opaque, const char *root, struct err *e), void *opaque,
		      struct err *e)
{
	const struct image_mount_config c = {.upper = d->upper, .work = d->work};
	int ret, un;

	copy_root_mode(im, d->upper);
	ret = image_mount(im, &c, d->root, e);
	if (ret)
		return ret;
	ret = fn(opaque, d->root, e);
	un = image_unmount(d->root, ret ? NULL : e);
	return ret ? ret : un;
}

int step_layer(struct build *b, struct stage *st,
	       int (*fn)(void *opaque, const char *root, struct err *e), void *opaque, bool *empty,
	       struct err *e)
{
	struct step_dirs d = {0};
	struct image *im = NULL;
	int ret = make_dirs(b, &d, e);

	if (!ret && st->nlayers == IMAGE_MAX_LAYERS)
		ret = err_set(e, EFBIG, "more than %u layers", IMAGE_MAX_LAYERS);
	if (!ret)
		ret = step_image(b, st, &im, e);
	if (!ret)
		ret = on_mounted(b, im, &d, fn, opaque, e);
	if (!ret)
		ret = step_from_upper(b->store, d.upper, &st->layers[st->nlayers],
				      &st->diff_ids[st->nlayers], empty, e);
	if (!ret && !*empty)
		st->nlayers++;
	image_free(im);
	if (d.top[0])
		store_tree_remove(b->store->fd, d.top);
	return ret;
}

/* ---- cache ---- */

int cache_key(struct stage *st, const char *text, const struct digest *more, struct err *e)
{
	struct hash h;
	int ret = hash_begin(&h, e);

	if (ret)
		return ret;
	hash_add(&h, st->key.s, sizeof(st->key.s));
	hash_add(&h, text, strlen(text) + 1);
	if (more)
		hash_add(&h, more->s, sizeof(more->s));
	hash_end(&h, &st->key);
	return 0;
}

static void cache_path(const struct stage *st, char out[100])
{
	snprintf(out, 100, "cache/%s", digest_hex(&st->key));
}

static int cache_read(struct build *b, const char *path, json_t **out)
{
	char text[1024];
	int fd = openat(b->store->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -ENOENT;
	n = read(fd, text, sizeof(text));
	close(fd);
	return n < 0 ? -EIO : doc_parse("cache", text, (size_t)n, out, NULL);
}

int cache_find(struct build *b, struct stage *st, bool *empty)
{
	struct descriptor d;
	struct digest diff_id;
	char path[100];
	json_t *doc;
	int found = 0;

	cache_path(st, path);
	if (b->o->no_cache || st->nlayers == IMAGE_MAX_LAYERS || cache_read(b, path, &doc))
		return 0;
	*empty = json_is_true(json_object_get(doc, "empty"));
	if (*empty) {
		found = 1;
	} else if (!descriptor_parse(json_object_get(doc, "layer"), &d, NULL) &&
		   !digest_parse(doc_text(doc, "diff_id"), &diff_id, NULL) &&
		   blob_stat(b->store, &d.digest, NULL) &&
		   !layer_ensure(b->store, &d, &diff_id, NULL)) {
		st->layers[st->nlayers] = d;
		st->diff_ids[st->nlayers++] = diff_id;
		found = 1;
	}
	json_decref(doc);
	/* Its layer was pruned. */
	if (!found)
		unlinkat(b->store->fd, path, 0);
	return found;
}

void cache_keep(struct build *b, const struct stage *st, bool empty)
{
	char path[100], tmp[100], *text;
	size_t len;
	json_t *doc = empty ? json_pack("{s:b}", "empty", 1)
			    : json_pack("{s:o, s:s}", "layer",
					descriptor_json(&st->layers[st->nlayers - 1]), "diff_id",
					st->diff_ids[st->nlayers - 1].s);
	int fd;

	cache_path(st, path);
	if (!doc || doc_print(doc, &text, &len, NULL)) {
		json_decref(doc);
		return;
	}
	json_decref(doc);
	fd = store_temp_file(b->store, tmp, NULL);
	/* Only a cache: what cannot be kept is made again. */
	if (fd >= 0 && (write(fd, text, len) != (ssize_t)len ||
			renameat(b->store->fd, tmp, b->store->fd, path)))
		unlinkat(b->store->fd, tmp, 0);
	if (fd >= 0)
		close(fd);
	free(text);
}

/* ---- hull commit ---- */

int stage_load(struct image_store *s, const struct image *base, struct stage *st, struct err *e)
{
	struct descriptor at = {0};
	struct manifest m;
	char *data;
	size_t len;
	int ret = digest_parse(base->manifest, &at.digest, e);

	ret = ret ? ret : blob_read(s, &at.digest, &data, &len, e);
	if (ret)
		return ret;
	ret = manifest_parse(base->manifest, data, len, "", &m, e);
	free(data);
	if (ret)
		return ret;
	for (; !ret && st->nlayers < m.nitems; st->nlayers++) {
		st->layers[st->nlayers] = m.items[st->nlayers];
		ret = digest_parse(base->diff_ids[st->nlayers], &st->diff_ids[st->nlayers], e);
	}
	ret = ret ? ret : blob_read(s, &m.config.digest, &data, &len, e);
	if (!ret) {
		ret = doc_parse(m.config.digest.s, data, len, &st->config, e);
		free(data);
	}
	manifest_fini(&m);
	return ret;
}

static int apply_changes(struct stage *st, const char *const *changes, struct err *e)
{
	int ret = 0;

	st->args = json_object();
	for (; !ret && changes && *changes; changes++) {
		struct containerfile f;

		ret = containerfile_parse(*changes, strlen(*changes), &f, e);
		for (unsigned i = 0; !ret && i < f.n; i++) {
			ret = config_instruction(st, &f.v[i], f.escape, e);
			if (!ret)
				ret = err_set(e, EINVAL, "%s cannot change a config", f.v[i].name);
			ret = ret < 0 ? err_wrap(e, "change \"%.60s\"", *changes) : 0;
		}
		containerfile_free(&f);
	}
	return ret;
}

static int commit_stage(struct image_store *s, struct stage *st, const char *upper,
			const char *name, const char *comment, char *id, struct err *e)
{
	struct descriptor d;
	struct digest cid;
	char full[IMAGE_NAME_MAX];
	struct ref r;
	bool empty = true;
	int ret = name ? ref_parse(name, &r, e) : 0;

	ret = ret || !name ? ret : ref_format(&r, full, e);
	if (!ret && st->nlayers == IMAGE_MAX_LAYERS)
		ret = err_set(e, EFBIG, "more than %u layers", IMAGE_MAX_LAYERS);
	ret = ret ? ret
		  : step_from_upper(s, upper, &st->layers[st->nlayers], &st->diff_ids[st->nlayers],
				    &empty, e);
	if (!ret && !empty)
		st->nlayers++;
	ret = ret ? ret : stage_history(st, comment ? comment : "hull commit", empty, e);
	ret = ret ? ret
		  : compose_image(s, st->config, st->layers, st->diff_ids, st->nlayers, &d, &cid,
				  e);
	if (!ret && !name)
		snprintf(full, sizeof(full), "localhost/committed@%s", d.digest.s);
	ret = ret ? ret : index_tag(s, full, &d, e);
	snprintf(id, IMAGE_DIGEST_MAX, "%s", ret ? "" : cid.s);
	return ret;
}

int image_commit(struct image_store *s, const struct image *base, const char *upper,
		 const char *name, const char *const *changes, const char *comment, char *id,
		 struct err *e)
{
	struct stage *st = calloc(1, sizeof(*st));
	int ret;

	if (!st)
		return err_set(e, ENOMEM, "no memory");
	ret = stage_load(s, base, st, e);
	ret = ret ? ret : apply_changes(st, changes, e);
	ret = ret ? ret : commit_stage(s, st, upper, name, comment, id, e);
	json_decref(st->config);
	json_decref(st->args);
	free(st);
	return ret;
}
