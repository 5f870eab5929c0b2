/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull boot`: options -> struct vm_config -> a machine, in a process of its own.
 *
 * Two processes. The child is the machine: it confines itself (host/sandbox.h)
 * and may be killed at any time. The parent is the supervisor: it holds no
 * guest data, passes signals on, and when the child is gone puts the terminal
 * back, removes the control socket and turns the end into an exit status.
 */
#include "cli/boot.h"
#include "host/log.h"
#include "host/tty.h"
#include "image/kernel.h"
#include "vm/control.h"
#include "vm/vm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum boot_option {
	BOOT_ARCH,
	BOOT_MMU,
	BOOT_ENGINE,
	BOOT_KVM_DEVICE,
	BOOT_CPUS,
	BOOT_MEMORY,
	BOOT_KERNEL,
	BOOT_INITRD,
	BOOT_APPEND,
	BOOT_FIRMWARE,
	BOOT_DISK,
	BOOT_NET,
	BOOT_CONSOLE,
	BOOT_NAME,
	BOOT_GDB,
	BOOT_LOG,
	BOOT_TRACE,
	BOOT_NO_SANDBOX,
	BOOT_INTERPRET,
	BOOT_VSOCK,
	BOOT_PORT,
	BOOT_TESTDEV,
	BOOT_RTC,
};
static_assert(BOOT_RTC + 1 == BOOT_OPTIONS, "one row each");

/* clang-format off */
const struct cli_option boot_options[BOOT_OPTIONS] = {
	{"arch", 0, "ARCH", "x86_64 or ppc64le (x86_64)", "x86_64 ppc64le", BOOT_ARCH},
	{"mmu", 0, "KIND", "ppc64le: radix or hash (radix)", "radix hash", BOOT_MMU},
	{"engine", 0, "NAME", "auto, kvm or jit (auto: kvm if it really virtualizes)",
	 "auto kvm jit", BOOT_ENGINE},
	{"kvm-device", 0, "PATH", "engine kvm: its device node (/dev/kvm)", "@file", BOOT_KVM_DEVICE},
	{"cpus", 0, "N", "number of virtual CPUs, 1 to 64 (1)", NULL, BOOT_CPUS},
	{"memory", 'm', "SIZE", "guest memory, in MiB or with K, M, G (512M)", NULL, BOOT_MEMORY},
	{"kernel", 0, "FILE", "kernel image, or the name of a stored one (`hull kernel list`)",
	 "@file", BOOT_KERNEL},
	{"initrd", 0, "FILE", "initial RAM disk; several are concatenated", "@file", BOOT_INITRD},
	{"append", 0, "TEXT", "kernel command line", NULL, BOOT_APPEND},
	{"firmware", 0, "FILE", "firmware image instead of a kernel", "@file", BOOT_FIRMWARE},
	{"disk", 0, "PATH[,ro][,mmio][,serial=TEXT]", "virtio disk on a raw file or device", "@file", BOOT_DISK},
	{"net", 0, "SPEC", "user[,ipv4][,forward=HOST:GUEST[/udp]]..., tap=NAME or none (none)",
	 "user none tap=", BOOT_NET},
	{"console", 0, "WHERE", "stdio, file=PATH or pty (stdio)", "stdio pty file=", BOOT_CONSOLE},
	{"name", 0, "NAME", "name for `hull ps` and its kin (vm-PID)", NULL, BOOT_NAME},
	{"gdb", 0, "PORT[,nowait]", "wait for gdb on 127.0.0.1:PORT", NULL, BOOT_GDB},
	{"log", 0, "LEVEL", "error, warn, info or debug (warn)", "error warn info debug", BOOT_LOG},
	{"trace", 0, "EVENT[,EVENT]...[,file=PATH]", "write down exc, int, mmio, pio, msr, cr, exit or all",
	 "exc int mmio pio msr cr exit all", BOOT_TRACE},
	{"no-sandbox", 0, NULL, "do not confine the process (debugging)", NULL, BOOT_NO_SANDBOX},
	{"interpret", 0, NULL, "jit: interpret, never translate (slow; a reference)", NULL, BOOT_INTERPRET},
	{"vsock", 0, "PATH", "guest's vsock (CID 3) behind unix sockets PATH and PATH_PORT", "@file",
	 BOOT_VSOCK},
	{"port", 0, "NAME=PATH", "guest's /dev/virtio-ports/NAME behind the unix socket PATH", "@file",
	 BOOT_PORT},
	{"test-device", 0, NULL, "add the device of kvm-unit-tests, QEMU's pc-testdev", NULL, BOOT_TESTDEV},
	{"rtc", 0, "TIME", "guest's clock: utc, localtime or YYYY-MM-DD[Thh:mm:ss] at its start (utc)",
	 "utc localtime", BOOT_RTC},
};
/* clang-format on */

const char boot_more_help[] =
	"On a terminal, Ctrl-] opens the menu; the next key is\n"
	"  b  press the power button    p  pause or resume    r  reset\n"
	"  q  kill the machine          ?  list the keys      Ctrl-]  send Ctrl-]\n"
	"\n"
	"SIGTERM, SIGINT and SIGHUP press the power button; a second one kills the machine.\n"
	"\n"
	"Exit status: 0 the guest powered off; 124 its CPU shut down (triple fault); 125 hull\n"
	"failed; 126 a given file cannot be used; 127 it does not exist; 128+N ended by\n"
	"signal N; else what the guest wrote to isa-debug-exit (port 0xf4), low byte.\n";

/* ---- options ---- */

static int boot_set_initrd(struct vm_config *cfg, const char *v, struct err *e)
{
	if (cfg->ninitrds == VM_INITRDS_MAX)
		return err_set(e, EINVAL, "at most %u initrds", VM_INITRDS_MAX);
	cfg->initrd[cfg->ninitrds++] = v;
	return 0;
}

static int boot_set_log(const char *v, struct err *e)
{
	int level = log_level_by_name(v);

	if (level < 0)
		return err_set(e, EINVAL, "log level %.40s: give error, warn, info or debug", v);
	log_set_level((enum log_level)level);
	return 0;
}

/* PORT or PORT,nowait */
static int boot_set_gdb(struct vm_config *cfg, const char *v, struct err *e)
{
	char port[8];
	size_t len = strcspn(v, ",");
	u64 n;
	int ret;

	if (len >= sizeof(port) || (v[len] && strcmp(v + len, ",nowait")))
		return err_set(e, EINVAL, "--gdb %s: expected PORT or PORT,nowait", v);
	memcpy(port, v, len);
	port[len] = 0;
	ret = cli_parse_uint("--gdb", port, 1, 65535, &n, e);
	cfg->gdb_port = ret ? 0 : (u16)n;
	cfg->gdb_nowait = v[len];
	return ret;
}

static int boot_set_number(struct vm_config *cfg, enum boot_option id, const char *v, struct err *e)
{
	u64 n;
	int ret;

	if (id == BOOT_MEMORY)
		return cli_parse_size(v, MIB(1), &cfg->memory, e);
	if (id == BOOT_GDB)
		return boot_set_gdb(cfg, v, e);
	ret = cli_parse_uint("--cpus", v, 1, VM_CPUS_MAX, &n, e);
	if (!ret)
		cfg->ncpus = (unsigned)n;
	return ret;
}

static int boot_set(struct vm_config *cfg, enum boot_option id, const char *v, struct err *e)
{
	switch (id) {
	case BOOT_ARCH:
		return vm_config_arch(cfg, v, e);
	case BOOT_MMU:
		return vm_config_mmu(cfg, v, e);
	case BOOT_ENGINE:
		return vm_config_engine(cfg, v, e);
	case BOOT_KVM_DEVICE:
		cfg->kvm_device = v;
		return 0;
	case BOOT_CPUS:
	case BOOT_MEMORY:
	case BOOT_GDB:
		return boot_set_number(cfg, id, v, e);
	case BOOT_KERNEL:
		cfg->kernel = v;
		return 0;
	case BOOT_INITRD:
		return boot_set_initrd(cfg, v, e);
	case BOOT_APPEND:
		cfg->append = v;
		return 0;
	case BOOT_FIRMWARE:
		cfg->firmware = v;
		return 0;
	case BOOT_DISK:
		return vm_config_disk(cfg, v, e);
	case BOOT_NET:
		return vm_config_net(cfg, v, e);
	case BOOT_CONSOLE:
		return vm_config_console(cfg, v, e);
	case BOOT_NAME:
		return vm_config_name(cfg, v, e);
	case BOOT_LOG:
		return boot_set_log(v, e);
	case BOOT_TRACE:
		return vm_config_trace(cfg, v, e);
	case BOOT_NO_SANDBOX:
		cfg->sandbox = false;
		return 0;
	case BOOT_INTERPRET:
		cfg->interpret = true;
		return 0;
	case BOOT_VSOCK:
		if (v[0] != '/') /* it is used from inside the sandbox, which has another root */
			return err_set(e, EINVAL, "--vsock %.80s: give an absolute path", v);
		cfg->vsock = v;
		return 0;
	case BOOT_TESTDEV:
		cfg->testdev = true;
		return 0;
	case BOOT_PORT:
		return vm_config_port(cfg, v, e);
	case BOOT_RTC:
		return vm_config_rtc(cfg, v, e);
	}
	return err_set(e, EINVAL, "unknown option");
}

/* kernel_path holds PATHS_MAX bytes and must live as long as cfg. */
static int boot_parse(const struct cli_command *self, int argc, char **argv, struct vm_config *cfg,
		      char *kernel_path, struct err *e)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	int ret;

	vm_config_default(cfg);
	while ((ret = cli_next(&p, &opt, e)) > 0) {
		if (!opt)
			return err_set(e, EINVAL,
				       "unexpected argument %.80s: did you mean --kernel?",
				       p.value);
		ret = boot_set(cfg, (enum boot_option)opt->id, p.value, e);
		if (ret)
			return ret;
	}
	if (ret || (ret = vm_config_check(cfg, e)))
		return ret;
	if (!cfg->kernel)
		return 0;
	ret = kernel_resolve(cfg->kernel, kernel_path, e);
	cfg->kernel = kernel_path;
	return ret;
}

/* ---- the child: the machine ---- */

static int result_status(const struct cli_command *self, const struct vm_result *r)
{
	if (r->text[0])
		fprintf(stderr, "hull %s: %s\n", self->name, r->text);
	switch (r->end) {
	case VM_END_POWEROFF:
		return CLI_OK;
	case VM_END_EXIT:
		return (int)(r->code & 0xff);
	case VM_END_TRIPLE_FAULT:
		return CLI_TRIPLE_FAULT;
	case VM_END_KILLED:
		return CLI_SIGNAL + (int)r->code;
	default:
		return CLI_ERROR;
	}
}

static int machine_main(const struct cli_command *self, const struct vm_config *cfg,
			const struct tty *tty)
{
	struct vm_result result = {0};
	struct err e = {0};
	struct vm *vm = NULL;
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != cfg->supervisor)
		return CLI_SIGNAL + SIGKILL;
	ret = vm_create(cfg, &vm, &e);
	if (!ret) {
		if (cfg->console == VM_CONSOLE_STDIO)
			tty_raw(tty);
		ret = vm_run(vm, &result, &e);
	}
	vm_destroy(vm);
	tty_restore(tty);
	return ret ? cli_fail(self, &e) : result_status(self, &result);
}

/* ---- the parent: the supervisor ---- */

#define BOOT_PATIENCE_S 5

static void machine_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGWINCH);
}

/*
 * Passes signals on until the child has ended; its wait status. The second one
 * that asks for an end shall end it: a child that still has not after a while is
 * stuck (in the host's KVM, or stopped) and is killed.
 */
static int supervise(pid_t child, sigset_t *set)
{
	const struct timespec patience = {.tv_sec = BOOT_PATIENCE_S};
	unsigned asked = 0;
	int status;

	sigaddset(set, SIGCHLD);
	while (waitpid(child, &status, WNOHANG) != child) {
		siginfo_t si;
		int sig = sigtimedwait(set, &si, asked < 2 ? NULL : &patience);

		if (sig < 0 && errno == EAGAIN)
			kill(child, SIGKILL);
		if (sig <= 0 || sig == SIGCHLD)
			continue;
		asked += sig != SIGWINCH;
		/* What the terminal sends goes to the whole group: the child has it. */
		if (si.si_code != SI_KERNEL)
			kill(child, sig);
	}
	return status;
}

static int status_of(const struct cli_command *self, int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "hull %s: the machine's process was ended by signal %d (%s)\n", self->name,
		WTERMSIG(status), strsignal(WTERMSIG(status)));
	return CLI_SIGNAL + WTERMSIG(status);
}

int cmd_boot(const struct cli_command *self, int argc, char **argv)
{
	struct vm_config cfg;
	char kernel_path[PATHS_MAX];
	struct err e = {0};
	struct tty tty;
	sigset_t set;
	pid_t child;
	int ret = boot_parse(self, argc, argv, &cfg, kernel_path, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	machine_signals(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	tty_save(&tty, STDIN_FILENO);
	cfg.supervisor = (int)getpid();
	child = fork();
	if (child == 0)
		_exit(machine_main(self, &cfg, &tty));
	if (child < 0) {
		err_errno(&e, "cannot start the machine's process");
		return cli_fail(self, &e);
	}
	ret = supervise(child, &set);
	tty_restore(&tty);
	control_unlink(cfg.name);
	vm_cleanup(&cfg);
	return status_of(self, ret);
}
