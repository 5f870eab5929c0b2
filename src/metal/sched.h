/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The scheduler. Every CPU has its own list of vCPUs and runs them by stride
 * scheduling: each has a weight, and the one whose weighted run time is smallest
 * is next. A cap limits a vCPU to a share of each 100 ms. A vCPU alone on its CPU
 * runs without a time slice (and one that is `dedicated` stays alone).
 *
 * Nothing preempts the hypervisor: a vCPU leaves the CPU only when its
 * hv_vcpu_run returns.
 */
#ifndef HULL_METAL_SCHED_H
#define HULL_METAL_SCHED_H

#include "metal/cpu.h"

struct engine_vcpu;

/* This CPU's life from here on. */
void __attribute__((noreturn)) sched_run(void);

/* Puts a vCPU on a CPU's list / takes it off; it must not be running. */
void sched_add(struct engine_vcpu *v, struct cpu *c, unsigned weight, unsigned cap);
void sched_remove(struct engine_vcpu *v);
/* The CPU with the least to do that is nobody's own; NULL if there is none. */
struct cpu *sched_place(void);

/* It may have something to do. Any CPU, any context. */
void sched_wake(struct engine_vcpu *v);

/* Makes the CPUs of all vCPUs look at their domain's state, and waits until none runs. */
struct domain;
void sched_stop(struct domain *d);

/* The vCPU that runs here has nothing better to do: another one's turn. */
void sched_give_way(void);

/* Called by the port before every entry: may this vCPU stay on its CPU? */
bool sched_stay(struct engine_vcpu *v);

#endif
