/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order of a machine's life. Creation opens all that needs the host (files,
 * sockets, terminal, memory, the engine), then vm_run confines the process and
 * only then starts vCPU threads. The event thread (the caller of vm_run) is the
 * only one that holds or releases vCPUs; vCPU threads and signals just note
 * what they want and post work.
 */
#include "vm/vm.h"

#include "host/log.h"
#include "host/sandbox.h"
#include "vm/engines.h"
#include "vm/internal.h"

#include <errno.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- events of the machine ---- */

/* The first end counts. Lock held, any thread. */
void vm_finish(struct vm *vm, enum vm_end end, u32 code, const char *text)
{
	if (vm->result.end != VM_END_NONE)
		return;
	vm->result.end = end;
	vm->result.code = code;
	snprintf(vm->result.text, sizeof(vm->result.text), "%s", text);
	if (vm->runner)
		runner_hold_async(vm->runner);
	loop_stop(vm->loop);
}

void vm_request_reset(struct vm *vm)
{
	vm->reset_wanted = true;
	runner_hold_async(vm->runner);
	loop_post(vm->loop, &vm->reset_work);
}

/* Lets the vCPUs run unless somebody wants them held. */
static void vm_go(struct vm *vm)
{
	if (!vm->paused && !vm->reset_wanted && !gdb_is_stopped(vm->gdb) &&
	    vm->result.end == VM_END_NONE)
		runner_release(vm->runner);
}

/* On the event thread: every vCPU stands still while the board is rebuilt. */
static void do_reset(void *opaque)
{
	struct vm *vm = opaque;
	struct err e = {0};

	if (!vm->reset_wanted || vm->result.end != VM_END_NONE)
		return;
	runner_hold(vm->runner);
	vm->reset_wanted = false;
	backends_drain(vm); /* what a disk still reads must not land on what is loaded now */
	console_reset(vm->console);
	if (vm->board->ops->reset(vm->board, &e)) {
		vm_finish(vm, VM_END_ERROR, 0, e.msg);
		return;
	}
	vm->resets++;
	log_info("machine reset");
	vm_go(vm);
}

static void on_board_event(void *opaque, enum board_event ev, u32 value)
{
	struct vm *vm = opaque;

	switch (ev) {
	case BOARD_EVENT_POWEROFF:
		vm_finish(vm, VM_END_POWEROFF, 0, "");
		break;
	case BOARD_EVENT_RESET:
		vm_request_reset(vm);
		break;
	case BOARD_EVENT_EXIT:
		vm_finish(vm, VM_END_EXIT, value, "");
		break;
	case BOARD_EVENT_PANIC:
		log_guest(LOG_WARN, "the guest says that it panicked");
		break;
	}
}

/* A vCPU came out of the engine; false parks it. */
static bool on_vcpu_exit(void *opaque, unsigned cpu, const struct vcpu_exit *exit)
{
	struct vm *vm = opaque;
	char text[sizeof(vm->result.text)];

	switch (exit->kind) {
	case VCPU_EXIT_KICK:
		return true;
	case VCPU_EXIT_SHUTDOWN:
		vm_describe_shutdown(vm, cpu, text, sizeof(text));
		vm_finish(vm, VM_END_TRIPLE_FAULT, 0, text);
		return false;
	case VCPU_EXIT_RESET:
		vm_request_reset(vm);
		return false;
	case VCPU_EXIT_DEBUG:
		if (gdb_debug_exit(vm->gdb, cpu, exit))
			return false;
		log_warn("vCPU %u: debug stop at 0x%llx that nobody asked for", cpu,
			 (unsigned long long)exit->addr);
		return true;
	case VCPU_EXIT_ERROR:
		break;
	}
	snprintf(text, sizeof(text), "vCPU %u: %s", cpu, exit->reason);
	vm_finish(vm, VM_END_ERROR, 0, text);
	return false;
}

/* One line for a person about a CPU that shut down. Its thread, lock held. */
void vm_describe_shutdown(struct vm *vm, unsigned cpu, char *text, size_t size)
{
	struct x86_state *s = malloc(sizeof(*s));

	if (s && !vm->ops->vcpu_get_state(vm->board->vcpu[cpu], s))
		snprintf(text, size,
			 "the guest's CPU %u shut down (triple fault) at %04x:%llx, cr2 %llx", cpu,
			 s->seg[X86_CS].sel, (unsigned long long)s->rip,
			 (unsigned long long)s->cr2);
	else
		snprintf(text, size, "the guest's CPU %u shut down (triple fault)", cpu);
	free(s);
}

/* ---- requests from outside; event thread, lock held ---- */

/* Virtual time is one for devices and CPUs. No vCPU runs. */
static void time_stop(struct vm *vm, bool stop)
{
	if (stop)
		loop_pause(vm->loop);
	else
		loop_resume(vm->loop);
	vm->board->ops->freeze(vm->board, stop);
}

void vm_pause(struct vm *vm)
{
	if (vm->paused)
		return;
	vm->paused = true;
	runner_hold(vm->runner);
	time_stop(vm, true);
}

void vm_resume(struct vm *vm)
{
	if (!vm->paused)
		return;
	vm->paused = false;
	if (gdb_is_stopped(vm->gdb))
		return;
	time_stop(vm, false);
	vm_go(vm);
}

/* ---- the debugger's requests; event thread, lock held ---- */

static void gdb_hold(void *opaque)
{
	struct vm *vm = opaque;

	runner_hold(vm->runner);
	time_stop(vm, true);
}

static void gdb_release(void *opaque)
{
	struct vm *vm = opaque;

	if (vm->paused)
		return;
	time_stop(vm, false);
	vm_go(vm);
}

static void gdb_kill(void *opaque)
{
	vm_finish(opaque, VM_END_KILLED, SIGKILL, "killed by gdb");
}

void vm_power_button(struct vm *vm)
{
	vm_resume(vm);
	vm->board->ops->power_button(vm->board);
}

/* ---- signals and the terminal's menu ---- */

#define ORPHAN_PATIENCE_S 5

/*
 * Nobody is left to end this process if it cannot end by itself. It may still put the terminal
 * back, so it is not simply killed with its supervisor.
 */
static void orphaned(struct vm *vm)
{
	alarm(ORPHAN_PATIENCE_S);
	vm_finish(vm, VM_END_KILLED, SIGKILL, "");
}

static void on_signal(void *opaque, u32 events)
{
	struct vm *vm = opaque;
	struct signalfd_siginfo si;
	u16 cols, rows;

	if (read(vm->sigfd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH) {
		if (vm->cfg->console == VM_CONSOLE_STDIO && tty_window(STDOUT_FILENO, &cols, &rows))
			console_resize(vm->console, cols, rows);
		return;
	}
	if (vm->cfg->supervisor && getppid() != vm->cfg->supervisor) {
		orphaned(vm);
		return;
	}
	if (vm->asked_to_stop++) {
		vm_finish(vm, VM_END_KILLED, si.ssi_signo, "");
		return;
	}
	fprintf(stderr, "hull: pressing the power button; once more kills the machine\n");
	vm_power_button(vm);
}

static void on_menu_key(void *opaque, char key)
{
	struct vm *vm = opaque;

	switch (key) {
	case 'q':
		fprintf(stderr, "\nhull: killed\n");
		vm_finish(vm, VM_END_KILLED, SIGKILL, "");
		return;
	case 'b':
		fprintf(stderr, "\nhull: pressing the power button\n");
		vm_power_button(vm);
		return;
	case 'r':
		fprintf(stderr, "\nhull: reset\n");
		vm_request_reset(vm);
		return;
	case 'p':
		if (vm->paused)
			vm_resume(vm);
		else
			vm_pause(vm);
		fprintf(stderr, "\nhull: %s\n", vm->paused ? "paused" : "running");
		return;
	default:
		fprintf(stderr,
			"\nhull: Ctrl-] and b power button, p pause/resume, r reset, q kill, "
			"Ctrl-] sends it\n");
	}
}

/* ---- creation ---- */

static int open_blobs(struct vm *vm, struct board_config *board, struct err *e)
{
	const struct vm_config *cfg = vm->cfg;
	int ret = 0;

	if (cfg->kernel && !(ret = file_map_open("kernel", cfg->kernel, &vm->kernel, e)))
		board->kernel = (struct boot_blob){cfg->kernel, vm->kernel.data, vm->kernel.size};
	if (!ret && cfg->firmware &&
	    !(ret = file_map_open("firmware", cfg->firmware, &vm->firmware, e)))
		board->firmware =
			(struct boot_blob){cfg->firmware, vm->firmware.data, vm->firmware.size};
	for (unsigned i = 0; !ret && i < cfg->ninitrds; i++) {
		ret = file_map_open("initrd", cfg->initrd[i], &vm->initrd[i], e);
		vm->initrd_blob[i] =
			(struct boot_blob){cfg->initrd[i], vm->initrd[i].data, vm->initrd[i].size};
	}
	board->initrd = vm->initrd_blob;
	board->ninitrd = cfg->ninitrds;
	return ret;
}

/*
 * A file that exists but cannot be used has a status of its own (ENOEXEC, see
 * src/cli/cli.h), whatever the reason.
 */
static int file_error(int ret, struct err *e)
{
	if (ret && ret != -ENOENT && ret != -ENOMEM && ret != -ENOSYS && ret != -ENODEV && e)
		e->status = ENOEXEC;
	return ret;
}

static int open_signals(struct vm *vm, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	vm->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (vm->sigfd < 0)
		return err_errno(e, "cannot watch signals");
	return loop_fd_add(vm->loop, &vm->sigwatch, vm->sigfd, EPOLLIN, on_signal, vm, e);
}

static int open_trace(struct vm *vm, struct board_config *board, const struct engine_info *info,
		      struct err *e)
{
	u32 kinds = vm->cfg->trace;
	int ret;

	if (!kinds)
		return 0;
	if (kinds & ~info->traces)
		log_warn("--trace: engine %s cannot tell of all these events", info->name);
	ret = trace_create(kinds, vm->cfg->trace_file, &vm->trace, e);
	board->trace = trace_engine(vm->trace);
	return ret;
}

static int open_board(struct vm *vm, struct err *e)
{
	const struct vm_config *cfg = vm->cfg;
	const struct board_ops *ops = cfg->arch == VM_ARCH_PPC64 ? &board_pseries : &board_pc;
	struct engine_info info = {0};
	struct board_config board = {
		.loop = vm->loop,
		.engine = vm->ops,
		.interpret = cfg->interpret,
		.kvm_device = cfg->kvm_device,
		.ncpus = cfg->ncpus,
		.hash_mmu = cfg->hash_mmu,
		.testdev = cfg->testdev,
		.rtc_offset = cfg->rtc_offset,
		.wall_offset = cfg->rtc_local ? 0 : cfg->rtc_offset,
		.memory = cfg->memory,
		.cmdline = cfg->append,
		.serial = console_char(vm->console, CONSOLE_SERIAL),
		.console = console_char(vm->console, CONSOLE_VIRTIO),
		.event = on_board_event,
		.opaque = vm,
	};
	int ret = file_error(open_blobs(vm, &board, e), e);

	if (ret)
		return ret;
	vm->ops->probe(&info, cfg->kvm_device);
	board.engine_caps = cfg->user_irqchip ? info.caps & ~(u32)ENGINE_CAP_IRQCHIP : info.caps;
	ret = open_trace(vm, &board, &info, e);
	if (!ret)
		ret = backends_open(vm, &board, e);
	return file_error(ret ? ret : ops->create(&board, &vm->board, e), e);
}

static int open_gdb(struct vm *vm, struct err *e)
{
	const struct gdb_target t = {
		.ops = vm->ops,
		.vcpu = vm->board->vcpu,
		.ncpus = vm->cfg->ncpus,
		.map = vm->board->map,
		.hold = gdb_hold,
		.release = gdb_release,
		.kill = gdb_kill,
		.opaque = vm,
	};

	if (!vm->cfg->gdb_port)
		return 0;
	return gdb_create(vm->loop, &t, vm->cfg->gdb_port, !vm->cfg->gdb_nowait, &vm->gdb, e);
}

static int vm_open(struct vm *vm, struct err *e)
{
	const struct console_menu menu = {.key = on_menu_key, .opaque = vm};
	int ret = loop_create(&vm->loop, e);

	if (ret || (ret = engines_choose(vm->cfg, &vm->ops, e)) ||
	    (ret = console_create(vm->loop, &vm->console, e)) || (ret = open_signals(vm, e)) ||
	    (ret = vm_control_open(vm, e)) || (ret = open_board(vm, e)) || (ret = open_gdb(vm, e)))
		return ret;
	return vm_console_open(vm, &menu, e);
}

int vm_create(const struct vm_config *cfg, struct vm **out, struct err *e)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int ret;

	if (!vm)
		return err_set(e, ENOMEM, "no memory for a machine");
	vm->cfg = cfg;
	vm->sigfd = vm->ptyfd = vm->statusfd = -1;
	vm->reset_work = (struct loop_work){.fn = do_reset, .opaque = vm};
	ret = vm_open(vm, e);
	if (ret) {
		vm_destroy(vm);
		return ret;
	}
	*out = vm;
	return 0;
}

static int confine(struct vm *vm, struct err *e)
{
	struct sandbox_config cfg = {0};
	struct sandbox_report report;
	char dir[PATHS_MAX];
	int ret;

	if (!vm->cfg->sandbox) {
		fprintf(stderr, "hull: --no-sandbox: this process is not confined\n");
		return 0;
	}
	if (vm->cfg->vsock) { /* the guest's connections lead to sockets beside it */
		snprintf(dir, sizeof(dir), "%s", vm->cfg->vsock);
		cfg.dirs[cfg.ndirs++] = dirname(dir);
		cfg.sockets = true;
	}
	ret = sandbox_enter(&cfg, &report, e);
	if (!ret && report.missing[0])
		log_info("sandbox without: %s", report.missing);
	return ret;
}

int vm_run(struct vm *vm, struct vm_result *result, struct err *e)
{
	const struct runner_config rc = {
		.loop = vm->loop,
		.ops = vm->ops,
		.vcpu = vm->board->vcpu,
		.nvcpus = vm->cfg->ncpus,
		.on_exit = on_vcpu_exit,
		.opaque = vm,
	};
	int ret = confine(vm, e);

	if (!ret)
		ret = runner_create(&rc, &vm->runner, e);
	if (ret)
		return ret;
	loop_lock(vm->loop);
	if (gdb_is_stopped(vm->gdb))
		fprintf(stderr, "hull: waiting for gdb: target remote 127.0.0.1:%u\n",
			vm->cfg->gdb_port);
	vm_go(vm);
	loop_unlock(vm->loop);
	loop_run(vm->loop);
	runner_destroy(vm->runner);
	vm->runner = NULL;
	*result = vm->result;
	return 0;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	runner_destroy(vm->runner);
	gdb_destroy(vm->gdb);
	if (vm->loop) {
		loop_lock(vm->loop);
		backends_drain(vm);
		loop_unlock(vm->loop);
	}
	if (vm->board)
		vm->board->ops->destroy(vm->board);
	backends_close(vm);
	control_destroy(vm->control);
	console_destroy(vm->console);
	if (vm->sigfd >= 0)
		close(vm->sigfd);
	if (vm->ptyfd >= 0)
		close(vm->ptyfd);
	if (vm->statusfd >= 0)
		close(vm->statusfd);
	trace_destroy(vm->trace);
	loop_destroy(vm->loop);
	file_map_close(&vm->kernel);
	file_map_close(&vm->firmware);
	for (unsigned i = 0; i < VM_INITRDS_MAX; i++)
		file_map_close(&vm->initrd[i]);
	free(vm);
}
