/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine's life: configuration -> running machine -> how it ended. Owns the
 * event loop, the board, the vCPU threads, console and control socket of one
 * machine. Several may live in one process.
 *
 *	vm_create   opens everything; no guest instruction has run
 *	vm_run      the calling thread becomes the event thread, until the end
 *	vm_destroy
 */
#ifndef HULL_VM_VM_H
#define HULL_VM_VM_H

#include "vm/config.h"

struct vm;

enum vm_end {
	VM_END_NONE,
	VM_END_POWEROFF,     /* the guest switched itself off */
	VM_END_EXIT,	     /* the guest wrote `code` to isa-debug-exit */
	VM_END_TRIPLE_FAULT, /* a CPU shut down */
	VM_END_KILLED,	     /* asked for from outside; code: signal number */
	VM_END_ERROR,	     /* text says why */
};

struct vm_result {
	enum vm_end end;
	u32 code;
	char text[200];
};

/* cfg outlives the VM. */
int vm_create(const struct vm_config *cfg, struct vm **out, struct err *e);

/*
 * Runs until the machine has ended and fills in how. SIGTERM, SIGINT, SIGHUP
 * and SIGWINCH are taken by the machine meanwhile and must be blocked in every
 * thread of the process. An error means that it could not be started.
 */
int vm_run(struct vm *vm, struct vm_result *result, struct err *e);

void vm_destroy(struct vm *vm); /* NULL ok */

/* Removes what the machine's process could not from inside its sandbox; it has ended. */
void vm_cleanup(const struct vm_config *cfg);

#endif
