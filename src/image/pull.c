/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull pull` (image/transfer.h): the root document by tag or digest, the rest
 * through fetch.c.
 */
#include "image/fetch.h"
#include "image/registry.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PARALLEL 4u

static const char accept_all[] =
	MEDIA_INDEX ", " MEDIA_MANIFEST ", " MEDIA_DOCKER_LIST ", " MEDIA_DOCKER_MANIFEST;

struct pull {
	struct registry *g;
	struct descriptor root;
	char *data; /* of the root, until it is asked for */
	size_t len;
};

/* ---- the other way than fetch.c: documents ---- */

static int get_manifest(struct registry *g, const char *by, struct http_reply *r, struct err *e)
{
	struct http_request q = {.method = "GET", .accept = accept_all};
	char path[300], what[400];
	int ret;

	snprintf(path, sizeof(path), "manifests/%s", by);
	ret = registry_do(g, &q, path, NULL, r, e);
	if (!ret && r->status != 200) {
		snprintf(what, sizeof(what), "has no image to give as %s", by);
		ret = registry_error(g, what, r, e);
	}
	if (!ret && strstr(r->type, "manifest.v1"))
		ret = strstr(r->type, "docker.distribution.manifest.v1")
			      ? err_set(e, EOPNOTSUPP,
					"the registry has it in the format of before 2017 only "
					"(schema 1)")
			      : 0;
	return ret;
}

static int take_body(struct http_reply *r, char **data, size_t *len, struct err *e)
{
	if (!r->body)
		return err_set(e, EBADMSG, "the registry gave an empty document");
	if (r->len > DOC_MAX)
		return err_set(e, EFBIG, "the registry gave more than %u MiB for a manifest",
			       (unsigned)(DOC_MAX >> 20));
	*data = r->body;
	*len = r->len;
	r->body = NULL;
	return 0;
}

static int pull_document(void *opaque, const struct descriptor *d, char **data, size_t *len,
			 struct err *e)
{
	struct pull *p = opaque;
	struct http_request q = {.method = "GET"};
	struct http_reply r;
	char path[100];
	int ret;

	if (p->data && digest_equal(&d->digest, &p->root.digest)) {
		*data = p->data;
		*len = p->len;
		p->data = NULL;
		return 0;
	}
	if (media_is_index(d->media) || media_is_manifest(d->media)) {
		ret = get_manifest(p->g, d->digest.s, &r, e);
	} else {
		snprintf(path, sizeof(path), "blobs/%s", d->digest.s);
		ret = registry_do(p->g, &q, path, NULL, &r, e);
		if (!ret && r.status != 200)
			ret = registry_error(p->g, d->digest.s, &r, e);
	}
	if (!ret)
		ret = take_body(&r, data, len, e);
	http_reply_fini(&r);
	return ret;
}

/* ---- blobs ---- */

struct counted {
	const struct fetch_sink *to;
	u64 bytes;
};

static int count_and_push(void *opaque, const void *data, size_t len, struct err *e)
{
	struct counted *c = opaque;

	c->bytes += len;
	return c->to->push(c->to->opaque, data, len, e);
}

static int pull_blob(void *opaque, const struct descriptor *d, u64 from,
		     const struct fetch_sink *to, struct err *e)
{
	struct pull *p = opaque;
	struct counted c = {.to = to};
	struct http_request q = {
		.method = "GET", .from = from, .sink = count_and_push, .opaque = &c};
	struct http_reply r;
	char path[100];
	int ret;

	snprintf(path, sizeof(path), "blobs/%s", d->digest.s);
	ret = registry_do(p->g, &q, path, &c.bytes, &r, e);
	/* 416: nothing is left to send (RFC 9110 15.5.17). */
	if (!ret && r.status != 200 && r.status != 206 && !(r.status == 416 && q.from == d->size))
		ret = registry_error(p->g, "does not give the blob", &r, e);
	http_reply_fini(&r);
	return ret;
}

/* ---- the whole image ---- */

static int get_root(struct pull *p, const struct ref *r, struct err *e)
{
	const char *by = r->digest.s[0] ? r->digest.s : r->tag;
	struct http_reply reply;
	struct digest said;
	int ret = get_manifest(p->g, by, &reply, e);

	if (!ret)
		ret = take_body(&reply, &p->data, &p->len, e);
	if (!ret)
		ret = digest_of(p->data, p->len, &p->root.digest, e);
	if (!ret && r->digest.s[0] && !digest_equal(&r->digest, &p->root.digest))
		ret = err_set(e, EBADMSG, "wrong digest: %s was asked for, %s came", r->digest.s,
			      p->root.digest.s);
	if (!ret && reply.digest[0] && !digest_parse(reply.digest, &said, NULL) &&
	    !digest_equal(&said, &p->root.digest))
		ret = err_set(e, EBADMSG, "wrong digest: the registry says %s, its answer is %s",
			      said.s, p->root.digest.s);
	p->root.size = p->len;
	if (!ret && (media_is_index(reply.type) || media_is_manifest(reply.type)))
		memcpy(p->root.media, reply.type, sizeof(p->root.media));
	http_reply_fini(&reply);
	return ret;
}

static int name_root(struct image_store *s, struct pull *p, const char *name,
		     const struct image_registry_options *o, char *id, struct err *e)
{
	struct descriptor at;
	struct manifest m;
	int ret = store_manifest(s, &p->root, o->platform, &at, &m, o->all_platforms ? NULL : e);

	/* With all platforms the host's may not be among them. */
	snprintf(id, IMAGE_DIGEST_MAX, "%s", ret ? p->root.digest.s : m.config.digest.s);
	if (!ret) {
		if (!p->root.media[0])
			snprintf(p->root.media, sizeof(p->root.media), "%s",
				 digest_equal(&at.digest, &p->root.digest) ? m.media : MEDIA_INDEX);
		manifest_fini(&m);
	} else if (!o->all_platforms) {
		return ret;
	}
	return index_tag(s, name, &p->root, e);
}

int image_pull(struct image_store *s, const char *text, const struct image_registry_options *o,
	       char *id, struct err *e)
{
	struct fetch_ops ops = {.document = pull_document,
				.blob = pull_blob,
				.parallel = o->parallel ? o->parallel : DEFAULT_PARALLEL,
				.resume = true};
	char name[IMAGE_NAME_MAX], what[100];
	const struct fetch_options fo = {
		.platform = o->platform, .all = o->all_platforms, .quiet = o->quiet, .what = what};
	struct pull p = {0};
	struct ref r;
	int ret = ref_parse(text, &r, e);

	if (!ret)
		ret = ref_format(&r, name, e);
	if (!ret)
		ret = registry_open(&r, o, false, &p.g, e);
	if (ret)
		return ret;
	if (ops.parallel > FETCH_PARALLEL_MAX)
		ops.parallel = FETCH_PARALLEL_MAX;
	snprintf(what, sizeof(what), "pulling %.80s", name);
	ret = get_root(&p, &r, e);
	if (!ret)
		ret = fetch_image(s, &ops, &p, &p.root, &fo, e);
	if (!ret)
		ret = name_root(s, &p, name, o, id, e);
	free(p.data);
	registry_close(p.g);
	return ret ? err_wrap(e, "%s", name) : 0;
}
