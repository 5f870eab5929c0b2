/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GDB's view of a guest's registers: target description and the byte image of
 * each register number, to and from the state that engines give. Pure, but for
 * load and store.
 */
#ifndef HULL_VM_GDB_REGS_H
#define HULL_VM_GDB_REGS_H

#include "core/engine.h"
#include "core/ppc_state.h"

#define GDB_REG_MAX 16 /* bytes of the largest */

union gdb_state {
	struct x86_state x86;
	struct ppc_state ppc;
};

struct gdb_reg {
	const char *name, *type, *group;
	u8 size, kind, index; /* kind and index: the architecture's own */
};

struct gdb_feature {
	const char *name;
	unsigned end;	   /* number of the first register after it */
	const char *types; /* XML before its registers, or NULL */
};

struct gdb_arch {
	const char *name; /* as GDB calls it */
	const struct gdb_reg *regs;
	unsigned nregs;
	const struct gdb_feature *features;
	unsigned nfeatures;
	/* Bytes of a register as GDB wants them (little-endian). */
	void (*get)(const union gdb_state *s, const struct gdb_reg *r, u8 *out);
	void (*set)(union gdb_state *s, const struct gdb_reg *r, const u8 *in);
	void (*set_pc)(union gdb_state *s, u64 pc);
	/* What the CPU is doing, for a person. */
	const char *(*activity)(const union gdb_state *s);
	int (*load)(const struct engine_ops *ops, struct engine_vcpu *v, union gdb_state *s);
	int (*store)(const struct engine_ops *ops, struct engine_vcpu *v, const union gdb_state *s);
};

extern const struct gdb_arch gdb_arch_x86, gdb_arch_ppc;

const struct gdb_arch *gdb_arch_of(const struct engine_ops *ops);

/* The target description (GDB manual, appendix G), made into buf; its length, cut at cap. */
unsigned gdb_target_xml(const struct gdb_arch *a, char *buf, unsigned cap);

#endif
