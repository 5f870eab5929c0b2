/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Floating-point state: FPSCR with what generated code left for later, and the
 * one place where results and exceptions of an exact operation become state.
 *
 * Generated code does an operation on the host's FPU. What that cannot tell (a NaN result, a
 * result at the edge of underflow) a helper computes again here (ppc_fp_fix). FPRF, FI and FR
 * are computed when someone looks, from the operands in fp_a..fp_c.
 */
#ifndef HULL_ENGINE_JIT_PPC_FP_H
#define HULL_ENGINE_JIT_PPC_FP_H

#include "engine/jit/ppc/cpu.h"
#include "engine/jit/ppc/softfp.h"

/* Operations on doubles as FPRs hold them; ppc_vcpu.fp_op. */
enum fp_op {
	FP_NONE,
	FP_ADD,	 /* a + b */
	FP_SUB,	 /* a - b */
	FP_MUL,	 /* a * b */
	FP_DIV,	 /* a / b */
	FP_SQRT, /* of b, as all that follow with one operand */
	FP_MADD, /* a * c + b */
	FP_MSUB,
	FP_NMADD,
	FP_NMSUB,
	FP_RE,
	FP_RSQRTE,
	FP_RSP,
	FP_CFID,
	FP_CFIDU,
	FP_RIN, /* to an integral value: nearest with ties away, zero, up, down, current */
	FP_RIZ,
	FP_RIP,
	FP_RIM,
	FP_RIC,
	FP_CTID, /* to an integer: current rounding, or truncated */
	FP_CTIDZ,
	FP_CTIDU,
	FP_CTIDUZ,
	FP_CTIW,
	FP_CTIWZ,
	FP_CTIWU,
	FP_CTIWUZ,
	FP_SPDP,       /* b is a single's 32 bits */
	FP_SINGLE = 64 /* rounded to single */
};

/* Result bits of an operation; e->rm and e->enables are the caller's. */
u64 fp_compute(struct sfp_env *e, unsigned op, u64 a, u64 b, u64 c);

/* The same on bits of any format: FP_ADD to FP_RSQRTE, FP_RIN to FP_RIC (of singles, doubles). */
u128 fp_compute_in(struct sfp_env *e, enum sfp_format f, unsigned op, u128 a, u128 b, u128 c);

/*
 * The live environment: of the host while generated code or a helper of it runs.
 * fp_sync brings fpscr up to date (merges, computes FPRF FI FR).
 */
void fp_sync(struct ppc_vcpu *c);
/* Rounding mode and enables of FPSCR for the functions above; fpscr must be in sync. */
struct sfp_env fp_env(const struct ppc_vcpu *c);
/* New exception bits into FPSCR: FX, VX, FEX. */
void fp_raise_flags(struct ppc_vcpu *c, u32 flags);
/* FPSCR gets a new value (FEX and VX are computed): rounding of the host, key. */
void fp_write_fpscr(struct ppc_vcpu *c, u64 v);
/*
 * Recompute the key for a helper that is all of its instruction; if it changed the unit is left
 * for the next instruction.
 */
void fp_update_key(struct ppc_vcpu *c);
/* Enabled exceptions that must raise the interrupt: -1 if so. */
int fp_check_enabled(struct ppc_vcpu *c);
/* Is the result not to be written (enabled invalid operation or division by zero)? */
bool fp_suppressed(const struct ppc_vcpu *c, u32 flags);
/*
 * FPSCR after an instruction: flags, FI and FR of e, fprf (-1: unchanged). Returns 0: write the
 * result; 1: do not. Interrupts: fp_check_enabled afterwards.
 */
int fp_finish(struct ppc_vcpu *c, const struct sfp_env *e, s32 fprf);
/* CR1 from FPSCR (Rc). */
void fp_record(struct ppc_vcpu *c);

/* FPSCR for whoever looks while no generated code runs (debugger, saved state), and to set it. */
u64 ppc_fpscr_read(struct ppc_vcpu *c);
void ppc_fpscr_write(struct ppc_vcpu *c, u64 v);

/* Helpers of generated code (helper.c): a is the instruction word but for stfs (the bits). */
u64 ppc_fp_fix(void *cpu, u64 w, u64 b, u64 c);
u64 ppc_fp_fix32(void *cpu, u64 w, u64 b, u64 c);
u64 ppc_fp_vfix(void *cpu, u64 w, u64 b, u64 c);
u64 ppc_fp_lfs(void *cpu, u64 w, u64 b, u64 c);
u64 ppc_fp_cmp(void *cpu, u64 w, u64 b, u64 c);
u64 ppc_fp_stfs(void *cpu, u64 bits, u64 b, u64 c);
/* A single's bits as a double's, without touching NaNs (Book I 4.6.2). */
u64 fp_single_to_double(u32 s);

#endif
