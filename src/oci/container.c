/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's side of making a container: plan, process, records (oci_create, oci_run,
 * oci_start). */
#include "oci/container.h"
#include "oci/door.h"
#include "oci/hooks.h"
#include "oci/init.h"
#include "oci/netdev.h"
#include "oci/ns.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

void oci_create_options_init(struct oci_create_options *o)
{
	*o = (struct oci_create_options){
		.stdio = {-1, -1, -1}, .console_socket = -1, .pidfd_socket = -1, .interpreter = -1};
}

void oci_exec_options_init(struct oci_exec_options *o)
{
	*o = (struct oci_exec_options){
		.stdio = {-1, -1, -1}, .console_socket = -1, .pidfd_socket = -1, .interpreter = -1};
}

int oci_reserve_fds(int n, struct err *e)
{
	int fd = 3, got;

	for (; fd < 3 + n; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* Close-on-exec, so it never reaches a container; open takes the lowest number. */
		got = open("/dev/null", O_PATH | O_CLOEXEC);
		if (got != fd)
			return err_errno(e, "reserve descriptor %d", fd);
	}
	return 0;
}

int container_write_pid_file(const char *path, pid_t pid, struct err *e)
{
	char tmp[4096], text[16];
	int fd, n = snprintf(text, sizeof(text), "%d", pid);

	if (snprintf(tmp, sizeof(tmp), "%s.tmp%d", path, getpid()) >= (int)sizeof(tmp))
		return err_set(e, ENAMETOOLONG, "pid file's name is too long");
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)n) != n || rename(tmp, path)) {
		err_errno(e, "pid file %s", path);
		fd_close(&fd);
		unlink(tmp);
		return -EIO;
	}
	close(fd);
	return 0;
}

/* The seccomp notify fd to the agent that asked for it (config-linux.md, "Containerprocess State").
 */
static int send_listener(struct oci_container *c, const struct oci_plan *p, pid_t pid, int fd,
			 struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const struct seccomp_prog *s = &p->seccomp;
	char *state =
		hooks_state(p->config, c->id, c->bundle, pid, p->exec ? "running" : "creating");
	json_t *j;
	char *text;
	int sock, ret;

	if (strlen(s->listener) >= sizeof(a.sun_path)) {
		free(state);
		return err_set(e, ENAMETOOLONG, "listenerPath is too long");
	}
	strcpy(a.sun_path, s->listener);
	j = json_pack("{s:s,s:[s],s:i,s:s,s:o}", "ociVersion", p->config->version, "fds",
		      "seccompFd", "pid", pid, "metadata", s->metadata ? s->metadata : "", "state",
		      json_loads(state ? state : "{}", 0, NULL));
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	free(state);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&a, sizeof(a)))
		ret = err_errno(e, "failed to connect with seccomp agent %s", s->listener);
	else
		ret = text ? msg_send_text(sock, text, fd, e) : err_set(e, ENOMEM, "out of memory");
	fd_close(&sock);
	free(text);
	return ret;
}

static int runtime_hooks(struct oci_container *c, const struct oci_plan *p, pid_t pid,
			 struct err *e)
{
	const struct oci_hooks *h = &p->config->hooks;
	/* The deprecated kind was defined as running when everything is created. */
	char *created = hooks_state(p->config, c->id, c->bundle, pid, "created");
	char *state = hooks_state(p->config, c->id, c->bundle, pid, "creating");
	struct hooks_where w = {.dir = c->bundle};
	int ret = state && created ? 0 : err_set(e, ENOMEM, "out of memory");

	if (!ret)
		ret = hooks_run(h, HOOK_PRESTART, &w, created, e);
	if (!ret)
		ret = hooks_run(h, HOOK_CREATE_RUNTIME, &w, state, e);
	free(created);
	free(state);
	return ret;
}

/*
 * Serves the new process until it is ready (create) or has become the program
 * (run, exec: the socket closes). 0 or the process's own error.
 */
int container_serve(struct oci_container *c, struct oci_plan *p, int sock, pid_t pid,
		    int *console_master, bool until_ready, struct err *e)
{
	struct msg m;
	int fd, ret;

	for (;;) {
		ret = msg_recv(sock, &m, &fd, e);
		if (ret < 0)
			return ret;
		if (ret == 0)
			return until_ready
				       ? err_set(e, EPROTO,
						 "the container's process died before it was ready")
				       : 0;
		ret = 0;
		if (m.kind == MSG_ERROR)
			ret = err_set(e, m.value ? m.value : EIO, "%s", m.text);
		else if (m.kind == MSG_HOOKS)
			ret = runtime_hooks(c, p, pid, e);
		else if (m.kind == MSG_LISTENER)
			ret = fd < 0 ? -EPROTO : send_listener(c, p, pid, fd, e);
		else if (m.kind == MSG_CONSOLE && console_master && fd >= 0) {
			*console_master = fd;
			fd = -1;
		}
		fd_close(&fd);
		if (!ret && (m.kind == MSG_HOOKS || m.kind == MSG_LISTENER))
			ret = msg_send(sock, MSG_GO, 0, -1, e);
		if (ret || (m.kind == MSG_READY && until_ready))
			return ret;
	}
}

/* ---- create ------------------------------------------------------------- */

/* Id maps that only exist once the container's user namespace does. */
static int map_mounts(struct oci_plan *p, pid_t pid, struct err *e)
{
	const struct oci_config *c = p->config;
	char path[32];
	int user = -1, ret = 0;

	for (unsigned i = 0; i < c->nmounts && !ret; i++) {
		const struct oci_mount *m = &c->mounts[i];
		struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP};

		if (!m->idmap || m->maps.nuid || p->binds[i] < 0)
			continue;
		snprintf(path, sizeof(path), "%d/ns/user", pid);
		if (user < 0)
			user = openat(p->proc, path, O_RDONLY | O_CLOEXEC);
		a.userns_fd = (u64)user;
		if (user < 0 ||
		    mount_setattr(p->binds[i], "",
				  AT_EMPTY_PATH | (m->idmap_rec ? AT_RECURSIVE : 0), &a, sizeof(a)))
			ret = err_errno(e, "mount %s: id-map %s", m->dest, m->source);
	}
	fd_close(&user);
	return ret;
}

static int make_plan(struct oci_plan *p, struct oci_container *c, const struct oci_config *config,
		     const struct oci_create_options *o, bool run, struct err *e)
{
	char cache[4096];

	plan_init(p);
	p->config = config;
	p->process = &config->process;
	p->cgroup = &c->cgroup;
	p->id = c->id;
	p->bundle = c->bundle;
	p->console_socket = o->console_socket;
	p->console_to_sync = o->console_socket < 0 && o->console_master;
	p->console_plain = o->console_plain;
	p->no_pivot = o->no_pivot;
	p->no_new_keyring = o->no_new_keyring;
	p->pdeathsig = o->keep_pdeathsig;
	p->preserve_fds = o->preserve_fds;
	p->interpreter = o->interpreter;
	p->listen_fds = o->listen_fds;
	p->run_runtime_hooks =
		config->hooks.n[HOOK_PRESTART] || config->hooks.n[HOOK_CREATE_RUNTIME];
	memcpy(p->stdio, o->stdio, sizeof(p->stdio));
	if (!config->process.given && run)
		return err_set(e, EINVAL, "process property must not be empty");
	if (config->process.terminal && o->console_socket < 0 && !o->console_master)
		return err_set(e, EINVAL, "cannot allocate tty if no console socket was given");
	if (!run) {
		if (mkfifoat(c->dir, STATE_FIFO, 0600))
			return err_errno(e, "make the start FIFO");
		/* Read and write, so that opening does not wait for the other end. */
		p->start = openat(c->dir, STATE_FIFO, O_RDWR | O_CLOEXEC);
		if (p->start < 0)
			return err_errno(e, "open the start FIFO");
		/* A filter that is loaded before the start may not know the door's system calls. */
		if (geteuid() && (!config->seccomp || config->process.no_new_privs))
			p->door = door_make(c->dir, e);
		else
			p->door = -1;
		if (p->door < -1)
			return p->door;
	}
	snprintf(cache, sizeof(cache), "%s/.seccomp", c->root);
	if (config->seccomp && seccomp_prog_compile(config->seccomp, cache, &p->seccomp, e))
		return -EINVAL;
	return plan_open(p, e);
}

/* After the process exists: what it waits for, and the records that it does. */
static int settle(struct oci_container *c, struct oci_plan *p, int sock,
		  const struct oci_create_options *o, struct err *e)
{
	int ret = 0;

	c->start_time = state_start_time(c->pid);
	if (c->cgroup.unit) {
		ret = cgroup_systemd_start(&c->cgroup, c->pid, e);
		if (!ret)
			ret = cgroup_set(&c->cgroup, &p->config->resources, true, e);
	}
	if (!ret && p->mapped) {
		ret = ns_write_maps(p, c->pid, e);
		if (!ret)
			ret = map_mounts(p, c->pid, e);
	}
	if (!ret)
		ret = netdev_move_all(p->config, p->proc, c->pid, e);
	if (!ret && plan_init_waits(p))
		ret = msg_send(sock, MSG_GO, 0, -1, e);
	if (!ret)
		ret = state_save(c, e);
	if (!ret)
		ret = state_save_config(c, p->config, e);
	if (!ret && o->pid_file)
		ret = container_write_pid_file(o->pid_file, c->pid, e);
	if (!ret && o->pidfd_socket >= 0)
		ret = msg_send_text(o->pidfd_socket, "pidfd", c->pidfd, e);
	return ret;
}

/* The process must be gone before its cgroups can be. */
void container_abort(struct oci_container *c)
{
	if (c->pidfd >= 0) {
		sys_pidfd_send_signal(c->pidfd, SIGKILL);
		waitpid(c->pid, NULL, __WALL);
	}
	if (cgroup_is_ours(&c->cgroup))
		cgroup_kill(&c->cgroup, SIGKILL, NULL);
	cgroup_destroy(&c->cgroup, NULL);
	state_remove(c);
}

static int build(struct oci_container *c, struct oci_plan *p, const struct oci_create_options *o,
		 bool run, struct err *e)
{
	int pair[2], ret;

	ret = c->cgroup.unit ? 0 : cgroup_create(&c->cgroup, e);
	if (!ret && !c->cgroup.unit)
		ret = cgroup_set(&c->cgroup, &p->config->resources, true, e);
	if (ret)
		return ret;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_errno(e, "socketpair");
	p->sync = pair[1];
	ret = ns_spawn(p, pair[0], init_main, &c->pid, &c->pidfd, e);
	if (!ret)
		ret = settle(c, p, pair[0], o, e);
	/* An error of the process says more than that its socket closed. */
	if (!ret && run)
		ret = msg_send(pair[0], MSG_START, 0, -1, NULL), ret = 0;
	if (!ret || ret == -EPIPE)
		ret = container_serve(c, p, pair[0], c->pid, o->console_master, !run, e);
	close(pair[0]);
	return ret;
}

static int save_rootfs(struct oci_container *c, const struct oci_config *config)
{
	if (config->rootfs[0] == '/')
		c->rootfs = strdup(config->rootfs);
	else if (asprintf(&c->rootfs, "%s/%s", c->bundle, config->rootfs) < 0)
		c->rootfs = NULL;
	return c->rootfs ? 0 : -ENOMEM;
}

static int poststart(struct oci_container *c, const struct oci_config *config, struct err *e)
{
	struct hooks_where w = {.dir = c->bundle};
	char *state;
	int ret;

	if (!config->hooks.n[HOOK_POSTSTART])
		return 0;
	state = hooks_state(config, c->id, c->bundle, c->pid, "running");
	ret = state ? hooks_run(&config->hooks, HOOK_POSTSTART, &w, state, e)
		    : err_set(e, ENOMEM, "out of memory");
	free(state);
	return ret;
}

/* Hooks of a container that never came to be: best effort, the first error stands. */
static void poststop_after_failure(struct oci_container *c, const struct oci_config *config)
{
	struct hooks_where w = {.dir = c->bundle};
	char *state;

	if (!config->hooks.n[HOOK_POSTSTOP])
		return;
	state = hooks_state(config, c->id, c->bundle, 0, "stopped");
	if (state)
		hooks_run(&config->hooks, HOOK_POSTSTOP, &w, state, NULL);
	free(state);
}

static int create(const struct oci_where *w, const struct oci_config *config,
		  const struct oci_create_options *o, bool run, struct oci_container **out,
		  struct err *e)
{
	struct oci_container *c;
	struct oci_plan p;
	int ret = state_create(w, o->bundle, &c, e);

	*out = NULL;
	if (ret)
		return ret;
	plan_init(&p);
	ret = save_rootfs(c, config) ? err_set(e, ENOMEM, "out of memory") : 0;
	if (!ret)
		ret = cgroup_plan(&c->cgroup, config, c->id, o->cgroups, e);
	/* Before anything names it as the container's: others' processes are not to be killed. */
	if (!ret && cgroup_check_free(&c->cgroup, e)) {
		cgroup_free(&c->cgroup);
		ret = -EBUSY;
	}
	/* From here on whatever ends us, delete knows what there may be to clean up. */
	if (!ret)
		ret = state_save(c, e);
	if (!ret)
		ret = make_plan(&p, c, config, o, run, e);
	if (!ret)
		ret = build(c, &p, o, run, e);
	if (!ret && run)
		ret = poststart(c, config, e);
	fd_close(&p.start);
	if (p.config)
		plan_close(&p);
	if (!ret) {
		*out = c;
		return 0;
	}
	container_abort(c);
	poststop_after_failure(c, config);
	oci_close(c);
	return ret;
}

int oci_create(const struct oci_where *w, const struct oci_config *config,
	       const struct oci_create_options *o, struct oci_container **out, struct err *e)
{
	return create(w, config, o, false, out, e);
}

int oci_run(const struct oci_where *w, const struct oci_config *config,
	    const struct oci_create_options *o, struct oci_container **out, struct err *e)
{
	return create(w, config, o, true, out, e);
}

/* ---- start -------------------------------------------------------------- */

/*
 * One byte through the FIFO starts the program. The process keeps its end open
 * until exec closes it; what is in the FIFO then is why there was no exec.
 */
static int start_by_fifo(struct oci_container *c, struct err *e)
{
	int w = openat(c->dir, STATE_FIFO, O_WRONLY | O_NONBLOCK | O_CLOEXEC), r;
	struct pollfd p = {.events = 0};
	char said[sizeof(e->msg)];
	ssize_t n;

	if (w < 0)
		return errno == ENOENT
			       ? err_set(e, EBUSY,
					 "cannot start a container that has already started")
		       : errno == ENXIO
			       ? err_set(e, ESRCH, "cannot start a container that has stopped")
			       : err_errno(e, "open the start FIFO");
	r = openat(c->dir, STATE_FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (r < 0 || unlinkat(c->dir, STATE_FIFO, 0) || write(w, "", 1) != 1) {
		err_errno(e, STATE_FIFO);
		close(w);
		fd_close(&r);
		return -EIO;
	}
	close(w);
	unlinkat(c->dir, DOOR_NAME, 0);
	p.fd = r;
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	n = read(r, said, sizeof(said) - 1);
	close(r);
	if (n <= 0)
		return 0;
	said[n] = 0;
	/* Our own byte unread: it died while it was waiting. */
	return err_set(e, EIO, "%s", said[0] ? said : "cannot start a container that has stopped");
}

int oci_start(struct oci_container *c, struct err *e)
{
	int ret;

	if (c->pidfd < 0 || oci_status(c) == OCI_STOPPED)
		return err_set(e, ESRCH, "cannot start a container that has stopped");
	ret = state_load_config(c, e);
	if (!ret)
		ret = start_by_fifo(c, e);
	if (ret)
		return ret;
	ret = poststart(c, c->config, e);
	/* The container does not outlive its poststart hooks' failure (runtime.md, step 9). */
	if (ret)
		oci_delete(c, true, NULL);
	return ret;
}
