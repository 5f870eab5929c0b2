/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw images. Contract in raw.h.
 *
 * A request occupies a slot and is carried out in steps (one system call each:
 * usually a single one; more after a short transfer, or when zeroes have to be
 * written by hand). raw_exec.c carries steps out, by ring or by thread, and
 * returns each one's result to raw_step_done on the event thread.
 */
#include "block/raw.h"

#include "base/bits.h"
#include "block/raw_internal.h"
#include "host/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(sizeof(struct io_vec) == sizeof(struct iovec) &&
		      offsetof(struct io_vec, len) == offsetof(struct iovec, iov_len),
	      "io_vec is iovec");

static const char *const op_names[] = {
	[IO_BLOCK_READ] = "read",
	[IO_BLOCK_WRITE] = "write",
	[IO_BLOCK_FLUSH] = "flush",
	[IO_BLOCK_DISCARD] = "discard",
	[IO_BLOCK_WRITE_ZEROES] = "zeroing",
};

static void transfer_plan(struct raw_slot *s, bool write)
{
	const struct io_block_req *req = s->req;
	u64 skip = s->done;

	s->step = (struct raw_step){.kind = write ? RAW_WRITEV : RAW_READV,
				    .offset = req->offset + s->done,
				    .iov = (const struct iovec *)req->iov,
				    .niov = req->niov};
	if (!s->done && req->niov <= IOV_MAX)
		return;
	/* After a short transfer: go on piece by piece. */
	for (unsigned i = 0; i < req->niov; i++) {
		if (skip < req->iov[i].len) {
			s->piece = (struct iovec){(u8 *)req->iov[i].base + skip,
						  req->iov[i].len - skip};
			break;
		}
		skip -= req->iov[i].len;
	}
	s->step.iov = &s->piece;
	s->step.niov = 1;
}

static void zeroes_plan(struct raw *r, struct raw_slot *s)
{
	u64 left = s->req->len - s->done;

	s->piece = (struct iovec){(void *)r->zeroes, min_u64(left, RAW_ZEROES)};
	s->step = (struct raw_step){.kind = RAW_WRITEV,
				    .offset = s->req->offset + s->done,
				    .iov = &s->piece,
				    .niov = 1};
}

static void fallocate_plan(struct raw_slot *s, int mode)
{
	s->step = (struct raw_step){.kind = RAW_FALLOCATE,
				    .offset = s->req->offset,
				    .len = s->req->len,
				    .mode = mode | FALLOC_FL_KEEP_SIZE};
}

/* What to do next for the slot's request. */
static void plan(struct raw *r, struct raw_slot *s)
{
	switch (s->req->op) {
	case IO_BLOCK_READ:
		transfer_plan(s, false);
		break;
	case IO_BLOCK_WRITE:
		transfer_plan(s, true);
		break;
	case IO_BLOCK_FLUSH:
		s->step = (struct raw_step){.kind = RAW_FDATASYNC};
		break;
	case IO_BLOCK_DISCARD:
		fallocate_plan(s, FALLOC_FL_PUNCH_HOLE);
		break;
	case IO_BLOCK_WRITE_ZEROES:
		if (s->by_hand)
			zeroes_plan(r, s);
		else
			fallocate_plan(s,
				       s->req->unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
		break;
	}
}

static void slot_start(struct raw *r, struct io_block_req *req)
{
	struct raw_slot *s = r->free;

	r->free = s->next;
	*s = (struct raw_slot){.raw = r, .req = req};
	plan(r, s);
	raw_exec_step(r, s);
}

static void raw_submit(struct io_block *b, struct io_block_req *req)
{
	struct raw *r = raw_of(b);

	r->in_flight++;
	if (r->free) {
		slot_start(r, req);
		return;
	}
	req->backend = NULL;
	*r->waiting_end = req;
	r->waiting_end = (struct io_block_req **)&req->backend;
}

static void start_waiting(struct raw *r)
{
	while (r->free && r->waiting) {
		struct io_block_req *req = r->waiting;

		r->waiting = req->backend;
		if (!r->waiting)
			r->waiting_end = &r->waiting;
		slot_start(r, req);
	}
}

static void finish(struct raw *r, struct raw_slot *s, int err)
{
	struct io_block_req *req = s->req;

	if (err)
		log_guest(LOG_ERROR, "disk %s: %s of %llu bytes at %llu failed: %s", r->path,
			  op_names[req->op], (unsigned long long)req->len,
			  (unsigned long long)req->offset, strerror(-err));
	s->next = r->free;
	r->free = s;
	r->in_flight--;
	req->done(req, err);
	start_waiting(r);
}

static bool again(int res)
{
	return res == -EINTR || res == -EAGAIN || res == -ECANCELED;
}

static void retry(struct raw *r, struct raw_slot *s)
{
	plan(r, s);
	raw_exec_step(r, s);
}

/* A file system that cannot punch holes: discarding is only advice, zeroing is not. */
static void fallocate_done(struct raw *r, struct raw_slot *s, int res)
{
	bool unable = res == -EOPNOTSUPP || res == -ENOSYS || res == -EINVAL;

	if (unable && s->req->op == IO_BLOCK_WRITE_ZEROES) {
		s->by_hand = true;
		retry(r, s);
		return;
	}
	finish(r, s, unable ? 0 : res);
}

void raw_step_done(struct raw *r, struct raw_slot *s, int res)
{
	if (again(res)) {
		retry(r, s);
		return;
	}
	if (s->step.kind == RAW_FALLOCATE) {
		fallocate_done(r, s, res);
		return;
	}
	if (s->step.kind == RAW_FDATASYNC || res < 0) {
		finish(r, s, res);
		return;
	}
	if (!res) { /* the image was truncated under us */
		finish(r, s, -EIO);
		return;
	}
	s->done += (unsigned)res;
	if (s->done < s->req->len)
		retry(r, s);
	else
		finish(r, s, 0);
}

static void raw_commit(struct io_block *b)
{
	raw_exec_commit(raw_of(b));
}

static const struct io_block_ops raw_ops = {raw_submit, raw_commit};

void raw_drain(struct io_block *b)
{
	struct raw *r = raw_of(b);

	while (r->in_flight)
		raw_exec_wait(r);
}

void raw_close(struct io_block *b)
{
	struct raw *r;

	if (!b)
		return;
	r = raw_of(b);
	if (r->exec_ready) {
		raw_drain(b);
		raw_exec_fini(r);
	}
	if (!b->readonly && r->fd >= 0 && fdatasync(r->fd))
		log_error("disk %s: flush failed: %s", r->path, strerror(errno));
	if (r->fd >= 0)
		close(r->fd);
	free(r->path);
	free(r);
}

static int lock_image(struct raw *r, bool readonly, struct err *e)
{
	struct flock lk = {.l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

	if (!fcntl(r->fd, F_OFD_SETLK, &lk))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return err_set(e, EBUSY,
			       "disk %s is in use by another machine; stop that one, or give both "
			       "of them the disk read-only (,ro)",
			       r->path);
	return err_errno(e, "disk %s: cannot lock", r->path);
}

static int measure(struct raw *r, struct err *e)
{
	struct stat st;

	if (fstat(r->fd, &st))
		return err_errno(e, "disk %s", r->path);
	r->io.block_size = 4096;
	if (S_ISBLK(st.st_mode)) {
		unsigned phys = 0;

		if (ioctl(r->fd, BLKGETSIZE64, &r->io.size))
			return err_errno(e, "disk %s: cannot get the size", r->path);
		if (!ioctl(r->fd, BLKPBSZGET, &phys) && is_pow2(phys) && phys >= 512)
			r->io.block_size = phys;
	} else if (S_ISREG(st.st_mode)) {
		r->io.size = (u64)st.st_size;
	} else {
		return err_set(e, EINVAL, "disk %s is neither a file nor a block device", r->path);
	}
	if (!r->io.size)
		return err_set(e, EINVAL, "disk %s is empty; make it larger with truncate -s",
			       r->path);
	if (r->io.size % 512)
		return err_set(e, EINVAL,
			       "disk %s: size %llu is not a multiple of 512 bytes; round it up "
			       "with truncate -s %%512",
			       r->path, (unsigned long long)r->io.size);
	return 0;
}

static int set_serial(struct raw *r, const char *serial, struct err *e)
{
	if (!serial)
		return 0;
	if (strlen(serial) >= sizeof(r->io.serial))
		return err_set(e, EINVAL, "disk %s: serial number %s has more than 20 characters",
			       r->path, serial);
	strcpy(r->io.serial, serial);
	return 0;
}

static int open_image(struct raw *r, const struct raw_config *cfg, struct err *e)
{
	int err;

	r->fd = open(cfg->path, (cfg->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (r->fd < 0)
		return err_errno(e, "disk %s", cfg->path);
	err = measure(r, e);
	if (!err)
		err = set_serial(r, cfg->serial, e);
	return err ? err : lock_image(r, cfg->readonly, e);
}

int raw_open(struct loop *l, const struct raw_config *cfg, struct io_block **out, struct err *e)
{
	struct raw *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return err_set(e, ENOMEM, "disk %s: out of memory", cfg->path);
	r->io.ops = &raw_ops;
	r->io.readonly = cfg->readonly;
	r->io.can_discard = r->io.can_write_zeroes = !cfg->readonly;
	r->fd = -1;
	r->loop = l;
	r->waiting_end = &r->waiting;
	for (unsigned i = 0; i < RAW_SLOTS; i++) {
		r->slot[i].next = r->free;
		r->free = &r->slot[i];
	}
	r->path = strdup(cfg->path);
	err = r->path ? open_image(r, cfg, e) : err_set(e, ENOMEM, "out of memory");
	if (!err)
		err = raw_exec_init(r, cfg->threads, e);
	if (err) {
		raw_close(&r->io);
		return err;
	}
	*out = &r->io;
	return 0;
}
