/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c's helper: vCPU state in and out. Private to engine/jit. */
#ifndef HULL_ENGINE_JIT_ENGINE_STATE_H
#define HULL_ENGINE_JIT_ENGINE_STATE_H

#include "engine/jit/x86/cpu.h"

/* Fill *s. Never fails today; 0. */
int engine_jit_get_state(struct x86_vcpu *c, struct x86_state *s);
/* -E_INVAL, with nothing changed, if the state cannot be this CPU's. */
int engine_jit_set_state(struct x86_vcpu *c, const struct x86_state *s);

#endif
