/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands on machines by their control socket (vm/control.h): stop, kill,
 * pause, resume, inspect of `hull boot`'s (things.c calls), console of all.
 */
#include "cli/run.h"

#include "host/tty.h"
#include "vm/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STOP_SECONDS_DEFAULT 30u

/* ---- stop, kill, pause, resume, inspect ---- */

bool control_knows(const char *command)
{
	static const char *const names[] = {"stop", "kill", "pause", "resume", "inspect"};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(command, names[i]))
			return true;
	return false;
}

/* The process keeps its sockets to its end: waits for that. False on a time-out. */
static bool wait_gone(int fd, u64 seconds)
{
	struct pollfd pf = {.fd = fd, .events = POLLIN};
	char buf[64];

	do {
		if (poll(&pf, 1, (int)(seconds * 1000)) <= 0)
			return false;
	} while (read(fd, buf, sizeof(buf)) > 0);
	return true;
}

static int simple(int fd, const char *what, json_t **reply, struct err *e)
{
	return control_call(fd, json_pack("{s:s}", "do", what), reply, e);
}

static int stop(int fd, const char *name, u64 seconds, struct err *e)
{
	json_t *r;
	int ret = simple(fd, "stop", &r, e);

	json_decref(r);
	if (ret || wait_gone(fd, seconds))
		return ret;
	fprintf(stderr, "hull stop: %s did not power off within %llu s, killing it\n", name,
		(unsigned long long)seconds);
	ret = simple(fd, "kill", &r, e);
	json_decref(r);
	if (!ret && !wait_gone(fd, STOP_SECONDS_DEFAULT))
		ret = err_set(e, ETIMEDOUT, "%s does not end", name);
	return ret;
}

int control_one(const struct cli_command *self, const char *name, u64 seconds, struct err *e)
{
	json_t *r = NULL;
	int ret, fd = control_connect(name, e);

	if (fd < 0)
		return fd;
	if (!strcmp(self->name, "stop"))
		ret = stop(fd, name, seconds, e);
	else
		ret = simple(fd, self->name, &r, e);
	if (!ret && !strcmp(self->name, "kill") && !wait_gone(fd, STOP_SECONDS_DEFAULT))
		ret = err_set(e, ETIMEDOUT, "%s does not end", name);
	if (!ret && !strcmp(self->name, "inspect")) {
		json_object_del(r, "ok");
		ret = json_dumpf(r, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
	}
	json_decref(r);
	close(fd);
	return ret;
}

/* ---- balloon ---- */

static int balloon(const char *name, const char *size, struct err *e)
{
	json_t *r = NULL, *request = json_pack("{s:s}", "do", "balloon");
	u64 bytes = 0;
	int fd = -1, ret = size ? cli_parse_size(size, MIB(1), &bytes, e) : 0;

	if (!ret && (fd = control_connect(name, e)) < 0)
		ret = fd;
	if (ret) {
		json_decref(request);
		return ret;
	}
	if (size)
		json_object_set_new(request, "mib", json_integer((json_int_t)(bytes >> 20)));
	ret = control_call(fd, request, &r, e);
	if (!ret)
		printf("%s: shall live with %lld MiB, has given up %lld MiB\n", name,
		       json_integer_value(json_object_get(r, "target_mib")),
		       json_integer_value(json_object_get(r, "given_mib")));
	json_decref(r);
	close(fd);
	return ret;
}

int cmd_balloon(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	const char *arg[2] = {0};
	unsigned n = 0;
	struct err e = {0};
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0) {
		if (n == ARRAY_LEN(arg))
			return cli_parse_end(self, err_set(&e, EINVAL, "takes NAME and SIZE"), &e);
		arg[n++] = p.value;
	}
	if (!ret && !n)
		ret = err_set(&e, EINVAL, "give the name of a running machine (see `hull ps`)");
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	return balloon(arg[0], arg[1], &e) ? cli_fail(self, &e) : CLI_OK;
}

/* ---- console ---- */

#define MENU_KEY 0x1d /* Ctrl-] */

/* Sends typed bytes on; true when Ctrl-] q asks to leave. */
static bool type_bytes(int fd, const char *buf, ssize_t n, bool *menu)
{
	for (ssize_t i = 0; i < n; i++) {
		if (*menu) {
			*menu = false;
			if (buf[i] == 'q' || buf[i] == 'd')
				return true;
			if (buf[i] != MENU_KEY)
				continue;
		} else if (buf[i] == MENU_KEY) {
			*menu = true;
			continue;
		}
		if (send(fd, buf + i, 1, MSG_NOSIGNAL) < 0)
			return true;
	}
	return false;
}

static void console_copy(int fd)
{
	struct pollfd pf[2] = {{.fd = fd, .events = POLLIN},
			       {.fd = STDIN_FILENO, .events = POLLIN}};
	char buf[4096];
	bool menu = false;
	ssize_t n;

	while (poll(pf, 2, -1) > 0 || errno == EINTR) {
		if (pf[0].revents) {
			n = read(fd, buf, sizeof(buf));
			if (n <= 0 || write(STDOUT_FILENO, buf, (size_t)n) < 0)
				return;
		}
		if (pf[1].revents) {
			n = read(STDIN_FILENO, buf, sizeof(buf));
			if (n <= 0)
				pf[1].fd = -1;
			else if (type_bytes(fd, buf, n, &menu))
				return;
		}
	}
}

static int console_attach(const char *name, struct err *e)
{
	struct tty tty;
	u16 cols, rows;
	json_t *r, *request = json_pack("{s:s}", "do", "console");
	int ret, fd = control_connect(name, e);

	if (fd < 0) {
		json_decref(request);
		return fd;
	}
	if (tty_window(STDOUT_FILENO, &cols, &rows)) {
		json_object_set_new(request, "cols", json_integer(cols));
		json_object_set_new(request, "rows", json_integer(rows));
	}
	ret = control_call(fd, request, &r, e);
	json_decref(r);
	if (!ret) {
		tty_save(&tty, STDIN_FILENO);
		if (tty.saved)
			fprintf(stderr, "[attached to %s; Ctrl-] q leaves]\n", name);
		tty_raw(&tty);
		console_copy(fd);
		tty_restore(&tty);
		if (tty.saved)
			fprintf(stderr, "\n[left %s]\n", name);
	}
	close(fd);
	return ret;
}

int cmd_console(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	const char *name = NULL;
	struct err e = {0};
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0)
		name = p.value;
	if (!ret && !name)
		ret = err_set(&e, EINVAL, "give the name of a running machine (see `hull ps`)");
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	return console_attach(name, &e) ? cli_fail(self, &e) : CLI_OK;
}
