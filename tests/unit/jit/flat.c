/* SPDX-License-Identifier: Apache-2.0 */
#include "flat.h"

#include <cpuid.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/jit/native_area.h"

static struct flat *flat_of(struct x86_vcpu *c)
{
	return c->bus.opaque;
}

/* ---- what cpu.h promises, in its simplest form ------------------------------------ */

int x86_linear(struct x86_vcpu *c, enum x86_segreg seg, u64 off, unsigned n, enum x86_access a,
	       u64 *linear)
{
	bool ok;

	(void)a;
	if (c->code_mode == X86_MODE_64) {
		*linear = off + (seg >= X86_FS ? c->seg_base[seg] : 0);
		ok = (u64)((s64)(*linear << 16) >> 16) == *linear;
	} else {
		*linear = (u32)(off + c->seg_base[seg]);
		ok = off + n - 1 <= c->seg[seg].limit;
	}
	return ok ? 0 : x86_raise_err(c, seg == X86_SS ? X86_SS_EXC : X86_GP, 0);
}

static int page_fault(struct x86_vcpu *c, u64 linear, bool present, bool write)
{
	c->cr2 = linear;
	return x86_raise_err(c, X86_PF, (u32)present | (u32)write << 1);
}

/* Kind of the page at linear, or -1 and #PF. */
static int page_at(struct x86_vcpu *c, u64 linear, bool write)
{
	struct flat *f = flat_of(c);
	u8 kind;

	if (linear >= FLAT_RAM)
		return page_fault(c, linear, false, write);
	kind = f->page[linear >> 12];
	if (kind == FLAT_NONE || (write && kind == FLAT_RO))
		return page_fault(c, linear, kind != FLAT_NONE, write);
	return kind;
}

static void tlb_enter(struct x86_vcpu *c, u64 linear, bool write)
{
	struct x86_tlb *t = &c->tlb[c->mmu];
	struct x86_tlb_entry *e = write ? t->wr : t->rd;
	unsigned i = (linear >> 12) & (c->tlb_mask[c->mmu] / 16);

	e[i].page = linear & ~0xfffULL;
	e[i].add = (u64)(uintptr_t)flat_of(c)->ram;
}

static int access_part(struct x86_vcpu *c, u64 linear, u8 *buf, unsigned n, bool write)
{
	struct flat *f = flat_of(c);
	int kind = page_at(c, linear, write);

	if (kind < 0)
		return -1;
	x86_fpu_park(c); /* libc below */
	if (kind == FLAT_MMIO) {
		memcpy(write ? (u8 *)&f->mmio_val : buf, write ? buf : (u8 *)&f->mmio_val,
		       n < 8 ? n : 8);
		*(write ? &f->mmio_writes : &f->mmio_reads) += 1;
		return 0;
	}
	memcpy(write ? f->ram + linear : buf, write ? buf : f->ram + linear, n);
	tlb_enter(c, linear, write);
	return 0;
}

static int access(struct x86_vcpu *c, u64 linear, u8 *buf, unsigned n, bool write)
{
	unsigned first = 4096 - (linear & 4095);

	if (first >= n)
		return access_part(c, linear, buf, n, write);
	if (page_at(c, linear, write) < 0 || page_at(c, linear + first, write) < 0)
		return -1;
	access_part(c, linear, buf, first, write);
	return access_part(c, linear + first, buf + first, n - first, write);
}

int x86_read(struct x86_vcpu *c, u64 linear, void *buf, unsigned n)
{
	return access(c, linear, buf, n, false);
}

int x86_write(struct x86_vcpu *c, u64 linear, const void *buf, unsigned n)
{
	return access(c, linear, (u8 *)buf, n, true);
}

int x86_read_sys(struct x86_vcpu *c, u64 linear, void *buf, unsigned n)
{
	return x86_read(c, linear, buf, n);
}

int x86_rmw_ptr(struct x86_vcpu *c, u64 linear, unsigned n, void **host)
{
	unsigned first = 4096 - (linear & 4095);
	int kind = page_at(c, linear, true);

	*host = NULL;
	if (kind < 0 || (first < n && page_at(c, linear + first, true) < 0))
		return -1;
	if (first >= n && kind == FLAT_RW)
		*host = flat_of(c)->ram + linear;
	return 0;
}

int x86_tlb_fill(struct x86_vcpu *c, u64 linear, enum x86_access a, void **host)
{
	int kind = page_at(c, linear, a == X86_WRITE);

	if (kind < 0)
		return -1;
	*host = kind == FLAT_MMIO ? NULL : flat_of(c)->ram + linear;
	if (*host)
		tlb_enter(c, linear, a == X86_WRITE);
	return 0;
}

void x86_tlb_protect(struct x86_vm *vm, u64 gpa)
{
	for (unsigned n = 0; n < vm->ncpus; n++)
		for (unsigned m = 0; m < X86_MMU_COUNT; m++)
			for (unsigned i = 0; i < X86_TLB_MIN; i++)
				if (vm->vcpu[n]->tlb[m].wr[i].page == gpa)
					vm->vcpu[n]->tlb[m].wr[i].page = x86_tlb_empty(i);
}

int x86_fetch_page(struct x86_vcpu *c, u64 linear, u64 *gpa, const u8 **host)
{
	int kind = page_at(c, linear, false);

	if (kind < 0)
		return -1;
	*gpa = linear & ~0xfffULL;
	*host = kind == FLAT_MMIO ? NULL : flat_of(c)->ram + *gpa;
	return 0;
}

int x86_exec_system(struct x86_vcpu *c, const struct x86_insn *in)
{
	if (in->map == X86_MAP_1B && in->opcode == 0xf4) {
		flat_of(c)->stop = true;
		c->kick |= X86_KICK_EXIT; /* jit_run looks at that */
		c->rip += in->len;
		return 0;
	}
	return x86_exec_fpu_state(c, in);
}

void x86_set_pkru(struct x86_vcpu *c, u32 v)
{
	c->pkru = v;
}

/* The host's, remembered: CPUID is slow in a virtual machine. */
void x86_cpuid(const struct x86_vcpu *c, u32 leaf, u32 sub, u32 out[4])
{
	static struct {
		bool known;
		u32 leaf, sub, out[4];
	} cache[64], *e;

	(void)c;
	e = &cache[(leaf ^ leaf >> 24 ^ sub << 3) & 63];
	if (!e->known || e->leaf != leaf || e->sub != sub) {
		__cpuid_count(leaf, sub, e->out[0], e->out[1], e->out[2], e->out[3]);
		e->leaf = leaf;
		e->sub = sub;
		e->known = true;
	}
	for (unsigned i = 0; i < 4; i++)
		out[i] = e->out[i];
}

/* ---- the machine --------------------------------------------------------------------- */

static void tlb_empty(struct x86_vcpu *c)
{
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		c->tlb_mask[m] = (X86_TLB_MIN - 1) * 16;
		for (unsigned i = 0; i < X86_TLB_MIN; i++) {
			c->tlb[m].rd[i].page = x86_tlb_empty(i);
			c->tlb[m].wr[i].page = x86_tlb_empty(i);
		}
	}
	c->tlb_gen++;
}

static u64 host_xcr0(void)
{
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (lo | (u64)hi << 32) & 0xe7;
}

static void vcpu_init(struct flat *f)
{
	struct x86_vcpu *c = f->c;

	c->self = c;
	c->vm = f->vm;
	c->bus.opaque = f;
	c->rflags = RF_FIXED;
	c->cr0 = 0x80000031; /* PG NE ET PE */
	c->cr4 = 0x40600;    /* OSXSAVE OSXMMEXCPT OSFXSR */
	c->xcr0 = f->vm->xcr0_host;
	c->xsave[24] = 0x80; /* MXCSR 1f80 */
	c->xsave[25] = 0x1f;
	tlb_empty(c);
	flat_mode(f, X86_MODE_64);
}

static struct flat *flat_make(struct x86_vm *vm, u8 *ram)
{
	struct flat *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->ram = ram;
	f->vm = vm;
	vm->ncpus++;
	f->c = mmap(NULL, sizeof(*f->c), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (f->c == MAP_FAILED || native_area_create(f->c) < 0 || native_signals_install() < 0)
		return NULL;
	vcpu_init(f);
	return f;
}

struct flat *flat_create(void)
{
	struct x86_vm *vm = calloc(1, sizeof(*vm));
	/* No access just before and after it: what reaches out of RAM does not go unnoticed. */
	u8 *ram = mmap(NULL, FLAT_RAM + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!vm || ram == MAP_FAILED)
		return NULL;
	ram = mmap(ram + 4096, FLAT_RAM, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (ram == MAP_FAILED)
		return NULL;
	vm->xcr0_host = host_xcr0();
	return flat_make(vm, ram);
}

struct flat *flat_clone(struct flat *f)
{
	struct flat *g = flat_make(f->vm, f->ram);

	if (g)
		memcpy(g->page, f->page, sizeof(g->page));
	return g;
}

void flat_destroy(struct flat *f)
{
	x86_fpu_park(f->c);
	native_area_destroy(f->c);
	munmap(f->c, sizeof(*f->c));
	if (!--f->vm->ncpus) {
		munmap(f->ram - 4096, FLAT_RAM + 8192);
		free(f->vm);
	}
	free(f);
}

void flat_mode(struct flat *f, enum x86_mode mode)
{
	struct x86_vcpu *c = f->c;

	c->code_mode = (u8)mode;
	c->mode_key = (u32)mode | (mode != X86_MODE_16 ? X86_KEY_FLAT | X86_KEY_SS32 : 0);
	if (c->xcr0 & 4)
		c->mode_key |= X86_KEY_AVX;
	if ((c->xcr0 & 0xe0) == 0xe0)
		c->mode_key |= X86_KEY_AVX512;
	for (unsigned i = 0; i < X86_NSEGS; i++)
		c->seg[i].limit = mode == X86_MODE_16 ? 0xffff : 0xffffffff;
	c->tlb_gen++;
}

void flat_set_page(struct flat *f, u64 linear, enum flat_page p)
{
	f->page[linear >> 12] = (u8)p;
	tlb_empty(f->c);
}

void flat_load(struct flat *f, const void *code, size_t size)
{
	memcpy(f->ram + FLAT_CODE, code, size);
	f->c->rip = FLAT_CODE;
	f->c->gpr[X86_RSP] = FLAT_STACK;
	f->stop = false;
}

int flat_run(struct flat *f, u64 max)
{
	f->stop = false;
	f->c->kick &= ~(u32)X86_KICK_EXIT;
	f->c->exc.pending = false;
	for (u64 i = 0; i < max; i++) {
		if (x86_interp_step(f->c) < 0)
			return -1;
		if (f->stop)
			return 0;
	}
	return 1;
}
