/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What generated code calls: struct ppc_target and its table of helpers. Those that raise return
 * with c->exc filled in and rt.leave set.
 */
#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/lift.h"
#include "engine/jit/ppc/op.h"
#include "engine/jit/ppc/pure.h"
#include "engine/jit/ppc/sys.h"

static u64 h_raise(void *cpu, u64 vec, u64 srr1, u64 cause)
{
	struct ppc_vcpu *c = cpu;

	ppc_raise(c, (enum ppc_vector)vec, srr1);
	c->exc.lev = (u16)cause;
	return 0;
}

static u64 h_align(void *cpu, u64 ea, u64 b, u64 d)
{
	struct ppc_vcpu *c = cpu;

	ppc_raise(c, PPC_ALIGN, 0);
	c->exc.dar = ea;
	return 0;
}

static u64 next_nip(const struct ppc_vcpu *c)
{
	return c->rt.key & PPC_KEY_SF ? c->nip + 4 : (u32)(c->nip + 4);
}

static u64 h_sc(void *cpu, u64 lev, u64 b, u64 d)
{
	struct ppc_vcpu *c = cpu;

	c->nip = next_nip(c);
	ppc_sc(c, PPC_SYSCALL, (unsigned)lev);
	return 0;
}

static u64 h_scv(void *cpu, u64 lev, u64 b, u64 d)
{
	struct ppc_vcpu *c = cpu;

	c->nip = next_nip(c);
	ppc_sc(c, PPC_SYSCALL_VECTORED, (unsigned)lev);
	return 0;
}

/* The instruction is done, the next one is at nip. */
static u64 h_trace(void *cpu, u64 nip, u64 b, u64 d)
{
	struct ppc_vcpu *c = cpu;

	if (!c->exc.pending) {
		c->nip = nip;
		ppc_raise(c, PPC_TRACE, 0);
	}
	return 0;
}

static u64 h_mfspr(void *cpu, u64 spr, u64 old, u64 d)
{
	u64 v = old;

	ppc_spr_read(cpu, (u32)spr, &v);
	return v;
}

/* For functions that end a unit: nip is the next instruction's unless they raise. */
static u64 ends(struct ppc_vcpu *c, u64 at, int r)
{
	if (r)
		c->nip = at;
	return 0;
}

static u64 h_mtspr(void *cpu, u64 spr, u64 v, u64 d)
{
	struct ppc_vcpu *c = cpu;
	u64 at = c->nip;

	c->nip = next_nip(c);
	return ends(c, at, ppc_spr_write(c, (u32)spr, v));
}

static u64 h_mtmsr(void *cpu, u64 v, u64 l, u64 doubleword)
{
	struct ppc_vcpu *c = cpu;
	u64 at = c->nip;

	c->nip = next_nip(c);
	return ends(c, at, ppc_mtmsr(c, v, (unsigned)l, doubleword));
}

static u64 h_rfid(void *cpu, u64 a, u64 b, u64 d)
{
	struct ppc_vcpu *c = cpu;
	u64 at = c->nip;

	c->nip = next_nip(c);
	return ends(c, at, ppc_rfid(c));
}

static u64 h_hrfid(void *cpu, u64 a, u64 b, u64 d)
{
	struct ppc_vcpu *c = cpu;
	u64 at = c->nip;

	c->nip = next_nip(c);
	return ends(c, at, ppc_hrfid(c));
}

static u64 h_rfscv(void *cpu, u64 a, u64 b, u64 d)
{
	struct ppc_vcpu *c = cpu;
	u64 at = c->nip;

	c->nip = next_nip(c);
	return ends(c, at, ppc_rfscv(c));
}

static u64 h_rfebb(void *cpu, u64 s, u64 b, u64 d)
{
	struct ppc_vcpu *c = cpu;
	u64 at = c->nip;

	c->nip = next_nip(c);
	return ends(c, at, ppc_rfebb(c, (unsigned)s));
}

static u64 h_sys(void *cpu, u64 w, u64 op, u64 d)
{
	struct ppc_vcpu *c = cpu;
	u64 at = c->nip;

	c->nip = next_nip(c);
	return ends(c, at, ppc_sys_insn(c, (u32)w, (u32)op));
}

static u64 h_op(void *cpu, u64 w, u64 op, u64 d)
{
	struct ppc_op_row r = ppc_op_row((unsigned)op);

	if (r.fn)
		r.fn(cpu, (u32)w, r.arg);
	else
		ppc_raise(cpu, PPC_PROGRAM, PPC_PROGRAM_ILLEGAL);
	return 0;
}

/* ---- string accesses: bytes from or to successive words, low halves of GPRs (Book I 3.3.6) -- */

static u64 h_lsw(void *cpu, u64 word, u64 ea, u64 op)
{
	struct ppc_vcpu *c = cpu;
	u32 w = (u32)word;
	bool load = op == PPC_OP_LSWI || op == PPC_OP_LSWX;
	bool indexed = op == PPC_OP_LSWX || op == PPC_OP_STSWX;
	unsigned n = indexed ? c->xer_rest & 127 : ppc_rb(w) ? ppc_rb(w) : 32, r = ppc_rt(w);
	u8 buf[128] = {0};

	/* An invalid form, RA = 0 too; but what processors do with that is load. */
	if (op == PPC_OP_LSWX && n &&
	    ((ppc_ra(w) && ((ppc_ra(w) - r) & 31) < (n + 3) / 4) ||
	     ((ppc_rb(w) - r) & 31) < (n + 3) / 4)) {
		ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_ILLEGAL);
		return 0;
	}
	if (load && n && ppc_mem_read(c, ea, buf, n))
		return 0;
	for (unsigned i = 0; i < n; i += 4, r = (r + 1) & 31) {
		u32 v = (u32)buf[i] << 24 | buf[i + 1] << 16 | buf[i + 2] << 8 | buf[i + 3];

		if (load) {
			c->gpr[r] = v;
			continue;
		}
		for (unsigned k = 0; k < 4 && i + k < n; k++)
			buf[i + k] = (u8)(c->gpr[r] >> (24 - 8 * k));
	}
	if (!load && n)
		ppc_mem_write(c, ea, buf, n);
	return 0;
}

/* lxvl, lxvll, stxvl, stxvll: `len` has the length in its top byte (Book I 7.6.3). */
static unsigned vector_length(u64 len)
{
	return len >> 56 < 16 ? (unsigned)(len >> 56) : 16;
}

static bool ends_first(const struct ppc_vcpu *c, u32 w)
{
	/* The left-justified forms are big-endian whatever the mode. */
	bool left = ppc_bits(w, 21, 30) == 301 || ppc_bits(w, 21, 30) == 429;

	return left || !(c->rt.key & PPC_KEY_LE);
}

static u64 h_lxvl(void *cpu, u64 word, u64 ea, u64 len)
{
	struct ppc_vcpu *c = cpu;
	unsigned n = vector_length(len);
	union ppc_vsr v = {0};
	u8 buf[16];

	if (n && ppc_mem_read(c, ea, buf, n))
		return 0;
	for (unsigned i = 0; i < n; i++)
		v.b[ends_first(c, (u32)word) ? PPC_B(i) : i] = buf[i];
	c->vsr[ppc_xt((u32)word)] = v;
	return 0;
}

static u64 h_stxvl(void *cpu, u64 word, u64 ea, u64 len)
{
	struct ppc_vcpu *c = cpu;
	unsigned n = vector_length(len);
	u8 buf[16];

	for (unsigned i = 0; i < n; i++)
		buf[i] = c->vsr[ppc_xt((u32)word)].b[ends_first(c, (u32)word) ? PPC_B(i) : i];
	if (n)
		ppc_mem_write(c, ea, buf, n);
	return 0;
}

static u64 h_stfs(void *cpu, u64 reg, u64 b, u64 d)
{
	const struct ppc_vcpu *c = cpu;

	return ppc_fp_stfs(cpu, c->vsr[reg & 63].dw[PPC_DW0], 0, 0);
}

/* The element that a store of the whole would put at this address. */
static u64 h_stve(void *cpu, u64 word, u64 ea, u64 size)
{
	struct ppc_vcpu *c = cpu;
	const union ppc_vsr *v = &c->vsr[32 + ppc_rt((u32)word)];
	u8 buf[4];

	for (unsigned i = 0; i < size && i < sizeof(buf); i++) {
		unsigned at = (ea + i) & 15;

		buf[i] = v->b[c->rt.key & PPC_KEY_LE ? at : PPC_B(at)];
	}
	ppc_mem_write(c, ea, buf, (unsigned)size & 7);
	return 0;
}

/* ---- quadword and atomic memory operations ---- */

static u64 load_number(const struct ppc_vcpu *c, const u8 *p, unsigned n)
{
	u64 v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (u64)p[i] << (8 * (c->rt.key & PPC_KEY_LE ? i : n - 1 - i));
	return v;
}

static void store_number(const struct ppc_vcpu *c, u8 *p, unsigned n, u64 v)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (u8)(v >> (8 * (c->rt.key & PPC_KEY_LE ? i : n - 1 - i)));
}

static u64 h_quad(void *cpu, u64 word, u64 ea, u64 d)
{
	struct ppc_vcpu *c = cpu;
	unsigned rt = ppc_rt((u32)word), first = c->rt.key & PPC_KEY_LE ? 0 : 1;
	u8 old[16], new[16];
	int done = 0;

	if (c->res_addr == ea && c->res_size == 16) {
		store_number(c, old, 8, c->res_val[first]);
		store_number(c, old + 8, 8, c->res_val[!first]);
		store_number(c, new, 8, c->gpr[first ? rt : rt + 1]);
		store_number(c, new + 8, 8, c->gpr[first ? rt + 1 : rt]);
		done = ppc_mem_cas(c, ea, old, new, 16);
		if (done < 0)
			return 0;
	}
	c->cr[0] = c->cr[1] = 0;
	c->cr[2] = (u8)done;
	c->cr[3] = c->so;
	c->res_addr = PPC_NO_RESERVATION;
	return 0;
}

/* The new value of a fetch or store operation (Book II 4.5); sign-extended operands. */
static u64 amo(unsigned fc, bool word, u64 mem, u64 v)
{
	s64 sm = word ? (s32)mem : (s64)mem, sv = word ? (s32)v : (s64)v;
	u64 um = word ? (u32)mem : mem, uv = word ? (u32)v : v;

	switch (fc) {
	case 0:
		return mem + v;
	case 1:
		return mem ^ v;
	case 2:
		return mem | v;
	case 3:
		return mem & v;
	case 4:
		return um > uv ? mem : v;
	case 5:
		return sm > sv ? mem : v;
	case 6:
		return um < uv ? mem : v;
	case 7:
		return sm < sv ? mem : v;
	default:
		return v;
	}
}

#define AMO_TRIES 64u

/*
 * Memory becomes what the operation makes of it; *old: what it was. A swap that fails although
 * nothing has changed, again and again, is of storage that is no RAM: written as it is.
 */
static int amo_swap(struct ppc_vcpu *c, u64 ea, unsigned n, unsigned fc, u64 v, u64 *old)
{
	unsigned same = 0;
	u8 was[8], to[8];
	u64 last = 0;
	int done;

	for (;;) {
		if (ppc_mem_read(c, ea, was, n))
			return -1;
		*old = load_number(c, was, n);
		store_number(c, to, n, amo(fc, n == 4, *old, v));
		done = ppc_mem_cas(c, ea, was, to, n);
		if (done)
			return done < 0 ? -1 : 0;
		same = *old == last ? same + 1 : 0;
		last = *old;
		if (same == AMO_TRIES)
			return ppc_mem_write(c, ea, to, n);
	}
}

static u64 h_amo(void *cpu, u64 word, u64 ea, u64 op)
{
	struct ppc_vcpu *c = cpu;
	unsigned fc = ppc_rb((u32)word), rt = ppc_rt((u32)word);
	bool load = op == PPC_OP_LWAT || op == PPC_OP_LDAT;
	unsigned n = op == PPC_OP_LWAT || op == PPC_OP_STWAT ? 4 : 8;
	u64 old;

	/* Function codes 0 to 8 of loads (8: swap), 0 to 7 of stores. */
	if (fc > (load ? 8u : 7u)) {
		ppc_raise(c, PPC_PROGRAM, PPC_PROGRAM_ILLEGAL);
		return 0;
	}
	if (amo_swap(c, ea, n, fc, c->gpr[load ? (rt + 1) & 31 : rt], &old) == 0 && load)
		c->gpr[rt] = old;
	return 0;
}

#define ALL (IR_CALL_READS | IR_CALL_WRITES)
#define RAISES (ALL | IR_CALL_RAISES)

static const struct ir_helper helpers[H_COUNT] = {
	[H_NONE] = {"none", h_raise, RAISES},
	[H_RAISE] = {"raise", h_raise, RAISES},
	[H_ALIGN] = {"align", h_align, RAISES},
	[H_SC] = {"sc", h_sc, RAISES},
	[H_SCV] = {"scv", h_scv, RAISES},
	[H_TRACE] = {"trace", h_trace, RAISES},
	[H_MFSPR] = {"mfspr", h_mfspr, RAISES},
	[H_MTSPR] = {"mtspr", h_mtspr, RAISES},
	[H_MTMSR] = {"mtmsr", h_mtmsr, RAISES},
	[H_RFID] = {"rfid", h_rfid, RAISES},
	[H_HRFID] = {"hrfid", h_hrfid, RAISES},
	[H_RFSCV] = {"rfscv", h_rfscv, RAISES},
	[H_RFEBB] = {"rfebb", h_rfebb, RAISES},
	[H_SYS] = {"sys", h_sys, RAISES},
	[H_LSW] = {"lsw", h_lsw, RAISES},
	[H_LXVL] = {"lxvl", h_lxvl, RAISES},
	[H_STXVL] = {"stxvl", h_stxvl, RAISES},
	[H_QUAD] = {"quad", h_quad, RAISES},
	[H_AMO] = {"amo", h_amo, RAISES},
	[H_OP] = {"op", h_op, RAISES},
	[H_VOP] = {"vop", h_op, IR_CALL_VECTOR | IR_CALL_RAISES},
	[H_FFIX] = {"ffix", ppc_fp_fix, IR_CALL_VECTOR},
	[H_FFIX32] = {"ffix32", ppc_fp_fix32, IR_CALL_VECTOR},
	[H_LFS] = {"lfs", ppc_fp_lfs, IR_CALL_VECTOR},
	[H_VFIX] = {"vfix", ppc_fp_vfix, IR_CALL_VECTOR},
	[H_STFS] = {"stfs", h_stfs, IR_CALL_VECTOR},
	[H_CTI] = {"cti", ppc_fp_fix, IR_CALL_VECTOR},
	[H_FCMP] = {"fcmp", ppc_fp_cmp, IR_CALL_VECTOR},
	[H_STVE] = {"stve", h_stve, RAISES},
	[H_CMPB] = {"cmpb", ppc_cmpb, 0},
	[H_POPCNTB] = {"popcntb", ppc_popcntb, 0},
	[H_POPCNTW] = {"popcntw", ppc_popcntw, 0},
	[H_PRTYW] = {"prtyw", ppc_prtyw, 0},
	[H_PRTYD] = {"prtyd", ppc_prtyd, 0},
	[H_BPERMD] = {"bpermd", ppc_bpermd, 0},
	[H_CMPRB] = {"cmprb", ppc_cmprb, 0},
	[H_CMPEQB] = {"cmpeqb", ppc_cmpeqb, 0},
	[H_DIVDE] = {"divde", ppc_divde, 0},
	[H_DIVDE_OV] = {"divde_ov", ppc_divde_ov, 0},
	[H_DIVDEU] = {"divdeu", ppc_divdeu, 0},
	[H_ADDG6S] = {"addg6s", ppc_addg6s, 0},
	[H_CDTBCD] = {"cdtbcd", ppc_cdtbcd, 0},
	[H_CBCDTD] = {"cbcdtd", ppc_cbcdtd, 0},
};

const struct ir_target ppc_target = {
	.name = "ppc",
	.state_bytes = OFF(rt),
	.helper = helpers,
	.nhelpers = H_COUNT,
	.relaxed_off = OFF(fp_a),
	.relaxed_bytes = PPC_RELAXED_BYTES,
	.flags_off = OFF(cr),
	.flags_bytes = 37, /* cr to ca32 */
	.sp_off = OFF_GPR(1),
	.pc_off = OFF(nip),
	.vtmp_off = OFF(scratch[2]),
	.rt_off = OFF(rt),
	/* Arguments, what compilers keep loop state in, stack, TOC, LR and CTR last. */
	.pin = {OFF_GPR(3), OFF_GPR(9), OFF_GPR(4), OFF_GPR(10), OFF_GPR(5), OFF_GPR(31),
		OFF_GPR(1), OFF_GPR(8), OFF_GPR(30), OFF(ctr), OFF_GPR(6), OFF_GPR(7)},
	.npins = 12,
};
