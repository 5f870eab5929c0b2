/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/boot/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOT_GUNZIP_MAX MIB(512)

int boot_bad(struct boot_job *j, const char *fmt, ...)
{
	char why[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_set(j->e, E_INVAL, "kernel %s: %s", j->rq->kernel.name, why);
}

static bool range_is_taken(const struct boot_job *j, u64 addr, u64 size, u64 *conflict)
{
	for (unsigned i = 0; i < j->ntaken; i++) {
		const struct boot_range *t = &j->taken[i];

		if (addr < t->addr + t->size && t->addr < addr + size) {
			*conflict = t->addr;
			return true;
		}
	}
	return false;
}

static int range_take(struct boot_job *j, const char *what, u64 addr, u64 size)
{
	if (j->ntaken == ARRAY_LEN(j->taken))
		return boot_bad(j, "too many pieces to load (%s is one too many)", what);
	j->taken[j->ntaken++] = (struct boot_range){addr, size};
	return 0;
}

int boot_take(struct boot_job *j, const char *what, u64 addr, u64 size)
{
	u64 other;

	if (!size)
		return 0;
	if (addr < BOOT_KERNEL_MIN &&
	    !(j->low_kernel && addr >= BOOT_STACK && addr <= BOOT_INFO && size <= BOOT_INFO - addr))
		return boot_bad(j, "%s wants address 0x%llx, below 1 MiB", what,
				(unsigned long long)addr);
	for (unsigned i = 0; i < j->rq->ne820; i++) {
		const struct e820_entry *r = &j->rq->e820[i];

		if (r->type != E820_RAM || addr < r->addr || addr + size > GIB(4) ||
		    !range_inside(addr - r->addr, size, r->size))
			continue;
		if (range_is_taken(j, addr, size, &other))
			return boot_bad(j, "%s overlaps another part at 0x%llx", what,
					(unsigned long long)other);
		return range_take(j, what, addr, size);
	}
	return boot_bad(j,
			"%s (0x%llx bytes at 0x%llx) does not fit in the guest's memory; "
			"give it more with -m",
			what, (unsigned long long)size, (unsigned long long)addr);
}

/* The highest free place in [lo, hi) for size bytes, or 0. */
static u64 highest_fit(const struct boot_job *j, u64 lo, u64 hi, u64 size)
{
	u64 other;

	while (hi >= size && hi - size >= lo) {
		u64 at = align_down(hi - size, GPA_PAGE_SIZE);

		if (at < lo)
			break;
		if (!range_is_taken(j, at, size, &other))
			return at;
		hi = other;
	}
	return 0;
}

static u64 lowest_fit(const struct boot_job *j, u64 lo, u64 hi, u64 size)
{
	u64 at = align_up(lo, GPA_PAGE_SIZE), other;

	for (unsigned tries = 0; at < hi && hi - at >= size && tries <= j->ntaken; tries++) {
		if (!range_is_taken(j, at, size, &other))
			return at;
		for (unsigned i = 0; i < j->ntaken; i++)
			if (j->taken[i].addr == other)
				at = align_up(other + j->taken[i].size, GPA_PAGE_SIZE);
	}
	return 0;
}

static int take_fit(struct boot_job *j, const char *what, u64 size, u64 limit, bool high, u64 *addr)
{
	u64 at = 0;

	limit = min_u64(limit, GIB(4));
	for (unsigned i = 0; i < j->rq->ne820; i++) {
		const struct e820_entry *r = &j->rq->e820[i];
		u64 lo = max_u64(r->addr, BOOT_KERNEL_MIN), hi = min_u64(r->addr + r->size, limit);
		u64 fit;

		if (r->type != E820_RAM || lo >= hi || (at && !high))
			continue;
		fit = high ? highest_fit(j, lo, hi, size) : lowest_fit(j, lo, hi, size);
		at = fit ? fit : at;
	}
	if (!at)
		return err_set(j->e, E_NOMEM,
			       "%s: %llu bytes do not fit in the guest's memory below 0x%llx; "
			       "give it more with -m",
			       what, (unsigned long long)size, (unsigned long long)limit);
	*addr = at;
	return range_take(j, what, at, size);
}

int boot_take_high(struct boot_job *j, const char *what, u64 size, u64 limit, u64 *addr)
{
	return take_fit(j, what, size, limit, true, addr);
}

int boot_take_low(struct boot_job *j, const char *what, u64 size, u64 limit, u64 *addr)
{
	return take_fit(j, what, size, limit, false, addr);
}

int boot_put(struct boot_job *j, u64 addr, const void *data, u64 len)
{
	void *p = gpa_ptr(j->rq->map, addr, len, true);

	if (!len)
		return 0;
	if (!p)
		return boot_bad(j, "no memory at 0x%llx", (unsigned long long)addr);
	memcpy(p, data, len);
	gpa_written(j->rq->map, addr, len);
	return 0;
}

int boot_clear(struct boot_job *j, u64 addr, u64 len)
{
	void *p = gpa_ptr(j->rq->map, addr, len, true);

	if (!len)
		return 0;
	if (!p)
		return boot_bad(j, "no memory at 0x%llx", (unsigned long long)addr);
	memset(p, 0, len);
	gpa_written(j->rq->map, addr, len);
	return 0;
}

int boot_put_cmdline(struct boot_job *j, u64 max)
{
	u64 len = strlen(j->rq->cmdline);

	max = min_u64(max, BOOT_CMDLINE_MAX);
	if (len > max)
		return boot_bad(j, "the command line has %llu characters, it takes at most %llu",
				(unsigned long long)len, (unsigned long long)max);
	return boot_put(j, BOOT_CMDLINE, j->rq->cmdline, len + 1);
}

int boot_put_named_cmdline(struct boot_job *j)
{
	const char *name = j->rq->kernel.name;
	u64 namelen = strlen(name), len = strlen(j->rq->cmdline);
	int err;

	if (namelen + 1 + len > BOOT_CMDLINE_MAX)
		return boot_bad(j, "the command line is longer than %u characters",
				BOOT_CMDLINE_MAX);
	err = boot_put(j, BOOT_CMDLINE, name, namelen);
	if (!err)
		err = boot_put(j, BOOT_CMDLINE + namelen, " ", 1);
	return err ? err : boot_put(j, BOOT_CMDLINE + namelen + 1, j->rq->cmdline, len + 1);
}

int boot_put_modules(struct boot_job *j, struct boot_range *mods)
{
	for (unsigned i = 0; i < j->rq->ninitrd; i++) {
		const struct boot_blob *b = &j->rq->initrd[i];
		int err;

		mods[i].size = b->len;
		err = boot_take_low(j, b->name, max_u64(b->len, 1), GIB(4), &mods[i].addr);
		if (!err)
			err = boot_put(j, mods[i].addr, b->data, b->len);
		if (err)
			return err;
	}
	return 0;
}

const char *boot_format_name(enum boot_format f)
{
	static const char *const name[] = {
		[BOOT_LINUX64] = "Linux, 64-bit entry",
		[BOOT_LINUX32] = "Linux, 32-bit entry",
		[BOOT_PVH] = "ELF, PVH",
		[BOOT_MULTIBOOT1] = "multiboot 1",
		[BOOT_MULTIBOOT2] = "multiboot 2",
	};

	return name[f];
}

static int load_by_content(struct boot_job *j, enum boot_format *f)
{
	s64 header;

	if (boot_is_linux(&j->kernel))
		return boot_linux_load(j, f);
	header = boot_mb2_find(&j->kernel);
	if (header >= 0) {
		*f = BOOT_MULTIBOOT2;
		return boot_mb2_load(j, (u64)header);
	}
	header = boot_mb1_find(&j->kernel);
	if (header >= 0) {
		*f = BOOT_MULTIBOOT1;
		return boot_mb1_load(j, (u64)header);
	}
	if (boot_is_elf(&j->kernel)) {
		*f = BOOT_PVH;
		return boot_pvh_load(j);
	}
	return boot_bad(j, "not a kernel: neither bzImage, multiboot nor ELF");
}

/* gzip's magic, RFC 1952 section 2.3.1; method 8 is deflate. */
static bool is_gzip(const struct boot_blob *b)
{
	return b->len > 18 && b->data[0] == 0x1f && b->data[1] == 0x8b && b->data[2] == 8;
}

/* The kernel becomes what is compressed in `from`; *plain is to be freed after loading. */
static int unpack(struct boot_job *j, const struct boot_blob *from, u8 **plain)
{
	int err =
		boot_is_lz4(from->data, from->len)
			? boot_unlz4(from->data, from->len, BOOT_GUNZIP_MAX, plain, &j->kernel.len)
			: boot_gunzip(from->data, from->len, BOOT_GUNZIP_MAX, plain,
				      &j->kernel.len);

	if (err)
		return boot_bad(j, "%s",
				err == -E_2BIG	  ? "decompresses to more than 512 MiB"
				: err == -E_NOMEM ? "no memory to decompress it"
				: is_gzip(from)	  ? "damaged gzip file"
						: "damaged, or compressed by neither gzip nor LZ4");
	j->kernel.data = *plain;
	return 0;
}

static int load(struct boot_job *j, enum boot_format *f)
{
	struct boot_blob payload;
	u8 *plain = NULL, *inner = NULL;
	int err = 0;

	if (!j->kernel.len)
		return boot_bad(j, "the file is empty");
	if (j->rq->ninitrd > BOOT_INITRD_MAX)
		return err_set(j->e, E_2BIG, "%u initrds, at most %u are possible", j->rq->ninitrd,
			       BOOT_INITRD_MAX);
	if (is_gzip(&j->kernel))
		err = unpack(j, &j->kernel, &plain);
	if (!err && j->rq->pvh && boot_is_linux(&j->kernel)) {
		err = boot_linux_payload(j, &payload);
		if (!err)
			err = unpack(j, &payload, &inner);
	}
	if (!err)
		err = load_by_content(j, f);
	free(inner);
	free(plain);
	return err;
}

int boot_load(const struct boot_request *rq, struct x86_state *st, enum boot_format *format,
	      struct err *e)
{
	struct boot_job j = {.rq = rq, .kernel = rq->kernel, .st = st, .e = e};
	enum boot_format f = BOOT_LINUX64;
	int err = load(&j, &f);

	if (!err && format)
		*format = f;
	return err;
}
