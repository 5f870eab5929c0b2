/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPUID the guest sees (SDM vol. 2 CPUID; APM vol. 3 appendix E; KVM's
 * paravirtual leaves). User-mode features are the host's as far as the decoder
 * knows them, because the translator runs those instructions as themselves.
 * System features are the ones this engine implements, whatever the host has.
 * Mitigation bits are chosen so that a guest kernel needs no costly work-around:
 * translated code never speculates across privilege levels by guest branches.
 *
 * Built once per VM; x86_cpuid patches what depends on the vCPU and its state.
 */
#include "engine/jit/x86/sys.h"

enum { EAX, EBX, ECX, EDX };

/* XSAVE's components: x87 and SSE, AVX, the three of AVX-512, PKRU (SDM vol. 1, 13.1). */
enum { PKRU = 9, COMPONENTS };

static void host_cpuid(u32 leaf, u32 sub, u32 o[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(o[EAX]), "=b"(o[EBX]), "=c"(o[ECX]), "=d"(o[EDX])
			 : "a"(leaf), "c"(sub));
}

static u64 host_xcr0(void)
{
	u32 o[4], lo, hi;

	host_cpuid(1, 0, o);
	if (!(o[ECX] >> 27 & 1))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo | (u64)hi << 32;
}

/* clang-format off */
#define B(n) (1u << (n))
/* Feature words: host bits passed on, and bits this engine adds. */
static const struct word {
	u32 leaf, sub;
	u8 reg;
	u32 pass, force;
} words[] = {
	/* SSE3 PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND;
	 * PCID x2APIC TSC-deadline HYPERVISOR */
	{1, 0, ECX, B(0) | B(1) | B(9) | B(12) | B(13) | B(19) | B(20) | B(22) | B(23) | B(25) |
		    B(26) | B(28) | B(29) | B(30), B(17) | B(21) | B(24) | B(31)},
	/* FPU TSC CX8 CMOV CLFSH MMX FXSR SSE SSE2;
	 * DE PSE MSR PAE MCE APIC SEP MTRR PGE MCA PAT PSE36 */
	{1, 0, EDX, B(0) | B(4) | B(8) | B(15) | B(19) | B(23) | B(24) | B(25) | B(26),
		    B(2) | B(3) | B(5) | B(6) | B(7) | B(9) | B(11) | B(12) | B(13) | B(14) |
		    B(16) | B(17)},
	/* BMI1 AVX2 FDP BMI2 ERMS NOFPUSEG AVX512F DQ RDSEED ADX IFMA CLFLUSHOPT CLWB CD SHA BW VL;
	 * FSGSBASE TSC_ADJUST SMEP INVPCID SMAP */
	{7, 0, EBX, B(3) | B(5) | B(6) | B(8) | B(9) | B(13) | B(16) | B(17) | B(18) | B(19) |
		    B(21) | B(23) | B(24) | B(28) | B(29) | B(30) | B(31),
		    B(0) | B(1) | B(7) | B(10) | B(20)},
	/* VBMI VBMI2 GFNI VAES VPCLMUL VNNI BITALG VPOPCNTDQ RDPID; UMIP PKU PKS */
	{7, 0, ECX, B(1) | B(6) | B(8) | B(9) | B(10) | B(11) | B(12) | B(14) | B(22),
		    B(2) | B(3) | B(31)},
	/* 4VNNIW 4FMAPS FSRM VP2INTERSECT FP16 */
	{7, 0, EDX, B(2) | B(3) | B(4) | B(8) | B(23), 0},
	/* AVX-VNNI BF16, fast zero-length and short string operations */
	{7, 1, EAX, B(4) | B(5) | B(10) | B(11) | B(12), 0},
	/* XSAVEOPT XSAVEC XGETBV1 */
	{0xd, 1, EAX, B(0) | B(1) | B(2), 0},
	/* LAHF CR8-by-LOCK ABM SSE4A MISALIGNSSE PREFETCHW */
	{0x80000001, 0, ECX, B(0) | B(5) | B(6) | B(7) | B(8), 0},
	/* MMXEXT RDTSCP; SYSCALL NX 1GB LM */
	{0x80000001, 0, EDX, B(22) | B(27), B(11) | B(20) | B(26) | B(29)},
	{0x80000007, 0, EDX, 0, B(8)}, /* invariant TSC */
};

/* Leaves taken over whole: caches, brand string, TLBs. */
static const struct { u32 leaf, subs; } whole[] = {
	{2, 1}, {4, 5}, {0x80000002, 1}, {0x80000003, 1}, {0x80000004, 1}, {0x80000005, 1},
	{0x80000006, 1}, {0x80000019, 1}, {0x8000001d, 5},
};
/* clang-format on */

static struct x86_cpuid_leaf *leaf_get(struct x86_host *h, u32 leaf, u32 sub)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->leaf[i].leaf == leaf && h->leaf[i].sub == sub)
			return &h->leaf[i];
	return NULL;
}

/* Find or add; the table is larger than all this file adds. */
static u32 *leaf_out(struct x86_host *h, u32 leaf, u32 sub)
{
	struct x86_cpuid_leaf *l = leaf_get(h, leaf, sub);

	if (!l) {
		l = &h->leaf[h->n < X86_HOST_LEAVES - 1 ? h->n++ : X86_HOST_LEAVES - 1];
		*l = (struct x86_cpuid_leaf){.leaf = leaf, .sub = sub};
	}
	return l->out;
}

static bool host_has_leaf(u32 leaf)
{
	u32 o[4];

	host_cpuid(leaf & 0x80000000, 0, o);
	return leaf <= o[EAX];
}

static void add_words(struct x86_host *h)
{
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		const struct word *w = &words[i];
		u32 o[4] = {0};

		if (host_has_leaf(w->leaf))
			host_cpuid(w->leaf, w->sub, o);
		leaf_out(h, w->leaf, w->sub)[w->reg] = (o[w->reg] & w->pass) | w->force;
	}
}

static void add_whole(struct x86_host *h)
{
	for (unsigned i = 0; i < ARRAY_LEN(whole); i++) {
		bool ext = whole[i].leaf >> 31;

		if (!host_has_leaf(whole[i].leaf) || (h->amd ? !ext : whole[i].leaf > 0x80000006))
			continue;
		for (u32 s = 0; s < whole[i].subs; s++)
			host_cpuid(whole[i].leaf, s, leaf_out(h, whole[i].leaf, s));
	}
}

/* PKRU's place in the image: the host's, or behind all else. Returns the new end. */
static u32 add_pkru(struct x86_host *h, u32 end)
{
	u32 *s = leaf_out(h, 0xd, PKRU), o[4] = {0};

	if (host_has_leaf(0xd))
		host_cpuid(0xd, PKRU, o);
	s[EAX] = 8;
	s[EBX] = o[EAX] == 8 && o[EBX] >= end ? o[EBX] : (u32)align_up(end, 64);
	return s[EBX] + s[EAX];
}

/* XSAVE: sizes and offsets of the components the guest may enable. */
static void add_xsave(struct x86_vm *vm, struct x86_host *h)
{
	/* x87 SSE AVX and the three AVX-512 parts; no CET or AMX. PKRU is the engine's own. */
	u64 mask = host_xcr0() & 0xe7;
	u32 *o = leaf_out(h, 0xd, 0), end = 576;

	if (!(mask & 4))
		mask &= 7;
	vm->xcr0_host = mask;
	for (u32 i = 2; i < 8; i++) {
		u32 *s;

		if (!(mask >> i & 1))
			continue;
		s = leaf_out(h, 0xd, i);
		host_cpuid(0xd, i, s);
		if (s[EBX] + s[EAX] > end)
			end = s[EBX] + s[EAX];
	}
	if (mask)
		end = add_pkru(h, end);
	vm->xsave_size = end;
	o = leaf_out(h, 0xd, 0);
	o[EAX] = (u32)x86_xcr0_allowed(vm);
	o[ECX] = end;
	if (!mask)
		leaf_out(h, 1, 0)[ECX] &= ~(B(26) | B(28) | B(12) | B(29));
}

static void add_ids(struct x86_vm *vm, struct x86_host *h)
{
	u32 o[4], *d = leaf_out(h, 0, 0);

	host_cpuid(0, 0, d);
	d[EAX] = h->max;
	host_cpuid(1, 0, o);
	leaf_out(h, 1, 0)[EAX] = o[EAX];
	leaf_out(h, 1, 0)[EBX] = 8 << 8 | vm->ncpus << 16; /* CLFLUSH line, ids */
	if (vm->ncpus > 1)
		leaf_out(h, 1, 0)[EDX] |= B(28);
	d = leaf_out(h, 0x80000000, 0);
	host_cpuid(0x80000000, 0, d);
	d[EAX] = h->xmax;
	leaf_out(h, 6, 0)[EAX] = B(2); /* ARAT */
	leaf_out(h, 7, 0)[EAX] = 1;
}

static unsigned id_bits(unsigned n)
{
	unsigned b = 0;

	while ((1u << b) < n)
		b++;
	return b;
}

/* One package, one thread a core. */
static void add_topology(struct x86_vm *vm, struct x86_host *h)
{
	unsigned bits = id_bits(vm->ncpus);

	for (u32 s = 0; s < 5; s++) {
		struct x86_cpuid_leaf *l = leaf_get(h, h->amd ? 0x8000001d : 4, s);

		if (!l || !(l->out[EAX] & 31))
			continue;
		l->out[EAX] &= 0x3fff;
		if ((l->out[EAX] >> 5 & 7) >= 3)
			l->out[EAX] |= (vm->ncpus - 1) << 14;
		if (!h->amd)
			l->out[EAX] |= ((1u << bits) - 1) << 26;
	}
	for (u32 s = 0; s < 2; s++) {
		u32 *o = leaf_out(h, 0xb, s);

		o[EAX] = s ? bits : 0;
		o[EBX] = s ? vm->ncpus : 1;
		o[ECX] = s ? 0x201 : 0x100;
	}
	if (h->amd)
		leaf_out(h, 0x8000001e, 0);
}

static void add_amd(struct x86_vm *vm, struct x86_host *h)
{
	u32 *e = leaf_out(h, 0x80000001, 0), *d1 = leaf_out(h, 1, 0), o[4];

	/* Repeats of leaf 1, as AMD has them. */
	e[EDX] |= d1[EDX] & 0x0183f3ff;
	e[EDX] |= B(25);	/* fast FXSAVE */
	e[ECX] |= B(4) | B(22); /* CR8 by LOCK MOV CR0, topology extensions */
	if (vm->ncpus > 1)
		e[ECX] |= B(1); /* CmpLegacy */
	host_cpuid(0x80000001, 0, o);
	e[EAX] = o[EAX];
	e[EBX] = o[EBX];
	e = leaf_out(h, 0x80000008, 0);
	host_cpuid(0x80000008, 0, o);
	e[EBX] = (o[EBX] & B(2)) | B(26); /* XSAVEERPTR, SSB_NO */
	e[ECX] = (vm->ncpus - 1) | id_bits(vm->ncpus) << 12;
	/* LFENCE serializes, null selector clears base, automatic IBRS, SRSO_NO */
	leaf_out(h, 0x80000021, 0)[EAX] = B(2) | B(6) | B(8) | B(29);
}

static void add_intel(struct x86_vm *vm, struct x86_host *h)
{
	u32 o[4], khz = (u32)vm->tsc_khz;

	/* IBRS/IBPB, STIBP, ARCH_CAPABILITIES, SSBD */
	leaf_out(h, 7, 0)[EDX] |= B(26) | B(27) | B(29) | B(31);
	host_cpuid(0x80000001, 0, o);
	leaf_out(h, 0x80000001, 0)[EAX] = o[EAX];
	/* TSC = crystal * EBX / EAX; a 1 MHz crystal makes it exact to the kHz. */
	leaf_out(h, 0x15, 0)[EAX] = 1000;
	leaf_out(h, 0x15, 0)[EBX] = khz;
	leaf_out(h, 0x15, 0)[ECX] = 1000000;
	leaf_out(h, 0x16, 0)[EAX] = leaf_out(h, 0x16, 0)[EBX] = khz / 1000;
}

/* KVM's leaves: clock sources, no I/O delay; TSC and bus kHz (kernel doc virt/kvm/x86/cpuid). */
static void add_hypervisor(struct x86_vm *vm, struct x86_host *h)
{
	u32 *o = leaf_out(h, 0x40000000, 0);

	o[EAX] = 0x40000010;
	o[EBX] = 0x4b4d564b; /* "KVMKVMKVM\0\0\0" */
	o[ECX] = 0x564b4d56;
	o[EDX] = 0x4d;
	leaf_out(h, 0x40000001, 0)[EAX] = B(0) | B(1) | B(3) | B(24);
	o = leaf_out(h, 0x40000010, 0);
	o[EAX] = (u32)vm->tsc_khz;
	o[EBX] = 1000000; /* local APIC timer: 1 GHz */
}

void x86_cpuid_init(struct x86_vm *vm, struct x86_host *h)
{
	u32 o[4];

	host_cpuid(0, 0, o);
	h->n = 0;
	h->amd = o[EBX] == 0x68747541 || o[EBX] == 0x6f677948; /* AuthenticAMD, HygonGenuine */
	h->max = h->amd ? 0x10 : 0x16;
	h->xmax = h->amd ? 0x80000021 : 0x80000008;
	add_words(h);
	add_whole(h);
	add_ids(vm, h);
	add_xsave(vm, h);
	add_topology(vm, h);
	leaf_out(h, 0x80000008, 0)[EAX] = X86_PHYS_BITS | 48 << 8;
	if (h->amd)
		add_amd(vm, h);
	else
		add_intel(vm, h);
	add_hypervisor(vm, h);
}

static u32 xsave_size_now(const struct x86_vcpu *c)
{
	u32 end = 576;

	for (u32 i = 2; i < COMPONENTS; i++) {
		const struct x86_cpuid_leaf *l;

		if (!(c->xcr0 >> i & 1))
			continue;
		l = leaf_get(c->vm->host, 0xd, i);
		if (l && l->out[EBX] + l->out[EAX] > end)
			end = l->out[EBX] + l->out[EAX];
	}
	return end;
}

/* Compacted size: components in order, 64-byte aligned where leaf 0xD says so. */
static u32 xsavec_size_now(const struct x86_vcpu *c)
{
	u32 end = 576;

	for (u32 i = 2; i < COMPONENTS; i++) {
		const struct x86_cpuid_leaf *l;

		if (!(c->xcr0 >> i & 1))
			continue;
		l = leaf_get(c->vm->host, 0xd, i);
		if (!l)
			continue;
		if (l->out[ECX] & 2)
			end = (u32)align_up(end, 64);
		end += l->out[EAX];
	}
	return end;
}

static void patch(const struct x86_vcpu *c, u32 leaf, u32 sub, u32 o[4])
{
	u32 id = c->index;

	switch (leaf) {
	case 1:
		o[EBX] |= id << 24;
		if (c->cr4 & CR4_OSXSAVE)
			o[ECX] |= B(27);
		break;
	case 7:
		if (!sub && (c->cr4 & CR4_PKE))
			o[ECX] |= B(4);
		break;
	case 0xb:
		o[ECX] = (o[ECX] & ~0xffu) | (sub & 0xff);
		o[EDX] = id;
		break;
	case 0xd:
		if (!sub)
			o[EBX] = xsave_size_now(c);
		else if (sub == 1 && (o[EAX] & 2))
			o[EBX] = xsavec_size_now(c);
		break;
	case 0x8000001e:
		o[EAX] = o[EBX] = id;
		break;
	}
	/* The APIC bits follow the enable bit of IA32_APIC_BASE. */
	if ((leaf == 1 || (leaf == 0x80000001 && c->vm->host->amd)) && !(c->apic_base & BIT(11)))
		o[EDX] &= ~B(9);
}

static bool leaf_has_subs(u32 leaf)
{
	return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x8000001d;
}

void x86_cpuid(const struct x86_vcpu *c, u32 leaf, u32 sub, u32 out[4])
{
	struct x86_host *h = c->vm->host;
	const struct x86_cpuid_leaf *l;

	for (unsigned i = 0; i < 4; i++)
		out[i] = 0;
	if (!h)
		return;
	/* Out of range: Intel answers with the highest basic leaf, AMD with zeros. */
	if (leaf > h->max && leaf < 0x40000000 && !h->amd)
		leaf = h->max;
	l = leaf_get(h, leaf, leaf_has_subs(leaf) ? sub : 0);
	if (l)
		for (unsigned i = 0; i < 4; i++)
			out[i] = l->out[i];
	else if (leaf != 0xb)
		return;
	patch(c, leaf, sub, out);
}

bool x86_has(const struct x86_vcpu *c, u32 leaf, u32 sub, unsigned reg, unsigned bit)
{
	u32 o[4];

	x86_cpuid(c, leaf, sub, o);
	return o[reg] >> bit & 1;
}
