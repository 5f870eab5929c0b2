/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU's state to and from struct x86_state. While it does not run. With a
 * user irqchip the local APIC's state (CR8, APIC base) is the machine's and
 * stays out; with KVM's it stays in the kernel.
 */
#include "engine/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/bits.h"
#include "base/endian.h"

#define MSR_TSC 0x10u
#define RFLAGS_FIXED 2u
#define XSAVE_BV 512u /* offset of XSTATE_BV, SDM vol. 1 section 13.4.2 */

/*
 * The MSRs of a state: those a Linux or Windows kernel sets and an engine must
 * keep. SDM vol. 4 table 2-2; AMD APM vol. 2 appendix A; KVM's own.
 */
static const u32 wanted_msrs[] = {
	0x174,	    0x175,	0x176, /* SYSENTER */
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102, 0xc0000103, 0x277, /* PAT */
	0x2ff,	    0x250,	0x258,	    0x259,	0x268,	    0x269,	0x26a,
	0x26b,	    0x26c,	0x26d,	    0x26e,	0x26f, /* MTRR */
	0x200,	    0x201,	0x202,	    0x203,	0x204,	    0x205,	0x206,
	0x207,	    0x208,	0x209,	    0x20a,	0x20b,	    0x20c,	0x20d,
	0x20e,	    0x20f,	0x1a0,	    0x48,	0x17a,	    0x17b,	0x3b,
	0x1d9,	    0xda0, /* XSS */
	0xe1,		   /* UMWAIT */
	0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03, 0x4b564d04, 0x4b564d05, 0x4b564d06,
	0x4b564d07,
};
static_assert(ARRAY_LEN(wanted_msrs) <= X86_STATE_MSRS, "state has room");

/* One MSR as the ioctls want it: a head and an array of one. */
union msr_one {
	struct kvm_msrs head;
	u8 room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

static int msr_get(int fd, u32 index, u64 *val)
{
	union msr_one m = {.room = {0}};

	m.head.nmsrs = 1;
	m.head.entries[0].index = index;
	if (ioctl(fd, KVM_GET_MSRS, &m) != 1)
		return -E_NOENT;
	*val = m.head.entries[0].data;
	return 0;
}

static int msr_set(int fd, u32 index, u64 val)
{
	union msr_one m = {.room = {0}};

	m.head.nmsrs = 1;
	m.head.entries[0].index = index;
	m.head.entries[0].data = val;
	return ioctl(fd, KVM_SET_MSRS, &m) == 1 ? 0 : -E_NOENT;
}

/* KVM's list leaves out MTRRs, so each is tried. What it offers the guest besides its clock needs
 * its local APIC. */
int kvm_msrs_init(struct engine_vm *vm, int fd)
{
	u64 val;

	for (unsigned i = 0; i < ARRAY_LEN(wanted_msrs); i++) {
		bool of_apic = wanted_msrs[i] > 0x4b564d01 && wanted_msrs[i] >> 16 == 0x4b56;

		if (!(of_apic && vm->user_irqchip) && !msr_get(fd, wanted_msrs[i], &val))
			vm->msr[vm->nmsrs++] = wanted_msrs[i];
	}
	return vm->nmsrs ? 0 : -E_NOTSUP;
}

void kvm_tsc_update(struct engine_vcpu *v)
{
	u64 before = __builtin_ia32_rdtsc(), tsc;

	if (!msr_get(v->fd, MSR_TSC, &tsc))
		atomic_store(&v->tsc_offset,
			     tsc - (before + (__builtin_ia32_rdtsc() - before) / 2));
}

static void tsc_freeze(struct engine_vcpu *v, bool frozen)
{
	if (frozen) {
		if (msr_get(v->fd, MSR_TSC, &v->tsc_frozen))
			v->tsc_frozen = 0;
	} else if (v->tsc_frozen) {
		msr_set(v->fd, MSR_TSC, v->tsc_frozen);
	}
	kvm_tsc_update(v);
}

/* KVM's clock goes with the TSCs; a guest's watchdogs are told of the gap. */
void kvm_vm_freeze(struct engine_vm *vm, bool frozen)
{
	if (frozen == atomic_load(&vm->frozen))
		return;
	if (frozen && ioctl(vm->fd, KVM_GET_CLOCK, &vm->clock))
		vm->clock.clock = 0;
	for (unsigned i = 0; i < vm->ncpus; i++)
		if (vm->vcpu[i])
			tsc_freeze(vm->vcpu[i], frozen);
	atomic_store(&vm->frozen, frozen);
	if (frozen || !vm->clock.clock)
		return;
	vm->clock.flags = 0;
	ioctl(vm->fd, KVM_SET_CLOCK, &vm->clock);
	for (unsigned i = 0; i < vm->ncpus; i++)
		if (vm->vcpu[i])
			ioctl(vm->vcpu[i]->fd, KVM_KVMCLOCK_CTRL);
}

/* ---- segments ---------------------------------------------------------------------------- */

static struct x86_seg seg_from_kvm(const struct kvm_segment *k)
{
	return (struct x86_seg){
		.base = k->base,
		.limit = k->limit,
		.sel = k->selector,
		.attr = (u32)(k->type | k->s << 4 | k->dpl << 5 | k->present << 7 | k->avl << 12 |
			      k->l << 13 | k->db << 14 | k->g << 15) |
			(k->unusable ? X86_SEG_UNUSABLE : 0),
	};
}

static struct kvm_segment seg_to_kvm(const struct x86_seg *s)
{
	return (struct kvm_segment){
		.base = s->base,
		.limit = s->limit,
		.selector = s->sel,
		.type = s->attr & 15,
		.s = s->attr >> 4 & 1,
		.dpl = s->attr >> 5 & 3,
		.present = s->attr >> 7 & 1,
		.avl = s->attr >> 12 & 1,
		.l = s->attr >> 13 & 1,
		.db = s->attr >> 14 & 1,
		.g = s->attr >> 15 & 1,
		.unusable = !!(s->attr & X86_SEG_UNUSABLE),
	};
}

static struct x86_dtr dtr_from_kvm(const struct kvm_dtable *k)
{
	return (struct x86_dtr){.base = k->base, .limit = k->limit};
}

static struct kvm_dtable dtr_to_kvm(const struct x86_dtr *d)
{
	return (struct kvm_dtable){.base = d->base, .limit = d->limit};
}

/* ---- general registers --------------------------------------------------------------------- */

static int get_regs(struct engine_vcpu *v, struct x86_state *s)
{
	struct kvm_regs r;

	if (ioctl(v->fd, KVM_GET_REGS, &r))
		return -errno;
	memcpy(s->gpr,
	       (u64[16]){r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10,
			 r.r11, r.r12, r.r13, r.r14, r.r15},
	       sizeof(s->gpr));
	s->rip = r.rip;
	s->rflags = r.rflags;
	return 0;
}

static int set_regs(struct engine_vcpu *v, const struct x86_state *s)
{
	const u64 *g = s->gpr;
	struct kvm_regs r = {
		.rax = g[X86_RAX],
		.rcx = g[X86_RCX],
		.rdx = g[X86_RDX],
		.rbx = g[X86_RBX],
		.rsp = g[X86_RSP],
		.rbp = g[X86_RBP],
		.rsi = g[X86_RSI],
		.rdi = g[X86_RDI],
		.r8 = g[8],
		.r9 = g[9],
		.r10 = g[10],
		.r11 = g[11],
		.r12 = g[12],
		.r13 = g[13],
		.r14 = g[14],
		.r15 = g[15],
		.rip = s->rip,
		.rflags = s->rflags | RFLAGS_FIXED,
	};

	return ioctl(v->fd, KVM_SET_REGS, &r) ? -errno : 0;
}

static int get_sregs(struct engine_vcpu *v, struct x86_state *s)
{
	struct kvm_sregs k;

	if (ioctl(v->fd, KVM_GET_SREGS, &k))
		return -errno;
	s->seg[X86_ES] = seg_from_kvm(&k.es);
	s->seg[X86_CS] = seg_from_kvm(&k.cs);
	s->seg[X86_SS] = seg_from_kvm(&k.ss);
	s->seg[X86_DS] = seg_from_kvm(&k.ds);
	s->seg[X86_FS] = seg_from_kvm(&k.fs);
	s->seg[X86_GS] = seg_from_kvm(&k.gs);
	s->ldtr = seg_from_kvm(&k.ldt);
	s->tr = seg_from_kvm(&k.tr);
	s->gdtr = dtr_from_kvm(&k.gdt);
	s->idtr = dtr_from_kvm(&k.idt);
	s->cr0 = k.cr0;
	s->cr2 = k.cr2;
	s->cr3 = k.cr3;
	s->cr4 = k.cr4;
	s->cr8 = v->vm->user_irqchip ? 0 : k.cr8;
	s->efer = k.efer;
	s->apic_base = k.apic_base;
	return 0;
}

static int set_sregs(struct engine_vcpu *v, const struct x86_state *s)
{
	struct kvm_sregs k;

	if (ioctl(v->fd, KVM_GET_SREGS, &k))
		return -errno;
	k.es = seg_to_kvm(&s->seg[X86_ES]);
	k.cs = seg_to_kvm(&s->seg[X86_CS]);
	k.ss = seg_to_kvm(&s->seg[X86_SS]);
	k.ds = seg_to_kvm(&s->seg[X86_DS]);
	k.fs = seg_to_kvm(&s->seg[X86_FS]);
	k.gs = seg_to_kvm(&s->seg[X86_GS]);
	k.ldt = seg_to_kvm(&s->ldtr);
	k.tr = seg_to_kvm(&s->tr);
	k.gdt = dtr_to_kvm(&s->gdtr);
	k.idt = dtr_to_kvm(&s->idtr);
	k.cr0 = s->cr0;
	k.cr2 = s->cr2;
	k.cr3 = s->cr3;
	k.cr4 = s->cr4;
	k.efer = s->efer;
	if (!v->vm->user_irqchip) {
		k.cr8 = s->cr8;
		k.apic_base = s->apic_base;
	}
	memset(k.interrupt_bitmap, 0, sizeof(k.interrupt_bitmap));
	return ioctl(v->fd, KVM_SET_SREGS, &k) ? -errno : 0;
}

static int get_debugregs(struct engine_vcpu *v, struct x86_state *s)
{
	struct kvm_debugregs d;

	if (ioctl(v->fd, KVM_GET_DEBUGREGS, &d))
		return -errno;
	for (unsigned i = 0; i < 4; i++)
		s->dr[i] = d.db[i];
	s->dr6 = d.dr6;
	s->dr7 = d.dr7;
	return 0;
}

static int set_debugregs(struct engine_vcpu *v, const struct x86_state *s)
{
	struct kvm_debugregs d = {.dr6 = s->dr6, .dr7 = s->dr7};

	for (unsigned i = 0; i < 4; i++)
		d.db[i] = s->dr[i];
	return ioctl(v->fd, KVM_SET_DEBUGREGS, &d) ? -errno : 0;
}

/* ---- FPU and vectors --------------------------------------------------------------------------
 */

static int get_xsave(struct engine_vcpu *v, struct x86_state *s)
{
	struct kvm_xsave x;
	struct kvm_xcrs c;

	if (ioctl(v->fd, KVM_GET_XSAVE, &x))
		return -errno;
	s->xsave_size = v->vm->xsave_size;
	memcpy(s->xsave, x.region, min_u64(s->xsave_size, sizeof(s->xsave)));
	s->xcr0 = 1;
	if (!ioctl(v->fd, KVM_GET_XCRS, &c))
		for (u32 i = 0; i < c.nr_xcrs; i++)
			if (c.xcrs[i].xcr == 0)
				s->xcr0 = c.xcrs[i].value;
	return 0;
}

static int set_xcr0(struct engine_vcpu *v, u64 xcr0)
{
	struct kvm_xcrs c = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = xcr0}}};

	/* A CPU without XSAVE has no XCR0; 1 is its only meaning. */
	if (ioctl(v->fd, KVM_SET_XCRS, &c) && xcr0 != 1)
		return -errno;
	return 0;
}

static int set_xsave(struct engine_vcpu *v, const struct x86_state *s)
{
	struct kvm_xsave x = {{0}};
	u8 *area = (u8 *)x.region;
	int ret = set_xcr0(v, s->xcr0 ? s->xcr0 : 1);

	if (ret)
		return ret;
	memcpy(area, s->xsave, min_u64(s->xsave_size, sizeof(x.region)));
	/* x87 and SSE are always there; the rest only as far as this host has it. */
	store_le64(area + XSAVE_BV, load_le64(area + XSAVE_BV) & (v->vm->xcr0 | 3));
	memset(area + XSAVE_BV + 8, 0, 56);
	store_le32(area + 24, load_le32(area + 24) & 0xffff);
	return ioctl(v->fd, KVM_SET_XSAVE, &x) ? -errno : 0;
}

/* ---- MSRs and time ------------------------------------------------------------------------------
 */

static void get_msrs(struct engine_vcpu *v, struct x86_state *s)
{
	s->nmsrs = 0;
	for (unsigned i = 0; i < v->vm->nmsrs; i++) {
		u64 val;

		if (msr_get(v->fd, v->vm->msr[i], &val))
			continue;
		s->msr[s->nmsrs].index = v->vm->msr[i];
		s->msr[s->nmsrs++].value = val;
	}
	if (msr_get(v->fd, MSR_TSC, &s->tsc))
		s->tsc = 0;
	kvm_tsc_update(v);
}

static bool msr_known(const struct engine_vm *vm, u32 index)
{
	for (unsigned i = 0; i < vm->nmsrs; i++)
		if (vm->msr[i] == index)
			return true;
	return false;
}

/* MSRs of another engine's CPU that this one lacks are passed over: nothing here reads them. */
static int set_msrs(struct engine_vcpu *v, const struct x86_state *s)
{
	for (u32 i = 0; i < s->nmsrs; i++)
		if (msr_known(v->vm, s->msr[i].index) &&
		    msr_set(v->fd, s->msr[i].index, s->msr[i].value)) {
			u64 now;

			if (msr_get(v->fd, s->msr[i].index, &now) || now != s->msr[i].value)
				return -E_INVAL;
		}
	msr_set(v->fd, MSR_TSC, s->tsc);
	kvm_tsc_update(v);
	return 0;
}

/* ---- events
 * ---------------------------------------------------------------------------------------- */

static enum x86_mp_state get_mp(struct engine_vcpu *v)
{
	struct kvm_mp_state m = {0};

	if (v->vm->user_irqchip)
		return v->wait_sipi ? X86_MP_WAIT_SIPI : v->halted ? X86_MP_HALTED : X86_MP_RUNNING;
	if (ioctl(v->fd, KVM_GET_MP_STATE, &m))
		return X86_MP_RUNNING;
	switch (m.mp_state) {
	case KVM_MP_STATE_HALTED:
		return X86_MP_HALTED;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
		return X86_MP_WAIT_SIPI;
	default:
		return X86_MP_RUNNING;
	}
}

static int set_mp(struct engine_vcpu *v, enum x86_mp_state state)
{
	static const u32 kvm[] = {
		[X86_MP_RUNNING] = KVM_MP_STATE_RUNNABLE,
		[X86_MP_HALTED] = KVM_MP_STATE_HALTED,
		[X86_MP_WAIT_SIPI] = KVM_MP_STATE_UNINITIALIZED,
	};
	struct kvm_mp_state m = {.mp_state = kvm[state]};

	v->halted = v->wait_sipi = false;
	if (v->vm->user_irqchip) {
		v->halted = state == X86_MP_HALTED;
		v->wait_sipi = state == X86_MP_WAIT_SIPI;
		return 0;
	}
	return ioctl(v->fd, KVM_SET_MP_STATE, &m) ? -errno : 0;
}

/*
 * An external interrupt that was acknowledged but not yet delivered travels as
 * a pending exception with its vector: what remains to do is the same.
 */
static int get_events(struct engine_vcpu *v, struct x86_state *s)
{
	struct kvm_vcpu_events e;

	if (ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e))
		return -errno;
	s->nmi_pending =
		e.nmi.pending || e.nmi.injected || atomic_load(&v->pending) & KVM_PENDING_NMI;
	s->nmi_masked = e.nmi.masked;
	s->sti_shadow = e.interrupt.shadow & KVM_X86_SHADOW_INT_STI;
	s->movss_shadow = e.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS;
	if (e.exception.injected || e.exception.pending) {
		s->exc_pending = true;
		s->exc_vector = e.exception.nr;
		s->exc_has_error = e.exception.has_error_code;
		s->exc_error = e.exception.error_code;
	} else if (e.interrupt.injected) {
		s->exc_pending = true;
		s->exc_vector = e.interrupt.nr;
	}
	s->mp_state = get_mp(v);
	return 0;
}

static int set_events(struct engine_vcpu *v, const struct x86_state *s)
{
	struct kvm_vcpu_events e = {
		.nmi = {.pending = s->nmi_pending, .masked = s->nmi_masked},
		.interrupt.shadow = (s->sti_shadow ? KVM_X86_SHADOW_INT_STI : 0) |
				    (s->movss_shadow ? KVM_X86_SHADOW_INT_MOV_SS : 0),
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
	};

	if (s->exc_pending && s->exc_vector >= 32) {
		e.interrupt.injected = 1;
		e.interrupt.nr = s->exc_vector;
	} else if (s->exc_pending) {
		e.exception.injected = 1;
		e.exception.nr = s->exc_vector;
		e.exception.has_error_code = s->exc_has_error;
		e.exception.error_code = s->exc_error;
	}
	if (ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e))
		return -errno;
	return set_mp(v, s->mp_state);
}

/* ---- all of it
 * --------------------------------------------------------------------------------------- */

int kvm_get_state(struct engine_vcpu *v, struct x86_state *s)
{
	int ret;

	memset(s, 0, sizeof(*s));
	ret = get_regs(v, s);
	if (!ret)
		ret = get_sregs(v, s);
	if (!ret)
		ret = get_debugregs(v, s);
	if (!ret)
		ret = get_xsave(v, s);
	if (!ret)
		ret = get_events(v, s);
	if (!ret)
		get_msrs(v, s);
	return ret;
}

int kvm_set_state(struct engine_vcpu *v, const struct x86_state *s)
{
	int ret;

	if (s->nmsrs > X86_STATE_MSRS || s->xsave_size > X86_XSAVE_MAX ||
	    s->mp_state > X86_MP_WAIT_SIPI)
		return -E_INVAL;
	if (s->xcr0 & ~v->vm->xcr0 & ~1ULL)
		return -E_NOTSUP; /* the guest uses registers that this host's KVM does not offer */
	ret = set_sregs(v, s);
	if (!ret)
		ret = set_regs(v, s);
	if (!ret)
		ret = set_debugregs(v, s);
	if (!ret)
		ret = set_xsave(v, s);
	if (!ret)
		ret = set_msrs(v, s);
	if (!ret)
		ret = set_events(v, s);
	/* What KVM_RUN would have told: lets an interrupt in at once. */
	v->run->if_flag = s->rflags >> 9 & 1;
	v->run->ready_for_interrupt_injection =
		!s->exc_pending && !s->sti_shadow && !s->movss_shadow;
	return ret;
}
