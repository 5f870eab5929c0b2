/* SPDX-License-Identifier: Apache-2.0 */
/* The ELF loader of foreign programs, up to what it is about to map; scripts' first lines. */
#include "src/foreign/elf.c"
#include "src/foreign/exec.c"

#include <stdlib.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* What mapping and executing would need is not reached. */
int mem_set_exec(struct space *sp, u64 start, u64 end, bool on)
{
	abort();
}

int mem_read(struct task *t, void *dst, u64 src, u64 len)
{
	abort();
}

s64 mem_strlen(struct task *t, u64 s, u64 max)
{
	abort();
}

static void program(const u8 *data, size_t size)
{
	static int fd = -1;
	struct elf_file f = {.path = "fuzz"};
	struct err e = {0};
	u64 total = 0;

	if (fd < 0)
		fd = memfd_create("elf", MFD_CLOEXEC);
	f.fd = fd;
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		return;
	if (read_headers(&f, &e) || check_segments(&f, &e)) {
		if (!e.status || !e.msg[0])
			abort();
		return;
	}
	for (unsigned i = 0; i < f.phnum; i++) {
		struct segment g = segment_at(&f, i);

		if (g.type != ELF_PT_LOAD || !g.memsz)
			continue;
		if (g.vaddr < f.low || g.vaddr + g.memsz > f.high || g.off + g.filesz > size)
			abort();
		total += g.memsz;
	}
	if (f.high > ADDRESS_END || !total)
		abort();
	phdr_address(&f, 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char line[SCRIPT_LINE] = {0}, *name, *arg;
	ssize_t n = size < SCRIPT_LINE ? (ssize_t)size : SCRIPT_LINE;

	memcpy(line, data, (size_t)n);
	if (parse_script(line, n, &name, &arg) &&
	    (name < line || name >= line + SCRIPT_LINE || (arg && arg >= line + SCRIPT_LINE)))
		abort();
	/* A third of the inputs get a good head, so that what is behind it is looked at. */
	if (size > EHDR_SIZE && data[0] % 3 == 0) {
		static const u8 head[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
		u8 *copy = malloc(size);

		if (!copy)
			return 0;
		memcpy(copy, data, size);
		memcpy(copy, head, sizeof(head));
		copy[EHDR_TYPE] = 2 + (data[1] & 1);
		copy[EHDR_TYPE + 1] = 0;
		copy[ELF_MACHINE] = EM_PPC64_;
		copy[ELF_MACHINE + 1] = 0;
		copy[EHDR_FLAGS] = ABI_V2;
		memset(copy + ELF64_PHOFF, 0, 8);
		copy[ELF64_PHOFF] = EHDR_SIZE;
		copy[ELF64_PHENTSIZE] = ELF64_PHDR_SIZE;
		copy[ELF64_PHENTSIZE + 1] = 0;
		copy[ELF64_PHNUM] = 1 + data[2] % 3;
		copy[ELF64_PHNUM + 1] = 0;
		program(copy, size);
		free(copy);
		return 0;
	}
	program(data, size);
	return 0;
}
