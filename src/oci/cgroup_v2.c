/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources on cgroup v2 (Documentation/admin-guide/cgroup-v2.rst). */
#include "oci/cgroup.h"
#include "oci/sys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cgroup_v2_delegate(const struct cgroup_dir *d)
{
	char dir[PATH_MAX], path[PATH_MAX + 32], have[512], on[512], want[600];
	size_t len = d->mount_len;

	snprintf(dir, sizeof(dir), "%.*s", (int)len, d->path);
	snprintf(path, sizeof(path), "%s/cgroup.controllers", dir);
	if (fd_read_text(AT_FDCWD, path, have, sizeof(have)) <= 0)
		return;
	/* Every level above the container's own; what cannot be had is noticed when it is used. */
	for (const char *s = d->path + len + 1;;) {
		char copy[512], *save = NULL;
		size_t n = 0;

		snprintf(path, sizeof(path), "%s/cgroup.subtree_control", dir);
		fd_read_text(AT_FDCWD, path, on, sizeof(on));
		snprintf(copy, sizeof(copy), "%s", have);
		want[0] = 0;
		for (char *c = strtok_r(copy, " ", &save); c; c = strtok_r(NULL, " ", &save))
			if (!strstr(on, c))
				n += (size_t)snprintf(want + n, sizeof(want) - n, "%s+%s",
						      n ? " " : "", c);
		if (n)
			fd_write_text(AT_FDCWD, path, want);
		s = strchr(s, '/');
		if (!s)
			return;
		snprintf(dir, sizeof(dir), "%.*s", (int)(s - d->path), d->path);
		s++;
	}
}

/* 0 is "not set", -1 "max". */
static int limit(const struct cgroup_dir *d, const char *file, s64 v, int ret, struct err *e)
{
	if (ret || !v)
		return ret;
	return v < 0 ? cgroup_write(d, file, "max", e) : cgroup_write_num(d, file, v, e);
}

static int set_memory(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e)
{
	s64 max = r->have & RES_MEM_LIMIT ? r->mem_limit : 0;
	s64 swap = r->have & RES_MEM_SWAP ? r->mem_swap : 0;
	int ret = 0;

	/* v1's swap limit is memory plus swap, v2's is swap alone. */
	if (swap > 0) {
		if (max <= 0)
			return err_set(e, EINVAL, "memory: a swap limit needs a memory limit");
		if (swap < max)
			return err_set(e, EINVAL,
				       "memory: the swap limit (memory + swap) is below the "
				       "memory limit");
		swap -= max;
		ret = cgroup_write_num(d, "memory.swap.max", swap, e);
	} else if (swap < 0 || max == -1) {
		if (swap || cgroup_has(d, "memory.swap.max"))
			ret = limit(d, "memory.swap.max", -1, 0, e);
	}
	ret = limit(d, "memory.max", max, ret, e);
	if (r->have & RES_MEM_RESERVATION)
		ret = limit(d, "memory.low", r->mem_reservation, ret, e);
	return ret;
}

/* cpu.shares 2..262144 onto cpu.weight 1..10000, so that 1024 is 100 (as runc 1.4 has it). */
static u64 weight_of_shares(u64 shares)
{
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	/* 10^((l^2 + 125 l) / 612 - 7/34) with l = log2(shares), by squaring in fixed point. */
	double l = 0, x = (double)shares, exp, w = 1, base = 10;
	int whole;

	while (x >= 2) {
		x /= 2;
		l += 1;
	}
	for (double bit = 0.5; bit > 1e-9; bit /= 2) {
		x *= x;
		if (x >= 2) {
			x /= 2;
			l += bit;
		}
	}
	exp = (l * l + 125 * l) / 612.0 - 7.0 / 34.0;
	whole = (int)exp;
	for (int i = 0; i < whole; i++)
		w *= 10;
	/* The fraction bit by bit, with roots of ten by Newton's method. */
	exp -= whole;
	for (int i = 0; i < 30; i++) {
		double root = base > 1 ? base / 2 + 0.5 : 1;

		for (int k = 0; k < 40; k++)
			root = (root + base / root) / 2;
		base = root;
		exp *= 2;
		if (exp >= 1) {
			w *= base;
			exp -= 1;
		}
	}
	return (u64)w + ((double)(u64)w < w - 1e-6);
}

static int set_cpu(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e)
{
	char text[64], quota[24] = "max";
	int ret = 0;

	if (r->have & RES_CPU_IDLE)
		ret = cgroup_write_num(d, "cpu.idle", r->cpu_idle, e);
	if (!ret && r->have & RES_CPU_SHARES && r->cpu_shares)
		ret = cgroup_write_num(d, "cpu.weight", (s64)weight_of_shares(r->cpu_shares), e);
	if (!ret && ((r->have & RES_CPU_QUOTA && r->cpu_quota) ||
		     (r->have & RES_CPU_PERIOD && r->cpu_period))) {
		if (r->have & RES_CPU_QUOTA && r->cpu_quota > 0)
			snprintf(quota, sizeof(quota), "%lld", (long long)r->cpu_quota);
		snprintf(text, sizeof(text), "%s %llu", quota,
			 (unsigned long long)(r->have & RES_CPU_PERIOD && r->cpu_period
						      ? r->cpu_period
						      : 100000));
		ret = cgroup_write(d, "cpu.max", text, e);
	}
	if (!ret && r->have & RES_CPU_BURST)
		ret = cgroup_write_num(d, "cpu.max.burst", (s64)r->cpu_burst, e);
	if (!ret && r->cpus && r->cpus[0])
		ret = cgroup_write(d, "cpuset.cpus", r->cpus, e);
	if (!ret && r->mems && r->mems[0])
		ret = cgroup_write(d, "cpuset.mems", r->mems, e);
	return ret;
}

static int set_io(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e)
{
	static const char *const keys[OCI_THROTTLES] = {[OCI_RBPS] = "rbps",
							[OCI_WBPS] = "wbps",
							[OCI_RIOPS] = "riops",
							[OCI_WIOPS] = "wiops"};
	char text[96];
	int ret = 0;

	if (r->have & RES_BLKIO_WEIGHT && r->blkio_weight) {
		if (cgroup_has(d, "io.bfq.weight"))
			ret = cgroup_write_num(d, "io.bfq.weight", r->blkio_weight, e);
		else /* 10..1000 onto 1..10000 */
			ret = cgroup_write_num(d, "io.weight",
					       1 + ((s64)r->blkio_weight - 10) * 9999 / 990, e);
	}
	for (unsigned i = 0; i < r->nweight_device && !ret; i++) {
		snprintf(text, sizeof(text), "%u:%u %llu", r->weight_device[i].major,
			 r->weight_device[i].minor, (unsigned long long)r->weight_device[i].rate);
		ret = cgroup_write(d, "io.bfq.weight", text, e);
	}
	for (int k = 0; k < OCI_THROTTLES; k++) {
		for (unsigned i = 0; i < r->nthrottle[k] && !ret; i++) {
			const struct oci_throttle *t = &r->throttle[k][i];

			snprintf(text, sizeof(text), "%u:%u %s=%llu", t->major, t->minor, keys[k],
				 (unsigned long long)t->rate);
			ret = cgroup_write(d, "io.max", text, e);
		}
	}
	return ret;
}

static int set_hugetlb(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e)
{
	char file[128];
	int ret = 0;

	for (unsigned i = 0; i < r->nhugepages && !ret; i++) {
		snprintf(file, sizeof(file), "hugetlb.%.64s.max", r->hugepages[i].key);
		ret = cgroup_write(d, file, r->hugepages[i].value, e);
		snprintf(file, sizeof(file), "hugetlb.%.64s.rsvd.max", r->hugepages[i].key);
		if (!ret && cgroup_has(d, file))
			ret = cgroup_write(d, file, r->hugepages[i].value, e);
	}
	return ret;
}

static int set_devices(const struct cgroup_dir *d, const struct oci_resources *r, bool create,
		       struct err *e)
{
	unsigned n = r->ndevices, more = create ? cgroup_ndefault_rules : 0;
	struct oci_device_rule *all;
	int ret;

	if (!create && !n)
		return 0;
	/* Everything allowed (privileged): no program at all. */
	if (n == 1 && r->devices[0].allow && r->devices[0].type == 'a' && r->devices[0].major < 0 &&
	    r->devices[0].minor < 0 && r->devices[0].access == 7)
		return 0;
	all = calloc(n + more, sizeof(*all));
	if (!all)
		return err_set(e, ENOMEM, "out of memory");
	if (n)
		memcpy(all, r->devices, n * sizeof(*all));
	if (more)
		memcpy(all + n, cgroup_default_rules, more * sizeof(*all));
	ret = cgroup_v2_devices(d, all, n + more, e);
	free(all);
	return ret;
}

int cgroup_v2_set(const struct cgroup_dir *d, const struct oci_resources *r, bool create,
		  struct err *e)
{
	int ret = set_devices(d, r, create, e);

	if (!ret)
		ret = set_memory(d, r, e);
	if (!ret)
		ret = set_cpu(d, r, e);
	if (!ret && r->have & RES_PIDS)
		ret = limit(d, "pids.max", r->pids, 0, e);
	if (!ret)
		ret = set_io(d, r, e);
	if (!ret)
		ret = set_hugetlb(d, r, e);
	for (unsigned i = 0; i < r->nunified && !ret; i++)
		ret = cgroup_write(d, r->unified[i].key, r->unified[i].value, e);
	return ret;
}
