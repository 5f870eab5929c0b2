// SPDX-License-Identifier: Apache-2.0
/*
 * For ppc64le: every instruction that computes FUNCTION on test vectors in testfloat_gen's form ("a
 *b z flags", tininess before rounding) from stdin. Prints a line an instruction, and its first
 *differences; ends with 1 if there are any.
 *
 *	testfloat FUNCTION near_even|minMag|max|min|near_maxMag|odd [exact] <vectors
 *
 * POWER's own choices are made here and not taken from the vectors: which NaN a result is (Book
 *I 4.3.2), and the integer of what does not fit one (4.6.7).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 u128;

struct io {
	u128 in[3], out;
	uint64_t before, after; /* FPSCR */
};

enum mode { EVEN, MINMAG, MAX, MIN, MAXMAG, ODD, MODES };
static const char *const mode_name[MODES] = {"near_even", "minMag",	 "max",
					     "min",	  "near_maxMag", "odd"};

#define RN 0xfu /* the four modes of FPSCR[RN] */
#define ONLY(m) (1u << (m))

/* How operands are laid out and results are read. */
enum layout {
	DOUBLE,	  /* in FPRs */
	SINGLE,	  /* singles in FPRs: as doubles */
	TOSINGLE, /* a double or integer in an FPR to a single in an FPR */
	TOWORD,	  /* a word's result in an FPR */
	VECTOR,	  /* copies in all elements */
	QUAD,	  /* in VRs */
	HIGH,	  /* quad from or to what is in doubleword 0 */
	COMPARE,  /* CR field 0 */
	QCOMPARE,
	SCOMPARE,
};

enum { NEGATE_C = 1, NEGATE_R = 2, EXACT = 4, QUIET = 8 };

/* One vector. */
struct vector {
	u128 in[3], out;
	unsigned flags;
};

struct test {
	struct vector *v;
	unsigned n, operands, in_bits, out_bits; /* bits: 0 for a comparison's result */
	bool in_float, out_float, exact;
	const char *function;
	enum mode mode;
	/* the instruction */
	const char *insn;
	enum layout layout;
	unsigned flags, at, wrong, all_wrong;
	u128 want;
};

#define BODY(load, insn, store)                                                                    \
	__asm__ volatile("lfd 0, 64(%0)\n\tmtfsf 255, 0\n\t" load insn store                       \
			 "\n\tmffs 0\n\tstfd 0, 72(%0)"                                            \
			 :                                                                         \
			 : "b"(io)                                                                 \
			 : "memory", "fr0", "fr1", "fr2", "fr3", "fr4", "v1", "v2", "v3", "v4",    \
			   "r5", "cr0", "cr6")
#define FPRS "lfd 1, 0(%0)\n\tlfd 2, 16(%0)\n\tlfd 3, 32(%0)\n\tfmr 4, 3\n\t"
#define FPSS "lfs 1, 0(%0)\n\tlfs 2, 16(%0)\n\tlfs 3, 32(%0)\n\tfmr 4, 3\n\t"
#define VSRS "lxv 1, 0(%0)\n\tlxv 2, 16(%0)\n\tlxv 3, 32(%0)\n\txxlor 4, 3, 3\n\t"
#define VRS "lxv 33, 0(%0)\n\tlxv 34, 16(%0)\n\tlxv 35, 32(%0)\n\txxlor 36, 35, 35\n\t"
#define LOAD_DOUBLE FPRS
#define LOAD_SINGLE FPSS
#define LOAD_TOSINGLE FPRS
#define LOAD_TOWORD FPRS
#define LOAD_VECTOR VSRS
#define LOAD_QUAD VRS
#define LOAD_HIGH VRS
#define LOAD_COMPARE FPRS
#define LOAD_SCOMPARE FPSS
#define LOAD_QCOMPARE VRS
#define STORE_DOUBLE "\n\tstfd 4, 48(%0)"
#define STORE_SINGLE STORE_DOUBLE
#define STORE_TOSINGLE STORE_DOUBLE
#define STORE_TOWORD STORE_DOUBLE
#define STORE_VECTOR "\n\tstxv 4, 48(%0)"
#define STORE_QUAD "\n\tstxv 36, 48(%0)"
#define STORE_HIGH STORE_QUAD
#define STORE_COMPARE "\n\tmfcr 5\n\tstd 5, 48(%0)"
#define STORE_SCOMPARE STORE_COMPARE
#define STORE_QCOMPARE STORE_COMPARE

/* FUNCTION, instruction (T = 4, A = 1, B = 2, C = 3), layout, modes, flags */
#define ARITHMETIC(X, f, r, l, s, v, n)                                                            \
	X(f##_##r, "f" #r s " 4,1,2", l, RN, 0)                                                    \
	X(f##_##r, "xs" #r n " 4,1,2", l, RN, 0)                                                   \
	X(f##_##r, "xv" #r v " 4,1,2", VECTOR, RN, 0)
#define FUSED(X, f, l, s, v, n)                                                                    \
	X(f##_mulAdd, "fmadd" s " 4,1,2,3", l, RN, 0)                                              \
	X(f##_mulAdd, "fmsub" s " 4,1,2,3", l, RN, NEGATE_C)                                       \
	X(f##_mulAdd, "fnmadd" s " 4,1,2,3", l, RN, NEGATE_R)                                      \
	X(f##_mulAdd, "fnmsub" s " 4,1,2,3", l, RN, NEGATE_C | NEGATE_R)                           \
	X(f##_mulAdd, "xsmadda" n " 4,1,2", l, RN, 0)                                              \
	X(f##_mulAdd, "xsnmsuba" n " 4,1,2", l, RN, NEGATE_C | NEGATE_R)                           \
	X(f##_mulAdd, "xvmadda" v " 4,1,2", VECTOR, RN, 0)                                         \
	X(f##_mulAdd, "xvmsuba" v " 4,1,2", VECTOR, RN, NEGATE_C)                                  \
	X(f##_mulAdd, "xvnmadda" v " 4,1,2", VECTOR, RN, NEGATE_R)
#define PRECISION(X, f, l, s, v, n)                                                                \
	ARITHMETIC(X, f, add, l, s, v, n)                                                          \
	ARITHMETIC(X, f, sub, l, s, v, n)                                                          \
	ARITHMETIC(X, f, mul, l, s, v, n)                                                          \
	ARITHMETIC(X, f, div, l, s, v, n)                                                          \
	FUSED(X, f, l, s, v, n)                                                                    \
	X(f##_sqrt, "fsqrt" s " 4,1", l, RN, 0)                                                    \
	X(f##_sqrt, "xssqrt" n " 4,1", l, RN, 0)                                                   \
	X(f##_sqrt, "xvsqrt" v " 4,1", VECTOR, RN, 0)                                              \
	X(f##_roundToInt, "xvr" v "i 4,1", VECTOR, ONLY(MAXMAG), QUIET)                            \
	X(f##_roundToInt, "xvr" v "iz 4,1", VECTOR, ONLY(MINMAG), QUIET)                           \
	X(f##_roundToInt, "xvr" v "ip 4,1", VECTOR, ONLY(MAX), QUIET)                              \
	X(f##_roundToInt, "xvr" v "im 4,1", VECTOR, ONLY(MIN), QUIET)                              \
	X(f##_roundToInt, "xvr" v "ic 4,1", VECTOR, RN, EXACT)                                     \
	X(f##_eq, "xvcmpeq" v " 4,1,2", VECTOR, RN, 0)                                             \
	X(f##_le, "xvcmpge" v " 4,2,1", VECTOR, RN, 0)                                             \
	X(f##_lt, "xvcmpgt" v " 4,2,1", VECTOR, RN, 0)
#define COMPARISONS(X, f, l, u, o)                                                                 \
	X(f##_eq, u, l, RN, 0)                                                                     \
	X(f##_le_quiet, u, l, RN, 0)                                                               \
	X(f##_lt_quiet, u, l, RN, 0)                                                               \
	X(f##_eq_signaling, o, l, RN, 0)                                                           \
	X(f##_le, o, l, RN, 0)                                                                     \
	X(f##_lt, o, l, RN, 0)
#define QUADS(X, r, n, ops)                                                                        \
	X(f128_##r, n " " ops, QUAD, RN, 0)                                                        \
	X(f128_##r, n "o " ops, QUAD, ONLY(ODD), 0)
#define OPS(X)                                                                                     \
	PRECISION(X, f64, DOUBLE, "", "dp", "dp")                                                  \
	PRECISION(X, f32, SINGLE, "s", "sp", "sp")                                                 \
	COMPARISONS(X, f64, COMPARE, "fcmpu 0,1,2", "fcmpo 0,1,2")                                 \
	COMPARISONS(X, f64, COMPARE, "xscmpudp 0,1,2", "xscmpodp 0,1,2")                           \
	COMPARISONS(X, f32, SCOMPARE, "fcmpu 0,1,2", "fcmpo 0,1,2")                                \
	COMPARISONS(X, f128, QCOMPARE, "xscmpuqp 0,1,2", "xscmpoqp 0,1,2")                         \
	X(f64_roundToInt, "frin 4,1", DOUBLE, ONLY(MAXMAG), QUIET)                                 \
	X(f64_roundToInt, "friz 4,1", DOUBLE, ONLY(MINMAG), QUIET)                                 \
	X(f64_roundToInt, "frip 4,1", DOUBLE, ONLY(MAX), QUIET)                                    \
	X(f64_roundToInt, "frim 4,1", DOUBLE, ONLY(MIN), QUIET)                                    \
	X(f64_roundToInt, "xsrdpi 4,1", DOUBLE, ONLY(MAXMAG), QUIET)                               \
	X(f64_roundToInt, "xsrdpiz 4,1", DOUBLE, ONLY(MINMAG), QUIET)                              \
	X(f64_roundToInt, "xsrdpip 4,1", DOUBLE, ONLY(MAX), QUIET)                                 \
	X(f64_roundToInt, "xsrdpim 4,1", DOUBLE, ONLY(MIN), QUIET)                                 \
	X(f64_roundToInt, "xsrdpic 4,1", DOUBLE, RN, EXACT)                                        \
	X(f64_to_f32, "frsp 4,1", TOSINGLE, RN, 0)                                                 \
	X(f64_to_f32, "xsrsp 4,1", TOSINGLE, RN, 0)                                                \
	X(i64_to_f64, "fcfid 4,1", DOUBLE, RN, 0)                                                  \
	X(i64_to_f64, "xscvsxddp 4,1", DOUBLE, RN, 0)                                              \
	X(i64_to_f64, "xvcvsxddp 4,1", VECTOR, RN, 0)                                              \
	X(ui64_to_f64, "fcfidu 4,1", DOUBLE, RN, 0)                                                \
	X(ui64_to_f64, "xscvuxddp 4,1", DOUBLE, RN, 0)                                             \
	X(ui64_to_f64, "xvcvuxddp 4,1", VECTOR, RN, 0)                                             \
	X(i64_to_f32, "fcfids 4,1", TOSINGLE, RN, 0)                                               \
	X(i64_to_f32, "xscvsxdsp 4,1", TOSINGLE, RN, 0)                                            \
	X(ui64_to_f32, "fcfidus 4,1", TOSINGLE, RN, 0)                                             \
	X(ui64_to_f32, "xscvuxdsp 4,1", TOSINGLE, RN, 0)                                           \
	X(i32_to_f32, "xvcvsxwsp 4,1", VECTOR, RN, 0)                                              \
	X(ui32_to_f32, "xvcvuxwsp 4,1", VECTOR, RN, 0)                                             \
	X(f64_to_i32, "fctiw 4,1", TOWORD, RN, EXACT)                                              \
	X(f64_to_i32, "fctiwz 4,1", TOWORD, ONLY(MINMAG), EXACT)                                   \
	X(f64_to_i32, "xscvdpsxws 4,1", TOWORD, ONLY(MINMAG), EXACT)                               \
	X(f64_to_ui32, "fctiwu 4,1", TOWORD, RN, EXACT)                                            \
	X(f64_to_ui32, "fctiwuz 4,1", TOWORD, ONLY(MINMAG), EXACT)                                 \
	X(f64_to_ui32, "xscvdpuxws 4,1", TOWORD, ONLY(MINMAG), EXACT)                              \
	X(f64_to_i64, "fctid 4,1", DOUBLE, RN, EXACT)                                              \
	X(f64_to_i64, "fctidz 4,1", DOUBLE, ONLY(MINMAG), EXACT)                                   \
	X(f64_to_i64, "xscvdpsxds 4,1", DOUBLE, ONLY(MINMAG), EXACT)                               \
	X(f64_to_i64, "xvcvdpsxds 4,1", VECTOR, ONLY(MINMAG), EXACT)                               \
	X(f64_to_ui64, "fctidu 4,1", DOUBLE, RN, EXACT)                                            \
	X(f64_to_ui64, "fctiduz 4,1", DOUBLE, ONLY(MINMAG), EXACT)                                 \
	X(f64_to_ui64, "xscvdpuxds 4,1", DOUBLE, ONLY(MINMAG), EXACT)                              \
	X(f64_to_ui64, "xvcvdpuxds 4,1", VECTOR, ONLY(MINMAG), EXACT)                              \
	X(f32_to_i32, "xvcvspsxws 4,1", VECTOR, ONLY(MINMAG), EXACT)                               \
	X(f32_to_ui32, "xvcvspuxws 4,1", VECTOR, ONLY(MINMAG), EXACT)                              \
	X(f32_to_f64, "xvcvspdp 4,1", VECTOR, RN, 0)                                               \
	QUADS(X, add, "xsaddqp", "4,1,2")                                                          \
	QUADS(X, sub, "xssubqp", "4,1,2")                                                          \
	QUADS(X, mul, "xsmulqp", "4,1,2")                                                          \
	QUADS(X, div, "xsdivqp", "4,1,2")                                                          \
	QUADS(X, sqrt, "xssqrtqp", "4,1")                                                          \
	QUADS(X, mulAdd, "xsmaddqp", "4,1,2")                                                      \
	X(f128_roundToInt, "xsrqpi 0,4,1,0", QUAD, ONLY(MAXMAG), QUIET)                            \
	X(f128_roundToInt, "xsrqpi 1,4,1,1", QUAD, ONLY(MINMAG), QUIET)                            \
	X(f128_roundToInt, "xsrqpi 0,4,1,3", QUAD, RN, QUIET)                                      \
	X(f128_roundToInt, "xsrqpix 0,4,1,3", QUAD, RN, EXACT)                                     \
	X(f128_to_f64, "xscvqpdp 4,1", HIGH, RN, 0)                                                \
	X(f128_to_f64, "xscvqpdpo 4,1", HIGH, ONLY(ODD), 0)                                        \
	X(f64_to_f128, "xscvdpqp 4,1", HIGH, RN, 0)                                                \
	X(i64_to_f128, "xscvsdqp 4,1", HIGH, RN, 0)                                                \
	X(ui64_to_f128, "xscvudqp 4,1", HIGH, RN, 0)                                               \
	X(f128_to_i64, "xscvqpsdz 4,1", HIGH, ONLY(MINMAG), EXACT)                                 \
	X(f128_to_ui64, "xscvqpudz 4,1", HIGH, ONLY(MINMAG), EXACT)

static unsigned fraction(unsigned bits)
{
	return bits == 32 ? 23 : bits == 64 ? 52 : 112;
}

static u128 ones(unsigned n)
{
	return n >= 128 ? ~(u128)0 : ((u128)1 << n) - 1;
}

static bool is_nan(u128 v, unsigned bits)
{
	u128 inf = (ones(bits - 1) >> fraction(bits)) << fraction(bits);

	return (v & ones(bits - 1)) > inf;
}

/* A NaN of one format as a quiet one of another. */
static u128 quiet(u128 v, unsigned from, unsigned to)
{
	unsigned ff = fraction(from), tf = fraction(to);
	u128 frac = v & ones(ff), sign = v >> (from - 1) & 1;

	frac = tf >= ff ? frac << (tf - ff) : frac >> (ff - tf);
	return sign << (to - 1) | (ones(to - 1) >> tf) << tf | (u128)1 << (tf - 1) | frac;
}

/* A single as a double; infinities and NaNs too. */
static u128 as_double(u128 v)
{
	float f;
	double d;
	uint32_t w = (uint32_t)v;
	uint64_t r;

	if (is_nan(v, 32))
		return quiet(v, 32, 64);
	memcpy(&f, &w, 4);
	d = (double)f;
	memcpy(&r, &d, 8);
	return r;
}

/* Integers that floating point does not have: POWER's (Book I 4.6.7). */
static u128 saturated(const struct test *t, const struct vector *v)
{
	bool nan = is_nan(v->in[0], t->in_bits), minus = v->in[0] >> (t->in_bits - 1) & 1;
	bool is_unsigned = strstr(t->function, "_ui") != NULL;

	if (is_unsigned)
		return nan || minus ? 0 : ones(t->out_bits);
	return ones(t->out_bits - 1) + (nan || minus);
}

/* What the function's result is on POWER; which NaN wins: FRA, FRB, FRC. */
static u128 result(const struct test *t, const struct vector *v, const u128 *in)
{
	static const uint8_t order[3] = {0, 2, 1};

	if (!t->out_bits)
		return v->out;
	if (!t->out_float)
		return v->flags & 16 ? saturated(t, v) : v->out;
	if (!is_nan(v->out, t->out_bits))
		return t->flags & NEGATE_R ? v->out ^ (u128)1 << (t->out_bits - 1) : v->out;
	for (unsigned i = 0; t->in_float && i < 3; i++) {
		unsigned k = t->operands == 3 ? order[i] : i;

		if (k < t->operands && is_nan(in[k], t->in_bits))
			return quiet(in[k], t->in_bits, t->out_bits);
	}
	return quiet((ones(t->out_bits - 1) >> fraction(t->out_bits)) << fraction(t->out_bits),
		     t->out_bits, t->out_bits);
}

static u128 copies(u128 v, unsigned bits)
{
	for (; bits < 128; bits *= 2)
		v |= v << bits;
	return v;
}

static void begin(struct test *t, const char *function, const char *insn, unsigned modes,
		  enum layout layout, unsigned flags)
{
	bool odd = strstr(insn, "o 4") != NULL;

	t->insn = insn;
	t->layout = layout;
	t->flags = flags;
	t->at = t->wrong = 0;
	if (strcmp(function, t->function) || !(modes & 1u << t->mode) ||
	    (flags & EXACT && !t->exact) || (flags & QUIET && t->exact) || (odd && t->mode != ODD))
		t->at = t->n + 1;
}

/* Is the result of the vector before this one right? */
static void check(struct test *t, const struct io *io)
{
	const struct vector *v = &t->v[t->at - 1];
	/* Inexact, underflow, overflow, division by zero, invalid. */
	static const uint32_t bits[] = {0x02000000, 0x08000000, 0x10000000, 0x04000000, 0x20000000};
	u128 out = t->layout <= TOWORD || t->layout >= COMPARE ? (uint64_t)io->out : io->out,
	     want = t->want;
	unsigned flags = 0;

	for (unsigned i = 0; i < 5; i++)
		flags |= io->after & bits[i] ? 1u << i : 0;
	if (t->layout == TOWORD)
		out &= 0xffffffffu;
	if (t->layout == HIGH && t->out_bits == 64)
		out >>= 64;
	if (t->layout >= COMPARE) {
		uint32_t less = strstr(t->function, "_eq") ? 0 : 0x80000000,
			 equal = strstr(t->function, "_lt") ? 0 : 0x20000000;

		out = (out & (less | equal)) != 0;
	}
	if (out == want && flags == v->flags)
		return;
	if (t->wrong++ < 3)
		printf("# %s %s %s: %016llx%016llx %016llx%016llx %016llx%016llx is %016llx%016llx "
		       "%02x not %016llx%016llx %02x\n",
		       t->function, mode_name[t->mode], t->insn, (long long)(v->in[0] >> 64),
		       (long long)v->in[0], (long long)(v->in[1] >> 64), (long long)v->in[1],
		       (long long)(v->in[2] >> 64), (long long)v->in[2], (long long)(out >> 64),
		       (long long)out, flags, (long long)(want >> 64), (long long)want, v->flags);
}

static bool next(struct test *t, struct io *io)
{
	static const uint8_t rn[MODES] = {0, 1, 2, 3, 2, 1};
	const struct vector *v;
	u128 in[3];

	if (t->at > t->n)
		return false;
	if (t->at)
		check(t, io);
	if (t->at == t->n) {
		printf("%s %s %s: %u vectors, %u differ\n", t->function, mode_name[t->mode],
		       t->insn, t->n, t->wrong);
		t->all_wrong += t->wrong;
		return false;
	}
	v = &t->v[t->at++];
	memcpy(in, v->in, sizeof(in));
	if (t->flags & NEGATE_C)
		in[2] ^= (u128)1 << (t->in_bits - 1);
	t->want = result(t, v, in);
	if (t->layout == VECTOR)
		t->want = t->out_bits ? copies(t->want, t->out_bits) : t->want ? ones(128) : 0;
	else if ((t->layout == SINGLE || t->layout == TOSINGLE) && t->out_bits)
		t->want = as_double(t->want);
	for (unsigned i = 0; i < 3; i++) {
		io->in[i] = t->layout == VECTOR ? copies(in[i], t->in_bits) : in[i];
		if (t->layout == HIGH && t->in_bits == 64)
			io->in[i] <<= 64;
	}
	/* Where the instruction says how to round the register must not matter. */
	io->before = rn[t->mode];
	if (strpbrk(t->insn, "zpm") == NULL && t->flags & QUIET)
		io->before = (io->before + 1) & 3;
	io->out = 0;
	return true;
}

#define X(fn, insn, l, m, fl)                                                                      \
	for (begin(t, #fn, insn, m, l, fl); next(t, io);)                                          \
		BODY(LOAD_##l, insn, STORE_##l);

/* Each instruction on each vector. */
static void run(struct test *t, struct io *io)
{
	OPS(X)
}

static u128 number(const char *s)
{
	u128 v = 0;

	for (; *s; s++)
		v = v << 4 | (unsigned)(*s <= '9' ? *s - '0' : (*s | 32) - 'a' + 10);
	return v;
}

/* Words of a line; the last two are result and flags. */
static bool read_vector(struct test *t, char *line)
{
	struct vector v = {0};
	unsigned n = 0;
	u128 w[5];

	for (char *p = strtok(line, " \n"); p && n < 5; p = strtok(NULL, " \n"))
		w[n++] = number(p);
	if (n < 3)
		return false;
	t->operands = n - 2;
	memcpy(v.in, w, t->operands * sizeof(w[0]));
	v.out = w[n - 2];
	v.flags = (unsigned)w[n - 1];
	if (t->n % 4096 == 0)
		t->v = realloc(t->v, (t->n + 4096) * sizeof(*t->v));
	if (!t->v)
		return false;
	t->v[t->n++] = v;
	return true;
}

/* f64_to_ui32 and the like. */
static void formats(struct test *t)
{
	const char *to = strstr(t->function, "_to_"),
		   *digits = t->function + strcspn(t->function, "0123456789");

	t->in_float = t->function[0] == 'f';
	t->in_bits = (unsigned)atoi(digits);
	t->out_bits = t->in_bits;
	t->out_float = true;
	if (to) {
		t->out_float = to[4] == 'f';
		t->out_bits = (unsigned)atoi(to + 4 + strcspn(to + 4, "0123456789"));
	} else if (strstr(t->function, "_eq") || strstr(t->function, "_l")) {
		t->out_bits = 0;
	}
}

int main(int argc, char **argv)
{
	static struct io io __attribute__((aligned(16)));
	struct test t = {.mode = MODES};
	char line[300];

	if (argc < 3)
		return 2;
	t.function = argv[1];
	for (unsigned i = 0; i < MODES; i++)
		if (!strcmp(argv[2], mode_name[i]))
			t.mode = i;
	t.exact = argc > 3;
	formats(&t);
	while (fgets(line, sizeof(line), stdin))
		if (!read_vector(&t, line))
			return 2;
	if (t.mode == MODES || !t.n)
		return 2;
	run(&t, &io);
	return t.all_wrong != 0;
}
