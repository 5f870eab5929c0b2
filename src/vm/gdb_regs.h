/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GDB's view of x86-64 registers: target description and the byte image of
 * each register number, to and from struct x86_state. Pure.
 */
#ifndef HULL_VM_GDB_REGS_H
#define HULL_VM_GDB_REGS_H

#include "core/x86_state.h"

#define GDB_REGS 66
#define GDB_REG_MAX 16 /* bytes of the largest */

/* The target description (GDB manual, appendix G), made into buf; its length, cut at cap. */
unsigned gdb_target_xml(char *buf, unsigned cap);

/* Size of register n in bytes, 0 if there is none. */
unsigned gdb_reg_size(unsigned n);

/* Bytes of register n as GDB wants them (little-endian). n < GDB_REGS. */
void gdb_reg_get(const struct x86_state *s, unsigned n, u8 *out);
void gdb_reg_set(struct x86_state *s, unsigned n, const u8 *in);

#endif
