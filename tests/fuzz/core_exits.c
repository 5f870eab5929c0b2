// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: the virtualization core under a hostile guest. The bytes are the
 * guest's registers, mode, page tables and code, the exits it causes with whatever
 * the hardware could say of them, and what the host answers at once, later or not
 * at all; on SVM and on VMX. The core must come back each time, with its lock free
 * and its pages accounted for.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/input.h"
#include "tests/unit/core/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Addresses near what matters: RAM's and ROM's ends, devices, the top. */
static u64 address(struct input *in)
{
	static const u64 near[] = {0,	     0x1000,	 0x8000,    RIG_RAM, RIG_ROM + 4096,
				   RIG_MMIO, 1ULL << 32, 1ULL << 47};
	u64 base = near[take(in, 1) % ARRAY_LEN(near)];

	return base + (u64)(s16)take(in, 2);
}

static void random_step(struct input *in)
{
	static const u8 lens[] = {0, 0, 1, 2, 3, 15};
	struct rig_step *s = rig_step((int)(take(in, 1) % (STEP_VMCALL + 1)), 0, 0);

	s->in = take(in, 1) & 1;
	s->string = take(in, 1) & 1;
	s->len = lens[take(in, 1) % ARRAY_LEN(lens)];
	switch (s->what) {
	case STEP_IO:
		s->a = take(in, 2);
		s->b = 1u << take(in, 1) % 3;
		break;
	case STEP_NPF:
		s->a = address(in);
		break;
	case STEP_CODE:
		s->a = take(in, 1) & 1 ? take(in, 1) : take(in, 8);
		s->b = take(in, 8);
		break;
	case STEP_EXC:
		s->a = take(in, 1) & 31;
		s->b = take(in, 4);
		break;
	default:
		break;
	}
	if (take(in, 1) & 1)
		s->interrupted = take(in, 8);
}

/* Any mode, with page tables made of the input. */
static void random_state(struct input *in)
{
	static const u32 cs[] = {0x9b, 0xc09b, 0xa09b, 0x9f};
	struct hv_vcpu *v = &rig.v[0];
	u8 mode = (u8)take(in, 1);

	for (unsigned i = 0; i < 16; i++)
		v->gpr[i] = take(in, 1) & 1 ? address(in) : take(in, 8);
	v->st.seg[X86_CS].attr = cs[mode & 3];
	v->st.cr0 = CR0_ET | (mode & 4 ? CR0_PE : 0) | (mode & 8 ? CR0_PE | CR0_PG : 0);
	v->st.cr4 = take(in, 3) & ~(u64)CR4_VMXE;
	v->st.efer = mode & 16 && mode & 8 ? EFER_LME | EFER_LMA | EFER_NXE : 0;
	v->st.cr3 = take(in, 2) & 0xff000;
	for (unsigned i = 0; i < X86_NSEGS; i++)
		if (take(in, 1) & 1)
			v->st.seg[i].base = address(in), v->st.seg[i].limit = (u32)take(in, 4);
	v->st.cpl = mode >> 5 & 3;
	v->rflags = (take(in, 3) & ~(u64)FL_VM) | FL_FIXED;
	v->rip = take(in, 1) & 1 ? address(in) : 0x1000;
	v->dirty = HV_G_ALL;
	for (unsigned i = 0; i < 16; i++) {
		u64 e = take(in, 1) & 1 ? address(in) : take(in, 8);

		memcpy(rig_ram + (v->st.cr3 + i * 8 < RIG_RAM - 8 ? v->st.cr3 + i * 8 : 0), &e, 8);
	}
}

static void run(struct input *in)
{
	struct hv_exit e;

	for (unsigned i = 0; i < 12; i++) {
		rig.defer = take(in, 1) & 1;
		rig.read_value = take(in, 4);
		hv_vcpu_run(&rig.v[0], &e);
		if (rig.vm.lock.word[0] || e.reason[sizeof(e.reason) - 1])
			abort();
		if (e.kind == HV_EXIT_DEFER && take(in, 1) & 3)
			hv_vcpu_answer(&rig.v[0], take(in, 8));
		if (take(in, 1) & 1)
			hv_vcpu_irq(&rig.v[0], true);
		if (e.kind == HV_EXIT_HALT)
			rig.v[0].mp = X86_MP_RUNNING;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct x86_state s;
	struct input in = {data, size};
	u8 how = (u8)take(&in, 1);
	unsigned n;

	if (!rig_init(how & 1 ? &vmx_ops : &svm_ops, 2, how & 2 ? HV_PV_KVM : HV_PV_NONE))
		abort();
	random_state(&in);
	n = take(&in, 1) % 12;
	for (unsigned i = 0; i < n; i++)
		random_step(&in);
	n = (unsigned)in.n < 64 ? (unsigned)in.n : 64;
	if (rig.v[0].rip < RIG_RAM - 64)
		memcpy(rig_ram + rig.v[0].rip, in.p, n);
	run(&in);
	hv_vcpu_get(&rig.v[0], &s);
	rig_fini();
	if (rig.pages)
		abort();
	return 0;
}
