/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The board's event descriptors (machine/pc_events.c is the hosted one): there
 * are none. Notifications and messages are function calls here.
 */
#include "machine/pc_internal.h"

void pc_events_none(struct pc *pc)
{
}

int pc_events_init(struct pc *pc, struct err *e)
{
	return 0;
}

void pc_events_reset(struct pc *pc)
{
}

void pc_events_fini(struct pc *pc)
{
}

void pc_events_map(struct pc *pc, unsigned slot, u64 addr, bool map)
{
}

bool pc_events_message(struct pc *pc, u64 addr, u32 data)
{
	return false;
}
