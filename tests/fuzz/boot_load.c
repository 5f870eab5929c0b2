/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot loaders of every format on hostile files. The first byte picks a format
 * whose magic numbers are then put in place, so that random bytes get past
 * the first check.
 */
#include "abi/elf.h"
#include "abi/multiboot.h"
#include "base/bits.h"
#include "base/endian.h"
#include "host/mem.h"
#include "machine/boot/boot.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void stamp(u8 *p, size_t n, u8 what)
{
	if (n < 0x300)
		return;
	if (what % 6 == 1) {
		store_le16(p + LX_BOOT_FLAG, LX_MAGIC_BOOT_FLAG);
		store_le32(p + LX_HEADER, LX_MAGIC_HDRS);
		store_le16(p + LX_VERSION, 0x204 + what / 6 % 12);
		p[LX_SETUP_SECTS] = 1;
		p[LX_JUMP + 1] = 0x60;
		p[LX_LOADFLAGS] |= LX_LOADED_HIGH;
		if (n > 1200) { /* an LZ4 payload, for `pvh` */
			store_le32(p + LX_PAYLOAD_OFFSET, 0);
			store_le32(p + LX_PAYLOAD_LENGTH, (u32)n - 1024);
			store_le32(p + 1024, 0x184c2102);
			store_le32(p + n - 4, load_le32(p + n - 4) & 0xfffff);
		}
	} else if (what % 6 == 2) {
		store_le32(p + 0x40, MB1_MAGIC);
		store_le32(p + 0x44, load_le32(p + 0x44) & ~0xfff8u);
		store_le32(p + 0x48, -(MB1_MAGIC + load_le32(p + 0x44)));
	} else if (what % 6 == 3) {
		store_le32(p + 0x40, MB2_MAGIC);
		store_le32(p + 0x44, 0);
		store_le32(p + 0x48, load_le32(p + 0x48) & 0x1f8);
		store_le32(p + 0x4c, -(MB2_MAGIC + load_le32(p + 0x48)));
	} else if (what % 6 == 4) {
		p[0] = 0x1f;
		p[1] = 0x8b;
		p[2] = 8;
		p[3] = 0;
	}
	if (what % 6 == 5 || (what % 6 < 4 && what & 0x80)) {
		store_le32(p, ELF_MAGIC);
		p[ELF_CLASS] = 1 + (what >> 6 & 1);
		p[ELF_DATA] = ELF_DATA_LE;
		store_le16(p + ELF_MACHINE, ELF_EM_386);
		store_le16(p + (what & 0x40 ? ELF64_PHNUM : ELF32_PHNUM), 1 + (what >> 4 & 3));
		store_le16(p + (what & 0x40 ? ELF64_PHENTSIZE : ELF32_PHENTSIZE), 56);
		store_le64(p + (what & 0x40 ? ELF64_PHOFF : ELF32_PHOFF), 0x80);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct e820_entry e820[] = {
		{0, 0xa0000, E820_RAM},
		{MIB(1), MIB(15), E820_RAM},
	};
	static struct mem *mem;
	static struct gpa_map map;
	static const u8 initrd[100];
	const struct boot_blob rd = {"rd", initrd, sizeof(initrd)};
	struct boot_request rq = {.map = &map,
				  .kernel = {.name = "k"},
				  .initrd = &rd,
				  .cmdline = "x",
				  .e820 = e820,
				  .ne820 = 2,
				  .pvh = size && data[0] & 1};
	struct x86_state st;
	struct err e = {0};
	u8 *copy;

	if (!mem && (mem_create("fuzz", MIB(16), &mem, NULL) ||
		     mem_map(mem, &map, 0, 0, MIB(16), false, NULL)))
		abort();
	if (size < 1)
		return 0;
	copy = malloc(size); /* exact size, so that a sanitizer sees overruns */
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	stamp(copy, size, data[0]);
	rq.kernel.data = copy;
	rq.kernel.len = size;
	rq.ninitrd = data[0] & 1;
	memset(&st, 0, sizeof(st));
	if (boot_load(&rq, &st, NULL, &e) && (!e.msg[0] || strchr(e.msg, '\n')))
		abort(); /* a failure says what is wrong, in one line */
	free(copy);
	return 0;
}
