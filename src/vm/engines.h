/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engines this program has, and the choice among them.
 */
#ifndef HULL_VM_ENGINES_H
#define HULL_VM_ENGINES_H

#include "core/engine.h"
#include "host/err.h"
#include "vm/config.h"

enum { ENGINES = 2 };					    /* for the host's own architecture */
extern const struct engine_ops *const engines_all[ENGINES]; /* in order of preference */

/*
 * The engine for a guest architecture and a choice. auto takes kvm only if a probe finds that it
 * really virtualizes; else jit, with one log line why. A named engine must be usable. Other
 * architectures than x86-64 have the software CPU only.
 */
int engines_choose(const struct vm_config *cfg, const struct engine_ops **out, struct err *e);

#endif
