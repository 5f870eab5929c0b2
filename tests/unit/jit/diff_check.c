// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/jit/diff_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/jit/x86/cpu.h"
#include "isa/x86/ops.h"

bool diff_case_add(struct diff_case *dc, const struct x86_insn *in)
{
	if (dc->n == DIFF_SEQUENCE)
		return false;
	dc->insn[dc->n++] = *in;
	dc->bytes += in->len;
	return true;
}

void diff_case_code(const struct diff_case *dc, u8 *out)
{
	for (unsigned i = 0; i < dc->n; i++) {
		memcpy(out, dc->insn[i].bytes, dc->insn[i].len);
		out += dc->insn[i].len;
	}
}

void diff_run_host(const struct diff_case *dc, struct diff_outcome *out)
{
	u8 code[DIFF_SEQUENCE * X86_INSN_MAX];
	struct host_area *a = host_cpu_area();
	struct host_fault f;

	diff_case_code(dc, code);
	memcpy(a->gpr, dc->start.gpr, sizeof(a->gpr));
	a->rflags = dc->start.rflags;
	memcpy(a->xsave, dc->start.xsave, sizeof(a->xsave));
	memcpy((void *)HOST_DATA, dc->data, sizeof(dc->data));
	f = (dc->branch ? host_cpu_branch : host_cpu_run)(dc->insn[0].mode, code, dc->bytes);
	memcpy(out->st.gpr, a->gpr, sizeof(a->gpr));
	out->st.rflags = a->rflags;
	memcpy(out->st.xsave, a->xsave, sizeof(a->xsave));
	memcpy(out->data, (void *)HOST_DATA, sizeof(out->data));
	out->vector = f.vector;
	out->error = f.error;
	out->cr2 = f.addr;
	out->rip = f.vector < 0 ? dc->bytes : f.rip;
	if (dc->branch && f.vector == X86_GP && f.rip)
		out->vector = -1; /* arrived at a HLT */
}

/* The result of a 16-bit double shift by more than 16 is undefined (SDM vol. 2, SHLD). */
bool diff_undefined(const struct diff_case *dc)
{
	for (unsigned i = 0; i < dc->n; i++) {
		const struct x86_insn *in = &dc->insn[i];
		bool shxd = in->row->op == X86_OP_SHLD || in->row->op == X86_OP_SHRD;
		u64 count = in->imm_size ? (u64)in->imm : dc->n > 1 ? 31 : dc->start.gpr[X86_RCX];

		if (shxd && in->opsize == 2 && (count & 31) > 16)
			return true;
	}
	return false;
}

/* ---- comparison ------------------------------------------------------------------------ */

static char why[256];

static bool differ(const char *what, u64 h, u64 s)
{
	snprintf(why, sizeof(why), "%s: host %" PRIx64 ", hull %" PRIx64, what, h, s);
	return true;
}

static bool differ_bytes(const char *what, const u8 *h, const u8 *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (h[i] != s[i]) {
			char w[64];
			u64 hv = 0, sv = 0;

			snprintf(w, sizeof(w), "%s+0x%x", what, i);
			memcpy(&hv, h + i, n - i < 8 ? n - i : 8);
			memcpy(&sv, s + i, n - i < 8 ? n - i : 8);
			return differ(w, hv, sv);
		}
	return false;
}

/* Components whose XSTATE_BV bit is clear are in their initial state: write that out. */
static void normalize(u8 *x)
{
	static const u16 fcw = 0x37f;
	u64 bv;

	memcpy(&bv, x + 512, 8);
	if (!(bv & 1)) {
		memset(x, 0, 24);
		memset(x + 32, 0, 128);
		memcpy(x, &fcw, 2);
	}
	if (!(bv & 2))
		memset(x + 160, 0, 256);
	for (unsigned i = 2; i < 8; i++)
		if ((host_cpu_xcr0() >> i & 1) && !(bv >> i & 1))
			memset(x + diff_xsave_offset(i), 0, diff_xsave_length(i));
	memset(x + 6, 0, 18);	 /* FOP, FIP, FDP: depend on where code lies */
	memset(x + 28, 0, 4);	 /* MXCSR_MASK */
	memset(x + 416, 0, 160); /* reserved, header */
	for (unsigned i = 0; i < 8; i++)
		memset(x + 32 + i * 16 + 10, 0, 6);
}

static bool xsave_differs(struct diff_outcome *host, struct diff_outcome *soft)
{
	normalize(host->st.xsave);
	normalize(soft->st.xsave);
	if (!memcmp(host->st.xsave, soft->st.xsave, host_cpu_xsave_size()))
		return false;
	return differ_bytes("x87 control and status", host->st.xsave, soft->st.xsave, 24) ||
	       differ_bytes("mxcsr", host->st.xsave + 24, soft->st.xsave + 24, 4) ||
	       differ_bytes("x87 registers", host->st.xsave + 32, soft->st.xsave + 32, 128) ||
	       differ_bytes("xsave", host->st.xsave, soft->st.xsave, host_cpu_xsave_size());
}

/* Operands that the CPU accesses in pieces of its own choice. */
static bool in_pieces(const struct x86_insn *in)
{
	return in->row->flags & X86_R_MASKED || in->evex_aaa || in->row->op == X86_OP_FNSTENV ||
	       in->row->op == X86_OP_FLDENV;
}

static bool any_in_pieces(const struct diff_case *dc)
{
	for (unsigned i = 0; i < dc->n; i++)
		if (in_pieces(&dc->insn[i]))
			return true;
	return false;
}

/* Both operands of a CMPS may fault: which one the CPU reports is its own choice. */
static bool two_reads(const struct diff_case *dc)
{
	for (unsigned i = 0; i < dc->n; i++)
		if (dc->insn[i].row->op == X86_OP_CMPS)
			return true;
	return false;
}

static bool exception_differs(const struct diff_case *dc, const struct diff_outcome *host,
			      const struct diff_outcome *soft)
{
	/* Of such an access that faults, the CPU reports some byte of the page. */
	u64 mask = any_in_pieces(dc) ? ~0xfffULL : ~0ULL;

	if (host->vector != soft->vector)
		return differ("exception", (u64)(s64)host->vector, (u64)(s64)soft->vector);
	if (host->vector == X86_PF && two_reads(dc))
		return false;
	if (host->vector == X86_PF && (host->cr2 ^ soft->cr2) & mask)
		return differ("cr2", host->cr2, soft->cr2);
	/* The upper half is the host kernel's: there are pages, which we must not touch. */
	if (host->vector == X86_PF && !(host->cr2 >> 63) && (host->error & 3) != (soft->error & 3))
		return differ("error code", host->error & 3, soft->error & 3);
	return false;
}

/* Instructions that completed: all, or those before the one that faulted. */
static unsigned completed(const struct diff_case *dc, const struct diff_outcome *host)
{
	unsigned i = 0, at = 0;

	if (host->vector < 0)
		return dc->n;
	if (dc->branch)
		return host->rip != 0;
	while (i < dc->n && at < host->rip)
		at += dc->insn[i++].len;
	return i;
}

/* A shift or rotate by CL (rcl and rcr read CF besides). */
static bool by_cl(const struct x86_insn *in)
{
	const struct x86_opnd *last = &in->opnd[in->nopnds ? in->nopnds - 1 : 0];

	return last->kind == X86_OPND_GPR && last->implicit && last->reg == X86_RCX &&
	       in->row->op != X86_OP_RCL && in->row->op != X86_OP_RCR;
}

/* Flags that instruction `from` and those behind it set before anything reads them. */
static u64 dead_flags(const struct diff_case *dc, unsigned from)
{
	u64 live = 0, dead = 0;

	for (unsigned i = from; i < dc->n; i++) {
		if (by_cl(&dc->insn[i]))
			continue; /* may keep what it finds, which makes nobody its reader */
		live |= dc->insn[i].row->f_read & ~dead;
		dead |= dc->insn[i].row->f_written & ~live;
	}
	return dead;
}

/* Flags that the manual defines after the run. */
static u64 defined_flags(const struct diff_case *dc, const struct diff_outcome *host)
{
	unsigned n = completed(dc, host);
	u64 undef = 0;

	/* AMD's REP CMPS and SCAS that fault leave the flags of the last comparison. */
	if (n < dc->n && dc->insn[n].row->cls == X86_C_STRING)
		return X86_F_DF;
	/* With jumps in it, any of the instructions may have been the last to set a flag. */
	for (unsigned i = 0; dc->flow && i < dc->n; i++)
		undef |= dc->insn[i].row->f_undef;
	if (dc->flow)
		return (dc->translated && n < dc->n ? X86_F_DF : X86_F_STATUS | X86_F_DF) & ~undef;
	for (unsigned i = 0; i < n; i++)
		undef = (undef & ~(u64)dc->insn[i].row->f_written) | dc->insn[i].row->f_undef;
	if (dc->translated)
		undef |= dead_flags(dc, n);
	/* Over an indirect jump flags are carried only to code that looks at them. */
	if (dc->translated && dc->branch && dc->insn[0].opnd[0].kind != X86_OPND_REL)
		return X86_F_DF;
	return (X86_F_STATUS | X86_F_DF) & ~undef;
}

static bool gprs_differ(const struct diff_case *dc, const struct diff_outcome *host,
			const struct diff_outcome *soft)
{
	bool wide = dc->insn[0].mode == X86_MODE_64;
	unsigned done = completed(dc, host);
	/* POPA that faults half way may have loaded some: it is restarted from RSP. */
	bool popa = done < dc->n && dc->insn[done].row->op == X86_OP_POPA;
	char name[8];

	for (unsigned i = 0; i < (wide ? 16 : 8); i++) {
		u64 x = host->st.gpr[i] ^ soft->st.gpr[i];

		if (!(wide ? x : (u32)x) || (popa && i != X86_RSP))
			continue;
		snprintf(name, sizeof(name), "gpr %u", i);
		return differ(name, host->st.gpr[i], soft->st.gpr[i]);
	}
	return false;
}

/* fnstenv stores where the last x87 instruction was: not the same place in both. */
static void forget_fpu_pointers(const struct diff_case *dc, struct diff_outcome *host,
				struct diff_outcome *soft)
{
	unsigned at = 0;

	if (dc->insn[0].row->op != X86_OP_FNSTENV || host->vector >= 0)
		return;
	while (at < HOST_DATA_SIZE && host->data[at] == dc->data[at] &&
	       soft->data[at] == dc->data[at])
		at++;
	for (unsigned i = at; i < at + 40 && i < HOST_DATA_SIZE; i++)
		host->data[i] = soft->data[i] = 0;
}

static bool any_sha(const struct diff_case *dc)
{
	for (unsigned i = 0; i < dc->n; i++)
		if (dc->insn[i].row->feature == X86_FEAT_SHA)
			return true;
	return false;
}

/*
 * Where CPUs differ and the manuals leave it open: whether a misaligned operand of the SHA
 * instructions is a fault (AMD's take it) and which fault comes first, of MMX instructions and
 * converting stores too, and whether a store that an unmasked x87 exception cancels looks at its
 * page at all.
 */
static bool cpus_differ(const struct diff_case *dc, const struct diff_outcome *host,
			const struct diff_outcome *soft)
{
	unsigned n = completed(dc, host->vector >= 0 ? host : soft);
	const struct x86_insn *in = &dc->insn[n < dc->n ? n : 0];

	if (host->vector == soft->vector)
		return false;
	if (any_sha(dc) && (host->vector == X86_GP || soft->vector == X86_GP))
		return true;
	if (dc->flow || n == dc->n || soft->vector != X86_PF)
		return false;
	if (in->row->flags & X86_R_MMX)
		return host->vector == X86_MF;
	if (host->vector == X86_XM) /* of a store that converts */
		return in->has_mem && in->opnd[0].write;
	return in->row->flags & X86_R_FPU && host->vector < 0 &&
	       host->st.xsave[2] & 0x80; /* ES: SDM vol. 1, 8.1.3.3 */
}

/* An MMX instruction that faults has made the x87 registers MMX ones already, or not yet. */
static void forget_mmx_switch(const struct diff_case *dc, struct diff_outcome *host,
			      struct diff_outcome *soft)
{
	unsigned n = completed(dc, host);

	if (n == dc->n || !(dc->insn[n].row->flags & X86_R_MMX) || host->vector != X86_PF)
		return;
	for (unsigned i = 0; i < 2; i++) {
		u8 *x = i ? soft->st.xsave : host->st.xsave;

		x[3] &= (u8)~0x38; /* TOP, and ST(i) in the image with it */
		x[4] = 0;
		memset(x + 32, 0, 128);
	}
}

/* A store that converts and then faults: some CPUs have noted the conversion's exceptions. */
static void forget_sticky(const struct diff_case *dc, const struct diff_outcome *host,
			  struct diff_outcome *soft)
{
	unsigned n = completed(dc, host);

	if (n == dc->n || host->vector != X86_PF || !dc->insn[n].has_mem ||
	    !dc->insn[n].opnd[0].write)
		return;
	soft->st.xsave[24] = (u8)((soft->st.xsave[24] & ~0x3f) | (host->st.xsave[24] & 0x3f));
}

/* A store of ten bytes over a page's end that faults: some CPUs have written those before it. */
static void forget_half_store(const struct diff_case *dc, const struct diff_outcome *host,
			      struct diff_outcome *soft)
{
	unsigned n = completed(dc, host);

	if (n == dc->n || !(dc->insn[n].row->flags & X86_R_FPU) || host->vector != X86_PF)
		return;
	for (unsigned i = HOST_DATA_SIZE - 10; i < HOST_DATA_SIZE; i++)
		soft->data[i] = host->data[i];
}

const char *diff_compare(const struct diff_case *dc, struct diff_outcome *host,
			 struct diff_outcome *soft)
{
	u64 fmask = defined_flags(dc, host);

	forget_fpu_pointers(dc, host, soft);
	forget_mmx_switch(dc, host, soft);
	forget_half_store(dc, host, soft);
	forget_sticky(dc, host, soft);
	if (cpus_differ(dc, host, soft))
		return NULL;
	if (exception_differs(dc, host, soft) || gprs_differ(dc, host, soft))
		return why;
	if ((host->st.rflags ^ soft->st.rflags) & fmask)
		differ("rflags", host->st.rflags & fmask, soft->st.rflags & fmask);
	else if (host->rip != soft->rip)
		differ("rip", host->rip, soft->rip);
	else if (!xsave_differs(host, soft) &&
		 !differ_bytes("memory", host->data, soft->data, sizeof(host->data)))
		return NULL;
	return why;
}
