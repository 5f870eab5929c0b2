/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the store (image/store.h): index.json, and finding the image a
 * reference means.
 */
#include "image/store.h"

#include "image/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- index.json ---- */

static int read_doc(const struct image_store *s, json_t **out, struct err *e)
{
	char path[PATHS_MAX];
	struct file_map f = {0};
	int ret;

	*out = NULL;
	if (s->fd < 0)
		return 0;
	ret = paths_format(path, e, "/proc/self/fd/%d/index.json", s->fd);
	if (ret)
		return ret;
	if (faccessat(s->fd, "index.json", F_OK, 0) && errno == ENOENT)
		return 0;
	ret = file_map_open("image index", path, &f, e);
	if (!ret)
		ret = doc_parse("index.json", f.data, f.size, out, e);
	file_map_close(&f);
	return ret ? err_wrap(e, "image store %s", s->dir) : 0;
}

static int parse_entries(const json_t *doc, struct index_entries *out, struct err *e)
{
	const json_t *a = json_object_get(doc, "manifests");
	size_t n = json_array_size(a);

	out->v = calloc(n + 1, sizeof(*out->v));
	if (!out->v)
		return err_set(e, ENOMEM, "no memory");
	for (size_t i = 0; i < n; i++) {
		int ret = descriptor_parse(json_array_get(a, i), &out->v[out->n], e);

		if (ret)
			return ret;
		out->n++;
	}
	return 0;
}

int index_load(const struct image_store *s, struct index_entries *out, struct err *e)
{
	json_t *doc;
	int ret;

	*out = (struct index_entries){0};
	ret = read_doc(s, &doc, e);
	if (ret)
		return ret;
	ret = parse_entries(doc, out, e);
	json_decref(doc);
	if (ret)
		index_free(out);
	return ret;
}

void index_free(struct index_entries *x)
{
	free(x->v);
	*x = (struct index_entries){0};
}

static int write_doc(const struct image_store *s, const json_t *doc, struct err *e)
{
	char tmp[100], *text;
	size_t len;
	int fd, ret = doc_print(doc, &text, &len, e);

	if (ret)
		return ret;
	fd = store_temp_file(s, tmp, e);
	if (fd < 0) {
		free(text);
		return fd;
	}
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) ||
	    renameat(s->fd, tmp, s->fd, "index.json"))
		ret = store_io_error(s, "cannot write index.json", e);
	close(fd);
	free(text);
	if (ret)
		unlinkat(s->fd, tmp, 0);
	return ret;
}

/* Removes the entry of that name; true if there was one. */
static bool drop_name(json_t *array, const char *name)
{
	size_t i;
	json_t *o;

	json_array_foreach(array, i, o)
	{
		if (strcmp(doc_text(json_object_get(o, "annotations"), ANNOTATION_REF), name))
			continue;
		json_array_remove(array, i);
		return true;
	}
	return false;
}

/* With index.lock held. d NULL: only remove. */
static int change(const struct image_store *s, const char *name, const struct descriptor *d,
		  struct err *e)
{
	json_t *doc, *array;
	bool had;
	int ret = read_doc(s, &doc, e);

	if (!ret && !doc)
		doc = json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", MEDIA_INDEX,
				"manifests");
	if (ret)
		return ret;
	array = json_object_get(doc, "manifests");
	had = drop_name(array, name);
	if (d) {
		struct descriptor named = *d;

		snprintf(named.name, sizeof(named.name), "%s", name);
		json_array_append_new(array, descriptor_json(&named));
	}
	if (!d && !had)
		ret = err_set(e, ENOENT, "no image named %s: see `hull images`", name);
	else
		ret = write_doc(s, doc, e);
	json_decref(doc);
	return ret;
}

static int locked_change(const struct image_store *s, const char *name, const struct descriptor *d,
			 struct err *e)
{
	int ret, fd = openat(s->fd, "index.lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || flock(fd, LOCK_EX)) {
		ret = store_io_error(s, "cannot lock the index", e);
		if (fd >= 0)
			close(fd);
		return ret;
	}
	ret = change(s, name, d, e);
	close(fd);
	return ret;
}

int index_tag(const struct image_store *s, const char *name, const struct descriptor *d,
	      struct err *e)
{
	return locked_change(s, name, d, e);
}

int index_untag(const struct image_store *s, const char *name, struct err *e)
{
	return locked_change(s, name, NULL, e);
}

/* ---- walking ---- */

struct walk {
	const struct image_store *s;
	int (*fn)(void *opaque, const struct descriptor *at, const struct manifest *m);
	void *opaque;
};

static int load_manifest(const struct image_store *s, const struct descriptor *d,
			 struct manifest *m, struct err *e)
{
	char *data;
	size_t len;
	int ret = blob_read(s, &d->digest, &data, &len, e);

	if (ret)
		return ret;
	ret = manifest_parse(d->digest.s, data, len, d->media, m, e);
	free(data);
	return ret;
}

static int walk_one(struct walk *w, const struct descriptor *d, unsigned depth, struct err *e)
{
	struct manifest m;
	int ret;

	if (depth > MANIFEST_MAX_DEPTH)
		return err_set(e, ELOOP, "%s: indexes nested more than %u deep", d->digest.s,
			       MANIFEST_MAX_DEPTH);
	if (!blob_stat(w->s, &d->digest, NULL))
		return 0;
	/* Entries of an index that are no images (attestations, artefacts) are not ours. */
	if (depth && !media_is_index(d->media) && !media_is_manifest(d->media))
		return 0;
	ret = load_manifest(w->s, d, &m, e);
	if (ret)
		return ret;
	if (!m.is_index)
		ret = w->fn(w->opaque, d, &m);
	for (unsigned i = 0; !ret && m.is_index && i < m.nitems; i++)
		ret = walk_one(w, &m.items[i], depth + 1, e);
	manifest_fini(&m);
	return ret;
}

int store_each_manifest(const struct image_store *s, const struct descriptor *d,
			int (*fn)(void *opaque, const struct descriptor *at,
				  const struct manifest *m),
			void *opaque, struct err *e)
{
	struct walk w = {.s = s, .fn = fn, .opaque = opaque};

	return walk_one(&w, d, 0, e);
}

/* Only the entries whose manifest is stored, so that the choice is among them. */
static void keep_stored(const struct image_store *s, struct manifest *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->nitems; i++)
		if (blob_stat(s, &m->items[i].digest, NULL))
			m->items[n++] = m->items[i];
	m->nitems = n;
}

int store_manifest(const struct image_store *s, const struct descriptor *d,
		   const struct image_platform *want, struct descriptor *at, struct manifest *out,
		   struct err *e)
{
	struct image_platform host;
	int ret;

	image_platform_host(&host);
	*at = *d;
	for (unsigned depth = 0; depth <= MANIFEST_MAX_DEPTH; depth++) {
		ret = load_manifest(s, at, out, e);
		if (ret || !out->is_index)
			return ret;
		keep_stored(s, out);
		ret = manifest_choose(out, want ? want : &host, e);
		if (ret >= 0)
			*at = out->items[ret];
		manifest_fini(out);
		if (ret < 0)
			return ret;
	}
	return err_set(e, ELOOP, "%s: indexes nested more than %u deep", d->digest.s,
		       MANIFEST_MAX_DEPTH);
}

/* ---- finding ---- */

/* What by_digest and by_id look for among all manifests of all names. */
struct search {
	const char *id;		     /* start of a config or manifest digest, or NULL */
	const struct digest *digest; /* of a manifest, or NULL */
	struct descriptor found;
	unsigned nfound;
};

static int search_one(void *opaque, const struct descriptor *at, const struct manifest *m)
{
	struct search *q = opaque;
	bool hit = q->digest ? digest_equal(&at->digest, q->digest)
			     : !strncmp(digest_hex(&m->config.digest), q->id, strlen(q->id)) ||
				       !strncmp(digest_hex(&at->digest), q->id, strlen(q->id));

	if (!hit || (q->nfound && digest_equal(&q->found.digest, &at->digest)))
		return 0;
	q->found = *at;
	q->nfound++;
	return 0;
}

bool store_holds(const struct image_store *s, const struct descriptor *d,
		 const struct digest *manifest)
{
	struct search q = {.digest = manifest};

	if (digest_equal(&d->digest, manifest))
		return true;
	store_each_manifest(s, d, search_one, &q, NULL);
	return q.nfound;
}

/* path: "registry/path" a name must have, or NULL. */
static int search_all(const struct image_store *s, const struct index_entries *x, const char *path,
		      struct search *q, struct err *e)
{
	for (unsigned i = 0; i < x->n; i++) {
		size_t n = path ? strlen(path) : 0;
		int ret;

		if (path && (strncmp(x->v[i].name, path, n) || !strchr(":@", x->v[i].name[n])))
			continue;
		if (q->digest && digest_equal(&x->v[i].digest, q->digest)) {
			q->found = x->v[i];
			q->nfound = 1;
			return 0;
		}
		ret = store_each_manifest(s, &x->v[i], search_one, q, e);
		if (ret)
			return ret;
	}
	return 0;
}

static const struct descriptor *entry_named(const struct index_entries *x, const char *name)
{
	for (unsigned i = 0; i < x->n; i++)
		if (!strcmp(x->v[i].name, name))
			return &x->v[i];
	return NULL;
}

static int find_named(const struct image_store *s, const struct index_entries *x,
		      const struct ref *r, struct descriptor *out, struct err *e)
{
	char name[IMAGE_NAME_MAX], path[640];
	const struct descriptor *d;
	struct search q = {.digest = &r->digest};
	int ret = ref_format(r, name, e);

	if (ret)
		return ret;
	d = entry_named(x, name);
	if (!d && r->short_name && !r->digest.s[0]) {
		const char *base = !strncmp(r->path, "library/", 8) ? r->path + 8 : r->path;

		snprintf(path, sizeof(path), "localhost/%s:%s", base, r->tag);
		d = entry_named(x, path);
	}
	if (d) {
		*out = *d;
		return 0;
	}
	if (r->digest.s[0]) {
		snprintf(path, sizeof(path), "%s/%s", r->registry, r->path);
		ret = search_all(s, x, path, &q, e);
		if (ret)
			return ret;
		*out = q.found;
		out->name[0] = 0;
	}
	return q.nfound ? 0 : -ENOENT;
}

static int find_id(const struct image_store *s, const struct index_entries *x, const char *id,
		   struct descriptor *out, struct err *e)
{
	struct search q = {.id = id};
	int ret = search_all(s, x, NULL, &q, e);

	if (ret)
		return ret;
	if (q.nfound > 1)
		return err_set(e, EINVAL, "ID %s fits several images: give more of it", id);
	*out = q.found;
	out->name[0] = 0;
	return q.nfound ? 0 : -ENOENT;
}

static int find(const struct image_store *s, const struct index_entries *x, const char *text,
		struct descriptor *out, struct err *e)
{
	const char *id = !strncmp(text, "sha256:", DIGEST_PREFIX) ? text + DIGEST_PREFIX : text;
	struct ref r;
	int ret = -ENOENT;

	if (id == text) {
		ret = ref_parse(text, &r, e);
		if (!ret)
			ret = find_named(s, x, &r, out, e);
	}
	if (ret == -ENOENT && ref_is_id(id))
		ret = find_id(s, x, id, out, e);
	if (ret == -ENOENT)
		return err_set(e, ENOENT,
			       "no image %s here: `hull images` lists what there is, `hull pull` "
			       "fetches",
			       text);
	return ret;
}

int store_find(const struct image_store *s, const char *ref, struct descriptor *out, struct err *e)
{
	struct index_entries x;
	int ret = index_load(s, &x, e);

	if (ret)
		return ret;
	ret = find(s, &x, ref, out, e);
	index_free(&x);
	return ret;
}
