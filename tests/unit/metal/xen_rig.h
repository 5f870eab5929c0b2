/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest of hull-metal on the host: the core on tests/unit/core/rig.h's processor, and
 * around it Xen's interface with a domain, local APICs and a clock, wired as
 * metal/engine.c and domain.c do it. Calls take the way they take on the machine: an
 * exit, and the guest's memory by its own page tables.
 */
#ifndef HULL_TESTS_XEN_RIG_H
#define HULL_TESTS_XEN_RIG_H

#include "metal/xen_internal.h"
#include "tests/fake_clock.h"
#include "tests/unit/core/rig.h"

#define XEN_RIG_CPUS 2u
#define XEN_RIG_CODE 0x1000u   /* what vCPU 0 runs */
#define XEN_RIG_TABLES 0x2000u /* its page tables, two pages */

struct xen_rig {
	struct domain d;
	struct pc pc;
	struct pc_cpu cpu[XEN_RIG_CPUS];
	struct fake_clock time;
	_Atomic u8 ram_flags[RIG_RAM / GPA_PAGE_SIZE], rom_flags[1];
	u64 seen; /* sum of what reached the console */
};

extern struct xen_rig xr;

/* With Xen's interface, else KVM's. vCPU 0 in 32-bit code, as rig_init leaves it. */
void xen_rig_init(const struct vt_ops *vt, bool xen);
void xen_rig_fini(void);
/* vCPU 0 in 64-bit code, in ring 3 if `user`. */
void xen_rig_long_mode(bool user);
/* vCPU 0 does one STEP_VMCALL or STEP_CPUID, and halts. */
void xen_rig_go(int what);

#endif
