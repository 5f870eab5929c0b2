/* SPDX-License-Identifier: Apache-2.0 */
#include "image/pack.h"

#include "image/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_FILES 100000u
#define MAX_LINKS 8u
#define COPY_CHUNK KIB(256)

struct pack_entry {
	char *name, *link; /* link: what it is a link to, from the root; NULL: a file */
	u64 at, size;
};

struct pack {
	int fd;
	bool dir;
	struct pack_entry *v;
	size_t n, room;
};

bool pack_is_dir(const struct pack *p)
{
	return p->dir;
}

void pack_close(struct pack *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].name);
		free(p->v[i].link);
	}
	free(p->v);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

/* Lexical: "a/../b/./c" is "b/c"; what leads out of the pack ends at its root. */
static void normalize(const char *in, char *out)
{
	size_t at = 0;

	for (const char *s = in; *s;) {
		size_t n = strcspn(s, "/");

		if (n == 2 && !memcmp(s, "..", 2)) {
			while (at && out[at - 1] != '/')
				at--;
			at -= at > 0;
		} else if (n && !(n == 1 && *s == '.')) {
			if (at)
				out[at++] = '/';
			memcpy(out + at, s, n);
			at += n;
		}
		s += n + (s[n] == '/');
	}
	out[at] = 0;
}

/* A symbolic link counts from its own directory, a hard link from the root. */
static char *link_target(const struct tar_entry *t)
{
	char joined[2 * TAR_MAX_NAME + 2], clean[2 * TAR_MAX_NAME + 2];
	const char *slash = strrchr(t->name, '/');

	if (t->kind == TAR_SYMLINK && t->link[0] != '/' && slash)
		snprintf(joined, sizeof(joined), "%.*s/%s", (int)(slash - t->name), t->name,
			 t->link);
	else
		snprintf(joined, sizeof(joined), "%s", t->link);
	normalize(joined, clean);
	return strdup(clean);
}

static int add_entry(struct pack *p, const struct tar_entry *t, u64 at, struct err *e)
{
	bool link = t->kind == TAR_HARDLINK || t->kind == TAR_SYMLINK;
	char clean[TAR_MAX_NAME];
	struct pack_entry *x;

	if (t->kind != TAR_FILE && !link)
		return 0;
	if (p->n == MAX_FILES)
		return err_set(e, EFBIG, "more than %u files in the archive", MAX_FILES);
	if (!p->v || p->n == p->room) {
		p->room = p->room ? 2 * p->room : 64;
		x = reallocarray(p->v, p->room, sizeof(*x));
		if (!x)
			return err_set(e, ENOMEM, "no memory");
		p->v = x;
	}
	x = &p->v[p->n];
	normalize(t->name, clean);
	*x = (struct pack_entry){.name = strdup(clean),
				 .link = link ? link_target(t) : NULL,
				 .at = at,
				 .size = t->size};
	p->n++;
	return x->name && (!link || x->link) ? 0 : err_set(e, ENOMEM, "no memory");
}

static int index_archive(struct pack *p, struct err *e)
{
	const struct tar_entry *t;
	struct file_source f;
	struct source from;
	struct tar *tar = NULL;
	int ret = file_source_init(&f, p->fd, 0, (u64)-1, "archive", &from, e);

	if (!ret)
		ret = tar_open(&from, &tar, e);
	while (!ret && (ret = tar_next(tar, &t, e)) > 0)
		ret = add_entry(p, t, tar_offset(tar), e);
	tar_close(tar);
	file_source_fini(&f);
	return ret;
}

/* ---- unwinding into a temporary file ---- */

static int copy_plain(const struct image_store *st, const struct source *from, int to,
		      struct err *e)
{
	struct inflate *z = NULL;
	u8 *buf = malloc(COPY_CHUNK);
	ssize_t n = buf ? inflate_create(from, &z, e) : err_set(e, ENOMEM, "no memory");

	if (n) {
		free(buf);
		return (int)n;
	}
	while ((n = inflate_read(z, buf, COPY_CHUNK, e)) > 0)
		if (write(to, buf, (size_t)n) != n) {
			n = store_io_error(st, "cannot keep the archive", e);
			break;
		}
	inflate_destroy(z);
	free(buf);
	return (int)n;
}

/* Replaces p->fd by an unnamed plain copy. */
static int unwind(const struct image_store *st, struct pack *p, struct err *e)
{
	struct pipe_source ps;
	struct source from;
	char tmp[100];
	int fd, ret = pipe_source_init(&ps, p->fd, "the archive", &from, e);

	if (ret)
		return ret;
	fd = store_temp_file(st, tmp, e);
	if (fd >= 0)
		unlinkat(st->fd, tmp, 0);
	ret = fd < 0 ? fd : copy_plain(st, &from, fd, e);
	pipe_source_fini(&ps);
	if (ret) {
		if (fd >= 0)
			close(fd);
		return ret;
	}
	close(p->fd);
	p->fd = fd;
	return 0;
}

static int open_archive(const struct image_store *st, struct pack *p, struct err *e)
{
	u8 head[8] = {0};
	struct stat x;
	int ret = 0;
	bool seekable = !fstat(p->fd, &x) && S_ISREG(x.st_mode) && !lseek(p->fd, 0, SEEK_CUR);
	ssize_t n = seekable ? pread(p->fd, head, sizeof(head), 0) : 0;

	if (!seekable || n < 0 || compression_detect(head, (size_t)n) != COMPRESSION_NONE)
		ret = unwind(st, p, e);
	return ret ? ret : index_archive(p, e);
}

int pack_open(const struct image_store *s, const char *path, struct pack **out, struct err *e)
{
	struct pack *p = calloc(1, sizeof(*p));
	struct stat st;
	int ret = 0;

	*out = NULL;
	if (!p)
		return err_set(e, ENOMEM, "no memory");
	p->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC)
				  : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (p->fd < 0 || fstat(p->fd, &st))
		ret = err_errno(e, "%s", path);
	else if (S_ISDIR(st.st_mode))
		p->dir = true;
	else if ((ret = open_archive(s, p, e)))
		err_wrap(e, "%s", path);
	if (ret)
		pack_close(p);
	else
		*out = p;
	return ret;
}

/* ---- finding ---- */

/* The last entry of a name counts, as in any tar. */
static const struct pack_entry *entry(const struct pack *p, const char *name)
{
	for (size_t i = p->n; i-- > 0;)
		if (!strcmp(p->v[i].name, name))
			return &p->v[i];
	return NULL;
}

static int find_in_dir(const struct pack *p, const char *name, struct pack_file *out, struct err *e)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	struct stat st;

	out->fd = (int)syscall(SYS_openat2, p->fd, name, &how, sizeof(how));
	if (out->fd < 0)
		return err_errno(e, "%s", name);
	if (fstat(out->fd, &st) || !S_ISREG(st.st_mode)) {
		close(out->fd);
		return err_set(e, EINVAL, "%s is no plain file", name);
	}
	out->at = 0;
	out->size = (u64)st.st_size;
	return 0;
}

int pack_find(struct pack *p, const char *name, struct pack_file *out, struct err *e)
{
	const struct pack_entry *x;

	if (p->dir)
		return find_in_dir(p, name, out, e);
	x = entry(p, name);
	for (unsigned i = 0; x && x->link && i < MAX_LINKS; i++)
		x = entry(p, x->link);
	if (!x || x->link)
		return err_set(e, ENOENT, "%s is not in the archive", name);
	out->fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 3);
	if (out->fd < 0)
		return err_errno(e, "%s", name);
	out->at = x->at;
	out->size = x->size;
	return 0;
}

int pack_read(struct pack *p, const char *name, char **data, size_t *len, struct err *e)
{
	struct pack_file f = {.fd = -1};
	int ret = pack_find(p, name, &f, e);

	*data = NULL;
	if (ret)
		return ret;
	if (f.size > DOC_MAX) {
		ret = err_set(e, EFBIG, "%s: more than %u MiB", name, (unsigned)(DOC_MAX >> 20));
	} else if (!(*data = malloc(f.size + 1))) {
		ret = err_set(e, ENOMEM, "no memory");
	} else if (pread(f.fd, *data, f.size, (off_t)f.at) != (ssize_t)f.size) {
		ret = err_set(e, EIO, "%s: cut short", name);
		free(*data);
		*data = NULL;
	} else {
		(*data)[f.size] = 0;
		*len = f.size;
	}
	close(f.fd);
	return ret;
}
