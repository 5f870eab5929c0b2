// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* A vCPU's registers, MSRs, CPUID in the structures of KVM's ioctls. */
#include "kmod/kmod.h"

#include <linux/slab.h>
#include <linux/vmalloc.h>

/* ---- general registers ------------------------------------------------------------------ */

/* kvm_regs' order of the sixteen, in numbers of the instruction set. */
static const u8 reg_order[16] = {X86_RAX, X86_RBX, X86_RCX, X86_RDX, X86_RSI, X86_RDI,
				 X86_RSP, X86_RBP, X86_R8,  X86_R9,  X86_R10, X86_R11,
				 X86_R12, X86_R13, X86_R14, X86_R15};

static void regs_get(struct kmod_vcpu *v, struct kvm_regs *k)
{
	u64 *out = &k->rax;

	for (unsigned i = 0; i < 16; i++)
		out[i] = v->hv.gpr[reg_order[i]];
	k->rip = v->hv.rip;
	k->rflags = v->hv.rflags;
}

static void regs_set(struct kmod_vcpu *v, const struct kvm_regs *k)
{
	const u64 *in = &k->rax;

	BUILD_BUG_ON(offsetof(struct kvm_regs, rip) != 16 * sizeof(u64));
	if (k->rip != v->hv.rip)
		kmod_finish(v);
	for (unsigned i = 0; i < 16; i++)
		v->hv.gpr[reg_order[i]] = in[i];
	v->hv.rip = k->rip;
	v->hv.rflags = k->rflags | 2;
	v->hv.dirty |= HV_G_GPR;
}

/* ---- segments, control registers ------------------------------------------------------------ */

static struct kvm_segment seg_get(const struct x86_seg *s)
{
	u32 a = s->attr;

	return (struct kvm_segment){.base = s->base,
				    .limit = s->limit,
				    .selector = s->sel,
				    .type = a & 15,
				    .s = a >> 4 & 1,
				    .dpl = a >> 5 & 3,
				    .present = a >> 7 & 1,
				    .avl = a >> 12 & 1,
				    .l = a >> 13 & 1,
				    .db = a >> 14 & 1,
				    .g = a >> 15 & 1,
				    .unusable = !!(a & X86_SEG_UNUSABLE)};
}

static struct x86_seg seg_set(const struct kvm_segment *k)
{
	return (struct x86_seg){.base = k->base,
				.limit = k->limit,
				.sel = k->selector,
				.attr = (k->type & 15) | (k->s & 1) << 4 | (k->dpl & 3) << 5 |
					(k->present & 1) << 7 | (k->avl & 1) << 12 |
					(k->l & 1) << 13 | (k->db & 1) << 14 | (k->g & 1) << 15 |
					(k->unusable || !k->present ? X86_SEG_UNUSABLE : 0)};
}

/* In x86_state's order: ES CS SS DS FS GS. */
static struct kvm_segment *seg_of(struct kvm_sregs *k, unsigned n)
{
	struct kvm_segment *const at[X86_NSEGS] = {&k->es, &k->cs, &k->ss, &k->ds, &k->fs, &k->gs};

	return at[n];
}

static void sregs_get(struct kmod_vcpu *v, struct kvm_sregs *k)
{
	struct x86_state *s = &v->st;

	hv_vcpu_get(&v->hv, s);
	memset(k, 0, sizeof(*k));
	for (unsigned i = 0; i < X86_NSEGS; i++)
		*seg_of(k, i) = seg_get(&s->seg[i]);
	k->ldt = seg_get(&s->ldtr);
	k->tr = seg_get(&s->tr);
	k->gdt.base = s->gdtr.base;
	k->gdt.limit = s->gdtr.limit;
	k->idt.base = s->idtr.base;
	k->idt.limit = s->idtr.limit;
	k->cr0 = s->cr0;
	k->cr2 = s->cr2;
	k->cr3 = s->cr3;
	k->cr4 = s->cr4;
	k->cr8 = s->cr8;
	k->efer = s->efer;
	k->apic_base = s->apic_base;
	if (v->hv.event.valid && v->hv.event.kind == VT_EVENT_IRQ)
		__set_bit(v->hv.event.vector, (unsigned long *)k->interrupt_bitmap);
}

/* What hv_vcpu_set shall leave alone, besides what was just got. */
static int state_set(struct kmod_vcpu *v)
{
	v->st.nmsrs = 0;
	v->st.xsave_size = 0;
	v->st.tsc = 0;
	return hv_vcpu_set(&v->hv, &v->st);
}

/* Combinations no processor has (SDM vol. 3A 2.5, 4.1; AMD APM vol. 2 15.5.1). */
static bool sregs_valid(const struct kvm_sregs *k)
{
	const u64 pg = 1ULL << 31, pe = 1, pae = 1 << 5, lme = 1 << 8, lma = 1 << 10;

	if (k->cr0 >> 32 || (k->cr0 & pg && !(k->cr0 & pe)) || k->cr8 & ~15ULL)
		return false;
	if ((k->cr0 & (1 << 29)) && !(k->cr0 & (1 << 30)))
		return false; /* NW without CD */
	if (k->efer & lme && k->cr0 & pg)
		return k->cr4 & pae && k->efer & lma && !(k->cr3 >> 52);
	return !(k->efer & lma) && !k->cs.l;
}

static int sregs_set(struct kmod_vcpu *v, struct kvm_sregs *k)
{
	struct x86_state *s = &v->st;
	int err;

	if (!sregs_valid(k) || kmod_cr4_bad(v, k->cr4))
		return -EINVAL;
	if (!v->vm->chip)
		v->apic_base = k->apic_base;
	else if (chip_apic_base_set(v->vm->chip, v->hv.index, k->apic_base))
		return -EINVAL;
	kmod_finish(v);
	hv_vcpu_get(&v->hv, s);
	for (unsigned i = 0; i < X86_NSEGS; i++)
		s->seg[i] = seg_set(seg_of(k, i));
	s->ldtr = seg_set(&k->ldt);
	s->tr = seg_set(&k->tr);
	s->gdtr = (struct x86_dtr){.base = k->gdt.base, .limit = k->gdt.limit};
	s->idtr = (struct x86_dtr){.base = k->idt.base, .limit = k->idt.limit};
	s->cr0 = k->cr0;
	s->cr2 = k->cr2;
	s->cr3 = k->cr3;
	s->cr4 = k->cr4;
	s->cr8 = k->cr8;
	s->efer = k->efer;
	err = state_set(v);
	for (unsigned i = 0; !err && i < 256; i++)
		if (test_bit(i, (unsigned long *)k->interrupt_bitmap))
			hv_vcpu_queue_irq(&v->hv, i);
	return err;
}

/* ---- vector registers -------------------------------------------------------------------------
 */

/* Legacy region of the XSAVE area (SDM vol. 1, 10.5.1). */
struct legacy {
	u16 fcw, fsw;
	u8 ftw, zero;
	u16 fop;
	u64 ip, dp;
	u32 mxcsr, mask;
	u8 st[8][16], xmm[16][16];
};

static void fpu_get(struct kmod_vcpu *v, struct kvm_fpu *k)
{
	const struct legacy *l = (const void *)v->st.xsave;

	hv_vcpu_get(&v->hv, &v->st);
	*k = (struct kvm_fpu){.fcw = l->fcw,
			      .fsw = l->fsw,
			      .ftwx = l->ftw,
			      .last_opcode = l->fop,
			      .last_ip = l->ip,
			      .last_dp = l->dp,
			      .mxcsr = l->mxcsr};
	memcpy(k->fpr, l->st, sizeof(k->fpr));
	memcpy(k->xmm, l->xmm, sizeof(k->xmm));
}

static int fpu_set(struct kmod_vcpu *v, const struct kvm_fpu *k)
{
	struct legacy *l = (void *)v->st.xsave;

	hv_vcpu_get(&v->hv, &v->st);
	*l = (struct legacy){.fcw = k->fcw,
			     .fsw = k->fsw,
			     .ftw = k->ftwx,
			     .fop = k->last_opcode,
			     .ip = k->last_ip,
			     .dp = k->last_dp,
			     .mxcsr = k->mxcsr};
	memcpy(l->st, k->fpr, sizeof(k->fpr));
	memcpy(l->xmm, k->xmm, sizeof(k->xmm));
	v->st.xsave[512] |= 3;
	v->st.nmsrs = 0;
	v->st.tsc = 0;
	return hv_vcpu_set(&v->hv, &v->st);
}

static int xsave_set(struct kmod_vcpu *v, const struct kvm_xsave *k)
{
	hv_vcpu_get(&v->hv, &v->st);
	memcpy(v->st.xsave, k->region, sizeof(v->st.xsave));
	v->st.nmsrs = 0;
	v->st.tsc = 0;
	return hv_vcpu_set(&v->hv, &v->st);
}

static void xcrs_get(struct kmod_vcpu *v, struct kvm_xcrs *k)
{
	memset(k, 0, sizeof(*k));
	k->nr_xcrs = 1;
	k->xcrs[0].value = v->hv.xcr0;
}

static int xcrs_set(struct kmod_vcpu *v, const struct kvm_xcrs *k)
{
	if (k->nr_xcrs > KVM_MAX_XCRS || k->flags)
		return -EINVAL;
	hv_vcpu_get(&v->hv, &v->st);
	for (u32 i = 0; i < k->nr_xcrs; i++)
		if (!k->xcrs[i].xcr)
			v->st.xcr0 = k->xcrs[i].value;
	return state_set(v);
}

/* ---- events, debug registers, run state
 * ----------------------------------------------------------- */

static void debugregs_get(struct kmod_vcpu *v, struct kvm_debugregs *k)
{
	hv_vcpu_get(&v->hv, &v->st);
	*k = (struct kvm_debugregs){.dr6 = v->st.dr6, .dr7 = v->st.dr7};
	memcpy(k->db, v->st.dr, sizeof(k->db));
}

static int debugregs_set(struct kmod_vcpu *v, const struct kvm_debugregs *k)
{
	if (k->flags || k->dr6 >> 32 || k->dr7 >> 32)
		return -EINVAL;
	hv_vcpu_get(&v->hv, &v->st);
	memcpy(v->st.dr, k->db, sizeof(k->db));
	v->st.dr6 = k->dr6;
	v->st.dr7 = k->dr7;
	return state_set(v);
}

static void events_get(struct kmod_vcpu *v, struct kvm_vcpu_events *k)
{
	const struct x86_state *s = &v->st;

	hv_vcpu_get(&v->hv, &v->st);
	memset(k, 0, sizeof(*k));
	k->exception.injected = s->exc_pending;
	k->exception.nr = s->exc_vector;
	k->exception.has_error_code = s->exc_has_error;
	k->exception.error_code = s->exc_error;
	k->interrupt.injected = v->hv.event.valid && v->hv.event.kind == VT_EVENT_IRQ;
	k->interrupt.nr = k->interrupt.injected ? v->hv.event.vector : 0;
	k->interrupt.shadow = (s->sti_shadow ? KVM_X86_SHADOW_INT_STI : 0) |
			      (s->movss_shadow ? KVM_X86_SHADOW_INT_MOV_SS : 0);
	k->nmi.pending = s->nmi_pending;
	k->nmi.masked = s->nmi_masked;
	k->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
}

static int events_set(struct kmod_vcpu *v, const struct kvm_vcpu_events *k)
{
	struct x86_state *s = &v->st;
	const u32 known = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
			  KVM_VCPUEVENT_VALID_SHADOW;
	int err;

	if (k->flags & ~known || (k->exception.injected && k->exception.nr > 31))
		return -EINVAL;
	hv_vcpu_get(&v->hv, s);
	s->exc_pending = k->exception.injected;
	s->exc_vector = k->exception.nr;
	s->exc_has_error = k->exception.has_error_code;
	s->exc_error = k->exception.error_code;
	if (k->flags & KVM_VCPUEVENT_VALID_NMI_PENDING)
		s->nmi_pending = k->nmi.pending;
	s->nmi_masked = k->nmi.masked;
	if (k->flags & KVM_VCPUEVENT_VALID_SHADOW) {
		s->sti_shadow = k->interrupt.shadow & KVM_X86_SHADOW_INT_STI;
		s->movss_shadow = k->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS;
	}
	err = state_set(v);
	if (!err && k->interrupt.injected)
		hv_vcpu_queue_irq(&v->hv, k->interrupt.nr);
	return err;
}

static int mp_get(struct kmod_vcpu *v, struct kvm_mp_state *k)
{
	static const u32 names[] = {[X86_MP_RUNNING] = KVM_MP_STATE_RUNNABLE,
				    [X86_MP_HALTED] = KVM_MP_STATE_HALTED,
				    [X86_MP_WAIT_SIPI] = KVM_MP_STATE_UNINITIALIZED};

	k->mp_state = names[v->hv.mp];
	return 0;
}

static int mp_set(struct kmod_vcpu *v, const struct kvm_mp_state *k)
{
	hv_vcpu_get(&v->hv, &v->st);
	switch (k->mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		v->st.mp_state = X86_MP_RUNNING;
		break;
	case KVM_MP_STATE_HALTED:
		v->st.mp_state = X86_MP_HALTED;
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
		if (!v->vm->chip)
			return -EINVAL;
		v->st.mp_state = X86_MP_WAIT_SIPI;
		break;
	default:
		return -EINVAL;
	}
	return state_set(v);
}

/* ---- MSRs
 * ------------------------------------------------------------------------------------------ */

int kmod_msr_list(struct kvm_msr_list __user *u)
{
	u32 n = hv_msr_count(), room;

	if (get_user(room, &u->nmsrs) || put_user(n, &u->nmsrs))
		return -EFAULT;
	if (room < n)
		return -E2BIG;
	for (u32 i = 0; i < n; i++)
		if (put_user(hv_msr_index(i), &u->indices[i]))
			return -EFAULT;
	return 0;
}

/* Machine-check control and banks: this guest has none, and user space sets them nevertheless. */
static bool mce_msr(u32 msr)
{
	return msr == 0x17b || (msr >= 0x400 && msr < 0x480);
}

static int msr_one(struct kmod_vcpu *v, struct kvm_msr_entry *e, bool set)
{
	if (set && e->index == 0x1b && v->vm->chip)
		return chip_apic_base_set(v->vm->chip, v->hv.index, e->data);
	if (mce_msr(e->index)) {
		e->data = set ? e->data : 0;
		return 0;
	}
	return set ? hv_msr_write(&v->hv, e->index, e->data, true)
		   : hv_msr_read(&v->hv, e->index, &e->data);
}

/* How many were done before the first that could not be. */
static long msrs(struct kmod_vcpu *v, struct kvm_msrs __user *u, bool set)
{
	struct kvm_msr_entry e;
	u32 n, i;

	if (get_user(n, &u->nmsrs))
		return -EFAULT;
	if (n > 1024)
		return -E2BIG;
	for (i = 0; i < n; i++) {
		if (copy_from_user(&e, &u->entries[i], sizeof(e)))
			return -EFAULT;
		if (msr_one(v, &e, set))
			break;
		if (!set && copy_to_user(&u->entries[i], &e, sizeof(e)))
			return -EFAULT;
	}
	return i;
}

/* ---- CPUID
 * ------------------------------------------------------------------------------------------- */

static int cpuid_put(struct kvm_cpuid2 __user *u, const struct hv_cpuid *e, u32 n)
{
	struct kvm_cpuid_entry2 k;
	u32 room;

	if (get_user(room, &u->nent))
		return -EFAULT;
	if (put_user(n, &u->nent))
		return -EFAULT;
	if (room < n)
		return -E2BIG;
	for (u32 i = 0; i < n; i++) {
		k = (struct kvm_cpuid_entry2){
			.function = e[i].leaf,
			.index = e[i].sub,
			.flags = e[i].indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			.eax = e[i].out[0],
			.ebx = e[i].out[1],
			.ecx = e[i].out[2],
			.edx = e[i].out[3]};
		if (copy_to_user(&u->entries[i], &k, sizeof(k)))
			return -EFAULT;
	}
	return 0;
}

int kmod_cpuid_supported(struct kvm_cpuid2 __user *u)
{
	const struct hv_vm_config cfg = {.pv = HV_PV_KVM, .ncpus = 1, .x2apic = true};
	struct hv_cpuid *e = kcalloc(HV_MAX_CPUID, sizeof(*e), GFP_KERNEL);
	unsigned n;
	int err;

	if (!e)
		return -ENOMEM;
	n = hv_cpuid_supported(&cfg, e, HV_MAX_CPUID);
	for (unsigned i = 0; i < n; i++) { /* the timing leaf is user space's to add */
		if (e[i].leaf == 0x40000000)
			e[i].out[0] = 0x40000001;
		if (e[i].leaf == 0x40000010)
			e[i--] = e[--n];
	}
	err = cpuid_put(u, e, n);
	kfree(e);
	return err;
}

static int cpuid_read(struct hv_cpuid *e, const struct kvm_cpuid2 __user *u, u32 n)
{
	struct kvm_cpuid_entry2 k;

	for (u32 i = 0; i < n; i++) {
		if (copy_from_user(&k, &u->entries[i], sizeof(k)))
			return -EFAULT;
		e[i] = (struct hv_cpuid){.leaf = k.function,
					 .sub = k.index,
					 .indexed = k.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
					 .out = {k.eax, k.ebx, k.ecx, k.edx}};
	}
	return 0;
}

/* vCPU 0's also tells the core what the guest has. A vCPU that has run keeps what it has. */
static int cpuid_set(struct kmod_vcpu *v, const struct kvm_cpuid2 __user *u)
{
	struct hv_cpuid *e;
	int err;
	u32 n;

	if (get_user(n, &u->nent))
		return -EFAULT;
	if (n > KMOD_CPUID)
		return -E2BIG;
	e = kcalloc(KMOD_CPUID, sizeof(*e), GFP_KERNEL_ACCOUNT);
	if (!e)
		return -ENOMEM;
	err = cpuid_read(e, u, n);
	if (!err && v->ran)
		err = n == v->ncpuid && !memcmp(e, v->cpuid, n * sizeof(*e)) ? 0 : -EINVAL;
	if (!err) {
		memcpy(v->cpuid, e, sizeof(v->cpuid));
		v->ncpuid = n;
		err = v->hv.index ? 0 : hv_cpuid_set(&v->vm->hv, v->cpuid, n);
	}
	kfree(e);
	return err;
}

/* The vCPU's own table; what changes while it runs is the core's to say. */
void kmod_cpuid(void *opaque, struct hv_vcpu *hv, u32 leaf, u32 sub, u32 out[4])
{
	struct kmod_vcpu *v = kmod_vcpu_of(hv);
	const u32 osxsave = 1u << 27;
	u32 core[4];

	if (!v->ncpuid)
		return;
	memcpy(core, out, sizeof(core));
	memset(out, 0, sizeof(core));
	for (unsigned i = 0; i < v->ncpuid; i++) {
		const struct hv_cpuid *e = &v->cpuid[i];

		if (e->leaf != leaf || (e->indexed && e->sub != sub))
			continue;
		memcpy(out, e->out, sizeof(core));
		break;
	}
	if (leaf == 1)
		out[2] = (out[2] & ~osxsave) | (core[2] & osxsave);
	if (leaf == 0xd && sub < 2)
		out[1] = core[1];
}

/* As the guest sees it now. */
static long cpuid_get(struct kmod_vcpu *v, struct kvm_cpuid2 __user *u)
{
	u32 now[4];

	for (unsigned i = 0; i < v->ncpuid; i++) {
		hv_cpuid(&v->hv, v->cpuid[i].leaf, v->cpuid[i].sub, now);
		memcpy(v->cpuid[i].out, now, sizeof(now));
	}
	return cpuid_put(u, v->cpuid, v->ncpuid);
}

/* CR4 bits of features the guest was not given (SDM vol. 3A 2.5). */
bool kmod_cr4_bad(struct kmod_vcpu *v, u64 cr4)
{
	static const struct {
		u8 bit, reg, feature;
		u32 leaf;
	} needs[] = {{17, 2, 17, 1}, {18, 2, 26, 1}, {11, 2, 2, 7}, {16, 1, 0, 7},
		     {20, 1, 7, 7},  {21, 1, 20, 7}, {22, 2, 3, 7}};
	u32 out[4];

	if (cr4 & ~0x7f0fffULL) /* neither reserved ones, nor LA57, VMXE, SMXE */
		return true;
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++) {
		if (!(cr4 >> needs[i].bit & 1))
			continue;
		hv_cpuid(&v->hv, needs[i].leaf, 0, out);
		if (!(out[needs[i].reg] >> needs[i].feature & 1))
			return true;
	}
	return false;
}

/* ---- registers in struct kvm_run (api.rst, KVM_CAP_SYNC_REGS)
 * ------------------------------------------- */

void kmod_sync_to_run(struct kmod_vcpu *v)
{
	u64 want = READ_ONCE(v->run->kvm_valid_regs);

	if (want & KVM_SYNC_X86_REGS)
		regs_get(v, &v->run->s.regs.regs);
	if (want & KVM_SYNC_X86_SREGS)
		sregs_get(v, &v->run->s.regs.sregs);
	if (want & KVM_SYNC_X86_EVENTS)
		events_get(v, &v->run->s.regs.events);
}

int kmod_sync_from_run(struct kmod_vcpu *v)
{
	u64 dirty = READ_ONCE(v->run->kvm_dirty_regs);
	struct kvm_sync_regs *s = &v->sync; /* a copy: user space can write the page meanwhile */
	int err = 0;

	if ((dirty | READ_ONCE(v->run->kvm_valid_regs)) & ~(u64)KVM_SYNC_X86_VALID_FIELDS)
		return -EINVAL;
	if (!dirty)
		return 0;
	*s = v->run->s.regs;
	v->run->kvm_dirty_regs = 0;
	if (dirty & KVM_SYNC_X86_REGS)
		regs_set(v, &s->regs);
	if (dirty & KVM_SYNC_X86_SREGS)
		err = sregs_set(v, &s->sregs);
	if (!err && dirty & KVM_SYNC_X86_EVENTS)
		err = events_set(v, &s->events);
	return err;
}

/* ---- ioctls
 * ------------------------------------------------------------------------------------------------
 */

union regs_arg {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
};

static long regs_read(struct kmod_vcpu *v, unsigned cmd, union regs_arg *a)
{
	switch (cmd) {
	case KVM_GET_REGS:
		regs_get(v, &a->regs);
		return sizeof(a->regs);
	case KVM_GET_SREGS:
		sregs_get(v, &a->sregs);
		return sizeof(a->sregs);
	case KVM_GET_FPU:
		fpu_get(v, &a->fpu);
		return sizeof(a->fpu);
	case KVM_GET_XSAVE:
	case KVM_GET_XSAVE2:
		hv_vcpu_get(&v->hv, &v->st);
		memcpy(a->xsave.region, v->st.xsave, sizeof(a->xsave.region));
		return sizeof(a->xsave);
	case KVM_GET_XCRS:
		xcrs_get(v, &a->xcrs);
		return sizeof(a->xcrs);
	case KVM_GET_DEBUGREGS:
		debugregs_get(v, &a->debugregs);
		return sizeof(a->debugregs);
	case KVM_GET_VCPU_EVENTS:
		events_get(v, &a->events);
		return sizeof(a->events);
	case KVM_GET_MP_STATE:
		mp_get(v, &a->mp);
		return sizeof(a->mp);
	default:
		return -ENOTTY;
	}
}

static long regs_write(struct kmod_vcpu *v, unsigned cmd, union regs_arg *a)
{
	if (cmd == KVM_SET_REGS) {
		regs_set(v, &a->regs);
		return 0;
	}
	kmod_finish(v);
	switch (cmd) {
	case KVM_SET_SREGS:
		return sregs_set(v, &a->sregs);
	case KVM_SET_FPU:
		return fpu_set(v, &a->fpu);
	case KVM_SET_XSAVE:
		return xsave_set(v, &a->xsave);
	case KVM_SET_XCRS:
		return xcrs_set(v, &a->xcrs);
	case KVM_SET_DEBUGREGS:
		return debugregs_set(v, &a->debugregs);
	case KVM_SET_VCPU_EVENTS:
		return events_set(v, &a->events);
	case KVM_SET_MP_STATE:
		return mp_set(v, &a->mp);
	default:
		return -ENOTTY;
	}
}

/* Registers by value: what the command's size says is copied in or out. */
static long regs_by_value(struct kmod_vcpu *v, unsigned cmd, void __user *u)
{
	size_t size = _IOC_SIZE(cmd);
	union regs_arg *a;
	long ret;

	if (size > sizeof(*a))
		return -ENOTTY;
	a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	if (!a)
		return -ENOMEM;
	if (_IOC_DIR(cmd) == _IOC_READ) {
		ret = regs_read(v, cmd, a);
		if (ret > 0)
			ret = copy_to_user(u, a, ret) ? -EFAULT : 0;
	} else {
		ret = copy_from_user(a, u, size) ? -EFAULT : regs_write(v, cmd, a);
	}
	kfree(a);
	return ret;
}

long kmod_regs_ioctl(struct kmod_vcpu *v, unsigned cmd, unsigned long arg)
{
	void __user *u = (void __user *)arg;

	switch (cmd) {
	case KVM_GET_MSRS:
	case KVM_SET_MSRS:
		return msrs(v, u, cmd == KVM_SET_MSRS);
	case KVM_SET_CPUID2:
		return cpuid_set(v, u);
	case KVM_GET_CPUID2:
		return cpuid_get(v, u);
	default:
		return regs_by_value(v, cmd, u);
	}
}
