/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of a config, one after the other, and what is done to a mount by its descriptor. */
#include "oci/mount.h"
#include "oci/root.h"

#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define LOCKABLE (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

int mount_clone(int dir, const char *path, bool rec, bool nofollow)
{
	return open_tree(dir, path,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)(rec ? AT_RECURSIVE : 0) |
				 (unsigned)(nofollow ? AT_SYMLINK_NOFOLLOW : 0) |
				 (unsigned)(path[0] ? 0 : AT_EMPTY_PATH));
}

int mount_set(int fd, bool rec, u64 set, u64 clr, u64 propagation)
{
	struct mount_attr a = {.attr_set = set, .attr_clr = clr, .propagation = propagation};

	return mount_setattr(fd, "", AT_EMPTY_PATH | (rec ? AT_RECURSIVE : 0), &a, sizeof(a));
}

int mount_propagate(int fd, unsigned long flags)
{
	return mount_set(fd, flags & MS_REC, 0, 0, flags & ~(unsigned long)MS_REC);
}

int mount_attrs(int fd, const struct oci_mount *m, bool bind, bool user_ns, struct err *e)
{
	if (bind && (m->attr_set || m->attr_clr)) {
		/*
		 * Like `mount --bind -o`: flags not asked for go, unless they are locked. In
		 * a user namespace they would be (mount_namespaces(7)), so they stay there.
		 */
		u64 usual = MOUNT_ATTR_NOSYMFOLLOW | (user_ns ? 0 : LOCKABLE);
		u64 all = m->attr_clr | (usual & ~m->attr_set);

		if (mount_set(fd, false, m->attr_set, all, 0) &&
		    (errno != EPERM || mount_set(fd, false, m->attr_set, m->attr_clr, 0)))
			return err_errno(e, "mount %s: set its flags", m->dest);
	}
	if ((m->rec_set || m->rec_clr) && mount_set(fd, true, m->rec_set, m->rec_clr, 0))
		return err_errno(e, "mount %s: set its recursive flags", m->dest);
	for (int i = 0; m->propagation[i]; i++)
		if (mount_propagate(fd, m->propagation[i]))
			return err_errno(e, "mount %s: set its propagation", m->dest);
	return 0;
}

/* ---- one mount ---------------------------------------------------------- */

/* Files of procfs that lxcfs and others may put something over, as in runc. */
static bool proc_file_ok(const char *dest)
{
	static const char *const ok[] = {"cpuinfo",
					 "diskstats",
					 "meminfo",
					 "stat",
					 "swaps",
					 "uptime",
					 "loadavg",
					 "slabinfo",
					 "sys/kernel/ns_last_pid",
					 "net/dev",
					 "sys/crypto/fips_enabled"};

	for (size_t i = 0; i < ARRAY_LEN(ok); i++)
		if (!strcmp(dest, ok[i]))
			return true;
	return false;
}

/* A name without its leading, doubled and trailing slashes. */
static void tidy(const char *in, char *out, size_t size)
{
	size_t n = 0;

	while (*in && n + 1 < size) {
		while (*in == '/' && (in[1] == '/' || !in[1] || !n))
			in++;
		if (!*in)
			break;
		out[n++] = *in++;
	}
	out[n] = 0;
}

/* Nothing but the listed files may be hidden in procfs, whatever the path looks like. */
static int check_dest(const struct oci_mount *m, int root, int dest, struct err *e)
{
	struct stat a, b;
	struct statfs fs;
	char name[4096];

	if (fstat(dest, &a) || fstat(root, &b) || fstatfs(dest, &fs))
		return err_errno(e, "mount %s: stat", m->dest);
	if (a.st_ino == b.st_ino && a.st_dev == b.st_dev)
		return err_set(e, EINVAL, "mount %s: is on top of the root", m->dest);
	if (fs.f_type != PROC_SUPER_MAGIC || !m->type)
		return 0;
	tidy(m->dest, name, sizeof(name));
	if (!strcmp(name, "proc"))
		return 0; /* over another procfs: allowed for proc and bind, checked there */
	if (!strncmp(name, "proc/", 5) && proc_file_ok(name + 5))
		return 0;
	return err_set(e, EPERM, "mount %s: cannot be mounted because it is inside /proc", m->dest);
}

static int open_dest(struct oci_plan *p, int root, const struct oci_mount *m, bool file,
		     struct err *e)
{
	bool special = m->type && (!strcmp(m->type, "proc") || !strcmp(m->type, "sysfs"));
	struct stat st;
	int fd, ret;

	if (special || m->dest_nofollow) {
		fd = root_open(root, m->dest, O_PATH | O_NOFOLLOW, 0);
		if (special && fd >= 0 && (fstat(fd, &st) || !S_ISDIR(st.st_mode))) {
			close(fd);
			return err_set(
				e, ENOTDIR,
				"filesystem \"%s\" must be mounted on ordinary directory (%s "
				"is not)",
				m->type, m->dest);
		}
		if (fd == -ENOENT)
			fd = file ? root_make_file(root, m->dest)
				  : root_make_dir(root, m->dest, 0755);
	} else {
		fd = file ? root_make_file(root, m->dest) : root_make_dir(root, m->dest, 0755);
	}
	if (fd < 0) {
		errno = -fd;
		return err_errno(e, "create mount destination for %s", m->dest);
	}
	ret = check_dest(m, root, fd, e);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int put(int mnt, int dest, const struct oci_mount *m, struct err *e)
{
	if (move_mount(mnt, "", dest, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		return err_errno(e, "mount %s (%s) to rootfs", m->dest, m->source ? m->source : "");
	return 0;
}

/* crun's copy-symlink: the link itself instead of what it leads to. */
static int put_symlink(struct oci_plan *p, int root, const struct oci_mount *m, struct err *e)
{
	char target[4096];
	const char *name;
	ssize_t n = readlinkat(p->bundle_fd, m->source, target, sizeof(target) - 1);
	int dir;

	if (n < 0)
		return err_errno(e, "mount %s: read link %s", m->dest, m->source);
	target[n] = 0;
	dir = root_make_parent(root, m->dest, &name);
	if (dir < 0)
		return err_errno(e, "mount %s", m->dest);
	if (symlinkat(target, dir, name) && errno != EEXIST)
		err_errno(e, "mount %s: make link", m->dest);
	else
		e = NULL;
	close(dir);
	return e ? -e->status : 0;
}

static int mount_bind(struct oci_plan *p, int root, unsigned i, struct err *e)
{
	const struct oci_mount *m = &p->config->mounts[i];
	struct statfs fs;
	struct stat st;
	int dest, ret;

	if (m->copy_symlink && fstatat(p->bundle_fd, m->source, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return put_symlink(p, root, m, e);
	if (p->binds[i] < 0)
		p->binds[i] = mount_clone(p->bundle_fd, m->source, m->rec, m->src_nofollow);
	if (p->binds[i] < 0 || fstat(p->binds[i], &st))
		return err_errno(e, "mount %s: bind source %s", m->dest, m->source);
	/* Only a procfs may stand in for /proc. */
	if (fstatfs(p->binds[i], &fs) == 0 && fs.f_type != PROC_SUPER_MAGIC) {
		char name[4096];

		tidy(m->dest, name, sizeof(name));
		if (!strcmp(name, "proc"))
			return err_set(e, EPERM, "mount %s: is not of type proc", m->dest);
	}
	/* Slave of the host unless something else is said: nothing goes back. */
	if (!(p->config->rootfs_propagation & MS_SHARED) &&
	    mount_set(p->binds[i], true, 0, 0,
		      p->config->rootfs_propagation & MS_PRIVATE ? MS_PRIVATE : MS_SLAVE))
		return err_errno(e, "mount %s: detach from the host", m->dest);
	ret = mount_attrs(p->binds[i], m, true, p->config->ns_flags & CLONE_NEWUSER, e);
	if (ret)
		return ret;
	dest = open_dest(p, root, m, !S_ISDIR(st.st_mode), e);
	if (dest < 0)
		return dest;
	ret = put(p->binds[i], dest, m, e);
	close(dest);
	fd_close(&p->binds[i]);
	return ret;
}

/* Options without one, for a second try. */
static char *without(const char *data, const char *option)
{
	size_t len = strlen(option), n = 0;
	char *out = calloc(1, strlen(data) + 1), *save = NULL, *copy = strdup(data);

	for (char *s = copy ? strtok_r(copy, ",", &save) : NULL; s && out;
	     s = strtok_r(NULL, ",", &save))
		if (strncmp(s, option, len))
			n += (size_t)sprintf(out + n, "%s%s", n ? "," : "", s);
	free(copy);
	return out;
}

/* What a user namespace may not do, done the way it may: sysfs and cgroups bound, devpts without
 * gid. */
static int mount_fallback(struct oci_plan *p, const struct oci_mount *m, int dest)
{
	int keep = errno, tree, ret = -1;
	char *data;

	if (m->type && !strcmp(m->type, "devpts") && m->data && strstr(m->data, "gid=")) {
		data = without(m->data, "gid=");
		ret = mount(m->source, ".", m->type, m->flags, data);
		free(data);
		return ret;
	}
	if (!m->type || strcmp(m->type, "sysfs") || keep != EPERM) {
		errno = keep;
		return -1;
	}
	tree = mount_clone(AT_FDCWD, "/sys", true, false);
	if (tree >= 0)
		ret = move_mount(tree, "", dest, "",
				 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	fd_close(&tree);
	errno = keep;
	return ret;
}

bool mount_is_dev(const struct oci_mount *m)
{
	char name[16];

	tidy(m->dest, name, sizeof(name));
	return !m->bind && !strcmp(name, "dev");
}

static bool has_mode(const char *data)
{
	return data && (!strncmp(data, "mode=", 5) || strstr(data, ",mode="));
}

/* A tmpfs without a mode has that of the directory it covers. malloc'ed, or m->data. */
static char *tmpfs_data(int root, const struct oci_mount *m)
{
	struct stat st;
	char *out;
	int fd;

	if (strcmp(m->type, "tmpfs") || has_mode(m->data))
		return m->data;
	fd = root_open(root, m->dest, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 || fstat(fd, &st) ||
	    asprintf(&out, "%s%smode=%o", m->data, *m->data ? "," : "", st.st_mode & 07777) < 0)
		out = m->data;
	fd_close(&fd);
	return out;
}

static int mount_plain(struct oci_plan *p, const struct oci_mount *m, int dest, char *data,
		       struct err *e)
{
	const char *source = m->source ? m->source : m->type;
	unsigned long flags = mount_is_dev(m) ? m->flags & ~(unsigned long)MS_RDONLY : m->flags;
	char *plain = data;
	int ret;

	if (p->config->mount_label && p->config->mount_label[0] && m->type &&
	    (!strcmp(m->type, "tmpfs") || !strcmp(m->type, "mqueue") ||
	     !strcmp(m->type, "devpts")) &&
	    access("/sys/fs/selinux/enforce", F_OK) == 0 &&
	    asprintf(&data, "%s%scontext=\"%s\"", plain, *plain ? "," : "",
		     p->config->mount_label) < 0)
		return err_set(e, ENOMEM, "out of memory");
	/* The directory is held, not named: "." is what was resolved and nothing else. */
	if (fchdir(dest))
		return err_errno(e, "mount %s", m->dest);
	ret = mount(source, ".", m->type, flags, data && *data ? data : NULL);
	if (ret)
		ret = mount_fallback(p, m, dest);
	if (ret)
		ret = err_errno(e, "mount %s (%s, %s) to rootfs", m->dest, m->type, data);
	if (data != plain)
		free(data);
	return ret;
}

/* With the new mount's own descriptor: what must be done to it before or after it is put. */
static int mount_by_fd(const struct oci_mount *m, int dest, const char *data, struct err *e)
{
	unsigned long flags = mount_is_dev(m) ? m->flags & ~(unsigned long)MS_RDONLY : m->flags;
	int fd = mount_new(m, flags, data, e), ret;

	if (fd < 0)
		return fd;
	ret = m->copyup ? mount_copy_up(dest, fd, e) : 0;
	if (!ret && m->copyup && flags & MS_RDONLY && mount_set(fd, false, MOUNT_ATTR_RDONLY, 0, 0))
		ret = err_errno(e, "mount %s: make it read-only", m->dest);
	if (!ret)
		ret = mount_attrs(fd, m, false, false, e);
	if (!ret)
		ret = put(fd, dest, m, e);
	close(fd);
	return ret;
}

/* Flags of what is mounted there already, and propagation alone. */
static int remount(int root, const struct oci_mount *m, struct err *e)
{
	int fd = root_open(root, m->dest, O_PATH, 0), ret;

	if (fd < 0)
		return err_errno(e, "mount %s", m->dest);
	if (m->remount && !m->bind && (m->data && *m->data)) {
		ret = fchdir(fd) || mount(NULL, ".", NULL, m->flags | MS_REMOUNT, m->data);
	} else {
		ret = (m->attr_set || m->attr_clr) &&
		      mount_set(fd, m->rec, m->attr_set, m->attr_clr, 0);
	}
	if (ret)
		ret = err_errno(e, "remount %s", m->dest);
	for (int i = 0; m->propagation[i] && !ret; i++)
		if (mount_propagate(fd, m->propagation[i]))
			ret = err_errno(e, "mount %s: set its propagation", m->dest);
	close(fd);
	return ret;
}

static int mount_one(struct oci_plan *p, int root, unsigned i, struct err *e)
{
	const struct oci_mount *m = &p->config->mounts[i];
	char *data;
	int dest, ret;

	if (m->remount || (!m->type && !m->bind))
		return remount(root, m, e);
	if (m->bind)
		return mount_bind(p, root, i, e);
	data = tmpfs_data(root, m);
	dest = open_dest(p, root, m, false, e);
	if (dest < 0)
		ret = dest;
	else if (!strcmp(m->type, "cgroup") || !strcmp(m->type, "cgroup2"))
		ret = mount_cgroup(p, root, m, dest, e);
	else if (m->copyup || m->propagation[0] || m->rec_set || m->rec_clr)
		ret = mount_by_fd(m, dest, data, e);
	else
		ret = mount_plain(p, m, dest, data, e);
	fd_close(&dest);
	if (data != m->data)
		free(data);
	return ret;
}

int mount_all(struct oci_plan *p, int root, struct err *e)
{
	for (unsigned i = 0; i < p->config->nmounts; i++) {
		int ret = mount_one(p, root, i, e);

		if (ret)
			return ret;
	}
	return 0;
}
