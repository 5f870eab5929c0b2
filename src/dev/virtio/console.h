/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Virtio console (virtio 1.2 section 5.3): port 0 is hvc0. Boards that link
 * console_ports.c offer further ports, consoles too or named byte channels
 * (/dev/virtio-ports/NAME). Each port is an io_char back end. Input is left with the
 * back end while the guest has the port closed or offers no buffers.
 */
#ifndef HULL_DEV_VIRTIO_CONSOLE_H
#define HULL_DEV_VIRTIO_CONSOLE_H

#include "abi/virtio_dev.h"
#include "dev/virtio/virtio.h"
#include "io/char.h"

#define VIRTIO_CONSOLE_PORTS_MAX 16
#define VIRTIO_CONSOLE_NAME_MAX 64

struct virtio_console;

/* What the board wants of one port. chr NULL: nothing comes, output is dropped. */
struct virtio_console_port_config {
	struct io_char *chr;
	const char *name; /* NULL: none; outlives the device */
	bool is_console;
};

struct virtio_console_port {
	struct virtio_console_port_config cfg;
	struct virtio_console *con;
	bool host_open, guest_open, ready;
	u16 cols, rows;
	u8 pending; /* control messages owed to the driver */
};

#define VIRTIO_CONSOLE_CONTROL 2u /* first of the two control queues */

/* console_ports.c: what several ports need. */
struct virtio_console_multi {
	void (*notify)(struct virtio_console *c, unsigned q); /* of a control queue */
	void (*resized)(struct virtio_console_port *p);
};
extern const struct virtio_console_multi virtio_console_multiport;

struct virtio_console {
	struct virtio_dev dev;
	struct virtq vq[2 * VIRTIO_CONSOLE_PORTS_MAX + 2];
	struct virtio_console_config config;
	struct virtio_console_port port[VIRTIO_CONSOLE_PORTS_MAX];
	unsigned nports;
	const struct virtio_console_multi *multi;
};

/*
 * nports 1..VIRTIO_CONSOLE_PORTS_MAX (clamped); multi &virtio_console_multiport, or NULL: port
 * 0 is all there is. Takes the receive side of each chr.
 */
void virtio_console_init(struct virtio_console *c, struct gpa_map *mem,
			 const struct virtio_console_port_config *ports, unsigned nports,
			 const struct virtio_console_multi *multi);
/* The driver can take input now: the back end may go on. */
void virtio_console_more_input(struct virtio_console_port *p);

/* The other side of a named port came or went (all start open). */
void virtio_console_set_open(struct virtio_console *c, unsigned port, bool open);

#endif
