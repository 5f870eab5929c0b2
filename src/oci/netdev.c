/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.netDevices (config-linux.md): network devices of the host's moved into the
 * container's network namespace, by rtnetlink(7). Called by container.c in the
 * runtime, once the namespace exists and before anything runs in it.
 */
#include "oci/netdev.h"
#include "oci/sys.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define MAX_ADDRESSES 64

struct address {
	u8 family, prefix, len, peer_len;
	u8 local[16], peer[16];
};

struct request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
	};
	char attrs[256];
};
static_assert(sizeof(struct ifinfomsg) == 16 && sizeof(struct ifaddrmsg) == 8, "rtnetlink(7)");

static void start(struct request *r, u16 type, u16 flags, size_t body)
{
	memset(r, 0, sizeof(*r));
	r->h.nlmsg_len = (u32)NLMSG_LENGTH(body);
	r->h.nlmsg_type = type;
	r->h.nlmsg_flags = (u16)(NLM_F_REQUEST | flags);
}

static void attr(struct request *r, u16 type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (u16)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = (u32)(NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

/* Sends and waits for the kernel's word: 0, or -1 with errno. */
static int talk(int sock, struct request *r)
{
	union {
		struct nlmsghdr h;
		char buf[1024];
	} in;
	ssize_t n;

	r->h.nlmsg_flags |= NLM_F_ACK;
	if (send(sock, r, r->h.nlmsg_len, 0) < 0)
		return -1;
	n = recv(sock, &in, sizeof(in), 0);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || in.h.nlmsg_type != NLMSG_ERROR) {
		errno = EPROTO;
		return -1;
	}
	errno = -((struct nlmsgerr *)NLMSG_DATA(&in.h))->error;
	return errno ? -1 : 0;
}

static int set_up(int sock, int index, bool up)
{
	struct request r;

	start(&r, RTM_NEWLINK, 0, sizeof(r.link));
	r.link.ifi_index = index;
	r.link.ifi_flags = up ? IFF_UP : 0;
	r.link.ifi_change = IFF_UP;
	return talk(sock, &r);
}

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
	struct request r;

	*n = 0;
	start(&r, RTM_GETADDR, NLM_F_DUMP, sizeof(r.addr));
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
	struct request r;

	start(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(r.addr));
	r.addr.ifa_family = a->family;
	r.addr.ifa_prefixlen = a->prefix;
	r.addr.ifa_index = (u32)index;
	if (a->len)
		attr(&r, IFA_LOCAL, a->local, a->len);
	if (a->peer_len)
		attr(&r, IFA_ADDRESS, a->peer, a->peer_len);
	return talk(sock, &r);
}

/* Move and rename in one step, so that no name in between can be taken. */
static int move(int sock, int index, const char *name, int ns)
{
	struct request r;

	start(&r, RTM_NEWLINK, 0, sizeof(r.link));
	r.link.ifi_index = index;
	attr(&r, IFLA_IFNAME, name, strlen(name) + 1);
	attr(&r, IFLA_NET_NS_FD, &ns, sizeof(ns));
	return talk(sock, &r);
}

static int open_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

/* A socket of that namespace; this thread is back in its own afterwards. */
static int open_socket_in(int ns, int own)
{
	int sock;

	if (setns(ns, CLONE_NEWNET))
		return -1;
	sock = open_socket();
	if (setns(own, CLONE_NEWNET) == 0)
		return sock;
	fd_close(&sock);
	return -1;
}

static int index_of(int sock, const char *name)
{
	struct ifreq q = {0};

	snprintf(q.ifr_name, sizeof(q.ifr_name), "%s", name);
	return ioctl(sock, SIOCGIFINDEX, &q) ? -1 : q.ifr_ifindex;
}

static int move_device(const struct oci_pair *d, int here, int there, int ns, struct err *e)
{
	struct address list[MAX_ADDRESSES];
	const char *name = d->value ? d->value : d->key;
	int index = index_of(here, d->key);
	unsigned n;

	if (index < 0)
		return err_errno(e, "network device %s", d->key);
	if (set_up(here, index, false) || list_addresses(here, index, list, &n))
		return err_errno(e, "network device %s: take it down", d->key);
	if (move(here, index, name, ns))
		return err_errno(e, "network device %s: move it into the container as %s", d->key,
				 name);
	index = index_of(there, name);
	if (index < 0)
		return err_errno(e, "network device %s: find it in the container", name);
	for (unsigned i = 0; i < n; i++)
		if (add_address(there, index, &list[i]) && errno != EEXIST)
			return err_errno(e, "network device %s: give it its address again", name);
	return set_up(there, index, true) ? err_errno(e, "network device %s: bring it up", name)
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
		here = open_socket();
		there = open_socket_in(ns, own);
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
