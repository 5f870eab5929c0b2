/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's layers as one root (image/image.h): overlayfs by the new mount API
 * (Linux >= 6.8 takes lower directories one by one), by mount(2) before that,
 * by the fuse-overlayfs program where the kernel lets nobody but root mount.
 */
#include "image/image.h"

#include "host/proc.h"
#include "host/rootless.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* One string of fsconfig(2) (kernel fs/fsopen.c), and the page of options of mount(2). */
#define FSCONFIG_STRING_MAX 256u
#define MOUNT_DATA_MAX 4096u
#define FUSE_MAGIC 0x65735546 /* linux/magic.h, FUSE_SUPER_MAGIC */
#define FUSE_START_MS 5000u
#define FUSE_STEP_MS 5u

/* mount(2) and umount(2) of glibc's header clash with linux/mount.h. */
static int sys_mount(const char *src, const char *target, const char *type, unsigned long flags,
		     const char *data)
{
	return (int)syscall(SYS_mount, src, target, type, flags, data);
}

static int sys_umount(const char *target, int flags)
{
	return (int)syscall(SYS_umount2, target, flags);
}

static int overlay_error(const struct image *im, const char *what, struct err *e)
{
	const char *name = im->name[0] ? im->name : im->id;

	if (errno == EPERM)
		return err_set(e, EPERM, "cannot mount the layers of %s: not permitted (%s)", name,
			       what);
	return err_errno(e, "cannot mount the layers of %s (%s)", name, what);
}

/* ---- one directory after the other ---- */

static int config(int fs, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key,
			    value, 0);
}

/* A path too long for fsconfig goes through a descriptor in /proc; *fd is to be closed later. */
static int config_dir(int fs, const char *key, const char *dir, int *fd)
{
	char path[40];

	*fd = -1;
	if (strlen(dir) < FSCONFIG_STRING_MAX)
		return config(fs, key, dir);
	*fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	return config(fs, key, path);
}

static int config_add(int fs, const char *key, const char *dir)
{
	int fd, ret = config_dir(fs, key, dir, &fd);
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return ret;
}

static int config_layers(int fs, const struct image *im, const struct image_mount_config *c)
{
	char empty[PATHS_MAX + 10];

	/* The uppermost layer comes first; overlayfs wants two below a read-only mount. */
	for (unsigned i = im->nlayers; i-- > 0;)
		if (config_add(fs, "lowerdir+", im->layers[i]))
			return -1;
	for (unsigned i = im->nlayers; i < 2; i++) {
		snprintf(empty, sizeof(empty), "%s/empty%s", im->store, i ? "" : "2");
		if (config_add(fs, "lowerdir+", empty))
			return -1;
	}
	if (c->upper &&
	    (config_add(fs, "upperdir", c->upper) || config_add(fs, "workdir", c->work)))
		return -1;
	if (c->upper && c->volatile_ && config(fs, "volatile", NULL))
		return -1;
	return rootless() ? config(fs, "userxattr", NULL) : 0;
}

int image_mount_fd(const struct image *im, const struct image_mount_config *c, struct err *e)
{
	int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	unsigned attr = c->upper ? 0 : MOUNT_ATTR_RDONLY;
	int fd;

	if (fs < 0)
		return overlay_error(im, "fsopen", e);
	if (config_layers(fs, im, c)) {
		fd = errno == EINVAL ? err_set(e, EOPNOTSUPP,
					       "this kernel's overlayfs takes no single layers")
				     : overlay_error(im, "fsconfig", e);
		close(fs);
		return fd;
	}
	config(fs, "source", "hull");
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		fd = overlay_error(im, "overlayfs", e);
	else if ((fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr)) < 0)
		fd = overlay_error(im, "fsmount", e);
	close(fs);
	return fd;
}

/* ---- all in one string ---- */

struct text {
	char *s;
	size_t len, room;
};

/* Appends; path true: a directory, with what separates options escaped (mount(8), overlay). */
static bool append(struct text *t, const char *s, bool path)
{
	for (; *s; s++) {
		bool escape = path && strchr("\\,:", *s);

		if (t->len + 2 + escape > t->room)
			return false;
		if (escape)
			t->s[t->len++] = '\\';
		t->s[t->len++] = *s;
	}
	t->s[t->len] = 0;
	return true;
}

static bool append_layers(struct text *t, const struct image *im)
{
	char empty[PATHS_MAX + 10];
	bool ok = append(t, "lowerdir=", false);

	for (unsigned i = im->nlayers; ok && i-- > 0;)
		ok = append(t, im->layers[i], true) && (!i || append(t, ":", false));
	for (unsigned i = im->nlayers; ok && i < 2; i++) {
		snprintf(empty, sizeof(empty), "%s/empty%s", im->store, i ? "" : "2");
		ok = append(t, i ? ":" : "", false) && append(t, empty, true);
	}
	return ok;
}

static bool options(struct text *t, const struct image *im, const struct image_mount_config *c)
{
	bool ok = append_layers(t, im);

	if (ok && c->upper)
		ok = append(t, ",upperdir=", false) && append(t, c->upper, true) &&
		     append(t, ",workdir=", false) && append(t, c->work, true);
	return ok;
}

static int mount_string(const struct image *im, const struct image_mount_config *c,
			const char *target, struct err *e)
{
	char data[MOUNT_DATA_MAX];
	struct text t = {data, 0, sizeof(data)};
	unsigned long flags = c->upper ? 0 : MS_RDONLY;

	if (!options(&t, im, c) || (rootless() && !append(&t, ",userxattr", false)) ||
	    (c->upper && c->volatile_ && !append(&t, ",volatile", false)))
		return err_set(e, E2BIG,
			       "%s has too many layers (%u) for this kernel: Linux 6.8 lifts that",
			       im->name, im->nlayers);
	if (sys_mount("hull", target, "overlay", flags, data))
		return overlay_error(im, "overlayfs", e);
	return 0;
}

/*
 * In the foreground, as a child that dies with this process (or the program it
 * becomes): by itself it would stay for as long as its own mount namespace,
 * which is this one.
 */
static pid_t start_fuse(const char *options, const char *target, int words)
{
	pid_t pid = fork();
	sigset_t none;

	if (pid)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(words, STDERR_FILENO);
	close_range(3, ~0u, 0);
	execlp("fuse-overlayfs", "fuse-overlayfs", "-f", "-o", options, target, (char *)NULL);
	_exit(127);
}

static bool is_fuse(const char *target)
{
	struct statfs st;

	return !statfs(target, &st) && st.f_type == FUSE_MAGIC;
}

static int run_fuse(const char *options, const char *target, struct err *e)
{
	const struct timespec wait = {.tv_nsec = FUSE_STEP_MS * 1000000l};
	char why[200] = "";
	int words[2], status = 0;
	unsigned past = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(words, O_CLOEXEC | O_NONBLOCK))
		return err_errno(e, "pipe");
	pid = start_fuse(options, target, words[1]);
	close(words[1]);
	while (pid > 0 && !is_fuse(target) && past < FUSE_START_MS &&
	       !waitpid(pid, &status, WNOHANG)) {
		nanosleep(&wait, NULL);
		past += FUSE_STEP_MS;
	}
	n = is_fuse(target) ? 0 : read(words[0], why, sizeof(why) - 1);
	why[n > 0 ? n : 0] = 0;
	why[strcspn(why, "\n")] = 0;
	close(words[0]);
	if (is_fuse(target))
		return 0;
	if (pid > 0)
		kill(pid, SIGKILL);
	return err_set(e, EIO, "fuse-overlayfs: %s", *why ? why : "it did not start");
}

static int mount_fuse(const struct image *im, const struct image_mount_config *c,
		      const char *target, struct err *e)
{
	size_t room = (size_t)(im->nlayers + 4) * 2 * (PATHS_MAX + 100);
	struct text t = {malloc(room), 0, room};
	int ret;

	if (!t.s)
		return err_set(e, ENOMEM, "no memory");
	if (!options(&t, im, c)) {
		ret = err_set(e, E2BIG, "%s has too many layers", im->name);
	} else {
		ret = run_fuse(t.s, target, e);
	}
	free(t.s);
	return ret;
}

int image_mount(const struct image *im, const struct image_mount_config *c, const char *target,
		struct err *e)
{
	const char *how = getenv("HULL_OVERLAY");
	struct err first = {0};
	int ret, fd;

	if (how && !strcmp(how, "fuse"))
		return mount_fuse(im, c, target, e);
	fd = image_mount_fd(im, c, &first);
	if (fd >= 0) {
		ret = (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, target,
				   MOVE_MOUNT_F_EMPTY_PATH);
		ret = ret ? overlay_error(im, target, e) : 0;
		close(fd);
		return ret;
	}
	ret = fd;
	/* EINVAL: before Linux 6.5 overlayfs looked at its options only when all were there. */
	if (ret == -EOPNOTSUPP || ret == -ENOSYS || ret == -EINVAL)
		ret = mount_string(im, c, target, &first);
	/* Linux before 5.11, or a file system below that has no attributes of users. */
	if ((ret == -EPERM || ret == -EINVAL || ret == -EOPNOTSUPP) && rootless() &&
	    proc_found("fuse-overlayfs"))
		ret = mount_fuse(im, c, target, &first);
	if (ret && e)
		*e = first;
	return ret;
}

int image_unmount(const char *target, struct err *e)
{
	struct statfs st;

	if (!sys_umount(target, 0))
		return 0;
	if (errno == EPERM && !statfs(target, &st) && st.f_type == FUSE_MAGIC)
		return proc_run((const char *const[]){"fusermount3", "-u", target, NULL}, NULL,
				NULL, 0, e);
	return err_errno(e, "cannot unmount %s", target);
}
