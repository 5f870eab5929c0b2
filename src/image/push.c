/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull push` (image/transfer.h): blobs the registry lacks, then manifests, the
 * outermost last, so that what a tag names is always complete.
 */
#include "host/progress.h"
#include "image/fetch.h"
#include "image/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct push {
	struct image_store *store;
	struct registry *g;
	struct progress *progress; /* NULL: quiet */
	u64 sent, total;
};

static void count(void *opaque, u64 bytes)
{
	struct push *p = opaque;

	p->sent += bytes;
	if (p->progress)
		progress_at(p->progress, p->sent);
}

/* 1 if the registry has the blob. */
static int has_blob(struct push *p, const struct digest *d, struct err *e)
{
	struct http_request q = {.method = "HEAD"};
	struct http_reply r;
	char path[100];
	int ret;

	snprintf(path, sizeof(path), "blobs/%s", d->s);
	ret = registry_do(p->g, &q, path, NULL, &r, e);
	if (!ret)
		ret = r.status == 200;
	http_reply_fini(&r);
	return ret;
}

/* distribution-spec, "POST then PUT": an upload's address, then all of it. */
static int begin_upload(struct push *p, const struct digest *d, char *where, size_t size,
			struct err *e)
{
	struct http_request q = {.method = "POST"};
	struct http_reply r;
	int n, ret = registry_do(p->g, &q, "blobs/uploads/", NULL, &r, e);

	if (!ret && r.status != 202)
		ret = registry_error(p->g, "takes no upload", &r, e);
	if (!ret && !r.location[0])
		ret = err_set(e, EPROTO, "the registry gave no address to upload to");
	n = snprintf(where, size, "%s%cdigest=%s", r.location, strchr(r.location, '?') ? '&' : '?',
		     d->s);
	if (!ret && (n < 0 || (size_t)n >= size))
		ret = err_set(e, EPROTO, "the registry gave an address that is too long");
	http_reply_fini(&r);
	return ret;
}

static int push_blob(struct push *p, const struct descriptor *d, struct err *e)
{
	struct http_request q = {.method = "PUT",
				 .content_type = "application/octet-stream",
				 .len = d->size,
				 .sent = count,
				 .opaque = p};
	char where[2300];
	struct http_reply r;
	int ret = has_blob(p, &d->digest, e);

	if (ret < 0)
		return ret;
	if (ret) {
		count(p, d->size);
		return 0;
	}
	q.file = blob_open(p->store, &d->digest, e);
	if (q.file < 0)
		return q.file;
	ret = begin_upload(p, &d->digest, where, sizeof(where), e);
	if (!ret) {
		q.data = d->size ? NULL : "";
		ret = registry_do(p->g, &q, where, NULL, &r, e);
		if (!ret && r.status != 201)
			ret = registry_error(p->g, "refuses a blob", &r, e);
		http_reply_fini(&r);
	}
	close(q.file);
	return ret ? err_wrap(e, "%s", d->digest.s) : 0;
}

/* tag: what to put it as; a digest for what an index names. */
static int put_manifest(struct push *p, const struct descriptor *d, const char *media,
			const char *as, struct err *e)
{
	struct http_request q = {.method = "PUT", .content_type = media};
	struct http_reply r;
	char path[300], *data;
	size_t len;
	int ret = blob_read(p->store, &d->digest, &data, &len, e);

	if (ret)
		return ret;
	q.data = data;
	q.len = len;
	snprintf(path, sizeof(path), "manifests/%s", as);
	ret = registry_do(p->g, &q, path, NULL, &r, e);
	if (!ret && r.status != 201)
		ret = registry_error(p->g, "refuses the manifest", &r, e);
	http_reply_fini(&r);
	free(data);
	return ret;
}

static int push_image(struct push *p, const struct descriptor *d, const struct manifest *m,
		      const char *as, struct err *e)
{
	int ret = 0;

	for (unsigned i = 0; !ret && i < m->nitems; i++)
		ret = push_blob(p, &m->items[i], e);
	if (!ret)
		ret = push_blob(p, &m->config, e);
	return ret ? ret : put_manifest(p, d, m->media, as, e);
}

static int load(struct push *p, const struct descriptor *d, struct manifest *m, struct err *e)
{
	char *data;
	size_t len;
	int ret = blob_read(p->store, &d->digest, &data, &len, e);

	if (ret)
		return ret;
	ret = manifest_parse(d->digest.s, data, len, d->media, m, e);
	free(data);
	return ret;
}

static int push_any(struct push *p, const struct descriptor *d, const char *as, unsigned depth,
		    struct err *e)
{
	struct manifest m;
	int ret;

	if (depth > MANIFEST_MAX_DEPTH)
		return err_set(e, ELOOP, "indexes nested more than %u deep", MANIFEST_MAX_DEPTH);
	ret = load(p, d, &m, e);
	if (ret)
		return ret;
	if (!m.is_index)
		ret = push_image(p, d, &m, as, e);
	for (unsigned i = 0; m.is_index && !ret && i < m.nitems; i++)
		ret = push_any(p, &m.items[i], m.items[i].digest.s, depth + 1, e);
	if (m.is_index && !ret)
		ret = put_manifest(p, d, m.media, as, e);
	manifest_fini(&m);
	return ret;
}

/* ---- which part of what is stored ---- */

struct survey {
	const struct image_store *s;
	u64 bytes;
};

static int add_size(void *opaque, const struct descriptor *at, const struct manifest *m)
{
	struct survey *v = opaque;

	v->bytes += m->config.size;
	for (unsigned i = 0; i < m->nitems; i++)
		v->bytes += m->items[i].size;
	return 0;
}

/* An index of which everything is stored goes as a whole; else the one platform's manifest. */
static bool complete(const struct push *p, const struct descriptor *d)
{
	struct manifest m;
	bool all = true;

	if (load((struct push *)p, d, &m, NULL))
		return false;
	for (unsigned i = 0; m.is_index && i < m.nitems; i++)
		all = all && blob_stat(p->store, &m.items[i].digest, NULL);
	manifest_fini(&m);
	return all;
}

static int choose(struct push *p, const char *ref, const struct image_registry_options *o,
		  struct descriptor *out, struct err *e)
{
	struct descriptor d;
	struct manifest m;
	int ret = store_find(p->store, ref, &d, e);

	if (ret)
		return ret;
	*out = d;
	if (!o->platform && complete(p, &d))
		return 0;
	if (o->all_platforms)
		return err_set(
			e, ENOENT,
			"not all platforms of %s are stored: `hull pull --all-platforms` first",
			ref);
	ret = store_manifest(p->store, &d, o->platform, out, &m, e);
	if (!ret)
		manifest_fini(&m);
	return ret;
}

static int push_chosen(struct push *p, const struct descriptor *d, const struct ref *to,
		       const char *name, bool quiet, struct err *e)
{
	struct survey v = {.s = p->store};
	struct progress progress;
	char what[100];
	int ret = store_each_manifest(p->store, d, add_size, &v, e);

	if (ret)
		return ret;
	snprintf(what, sizeof(what), "pushing %.80s", name);
	p->total = v.bytes;
	if (!quiet) {
		progress_begin(&progress, what, p->total);
		p->progress = &progress;
	}
	ret = push_any(p, d, to->tag[0] ? to->tag : d->digest.s, 0, e);
	p->progress = NULL;
	if (!quiet)
		progress_end(&progress, !ret);
	return ret;
}

int image_push(struct image_store *s, const char *ref, const char *dest,
	       const struct image_registry_options *o, struct err *e)
{
	struct push p = {.store = s};
	char name[IMAGE_NAME_MAX];
	struct descriptor d;
	struct ref to;
	int ret = choose(&p, ref, o, &d, e);

	if (!ret)
		ret = ref_parse(dest ? dest : d.name[0] ? d.name : ref, &to, e);
	if (!ret && to.digest.s[0] && !digest_equal(&to.digest, &d.digest))
		ret = err_set(e, EINVAL, "%s: the digest is not that of what is pushed (%s)",
			      dest ? dest : ref, d.digest.s);
	if (!ret)
		ret = ref_format(&to, name, e);
	if (!ret)
		ret = registry_open(&to, o, true, &p.g, e);
	if (ret)
		return ret;
	ret = push_chosen(&p, &d, &to, name, o->quiet, e);
	registry_close(p.g);
	return ret ? err_wrap(e, "%s", name) : 0;
}
