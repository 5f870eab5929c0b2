/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull boot --port NAME=PATH`: byte channels between the guest
 * (/dev/virtio-ports/NAME) and whoever connects to the unix socket PATH. All
 * connections see the same stream, a late one first what is kept of it, and what
 * they send reaches the guest (ui/console.h).
 */
#ifndef HULL_VM_PORTS_H
#define HULL_VM_PORTS_H

#include "host/loop.h"
#include "io/char.h"
#include "vm/config.h"

struct ports;

/* Opens cfg's ports; *out is NULL if it has none. No lock. */
int ports_open(struct loop *l, const struct vm_config *cfg, struct ports **out, struct err *e);
/* NULL ok. Without the lock. */
void ports_close(struct ports *p);
/* The back end of port i of cfg. */
struct io_char *ports_char(struct ports *p, unsigned i);
/* Removes the sockets; the machine has ended. */
void ports_unlink(const struct vm_config *cfg);

#endif
