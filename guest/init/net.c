/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and routes as the host says; cards are in the order of the machine. See hull_init.h. */
#include "hull_init.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int set_flags(int fd, const char *card)
{
	struct ifreq r = {0};

	strcpy(r.ifr_name, card);
	if (ioctl(fd, SIOCGIFFLAGS, &r))
		return -1;
	r.ifr_flags |= IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &r);
}

static int set_address(int fd, const char *card, unsigned long what, struct in_addr addr)
{
	struct ifreq r = {0};
	struct sockaddr_in *sin = (struct sockaddr_in *)(void *)&r.ifr_addr;

	strcpy(r.ifr_name, card);
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

/* NAME ADDRESS/BITS MTU [GATEWAY] */
static int card_up(int fd, const char *text)
{
	char name[IFNAMSIZ], ip[16], gateway[16] = "";
	struct in_addr addr, mask;
	struct ifreq r = {0};
	unsigned bits;
	int mtu;

	static_assert(IFNAMSIZ == 16, "the widths below");
	if (sscanf(text, "%15s %15[0-9.]/%u %d %15s", name, ip, &bits, &mtu, gateway) < 4 ||
	    bits > 32 || !inet_aton(ip, &addr)) {
		errno = EINVAL;
		return -1;
	}
	mask.s_addr = htonl(bits ? ~0u << (32 - bits) : 0);
	strcpy(r.ifr_name, name);
	r.ifr_mtu = mtu;
	if (ioctl(fd, SIOCSIFMTU, &r))
		fprintf(stderr, "hull-init: %s: mtu %d: %s\n", name, mtu, strerror(errno));
	if (set_address(fd, name, SIOCSIFADDR, addr) ||
	    set_address(fd, name, SIOCSIFNETMASK, mask) || set_flags(fd, name))
		return -1;
	return *gateway ? set_gateway(fd, gateway) : 0;
}

int net_setup(const struct setup *s)
{
	int ret = 0, fd;

	if (s->ncards && module_load("virtio_net"))
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return init_fail("no IPv4 in this kernel: %s", strerror(errno));
	set_flags(fd, "lo");
	for (unsigned i = 0; !ret && i < s->ncards; i++)
		if (card_up(fd, s->card[i]))
			ret = init_fail("network card %s: %s", s->card[i], strerror(errno));
	close(fd);
	return ret;
}
