/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "base/bits.h"
#include "metal/domain.h"

#include <string.h>

static void copy(struct memdisk *m, const struct io_block_req *r)
{
	u8 *at = m->data + r->offset;

	for (unsigned i = 0; i < r->niov; i++) {
		if (r->op == IO_BLOCK_READ)
			memcpy(r->iov[i].base, at, r->iov[i].len);
		else
			memcpy(at, r->iov[i].base, r->iov[i].len);
		at += r->iov[i].len;
	}
}

static int serve(struct memdisk *m, const struct io_block_req *r)
{
	if (r->op == IO_BLOCK_FLUSH)
		return 0;
	if (!range_inside(r->offset, r->len, m->block.size) ||
	    (m->block.readonly && r->op != IO_BLOCK_READ))
		return -E_IO;
	if (r->op == IO_BLOCK_READ || r->op == IO_BLOCK_WRITE)
		copy(m, r);
	else
		memset(m->data + r->offset, 0, r->len);
	return 0;
}

/* done() may submit more: what is here now is one round. */
static void work(void *opaque)
{
	struct memdisk *m = opaque;
	struct io_block_req *round[MEMDISK_QUEUE];
	unsigned n = m->n;

	memcpy(round, m->queue, n * sizeof(round[0]));
	m->n = 0;
	for (unsigned i = 0; i < n; i++)
		round[i]->done(round[i], serve(m, round[i]));
}

static void submit(struct io_block *b, struct io_block_req *r)
{
	struct memdisk *m = container_of(b, struct memdisk, block);

	if (m->n == MEMDISK_QUEUE) /* the device has no more than that in flight */
		return;
	m->queue[m->n++] = r;
	loop_post(m->loop, &m->work);
}

void memdisk_init(struct memdisk *m, struct loop *l, u8 *data, u64 size, bool readonly)
{
	static const struct io_block_ops ops = {.submit = submit};

	*m = (struct memdisk){
		.block = {.ops = &ops,
			  .size = align_down(size, 512),
			  .block_size = PAGE_SIZE,
			  .readonly = readonly,
			  .can_discard = !readonly,
			  .can_write_zeroes = !readonly,
			  .serial = "hull-memory"},
		.data = data,
		.loop = l,
		.work = {.fn = work, .opaque = m},
	};
}
