/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a BIOS leaves behind, for kernels started without one that know how they
 * find a PC: data area, interrupt vectors, the 8259s programmed, the timer ticking.
 * Called by pc_boot.c at each start.
 */
#include "machine/pc_internal.h"

#include "base/bits.h"
#include "base/endian.h"

enum {
	BIOS_IRQ0 = 0x08, /* vectors of the master's and the slave's inputs */
	BIOS_IRQ8 = 0x70,
	BDA_TICKS = 0x46c,  /* count of timer ticks */
	TICK_OFFSET = 0x10, /* the timer's handler behind the stub */
};

/*
 * The few BIOS data area fields that kernels look at without asking firmware
 * (Xen's head.S: how much low memory there is).
 */
static void put_bios_data(struct pc *pc)
{
	enum { BDA_COM1 = 0x400, BDA_EBDA_SEGMENT = 0x40e, BDA_BASE_KIB = 0x413 };
	u8 word[2];

	store_le16(word, UART_COM1_PORT);
	gpa_write(&pc->map, BDA_COM1, word, 2);
	store_le16(word, PC_EBDA >> 4);
	gpa_write(&pc->map, BDA_EBDA_SEGMENT, word, 2);
	store_le16(word, PC_EBDA >> 10);
	gpa_write(&pc->map, BDA_BASE_KIB, word, 2);
	gpa_write(&pc->map, PC_EBDA, (const u8[]){1}, 1); /* its size in KiB */
}

/*
 * Real-mode interrupt vectors for kernels that call a BIOS without knowing that
 * there is none (Xen's trampoline): every call comes back with carry set, which
 * means "not supported" (carry is bit 0 of the flags on the stack).
 */
static void put_bios_vectors(struct pc *pc)
{
	static const u8 stub[] = {
		0x55,			/* push bp */
		0x89, 0xe5,		/* mov bp, sp */
		0x83, 0x4e, 0x06, 0x01, /* or word [bp + 6], 1 */
		0x5d,			/* pop bp */
		0xcf,			/* iret */
	};
	static const u8 tick[] = {
		0x50,					      /* push ax */
		0x1e,					      /* push ds */
		0x31, 0xc0,				      /* xor ax, ax */
		0x8e, 0xd8,				      /* mov ds, ax */
		0xff, 0x06, BDA_TICKS & 0xff, BDA_TICKS >> 8, /* inc word [BDA_TICKS] */
		0xb0, 0x20,				      /* mov al, 0x20: end of interrupt */
		0xe6, 0x20,				      /* out 0x20, al */
		0x1f,					      /* pop ds */
		0x58,					      /* pop ax */
		0xcf,					      /* iret */
	};
	u8 ivt[256 * 4];

	for (unsigned i = 0; i < 256; i++)
		store_le32(ivt + i * 4, PC_BIOS_STUB >> 4 << 16);
	store_le16(ivt + BIOS_IRQ0 * 4, TICK_OFFSET);
	gpa_write(&pc->map, 0, ivt, sizeof(ivt));
	gpa_write(&pc->map, PC_BIOS_STUB, stub, sizeof(stub));
	gpa_write(&pc->map, PC_BIOS_STUB + TICK_OFFSET, tick, sizeof(tick));
}

/* Ports and values as the datasheets of dev/irq/pic.h and dev/timer/pit.h have them. */
static void start_tick(struct pc *pc)
{
	enum { ICW1 = 0x11, ICW4 = 1, SLAVE_ON_2 = 4, SLAVE_ID = 2 };
	/* Of the master the timer and the slave's input are open, of the slave nothing. */
	const u8 word[2][4] = {{ICW1, BIOS_IRQ0, SLAVE_ON_2, ICW4},
			       {ICW1, BIOS_IRQ8, SLAVE_ID, ICW4}};
	const u8 mask[2] = {(u8) ~(BIT(0) | BIT(PIC_CASCADE)), 0xff};
	const u16 port[2] = {PIC_MASTER_PORT, PIC_SLAVE_PORT};

	for (unsigned i = 0; i < 2; i++) {
		for (unsigned k = 0; k < 4; k++)
			bus_write(&pc->pio, port[i] + (k > 0), 1, word[i][k]);
		bus_write(&pc->pio, port[i] + 1u, 1, mask[i]);
	}
	bus_write(&pc->pio, PIT_PORT + 3, 1, 0x34); /* counter 0, both bytes, rate generator */
	bus_write(&pc->pio, PIT_PORT, 1, 0);
	bus_write(&pc->pio, PIT_PORT, 1, 0);
}

void pc_bios_leave(struct pc *pc)
{
	put_bios_vectors(pc);
	put_bios_data(pc);
	if (!pc->irqchip)
		start_tick(pc);
}
