/* SPDX-License-Identifier: Apache-2.0 */
#include "host/rtnl.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert(sizeof(struct ifinfomsg) == 16 && sizeof(struct ifaddrmsg) == 8, "rtnetlink(7)");

int rtnl_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

int rtnl_open_in(int ns, int own)
{
	int sock;

	if (setns(ns, CLONE_NEWNET))
		return -1;
	sock = rtnl_open();
	if (!setns(own, CLONE_NEWNET))
		return sock;
	if (sock >= 0)
		close(sock);
	return -1;
}

void rtnl_start(struct rtnl_request *r, u16 type, u16 flags, size_t body)
{
	memset(r, 0, sizeof(*r));
	r->h.nlmsg_len = (u32)NLMSG_LENGTH(body);
	r->h.nlmsg_type = type;
	r->h.nlmsg_flags = (u16)(NLM_F_REQUEST | flags);
}

static struct rtattr *end_of(struct rtnl_request *r)
{
	return (struct rtattr *)(void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));
}

void rtnl_raw(struct rtnl_request *r, const void *data, size_t len)
{
	memcpy(end_of(r), data, len);
	r->h.nlmsg_len = (u32)(NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(len));
}

void rtnl_attr(struct rtnl_request *r, u16 type, const void *data, size_t len)
{
	struct rtattr *a = end_of(r);

	a->rta_type = type;
	a->rta_len = (u16)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = (u32)(NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

u32 rtnl_nest(struct rtnl_request *r, u16 type)
{
	u32 at = (u32)NLMSG_ALIGN(r->h.nlmsg_len);

	rtnl_attr(r, type, NULL, 0);
	return at;
}

void rtnl_end(struct rtnl_request *r, u32 nest)
{
	struct rtattr *a = (struct rtattr *)(void *)((char *)r + nest);

	a->rta_len = (u16)(r->h.nlmsg_len - nest);
}

int rtnl_talk(int sock, struct rtnl_request *r)
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

int rtnl_set_up(int sock, int index, bool up)
{
	struct rtnl_request r;

	rtnl_start(&r, RTM_NEWLINK, 0, sizeof(r.link));
	r.link.ifi_index = index;
	r.link.ifi_flags = up ? IFF_UP : 0;
	r.link.ifi_change = IFF_UP;
	return rtnl_talk(sock, &r);
}

int rtnl_index(int sock, const char *name)
{
	struct ifreq q = {0};

	snprintf(q.ifr_name, sizeof(q.ifr_name), "%s", name);
	return ioctl(sock, SIOCGIFINDEX, &q) ? -1 : q.ifr_ifindex;
}
