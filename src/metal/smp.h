/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Starting the other CPUs, and asking one to do something. */
#ifndef HULL_METAL_SMP_H
#define HULL_METAL_SMP_H

#include "metal/cpu.h"

/* Starts every CPU that ACPI knows; those that do not come are named and left out. */
void smp_start(void);

/* Makes a CPU look around soon: out of the guest, out of its sleep. Any CPU, any context. */
void smp_kick(struct cpu *c);

/*
 * Kicks those again that have not looked since. An emulated machine may lose an interrupt
 * (QEMU's VMRUN with a pending virtual one does now and then), and a guest that does not
 * exit by itself would keep its CPU for good.
 */
void smp_kick_again(void);

/*
 * Runs fn on a CPU (which may be this one) and waits. Works also while that CPU
 * waits for a lock, so fn takes none.
 */
void smp_call(unsigned cpu, void (*fn)(void *arg), void *arg);

/* What has been asked of this CPU; called by the kick's interrupt and by who waits. */
void smp_serve(void);

/* A lock whose holder may wait for other CPUs: those serve calls while they wait for it. */
void smp_lock(struct spinlock *l);

#endif
