/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A builder of flattened device trees (Devicetree Specification 0.3, chapter 5)
 * for boards whose guests want one. Nodes and properties are appended in order
 * into the caller's buffer; no heap. Failure sticks: callers check once, at
 * fdt_finish. Knows no board.
 */
#ifndef HULL_MACHINE_FDT_H
#define HULL_MACHINE_FDT_H

#include "base/types.h"

#define FDT_STRINGS_MAX 8192u /* property names, each kept once */
#define FDT_DEPTH_MAX 16u
#define FDT_RESERVE_MAX 4u

struct fdt {
	u8 *buf;
	u32 cap, len; /* len: of the structure block so far, from FDT_STRUCT_OFF */
	u32 nstrings;
	unsigned depth, nreserve;
	u64 reserve[FDT_RESERVE_MAX][2];
	bool failed;
	char strings[FDT_STRINGS_MAX];
};

/* Starts a tree in buf; its root node is open. */
void fdt_begin(struct fdt *f, void *buf, u32 cap);

/* Memory the guest shall not use though it is RAM; at most FDT_RESERVE_MAX pieces. */
void fdt_reserve(struct fdt *f, u64 addr, u64 size);

/* Opens a node below the open one; "name" or "name@unit". */
void fdt_node(struct fdt *f, const char *name);
/* The same with "name@%x" of a unit address. */
void fdt_node_at(struct fdt *f, const char *name, u64 unit);
void fdt_node_end(struct fdt *f);

/* Properties of the open node, before its first child. */
void fdt_bytes(struct fdt *f, const char *name, const void *data, u32 len);
void fdt_empty(struct fdt *f, const char *name);
void fdt_string(struct fdt *f, const char *name, const char *s);
void fdt_u32(struct fdt *f, const char *name, u32 val);
void fdt_u64(struct fdt *f, const char *name, u64 val);
void fdt_cells(struct fdt *f, const char *name, const u32 *cells, u32 n);

/*
 * Closes the root and writes header, memory reservations and strings. boot_cpu is the physical id
 * of the CPU that starts. The size of the tree, or 0: it did not fit, or nodes were not closed.
 */
u32 fdt_finish(struct fdt *f, u32 boot_cpu);

#endif
