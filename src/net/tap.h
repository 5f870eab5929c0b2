/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An existing tap interface (ip tuntap add NAME mode tap) as a network back
 * end. The interface stays; who attaches it to a bridge is not our business.
 */
#ifndef HULL_NET_TAP_H
#define HULL_NET_TAP_H

#include "host/loop.h"
#include "io/net.h"

/* mac is the guest's. Errors name the interface. No lock needed. */
int tap_open(struct loop *l, const char *name, const u8 mac[6], struct io_net **out, struct err *e);
/* The same for one that is open already, a descriptor of /dev/net/tun; taken over, also on errors.
 */
int tap_adopt(struct loop *l, int fd, u16 mtu, const u8 mac[6], struct io_net **out, struct err *e);
/* NULL ok. Lock held. */
void tap_close(struct io_net *n);

#endif
