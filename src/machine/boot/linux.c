/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux bzImage. The real-mode part of the file is not run: its setup header is
 * copied into the zero page and the kernel is entered at its 64- or 32-bit
 * entry point (Documentation/x86/boot.rst).
 */
#include "machine/boot/internal.h"

#include <string.h>

struct linux_image {
	struct span file;
	unsigned version;
	u64 setup_len;	/* bytes of boot sector and setup in front of the kernel */
	u64 header_end; /* of the setup header, from the file's start */
	u64 load, init_size;
	u64 initrd_limit; /* exclusive */
	u64 cmdline_max;
	bool entry64;
};

enum { BZ_HEADER_MIN = LX_CMDLINE_SIZE, SECTOR = 512 };
#define BZ_LOAD_DEFAULT 0x100000u

bool boot_is_linux(const struct boot_blob *b)
{
	struct span s = span_of(b->data, b->len);

	return span_le16(&s, LX_BOOT_FLAG) == LX_MAGIC_BOOT_FLAG &&
	       span_le32(&s, LX_HEADER) == LX_MAGIC_HDRS;
}

static int image_parse(struct boot_job *j, struct linux_image *im)
{
	struct span *s = &im->file;
	unsigned sects;

	im->version = span_le16(s, LX_VERSION);
	sects = span_u8(s, LX_SETUP_SECTS);
	im->setup_len = ((sects ? sects : 4) + 1) * SECTOR;
	im->header_end = LX_HEADER + span_u8(s, LX_JUMP + 1);
	if (im->version < 0x204)
		return boot_bad(j, "boot protocol %u.%02u is too old, 2.04 is needed",
				im->version >> 8, im->version & 0xff);
	if (!(span_u8(s, LX_LOADFLAGS) & LX_LOADED_HIGH))
		return boot_bad(j, "a zImage; only bzImage kernels are supported");
	if (s->bad || im->setup_len >= s->len)
		return boot_bad(j, "truncated: %llu bytes, its setup alone has %llu",
				(unsigned long long)s->len, (unsigned long long)im->setup_len);
	/* syssize counts 16-byte paragraphs, the last one possibly partial. */
	if (s->len + 16 < im->setup_len + 16ULL * span_le32(s, LX_SYSSIZE))
		return boot_bad(
			j, "truncated: %llu bytes, its header promises %llu",
			(unsigned long long)s->len,
			(unsigned long long)(im->setup_len + 16ULL * span_le32(s, LX_SYSSIZE)));
	if (im->header_end < LX_CMD_LINE_PTR + 8 || im->header_end > LX_HEADER_MAX_END)
		return boot_bad(j, "bad setup header size (ends at 0x%llx)",
				(unsigned long long)im->header_end);
	return 0;
}

/* Fields that older protocols lack read as their documented defaults. */
static void image_limits(struct linux_image *im)
{
	struct span *s = &im->file;
	u64 kernel_len = s->len - im->setup_len;
	u64 align = im->version >= 0x205 ? span_le32(s, LX_KERNEL_ALIGNMENT) : 0;
	bool relocatable = im->version >= 0x205 && span_u8(s, LX_RELOCATABLE);

	im->load = BZ_LOAD_DEFAULT;
	im->init_size = kernel_len;
	if (im->version >= 0x20a) {
		if (relocatable)
			im->load = span_le64(s, LX_PREF_ADDRESS);
		im->init_size = max_u64(kernel_len, span_le32(s, LX_INIT_SIZE));
	} else if (relocatable && is_pow2(align)) {
		im->load = align_up(BZ_LOAD_DEFAULT, align);
	}
	im->entry64 = im->version >= 0x20c && span_le16(s, LX_XLOADFLAGS) & LX_XLF_KERNEL_64;
	im->initrd_limit = (u64)span_le32(s, LX_INITRD_ADDR_MAX) + 1;
	im->cmdline_max = im->version >= 0x206 ? span_le32(s, LX_CMDLINE_SIZE) : 255;
}

static int put_kernel(struct boot_job *j, struct linux_image *im)
{
	const struct boot_blob *k = &j->kernel;
	int err = boot_take(j, "the kernel", im->load, im->init_size);

	if (err)
		return err;
	return boot_put(j, im->load, k->data + im->setup_len, k->len - im->setup_len);
}

/* Concatenates the initrds, each starting at a multiple of 4 as cpio archives need. */
static int put_initrds(struct boot_job *j, const struct linux_image *im, u8 *zp)
{
	const struct boot_request *rq = j->rq;
	u64 total = 0, at;
	int err;

	for (unsigned i = 0; i < rq->ninitrd; i++)
		if (add_overflow(align_up(total, 4), rq->initrd[i].len, &total))
			return boot_bad(j, "the initrds are too large");
	if (!total)
		return 0;
	err = boot_take_high(j, "initrd", total, im->initrd_limit, &at);
	if (!err)
		err = boot_clear(j, at, total);
	store_le32(zp + LX_RAMDISK_IMAGE, (u32)at);
	store_le32(zp + LX_RAMDISK_SIZE, (u32)total);
	for (unsigned i = 0; !err && i < rq->ninitrd; i++) {
		at = align_up(at, 4);
		err = boot_put(j, at, rq->initrd[i].data, rq->initrd[i].len);
		at += rq->initrd[i].len;
	}
	return err;
}

static int put_seed(struct boot_job *j, const struct linux_image *im, u8 *zp)
{
	u8 node[LX_SETUP_DATA_HEADER + 32] = {0};

	if (!j->rq->seed || im->version < 0x209)
		return 0;
	store_le32(node + 8, LX_SETUP_RNG_SEED);
	store_le32(node + 12, 32);
	memcpy(node + LX_SETUP_DATA_HEADER, j->rq->seed, 32);
	store_le64(zp + LX_SETUP_DATA, BOOT_SETUP_DATA);
	return boot_put(j, BOOT_SETUP_DATA, node, sizeof(node));
}

static int put_e820(struct boot_job *j, u8 *zp)
{
	const struct boot_request *rq = j->rq;

	if (rq->ne820 > LX_E820_MAX)
		return boot_bad(j, "a memory map of %u entries is too long", rq->ne820);
	zp[LX_E820_ENTRIES] = (u8)rq->ne820;
	for (unsigned i = 0; i < rq->ne820; i++) {
		u8 *p = zp + LX_E820_TABLE + i * LX_E820_ENTRY_SIZE;

		store_le64(p, rq->e820[i].addr);
		store_le64(p + 8, rq->e820[i].size);
		store_le32(p + 16, rq->e820[i].type);
	}
	return 0;
}

static int put_zero_page(struct boot_job *j, const struct linux_image *im)
{
	u8 zp[LX_ZERO_PAGE_SIZE] = {0};
	int err;

	memcpy(zp + LX_SETUP_SECTS, j->kernel.data + LX_SETUP_SECTS,
	       im->header_end - LX_SETUP_SECTS);
	zp[LX_TYPE_OF_LOADER] = LX_LOADER_UNDEFINED;
	store_le32(zp + LX_CODE32_START, (u32)im->load);
	store_le32(zp + LX_CMD_LINE_PTR, BOOT_CMDLINE);
	store_le32(zp + LX_RAMDISK_IMAGE, 0);
	store_le32(zp + LX_RAMDISK_SIZE, 0);
	store_le64(zp + LX_SETUP_DATA, 0);
	store_le64(zp + LX_ACPI_RSDP_ADDR, j->rq->rsdp);
	err = put_e820(j, zp);
	if (!err)
		err = put_initrds(j, im, zp);
	if (!err)
		err = put_seed(j, im, zp);
	return err ? err : boot_put(j, BOOT_ZERO_PAGE, zp, sizeof(zp));
}

int boot_linux_payload(struct boot_job *j, struct boot_blob *payload)
{
	struct linux_image im = {.file = span_of(j->kernel.data, j->kernel.len)};
	int err = image_parse(j, &im);
	u64 at, len;

	if (err)
		return err;
	at = im.setup_len + span_le32(&im.file, LX_PAYLOAD_OFFSET);
	len = span_le32(&im.file, LX_PAYLOAD_LENGTH);
	if (im.version < 0x208 || !len || !range_inside(at, len, j->kernel.len))
		return boot_bad(j, "no kernel image inside it, which starting by PVH needs");
	*payload = (struct boot_blob){j->kernel.name, j->kernel.data + at, len};
	return 0;
}

int boot_linux_load(struct boot_job *j, enum boot_format *format)
{
	struct linux_image im = {.file = span_of(j->kernel.data, j->kernel.len)};
	int err = image_parse(j, &im);

	if (err)
		return err;
	image_limits(&im);
	err = put_kernel(j, &im);
	if (!err)
		err = boot_put_cmdline(j, im.cmdline_max);
	if (!err)
		err = put_zero_page(j, &im);
	if (!err)
		err = im.entry64 ? boot_cpu_flat64(j, im.load + LX_ENTRY64_OFFSET)
				 : boot_cpu_flat32(j, im.load);
	*format = im.entry64 ? BOOT_LINUX64 : BOOT_LINUX32;
	j->st->gpr[X86_RSI] = BOOT_ZERO_PAGE;
	return err;
}
