/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine just big enough for the guests in guest/test: some RAM, a ROM, an
 * echo range in ports and in memory that logs every access, and either its own
 * interrupt controllers or the engine's. See guest/test/guest.inc.
 */
#ifndef HULL_TESTS_KVM_RIG_H
#define HULL_TESTS_KVM_RIG_H

#include "core/engine.h"
#include "dev/irq/gsi.h"
#include "dev/irq/lapic.h"
#include "tests/fake_clock.h"

#include <pthread.h>

#define RIG_RAM 0x80000u
#define RIG_ROM 0xc0000u
#define RIG_MMIO 0xd0000u
#define RIG_RESULTS 0x6000u
#define RIG_NRESULTS 256u
#define RIG_LOG 512u
#define RIG_CPUS 2u

struct rig_access {
	char kind; /* 'r' 'w' memory, 'i' 'o' port */
	u8 size;
	u32 addr;
	u64 val;
};

struct rig_memory { /* shared by the rigs that a guest moves between */
	u8 *ram, *rom;
	_Atomic u8 flags[2][256];
};

struct rig;

struct rig_cpu {
	struct rig *rig;
	unsigned index;
	struct engine_vcpu *v;
	struct lapic lapic;
	pthread_t thread;
	struct vcpu_exit exit;
	int ret;
};

struct rig {
	const struct engine_ops *ops;
	struct engine_vm *vm;
	bool irqchip; /* the engine's own controllers */
	unsigned ncpus;
	struct gpa_map map;
	struct rig_memory *mem;
	pthread_mutex_t lock;
	struct fake_clock fc;
	struct apic_bus bus;
	struct ioapic ioapic;
	struct pic pic;
	struct gsi_wiring gsi;
	struct rig_cpu cpu[RIG_CPUS];
	struct rig_access log[RIG_LOG];
	unsigned nlog;
	bool done; /* the guest says so */
	_Atomic bool quit;
	u8 vectors;		      /* what PORT_VECTOR says */
	unsigned marks, stop_at_mark; /* kick CPU 0 when that many checkpoints were passed */
};

/* RAM and ROM with a guest image in it (NULL: none). 0, or -1. */
int rig_memory_init(struct rig_memory *m, const char *image);
void rig_memory_fini(struct rig_memory *m);

/* 0, or the engine's error. irqchip: see struct rig. */
int rig_init(struct rig *r, const struct engine_ops *ops, struct rig_memory *m, unsigned ncpus,
	     bool irqchip, bool interpret);
void rig_fini(struct rig *r);

/*
 * Run CPU 0 here (others on threads of their own) until the guest is done, stops
 * with something else than a kick, passes stop_at_mark, or seconds are over.
 */
enum vcpu_exit_kind rig_run(struct rig *r, unsigned seconds);

/* Registers of a CPU that is about to run image in real mode. 0 or error. */
int rig_start(struct rig *r, unsigned cpu);

/* Hand CPU 0 and the interrupt controllers over to another rig on the same memory. */
int rig_move(struct rig *from, struct rig *to);

#endif
