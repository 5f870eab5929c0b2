/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's ACPI tables as hull-metal reads them: src/metal/hostacpi.c, fed what acpi.c builds.
 */
#include "metal/hostacpi.h"

#include "base/bits.h"
#include "base/endian.h"
#include "machine/acpi.h"
#include "tests/test.h"

enum { BASE = 0x10000 };

static struct acpi_tables t;
static struct bootinfo b;
static struct hostacpi a;

static const u8 *at(void *opaque, u64 addr, u64 len)
{
	return addr >= BASE && range_inside(addr - BASE, len, t.len) ? t.tables + (addr - BASE)
								     : NULL;
}

static const struct boot_memory memory = {at, NULL};

static void build(unsigned cpus)
{
	const struct acpi_config cfg = {
		.ncpus = cpus,
		.lapic_base = 0xfee00000,
		.ioapic_base = 0xfec00000,
		.pm1_cnt = 0x604,
		.s5_type = 5,
		.reset_port = 0xcf9,
		.reset_value = 6,
	};

	acpi_build(&cfg, BASE, &t);
	memset(&b, 0, sizeof(b));
	b.rsdp_copy = true;
	memcpy(b.rsdp_bytes, t.rsdp, sizeof(t.rsdp));
}

static void t_own_tables(void)
{
	build(3);
	CHECK_EQ(hostacpi_parse(&b, &memory, &a), 0);
	CHECK(!a.complaint);
	CHECK(a.ncpus == 3 && a.apic_id[2] == 2 && a.ioapic == 0xfec00000);
	CHECK(a.pm1a_cnt == 0x604 && a.have_s5 && a.s5_a == 5);
	CHECK(a.reset_space == 1 && a.reset_addr == 0xcf9 && a.reset_value == 6);
}

static void t_no_root(void)
{
	build(1);
	b.rsdp_bytes[8]++;
	CHECK_EQ(hostacpi_parse(&b, &memory, &a), -E_NOENT);
	memset(&b, 0, sizeof(b));
	CHECK_EQ(hostacpi_parse(&b, &memory, &a), -E_NOENT);
}

static void t_wrong_checksum_is_left_out(void)
{
	build(2);
	for (u32 i = 0; i + 4 < t.len; i += 4)
		if (!memcmp(t.tables + i, "APIC", 4))
			t.tables[i + 20]++;
	CHECK_EQ(hostacpi_parse(&b, &memory, &a), 0);
	CHECK(strstr(a.complaint, "checksum"));
	CHECK(!a.ncpus && a.have_s5);
}

/* Any byte may be anything: it ends, and stays inside (the sanitizer watches). */
static void t_every_byte_damaged(void)
{
	build(2);
	for (u32 i = 0; i < t.len; i++) {
		u8 old = t.tables[i];

		t.tables[i] ^= 0xff;
		hostacpi_parse(&b, &memory, &a);
		CHECK(a.ncpus <= HOSTACPI_CPUS_MAX);
		t.tables[i] = old;
	}
}

int main(void)
{
	RUN(t_own_tables);
	RUN(t_no_root);
	RUN(t_wrong_checksum_is_left_out);
	RUN(t_every_byte_damaged);
	return test_done();
}
