/* SPDX-License-Identifier: Apache-2.0 */
/* machine/acpi*.c: checksums, pointers, and iasl's opinion of every table. */
#include "machine/acpi.h"

#include "base/bits.h"
#include "base/endian.h"
#include "machine/acpi_aml.h"
#include "tests/test.h"

#include <unistd.h>

#define BASE 0xe0000u

static struct acpi_config full(void)
{
	return (struct acpi_config){
		.ncpus = 64,
		.lapic_base = 0xfee00000,
		.ioapic_base = 0xfec00000,
		.hpet_base = 0xfed00000,
		.hpet_id = 0x8086a201,
		.pm1_evt = 0x600,
		.pm1_cnt = 0x604,
		.pm_timer = 0x608,
		.gpe0 = 0x620,
		.sci = 9,
		.s5_type = 5,
		.reset_port = 0xcf9,
		.reset_value = 6,
		.ecam = {0xb0000000, 0x100000},
		.mem32 = {0xc0000000, 0x3ec00000},
		.mem64 = {0x1000000000, 0x400000000},
		.pci_gsi = {16, 17, 18, 19, 20, 21, 22, 23},
		.npci_gsi = 8,
		.com1 = true,
		.rtc = true,
		.i8042 = true,
		.pvpanic_port = 0x505,
		.virtio_mmio_base = 0xd0000000,
		.virtio_mmio_stride = 0x200,
		.nvirtio_mmio = 8,
		.virtio_mmio_gsi = 16,
	};
}

static u8 sum(const u8 *p, u64 n)
{
	u8 s = 0;

	while (n--)
		s = (u8)(s + *p++);
	return s;
}

static struct acpi_tables *built(const struct acpi_config *cfg)
{
	static struct acpi_tables t;

	return acpi_build(cfg, BASE, &t) ? NULL : &t;
}

/* Follows the pointers as a guest does. */
static void t_structure(void)
{
	struct acpi_config cfg = full();
	struct acpi_tables *t = built(&cfg);
	u64 xsdt;
	u32 n;

	CHECK(t);
	CHECK_EQ(sum(t->rsdp, 20), 0);
	CHECK_EQ(sum(t->rsdp, 36), 0);
	xsdt = load_le64(t->rsdp + 24) - BASE;
	CHECK(xsdt + 36 < t->len);
	CHECK(!memcmp(t->tables + xsdt, "XSDT", 4));
	n = (load_le32(t->tables + xsdt + 4) - 36) / 8;
	CHECK_EQ(n, 5);
	for (u32 i = 0; i < n; i++) {
		u64 at = load_le64(t->tables + xsdt + 36 + i * 8) - BASE;

		CHECK(at < t->len);
		CHECK_EQ(sum(t->tables + at, load_le32(t->tables + at + 4)), 0);
		if (!memcmp(t->tables + at, "FACP", 4)) {
			CHECK(!memcmp(t->tables + load_le64(t->tables + at + 140) - BASE, "DSDT",
				      4));
			CHECK(!memcmp(t->tables + load_le32(t->tables + at + 36) - BASE, "FACS",
				      4));
			CHECK_EQ((load_le32(t->tables + at + 36)) % 64, 0);
		}
	}
}

/* Moving the tables by what the lists say gives the tables built for the new place. */
static void t_relocates(void)
{
	static struct acpi_tables a, b;
	struct acpi_config cfg = full();

	CHECK_EQ(acpi_build(&cfg, 0, &a), 0);
	CHECK_EQ(acpi_build(&cfg, 0x7ffe0000, &b), 0);
	for (unsigned i = 0; i < a.npointers; i++) {
		u8 *p = a.tables + a.pointer[i].at;

		store_le(p, a.pointer[i].size, load_le(p, a.pointer[i].size) + 0x7ffe0000);
	}
	for (unsigned i = 0; i < a.nsums; i++) {
		struct acpi_sum *s = &a.sum[i];

		a.tables[s->at] = 0;
		a.tables[s->at] = (u8)-sum(a.tables + s->start, s->len);
	}
	CHECK_EQ(a.len, b.len);
	CHECK(!memcmp(a.tables, b.tables, a.len));
}

static bool write_file(const char *path, const u8 *p, u64 n)
{
	FILE *f = fopen(path, "wb");
	bool ok = f && fwrite(p, 1, n, f) == n;

	return f && !fclose(f) && ok;
}

/* Number of tables that iasl does not take back, -1 if there is no iasl. */
static int iasl_complaints(const struct acpi_tables *t)
{
	char dir[] = "/tmp/hull-acpi-XXXXXX", path[64], cmd[400];
	int bad = 0;

	if (system("iasl -v >/dev/null 2>&1"))
		return -1;
	if (!mkdtemp(dir))
		return 1;
	for (u32 at = 0; at + 36 <= t->len; at = align_up(at + 1, 16)) {
		u32 len = load_le32(t->tables + at + 4);

		if (!strchr("FDAMHSX", t->tables[at]) || t->tables[at] == 0 || len > t->len - at ||
		    !memcmp(t->tables + at, "FACS", 4) || sum(t->tables + at, len) || len < 36)
			continue;
		snprintf(path, sizeof(path), "%s/%.4s.aml", dir, (const char *)t->tables + at);
		if (!write_file(path, t->tables + at, len))
			return 1;
		/* Disassembled, compiled again and compared; warnings are errors. */
		snprintf(cmd, sizeof(cmd),
			 "cd %s && iasl -d %.4s.aml >log 2>&1 && ! grep -E '\\*\\*\\*\\*|Error' "
			 "*.dsl && "
			 "iasl -we -oa -p new %.4s.dsl >>log 2>&1 && cmp -i 36 new.aml %.4s.aml "
			 ">>log 2>&1 || "
			 "{ sed 's/^/# /' log; exit 1; }; rm -f *.dsl",
			 dir, (const char *)t->tables + at, (const char *)t->tables + at,
			 (const char *)t->tables + at);
		bad += system(cmd) != 0;
		at += len - 1;
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) ? 1 : bad;
}

static void t_iasl_full(void)
{
	struct acpi_config cfg = full();
	int bad = iasl_complaints(built(&cfg));

	if (bad < 0)
		SKIP("no iasl (package acpica-tools)");
	CHECK_EQ(bad, 0);
}

static void t_iasl_small(void)
{
	struct acpi_config cfg = {.ncpus = 1,
				  .pm1_evt = 0x600,
				  .pm1_cnt = 0x604,
				  .pm_timer = 0x608,
				  .sci = 9,
				  .reset_port = 0xcf9};
	int bad = iasl_complaints(built(&cfg));

	if (bad < 0)
		SKIP("no iasl (package acpica-tools)");
	CHECK_EQ(bad, 0);
}

static void t_aml_encodings(void)
{
	static const u8 want[] = {0x08, 0x5c, 0x41, 0x42, 0x43, 0x44, 0x0b, 0x34, 0x12, 0x10, 0x0c,
				  0x2e, 'A',  'A',  'A',  'A',	'B',  'B',  'B',  'B',	0x00, 0x01};
	struct aml a;
	u8 buf[64];

	aml_init(&a, buf, sizeof(buf));
	aml_name_int(&a, "\\ABCD", 0x1234);
	aml_scope(&a, "AAAA.BBBB");
	aml_int(&a, 0);
	aml_int(&a, 1);
	aml_end(&a);
	CHECK(!a.bad);
	CHECK_EQ(a.len, sizeof(want));
	CHECK(!memcmp(buf, want, sizeof(want)));
}

static void t_aml_never_overruns(void)
{
	struct acpi_config cfg = full();
	static u8 buf[ACPI_TABLES_MAX];
	struct aml a;

	for (u32 cap = 0; cap < 4096; cap += 13) {
		memset(buf, 0xee, sizeof(buf));
		aml_init(&a, buf, cap);
		acpi_dsdt_body(&a, &cfg);
		CHECK(a.bad);
		CHECK_EQ(buf[cap], 0xee);
	}
	aml_init(&a, buf, sizeof(buf));
	aml_end(&a);
	CHECK(a.bad);
}

int main(void)
{
	RUN(t_structure);
	RUN(t_relocates);
	RUN(t_aml_encodings);
	RUN(t_aml_never_overruns);
	RUN(t_iasl_full);
	RUN(t_iasl_small);
	return test_done();
}
