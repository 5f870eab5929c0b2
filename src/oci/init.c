/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The privileged sequence, all of it, in order:
 *
 *	1 cgroups, namespaces, ids		join_all
 *	2 the root: mounts, devices, hooks	build_root
 *	3 terminal, keyring, network, names	settle
 *	4 kernel settings: sysctl, labels, rlimits, scheduler
 *	5 closing what is left of the host	(fds, capabilities, ids)
 *	6 wait for the start, hooks, seccomp, execve
 *
 * It runs on what plan.c opened. Nothing of the image's is trusted at any point.
 */
#include "oci/init.h"
#include "oci/caps.h"
#include "oci/console.h"
#include "oci/hooks.h"
#include "oci/mount.h"
#include "oci/ns.h"
#include "oci/root.h"

#include <grp.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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

int init_set_oom(struct oci_plan *p, struct err *e)
{
	char text[16];

	if (!p->process->have_oom)
		return 0;
	snprintf(text, sizeof(text), "%d", p->process->oom_score_adj);
	return proc_self_write(p->proc, "oom_score_adj", text, e);
}

static int join_all(struct oci_plan *p, struct err *e)
{
	int ret = 0;

	if (!p->exec && !p->cgroup->unit)
		ret = cgroup_join_self(p->cgroup, NULL, e);
	if (!ret && !p->staged && !p->exec)
		ret = ns_join_paths(p, e);
	/* Before the ids change and the process hides: its files in /proc are still its own. */
	if (!ret && !p->exec)
		ret = init_set_oom(p, e);
	if (!ret && (p->mapped || p->cgroup->unit))
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
	return ret;
}

/* ---- 2: the root -------------------------------------------------------- */

static int run_hooks(struct oci_plan *p, enum oci_hook_kind kind, const char *status, struct err *e)
{
	char *state;
	int ret;

	if (!p->config->hooks.n[kind])
		return 0;
	state = hooks_state(p->config, p->id, p->bundle, getpid(), status);
	ret = state ? hooks_run(&p->config->hooks, kind,
				kind == HOOK_CREATE_CONTAINER ? p->bundle : NULL, state, e)
		    : err_set(e, ENOMEM, "out of memory");
	free(state);
	return ret;
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

static int build_root(struct oci_plan *p, int *slave, struct err *e)
{
	int root, ret;

	if (!(p->config->ns_flags & CLONE_NEWNS)) {
		ret = runtime_hooks(p, e);
		if (!ret)
			ret = run_hooks(p, HOOK_CREATE_CONTAINER, "creating", e);
		if (!ret)
			ret = plain_root(p, e);
		if (!ret && p->process->terminal)
			ret = open_console(p, AT_FDCWD, slave, e);
		return ret;
	}
	root = mount_attach_root(p, e);
	if (root < 0)
		return root;
	ret = mount_all(p, root, e);
	if (!ret)
		ret = dev_create(p, root, e);
	if (!ret)
		ret = runtime_hooks(p, e);
	if (!ret)
		ret = run_hooks(p, HOOK_CREATE_CONTAINER, "creating", e);
	if (!ret && p->process->terminal)
		ret = open_console(p, root, slave, e);
	if (!ret)
		ret = mount_restrict(p, root, e);
	if (ret)
		return ret;
	make_cwd(p, root);
	return mount_enter_root(p, root, e);
}

/* ---- 3 and 4: settings -------------------------------------------------- */

static int loopback_up(struct err *e)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = 0;

	if (fd < 0)
		return 0; /* a kernel without IPv4 */
	if (ioctl(fd, SIOCSIFFLAGS, &r))
		ret = err_errno(e, "bring the loopback device up");
	close(fd);
	return ret;
}

/* a.b.c and a/b/c both name a/b/c; a slash first means dots are part of names (sysctl.d(5)). */
static void sysctl_path(const char *key, char *out, size_t size)
{
	const char *first = strpbrk(key, "./");
	bool dots = !first || *first == '.';
	size_t n = (size_t)snprintf(out, size, "sys/");

	for (; *key && n + 1 < size; key++)
		out[n++] = dots && *key == '.' ? '/' : dots && *key == '/' ? '.' : *key;
	out[n] = 0;
}

static int set_sysctl(struct oci_plan *p, struct err *e)
{
	char path[300];

	for (unsigned i = 0; i < p->config->nsysctl; i++) {
		int ret;

		sysctl_path(p->config->sysctl[i].key, path, sizeof(path));
		ret = proc_write(p->proc, path, p->config->sysctl[i].value, e);
		if (ret)
			return ret;
	}
	return 0;
}

static int new_keyring(struct oci_plan *p, struct err *e)
{
	char name[OCI_ID_MAX + 8];

	if (p->no_new_keyring)
		return 0;
	snprintf(name, sizeof(name), "_ses.%s", p->id);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0) < 0 &&
	    errno != ENOSYS && errno != EDQUOT && errno != EPERM && errno != EACCES)
		return err_errno(e, "join a session keyring");
	return 0;
}

/* Security module labels for the exec to come, through the host's own procfs. */
static int set_labels(struct oci_plan *p, struct err *e)
{
	const struct oci_process *pr = p->process;
	char text[300];
	int ret = 0;

	if (pr->apparmor && pr->apparmor[0]) {
		if (access("/sys/module/apparmor", F_OK))
			return 0; /* engines give a profile without looking; crun does the same */
		snprintf(text, sizeof(text), "exec %.280s", pr->apparmor);
		ret = proc_self_write(p->proc, "attr/apparmor/exec", text, e);
		if (ret == -ENOENT)
			ret = proc_self_write(p->proc, "attr/exec", text, e);
	}
	if (!ret && pr->selinux && pr->selinux[0]) {
		if (access("/sys/fs/selinux/enforce", F_OK))
			return 0; /* as the others do: labels mean nothing without SELinux */
		ret = proc_self_write(p->proc, "attr/exec", pr->selinux, e);
	}
	return ret;
}

static int set_rlimits(struct oci_plan *p, struct err *e)
{
	for (unsigned i = 0; i < p->process->nrlimits; i++) {
		const struct oci_rlimit *r = &p->process->rlimits[i];

		if (setrlimit((__rlimit_resource_t)r->resource, &r->lim))
			return err_errno(e, "error setting rlimit type %d", r->resource);
	}
	return 0;
}

/* struct sched_attr of include/uapi/linux/sched/types.h, which glibc's sched.h excludes. */
struct attr {
	u32 size, sched_policy;
	u64 sched_flags;
	s32 sched_nice;
	u32 sched_priority;
	u64 sched_runtime, sched_deadline, sched_period;
};
static_assert(sizeof(struct attr) == 48, "SCHED_ATTR_SIZE_VER0");

static int set_scheduler(struct oci_plan *p, struct err *e)
{
	const struct oci_process *pr = p->process;
	struct attr a = {
		.size = sizeof(a),
		.sched_policy = (u32)pr->sched_policy,
		.sched_flags = pr->sched_flags,
		.sched_nice = pr->sched_nice,
		.sched_priority = (u32)pr->sched_priority,
		.sched_runtime = pr->sched_runtime,
		.sched_deadline = pr->sched_deadline,
		.sched_period = pr->sched_period,
	};

	if (pr->sched_policy >= 0 && syscall(SYS_sched_setattr, 0, &a, 0))
		return err_errno(e, "error setting scheduler");
	if (pr->have_ioprio && syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, pr->ioprio))
		return err_errno(e, "error setting I/O priority");
	return 0;
}

static int set_mempolicy_of(const struct oci_config *c, struct err *e)
{
	const unsigned long *nodes = c->have_mem_nodes ? c->mem_nodes : NULL;

	if (!c->have_mempolicy)
		return 0;
	/* The kernel takes one bit fewer than it is told (set_mempolicy(2), BUGS). */
	if (syscall(SYS_set_mempolicy, c->mempolicy, nodes, nodes ? OCI_MEM_NODES + 1 : 0))
		return err_errno(e, "error setting the memory policy");
	return 0;
}

/* "0-2,5" as in cpuset.cpus. */
static int set_affinity(const char *list, struct err *e)
{
	cpu_set_t set;
	const char *s = list;

	if (!list || !*list)
		return 0;
	CPU_ZERO(&set);
	while (*s) {
		char *end;
		unsigned long a = strtoul(s, &end, 10), b = a;

		if (end != s && *end == '-')
			b = strtoul(s = end + 1, &end, 10);
		if (end == s || b < a || b >= CPU_SETSIZE || (*end && *end != ','))
			return err_set(e, EINVAL, "execCPUAffinity: bad CPU list \"%.60s\"", list);
		for (; a <= b; a++)
			CPU_SET(a, &set);
		s = *end ? end + 1 : end;
	}
	if (sched_setaffinity(0, sizeof(set), &set))
		return err_errno(e, "set CPU affinity to %s", list);
	return 0;
}

static int set_names(struct oci_plan *p, struct err *e)
{
	const struct oci_config *c = p->config;

	if (c->hostname && c->hostname[0] && sethostname(c->hostname, strlen(c->hostname)))
		return err_errno(e, "sethostname");
	if (c->domainname && c->domainname[0] &&
	    setdomainname(c->domainname, strlen(c->domainname)))
		return err_errno(e, "setdomainname");
	return 0;
}

static int settle(struct oci_plan *p, struct err *e)
{
	int ret = 0;

	if (!p->exec) {
		if (p->new_flags & CLONE_NEWNET)
			ret = loopback_up(e);
		if (!ret)
			ret = set_names(p, e);
		if (!ret)
			ret = set_sysctl(p, e);
		if (!ret && p->config->have_personality && personality(p->config->personality) < 0)
			ret = err_errno(e, "personality");
	}
	if (!ret)
		ret = new_keyring(p, e);
	if (!ret)
		ret = set_labels(p, e);
	if (!ret)
		ret = set_mempolicy_of(p->config, e);
	if (!ret)
		ret = set_scheduler(p, e);
	return ret;
}

/* ---- 5: closing --------------------------------------------------------- */

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
	return ret ? ret : oci_caps_apply(caps, e);
}

/* ---- 6: the program ----------------------------------------------------- */

static const char *env_get(const struct oci_strings *env, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;

	for (unsigned i = 0; i < env->n; i++)
		if (!strncmp(env->v[i], name, len) && env->v[i][len] == '=')
			found = env->v[i] + len + 1;
	return found;
}

static bool executable(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return false;
	}
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
		return true;
	/* A filter older than faccessat2(2) refuses the question, not the file. */
	return (errno == EPERM || errno == ENOSYS) && st.st_mode & 0111;
}

/* execvp's search, done before the start so that create can report a program that is not there. */
static int find_program(struct oci_plan *p, char *out, size_t size, struct err *e)
{
	const char *name = p->process->args.v[0], *path = env_get(&p->process->env, "PATH");
	int worst = ENOENT;

	if (strchr(name, '/')) {
		if (snprintf(out, size, "%s", name) < (int)size && executable(out))
			return 0;
		return err_set(e, errno, "exec: \"%s\": stat %s: %s", name, name,
			       errno == ENOENT	 ? "no such file or directory"
			       : errno == EISDIR ? "is a directory"
			       : errno == EACCES ? "permission denied"
						 : strerror(errno));
	}
	for (const char *s = path; s && *s; s += *s == ':') {
		int n = (int)strcspn(s, ":");

		if (n && snprintf(out, size, "%.*s/%s", n, s, name) < (int)size) {
			if (executable(out))
				return 0;
			worst = errno == EACCES ? EACCES : worst;
		}
		s += n;
	}
	if (worst == EACCES)
		return err_set(e, EACCES, "exec: \"%s\": permission denied", name);
	return err_set(e, ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
}

/* True if a later entry has the same name: that one counts. */
static bool set_again(const struct oci_strings *env, unsigned i)
{
	size_t len = strcspn(env->v[i], "=") + 1;

	for (unsigned k = i + 1; k < env->n && env->n < 1024; k++)
		if (!strncmp(env->v[k], env->v[i], len))
			return true;
	return false;
}

/* The environment with HOME if it has none, malloc'ed (exec ends the process or it dies). */
static const char **make_env(struct oci_plan *p)
{
	const struct oci_strings *env = &p->process->env;
	const char **out = calloc(env->n + 4, sizeof(*out));
	char home[4096], text[32];
	char *var;
	unsigned n = 0;

	if (!out)
		return env->v;
	for (unsigned i = 0; i < env->n; i++)
		if (!set_again(env, i) && strcmp(env->v[i], "HOME="))
			out[n++] = env->v[i];
	/* An empty one counts as none. */
	if (!env_get(env, "HOME") || !*env_get(env, "HOME")) {
		if (!user_home(p->process->uid, home, sizeof(home)) || !home[0])
			strcpy(home, "/");
		if (asprintf(&var, "HOME=%s", home) > 0)
			out[n++] = var;
	}
	if (p->listen_fds) {
		snprintf(text, sizeof(text), "LISTEN_FDS=%d", p->listen_fds);
		out[n++] = strdup(text);
		snprintf(text, sizeof(text), "LISTEN_PID=%d", getpid());
		out[n++] = strdup(text);
	}
	return out;
}

static int wait_start(struct oci_plan *p, struct err *e)
{
	char byte;
	ssize_t n;

	if (p->start < 0)
		return p->may_start ? 0 : wait_for(p, MSG_START, e);
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

static int prepare(struct oci_plan *p, struct err *e)
{
	int slave = -1, ret;

	/* With EOF on sync this covers a runtime that dies before the container exists. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return err_errno(e, "parent-death signal");
	ret = set_affinity(p->process->cpu_initial, e);
	if (!ret)
		ret = join_all(p, e);
	if (!ret && setsid() < 0 && errno != EPERM)
		ret = err_errno(e, "setsid");
	if (!ret && !p->exec)
		ret = build_root(p, &slave, e);
	if (!ret && p->exec && p->rootfs >= 0)
		ret = plain_root(p, e);
	if (!ret && p->exec && p->process->terminal)
		ret = open_console(p, AT_FDCWD, &slave, e);
	if (!ret && slave >= 0)
		ret = console_adopt(slave, e);
	if (!ret)
		ret = settle(p, e);
	if (!ret)
		ret = arrange_fds(p, e);
	if (!ret)
		ret = set_affinity(p->process->cpu_final, e);
	if (!ret)
		ret = set_rlimits(p, e);
	if (!ret)
		ret = drop(p, e);
	return ret;
}

static int launch(struct oci_plan *p, struct err *e)
{
	char program[4096];
	const char **env;
	int ret;

	ret = p->process->given ? find_program(p, program, sizeof(program), e) : 0;
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
	if (!ret && !p->exec && p->start >= 0)
		ret = msg_send(p->sync, MSG_READY, 0, -1, e);
	if (!ret && !p->exec)
		ret = wait_start(p, e);
	/* A container may be created without a program, not started (config.md, "Process"). */
	if (!ret && !p->process->given)
		ret = err_set(e, EINVAL, "cannot start: the config has no process");
	if (!ret && !p->exec)
		ret = run_hooks(p, HOOK_START_CONTAINER, "created", e);
	/* As late as can be; a listener's descriptor had to go while the runtime was there. */
	if (!ret && p->process->no_new_privs && !p->seccomp.notify)
		ret = load_seccomp(p, e);
	if (ret)
		return ret;
	env = make_env(p);
	execve(program, (char *const *)p->process->args.v, (char *const *)env);
	ret = err_errno(e, "exec %s", program);
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
