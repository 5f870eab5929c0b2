/* SPDX-License-Identifier: Apache-2.0 */
/* Masked and read-only paths, when all else is mounted. */
#include "oci/mount.h"
#include "oci/root.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* One empty read-only tmpfs serves every masked directory. */
static int open_empty(int *empty, struct err *e)
{
	static const struct oci_mount tmpfs = {
		.dest = "masked path", .type = "tmpfs", .source = "tmpfs"};

	if (*empty < 0)
		*empty = mount_new(&tmpfs, MS_RDONLY, "nr_blocks=1,nr_inodes=1", e);
	return *empty;
}

static int mask_one(int root, const char *path, int null, int *empty, struct err *e)
{
	int fd = root_open(root, path, O_PATH, 0), with = null, mnt = -1, ret = 0;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
			       ? 0
			       : err_errno(e, "mask path %s", path);
	if (fstat(fd, &st))
		ret = err_errno(e, "mask path %s", path);
	else if (S_ISDIR(st.st_mode))
		ret = with = open_empty(empty, e);
	if (ret >= 0) {
		mnt = mount_clone(with, "", false, false);
		/* Linux before 6.15 clones no detached mount: then each has its own. */
		if (mnt < 0 && errno == EINVAL && with != null) {
			mnt = with;
			*empty = -1;
		}
		ret = mnt < 0 || move_mount(mnt, "", fd, "",
					    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
		if (ret)
			ret = err_errno(e, "mask path %s", path);
	}
	fd_close(&mnt);
	close(fd);
	return ret;
}

static int readonly_one(int root, const char *path, struct err *e)
{
	int fd = root_open(root, path, O_PATH, 0), mnt, ret = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0
							   : err_errno(e, "readonly path %s", path);
	mnt = mount_clone(fd, "", true, false);
	if (mnt < 0 || mount_set(mnt, false, MOUNT_ATTR_RDONLY, 0, 0) ||
	    move_mount(mnt, "", fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		ret = err_errno(e, "readonly path %s", path);
	fd_close(&mnt);
	close(fd);
	return ret;
}

/* The host's /dev/null, proven to be one (CVE-2025-31133 was about a swapped one). */
static int open_null(struct err *e)
{
	int fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_errno(e, "open the host's /dev/null");
	if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return fd;
	close(fd);
	return err_set(e, ENODEV, "the host's /dev/null is not the null device");
}

/* What had to be writable until everything was in it. */
static int restrict_dev(const struct oci_config *c, int root, struct err *e)
{
	int fd, ret = 0;

	for (unsigned i = 0; i < c->nmounts && !ret; i++) {
		if (!(c->mounts[i].flags & MS_RDONLY) || !mount_is_dev(&c->mounts[i]))
			continue;
		fd = root_open(root, "/dev", O_PATH | O_DIRECTORY, 0);
		if (fd < 0 || mount_set(fd, false, MOUNT_ATTR_RDONLY, 0, 0))
			ret = err_errno(e, "make /dev read-only");
		fd_close(&fd);
	}
	return ret;
}

/* The same path once more; lists too long to be written by hand are not looked through. */
static bool masked_before(const struct oci_strings *masked, unsigned i)
{
	for (unsigned k = 0; k < i && masked->n < 1024; k++)
		if (!strcmp(masked->v[k], masked->v[i]))
			return true;
	return false;
}

int mount_restrict(struct oci_plan *p, int root, struct err *e)
{
	const struct oci_config *c = p->config;
	int null = -1, empty = -1, ret = restrict_dev(c, root, e);

	for (unsigned i = 0; i < c->readonly.n && !ret; i++)
		ret = readonly_one(root, c->readonly.v[i], e);
	if (c->masked.n && !ret)
		null = ret = open_null(e);
	ret = ret < 0 ? ret : 0;
	for (unsigned i = 0; i < c->masked.n && !ret; i++)
		if (!masked_before(&c->masked, i))
			ret = mask_one(root, c->masked.v[i], null, &empty, e);
	fd_close(&null);
	fd_close(&empty);
	return ret;
}
