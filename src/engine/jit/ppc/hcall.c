/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hypercalls that are the processor's business (PAPR, chapter "Hypervisor Call
 * Functions"): waiting and waking, modes, the process table, areas shared with the
 * hypervisor. What is not known here goes to the machine (vcpu_bus.papr).
 */
#include "engine/jit/ppc/system.h"

enum {
	H_SET_SPRG0 = 0x24,
	H_SET_DABR = 0x28,
	H_REGISTER_VPA = 0xdc,
	H_CEDE = 0xe0,
	H_CONFER = 0xe4,
	H_PROD = 0xe8,
	H_PURR = 0xf4,
	H_SET_XDABR = 0x134,
	H_SET_MODE = 0x31c,
	H_CLEAN_SLB = 0x374,
	H_INVALIDATE_PID = 0x378,
	H_REGISTER_PROC_TBL = 0x37c,
	H_RPT_INVALIDATE = 0x448,
};

/* H_SET_MODE's resources. */
enum { MODE_CIABR = 1, MODE_DAWR0 = 2, MODE_AIL = 3, MODE_LE = 4 };

/* H_REGISTER_PROC_TBL's flags, PAPR ACR "Radix". */
enum { PROC_RADIX = 4, PROC_HPT_SLB = 2, PROC_GTSE = 1, PROC_NEW = 0x18, PROC_DEREG = 0x10 };

/* H_REGISTER_VPA's functions, bits 16 to 18 of flags. */
enum {
	VPA_REG = 1,
	VPA_REG_DTL = 2,
	VPA_REG_SLB = 3,
	VPA_DEREG = 5,
	VPA_DEREG_DTL = 6,
	VPA_DEREG_SLB = 7
};
#define VPA_FUNC_SHIFT 45
#define VPA_ALIGN 64u
/* All areas have their size at 4: the VPA as 2 bytes, the others as 4. */
enum { AREA_SIZE = 4, VPA_MIN = 640, SLB_SHADOW_MIN = 8, DTL_MIN = 48, VPA_DISPATCHES = 0x100 };

void ppc_dispatch_count(struct ppc_vcpu *c, bool runs)
{
	u64 vpa = __atomic_load_n(&c->sys->vpa, __ATOMIC_RELAXED);
	u8 be[4];
	u32 n;

	if (!vpa || gpa_read(c->vm->map, vpa + VPA_DISPATCHES, be, sizeof(be)))
		return;
	n = load_be32(be);
	if ((n & 1) != runs)
		return;
	store_be32(be, n + 1);
	gpa_write(c->vm->map, vpa + VPA_DISPATCHES, be, sizeof(be));
}

static s64 cede(struct ppc_vcpu *c)
{
	c->msr |= PPC_MSR_EE;
	ppc_mode_changed(c);
	ppc_dispatch_count(c, false);
	c->halted = true;
	ppc_kick_set(c, PPC_KICK_LOOK);
	return H_SUCCESS;
}

static struct ppc_vcpu *vcpu_by_id(struct ppc_vcpu *c, u64 id)
{
	return id < c->vm->ncpus ? __atomic_load_n(&c->vm->vcpu[id], __ATOMIC_ACQUIRE) : NULL;
}

static s64 prod(struct ppc_vcpu *c, u64 id)
{
	struct ppc_vcpu *o = vcpu_by_id(c, id);

	if (!o)
		return H_PARAMETER;
	atomic_store(&o->sys->prodded, true);
	ppc_kick_set(o, PPC_KICK_IRQ);
	return H_SUCCESS;
}

/* All vCPUs of the partition take interrupts the same way; the caller is told to do it early. */
static void lpcr_change(struct ppc_vm *v, u64 mask, u64 val)
{
	for (unsigned i = 0; i < v->ncpus; i++) {
		struct ppc_vcpu *o = __atomic_load_n(&v->vcpu[i], __ATOMIC_ACQUIRE);

		if (o)
			__atomic_store_n(&o->lpcr, (o->lpcr & ~mask) | val, __ATOMIC_RELAXED);
	}
}

static s64 set_mode_le(struct ppc_vcpu *c, u64 flags)
{
	if (flags > 1)
		return H_UNSUPPORTED_FLAG;
	lpcr_change(c->vm, PPC_LPCR_ILE, flags ? PPC_LPCR_ILE : 0);
	return H_SUCCESS;
}

static s64 set_mode_ail(struct ppc_vcpu *c, u64 flags)
{
	if (flags == 1 || flags > 3)
		return H_UNSUPPORTED_FLAG;
	lpcr_change(c->vm, PPC_LPCR_AIL, flags << PPC_LPCR_AIL_SHIFT);
	return H_SUCCESS;
}

static s64 set_mode(struct ppc_vcpu *c, const u64 r[])
{
	u64 flags = r[1], resource = r[2], val1 = r[3], val2 = r[4];

	switch (resource) {
	case MODE_LE:
	case MODE_AIL:
		if (val1)
			return H_P3;
		if (val2)
			return H_P4;
		return resource == MODE_LE ? set_mode_le(c, flags) : set_mode_ail(c, flags);
	case MODE_CIABR: /* no breakpoints by hardware */
	case MODE_DAWR0:
		return H_P2;
	}
	return H_P2;
}

/*
 * The guest registers its process table before it turns translation on, each vCPU
 * again for itself. A radix table of 1 << (size + 12) bytes, or a hash table's.
 */
static s64 register_proc_table(struct ppc_vcpu *c, const u64 r[])
{
	u64 flags = r[1], base = r[2], page = r[3], size = r[4];
	struct ppc_vm *v = c->vm;

	if (flags & ~(u64)(PROC_NEW | PROC_RADIX | PROC_HPT_SLB | PROC_GTSE))
		return H_PARAMETER;
	if ((flags & PROC_NEW) == PROC_NEW && flags & PROC_RADIX) {
		if (base & 0xfff || base >> 60)
			return H_P2;
		if (page)
			return H_P3;
		if (size > 24)
			return H_P4;
		v->proc_table = base;
		v->proc_entries = BIT(size + 12 - 4);
		v->radix = true;
	} else if ((flags & PROC_NEW) == PROC_NEW) {
		if (!v->hpt)
			return H_PARAMETER;
		v->radix = false;
	} else if ((flags & PROC_NEW) == PROC_DEREG) {
		v->proc_entries = 0;
	}
	ppc_flush(c);
	ppc_flush_all(c, 0);
	return H_SUCCESS;
}

/* Is an area of at least min bytes, as it says itself, at addr? All but the log keep to a page. */
static bool area_is_there(struct ppc_vcpu *c, u64 addr, u32 min, unsigned size_bytes, bool one_page)
{
	u8 be[4] = {0};
	u32 size;

	if (!addr || addr % VPA_ALIGN ||
	    gpa_read(c->vm->map, addr + AREA_SIZE, be + sizeof(be) - size_bytes, size_bytes))
		return false;
	size = load_be32(be);
	return size >= min && (!one_page || size <= 4096 - addr % 4096) &&
	       gpa_ptr(c->vm->map, addr, size, true);
}

/* Areas the hypervisor may look at: of the VPA we count dispatches, of the others keep the address.
 */
static s64 register_vpa(struct ppc_vcpu *c, const u64 r[])
{
	struct ppc_vcpu *o = vcpu_by_id(c, r[2]);
	u64 func = r[1] >> VPA_FUNC_SHIFT & 7, addr = r[3], *where;
	bool there;

	if (!o)
		return H_PARAMETER;
	switch (func) {
	case VPA_REG:
	case VPA_DEREG:
		where = &o->sys->vpa;
		there = area_is_there(c, addr, VPA_MIN, 2, true);
		break;
	case VPA_REG_SLB:
	case VPA_DEREG_SLB:
		where = &o->sys->slb_shadow;
		there = area_is_there(c, addr, SLB_SHADOW_MIN, 4, true);
		break;
	case VPA_REG_DTL:
	case VPA_DEREG_DTL:
		where = &o->sys->dtl;
		there = area_is_there(c, addr, DTL_MIN, 4, false);
		break;
	default:
		return H_PARAMETER;
	}
	if (func >= VPA_DEREG)
		addr = 0;
	else if (!there)
		return H_PARAMETER;
	__atomic_store_n(where, addr, __ATOMIC_RELAXED);
	return H_SUCCESS;
}

static bool processor_call(struct ppc_vcpu *c, u64 r[])
{
	s64 rc = H_SUCCESS;

	switch (r[0]) {
	case H_CEDE:
		rc = cede(c);
		break;
	case H_CONFER:
		c->vm->host.yield();
		break;
	case H_PROD:
		rc = prod(c, r[1]);
		break;
	case H_SET_MODE:
		rc = set_mode(c, r);
		break;
	case H_REGISTER_PROC_TBL:
		rc = register_proc_table(c, r);
		break;
	case H_REGISTER_VPA:
		rc = register_vpa(c, r);
		break;
	case H_SET_SPRG0:
		c->sprg[0] = r[1];
		break;
	case H_PURR:
		r[1] = ppc_timebase(c);
		break;
	case H_CLEAN_SLB:
		ppc_flush(c);
		break;
	case H_INVALIDATE_PID:
	case H_RPT_INVALIDATE:
		ppc_flush(c);
		ppc_flush_all(c, 0);
		break;
	case H_SET_DABR:
	case H_SET_XDABR:
		rc = H_HARDWARE;
		break;
	default:
		return false;
	}
	r[0] = (u64)rc;
	return true;
}

void ppc_hcall(struct ppc_vcpu *c)
{
	const struct vcpu_bus *bus = &c->sys->bus;
	u64 r[PPC_HCALL_REGS];

	for (unsigned i = 0; i < PPC_HCALL_REGS; i++)
		r[i] = c->gpr[3 + i];
	if (!processor_call(c, r) && !ppc_hcall_hpt(c, r)) {
		if (bus->papr)
			bus->papr(bus->opaque, r);
		else
			r[0] = (u64)H_FUNCTION;
	}
	for (unsigned i = 0; i < PPC_HCALL_REGS; i++)
		c->gpr[3 + i] = r[i];
}
