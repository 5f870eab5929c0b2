/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Virtio memory balloon, virtio 1.2 section 5.5. Contract in balloon.h. */
#include "dev/virtio/balloon.h"

#include "base/bits.h"
#include "base/endian.h"

/*
 * Queues, section 5.5.2. Those of features that were not negotiated do not
 * exist and the later ones move up.
 */
#define INFLATE 0
#define DEFLATE 1
#define FIRST_OPTIONAL 2

#define PFN_SHIFT 12 /* section 5.5.6: always 4 KiB units */
#define PFNS_AT_ONCE 256u
#define PFNS_MAX 65536u /* of one request; drivers send 256 */

static struct virtio_balloon *balloon_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_balloon, dev);
}

static bool is_stats(const struct virtio_balloon *b, unsigned q)
{
	return q == FIRST_OPTIONAL && virtio_has(&b->dev, VIRTIO_BALLOON_F_STATS_VQ);
}

static bool is_reporting(const struct virtio_balloon *b, unsigned q)
{
	unsigned last = FIRST_OPTIONAL + (unsigned)is_stats(b, FIRST_OPTIONAL);

	return virtio_has(&b->dev, VIRTIO_BALLOON_F_PAGE_REPORTING) && q == last;
}

/* Only whole pages of writable RAM; anything else is quietly left alone. */
static void release(struct virtio_balloon *b, u64 gpa, u64 len)
{
	u64 start = align_up(gpa, GPA_PAGE_SIZE), end = align_down(gpa + len, GPA_PAGE_SIZE);

	if (start < gpa || end <= start || !gpa_ptr(b->dev.mem, start, end - start, true))
		return;
	b->reclaim.release(b->reclaim.opaque, start, end - start);
	gpa_written(b->dev.mem, start, end - start);
	b->released += end - start;
}

/* A run of page numbers that follow one another is released at once. */
static void release_pfns(struct virtio_balloon *b, const u32 *pfn, unsigned n)
{
	for (unsigned i = 0, run; i < n; i += run) {
		u64 first = load_le32(&pfn[i]);

		for (run = 1; i + run < n && load_le32(&pfn[i + run]) == first + run; run++)
			;
		release(b, first << PFN_SHIFT, (u64)run << PFN_SHIFT);
	}
}

static void inflate(struct virtio_balloon *b, const struct virtq_chain *c)
{
	u32 pfn[PFNS_AT_ONCE];
	u64 n;

	for (u64 at = 0; at < PFNS_MAX * sizeof(pfn[0]); at += n) {
		n = virtq_read(c, at, pfn, sizeof(pfn));
		if (n < sizeof(pfn[0]))
			return;
		release_pfns(b, pfn, (unsigned)(n / sizeof(pfn[0])));
	}
}

/* Section 5.5.6.7: the pieces themselves are the free memory. */
static void report(struct virtio_balloon *b, const struct virtq_chain *c)
{
	for (unsigned i = c->nout; i < c->nout + c->nin; i++)
		release(b, c->gpa[i], c->iov[i].len);
}

static void serve(struct virtio_balloon *b, struct virtq *q)
{
	VIRTQ_CHAIN(c);

	do {
		virtq_kicks_off(q);
		while (virtq_pop(q, &c)) {
			if (q->index == INFLATE)
				inflate(b, &c);
			else if (is_reporting(b, q->index))
				report(b, &c);
			virtq_push(q, &c, 0);
		}
	} while (virtq_kicks_on(q));
	virtq_interrupt(q);
}

/* Section 5.5.6.3: the buffer stays with us until we want newer numbers. */
static void stats_serve(struct virtio_balloon *b, struct virtq *q)
{
	u8 entry[VIRTIO_BALLOON_STAT_SIZE];
	VIRTQ_CHAIN(c);

	while (virtq_pop(q, &c)) {
		for (u64 at = 0; virtq_read(&c, at, entry, sizeof(entry)) == sizeof(entry) &&
				 at < 64 * sizeof(entry);
		     at += sizeof(entry)) {
			u16 tag = load_le16(entry);

			if (tag >= VIRTIO_BALLOON_STATS)
				continue;
			b->stat[tag] = load_le64(entry + 2);
			b->stats_known |= 1u << tag;
		}
		if (b->stats_held) /* only one is expected */
			virtq_push(q, &c, 0);
		b->stats_head = c.head;
		b->stats_held = true;
	}
	virtq_kicks_on(q);
}

void virtio_balloon_poll_stats(struct virtio_balloon *b)
{
	struct virtq *q = &b->vq[FIRST_OPTIONAL];
	const struct virtq_chain held = {.head = b->stats_head};

	if (!virtio_running(&b->dev) || !b->stats_held || !is_stats(b, FIRST_OPTIONAL))
		return;
	b->stats_held = false;
	virtq_push(q, &held, 0);
	virtq_interrupt(q);
}

static void balloon_notify(struct virtio_dev *d, unsigned q)
{
	struct virtio_balloon *b = balloon_of(d);

	if (is_stats(b, q))
		stats_serve(b, &b->vq[q]);
	else
		serve(b, &b->vq[q]);
}

/* Linux offers its first buffer of statistics before DRIVER_OK, when nobody looks. */
static void balloon_start(struct virtio_dev *d)
{
	for (unsigned q = 0; q < d->nvqs; q++)
		if (d->vq[q].enabled)
			balloon_notify(d, q);
}

static bool balloon_reset(struct virtio_dev *d)
{
	struct virtio_balloon *b = balloon_of(d);

	b->config.actual = 0;
	b->stats_held = false;
	b->stats_known = 0;
	return true;
}

static void balloon_config_write(struct virtio_dev *d, unsigned off, unsigned len, const u8 *bytes)
{
	struct virtio_balloon *b = balloon_of(d);

	if (off == offsetof(struct virtio_balloon_config, actual) && len == 4)
		__builtin_memcpy(&b->config.actual, bytes, 4);
}

static const struct virtio_ops balloon_ops = {
	.name = "virtio-balloon",
	.reset = balloon_reset,
	.start = balloon_start,
	.notify = balloon_notify,
	.config_write = balloon_config_write,
};

void virtio_balloon_set_target(struct virtio_balloon *b, u32 pages)
{
	b->config.num_pages = HULL_LE(32, pages);
	virtio_config_changed(&b->dev);
}

u32 virtio_balloon_actual(const struct virtio_balloon *b)
{
	return load_le32(&b->config.actual);
}

void virtio_balloon_init(struct virtio_balloon *b, struct gpa_map *mem,
			 const struct io_reclaim *reclaim)
{
	*b = (struct virtio_balloon){.reclaim = *reclaim};
	virtio_init(&b->dev, &balloon_ops, VIRTIO_ID_BALLOON, mem, b->vq, ARRAY_LEN(b->vq));
	b->dev.features |= BIT(VIRTIO_BALLOON_F_STATS_VQ) | BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) |
			   BIT(VIRTIO_BALLOON_F_PAGE_REPORTING);
	b->dev.config = (u8 *)&b->config;
	b->dev.config_len = sizeof(b->config);
}
