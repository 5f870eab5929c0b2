/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flat stand-in for the system half of the software CPU: one vCPU, RAM at
 * linear 0, page permissions and a device page set by the test, no descriptor
 * tables, no delivery of exceptions. The interpreter's tests and the flat
 * runner stand on it.
 */
#ifndef HULL_TESTS_UNIT_JIT_FLAT_H
#define HULL_TESTS_UNIT_JIT_FLAT_H

#include "base/endian.h"
#include "engine/jit/x86/cpu.h"

#define FLAT_RAM MIB(16)
#define FLAT_PAGES (FLAT_RAM / 4096)
#define FLAT_CODE 0x10000u
#define FLAT_STACK 0x80000u
#define FLAT_DATA 0x100000u

enum flat_page { FLAT_RW, FLAT_RO, FLAT_NONE, FLAT_MMIO };

struct flat {
	struct x86_vcpu *c;
	struct x86_vm *vm;
	u8 *ram;
	u8 page[FLAT_PAGES]; /* enum flat_page */
	u64 mmio_val;	     /* what the device page reads, and last got written */
	unsigned mmio_reads, mmio_writes;
	bool stop; /* hlt was executed */
};

/* NULL if memory is short. Mode: 64-bit, CPL 0, FPU on, everything flat. */
struct flat *flat_create(void);
/* A further vCPU on the same RAM and pages: its own struct flat. */
struct flat *flat_clone(struct flat *f);
void flat_destroy(struct flat *f);
/* 16- and 32-bit code: segments with base 0 and the limit of the mode. */
void flat_mode(struct flat *f, enum x86_mode mode);
void flat_set_page(struct flat *f, u64 linear, enum flat_page p);
/* Copy code to FLAT_CODE, point RIP at it and RSP at FLAT_STACK. */
void flat_load(struct flat *f, const void *code, size_t size);
/* Step until hlt (0), an exception (-1) or max steps (1). */
int flat_run(struct flat *f, u64 max);

/* Bytes of assembled code in this file: FLAT_CODE_OF(name, "mov eax, 1; hlt"). */
#define FLAT_ASM_MODE(name, mode, text)                                                            \
	__asm__(".pushsection .text\n.intel_syntax noprefix\n." mode "\n" #name "_start:\n" text   \
		"\n" #name "_end:\n.code64\n.att_syntax\n.popsection\n");                          \
	extern const u8 name##_start[], name##_end[];
#define FLAT_ASM(name, text) FLAT_ASM_MODE(name, "code64", text)
#define FLAT_LOAD(f, name) flat_load(f, name##_start, (size_t)(name##_end - name##_start))

#endif
