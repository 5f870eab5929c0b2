/* SPDX-License-Identifier: Apache-2.0 */
/* machine/smbios.c: checksums, and dmidecode's opinion. */
#include "machine/smbios.h"

#include "base/bits.h"
#include "base/endian.h"
#include "tests/test.h"

#include <unistd.h>

static const struct smbios_config big = {.ncpus = 64, .ram_low = 0xb0000000, .ram_high = GIB(60)};

static u8 sum(const u8 *p, unsigned n)
{
	u8 s = 0;

	while (n--)
		s = (u8)(s + *p++);
	return s;
}

static void t_anchor(void)
{
	static struct smbios_tables t;

	CHECK_EQ(smbios_build(&big, 0xf0100, &t), 0);
	CHECK_EQ(sum(t.anchor, SMBIOS_ANCHOR_SIZE), 0);
	CHECK_EQ(sum(t.anchor + 16, 15), 0);
	CHECK_EQ(load_le32(t.anchor + 24), 0xf0100);
	CHECK_EQ(load_le16(t.anchor + 22), t.len);
}

/* The dump format has the anchor first and the tables at 32. */
static void t_dmidecode(void)
{
	static struct smbios_tables t;
	char path[] = "/tmp/hull-dmi-XXXXXX", cmd[200];
	static u8 dump[32 + SMBIOS_TABLES_MAX];
	int fd;

	if (system("dmidecode --version >/dev/null 2>&1"))
		SKIP("no dmidecode");
	CHECK_EQ(smbios_build(&big, 32, &t), 0);
	memcpy(dump, t.anchor, SMBIOS_ANCHOR_SIZE);
	memcpy(dump + 32, t.tables, t.len);
	fd = mkstemp(path);
	CHECK(fd >= 0 && write(fd, dump, 32 + t.len) == (ssize_t)(32 + t.len));
	close(fd);
	snprintf(cmd, sizeof(cmd),
		 "dmidecode --from-dump %s >%s.txt && ! grep -iE "
		 "'bad|wrong|invalid|broken|truncated|"
		 "out of spec|mismatch' %s.txt",
		 path, path, path);
	CHECK_EQ(system(cmd), 0);
	snprintf(cmd, sizeof(cmd), "test $(grep -c '^Processor' %s.txt) = 64", path);
	CHECK_EQ(system(cmd), 0);
	snprintf(cmd, sizeof(cmd), "grep -q 'Product Name: hull pc' %s.txt", path);
	CHECK_EQ(system(cmd), 0);
	snprintf(cmd, sizeof(cmd), "rm -f %s %s.txt", path, path);
	CHECK_EQ(system(cmd), 0);
}

int main(void)
{
	RUN(t_anchor);
	RUN(t_dmidecode);
	return test_done();
}
