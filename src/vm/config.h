/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine is to be: filled in by the command line (or a file), checked
 * here, read by vm.c. Strings belong to whoever filled it in and outlive the VM.
 */
#ifndef HULL_VM_CONFIG_H
#define HULL_VM_CONFIG_H

#include "host/err.h"

#define VM_NAME_MAX 64u
#define VM_CPUS_MAX 64u
#define VM_INITRDS_MAX 8u
#define VM_DISKS_MAX 16u
#define VM_NETS_MAX 8u
#define VM_SHARES_MAX 12u
#define VM_FORWARDS_MAX 16u
#define VM_PORTS_MAX 15u
#define VM_MEMORY_MIN MIB(4)
#define VM_MEMORY_MAX GIB(64)
#define VM_BALLOON_MIN_MIB 4 /* what a balloon must leave the guest */
#define VM_CMDLINE_MAX 2048u

enum vm_arch { VM_ARCH_X86_64, VM_ARCH_PPC64 }; /* of the guest */
enum vm_engine { VM_ENGINE_AUTO, VM_ENGINE_KVM, VM_ENGINE_JIT };

struct vm_disk {
	char path[512];
	bool readonly, mmio;
	char serial[21];
};

enum vm_net_kind { VM_NET_USER, VM_NET_TAP, VM_NET_FD };

struct vm_forward {
	u16 host, guest; /* ports */
	bool udp;	 /* else TCP */
};

struct vm_net {
	enum vm_net_kind kind;
	char tap[16]; /* interface name */
	int fd;	      /* VM_NET_FD: an open tap; vm_create takes it over */
	u16 mtu;      /* of it */
	u8 mac[6];    /* VM_NET_FD: the card's */
	bool ipv4;    /* user: no IPv6 */
	struct vm_forward forward[VM_FORWARDS_MAX];
	unsigned nforwards;
};

/* A named byte channel to the guest behind a unix socket. */
struct vm_port {
	char name[32];
	const char *path;
};

enum vm_console_kind { VM_CONSOLE_STDIO, VM_CONSOLE_FILE, VM_CONSOLE_PTY };

struct vm_config {
	char name[VM_NAME_MAX];
	enum vm_arch arch;
	bool hash_mmu; /* ppc64: hash page table, not radix */
	enum vm_engine engine;
	const char *kvm_device; /* kvm: its node, NULL: /dev/kvm */
	bool interpret;		/* jit: never translate */
	bool testdev;		/* x86-64: kvm-unit-tests' device */
	bool user_irqchip;	/* kvm: hull's own interrupt controllers */
	s64 rtc_offset;		/* seconds that the hardware clock is ahead of the host's UTC */
	bool rtc_local;		/* and that is the time zone: the guest has the host's UTC */
	unsigned ncpus;
	u64 memory; /* bytes */

	const char *kernel, *firmware, *append;
	const char *initrd[VM_INITRDS_MAX];
	unsigned ninitrds;

	struct vm_disk disk[VM_DISKS_MAX];
	unsigned ndisks;
	struct vm_net net[VM_NETS_MAX];
	unsigned nnets;
	bool no_net;
	struct {
		char tag[37]; /* virtio 1.2 section 5.11.4 */
		int fd;	      /* of who serves it (block/share.h); vm_create takes it over */
	} share[VM_SHARES_MAX];
	unsigned nshares;
	const char *vsock; /* path of the host end's unix socket, NULL: no vsock */

	struct vm_port port[VM_PORTS_MAX];
	unsigned nports;

	enum vm_console_kind console;
	const char *console_file;
	u16 gdb_port;		/* 0 = none */
	bool gdb_nowait;	/* start without waiting for gdb */
	u32 trace;		/* bit n: enum vcpu_trace_kind n (core/engine_trace.h) */
	const char *trace_file; /* NULL: the log's stderr */
	bool sandbox;
	int supervisor; /* process whose end ends the machine (vm.c), 0: none */
};

/* What a machine is if nothing is said. */
void vm_config_default(struct vm_config *cfg);

/* The text forms of --arch, --mmu, --name, --engine, --disk, --net, --console, --trace, --port and
 * --rtc (DATE counts from now).
 */
int vm_config_arch(struct vm_config *cfg, const char *text, struct err *e);
int vm_config_mmu(struct vm_config *cfg, const char *text, struct err *e);
int vm_config_name(struct vm_config *cfg, const char *text, struct err *e);
int vm_config_engine(struct vm_config *cfg, const char *text, struct err *e);
int vm_config_disk(struct vm_config *cfg, const char *text, struct err *e);
int vm_config_net(struct vm_config *cfg, const char *text, struct err *e);
int vm_config_console(struct vm_config *cfg, const char *text, struct err *e);
int vm_config_trace(struct vm_config *cfg, const char *text, struct err *e);
int vm_config_port(struct vm_config *cfg, const char *text, struct err *e);
int vm_config_rtc(struct vm_config *cfg, const char *text, struct err *e);

/* Checks what belongs together. */
int vm_config_check(const struct vm_config *cfg, struct err *e);

#endif
