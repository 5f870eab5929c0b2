// SPDX-License-Identifier: Apache-2.0
/* Where things are in the host's standard XSAVE area (SDM vol. 1, 13.4). */
#include <cpuid.h>
#include <string.h>

#include "tests/unit/jit/diff.h"

struct place {
	u32 size, offset;
};

/* CPUID is slow in a virtual machine: asked once. */
static const struct place *place(unsigned component)
{
	static struct place known[8];
	static bool asked;
	u32 c, d;

	for (unsigned i = 2; i < 8 && !asked; i++)
		__get_cpuid_count(13, i, &known[i].size, &known[i].offset, &c, &d);
	asked = true;
	return &known[component & 7];
}

u32 diff_xsave_offset(unsigned component)
{
	return place(component)->offset;
}

u32 diff_xsave_length(unsigned component)
{
	return place(component)->size;
}

/* Address of byte `at` of a vector register: four components hold its parts. */
static u8 *vec_byte(struct diff_state *st, unsigned reg, unsigned at)
{
	if (reg >= 16)
		return st->xsave + diff_xsave_offset(7) + (reg - 16) * 64 + at;
	if (at < 16)
		return st->xsave + 160 + reg * 16 + at;
	if (at < 32)
		return st->xsave + diff_xsave_offset(2) + reg * 16 + at - 16;
	return st->xsave + diff_xsave_offset(6) + reg * 32 + at - 32;
}

/* Without AVX-512 there is no place for what lies above 32 bytes. */
void diff_vec_set(struct diff_state *st, unsigned reg, unsigned from, const void *bytes, unsigned n)
{
	if ((from >= 32 || reg >= 16) && !diff_xsave_length(6))
		return;
	memcpy(vec_byte(st, reg, from), bytes, n);
}
