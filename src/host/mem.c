/* SPDX-License-Identifier: Apache-2.0 */
#include "host/mem.h"

#include "base/bits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct mem {
	int fd;
	u64 size;
	u8 *host;
	_Atomic u8 *page_flags;
};

int mem_create(const char *name, u64 size, struct mem **out, struct err *e)
{
	struct mem *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return err_set(e, ENOMEM, "no memory");
	m->size = align_up(size, GPA_PAGE_SIZE);
	m->host = MAP_FAILED;
	m->page_flags = MAP_FAILED;
	m->fd = memfd_create(name, MFD_CLOEXEC);
	if (m->fd >= 0 && !ftruncate(m->fd, (off_t)m->size)) {
		m->host = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			       m->fd, 0);
		m->page_flags = mmap(NULL, m->size / GPA_PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	}
	if (m->host == MAP_FAILED || m->page_flags == MAP_FAILED) {
		ret = err_errno(e, "guest memory of %llu MiB", (unsigned long long)(m->size >> 20));
		mem_destroy(m);
		return ret;
	}
	madvise(m->host, m->size, MADV_HUGEPAGE);
	madvise(m->host, m->size, MADV_DONTDUMP);
	*out = m;
	return 0;
}

void mem_destroy(struct mem *m)
{
	if (!m)
		return;
	if (m->host != MAP_FAILED)
		munmap(m->host, m->size);
	if (m->page_flags != MAP_FAILED)
		munmap((void *)m->page_flags, m->size / GPA_PAGE_SIZE);
	if (m->fd >= 0)
		close(m->fd);
	free(m);
}

u8 *mem_host(const struct mem *m)
{
	return m->host;
}

u64 mem_size(const struct mem *m)
{
	return m->size;
}

int mem_fd(const struct mem *m)
{
	return m->fd;
}

int mem_map(struct mem *m, struct gpa_map *map, u64 gpa, u64 offset, u64 size, bool readonly,
	    struct err *e)
{
	struct gpa_slot slot = {
		.gpa = gpa,
		.size = size,
		.host = m->host + offset,
		.page_flags = m->page_flags + offset / GPA_PAGE_SIZE,
		.readonly = readonly,
		.fd = m->fd,
		.fd_offset = offset,
	};
	int ret;

	if (!range_inside(offset, size, m->size))
		return err_set(e, EINVAL, "guest memory piece outside its memory");
	ret = gpa_slot_add(map, &slot);
	if (ret)
		return err_set(e, -ret, "guest memory at 0x%llx: overlaps or is not page aligned",
			       (unsigned long long)gpa);
	return 0;
}

int mem_discard(struct mem *m, u64 offset, u64 len)
{
	if (!range_inside(offset, len, m->size) || (offset | len) & (GPA_PAGE_SIZE - 1))
		return -EINVAL;
	if (!len)
		return 0;
	if (fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len))
		return -errno;
	return 0;
}
