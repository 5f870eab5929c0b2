/* SPDX-License-Identifier: Apache-2.0 */
/* Tests src/block/raw.c, by io_uring and by threads. */
#include "tests/test.h"

#include "block/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (4u << 20)

static struct loop *l;
static struct io_block *b;
static char path[] = "/tmp/hull-raw-XXXXXX";
static bool threads;
static unsigned done_count;
static int last_err;

static void on_done(struct io_block_req *req, int err)
{
	done_count++;
	last_err = err;
	*(int *)req->opaque = err;
	loop_stop(l);
}

static int open_disk(bool readonly, const char *serial, struct err *e)
{
	const struct raw_config cfg = {path, readonly, serial, threads};

	return raw_open(l, &cfg, &b, e);
}

static void make_file(u64 size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		abort();
	close(fd);
}

static void setup(void)
{
	make_file(SIZE);
	done_count = 0;
	open_disk(false, "s1", NULL);
}

static void teardown(void)
{
	loop_lock(l);
	raw_close(b);
	loop_unlock(l);
	b = NULL;
}

static void submit(struct io_block_req *r)
{
	loop_lock(l);
	b->ops->submit(b, r);
	b->ops->commit(b);
	loop_unlock(l);
}

/* Submits and runs the event loop until it is done. */
static int run(enum io_block_op op, u64 off, u64 len, const struct io_vec *iov, unsigned niov)
{
	int err = 1;
	struct io_block_req r = {.op = op,
				 .offset = off,
				 .len = len,
				 .iov = iov,
				 .niov = niov,
				 .done = on_done,
				 .opaque = &err};

	submit(&r);
	while (err == 1)
		loop_run(l);
	return err;
}

static void t_write_read(void)
{
	static u8 out[8192], in[8192];
	struct io_vec w[2] = {{out, 512}, {out + 512, 7680}},
		      r[3] = {{in, 4096}, {in + 4096, 96}, {in + 4192, 4000}};

	setup();
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 13 + i / 256);
	CHECK_EQ(run(IO_BLOCK_WRITE, 1536, 8192, w, 2), 0);
	CHECK_EQ(run(IO_BLOCK_READ, 1536, 8192, r, 3), 0);
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK_EQ(run(IO_BLOCK_FLUSH, 0, 0, NULL, 0), 0);
	CHECK_EQ(b->size, SIZE);
	CHECK(!strcmp(b->serial, "s1"));
	teardown();
}

static u64 blocks(void)
{
	struct stat st;

	stat(path, &st);
	return (u64)st.st_blocks;
}

static void t_discard_and_zeroes(void)
{
	static u8 buf[1 << 20];
	struct io_vec v = {buf, sizeof(buf)};
	u64 full;

	setup();
	memset(buf, 0xaa, sizeof(buf));
	CHECK_EQ(run(IO_BLOCK_WRITE, 0, sizeof(buf), &v, 1), 0);
	CHECK_EQ(run(IO_BLOCK_FLUSH, 0, 0, NULL, 0), 0);
	full = blocks();
	CHECK_EQ(run(IO_BLOCK_WRITE_ZEROES, 4096, 8192, NULL, 0), 0);
	CHECK_EQ(run(IO_BLOCK_READ, 0, sizeof(buf), &v, 1), 0);
	CHECK(buf[4095] == 0xaa && !buf[4096] && !buf[12287] && buf[12288] == 0xaa);
	CHECK_EQ(run(IO_BLOCK_DISCARD, 65536, 524288, NULL, 0), 0);
	CHECK(blocks() < full);
	teardown();
}

static void t_many_at_once(void)
{
	static u8 buf[400][512];
	static struct io_vec v[400];
	static struct io_block_req r[400];
	static int err[400];

	setup();
	loop_lock(l);
	for (unsigned i = 0; i < 400; i++) { /* more than there are slots */
		memset(buf[i], (int)i, 512);
		v[i] = (struct io_vec){buf[i], 512};
		err[i] = 1;
		r[i] = (struct io_block_req){.op = IO_BLOCK_WRITE,
					     .offset = i * 512,
					     .len = 512,
					     .iov = &v[i],
					     .niov = 1,
					     .done = on_done,
					     .opaque = &err[i]};
		b->ops->submit(b, &r[i]);
	}
	b->ops->commit(b);
	raw_drain(b);
	loop_unlock(l);
	CHECK_EQ(done_count, 400);
	for (unsigned i = 0; i < 400; i++)
		CHECK_EQ(err[i], 0);
	struct io_vec one = {buf[0], 512};

	CHECK_EQ(run(IO_BLOCK_READ, 399 * 512, 512, &one, 1), 0);
	CHECK_EQ(buf[0][511], (u8)399);
	teardown();
}

/* The image gets shorter under us: an error, not stale bytes. */
static void t_truncated(void)
{
	static u8 buf[8192];
	struct io_vec v = {buf, sizeof(buf)};

	setup();
	CHECK_EQ(truncate(path, SIZE / 2), 0);
	CHECK_EQ(run(IO_BLOCK_READ, SIZE / 2 - 4096, 8192, &v, 1), (u64)-EIO);
	teardown();
}

static void t_cut_at_end_of_file(void)
{
	static u8 in[6000];
	struct io_vec v[3] = {{in, 1000}, {in + 1000, 3096}, {in + 4096, 1904}};

	/* What lies before the end is read, then the rest fails. */
	setup();
	CHECK_EQ(truncate(path, 4096), 0);
	CHECK_EQ(run(IO_BLOCK_READ, 0, 6000, v, 3), (u64)-EIO);
	teardown();
}

static void t_errors_of_open(void)
{
	struct err e = {0};
	struct io_block *first;

	make_file(0);
	CHECK(open_disk(false, NULL, &e) == -EINVAL && strstr(e.msg, "is empty"));
	make_file(1000);
	CHECK(open_disk(false, NULL, &e) == -EINVAL && strstr(e.msg, "multiple of 512"));
	make_file(SIZE);
	CHECK(open_disk(false, "123456789012345678901", &e) == -EINVAL);
	CHECK_EQ(open_disk(false, NULL, &e), 0);
	first = b;
	CHECK(open_disk(false, NULL, &e) == -EBUSY && strstr(e.msg, "in use"));
	CHECK(open_disk(true, NULL, &e) == -EBUSY);
	b = first;
	teardown();
	CHECK_EQ(open_disk(true, NULL, &e), 0);
	first = b;
	CHECK_EQ(open_disk(true, NULL, &e), 0);
	teardown();
	b = first;
	teardown();
	unlink(path);
	CHECK(open_disk(false, NULL, &e) == -ENOENT && strstr(e.msg, path));
	b = NULL;
}

static void t_no_space(void)
{
	/* A file-size limit stands in for a full disk: writes beyond it fail. */
	static u8 buf[512];
	struct io_vec v = {buf, sizeof(buf)};

	setup();
	CHECK_EQ(run(IO_BLOCK_WRITE, 1ull << 62, 512, &v, 1) != 0, 1);
	teardown();
}

int main(void)
{
	struct err e;

	close(mkstemp(path));
	if (loop_create(&l, &e))
		return 1;
	for (unsigned i = 0; i < 2; i++) {
		threads = i;
		RUN(t_write_read);
		RUN(t_discard_and_zeroes);
		RUN(t_many_at_once);
		RUN(t_truncated);
		RUN(t_cut_at_end_of_file);
		RUN(t_errors_of_open);
		RUN(t_no_space);
	}
	unlink(path);
	loop_destroy(l);
	return test_done();
}
