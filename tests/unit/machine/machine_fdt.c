/* SPDX-License-Identifier: Apache-2.0 */
/* machine/fdt.c: dtc's reading of a tree, and that a tree never outgrows its buffer. */
#include "machine/fdt.h"

#include "tests/test.h"

#include <unistd.h>

static u32 build(struct fdt *f, void *buf, u32 cap)
{
	fdt_begin(f, buf, cap);
	fdt_reserve(f, 0x2000, 0x1000);
	fdt_u32(f, "#address-cells", 2);
	fdt_string(f, "compatible", "hull,test");
	fdt_node(f, "cpus");
	fdt_node_at(f, "cpu", 0x1f);
	fdt_cells(f, "reg", (const u32[]){31, 7}, 2);
	fdt_u64(f, "wide", 0x123456789abcdef0);
	fdt_empty(f, "64-bit");
	fdt_bytes(f, "odd", "\1\2\3", 3);
	fdt_node_end(f);
	fdt_node_at(f, "cpu", 0);
	fdt_string(f, "compatible", "");
	fdt_node_end(f);
	fdt_node_end(f);
	return fdt_finish(f, 31);
}

/* What dtc makes of it, or "" */
static void decompile(const u8 *blob, u32 len, char *text, size_t size)
{
	char path[] = "/tmp/hull-fdt-XXXXXX", cmd[100];
	int fd = mkstemp(path);
	size_t n = 0;
	FILE *p;

	text[0] = 0;
	if (fd < 0 || write(fd, blob, len) != (ssize_t)len)
		return;
	close(fd);
	snprintf(cmd, sizeof(cmd), "dtc -q -I dtb -O dts %s 2>&1", path);
	p = popen(cmd, "r");
	if (p) {
		n = fread(text, 1, size - 1, p);
		text[pclose(p) ? 0 : n] = 0;
	}
	unlink(path);
}

static void t_dtc_reads_it(void)
{
	static const char want[] = "/dts-v1/;\n\n"
				   "/memreserve/\t0x0000000000002000 0x0000000000001000;\n"
				   "/ {\n"
				   "\t#address-cells = <0x02>;\n"
				   "\tcompatible = \"hull,test\";\n\n"
				   "\tcpus {\n\n"
				   "\t\tcpu@1f {\n"
				   "\t\t\treg = <0x1f 0x07>;\n"
				   "\t\t\twide = <0x12345678 0x9abcdef0>;\n"
				   "\t\t\t64-bit;\n"
				   "\t\t\todd = [01 02 03];\n"
				   "\t\t};\n\n"
				   "\t\tcpu@0 {\n"
				   "\t\t\tcompatible = [00];\n"
				   "\t\t};\n"
				   "\t};\n"
				   "};\n";
	struct fdt f;
	u8 buf[1024];
	char text[4096];
	u32 len = build(&f, buf, sizeof(buf));

	CHECK(len > 0);
	CHECK_EQ(buf[31], 31);
	if (access("/usr/bin/dtc", X_OK))
		SKIP("no dtc (package device-tree-compiler)");
	decompile(buf, len, text, sizeof(text));
	if (strcmp(text, want) != 0)
		printf("# %s", text);
	CHECK(!strcmp(text, want));
}

static void t_small_buffers(void)
{
	struct fdt f;
	u8 buf[1024];
	u32 len = build(&f, buf, sizeof(buf));

	for (u32 cap = 0; cap < len; cap++) {
		memset(buf, 0xee, sizeof(buf));
		CHECK_EQ(build(&f, buf, cap), 0);
		for (u32 i = cap; i < sizeof(buf); i++)
			CHECK_EQ(buf[i], 0xee);
	}
	CHECK_EQ(build(&f, buf, len), len);
}

static void t_unbalanced(void)
{
	struct fdt f;
	u8 buf[1024];

	fdt_begin(&f, buf, sizeof(buf));
	fdt_node(&f, "open");
	CHECK_EQ(fdt_finish(&f, 0), 0);
	fdt_begin(&f, buf, sizeof(buf));
	fdt_node_end(&f);
	CHECK_EQ(fdt_finish(&f, 0), 0);
	fdt_begin(&f, buf, sizeof(buf));
	for (unsigned i = 0; i < FDT_DEPTH_MAX; i++)
		fdt_node(&f, "deep");
	for (unsigned i = 0; i < FDT_DEPTH_MAX; i++)
		fdt_node_end(&f);
	CHECK_EQ(fdt_finish(&f, 0), 0);
}

int main(void)
{
	RUN(t_dtc_reads_it);
	RUN(t_small_buffers);
	RUN(t_unbalanced);
	return test_done();
}
