/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU: creation, reset, what other threads do to it, debugging. */
#include "engine/kvm/kvm.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define X86_BREAKPOINTS 4u /* DR0..DR3 */

/* ---- the signal that ends KVM_RUN ------------------------------------------------------ */

int kvm_signal_number(void)
{
	return SIGRTMIN + 2;
}

static void on_signal(int sig)
{
}

/* No SA_RESTART: KVM_RUN must come back. */
int kvm_signal_install(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	return sigaction(kvm_signal_number(), &sa, NULL) ? -errno : 0;
}

/*
 * Bring the vCPU thread out of the guest or out of its sleep. What it finds then
 * was stored before this call: immediate_exit covers the time before KVM_RUN.
 */
static void interrupt_run(struct engine_vcpu *v)
{
	int tid;

	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (atomic_exchange(&v->asleep, 0))
		syscall(SYS_futex, &v->asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	tid = atomic_load(&v->tid);
	if (tid && tid != (int)syscall(SYS_gettid))
		syscall(SYS_tgkill, getpid(), tid, kvm_signal_number());
}

void kvm_vcpu_kick(struct engine_vcpu *v)
{
	atomic_store(&v->kick, 1);
	interrupt_run(v);
}

void kvm_vcpu_irq(struct engine_vcpu *v, bool level)
{
	if (!atomic_exchange(&v->irq_pin, level) && level)
		interrupt_run(v);
}

static void post(struct engine_vcpu *v, u32 what)
{
	atomic_fetch_or(&v->pending, what);
	interrupt_run(v);
}

void kvm_vcpu_nmi(struct engine_vcpu *v)
{
	post(v, KVM_PENDING_NMI);
}

void kvm_vcpu_init_ipi(struct engine_vcpu *v)
{
	post(v, KVM_PENDING_INIT);
}

void kvm_vcpu_sipi(struct engine_vcpu *v, u8 vector)
{
	atomic_store(&v->sipi_vector, vector);
	post(v, KVM_PENDING_SIPI);
}

/* ---- life ----------------------------------------------------------------------------- */

void kvm_vcpu_destroy(struct engine_vcpu *v)
{
	if (!v)
		return;
	if (v->run)
		munmap(v->run, v->vm->run_size);
	if (v->fd >= 0)
		close(v->fd);
	free(v->cpuid);
	free(v->power_on);
	free(v);
}

/* The state KVM makes is the power-on state; keep it for resets. */
static int vcpu_remember(struct engine_vcpu *v)
{
	int ret = kvm_get_state(v, v->power_on);

	if (ret)
		return ret;
	v->power_on->gpr[X86_RDX] = 0;
	for (u32 i = 0; i < v->cpuid->nent; i++)
		if (v->cpuid->entries[i].function == 1)
			v->power_on->gpr[X86_RDX] = v->cpuid->entries[i].eax;
	v->power_on->mp_state = v->index ? X86_MP_WAIT_SIPI : X86_MP_RUNNING;
	if (!v->vm->user_irqchip && ioctl(v->fd, KVM_GET_LAPIC, &v->lapic))
		return -errno;
	return kvm_set_state(v, v->power_on);
}

static int vcpu_setup(struct engine_vcpu *v)
{
	struct engine_vm *vm = v->vm;
	int khz, ret;

	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)v->index);
	if (v->fd < 0)
		return -errno;
	v->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED) {
		v->run = NULL;
		return -errno;
	}
	if (vm->tsc_khz)
		ioctl(v->fd, KVM_SET_TSC_KHZ, (unsigned long)vm->tsc_khz);
	khz = ioctl(v->fd, KVM_GET_TSC_KHZ, 0);
	if (!vm->tsc_khz && khz > 0)
		vm->tsc_khz = (u64)khz;
	ret = kvm_cpuid_vcpu(v);
	if (!ret && !vm->nmsrs)
		ret = kvm_msrs_init(vm, v->fd);
	return ret ? ret : vcpu_remember(v);
}

int kvm_vcpu_create(struct engine_vm *vm, unsigned index, const struct vcpu_bus *bus,
		    struct engine_vcpu **out)
{
	struct engine_vcpu *v;
	int ret = kvm_slots_sync(vm);

	if (ret || index >= vm->ncpus)
		return ret ? ret : -E_INVAL;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -E_NOMEM;
	v->vm = vm;
	v->index = index;
	v->bus = *bus;
	v->fd = -1;
	v->power_on = calloc(1, sizeof(*v->power_on));
	ret = v->power_on ? vcpu_setup(v) : -E_NOMEM;
	if (ret) {
		kvm_vcpu_destroy(v);
		return ret;
	}
	vm->vcpu[index] = v;
	*out = v;
	return 0;
}

/* vCPU 0 takes the in-kernel controllers with it: they have no reset of their own. */
void kvm_vcpu_reset(struct engine_vcpu *v)
{
	atomic_store(&v->pending, 0);
	atomic_store(&v->irq_pin, false);
	v->power_on->tsc = 0;
	kvm_set_state(v, v->power_on);
	if (v->vm->user_irqchip)
		return;
	/* After the APIC base, which says in what format the local APIC's state is. */
	ioctl(v->fd, KVM_SET_LAPIC, &v->lapic);
	if (v->index == 0)
		kvm_irqchip_reset(v->vm);
}

/* ---- looking in ------------------------------------------------------------------------ */

u64 kvm_vcpu_translate(struct engine_vcpu *v, u64 linear)
{
	struct kvm_translation t = {.linear_address = linear};

	if (ioctl(v->fd, KVM_TRANSLATE, &t) || !t.valid)
		return ~0ULL;
	return t.physical_address;
}

/*
 * Does not ask KVM, which would wait for a running vCPU: the offset is the one
 * seen last (kvm_tsc_update). A guest that writes its TSC while it runs is seen
 * at the next get or set of its state.
 */
u64 kvm_vcpu_tsc(struct engine_vcpu *v, u64 *khz)
{
	if (khz)
		*khz = v->vm->tsc_khz;
	if (atomic_load(&v->vm->frozen))
		return v->tsc_frozen;
	return __builtin_ia32_rdtsc() + atomic_load(&v->tsc_offset);
}

void kvm_vcpu_counters(struct engine_vcpu *v, struct engine_counters *c)
{
	*c = (struct engine_counters){.exits = atomic_load(&v->exits)};
}

/* DR7 for slot n, SDM vol. 3B section 18.2.4; rw: 0 execute, 1 write, 3 read or write. */
static u64 dr7_slot(unsigned n, unsigned rw, u32 len)
{
	static const u8 code[9] = {0, 0, 1, 0, 3, 0, 0, 0, 2};

	return 2ULL << n * 2 | (u64)(rw | (len <= 8 ? code[len] : 0) << 2) << (16 + n * 4);
}

static void debug_registers(const struct vcpu_debug *d, bool breaks, struct kvm_guest_debug *g)
{
	unsigned n = 0;

	for (unsigned i = 0; breaks && i < d->nbreaks; i++, n++) {
		g->arch.debugreg[n] = d->breaks[i];
		g->arch.debugreg[7] |= dr7_slot(n, 0, 1);
	}
	for (unsigned i = 0; i < d->nwatch; i++, n++) {
		g->arch.debugreg[n] = d->watch[i].addr;
		g->arch.debugreg[7] |= dr7_slot(n, d->watch[i].on_read ? 3 : 1, d->watch[i].len);
	}
	if (n) {
		g->arch.debugreg[7] |= 0x600;
		g->control |= KVM_GUESTDBG_USE_HW_BP;
	}
}

int kvm_vcpu_debug(struct engine_vcpu *v, const struct vcpu_debug *d)
{
	struct kvm_guest_debug g = {0};

	v->dbg_on = d && (d->step || d->nbreaks || d->nwatch);
	v->dbg_by_step = false;
	if (v->dbg_on) {
		if (d->nwatch > X86_BREAKPOINTS || d->nbreaks > 32)
			return -E_INVAL;
		v->dbg = *d;
		v->dbg_by_step = d->nbreaks + d->nwatch > X86_BREAKPOINTS;
		g.control = KVM_GUESTDBG_ENABLE;
		if (d->step || v->dbg_by_step)
			g.control |= KVM_GUESTDBG_SINGLESTEP;
		debug_registers(d, !v->dbg_by_step, &g);
	}
	return ioctl(v->fd, KVM_SET_GUEST_DEBUG, &g) ? -errno : 0;
}
