/* SPDX-License-Identifier: Apache-2.0 */
/* The program that a container's process becomes: where it is, and with what environment. For
 * init.c. */
#ifndef HULL_OCI_PROGRAM_H
#define HULL_OCI_PROGRAM_H

#include "oci/config.h"

/* execvp's search, done before the start so that create can report a program that is not there. */
int program_find(const struct oci_process *pr, char *out, size_t size, struct err *e);
/*
 * The environment with HOME if it has none and LISTEN_* for that many sockets,
 * malloc'ed (exec ends the process or it dies), or pr->env.v itself.
 */
const char **program_env(const struct oci_process *pr, int listen_fds);
/* strerror as Go's programs write it, whose words engines look for. Returns out. */
const char *program_reason(int error, char *out, size_t size);

#endif
