/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPUs of the board: struct vcpu_bus for each of them. Every call comes on
 * the vCPU's own thread and takes the machine lock around the devices.
 */
#include "machine/pc_internal.h"

#include "base/bits.h"

#include <stdlib.h>

#define HYPERCALL_UNKNOWN ((u64)-1000) /* KVM_ENOSYS, Linux include/uapi/linux/kvm_para.h */

static void lock(struct pc_cpu *c)
{
	loop_lock(c->pc->cfg.loop);
}

static void unlock(struct pc_cpu *c)
{
	loop_unlock(c->pc->cfg.loop);
}

/* The page of this vCPU's own local APIC. */
static bool is_lapic(const struct pc_cpu *c, u64 gpa, unsigned size)
{
	u64 base;

	if (c->pc->irqchip)
		return false;
	base = lapic_base(&c->lapic);
	return base != ~0ULL && range_inside(gpa - base, size, LAPIC_WINDOW) && gpa >= base;
}

static u64 cpu_mmio_read(void *opaque, u64 gpa, unsigned size)
{
	struct pc_cpu *c = opaque;
	u64 val;

	lock(c);
	if (is_lapic(c, gpa, size))
		val = lapic_ops.read(&c->lapic, gpa - lapic_base(&c->lapic), size);
	else
		val = bus_read(&c->pc->mmio, gpa, size);
	unlock(c);
	return val;
}

static void cpu_mmio_write(void *opaque, u64 gpa, unsigned size, u64 val)
{
	struct pc_cpu *c = opaque;

	lock(c);
	if (is_lapic(c, gpa, size))
		lapic_ops.write(&c->lapic, gpa - lapic_base(&c->lapic), size, val);
	else
		bus_write(&c->pc->mmio, gpa, size, val);
	unlock(c);
}

static u32 cpu_pio_read(void *opaque, u16 port, unsigned size)
{
	struct pc_cpu *c = opaque;
	u32 val;

	lock(c);
	val = (u32)bus_read(&c->pc->pio, port, size);
	unlock(c);
	return val;
}

static void cpu_pio_write(void *opaque, u16 port, unsigned size, u32 val)
{
	struct pc_cpu *c = opaque;

	lock(c);
	bus_write(&c->pc->pio, port, size, val);
	unlock(c);
}

static int cpu_msr_read(void *opaque, u32 msr, u64 *val)
{
	struct pc_cpu *c = opaque;
	int err;

	if (c->pc->irqchip)
		return -E_NOENT;
	lock(c);
	err = lapic_msr_read(&c->lapic, msr, val);
	unlock(c);
	return err;
}

static int cpu_msr_write(void *opaque, u32 msr, u64 val)
{
	struct pc_cpu *c = opaque;
	int err;

	if (c->pc->irqchip)
		return -E_NOENT;
	lock(c);
	err = lapic_msr_write(&c->lapic, msr, val);
	unlock(c);
	return err;
}

static int cpu_irq_ack(void *opaque)
{
	struct pc_cpu *c = opaque;
	int vector;

	lock(c);
	vector = lapic_ack(&c->lapic);
	if (gsi_is_timer(&c->pc->gsi, vector))
		pit_acked(&c->pc->pit);
	unlock(c);
	return vector;
}

static u8 cpu_cr8_read(void *opaque)
{
	struct pc_cpu *c = opaque;
	u8 val;

	lock(c);
	val = lapic_cr8_read(&c->lapic);
	unlock(c);
	return val;
}

static void cpu_cr8_write(void *opaque, u8 val)
{
	struct pc_cpu *c = opaque;

	lock(c);
	lapic_cr8_write(&c->lapic, val);
	unlock(c);
}

static void cpu_hypercall(void *opaque, u64 r[6])
{
	r[0] = HYPERCALL_UNKNOWN;
}

static void wire_intr(void *opaque, unsigned cpu, bool level)
{
	struct pc *pc = opaque;

	if (pc->cpu[cpu].v)
		pc->cfg.engine->vcpu_irq(pc->cpu[cpu].v, level);
}

static void wire_nmi(void *opaque, unsigned cpu)
{
	struct pc *pc = opaque;

	pc->cfg.engine->vcpu_nmi(pc->cpu[cpu].v);
}

static void wire_init(void *opaque, unsigned cpu)
{
	struct pc *pc = opaque;

	pc->cfg.engine->vcpu_init(pc->cpu[cpu].v);
}

static void wire_sipi(void *opaque, unsigned cpu, u8 vector)
{
	struct pc *pc = opaque;

	pc->cfg.engine->vcpu_sipi(pc->cpu[cpu].v, vector);
}

static int wire_pic_ack(void *opaque)
{
	struct pc *pc = opaque;

	return pic_ack(&pc->pic);
}

/* Virtual time at which a vCPU's TSC reaches a value. A guest may name any value. */
static u64 wire_tsc_to_ns(void *opaque, unsigned cpu, u64 tsc)
{
	struct pc *pc = opaque;
	u64 khz, now_tsc, now = io_now(loop_clock(pc->cfg.loop));
	unsigned __int128 ns;

	now_tsc = pc->cfg.engine->vcpu_tsc(pc->cpu[cpu].v, &khz);
	if (tsc <= now_tsc || !khz)
		return now;
	ns = (unsigned __int128)(tsc - now_tsc) * 1000000 / khz + 1 + now;
	return ns > ~0ULL ? ~0ULL : (u64)ns;
}

static int cpu_init(struct pc *pc, unsigned index, struct err *e)
{
	struct pc_cpu *c = &pc->cpu[index];
	const struct vcpu_bus bus = {
		.mmio_read = cpu_mmio_read,
		.mmio_write = cpu_mmio_write,
		.pio_read = cpu_pio_read,
		.pio_write = cpu_pio_write,
		.msr_read = cpu_msr_read,
		.msr_write = cpu_msr_write,
		.irq_ack = cpu_irq_ack,
		.cr8_read = cpu_cr8_read,
		.cr8_write = cpu_cr8_write,
		.hypercall = cpu_hypercall,
		.opaque = c,
	};
	int err;

	c->pc = pc;
	c->index = index;
	err = pc->cfg.engine->vcpu_create(pc->vm, index, &bus, &c->v);
	if (err)
		return err_set(e, -err, "engine %s: cannot create CPU %u of %u",
			       pc->cfg.engine->name, index, pc->cfg.ncpus);
	pc->vcpus[index] = c->v;
	return 0;
}

static void lapics_init(struct pc *pc)
{
	const struct lapic_wires wires = {
		.intr = wire_intr,
		.nmi = wire_nmi,
		.init = wire_init,
		.sipi = wire_sipi,
		.pic_ack = wire_pic_ack,
		.tsc_to_ns = wire_tsc_to_ns,
		.opaque = pc,
	};

	for (unsigned i = 0; i < pc->cfg.ncpus; i++)
		lapic_init(&pc->cpu[i].lapic, i, &pc->apic_bus, loop_clock(pc->cfg.loop), &wires);
}

int pc_cpus_init(struct pc *pc, struct err *e)
{
	const struct board_config *cfg = &pc->cfg;
	const struct engine_vm_config vmcfg = {
		.map = &pc->map,
		.ncpus = cfg->ncpus,
		.code_cache = cfg->code_cache,
		.interpret = cfg->interpret,
		.device = cfg->kvm_device,
		.trace = cfg->trace,
		.user_irqchip = !pc->irqchip,
		.wall_offset = cfg->wall_offset,
	};
	int err;

	if (!cfg->ncpus || cfg->ncpus > BOARD_MAX_CPUS)
		return err_set(e, E_INVAL, "%u CPUs: must be 1 to %u", cfg->ncpus, BOARD_MAX_CPUS);
	pc->cpu = calloc(cfg->ncpus, sizeof(pc->cpu[0]));
	if (!pc->cpu)
		return err_set(e, E_NOMEM, "no memory for %u CPUs", cfg->ncpus);
	err = cfg->engine->vm_create(&vmcfg, &pc->vm);
	if (err)
		return err_set(e, -err, "engine %s: cannot create a virtual machine",
			       cfg->engine->name);
	for (unsigned i = 0; !err && i < cfg->ncpus; i++)
		err = cpu_init(pc, i, e);
	if (!err && !pc->irqchip)
		lapics_init(pc);
	return err;
}

void pc_cpus_fini(struct pc *pc)
{
	if (!pc->cpu)
		return;
	for (unsigned i = pc->cfg.ncpus; i-- > 0;) {
		if (!pc->irqchip && pc->cpu[i].lapic.clock)
			io_timer_cancel(pc->cpu[i].lapic.clock, &pc->cpu[i].lapic.timer);
		if (pc->cpu[i].v)
			pc->cfg.engine->vcpu_destroy(pc->cpu[i].v);
	}
	free(pc->cpu);
	pc->cfg.engine->vm_destroy(pc->vm);
}

void pc_cpus_reset(struct pc *pc)
{
	for (unsigned i = 0; i < pc->cfg.ncpus; i++) {
		if (!pc->irqchip)
			lapic_ops.reset(&pc->cpu[i].lapic);
		pc->cfg.engine->vcpu_reset(pc->cpu[i].v);
	}
}
