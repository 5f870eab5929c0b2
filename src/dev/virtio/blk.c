/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Virtio block device, virtio 1.2 section 5.2. Contract in blk.h. */
#include "dev/virtio/blk.h"

#include "base/bits.h"
#include "base/endian.h"

#define SECTOR 512u
#define RANGES_MAX 16u			 /* of one discard or write zeroes request */
#define RANGE_SECTORS_MAX (GIB(4) / 512) /* of one range */

static struct virtio_blk *blk_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_blk, dev);
}

static void done(struct io_block_req *io, int err);

static bool have_req(const struct virtio_blk *b)
{
	return b->free || b->nused < VIRTIO_BLK_REQS;
}

/* Only after have_req. */
static struct virtio_blk_req *req_get(struct virtio_blk *b)
{
	struct virtio_blk_req *r = b->free;

	b->in_flight++;
	if (r) {
		b->free = r->next_free;
		return r;
	}
	r = &b->req[b->nused++];
	r->blk = b;
	r->io.done = done;
	r->chain.cap = ARRAY_LEN(r->iov);
	r->chain.iov = r->iov;
	r->chain.gpa = r->gpa;
	return r;
}

static void req_put(struct virtio_blk_req *r)
{
	r->next_free = r->blk->free;
	r->blk->free = r;
	r->blk->in_flight--;
}

/* Drops the first n readable bytes of the chain: the header in front of the data. */
static void skip_readable(struct virtq_chain *c, u64 n, unsigned *first)
{
	unsigned i = 0;

	for (; i < c->nout && n >= c->iov[i].len; i++)
		n -= c->iov[i].len;
	if (i < c->nout) {
		c->iov[i].base = (u8 *)c->iov[i].base + n;
		c->iov[i].len -= n;
	}
	*first = i;
}

/* The status byte is the last writable one; the rest is data. */
static void take_status(struct virtio_blk_req *r)
{
	struct virtq_chain *c = &r->chain;
	unsigned last = c->nout + c->nin - 1;

	c->iov[last].len--;
	r->status = (u8 *)c->iov[last].base + c->iov[last].len;
	r->status_gpa = c->gpa[last] + c->iov[last].len;
}

static void finish(struct virtio_blk_req *r, enum virtio_blk_status status)
{
	struct virtio_blk *b = r->blk;
	struct virtq *q = r->q;

	if (b->dev.resetting) {
		req_put(r);
		if (!b->in_flight)
			virtio_reset_done(&b->dev);
		return;
	}
	*r->status = (u8)status;
	gpa_written(b->dev.mem, r->status_gpa, 1);
	virtq_push(q, &r->chain, (u32)r->chain.in_len);
	req_put(r);
}

static void submit(struct virtio_blk_req *r, enum io_block_op op, u64 offset, u64 len)
{
	r->io.op = op;
	r->io.offset = offset;
	r->io.len = len;
	r->blk->back->ops->submit(r->blk->back, &r->io);
}

static enum virtio_blk_status range_start(struct virtio_blk_req *r);

static void commit(struct virtio_blk *b)
{
	if (b->back->ops->commit)
		b->back->ops->commit(b->back);
}

static void serve(struct virtio_blk *b, struct virtq *q);

/* A request slot became free while queues may hold more work than slots. */
static void serve_starved(struct virtio_blk *b)
{
	for (unsigned i = 0; i < b->dev.nvqs; i++)
		if (b->vq[i].kicks_off)
			serve(b, &b->vq[i]);
}

static bool more_to_do(struct virtio_blk_req *r)
{
	if (r->type == VIRTIO_BLK_T_DISCARD || r->type == VIRTIO_BLK_T_WRITE_ZEROES) {
		unsigned n = (unsigned)(r->chain.out_len / sizeof(struct virtio_blk_range)) - 1;

		return ++r->range < n;
	}
	return false;
}

static void done(struct io_block_req *io, int err)
{
	struct virtio_blk_req *r = container_of(io, struct virtio_blk_req, io);
	struct virtio_blk *b = r->blk;
	struct virtq *q = r->q;
	bool starved = !have_req(b);
	enum virtio_blk_status status = err ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;

	if (!err && r->flush_after && !b->dev.resetting) {
		r->flush_after = false;
		submit(r, IO_BLOCK_FLUSH, 0, 0);
		commit(b);
		return;
	}
	if (!err && !b->dev.resetting && more_to_do(r)) {
		status = range_start(r);
		if (status == VIRTIO_BLK_S_OK) {
			commit(b);
			return;
		}
	}
	if (err == -E_NOTSUP)
		status = VIRTIO_BLK_S_UNSUPP;
	finish(r, status);
	virtq_interrupt(q);
	if (starved)
		serve_starved(b);
}

static bool inside_disk(const struct virtio_blk *b, u64 sector, u64 len)
{
	return sector <= b->back->size / SECTOR &&
	       range_inside(sector * SECTOR, len, b->back->size);
}

/*
 * Each of these starts the request and returns OK, in which case done() follows,
 * or returns the status to fail it with.
 */
static enum virtio_blk_status rw_start(struct virtio_blk_req *r, u64 sector)
{
	struct virtq_chain *c = &r->chain;
	bool write = r->type == VIRTIO_BLK_T_OUT;
	u64 len = write ? c->out_len - sizeof(struct virtio_blk_outhdr) : c->in_len - 1;
	unsigned first, end = write ? c->nout : c->nout + c->nin;

	if (write)
		skip_readable(c, sizeof(struct virtio_blk_outhdr), &first);
	else
		first = c->nout;
	if (end > first && !c->iov[end - 1].len)
		end--;
	if (len % SECTOR || !inside_disk(r->blk, sector, len))
		return VIRTIO_BLK_S_IOERR;
	if (write && r->blk->back->readonly)
		return VIRTIO_BLK_S_IOERR;
	r->io.iov = &c->iov[first];
	r->io.niov = end - first;
	r->flush_after = write && !virtio_has(&r->blk->dev, VIRTIO_BLK_F_FLUSH);
	submit(r, write ? IO_BLOCK_WRITE : IO_BLOCK_READ, sector * SECTOR, len);
	return VIRTIO_BLK_S_OK;
}

/* The range after the header with index r->range; read anew, the driver may have changed it. */
static enum virtio_blk_status range_start(struct virtio_blk_req *r)
{
	struct io_block *back = r->blk->back;
	bool zero = r->type == VIRTIO_BLK_T_WRITE_ZEROES;
	struct virtio_blk_range g;
	u64 sector, count;
	u32 flags;

	virtq_read(&r->chain, sizeof(struct virtio_blk_outhdr) + r->range * sizeof(g), &g,
		   sizeof(g));
	sector = load_le64(&g.sector);
	count = load_le32(&g.num_sectors);
	flags = load_le32(&g.flags);
	if (flags & ~(zero ? 1u : 0u)) /* section 5.2.6.2: unknown or misplaced flags */
		return VIRTIO_BLK_S_UNSUPP;
	if (back->readonly || count > RANGE_SECTORS_MAX ||
	    !inside_disk(r->blk, sector, count * SECTOR))
		return VIRTIO_BLK_S_IOERR;
	r->io.unmap = flags & 1;
	r->flush_after = zero && !virtio_has(&r->blk->dev, VIRTIO_BLK_F_FLUSH);
	submit(r, zero ? IO_BLOCK_WRITE_ZEROES : IO_BLOCK_DISCARD, sector * SECTOR, count * SECTOR);
	return VIRTIO_BLK_S_OK;
}

static enum virtio_blk_status ranges_start(struct virtio_blk_req *r, bool able)
{
	u64 len = r->chain.out_len - sizeof(struct virtio_blk_outhdr);

	if (!able)
		return VIRTIO_BLK_S_UNSUPP;
	if (!len || len % sizeof(struct virtio_blk_range) ||
	    len / sizeof(struct virtio_blk_range) > RANGES_MAX)
		return VIRTIO_BLK_S_IOERR;
	r->range = 0;
	return range_start(r);
}

/* Has no asynchronous part: *answered tells the caller to finish it. */
static enum virtio_blk_status get_id(struct virtio_blk_req *r)
{
	virtq_write(&r->chain, 0, r->blk->back->serial, VIRTIO_BLK_ID_BYTES);
	return VIRTIO_BLK_S_OK;
}

static enum virtio_blk_status start(struct virtio_blk_req *r, u64 sector, bool *answered)
{
	struct virtio_blk *b = r->blk;

	switch (r->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return rw_start(r, sector);
	case VIRTIO_BLK_T_FLUSH:
		submit(r, IO_BLOCK_FLUSH, 0, 0);
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		*answered = true;
		return get_id(r);
	case VIRTIO_BLK_T_DISCARD:
		return ranges_start(r, b->back->can_discard);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return ranges_start(r, b->back->can_write_zeroes);
	}
	return VIRTIO_BLK_S_UNSUPP;
}

static bool serve_one(struct virtio_blk *b, struct virtq *q)
{
	struct virtio_blk_req *r;
	struct virtio_blk_outhdr h;
	enum virtio_blk_status status;
	bool answered = false;

	r = req_get(b);
	if (!virtq_pop(q, &r->chain)) {
		req_put(r);
		return false;
	}
	if (r->chain.out_len < sizeof(h) || !r->chain.in_len) {
		virtio_break(&b->dev, "block request without header or status");
		req_put(r);
		return false;
	}
	r->q = q;
	r->flush_after = false;
	r->io.niov = 0;
	r->io.unmap = false;
	virtq_read(&r->chain, 0, &h, sizeof(h));
	take_status(r);
	r->type = load_le32(&h.type);
	status = start(r, load_le64(&h.sector), &answered);
	if (answered || status != VIRTIO_BLK_S_OK)
		finish(r, status);
	return true;
}

/* Without a free request slot the queue stays quiet until one finishes. */
static void serve(struct virtio_blk *b, struct virtq *q)
{
	do {
		virtq_kicks_off(q);
		while (have_req(b) && serve_one(b, q))
			;
	} while (have_req(b) && virtq_kicks_on(q));
	commit(b);
	virtq_interrupt(q);
}

static void blk_notify(struct virtio_dev *d, unsigned q)
{
	serve(blk_of(d), &d->vq[q]);
}

static bool blk_reset(struct virtio_dev *d)
{
	return !blk_of(d)->in_flight;
}

static const struct virtio_ops blk_ops = {
	.name = "virtio-blk",
	.reset = blk_reset,
	.notify = blk_notify,
};

static u8 log2_of(u64 v)
{
	u8 n = 0;

	while (v > 1) {
		v >>= 1;
		n++;
	}
	return n;
}

static void fill_config(struct virtio_blk *b, unsigned nqueues)
{
	const struct io_block *back = b->back;
	struct virtio_blk_config *c = &b->config;

	c->capacity = HULL_LE(64, back->size / SECTOR);
	c->seg_max = HULL_LE(32, VIRTIO_BLK_SEGS - 2);
	c->blk_size = HULL_LE(32, SECTOR);
	c->physical_block_exp = log2_of(back->block_size / SECTOR);
	c->min_io_size = HULL_LE(16, (u16)(back->block_size / SECTOR));
	c->writeback = 1;
	c->num_queues = HULL_LE(16, (u16)nqueues);
	c->max_discard_sectors = HULL_LE(32, (u32)RANGE_SECTORS_MAX);
	c->max_discard_seg = HULL_LE(32, RANGES_MAX);
	c->discard_sector_alignment = HULL_LE(32, back->block_size / SECTOR);
	c->max_write_zeroes_sectors = HULL_LE(32, (u32)RANGE_SECTORS_MAX);
	c->max_write_zeroes_seg = HULL_LE(32, RANGES_MAX);
	c->write_zeroes_may_unmap = 1;
}

static u64 features(const struct io_block *back, unsigned nqueues)
{
	return BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) |
	       BIT(VIRTIO_BLK_F_TOPOLOGY) | (nqueues > 1 ? BIT(VIRTIO_BLK_F_MQ) : 0) |
	       (back->readonly ? BIT(VIRTIO_BLK_F_RO) : 0) |
	       (back->can_discard && !back->readonly ? BIT(VIRTIO_BLK_F_DISCARD) : 0) |
	       (back->can_write_zeroes && !back->readonly ? BIT(VIRTIO_BLK_F_WRITE_ZEROES) : 0);
}

void virtio_blk_init(struct virtio_blk *b, struct gpa_map *mem, struct io_block *back,
		     unsigned nqueues)
{
	nqueues = (unsigned)max_u64(1, min_u64(nqueues, VIRTIO_BLK_QUEUES_MAX));
	virtio_init(&b->dev, &blk_ops, VIRTIO_ID_BLOCK, mem, b->vq, nqueues);
	for (unsigned i = 0; i < nqueues; i++)
		virtio_queue_size(&b->dev, i, VIRTIO_BLK_QUEUE_SIZE);
	b->back = back;
	b->config = (struct virtio_blk_config){0};
	fill_config(b, nqueues);
	b->dev.features |= features(back, nqueues);
	b->dev.config = (u8 *)&b->config;
	b->dev.config_len = sizeof(b->config);
	b->free = NULL;
	b->in_flight = b->nused = 0;
}
