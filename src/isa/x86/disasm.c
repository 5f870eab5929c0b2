// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Intel-syntax text of a decoded instruction, for traces, the debugger and
 * error messages. Follows objdump -M intel where that is useful.
 */
#include "isa/x86/tables.h"

struct text {
	char *buf;
	size_t size, len;
};

static void put_char(struct text *t, char c)
{
	if (t->len + 1 < t->size)
		t->buf[t->len] = c;
	t->len++;
}

static void put(struct text *t, const char *s)
{
	while (*s)
		put_char(t, *s++);
}

static void put_dec(struct text *t, unsigned v)
{
	if (v >= 10)
		put_dec(t, v / 10);
	put_char(t, '0' + v % 10);
}

static void put_hex(struct text *t, u64 v)
{
	int sh = 60;

	put(t, "0x");
	while (sh && !(v >> sh & 15))
		sh -= 4;
	for (; sh >= 0; sh -= 4)
		put_char(t, "0123456789abcdef"[v >> sh & 15]);
}

static void put_signed(struct text *t, s64 v)
{
	put_char(t, v < 0 ? '-' : '+');
	put_hex(t, v < 0 ? -(u64)v : (u64)v);
}

static const char *const gpr64[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
				      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const gpr_low[8] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
static const char *const gpr_high[4] = {"ah", "ch", "dh", "bh"};
static const char *const segs[8] = {"es", "cs", "ss", "ds", "fs", "gs", "?", "?"};

static void put_gpr(struct text *t, unsigned reg, unsigned size, bool high)
{
	reg &= 15;
	if (high) {
		put(t, gpr_high[reg & 3]);
	} else if (reg >= 8) {
		put(t, gpr64[reg]);
		if (size < 8)
			put_char(t, size == 4 ? 'd' : size == 2 ? 'w' : 'b');
	} else if (size == 1) {
		put(t, gpr_low[reg]);
	} else {
		if (size == 4)
			put_char(t, 'e');
		put(t, size == 8 ? gpr64[reg] : gpr64[reg] + 1);
	}
}

static void put_vec(struct text *t, unsigned reg, unsigned size)
{
	put_char(t, size > 32 ? 'z' : size > 16 ? 'y' : 'x');
	put(t, "mm");
	put_dec(t, reg);
}

static const char *size_name(const struct x86_insn *in, unsigned size)
{
	switch (size) {
	case 1:
		return "BYTE PTR ";
	case 2:
		return "WORD PTR ";
	case 4:
		return "DWORD PTR ";
	case 6:
		return "FWORD PTR ";
	case 8:
		return "QWORD PTR ";
	case 10:
		return "TBYTE PTR ";
	case 16:
		return "XMMWORD PTR ";
	case 32:
		return "YMMWORD PTR ";
	case 64:
		return "ZMMWORD PTR ";
	}
	return "";
}

/* The part in brackets; objdump's form, with rip targets as an absolute comment left out. */
static void put_address(struct text *t, const struct x86_insn *in)
{
	bool some = false;

	put_char(t, '[');
	if (in->mem_base == X86_REG_RIP) {
		put(t, in->adsize == 8 ? "rip" : "eip");
		some = true;
	} else if (in->mem_base != X86_REG_NONE) {
		put_gpr(t, in->mem_base, in->adsize, false);
		some = true;
	}
	if (in->mem_index != X86_REG_NONE) {
		if (some)
			put_char(t, '+');
		if (in->row->flags & X86_R_VSIB)
			put_vec(t, in->mem_index, x86_vsib_bytes(in));
		else
			put_gpr(t, in->mem_index, in->adsize, false);
		if (in->adsize != 2) {
			put_char(t, '*');
			put_dec(t, in->mem_scale);
		}
		some = true;
	}
	if (!some)
		put_hex(t,
			(u64)in->disp & (in->adsize == 8 ? ~0ULL : (1ULL << in->adsize * 8) - 1));
	else if (in->disp_size)
		put_signed(t, in->disp);
	put_char(t, ']');
}

static void put_seg(struct text *t, const struct x86_insn *in)
{
	if (!in->seg_override)
		return;
	put(t, segs[in->seg & 7]);
	put_char(t, ':');
}

static void put_mem(struct text *t, const struct x86_insn *in, const struct x86_opnd *o)
{
	put(t, size_name(in, o->size));
	if (o->implicit && in->row->cls != X86_C_BRANCH) { /* string operands */
		put(t, o->reg == 7 ? "es" : segs[in->seg_override ? in->seg & 7 : X86_SEG_DS]);
		put(t, ":[");
		put_gpr(t, o->reg, in->adsize, false);
		put_char(t, ']');
		return;
	}
	put_seg(t, in);
	put_address(t, in);
	if (in->evex_b && o->size) {
		put(t, "{1to");
		put_dec(t, in->vl / o->size);
		put_char(t, '}');
	}
}

static void put_imm(struct text *t, const struct x86_insn *in, u8 size, s64 imm)
{
	put_hex(t, size >= 8 ? (u64)imm : (u64)imm & ((1ULL << size * 8) - 1));
}

static void put_operand(struct text *t, const struct x86_insn *in, const struct x86_opnd *o,
			u64 rip)
{
	switch ((enum x86_opnd_kind)o->kind) {
	case X86_OPND_NONE:
		break;
	case X86_OPND_GPR:
		put_gpr(t, o->reg, o->size, o->high);
		break;
	case X86_OPND_SEG:
		put(t, segs[o->reg & 7]);
		break;
	case X86_OPND_CR:
	case X86_OPND_DR:
		put(t, o->kind == X86_OPND_CR ? "cr" : "dr");
		put_dec(t, o->reg);
		break;
	case X86_OPND_ST:
		put(t, "st(");
		put_dec(t, o->reg);
		put_char(t, ')');
		break;
	case X86_OPND_MMX:
		put(t, "mm");
		put_dec(t, o->reg);
		break;
	case X86_OPND_VEC:
		put_vec(t, o->reg, o->size);
		break;
	case X86_OPND_MASK:
		put_char(t, 'k');
		put_dec(t, o->reg);
		break;
	case X86_OPND_MEM:
		put_mem(t, in, o);
		break;
	case X86_OPND_IMM:
		put_imm(t, in, o->size, in->imm);
		break;
	case X86_OPND_IMM2:
		put_imm(t, in, o->size, in->imm2);
		break;
	case X86_OPND_REL:
		put_hex(t, (rip + in->len + in->imm) &
				   (o->size == 8 ? ~0ULL : (1ULL << o->size * 8) - 1));
		break;
	}
}

/* Prefixes that change what the instruction does and that the mnemonic does not say. */
static void put_prefixes(struct text *t, const struct x86_insn *in)
{
	bool string = in->row->cls == X86_C_STRING || in->row->op == X86_OP_INS ||
		      in->row->op == X86_OP_OUTS;
	bool cmp = in->row->op == X86_OP_CMPS || in->row->op == X86_OP_SCAS;

	if (in->lock)
		put(t, "lock ");
	if (string && in->rep)
		put(t, cmp ? "repz " : "rep ");
	if (string && in->repne)
		put(t, "repnz ");
}

/* The SDM's names of the forms that differ only in size. */
static const char *sized_name(const struct x86_insn *in)
{
	static const struct {
		u16 op;
		const char *name[3]; /* for operand (jrcxz: address) size 2, 4, 8 */
	} names[] = {
		{X86_OP_CBW, {"cbw", "cwde", "cdqe"}},
		{X86_OP_CWD, {"cwd", "cdq", "cqo"}},
		{X86_OP_IRET, {"iretw", "iret", "iretq"}},
		{X86_OP_JRCXZ, {"jcxz", "jecxz", "jrcxz"}},
	};
	unsigned size = in->row->op == X86_OP_JRCXZ ? in->adsize : in->opsize;

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].op == in->row->op)
			return names[i].name[size == 8 ? 2 : size == 4];
	return in->row->name;
}

static void put_masking(struct text *t, const struct x86_insn *in)
{
	if (in->evex_aaa) {
		put(t, "{k");
		put_dec(t, in->evex_aaa);
		put_char(t, '}');
	}
	if (in->evex_z)
		put(t, "{z}");
}

/* Implicit stack memory is not written out; string operands are. */
static bool operand_shown(const struct x86_insn *in, const struct x86_opnd *o)
{
	return o->kind != X86_OPND_MEM || !o->implicit || o->reg == 6 || o->reg == 7;
}

static void put_name(struct text *t, const struct x86_insn *in)
{
	const char *name = sized_name(in);
	size_t start = t->len;

	put(t, name);
	if (!in->nopnds || !operand_shown(in, &in->opnd[0]))
		return;
	do
		put_char(t, ' ');
	while (t->len < start + 7);
}

size_t x86_disasm(const struct x86_insn *in, u64 rip, char *buf, size_t size)
{
	struct text t = {.buf = buf, .size = size};
	bool first = true;

	put_prefixes(&t, in);
	put_name(&t, in);
	for (unsigned i = 0; i < in->nopnds; i++) {
		if (!operand_shown(in, &in->opnd[i]))
			continue;
		if (!first)
			put_char(&t, ',');
		put_operand(&t, in, &in->opnd[i], rip);
		if (first)
			put_masking(&t, in);
		first = false;
	}
	if (size)
		buf[t.len < size ? t.len : size - 1] = 0;
	return t.len;
}
