/* SPDX-License-Identifier: Apache-2.0 */
/* A further process in a running container (oci_exec). */
#include "oci/container.h"
#include "oci/door.h"
#include "oci/init.h"
#include "oci/ns.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Namespaces the container has that are not ours already. */
static int flags_to_join(const struct oci_container *c, int proc)
{
	int flags = 0;

	for (size_t i = 0; i < NS_COUNT; i++) {
		char theirs[48], mine[32];
		struct stat a, b;

		if (!(c->config->ns_flags & ns_order[i]))
			continue;
		snprintf(theirs, sizeof(theirs), "%d/ns/%s", c->pid, ns_name(ns_order[i]));
		snprintf(mine, sizeof(mine), "self/ns/%s", ns_name(ns_order[i]));
		if (fstatat(proc, theirs, &a, 0) || fstatat(proc, mine, &b, 0) ||
		    a.st_ino != b.st_ino || a.st_dev != b.st_dev)
			flags |= ns_order[i];
	}
	return flags;
}

static int check_state(struct oci_container *c, bool ignore_paused, struct err *e)
{
	switch (oci_status(c)) {
	case OCI_STOPPED:
	case OCI_CREATING:
		return err_set(e, ESRCH, "cannot exec in a stopped container");
	case OCI_PAUSED:
		if (!ignore_paused)
			return err_set(e, EBUSY,
				       "cannot exec in a paused container (use "
				       "--ignore-paused to override)");
		return 0;
	default:
		return 0;
	}
}

static int make_plan(struct oci_plan *p, struct oci_container *c, const struct oci_process *process,
		     const struct oci_exec_options *o, struct err *e)
{
	char cache[4096], root[32];

	p->config = c->config;
	p->process = process;
	p->cgroup = &c->cgroup;
	p->cgroup_given = o->ncgroups > 0;
	p->id = c->id;
	p->bundle = c->bundle;
	p->exec = true;
	p->no_new_keyring = true;
	p->join_pidfd = c->pidfd;
	p->join_pid = c->pid;
	p->console_socket = o->console_socket;
	p->console_to_sync = o->console_socket < 0 && o->console_master;
	p->console_plain = o->console_plain;
	p->preserve_fds = o->preserve_fds;
	p->interpreter = o->interpreter;
	memcpy(p->stdio, o->stdio, sizeof(p->stdio));
	if (process->terminal && o->console_socket < 0 && !o->console_master)
		return err_set(e, EINVAL, "cannot allocate tty if no console socket was given");
	if (cgroup_subs(p->cgroup, o->cgroups, o->ncgroups, p->cgroup_sub, e))
		return -EINVAL;
	p->proc = proc_open(e);
	if (p->proc < 0)
		return p->proc;
	p->join_flags = flags_to_join(c, p->proc);
	if (geteuid() && state_is_created(c))
		door_ask(c->dir, p->held);
	if (!(c->config->ns_flags & CLONE_NEWNS)) {
		snprintf(root, sizeof(root), "%d/root", c->pid);
		p->rootfs = openat(p->proc, root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (p->rootfs < 0)
			return err_errno(e, "the container's root");
	}
	snprintf(cache, sizeof(cache), "%s/.seccomp", c->root);
	return c->config->seccomp ? seccomp_prog_compile(c->config->seccomp, cache, &p->seccomp, e)
				  : 0;
}

static int launch(struct oci_container *c, struct oci_plan *p, const struct oci_exec_options *o,
		  pid_t *pid, int *pidfd, struct err *e)
{
	int pair[2], ret;

	*pid = 0;
	*pidfd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_errno(e, "socketpair");
	p->sync = pair[1];
	ret = ns_spawn(p, pair[0], init_main, pid, pidfd, e);
	if (!ret && o->pid_file)
		ret = container_write_pid_file(o->pid_file, *pid, e);
	if (!ret && o->pidfd_socket >= 0)
		ret = msg_send_text(o->pidfd_socket, "pidfd", *pidfd, e);
	if (!ret)
		ret = container_serve(c, p, pair[0], *pid, o->console_master, false, e);
	close(pair[0]);
	if (ret && *pidfd >= 0) {
		sys_pidfd_send_signal(*pidfd, SIGKILL);
		waitpid(*pid, NULL, __WALL);
		fd_close(pidfd);
	}
	return ret;
}

int oci_exec(struct oci_container *c, const struct oci_exec_options *o, pid_t *pid, int *pidfd,
	     struct err *e)
{
	struct oci_config *holder = oci_config_new();
	struct oci_process process;
	struct oci_plan p;
	int ret =
		holder ? check_state(c, o->ignore_paused, e) : err_set(e, ENOMEM, "out of memory");

	plan_init(&p);
	if (!ret)
		ret = state_load_config(c, e);
	if (!ret)
		ret = oci_process_parse(o->process, holder, &process, e);
	if (!ret)
		ret = make_plan(&p, c, &process, o, e);
	if (!ret)
		ret = launch(c, &p, o, pid, pidfd, e);
	plan_close(&p);
	oci_config_free(holder);
	return ret;
}
