/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initial RAM disk of machines that `hull run` starts: hull-init and the
 * kernel modules it may need, as a cpio archive of the kernel's own format,
 * made once for each kernel and kept in DATA/cache.
 */
#ifndef HULL_RUN_INITRD_H
#define HULL_RUN_INITRD_H

#include "image/kernel.h"

/*
 * Writes the archive's path to path (PATHS_MAX bytes), making it first if need
 * be. arch: the machine's as run_spec has it, NULL: the host's. -ENOENT: hull was
 * built without the hull-init of that architecture.
 */
int initrd_get(const struct kernel_entry *k, const char *arch, char *path, struct err *e);

/*
 * The path of a program of hull's own that is no command for people (hull-init,
 * hull-monitor): beside the running program, else in ../libexec/hull.
 */
int program_path(const char *name, char *path, struct err *e);

#endif
