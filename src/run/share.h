/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of machines: a process for each that serves one directory (or one
 * file, as a directory with `file` in it) by the FUSE protocol over a socket
 * (block/share.h), to a guest that is hostile.
 *
 * The process sees nothing but that directory: own mount name space, the
 * directory as its root, no way to exec, no network. Files are reached only by
 * descriptors of their parents and single names that are never followed; only
 * regular files and directories are ever opened.
 */
#ifndef HULL_RUN_SHARE_H
#define HULL_RUN_SHARE_H

#include "host/err.h"

#include <sys/types.h>

/*
 * Starts the process for host (absolute). *fd is the other end of its socket;
 * when that closes the process ends. It is a child of the caller. ppc64: the guest
 * is a POWER machine, whose kernel sends its own numbers of open flags.
 */
int share_start(const char *host, bool read_only, bool ppc64, int *fd, pid_t *pid, struct err *e);

/*
 * For tests: serves requests from fd below the directory root until fd closes.
 * proc is an open /proc/self/fd.
 */
void share_serve(int fd, int root, int proc, bool read_only, bool ppc64);

#endif
