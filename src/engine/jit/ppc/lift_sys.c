/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * System call, special registers, machine state, barriers (Book II 4, III 3, 5) to IR: mostly
 * calls of the system half (sys.h).
 */
#include "engine/jit/ppc/lift.h"

/* The next instruction is somewhere else, or means something else: leave by way of NIP. */
static void leave_by_nip(struct lx *x)
{
	lx_goto_ind(x, IR_PLAIN, ir_get(x->u, IR_I64, 8, OFF(nip)));
}

void lift_sc(struct lx *x, u32 scv)
{
	x->ended = true;
	if (scv && !(x->key & PPC_KEY_SCV)) {
		lx_raise(x, PPC_FACILITY, 0, 12);
		return;
	}
	ir_call(x->u, scv ? H_SCV : H_SC, lx_k(x, ppc_bits(x->w, 20, 26)), 0, 0);
	if (x->key & (PPC_KEY_FLAT | PPC_KEY_STEP))
		ir_exit(x->u, IR_PLAIN, lx_next(x));
	else
		leave_by_nip(x);
}

/* A register of plain state that mfspr reads and mtspr writes here: offset and size. */
static const struct {
	u16 spr, size;
	u32 off;
	bool user, readonly;
} plain[] = {
	{8, 8, OFF(lr), true, false},	      {9, 8, OFF(ctr), true, false},
	{256, 4, OFF(vrsave), true, false},   {26, 8, OFF(srr0), false, false},
	{27, 8, OFF(srr1), false, false},     {272, 8, OFF(sprg[0]), false, false},
	{273, 8, OFF(sprg[1]), false, false}, {274, 8, OFF(sprg[2]), false, false},
	{275, 8, OFF(sprg[3]), false, false}, {259, 8, OFF(sprg[3]), true, true},
	{19, 8, OFF(dar), false, false},      {18, 4, OFF(dsisr), false, false},
	{17, 8, OFF(dscr), false, false},     {28, 8, OFF(cfar), false, false},
	{29, 8, OFF(amr), false, true},	      {896, 8, OFF(ppr), true, false},
};

/* Index of a plain register that may be accessed now, or -1. */
static int find_plain(const struct lx *x, unsigned spr, bool write)
{
	for (unsigned i = 0; i < ARRAY_LEN(plain); i++)
		if (plain[i].spr == spr && (plain[i].user || !(x->key & PPC_KEY_PR)) &&
		    !(write && plain[i].readonly))
			return (int)i;
	return -1;
}

static const struct {
	u32 off;
	u8 bit;
} xer_bits[] = {{OFF(so), 31}, {OFF(ov), 30}, {OFF(ca), 29}, {OFF(ov32), 19}, {OFF(ca32), 18}};

static ir_val read_xer(struct lx *x)
{
	ir_val v = ir_get(x->u, IR_I64, 4, OFF(xer_rest));

	for (unsigned i = 0; i < (x->v3 ? 5u : 3u); i++)
		v = lx_op(x, IR_OR, v,
			  lx_op(x, IR_SHL, lx_get1(x, xer_bits[i].off), lx_k(x, xer_bits[i].bit)));
	return v;
}

static void write_xer(struct lx *x, ir_val v)
{
	u32 keep = 0x3ffff; /* 35 to 43 read as zero (Book I 3.2.2), POWER9 keeps the rest */

	for (unsigned i = 0; i < 5; i++)
		lx_put1(x, xer_bits[i].off,
			lx_op(x, IR_AND, lx_op(x, IR_SHR, v, lx_k(x, xer_bits[i].bit)),
			      lx_k(x, 1)));
	ir_put(x->u, IR_I64, 4, OFF(xer_rest), lx_op(x, IR_AND, v, lx_k(x, keep)));
}

void lift_mfspr(struct lx *x, u32 arg)
{
	unsigned spr = ppc_spr(x->w);
	int i = find_plain(x, spr, false);
	ir_val v;

	if (spr == 1)
		v = read_xer(x);
	else if (i >= 0)
		v = ir_get(x->u, IR_I64, plain[i].size, plain[i].off);
	else
		v = ir_call(x->u, H_MFSPR, lx_k(x, spr), lx_gpr(x, ppc_rt(x->w)), 0);
	lx_set_gpr(x, ppc_rt(x->w), v);
}

void lift_mtspr(struct lx *x, u32 arg)
{
	unsigned spr = ppc_spr(x->w);
	int i = find_plain(x, spr, true);
	ir_val v = lx_gpr(x, ppc_rt(x->w));

	if (spr == 1) {
		write_xer(x, v);
	} else if (i >= 0) {
		ir_put(x->u, IR_I64, plain[i].size, plain[i].off, v);
	} else {
		ir_call(x->u, H_MTSPR, lx_k(x, spr), v, 0);
		leave_by_nip(x);
	}
}

void lift_mfmsr(struct lx *x, u32 arg)
{
	lx_set_gpr(x, ppc_rt(x->w), ir_get(x->u, IR_I64, 8, OFF(msr)));
}

void lift_mtmsr(struct lx *x, u32 d)
{
	ir_call(x->u, H_MTMSR, lx_gpr(x, ppc_rt(x->w)), lx_k(x, x->w >> 16 & 1), lx_k(x, d));
	leave_by_nip(x);
}

void lift_rfi(struct lx *x, u32 helper)
{
	ir_call(x->u, helper, lx_k(x, x->w >> 11 & 1), 0, 0);
	leave_by_nip(x);
}

/* Every access of x86 is ordered as lwsync and eieio ask; sync and ptesync need a fence. */
void lift_sync(struct lx *x, u32 arg)
{
	if (ppc_bits(x->w, 9, 10) != 1)
		ir_make(x->u, IR_FENCE, 0, 0, 0, 0);
}

/* Ends the unit, so that what was written to code before is seen after. */
void lift_isync(struct lx *x, u32 arg)
{
	x->ended = true;
	if (x->key & PPC_KEY_STEP)
		x->ended = false;
	else
		ir_exit(x->u, IR_PLAIN, lx_next(x));
}

/* A machine watches its code pages by itself; a program without one says what it has written. */
void lift_icbi(struct lx *x, u32 arg)
{
	if (x->key & PPC_KEY_FLAT)
		lift_sys(x, arg);
	else
		lift_isync(x, arg);
}

void lift_sys(struct lx *x, u32 arg)
{
	ir_call(x->u, H_SYS, lx_k(x, x->w), lx_k(x, x->row->op), 0);
	leave_by_nip(x);
}

/* copy, paste.: no accelerator answers; CR0 of paste. says that nothing was pasted. */
void lift_cp(struct lx *x, u32 paste)
{
	for (unsigned i = 0; paste && i < 4; i++)
		lx_put1(x, OFF_CR(i), i == 3 ? lx_get1(x, OFF(so)) : lx_k(x, 0));
}
