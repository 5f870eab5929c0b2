/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/cgroup.h"
#include "oci/sys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

static ssize_t text_of(const struct cgroup_dir *d, const char *file, char *out, size_t size)
{
	char path[PATH_MAX];

	out[0] = 0;
	if (!d)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", d->path, file);
	return fd_read_text(AT_FDCWD, path, out, size);
}

/* A number alone in its file; "max" and a missing file are 0. */
static json_t *num(const struct cgroup_dir *d, const char *file)
{
	char text[64];

	text_of(d, file, text, sizeof(text));
	return json_integer((json_int_t)strtoull(text, NULL, 10));
}

/* "key value" lines. */
static u64 field(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *s = text; s; s = strchr(s, '\n'), s += s != NULL)
		if (!strncmp(s, key, len) && s[len] == ' ')
			return strtoull(s + len, NULL, 10);
	return 0;
}

static json_t *raw(const char *text)
{
	json_t *o = json_object();
	char key[64];
	unsigned long long v;

	for (const char *s = text; s; s = strchr(s, '\n'), s += s != NULL)
		if (sscanf(s, "%63s %llu", key, &v) == 2)
			json_object_set_new(o, key, json_integer((json_int_t)v));
	return o;
}

static json_t *cpu_stats(const struct oci_cgroup *cg)
{
	const struct cgroup_dir *cpu = cgroup_find(cg, cg->v2 ? "" : "cpu");
	const struct cgroup_dir *acct = cgroup_find(cg, cg->v2 ? "" : "cpuacct");
	char stat[1024] = "", usage[64] = "", split[256] = "";
	u64 total, user, sys;

	text_of(cpu, "cpu.stat", stat, sizeof(stat));
	if (cg->v2) {
		total = field(stat, "usage_usec") * 1000;
		user = field(stat, "user_usec") * 1000;
		sys = field(stat, "system_usec") * 1000;
	} else {
		text_of(acct, "cpuacct.usage", usage, sizeof(usage));
		text_of(acct, "cpuacct.stat", split, sizeof(split));
		total = strtoull(usage, NULL, 10);
		/* Ticks of USER_HZ, 100 on every architecture of Linux we run on. */
		user = field(split, "user") * 10000000;
		sys = field(split, "system") * 10000000;
	}
	return json_pack("{s:{s:I,s:I,s:I},s:{s:I,s:I,s:I}}", "usage", "total", (json_int_t)total,
			 "kernel", (json_int_t)sys, "user", (json_int_t)user, "throttling",
			 "periods", (json_int_t)field(stat, "nr_periods"), "throttledPeriods",
			 (json_int_t)field(stat, "nr_throttled"), "throttledTime",
			 (json_int_t)(cg->v2 ? field(stat, "throttled_usec") * 1000
					     : field(stat, "throttled_time")));
}

static json_t *memory_stats(const struct oci_cgroup *cg)
{
	const struct cgroup_dir *d = cgroup_find(cg, cg->v2 ? "" : "memory");
	static const char *const v1[] = {"memory.usage_in_bytes", "memory.max_usage_in_bytes",
					 "memory.limit_in_bytes", "memory.failcnt"};
	static const char *const v2[] = {"memory.current", "memory.peak", "memory.max", ""};
	const char *const *f = cg->v2 ? v2 : v1;
	char *stat = calloc(1, 16384);
	json_t *j;

	if (!stat)
		return json_object();
	text_of(d, "memory.stat", stat, 16384);
	j = json_pack("{s:I,s:{s:o,s:o,s:o,s:o},s:o}", "cache",
		      (json_int_t)field(stat, cg->v2 ? "file" : "cache"), "usage", "usage",
		      num(d, f[0]), "max", num(d, f[1]), "limit", num(d, f[2]), "failcnt",
		      num(d, f[3]), "raw", raw(stat));
	free(stat);
	return j;
}

json_t *cgroup_stats(const struct oci_cgroup *cg)
{
	const struct cgroup_dir *pids = cgroup_find(cg, cg->v2 ? "" : "pids");

	return json_pack("{s:o,s:o,s:{s:o,s:o}}", "cpu", cpu_stats(cg), "memory", memory_stats(cg),
			 "pids", "current", num(pids, "pids.current"), "limit",
			 num(pids, "pids.max"));
}

/* ---- out of memory ------------------------------------------------------ */

static u64 oom_count(const struct cgroup_dir *d)
{
	char text[512] = "";

	text_of(d, "memory.events", text, sizeof(text));
	return field(text, "oom");
}

/* Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control". */
static int oom_open_v1(const struct cgroup_dir *d)
{
	char path[PATH_MAX], text[32];
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), control;

	snprintf(path, sizeof(path), "%s/memory.oom_control", d->path);
	control = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(text, sizeof(text), "%d %d", event, control);
	snprintf(path, sizeof(path), "%s/cgroup.event_control", d->path);
	if (event >= 0 && (control < 0 || fd_write_text(AT_FDCWD, path, text)))
		fd_close(&event);
	fd_close(&control);
	return event;
}

int cgroup_oom_open(const struct oci_cgroup *cg, u64 *seen)
{
	const struct cgroup_dir *d = cgroup_find(cg, "memory");
	char path[PATH_MAX];
	int fd;

	*seen = 0;
	if (d)
		return oom_open_v1(d);
	d = cgroup_find(cg, "");
	if (!d || !cgroup_has(d, "memory.events"))
		return -1;
	*seen = oom_count(d);
	snprintf(path, sizeof(path), "%s/memory.events", d->path);
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd >= 0 && inotify_add_watch(fd, path, IN_MODIFY) < 0)
		fd_close(&fd);
	return fd;
}

bool cgroup_oom_take(const struct oci_cgroup *cg, int fd, u64 *seen)
{
	const struct cgroup_dir *v1 = cgroup_find(cg, "memory"), *v2 = cgroup_find(cg, "");
	char buf[4096];
	u64 now;

	if (read(fd, buf, sizeof(buf)) <= 0)
		return false;
	/* Removing a group is an event too. */
	if (v1)
		return cgroup_has(v1, "cgroup.event_control");
	now = oom_count(v2);
	if (now <= *seen)
		return false;
	*seen = now;
	return true;
}
