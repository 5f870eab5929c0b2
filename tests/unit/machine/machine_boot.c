/* SPDX-License-Identifier: Apache-2.0 */
/* machine/boot/: every format from synthetic images, and what is wrong with bad ones. */
#include "machine/boot/boot.h"

#include "abi/elf.h"
#include "abi/multiboot.h"
#include "base/bits.h"
#include "base/endian.h"
#include "host/mem.h"
#include "tests/test.h"

#define RAM MIB(64)

struct rig {
	struct mem *mem;
	struct gpa_map map;
	struct x86_state st;
	struct err e;
	enum boot_format format;
	struct boot_request rq;
	struct boot_blob initrd[3];
};

static const struct e820_entry map_entries[] = {
	{0, 0x9fc00, E820_RAM},
	{0xe0000, 0x20000, E820_RESERVED},
	{MIB(1), RAM - MIB(1), E820_RAM},
};

static bool rig_init(struct rig *r, const u8 *kernel, u64 len)
{
	memset(r, 0, sizeof(*r));
	r->rq = (struct boot_request){.map = &r->map,
				      .kernel = {"vmlinuz", kernel, len},
				      .initrd = r->initrd,
				      .cmdline = "console=ttyS0",
				      .e820 = map_entries,
				      .ne820 = ARRAY_LEN(map_entries),
				      .rsdp = 0xe0000};
	return !mem_create("test", RAM, &r->mem, &r->e) &&
	       !mem_map(r->mem, &r->map, 0, 0, RAM, false, &r->e);
}

static int rig_load(struct rig *r)
{
	return boot_load(&r->rq, &r->st, &r->format, &r->e);
}

static void rig_fini(struct rig *r)
{
	mem_destroy(r->mem);
}

static u32 guest32(struct rig *r, u64 gpa)
{
	u8 b[4] = {0};

	gpa_read(&r->map, gpa, b, 4);
	return load_le32(b);
}

static u64 guest64(struct rig *r, u64 gpa)
{
	return guest32(r, gpa) | (u64)guest32(r, gpa + 4) << 32;
}

static u8 image[256 * 1024];

/* A bzImage with two setup sectors and `len` bytes of kernel, all 0x90. */
static u64 make_bzimage(unsigned version, u64 len)
{
	memset(image, 0, sizeof(image));
	image[LX_SETUP_SECTS] = 2;
	store_le16(image + LX_BOOT_FLAG, LX_MAGIC_BOOT_FLAG);
	store_le16(image + LX_JUMP, 0x66eb);
	store_le32(image + LX_HEADER, LX_MAGIC_HDRS);
	store_le16(image + LX_VERSION, (u16)version);
	image[LX_LOADFLAGS] = LX_LOADED_HIGH;
	store_le32(image + LX_INITRD_ADDR_MAX, 0x7fffffff);
	store_le32(image + LX_KERNEL_ALIGNMENT, 0x200000);
	image[LX_RELOCATABLE] = 1;
	store_le16(image + LX_XLOADFLAGS, LX_XLF_KERNEL_64);
	store_le32(image + LX_CMDLINE_SIZE, 2047);
	store_le64(image + LX_PREF_ADDRESS, 0x1000000);
	store_le32(image + LX_INIT_SIZE, 0x800000);
	memset(image + 1536, 0x90, len);
	return 1536 + len;
}

static void t_linux64(void)
{
	static const u8 a[5] = "AAAAA", c[3] = "CCC";
	struct rig r;
	u64 zp, rd;

	CHECK(rig_init(&r, image, make_bzimage(0x20f, 4096)));
	r.initrd[0] = (struct boot_blob){"a", a, 5};
	r.initrd[1] = (struct boot_blob){"c", c, 3};
	r.rq.ninitrd = 2;
	r.rq.seed = image;
	CHECK_EQ(rig_load(&r), 0);
	CHECK_EQ(r.format, BOOT_LINUX64);
	CHECK_EQ(r.st.rip, 0x1000200);
	CHECK_EQ(guest32(&r, r.st.rip), 0x90909090);
	CHECK_EQ(r.st.cr0 >> 31, 1);
	zp = r.st.gpr[X86_RSI];
	CHECK_EQ(guest32(&r, zp + LX_HEADER), LX_MAGIC_HDRS);
	CHECK_EQ(guest64(&r, zp + LX_ACPI_RSDP_ADDR), 0xe0000);
	CHECK_EQ(guest32(&r, guest32(&r, zp + LX_CMD_LINE_PTR)), 0x736e6f63); /* "cons" */
	CHECK_EQ(guest32(&r, zp + LX_RAMDISK_SIZE), 11); /* 5, padded to 8, 3 */
	rd = guest32(&r, zp + LX_RAMDISK_IMAGE);
	CHECK_EQ(guest64(&r, rd), 0x0000004141414141);
	CHECK_EQ(guest32(&r, rd + 8) & 0xffffff, 0x434343);
	CHECK_EQ(rd + 11 <= RAM && rd % 4096 == 0, 1);
	CHECK_EQ(guest64(&r, zp + LX_E820_TABLE + 40), MIB(1));
	CHECK_EQ(guest32(&r, guest64(&r, zp + LX_SETUP_DATA) + 8), LX_SETUP_RNG_SEED);
	/* The low 4 GiB are mapped one to one. */
	for (u64 va = 0; va < GIB(4); va += 0x12345678) {
		u64 e = guest64(&r, guest64(&r, r.st.cr3) & ~0xfffull);

		e = guest64(&r, (guest64(&r, (guest64(&r, r.st.cr3) & ~0xfffull) + (va >> 30) * 8) &
				 ~0xfffull) +
					(va >> 21 & 511) * 8);
		CHECK_EQ(e & ~0xfffull, va & ~0x1fffffull);
		CHECK_EQ(e & 0x83, 0x83);
	}
	rig_fini(&r);
}

static void t_linux32(void)
{
	struct rig r;

	CHECK(rig_init(&r, image, make_bzimage(0x204, 4096)));
	CHECK_EQ(rig_load(&r), 0);
	CHECK_EQ(r.format, BOOT_LINUX32);
	CHECK_EQ(r.st.rip, 0x100000);
	CHECK_EQ(r.st.cr0, 0x11);
	CHECK_EQ(r.st.seg[X86_CS].sel, 0x10);
	CHECK_EQ(r.st.seg[X86_DS].sel, 0x18);
	rig_fini(&r);
}

static void bad(const char *what, const char *expect, u64 len, u64 patch_at, unsigned n, u64 val)
{
	struct rig r;

	if (n)
		store_le(image + patch_at, n, val);
	CHECK(rig_init(&r, image, len));
	CHECK(rig_load(&r) < 0);
	if (!strstr(r.e.msg, expect) || !strstr(r.e.msg, "vmlinuz"))
		printf("# %s: %s\n", what, r.e.msg);
	CHECK(strstr(r.e.msg, expect));
	CHECK(strstr(r.e.msg, "vmlinuz"));
	rig_fini(&r);
}

static void t_linux_bad(void)
{
	bad("old", "too old", make_bzimage(0x203, 4096), 0, 0, 0);
	bad("cut", "truncated", make_bzimage(0x20f, 4096) - 4096, 0, 0, 0);
	bad("zimage", "zImage", make_bzimage(0x20f, 64), LX_LOADFLAGS, 1, 0);
	bad("huge", "does not fit", make_bzimage(0x20f, 64), LX_INIT_SIZE, 4, 0xffffffff);
	bad("far", "does not fit", make_bzimage(0x20f, 64), LX_PREF_ADDRESS, 8, ~0ull - 100);
	bad("low", "below 1 MiB", make_bzimage(0x20f, 64), LX_PREF_ADDRESS, 8, 0x1000);
	bad("jump", "header size", make_bzimage(0x20f, 64), LX_JUMP, 2, 0xffeb);
	bad("cmdline", "command line", make_bzimage(0x20f, 64), LX_CMDLINE_SIZE, 4, 4);
	bad("text", "not a kernel", 200, 0, 8, 0x6f6c6c6568);
	bad("empty", "empty", 0, 0, 0, 0);
}

/* An ELF64 file with one PT_LOAD at 2 MiB and one PT_NOTE. */
static u64 make_elf64(void)
{
	u8 *p = image + 64;

	memset(image, 0, sizeof(image));
	store_le32(image, ELF_MAGIC);
	image[ELF_CLASS] = ELF_CLASS64;
	image[ELF_DATA] = ELF_DATA_LE;
	store_le16(image + ELF_MACHINE, ELF_EM_X86_64);
	store_le64(image + ELF_ENTRY, 0xffffffff80200010);
	store_le64(image + ELF64_PHOFF, 64);
	store_le16(image + ELF64_PHENTSIZE, ELF64_PHDR_SIZE);
	store_le16(image + ELF64_PHNUM, 2);
	store_le32(p, ELF_PT_LOAD);
	store_le64(p + ELF64_P_OFFSET, 4096);
	store_le64(p + ELF64_P_VADDR, 0xffffffff80200000);
	store_le64(p + ELF64_P_PADDR, MIB(2));
	store_le64(p + ELF64_P_FILESZ, 4096);
	store_le64(p + ELF64_P_MEMSZ, 8192);
	p += ELF64_PHDR_SIZE;
	store_le32(p, ELF_PT_NOTE);
	store_le64(p + ELF64_P_OFFSET, 1024);
	store_le64(p + ELF64_P_FILESZ, 40);
	/* An unrelated note, then ours. */
	store_le32(image + 1024, 4);
	store_le32(image + 1028, 4);
	store_le32(image + 1032, 1);
	memcpy(image + 1036, "GNU", 4);
	store_le32(image + 1044, 4);
	store_le32(image + 1048, 4);
	store_le32(image + 1052, ELF_NOTE_XEN_PHYS32_ENTRY);
	memcpy(image + 1056, "Xen", 4);
	store_le32(image + 1060, 0x200040);
	memset(image + 4096, 0xf4, 4096);
	return 8192;
}

static void t_pvh(void)
{
	struct rig r;
	u64 info, mod;

	CHECK(rig_init(&r, image, make_elf64()));
	store_le64(image + 64 + ELF64_PHDR_SIZE + ELF64_P_FILESZ, 44);
	r.initrd[0] = (struct boot_blob){"rd", image, 100};
	r.rq.ninitrd = 1;
	/* Old contents must not show through the bss. */
	memset(gpa_ptr(&r.map, MIB(2), 8192, true), 0xaa, 8192);
	CHECK_EQ(rig_load(&r), 0);
	CHECK_EQ(r.format, BOOT_PVH);
	CHECK_EQ(r.st.rip, 0x200040);
	CHECK_EQ(guest32(&r, MIB(2)), 0xf4f4f4f4);
	CHECK_EQ(guest32(&r, MIB(2) + 4096), 0);
	info = r.st.gpr[X86_RBX];
	CHECK_EQ(guest32(&r, info), PVH_MAGIC);
	CHECK_EQ(guest32(&r, info + PVH_NR_MODULES), 1);
	mod = guest64(&r, info + PVH_MODLIST);
	CHECK_EQ(guest64(&r, mod + 8), 100);
	CHECK_EQ(guest32(&r, guest64(&r, mod)), ELF_MAGIC);
	CHECK_EQ(guest32(&r, info + PVH_MEMMAP_ENTRIES), 3);
	CHECK_EQ(guest64(&r, guest64(&r, info + PVH_MEMMAP) + 48), MIB(1));
	CHECK_EQ(guest64(&r, info + PVH_RSDP), 0xe0000);
	rig_fini(&r);
}

static void t_elf_bad(void)
{
	u64 ph = 64, n = make_elf64();

	bad("no note", "without", n, 1052, 4, 99);
	make_elf64();
	bad("machine", "architecture", n, ELF_MACHINE, 2, 183);
	make_elf64();
	bad("phoff", "outside", n, ELF64_PHOFF, 8, ~0ull - 8);
	make_elf64();
	bad("phnum", "too many", n, ELF64_PHNUM, 2, 0xffff);
	make_elf64();
	bad("filesz", "outside the file", n, ph + ELF64_P_OFFSET, 8, 4097);
	make_elf64();
	bad("memsz", "larger in the file", n, ph + ELF64_P_MEMSZ, 8, 1);
	make_elf64();
	bad("paddr", "does not fit", n, ph + ELF64_P_PADDR, 8, 0xfffffffffffff000);
	make_elf64();
	bad("wrap", "does not fit", n, ph + ELF64_P_MEMSZ, 8, ~0ull);
	make_elf64();
	bad("class", "class", n, ELF_CLASS, 1, 7);
	make_elf64();
	bad("cut", "truncated", 40, 0, 0, 0);
}

static void put_mb1(u64 at, u32 flags)
{
	store_le32(image + at, MB1_MAGIC);
	store_le32(image + at + 4, flags);
	store_le32(image + at + 8, -(MB1_MAGIC + flags));
}

static void t_multiboot1(void)
{
	struct rig r;
	u64 info, mods;

	CHECK(rig_init(&r, image, make_elf64()));
	put_mb1(4096, MB1_F_PAGE_ALIGN | MB1_F_MEMINFO);
	r.initrd[0] = (struct boot_blob){"mod one", image, 5000};
	r.initrd[1] = (struct boot_blob){"two", image, 3};
	r.rq.ninitrd = 2;
	CHECK_EQ(rig_load(&r), 0);
	CHECK_EQ(r.format, BOOT_MULTIBOOT1);
	CHECK_EQ(r.st.rip, MIB(2) + 0x10); /* the virtual entry's physical address */
	CHECK_EQ(r.st.gpr[X86_RAX], MB1_BOOT_MAGIC);
	info = r.st.gpr[X86_RBX];
	CHECK_EQ(guest32(&r, info + MB1I_MEM_UPPER), (RAM - MIB(1)) >> 10);
	CHECK_EQ(guest32(&r, info + MB1I_MMAP_LENGTH), 72);
	CHECK_EQ(guest32(&r, guest32(&r, info + MB1I_MMAP_ADDR)), 20);
	CHECK_EQ(guest32(&r, info + MB1I_MODS_COUNT), 2);
	mods = guest32(&r, info + MB1I_MODS_ADDR);
	CHECK_EQ(guest32(&r, mods + 4) - guest32(&r, mods), 5000);
	CHECK_EQ(guest32(&r, mods) % 4096, 0);
	CHECK_EQ(guest32(&r, guest32(&r, mods + 24)), 0x006f7774); /* "two" */
	CHECK(!strcmp(gpa_ptr(&r.map, guest32(&r, info + MB1I_CMDLINE), 64, false),
		      "vmlinuz console=ttyS0"));
	rig_fini(&r);
}

static void t_multiboot1_addresses(void)
{
	struct rig r;

	memset(image, 0xcc, 4096);
	put_mb1(64, MB1_F_ADDRESSES);
	store_le32(image + 64 + MB1_HEADER_ADDR, MIB(3) + 32);
	store_le32(image + 64 + MB1_LOAD_ADDR, MIB(3));
	store_le32(image + 64 + MB1_LOAD_END, 0);
	store_le32(image + 64 + MB1_BSS_END, MIB(3) + 8192);
	store_le32(image + 64 + MB1_ENTRY, MIB(3) + 4);
	CHECK(rig_init(&r, image, 4096));
	memset(gpa_ptr(&r.map, MIB(3), 8192, true), 0xaa, 8192);
	CHECK_EQ(rig_load(&r), 0);
	CHECK_EQ(r.st.rip, MIB(3) + 4);
	CHECK_EQ(guest32(&r, MIB(3) + 32), MB1_MAGIC);
	CHECK_EQ(guest32(&r, MIB(3) + 4064), 0); /* bss begins where the file ended */
	rig_fini(&r);
	bad("end", "truncated", 4096, 64 + MB1_LOAD_END, 4, MIB(4));
	bad("order", "bad load addresses", 4096, 64 + MB1_LOAD_ADDR, 4, MIB(4));
	put_mb1(64, 1 << 7);
	bad("flags", "unknown features", 4096, 0, 0, 0);
}

static void put_mb2(u64 at, unsigned tag, unsigned flags, u32 size)
{
	memset(image + at, 0, 16 + align_up(size, 8) + 8);
	store_le32(image + at, MB2_MAGIC);
	store_le32(image + at + 8, (u32)(16 + align_up(size, 8) + 8));
	store_le32(image + at + 12, -(MB2_MAGIC + load_le32(image + at + 8)));
	store_le16(image + at + 16, (u16)tag);
	store_le16(image + at + 18, (u16)flags);
	store_le32(image + at + 20, size);
	store_le32(image + at + 16 + align_up(size, 8) + 4, 8);
}

static void t_multiboot2(void)
{
	struct rig r;
	u64 info, at, end;
	unsigned seen = 0;

	CHECK(rig_init(&r, image, make_elf64()));
	put_mb2(4096, MB2_H_ENTRY, 0, 12);
	store_le32(image + 4096 + 24, MIB(2) + 0x80);
	r.initrd[0] = (struct boot_blob){"mod", image, 5000};
	r.rq.ninitrd = 1;
	CHECK_EQ(rig_load(&r), 0);
	CHECK_EQ(r.format, BOOT_MULTIBOOT2);
	CHECK_EQ(r.st.rip, MIB(2) + 0x80);
	CHECK_EQ(r.st.gpr[X86_RAX], MB2_BOOT_MAGIC);
	info = r.st.gpr[X86_RBX];
	end = info + guest32(&r, info);
	for (at = info + 8; at < end; at = align_up(at + guest32(&r, at + 4), 8)) {
		CHECK(guest32(&r, at + 4) >= 8);
		seen |= 1u << guest32(&r, at);
		if (guest32(&r, at) == MB2_I_MODULE)
			CHECK_EQ(guest32(&r, at + 12) - guest32(&r, at + 8), 5000);
	}
	CHECK_EQ(at, end);
	CHECK_EQ(seen, 1 << MB2_I_END | 1 << MB2_I_CMDLINE | 1 << MB2_I_LOADER | 1 << MB2_I_MODULE |
			       1 << MB2_I_MEMINFO | 1 << MB2_I_MMAP | 1 << MB2_I_ACPI_NEW);
	rig_fini(&r);
	put_mb2(4096, 77, 0, 8);
	bad("required", "requires feature 77", 8192, 0, 0, 0);
	put_mb2(4096, 77, MB2_H_OPTIONAL, 8);
	bad("size", "damaged", 8192, 4096 + 20, 4, 4);
}

/* "hello" x 20 through a dynamic block, made by gzip -9n. */
/* "abcabcabcabc" + "xyz": literals, a match that overlaps itself, last literals; then the size. */
static void t_lz4(void)
{
	static const u8 good[] = {0x02, 0x21, 0x4c, 0x18, 10,  0,   0,	 0,  0x35, 'a', 'b',
				  'c',	3,    0,    0x30, 'x', 'y', 'z', 15, 0,	   0,	0};
	u8 copy[sizeof(good)], *out = NULL;
	u64 n = 0;

	CHECK(boot_is_lz4(good, sizeof(good)));
	CHECK_EQ(boot_unlz4(good, sizeof(good), 100, &out, &n), 0);
	CHECK(n == 15 && !memcmp(out, "abcabcabcabcxyz", 15));
	free(out);
	CHECK_EQ(boot_unlz4(good, sizeof(good), 14, &out, &n), -E_2BIG);
	for (u64 i = 0; i < sizeof(good); i++)
		CHECK(boot_unlz4(good, i, 1 << 20, &out, &n) < 0);
	memcpy(copy, good, sizeof(good));
	copy[12] = 4; /* a match from before the block */
	CHECK_EQ(boot_unlz4(copy, sizeof(copy), 100, &out, &n), -E_INVAL);
	copy[12] = 0; /* from itself */
	CHECK_EQ(boot_unlz4(copy, sizeof(copy), 100, &out, &n), -E_INVAL);
	memcpy(copy, good, sizeof(good));
	copy[18] = 14; /* more comes out than is said */
	CHECK_EQ(boot_unlz4(copy, sizeof(copy), 100, &out, &n), -E_INVAL);
	memcpy(copy, good, sizeof(good));
	copy[4] = 0xff; /* a block longer than the file */
	CHECK_EQ(boot_unlz4(copy, sizeof(copy), 100, &out, &n), -E_INVAL);
}

static void t_gunzip(void)
{
	static const u8 stored[] = {0x1f, 0x8b, 8,   0,	  0,   0,    0,	   0,	 0,    3, 1, 3, 0,
				    0xfc, 0xff, 'a', 'b', 'c', 0xc2, 0x41, 0x24, 0x35, 3, 0, 0, 0};
	static const u8 fixed[] = {0x1f, 0x8b, 8,    0,	   0,	 0,    0,    0,
				   2,	 3,    0x4b, 0x4c, 0xa4, 0x3d, 0x00, 0x00,
				   0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
	u8 copy[sizeof(stored)], *out = NULL;
	u64 n = 0;

	CHECK_EQ(boot_gunzip(stored, sizeof(stored), 100, &out, &n), 0);
	CHECK_EQ(n, 3);
	CHECK(!memcmp(out, "abc", 3));
	free(out);
	CHECK_EQ(boot_gunzip(stored, sizeof(stored), 2, &out, &n), -E_2BIG);
	for (unsigned i = 0; i < sizeof(stored); i++)
		CHECK_EQ(boot_gunzip(stored, i, 100, &out, &n), -E_INVAL);
	memcpy(copy, stored, sizeof(copy));
	copy[15] ^= 1;
	CHECK_EQ(boot_gunzip(copy, sizeof(copy), 100, &out, &n), -E_INVAL); /* CRC */
	CHECK_EQ(boot_gunzip(fixed, sizeof(fixed), 1000, &out, &n), -E_INVAL);
}

/* Whatever gzip makes of an image comes back, and boots. */
static void t_gunzip_real(void)
{
	char dir[] = "/tmp/hull-gz-XXXXXX", cmd[200], path[64];
	static u8 zipped[sizeof(image)];
	struct rig r;
	u64 n = make_elf64();
	FILE *f;

	for (u64 i = 4096; i < n; i++)
		image[i] = (u8)(i * i >> 5);
	put_mb1(4096, 0);
	CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/k.gz", dir);
	snprintf(cmd, sizeof(cmd), "gzip -9 >%s", path);
	f = popen(cmd, "w");
	CHECK(f && fwrite(image, 1, n, f) == n && !pclose(f));
	f = fopen(path, "rb");
	CHECK(f);
	n = fread(zipped, 1, sizeof(zipped), f);
	fclose(f);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CHECK(!system(cmd));
	CHECK(rig_init(&r, zipped, n));
	CHECK_EQ(rig_load(&r), 0);
	CHECK_EQ(r.format, BOOT_MULTIBOOT1);
	CHECK(!memcmp(gpa_ptr(&r.map, MIB(2), 4096, false), image + 4096, 4096));
	rig_fini(&r);
	for (u64 cut = 0; cut < n; cut += 7) {
		CHECK(rig_init(&r, zipped, cut));
		CHECK(rig_load(&r) < 0);
		rig_fini(&r);
	}
}

static void t_no_room(void)
{
	struct rig r;

	CHECK(rig_init(&r, image, make_bzimage(0x20f, 4096)));
	r.initrd[0] = (struct boot_blob){"big.img", image, GIB(1)};
	r.rq.ninitrd = 1;
	CHECK_EQ(rig_load(&r), -E_NOMEM);
	CHECK(strstr(r.e.msg, "initrd"));
	CHECK(strstr(r.e.msg, "-m"));
	rig_fini(&r);
}

int main(void)
{
	RUN(t_linux64);
	RUN(t_linux32);
	RUN(t_linux_bad);
	RUN(t_pvh);
	RUN(t_elf_bad);
	RUN(t_multiboot1);
	RUN(t_multiboot1_addresses);
	RUN(t_multiboot2);
	RUN(t_gunzip);
	RUN(t_lz4);
	RUN(t_gunzip_real);
	RUN(t_no_room);
	return test_done();
}
