/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtualization core on the host, without virtualization: core/port.h and
 * core/cpu/hw.h of our own, VMRUN and VM entry replaced by a list of steps that
 * say what "the guest" does next. A VM with 1 MiB of RAM at 0, a ROM page at
 * 100000h, everything else a logging echo device.
 */
#ifndef HULL_TESTS_CORE_RIG_H
#define HULL_TESTS_CORE_RIG_H

#include "core/cpu/svm/svm.h"
#include "core/cpu/vmx/vmx.h"
#include "core/hv_internal.h"
#include "core/user.h"

#define RIG_RAM MIB(1)
#define RIG_ROM MIB(1)
#define RIG_MMIO 0xd0000000u
#define RIG_LOG 64u
#define RIG_STEPS 32u

struct rig_access {
	char kind; /* 'r' 'w' memory, 'i' 'o' port */
	unsigned size;
	u64 addr, val;
};

/* What the guest does in one stay. */
struct rig_step {
	enum {
		STEP_HLT,
		STEP_CPUID,
		STEP_IO,   /* a port, b size, in, string */
		STEP_NPF,  /* a guest-physical address, in: read */
		STEP_MSR,  /* gpr as set by the test; in: read */
		STEP_CODE, /* a hardware exit code (SVM) or reason (VMX), b info1 or qualification
			    */
		STEP_WINDOW,
		STEP_INTR,
		STEP_EXC, /* a vector, b error code */
		STEP_VMCALL,
	} what;
	u64 a, b;
	bool in, string, read;
	u8 len;		 /* 0: not told (SVM: by NRIPS) */
	u64 interrupted; /* event information in delivery, in hardware form */
	void (*also)(struct hv_vcpu *v);
};

struct rig_entry { /* seen at each entry */
	u64 rip, rflags, event, shadow;
	bool window;
};

struct rig {
	struct hv_vm vm;
	struct hv_vcpu v[2];
	struct hv_cpu cpu;
	const struct vt_ops *vt;
	struct hv_vm_ops ops;
	struct rig_access log[RIG_LOG];
	unsigned nlog;
	struct rig_step step[RIG_STEPS];
	unsigned nsteps, at;
	struct rig_entry entry[RIG_STEPS + 1];
	unsigned nentries;
	bool defer;	/* every bus access */
	u64 read_value; /* what devices answer */
	int vector;	/* irq_ack */
	u8 cr8;
	u64 cpuid_ecx1, msr[0x40]; /* fake processor; msr by hash */
	u64 vmcs[0x7000];
	unsigned pages, page_limit, kicks, leaves, invepts, turns;
	bool deny_enter, intel;
	u64 frame_gpa;
	int frame_err, eois, ipis;
	u64 cr4, steal;
	bool no_virt;
	void (*on_kick)(void); /* what another processor does meanwhile */
};

extern struct rig rig;
extern u8 rig_ram[RIG_RAM], rig_rom[4096];

/* A VM with n vCPUs, running flat 32-bit code at 1000h without paging. */
bool rig_init(const struct vt_ops *vt, unsigned n, enum hv_pv pv);
void rig_fini(void);
/* Append a step. */
struct rig_step *rig_step(int what, u64 a, u64 b);
/* Instruction bytes at RIP. */
void rig_code(const void *bytes, size_t n);
#define CODE(...) rig_code((const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))
/* Run vCPU 0; the exit's kind. */
enum hv_exit_kind rig_run(struct hv_exit *e);
/* hv_emulate of the bytes at RIP. */
#define EMUL(...) (CODE(__VA_ARGS__), rig_emulate())
enum emul_result rig_emulate(void);

/* Where gpa is mapped, read out of the tables as the processor would. False: nowhere. */
struct npt_walk {
	u64 pa, size; /* of gpa itself; of its page */
	u32 prot;     /* enum npt_prot */
};
bool npt_lookup(const struct npt *t, u64 gpa, struct npt_walk *w);

#endif
