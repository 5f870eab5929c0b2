/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Between the emulator's two files: emul.c has memory, strings and the frame of
 * an instruction, emul_alu.c what ordinary instructions compute.
 */
#ifndef HULL_CORE_EMUL_H
#define HULL_CORE_EMUL_H

#include "core/hv_internal.h"
#include "isa/x86/insn.h"
#include "isa/x86/ops.h"

struct emul {
	struct hv_vcpu *v;
	struct x86_insn in;
	u64 gpr[16], rflags; /* the guest's when the instruction is complete */
	bool user;
	bool more; /* a REP form that has not ended */
	enum emul_result stop;
};

/* n bytes (1..8) at an offset of a segment. False: e->stop says why. */
bool emul_read(struct emul *e, unsigned seg, u64 off, unsigned n, u64 *val);
bool emul_write(struct emul *e, unsigned seg, u64 off, unsigned n, u64 val);

/* 32-bit results zero-extend, smaller ones merge. */
static inline void emul_gpr_set(struct emul *e, unsigned reg, unsigned n, bool high, u64 val)
{
	u64 mask = mask_bytes(n) << (high ? 8 : 0);

	if (n >= 4)
		e->gpr[reg] = val & mask_bytes(n);
	else
		e->gpr[reg] = (e->gpr[reg] & ~mask) | (val << (high ? 8 : 0) & mask);
}

/* a OP b for n bytes, status flags into *flags. */
u64 emul_alu(unsigned op, unsigned n, u64 a, u64 b, u64 *flags);

/* Anything but strings. False with e->stop still EMUL_DONE: not one it knows. */
bool emul_ordinary(struct emul *e);

#endif
