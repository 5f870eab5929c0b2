/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * IEEE 754 binary arithmetic in integers, with POWER's choices (ISA I 4.3, 4.4,
 * 7.3): tininess before rounding, the order in which NaN operands win, the
 * positive default NaN, the invalid-operation bits, and results of enabled
 * overflow and underflow. Exact; for what is rare or must be exactly right.
 * Knows no vCPU.
 */
#ifndef HULL_ENGINE_JIT_PPC_SOFTFP_H
#define HULL_ENGINE_JIT_PPC_SOFTFP_H

#include "base/types.h"

typedef unsigned __int128 u128;

/* SFP_80: x87's extended format in the layout of the others, without its explicit leading bit. */
enum sfp_format { SFP_16, SFP_32, SFP_64, SFP_80, SFP_128 };

/* The first four are FPSCR.RN. */
enum sfp_rounding { SFP_NEAREST, SFP_ZERO, SFP_UP, SFP_DOWN, SFP_AWAY, SFP_ODD };

struct sfp_env {
	u8 rm; /* enum sfp_rounding */
	/* FPSCR's enables OE and UE (PPC_FPSCR_OE, _UE): results are scaled. */
	u32 enables;
	u32 flags;   /* out, gathered: PPC_FPSCR_OX UX ZX XX VX* */
	bool fi, fr; /* out, of the last rounding */
};

enum sfp_class { SFP_ZERO_, SFP_NORMAL, SFP_INF, SFP_NAN };

/* A number, taken apart. NORMAL: sig / 2^127 * 2^exp, bit 127 of sig set. */
struct sfp {
	u8 cls; /* enum sfp_class */
	bool sign, snan, subnormal;
	s32 exp;
	u128 sig; /* NAN: the fraction, its first bit at 126 */
};

struct sfp sfp_unpack(enum sfp_format f, u128 bits);

/* Results as bits of the format. */
u128 sfp_add(struct sfp_env *e, enum sfp_format f, struct sfp a, struct sfp b, bool subtract);
u128 sfp_mul(struct sfp_env *e, enum sfp_format f, struct sfp a, struct sfp b);
u128 sfp_div(struct sfp_env *e, enum sfp_format f, struct sfp a, struct sfp b);
u128 sfp_sqrt(struct sfp_env *e, enum sfp_format f, struct sfp a);
/* a * c + b, or - b; negate: the result's sign is changed unless it is a NaN. */
u128 sfp_fma(struct sfp_env *e, enum sfp_format f, struct sfp a, struct sfp c, struct sfp b,
	     bool subtract, bool negate);
/* To another format; to an integral value (quiet: without XX). */
u128 sfp_convert(struct sfp_env *e, enum sfp_format f, struct sfp a);
u128 sfp_integral(struct sfp_env *e, enum sfp_format f, struct sfp a, bool exact);
/* From an integer: magnitude and sign. */
u128 sfp_from_int(struct sfp_env *e, enum sfp_format f, u64 mag, bool sign);
/*
 * To an integer of `bits` 32 or 64. Not representable: the nearest end and VXCVI; NaN: the lowest
 * value (unsigned 0) and VXCVI, VXSNAN.
 */
u64 sfp_to_int(struct sfp_env *e, struct sfp a, unsigned bits, bool is_signed);

/* -1 less, 0 equal, 1 greater, 2 unordered. */
int sfp_compare(struct sfp a, struct sfp b);

u128 sfp_default_nan(enum sfp_format f);
/* A NaN operand as result in format f: quiet, the fraction's leading bits. */
u128 sfp_nan(enum sfp_format f, struct sfp a);
/* FPRF of a number in a format, ISA I 4.2.2, figure "Floating-Point Result Flags". */
u32 sfp_fprf(enum sfp_format f, u128 bits);
unsigned sfp_fraction_bits(enum sfp_format f);
unsigned sfp_exponent_bits(enum sfp_format f);

#endif
