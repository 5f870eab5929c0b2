/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Virtio console, virtio 1.2 section 5.3. Contract in console.h. */
#include "dev/virtio/console.h"

#include "base/bits.h"
#include "base/endian.h"

#define CHAIN_MAX MIB(1) /* bytes of output taken from one chain */

static struct virtio_console *con_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_console, dev);
}

static struct virtq *rx_queue(struct virtio_console_port *p)
{
	return &p->con->vq[p == p->con->port ? 0 : 2 * (p - p->con->port) + 2];
}

/* The port of data queue q; q is not a control queue. */
static struct virtio_console_port *queue_port(struct virtio_console *c, unsigned q)
{
	return &c->port[q < 2 ? 0 : q / 2 - 1];
}

static bool port_takes_input(const struct virtio_console_port *p)
{
	if (!virtio_running(&p->con->dev))
		return false;
	return virtio_has(&p->con->dev, VIRTIO_CONSOLE_F_MULTIPORT) ? p->guest_open
								    : p == p->con->port;
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

void virtio_console_more_input(struct virtio_console_port *p)
{
	if (p->cfg.chr && port_takes_input(p))
		p->cfg.chr->ops->rx_ready(p->cfg.chr);
}

/* Drivers send at most some pages at once; what a chain has beyond CHAIN_MAX is dropped. */
static u32 write_chain(void *opaque, struct virtq_chain *c)
{
	struct virtio_console_port *p = opaque;
	u64 left = CHAIN_MAX;

	for (unsigned i = 0; p->cfg.chr && left && i < c->nout; i++) {
		u64 n = min_u64(left, c->iov[i].len);

		p->cfg.chr->ops->write(p->cfg.chr, c->iov[i].base, n);
		left -= n;
	}
	return 0;
}

static void console_notify(struct virtio_dev *d, unsigned q)
{
	struct virtio_console *con = con_of(d);

	if (con->multi && q / 2 == VIRTIO_CONSOLE_CONTROL / 2)
		con->multi->notify(con, q);
	else if (q & 1)
		virtq_serve(&d->vq[q], write_chain, queue_port(con, q));
	else
		virtio_console_more_input(queue_port(con, q));
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
	struct io_char *chr = con_of(d)->port[0].cfg.chr;

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
	if (p->ready)
		con->multi->resized(p);
}

void virtio_console_init(struct virtio_console *c, struct gpa_map *mem,
			 const struct virtio_console_port_config *ports, unsigned nports,
			 const struct virtio_console_multi *multi)
{
	nports = multi ? (unsigned)max_u64(1, min_u64(nports, VIRTIO_CONSOLE_PORTS_MAX)) : 1;
	virtio_init(&c->dev, &console_ops, VIRTIO_ID_CONSOLE, mem, c->vq,
		    multi ? 2 * nports + 2 : 2);
	c->config = (struct virtio_console_config){.max_nr_ports = HULL_LE(32, nports)};
	c->nports = nports;
	c->multi = multi;
	for (unsigned i = 0; i < nports; i++) {
		struct virtio_console_port *p = &c->port[i];

		*p = (struct virtio_console_port){.cfg = ports[i], .con = c, .host_open = true};
		if (!p->cfg.chr)
			continue;
		p->cfg.chr->receive = receive;
		p->cfg.chr->resize = resize;
		p->cfg.chr->opaque = p;
	}
	c->dev.features |= BIT(VIRTIO_CONSOLE_F_SIZE) | BIT(VIRTIO_CONSOLE_F_EMERG_WRITE) |
			   (multi ? BIT(VIRTIO_CONSOLE_F_MULTIPORT) : 0);
	c->dev.config = (u8 *)&c->config;
	c->dev.config_len = sizeof(c->config);
}
