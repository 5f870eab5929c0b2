/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text form of a unit, both ways; for tests, traces and people. One operation a line:
 *
 *	unit 0x10000000
 *	insn #0x10000000
 *	%2 = get.i64.8 #0x18
 *	%3 = const #0x1
 *	%4 = add.8 %2, %3
 *	put.i64.8 %4, #0x18
 *	%6 = set.8.lts %4, %3
 *	exitif %6, #0x10000040
 *	%8 = load.i64.4.sw %4, #-0x8
 *	%9 = vconst #0x1:0x2
 *	call pure %4
 *	exit.plain #0x10000044
 *
 * A result's number is the operation's place in the unit, counted from 1. Type, size and condition
 * or flags (s signed, w bytes swapped) follow the name where the operation has them. ; starts a
 * comment. Labels are L0, L1 ..
 */
#ifndef HULL_ENGINE_JIT_IR_TEXT_H
#define HULL_ENGINE_JIT_IR_TEXT_H

#include "engine/jit/ir/ir.h"

/* The text in out, ended by a 0, cut if it does not fit; the length it would have. */
size_t ir_print(const struct ir_unit *u, char *out, size_t room);
/* NULL, or what is wrong in line *line. The unit is not verified. */
const char *ir_parse(struct ir_unit *u, const struct ir_target *t, const char *text, size_t len,
		     u32 *line);

#endif
