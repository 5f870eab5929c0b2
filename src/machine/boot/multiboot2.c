/* SPDX-License-Identifier: Apache-2.0 */
/* Multiboot 2 (Multiboot2 Specification 2.0), kernels as ELF or by address tag. */
#include "machine/boot/internal.h"

#include "abi/multiboot.h"

#include <string.h>

struct mb2_header {
	struct span file;
	u64 at, end; /* of the header */
	u64 address; /* offset of the address tag, 0 = none */
	u64 entry;   /* from the entry tag */
	bool has_entry, relocatable;
};

s64 boot_mb2_find(const struct boot_blob *b)
{
	struct span s = span_of(b->data, min_u64(b->len, MB2_SEARCH));

	for (u64 at = 0; at + MB2_HEADER_MIN <= s.len; at += 8) {
		u32 sum = 0;

		if (span_le32(&s, at) != MB2_MAGIC)
			continue;
		for (unsigned i = 0; i < 4; i++)
			sum += span_le32(&s, at + i * 4);
		if (!sum)
			return (s64)at;
	}
	return -1;
}

/* Header tags, section 3.1.3 and following. */
static int header_tag(struct boot_job *j, struct mb2_header *h, u64 at, unsigned type, bool must)
{
	switch (type) {
	case MB2_H_ADDRESS:
		h->address = at;
		return 0;
	case MB2_H_ENTRY:
		h->entry = span_le32(&h->file, at + 8);
		h->has_entry = true;
		return 0;
	case MB2_H_RELOCATABLE:
		h->relocatable = true;
		return 0;
	case MB2_H_INFO_REQUEST:
	case MB2_H_CONSOLE:
	case MB2_H_MODULE_ALIGN:
	case MB2_H_EFI_BS:
	case MB2_H_ENTRY_EFI32:
	case MB2_H_ENTRY_EFI64:
		return 0;
	default:
		if (!must)
			return 0;
		return boot_bad(j, "its multiboot 2 header requires feature %u, which is unknown",
				type);
	}
}

static int header_parse(struct boot_job *j, struct mb2_header *h)
{
	struct span *s = &h->file;
	u64 at = h->at + MB2_HEADER_MIN;
	int err;

	if (span_le32(s, h->at + 4))
		return boot_bad(j, "its multiboot 2 header is for another architecture");
	h->end = h->at + span_le32(s, h->at + 8);
	while (at + 8 <= h->end) {
		unsigned type = span_le16(s, at), flags = span_le16(s, at + 2);
		u32 size = span_le32(s, at + 4);

		if (s->bad || size < 8 || size > h->end - at)
			break;
		if (type == MB2_H_END)
			return 0;
		err = header_tag(j, h, at, type, !(flags & MB2_H_OPTIONAL));
		if (err)
			return err;
		at += align_up(size, 8);
	}
	return boot_bad(j, "damaged multiboot 2 header");
}

static int load_by_addresses(struct boot_job *j, struct mb2_header *h, struct boot_elf *img)
{
	struct span *s = &h->file;
	u64 header_addr = span_le32(s, h->address + 8), load = span_le32(s, h->address + 12);
	u64 end = span_le32(s, h->address + 16), bss_end = span_le32(s, h->address + 20);
	u64 offset;
	int err;

	if (load == ~0u) /* "from the file's beginning" */
		load = header_addr - h->at;
	offset = h->at - (header_addr - load);
	if (s->bad || load > header_addr || header_addr - load > h->at || !h->has_entry)
		return boot_bad(j, "bad load addresses in the multiboot 2 header");
	end = end ? end : load + (s->len - offset);
	bss_end = max_u64(bss_end, end);
	if (end < load || !range_inside(offset, end - load, s->len))
		return boot_bad(j, "truncated: the multiboot header wants more than the file has");
	*img = (struct boot_elf){.lowest = load};
	err = boot_take(j, "the kernel", load, bss_end - load);
	if (!err)
		err = boot_put(j, load, j->kernel.data + offset, end - load);
	return err ? err : boot_clear(j, end, bss_end - end);
}

/* The information block is built here and copied out once. */
struct info {
	u8 buf[BOOT_INFO_MAX / 2];
	u64 len;
	bool full;
};

/* A tag's payload of `size` bytes to fill in, or NULL when the block is full. */
static u8 *info_tag(struct info *in, u32 type, u64 size)
{
	u8 *p = in->buf + in->len;

	if (!range_inside(in->len, size + 16, sizeof(in->buf))) {
		in->full = true;
		return NULL;
	}
	store_le32(p, type);
	store_le32(p + 4, (u32)(size + 8));
	in->len = align_up(in->len + size + 8, 8);
	return p + 8;
}

static void info_bytes(struct info *in, u32 type, const void *data, u64 len)
{
	u8 *p = info_tag(in, type, len);

	if (p)
		memcpy(p, data, len);
}

static void info_memory(struct info *in, const struct boot_request *rq)
{
	u32 lower, upper;
	u8 *p = info_tag(in, MB2_I_MEMINFO, 8);

	boot_memory_kib(rq, &lower, &upper);
	if (p) {
		store_le32(p, lower);
		store_le32(p + 4, upper);
	}
	p = info_tag(in, MB2_I_MMAP, 8 + rq->ne820 * 24ull);
	if (!p)
		return;
	store_le32(p, 24);
	for (unsigned i = 0; i < rq->ne820; i++) {
		store_le64(p + 8 + i * 24, rq->e820[i].addr);
		store_le64(p + 16 + i * 24, rq->e820[i].size);
		store_le32(p + 24 + i * 24, rq->e820[i].type);
	}
}

static int info_modules(struct boot_job *j, struct info *in)
{
	struct boot_range mods[BOOT_INITRD_MAX];
	int err = boot_put_modules(j, mods);

	for (unsigned i = 0; !err && i < j->rq->ninitrd; i++) {
		const char *name = j->rq->initrd[i].name;
		u8 *p = info_tag(in, MB2_I_MODULE, 8 + strlen(name) + 1);

		if (!p)
			break;
		store_le32(p, (u32)mods[i].addr);
		store_le32(p + 4, (u32)(mods[i].addr + mods[i].size));
		memcpy(p + 8, name, strlen(name) + 1);
	}
	return err;
}

/* The whole root pointer travels in the tag (section 3.6.12). */
static void info_rsdp(struct info *in, const struct boot_request *rq)
{
	u8 rsdp[36];

	if (rq->rsdp && !gpa_read(rq->map, rq->rsdp, rsdp, sizeof(rsdp)))
		info_bytes(in, MB2_I_ACPI_NEW, rsdp, sizeof(rsdp));
}

static int put_info(struct boot_job *j, const struct mb2_header *h, const struct boot_elf *img)
{
	struct info in = {.len = 8};
	const char *cmdline = gpa_ptr(j->rq->map, BOOT_CMDLINE, BOOT_CMDLINE_MAX + 1, false);
	u8 *p;
	int err;

	if (!cmdline)
		return boot_bad(j, "no memory for the command line");
	info_bytes(&in, MB2_I_CMDLINE, cmdline, strnlen(cmdline, BOOT_CMDLINE_MAX) + 1);
	info_bytes(&in, MB2_I_LOADER, "hull", 5);
	info_memory(&in, j->rq);
	info_rsdp(&in, j->rq);
	p = h->relocatable ? info_tag(&in, MB2_I_LOAD_BASE, 4) : NULL;
	if (p)
		store_le32(p, (u32)img->lowest);
	err = info_modules(j, &in);
	if (err)
		return err;
	info_tag(&in, MB2_I_END, 0);
	if (in.full)
		return boot_bad(j, "command line and module names are too long for multiboot");
	store_le32(in.buf, (u32)in.len);
	return boot_put(j, BOOT_INFO, in.buf, in.len);
}

int boot_mb2_load(struct boot_job *j, u64 header)
{
	struct mb2_header h = {.file = span_of(j->kernel.data, j->kernel.len), .at = header};
	struct boot_elf img;
	int err = header_parse(j, &h);

	if (!err)
		err = h.address ? load_by_addresses(j, &h, &img) : boot_elf_load(j, &img);
	if (!err)
		err = boot_put_named_cmdline(j);
	if (!err)
		err = put_info(j, &h, &img);
	if (err)
		return err;
	err = boot_cpu_flat32(j, h.has_entry ? h.entry : img.entry);
	j->st->gpr[X86_RAX] = MB2_BOOT_MAGIC;
	j->st->gpr[X86_RBX] = BOOT_INFO;
	return err;
}
