/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile driver against each virtio device: descriptors, rings, register
 * writes and kicks of any kind, mixed with what back ends do at the same time.
 * The first byte of the input chooses the device, the rest are commands.
 */
#include "base/bits.h"
#include "base/endian.h"
#include "dev/virtio/balloon.h"
#include "dev/virtio/blk.h"
#include "dev/virtio/console.h"
#include "dev/virtio/net.h"
#include "dev/virtio/rng.h"
#include "dev/virtio/vsock.h"

#include <stdlib.h>
#include <string.h>

#define RAM 0x40000u
#define RING(q) (((q) % 8) * 0x2000u)
#define COMMANDS_MAX 400u

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

struct input {
	const u8 *p;
	size_t left;
};

struct world {
	_Alignas(4096) u8 ram[RAM];
	_Atomic u8 flags[RAM / GPA_PAGE_SIZE];
	struct gpa_map map;
	struct virtio_dev *dev;
	void (*event)(struct world *w, struct input *in);
	struct virtio_blk blk;
	struct virtio_net net;
	struct virtio_console con;
	struct virtio_rng rng;
	struct virtio_balloon balloon;
	struct virtio_vsock vsock;
	struct io_block disk;
	struct io_block_req *req[VIRTIO_BLK_REQS + 1];
	unsigned nreq;
	struct io_net wire;
	struct io_char chr[2];
	struct io_vsock sock;
	u64 sum; /* so that reading guest memory is not optimized away */
};

static u8 u8_of(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static u16 u16_of(struct input *in)
{
	u16 lo = u8_of(in);

	return (u16)(lo | u8_of(in) << 8);
}

/* Mostly inside RAM, sometimes anywhere. */
static u64 address_of(struct input *in)
{
	u8 how = u8_of(in);
	u64 a = (u64)u16_of(in) * 4;

	if (how < 240)
		return a % RAM;
	return how < 248 ? RAM - 8 + (a & 15) : ~0ull - a;
}

static u32 length_of(struct input *in)
{
	u8 how = u8_of(in);

	if (how < 200)
		return u16_of(in) % 600;
	return how < 250 ? u16_of(in) * 4u : ~0u - u16_of(in);
}

/* --- back ends --- */

static void touch(const struct io_vec *iov, unsigned niov, u64 *sum, bool write)
{
	for (unsigned i = 0; i < niov; i++) {
		u8 *p = iov[i].base;

		if (write)
			memset(p, 0x5a, iov[i].len);
		else
			for (size_t k = 0; k < iov[i].len; k++)
				*sum += p[k];
	}
}

static struct world *world_of_disk(struct io_block *b)
{
	return container_of(b, struct world, disk);
}

static void disk_submit(struct io_block *b, struct io_block_req *r)
{
	struct world *w = world_of_disk(b);

	if (w->nreq == VIRTIO_BLK_REQS || !range_inside(r->offset, r->len, b->size))
		abort();
	w->req[w->nreq++] = r;
}

static const struct io_block_ops disk_ops = {disk_submit, NULL};

static void disk_event(struct world *w, struct input *in)
{
	struct io_block_req *r;
	unsigned i;
	u8 how = u8_of(in);

	if (!w->nreq)
		return;
	i = how % w->nreq;
	r = w->req[i];
	w->req[i] = w->req[--w->nreq];
	if (r->op == IO_BLOCK_READ || r->op == IO_BLOCK_WRITE)
		touch(r->iov, r->niov, &w->sum, r->op == IO_BLOCK_READ);
	r->done(r, how & 0x80 ? -E_IO : 0);
	if (w->blk.in_flight != w->nreq)
		abort();
}

static void wire_tx(struct io_net *n, const struct io_vec *iov, unsigned niov)
{
	touch(iov, niov, &container_of(n, struct world, wire)->sum, false);
}

static void wire_rx_ready(struct io_net *n)
{
}

static const struct io_net_ops wire_ops = {wire_tx, wire_rx_ready};

static void net_event(struct world *w, struct input *in)
{
	static u8 frame[IO_NET_FRAME_MAX];

	frame[0] = u8_of(in);
	w->wire.receive(w->wire.opaque, frame, (size_t)u16_of(in) % sizeof(frame));
}

static void chr_write(struct io_char *c, const void *buf, size_t len)
{
	const u8 *p = buf;
	volatile u8 sink = 0;

	for (size_t i = 0; i < len; i++)
		sink ^= p[i];
	(void)sink;
}

static void chr_rx_ready(struct io_char *c)
{
	c->receive(c->opaque, "ready", 5);
}

static const struct io_char_ops chr_ops = {chr_write, chr_rx_ready};

static void console_event(struct world *w, struct input *in)
{
	static const u8 text[5000];
	u8 how = u8_of(in);
	struct io_char *c = &w->chr[how & 1];

	if (how & 2)
		c->resize(c->opaque, u8_of(in), u8_of(in));
	else if (how & 4)
		virtio_console_set_open(&w->con, how & 1, how & 8);
	else
		c->receive(c->opaque, text, u16_of(in) % sizeof(text));
}

static void fill(void *opaque, void *buf, size_t len)
{
	memset(buf, 1, len);
}

static void release(void *opaque, u64 gpa, u64 len)
{
	struct world *w = opaque;

	if (!range_inside(gpa, len, RAM) || (gpa | len) & 4095)
		abort();
	memset(&w->ram[gpa], 0, len);
}

static void balloon_event(struct world *w, struct input *in)
{
	if (u8_of(in) & 1)
		virtio_balloon_poll_stats(&w->balloon);
	else
		virtio_balloon_set_target(&w->balloon, u16_of(in));
}

static int sock_open(struct io_vsock *v, unsigned conn, u32 port)
{
	return port & 1 ? -E_ACCES : 0;
}

static void sock_nothing(struct io_vsock *v, unsigned conn)
{
	if (conn >= IO_VSOCK_CONNS)
		abort();
}

static void sock_send(struct io_vsock *v, unsigned conn, const void *buf, size_t len)
{
	chr_write(NULL, buf, len);
	if (len & 1)
		v->consumed(v->opaque, conn, len);
}

static const struct io_vsock_ops sock_ops = {sock_open,	   sock_nothing, sock_send,
					     sock_nothing, sock_nothing, sock_nothing};

static void vsock_event(struct world *w, struct input *in)
{
	static const u8 text[3000];
	struct io_vsock *v = &w->sock;
	u8 how = u8_of(in);
	u32 port;

	if (how < 80)
		v->receive(v->opaque, how % 4, text, u16_of(in) % sizeof(text));
	else if (how < 120)
		v->connect(v->opaque, u8_of(in), &port);
	else if (how < 160)
		v->hangup(v->opaque, how % 4, how & 8);
	else
		v->consumed(v->opaque, how % 4, u8_of(in));
}

static void rng_event(struct world *w, struct input *in)
{
}

/* --- the driver --- */

static void choose_device(struct world *w, u8 which)
{
	const struct virtio_console_port_config ports[2] = {{&w->chr[0], NULL, true},
							    {&w->chr[1], "port", false}};

	switch (which % 6) {
	case 0:
		w->disk = (struct io_block){&disk_ops, 0x10000, 4096, which & 64, true, true, "x"};
		virtio_blk_init(&w->blk, &w->map, &w->disk, 2);
		w->dev = &w->blk.dev;
		w->event = disk_event;
		break;
	case 1:
		w->wire = (struct io_net){.ops = &wire_ops, .mtu = 1500};
		virtio_net_init(&w->net, &w->map, &w->wire);
		w->dev = &w->net.dev;
		w->event = net_event;
		break;
	case 2:
		w->chr[0].ops = w->chr[1].ops = &chr_ops;
		virtio_console_init(&w->con, &w->map, ports, 2, &virtio_console_multiport);
		w->dev = &w->con.dev;
		w->event = console_event;
		break;
	case 3:
		virtio_balloon_init(&w->balloon, &w->map, &(struct io_reclaim){release, w});
		w->dev = &w->balloon.dev;
		w->event = balloon_event;
		break;
	case 4:
		w->sock = (struct io_vsock){.ops = &sock_ops};
		virtio_vsock_init(&w->vsock, &w->map, &w->sock, 3);
		w->dev = &w->vsock.dev;
		w->event = vsock_event;
		break;
	default:
		virtio_rng_init(&w->rng, &w->map, &(struct io_entropy){fill, NULL});
		w->dev = &w->rng.dev;
		w->event = rng_event;
	}
}

static void queue_on(struct world *w, struct input *in, unsigned n, bool wild)
{
	struct virtq *q = virtio_queue(w->dev, n);
	u32 at = RING(n);

	if (!q)
		return;
	virtq_set_size(q, wild ? u16_of(in) : 64);
	virtq_set_addr(q, &q->desc_gpa, 0, 8, wild ? address_of(in) : at);
	virtq_set_addr(q, &q->avail_gpa, 0, 8, wild ? address_of(in) : at + 0x1000);
	virtq_set_addr(q, &q->used_gpa, 0, 8, wild ? address_of(in) : at + 0x1400);
	virtq_enable(q);
}

static void start(struct world *w, struct input *in)
{
	u64 features = w->dev->features;
	u8 without = u8_of(in);

	if (without & 1)
		features &= ~BIT(VIRTIO_F_EVENT_IDX);
	if (without & 2)
		features &= ~BIT(VIRTIO_F_INDIRECT_DESC);
	if (without & 4)
		features &= ~BITS(0, 23);
	virtio_set_status(w->dev, 0);
	memset(w->ram, 0, 0x10000);
	virtio_set_status(w->dev, 3);
	virtio_set_driver_features(w->dev, 0, (u32)features);
	virtio_set_driver_features(w->dev, 1, (u32)(features >> 32));
	virtio_set_status(w->dev, 11);
	for (unsigned q = 0; q < w->dev->nvqs; q++)
		queue_on(w, in, q, (without & 0xf0) == 0xf0);
	virtio_set_status(w->dev, 15);
}

static void put_desc(struct world *w, struct input *in)
{
	u8 where = u8_of(in);
	/* A ring's table, or an indirect one. */
	u32 at = where & 0x80 ? 0x30000 : RING(where >> 4);
	struct virtq_desc d = {.addr = address_of(in)};

	d.len = length_of(in);
	d.flags = u8_of(in) & 7;
	d.next = u8_of(in) % 72;
	memcpy(&w->ram[at + (where & 15u) * 16], &d, sizeof(d));
}

/* A chain that is right in form: readable pieces, then writable ones. */
static void put_chain(struct world *w, struct input *in)
{
	unsigned q = u8_of(in) % 8, n = 1 + u8_of(in) % 4, out = u8_of(in) % 5;
	u32 at = RING(q);
	u16 *idx = (u16 *)&w->ram[at + 0x1002];
	u16 head = *idx % 16 * 4;

	for (unsigned i = 0; i < n; i++) {
		struct virtq_desc d = {
			.addr = 0x10000 + u16_of(in) % 0x8000u,
			.len = 1 + u8_of(in) * (i ? 16u : 1u),
			.flags = (u16)((i + 1 < n) | (i >= out ? VIRTQ_DESC_F_WRITE : 0)),
			.next = (u16)(head + i + 1),
		};

		memcpy(&w->ram[at + (head + i) * 16u], &d, sizeof(d));
	}
	store_le16(&w->ram[at + 0x1004 + (*idx & 63u) * 2], head);
	++*idx;
	virtio_notify(w->dev, q);
}

static void put_avail(struct world *w, struct input *in)
{
	u32 at = RING(u8_of(in)) + 0x1000;
	u16 *idx = (u16 *)&w->ram[at + 2];

	store_le16(&w->ram[at + 4 + (*idx & 63u) * 2], u8_of(in) % 66);
	*idx = (u16)(*idx + 1 + (u8_of(in) == 0xff));
}

static void put_bytes(struct world *w, struct input *in)
{
	u32 at = u16_of(in) * 4u % (RAM - 64), n = u8_of(in) % 48;

	for (u32 i = 0; i < n; i++)
		w->ram[at + i] = u8_of(in);
}

static void command(struct world *w, struct input *in)
{
	switch (u8_of(in) % 11) {
	case 0:
		put_desc(w, in);
		break;
	case 1:
		put_avail(w, in);
		break;
	case 2:
		virtio_notify(w->dev, u8_of(in) % 8);
		break;
	case 3:
		virtio_set_status(w->dev, u8_of(in));
		break;
	case 4:
		w->sum += virtio_config_read(w->dev, u8_of(in), 8);
		break;
	case 5:
		virtio_config_write(w->dev, u8_of(in), 4, u16_of(in));
		break;
	case 6:
		put_bytes(w, in);
		break;
	case 7:
		w->event(w, in);
		break;
	case 8:
		if (u8_of(in) < 30 || !virtio_running(w->dev))
			start(w, in);
		break;
	default:
		put_chain(w, in);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct world w;
	struct input in = {data, size};

	w.map.nslots = 0;
	gpa_slot_add(&w.map, &(struct gpa_slot){
				     .size = RAM, .host = w.ram, .page_flags = w.flags, .fd = -1});
	memset(w.ram, 0, sizeof(w.ram));
	w.nreq = 0;
	choose_device(&w, u8_of(&in));
	start(&w, &in);
	for (unsigned i = 0; in.left && i < COMMANDS_MAX; i++)
		command(&w, &in);
	while (w.nreq)
		disk_event(&w, &in);
	return 0;
}
