/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One floating-point operation of the host each, exactly once, in the current rounding mode: what
 * C promises only with pragmas that compilers ignore. Private to the IR's interpreter.
 */
#ifndef HULL_ENGINE_JIT_IR_FP_HOST_H
#define HULL_ENGINE_JIT_IR_FP_HOST_H

#include "base/types.h"
#include "engine/jit/ir/ir.h"

bool ir_fcompare(unsigned cc, double a, double b);

#ifdef __x86_64__

#define FP_TWO(name, type, insn)                                                                   \
	static inline type name(type a, type b)                                                    \
	{                                                                                          \
		__asm__ volatile(insn " %1, %0" : "+x"(a) : "x"(b));                               \
		return a;                                                                          \
	}
#define FP_ONE(name, to, from, insn)                                                               \
	static inline to name(from a)                                                              \
	{                                                                                          \
		to r;                                                                              \
		__asm__ volatile(insn " %1, %0" : "=x"(r) : "x"(a));                               \
		return r;                                                                          \
	}
#define FP_FMA(name, type, insn)                                                                   \
	static inline type name(type a, type b, type c)                                            \
	{                                                                                          \
		__asm__ volatile(insn " %2, %1, %0" : "+x"(c) : "x"(a), "x"(b));                   \
		return c;                                                                          \
	}
#define FP_FROM(name, to, from, insn)                                                              \
	static inline to name(from a)                                                              \
	{                                                                                          \
		to r;                                                                              \
		__asm__ volatile("xorps %0, %0; " insn " %1, %0" : "=&x"(r) : "r"(a));             \
		return r;                                                                          \
	}
FP_TWO(fp_add, double, "addsd")
FP_TWO(fp_sub, double, "subsd")
FP_TWO(fp_mul, double, "mulsd")
FP_TWO(fp_div, double, "divsd")
FP_TWO(fp_addf, float, "addss")
FP_TWO(fp_subf, float, "subss")
FP_TWO(fp_mulf, float, "mulss")
FP_TWO(fp_divf, float, "divss")
FP_ONE(fp_sqrt, double, double, "sqrtsd")
FP_ONE(fp_sqrtf, float, float, "sqrtss")
FP_ONE(fp_narrow, float, double, "cvtsd2ss")
FP_ONE(fp_widen, double, float, "cvtss2sd")
FP_FMA(fp_fma, double, "vfmadd231sd")
FP_FMA(fp_fmaf, float, "vfmadd231ss")
FP_FROM(fp_from_int, double, s64, "cvtsi2sdq")
FP_FROM(fp_from_intf, float, s64, "cvtsi2ssq")

#define FP_ROUND(name, type, insn)                                                                 \
	static inline type name(type a, unsigned mode)                                             \
	{                                                                                          \
		type r;                                                                            \
		switch (mode) {                                                                    \
		case IR_NEAREST:                                                                   \
			__asm__ volatile(insn " $8, %1, %0" : "=x"(r) : "x"(a));                   \
			break;                                                                     \
		case IR_DOWN:                                                                      \
			__asm__ volatile(insn " $9, %1, %0" : "=x"(r) : "x"(a));                   \
			break;                                                                     \
		case IR_UP:                                                                        \
			__asm__ volatile(insn " $10, %1, %0" : "=x"(r) : "x"(a));                  \
			break;                                                                     \
		case IR_ZERO:                                                                      \
			__asm__ volatile(insn " $11, %1, %0" : "=x"(r) : "x"(a));                  \
			break;                                                                     \
		default:                                                                           \
			__asm__ volatile(insn " $4, %1, %0" : "=x"(r) : "x"(a));                   \
		}                                                                                  \
		return r;                                                                          \
	}
FP_ROUND(fp_round, double, "roundsd")
FP_ROUND(fp_roundf, float, "roundss")

static inline u64 fp_to_int(double a, unsigned size, bool truncate)
{
	u64 r;

	if (size == 8 && truncate)
		__asm__ volatile("cvttsd2siq %1, %0" : "=r"(r) : "x"(a));
	else if (size == 8)
		__asm__ volatile("cvtsd2siq %1, %0" : "=r"(r) : "x"(a));
	else if (truncate)
		__asm__ volatile("cvttsd2sil %1, %k0" : "=r"(r) : "x"(a));
	else
		__asm__ volatile("cvtsd2sil %1, %k0" : "=r"(r) : "x"(a));
	return size == 8 ? r : (u32)r;
}

#else

static inline double fp_add(double a, double b)
{
	return a + b;
}
static inline double fp_sub(double a, double b)
{
	return a - b;
}
static inline double fp_mul(double a, double b)
{
	return a * b;
}
static inline double fp_div(double a, double b)
{
	return a / b;
}
static inline float fp_addf(float a, float b)
{
	return a + b;
}
static inline float fp_subf(float a, float b)
{
	return a - b;
}
static inline float fp_mulf(float a, float b)
{
	return a * b;
}
static inline float fp_divf(float a, float b)
{
	return a / b;
}
static inline double fp_sqrt(double a)
{
	return __builtin_sqrt(a);
}
static inline float fp_sqrtf(float a)
{
	return __builtin_sqrtf(a);
}
static inline float fp_narrow(double a)
{
	return (float)a;
}
static inline double fp_widen(float a)
{
	return (double)a;
}
static inline double fp_fma(double a, double b, double c)
{
	return __builtin_fma(a, b, c);
}
static inline float fp_fmaf(float a, float b, float c)
{
	return __builtin_fmaf(a, b, c);
}
static inline double fp_from_int(s64 a)
{
	return (double)a;
}
static inline float fp_from_intf(s64 a)
{
	return (float)a;
}

static inline double fp_round(double a, unsigned mode)
{
	switch (mode) {
	case IR_NEAREST:
		return __builtin_roundeven(a);
	case IR_DOWN:
		return __builtin_floor(a);
	case IR_UP:
		return __builtin_ceil(a);
	case IR_ZERO:
		return __builtin_trunc(a);
	}
	return __builtin_rint(a);
}

static inline float fp_roundf(float a, unsigned mode)
{
	return (float)fp_round((double)a, mode);
}

static inline u64 fp_to_int(double a, unsigned size, bool truncate)
{
	double v = truncate ? __builtin_trunc(a) : __builtin_rint(a);
	double limit = size == 8 ? 9223372036854775808.0 : 2147483648.0;

	if (!(v >= -limit && v < limit))
		return size == 8 ? 1ULL << 63 : 1ULL << 31;
	return size == 8 ? (u64)(s64)v : (u32)(s32)v;
}

#endif

/* Half of a big one, the lost bit kept sticky, twice. */
static inline double fp_from_unsigned(u64 a)
{
	double h;

	if (a <= INT64_MAX)
		return fp_from_int((s64)a);
	h = fp_from_int((s64)(a >> 1 | (a & 1)));
	return fp_add(h, h);
}

static inline float fp_from_unsignedf(u64 a)
{
	float h;

	if (a <= INT64_MAX)
		return fp_from_intf((s64)a);
	h = fp_from_intf((s64)(a >> 1 | (a & 1)));
	return fp_addf(h, h);
}

#endif
