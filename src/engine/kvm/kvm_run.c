/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run loop. On the vCPU's own thread. An I/O exit is complete only after
 * KVM_RUN was entered again (api.rst 5, "kvm_run"), so a kick is answered only
 * when KVM_RUN itself came back for it: then the state is whole.
 */
#include "engine/kvm/kvm.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/endian.h"

#define RUN_AGAIN 1 /* stay in the loop */

/* ---- tracing ---------------------------------------------------------------------------- */

static void trace_event(struct engine_vcpu *v, struct vcpu_trace_event ev)
{
	const struct engine_trace *t = v->vm->trace;
	struct kvm_regs r = {0};

	if (!t || !(t->kinds >> ev.kind & 1))
		return;
	ioctl(v->fd, KVM_GET_REGS, &r);
	ev.rip = r.rip;
	ev.cpu = v->index;
	t->event(t->opaque, &ev);
}

static void trace_io(struct engine_vcpu *v, enum vcpu_trace_kind kind, bool write, u64 where,
		     const u8 *p, u32 size)
{
	if (v->vm->trace)
		trace_event(v, (struct vcpu_trace_event){.kind = kind,
							 .write = write,
							 .where = where,
							 .size = size,
							 .value = load_le(p, size)});
}

/* ---- I/O ------------------------------------------------------------------------------- */

static void exit_pio(struct engine_vcpu *v)
{
	struct kvm_run *r = v->run;
	u8 *p = (u8 *)r + r->io.data_offset;

	for (u32 i = 0; i < r->io.count; i++, p += r->io.size) {
		if (r->io.direction == KVM_EXIT_IO_OUT) {
			trace_io(v, VCPU_TRACE_PIO, true, r->io.port, p, r->io.size);
			v->bus.pio_write(v->bus.opaque, r->io.port, r->io.size,
					 (u32)load_le(p, r->io.size));
		} else {
			store_le(p, r->io.size,
				 v->bus.pio_read(v->bus.opaque, r->io.port, r->io.size));
			trace_io(v, VCPU_TRACE_PIO, false, r->io.port, p, r->io.size);
		}
	}
}

/* One to eight bytes, not always a power of two: in pieces that are. */
static void exit_mmio(struct engine_vcpu *v)
{
	u64 gpa = v->run->mmio.phys_addr;
	u32 len = v->run->mmio.len, n;
	u8 *p = v->run->mmio.data;

	if (len > sizeof(v->run->mmio.data))
		return;
	if (v->run->mmio.is_write && gpa_slot_find(v->vm->map, gpa))
		return; /* a write to ROM */
	for (; len; len -= n, p += n, gpa += n) {
		n = len >= 8 ? 8 : len >= 4 ? 4 : len >= 2 ? 2 : 1;
		if (v->run->mmio.is_write) {
			trace_io(v, VCPU_TRACE_MMIO, true, gpa, p, n);
			v->bus.mmio_write(v->bus.opaque, gpa, n, load_le(p, n));
		} else {
			store_le(p, n, v->bus.mmio_read(v->bus.opaque, gpa, n));
			trace_io(v, VCPU_TRACE_MMIO, false, gpa, p, n);
		}
	}
}

static void exit_msr(struct engine_vcpu *v)
{
	struct kvm_run *r = v->run;
	u64 val = r->msr.data;
	int ret;

	if (r->exit_reason == KVM_EXIT_X86_RDMSR) {
		ret = v->bus.msr_read(v->bus.opaque, r->msr.index, &val);
		r->msr.data = val;
	} else {
		ret = v->bus.msr_write(v->bus.opaque, r->msr.index, val);
	}
	r->msr.error = ret != 0;
}

/* ---- debugging -------------------------------------------------------------------------- */

static int exit_debug(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	const struct kvm_debug_exit_arch *a = &v->run->debug.arch;
	bool stepped = a->dr6 & 1 << 14; /* BS */
	bool hit = v->dbg.step && stepped;

	exit->kind = VCPU_EXIT_DEBUG;
	exit->addr = a->pc;
	for (unsigned i = 0; v->dbg_by_step && stepped && i < v->dbg.nbreaks; i++)
		hit |= v->dbg.breaks[i] == a->pc;
	if (!v->dbg_by_step || !stepped || hit) {
		unsigned first = v->dbg_by_step ? 0 : v->dbg.nbreaks;

		for (unsigned i = 0; i < v->dbg.nwatch && first + i < 4; i++)
			if (a->dr6 >> (first + i) & 1)
				exit->addr = v->dbg.watch[i].addr;
		return 0;
	}
	return a->dr6 & 0xf ? 0 : RUN_AGAIN;
}

/* ---- interrupts and INIT in user space --------------------------------------------------- */

/* INIT: the power-on state, but what a CPU keeps: FPU, MSRs, TSC (SDM vol. 3A table 10-1). */
static int do_init(struct engine_vcpu *v)
{
	struct x86_state s;
	int ret = kvm_get_state(v, &s);
	const struct x86_state *p = v->power_on;

	if (ret)
		return ret;
	memcpy(s.gpr, p->gpr, sizeof(s.gpr));
	memcpy(s.seg, p->seg, sizeof(s.seg));
	memcpy(s.dr, p->dr, sizeof(s.dr));
	s.rip = p->rip;
	s.rflags = p->rflags;
	s.ldtr = p->ldtr;
	s.tr = p->tr;
	s.gdtr = p->gdtr;
	s.idtr = p->idtr;
	s.cr0 = (p->cr0 & ~0x60000000ULL) | (s.cr0 & 0x60000000); /* CD and NW stay */
	s.cr2 = s.cr3 = s.cr4 = s.efer = 0;
	s.dr6 = p->dr6;
	s.dr7 = p->dr7;
	s.nmi_pending = s.nmi_masked = s.sti_shadow = s.movss_shadow = s.exc_pending = false;
	s.mp_state = v->index ? X86_MP_WAIT_SIPI : X86_MP_RUNNING;
	return kvm_set_state(v, &s);
}

static int do_sipi(struct engine_vcpu *v)
{
	u8 vector = atomic_load(&v->sipi_vector);
	struct kvm_sregs s;
	struct kvm_regs r;

	if (!v->wait_sipi)
		return 0;
	if (ioctl(v->fd, KVM_GET_SREGS, &s) || ioctl(v->fd, KVM_GET_REGS, &r))
		return -errno;
	s.cs.selector = (u16)(vector << 8);
	s.cs.base = (u64)vector << 12;
	r.rip = 0;
	if (ioctl(v->fd, KVM_SET_SREGS, &s) || ioctl(v->fd, KVM_SET_REGS, &r))
		return -errno;
	v->wait_sipi = false;
	return 0;
}

static int take_events(struct engine_vcpu *v)
{
	u32 p = atomic_exchange(&v->pending, 0);
	int ret = 0;

	if (p & KVM_PENDING_INIT)
		ret = do_init(v);
	if (!ret && p & KVM_PENDING_SIPI)
		ret = do_sipi(v);
	if (!ret && p & KVM_PENDING_NMI && ioctl(v->fd, KVM_NMI))
		ret = -errno;
	if (p & KVM_PENDING_NMI)
		v->halted = false;
	return ret;
}

/* Give the guest an interrupt if it can take one now, else ask to be told when. */
static int inject(struct engine_vcpu *v)
{
	struct kvm_run *r = v->run;
	struct kvm_interrupt irq;
	int vector;

	r->request_interrupt_window = 0;
	if (!atomic_load(&v->irq_pin))
		return 0;
	if (!r->ready_for_interrupt_injection || !r->if_flag) {
		r->request_interrupt_window = 1;
		return 0;
	}
	vector = v->bus.irq_ack(v->bus.opaque);
	if (vector < 0)
		return 0;
	v->halted = false;
	irq.irq = (u32)vector;
	if (ioctl(v->fd, KVM_INTERRUPT, &irq))
		return -errno;
	r->request_interrupt_window = atomic_load(&v->irq_pin);
	return 0;
}

static bool can_wake(struct engine_vcpu *v)
{
	if (atomic_load(&v->kick) || atomic_load(&v->pending))
		return true;
	return !v->wait_sipi && atomic_load(&v->irq_pin) && v->run->if_flag;
}

static void sleep_for_event(struct engine_vcpu *v)
{
	atomic_store(&v->asleep, 1);
	if (!can_wake(v))
		syscall(SYS_futex, &v->asleep, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
	atomic_store(&v->asleep, 0);
}

/* ---- the loop ----------------------------------------------------------------------------- */

/* KVM gave up on the guest, mostly on an instruction: say where, and its bytes if they are RAM. */
static void internal_error(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	struct kvm_sregs s = {0};
	struct kvm_regs g = {0};
	u8 code[8] = {0};
	u64 gpa;

	ioctl(v->fd, KVM_GET_REGS, &g);
	ioctl(v->fd, KVM_GET_SREGS, &s);
	gpa = kvm_vcpu_translate(v, s.cs.base + g.rip);
	gpa_read(v->vm->map, gpa, code, sizeof(code));
	snprintf(exit->reason, sizeof(exit->reason),
		 "KVM cannot go on at %04x:%llx (%02x %02x %02x %02x %02x %02x %02x %02x): "
		 "internal error %u%s",
		 s.cs.selector, (unsigned long long)g.rip, code[0], code[1], code[2], code[3],
		 code[4], code[5], code[6], code[7], v->run->internal.suberror,
		 v->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
			 ? ", it does not emulate this instruction"
			 : "");
}

static int exit_error(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	const struct kvm_run *r = v->run;

	exit->kind = VCPU_EXIT_ERROR;
	if (r->exit_reason == KVM_EXIT_FAIL_ENTRY)
		snprintf(exit->reason, sizeof(exit->reason),
			 "KVM could not enter the guest: hardware reason 0x%llx",
			 (unsigned long long)r->fail_entry.hardware_entry_failure_reason);
	else if (r->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		internal_error(v, exit);
	else
		snprintf(exit->reason, sizeof(exit->reason), "KVM exit reason %u is not known",
			 r->exit_reason);
	return 0;
}

static int exit_system_event(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	exit->kind = v->run->system_event.type == KVM_SYSTEM_EVENT_RESET ? VCPU_EXIT_RESET
									 : VCPU_EXIT_SHUTDOWN;
	return 0;
}

static int handle_exit(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	switch (v->run->exit_reason) {
	case KVM_EXIT_IO:
		exit_pio(v);
		return RUN_AGAIN;
	case KVM_EXIT_MMIO:
		exit_mmio(v);
		return RUN_AGAIN;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		exit_msr(v);
		return RUN_AGAIN;
	case KVM_EXIT_HLT:
		v->halted = v->vm->user_irqchip;
		return RUN_AGAIN;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR: /* read from run->cr8 in any case */
		return RUN_AGAIN;
	case KVM_EXIT_DEBUG:
		return exit_debug(v, exit);
	case KVM_EXIT_SHUTDOWN:
		exit->kind = VCPU_EXIT_SHUTDOWN;
		return 0;
	case KVM_EXIT_SYSTEM_EVENT:
		return exit_system_event(v, exit);
	default:
		return exit_error(v, exit);
	}
}

/* KVM_RUN with what a user-space local APIC needs around it. */
static int enter(struct engine_vcpu *v)
{
	bool user = v->vm->user_irqchip;
	u8 cr8 = 0;
	int ret, err;

	if (user) {
		ret = inject(v);
		if (ret)
			return ret;
		cr8 = v->bus.cr8_read(v->bus.opaque);
		v->run->cr8 = cr8;
	}
	ret = ioctl(v->fd, KVM_RUN, 0);
	err = ret < 0 ? errno : 0;
	atomic_fetch_add_explicit(&v->exits, 1, memory_order_relaxed);
	if (user && v->run->cr8 != cr8)
		v->bus.cr8_write(v->bus.opaque, (u8)v->run->cr8);
	return -err;
}

static int run_once(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	int ret = 0;

	if (atomic_load(&v->pending))
		ret = take_events(v);
	if (ret)
		return ret;
	if (v->wait_sipi || v->halted) { /* user irqchip only; no I/O is open here */
		if (atomic_exchange(&v->kick, 0))
			return 0;
		if (v->wait_sipi || !atomic_load(&v->irq_pin) || !v->run->if_flag) {
			sleep_for_event(v);
			return RUN_AGAIN;
		}
	}
	if (atomic_load(&v->kick))
		v->run->immediate_exit = 1;
	ret = enter(v);
	if (ret == -EINTR || ret == -EAGAIN) {
		v->run->immediate_exit = 0;
		return atomic_exchange(&v->kick, 0) ? 0 : RUN_AGAIN;
	}
	return ret ? ret : handle_exit(v, exit);
}

int kvm_vcpu_run(struct engine_vcpu *v, struct vcpu_exit *exit)
{
	int ret = kvm_slots_sync(v->vm);

	*exit = (struct vcpu_exit){.kind = VCPU_EXIT_KICK};
	atomic_store(&v->tid, (int)syscall(SYS_gettid));
	while (!ret) {
		ret = run_once(v, exit);
		if (ret != RUN_AGAIN)
			break;
		ret = 0;
	}
	atomic_store(&v->tid, 0);
	trace_event(v, (struct vcpu_trace_event){.kind = VCPU_TRACE_EXIT, .where = exit->kind});
	return ret;
}
