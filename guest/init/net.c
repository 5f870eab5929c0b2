/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and routes as the host says; the first Ethernet card is eth0. See hull_init.h. */
#include "hull_init.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CARD "eth0"

static int set_flags(int fd, const char *card)
{
	struct ifreq r = {0};

	strcpy(r.ifr_name, card);
	if (ioctl(fd, SIOCGIFFLAGS, &r))
		return -1;
	r.ifr_flags |= IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &r);
}

static int set_address(int fd, unsigned long what, struct in_addr addr)
{
	struct ifreq r = {.ifr_name = CARD};
	struct sockaddr_in *sin = (struct sockaddr_in *)(void *)&r.ifr_addr;

	sin->sin_family = AF_INET;
	sin->sin_addr = addr;
	return ioctl(fd, what, &r);
}

static int set_gateway(int fd, const char *gateway)
{
	struct rtentry rt = {.rt_flags = RTF_UP | RTF_GATEWAY};
	struct sockaddr_in *gw = (struct sockaddr_in *)(void *)&rt.rt_gateway;

	rt.rt_dst.sa_family = rt.rt_genmask.sa_family = gw->sin_family = AF_INET;
	return inet_aton(gateway, &gw->sin_addr) ? ioctl(fd, SIOCADDRT, &rt) : -1;
}

static int card_up(int fd, const struct setup *s)
{
	struct ifreq r = {.ifr_name = CARD};
	struct in_addr addr, mask;
	char text[32];
	char *slash;
	unsigned bits;

	snprintf(text, sizeof(text), "%s", s->ip);
	slash = strchr(text, '/');
	if (!slash)
		return -1;
	*slash = 0;
	bits = (unsigned)atoi(slash + 1);
	mask.s_addr = htonl(bits && bits <= 32 ? ~0u << (32 - bits) : 0);
	r.ifr_mtu = s->mtu ? atoi(s->mtu) : 0;
	if (r.ifr_mtu && ioctl(fd, SIOCSIFMTU, &r))
		fprintf(stderr, "hull-init: mtu %s: %s\n", s->mtu, strerror(errno));
	if (!inet_aton(text, &addr) || set_address(fd, SIOCSIFADDR, addr) ||
	    set_address(fd, SIOCSIFNETMASK, mask) || set_flags(fd, CARD))
		return -1;
	return s->gateway ? set_gateway(fd, s->gateway) : 0;
}

int net_setup(const struct setup *s)
{
	int ret = 0, fd;

	if (s->ip && module_load("virtio_net"))
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return init_fail("no IPv4 in this kernel: %s", strerror(errno));
	set_flags(fd, "lo");
	if (s->ip && card_up(fd, s))
		ret = init_fail("network %s by %s: %s", s->ip, s->gateway ?: "nobody",
				strerror(errno));
	close(fd);
	return ret;
}
