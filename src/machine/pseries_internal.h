/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board `pseries`, a partition as PAPR describes it (Power Architecture
 * Platform Reference, LoPAR 2.9): its insides, shared by pseries*.c only.
 *
 *	pseries.c	 the parts, and struct board_ops
 *	pseries_cpu.c	 vCPUs: MMIO, hypercalls that are not the engine's
 *	pseries_rtas.c	 run-time abstraction services
 *	pseries_pci.c	 host bridge, virtio devices, messages
 *	pseries_fdt.c	 device tree
 *	pseries_boot.c	 kernel, initrd, RTAS and tree in memory
 *	pseries_elf.c	 POWER ELF files
 *	pseries_nvram.c	 non-volatile memory
 *
 * There is no Open Firmware: the kernel gets a flattened tree and finds RTAS in
 * place, as after kexec.
 */
#ifndef HULL_MACHINE_PSERIES_INTERNAL_H
#define HULL_MACHINE_PSERIES_INTERNAL_H

#include "dev/char/vty.h"
#include "dev/irq/xics.h"
#include "dev/misc/misc.h"
#include "machine/board.h"
#include "machine/bus.h"
#include "machine/fdt.h"
#include "machine/virtio_set.h"

#define PSERIES_MEMORY_MIN MIB(128)
#define PSERIES_MEMORY_MAX GIB(64)
#define PSERIES_LOAD_ADDR 0x400000u /* of position-independent images linked to 0 */
#define PSERIES_TB_HZ 512000000u

/* Guest-physical addresses above all RAM; PCI sees memory at the same place less the base. */
#define PSERIES_PCI_IO 0x200000000000ull
#define PSERIES_PCI_IO_SIZE 0x10000u
#define PSERIES_PCI_MEM 0x200080000000ull
#define PSERIES_PCI_MEM32 0x80000000u /* its PCI address */
#define PSERIES_PCI_MEM32_SIZE 0x7f000000u
#define PSERIES_PCI_MEM64 0x210000000000ull
#define PSERIES_PCI_MEM64_SIZE 0x10000000000ull
#define PSERIES_TEST_EXIT 0x1fff00000000ull /* a program's exit status, for tests */
#define PSERIES_BUID 0x800000020000000ull   /* bus unit ID of the host bridge */

/* Interrupt numbers. */
enum {
	PSERIES_IRQ_EPOW = XICS_BASE,
	PSERIES_IRQ_VTY = XICS_BASE + 1,
	PSERIES_IRQ_INTX = XICS_BASE + 0x20, /* and the slot */
	PSERIES_IRQ_MSI = XICS_BASE + 0x100, /* and slot * PSERIES_MSIS + vector */
	PSERIES_MSIS = 16,
};
static_assert(PSERIES_IRQ_MSI + PCI_SLOTS * PSERIES_MSIS <= XICS_BASE + XICS_SOURCES, "room");

#define PSERIES_VTY_UNIT 0x71000000u
#define PSERIES_NVRAM_UNIT 0x71000001u
#define PSERIES_NVRAM_SIZE 0x10000u
/* The DMA window of the host bridge. Its devices are virtio and name guest-physical addresses
 * (no VIRTIO_F_ACCESS_PLATFORM): the window's table is never looked at. */
#define PSERIES_LIOBN 0x80000000u
#define PSERIES_DMA_WINDOW 0x40000000u
#define PSERIES_XICS_PHANDLE 0x1111u
#define PSERIES_MSI_ADDR 0x2000000000ull /* where messages are sent: nobody looks at it */

/* Hypercalls beyond the engine's, PAPR table "Hypervisor Call Function Names". */
enum {
	H_GET_TCE = 0x1c,
	H_PUT_TCE = 0x20,
	H_PAGE_INIT = 0x2c,
	H_LOGICAL_CI_LOAD = 0x3c,
	H_LOGICAL_CI_STORE = 0x40,
	H_GET_TERM_CHAR = 0x54,
	H_PUT_TERM_CHAR = 0x58,
	H_EOI = 0x64,
	H_CPPR = 0x68,
	H_IPI = 0x6c,
	H_IPOLL = 0x70,
	H_XIRR = 0x74,
	H_VIO_SIGNAL = 0x104,
	H_STUFF_TCE = 0x138,
	H_PUT_TCE_INDIRECT = 0x13c,
	H_GET_CPU_CHARACTERISTICS = 0x1c8,
	H_RANDOM = 0x300,
	H_RTAS = 0xf000, /* ours: what the RTAS entry point does */
};

enum { H_SUCCESS = 0, H_HARDWARE = -1, H_FUNCTION = -2, H_PARAMETER = -4 };

struct pseries;

struct pseries_cpu {
	struct pseries *ps;
	unsigned index;
	struct engine_vcpu *v;
	struct io_timer timer; /* the decrementer's */
};

struct pseries {
	struct board board;
	struct board_config cfg;
	struct gpa_map map;
	struct mem *ram;
	struct engine_vm *vm;
	struct pseries_cpu *cpu; /* cfg.ncpus of them */
	struct engine_vcpu *vcpus[BOARD_MAX_CPUS];

	struct bus mmio;
	struct xics xics;
	struct vty vty;
	struct test_exit test_exit;
	struct pci_host pci;
	struct virtio_set virtio;

	u8 nvram[PSERIES_NVRAM_SIZE];
	bool power_pressed; /* an EPOW event waits for check-exception */
	s64 rtc_offset;	    /* seconds ahead of the host's UTC; set-time-of-day changes it */
	/* Where pseries_boot.c put things. */
	u64 rtas, rtas_size, initrd, initrd_size, fdt;
};

/* log2 of the hash page table's bytes for a memory size: an entry group for each two 4 KiB pages */
unsigned pseries_hpt_shift(u64 memory);

/* pseries_cpu.c */
int pseries_cpus_init(struct pseries *ps, struct err *e);
void pseries_cpus_fini(struct pseries *ps);
void pseries_cpus_reset(struct pseries *ps);

/* pseries_rtas.c. The call whose arguments are at gpa; from vCPU `cpu`, lock held. H_* */
s64 pseries_rtas_call(struct pseries *ps, unsigned cpu, u64 gpa);
/* Adds the tokens to the open node /rtas. */
void pseries_rtas_tokens(struct fdt *f);
/* log2 is not needed: bytes of the entry point, and the code. */
#define PSERIES_RTAS_SIZE 0x10000u
#define PSERIES_RTAS_CODE 5u
void pseries_rtas_code(u32 code[PSERIES_RTAS_CODE]);

/* pseries_pci.c */
int pseries_pci_init(struct pseries *ps, struct err *e);
/* The function a configuration address and bus unit name, or NULL; *reg: the register. */
struct pci_func *pseries_pci_func(struct pseries *ps, u32 addr, u32 buid_hi, u32 buid_lo,
				  unsigned *reg);
/* Give a function n messages (0: none): how many it got. Their first source. */
unsigned pseries_msi_set(struct pseries *ps, struct pci_func *f, unsigned n);
u32 pseries_msi_irq(const struct pci_func *f, unsigned n);

/* pseries_nvram.c. Moves len bytes at `at` to or from guest memory: how many, or -1. */
void pseries_nvram_init(struct pseries *ps);
s64 pseries_nvram_access(struct pseries *ps, u32 at, u64 gpa, u32 len, bool store);

/* pseries_fdt.c. The tree into buf; its size, or 0. */
u32 pseries_fdt_build(struct pseries *ps, void *buf, u32 cap);

/* pseries_elf.c */
struct pseries_image {
	u64 entry, end; /* guest-physical; end: first byte behind it */
};
int pseries_elf_load(const struct boot_blob *kernel, struct gpa_map *map, u64 limit,
		     struct pseries_image *out, struct err *e);

/* pseries_boot.c. Loads everything and starts vCPU 0. */
int pseries_boot_start(struct pseries *ps, struct err *e);

#endif
