/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NVRAM of a pseries, read and written by RTAS (LoPAR 2.9, 7.3.2 and chapter
 * 8, "Non-Volatile Memory"). It lives as long as the machine, over resets. New it
 * is one free partition, where kernels make theirs.
 */
#include "machine/pseries_internal.h"

#include "base/endian.h"

#include <string.h>

/* A partition's header: signature, checksum, length in blocks of 16 bytes, name. */
enum { FREE_SPACE = 0x7f, HEADER = 16, BLOCK = 16 };

/* Of the header's other bytes, carries added in again. */
static u8 checksum(const u8 h[HEADER])
{
	unsigned sum = h[0];

	for (unsigned i = 2; i < HEADER; i++) {
		sum += h[i];
		sum = (sum & 0xff) + (sum >> 8);
	}
	return (u8)sum;
}

void pseries_nvram_init(struct pseries *ps)
{
	u8 *h = ps->nvram;

	h[0] = FREE_SPACE;
	store_be16(h + 2, PSERIES_NVRAM_SIZE / BLOCK);
	memset(h + 4, 0xff, HEADER - 4);
	h[1] = checksum(h);
}
static_assert(PSERIES_NVRAM_SIZE / BLOCK <= 0xffff, "16 bits");

s64 pseries_nvram_access(struct pseries *ps, u32 at, u64 gpa, u32 len, bool store)
{
	int err;

	if (at >= PSERIES_NVRAM_SIZE || len > PSERIES_NVRAM_SIZE - at)
		return -1;
	err = store ? gpa_read(&ps->map, gpa, ps->nvram + at, len)
		    : gpa_write(&ps->map, gpa, ps->nvram + at, len);
	return err ? -1 : (s64)len;
}
