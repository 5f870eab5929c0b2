/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull save` (image/transfer.h): stored images as a docker-archive, an
 * oci-archive or a directory in OCI layout. A new file appears under its name
 * only when it is complete.
 */
#include "image/fetch.h"
#include "image/tar.h"
#include "image/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_CHUNK KIB(256)

struct save {
	struct image_store *store;
	const struct image_platform *want;
	struct tar_writer out;
	int fd;		 /* of the archive, or the directory */
	json_t *list;	 /* manifest.json or the index' manifests */
	json_t *written; /* object: names that are in the archive already */
};

static int write_fd(void *opaque, const void *data, size_t len, struct err *e)
{
	const struct save *v = opaque;
	const char *p = data;

	while (len) {
		ssize_t n = write(v->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "cannot write the archive");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* True the first time a name is asked about. */
static bool first_time(struct save *v, const char *name)
{
	if (json_object_get(v->written, name))
		return false;
	json_object_set_new(v->written, name, json_true());
	return true;
}

/* ---- archives ---- */

static int put_header(struct save *v, const char *name, u64 size, struct err *e)
{
	struct tar_entry *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return err_set(e, ENOMEM, "no memory");
	t->kind = TAR_FILE;
	t->mode = 0644;
	t->size = size;
	snprintf(t->name, sizeof(t->name), "%s", name);
	ret = tar_put(&v->out, t, e);
	free(t);
	return ret;
}

/* What a blob holds, after decompression if plain. */
static int copy_source(struct save *v, const struct source *from, struct err *e)
{
	const u8 *p = NULL;
	ssize_t n;

	while ((n = from->next(from->opaque, &p, e)) > 0) {
		int ret = v->out.write(v->out.opaque, p, (size_t)n, e);

		if (ret)
			return ret;
	}
	return (int)n;
}

static int put_blob(struct save *v, const struct digest *d, u64 size, struct err *e)
{
	struct file_source f = {0};
	struct source from;
	char path[100];
	int fd, ret;

	blob_path(d, path);
	if (!first_time(v, path))
		return 0;
	fd = blob_open(v->store, d, e);
	if (fd < 0)
		return fd;
	ret = put_header(v, path, size, e);
	ret = ret ? ret : file_source_init(&f, fd, 0, size, d->s, &from, e);
	ret = ret ? ret : copy_source(v, &from, e);
	ret = ret ? ret : tar_pad(&v->out, size, e);
	file_source_fini(&f);
	close(fd);
	return ret;
}

/* ---- directories ---- */

/* Between file systems that cannot share or copy by themselves. */
static ssize_t copy_by_hand(int from, int to)
{
	char *buf = malloc(COPY_CHUNK);
	ssize_t n = buf ? 1 : -1;

	while (n > 0 && (n = read(from, buf, COPY_CHUNK)) > 0)
		if (write(to, buf, (size_t)n) != n)
			n = -1;
	free(buf);
	return n;
}

static int copy_blob(struct save *v, const struct digest *d, struct err *e)
{
	char path[100], tmp[110];
	struct stat st;
	ssize_t n = 0;
	int to, from, ret = 0;

	blob_path(d, path);
	if (!fstatat(v->fd, path, &st, 0))
		return 0;
	from = blob_open(v->store, d, e);
	if (from < 0)
		return from;
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	to = openat(v->fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (to < 0) {
		close(from);
		return err_errno(e, "cannot create %s", path);
	}
	while ((n = copy_file_range(from, NULL, to, NULL, MIB(64), 0)) > 0)
		;
	if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP))
		n = copy_by_hand(from, to);
	if (n < 0 || renameat(v->fd, tmp, v->fd, path)) {
		ret = err_errno(e, "cannot write %s", path);
		unlinkat(v->fd, tmp, 0);
	}
	close(from);
	close(to);
	return ret;
}

/* ---- OCI ---- */

static int oci_blob(struct save *v, bool dir, const struct digest *d, struct err *e)
{
	u64 size;

	if (!blob_stat(v->store, d, &size))
		return err_set(e, ENOENT, "blob %s is missing from the store", d->s);
	return dir ? copy_blob(v, d, e) : put_blob(v, d, size, e);
}

static int oci_any(struct save *v, bool dir, const struct descriptor *d, unsigned depth,
		   struct err *e)
{
	struct manifest m;
	char *data;
	size_t len;
	int ret;

	if (depth > MANIFEST_MAX_DEPTH)
		return err_set(e, ELOOP, "indexes nested more than %u deep", MANIFEST_MAX_DEPTH);
	/* What was not pulled of an index is not there to be saved. */
	if (depth && !blob_stat(v->store, &d->digest, NULL))
		return 0;
	ret = blob_read(v->store, &d->digest, &data, &len, e);
	if (ret)
		return ret;
	ret = manifest_parse(d->digest.s, data, len, d->media, &m, e);
	free(data);
	if (ret)
		return ret;
	for (unsigned i = 0; !ret && i < m.nitems; i++)
		ret = m.is_index ? oci_any(v, dir, &m.items[i], depth + 1, e)
				 : oci_blob(v, dir, &m.items[i].digest, e);
	if (!ret && !m.is_index)
		ret = oci_blob(v, dir, &m.config.digest, e);
	manifest_fini(&m);
	return ret ? ret : oci_blob(v, dir, &d->digest, e);
}

static int save_oci(struct save *v, bool dir, const char *ref, struct err *e)
{
	struct descriptor d;
	int ret = store_find(v->store, ref, &d, e);

	if (!ret && v->want) {
		struct descriptor at;
		struct manifest m;

		ret = store_manifest(v->store, &d, v->want, &at, &m, e);
		if (!ret) {
			memcpy(at.name, d.name, sizeof(at.name));
			d = at;
			manifest_fini(&m);
		}
	}
	ret = ret ? ret : oci_any(v, dir, &d, 0, e);
	if (!ret)
		json_array_append_new(v->list, descriptor_json(&d));
	return ret;
}

static int text_file(struct save *v, bool dir, const char *name, const char *text, struct err *e)
{
	size_t len = strlen(text);
	int fd, ret = 0;

	if (!dir)
		return tar_put_file(&v->out, name, text, len, e);
	fd = openat(v->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		ret = err_errno(e, "cannot write %s", name);
	if (fd >= 0)
		close(fd);
	return ret;
}

static int finish_oci(struct save *v, bool dir, struct err *e)
{
	json_t *doc = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType", MEDIA_INDEX,
				"manifests", v->list);
	char *text;
	size_t len;
	int ret = doc ? doc_print(doc, &text, &len, e) : err_set(e, ENOMEM, "no memory");

	json_decref(doc);
	if (ret)
		return ret;
	ret = text_file(v, dir, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", e);
	ret = ret ? ret : text_file(v, dir, "index.json", text, e);
	free(text);
	return ret;
}

/* ---- docker-archive ---- */

/* Layers are plain tar here: first how long they get, then the bytes. */
struct plain {
	struct file_source f;
	struct source from;
	struct inflate *z;
	u8 *buf;
	int fd;
};

static void plain_close(struct plain *p)
{
	inflate_destroy(p->z);
	file_source_fini(&p->f);
	free(p->buf);
	if (p->fd >= 0)
		close(p->fd);
}

static int plain_open(struct save *v, const struct descriptor *d, struct plain *p, struct err *e)
{
	int ret;

	*p = (struct plain){.fd = blob_open(v->store, &d->digest, e)};
	if (p->fd < 0)
		return p->fd;
	p->buf = malloc(COPY_CHUNK);
	ret = p->buf ? file_source_init(&p->f, p->fd, 0, d->size, d->digest.s, &p->from, e)
		     : err_set(e, ENOMEM, "no memory");
	ret = ret ? ret : inflate_create(&p->from, &p->z, e);
	if (ret)
		plain_close(p);
	return ret;
}

/* write false: only count. */
static int plain_copy(struct save *v, const struct descriptor *d, bool write, u64 *size,
		      struct err *e)
{
	struct plain p;
	ssize_t n;
	int ret = plain_open(v, d, &p, e);

	if (ret)
		return ret;
	*size = 0;
	while ((n = inflate_read(p.z, p.buf, COPY_CHUNK, e)) > 0) {
		*size += (u64)n;
		if (write && (ret = v->out.write(v->out.opaque, p.buf, (size_t)n, e)))
			break;
	}
	plain_close(&p);
	return ret ? ret : (int)n;
}

static int docker_layer(struct save *v, const struct descriptor *d, const char *diff_id,
			json_t *paths, struct err *e)
{
	char name[100];
	u64 size, again;
	int ret;

	snprintf(name, sizeof(name), "%.64s.tar", diff_id + DIGEST_PREFIX);
	json_array_append_new(paths, json_string(name));
	if (!first_time(v, name))
		return 0;
	ret = plain_copy(v, d, false, &size, e);
	ret = ret ? ret : put_header(v, name, size, e);
	ret = ret ? ret : plain_copy(v, d, true, &again, e);
	return ret ? ret : tar_pad(&v->out, size, e);
}

static int docker_config(struct save *v, const struct digest *d, char name[100], struct err *e)
{
	char *data;
	size_t len;
	int ret;

	snprintf(name, 100, "%s.json", digest_hex(d));
	if (!first_time(v, name))
		return 0;
	ret = blob_read(v->store, d, &data, &len, e);
	if (ret)
		return ret;
	ret = tar_put_file(&v->out, name, data, len, e);
	free(data);
	return ret;
}

/* Docker's own short form of a name: "docker.io/library/x:1" is "x:1" there. */
static const char *docker_name(const char *name)
{
	static const char *const drop[] = {"docker.io/library/", "docker.io/"};

	for (unsigned i = 0; i < ARRAY_LEN(drop); i++)
		if (!strncmp(name, drop[i], strlen(drop[i])))
			return name + strlen(drop[i]);
	return name;
}

static int docker_image(struct save *v, const struct manifest *m, const struct image *im,
			const char *name, struct err *e)
{
	json_t *paths = json_array(), *tags = json_array();
	char config[100];
	int ret = docker_config(v, &m->config.digest, config, e);

	for (unsigned i = 0; !ret && i < m->nitems; i++)
		ret = docker_layer(v, &m->items[i], im->diff_ids[i], paths, e);
	if (*name && !strchr(name, '@'))
		json_array_append_new(tags, json_string(docker_name(name)));
	json_array_append_new(v->list, json_pack("{s:s, s:o, s:o}", "Config", config, "RepoTags",
						 tags, "Layers", paths));
	return ret;
}

static int save_docker(struct save *v, const char *ref, struct err *e)
{
	struct descriptor d, at;
	struct manifest m;
	struct image *im;
	int ret = store_find(v->store, ref, &d, e);

	ret = ret ? ret : store_manifest(v->store, &d, v->want, &at, &m, e);
	if (ret)
		return ret;
	ret = store_image(v->store, &at, &m, &im, e);
	if (!ret) {
		ret = docker_image(v, &m, im, d.name, e);
		image_free(im);
	}
	manifest_fini(&m);
	return ret;
}

static int finish_docker(struct save *v, struct err *e)
{
	char *text;
	size_t len;
	int ret = doc_print(v->list, &text, &len, e);

	if (ret)
		return ret;
	ret = tar_put_file(&v->out, "manifest.json", text, len, e);
	free(text);
	return ret;
}

/* ---- all ---- */

static int save_all(struct save *v, const char *const refs[], unsigned n, enum image_format format,
		    struct err *e)
{
	bool dir = format == IMAGE_OCI_DIR;
	int ret = 0;

	for (unsigned i = 0; !ret && i < n; i++)
		ret = format == IMAGE_DOCKER_ARCHIVE ? save_docker(v, refs[i], e)
						     : save_oci(v, dir, refs[i], e);
	if (!ret)
		ret = format == IMAGE_DOCKER_ARCHIVE ? finish_docker(v, e) : finish_oci(v, dir, e);
	return ret || dir ? ret : tar_finish(&v->out, e);
}

static int open_dir(const char *path, struct err *e)
{
	int fd;

	if (mkdir(path, 0755) && errno != EEXIST)
		return err_errno(e, "cannot create %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "%s", path);
	if (!faccessat(fd, "index.json", F_OK, 0)) {
		close(fd);
		return err_set(e, EEXIST, "%s holds images already: give a new directory", path);
	}
	if ((mkdirat(fd, "blobs", 0755) && errno != EEXIST) ||
	    (mkdirat(fd, "blobs/sha256", 0755) && errno != EEXIST)) {
		close(fd);
		return err_errno(e, "cannot create a directory in %s", path);
	}
	return fd;
}

static int save_to_file(struct save *v, const char *const refs[], unsigned n,
			enum image_format format, const char *path, struct err *e)
{
	char tmp[PATHS_MAX];
	int ret = paths_format(tmp, e, "%s.XXXXXX", path);

	if (ret)
		return ret;
	v->fd = mkostemp(tmp, O_CLOEXEC);
	if (v->fd < 0)
		return err_errno(e, "cannot create %s", path);
	ret = save_all(v, refs, n, format, e);
	if (!ret && (fchmod(v->fd, 0644) || rename(tmp, path)))
		ret = err_errno(e, "cannot create %s", path);
	if (ret)
		unlink(tmp);
	close(v->fd);
	return ret;
}

int image_save(struct image_store *s, const char *const refs[], unsigned n,
	       enum image_format format, const struct image_platform *want, const char *path,
	       struct err *e)
{
	struct save v = {.store = s, .want = want, .list = json_array(), .written = json_object()};
	int ret;

	v.out = (struct tar_writer){write_fd, &v};
	if (format == IMAGE_OCI_DIR) {
		ret = v.fd = open_dir(path, e);
		if (ret >= 0) {
			ret = save_all(&v, refs, n, format, e);
			close(v.fd);
		}
	} else if (!strcmp(path, "-")) {
		v.fd = STDOUT_FILENO;
		ret = save_all(&v, refs, n, format, e);
	} else {
		ret = save_to_file(&v, refs, n, format, path, e);
	}
	json_decref(v.list);
	json_decref(v.written);
	return ret;
}
