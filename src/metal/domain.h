/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A guest: a board (machine/board.h) with its vCPUs run by core/, the clock and
 * lock the board asks for (host/loop.h), its console and disks.
 *
 * Life: created by domain_create from a section of the configuration; paused and
 * resumed; ended by its own power off, reset loop, triple fault or by `destroy`.
 * A struct domain slot is used again only after domain_destroy.
 *
 * Locks, outermost first: the domain's (loop_lock), the switch's, the pages' and
 * heap's. The console's is taken last.
 */
#ifndef HULL_METAL_DOMAIN_H
#define HULL_METAL_DOMAIN_H

#include "base/list.h"
#include "core/hv.h"
#include "io/block.h"
#include "io/char.h"
#include "io/clock.h"
#include "io/net.h"
#include "machine/board.h"
#include "metal/config.h"
#include "metal/metal.h"

#define DOMAINS_MAX CONFIG_GUESTS_MAX
#define CONSOLE_RING 32768u
#define CONSOLE_INPUT 512u

struct domain;

/* ---- vCPUs: what engine_ops calls struct engine_vcpu ------------------------------ */

enum vcpu_state { VCPU_RUNNABLE, VCPU_BLOCKED };

struct engine_vcpu {
	struct hv_vcpu hv;
	struct domain *domain;
	/* sched.c: */
	struct cpu *cpu; /* where it runs */
	struct engine_vcpu *next;
	volatile u32 state; /* enum vcpu_state */
	volatile bool running;
	u64 pass, ran_ns, ready_ns, waited_ns;
	u64 period, period_ns; /* cap: which period, and what was used of it */
	unsigned weight, cap;
};

struct engine_vm {
	struct hv_vm hv;
	struct domain *domain;
	bool frozen;
};

/* ---- the machine lock, clock and posted work (host/loop.h) -------------------------- */

struct loop {
	struct spinlock lock;
	struct cpu *volatile holder;
	unsigned depth; /* the holder's */
	struct io_clock clock;
	struct list timers; /* by deadline */
	struct list posted;
	volatile u64 next; /* the first timer's deadline in clock_ns time, ~0 = none */
	u64 offset;	   /* clock_ns - guest time */
	u64 stopped_at;	   /* guest time while paused */
	bool paused;
	volatile bool work; /* posted is not empty */
	struct domain *domain;
};

/* Runs posted work and due timers. Without the lock. */
void loop_serve(struct loop *l, u64 now);
void loop_init(struct loop *l, struct domain *d);
/* Has loop_serve called soon. Any CPU, any lock. */
void loop_ring(struct loop *l);

/* ---- back ends --------------------------------------------------------------------------- */

#define MEMDISK_QUEUE 128u /* VIRTIO_BLK_REQS */

/* A disk in memory. Requests are done by the loop, a copy each. */
struct memdisk {
	struct io_block block;
	u8 *data;
	struct loop *loop;
	struct io_block_req *queue[MEMDISK_QUEUE];
	unsigned n;
	struct loop_work work;
};

/* data: size bytes, kept by the caller. */
void memdisk_init(struct memdisk *m, struct loop *l, u8 *data, u64 size, bool readonly);

struct port; /* of the switch */

struct console_line {
	struct io_char chr;
	struct domain *domain;
	u8 ring[CONSOLE_RING];
	u32 head, shown; /* bytes written, shown; both run on */
	u8 input[CONSOLE_INPUT];
	u32 in_head, in_tail;
	char line[160]; /* `log = yes`: output by whole lines */
	u32 line_len;
};

/* ---- the guest ----------------------------------------------------------------------------- */

enum domain_state {
	DOMAIN_NONE,
	DOMAIN_BUILDING,
	DOMAIN_RUNNING,
	DOMAIN_PAUSED,
	DOMAIN_ENDED, /* powered off or failed: `why` */
	DOMAIN_DYING,
};

struct domain {
	volatile u32 state; /* enum domain_state */
	unsigned id;	    /* 1 and up; owner is OWNER_VM + id - 1 */
	unsigned owner;
	const struct config_guest *cfg;
	struct loop loop;
	struct board *board;
	struct engine_vm *vm;
	struct engine_vcpu *vcpu[CONFIG_CPUS_MAX];
	unsigned nvcpus;
	struct cpu *home; /* runs its timers and work */
	volatile bool reset_wanted;
	char why[160]; /* ENDED: what happened */
	struct console_line console;
	struct memdisk *disk[CONFIG_DISKS_MAX];
	struct port *net[CONFIG_NETS_MAX];
	struct xen *xen;     /* pv = xen */
	struct vcpu_bus bus; /* the board's own calls, where ours stand before them */
	u64 last_log_ns;
	u32 logs;
};

struct domains {
	struct domain d[DOMAINS_MAX];
	struct config config;
	struct domain *building; /* the one whose board is being made, on the boot CPU */
};
extern struct domains domains; /* domain.c */

/* Builds it and lets it run. 0 or -errno; says on the console what is wrong. */
int domain_create(const struct config_guest *g);
void domain_pause(struct domain *d);
void domain_resume(struct domain *d);
/* Ends it and gives everything back. On the boot CPU. */
void domain_destroy(struct domain *d);
/* Ends it but keeps its console: from any CPU, while one of its vCPUs runs there. */
void domain_end(struct domain *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct domain *domain_by_name(const char *name);
bool domains_active(void); /* any running or paused */
/* The scheduler found it stopped with a reset pending. */
void domain_reset(struct domain *d);

#endif
