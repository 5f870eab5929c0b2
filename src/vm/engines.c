/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/engines.h"

#include <errno.h>
#include <stdio.h>

const struct engine_ops *const engines_all[ENGINES] = {&engine_kvm_ops, &engine_jit_ops};

static int engine_named(const struct engine_ops *ops, const char *device,
			const struct engine_ops **out, struct err *e)
{
	struct engine_info info = {0};

	ops->probe(&info, device);
	if (!info.usable)
		return err_set(e, ENODEV, "engine %s: %s", ops->name,
			       info.note[0] ? info.note : "not usable on this host");
	*out = ops;
	return 0;
}

int engines_choose(const struct vm_config *cfg, const struct engine_ops **out, struct err *e)
{
	const char *kvm_device = cfg->kvm_device;
	enum vm_engine choice = cfg->engine;
	struct engine_info kvm = {0};

	if (cfg->arch == VM_ARCH_PPC64)
		return engine_named(&engine_ppc_ops, NULL, out, e);
	if (choice == VM_ENGINE_KVM)
		return engine_named(&engine_kvm_ops, kvm_device, out, e);
	if (choice == VM_ENGINE_JIT)
		return engine_named(&engine_jit_ops, NULL, out, e);
	engine_kvm_ops.probe(&kvm, kvm_device);
	if (kvm.usable && kvm.fast) {
		*out = &engine_kvm_ops;
		return 0;
	}
	fprintf(stderr, "hull: engine jit, not kvm: %s\n",
		kvm.note[0] ? kvm.note : "not usable on this host");
	return engine_named(&engine_jit_ops, NULL, out, e);
}
