/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/kvm/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/bits.h"

enum {
	PORT_DONE = 0xf4,
	PORT_GSI = 0x500,
	PORT_MSI = 0x504,
	PORT_NMI = 0x508,
	PORT_MARK = 0x510,
	PORT_VECTOR = 0x511,
	PORT_ECHO = 0x600,
};

/* ---- memory ---------------------------------------------------------------------------- */

static int load_image(struct rig_memory *m, const char *image)
{
	FILE *f = fopen(image, "rb");
	size_t n;

	if (!f) {
		fprintf(stderr, "cannot open %s\n", image);
		return -1;
	}
	n = fread(m->ram + 0x8000, 1, 0x8000, f);
	fclose(f);
	return n ? 0 : -1;
}

int rig_memory_init(struct rig_memory *m, const char *image)
{
	memset(m, 0, sizeof(*m));
	m->ram = mmap(NULL, RIG_RAM + GPA_PAGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m->ram == MAP_FAILED)
		return -1;
	m->rom = m->ram + RIG_RAM;
	for (unsigned i = 0; i < GPA_PAGE_SIZE; i++)
		m->rom[i] = (u8)i;
	return image ? load_image(m, image) : 0;
}

void rig_memory_fini(struct rig_memory *m)
{
	munmap(m->ram, RIG_RAM + GPA_PAGE_SIZE);
}

static int map_init(struct rig *r)
{
	struct gpa_slot ram = {.gpa = 0,
			       .size = RIG_RAM,
			       .host = r->mem->ram,
			       .page_flags = r->mem->flags[0],
			       .fd = -1};
	struct gpa_slot rom = {.gpa = RIG_ROM,
			       .size = GPA_PAGE_SIZE,
			       .host = r->mem->rom,
			       .page_flags = r->mem->flags[1],
			       .readonly = true,
			       .fd = -1};
	int ret = gpa_slot_add(&r->map, &ram);

	return ret ? ret : gpa_slot_add(&r->map, &rom);
}

/* ---- the bus ----------------------------------------------------------------------------- */

static void log_access(struct rig *r, char kind, unsigned size, u64 addr, u64 val)
{
	if (r->nlog < RIG_LOG)
		r->log[r->nlog++] = (struct rig_access){
			.kind = kind, .size = (u8)size, .addr = (u32)addr, .val = val};
}

static u64 pattern(u64 addr, unsigned size)
{
	return 0xa0b0c0d0e0f01020ULL * (addr + 1) & mask_bytes(size);
}

static u64 mmio_read(void *opaque, u64 gpa, unsigned size)
{
	struct rig_cpu *c = opaque;
	struct rig *r = c->rig;
	u64 val = pattern(gpa, size);

	pthread_mutex_lock(&r->lock);
	if (!r->irqchip && gpa - lapic_base(&c->lapic) < LAPIC_WINDOW)
		val = lapic_ops.read(&c->lapic, gpa & 0xfff, size);
	else if (!r->irqchip && gpa - IOAPIC_BASE < IOAPIC_WINDOW)
		val = ioapic_ops.read(&r->ioapic, gpa & 0xfff, size);
	else
		log_access(r, 'r', size, gpa, val);
	pthread_mutex_unlock(&r->lock);
	return val;
}

static void mmio_write(void *opaque, u64 gpa, unsigned size, u64 val)
{
	struct rig_cpu *c = opaque;
	struct rig *r = c->rig;

	pthread_mutex_lock(&r->lock);
	if (!r->irqchip && gpa - lapic_base(&c->lapic) < LAPIC_WINDOW)
		lapic_ops.write(&c->lapic, gpa & 0xfff, size, val);
	else if (!r->irqchip && gpa - IOAPIC_BASE < IOAPIC_WINDOW)
		ioapic_ops.write(&r->ioapic, gpa & 0xfff, size, val);
	else
		log_access(r, 'w', size, gpa, val);
	pthread_mutex_unlock(&r->lock);
}

static const struct device_ops *pic_port(u16 port)
{
	return port >> 1 == 0x20 >> 1	? &pic_master_ops
	       : port >> 1 == 0xa0 >> 1 ? &pic_slave_ops
					: NULL;
}

static u32 pio_read(void *opaque, u16 port, unsigned size)
{
	struct rig *r = ((struct rig_cpu *)opaque)->rig;
	const struct device_ops *pic = pic_port(port);
	u32 val = (u32)pattern(port, size);

	pthread_mutex_lock(&r->lock);
	if (pic)
		val = (u32)pic->read(&r->pic, port & 1, 1);
	else if (port == PORT_VECTOR)
		val = r->vectors;
	else
		log_access(r, 'i', size, port, val);
	pthread_mutex_unlock(&r->lock);
	return val;
}

static void pulse_gsi(struct rig *r, unsigned n)
{
	for (int level = 1; level >= 0; level--) {
		if (r->irqchip)
			r->ops->gsi_set(r->vm, n, level);
		else
			gsi_set(&r->gsi, n, level);
	}
}

static void port_command(struct rig *r, u16 port, u32 val)
{
	switch (port) {
	case PORT_DONE:
		r->done = true;
		for (unsigned i = 0; i < r->ncpus; i++)
			r->ops->vcpu_kick(r->cpu[i].v);
		break;
	case PORT_GSI:
		pulse_gsi(r, val);
		break;
	case PORT_MSI:
		if (r->irqchip)
			r->ops->msi_send(r->vm, 0xfee00000, val);
		else
			apic_bus_msi(&r->bus, 0xfee00000, val);
		break;
	case PORT_NMI:
		r->ops->vcpu_nmi(r->cpu[val & 1].v);
		break;
	case PORT_MARK:
		if (++r->marks == r->stop_at_mark)
			r->ops->vcpu_kick(r->cpu[0].v);
		break;
	}
}

static void pio_write(void *opaque, u16 port, unsigned size, u32 val)
{
	struct rig *r = ((struct rig_cpu *)opaque)->rig;
	const struct device_ops *pic = pic_port(port);

	pthread_mutex_lock(&r->lock);
	if (pic)
		pic->write(&r->pic, port & 1, 1, val);
	else
		log_access(r, 'o', size, port, val);
	port_command(r, port, val);
	pthread_mutex_unlock(&r->lock);
}

static int msr_read(void *opaque, u32 msr, u64 *val)
{
	struct rig_cpu *c = opaque;
	int ret;

	pthread_mutex_lock(&c->rig->lock);
	ret = lapic_msr_read(&c->lapic, msr, val);
	pthread_mutex_unlock(&c->rig->lock);
	return ret;
}

static int msr_write(void *opaque, u32 msr, u64 val)
{
	struct rig_cpu *c = opaque;
	int ret;

	pthread_mutex_lock(&c->rig->lock);
	ret = lapic_msr_write(&c->lapic, msr, val);
	pthread_mutex_unlock(&c->rig->lock);
	return ret;
}

static int irq_ack(void *opaque)
{
	struct rig_cpu *c = opaque;
	int vector;

	pthread_mutex_lock(&c->rig->lock);
	vector = lapic_ack(&c->lapic);
	pthread_mutex_unlock(&c->rig->lock);
	return vector;
}

static u8 cr8_read(void *opaque)
{
	struct rig_cpu *c = opaque;
	u8 val;

	pthread_mutex_lock(&c->rig->lock);
	val = lapic_cr8_read(&c->lapic);
	pthread_mutex_unlock(&c->rig->lock);
	return val;
}

static void cr8_write(void *opaque, u8 val)
{
	struct rig_cpu *c = opaque;

	pthread_mutex_lock(&c->rig->lock);
	lapic_cr8_write(&c->lapic, val);
	pthread_mutex_unlock(&c->rig->lock);
}

static void hypercall(void *opaque, u64 regs[6])
{
	regs[0] = ~0ULL;
}

/* ---- wires ------------------------------------------------------------------------------- */

static void wire_intr(void *opaque, unsigned cpu, bool level)
{
	struct rig *r = opaque;

	if (r->cpu[cpu].v)
		r->ops->vcpu_irq(r->cpu[cpu].v, level);
}

static void wire_nmi(void *opaque, unsigned cpu)
{
	struct rig *r = opaque;

	r->ops->vcpu_nmi(r->cpu[cpu].v);
}

static void wire_init(void *opaque, unsigned cpu)
{
	struct rig *r = opaque;

	r->ops->vcpu_init(r->cpu[cpu].v);
}

static void wire_sipi(void *opaque, unsigned cpu, u8 vector)
{
	struct rig *r = opaque;

	r->ops->vcpu_sipi(r->cpu[cpu].v, vector);
}

static int wire_pic_ack(void *opaque)
{
	return pic_ack(&((struct rig *)opaque)->pic);
}

static u64 wire_tsc_to_ns(void *opaque, unsigned cpu, u64 tsc)
{
	return ~0ULL;
}

static void irq_init(struct rig *r)
{
	const struct lapic_wires w = {.intr = wire_intr,
				      .nmi = wire_nmi,
				      .init = wire_init,
				      .sipi = wire_sipi,
				      .pic_ack = wire_pic_ack,
				      .tsc_to_ns = wire_tsc_to_ns,
				      .opaque = r};

	fake_clock_init(&r->fc, 0);
	apic_bus_init(&r->bus);
	for (unsigned i = 0; i < r->ncpus; i++)
		lapic_init(&r->cpu[i].lapic, i, &r->bus, &r->fc.clock, &w);
	ioapic_init(&r->ioapic, &r->bus);
	pic_init(&r->pic, (struct irq_line){.set = apic_bus_pic_intr, .opaque = &r->bus});
	r->gsi = (struct gsi_wiring){.pic = &r->pic, .ioapic = &r->ioapic};
}

/* ---- life --------------------------------------------------------------------------------- */

static int cpu_init(struct rig *r, unsigned i)
{
	struct rig_cpu *c = &r->cpu[i];
	const struct vcpu_bus bus = {.mmio_read = mmio_read,
				     .mmio_write = mmio_write,
				     .pio_read = pio_read,
				     .pio_write = pio_write,
				     .msr_read = msr_read,
				     .msr_write = msr_write,
				     .irq_ack = irq_ack,
				     .cr8_read = cr8_read,
				     .cr8_write = cr8_write,
				     .hypercall = hypercall,
				     .opaque = c};

	c->rig = r;
	c->index = i;
	return r->ops->vcpu_create(r->vm, i, &bus, &c->v);
}

int rig_init(struct rig *r, const struct engine_ops *ops, struct rig_memory *m, unsigned ncpus,
	     bool irqchip, bool interpret)
{
	struct engine_vm_config cfg = {
		.map = &r->map,
		.ncpus = ncpus,
		.user_irqchip = !irqchip,
		.interpret = interpret,
		.code_cache = MIB(4),
	};
	int ret;

	memset(r, 0, sizeof(*r));
	r->ops = ops;
	r->mem = m;
	r->ncpus = ncpus;
	r->irqchip = irqchip;
	r->vectors = 1;
	pthread_mutex_init(&r->lock, NULL);
	ret = map_init(r);
	if (!ret)
		ret = ops->vm_create(&cfg, &r->vm);
	irq_init(r);
	for (unsigned i = 0; !ret && i < ncpus; i++)
		ret = cpu_init(r, i);
	return ret ? ret : rig_start(r, 0);
}

void rig_fini(struct rig *r)
{
	for (unsigned i = 0; i < r->ncpus; i++)
		if (r->cpu[i].v)
			r->ops->vcpu_destroy(r->cpu[i].v);
	r->ops->vm_destroy(r->vm);
}

int rig_start(struct rig *r, unsigned cpu)
{
	static _Thread_local struct x86_state s;
	int ret = r->ops->vcpu_get_state(r->cpu[cpu].v, &s);

	if (ret)
		return ret;
	s.seg[X86_CS].sel = 0;
	s.seg[X86_CS].base = 0;
	s.rip = 0x8000;
	return r->ops->vcpu_set_state(r->cpu[cpu].v, &s);
}

static void *cpu_thread(void *opaque)
{
	struct rig_cpu *c = opaque;
	struct rig *r = c->rig;

	do
		c->ret = r->ops->vcpu_run(c->v, &c->exit);
	while (!c->ret && c->exit.kind == VCPU_EXIT_KICK && !r->done && !r->quit &&
	       !(c->index == 0 && r->stop_at_mark && r->marks >= r->stop_at_mark));
	return NULL;
}

enum vcpu_exit_kind rig_run(struct rig *r, unsigned seconds)
{
	struct timespec until;
	bool late;

	r->quit = false;
	for (unsigned i = 0; i < r->ncpus; i++)
		pthread_create(&r->cpu[i].thread, NULL, cpu_thread, &r->cpu[i]);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	late = pthread_timedjoin_np(r->cpu[0].thread, NULL, &until) != 0;
	r->quit = true;
	for (unsigned i = late ? 0 : 1; i < r->ncpus; i++) {
		r->ops->vcpu_kick(r->cpu[i].v);
		pthread_join(r->cpu[i].thread, NULL);
	}
	if (late)
		fprintf(stderr, "# not done after %u s\n", seconds);
	return late || r->cpu[0].ret ? VCPU_EXIT_ERROR : r->cpu[0].exit.kind;
}

/* The interrupt controllers' own state, without wires. */
static void lapic_copy(struct lapic *to, const struct lapic *from)
{
	struct apic_bus *bus = to->bus;
	const struct io_clock *clock = to->clock;
	struct lapic_wires wires = to->wires;
	struct io_timer timer = to->timer;

	*to = *from;
	to->bus = bus;
	to->clock = clock;
	to->wires = wires;
	to->timer = timer;
	to->intr_level = false;
	lapic_update(to);
}

int rig_move(struct rig *from, struct rig *to)
{
	static _Thread_local struct x86_state s;
	int ret = from->ops->vcpu_get_state(from->cpu[0].v, &s);

	if (!ret)
		ret = to->ops->vcpu_set_state(to->cpu[0].v, &s);
	if (ret)
		return ret;
	to->ops->vcpu_irq(to->cpu[0].v, false);
	lapic_copy(&to->cpu[0].lapic, &from->cpu[0].lapic);
	to->marks = from->marks;
	to->done = from->done;
	return 0;
}
