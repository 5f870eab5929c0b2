/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Architectural state of one x86 vCPU in hull's own form: what engines exchange
 * through engine_ops.get_state/set_state, whoever runs the CPU. Fixed layout,
 * host byte order. References: Intel SDM vol. 3A, AMD APM vol. 2.
 */
#ifndef HULL_CORE_X86_STATE_H
#define HULL_CORE_X86_STATE_H

#include "base/types.h"

/* Register numbers as encoded by ModRM + REX. */
enum x86_gpr {
	X86_RAX,
	X86_RCX,
	X86_RDX,
	X86_RBX,
	X86_RSP,
	X86_RBP,
	X86_RSI,
	X86_RDI,
	X86_R8,
	X86_R9,
	X86_R10,
	X86_R11,
	X86_R12,
	X86_R13,
	X86_R14,
	X86_R15
};

/* Segment registers as encoded by ModRM.reg. */
enum x86_segreg { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_NSEGS };

/*
 * A segment register with its hidden part. attr is bits 40..55 of the
 * descriptor, i.e. type(0-3) S(4) DPL(5-6) P(7) [limit 8-11: zero] AVL(12)
 * L(13) D/B(14) G(15), plus X86_SEG_UNUSABLE (null selector loaded).
 * limit is in bytes, already scaled by G.
 */
enum { X86_SEG_UNUSABLE = 1u << 16 };

struct x86_seg {
	u64 base;
	u32 limit;
	u32 attr;
	u16 sel;
};

struct x86_dtr {
	u64 base;
	u16 limit;
};

struct x86_msr {
	u32 index;
	u64 value;
};

enum x86_mp_state { X86_MP_RUNNING, X86_MP_HALTED, X86_MP_WAIT_SIPI };

#define X86_XSAVE_MAX 4096u
#define X86_STATE_MSRS 64u

struct x86_state {
	u64 gpr[16];
	u64 rip, rflags;
	struct x86_seg seg[X86_NSEGS];
	struct x86_seg ldtr, tr;
	struct x86_dtr gdtr, idtr;
	u64 cr0, cr2, cr3, cr4, cr8; /* cr8 = TPR >> 4 */
	u64 dr[4], dr6, dr7;
	u64 efer, apic_base, xcr0;
	u64 tsc; /* value at the moment of get */

	/* Everything else a MSR carries: STAR, LSTAR, CSTAR, FMASK, KERNEL_GS_BASE,
	 * TSC_AUX, SYSENTER_*, PAT, MTRRs, MISC_ENABLE, kvmclock, ... */
	struct x86_msr msr[X86_STATE_MSRS];
	u32 nmsrs;

	/* Standard (non-compacted) XSAVE format, SDM vol. 1 section 13.4. */
	u32 xsave_size;
	u8 xsave[X86_XSAVE_MAX] __attribute__((aligned(64)));

	/* Events in flight. */
	enum x86_mp_state mp_state;
	bool nmi_pending, nmi_masked;
	bool sti_shadow, movss_shadow; /* interrupt shadow of the last instruction */
	bool exc_pending;	       /* exception accepted but not delivered */
	u8 exc_vector;
	bool exc_has_error;
	u32 exc_error;
};

#endif
