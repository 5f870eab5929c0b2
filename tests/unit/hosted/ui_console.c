/* SPDX-License-Identifier: Apache-2.0 */
/* src/ui/console.c: sinks, ring, late attach, input routing, menu. */
#include "tests/test.h"

#include "ui/console.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
	struct loop *l;
	struct console *c;
	int sv[2]; /* [0] ours, [1] the console's */
	char got[64], keys[16];
	size_t ngot, take;
	unsigned nkeys;
	struct io_timer end;
};

static size_t on_receive(void *opaque, const void *buf, size_t len)
{
	struct fixture *f = opaque;

	if (len > f->take)
		len = f->take;
	memcpy(f->got + f->ngot, buf, len);
	f->ngot += len;
	f->take -= len;
	return len;
}

static void on_key(void *opaque, char key)
{
	struct fixture *f = opaque;

	f->keys[f->nkeys++] = key;
}

static void on_end(void *opaque)
{
	struct fixture *f = opaque;

	loop_stop(f->l);
}

/* Lets the loop work for some milliseconds. */
static void settle(struct fixture *f)
{
	f->end = (struct io_timer){.fn = on_end, .opaque = f};
	loop_lock(f->l);
	io_timer_arm(loop_clock(f->l), &f->end, io_now(loop_clock(f->l)) + 8000000);
	loop_unlock(f->l);
	loop_run(f->l);
}

static void put(struct fixture *f, enum console_port port, const char *text)
{
	struct io_char *chr = console_char(f->c, port);

	loop_lock(f->l);
	chr->ops->write(chr, text, strlen(text));
	loop_unlock(f->l);
}

static bool setup(struct fixture *f)
{
	struct io_char *chr;

	memset(f, 0, sizeof(*f));
	f->take = sizeof(f->got) - 1;
	if (loop_create(&f->l, NULL) || console_create(f->l, &f->c, NULL))
		return false;
	chr = console_char(f->c, CONSOLE_SERIAL);
	chr->receive = on_receive;
	chr->opaque = f;
	return !socketpair(AF_UNIX, SOCK_STREAM, 0, f->sv);
}

static bool attach(struct fixture *f, bool menu)
{
	struct console_sink s = {.in = dup(f->sv[1]), .out = f->sv[1], .own = true};

	if (menu) {
		s.key = on_key;
		s.opaque = f;
	}
	return !console_add(f->c, &s, NULL);
}

static void finish(struct fixture *f)
{
	console_destroy(f->c);
	loop_destroy(f->l);
	close(f->sv[0]);
}

/* What our end of the socket holds now. */
static const char *sent(struct fixture *f)
{
	static char buf[256];
	ssize_t n = recv(f->sv[0], buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = 0;
	return buf;
}

static void t_output_reaches_a_late_client(void)
{
	struct fixture f;

	CHECK(setup(&f));
	put(&f, CONSOLE_SERIAL, "boot\r\n");
	settle(&f);
	CHECK(attach(&f, false));
	settle(&f);
	CHECK(!strcmp(sent(&f), "boot\r\n"));
	put(&f, CONSOLE_VIRTIO, "more");
	settle(&f);
	CHECK(!strcmp(sent(&f), "more"));
	finish(&f);
}

static void t_input_waits_for_a_slow_guest(void)
{
	struct fixture f;
	struct io_char *chr;

	CHECK(setup(&f));
	CHECK(attach(&f, false));
	f.take = 2;
	CHECK(write(f.sv[0], "abcd", 4) == 4);
	settle(&f);
	CHECK(!strcmp(f.got, "ab"));
	f.take = 10;
	loop_lock(f.l);
	chr = console_char(f.c, CONSOLE_SERIAL);
	chr->ops->rx_ready(chr);
	loop_unlock(f.l);
	CHECK(!strcmp(f.got, "abcd"));
	finish(&f);
}

static void t_input_goes_to_virtio_once_used(void)
{
	struct fixture f;
	struct io_char *chr;

	CHECK(setup(&f));
	CHECK(attach(&f, false));
	console_char(f.c, CONSOLE_SERIAL)->receive = NULL;
	chr = console_char(f.c, CONSOLE_VIRTIO);
	chr->receive = on_receive;
	chr->opaque = &f;
	put(&f, CONSOLE_VIRTIO, "x");
	CHECK(write(f.sv[0], "v", 1) == 1);
	settle(&f);
	CHECK(!strcmp(f.got, "v"));
	console_reset(f.c);
	CHECK(write(f.sv[0], "w", 1) == 1);
	settle(&f);
	CHECK(!strcmp(f.got, "v"));
	finish(&f);
}

static void t_menu_keys_do_not_reach_the_guest(void)
{
	struct fixture f;

	CHECK(setup(&f));
	CHECK(attach(&f, true));
	CHECK(write(f.sv[0],
		    "a\x1dqb\x1d\x1d"
		    "c\x1d",
		    8) == 8);
	settle(&f);
	CHECK(write(f.sv[0], "p", 1) == 1); /* the menu stays open between reads */
	settle(&f);
	CHECK(!strcmp(f.keys, "qp"));
	CHECK(!strcmp(f.got, "ab\x1d"
			     "c"));
	finish(&f);
}

static void t_slow_sink_loses_oldest_and_is_told(void)
{
	static char block[65536], in[CONSOLE_RING + 262144];
	struct fixture f;
	size_t n = 0;
	ssize_t r;

	memset(block, 'x', sizeof(block));
	CHECK(setup(&f));
	CHECK(attach(&f, false));
	for (unsigned i = 0; i < 40; i++) {
		struct io_char *chr = console_char(f.c, CONSOLE_SERIAL);

		loop_lock(f.l);
		chr->ops->write(chr, block, sizeof(block));
		loop_unlock(f.l);
	}
	settle(&f);
	for (unsigned i = 0; i < 200; i++) {
		while ((r = recv(f.sv[0], in + n, sizeof(in) - n, MSG_DONTWAIT)) > 0)
			n += (size_t)r;
		if (n >= CONSOLE_RING)
			break;
		settle(&f);
	}
	CHECK(n > CONSOLE_RING && n < sizeof(in));
	CHECK(memmem(in, n, "bytes of output lost", 20));
	finish(&f);
}

static void t_client_that_leaves_is_forgotten(void)
{
	struct fixture f;

	CHECK(setup(&f));
	CHECK(attach(&f, false));
	close(f.sv[0]);
	f.sv[0] = -1;
	settle(&f);
	put(&f, CONSOLE_SERIAL, "nobody listens");
	settle(&f);
	CHECK(fcntl(f.sv[1], F_GETFD) < 0 && errno == EBADF);
	finish(&f);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	RUN(t_output_reaches_a_late_client);
	RUN(t_input_waits_for_a_slow_guest);
	RUN(t_input_goes_to_virtio_once_used);
	RUN(t_menu_keys_do_not_reach_the_guest);
	RUN(t_slow_sink_loses_oldest_and_is_told);
	RUN(t_client_that_leaves_is_forgotten);
	return test_done();
}
