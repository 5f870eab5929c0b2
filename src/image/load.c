/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull load` and `hull import` (image/transfer.h). An OCI layout goes through
 * fetch.c like a registry does; a docker-archive (manifest.json with plain tar
 * layers) gets a manifest of its own.
 */
#include "image/transfer.h"

#include "image/fetch.h"
#include "image/pack.h"
#include "image/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct load {
	struct image_store *store;
	struct pack *pack;
	const char *name; /* wanted, canonical; NULL: all */
	bool quiet;
	image_loaded_fn *loaded;
	void *opaque;
	unsigned nloaded;
};

/* The canonical form of a name, or NULL for what is none ("latest" of an OCI layout is a tag only).
 */
static bool canonical(const char *text, char *out)
{
	struct ref r;

	return *text && !ref_parse(text, &r, NULL) && !ref_format(&r, out, NULL);
}

/* name: empty for an image that the source does not name. */
static int give_name(struct load *l, const struct descriptor *d, const char *name, struct err *e)
{
	struct descriptor plain = *d;
	char given[IMAGE_NAME_MAX];
	int ret = 0;

	if (l->name && !*name)
		name = l->name;
	if (!*name) {
		/* Without a name prune would take it; its digest under localhost is one. */
		snprintf(given, sizeof(given), "localhost/loaded@%s", d->digest.s);
		name = given;
	}
	plain.name[0] = 0;
	ret = index_tag(l->store, name, &plain, e);
	l->nloaded++;
	if (!ret && l->loaded)
		l->loaded(l->opaque, name);
	return ret;
}

/* ---- OCI layout ---- */

static int oci_document(void *opaque, const struct descriptor *d, char **data, size_t *len,
			struct err *e)
{
	struct load *l = opaque;
	char path[100];

	blob_path(&d->digest, path);
	return pack_read(l->pack, path, data, len, e);
}

static int oci_blob(void *opaque, const struct descriptor *d, u64 from, const struct fetch_sink *to,
		    struct err *e)
{
	struct load *l = opaque;
	struct pack_file pf;
	struct file_source f = {0};
	struct source src;
	const u8 *p = NULL;
	char path[100];
	ssize_t n = 0;
	int ret;

	blob_path(&d->digest, path);
	ret = pack_find(l->pack, path, &pf, e);
	if (ret)
		return ret;
	ret = file_source_init(&f, pf.fd, pf.at + from, pf.size > from ? pf.size - from : 0, path,
			       &src, e);
	while (!ret && (n = src.next(src.opaque, &p, e)) > 0)
		ret = to->push(to->opaque, p, (size_t)n, e);
	file_source_fini(&f);
	close(pf.fd);
	return n < 0 ? (int)n : ret;
}

static int load_oci_entry(struct load *l, const struct descriptor *d, const char *name,
			  struct err *e)
{
	static const struct fetch_ops ops = {
		.document = oci_document, .blob = oci_blob, .parallel = 2};
	char what[80];
	const struct fetch_options o = {.all = true, .quiet = l->quiet, .what = what};
	int ret;

	snprintf(what, sizeof(what), "loading %.60s", *name ? name : d->digest.s);
	ret = fetch_image(l->store, &ops, l, d, &o, e);
	return ret ? ret : give_name(l, d, name, e);
}

/* Annotations name an entry: by a full name (io.containerd.image.name too) or by a tag alone. */
static void entry_name(const json_t *o, const struct load *l, char *name)
{
	const json_t *a = json_object_get(o, "annotations");
	const char *full = doc_text(a, "io.containerd.image.name"),
		   *ref = doc_text(a, ANNOTATION_REF);

	name[0] = 0;
	if (canonical(full, name))
		return;
	if (strpbrk(ref, "/:") && canonical(ref, name))
		return;
	name[0] = 0;
	if (*ref && !l->name) {
		char text[IMAGE_NAME_MAX];

		snprintf(text, sizeof(text), "localhost/loaded:%.128s", ref);
		if (!canonical(text, name))
			name[0] = 0;
	}
}

static int load_oci(struct load *l, const char *index, size_t len, struct err *e)
{
	json_t *doc, *o;
	size_t i;
	int ret = doc_parse("index.json", index, len, &doc, e);

	if (ret)
		return ret;
	if (json_array_size(json_object_get(doc, "manifests")) > MANIFEST_MAX_ITEMS)
		ret = err_set(e, EFBIG, "index.json: too many images");
	json_array_foreach(json_object_get(doc, "manifests"), i, o)
	{
		struct descriptor d;
		char name[IMAGE_NAME_MAX];

		if (ret || (ret = descriptor_parse(o, &d, e)))
			break;
		entry_name(o, l, name);
		if (!l->name || !*name || !strcmp(l->name, name))
			ret = load_oci_entry(l, &d, name, e);
	}
	json_decref(doc);
	return ret;
}

/* ---- docker-archive ---- */

static int docker_layer(struct load *l, const char *path, const char *diff_id,
			struct descriptor *out, struct digest *id, struct err *e)
{
	struct layer_want want = {.diff_id = id};
	struct file_source f = {0};
	struct source from;
	struct pack_file pf;
	int ret = digest_parse(diff_id, id, e);

	if (!ret)
		ret = pack_find(l->pack, path, &pf, e);
	if (ret)
		return ret;
	ret = file_source_init(&f, pf.fd, pf.at, pf.size, path, &from, e);
	if (!ret)
		ret = layer_from_source(l->store, &want, &from, out, NULL, e);
	file_source_fini(&f);
	close(pf.fd);
	return ret ? err_wrap(e, "layer %.80s", path) : 0;
}

static int docker_layers(struct load *l, const json_t *paths, const struct image *im,
			 struct descriptor *layers, struct digest *ids, struct err *e)
{
	int ret = 0;

	if (json_array_size(paths) != im->nlayers)
		return err_set(e, EBADMSG, "%zu layers in manifest.json, %u in the config",
			       json_array_size(paths), im->nlayers);
	for (unsigned i = 0; !ret && i < im->nlayers; i++) {
		const char *path = json_string_value(json_array_get(paths, i));

		if (!path)
			return err_set(e, EINVAL, "manifest.json: a layer is no file name");
		ret = docker_layer(l, path, im->diff_ids[i], &layers[i], &ids[i], e);
	}
	return ret;
}

static int docker_names(struct load *l, const json_t *tags, const struct descriptor *d,
			struct err *e)
{
	char name[IMAGE_NAME_MAX];
	const json_t *t;
	size_t i;
	int ret = 0;

	if (!json_array_size(tags))
		return give_name(l, d, "", e);
	json_array_foreach(tags, i, t)
	{
		const char *text = json_string_value(t);

		if (!text || !canonical(text, name))
			return err_set(e, EINVAL, "manifest.json: %.80s is no image name",
				       text ? text : "(no text)");
		if (!ret && (!l->name || !strcmp(l->name, name)))
			ret = give_name(l, d, name, e);
	}
	return ret;
}

static int docker_compose(struct load *l, const json_t *o, const char *config, size_t len,
			  struct descriptor *out, struct err *e)
{
	struct image *im = calloc(1, sizeof(*im));
	struct descriptor *layers = NULL, d = {.media = MEDIA_CONFIG, .size = len};
	struct digest *ids = NULL;
	int ret;

	if (!im)
		return err_set(e, ENOMEM, "no memory");
	ret = config_parse("config", config, len, im, e);
	if (!ret) {
		layers = calloc(im->nlayers + 1, sizeof(*layers));
		ids = calloc(im->nlayers + 1, sizeof(*ids));
		if (!layers || !ids)
			ret = err_set(e, ENOMEM, "no memory");
	}
	if (!ret)
		ret = docker_layers(l, json_object_get(o, "Layers"), im, layers, ids, e);
	if (!ret)
		ret = blob_put(l->store, config, len, &d.digest, e);
	if (!ret)
		ret = compose_manifest(l->store, &d, layers, im->nlayers, out, e);
	free(layers);
	free(ids);
	image_free(im);
	return ret;
}

static bool docker_wanted(const struct load *l, const json_t *tags)
{
	char name[IMAGE_NAME_MAX];
	const json_t *t;
	size_t i;

	if (!l->name || !json_array_size(tags))
		return true;
	json_array_foreach(tags, i, t) if (json_string_value(t) &&
					   canonical(json_string_value(t), name) &&
					   !strcmp(name, l->name)) return true;
	return false;
}

static int docker_image(struct load *l, const json_t *o, struct err *e)
{
	struct descriptor d;
	char *config;
	size_t len;
	int ret;

	if (!docker_wanted(l, json_object_get(o, "RepoTags")))
		return 0;
	ret = pack_read(l->pack, doc_text(o, "Config"), &config, &len, e);
	if (ret)
		return err_wrap(e, "config");
	ret = docker_compose(l, o, config, len, &d, e);
	free(config);
	return ret ? ret : docker_names(l, json_object_get(o, "RepoTags"), &d, e);
}

/* manifest.json is an array, which doc_parse would refuse: wrap it. */
static int load_docker(struct load *l, const char *list, size_t len, struct err *e)
{
	char *text = malloc(len + 16);
	json_t *doc, *o;
	size_t i;
	int n, ret;

	if (!text)
		return err_set(e, ENOMEM, "no memory");
	n = snprintf(text, len + 16, "{\"list\":%.*s}", (int)len, list);
	ret = doc_parse("manifest.json", text, (size_t)n, &doc, e);
	free(text);
	if (ret)
		return ret;
	json_array_foreach(json_object_get(doc, "list"), i, o)
	{
		ret = docker_image(l, o, e);
		if (ret)
			break;
	}
	json_decref(doc);
	return ret;
}

/* ---- both ---- */

static int load_pack(struct load *l, struct err *e)
{
	char *text;
	size_t len;
	int ret = pack_read(l->pack, "manifest.json", &text, &len, NULL);
	bool docker = !ret;

	/* Newer docker archives are OCI layouts too; their index says less about names. */
	if (ret)
		ret = pack_read(l->pack, "index.json", &text, &len, NULL);
	if (ret)
		return err_set(
			e, ENOEXEC,
			"neither a docker-archive nor an OCI layout: no manifest.json and no "
			"index.json (a root file system goes by `hull import`)");
	ret = docker ? load_docker(l, text, len, e) : load_oci(l, text, len, e);
	free(text);
	if (!ret && !l->nloaded)
		ret = l->name ? err_set(e, ENOENT, "no image named %s in it", l->name)
			      : err_set(e, ENOENT, "there is no image in it");
	return ret;
}

int image_load(struct image_store *s, const char *path, const char *name, bool quiet,
	       image_loaded_fn *loaded, void *opaque, struct err *e)
{
	struct load l = {.store = s, .quiet = quiet, .loaded = loaded, .opaque = opaque};
	char wanted[IMAGE_NAME_MAX];
	struct ref r;
	int ret = 0;

	if (name) {
		ret = ref_parse(name, &r, e);
		if (!ret)
			ret = ref_format(&r, wanted, e);
		l.name = wanted;
	}
	if (!ret)
		ret = pack_open(s, path, &l.pack, e);
	if (ret)
		return ret;
	ret = load_pack(&l, e);
	pack_close(l.pack);
	return ret ? err_wrap(e, "%s", path) : 0;
}

/* ---- import ---- */

static json_t *import_config(const struct image_platform *p)
{
	char now[40];

	compose_time(now);
	return json_pack("{s:s, s:s, s:s, s:s*, s:{}, s:[{s:s, s:s}]}", "created", now,
			 "architecture", p->arch, "os", p->os, "variant",
			 p->variant[0] ? p->variant : NULL, "config", "history", "created", now,
			 "created_by", "hull import");
}

static int import_layer(struct image_store *s, const char *path, struct descriptor *layer,
			struct digest *diff_id, struct err *e)
{
	const struct layer_want want = {.plain_names = true};
	int ret, fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	struct pipe_source ps;
	struct source from;

	if (fd < 0)
		return err_errno(e, "%s", path);
	ret = pipe_source_init(&ps, fd, path, &from, e);
	if (!ret)
		ret = layer_from_source(s, &want, &from, layer, diff_id, e);
	pipe_source_fini(&ps);
	close(fd);
	return ret ? err_wrap(e, "%s", path) : 0;
}

int image_import(struct image_store *s, const char *path, const char *name,
		 const struct image_platform *platform, char *id, struct err *e)
{
	struct image_platform host;
	struct descriptor layer, d;
	char full[IMAGE_NAME_MAX];
	struct digest diff_id, cid;
	struct ref r;
	json_t *config;
	int ret = ref_parse(name, &r, e);

	ret = ret ? ret : ref_format(&r, full, e);
	if (!ret && r.digest.s[0])
		ret = err_set(e, EINVAL, "%s: a digest cannot be given to a new image", name);
	if (!ret)
		ret = import_layer(s, path, &layer, &diff_id, e);
	if (ret)
		return ret;
	image_platform_host(&host);
	config = import_config(platform ? platform : &host);
	ret = config ? compose_image(s, config, &layer, &diff_id, 1, &d, &cid, e)
		     : err_set(e, ENOMEM, "no memory");
	json_decref(config);
	if (!ret)
		ret = index_tag(s, full, &d, e);
	snprintf(id, IMAGE_DIGEST_MAX, "%s", ret ? "" : cid.s);
	return ret;
}
