/* SPDX-License-Identifier: Apache-2.0 */
/* Removing what a thing left: directories, and helpers of a monitor that was killed. */
#include "base/hash.h"
#include "run/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX 200u

static int remove_below(int dir, dev_t dev, unsigned depth)
{
	DIR *d = fdopendir(dir);
	struct dirent *de;
	int ret = 0;

	if (!d) {
		close(dir);
		return -1;
	}
	while (!ret && (de = readdir(d))) {
		struct stat st;
		int sub;

		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (de->d_type != DT_DIR && !unlinkat(dirfd(d), de->d_name, 0))
			continue;
		sub = openat(dirfd(d), de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 || !depth || fstat(sub, &st) || st.st_dev != dev) {
			if (sub >= 0)
				close(sub);
			ret = -1;
			break;
		}
		ret = remove_below(sub, dev, depth - 1);
		if (!ret)
			ret = unlinkat(dirfd(d), de->d_name, AT_REMOVEDIR);
	}
	closedir(d);
	return ret;
}

int tree_remove(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st)) {
		close(fd);
		return -1;
	}
	return remove_below(fd, st.st_dev, DEPTH_MAX) ? -1 : rmdir(path);
}

void helper_kill(pid_t pid)
{
	char path[40], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(name, sizeof(name), f) &&
	    (!strncmp(name, "pasta", 5) || !strncmp(name, "passt", 5)))
		kill(pid, SIGKILL);
	fclose(f);
}

#define CGROUP_TRIES 50
#define CGROUP_WAIT_NS 10000000

static void cgroup_remove(const char *dir)
{
	const struct timespec wait = {.tv_nsec = CGROUP_WAIT_NS};
	char path[PATHS_MAX], line[32];
	FILE *f;

	for (int i = 0; i < CGROUP_TRIES && rmdir(dir) && errno == EBUSY; i++) {
		if (paths_format(path, NULL, "%s/cgroup.procs", dir))
			return;
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			if (atoi(line) > 0)
				kill(atoi(line), SIGKILL);
		if (f)
			fclose(f);
		nanosleep(&wait, NULL);
	}
}

void cgroup_name(const struct thing *t, char out[RUN_CGROUP_MAX])
{
	snprintf(out, RUN_CGROUP_MAX, "hull-%s-%016llx", t->name,
		 (unsigned long long)hash_text(t->dir));
}

void cgroups_sweep(const struct thing *t)
{
	/* v2 alone; v1 hierarchies, and v2 beside them. */
	static const char *const patterns[] = {"/sys/fs/cgroup/%s", "/sys/fs/cgroup/*/%s"};
	char pattern[PATHS_MAX], own[RUN_CGROUP_MAX];
	glob_t g;

	cgroup_name(t, own);
	for (unsigned i = 0; i < ARRAY_LEN(patterns); i++) {
		snprintf(pattern, sizeof(pattern), patterns[i], own);
		if (glob(pattern, 0, NULL, &g))
			continue;
		for (size_t k = 0; k < g.gl_pathc; k++)
			cgroup_remove(g.gl_pathv[k]);
		globfree(&g);
	}
}
