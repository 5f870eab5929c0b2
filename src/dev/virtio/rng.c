/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Virtio entropy device, virtio 1.2 section 5.4. Contract in rng.h. */
#include "dev/virtio/rng.h"

#include "base/bits.h"

/* Fewer bytes than the buffer holds may be given (5.4.6.2): one piece, bounded. */
static u32 give(void *opaque, struct virtq_chain *c)
{
	const struct virtio_rng *r = opaque;
	u64 n;

	if (!c->nin)
		return 0;
	n = min_u64(c->iov[c->nout].len, IO_ENTROPY_MAX);
	r->source.fill(r->source.opaque, c->iov[c->nout].base, n);
	return (u32)n;
}

static void rng_notify(struct virtio_dev *d, unsigned index)
{
	struct virtio_rng *r = container_of(d, struct virtio_rng, dev);

	virtq_serve(&r->vq[index], give, r);
}

static const struct virtio_ops rng_ops = {
	.name = "virtio-rng",
	.notify = rng_notify,
};

void virtio_rng_init(struct virtio_rng *r, struct gpa_map *mem, const struct io_entropy *source)
{
	virtio_init(&r->dev, &rng_ops, VIRTIO_ID_RNG, mem, r->vq, ARRAY_LEN(r->vq));
	virtio_queue_size(&r->dev, 0, 64);
	r->source = *source;
}
