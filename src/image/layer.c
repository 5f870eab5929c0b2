/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Data that compresses better than this is a bomb, once it is large. gzip cannot do 1032:1 or more.
 */
#define BOMB_RATIO 1000u
#define BOMB_BYTES GIB(1)

enum { WORK_INFLATE, WORK_HASH, WORK_UNTAR, WORKERS };

struct worker {
	pthread_t thread;
	bool started;
	int ret;
	struct err err;
	struct layer_job *job;
};

struct layer_job {
	struct image_store *store;
	struct descriptor blob; /* digest.s[0] == 0: any */
	struct digest diff_id;	/* likewise */
	bool plain_names, keep_blob, unpack;
	struct blob_writer writer;
	u64 pushed;
	struct ring *packed, *plain;
	struct ring_reader packed_reader, hash_reader, untar_reader;
	enum compression kind;
	struct digest got; /* diff_id found */
	char tmp[100];	   /* "tmp/X", the layer's directory to be */
	struct worker workers[WORKERS];
};

/* ---- workers ---- */

static int inflate_all(struct layer_job *j, struct inflate *z, struct err *e)
{
	bool any_ratio = getenv("HULL_LAYER_MAX") != NULL;
	u64 made = 0;

	for (;;) {
		size_t cap;
		u8 *room = ring_room(j->plain, &cap);
		ssize_t n =
			room ? inflate_read(z, room, cap, e) : err_set(e, ECANCELED, "cancelled");

		if (n <= 0)
			return (int)n;
		made += (u64)n;
		if (!any_ratio && made > BOMB_BYTES && made / BOMB_RATIO > inflate_taken(z))
			return err_set(e, EFBIG,
				       "decompresses to more than %u times its size: a "
				       "decompression bomb (set HULL_LAYER_MAX if it is meant)",
				       BOMB_RATIO);
		ring_put(j->plain, (size_t)n);
	}
}

static int work_inflate(struct layer_job *j, struct err *e)
{
	struct source from = ring_source(&j->packed_reader, j->packed, 0);
	struct inflate *z;
	int ret = inflate_create(&from, &z, e);

	if (!ret) {
		j->kind = inflate_kind(z);
		ret = inflate_all(j, z, e);
	}
	ring_end(j->plain, ret, e);
	if (ret)
		ring_cancel(j->packed);
	inflate_destroy(z);
	return ret;
}

static int work_hash(struct layer_job *j, struct err *e)
{
	struct source from = ring_source(&j->hash_reader, j->plain, 0);
	const u8 *p = NULL;
	struct hash h = {0};
	ssize_t n = hash_begin(&h, e);

	if (!n) {
		while ((n = from.next(from.opaque, &p, e)) > 0)
			hash_add(&h, p, (size_t)n);
	}
	if (n)
		ring_cancel(j->plain);
	else
		hash_end(&h, &j->got);
	hash_drop(&h);
	return (int)n;
}

static int work_untar(struct layer_job *j, struct err *e)
{
	struct source from = ring_source(&j->untar_reader, j->plain, 1);
	char path[120];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/fs", j->tmp);
	fd = openat(j->store->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = fd < 0 ? err_errno(e, "%s", path)
		     : unpack_tar(&from, fd, !j->plain_names, NULL, NULL, e);
	if (fd >= 0)
		close(fd);
	if (ret)
		ring_cancel(j->plain);
	return ret;
}

static void *worker_main(void *opaque)
{
	static int (*const work[WORKERS])(struct layer_job *, struct err *) = {
		[WORK_INFLATE] = work_inflate, [WORK_HASH] = work_hash, [WORK_UNTAR] = work_untar};
	struct worker *w = opaque;

	w->ret = work[w - w->job->workers](w->job, &w->err);
	return NULL;
}

/* ---- the job ---- */

static int start_workers(struct layer_job *j, struct err *e)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *w = &j->workers[i];

		if (i == WORK_UNTAR && !j->unpack)
			continue;
		w->job = j;
		if (pthread_create(&w->thread, NULL, worker_main, w))
			return err_set(e, EAGAIN, "cannot start a thread");
		w->started = true;
	}
	return 0;
}

/* The error that was first in the chain; those that were only cancelled say nothing. */
static int join_workers(struct layer_job *j, struct err *e)
{
	static const unsigned order[] = {WORK_INFLATE, WORK_UNTAR, WORK_HASH};
	int ret = 0;

	for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
		struct worker *w = &j->workers[order[i]];

		if (!w->started)
			continue;
		pthread_join(w->thread, NULL);
		w->started = false;
		if (w->ret && (!ret || ret == -ECANCELED)) {
			ret = w->ret;
			if (e)
				*e = w->err;
		}
	}
	return ret;
}

static void job_free(struct layer_job *j)
{
	if (j->packed)
		ring_end(j->packed, -ECANCELED, &(struct err){ECANCELED, "cancelled"});
	if (j->packed)
		ring_cancel(j->packed);
	if (j->plain)
		ring_cancel(j->plain);
	join_workers(j, NULL);
	blob_abort(&j->writer);
	if (j->tmp[0])
		store_tree_remove(j->store->fd, j->tmp);
	ring_destroy(j->packed);
	ring_destroy(j->plain);
	free(j);
}

void layer_abort(struct layer_job *j)
{
	if (j)
		job_free(j);
}

static int make_layer_dir(struct layer_job *j, struct err *e)
{
	char path[120];
	int ret = store_temp_dir(j->store, j->tmp, e);

	if (ret) {
		j->tmp[0] = 0;
		return ret;
	}
	snprintf(path, sizeof(path), "%s/fs", j->tmp);
	/* The root's mode unless the archive says another. */
	if (mkdirat(j->store->fd, path, 0755) || fchmodat(j->store->fd, path, 0755, 0))
		return store_io_error(j->store, "cannot create a layer", e);
	return 0;
}

static int open_blob(struct layer_job *j, const struct layer_want *want, struct err *e)
{
	int ret = -EBUSY;

	if (want->resume && want->blob)
		ret = blob_resume(j->store, &j->writer, &want->blob->digest, e);
	return ret == -EBUSY ? blob_begin(j->store, &j->writer, e) : ret;
}

/* What a resumed download has on disk goes first through the pipeline. */
static int replay(struct layer_job *j, struct err *e)
{
	struct file_source f;
	struct source from;
	const u8 *p = NULL;
	ssize_t n;
	int ret =
		file_source_init(&f, j->writer.fd, 0, j->writer.size, "partial download", &from, e);

	while (!ret && (n = from.next(from.opaque, &p, e))) {
		if (n < 0)
			ret = (int)n;
		else if (!ring_write(j->packed, p, (size_t)n))
			break; /* the workers' error comes out at the end */
	}
	file_source_fini(&f);
	j->pushed = j->writer.size;
	return ret;
}

static int job_start(struct layer_job *j, const struct layer_want *want, struct err *e)
{
	u64 size;
	int ret = 0;

	j->keep_blob = !want->blob || !blob_stat(j->store, &want->blob->digest, &size);
	j->unpack = !want->diff_id || !layer_present(j->store, want->diff_id);
	if (j->keep_blob)
		ret = open_blob(j, want, e);
	if (!ret && j->unpack)
		ret = make_layer_dir(j, e);
	if (!ret)
		ret = ring_create(1, &j->packed, e);
	if (!ret)
		ret = ring_create(j->unpack ? 2 : 1, &j->plain, e);
	if (!ret)
		ret = start_workers(j, e);
	if (!ret && j->keep_blob && j->writer.size)
		ret = replay(j, e);
	return ret;
}

int layer_begin(struct image_store *s, const struct layer_want *want, struct layer_job **out,
		struct err *e)
{
	struct layer_job *j = calloc(1, sizeof(*j));
	int ret;

	*out = j;
	if (!j) {
		err_set(e, ENOMEM, "no memory");
		return -ENOMEM;
	}
	j->store = s;
	j->plain_names = want->plain_names;
	if (want->blob)
		j->blob = *want->blob;
	if (want->diff_id)
		j->diff_id = *want->diff_id;
	ret = job_start(j, want, e);
	if (ret) {
		job_free(j);
		*out = NULL;
	}
	return ret;
}

u64 layer_have(const struct layer_job *j)
{
	return j->pushed;
}

int layer_push(struct layer_job *j, const void *data, size_t len, struct err *e)
{
	int ret = 0;

	j->pushed += len;
	if (j->blob.digest.s[0] && j->pushed > j->blob.size) {
		j->writer.keep = false;
		return err_set(e, EBADMSG, "%s: more than the announced %llu bytes",
			       j->blob.digest.s, (unsigned long long)j->blob.size);
	}
	if (j->keep_blob)
		ret = blob_write(&j->writer, data, len, e);
	/* Workers that gave up have an error for layer_finish. */
	if (!ret)
		ring_write(j->packed, data, len);
	return ret;
}

/* Which boot of the host this is; "" when it does not say. */
static void boot_id(char out[64])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 63);

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = 0;
}

static int write_small(int dirfd, const char *path, const char *text)
{
	int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok ? 0 : -EIO;
}

/* Puts the unpacked directory in place; a doubtful one there changes places with it and goes. */
static int name_layer(struct layer_job *j, struct err *e)
{
	char path[120], final[100], boot[64];
	int ret = 0, fd = j->store->fd;

	boot_id(boot);
	snprintf(path, sizeof(path), "%s/boot", j->tmp);
	snprintf(final, sizeof(final), "layers/%s", digest_hex(&j->got));
	if (write_small(fd, path, boot))
		return store_io_error(j->store, "cannot store a layer", e);
	if (!renameat2(fd, j->tmp, fd, final, RENAME_NOREPLACE)) {
		j->tmp[0] = 0;
	} else if (errno != EEXIST) {
		ret = store_io_error(j->store, "cannot store a layer", e);
	} else if (!layer_present(j->store, &j->got) &&
		   renameat2(fd, j->tmp, fd, final, RENAME_EXCHANGE)) {
		ret = store_io_error(j->store, "cannot store a layer", e);
	}
	return ret;
}

static const char *media_of(enum compression kind)
{
	return kind == COMPRESSION_GZIP	  ? MEDIA_LAYER_GZIP
	       : kind == COMPRESSION_ZSTD ? MEDIA_LAYER_ZSTD
					  : MEDIA_LAYER;
}

static int verify_and_name(struct layer_job *j, struct digest *blob, struct err *e)
{
	bool known = j->blob.digest.s[0];
	int ret = 0;

	if (j->diff_id.s[0] && !digest_equal(&j->got, &j->diff_id))
		return err_set(e, EBADMSG, "wrong diff_id: the config says %s, the layer is %s",
			       j->diff_id.s, j->got.s);
	if (j->keep_blob)
		ret = blob_commit(&j->writer, known ? &j->blob.digest : NULL,
				  known ? j->blob.size : (u64)-1, blob, e);
	else
		*blob = j->blob.digest;
	return ret || !j->unpack ? ret : name_layer(j, e);
}

/* A blob that is not what was announced explains every other error. */
static int check_blob(struct layer_job *j, struct err *e)
{
	if (!j->keep_blob || !j->blob.digest.s[0])
		return 0;
	return blob_check(&j->writer, &j->blob.digest, j->blob.size, e);
}

int layer_finish(struct layer_job *j, struct descriptor *blob, struct digest *diff_id,
		 struct err *e)
{
	struct digest digest;
	int ret, first;

	ring_end(j->packed, 0, NULL);
	ret = join_workers(j, e);
	first = check_blob(j, ret ? NULL : e);
	if (first && ret)
		check_blob(j, e);
	ret = first ? first : ret;
	if (ret)
		j->writer.keep = false;
	if (!ret)
		ret = verify_and_name(j, &digest, e);
	if (!ret && blob) {
		*blob = (struct descriptor){.digest = digest, .size = j->pushed};
		snprintf(blob->media, sizeof(blob->media), "%s", media_of(j->kind));
	}
	if (!ret && diff_id)
		*diff_id = j->got;
	job_free(j);
	return ret;
}

/* ---- layers at rest ---- */

bool layer_present(const struct image_store *s, const struct digest *diff_id)
{
	char path[120], made[64] = "", now[64];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "layers/%s/boot", digest_hex(diff_id));
	fd = s->fd < 0 ? -1 : openat(s->fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, made, sizeof(made) - 1);
	close(fd);
	boot_id(now);
	return n > 0 && (!strcmp(made, "settled\n") || !strcmp(made, now));
}

int layer_from_source(struct image_store *s, const struct layer_want *want,
		      const struct source *from, struct descriptor *blob, struct digest *diff_id,
		      struct err *e)
{
	struct layer_job *j;
	const u8 *p = NULL;
	ssize_t n;
	int ret = layer_begin(s, want, &j, e);

	if (ret)
		return ret;
	while ((n = from->next(from->opaque, &p, e)) > 0 && !ret)
		ret = layer_push(j, p, (size_t)n, e);
	if (n < 0)
		ret = (int)n;
	if (!ret)
		return layer_finish(j, blob, diff_id, e);
	layer_abort(j);
	return ret;
}

int layer_ensure(struct image_store *s, const struct descriptor *blob, const struct digest *diff_id,
		 struct err *e)
{
	const struct layer_want want = {.blob = blob, .diff_id = diff_id};
	struct file_source f;
	struct source from;
	int fd, ret;

	if (layer_present(s, diff_id))
		return 0;
	fd = blob_open(s, &blob->digest, e);
	if (fd < 0)
		return fd;
	ret = file_source_init(&f, fd, 0, blob->size, blob->digest.s, &from, e);
	if (!ret)
		ret = layer_from_source(s, &want, &from, NULL, NULL, e);
	file_source_fini(&f);
	close(fd);
	return ret ? err_wrap(e, "layer %s", blob->digest.s) : 0;
}

#define SETTLE_SECONDS 60

/* True for a layer of this boot that has stood for a while. */
static bool wants_settling(int dirfd, const char *name, const char *now)
{
	char path[300], made[64] = "";
	struct stat st;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%.200s/boot", name);
	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, made, sizeof(made) - 1);
	if (n < 0 || fstat(fd, &st))
		n = 0;
	close(fd);
	return n > 0 && !strcmp(made, now) && time(NULL) - st.st_mtime > SETTLE_SECONDS;
}

void layer_settle(struct image_store *s)
{
	int fd = s->fd < 0 ? -1 : openat(s->fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char now[64], path[300];
	struct dirent *de;
	bool synced = false;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	boot_id(now);
	while (d && (de = readdir(d))) {
		if (de->d_name[0] == '.' || !wants_settling(fd, de->d_name, now))
			continue;
		if (!synced && syncfs(fd))
			break;
		synced = true;
		snprintf(path, sizeof(path), "%.200s/boot", de->d_name);
		write_small(fd, path, "settled\n");
	}
	if (d)
		closedir(d);
}
