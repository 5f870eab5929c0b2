/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals: the pty a container's process gets, and where its master goes. */
#ifndef HULL_OCI_CONSOLE_H
#define HULL_OCI_CONSOLE_H

#include "oci/config.h"

/*
 * plain: newlines stay as they are (no ONLCR), for output that goes to no terminal.
 * A pty of the devpts below root (an fd of "/" of the container): *master, and
 * the slave as return value.
 */
int console_open(int root, const struct oci_process *process, bool plain, int *master,
		 struct err *e);
/* The master over a connected AF_UNIX socket, as runc sends it. */
int console_send(int socket, int master, struct err *e);
/* Session leader with the slave as controlling terminal and as 0, 1, 2. Closes slave. */
int console_adopt(int slave, struct err *e);

/* For the caller of create: connects to the socket at path. */
int console_connect(const char *path, struct err *e);

#endif
