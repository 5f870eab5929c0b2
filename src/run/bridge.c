/* SPDX-License-Identifier: Apache-2.0 */
#include "run/bridge.h"

#include "host/rtnl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BRIDGE "bridge"
#define CARD "eth0"

/* ---- other name spaces ---- */

/*
 * Who is not root could not come back from another name space to the host's: a
 * child goes there, makes a descriptor and hands it over.
 */
struct errand {
	int (*make)(const struct errand *r, struct err *e);
	int ns;		  /* where to; -1: make says */
	const char *name; /* of a tap */
};

struct hand_over {
	struct msghdr msg;
	struct iovec iov;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static void hand_over_init(struct hand_over *h, struct err *said)
{
	*h = (struct hand_over){.iov = {said, sizeof(*said)}};
	h->msg = (struct msghdr){.msg_iov = &h->iov,
				 .msg_iovlen = 1,
				 .msg_control = h->control,
				 .msg_controllen = sizeof(h->control)};
}

static __attribute__((noreturn)) void errand_child(const struct errand *r, int sock)
{
	struct err e = {0};
	struct hand_over h;
	struct cmsghdr *c;
	int fd = -1;

	if (r->ns >= 0 && setns(r->ns, CLONE_NEWNET))
		err_errno(&e, "network: its name space");
	else
		fd = r->make(r, &e);
	hand_over_init(&h, &e);
	c = CMSG_FIRSTHDR(&h.msg);
	*c = (struct cmsghdr){CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (fd < 0)
		h.msg.msg_controllen = 0;
	_exit(sendmsg(sock, &h.msg, MSG_NOSIGNAL) < 0);
}

static int take_over(int sock, struct err *e)
{
	struct err said = {0};
	struct hand_over h;
	struct cmsghdr *c;
	int fd = -1;

	hand_over_init(&h, &said);
	if (recvmsg(sock, &h.msg, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(said))
		return err_set(e, EIO, "network: no name space");
	c = CMSG_FIRSTHDR(&h.msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	said.msg[sizeof(said.msg) - 1] = 0;
	return fd >= 0 ? fd : err_set(e, said.status ?: EIO, "%s", said.msg);
}

/* The descriptor, the caller's to close. */
static int errand(const struct errand *r, struct err *e)
{
	int pair[2], ret;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_errno(e, "network: socketpair");
	pid = fork();
	if (!pid)
		errand_child(r, pair[1]);
	close(pair[1]);
	ret = pid < 0 ? err_errno(e, "network: cannot start a process") : take_over(pair[0], e);
	close(pair[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return ret;
}

static int loopback_up(struct err *e)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) ? err_errno(e, "network: loopback") : 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

static int make_space(const struct errand *r, struct err *e)
{
	int ret = unshare(CLONE_NEWNET) ? err_errno(e, "network: no name space") : loopback_up(e);

	if (!ret)
		ret = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return ret == -1 ? err_errno(e, "network: /proc/self/ns/net") : ret;
}

int bridge_space(int *ns, struct err *e)
{
	*ns = errand(&(struct errand){.make = make_space, .ns = -1}, e);
	return *ns < 0 ? *ns : 0;
}

static int make_socket(const struct errand *r, struct err *e)
{
	int sock = rtnl_open();

	return sock < 0 ? err_errno(e, "network: netlink") : sock;
}

/* A netlink socket of the name space. */
static int open_socket(int ns, struct err *e)
{
	return errand(&(struct errand){.make = make_socket, .ns = ns}, e);
}

/* ---- the bridge ---- */

static void text_attr(struct rtnl_request *r, u16 type, const char *text)
{
	rtnl_attr(r, type, text, strlen(text) + 1);
}

static void number_attr(struct rtnl_request *r, u16 type, u32 v)
{
	rtnl_attr(r, type, &v, sizeof(v));
}

static int add_bridge(int sock, struct err *e)
{
	struct rtnl_request r;
	u32 nest;

	rtnl_start(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(r.link));
	r.link.ifi_flags = r.link.ifi_change = IFF_UP;
	text_attr(&r, IFLA_IFNAME, BRIDGE);
	number_attr(&r, IFLA_MTU, BRIDGE_MTU);
	nest = rtnl_nest(&r, IFLA_LINKINFO);
	text_attr(&r, IFLA_INFO_KIND, "bridge");
	rtnl_end(&r, nest);
	if (!rtnl_talk(sock, &r))
		return 0;
	if (errno == EOPNOTSUPP)
		return err_set(e, ENOTSUP,
			       "named networks need a kernel with bridges (CONFIG_BRIDGE); this "
			       "one has none: use --network user");
	return err_errno(e, "network: no bridge");
}

int bridge_make(int *ns, struct err *e)
{
	int sock, ret = bridge_space(ns, e);

	if (ret)
		return ret;
	sock = open_socket(*ns, e);
	ret = sock < 0 ? sock : add_bridge(sock, e);
	if (sock >= 0)
		close(sock);
	if (ret)
		close(*ns);
	return ret;
}

/* ---- a container's card ---- */

void bridge_mac(const char *ip, u8 mac[6])
{
	mac[0] = 0x52;
	mac[1] = 0x55;
	inet_pton(AF_INET, ip, mac + 2);
}

/* One request makes both ends, each where it belongs; up they can be only when both are there. */
static int add_veth(int sock, const char *name, const char *ip, int inside)
{
	struct ifinfomsg peer = {.ifi_family = AF_UNSPEC};
	struct rtnl_request r;
	u32 info, data, end;
	u8 mac[6];

	bridge_mac(ip, mac);
	rtnl_start(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(r.link));
	text_attr(&r, IFLA_IFNAME, name);
	number_attr(&r, IFLA_MTU, BRIDGE_MTU);
	number_attr(&r, IFLA_MASTER, (u32)rtnl_index(sock, BRIDGE));
	info = rtnl_nest(&r, IFLA_LINKINFO);
	text_attr(&r, IFLA_INFO_KIND, "veth");
	data = rtnl_nest(&r, IFLA_INFO_DATA);
	end = rtnl_nest(&r, VETH_INFO_PEER);
	rtnl_raw(&r, &peer, sizeof(peer));
	text_attr(&r, IFLA_IFNAME, CARD);
	number_attr(&r, IFLA_MTU, BRIDGE_MTU);
	number_attr(&r, IFLA_NET_NS_FD, (u32)inside);
	rtnl_attr(&r, IFLA_ADDRESS, mac, sizeof(mac));
	rtnl_end(&r, end);
	rtnl_end(&r, data);
	rtnl_end(&r, info);
	return rtnl_talk(sock, &r) || rtnl_set_up(sock, rtnl_index(sock, name), true);
}

static int give_address(int inside, const struct net_place *p, struct err *e)
{
	struct in_addr ip, all = {htonl(p->net.base | (0xffffffffu >> p->net.bits))};
	int ret = 0, sock = open_socket(inside, e);
	struct rtnl_request r;

	if (sock < 0)
		return sock;
	inet_pton(AF_INET, p->ip, &ip);
	rtnl_start(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(r.addr));
	r.addr.ifa_family = AF_INET;
	r.addr.ifa_prefixlen = (u8)p->net.bits;
	r.addr.ifa_index = (u32)rtnl_index(sock, CARD);
	rtnl_attr(&r, IFA_LOCAL, &ip, sizeof(ip));
	rtnl_attr(&r, IFA_BROADCAST, &all, sizeof(all));
	if (rtnl_talk(sock, &r) || rtnl_set_up(sock, (int)r.addr.ifa_index, true))
		ret = err_errno(e, "network %s: address %s", p->net.name, p->ip);
	close(sock);
	return ret;
}

int bridge_card(const struct net_place *p, int inside, struct err *e)
{
	int ret = 0, sock = open_socket(p->ns, e);
	char name[IFNAMSIZ];

	if (sock < 0)
		return sock;
	snprintf(name, sizeof(name), "c%d", getpid());
	if (add_veth(sock, name, p->ip, inside))
		ret = err_errno(e, "network %s: no card (veth)", p->net.name);
	close(sock);
	return ret ? ret : give_address(inside, p, e);
}

/* ---- a machine's ---- */

static int plug(int sock, const char *name)
{
	struct rtnl_request r;

	rtnl_start(&r, RTM_NEWLINK, 0, sizeof(r.link));
	r.link.ifi_index = rtnl_index(sock, name);
	r.link.ifi_flags = r.link.ifi_change = IFF_UP;
	number_attr(&r, IFLA_MTU, BRIDGE_MTU);
	number_attr(&r, IFLA_MASTER, (u32)rtnl_index(sock, BRIDGE));
	return rtnl_talk(sock, &r);
}

/* A tap belongs to the name space in which it was opened. */
static int make_tap(const struct errand *r, struct err *e)
{
	struct ifreq q = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int ret, fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_errno(e, "network: /dev/net/tun");
	snprintf(q.ifr_name, sizeof(q.ifr_name), "%s", r->name);
	if (!ioctl(fd, TUNSETIFF, &q))
		return fd;
	ret = err_errno(e, "network: no card (tap)");
	close(fd);
	return ret;
}

int bridge_tap(const struct net_place *p, struct err *e)
{
	char name[IFNAMSIZ];
	int fd, sock, ret = 0;

	snprintf(name, sizeof(name), "m%d", getpid());
	fd = errand(&(struct errand){.make = make_tap, .ns = p->ns, .name = name}, e);
	if (fd < 0)
		return fd;
	sock = open_socket(p->ns, e);
	if (sock < 0)
		ret = sock;
	else if (plug(sock, name))
		ret = err_errno(e, "network %s: no card on its bridge", p->net.name);
	if (sock >= 0)
		close(sock);
	if (ret)
		close(fd);
	return ret ? ret : fd;
}
