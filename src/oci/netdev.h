/* SPDX-License-Identifier: Apache-2.0 */
/* linux.netDevices: the host's network devices in the container. */
#ifndef HULL_OCI_NETDEV_H
#define HULL_OCI_NETDEV_H

#include "oci/config.h"

/*
 * Moves the config's devices into the network namespace of the process, renamed as the
 * config says, with their permanent global addresses, up. proc: the host's procfs. The
 * calling thread changes its network namespace for a moment.
 */
int netdev_move_all(const struct oci_config *c, int proc, pid_t pid, struct err *e);

#endif
