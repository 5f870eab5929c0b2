/* SPDX-License-Identifier: Apache-2.0 */
/* Removing what a thing left: directories, and helpers of a monitor that was killed. */
#include "run/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
