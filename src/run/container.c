/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thing as a container: the image's root as an overlay, the runtime
 * (oci/oci.h) and a network. The process that makes it, later the monitor, has
 * a mount name space of its own with the overlay in it: when the monitor is
 * gone, so is the mount, whoever killed it.
 */
#include "run/initrd.h"
#include "run/internal.h"
#include "run/network.h"
#include "run/root.h"

#include "oci/oci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATE_DIR "containers"

static int state_root(char *out, struct err *e)
{
	char dir[PATHS_MAX];
	int ret = paths_runtime(dir, e);

	if (ret || (ret = paths_make_dir(dir, 0700, e)))
		return ret;
	return paths_format(out, e, "%s/" STATE_DIR, dir);
}

static int container_open(const struct thing *t, struct oci_container **out, struct err *e)
{
	char root[PATHS_MAX];
	int ret = state_root(root, e);

	return ret ? ret : oci_open(&(struct oci_where){.root = root, .id = t->name}, out, e);
}

/* ---- start ---- */

struct stdio {
	int child[3], mine[3];
};

static void close_all(const int fd[3])
{
	for (unsigned i = 0; i < 3; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static int open_pipe(int *child, int *mine, bool in, struct err *e)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return err_errno(e, "pipe");
	*child = in ? p[0] : p[1];
	*mine = in ? p[1] : p[0];
	return 0;
}

static int open_stdio(const struct run_spec *spec, struct stdio *s, struct err *e)
{
	int ret = 0;

	*s = (struct stdio){{-1, -1, -1}, {-1, -1, -1}};
	if (spec->tty)
		return 0;
	if (spec->interactive)
		ret = open_pipe(&s->child[0], &s->mine[0], true, e);
	else
		s->child[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (unsigned i = 1; !ret && i < 3; i++)
		ret = open_pipe(&s->child[i], &s->mine[i], false, e);
	return ret;
}

/* What runs the programs of another architecture, or process 1 (--init); -1: the kernel does. */
static int interpreter_open(const struct run_spec *spec, bool init, int *fd, struct err *e)
{
	char path[PATHS_MAX];
	int ret;

	*fd = -1;
	if (!spec->arch && !init)
		return 0;
	if (spec->arch && init)
		return err_set(e, ENOSYS, "--init: not for a container of another architecture");
	ret = program_path(init ? "hull-init" : "hull-foreign", path, e);
	if (ret)
		return ret;
	*fd = oci_program_open(path, e);
	return *fd < 0 ? *fd : 0;
}

static int run_config(const struct thing *t, json_t *json, const struct run_spec *spec,
		      struct stdio *io, struct oci_container **c, struct err *e)
{
	struct oci_create_options o;
	struct oci_config *config;
	char root[PATHS_MAX];
	int ret = state_root(root, e);

	if (ret || (ret = oci_config_from_json(json, &config, e)))
		return ret;
	oci_create_options_init(&o);
	o.bundle = t->dir;
	o.keep_pdeathsig = true;
	for (unsigned i = 0; i < 3; i++)
		o.stdio[i] = io->child[i];
	if (spec->tty)
		o.console_master = &io->mine[0];
	ret = interpreter_open(spec, spec->init, &o.interpreter, e);
	if (!ret)
		ret = oci_run(&(struct oci_where){.root = root, .id = t->name}, config, &o, c, e);
	if (o.interpreter >= 0)
		close(o.interpreter);
	oci_config_free(config);
	return ret;
}

static int make(struct start *s, const struct network *net, struct err *e)
{
	struct oci_container *c;
	struct stdio io;
	json_t *json;
	int ret = container_config(s->t, s->spec, net, &json, e);

	if (ret)
		return ret;
	ret = open_stdio(s->spec, &io, e);
	if (!ret)
		ret = run_config(s->t, json, s->spec, &io, &c, e);
	json_decref(json);
	close_all(io.child);
	if (ret) {
		close_all(io.mine);
		return ret;
	}
	s->child = oci_pid(c);
	s->in = io.mine[0];
	s->out = io.mine[1];
	s->err = io.mine[2];
	for (unsigned i = 0; i < 3; i++)
		if (io.mine[i] >= 0)
			fcntl(io.mine[i], F_SETFL, O_NONBLOCK);
	oci_close(c);
	return 0;
}

int container_start(struct start *s, struct err *e)
{
	struct network net = {.ns = -1, .bridge = -1};
	int ret;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return err_errno(e, "a container needs a mount name space of its own");
	ret = network_start(s->t, s->spec, &net, e);
	if (!ret)
		ret = root_mount(s->t, s->spec, e);
	if (!ret)
		ret = network_wait(&net, e);
	if (!ret)
		ret = make(s, &net, e);
	s->helper = net.helper;
	s->net = net.bridge;
	if (net.ns >= 0)
		close(net.ns);
	return ret;
}

/* What was the monitor still has the root in its name space; elsewhere there is nothing to do. */
static void unmount_root(const struct thing *t)
{
	char path[PATHS_MAX];

	if (!thing_path(t, "root", path, NULL) && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW))
		return; /* not mounted here */
}

int container_finish(const struct thing *t, const struct run_spec *spec, struct err *e)
{
	struct oci_container *c;
	struct err why = {0};
	int ret = container_open(t, &c, &why);

	unmount_root(t);
	if (ret == -ENOENT) {
		cgroups_sweep(t);
		return 0;
	}
	if (ret)
		return err_set(e, why.status, "%s", why.msg);
	ret = oci_delete(c, true, e);
	oci_close(c);
	return ret;
}

/* ---- while it runs ---- */

int container_pause(const struct thing *t, bool pause, struct err *e)
{
	struct oci_container *c;
	int ret = container_open(t, &c, e);

	if (ret)
		return ret;
	ret = pause ? oci_pause(c, e) : oci_resume(c, e);
	oci_close(c);
	return ret;
}

bool container_is_paused(const struct thing *t)
{
	struct oci_container *c;
	bool paused;

	if (container_open(t, &c, NULL))
		return false;
	paused = oci_status(c) == OCI_PAUSED;
	oci_close(c);
	return paused;
}

/* ---- exec ---- */

/* Waits while this process's stdio is the other's; signals go on to it. */
static int exec_wait(int pidfd, u64 ms, struct client_result *out, struct err *e)
{
	struct pollfd pf = {.fd = pidfd, .events = POLLIN};

	if (ms && !poll(&pf, 1, ms > INT_MAX ? INT_MAX : (int)ms))
		pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	out->end = CLIENT_EXITED;
	return oci_wait(pidfd, &out->status, e);
}

static int exec_started(const struct run_spec *spec, const struct exec_config *x, int pidfd,
			int master, struct client_result *out, struct err *e)
{
	int ret = 0;

	if (x->detach)
		out->end = CLIENT_STARTED;
	else if (spec->tty)
		ret = terminal_run(master, pidfd, spec->interactive, out, e);
	else
		ret = exec_wait(pidfd, x->timeout_ms, out, e);
	close(pidfd);
	return ret;
}

int container_exec(const struct thing *t, const struct run_spec *spec, const struct exec_config *x,
		   struct client_result *out, struct err *e)
{
	struct oci_exec_options o;
	struct oci_container *c;
	int pidfd, master = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid;
	int ret = container_open(t, &c, e);

	if (ret)
		return ret;
	oci_exec_options_init(&o);
	ret = container_process(t, spec, &o.process, e);
	if (!ret)
		ret = interpreter_open(spec, false, &o.interpreter, e);
	if (!spec->interactive)
		o.stdio[0] = null;
	for (unsigned i = 0; x->detach && i < 3; i++)
		o.stdio[i] = null;
	if (spec->tty)
		o.console_master = &master;
	if (!ret)
		ret = oci_exec(c, &o, &pid, &pidfd, e);
	json_decref(o.process);
	if (o.interpreter >= 0)
		close(o.interpreter);
	if (!ret)
		ret = exec_started(spec, x, pidfd, master, out, e);
	else if (e && (e->status == ENOENT || e->status == EACCES || e->status == EISDIR ||
		       e->status == ENOEXEC)) {
		out->end = CLIENT_ERROR;
		out->status = e->status == ENOENT ? 127 : 126;
		snprintf(out->text, sizeof(out->text), "%s", e->msg);
		ret = 0;
	}
	if (master >= 0)
		close(master);
	close(null);
	oci_close(c);
	return ret;
}

/* ---- figures ---- */

static u64 number_at(const json_t *o, const char *a, const char *b, const char *c)
{
	o = json_object_get(json_object_get(o, a), b);
	return (u64)json_integer_value(c ? json_object_get(o, c) : o);
}

/* Nobody counted for the container as a whole: those that live are added up. */
static void usage_of_processes(const pid_t *pids, size_t n, struct thing_use *out)
{
	out->processes = 0;
	for (size_t i = 0; i < n; i++)
		process_usage(pids[i], out, NULL);
}

int container_usage(const struct thing *t, struct thing_use *out, struct err *e)
{
	struct oci_container *c;
	json_t *o, *data;
	pid_t *pids = NULL;
	size_t n = 0;
	int ret = container_open(t, &c, e);

	if (ret)
		return ret;
	o = oci_stats_json(c, e);
	if (oci_pids(c, &pids, &n, NULL))
		n = 0;
	oci_close(c);
	if (!o) {
		free(pids);
		return -EIO;
	}
	data = json_object_get(o, "data") ?: o;
	out->cpu_ns = number_at(data, "cpu", "usage", "total");
	out->memory = number_at(data, "memory", "usage", "usage");
	out->processes = n;
	json_decref(o);
	if (!out->cpu_ns && !out->memory)
		usage_of_processes(pids, n, out);
	free(pids);
	return 0;
}

static void print_process(pid_t pid)
{
	char path[40], text[256];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	f = fopen(path, "re");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	if (f)
		fclose(f);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ')
			text[i] = ' ';
	text[n] = 0;
	if (n)
		printf("%8d  %s\n", pid, text);
}

int container_top(const struct thing *t, struct err *e)
{
	struct oci_container *c;
	pid_t *pids;
	size_t n;
	int ret = container_open(t, &c, e);

	if (ret)
		return ret;
	ret = oci_pids(c, &pids, &n, e);
	oci_close(c);
	if (ret)
		return ret;
	printf("%8s  %s\n", "PID", "COMMAND");
	for (size_t i = 0; i < n; i++)
		print_process(pids[i]);
	free(pids);
	return 0;
}
