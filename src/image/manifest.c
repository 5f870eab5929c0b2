/* SPDX-License-Identifier: Apache-2.0 */
#include "image/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* No blob is larger; keeps sums of sizes from overflowing. */
#define BLOB_MAX (1ULL << 50)

static bool any_of(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(s, *list))
			return true;
	return false;
}

bool media_is_index(const char *media)
{
	return any_of(media, (const char *const[]){MEDIA_INDEX, MEDIA_DOCKER_LIST, NULL});
}

bool media_is_manifest(const char *media)
{
	return any_of(media, (const char *const[]){MEDIA_MANIFEST, MEDIA_DOCKER_MANIFEST, NULL});
}

bool media_is_layer(const char *media)
{
	return any_of(media, (const char *const[]){
				     MEDIA_LAYER, MEDIA_LAYER_GZIP, MEDIA_LAYER_ZSTD,
				     "application/vnd.docker.image.rootfs.diff.tar",
				     "application/vnd.docker.image.rootfs.diff.tar.gzip",
				     "application/vnd.docker.image.rootfs.diff.tar.zstd", NULL});
}

static int parse_platform(const json_t *o, struct image_platform *p, struct err *e)
{
	int ret;

	*p = (struct image_platform){0};
	if (!json_is_object(o))
		return 0;
	ret = doc_copy("os", doc_text(o, "os"), p->os, sizeof(p->os), e);
	if (!ret)
		ret = doc_copy("architecture", doc_text(o, "architecture"), p->arch,
			       sizeof(p->arch), e);
	if (!ret)
		ret = doc_copy("variant", doc_text(o, "variant"), p->variant, sizeof(p->variant),
			       e);
	return ret;
}

int descriptor_parse(const json_t *o, struct descriptor *out, struct err *e)
{
	const json_t *size = json_object_get(o, "size");
	const char *name = doc_text(json_object_get(o, "annotations"), ANNOTATION_REF);
	int ret;

	*out = (struct descriptor){0};
	if (!json_is_object(o))
		return err_set(e, EINVAL, "a descriptor is no object");
	ret = digest_parse(json_string_value(json_object_get(o, "digest")), &out->digest, e);
	if (ret)
		return ret;
	if (!json_is_integer(size) || json_integer_value(size) < 0 ||
	    json_integer_value(size) > (json_int_t)BLOB_MAX)
		return err_set(e, EINVAL, "%s: bad or missing size", out->digest.s);
	out->size = (u64)json_integer_value(size);
	ret = doc_copy("mediaType", doc_text(o, "mediaType"), out->media, sizeof(out->media), e);
	if (!ret)
		ret = parse_platform(json_object_get(o, "platform"), &out->platform, e);
	if (!ret && strlen(name) < sizeof(out->name))
		memcpy(out->name, name, strlen(name) + 1);
	return ret;
}

json_t *descriptor_json(const struct descriptor *d)
{
	json_t *o = json_pack("{s:s, s:s, s:I}", "mediaType", d->media, "digest", d->digest.s,
			      "size", (json_int_t)d->size);

	if (o && d->platform.os[0])
		json_object_set_new(o, "platform",
				    json_pack("{s:s, s:s, s:s*}", "os", d->platform.os,
					      "architecture", d->platform.arch, "variant",
					      d->platform.variant[0] ? d->platform.variant : NULL));
	if (o && d->name[0])
		json_object_set_new(o, "annotations", json_pack("{s:s}", ANNOTATION_REF, d->name));
	return o;
}

/* ---- manifest and index ---- */

static int parse_items(const json_t *a, unsigned max, struct manifest *m, struct err *e)
{
	size_t n = json_array_size(a);

	if (!json_is_array(a))
		return err_set(e, EINVAL, "%s",
			       m->is_index ? "no list of manifests" : "no list of layers");
	if (n > max)
		return err_set(e, EFBIG, "%zu %s, more than %u", n,
			       m->is_index ? "manifests" : "layers", max);
	m->items = calloc(n + 1, sizeof(*m->items));
	if (!m->items) {
		err_set(e, ENOMEM, "no memory");
		return -ENOMEM;
	}
	for (; m->nitems < n; m->nitems++) {
		int ret = descriptor_parse(json_array_get(a, m->nitems), &m->items[m->nitems], e);

		if (ret)
			return ret;
	}
	return 0;
}

static int check_layers(const struct manifest *m, struct err *e)
{
	for (unsigned i = 0; i < m->nitems; i++) {
		const char *media = m->items[i].media;

		if (strstr(media, "nondistributable") || strstr(media, "foreign"))
			return err_set(e, EOPNOTSUPP,
				       "layer %u is not distributed with the image (%s)", i, media);
		if (!media_is_layer(media))
			return err_set(
				e, EOPNOTSUPP,
				"layer %u is of the unknown type %s: this is no image to run", i,
				media);
	}
	return 0;
}

static int parse_manifest(const json_t *o, struct manifest *m, struct err *e)
{
	int ret;

	if (doc_uint(o, "schemaVersion") != 2)
		return err_set(e, EOPNOTSUPP,
			       "not of schema version 2 (images of before 2017 must be converted, "
			       "by skopeo for instance)");
	ret = doc_copy("mediaType", doc_text(o, "mediaType"), m->media, sizeof(m->media), e);
	if (ret)
		return ret;
	m->is_index = media_is_index(m->media) ||
		      (!media_is_manifest(m->media) && json_object_get(o, "manifests"));
	if (m->is_index) {
		if (json_object_get(o, "layers"))
			return err_set(e, EINVAL, "both an index and a manifest");
		return parse_items(json_object_get(o, "manifests"), MANIFEST_MAX_ITEMS, m, e);
	}
	if (json_object_get(o, "manifests"))
		return err_set(e, EINVAL, "both an index and a manifest");
	ret = descriptor_parse(json_object_get(o, "config"), &m->config, e);
	if (ret)
		return err_wrap(e, "config");
	ret = parse_items(json_object_get(o, "layers"), IMAGE_MAX_LAYERS, m, e);
	return ret ? ret : check_layers(m, e);
}

int manifest_parse(const char *what, const void *data, size_t len, const char *media,
		   struct manifest *out, struct err *e)
{
	json_t *doc;
	int ret;

	*out = (struct manifest){0};
	ret = doc_parse(what, data, len, &doc, e);
	if (ret)
		return ret;
	ret = parse_manifest(doc, out, e);
	json_decref(doc);
	if (!ret && media && *media && media_is_index(media) != out->is_index &&
	    (media_is_index(media) || media_is_manifest(media)))
		ret = err_set(e, EINVAL, "is not what its reference says (%s)", media);
	if (!ret && !out->media[0])
		snprintf(out->media, sizeof(out->media), "%s",
			 out->is_index ? MEDIA_INDEX : MEDIA_MANIFEST);
	if (!ret)
		return 0;
	manifest_fini(out);
	return err_wrap(e, "%s", what);
}

void manifest_fini(struct manifest *m)
{
	free(m->items);
	*m = (struct manifest){0};
}

int chain_id(char *const *diff_ids, unsigned n, struct digest *out, struct err *e)
{
	char text[2 * sizeof(out->s)];
	int ret = 0;

	snprintf(out->s, sizeof(out->s), "%s", n ? diff_ids[0] : "");
	if (!n)
		snprintf(out->s, sizeof(out->s), "sha256:%064d", 0);
	for (unsigned i = 1; !ret && i < n; i++) {
		snprintf(text, sizeof(text), "%s %s", out->s, diff_ids[i]);
		ret = digest_of(text, strlen(text), out, e);
	}
	return ret;
}
