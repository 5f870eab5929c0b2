/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POWER kernels: ELF64 in either byte order, segments at their physical
 * addresses. The file is hostile.
 *
 * A position-independent image linked to 0 would lie on the interrupt vectors,
 * which it writes itself: it goes to PSERIES_LOAD_ADDR. Linux is linked to
 * 0xc000000000000000 and gives its physical addresses.
 */
#include "machine/pseries_internal.h"

#include "abi/elf.h"
#include "base/bits.h"
#include "base/endian.h"

#include <string.h>

enum { ELF_DATA_BE = 2, ELF_EM_PPC = 20, ELF_EM_PPC64 = 21, ELF_HEADER_SIZE = 64 };
enum { ELF_TYPE = 16, ELF_ET_DYN = 3 };

struct elf {
	const struct boot_blob *b;
	bool be;
	u64 base; /* added to physical addresses */
	struct err *e;
};

static u64 field(const struct elf *f, u64 at, unsigned bytes)
{
	const u8 *p = f->b->data + at;

	if (bytes == 2)
		return f->be ? load_be16(p) : load_le16(p);
	if (bytes == 4)
		return f->be ? load_be32(p) : load_le32(p);
	return f->be ? load_be64(p) : load_le64(p);
}

static int bad(const struct elf *f, const char *why)
{
	return err_set(f->e, E_INVAL, "kernel %s: %s", f->b->name, why);
}

static int header_check(struct elf *f)
{
	const u8 *p = f->b->data;
	u64 machine;

	if (f->b->len < 4 || load_le32(p) != ELF_MAGIC)
		return bad(f, "not an ELF file; a POWER machine starts vmlinux (a bzImage is "
			      "for x86-64)");
	if (f->b->len < ELF_HEADER_SIZE)
		return bad(f, "truncated in the ELF header");
	f->be = p[ELF_DATA] == ELF_DATA_BE;
	machine = field(f, ELF_MACHINE, 2);
	if (machine == ELF_EM_X86_64 || machine == ELF_EM_386)
		return bad(f, "an x86 kernel; this machine is POWER (leave out --arch, or give "
			      "it a ppc64le kernel)");
	if (machine == ELF_EM_PPC || (machine == ELF_EM_PPC64 && p[ELF_CLASS] != ELF_CLASS64))
		return bad(f, "a 32-bit POWER kernel; this machine is ppc64");
	if (machine != ELF_EM_PPC64)
		return bad(f, "an ELF file of another architecture");
	if (p[ELF_DATA] != ELF_DATA_BE && p[ELF_DATA] != ELF_DATA_LE)
		return bad(f, "neither little- nor big-endian");
	return 0;
}

static bool is_load(const struct elf *f, u64 at)
{
	return field(f, at, 4) == ELF_PT_LOAD && field(f, at + ELF64_P_MEMSZ, 8);
}

/* What to add to physical addresses, by the first segment (n headers at phoff). */
static u64 load_base(const struct elf *f, u64 phoff, u64 n, u64 size)
{
	for (u64 at = phoff; field(f, ELF_TYPE, 2) == ELF_ET_DYN && n--; at += size)
		if (is_load(f, at))
			return field(f, at + ELF64_P_VADDR, 8) ? 0 : PSERIES_LOAD_ADDR;
	return 0;
}

static int segment_load(const struct elf *f, u64 at, struct gpa_map *map, u64 limit,
			struct pseries_image *out)
{
	u64 offset = field(f, at + ELF64_P_OFFSET, 8);
	u64 paddr = field(f, at + ELF64_P_PADDR, 8) + f->base;
	u64 vaddr = field(f, at + ELF64_P_VADDR, 8), filesz = field(f, at + ELF64_P_FILESZ, 8);
	u64 memsz = field(f, at + ELF64_P_MEMSZ, 8), entry = field(f, ELF_ENTRY, 8);
	u8 *p;

	if (filesz > memsz)
		return bad(f, "an ELF segment is larger in the file than in memory");
	if (!range_inside(offset, filesz, f->b->len))
		return bad(f, "an ELF segment lies outside the file (truncated?)");
	p = range_inside(paddr - f->base, memsz, limit - f->base) ? gpa_ptr(map, paddr, memsz, true)
								  : NULL;
	if (!p)
		return bad(f, "does not fit in the guest's memory; give it more with -m");
	memcpy(p, f->b->data + offset, filesz);
	memset(p + filesz, 0, memsz - filesz);
	gpa_written(map, paddr, memsz);
	out->end = max_u64(out->end, paddr + memsz);
	if (entry - vaddr < memsz)
		out->entry = paddr + (entry - vaddr);
	return 0;
}

int pseries_elf_load(const struct boot_blob *kernel, struct gpa_map *map, u64 limit,
		     struct pseries_image *out, struct err *e)
{
	struct elf f = {.b = kernel, .e = e};
	u64 phoff, phnum, phentsize;
	int err = header_check(&f);

	if (err)
		return err;
	phoff = field(&f, ELF64_PHOFF, 8);
	phnum = field(&f, ELF64_PHNUM, 2);
	phentsize = field(&f, ELF64_PHENTSIZE, 2);
	if (!phnum || phnum > ELF_PHNUM_MAX)
		return bad(&f, "no or too many ELF program headers");
	if (phentsize < ELF64_PHDR_SIZE || !range_inside(phoff, phnum * phentsize, kernel->len))
		return bad(&f, "ELF program headers outside the file");
	*out = (struct pseries_image){.entry = ~0ULL};
	f.base = load_base(&f, phoff, phnum, phentsize);
	for (u64 i = 0; !err && i < phnum; i++) {
		u64 at = phoff + i * phentsize;

		if (is_load(&f, at))
			err = segment_load(&f, at, map, limit, out);
	}
	if (!err && out->entry == ~0ULL)
		err = bad(&f, "its entry point is in none of its segments");
	return err;
}
