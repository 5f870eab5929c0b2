/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/entropy.h"

#include "core/cpu/hw.h"
#include "metal/metal.h"

#include <string.h>

/* A ChaCha20 generator (RFC 8439 section 2.3), rekeyed with its own output after every use. */
static struct {
	u32 key[8];
	u64 count;
	bool rdrand;
	struct spinlock lock;
} pool;

static u32 rotl(u32 v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void quarter(u32 *x, unsigned a, unsigned b, unsigned c, unsigned d)
{
	x[a] += x[b], x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d], x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b], x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d], x[b] = rotl(x[b] ^ x[c], 7);
}

static void block(u32 out[16])
{
	u32 in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

	memcpy(in + 4, pool.key, sizeof(pool.key));
	in[12] = (u32)++pool.count;
	in[13] = (u32)(pool.count >> 32);
	memcpy(out, in, sizeof(in));
	for (unsigned i = 0; i < 10; i++) {
		for (unsigned k = 0; k < 4; k++)
			quarter(out, k, k + 4, k + 8, k + 12);
		for (unsigned k = 0; k < 4; k++)
			quarter(out, k, (k + 1) % 4 + 4, (k + 2) % 4 + 8, (k + 3) % 4 + 12);
	}
	for (unsigned i = 0; i < 16; i++)
		out[i] += in[i];
}

static void stir(void)
{
	u64 v = hw_tsc();

	for (unsigned i = 0; i < 4; i++) {
		if (pool.rdrand)
			__asm__ volatile("rdrand %0" : "+r"(v) : : "cc");
		else
			v = v * 6364136223846793005ull + hw_tsc();
		pool.key[2 * i] ^= (u32)v;
		pool.key[2 * i + 1] ^= (u32)(v >> 32);
	}
}

void entropy_init(void)
{
	u32 r[4], out[16];

	hw_cpuid(1, 0, r);
	pool.rdrand = r[2] >> 30 & 1;
	for (unsigned i = 0; i < 64; i++) {
		stir();
		block(out);
		memcpy(pool.key, out, sizeof(pool.key));
	}
}

void entropy_fill(void *buf, u64 len)
{
	u32 out[16];
	u8 *to = buf;

	spin_lock(&pool.lock);
	stir();
	while (len) {
		u64 n = len < sizeof(out) ? len : sizeof(out);

		block(out);
		memcpy(to, out, n);
		to += n;
		len -= n;
	}
	block(out);
	memcpy(pool.key, out, sizeof(pool.key));
	spin_unlock(&pool.lock);
}
