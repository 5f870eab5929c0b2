/* SPDX-License-Identifier: Apache-2.0 */
/* New file systems as detached mounts, and copying into a tmpfs what it is going to hide. */
#include "oci/mount.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define MAX_DEPTH 64

/* MS_* of mount(2) as MOUNT_ATTR_* of fsmount(2). */
static unsigned attrs_of(unsigned long flags)
{
	return (flags & MS_RDONLY ? MOUNT_ATTR_RDONLY : 0) |
	       (flags & MS_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
	       (flags & MS_NODEV ? MOUNT_ATTR_NODEV : 0) |
	       (flags & MS_NOEXEC ? MOUNT_ATTR_NOEXEC : 0) |
	       (flags & MS_NODIRATIME ? MOUNT_ATTR_NODIRATIME : 0) |
	       (flags & MS_NOATIME	 ? MOUNT_ATTR_NOATIME
		: flags & MS_STRICTATIME ? MOUNT_ATTR_STRICTATIME
					 : 0);
}

static int set_options(int fs, const char *data, struct err *e, const char *dest)
{
	char *copy = strdup(data), *save = NULL;
	int ret = copy ? 0 : err_set(e, ENOMEM, "out of memory");

	for (char *s = copy ? strtok_r(copy, ",", &save) : NULL; s && !ret;
	     s = strtok_r(NULL, ",", &save)) {
		char *value = strchr(s, '=');

		if (value)
			*value++ = 0;
		if (fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, s, value, 0))
			ret = err_errno(e, "mount %s: option %s", dest, s);
	}
	free(copy);
	return ret;
}

int mount_new(const struct oci_mount *m, unsigned long flags, const char *data, struct err *e)
{
	int fs = fsopen(m->type, FSOPEN_CLOEXEC), fd = -1, ret;

	if (fs < 0)
		return err_errno(e, "mount %s: file system %s", m->dest, m->type);
	ret = data && *data ? set_options(fs, data, e, m->dest) : 0;
	if (!ret &&
	    (fsconfig(fs, FSCONFIG_SET_STRING, "source", m->source ? m->source : m->type, 0) ||
	     fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0)))
		ret = err_errno(e, "mount %s: %s", m->dest, m->type);
	/* A tmpfs to be filled first becomes read-only afterwards. */
	if (!ret) {
		fd = fsmount(fs, FSMOUNT_CLOEXEC,
			     attrs_of(m->copyup ? flags & ~(unsigned long)MS_RDONLY : flags));
		if (fd < 0)
			ret = err_errno(e, "mount %s", m->dest);
	}
	close(fs);
	return ret ? ret : fd;
}

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), out;
	char buf[65536];
	ssize_t n = -1;

	if (in < 0)
		return -1;
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out >= 0) {
		while ((n = read(in, buf, sizeof(buf))) > 0)
			if (write(out, buf, (size_t)n) != n) {
				n = -1;
				break;
			}
		if (n == 0 &&
		    (fchown(out, st->st_uid, st->st_gid) || fchmod(out, st->st_mode & 07777)))
			n = -1;
		close(out);
	}
	close(in);
	return n == 0 ? 0 : -1;
}

static int copy_tree(int from, int to, unsigned depth);

static int copy_entry(int from, int to, const char *name, unsigned depth)
{
	char link[4096];
	struct stat st;
	ssize_t n;
	int a, b, ret;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -1;
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, &st);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(from, name, link, sizeof(link) - 1);
		if (n < 0)
			return -1;
		link[n] = 0;
		return symlinkat(link, to, name) ||
		       fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW);
	}
	if (!S_ISDIR(st.st_mode))
		return mknodat(to, name, st.st_mode, st.st_rdev) ||
		       fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW);
	if (mkdirat(to, name, 0700))
		return -1;
	a = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	b = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	ret = a < 0 || b < 0 ? -1 : copy_tree(a, b, depth + 1);
	fd_close(&a);
	fd_close(&b);
	return ret;
}

/* Contents of one directory into another, owners and modes kept. */
static int copy_tree(int from, int to, unsigned depth)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	struct dirent *de;
	struct stat st;
	DIR *d;

	if (fd < 0 || fstat(fd, &st) || !(d = fdopendir(fd))) {
		fd_close(&fd);
		return -1;
	}
	if (depth > MAX_DEPTH) {
		errno = ELOOP;
		ret = -1;
	}
	while (!ret && (de = readdir(d)))
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			ret = copy_entry(from, to, de->d_name, depth);
	closedir(d);
	if (!ret)
		ret = fchown(to, st.st_uid, st.st_gid) || fchmod(to, st.st_mode & 07777);
	return ret;
}

int mount_copy_up(int from, int to, struct err *e)
{
	int fd = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;
	struct stat st;

	if (fd < 0)
		return err_errno(e, "tmpcopyup");
	/* The mount's own mode option wins over that of the directory it covers. */
	ret = fstat(fd, &st) || copy_tree(from, fd, 0) || fchmod(fd, st.st_mode & 07777);
	close(fd);
	return ret ? err_errno(e, "tmpcopyup: copy into the tmpfs") : 0;
}
