/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The translator's interface for builds without one: interpret only. With
 * jit_create giving NULL none of the others is called.
 */
#include "engine/jit/x86/cpu.h"

struct jit *jit_create(struct x86_vm *vm, u64 cache_bytes)
{
	(void)vm;
	(void)cache_bytes;
	return NULL;
}

void jit_destroy(struct jit *j)
{
	(void)j;
}

int jit_vcpu_init(struct x86_vcpu *c)
{
	(void)c;
	return 0;
}

void jit_vcpu_fini(struct x86_vcpu *c)
{
	(void)c;
}

void jit_run(struct x86_vcpu *c)
{
	(void)c;
}

void jit_page_written(struct x86_vm *vm, u64 gpa)
{
	(void)vm;
	(void)gpa;
}

void jit_tlb_flushed(struct x86_vcpu *c)
{
	(void)c;
}

void jit_tlb_flushed_page(struct x86_vcpu *c, u64 linear)
{
	(void)c;
	(void)linear;
}
