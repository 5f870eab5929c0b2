/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ns.h"
#include "oci/init.h"
#include "oci/settings.h"

#include "host/log.h"
#include "host/proc.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

const int ns_order[NS_COUNT] = {CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET,    CLONE_NEWNS,
				CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWTIME};

const char *ns_name(int flag)
{
	switch (flag) {
	case CLONE_NEWPID:
		return "pid";
	case CLONE_NEWNET:
		return "net";
	case CLONE_NEWNS:
		return "mnt";
	case CLONE_NEWIPC:
		return "ipc";
	case CLONE_NEWUTS:
		return "uts";
	case CLONE_NEWUSER:
		return "user";
	case CLONE_NEWCGROUP:
		return "cgroup";
	default:
		return "time";
	}
}

int ns_plan(struct oci_plan *p, struct err *e)
{
	const struct oci_config *c = p->config;
	bool paths = false;

	for (unsigned i = 0; i < c->nns; i++) {
		const struct oci_ns *ns = &c->ns[i];

		if (!ns->path) {
			p->new_flags |= ns->flag;
			continue;
		}
		p->ns_fd[i] = open(ns->path, O_RDONLY | O_CLOEXEC);
		if (p->ns_fd[i] < 0)
			return err_errno(e, "namespace path %s", ns->path);
		paths = true;
		p->staged |= (ns->flag & (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWTIME)) != 0;
	}
	p->mapped = p->new_flags & CLONE_NEWUSER;
	p->staged |= (p->new_flags & CLONE_NEWTIME) || (p->mapped && paths);
	return 0;
}

static bool is_ours(const struct oci_plan *p, int fd, const char *name)
{
	char path[32];
	struct stat a, b;
	int keep = errno;
	bool same;

	snprintf(path, sizeof(path), "self/ns/%s", name);
	same = fstat(fd, &a) == 0 && fstatat(p->proc, path, &b, 0) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
	errno = keep;
	return same;
}

static int join(const struct oci_plan *p, unsigned i, struct err *e)
{
	const struct oci_ns *ns = &p->config->ns[i];

	if (setns(p->ns_fd[i], ns->flag) == 0)
		return 0;
	/* Our own user namespace cannot be joined again, nor need it be (setns(2)). */
	if (ns->flag == CLONE_NEWUSER && errno == EINVAL && is_ours(p, p->ns_fd[i], "user"))
		return 0;
	return err_errno(e, "join the %s namespace %s", ns_name(ns->flag), ns->path);
}

int ns_join_paths(const struct oci_plan *p, struct err *e)
{
	bool done[NS_COUNT] = {0};

	/*
	 * Those of more privileged owners first; what is refused belongs to the user
	 * namespace that is to be joined and is tried again from inside it. The mount
	 * namespace last: it takes the host's paths away.
	 */
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < p->config->nns; i++) {
			int flag = p->config->ns[i].flag;

			if (p->ns_fd[i] < 0 || done[i] || flag & (CLONE_NEWUSER | CLONE_NEWNS))
				continue;
			done[i] = join(p, i, e) == 0;
			if (!done[i] && (pass || !e || e->status != EPERM))
				return -EPERM;
		}
		for (unsigned i = 0; i < p->config->nns && !pass; i++)
			if (p->ns_fd[i] >= 0 && p->config->ns[i].flag == CLONE_NEWUSER &&
			    join(p, i, e))
				return -EPERM;
	}
	for (unsigned i = 0; i < p->config->nns; i++)
		if (p->ns_fd[i] >= 0 && p->config->ns[i].flag == CLONE_NEWNS && join(p, i, e))
			return -EPERM;
	return 0;
}

/* ---- id maps ------------------------------------------------------------ */

static int map_text(const struct oci_idmap *m, unsigned n, char *out, size_t size, struct err *e)
{
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		at += (size_t)snprintf(out + at, size - at, "%u %u %u\n", m[i].container, m[i].host,
				       m[i].size);
		if (at >= size)
			return err_set(e, E2BIG, "id map is too long");
	}
	return 0;
}

static bool is_own_id(const struct oci_idmap *m, unsigned n, unsigned id)
{
	return n == 1 && m->size == 1 && m->host == id;
}

/* newuidmap(1), newgidmap(1): what an unprivileged user may map beyond himself. */
static int map_by_helper(const char *program, pid_t pid, const struct oci_idmap *m, unsigned n,
			 struct err *e)
{
	char(*num)[16] = calloc(3 * n + 1, sizeof(*num)), out[256];
	const char **argv = calloc(3 * n + 3, sizeof(*argv));
	int ret;

	if (!num || !argv) {
		free(num);
		free(argv);
		return err_set(e, ENOMEM, "out of memory");
	}
	argv[0] = program;
	snprintf(num[0], sizeof(*num), "%d", pid);
	argv[1] = num[0];
	for (unsigned i = 0; i < n; i++) {
		u32 v[3] = {m[i].container, m[i].host, m[i].size};

		for (unsigned k = 0; k < 3; k++) {
			snprintf(num[1 + 3 * i + k], sizeof(*num), "%u", v[k]);
			argv[2 + 3 * i + k] = num[1 + 3 * i + k];
		}
	}
	ret = proc_run(argv, NULL, out, sizeof(out), e);
	free(num);
	free(argv);
	return ret;
}

static int write_map(const struct oci_plan *p, pid_t pid, const char *file,
		     const struct oci_idmap *m, unsigned n, struct err *e)
{
	char path[64], text[OCI_ID_MAPS * 34];
	int ret = map_text(m, n, text, sizeof(text), e);

	snprintf(path, sizeof(path), "%d/%s", pid, file);
	return ret ? ret : proc_write(p->proc, path, text, e);
}

int ns_write_maps(const struct oci_plan *p, pid_t pid, struct err *e)
{
	const struct oci_idmaps *m = &p->config->maps;
	struct oci_idmap self[2] = {{0, geteuid(), 1}, {0, getegid(), 1}};
	struct oci_idmaps own = {&self[0], &self[1], 1, 1};
	char path[64];
	int ret;

	if (!m->nuid || !m->ngid)
		m = &own;
	if (geteuid() == 0) {
		ret = write_map(p, pid, "uid_map", m->uid, m->nuid, e);
		return ret ? ret : write_map(p, pid, "gid_map", m->gid, m->ngid, e);
	}
	if (is_own_id(m->uid, m->nuid, geteuid()))
		ret = write_map(p, pid, "uid_map", m->uid, m->nuid, e);
	else
		ret = map_by_helper("newuidmap", pid, m->uid, m->nuid, e);
	if (ret)
		return ret;
	if (!is_own_id(m->gid, m->ngid, getegid()))
		return map_by_helper("newgidmap", pid, m->gid, m->ngid, e);
	/* user_namespaces(7): a gid map of one's own only after giving setgroups up. */
	snprintf(path, sizeof(path), "%d/setgroups", pid);
	ret = proc_write(p->proc, path, "deny", e);
	return ret ? ret : write_map(p, pid, "gid_map", m->gid, m->ngid, e);
}

int ns_user_fd(const struct oci_plan *p, const struct oci_idmaps *maps, struct err *e)
{
	char path[64], text[OCI_ID_MAPS * 34];
	int pidfd = -1, fd = -1, ret;
	pid_t pid = sys_clone3(CLONE_NEWUSER, &pidfd, -1);

	if (pid == 0) {
		for (;;)
			pause();
	}
	if (pid < 0)
		return err_errno(e, "user namespace for an id-mapped mount");
	ret = map_text(maps->uid, maps->nuid, text, sizeof(text), e);
	snprintf(path, sizeof(path), "%d/uid_map", pid);
	if (!ret)
		ret = proc_write(p->proc, path, text, e);
	if (!ret)
		ret = map_text(maps->gid, maps->ngid, text, sizeof(text), e);
	snprintf(path, sizeof(path), "%d/gid_map", pid);
	if (!ret)
		ret = proc_write(p->proc, path, text, e);
	snprintf(path, sizeof(path), "%d/ns/user", pid);
	if (!ret)
		fd = openat(p->proc, path, O_RDONLY | O_CLOEXEC);
	if (!ret && fd < 0)
		ret = err_errno(e, "open /proc/%s", path);
	sys_pidfd_send_signal(pidfd, SIGKILL);
	waitpid(pid, NULL, __WALL);
	close(pidfd);
	return ret ? ret : fd;
}

/* ---- spawn -------------------------------------------------------------- */

static int time_offsets(const struct oci_plan *p, struct err *e)
{
	const struct oci_config *c = p->config;
	char text[160];

	if (!c->have_time_offsets)
		return 0;
	snprintf(text, sizeof(text), "monotonic %lld %lld\nboottime %lld %lld\n",
		 (long long)c->time_secs[0], (long long)c->time_nsecs[0],
		 (long long)c->time_secs[1], (long long)c->time_nsecs[1]);
	return proc_self_write(p->proc, "timens_offsets", text, e);
}

/* At once by its process, or one by one as that handed them over. */
static int join_container(const struct oci_plan *p, struct err *e)
{
	if (p->held[0] < 0 && setns(p->join_pidfd, p->join_flags))
		return err_errno(e, "join the container's namespaces");
	for (unsigned i = 0; i < NS_COUNT && p->held[i] >= 0; i++)
		if (setns(p->held[i], 0))
			return err_errno(e, "join a namespace of the container");
	return 0;
}

static int stage(struct oci_plan *p, struct err *e)
{
	if (p->exec)
		return join_container(p, e);
	if (ns_join_paths(p, e))
		return -EPERM;
	if (!(p->new_flags & CLONE_NEWTIME))
		return 0;
	/*
	 * It belongs to the user namespace it is made in, whose rights its offsets ask for;
	 * they must stand before the first process enters (time_namespaces(7)).
	 */
	if (p->mapped && unshare(CLONE_NEWUSER))
		return err_errno(e, "new user namespace");
	if (unshare(CLONE_NEWTIME))
		return err_errno(e, "new time namespace");
	p->new_flags &= ~(CLONE_NEWUSER | CLONE_NEWTIME);
	return time_offsets(p, e);
}

static void log_affinity(const struct oci_plan *p)
{
	cpu_set_t set;
	u64 mask = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return;
	for (unsigned i = 0; i < 64; i++)
		mask |= (u64) !!CPU_ISSET(i, &set) << i;
	msg_log(p->sync, LOG_DEBUG, "nsexec: affinity: 0x%llx", (unsigned long long)mask);
}

/* What the container's user namespace would take the right to comes before it is joined. */
static int before_joining(struct oci_plan *p, struct err *e)
{
	int ret = 0;

	if (p->process->cpu_initial)
		ret = settings_affinity(p->process->cpu_initial, e);
	if (!ret)
		log_affinity(p);
	if (!ret)
		ret = cgroup_join_self(p->cgroup, p->cgroup_sub, e);
	if (ret > 0) /* a user's container without a cgroup of its own */
		ret = 0;
	if (ret && p->cgroup->v2 && !p->cgroup_given)
		ret = cgroup_join_process(p->join_pid, e);
	if (!ret)
		ret = settings_oom(p, e);
	if (!ret && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		ret = err_errno(e, "make the process private");
	return ret;
}

static _Noreturn void stage_main(struct oci_plan *p, void (*main)(struct oci_plan *))
{
	struct err e = {0};
	pid_t pid;

	msg_log(p->sync, LOG_DEBUG, "nsexec container setup");
	if ((p->exec && before_joining(p, &e)) || stage(p, &e)) {
		msg_send_error(p->sync, &e);
		_exit(1);
	}
	pid = sys_clone3((u64)(p->new_flags & ~CLONE_NEWCGROUP) | CLONE_PARENT, NULL, -1);
	if (pid == 0)
		main(p);
	if (pid < 0) {
		err_errno(&e, "clone into the container's namespaces");
		msg_send_error(p->sync, &e);
		_exit(1);
	}
	msg_send(p->sync, MSG_PID, pid, -1, NULL);
	_exit(0);
}

static int spawn_staged(struct oci_plan *p, int sock, void (*main)(struct oci_plan *), int cg,
			pid_t *pid, int *pidfd, struct err *e)
{
	struct msg m;
	int fd, status, ret;
	pid_t mid = sys_clone3(0, NULL, cg);

	/* v2 refuses a group whose processes have moved below it: stage_main looks further. */
	if (mid < 0 && cg >= 0)
		mid = sys_clone3(0, NULL, -1);
	if (mid == 0) {
		close(sock);
		stage_main(p, main);
	}
	if (mid < 0)
		return err_errno(e, "clone");
	close(p->sync);
	p->sync = -1;
	ret = msg_recv(sock, &m, &fd, e);
	waitpid(mid, &status, 0);
	if (ret < 0)
		return ret;
	if (ret && m.kind == MSG_ERROR)
		return err_set(e, m.value, "%s", m.text);
	if (!ret || m.kind != MSG_PID)
		return err_set(e, EPROTO, "the container's process died while it was made");
	*pid = m.value;
	*pidfd = sys_pidfd_open(*pid);
	return *pidfd < 0 ? err_errno(e, "pidfd_open") : 0;
}

int ns_spawn(struct oci_plan *p, int sock, void (*main)(struct oci_plan *), pid_t *pid, int *pidfd,
	     struct err *e)
{
	/* The first affinity comes before the cgroup's (config.md, "execCPUAffinity"). */
	bool late = p->cgroup_given || p->process->cpu_initial;
	int cg = late ? -1 : cgroup_into_fd(p->cgroup), ret = 0;

	*pidfd = -1;
	if (p->staged || p->exec) {
		ret = spawn_staged(p, sock, main, cg, pid, pidfd, e);
		fd_close(&cg);
		return ret;
	}
	log_debug("nsexec container setup");
	*pid = sys_clone3((u64)(p->new_flags & ~CLONE_NEWCGROUP), pidfd, cg);
	if (*pid < 0 && cg >= 0 && (errno == EBUSY || errno == EOPNOTSUPP || errno == EACCES))
		*pid = sys_clone3((u64)(p->new_flags & ~CLONE_NEWCGROUP), pidfd, -1);
	if (*pid == 0) {
		close(sock);
		main(p);
	}
	if (*pid < 0)
		ret = err_errno(e, "clone into new namespaces");
	fd_close(&cg);
	close(p->sync);
	p->sync = -1;
	return ret;
}
