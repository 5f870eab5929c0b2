/* SPDX-License-Identifier: Apache-2.0 */
/* Integer and branch kernels. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

/* ---- coremark-like: list walk, small matrix, state machine, CRC ---- */

struct node {
	struct node *next;
	int16_t key, val;
};

static uint16_t crc16(uint16_t v, uint16_t crc)
{
	for (int i = 0; i < 16; i++) {
		unsigned bit = (v ^ crc) & 1;

		v >>= 1;
		crc >>= 1;
		if (bit)
			crc ^= 0xa001;
	}
	return crc;
}

static int list_pass(struct node *head, int16_t find)
{
	int n = 0;

	for (struct node *p = head; p; p = p->next)
		if ((p->key ^ find) & 1)
			n += p->val;
		else
			n -= p->key;
	return n;
}

static struct node *list_reverse(struct node *p)
{
	struct node *r = NULL;

	while (p) {
		struct node *n = p->next;

		p->next = r;
		r = p;
		p = n;
	}
	return r;
}

static int matrix_pass(int16_t *a, int16_t *b, int32_t *c, int n)
{
	int32_t s = 0;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++) {
			int32_t t = 0;

			for (int k = 0; k < n; k++)
				t += a[i * n + k] * b[k * n + j];
			c[i * n + j] = t;
			s += t > 0 ? 3 : t >> 2;
		}
	return s;
}

enum state { S_START, S_SIGN, S_INT, S_FRAC, S_EXP, S_BAD };

static unsigned state_pass(const char *s)
{
	enum state st = S_START;
	unsigned count[6] = {0};

	for (; *s; s++) {
		char ch = *s;

		if (ch == ',') {
			count[st]++;
			st = S_START;
			continue;
		}
		switch (st) {
		case S_START:
			st = ch >= '0' && ch <= '9'   ? S_INT
			     : ch == '-' || ch == '+' ? S_SIGN
						      : S_BAD;
			break;
		case S_SIGN:
			st = ch >= '0' && ch <= '9' ? S_INT : ch == '.' ? S_FRAC : S_BAD;
			break;
		case S_INT:
			if (ch == '.')
				st = S_FRAC;
			else if (ch < '0' || ch > '9')
				st = S_BAD;
			break;
		case S_FRAC:
			if (ch == 'e')
				st = S_EXP;
			else if (ch < '0' || ch > '9')
				st = S_BAD;
			break;
		default:
			break;
		}
	}
	return count[2] * 3 + count[3] * 5 + count[4] * 7 + count[5];
}

static uint64_t b_coremark(unsigned n)
{
	static struct node nodes[256];
	static int16_t a[144], b[144];
	static int32_t c[144];
	static const char text[] =
		"5012,1234,-874,+122,35.54400,.1234500,-110.700,+0.64400,5.500e+3,"
		"-.123e-2,-87e+832,+0.6e-12,T0.3e-1F,-T.T++Tq,1T3.4e4z,34.0e-T^";
	struct node *head = nodes;
	uint16_t crc = 0xffff;

	for (int i = 0; i < 256; i++)
		nodes[i] = (struct node){i < 255 ? &nodes[(i * 37 + 1) & 255] : NULL, i * 7, i * 3};
	/* A permutation cut open: link in a strided order. */
	for (int i = 0; i < 256; i++)
		nodes[(i * 37) & 255].next = i < 255 ? &nodes[((i + 1) * 37) & 255] : NULL;
	for (int i = 0; i < 144; i++) {
		a[i] = i * 5 - 300;
		b[i] = 77 - i * 3;
	}
	for (unsigned it = 0; it < n; it++) {
		crc = crc16(list_pass(head, it), crc);
		head = list_reverse(head);
		crc = crc16(matrix_pass(a, b, c, 12), crc);
		a[it % 144]++;
		crc = crc16(state_pass(text), crc);
		for (int i = 0; i < 16; i++)
			crc = crc16(c[i * 9], crc);
	}
	return crc;
}

/* ---- sha256 ---- */

static const uint32_t sha_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2};

#define ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))

static void sha_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[64], v[8];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[i * 4] << 24 | p[i * 4 + 1] << 16 | p[i * 4 + 2] << 8 |
		       p[i * 4 + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (ROR(a, 7) ^ ROR(a, 18) ^ a >> 3) +
		       (ROR(b, 17) ^ ROR(b, 19) ^ b >> 10);
	}
	memcpy(v, h, 32);
	for (int i = 0; i < 64; i++) {
		uint32_t e = v[4], a = v[0];
		uint32_t t1 = v[7] + (ROR(e, 6) ^ ROR(e, 11) ^ ROR(e, 25)) +
			      ((e & v[5]) ^ (~e & v[6])) + sha_k[i] + w[i];
		uint32_t t2 = (ROR(a, 2) ^ ROR(a, 13) ^ ROR(a, 22)) +
			      ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 28);
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

static uint64_t b_sha256(unsigned n)
{
	uint32_t h[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	static uint8_t buf[4096];

	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = i * 131;
	for (unsigned it = 0; it < n; it++)
		for (unsigned o = 0; o < sizeof(buf); o += 64)
			sha_block(h, buf + o);
	return (uint64_t)h[0] << 32 | h[7];
}

/* ---- qsort through a comparison callback ---- */

static int cmp_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t b_qsort(unsigned n)
{
	static uint32_t v[20000];
	uint64_t s = 42, sum = 0;

	for (unsigned it = 0; it < n; it++) {
		for (unsigned i = 0; i < 20000; i++)
			v[i] = bench_rand(&s);
		qsort(v, 20000, sizeof(v[0]), cmp_u32);
		sum += v[100] ^ v[19000];
	}
	return sum;
}

/* ---- an LZ77 compressor ---- */

static unsigned lz_compress(const uint8_t *in, unsigned len, uint8_t *out, uint16_t *table)
{
	unsigned ip = 0, op = 0, lit = 0;

	memset(table, 0, 8192 * sizeof(*table));
	while (ip + 4 < len) {
		uint32_t w;
		unsigned h, ref, m = 0;

		memcpy(&w, in + ip, 4);
		h = w * 2654435761u >> 19;
		ref = table[h];
		table[h] = ip;
		if (ref < ip && !memcmp(in + ref, in + ip, 4)) {
			m = 4;
			while (ip + m < len && in[ref + m] == in[ip + m] && m < 255)
				m++;
			out[op++] = lit;
			out[op++] = m;
			out[op++] = ip - ref;
			out[op++] = (ip - ref) >> 8;
			ip += m;
			lit = 0;
		} else {
			out[op++] = in[ip++];
			lit++;
		}
	}
	return op;
}

static uint64_t b_lz(unsigned n)
{
	static uint8_t in[60000], out[90000];
	static uint16_t table[8192];
	uint64_t s = 7, sum = 0;

	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = i > 500 && bench_rand(&s) % 5 ? in[i - 1 - bench_rand(&s) % 9]
						      : bench_rand(&s) % 60;
	for (unsigned it = 0; it < n; it++) {
		in[it % sizeof(in)] ^= 1;
		sum += lz_compress(in, sizeof(in), out, table);
		sum = sum * 31 + out[sum % 5000];
	}
	return sum;
}

/* ---- a threaded bytecode interpreter: indirect jumps ---- */

static uint64_t b_interp(unsigned n)
{
	enum { PUSH, ADD, XOR, DUP, SWAP, ROT, JNZ, DEC, HALT };
	static const uint8_t code[] = {PUSH, 17,  ADD, DUP,  XOR, PUSH, 3,   ADD, SWAP, ADD,
				       ROT,  DUP, XOR, PUSH, 9,	  ADD,	DEC, JNZ, 0,	HALT};
	static const void *const op[] = {&&push, &&add, &&xor, &&dup, &&swap,
					 &&rot,	 &&jnz, &&dec, &&halt};
	uint64_t st[64] = {0}, counter = n, total = 0;
	unsigned sp = 8;
	const uint8_t *pc = code;

#define NEXT goto *op[*pc++]
	NEXT;
push:
	st[sp = (sp + 1) & 63] = *pc++;
	NEXT;
add:
	st[(sp - 1) & 63] += st[sp];
	sp = (sp - 1) & 63;
	NEXT;
	xor : st[(sp - 1) & 63] ^= st[sp] + 5;
	sp = (sp - 1) & 63;
	NEXT;
dup:
	st[(sp + 1) & 63] = st[sp];
	sp = (sp + 1) & 63;
	NEXT;
swap : {
	uint64_t t = st[sp];

	st[sp] = st[(sp - 1) & 63];
	st[(sp - 1) & 63] = t;
	NEXT;
}
rot:
	st[sp] = st[sp] << 7 | st[sp] >> 57;
	NEXT;
dec:
	counter--;
	total += st[sp];
	NEXT;
jnz:
	pc = counter ? code + *pc : pc + 1;
	NEXT;
halt:
	return total;
#undef NEXT
}

/* ---- unpredictable switch ---- */

static uint64_t b_switch(unsigned n)
{
	uint64_t s = 99, a = 1;

	for (unsigned i = 0; i < n; i++) {
		uint32_t r = bench_rand(&s);

		switch (r & 15) {
		case 0:
			a += r;
			break;
		case 1:
			a ^= r << 3;
			break;
		case 2:
			a = a * 5 + 1;
			break;
		case 3:
			a -= r >> 2;
			break;
		case 4:
			a = a << 1 | a >> 63;
			break;
		case 5:
			a |= 1;
			break;
		case 6:
			a += 77;
			break;
		case 7:
			a = ~a;
			break;
		case 8:
			a ^= a >> 7;
			break;
		case 9:
			a += a << 3;
			break;
		case 10:
			a -= 12345;
			break;
		case 11:
			a ^= 0x5555;
			break;
		case 12:
			a = a >> 1 | a << 63;
			break;
		case 13:
			a *= 3;
			break;
		case 14:
			a += i;
			break;
		default:
			a ^= i;
			break;
		}
	}
	return a;
}

/* ---- recursive calls ---- */

/* gcc would unroll the recursion into itself; clang does not and has no such attributes. */
#ifdef __clang__
#define KEEP_CALLS __attribute__((noinline))
#else
#define KEEP_CALLS                                                                                 \
	__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls", "no-inline")))
#endif

static KEEP_CALLS unsigned fib(unsigned n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static uint64_t b_fib(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += fib(25) + i;
	return sum;
}

/* ---- calls through function pointers ---- */

typedef uint64_t (*op_fn)(uint64_t);
static __attribute__((noinline)) uint64_t f_add(uint64_t x)
{
	return x + 3;
}
static __attribute__((noinline)) uint64_t f_mul(uint64_t x)
{
	return x * 5;
}
static __attribute__((noinline)) uint64_t f_xor(uint64_t x)
{
	return x ^ x >> 9;
}
static __attribute__((noinline)) uint64_t f_rot(uint64_t x)
{
	return x << 11 | x >> 53;
}

static uint64_t b_icall(unsigned n)
{
	static op_fn const fns[4] = {f_add, f_mul, f_xor, f_rot};
	op_fn const *volatile table = fns;
	uint64_t x = 1;

	for (unsigned i = 0; i < n; i++)
		x = table[(i ^ i >> 2) & 3](x);
	return x;
}

/* ---- hash table ---- */

static uint64_t b_hash(unsigned n)
{
	enum { SLOTS = 1 << 14 };
	static uint64_t key[SLOTS], val[SLOTS];
	uint64_t s = 5, sum = 0;

	memset(key, 0, sizeof(key));
	for (unsigned i = 0; i < n; i++) {
		uint64_t k = bench_rand(&s) % 9000 + 1;
		unsigned h = (k * 0x9e3779b97f4a7c15ULL) >> 50;

		while (key[h] && key[h] != k)
			h = (h + 1) & (SLOTS - 1);
		key[h] = k;
		val[h] += i;
		sum ^= val[h];
	}
	return sum;
}

/* ---- table driven CRC-32 ---- */

static uint64_t b_crc32(unsigned n)
{
	static uint32_t t[256];
	static uint8_t buf[16384];
	uint32_t crc = ~0u;

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
		t[i] = c;
	}
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = i * 7;
	for (unsigned it = 0; it < n; it++)
		for (unsigned i = 0; i < sizeof(buf); i++)
			crc = t[(crc ^ buf[i]) & 255] ^ crc >> 8;
	return crc;
}

const struct bench bench_int[] = {
	{"coremark", G_INT, b_coremark, 30000},
	{"sha256", G_INT, b_sha256, 4500},
	{"qsort", G_INT, b_qsort, 40},
	{"lz", G_INT, b_lz, 900},
	{"interp", G_INT, b_interp, 4000000},
	{"switch", G_INT, b_switch, 12000000},
	{"fib", G_INT, b_fib, 120},
	{"icall", G_INT, b_icall, 30000000},
	{"hash", G_INT, b_hash, 15000000},
	{"crc32", G_INT, b_crc32, 2200},
	{NULL},
};
