// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: an archive read, and unpacked into a directory that is then
 * looked for outside of itself. Headers get right checksums, so that bent
 * numbers and names come through.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/store.h"
#include "image/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLOCKS_MAX 64u

struct mem {
	const u8 *p;
	size_t len, step;
};

static ssize_t mem_next(void *opaque, const u8 **p, struct err *e)
{
	struct mem *m = opaque;
	size_t n = m->len < m->step ? m->len : m->step;

	*p = m->p;
	m->p += n;
	m->len -= n;
	return (ssize_t)n;
}

/* POSIX pax, "ustar Interchange Format": the sum of the header with blanks for itself. */
static void fix_checksum(u8 *h)
{
	unsigned sum = 0;

	memset(h + 148, ' ', 8);
	for (unsigned i = 0; i < TAR_BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
}

static void read_all(const u8 *p, size_t len, size_t step)
{
	struct mem m = {p, len, step};
	const struct source from = {mem_next, &m};
	const struct tar_entry *x;
	struct tar *t;
	const u8 *data;

	if (tar_open(&from, &t, NULL))
		return;
	while (tar_next(t, &x, NULL) > 0) {
		if (strlen(x->name) >= TAR_MAX_NAME || strlen(x->link) >= TAR_MAX_NAME)
			abort();
		while (tar_data(t, &data, NULL) > 0)
			;
	}
	tar_close(t);
}

static void unpack(const u8 *p, size_t len)
{
	const struct unpack_limits limits = {1 << 20, 1000};
	struct mem m = {p, len, 700};
	const struct source from = {mem_next, &m};
	char top[] = "/tmp/hull-fuzz-XXXXXX";
	struct stat before, after;
	int dir, fd;

	if (!mkdtemp(top))
		return;
	dir = open(top, O_RDONLY | O_DIRECTORY);
	if (dir < 0 || mkdirat(dir, "in", 0700))
		abort();
	fstat(dir, &before);
	fd = openat(dir, "in", O_RDONLY | O_DIRECTORY);
	unpack_tar(&from, fd, true, &limits, NULL, NULL);
	/* Nothing came to be beside it. */
	fstat(dir, &after);
	if (after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
	    after.st_mtim.tv_nsec != before.st_mtim.tv_nsec || after.st_nlink != before.st_nlink)
		abort();
	close(fd);
	close(dir);
	store_tree_remove(AT_FDCWD, top);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t blocks = size / TAR_BLOCK < BLOCKS_MAX ? size / TAR_BLOCK : BLOCKS_MAX;
	u8 *copy = malloc(size + 1);

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	for (size_t i = 0; i < blocks; i++)
		fix_checksum(copy + i * TAR_BLOCK);
	read_all(data, size, 100);
	read_all(copy, size, 1000);
	if (blocks && data[0] % 8 == 0)
		unpack(copy, size);
	free(copy);
	return 0;
}
