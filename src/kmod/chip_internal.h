/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* struct chip, between chip.c and chip_state.c. */
#ifndef HULL_KMOD_CHIP_INTERNAL_H
#define HULL_KMOD_CHIP_INTERNAL_H

#include "kmod/chip.h"

#include "base/bits.h"
#include "base/list.h"
#include "core/user.h"
#include "dev/irq/gsi.h"
#include "dev/irq/lapic.h"
#include "dev/timer/pit.h"

struct chip {
	void *host;
	struct apic_bus bus;
	struct lapic lapic[APIC_BUS_MAX];
	struct hv_vcpu *vcpu[APIC_BUS_MAX];
	struct ioapic ioapic;
	struct pic pic;
	struct pit pit;
	bool has_pit, has_speaker;
	struct gsi_wiring wiring;
	struct io_clock clock;
	struct list timers; /* armed, soonest first */
	struct chip_route *route;
	unsigned nroutes;
};

#endif
