/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount of type cgroup. On v2 it is one file system; on v1 a tmpfs with a
 * directory a hierarchy, of which the container sees its own part: by its
 * cgroup namespace, or without one by a bind mount of its own directory.
 */
#include "oci/mount.h"
#include "oci/root.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static int bind_dir(const char *path, int dest, bool ro, u64 attrs)
{
	int tree = mount_clone(AT_FDCWD, path, false, false), ret;
	bool rec = false;

	/* In a user namespace what covers parts of it must come along (mount_namespaces(7)). */
	if (tree < 0 && errno == EINVAL) {
		rec = true;
		tree = mount_clone(AT_FDCWD, path, true, false);
	}
	if (tree < 0)
		return -1;
	ret = mount_set(tree, rec, attrs | (ro ? MOUNT_ATTR_RDONLY : 0), 0, 0) ||
	      move_mount(tree, "", dest, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	close(tree);
	return ret ? -1 : 0;
}

#define SAFE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static int mount_v2(struct oci_plan *p, const struct oci_mount *m, int dest, struct err *e)
{
	const struct cgroup_dir *d = cgroup_find(p->cgroup, "");
	bool ro = m->flags & MS_RDONLY;
	bool own_ns = p->config->ns_flags & CLONE_NEWCGROUP;

	if (own_ns || !d) {
		if (fchdir(dest))
			return err_errno(e, "mount %s", m->dest);
		if (mount("cgroup2", ".", "cgroup2", m->flags, NULL) == 0)
			return 0;
		if (errno != EPERM && errno != EBUSY)
			return err_errno(e, "mount %s (cgroup2)", m->dest);
	}
	if (bind_dir(d && !own_ns ? d->path : "/sys/fs/cgroup", dest, ro, SAFE))
		return err_errno(e, "mount %s: bind the cgroup", m->dest);
	return 0;
}

/* Last part of a hierarchy's mount point: "cpu,cpuacct", "systemd". */
static void mount_name(const struct cgroup_dir *d, char *out, size_t size)
{
	const char *end = d->path + d->mount_len, *s = end;

	while (s > d->path && s[-1] != '/')
		s--;
	snprintf(out, size, "%.*s", (int)(end - s), s);
}

static int mount_v1_one(struct oci_plan *p, const struct oci_mount *m, const struct cgroup_dir *d,
			int top, struct err *e)
{
	bool ro = m->flags & MS_RDONLY;
	char name[256], data[256];
	int dir, ret;

	mount_name(d, name, sizeof(name));
	if (mkdirat(top, name, 0755) && errno != EEXIST)
		return err_errno(e, "mount %s: mkdir %s", m->dest, name);
	dir = openat(top, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_errno(e, "mount %s: %s", m->dest, name);
	if (p->config->ns_flags & CLONE_NEWCGROUP) {
		snprintf(data, sizeof(data), "%s%s", d->controllers,
			 !strcmp(d->controllers, "name=systemd") ? ",xattr" : "");
		ret = fchdir(dir) || mount("cgroup", ".", "cgroup", m->flags, data);
		if (ret && errno == EPERM)
			ret = bind_dir(d->path, dir, ro, SAFE);
	} else {
		ret = bind_dir(d->path, dir, ro, SAFE);
	}
	if (ret)
		ret = err_errno(e, "mount %s: hierarchy %s", m->dest, d->controllers);
	close(dir);
	return ret;
}

/* cpu -> cpu,cpuacct and so on, for programs that look for one controller. */
static int link_parts(const struct cgroup_dir *d, int top)
{
	char name[256], copy[256], *save = NULL;

	mount_name(d, name, sizeof(name));
	snprintf(copy, sizeof(copy), "%s", d->controllers);
	if (!strchr(copy, ',') || !strncmp(copy, "name=", 5))
		return 0;
	for (char *s = strtok_r(copy, ",", &save); s; s = strtok_r(NULL, ",", &save))
		if (strcmp(s, name) && symlinkat(name, top, s) && errno != EEXIST)
			return -1;
	return 0;
}

static int mount_v1(struct oci_plan *p, const struct oci_mount *m, int dest, struct err *e)
{
	static const struct oci_mount tmpfs = {
		.dest = "cgroup", .type = "tmpfs", .source = "tmpfs"};
	int top = mount_new(&tmpfs, m->flags & ~(unsigned long)MS_RDONLY, "mode=755", e), ret = 0;

	if (top < 0)
		return top;
	/* Attached first: older kernels mount nothing on a detached tree. */
	if (move_mount(top, "", dest, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		ret = err_errno(e, "mount %s", m->dest);
	for (unsigned i = 0; i < p->cgroup->n && !ret; i++) {
		const struct cgroup_dir *d = &p->cgroup->d[i];

		if (!d->controllers[0])
			continue;
		ret = mount_v1_one(p, m, d, top, e);
		if (!ret && link_parts(d, top))
			ret = err_errno(e, "mount %s: link", m->dest);
	}
	if (!ret && m->flags & MS_RDONLY && mount_set(top, false, MOUNT_ATTR_RDONLY, 0, 0))
		ret = err_errno(e, "mount %s: make it read-only", m->dest);
	close(top);
	return ret;
}

int mount_cgroup(struct oci_plan *p, int root, const struct oci_mount *m, int dest, struct err *e)
{
	if (!strcmp(m->type, "cgroup2") || !p->cgroup->n || p->cgroup->v2)
		return mount_v2(p, m, dest, e);
	return mount_v1(p, m, dest, e);
}
