/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device tree of a pseries (LoPAR 2.9 appendix B, "LoPAR Binding"). It takes
 * the place of what a client negotiates with Open Firmware: the MMU is chosen by
 * ibm,architecture-vec-5 and ibm,pa-features.
 */
#include "machine/pseries_internal.h"

#include "base/bits.h"
#include "base/endian.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define CPU_HZ 2000000000u
#define CACHE_LINE 128u
#define CACHE_SIZE 0x8000u
#define SLB_SIZE 32u
#define PVR 0x004e1203u /* POWER9 DD2.3 */

static void chosen(struct pseries *ps, struct fdt *f)
{
	u8 seed[32], vec5[27] = {sizeof(vec5) - 2};

	/* Option vector 5, LoPAR table "ibm,client-architecture-support": byte 24 names the MMU,
	 * byte 26 says that the guest invalidates translations itself. */
	if (!ps->cfg.hash_mmu) {
		vec5[24] = 0x40;
		vec5[26] = 0x40;
	}
	fdt_node(f, "chosen");
	fdt_string(f, "bootargs", ps->cfg.cmdline ? ps->cfg.cmdline : "");
	fdt_string(f, "stdout-path", "/vdevice/vty@71000000");
	fdt_string(f, "linux,stdout-path", "/vdevice/vty@71000000");
	fdt_bytes(f, "ibm,architecture-vec-5", vec5, sizeof(vec5));
	fdt_u32(f, "linux,pci-probe-only", 0);
	if (ps->initrd_size) {
		fdt_u64(f, "linux,initrd-start", ps->initrd);
		fdt_u64(f, "linux,initrd-end", ps->initrd + ps->initrd_size);
	}
	if (getrandom(seed, sizeof(seed), 0) == sizeof(seed))
		fdt_bytes(f, "rng-seed", seed, sizeof(seed));
	fdt_node_end(f);
}

static void memory(struct pseries *ps, struct fdt *f)
{
	fdt_node_at(f, "memory", 0);
	fdt_string(f, "device_type", "memory");
	fdt_cells(f, "reg", (const u32[]){0, 0, (u32)(ps->cfg.memory >> 32), (u32)ps->cfg.memory},
		  4);
	fdt_node_end(f);
}

static void rtas(struct pseries *ps, struct fdt *f)
{
	static const char functions[] = "hcall-pft\0hcall-term\0hcall-interrupt\0hcall-vio\0"
					"hcall-splpar\0hcall-tce\0hcall-multi-tce\0hcall-"
					"bulk\0hcall-set-mode\0hcall-sprg0\0"
					"hcall-copy";

	fdt_node(f, "rtas");
	fdt_bytes(f, "ibm,hypertas-functions", functions, sizeof(functions));
	fdt_u32(f, "rtas-size", PSERIES_RTAS_SIZE);
	fdt_u32(f, "linux,rtas-base", (u32)ps->rtas);
	fdt_u32(f, "linux,rtas-entry", (u32)ps->rtas);
	fdt_u32(f, "rtas-error-log-max", 2048);
	fdt_u32(f, "rtas-event-scan-rate", 1);
	fdt_empty(f, "ibm,extended-os-term");
	fdt_empty(f, "ibm,change-msix-capable");
	pseries_rtas_tokens(f);
	fdt_node_end(f);
}

/*
 * ibm,pa-features, LoPAR table "ibm,pa-features": length, type, then attributes;
 * without transactional memory (byte 22). Radix is byte 40.
 */
static void pa_features(struct pseries *ps, struct fdt *f)
{
	u8 pa[68] = {66, 0, 0xf6, 0x3f, 0xc7, 0xc0, 0x80, 0xf0, 0x80};

	pa[2 + 16] = 0x80; /* vector */
	pa[2 + 18] = 0x80; /* vector-scalar */
	if (!ps->cfg.hash_mmu)
		pa[2 + 40] = 0x80;
	fdt_bytes(f, "ibm,pa-features", pa, sizeof(pa));
}

static void caches(struct fdt *f)
{
	fdt_u32(f, "d-cache-block-size", CACHE_LINE);
	fdt_u32(f, "d-cache-line-size", CACHE_LINE);
	fdt_u32(f, "i-cache-block-size", CACHE_LINE);
	fdt_u32(f, "i-cache-line-size", CACHE_LINE);
	fdt_u32(f, "d-cache-size", CACHE_SIZE);
	fdt_u32(f, "i-cache-size", CACHE_SIZE);
}

static void cpu_mmu(struct pseries *ps, struct fdt *f)
{
	static const u32 segments[] = {28, 40, ~0u, ~0u};
	/* Base shift, SLB encoding, count, then shift and encoding of each page size. */
	static const u32 pages[] = {12, 0, 1, 12, 0, 16, 0x110, 1, 16, 1, 24, 0x100, 1, 24, 0};
	/* AP encodings of 4 KiB, 64 KiB, 2 MiB, 1 GiB. */
	static const u32 radix[] = {12, 5u << 29 | 16, 1u << 29 | 21, 2u << 29 | 30};

	fdt_u32(f, "slb-size", SLB_SIZE);
	fdt_u32(f, "ibm,slb-size", SLB_SIZE);
	fdt_cells(f, "ibm,processor-segment-sizes", segments, ARRAY_LEN(segments));
	fdt_cells(f, "ibm,segment-page-sizes", pages, ARRAY_LEN(pages));
	fdt_cells(f, "ibm,processor-radix-AP-encodings", radix, ARRAY_LEN(radix));
	fdt_cells(f, "ibm,pft-size", (const u32[]){0, pseries_hpt_shift(ps->cfg.memory)}, 2);
}

static void cpu(struct pseries *ps, struct fdt *f, unsigned n)
{
	fdt_node_at(f, "PowerPC,POWER9", n);
	fdt_string(f, "device_type", "cpu");
	fdt_u32(f, "reg", n);
	fdt_string(f, "status", "okay");
	fdt_u32(f, "cpu-version", PVR);
	fdt_u32(f, "timebase-frequency", PSERIES_TB_HZ);
	fdt_u32(f, "clock-frequency", CPU_HZ);
	fdt_empty(f, "64-bit");
	fdt_u32(f, "ibm,vmx", 2);
	fdt_u32(f, "ibm,chip-id", 0);
	fdt_cells(f, "ibm,ppc-interrupt-server#s", &n, 1);
	fdt_cells(f, "ibm,ppc-interrupt-gserver#s", (const u32[]){n, 0}, 2);
	caches(f);
	cpu_mmu(ps, f);
	pa_features(ps, f);
	fdt_node_end(f);
}

static void cpus(struct pseries *ps, struct fdt *f)
{
	fdt_node(f, "cpus");
	fdt_u32(f, "#address-cells", 1);
	fdt_u32(f, "#size-cells", 0);
	for (unsigned i = 0; i < ps->cfg.ncpus; i++)
		cpu(ps, f, i);
	fdt_node_end(f);
}

static void interrupts(struct pseries *ps, struct fdt *f)
{
	fdt_node_at(f, "interrupt-controller", 0);
	fdt_string(f, "device_type", "PowerPC-External-Interrupt-Presentation");
	fdt_string(f, "compatible", "IBM,ppc-xicp");
	fdt_cells(f, "reg", (const u32[]){0, 0, 0, 0}, 4);
	fdt_empty(f, "interrupt-controller");
	fdt_cells(f, "ibm,interrupt-server-ranges", (const u32[]){0, ps->cfg.ncpus}, 2);
	fdt_u32(f, "#interrupt-cells", 2);
	fdt_u32(f, "phandle", PSERIES_XICS_PHANDLE);
	fdt_u32(f, "linux,phandle", PSERIES_XICS_PHANDLE);
	fdt_node_end(f);
}

static void events(struct fdt *f)
{
	fdt_node(f, "event-sources");
	fdt_empty(f, "interrupt-controller");
	fdt_u32(f, "#interrupt-cells", 2);
	fdt_cells(f, "interrupt-ranges", (const u32[]){PSERIES_IRQ_EPOW, 1}, 2);
	fdt_node(f, "epow-events");
	fdt_cells(f, "interrupts", (const u32[]){PSERIES_IRQ_EPOW, 0}, 2);
	fdt_node_end(f);
	fdt_node_end(f);
}

static void vdevice(struct fdt *f)
{
	fdt_node(f, "vdevice");
	fdt_string(f, "device_type", "vdevice");
	fdt_string(f, "compatible", "IBM,vdevice");
	fdt_u32(f, "#address-cells", 1);
	fdt_u32(f, "#size-cells", 0);
	fdt_u32(f, "#interrupt-cells", 2);
	fdt_empty(f, "interrupt-controller");
	fdt_node_at(f, "vty", PSERIES_VTY_UNIT);
	fdt_string(f, "device_type", "serial");
	fdt_string(f, "compatible", "hvterm1");
	fdt_u32(f, "reg", PSERIES_VTY_UNIT);
	fdt_cells(f, "interrupts", (const u32[]){PSERIES_IRQ_VTY, 0}, 2);
	fdt_node_end(f);
	fdt_node_at(f, "nvram", PSERIES_NVRAM_UNIT);
	fdt_string(f, "device_type", "nvram");
	fdt_string(f, "compatible", "hull,nvram");
	fdt_u32(f, "reg", PSERIES_NVRAM_UNIT);
	fdt_u32(f, "#bytes", PSERIES_NVRAM_SIZE);
	fdt_node_end(f);
	fdt_node_end(f);
}

/* ---- PCI, IEEE 1275 PCI Bus Binding 2.1 ---- */

#define PCI_SPACE_IO (1u << 24)
#define PCI_SPACE_MEM32 (2u << 24)
#define PCI_SPACE_MEM64 (3u << 24)
#define PCI_FIXED (1u << 31) /* not relocatable: assigned */

static u32 bar_space(const struct pci_bar *b)
{
	return b->kind == PCI_BAR_IO	  ? PCI_SPACE_IO
	       : b->kind == PCI_BAR_MEM64 ? PCI_SPACE_MEM64
					  : PCI_SPACE_MEM32;
}

/* reg and assigned-addresses: five cells each, reg begins with configuration space. */
static void function_addresses(struct fdt *f, const struct pci_func *p)
{
	u32 devfn = p->slot << 11, reg[5 * (PCI_BARS + 1)] = {devfn}, assigned[5 * PCI_BARS];
	unsigned n = 0;

	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &p->bar[i];
		u32 hi, *r = &reg[5 * (n + 1)], *a = &assigned[5 * n];

		if (b->kind == PCI_BAR_NONE)
			continue;
		hi = bar_space(b) | devfn | (PCI_CFG_BAR0 + 4 * i);
		memcpy(r, (const u32[]){hi, 0, 0, (u32)(b->size >> 32), (u32)b->size}, 20);
		memcpy(a, r, 20);
		a[0] |= PCI_FIXED;
		a[1] = (u32)(b->addr >> 32);
		a[2] = (u32)b->addr;
		n++;
	}
	fdt_cells(f, "reg", reg, 5 * (n + 1));
	fdt_cells(f, "assigned-addresses", assigned, 5 * n);
}

static const char *function_name(u32 class_code)
{
	switch (class_code >> 16) {
	case 1:
		return "scsi";
	case 2:
		return "ethernet";
	case 7:
		return "communication-controller";
	default:
		return "unknown-device";
	}
}

static void function(struct fdt *f, const struct pci_func *p)
{
	const u8 *c = p->config;
	u32 class_code = load_le32(c + PCI_CFG_REVISION) >> 8;

	fdt_node_at(f, function_name(class_code), p->slot);
	fdt_u32(f, "vendor-id", load_le16(c + PCI_CFG_VENDOR));
	fdt_u32(f, "device-id", load_le16(c + PCI_CFG_DEVICE));
	fdt_u32(f, "revision-id", c[PCI_CFG_REVISION]);
	fdt_u32(f, "class-code", class_code);
	fdt_u32(f, "subsystem-id", load_le16(c + PCI_CFG_SUBDEVICE));
	fdt_u32(f, "subsystem-vendor-id", load_le16(c + PCI_CFG_SUBVENDOR));
	fdt_u32(f, "interrupts", 1);
	if (p->msix.n)
		fdt_u32(f, "ibm,req#msi-x", (u32)min_u64(p->msix.n, PSERIES_MSIS));
	function_addresses(f, p);
	fdt_node_end(f);
}

static void interrupt_map(struct pseries *ps, struct fdt *f)
{
	u32 map[PCI_SLOTS * 7], n = 0;

	for (unsigned i = 1; i < PCI_SLOTS; i++) {
		if (!ps->pci.func[i])
			continue;
		memcpy(&map[n],
		       (const u32[]){i << 11, 0, 0, 1, PSERIES_XICS_PHANDLE, PSERIES_IRQ_INTX + i,
				     1},
		       28);
		n += 7;
	}
	fdt_cells(f, "interrupt-map-mask", (const u32[]){0xf800, 0, 0, 7}, 4);
	fdt_cells(f, "interrupt-map", map, n);
}

static void pci(struct pseries *ps, struct fdt *f)
{
	static const u32 ranges[] = {
		PCI_SPACE_IO,
		0,
		0,
		PSERIES_PCI_IO >> 32,
		(u32)PSERIES_PCI_IO,
		0,
		PSERIES_PCI_IO_SIZE,
		PCI_SPACE_MEM32,
		0,
		PSERIES_PCI_MEM32,
		PSERIES_PCI_MEM >> 32,
		(u32)PSERIES_PCI_MEM,
		0,
		PSERIES_PCI_MEM32_SIZE,
		PCI_SPACE_MEM64,
		PSERIES_PCI_MEM64 >> 32,
		(u32)PSERIES_PCI_MEM64,
		PSERIES_PCI_MEM64 >> 32,
		(u32)PSERIES_PCI_MEM64,
		PSERIES_PCI_MEM64_SIZE >> 32,
		(u32)PSERIES_PCI_MEM64_SIZE,
	};

	fdt_node_at(f, "pci", PSERIES_BUID);
	fdt_string(f, "device_type", "pci");
	fdt_string(f, "compatible", "IBM,Logical_PHB");
	fdt_u32(f, "#address-cells", 3);
	fdt_u32(f, "#size-cells", 2);
	fdt_u32(f, "#interrupt-cells", 1);
	fdt_cells(f, "reg", (const u32[]){PSERIES_BUID >> 32, (u32)PSERIES_BUID, 0, 0}, 4);
	fdt_cells(f, "bus-range", (const u32[]){0, 0}, 2);
	fdt_cells(f, "ranges", ranges, ARRAY_LEN(ranges));
	fdt_u32(f, "ibm,pci-config-space-type", 1);
	fdt_u32(f, "ibm,#dma-address-cells", 2);
	fdt_u32(f, "ibm,#dma-size-cells", 2);
	fdt_cells(f, "ibm,dma-window", (const u32[]){PSERIES_LIOBN, 0, 0, 0, PSERIES_DMA_WINDOW},
		  5);
	fdt_u32(f, "ibm,pe-total-#msi", PCI_SLOTS * PSERIES_MSIS);
	fdt_empty(f, "used-by-rtas");
	interrupt_map(ps, f);
	for (unsigned i = 1; i < PCI_SLOTS; i++)
		if (ps->pci.func[i])
			function(f, ps->pci.func[i]);
	fdt_node_end(f);
}

u32 pseries_fdt_build(struct pseries *ps, void *buf, u32 cap)
{
	static const char compatible[] = "hull,pseries\0qemu,pseries";
	struct fdt f;

	fdt_begin(&f, buf, cap);
	fdt_reserve(&f, ps->rtas, PSERIES_RTAS_SIZE);
	fdt_u32(&f, "#address-cells", 2);
	fdt_u32(&f, "#size-cells", 2);
	fdt_string(&f, "device_type", "chrp");
	fdt_string(&f, "model", "hull pseries");
	fdt_bytes(&f, "compatible", compatible, sizeof(compatible));
	fdt_string(&f, "system-id", "hull");
	chosen(ps, &f);
	memory(ps, &f);
	rtas(ps, &f);
	cpus(ps, &f);
	interrupts(ps, &f);
	events(&f);
	vdevice(&f);
	pci(ps, &f);
	return fdt_finish(&f, 0);
}
