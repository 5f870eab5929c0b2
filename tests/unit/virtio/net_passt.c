/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests src/net/passt.c and stream.c against the real passt: a UDP datagram to
 * the gateway reaches a socket on the host's loopback and is answered.
 */
#include "tests/test.h"

#include "base/endian.h"
#include "host/proc.h"
#include "net/passt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static struct loop *l;
static struct io_net *net;
static struct io_timer deadline;
static u8 got[2048];
static size_t got_len;
static bool refuse, advertised;

static void timed_out(void *opaque)
{
	loop_stop(l);
}

static bool on_frame(void *opaque, const void *frame, size_t len)
{
	const u8 *p = frame;

	if (refuse)
		return false;
	/* a router advertisement, IPv4 UDP, else nothing */
	if (len > 54 && load_be16(p + 12) == 0x86dd && p[20] == 58 && p[54] == 134) {
		advertised = true;
		loop_stop(l);
	}
	if (len > 42 && len <= sizeof(got) && load_be16(p + 12) == 0x0800 && p[23] == 17) {
		memcpy(got, frame, len);
		got_len = len;
		loop_stop(l);
	}
	return true;
}

static u16 checksum(const u8 *p, unsigned len)
{
	u32 sum = 0;

	for (unsigned i = 0; i < len; i += 2)
		sum += load_be16(p + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

static unsigned datagram(u8 *f, u16 port, const char *text)
{
	unsigned n = (unsigned)strlen(text);
	u8 *ip = f + 14, *udp = ip + 20;

	memset(f, 0, 42);
	memcpy(f, "\x52\x55\x0a\x00\x02\x02\x52\x54\x00\x12\x34\x56\x08\x00", 14);
	ip[0] = 0x45;
	store_be16(ip + 2, (u16)(28 + n));
	ip[8] = 64;
	ip[9] = 17;
	inet_pton(AF_INET, PASST_GUEST, ip + 12);
	inet_pton(AF_INET, PASST_GATEWAY, ip + 16);
	store_be16(ip + 10, checksum(ip, 20));
	store_be16(udp, 5555);
	store_be16(udp + 2, port);
	store_be16(udp + 4, (u16)(8 + n));
	memcpy(udp + 8, text, n);
	return 42 + n;
}

/* A socket on the host's loopback; its port in *port. */
static int server(int type, u16 *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval t = {.tv_sec = 3};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, type, 0);

	if (bind(fd, (void *)&a, sizeof(a)) || getsockname(fd, (void *)&a, &len))
		abort();
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	*port = ntohs(a.sin_port);
	return fd;
}

static int start(const struct passt_forward *f, unsigned n, struct err *e)
{
	struct passt_config cfg = {
		.mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56}, .forward = f, .nforwards = n};

	return passt_start(l, &cfg, &net, e);
}

static void run_for(unsigned ms)
{
	const struct io_clock *c = loop_clock(l);

	loop_lock(l);
	io_timer_arm(c, &deadline, io_now(c) + ms * 1000000ull);
	loop_unlock(l);
	loop_run(l);
	loop_lock(l);
	io_timer_cancel(c, &deadline);
	loop_unlock(l);
}

static void t_udp_to_the_host_and_back(void)
{
	struct sockaddr_in from;
	socklen_t fromlen = sizeof(from);
	u8 frame[128];
	char buf[64] = "";
	struct err e = {0};
	u16 port;
	int s;

	if (!proc_found("passt"))
		SKIP("passt is not installed");
	s = server(SOCK_DGRAM, &port);
	CHECK_EQ(start(NULL, 0, &e), 0);
	net->receive = on_frame;
	struct io_vec v = {frame, datagram(frame, port, "from the guest")};

	loop_lock(l);
	net->ops->tx(net, &v, 1);
	loop_unlock(l);
	CHECK(recvfrom(s, buf, sizeof(buf), 0, (void *)&from, &fromlen) == 14);
	CHECK(!memcmp(buf, "from the guest", 14));
	refuse = true; /* the device has no buffers at first */
	CHECK(sendto(s, "from the host", 13, 0, (void *)&from, fromlen) == 13);
	run_for(200);
	CHECK_EQ(got_len, 0);
	refuse = false;
	loop_lock(l);
	net->ops->rx_ready(net);
	loop_unlock(l);
	if (!got_len)
		run_for(3000);
	CHECK(got_len >= 42 + 13);
	CHECK(!memcmp(got + 42, "from the host", 13));
	close(s);
	loop_lock(l);
	passt_stop(net);
	loop_unlock(l);
}

static void t_forward_of_a_taken_port_is_told(void)
{
	struct passt_forward f = {.guest = 80};
	struct err e = {0};
	int s;

	if (!proc_found("passt"))
		SKIP("passt is not installed");
	s = server(SOCK_STREAM, &f.host);
	listen(s, 1);
	CHECK(start(&f, 1, &e) == -EIO);
	CHECK(strstr(e.msg, "passt gave up: "));
	close(s);
}

static void t_forward_reaches_passt(void)
{
	struct passt_forward f = {.guest = 80};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct err e = {0};
	int s;

	if (!proc_found("passt"))
		SKIP("passt is not installed");
	close(server(SOCK_STREAM, &f.host));
	CHECK_EQ(start(&f, 1, &e), 0);
	s = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_port = htons(f.host);
	CHECK_EQ(connect(s, (void *)&a, sizeof(a)), 0);
	close(s);
	loop_lock(l);
	passt_stop(net);
	loop_unlock(l);
	CHECK(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof(a)) < 0);
}

/* UDP from the host to a forwarded port arrives in the guest, at its port. */
static void t_udp_forward(void)
{
	struct passt_forward f = {.guest = 5353, .udp = true};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct err e = {0};
	int s;

	if (!proc_found("passt"))
		SKIP("passt is not installed");
	close(server(SOCK_DGRAM, &f.host));
	CHECK_EQ(start(&f, 1, &e), 0);
	net->receive = on_frame;
	run_for(1); /* a stop that an earlier frame asked for is over */
	got_len = 0;
	a.sin_port = htons(f.host);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(sendto(s, "ping", 4, 0, (void *)&a, sizeof(a)) == 4);
	run_for(3000);
	CHECK_EQ(got_len, 42 + 4);
	CHECK_EQ(load_be16(got + 36), 5353);
	CHECK(!memcmp(got + 42, "ping", 4));
	close(s);
	loop_lock(l);
	passt_stop(net);
	loop_unlock(l);
}

/* Router solicitation, RFC 4861 section 4.1, from fe80::1; the checksum is worked out by hand. */
static void solicit(u8 *f)
{
	u32 sum = 0;

	memset(f, 0, 62);
	memcpy(f, "\x33\x33\0\0\0\2\x52\x54\0\x12\x34\x56\x86\xdd", 14);
	f[14] = 0x60;
	f[19] = 8;
	f[20] = 58;
	f[21] = 255;
	inet_pton(AF_INET6, "fe80::1", f + 22);
	inet_pton(AF_INET6, "ff02::2", f + 38);
	f[54] = 133;
	for (unsigned i = 22; i < 62; i += 2)
		sum += load_be16(f + i);
	sum += 8 + 58; /* pseudo header */
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(f + 56, (u16)~sum);
}

static bool host_has_ipv6(void)
{
	char out[256] = "";

	proc_run((const char *const[]){"ip", "-6", "route", "show", "default", NULL}, NULL, out,
		 sizeof(out), NULL);
	return strstr(out, "default");
}

static bool advertises(bool ipv4_only)
{
	struct passt_config cfg = {.mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
				   .ipv4_only = ipv4_only};
	struct err e = {0};
	u8 frame[62];
	struct io_vec v = {frame, sizeof(frame)};

	if (passt_start(l, &cfg, &net, &e))
		return false;
	net->receive = on_frame;
	run_for(1);
	advertised = false;
	solicit(frame);
	loop_lock(l);
	net->ops->tx(net, &v, 1);
	loop_unlock(l);
	run_for(ipv4_only ? 300 : 3000);
	loop_lock(l);
	passt_stop(net);
	loop_unlock(l);
	return advertised;
}

static void t_ipv6(void)
{
	if (!proc_found("passt"))
		SKIP("passt is not installed");
	if (!host_has_ipv6())
		SKIP("the host has no default route for IPv6");
	CHECK(advertises(false));
	CHECK(!advertises(true));
}

static void t_bad_forwards(void)
{
	struct passt_forward worse = {.addr = "somewhere", .host = 1, .guest = 1};
	struct passt_forward no_port = {.host = 0, .guest = 1};
	struct err e = {0};

	CHECK_EQ(start(&worse, 1, &e), (u64)-EINVAL);
	CHECK_EQ(start(&no_port, 1, &e), (u64)-EINVAL);
}

int main(void)
{
	struct err e;

	if (loop_create(&l, &e))
		return 1;
	deadline.fn = timed_out;
	RUN(t_udp_to_the_host_and_back);
	RUN(t_forward_of_a_taken_port_is_told);
	RUN(t_forward_reaches_passt);
	RUN(t_udp_forward);
	RUN(t_ipv6);
	RUN(t_bad_forwards);
	loop_destroy(l);
	return test_done();
}
