/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/plan.h"
#include "oci/mount.h"
#include "oci/ns.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

void plan_init(struct oci_plan *p)
{
	*p = (struct oci_plan){.proc = -1,
			       .bundle_fd = -1,
			       .rootfs = -1,
			       .sync = -1,
			       .start = -1,
			       .door = -1,
			       .old_root = -1,
			       .console_socket = -1,
			       .join_pidfd = -1,
			       .interpreter = -1,
			       .stdio = {-1, -1, -1}};
	for (int i = 0; i < NS_COUNT; i++)
		p->ns_fd[i] = p->held[i] = -1;
}

/*
 * A process in a user namespace has lost the host's rights: what it mounts from
 * the host is cloned before. Otherwise it does that itself, in the config's order.
 */
static bool early(const struct oci_plan *p)
{
	/* An unbindable mount (MS_UNBINDABLE spreads over "/") could not be cloned later either. */
	return p->config->ns_flags & CLONE_NEWUSER || p->config->rootfs_propagation & MS_UNBINDABLE;
}

static int open_rootfs(struct oci_plan *p, struct err *e)
{
	const char *path = p->config->rootfs;
	struct stat st;

	if (fstatat(p->bundle_fd, path, &st, 0) || !S_ISDIR(st.st_mode))
		return err_set(e, ENOENT, "root.path %s: is no directory below %s", path,
			       p->bundle);
	if (!(p->config->ns_flags & CLONE_NEWNS))
		return 0;
	if (!early(p))
		return 0;
	p->rootfs = mount_clone(p->bundle_fd, path, true, false);
	return p->rootfs >= 0 || errno == EPERM ? 0 : err_errno(e, "clone the mount of %s", path);
}

/* Of the mount's own map, or of the user namespace that is joined; -1: the container's, yet to be.
 */
static int idmap_fd(const struct oci_plan *p, const struct oci_mount *m, struct err *e)
{
	if (m->maps.nuid)
		return ns_user_fd(p, &m->maps, e);
	for (unsigned i = 0; i < p->config->nns; i++)
		if (p->config->ns[i].flag == CLONE_NEWUSER && p->ns_fd[i] >= 0) {
			int fd = fcntl(p->ns_fd[i], F_DUPFD_CLOEXEC, 3);

			return fd < 0 ? err_errno(e, "the user namespace to join") : fd;
		}
	return -1;
}

static int open_bind(struct oci_plan *p, unsigned i, struct err *e)
{
	const struct oci_mount *m = &p->config->mounts[i];
	struct stat st;
	int user;

	if (m->copy_symlink && fstatat(p->bundle_fd, m->source, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return 0;
	p->binds[i] = mount_clone(p->bundle_fd, m->source, m->rec, m->src_nofollow);
	/* Without the right to clone here, the process tries with its own. */
	if (p->binds[i] < 0)
		return errno == EPERM && !m->idmap
			       ? 0
			       : err_errno(e, "mount %s: bind source %s", m->dest, m->source);
	if (!m->idmap)
		return 0;
	user = idmap_fd(p, m, e);
	if (user < 0)
		return user == -1 ? 0 : user;
	struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (u64)user};

	if (mount_setattr(p->binds[i], "", AT_EMPTY_PATH | (m->idmap_rec ? AT_RECURSIVE : 0), &a,
			  sizeof(a)))
		err_errno(e, "mount %s: id-map %s", m->dest, m->source);
	else
		e = NULL;
	close(user);
	return e ? -e->status : 0;
}

int plan_open(struct oci_plan *p, struct err *e)
{
	const struct oci_config *c = p->config;
	int ret;

	if (p->proc < 0)
		p->proc = proc_open(e);
	if (p->proc < 0)
		return p->proc;
	p->bundle_fd = open(p->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->bundle_fd < 0)
		return err_errno(e, "bundle %s", p->bundle);
	p->binds = malloc((c->nmounts + 1) * sizeof(*p->binds));
	if (!p->binds)
		return err_set(e, ENOMEM, "out of memory");
	for (unsigned i = 0; i < c->nmounts; i++)
		p->binds[i] = -1;
	ret = ns_plan(p, e);
	if (!ret)
		ret = open_rootfs(p, e);
	for (unsigned i = 0; i < c->nmounts && !ret; i++) {
		const struct oci_mount *m = &c->mounts[i];

		if (m->bind && !m->remount && (early(p) || m->idmap))
			ret = open_bind(p, i, e);
	}
	return ret;
}

void plan_close(struct oci_plan *p)
{
	for (unsigned i = 0; p->binds && i < p->config->nmounts; i++)
		fd_close(&p->binds[i]);
	free(p->binds);
	p->binds = NULL;
	for (int i = 0; i < NS_COUNT; i++)
		fd_close(&p->ns_fd[i]), fd_close(&p->held[i]);
	fd_close(&p->door);
	fd_close(&p->proc);
	fd_close(&p->bundle_fd);
	fd_close(&p->rootfs);
	fd_close(&p->old_root);
	fd_close(&p->sync);
	seccomp_prog_free(&p->seccomp);
}
