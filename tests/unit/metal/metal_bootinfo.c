/* SPDX-License-Identifier: Apache-2.0 */
/* What boot loaders say, and archives of modules: src/metal/bootinfo.c. */
#include "metal/bootinfo.h"

#include "abi/multiboot.h"
#include "base/bits.h"
#include "base/endian.h"
#include "tests/test.h"

/* Physical memory from 0x1000 on. */
static u8 mem[0x8000];
static struct bootinfo b;

static const u8 *at(void *opaque, u64 addr, u64 len)
{
	return addr >= 0x1000 && range_inside(addr - 0x1000, len, sizeof(mem))
		       ? mem + (addr - 0x1000)
		       : NULL;
}

static const struct boot_memory memory = {at, NULL};

static u8 *p(u64 addr)
{
	return mem + (addr - 0x1000);
}

static u64 tag(u64 where, u32 type, const void *data, u32 len)
{
	store_le32(p(where), type);
	store_le32(p(where + 4), 8 + len);
	memcpy(p(where + 8), data, len);
	return align_up(where + 8 + len, 8);
}

/* A multiboot2 block with a map of one region, a module and a command line. */
static u64 make_mb2(void)
{
	u8 map[8 + 24] = {24}, mod[8 + 32] = {0};
	u64 end = 0x2008;

	memset(mem, 0, sizeof(mem));
	store_le64(map + 8, 0x1000);
	store_le64(map + 16, sizeof(mem));
	store_le32(map + 24, BOOT_RAM);
	store_le32(mod, 0x4000);
	store_le32(mod + 4, 0x4100);
	strcpy((char *)mod + 8, "/boot/kernel with options");
	end = tag(end, MB2_I_CMDLINE, "poweroff", 9);
	end = tag(end, MB2_I_MMAP, map, sizeof(map));
	end = tag(end, MB2_I_MODULE, mod, sizeof(mod));
	end = tag(end, MB2_I_END, "", 0);
	store_le32(p(0x2000), (u32)(end - 0x2000));
	return 0x2000;
}

static void t_multiboot2(void)
{
	CHECK_EQ(bootinfo_parse(MB2_BOOT_MAGIC, make_mb2(), &memory, &b), 0);
	CHECK(!strcmp(b.cmdline, "poweroff") && b.nregions == 1 && b.nmodules == 1);
	CHECK_EQ(b.region[0].size, sizeof(mem));
	CHECK(!strcmp(b.module[0].name, "kernel"));
	CHECK(b.module[0].addr == 0x4000 && b.module[0].size == 0x100);
}

static void t_multiboot2_damaged(void)
{
	u64 info = make_mb2();

	store_le32(p(0x2008 + 4), 3); /* a tag shorter than its head */
	CHECK_EQ(bootinfo_parse(MB2_BOOT_MAGIC, info, &memory, &b), -E_INVAL);
	make_mb2();
	store_le32(p(0x2008 + 4), 0x7000); /* longer than the block */
	CHECK_EQ(bootinfo_parse(MB2_BOOT_MAGIC, info, &memory, &b), -E_INVAL);
	make_mb2();
	store_le32(p(0x2000), ~0u); /* a block longer than memory */
	CHECK_EQ(bootinfo_parse(MB2_BOOT_MAGIC, info, &memory, &b), -E_INVAL);
	CHECK_EQ(bootinfo_parse(MB2_BOOT_MAGIC, 0x10, &memory, &b), -E_INVAL);
}

static void t_pvh(void)
{
	memset(mem, 0, sizeof(mem));
	store_le32(p(0x2000), PVH_MAGIC);
	store_le32(p(0x2000) + PVH_VERSION, 1);
	store_le32(p(0x2000) + PVH_NR_MODULES, 1);
	store_le64(p(0x2000) + PVH_MODLIST, 0x2100);
	store_le64(p(0x2000) + PVH_CMDLINE, 0x2200);
	store_le64(p(0x2000) + PVH_RSDP, 0x1234);
	store_le64(p(0x2000) + PVH_MEMMAP, 0x2300);
	store_le32(p(0x2000) + PVH_MEMMAP_ENTRIES, 1);
	store_le64(p(0x2100), 0x5000);
	store_le64(p(0x2108), 0x80);
	strcpy((char *)p(0x2200), "hello");
	store_le64(p(0x2300), 0);
	store_le64(p(0x2308), 0x9000);
	store_le32(p(0x2310), BOOT_RAM);
	CHECK_EQ(bootinfo_parse(0, 0x2000, &memory, &b), 0);
	CHECK(b.nmodules == 1 && b.module[0].addr == 0x5000 && !b.module[0].name[0]);
	CHECK(!strcmp(b.cmdline, "hello") && b.rsdp == 0x1234 && b.nregions == 1);
	store_le64(p(0x2000) + PVH_MEMMAP, 1ull << 40);
	CHECK_EQ(bootinfo_parse(0, 0x2000, &memory, &b), -E_INVAL);
	store_le32(p(0x2000), 0);
	CHECK_EQ(bootinfo_parse(0, 0x2000, &memory, &b), -E_INVAL);
}

static void t_modules_are_judged(void)
{
	memset(&b, 0, sizeof(b));
	b.region[0] = (struct boot_region){0x100000, 0x700000, BOOT_RAM};
	b.nregions = 1;
	bootinfo_add(&b, "good", 4, 0x400000, 0x1000);
	bootinfo_add(&b, "twice", 5, 0x400800, 0x1000);
	bootinfo_add(&b, "image", 5, 0x1ff000, 0x2000);
	bootinfo_add(&b, "empty", 5, 0x500000, 0);
	bootinfo_add(&b, "outside", 7, 0x7ff000, 0x2000);
	bootinfo_add(&b, "wraps", 5, ~0ull - 10, 0x1000);
	bootinfo_check(&b, 0x200000, 0x300000, 0x800000);
	CHECK(!b.module[0].bad && b.module[0].data == (const u8 *)0x400000);
	CHECK(strstr(b.module[1].bad, "another module"));
	CHECK(strstr(b.module[2].bad, "the hypervisor"));
	CHECK(strstr(b.module[3].bad, "empty"));
	CHECK(strstr(b.module[4].bad, "memory") && strstr(b.module[5].bad, "memory"));
	CHECK(bootinfo_find(&b, "image") == &b.module[2] && !bootinfo_find(&b, "none"));
}

static unsigned cpio_entry(u8 *to, const char *name, unsigned mode, const char *data)
{
	unsigned at = 110;

	sprintf((char *)to, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1, mode,
		0, 0, 1, 0, (unsigned)strlen(data), 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0);
	strcpy((char *)to + at, name);
	at = (at + (unsigned)strlen(name) + 1 + 3) & ~3u;
	memcpy(to + at, data, strlen(data));
	return (at + (unsigned)strlen(data) + 3) & ~3u;
}

static void t_archive(void)
{
	static u8 bag[2048];
	struct boot_module m = {.data = bag, .addr = 0x10000};
	unsigned len = 0;

	len += cpio_entry(bag + len, "dir", 0040755, "");
	len += cpio_entry(bag + len, "hull.conf", 0100644, "abc");
	len += cpio_entry(bag + len, "kernel", 0100644, "defgh");
	len += cpio_entry(bag + len, "TRAILER!!!", 0, "");
	m.size = len;
	memset(&b, 0, sizeof(b));
	CHECK_EQ(bootinfo_unpack(&b, &m), 2);
	CHECK(!strcmp(b.module[1].name, "kernel") && b.module[1].size == 5);
	CHECK(!memcmp(b.module[1].data, "defgh", 5));
	CHECK_EQ(b.module[1].addr, 0x10000 + (u64)(b.module[1].data - bag));
	for (m.size = 0; m.size < len - 12; m.size++) {
		memset(&b, 0, sizeof(b));
		CHECK_EQ(bootinfo_unpack(&b, &m), -E_INVAL);
	}
	memset(bag + 54, 'f', 8); /* a file of 4 GiB */
	m.size = len;
	CHECK_EQ(bootinfo_unpack(&b, &m), -E_INVAL);
}

int main(void)
{
	RUN(t_multiboot2);
	RUN(t_multiboot2_damaged);
	RUN(t_pvh);
	RUN(t_modules_are_judged);
	RUN(t_archive);
	return test_done();
}
