/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small AML writer (ACPI 6.5 chapter 20): named objects, packages, methods
 * and resource templates, appended to a caller's buffer. Running out of space
 * or nesting sets `bad`, which sticks; nothing is written past the end.
 */
#ifndef HULL_MACHINE_ACPI_AML_H
#define HULL_MACHINE_ACPI_AML_H

#include "base/types.h"

#define AML_DEPTH 8

struct aml {
	u8 *buf;
	u32 len, cap;
	bool bad;
	unsigned depth;
	u32 open[AML_DEPTH]; /* where the contents of open blocks begin */
};

void aml_init(struct aml *a, u8 *buf, u32 cap);
void aml_raw(struct aml *a, const void *p, u32 n);

/* Values. An EISA id is seven characters, "PNP0A08". */
void aml_int(struct aml *a, u64 v);
void aml_string(struct aml *a, const char *s);
void aml_eisaid(struct aml *a, const char *id);

/* Paths: "PCI0", "\\_SB_", "\\_SB_.PCI0"; every segment has four characters. */
void aml_path(struct aml *a, const char *path);

/* Name (path, value): follow aml_name with one value, or use the short forms. */
void aml_name(struct aml *a, const char *path);
void aml_name_int(struct aml *a, const char *path, u64 v);
void aml_name_string(struct aml *a, const char *path, const char *s);
void aml_name_eisaid(struct aml *a, const char *path, const char *id);

/* Blocks, closed by aml_end. */
void aml_scope(struct aml *a, const char *path);
void aml_device(struct aml *a, const char *name);
void aml_package(struct aml *a, u8 elements);
void aml_end(struct aml *a);

/*
 * Resource descriptors (section 6.4) are collected in an aml of their own;
 * aml_name_resources wraps them in Name (path, ResourceTemplate { ... }).
 */
void aml_res_io(struct aml *r, u16 base, u8 len);
void aml_res_irq(struct aml *r, unsigned irq); /* ISA: edge, active high */
void aml_res_gsi(struct aml *r, u32 gsi);      /* level, active high */
void aml_res_mem_fixed(struct aml *r, u32 base, u32 len, bool writable);
void aml_res_bus_window(struct aml *r, u16 first, u16 last);
void aml_res_io_window(struct aml *r, u16 first, u16 last);
void aml_res_mem_window(struct aml *r, u64 first, u64 last, bool prefetch);
void aml_name_resources(struct aml *a, const char *path, const struct aml *r);

#endif
