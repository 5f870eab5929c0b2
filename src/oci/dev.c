/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev of a container: nodes where the kernel lets us make them, else (user
 * namespace) the host's bound over empty files; what stands there afterwards
 * is checked by descriptor to be the device it should be.
 */
#include "oci/mount.h"
#include "oci/root.h"

#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

/* "Default Devices" of config-linux.md; numbers from devices.txt. */
static const struct oci_device defaults[] = {
	{"/dev/null", 'c', 1, 3, 0666, 0, 0},	 {"/dev/zero", 'c', 1, 5, 0666, 0, 0},
	{"/dev/full", 'c', 1, 7, 0666, 0, 0},	 {"/dev/random", 'c', 1, 8, 0666, 0, 0},
	{"/dev/urandom", 'c', 1, 9, 0666, 0, 0}, {"/dev/tty", 'c', 5, 0, 0666, 0, 0},
};

static mode_t type_of(const struct oci_device *d)
{
	return d->type == 'c' ? S_IFCHR : d->type == 'b' ? S_IFBLK : S_IFIFO;
}

static bool is_device(int fd, const struct oci_device *d)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type_of(d) &&
	       (d->type == 'p' || st.st_rdev == makedev(d->major, d->minor));
}

/* The host's node of the same numbers, over an empty file. */
static int bind_device(int dir, const char *name, const struct oci_device *d, struct err *e)
{
	int tree = mount_clone(AT_FDCWD, d->path, false, true), at = -1, ret = 0;

	if (tree < 0)
		return err_errno(e, "device %s: the host's", d->path);
	if (!is_device(tree, d))
		ret = err_set(e, ENODEV, "device %s: the host's is another device", d->path);
	if (!ret) {
		at = openat(dir, name, O_CREAT | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			    0644);
		fd_close(&at);
		at = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (at < 0 ||
		    move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
			ret = err_errno(e, "device %s: bind", d->path);
	}
	fd_close(&at);
	close(tree);
	return ret;
}

/* 1: made or there already, 0: must be bound instead, negative: error. */
static int make_node(int dir, const char *name, const struct oci_device *d, struct err *e)
{
	int fd, ok;

	if (mknodat(dir, name, type_of(d) | d->mode, makedev(d->major, d->minor))) {
		if (errno == EPERM || errno == EACCES || errno == EROFS)
			return 0;
		if (errno != EEXIST)
			return err_errno(e, "make device %s", d->path);
	} else if (fchmodat(dir, name, d->mode, 0) ||
		   fchownat(dir, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW)) {
		return err_errno(e, "device %s: owner and mode", d->path);
	}
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "device %s", d->path);
	ok = is_device(fd, d);
	close(fd);
	if (!ok)
		return err_set(e, EEXIST, "device %s: something else is there already", d->path);
	return 1;
}

static int make_device(struct oci_plan *p, int root, const struct oci_device *d, struct err *e)
{
	const char *name;
	int dir = root_make_parent(root, d->path, &name), ret;

	if (dir < 0)
		return err_errno(e, "device %s", d->path);
	/* In a user namespace a node could be made on no file system it could be used on. */
	ret = p->config->ns_flags & CLONE_NEWUSER && d->type != 'p' ? 0
								    : make_node(dir, name, d, e);
	if (ret == 0)
		ret = bind_device(dir, name, d, e);
	close(dir);
	return ret < 0 ? ret : 0;
}

static int make_links(int root, struct err *e)
{
	static const char *const links[][2] = {{"/proc/self/fd", "fd"},
					       {"/proc/self/fd/0", "stdin"},
					       {"/proc/self/fd/1", "stdout"},
					       {"/proc/self/fd/2", "stderr"},
					       {"/proc/kcore", "core"}};
	int dir = root_make_dir(root, "/dev", 0755), ret = 0;
	size_t n = ARRAY_LEN(links);

	if (dir < 0)
		return err_errno(e, "/dev");
	if (access("/proc/kcore", F_OK))
		n--;
	for (size_t i = 0; i < n && !ret; i++)
		if (symlinkat(links[i][0], dir, links[i][1]) && errno != EEXIST)
			ret = err_errno(e, "make /dev/%s", links[i][1]);
	if (!ret && unlinkat(dir, "ptmx", 0) && errno != ENOENT && errno != EBUSY && errno != EPERM)
		ret = err_errno(e, "remove /dev/ptmx");
	if (!ret && symlinkat("pts/ptmx", dir, "ptmx") && errno != EEXIST)
		ret = err_errno(e, "make /dev/ptmx");
	close(dir);
	return ret;
}

/* A /dev of the host bound in is used as it is. */
static bool dev_is_bound(const struct oci_config *c)
{
	for (unsigned i = 0; i < c->nmounts; i++)
		if (c->mounts[i].bind &&
		    (!strcmp(c->mounts[i].dest, "/dev") || !strcmp(c->mounts[i].dest, "/dev/")))
			return true;
	return false;
}

static bool given(const struct oci_config *c, const char *path)
{
	for (unsigned i = 0; i < c->ndevices; i++)
		if (!strcmp(c->devices[i].path, path))
			return true;
	return false;
}

int dev_create(struct oci_plan *p, int root, struct err *e)
{
	const struct oci_config *c = p->config;
	struct stat st;
	mode_t mask;
	int dev, ret = 0;

	if (dev_is_bound(c))
		return 0;
	/* No image has that for an honest reason (CVE-2026-41579, CVE-2026-47766). */
	dev = root_open(root, "/dev", O_PATH | O_NOFOLLOW, 0);
	if (dev >= 0 && fstat(dev, &st) == 0 && !S_ISDIR(st.st_mode))
		ret = err_set(e, ENOTDIR, "/dev of the root is not a directory");
	fd_close(&dev);
	mask = umask(0);
	for (size_t i = 0; i < ARRAY_LEN(defaults) && !ret; i++)
		if (!given(c, defaults[i].path))
			ret = make_device(p, root, &defaults[i], e);
	for (unsigned i = 0; i < c->ndevices && !ret; i++)
		if (strcmp(c->devices[i].path, "/dev/ptmx"))
			ret = make_device(p, root, &c->devices[i], e);
	umask(mask);
	return ret ? ret : make_links(root, e);
}

int dev_console(int root, int slave, struct err *e)
{
	int dir = root_open(root, "/dev", O_PATH | O_DIRECTORY, 0), at, tree, ret = 0;

	if (dir < 0)
		return err_errno(e, "/dev for the console");
	at = openat(dir, "console",
		    O_CREAT | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
	fd_close(&at);
	at = openat(dir, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	tree = mount_clone(slave, "", false, false);
	/* From descriptor to descriptor: no name anybody could swap (CVE-2025-52565). */
	if (at < 0 || tree < 0 ||
	    move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		ret = err_errno(e, "put the terminal on /dev/console");
	fd_close(&tree);
	fd_close(&at);
	close(dir);
	return ret;
}
