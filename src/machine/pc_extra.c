/* SPDX-License-Identifier: Apache-2.0 */
/* What a hosted PC has and hull-metal's guests do without. */
#include "base/bits.h"
#include "dev/char/debugcon.h"
#include "dev/input/i8042.h"
#include "dev/misc/legacy_ports.h"
#include "dev/misc/testdev.h"
#include "dev/timer/hpet.h"
#include "dev/virtio/mmio.h"
#include "machine/pc_firmware.h"

#include <stdlib.h>

#define PC_MAX_MMIO 2u

struct pc_extra {
	struct hpet hpet; /* unless the engine has the interrupt controllers */
	struct i8042 i8042;
	struct debugcon debugcon;
	struct port92 port92;
	struct post_port post;
	struct virtio_mmio mmio[PC_MAX_MMIO];
	unsigned nmmio;
	struct testdev testdev; /* if it is asked for */
};

/* The PIT's and RTC's lines pass through the HPET, which may cut them. */
struct irq_line pc_extra_timer_line(struct pc *pc, unsigned n)
{
	if (pc->irqchip)
		return pc_irq_line(pc, n);
	return n ? hpet_rtc_line(&pc->extra->hpet) : hpet_pit_line(&pc->extra->hpet);
}

int pc_extra_alloc(struct pc *pc, struct err *e)
{
	pc->extra = calloc(1, sizeof(*pc->extra));
	if (!pc->extra)
		return err_set(e, E_NOMEM, "no memory for the board");
	if (!pc->irqchip)
		hpet_init(&pc->extra->hpet, loop_clock(pc->cfg.loop), pc_irq_line(pc, 0));
	return 0;
}

static int testdev_add(struct pc *pc, struct testdev *d, struct err *e)
{
	const struct pc_part part[] = {
		{&pc->pio, TESTDEV_PORT, TESTDEV_PORT_WINDOW, &testdev_port_ops, d},
		{&pc->pio, TESTDEV_LINE_PORT, TESTDEV_LINES, &testdev_line_ops, d},
		{&pc->mmio, TESTDEV_RAM_BASE, TESTDEV_RAM_SIZE, &testdev_ram_ops, d},
	};

	for (unsigned i = 0; i < TESTDEV_LINES; i++)
		d->line[i] = pc_irq_line(pc, i);
	return pc_parts_add(part, ARRAY_LEN(part), e);
}

int pc_extra_init(struct pc *pc, struct err *e)
{
	struct pc_extra *x = pc->extra;
	const struct pc_part part[] = {
		{&pc->pio, DEBUGCON_PORT_BOCHS, DEBUGCON_WINDOW, &debugcon_ops, &x->debugcon},
		{&pc->pio, DEBUGCON_PORT_FIRMWARE, DEBUGCON_WINDOW, &debugcon_ops, &x->debugcon},
		{&pc->pio, PORT92_PORT, PORT92_WINDOW, &port92_ops, &x->port92},
		{&pc->pio, POST_PORT, POST_WINDOW, &post_port_ops, &x->post},
		{&pc->pio, I8042_DATA_PORT, I8042_WINDOW, &i8042_data_ops, &x->i8042},
		{&pc->pio, I8042_COMMAND_PORT, I8042_WINDOW, &i8042_command_ops, &x->i8042},
		{&pc->mmio, HPET_BASE, HPET_WINDOW, &hpet_ops, &x->hpet},
	};
	const struct i8042_wires kbd = {
		.keyboard = pc_irq_line(pc, I8042_KEYBOARD_LINE),
		.mouse = pc_irq_line(pc, I8042_MOUSE_LINE),
		.reset = pc_reset_wanted,
		.opaque = pc,
	};
	int err;

	debugcon_init(&x->debugcon, pc->cfg.debugcon);
	port92_init(&x->port92, pc_reset_wanted, NULL, pc);
	post_port_init(&x->post);
	i8042_init(&x->i8042, &kbd);
	err = pc_parts_add(part, ARRAY_LEN(part) - pc->irqchip, e); /* the HPET is the last */
	if (!err && pc->cfg.testdev)
		err = testdev_add(pc, &x->testdev, e);
	return err || !pc->cfg.firmware.data ? err : pc_firmware_init(pc, e);
}

void pc_extra_stop(struct pc *pc)
{
	for (unsigned i = 0; pc->extra && i < HPET_TIMERS; i++)
		io_timer_cancel(loop_clock(pc->cfg.loop), &pc->extra->hpet.t[i].timer);
}

void pc_extra_free(struct pc *pc)
{
	pc_firmware_fini(pc);
	free(pc->extra);
}

void pc_extra_describe(const struct pc *pc, struct acpi_config *a)
{
	a->hpet_base = pc->irqchip ? 0 : HPET_BASE;
	a->hpet_id = HPET_BLOCK_ID;
	a->i8042 = true;
	a->virtio_mmio_base = PC_VIRTIO_MMIO;
	a->virtio_mmio_stride = GPA_PAGE_SIZE;
	a->nvirtio_mmio = pc->extra->nmmio;
	a->virtio_mmio_gsi = PC_MMIO_IRQ;
}

/* A device on a virtio-mmio transport; its PCI slot stays empty. */
int pc_extra_attach_mmio(void *opaque, struct virtio_dev *dev, struct err *e)
{
	struct pc *pc = opaque;
	struct pc_extra *x = pc->extra;
	u64 base = PC_VIRTIO_MMIO + x->nmmio * GPA_PAGE_SIZE;
	struct virtio_mmio *m = &x->mmio[x->nmmio];
	struct irq_line line;

	if (x->nmmio == PC_MAX_MMIO)
		return err_set(e, E_NOSPC, "board: more than %u devices on virtio-mmio",
			       PC_MAX_MMIO);
	line = pc_irq_line(pc, PC_MMIO_IRQ + x->nmmio++);
	virtio_mmio_init(m, dev, &line);
	return bus_add(&pc->mmio, base, VIRTIO_MMIO_SIZE, &virtio_mmio_ops, m)
		       ? err_set(e, E_BUSY, "board: virtio-mmio window is taken")
		       : 0;
}

int pc_extra_tables(struct pc *pc, struct err *e)
{
	return pc->firmware ? pc_firmware_tables(pc, e) : 0;
}

bool pc_extra_start(struct pc *pc)
{
	if (pc->firmware)
		pc_firmware_start(pc);
	return pc->firmware;
}
