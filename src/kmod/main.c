// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The module: loading and unloading, processors coming and going, and /dev/hull with
 * the ioctls that need no VM.
 *
 * The node has KVM's own minor number. So it cannot be had while KVM is live, and KVM
 * does not start while we have it: two of them would fight for the processors.
 */
#include "kmod/kmod.h"

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/reboot.h>

const struct vt_ops *kmod_vt;
static int cpu_state;

/* ---- processors ---------------------------------------------------------------------- */

static int cpu_on(unsigned cpu)
{
	struct hv_cpu *c = port_cpu(); /* the callback runs on that processor */
	unsigned long flags;
	int err;

	c->id = cpu;
	err = hv_cpu_prepare(c, kmod_vt);
	if (err)
		return err;
	local_irq_save(flags);
	err = hv_cpu_enable();
	local_irq_restore(flags);
	if (err)
		hv_cpu_release(c);
	return err;
}

static void cpu_disable(void *unused)
{
	unsigned long flags;

	local_irq_save(flags);
	hv_cpu_disable();
	local_irq_restore(flags);
}

static int cpu_off(unsigned cpu)
{
	cpu_disable(NULL);
	hv_cpu_release(port_cpu());
	return 0;
}

/* Firmware and the next kernel want a processor without virtualization. */
static int on_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	on_each_cpu(cpu_disable, NULL, 1);
	return NOTIFY_OK;
}

static struct notifier_block reboot_notifier = {.notifier_call = on_reboot};

/* ---- /dev/hull ------------------------------------------------------------------------- */

static const struct {
	u16 cap;
	u16 value;
} extensions[] = {
	{KVM_CAP_IRQCHIP, 1},
	{KVM_CAP_HLT, 1},
	{KVM_CAP_USER_MEMORY, 1},
	{KVM_CAP_SET_TSS_ADDR, 1},
	{KVM_CAP_EXT_CPUID, 1},
	{KVM_CAP_NR_VCPUS, HV_MAX_VCPUS},
	{KVM_CAP_MAX_VCPUS, HV_MAX_VCPUS},
	{KVM_CAP_MAX_VCPU_ID, HV_MAX_VCPUS},
	{KVM_CAP_NR_MEMSLOTS, KMOD_SLOTS},
	{KVM_CAP_MP_STATE, 1},
	{KVM_CAP_COALESCED_MMIO, 2}, /* the ring's page */
	{KVM_CAP_COALESCED_PIO, 1},
	{KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1},
	{KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1},
	{KVM_CAP_USER_NMI, 1},
	{KVM_CAP_IRQ_ROUTING, KMOD_ROUTES},
	{KVM_CAP_IRQ_INJECT_STATUS, 1},
	{KVM_CAP_IRQFD, 1},
	{KVM_CAP_IOEVENTFD, 1},
	{KVM_CAP_IOEVENTFD_ANY_LENGTH, 1},
	{KVM_CAP_PIT2, 1},
	{KVM_CAP_PIT_STATE2, 1},
	{KVM_CAP_SET_IDENTITY_MAP_ADDR, 1},
	{KVM_CAP_ADJUST_CLOCK, KVM_CLOCK_TSC_STABLE},
	{KVM_CAP_VCPU_EVENTS, 1},
	{KVM_CAP_DEBUGREGS, 1},
	{KVM_CAP_XSAVE, 1},
	{KVM_CAP_XSAVE2, 4096},
	{KVM_CAP_XCRS, 1},
	{KVM_CAP_GET_TSC_KHZ, 1},
	{KVM_CAP_TSC_DEADLINE_TIMER, 1},
	{KVM_CAP_KVMCLOCK_CTRL, 1},
	{KVM_CAP_SIGNAL_MSI, 1},
	{KVM_CAP_READONLY_MEM, 1},
	{KVM_CAP_IMMEDIATE_EXIT, 1},
	{KVM_CAP_SET_GUEST_DEBUG, 1},
	{KVM_CAP_SET_BOOT_CPU_ID, 1},
	{KVM_CAP_GET_MSR_FEATURES, 1},
	{KVM_CAP_CHECK_EXTENSION_VM, 1},
	{KVM_CAP_ENABLE_CAP_VM, 1},
	{KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1},
	{KVM_CAP_MSR_PLATFORM_INFO, 1},
	{KVM_CAP_BINARY_STATS_FD, 1},
	{KVM_CAP_DISABLE_QUIRKS2, KMOD_QUIRKS},
	{KVM_CAP_VCPU_ATTRIBUTES, 1},
	{KVM_CAP_SYNC_REGS, KVM_SYNC_X86_VALID_FIELDS},
};

long kmod_extension(unsigned long cap)
{
	for (unsigned i = 0; i < ARRAY_SIZE(extensions); i++)
		if (extensions[i].cap == cap)
			return extensions[i].value;
	return 0;
}

/* Feature MSRs (api.rst 4.3): the microcode's revision alone, the one KVM shows on AMD. */
#define MSR_UCODE_REV 0x8b
#define UCODE_REV 0x01000065ull

static long feature_list(struct kvm_msr_list __user *u)
{
	u32 room;

	if (get_user(room, &u->nmsrs) || put_user(1, &u->nmsrs))
		return -EFAULT;
	if (!room)
		return -E2BIG;
	return put_user(MSR_UCODE_REV, &u->indices[0]);
}

static long feature_read(struct kvm_msrs __user *u)
{
	u32 n, i, msr;

	if (get_user(n, &u->nmsrs))
		return -EFAULT;
	for (i = 0; i < n; i++) {
		if (get_user(msr, &u->entries[i].index))
			return -EFAULT;
		if (msr != MSR_UCODE_REV)
			break;
		if (put_user(UCODE_REV, &u->entries[i].data))
			return -EFAULT;
	}
	return i;
}

static long device_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	void __user *u = (void __user *)arg;

	if (READ_ONCE(cpu_state) <= 0)
		return -ENODEV; /* still loading */
	switch (cmd) {
	case KVM_GET_API_VERSION:
		return arg ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return arg ? -EINVAL : kmod_vm_create();
	case KVM_CHECK_EXTENSION:
		return kmod_extension(arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		return arg ? -EINVAL : 3 * PAGE_SIZE;
	case KVM_GET_SUPPORTED_CPUID:
		return kmod_cpuid_supported(u);
	case KVM_GET_MSR_INDEX_LIST:
		return kmod_msr_list(u);
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return feature_list(u);
	case KVM_GET_MSRS:
		return feature_read(u);
	default:
		return -EINVAL;
	}
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = KVM_MINOR,
	.name = "hull",
	.fops = &device_fops,
};

/* ---- load, unload ------------------------------------------------------------------------ */

static int __init refuse(int err, const char *why)
{
	pr_err("hull: %s\n", why);
	return err;
}

static int __init kmod_load(void)
{
	const char *why = "no virtualization";
	int err = hv_probe(&kmod_vt, &why);

	if (err)
		return refuse(err, why);
	err = misc_register(&device);
	if (err == -EBUSY)
		return refuse(err, "KVM is live: unload kvm_amd or kvm_intel first");
	if (err)
		return refuse(err, "cannot register the device");
	cpu_state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "hull:online", cpu_on, cpu_off);
	if (cpu_state < 0) {
		misc_deregister(&device);
		return refuse(cpu_state, cpu_state == -EBUSY
						 ? "another hypervisor has the processor"
						 : "cannot enable virtualization");
	}
	register_reboot_notifier(&reboot_notifier);
	preempt_notifier_inc();
	kmod_stats_init();
	pr_info("hull: /dev/hull is ready (%s)\n", kmod_vt->name);
	return 0;
}

static void __exit kmod_unload(void)
{
	misc_deregister(&device);
	kmod_stats_exit();
	preempt_notifier_dec();
	unregister_reboot_notifier(&reboot_notifier);
	cpuhp_remove_state(cpu_state);
}

module_init(kmod_load);
module_exit(kmod_unload);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("hull's virtualization core with KVM's ioctls");
