/* SPDX-License-Identifier: Apache-2.0 */
/* The container's root: put on the host's tree, later entered in its place. */
#include "oci/mount.h"

#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>

int mount_attach_root(struct oci_plan *p, struct err *e)
{
	unsigned long prop = p->config->rootfs_propagation;
	bool shared = prop & MS_SHARED;
	int at = -1, ret = 0;

	int own = open(p->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

	/* The runtime's descriptor is of its mount namespace; only one of ours can be cloned. */
	if (own >= 0) {
		fd_close(&p->bundle_fd);
		p->bundle_fd = own;
	}
	if (mount(NULL, "/", NULL, prop ? prop : MS_SLAVE | MS_REC, NULL))
		return err_errno(e, "set the propagation of the mount namespace");
	/* What is put on "/" must not spread, whatever the rest does. */
	if (shared && mount(NULL, "/", NULL, MS_PRIVATE, NULL))
		return err_errno(e, "make the root mount private");
	if (p->rootfs < 0)
		p->rootfs = mount_clone(p->bundle_fd, p->config->rootfs, true, false);
	if (p->rootfs < 0)
		return err_errno(e, "clone the mount of %s", p->config->rootfs);
	/* pivot_root(2) takes no shared root; it becomes shared again once it is entered. */
	if (shared && mount_set(p->rootfs, false, 0, 0, MS_PRIVATE))
		return err_errno(e, "make the container's root private");
	if (!shared && mount_set(p->rootfs, true, 0, 0,
				 prop & (MS_PRIVATE | MS_UNBINDABLE) ? MS_PRIVATE : MS_SLAVE))
		return err_errno(e, "detach the root from the host's mounts");
	/*
	 * On the rootfs's own path, where hooks of others look for it; on "/" when that
	 * path's mount would spread what is mounted on it.
	 */
	if (p->no_pivot)
		p->old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!shared && !p->no_pivot)
		at = openat(p->bundle_fd, p->config->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0 ||
	    move_mount(p->rootfs, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		ret = move_mount(p->rootfs, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	fd_close(&at);
	return ret ? err_errno(e, "attach the root") : p->rootfs;
}

/* A whole procfs or sysfs there goes; what cannot be unmounted is covered. */
static int hide_one(const struct oci_plan *p, const char *path)
{
	int fd = openat(p->old_root, *path == '/' && path[1] ? path + 1 : ".",
			O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;
	int ret = 0;

	if (fd >= 0 && fstatfs(fd, &fs) == 0 &&
	    (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC))
		ret = fchdir(fd) || (umount2(".", MNT_DETACH) &&
				     mount("tmpfs", ".", "tmpfs", MS_RDONLY, "nr_blocks=1"));
	fd_close(&fd);
	return ret;
}

/*
 * Without pivot_root the host's mounts stay reachable for the kernel, which lets a
 * user namespace mount procfs and sysfs anew while there is a bare one (fs/namespace.c,
 * mount_too_revealing): the container's masks would be worth nothing.
 */
static int hide_host(struct oci_plan *p, struct err *e)
{
	int fd = openat(p->proc, "self/mountinfo", O_RDONLY | O_CLOEXEC), ret = 0;
	char *text, *save = NULL, path[4096], type[16];
	size_t len;

	if (fd < 0 || p->old_root < 0)
		return err_errno(e, "the host's mounts");
	text = fd_read_all(fd, 4 << 20, &len);
	close(fd);
	if (!text)
		return err_errno(e, "read the host's mounts");
	for (char *s = strtok_r(text, "\n", &save); s && !ret; s = strtok_r(NULL, "\n", &save)) {
		char *sep = strstr(s, " - ");

		if (sep && sscanf(sep + 3, "%15s", type) == 1 &&
		    (!strcmp(type, "proc") || !strcmp(type, "sysfs")) &&
		    sscanf(s, "%*d %*d %*s %*s %4095s", path) == 1 && hide_one(p, path))
			ret = err_errno(e, "hide the host's %s", path);
	}
	free(text);
	return ret;
}

int mount_enter_root(struct oci_plan *p, int root, struct err *e)
{
	unsigned long prop = p->config->rootfs_propagation;

	if (p->config->rootfs_readonly && mount_set(root, false, MOUNT_ATTR_RDONLY, 0, 0))
		return err_errno(e, "make the root read-only");
	if (p->no_pivot && hide_host(p, e))
		return -EIO;
	if (fchdir(root))
		return err_errno(e, "enter the root");
	if (p->no_pivot) {
		if (chroot("."))
			return err_errno(e, "chroot");
	} else {
		int old = prop & MS_SHARED ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1, ret;

		/* pivot_root(2), "pivot_root(".", ".")": the old root ends up below the new one. */
		if (syscall(SYS_pivot_root, ".", "."))
			return err_errno(e, "pivot_root");
		/* Letting go of the host's tree must not unmount anything of the host's. */
		ret = prop & MS_SHARED ? mount_set(old, true, 0, 0, MS_SLAVE) : 0;
		fd_close(&old);
		if (ret)
			return err_errno(e, "detach the old root");
		if (umount2(".", MNT_DETACH))
			return err_errno(e, "unmount the old root");
	}
	if (chdir("/"))
		return err_errno(e, "chdir /");
	if (prop && mount_propagate(root, prop))
		return err_errno(e, "set the root's propagation");
	return 0;
}
