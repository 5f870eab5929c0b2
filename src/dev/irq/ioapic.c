/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/irq/ioapic.h"

#include "base/bits.h"

/* Memory-mapped registers, 82093AA 3.1 and ICH9 13.5.1; indirect ones, 82093AA 3.2. */
enum {
	IOREGSEL = 0x00,
	IOWIN = 0x10,
	IOEOI = 0x40,
	IOAPICID = 0x00,
	IOAPICVER = 0x01,
	IOAPICARB = 0x02,
	IOREDTBL = 0x10,
};

#define IOAPIC_VERSION ((IOAPIC_PINS - 1) << 16 | 0x20)
#define IOAPIC_ID_MASK 0x0f000000u
#define IOAPIC_RTE_READONLY ((u64)(IOAPIC_RTE_PENDING | IOAPIC_RTE_REMOTE_IRR))
#define IOAPIC_RTE_WRITABLE (0x1ffffULL & ~IOAPIC_RTE_READONLY)

/* Send the message of pin n. A level pin waits for its EOI after that. */
static void ioapic_send(struct ioapic *io, unsigned n)
{
	u64 rte = io->rte[n];
	struct apic_msg msg = {
		.dest = rte >> IOAPIC_RTE_DEST_SHIFT,
		.logical = rte & IOAPIC_RTE_LOGICAL,
		.level = rte & IOAPIC_RTE_LEVEL,
		.mode = bits_get(rte, IOAPIC_RTE_MODE_SHIFT, 3),
		.vector = (u8)rte,
	};

	if (apic_bus_send(io->bus, &msg) && msg.level)
		io->rte[n] |= IOAPIC_RTE_REMOTE_IRR;
}

/* Send a level pin that is active, unmasked and not waiting for its EOI. */
static void ioapic_service_level(struct ioapic *io, unsigned n)
{
	u64 rte = io->rte[n];

	if (io->lines >> n & 1 && rte & IOAPIC_RTE_LEVEL &&
	    !(rte & (IOAPIC_RTE_MASKED | IOAPIC_RTE_REMOTE_IRR)))
		ioapic_send(io, n);
}

void ioapic_set_irq(void *ioapic, unsigned n, bool level)
{
	struct ioapic *io = ioapic;
	u32 bit = 1u << n, was = io->lines;

	if (n >= IOAPIC_PINS)
		return;
	io->lines = level ? was | bit : was & ~bit;
	if (io->rte[n] & IOAPIC_RTE_LEVEL)
		ioapic_service_level(io, n);
	else if (level && !(was & bit) && !(io->rte[n] & IOAPIC_RTE_MASKED))
		ioapic_send(io, n); /* an edge on a masked pin is lost, 82093AA 3.2.4 */
}

static void ioapic_eoi(void *opaque, u8 vector)
{
	struct ioapic *io = opaque;

	for (unsigned n = 0; n < IOAPIC_PINS; n++) {
		if (!(io->rte[n] & IOAPIC_RTE_REMOTE_IRR) || (u8)io->rte[n] != vector)
			continue;
		io->rte[n] &= ~(u64)IOAPIC_RTE_REMOTE_IRR;
		ioapic_service_level(io, n);
	}
}

static u32 ioapic_indirect_read(const struct ioapic *io)
{
	unsigned n = (io->select - IOREDTBL) / 2;

	if (io->select == IOAPICID || io->select == IOAPICARB)
		return io->id;
	if (io->select == IOAPICVER)
		return IOAPIC_VERSION;
	if (io->select < IOREDTBL || n >= IOAPIC_PINS)
		return ~0u;
	return (u32)(io->rte[n] >> (io->select & 1 ? 32 : 0));
}

static void ioapic_indirect_write(struct ioapic *io, u32 val)
{
	unsigned n = (io->select - IOREDTBL) / 2;
	u64 *rte;

	if (io->select == IOAPICID)
		io->id = val & IOAPIC_ID_MASK;
	if (io->select < IOREDTBL || n >= IOAPIC_PINS)
		return;
	rte = &io->rte[n];
	if (io->select & 1) {
		*rte = (u32)*rte | (u64)(val & 0xff000000u) << 32;
	} else {
		*rte = (*rte & ~IOAPIC_RTE_WRITABLE) | (val & IOAPIC_RTE_WRITABLE);
		/* Guests clear a stuck remote IRR by making the pin edge triggered. */
		if (!(*rte & IOAPIC_RTE_LEVEL))
			*rte &= ~(u64)IOAPIC_RTE_REMOTE_IRR;
	}
	ioapic_service_level(io, n);
}

static u64 ioapic_read(void *dev, u64 offset, unsigned size)
{
	struct ioapic *io = dev;

	switch (offset) {
	case IOREGSEL:
		return io->select;
	case IOWIN:
		return ioapic_indirect_read(io);
	default:
		return 0;
	}
}

static void ioapic_write(void *dev, u64 offset, unsigned size, u64 val)
{
	struct ioapic *io = dev;

	switch (offset) {
	case IOREGSEL:
		io->select = (u8)val;
		break;
	case IOWIN:
		ioapic_indirect_write(io, (u32)val);
		break;
	case IOEOI:
		ioapic_eoi(io, (u8)val);
		break;
	}
}

static void ioapic_reset(void *dev)
{
	struct ioapic *io = dev;

	io->id = 0;
	io->select = 0;
	for (unsigned n = 0; n < IOAPIC_PINS; n++)
		io->rte[n] = IOAPIC_RTE_MASKED;
}

void ioapic_init(struct ioapic *io, struct apic_bus *bus)
{
	*io = (struct ioapic){.bus = bus};
	ioapic_reset(io);
	apic_bus_add_eoi(bus, ioapic_eoi, io);
}

const struct device_ops ioapic_ops = {
	.name = "ioapic",
	.reset = ioapic_reset,
	.read = ioapic_read,
	.write = ioapic_write,
};
