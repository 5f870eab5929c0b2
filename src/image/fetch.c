/* SPDX-License-Identifier: Apache-2.0 */
#include "image/fetch.h"

#include "host/progress.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_NS 100000000

struct fetch {
	struct image_store *store;
	const struct fetch_ops *ops;
	void *opaque;
	const struct fetch_options *o;
};

/* The layers of one image, shared out among threads. */
struct batch {
	struct fetch *f;
	const struct manifest *m;
	const struct image *im;
	pthread_mutex_t lock;
	pthread_cond_t done;
	unsigned next, running;
	_Atomic u64 bytes;
	_Atomic bool stop;
	int ret;
	struct err err;
};

/* ---- one layer ---- */

struct push_to {
	struct batch *b;
	struct layer_job *job;
};

static int push_layer(void *opaque, const void *data, size_t len, struct err *e)
{
	struct push_to *p = opaque;

	if (atomic_load(&p->b->stop))
		return err_set(e, ECANCELED, "cancelled");
	atomic_fetch_add(&p->b->bytes, len);
	return layer_push(p->job, data, len, e);
}

static int fetch_layer(struct batch *b, unsigned i, struct err *e)
{
	const struct descriptor *d = &b->m->items[i];
	struct digest diff_id;
	struct layer_want want = {.blob = d, .diff_id = &diff_id, .resume = b->f->ops->resume};
	struct push_to to = {.b = b};
	struct fetch_sink sink = {push_layer, &to};
	int ret = digest_parse(b->im->diff_ids[i], &diff_id, e);

	if (ret)
		return ret;
	if (blob_stat(b->f->store, &d->digest, NULL)) {
		ret = layer_ensure(b->f->store, d, &diff_id, e);
		if (ret != -EBADMSG) {
			atomic_fetch_add(&b->bytes, d->size);
			return ret;
		}
		blob_forget(b->f->store, &d->digest);
	}
	ret = layer_begin(b->f->store, &want, &to.job, e);
	if (ret)
		return ret;
	atomic_fetch_add(&b->bytes, layer_have(to.job));
	if (layer_have(to.job) < d->size)
		ret = b->f->ops->blob(b->f->opaque, d, layer_have(to.job), &sink, e);
	if (!ret)
		return layer_finish(to.job, NULL, NULL, e);
	layer_abort(to.job);
	return ret;
}

/* True if an earlier layer of the image is the same blob. */
static bool repeated(const struct batch *b, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (digest_equal(&b->m->items[k].digest, &b->m->items[i].digest) &&
		    !strcmp(b->im->diff_ids[k], b->im->diff_ids[i]))
			return true;
	return false;
}

static void batch_error(struct batch *b, int ret, const struct err *e)
{
	if (!b->ret || b->ret == -ECANCELED) {
		b->ret = ret;
		b->err = *e;
	}
	atomic_store(&b->stop, true);
}

static void *batch_main(void *opaque)
{
	struct batch *b = opaque;

	pthread_mutex_lock(&b->lock);
	while (b->next < b->m->nitems && !atomic_load(&b->stop)) {
		unsigned i = b->next++;
		struct err e = {0};
		int ret = 0;

		pthread_mutex_unlock(&b->lock);
		if (!repeated(b, i))
			ret = fetch_layer(b, i, &e);
		if (ret && ret != -ECANCELED)
			err_wrap(&e, "layer %s", b->m->items[i].digest.s);
		pthread_mutex_lock(&b->lock);
		if (ret)
			batch_error(b, ret, &e);
	}
	b->running--;
	pthread_cond_signal(&b->done);
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static void batch_wait(struct batch *b, u64 total)
{
	struct progress p;

	if (!b->f->o->quiet)
		progress_begin(&p, b->f->o->what, total);
	pthread_mutex_lock(&b->lock);
	while (b->running) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += TICK_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&b->done, &b->lock, &until);
		if (!b->f->o->quiet)
			progress_at(&p, atomic_load(&b->bytes));
	}
	pthread_mutex_unlock(&b->lock);
	if (!b->f->o->quiet)
		progress_end(&p, !b->ret);
}

static int fetch_layers(struct fetch *f, const struct manifest *m, const struct image *im,
			struct err *e)
{
	struct batch b = {.f = f, .m = m, .im = im};
	pthread_t threads[FETCH_PARALLEL_MAX];
	unsigned n = f->ops->parallel < m->nitems ? f->ops->parallel : m->nitems, started = 0;
	u64 total = 0;

	for (unsigned i = 0; i < m->nitems; i++)
		total += m->items[i].size;
	pthread_mutex_init(&b.lock, NULL);
	pthread_cond_init(&b.done, NULL);
	pthread_mutex_lock(&b.lock);
	while (started < n && !pthread_create(&threads[started], NULL, batch_main, &b))
		started++;
	b.running = started;
	pthread_mutex_unlock(&b.lock);
	if (started)
		batch_wait(&b, total);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pthread_cond_destroy(&b.done);
	pthread_mutex_destroy(&b.lock);
	if (n && !started)
		return err_set(e, EAGAIN, "cannot start a thread");
	if (b.ret && e)
		*e = b.err;
	return b.ret;
}

/* ---- documents ---- */

/* From the store if it is there, else from the source; the digest is checked either way. */
static int get_document(struct fetch *f, const struct descriptor *d, char **data, size_t *len,
			struct err *e)
{
	struct digest have;
	int ret;

	if (blob_stat(f->store, &d->digest, NULL)) {
		ret = blob_read(f->store, &d->digest, data, len, e);
		if (ret != -EBADMSG)
			return ret;
		blob_forget(f->store, &d->digest);
	}
	ret = f->ops->document(f->opaque, d, data, len, e);
	if (ret)
		return ret;
	ret = digest_of(*data, *len, &have, e);
	if (!ret && !digest_equal(&have, &d->digest))
		ret = err_set(e, EBADMSG, "wrong digest: %s was announced, %s came", d->digest.s,
			      have.s);
	if (!ret && d->size && d->size != *len)
		ret = err_set(e, EBADMSG, "%s: %zu bytes instead of %llu", d->digest.s, *len,
			      (unsigned long long)d->size);
	if (ret) {
		free(*data);
		*data = NULL;
	}
	return ret;
}

static int fetch_manifest(struct fetch *f, const struct manifest *m, struct err *e)
{
	struct image *im = calloc(1, sizeof(*im));
	char *data = NULL;
	size_t len = 0;
	int ret;

	if (!im)
		return err_set(e, ENOMEM, "no memory");
	ret = get_document(f, &m->config, &data, &len, e);
	if (!ret)
		ret = config_parse(m->config.digest.s, data, len, im, e);
	if (!ret && im->nlayers != m->nitems)
		ret = err_set(e, EBADMSG, "%u layers in the manifest, %u in the config", m->nitems,
			      im->nlayers);
	if (!ret)
		ret = fetch_layers(f, m, im, e);
	if (!ret)
		ret = blob_put(f->store, data, len, NULL, e);
	free(data);
	image_free(im);
	return ret;
}

static int fetch_any(struct fetch *f, const struct descriptor *d, unsigned depth, struct err *e);

static int fetch_entries(struct fetch *f, const struct manifest *m, unsigned depth, struct err *e)
{
	struct image_platform host;
	unsigned found = 0;
	int ret = 0;

	image_platform_host(&host);
	if (!f->o->all) {
		ret = manifest_choose(m, f->o->platform ? f->o->platform : &host, e);
		return ret < 0 ? ret : fetch_any(f, &m->items[ret], depth + 1, e);
	}
	for (unsigned i = 0; !ret && i < m->nitems; i++) {
		if (!media_is_manifest(m->items[i].media) && !media_is_index(m->items[i].media))
			continue;
		ret = fetch_any(f, &m->items[i], depth + 1, e);
		found += !ret;
		/* A layout may hold only some images of an index. */
		if (ret == -ENOENT)
			ret = 0;
	}
	if (!ret && !found)
		ret = err_set(e, ENOENT, "the index names no image that is there");
	return ret;
}

static int fetch_any(struct fetch *f, const struct descriptor *d, unsigned depth, struct err *e)
{
	struct manifest m;
	char *data;
	size_t len;
	int ret;

	if (depth > MANIFEST_MAX_DEPTH)
		return err_set(e, ELOOP, "indexes nested more than %u deep", MANIFEST_MAX_DEPTH);
	ret = get_document(f, d, &data, &len, e);
	if (ret)
		return ret;
	ret = manifest_parse(d->digest.s, data, len, d->media, &m, e);
	if (!ret) {
		ret = m.is_index ? fetch_entries(f, &m, depth, e) : fetch_manifest(f, &m, e);
		manifest_fini(&m);
	}
	/* Only now, so that what has a manifest in the store is complete. */
	if (!ret)
		ret = blob_put(f->store, data, len, NULL, e);
	free(data);
	return ret;
}

int fetch_image(struct image_store *s, const struct fetch_ops *ops, void *opaque,
		const struct descriptor *root, const struct fetch_options *o, struct err *e)
{
	struct fetch f = {s, ops, opaque, o};

	layer_settle(s);
	return fetch_any(&f, root, 0, e);
}

/* ---- putting together ---- */

void compose_time(char *out)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	time_t t = epoch && *epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
	struct tm tm = {0};

	gmtime_r(&t, &tm);
	strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static int put_document(struct image_store *s, const json_t *doc, const char *media,
			struct descriptor *out, struct err *e)
{
	char *text;
	size_t len;
	int ret = doc_print(doc, &text, &len, e);

	if (ret)
		return ret;
	*out = (struct descriptor){.size = len};
	snprintf(out->media, sizeof(out->media), "%s", media);
	ret = blob_put(s, text, len, &out->digest, e);
	free(text);
	return ret;
}

int compose_manifest(struct image_store *s, const struct descriptor *config,
		     const struct descriptor *layers, unsigned n, struct descriptor *out,
		     struct err *e)
{
	json_t *array = json_array();
	json_t *doc = json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType",
				MEDIA_MANIFEST, "config", descriptor_json(config), "layers", array);
	int ret;

	if (!doc)
		return err_set(e, ENOMEM, "no memory");
	for (unsigned i = 0; i < n; i++) {
		struct descriptor plain = layers[i];

		plain.name[0] = 0;
		json_array_append_new(array, descriptor_json(&plain));
	}
	ret = put_document(s, doc, MEDIA_MANIFEST, out, e);
	json_decref(doc);
	return ret;
}

int compose_image(struct image_store *s, json_t *config, const struct descriptor *layers,
		  const struct digest *diff_ids, unsigned n, struct descriptor *out,
		  struct digest *id, struct err *e)
{
	json_t *ids = json_array();
	struct descriptor d;
	int ret;

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(ids, json_string(diff_ids[i].s));
	json_object_set_new(config, "rootfs",
			    json_pack("{s:s, s:o}", "type", "layers", "diff_ids", ids));
	ret = put_document(s, config, MEDIA_CONFIG, &d, e);
	if (ret)
		return ret;
	*id = d.digest;
	ret = compose_manifest(s, &d, layers, n, out, e);
	out->platform = (struct image_platform){0};
	snprintf(out->platform.os, sizeof(out->platform.os), "%s", doc_text(config, "os"));
	snprintf(out->platform.arch, sizeof(out->platform.arch), "%s",
		 doc_text(config, "architecture"));
	return ret;
}
