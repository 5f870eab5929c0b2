/* SPDX-License-Identifier: Apache-2.0 */
/* An engine of POWER CPUs that only takes note of what a board asks of it. */
#ifndef HULL_TESTS_PPC_FAKE_H
#define HULL_TESTS_PPC_FAKE_H

#include "core/engine.h"

struct engine_vm {
	unsigned hpt_shift;
};

struct engine_vcpu {
	struct vcpu_bus bus;
	bool irq, stopped, nmi;
	u64 nip, arg;
	unsigned resets, timers;
};

static struct engine_vm the_vm;
static struct engine_vcpu cpus[4];

static int fake_vm_create(const struct engine_vm_config *cfg, struct engine_vm **vm)
{
	the_vm.hpt_shift = cfg->hpt_shift;
	*vm = &the_vm;
	return 0;
}

static void fake_vm_destroy(struct engine_vm *vm)
{
}

static int fake_create(struct engine_vm *vm, unsigned i, const struct vcpu_bus *bus,
		       struct engine_vcpu **v)
{
	cpus[i] = (struct engine_vcpu){.bus = *bus};
	*v = &cpus[i];
	return 0;
}

static void fake_destroy(struct engine_vcpu *v)
{
}

static void fake_reset(struct engine_vcpu *v)
{
	v->resets++;
	v->stopped = true;
}

static void fake_irq(struct engine_vcpu *v, bool level)
{
	v->irq = level;
}

static void fake_nmi(struct engine_vcpu *v)
{
	v->nmi = true;
}

static int fake_start(struct engine_vcpu *v, u64 nip, u64 arg)
{
	if (!v->stopped)
		return -E_BUSY;
	v->stopped = false;
	v->nip = nip;
	v->arg = arg;
	return 0;
}

static void fake_stop(struct engine_vcpu *v)
{
	v->stopped = true;
}

static bool fake_stopped(const struct engine_vcpu *v)
{
	return v->stopped;
}

static void fake_timer(struct engine_vcpu *v)
{
	v->timers++;
}

static const struct engine_ops fake_ops = {
	.name = "fake",
	.arch = ENGINE_ARCH_PPC64,
	.vm_create = fake_vm_create,
	.vm_destroy = fake_vm_destroy,
	.vcpu_create = fake_create,
	.vcpu_destroy = fake_destroy,
	.vcpu_reset = fake_reset,
	.vcpu_irq = fake_irq,
	.vcpu_nmi = fake_nmi,
	.vcpu_start = fake_start,
	.vcpu_stop = fake_stop,
	.vcpu_stopped = fake_stopped,
	.vcpu_timer = fake_timer,
};

#endif
