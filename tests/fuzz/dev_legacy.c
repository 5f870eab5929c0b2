/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All the PC's platform devices, wired as on a board, under a guest that reads
 * and writes anything anywhere while time passes, keys are pressed and
 * interrupts are taken. Each 8 bytes of input are one step.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/endian.h"
#include "dev/char/debugcon.h"
#include "dev/char/uart.h"
#include "dev/fw/fw_cfg.h"
#include "dev/input/i8042.h"
#include "dev/misc/legacy_ports.h"
#include "dev/misc/misc.h"
#include "dev/timer/acpi_pm.h"
#include "dev/timer/hpet.h"
#include "dev/timer/pit.h"
#include "dev/timer/rtc.h"
#include "tests/unit/dev/apic_rig.h"

#define RAM 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct board {
	struct apic_rig irq;
	struct pit pit;
	struct hpet hpet;
	struct rtc rtc;
	struct acpi_pm pm;
	struct uart uart;
	struct i8042 kbc;
	struct fw_cfg fw;
	struct debugcon dbg;
	struct test_exit exit;
	struct pvpanic panic;
	struct reset_cf9 cf9;
	struct port92 p92;
	struct post_port post;
	struct io_char back;
	struct gpa_map map;
	u8 ram[RAM], file[64];
	_Atomic u8 flags[RAM / GPA_PAGE_SIZE];
	unsigned events;
};

static void on_event(void *opaque)
{
	((struct board *)opaque)->events++;
}

static void on_flag(void *opaque, bool open)
{
	on_event(opaque);
}

static void on_byte(void *opaque, u8 v)
{
	on_event(opaque);
}

static void on_value(void *opaque, u32 v)
{
	on_event(opaque);
}

static void back_write(struct io_char *c, const void *buf, size_t len)
{
	if (len > UART_FIFO)
		abort();
}

static void back_ready(struct io_char *c)
{
	c->receive(c->opaque, "more input than a FIFO can hold", 31);
}

static const struct io_char_ops back_ops = {.write = back_write, .rx_ready = back_ready};

static void board_init(struct board *b)
{
	struct gpa_slot slot = {.size = RAM, .host = b->ram, .page_flags = b->flags, .fd = -1};
	const struct io_clock *clock = &b->irq.fc.clock;
	struct acpi_pm_wires pm = {.power_off = on_event, .reset = on_event, .opaque = b};
	struct i8042_wires kbc = {.reset = on_event, .a20 = on_flag, .leds = on_byte, .opaque = b};
	struct fw_cfg_item *item;

	memset(b, 0, sizeof(*b));
	apic_rig_init(&b->irq, RIG_CPUS);
	b->irq.fc.wall = 1700000000;
	gpa_slot_add(&b->map, &slot);
	b->back.ops = &back_ops;
	hpet_init(&b->hpet, clock, gsi_line(&b->irq.gsi, 0));
	pit_init(&b->pit, clock, hpet_pit_line(&b->hpet));
	rtc_init(&b->rtc, clock, hpet_rtc_line(&b->hpet));
	pm.sci = gsi_line(&b->irq.gsi, 9);
	acpi_pm_init(&b->pm, clock, &pm);
	uart_init(&b->uart, &b->back, clock, gsi_line(&b->irq.gsi, 4));
	kbc.keyboard = gsi_line(&b->irq.gsi, 1);
	kbc.mouse = gsi_line(&b->irq.gsi, 12);
	i8042_init(&b->kbc, &kbc);
	fw_cfg_init(&b->fw, &b->map);
	fw_cfg_add_file(&b->fw, "a", b->file, sizeof(b->file), &item);
	item->writable = true;
	debugcon_init(&b->dbg, &b->back);
	test_exit_init(&b->exit, on_value, b);
	pvpanic_init(&b->panic, on_byte, b);
	reset_cf9_init(&b->cf9, on_event, b);
	port92_init(&b->p92, on_event, on_flag, b);
	post_port_init(&b->post);
}

struct window {
	const struct device_ops *ops;
	size_t instance; /* offset in struct board */
	u32 size;
	unsigned max_access;
};

#define AT(member) offsetof(struct board, member)

static const struct window windows[] = {
	{&lapic_ops, AT(irq.cpu[0]), LAPIC_WINDOW, 8},
	{&lapic_ops, AT(irq.cpu[3]), LAPIC_WINDOW, 8},
	{&ioapic_ops, AT(irq.ioapic), 0x50, 8},
	{&pic_master_ops, AT(irq.pic), PIC_WINDOW, 2},
	{&pic_slave_ops, AT(irq.pic), PIC_WINDOW, 2},
	{&pic_elcr_ops, AT(irq.pic), PIC_ELCR_WINDOW, 2},
	{&pit_ops, AT(pit), PIT_WINDOW, 4},
	{&pit_port61_ops, AT(pit), PIT_PORT61_WINDOW, 1},
	{&hpet_ops, AT(hpet), HPET_WINDOW, 8},
	{&rtc_ops, AT(rtc), RTC_WINDOW, 2},
	{&acpi_pm_ops, AT(pm), ACPI_PM_WINDOW, 4},
	{&uart_ops, AT(uart), UART_WINDOW, 4},
	{&i8042_data_ops, AT(kbc), I8042_WINDOW, 1},
	{&i8042_command_ops, AT(kbc), I8042_WINDOW, 1},
	{&fw_cfg_ops, AT(fw), FW_CFG_WINDOW, 2},
	{&fw_cfg_dma_ops, AT(fw), FW_CFG_DMA_WINDOW, 8},
	{&debugcon_ops, AT(dbg), DEBUGCON_WINDOW, 1},
	{&test_exit_ops, AT(exit), TEST_EXIT_WINDOW, 4},
	{&pvpanic_ops, AT(panic), PVPANIC_WINDOW, 1},
	{&reset_cf9_ops, AT(cf9), RESET_CF9_WINDOW, 1},
	{&port92_ops, AT(p92), PORT92_WINDOW, 1},
	{&post_port_ops, AT(post), POST_WINDOW, 1},
};

static void step_msr(struct board *b, bool write, u32 sel, u64 val)
{
	struct lapic *l = &b->irq.cpu[sel & 3];
	u32 msr = sel & 0x80 ? 0x1b : sel & 0x40 ? 0x6e0 : 0x800 | (sel >> 8);

	if (write)
		lapic_msr_write(l, msr, val);
	else
		lapic_msr_read(l, msr, &val);
}

static void step_event(struct board *b, u8 what, u32 val)
{
	switch (what & 7) {
	case 0:
		i8042_key(&b->kbc, val & 0x1ff, val & 0x200);
		break;
	case 1:
		i8042_mouse(&b->kbc, (s8)val, (s8)(val >> 8), (s8)(val >> 16), val >> 24);
		break;
	case 2:
		b->back.receive(b->back.opaque, "xyzzy", val % 6);
		break;
	case 3:
		gsi_set(&b->irq.gsi, val % 24, val & 0x100);
		break;
	case 4:
		apic_bus_msi(&b->irq.bus, 0xfee00000 | (val & 0xffff0) << 2, val);
		break;
	case 5:
		acpi_pm_gpe(&b->pm, val & 31);
		acpi_pm_power_button(&b->pm);
		break;
	case 6:
		lapic_lint(&b->irq.cpu[val & 3], 1, val & 4);
		break;
	default:
		for (unsigned i = 0; i < RIG_CPUS; i++)
			for (u32 n = val & 15; n && b->irq.intr[i]; n--)
				lapic_ack(&b->irq.cpu[i]);
	}
}

static void step(struct board *b, const uint8_t *p)
{
	unsigned op = p[0] >> 5, size = 1u << (p[1] & 3);
	const struct window *w = &windows[(p[0] & 31) % ARRAY_LEN(windows)];
	void *dev = (char *)b + w->instance;
	u64 off = load_le16(p + 2), val = load_le32(p + 4);

	if (p[1] & 0x80)
		val |= val << 32;
	if (size > w->max_access)
		size = w->max_access;
	off = align_down(off % w->size, size);
	if (off + size > w->size)
		off = 0;
	switch (op) {
	case 0 ... 2:
		w->ops->write(dev, off, size, val & mask_bytes(size));
		break;
	case 3:
		w->ops->read(dev, off, size);
		break;
	case 4:
		/* Bounded periods: nothing may want more than one timer every 10 us each. */
		b->irq.fc.fired = 0;
		fake_clock_advance_max(&b->irq.fc, val % 10000000, 20000);
		if (b->irq.fc.fired == 20000)
			abort();
		break;
	case 5:
		step_msr(b, p[1] & 4, load_le16(p + 2), val);
		break;
	case 6:
		step_event(b, p[1], (u32)val);
		break;
	default:
		if (p[1] == 0 && w->ops->reset)
			w->ops->reset(dev);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct board b;

	board_init(&b);
	for (size_t i = 0; i + 8 <= size; i += 8)
		step(&b, data + i);
	return 0;
}
