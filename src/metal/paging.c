/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/paging.h"

#include "base/bits.h"
#include "core/cpu/hw.h"
#include "metal/metal.h"

#include <string.h>

/* SDM vol. 3A tables 4-15 to 4-20. */
#define P BIT(0)
#define W BIT(1)
#define PWT BIT(3)
#define PCD BIT(4)
#define PS BIT(7)
#define G BIT(8)
#define NX BIT(63)
#define ADDR BITS(12, 51)

extern char image_start[], text_end[], rodata_end[], image_end[], boot_stack_guard[];

static u64 *table_new(void)
{
	u64 pa = pages_alloc(&metal.pages, 1, OWNER_HYPERVISOR);

	if (!pa)
		metal_die("too little memory: no page for page tables");
	memset((void *)pa, 0, PAGE_SIZE);
	return (u64 *)pa;
}

static u64 *entry_at(u64 *table, unsigned level, u64 va)
{
	return &table[va >> (12 + 9 * level) & 511];
}

/* A large page at *e (of the level) becomes a table of smaller ones. */
static void split(u64 *e, unsigned level)
{
	u64 *t = table_new(), old = *e, flags = old & ~ADDR;
	u64 step = BIT(12 + 9 * (level - 1));

	if (level == 1)
		flags &= ~PS;
	for (unsigned i = 0; i < 512; i++)
		t[i] = ((old & ADDR) + i * step) | flags;
	*e = (u64)t | P | W;
}

static void map(u64 pa, unsigned level, u64 flags)
{
	u64 *t = metal.tables;

	for (unsigned l = 3; l > level; l--) {
		u64 *e = entry_at(t, l, pa);

		if (!(*e & P))
			*e = (u64)table_new() | P | W;
		else if (*e & PS)
			split(e, l);
		t = (u64 *)(*e & ADDR);
	}
	*entry_at(t, level, pa) = flags ? pa | flags | (level ? PS : 0) : 0;
}

/* The entry that maps va and its level, or NULL. */
static u64 *lookup(u64 va)
{
	u64 *t = metal.tables;

	for (unsigned l = 3;; l--) {
		u64 *e = entry_at(t, l, va);

		if (!(*e & P))
			return NULL;
		if (!l || *e & PS)
			return e;
		t = (u64 *)(*e & ADDR);
	}
}

static void map_ram(u64 addr, u64 size)
{
	u64 end = align_up(addr + size, MIB(2)), at = align_down(addr, MIB(2));

	while (at < end) {
		bool giant = metal.use_1g && !(at & (GIB(1) - 1)) && end - at >= GIB(1);

		map(at, giant ? 2 : 1, P | W | NX | G);
		at += giant ? GIB(1) : MIB(2);
	}
}

static void map_image(void)
{
	u64 at = (u64)image_start;

	for (; at < (u64)text_end; at += PAGE_SIZE)
		map(at, 0, P | G);
	for (; at < (u64)rodata_end; at += PAGE_SIZE)
		map(at, 0, P | NX | G);
	for (; at < (u64)image_end; at += PAGE_SIZE)
		map(at, 0, P | W | NX | G);
	map((u64)boot_stack_guard, 0, 0);
}

void paging_enable(void)
{
	write_cr3((u64)metal.tables);
}

void paging_init(void)
{
	enum { ACPI_RECLAIM = 3, ACPI_NVS = 4 };
	const struct bootinfo *b = &metal.boot;
	u32 r[4];

	hw_cpuid(0x80000001, 0, r);
	metal.use_1g = r[3] >> 26 & 1;
	metal.tables = table_new();
	for (unsigned i = 0; i < b->nregions; i++)
		if (b->region[i].type == BOOT_RAM || b->region[i].type == ACPI_RECLAIM ||
		    b->region[i].type == ACPI_NVS)
			map_ram(b->region[i].addr, b->region[i].size);
	map_ram(0, MIB(2)); /* firmware's tables, the trampoline */
	map_image();
	map(0, 0, 0);
	paging_enable();
}

void paging_map_device(u64 pa, u64 size)
{
	for (u64 at = align_down(pa, PAGE_SIZE); at < pa + size; at += PAGE_SIZE) {
		map(at, 0, P | W | NX | PCD | PWT);
		invlpg(at);
	}
}

void paging_unmap_page(u64 pa)
{
	map(pa, 0, 0);
	invlpg(pa);
}

bool paging_is_mapped(u64 pa, u64 size)
{
	u64 end;

	if (add_overflow(pa, size, &end) || end >= BIT(47))
		return false;
	for (u64 at = align_down(pa, PAGE_SIZE); at < end; at += PAGE_SIZE)
		if (!lookup(at))
			return false;
	return true;
}

static u64 audit_table(const u64 *t, unsigned level, u64 *entries)
{
	u64 bad = 0;

	for (unsigned i = 0; i < 512; i++) {
		if (!(t[i] & P))
			continue;
		if (level && !(t[i] & PS)) {
			bad += audit_table((const u64 *)(t[i] & ADDR), level - 1, entries);
			continue;
		}
		++*entries;
		bad += t[i] & W && !(t[i] & NX);
	}
	return bad;
}

u64 paging_audit(u64 *entries)
{
	*entries = 0;
	return audit_table(metal.tables, 3, entries);
}

u64 paging_stack_alloc(void)
{
	u64 pages = STACK_SIZE / PAGE_SIZE + 1;
	u64 pa = pages_alloc(&metal.pages, pages, OWNER_HYPERVISOR);

	if (!pa)
		return 0;
	paging_unmap_page(pa);
	return pa + pages * PAGE_SIZE;
}
