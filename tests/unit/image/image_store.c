// SPDX-License-Identifier: Apache-2.0
/* Blobs, names, pins, garbage: src/image/store.c, blob.c, index.c, resolve.c, gc.c. */
#include "rig.h"
#include "tests/test.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static void t_blobs(void)
{
	struct rig r;
	struct blob_writer w;
	struct digest d, other;
	struct err e = {0};
	char *data;
	size_t len;

	CHECK(rig_open(&r));
	CHECK(!blob_put(r.s, "hello", 5, &d, &e));
	CHECK(!blob_put(r.s, "hello", 5, &other, &e) && digest_equal(&d, &other));
	CHECK(!blob_read(r.s, &d, &data, &len, &e) && len == 5 && !memcmp(data, "hello", 5));
	free(data);
	/* Announced as something else: refused, and nothing stays. */
	CHECK(!blob_begin(r.s, &w, &e) && !blob_write(&w, "world", 5, &e));
	CHECK_EQ(blob_commit(&w, &d, 5, NULL, &e), (int)-EBADMSG);
	CHECK(!blob_begin(r.s, &w, &e) && !blob_write(&w, "hello", 5, &e));
	CHECK_EQ(blob_commit(&w, &d, 6, NULL, &e), (int)-EBADMSG);
	CHECK(!digest_of("world", 5, &other, NULL) && !blob_stat(r.s, &other, NULL));
	rig_close(&r);
}

static void t_damage_is_seen(void)
{
	struct rig r;
	struct digest d;
	struct err e = {0};
	char path[100], *data;
	size_t len;
	int fd;

	CHECK(rig_open(&r));
	CHECK(!blob_put(r.s, "hello", 5, &d, &e));
	blob_path(&d, path);
	fd = openat(r.s->fd, path, O_WRONLY);
	CHECK(fd >= 0 && pwrite(fd, "j", 1, 0) == 1 && !close(fd));
	CHECK_EQ(blob_read(r.s, &d, &data, &len, &e), (int)-EBADMSG);
	CHECK(!data && strstr(e.msg, "damaged"));
	rig_close(&r);
}

static void t_resume(void)
{
	struct rig r;
	struct blob_writer w, second;
	struct digest d;
	struct err e = {0};

	CHECK(rig_open(&r));
	CHECK(!digest_of("hello world", 11, &d, NULL));
	CHECK(!blob_resume(r.s, &w, &d, &e) && w.size == 0);
	CHECK_EQ(blob_resume(r.s, &second, &d, &e), (int)-EBUSY);
	CHECK(!blob_write(&w, "hello ", 6, &e));
	blob_abort(&w);
	CHECK(!blob_resume(r.s, &w, &d, &e) && w.size == 6);
	CHECK(!blob_write(&w, "world", 5, &e) && !blob_commit(&w, &d, 11, NULL, &e));
	CHECK(blob_stat(r.s, &d, NULL));
	/* Begun with bytes that were wrong: not kept for another try. */
	CHECK(!digest_of("xyz", 3, &d, NULL));
	CHECK(!blob_resume(r.s, &w, &d, &e) && !blob_write(&w, "abc", 3, &e));
	CHECK_EQ(blob_commit(&w, &d, 3, NULL, &e), (int)-EBADMSG);
	CHECK(!blob_resume(r.s, &w, &d, &e) && w.size == 0);
	blob_abort(&w);
	rig_close(&r);
}

static void t_names(void)
{
	struct rig r;
	struct image *im = NULL;
	struct descriptor d;
	struct err e = {0};
	char by_digest[400];

	CHECK(rig_open(&r));
	CHECK(!rig_image(&r, "docker.io/library/one:latest", 2, &e));
	CHECK(!rig_image(&r, "localhost/two:v", 1, &e));
	CHECK(!image_resolve(r.s, "one", NULL, &im, &e));
	CHECK(im->nlayers == 2 && !access(im->layers[1], R_OK) &&
	      !strcmp(im->config.env[0], "A=1"));
	snprintf(by_digest, sizeof(by_digest), "one@%s", im->manifest);
	CHECK(!store_find(r.s, by_digest, &d, &e));
	CHECK(!store_find(r.s, im->id, &d, &e) && !store_find(r.s, im->id + 7, &d, &e));
	image_free(im);
	/* A short name is also looked for below localhost. */
	CHECK(!store_find(r.s, "two:v", &d, &e));
	CHECK_EQ(store_find(r.s, "two", &d, &e), (int)-ENOENT);
	CHECK(strstr(e.msg, "hull pull"));
	CHECK(!index_tag(r.s, "localhost/two:w", &d, &e));
	CHECK(!index_untag(r.s, "localhost/two:w", &e));
	CHECK_EQ(index_untag(r.s, "localhost/two:w", &e), (int)-ENOENT);
	rig_close(&r);
}

static void t_prune_spares_what_is_used(void)
{
	struct rig r;
	struct image *im = NULL;
	struct prune_result gone;
	struct err e = {0};
	const struct image_platform arm = {.os = "linux", .arch = "arm64"};

	CHECK(rig_open(&r));
	CHECK(!rig_image(&r, "docker.io/library/one:latest", 2, &e));
	CHECK(!rig_image(&r, "docker.io/library/two:latest", 1, &e));
	CHECK(!image_resolve(r.s, "one", NULL, &im, &e) && !image_pin(r.s, im, "container-1", &e));
	CHECK(image_pin(r.s, im, "../x", &e) < 0 && image_pin(r.s, im, "", &e) < 0);
	CHECK(!store_prune(r.s, false, true, &gone, &e) && !gone.blobs && !gone.layers);
	CHECK(!index_untag(r.s, "docker.io/library/one:latest", &e));
	CHECK(!store_prune(r.s, true, true, &gone, &e));
	CHECK(gone.names == 1 && gone.layers == 1 && !access(im->layers[1], R_OK));
	CHECK(!image_unpin(r.s, "container-1", &e) && !image_unpin(r.s, "container-1", &e));
	CHECK(!store_prune(r.s, false, true, &gone, &e) && gone.layers == 2 && gone.blobs == 4);
	CHECK(access(im->layers[1], R_OK));
	image_free(im);
	CHECK(!rig_image(&r, "docker.io/library/one:latest", 1, &e));
	CHECK_EQ(image_resolve(r.s, "one", &arm, &im, &e), (int)-ENOENT);
	rig_close(&r);
}

static void t_prune_waits_for_users(void)
{
	struct rig r;
	struct image_store *other;
	struct prune_result gone;
	struct err e = {0};

	CHECK(rig_open(&r));
	CHECK(!image_store_open(r.dir, IMAGE_STORE_READ, &other, &e));
	CHECK_EQ(store_prune(r.s, false, false, &gone, &e), (int)-EBUSY);
	image_store_close(other);
	CHECK(!store_prune(r.s, false, false, &gone, &e));
	rig_close(&r);
}

static void t_wrong_diff_id(void)
{
	struct rig r;
	struct descriptor d;
	struct digest id, wrong;
	struct layer_job *j;
	struct err e = {0};
	u8 zeros[1024] = {0};
	struct layer_want want = {.diff_id = &wrong};

	CHECK(rig_open(&r));
	CHECK(!digest_of("x", 1, &wrong, NULL));
	CHECK(!layer_begin(r.s, &want, &j, &e) && !layer_push(j, zeros, sizeof(zeros), &e));
	CHECK_EQ(layer_finish(j, &d, &id, &e), (int)-EBADMSG);
	CHECK(strstr(e.msg, "diff_id") && !layer_present(r.s, &wrong));
	CHECK(!layer_begin(r.s, &want, &j, &e));
	layer_abort(j);
	rig_close(&r);
}

static void t_missing_store(void)
{
	struct image_store *s;
	struct index_entries x;

	CHECK(!image_store_open("/nonexistent/store", IMAGE_STORE_READ, &s, NULL));
	CHECK(!index_load(s, &x, NULL) && x.n == 0);
	index_free(&x);
	image_store_close(s);
	CHECK(image_store_open("/proc/nowhere", IMAGE_STORE_WRITE, &s, NULL) < 0 && !s);
}

int main(void)
{
	RUN(t_blobs);
	RUN(t_damage_is_seen);
	RUN(t_resume);
	RUN(t_names);
	RUN(t_prune_spares_what_is_used);
	RUN(t_prune_waits_for_users);
	RUN(t_wrong_diff_id);
	RUN(t_missing_store);
	return test_done();
}
