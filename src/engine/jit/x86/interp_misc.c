/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreter: flag instructions, no-operations, fences, cache hints, random
 * numbers, and the odd legacy instruction.
 */
#include "engine/jit/x86/interp.h"

static int exec_nop(struct x86_vcpu *c, const struct x86_insn *in)
{
	return interp_next(c, in);
}

/*
 * A vCPU that spins waits for another one, whose thread may be waiting for this
 * host CPU: some PAUSEs, a few microseconds, are followed by a yield.
 */
static int exec_pause(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (c->vm->yield && ++c->pauses % X86_PAUSES == 0) {
		x86_fpu_park(c);
		c->vm->yield();
	} else {
		__builtin_ia32_pause();
	}
	return interp_next(c, in);
}

static int exec_cmc(struct x86_vcpu *c, const struct x86_insn *in)
{
	c->rflags ^= RF_CF;
	return interp_next(c, in);
}

/* CLC F8, STC F9, CLD FC, STD FD. */
static int exec_set_flag(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 flag = in->opcode & 4 ? RF_DF : RF_CF;

	flags_set(c, flag, flag_if(in->opcode & 1, flag));
	return interp_next(c, in);
}

enum { AH_FLAGS = RF_SF | RF_ZF | RF_AF | RF_PF | RF_CF };

static int exec_lahf(struct x86_vcpu *c, const struct x86_insn *in)
{
	gpr_set(c, X86_RAX, 1, true, (c->rflags & AH_FLAGS) | RF_FIXED);
	return interp_next(c, in);
}

static int exec_sahf(struct x86_vcpu *c, const struct x86_insn *in)
{
	flags_set(c, AH_FLAGS, (c->gpr[X86_RAX] >> 8) & AH_FLAGS);
	return interp_next(c, in);
}

static int exec_salc(struct x86_vcpu *c, const struct x86_insn *in)
{
	gpr_set(c, X86_RAX, 1, false, c->rflags & RF_CF ? 0xff : 0);
	return interp_next(c, in);
}

/* LFENCE, MFENCE, SFENCE: other vCPUs are other host CPUs. */
static int exec_fence(struct x86_vcpu *c, const struct x86_insn *in)
{
	atomic_thread_fence(memory_order_seq_cst);
	return interp_next(c, in);
}

/* CLFLUSH, CLFLUSHOPT, CLWB: checked like a load, without one. */
static int exec_clflush(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 linear;
	void *host;

	if (interp_linear(c, in->seg, interp_ea(c, in), 1, X86_READ, &linear) < 0 ||
	    x86_tlb_fill(c, linear, X86_READ, &host) < 0)
		return -1;
	return interp_next(c, in);
}

/* RDRAND /6, RDSEED /7: shown only if the host has them. */
static int exec_random(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size;
	bool ok;
	u64 v;

	if ((in->modrm >> 3 & 7) == 6)
		__asm__ volatile("rdrand %0" : "=r"(v), "=@ccc"(ok));
	else
		__asm__ volatile("rdseed %0" : "=r"(v), "=@ccc"(ok));
	gpr_set(c, in->opnd[0].reg, n, false, ok ? v & mask_bytes(n) : 0);
	flags_set(c, X86_F_STATUS, flag_if(ok, RF_CF));
	return interp_next(c, in);
}

/* BOUND: signed index against a pair of bounds in memory. */
static int exec_bound(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opsize;
	u64 ea = interp_ea(c, in), lo, hi;
	s64 v = (s64)sext(gpr_get(c, in->modrm >> 3 & 7, n, false), n);

	if (interp_read(c, in->seg, ea, n, &lo) < 0 ||
	    interp_read(c, in->seg, (ea + n) & mask_bytes(in->adsize), n, &hi) < 0)
		return -1;
	if (v < (s64)sext(lo, n) || v > (s64)sext(hi, n))
		return x86_raise(c, X86_BR);
	return interp_next(c, in);
}

/* ARPL: raise the RPL of a selector to another's. */
static int exec_arpl(struct x86_vcpu *c, const struct x86_insn *in)
{
	bool raise;
	u64 src, dst;

	if (c->mode_key & X86_KEY_REAL)
		return x86_raise(c, X86_UD);
	if (opnd_read(c, in, 1, &src) < 0 || opnd_read(c, in, 0, &dst) < 0)
		return -1;
	raise = (dst & 3) < (src & 3);
	if (raise && opnd_write(c, in, 0, (dst & ~3ULL) | (src & 3)) < 0)
		return -1;
	flags_set(c, RF_ZF, flag_if(raise, RF_ZF));
	return interp_next(c, in);
}

static interp_fn misc_lookup_1b(const struct x86_insn *in)
{
	switch (in->opcode) {
	case 0x62:
		return exec_bound;
	case 0x63:
		return in->mode == X86_MODE_64 ? NULL : exec_arpl;
	case 0x90:
		return in->rep ? exec_pause : exec_nop;
	case 0x9e:
		return exec_sahf;
	case 0x9f:
		return exec_lahf;
	case 0xd6:
		return exec_salc;
	case 0xf5:
		return exec_cmc;
	case 0xf8:
	case 0xf9:
	case 0xfc:
	case 0xfd:
		return exec_set_flag;
	default:
		return NULL;
	}
}

/* 0F AE without F2/F3 in front: fences and cache line operations. */
static interp_fn misc_lookup_ae(const struct x86_insn *in)
{
	unsigned reg = in->modrm >> 3 & 7;

	if (in->rep || in->repne)
		return NULL;
	if (!in->has_mem)
		return reg >= 5 ? exec_fence : NULL;
	return reg == 7 || (in->p66 && reg == 6) ? exec_clflush : NULL;
}

interp_fn interp_misc_lookup(const struct x86_insn *in)
{
	if (in->enc != X86_ENC_LEGACY)
		return NULL;
	if (in->map == X86_MAP_1B)
		return misc_lookup_1b(in);
	if (in->map != X86_MAP_0F)
		return NULL;
	switch (in->opcode) {
	case 0x0d:
	case 0x18 ... 0x1f:
		return exec_nop; /* hints never fault */
	case 0xae:
		return misc_lookup_ae(in);
	case 0xc7:
		return !in->has_mem && (in->modrm >> 3 & 7) >= 6 && !in->rep ? exec_random : NULL;
	default:
		return NULL;
	}
}
