/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads an ELF program and, if it names one, its dynamic loader. Every number in
 * the file is hostile: what does not fit the file or the address space is refused
 * before anything is mapped.
 */
#include "abi/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"
#include "foreign/task.h"

/* ELF-64 Object File Format 1.5; 64-bit ELF V2 ABI for Power, section 4.1 */
enum {
	EHDR_SIZE = 64,
	EHDR_TYPE = 16,
	EHDR_FLAGS = 48,
	ET_EXEC_ = 2,
	ET_DYN_ = 3,
	EM_PPC64_ = 21,
	PT_INTERP_ = 3,
	PT_PHDR_ = 6,
	P_FLAGS = 4,
	PF_X_ = 1,
	PF_W_ = 2,
	PF_R_ = 4,
	ABI_MASK = 3, /* of e_flags */
	ABI_V2 = 2,
};

/* Guest programs live below this: TASK_SIZE_USER64 of the host's smallest layout. */
#define ADDRESS_END (1ULL << 46)

struct elf_file {
	const char *path;
	int fd;
	u8 ehdr[EHDR_SIZE];
	u8 phdrs[ELF_PHNUM_MAX * ELF64_PHDR_SIZE];
	unsigned phnum;
	u64 size, low, high; /* of all PT_LOAD, page aligned */
	bool fixed;
	char interp[PATH_MAX];
};

struct segment {
	u32 type, flags;
	u64 off, vaddr, filesz, memsz;
};

bool foreign_is_program(const u8 *head, u64 len)
{
	struct span s = span_of(head, len);

	return span_le32(&s, 0) == ELF_MAGIC && span_u8(&s, ELF_CLASS) == ELF_CLASS64 &&
	       span_u8(&s, ELF_DATA) == ELF_DATA_LE && span_le16(&s, ELF_MACHINE) == EM_PPC64_ &&
	       (span_le32(&s, EHDR_FLAGS) & ABI_MASK) != 1 && !s.bad;
}

const char *sysroot_path(const struct space *sp, const char *path, char buf[PATH_MAX])
{
	const char *root = sp->opt.sysroot;
	int n;

	if (!root || path[0] != '/')
		return path;
	n = snprintf(buf, PATH_MAX, "%s%s", root, path);
	if (n < 0 || n >= PATH_MAX || faccessat(AT_FDCWD, buf, F_OK, AT_SYMLINK_NOFOLLOW))
		return path;
	return buf;
}

static struct segment segment_at(const struct elf_file *f, unsigned i)
{
	struct span s = span_of(f->phdrs + i * ELF64_PHDR_SIZE, ELF64_PHDR_SIZE);

	return (struct segment){
		.type = span_le32(&s, 0),
		.flags = span_le32(&s, P_FLAGS),
		.off = span_le64(&s, ELF64_P_OFFSET),
		.vaddr = span_le64(&s, ELF64_P_VADDR),
		.filesz = span_le64(&s, ELF64_P_FILESZ),
		.memsz = span_le64(&s, ELF64_P_MEMSZ),
	};
}

static int bad(const struct elf_file *f, struct err *e, const char *what)
{
	return err_set(e, ENOEXEC, "%s: %s", f->path, what);
}

static int read_headers(struct elf_file *f, struct err *e)
{
	struct span s = span_of(f->ehdr, EHDR_SIZE);
	struct stat st;
	u64 phoff;
	ssize_t n;

	if (fstat(f->fd, &st))
		return err_errno(e, "%s", f->path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EACCES, "%s: not a regular file", f->path);
	f->size = (u64)st.st_size;
	n = pread(f->fd, f->ehdr, EHDR_SIZE, 0);
	if (n < 0)
		return err_errno(e, "%s", f->path);
	if (n != EHDR_SIZE || !foreign_is_program(f->ehdr, EHDR_SIZE))
		return bad(f, e,
			   "not a ppc64le program (ELF, 64-bit, little-endian, ABI version 2)");
	if (span_le16(&s, EHDR_TYPE) != ET_EXEC_ && span_le16(&s, EHDR_TYPE) != ET_DYN_)
		return bad(f, e, "an ELF file, but no program");
	f->fixed = span_le16(&s, EHDR_TYPE) == ET_EXEC_;
	f->phnum = span_le16(&s, ELF64_PHNUM);
	phoff = span_le64(&s, ELF64_PHOFF);
	if (span_le16(&s, ELF64_PHENTSIZE) != ELF64_PHDR_SIZE || !f->phnum ||
	    f->phnum > ELF_PHNUM_MAX ||
	    !range_inside(phoff, f->phnum * (u64)ELF64_PHDR_SIZE, f->size))
		return bad(f, e, "damaged: its program headers are not in the file");
	n = pread(f->fd, f->phdrs, f->phnum * (u64)ELF64_PHDR_SIZE, (off_t)phoff);
	if (n != (ssize_t)(f->phnum * (u64)ELF64_PHDR_SIZE))
		return bad(f, e, "its program headers cannot be read");
	return 0;
}

static int read_interp(struct elf_file *f, const struct segment *g, struct err *e)
{
	if (g->filesz < 2 || g->filesz > sizeof(f->interp) ||
	    !range_inside(g->off, g->filesz, f->size) ||
	    pread(f->fd, f->interp, g->filesz, (off_t)g->off) != (ssize_t)g->filesz ||
	    f->interp[g->filesz - 1])
		return bad(f, e, "damaged: the name of its dynamic loader");
	return 0;
}

static int check_segments(struct elf_file *f, struct err *e)
{
	int ret;

	f->low = ~0ULL;
	for (unsigned i = 0; i < f->phnum; i++) {
		struct segment g = segment_at(f, i);
		u64 end;

		if (g.type == PT_INTERP_) {
			ret = read_interp(f, &g, e);
			if (ret)
				return ret;
		}
		if (g.type != ELF_PT_LOAD || !g.memsz)
			continue;
		if (g.filesz > g.memsz || !range_inside(g.off, g.filesz, f->size) ||
		    add_overflow(g.vaddr, g.memsz, &end) || end > ADDRESS_END ||
		    (g.off ^ g.vaddr) & (FOREIGN_PAGE - 1))
			return bad(f, e, "damaged: a segment outside the file or address space");
		f->low = min_u64(f->low, align_down(g.vaddr, FOREIGN_PAGE));
		f->high = max_u64(f->high, align_up(end, FOREIGN_PAGE));
	}
	if (f->low >= f->high)
		return bad(f, e, "nothing in it is to be loaded");
	return 0;
}

/* Reserves the addresses; returns what is added to the file's, or an error. */
static int reserve(struct elf_file *f, u64 *bias, struct err *e)
{
	u64 want = f->fixed ? f->low : 0;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *p;

	if (f->fixed)
		flags |= MAP_FIXED_NOREPLACE;
	/* 64 KiB: the alignment that POWER programs are linked for. */
	p = mmap((void *)want, f->high - f->low + (f->fixed ? 0 : 65536), PROT_NONE, flags, -1, 0);
	if (p == MAP_FAILED || (f->fixed && (u64)p != want)) {
		if (p != MAP_FAILED)
			munmap(p, f->high - f->low);
		return err_set(e, ENOMEM, "%s: its addresses 0x%llx to 0x%llx are not free",
			       f->path, (unsigned long long)f->low, (unsigned long long)f->high);
	}
	*bias = f->fixed ? 0 : align_up((u64)p, 65536) - align_down(f->low, 65536);
	return 0;
}

static int map_segment(struct space *sp, struct elf_file *f, const struct segment *g, u64 bias,
		       struct err *e)
{
	u64 start = align_down(g->vaddr, FOREIGN_PAGE) + bias, lead = g->vaddr & (FOREIGN_PAGE - 1);
	u64 file_end = g->vaddr + bias + g->filesz, end = g->vaddr + bias + g->memsz;
	u64 mapped = g->filesz ? align_up(file_end, FOREIGN_PAGE) : start;
	int prot = PROT_READ | (g->flags & PF_W_ ? PROT_WRITE : 0);

	if (g->filesz && mmap((void *)start, g->filesz + lead, prot, MAP_PRIVATE | MAP_FIXED, f->fd,
			      (off_t)(g->off - lead)) == MAP_FAILED)
		return err_errno(e, "%s", f->path);
	if (end > mapped && mmap((void *)mapped, end - mapped, prot,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return err_errno(e, "%s", f->path);
	if (end > file_end && g->flags & PF_W_ && mapped > file_end)
		memset((void *)file_end, 0, mapped - file_end);
	if (g->flags & PF_X_ && mem_set_exec(sp, start, align_up(end, FOREIGN_PAGE), true))
		return err_set(e, ENOMEM, "%s: no memory", f->path);
	return 0;
}

static u64 phdr_address(const struct elf_file *f, u64 bias)
{
	struct span s = span_of(f->ehdr, EHDR_SIZE);
	u64 phoff = span_le64(&s, ELF64_PHOFF);

	for (unsigned i = 0; i < f->phnum; i++) {
		struct segment g = segment_at(f, i);

		if (g.type == PT_PHDR_)
			return g.vaddr + bias;
		if (g.type == ELF_PT_LOAD && phoff >= g.off && phoff - g.off < g.filesz)
			return phoff - g.off + g.vaddr + bias;
	}
	return 0;
}

static int load_file(struct space *sp, struct elf_file *f, struct image *im, struct err *e)
{
	struct span s = span_of(f->ehdr, EHDR_SIZE);
	u64 bias = 0;
	int ret = read_headers(f, e);

	if (!ret)
		ret = check_segments(f, e);
	if (!ret)
		ret = reserve(f, &bias, e);
	for (unsigned i = 0; !ret && i < f->phnum; i++) {
		struct segment g = segment_at(f, i);

		if (g.type == ELF_PT_LOAD && g.memsz)
			ret = map_segment(sp, f, &g, bias, e);
	}
	if (ret)
		return ret;
	im->base = bias + f->low;
	im->entry = span_le64(&s, ELF_ENTRY) + bias;
	im->phdr = phdr_address(f, bias);
	im->phnum = f->phnum;
	im->end = f->high + bias;
	return 0;
}

static int load_path(struct space *sp, struct elf_file *f, struct image *im, struct err *e)
{
	int ret;

	f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return err_errno(e, "%s", f->path);
	ret = load_file(sp, f, im, e);
	close(f->fd);
	return ret;
}

int elf_load(struct space *sp, const char *path, struct image *im, struct err *e)
{
	struct elf_file f = {.path = path}, loader = {0};
	struct image other = {0};
	char buf[PATH_MAX];
	int ret = load_path(sp, &f, im, e);

	if (ret)
		return ret;
	im->start = im->entry;
	if (!f.interp[0])
		return 0;
	loader.path = sysroot_path(sp, f.interp, buf);
	ret = load_path(sp, &loader, &other, e);
	if (ret)
		return err_wrap(e, "%s needs the dynamic loader", path);
	im->interp_base = other.base;
	im->start = other.entry;
	return 0;
}
