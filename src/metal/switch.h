/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The network inside the machine: ports with a segment's name; frames go from
 * port to port of the same segment and nowhere else. A port learns its MAC
 * address from what it sends; frames to nobody known go to all of the segment.
 * Each port keeps what its guest has not taken yet, 256 KiB at most, then drops.
 */
#ifndef HULL_METAL_SWITCH_H
#define HULL_METAL_SWITCH_H

#include "io/net.h"

struct domain;
struct port;

struct port *switch_add(struct domain *d, const char *segment, const u8 mac[6]);
void switch_remove(struct port *p); /* NULL ok */
struct io_net *switch_net(struct port *p);
/* Gives a guest the frames that wait for it; with its lock. */
void switch_serve(struct domain *d);

#endif
