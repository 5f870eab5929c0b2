/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths below a container's root, which its image and its neighbours may
 * change at any time. Every name is resolved by the kernel with the root as
 * "/" (openat2 RESOLVE_IN_ROOT) and without magic links; what comes back is a
 * descriptor, and only that is acted on.
 */
#ifndef HULL_OCI_ROOT_H
#define HULL_OCI_ROOT_H

#include "oci/sys.h"

/* fd, or -errno with errno set. flags as open(2), O_CLOEXEC added; mode for O_CREAT. */
int root_open(int root, const char *path, int flags, unsigned mode);

/*
 * O_PATH descriptor of a directory; what is missing of it is made with mode
 * 0755. -errno with errno set.
 */
int root_make_dir(int root, const char *path, unsigned mode);
/* The same for an empty regular file and the directories to it. An existing one of any kind is
 * fine. */
int root_make_file(int root, const char *path);
/*
 * Opens the directory that path's last component is in, making it if missing; *name
 * points to that component inside path. -EINVAL for "/", "." and "..".
 */
int root_make_parent(int root, const char *path, const char **name);

#endif
