/* SPDX-License-Identifier: Apache-2.0 */
/* The VM: creation, memory slots, dirty log, and the table of operations. */
#include "engine/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bits.h"

/* ---- memory slots -------------------------------------------------------------------- */

static int slot_set(struct engine_vm *vm, unsigned i)
{
	const struct gpa_slot *s = &vm->map->slot[i];
	struct kvm_userspace_memory_region r = {
		.slot = i,
		.flags = (s->readonly ? KVM_MEM_READONLY : 0) |
			 (vm->dirty[i] ? KVM_MEM_LOG_DIRTY_PAGES : 0),
		.guest_phys_addr = s->gpa,
		.memory_size = s->size,
		.userspace_addr = (uintptr_t)s->host,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r) ? -errno : 0;
}

static void slots_remove(struct engine_vm *vm)
{
	for (unsigned i = 0; i < vm->nslots; i++) {
		struct kvm_userspace_memory_region r = {.slot = i};

		ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r);
	}
	vm->nslots = 0;
}

/*
 * Tell KVM of slots added since. Adding sorts the map, so all are told anew;
 * that happens before the guest first runs.
 */
int kvm_slots_sync(struct engine_vm *vm)
{
	int ret = 0;

	if (vm->nslots == vm->map->nslots)
		return 0;
	pthread_mutex_lock(&vm->lock);
	if (vm->nslots != vm->map->nslots)
		slots_remove(vm);
	for (unsigned i = vm->nslots; !ret && i < vm->map->nslots; i++) {
		ret = slot_set(vm, i);
		vm->nslots = ret ? vm->nslots : i + 1;
	}
	pthread_mutex_unlock(&vm->lock);
	return ret;
}

/* ---- dirty log ------------------------------------------------------------------------ */

/* Somebody other than the guest wrote a page that was clean. */
static void page_written(void *opaque, struct gpa_slot *s, u64 gpa)
{
	atomic_fetch_and(&s->page_flags[(gpa - s->gpa) >> GPA_PAGE_SHIFT], (u8)~GPA_PAGE_CLEAN);
}

/* Pages the host dirtied are those whose CLEAN flag is gone; the others are KVM's to know. */
static void host_dirty(struct gpa_slot *s, u64 *bitmap, bool first, bool enable)
{
	u64 pages = s->size >> GPA_PAGE_SHIFT;

	for (u64 i = 0; i < pages; i++) {
		u8 was = enable ? atomic_fetch_or(&s->page_flags[i], GPA_PAGE_CLEAN)
				: atomic_fetch_and(&s->page_flags[i], (u8)~GPA_PAGE_CLEAN);

		if (bitmap && (first || !(was & GPA_PAGE_CLEAN)))
			bitmap[i / 64] |= BIT(i & 63);
	}
}

static int dirty_log(struct engine_vm *vm, unsigned slot, u64 *bitmap, bool enable)
{
	struct kvm_dirty_log log = {.slot = slot, .dirty_bitmap = bitmap};
	struct gpa_slot *s = &vm->map->slot[slot];
	bool was;
	int ret = kvm_slots_sync(vm);

	if (ret || slot >= vm->nslots)
		return ret ? ret : -E_INVAL;
	pthread_mutex_lock(&vm->lock);
	was = vm->dirty[slot];
	for (u64 i = 0; bitmap && i < (s->size >> GPA_PAGE_SHIFT); i += 64)
		bitmap[i / 64] = 0;
	if (was && bitmap && ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log))
		ret = -errno;
	vm->dirty[slot] = enable;
	if (!ret && was != enable)
		ret = slot_set(vm, slot);
	if (!ret)
		host_dirty(s, bitmap, !was, enable); /* before the log began all counts as dirty */
	pthread_mutex_unlock(&vm->lock);
	return ret;
}

/* ---- creation ------------------------------------------------------------------------- */

static void vm_destroy(struct engine_vm *vm)
{
	if (!vm)
		return;
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->sys >= 0)
		close(vm->sys);
	pthread_mutex_destroy(&vm->lock);
	free(vm->cpuid);
	free(vm);
}

/* MSRs that the machine answers when it has the interrupt controllers: api.rst 4.97. */
static int filter_msrs(struct engine_vm *vm)
{
	static const u8 deny_all[8];
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args = {KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
			 KVM_MSR_EXIT_REASON_FILTER},
	};
	struct kvm_msr_filter f = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges =
			{
				{.base = 0x1b, .nmsrs = 1},  /* IA32_APIC_BASE */
				{.base = 0x6e0, .nmsrs = 1}, /* IA32_TSC_DEADLINE */
			},
	};

	for (unsigned i = 0; i < 2; i++) {
		f.ranges[i].flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;
		f.ranges[i].bitmap = (u8 *)deny_all; /* the kernel only reads it */
	}
	if (ioctl(vm->fd, KVM_ENABLE_CAP, &cap) || ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &f))
		return -errno;
	return 0;
}

static int vm_setup(struct engine_vm *vm)
{
	u64 identity = KVM_IDENTITY_MAP;
	int size = ioctl(vm->sys, KVM_GET_VCPU_MMAP_SIZE, 0), ret;

	if (size < (int)sizeof(struct kvm_run))
		return size < 0 ? -errno : -E_NOTSUP;
	vm->run_size = (size_t)size;
	vm->fd = ioctl(vm->sys, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return -errno;
	/* Only Intel needs these; others accept them. */
	ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)KVM_TSS);
	ret = vm->user_irqchip ? filter_msrs(vm) : kvm_irqchip_create(vm);
	return ret ? ret : kvm_cpuid_init(vm);
}

static int vm_create(const struct engine_vm_config *cfg, struct engine_vm **out)
{
	const char *device = cfg->device ? cfg->device : KVM_DEVICE;
	struct engine_vm *vm;
	int ret;

	if (!cfg->map || !cfg->ncpus || cfg->ncpus > KVM_VCPUS_MAX)
		return -E_INVAL;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return -E_NOMEM;
	pthread_mutex_init(&vm->lock, NULL);
	vm->map = cfg->map;
	vm->ncpus = cfg->ncpus;
	vm->user_irqchip = cfg->user_irqchip;
	vm->other_date = cfg->wall_offset != 0;
	vm->tsc_khz = cfg->tsc_khz;
	vm->trace = cfg->trace && cfg->trace->kinds ? cfg->trace : NULL;
	vm->fd = -1;
	vm->sys = open(device, O_RDWR | O_CLOEXEC);
	ret = vm->sys < 0 ? -errno : kvm_signal_install();
	if (!ret)
		ret = vm_setup(vm);
	if (ret) {
		vm_destroy(vm);
		return ret;
	}
	vm->map->page_written = page_written;
	vm->map->opaque = vm;
	*out = vm;
	return 0;
}

const struct engine_ops engine_kvm_ops = {
	.name = "kvm",
	.probe = kvm_probe,
	.vm_create = vm_create,
	.vm_destroy = vm_destroy,
	.vm_freeze = kvm_vm_freeze,
	.vcpu_create = kvm_vcpu_create,
	.vcpu_destroy = kvm_vcpu_destroy,
	.vcpu_reset = kvm_vcpu_reset,
	.vcpu_get_state = kvm_get_state,
	.vcpu_set_state = kvm_set_state,
	.vcpu_run = kvm_vcpu_run,
	.vcpu_kick = kvm_vcpu_kick,
	.vcpu_irq = kvm_vcpu_irq,
	.vcpu_nmi = kvm_vcpu_nmi,
	.vcpu_init = kvm_vcpu_init_ipi,
	.vcpu_sipi = kvm_vcpu_sipi,
	.vcpu_debug = kvm_vcpu_debug,
	.vcpu_translate = kvm_vcpu_translate,
	.vcpu_tsc = kvm_vcpu_tsc,
	.vcpu_counters = kvm_vcpu_counters,
	.vcpu_cpuid = kvm_cpuid_get,
	.gsi_set = kvm_gsi_set,
	.msi_send = kvm_msi_send,
	.irqfd = kvm_irqfd,
	.ioeventfd = kvm_ioeventfd,
	.dirty_log = dirty_log,
};
