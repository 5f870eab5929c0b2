/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engines this program has, and the choice among them.
 */
#ifndef HULL_VM_ENGINES_H
#define HULL_VM_ENGINES_H

#include "core/engine.h"
#include "host/err.h"
#include "vm/config.h"

enum { ENGINES = 2 };
extern const struct engine_ops *const engines_all[ENGINES]; /* in order of preference */

/*
 * The engine for a choice. auto takes kvm only if a probe finds that it really
 * virtualizes; else jit, with one log line why. A named engine must be usable.
 * kvm_device: NULL = /dev/kvm.
 */
int engines_choose(enum vm_engine choice, const char *kvm_device, const struct engine_ops **out,
		   struct err *e);

#endif
