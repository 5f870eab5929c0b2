/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest board that runs a guest on engine_jit_ops: RAM from 0, a ROM that
 * jumps to 0x8000, one or two CPUs and a few ports. And the guests.
 */
#ifndef HULL_TESTS_SYS_GUEST_H
#define HULL_TESTS_SYS_GUEST_H

#include <pthread.h>

#include "core/engine.h"

extern const u8 wi_start[], wi_end[];
extern const u8 si_start[], si_end[];
extern const u8 fl_start[], fl_end[];
extern const u8 nmi_start[], nmi_end[];
extern const u8 guest_start[], guest_end[], guest_long[], ap_start[], ap_end[];

#define RAM MIB(4)

struct board {
	struct gpa_map map;
	struct engine_vm *vm;
	struct engine_vcpu *cpu[2];
	u8 *ram, *rom;
	int fd;
	_Atomic u8 *flags;
	pthread_mutex_t lock;
	char out[64];
	unsigned nout;
	bool exited;
	pthread_t ap;
};

struct board_cpu {
	struct board *b;
	unsigned n;
};

/* p lives as long as b. Two CPUs and the guest of all modes, or n; the caller may put another guest
 * at 0x8000 of its RAM. */
void board_start_cpus(struct board *b, struct board_cpu p[2], bool interpret, unsigned n);
void board_start(struct board *b, struct board_cpu p[2], bool interpret);
void board_stop(struct board *b);
/* Runs both CPUs to the guest's end; how the first one came back (enum vcpu_exit_kind). */
int board_run(struct board *b);

#endif
