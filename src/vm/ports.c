/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/ports.h"

#include "ui/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct port {
	struct console *console;
	int fd; /* listening */
	struct loop_fd watch;
};

struct ports {
	struct loop *loop;
	unsigned n;
	struct port port[VM_PORTS_MAX];
};

static void on_client(void *opaque, u32 events)
{
	struct port *p = opaque;
	struct console_sink sink = {.own = true};

	(void)events;
	sink.out = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (sink.out < 0)
		return;
	sink.in = fcntl(sink.out, F_DUPFD_CLOEXEC, 3);
	if (sink.in >= 0 && !console_add(p->console, &sink, NULL))
		return;
	if (sink.in >= 0)
		close(sink.in);
	close(sink.out);
}

/* A socket of an earlier run that nobody listens on any more goes away. */
static void remove_stale(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) && errno == ECONNREFUSED)
		unlink(a->sun_path);
	close(fd);
}

static int listen_at(const char *path, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return err_errno(e, "port socket");
	if (strlen(path) >= sizeof(a.sun_path)) {
		close(fd);
		return err_set(e, ENAMETOOLONG, "port socket %.80s: longer than %zu characters",
			       path, sizeof(a.sun_path) - 1);
	}
	strcpy(a.sun_path, path);
	remove_stale(&a);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8)) {
		ret = err_errno(e, "port socket %s", path);
		close(fd);
		return ret;
	}
	return fd;
}

static int port_open(struct ports *ps, struct port *p, const char *path, struct err *e)
{
	int ret = console_create(ps->loop, &p->console, e);

	p->fd = ret ? -1 : listen_at(path, e);
	ps->n++;
	if (ret || p->fd < 0)
		return ret ? ret : p->fd;
	return loop_fd_add(ps->loop, &p->watch, p->fd, EPOLLIN, on_client, p, e);
}

int ports_open(struct loop *l, const struct vm_config *cfg, struct ports **out, struct err *e)
{
	struct ports *ps;
	int ret = 0;

	*out = NULL;
	if (!cfg->nports)
		return 0;
	ps = *out = calloc(1, sizeof(*ps));
	if (!ps)
		return err_set(e, ENOMEM, "no memory for ports");
	ps->loop = l;
	for (unsigned i = 0; !ret && i < cfg->nports; i++)
		ret = port_open(ps, &ps->port[i], cfg->port[i].path, e);
	return ret;
}

void ports_close(struct ports *ps)
{
	if (!ps)
		return;
	for (unsigned i = 0; i < ps->n; i++) {
		struct port *p = &ps->port[i];

		loop_lock(ps->loop);
		loop_fd_del(ps->loop, &p->watch);
		loop_unlock(ps->loop);
		console_destroy(p->console);
		if (p->fd >= 0)
			close(p->fd);
	}
	free(ps);
}

/* The console's first device: what is typed goes there whether the guest has written or not. */
struct io_char *ports_char(struct ports *ps, unsigned i)
{
	return console_char(ps->port[i].console, CONSOLE_SERIAL);
}

void ports_unlink(const struct vm_config *cfg)
{
	for (unsigned i = 0; i < cfg->nports; i++) {
		struct sockaddr_un a = {.sun_family = AF_UNIX};

		if (strlen(cfg->port[i].path) >= sizeof(a.sun_path))
			continue;
		strcpy(a.sun_path, cfg->port[i].path);
		remove_stale(&a);
	}
}
