/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreter: add or adc sbb and sub xor cmp, test, inc dec neg not, and the
 * carry-chain forms adcx adox. Flags as in SDM vol. 2; AF of logic operations
 * is undefined there and cleared here.
 */
#include "engine/jit/x86/interp.h"

typedef u64 (*alu_op)(u64 *fl, u64 a, u64 b, u64 old_flags, unsigned n);

static inline u64 op_add(u64 *fl, u64 a, u64 b, u64 old, unsigned n)
{
	(void)old;
	return alu_add(fl, a, b, false, n);
}

static inline u64 op_adc(u64 *fl, u64 a, u64 b, u64 old, unsigned n)
{
	return alu_add(fl, a, b, old & RF_CF, n);
}

static inline u64 op_sub(u64 *fl, u64 a, u64 b, u64 old, unsigned n)
{
	(void)old;
	return alu_sub(fl, a, b, false, n);
}

static inline u64 op_sbb(u64 *fl, u64 a, u64 b, u64 old, unsigned n)
{
	return alu_sub(fl, a, b, old & RF_CF, n);
}

static inline u64 op_logic(u64 *fl, u64 r, unsigned n)
{
	r &= mask_bytes(n);
	*fl = flags_szp(r, n);
	return r;
}

static inline u64 op_and(u64 *fl, u64 a, u64 b, u64 old, unsigned n)
{
	(void)old;
	return op_logic(fl, a & b, n);
}

static inline u64 op_or(u64 *fl, u64 a, u64 b, u64 old, unsigned n)
{
	(void)old;
	return op_logic(fl, a | b, n);
}

static inline u64 op_xor(u64 *fl, u64 a, u64 b, u64 old, unsigned n)
{
	(void)old;
	return op_logic(fl, a ^ b, n);
}

/* INC and DEC leave CF alone. */
static inline u64 op_inc(u64 *fl, u64 a, u64 b, u64 old, unsigned n)
{
	(void)b;
	a = alu_add(fl, a, 1, false, n);
	*fl = (*fl & ~(u64)RF_CF) | (old & RF_CF);
	return a;
}

static inline u64 op_dec(u64 *fl, u64 a, u64 b, u64 old, unsigned n)
{
	(void)b;
	a = alu_sub(fl, a, 1, false, n);
	*fl = (*fl & ~(u64)RF_CF) | (old & RF_CF);
	return a;
}

static inline u64 op_neg(u64 *fl, u64 a, u64 b, u64 old, unsigned n)
{
	(void)b, (void)old;
	return alu_sub(fl, 0, a, false, n);
}

static inline u64 op_not(u64 *fl, u64 a, u64 b, u64 old, unsigned n)
{
	(void)b, (void)n;
	*fl = old & X86_F_STATUS;
	return ~a & mask_bytes(n);
}

/* dst = op(dst, src), LOCK or not. */
static inline __attribute__((always_inline)) int
alu_update(struct x86_vcpu *c, const struct x86_insn *in, alu_op op, bool unary)
{
	struct interp_rmw m;
	u64 fl, src = 0, r;
	int done;

	if (!unary && opnd_read(c, in, 1, &src) < 0)
		return -1;
	if (interp_rmw_open(c, in, 0, &m) < 0)
		return -1;
	do {
		r = op(&fl, m.val, src & mask_bytes(m.n), c->rflags, m.n);
		done = interp_rmw_put(c, &m, r);
	} while (unlikely(!done));
	if (done < 0)
		return -1;
	flags_set(c, X86_F_STATUS, fl);
	return interp_next(c, in);
}

/* Flags of op(a, b) only. */
static inline __attribute__((always_inline)) int alu_compare(struct x86_vcpu *c,
							     const struct x86_insn *in, alu_op op)
{
	unsigned n = in->opnd[0].size;
	u64 a, b, fl;

	if (opnd_read(c, in, 0, &a) < 0 || opnd_read(c, in, 1, &b) < 0)
		return -1;
	op(&fl, a, b & mask_bytes(n), c->rflags, n);
	flags_set(c, X86_F_STATUS, fl);
	return interp_next(c, in);
}

#define ALU_BINARY(name)                                                                           \
	static int exec_##name(struct x86_vcpu *c, const struct x86_insn *in)                      \
	{                                                                                          \
		return alu_update(c, in, op_##name, false);                                        \
	}
#define ALU_UNARY(name)                                                                            \
	static int exec_##name(struct x86_vcpu *c, const struct x86_insn *in)                      \
	{                                                                                          \
		return alu_update(c, in, op_##name, true);                                         \
	}

ALU_BINARY(add)
ALU_BINARY(or)
ALU_BINARY(adc)
ALU_BINARY(sbb)
ALU_BINARY(and)
ALU_BINARY(sub)
ALU_BINARY(xor)
ALU_UNARY(inc)
ALU_UNARY(dec)
ALU_UNARY(neg)
ALU_UNARY(not )

static int exec_cmp(struct x86_vcpu *c, const struct x86_insn *in)
{
	return alu_compare(c, in, op_sub);
}

static int exec_test(struct x86_vcpu *c, const struct x86_insn *in)
{
	return alu_compare(c, in, op_and);
}

/* ADCX adds with CF only, ADOX with OF only; no other flag is touched. */
static int exec_adx(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned n = in->opnd[0].size;
	u64 flag = in->rep ? RF_OF : RF_CF;
	u64 a, b, fl;

	if (opnd_read(c, in, 0, &a) < 0 || opnd_read(c, in, 1, &b) < 0)
		return -1;
	a = alu_add(&fl, a, b, c->rflags & flag, n);
	gpr_set(c, in->opnd[0].reg, n, false, a);
	flags_set(c, flag, flag_if(fl & RF_CF, flag));
	return interp_next(c, in);
}

static const interp_fn alu_group[8] = {exec_add, exec_or,  exec_adc, exec_sbb,
				       exec_and, exec_sub, exec_xor, exec_cmp};

static interp_fn alu_lookup_1b(const struct x86_insn *in)
{
	unsigned reg = in->modrm >> 3 & 7;

	if (in->opcode < 0x40)
		return (in->opcode & 7) < 6 ? alu_group[in->opcode >> 3] : NULL;
	switch (in->opcode) {
	case 0x40 ... 0x47:
		return exec_inc;
	case 0x48 ... 0x4f:
		return exec_dec;
	case 0x80 ... 0x83:
		return alu_group[reg];
	case 0x84:
	case 0x85:
	case 0xa8:
	case 0xa9:
		return exec_test;
	case 0xf6:
	case 0xf7:
		return reg < 2 ? exec_test : reg == 2 ? exec_not : reg == 3 ? exec_neg : NULL;
	case 0xfe:
	case 0xff:
		return reg == 0 ? exec_inc : reg == 1 ? exec_dec : NULL;
	default:
		return NULL;
	}
}

interp_fn interp_alu_lookup(const struct x86_insn *in)
{
	if (in->enc != X86_ENC_LEGACY)
		return NULL;
	if (in->map == X86_MAP_1B)
		return alu_lookup_1b(in);
	if (in->map == X86_MAP_0F38 && in->opcode == 0xf6 && (in->p66 || in->rep))
		return exec_adx;
	return NULL;
}
