/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.netDevices (config-linux.md): network devices of the host's moved into the
 * container's network namespace, by rtnetlink(7). Called by container.c in the
 * runtime, once the namespace exists and before anything runs in it.
 */
#include "oci/netdev.h"

#include "host/rtnl.h"
#include "oci/sys.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_ADDRESSES 64

struct address {
	u8 family, prefix, len, peer_len;
	u8 local[16], peer[16];
};

/* An address that is worth keeping: permanent, valid everywhere. */
static void take_address(struct nlmsghdr *h, int index, struct address *out, unsigned *n)
{
	struct ifaddrmsg *m = NLMSG_DATA(h);
	struct address a = {.family = m->ifa_family, .prefix = m->ifa_prefixlen};
	int left = (int)IFA_PAYLOAD(h);
	u32 flags = m->ifa_flags;

	for (struct rtattr *t = IFA_RTA(m); RTA_OK(t, left); t = RTA_NEXT(t, left)) {
		size_t len = RTA_PAYLOAD(t);

		if (t->rta_type == IFA_FLAGS && len >= sizeof(flags)) {
			memcpy(&flags, RTA_DATA(t), sizeof(flags));
		} else if (t->rta_type == IFA_LOCAL && len <= sizeof(a.local)) {
			memcpy(a.local, RTA_DATA(t), len);
			a.len = (u8)len;
		} else if (t->rta_type == IFA_ADDRESS && len <= sizeof(a.peer)) {
			memcpy(a.peer, RTA_DATA(t), len);
			a.peer_len = (u8)len;
		}
	}
	if ((int)m->ifa_index == index && m->ifa_scope == RT_SCOPE_UNIVERSE &&
	    flags & IFA_F_PERMANENT && *n < MAX_ADDRESSES)
		out[(*n)++] = a;
}

static int list_addresses(int sock, int index, struct address *out, unsigned *n)
{
	_Alignas(struct nlmsghdr) char buf[16384];
	struct rtnl_request r;

	*n = 0;
	rtnl_start(&r, RTM_GETADDR, NLM_F_DUMP, sizeof(r.addr));
	if (send(sock, &r, r.h.nlmsg_len, 0) < 0)
		return -1;
	for (;;) {
		int left = (int)recv(sock, buf, sizeof(buf), 0);

		if (left < 0)
			return -1;
		for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, (u32)left);
		     h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR) {
				errno = EPROTO;
				return -1;
			}
			if (h->nlmsg_type == RTM_NEWADDR)
				take_address(h, index, out, n);
		}
	}
}

static int add_address(int sock, int index, const struct address *a)
{
	struct rtnl_request r;

	rtnl_start(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(r.addr));
	r.addr.ifa_family = a->family;
	r.addr.ifa_prefixlen = a->prefix;
	r.addr.ifa_index = (u32)index;
	if (a->len)
		rtnl_attr(&r, IFA_LOCAL, a->local, a->len);
	if (a->peer_len)
		rtnl_attr(&r, IFA_ADDRESS, a->peer, a->peer_len);
	return rtnl_talk(sock, &r);
}

/* Move and rename in one step, so that no name in between can be taken. */
static int move(int sock, int index, const char *name, int ns)
{
	struct rtnl_request r;

	rtnl_start(&r, RTM_NEWLINK, 0, sizeof(r.link));
	r.link.ifi_index = index;
	rtnl_attr(&r, IFLA_IFNAME, name, strlen(name) + 1);
	rtnl_attr(&r, IFLA_NET_NS_FD, &ns, sizeof(ns));
	return rtnl_talk(sock, &r);
}

static int move_device(const struct oci_pair *d, int here, int there, int ns, struct err *e)
{
	struct address list[MAX_ADDRESSES];
	const char *name = d->value ? d->value : d->key;
	int index = rtnl_index(here, d->key);
	unsigned n;

	if (index < 0)
		return err_errno(e, "network device %s", d->key);
	if (rtnl_set_up(here, index, false) || list_addresses(here, index, list, &n))
		return err_errno(e, "network device %s: take it down", d->key);
	if (move(here, index, name, ns))
		return err_errno(e, "network device %s: move it into the container as %s", d->key,
				 name);
	index = rtnl_index(there, name);
	if (index < 0)
		return err_errno(e, "network device %s: find it in the container", name);
	for (unsigned i = 0; i < n; i++)
		if (add_address(there, index, &list[i]) && errno != EEXIST)
			return err_errno(e, "network device %s: give it its address again", name);
	return rtnl_set_up(there, index, true)
		       ? err_errno(e, "network device %s: bring it up", name)
		       : 0;
}

int netdev_move_all(const struct oci_config *c, int proc, pid_t pid, struct err *e)
{
	int own, ns, here = -1, there = -1, ret = 0;
	char path[32];

	if (!c->nnetdevs)
		return 0;
	snprintf(path, sizeof(path), "%d/ns/net", pid);
	own = openat(proc, "self/ns/net", O_RDONLY | O_CLOEXEC);
	ns = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (own >= 0 && ns >= 0) {
		here = rtnl_open();
		there = rtnl_open_in(ns, own);
	}
	if (here < 0 || there < 0)
		ret = err_errno(e, "the container's network namespace");
	for (unsigned i = 0; i < c->nnetdevs && !ret; i++)
		ret = move_device(&c->netdevs[i], here, there, ns, e);
	fd_close(&there);
	fd_close(&here);
	fd_close(&ns);
	fd_close(&own);
	return ret;
}
