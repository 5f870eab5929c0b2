/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * PCI: one root bus with a host bridge at 00:00.0 and single-function devices
 * in fixed slots; type 0 configuration space, BARs, INTx and MSI-X.
 *
 * A device model (virtio-pci and so on) fills in a struct pci_func: identity,
 * capabilities, BARs with the device_ops that answer in them. The board
 * attaches it to a slot and wires its INTx pin. Configuration accesses arrive
 * through two register windows, pci_ecam_ops and pci_port_ops.
 *
 * Whenever an enabled BAR appears, moves or goes away the board's bar_map is
 * called; it then (un)registers f->bar[n].ops/opaque on its memory or I/O bus.
 * A BAR is mapped only if it lies inside one of the board's windows, so that a
 * guest cannot lay a device over RAM or an interrupt controller.
 *
 * The host bridge calls itself Intel's Q35 MCH (8086:29c0), which stock kernels
 * and SeaBIOS know; PCIEXBAR tells the ECAM base, PAM registers hold what is
 * written but route nothing (the board keeps 0xc0000-0xfffff as RAM). SeaBIOS
 * insists on ECAM at 0xb0000000.
 *
 * Everything runs under the machine lock. Freestanding; knows no virtio.
 */
#ifndef HULL_DEV_PCI_PCI_H
#define HULL_DEV_PCI_PCI_H

#include "abi/pci.h"
#include "dev/device.h"
#include "io/irq.h"

#define PCI_SLOTS 32
#define PCI_BARS 6
#define PCI_MSIX_MAX 64	       /* vectors of one function */
#define PCI_MSIX_BAR_SIZE 4096 /* table at 0, pending bits at PCI_MSIX_PBA_OFF */
#define PCI_MSIX_PBA_OFF 0x800
#define PCI_ECAM_SIZE 0x100000 /* one bus */

enum pci_bar_kind {
	PCI_BAR_NONE,
	PCI_BAR_IO,
	PCI_BAR_MEM32,
	PCI_BAR_MEM64, /* takes the next BAR register too */
};

struct pci_bar {
	enum pci_bar_kind kind;
	u64 size; /* bytes, power of two; memory >= 16, I/O 4..256 */
	const struct device_ops *ops;
	void *opaque;
	/* Where the guest put it; valid while mapped. */
	u64 addr;
	bool mapped;
};

struct pci_func;

/* Hooks of a device model; every member may be NULL. */
struct pci_func_ops {
	void (*reset)(void *opaque);
	/* Before [off, off+len) of configuration space is read. */
	void (*config_reading)(void *opaque, unsigned off, unsigned len);
	/* After [off, off+len) was written. */
	void (*config_written)(void *opaque, unsigned off, unsigned len);
};

struct pci_msix {
	unsigned n;   /* vectors, 0 = none */
	unsigned cap; /* offset of the capability */
	u8 table[PCI_MSIX_MAX * PCI_MSIX_ENTRY_SIZE];
	u64 pending;
};

struct pci_host;

struct pci_func {
	const char *name;
	const struct pci_func_ops *ops;
	void *opaque;
	u8 config[PCI_CFG_SIZE];
	u8 writable[PCI_CFG_SIZE];  /* mask of guest-writable bits */
	u8 power_on[PCI_CFG_SIZE];  /* what reset restores */
	unsigned cap_end, cap_last; /* capability list under construction */
	struct pci_bar bar[PCI_BARS];
	struct pci_msix msix;
	bool intx_level;
	/* Set by pci_attach. */
	struct pci_host *host;
	unsigned slot;
	struct irq_line intx;
};

struct pci_ids {
	u16 vendor, device, subvendor, subdevice;
	u32 class_code; /* class << 16 | subclass << 8 | interface */
	u8 revision;
};

struct pci_range {
	u64 base, size; /* size 0: none */
};

struct pci_host_config {
	struct pci_range io, mem32, mem64, ecam;
	/* f->bar[bar] (addr, size, ops, opaque) appears (map) or goes away. */
	void (*bar_map)(void *opaque, struct pci_func *f, unsigned bar, bool map);
	void *opaque;
	struct msi_sink msi;
	/* Port 0xcf9 lies inside pci_port_ops' window: 1-byte accesses go here (offset 0). */
	struct device cf9;
};

struct pci_host {
	struct pci_host_config cfg;
	struct pci_func *func[PCI_SLOTS];
	u32 port_addr;
	struct pci_func bridge;
};

void pci_host_init(struct pci_host *h, const struct pci_host_config *cfg);

/* Configuration windows; opaque is the struct pci_host. Reset of ECAM resets every function. */
extern const struct device_ops pci_ecam_ops; /* PCI_ECAM_SIZE bytes at cfg.ecam.base */
extern const struct device_ops pci_port_ops; /* 8 ports from PCI_PORT_ADDR */

/*
 * Put a finished function in slot 1..31 (once, before the machine runs). intx
 * is where its INTA pin ends after the board's swizzle; gsi is what the
 * interrupt line register says to firmware-less guests. 0, -E_INVAL, -E_BUSY.
 */
int pci_attach(struct pci_host *h, unsigned slot, struct pci_func *f, const struct irq_line *intx,
	       u8 gsi);

/*
 * What firmware does, for kernels booted without one: gives every BAR an
 * address inside the windows and enables decoding. 0 or -E_NOSPC.
 */
int pci_assign_bars(struct pci_host *h);

/* --- for device models --- */

void pci_func_init(struct pci_func *f, const char *name, const struct pci_ids *ids,
		   const struct pci_func_ops *ops, void *opaque);

/* -E_INVAL on a bad size or an occupied register. */
int pci_bar_add(struct pci_func *f, unsigned bar, enum pci_bar_kind kind, u64 size,
		const struct device_ops *ops, void *opaque);

/*
 * Append a capability of len bytes (id and next pointer included, zero filled,
 * read-only until the model sets f->writable). Its offset or -E_NOSPC.
 */
int pci_cap_add(struct pci_func *f, u8 id, unsigned len);

/* MSI-X with n vectors (1..PCI_MSIX_MAX), table and pending bits in memory BAR `bar`. */
int pci_msix_add(struct pci_func *f, unsigned bar, unsigned n);

bool pci_msix_enabled(const struct pci_func *f);

/* Raise vector v; out of range or not enabled: nothing. Masked: becomes pending. */
void pci_msix_notify(struct pci_func *f, unsigned v);

/* The function's INTA pin. */
void pci_intx_set(struct pci_func *f, bool level);

static inline bool pci_bus_master(const struct pci_func *f)
{
	return f->config[PCI_CFG_COMMAND] & PCI_CMD_MASTER;
}

/* Accesses of 1, 2 or 4 bytes; what is beyond 256 bytes reads 0. For transports and tests. */
u32 pci_config_read(struct pci_func *f, unsigned off, unsigned size);
void pci_config_write(struct pci_func *f, unsigned off, unsigned size, u32 val);

void pci_func_reset(struct pci_func *f);

#endif
