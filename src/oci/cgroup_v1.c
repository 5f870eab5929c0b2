/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources on cgroup v1 (Documentation/admin-guide/cgroup-v1). A limit
 * that was asked for and whose hierarchy is not there is an error; zero means
 * "not set", as runc has it.
 */
#include "oci/cgroup.h"
#include "oci/sys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cgroup_dir *need(const struct oci_cgroup *cg, const char *controller, int *ret,
				     struct err *e)
{
	const struct cgroup_dir *d = cgroup_find(cg, controller);

	if (!d && !*ret)
		*ret = err_set(e, ENOTSUP,
			       "the %s controller is not mounted: its limits cannot be set",
			       controller);
	return d;
}

static int num(const struct cgroup_dir *d, const char *file, s64 v, int ret, struct err *e)
{
	return ret || !d ? ret : cgroup_write_num(d, file, v, e);
}

static ssize_t get(const struct cgroup_dir *d, const char *file, char *out, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", d->path, file);
	return fd_read_text(AT_FDCWD, path, out, size);
}

/* The directory of that length of d's path gets its parent's values if it has none. */
static int inherit(const struct cgroup_dir *d, size_t len, const char *file, struct err *e)
{
	char path[PATH_MAX], text[4096];

	snprintf(path, sizeof(path), "%.*s/%s", (int)len, d->path, file);
	if (fd_read_text(AT_FDCWD, path, text, sizeof(text)) != 0)
		return 0; /* has a value, or no such file */
	snprintf(path, sizeof(path), "%.*s/../%s", (int)len, d->path, file);
	if (fd_read_text(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return 0;
	snprintf(path, sizeof(path), "%.*s/%s", (int)len, d->path, file);
	if (fd_write_text(AT_FDCWD, path, text) == 0)
		return 0;
	return err_errno(e, "write \"%.60s\" to %s", text, path);
}

int cgroup_v1_cpuset(const struct cgroup_dir *d, struct err *e)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	char text[4096];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (get(d, files[i], text, sizeof(text)) != 0)
			continue;
		/* From the top down: a parent that somebody else made may be as empty. */
		for (const char *s = d->path + d->mount_len; s; s = strchr(s + 1, '/')) {
			const char *next = strchr(s + 1, '/');
			size_t len = next ? (size_t)(next - d->path) : strlen(d->path);
			int ret = inherit(d, len, files[i], e);

			if (ret)
				return ret;
		}
	}
	return 0;
}

/* The runtime must fit in the period at any time: which goes first depends. */
static int set_rt(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e)
{
	bool period = r->have & RES_CPU_RT_PERIOD && r->cpu_rt_period, late = false;
	bool runtime = r->have & RES_CPU_RT_RUNTIME && r->cpu_rt_runtime;
	int ret = 0;

	if (period) {
		ret = num(d, "cpu.rt_period_us", (s64)r->cpu_rt_period, 0, e);
		late = ret == -EINVAL && runtime;
		ret = late ? 0 : ret;
	}
	if (runtime)
		ret = num(d, "cpu.rt_runtime_us", r->cpu_rt_runtime, ret, e);
	return late ? num(d, "cpu.rt_period_us", (s64)r->cpu_rt_period, ret, e) : ret;
}

static int set_cpu(const struct oci_cgroup *cg, const struct oci_resources *r, struct err *e)
{
	u64 mask = RES_CPU_SHARES | RES_CPU_QUOTA | RES_CPU_PERIOD | RES_CPU_BURST |
		   RES_CPU_RT_RUNTIME | RES_CPU_RT_PERIOD | RES_CPU_IDLE;
	const struct cgroup_dir *d;
	bool late = false;
	char text[64];
	int ret = 0;

	if (!(r->have & mask) || !(d = need(cg, "cpu", &ret, e)))
		return ret;
	ret = set_rt(d, r, e);
	if (r->have & RES_CPU_SHARES && r->cpu_shares) {
		ret = num(d, "cpu.shares", (s64)r->cpu_shares, ret, e);
		if (!ret && get(d, "cpu.shares", text, sizeof(text)) > 0 &&
		    strtoull(text, NULL, 10) != r->cpu_shares)
			return err_set(e, EINVAL, "the %s allowed cpu-shares is %s",
				       r->cpu_shares > strtoull(text, NULL, 10) ? "maximum"
										: "minimum",
				       text);
	}
	if (!ret && r->have & RES_CPU_PERIOD && r->cpu_period) {
		ret = num(d, "cpu.cfs_period_us", (s64)r->cpu_period, 0, e);
		/* A shorter period with the old quota may exceed the parent: quota first. */
		late = ret == -EINVAL && r->have & RES_CPU_QUOTA && r->cpu_quota;
		ret = late ? 0 : ret;
	}
	if (r->have & RES_CPU_QUOTA && r->cpu_quota)
		ret = num(d, "cpu.cfs_quota_us", r->cpu_quota, ret, e);
	if (late)
		ret = num(d, "cpu.cfs_period_us", (s64)r->cpu_period, ret, e);
	if (r->have & RES_CPU_BURST && cgroup_has(d, "cpu.cfs_burst_us"))
		ret = num(d, "cpu.cfs_burst_us", (s64)r->cpu_burst, ret, e);
	if (r->have & RES_CPU_IDLE)
		ret = num(d, "cpu.idle", r->cpu_idle, ret, e);
	return ret;
}

static int set_cpuset(const struct oci_cgroup *cg, const struct oci_resources *r, struct err *e)
{
	bool cpus = r->cpus && r->cpus[0], mems = r->mems && r->mems[0];
	const struct cgroup_dir *d;
	int ret = 0;

	if ((!cpus && !mems) || !(d = need(cg, "cpuset", &ret, e)))
		return ret;
	if (cpus)
		ret = cgroup_write(d, "cpuset.cpus", r->cpus, e);
	if (!ret && mems)
		ret = cgroup_write(d, "cpuset.mems", r->mems, e);
	return ret;
}

static s64 current(const struct cgroup_dir *d, const char *file)
{
	char text[64];

	return get(d, file, text, sizeof(text)) > 0 ? strtoll(text, NULL, 10) : 0;
}

/*
 * memsw must never be below the limit, so which goes first depends on the
 * direction. Without swap accounting there is no memsw file.
 */
static int set_memory_limits(const struct cgroup_dir *d, const struct oci_resources *r,
			     struct err *e)
{
	s64 limit = r->have & RES_MEM_LIMIT ? r->mem_limit : 0;
	s64 swap = r->have & RES_MEM_SWAP ? r->mem_swap : 0;
	bool has_swap = cgroup_has(d, "memory.memsw.limit_in_bytes");
	int ret = 0;

	if (r->have & RES_MEM_CHECK && r->mem_check && limit > 0 &&
	    current(d, "memory.usage_in_bytes") > limit)
		return err_set(e, EBUSY, "rejecting memory limit %lld: more is in use",
			       (long long)limit);
	/* The spec's -1 for the limit alone means swap is unlimited too. */
	if (limit == -1 && !swap && has_swap)
		swap = -1;
	if (!has_swap && swap > 0 && limit && swap != limit)
		return err_set(e, ENOTSUP, "swap limit: the kernel has no swap accounting");
	if (!has_swap)
		swap = 0;
	if (limit && swap) {
		s64 now = current(d, "memory.limit_in_bytes");

		if (swap == -1 || now < swap) {
			ret = num(d, "memory.memsw.limit_in_bytes", swap, 0, e);
			return num(d, "memory.limit_in_bytes", limit, ret, e);
		}
	}
	if (limit)
		ret = num(d, "memory.limit_in_bytes", limit, ret, e);
	if (ret == -EBUSY)
		return err_set(
			e, EBUSY,
			"unable to set memory limit to %lld (current usage: %lld, peak usage: "
			"%lld)",
			(long long)limit, (long long)current(d, "memory.usage_in_bytes"),
			(long long)current(d, "memory.max_usage_in_bytes"));
	if (swap)
		ret = num(d, "memory.memsw.limit_in_bytes", swap, ret, e);
	return ret;
}

static int set_memory(const struct oci_cgroup *cg, const struct oci_resources *r, struct err *e)
{
	u64 mask = RES_MEM_LIMIT | RES_MEM_SWAP | RES_MEM_RESERVATION | RES_MEM_SWAPPINESS |
		   RES_MEM_NO_OOM | RES_MEM_KERNEL_TCP;
	const struct cgroup_dir *d;
	int ret = 0;

	if (!(r->have & mask) || !(d = need(cg, "memory", &ret, e)))
		return ret;
	ret = set_memory_limits(d, r, e);
	/* memory.kmem.limit_in_bytes is gone or ignored since Linux 5.11; runc ignores it too. */
	if (r->have & RES_MEM_RESERVATION && r->mem_reservation)
		ret = num(d, "memory.soft_limit_in_bytes", r->mem_reservation, ret, e);
	if (r->have & RES_MEM_KERNEL_TCP && r->mem_kernel_tcp &&
	    cgroup_has(d, "memory.kmem.tcp.limit_in_bytes"))
		ret = num(d, "memory.kmem.tcp.limit_in_bytes", r->mem_kernel_tcp, ret, e);
	if (r->have & RES_MEM_NO_OOM && r->mem_no_oom)
		ret = num(d, "memory.oom_control", 1, ret, e);
	if (!ret && r->have & RES_MEM_SWAPPINESS) {
		if (r->mem_swappiness > 100)
			return err_set(e, EINVAL,
				       "invalid memory swappiness value: %lld, valid is 0 to "
				       "100",
				       (long long)r->mem_swappiness);
		ret = num(d, "memory.swappiness", r->mem_swappiness, 0, e);
	}
	return ret;
}

static int set_pids(const struct oci_cgroup *cg, const struct oci_resources *r, struct err *e)
{
	const struct cgroup_dir *d;
	int ret = 0;

	/* runc 1.4: 0 is "not set" from before specification 1.3; below 0 is unlimited. */
	if (!(r->have & RES_PIDS) || r->pids == 0 || !(d = need(cg, "pids", &ret, e)))
		return ret;
	return r->pids < 0 ? cgroup_write(d, "pids.max", "max", e)
			   : cgroup_write_num(d, "pids.max", r->pids, e);
}

static const char *either(const struct cgroup_dir *d, const char *a, const char *b)
{
	return cgroup_has(d, a) ? a : b;
}

static int set_blkio(const struct oci_cgroup *cg, const struct oci_resources *r, struct err *e)
{
	static const char *const files[OCI_THROTTLES] = {
		[OCI_RBPS] = "blkio.throttle.read_bps_device",
		[OCI_WBPS] = "blkio.throttle.write_bps_device",
		[OCI_RIOPS] = "blkio.throttle.read_iops_device",
		[OCI_WIOPS] = "blkio.throttle.write_iops_device",
	};
	unsigned n = r->nweight_device + r->nthrottle[0] + r->nthrottle[1] + r->nthrottle[2] +
		     r->nthrottle[3];
	const struct cgroup_dir *d;
	char text[64];
	int ret = 0;

	if (!(r->have & (RES_BLKIO_WEIGHT | RES_BLKIO_LEAF)) && !n)
		return 0;
	d = need(cg, "blkio", &ret, e);
	if (!d)
		return ret;
	if (r->have & RES_BLKIO_WEIGHT && r->blkio_weight)
		ret = num(d, either(d, "blkio.weight", "blkio.bfq.weight"), r->blkio_weight, 0, e);
	if (r->have & RES_BLKIO_LEAF && r->blkio_leaf)
		ret = num(d, "blkio.leaf_weight", r->blkio_leaf, ret, e);
	for (unsigned i = 0; i < r->nweight_device && !ret; i++) {
		snprintf(text, sizeof(text), "%u:%u %llu", r->weight_device[i].major,
			 r->weight_device[i].minor, (unsigned long long)r->weight_device[i].rate);
		ret = cgroup_write(d, either(d, "blkio.weight_device", "blkio.bfq.weight_device"),
				   text, e);
	}
	for (int k = 0; k < OCI_THROTTLES; k++) {
		for (unsigned i = 0; i < r->nthrottle[k] && !ret; i++) {
			const struct oci_throttle *t = &r->throttle[k][i];

			snprintf(text, sizeof(text), "%u:%u %llu", t->major, t->minor,
				 (unsigned long long)t->rate);
			ret = cgroup_write(d, files[k], text, e);
		}
	}
	return ret;
}

static int set_net(const struct oci_cgroup *cg, const struct oci_resources *r, struct err *e)
{
	const struct cgroup_dir *d;
	char text[128];
	int ret = 0;

	if (r->have & RES_NET_CLASS && r->net_class && (d = need(cg, "net_cls", &ret, e)))
		ret = cgroup_write_num(d, "net_cls.classid", r->net_class, e);
	for (unsigned i = 0; i < r->nnet_priorities && !ret; i++) {
		d = need(cg, "net_prio", &ret, e);
		snprintf(text, sizeof(text), "%.64s %s", r->net_priorities[i].key,
			 r->net_priorities[i].value);
		if (d)
			ret = cgroup_write(d, "net_prio.ifpriomap", text, e);
	}
	return ret;
}

static int set_hugetlb(const struct oci_cgroup *cg, const struct oci_resources *r, struct err *e)
{
	const struct cgroup_dir *v1 = cgroup_find(cg, "hugetlb"), *d = v1;
	char file[128];
	int ret = 0;

	if (!d)
		d = cgroup_find(cg, "");
	for (unsigned i = 0; i < r->nhugepages && !ret; i++) {
		snprintf(file, sizeof(file), "hugetlb.%.64s.%s", r->hugepages[i].key,
			 v1 ? "limit_in_bytes" : "max");
		ret = d ? cgroup_write(d, file, r->hugepages[i].value, e)
			: err_set(e, ENOTSUP, "the hugetlb controller is not mounted");
	}
	return ret;
}

/* "c 1:3 rwm", "a *:* rwm" (devices.rst). */
static int write_rule(const struct cgroup_dir *d, const struct oci_device_rule *rule, struct err *e)
{
	char text[64], maj[24] = "*", min[24] = "*", access[4];
	size_t n = 0;

	if (rule->major >= 0)
		snprintf(maj, sizeof(maj), "%lld", (long long)rule->major);
	if (rule->minor >= 0)
		snprintf(min, sizeof(min), "%lld", (long long)rule->minor);
	if (rule->access & OCI_DEV_READ)
		access[n++] = 'r';
	if (rule->access & OCI_DEV_WRITE)
		access[n++] = 'w';
	if (rule->access & OCI_DEV_MKNOD)
		access[n++] = 'm';
	access[n] = 0;
	if (rule->type == 'a' && rule->major < 0 && rule->minor < 0)
		snprintf(text, sizeof(text), "a");
	else
		snprintf(text, sizeof(text), "%c %s:%s %s", rule->type, maj, min, access);
	return cgroup_write(d, rule->allow ? "devices.allow" : "devices.deny", text, e);
}

static int set_devices(const struct oci_cgroup *cg, const struct oci_resources *r, bool create,
		       struct err *e)
{
	static const struct oci_device_rule none = {false, 'a', -1, -1, 7};
	const struct cgroup_dir *d = cgroup_find(cg, "devices");
	bool open = false;
	int ret = 0;

	if (!d)
		return 0;
	if (create && !(r->ndevices && r->devices[0].type == 'a'))
		ret = write_rule(d, &none, e);
	for (unsigned i = 0; i < r->ndevices && !ret; i++) {
		ret = write_rule(d, &r->devices[i], e);
		if (r->devices[i].type == 'a' && r->devices[i].major < 0)
			open = r->devices[i].allow;
	}
	for (unsigned i = 0; create && !open && i < cgroup_ndefault_rules && !ret; i++)
		ret = write_rule(d, &cgroup_default_rules[i], e);
	/* These files are the host's root's even in a delegated group; the limits are not. */
	return ret == -EPERM && cg->rootless ? 0 : ret;
}

static int set_unified(const struct oci_cgroup *cg, const struct oci_resources *r, struct err *e)
{
	if (!r->nunified)
		return 0;
	return err_set(e, EINVAL, "invalid configuration: cannot use unified on cgroup v1");
}

int cgroup_v1_set(const struct oci_cgroup *cg, const struct oci_resources *r, bool create,
		  struct err *e)
{
	int ret = 0;

	if (create || r->ndevices)
		ret = set_devices(cg, r, create, e);
	if (!ret)
		ret = set_unified(cg, r, e);
	if (!ret)
		ret = set_memory(cg, r, e);
	if (!ret)
		ret = set_cpuset(cg, r, e);
	if (!ret)
		ret = set_cpu(cg, r, e);
	if (!ret)
		ret = set_pids(cg, r, e);
	if (!ret)
		ret = set_blkio(cg, r, e);
	if (!ret)
		ret = set_net(cg, r, e);
	return ret ? ret : set_hugetlb(cg, r, e);
}
