// SPDX-License-Identifier: Apache-2.0
/*
 * POWER instructions against QEMU's user emulation: random states and words of every row of
 * insns.txt, executed there by tests/guest/ppc/insn_state.c and here by lifter, IR and helpers in
 * the IR's interpreter. What the emitter makes of the instruction, in 64- and in 32-bit mode, and
 * of sequences of instructions must be exactly what the interpreter does. What may differ from
 * QEMU is what the ISA leaves undefined, and named errors of QEMU: see ppc_diff_undefined.c.
 *
 *	ppc_diff SOURCE-DIR [STATES-PER-FORM [SEED [MNEMONIC | "sequences"]]]
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"
#include "tests/unit/jit/ppc_diff.h"

static bool big_endian;
static unsigned per_form = 40;
static const char *only, *source;

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
		 "%s -O1 -mcpu=power8 -static -Wl,--section-start=.insn=%#lx -o %s "
		 "%s/tests/guest/ppc/insn_state.c",
		 cc, INSN_ADDR & ~0xffful, program, source);
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
			printf("#   +%03x before %016llx is %016llx not %016llx\n", i * 8,
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

/* Generated code against the interpreter; *result is the latter's. */
static bool try_emitted(const struct ppc_row *r, const struct state *before, enum here_mode mode,
			struct state *result)
{
	const struct here_code code = {.word = {(u32)before->insn}, .n = 1};
	struct state emitted = *before;

	*result = *before;
	if (!here_interpret(result, &code, mode))
		return false;
	here_emitted(&emitted, &code, mode);
	if (!memcmp(&emitted, result, sizeof(emitted)))
		return true;
	printf("# generated code against the interpreter, mode %u:\n", mode);
	show(r, (u32)before->insn, before, &emitted, result);
	return false;
}

static bool as_there(const struct ppc_row *r, const struct state *before, const char *what,
		     const struct state *here, const struct state *there)
{
	if (!memcmp(here, there, sizeof(*here)))
		return true;
	printf("# %s against QEMU:\n", what);
	show(r, (u32)before->insn, before, here, there);
	return false;
}

static bool try_one(const struct ppc_row *r, unsigned form)
{
	enum here_mode mode = (big_endian ? HERE_BE : 0) | (tried & 8 ? HERE_NO_RAM : 0);
	struct state before, here, here32, there, there32;

	diff_case(r, form, &before);
	there = before;
	if (!try_emitted(r, &before, mode | HERE_32, &here32) ||
	    !try_emitted(r, &before, mode, &here) || !run_there(&there))
		return false;
	there32 = there;
	diff_undefined(r, big_endian, &before, &here, &there);
	diff_undefined(r, big_endian, &before, &here32, &there32);
	diff_mode32(r, &before, &here32, &there32);
	tried++;
	return as_there(r, &before, "64-bit mode", &here, &there) &&
	       as_there(r, &before, "32-bit mode", &here32, &there32);
}

static void all_rows(void)
{
	unsigned forms = 0;

	if (!qemu_start())
		SKIP("a cross compiler or qemu-user-static is not installed");
	CHECK(here_start());
	wrong_rows = 0;
	for (unsigned i = 0; i < ppc_nrows; i++) {
		const struct ppc_row *r = &ppc_rows[i];

		if (diff_skipped(r, big_endian) || (only && strcmp(only, r->name)))
			continue;
		forms += diff_forms(r);
		for (unsigned n = 0; n < per_form * diff_forms(r); n++)
			if (!try_one(r, n)) {
				wrong_rows++;
				break;
			}
	}
	here_stop();
	qemu_stop();
	printf("# %u states, %u forms\n", tried, forms);
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

/* Generated code of several instructions against the interpreter with one at a time. */
static bool try_sequence(enum here_mode mode)
{
	struct state before, a, b;
	struct here_code code;
	char text[100];

	diff_sequence(&code, big_endian, &before);
	a = b = before;
	if (!here_interpret(&b, &code, mode | HERE_ONE))
		return false;
	here_emitted(&a, &code, mode);
	if (b.signal) { /* may be older, ir_target.relaxed */
		a.cr = b.cr;
		a.xer = b.xer;
		a.fpscr = b.fpscr;
	}
	if (!memcmp(&a, &b, sizeof(a)))
		return true;
	printf("# generated code against the interpreter, mode %u:\n", mode);
	for (unsigned i = 0; i < code.n; i++) {
		ppc_disasm(code.word[i], 0, text, sizeof(text));
		printf("#   %s\n", text);
	}
	show(ppc_decode(code.word[0]), code.word[0], &before, &a, &b);
	return false;
}

static void t_sequences(void)
{
	unsigned wrong = 0;

	CHECK(here_start());
	for (unsigned i = 0; i < 100 * per_form && wrong < 5; i++) {
		big_endian = i & 1;
		wrong += !try_sequence(i & (HERE_BE | HERE_32 | HERE_NO_RAM));
	}
	here_stop();
	CHECK_EQ(wrong, 0);
}

int main(int argc, char **argv)
{
	source = argc > 1 ? argv[1] : ".";
	if (argc > 2)
		per_form = (unsigned)atoi(argv[2]);
	diff_seed(argc > 3 ? strtoull(argv[3], NULL, 0) : 88172645463325252ULL);
	only = argc > 4 ? argv[4] : NULL;
	signal(SIGPIPE, SIG_IGN);
	RUN(t_little_endian);
	RUN(t_big_endian);
	if (!only || !strcmp(only, "sequences"))
		RUN(t_sequences);
	return test_done();
}
