/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF images: PT_LOAD segments at their physical addresses, and the PVH boot
 * protocol for kernels that carry Xen's PHYS32_ENTRY note.
 */
#include "machine/boot/internal.h"

#include "abi/elf.h"
#include "abi/multiboot.h"

#include <stdio.h>
#include <string.h>

struct elf_view {
	struct span s;
	bool is64;
	u64 phoff;
	unsigned phnum, phentsize;
};

struct elf_phdr {
	u32 type;
	u64 offset, vaddr, paddr, filesz, memsz;
};

bool boot_is_elf(const struct boot_blob *b)
{
	struct span s = span_of(b->data, b->len);

	return span_le32(&s, 0) == ELF_MAGIC;
}

/* NULL, or what is wrong. */
static const char *elf_open(const struct boot_blob *b, struct elf_view *v)
{
	unsigned machine;

	*v = (struct elf_view){.s = span_of(b->data, b->len)};
	v->is64 = span_u8(&v->s, ELF_CLASS) == ELF_CLASS64;
	if (!v->is64 && span_u8(&v->s, ELF_CLASS) != ELF_CLASS32)
		return "bad ELF class";
	if (span_u8(&v->s, ELF_DATA) != ELF_DATA_LE)
		return "a big-endian ELF file";
	machine = span_le16(&v->s, ELF_MACHINE);
	if (machine != ELF_EM_386 && machine != ELF_EM_X86_64)
		return "an ELF file of another architecture";
	v->phoff = v->is64 ? span_le64(&v->s, ELF64_PHOFF) : span_le32(&v->s, ELF32_PHOFF);
	v->phnum = span_le16(&v->s, v->is64 ? ELF64_PHNUM : ELF32_PHNUM);
	v->phentsize = span_le16(&v->s, v->is64 ? ELF64_PHENTSIZE : ELF32_PHENTSIZE);
	if (v->s.bad)
		return "truncated in the ELF header";
	if (!v->phnum)
		return "an ELF file without program headers (an object file?)";
	if (v->phnum > ELF_PHNUM_MAX)
		return "too many ELF program headers";
	if (v->phentsize < (v->is64 ? ELF64_PHDR_SIZE : ELF32_PHDR_SIZE) ||
	    !range_inside(v->phoff, (u64)v->phnum * v->phentsize, b->len))
		return "ELF program headers outside the file";
	return NULL;
}

static struct elf_phdr elf_phdr(struct elf_view *v, unsigned i)
{
	u64 at = v->phoff + (u64)i * v->phentsize;
	struct span *s = &v->s;

	if (v->is64)
		return (struct elf_phdr){span_le32(s, at),
					 span_le64(s, at + ELF64_P_OFFSET),
					 span_le64(s, at + ELF64_P_VADDR),
					 span_le64(s, at + ELF64_P_PADDR),
					 span_le64(s, at + ELF64_P_FILESZ),
					 span_le64(s, at + ELF64_P_MEMSZ)};
	return (struct elf_phdr){span_le32(s, at),
				 span_le32(s, at + ELF32_P_OFFSET),
				 span_le32(s, at + ELF32_P_VADDR),
				 span_le32(s, at + ELF32_P_PADDR),
				 span_le32(s, at + ELF32_P_FILESZ),
				 span_le32(s, at + ELF32_P_MEMSZ)};
}

static int elf_load_segment(struct boot_job *j, const struct elf_phdr *p, unsigned i)
{
	char what[32];
	int err;

	snprintf(what, sizeof(what), "ELF segment %u", i);
	if (p->filesz > p->memsz)
		return boot_bad(j, "%s is larger in the file than in memory", what);
	if (!range_inside(p->offset, p->filesz, j->kernel.len))
		return boot_bad(j, "%s lies outside the file (truncated?)", what);
	err = boot_take(j, what, p->paddr, p->memsz);
	if (!err)
		err = boot_put(j, p->paddr, j->kernel.data + p->offset, p->filesz);
	return err ? err : boot_clear(j, p->paddr + p->filesz, p->memsz - p->filesz);
}

int boot_elf_load(struct boot_job *j, struct boot_elf *elf)
{
	struct elf_view v;
	const char *why = elf_open(&j->kernel, &v);
	u64 entry;
	int err;

	if (why)
		return boot_bad(j, "%s", why);
	entry = v.is64 ? span_le64(&v.s, ELF_ENTRY) : span_le32(&v.s, ELF_ENTRY);
	*elf = (struct boot_elf){.entry = entry, .lowest = ~0ULL};
	for (unsigned i = 0; i < v.phnum; i++) {
		struct elf_phdr p = elf_phdr(&v, i);

		if (p.type != ELF_PT_LOAD || !p.memsz)
			continue;
		err = elf_load_segment(j, &p, i);
		if (err)
			return err;
		elf->lowest = min_u64(elf->lowest, p.paddr);
		if (entry - p.vaddr < p.memsz)
			elf->entry = p.paddr + (entry - p.vaddr);
	}
	if (elf->lowest == ~0ULL)
		return boot_bad(j, "an ELF file with nothing to load");
	return 0;
}

/* Walks one note segment (gABI "Note Section"); 0 when the note is not there. */
static u64 notes_find_pvh(struct span n)
{
	u64 at = 0;

	while (!n.bad && n.len - at >= 12) {
		u64 namesz = span_le32(&n, at), descsz = span_le32(&n, at + 4);
		u32 type = span_le32(&n, at + 8);
		u64 desc = at + 12 + align_up(namesz, 4);
		const u8 *name = span_at(&n, at + 12, namesz);

		if (name && namesz == 4 && !memcmp(name, "Xen", 4) &&
		    type == ELF_NOTE_XEN_PHYS32_ENTRY && (descsz == 4 || descsz == 8))
			return span_le32(&n, desc);
		at = desc + align_up(descsz, 4);
		if (at > n.len)
			break;
	}
	return 0;
}

u64 boot_elf_pvh_entry(struct boot_job *j)
{
	struct elf_view v;

	if (elf_open(&j->kernel, &v))
		return 0;
	for (unsigned i = 0; i < v.phnum; i++) {
		struct elf_phdr p = elf_phdr(&v, i);
		u64 entry = 0;

		if (p.type == ELF_PT_NOTE && range_inside(p.offset, p.filesz, j->kernel.len))
			entry = notes_find_pvh(span_of(j->kernel.data + p.offset, p.filesz));
		if (entry)
			return entry;
	}
	return 0;
}

static int pvh_put_info(struct boot_job *j)
{
	const struct boot_request *rq = j->rq;
	struct boot_range mods[BOOT_INITRD_MAX];
	u8 info[PVH_SIZE] = {0}, mod[PVH_MOD_SIZE] = {0}, region[PVH_MEMMAP_SIZE] = {0};
	u64 at = BOOT_INFO + PVH_SIZE;
	int err = boot_put_modules(j, mods);

	store_le32(info, PVH_MAGIC);
	store_le32(info + PVH_VERSION, 1);
	store_le32(info + PVH_NR_MODULES, rq->ninitrd);
	store_le64(info + PVH_MODLIST, rq->ninitrd ? at : 0);
	for (unsigned i = 0; !err && i < rq->ninitrd; i++, at += PVH_MOD_SIZE) {
		store_le64(mod, mods[i].addr);
		store_le64(mod + 8, mods[i].size);
		err = boot_put(j, at, mod, sizeof(mod));
	}
	store_le64(info + PVH_CMDLINE, BOOT_CMDLINE);
	store_le64(info + PVH_RSDP, rq->rsdp);
	store_le64(info + PVH_MEMMAP, at);
	store_le32(info + PVH_MEMMAP_ENTRIES, rq->ne820);
	for (unsigned i = 0; !err && i < rq->ne820; i++, at += PVH_MEMMAP_SIZE) {
		store_le64(region, rq->e820[i].addr);
		store_le64(region + 8, rq->e820[i].size);
		store_le32(region + 16, rq->e820[i].type);
		err = boot_put(j, at, region, sizeof(region));
	}
	return err ? err : boot_put(j, BOOT_INFO, info, sizeof(info));
}

int boot_pvh_load(struct boot_job *j)
{
	u64 entry = boot_elf_pvh_entry(j);
	struct boot_elf elf;
	int err = boot_elf_load(j, &elf);

	if (err)
		return err;
	if (!entry)
		return boot_bad(j, "an ELF file without a multiboot header or PVH note");
	err = boot_put_cmdline(j, BOOT_CMDLINE_MAX);
	if (!err)
		err = pvh_put_info(j);
	if (!err)
		err = boot_cpu_flat32(j, entry);
	j->st->gpr[X86_RBX] = BOOT_INFO;
	return err;
}
