/* SPDX-License-Identifier: Apache-2.0 */
/* What net.c does for members.c: the files of networks. Not for others. */
#ifndef HULL_RUN_NET_INTERNAL_H
#define HULL_RUN_NET_INTERNAL_H

#include "run/net.h"

#include <dirent.h>

static inline u32 net_mask(unsigned bits)
{
	return bits ? ~0u << (32 - bits) : 0;
}

/* DATA/networks, DATA/networks/NET/FILE and DATA/networks/NET/members/THING. */
int net_dir(char *out, struct err *e);
int net_path(const char *net, const char *file, char *out, struct err *e);
int net_member_path(const char *net, const char *thing, char *out, struct err *e);
/* The lock of all networks: a descriptor to close, or -errno. */
int net_lock(struct err *e);
/* net.json. -ENOENT: there is no such network; -EINVAL: the file makes no sense. */
int net_read(const char *name, struct net *n);
void net_subnet_text(const struct net *n, char out[INET_ADDRSTRLEN + 4]);
/* Names of the files in a directory; 0 if it is not there. */
int net_names(const char *dir, struct dirent ***names, struct err *e);
void net_names_free(struct dirent **names, int n);

#endif
