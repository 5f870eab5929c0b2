/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User-mode networking: Debian's passt as a child process, connected by a
 * socket pair. The guest gets PASST_GUEST by DHCP, the host's name servers, and
 * NAT to wherever the host can go; PASST_GATEWAY is the host itself, also what
 * listens on its loopback. Where the host has a default route for IPv6 the guest
 * has IPv6 too, by router advertisement, with the host's own prefix.
 *
 * Without a default route on the host passt is tied to the loopback interface:
 * the guest then reaches the host and nothing else.
 *
 * passt is started and answers before passt_start returns, so do it before the
 * sandbox closes. It ends when our end of the socket does.
 */
#ifndef HULL_NET_PASST_H
#define HULL_NET_PASST_H

#include "host/loop.h"
#include "io/net.h"

#define PASST_GUEST "10.0.2.15"
#define PASST_NETMASK "255.255.255.0"
#define PASST_GATEWAY "10.0.2.2"
#define PASST_GATEWAY_MAC "52:55:0a:00:02:02"
#define PASST_MTU 65520 /* what passt itself announces */
#define PASST_FORWARDS_MAX 32u

/* Port `host` of the host's address addr leads to port `guest` of the guest. */
struct passt_forward {
	bool udp;
	const char *addr; /* IPv4; NULL: 127.0.0.1; "0.0.0.0" for everybody */
	u16 host, guest;
};

struct passt_config {
	u8 mac[6]; /* the guest's */
	bool ipv4_only;
	const struct passt_forward *forward;
	unsigned nforwards;
};

/* Has the host ways out by IPv4 and IPv6 both? Only then passt and pasta are asked for IPv6. */
bool passt_host_has_ipv6(void);

/* -ENOENT: passt is not installed. Its own last words are in the error. No lock needed. */
int passt_start(struct loop *l, const struct passt_config *cfg, struct io_net **out, struct err *e);

/* Closes the connection and waits a moment for passt to end. NULL ok. Lock held. */
void passt_stop(struct io_net *n);

#endif
