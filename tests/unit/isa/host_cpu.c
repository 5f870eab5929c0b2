// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/isa/host_cpu.h"

#include <asm/ldt.h>
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "isa/x86/ops.h"

#define AREA ((struct host_area *)(uintptr_t)HOST_AREA)
#define WAY_OUT (HOST_CODE + 0xf00) /* jmp *exit: what code jumps to after the instruction */

static_assert(offsetof(struct host_area, rflags) == HA_RFLAGS, "host_cpu.S");
static_assert(offsetof(struct host_area, entry) == HA_ENTRY, "host_cpu.S");
static_assert(offsetof(struct host_area, host_rsp) == HA_RSP, "host_cpu.S");
static_assert(offsetof(struct host_area, far_off) == HA_FAR, "host_cpu.S");
static_assert(offsetof(struct host_area, exit) == HA_EXIT, "host_cpu.S");
static_assert(offsetof(struct host_area, data_sel) == HA_DATA_SEL, "host_cpu.S");
static_assert(offsetof(struct host_area, xsave) == HA_XSAVE, "host_cpu.S");

void host_enter64(void);
void host_enter32(void);
void host_exit(void);
void host_fault_exit(void);

static struct host_fault fault;
static volatile bool running;
static u64 start; /* offset in CS of the code being run */
static bool have_ldt;
static u8 alt_stack[64 * 1024];
static struct sigaction before[32]; /* handlers that were there first, by signal */

struct host_area *host_cpu_area(void)
{
	return AREA;
}

/* Registers of an interrupted instruction to the area; then back to the caller. */
static void on_signal(int sig, siginfo_t *si, void *ctx)
{
	static const u8 order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				     REG_RSI, REG_RDI, REG_R8,	REG_R9,	 REG_R10, REG_R11,
				     REG_R12, REG_R13, REG_R14, REG_R15};
	ucontext_t *uc = ctx;
	greg_t *g = uc->uc_mcontext.gregs;
	u64 rip = g[REG_RIP];

	if (!running) { /* not ours */
		if (before[sig].sa_flags & SA_SIGINFO)
			before[sig].sa_sigaction(sig, si, ctx);
		else
			signal(sig, SIG_DFL);
		return;
	}
	running = false;
	for (unsigned i = 0; i < 16; i++)
		AREA->gpr[i] = g[order[i]];
	AREA->rflags = g[REG_EFL];
	fault = (struct host_fault){.vector = g[REG_TRAPNO],
				    .error = g[REG_ERR],
				    .addr = g[REG_CR2],
				    .rip = rip - start};
	memcpy(AREA->xsave, uc->uc_mcontext.fpregs, host_cpu_xsave_size());
	memset(AREA->xsave + 464, 0, 48); /* the kernel's notes in the unused part */
	AREA->xsave[512] &= HOST_XSAVE_MASK;
	memset(AREA->xsave + 513, 0, 7);
	g[REG_RIP] = (greg_t)(uintptr_t)host_fault_exit;
	g[REG_RSP] = AREA->host_rsp;
	g[REG_EFL] = 0x202;
	g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffffffff0000) | 0x33 | 0x2bULL << 48;
}

static bool take_signals(void)
{
	static const int sigs[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	stack_t ss = {.ss_sp = alt_stack, .ss_size = sizeof(alt_stack)};
	struct sigaction sa = {.sa_sigaction = on_signal,
			       .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	if (sigaltstack(&ss, NULL))
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(sigs); i++)
		if (sigaction(sigs[i], &sa, &before[sigs[i]]))
			return false;
	return true;
}

static bool map_at(u64 addr, size_t size)
{
	void *p = (void *)(uintptr_t)addr;

	return mmap(p, size, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p;
}

enum { SEL_CODE32 = 0x23, SEL_CODE64 = 0x33, SEL_DATA = 0x2b, SEL_CODE16 = 7, SEL_DATA16 = 15 };

static bool ldt_segment(unsigned entry, u32 base, bool code)
{
	struct user_desc d = {.entry_number = entry,
			      .base_addr = base,
			      .limit = 0xffff,
			      .contents =
				      code ? MODIFY_LDT_CONTENTS_CODE : MODIFY_LDT_CONTENTS_DATA,
			      .useable = 1};

	return syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)) == 0;
}

bool host_cpu_can(enum x86_mode mode)
{
	return mode != X86_MODE_16 || have_ldt;
}

u64 host_cpu_code_base(enum x86_mode mode)
{
	return mode == X86_MODE_16 ? HOST_CODE16 : 0;
}

u64 host_cpu_data_base(enum x86_mode mode)
{
	return mode == X86_MODE_16 ? HOST_DATA16 : 0;
}

bool host_cpu_init(void)
{
	static const u8 jump[3] = {0xff, 0x24, 0x25}; /* jmp *disp32 */
	u32 slot = HOST_AREA + HA_EXIT;
	u8 *out = (u8 *)(uintptr_t)WAY_OUT;

	if (!map_at(HOST_AREA, sizeof(struct host_area)) || !map_at(HOST_CODE, 4096) ||
	    !map_at(HOST_DATA, HOST_DATA_SIZE) || !take_signals()) {
		printf("# cannot map fixed executable memory here\n");
		return false;
	}
	memcpy(out, jump, 3);
	memcpy(out + 3, &slot, 4);
	AREA->exit = (uintptr_t)host_exit;
	have_ldt = ldt_segment(0, HOST_CODE16, true) && ldt_segment(1, HOST_DATA16, false);
	return true;
}

static struct host_fault enter(enum x86_mode mode)
{
	start = HOST_CODE_AT - host_cpu_code_base(mode);
	AREA->entry = start;
	AREA->far_off = (u32)start;
	AREA->far_sel = mode == X86_MODE_16 ? SEL_CODE16 : SEL_CODE32;
	AREA->data_sel = mode == X86_MODE_16 ? SEL_DATA16 : SEL_DATA;
	fault = (struct host_fault){.vector = -1};
	running = true;
	if (mode == X86_MODE_64)
		host_enter64();
	else
		host_enter32();
	running = false;
	return fault;
}

/* jmp rel32, or a far jump, which 16-bit code needs an operand size prefix for. */
static void put_way_out(enum x86_mode mode, u8 *at)
{
	u32 rel = (u32)(WAY_OUT - ((uintptr_t)at + 5)), abs = WAY_OUT;

	if (mode == X86_MODE_16)
		*at++ = 0x66;
	at[0] = mode == X86_MODE_64 ? 0xe9 : 0xea;
	memcpy(at + 1, mode == X86_MODE_64 ? &rel : &abs, 4);
	at[5] = SEL_CODE64;
	at[6] = 0;
}

struct host_fault host_cpu_run(enum x86_mode mode, const u8 *code, unsigned n)
{
	memcpy((void *)HOST_CODE_AT, code, n);
	put_way_out(mode, (u8 *)HOST_CODE_AT + n);
	return enter(mode);
}

struct host_fault host_cpu_branch(enum x86_mode mode, const u8 *code, unsigned n)
{
	memset((void *)HOST_CODE, 0xf4, WAY_OUT - HOST_CODE);
	memcpy((void *)HOST_CODE_AT, code, n);
	return enter(mode);
}

bool host_cpu_has(unsigned feature)
{
	static u8 known[X86_NFEATURES]; /* 1 no, 2 yes: CPUID is slow in a virtual machine */
	struct x86_cpuid_bit b = x86_feature_cpuid(feature);
	u32 r[4];

	if (!feature || feature >= X86_NFEATURES)
		return !feature;
	if (!known[feature])
		known[feature] = __get_cpuid_count(b.leaf, b.sub, &r[0], &r[1], &r[2], &r[3]) &&
						 r[b.reg] >> b.bit & 1
					 ? 2
					 : 1;
	return known[feature] == 2;
}

u64 host_cpu_xcr0(void)
{
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo & HOST_XSAVE_MASK;
}

u32 host_cpu_xsave_size(void)
{
	static u32 end = 576; /* the legacy region and the header */
	static bool known;    /* CPUID is slow in a virtual machine: asked once */
	u32 size, offset, c, d;

	for (unsigned i = 2; !known && i < 8; i++) {
		if (host_cpu_xcr0() >> i & 1 && __get_cpuid_count(13, i, &size, &offset, &c, &d) &&
		    offset + size > end)
			end = offset + size;
	}
	known = true;
	return end < HOST_XSAVE_SIZE ? end : HOST_XSAVE_SIZE;
}
