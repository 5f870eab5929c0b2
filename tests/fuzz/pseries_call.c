/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that hammers a pseries machine with hypercalls, RTAS calls and device
 * accesses of random arguments, and kernels made of random bytes. The input is a
 * list of calls; small numbers are turned into ones that reach something.
 */
#include "machine/pseries_internal.h"

#include "base/bits.h"
#include "base/endian.h"
#include "tests/ppc_fake.h"

#include <stdlib.h>
#include <string.h>

#define ARGS 0x4000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static u8 kernel[512];

static void on_event(void *opaque, enum board_event ev, u32 value)
{
}

static struct board *machine(void)
{
	static struct io_block disk = {.size = 512, .block_size = 512};
	static struct loop *loop;
	struct board_config cfg = {.engine = &fake_ops,
				   .ncpus = 2,
				   .memory = MIB(128),
				   .kernel = {"k", kernel, sizeof(kernel)},
				   .disk = {&disk},
				   .ndisks = 1,
				   .event = on_event};
	struct board *b = NULL;

	memcpy(kernel, "\177ELF\2\1\1", 7);
	store_le16(kernel + 18, 21);
	store_le64(kernel + 32, 64);
	store_le16(kernel + 54, 56);
	store_le16(kernel + 56, 1);
	store_le32(kernel + 64, 1);
	store_le64(kernel + 64 + 40, 4096);
	if (loop_create(&loop, NULL))
		abort();
	cfg.loop = loop;
	if (board_pseries.create(&cfg, &b, NULL))
		abort();
	return b;
}

struct input {
	const u8 *p;
	size_t n;
};

static u64 take(struct input *in, unsigned bytes)
{
	u8 buf[8] = {0};

	bytes = (unsigned)min_u64(bytes, in->n);
	memcpy(buf, in->p, bytes);
	in->p += bytes;
	in->n -= bytes;
	return load_le64(buf);
}

/* An argument: a small number, one of the machine's, or anything. */
static u64 argument(struct input *in)
{
	static const u64 known[] = {PSERIES_VTY_UNIT,
				    ARGS,
				    PSERIES_BUID >> 32,
				    (u32)PSERIES_BUID,
				    1 << 11,
				    PSERIES_IRQ_VTY,
				    PSERIES_IRQ_MSI + PSERIES_MSIS,
				    MIB(128) - 4096,
				    PSERIES_PCI_MEM,
				    ~0ull};
	u8 how = (u8)take(in, 1);

	if (how & 0x80)
		return take(in, 8);
	if (how & 0x40)
		return known[how % ARRAY_LEN(known)];
	return how & 0x3f;
}

static void rtas(struct board *b, struct input *in)
{
	u32 nargs = (u32)take(in, 1) % 20, nret = (u32)take(in, 1) % 20;
	u64 r[PPC_HCALL_REGS] = {H_RTAS, ARGS};
	u8 w[4];

	store_be32(w, 0x2000 + (u32)take(in, 1) % 30);
	gpa_write(b->map, ARGS, w, 4);
	store_be32(w, nargs);
	gpa_write(b->map, ARGS + 4, w, 4);
	store_be32(w, nret);
	gpa_write(b->map, ARGS + 8, w, 4);
	for (u32 i = 0; i < nargs; i++) {
		store_be32(w, (u32)argument(in));
		gpa_write(b->map, ARGS + 12 + 4 * i, w, 4);
	}
	cpus[0].bus.papr(cpus[0].bus.opaque, r);
}

static void hypercall(struct input *in)
{
	u64 r[PPC_HCALL_REGS] = {take(in, 2) & 0x3fc};
	unsigned cpu = (unsigned)take(in, 1) & 1;

	for (unsigned i = 1; i < 5; i++)
		r[i] = argument(in);
	cpus[cpu].bus.papr(cpus[cpu].bus.opaque, r);
}

static void device(struct input *in)
{
	unsigned size = 1u << (take(in, 1) & 3);
	u64 at = (take(in, 1) & 1 ? PSERIES_PCI_MEM : PSERIES_PCI_IO) + (take(in, 2) & 0x7fff);

	if (take(in, 1) & 1)
		cpus[0].bus.mmio_write(cpus[0].bus.opaque, at, size, take(in, 8));
	else
		cpus[0].bus.mmio_read(cpus[0].bus.opaque, at, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct board *b;
	struct input in = {data, size};
	struct boot_blob blob = {"k", data, size};
	struct pseries_image image;
	u8 *copy = malloc(size + 64);

	if (!b)
		b = machine();
	pseries_elf_load(&blob, b->map, MIB(64), &image, NULL);
	if (copy && size >= 128) { /* the same with a header that passes */
		memcpy(copy, data, size);
		memcpy(copy, kernel, 64);
		store_le16(copy + 56, 1 + (data[0] & 3));
		blob.data = copy;
		pseries_elf_load(&blob, b->map, MIB(64), &image, NULL);
	}
	free(copy);
	for (unsigned i = 0; in.n && i < 200; i++) {
		switch (take(&in, 1) & 3) {
		case 0:
			rtas(b, &in);
			break;
		case 1:
			device(&in);
			break;
		default:
			hypercall(&in);
		}
	}
	return 0;
}
