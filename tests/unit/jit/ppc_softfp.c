// SPDX-License-Identifier: Apache-2.0
/*
 * softfp.c against the host's floating point: values, inexact and overflow of
 * each operation in the four rounding modes, on operands from the corners of the formats; and,
 * where the compiler has it, quadruple precision.
 */
#include <fenv.h>
#include <math.h>

#include "engine/jit/ppc/cpu.h"
#include "engine/jit/ppc/softfp.h"
#include "tests/test.h"

static u64 rng = 88172645463325252ULL;

static u64 random64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static double as_double(u64 v)
{
	double d;

	memcpy(&d, &v, 8);
	return d;
}

static u64 double_bits(double d)
{
	u64 v;

	memcpy(&v, &d, 8);
	return v;
}

/* Zeros, subnormals, near-overflow, few bits, close exponents: where mistakes are. */
static u64 operand(void)
{
	u64 r = random64(), sign = r & BIT(63);

	switch (r >> 8 & 7) {
	case 0:
		return sign | (r >> 20 & 1) << 52;
	case 1:
		return sign | (random64() & (BIT(52) - 1));
	case 2:
		return sign | 0x7fdULL << 52 | (random64() & (BIT(53) - 1));
	case 3:
		return sign | (0x3feULL + (r >> 20 & 3)) << 52 | (random64() & 0xfULL << 48);
	case 4:
		return sign | (0x3ffULL + (r >> 20 & 63) - 32) << 52 | (random64() & (BIT(52) - 1));
	case 5:
		return sign | 0x7ffULL << 52;
	case 6:
		return sign | (r >> 20 & 0x7f) << 52 | (random64() & (BIT(52) - 1));
	default:
		return random64() & ~(1ULL << 62);
	}
}

static const int host_rm[] = {FE_TONEAREST, FE_TOWARDZERO, FE_UPWARD, FE_DOWNWARD};

static double host_op(unsigned op, double a, double b, double c)
{
	volatile double x = a, y = b, z = c;

	switch (op) {
	case 0:
		return x + y;
	case 1:
		return x - y;
	case 2:
		return x * y;
	case 3:
		return x / y;
	case 4:
		return sqrt(x);
	case 5:
		return fma(x, z, y);
	case 6: {
		volatile float f = (float)x;
		return (double)f;
	}
	default:
		return rint(x);
	}
}

static u64 soft_op(struct sfp_env *e, unsigned op, u64 a, u64 b, u64 c)
{
	struct sfp x = sfp_unpack(SFP_64, a), y = sfp_unpack(SFP_64, b), z = sfp_unpack(SFP_64, c);

	switch (op) {
	case 0:
	case 1:
		return (u64)sfp_add(e, SFP_64, x, y, op == 1);
	case 2:
		return (u64)sfp_mul(e, SFP_64, x, y);
	case 3:
		return (u64)sfp_div(e, SFP_64, x, y);
	case 4:
		return (u64)sfp_sqrt(e, SFP_64, x);
	case 5:
		return (u64)sfp_fma(e, SFP_64, x, z, y, false, false);
	case 6: {
		u32 s = (u32)sfp_convert(e, SFP_32, x);
		return (u64)sfp_convert(&(struct sfp_env){0}, SFP_64, sfp_unpack(SFP_32, s));
	}
	default:
		return (u64)sfp_integral(e, SFP_64, x, true);
	}
}

static void t_host(void)
{
	for (unsigned op = 0; op < 8; op++)
		for (unsigned n = 0; n < 40000; n++) {
			u64 a = operand(), b = operand(), c = operand(), h, s;
			struct sfp_env e = {.rm = (u8)(n & 3)};
			int flags;

			fesetround(host_rm[n & 3]);
			feclearexcept(FE_ALL_EXCEPT);
			h = double_bits(host_op(op, as_double(a), as_double(b), as_double(c)));
			flags = fetestexcept(FE_ALL_EXCEPT);
			fesetround(FE_TONEAREST);
			s = soft_op(&e, op, a, b, c);
			if (isnan(as_double(h)) && isnan(as_double(s)))
				continue;
			if (h != s)
				printf("# op %u rm %u %#llx %#llx %#llx\n", op, n & 3,
				       (unsigned long long)a, (unsigned long long)b,
				       (unsigned long long)c);
			CHECK_EQ(s, h);
			CHECK_EQ(!!(e.flags & PPC_FPSCR_XX), !!(flags & FE_INEXACT));
			CHECK_EQ(!!(e.flags & PPC_FPSCR_OX), !!(flags & FE_OVERFLOW));
			CHECK_EQ(!!(e.flags & PPC_FPSCR_ZX), !!(flags & FE_DIVBYZERO));
		}
}

static void t_integers(void)
{
	for (unsigned n = 0; n < 100000; n++) {
		u64 a = operand();
		double d = as_double(a);
		struct sfp_env e = {.rm = SFP_ZERO};
		u64 i = sfp_to_int(&e, sfp_unpack(SFP_64, a), 64, true);

		if (d >= -0x1p63 && d < 0x1p63)
			CHECK_EQ(i, (u64)(s64)d);
		else
			CHECK_EQ(i, d > 0 ? INT64_MAX : (u64)INT64_MIN);
		i = random64() >> (n & 63);
		e.rm = SFP_NEAREST;
		CHECK_EQ((u64)sfp_from_int(&e, SFP_64, i, false), double_bits((double)i));
	}
}

static void t_quad(void)
{
	for (unsigned n = 0; n < 20000; n++) {
		union {
			__float128 f;
			u128 b;
		} a, b, r;
		struct sfp_env e = {0};
		struct sfp x, y;

		a.b = (u128)random64() << 64 | random64();
		b.b = (u128)random64() << 64 | random64();
		if (n & 1)
			b.b = (b.b & ~((u128)0x7fff << 112)) |
			      ((a.b + ((u128)(n & 0xff) << 112)) & ((u128)0x7fff << 112));
		x = sfp_unpack(SFP_128, a.b);
		y = sfp_unpack(SFP_128, b.b);
		if (x.cls == SFP_NAN || y.cls == SFP_NAN)
			continue;
		r.f = a.f + b.f;
		CHECK(r.b == sfp_add(&e, SFP_128, x, y, false));
		r.f = a.f * b.f;
		CHECK(r.b == sfp_mul(&e, SFP_128, x, y));
		r.f = a.f / b.f;
		CHECK(r.b == sfp_div(&e, SFP_128, x, y));
	}
}

static void t_tiny_before_rounding(void)
{
	/* 2^-1022 - a bit, rounded up to it: POWER says underflow, x86 does not. */
	struct sfp_env e = {.rm = SFP_NEAREST};
	struct sfp a = sfp_unpack(SFP_64, 0x3fefffffffffffffULL), b = sfp_unpack(SFP_64, BIT(52));

	CHECK_EQ((u64)sfp_mul(&e, SFP_64, a, b), BIT(52));
	CHECK_EQ(e.flags, PPC_FPSCR_UX | PPC_FPSCR_XX);
}

int main(void)
{
	RUN(t_host);
	RUN(t_integers);
	RUN(t_quad);
	RUN(t_tiny_before_rounding);
	return test_done();
}
