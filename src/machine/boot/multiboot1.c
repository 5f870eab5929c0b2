/* SPDX-License-Identifier: Apache-2.0 */
/* Multiboot 1 (Multiboot Specification 0.6.96), kernels as ELF or by address fields. */
#include "machine/boot/internal.h"

#include "abi/multiboot.h"

#include <string.h>

s64 boot_mb1_find(const struct boot_blob *b)
{
	struct span s = span_of(b->data, min_u64(b->len, MB1_SEARCH));

	for (u64 at = 0; at + MB1_HEADER_MIN <= s.len; at += 4) {
		u32 magic = span_le32(&s, at), flags = span_le32(&s, at + MB1_FLAGS);

		if (magic == MB1_MAGIC && magic + flags + span_le32(&s, at + MB1_CHECKSUM) == 0)
			return (s64)at;
	}
	return -1;
}

/* The "a.out kludge": the header says what to load where (section 3.1.3). */
static int load_by_addresses(struct boot_job *j, u64 header, struct boot_elf *img)
{
	struct span s = span_of(j->kernel.data, j->kernel.len);
	u64 header_addr = span_le32(&s, header + MB1_HEADER_ADDR);
	u64 load = span_le32(&s, header + MB1_LOAD_ADDR);
	u64 end = span_le32(&s, header + MB1_LOAD_END);
	u64 bss_end = span_le32(&s, header + MB1_BSS_END);
	u64 offset = header - (header_addr - load);
	int err;

	*img = (struct boot_elf){.entry = span_le32(&s, header + MB1_ENTRY), .lowest = load};
	if (s.bad || load > header_addr || header_addr - load > header)
		return boot_bad(j, "bad load addresses in the multiboot header");
	end = end ? end : load + (s.len - offset);
	bss_end = max_u64(bss_end, end);
	if (end < load || !range_inside(offset, end - load, s.len))
		return boot_bad(j, "truncated: the multiboot header wants more than the file has");
	err = boot_take(j, "the kernel", load, bss_end - load);
	if (!err)
		err = boot_put(j, load, j->kernel.data + offset, end - load);
	return err ? err : boot_clear(j, end, bss_end - end);
}

/* Modules' descriptors and strings, then the memory map, behind the information block. */
static int put_modules(struct boot_job *j, u8 *info, u64 *at)
{
	struct boot_range mods[BOOT_INITRD_MAX];
	const struct boot_request *rq = j->rq;
	u64 string = *at + (u64)rq->ninitrd * MB1_MOD_SIZE;
	int err = boot_put_modules(j, mods);

	store_le32(info + MB1I_MODS_COUNT, rq->ninitrd);
	store_le32(info + MB1I_MODS_ADDR, (u32)*at);
	for (unsigned i = 0; !err && i < rq->ninitrd; i++) {
		u64 len = strlen(rq->initrd[i].name) + 1;
		u8 mod[MB1_MOD_SIZE] = {0};

		if (string + len > BOOT_INFO + BOOT_INFO_MAX / 2)
			return boot_bad(j, "the module names are too long");
		store_le32(mod, (u32)mods[i].addr);
		store_le32(mod + 4, (u32)(mods[i].addr + mods[i].size));
		store_le32(mod + 8, (u32)string);
		err = boot_put(j, *at + (u64)i * MB1_MOD_SIZE, mod, sizeof(mod));
		if (!err)
			err = boot_put(j, string, rq->initrd[i].name, len);
		string += len;
	}
	*at = align_up(string, 16);
	return err;
}

static int put_memory_map(struct boot_job *j, u8 *info, u64 *at)
{
	const struct boot_request *rq = j->rq;
	int err = 0;

	store_le32(info + MB1I_MMAP_ADDR, (u32)*at);
	store_le32(info + MB1I_MMAP_LENGTH, rq->ne820 * MB1_MMAP_SIZE);
	for (unsigned i = 0; !err && i < rq->ne820; i++, *at += MB1_MMAP_SIZE) {
		u8 entry[MB1_MMAP_SIZE];

		store_le32(entry, MB1_MMAP_SIZE - 4);
		store_le64(entry + 4, rq->e820[i].addr);
		store_le64(entry + 12, rq->e820[i].size);
		store_le32(entry + 20, rq->e820[i].type);
		err = boot_put(j, *at, entry, sizeof(entry));
	}
	return err;
}

void boot_memory_kib(const struct boot_request *rq, u32 *lower, u32 *upper)
{
	*lower = *upper = 0;
	for (unsigned i = 0; i < rq->ne820; i++) {
		const struct e820_entry *r = &rq->e820[i];

		if (r->type != E820_RAM)
			continue;
		if (r->addr == 0)
			*lower = (u32)(min_u64(r->size, KIB(640)) >> 10);
		if (r->addr == MIB(1))
			*upper = (u32)(r->size >> 10);
	}
}

static int put_info(struct boot_job *j)
{
	static const char loader[] = "hull";
	u8 info[MB1I_SIZE] = {0};
	u64 at = BOOT_INFO + 128;
	u32 lower, upper;
	int err;

	boot_memory_kib(j->rq, &lower, &upper);
	store_le32(info + MB1I_FLAGS, MB1I_HAS_MEM | MB1I_HAS_CMDLINE | MB1I_HAS_MODS |
					      MB1I_HAS_MMAP | MB1I_HAS_LOADER);
	store_le32(info + MB1I_MEM_LOWER, lower);
	store_le32(info + MB1I_MEM_UPPER, upper);
	store_le32(info + MB1I_CMDLINE, BOOT_CMDLINE);
	store_le32(info + MB1I_LOADER_NAME, (u32)at);
	err = boot_put(j, at, loader, sizeof(loader));
	at += 16;
	if (!err)
		err = put_modules(j, info, &at);
	if (!err)
		err = put_memory_map(j, info, &at);
	return err ? err : boot_put(j, BOOT_INFO, info, sizeof(info));
}

int boot_mb1_load(struct boot_job *j, u64 header)
{
	struct span s = span_of(j->kernel.data, j->kernel.len);
	u32 flags = span_le32(&s, header + MB1_FLAGS);
	struct boot_elf img;
	int err;

	if (flags & 0xffff & ~MB1_F_KNOWN)
		return boot_bad(j, "its multiboot header requires unknown features (flags 0x%x)",
				flags);
	/* GRUB prefers the ELF headers when there are both only on 64-bit; the
	 * specification lets the address fields win. */
	/* Real-mode code; multiboot needs no page tables there. */
	j->low_kernel = true;
	err = flags & MB1_F_ADDRESSES ? load_by_addresses(j, header, &img) : boot_elf_load(j, &img);
	if (!err)
		err = boot_put_named_cmdline(j);
	if (!err)
		err = put_info(j);
	if (!err)
		err = boot_cpu_flat32(j, img.entry);
	j->st->gpr[X86_RAX] = MB1_BOOT_MAGIC;
	j->st->gpr[X86_RBX] = BOOT_INFO;
	return err;
}
