/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The privileged sequence, all of it, in order:
 *
 *	1 cgroups, namespaces, ids		join_all
 *	2 the root: mounts, devices, hooks	build_root
 *	3 terminal, keyring, network, names	settings.c
 *	4 kernel settings: sysctl, labels, rlimits, scheduler	settings.c
 *	5 closing what is left of the host	(fds, capabilities, ids)
 *	6 wait for the start, hooks, seccomp, execve
 *
 * It runs on what plan.c opened. Nothing of the image's is trusted at any point.
 */
#include "oci/init.h"
#include "oci/caps.h"
#include "oci/console.h"
#include "oci/door.h"
#include "oci/hooks.h"
#include "oci/mount.h"
#include "oci/ns.h"
#include "oci/program.h"
#include "oci/root.h"
#include "oci/settings.h"

#include "host/log.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* ---- talking to the runtime --------------------------------------------- */

static int wait_for(struct oci_plan *p, enum msg_kind kind, struct err *e)
{
	struct msg m;
	int fd, ret;

	for (;;) {
		ret = msg_recv(p->sync, &m, &fd, e);
		fd_close(&fd);
		if (ret <= 0)
			_exit(1); /* the runtime is gone: nobody wants this container */
		if (m.kind == (s32)kind)
			return 0;
		if (m.kind != MSG_START)
			return err_set(e, EPROTO, "unexpected message from the runtime");
		p->may_start = true; /* `run` says so early */
	}
}

/* ---- 1: where it lives -------------------------------------------------- */

static int become_root(struct err *e)
{
	/* setgroups may be denied in an unprivileged user namespace; then there is nothing to drop.
	 */
	if (setgroups(0, NULL) && errno != EPERM)
		return err_errno(e, "setgroups");
	if (setresgid(0, 0, 0) || setresuid(0, 0, 0))
		return err_errno(e, "become root of the user namespace");
	return 0;
}

static int join_all(struct oci_plan *p, struct err *e)
{
	int ret = 0;

	if (!p->exec && !p->cgroup->unit)
		ret = cgroup_join_self(p->cgroup, NULL, e);
	if (ret > 0) {
		if (p->cgroup->named)
			msg_log(p->sync, LOG_WARN, "%s; the container runs without its cgroup",
				e->msg);
		ret = 0;
	}
	if (!ret && !p->staged && !p->exec)
		ret = ns_join_paths(p, e);
	/* Before the ids change and the process hides: its files in /proc are still its own. */
	if (!ret && !p->exec)
		ret = settings_oom(p, e);
	if (!ret && plan_init_waits(p))
		ret = wait_for(p, MSG_GO, e);
	if (!ret && p->config->ns_flags & CLONE_NEWUSER)
		ret = become_root(e);
	/*
	 * From here on nobody in the container may look into this process, whose
	 * descriptors are still the host's (CVE-2016-9962). execve turns it back on.
	 */
	if (!ret && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		ret = err_errno(e, "make the process private");
	if (!ret && p->new_flags & CLONE_NEWCGROUP && unshare(CLONE_NEWCGROUP))
		ret = err_errno(e, "new cgroup namespace");
	if (!ret && p->door >= 0)
		ret = door_hold(p, e);
	return ret;
}

/* ---- 2: the root -------------------------------------------------------- */

static int run_hooks(struct oci_plan *p, enum oci_hook_kind kind, const struct hooks_where *w,
		     const char *status, struct err *e)
{
	char *state;
	int ret;

	if (!p->config->hooks.n[kind])
		return 0;
	state = hooks_state(p->config, p->id, p->bundle, getpid(), status);
	ret = state ? hooks_run(&p->config->hooks, kind, w, state, e)
		    : err_set(e, ENOMEM, "out of memory");
	free(state);
	return ret;
}

/* In the root, which its mounts already make but which is not ours yet. */
static int container_hooks(struct oci_plan *p, int root, struct err *e)
{
	static const struct hooks_where here;

	if (p->config->hooks.n[HOOK_CREATE_CONTAINER] && root >= 0 && fchdir(root))
		return err_errno(e, "enter the root for its hooks");
	return run_hooks(p, HOOK_CREATE_CONTAINER, &here, "creating", e);
}

static int open_console(struct oci_plan *p, int root, int *slave, struct err *e)
{
	int master, ret;

	*slave = console_open(root, p->process, p->console_plain, &master, e);
	if (*slave < 0)
		return *slave;
	ret = root >= 0 && !p->exec ? dev_console(root, *slave, e) : 0;
	if (!ret)
		ret = p->console_to_sync ? msg_send(p->sync, MSG_CONSOLE, 0, master, e)
					 : console_send(p->console_socket, master, e);
	close(master);
	return ret;
}

/* On the /dev of the mount namespace this process is in. */
static int open_host_console(struct oci_plan *p, int *slave, struct err *e)
{
	return chdir("/") ? err_errno(e, "chdir /") : open_console(p, AT_FDCWD, slave, e);
}

static int runtime_hooks(struct oci_plan *p, struct err *e)
{
	int ret;

	if (!p->run_runtime_hooks)
		return 0;
	ret = msg_send(p->sync, MSG_HOOKS, 0, -1, e);
	return ret ? ret : wait_for(p, MSG_GO, e);
}

/* Without a mount namespace of its own the root is only changed to. */
static int plain_root(struct oci_plan *p, struct err *e)
{
	int fd = p->rootfs >= 0 ? p->rootfs
				: openat(p->bundle_fd, p->config->rootfs,
					 O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fchdir(fd) || chroot("."))
		return err_errno(e, "chroot to %s", p->config->rootfs);
	close(fd);
	return 0;
}

/* A working directory the image does not have, as runc does. What fails shows when it is entered.
 */
static void make_cwd(struct oci_plan *p, int root)
{
	int fd;

	if (!p->process->cwd)
		return;

	fd = root_open(root, p->process->cwd, O_PATH | O_DIRECTORY, 0);
	if (fd == -ENOENT)
		fd = root_make_dir(root, p->process->cwd, 0755);
	fd_close(&fd);
}

/* No mount namespace, no mounts: the host's terminals are the container's. */
static int build_plain_root(struct oci_plan *p, int *slave, struct err *e)
{
	int ret = runtime_hooks(p, e);

	if (!ret)
		ret = container_hooks(p, -1, e);
	if (!ret && p->process->terminal)
		ret = open_host_console(p, slave, e);
	return ret ? ret : plain_root(p, e);
}

static int build_root(struct oci_plan *p, int *slave, struct err *e)
{
	int root, ret;

	if (!(p->config->ns_flags & CLONE_NEWNS))
		return build_plain_root(p, slave, e);
	root = mount_attach_root(p, e);
	if (root < 0)
		return root;
	ret = mount_all(p, root, e);
	if (!ret)
		ret = dev_create(p, root, e);
	if (!ret)
		ret = runtime_hooks(p, e);
	if (!ret)
		ret = container_hooks(p, root, e);
	if (!ret && p->process->terminal)
		ret = open_console(p, root, slave, e);
	if (!ret)
		ret = mount_restrict(p, root, e);
	if (ret)
		return ret;
	make_cwd(p, root);
	return mount_enter_root(p, root, e);
}

/* ---- 5: closing --------------------------------------------------------- */

/*
 * While a created container waits, nothing of the host's is open in it, not even
 * until the exec that would close it: only the start, the runtime's socket and
 * door.c's, which are its own namespaces.
 * Before the container's filter, which may not know close_range(2).
 */
static int close_rest(struct oci_plan *p, struct err *e)
{
	int kept[3 + NS_COUNT] = {p->start, p->sync, p->door};
	unsigned from = 3 + (unsigned)p->preserve_fds, next;

	memcpy(kept + 3, p->held, sizeof(p->held));
	do {
		next = ~0U; /* the lowest of them that is left; -1 is none */
		for (size_t i = 0; i < ARRAY_LEN(kept); i++)
			if ((unsigned)kept[i] >= from && (unsigned)kept[i] < next)
				next = (unsigned)kept[i];
		if (from < next && close_range(from, next - (next != ~0U), 0))
			return err_errno(e, "close_range");
		from = next + 1;
	} while (next != ~0U);
	p->proc = p->bundle_fd = p->rootfs = -1;
	return 0;
}

/* 0, 1, 2 as given; the preserved ones from 3 on; everything else closes at exec. */
static int arrange_fds(struct oci_plan *p, struct err *e)
{
	int keep = 3 + p->preserve_fds;

	for (int i = 0; i < 3; i++) {
		if (p->stdio[i] < 0 || p->process->terminal)
			continue;
		/* A source below 3 would be overwritten by the round before it. */
		if (p->stdio[i] < 3 && p->stdio[i] != i) {
			int fd = fcntl(p->stdio[i], F_DUPFD_CLOEXEC, keep);

			if (fd < 0)
				return err_errno(e, "stdio");
			p->stdio[i] = fd;
		}
	}
	for (int i = 0; i < 3; i++)
		if (p->stdio[i] >= 0 && !p->process->terminal && p->stdio[i] != i &&
		    dup2(p->stdio[i], i) < 0)
			return err_errno(e, "stdio");
	if (!p->exec && p->start >= 0)
		return close_rest(p, e);
	if (close_range((unsigned)keep, ~0U, CLOSE_RANGE_CLOEXEC))
		return err_errno(e, "close_range");
	return 0;
}

/*
 * Proof that the working directory is inside: getcwd(2) of one outside the root
 * begins with "(unreachable)" (CVE-2024-21626).
 */
static int check_cwd(struct err *e)
{
	char at[4096];

	if (syscall(SYS_getcwd, at, sizeof(at)) < 0 || at[0] != '/')
		return err_set(e, EPERM,
			       "current working directory is outside of container mount "
			       "namespace root -- possible container breakout detected");
	return 0;
}

static int drop_ids(struct oci_plan *p, struct err *e)
{
	const struct oci_process *pr = p->process;
	const char *kept = oci_config_annotation(p->config, "run.oci.keep_original_groups");

	if (pr->umask >= 0)
		umask((mode_t)pr->umask);
	/* crun's annotation, by which podman keeps the caller's groups. */
	if (!(kept && strcmp(kept, "0")) && setgroups(pr->ngids, pr->gids) &&
	    (errno != EPERM || pr->ngids))
		return err_errno(e, "setgroups");
	if (setresgid(pr->gid, pr->gid, pr->gid))
		return err_errno(e, "setgid %u", pr->gid);
	if (setresuid(pr->uid, pr->uid, pr->uid))
		return err_errno(e, "setuid %u", pr->uid);
	return 0;
}

static int load_seccomp(struct oci_plan *p, struct err *e)
{
	int fd, ret = seccomp_prog_load(&p->seccomp, &fd, e);

	if (!ret && fd >= 0) {
		ret = msg_send(p->sync, MSG_LISTENER, 0, fd, e);
		close(fd);
		if (!ret)
			ret = wait_for(p, MSG_GO, e);
	}
	return ret;
}

/*
 * Pipes and files become the user's, so that he can open /dev/stdout; a device
 * stays whose it is. What refuses (read-only, unmapped) stays too.
 */
static void give_stdio(const struct oci_process *pr)
{
	struct stat st;

	for (int i = 0; i < 3; i++)
		if (fstat(i, &st) == 0 && st.st_uid != pr->uid && !S_ISCHR(st.st_mode))
			(void)!fchown(i, pr->uid, pr->gid);
}

static int apply_caps(struct oci_plan *p, const struct oci_caps *caps, struct err *e)
{
	u64 refused;
	int ret = oci_caps_apply(caps, &refused, e);

	for (int i = 0; i < OCI_CAPS_KNOWN; i++)
		if (refused & 1ull << i)
			msg_log(p->sync, LOG_WARN,
				"can't raise ambient capability CAP_%s: it is not both permitted "
				"and inheritable",
				oci_cap_name(i));
	return ret;
}

static int drop(struct oci_plan *p, struct err *e)
{
	const struct oci_process *pr = p->process;
	static const struct oci_caps none;
	const struct oci_caps *caps = pr->have_caps ? &pr->caps : &none;
	int ret;

	if (pr->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_errno(e, "set no_new_privs");
	/* As root first: a directory only root may enter is fine. Then as the user. */
	bool there = !pr->cwd || chdir(pr->cwd) == 0;

	if (there && check_cwd(e))
		return -EPERM;
	/* Without no_new_privs only CAP_SYS_ADMIN may load a filter: now or never. */
	if (!pr->no_new_privs && (ret = load_seccomp(p, e)))
		return ret;
	ret = oci_caps_apply_bounding(caps, e);
	if (ret)
		return ret;
	if (pr->uid)
		give_stdio(pr);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return err_errno(e, "keep capabilities");
	ret = drop_ids(p, e);
	if (ret)
		return ret;
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	if (!there && chdir(pr->cwd))
		return err_errno(e, "chdir to cwd (\"%s\") set in config.json failed", pr->cwd);
	ret = there ? 0 : check_cwd(e);
	return ret ? ret : apply_caps(p, caps, e);
}

/* ---- 6: the program ----------------------------------------------------- */

static int wait_start(struct oci_plan *p, struct err *e)
{
	char byte;
	ssize_t n;

	if (p->start < 0)
		return p->may_start ? 0 : wait_for(p, MSG_START, e);
	if (p->door >= 0)
		door_serve(p);
	do
		n = read(p->start, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return err_errno(e, "wait for the start");
	/* The runtime has gone: what fails now is told through the FIFO, which exec closes. */
	fd_close(&p->sync);
	return 0;
}

static int reset_signals(struct err *e)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP)
			sigaction(i, &dfl, NULL);
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) ? err_errno(e, "signal mask") : 0;
}

static void quit(int sig)
{
	_exit(128 + sig);
}

/* Process 1 of a pid namespace ignores what it has no handler for: a created container could only
 * be killed by SIGKILL. execve takes the handlers away. */
static void end_by_signals(void)
{
	static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
	struct sigaction sa = {.sa_handler = quit};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		sigaction(ends[i], &sa, NULL);
}

static int prepare(struct oci_plan *p, struct err *e)
{
	int slave = -1, ret;

	/* With EOF on sync this covers a runtime that dies before the container exists. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return err_errno(e, "parent-death signal");
	msg_log(p->sync, LOG_DEBUG, "child process in init()");
	ret = join_all(p, e);
	if (!ret)
		ret = settings_affinity(p->exec ? p->process->cpu_final : NULL, e);
	if (!ret && setsid() < 0 && errno != EPERM)
		ret = err_errno(e, "setsid");
	if (!ret && !p->exec)
		ret = build_root(p, &slave, e);
	if (!ret && p->exec && p->process->terminal)
		ret = open_host_console(p, &slave, e);
	if (!ret && p->exec && p->rootfs >= 0)
		ret = plain_root(p, e);
	if (!ret && slave >= 0)
		ret = console_adopt(slave, e);
	if (!ret)
		ret = settings_apply(p, e);
	if (!ret)
		ret = arrange_fds(p, e);
	if (!ret)
		ret = settings_rlimits(p, e);
	if (!ret)
		ret = drop(p, e);
	return ret;
}

/* execve, by way of the interpreter if there is one. Returns only with errno. */
static void start_program(struct oci_plan *p, const char *program, const char **env)
{
	const struct oci_strings *args = &p->process->args;
	const char **v;
	unsigned n = 0;

	if (p->interpreter < 0) {
		execve(program, (char *const *)args->v, (char *const *)env);
		return;
	}
	v = calloc(args->n + 6, sizeof(*v));
	if (!v)
		return;
	v[n++] = args->v[0];
	v[n++] = "--argv0";
	v[n++] = args->v[0];
	v[n++] = "--";
	v[n++] = program;
	memcpy(v + n, args->v + 1, (args->n - 1) * sizeof(*v));
	syscall(SYS_execveat, p->interpreter, "", v, env, AT_EMPTY_PATH);
	free(v);
}

/* Of a created and started config without process: start has succeeded, the line goes where the
 * program's errors would have gone (docs/decisions/0004). run refuses such a config. */
static void __attribute__((noreturn)) nothing_to_run(void)
{
	dprintf(STDERR_FILENO, "hull-oci: config.json has no process: nothing to run\n");
	_exit(126);
}

static int launch(struct oci_plan *p, struct err *e)
{
	char program[4096], text[80];
	const char **env;
	int ret;

	ret = p->process->given ? program_find(p->process, program, sizeof(program), e) : 0;
	if (ret)
		return ret;
	if (p->process->no_new_privs && p->seccomp.notify && (ret = load_seccomp(p, e)))
		return ret;
	/* Changing ids cleared it; with it set the container would die with its creator. */
	if (!p->pdeathsig)
		prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	else
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	ret = reset_signals(e);
	msg_log(p->sync, LOG_DEBUG, "%s",
		p->exec ? "setns_init: about to exec"
			: "init: closing the pipe to signal completion");
	if (!ret && !p->exec && p->start >= 0) {
		end_by_signals();
		ret = msg_send(p->sync, MSG_READY, 0, -1, e);
	}
	if (!ret && !p->exec)
		ret = wait_start(p, e);
	if (!ret && !p->process->given)
		nothing_to_run();
	/* As late as can be; a listener's descriptor had to go while the runtime was there. */
	if (!ret && p->process->no_new_privs && !p->seccomp.notify)
		ret = load_seccomp(p, e);
	env = program_env(p->process, p->listen_fds);
	if (!ret && !p->exec)
		ret = run_hooks(p, HOOK_START_CONTAINER, &(struct hooks_where){.env = env},
				"created", e);
	if (!ret) {
		start_program(p, program, env);
		ret = err_set(e, errno, "exec %s: %s", program,
			      program_reason(errno, text, sizeof(text)));
	}
	if (env != p->process->env.v)
		free(env);
	return ret;
}

void init_main(struct oci_plan *p)
{
	struct err e = {0};

	if (prepare(p, &e) == 0)
		launch(p, &e);
	if (p->sync >= 0)
		msg_send_error(p->sync, &e);
	else if (p->start >= 0)
		(void)!write(p->start, e.msg, strlen(e.msg));
	_exit(e.status == ENOENT ? 127 : 126);
}
