// SPDX-License-Identifier: Apache-2.0
/* tar both ways and unpacking: src/image/tar.c, tar_write.c, unpack.c. */
#include "image/store.h"
#include "image/unpack.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* An archive in memory, given out in pieces of `step` bytes. */
struct mem {
	u8 *p;
	size_t len, room, at, step;
};

static int mem_write(void *opaque, const void *data, size_t len, struct err *e)
{
	struct mem *m = opaque;

	if (m->len + len > m->room) {
		m->room = 2 * m->room + len;
		m->p = realloc(m->p, m->room);
	}
	memcpy(m->p + m->len, data, len);
	m->len += len;
	return 0;
}

static ssize_t mem_next(void *opaque, const u8 **p, struct err *e)
{
	struct mem *m = opaque;
	size_t n = m->len - m->at < m->step ? m->len - m->at : m->step;

	*p = m->p + m->at;
	m->at += n;
	return (ssize_t)n;
}

static void put(struct mem *m, enum tar_kind kind, const char *name, const char *link,
		const char *data)
{
	const struct tar_writer w = {mem_write, m};
	struct tar_entry *t = calloc(1, sizeof(*t));

	if (!t)
		return;
	t->kind = kind;
	t->mode = kind == TAR_DIR ? 0755 : 0644;
	snprintf(t->name, sizeof(t->name), "%s", name);
	snprintf(t->link, sizeof(t->link), "%s", link ? link : "");
	t->size = data ? strlen(data) : 0;
	t->mtime = 1000;
	tar_put(&w, t, NULL);
	if (data) {
		mem_write(m, data, t->size, NULL);
		tar_pad(&w, t->size, NULL);
	}
	free(t);
}

static void t_round_trip(void)
{
	struct mem m = {0};
	const struct tar_writer w = {mem_write, &m};
	struct source from = {mem_next, &m};
	struct tar_entry *t = calloc(1, sizeof(*t));
	const struct tar_entry *x = NULL;
	struct tar *tar;
	const u8 *p = NULL;

	CHECK(t);
	memset(t->name, 'n', 300);
	t->mode = 04711;
	t->uid = 4000000000u;
	t->gid = 70000;
	t->size = 3;
	t->mtime = -2;
	t->mtime_ns = 250000000;
	t->xattrs[0] = (struct tar_xattr){"user.bin", (const u8 *)"a\0=\n", 4};
	t->nxattrs = 1;
	CHECK(!tar_put(&w, t, NULL) && !mem_write(&m, "abc", 3, NULL) && !tar_pad(&w, 3, NULL));
	CHECK(!tar_finish(&w, NULL));
	for (m.step = 1; m.step < 2000; m.step += 333) {
		m.at = 0;
		CHECK(!tar_open(&from, &tar, NULL));
		CHECK_EQ(tar_next(tar, &x, NULL), 1);
		CHECK(!strcmp(x->name, t->name) && x->mode == 04711 && x->uid == 4000000000u);
		CHECK(x->gid == 70000 && x->mtime == -2 && x->mtime_ns == 250000000);
		CHECK(x->nxattrs == 1 && x->xattrs[0].len == 4);
		CHECK(!memcmp(x->xattrs[0].value, "a\0=\n", 4));
		CHECK(tar_data(tar, &p, NULL) >= 1 && *p == 'a');
		CHECK_EQ(tar_next(tar, &x, NULL), 0);
		tar_close(tar);
	}
	free(t);
	free(m.p);
}

/* Reads a whole archive: number of entries, or the error. */
static int count(struct mem *m)
{
	struct source from = {mem_next, m};
	const struct tar_entry *x;
	struct tar *tar;
	int n = 0, ret = tar_open(&from, &tar, NULL);

	m->at = 0;
	while (!ret && (ret = tar_next(tar, &x, NULL)) > 0) {
		n++;
		ret = 0;
	}
	tar_close(tar);
	return ret ? ret : n;
}

static void t_cut_anywhere(void)
{
	struct mem m = {.step = 100};
	size_t whole;

	put(&m, TAR_FILE, "a", NULL, "some text");
	put(&m, TAR_SYMLINK, "b", "a", NULL);
	whole = m.len;
	CHECK_EQ(count(&m), 2);
	/* On a block's edge an archive may end; elsewhere it is an error. */
	for (m.len = 0; m.len < whole; m.len++) {
		int n = count(&m);

		if (m.len % TAR_BLOCK || m.len == TAR_BLOCK)
			CHECK_EQ(n, (int)-EBADMSG);
		else
			CHECK(n >= 0);
	}
	m.p[20] ^= 1;
	CHECK_EQ(count(&m), (int)-EBADMSG);
	free(m.p);
}

/* Unpacks into a fresh directory; its descriptor, or -1 with *ret set. */
static int unpack(struct mem *m, const struct unpack_limits *l, char *dir, int *ret)
{
	struct source from = {mem_next, m};
	const struct tar_writer w = {mem_write, m};
	int fd;

	snprintf(dir, 64, "/tmp/hull-unpack-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	tar_finish(&w, NULL);
	m->step = 700;
	*ret = unpack_tar(&from, fd, true, l, NULL, NULL);
	return fd;
}

static void drop(struct mem *m, int fd, const char *dir)
{
	close(fd);
	store_tree_remove(AT_FDCWD, dir);
	free(m->p);
	*m = (struct mem){0};
}

static void t_unpacks(void)
{
	struct mem m = {0};
	char dir[64], text[16] = "";
	struct stat a, b;
	int ret, f, fd;

	put(&m, TAR_DIR, "./d", NULL, NULL);
	put(&m, TAR_FILE, "d/f", NULL, "old");
	put(&m, TAR_FILE, "/d//./f", NULL, "new");
	put(&m, TAR_HARDLINK, "d/h", "d/f", NULL);
	put(&m, TAR_SYMLINK, "d/s", "/d/f", NULL);
	put(&m, TAR_FILE, "made/up/parents", NULL, "x");
	put(&m, TAR_FILE, "d/.wh.gone", NULL, "");
	put(&m, TAR_SYMLINK, "abs", "/d", NULL);
	put(&m, TAR_FILE, "abs/inside", NULL, "y");
	fd = unpack(&m, NULL, dir, &ret);
	CHECK(fd >= 0);
	CHECK_EQ(ret, 0);
	f = openat(fd, "d/f", O_RDONLY);
	CHECK(f >= 0 && read(f, text, sizeof(text)) == 3 && !strcmp(text, "new"));
	close(f);
	CHECK(!fstatat(fd, "d/f", &a, 0) && !fstatat(fd, "d/h", &b, 0) && a.st_ino == b.st_ino);
	CHECK(a.st_mtime == 1000 && !fstatat(fd, "d", &b, 0) && b.st_mtime == 1000);
	CHECK(!fstatat(fd, "made/up/parents", &a, 0));
	CHECK(!fstatat(fd, "d/gone", &a, AT_SYMLINK_NOFOLLOW) && S_ISCHR(a.st_mode) && !a.st_rdev);
	/* An absolute link counts from the layer's own root. */
	CHECK(!fstatat(fd, "d/inside", &a, 0));
	drop(&m, fd, dir);
}

static void t_refused(void)
{
	static const struct {
		enum tar_kind kind;
		const char *name, *link;
	} bad[] = {
		{TAR_FILE, "../x", NULL},	{TAR_FILE, "a/../../x", NULL},
		{TAR_DIR, "..", NULL},		{TAR_HARDLINK, "h", "../x"},
		{TAR_HARDLINK, "h", "nothing"}, {TAR_HARDLINK, "h", "/"},
		{TAR_FILE, ".wh...", NULL},	{TAR_FILE, ".wh.", NULL},
		{TAR_SYMLINK, "/", "x"},	{TAR_FILE, ".", NULL},
		{TAR_CHAR, "whiteout", NULL},	{TAR_SYMLINK, "x/..", "y"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct mem m = {0};
		char dir[64];
		int ret = 0, fd;

		put(&m, bad[i].kind, bad[i].name, bad[i].link,
		    bad[i].kind == TAR_FILE ? "x" : NULL);
		fd = unpack(&m, NULL, dir, &ret);
		CHECK(fd >= 0);
		if (ret != -EBADMSG)
			printf("# case %u gave %d\n", i, ret);
		CHECK_EQ(ret, (int)-EBADMSG);
		drop(&m, fd, dir);
	}
}

static void t_limits(void)
{
	const struct unpack_limits bytes = {10, 100}, entries = {1000, 2};
	struct mem m = {0};
	char dir[64];
	int ret, fd;

	put(&m, TAR_FILE, "a", NULL, "1234567");
	put(&m, TAR_FILE, "b", NULL, "1234567");
	fd = unpack(&m, &bytes, dir, &ret);
	CHECK_EQ(ret, (int)-EFBIG);
	drop(&m, fd, dir);
	for (unsigned i = 0; i < 3; i++)
		put(&m, TAR_DIR, i == 0 ? "a" : i == 1 ? "b" : "c", NULL, NULL);
	fd = unpack(&m, &entries, dir, &ret);
	CHECK_EQ(ret, (int)-EFBIG);
	drop(&m, fd, dir);
}

static void t_whiteout_then_directory(void)
{
	struct mem m = {0};
	char dir[64], v[4];
	int ret, d, fd;

	put(&m, TAR_FILE, ".wh.d", NULL, "");
	put(&m, TAR_DIR, "d", NULL, NULL);
	put(&m, TAR_FILE, "d/new", NULL, "x");
	fd = unpack(&m, NULL, dir, &ret);
	CHECK_EQ(ret, 0);
	d = openat(fd, "d", O_RDONLY | O_DIRECTORY);
	CHECK(d >= 0);
	/* The name is the kernel's; user. xattrs may be missing on a tmpfs of old kernels. */
	CHECK(fgetxattr(d, unpack_opaque_xattr(), v, sizeof(v)) == 1 && v[0] == 'y');
	close(d);
	drop(&m, fd, dir);
}

int main(void)
{
	RUN(t_round_trip);
	RUN(t_cut_anywhere);
	RUN(t_unpacks);
	RUN(t_refused);
	RUN(t_limits);
	RUN(t_whiteout_then_directory);
	return test_done();
}
