/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * KVM's paravirtual interface (pv_kvm.h): clock, steal time, EOI without an exit,
 * IPIs to many in one call, waking a halted spinner, TLB flushes left to vCPUs
 * that do not run. Guest-physical addresses the guest gave are used through
 * hv_read/hv_write only; a bad one costs the guest its service.
 */
#include "core/pv_kvm.h"
#include "core/hv_internal.h"
#include "core/cpu/hw.h"

enum { ENABLE = 1 };

static bool shown(const struct hv_vcpu *v)
{
	return v->vm->cfg.pv == HV_PV_KVM;
}

/* ---- clock ---------------------------------------------------------------------- */

/* All vCPUs share one TSC, so one stamp, at guest TSC 0, does for ever. */
void hv_pv_clock_update(struct hv_vcpu *v)
{
	struct pvclock_time p = {.flags = PVCLOCK_STABLE, .system_ns = (u64)v->vm->clock_offset};
	u64 gpa = v->pv.clock & ~(u64)ENABLE;
	u32 version = 0;

	if (!(v->pv.clock & ENABLE) || hv_read(v->vm, gpa, &version, 4))
		return;
	pvclock_scale(port_tsc_khz(), &p.mul, &p.shift);
	p.tsc = v->tsc_base + v->tsc_adjust;
	p.version = (version | 1) + 2; /* odd while it changes */
	if (hv_write(v->vm, gpa, &p, sizeof(p)))
		return;
	version = p.version + 1;
	hv_write(v->vm, gpa, &version, 4);
}

static void wall_write(struct hv_vcpu *v, u64 gpa)
{
	u64 ns = v->vm->boot_wall_ns - (u64)v->vm->clock_offset;
	struct pvclock_wall w = {.version = 2};

	w.sec = (u32)(ns / 1000000000);
	w.nsec = (u32)(ns % 1000000000);
	hv_write(v->vm, gpa, &w, sizeof(w));
}

/* ---- steal time -------------------------------------------------------------------- */

static u64 steal_gpa(const struct hv_vcpu *v)
{
	return v->pv.steal & ~63ULL;
}

static u8 take_preempted(struct hv_vcpu *v)
{
	u64 gpa = steal_gpa(v) + offsetof(struct pv_kvm_steal, preempted);
	struct hv_slot s;
	u8 was = 0;

	if (hv_slot_find(v->vm, gpa, &s) && s.va)
		return __atomic_exchange_n(s.va + (gpa - s.gpa), 0, __ATOMIC_SEQ_CST);
	/* Not in one step: whoever asks after the write sends an IPI, so flush in any case. */
	if (hv_write(v->vm, gpa, &was, 1))
		return 0;
	return PV_KVM_FLUSH_TLB;
}

static void steal_update(struct hv_vcpu *v)
{
	u64 now = port_steal_ns(v), gpa = steal_gpa(v), steal = 0;
	u32 version = 0, next;

	if (now == v->pv.steal_seen ||
	    hv_read(v->vm, gpa + offsetof(struct pv_kvm_steal, version), &version, 4) ||
	    hv_read(v->vm, gpa, &steal, 8))
		return;
	steal += now - v->pv.steal_seen;
	v->pv.steal_seen = now;
	next = (version | 1) + 2;
	hv_write(v->vm, gpa + offsetof(struct pv_kvm_steal, version), &next, 4);
	hv_write(v->vm, gpa, &steal, 8);
	next++;
	hv_write(v->vm, gpa + offsetof(struct pv_kvm_steal, version), &next, 4);
}

void hv_pv_resume(struct hv_vcpu *v)
{
	if (!(v->pv.steal & ENABLE))
		return;
	steal_update(v);
	if (take_preempted(v) & PV_KVM_FLUSH_TLB)
		atomic_fetch_or(&v->request, HV_REQ_FLUSH);
}

void hv_pv_pause(struct hv_vcpu *v)
{
	u8 preempted = PV_KVM_PREEMPTED;

	if (v->pv.steal & ENABLE)
		hv_write(v->vm, steal_gpa(v) + offsetof(struct pv_kvm_steal, preempted), &preempted,
			 1);
}

/* ---- EOI ------------------------------------------------------------------------------ */

void hv_pv_eoi_arm(struct hv_vcpu *v)
{
	const struct hv_vm_config *cfg = &v->vm->cfg;
	u32 one = 1;

	if (!(v->pv.eoi & ENABLE) || !cfg->ops->eoi_skippable ||
	    !cfg->ops->eoi_skippable(cfg->opaque, v))
		return;
	v->pv.eoi_armed = !hv_write(v->vm, v->pv.eoi & ~3ULL, &one, 4);
}

void hv_pv_eoi_collect(struct hv_vcpu *v)
{
	const struct hv_vm_config *cfg = &v->vm->cfg;
	u64 gpa = v->pv.eoi & ~3ULL;
	u32 word = 1, zero = 0;

	if (!v->pv.eoi_armed)
		return;
	v->pv.eoi_armed = false;
	if (hv_read(v->vm, gpa, &word, 4) || !(word & 1))
		cfg->ops->eoi(cfg->opaque, v);
	else
		hv_write(v->vm, gpa, &zero, 4);
}

/* ---- MSRs -------------------------------------------------------------------------------- */

/* Only what CPUID shows this guest is there. */
static bool has_feature(struct hv_vcpu *v, u32 feature)
{
	return hv_cpuid_has(v->vm, 0x40000001, 0, 0, (unsigned)__builtin_ctz(feature));
}

static u64 *slot_of(struct hv_vcpu *v, u32 msr)
{
	switch (msr) {
	case PV_KVM_MSR_WALL_OLD:
	case PV_KVM_MSR_WALL:
		return &v->pv.wall;
	case PV_KVM_MSR_TIME_OLD:
	case PV_KVM_MSR_TIME:
		return &v->pv.clock;
	case PV_KVM_MSR_ASYNC:
		return &v->pv.async;
	case PV_KVM_MSR_STEAL:
		return &v->pv.steal;
	case PV_KVM_MSR_EOI:
		return &v->pv.eoi;
	case PV_KVM_MSR_POLL:
		return &v->pv.poll;
	default:
		return NULL;
	}
}

bool hv_pv_msr_hidden(struct hv_vcpu *v, u32 msr)
{
	static const u32 needs[] = {PV_KVM_CLOCKSOURCE2, PV_KVM_CLOCKSOURCE2, PV_KVM_ASYNC_PF,
				    PV_KVM_STEAL_TIME,	 PV_KVM_EOI,	      PV_KVM_POLL_CONTROL};

	if (msr == PV_KVM_MSR_WALL_OLD || msr == PV_KVM_MSR_TIME_OLD)
		return !has_feature(v, PV_KVM_CLOCKSOURCE);
	return msr - PV_KVM_MSR_WALL < ARRAY_LEN(needs) &&
	       !has_feature(v, needs[msr - PV_KVM_MSR_WALL]);
}

int hv_pv_msr_read(struct hv_vcpu *v, u32 msr, u64 *val)
{
	u64 *slot = shown(v) ? slot_of(v, msr) : NULL;

	if (!slot)
		return 1;
	*val = *slot;
	return 0;
}

int hv_pv_msr_write(struct hv_vcpu *v, u32 msr, u64 val, bool by_host)
{
	u64 *slot = shown(v) ? slot_of(v, msr) : NULL;

	if (!slot)
		return 1;
	if (slot == &v->pv.async && (val & ENABLE))
		return -E_NOENT;
	*slot = val;
	if (slot == &v->pv.clock)
		hv_pv_clock_update(v);
	else if (slot == &v->pv.wall && val && !by_host)
		wall_write(v, val & ~3ULL);
	else if (slot == &v->pv.steal)
		v->pv.steal_seen = port_steal_ns(v);
	else if (slot == &v->pv.eoi)
		v->pv.eoi_armed = false;
	return 0;
}

/* ---- hypercalls ------------------------------------------------------------------------------ */

static u64 send_ipi(struct hv_vcpu *v, const u64 a[4])
{
	const struct hv_vm_config *cfg = &v->vm->cfg;
	u64 sent = 0;

	if (!cfg->ops->ipi)
		return (u64)-PV_KVM_ENOSYS;
	for (unsigned w = 0; w < 2; w++)
		for (u64 bits = a[w]; bits; bits &= bits - 1)
			sent += cfg->ops->ipi(cfg->opaque,
					      (u32)a[2] + w * 64 + (u32)__builtin_ctzll(bits),
					      (u32)a[3]);
	return sent;
}

static u64 kick_cpu(struct hv_vcpu *v, u64 apic_id)
{
	if (apic_id < HV_MAX_VCPUS && v->vm->vcpu[apic_id])
		hv_request(v->vm->vcpu[apic_id], HV_REQ_UNHALT);
	return 0;
}

static u64 dispatch(struct hv_vcpu *v, u64 nr, const u64 a[4])
{
	if (nr == PV_KVM_HC_VAPIC_POLL_IRQ)
		return 0;
	if (nr == PV_KVM_HC_SCHED_YIELD && has_feature(v, PV_KVM_SCHED_YIELD))
		return 0;
	if (nr == PV_KVM_HC_KICK_CPU && has_feature(v, PV_KVM_UNHALT))
		return kick_cpu(v, a[1]);
	if (nr == PV_KVM_HC_SEND_IPI && has_feature(v, PV_KVM_SEND_IPI))
		return send_ipi(v, a);
	return (u64)-PV_KVM_ENOSYS;
}

void hv_pv_hypercall(struct hv_vcpu *v)
{
	u64 mask = hv_vcpu_code_size(v) == 8 ? ~0ULL : 0xffffffff, r[6];
	const u64 a[4] = {v->gpr[X86_RBX] & mask, v->gpr[X86_RCX] & mask, v->gpr[X86_RDX] & mask,
			  v->gpr[X86_RSI] & mask};
	u64 nr = v->gpr[X86_RAX] & mask;

	if (!shown(v) && v->bus.hypercall) {
		r[0] = nr;
		r[1] = a[0];
		r[2] = a[1];
		r[3] = a[2];
		r[4] = a[3];
		r[5] = v->gpr[X86_RDI] & mask;
		v->bus.hypercall(v->bus.opaque, r);
		v->gpr[X86_RAX] = r[0];
	} else if (hv_vcpu_cpl(v)) {
		v->gpr[X86_RAX] = (u64)-PV_KVM_EPERM;
	} else {
		v->gpr[X86_RAX] = shown(v) ? dispatch(v, nr, a) : (u64)-PV_KVM_ENOSYS;
	}
	v->gpr[X86_RAX] &= mask;
}
