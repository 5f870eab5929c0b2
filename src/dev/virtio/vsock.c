/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Virtio socket device, virtio 1.2 section 5.10. Contract and states in vsock.h. */
#include "dev/virtio/vsock.h"

#include "base/bits.h"
#include "base/endian.h"

/* Queues, section 5.10.2. */
#define RX 0
#define TX 1

#define HDR sizeof(struct virtio_vsock_hdr)
#define FIRST_HOST_PORT 0x40000000u /* clear of well-known and of guests' ephemeral ports */

/* Owed packets, in the order in which they are sent. */
enum owed {
	OWE_REQUEST = 1,
	OWE_RESPONSE = 2,
	OWE_CREDIT = 4,
	OWE_CREDIT_REQUEST = 8,
	OWE_EOF = 16,
	OWE_SHUTDOWN = 32,
	OWE_RST = 64, /* and then the row is free */
};

static struct virtio_vsock *vsock_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_vsock, dev);
}

static unsigned conn_index(const struct virtio_vsock *v, const struct vsock_conn *c)
{
	return (unsigned)(c - v->conn);
}

/* What the guest has room for, section 5.10.6.3. */
static u32 credit(const struct vsock_conn *c)
{
	u32 out = c->sent - c->peer_fwd;

	return c->peer_alloc > out ? c->peer_alloc - out : 0;
}

/* --- packets to the guest --- */

/* One receive buffer with room for a header, or false. */
static bool rx_pop(struct virtio_vsock *v, struct virtq_chain *ch)
{
	struct virtq *q = &v->vq[RX];

	while (!virtq_pop(q, ch))
		if (!virtq_kicks_on(q))
			return false;
	if (ch->in_len > HDR)
		return true;
	virtio_break(&v->dev, "socket receive buffer without room for a packet");
	return false;
}

static void header(const struct virtio_vsock *v, const struct vsock_conn *c, u16 op, u32 flags,
		   u32 len, struct virtio_vsock_hdr *h)
{
	*h = (struct virtio_vsock_hdr){
		.src_cid = HULL_LE(64, (u64)VIRTIO_VSOCK_CID_HOST),
		.dst_cid = HULL_LE(64, v->cid),
		.src_port = HULL_LE(32, c->host_port),
		.dst_port = HULL_LE(32, c->guest_port),
		.len = HULL_LE(32, len),
		.type = HULL_LE(16, (u16)VIRTIO_VSOCK_TYPE_STREAM),
		.op = HULL_LE(16, op),
		.flags = HULL_LE(32, flags),
		.buf_alloc = HULL_LE(32, IO_VSOCK_WINDOW),
		.fwd_cnt = HULL_LE(32, c->consumed),
	};
}

static bool send_header(struct virtio_vsock *v, const struct virtio_vsock_hdr *h)
{
	VIRTQ_CHAIN(ch);

	if (!rx_pop(v, &ch))
		return false;
	virtq_push(&v->vq[RX], &ch, (u32)virtq_write(&ch, 0, h, HDR));
	return true;
}

static bool send_owed(struct virtio_vsock *v, struct vsock_conn *c, enum owed what)
{
	static const struct {
		u8 bit;
		u8 op, flags;
	} packets[] = {
		{OWE_REQUEST, VIRTIO_VSOCK_OP_REQUEST, 0},
		{OWE_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE, 0},
		{OWE_CREDIT, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0},
		{OWE_CREDIT_REQUEST, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0},
		{OWE_EOF, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND},
		{OWE_SHUTDOWN, VIRTIO_VSOCK_OP_SHUTDOWN,
		 VIRTIO_VSOCK_SHUTDOWN_SEND | VIRTIO_VSOCK_SHUTDOWN_RCV},
		{OWE_RST, VIRTIO_VSOCK_OP_RST, 0},
	};
	struct virtio_vsock_hdr h;

	for (unsigned i = 0; i < ARRAY_LEN(packets); i++)
		if (packets[i].bit == what)
			header(v, c, packets[i].op, packets[i].flags, 0, &h);
	if (!send_header(v, &h))
		return false;
	c->told = c->consumed;
	return true;
}

static bool flush_conn(struct virtio_vsock *v, struct vsock_conn *c)
{
	while (c->owed) {
		u8 bit = c->owed & (u8)-c->owed;

		if (!send_owed(v, c, bit))
			return false;
		c->owed &= (u8)~bit;
		if (bit == OWE_RST)
			c->state = VSOCK_FREE;
	}
	return true;
}

static bool flush_resets(struct virtio_vsock *v)
{
	for (; v->nresets; v->nresets--) {
		const struct vsock_reset *r = &v->reset[v->nresets - 1];
		const struct virtio_vsock_hdr h = {
			.src_cid = HULL_LE(64, r->src_cid),
			.dst_cid = HULL_LE(64, r->dst_cid),
			.src_port = HULL_LE(32, r->src_port),
			.dst_port = HULL_LE(32, r->dst_port),
			.type = HULL_LE(16, r->type),
			.op = HULL_LE(16, (u16)VIRTIO_VSOCK_OP_RST),
		};

		if (!send_header(v, &h))
			return false;
	}
	return true;
}

/* Sends what is owed as far as there are buffers. */
static void flush(struct virtio_vsock *v)
{
	bool room;

	if (!virtio_running(&v->dev))
		return;
	room = flush_resets(v);
	for (unsigned i = 0; room && i < IO_VSOCK_CONNS; i++)
		room = flush_conn(v, &v->conn[i]);
	virtq_interrupt(&v->vq[RX]);
}

/* --- the table --- */

static struct vsock_conn *conn_find(struct virtio_vsock *v, u32 guest_port, u32 host_port)
{
	for (unsigned i = 0; i < IO_VSOCK_CONNS; i++) {
		struct vsock_conn *c = &v->conn[i];

		if (c->state != VSOCK_FREE && c->guest_port == guest_port &&
		    c->host_port == host_port)
			return c;
	}
	return NULL;
}

/* A free row; else the oldest one that only waits for the guest to confirm its end. */
static struct vsock_conn *conn_new(struct virtio_vsock *v, u32 guest_port, u32 host_port)
{
	struct vsock_conn *c = NULL;

	for (unsigned i = 0; i < IO_VSOCK_CONNS; i++) {
		struct vsock_conn *k = &v->conn[i];

		if (k->state == VSOCK_FREE) {
			c = k;
			break;
		}
		if (k->state == VSOCK_CLOSING && (!c || k->age < c->age))
			c = k;
	}
	if (c)
		*c = (struct vsock_conn){
			.guest_port = guest_port, .host_port = host_port, .age = v->clock++};
	return c;
}

/* Our end is over with an RST to the guest. */
static void conn_abort(struct virtio_vsock *v, struct vsock_conn *c)
{
	bool backed = c->state != VSOCK_CLOSING;

	c->state = VSOCK_CLOSING;
	c->owed = OWE_RST;
	if (backed)
		v->back->ops->close(v->back, conn_index(v, c));
}

/* The guest knows already. */
static void conn_gone(struct virtio_vsock *v, struct vsock_conn *c)
{
	bool backed = c->state != VSOCK_CLOSING;

	c->state = VSOCK_FREE;
	c->owed = 0;
	if (backed)
		v->back->ops->close(v->back, conn_index(v, c));
}

static void owe_reset(struct virtio_vsock *v, const struct virtio_vsock_hdr *h)
{
	if (v->nresets == VIRTIO_VSOCK_RESETS || load_le16(&h->op) == VIRTIO_VSOCK_OP_RST)
		return;
	v->reset[v->nresets++] = (struct vsock_reset){
		.src_cid = load_le64(&h->dst_cid),
		.dst_cid = load_le64(&h->src_cid),
		.src_port = load_le32(&h->dst_port),
		.dst_port = load_le32(&h->src_port),
		.type = load_le16(&h->type),
	};
}

/* --- packets from the guest --- */

static void on_request(struct virtio_vsock *v, const struct virtio_vsock_hdr *h)
{
	struct vsock_conn *c = conn_new(v, load_le32(&h->src_port), load_le32(&h->dst_port));

	if (!c) {
		owe_reset(v, h);
		return;
	}
	c->peer_alloc = load_le32(&h->buf_alloc);
	c->peer_fwd = load_le32(&h->fwd_cnt);
	c->state = VSOCK_OPEN;
	if (v->back->ops->open(v->back, conn_index(v, c), c->host_port)) {
		c->state = VSOCK_FREE;
		c->owed = 0;
		owe_reset(v, h);
		return;
	}
	c->owed |= OWE_RESPONSE;
}

/* Section 5.10.6.3: the driver may not send more than we said there is room for. */
static void on_data(struct virtio_vsock *v, struct vsock_conn *c, u32 len,
		    const struct virtq_chain *ch)
{
	unsigned conn = conn_index(v, c);
	u64 skip = HDR;

	if (c->guest_sent_eof || len > ch->out_len - HDR ||
	    len > IO_VSOCK_WINDOW - (c->received - c->consumed)) {
		conn_abort(v, c);
		return;
	}
	c->received += len;
	for (unsigned i = 0; i < ch->nout && len && c->state == VSOCK_OPEN; i++) {
		const struct io_vec *iov = &ch->iov[i];
		u64 n;

		if (skip >= iov->len) {
			skip -= iov->len;
			continue;
		}
		n = min_u64(len, iov->len - skip);
		v->back->ops->send(v->back, conn, (const u8 *)iov->base + skip, n);
		len -= (u32)n;
		skip = 0;
	}
}

static void on_shutdown(struct virtio_vsock *v, struct vsock_conn *c, u32 flags)
{
	const u32 both = VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND;

	if ((flags & both) == both) {
		conn_abort(v, c);
	} else if (flags & VIRTIO_VSOCK_SHUTDOWN_SEND && !c->guest_sent_eof) {
		c->guest_sent_eof = true;
		v->back->ops->eof(v->back, conn_index(v, c));
	}
}

static void on_open_conn(struct virtio_vsock *v, struct vsock_conn *c,
			 const struct virtio_vsock_hdr *h, const struct virtq_chain *ch)
{
	switch (load_le16(&h->op)) {
	case VIRTIO_VSOCK_OP_RW:
		on_data(v, c, load_le32(&h->len), ch);
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		on_shutdown(v, c, load_le32(&h->flags));
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		c->owed |= OWE_CREDIT;
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	default:
		conn_abort(v, c);
	}
}

static void on_conn(struct virtio_vsock *v, struct vsock_conn *c, const struct virtio_vsock_hdr *h,
		    const struct virtq_chain *ch)
{
	u16 op = load_le16(&h->op);

	c->peer_alloc = load_le32(&h->buf_alloc);
	c->peer_fwd = load_le32(&h->fwd_cnt);
	c->asked = c->asked && !credit(c);
	if (op == VIRTIO_VSOCK_OP_RST) {
		conn_gone(v, c);
	} else if (c->state == VSOCK_CONNECTING) {
		if (op != VIRTIO_VSOCK_OP_RESPONSE) {
			conn_abort(v, c);
			return;
		}
		c->state = VSOCK_OPEN;
		v->back->ops->accepted(v->back, conn_index(v, c));
	} else if (c->state == VSOCK_OPEN) {
		on_open_conn(v, c, h, ch);
	}
	/* CLOSING: late data of a connection that is over; only its end is answered. */
	if (c->state == VSOCK_CLOSING && op == VIRTIO_VSOCK_OP_SHUTDOWN)
		c->owed = OWE_RST;
}

static void on_packet(struct virtio_vsock *v, const struct virtq_chain *ch)
{
	struct virtio_vsock_hdr h;
	struct vsock_conn *c;

	if (virtq_read(ch, 0, &h, HDR) != HDR)
		return;
	if (load_le64(&h.src_cid) != v->cid)
		return;
	if (load_le64(&h.dst_cid) != VIRTIO_VSOCK_CID_HOST ||
	    load_le16(&h.type) != VIRTIO_VSOCK_TYPE_STREAM) {
		owe_reset(v, &h);
		return;
	}
	c = conn_find(v, load_le32(&h.src_port), load_le32(&h.dst_port));
	if (c)
		on_conn(v, c, &h, ch);
	else if (load_le16(&h.op) == VIRTIO_VSOCK_OP_REQUEST)
		on_request(v, &h);
	else
		owe_reset(v, &h);
}

/* Who waited for credit or buffers may try again. */
static void feed_starved(struct virtio_vsock *v)
{
	for (unsigned i = 0; i < IO_VSOCK_CONNS; i++) {
		struct vsock_conn *c = &v->conn[i];

		if (!c->starved || c->state != VSOCK_OPEN || !credit(c))
			continue;
		c->starved = false;
		v->back->ops->rx_ready(v->back, i);
	}
}

static void tx_serve(struct virtio_vsock *v)
{
	struct virtq *q = &v->vq[TX];
	VIRTQ_CHAIN(ch);

	do {
		virtq_kicks_off(q);
		while (virtq_pop(q, &ch)) {
			on_packet(v, &ch);
			virtq_push(q, &ch, 0);
		}
	} while (virtq_kicks_on(q));
	virtq_interrupt(q);
}

static void vsock_notify(struct virtio_dev *d, unsigned q)
{
	struct virtio_vsock *v = vsock_of(d);

	if (q == TX)
		tx_serve(v);
	if (q == TX || q == RX) {
		flush(v);
		feed_starved(v);
	}
}

static bool vsock_reset(struct virtio_dev *d)
{
	struct virtio_vsock *v = vsock_of(d);

	for (unsigned i = 0; i < IO_VSOCK_CONNS; i++)
		if (v->conn[i].state != VSOCK_FREE)
			conn_gone(v, &v->conn[i]);
	v->nresets = 0;
	return true;
}

static const struct virtio_ops vsock_ops = {
	.name = "virtio-vsock",
	.reset = vsock_reset,
	.notify = vsock_notify,
};

/* --- the back end's calls --- */

static int host_connect(void *opaque, u32 guest_port, u32 *host_port)
{
	struct virtio_vsock *v = opaque;
	struct vsock_conn *c;

	if (!virtio_running(&v->dev))
		return -E_NODEV;
	do
		*host_port = FIRST_HOST_PORT | v->next_port++;
	while (conn_find(v, guest_port, *host_port));
	c = conn_new(v, guest_port, *host_port);
	if (!c)
		return -E_BUSY;
	c->state = VSOCK_CONNECTING;
	c->owed = OWE_REQUEST;
	flush(v);
	return (int)conn_index(v, c);
}

static struct vsock_conn *open_conn(struct virtio_vsock *v, unsigned conn)
{
	if (conn >= IO_VSOCK_CONNS || v->conn[conn].state != VSOCK_OPEN)
		return NULL;
	return &v->conn[conn];
}

/* One packet with as much as credit and buffer allow; its payload's length. */
static u32 send_data(struct virtio_vsock *v, struct vsock_conn *c, const u8 *buf, size_t len)
{
	struct virtio_vsock_hdr h;
	u64 n;
	VIRTQ_CHAIN(ch);

	if (!credit(c) || !rx_pop(v, &ch))
		return 0;
	n = min_u64(min_u64(len, credit(c)), ch.in_len - HDR);
	header(v, c, VIRTIO_VSOCK_OP_RW, 0, (u32)n, &h);
	virtq_write(&ch, 0, &h, HDR);
	virtq_write(&ch, HDR, buf, n);
	virtq_push(&v->vq[RX], &ch, (u32)(HDR + n));
	c->sent += (u32)n;
	c->told = c->consumed;
	return (u32)n;
}

static size_t host_receive(void *opaque, unsigned conn, const void *buf, size_t len)
{
	struct virtio_vsock *v = opaque;
	struct vsock_conn *c = open_conn(v, conn);
	size_t done = 0;
	u32 n;

	if (!c)
		return 0;
	if (flush_conn(v, c))
		while (done < len && (n = send_data(v, c, (const u8 *)buf + done, len - done)))
			done += n;
	if (done < len) {
		c->starved = true;
		if (!credit(c) && !c->asked) {
			c->asked = true;
			c->owed |= OWE_CREDIT_REQUEST;
			flush_conn(v, c);
		}
	}
	virtq_interrupt(&v->vq[RX]);
	return done;
}

static void host_consumed(void *opaque, unsigned conn, size_t n)
{
	struct virtio_vsock *v = opaque;
	struct vsock_conn *c = open_conn(v, conn);

	if (!c)
		return;
	c->consumed += (u32)n;
	if (c->consumed - c->told < IO_VSOCK_WINDOW / 2)
		return;
	c->owed |= OWE_CREDIT;
	flush(v);
}

static void host_hangup(void *opaque, unsigned conn, bool all)
{
	struct virtio_vsock *v = opaque;
	struct vsock_conn *c;

	if (conn >= IO_VSOCK_CONNS)
		return;
	c = &v->conn[conn];
	if (c->state == VSOCK_CONNECTING && all) {
		c->state = VSOCK_CLOSING;
		c->owed = OWE_RST;
	} else if (c->state == VSOCK_OPEN) {
		c->owed |= all ? OWE_SHUTDOWN : OWE_EOF;
		if (all)
			c->state = VSOCK_CLOSING;
	}
	flush(v);
}

void virtio_vsock_init(struct virtio_vsock *v, struct gpa_map *mem, struct io_vsock *back, u32 cid)
{
	*v = (struct virtio_vsock){.back = back, .cid = cid};
	virtio_init(&v->dev, &vsock_ops, VIRTIO_ID_VSOCK, mem, v->vq, ARRAY_LEN(v->vq));
	store_le64(v->config, cid);
	v->dev.config = v->config;
	v->dev.config_len = sizeof(v->config);
	back->opaque = v;
	back->connect = host_connect;
	back->receive = host_receive;
	back->consumed = host_consumed;
	back->hangup = host_hangup;
}
