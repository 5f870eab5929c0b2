/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI tables for any board: sums add up, lengths fit, nothing overruns. */
#include "base/bits.h"
#include "base/endian.h"
#include "machine/acpi.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct acpi_tables *t)
{
	for (unsigned i = 0; i < t->nsums; i++) {
		const struct acpi_sum *s = &t->sum[i];
		u8 sum = 0;

		if (!range_inside(s->start, s->len, t->len) || s->at - s->start >= s->len)
			abort();
		for (u32 k = 0; k < s->len; k++)
			sum = (u8)(sum + t->tables[s->start + k]);
		if (sum || load_le32(t->tables + s->start + 4) != s->len)
			abort();
	}
	for (unsigned i = 0; i < t->npointers; i++)
		if (!range_inside(t->pointer[i].at, t->pointer[i].size, t->len))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct acpi_tables t;
	struct acpi_config c;

	memset(&c, 0, sizeof(c));
	memcpy(&c, data, size < sizeof(c) ? size : sizeof(c));
	/* bool members hold whatever the bytes say: make them 0 or 1. */
	c.pm_timer_32 = size & 1;
	c.com1 = size & 2;
	c.rtc = size & 4;
	c.i8042 = size & 8;
	c.ncpus %= 2 * ACPI_MAX_CPUS;
	c.npci_gsi %= 9;
	c.nvirtio_mmio %= 600;
	if (!acpi_build(&c, size * 64, &t))
		check(&t);
	return 0;
}
