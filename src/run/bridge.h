/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's part of a named network (run/net.h): a network name space of its
 * own with one bridge that has no address, and the members' cards on it. A
 * card goes with the member's own name space or with the tap's descriptor.
 * The calling process stays in its own name space.
 */
#ifndef HULL_RUN_BRIDGE_H
#define HULL_RUN_BRIDGE_H

#include "run/net.h"

#define BRIDGE_MTU 65520u /* of every card; as net/passt.h */

/* The same address always has the same one, so that nobody's ARP table is wrong. */
void bridge_mac(const char *ip, u8 mac[6]);
/* A new network name space with its loopback up. */
int bridge_space(int *ns, struct err *e);
/* One with a bridge in it. */
int bridge_make(int *ns, struct err *e);
/* eth0 in the name space `inside`, with the place's address, up. */
int bridge_card(const struct net_place *p, int inside, struct err *e);
/* A card for a machine: a tap's descriptor, the caller's, or an error. */
int bridge_tap(const struct net_place *p, struct err *e);

#endif
