/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by raw.c (what to do) and raw_exec.c (how it is carried out). */
#ifndef HULL_BLOCK_RAW_INTERNAL_H
#define HULL_BLOCK_RAW_INTERNAL_H

#include "block/raw.h"

#include <liburing.h>
#include <pthread.h>
#include <sys/uio.h>

#define RAW_SLOTS 128
#define RAW_THREADS 4
#define RAW_ZEROES 65536u

enum raw_step_kind { RAW_READV, RAW_WRITEV, RAW_FDATASYNC, RAW_FALLOCATE };

/* One system call. */
struct raw_step {
	enum raw_step_kind kind;
	u64 offset, len;
	const struct iovec *iov;
	unsigned niov;
	int mode; /* of fallocate */
};

struct raw;

struct raw_slot {
	struct raw *raw;
	struct raw_slot *next; /* free list, or a thread queue */
	struct io_block_req *req;
	struct raw_step step;
	struct iovec piece;
	u64 done;     /* bytes transferred */
	bool by_hand; /* zeroes are written, not allocated */
	int result;   /* of the step, by a thread */
};

struct raw {
	struct io_block io;
	struct loop *loop;
	char *path;
	int fd;
	unsigned in_flight; /* requests, the waiting ones too */
	struct raw_slot *free;
	struct io_block_req *waiting, **waiting_end; /* linked by req->backend */
	bool exec_ready;
	struct loop_fd watch; /* of the ring, or of wake */
	/* io_uring */
	bool ring_used;
	struct io_uring ring;
	/* threads; todo and finished are guarded by mutex */
	pthread_mutex_t mutex;
	pthread_cond_t work, finished_some;
	pthread_t thread[RAW_THREADS];
	unsigned nthreads;
	bool stop;
	struct raw_slot *todo, **todo_end;
	struct raw_slot *finished;
	int wake; /* eventfd: something has finished */
	struct raw_slot slot[RAW_SLOTS];
	u8 zeroes[RAW_ZEROES];
};

static inline struct raw *raw_of(struct io_block *b)
{
	return container_of(b, struct raw, io);
}

/* raw_exec.c; all with the machine lock held (init and fini: or nobody else around) */
int raw_exec_init(struct raw *r, bool threads, struct err *e);
void raw_exec_fini(struct raw *r); /* nothing in flight */
/* Starts s->step; raw_step_done follows later, never from inside. */
void raw_exec_step(struct raw *r, struct raw_slot *s);
void raw_exec_commit(struct raw *r);
/* Sleeps until at least one step has finished and calls raw_step_done. */
void raw_exec_wait(struct raw *r);

/* raw.c: res is what the system call returned, or -errno. */
void raw_step_done(struct raw *r, struct raw_slot *s, int res);

#endif
