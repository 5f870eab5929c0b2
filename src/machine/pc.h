/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board `pc`: a PC with PCI Express, its memory, interrupt controllers,
 * timers, firmware tables and virtio devices, and a kernel or firmware in
 * memory ready to start. Owns guest RAM, the engine's VM and its vCPUs; does
 * not own threads, the loop or back ends, and knows no concrete engine.
 *
 * Created by vm/, which then runs each vCPU of pc_vcpus() on its own thread.
 */
#ifndef HULL_MACHINE_PC_H
#define HULL_MACHINE_PC_H

#include "core/engine.h"
#include "host/loop.h"
#include "io/block.h"
#include "io/char.h"
#include "io/fs.h"
#include "io/net.h"
#include "io/vsock.h"
#include "machine/boot/boot.h"

#define PC_MAX_CPUS 64u
#define PC_MAX_DISKS 16u
#define PC_MAX_NETS 8u
#define PC_MAX_PORTS 15u
#define PC_MAX_SHARES 12u
#define PC_MAX_MMIO 2u
#define PC_VSOCK_CID 3u
#define PC_MEMORY_MIN MIB(4)
#define PC_MEMORY_MAX GIB(64)

enum pc_event {
	PC_EVENT_POWEROFF, /* ACPI soft off */
	PC_EVENT_RESET, /* the guest asked for a reset; call pc_reset when all vCPUs stand still */
	PC_EVENT_EXIT,	/* value was written to isa-debug-exit */
	PC_EVENT_PANIC, /* pvpanic; value is its event bits */
};

/* A named byte channel of the virtio console. */
struct pc_port {
	const char *name;
	struct io_char *chr;
};

struct pc_config {
	struct loop *loop;
	const struct engine_ops *engine;
	u32 engine_caps; /* enum engine_caps, from the probe */
	bool interpret;	 /* see struct engine_vm_config */
	u64 code_cache;
	const char *kvm_device;
	const struct engine_trace *trace; /* NULL = none */

	unsigned ncpus;
	u64 memory; /* bytes, a multiple of 1 MiB */

	/* What to start: a firmware image or a kernel (data NULL: none). */
	struct boot_blob kernel, firmware;
	const struct boot_blob *initrd;
	unsigned ninitrd;
	const char *cmdline; /* "" if none */

	/* Back ends; NULL: the device is there but goes nowhere (serial) or is not there. */
	struct io_char *serial;	  /* COM1 */
	struct io_char *debugcon; /* port 0xe9 */
	struct io_char *console;  /* virtio console, hvc0 */
	struct pc_port port[PC_MAX_PORTS];
	unsigned nports;
	struct io_block *disk[PC_MAX_DISKS];
	bool disk_mmio[PC_MAX_DISKS]; /* on a virtio-mmio transport, PC_MAX_MMIO at most */
	unsigned ndisks;
	struct io_net *net[PC_MAX_NETS];
	unsigned nnets;
	struct io_fs *share[PC_MAX_SHARES];
	unsigned nshares;
	struct io_vsock *vsock; /* host end of vsock; the guest is PC_VSOCK_CID */

	/*
	 * Something the owner must act on. Called with the machine lock held on
	 * whichever thread it happened; it may only take note (hold vCPUs
	 * asynchronously, post work).
	 */
	void (*event)(void *opaque, enum pc_event ev, u32 value);
	void *opaque;
};

struct pc;

/*
 * Builds the board and loads what is to be started. cfg is copied; blobs, back
 * ends and strings it points to outlive the board. Without the machine lock.
 */
int pc_create(const struct pc_config *cfg, struct pc **out, struct err *e);

/* NULL ok. Nobody runs a vCPU any more. Without the machine lock. */
void pc_destroy(struct pc *pc);

/*
 * Power cycle: devices, vCPUs and boot contents as after pc_create; the rest of
 * RAM keeps its contents. Lock held, no vCPU running.
 */
int pc_reset(struct pc *pc, struct err *e);

struct engine_vcpu *const *pc_vcpus(const struct pc *pc); /* ncpus of them */
struct gpa_map *pc_map(struct pc *pc);
/* How the kernel is started, for a person ("Linux, 64-bit entry", "firmware"). */
const char *pc_boot_name(const struct pc *pc);

/* Guest time stands still, or goes on: with the loop's (host/loop.h). Lock held, no vCPU runs. */
void pc_freeze(struct pc *pc, bool frozen);

/*
 * The memory balloon: ask the guest to live with `bytes` of its memory, and how
 * that goes. The guest's own figures are ~0 until it has told any; asking for
 * the state asks it for newer ones. Lock held.
 */
struct pc_balloon {
	u64 target;		      /* bytes the guest shall live with */
	u64 given;		      /* bytes it has given up */
	u64 released;		      /* bytes given back to the host, over all time */
	u64 guest_free, guest_usable; /* the guest's figures */
};
void pc_balloon_set(struct pc *pc, u64 bytes);
void pc_balloon_get(struct pc *pc, struct pc_balloon *b);

/* The front panel. Lock held. */
void pc_power_button(struct pc *pc);
void pc_nmi(struct pc *pc); /* to every vCPU */

#endif
