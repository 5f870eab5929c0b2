/* SPDX-License-Identifier: Apache-2.0 */
#include "image/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK KIB(128)
#define CHUNKS 16u

/* ---- files ---- */

static ssize_t file_next(void *opaque, const u8 **p, struct err *e)
{
	struct file_source *f = opaque;
	size_t want = f->left < CHUNK ? (size_t)f->left : CHUNK;
	ssize_t n;

	do
		n = want ? pread(f->fd, f->buf, want, (off_t)f->at) : 0;
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, "cannot read %s", f->what);
	if (!n && f->left && f->left < (u64)1 << 62)
		return err_set(e, EBADMSG, "%s is cut short", f->what);
	f->at += (u64)n;
	f->left -= (u64)n;
	*p = f->buf;
	return n;
}

int file_source_init(struct file_source *f, int fd, u64 at, u64 len, const char *what,
		     struct source *out, struct err *e)
{
	*f = (struct file_source){.fd = fd, .at = at, .left = len, .what = what};
	f->buf = malloc(CHUNK);
	*out = (struct source){file_next, f};
	return f->buf ? 0 : err_set(e, ENOMEM, "no memory");
}

void file_source_fini(struct file_source *f)
{
	free(f->buf);
	f->buf = NULL;
}

static ssize_t pipe_next(void *opaque, const u8 **p, struct err *e)
{
	struct pipe_source *f = opaque;
	ssize_t n;

	do
		n = read(f->fd, f->buf, CHUNK);
	while (n < 0 && errno == EINTR);
	*p = f->buf;
	return n < 0 ? err_errno(e, "cannot read %s", f->what) : n;
}

int pipe_source_init(struct pipe_source *f, int fd, const char *what, struct source *out,
		     struct err *e)
{
	*f = (struct pipe_source){.fd = fd, .what = what, .buf = malloc(CHUNK)};
	*out = (struct source){pipe_next, f};
	return f->buf ? 0 : err_set(e, ENOMEM, "no memory");
}

void pipe_source_fini(struct pipe_source *f)
{
	free(f->buf);
	f->buf = NULL;
}

/* ---- ring ---- */

struct ring {
	pthread_mutex_t lock;
	pthread_cond_t room, data;
	u8 *chunks; /* CHUNKS * CHUNK */
	size_t len[CHUNKS];
	u64 head;		 /* chunks written */
	u64 tail[RING_READERS];	 /* chunks each reader is done with */
	bool held[RING_READERS]; /* reader looks at chunk tail */
	unsigned readers;
	bool ended, cancelled;
	int status;
	struct err why;
};

int ring_create(unsigned readers, struct ring **out, struct err *e)
{
	struct ring *r = calloc(1, sizeof(*r));

	*out = r;
	if (r)
		r->chunks = malloc(CHUNKS * CHUNK);
	if (!r || !r->chunks) {
		free(r);
		*out = NULL;
		return err_set(e, ENOMEM, "no memory");
	}
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->room, NULL);
	pthread_cond_init(&r->data, NULL);
	r->readers = readers;
	return 0;
}

void ring_destroy(struct ring *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->room);
	pthread_cond_destroy(&r->data);
	free(r->chunks);
	free(r);
}

static bool full(const struct ring *r)
{
	for (unsigned i = 0; i < r->readers; i++)
		if (r->head - r->tail[i] == CHUNKS)
			return true;
	return false;
}

u8 *ring_room(struct ring *r, size_t *cap)
{
	u8 *p = NULL;

	pthread_mutex_lock(&r->lock);
	while (full(r) && !r->cancelled)
		pthread_cond_wait(&r->room, &r->lock);
	if (!r->cancelled)
		p = r->chunks + r->head % CHUNKS * CHUNK;
	pthread_mutex_unlock(&r->lock);
	*cap = CHUNK;
	return p;
}

void ring_put(struct ring *r, size_t len)
{
	pthread_mutex_lock(&r->lock);
	r->len[r->head % CHUNKS] = len;
	r->head++;
	pthread_cond_broadcast(&r->data);
	pthread_mutex_unlock(&r->lock);
}

bool ring_write(struct ring *r, const void *data, size_t len)
{
	const u8 *p = data;

	while (len) {
		size_t cap;
		u8 *room = ring_room(r, &cap);

		if (!room)
			return false;
		if (cap > len)
			cap = len;
		memcpy(room, p, cap);
		ring_put(r, cap);
		p += cap;
		len -= cap;
	}
	return true;
}

void ring_end(struct ring *r, int status, const struct err *why)
{
	pthread_mutex_lock(&r->lock);
	if (!r->ended) {
		r->ended = true;
		r->status = status;
		if (why)
			r->why = *why;
	}
	pthread_cond_broadcast(&r->data);
	pthread_mutex_unlock(&r->lock);
}

void ring_cancel(struct ring *r)
{
	pthread_mutex_lock(&r->lock);
	r->cancelled = true;
	pthread_cond_broadcast(&r->room);
	pthread_cond_broadcast(&r->data);
	pthread_mutex_unlock(&r->lock);
}

/* With the lock: the reader is done with the chunk it got last. */
static void let_go(struct ring *r, unsigned n)
{
	if (!r->held[n])
		return;
	r->held[n] = false;
	r->tail[n]++;
	pthread_cond_signal(&r->room);
}

static ssize_t ring_next(void *opaque, const u8 **p, struct err *e)
{
	struct ring_reader *rr = opaque;
	struct ring *r = rr->ring;
	ssize_t ret;

	pthread_mutex_lock(&r->lock);
	let_go(r, rr->n);
	while (r->tail[rr->n] == r->head && !r->ended && !r->cancelled)
		pthread_cond_wait(&r->data, &r->lock);
	if (r->cancelled) {
		ret = err_set(e, ECANCELED, "cancelled");
	} else if (r->tail[rr->n] != r->head) {
		r->held[rr->n] = true;
		*p = r->chunks + r->tail[rr->n] % CHUNKS * CHUNK;
		ret = (ssize_t)r->len[r->tail[rr->n] % CHUNKS];
	} else {
		ret = r->status;
		if (ret && e)
			*e = r->why;
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

struct source ring_source(struct ring_reader *rr, struct ring *r, unsigned n)
{
	*rr = (struct ring_reader){r, n};
	return (struct source){ring_next, rr};
}
