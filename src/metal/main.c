/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * hull-metal's start, in order: console, what the loader says, memory, page
 * tables, ACPI, timers, virtualization, CPUs, guests. What is missing ends it
 * with one line.
 */
#include "metal/metal.h"

#include "base/bits.h"
#include "metal/apic.h"
#include "metal/clock.h"
#include "metal/console.h"
#include "metal/domain.h"
#include "metal/entropy.h"
#include "metal/paging.h"
#include "metal/power.h"
#include "metal/sched.h"
#include "metal/shell.h"
#include "metal/smp.h"
#include "metal/trap.h"

#include <string.h>

struct metal metal;

extern char image_start[], image_end[], boot_stack_end[];
void metal_main(u32 magic, u32 info);

#define MEMORY_LEAST MIB(24)

/* Before our own page tables: the first 4 GiB are there. */
static const u8 *early_at(void *opaque, u64 addr, u64 len)
{
	return addr && range_inside(addr, len, GIB(4)) ? (const u8 *)addr : NULL;
}

static const u8 *mapped_at(void *opaque, u64 addr, u64 len)
{
	return addr && paging_is_mapped(addr, len) ? (const u8 *)addr : NULL;
}

/* ---- memory ------------------------------------------------------------------------- */

/* Room for the table of owners: in RAM, clear of the image and of every module. */
static u64 place_table(u64 bytes)
{
	const struct bootinfo *b = &metal.boot;

	for (unsigned i = 0; i < b->nregions; i++) {
		const struct boot_region *r = &b->region[i];
		u64 at = align_up(max_u64(r->addr, (u64)image_end), PAGE_SIZE);
		u64 end = min_u64(r->addr + r->size, GIB(4));

		for (unsigned k = 0; r->type == BOOT_RAM && k < b->nmodules; k++) {
			const struct boot_module *m = &b->module[k];

			if (m->bad || at >= m->addr + m->size || m->addr >= at + bytes)
				continue;
			at = align_up(m->addr + m->size, PAGE_SIZE);
			k = ~0u; /* from the first again */
		}
		if (r->type == BOOT_RAM && at + bytes <= end)
			return at;
	}
	return 0;
}

static void memory_init(void)
{
	struct bootinfo *b = &metal.boot;
	u64 pages, table;

	for (unsigned i = 0; i < b->nregions; i++)
		if (b->region[i].type == BOOT_RAM)
			metal.memory_end =
				max_u64(metal.memory_end, b->region[i].addr + b->region[i].size);
	bootinfo_check(b, (u64)image_start, (u64)image_end, metal.memory_end);
	pages = metal.memory_end / PAGE_SIZE;
	table = place_table(pages);
	if (!table)
		metal_die("too little memory: no room for the table of pages");
	pages_init(&metal.pages, (u8 *)table, pages);
	for (unsigned i = 0; i < b->nregions; i++)
		if (b->region[i].type == BOOT_RAM)
			pages_assign(&metal.pages, b->region[i].addr, b->region[i].size,
				     OWNER_FREE);
	for (unsigned i = 0; i < b->nregions; i++)
		if (b->region[i].type != BOOT_RAM)
			pages_assign(&metal.pages, b->region[i].addr, b->region[i].size,
				     OWNER_NOBODY);
	for (unsigned i = 0; i < b->nmodules; i++)
		if (!b->module[i].bad)
			pages_assign(&metal.pages, b->module[i].addr, b->module[i].size,
				     OWNER_MODULES);
	pages_assign(&metal.pages, (u64)image_start, (u64)(image_end - image_start),
		     OWNER_HYPERVISOR);
	pages_assign(&metal.pages, table, pages, OWNER_HYPERVISOR);
	if (metal.pages.count[OWNER_FREE] * PAGE_SIZE < MEMORY_LEAST)
		metal_die("too little memory: %lu MiB free, %lu are needed",
			  (metal.pages.count[OWNER_FREE] >> 8), (MEMORY_LEAST >> 20));
}

static void modules_init(void)
{
	struct bootinfo *b = &metal.boot;
	unsigned given = b->nmodules;

	for (unsigned i = 0; i < given; i++) {
		struct boot_module *m = &b->module[i];

		if (m->bad)
			metal_log("module %s is left out: %s",
				  m->name[0] ? m->name : "without a name", m->bad);
		else if (m->size >= 6 && !memcmp(m->data, "070701", 6) && !m->name[0] &&
			 bootinfo_unpack(b, m) < 0)
			metal_log("the archive of modules is damaged or has more than %u files",
				  BOOT_MODULES_MAX);
	}
}

/* ---- CPUs ------------------------------------------------------------------------------- */

static void virtualization_init(void)
{
	const char *why = "";

	if (hv_probe(&metal.vt, &why))
		metal_die("this machine cannot run guests: %s", why);
}

static void enable_here(void *failed)
{
	*(int *)failed = hv_cpu_enable();
}

static void cpus_enable(void)
{
	for (unsigned i = 0; i < metal.ncpus; i++) {
		int failed = hv_cpu_prepare(&metal.hv_cpu[i], metal.vt);

		if (!failed)
			smp_call(i, enable_here, &failed);
		if (failed)
			metal_die("CPU %u: virtualization cannot be switched on (error %d)", i,
				  -failed);
	}
}

static void boot_cpu_init(void)
{
	struct cpu *c = &metal.cpu[0];
	u64 fault_stack;

	c->owner = OWNER_HYPERVISOR;
	c->deadline_ns = ~0ULL;
	fault_stack = paging_stack_alloc();
	if (!fault_stack)
		metal_die("too little memory for stacks");
	metal.ncpus = 1;
	cpu_setup(c, 0, 0, fault_stack);
	apic_init();
	c->apic_id = apic_id();
	c->online = true;
}

/* ---- guests --------------------------------------------------------------------------------- */

static void say(void *opaque, const char *line)
{
	metal_log("%s", line);
}

/* The command line's words; what we do not know is named and ignored. */
static void options_init(void)
{
	const char *p = metal.boot.cmdline;

	while (*p) {
		u64 n = 0;

		while (p[n] && p[n] != ' ')
			n++;
		if (n == 8 && !memcmp(p, "poweroff", 8))
			metal.off_when_done = true;
		else if (n)
			metal_log("there is no option %.*s", (int)min_u64(n, 60), p);
		p += n + (p[n] == ' ');
	}
}

static void guests_start(void)
{
	const struct boot_module *m = bootinfo_find(&metal.boot, "hull.conf");
	struct config *c = &domains.config;
	unsigned started = 0;

	if (!m || m->bad) {
		metal_log("there is no module hull.conf: no guests (docs/metal.md)");
		return;
	}
	config_parse((const char *)m->data, m->size, c, say, NULL);
	for (unsigned i = 0; i < c->nguests; i++) {
		if (c->guest[i].bad)
			metal_log("guest %s is left out: its configuration has an error",
				  c->guest[i].name);
		else if (c->guest[i].start)
			started += !domain_create(&c->guest[i]);
	}
	metal_log("%u of %u guests started", started, c->nguests);
}

void metal_main(u32 magic, u32 info)
{
	const struct boot_memory early = {early_at, NULL}, mapped = {mapped_at, NULL};
	u64 bad;

	console_init();
	this_cpu_early(&metal.cpu[0]);
	trap_init();
	trap_load();
	metal_log("hull-metal " HULL_VERSION);
	if (bootinfo_parse(magic, info, &early, &metal.boot))
		metal_die("started by neither PVH nor multiboot2");
	memory_init();
	paging_init();
	boot_cpu_init();
	metal_log("%s, %lu MiB of memory, %lu KiB of them ours", metal.boot.loader,
		  (metal.memory_end >> 20), metal.pages.count[OWNER_HYPERVISOR] * 4);
	options_init();
	modules_init();
	if (hostacpi_parse(&metal.boot, &mapped, &metal.acpi))
		metal_log("no ACPI tables: one CPU, no power off");
	if (metal.acpi.complaint)
		metal_log("ACPI: %s", metal.acpi.complaint);
	clock_init();
	entropy_init();
	virtualization_init();
	smp_start();
	cpus_enable();
	bad = paging_audit(&metal.audited);
	if (bad)
		metal_die("%lu pages are writable and executable", bad);
	metal_log("%u CPUs, %s, TSC %u kHz, %s; no page is writable and executable (%lu looked at)",
		  metal.ncpus, metal.vt->name, metal.tsc_khz, metal.x2apic ? "x2APIC" : "xAPIC",
		  metal.audited);
	guests_start();
	shell_prompt();
	sched_run();
}
