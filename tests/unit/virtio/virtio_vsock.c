/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests src/dev/virtio/vsock.c and src/net/vsock_unix.c together: a driver made
 * of memory writes on one side, unix sockets on the other.
 */
#include "fake.h"

#include "dev/virtio/vsock.h"
#include "net/vsock_unix.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CID 5u
#define BUFS 32u
#define BUF_SIZE 0x400u
#define BUF(i) (FAKE_DATA + 0x10000 + (i)*BUF_SIZE)

static struct fake f;
static struct virtio_vsock dev;
static struct loop *l;
static struct io_vsock *io;
static struct io_timer tick;
static char path[64];

static void give_buffers(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fake_add(&f, 0, (struct fake_seg[]){{BUF(f.q[0].next_desc % BUFS), BUF_SIZE, true}},
			 1);
}

static void stop(void *opaque)
{
	loop_stop(l);
}

/* Lets the event loop see to what the sockets have. */
static void settle(void)
{
	const struct io_clock *c = loop_clock(l);

	loop_lock(l);
	io_timer_arm(c, &tick, io_now(c) + 20000000);
	loop_unlock(l);
	loop_run(l);
}

static void setup(void)
{
	struct err e;

	fake_init(&f);
	snprintf(path, sizeof(path), "/tmp/hull-vsock-%d", getpid());
	if (vsock_unix_open(l, path, &io, &e))
		abort();
	virtio_vsock_init(&dev, &f.map, io, CID);
	fake_start(&f, &dev.dev, 0);
	give_buffers(BUFS);
}

static void teardown(void)
{
	loop_lock(l);
	virtio_set_status(&dev.dev, 0);
	vsock_unix_close(io);
	loop_unlock(l);
}

static void send_packet(u32 guest_port, u32 host_port, u16 op, u32 flags, const void *data, u32 len)
{
	struct virtio_vsock_hdr h = {.src_cid = CID,
				     .dst_cid = VIRTIO_VSOCK_CID_HOST,
				     .src_port = guest_port,
				     .dst_port = host_port,
				     .len = len,
				     .type = VIRTIO_VSOCK_TYPE_STREAM,
				     .op = op,
				     .flags = flags,
				     .buf_alloc = 4096};
	u32 id, n;

	memcpy(&f.ram[FAKE_DATA], &h, sizeof(h));
	if (len)
		memcpy(&f.ram[FAKE_DATA + 0x100], data, len);
	fake_add(
		&f, 1,
		(struct fake_seg[]){{FAKE_DATA, sizeof(h), false}, {FAKE_DATA + 0x100, len, false}},
		len ? 2 : 1);
	loop_lock(l);
	fake_kick(&f, 1);
	loop_unlock(l);
	fake_used(&f, 1, &id, &n);
}

/* The next packet from the host; op 0 if there is none. Its payload is at *data. */
static struct virtio_vsock_hdr next_packet(const u8 **data)
{
	struct virtio_vsock_hdr h = {0};
	u32 id, len;

	if (!fake_used(&f, 0, &id, &len))
		return h;
	memcpy(&h, &f.ram[f.q[0].desc[id].addr], sizeof(h));
	*data = &f.ram[f.q[0].desc[id].addr] + sizeof(h);
	return h;
}

static int unix_socket(const char *name, bool server)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, name);
	if (server) {
		unlink(name);
		if (bind(s, (void *)&a, sizeof(a)) || listen(s, 4))
			abort();
	} else if (connect(s, (void *)&a, sizeof(a))) {
		abort();
	}
	return s;
}

static bool readable(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, 60000) == 1;
}

static void t_guest_to_host(void)
{
	char name[80], buf[64];
	const u8 *data;
	struct virtio_vsock_hdr h;
	int srv, c;

	setup();
	snprintf(name, sizeof(name), "%s_1234", path);
	srv = unix_socket(name, true);
	send_packet(77, 1234, VIRTIO_VSOCK_OP_REQUEST, 0, NULL, 0);
	h = next_packet(&data);
	CHECK_EQ(h.op, VIRTIO_VSOCK_OP_RESPONSE);
	CHECK(h.src_port == 1234 && h.dst_port == 77 && h.src_cid == 2 && h.dst_cid == CID);
	CHECK_EQ(h.buf_alloc, IO_VSOCK_WINDOW);
	c = accept(srv, NULL, NULL);
	send_packet(77, 1234, VIRTIO_VSOCK_OP_RW, 0, "hello host", 10);
	CHECK(readable(c) && read(c, buf, sizeof(buf)) == 10 && !memcmp(buf, "hello host", 10));
	CHECK(write(c, "hello guest", 11) == 11);
	settle();
	h = next_packet(&data);
	CHECK_EQ(h.op, VIRTIO_VSOCK_OP_RW);
	CHECK_EQ(h.len, 11);
	CHECK_EQ(h.fwd_cnt, 10);
	CHECK(!memcmp(data, "hello guest", 11));
	/* The guest ends its direction, then the host closes. */
	send_packet(77, 1234, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND, NULL, 0);
	CHECK(readable(c) && read(c, buf, sizeof(buf)) == 0);
	close(c);
	settle();
	h = next_packet(&data);
	CHECK_EQ(h.op, VIRTIO_VSOCK_OP_SHUTDOWN);
	send_packet(77, 1234, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
	CHECK_EQ(dev.conn[0].state, VSOCK_FREE);
	close(srv);
	unlink(name);
	teardown();
	CHECK(access(path, F_OK) < 0);
}

static void t_refused(void)
{
	const u8 *data;

	setup();
	send_packet(77, 999, VIRTIO_VSOCK_OP_REQUEST, 0, NULL, 0); /* nobody listens */
	CHECK_EQ(next_packet(&data).op, VIRTIO_VSOCK_OP_RST);
	send_packet(77, 999, VIRTIO_VSOCK_OP_RW, 0, "x", 1); /* no such connection */
	CHECK_EQ(next_packet(&data).op, VIRTIO_VSOCK_OP_RST);
	send_packet(77, 999, VIRTIO_VSOCK_OP_RST, 0, NULL, 0); /* is never answered */
	CHECK_EQ(next_packet(&data).op, 0);
	teardown();
}

static void t_host_to_guest(void)
{
	struct virtio_vsock_hdr h;
	const u8 *data;
	char buf[64] = "";
	u32 port;
	int c;

	setup();
	c = unix_socket(path, false);
	CHECK(write(c, "CONNECT 52\nearly", 16) == 16);
	settle();
	h = next_packet(&data);
	CHECK_EQ(h.op, VIRTIO_VSOCK_OP_REQUEST);
	CHECK_EQ(h.dst_port, 52);
	port = h.src_port;
	send_packet(52, port, VIRTIO_VSOCK_OP_RESPONSE, 0, NULL, 0);
	CHECK(readable(c) && read(c, buf, sizeof(buf)) > 0);
	CHECK(!strncmp(buf, "OK ", 3) && (u32)atol(buf + 3) == port);
	settle();
	h = next_packet(&data);
	CHECK(h.op == VIRTIO_VSOCK_OP_RW && h.len == 5 && !memcmp(data, "early", 5));
	send_packet(52, port, VIRTIO_VSOCK_OP_RW, 0, "answer", 6);
	CHECK(readable(c) && read(c, buf, sizeof(buf)) == 6);
	/* The guest is done with both directions: our end is confirmed by RST. */
	send_packet(52, port, VIRTIO_VSOCK_OP_SHUTDOWN, 3, NULL, 0);
	CHECK_EQ(next_packet(&data).op, VIRTIO_VSOCK_OP_RST);
	CHECK(readable(c) && read(c, buf, sizeof(buf)) == 0);
	close(c);
	teardown();
}

static void t_bad_clients(void)
{
	static const char *const lines[] = {"HELLO\n", "CONNECT x\n", "CONNECT 4294967296\n",
					    "CONNECT 1 2\n",
					    "CONNECT 11111111111111111111111111111111111\n"};
	const u8 *data;
	char c;

	setup();
	for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
		int s = unix_socket(path, false);

		CHECK(write(s, lines[i], strlen(lines[i])) > 0);
		settle();
		CHECK(readable(s) && read(s, &c, 1) <= 0);
		close(s);
	}
	CHECK_EQ(next_packet(&data).op, 0);
	teardown();
}

/* 4096 bytes of credit: the rest waits until the guest gives more. */
static void t_credit_to_the_guest(void)
{
	static char big[10000];
	struct virtio_vsock_hdr h, up;
	const u8 *data;
	u32 port, total = 0;
	bool asked = false;
	int c;

	setup();
	c = unix_socket(path, false);
	CHECK(write(c, "CONNECT 9\n", 10) == 10);
	settle();
	port = next_packet(&data).src_port;
	send_packet(9, port, VIRTIO_VSOCK_OP_RESPONSE, 0, NULL, 0);
	memset(big, 'x', sizeof(big));
	CHECK(write(c, big, sizeof(big)) == sizeof(big));
	settle();
	while ((h = next_packet(&data)).op) {
		total += h.op == VIRTIO_VSOCK_OP_RW ? h.len : 0;
		asked |= h.op == VIRTIO_VSOCK_OP_CREDIT_REQUEST;
	}
	CHECK_EQ(total, 4096);
	CHECK(asked);
	give_buffers(16);
	up = (struct virtio_vsock_hdr){.src_cid = CID,
				       .dst_cid = 2,
				       .src_port = 9,
				       .dst_port = port,
				       .type = 1,
				       .op = VIRTIO_VSOCK_OP_CREDIT_UPDATE,
				       .buf_alloc = 65536,
				       .fwd_cnt = 4096};
	memcpy(&f.ram[FAKE_DATA], &up, sizeof(up));
	fake_add(&f, 1, (struct fake_seg[]){{FAKE_DATA, sizeof(up), false}}, 1);
	loop_lock(l);
	fake_kick(&f, 1);
	loop_unlock(l);
	settle();
	while ((h = next_packet(&data)).op)
		total += h.op == VIRTIO_VSOCK_OP_RW ? h.len : 0;
	CHECK_EQ(total, sizeof(big));
	close(c);
	teardown();
}

/* A client that nobody reads from: 64 KiB are taken, then the guest has no credit. */
static void t_credit_from_the_guest(void)
{
	static char chunk[0x400];
	struct virtio_vsock_hdr h;
	const u8 *data;
	u32 port, fwd = 0, sent = 0;
	int c;

	setup();
	c = unix_socket(path, false);
	CHECK(write(c, "CONNECT 9\n", 10) == 10);
	settle();
	port = next_packet(&data).src_port;
	send_packet(9, port, VIRTIO_VSOCK_OP_RESPONSE, 0, NULL, 0);
	for (unsigned i = 0; i < 2000 && sent - fwd < IO_VSOCK_WINDOW; i++) {
		send_packet(9, port, VIRTIO_VSOCK_OP_RW, 0, chunk, sizeof(chunk));
		sent += sizeof(chunk);
		while ((h = next_packet(&data)).op) {
			fwd = h.fwd_cnt;
			CHECK_EQ(h.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
			give_buffers(1);
		}
	}
	CHECK_EQ(sent - fwd, IO_VSOCK_WINDOW);
	CHECK_EQ(dev.conn[0].state, VSOCK_OPEN);
	/* What the socket took meanwhile was not told yet; beyond all of it is an offence. */
	for (unsigned i = 0; i < 64; i++)
		send_packet(9, port, VIRTIO_VSOCK_OP_RW, 0, chunk, sizeof(chunk));
	CHECK(dev.conn[0].state != VSOCK_OPEN);
	close(c);
	teardown();
}

static void t_short_packets(void)
{
	const u8 *data;
	char name[80];
	int srv;

	setup();
	snprintf(name, sizeof(name), "%s_1", path);
	srv = unix_socket(name, true);
	fake_add(&f, 1, (struct fake_seg[]){{FAKE_DATA, 10, false}}, 1);
	fake_kick(&f, 1);
	send_packet(7, 1, VIRTIO_VSOCK_OP_REQUEST, 0, NULL, 0);
	CHECK_EQ(next_packet(&data).op, VIRTIO_VSOCK_OP_RESPONSE);
	/* Says 4000 bytes, brings 1. */
	struct virtio_vsock_hdr h = {.src_cid = CID,
				     .dst_cid = 2,
				     .src_port = 7,
				     .dst_port = 1,
				     .len = 4000,
				     .type = 1,
				     .op = VIRTIO_VSOCK_OP_RW};

	memcpy(&f.ram[FAKE_DATA], &h, sizeof(h));
	fake_add(&f, 1, (struct fake_seg[]){{FAKE_DATA, sizeof(h) + 1, false}}, 1);
	loop_lock(l);
	fake_kick(&f, 1);
	loop_unlock(l);
	CHECK_EQ(next_packet(&data).op, VIRTIO_VSOCK_OP_RST);
	CHECK(!fake_broken(&f));
	close(srv);
	unlink(name);
	teardown();
}

static void t_path_is_checked(void)
{
	struct err e = {0};
	char longer[200];

	memset(longer, 'a', sizeof(longer));
	longer[199] = 0;
	CHECK_EQ(vsock_unix_open(l, longer, &io, &e), (u64)-ENAMETOOLONG);
	setup();
	struct io_vsock *second;

	CHECK_EQ(vsock_unix_open(l, path, &second, &e), (u64)-EADDRINUSE);
	CHECK(access(path, F_OK) == 0);
	teardown();
}

int main(void)
{
	struct err e;

	if (loop_create(&l, &e))
		return 1;
	tick.fn = stop;
	RUN(t_guest_to_host);
	RUN(t_refused);
	RUN(t_host_to_guest);
	RUN(t_bad_clients);
	RUN(t_credit_to_the_guest);
	RUN(t_credit_from_the_guest);
	RUN(t_short_packets);
	RUN(t_path_is_checked);
	loop_destroy(l);
	return test_done();
}
