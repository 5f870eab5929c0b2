/* SPDX-License-Identifier: Apache-2.0 */
/* Starting states of the boot processor. Sources: SDM vol. 3A chapters 3 to 5. */
#include "machine/boot/internal.h"

/* Descriptors with base 0 and limit 4 GiB: access byte and flags as bits 40-55. */
enum {
	ATTR_CODE32 = 0xc09b,
	ATTR_CODE64 = 0xa09b,
	ATTR_DATA = 0xc093,
	ATTR_TSS = 0x008b,
	ATTR_LDT = 0x0082,
	TSS_SELECTOR = 0x20,
	TSS_LIMIT = 0x67,
	GDT_ENTRIES = 6, /* a 64-bit TSS descriptor takes two */
};

enum { CR0_PE = 1 << 0, CR0_ET = 1 << 4, CR4_PAE = 1 << 5, EFER_LME = 1 << 8, EFER_LMA = 1 << 10 };
#define CR0_PG (1u << 31)

/* Page table entry: present, writable, page size (SDM table 4-15 and following). */
enum { PTE_P = 1, PTE_W = 2, PTE_PS = 0x80 };

static u64 descriptor(u32 attr, u32 limit)
{
	return (u64)attr << 40 | (limit & 0xffff) | (u64)(limit >> 16 & 0xf) << 48;
}

static int put_gdt(struct boot_job *j, u32 code_attr)
{
	u8 gdt[GDT_ENTRIES * 8] = {0};

	store_le64(gdt + LX_BOOT_CS, descriptor(code_attr, 0xfffff));
	store_le64(gdt + LX_BOOT_DS, descriptor(ATTR_DATA, 0xfffff));
	store_le64(gdt + TSS_SELECTOR, descriptor(ATTR_TSS, TSS_LIMIT));
	j->st->gdtr = (struct x86_dtr){.base = BOOT_GDT, .limit = sizeof(gdt) - 1};
	j->st->idtr = (struct x86_dtr){0};
	return boot_put(j, BOOT_GDT, gdt, sizeof(gdt));
}

static int cpu_flat(struct boot_job *j, u64 entry, u32 code_attr)
{
	struct x86_state *st = j->st;

	for (unsigned i = 0; i < X86_NSEGS; i++)
		st->seg[i] = (struct x86_seg){.limit = ~0u, .attr = ATTR_DATA, .sel = LX_BOOT_DS};
	st->seg[X86_CS].attr = code_attr;
	st->seg[X86_CS].sel = LX_BOOT_CS;
	st->tr = (struct x86_seg){.limit = TSS_LIMIT, .attr = ATTR_TSS, .sel = TSS_SELECTOR};
	st->ldtr = (struct x86_seg){.attr = ATTR_LDT | X86_SEG_UNUSABLE};
	for (unsigned i = 0; i < ARRAY_LEN(st->gpr); i++)
		st->gpr[i] = 0;
	st->gpr[X86_RSP] = BOOT_STACK;
	st->rip = entry;
	st->rflags = 2;
	st->cr0 = CR0_PE | CR0_ET;
	st->cr3 = st->cr4 = 0;
	st->efer = 0;
	st->mp_state = X86_MP_RUNNING;
	return put_gdt(j, code_attr);
}

int boot_cpu_flat32(struct boot_job *j, u64 entry)
{
	return cpu_flat(j, entry, ATTR_CODE32);
}

/* PML4, PDPT and four page directories of 2 MiB pages. */
static int put_page_tables(struct boot_job *j)
{
	u8 table[GPA_PAGE_SIZE] = {0};
	int err;

	store_le64(table, (BOOT_PAGE_TABLES + GPA_PAGE_SIZE) | PTE_P | PTE_W);
	err = boot_put(j, BOOT_PAGE_TABLES, table, sizeof(table));
	for (unsigned i = 0; i < 4; i++)
		store_le64(table + i * 8,
			   (BOOT_PAGE_TABLES + (2 + i) * GPA_PAGE_SIZE) | PTE_P | PTE_W);
	if (!err)
		err = boot_put(j, BOOT_PAGE_TABLES + GPA_PAGE_SIZE, table, sizeof(table));
	for (unsigned d = 0; !err && d < 4; d++) {
		for (unsigned i = 0; i < 512; i++)
			store_le64(table + i * 8,
				   (d * GIB(1) + i * MIB(2)) | PTE_P | PTE_W | PTE_PS);
		err = boot_put(j, BOOT_PAGE_TABLES + (2 + d) * GPA_PAGE_SIZE, table, sizeof(table));
	}
	return err;
}

int boot_cpu_flat64(struct boot_job *j, u64 entry)
{
	int err = cpu_flat(j, entry, ATTR_CODE64);

	j->st->cr0 |= CR0_PG;
	j->st->cr3 = BOOT_PAGE_TABLES;
	j->st->cr4 = CR4_PAE;
	j->st->efer = EFER_LME | EFER_LMA;
	return err ? err : put_page_tables(j);
}
