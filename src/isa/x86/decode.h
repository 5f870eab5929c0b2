/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The decoder's state between its two halves: decode.c reads the bytes,
 * decode_opnd.c says what they name. Private to isa/x86.
 */
#ifndef HULL_ISA_X86_DECODE_H
#define HULL_ISA_X86_DECODE_H

#include "isa/x86/tables.h"

struct dec {
	struct x86_insn *in;
	const u8 *p;
	unsigned n, pos;
	const struct x86_form *form;
	u8 table;
	u8 pp;	     /* mandatory prefix: 0 none, 1 66, 2 F3, 3 F2 */
	u8 r, x, b;  /* register extensions, already shifted: 8, and 16 for EVEX */
	u8 r16, v16; /* EVEX R' and V' */
	u8 lsel;     /* vector length for selection: 0, 1, 2, 3 undefined */
	u8 w;
};

/* Fill in->opnd[] by the form. 0 or X86_DECODE_UD. */
int x86_decode_operands(struct dec *d);
/* LOCK, vvvv, masking and the like: is the complete encoding defined? */
bool x86_decode_valid(const struct dec *d);

#endif
