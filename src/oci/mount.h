/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of a container. plan_open (plan.c) clones the host's trees while
 * the runtime still has the host's rights; the rest runs in the container's
 * first process, in its own mount namespace, in the order of init.c.
 */
#ifndef HULL_OCI_MOUNT_H
#define HULL_OCI_MOUNT_H

#include "oci/plan.h"

/* A tree of the host, detached: fd or -1. rec: with what is mounted below. */
int mount_clone(int dir, const char *path, bool rec, bool nofollow);

/* mount_root.c: puts the root's tree on top of "/" without entering it: fd of its root, or -errno.
 */
int mount_attach_root(struct oci_plan *p, struct err *e);
/* config.mounts below root. */
int mount_all(struct oci_plan *p, int root, struct err *e);
/* mount_restrict.c: maskedPaths and readonlyPaths. */
int mount_restrict(struct oci_plan *p, int root, struct err *e);
/* Makes root "/" and lets go of the host's tree; then read-only if asked. */
int mount_enter_root(struct oci_plan *p, int root, struct err *e);

/* dev.c: device nodes and links; the terminal's slave on /dev/console. */
int dev_create(struct oci_plan *p, int root, struct err *e);
int dev_console(int root, int slave, struct err *e);

/* mount_cgroup.c: a mount of type cgroup on whatever the host has. */
int mount_cgroup(struct oci_plan *p, int root, const struct oci_mount *m, int dest, struct err *e);
/* mount_new.c: a file system as a detached mount fd, and tmpfs filled from what it hides. */
int mount_new(const struct oci_mount *m, unsigned long flags, const char *data, struct err *e);
int mount_copy_up(int from, int to, struct err *e);

/* Applies propagation, attributes, recursive attributes to a mount fd. user_ns: the container has
 * one.
 */
int mount_attrs(int fd, const struct oci_mount *m, bool bind, bool user_ns, struct err *e);
/* mount_setattr(2) on an fd. -1 with errno. */
int mount_set(int fd, bool rec, u64 set, u64 clr, u64 propagation);
/* One propagation type, MS_REC with it or not: mount_setattr wants that apart. -1 with errno. */
int mount_propagate(int fd, unsigned long flags);
/* A new /dev: it is filled before it becomes read-only (mount_restrict). */
bool mount_is_dev(const struct oci_mount *m);

#endif
