/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Split virtqueues (virtio 1.2 section 2.7): the only file that reads what the
 * driver wrote into rings and descriptors. Contract in virtio.h.
 *
 * Ring pointers are checked once, for their whole range, when the driver
 * enables the queue; descriptors are copied field by field before they are
 * looked at, since the driver can change them under us.
 */
#include "dev/virtio/virtio.h"

#include "base/bits.h"
#include "base/endian.h"

#define AVAIL_SIZE(n) (6 + 2 * (u64)(n)) /* section 2.7.1, with used_event */
#define USED_SIZE(n) (6 + 8 * (u64)(n))	 /* with avail_event */

static u16 get16(const u16 *p)
{
	return HULL_LE(16, __atomic_load_n(p, __ATOMIC_RELAXED));
}

static void put16(u16 *p, u16 v)
{
	__atomic_store_n(p, HULL_LE(16, v), __ATOMIC_RELAXED);
}

static u16 avail_idx(const struct virtq *q)
{
	return HULL_LE(16, __atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE));
}

/* After avail->ring: when the driver wants interrupts (2.7.7.1). */
static const u16 *used_event(const struct virtq *q)
{
	return &q->avail->ring[q->size];
}

/* After used->ring: when the device wants notifications (2.7.10.1). */
static u16 *avail_event(const struct virtq *q)
{
	return (u16 *)&q->used->ring[q->size];
}

void virtq_set_size(struct virtq *q, u16 size)
{
	if (q && !q->enabled)
		q->size = size;
}

void virtq_set_addr(struct virtq *q, u64 *field, unsigned shift, unsigned size, u64 val)
{
	u64 mask = mask_bytes(size) << shift;

	if (q && !q->enabled)
		*field = (*field & ~mask) | (val << shift & mask);
}

void virtq_enable(struct virtq *q)
{
	struct virtio_dev *d;

	if (!q || q->enabled || q->dev->resetting)
		return;
	d = q->dev;
	if (!is_pow2(q->size) || q->size > q->size_max) {
		virtio_break(d, "queue size is not a power of two the device offers");
		return;
	}
	if (q->desc_gpa & 15 || q->avail_gpa & 1 || q->used_gpa & 3) {
		virtio_break(d, "queue ring is not aligned");
		return;
	}
	q->desc = gpa_ptr(d->mem, q->desc_gpa, sizeof(*q->desc) * q->size, false);
	q->avail = gpa_ptr(d->mem, q->avail_gpa, AVAIL_SIZE(q->size), false);
	q->used = gpa_ptr(d->mem, q->used_gpa, USED_SIZE(q->size), true);
	if (!q->desc || !q->avail || !q->used) {
		virtio_break(d, "queue ring is not in guest memory");
		return;
	}
	q->avail_seen = q->used_idx = q->used_told = 0;
	q->kicks_off = false;
	q->enabled = true;
}

static bool usable(const struct virtq *q)
{
	return q->enabled && virtio_running(q->dev);
}

struct walk {
	const u8 *table; /* descriptors; an indirect table need not be aligned */
	u32 count;	 /* descriptors in the table */
	u32 left;	 /* how many may still be visited: a chain without loops visits each once */
	bool indirect;
};

static const char *add_piece(const struct virtq *q, struct virtq_chain *c, u64 gpa, u64 len,
			     bool write)
{
	const struct gpa_slot *s = gpa_slot_find(q->dev->mem, gpa);
	unsigned n = c->nout + c->nin;

	if (!s || (write && s->readonly))
		return "buffer is not in guest memory";
	if (n == c->cap)
		return "buffer chain is too long";
	c->iov[n] = (struct io_vec){s->host + (gpa - s->gpa), len};
	c->gpa[n] = gpa;
	if (write)
		c->nin++;
	else
		c->nout++;
	return NULL;
}

/* A buffer may cross from one RAM slot into the next. */
static const char *add_buffer(const struct virtq *q, struct virtq_chain *c, u64 gpa, u32 len,
			      bool write)
{
	const char *why = NULL;

	if (!len)
		return "buffer of length 0";
	if (!write && c->nin)
		return "device-readable buffer after a writable one";
	*(write ? &c->in_len : &c->out_len) += len;
	if (c->in_len + c->out_len > 0xffffffffu)
		return "buffer chain of more than 4 GiB";
	for (u64 left = len, n; left && !why; left -= n, gpa += n) {
		const struct gpa_slot *s = gpa_slot_find(q->dev->mem, gpa);

		n = s ? min_u64(left, s->size - (gpa - s->gpa)) : left;
		why = add_piece(q, c, gpa, n, write);
	}
	return why;
}

/* Section 2.7.5.3. */
static const char *enter_indirect(const struct virtq *q, struct walk *w, u64 gpa, u32 len,
				  u16 flags)
{
	if (w->indirect || flags & VIRTQ_DESC_F_NEXT || !virtio_has(q->dev, VIRTIO_F_INDIRECT_DESC))
		return "indirect descriptor where none may be";
	if (!len || len % sizeof(struct virtq_desc) || len / sizeof(struct virtq_desc) > 32768)
		return "indirect table of a bad length";
	w->table = gpa_ptr(q->dev->mem, gpa, len, false);
	if (!w->table)
		return "indirect table is not in guest memory";
	w->count = len / sizeof(struct virtq_desc);
	w->left = (u32)min_u64(w->count, VIRTQ_SIZE_MAX);
	w->indirect = true;
	return NULL;
}

/* Copies descriptor i, and once only: the driver may change it while we look. */
static struct virtq_desc fetch(const struct walk *w, u32 i)
{
	struct virtq_desc d;

	__builtin_memcpy(&d, w->table + i * sizeof(d), sizeof(d));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return (struct virtq_desc){
		.addr = HULL_LE(64, d.addr),
		.len = HULL_LE(32, d.len),
		.flags = HULL_LE(16, d.flags),
		.next = HULL_LE(16, d.next),
	};
}

static const char *walk_chain(const struct virtq *q, struct virtq_chain *c, u32 i)
{
	struct walk w = {.table = (const u8 *)q->desc, .count = q->size, .left = q->size};

	for (;;) {
		struct virtq_desc d;
		const char *why;

		if (i >= w.count)
			return "descriptor index outside the table";
		if (!w.left--)
			return "buffer chain loops";
		d = fetch(&w, i);
		i = d.next;
		if (d.flags & VIRTQ_DESC_F_INDIRECT) {
			why = enter_indirect(q, &w, d.addr, d.len, d.flags);
			i = 0;
		} else {
			why = add_buffer(q, c, d.addr, d.len, d.flags & VIRTQ_DESC_F_WRITE);
		}
		if (why)
			return why;
		if (!(d.flags & (VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_NEXT)))
			return NULL;
	}
}

bool virtq_pop(struct virtq *q, struct virtq_chain *c)
{
	const char *why;
	u16 waiting, head;

	if (!usable(q))
		return false;
	waiting = (u16)(avail_idx(q) - q->avail_seen);
	if (!waiting)
		return false;
	if (waiting > q->size) {
		virtio_break(q->dev, "available index runs ahead of the ring");
		return false;
	}
	head = get16(&q->avail->ring[q->avail_seen & (q->size - 1)]);
	c->head = head;
	c->nout = c->nin = 0;
	c->out_len = c->in_len = 0;
	why = head < q->size ? walk_chain(q, c, head) : "available entry outside the table";
	if (why) {
		virtio_break(q->dev, why);
		return false;
	}
	q->avail_seen++;
	return true;
}

void virtq_unpop(struct virtq *q, unsigned n)
{
	q->avail_seen = (u16)(q->avail_seen - n);
}

static void tell_written(struct gpa_map *m, const struct virtq_chain *c, u64 written)
{
	for (unsigned i = c->nout; written && i < c->nout + c->nin; i++) {
		u64 n = min_u64(written, c->iov[i].len);

		gpa_written(m, c->gpa[i], n);
		written -= n;
	}
}

void virtq_fill(struct virtq *q, const struct virtq_chain *c, u32 written, unsigned ahead)
{
	unsigned slot = (u16)(q->used_idx + ahead) & (q->size - 1);
	struct virtq_used_elem *e;

	tell_written(q->dev->mem, c, written);
	if (!q->enabled)
		return;
	e = &q->used->ring[slot];
	__atomic_store_n(&e->id, HULL_LE(32, (u32)c->head), __ATOMIC_RELAXED);
	__atomic_store_n(&e->len, HULL_LE(32, written), __ATOMIC_RELAXED);
	gpa_written(q->dev->mem, q->used_gpa + offsetof(struct virtq_used, ring[slot]), sizeof(*e));
}

void virtq_publish(struct virtq *q, unsigned n)
{
	if (!q->enabled)
		return;
	q->used_idx = (u16)(q->used_idx + n);
	__atomic_store_n(&q->used->idx, HULL_LE(16, q->used_idx), __ATOMIC_RELEASE);
	gpa_written(q->dev->mem, q->used_gpa + offsetof(struct virtq_used, idx), 2);
}

void virtq_push(struct virtq *q, const struct virtq_chain *c, u32 written)
{
	virtq_fill(q, c, written, 0);
	virtq_publish(q, 1);
}

/* Section 2.7.7.2 and 2.7.10.2: did idx pass event on its way from old to now? */
static bool passed(u16 event, u16 now, u16 old)
{
	return (u16)(now - event - 1) < (u16)(now - old);
}

void virtq_interrupt(struct virtq *q)
{
	u16 old = q->used_told;
	bool wanted;

	if (!usable(q) || q->used_idx == old)
		return;
	q->used_told = q->used_idx;
	/* Our used index must be out before we look at what the driver wants. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (virtio_has(q->dev, VIRTIO_F_EVENT_IDX))
		wanted = passed(get16(used_event(q)), q->used_idx, old);
	else
		wanted = !(get16(&q->avail->flags) & VIRTQ_AVAIL_F_NO_INTERRUPT);
	if (wanted && q->dev->transport.queue_irq)
		q->dev->transport.queue_irq(q->dev->transport.opaque, q->index);
}

static void set_used_flags(struct virtq *q, u16 flags)
{
	put16(&q->used->flags, flags);
	gpa_written(q->dev->mem, q->used_gpa, 2);
}

void virtq_kicks_off(struct virtq *q)
{
	if (!usable(q) || q->kicks_off)
		return;
	q->kicks_off = true;
	/* With EVENT_IDX an avail_event left behind asks for nothing. */
	if (!virtio_has(q->dev, VIRTIO_F_EVENT_IDX))
		set_used_flags(q, VIRTQ_USED_F_NO_NOTIFY);
}

bool virtq_kicks_on(struct virtq *q)
{
	return virtq_wait_beyond(q, 0);
}

bool virtq_wait_beyond(struct virtq *q, unsigned n)
{
	u16 known = (u16)(q->avail_seen + n);

	if (!usable(q))
		return false;
	if (virtio_has(q->dev, VIRTIO_F_EVENT_IDX)) {
		put16(avail_event(q), known);
		gpa_written(q->dev->mem, q->used_gpa + offsetof(struct virtq_used, ring[q->size]),
			    2);
	} else if (q->kicks_off) {
		set_used_flags(q, 0);
	}
	q->kicks_off = false;
	/* The request must be out before we look for buffers that came unannounced. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return avail_idx(q) != known;
}

void virtq_serve(struct virtq *q, u32 (*serve)(void *opaque, struct virtq_chain *c), void *opaque)
{
	VIRTQ_CHAIN(c);

	do {
		virtq_kicks_off(q);
		while (virtq_pop(q, &c))
			virtq_push(q, &c, serve(opaque, &c));
	} while (virtq_kicks_on(q));
	virtq_interrupt(q);
}

static u64 chain_copy(const struct io_vec *iov, unsigned niov, u64 off, u8 *buf, u64 len,
		      bool write)
{
	u64 done = 0;

	for (unsigned i = 0; i < niov && done < len; i++) {
		u64 n;

		if (off >= iov[i].len) {
			off -= iov[i].len;
			continue;
		}
		n = min_u64(iov[i].len - off, len - done);
		if (write)
			__builtin_memcpy((u8 *)iov[i].base + off, buf + done, n);
		else
			__builtin_memcpy(buf + done, (const u8 *)iov[i].base + off, n);
		done += n;
		off = 0;
	}
	return done;
}

u64 virtq_read(const struct virtq_chain *c, u64 off, void *buf, u64 len)
{
	return chain_copy(c->iov, c->nout, off, buf, len, false);
}

u64 virtq_write(const struct virtq_chain *c, u64 off, const void *buf, u64 len)
{
	return chain_copy(c->iov + c->nout, c->nin, off, (u8 *)buf, len, true);
}
