/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps 3 and 4 of init.c: names, sysctl, labels, limits, scheduling. Runs in the
 * container's process; writes only through the host's procfs that plan.c opened.
 */
#include "oci/settings.h"

#include <linux/keyctl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

int settings_oom(struct oci_plan *p, struct err *e)
{
	char text[16];

	if (!p->process->have_oom)
		return 0;
	snprintf(text, sizeof(text), "%d", p->process->oom_score_adj);
	return proc_self_write(p->proc, "oom_score_adj", text, e);
}

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

int settings_rlimits(struct oci_plan *p, struct err *e)
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
		return err_errno(
			e, "error setting scheduler%s",
			pr->sched_policy == SCHED_DEADLINE && p->config->resources.cpus
				? ": process scheduler can't be used together with AllowedCPUs"
				: "");
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
static int parse_cpus(const char *list, cpu_set_t *set, struct err *e)
{
	const char *s = list;

	CPU_ZERO(set);
	while (*s) {
		char *end;
		unsigned long a = strtoul(s, &end, 10), b = a;

		if (end != s && *end == '-')
			b = strtoul(s = end + 1, &end, 10);
		if (end == s || b < a || b >= CPU_SETSIZE || (*end && *end != ','))
			return err_set(e, EINVAL, "execCPUAffinity: bad CPU list \"%.60s\"", list);
		for (; a <= b; a++)
			CPU_SET(a, set);
		s = *end ? end + 1 : end;
	}
	return 0;
}

int settings_affinity(const char *list, struct err *e)
{
	cpu_set_t set;
	int ret;

	if (!list || !*list) {
		/* All there are: the kernel leaves those of the cgroup. Refused, it stays as it is.
		 */
		memset(&set, 0xff, sizeof(set));
		(void)!sched_setaffinity(0, sizeof(set), &set);
		return 0;
	}
	ret = parse_cpus(list, &set, e);
	if (!ret && sched_setaffinity(0, sizeof(set), &set))
		ret = err_errno(e, "set CPU affinity to %s", list);
	return ret;
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

int settings_apply(struct oci_plan *p, struct err *e)
{
	int ret = 0;

	if (!p->exec) {
		if (p->new_flags & CLONE_NEWNET)
			ret = loopback_up(e);
		if (!ret)
			ret = set_names(p, e);
		if (!ret)
			ret = set_sysctl(p, e);
	}
	if (!ret && p->config->have_personality && personality(p->config->personality) < 0)
		ret = err_errno(e, "personality");
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
