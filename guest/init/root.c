/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root of the machine's process: the image's file system below, what
 * changes above, and what a container would find mounted. See hull_init.h.
 */
#include "hull_init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int try_mount(const char *from, const char *to, const char *type, unsigned long flags,
		     const char *options)
{
	if (mount(from, to, type, flags, options))
		return init_fail("cannot mount %s (%s) on %s: %s", from, type, to, strerror(errno));
	return 0;
}

int root_mkdirs(const char *path)
{
	char part[PATH_MAX];

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return init_fail("path %.60s... is too long", path);
	for (char *s = part + 1;; s++) {
		char c = *s;

		if (c && c != '/')
			continue;
		*s = 0;
		if (mkdir(part, 0755) && errno != EEXIST)
			return init_fail("cannot create %s: %s", part, strerror(errno));
		*s = c;
		if (!c)
			return 0;
	}
}

/* ---- image and writable layer ---- */

static int mount_layers(const struct setup *s)
{
	static const char options[] = "lowerdir=/image,upperdir=/rw/upper,workdir=/rw/work";

	mkdir("/image", 0755);
	mkdir("/rw", 0755);
	mkdir(INIT_ROOT, 0755);
	if (module_load("virtio_blk") || module_load(s->format ?: "erofs") ||
	    module_load("overlay") ||
	    try_mount(s->root, "/image", s->format ?: "erofs", MS_RDONLY, NULL))
		return -1;
	if (s->rw ? try_mount(s->rw, "/rw", "ext4", 0, NULL)
		  : try_mount("rw", "/rw", "tmpfs", 0, "mode=755,size=80%"))
		return -1;
	mkdir("/rw/upper", 0755);
	mkdir("/rw/work", 0755);
	return try_mount("overlay", INIT_ROOT, "overlay", 0, options);
}

/* ---- /dev and the kernel's file systems, as runtime-spec config-linux.md lists them ---- */

static int make_devices(void)
{
	static const struct {
		const char *name;
		unsigned minor, major;
	} node[] = {{"null", 3, 1},   {"zero", 5, 1},	 {"full", 7, 1},
		    {"random", 8, 1}, {"urandom", 9, 1}, {"tty", 0, 5}};
	static const char *const link[][2] = {{"pts/ptmx", "ptmx"},
					      {"/proc/self/fd", "fd"},
					      {"/proc/self/fd/0", "stdin"},
					      {"/proc/self/fd/1", "stdout"},
					      {"/proc/self/fd/2", "stderr"}};
	char path[64];

	for (unsigned i = 0; i < ARRAY_LEN(node); i++) {
		snprintf(path, sizeof(path), INIT_ROOT "/dev/%s", node[i].name);
		if (mknod(path, S_IFCHR | 0666, makedev(node[i].major, node[i].minor)) ||
		    chmod(path, 0666))
			return init_fail("cannot make %s: %s", path, strerror(errno));
	}
	for (unsigned i = 0; i < ARRAY_LEN(link); i++) {
		snprintf(path, sizeof(path), INIT_ROOT "/dev/%s", link[i][1]);
		if (symlink(link[i][0], path))
			return init_fail("cannot make %s: %s", path, strerror(errno));
	}
	return 0;
}

static int mount_special(void)
{
	static const struct {
		const char *at, *type, *options;
		unsigned long flags;
	} fs[] = {
		{"/dev", "tmpfs", "mode=755,size=65536k", MS_NOSUID | MS_STRICTATIME},
		{"/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5",
		 MS_NOSUID | MS_NOEXEC},
		{"/dev/shm", "tmpfs", "mode=1777,size=65536k", MS_NOSUID | MS_NOEXEC | MS_NODEV},
		{"/dev/mqueue", "mqueue", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV},
		{"/proc", "proc", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV},
		{"/sys", "sysfs", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY},
		{"/sys/fs/cgroup", "cgroup2", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY},
	};
	char path[64];

	for (unsigned i = 0; i < ARRAY_LEN(fs); i++) {
		snprintf(path, sizeof(path), INIT_ROOT "%s", fs[i].at);
		mkdir(path, 0755);
		if (try_mount(fs[i].type, path, fs[i].type, fs[i].flags, fs[i].options))
			return -1;
	}
	return make_devices();
}

/* ---- files ---- */

static FILE *etc_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f && fd >= 0)
		close(fd);
	return f;
}

/* An image may have no /etc, or a link in a file's place: then it does without. */
static void write_etc(const struct setup *s)
{
	FILE *f;

	mkdir(INIT_ROOT "/etc", 0755);
	if (s->hostname && (f = etc_file(INIT_ROOT "/etc/hostname"))) {
		fprintf(f, "%s\n", s->hostname);
		fclose(f);
	}
	if (s->nhosts && (f = etc_file(INIT_ROOT "/etc/hosts"))) {
		for (unsigned i = 0; i < s->nhosts; i++)
			fprintf(f, "%s\n", s->host[i]);
		fclose(f);
	}
	if (s->ndns && (f = etc_file(INIT_ROOT "/etc/resolv.conf"))) {
		for (unsigned i = 0; i < s->ndns; i++)
			fprintf(f, "%s\n", s->dns[i]);
		fclose(f);
	}
}

/* ---- volumes ---- */

/* TAG:ro|rw:PATH. A volume whose server says it is a file is bound from below. */
static int mount_volume(const char *spec)
{
	char tag[40], at[PATH_MAX], from[80];
	const char *mode = strchr(spec, ':'), *path = mode ? strchr(mode + 1, ':') : NULL;
	bool ro = mode && !strncmp(mode, ":ro", 3), file = mode && path && path[-1] == 'f';
	int fd;

	if (!path || (size_t)(mode - spec) >= sizeof(tag) ||
	    snprintf(at, sizeof(at), INIT_ROOT "%s", path + 1) >= (int)sizeof(at))
		return init_fail("volume %.80s makes no sense", spec);
	snprintf(tag, sizeof(tag), "%.*s", (int)(mode - spec), spec);
	if (!file)
		return root_mkdirs(at) || try_mount(tag, at, "virtiofs", ro ? MS_RDONLY : 0, NULL);
	snprintf(from, sizeof(from), "/volumes/%s", tag);
	*strrchr(at, '/') = 0;
	if (root_mkdirs(from) || root_mkdirs(at) ||
	    try_mount(tag, from, "virtiofs", ro ? MS_RDONLY : 0, NULL))
		return -1;
	at[strlen(at)] = '/';
	strcat(from, "/file");
	fd = open(at, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
	return try_mount(from, at, NULL, MS_BIND, NULL);
}

static int mount_tmpfs(const char *spec)
{
	char at[PATH_MAX];
	const char *options = strchr(spec, ':');
	int n = options ? (int)(options - spec) : (int)strlen(spec);

	if (snprintf(at, sizeof(at), INIT_ROOT "%.*s", n, spec) >= (int)sizeof(at))
		return init_fail("tmpfs %.80s: too long", spec);
	return root_mkdirs(at) || try_mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NODEV,
					    options ? options + 1 : "mode=1777");
}

/* Opened while it can be reached by name. */
static int *changes_fd(void)
{
	static int fd = -1;

	return &fd;
}

int root_changes(void)
{
	return *changes_fd();
}

int root_enter(const struct setup *s)
{
	if (mount_layers(s) || mount_special())
		return -1;
	write_etc(s);
	if (s->nvolumes && module_load("virtiofs"))
		return -1;
	for (unsigned i = 0; i < s->nvolumes; i++)
		if (mount_volume(s->volume[i]))
			return -1;
	for (unsigned i = 0; i < s->ntmpfs; i++)
		if (mount_tmpfs(s->tmpfs[i]))
			return -1;
	*changes_fd() = open("/rw/upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->read_only && mount(NULL, INIT_ROOT, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL))
		return init_fail("cannot make the root read-only: %s", strerror(errno));
	if (chdir(INIT_ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		return init_fail("cannot enter the image's root: %s", strerror(errno));
	return 0;
}
