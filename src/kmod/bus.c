// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What the guest reaches outside its memory (struct vcpu_bus): the chip first, then
 * eventfds and coalesced zones, else user space, for which the core defers.
 */
#include "kmod/kmod.h"

static void to_user(struct kmod_vcpu *v, enum kmod_wait what, bool write, unsigned size)
{
	v->wait = what;
	v->was_write = write;
	v->wait_size = size;
	hv_vcpu_defer(&v->hv);
}

static void user_mmio(struct kmod_vcpu *v, u64 gpa, unsigned size, bool write, u64 val)
{
	struct kvm_run *r = v->run;

	r->exit_reason = KVM_EXIT_MMIO;
	r->mmio.phys_addr = gpa;
	r->mmio.len = size;
	r->mmio.is_write = write;
	memcpy(r->mmio.data, &val, sizeof(r->mmio.data));
	to_user(v, KMOD_WAIT_MMIO, write, size);
}

static u64 mmio_read(void *opaque, u64 gpa, unsigned size)
{
	struct kmod_vcpu *v = opaque;
	u64 val = 0;

	if (!v->vm->chip || !chip_mmio(v->vm->chip, v->hv.index, gpa, size, false, &val))
		user_mmio(v, gpa, size, false, 0);
	return val;
}

static void mmio_write(void *opaque, u64 gpa, unsigned size, u64 val)
{
	struct kmod_vcpu *v = opaque;

	if (v->vm->chip && chip_mmio(v->vm->chip, v->hv.index, gpa, size, true, &val))
		return;
	if (kmod_ioeventfd_write(v->vm, false, gpa, size, val) ||
	    kmod_coalesce(v->vm, false, gpa, size, val))
		return;
	user_mmio(v, gpa, size, true, val);
}

/* QEMU's APIC ROM looks behind the OUT that it makes here: api.rst, KVM_X86_QUIRK_OUT_7E_INC_RIP.
 */
#define PORT_VAPIC 0x7e

static void user_pio(struct kmod_vcpu *v, u16 port, unsigned size, bool write, u32 val)
{
	struct kvm_run *r = v->run;

	r->exit_reason = KVM_EXIT_IO;
	r->io.direction = write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
	r->io.size = size;
	r->io.port = port;
	r->io.count = 1;
	r->io.data_offset = PAGE_SIZE;
	memcpy((u8 *)r + PAGE_SIZE, &val, sizeof(val));
	if (write && port == PORT_VAPIC) {
		v->wait = KMOD_POSTED;
		hv_vcpu_kick(&v->hv); /* right after this instruction */
		return;
	}
	to_user(v, KMOD_WAIT_PIO, write, size);
}

static u32 pio_read(void *opaque, u16 port, unsigned size)
{
	struct kmod_vcpu *v = opaque;
	u32 val = 0;

	if (!v->vm->chip || !chip_pio(v->vm->chip, port, size, false, &val))
		user_pio(v, port, size, false, 0);
	return val;
}

static void pio_write(void *opaque, u16 port, unsigned size, u32 val)
{
	struct kmod_vcpu *v = opaque;

	if (v->vm->chip && chip_pio(v->vm->chip, port, size, true, &val))
		return;
	if (kmod_ioeventfd_write(v->vm, true, port, size, val) ||
	    kmod_coalesce(v->vm, true, port, size, val))
		return;
	user_pio(v, port, size, true, val);
}

/* User space has done what it was asked for: tell the core. run is its to write: sizes are ours. */
void kmod_answer(struct kmod_vcpu *v)
{
	u64 val = 0;

	if (v->wait == KMOD_WAIT_NOTHING)
		return;
	if (!v->was_write && v->wait == KMOD_WAIT_PIO)
		memcpy(&val, (u8 *)v->run + PAGE_SIZE, v->wait_size);
	else if (!v->was_write)
		memcpy(&val, v->run->mmio.data, v->wait_size);
	v->wait = KMOD_WAIT_NOTHING;
	hv_vcpu_answer(&v->hv, val);
}

/* ---- MSRs and CR8 of the local APIC -------------------------------------------------- */

#define MSR_APIC_BASE 0x1b

static int msr_read(void *opaque, u32 msr, u64 *val)
{
	struct kmod_vcpu *v = opaque;

	if (v->vm->chip)
		return chip_msr_read(v->vm->chip, v->hv.index, msr, val);
	if (msr != MSR_APIC_BASE)
		return -ENOENT;
	*val = v->apic_base;
	return 0;
}

static int msr_write(void *opaque, u32 msr, u64 val)
{
	struct kmod_vcpu *v = opaque;

	if (v->vm->chip)
		return chip_msr_write(v->vm->chip, v->hv.index, msr, val);
	if (msr != MSR_APIC_BASE)
		return -ENOENT;
	v->apic_base = val;
	return 0;
}

int kmod_msr(void *opaque, struct hv_vcpu *hv, u32 msr, bool write, u64 *val)
{
	struct kmod_vm *vm = opaque;

	return msr == MSR_PLATFORM_INFO && vm->no_platform_info ? -ENOENT : 1;
}

static int irq_ack(void *opaque)
{
	struct kmod_vcpu *v = opaque;

	return v->vm->chip ? chip_ack(v->vm->chip, v->hv.index) : -1;
}

static u8 cr8_read(void *opaque)
{
	struct kmod_vcpu *v = opaque;

	return v->vm->chip ? chip_cr8(v->vm->chip, v->hv.index) : v->cr8;
}

static void cr8_write(void *opaque, u8 val)
{
	struct kmod_vcpu *v = opaque;

	if (v->vm->chip)
		chip_cr8_set(v->vm->chip, v->hv.index, val);
	else
		v->cr8 = val;
}

static void hypercall(void *opaque, u64 r[6])
{
	r[0] = -1000; /* KVM_ENOSYS, linux/kvm_para.h */
}

const struct vcpu_bus kmod_bus = {
	.mmio_read = mmio_read,
	.mmio_write = mmio_write,
	.pio_read = pio_read,
	.pio_write = pio_write,
	.msr_read = msr_read,
	.msr_write = msr_write,
	.irq_ack = irq_ack,
	.cr8_read = cr8_read,
	.cr8_write = cr8_write,
	.hypercall = hypercall,
};
