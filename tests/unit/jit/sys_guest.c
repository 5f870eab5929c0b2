/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small guest that goes from the reset vector through real, protected and long
 * mode to ring 3 and back, takes faults and an interrupt and starts a second
 * CPU, on engine_jit_ops: interpreted and translated, with the state taken out
 * and put back in the middle, and under a debugger.
 */
#include <stdio.h>
#include <unistd.h>

#include "tests/test.h"
#include "tests/unit/jit/sys_guest.h"

static void all_modes(bool interpret)
{
	struct board_cpu p[2];
	struct board b;

	board_start(&b, p, interpret);
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	if (strcmp(b.out, "RVPL3GFIAQX"))
		printf("# output: %s\n", b.out);
	CHECK(!strcmp(b.out, "RVPL3GFIAQX"));
	board_stop(&b);
}

static void t_modes_interpreted(void)
{
	all_modes(true);
}

static void t_modes_translated(void)
{
	all_modes(false);
}

static void debugged(bool interpret)
{
	struct vcpu_debug d = {.nbreaks = 1, .breaks = {0x8000u + (u64)(guest_long - guest_start)}};
	struct board_cpu p[2];
	struct vcpu_exit e;
	struct board b;

	board_start(&b, p, interpret);
	CHECK_EQ(engine_jit_ops.vcpu_debug(b.cpu[0], &d), 0);
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[0], &e), 0);
	CHECK_EQ(e.kind, VCPU_EXIT_DEBUG);
	CHECK_EQ(e.addr, d.breaks[0]);
	CHECK(!strcmp(b.out, "RVP"));
	d = (struct vcpu_debug){.step = true};
	CHECK_EQ(engine_jit_ops.vcpu_debug(b.cpu[0], &d), 0);
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[0], &e), 0);
	CHECK_EQ(e.kind, VCPU_EXIT_DEBUG);
	CHECK_EQ(e.addr, 0x8000u + (u64)(guest_long - guest_start) + 2);
	/* A write watchpoint on the counter the second CPU moves stays quiet on this one. */
	d = (struct vcpu_debug){.nwatch = 1, .watch = {{0x2800, 2, false, true}}};
	CHECK_EQ(engine_jit_ops.vcpu_debug(b.cpu[0], &d), 0);
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[0], &e), 0);
	CHECK_EQ(e.kind, VCPU_EXIT_DEBUG);
	CHECK_EQ(e.addr, 0x2800);
	CHECK_EQ(engine_jit_ops.vcpu_debug(b.cpu[0], NULL), 0);
	CHECK_EQ(engine_jit_ops.vcpu_translate(b.cpu[0], 0x1234), 0x1234);
	CHECK_EQ(engine_jit_ops.vcpu_translate(b.cpu[0], 0x40000000), ~0ULL);
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	CHECK(!strcmp(b.out, "RVPL3GFIAQX"));
	board_stop(&b);
}

static void t_debug_interpreted(void)
{
	debugged(true);
}

static void t_debug_translated(void)
{
	debugged(false);
}

static void t_triple_fault(void)
{
	/* lidt with limit 0 (the memory is zero), then int3. */
	static const u8 code[] = {0x0f, 0x01, 0x1e, 0x00, 0x06, 0xcc};
	struct board_cpu p[2];
	struct vcpu_exit e;
	struct board b;

	board_start(&b, p, false);
	memcpy(b.ram + 0x8000, code, sizeof(code));
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[0], &e), 0);
	CHECK_EQ(e.kind, VCPU_EXIT_SHUTDOWN);
	board_stop(&b);
}

static void t_dirty_log(void)
{
	u64 bits[RAM / 4096 / 64];
	struct board_cpu p[2];
	struct board b;

	board_start(&b, p, false);
	CHECK_EQ(engine_jit_ops.dirty_log(b.vm, 0, bits, true), 0);
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	CHECK_EQ(engine_jit_ops.dirty_log(b.vm, 0, bits, true), 0);
	CHECK(bits[0] >> 0 & 1);  /* the counter */
	CHECK(bits[0] >> 2 & 1);  /* the IDT */
	CHECK(bits[0] >> 16 & 1); /* page tables */
	CHECK(!(bits[0] >> 32 & 1));
	CHECK_EQ(bits[4], 0);
	CHECK_EQ(engine_jit_ops.dirty_log(b.vm, 0, bits, false), 0);
	CHECK_EQ(bits[0], 0);
	board_stop(&b);
}

/* Guest time stands still while the VM is frozen, and goes on from there. */
static void t_frozen_time(void)
{
	struct timespec nap = {.tv_nsec = 20000000};
	struct board_cpu p[2];
	struct board b;
	u64 khz, t0, t1, t2, thaw;

	board_start(&b, p, false);
	engine_jit_ops.vm_freeze(b.vm, true);
	t0 = engine_jit_ops.vcpu_tsc(b.cpu[0], &khz);
	nanosleep(&nap, NULL);
	engine_jit_ops.vm_freeze(b.vm, true);
	t1 = engine_jit_ops.vcpu_tsc(b.cpu[0], &khz);
	CHECK_EQ(t0, t1);
	thaw = test_now();
	engine_jit_ops.vm_freeze(b.vm, false);
	t1 = engine_jit_ops.vcpu_tsc(b.cpu[1], &khz);
	CHECK(t1 >= t0 && t1 - t0 < khz * (10 + (test_now() - thaw) / 1000000));
	nanosleep(&nap, NULL);
	t2 = engine_jit_ops.vcpu_tsc(b.cpu[0], &khz);
	CHECK(t2 - t1 >= khz * 20);
	board_stop(&b);
}

/* An NMI in service holds back one more, whatever was sent (SDM vol. 3A section 7.7.1). */
static void nmis(bool interpret)
{
	struct board_cpu p[2];
	struct board b;

	board_start(&b, p, interpret);
	memcpy(b.ram + 0x8000, nmi_start, (size_t)(nmi_end - nmi_start));
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	if (strcmp(b.out, "2"))
		printf("# output: %s\n", b.out);
	CHECK(!strcmp(b.out, "2"));
	board_stop(&b);
}

static void t_nmi_interpreted(void)
{
	nmis(true);
}

static void t_nmi_translated(void)
{
	nmis(false);
}

/* Flags go where a return goes, whatever the translator saw of the caller before. */
static void returned_flags(bool interpret)
{
	struct board_cpu p[2];
	struct board b;

	board_start(&b, p, interpret);
	memcpy(b.ram + 0x8000, fl_start, (size_t)(fl_end - fl_start));
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	if (strcmp(b.out, "CPA"))
		printf("# output: %s\n", b.out);
	CHECK(!strcmp(b.out, "CPA"));
	board_stop(&b);
}

static void t_returned_flags_interpreted(void)
{
	returned_flags(true);
}

static void t_returned_flags_translated(void)
{
	returned_flags(false);
}

static void system_in_line(bool interpret)
{
	struct board_cpu p[2];
	struct board b;

	board_start(&b, p, interpret);
	memcpy(b.ram + 0x8000, si_start, (size_t)(si_end - si_start));
	CHECK_EQ(board_run(&b), VCPU_EXIT_KICK);
	if (strcmp(b.out, "FIQGA1"))
		printf("# output: %s\n", b.out);
	CHECK(!strcmp(b.out, "FIQGA1"));
	board_stop(&b);
}

static void t_system_in_line_interpreted(void)
{
	system_in_line(true);
}

static void t_system_in_line_translated(void)
{
	system_in_line(false);
}

/* Mappings of the guest's RAM in this process. */
static unsigned ram_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:guest-ram") != NULL;
	if (f)
		fclose(f);
	return n;
}

/* AddressSanitizer's shadow memory lies where the lowest window would: its guest does without. */
#ifdef __SANITIZE_ADDRESS__
#define LOW_WINDOW false
#else
#define LOW_WINDOW true
#endif

static void windows(bool interpret, const char *options)
{
	struct board_cpu p[2];
	struct vcpu_exit e;
	struct board b;

	setenv("HULL_JIT", options, 1);
	board_start_cpus(&b, p, interpret, 1);
	unsetenv("HULL_JIT");
	memcpy(b.ram + 0x8000, wi_start, (size_t)(wi_end - wi_start));
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[0], &e), 0);
	if (strcmp(b.out, "WRMCSLPEJ"))
		printf("# output: %s\n", b.out);
	CHECK(!strcmp(b.out, "WRMCSLPEJ"));
	/* Pages of the loop are shown once more. */
	if (interpret)
		CHECK_EQ(ram_mappings(), 1);
	else if (LOW_WINDOW)
		CHECK(ram_mappings() > 8);
	board_stop(&b);
}

static void t_windows_interpreted(void)
{
	windows(true, "");
}

static void t_windows_translated(void)
{
	windows(false, "");
}

static void t_windows_everywhere(void)
{
	windows(false, "allhot,hot=1");
}

/* A reset forgets what was sent to a CPU before it: the second one waits again. */
static void t_reset_forgets_sipi(void)
{
	static struct x86_state s;
	struct board_cpu p[2];
	struct vcpu_exit e;
	struct board b;

	board_start(&b, p, false);
	engine_jit_ops.vcpu_init(b.cpu[1]);
	engine_jit_ops.vcpu_sipi(b.cpu[1], 9);
	engine_jit_ops.vcpu_nmi(b.cpu[1]);
	engine_jit_ops.vcpu_reset(b.cpu[1]);
	engine_jit_ops.vcpu_kick(b.cpu[1]);
	CHECK_EQ(engine_jit_ops.vcpu_run(b.cpu[1], &e), 0);
	CHECK_EQ(e.kind, VCPU_EXIT_KICK);
	CHECK_EQ(engine_jit_ops.vcpu_get_state(b.cpu[1], &s), 0);
	CHECK_EQ(s.mp_state, X86_MP_WAIT_SIPI);
	CHECK(!s.nmi_pending);
	board_stop(&b);
}

int main(void)
{
	RUN(t_modes_interpreted);
	RUN(t_modes_translated);
	RUN(t_debug_interpreted);
	RUN(t_debug_translated);
	RUN(t_triple_fault);
	RUN(t_dirty_log);
	RUN(t_frozen_time);
	RUN(t_nmi_interpreted);
	RUN(t_nmi_translated);
	RUN(t_returned_flags_interpreted);
	RUN(t_returned_flags_translated);
	RUN(t_system_in_line_interpreted);
	RUN(t_system_in_line_translated);
	RUN(t_windows_interpreted);
	RUN(t_windows_translated);
	RUN(t_windows_everywhere);
	RUN(t_reset_forgets_sipi);
	return test_done();
}
