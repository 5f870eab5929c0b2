// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* A VM: life, memory slots on the process' memory, the MMU notifier, and its ioctls. */
#include "kmod/kmod.h"

#include <linux/anon_inodes.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

/* ---- guest memory ---------------------------------------------------------------------- */

static u64 slot_hva(const struct hv_slot *s, u64 gpa)
{
	return (u64)s->opaque + (gpa - s->gpa);
}

/* Is the page at hva mapped by one 2 MiB entry? Whether it still is, the core checks (mmu_seq). */
static bool mapped_large(struct mm_struct *mm, unsigned long hva)
{
	unsigned long flags;
	bool large = false;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	local_irq_save(flags); /* page tables are not freed under us */
	pgd = READ_ONCE(*pgd_offset(mm, hva));
	if (!pgd_none(pgd)) {
		p4d = READ_ONCE(*p4d_offset(&pgd, hva));
		if (!p4d_none(p4d) && p4d_present(p4d)) {
			pud = READ_ONCE(*pud_offset(&p4d, hva));
			if (!pud_none(pud) && pud_present(pud) && !pud_large(pud)) {
				pmd = READ_ONCE(*pmd_offset(&pud, hva));
				large = pmd_present(pmd) && pmd_large(pmd);
			}
		}
	}
	local_irq_restore(flags);
	return large;
}

static int frame(void *opaque, const struct hv_slot *s, u64 gpa, bool write, struct hv_frame *f)
{
	struct kmod_vm *vm = opaque;
	unsigned long hva = slot_hva(s, gpa);
	struct page *page;
	u64 base;
	int n;

	if (current->mm != vm->mm)
		return -EFAULT;
	n = get_user_pages_fast_only(hva, 1, FOLL_WRITE, &page);
	f->writable = n == 1;
	if (n != 1) {
		n = get_user_pages_fast(hva, 1, write ? FOLL_WRITE : 0, &page);
		f->writable = write;
	}
	if (n != 1)
		return n < 0 ? n : -EFAULT;
	f->pa = page_to_phys(page);
	f->size = PAGE_SIZE;
	base = gpa & ~(u64)(PMD_SIZE - 1);
	if (folio_order(page_folio(page)) >= PMD_SHIFT - PAGE_SHIFT &&
	    !((hva ^ gpa) & (PMD_SIZE - 1)) && base >= s->gpa &&
	    base + PMD_SIZE <= s->gpa + s->size && mapped_large(vm->mm, hva)) {
		f->pa &= ~(u64)(PMD_SIZE - 1);
		f->size = PMD_SIZE;
	}
	return 0;
}

/* The page that was asked for is the one whose reference is held; all of a large one share it. */
static void frame_done(void *opaque, const struct hv_frame *f)
{
	put_page(pfn_to_page(f->pa >> PAGE_SHIFT));
}

static int mem_read(void *opaque, const struct hv_slot *s, u64 off, void *buf, size_t len)
{
	struct kmod_vm *vm = opaque;
	void __user *u = (void __user *)slot_hva(s, s->gpa + off);

	return current->mm == vm->mm && !copy_from_user(buf, u, len) ? 0 : -EFAULT;
}

static int mem_write(void *opaque, const struct hv_slot *s, u64 off, const void *buf, size_t len)
{
	struct kmod_vm *vm = opaque;
	void __user *u = (void __user *)slot_hva(s, s->gpa + off);

	return current->mm == vm->mm && !copy_to_user(u, buf, len) ? 0 : -EFAULT;
}

/* ---- the MMU notifier ----------------------------------------------------------------------- */

/* What of [start, end) is guest memory leaves the nested page table. Slots change only with
 * mmap's lock not held, so the core's own copy is asked, under its lock. */
static void unmap_range(struct kmod_vm *vm, u64 start, u64 end)
{
	for (unsigned i = 0; i < HV_MAX_SLOTS; i++) {
		struct hv_slot s;
		u64 lo, hi, hva;

		port_lock(&vm->hv.lock);
		s = vm->hv.slot[i];
		port_unlock(&vm->hv.lock);
		hva = (u64)s.opaque;
		lo = max(start, hva);
		hi = min(end, hva + s.size);
		if (s.size && lo < hi)
			hv_unmap(&vm->hv, s.gpa + (lo - hva), hi - lo);
	}
}

static int range_start(struct mmu_notifier *mn, const struct mmu_notifier_range *r)
{
	struct kmod_vm *vm = container_of(mn, struct kmod_vm, mn);

	hv_mmu_begin(&vm->hv, 0, 0);
	unmap_range(vm, r->start & PAGE_MASK, PAGE_ALIGN(r->end));
	return 0;
}

static void range_end(struct mmu_notifier *mn, const struct mmu_notifier_range *r)
{
	hv_mmu_end(&container_of(mn, struct kmod_vm, mn)->hv);
}

static void mm_gone(struct mmu_notifier *mn, struct mm_struct *mm)
{
	hv_unmap(&container_of(mn, struct kmod_vm, mn)->hv, 0, 1ULL << 48);
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start = range_start,
	.invalidate_range_end = range_end,
	.release = mm_gone,
};

/* ---- the chip's hooks --------------------------------------------------------------------------
 */

unsigned long chip_lock(void *host)
{
	struct kmod_vm *vm = host;
	unsigned long flags;

	spin_lock_irqsave(&vm->chip_spin, flags);
	return flags;
}

void chip_unlock(void *host, unsigned long flags)
{
	struct kmod_vm *vm = host;

	spin_unlock_irqrestore(&vm->chip_spin, flags);
}

void chip_timer(void *host, u64 ns)
{
	struct kmod_vm *vm = host;

	if (ns == ~0ULL)
		hrtimer_try_to_cancel(&vm->timer);
	else
		hrtimer_start(&vm->timer, ns_to_ktime(min_t(u64, ns, KTIME_MAX)), HRTIMER_MODE_ABS);
}

static enum hrtimer_restart on_timer(struct hrtimer *t)
{
	chip_tick(container_of(t, struct kmod_vm, timer)->chip);
	return HRTIMER_NORESTART;
}

static bool eoi_skippable(void *opaque, struct hv_vcpu *v)
{
	struct kmod_vm *vm = opaque;

	return vm->chip && chip_eoi_skippable(vm->chip, v->index);
}

static void eoi(void *opaque, struct hv_vcpu *v)
{
	struct kmod_vm *vm = opaque;

	if (vm->chip)
		chip_eoi(vm->chip, v->index);
}

static bool ipi(void *opaque, u32 apic_id, u32 icr)
{
	struct kmod_vm *vm = opaque;

	return vm->chip && chip_ipi(vm->chip, apic_id, icr);
}

static const struct hv_vm_ops vm_ops = {
	.frame = frame,
	.frame_done = frame_done,
	.read = mem_read,
	.write = mem_write,
	.msr = kmod_msr,
	.cpuid = kmod_cpuid,
	.eoi_skippable = eoi_skippable,
	.eoi = eoi,
	.ipi = ipi,
};

/* ---- slots -------------------------------------------------------------------------------------
 */

static struct kmod_slot *slot_of(struct kmod_vm *vm, u32 id, bool or_free)
{
	struct kmod_slot *found = NULL;

	for (unsigned i = 0; i < KMOD_SLOTS; i++) {
		if (vm->slot[i].size && vm->slot[i].id == id)
			return &vm->slot[i];
		if (!vm->slot[i].size && or_free && !found)
			found = &vm->slot[i];
	}
	return found;
}

static int slot_check(const struct kvm_userspace_memory_region *r, const struct kmod_slot *old)
{
	const u32 known = KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY;
	u64 end = r->guest_phys_addr + r->memory_size;

	if (r->flags & ~known || (r->memory_size | r->guest_phys_addr) & ~PAGE_MASK ||
	    r->userspace_addr & ~PAGE_MASK || end < r->guest_phys_addr || end > 1ULL << 48 ||
	    !access_ok((void __user *)r->userspace_addr, r->memory_size) || r->slot >> 16)
		return -EINVAL;
	if (!old->size)
		return r->memory_size ? 0 : -EINVAL;
	if (r->memory_size && (r->memory_size != old->size || r->userspace_addr != old->hva ||
			       (r->flags ^ old->flags) & KVM_MEM_READONLY))
		return -EINVAL;
	return 0;
}

static int slot_set(struct kmod_vm *vm, const struct kvm_userspace_memory_region *r)
{
	struct kmod_slot *s = slot_of(vm, r->slot, true), new;
	bool log = r->flags & KVM_MEM_LOG_DIRTY_PAGES;
	struct hv_slot h;
	int err;

	if (!s)
		return -ENOSPC;
	err = slot_check(r, s);
	if (err)
		return err;
	new = (struct kmod_slot){.id = r->slot,
				 .size = r->memory_size,
				 .hva = r->userspace_addr,
				 .gpa = r->guest_phys_addr,
				 .flags = r->flags};
	if (new.size && log)
		new.dirty = s->size && s->dirty
				    ? s->dirty
				    : vzalloc(BITS_TO_LONGS(new.size >> PAGE_SHIFT) * sizeof(u64));
	if (new.size && log && !new.dirty)
		return -ENOMEM;
	h = (struct hv_slot){.id = r->slot,
			     .flags = (r->flags & KVM_MEM_READONLY ? HV_SLOT_READONLY : 0) |
				      (log ? HV_SLOT_LOG : 0),
			     .gpa = new.gpa,
			     .size = new.size,
			     .pa = HV_PA_ASK,
			     .opaque = (void *)new.hva,
			     .dirty = new.dirty};
	err = hv_slot_set(&vm->hv, &h);
	if (err) {
		if (new.dirty != s->dirty)
			vfree(new.dirty);
		return err;
	}
	if (s->size && s->dirty != new.dirty)
		vfree(s->dirty);
	*s = new;
	return 0;
}

static int dirty_log(struct kmod_vm *vm, const struct kvm_dirty_log *d)
{
	struct kmod_slot *s = slot_of(vm, d->slot, false);
	size_t bytes;
	u64 *bits;
	int err;

	if (!s || !s->dirty)
		return -ENOENT;
	bytes = BITS_TO_LONGS(s->size >> PAGE_SHIFT) * sizeof(u64);
	bits = vmalloc(bytes);
	if (!bits)
		return -ENOMEM;
	err = hv_slot_dirty(&vm->hv, s->id, bits);
	if (!err && copy_to_user(d->dirty_bitmap, bits, bytes))
		err = -EFAULT;
	vfree(bits);
	return err;
}

/* ---- the interrupt controllers -----------------------------------------------------------------
 */

static bool has_vcpus(const struct kmod_vm *vm)
{
	return vm->hv.nvcpus != 0;
}

static int irqchip_create(struct kmod_vm *vm)
{
	struct chip *c;
	int err;

	if (vm->chip)
		return -EEXIST;
	if (has_vcpus(vm))
		return -EINVAL;
	c = chip_create(vm);
	if (!c)
		return -ENOMEM;
	vm->chip = c;
	err = kmod_routing_default(vm);
	if (err) {
		vm->chip = NULL;
		chip_destroy(c);
	}
	return err;
}

static long irqchip_state(struct kmod_vm *vm, void __user *u, bool set)
{
	struct kvm_irqchip k;

	BUILD_BUG_ON(sizeof(k.chip.pic) != sizeof(struct chip_pic_state));
	BUILD_BUG_ON(sizeof(k.chip.ioapic) != sizeof(struct chip_ioapic_state));
	BUILD_BUG_ON(sizeof(struct kvm_pit_channel_state) != sizeof(struct chip_pit_channel));
	if (!vm->chip)
		return -ENXIO;
	if (copy_from_user(&k, u, sizeof(k)))
		return -EFAULT;
	if (k.chip_id > KVM_IRQCHIP_IOAPIC)
		return -EINVAL;
	if (set && k.chip_id == KVM_IRQCHIP_IOAPIC)
		chip_ioapic_set(vm->chip, (void *)&k.chip.ioapic);
	else if (set)
		chip_pic_set(vm->chip, k.chip_id, (void *)&k.chip.pic);
	else if (k.chip_id == KVM_IRQCHIP_IOAPIC)
		chip_ioapic_get(vm->chip, (void *)&k.chip.ioapic);
	else
		chip_pic_get(vm->chip, k.chip_id, (void *)&k.chip.pic);
	return !set && copy_to_user(u, &k, sizeof(k)) ? -EFAULT : 0;
}

static long pit_create(struct kmod_vm *vm, const struct kvm_pit_config *k)
{
	if (!vm->chip)
		return -ENOENT;
	if (k->flags & ~KVM_PIT_SPEAKER_DUMMY)
		return -EINVAL;
	vm->pit_speaker = k->flags & KVM_PIT_SPEAKER_DUMMY;
	return chip_pit_add(vm->chip, vm->pit_speaker);
}

static long pit_state(struct kmod_vm *vm, void __user *u, bool set)
{
	struct kvm_pit_state2 k = {};

	if (!vm->chip || !chip_has_pit(vm->chip))
		return -ENXIO;
	if (set) {
		if (copy_from_user(&k, u, sizeof(k)))
			return -EFAULT;
		chip_pit_set(vm->chip, (void *)k.channels);
		return 0;
	}
	chip_pit_get(vm->chip, (void *)k.channels);
	k.flags = vm->pit_speaker ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0;
	return copy_to_user(u, &k, sizeof(k)) ? -EFAULT : 0;
}

static long irq_line(struct kmod_vm *vm, const struct kvm_irq_level *l)
{
	if (!vm->chip)
		return -ENXIO;
	chip_line(vm->chip, l->irq, l->level);
	return 0;
}

static long signal_msi(struct kmod_vm *vm, const struct kvm_msi *m)
{
	if (!vm->chip)
		return -ENXIO;
	if (m->flags)
		return -EINVAL;
	return chip_msi(vm->chip, (u64)m->address_hi << 32 | m->address_lo, m->data);
}

/* ---- time
 * ---------------------------------------------------------------------------------------- */

/* The guest's paravirtual clock (core/hv.h, clock_offset). */
u64 kmod_vm_clock(struct kmod_vm *vm)
{
	u64 tsc = rdtsc() + vm->hv.tsc_offset;

	return mul_u64_u32_div(tsc, 1000000, tsc_khz) + vm->hv.clock_offset;
}

static long clock_get(struct kmod_vm *vm, void __user *u)
{
	struct kvm_clock_data k = {.clock = kmod_vm_clock(vm), .flags = KVM_CLOCK_TSC_STABLE};

	return copy_to_user(u, &k, sizeof(k)) ? -EFAULT : 0;
}

/* ---- ioctls
 * ---------------------------------------------------------------------------------------- */

/* Arguments by value, as the command's size says: one copy for all. */
union vm_arg {
	struct kvm_userspace_memory_region region;
	struct kvm_dirty_log log;
	struct kvm_irq_level line;
	struct kvm_msi msi;
	struct kvm_irqfd irqfd;
	struct kvm_ioeventfd ioeventfd;
	struct kvm_pit_config pit;
	struct kvm_clock_data clock;
	struct kvm_coalesced_mmio_zone zone;
	struct kvm_enable_cap cap;
	u64 word;
};

static long line_status(struct kmod_vm *vm, union vm_arg *a, void __user *u)
{
	long err = irq_line(vm, &a->line);

	a->line.status = 1;
	return err ? err : copy_to_user(u, &a->line, sizeof(a->line)) ? -EFAULT : 0;
}

static long enable_cap(struct kmod_vm *vm, const struct kvm_enable_cap *k)
{
	if (k->flags)
		return -EINVAL;
	switch (k->cap) {
	case KVM_CAP_MAX_VCPU_ID:
		if (vm->max_id || !k->args[0] || k->args[0] > HV_MAX_VCPUS)
			return -EINVAL;
		vm->max_id = k->args[0];
		return 0;
	case KVM_CAP_DISABLE_QUIRKS2:
		if (k->args[0] & ~(u64)KMOD_QUIRKS)
			return -EINVAL;
		vm->hv.cfg.mwait_nop = !(k->args[0] & KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS);
		return 0;
	case KVM_CAP_MSR_PLATFORM_INFO:
		vm->no_platform_info = !k->args[0];
		return 0;
	default:
		return -EINVAL;
	}
}

/* Called with the VM's lock. */
static long vm_ioctl_arg(struct kmod_vm *vm, unsigned cmd, union vm_arg *a, void __user *u)
{
	switch (cmd) {
	case KVM_SET_USER_MEMORY_REGION:
		return slot_set(vm, &a->region);
	case KVM_GET_DIRTY_LOG:
		return dirty_log(vm, &a->log);
	case KVM_IRQ_LINE:
		return irq_line(vm, &a->line);
	case KVM_IRQ_LINE_STATUS:
		return line_status(vm, a, u);
	case KVM_SIGNAL_MSI:
		return signal_msi(vm, &a->msi);
	case KVM_IRQFD:
		return vm->chip ? kmod_irqfd(vm, &a->irqfd) : -EINVAL;
	case KVM_IOEVENTFD:
		return kmod_ioeventfd(vm, &a->ioeventfd);
	case KVM_CREATE_PIT2:
		return pit_create(vm, &a->pit);
	case KVM_SET_CLOCK:
		vm->hv.clock_offset += a->clock.clock - kmod_vm_clock(vm);
		return 0;
	case KVM_REGISTER_COALESCED_MMIO:
	case KVM_UNREGISTER_COALESCED_MMIO:
		return kmod_zone(vm, &a->zone, cmd == KVM_REGISTER_COALESCED_MMIO);
	case KVM_ENABLE_CAP:
		return enable_cap(vm, &a->cap);
	case KVM_SET_IDENTITY_MAP_ADDR:
		return has_vcpus(vm) ? -EINVAL : 0;
	default:
		return -ENOTTY;
	}
}

static long vm_ioctl_locked(struct kmod_vm *vm, unsigned cmd, unsigned long arg)
{
	void __user *u = (void __user *)arg;

	switch (cmd) {
	case KVM_CREATE_VCPU:
		return kmod_vcpu_create(vm, arg);
	case KVM_SET_TSS_ADDR:
		return arg > 0xfffffffful - 3 * PAGE_SIZE ? -EINVAL : 0;
	case KVM_CREATE_IRQCHIP:
		return irqchip_create(vm);
	case KVM_GET_IRQCHIP:
	case KVM_SET_IRQCHIP:
		return irqchip_state(vm, u, cmd == KVM_SET_IRQCHIP);
	case KVM_GET_PIT2:
	case KVM_SET_PIT2:
		return pit_state(vm, u, cmd == KVM_SET_PIT2);
	case KVM_SET_GSI_ROUTING:
		return kmod_routing(vm, u);
	case KVM_GET_CLOCK:
		return clock_get(vm, u);
	case KVM_CHECK_EXTENSION:
		return kmod_extension(arg);
	case KVM_SET_BOOT_CPU_ID:
		if (has_vcpus(vm) || arg >= HV_MAX_VCPUS)
			return has_vcpus(vm) ? -EBUSY : -EINVAL;
		vm->boot_cpu = arg;
		return 0;
	case KVM_GET_STATS_FD:
		return kmod_stats_fd(vm, NULL);
	default:
		return -ENOTTY;
	}
}

static long vm_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct kmod_vm *vm = f->private_data;
	union vm_arg a;
	long ret;

	if (vm->mm != current->mm)
		return -EIO;
	mutex_lock(&vm->lock);
	ret = vm_ioctl_locked(vm, cmd, arg);
	if (ret == -ENOTTY && _IOC_DIR(cmd) & _IOC_WRITE && _IOC_SIZE(cmd) <= sizeof(a)) {
		if (copy_from_user(&a, (void __user *)arg, _IOC_SIZE(cmd)))
			ret = -EFAULT;
		else
			ret = vm_ioctl_arg(vm, cmd, &a, (void __user *)arg);
	}
	mutex_unlock(&vm->lock);
	return ret;
}

/* ---- life
 * -------------------------------------------------------------------------------------------- */

static void vm_free(struct kref *ref)
{
	struct kmod_vm *vm = container_of(ref, struct kmod_vm, ref);

	kmod_events_free(vm);
	hrtimer_cancel(&vm->timer);
	mmu_notifier_unregister(&vm->mn, vm->mm);
	for (unsigned i = 0; i < HV_MAX_VCPUS; i++)
		if (vm->vcpu[i])
			kmod_vcpu_free(vm->vcpu[i]);
	hv_vm_fini(&vm->hv);
	free_page((unsigned long)vm->ring);
	if (vm->chip)
		vfree(chip_routes(vm->chip, NULL, 0));
	chip_destroy(vm->chip);
	for (unsigned i = 0; i < KMOD_SLOTS; i++)
		if (vm->slot[i].size)
			vfree(vm->slot[i].dirty);
	mmdrop(vm->mm);
	vfree(vm);
}

void kmod_vm_put(struct kmod_vm *vm)
{
	kref_put(&vm->ref, vm_free);
}

static int vm_release(struct inode *inode, struct file *f)
{
	struct kmod_vm *vm = f->private_data;

	kmod_events_free(vm);
	kmod_vm_put(vm);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
	.llseek = noop_llseek,
};

static struct kmod_vm *vm_new(void)
{
	const struct hv_vm_config cfg = {.ops = &vm_ops,
					 .pv = HV_PV_KVM,
					 .ncpus = HV_MAX_VCPUS,
					 .x2apic = true,
					 .tsc_deadline = true,
					 .mwait_nop = true};
	struct kmod_vm *vm = vzalloc(sizeof(*vm));
	struct hv_vm_config own = cfg;
	int err;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	own.opaque = vm;
	kref_init(&vm->ref);
	mutex_init(&vm->lock);
	spin_lock_init(&vm->chip_spin);
	spin_lock_init(&vm->event_spin);
	INIT_LIST_HEAD(&vm->irqfds);
	INIT_LIST_HEAD(&vm->ioeventfds);
	hrtimer_init(&vm->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	vm->timer.function = on_timer;
	vm->ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	err = vm->ring ? hv_vm_init(&vm->hv, kmod_vt, &own) : -ENOMEM;
	if (err)
		goto free;
	vm->mm = current->mm;
	vm->mn.ops = &notifier_ops;
	err = mmu_notifier_register(&vm->mn, vm->mm);
	if (err)
		goto fini;
	mmgrab(vm->mm);
	return vm;
fini:
	hv_vm_fini(&vm->hv);
free:
	free_page((unsigned long)vm->ring);
	vfree(vm);
	return ERR_PTR(err);
}

int kmod_vm_create(void)
{
	struct kmod_vm *vm = vm_new();
	int fd;

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	fd = anon_inode_getfd("hull-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		kmod_vm_put(vm);
	return fd;
}
