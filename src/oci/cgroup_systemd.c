/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes of systemd: cgroupsPath is "slice:prefix:name". systemd is asked over
 * its bus by its own busctl(1), so that nothing of D-Bus is linked here.
 */
#include "oci/cgroup.h"
#include "oci/sys.h"

#include "host/proc.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* a-b.slice lives in a.slice/a-b.slice (systemd.slice(5)). */
static int expand_slice(const char *slice, char *out, size_t size)
{
	size_t len = strlen(slice), n = 0;

	if (!strcmp(slice, "-.slice"))
		return snprintf(out, size, "%s", "") >= 0 ? 0 : -EINVAL;
	if (len < 7 || strcmp(slice + len - 6, ".slice") || strchr(slice, '/') || slice[0] == '-')
		return -EINVAL;
	for (const char *s = slice; (s = strchr(s, '-')) && n < size; s++)
		n += (size_t)snprintf(out + n, size - n, "/%.*s.slice", (int)(s - slice), slice);
	if (n < size)
		n += (size_t)snprintf(out + n, size - n, "/%s", slice);
	return n < size ? 0 : -ENAMETOOLONG;
}

int cgroup_systemd_plan(struct oci_cgroup *cg, const struct oci_config *config, const char *id,
			char *path, size_t size, struct err *e)
{
	const char *given = config->cgroups_path, *a, *b;
	char slice[256] = "system.slice", dir[PATH_MAX], unit[300];

	snprintf(unit, sizeof(unit), "hull-%s.scope", id);
	if (given && given[0]) {
		a = strchr(given, ':');
		b = a ? strchr(a + 1, ':') : NULL;
		if (!b)
			return err_set(e, EINVAL,
				       "cgroupsPath \"%.100s\": with systemd it must be "
				       "slice:prefix:name",
				       given);
		if (a != given)
			snprintf(slice, sizeof(slice), "%.*s", (int)(a - given), given);
		else if (geteuid())
			snprintf(slice, sizeof(slice), "user.slice");
		snprintf(unit, sizeof(unit), "%.*s%s%s", (int)(b - a - 1), a + 1,
			 b - a > 1 ? "-" : "", b + 1);
		if (strlen(unit) < 6 || strcmp(unit + strlen(unit) - 6, ".slice"))
			strncat(unit, ".scope", sizeof(unit) - strlen(unit) - 1);
	}
	if (access("/run/systemd/system", F_OK))
		return err_set(e, ENOTSUP,
			       "systemd is not running on this host: leave out "
			       "--systemd-cgroup");
	if (expand_slice(slice, dir, sizeof(dir)))
		return err_set(e, EINVAL, "cgroupsPath: \"%s\" is no slice", slice);
	if (snprintf(path, size, "%.3500s/%s", dir, unit) >= (int)size)
		return err_set(e, ENAMETOOLONG, "cgroupsPath is too long");
	cg->unit = strdup(unit);
	return cg->unit ? 0 : err_set(e, ENOMEM, "out of memory");
}

/* ---- asking systemd ---- */

#define CALL_WORDS 320u
#define CALL_TEXTS 160u

struct call {
	const char *v[CALL_WORDS];
	unsigned n, ntexts;
	char text[CALL_TEXTS][24]; /* numbers in v point here */
};

/* Words of a busctl(1) command line; the callers' fit. */
static void words(struct call *c, const char *const *list)
{
	for (; *list && c->n < CALL_WORDS - 1; list++)
		c->v[c->n++] = *list;
	c->v[c->n] = NULL;
}

static void number(struct call *c, u64 v)
{
	if (c->ntexts == CALL_TEXTS)
		return;
	snprintf(c->text[c->ntexts], sizeof(c->text[0]), "%llu", (unsigned long long)v);
	words(c, (const char *const[]){c->text[c->ntexts++], NULL});
}

static void call_begin(struct call *c, const char *method, const char *signature, const char *unit)
{
	*c = (struct call){.n = 0};
	words(c, (const char *const[]){"busctl", geteuid() ? "--user" : "--system", "call",
				       "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
				       "org.freedesktop.systemd1.Manager", method, signature, unit,
				       NULL});
}

static int call_make(struct call *c, struct err *e)
{
	char out[256];

	return proc_run(c->v, NULL, out, sizeof(out), e);
}

/* The slice a scope is in, by its directory. */
static void slice_of(const struct oci_cgroup *cg, char *out, size_t size)
{
	const char *p = cg->d[0].path + cg->d[0].mount_len, *slash = strrchr(p, '/');
	const char *start = slash;

	while (start > p && start[-1] != '/')
		start--;
	snprintf(out, size, "-.slice");
	if (slash && slash > start)
		snprintf(out, size, "%.*s", (int)(slash - start), start);
}

/* CollectMode: one that was stopped by force is forgotten as any other, so that its name is free.
 */
int cgroup_systemd_start(struct oci_cgroup *cg, pid_t pid, struct err *e)
{
	char slice[256], desc[320];
	struct call c;
	int ret;

	slice_of(cg, slice, sizeof(slice));
	snprintf(desc, sizeof(desc), "container %s", cg->unit);
	call_begin(&c, "StartTransientUnit", "ssa(sv)a(sa(sv))", cg->unit);
	words(&c, (const char *const[]){"replace",
					"6",
					"Description",
					"s",
					desc,
					"Slice",
					"s",
					slice,
					"Delegate",
					"b",
					"true",
					"DefaultDependencies",
					"b",
					"false",
					"CollectMode",
					"s",
					"inactive-or-failed",
					"PIDs",
					"au",
					"1",
					NULL});
	number(&c, (u64)pid);
	words(&c, (const char *const[]){"0", NULL});
	ret = call_make(&c, e);
	if (ret)
		return err_wrap(e, "systemd scope %s", cg->unit);
	/* The job is queued: wait until the directory is there. */
	for (int i = 0; i < 500 && access(cg->d[0].path, F_OK); i++)
		usleep(10000);
	return 0;
}

void cgroup_systemd_stop(const struct oci_cgroup *cg)
{
	struct call c;

	call_begin(&c, "StopUnit", "ss", cg->unit);
	words(&c, (const char *const[]){"replace", NULL});
	call_make(&c, NULL);
}

/* ---- limits as the unit's properties ---- */

static bool read_file(const struct cgroup_dir *d, const char *file, char *out, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", d->path, file);
	return fd_read_text(AT_FDCWD, path, out, size) > 0;
}

/* A number, "max" or "default NUMBER" as a property of type t. */
static unsigned tell_number(struct call *c, const struct cgroup_dir *d, const char *file,
			    const char *property)
{
	char text[64];
	const char *p = text;

	if (!read_file(d, file, text, sizeof(text)))
		return 0;
	if (!strncmp(p, "default ", 8))
		p += 8;
	if (strcmp(p, "max") && (*p < '0' || *p > '9'))
		return 0;
	words(c, (const char *const[]){property, "t", NULL});
	number(c, strcmp(p, "max") ? strtoull(p, NULL, 10) : ~0ull);
	return 1;
}

/* cpu.max, "QUOTA|max PERIOD" in microseconds. */
static unsigned tell_quota(struct call *c, const struct cgroup_dir *d)
{
	unsigned long long quota = 0, period = 0;
	char text[64];
	bool max;

	if (!read_file(d, "cpu.max", text, sizeof(text)))
		return 0;
	max = !strncmp(text, "max ", 4);
	if ((max ? sscanf(text + 4, "%llu", &period) != 1
		 : sscanf(text, "%llu %llu", &quota, &period) != 2) ||
	    !period || period > 1000000)
		return 0;
	words(c, (const char *const[]){"CPUQuotaPerSecUSec", "t", NULL});
	number(c, max ? ~0ull : quota * 1000000 / period);
	words(c, (const char *const[]){"CPUQuotaPeriodUSec", "t", NULL});
	number(c, period);
	return 2;
}

/* A list such as 0-3,5 as a set of bits, "ay" of systemd's. */
static unsigned tell_set(struct call *c, const struct cgroup_dir *d, const char *file,
			 const char *property)
{
	u8 set[64] = {0};
	char text[256], *p = text;
	unsigned long n = 0, last = 0;

	if (!read_file(d, file, text, sizeof(text)))
		return 0;
	while (*p >= '0' && *p <= '9') {
		unsigned long a = strtoul(p, &p, 10), b = *p == '-' ? strtoul(p + 1, &p, 10) : a;

		if (b >= 8 * sizeof(set))
			return 0; /* more than we tell; the file holds until systemd looks again */
		for (; a <= b; a++)
			set[a / 8] |= (u8)(1u << a % 8);
		last = b > last ? b : last;
		n++;
		p += *p == ',';
	}
	if (!n)
		return 0;
	words(c, (const char *const[]){property, "ay", NULL});
	number(c, last / 8 + 1);
	for (unsigned i = 0; i <= last / 8; i++)
		number(c, set[i]);
	return 1;
}

int cgroup_systemd_tell(const struct oci_cgroup *cg, struct err *e)
{
	static const char *const numbers[][2] = {
		{"memory.max", "MemoryMax"}, {"memory.high", "MemoryHigh"},
		{"memory.low", "MemoryLow"}, {"memory.min", "MemoryMin"},
		{"pids.max", "TasksMax"},    {"memory.swap.max", "MemorySwapMax"},
		{"cpu.weight", "CPUWeight"}, {"io.weight", "IOWeight"},
	};
	const struct cgroup_dir *d = &cg->d[0];
	char count[12];
	struct call c;
	unsigned n = 0;
	int ret;

	call_begin(&c, "SetUnitProperties", "sba(sv)", cg->unit);
	words(&c, (const char *const[]){"true", count, NULL});
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
		n += tell_number(&c, d, numbers[i][0], numbers[i][1]);
	n += tell_quota(&c, d);
	n += tell_set(&c, d, "cpuset.cpus", "AllowedCPUs");
	n += tell_set(&c, d, "cpuset.mems", "AllowedMemoryNodes");
	snprintf(count, sizeof(count), "%u", n);
	if (!n)
		return 0;
	ret = call_make(&c, e);
	return ret ? err_wrap(e, "limits of systemd scope %s", cg->unit) : 0;
}
