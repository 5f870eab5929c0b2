/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all boards have in common: what they are made from, what they tell their
 * owner, and the few things vm/ does with any of them. A board owns guest RAM,
 * the engine's VM and its vCPUs; it does not own threads, the loop or back ends,
 * and knows no concrete engine.
 *
 * Created by vm/, which then runs each of `vcpu` on its own thread.
 */
#ifndef HULL_MACHINE_BOARD_H
#define HULL_MACHINE_BOARD_H

#include "core/engine_ops.h"
#include "host/loop.h"
#include "io/block.h"
#include "io/char.h"
#include "io/fs.h"
#include "io/net.h"
#include "io/vsock.h"
#include "machine/boot/boot.h"

#define BOARD_MAX_CPUS 64u
#define BOARD_MAX_DISKS 16u
#define BOARD_MAX_NETS 8u
#define BOARD_MAX_PORTS 15u
#define BOARD_MAX_SHARES 12u
#define BOARD_VSOCK_CID 3u

enum board_event {
	BOARD_EVENT_POWEROFF, /* the guest switched it off */
	BOARD_EVENT_RESET, /* the guest asked for a reset; call reset when all vCPUs stand still */
	BOARD_EVENT_EXIT,  /* value was written to isa-debug-exit */
	BOARD_EVENT_PANIC, /* pvpanic; value is its event bits */
};

/* A named byte channel of the virtio console. */
struct board_port {
	const char *name;
	struct io_char *chr;
};

struct board_config {
	struct loop *loop;
	const struct engine_ops *engine;
	u32 engine_caps; /* enum engine_caps, from the probe */
	bool interpret;	 /* see struct engine_vm_config */
	u64 code_cache;
	const char *kvm_device;
	const struct engine_trace *trace; /* NULL = none */

	unsigned ncpus;
	u64 memory;    /* bytes, a multiple of 1 MiB */
	bool hash_mmu; /* pseries: offer the hash page table, not radix */
	bool testdev;  /* pc: dev/misc/testdev.h is there */
	bool no_rng;   /* no virtio entropy device */
	/*
	 * Seconds that the hardware clock, and the engine's paravirtual clock, are
	 * ahead of the host's UTC.
	 */
	s64 rtc_offset, wall_offset;

	/* What to start: a firmware image or a kernel (data NULL: none). */
	struct boot_blob kernel, firmware;
	const struct boot_blob *initrd;
	unsigned ninitrd;
	const char *cmdline; /* "" if none */
	bool pvh;	     /* a bzImage's kernel is started by PVH (boot_request.pvh) */

	/* Back ends; NULL: the device is there but goes nowhere (serial) or is not there. */
	struct io_char *serial;	  /* COM1 */
	struct io_char *debugcon; /* port 0xe9 */
	struct io_char *console;  /* virtio console, hvc0 */
	struct board_port port[BOARD_MAX_PORTS];
	unsigned nports;
	struct io_block *disk[BOARD_MAX_DISKS];
	bool disk_mmio[BOARD_MAX_DISKS]; /* on a virtio-mmio transport, if the board has them */
	unsigned ndisks;
	struct io_net *net[BOARD_MAX_NETS];
	unsigned nnets;
	struct io_fs *share[BOARD_MAX_SHARES];
	unsigned nshares;
	struct io_vsock *vsock; /* host end of vsock; the guest is BOARD_VSOCK_CID */

	/*
	 * Something the owner must act on. Called with the machine lock held on
	 * whichever thread it happened; it may only take note (hold vCPUs
	 * asynchronously, post work).
	 */
	void (*event)(void *opaque, enum board_event ev, u32 value);
	void *opaque;
};

/*
 * The memory balloon: ask the guest to live with `bytes` of its memory, and how
 * that goes. The guest's own figures are ~0 until it has told any; asking for
 * the state asks it for newer ones.
 */
struct board_balloon {
	u64 target;		      /* bytes the guest shall live with */
	u64 given;		      /* bytes it has given up */
	u64 released;		      /* bytes given back to the host, over all time */
	u64 guest_free, guest_usable; /* the guest's figures */
};

struct board;

struct board_ops {
	/*
	 * Builds the board and loads what is to be started. cfg is copied; blobs, back
	 * ends and strings it points to outlive the board. Without the machine lock.
	 */
	int (*create)(const struct board_config *cfg, struct board **out, struct err *e);
	/* Nobody runs a vCPU any more. Without the machine lock. */
	void (*destroy)(struct board *b);
	/*
	 * Power cycle: devices, vCPUs and boot contents as after create; the rest of
	 * RAM keeps its contents. Lock held, no vCPU running.
	 */
	int (*reset)(struct board *b, struct err *e);
	/* Guest time stands still, or goes on: with the loop's (host/loop.h). Lock held, no vCPU
	 * runs. */
	void (*freeze)(struct board *b, bool frozen);
	/* The rest: lock held. */
	void (*balloon_set)(struct board *b, u64 bytes);
	void (*balloon_get)(struct board *b, struct board_balloon *out);
	void (*power_button)(struct board *b);
	void (*nmi)(struct board *b); /* to every vCPU */
};

/* The public part, which a board embeds. Constant after creation, boot_name after a reset. */
struct board {
	const struct board_ops *ops;
	struct engine_vcpu *const *vcpu; /* ncpus of them */
	struct gpa_map *map;
	/* How the kernel is started, for a person ("Linux, 64-bit entry", "firmware"). */
	const char *boot_name;
};

extern const struct board_ops board_pc;	     /* x86-64: pc.h */
extern const struct board_ops board_pseries; /* POWER: pseries.h */

#endif
