/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VMX instructions (SDM vol. 3C chapter 31) and the host's side of a VMCS.
 */
#include "core/cpu/vmx/vmx.h"

extern const u8 vmx_exit_asm[];

struct table {
	u16 limit;
	u64 base;
} __attribute__((packed));

u64 vmx_read(u32 field)
{
	u64 val = 0;

	__asm__ volatile("vmread %1, %0" : "=rm"(val) : "r"((u64)field) : "cc");
	return val;
}

void vmx_write(u32 field, u64 val)
{
	__asm__ volatile("vmwrite %0, %1" ::"rm"(val), "r"((u64)field) : "cc");
}

int vmx_on(u64 pa)
{
	u8 failed;

	__asm__ volatile("vmxon %1; setna %0" : "=qm"(failed) : "m"(pa) : "cc", "memory");
	return failed ? -E_IO : 0;
}

void vmx_off(void)
{
	__asm__ volatile("vmxoff" ::: "cc", "memory");
}

int vmx_clear(u64 pa)
{
	u8 failed;

	__asm__ volatile("vmclear %1; setna %0" : "=qm"(failed) : "m"(pa) : "cc", "memory");
	return failed ? -E_IO : 0;
}

int vmx_ptrld(u64 pa)
{
	u8 failed;

	__asm__ volatile("vmptrld %1; setna %0" : "=qm"(failed) : "m"(pa) : "cc", "memory");
	return failed ? -E_IO : 0;
}

void vmx_invept(u64 eptp)
{
	struct {
		u64 eptp, zero;
	} d = {eptp, 0};

	__asm__ volatile("invept %0, %1" ::"m"(d), "r"(1ULL) : "cc", "memory");
}

void vmx_host_nmi(void)
{
	__asm__ volatile("int $2");
}

/* A selector with RPL or TI set cannot be in the VMCS: 0, and put back by hand. */
static u64 host_sel(u16 sel)
{
	return sel & 7 ? 0 : sel;
}

static u64 tss_base(const struct table *gdt, u16 tr)
{
	const u64 *d = (const u64 *)(uintptr_t)(gdt->base + tr);

	return bits_get(d[0], 16, 24) | bits_get(d[0], 56, 8) << 24 | d[1] << 32;
}

#define SELECTOR(name)                                                                             \
	({                                                                                         \
		u16 sel_;                                                                          \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(sel_));                              \
		sel_;                                                                              \
	})

void vmx_host_save(void)
{
	struct table gdt, idt;
	u16 tr;

	__asm__ volatile("sgdt %0; sidt %1; str %2" : "=m"(gdt), "=m"(idt), "=rm"(tr));
	vmx_write(VMCS_HOST_CR0, hw_cr_read(0));
	vmx_write(VMCS_HOST_SEL + 0, host_sel(SELECTOR(es)));
	vmx_write(VMCS_HOST_SEL + 2, SELECTOR(cs));
	vmx_write(VMCS_HOST_SEL + 4, SELECTOR(ss));
	vmx_write(VMCS_HOST_SEL + 6, host_sel(SELECTOR(ds)));
	vmx_write(VMCS_HOST_SEL + 8, 0);
	vmx_write(VMCS_HOST_SEL + 10, 0);
	vmx_write(VMCS_HOST_SEL + 12, tr);
	vmx_write(VMCS_HOST_FS_BASE, hw_rdmsr(MSR_FS_BASE));
	vmx_write(VMCS_HOST_GS_BASE, hw_rdmsr(MSR_GS_BASE));
	vmx_write(VMCS_HOST_TR_BASE, tss_base(&gdt, tr));
	vmx_write(VMCS_HOST_GDTR_BASE, gdt.base);
	vmx_write(VMCS_HOST_IDTR_BASE, idt.base);
	vmx_write(VMCS_HOST_SYSENTER_CS, hw_rdmsr(MSR_SYSENTER_CS));
	vmx_write(VMCS_HOST_SYSENTER_ESP, hw_rdmsr(MSR_SYSENTER_ESP));
	vmx_write(VMCS_HOST_SYSENTER_EIP, hw_rdmsr(MSR_SYSENTER_EIP));
	vmx_write(VMCS_HOST_EFER, hw_rdmsr(MSR_EFER));
	vmx_write(VMCS_HOST_PAT, hw_rdmsr(MSR_PAT));
	vmx_write(VMCS_HOST_RIP, (u64)(uintptr_t)vmx_exit_asm);
}

void vmx_host_refresh(void)
{
	vmx_write(VMCS_HOST_CR3, hw_cr_read(3));
	vmx_write(VMCS_HOST_CR4, hw_cr_read(4));
}

void vmx_host_tables_save(struct vmx_host_tables *t)
{
	struct table gdt, idt;

	__asm__ volatile("sgdt %0; sidt %1" : "=m"(gdt), "=m"(idt));
	*t = (struct vmx_host_tables){.gdt_limit = gdt.limit,
				      .gdt_base = gdt.base,
				      .idt_limit = idt.limit,
				      .idt_base = idt.base,
				      .ds = SELECTOR(ds),
				      .es = SELECTOR(es)};
}

void vmx_host_tables_restore(const struct vmx_host_tables *t)
{
	struct table gdt = {t->gdt_limit, t->gdt_base}, idt = {t->idt_limit, t->idt_base};

	__asm__ volatile("lgdt %0; lidt %1" ::"m"(gdt), "m"(idt));
	if (t->ds & 7)
		__asm__ volatile("mov %0, %%ds" ::"r"(t->ds));
	if (t->es & 7)
		__asm__ volatile("mov %0, %%es" ::"r"(t->es));
}
