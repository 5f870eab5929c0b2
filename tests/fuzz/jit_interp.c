/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile code for the interpreter and its native stubs: the input's bytes run
 * as 16-, 32- or 64-bit code on the flat machine, with registers that point
 * into and around its RAM, some pages missing, read-only or a device's. After a
 * fault it goes on one byte later. RAM has inaccessible pages around it.
 */
#include <string.h>

#include "tests/unit/jit/flat.h"

enum { HEAD = 24, STEPS = 400 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_registers(struct flat *f, const uint8_t *p)
{
	static const u64 near[8] = {FLAT_DATA,		FLAT_DATA + 4090,
				    FLAT_DATA + 0x1ff8, FLAT_RAM - 16,
				    FLAT_STACK,		0,
				    0x800000000000ULL,	~0ULL};

	for (unsigned i = 0; i < 16; i++)
		f->c->gpr[i] = near[p[i] & 7] + (p[i] >> 3);
	f->c->rflags = RF_FIXED | (p[16] & X86_F_STATUS) | (p[17] & 1 ? RF_DF : 0);
	if (p[17] & 2)
		f->c->gpr[X86_RCX] = p[18];
}

static void set_pages(struct flat *f, uint8_t kinds)
{
	for (unsigned i = 0; i < 4; i++)
		f->page[(FLAT_DATA >> 12) + i] = kinds >> (i * 2) & 3;
	flat_set_page(f, FLAT_RAM - 4096, FLAT_RW); /* and forget the TLB */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct flat *f; /* one for all inputs: creating it maps megabytes */

	if (size < HEAD)
		return 0;
	if (!f)
		f = flat_create();
	if (!f)
		return 0;
	flat_mode(f, data[0] % 3);
	flat_load(f, data + HEAD, size - HEAD);
	set_registers(f, data + 1);
	set_pages(f, data[22]);
	for (unsigned i = 0; i < STEPS && f->c->rip - FLAT_CODE < size; i++)
		if (flat_run(f, 1) < 0)
			f->c->rip++;
	x86_fpu_park(f->c);
	return 0;
}
