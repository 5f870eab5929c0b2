/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/rig.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rig rig;
u8 rig_ram[RIG_RAM] __attribute__((aligned(2097152)));
u8 rig_rom[4096] __attribute__((aligned(4096)));

/* ---- core/port.h ------------------------------------------------------------- */

void *port_page_alloc(unsigned order)
{
	size_t size = 4096UL << order;
	void *p = rig.page_limit && rig.pages >= rig.page_limit ? NULL : aligned_alloc(size, size);

	if (!p)
		return NULL;
	rig.pages++;
	return memset(p, 0, size);
}

void port_page_free(void *va, unsigned order)
{
	rig.pages -= va != NULL;
	free(va);
}

u64 port_pa(const void *va)
{
	return (u64)(uintptr_t)va;
}

void *port_va(u64 pa)
{
	return (void *)(uintptr_t)pa;
}

struct hv_cpu *port_cpu(void)
{
	return &rig.cpu;
}

void port_cpu_call(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	fn(arg);
}

bool port_guest_enter(struct hv_vcpu *v)
{
	/* A guest that never rests has a time slice, too. */
	return !rig.deny_enter && rig.turns++ % 200 != 199;
}

void port_guest_leave(struct hv_vcpu *v)
{
	rig.leaves++;
	if (rig.leaves & 1)
		hv_vcpu_fpu_put(v);
}

void port_kick(struct hv_vcpu *v)
{
	rig.kicks++;
	if (rig.on_kick)
		rig.on_kick();
	v->in_guest = false; /* as if it had left */
}

u64 port_wall_ns(void)
{
	return 1700000000123456789ULL;
}

u32 port_tsc_khz(void)
{
	return 2500000;
}

u64 port_steal_ns(struct hv_vcpu *v)
{
	return rig.steal;
}

void port_lock(struct port_lock *l)
{
	if (l->word[0]++)
		abort();
}

void port_unlock(struct port_lock *l)
{
	if (--l->word[0])
		abort();
}

/* ---- core/cpu/hw.h: a processor that has everything -------------------------------- */

u64 hw_tsc(void)
{
	return 1000000;
}

static void vendor(u32 out[4])
{
	static const char *const name[] = {"AuthcAMDenti", "GenuntelineI"};

	memcpy(&out[1], name[rig.intel], 12);
}

void hw_cpuid(u32 leaf, u32 sub, u32 out[4])
{
	memset(out, 0xff, 16);
	if (leaf == 0 || leaf == 0x80000000) {
		out[0] = leaf + 0x1f;
		vendor(out);
	} else if (leaf == 1 && rig.no_virt) {
		out[2] = 0;
	} else if (leaf == 0x80000001 && rig.no_virt) {
		out[2] = 0;
	} else if (leaf == 0x8000000a) {
		out[1] = 8; /* address-space tags */
	} else if (leaf == 0xd) {
		out[0] = sub == 2 ? 256 : sub == 5 ? 64 : 0xe7;
		out[1] = sub == 2 ? 576 : sub == 5 ? 1088 : 0xe7;
	}
}

bool hw_cpu_is_intel(void)
{
	return rig.intel;
}

static u64 *msr_at(u32 msr)
{
	return &rig.msr[(msr ^ msr >> 26) % ARRAY_LEN(rig.msr)];
}

u64 hw_rdmsr(u32 msr)
{
	if (msr >= 0x480 && msr <= 0x490) /* VMX capabilities: all may be 1, none must */
		return msr == MSR_VMX_BASIC ? 1 | BIT(55)
					    : 0xffffffff00000000 | (msr == 0x48c ? ~0U : 0);
	if (msr == MSR_FEATURE_CONTROL)
		return rig.no_virt ? 1 : 5;
	return *msr_at(msr);
}

void hw_wrmsr(u32 msr, u64 val)
{
	*msr_at(msr) = val;
}

u64 hw_cr_read(unsigned cr)
{
	return cr == 4 ? rig.cr4 : 0x80050033;
}

void hw_cr2_write(u64 val)
{
}

void hw_cr4_write(u64 val)
{
	rig.cr4 = val;
}

void hw_dr_load(const u64 dr[4])
{
}

void hw_dr_save(u64 dr[4])
{
	dr[0] = 0x1234;
}

u64 hw_dr6_read(void)
{
	return DR6_FIXED | 1;
}

void hw_dr6_write(u64 val)
{
}

void hw_fpu_enable(struct hv_cpu *c)
{
	c->host_xcr0 = 7;
}

void hw_fpu_load(struct hv_vcpu *v, struct hv_cpu *c)
{
	v->fpu_live = true;
}

void hw_fpu_save(struct hv_vcpu *v, struct hv_cpu *c)
{
	v->fpu_live = false;
}

void hw_fpu_sync(struct hv_vcpu *v, struct hv_cpu *c)
{
}

/* ---- the guest ---------------------------------------------------------------------- */

static const struct rig_step *next_step(void)
{
	static const struct rig_step halt = {.what = STEP_HLT, .len = 1};
	const struct rig_step *s = rig.at < rig.nsteps ? &rig.step[rig.at++] : &halt;

	if (s->also)
		s->also(&rig.v[0]);
	return s;
}

static struct rig_entry *new_entry(void)
{
	return &rig.entry[rig.nentries < RIG_STEPS ? rig.nentries++ : RIG_STEPS];
}

static void svm_npf(struct vmcb *c, const struct rig_step *s)
{
	c->exit_code = SVM_EXIT_NPF;
	c->info1 = (s->in ? 0 : PF_W) | PF_U | BIT(32);
	c->info2 = s->a;
	c->next_rip = 0;
}

static void svm_step(struct vmcb *c, const struct rig_step *s)
{
	c->exit_event = s->interrupted;
	c->next_rip = s->len ? c->rip + s->len : 0;
	switch (s->what) {
	case STEP_HLT:
		c->exit_code = 0x78;
		break;
	case STEP_CPUID:
		c->exit_code = 0x72;
		break;
	case STEP_IO:
		c->exit_code = SVM_EXIT_IOIO;
		c->info1 = s->a << 16 | s->b << 4 | (s->string ? 4 : 0) | s->in;
		c->info2 = c->rip + (s->len ? s->len : 1);
		break;
	case STEP_NPF:
		svm_npf(c, s);
		break;
	case STEP_MSR:
		c->exit_code = SVM_EXIT_MSR;
		c->info1 = !s->in;
		break;
	case STEP_WINDOW:
		c->exit_code = 0x64;
		break;
	case STEP_INTR:
		c->exit_code = 0x60;
		break;
	case STEP_EXC:
		c->exit_code = SVM_EXIT_EXC + s->a;
		c->info1 = s->b;
		break;
	case STEP_VMCALL:
		c->exit_code = 0x81;
		break;
	case STEP_CODE:
		c->exit_code = s->a;
		c->info1 = s->b;
		break;
	}
}

void svm_enter_asm(struct hv_vcpu *v, u64 vmcb_pa, u64 host_pa)
{
	struct vmcb *c = (struct vmcb *)(uintptr_t)vmcb_pa;

	do {
		*new_entry() = (struct rig_entry){.rip = c->rip,
						  .rflags = c->rflags,
						  .event = c->event,
						  .shadow = c->shadow,
						  .window = c->vintr & SVM_V_IRQ};
		c->shadow = 0;
		svm_step(c, next_step());
	} while (svm_again(v));
}

u64 vmx_read(u32 field)
{
	return rig.vmcs[field];
}

void vmx_write(u32 field, u64 val)
{
	rig.vmcs[field] = val;
}

int vmx_on(u64 pa)
{
	return 0;
}

void vmx_off(void)
{
}

int vmx_clear(u64 pa)
{
	return 0;
}

int vmx_ptrld(u64 pa)
{
	return 0;
}

void vmx_invept(u64 eptp)
{
	rig.invepts++;
}

void vmx_host_save(void)
{
}

void vmx_host_refresh(void)
{
}

void vmx_host_tables_save(struct vmx_host_tables *t)
{
}

void vmx_host_tables_restore(const struct vmx_host_tables *t)
{
}

void vmx_host_nmi(void)
{
}

static void vmx_step(u64 *m, const struct rig_step *s)
{
	static const u8 reason[] = {
		[STEP_HLT] = 12,   [STEP_CPUID] = 10, [STEP_IO] = 30, [STEP_NPF] = 48,
		[STEP_WINDOW] = 7, [STEP_INTR] = 1,   [STEP_EXC] = 0, [STEP_VMCALL] = 18};

	m[VMCS_IDT_EVENT] = s->interrupted;
	m[VMCS_INSN_LEN] = s->len;
	m[VMCS_REASON] = s->what == STEP_CODE ? s->a : reason[s->what];
	m[VMCS_QUAL] = s->b;
	if (s->what == STEP_IO)
		m[VMCS_QUAL] = (s->b - 1) | s->in << 3 | s->string << 4 | s->a << 16;
	if (s->what == STEP_NPF)
		m[VMCS_QUAL] = (s->in ? 1 : 2) | 0x180;
	if (s->what == STEP_MSR)
		m[VMCS_REASON] = s->in ? 31 : 32;
	m[VMCS_GPA] = s->a;
	m[VMCS_EXIT_EVENT] =
		s->a | 3 << 8 | VT_EVENT_VALID | (0x227d00 >> (s->a & 31) & 1 ? VT_EVENT_ERROR : 0);
	m[VMCS_EXIT_EVENT_ERROR] = s->b;
}

int vmx_enter_asm(u64 *gpr, bool launched)
{
	u64 *m = rig.vmcs;

	*new_entry() = (struct rig_entry){.rip = m[VMCS_GUEST_RIP],
					  .rflags = m[VMCS_GUEST_RFLAGS],
					  .event = m[VMCS_ENTRY_EVENT],
					  .shadow = m[VMCS_GUEST_SHADOW],
					  .window = m[VMCS_PROC] & PROC_IRQ_WINDOW};
	m[VMCS_GUEST_SHADOW] = 0;
	vmx_step(m, next_step());
	return 0;
}

/* ---- the bus ------------------------------------------------------------------------- */

static u64 seen(char kind, unsigned size, u64 addr, u64 val)
{
	if (rig.nlog < RIG_LOG)
		rig.log[rig.nlog++] = (struct rig_access){kind, size, addr, val};
	if (rig.defer)
		hv_vcpu_defer(&rig.v[0]);
	return val;
}

static u64 bus_mmio_read(void *opaque, u64 gpa, unsigned size)
{
	return seen('r', size, gpa, rig.read_value);
}

static void bus_mmio_write(void *opaque, u64 gpa, unsigned size, u64 val)
{
	seen('w', size, gpa, val);
}

static u32 bus_pio_read(void *opaque, u16 port, unsigned size)
{
	return (u32)seen('i', size, port, rig.read_value);
}

static void bus_pio_write(void *opaque, u16 port, unsigned size, u32 val)
{
	seen('o', size, port, val);
}

static int bus_msr_read(void *opaque, u32 msr, u64 *val)
{
	*val = 0xfee00900;
	return msr == 0x1b ? 0 : -E_NOENT;
}

static int bus_msr_write(void *opaque, u32 msr, u64 val)
{
	return msr == 0x1b ? 0 : -E_NOENT;
}

static int bus_irq_ack(void *opaque)
{
	hv_vcpu_irq(opaque, false);
	return rig.vector;
}

static u8 bus_cr8_read(void *opaque)
{
	return rig.cr8;
}

static void bus_cr8_write(void *opaque, u8 val)
{
	rig.cr8 = val;
}

static void bus_hypercall(void *opaque, u64 r[6])
{
	r[0] = r[1] + r[5];
}

/* ---- host callbacks ------------------------------------------------------------------- */

static int ops_frame(void *opaque, const struct hv_slot *s, u64 gpa, bool write, struct hv_frame *f)
{
	rig.frame_gpa = gpa;
	*f = (struct hv_frame){
		.pa = port_pa(rig_ram) + (gpa & (RIG_RAM - 1)), .size = 4096, .writable = true};
	return rig.frame_err;
}

static int ops_read(void *opaque, const struct hv_slot *s, u64 off, void *buf, size_t len)
{
	memcpy(buf, rig_ram + off, len);
	return rig.frame_err;
}

static int ops_write(void *opaque, const struct hv_slot *s, u64 off, const void *buf, size_t len)
{
	memcpy(rig_ram + off, buf, len);
	return rig.frame_err;
}

static bool ops_eoi_skippable(void *opaque, struct hv_vcpu *v)
{
	return true;
}

static void ops_eoi(void *opaque, struct hv_vcpu *v)
{
	rig.eois++;
}

static bool ops_ipi(void *opaque, u32 apic_id, u32 icr)
{
	rig.ipis++;
	return apic_id < 2;
}

static void ops_cpuid(void *opaque, struct hv_vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
	if (leaf == 0x4fffffff)
		out[0] = 77;
}

/* ---- life ------------------------------------------------------------------------------- */

static struct x86_seg flat(u16 sel, u32 attr)
{
	return (struct x86_seg){.sel = sel, .limit = 0xffffffff, .attr = attr};
}

static int start_flat(struct hv_vcpu *v)
{
	static struct x86_state s;
	int err = hv_vcpu_get(v, &s);

	s.cr0 = CR0_PE | CR0_ET;
	s.seg[X86_CS] = flat(8, 0xc09b);
	for (unsigned i = 0; i < X86_NSEGS; i++)
		if (i != X86_CS)
			s.seg[i] = flat(16, 0xc093);
	s.rip = 0x1000;
	s.gpr[X86_RSP] = 0x8000;
	return err ? err : hv_vcpu_set(v, &s);
}

static bool add_slots(void)
{
	struct hv_slot ram = {.id = 0, .size = RIG_RAM, .va = rig_ram, .pa = port_pa(rig_ram)};
	struct hv_slot rom = {.id = 1,
			      .gpa = RIG_ROM,
			      .size = 4096,
			      .va = rig_rom,
			      .pa = port_pa(rig_rom),
			      .flags = HV_SLOT_READONLY};

	return !hv_slot_set(&rig.vm, &ram) && !hv_slot_set(&rig.vm, &rom);
}

bool rig_init(const struct vt_ops *vt, unsigned n, enum hv_pv pv)
{
	struct vcpu_bus bus = {.mmio_read = bus_mmio_read,
			       .mmio_write = bus_mmio_write,
			       .pio_read = bus_pio_read,
			       .pio_write = bus_pio_write,
			       .msr_read = bus_msr_read,
			       .msr_write = bus_msr_write,
			       .irq_ack = bus_irq_ack,
			       .cr8_read = bus_cr8_read,
			       .cr8_write = bus_cr8_write,
			       .hypercall = bus_hypercall};
	struct hv_vm_config cfg = {.ops = &rig.ops, .pv = pv, .ncpus = n, .x2apic = true};

	memset(&rig, 0, sizeof(rig));
	memset(rig_ram, 0, sizeof(rig_ram));
	rig.vt = vt;
	rig.intel = vt == &vmx_ops;
	rig.read_value = 0x8877665544332211;
	rig.vector = 0x40;
	rig.ops = (struct hv_vm_ops){.frame = ops_frame,
				     .read = ops_read,
				     .write = ops_write,
				     .eoi_skippable = ops_eoi_skippable,
				     .eoi = ops_eoi,
				     .ipi = ops_ipi,
				     .cpuid = ops_cpuid};
	if (hv_cpu_prepare(&rig.cpu, vt) || hv_cpu_enable() || hv_vm_init(&rig.vm, vt, &cfg) ||
	    !add_slots())
		return false;
	for (unsigned i = 0; i < n; i++) {
		bus.opaque = &rig.v[i];
		if (hv_vcpu_init(&rig.v[i], &rig.vm, i, &bus))
			return false;
	}
	return !start_flat(&rig.v[0]);
}

void rig_fini(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(rig.v); i++)
		if (rig.v[i].vm)
			hv_vcpu_fini(&rig.v[i]);
	hv_vm_fini(&rig.vm);
	hv_cpu_disable();
	hv_cpu_release(&rig.cpu);
}

struct rig_step *rig_step(int what, u64 a, u64 b)
{
	struct rig_step *s = &rig.step[rig.nsteps++];

	*s = (struct rig_step){.what = what, .a = a, .b = b};
	return s;
}

void rig_code(const void *bytes, size_t n)
{
	memcpy(rig_ram + rig.v[0].rip, bytes, n);
}

enum hv_exit_kind rig_run(struct hv_exit *e)
{
	hv_vcpu_run(&rig.v[0], e);
	return e->kind;
}

enum emul_result rig_emulate(void)
{
	rig.v[0].deferred = false;
	return hv_emulate(&rig.v[0]);
}

/* ---- nested page tables -------------------------------------------------------------- */

/* AMD APM vol. 2, 15.25.5 and Intel SDM vol. 3C, table 29-1. */
static u32 entry_prot(const struct npt *t, u64 e)
{
	if (t->fmt == &npt_format_ept)
		return (u32)(e & NPT_RWX) | (e >> 3 & 6 ? 0 : NPT_UNCACHED);
	return NPT_READ | (e & 2 ? NPT_WRITE : 0) | (e >> 63 ? 0 : NPT_EXEC) |
	       (e & 16 ? NPT_UNCACHED : 0);
}

bool npt_lookup(const struct npt *t, u64 gpa, struct npt_walk *w)
{
	const u64 *table = t->root;

	if (gpa >> (12 + 9 * t->levels))
		return false;
	for (unsigned shift = 12 + 9 * (t->levels - 1);; shift -= 9) {
		u64 e = table[gpa >> shift & 511];

		if (!e)
			return false;
		if (shift == 12 || (shift <= 30 && (e & 128))) {
			w->size = BIT(shift);
			w->pa = (e & BITS(12, 51) & ~(w->size - 1)) | (gpa & (w->size - 1));
			w->prot = entry_prot(t, e);
			return true;
		}
		table = port_va(e & BITS(12, 51));
	}
}
