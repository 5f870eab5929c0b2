/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/pc_internal.h"

#include "base/bits.h"

#include <stdlib.h>

/* ---- what devices tell the board --------------------------------------------- */

static void on_test_exit(void *opaque, u32 value)
{
	struct pc *pc = opaque;

	pc->cfg.event(pc->cfg.opaque, BOARD_EVENT_EXIT, value);
}

static void on_panic(void *opaque, u8 events)
{
	struct pc *pc = opaque;

	pc->cfg.event(pc->cfg.opaque, BOARD_EVENT_PANIC, events);
}

void pc_reset_wanted(void *opaque)
{
	struct pc *pc = opaque;

	pc->cfg.event(pc->cfg.opaque, BOARD_EVENT_RESET, 0);
}

static void on_power_off(void *opaque)
{
	struct pc *pc = opaque;

	pc->cfg.event(pc->cfg.opaque, BOARD_EVENT_POWEROFF, 0);
}

/* ---- parts ---------------------------------------------------------------------- */

int pc_parts_add(const struct pc_part *part, unsigned n, struct err *e)
{
	for (unsigned i = 0; i < n; i++) {
		const struct pc_part *p = &part[i];
		int err = bus_add(p->bus, p->base, p->size, p->ops, p->opaque);

		if (err)
			return err_set(e, -err, "board: %s at 0x%llx overlaps something",
				       p->ops->name, (unsigned long long)p->base);
	}
	return 0;
}

static void timers_init(struct pc *pc)
{
	const struct io_clock *clock = loop_clock(pc->cfg.loop);
	const struct acpi_pm_wires pm = {
		.sci = pc_irq_line(pc, PC_SCI),
		.power_off = on_power_off,
		.reset = pc_reset_wanted,
		.opaque = pc,
	};

	if (!pc->irqchip)
		pit_init(&pc->pit, clock, pc_extra_timer_line(pc, 0));
	rtc_init(&pc->rtc, clock, pc_extra_timer_line(pc, PC_RTC_IRQ));
	rtc_set_offset(&pc->rtc, pc->cfg.rtc_offset);
	rtc_set_memory(&pc->rtc, pc->cfg.memory - pc->ram_high, pc->ram_high, pc->cfg.ncpus);
	acpi_pm_init(&pc->pm, clock, &pm);
}

/* Nothing may fire once the board goes away. */
static void timers_fini(struct pc *pc)
{
	const struct io_clock *clock = loop_clock(pc->cfg.loop);

	io_timer_cancel(clock, &pc->pit.timer);
	io_timer_cancel(clock, &pc->rtc.second);
	io_timer_cancel(clock, &pc->rtc.periodic);
	io_timer_cancel(clock, &pc->pm.timer);
	pc_extra_stop(pc);
	uart_fini(&pc->com1); /* a guest's last words */
}

/* The parts list; pc_extra.c has more. */
static int board_init(struct pc *pc, struct err *e)
{
	const struct pc_part isa[] = {
		{&pc->pio, TEST_EXIT_PORT, TEST_EXIT_WINDOW, &test_exit_ops, &pc->test_exit},
		{&pc->pio, PVPANIC_PORT, PVPANIC_WINDOW, &pvpanic_ops, &pc->pvpanic},
		{&pc->pio, UART_COM1_PORT, UART_WINDOW, &uart_ops, &pc->com1},
		{&pc->pio, RTC_PORT, RTC_WINDOW, &rtc_ops, &pc->rtc},
		{&pc->pio, ACPI_PM_PORT, ACPI_PM_WINDOW, &acpi_pm_ops, &pc->pm},
		{&pc->pio, PCI_PORT_ADDR, 8, &pci_port_ops, &pc->pci},
		{&pc->mmio, PC_ECAM, PCI_ECAM_SIZE, &pci_ecam_ops, &pc->pci},
	};
	const struct pc_part irqchip[] = {
		{&pc->pio, PIC_MASTER_PORT, PIC_WINDOW, &pic_master_ops, &pc->pic},
		{&pc->pio, PIC_SLAVE_PORT, PIC_WINDOW, &pic_slave_ops, &pc->pic},
		{&pc->pio, PIC_ELCR_PORT, PIC_ELCR_WINDOW, &pic_elcr_ops, &pc->pic},
		{&pc->pio, PIT_PORT, PIT_WINDOW, &pit_ops, &pc->pit},
		{&pc->pio, PIT_PORT61, PIT_PORT61_WINDOW, &pit_port61_ops, &pc->pit},
		{&pc->mmio, IOAPIC_BASE, IOAPIC_WINDOW, &ioapic_ops, &pc->ioapic},
	};
	int err = pc_extra_alloc(pc, e);

	if (err)
		return err;
	timers_init(pc);
	uart_init(&pc->com1, pc->cfg.serial, loop_clock(pc->cfg.loop),
		  pc_irq_line(pc, UART_COM1_LINE));
	test_exit_init(&pc->test_exit, on_test_exit, pc);
	pvpanic_init(&pc->pvpanic, on_panic, pc);
	reset_cf9_init(&pc->cf9, pc_reset_wanted, pc);
	pc_pci_init(pc);
	err = pc_parts_add(isa, ARRAY_LEN(isa), e);
	if (!err && !pc->irqchip)
		err = pc_parts_add(irqchip, ARRAY_LEN(irqchip), e);
	if (!err)
		err = pc_extra_init(pc, e);
	if (!err)
		err = pc_virtio_init(pc, e);
	return err ? err : pc_events_init(pc, e);
}

static int reset(struct pc *pc, struct err *e)
{
	int err = 0;

	bus_reset(&pc->pio);
	bus_reset(&pc->mmio);
	pc_events_reset(pc);
	pc_cpus_reset(pc);
	if (!pc->cfg.firmware.data)
		err = pci_assign_bars(&pc->pci);
	if (err)
		return err_set(e, -err, "board: the PCI windows are too small for its devices");
	return pc_boot_start(pc, e);
}

static int pc_init(struct pc *pc, struct err *e)
{
	int err = pc_memory_init(pc, e);

	/* Devices may move their wires as they are made: what those lead to comes first. */
	pc_irq_init(pc);
	if (!err)
		err = pc_cpus_init(pc, e);
	if (!err)
		err = board_init(pc, e);
	if (!err)
		err = pc_boot_init(pc, e);
	return err ? err : reset(pc, e);
}

/* ---- struct board_ops ------------------------------------------------------------- */

static struct pc *pc_of(struct board *b)
{
	return container_of(b, struct pc, board);
}

static void pc_destroy(struct board *b)
{
	struct pc *pc = pc_of(b);

	loop_lock(pc->cfg.loop);
	timers_fini(pc);
	pc_events_fini(pc);
	pc_cpus_fini(pc);
	loop_unlock(pc->cfg.loop);
	virtio_set_fini(&pc->virtio);
	pc_extra_free(pc);
	free(pc->smbios);
	free(pc->acpi);
	pc_memory_fini(pc);
	free(pc);
}

static int pc_create(const struct board_config *cfg, struct board **out, struct err *e)
{
	struct pc *pc = calloc(1, sizeof(*pc));
	int err;

	if (!pc)
		return err_set(e, E_NOMEM, "no memory for the board");
	pc->cfg = *cfg;
	pc->board = (struct board){.ops = &board_pc, .vcpu = pc->vcpus, .map = &pc->map};
	pc->irqchip = cfg->engine_caps & ENGINE_CAP_IRQCHIP;
	pc_events_none(pc);
	loop_lock(cfg->loop);
	err = pc_init(pc, e);
	loop_unlock(cfg->loop);
	if (err) {
		pc_destroy(&pc->board);
		return err;
	}
	*out = &pc->board;
	return 0;
}

static int pc_reset(struct board *b, struct err *e)
{
	return reset(pc_of(b), e);
}

static void pc_freeze(struct board *b, bool frozen)
{
	struct pc *pc = pc_of(b);

	pc->cfg.engine->vm_freeze(pc->vm, frozen);
}

static void pc_nmi(struct board *b)
{
	struct pc *pc = pc_of(b);

	for (unsigned i = 0; i < pc->cfg.ncpus; i++)
		pc->cfg.engine->vcpu_nmi(pc->cpu[i].v);
}

static void pc_power_button(struct board *b)
{
	acpi_pm_power_button(&pc_of(b)->pm);
}

static void pc_balloon_set(struct board *b, u64 bytes)
{
	virtio_set_balloon(&pc_of(b)->virtio, bytes);
}

static void pc_balloon_get(struct board *b, struct board_balloon *out)
{
	virtio_set_balloon_get(&pc_of(b)->virtio, out);
}

const struct board_ops board_pc = {
	.create = pc_create,
	.destroy = pc_destroy,
	.reset = pc_reset,
	.freeze = pc_freeze,
	.balloon_set = pc_balloon_set,
	.balloon_get = pc_balloon_get,
	.power_button = pc_power_button,
	.nmi = pc_nmi,
};
