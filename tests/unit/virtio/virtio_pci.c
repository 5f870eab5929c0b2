/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests src/dev/pci and src/dev/virtio/pci.c the way a guest sees them: through
 * configuration windows and BARs, down to a message-signalled interrupt.
 */
#include "fake.h"

#include "dev/virtio/blk.h"
#include "dev/virtio/console.h"
#include "dev/virtio/pci.h"

#define SLOT 4

static struct fake f;
static struct pci_host host;
static struct virtio_console con;
static struct virtio_pci pci;
static struct {
	unsigned maps, unmaps, msis, intx_level;
	u64 addr;
	u32 data;
	const struct pci_func *last;
} seen;

static void bar_map(void *opaque, struct pci_func *fn, unsigned bar, bool map)
{
	seen.maps += map;
	seen.unmaps += !map;
	seen.last = fn;
}

static void send_msi(void *opaque, u64 addr, u32 data)
{
	seen.msis++;
	seen.addr = addr;
	seen.data = data;
}

static void intx(void *opaque, unsigned n, bool level)
{
	seen.intx_level = level;
}

static void setup(void)
{
	const struct pci_host_config cfg = {
		.io = {0xc000, 0x1000},
		.mem32 = {0xc0000000, 0x10000000},
		.mem64 = {0x8000000000, 0x100000000},
		.ecam = {0xb0000000, PCI_ECAM_SIZE},
		.bar_map = bar_map,
		.msi = {send_msi, NULL},
	};

	memset(&seen, 0, sizeof(seen));
	fake_init(&f);
	virtio_console_init(&con, &f.map, &(struct virtio_console_port_config){.is_console = true},
			    1, &virtio_console_multiport);
	pci_host_init(&host, &cfg);
	virtio_pci_init(&pci, &con.dev, 0x078000);
	pci_attach(&host, SLOT, &pci.func, &(struct irq_line){intx, NULL, 0}, 11);
	f.dev = &con.dev;
}

static u32 cfg(unsigned reg, unsigned size)
{
	return (u32)pci_ecam_ops.read(&host, SLOT << 15 | reg, size);
}

static void cfg_set(unsigned reg, unsigned size, u32 val)
{
	pci_ecam_ops.write(&host, SLOT << 15 | reg, size, val);
}

static u64 bar_get(unsigned bar, u64 off, unsigned size)
{
	return pci.func.bar[bar].ops->read(pci.func.bar[bar].opaque, off, size);
}

static void bar_set(unsigned bar, u64 off, unsigned size, u64 val)
{
	pci.func.bar[bar].ops->write(pci.func.bar[bar].opaque, off, size, val);
}

#define COMMON(field) offsetof(struct virtio_pci_common, field)

static u64 common_get(u64 off, unsigned size)
{
	return bar_get(VIRTIO_PCI_BAR_REGS, off, size);
}

static void common_set(u64 off, unsigned size, u64 val)
{
	bar_set(VIRTIO_PCI_BAR_REGS, off, size, val);
}

static void t_identity(void)
{
	setup();
	CHECK_EQ(cfg(0, 4), 0x10431af4);
	CHECK_EQ(cfg(8, 4), 0x07800001);
	CHECK_EQ(cfg(0x3c, 2), 0x010b);
	CHECK_EQ(pci_ecam_ops.read(&host, 0, 4), 0x29c08086);
	CHECK_EQ(pci_ecam_ops.read(&host, 5 << 15, 4), 0xffffffff);		 /* empty slot */
	CHECK_EQ(pci_ecam_ops.read(&host, SLOT << 15 | 1 << 12, 4), 0xffffffff); /* function 1 */
	CHECK_EQ(cfg(0x100, 4), 0); /* no extended capabilities */
}

static void t_ports(void)
{
	setup();
	pci_port_ops.write(&host, 0, 4, 0x80000000 | SLOT << 11 | 0);
	CHECK_EQ(pci_port_ops.read(&host, 0, 4), 0x80000000 | SLOT << 11);
	CHECK_EQ(pci_port_ops.read(&host, 4, 4), 0x10431af4);
	CHECK_EQ(pci_port_ops.read(&host, 6, 2), 0x1043);
	CHECK_EQ(pci_port_ops.read(&host, 7, 2), 0xffff);
	CHECK_EQ(pci_port_ops.read(&host, 1, 1), 0xff);
	pci_port_ops.write(&host, 0, 4, SLOT << 11); /* not enabled */
	CHECK_EQ(pci_port_ops.read(&host, 4, 4), 0xffffffff);
}

static void t_capabilities(void)
{
	unsigned seen_types = 0, n = 0;

	setup();
	CHECK(cfg(6, 2) & PCI_STS_CAPS);
	for (unsigned at = cfg(0x34, 1); at && n < 20; at = cfg(at + 1, 1), n++)
		if (cfg(at, 1) == PCI_CAP_VENDOR)
			seen_types |= 1u << cfg(at + 3, 1);
	CHECK_EQ(n, 6);
	CHECK_EQ(seen_types, 0x3e);
}

static void t_bars_size_and_move(void)
{
	setup();
	cfg_set(0x20, 4, 0xffffffff);
	CHECK_EQ(cfg(0x20, 4), ~(u32)(VIRTIO_PCI_REGS_SIZE - 1));
	cfg_set(0x20, 4, 0xc0100000);
	CHECK_EQ(seen.maps, 0); /* decoding is off */
	cfg_set(4, 2, PCI_CMD_MEM);
	CHECK_EQ(seen.maps, 1); /* the other BAR is at 0: outside every window */
	CHECK(seen.last == &pci.func);
	CHECK_EQ(pci.func.bar[4].addr, 0xc0100000);
	cfg_set(0x20, 4, 0xc0200000);
	CHECK_EQ(seen.maps, 2);
	CHECK_EQ(seen.unmaps, 1);
	cfg_set(0x20, 4, 0x1000); /* over RAM: not mapped */
	CHECK_EQ(seen.unmaps, 2);
	CHECK(!pci.func.bar[4].mapped);
	cfg_set(0x20, 4, 0xcffff000); /* low bits are masked: still inside */
	CHECK_EQ(pci.func.bar[4].addr, 0xcfffc000);
	cfg_set(4, 2, 0);
	CHECK(!pci.func.bar[4].mapped);
}

static void t_assign(void)
{
	setup();
	CHECK_EQ(pci_assign_bars(&host), 0);
	CHECK(pci.func.bar[1].mapped && pci.func.bar[4].mapped);
	CHECK(pci.func.bar[1].addr != pci.func.bar[4].addr);
	pci_ecam_ops.reset(&host);
	CHECK(!pci.func.bar[4].mapped);
	CHECK_EQ(cfg(0x3c, 1), 11);
}

/* The console's transmit queue, all by registers. */
static void driver_start(bool msix)
{
	pci_assign_bars(&host);
	cfg_set(4, 2, PCI_CMD_MEM | PCI_CMD_MASTER);
	if (msix)
		cfg_set(pci.func.msix.cap + 2, 2, PCI_MSIX_CTRL_ENABLE);
	common_set(COMMON(device_status), 1, 0);
	common_set(COMMON(device_status), 1, 3);
	common_set(COMMON(driver_feature_select), 4, 1);
	common_set(COMMON(driver_feature), 4, 1);
	common_set(COMMON(device_status), 1, 11);
	f.q[1] = (struct fake_queue){.desc = (void *)&f.ram[0x1000],
				     .avail = (void *)&f.ram[0x2000],
				     .used = (void *)&f.ram[0x3000],
				     .size = 16};
	common_set(COMMON(queue_select), 2, 1);
	common_set(COMMON(queue_size), 2, 16);
	common_set(COMMON(queue_desc), 4, 0x1000);
	common_set(COMMON(queue_desc) + 4, 4, 0);
	common_set(COMMON(queue_driver), 8, 0x2000);
	common_set(COMMON(queue_device), 4, 0x3000);
	common_set(COMMON(queue_msix_vector), 2, 2);
	common_set(COMMON(config_msix_vector), 2, 0);
	common_set(COMMON(queue_enable), 2, 1);
	common_set(COMMON(device_status), 1, 15);
}

static void transmit(void)
{
	u32 id, len;

	fake_add(&f, 1, (struct fake_seg[]){{FAKE_DATA, 4, false}}, 1);
	bar_set(VIRTIO_PCI_BAR_REGS, VIRTIO_PCI_NOTIFY_OFF + VIRTIO_PCI_NOTIFY_STEP, 2, 1);
	fake_used(&f, 1, &id, &len);
}

static void vector_write(unsigned v, u64 addr, u32 data, u32 ctrl)
{
	bar_set(VIRTIO_PCI_BAR_MSIX, v * 16, 8, addr);
	bar_set(VIRTIO_PCI_BAR_MSIX, v * 16 + 8, 4, data);
	bar_set(VIRTIO_PCI_BAR_MSIX, v * 16 + 12, 4, ctrl);
}

static void t_registers(void)
{
	setup();
	driver_start(true);
	CHECK_EQ(common_get(COMMON(device_status), 1), 15);
	CHECK_EQ(common_get(COMMON(num_queues), 2), 4);
	CHECK_EQ(common_get(COMMON(queue_size), 2), 16);
	CHECK_EQ(common_get(COMMON(queue_enable), 2), 1);
	CHECK_EQ(common_get(COMMON(queue_notify_off), 2), 1);
	CHECK_EQ(common_get(COMMON(queue_driver), 8), 0x2000);
	CHECK_EQ(common_get(COMMON(queue_msix_vector), 2), 2);
	common_set(COMMON(queue_msix_vector), 2, 5); /* there are 5 vectors: 0..4 */
	CHECK_EQ(common_get(COMMON(queue_msix_vector), 2), 0xffff);
	common_set(COMMON(queue_select), 2, 99);
	CHECK_EQ(common_get(COMMON(queue_size), 2), 0);
	common_set(COMMON(queue_enable), 2, 1);
	CHECK_EQ(bar_get(VIRTIO_PCI_BAR_REGS, VIRTIO_PCI_DEVICE_OFF + 4, 4), 1); /* nr_ports */
	common_set(COMMON(device_status), 1, 0);
	CHECK_EQ(common_get(COMMON(device_status), 1), 0);
	CHECK_EQ(common_get(COMMON(config_msix_vector), 2), 0xffff);
}

static void t_msix(void)
{
	setup();
	driver_start(true);
	transmit();
	CHECK_EQ(seen.msis, 0); /* vectors start masked */
	CHECK_EQ(bar_get(VIRTIO_PCI_BAR_MSIX, PCI_MSIX_PBA_OFF, 8), 1 << 2);
	vector_write(2, 0xfee01000, 0x4042, 0);
	CHECK_EQ(seen.msis, 1); /* the pending one */
	CHECK_EQ(seen.addr, 0xfee01000);
	CHECK_EQ(seen.data, 0x4042);
	CHECK_EQ(bar_get(VIRTIO_PCI_BAR_MSIX, PCI_MSIX_PBA_OFF, 8), 0);
	transmit();
	CHECK_EQ(seen.msis, 2);
	cfg_set(pci.func.msix.cap + 2, 2, PCI_MSIX_CTRL_ENABLE | PCI_MSIX_CTRL_MASK);
	transmit();
	CHECK_EQ(seen.msis, 2);
	cfg_set(pci.func.msix.cap + 2, 2, PCI_MSIX_CTRL_ENABLE);
	CHECK_EQ(seen.msis, 3);
	CHECK_EQ(seen.intx_level, 0);
}

static void t_intx(void)
{
	setup();
	driver_start(false);
	transmit();
	CHECK_EQ(seen.intx_level, 1);
	CHECK(cfg(6, 2) & PCI_STS_INTX);
	cfg_set(4, 2, PCI_CMD_MEM | PCI_CMD_MASTER | PCI_CMD_INTX_OFF);
	CHECK_EQ(seen.intx_level, 0);
	cfg_set(4, 2, PCI_CMD_MEM | PCI_CMD_MASTER);
	CHECK_EQ(seen.intx_level, 1);
	CHECK_EQ(bar_get(VIRTIO_PCI_BAR_REGS, VIRTIO_PCI_ISR_OFF, 1), VIRTIO_PCI_ISR_QUEUE);
	CHECK_EQ(seen.intx_level, 0);
	CHECK_EQ(bar_get(VIRTIO_PCI_BAR_REGS, VIRTIO_PCI_ISR_OFF, 1), 0);
}

static void t_needs_reset_by_config_interrupt(void)
{
	setup();
	driver_start(true);
	vector_write(0, 0xfee00000, 0x31, 0);
	f.q[1].avail->idx = 17;
	bar_set(VIRTIO_PCI_BAR_REGS, VIRTIO_PCI_NOTIFY_OFF + 4, 4, 0);
	CHECK_EQ(common_get(COMMON(device_status), 1), 15 | VIRTIO_STATUS_NEEDS_RESET);
	CHECK_EQ(seen.data, 0x31);
}

/* Firmware's way in: section 4.1.4.9. */
static void t_config_access_capability(void)
{
	unsigned cap;

	setup();
	cap = pci.cfg_cap;
	cfg_set(cap + 4, 1, VIRTIO_PCI_BAR_REGS);
	cfg_set(cap + 8, 4, COMMON(num_queues));
	cfg_set(cap + 12, 4, 2);
	CHECK_EQ(cfg(cap + 16, 2), 4);
	cfg_set(cap + 8, 4, COMMON(device_status));
	cfg_set(cap + 12, 4, 1);
	cfg_set(cap + 16, 1, 3);
	CHECK_EQ(common_get(COMMON(device_status), 1), 3);
	cfg_set(cap + 8, 4, 0xffffffff); /* outside: nothing happens */
	cfg_set(cap + 16, 1, 0);
	CHECK_EQ(common_get(COMMON(device_status), 1), 3);
	cfg_set(cap + 12, 4, 3);
	cfg_set(cap + 8, 4, 0);
	(void)cfg(cap + 16, 4);
}

static void t_bus_master_gates_queues(void)
{
	u32 id, len;

	setup();
	driver_start(true);
	cfg_set(4, 2, PCI_CMD_MEM);
	fake_add(&f, 1, (struct fake_seg[]){{FAKE_DATA, 4, false}}, 1);
	bar_set(VIRTIO_PCI_BAR_REGS, VIRTIO_PCI_NOTIFY_OFF + 4, 4, 0);
	CHECK(!fake_used(&f, 1, &id, &len));
	cfg_set(4, 2, PCI_CMD_MEM | PCI_CMD_MASTER);
	CHECK(fake_used(&f, 1, &id, &len));
}

int main(void)
{
	RUN(t_identity);
	RUN(t_ports);
	RUN(t_capabilities);
	RUN(t_bars_size_and_move);
	RUN(t_assign);
	RUN(t_registers);
	RUN(t_msix);
	RUN(t_intx);
	RUN(t_needs_reset_by_config_interrupt);
	RUN(t_config_access_capability);
	RUN(t_bus_master_gates_queues);
	return test_done();
}
