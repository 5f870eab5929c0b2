/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A virtio console with several ports: the control queues and what is said on them
 * (virtio 1.2 section 5.3.6.2). Contract in console.h; linked by boards that have
 * named channels.
 */
#include "dev/virtio/console.h"

#include "base/bits.h"
#include "base/endian.h"

/* Queues, section 5.3.2. */
#define CONTROL_RX VIRTIO_CONSOLE_CONTROL
#define CONTROL_TX (CONTROL_RX + 1)

/* Control messages owed, in the order in which they are sent. */
enum owed { OWE_ADD = 1, OWE_CONSOLE = 2, OWE_NAME = 4, OWE_OPEN = 8, OWE_RESIZE = 16 };

/* Fills m and, after it, extra bytes: the message for one owed bit. */
struct message {
	struct virtio_console_control head;
	u8 extra[VIRTIO_CONSOLE_NAME_MAX];
	unsigned extra_len;
};

static unsigned name_length(const char *s)
{
	unsigned n = 0;

	while (n < VIRTIO_CONSOLE_NAME_MAX - 1 && s[n])
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
		m->extra_len = name_length(p->cfg.name);
		__builtin_memcpy(m->extra, p->cfg.name, m->extra_len);
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
	store_le32(&m->head.id, (u32)(p - p->con->port));
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
	if (!virtio_running(&con->dev) || !virtio_has(&con->dev, VIRTIO_CONSOLE_F_MULTIPORT))
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
	if (p->cfg.is_console)
		p->pending |= OWE_CONSOLE;
	if (p->cfg.name && *p->cfg.name)
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
		virtio_console_more_input(&con->port[id]);
	}
}

static u32 control_serve(void *opaque, struct virtq_chain *c)
{
	struct virtio_console_control m;

	if (virtq_read(c, 0, &m, sizeof(m)) == sizeof(m))
		control_receive(opaque, &m);
	return 0;
}

static void control_notify(struct virtio_console *con, unsigned q)
{
	if (q == CONTROL_TX)
		virtq_serve(&con->vq[q], control_serve, con);
	control_flush(con);
}

static void control_resized(struct virtio_console_port *p)
{
	p->pending |= OWE_RESIZE;
	control_flush(p->con);
}

const struct virtio_console_multi virtio_console_multiport = {control_notify, control_resized};

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
