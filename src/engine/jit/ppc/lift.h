/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From POWER instructions to IR: what lift*.c share. The entry is ppc_lift, the description of
 * the guest for the IR's passes and run time is ppc_target.
 *
 * lift.c finds the instructions of a unit, checks privilege and facilities, and calls one function
 * an instruction out of lift_table.c. Rule for those: every access that can fault stands before
 * every put of its instruction.
 */
#ifndef HULL_ENGINE_JIT_PPC_LIFT_H
#define HULL_ENGINE_JIT_PPC_LIFT_H

#include "engine/jit/ir/ir.h"
#include "engine/jit/ppc/cpu.h"
#include "isa/ppc/insn.h"

/* ---- public ---------------------------------------------------------------------------- */

extern const struct ir_target ppc_target;
/* irrun_ops.lift. At most PPC_UNIT_INSNS instructions; never touches more than `bytes` of code. */
void ppc_lift(struct ir_unit *u, const u8 *code, u32 bytes, u64 pc, u32 key);

/* ---- between the files of the lifter ------------------------------------------------------ */

#define PPC_UNIT_INSNS 96u
#define PPC_PAGE_WORDS 1024u

/* Helpers of generated code, index of ppc_target.helper (helper.c). */
enum ppc_helper {
	H_NONE,
	H_RAISE, /* vector, SRR1 bits, cause */
	H_ALIGN, /* effective address */
	H_SC,	 /* LEV */
	H_SCV,
	H_TRACE,
	H_MFSPR,
	H_MTSPR,
	H_MTMSR,
	H_RFID,
	H_HRFID,
	H_RFSCV,
	H_RFEBB,
	H_SYS,
	H_LSW,	/* lswx, stswx: word, address */
	H_LXVL, /* lxvl, lxvll: word, address, length */
	H_STXVL,
	H_QUAD, /* stqcx.: word, address */
	H_AMO,	/* lwat, ldat, stwat, stdat: word, address */
	H_OP,	/* any instruction of ops.h that touches GPRs: word, op */
	H_VOP,	/* one that only touches vector state, CR, FPSCR */
	H_FFIX, /* FFIX of a scalar FP instruction: word */
	H_FFIX32,
	H_LFS,	/* FFIX of a load of a single NaN: its bits are in scratch[0] */
	H_VFIX, /* VFIX of a vector FP instruction: word */
	H_STFS, /* FFIX of a store of a double as single: register */
	H_CTI,	/* FFIX of a conversion to integer that is out of range: word */
	H_FCMP, /* FFIX of a comparison that is unordered: word */
	H_STVE, /* stvebx, stvehx, stvewx: word, address, size */
	H_CMPB, /* from here on pure */
	H_POPCNTB,
	H_POPCNTW,
	H_PRTYW,
	H_PRTYD,
	H_BPERMD,
	H_CMPRB,
	H_CMPEQB,
	H_DIVDE,
	H_DIVDE_OV,
	H_DIVDEU,
	H_ADDG6S,
	H_CDTBCD,
	H_CBCDTD,
	H_COUNT
};

struct lx {
	struct ir_unit *u;
	const u8 *code;
	u32 nwords;
	u64 pc0;
	u32 key;
	bool sf; /* 64-bit mode */
	bool v3; /* ISA 3.0 */
	bool ended;
	/* The instruction at hand. */
	u32 w, at; /* its word, its index from pc0 */
	u64 pc;
	const struct ppc_row *row;
	/* VSRs whose doubleword 0 in this straight piece is also known as a F32; 0 = not. */
	ir_val single[64];
	u8 mark[PPC_PAGE_WORDS];
	u16 label[PPC_PAGE_WORDS];
	u16 queue[PPC_UNIT_INSNS * 2];
	u32 head, tail, budget;
	u32 top; /* no target of a branch has this or a higher index */
};
enum { LX_IN = 1, LX_LEADER = 2, LX_DONE = 4 };

/* One row of lift_table.c. */
struct lift_row {
	void (*fn)(struct lx *x, u32 arg);
	u32 arg;
};
const struct lift_row *lift_row(unsigned op);

/* lift.c: where control goes */
void lx_goto(struct lx *x, enum ir_kind kind, u64 pc);
void lx_goto_if(struct lx *x, ir_val cond, u64 pc);
void lx_goto_ind(struct lx *x, enum ir_kind kind, ir_val pc);
/* Raise an interrupt here; ends the straight piece. */
void lx_raise(struct lx *x, enum ppc_vector vec, u64 srr1, u32 cause);
void lx_illegal(struct lx *x);
/* A label here: nothing known of values. */
void lx_label(struct lx *x, u32 label);

static inline u64 lx_next(const struct lx *x)
{
	return x->sf ? x->pc + 4 : (u32)(x->pc + 4);
}

static inline ir_val lx_k(struct lx *x, u64 v)
{
	return ir_const(x->u, v);
}

#define OFF(field) ((u32)offsetof(struct ppc_vcpu, field))
#define OFF_GPR(n) (OFF(gpr) + 8 * (n))
#define OFF_CR(n) (OFF(cr) + (n))
#define OFF_VSR(n) (OFF(vsr) + 16 * (n))
#define OFF_FPR(n) (OFF_VSR(n) + 8)

static inline ir_val lx_gpr(struct lx *x, unsigned n)
{
	return ir_get(x->u, IR_I64, 8, OFF_GPR(n));
}

static inline ir_val lx_gpr0(struct lx *x, unsigned n)
{
	return n ? lx_gpr(x, n) : lx_k(x, 0);
}

static inline void lx_set_gpr(struct lx *x, unsigned n, ir_val v)
{
	ir_put(x->u, IR_I64, 8, OFF_GPR(n), v);
}

static inline ir_val lx_get1(struct lx *x, u32 off)
{
	return ir_get(x->u, IR_I64, 1, off);
}

static inline void lx_put1(struct lx *x, u32 off, ir_val v)
{
	ir_put(x->u, IR_I64, 1, off, v);
}

static inline ir_val lx_op(struct lx *x, unsigned op, ir_val a, ir_val b)
{
	return ir_make(x->u, op, 8, a, b, 0);
}

static inline ir_val lx_op4(struct lx *x, unsigned op, ir_val a, ir_val b)
{
	return ir_make(x->u, op, 4, a, b, 0);
}

static inline ir_val lx_sext(struct lx *x, unsigned size, ir_val v)
{
	return ir_make(x->u, IR_SEXT, size, v, 0, 0);
}

static inline ir_val lx_zext(struct lx *x, unsigned size, ir_val v)
{
	return ir_make(x->u, IR_ZEXT, size, v, 0, 0);
}

static inline ir_val lx_sel(struct lx *x, ir_val c, ir_val a, ir_val b)
{
	return ir_typed(x->u, IR_SEL, IR_I64, c, a, b);
}

/* lift_alu.c: CR field from a signed comparison of v with 0 in the mode's size (Rc). */
void lx_record(struct lx *x, ir_val v);
void lx_compare(struct lx *x, unsigned field, unsigned size, bool is_signed, ir_val a, ir_val b);

void lift_addsub(struct lx *x, u32 arg);
void lift_addi(struct lx *x, u32 shift);
void lift_addpcis(struct lx *x, u32 arg);
void lift_addex(struct lx *x, u32 arg);
void lift_mul(struct lx *x, u32 arg);
void lift_madd(struct lx *x, u32 arg);
void lift_div(struct lx *x, u32 arg);
void lift_mod(struct lx *x, u32 arg);
void lift_cmp(struct lx *x, u32 arg);
void lift_cmpb(struct lx *x, u32 arg);
void lift_cmprb(struct lx *x, u32 arg);
void lift_isel(struct lx *x, u32 arg);
void lift_logic(struct lx *x, u32 op);
void lift_logic_imm(struct lx *x, u32 arg);
void lift_unary(struct lx *x, u32 arg);
void lift_pure(struct lx *x, u32 arg);
void lift_darn(struct lx *x, u32 arg);
/* lift_rot.c */
void lift_rlw(struct lx *x, u32 arg);
void lift_rld(struct lx *x, u32 arg);
void lift_shift(struct lx *x, u32 arg);
void lift_shift_imm(struct lx *x, u32 arg);
/* lift_branch.c */
void lift_b(struct lx *x, u32 arg);
void lift_bc(struct lx *x, u32 arg);
void lift_bc_ind(struct lx *x, u32 off);
void lift_trap(struct lx *x, u32 arg);
void lift_crlogic(struct lx *x, u32 op);
void lift_mcrf(struct lx *x, u32 arg);
void lift_mfcr(struct lx *x, u32 arg);
void lift_mtcrf(struct lx *x, u32 arg);
void lift_mcrxrx(struct lx *x, u32 arg);
void lift_setb(struct lx *x, u32 arg);
void lift_nop(struct lx *x, u32 arg);
/* lift_sys.c */
void lift_sc(struct lx *x, u32 scv);
void lift_mfspr(struct lx *x, u32 arg);
void lift_mtspr(struct lx *x, u32 arg);
void lift_mfmsr(struct lx *x, u32 arg);
void lift_mtmsr(struct lx *x, u32 d);
void lift_rfi(struct lx *x, u32 helper);
void lift_sync(struct lx *x, u32 arg);
void lift_isync(struct lx *x, u32 arg);
void lift_icbi(struct lx *x, u32 arg);
void lift_sys(struct lx *x, u32 arg);
void lift_cp(struct lx *x, u32 paste);
/* lift_mem.c */
enum { /* argument of loads and stores */
       M_1 = 1,
       M_2 = 2,
       M_4 = 4,
       M_8 = 8,
       M_SIZE = 15,
       M_SX = 16,
       M_UPDATE = 32,
       M_INDEXED = 64,
       M_REVERSE = 128,
       M_DS = 256,
};
ir_val lx_ea(struct lx *x, u32 arg, s64 *disp);
/* IR_SWAP if storage has the other byte order than the host. */
unsigned lx_swap(const struct lx *x);
void lift_load(struct lx *x, u32 arg);
void lift_store(struct lx *x, u32 arg);
void lift_lmw(struct lx *x, u32 store);
void lift_lsw(struct lx *x, u32 arg);
void lift_larx(struct lx *x, u32 size);
void lift_stcx(struct lx *x, u32 size);
void lift_lq(struct lx *x, u32 arg);
void lift_stq(struct lx *x, u32 arg);
void lift_lqarx(struct lx *x, u32 arg);
void lift_stqcx(struct lx *x, u32 arg);
void lift_amo(struct lx *x, u32 arg);
void lift_dcbz(struct lx *x, u32 arg);

/* lift_op.c: one call of the instruction's helper */
void lift_op(struct lx *x, u32 arg);
void lift_vop(struct lx *x, u32 arg);
/* lift_fp.c: scalar floating point; arguments are those of the helpers (op_fp.h) */
void lift_farith(struct lx *x, u32 arg);
void lift_fmove(struct lx *x, u32 arg);
void lift_fcmp(struct lx *x, u32 arg);
/* lift_fmem.c: loads and stores of FPRs and scalars in VSRs */
enum {			 /* besides M_*: what the target is */
       FM_VSX = 1 << 10, /* XT, else FRT */
       FM_VRT = 2 << 10, /* VRT */
       FM_SINGLE = 4 << 10,
       FM_INT = 8 << 10, /* an integer in doubleword 0 */
};
void lift_fload(struct lx *x, u32 arg);
void lift_fstore(struct lx *x, u32 arg);
void lift_lfdp(struct lx *x, u32 arg);
void lift_stfdp(struct lx *x, u32 arg);
/* lift_vmem.c: vectors; arg: size of the elements that keep their order, M_INDEXED.., VM_* */
enum { VM_VRT = 1 << 10, VM_ALIGN = 2 << 10, VM_SPLAT = 4 << 10, VM_DQ = 8 << 10 };
void lift_vload(struct lx *x, u32 arg);
void lift_vstore(struct lx *x, u32 arg);
void lift_vsplat_load(struct lx *x, u32 size);
void lift_stve(struct lx *x, u32 size);
void lift_lxvl(struct lx *x, u32 helper);
/* lift_vec.c: VMX and VSX on whole vectors */
void lift_vbin(struct lx *x, u32 arg);
void lift_vlogic(struct lx *x, u32 arg);
void lift_vsel(struct lx *x, u32 vsx);
void lift_vcmp(struct lx *x, u32 arg);
void lift_vsat(struct lx *x, u32 arg);
void lift_vrot(struct lx *x, u32 size);
void lift_vshift(struct lx *x, u32 arg);
void lift_vbpermq(struct lx *x, u32 arg);
void lift_vmulhalf(struct lx *x, u32 arg);
void lift_vmerge(struct lx *x, u32 arg);
void lift_vperm(struct lx *x, u32 arg);
void lift_vsldoi(struct lx *x, u32 arg);
void lift_vsplat(struct lx *x, u32 size);
void lift_vsplat_imm(struct lx *x, u32 size);
void lift_vpack(struct lx *x, u32 size);
void lift_vunpack(struct lx *x, u32 arg);
void lift_vneg(struct lx *x, u32 size);
void lift_mladd(struct lx *x, u32 arg);
void lift_lvs(struct lx *x, u32 right);
void lift_permdi(struct lx *x, u32 arg);
void lift_sldwi(struct lx *x, u32 arg);
void lift_spltib(struct lx *x, u32 arg);
void lift_spltw(struct lx *x, u32 arg);
void lift_vbswap(struct lx *x, u32 size);
void lift_mfvsr(struct lx *x, u32 arg);
void lift_mtvsr(struct lx *x, u32 arg);
/* lift_vfp.c: vector floating point of VSX */
void lift_vfarith(struct lx *x, u32 arg);
void lift_vfsign(struct lx *x, u32 arg);

/* A VSR as a whole. */
static inline ir_val lx_vsr(struct lx *x, unsigned n)
{
	return ir_get(x->u, IR_V128, 16, OFF_VSR(n));
}

static inline void lx_set_vsr(struct lx *x, unsigned n, ir_val v)
{
	ir_put(x->u, IR_V128, 16, OFF_VSR(n), v);
	x->single[n] = 0;
}

#endif
