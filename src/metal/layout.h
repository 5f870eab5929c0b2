/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Numbers that assembly and C share: where the image lies, selectors, control
 * register bits. No C in here.
 */
#ifndef HULL_METAL_LAYOUT_H
#define HULL_METAL_LAYOUT_H

/* GDT selectors; boot.S's table and cpu.c's agree. */
#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_CODE32 0x18
#define SEL_TSS 0x20

/* CR4: PAE, PGE, OSFXSR, OSXMMEXCPT (SDM vol. 3A 2.5). */
#define CR4_BOOT 0x6a0
/* CR0: PG, WP, NE, ET, MP, PE on; CD, NW, TS, EM off. */
#define CR0_SET 0x80010033
#define CR0_CLEAR 0x6000000c

#define STACK_SIZE 0x10000

#endif
