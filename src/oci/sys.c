/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/sys.h"

#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

int fd_write_text(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	fd_close(&fd);
	if (n == (ssize_t)len)
		return 0;
	if (n >= 0)
		errno = EIO;
	return -errno;
}

ssize_t fd_read_text(int dir, const char *path, char *out, size_t size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	out[0] = 0;
	if (fd < 0)
		return -errno;
	while (len + 1 < size && (n = read(fd, out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	fd_close(&fd);
	if (n < 0)
		return -errno;
	if (len && out[len - 1] == '\n')
		len--;
	out[len] = 0;
	return (ssize_t)len;
}

char *fd_read_all(int fd, size_t max, size_t *len)
{
	size_t size = 16384;
	char *text = malloc(size), *more;
	ssize_t n;

	*len = 0;
	while (text && (n = read(fd, text + *len, size - 1 - *len)) > 0) {
		*len += (size_t)n;
		if (*len + 1 < size)
			continue;
		more = size < max ? realloc(text, size *= 2) : NULL;
		if (!more) {
			free(text);
			errno = EFBIG;
			return NULL;
		}
		text = more;
	}
	if (text)
		text[*len] = 0;
	return text;
}

/* Root of a procfs: its magic, and the inode number fs/proc/root.c gives it. */
#define PROC_ROOT_INO 1

int proc_open(struct err *e)
{
	int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0)
		return err_errno(e, "open /proc");
	if (fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC && fstat(fd, &st) == 0 &&
	    st.st_ino == PROC_ROOT_INO)
		return fd;
	close(fd);
	return err_set(e, EINVAL, "/proc is not a procfs: mount one there");
}

int proc_write(int proc, const char *file, const char *text, struct err *e)
{
	int fd = sys_openat2(proc, file, O_WRONLY, 0,
			     RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
	struct statfs fs;
	ssize_t n;
	int keep;

	if (fd < 0)
		return err_errno(e, "open /proc/%s", file);
	if (fstatfs(fd, &fs) || fs.f_type != PROC_SUPER_MAGIC) {
		close(fd);
		return err_set(e, EINVAL, "/proc/%s is not on procfs", file);
	}
	n = write(fd, text, strlen(text));
	keep = errno;
	close(fd);
	errno = keep;
	return n < 0 ? err_errno(e, "write \"%.60s\" to /proc/%s", text, file) : 0;
}

int proc_self_write(int proc, const char *file, const char *text, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "self/%s", file);
	return proc_write(proc, path, text, e);
}
