/* SPDX-License-Identifier: Apache-2.0 */
/* Floating point and vector kernels. */
#include "bench.h"

#include <math.h>
#include <string.h>

/* Vectors as wide as the CPU's, where the compiler can make that choice at run time. */
#ifdef __x86_64__
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

static uint64_t bits(double d)
{
	uint64_t u;

	memcpy(&u, &d, 8);
	return u;
}

static uint64_t b_matmul(unsigned n)
{
	enum { N = 96 };
	static double a[N][N], b[N][N], c[N][N];

	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			a[i][j] = i * 0.5 + j;
			b[i][j] = i - j * 0.25;
		}
	for (unsigned it = 0; it < n; it++) {
		memset(c, 0, sizeof(c));
		for (int i = 0; i < N; i++)
			for (int k = 0; k < N; k++)
				for (int j = 0; j < N; j++)
					c[i][j] += a[i][k] * b[k][j];
		a[it % N][0] += c[3][5] * 1e-9;
	}
	return bits(c[10][20]);
}

struct body {
	double x[3], v[3], m;
};

static uint64_t b_nbody(unsigned n)
{
	struct body p[5] = {{{0, 0, 0}, {0, 0, 0}, 39.47},
			    {{4.84, -1.16, -.10}, {.606, 2.81, -.02}, .037},
			    {{8.34, 4.12, -4.03}, {-1.01, 1.82, .008}, .011},
			    {{12.8, -15.1, -.22}, {1.08, .868, -.010}, .0017},
			    {{15.3, -25.9, .179}, {.979, .594, -.034}, .002}};

	for (unsigned it = 0; it < n; it++) {
		for (int i = 0; i < 5; i++)
			for (int j = i + 1; j < 5; j++) {
				double d[3], r2 = 0, mag;

				for (int k = 0; k < 3; k++) {
					d[k] = p[i].x[k] - p[j].x[k];
					r2 += d[k] * d[k];
				}
				mag = 0.001 / (r2 * sqrt(r2));
				for (int k = 0; k < 3; k++) {
					p[i].v[k] -= d[k] * p[j].m * mag;
					p[j].v[k] += d[k] * p[i].m * mag;
				}
			}
		for (int i = 0; i < 5; i++)
			for (int k = 0; k < 3; k++)
				p[i].x[k] += 0.001 * p[i].v[k];
	}
	return bits(p[0].x[0] + p[4].x[2]);
}

static uint64_t b_mandel(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned y = 0; y < n; y++)
		for (unsigned x = 0; x < 200; x++) {
			double cr = x / 100.0 - 1.5, ci = y / (n / 2.0) - 1.0, zr = 0, zi = 0;
			int i;

			for (i = 0; i < 100 && zr * zr + zi * zi < 4; i++) {
				double t = zr * zr - zi * zi + cr;

				zi = 2 * zr * zi + ci;
				zr = t;
			}
			sum += i;
		}
	return sum;
}

typedef uint16_t vh __attribute__((vector_size(16)));

/* Baseline SSE on every machine; AVX2 where the CPU that runs it has it. */
CLONES static void saxpy(float *y, const float *x, float a, int n)
{
	for (int i = 0; i < n; i++)
		y[i] = y[i] * 0.5f + a * x[i];
}

static uint64_t b_saxpy(unsigned n)
{
	static float x[8192], y[8192];
	uint32_t r;

	for (int i = 0; i < 8192; i++) {
		x[i] = i;
		y[i] = 0;
	}
	for (unsigned i = 0; i < n; i++) {
		saxpy(y, x, 0.25f, 8192);
		BENCH_USE(y);
	}
	memcpy(&r, &y[1234], 4);
	return r;
}

/* 16-bit integer blend as image code does it, SSE2. */
static uint64_t b_blend(unsigned n)
{
	static uint16_t a[8192], b[8192];
	uint64_t sum = 0;

	for (int i = 0; i < 8192; i++) {
		a[i] = i * 3;
		b[i] = i * 5 + 1;
	}
	for (unsigned it = 0; it < n; it++) {
		uint16_t w = it & 15;

		for (int i = 0; i < 8192; i += 8) {
			vh x, y;

			memcpy(&x, a + i, 16);
			memcpy(&y, b + i, 16);
			x = (x * w + y * (uint16_t)(16 - w)) >> 4;
			memcpy(a + i, &x, 16);
		}
		sum += a[it & 8191];
	}
	return sum;
}

/* x87 long double */
static uint64_t b_x87(unsigned n)
{
	long double s = 0, t = 1;

	for (unsigned i = 1; i <= n; i++) {
		t = t * 1.0000001L + 0.5L / i;
		s += t - s * 0.125L;
	}
	return bits((double)s);
}

const struct bench bench_fp[] = {
	{"matmul", G_FP, b_matmul, 120},
	{"nbody", G_FP, b_nbody, 500000},
	{"mandel", G_FP, b_mandel, 1400},
	{"saxpy", G_FP, b_saxpy, 10000},
	{"blend", G_FP, b_blend, 30000},
	{"x87", G_FP, b_x87, 6000000},
	{NULL},
};
