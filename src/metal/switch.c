/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/switch.h"

#include "base/bits.h"
#include "metal/domain.h"

#include <stdlib.h>
#include <string.h>

enum { RING = 256 << 10, FRAME_MAX = 9216, MTU = 9000 };

struct port {
	struct io_net net;
	struct domain *domain;
	struct port *next;
	char segment[CONFIG_NAME_MAX];
	u8 learnt[6];
	u32 head, tail; /* bytes put and taken; a frame is a length and its bytes */
	bool stuck;	/* the device has no buffers */
	u64 frames, bytes, dropped;
	u8 ring[RING];
};

/* The ports and their rings; a frame is copied under it. */
static struct {
	struct spinlock lock;
	struct port *first;
} sw;

static void ring_put(struct port *p, const void *buf, u32 len)
{
	u32 at = p->head % RING, n = (u32)min_u64(len, RING - at);

	memcpy(p->ring + at, buf, n);
	memcpy(p->ring, (const u8 *)buf + n, len - n);
	p->head += len;
}

static void ring_get(struct port *p, u32 from, void *buf, u32 len)
{
	u32 at = from % RING, n = (u32)min_u64(len, RING - at);

	memcpy(buf, p->ring + at, n);
	memcpy((u8 *)buf + n, p->ring, len - n);
}

static void deliver(struct port *p, const u8 *frame, u32 len)
{
	if (RING - (p->head - p->tail) < len + sizeof(len)) {
		p->dropped++;
		return;
	}
	ring_put(p, &len, sizeof(len));
	ring_put(p, frame, len);
	p->frames++;
	p->bytes += len;
	loop_ring(&p->domain->loop);
}

static struct port *find(const struct port *from, const u8 *mac)
{
	for (struct port *p = sw.first; p; p = p->next)
		if (p != from && !strcmp(p->segment, from->segment) && !memcmp(p->learnt, mac, 6))
			return p;
	return NULL;
}

static void on_tx(struct io_net *n, const struct io_vec *iov, unsigned niov)
{
	struct port *p = container_of(n, struct port, net), *to;
	u8 frame[FRAME_MAX];
	u64 len = 0;

	for (unsigned i = 0; i < niov; i++) {
		if (iov[i].len > sizeof(frame) - len) {
			p->dropped++;
			return;
		}
		memcpy(frame + len, iov[i].base, iov[i].len);
		len += iov[i].len;
	}
	if (len < 14)
		return;
	spin_lock(&sw.lock);
	if (!(frame[6] & 1))
		memcpy(p->learnt, frame + 6, 6);
	to = frame[0] & 1 ? NULL : find(p, frame);
	if (to)
		deliver(to, frame, (u32)len);
	for (struct port *o = to ? NULL : sw.first; o; o = o->next)
		if (o != p && !strcmp(o->segment, p->segment))
			deliver(o, frame, (u32)len);
	spin_unlock(&sw.lock);
}

/* The port's frames to its guest; with the guest's lock. */
static void drain(struct port *p)
{
	u8 frame[FRAME_MAX];
	u32 len;

	while (p->net.receive) {
		spin_lock(&sw.lock);
		if (p->head == p->tail) {
			spin_unlock(&sw.lock);
			return;
		}
		ring_get(p, p->tail, &len, sizeof(len));
		ring_get(p, p->tail + (u32)sizeof(len), frame, len);
		spin_unlock(&sw.lock);
		if (!p->net.receive(p->net.opaque, frame, len)) {
			p->stuck = true;
			return;
		}
		p->tail += len + (u32)sizeof(len);
	}
}

void switch_serve(struct domain *d)
{
	for (unsigned i = 0; i < CONFIG_NETS_MAX; i++)
		if (d->net[i] && !d->net[i]->stuck)
			drain(d->net[i]);
}

static void on_rx_ready(struct io_net *n)
{
	struct port *p = container_of(n, struct port, net);

	p->stuck = false;
	drain(p);
}

struct port *switch_add(struct domain *d, const char *segment, const u8 mac[6])
{
	static const struct io_net_ops ops = {on_tx, on_rx_ready};
	struct port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->net = (struct io_net){.ops = &ops, .mtu = MTU};
	memcpy(p->net.mac, mac, 6);
	memcpy(p->learnt, mac, 6);
	memcpy(p->segment, segment, strlen(segment) + 1);
	p->domain = d;
	spin_lock(&sw.lock);
	p->next = sw.first;
	sw.first = p;
	spin_unlock(&sw.lock);
	return p;
}

void switch_remove(struct port *p)
{
	if (!p)
		return;
	spin_lock(&sw.lock);
	for (struct port **at = &sw.first; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	spin_unlock(&sw.lock);
	free(p);
}

struct io_net *switch_net(struct port *p)
{
	return &p->net;
}
