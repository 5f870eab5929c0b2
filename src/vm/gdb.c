/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/gdb.h"

#include "base/bits.h"
#include "base/endian.h"
#include "host/log.h"
#include "vm/gdb_regs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PACKET_MAX = 0x4000, /* characters between $ and #, announced to GDB */
	XML_MAX = 16384,
	WATCHES = ARRAY_LEN(((struct vcpu_debug *)0)->watch),
	BREAKS = ARRAY_LEN(((struct vcpu_debug *)0)->breaks),
	SIG_INT = 2, /* GDB's signal numbers, not the host's */
	SIG_TRAP = 5,
	INTERRUPT = 3, /* the byte that Ctrl-C sends */
	SEND_PATIENCE_MS = 2000,
};

struct gdb {
	struct loop *loop;
	struct gdb_target t;
	int listener, client;
	struct loop_fd listen_watch, client_watch;
	bool stopped, no_ack;
	unsigned cpu;	       /* of g, m and so on */
	struct vcpu_debug dbg; /* breakpoints and watchpoints; step is per CPU */

	/* A vCPU's debug exit, on its way to the event thread. */
	struct loop_work stop_work;
	bool stop_seen;
	unsigned stop_cpu;
	u64 stop_addr;

	u8 in[PACKET_MAX + 8];
	size_t in_len;
	char out[PACKET_MAX + 8];
	size_t out_len;
	char xml[XML_MAX];
	unsigned xml_len;
	struct x86_state state; /* scratch */
};

/* ---- bytes and text ------------------------------------------------------------ */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* A hexadecimal number; *p moves past it. False if there is none. */
static bool parse_hex(const char **p, u64 *v)
{
	const char *start = *p;
	int d;

	for (*v = 0; (d = hex_value(**p)) >= 0; (*p)++)
		*v = *v << 4 | (u64)d;
	return *p != start;
}

static bool parse_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* n bytes in hexadecimal. */
static bool parse_bytes(const char **p, u8 *out, u64 n)
{
	for (u64 i = 0; i < n; i++, *p += 2) {
		int hi = hex_value((*p)[0]), lo = hi < 0 ? -1 : hex_value((*p)[1]);

		if (lo < 0)
			return false;
		out[i] = (u8)(hi << 4 | lo);
	}
	return true;
}

static void out_text(struct gdb *g, const char *s)
{
	size_t n = strlen(s);

	if (g->out_len + n > PACKET_MAX)
		return;
	memcpy(g->out + g->out_len, s, n);
	g->out_len += n;
}

static void out_bytes(struct gdb *g, const u8 *p, u64 n)
{
	static const char digit[] = "0123456789abcdef";
	char pair[3] = {0};

	for (u64 i = 0; i < n; i++) {
		pair[0] = digit[p[i] >> 4];
		pair[1] = digit[p[i] & 15];
		out_text(g, pair);
	}
}

/* ---- connection ------------------------------------------------------------------ */

static void client_close(struct gdb *g);

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
			client_close(g);
			return;
		}
	}
}

/* Sends what out_* collected as one packet. */
static void send_packet(struct gdb *g)
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

static struct engine_vcpu *vcpu(const struct gdb *g, unsigned cpu)
{
	return g->t.vcpu[cpu];
}

/* Breakpoints on every vCPU; one of them may be told to step. */
static void debug_apply(struct gdb *g, int step_cpu)
{
	bool any = g->dbg.nbreaks || g->dbg.nwatch;

	for (unsigned i = 0; i < g->t.ncpus; i++) {
		g->dbg.step = (int)i == step_cpu;
		g->t.ops->vcpu_debug(vcpu(g, i), any || g->dbg.step ? &g->dbg : NULL);
	}
}

static void machine_stop(struct gdb *g)
{
	if (g->stopped)
		return;
	g->t.hold(g->t.opaque);
	g->stopped = true;
}

static void machine_go(struct gdb *g, int step_cpu)
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

static void stop_reply(struct gdb *g, unsigned signal, unsigned cpu, const u64 *addr)
{
	const char *watch = addr ? watch_kind(g, *addr) : NULL;
	char text[80];

	g->cpu = cpu;
	snprintf(text, sizeof(text), "T%02xthread:%x;", signal, cpu + 1);
	out_text(g, text);
	if (watch) {
		snprintf(text, sizeof(text), "%s:%llx;", watch, (unsigned long long)*addr);
		out_text(g, text);
	}
	send_packet(g);
}

/* On the event thread, after a vCPU hit something. */
static void on_stop(void *opaque)
{
	struct gdb *g = opaque;

	if (!g->stop_seen || g->stopped)
		return;
	machine_stop(g);
	stop_reply(g, SIG_TRAP, g->stop_cpu, &g->stop_addr);
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

static void client_close(struct gdb *g)
{
	if (g->client < 0)
		return;
	loop_fd_del(g->loop, &g->client_watch);
	close(g->client);
	g->client = -1;
	g->in_len = g->out_len = 0;
	memset(&g->dbg, 0, sizeof(g->dbg));
	machine_go(g, -1);
}

/* ---- requests: memory and registers --------------------------------------------------- */

enum { GDB_EFAULT = 14, GDB_EINVAL = 22, GDB_ENOSPC = 28 };

static void reply_error(struct gdb *g, unsigned code)
{
	char text[8];

	snprintf(text, sizeof(text), "E%02x", code);
	out_text(g, text);
}

/* One piece of a linear range, up to the page's end; its guest-physical address or ~0. */
static u64 linear_piece(struct gdb *g, u64 linear, u64 len, u64 *piece)
{
	*piece = min_u64(len, GPA_PAGE_SIZE - linear % GPA_PAGE_SIZE);
	return g->t.ops->vcpu_translate(vcpu(g, g->cpu), linear);
}

/* Reads as much as there is; GDB accepts less than it asked for. */
static void read_memory(struct gdb *g, const char *p)
{
	u8 buf[PACKET_MAX / 2];
	u64 addr, len, done = 0, piece;

	if (!parse_hex(&p, &addr) || !parse_char(&p, ',') || !parse_hex(&p, &len)) {
		reply_error(g, GDB_EINVAL);
		return;
	}
	for (len = min_u64(len, sizeof(buf)); done < len; done += piece) {
		u64 gpa = linear_piece(g, addr + done, len - done, &piece);

		if (gpa == ~0ULL || gpa_read(g->t.map, gpa, buf + done, piece))
			break;
	}
	if (len && !done)
		reply_error(g, GDB_EFAULT);
	out_bytes(g, buf, done);
}

static void write_memory(struct gdb *g, const char *p)
{
	u8 buf[PACKET_MAX / 2];
	u64 addr, len, done = 0, piece;

	if (!parse_hex(&p, &addr) || !parse_char(&p, ',') || !parse_hex(&p, &len) ||
	    !parse_char(&p, ':') || len > sizeof(buf) || !parse_bytes(&p, buf, len)) {
		reply_error(g, GDB_EINVAL);
		return;
	}
	for (; done < len; done += piece) {
		u64 gpa = linear_piece(g, addr + done, len - done, &piece);

		if (gpa == ~0ULL || gpa_write(g->t.map, gpa, buf + done, piece)) {
			reply_error(g, GDB_EFAULT);
			return;
		}
	}
	out_text(g, "OK");
}

static bool state_get(struct gdb *g)
{
	if (!g->t.ops->vcpu_get_state(vcpu(g, g->cpu), &g->state))
		return true;
	reply_error(g, GDB_EFAULT);
	return false;
}

static void state_set(struct gdb *g)
{
	if (g->t.ops->vcpu_set_state(vcpu(g, g->cpu), &g->state))
		reply_error(g, GDB_EINVAL);
	else
		out_text(g, "OK");
}

static void read_registers(struct gdb *g)
{
	u8 reg[GDB_REG_MAX];

	if (!state_get(g))
		return;
	for (unsigned n = 0; n < GDB_REGS; n++) {
		gdb_reg_get(&g->state, n, reg);
		out_bytes(g, reg, gdb_reg_size(n));
	}
}

static void write_registers(struct gdb *g, const char *p)
{
	u8 reg[GDB_REG_MAX];

	if (!state_get(g))
		return;
	for (unsigned n = 0; n < GDB_REGS; n++) {
		if (!parse_bytes(&p, reg, gdb_reg_size(n))) {
			reply_error(g, GDB_EINVAL);
			return;
		}
		gdb_reg_set(&g->state, n, reg);
	}
	state_set(g);
}

static void one_register(struct gdb *g, const char *p, bool write)
{
	u8 reg[GDB_REG_MAX];
	u64 n;

	if (!parse_hex(&p, &n) || n >= GDB_REGS ||
	    (write && (!parse_char(&p, '=') || !parse_bytes(&p, reg, gdb_reg_size((unsigned)n))))) {
		reply_error(g, GDB_EINVAL);
		return;
	}
	if (!state_get(g))
		return;
	if (write) {
		gdb_reg_set(&g->state, (unsigned)n, reg);
		state_set(g);
		return;
	}
	gdb_reg_get(&g->state, (unsigned)n, reg);
	out_bytes(g, reg, gdb_reg_size((unsigned)n));
}

/* ---- requests: breakpoints, threads, running -------------------------------------------- */

static bool break_change(struct gdb *g, u64 addr, bool add)
{
	struct vcpu_debug *d = &g->dbg;

	for (unsigned i = 0; i < d->nbreaks; i++) {
		if (d->breaks[i] != addr)
			continue;
		if (!add)
			d->breaks[i] = d->breaks[--d->nbreaks];
		return true;
	}
	if (add && d->nbreaks == BREAKS)
		return false;
	if (add)
		d->breaks[d->nbreaks++] = addr;
	return true;
}

static bool watch_change(struct gdb *g, char type, u64 addr, u64 len, bool add)
{
	struct vcpu_debug *d = &g->dbg;
	bool rd = type != '2', wr = type != '3';

	for (unsigned i = 0; i < d->nwatch; i++) {
		if (d->watch[i].addr != addr || d->watch[i].len != len ||
		    d->watch[i].on_read != rd || d->watch[i].on_write != wr)
			continue;
		if (!add)
			d->watch[i] = d->watch[--d->nwatch];
		return true;
	}
	if (add && (d->nwatch == WATCHES || !len || len > GPA_PAGE_SIZE))
		return false;
	if (add) {
		d->watch[d->nwatch].addr = addr;
		d->watch[d->nwatch].len = (u32)len;
		d->watch[d->nwatch].on_read = rd;
		d->watch[d->nwatch++].on_write = wr;
	}
	return true;
}

/* Z and z: TYPE,ADDR,KIND. 0 and 1 execution, 2 write, 3 read, 4 access. */
static void breakpoint(struct gdb *g, const char *p, bool add)
{
	char type = *p;
	u64 addr, kind;
	bool ok;

	if (type < '0' || type > '4')
		return;
	p++;
	if (!parse_char(&p, ',') || !parse_hex(&p, &addr) || !parse_char(&p, ',') ||
	    !parse_hex(&p, &kind)) {
		reply_error(g, GDB_EINVAL);
		return;
	}
	ok = type <= '1' ? break_change(g, addr, add) : watch_change(g, type, addr, kind, add);
	if (ok)
		out_text(g, "OK");
	else
		reply_error(g, GDB_ENOSPC);
}

/* A thread id; 0 and -1 (any, all) keep the current CPU. */
static bool parse_thread(struct gdb *g, const char **p, unsigned *cpu)
{
	u64 id;

	*cpu = g->cpu;
	if (!strncmp(*p, "-1", 2)) {
		*p += 2;
		return true;
	}
	if (!parse_hex(p, &id) || id > g->t.ncpus)
		return false;
	*cpu = id ? (unsigned)id - 1 : g->cpu;
	return true;
}

static void thread_select(struct gdb *g, const char *p)
{
	bool general = *p == 'g';
	unsigned cpu;

	if (!*p++ || !parse_thread(g, &p, &cpu)) {
		reply_error(g, GDB_EINVAL);
		return;
	}
	if (general)
		g->cpu = cpu;
	out_text(g, "OK");
}

static void thread_alive(struct gdb *g, const char *p)
{
	unsigned cpu;

	if (parse_thread(g, &p, &cpu))
		out_text(g, "OK");
	else
		reply_error(g, GDB_EINVAL);
}

static void thread_list(struct gdb *g)
{
	char text[16];

	for (unsigned i = 0; i < g->t.ncpus; i++) {
		snprintf(text, sizeof(text), "%c%x", i ? ',' : 'm', i + 1);
		out_text(g, text);
	}
}

static void thread_info(struct gdb *g, const char *p)
{
	static const char *const mp[] = {"running", "halted", "not started"};
	unsigned cpu, keep = g->cpu;
	char text[48];

	if (!parse_thread(g, &p, &cpu)) {
		reply_error(g, GDB_EINVAL);
		return;
	}
	g->cpu = cpu;
	if (state_get(g)) {
		snprintf(text, sizeof(text), "CPU %u [%s]", cpu, mp[g->state.mp_state % 3]);
		out_bytes(g, (const u8 *)text, strlen(text));
	}
	g->cpu = keep;
}

/* vCont;ACTION[:THREAD]... : the first step wins, the rest runs. False: no reply needed now. */
static bool vcont(struct gdb *g, const char *p)
{
	int step = -1;

	while (parse_char(&p, ';')) {
		char action = *p;
		unsigned cpu = g->cpu;
		u64 signal;

		if (!strchr("cCsS", action) || !action)
			return true;
		p++;
		if ((action == 'C' || action == 'S') && !parse_hex(&p, &signal))
			return true;
		if (parse_char(&p, ':') && !parse_thread(g, &p, &cpu))
			return true;
		if ((action == 's' || action == 'S') && step < 0)
			step = (int)cpu;
	}
	machine_go(g, step);
	return false;
}

/* s and c, optionally with an address to go on at. */
static bool resume(struct gdb *g, const char *p, bool step)
{
	u64 addr;

	if (parse_hex(&p, &addr)) {
		if (!state_get(g))
			return true;
		g->state.rip = addr;
		if (g->t.ops->vcpu_set_state(vcpu(g, g->cpu), &g->state)) {
			reply_error(g, GDB_EINVAL);
			return true;
		}
	}
	machine_go(g, step ? (int)g->cpu : -1);
	return false;
}

/* ---- requests: the rest ----------------------------------------------------------------- */

static void features_read(struct gdb *g, const char *p)
{
	u64 off, len;

	if (!parse_hex(&p, &off) || !parse_char(&p, ',') || !parse_hex(&p, &len) ||
	    off > g->xml_len) {
		reply_error(g, GDB_EINVAL);
		return;
	}
	len = min_u64(min_u64(len, g->xml_len - off), PACKET_MAX - 16);
	g->out[g->out_len++] = off + len < g->xml_len ? 'm' : 'l';
	memcpy(g->out + g->out_len, g->xml + off, len); /* nothing in it needs escaping */
	g->out_len += len;
}

static const char *after(const char *p, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(p, prefix, n) ? NULL : p + n;
}

static void query(struct gdb *g, const char *p)
{
	static const char target_xml[] = "qXfer:features:read:target.xml:";
	char text[128];

	if (after(p, "qSupported")) {
		snprintf(text, sizeof(text),
			 "PacketSize=%x;qXfer:features:read+;vContSupported+;QStartNoAckMode+",
			 PACKET_MAX);
		out_text(g, text);
	} else if (after(p, target_xml)) {
		features_read(g, after(p, target_xml));
	} else if (after(p, "qfThreadInfo")) {
		thread_list(g);
	} else if (after(p, "qsThreadInfo")) {
		out_text(g, "l");
	} else if (after(p, "qThreadExtraInfo,")) {
		thread_info(g, after(p, "qThreadExtraInfo,"));
	} else if (!strcmp(p, "qC")) {
		snprintf(text, sizeof(text), "QC%x", g->cpu + 1);
		out_text(g, text);
	} else if (after(p, "qAttached")) {
		out_text(g, "1");
	}
}

static bool v_packet(struct gdb *g, const char *p)
{
	if (!strcmp(p, "vCont?")) {
		out_text(g, "vCont;c;C;s;S");
	} else if (after(p, "vCont")) {
		return vcont(g, after(p, "vCont"));
	} else if (after(p, "vKill")) {
		out_text(g, "OK");
		send_packet(g);
		g->t.kill(g->t.opaque);
		return false;
	}
	return true;
}

static void detach(struct gdb *g)
{
	out_text(g, "OK");
	send_packet(g);
	client_close(g);
}

/* One request. True if what out_* collected (perhaps nothing: "unknown") is the reply. */
static bool request(struct gdb *g, const char *p)
{
	switch (*p) {
	case '?':
		stop_reply(g, SIG_TRAP, g->cpu, NULL);
		return false;
	case 'g':
		read_registers(g);
		return true;
	case 'G':
		write_registers(g, p + 1);
		return true;
	case 'p':
	case 'P':
		one_register(g, p + 1, *p == 'P');
		return true;
	case 'm':
		read_memory(g, p + 1);
		return true;
	case 'M':
		write_memory(g, p + 1);
		return true;
	case 'Z':
	case 'z':
		breakpoint(g, p + 1, *p == 'Z');
		return true;
	case 'H':
		thread_select(g, p + 1);
		return true;
	case 'T':
		thread_alive(g, p + 1);
		return true;
	case 'q':
		query(g, p);
		return true;
	case 'Q':
		g->no_ack |= !strcmp(p, "QStartNoAckMode");
		if (!strcmp(p, "QStartNoAckMode"))
			out_text(g, "OK");
		return true;
	case 'v':
		return v_packet(g, p);
	case 'c':
	case 's':
		return resume(g, p + 1, *p == 's');
	case 'D':
		detach(g);
		return false;
	case 'k':
		g->t.kill(g->t.opaque);
		return false;
	default:
		return true;
	}
}

static void packet(struct gdb *g, char *body)
{
	/* While the machine runs only Ctrl-C means something. */
	if (!g->stopped)
		return;
	g->out_len = 0;
	if (request(g, body))
		send_packet(g);
}

/* Takes one whole packet or stray byte off the input; its length, 0 = not there yet. */
static size_t take(struct gdb *g)
{
	char *hash = memchr(g->in, '#', g->in_len);
	size_t len;
	u8 sum = 0;

	if (g->in[0] == INTERRUPT && !g->stopped) {
		machine_stop(g);
		stop_reply(g, SIG_INT, g->cpu, NULL);
	}
	if (g->in[0] != '$')
		return 1;
	if (!hash || g->in + g->in_len - (u8 *)hash < 3)
		return 0;
	len = (size_t)(hash - (char *)g->in);
	for (size_t i = 1; i < len; i++)
		sum = (u8)(sum + g->in[i]);
	if (hex_value(hash[1]) * 16 != (sum & 0xf0) || hex_value(hash[2]) != (sum & 15)) {
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
		client_close(g);
		return;
	}
	g->in_len += (size_t)n;
	while (g->client >= 0 && g->in_len && (used = take(g)) && g->client >= 0) {
		g->in_len -= used;
		memmove(g->in, g->in + used, g->in_len);
	}
	if (g->client >= 0 && g->in_len == sizeof(g->in))
		client_close(g); /* longer than what was announced */
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
	g->xml_len = gdb_target_xml(g->xml, sizeof(g->xml));
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
