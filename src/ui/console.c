/* SPDX-License-Identifier: Apache-2.0 */
#include "ui/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

/* Output waits this long for more of it, so that a byte-wise UART makes lines, not wake-ups. */
#define FLUSH_DELAY_NS 1000000u
#define FLUSH_BYTES 1024u
#define INPUT_MAX 4096u
/* When the console goes, sinks get this long to take the rest. */
#define DRAIN_MS 1000
#define WRITE_MAX 65536u

struct console_port_state {
	struct io_char chr;
	struct console *console;
	bool used;
};

struct sink {
	struct list link;
	struct console *console;
	struct console_sink cfg;
	bool close_in, close_out;
	bool plain_in; /* cannot be polled (a regular file): read when there is room */
	struct loop_fd win, wout;
	u32 out_events;
	u64 pos; /* in the stream */
	bool menu_open;
};

struct console {
	struct loop *l;
	struct console_port_state port[CONSOLE_PORTS];
	struct list sinks;
	u64 total;   /* bytes ever written */
	u64 flushed; /* up to here sinks were offered it */
	struct io_timer timer;
	struct loop_work work;
	u8 input[INPUT_MAX];
	unsigned input_len;
	u8 ring[CONSOLE_RING];
};

static void sink_destroy(struct sink *s)
{
	loop_fd_del(s->console->l, &s->win);
	loop_fd_del(s->console->l, &s->wout);
	if (s->close_in)
		close(s->cfg.in);
	if (s->close_out)
		close(s->cfg.out);
	list_remove(&s->link);
	free(s);
}

/* ---- output ---- */

/* Writes what the sink can take now. False: its end is gone. */
static bool sink_write(struct sink *s)
{
	struct console *c = s->console;

	if (c->total - s->pos > CONSOLE_RING) {
		char note[80];
		u64 lost = c->total - s->pos - CONSOLE_RING;
		int n = snprintf(note, sizeof(note), "\r\n[hull: %llu bytes of output lost]\r\n",
				 (unsigned long long)lost);

		s->pos += lost;
		if (write(s->cfg.out, note, (size_t)n) < 0 && errno != EAGAIN)
			return false;
	}
	while (s->pos < c->total) {
		size_t at = s->pos & (CONSOLE_RING - 1), n = CONSOLE_RING - at;
		ssize_t done;

		if (n > c->total - s->pos)
			n = c->total - s->pos;
		done = write(s->cfg.out, c->ring + at, n < WRITE_MAX ? n : WRITE_MAX);
		if (done < 0)
			return errno == EAGAIN || errno == EINTR;
		s->pos += (u64)done;
	}
	return true;
}

/* Watches for room while something is left. */
static void sink_flush(struct sink *s)
{
	u32 want;

	if (!sink_write(s)) {
		sink_destroy(s);
		return;
	}
	want = s->pos < s->console->total ? EPOLLOUT : 0;
	if (want != s->out_events && s->wout.id)
		loop_fd_mod(s->console->l, &s->wout, want);
	s->out_events = want;
}

static void on_sink_writable(void *opaque, u32 events)
{
	struct sink *s = opaque;

	if (events & (EPOLLERR | EPOLLHUP) && !(events & EPOLLOUT))
		sink_destroy(s);
	else
		sink_flush(s);
}

static void ring_append(struct console *c, const u8 *buf, size_t len)
{
	while (len) {
		size_t at = c->total & (CONSOLE_RING - 1), n = CONSOLE_RING - at;

		if (n > len)
			n = len;
		memcpy(c->ring + at, buf, n);
		c->total += n;
		buf += n;
		len -= n;
	}
}

static void port_write(struct io_char *chr, const void *buf, size_t len)
{
	struct console_port_state *p = (struct console_port_state *)chr;
	struct console *c = p->console;

	p->used = true;
	ring_append(c, buf, len);
	if (c->total - c->flushed >= FLUSH_BYTES)
		loop_post(c->l, &c->work);
	else if (!c->timer.armed)
		io_timer_arm(loop_clock(c->l), &c->timer,
			     io_now(loop_clock(c->l)) + FLUSH_DELAY_NS);
}

/* ---- input ---- */

static struct console_port_state *input_port(struct console *c)
{
	return &c->port[c->port[CONSOLE_VIRTIO].used ? CONSOLE_VIRTIO : CONSOLE_SERIAL];
}

/* Sinks are read only while there is room for their bytes. */
static void input_watch(struct console *c)
{
	u32 events = c->input_len < INPUT_MAX ? EPOLLIN : 0;

	list_for_each_safe (it, tmp, &c->sinks)
		loop_fd_mod(c->l, &list_entry(it, struct sink, link)->win, events);
}

static void input_offer(struct console *c)
{
	struct console_port_state *p = input_port(c);
	bool was_full = c->input_len == INPUT_MAX;
	size_t n;

	if (!p->chr.receive || !c->input_len)
		return;
	n = p->chr.receive(p->chr.opaque, c->input, c->input_len);
	c->input_len -= (unsigned)n;
	memmove(c->input, c->input + n, c->input_len);
	if (was_full && n)
		input_watch(c);
	if (n)
		loop_post(c->l, &c->work); /* room again for input that cannot be polled */
}

static void port_rx_ready(struct io_char *chr)
{
	struct console_port_state *p = (struct console_port_state *)chr;

	if (p == input_port(p->console))
		input_offer(p->console);
}

static const struct io_char_ops port_ops = {
	.write = port_write,
	.rx_ready = port_rx_ready,
};

/* Takes menu keys out of what was typed. Returns the new length. */
static size_t menu_filter(struct sink *s, u8 *buf, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		if (s->menu_open) {
			s->menu_open = false;
			if (buf[i] != CONSOLE_MENU_KEY) {
				s->cfg.key(s->cfg.opaque, (char)buf[i]);
				continue;
			}
		} else if (buf[i] == CONSOLE_MENU_KEY) {
			s->menu_open = true;
			continue;
		}
		buf[out++] = buf[i];
	}
	return out;
}

/* The input is over: a client is gone, a pipe or file just has no more to say. */
static void input_end(struct sink *s)
{
	s->plain_in = false;
	if (s->cfg.own)
		sink_destroy(s);
	else
		loop_fd_del(s->console->l, &s->win);
}

static void on_sink_readable(void *opaque, u32 events)
{
	struct sink *s = opaque;
	struct console *c = s->console;
	u8 *at = c->input + c->input_len;
	ssize_t n;

	if (c->input_len == INPUT_MAX) {
		if (events & (EPOLLHUP | EPOLLERR))
			input_end(s); /* no room for its last bytes */
		return;
	}
	n = read(s->cfg.in, at, INPUT_MAX - c->input_len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		input_end(s);
		return;
	}
	if (s->cfg.key)
		n = (ssize_t)menu_filter(s, at, (size_t)n);
	c->input_len += (unsigned)n;
	if (c->input_len == INPUT_MAX)
		input_watch(c);
	input_offer(c);
}

/* Timer and posted work: output to all sinks, and input that cannot be polled. */
static void console_flush(void *opaque)
{
	struct console *c = opaque;

	io_timer_cancel(loop_clock(c->l), &c->timer);
	c->flushed = c->total;
	list_for_each_safe (it, tmp, &c->sinks) {
		struct sink *s = list_entry(it, struct sink, link);

		if (s->plain_in && !s->cfg.own && c->input_len < INPUT_MAX)
			on_sink_readable(s, EPOLLIN);
		sink_flush(s);
	}
}

/* ---- sinks ---- */

/*
 * Our own non-blocking view of a terminal or pipe: O_NONBLOCK set on the
 * inherited one would hold for the shell as well. Falls back to the one given.
 */
static int reopen(int fd, int mode, bool *mine)
{
	char path[40];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	*mine = own >= 0;
	return own >= 0 ? own : fd;
}

static bool is_file(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode);
}

static void sink_open(struct sink *s)
{
	s->close_in = s->close_out = s->cfg.own;
	if (s->cfg.own) {
		fcntl(s->cfg.in, F_SETFL, fcntl(s->cfg.in, F_GETFL) | O_NONBLOCK);
		fcntl(s->cfg.out, F_SETFL, fcntl(s->cfg.out, F_GETFL) | O_NONBLOCK);
		return;
	}
	/* A file has a position that reopening would lose, and never blocks. */
	if (s->cfg.in >= 0 && !is_file(s->cfg.in))
		s->cfg.in = reopen(s->cfg.in, O_RDONLY, &s->close_in);
	if (!is_file(s->cfg.out))
		s->cfg.out = reopen(s->cfg.out, O_WRONLY, &s->close_out);
}

int console_add(struct console *c, const struct console_sink *sink, struct err *e)
{
	struct sink *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, ENOMEM, "no memory for a console client");
	s->console = c;
	s->cfg = *sink;
	s->pos = c->total < CONSOLE_RING ? 0 : c->total - CONSOLE_RING;
	list_insert_before(&c->sinks, &s->link);
	sink_open(s);
	if (s->cfg.in >= 0)
		s->plain_in = loop_fd_add(c->l, &s->win, s->cfg.in, EPOLLIN, on_sink_readable, s,
					  NULL) != 0;
	/* Fails for what is always writable; then there is nothing to wait for either. */
	loop_fd_add(c->l, &s->wout, s->cfg.out, 0, on_sink_writable, s, NULL);
	if (s->plain_in)
		loop_post(c->l, &c->work);
	sink_flush(s);
	return 0;
}

/* ---- life ---- */

int console_create(struct loop *l, struct console **out, struct err *e)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(e, ENOMEM, "no memory for the console");
	c->l = l;
	list_init(&c->sinks);
	c->timer = (struct io_timer){.fn = console_flush, .opaque = c};
	c->work = (struct loop_work){.fn = console_flush, .opaque = c};
	for (unsigned i = 0; i < CONSOLE_PORTS; i++) {
		c->port[i].chr.ops = &port_ops;
		c->port[i].console = c;
	}
	*out = c;
	return 0;
}

/* Last call: what sinks can still take within DRAIN_MS. */
static void console_drain(struct console *c)
{
	list_for_each_safe (it, tmp, &c->sinks) {
		struct sink *s = list_entry(it, struct sink, link);
		struct pollfd pf = {.fd = s->cfg.out, .events = POLLOUT};

		while (sink_write(s) && s->pos < c->total)
			if (poll(&pf, 1, DRAIN_MS) <= 0)
				break;
	}
}

void console_destroy(struct console *c)
{
	if (!c)
		return;
	console_drain(c);
	list_for_each_safe (it, tmp, &c->sinks)
		sink_destroy(list_entry(it, struct sink, link));
	io_timer_cancel(loop_clock(c->l), &c->timer);
	free(c);
}

struct io_char *console_char(struct console *c, enum console_port port)
{
	return &c->port[port].chr;
}

void console_reset(struct console *c)
{
	c->port[CONSOLE_VIRTIO].used = false;
}

void console_resize(struct console *c, u16 cols, u16 rows)
{
	struct io_char *chr = &c->port[CONSOLE_VIRTIO].chr;

	if (chr->resize)
		chr->resize(chr->opaque, cols, rows);
}
