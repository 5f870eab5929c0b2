/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One software POWER vCPU: the state that the lifter (lift*.c), the instruction
 * helpers (op*.c), the system half (exc.c, spr.c, mmu*.c, run.c), the IR's run
 * time and generated code share. Power ISA 3.0B; book and section are cited as
 * "ISA I 3.3.9".
 *
 * Generated code reaches fields by their offset from a pointer to this struct;
 * what it uses most stands first. Whenever C code looks at it all guest state is
 * here in memory, with one exception: the host's FP environment (see fpscr).
 *
 * How registers are kept:
 *   VSR n     one 128-bit number in the host's byte order. dw[PPC_DW0] is the
 *             architecture's doubleword 0, which is FPR n (n < 32); VSR 32 to 63
 *             are VR 0 to 31. Element i of a w-byte vector of the architecture is
 *             at byte 16 - w * (i + 1) on a little-endian host.
 *   CR        one byte per bit, 0 or 1: cr[0] is CR bit 0 (LT of CR0).
 *   XER       SO, OV, CA, OV32, CA32 as bytes of 0 or 1; the rest in xer_rest.
 *   FPSCR     see fpscr.
 */
#ifndef HULL_ENGINE_JIT_PPC_CPU_H
#define HULL_ENGINE_JIT_PPC_CPU_H

#include <stdatomic.h>

#include "base/bits.h"
#include "engine/jit/irrun/irrun.h"

union ppc_vsr {
	u64 dw[2];
	u32 w[4];
	u16 h[8];
	u8 b[16];
	double d[2];
	float f[4];
} __attribute__((aligned(16)));
static_assert(sizeof(union ppc_vsr) == 16, "generated code scales by 16");

/* Index of the architecture's element i in the arrays above (little-endian host). */
#define PPC_DW(i) (1 - (i))
#define PPC_W(i) (3 - (i))
#define PPC_H(i) (7 - (i))
#define PPC_B(i) (15 - (i))
#define PPC_DW0 PPC_DW(0)

/* MSR, ISA III 4.2.1 (as bit numbers from the right). */
#define PPC_MSR_SF BIT(63)
#define PPC_MSR_HV BIT(60)
#define PPC_MSR_TS0 BIT(34)
#define PPC_MSR_TS1 BIT(33)
#define PPC_MSR_TM BIT(32)
#define PPC_MSR_VEC BIT(25)
#define PPC_MSR_VSX BIT(23)
#define PPC_MSR_EE BIT(15)
#define PPC_MSR_PR BIT(14)
#define PPC_MSR_FP BIT(13)
#define PPC_MSR_ME BIT(12)
#define PPC_MSR_FE0 BIT(11)
#define PPC_MSR_SE BIT(10)
#define PPC_MSR_BE BIT(9)
#define PPC_MSR_FE1 BIT(8)
#define PPC_MSR_IR BIT(5)
#define PPC_MSR_DR BIT(4)
#define PPC_MSR_PMM BIT(2)
#define PPC_MSR_RI BIT(1)
#define PPC_MSR_LE BIT(0)

/* Interrupt vectors: effective address offsets, ISA III 6.5. */
enum ppc_vector {
	PPC_RESET = 0x100,
	PPC_MCHECK = 0x200,
	PPC_DSI = 0x300,
	PPC_DSEG = 0x380,
	PPC_ISI = 0x400,
	PPC_ISEG = 0x480,
	PPC_EXTERNAL = 0x500,
	PPC_ALIGN = 0x600,
	PPC_PROGRAM = 0x700,
	PPC_FPU = 0x800,
	PPC_DECR = 0x900,
	PPC_HDECR = 0x980,
	PPC_DOORBELL = 0xa00,
	PPC_SYSCALL = 0xc00,
	PPC_TRACE = 0xd00,
	PPC_HDSI = 0xe00,
	PPC_HISI = 0xe20,
	PPC_HEAI = 0xe40,
	PPC_HMI = 0xe60,
	PPC_HDOORBELL = 0xe80,
	PPC_HVIRT = 0xea0,
	PPC_PMU = 0xf00,
	PPC_VPU = 0xf20,
	PPC_VSXU = 0xf40,
	PPC_FACILITY = 0xf60,
	PPC_HFACILITY = 0xf80,
	PPC_SYSCALL_VECTORED = 0x3000,
};

/* SRR1 bits of the program interrupt, ISA III 6.5.9 (bits 43 to 47). */
#define PPC_PROGRAM_FP BIT(20)
#define PPC_PROGRAM_ILLEGAL BIT(19)
#define PPC_PROGRAM_PRIV BIT(18)
#define PPC_PROGRAM_TRAP BIT(17)

/*
 * An interrupt that an instruction raised and nobody delivered yet. `nip` of the
 * vCPU is the instruction's own address; for SYSCALL and TRACE the next one's.
 * In a machine the run loop delivers it (exc.c), for a program without a machine
 * it becomes a signal or a system call.
 */
struct ppc_exc {
	bool pending;
	u16 vector; /* enum ppc_vector */
	u16 lev;    /* SYSCALL, SYSCALL_VECTORED: the LEV field; FACILITY: the cause IC */
	u32 dsisr;  /* DSI, HDSI, ALIGN: value for DSISR */
	u64 srr1;   /* bits to set in SRR1 besides the MSR's */
	u64 dar;    /* DSI, DSEG, HDSI, ALIGN: effective address */
	u64 asdr;   /* HDSI, HISI */
};

/* Why the vCPU must look up from running code; bits of ppc_vcpu.rt.kick. */
enum ppc_kick {
	PPC_KICK_EXIT = 1,  /* vcpu_kick */
	PPC_KICK_IRQ = 2,   /* something may be deliverable: pin, decrementer, doorbell */
	PPC_KICK_FLUSH = 4, /* another vCPU asks for something at a safe point */
	PPC_KICK_LOOK = 8,  /* this vCPU itself wants the run loop */
};

/*
 * Everything outside registers that the translation of an instruction depends
 * on: ppc_vcpu.rt.key, recomputed by ppc_key_update() after each change of what it
 * is made of.
 */
enum ppc_key {
	PPC_KEY_SF = 1 << 0,
	PPC_KEY_LE = 1 << 1,
	PPC_KEY_PR = 1 << 2,
	PPC_KEY_HV = 1 << 3,
	PPC_KEY_IR = 1 << 4,
	PPC_KEY_DR = 1 << 5,
	PPC_KEY_FP = 1 << 6,
	PPC_KEY_VEC = 1 << 7,
	PPC_KEY_VSX = 1 << 8,
	PPC_KEY_STEP = 1 << 9, /* MSR.SE, BE or dbg_step: one instruction a unit, then TRACE */
	/* FPSCR enables an exception, or NI: floating point by helpers only. */
	PPC_KEY_FPSLOW = 1 << 10,
	PPC_KEY_ISA3 = 1 << 11, /* ISA 3.0 instructions exist */
	PPC_KEY_FLAT = 1 << 12, /* a program without a machine: sc and traps leave the unit */
	PPC_KEY_SCV = 1 << 13,	/* FSCR.SCV */
	PPC_KEY_NJ = 1 << 14,	/* VSCR.NJ: vector floating point by helpers */
};

/* FPSCR, ISA I 4.2.2. */
#define PPC_FPSCR_FX BIT(31)
#define PPC_FPSCR_FEX BIT(30)
#define PPC_FPSCR_VX BIT(29)
#define PPC_FPSCR_OX BIT(28)
#define PPC_FPSCR_UX BIT(27)
#define PPC_FPSCR_ZX BIT(26)
#define PPC_FPSCR_XX BIT(25)
#define PPC_FPSCR_VXSNAN BIT(24)
#define PPC_FPSCR_VXISI BIT(23)
#define PPC_FPSCR_VXIDI BIT(22)
#define PPC_FPSCR_VXZDZ BIT(21)
#define PPC_FPSCR_VXIMZ BIT(20)
#define PPC_FPSCR_VXVC BIT(19)
#define PPC_FPSCR_FR BIT(18)
#define PPC_FPSCR_FI BIT(17)
#define PPC_FPSCR_FPRF_SHIFT 12
#define PPC_FPSCR_FPRF (0x1fu << 12)
#define PPC_FPSCR_VXSOFT BIT(10)
#define PPC_FPSCR_VXSQRT BIT(9)
#define PPC_FPSCR_VXCVI BIT(8)
#define PPC_FPSCR_VE BIT(7)
#define PPC_FPSCR_OE BIT(6)
#define PPC_FPSCR_UE BIT(5)
#define PPC_FPSCR_ZE BIT(4)
#define PPC_FPSCR_XE BIT(3)
#define PPC_FPSCR_NI BIT(2)
#define PPC_FPSCR_RN 3u

/* VSCR, ISA I 6.3.2. */
#define PPC_VSCR_NJ BIT(16)
#define PPC_VSCR_SAT BIT(0)

struct ppc_vm;	/* of the system half: all vCPUs, the memory map */
struct ppc_sys; /* private to the system half: SLB, tables, VPA */

#define PPC_RELAXED_BYTES 64u /* from fp_a to fp_cmp */

struct ppc_vcpu {
	/* -- hot -- */
	u64 gpr[32];
	u64 nip, lr, ctr;
	/*
	 * From here to fp_cmp stores that are overwritten are dropped even across faults
	 * (ir_target.relaxed). First the operands of the last floating-point operation whose FPRF,
	 * FI and FR nobody has asked for yet, see fp_op.
	 */
	u64 fp_a, fp_b, fp_c;
	u8 cr[32]; /* CR bits 0 to 31, each 0 or 1 */
	u8 so, ov, ca, ov32, ca32;
	u8 fp_spare;
	u8 fp_op;  /* enum fp_op (fp.h) of fp_a..fp_c, 0: FPSCR is right but for fp_cmp */
	u8 fp_cmp; /* 16 + FPCC of a later comparison, 0: none; written with fp_op as one u16 */
	u64 tar;
	/*
	 * Reservation of larx: real-world addresses do not matter to its holder, it is
	 * lost when memory no longer holds the value (compare and swap), on any
	 * interrupt and context switch that software follows by stcx. or lwarx.
	 */
	u64 res_addr;	/* effective address, ~0 = none */
	u64 res_val[2]; /* as loaded, a number; [1] is the high half of a quadword's */
	u32 res_size;	/* bytes: 1, 2, 4, 8, 16 */
	/*
	 * FPSCR without what is due from rt.mxcsr (OX UX ZX XX) and fp_op (FPRF FI FR);
	 * FX, FEX and VX as of the last merge. ppc_fpscr_read() (fp.h) merges. While generated
	 * code runs, rt.mxcsr is in the host's register: rounding mode of FPSCR.RN, all exceptions
	 * masked, sticky flags.
	 */
	u64 fpscr;
	u32 vscr_nj; /* VSCR.NJ as 0 or 1 */
	u32 vrsave;
	u32 xer_rest; /* XER but for the five bits above: string count, reserved bits kept */
	u32 spare2;
	/* VSCR.SAT is set if any byte is not zero. */
	union ppc_vsr vscr_sat;
	u64 scratch[16]; /* of generated code and the lifter's helpers, dead between instructions */

	union ppc_vsr vsr[64];

	/* -- architectural state of the system half -- */
	u64 msr;
	struct ppc_exc exc;
	u64 srr0, srr1, hsrr0, hsrr1;
	u64 sprg[4], hsprg[2];
	u64 dar, hdar, asdr;
	u32 dsisr, hdsisr, heir, pidr, lpidr;
	u64 cfar, dscr, ppr, fscr, hfscr, pcr;
	u64 amr, iamr, uamor, amor, hrmor, rmor, rpr;
	u64 lpcr, ptcr, sdr1, psscr, pmcr;
	u64 dawr, dawrx, dabr, dabrx, ciabr;
	u64 hid0, pir, pvr, tidr, vtb, ic, purr, spurr;
	u32 ctrl, wort, pspb;
	u64 bescr, ebbhr, ebbrr, tfhar, tfiar, texasr;
	u64 mmcr0, mmcr1, mmcr2, mmcra, mmcrs, siar, sdar, sier;
	u32 pmc[6];
	u64 csigr, tacr, tcscr, acop, hmer, hmeer;
	u64 tb_offset;	  /* time base less the VM's clock */
	u64 dec_deadline; /* time base at which DEC becomes negative */
	u64 hdec_deadline;
	bool dec_raised; /* this expiry was delivered */

	/* -- where it belongs -- */
	unsigned index;
	_Atomic bool irq_pin; /* external interrupt line */
	bool halted;	      /* H_CEDE, stop: until an interrupt */
	bool dbg_step;	      /* the debugger wants to see the next instruction's end */
	struct ppc_vm *vm;
	struct ppc_sys *sys;
	struct ppc_vcpu *self;
	void *wait; /* run loop's sleep object, the engine's */

	/* The run time's part; rt.key is enum ppc_key, rt.kick enum ppc_kick. */
	struct irrun_cpu rt;
};

static_assert(offsetof(struct ppc_vcpu, fp_cmp) + 1 - offsetof(struct ppc_vcpu, fp_a) ==
		      PPC_RELAXED_BYTES,
	      "ir_target.relaxed");

#define PPC_NO_RESERVATION (~0ULL)

/*
 * Raise an interrupt from an instruction; nip is that of the instruction and no
 * guest state has been changed. Returns -1: the unit ends.
 */
static inline int ppc_raise(struct ppc_vcpu *c, enum ppc_vector vec, u64 srr1)
{
	c->exc = (struct ppc_exc){.pending = true, .vector = (u16)vec, .srr1 = srr1};
	c->rt.leave = 1;
	atomic_fetch_or(&c->rt.kick, PPC_KICK_LOOK);
	return -1;
}

static inline u32 ppc_cr_read(const struct ppc_vcpu *c)
{
	u32 v = 0;

	for (unsigned i = 0; i < 32; i++)
		v = v << 1 | c->cr[i];
	return v;
}

static inline void ppc_cr_write(struct ppc_vcpu *c, u32 v)
{
	for (unsigned i = 0; i < 32; i++)
		c->cr[i] = v >> (31 - i) & 1;
}

/* XER, ISA I 3.2.2. */
#define PPC_XER_SO BIT(31)
#define PPC_XER_OV BIT(30)
#define PPC_XER_CA BIT(29)
#define PPC_XER_OV32 BIT(19)
#define PPC_XER_CA32 BIT(18)

static inline u64 ppc_xer_read(const struct ppc_vcpu *c)
{
	return c->xer_rest | (u64)c->so << 31 | (u64)c->ov << 30 | (u64)c->ca << 29 |
	       (u64)c->ov32 << 19 | (u64)c->ca32 << 18;
}

static inline void ppc_xer_write(struct ppc_vcpu *c, u64 v)
{
	c->so = v >> 31 & 1;
	c->ov = v >> 30 & 1;
	c->ca = v >> 29 & 1;
	c->ov32 = v >> 19 & 1;
	c->ca32 = v >> 18 & 1;
	c->xer_rest = (u32)v &
		      (u32) ~(PPC_XER_SO | PPC_XER_OV | PPC_XER_CA | PPC_XER_OV32 | PPC_XER_CA32);
}

/* Recompute key from msr, dbg_step, fpscr, vscr_nj and fscr; the bits ISA3 and FLAT stay. */
static inline void ppc_key_update(struct ppc_vcpu *c)
{
	u32 k = c->rt.key & (PPC_KEY_ISA3 | PPC_KEY_FLAT);

	k |= c->msr & PPC_MSR_SF ? PPC_KEY_SF : 0;
	k |= c->msr & PPC_MSR_LE ? PPC_KEY_LE : 0;
	k |= c->msr & PPC_MSR_PR ? PPC_KEY_PR : 0;
	k |= c->msr & PPC_MSR_HV ? PPC_KEY_HV : 0;
	k |= c->msr & PPC_MSR_IR ? PPC_KEY_IR : 0;
	k |= c->msr & PPC_MSR_DR ? PPC_KEY_DR : 0;
	k |= c->msr & PPC_MSR_FP ? PPC_KEY_FP : 0;
	k |= c->msr & PPC_MSR_VEC ? PPC_KEY_VEC : 0;
	k |= c->msr & PPC_MSR_VSX ? PPC_KEY_VSX : 0;
	k |= c->msr & (PPC_MSR_SE | PPC_MSR_BE) || c->dbg_step ? PPC_KEY_STEP : 0;
	k |= c->fpscr & 0xfc ? PPC_KEY_FPSLOW : 0; /* VE OE UE ZE XE NI */
	k |= c->vscr_nj ? PPC_KEY_NJ : 0;
	k |= c->fscr & BIT(12) ? PPC_KEY_SCV : 0;
	c->rt.key = k;
}

#endif
