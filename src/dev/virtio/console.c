/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Virtio console, virtio 1.2 section 5.3. Contract in console.h. */
#include "dev/virtio/console.h"

#include "base/bits.h"
#include "base/endian.h"

/* Queues, section 5.3.2. */
#define CONTROL_RX 2
#define CONTROL_TX 3

#define CHAIN_MAX MIB(1) /* bytes of output taken from one chain */

/* Control messages owed, in the order in which they are sent. */
enum owed { OWE_ADD = 1, OWE_CONSOLE = 2, OWE_NAME = 4, OWE_OPEN = 8, OWE_RESIZE = 16 };

static struct virtio_console *con_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_console, dev);
}

static unsigned port_index(const struct virtio_console_port *p)
{
	return (unsigned)(p - p->con->port);
}

static struct virtq *rx_queue(struct virtio_console_port *p)
{
	unsigned i = port_index(p);

	return &p->con->vq[i ? 2 * i + 2 : 0];
}

/* The port of data queue q; q is not a control queue. */
static struct virtio_console_port *queue_port(struct virtio_console *c, unsigned q)
{
	return &c->port[q < 2 ? 0 : q / 2 - 1];
}

static bool multiport(const struct virtio_console *c)
{
	return virtio_has(&c->dev, VIRTIO_CONSOLE_F_MULTIPORT);
}

static bool port_takes_input(const struct virtio_console_port *p)
{
	if (!virtio_running(&p->con->dev))
		return false;
	return multiport(p->con) ? p->guest_open : port_index(p) == 0;
}

static size_t receive_some(struct virtio_console_port *p, const u8 *buf, size_t len)
{
	struct virtq *q = rx_queue(p);
	size_t taken = 0;
	VIRTQ_CHAIN(c);

	while (taken < len && virtq_pop(q, &c)) {
		u64 n = virtq_write(&c, 0, buf + taken, len - taken);

		virtq_push(q, &c, (u32)n);
		taken += n;
	}
	return taken;
}

static size_t receive(void *opaque, const void *buf, size_t len)
{
	struct virtio_console_port *p = opaque;
	struct virtq *q = rx_queue(p);
	size_t taken = 0;

	if (!port_takes_input(p))
		return 0;
	do
		taken += receive_some(p, (const u8 *)buf + taken, len - taken);
	while (taken < len && virtq_kicks_on(q));
	virtq_interrupt(q);
	return taken;
}

static void more_input(struct virtio_console_port *p)
{
	if (p->chr && port_takes_input(p))
		p->chr->ops->rx_ready(p->chr);
}

/* Drivers send at most some pages at once; what a chain has beyond CHAIN_MAX is dropped. */
static u32 write_chain(void *opaque, struct virtq_chain *c)
{
	struct virtio_console_port *p = opaque;
	u64 left = CHAIN_MAX;

	for (unsigned i = 0; p->chr && left && i < c->nout; i++) {
		u64 n = min_u64(left, c->iov[i].len);

		p->chr->ops->write(p->chr, c->iov[i].base, n);
		left -= n;
	}
	return 0;
}

/* Fills m and, after it, extra bytes: the message for one owed bit. */
struct message {
	struct virtio_console_control head;
	u8 extra[VIRTIO_CONSOLE_NAME_MAX];
	unsigned extra_len;
};

static unsigned name_length(const char *s)
{
	unsigned n = 0;

	while (n < VIRTIO_CONSOLE_NAME_MAX && s[n])
		n++;
	return n;
}

static void message_make(const struct virtio_console_port *p, enum owed what, struct message *m)
{
	u16 event = 0, value = 1;

	m->extra_len = 0;
	switch (what) {
	case OWE_ADD:
		event = VIRTIO_CONSOLE_DEVICE_ADD;
		break;
	case OWE_CONSOLE:
		event = VIRTIO_CONSOLE_CONSOLE_PORT;
		break;
	case OWE_NAME:
		event = VIRTIO_CONSOLE_PORT_NAME;
		m->extra_len = name_length(p->name);
		__builtin_memcpy(m->extra, p->name, m->extra_len);
		break;
	case OWE_OPEN:
		event = VIRTIO_CONSOLE_PORT_OPEN;
		value = p->host_open;
		break;
	case OWE_RESIZE:
		event = VIRTIO_CONSOLE_RESIZE;
		store_le16(m->extra, p->cols);
		store_le16(m->extra + 2, p->rows);
		m->extra_len = 4;
		break;
	}
	store_le32(&m->head.id, port_index(p));
	store_le16(&m->head.event, event);
	store_le16(&m->head.value, value);
}

static bool control_send(struct virtio_console_port *p, enum owed what)
{
	struct virtq *q = &p->con->vq[CONTROL_RX];
	struct message m;
	u64 n;
	VIRTQ_CHAIN(c);

	while (!virtq_pop(q, &c))
		if (!virtq_kicks_on(q))
			return false;
	message_make(p, what, &m);
	n = virtq_write(&c, 0, &m.head, sizeof(m.head));
	n += virtq_write(&c, sizeof(m.head), m.extra, m.extra_len);
	virtq_push(q, &c, (u32)n);
	return true;
}

/* Sends what is owed as far as the driver has given buffers. */
static void control_flush(struct virtio_console *con)
{
	if (!virtio_running(&con->dev) || !multiport(con))
		return;
	for (unsigned i = 0; i < con->nports; i++) {
		struct virtio_console_port *p = &con->port[i];

		while (p->pending) {
			u8 bit = p->pending & (u8)-p->pending;

			if (!control_send(p, bit))
				goto out;
			p->pending &= (u8)~bit;
		}
	}
out:
	virtq_interrupt(&con->vq[CONTROL_RX]);
}

static void port_is_ready(struct virtio_console_port *p)
{
	p->ready = true;
	if (p->is_console)
		p->pending |= OWE_CONSOLE;
	if (p->name[0])
		p->pending |= OWE_NAME;
	if (p->cols)
		p->pending |= OWE_RESIZE;
	p->pending |= OWE_OPEN;
}

static void control_receive(struct virtio_console *con, const struct virtio_console_control *m)
{
	u32 id = load_le32(&m->id);
	u16 event = load_le16(&m->event), value = load_le16(&m->value);

	if (event == VIRTIO_CONSOLE_DEVICE_READY && value) {
		for (unsigned i = 0; i < con->nports; i++)
			con->port[i].pending |= OWE_ADD;
		return;
	}
	if (id >= con->nports)
		return;
	if (event == VIRTIO_CONSOLE_PORT_READY && value) {
		port_is_ready(&con->port[id]);
	} else if (event == VIRTIO_CONSOLE_PORT_OPEN) {
		con->port[id].guest_open = value;
		more_input(&con->port[id]);
	}
}

static u32 control_serve(void *opaque, struct virtq_chain *c)
{
	struct virtio_console_control m;

	if (virtq_read(c, 0, &m, sizeof(m)) == sizeof(m))
		control_receive(opaque, &m);
	return 0;
}

static void console_notify(struct virtio_dev *d, unsigned q)
{
	struct virtio_console *con = con_of(d);

	if (q == CONTROL_TX)
		virtq_serve(&d->vq[q], control_serve, con);
	if (q == CONTROL_RX || q == CONTROL_TX)
		control_flush(con);
	else if (q & 1)
		virtq_serve(&d->vq[q], write_chain, queue_port(con, q));
	else
		more_input(queue_port(con, q));
}

static bool console_reset(struct virtio_dev *d)
{
	struct virtio_console *con = con_of(d);

	for (unsigned i = 0; i < con->nports; i++) {
		struct virtio_console_port *p = &con->port[i];

		p->guest_open = p->ready = false;
		p->pending = 0;
	}
	return true;
}

/* The emergency write register prints one character without any queue (5.3.4). */
static void console_config_write(struct virtio_dev *d, unsigned off, unsigned len, const u8 *bytes)
{
	struct io_char *chr = con_of(d)->port[0].chr;

	if (chr && off == offsetof(struct virtio_console_config, emerg_wr) && len)
		chr->ops->write(chr, bytes, 1);
}

static const struct virtio_ops console_ops = {
	.name = "virtio-console",
	.reset = console_reset,
	.notify = console_notify,
	.config_write = console_config_write,
};

static void resize(void *opaque, u16 cols, u16 rows)
{
	struct virtio_console_port *p = opaque;
	struct virtio_console *con = p->con;

	if (p->cols == cols && p->rows == rows)
		return;
	p->cols = cols;
	p->rows = rows;
	if (p == &con->port[0]) {
		store_le16(&con->config.cols, cols);
		store_le16(&con->config.rows, rows);
		if (virtio_has(&con->dev, VIRTIO_CONSOLE_F_SIZE))
			virtio_config_changed(&con->dev);
	}
	if (p->ready) {
		p->pending |= OWE_RESIZE;
		control_flush(con);
	}
}

void virtio_console_set_open(struct virtio_console *c, unsigned port, bool open)
{
	struct virtio_console_port *p;

	if (port >= c->nports)
		return;
	p = &c->port[port];
	if (p->host_open == open)
		return;
	p->host_open = open;
	if (p->ready) {
		p->pending |= OWE_OPEN;
		control_flush(c);
	}
}

static void port_init(struct virtio_console *con, unsigned i,
		      const struct virtio_console_port_config *cfg)
{
	struct virtio_console_port *p = &con->port[i];
	unsigned n = cfg->name ? name_length(cfg->name) : 0;

	*p = (struct virtio_console_port){
		.con = con,
		.chr = cfg->chr,
		.is_console = cfg->is_console,
		.host_open = true,
	};
	n = (unsigned)min_u64(n, VIRTIO_CONSOLE_NAME_MAX - 1);
	if (n)
		__builtin_memcpy(p->name, cfg->name, n);
	if (p->chr) {
		p->chr->receive = receive;
		p->chr->resize = resize;
		p->chr->opaque = p;
	}
}

void virtio_console_init(struct virtio_console *c, struct gpa_map *mem,
			 const struct virtio_console_port_config *ports, unsigned nports)
{
	nports = (unsigned)max_u64(1, min_u64(nports, VIRTIO_CONSOLE_PORTS_MAX));
	virtio_init(&c->dev, &console_ops, VIRTIO_ID_CONSOLE, mem, c->vq, 2 * nports + 2);
	c->config = (struct virtio_console_config){.max_nr_ports = HULL_LE(32, nports)};
	c->nports = nports;
	for (unsigned i = 0; i < nports; i++)
		port_init(c, i, &ports[i]);
	c->dev.features |= BIT(VIRTIO_CONSOLE_F_SIZE) | BIT(VIRTIO_CONSOLE_F_MULTIPORT) |
			   BIT(VIRTIO_CONSOLE_F_EMERG_WRITE);
	c->dev.config = (u8 *)&c->config;
	c->dev.config_len = sizeof(c->config);
}
