/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Numbers and layouts of Xen's guest interface, 64-bit (Xen 4.17,
 * xen/include/public: xen.h, event_channel.h, vcpu.h, memory.h, grant_table.h,
 * hvm/hvm_op.h, hvm/params.h, io/console.h, arch-x86/cpuid.h).
 */
#ifndef HULL_METAL_XEN_ABI_H
#define HULL_METAL_XEN_ABI_H

#include "core/pv_kvm.h"

enum xen_hypercall {
	XEN_MEMORY_OP = 12,
	XEN_XEN_VERSION = 17,
	XEN_CONSOLE_IO = 18,
	XEN_GRANT_TABLE_OP = 20,
	XEN_VM_ASSIST = 21,
	XEN_VCPU_OP = 24,
	XEN_SCHED_OP = 29,
	XEN_EVENT_CHANNEL_OP = 32,
	XEN_HVM_OP = 34,
	XEN_HYPERCALLS = 64, /* entries of the hypercall page that are filled */
};

enum {
	XEN_VERSION = 4 << 16 | 17,
	XEN_LEAF = 0x40000000,
	XEN_LEAF_LAST = 0x40000004,
	XEN_MSR_PAGE = 0x40000000,
	XEN_LEAF4_VCPU_ID = 1 << 3,
	XEN_LEAF4_DOMID = 1 << 4,
	XEN_LEAF4_UPCALL_VECTOR = 1 << 6,
};

/* Features of submap 0, features.h. */
enum {
	XENFEAT_AUTO_TRANSLATED = 1 << 2,
	XENFEAT_CALLBACK_VECTOR = 1 << 8,
	XENFEAT_SAFE_PVCLOCK = 1 << 9,
	XENFEAT_VNODE = 1 << 13,
};

enum {
	XENVER_VERSION = 0,
	XENVER_EXTRAVERSION = 1,
	XENVER_COMPILE_INFO = 2,
	XENVER_CAPABILITIES = 3,
	XENVER_CHANGESET = 4,
	XENVER_GET_FEATURES = 6,
	XENVER_PAGESIZE = 7,
	XENVER_TEXT_MAX = 144, /* struct compile_info */
};
enum { XENMEM_ADD_TO_PHYSMAP = 7, XENMAPSPACE_SHARED_INFO = 0, XENMAPSPACE_GRANT_TABLE = 1 };
enum { GNTTABOP_QUERY_SIZE = 6, GNTTABOP_SET_VERSION = 8, XEN_GRANT_FRAMES = 4 };
enum { SCHEDOP_YIELD = 0, SCHEDOP_BLOCK = 1, SCHEDOP_SHUTDOWN = 2, SCHEDOP_POLL = 3 };
enum {
	HVMOP_SET_PARAM = 0,
	HVMOP_GET_PARAM = 1,
	HVMOP_SET_UPCALL_VECTOR = 23,
	HVM_PARAM_CALLBACK_IRQ = 0,
	HVM_PARAM_CONSOLE_PFN = 17,
	HVM_PARAM_CONSOLE_EVTCHN = 18,
	HVM_PARAMS = 40,
	HVM_CALLBACK_VECTOR = 2, /* bits 56 and up of the parameter */
};
enum {
	EVTCHNOP_BIND_VIRQ = 1,
	EVTCHNOP_CLOSE = 3,
	EVTCHNOP_SEND = 4,
	EVTCHNOP_STATUS = 5,
	EVTCHNOP_ALLOC_UNBOUND = 6,
	EVTCHNOP_BIND_IPI = 7,
	EVTCHNOP_BIND_VCPU = 8,
	EVTCHNOP_UNMASK = 9,
	EVTCHNOP_RESET = 10,
	XEN_PORTS = 1024, /* of the 4096 that two levels have */
	XEN_VIRQS = 24,
	VIRQ_TIMER = 0,
};
enum {
	VCPUOP_IS_UP = 3,
	VCPUOP_REGISTER_RUNSTATE = 5,
	VCPUOP_STOP_PERIODIC = 7,
	VCPUOP_SET_SINGLESHOT = 8,
	VCPUOP_STOP_SINGLESHOT = 9,
	VCPUOP_REGISTER_INFO = 10,
	VCPU_SSHOTTMR_FUTURE = 1,
};
enum { XEN_ETIME = 62 };

enum { XEN_TIME_STABLE = 1 };

struct xen_vcpu_info {
	u8 upcall_pending, upcall_mask, pad[6];
	u64 pending_sel, cr2, arch_pad;
	struct pvclock_time time; /* vcpu_time_info */
};
static_assert(sizeof(struct xen_vcpu_info) == 64, "xen.h");

struct xen_shared_info {
	struct xen_vcpu_info vcpu[32];
	u64 pending[64], mask[64];
	u32 wc_version, wc_sec, wc_nsec, wc_sec_hi;
};
static_assert(sizeof(struct xen_shared_info) == 3088, "xen.h");

struct xen_console { /* io/console.h */
	char in[1024], out[2048];
	u32 in_cons, in_prod, out_cons, out_prod;
};

#endif
