/* SPDX-License-Identifier: Apache-2.0 */
#include "host/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int paths_format(char *out, struct err *e, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, PATHS_MAX, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= PATHS_MAX)
		return err_set(e, ENAMETOOLONG, "path too long: %.60s...", out);
	return 0;
}

int paths_data(char *out, struct err *e)
{
	const char *own = getenv("HULL_DATA"), *xdg = getenv("XDG_DATA_HOME"),
		   *home = getenv("HOME");

	if (own && *own)
		return paths_format(out, e, "%s", own);
	if (geteuid() == 0)
		return paths_format(out, e, "/var/lib/hull");
	if (xdg && *xdg == '/')
		return paths_format(out, e, "%s/hull", xdg);
	if (home && *home)
		return paths_format(out, e, "%s/.local/share/hull", home);
	return err_set(e, ENOENT, "no data directory: set HOME, XDG_DATA_HOME or HULL_DATA");
}

int paths_runtime(char *out, struct err *e)
{
	const char *own = getenv("HULL_RUNTIME"), *xdg = getenv("XDG_RUNTIME_DIR");

	if (own && *own)
		return paths_format(out, e, "%s", own);
	if (geteuid() == 0)
		return paths_format(out, e, "/run/hull");
	if (xdg && *xdg == '/')
		return paths_format(out, e, "%s/hull", xdg);
	return paths_format(out, e, "/tmp/hull-%u", (unsigned)geteuid());
}

static int make_one(const char *path, u32 mode, struct err *e)
{
	if (mkdir(path, mode) && errno != EEXIST)
		return err_errno(e, "cannot create directory %s", path);
	return 0;
}

int paths_make_dir(const char *path, u32 mode, struct err *e)
{
	char part[PATHS_MAX];
	struct stat st;
	int ret = paths_format(part, e, "%s", path);

	for (char *s = part + 1; !ret && (s = strchr(s, '/')); *s++ = '/') {
		*s = 0;
		ret = make_one(part, 0755, e);
	}
	if (ret || (ret = make_one(path, mode, e)))
		return ret;
	if (lstat(path, &st))
		return err_errno(e, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "%s is not a directory", path);
	if (st.st_uid != geteuid() && geteuid() != 0)
		return err_set(e, EPERM, "%s belongs to another user", path);
	return 0;
}

int file_map_open(const char *what, const char *path, struct file_map *out, struct err *e)
{
	struct stat st;
	void *p;
	int ret, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_errno(e, "%s %s", what, path);
	ret = 0;
	if (fstat(fd, &st))
		ret = err_errno(e, "%s %s", what, path);
	else if (!S_ISREG(st.st_mode))
		ret = err_set(e, EINVAL, "%s %s: not a regular file", what, path);
	else if (!st.st_size)
		ret = err_set(e, EINVAL, "%s %s: the file is empty", what, path);
	if (!ret) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED)
			ret = err_errno(e, "%s %s", what, path);
		else
			*out = (struct file_map){.data = p, .size = (u64)st.st_size};
	}
	close(fd);
	return ret;
}

void file_map_close(struct file_map *f)
{
	if (f->data)
		munmap((void *)f->data, f->size);
	*f = (struct file_map){0};
}
