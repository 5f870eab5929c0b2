/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine/pseries*.c on an engine that only takes note: device tree, hypercalls,
 * RTAS, PCI and messages, kernels that cannot be started.
 */
#include "machine/pseries_internal.h"

#include "base/bits.h"
#include "base/endian.h"
#include "tests/ppc_fake.h"
#include "tests/test.h"

#include <time.h>
#include <unistd.h>

#define KERNEL_AT 0x10000u
#define ARGS 0x800000u

/* ---- the rig ---- */

struct rig {
	struct loop *loop;
	struct board *board;
	struct pseries *ps;
	struct board_config cfg;
	struct io_char chr;
	char out[100];
	size_t nout;
	enum board_event event;
	u32 value;
	unsigned events;
	struct err e;
	u8 kernel[512];
};

static void on_event(void *opaque, enum board_event ev, u32 value)
{
	struct rig *r = opaque;

	r->event = ev;
	r->value = value;
	r->events++;
}

static void back_write(struct io_char *c, const void *buf, size_t len)
{
	struct rig *r = container_of(c, struct rig, chr);

	memcpy(r->out + r->nout, buf, len);
	r->nout += len;
}

static void back_ready(struct io_char *c)
{
}

static const struct io_char_ops back_ops = {.write = back_write, .rx_ready = back_ready};

static void put16(u8 *p, bool be, u16 v)
{
	be ? store_be16(p, v) : store_le16(p, v);
}

static void put64(u8 *p, bool be, u64 v)
{
	be ? store_be64(p, v) : store_le64(p, v);
}

/* One segment of 64 bytes at KERNEL_AT, entry 4 bytes into it. */
static void make_kernel(u8 *k, bool be)
{
	memset(k, 0, 512);
	memcpy(k, "\177ELF\2\1\1", 7);
	k[5] = be ? 2 : 1;
	put16(k + 18, be, 21);
	put64(k + 24, be, 0xc000000000000004);
	put64(k + 32, be, 64);
	put16(k + 54, be, 56);
	put16(k + 56, be, 1);
	be ? store_be32(k + 64, 1) : store_le32(k + 64, 1);
	put64(k + 64 + 8, be, 256);
	put64(k + 64 + 16, be, 0xc000000000000000);
	put64(k + 64 + 24, be, KERNEL_AT);
	put64(k + 64 + 32, be, 64);
	put64(k + 64 + 40, be, 8192);
	memset(k + 256, 0xab, 64);
}

static int rig_make_at(struct rig *r, unsigned ncpus, struct io_block *disk, s64 rtc_offset)
{
	int err;

	memset(r, 0, sizeof(*r));
	r->chr.ops = &back_ops;
	make_kernel(r->kernel, false);
	err = loop_create(&r->loop, &r->e);
	r->cfg = (struct board_config){.loop = r->loop,
				       .engine = &fake_ops,
				       .ncpus = ncpus,
				       .memory = MIB(256),
				       .kernel = {"k", r->kernel, sizeof(r->kernel)},
				       .cmdline = "console=hvc0",
				       .rtc_offset = rtc_offset,
				       .serial = &r->chr,
				       .event = on_event,
				       .opaque = r};
	if (disk)
		r->cfg.disk[r->cfg.ndisks++] = disk;
	if (!err)
		err = board_pseries.create(&r->cfg, &r->board, &r->e);
	r->ps = r->board ? container_of(r->board, struct pseries, board) : NULL;
	return err;
}

static int rig_make(struct rig *r, unsigned ncpus, struct io_block *disk)
{
	return rig_make_at(r, ncpus, disk, 0);
}

static void rig_free(struct rig *r)
{
	if (r->board)
		board_pseries.destroy(r->board);
	loop_destroy(r->loop);
}

static u64 call(unsigned cpu, u64 r[PPC_HCALL_REGS])
{
	cpus[cpu].bus.papr(cpus[cpu].bus.opaque, r);
	return r[0];
}

/* An RTAS call of vCPU 0 by name's token; ret holds nret words. */
static u64 rtas(struct rig *r, u32 token, u32 nargs, u32 nret, const u32 *arg, u32 *ret)
{
	u8 w[4];
	u64 regs[PPC_HCALL_REGS] = {H_RTAS, ARGS}, rc;

	for (u32 i = 0; i < 3 + nargs; i++) {
		store_be32(w, i == 0 ? token : i == 1 ? nargs : i == 2 ? nret : arg[i - 3]);
		gpa_write(r->board->map, ARGS + 4 * i, w, 4);
	}
	rc = call(0, regs);
	for (u32 i = 0; i < nret; i++) {
		gpa_read(r->board->map, ARGS + 12 + 4 * (nargs + i), w, 4);
		ret[i] = load_be32(w);
	}
	return rc;
}

/* A property's value in the tree, found by walking it: only good enough for a test. */
static const u8 *prop(struct rig *r, const char *name, u32 *len)
{
	const u8 *fdt = gpa_ptr(r->board->map, r->ps->fdt, 0x1000, false);
	u32 at = load_be32(fdt + 8), strings = load_be32(fdt + 12);

	for (;;) {
		u32 tag = load_be32(fdt + at);

		at += 4;
		if (tag == 1)
			at += ((u32)strlen((const char *)fdt + at) + 4) & ~3u;
		else if (tag == 3) {
			const char *n = (const char *)fdt + strings + load_be32(fdt + at + 4);

			*len = load_be32(fdt + at);
			if (!strcmp(n, name))
				return fdt + at + 8;
			at += 8 + ((*len + 3) & ~3u);
		} else if (tag != 2) {
			return NULL;
		}
	}
}

static u32 token(struct rig *r, const char *name)
{
	u32 len;
	const u8 *p = prop(r, name, &len);

	return p ? load_be32(p) : 0;
}

/* ---- tests ---- */

static void t_start(void)
{
	struct rig r;
	u8 code[20];
	u32 len;
	const u8 *p;

	CHECK_EQ(rig_make(&r, 2, NULL), 0);
	CHECK_EQ(cpus[0].nip, KERNEL_AT + 4);
	CHECK_EQ(cpus[0].arg, r.ps->fdt);
	CHECK(cpus[1].stopped);
	CHECK_EQ(the_vm.hpt_shift, 21);
	CHECK_EQ(*(u8 *)gpa_ptr(r.board->map, KERNEL_AT + 63, 1, false), 0xab);
	CHECK_EQ(*(u8 *)gpa_ptr(r.board->map, KERNEL_AT + 64, 1, false), 0);
	gpa_read(r.board->map, r.ps->rtas, code, sizeof(code));
	CHECK_EQ(load_be32(code + 12), 0x44000022); /* sc 1 */
	p = prop(&r, "bootargs", &len);
	CHECK(p && !strcmp((const char *)p, "console=hvc0"));
	p = prop(&r, "ibm,architecture-vec-5", &len);
	CHECK(p && p[24] == 0x40 && p[26] == 0x40 && p[0] == len - 2);
	CHECK(token(&r, "start-cpu") != 0);
	CHECK_EQ(board_pseries.reset(r.board, &r.e), 0);
	CHECK_EQ(cpus[0].resets, 2);
	CHECK(!cpus[0].stopped);
	rig_free(&r);
}

/* dtc finds nothing to say about the tree but what it says about every PAPR tree. */
static void t_tree(void)
{
	static struct io_block disk = {.size = 512, .block_size = 512};
	struct rig r;
	char path[] = "/tmp/hull-ps-XXXXXX", cmd[120], text[65536];
	const u8 *fdt;
	size_t n = 0;
	FILE *f;
	int fd;

	CHECK_EQ(rig_make(&r, 4, &disk), 0);
	fdt = gpa_ptr(r.board->map, r.ps->fdt, KIB(256), false);
	if (access("/usr/bin/dtc", X_OK)) {
		rig_free(&r);
		SKIP("no dtc (package device-tree-compiler)");
	}
	fd = mkstemp(path);
	CHECK(fd >= 0 && write(fd, fdt, load_be32(fdt + 4)) == (ssize_t)load_be32(fdt + 4));
	close(fd);
	snprintf(cmd, sizeof(cmd), "dtc -f -I dtb -O dts %s 2>/dev/null", path);
	f = popen(cmd, "r");
	CHECK(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	CHECK_EQ(pclose(f), 0);
	unlink(path);
	CHECK(strstr(text, "PowerPC,POWER9@3 {"));
	CHECK(strstr(text, "scsi@1 {"));
	CHECK(strstr(text, "vty@71000000 {"));
	CHECK(strstr(text, "memory@0 {\n\t\tdevice_type = \"memory\";\n"
			   "\t\treg = <0x00 0x00 0x00 0x10000000>;"));
	rig_free(&r);
}

static void t_console(void)
{
	struct rig r;
	u64 put[PPC_HCALL_REGS] = {H_PUT_TERM_CHAR, PSERIES_VTY_UNIT, 10, 0x68656c6c6f2c2077,
				   0x6f00000000000000};
	u64 get[PPC_HCALL_REGS] = {H_GET_TERM_CHAR, 0},
	    on[PPC_HCALL_REGS] = {H_VIO_SIGNAL, PSERIES_VTY_UNIT, 1};
	u64 xirr[PPC_HCALL_REGS] = {H_XIRR}, cppr[PPC_HCALL_REGS] = {H_CPPR, 0xff};
	u32 ret[1];

	CHECK_EQ(rig_make(&r, 1, NULL), 0);
	CHECK_EQ(call(0, put), H_SUCCESS);
	CHECK(r.nout == 10 && !memcmp(r.out, "hello, wo\0", 9));
	put[0] = H_PUT_TERM_CHAR;
	put[2] = 17;
	CHECK_EQ(call(0, put), (u64)H_PARAMETER);
	CHECK_EQ(call(0, on), H_SUCCESS);
	CHECK_EQ(call(0, cppr), H_SUCCESS);
	CHECK_EQ(rtas(&r, token(&r, "ibm,set-xive"), 3, 1, (u32[]){PSERIES_IRQ_VTY, 0, 5}, ret),
		 H_SUCCESS);
	CHECK_EQ(ret[0], 0);
	loop_lock(r.loop);
	CHECK_EQ(r.chr.receive(r.chr.opaque, "yes", 3), 3);
	loop_unlock(r.loop);
	CHECK(cpus[0].irq);
	CHECK_EQ(call(0, xirr), H_SUCCESS);
	CHECK_EQ(xirr[1], 0xff000000 | PSERIES_IRQ_VTY);
	CHECK_EQ(call(0, get), H_SUCCESS);
	CHECK_EQ(get[1], 3);
	CHECK_EQ(get[2], 0x7965730000000000);
	rig_free(&r);
}

static void t_nvram(void)
{
	struct rig r;
	u32 ret[2];
	u8 b[16], was[16] = {0x7f, 0,	0x10, 0,   255, 255, 255, 255,
			     255,  255, 255,  255, 255, 255, 255, 255};

	CHECK_EQ(rig_make(&r, 1, NULL), 0);
	rtas(&r, token(&r, "nvram-fetch"), 3, 2, (u32[]){0, 0x9000, 16}, ret);
	CHECK_EQ(ret[0], 0);
	CHECK_EQ(ret[1], 16);
	gpa_read(r.board->map, 0x9000, b, sizeof(b));
	was[1] = 0x8f; /* 0x7f + 0x10 + 12 * 0xff, carries added in */
	CHECK(!memcmp(b, was, sizeof(b)));
	gpa_write(r.board->map, 0x9000, "remember", 8);
	rtas(&r, token(&r, "nvram-store"), 3, 2, (u32[]){0xfff8, 0x9000, 8}, ret);
	CHECK_EQ(ret[0], 0);
	CHECK_EQ(board_pseries.reset(r.board, &r.e), 0);
	rtas(&r, token(&r, "nvram-fetch"), 3, 2, (u32[]){0xfff8, 0xa000, 8}, ret);
	gpa_read(r.board->map, 0xa000, b, 8);
	CHECK(!memcmp(b, "remember", 8));
	/* Beyond its end, by overflow too; memory that is none. */
	rtas(&r, token(&r, "nvram-fetch"), 3, 2, (u32[]){0xfff8, 0xa000, 9}, ret);
	CHECK_EQ((s32)ret[0], -3);
	rtas(&r, token(&r, "nvram-store"), 3, 2, (u32[]){8, 0xa000, ~0u}, ret);
	CHECK_EQ((s32)ret[0], -3);
	rtas(&r, token(&r, "nvram-store"), 3, 2, (u32[]){0x10000, 0xa000, 0}, ret);
	CHECK_EQ((s32)ret[0], -3);
	rtas(&r, token(&r, "nvram-fetch"), 3, 2, (u32[]){0, 0xfffffff0, 16}, ret);
	CHECK_EQ((s32)ret[0], -3);
	rig_free(&r);
}

static s64 time_of_day(struct rig *r)
{
	u32 ret[8];
	struct tm tm;

	rtas(r, token(r, "get-time-of-day"), 0, 8, NULL, ret);
	if (ret[0])
		return -1;
	tm = (struct tm){.tm_year = (int)ret[1] - 1900,
			 .tm_mon = (int)ret[2] - 1,
			 .tm_mday = (int)ret[3],
			 .tm_hour = (int)ret[4],
			 .tm_min = (int)ret[5],
			 .tm_sec = (int)ret[6]};
	return (s64)timegm(&tm);
}

static void t_another_date(void)
{
	const s64 offset = -600000000; /* some 19 years */
	s64 before = (s64)time(NULL), shown;
	struct rig r;

	CHECK_EQ(rig_make_at(&r, 1, NULL, offset), 0);
	for (int i = 0; i < 2; i++) {
		shown = time_of_day(&r) - offset;
		CHECK(shown >= before && shown <= (s64)time(NULL));
		CHECK_EQ(board_pseries.reset(r.board, &r.e), 0);
	}
	rig_free(&r);
}

static void t_rtas_life(void)
{
	struct rig r;
	u32 ret[8];

	CHECK_EQ(rig_make(&r, 2, NULL), 0);
	CHECK_EQ(rtas(&r, token(&r, "query-cpu-stopped-state"), 1, 2, (u32[]){1}, ret), 0);
	CHECK(ret[0] == 0 && ret[1] == 0);
	CHECK_EQ(rtas(&r, token(&r, "start-cpu"), 3, 1, (u32[]){1, 0x4000, 7}, ret), 0);
	CHECK(ret[0] == 0 && cpus[1].nip == 0x4000 && cpus[1].arg == 7);
	rtas(&r, token(&r, "start-cpu"), 3, 1, (u32[]){1, 0x4000, 7}, ret);
	CHECK_EQ(ret[0], (u32)-1); /* it runs */
	rtas(&r, token(&r, "start-cpu"), 3, 1, (u32[]){2, 0x4000, 7}, ret);
	CHECK_EQ(ret[0], (u32)-3);
	rtas(&r, token(&r, "stop-self"), 0, 1, NULL, ret);
	CHECK(cpus[0].stopped);
	rtas(&r, token(&r, "get-time-of-day"), 0, 8, NULL, ret);
	CHECK(ret[0] == 0 && ret[1] >= 2024 && ret[2] <= 12);
	rtas(&r, token(&r, "set-time-of-day"), 7, 1, (u32[]){2030, 2, 3, 4, 5, 6, 0}, ret);
	rtas(&r, token(&r, "get-time-of-day"), 0, 8, NULL, ret);
	CHECK(ret[1] == 2030 && ret[2] == 2 && ret[3] == 3 && ret[4] == 4);
	rtas(&r, token(&r, "power-off"), 2, 1, (u32[]){~0u, ~0u}, ret);
	CHECK(r.events == 1 && r.event == BOARD_EVENT_POWEROFF);
	rtas(&r, token(&r, "system-reboot"), 0, 1, NULL, ret);
	CHECK(r.events == 2 && r.event == BOARD_EVENT_RESET);
	cpus[0].bus.mmio_write(cpus[0].bus.opaque, PSERIES_TEST_EXIT, 4, 42);
	CHECK(r.event == BOARD_EVENT_EXIT && r.value == 42);
	rig_free(&r);
}

static void t_power_button(void)
{
	struct rig r;
	u32 ret[2];
	u8 log[120];

	CHECK_EQ(rig_make(&r, 1, NULL), 0);
	call(0, (u64[PPC_HCALL_REGS]){H_CPPR, 0xff});
	rtas(&r, token(&r, "ibm,set-xive"), 3, 1, (u32[]){PSERIES_IRQ_EPOW, 0, 5}, ret);
	rtas(&r, token(&r, "check-exception"), 6, 1,
	     (u32[]){0x500, PSERIES_IRQ_EPOW, 0x40000000, 0, ARGS + 0x1000, 2048}, ret);
	CHECK_EQ(ret[0], 1);
	loop_lock(r.loop);
	board_pseries.power_button(r.board);
	loop_unlock(r.loop);
	CHECK(cpus[0].irq);
	rtas(&r, token(&r, "get-sensor-state"), 2, 2, (u32[]){9, 0}, ret);
	CHECK_EQ(ret[1], 3);
	rtas(&r, token(&r, "check-exception"), 6, 1,
	     (u32[]){0x500, PSERIES_IRQ_EPOW, 0x40000000, 0, ARGS + 0x1000, 2048}, ret);
	CHECK_EQ(ret[0], 0);
	gpa_read(r.board->map, ARGS + 0x1000, log, sizeof(log));
	CHECK_EQ(load_be16(log + 96), 'E' << 8 | 'P');
	CHECK(log[104] == 3 && log[105] == 1);
	loop_lock(r.loop);
	board_pseries.nmi(r.board);
	loop_unlock(r.loop);
	CHECK(cpus[0].nmi);
	rig_free(&r);
}

static void t_pci(void)
{
	static struct io_block disk = {.size = 512, .block_size = 512};
	struct rig r;
	u32 ret[4], hi = PSERIES_BUID >> 32, lo = (u32)PSERIES_BUID, at = 1 << 11;
	u64 bar;

	CHECK_EQ(rig_make(&r, 1, &disk), 0);
	rtas(&r, token(&r, "ibm,read-pci-config"), 4, 2, (u32[]){at, hi, lo, 4}, ret);
	CHECK(ret[0] == 0 && ret[1] == 0x10421af4);
	rtas(&r, token(&r, "ibm,read-pci-config"), 4, 2, (u32[]){31 << 11, hi, lo, 2}, ret);
	CHECK(ret[0] == 0 && ret[1] == 0xffff);
	rtas(&r, token(&r, "ibm,read-pci-config"), 4, 2, (u32[]){at | 1, hi, lo, 4}, ret);
	CHECK_EQ(ret[0], (u32)-3);
	rtas(&r, token(&r, "ibm,read-pci-config"), 4, 2, (u32[]){at, 1, lo, 4}, ret);
	CHECK_EQ(ret[1], ~0u);
	rtas(&r, token(&r, "ibm,write-pci-config"), 5, 1, (u32[]){at | 4, hi, lo, 2, 6}, ret);
	/* The register BAR answers where the tree says. */
	rtas(&r, token(&r, "ibm,read-pci-config"), 4, 2, (u32[]){at | 0x20, hi, lo, 4}, ret);
	bar = (ret[1] & ~15u) - PSERIES_PCI_MEM32 + PSERIES_PCI_MEM;
	CHECK_EQ(cpus[0].bus.mmio_read(cpus[0].bus.opaque, bar + 0x12, 2), 1); /* queues */
	/* Messages: as many as there are vectors; each its own source. */
	rtas(&r, token(&r, "ibm,change-msi"), 6, 4, (u32[]){at, hi, lo, 4, 99, 5}, ret);
	CHECK(ret[0] == 0 && ret[1] >= 1 && ret[1] <= PSERIES_MSIS && ret[2] == 5);
	rtas(&r, token(&r, "ibm,query-interrupt-source-number"), 4, 3, (u32[]){at, hi, lo, 1}, ret);
	CHECK(ret[0] == 0 && ret[1] == PSERIES_IRQ_MSI + PSERIES_MSIS + 1 && ret[2] == 1);
	CHECK_EQ(load_le32(r.ps->pci.func[1]->msix.table + 16 + 8), ret[1]);
	rtas(&r, token(&r, "ibm,change-msi"), 6, 4, (u32[]){at, hi, lo, 3, 1, 5}, ret);
	CHECK_EQ(ret[0], (u32)-3); /* plain MSI it has not */
	rig_free(&r);
}

static void t_bad_calls(void)
{
	struct rig r;
	u64 regs[PPC_HCALL_REGS] = {H_RTAS, MIB(256) - 8};
	u32 ret[2];

	CHECK_EQ(rig_make(&r, 1, NULL), 0);
	CHECK_EQ(call(0, regs), (u64)H_PARAMETER);
	CHECK_EQ(rtas(&r, token(&r, "start-cpu"), 17, 1, (u32[17]){0}, ret), (u64)H_PARAMETER);
	CHECK_EQ(rtas(&r, token(&r, "start-cpu"), 2, 1, (u32[]){0, 0}, ret), 0);
	CHECK_EQ(ret[0], (u32)-3);
	CHECK_EQ(rtas(&r, 0x1234, 0, 1, NULL, ret), 0);
	CHECK_EQ(ret[0], (u32)-3);
	CHECK_EQ(call(0, (u64[PPC_HCALL_REGS]){0x7ff0}), (u64)H_FUNCTION);
	CHECK_EQ(call(0, (u64[PPC_HCALL_REGS]){H_IPI, 1, 0}), (u64)H_PARAMETER);
	CHECK_EQ(call(0, (u64[PPC_HCALL_REGS]){H_PUT_TCE, PSERIES_LIOBN, 0x1000, 3}), 0);
	CHECK_EQ(call(0, (u64[PPC_HCALL_REGS]){H_PUT_TCE, 1, 0x1000, 3}), (u64)H_PARAMETER);
	CHECK_EQ(call(0, (u64[PPC_HCALL_REGS]){H_GET_TCE, PSERIES_LIOBN, ~0ull}), (u64)H_PARAMETER);
	CHECK_EQ(call(0, (u64[PPC_HCALL_REGS]){H_LOGICAL_CI_LOAD, 3, 0}), (u64)H_PARAMETER);
	CHECK_EQ(call(0, (u64[PPC_HCALL_REGS]){H_PAGE_INIT, 0, MIB(256)}), (u64)H_PARAMETER);
	CHECK_EQ(call(0, (u64[PPC_HCALL_REGS]){H_PAGE_INIT, BIT(14), 0x1000, 1}), (u64)H_PARAMETER);
	rig_free(&r);
}

static void t_page_and_ci(void)
{
	struct rig r;
	u64 load[PPC_HCALL_REGS] = {H_LOGICAL_CI_LOAD, 4, 0x700000};

	CHECK_EQ(rig_make(&r, 1, NULL), 0);
	CHECK_EQ(call(0, (u64[PPC_HCALL_REGS]){H_LOGICAL_CI_STORE, 4, 0x700000, 0x11223344}), 0);
	CHECK_EQ(*(u8 *)gpa_ptr(r.board->map, 0x700000, 1, false), 0x11);
	CHECK_EQ(call(0, load), 0);
	CHECK_EQ(load[1], 0x11223344);
	CHECK_EQ(call(0, (u64[PPC_HCALL_REGS]){H_PAGE_INIT, BIT(14), 0x702000, 0x700000}), 0);
	CHECK_EQ(*(u8 *)gpa_ptr(r.board->map, 0x702000, 1, false), 0x11);
	CHECK_EQ(call(0, (u64[PPC_HCALL_REGS]){H_PAGE_INIT, BIT(15), 0x700000, 0}), 0);
	CHECK_EQ(*(u8 *)gpa_ptr(r.board->map, 0x700000, 1, false), 0);
	rig_free(&r);
}

/* The message for a kernel file of n bytes. */
static const char *refusal(struct rig *r, u64 n)
{
	struct pseries_image image;
	static struct err e;
	const struct boot_blob b = {"k", r->kernel, n};

	e = (struct err){0};
	return pseries_elf_load(&b, r->board->map, MIB(256), &image, &e) ? e.msg : "";
}

/* Position-independent and linked to 0: not on the vectors, in either byte order. */
static void t_kernel_at_zero(void)
{
	struct rig r;

	CHECK_EQ(rig_make(&r, 1, NULL), 0);
	for (unsigned be = 0; be < 2; be++) {
		struct boot_blob b = {"k", r.kernel, sizeof(r.kernel)};
		struct pseries_image image;
		u8 at = 0;

		make_kernel(r.kernel, be);
		put16(r.kernel + 16, be, 3);
		CHECK_EQ(pseries_elf_load(&b, r.board->map, MIB(256), &image, NULL), 0);
		CHECK_EQ(image.entry, KERNEL_AT + 4); /* as Linux: a place of its own */
		put64(r.kernel + 24, be, 8);
		put64(r.kernel + 64 + 16, be, 0);
		put64(r.kernel + 64 + 24, be, 0);
		CHECK_EQ(pseries_elf_load(&b, r.board->map, MIB(256), &image, NULL), 0);
		CHECK_EQ(image.entry, PSERIES_LOAD_ADDR + 8);
		CHECK_EQ(image.end, PSERIES_LOAD_ADDR + 8192);
		CHECK_EQ(gpa_read(r.board->map, PSERIES_LOAD_ADDR + 63, &at, 1), 0);
		CHECK_EQ(at, 0xab);
		put64(r.kernel + 64 + 24, be, ~0ull); /* goes round */
		CHECK(*refusal(&r, 512));
	}
	rig_free(&r);
}

static void t_kernels(void)
{
	struct rig r;
	struct pseries_image image;
	const struct boot_blob b = {"k", r.kernel, sizeof(r.kernel)};

	CHECK_EQ(rig_make(&r, 1, NULL), 0);
	make_kernel(r.kernel, true);
	CHECK_EQ(pseries_elf_load(&b, r.board->map, MIB(256), &image, NULL), 0);
	CHECK_EQ(image.entry, KERNEL_AT + 4);
	CHECK_EQ(image.end, KERNEL_AT + 8192);
	for (u64 n = 0; n < 320; n++)
		CHECK(*refusal(&r, n));
	CHECK(!*refusal(&r, 320));
	store_be16(r.kernel + 18, 20);
	CHECK(strstr(refusal(&r, 512), "32-bit POWER"));
	make_kernel(r.kernel, false);
	store_le16(r.kernel + 18, 62);
	CHECK(strstr(refusal(&r, 512), "an x86 kernel"));
	memcpy(r.kernel, "MZ", 2);
	CHECK(strstr(refusal(&r, 512), "not an ELF file"));
	make_kernel(r.kernel, false);
	store_le64(r.kernel + 64 + 24, MIB(256) - 100);
	CHECK(strstr(refusal(&r, 512), "more with -m"));
	make_kernel(r.kernel, false);
	store_le64(r.kernel + 64 + 40, ~0ull);
	CHECK(strstr(refusal(&r, 512), "more with -m"));
	make_kernel(r.kernel, false);
	store_le64(r.kernel + 64 + 8, ~0ull);
	CHECK(strstr(refusal(&r, 512), "truncated"));
	make_kernel(r.kernel, false);
	store_le64(r.kernel + 24, 0);
	CHECK(strstr(refusal(&r, 512), "entry point"));
	rig_free(&r);
}

int main(void)
{
	RUN(t_start);
	RUN(t_tree);
	RUN(t_console);
	RUN(t_nvram);
	RUN(t_another_date);
	RUN(t_rtas_life);
	RUN(t_power_button);
	RUN(t_pci);
	RUN(t_bad_calls);
	RUN(t_page_and_ci);
	RUN(t_kernels);
	RUN(t_kernel_at_zero);
	return test_done();
}
