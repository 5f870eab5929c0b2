// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: everything hull-metal reads before a guest runs. Byte 0 picks the
 * parser: configuration, multiboot2, PVH, an archive of modules, ACPI tables.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/multiboot.h"
#include "base/bits.h"
#include "metal/bootinfo.h"
#include "metal/config.h"
#include "metal/hostacpi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct window {
	const u8 *p;
	u64 len;
};

static const u8 *at(void *opaque, u64 addr, u64 len)
{
	const struct window *w = opaque;

	return range_inside(addr, len, w->len) ? w->p + addr : NULL;
}

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void fuzz_config(const u8 *p, size_t n)
{
	static struct config c;
	char *text = malloc(n + 1);

	memcpy(text, p, n); /* of the exact size, for the sanitizer */
	config_parse(text, n, &c, NULL, NULL);
	free(text);
	require(c.nguests <= CONFIG_GUESTS_MAX);
	for (unsigned i = 0; i < c.nguests; i++)
		require(c.guest[i].bad || (c.guest[i].kernel[0] && c.guest[i].cpus));
}

static void fuzz_loader(u32 magic, struct window *w)
{
	static struct bootinfo b;
	const struct boot_memory m = {at, w};

	if (bootinfo_parse(magic, 0, &m, &b))
		return;
	bootinfo_check(&b, 0x1000, 0x2000, w->len);
	for (unsigned i = 0; i < b.nmodules; i++)
		require(b.module[i].bad ||
			range_inside(b.module[i].addr, b.module[i].size, w->len));
}

static void fuzz_archive(const u8 *p, size_t n)
{
	static struct bootinfo b;
	const struct boot_module m = {.data = p, .size = n};

	memset(&b, 0, sizeof(b));
	bootinfo_unpack(&b, &m);
	for (unsigned i = 0; i < b.nmodules; i++)
		require(range_inside((u64)(b.module[i].data - p), b.module[i].size, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct window w = {data + 1, size - 1};
	const struct boot_memory m = {at, &w};
	struct bootinfo b = {.rsdp = 0};
	struct hostacpi a;

	if (size < 64)
		return 0;
	switch (data[0] % 5) {
	case 0:
		fuzz_config(w.p, w.len);
		break;
	case 1:
		fuzz_loader(MB2_BOOT_MAGIC, &w);
		break;
	case 2:
		fuzz_loader(0, &w);
		break;
	case 3:
		fuzz_archive(w.p, w.len);
		break;
	default:
		hostacpi_parse(&b, &m, &a);
		require(a.ncpus <= HOSTACPI_CPUS_MAX);
	}
	return 0;
}
