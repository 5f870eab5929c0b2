/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's insides, shared by pc*.c only: where things are in the guest's
 * address spaces, and the parts.
 */
#ifndef HULL_MACHINE_PC_INTERNAL_H
#define HULL_MACHINE_PC_INTERNAL_H

#include "dev/irq/gsi.h"
#include "dev/irq/lapic.h"
#include "dev/misc/misc.h"
#include "dev/pci/pci.h"
#include "dev/timer/acpi_pm.h"
#include "dev/timer/pit.h"
#include "dev/timer/rtc.h"
#include "dev/char/uart.h"
#include "host/mem.h"
#include "machine/acpi.h"
#include "machine/bus.h"
#include "machine/board.h"
#include "machine/smbios.h"
#include "machine/virtio_set.h"

#define PC_MEMORY_MIN MIB(4)
#define PC_MEMORY_MAX GIB(64)

/*
 * Memory map. RAM ends below the ECAM window, the rest continues at 4 GiB.
 * 0xb0000000 is where SeaBIOS puts ECAM on a Q35.
 */
#define PC_VGA_HOLE 0xa0000u  /* no video memory: nobody answers up to ... */
#define PC_UPPER_RAM 0xc0000u /* ... here; ROM area of real PCs, RAM here */
#define PC_EBDA 0x9fc00u      /* extended BIOS data area, 1 KiB */
#define PC_TABLES 0xe0000u    /* ACPI tables of guests started without firmware */
#define PC_SMBIOS 0xf0000u
#define PC_BIOS_STUB 0xf8000u /* what interrupt vectors point at without firmware */
#define PC_LOW_RAM_END 0xb0000000ull
#define PC_ECAM 0xb0000000ull
#define PC_PCI_MEM32 0xc0000000ull
#define PC_PCI_MEM32_END 0xfec00000ull
#define PC_PCI_MEM64_MIN GIB(64)
#define PC_PCI_MEM64_SIZE GIB(16)
#define PC_VIRTIO_MMIO 0xfed80000u /* one page each */
#define PC_BIOS_MAX MIB(16)	   /* below 4 GiB, above the local APICs */

/* Ports and lines that are ours to choose. */
enum {
	PC_PCI_IO = 0xc000,
	PC_PCI_IO_SIZE = 0x4000,
	PC_PCI_GSI = 16,
	PC_PCI_GSIS = 8,
	PC_COM1 = 0x3f8,
	PC_RTC_IRQ = 8,
	PC_MMIO_IRQ = 10, /* and the next: virtio-mmio */
	PC_SCI = 9,
	PC_E820_MAX = 8,
};

struct pc_cpu {
	struct pc *pc;
	unsigned index;
	struct engine_vcpu *v;
	struct lapic lapic;
};

/* Event descriptors, pc_events.c. A driver's notification of one queue ... */
#define PC_KICKS 8u /* queues of a device that get one */
struct pc_kick {
	struct virtio_dev *dev; /* NULL: unused */
	unsigned queue;
	int fd;
	bool wired;
	struct loop_fd watch;
};

/* ... and a message that the engine delivers. */
#define PC_MESSAGES 32u
struct pc_message {
	u64 addr;
	u32 data;
	unsigned count; /* times sent while not wired; 0 = free */
	int fd;
	bool wired;
};

struct pc {
	struct board board;
	struct board_config cfg;
	bool irqchip; /* interrupt controllers live in the engine */

	struct gpa_map map;
	struct mem *ram, *rom;
	u64 ram_high; /* bytes above 4 GiB */
	struct e820_entry e820[PC_E820_MAX];
	unsigned ne820;
	struct acpi_tables *acpi;
	struct smbios_tables *smbios;

	struct engine_vm *vm;
	struct pc_cpu *cpu; /* cfg.ncpus of them */
	struct engine_vcpu *vcpus[BOARD_MAX_CPUS];

	struct bus mmio, pio;

	/* Interrupt controllers, unless the engine has them. */
	struct apic_bus apic_bus;
	struct ioapic ioapic;
	struct pic pic;
	struct gsi_wiring gsi;
	u32 pci_intx; /* level of each slot's INTA */

	/* Timers. The PIT only without an irqchip in the engine. */
	struct pit pit;
	struct rtc rtc;
	struct uart com1;
	struct acpi_pm pm;

	struct test_exit test_exit;
	struct pvpanic pvpanic;
	struct reset_cf9 cf9;

	struct pci_host pci;
	struct virtio_set virtio;
	bool events; /* the engine signals kicks and is signalled messages */
	struct pc_kick kick[PCI_SLOTS][PC_KICKS];
	struct pc_message message[PC_MESSAGES];

	struct pc_extra *extra;	      /* pc_extra.c */
	struct pc_firmware *firmware; /* NULL: started without */
};

/* Where a device answers. */
struct pc_part {
	struct bus *bus;
	u64 base, size;
	const struct device_ops *ops;
	void *opaque;
};

/* pc.c */
int pc_parts_add(const struct pc_part *part, unsigned n, struct err *e);
void pc_reset_wanted(void *opaque); /* a device's reset wire; opaque is the board */

/* pc_memory.c: RAM, ROM and the memory map the guest is told. */
int pc_memory_init(struct pc *pc, struct err *e);
void pc_memory_fini(struct pc *pc);

/* pc_cpu.c: the vCPUs, and what they ask of the board. */
int pc_cpus_init(struct pc *pc, struct err *e);
void pc_cpus_fini(struct pc *pc);
void pc_cpus_reset(struct pc *pc);

/* pc_irq.c: wires. n is an ISA interrupt or a GSI. */
void pc_irq_init(struct pc *pc);
struct irq_line pc_irq_line(struct pc *pc, unsigned n);
struct irq_line pc_intx_line(struct pc *pc, unsigned slot);
struct msi_sink pc_msi_sink(struct pc *pc);

/* pc_virtio.c: PCI and what is on it. */
void pc_pci_init(struct pc *pc);
int pc_virtio_init(struct pc *pc, struct err *e);

/* pc_events.c: event descriptors between engine and devices. */
void pc_events_none(struct pc *pc);
int pc_events_init(struct pc *pc, struct err *e); /* once all devices are attached */
void pc_events_reset(struct pc *pc);
void pc_events_fini(struct pc *pc);
void pc_events_map(struct pc *pc, unsigned slot, u64 addr, bool map);
/* True if the message went that way. */
bool pc_events_message(struct pc *pc, u64 addr, u32 data);

/*
 * pc_extra.c: what a PC has beyond the devices every kernel needs: HPET, keyboard
 * controller, debug console, ports 0x80 and 0x92, virtio-mmio, firmware. hull-metal
 * links metal/board.c in its place, which has none of them.
 */
int pc_extra_alloc(struct pc *pc, struct err *e);		/* before the timers */
struct irq_line pc_extra_timer_line(struct pc *pc, unsigned n); /* of the PIT (0), the RTC (8) */
int pc_extra_init(struct pc *pc, struct err *e);
void pc_extra_stop(struct pc *pc); /* its timers */
void pc_extra_free(struct pc *pc);
/* Adds itself to what ACPI tells; once the devices are attached. */
void pc_extra_describe(const struct pc *pc, struct acpi_config *a);
int pc_extra_attach_mmio(void *opaque, struct virtio_dev *dev, struct err *e);
int pc_extra_tables(struct pc *pc, struct err *e); /* once acpi and smbios are built */
/* At every reset: false if a kernel is to be started and not firmware. */
bool pc_extra_start(struct pc *pc);

/* pc_bios.c: memory and devices as a BIOS leaves them, for kernels started without one. */
void pc_bios_leave(struct pc *pc);

/* pc_boot.c: firmware tables and what is started. */
int pc_boot_init(struct pc *pc, struct err *e);
int pc_boot_start(struct pc *pc, struct err *e);

#endif
