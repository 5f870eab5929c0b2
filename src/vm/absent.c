/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for parts that this build does not have: engines and boards that
 * say so. Chosen by src/vm/meson.build.
 */
#include "machine/pc.h"

#include <errno.h>
#include <stdio.h>

#if !HAVE_ENGINE_JIT || !HAVE_ENGINE_KVM
static void absent_probe(struct engine_info *info, const char *device)
{
	*info = (struct engine_info){.name = "absent"};
	snprintf(info->note, sizeof(info->note), "not in this build");
}
#endif

#if !HAVE_ENGINE_JIT
const struct engine_ops engine_jit_ops = {.name = "jit", .probe = absent_probe};
#endif

#if !HAVE_ENGINE_KVM
const struct engine_ops engine_kvm_ops = {.name = "kvm", .probe = absent_probe};
#endif

#if !HAVE_PC
int pc_create(const struct pc_config *cfg, struct pc **out, struct err *e)
{
	return err_set(e, ENOSYS, "board pc: not in this build");
}

void pc_destroy(struct pc *pc)
{
}

int pc_reset(struct pc *pc, struct err *e)
{
	return -ENOSYS;
}

struct engine_vcpu *const *pc_vcpus(const struct pc *pc)
{
	return NULL;
}

const char *pc_boot_name(const struct pc *pc)
{
	return "";
}

void pc_power_button(struct pc *pc)
{
}
#endif
