/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/acpi.h"

#include "base/bits.h"
#include "base/endian.h"
#include "machine/acpi_aml.h"

#include <string.h>

/* Table layout: header 36 bytes (ACPI 6.5 section 5.2.6). */
enum { HDR_LEN = 4, HDR_REVISION = 8, HDR_SUM = 9, HDR_OEM = 10, HDR_SIZE = 36 };

/* FADT, section 5.2.9. */
enum {
	FADT_SIZE = 276,
	FADT_FACS = 36,
	FADT_DSDT = 40,
	FADT_SCI = 46,
	FADT_PM1A_EVT = 56,
	FADT_PM1A_CNT = 64,
	FADT_PM_TMR = 76,
	FADT_GPE0 = 80,
	FADT_PM1_EVT_LEN = 88,
	FADT_PM1_CNT_LEN = 89,
	FADT_PM_TMR_LEN = 91,
	FADT_GPE0_LEN = 92,
	FADT_P_LVL2 = 96,
	FADT_P_LVL3 = 98,
	FADT_CENTURY = 108,
	FADT_BOOT_ARCH = 109,
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_MINOR = 131,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_EVT = 148,
	FADT_X_PM1A_CNT = 172,
	FADT_X_PM_TMR = 208,
	FADT_X_GPE0 = 220,
	FADT_F_WBINVD = 1 << 0,
	FADT_F_C1 = 1 << 2,
	FADT_F_NO_SLEEP_BUTTON = 1 << 5,
	FADT_F_TIMER_32 = 1 << 8,
	FADT_F_RESET = 1 << 10,
	BOOT_ARCH_LEGACY = 1 << 0,
	BOOT_ARCH_8042 = 1 << 1,
	BOOT_ARCH_NO_VGA = 1 << 2,
	BOOT_ARCH_NO_RTC = 1 << 5,
	CMOS_CENTURY = 0x32,
	PM1_EVT_BYTES = 4,
	PM1_CNT_BYTES = 2,
	PM_TMR_BYTES = 4,
	GPE0_BYTES = 4,
	LATENCY_NONE = 0xfff,
};

/* MADT, section 5.2.12. */
enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_NMI = 4,
	MADT_PCAT_COMPAT = 1,
	MADT_ENABLED = 1,
	MPS_HIGH_LEVEL = 0x0d, /* active high, level */
	ISA_TIMER_GSI = 2,
};

enum { GAS_IO = 1, GAS_MEM = 0, GAS_BYTE = 1, GAS_WORD = 2, GAS_DWORD = 3 };

struct build {
	struct acpi_tables *t;
	struct aml a; /* appends to t->tables */
	u64 base;
	u32 table[ACPI_MAX_TABLES]; /* offsets of what the XSDT lists */
	unsigned ntables;
	u32 dsdt, facs;
};

static void put(struct build *b, u64 v, unsigned bytes)
{
	u8 le[8];

	store_le(le, bytes, v);
	aml_raw(&b->a, le, bytes);
}

static void set_pointer(struct build *b, u32 at, u32 target, u8 size)
{
	struct acpi_tables *t = b->t;

	if (b->a.bad || t->npointers == ARRAY_LEN(t->pointer)) {
		b->a.bad = true;
		return;
	}
	store_le(t->tables + at, size, b->base + target);
	t->pointer[t->npointers++] = (struct acpi_pointer){at, size};
}

static u8 sum_to_zero(const u8 *p, u32 len)
{
	u8 sum = 0;

	while (len--)
		sum = (u8)(sum + *p++);
	return (u8)-sum;
}

static u32 table_begin(struct build *b, const char *sig, u8 revision)
{
	u32 at;

	while (b->a.len % 16 && !b->a.bad)
		put(b, 0, 1);
	at = b->a.len;
	aml_raw(&b->a, sig, 4);
	put(b, 0, 4); /* length */
	put(b, revision, 1);
	put(b, 0, 1); /* checksum */
	aml_raw(&b->a, "HULL  HULLPC  ", 14);
	put(b, 1, 4);
	aml_raw(&b->a, "HULL", 4);
	put(b, 1, 4);
	return at;
}

static void table_end(struct build *b, u32 at)
{
	struct acpi_tables *t = b->t;
	u32 len = b->a.len - at;

	if (b->a.bad || t->nsums == ARRAY_LEN(t->sum)) {
		b->a.bad = true;
		return;
	}
	store_le32(t->tables + at + HDR_LEN, len);
	t->tables[at + HDR_SUM] = sum_to_zero(t->tables + at, len);
	t->sum[t->nsums++] = (struct acpi_sum){at, len, at + HDR_SUM};
}

static void table_list(struct build *b, u32 at)
{
	if (b->ntables < ACPI_MAX_TABLES)
		b->table[b->ntables++] = at;
}

/* Generic address structure, section 5.2.3.2. */
static void gas_io(u8 *p, u16 port, unsigned bytes)
{
	p[0] = GAS_IO;
	p[1] = (u8)(bytes * 8);
	p[3] = bytes == 1 ? GAS_BYTE : bytes == 2 ? GAS_WORD : GAS_DWORD;
	store_le64(p + 4, port);
}

static void build_facs(struct build *b)
{
	while (b->a.len % 64 && !b->a.bad)
		put(b, 0, 1);
	b->facs = b->a.len;
	aml_raw(&b->a, "FACS", 4);
	put(b, 64, 4);
	for (unsigned i = 8; i < 64; i++)
		put(b, i == 32 ? 2 : 0, 1); /* version 2 */
}

static void build_dsdt(struct build *b, const struct acpi_config *cfg)
{
	b->dsdt = table_begin(b, "DSDT", 2);
	acpi_dsdt_body(&b->a, cfg);
	table_end(b, b->dsdt);
}

static void fadt_ports(u8 *f, const struct acpi_config *cfg)
{
	store_le32(f + FADT_PM1A_EVT, cfg->pm1_evt);
	store_le32(f + FADT_PM1A_CNT, cfg->pm1_cnt);
	store_le32(f + FADT_PM_TMR, cfg->pm_timer);
	f[FADT_PM1_EVT_LEN] = PM1_EVT_BYTES;
	f[FADT_PM1_CNT_LEN] = PM1_CNT_BYTES;
	f[FADT_PM_TMR_LEN] = PM_TMR_BYTES;
	gas_io(f + FADT_X_PM1A_EVT, cfg->pm1_evt, PM1_EVT_BYTES);
	gas_io(f + FADT_X_PM1A_CNT, cfg->pm1_cnt, PM1_CNT_BYTES);
	gas_io(f + FADT_X_PM_TMR, cfg->pm_timer, PM_TMR_BYTES);
	if (!cfg->gpe0)
		return;
	store_le32(f + FADT_GPE0, cfg->gpe0);
	f[FADT_GPE0_LEN] = GPE0_BYTES;
	gas_io(f + FADT_X_GPE0, cfg->gpe0, GPE0_BYTES);
}

static void build_fadt(struct build *b, const struct acpi_config *cfg)
{
	u32 at = table_begin(b, "FACP", 6);
	u8 *f;

	for (unsigned i = HDR_SIZE; i < FADT_SIZE; i++)
		put(b, 0, 1);
	if (b->a.bad)
		return;
	f = b->t->tables + at;
	store_le16(f + FADT_SCI, cfg->sci);
	store_le16(f + FADT_P_LVL2, LATENCY_NONE);
	store_le16(f + FADT_P_LVL3, LATENCY_NONE);
	f[FADT_CENTURY] = cfg->rtc ? CMOS_CENTURY : 0;
	store_le16(f + FADT_BOOT_ARCH, BOOT_ARCH_LEGACY | BOOT_ARCH_NO_VGA |
					       (cfg->i8042 ? BOOT_ARCH_8042 : 0) |
					       (cfg->rtc ? 0 : BOOT_ARCH_NO_RTC));
	store_le32(f + FADT_FLAGS, FADT_F_WBINVD | FADT_F_C1 | FADT_F_NO_SLEEP_BUTTON |
					   FADT_F_RESET | (cfg->pm_timer_32 ? FADT_F_TIMER_32 : 0));
	gas_io(f + FADT_RESET_REG, cfg->reset_port, 1);
	f[FADT_RESET_VALUE] = cfg->reset_value;
	f[FADT_MINOR] = 5;
	fadt_ports(f, cfg);
	set_pointer(b, at + FADT_FACS, b->facs, 4);
	set_pointer(b, at + FADT_DSDT, b->dsdt, 4);
	set_pointer(b, at + FADT_X_DSDT, b->dsdt, 8);
	table_end(b, at);
	table_list(b, at);
}

static void madt_override(struct build *b, u8 isa, u32 gsi, u16 flags)
{
	put(b, MADT_OVERRIDE, 1);
	put(b, 10, 1);
	put(b, 0, 1); /* ISA */
	put(b, isa, 1);
	put(b, gsi, 4);
	put(b, flags, 2);
}

static void build_madt(struct build *b, const struct acpi_config *cfg)
{
	u32 at = table_begin(b, "APIC", 5);

	put(b, cfg->lapic_base, 4);
	put(b, MADT_PCAT_COMPAT, 4);
	for (unsigned i = 0; i < cfg->ncpus; i++) {
		put(b, MADT_LAPIC, 1);
		put(b, 8, 1);
		put(b, i, 1); /* processor UID, APIC id */
		put(b, i, 1);
		put(b, MADT_ENABLED, 4);
	}
	put(b, MADT_IOAPIC, 1);
	put(b, 12, 1);
	put(b, 0, 2); /* id 0, reserved */
	put(b, cfg->ioapic_base, 4);
	put(b, 0, 4); /* first GSI */
	madt_override(b, 0, ISA_TIMER_GSI, 0);
	madt_override(b, cfg->sci, cfg->sci, MPS_HIGH_LEVEL);
	put(b, MADT_LAPIC_NMI, 1);
	put(b, 6, 1);
	put(b, 0xff, 1); /* all processors */
	put(b, 0, 2);
	put(b, 1, 1); /* LINT1 */
	table_end(b, at);
	table_list(b, at);
}

static void build_mcfg(struct build *b, const struct acpi_config *cfg)
{
	u32 at = table_begin(b, "MCFG", 1);

	put(b, 0, 8);
	put(b, cfg->ecam.base, 8);
	put(b, 0, 2); /* segment */
	put(b, 0, 1); /* buses */
	put(b, (cfg->ecam.size >> 20) - 1, 1);
	put(b, 0, 4);
	table_end(b, at);
	table_list(b, at);
}

/* IA-PC HPET specification 1.0a section 3.2.4. */
static void build_hpet(struct build *b, const struct acpi_config *cfg)
{
	u32 at = table_begin(b, "HPET", 1);

	put(b, cfg->hpet_id, 4);
	put(b, GAS_MEM, 4); /* system memory, widths 0 */
	put(b, cfg->hpet_base, 8);
	put(b, 0, 1); /* number */
	put(b, 0, 2); /* minimum tick */
	put(b, 0, 1);
	table_end(b, at);
	table_list(b, at);
}

/* Serial Port Console Redirection Table revision 2: COM1, 115200n8, IRQ 4. */
static void build_spcr(struct build *b)
{
	u32 at = table_begin(b, "SPCR", 2);
	u8 gas[12] = {0};

	put(b, 0, 4); /* 16550 */
	gas_io(gas, 0x3f8, 1);
	aml_raw(&b->a, gas, sizeof(gas));
	put(b, 3, 1); /* interrupts: 8259 and I/O APIC */
	put(b, 4, 1);
	put(b, 4, 4);
	put(b, 7, 1); /* 115200 */
	put(b, 0, 1); /* no parity */
	put(b, 1, 1); /* one stop bit */
	put(b, 0, 1); /* no flow control */
	put(b, 3, 1); /* ANSI terminal */
	put(b, 0, 1);
	put(b, 0xffff, 2); /* not a PCI device */
	put(b, 0xffff, 2);
	put(b, 0, 8); /* bus, device, function, flags, segment */
	put(b, 0, 4);
	table_end(b, at);
	table_list(b, at);
}

static u32 build_xsdt(struct build *b)
{
	u32 at = table_begin(b, "XSDT", 1);

	for (unsigned i = 0; i < b->ntables; i++) {
		put(b, 0, 8);
		set_pointer(b, b->a.len - 8, b->table[i], 8);
	}
	table_end(b, at);
	return at;
}

/* Root pointer, section 5.2.5.3; without an RSDT. */
static void build_rsdp(struct build *b, u32 xsdt)
{
	u8 *r = b->t->rsdp;

	memset(r, 0, ACPI_RSDP_SIZE);
	memcpy(r, "RSD PTR ", 8);
	memcpy(r + 9, "HULL  ", 6);
	r[15] = 2;
	store_le32(r + 20, ACPI_RSDP_SIZE);
	store_le64(r + 24, b->base + xsdt);
	b->t->rsdp_xsdt = (struct acpi_pointer){24, 8};
	r[8] = sum_to_zero(r, 20);
	r[32] = sum_to_zero(r, ACPI_RSDP_SIZE);
}

int acpi_build(const struct acpi_config *cfg, u64 base, struct acpi_tables *t)
{
	struct build b = {.t = t, .base = base};

	memset(t, 0, sizeof(*t));
	aml_init(&b.a, t->tables, sizeof(t->tables));
	build_facs(&b);
	build_dsdt(&b, cfg);
	build_fadt(&b, cfg);
	build_madt(&b, cfg);
	if (cfg->ecam.size)
		build_mcfg(&b, cfg);
	if (cfg->hpet_base)
		build_hpet(&b, cfg);
	if (cfg->com1)
		build_spcr(&b);
	build_rsdp(&b, build_xsdt(&b));
	t->len = b.a.len;
	return b.a.bad ? -E_NOSPC : 0;
}
