// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* A vCPU: life, mapping, KVM_RUN, and the ioctls that are not mere registers (regs.c). */
#include "kmod/kmod.h"

#include <linux/anon_inodes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define REFILLS 16 /* tries to find memory for page tables before giving up */

/* ---- KVM_RUN --------------------------------------------------------------------------- */

/* Sleeping or preempted: the next thread may run another vCPU here, or this one elsewhere. */
static void sched_out(struct preempt_notifier *n, struct task_struct *next)
{
	unsigned long flags;

	local_irq_save(flags);
	hv_vcpu_put(&container_of(n, struct kmod_vcpu, notifier)->hv);
	local_irq_restore(flags);
}

static void sched_in(struct preempt_notifier *n, int cpu)
{
}

static struct preempt_ops preempt_ops = {.sched_in = sched_in, .sched_out = sched_out};

static void load(struct kmod_vcpu *v)
{
	preempt_notifier_init(&v->notifier, &preempt_ops);
	preempt_disable();
	preempt_notifier_register(&v->notifier);
	preempt_enable();
}

static void put(struct kmod_vcpu *v)
{
	preempt_disable();
	preempt_notifier_unregister(&v->notifier);
	sched_out(&v->notifier, NULL);
	preempt_enable();
}

/* RUN_ON: stay in the loop; else KVM_RUN's result. */
#define RUN_ON 1

/* immediate_exit leaves the last exit's reason where it is. */
static long interrupted(struct kmod_vcpu *v)
{
	if (!READ_ONCE(v->run->immediate_exit))
		v->run->exit_reason = KVM_EXIT_INTR;
	return -EINTR;
}

static long on_halt(struct kmod_vcpu *v)
{
	if (!v->vm->chip && v->hv.mp == X86_MP_HALTED) {
		v->hv.mp = X86_MP_RUNNING;
		v->run->exit_reason = KVM_EXIT_HLT;
		return 0;
	}
	if (wait_event_interruptible(v->wq, hv_vcpu_ready(&v->hv)))
		return interrupted(v);
	return RUN_ON;
}

/* Page-table pages come from what is there at once; refill that and try again. */
static long on_memory(struct kmod_vcpu *v, const struct hv_exit *e, unsigned *tries)
{
	unsigned long page;

	if (e->err != ENOMEM || ++*tries > REFILLS)
		return e->err == ENOMEM ? -ENOMEM : -EFAULT;
	page = __get_free_page(GFP_KERNEL_ACCOUNT);
	if (!page)
		return -ENOMEM;
	free_page(page);
	return RUN_ON;
}

static long on_debug(struct kmod_vcpu *v, const struct hv_exit *e)
{
	v->run->exit_reason = KVM_EXIT_DEBUG;
	v->run->debug.arch =
		(struct kvm_debug_exit_arch){.exception = e->vector, .pc = e->addr, .dr6 = e->dr6};
	return 0;
}

static long on_error(struct kmod_vcpu *v, const struct hv_exit *e)
{
	pr_info_ratelimited("hull: vcpu %u at %llx: %s\n", v->hv.index, v->hv.rip, e->reason);
	v->run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	v->run->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	v->run->internal.ndata = 0;
	return 0;
}

static long on_exit(struct kmod_vcpu *v, const struct hv_exit *e, unsigned *tries)
{
	switch (e->kind) {
	case HV_EXIT_KICK:
	case HV_EXIT_YIELD:
		if (v->wait == KMOD_POSTED) {
			v->wait = KMOD_WAIT_NOTHING;
			return 0;
		}
		if (signal_pending(current))
			return interrupted(v);
		if (e->kind == HV_EXIT_YIELD)
			yield();
		cond_resched();
		return RUN_ON;
	case HV_EXIT_HALT:
		return on_halt(v);
	case HV_EXIT_DEFER:
		return 0;
	case HV_EXIT_SHUTDOWN:
		v->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return 0;
	case HV_EXIT_DEBUG:
		return on_debug(v, e);
	case HV_EXIT_WINDOW:
		v->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
		return 0;
	case HV_EXIT_MEMORY:
		return on_memory(v, e, tries);
	default:
		return on_error(v, e);
	}
}

static void before(struct kmod_vcpu *v)
{
	if (v->vm->chip)
		return;
	v->cr8 = v->run->cr8 & 15;
	hv_vcpu_want_window(&v->hv, v->run->request_interrupt_window);
}

static void after(struct kmod_vcpu *v)
{
	v->run->if_flag = v->hv.rflags >> 9 & 1;
	v->run->flags = 0;
	v->run->ready_for_interrupt_injection = v->vm->chip || hv_vcpu_can_inject(&v->hv);
	v->run->cr8 = kmod_bus.cr8_read(v);
	kmod_bus.msr_read(v, 0x1b, &v->run->apic_base);
}

/* Finish the instruction that waited for user space, and no more. */
void kmod_finish(struct kmod_vcpu *v)
{
	struct hv_exit e;

	if (v->wait == KMOD_WAIT_NOTHING)
		return;
	kmod_answer(v);
	hv_vcpu_kick(&v->hv);
	load(v);
	hv_vcpu_run(&v->hv, &e);
	put(v);
}

static long run(struct kmod_vcpu *v)
{
	unsigned tries = 0;
	struct hv_exit e;
	long ret = kmod_sync_from_run(v);

	if (ret)
		return ret;
	v->ran = true;
	kmod_answer(v);
	if (READ_ONCE(v->run->immediate_exit))
		hv_vcpu_kick(&v->hv);
	before(v);
	load(v);
	do {
		hv_vcpu_run(&v->hv, &e);
		if (e.kind == HV_EXIT_KICK && v->wait != KMOD_POSTED &&
		    READ_ONCE(v->run->immediate_exit))
			ret = interrupted(v);
		else
			ret = on_exit(v, &e, &tries);
	} while (ret == RUN_ON);
	put(v);
	after(v);
	kmod_sync_to_run(v);
	return ret;
}

/* ---- ioctls ------------------------------------------------------------------------------- */

static long set_debug(struct kmod_vcpu *v, const struct kvm_guest_debug __user *u)
{
	struct kvm_guest_debug g;
	struct vcpu_debug d = {};
	u64 dr7;

	if (copy_from_user(&g, u, sizeof(g)))
		return -EFAULT;
	if (!(g.control & KVM_GUESTDBG_ENABLE))
		return hv_vcpu_debug(&v->hv, NULL);
	dr7 = g.arch.debugreg[7];
	d.step = g.control & KVM_GUESTDBG_SINGLESTEP;
	for (unsigned i = 0; i < 4 && g.control & KVM_GUESTDBG_USE_HW_BP; i++) {
		unsigned rw = dr7 >> (16 + i * 4) & 3, len = dr7 >> (18 + i * 4) & 3;

		if (!(dr7 >> i * 2 & 3))
			continue;
		if (!rw) {
			d.breaks[d.nbreaks++] = g.arch.debugreg[i];
			continue;
		}
		d.watch[d.nwatch].addr = g.arch.debugreg[i];
		d.watch[d.nwatch].len = len == 2 ? 8 : len + 1;
		d.watch[d.nwatch].on_read = rw == 3;
		d.watch[d.nwatch++].on_write = true;
	}
	return hv_vcpu_debug(&v->hv, &d);
}

static long interrupt(struct kmod_vcpu *v, const struct kvm_interrupt __user *u)
{
	struct kvm_interrupt k;

	if (copy_from_user(&k, u, sizeof(k)))
		return -EFAULT;
	if (k.irq > 255)
		return -EINVAL;
	if (v->vm->chip)
		return -ENXIO;
	return hv_vcpu_queue_irq(&v->hv, k.irq) ? -EEXIST : 0;
}

static long translate(struct kmod_vcpu *v, struct kvm_translation __user *u)
{
	struct kvm_translation t;
	u64 gpa;

	if (copy_from_user(&t, u, sizeof(t)))
		return -EFAULT;
	gpa = hv_vcpu_translate(&v->hv, t.linear_address);
	t.physical_address = gpa;
	t.valid = gpa != ~0ULL;
	t.writeable = 1;
	t.usermode = 0;
	return copy_to_user(u, &t, sizeof(t)) ? -EFAULT : 0;
}

static long lapic_state(struct kmod_vcpu *v, void __user *u, bool set)
{
	u8 *page;
	long err = 0;

	if (!v->vm->chip)
		return -EINVAL;
	page = kmalloc(CHIP_LAPIC_BYTES, GFP_KERNEL_ACCOUNT);
	if (!page)
		return -ENOMEM;
	if (!set)
		chip_lapic_get(v->vm->chip, v->hv.index, page);
	if (set ? copy_from_user(page, u, CHIP_LAPIC_BYTES) != 0
		: copy_to_user(u, page, CHIP_LAPIC_BYTES) != 0)
		err = -EFAULT;
	else if (set)
		chip_lapic_set(v->vm->chip, v->hv.index, page);
	kfree(page);
	return err;
}

/* The one attribute there is: what the guest's TSC is ahead of the processor's. */
static long attribute(struct kmod_vcpu *v, unsigned cmd, struct kvm_device_attr __user *u)
{
	u64 now = v->vm->hv.tsc_offset + v->hv.tsc_base + v->hv.tsc_adjust, val;
	struct kvm_device_attr k;
	u64 __user *p;

	if (copy_from_user(&k, u, sizeof(k)))
		return -EFAULT;
	if (k.group != KVM_VCPU_TSC_CTRL || k.attr != KVM_VCPU_TSC_OFFSET)
		return -ENXIO;
	p = (u64 __user *)k.addr;
	if (cmd == KVM_GET_DEVICE_ATTR)
		return put_user(now, p);
	if (cmd == KVM_SET_DEVICE_ATTR) {
		if (get_user(val, p))
			return -EFAULT;
		v->hv.tsc_base += val - now;
	}
	return 0;
}

static long enable_cap(const struct kvm_enable_cap __user *u)
{
	u32 cap;

	if (get_user(cap, &u->cap))
		return -EFAULT;
	return cap == KVM_CAP_ENFORCE_PV_FEATURE_CPUID ? 0 : -EINVAL; /* it always is */
}

static long vcpu_ioctl_locked(struct kmod_vcpu *v, unsigned cmd, unsigned long arg)
{
	void __user *u = (void __user *)arg;

	switch (cmd) {
	case KVM_RUN:
		return arg ? -EINVAL : run(v);
	case KVM_NMI:
		hv_vcpu_nmi(&v->hv);
		return 0;
	case KVM_INTERRUPT:
		return interrupt(v, u);
	case KVM_SET_GUEST_DEBUG:
		return set_debug(v, u);
	case KVM_TRANSLATE:
		return translate(v, u);
	case KVM_GET_LAPIC:
	case KVM_SET_LAPIC:
		return lapic_state(v, u, cmd == KVM_SET_LAPIC);
	case KVM_GET_TSC_KHZ:
		return port_tsc_khz();
	case KVM_SET_TSC_KHZ:
		return !arg || arg == port_tsc_khz() ? 0 : -EINVAL;
	case KVM_HAS_DEVICE_ATTR:
	case KVM_GET_DEVICE_ATTR:
	case KVM_SET_DEVICE_ATTR:
		return attribute(v, cmd, u);
	case KVM_ENABLE_CAP:
		return enable_cap(u);
	case KVM_GET_STATS_FD:
		return kmod_stats_fd(v->vm, v);
	case KVM_SET_VAPIC_ADDR: /* a shadow of the TPR for guests that patch themselves: not kept
				  */
		return v->vm->chip ? 0 : -EINVAL;
	case KVM_KVMCLOCK_CTRL:
		return hv_pv_clock_stopped(&v->hv) ? -EINVAL : 0;
	default:
		return kmod_regs_ioctl(v, cmd, arg);
	}
}

static long vcpu_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct kmod_vcpu *v = f->private_data;
	long ret;

	if (v->vm->mm != current->mm)
		return -EIO;
	if (_IOC_TYPE(cmd) != KVMIO)
		return -EINVAL;
	if (mutex_lock_killable(&v->lock))
		return -EINTR;
	ret = vcpu_ioctl_locked(v, cmd, arg);
	mutex_unlock(&v->lock);
	return ret;
}

/* ---- the mapping -------------------------------------------------------------------------- */

static vm_fault_t vcpu_fault(struct vm_fault *vmf)
{
	struct kmod_vcpu *v = vmf->vma->vm_file->private_data;

	if (vmf->pgoff > 2)
		return VM_FAULT_SIGBUS;
	vmf->page = virt_to_page(vmf->pgoff == 2 ? v->vm->ring
						 : (void *)v->run + vmf->pgoff * PAGE_SIZE);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {.fault = vcpu_fault};

static int vcpu_mmap(struct file *f, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff + vma_pages(vma) > 3 || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

/* ---- life ---------------------------------------------------------------------------------- */

static int vcpu_release(struct inode *inode, struct file *f)
{
	struct kmod_vcpu *v = f->private_data;

	kmod_vm_put(v->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};

void kmod_vcpu_free(struct kmod_vcpu *v)
{
	kmod_stats_add(v);
	hv_vcpu_fini(&v->hv);
	if (v->run) {
		free_page((unsigned long)v->run + PAGE_SIZE);
		free_page((unsigned long)v->run);
	}
	vfree(v);
}

/* run's two pages are counted one by one, for vcpu_fault. */
static void *run_pages(void)
{
	struct page *p = alloc_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO, 1);

	if (!p)
		return NULL;
	split_page(p, 1);
	return page_address(p);
}

/* Which one starts, when others wait for it; without a chip nobody in the module could start them.
 */
static void boot_cpu(struct kmod_vcpu *v)
{
	bool boot = v->hv.index == v->vm->boot_cpu;
	u64 base;

	v->hv.mp = boot || !v->vm->chip ? X86_MP_RUNNING : X86_MP_WAIT_SIPI;
	base = (v->vm->chip ? chip_apic_base(v->vm->chip, v->hv.index) : 0xfee00800) & ~0x100ull;
	base |= boot ? 0x100 : 0;
	v->apic_base = base;
	if (v->vm->chip)
		chip_apic_base_set(v->vm->chip, v->hv.index, base);
}

static struct kmod_vcpu *vcpu_new(struct kmod_vm *vm, unsigned index)
{
	struct kmod_vcpu *v = vzalloc(sizeof(*v));
	struct vcpu_bus bus = kmod_bus;
	int err = -ENOMEM;

	if (!v)
		return ERR_PTR(-ENOMEM);
	v->vm = vm;
	mutex_init(&v->lock);
	init_waitqueue_head(&v->wq);
	bus.opaque = v;
	v->run = run_pages();
	if (v->run)
		err = hv_vcpu_init(&v->hv, &vm->hv, index, &bus);
	if (!err && vm->chip)
		err = chip_cpu_add(vm->chip, index, &v->hv);
	if (err) {
		kmod_vcpu_free(v);
		return ERR_PTR(err);
	}
	boot_cpu(v);
	return v;
}

/* With the VM's lock. The vCPU lives as long as the VM. */
int kmod_vcpu_create(struct kmod_vm *vm, unsigned long id)
{
	struct kmod_vcpu *v;
	int fd;

	if (id >= HV_MAX_VCPUS || (vm->max_id && id >= vm->max_id))
		return -EINVAL;
	if (vm->vcpu[id])
		return -EEXIST;
	v = vcpu_new(vm, id);
	if (IS_ERR(v))
		return PTR_ERR(v);
	vm->vcpu[id] = v;
	kref_get(&vm->ref);
	fd = anon_inode_getfd("hull-vcpu", &vcpu_fops, v, O_RDWR | O_CLOEXEC);
	if (fd < 0) /* it stays, unused, with the VM */
		kmod_vm_put(vm);
	return fd;
}
