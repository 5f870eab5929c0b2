/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's network name space: none (loopback only); user: eth0, which
 * pasta (Debian's passt) serves without privilege of the container's, with the
 * addresses of net/passt.h, so that containers and machines see the same; a
 * named network: eth0 on its bridge (run/net.h) and, unless that is internal,
 * eth1 as with user. host: none of its own.
 */
#ifndef HULL_RUN_NETWORK_H
#define HULL_RUN_NETWORK_H

#include "run/thing.h"

#include <sys/types.h>

struct network {
	int ns;	       /* the name space, -1: the host's */
	int bridge;    /* of the named network, for the monitor to hold; -1: none */
	bool named;    /* eth0 is on it */
	bool internal; /* nothing leads outside */
	char ip[16];   /* of eth0 */
	pid_t helper;  /* pasta, a child of this process; 0: none */
	int ready;     /* it writes there when the interface is up */
	int words;     /* its standard error */
};

/* Begins; the rest goes on beside until network_wait. */
int network_start(const struct thing *t, const struct run_spec *spec, struct network *n,
		  struct err *e);
int network_wait(struct network *n, struct err *e);

#endif
