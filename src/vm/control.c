/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct client {
	struct list link;
	struct control *control;
	int fd;
	struct loop_fd watch;
	char line[CONTROL_LINE_MAX];
	unsigned len;
};

struct control {
	struct loop *l;
	const struct control_ops *ops;
	void *opaque;
	int fd;
	struct loop_fd watch;
	struct list clients;
	unsigned nclients;
};

/* ---- names ---- */

static int socket_path(const char *name, struct sockaddr_un *sa, struct err *e)
{
	char dir[PATHS_MAX];
	int n, ret = paths_runtime(dir, e);

	if (ret)
		return ret;
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/%s.sock", dir, name);
	if (n >= (int)sizeof(sa->sun_path))
		return err_set(e, ENAMETOOLONG, "the socket path of %s is too long", name);
	return 0;
}

static int socket_connect(const struct sockaddr_un *sa)
{
	int saved, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		return fd;
	saved = errno;
	close(fd);
	return -saved;
}

/* Serializes claiming and cleaning up names. Returns a descriptor to close. */
static int dir_lock(struct err *e)
{
	char dir[PATHS_MAX];
	int fd, ret = paths_runtime(dir, e);

	if (ret || (ret = paths_make_dir(dir, 0700, e)))
		return ret;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX))
		return err_errno(e, "%s", dir);
	return fd;
}

/* ---- server ---- */

static void client_destroy(struct client *cl)
{
	loop_fd_del(cl->control->l, &cl->watch);
	cl->control->nclients--;
	if (cl->fd >= 0)
		close(cl->fd);
	list_remove(&cl->link);
	free(cl);
}

/* False if the client is gone or does not read its replies. */
static bool client_reply(struct client *cl, json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);
	size_t n;
	bool ok;

	if (!text)
		return false;
	n = strlen(text);
	text[n] = '\n'; /* in place of the terminator: written by length */
	ok = send(cl->fd, text, n + 1, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)(n + 1);
	free(text);
	return ok;
}

static bool client_line(struct client *cl, char *line)
{
	struct control *c = cl->control;
	struct err e = {0};
	json_t *request = json_loads(line, 0, NULL), *reply = json_object();
	const char *what = json_string_value(json_object_get(request, "do"));
	bool console = false, ok;

	if (!what)
		err_set(&e, EINVAL, "a request is a JSON object with a string \"do\"");
	else if (!c->ops->request(c->opaque, what, request, reply, &console, &e))
		json_object_set_new(reply, "ok", json_true());
	if (e.status) {
		json_object_clear(reply);
		json_object_set_new(reply, "error", json_string(e.msg));
		console = false;
	}
	ok = client_reply(cl, reply);
	json_decref(reply);
	json_decref(request);
	if (ok && console && !c->ops->stream(c->opaque, cl->fd, NULL)) {
		loop_fd_del(c->l, &cl->watch);
		cl->fd = -1;
		return false;
	}
	return ok;
}

static void on_client(void *opaque, u32 events)
{
	struct client *cl = opaque;
	ssize_t n = recv(cl->fd, cl->line + cl->len, sizeof(cl->line) - 1 - cl->len, MSG_DONTWAIT);
	char *nl;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		client_destroy(cl);
		return;
	}
	cl->len += (unsigned)n;
	cl->line[cl->len] = 0;
	while ((nl = memchr(cl->line, '\n', cl->len))) {
		unsigned used = (unsigned)(nl + 1 - cl->line);

		*nl = 0;
		if (!client_line(cl, cl->line)) {
			client_destroy(cl);
			return;
		}
		cl->len -= used;
		memmove(cl->line, nl + 1, cl->len);
	}
	if (cl->len == sizeof(cl->line) - 1)
		client_destroy(cl); /* no request is that long */
}

static void on_listen(void *opaque, u32 events)
{
	struct control *c = opaque;
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *cl;

	if (fd < 0)
		return;
	cl = c->nclients < CONTROL_CLIENTS_MAX ? calloc(1, sizeof(*cl)) : NULL;
	if (!cl) {
		close(fd);
		return;
	}
	cl->control = c;
	cl->fd = fd;
	c->nclients++;
	list_insert_before(&c->clients, &cl->link);
	if (loop_fd_add(c->l, &cl->watch, fd, EPOLLIN, on_client, cl, NULL))
		client_destroy(cl);
}

/* With the directory locked: nobody else claims or cleans meanwhile. */
static int claim(const char *name, struct err *e)
{
	struct sockaddr_un sa;
	int fd, ret = socket_path(name, &sa, e);

	if (ret)
		return ret;
	fd = socket_connect(&sa);
	if (fd >= 0) {
		close(fd);
		return err_set(e, EEXIST, "a machine named %s is already running", name);
	}
	if (fd == -ECONNREFUSED)
		unlink(sa.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 8)) {
		ret = err_errno(e, "control socket %s", sa.sun_path);
		if (fd >= 0)
			close(fd);
		return ret;
	}
	return fd;
}

int control_create(struct loop *l, const char *name, const struct control_ops *ops, void *opaque,
		   struct control **out, struct err *e)
{
	struct control *c;
	int fd, lock = dir_lock(e);

	if (lock < 0)
		return lock;
	fd = claim(name, e);
	close(lock);
	if (fd < 0)
		return fd;
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return err_set(e, ENOMEM, "no memory for the control socket");
	}
	*c = (struct control){.l = l, .ops = ops, .opaque = opaque, .fd = fd};
	list_init(&c->clients);
	*out = c;
	return loop_fd_add(l, &c->watch, fd, EPOLLIN, on_listen, c, e);
}

void control_destroy(struct control *c)
{
	if (!c)
		return;
	list_for_each_safe (it, tmp, &c->clients)
		client_destroy(list_entry(it, struct client, link));
	loop_fd_del(c->l, &c->watch);
	close(c->fd);
	free(c);
}

void control_unlink(const char *name)
{
	struct sockaddr_un sa;
	int fd, lock = dir_lock(NULL);

	if (lock < 0)
		return;
	if (!socket_path(name, &sa, NULL)) {
		fd = socket_connect(&sa);
		if (fd >= 0)
			close(fd); /* somebody took the name over */
		else if (fd == -ECONNREFUSED)
			unlink(sa.sun_path);
	}
	close(lock);
}

/* ---- client ---- */

int control_connect(const char *name, struct err *e)
{
	struct sockaddr_un sa;
	int fd, ret = strchr(name, '/') ? -EINVAL : socket_path(name, &sa, e);

	fd = ret ? ret : socket_connect(&sa);
	if (fd >= 0)
		return fd;
	return err_set(e, ENOENT, "nothing named %.80s is running (see `hull ps --all`)", name);
}

/* Reads one line byte-wise: what follows it belongs to the console stream. */
static int read_line(int fd, char **out, struct err *e)
{
	size_t len = 0, size = 256;
	char *line = malloc(size), *more;

	while (line) {
		ssize_t n = read(fd, line + len, 1);

		if (n <= 0 || line[len] == '\n') {
			line[len] = 0;
			if (n > 0) {
				*out = line;
				return 0;
			}
			free(line);
			err_set(e, EPIPE, "the machine closed the connection");
			return -EPIPE;
		}
		if (++len < size)
			continue;
		more = len < (1u << 20) ? realloc(line, size *= 2) : NULL;
		if (!more)
			free(line);
		line = more;
	}
	return err_set(e, ENOMEM, "no memory for the reply");
}

int control_call(int fd, json_t *request, json_t **reply, struct err *e)
{
	char *line = json_dumps(request, JSON_COMPACT), *text = NULL;
	json_t *r;
	int ret = 0;

	*reply = NULL;
	json_decref(request);
	if (!line || dprintf(fd, "%s\n", line) < 0)
		ret = err_errno(e, "cannot reach the machine");
	free(line);
	if (ret || (ret = read_line(fd, &text, e)))
		return ret;
	r = json_loads(text, 0, NULL);
	free(text);
	if (!json_is_object(r))
		ret = err_set(e, EPROTO, "the machine's answer makes no sense");
	else if (json_object_get(r, "error"))
		ret = err_set(e, EIO, "%s",
			      json_string_value(json_object_get(r, "error")) ?: "failed");
	if (ret)
		json_decref(r);
	else
		*reply = r;
	return ret;
}

/* Connects to the owner of one socket file, or removes the file if it has none. */
static int connect_or_clean(const char *name)
{
	struct sockaddr_un sa;
	int lock, fd;

	if (socket_path(name, &sa, NULL))
		return -1;
	fd = socket_connect(&sa);
	if (fd != -ECONNREFUSED)
		return fd;
	lock = dir_lock(NULL);
	if (lock < 0)
		return -1;
	if (socket_connect(&sa) == -ECONNREFUSED)
		unlink(sa.sun_path);
	close(lock);
	return -1;
}

int control_each(void (*fn)(void *opaque, const char *name, int fd), void *opaque, struct err *e)
{
	char dir[PATHS_MAX];
	struct dirent **names;
	int n, ret = paths_runtime(dir, e);

	if (ret)
		return ret;
	n = scandir(dir, &names, NULL, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : err_errno(e, "%s", dir);
	for (int i = 0; i < n; i++) {
		char *name = names[i]->d_name, *dot = strrchr(name, '.');

		if (dot && dot != name && !strcmp(dot, ".sock")) {
			int fd;

			*dot = 0;
			fd = connect_or_clean(name);
			if (fd >= 0) {
				fn(opaque, name, fd);
				close(fd);
			}
		}
		free(names[i]);
	}
	free(names);
	return 0;
}
