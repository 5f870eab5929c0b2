/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPUs of a pseries: struct vcpu_bus for each. Every call comes on the
 * vCPU's own thread and takes the machine lock around the devices. Hypercalls
 * here are those of the machine; those of MMU and processor are the engine's.
 */
#include "machine/pseries_internal.h"

#include "base/bits.h"
#include "base/endian.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FLAG_ZERO_PAGE BIT(63 - 48)
#define FLAG_COPY_PAGE BIT(63 - 49)

static void lock(struct pseries_cpu *c)
{
	loop_lock(c->ps->cfg.loop);
}

static void unlock(struct pseries_cpu *c)
{
	loop_unlock(c->ps->cfg.loop);
}

static u64 cpu_mmio_read(void *opaque, u64 gpa, unsigned size)
{
	struct pseries_cpu *c = opaque;
	u64 val;

	lock(c);
	val = bus_read(&c->ps->mmio, gpa, size);
	unlock(c);
	return val;
}

static void cpu_mmio_write(void *opaque, u64 gpa, unsigned size, u64 val)
{
	struct pseries_cpu *c = opaque;

	lock(c);
	bus_write(&c->ps->mmio, gpa, size, val);
	unlock(c);
}

/* ---- hypercalls ---- */

static s64 put_term_char(struct pseries *ps, const u64 r[])
{
	u8 bytes[VTY_CHUNK];

	if (r[1] != PSERIES_VTY_UNIT && r[1] != 0)
		return H_PARAMETER;
	if (r[2] > VTY_CHUNK)
		return H_PARAMETER;
	store_be64(bytes, r[3]);
	store_be64(bytes + 8, r[4]);
	vty_put(&ps->vty, bytes, (unsigned)r[2]);
	return H_SUCCESS;
}

static s64 get_term_char(struct pseries *ps, u64 r[])
{
	u8 bytes[VTY_CHUNK] = {0};

	if (r[1] != PSERIES_VTY_UNIT && r[1] != 0)
		return H_PARAMETER;
	r[1] = vty_get(&ps->vty, bytes);
	r[2] = load_be64(bytes);
	r[3] = load_be64(bytes + 8);
	return H_SUCCESS;
}

static s64 poll(struct pseries *ps, u64 r[])
{
	u32 xirr;
	u8 mfrr;

	if (!xics_poll(&ps->xics, r[1], &xirr, &mfrr))
		return H_PARAMETER;
	r[1] = xirr;
	r[2] = mfrr;
	return H_SUCCESS;
}

/* Cache-inhibited accesses of software that runs untranslated: numbers in the guest's order. */
static s64 logical_ci(struct pseries *ps, u64 r[], bool load)
{
	unsigned size = (unsigned)r[1];
	u8 bytes[8];

	if ((r[1] != 1 && r[1] != 2 && r[1] != 4 && r[1] != 8) || r[2] % r[1])
		return H_PARAMETER;
	if (load) {
		store_le64(bytes, bus_read(&ps->mmio, r[2], size));
		gpa_read(&ps->map, r[2], bytes, size);
		r[1] = load_be64(bytes) >> (64 - 8 * size);
		return H_SUCCESS;
	}
	store_be64(bytes, r[3] << (64 - 8 * size));
	if (gpa_write(&ps->map, r[2], bytes, size))
		bus_write(&ps->mmio, r[2], size, load_le(bytes, size));
	return H_SUCCESS;
}

static s64 page_init(struct pseries *ps, const u64 r[])
{
	u8 *to = r[2] % GPA_PAGE_SIZE ? NULL : gpa_ptr(&ps->map, r[2], GPA_PAGE_SIZE, true);
	const u8 *from = NULL;

	if (!to)
		return H_PARAMETER;
	if (r[1] & FLAG_COPY_PAGE) {
		from = r[3] % GPA_PAGE_SIZE ? NULL : gpa_ptr(&ps->map, r[3], GPA_PAGE_SIZE, false);
		if (!from)
			return H_PARAMETER;
		memmove(to, from, GPA_PAGE_SIZE);
	} else if (r[1] & FLAG_ZERO_PAGE) {
		memset(to, 0, GPA_PAGE_SIZE);
	}
	gpa_written(&ps->map, r[2], GPA_PAGE_SIZE);
	return H_SUCCESS;
}

static s64 vio_signal(struct pseries *ps, const u64 r[])
{
	if (r[1] != PSERIES_VTY_UNIT || r[2] > 1)
		return H_PARAMETER;
	vty_enable(&ps->vty, r[2]);
	return H_SUCCESS;
}

/* The table of the DMA window, see PSERIES_LIOBN. */
static s64 tce_call(u64 r[])
{
	if (r[1] != PSERIES_LIOBN || r[2] >= PSERIES_DMA_WINDOW)
		return H_PARAMETER;
	if (r[0] == H_GET_TCE)
		r[1] = 0;
	return H_SUCCESS;
}

static s64 interrupt_call(struct pseries *ps, unsigned cpu, u64 r[])
{
	switch (r[0]) {
	case H_XIRR:
		r[1] = xics_accept(&ps->xics, cpu);
		return H_SUCCESS;
	case H_CPPR:
		xics_cppr(&ps->xics, cpu, (u8)r[1]);
		return H_SUCCESS;
	case H_EOI:
		xics_eoi(&ps->xics, cpu, (u32)r[1]);
		return H_SUCCESS;
	case H_IPI:
		return xics_ipi(&ps->xics, r[1], (u8)r[2]) ? H_SUCCESS : H_PARAMETER;
	default:
		return poll(ps, r);
	}
}

static s64 machine_call(struct pseries *ps, unsigned cpu, u64 r[])
{
	switch (r[0]) {
	case H_XIRR:
	case H_CPPR:
	case H_EOI:
	case H_IPI:
	case H_IPOLL:
		return interrupt_call(ps, cpu, r);
	case H_GET_TCE:
	case H_PUT_TCE:
	case H_STUFF_TCE:
	case H_PUT_TCE_INDIRECT:
		return tce_call(r);
	case H_PUT_TERM_CHAR:
		return put_term_char(ps, r);
	case H_GET_TERM_CHAR:
		return get_term_char(ps, r);
	case H_VIO_SIGNAL:
		return vio_signal(ps, r);
	case H_LOGICAL_CI_LOAD:
	case H_LOGICAL_CI_STORE:
		return logical_ci(ps, r, r[0] == H_LOGICAL_CI_LOAD);
	case H_PAGE_INIT:
		return page_init(ps, r);
	case H_RANDOM:
		return getrandom(&r[1], 8, 0) == 8 ? H_SUCCESS : H_HARDWARE;
	case H_GET_CPU_CHARACTERISTICS: /* nothing speculates here, nothing is to be flushed */
		r[1] = r[2] = 0;
		return H_SUCCESS;
	case H_RTAS:
		return pseries_rtas_call(ps, cpu, r[1]);
	default:
		return H_FUNCTION;
	}
}

static void cpu_papr(void *opaque, u64 r[PPC_HCALL_REGS])
{
	struct pseries_cpu *c = opaque;

	lock(c);
	r[0] = (u64)machine_call(c->ps, c->index, r);
	unlock(c);
}

/* ---- decrementer ---- */

static void timer_fire(void *opaque)
{
	struct pseries_cpu *c = opaque;

	c->ps->cfg.engine->vcpu_timer(c->v);
}

static void cpu_timer_arm(void *opaque, u64 ns)
{
	struct pseries_cpu *c = opaque;
	const struct io_clock *clock = loop_clock(c->ps->cfg.loop);

	lock(c);
	io_timer_arm(clock, &c->timer, io_now(clock) + ns);
	unlock(c);
}

/* ---- life ---- */

static int cpu_init(struct pseries *ps, unsigned index, struct err *e)
{
	struct pseries_cpu *c = &ps->cpu[index];
	const struct vcpu_bus bus = {
		.mmio_read = cpu_mmio_read,
		.mmio_write = cpu_mmio_write,
		.papr = cpu_papr,
		.timer_arm = cpu_timer_arm,
		.opaque = c,
	};
	int err;

	c->ps = ps;
	c->index = index;
	c->timer = (struct io_timer){.fn = timer_fire, .opaque = c};
	err = ps->cfg.engine->vcpu_create(ps->vm, index, &bus, &c->v);
	if (err)
		return err_set(e, -err, "engine %s: cannot create CPU %u of %u",
			       ps->cfg.engine->name, index, ps->cfg.ncpus);
	ps->vcpus[index] = c->v;
	return 0;
}

unsigned pseries_hpt_shift(u64 memory)
{
	unsigned shift = 18;

	while (shift < 40 && 1ull << shift < memory / 128)
		shift++;
	return shift;
}

int pseries_cpus_init(struct pseries *ps, struct err *e)
{
	const struct board_config *cfg = &ps->cfg;
	const struct engine_vm_config vmcfg = {
		.map = &ps->map,
		.ncpus = cfg->ncpus,
		.code_cache = cfg->code_cache,
		.interpret = cfg->interpret,
		.trace = cfg->trace,
		.hpt_shift = pseries_hpt_shift(cfg->memory),
	};
	int err;

	if (!cfg->ncpus || cfg->ncpus > BOARD_MAX_CPUS)
		return err_set(e, E_INVAL, "%u CPUs: must be 1 to %u", cfg->ncpus, BOARD_MAX_CPUS);
	ps->cpu = calloc(cfg->ncpus, sizeof(ps->cpu[0]));
	if (!ps->cpu)
		return err_set(e, E_NOMEM, "no memory for %u CPUs", cfg->ncpus);
	err = cfg->engine->vm_create(&vmcfg, &ps->vm);
	if (err)
		return err_set(e, -err, "engine %s: cannot create a virtual machine",
			       cfg->engine->name);
	for (unsigned i = 0; !err && i < cfg->ncpus; i++)
		err = cpu_init(ps, i, e);
	return err;
}

void pseries_cpus_fini(struct pseries *ps)
{
	if (!ps->cpu)
		return;
	for (unsigned i = ps->cfg.ncpus; i-- > 0;) {
		io_timer_cancel(loop_clock(ps->cfg.loop), &ps->cpu[i].timer);
		if (ps->cpu[i].v)
			ps->cfg.engine->vcpu_destroy(ps->cpu[i].v);
	}
	free(ps->cpu);
	ps->cfg.engine->vm_destroy(ps->vm);
}

void pseries_cpus_reset(struct pseries *ps)
{
	for (unsigned i = 0; i < ps->cfg.ncpus; i++) {
		io_timer_cancel(loop_clock(ps->cfg.loop), &ps->cpu[i].timer);
		ps->cfg.engine->vcpu_reset(ps->cpu[i].v);
	}
}
