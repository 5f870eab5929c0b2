/* SPDX-License-Identifier: Apache-2.0 */
/* Memory slots, dirty logging, invalidation; whole state; the processor on and off; the checkers.
 */
#include "tests/test.h"
#include "tests/unit/core/rig.h"

#define V (&rig.v[0])

static struct hv_slot slot(u32 id, u64 gpa, u64 size, u32 flags)
{
	return (struct hv_slot){.id = id,
				.gpa = gpa,
				.size = size,
				.va = rig_ram,
				.pa = port_pa(rig_ram),
				.flags = flags};
}

static void t_slots(void)
{
	struct hv_slot s, found;

	CHECK(rig_init(&svm_ops, 1, HV_PV_NONE));
	s = slot(7, MIB(512), MIB(2), HV_SLOT_PREMAP);
	CHECK_EQ(hv_slot_set(&rig.vm, &s), 0);
	CHECK_EQ(rig.vm.npt.pages[1], 1);
	CHECK(hv_slot_find(&rig.vm, MIB(513), &found) && found.id == 7);
	CHECK(!hv_slot_find(&rig.vm, MIB(514), &found));
	s = slot(8, MIB(513), MIB(2), 0);
	CHECK_EQ(hv_slot_set(&rig.vm, &s), (u64)-E_EXIST);
	s = slot(8, MIB(513) + 1, MIB(2), 0);
	CHECK_EQ(hv_slot_set(&rig.vm, &s), (u64)-E_INVAL);
	s = slot(8, ~0ULL << 12, MIB(2), 0);
	CHECK_EQ(hv_slot_set(&rig.vm, &s), (u64)-E_INVAL);
	s = slot(8, 0, 0, 0);
	CHECK_EQ(hv_slot_set(&rig.vm, &s), 0); /* removing what is not there */
	s = slot(7, 0, 0, 0);
	CHECK_EQ(hv_slot_set(&rig.vm, &s), 0);
	CHECK_EQ(rig.vm.npt.pages[1], 0);
	CHECK(!hv_slot_find(&rig.vm, MIB(513), &found));
	for (u32 i = 2; i < HV_MAX_SLOTS; i++) {
		s = slot(i, GIB(i + 1ULL), 4096, 0);
		CHECK_EQ(hv_slot_set(&rig.vm, &s), 0);
	}
	s = slot(99, GIB(99), 4096, 0);
	CHECK_EQ(hv_slot_set(&rig.vm, &s), (u64)-E_NOSPC);
	rig_fini();
}

static void t_bytes(void)
{
	struct hv_slot s = {.id = 5, .gpa = RIG_ROM + 4096, .size = MIB(1), .pa = HV_PA_ASK};
	u8 buf[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	CHECK(rig_init(&svm_ops, 1, HV_PV_NONE));
	CHECK_EQ(hv_slot_set(&rig.vm, &s), 0);
	/* From RAM into ROM, and from ROM into what only the host's calls reach. */
	CHECK_EQ(hv_write(&rig.vm, RIG_RAM - 4, buf, 8), 0);
	CHECK_EQ(rig_rom[3], 8);
	CHECK_EQ(hv_write(&rig.vm, RIG_ROM + 4092, buf, 8), 0);
	CHECK_EQ(rig_ram[0], 5);
	CHECK_EQ(hv_read(&rig.vm, RIG_ROM + 4092, buf, 8), 0);
	CHECK_EQ(buf[7], 8);
	CHECK_EQ(hv_read(&rig.vm, GIB(1), buf, 8), (u64)-E_FAULT);
	rig.frame_err = -E_FAULT;
	CHECK_EQ(hv_read(&rig.vm, RIG_ROM + 4096, buf, 8), (u64)-E_FAULT);
	rig_fini();
}

static void t_large_pages_on_fault(void)
{
	struct hv_slot s = {.id = 5,
			    .gpa = GIB(1),
			    .size = GIB(1) + MIB(2) + 4096,
			    .pa = GIB(2),
			    .va = rig_ram};
	struct npt_walk w;

	CHECK(rig_init(&vmx_ops, 1, HV_PV_NONE));
	CHECK_EQ(hv_slot_set(&rig.vm, &s), 0);
	CHECK_EQ(hv_fault(V, GIB(1) + 5, false), 0);
	CHECK(npt_lookup(&rig.vm.npt, GIB(1) + MIB(500), &w) && w.size == GIB(1) &&
	      w.pa == GIB(2) + MIB(500));
	CHECK_EQ(hv_fault(V, GIB(2) + 5, false), 0);
	CHECK(npt_lookup(&rig.vm.npt, GIB(2), &w) && w.size == MIB(2));
	CHECK_EQ(hv_fault(V, GIB(2) + MIB(2), true), 0);
	CHECK(npt_lookup(&rig.vm.npt, GIB(2) + MIB(2), &w) && w.size == 4096);
	CHECK_EQ(hv_fault(V, GIB(3), true), 1);
	CHECK_EQ(hv_fault(V, RIG_ROM, true), 1);
	CHECK_EQ(hv_fault(V, RIG_ROM, false), 0);
	CHECK(npt_lookup(&rig.vm.npt, RIG_ROM, &w) && !(w.prot & NPT_WRITE));
	rig_fini();
}

static void t_dirty_log(void)
{
	static u64 bits[4], got[4];
	struct hv_slot s = slot(5, MIB(512), RIG_RAM, HV_SLOT_PREMAP);
	struct npt_walk w;
	u32 val = 1;

	CHECK(rig_init(&svm_ops, 1, HV_PV_NONE));
	CHECK_EQ(hv_slot_set(&rig.vm, &s), 0);
	CHECK_EQ(hv_slot_dirty(&rig.vm, 5, got), (u64)-E_NOENT);
	s.flags |= HV_SLOT_LOG;
	CHECK_EQ(hv_slot_set(&rig.vm, &s), (u64)-E_INVAL); /* no bitmap */
	s.dirty = bits;
	CHECK_EQ(hv_slot_set(&rig.vm, &s), 0);
	CHECK(npt_lookup(&rig.vm.npt, MIB(512) + 4096, &w) && !(w.prot & NPT_WRITE));
	CHECK_EQ(hv_fault(V, MIB(512) + 4096, true), 0);
	CHECK(npt_lookup(&rig.vm.npt, MIB(512) + 4096, &w) && (w.prot & NPT_WRITE));
	CHECK_EQ(hv_fault(V, MIB(512) + 8192, false), 0);
	CHECK(npt_lookup(&rig.vm.npt, MIB(512) + 8192, &w) && !(w.prot & NPT_WRITE));
	CHECK_EQ(hv_write(&rig.vm, MIB(512) + 70 * 4096 - 2, &val, 4), 0);
	CHECK_EQ(hv_slot_dirty(&rig.vm, 5, got), 0);
	CHECK_EQ(got[0], 2);
	CHECK_EQ(got[1], 3 << 5);
	CHECK(npt_lookup(&rig.vm.npt, MIB(512) + 4096, &w) && !(w.prot & NPT_WRITE));
	CHECK_EQ(hv_slot_dirty(&rig.vm, 5, got), 0);
	CHECK_EQ(got[0] | got[1], 0);
	/* Logging ends: writable again by the next fault. */
	s.flags &= ~(u32)HV_SLOT_LOG;
	CHECK_EQ(hv_slot_set(&rig.vm, &s), 0);
	CHECK_EQ(hv_fault(V, MIB(512) + 4096, true), 0);
	CHECK_EQ(bits[0], 0);
	rig_fini();
}

static void t_invalidation(void)
{
	struct hv_slot s = {.id = 5, .gpa = MIB(16), .size = MIB(1), .pa = HV_PA_ASK};
	struct npt_walk w;
	u64 gen;

	CHECK(rig_init(&svm_ops, 1, HV_PV_NONE));
	CHECK_EQ(hv_slot_set(&rig.vm, &s), 0);
	CHECK_EQ(hv_fault(V, MIB(16), true), 0);
	CHECK(npt_lookup(&rig.vm.npt, MIB(16), &w));
	/* A vCPU that is in the guest is waited for. */
	V->in_guest = true;
	gen = rig.vm.tlb_gen;
	rig.kicks = 0;
	hv_mmu_begin(&rig.vm, MIB(16), 4096);
	CHECK_EQ(rig.kicks, 1);
	CHECK(rig.vm.tlb_gen > gen);
	CHECK(!npt_lookup(&rig.vm.npt, MIB(16), &w));
	/* Meanwhile nothing is mapped, though the host answers. */
	CHECK_EQ(hv_fault(V, MIB(16), true), 0);
	CHECK(!npt_lookup(&rig.vm.npt, MIB(16), &w));
	hv_mmu_end(&rig.vm);
	CHECK_EQ(hv_fault(V, MIB(16), true), 0);
	CHECK(npt_lookup(&rig.vm.npt, MIB(16), &w));
	hv_unmap(&rig.vm, MIB(16), 4096);
	CHECK(!npt_lookup(&rig.vm.npt, MIB(16), &w));
	/* A mapping of the host's own over it, and a large one over both. */
	CHECK_EQ(hv_map(&rig.vm, MIB(16), 0x7000, 4096, NPT_READ), 0);
	CHECK(npt_lookup(&rig.vm.npt, MIB(16), &w) && w.pa == 0x7000);
	CHECK_EQ(hv_map(&rig.vm, MIB(16), MIB(4), MIB(2), NPT_RWX), 0);
	CHECK(npt_lookup(&rig.vm.npt, MIB(16), &w) && w.size == MIB(2));
	CHECK(!rig.vm.npt.garbage);
	rig_fini();
	CHECK_EQ(rig.pages, 0);
}

static void replace_table(void)
{
	CHECK(!npt_map(&rig.vm.npt, MIB(16), MIB(4), MIB(2), NPT_RWX));
	CHECK(rig.vm.npt.garbage);
}

/* A table that becomes garbage while a flush goes on is not freed after that flush: the vCPU that
 * has left for it may be in the guest again since, and walk it. */
static void t_garbage_of_another(void)
{
	CHECK(rig_init(&svm_ops, 1, HV_PV_NONE));
	CHECK_EQ(hv_map(&rig.vm, MIB(16), 0x7000, 4096, NPT_READ), 0);
	CHECK_EQ(hv_map(&rig.vm, MIB(32), 0x8000, 4096, NPT_READ), 0);
	V->in_guest = true;
	rig.on_kick = replace_table;
	hv_unmap(&rig.vm, MIB(32), 4096);
	CHECK(rig.vm.npt.garbage);
	rig.on_kick = NULL;
	hv_unmap(&rig.vm, MIB(32), 4096);
	CHECK(!rig.vm.npt.garbage);
	rig_fini();
	CHECK_EQ(rig.pages, 0);
}

static struct x86_state before, after;

static void t_state(void)
{
	static const struct vt_ops *const both[] = {&svm_ops, &vmx_ops};
	struct hv_exit e;

	for (unsigned i = 0; i < 2; i++) {
		CHECK(rig_init(both[i], 1, HV_PV_KVM));
		CHECK_EQ(hv_vcpu_get(V, &before), 0);
		for (unsigned r = 0; r < 16; r++)
			before.gpr[r] = 0x1000 + r;
		before.cr2 = 0x80050033; /* what the rig's processor has */
		before.cr3 = 0x5000;
		before.dr[1] = 0x77;
		before.dr7 = 0x401;
		before.xcr0 = 7;
		before.cr8 = 3;
		before.nmi_pending = true;
		before.exc_pending = true;
		before.exc_vector = 13;
		before.exc_has_error = true;
		before.exc_error = 0x18;
		before.seg[X86_FS].base = 0x12345000;
		before.seg[X86_GS].attr = X86_SEG_UNUSABLE;
		before.ldtr.attr |= X86_SEG_UNUSABLE;
		before.xsave[600] = 9;
		CHECK_EQ(hv_vcpu_set(V, &before), 0);
		V->event.valid = false;
		/* A stay in the guest, so that all of it goes through the hardware's form. */
		CODE(0xf4);
		V->request = 0;
		CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
		hv_vcpu_put(V);
		CHECK_EQ(hv_vcpu_get(V, &after), 0);
		CHECK_EQ(after.mp_state, X86_MP_HALTED);
		CHECK_EQ(after.rip, before.rip + 1);
		CHECK(!memcmp(after.gpr, before.gpr, sizeof(after.gpr)));
		CHECK_EQ(after.seg[X86_FS].base, 0x12345000);
		CHECK(after.seg[X86_GS].attr & X86_SEG_UNUSABLE);
		CHECK_EQ(after.seg[X86_CS].attr, 0xc09b);
		CHECK_EQ(after.seg[X86_CS].limit, 0xffffffff);
		CHECK_EQ(after.tr.attr, before.tr.attr);
		CHECK_EQ(after.cr0, before.cr0);
		CHECK_EQ(after.cr2, before.cr2);
		CHECK_EQ(after.cr3, before.cr3);
		CHECK_EQ(after.dr7, 0x401);
		CHECK_EQ(after.xcr0, 7);
		CHECK_EQ(rig.cr8, 3);
		CHECK_EQ(after.xsave[600], 9);
		CHECK(after.nmsrs > 16);
		rig_fini();
	}
}

static void t_bad_state(void)
{
	CHECK(rig_init(&svm_ops, 1, HV_PV_NONE));
	CHECK_EQ(hv_vcpu_get(V, &before), 0);
	after = before;
	after.xcr0 = 1 << 9;
	CHECK_EQ(hv_vcpu_set(V, &after), (u64)-E_INVAL);
	after = before;
	after.nmsrs = X86_STATE_MSRS + 1;
	CHECK_EQ(hv_vcpu_set(V, &after), (u64)-E_INVAL);
	after = before;
	after.efer = BIT(40);
	CHECK_EQ(hv_vcpu_set(V, &after), (u64)-E_INVAL);
	after = before;
	after.msr[0] = (struct x86_msr){0xdead, 1};
	after.nmsrs = 1;
	CHECK_EQ(hv_vcpu_set(V, &after), (u64)-E_INVAL);
	/* An XSAVE image that XRSTOR would refuse is trimmed. */
	after = before;
	memset(after.xsave, 0xff, sizeof(after.xsave));
	CHECK_EQ(hv_vcpu_set(V, &after), 0);
	CHECK_EQ(*(u64 *)(V->xsave + 520), 0);
	CHECK_EQ(*(u32 *)(V->xsave + 24), 0xffff);
	rig_fini();
}

static void t_processor(void)
{
	const struct vt_ops *vt;
	const char *why;

	memset(&rig, 0, sizeof(rig));
	CHECK_EQ(hv_probe(&vt, &why), 0);
	CHECK(vt == &svm_ops);
	rig.intel = true;
	CHECK_EQ(hv_probe(&vt, &why), 0);
	CHECK(vt == &vmx_ops);
	rig.no_virt = true;
	CHECK_EQ(hv_probe(&vt, &why), (u64)-E_NODEV);
	CHECK(strstr(why, "VMX"));
	rig.intel = false;
	CHECK_EQ(hv_probe(&vt, &why), (u64)-E_NODEV);
	CHECK(strstr(why, "SVM"));
	rig.no_virt = false;
	rig.msr[(0xc0010114 ^ 0xc0010114 >> 26) % 0x40] = 16;
	CHECK_EQ(svm_probe(&why), (u64)-E_NODEV);
	CHECK(strstr(why, "firmware"));
	/* Somebody else is there already. */
	memset(&rig, 0, sizeof(rig));
	CHECK_EQ(hv_cpu_enable(), (u64)-E_NODEV);
	CHECK_EQ(hv_cpu_prepare(&rig.cpu, &svm_ops), 0);
	hw_wrmsr(MSR_EFER, EFER_SVME);
	CHECK_EQ(hv_cpu_enable(), (u64)-E_BUSY);
	hv_cpu_disable();
	hv_cpu_release(&rig.cpu);
	CHECK_EQ(hv_cpu_prepare(&rig.cpu, &vmx_ops), 0);
	rig.cr4 = CR4_VMXE;
	CHECK_EQ(hv_cpu_enable(), (u64)-E_BUSY);
	hv_cpu_release(&rig.cpu);
	rig.page_limit = 1;
	CHECK_EQ(hv_cpu_prepare(&rig.cpu, &vmx_ops), (u64)-E_NOMEM);
	CHECK_EQ(hv_cpu_prepare(&rig.cpu, &svm_ops), (u64)-E_NOMEM);
	CHECK_EQ(rig.pages, 0);
}

static void t_no_memory(void)
{
	/* However little there is, nothing is lost. */
	for (unsigned i = 0; i < 2; i++)
		for (unsigned limit = 1; limit < 12; limit++) {
			const struct vt_ops *vt = i ? &vmx_ops : &svm_ops;
			struct hv_vm_config cfg = {.ops = &rig.ops};
			struct vcpu_bus bus = {0};

			memset(&rig, 0, sizeof(rig));
			rig.page_limit = limit;
			if (!hv_vm_init(&rig.vm, vt, &cfg)) {
				hv_vcpu_init(&rig.v[0], &rig.vm, 0, &bus);
				hv_vcpu_fini(&rig.v[0]);
			}
			hv_vm_fini(&rig.vm);
			CHECK_EQ(rig.pages, 0);
		}
}

static void t_vcpu_refused(void)
{
	struct vcpu_bus bus = {0};

	CHECK(rig_init(&svm_ops, 1, HV_PV_NONE));
	CHECK_EQ(hv_vcpu_init(&rig.v[1], &rig.vm, HV_MAX_VCPUS, &bus), (u64)-E_INVAL);
	CHECK_EQ(hv_vcpu_init(&rig.v[1], &rig.vm, 0, &bus), (u64)-E_EXIST);
	rig.v[1].vm = NULL;
	rig_fini();
}

/* ---- consistency checkers ------------------------------------------------------------------ */

static bool svm_says(const char *what)
{
	const char *rule = svm_check(V);

	if (rule && strstr(rule, what))
		return true;
	printf("# '%s', expected '%s'\n", rule ? rule : "(fine)", what);
	return false;
}

/* Change one field, ask, and put it back. */
#define BREAKS(field, val, what)                                                                   \
	do {                                                                                       \
		struct vmcb keep_ = *c;                                                            \
		c->field = (val);                                                                  \
		CHECK(svm_says(what));                                                             \
		*c = keep_;                                                                        \
		CHECK(!svm_check(V));                                                              \
	} while (0)

static void t_svm_check(void)
{
	struct hv_exit e;
	struct vmcb *c;

	CHECK(rig_init(&svm_ops, 1, HV_PV_NONE));
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	c = svm_vmcb(V);
	CHECK(!svm_check(V));
	BREAKS(efer, 0, "SVME");
	BREAKS(cr0, CR0_NW | CR0_PE, "CR0.NW");
	BREAKS(cr0, BIT(32), "CR0[63:32]");
	BREAKS(cr4, BIT(40), "CR4");
	BREAKS(dr6, BIT(32), "DR6");
	BREAKS(efer, EFER_SVME | BIT(50), "EFER");
	BREAKS(misc2, 0, "VMRUN");
	BREAKS(iopm, BIT(60), "map");
	BREAKS(asid, 0, "ASID");
	BREAKS(event, BIT(31) | 1 << 8, "event");
	BREAKS(event, BIT(31) | 3 << 8 | 2, "event");
	BREAKS(event, BIT(31) | 3 << 8 | 40, "event");
	BREAKS(pat, 2, "PAT");
	BREAKS(ncr3, 5, "nCR3");
	BREAKS(cr0, CR0_PG, "CR0.PG");
	BREAKS(rflags, 0, "RFLAGS");
	c->efer = EFER_SVME | EFER_LME | EFER_LMA;
	c->cr0 |= CR0_PG;
	CHECK(svm_says("CR4.PAE"));
	c->cr4 |= CR4_PAE;
	c->cs.attr = 0xe9b;
	CHECK(svm_says("CS.L"));
	c->cr0 = CR0_PG;
	CHECK(svm_says("CR0.PE"));
	c->cr3 = BIT(60);
	CHECK(svm_says("CR3"));
	/* A debug build does not enter then. */
	c->rflags = 0;
	V->mp = X86_MP_RUNNING;
	V->st.cr0 |= CR0_NW;
	hv_touch(V, HV_G_CR);
	CHECK_EQ(rig_run(&e), HV_EXIT_ERROR);
	CHECK(strstr(e.reason, "CR0.CD"));
	rig_fini();
}

static bool vmx_says(const char *what)
{
	const char *rule = vmx_check(V);

	if (rule && strstr(rule, what))
		return true;
	printf("# '%s', expected '%s'\n", rule ? rule : "(fine)", what);
	return false;
}

#define VBREAKS(field, val, what)                                                                  \
	do {                                                                                       \
		u64 keep_ = rig.vmcs[field];                                                       \
		rig.vmcs[field] = (val);                                                           \
		CHECK(vmx_says(what));                                                             \
		rig.vmcs[field] = keep_;                                                           \
		CHECK(!vmx_check(V));                                                              \
	} while (0)

static void t_vmx_check(void)
{
	struct hv_exit e;
	u64 *m = rig.vmcs;

	CHECK(rig_init(&vmx_ops, 1, HV_PV_NONE));
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK(!vmx_check(V));
	VBREAKS(VMCS_GUEST_CR0, CR0_PG | CR0_NE, "CR0.PG");
	VBREAKS(VMCS_GUEST_CR0, CR0_PE, "CR0.NE");
	VBREAKS(VMCS_GUEST_CR4, 0, "CR4.VMXE");
	VBREAKS(VMCS_ENTRY, ENTRY_LONG, "IA-32e mode without");
	VBREAKS(VMCS_GUEST_CR4, CR4_VMXE | CR4_PCIDE, "PCIDE");
	VBREAKS(VMCS_GUEST_EFER, EFER_LMA, "EFER.LMA");
	VBREAKS(VMCS_GUEST_DR7, BIT(32), "DR7");
	VBREAKS(VMCS_GUEST_RFLAGS, FL_FIXED | FL_VM, "virtual-8086");
	VBREAKS(VMCS_GUEST_AR + 2, 0xc092, "CS has");
	VBREAKS(VMCS_GUEST_AR + 4, 0xc09b, "SS has");
	VBREAKS(VMCS_GUEST_AR + 6, 0xc092, "data segment");
	VBREAKS(VMCS_GUEST_AR + 6, 0xc013, "not present");
	VBREAKS(VMCS_GUEST_AR + 6, 0x4093, "G does not fit");
	VBREAKS(VMCS_GUEST_AR + 14, 0x89, "busy TSS");
	VBREAKS(VMCS_GUEST_AR + 12, 0x83, "LDTR");
	VBREAKS(VMCS_GUEST_RIP, BIT(33), "RIP");
	VBREAKS(VMCS_GUEST_RFLAGS, 0, "RFLAGS");
	VBREAKS(VMCS_ENTRY_EVENT, BIT(31) | 0x40, "interrupts are blocked");
	VBREAKS(VMCS_GUEST_SHADOW, SHADOW_STI, "STI");
	VBREAKS(VMCS_ENTRY_EVENT, BIT(31) | 3 << 8 | 13, "error code");
	m[VMCS_ENTRY] = ENTRY_LONG;
	m[VMCS_GUEST_EFER] = EFER_LMA | EFER_LME;
	m[VMCS_GUEST_CR0] |= CR0_PG;
	m[VMCS_GUEST_CR4] |= CR4_PAE;
	CHECK(!vmx_check(V));
	VBREAKS(VMCS_GUEST_AR + 2, 0xe09b, "CS.L");
	rig_fini();
	/* Loose state is made what entry wants: G by limit, accessed, busy. */
	CHECK(rig_init(&vmx_ops, 1, HV_PV_NONE));
	V->st.seg[X86_DS].attr = 0x92;
	V->st.tr.attr = 0x89;
	V->st.seg[X86_ES].attr = 0x13;
	hv_touch(V, HV_G_SEG);
	CHECK_EQ(rig_run(&e), HV_EXIT_HALT);
	CHECK_EQ(m[VMCS_GUEST_AR + 6], 0x8093);
	CHECK_EQ(m[VMCS_GUEST_AR + 14], 0x8b);
	CHECK(m[VMCS_GUEST_AR] & X86_SEG_UNUSABLE);
	rig_fini();
}

int main(void)
{
	RUN(t_slots);
	RUN(t_bytes);
	RUN(t_large_pages_on_fault);
	RUN(t_dirty_log);
	RUN(t_invalidation);
	RUN(t_garbage_of_another);
	RUN(t_state);
	RUN(t_bad_state);
	RUN(t_processor);
	RUN(t_no_memory);
	RUN(t_vcpu_refused);
	RUN(t_svm_check);
	RUN(t_vmx_check);
	return test_done();
}
