/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's merged root in a child process with a mount namespace of its own
 * (image/tree.h), so that no mount can leak however anything ends; and the
 * EROFS file made from it (image/image.h).
 */
#include "image/tree.h"

#include "host/proc.h"
#include "image/store.h"

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

static int enter_namespace(struct err *e)
{
	if (unshare(CLONE_NEWNS))
		return err_errno(e, "cannot make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return err_errno(e, "cannot make mounts private");
	return 0;
}

struct child {
	const struct image *im;
	const char *dir;
	int (*fn)(void *opaque, const char *root, struct err *e);
	void *opaque;
};

static void child_main(const struct child *c, int report)
{
	const struct image_mount_config ro = {0};
	struct err e = {0};
	int ret = enter_namespace(&e);

	if (!ret)
		ret = image_mount(c->im, &ro, c->dir, &e);
	if (!ret)
		ret = c->fn(c->opaque, c->dir, &e);
	if (ret && write(report, &e, sizeof(e)) != sizeof(e))
		_exit(2);
	_exit(ret ? 1 : 0);
}

static int wait_child(pid_t pid, int report, const char *name, struct err *e)
{
	struct err why = {0};
	ssize_t n = read(report, &why, sizeof(why));
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (n != sizeof(why) || !why.status)
		return err_set(e, EIO, "reading the root of %s ended unexpectedly", name);
	why.msg[sizeof(why.msg) - 1] = 0;
	return err_set(e, why.status, "%s", why.msg);
}

static int run_child(const struct child *c, struct err *e)
{
	int fds[2], ret;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return err_errno(e, "cannot make a pipe");
	pid = fork();
	if (pid == 0)
		child_main(c, fds[1]);
	close(fds[1]);
	ret = pid < 0 ? err_errno(e, "cannot fork") : wait_child(pid, fds[0], c->im->name, e);
	close(fds[0]);
	return ret;
}

int tree_with_root(struct image_store *s, const struct image *im,
		   int (*fn)(void *opaque, const char *root, struct err *e), void *opaque,
		   struct err *e)
{
	char tmp[100], dir[PATHS_MAX];
	const struct child c = {im, dir, fn, opaque};
	int ret = store_temp_dir(s, tmp, e);

	if (ret)
		return ret;
	ret = paths_format(dir, e, "%s/%s", s->dir, tmp);
	if (!ret)
		ret = run_child(&c, e);
	store_tree_remove(s->fd, tmp);
	return ret;
}

/* ---- block images ---- */

struct block {
	char file[PATHS_MAX], uuid[40];
};

static int make_erofs(void *opaque, const char *root, struct err *e)
{
	const struct block *b = opaque;
	const char *const argv[] = {"mkfs.erofs", "-T0", "-U", b->uuid, "-x1", b->file, root, NULL};
	char out[4096];

	return proc_run(argv, NULL, out, sizeof(out), e);
}

/* The chain ID's first 128 bits in UUID form: the same image gives the same bytes. */
static void chain_uuid(const struct image *im, char out[40])
{
	const char *hex = im->chain + DIGEST_PREFIX;

	snprintf(out, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

int image_rootfs_block(struct image_store *s, const struct image *im, char *path, struct err *e)
{
	struct block b;
	char tmp[100];
	int fd, ret = paths_format(path, e, "%s/erofs/%s.erofs", s->dir, im->chain + DIGEST_PREFIX);

	if (ret || !access(path, R_OK))
		return ret;
	if (!proc_found("mkfs.erofs"))
		return err_set(
			e, ENOENT,
			"mkfs.erofs is not installed (package erofs-utils): a machine's root "
			"is made by it");
	fd = store_temp_file(s, tmp, e);
	if (fd < 0)
		return fd;
	close(fd);
	chain_uuid(im, b.uuid);
	ret = paths_format(b.file, e, "%s/%s", s->dir, tmp);
	if (!ret)
		ret = tree_with_root(s, im, make_erofs, &b, e);
	if (!ret && rename(b.file, path))
		ret = store_io_error(s, "cannot make a block image", e);
	if (ret)
		unlinkat(s->fd, tmp, 0);
	return ret ? err_wrap(e, "block image of %s", im->name) : 0;
}
