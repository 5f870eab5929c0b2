/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The POWER CPU's system half with random hypercalls, privileged instructions,
 * registers, translations and memory full of the guest's choice.
 */
#include "tests/unit/jit/ppc_rig.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const u8 *p;
	size_t n;
};

static u64 take(struct input *in, unsigned bytes)
{
	u8 buf[8] = {0};

	bytes = (unsigned)min_u64(bytes, in->n);
	memcpy(buf, in->p, bytes);
	in->p += bytes;
	in->n -= bytes;
	return load_le64(buf);
}

static u64 number(struct input *in)
{
	u8 how = (u8)take(in, 1);

	return how & 0x80 ? take(in, 8) : how & 0x40 ? BIT(how & 63) | take(in, 1) : how;
}

static void hypercall(struct ppc_vcpu *c, struct input *in)
{
	static const u16 ops[] = {0x04, 0x08, 0x0c,  0x10,  0x14,  0x18,  0x124, 0xdc,
				  0xe4, 0xe8, 0x31c, 0x374, 0x378, 0x37c, 0x448, 0x24};

	c->gpr[3] = ops[take(in, 1) % ARRAY_LEN(ops)];
	for (unsigned i = 4; i < 9; i++)
		c->gpr[i] = number(in);
	ppc_hcall(c);
}

static void instruction(struct ppc_vcpu *c, struct input *in)
{
	static const u16 xo[] = {274, 306, 338, 402, 434, 466, 498, 566, 851, 915, 979, 7};
	u32 insn = 31u << 26 | (u32)xo[take(in, 1) % ARRAY_LEN(xo)] << 1;

	c->gpr[4] = number(in);
	c->gpr[5] = number(in);
	ppc_sys_insn(c, insn | 4 << 21 | ((u32)take(in, 1) & 31) << 16 | 5 << 11, 0);
}

static void translation(struct ppc_vcpu *c, struct input *in)
{
	struct irrun_fill f;
	u64 ea = number(in) << (take(in, 1) & 1 ? 20 : 0), gpa;
	const u8 *host;
	u8 buf[16] = {0};

	switch (take(in, 1) & 3) {
	case 0:
		ppc_fetch(c, ea & ~3ull, &gpa, &host);
		break;
	case 1:
		ppc_fill(c, ea & ~7ull, 8, take(in, 1) & 1, &f);
		break;
	default:
		ppc_access_any(c, ea, 1 + (u32)take(in, 1) % 16, take(in, 1) & 1, buf);
	}
	if (c->exc.pending)
		ppc_deliver(c);
}

static void step(struct ppc_rig *r, struct ppc_vcpu *c, struct input *in)
{
	u64 at, val;

	switch (take(in, 1) & 7) {
	case 0:
		hypercall(c, in);
		break;
	case 1:
		instruction(c, in);
		break;
	case 2:
		ppc_spr_write(c, (u32)take(in, 2) & 1023, number(in));
		break;
	case 3:
		ppc_spr_read(c, (u32)take(in, 2) & 1023, &val);
		break;
	case 4:
		at = take(in, 3) & (RIG_RAM - 8);
		ppc_rig_put(r, at, take(in, 8));
		break;
	case 5:
		c->srr1 = number(in);
		ppc_rfid(c);
		break;
	default:
		translation(c, in);
	}
	c->exc.pending = false;
	c->halted = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ppc_rig r;
	struct input in = {data, size};

	if (!r.ram)
		ppc_rig_make(&r, 1);
	ppc_reset(r.c[0]);
	atomic_store(&r.sys[0].stopped, false);
	r.vm.radix = false;
	r.vm.proc_entries = 0;
	r.c[0]->msr = take(&in, 1) & 1 ? PPC_MSR_SF | PPC_MSR_IR | PPC_MSR_DR : PPC_MSR_SF;
	for (unsigned i = 0; in.n && i < 300; i++)
		step(&r, r.c[0], &in);
	return 0;
}
