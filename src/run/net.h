/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named networks and who is on them. On disk:
 *
 *	DATA/networks/.lock		held (flock) while anything below is read or changed
 *	DATA/networks/NAME/net.json	what it is; the network exists while this does
 *	DATA/networks/NAME/members/T	thing T is on it: address, names, and the monitor's
 *					process id and descriptor of the name space
 *
 * In the kernel a network is one network name space with a bridge in it
 * (run/bridge.h). The monitors of its members hold it, so it goes with the last
 * of them, however they end, and with it everything that was in it; nothing of
 * the host's is changed. A member whose lock (run/thing.h) is free has ended:
 * whoever looks next forgets it.
 *
 * Names are /etc/hosts: a file of each member's, bound into a container and
 * shared with a machine, rewritten whenever somebody comes or goes.
 */
#ifndef HULL_RUN_NET_H
#define HULL_RUN_NET_H

#include "run/thing.h"

#include <arpa/inet.h>

struct net {
	char name[RUN_NAME_MAX];
	u32 base; /* the subnet's first address, host byte order */
	unsigned bits;
	bool internal; /* no way out */
};

/* ADDRESS/BITS -> base and bits. Refuses what cannot be a network of ours. */
int net_subnet(const char *text, struct net *n, struct err *e);
/* n->base 0: a free one is chosen. -EEXIST: the name or the subnet is taken. */
int net_create(struct net *n, struct err *e);
int net_find(const char *name, struct net *n, struct err *e);
/* -EBUSY: a thing, running or not, is to be on it. */
int net_remove(const char *name, struct err *e);
/* Everything about all (name NULL) or one, an array or an object. New reference. */
json_t *net_json(const char *name, struct err *e);

/* A member's place. */
struct net_place {
	struct net net;
	int ns; /* the network's name space, the caller's to close */
	char ip[INET_ADDRSTRLEN];
};

/*
 * Puts a thing that is being started on the network its spec names, by the
 * process that becomes its monitor and has place->ns under the same number
 * then. Writes the hosts file of every member. Its card comes from run/bridge.h.
 */
int net_join(const struct thing *t, const struct run_spec *spec, struct net_place *place,
	     struct err *e);
/* The thing's lock is held. Nothing to do: it was on none. */
void net_leave(const struct thing *t, const struct run_spec *spec);

#endif
