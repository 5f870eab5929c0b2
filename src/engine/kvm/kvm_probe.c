/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is KVM there, and does it really virtualize? Some hosts offer a /dev/kvm that
 * interprets guest kernels; nothing in the API says so. So a tiny guest counts
 * down in ring 0 and a stopwatch decides: real hardware does it in microseconds.
 */
#include "engine/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/endian.h"

#define PROBE_MEMORY 8192u
#define PROBE_SHORT 5000u	/* turns of the loop: 10,000 instructions */
#define PROBE_LONG 200000u	/* only tried when the short run was fast */
#define PROBE_LIMIT_NS 20000000 /* a run is broken off after this */
/* Thousand instructions a second: hardware does a million and more, an interpreter
 * some thousand. The short run is mostly the cost of getting in and out. */
#define FAST_SHORT_KIPS 20000
#define FAST_LONG_KIPS 150000

struct probe {
	int sys, vm, vcpu;
	u8 *mem;
	struct kvm_run *run;
	size_t run_size;
};

static const struct {
	int cap;
	const char *name;
} needed[] = {
	{KVM_CAP_USER_MEMORY, "user memory"},
	{KVM_CAP_IRQCHIP, "an interrupt controller"},
	{KVM_CAP_PIT2, "a timer"},
	{KVM_CAP_IRQ_ROUTING, "interrupt routing"},
	{KVM_CAP_SIGNAL_MSI, "MSI"},
	{KVM_CAP_IRQFD, "irqfd"},
	{KVM_CAP_IOEVENTFD, "ioeventfd"},
	{KVM_CAP_MP_STATE, "MP state"},
	{KVM_CAP_VCPU_EVENTS, "event state"},
	{KVM_CAP_DEBUGREGS, "debug registers"},
	{KVM_CAP_XSAVE, "XSAVE state"},
	{KVM_CAP_READONLY_MEM, "read-only memory"},
	{KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
};

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

/* ---- the guest -------------------------------------------------------------------------- */

/* mov ecx, turns; 1: dec ecx; jnz 1b; out 0x80, al */
static void guest_code(u8 *p, u32 turns)
{
	static const u8 code[] = {0xb9, 0, 0, 0, 0, 0x49, 0x75, 0xfd, 0xe6, 0x80};

	memcpy(p, code, sizeof(code));
	store_le32(p + 1, turns);
}

/* Flat 32-bit protected mode, ring 0, so that no CPU has to emulate real mode. */
static int guest_state(struct probe *p)
{
	struct kvm_segment seg = {.limit = 0xffffffff,
				  .selector = 8,
				  .present = 1,
				  .type = 3,
				  .s = 1,
				  .db = 1,
				  .g = 1};
	struct kvm_regs r = {.rflags = 2};
	struct kvm_sregs s;

	if (ioctl(p->vcpu, KVM_GET_SREGS, &s))
		return -errno;
	s.ds = s.es = s.fs = s.gs = s.ss = seg;
	seg.type = 11;
	s.cs = seg;
	s.cr0 |= 1;
	if (ioctl(p->vcpu, KVM_SET_SREGS, &s) || ioctl(p->vcpu, KVM_SET_REGS, &r))
		return -errno;
	return 0;
}

static int probe_open(struct probe *p)
{
	struct kvm_userspace_memory_region m = {.memory_size = PROBE_MEMORY};
	u64 identity = KVM_IDENTITY_MAP;

	p->vm = ioctl(p->sys, KVM_CREATE_VM, 0);
	if (p->vm < 0)
		return -errno;
	ioctl(p->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	ioctl(p->vm, KVM_SET_TSS_ADDR, (unsigned long)KVM_TSS);
	p->mem = mmap(NULL, PROBE_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (p->mem == MAP_FAILED)
		return -errno;
	m.userspace_addr = (uintptr_t)p->mem;
	if (ioctl(p->vm, KVM_SET_USER_MEMORY_REGION, &m))
		return -errno;
	p->vcpu = ioctl(p->vm, KVM_CREATE_VCPU, 0);
	if (p->vcpu < 0)
		return -errno;
	p->run_size = (size_t)ioctl(p->sys, KVM_GET_VCPU_MMAP_SIZE, 0);
	p->run = mmap(NULL, p->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, p->vcpu, 0);
	return p->run == MAP_FAILED ? -errno : 0;
}

static void probe_close(struct probe *p)
{
	if (p->run != MAP_FAILED)
		munmap(p->run, p->run_size);
	if (p->mem != MAP_FAILED)
		munmap(p->mem, PROBE_MEMORY);
	if (p->vcpu >= 0)
		close(p->vcpu);
	if (p->vm >= 0)
		close(p->vm);
}

/* ---- the stopwatch ------------------------------------------------------------------------- */

static int alarm_start(timer_t *t)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = kvm_signal_number()};
	struct itimerspec when = {.it_value.tv_nsec = PROBE_LIMIT_NS,
				  .it_interval.tv_nsec = PROBE_LIMIT_NS};

	ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &ev, t))
		return -errno;
	return timer_settime(*t, 0, &when, NULL) ? -errno : 0;
}

/* Thousand instructions a second of one run of `turns` turns; 0 when broken off; -errno. */
static int measure(struct probe *p, u32 turns)
{
	timer_t alarm;
	u64 ns;
	int ret;

	guest_code(p->mem, turns);
	ret = guest_state(p);
	if (!ret)
		ret = alarm_start(&alarm);
	if (ret)
		return ret;
	ns = now_ns();
	ret = ioctl(p->vcpu, KVM_RUN, 0) ? -errno : 0;
	ns = now_ns() - ns;
	timer_delete(alarm);
	if (ret == -EINTR)
		return 0;
	if (ret)
		return ret;
	if (p->run->exit_reason != KVM_EXIT_IO)
		return -E_IO;
	p->run->immediate_exit = 1; /* completes the I/O, so that registers can be set again */
	ioctl(p->vcpu, KVM_RUN, 0);
	p->run->immediate_exit = 0;
	return (int)(2000000ULL * turns / (ns ? ns : 1));
}

static int best_of(struct probe *p, u32 turns, int enough)
{
	int best = measure(p, turns), again;

	if (best < 0 || best >= enough || best < enough / 4)
		return best;
	again = measure(p, turns); /* perhaps only disturbed */
	return again > best ? again : best;
}

/* First run: page faults and warm-up; not counted. */
static int ring0_kips(struct probe *p)
{
	int kips = measure(p, 1);

	if (kips >= 0)
		kips = best_of(p, PROBE_SHORT, FAST_SHORT_KIPS);
	if (kips >= FAST_SHORT_KIPS)
		kips = best_of(p, PROBE_LONG, FAST_LONG_KIPS);
	return kips;
}

static void probe_speed(int sys, struct engine_info *info)
{
	struct probe p = {.sys = sys, .vm = -1, .vcpu = -1, .mem = MAP_FAILED, .run = MAP_FAILED};
	int kips = kvm_signal_install();

	if (!kips)
		kips = probe_open(&p);
	if (!kips &&
	    p.run != MAP_FAILED) /* the second half tells the analyzer what the first means */
		kips = ring0_kips(&p);
	probe_close(&p);
	info->usable = kips >= 0;
	info->fast = kips >= FAST_LONG_KIPS;
	if (kips < 0)
		snprintf(info->note, sizeof(info->note), "KVM cannot run a test guest: %s",
			 strerror(-kips));
	else if (!info->fast)
		snprintf(info->note, sizeof(info->note),
			 "this host's KVM interprets guest kernels (%s%d.%d million instructions a "
			 "second)",
			 kips ? "about " : "under ", kips ? kips / 1000 : 1, kips / 100 % 10);
}

void kvm_probe(struct engine_info *info, const char *device)
{
	int fd, n;

	if (!device)
		device = KVM_DEVICE;
	*info = (struct engine_info){
		.name = "kvm",
		.caps = ENGINE_CAP_IRQCHIP | ENGINE_CAP_DIRTY_LOG | ENGINE_CAP_KVMCLOCK,
		.traces = 1u << VCPU_TRACE_MMIO | 1u << VCPU_TRACE_PIO | 1u << VCPU_TRACE_EXIT};
	fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		snprintf(info->note, sizeof(info->note), "%s: %s", device, strerror(errno));
		return;
	}
	n = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (n != KVM_API_VERSION) {
		snprintf(info->note, sizeof(info->note), "%s does not speak KVM's API version 12",
			 device);
		goto out;
	}
	for (unsigned i = 0; i < ARRAY_LEN(needed); i++)
		if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0) {
			snprintf(info->note, sizeof(info->note), "this host's KVM lacks %s",
				 needed[i].name);
			goto out;
		}
	n = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	info->max_vcpus = n > 0 && n < (int)KVM_VCPUS_MAX ? (unsigned)n : KVM_VCPUS_MAX;
	probe_speed(fd, info);
out:
	close(fd);
}
