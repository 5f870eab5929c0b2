/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * CPUID policy: what of this machine's processor a guest is shown. Per leaf and
 * register a mask of what may pass; features not named here (virtualization,
 * performance counters, power management, control-flow enforcement, protection
 * keys, 5-level paging) are hidden. Leaves: SDM vol. 2 CPUID, AMD APM vol. 3
 * appendix E, kernel doc virt/kvm/x86/cpuid.
 */
#include "core/hv_internal.h"
#include "core/cpu/hw.h"
#include "core/pv_kvm.h"

enum { EAX, EBX, ECX, EDX };

/* Bits of a feature word by number, for the masks below. */
#define B(n) (1u << (n))

struct cpuid_mask { /* more: so many subleaves or, of leaves without any, leaves follow alike */
	u32 leaf, sub, mask[4], more;
};

static const struct cpuid_mask masks[] = {
	{0x01,
	 0,
	 {~0u, 0x0000ff00,
	  B(0) | B(1) | B(9) | B(12) | B(13) | B(17) | B(19) | B(20) | B(22) | B(23) | B(25) |
		  B(26) | B(28) | B(29) | B(30),
	  0x0783fbff & ~B(3) & ~B(21)}},
	{0x02, 0, {~0u, ~0u, ~0u, ~0u}},
	{0x04, 0, {0x3fff, ~0u, ~0u, ~0u}, 3},
	{0x06, 0, {B(2), 0, 0, 0}},
	{0x07,
	 0,
	 {B(0),
	  B(0) | B(3) | B(5) | B(7) | B(8) | B(9) | B(16) | B(17) | B(18) | B(19) | B(20) | B(21) |
		  B(23) | B(24) | B(28) | B(29) | B(30) | B(31),
	  B(1) | B(2) | B(6) | B(8) | B(9) | B(10) | B(11) | B(12) | B(14) | B(22) | B(27) | B(28),
	  B(4)}},
	{0x07, 1, {B(4) | B(5), 0, 0, 0}},
	{0x0d, 0, {0xe7, ~0u, ~0u, 0}},
	{0x0d, 1, {B(0) | B(2), 0, 0, 0}}, /* XSAVEOPT, XGETBV1 */
	{0x0d, 2, {~0u, ~0u, 0, 0}},
	{0x0d, 5, {~0u, ~0u, 0, 0}, 2},
	{0x80000001,
	 0,
	 {~0u, ~0u, B(0) | B(4) | B(5) | B(6) | B(7) | B(8) | B(11) | B(16) | B(21),
	  0x0183f3ff | B(11) | B(20) | B(22) | B(25) | B(26) | B(27) | B(29) | B(30) | B(31)}},
	{0x80000002, 0, {~0u, ~0u, ~0u, ~0u}, 4},
	{0x80000008, 0, {0xffff, 0, 0, 0}},
};

struct list {
	struct hv_cpuid *e;
	unsigned n, max;
};

static struct hv_cpuid *append(struct list *l, u32 leaf, u32 sub, bool indexed)
{
	struct hv_cpuid *e = &l->e[l->n < l->max ? l->n++ : l->max - 1];

	*e = (struct hv_cpuid){.leaf = leaf, .sub = sub, .indexed = indexed};
	return e;
}

static void append4(struct list *l, u32 leaf, u32 sub, bool indexed, u32 a, u32 b, u32 c, u32 d)
{
	struct hv_cpuid *e = append(l, leaf, sub, indexed);

	e->out[EAX] = a;
	e->out[EBX] = b;
	e->out[ECX] = c;
	e->out[EDX] = d;
}

static bool leaf_indexed(u32 leaf)
{
	return leaf == 4 || leaf == 7 || leaf == 0xd;
}

static void append_masked(struct list *l, const struct cpuid_mask *m, unsigned n)
{
	bool indexed = leaf_indexed(m->leaf);
	u32 leaf = m->leaf + (indexed ? 0 : n), sub = m->sub + (indexed ? n : 0);
	struct hv_cpuid *e = append(l, leaf, sub, indexed);

	hw_cpuid(leaf, sub, e->out);
	for (unsigned i = 0; i < 4; i++)
		e->out[i] &= m->mask[i];
}

/* What is there although the masks do not say so. */
static void add_features(struct list *l, const struct hv_vm_config *cfg)
{
	struct hv_cpuid *e;

	for (unsigned i = 0; i < l->n; i++) {
		e = &l->e[i];
		if (e->leaf == 1) {
			e->out[ECX] |= B(31); /* a hypervisor is present */
			e->out[ECX] |= cfg->x2apic ? B(21) : 0;
			e->out[ECX] |= cfg->tsc_deadline ? B(24) : 0;
			e->out[EDX] |= cfg->ncpus > 1 ? B(28) : 0;
			e->out[EBX] |= (cfg->ncpus ? cfg->ncpus : 1) << 16;
		} else if (e->leaf == 7 && !e->sub) {
			e->out[EBX] |= B(1); /* TSC_ADJUST */
		}
	}
}

static u32 ext_shift(unsigned ncpus)
{
	return ncpus > 1 ? 32 - (u32)__builtin_clz(ncpus - 1) : 0;
}

static void append_topology(struct list *l, const struct hv_vm_config *cfg)
{
	/* One thread a core, all cores in one package. */
	append4(l, 0xb, 0, true, 0, 1, 0x100, 0);
	append4(l, 0xb, 1, true, ext_shift(cfg->ncpus), cfg->ncpus ? cfg->ncpus : 1, 0x201, 0);
}

static void append_kvm(struct list *l, const struct hv_vm_config *cfg)
{
	u32 features = cfg->pv_features ? cfg->pv_features & PV_KVM_FEATURES : PV_KVM_FEATURES;

	append4(l, 0x40000000, 0, false, 0x40000010, 0x4b4d564b, 0x564b4d56, 0x4d);
	append4(l, 0x40000001, 0, false, features, 0, 0, 0);
	append4(l, 0x40000010, 0, false, port_tsc_khz(), 1000000, 0, 0);
}

unsigned hv_cpuid_supported(const struct hv_vm_config *cfg, struct hv_cpuid *e, unsigned max)
{
	struct list l = {.e = e, .max = max};
	u32 base[4], ext[4], last;

	hw_cpuid(0, 0, base);
	hw_cpuid(0x80000000, 0, ext);
	last = base[EAX] < 0xd ? base[EAX] : 0xd;
	append4(&l, 0, 0, false, last, base[EBX], base[ECX], base[EDX]);
	append4(&l, 0x80000000, 0, false, 0x80000008, ext[EBX], ext[ECX], ext[EDX]);
	append4(&l, 0x80000007, 0, false, 0, 0, 0, B(8)); /* invariant TSC */
	for (unsigned i = 0; i < ARRAY_LEN(masks); i++)
		for (unsigned k = 0; k <= masks[i].more; k++)
			if (masks[i].leaf & 0x80000000 || masks[i].leaf <= last)
				append_masked(&l, &masks[i], k);
	if (last >= 0xb)
		append_topology(&l, cfg);
	if (cfg->pv == HV_PV_KVM)
		append_kvm(&l, cfg);
	add_features(&l, cfg);
	return l.n;
}

void hv_cpuid_init(struct hv_vm *vm)
{
	vm->ncpuid = hv_cpuid_supported(&vm->cfg, vm->cpuid, HV_MAX_CPUID);
}

static const struct hv_cpuid *find(const struct hv_vm *vm, u32 leaf, u32 sub)
{
	const struct hv_cpuid *e;

	for (unsigned i = 0; i < vm->ncpuid; i++) {
		e = &vm->cpuid[i];
		if (e->leaf == leaf && (!e->indexed || e->sub == sub))
			return e;
	}
	return NULL;
}

bool hv_cpuid_has(struct hv_vm *vm, u32 leaf, u32 sub, unsigned reg, unsigned bit)
{
	const struct hv_cpuid *e = find(vm, leaf, sub);

	return e && (e->out[reg] & B(bit));
}

u64 hv_xcr0_allowed(struct hv_vm *vm)
{
	const struct hv_cpuid *e = find(vm, 0xd, 0);

	return e && hv_cpuid_has(vm, 1, 0, ECX, 26) ? (e->out[EAX] & HW_XCR0_MASK) | 1 : 1;
}

u64 hv_cr4_allowed(struct hv_vm *vm)
{
	/* CR4 bit, leaf, register, bit of it: SDM vol. 3A 2.5. */
	static const u8 bits[][4] = {{11, 7, ECX, 2},  {12, 7, ECX, 16}, {16, 7, EBX, 0},
				     {17, 1, ECX, 17}, {18, 1, ECX, 26}, {20, 7, EBX, 7},
				     {21, 7, EBX, 20}, {22, 7, ECX, 3},	 {24, 7, ECX, 31}};
	u64 allowed = 0x7ff; /* VME to OSXMMEXCPT */

	for (unsigned i = 0; i < ARRAY_LEN(bits); i++)
		if (hv_cpuid_has(vm, bits[i][1], 0, bits[i][2], bits[i][3]))
			allowed |= BIT(bits[i][0]);
	return allowed;
}

/* Bytes of the XSAVE area for the components enabled now (SDM vol. 1, 13.4). */
static u32 xsave_bytes(struct hv_vcpu *v)
{
	const struct hv_cpuid *e;
	u32 bytes = 576, end;

	for (unsigned i = 2; i < 63; i++) {
		e = v->xcr0 & BIT(i) ? find(v->vm, 0xd, i) : NULL;
		end = e ? e->out[EAX] + e->out[EBX] : 0;
		bytes = end > bytes ? end : bytes;
	}
	return bytes;
}

void hv_cpuid(struct hv_vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
	const struct hv_cpuid *e = find(v->vm, leaf, sub);
	const struct hv_vm_config *cfg = &v->vm->cfg;

	for (unsigned i = 0; i < 4; i++)
		out[i] = e ? e->out[i] : 0;
	if (e && leaf == 1) {
		hv_want(v, HV_G_CR);
		out[EBX] |= v->index << 24;
		out[ECX] &= ~B(27);
		out[ECX] |= v->st.cr4 & CR4_OSXSAVE ? B(27) : 0;
	}
	if (leaf == 0xb) {
		out[ECX] |= sub & 0xff;
		out[EDX] = v->index;
	}
	if (e && leaf == 0xd && !sub)
		out[EBX] = xsave_bytes(v);
	if (cfg->ops->cpuid)
		cfg->ops->cpuid(cfg->opaque, v, leaf, sub, out);
}
