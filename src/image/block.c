/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's merged root as an EROFS file (image/image.h), made by mkfs.erofs
 * from an overlay mount that only a child process in its own mount namespace
 * ever sees, so that nothing can leak however it ends.
 */
#include "image/store.h"

#include "host/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child says through its pipe when it fails. */
static void child_fail(int fd, const struct err *e)
{
	ssize_t n = write(fd, e, sizeof(*e));

	_exit(n == sizeof(*e) ? 1 : 2);
}

static int write_map(const char *path, unsigned id)
{
	char line[40];
	int n = snprintf(line, sizeof(line), "0 %u 1\n", id);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, line, (size_t)n) == n;

	if (fd >= 0)
		close(fd);
	return ok ? 0 : -1;
}

/* A mount namespace of our own; without root also a user namespace where we are root. */
static int enter_namespaces(struct err *e)
{
	unsigned uid = geteuid(), gid = getegid();
	int fd;

	if (unshare(CLONE_NEWNS | (uid ? CLONE_NEWUSER : 0)))
		return err_errno(e, "cannot make a mount namespace");
	if (uid) {
		fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "deny", 4) != 4 || write_map("/proc/self/uid_map", uid) ||
		    write_map("/proc/self/gid_map", gid))
			return err_errno(e, "cannot map users");
		close(fd);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return err_errno(e, "cannot make mounts private");
	return 0;
}

static void child_main(const struct image *im, const char *dir, const char *file, const char *uuid,
		       int report)
{
	const struct image_mount_config c = {0};
	struct err e = {0};

	if (enter_namespaces(&e) || image_mount(im, &c, dir, &e) ||
	    proc_run((const char *const[]){"mkfs.erofs", "-T0", "-U", uuid, "-x1", file, dir, NULL},
		     NULL, (char[4096]){0}, 4096, &e))
		child_fail(report, &e);
	_exit(0);
}

static int run_child(const struct image *im, const char *dir, const char *file, const char *uuid,
		     struct err *e)
{
	struct err why = {0};
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return err_errno(e, "cannot make a pipe");
	pid = fork();
	if (pid == 0)
		child_main(im, dir, file, uuid, fds[1]);
	close(fds[1]);
	n = pid < 0 ? 0 : read(fds[0], &why, sizeof(why));
	close(fds[0]);
	if (pid < 0)
		return err_errno(e, "cannot fork");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (n != sizeof(why) || !why.status)
		return err_set(e, EIO, "making a block image of %s ended unexpectedly", im->name);
	why.msg[sizeof(why.msg) - 1] = 0;
	return err_set(e, why.status, "%s", why.msg);
}

/* The chain ID's first 128 bits in UUID form: the same image gives the same bytes. */
static void chain_uuid(const struct image *im, char out[40])
{
	const char *hex = im->chain + DIGEST_PREFIX;

	snprintf(out, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static int make(struct image_store *s, const struct image *im, const char *final, struct err *e)
{
	char tmp[100], root[PATHS_MAX], file[PATHS_MAX], uuid[40];
	int ret = store_temp_dir(s, tmp, e);

	if (ret)
		return ret;
	chain_uuid(im, uuid);
	ret = paths_format(root, e, "%s/%s/root", s->dir, tmp);
	ret = ret ? ret : paths_format(file, e, "%s/%s/erofs", s->dir, tmp);
	if (!ret && mkdir(root, 0755))
		ret = store_io_error(s, "cannot make a block image", e);
	if (!ret)
		ret = run_child(im, root, file, uuid, e);
	if (!ret && (chmod(file, 0644) || rename(file, final)))
		ret = store_io_error(s, "cannot make a block image", e);
	store_tree_remove(s->fd, tmp);
	return ret;
}

int image_rootfs_block(struct image_store *s, const struct image *im, char *path, struct err *e)
{
	int ret = paths_format(path, e, "%s/erofs/%s.erofs", s->dir, im->chain + DIGEST_PREFIX);

	if (ret || !access(path, R_OK))
		return ret;
	if (!proc_found("mkfs.erofs"))
		return err_set(
			e, ENOENT,
			"mkfs.erofs is not installed (package erofs-utils): a machine's root "
			"is made by it");
	return make(s, im, path, e);
}
