/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A POWER machine of one or two vCPUs without a run time: RAM, a hash table, and
 * a count of what the system half asks of the run time and the machine.
 */
#ifndef HULL_TESTS_JIT_PPC_RIG_H
#define HULL_TESTS_JIT_PPC_RIG_H

#include "engine/jit/ppc/system.h"

#define RIG_RAM MIB(16)
#define RIG_HPT_SHIFT 18u

struct ppc_rig {
	struct gpa_map map;
	struct ppc_vm vm;
	struct ppc_sys sys[2];
	struct ppc_vcpu *c[2];
	u8 *ram;
	_Atomic u8 flags[RIG_RAM / GPA_PAGE_SIZE];
	u64 tb; /* what the time base says */
	u64 timer_ns;
	u64 mmio_addr, mmio_val;
	unsigned mmio_size;
	u64 papr_op;
	unsigned wakes;
};

void ppc_rig_make(struct ppc_rig *r, unsigned ncpus);
void ppc_rig_free(struct ppc_rig *r);

/* What the stand-in of the run time saw since the last look; clears it. */
struct ppc_rig_seen {
	unsigned flushes, ranges, pages, protects, breaks;
	u64 range_addr, range_bytes;
};
struct ppc_rig_seen ppc_rig_look(void);

/* Big-endian doublewords of guest memory. */
void ppc_rig_put(struct ppc_rig *r, u64 gpa, u64 val);
u64 ppc_rig_get(const struct ppc_rig *r, u64 gpa);

#endif
