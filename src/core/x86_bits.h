/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Architectural bits and numbers the virtualization core uses. Intel SDM vol. 3A
 * section 2.5 (control registers), 6.3 (vectors), 17.2 (debug registers); vol. 4
 * (MSRs); AMD APM vol. 2 appendix A.
 */
#ifndef HULL_CORE_X86_BITS_H
#define HULL_CORE_X86_BITS_H

#include "base/bits.h"

enum {
	CR0_PE = 1 << 0,
	CR0_ET = 1 << 4,
	CR0_NE = 1 << 5,
	CR0_WP = 1 << 16,
	CR0_NW = 1 << 29,
	CR0_CD = 1 << 30,
};
#define CR0_PG BIT(31)

enum {
	CR4_PSE = 1 << 4,
	CR4_PAE = 1 << 5,
	CR4_OSFXSR = 1 << 9,
	CR4_LA57 = 1 << 12,
	CR4_VMXE = 1 << 13,
	CR4_PCIDE = 1 << 17,
	CR4_OSXSAVE = 1 << 18,
	CR4_SMEP = 1 << 20,
	CR4_SMAP = 1 << 21,
};

enum {
	EFER_SCE = 1 << 0,
	EFER_LME = 1 << 8,
	EFER_LMA = 1 << 10,
	EFER_NXE = 1 << 11,
	EFER_SVME = 1 << 12,
	EFER_FFXSR = 1 << 14,
};

enum {
	FL_CF = 1 << 0,
	FL_FIXED = 1 << 1,
	FL_PF = 1 << 2,
	FL_AF = 1 << 4,
	FL_ZF = 1 << 6,
	FL_SF = 1 << 7,
	FL_TF = 1 << 8,
	FL_IF = 1 << 9,
	FL_DF = 1 << 10,
	FL_OF = 1 << 11,
	FL_RF = 1 << 16,
	FL_VM = 1 << 17,
	FL_AC = 1 << 18,
	FL_STATUS = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF,
};

enum {
	X86_EXC_DB = 1,
	X86_EXC_NMI = 2,
	X86_EXC_BP = 3,
	X86_EXC_UD = 6,
	X86_EXC_DF = 8,
	X86_EXC_SS = 12,
	X86_EXC_GP = 13,
	X86_EXC_PF = 14,
	X86_EXC_MC = 18,
};

/* Page-fault error code, SDM vol. 3A 4.7; as access: W, U, I. */
enum x86_pf { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

/* Segment attributes as in struct x86_seg. */
/* An instruction has at most so many bytes (SDM vol. 2A 2.3.11). */
#define X86_INSN_LEN 15u

enum { SEG_S = 1 << 4, SEG_P = 1 << 7, SEG_L = 1 << 13, SEG_DB = 1 << 14, SEG_G = 1 << 15 };

enum { DR6_FIXED = 0xffff0ff0, DR6_BS = 1 << 14, DR7_FIXED = 0x400, DR7_GD = 1 << 13 };

enum {
	MSR_TSC = 0x10,
	MSR_TSC_ADJUST = 0x3b,
	MSR_SYSENTER_CS = 0x174,
	MSR_SYSENTER_ESP = 0x175,
	MSR_SYSENTER_EIP = 0x176,
	MSR_PAT = 0x277,
};
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u

#define PAT_RESET 0x0007040600070406ULL

static inline bool x86_canonical(u64 a)
{
	return (u64)((s64)(a << 16) >> 16) == a;
}

#endif
