// SPDX-License-Identifier: Apache-2.0
/* The ring between threads, and decompression: src/image/stream.c, inflate.c. */
#include "image/stream.h"
#include "tests/test.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <pthread.h>
#include <zstd.h>

#define BYTES (5u << 20)

static u8 byte_at(size_t i)
{
	return (u8)(i * 2654435761u >> 13);
}

struct reader {
	struct ring *r;
	unsigned n;
	size_t stop; /* give up after so many bytes; 0: never */
	size_t got;
	int ret;
	bool same;
	struct err e;
};

static void *read_all(void *opaque)
{
	struct reader *x = opaque;
	struct ring_reader rr;
	struct source s = ring_source(&rr, x->r, x->n);
	const u8 *p;
	ssize_t n;

	x->same = true;
	while ((n = s.next(s.opaque, &p, &x->e)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			x->same &= p[i] == byte_at(x->got + (size_t)i);
		x->got += (size_t)n;
		if (x->stop && x->got >= x->stop) {
			ring_cancel(x->r);
			break;
		}
	}
	x->ret = (int)n;
	return NULL;
}

static bool write_all(struct ring *r)
{
	u8 buf[1000];

	for (size_t at = 0; at < BYTES; at += sizeof(buf)) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = byte_at(at + i);
		if (!ring_write(r, buf, BYTES - at < sizeof(buf) ? BYTES - at : sizeof(buf)))
			return false;
	}
	return true;
}

static void t_two_readers(void)
{
	struct reader x[2] = {{.n = 0}, {.n = 1}};
	pthread_t t[2];
	struct ring *r;

	CHECK(!ring_create(2, &r, NULL));
	for (unsigned i = 0; i < 2; i++) {
		x[i].r = r;
		CHECK(!pthread_create(&t[i], NULL, read_all, &x[i]));
	}
	CHECK(write_all(r));
	ring_end(r, 0, NULL);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	for (unsigned i = 0; i < 2; i++)
		CHECK(x[i].same && x[i].got == BYTES && x[i].ret == 0);
	ring_destroy(r);
}

/* One reader gives up: writer and the other one learn of it instead of waiting for ever. */
static void t_cancelled(void)
{
	struct reader x[2] = {{.n = 0}, {.n = 1, .stop = 100000}};
	pthread_t t[2];
	struct ring *r;

	CHECK(!ring_create(2, &r, NULL));
	for (unsigned i = 0; i < 2; i++) {
		x[i].r = r;
		CHECK(!pthread_create(&t[i], NULL, read_all, &x[i]));
	}
	CHECK(!write_all(r));
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(x[0].ret, (int)-ECANCELED);
	ring_destroy(r);
}

static void t_error_passed_on(void)
{
	const struct err why = {EIO, "the reason"};
	struct reader x = {.n = 0};
	pthread_t t;

	CHECK(!ring_create(1, &x.r, NULL));
	CHECK(!pthread_create(&t, NULL, read_all, &x));
	ring_end(x.r, -EIO, &why);
	pthread_join(t, NULL);
	CHECK_EQ(x.ret, (int)-EIO);
	CHECK(!strcmp(x.e.msg, "the reason"));
	ring_destroy(x.r);
}

/* ---- decompression ---- */

struct mem {
	const u8 *p;
	size_t len, at, step;
};

static ssize_t mem_next(void *opaque, const u8 **p, struct err *e)
{
	struct mem *m = opaque;
	size_t n = m->len - m->at < m->step ? m->len - m->at : m->step;

	*p = m->p + m->at;
	m->at += n;
	return (ssize_t)n;
}

/* Bytes that came out and were right, or the error. */
static ssize_t inflate_check(const u8 *in, size_t len, size_t step, size_t cap)
{
	struct mem m = {in, len, 0, step};
	const struct source from = {mem_next, &m};
	struct inflate *z;
	u8 *out = malloc(cap);
	size_t got = 0;
	ssize_t n = out ? inflate_create(&from, &z, NULL) : -ENOMEM;

	if (!n) {
		while ((n = inflate_read(z, out, cap, NULL)) > 0) {
			for (ssize_t i = 0; i < n; i++)
				if (out[i] != byte_at((got + (size_t)i) % 200000))
					n = -EILSEQ;
			got += (size_t)n;
		}
		inflate_destroy(z);
	}
	free(out);
	return n ? n : (ssize_t)got;
}

static u8 *plain_bytes(void)
{
	u8 *p = malloc(200000);

	for (size_t i = 0; p && i < 200000; i++)
		p[i] = byte_at(i);
	return p;
}

static size_t gzip(const u8 *in, size_t len, u8 *out, size_t cap)
{
	struct isal_zstream z;

	isal_deflate_init(&z);
	z.gzip_flag = IGZIP_GZIP;
	z.end_of_stream = 1;
	z.flush = NO_FLUSH;
	z.next_in = (u8 *)in;
	z.avail_in = (u32)len;
	z.next_out = out;
	z.avail_out = (u32)cap;
	return isal_deflate(&z) ? 0 : cap - z.avail_out;
}

static void t_gzip(void)
{
	u8 *plain = plain_bytes(), *packed = calloc(1, 1 << 20);
	size_t n, two;

	CHECK(plain && packed);
	n = gzip(plain, 200000, packed, 1 << 19);
	CHECK(n > 100);
	for (size_t step = 1; step < 100000; step = step * 7 + 1)
		CHECK_EQ(inflate_check(packed, n, step, 1000 + step), 200000);
	/* Two members, and the zeros that tapes leave, are one stream. */
	two = n + gzip(plain, 200000, packed + n, 1 << 19);
	CHECK_EQ(inflate_check(packed, two, 777, 4096), 400000);
	CHECK_EQ(inflate_check(packed, two + 600, 777, 4096), 400000);
	packed[two] = 'x';
	CHECK_EQ(inflate_check(packed, two + 1, 777, 4096), (ssize_t)-EBADMSG);
	for (size_t cut = 11; cut < n; cut += 1 + n / 50)
		CHECK_EQ(inflate_check(packed, cut, 500, 4096), (ssize_t)-EBADMSG);
	/* The length at the end is checked (RFC 1952 2.3.1). */
	packed[n - 1] ^= 1;
	CHECK_EQ(inflate_check(packed, n, 500, 4096), (ssize_t)-EBADMSG);
	free(plain);
	free(packed);
}

static void t_zstd(void)
{
	u8 *plain = plain_bytes(), *packed = malloc(1 << 20);
	size_t n;

	CHECK(plain && packed);
	n = ZSTD_compress(packed, 1 << 20, plain, 200000, 3);
	CHECK(!ZSTD_isError(n));
	for (size_t step = 1; step < 100000; step = step * 9 + 1)
		CHECK_EQ(inflate_check(packed, n, step, 1000 + step), 200000);
	memmove(packed + n, packed, n);
	CHECK_EQ(inflate_check(packed, 2 * n, 999, 4096), 400000);
	for (size_t cut = 5; cut < n; cut += 1 + n / 50)
		CHECK_EQ(inflate_check(packed, cut, 500, 4096), (ssize_t)-EBADMSG);
	free(plain);
	free(packed);
}

static void t_others(void)
{
	u8 *plain = plain_bytes();

	CHECK(plain);
	CHECK_EQ(inflate_check(plain, 200000, 1000, 333), 200000);
	CHECK_EQ(inflate_check(plain, 0, 1000, 333), 0);
	CHECK_EQ(inflate_check((const u8 *)"BZh91AY&SY", 10, 10, 10), (ssize_t)-EOPNOTSUPP);
	CHECK_EQ(inflate_check((const u8 *)"\xfd"
					   "7zXZ\0\0",
			       7, 10, 10),
		 (ssize_t)-EOPNOTSUPP);
	free(plain);
}

int main(void)
{
	RUN(t_two_readers);
	RUN(t_cancelled);
	RUN(t_error_passed_on);
	RUN(t_gzip);
	RUN(t_zstd);
	RUN(t_others);
	return test_done();
}
