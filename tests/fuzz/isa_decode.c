// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: the x86 decoder and disassembler on arbitrary bytes. Byte 0
 * picks the mode, the rest is code. Checks what every consumer relies on.
 */
#include <stdlib.h>
#include <string.h>

#include "isa/x86/insn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

/* The decoder reads at most n bytes, and its answer fits what it was given. */
static void check_one(enum x86_mode mode, const u8 *p, size_t n)
{
	struct x86_insn in, again;
	char text[64];
	size_t len;

	if (x86_decode(&in, mode, p, n)) {
		require(in.len <= n && in.len <= X86_INSN_MAX);
		return;
	}
	require(in.row >= x86_rows && in.row < x86_rows + x86_nrows);
	require(in.len >= 1 && in.len <= n && in.len <= X86_INSN_MAX);
	require(in.nopnds <= ARRAY_LEN(in.opnd));
	require(in.disp_off + in.disp_size <= in.len && in.imm_off + in.imm_size <= in.len);
	require(in.op_off < in.len && in.pfx_len <= in.op_off);
	for (unsigned i = 0; i < in.nopnds; i++)
		require(in.opnd[i].kind != X86_OPND_NONE);
	/* Its own bytes are enough, and one less is not. */
	require(x86_decode(&again, mode, in.bytes, in.len) == 0 && again.len == in.len);
	require(x86_decode(&again, mode, in.bytes, in.len - 1) == X86_DECODE_SHORT);
	len = x86_disasm(&in, 0x1000, text, sizeof(text));
	require(strlen(text) == (len < sizeof(text) ? len : sizeof(text) - 1));
	require(x86_disasm(&in, 0x1000, NULL, 0) == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	for (size_t i = 1; i < size && i < 256; i++)
		check_one(data[0] % 3, data + i, size - i);
	return 0;
}
