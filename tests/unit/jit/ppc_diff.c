// SPDX-License-Identifier: Apache-2.0
/*
 * POWER instructions against QEMU's user emulation: random states and words of every row of
 * insns.txt, executed there by tests/guest/ppc/insn_state.c and here by lifter, IR and
 * helpers. What may differ is what the ISA leaves undefined, and named errors of QEMU: see
 * ppc_diff_undefined.c.
 *
 *	ppc_diff SOURCE-DIR [STATES-PER-ROW [SEED [MNEMONIC]]]
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/jit/ir/interp.h"
#include "engine/jit/ppc/fp.h"
#include "engine/jit/ppc/lift.h"
#include "engine/jit/ppc/sys.h"
#include "tests/test.h"
#include "tests/unit/jit/ppc_diff.h"

static struct ppc_vcpu cpu __attribute__((aligned(64)));
static struct ir_unit unit;
static union ir_cell cells[IR_MAX_OPS];
static u64 mem_words[sizeof(struct state) / 8];
static bool big_endian;
static unsigned per_row = 40;
static const char *only, *source;

/* ---- memory: the state itself, at its address in the guest; ppc_nosys.c is the rest of sys.h ----
 */

static int access_memory(void *ctx, u64 addr, u32 size, bool write, void *data)
{
	u8 *p = (u8 *)mem_words + (addr - STATE_ADDR);

	if (addr < STATE_ADDR || addr - STATE_ADDR > sizeof(mem_words) - size)
		return ppc_raise(&cpu, PPC_DSI, 0);
	if (write)
		memcpy(p, data, size);
	else
		memcpy(data, p, size);
	return 0;
}

int ppc_mem_read(struct ppc_vcpu *c, u64 ea, void *buf, unsigned n)
{
	return access_memory(NULL, ea, n, false, buf);
}

int ppc_mem_write(struct ppc_vcpu *c, u64 ea, const void *buf, unsigned n)
{
	return access_memory(NULL, ea, n, true, (void *)(uintptr_t)buf);
}

int ppc_mem_cas(struct ppc_vcpu *c, u64 ea, const void *old, const void *new, unsigned n)
{
	u8 now[16];

	if (access_memory(NULL, ea, n, false, now))
		return -1;
	return memcmp(now, old, n) ? 0
				   : 1 + access_memory(NULL, ea, n, true, (void *)(uintptr_t) new);
}

static int cas(void *ctx, u64 addr, u32 size, const void *old, const void *new)
{
	u8 now[8];

	if (access_memory(ctx, addr, size, false, now))
		return -1;
	return memcmp(now, old, size)
		       ? 0
		       : access_memory(ctx, addr, size, true, (void *)(uintptr_t) new) + 1;
}

/* ---- here
 * ------------------------------------------------------------------------------------------ */

static unsigned signal_of(const struct ppc_exc *e)
{
	switch (e->vector) {
	case PPC_PROGRAM:
		return e->srr1 & PPC_PROGRAM_FP	    ? SIGFPE
		       : e->srr1 & PPC_PROGRAM_TRAP ? SIGTRAP
						    : SIGILL;
	case PPC_ALIGN:
		return SIGBUS;
	case PPC_DSI:
		return SIGSEGV;
	default:
		return SIGILL;
	}
}

static void load_cpu(const struct state *s)
{
	memset(&cpu, 0, offsetof(struct ppc_vcpu, rt.save));
	memcpy(cpu.gpr, s->gpr, sizeof(cpu.gpr));
	cpu.lr = s->lr;
	cpu.ctr = s->ctr;
	ppc_xer_write(&cpu, s->xer);
	ppc_cr_write(&cpu, (u32)s->cr);
	for (unsigned i = 0; i < 64; i++)
		for (unsigned k = 0; k < 2; k++)
			cpu.vsr[i].dw[PPC_DW(k)] = s->vsr[i][k];
	cpu.vscr_sat.dw[0] = s->vscr & 1;
	cpu.vscr_nj = s->vscr >> 16 & 1;
	cpu.msr = PPC_MSR_SF | PPC_MSR_PR | PPC_MSR_FE0 | PPC_MSR_FE1 | PPC_MSR_FP | PPC_MSR_VEC |
		  PPC_MSR_VSX | (big_endian ? 0 : PPC_MSR_LE);
	cpu.rt.key = PPC_KEY_ISA3 | PPC_KEY_FLAT;
	cpu.res_addr = PPC_NO_RESERVATION;
	cpu.nip = 0x10000;
	ppc_fpscr_write(&cpu, s->fpscr);
	memcpy(mem_words, s, sizeof(*s));
}

static void store_cpu(struct state *s)
{
	memcpy(s->mem, (u8 *)mem_words + STATE_MEM, sizeof(s->mem));
	memcpy(s->gpr, cpu.gpr, sizeof(cpu.gpr));
	s->lr = cpu.lr;
	s->ctr = cpu.ctr;
	s->xer = ppc_xer_read(&cpu);
	s->cr = ppc_cr_read(&cpu);
	for (unsigned i = 0; i < 64; i++)
		for (unsigned k = 0; k < 2; k++)
			s->vsr[i][k] = cpu.vsr[i].dw[PPC_DW(k)];
	s->fpscr = ppc_fpscr_read(&cpu);
	s->vscr = (u64)cpu.vscr_nj << 16 | ((cpu.vscr_sat.dw[0] | cpu.vscr_sat.dw[1]) != 0);
	s->signal = cpu.exc.pending ? signal_of(&cpu.exc) : 0;
}

static bool run_here(struct state *s)
{
	u32 w = (u32)s->insn, host, at;
	u8 code[4];
	struct ir_env env = {.cpu = &cpu,
			     .access = access_memory,
			     .cas = cas,
			     .leave = &cpu.rt.leave,
			     .cell = cells};
	const char *wrong;

	for (unsigned i = 0; i < 4; i++)
		code[i] = (u8)(w >> (big_endian ? 24 - 8 * i : 8 * i));
	load_cpu(s);
	ppc_lift(&unit, code, 4, cpu.nip, cpu.rt.key);
	wrong = ir_verify(&unit, &at);
	if (wrong) {
		printf("# %08x: op %u: %s\n", w, at, wrong);
		return false;
	}
	__asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(host) : "m"(cpu.rt.mxcsr));
	ir_interp(&unit, &env);
	__asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(cpu.rt.mxcsr) : "m"(host));
	store_cpu(s);
	return true;
}

/* ---- there
 * ------------------------------------------------------------------------------------------ */

static struct {
	int in, out;
	pid_t pid;
	char dir[40];
} qemu;

static bool qemu_start(void)
{
	const char *cc = big_endian ? "powerpc64-linux-gnu-gcc" : "powerpc64le-linux-gnu-gcc";
	const char *emu = big_endian ? "qemu-ppc64-static" : "qemu-ppc64le-static";
	char command[1000], program[60];
	int to[2], from[2];

	strcpy(qemu.dir, "/tmp/hull-ppc-diff-XXXXXX");
	snprintf(command, sizeof(command), "command -v %s >/dev/null && command -v %s >/dev/null",
		 cc, emu);
	if (system(command) || !mkdtemp(qemu.dir))
		return false;
	snprintf(program, sizeof(program), "%s/insn_state", qemu.dir);
	snprintf(command, sizeof(command),
		 "%s -O1 -mcpu=power8 -static -o %s %s/tests/guest/ppc/insn_state.c", cc, program,
		 source);
	if (system(command) || pipe(to) || pipe(from))
		return false;
	qemu.pid = fork();
	if (qemu.pid == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		execlp(emu, emu, "-cpu", "power9", program, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	qemu.in = to[1];
	qemu.out = from[0];
	return qemu.pid > 0;
}

static void qemu_stop(void)
{
	char command[80];

	close(qemu.in);
	close(qemu.out);
	waitpid(qemu.pid, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", qemu.dir);
	if (system(command))
		printf("# %s remains\n", qemu.dir);
}

/* Numbers of the state between the byte orders; mem is bytes. */
static void swap_state(struct state *s)
{
	u64 *p = s->gpr;

	for (unsigned i = 0; big_endian && i < STATE_MEM / 8; i++)
		p[i] = __builtin_bswap64(p[i]);
}

static bool run_there(struct state *s)
{
	size_t done = 0;

	swap_state(s);
	if (write(qemu.in, s, sizeof(*s)) != (ssize_t)sizeof(*s))
		return false;
	while (done < sizeof(*s)) {
		ssize_t n = read(qemu.out, (u8 *)s + done, sizeof(*s) - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	swap_state(s);
	return true;
}

static void show(const struct ppc_row *r, u32 w, const struct state *before, const struct state *a,
		 const struct state *b)
{
	const u64 *pa = a->gpr, *pb = b->gpr, *p0 = before->gpr;
	char text[100];

	ppc_disasm(w, 0, text, sizeof(text));
	printf("# %s (%s) fpscr %llx xer %llx\n", text, r->name, (unsigned long long)before->fpscr,
	       (unsigned long long)before->xer);
	for (unsigned i = 0; i < sizeof(*a) / 8; i++)
		if (pa[i] != pb[i])
			printf("#   +%03x before %016llx hull %016llx qemu %016llx\n", i * 8,
			       (unsigned long long)p0[i], (unsigned long long)pa[i],
			       (unsigned long long)pb[i]);
	for (unsigned i = 0; i < ARRAY_LEN(r->opnd) && r->opnd[i]; i++) {
		unsigned n[] = {ppc_xa(w), ppc_xb(w), ppc_xt(w), ppc_ra(w),
				ppc_rb(w), ppc_rc(w), ppc_rt(w)};

		if (i)
			break;
		printf("#   xa %016llx.%016llx xb %016llx.%016llx xt %016llx.%016llx\n",
		       (unsigned long long)before->vsr[n[0]][0],
		       (unsigned long long)before->vsr[n[0]][1],
		       (unsigned long long)before->vsr[n[1]][0],
		       (unsigned long long)before->vsr[n[1]][1],
		       (unsigned long long)before->vsr[n[2]][0],
		       (unsigned long long)before->vsr[n[2]][1]);
		printf("#   ra %016llx rb %016llx rt %016llx va %016llx.%016llx vb %016llx.%016llx "
		       "fc %016llx\n",
		       (unsigned long long)before->gpr[n[3]], (unsigned long long)before->gpr[n[4]],
		       (unsigned long long)before->gpr[n[6]],
		       (unsigned long long)before->vsr[32 + n[3]][0],
		       (unsigned long long)before->vsr[32 + n[3]][1],
		       (unsigned long long)before->vsr[32 + n[4]][0],
		       (unsigned long long)before->vsr[32 + n[4]][1],
		       (unsigned long long)before->vsr[n[5]][0]);
	}
}

static unsigned tried, wrong_rows;

static bool try_one(const struct ppc_row *r)
{
	struct state before, here, there;

	diff_case(r, &before);
	here = there = before;
	if (!run_here(&here) || !run_there(&there))
		return false;
	diff_undefined(r, big_endian, &before, &here, &there);
	tried++;
	if (!memcmp(&here, &there, sizeof(here)))
		return true;
	show(r, (u32)before.insn, &before, &here, &there);
	return false;
}

static void all_rows(void)
{
	if (!qemu_start())
		SKIP("a cross compiler or qemu-user-static is not installed");
	wrong_rows = 0;
	for (unsigned i = 0; i < ppc_nrows; i++) {
		const struct ppc_row *r = &ppc_rows[i];

		if (diff_skipped(r, big_endian) || (only && strcmp(only, r->name)))
			continue;
		for (unsigned n = 0; n < per_row; n++)
			if (!try_one(r)) {
				wrong_rows++;
				break;
			}
	}
	qemu_stop();
	printf("# %u states\n", tried);
	CHECK_EQ(wrong_rows, 0);
}

static void t_little_endian(void)
{
	big_endian = false;
	all_rows();
}

static void t_big_endian(void)
{
	big_endian = true;
	all_rows();
}

int main(int argc, char **argv)
{
	source = argc > 1 ? argv[1] : ".";
	if (argc > 2)
		per_row = (unsigned)atoi(argv[2]);
	diff_seed(argc > 3 ? strtoull(argv[3], NULL, 0) : 88172645463325252ULL);
	only = argc > 4 ? argv[4] : NULL;
	signal(SIGPIPE, SIG_IGN);
	RUN(t_little_endian);
	RUN(t_big_endian);
	return test_done();
}
