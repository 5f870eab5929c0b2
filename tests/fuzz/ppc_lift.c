// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: the POWER decoder, disassembler and lifter on arbitrary words in arbitrary modes.
 * The first four bytes are the key and the place on the page. Whatever the code is, the unit must
 * be a valid one before and after the passes.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/jit/ppc/lift.h"
#include "engine/jit/ppc/sys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int ppc_mem_read(struct ppc_vcpu *c, u64 ea, void *buf, unsigned n)
{
	return -1;
}

int ppc_mem_write(struct ppc_vcpu *c, u64 ea, const void *buf, unsigned n)
{
	return -1;
}

int ppc_mem_cas(struct ppc_vcpu *c, u64 ea, const void *old, const void *new, unsigned n)
{
	return -1;
}

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_text(u32 w)
{
	char text[100];
	size_t len = ppc_disasm(w, 0x10000, text, sizeof(text));

	require(len == strlen(text));
	require(ppc_disasm(w, 0x10000, NULL, 0) == len);
}

static void *passes_memory(void)
{
	static void *work;

	if (!work)
		work = calloc(1, ir_optimise_bytes());
	require(work != NULL);
	return work;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ir_unit unit;
	u32 key, bytes, at, w;
	void *work;
	u64 pc;

	if (size < 8)
		return 0;
	work = passes_memory();
	key = data[0] | (u32)data[1] << 8;
	bytes = (u32)(size - 4 < 4096 ? size - 4 : 4096) & ~3u;
	pc = 0x7fffffff0000ULL + 4096 - bytes;
	if (data[2] & 1)
		pc = 0xfffff000ULL + 4096 - bytes;
	for (u32 i = 0; i + 4 <= bytes; i += 4) {
		memcpy(&w, data + 4 + i, 4);
		check_text(w);
	}
	ppc_lift(&unit, data + 4, bytes, pc, key);
	require(ir_verify(&unit, &at) == NULL);
	ir_optimise(&unit, work);
	require(ir_verify(&unit, &at) == NULL);
	return 0;
}
