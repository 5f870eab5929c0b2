/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/gdb.h"

#include "host/log.h"
#include "vm/gdb_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- connection ------------------------------------------------------------------ */

static void send_all(struct gdb *g, const char *p, size_t n)
{
	while (n && g->client >= 0) {
		ssize_t k = send(g->client, p, n, MSG_NOSIGNAL);
		struct pollfd pfd = {.fd = g->client, .events = POLLOUT};

		if (k > 0) {
			p += k;
			n -= (size_t)k;
		} else if (k < 0 && errno == EINTR) {
			continue;
		} else if (k == 0 || errno != EAGAIN || poll(&pfd, 1, SEND_PATIENCE_MS) <= 0) {
			gdb_client_close(g);
			return;
		}
	}
}

void gdb_send_packet(struct gdb *g)
{
	u8 sum = 0;
	char tail[4];

	for (size_t i = 0; i < g->out_len; i++)
		sum = (u8)(sum + (u8)g->out[i]);
	snprintf(tail, sizeof(tail), "#%02x", sum);
	memmove(g->out + 1, g->out, g->out_len);
	g->out[0] = '$';
	memcpy(g->out + 1 + g->out_len, tail, 3);
	send_all(g, g->out, g->out_len + 4);
	g->out_len = 0;
}

/* ---- the machine ------------------------------------------------------------------- */

/* Breakpoints on every vCPU; one of them may be told to step. */
static void debug_apply(struct gdb *g, int step_cpu)
{
	bool any = g->dbg.nbreaks || g->dbg.nwatch;

	for (unsigned i = 0; i < g->t.ncpus; i++) {
		g->dbg.step = (int)i == step_cpu;
		g->t.ops->vcpu_debug(gdb_vcpu(g, i), any || g->dbg.step ? &g->dbg : NULL);
	}
}

static void machine_stop(struct gdb *g)
{
	if (g->stopped)
		return;
	g->t.hold(g->t.opaque);
	g->stopped = true;
}

void gdb_machine_go(struct gdb *g, int step_cpu)
{
	if (!g->stopped)
		return;
	debug_apply(g, step_cpu);
	g->stopped = false;
	g->stop_seen = false;
	g->t.release(g->t.opaque);
}

static const char *watch_kind(const struct gdb *g, u64 addr)
{
	for (unsigned i = 0; i < g->dbg.nwatch; i++)
		if (addr - g->dbg.watch[i].addr < g->dbg.watch[i].len)
			return !g->dbg.watch[i].on_read	   ? "watch"
			       : !g->dbg.watch[i].on_write ? "rwatch"
							   : "awatch";
	return NULL;
}

void gdb_stop_reply(struct gdb *g, unsigned signal, unsigned cpu, const u64 *addr)
{
	const char *watch = addr ? watch_kind(g, *addr) : NULL;
	char text[80];

	g->cpu = cpu;
	snprintf(text, sizeof(text), "T%02xthread:%x;", signal, cpu + 1);
	gdb_out_text(g, text);
	if (watch) {
		snprintf(text, sizeof(text), "%s:%llx;", watch, (unsigned long long)*addr);
		gdb_out_text(g, text);
	}
	gdb_send_packet(g);
}

/* On the event thread, after a vCPU hit something. */
static void on_stop(void *opaque)
{
	struct gdb *g = opaque;

	if (!g->stop_seen || g->stopped)
		return;
	machine_stop(g);
	gdb_stop_reply(g, SIG_TRAP, g->stop_cpu, &g->stop_addr);
}

bool gdb_debug_exit(struct gdb *g, unsigned cpu, const struct vcpu_exit *exit)
{
	if (!g || g->client < 0)
		return false;
	if (!g->stop_seen) {
		g->stop_seen = true;
		g->stop_cpu = cpu;
		g->stop_addr = exit->addr;
	}
	loop_post(g->loop, &g->stop_work);
	return true;
}

void gdb_client_close(struct gdb *g)
{
	if (g->client < 0)
		return;
	loop_fd_del(g->loop, &g->client_watch);
	close(g->client);
	g->client = -1;
	g->in_len = g->out_len = 0;
	memset(&g->dbg, 0, sizeof(g->dbg));
	gdb_machine_go(g, -1);
}

/* ---- packets ---- */

static void packet(struct gdb *g, char *body)
{
	/* While the machine runs only Ctrl-C means something. */
	if (!g->stopped)
		return;
	g->out_len = 0;
	if (gdb_request(g, body))
		gdb_send_packet(g);
}

/* Takes one whole packet or stray byte off the input; its length, 0 = not there yet. */
static size_t take(struct gdb *g)
{
	char *hash = memchr(g->in, '#', g->in_len);
	size_t len;
	u8 sum = 0;

	if (g->in[0] == INTERRUPT && !g->stopped) {
		machine_stop(g);
		gdb_stop_reply(g, SIG_INT, g->cpu, NULL);
	}
	if (g->in[0] != '$')
		return 1;
	if (!hash || g->in + g->in_len - (u8 *)hash < 3)
		return 0;
	len = (size_t)(hash - (char *)g->in);
	for (size_t i = 1; i < len; i++)
		sum = (u8)(sum + g->in[i]);
	if (gdb_hex_value(hash[1]) * 16 != (sum & 0xf0) || gdb_hex_value(hash[2]) != (sum & 15)) {
		send_all(g, "-", 1);
		return len + 3;
	}
	if (!g->no_ack)
		send_all(g, "+", 1);
	*hash = 0;
	packet(g, (char *)g->in + 1);
	return len + 3;
}

static void on_client(void *opaque, u32 events)
{
	struct gdb *g = opaque;
	ssize_t n = recv(g->client, g->in + g->in_len, sizeof(g->in) - g->in_len, MSG_DONTWAIT);
	size_t used;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		gdb_client_close(g);
		return;
	}
	g->in_len += (size_t)n;
	while (g->client >= 0 && g->in_len && (used = take(g)) && g->client >= 0) {
		g->in_len -= used;
		memmove(g->in, g->in + used, g->in_len);
	}
	if (g->client >= 0 && g->in_len == sizeof(g->in))
		gdb_client_close(g); /* longer than what was announced */
}

static void on_listener(void *opaque, u32 events)
{
	struct gdb *g = opaque;
	int fd = accept4(g->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (g->client >= 0 ||
	    loop_fd_add(g->loop, &g->client_watch, fd, EPOLLIN, on_client, g, NULL)) {
		close(fd);
		return;
	}
	g->client = fd;
	g->no_ack = false;
	g->cpu = 0;
	log_info("gdb attached");
	machine_stop(g);
}

static int listen_on(u16 port, struct err *e)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    !bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 1))
		return fd;
	err_errno(e, "--gdb: 127.0.0.1:%u", port);
	if (fd >= 0)
		close(fd);
	return -1;
}

int gdb_create(struct loop *l, const struct gdb_target *t, u16 port, bool wait, struct gdb **out,
	       struct err *e)
{
	struct gdb *g = calloc(1, sizeof(*g));
	int ret;

	if (!g)
		return err_set(e, ENOMEM, "no memory for the gdb server");
	g->loop = l;
	g->t = *t;
	g->client = -1;
	g->stopped = wait;
	g->stop_work = (struct loop_work){.fn = on_stop, .opaque = g};
	g->arch = gdb_arch_of(t->ops);
	g->xml_len = gdb_target_xml(g->arch, g->xml, sizeof(g->xml));
	g->listener = listen_on(port, e);
	ret = g->listener < 0
		      ? -EADDRINUSE
		      : loop_fd_add(l, &g->listen_watch, g->listener, EPOLLIN, on_listener, g, e);
	if (ret) {
		gdb_destroy(g);
		return ret;
	}
	*out = g;
	return 0;
}

void gdb_destroy(struct gdb *g)
{
	if (!g)
		return;
	loop_fd_del(g->loop, &g->client_watch);
	loop_fd_del(g->loop, &g->listen_watch);
	if (g->client >= 0)
		close(g->client);
	if (g->listener >= 0)
		close(g->listener);
	free(g);
}

bool gdb_is_stopped(const struct gdb *g)
{
	return g && g->stopped;
}
