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

int cgroup_systemd_start(struct oci_cgroup *cg, pid_t pid, struct err *e)
{
	const char *p = cg->d[0].path + cg->d[0].mount_len, *slash = strrchr(p, '/');
	char num[16], slice[256] = "-.slice", desc[320];
	const char *start = slash;
	int ret;

	while (start > p && start[-1] != '/')
		start--;
	if (slash && slash > start)
		snprintf(slice, sizeof(slice), "%.*s", (int)(slash - start), start);
	snprintf(num, sizeof(num), "%d", pid);
	snprintf(desc, sizeof(desc), "container %s", cg->unit);
	const char *const argv[] = {"busctl",
				    geteuid() ? "--user" : "--system",
				    "call",
				    "org.freedesktop.systemd1",
				    "/org/freedesktop/systemd1",
				    "org.freedesktop.systemd1.Manager",
				    "StartTransientUnit",
				    "ssa(sv)a(sa(sv))",
				    cg->unit,
				    "replace",
				    "5",
				    "Description",
				    "s",
				    desc,
				    "Slice",
				    "s",
				    slice,
				    "PIDs",
				    "au",
				    "1",
				    num,
				    "Delegate",
				    "b",
				    "true",
				    "DefaultDependencies",
				    "b",
				    "false",
				    "0",
				    NULL};
	char out[256];

	ret = proc_run(argv, NULL, out, sizeof(out), e);
	if (ret)
		return err_wrap(e, "systemd scope %s", cg->unit);
	/* The job is queued: wait until the directory is there. */
	for (int i = 0; i < 500 && access(cg->d[0].path, F_OK); i++)
		usleep(10000);
	return 0;
}

void cgroup_systemd_stop(const struct oci_cgroup *cg)
{
	const char *const argv[] = {"busctl",
				    geteuid() ? "--user" : "--system",
				    "call",
				    "org.freedesktop.systemd1",
				    "/org/freedesktop/systemd1",
				    "org.freedesktop.systemd1.Manager",
				    "StopUnit",
				    "ss",
				    cg->unit,
				    "replace",
				    NULL};
	char out[256];

	proc_run(argv, NULL, out, sizeof(out), NULL);
}
