/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct vm and what the files of vm/ do for each other. Not for others.
 * Functions are called on the event thread with the machine lock held, or
 * before vm_run, unless stated.
 */
#ifndef HULL_VM_INTERNAL_H
#define HULL_VM_INTERNAL_H

#include "core/engine.h"
#include "host/paths.h"
#include "host/tty.h"
#include "machine/board.h"
#include "ui/console.h"
#include "vm/control.h"
#include "vm/gdb.h"
#include "vm/ports.h"
#include "vm/runner.h"
#include "vm/trace.h"
#include "vm/vm.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

struct vm {
	const struct vm_config *cfg;
	const struct engine_ops *ops;
	struct loop *loop;
	struct console *console;
	struct control *control;
	struct board *board;
	struct runner *runner;
	struct gdb *gdb; /* NULL: no --gdb */
	struct trace *trace;
	struct ports *ports;
	struct io_block *disk[VM_DISKS_MAX];
	struct io_net *net[VM_NETS_MAX];
	struct io_vsock *vsock;
	struct io_fs *share[VM_SHARES_MAX];

	struct file_map kernel, firmware, initrd[VM_INITRDS_MAX];
	struct boot_blob initrd_blob[VM_INITRDS_MAX];

	int statusfd;	  /* /proc/self/status */
	int sigfd, ptyfd; /* ptyfd: the other end, held open so that ours never hangs up */
	struct loop_fd sigwatch;
	char pty_name[64];

	int pid;
	struct loop_work reset_work;
	bool reset_wanted, paused;
	unsigned asked_to_stop, resets;
	struct vm_result result;
};

/* ---- vm.c ---- */
void vm_finish(struct vm *vm, enum vm_end end, u32 code, const char *text);
void vm_request_reset(struct vm *vm);
void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);
void vm_power_button(struct vm *vm);
void vm_describe_shutdown(struct vm *vm, unsigned cpu, char *text, size_t size);

/* ---- wire.c: console, control socket and back ends as configured ---- */
struct console_menu {
	void (*key)(void *opaque, char key);
	void *opaque;
};

int vm_console_open(struct vm *vm, const struct console_menu *menu, struct err *e);
int vm_control_open(struct vm *vm, struct err *e);
int backends_open(struct vm *vm, struct board_config *board, struct err *e);
/* Waits for what is in flight between disks and guest memory. Lock held. */
void backends_drain(struct vm *vm);
/* Without the lock. */
void backends_close(struct vm *vm);

#endif
