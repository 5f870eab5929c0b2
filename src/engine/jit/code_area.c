/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/jit/code_area.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

u64 code_area_size(u64 bytes)
{
	if (!bytes)
		bytes = CODE_AREA_DEFAULT;
	if (bytes < CODE_AREA_MIN)
		bytes = CODE_AREA_MIN;
	if (bytes > CODE_AREA_MAX)
		bytes = CODE_AREA_MAX;
	return bytes & ~0xfffULL;
}

void *code_area_table(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int code_area_map(u64 bytes, u8 **rw, const u8 **rx)
{
	int fd = memfd_create("hull-code", MFD_CLOEXEC);
	void *w, *x;

	*rw = NULL;
	*rx = NULL;
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0) {
		close(fd);
		return -ENOMEM;
	}
	w = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	x = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_NORESERVE, fd, 0);
	close(fd);
	*rw = w == MAP_FAILED ? NULL : w;
	*rx = x == MAP_FAILED ? NULL : x;
	return *rw && *rx ? 0 : -ENOMEM;
}

void code_area_unmap(const void *p, size_t bytes)
{
	if (p)
		munmap((void *)(uintptr_t)p, bytes);
}
