/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Virtio file system device. Contract in fs.h. */
#include "dev/virtio/fs.h"

#include "base/bits.h"
#include "base/endian.h"

#define QUEUE_SIZE 64u
#define FUSE_OUT_HEADER 16u /* linux/fuse.h: u32 len, s32 error, u64 unique */
#define FUSE_IN_UNIQUE 8u   /* offset of u64 unique in a request */
#define FUSE_EIO 5

static struct virtio_fs *fs_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_fs, dev);
}

static struct virtio_fs_slot *slot_free(struct virtio_fs *f)
{
	for (unsigned i = 0; i < IO_FS_SLOTS; i++)
		if (!f->slot[i].busy)
			return &f->slot[i];
	return NULL;
}

static u32 answer_error(struct virtq_chain *c)
{
	u8 out[FUSE_OUT_HEADER], unique[8] = {0};

	virtq_read(c, FUSE_IN_UNIQUE, unique, sizeof(unique));
	store_le32(out, FUSE_OUT_HEADER);
	store_le32(out + 4, (u32)-FUSE_EIO);
	__builtin_memcpy(out + 8, unique, sizeof(unique));
	return (u32)virtq_write(c, 0, out, sizeof(out));
}

static void serve(struct virtio_fs *f, struct virtq *q);

static void done(struct io_fs_req *r, u32 len, bool lost)
{
	struct virtio_fs_slot *s = container_of(r, struct virtio_fs_slot, req);
	struct virtio_fs *f = s->fs;
	struct virtq *q = s->q;

	s->busy = false;
	f->in_flight--;
	if (f->dev.resetting) {
		if (!f->in_flight)
			virtio_reset_done(&f->dev);
		return;
	}
	if (lost)
		len = answer_error(&s->chain);
	virtq_push(q, &s->chain, len);
	virtq_interrupt(q);
	for (unsigned i = 0; i < ARRAY_LEN(f->vq); i++)
		if (f->vq[i].kicks_off)
			serve(f, &f->vq[i]);
}

/* False: nothing more to do for now. */
static bool serve_one(struct virtio_fs *f, struct virtq *q)
{
	struct virtio_fs_slot *s = slot_free(f);

	if (!s)
		return false;
	s->chain = (struct virtq_chain){.cap = VIRTIO_FS_SEGS, .iov = s->iov, .gpa = s->gpa};
	if (!virtq_pop(q, &s->chain))
		return false;
	s->fs = f;
	s->q = q;
	s->req = (struct io_fs_req){.out = s->iov,
				    .nout = s->chain.nout,
				    .in = s->iov + s->chain.nout,
				    .nin = s->chain.nin,
				    .done = done,
				    .slot = (u32)(s - f->slot)};
	if (!s->chain.nin) { /* FORGET has no answer */
		f->back->ops->submit(f->back, &s->req);
		virtq_push(q, &s->chain, 0);
		return true;
	}
	s->busy = true;
	f->in_flight++;
	f->back->ops->submit(f->back, &s->req);
	return true;
}

/* Without a free slot the queue stays quiet until a request finishes. */
static void serve(struct virtio_fs *f, struct virtq *q)
{
	do {
		virtq_kicks_off(q);
		while (serve_one(f, q))
			;
	} while (slot_free(f) && virtq_kicks_on(q));
	virtq_interrupt(q);
}

static void fs_notify(struct virtio_dev *d, unsigned q)
{
	serve(fs_of(d), &d->vq[q]);
}

static bool fs_reset(struct virtio_dev *d)
{
	return !fs_of(d)->in_flight;
}

static const struct virtio_ops fs_ops = {
	.name = "virtio-fs",
	.reset = fs_reset,
	.notify = fs_notify,
};

void virtio_fs_init(struct virtio_fs *f, struct gpa_map *mem, struct io_fs *back)
{
	virtio_init(&f->dev, &fs_ops, VIRTIO_ID_FS, mem, f->vq, ARRAY_LEN(f->vq));
	for (unsigned i = 0; i < ARRAY_LEN(f->vq); i++)
		virtio_queue_size(&f->dev, i, QUEUE_SIZE);
	f->back = back;
	f->config = (struct virtio_fs_config){.num_request_queues = HULL_LE(32, 1)};
	for (unsigned i = 0; i < IO_FS_TAG_MAX && back->tag[i]; i++)
		f->config.tag[i] = (u8)back->tag[i];
	f->dev.config = (u8 *)&f->config;
	f->dev.config_len = sizeof(f->config);
}
