/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine interface call by call, with a few bytes of real-mode code at
 * 8000h: on both engines where both have it, on KVM alone for eventfds.
 */
#include "tests/test.h"

#include "tests/unit/kvm/rig.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct rig_memory mem;
static struct rig rig;

static const char *kvm_missing(void)
{
	static struct engine_info info;

	if (!info.name)
		engine_kvm_ops.probe(&info, NULL);
	return info.usable ? NULL : info.note;
}

static const struct engine_ops *const both[2] = {&engine_jit_ops, &engine_kvm_ops};

static int start(const struct engine_ops *ops, bool irqchip, const void *code, size_t len)
{
	if (rig_memory_init(&mem, NULL))
		return -1;
	memcpy(mem.ram + 0x8000, code, len);
	return rig_init(&rig, ops, &mem, 1, irqchip, false);
}

static void stop(void)
{
	rig_fini(&rig);
	rig_memory_fini(&mem);
}

/* Run on CPU 0 in this thread. */
static enum vcpu_exit_kind run(u64 *addr)
{
	struct vcpu_exit exit;
	int ret = rig.ops->vcpu_run(rig.cpu[0].v, &exit);

	if (addr)
		*addr = exit.addr;
	return ret ? VCPU_EXIT_ERROR : exit.kind;
}

static struct x86_state *state(void)
{
	static struct x86_state s;

	if (rig.ops->vcpu_get_state(rig.cpu[0].v, &s))
		memset(&s, 0xee, sizeof(s));
	return &s;
}

/* The body once for each engine; the second is skipped where KVM is missing. */
#define FOR_BOTH(irqchip, code)                                                                    \
	for (unsigned e_ = 0; e_ < 2 && (e_ == 0 || !kvm_missing()) &&                             \
			      (start(both[e_], e_ == 1 && (irqchip), code, sizeof(code)) == 0 ||   \
			       (snprintf(test_state.why, sizeof(test_state.why), "no start"), 0)); \
	     e_++, stop())

static void t_triple_fault(void)
{
	/* lidt [0x8018] (limit 0); mov eax,cr0; or al,1; mov cr0,eax; ud2 */
	static const u8 code[32] = {0x0f, 0x01, 0x1e, 0x18, 0x80, 0x0f, 0x20, 0xc0,
				    0x0c, 0x01, 0x0f, 0x22, 0xc0, 0x0f, 0x0b};

	FOR_BOTH(true, code)
	{
		CHECK_EQ(run(NULL), VCPU_EXIT_SHUTDOWN);
	}
}

static void *kicker(void *opaque)
{
	usleep(30000);
	rig.ops->vcpu_kick(rig.cpu[0].v);
	return NULL;
}

static void t_kick(void)
{
	static const u8 spin[] = {0xeb, 0xfe};
	static const u8 halt[] = {0xfa, 0xf4, 0xeb, 0xfd};
	pthread_t t;

	FOR_BOTH(true, spin)
	{
		pthread_create(&t, NULL, kicker, NULL);
		CHECK_EQ(run(NULL), VCPU_EXIT_KICK);
		pthread_join(t, NULL);
		rig.ops->vcpu_kick(rig.cpu[0].v); /* before the run: the next one returns */
		CHECK_EQ(run(NULL), VCPU_EXIT_KICK);
		CHECK_EQ(state()->rip, 0x8000);
	}
	for (unsigned irqchip = 0; irqchip < 2; irqchip++)
		FOR_BOTH(irqchip, halt)
		{
			pthread_create(&t, NULL, kicker, NULL);
			CHECK_EQ(run(NULL), VCPU_EXIT_KICK);
			pthread_join(t, NULL);
			CHECK_EQ(state()->rip, 0x8002);
			CHECK_EQ(state()->mp_state, X86_MP_HALTED);
		}
}

static bool tsc_moves(void)
{
	struct x86_state *s = state();
	u64 before = s->tsc;

	s->tsc = before + (1ULL << 40);
	return !rig.ops->vcpu_set_state(rig.cpu[0].v, s) && state()->tsc - before >= 1ULL << 40;
}

/* The guest's TSC stands still while its VM is frozen, and goes on from there. */
static void t_frozen_time(void)
{
	static const u8 spin[] = {0xeb, 0xfe};
	u64 khz, t0, t1, thaw;

	FOR_BOTH(true, spin)
	{
		rig.ops->vm_freeze(rig.vm, true);
		t0 = rig.ops->vcpu_tsc(rig.cpu[0].v, &khz);
		usleep(100000);
		CHECK_EQ(rig.ops->vcpu_tsc(rig.cpu[0].v, &khz), t0);
		thaw = test_now();
		rig.ops->vm_freeze(rig.vm, false);
		t1 = state()->tsc;
		thaw = test_now() - thaw;
		CHECK(t1 >= t0);
		if (tsc_moves())
			CHECK(t1 - t0 < khz * (50 + thaw / 1000000));
		else
			printf("# this host's KVM does not let the TSC be set\n");
		usleep(20000);
		CHECK(rig.ops->vcpu_tsc(rig.cpu[0].v, &khz) > t1);
	}
}

/* Not by bytes: there is padding. */
static bool same_seg(const struct x86_seg *a, const struct x86_seg *b)
{
	return a->base == b->base && a->limit == b->limit && a->attr == b->attr && a->sel == b->sel;
}

static void t_state_round_trip(void)
{
	static const u8 code[] = {0xf4};
	static struct x86_state a, b;

	FOR_BOTH(false, code)
	{
		a = *state();
		for (unsigned i = 0; i < 16; i++)
			a.gpr[i] = 0x1111111111111111ULL * i;
		a.rip = 0x1234;
		a.rflags = 0x8d7;
		a.seg[X86_FS] = (struct x86_seg){
			.base = 0x12340, .limit = 0xffff, .attr = 0x93, .sel = 0x1234};
		a.gdtr = (struct x86_dtr){.base = 0x5000, .limit = 0x7f};
		a.cr2 = 0xdeadbeef;
		a.dr[1] = 0x4444;
		a.sti_shadow = true;
		a.nmi_masked = true;
		memset(a.xsave + 160, 0x5a, 256);
		a.xsave[512] |= 3; /* XSTATE_BV: x87 and SSE are not in their initial state */
		for (u32 i = 0; i < a.nmsrs; i++)
			if (a.msr[i].index == 0xc0000082) /* LSTAR */
				a.msr[i].value = 0xffffffff81000000;
		CHECK_EQ(rig.ops->vcpu_set_state(rig.cpu[0].v, &a), 0);
		b = *state();
		CHECK(!memcmp(a.gpr, b.gpr, sizeof(a.gpr)));
		CHECK_EQ(b.rip, a.rip);
		CHECK_EQ(b.rflags, a.rflags);
		CHECK(same_seg(&a.seg[X86_FS], &b.seg[X86_FS]));
		CHECK_EQ(b.gdtr.base, 0x5000);
		CHECK_EQ(b.cr2, 0xdeadbeef);
		CHECK_EQ(b.dr[1], 0x4444);
		CHECK(b.sti_shadow && b.nmi_masked && !b.movss_shadow);
		CHECK(!memcmp(a.xsave + 160, b.xsave + 160, 256));
		CHECK_EQ(a.nmsrs, b.nmsrs);
		for (u32 i = 0; i < a.nmsrs; i++)
			if (a.msr[i].index == 0xc0000082)
				CHECK_EQ(b.msr[i].value, 0xffffffff81000000);
		a.nmsrs = X86_STATE_MSRS + 1;
		CHECK_EQ(rig.ops->vcpu_set_state(rig.cpu[0].v, &a), (u64)-E_INVAL);
		rig.ops->vcpu_reset(rig.cpu[0].v);
		CHECK_EQ(state()->rip, 0xfff0);
		CHECK_EQ(state()->seg[X86_CS].base, 0xffff0000);
		CHECK_EQ(state()->gpr[X86_RAX], 0);
	}
}

static void t_steps_and_breakpoints(void)
{
	/* 8000 inc ax; 8001 inc bx; 8002 inc cx; 8003 inc dx; 8004 mov [0x5000],ax; 8007 jmp 8000
	 */
	static const u8 code[] = {0x40, 0x43, 0x41, 0x42, 0xa3, 0x00, 0x50, 0xeb, 0xf7};
	struct vcpu_debug d;
	u64 addr;

	FOR_BOTH(true, code)
	{
		d = (struct vcpu_debug){.step = true};
		CHECK_EQ(rig.ops->vcpu_debug(rig.cpu[0].v, &d), 0);
		CHECK_EQ(run(&addr), VCPU_EXIT_DEBUG);
		CHECK_EQ(addr, 0x8001);
		CHECK_EQ(run(&addr), VCPU_EXIT_DEBUG);
		CHECK_EQ(addr, 0x8002);
		d = (struct vcpu_debug){.nbreaks = 1, .breaks = {0x8003}};
		CHECK_EQ(rig.ops->vcpu_debug(rig.cpu[0].v, &d), 0);
		CHECK_EQ(run(&addr), VCPU_EXIT_DEBUG);
		CHECK_EQ(addr, 0x8003);
		CHECK_EQ(state()->gpr[X86_RCX] & 0xffff, 1);
		d = (struct vcpu_debug){.nbreaks = 6, .breaks = {1, 2, 3, 4, 5, 0x8007}};
		CHECK_EQ(rig.ops->vcpu_debug(rig.cpu[0].v, &d), 0);
		CHECK_EQ(run(&addr), VCPU_EXIT_DEBUG);
		CHECK_EQ(addr, 0x8007);
		CHECK_EQ(rig.ops->vcpu_debug(rig.cpu[0].v, NULL), 0);
		rig.ops->vcpu_kick(rig.cpu[0].v);
		CHECK_EQ(run(NULL), VCPU_EXIT_KICK);
		CHECK_EQ(rig.ops->vcpu_translate(rig.cpu[0].v, 0x8003), 0x8003);
	}
}

static void t_dirty_log(void)
{
	/* mov [0x3000],al; mov [0x5008],al; out 0xf4,al; hlt */
	static const u8 code[] = {0xa2, 0x00, 0x30, 0xa2, 0x08, 0x50, 0xe6, 0xf4, 0xf4};
	u64 map[RIG_RAM / GPA_PAGE_SIZE / 64];
	u8 byte = 1;

	FOR_BOTH(true, code)
	{
		CHECK_EQ(rig.ops->dirty_log(rig.vm, 0, map, true), 0);
		CHECK_EQ(map[1], ~0ULL); /* before the log began everything counts */
		CHECK_EQ(rig.ops->dirty_log(rig.vm, 0, map, true), 0);
		CHECK_EQ(map[0] | map[1], 0);
		CHECK_EQ(run(NULL), VCPU_EXIT_KICK);
		CHECK_EQ(gpa_write(&rig.map, 0x41fff, &byte, 1), 0);
		CHECK_EQ(rig.ops->dirty_log(rig.vm, 0, map, true), 0);
		CHECK_EQ(map[0], 1 << 3 | 1 << 5);
		CHECK_EQ(map[1], 1 << 1);
		CHECK_EQ(rig.ops->dirty_log(rig.vm, 0, map, false), 0);
		CHECK_EQ(map[0], 0);
		CHECK_EQ(rig.ops->dirty_log(rig.vm, 7, map, true), (u64)-E_INVAL);
	}
}

static void t_cpuid(void)
{
	static const u8 code[] = {0xf4};
	u32 out[4];

	FOR_BOTH(true, code)
	{
		rig.ops->vcpu_cpuid(rig.cpu[0].v, 0x40000000, 0, out);
		CHECK_EQ(out[1], 0x4b4d564b);
		rig.ops->vcpu_cpuid(rig.cpu[0].v, 1, 0, out);
		CHECK_EQ(out[1] >> 24, 0);
		CHECK_EQ(out[2] >> 31, 1);
		rig.ops->vcpu_cpuid(rig.cpu[0].v, 0x12345678, 0, out);
	}
	if (kvm_missing())
		SKIP(kvm_missing());
	CHECK_EQ(rig_memory_init(&mem, NULL), 0);
	CHECK_EQ(rig_init(&rig, &engine_kvm_ops, &mem, 2, true, false), 0);
	rig.ops->vcpu_cpuid(rig.cpu[1].v, 1, 0, out);
	CHECK_EQ(out[1] >> 16, 0x0102);
	rig.ops->vcpu_cpuid(rig.cpu[1].v, 0xb, 1, out);
	CHECK_EQ(out[1], 2);
	CHECK_EQ(out[3], 1);
	stop();
}

/* KVM's clock knows the host's date only. */
static void t_no_clock_of_another_date(void)
{
	struct gpa_map map = {0};
	struct engine_vm_config cfg = {.map = &map, .ncpus = 1};
	const struct vcpu_bus bus = {0};
	struct engine_vcpu *v;
	struct engine_vm *vm;
	u32 out[4];

	if (kvm_missing())
		SKIP(kvm_missing());
	for (unsigned i = 0; i < 4; i++) {
		cfg.wall_offset = i & 1 ? -1 : 0;
		cfg.user_irqchip = i & 2;
		CHECK_EQ(engine_kvm_ops.vm_create(&cfg, &vm), 0);
		CHECK_EQ(engine_kvm_ops.vcpu_create(vm, 0, &bus, &v), 0);
		engine_kvm_ops.vcpu_cpuid(v, 0x40000001, 0, out);
		CHECK_EQ(out[0] & (1u << 0 | 1u << 3 | 1u << 24), i & 1 ? 0 : 0x1000009);
		engine_kvm_ops.vcpu_destroy(v);
		engine_kvm_ops.vm_destroy(vm);
	}
}

static void t_ioeventfd_and_irqfd(void)
{
	/* mov ax,0xd000; mov ds,ax; mov byte [0x40],7; mov byte [0x40],9; out 0xf4,al; hlt */
	static const u8 code[] = {0xb8, 0x00, 0xd0, 0x8e, 0xd8, 0xc6, 0x06, 0x40, 0x00,
				  0x07, 0xc6, 0x06, 0x40, 0x00, 0x09, 0xe6, 0xf4, 0xf4};
	int fd = eventfd(0, EFD_NONBLOCK);
	u64 n = 0;

	if (kvm_missing())
		SKIP(kvm_missing());
	CHECK_EQ(start(&engine_kvm_ops, true, code, sizeof(code)), 0);
	CHECK_EQ(rig.ops->ioeventfd(rig.vm, fd, RIG_MMIO + 0x40, 1, 7, true), 0);
	CHECK_EQ(run(NULL), VCPU_EXIT_KICK);
	CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
	CHECK_EQ(n, 1);
	CHECK_EQ(rig.nlog, 2); /* the 9, and the port */
	CHECK_EQ(rig.log[0].val, 9);
	CHECK_EQ(rig.ops->ioeventfd(rig.vm, fd, RIG_MMIO + 0x40, 1, 7, false), 0);

	CHECK_EQ(rig.ops->irqfd(rig.vm, fd, 0xfee00000, 0x41, true), 0);
	CHECK_EQ(rig.ops->irqfd(rig.vm, fd, 0xfee00000, 0x42, true), 0);
	CHECK_EQ(rig.ops->irqfd(rig.vm, fd, 0xfee00000, 0x42, false), 0);
	CHECK_EQ(rig.ops->irqfd(rig.vm, fd, 0xfee00000, 0x42, false), (u64)-E_NOENT);
	CHECK_EQ(rig.ops->irqfd(rig.vm, -1, 0xfee00000, 0x42, true), (u64)-E_INVAL);
	stop();
	CHECK_EQ(start(&engine_kvm_ops, false, code, sizeof(code)), 0);
	CHECK_EQ(rig.ops->gsi_set(rig.vm, 4, true), (u64)-E_NOTSUP);
	CHECK_EQ(rig.ops->irqfd(rig.vm, fd, 0xfee00000, 0x41, true), (u64)-E_NOTSUP);
	stop();
	close(fd);
}

/* An eventfd written by another thread wakes a halted guest through its message. */
static void t_irqfd_wakes(void)
{
	/*
	 * xor ax,ax; mov ds,ax; mov ss,ax; mov word [0x41*4],0x8030; mov word [0x41*4+2],0
	 * mov eax,0x1ff; mov [dword 0xfee000f0],eax needs more than real mode: x2APIC instead:
	 * mov ecx,0x1b; rdmsr; or eax,0xc00; wrmsr; mov ecx,0x80f; mov eax,0x1ff; xor edx,edx;
	 * wrmsr; out 0x80,al; sti; hlt; jmp $      at 8040: out 0xf4,al; hlt
	 */
	static const u8 code[] = {
		0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0xc7, 0x06, 0x04, 0x01, 0x40,
		0x80, 0xc7, 0x06, 0x06, 0x01, 0x00, 0x00, 0x66, 0xb9, 0x1b, 0x00, 0x00, 0x00, 0x0f,
		0x32, 0x66, 0x0d, 0x00, 0x0c, 0x00, 0x00, 0x0f, 0x30, 0x66, 0xb9, 0x0f, 0x08, 0x00,
		0x00, 0x66, 0xb8, 0xff, 0x01, 0x00, 0x00, 0x66, 0x31, 0xd2, 0x0f, 0x30, 0xe6, 0x80,
		0xfb, 0xf4, 0xeb, 0xfe, 0x90, 0x90, 0x90, 0x90, 0xe6, 0xf4, 0xf4};
	int fd = eventfd(0, EFD_NONBLOCK);
	u64 one = 1;

	if (kvm_missing())
		SKIP(kvm_missing());
	CHECK_EQ(start(&engine_kvm_ops, true, code, sizeof(code)), 0);
	CHECK_EQ(rig.ops->irqfd(rig.vm, fd, 0xfee00000, 0x41, true), 0);
	for (unsigned pass = 0; pass < 2; pass++) { /* again after a reset, out of x2APIC mode */
		CHECK_EQ(write(fd, &one, sizeof(one)), sizeof(one));
		usleep(1000);
		/* The local APIC is still disabled: that one is lost. The next one counts. */
		pthread_create(&rig.cpu[0].thread, NULL, kicker, NULL);
		CHECK_EQ(run(NULL), VCPU_EXIT_KICK);
		pthread_join(rig.cpu[0].thread, NULL);
		CHECK(!rig.done);
		CHECK_EQ(state()->mp_state, X86_MP_HALTED);
		CHECK_EQ(state()->apic_base & 0xc00, 0xc00);
		CHECK_EQ(write(fd, &one, sizeof(one)), sizeof(one));
		CHECK_EQ(run(NULL), VCPU_EXIT_KICK);
		CHECK(rig.done);
		CHECK_EQ(state()->rip, 0x8042);
		rig.done = false;
		rig.ops->vcpu_reset(rig.cpu[0].v);
		CHECK_EQ(state()->apic_base, 0xfee00900);
		CHECK_EQ(rig_start(&rig, 0), 0);
	}
	stop();
	close(fd);
}

static void t_bad_configuration(void)
{
	struct gpa_map map = {0};
	struct engine_vm_config cfg = {.map = &map, .ncpus = 1, .device = "/dev/null"};
	struct engine_info info;
	struct engine_vm *vm = NULL;

	CHECK(engine_kvm_ops.vm_create(&cfg, &vm) < 0);
	cfg.device = "/nonexistent";
	CHECK_EQ(engine_kvm_ops.vm_create(&cfg, &vm), (u64)-E_NOENT);
	cfg.ncpus = 1000;
	CHECK_EQ(engine_kvm_ops.vm_create(&cfg, &vm), (u64)-E_INVAL);
	engine_kvm_ops.probe(&info, "/nonexistent");
	CHECK(!info.usable && strstr(info.note, "/nonexistent"));
	engine_kvm_ops.probe(&info, "/dev/null");
	CHECK(!info.usable && info.note[0]);
	engine_kvm_ops.vm_destroy(NULL);
	engine_kvm_ops.vcpu_destroy(NULL);
}

int main(void)
{
	alarm(250); /* a guest that never stops is a failure, not a wait */
	RUN(t_triple_fault);
	RUN(t_kick);
	RUN(t_frozen_time);
	RUN(t_state_round_trip);
	RUN(t_steps_and_breakpoints);
	RUN(t_dirty_log);
	RUN(t_cpuid);
	RUN(t_no_clock_of_another_date);
	RUN(t_ioeventfd_and_irqfd);
	RUN(t_irqfd_wakes);
	RUN(t_bad_configuration);
	return test_done();
}
