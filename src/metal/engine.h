/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The engine the board gets: the core (core/hv.h) on this machine's CPUs. */
#ifndef HULL_METAL_ENGINE_H
#define HULL_METAL_ENGINE_H

#include "core/engine_ops.h"

/* vcpu_run is NULL: sched.c runs vCPUs. */
extern const struct engine_ops engine_metal_ops;

#endif
