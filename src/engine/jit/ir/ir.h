/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The intermediate representation between a guest ISA's lifter and a host's emitter: one unit
 * (a piece of guest code of one page) is an array of operations; operands are indexes of earlier
 * operations. Used by lifters (through the builder at the end), passes, emitters, the interpreter.
 * Knows no guest and no host.
 *
 * VALUES are defined once and used later in the same straight piece: no value passes a LABEL.
 * What must live longer goes through guest state (GET, PUT). Types:
 *	I64	64 bits. Operations of size 4 look at the low 32 bits of their operands and
 *		zero-extend the result
 *	F64 F32	IEEE numbers in a scalar register of the host
 *	V128	lane 0 is the least significant one; lanes are numbers in the host's order
 *
 * STATE is the guest's vCPU structure; GET and PUT name a byte offset and a size. GET of 1, 2, 4
 * bytes zero-extends, with IR_SIGNED it sign-extends; PUT of 1, 2, 4 writes the low bytes. Sizes
 * may be mixed on the same bytes (a 4-byte PUT into an 8-byte register), at a price.
 *
 * PRECISION. IR_INSN starts a guest instruction. What can fault (memory accesses, helpers with
 * IR_CALL_RAISES) faults with all PUTs before it done and none after it: a lifter PUTs results
 * after the last fault of an instruction. State in ir_target.relaxed may be older at a fault if the
 * unit overwrites it afterwards on every path without reading it.
 *
 * OPERATIONS (sizes in ops.h)
 *	add sub mul and or xor neg not	as in C
 *	andn		a & ~b
 *	mulhu mulhs	upper half of the product
 *	divu divs remu rems	0 when b is 0, or when the quotient overflows
 *	shl shr sar rotl	count modulo the size in bits
 *	clz ctz		the size in bits for 0
 *	addco addov	carry / signed overflow out of a + b + c, c is 0 or 1; a - b is a + ~b + 1
 *	mulov		1 when the signed product does not fit the size
 *	set		a cc b ? 1 : 0		sel	a ? b : c
 *	fset vfset	IR_EQ IR_NE LTS LES GTS GES (false when unordered, NE true) or IR_UNO; quiet
 *	f2i f2iz	by the current rounding / truncated; not representable: only the top bit set
 *	fround		to an integral value; imm: enum ir_round
 *	fbits bitsf	the same bits as another type; a F32 is the low 4 bytes
 *	ffix vfix	r; but if it is (has in some lane) a NaN or plus or minus the smallest
 *normal number, the results that architectures disagree about, what the helper makes of it: u64
 *fn(cpu, extra); a vfix helper stores to ir_target.vtmp_off vsel		(a & ~c) | (b & c)
 *	vaddss/us	saturating, signed or unsigned
 *	vmuleu/es	products of the even lanes, each twice as wide
 *	vcmp*, vfset	all bits of the lane set or clear
 *	vshl..		lane counts modulo the lane's bits; vshli..: by imm bits (size 16: imm
 *bytes) valign		bytes imm..imm+15 of the 32 bytes (a low, b high) vunpkl/h	a0 b0 a1 b1
 *.. of the low / high halves
 *	vpackss/su	lanes of a, then of b, of half the width, saturated to signed / unsigned
 *	vsxtl		lanes of the low half sign-extended to twice the width
 *	vshuf		byte i is a[b[i] & 15], 0 when b[i] has bit 7
 *	vperm		byte i is (c[i] & 16 ? b : a)[c[i] & 15]
 *	vbswap		bytes reversed in each lane (16: in the whole)
 *	vext vins	lane imm as an integer (zero-extended) / replaced by one
 *	vcat		a is the low, b the high half	vmask	top bits of the lanes
 *	load store	guest memory at a + imm (signed); IR_SWAP: bytes reversed, IR_SIGNED
 *	cas		store c at a if b is there: 1, else 0; atomic and a full fence. a is a
 *multiple of the size (a lifter raises the alignment fault itself)
 *	fence		every access before is done before every access after
 *	call		u64 fn(cpu, a, b, c) with operands that are not 0; flags say what it touches
 *	br brif		to a label of this unit, any direction
 *	exit exitif	to guest address imm	exitind	to a	exitrt	to the run time, reason imm
 */
#ifndef HULL_ENGINE_JIT_IR_IR_H
#define HULL_ENGINE_JIT_IR_IR_H

#include "base/types.h"
#include "engine/jit/ir/ops.h"

enum ir_opcode {
#define IR_ENUM(name, text, sig, sizes, flags) IR_##name,
	IR_OPS(IR_ENUM)
#undef IR_ENUM
		IR_OPCODES
};

enum ir_type { IR_VOID, IR_I64, IR_F64, IR_F32, IR_V128 };

/* Conditions; in ir_op.sub. */
enum ir_cc { IR_EQ, IR_NE, IR_LTS, IR_LES, IR_GTS, IR_GES, IR_LTU, IR_LEU, IR_GTU, IR_GEU, IR_UNO };

/* Of LOAD, STORE, CAS, GET; in ir_op.sub. */
enum { IR_SIGNED = 1, IR_SWAP = 2 };

/* Of EXIT and EXITIND; in ir_op.sub. A hint: what the guest means by the jump. */
enum ir_kind { IR_PLAIN, IR_SUBROUTINE, IR_RETURN };

enum ir_round { IR_NEAREST, IR_DOWN, IR_UP, IR_ZERO, IR_CURRENT };

/* What the table in ops.h says about an operation. */
enum {
	IR_F_IMM = 1,	    /* imm is a number */
	IR_F_OFF = 2,	    /* imm is an offset into the state */
	IR_F_POOL = 4,	    /* imm is an index of ir_unit.pool */
	IR_F_CC = 8,	    /* sub is enum ir_cc */
	IR_F_MEM = 16,	    /* accesses guest memory, may fault */
	IR_F_HELPER = 32,   /* imm: index of ir_target.helper, bits 32 up are the helper's extra */
	IR_F_LABEL = 64,    /* imm is a label number */
	IR_F_KIND = 128,    /* sub is enum ir_kind */
	IR_F_LANE = 256,    /* imm is a lane or a count */
	IR_F_ROUND = 512,   /* imm is enum ir_round */
	IR_F_EFFECT = 1024, /* done for what it does, not for its result */
	IR_F_ENDS = 2048,   /* nothing runs on after it */
	IR_F_OPTARGS = 4096,
	IR_F_FP = 8192,	     /* reads the rounding mode, sets sticky exception flags of the host */
	IR_F_STICKY = 16384, /* those, or what its helper sets, may be all that is wanted of it */
};
/* What stays though nobody uses its result. */
#define IR_F_STAYS (IR_F_EFFECT | IR_F_STICKY)

/* An index of ir_unit.op; 0 is none. */
typedef u16 ir_val;

struct ir_op {
	u8 op;		/* enum ir_opcode */
	u8 type;	/* enum ir_type of the result, or of what is put or stored */
	u8 size;	/* bytes */
	u8 sub;		/* condition, flags or kind */
	ir_val a, b, c; /* operands */
	u16 uses;	/* filled by ir_count_uses */
	u64 imm;
};
static_assert(sizeof(struct ir_op) == 24, "keep it small");

struct ir_info {
	const char *text;
	char sig[5]; /* zeros behind it */
	u8 sizes;
	u16 flags;
};

struct ir_v128 {
	u64 lo, hi;
};

/* Helpers: what one touches. Without any of the first three it sees no guest state. */
enum {
	IR_CALL_READS = 1,  /* reads state */
	IR_CALL_WRITES = 2, /* changes state */
	IR_CALL_VECTOR = 4, /* touches state, but nothing that ir_target.pin names */
	IR_CALL_RAISES = 8, /* may set irrun_cpu.leave: then the unit is left at once */
};
typedef u64 (*ir_helper_fn)(void *cpu, u64 a, u64 b, u64 c);
struct ir_helper {
	const char *name; /* in the text form */
	ir_helper_fn fn;  /* ffix, vfix: called with a = extra */
	u8 flags;
};

#define IR_PINS 16u

/* What the guest ISA says about itself; constant. Offsets are into its vCPU structure. */
struct ir_target {
	const char *name;
	u32 state_bytes; /* GET and PUT reach so far */
	const struct ir_helper *helper;
	u32 nhelpers;
	u32 relaxed_off, relaxed_bytes; /* at most 64: see PRECISION */
	u32 flags_off, flags_bytes;	/* each of these bytes is 0 or 1 */
	u32 pc_off;			/* u64 guest address, set when generated code is left */
	u32 vtmp_off;			/* 16 bytes */
	u32 sp_off;	  /* the register that is the stack pointer by custom, a pinned one */
	u32 rt_off;	  /* struct irrun_cpu, see irrun/irrun.h */
	u16 pin[IR_PINS]; /* u64 registers worth a host register, best first */
	u32 npins;
};

enum { IR_MAX_OPS = 4096, IR_MAX_LABELS = 256, IR_MAX_POOL = 64 };

struct ir_unit {
	const struct ir_target *target;
	u64 pc; /* guest address of its first instruction */
	u32 n;	/* operations; op[0] is IR_NONE */
	u32 nlabels;
	u32 npool;
	bool full; /* something did not fit: the unit is worthless */
	struct ir_v128 pool[IR_MAX_POOL];
	struct ir_op op[IR_MAX_OPS]; /* last: a copy to be kept ends after op[n - 1] */
};

/* ir.c */
extern const struct ir_info ir_table[IR_OPCODES];
static inline const struct ir_info *ir_info(unsigned opcode)
{
	return &ir_table[opcode < IR_OPCODES ? opcode : IR_NONE];
}

/* What a letter of a signature stands for. */
static inline enum ir_type ir_type_of(char c, const struct ir_op *op)
{
	static const u8 type[32] = {['i' & 31] = IR_I64,
				    ['d' & 31] = IR_F64,
				    ['s' & 31] = IR_F32,
				    ['v' & 31] = IR_V128};

	return c == 't' ? (enum ir_type)op->type : (enum ir_type)type[c & 31];
}

/* The result's type. */
static inline enum ir_type ir_result(const struct ir_op *op)
{
	return ir_type_of(ir_info(op->op)->sig[0], op);
}

/* The type of operand n (0..2), IR_VOID if there is none. */
static inline enum ir_type ir_operand(const struct ir_op *op, unsigned n)
{
	return ir_type_of(ir_info(op->op)->sig[n + 1], op);
}

void ir_begin(struct ir_unit *u, const struct ir_target *t, u64 pc);
ir_val ir_add_op(struct ir_unit *u, struct ir_op op);
u32 ir_new_label(struct ir_unit *u);
ir_val ir_vconst(struct ir_unit *u, u64 lo, u64 hi);
void ir_count_uses(struct ir_unit *u);

/* verify.c: NULL, or what is wrong; *at is the operation. Never trusts the unit. */
const char *ir_verify(const struct ir_unit *u, u32 *at);

/* passes.c: the same unit, faster. Wants a verified unit; the result is one. work: memory of
 * ir_optimise_bytes, zero before the first time. */
size_t ir_optimise_bytes(void);
void ir_optimise(struct ir_unit *u, void *work);

/* ---- the builder ---- */

static inline ir_val ir_const(struct ir_unit *u, u64 v)
{
	return ir_add_op(u, (struct ir_op){.op = IR_CONST, .imm = v});
}

/* Any operation with up to three operands and a size: ir_make(u, IR_ADD, 8, a, b, 0). */
static inline ir_val ir_make(struct ir_unit *u, unsigned op, unsigned size, ir_val a, ir_val b,
			     ir_val c)
{
	return ir_add_op(u, (struct ir_op){.op = (u8)op, .size = (u8)size, .a = a, .b = b, .c = c});
}

/* The same for operations whose operands' or result's type is in ir_op.type (FADD, SEL..). */
static inline ir_val ir_typed(struct ir_unit *u, unsigned op, enum ir_type t, ir_val a, ir_val b,
			      ir_val c)
{
	return ir_add_op(u, (struct ir_op){.op = (u8)op, .type = (u8)t, .a = a, .b = b, .c = c});
}

/* The same with an immediate (lanes, shift counts). */
static inline ir_val ir_imm(struct ir_unit *u, unsigned op, unsigned size, ir_val a, ir_val b,
			    u64 imm)
{
	return ir_add_op(
		u, (struct ir_op){.op = (u8)op, .size = (u8)size, .a = a, .b = b, .imm = imm});
}

static inline ir_val ir_get(struct ir_unit *u, enum ir_type t, unsigned size, u32 off)
{
	return ir_add_op(u,
			 (struct ir_op){.op = IR_GET, .type = (u8)t, .size = (u8)size, .imm = off});
}

static inline void ir_put(struct ir_unit *u, enum ir_type t, unsigned size, u32 off, ir_val v)
{
	ir_add_op(u, (struct ir_op){
			     .op = IR_PUT, .type = (u8)t, .size = (u8)size, .a = v, .imm = off});
}

static inline ir_val ir_set(struct ir_unit *u, enum ir_cc cc, unsigned size, ir_val a, ir_val b)
{
	return ir_add_op(
		u, (struct ir_op){.op = IR_SET, .size = (u8)size, .sub = (u8)cc, .a = a, .b = b});
}

/* FSET: t is the operands' type. */
static inline ir_val ir_fset(struct ir_unit *u, enum ir_cc cc, enum ir_type t, ir_val a, ir_val b)
{
	return ir_add_op(
		u, (struct ir_op){.op = IR_FSET, .type = (u8)t, .sub = (u8)cc, .a = a, .b = b});
}

static inline ir_val ir_load(struct ir_unit *u, enum ir_type t, unsigned size, unsigned flags,
			     ir_val addr, s64 disp)
{
	return ir_add_op(u, (struct ir_op){.op = IR_LOAD,
					   .type = (u8)t,
					   .size = (u8)size,
					   .sub = (u8)flags,
					   .a = addr,
					   .imm = (u64)disp});
}

static inline void ir_store(struct ir_unit *u, enum ir_type t, unsigned size, unsigned flags,
			    ir_val addr, s64 disp, ir_val v)
{
	ir_add_op(u, (struct ir_op){.op = IR_STORE,
				    .type = (u8)t,
				    .size = (u8)size,
				    .sub = (u8)flags,
				    .a = addr,
				    .b = v,
				    .imm = (u64)disp});
}

static inline ir_val ir_cas(struct ir_unit *u, unsigned size, unsigned flags, ir_val addr,
			    ir_val old, ir_val new)
{
	return ir_add_op(u, (struct ir_op){.op = IR_CAS,
					   .size = (u8)size,
					   .sub = (u8)flags,
					   .a = addr,
					   .b = old,
					   .c = new});
}

/* Operands that are not needed are 0. */
static inline ir_val ir_call(struct ir_unit *u, unsigned helper, ir_val a, ir_val b, ir_val c)
{
	return ir_add_op(u, (struct ir_op){.op = IR_CALL, .a = a, .b = b, .c = c, .imm = helper});
}

/* FFIX: type is a's; VFIX: size is the lanes'. */
static inline ir_val ir_ffix(struct ir_unit *u, enum ir_type t, ir_val a, unsigned helper,
			     u32 extra)
{
	return ir_add_op(
		u, (struct ir_op){
			   .op = IR_FFIX, .type = (u8)t, .a = a, .imm = (u64)extra << 32 | helper});
}

static inline ir_val ir_vfix(struct ir_unit *u, unsigned size, ir_val a, unsigned helper, u32 extra)
{
	return ir_add_op(u, (struct ir_op){.op = IR_VFIX,
					   .size = (u8)size,
					   .a = a,
					   .imm = (u64)extra << 32 | helper});
}

static inline void ir_insn(struct ir_unit *u, u64 pc)
{
	ir_add_op(u, (struct ir_op){.op = IR_INSN, .imm = pc});
}

static inline void ir_label(struct ir_unit *u, u32 label)
{
	ir_add_op(u, (struct ir_op){.op = IR_LABEL, .imm = label});
}

static inline void ir_br(struct ir_unit *u, u32 label)
{
	ir_add_op(u, (struct ir_op){.op = IR_BR, .imm = label});
}

static inline void ir_brif(struct ir_unit *u, ir_val cond, u32 label)
{
	ir_add_op(u, (struct ir_op){.op = IR_BRIF, .a = cond, .imm = label});
}

static inline void ir_exit(struct ir_unit *u, enum ir_kind kind, u64 pc)
{
	ir_add_op(u, (struct ir_op){.op = IR_EXIT, .sub = (u8)kind, .imm = pc});
}

static inline void ir_exitif(struct ir_unit *u, ir_val cond, u64 pc)
{
	ir_add_op(u, (struct ir_op){.op = IR_EXITIF, .a = cond, .imm = pc});
}

static inline void ir_exitind(struct ir_unit *u, enum ir_kind kind, ir_val pc)
{
	ir_add_op(u, (struct ir_op){.op = IR_EXITIND, .sub = (u8)kind, .a = pc});
}

/* The guest's pc must be in the state (a PUT to ir_target.pc_off). */
static inline void ir_exitrt(struct ir_unit *u, u32 reason)
{
	ir_add_op(u, (struct ir_op){.op = IR_EXITRT, .imm = reason});
}

#endif
