/* SPDX-License-Identifier: Apache-2.0 */
/* machine/pc*.c: the board under an engine that runs nothing, driven through its vCPUs' bus. */
#include "machine/board.h"

#include "base/bits.h"
#include "abi/virtio.h"
#include "base/endian.h"
#include "tests/test.h"

#include <time.h>
#include <unistd.h>

#define CPUS 3

struct engine_vcpu {
	struct vcpu_bus bus;
	struct x86_state st;
	bool irq;
	unsigned nmis, inits, sipis, resets;
	u8 sipi_vector;
};

struct engine_vm {
	struct engine_vcpu cpu[BOARD_MAX_CPUS];
	unsigned ncpus;
	bool frozen;
	s64 wall_offset;
	unsigned gsi, gsi_sets;
	u64 msi_addr;
	unsigned msis;
	struct {
		int fd;
		u64 gpa;
	} io[64]; /* gpa 0: free */
	int irq_fd;
	u64 irq_addr;
	u32 irq_data;
};

static int fake_vm_create(const struct engine_vm_config *cfg, struct engine_vm **vm)
{
	*vm = calloc(1, sizeof(**vm));
	if (*vm)
		(*vm)->wall_offset = cfg->wall_offset;
	return *vm ? 0 : -E_NOMEM;
}

static void fake_vm_freeze(struct engine_vm *vm, bool frozen)
{
	vm->frozen = frozen;
}

static void fake_vm_destroy(struct engine_vm *vm)
{
	free(vm);
}

static int fake_vcpu_create(struct engine_vm *vm, unsigned i, const struct vcpu_bus *bus,
			    struct engine_vcpu **v)
{
	vm->cpu[i].bus = *bus;
	vm->ncpus++;
	*v = &vm->cpu[i];
	return 0;
}

static void fake_vcpu_destroy(struct engine_vcpu *v)
{
}

static void fake_vcpu_reset(struct engine_vcpu *v)
{
	v->resets++;
	memset(&v->st, 0, sizeof(v->st));
}

static int fake_get_state(struct engine_vcpu *v, struct x86_state *s)
{
	*s = v->st;
	return 0;
}

static int fake_set_state(struct engine_vcpu *v, const struct x86_state *s)
{
	v->st = *s;
	return 0;
}

static void fake_irq(struct engine_vcpu *v, bool level)
{
	v->irq = level;
}

static void fake_nmi(struct engine_vcpu *v)
{
	v->nmis++;
}

static void fake_init(struct engine_vcpu *v)
{
	v->inits++;
}

static void fake_sipi(struct engine_vcpu *v, u8 vector)
{
	v->sipis++;
	v->sipi_vector = vector;
}

static u64 fake_tsc(struct engine_vcpu *v, u64 *khz)
{
	*khz = 1000000;
	return 0;
}

static int fake_gsi_set(struct engine_vm *vm, unsigned gsi, bool level)
{
	vm->gsi = gsi;
	vm->gsi_sets++;
	return 0;
}

static int fake_msi_send(struct engine_vm *vm, u64 addr, u32 data)
{
	vm->msi_addr = addr;
	vm->msis++;
	return 0;
}

static int fake_ioeventfd(struct engine_vm *vm, int fd, u64 gpa, unsigned len, u64 match, bool add)
{
	for (unsigned i = 0; i < ARRAY_LEN(vm->io); i++) {
		if (vm->io[i].gpa != (add ? 0 : gpa))
			continue;
		vm->io[i].fd = fd;
		vm->io[i].gpa = add ? gpa : 0;
		return 0;
	}
	return -E_NOSPC;
}

static int fake_irqfd(struct engine_vm *vm, int fd, u64 addr, u32 data, bool add)
{
	vm->irq_fd = add ? fd : -1;
	vm->irq_addr = addr;
	vm->irq_data = data;
	return 0;
}

static const struct engine_ops fake_ops = {
	.name = "fake",
	.vm_create = fake_vm_create,
	.vm_destroy = fake_vm_destroy,
	.vm_freeze = fake_vm_freeze,
	.vcpu_create = fake_vcpu_create,
	.vcpu_destroy = fake_vcpu_destroy,
	.vcpu_reset = fake_vcpu_reset,
	.vcpu_get_state = fake_get_state,
	.vcpu_set_state = fake_set_state,
	.vcpu_irq = fake_irq,
	.vcpu_nmi = fake_nmi,
	.vcpu_init = fake_init,
	.vcpu_sipi = fake_sipi,
	.vcpu_tsc = fake_tsc,
	.gsi_set = fake_gsi_set,
	.msi_send = fake_msi_send,
	.ioeventfd = fake_ioeventfd,
	.irqfd = fake_irqfd,
};

struct rig {
	struct loop *loop;
	struct board *pc;
	struct engine_vcpu *v;
	enum board_event event;
	u32 value;
	unsigned events;
	struct err e;
	u8 kernel[4096];
};

static void on_event(void *opaque, enum board_event ev, u32 value)
{
	struct rig *r = opaque;

	r->event = ev;
	r->value = value;
	r->events++;
}

/* A multiboot 1 kernel by addresses, at 2 MiB. */
static void make_kernel(u8 *k)
{
	memset(k, 0x90, 4096);
	store_le32(k, 0x1badb002);
	store_le32(k + 4, 1 << 16);
	store_le32(k + 8, -(0x1badb002u + (1 << 16)));
	store_le32(k + 12, MIB(2));
	store_le32(k + 16, MIB(2));
	store_le32(k + 20, 0);
	store_le32(k + 24, 0);
	store_le32(k + 28, MIB(2) + 0x40);
}

static int rig_make_at(struct rig *r, u64 memory, unsigned ncpus, u32 caps, s64 rtc_offset)
{
	struct board_config cfg = {.engine = &fake_ops,
				   .engine_caps = caps,
				   .ncpus = ncpus,
				   .memory = memory,
				   .rtc_offset = rtc_offset,
				   .wall_offset = rtc_offset + 1,
				   .event = on_event,
				   .opaque = r};
	int err;

	memset(r, 0, sizeof(*r));
	make_kernel(r->kernel);
	cfg.kernel = (struct boot_blob){"k", r->kernel, sizeof(r->kernel)};
	err = loop_create(&r->loop, &r->e);
	cfg.loop = r->loop;
	if (!err)
		err = board_pc.create(&cfg, &r->pc, &r->e);
	if (!err)
		r->v = r->pc->vcpu[0];
	return err;
}

static int rig_make(struct rig *r, u64 memory, unsigned ncpus, u32 caps)
{
	return rig_make_at(r, memory, ncpus, caps, 0);
}

static void rig_free(struct rig *r)
{
	if (r->pc)
		board_pc.destroy(r->pc);
	loop_destroy(r->loop);
}

static u32 in(struct rig *r, u16 port, unsigned size)
{
	return r->v->bus.pio_read(r->v->bus.opaque, port, size);
}

static void out(struct rig *r, u16 port, unsigned size, u32 val)
{
	r->v->bus.pio_write(r->v->bus.opaque, port, size, val);
}

static u64 rd(struct rig *r, u64 gpa, unsigned size)
{
	return r->v->bus.mmio_read(r->v->bus.opaque, gpa, size);
}

static void wr(struct rig *r, u64 gpa, unsigned size, u64 val)
{
	r->v->bus.mmio_write(r->v->bus.opaque, gpa, size, val);
}

static void stop_loop(void *opaque)
{
	loop_stop(opaque);
}

static void run_for(struct rig *r, u64 ns)
{
	struct io_timer stop = {.fn = stop_loop, .opaque = r->loop};

	loop_lock(r->loop);
	io_timer_arm(loop_clock(r->loop), &stop, io_now(loop_clock(r->loop)) + ns);
	loop_unlock(r->loop);
	loop_run(r->loop);
}

static void t_memory_layout(void)
{
	struct rig r;
	struct gpa_map *m;

	CHECK_EQ(rig_make(&r, GIB(5), 1, 0), 0);
	m = r.pc->map;
	CHECK(gpa_ptr(m, 0, 0xa0000, true));
	CHECK(!gpa_ptr(m, 0xa0000, 1, false));
	CHECK(gpa_ptr(m, 0xc0000, 0xb0000000 - 0xc0000, true));
	CHECK(!gpa_ptr(m, 0xb0000000, 1, false));
	CHECK(gpa_ptr(m, GIB(4), GIB(5) - 0xb0000000, true));
	CHECK(!gpa_ptr(m, GIB(9) - 0xb0000000, 1, false));
	CHECK_EQ(rd(&r, 0xa0000, 4), 0xffffffff);
	CHECK_EQ(in(&r, 0x1234, 2), 0xffff);
	CHECK_EQ(r.v->st.rip, MIB(2) + 0x40);
	rig_free(&r);
}

static void t_pci_both_ways(void)
{
	struct rig r;

	CHECK_EQ(rig_make(&r, MIB(64), 1, 0), 0);
	out(&r, 0xcf8, 4, 0x80000000);
	CHECK_EQ(in(&r, 0xcfc, 4), 0x29c08086);
	CHECK_EQ(in(&r, 0xcfe, 2), 0x29c0);
	CHECK_EQ(rd(&r, 0xb0000000, 4), 0x29c08086);
	CHECK_EQ(rd(&r, 0xb0008000, 2), 0x1af4); /* slot 1: the first virtio device */
	rig_free(&r);
}

/* A virtio BAR answers where the guest moves it, and only there. */
static void t_bars_move(void)
{
	struct rig r;
	u64 bar, cfg = 0xb0008000, other = 0xd0000000;

	CHECK_EQ(rig_make(&r, MIB(64), 1, 0), 0);
	bar = rd(&r, cfg + 0x20, 4) & ~0xfull;
	CHECK(bar >= 0xc0000000 || rd(&r, cfg + 0x24, 4));
	bar |= rd(&r, cfg + 0x24, 4) << 32;
	CHECK(rd(&r, bar + 0x12, 2) != 0xffff); /* number of queues */
	wr(&r, cfg + 0x20, 4, other);
	wr(&r, cfg + 0x24, 4, 0);
	CHECK_EQ(rd(&r, bar + 0x12, 2), 0xffff);
	CHECK(rd(&r, other + 0x12, 2) != 0xffff);
	wr(&r, cfg + 0x20, 4, 0xfee00000); /* over the local APIC: not mapped */
	CHECK_EQ(rd(&r, 0xfee00030, 4) & 0xff, 0x14);
	rig_free(&r);
}

/* Power button -> SCI -> I/O APIC -> local APIC -> the vCPU's pin. */
static void t_interrupt_path(void)
{
	struct rig r;

	CHECK_EQ(rig_make(&r, MIB(64), CPUS, 0), 0);
	wr(&r, 0xfee000f0, 4, 0x1ff); /* APIC on */
	wr(&r, 0xfec00000, 4, 0x10 + 2 * 9);
	wr(&r, 0xfec00010, 4, 0x8000 | 0x51); /* level, vector 51h, CPU 0 */
	wr(&r, 0xfec00000, 4, 0x11 + 2 * 9);
	wr(&r, 0xfec00010, 4, 0);
	out(&r, 0x21, 1, 0xff); /* the 8259 pair stays out of it */
	out(&r, 0xa1, 1, 0xff);
	out(&r, 0x602, 2, 0x100); /* enable the power button */
	CHECK(!r.v->irq);
	loop_lock(r.loop);
	board_pc.power_button(r.pc);
	loop_unlock(r.loop);
	CHECK(r.v->irq);
	CHECK_EQ(r.v->bus.irq_ack(r.v->bus.opaque), 0x51);
	CHECK(!r.v->irq);
	out(&r, 0x600, 2, 0x100); /* clear the cause */
	wr(&r, 0xfee000b0, 4, 0); /* EOI */
	CHECK(!r.v->irq);
	CHECK_EQ(r.v->bus.irq_ack(r.v->bus.opaque), (u64)-1);
	rig_free(&r);
}

/* Without firmware the 8259s, the timer and its handler are as a BIOS leaves them. */
static void t_bios_tick(void)
{
	struct rig r;
	u8 ivt[4], *code;

	CHECK_EQ(rig_make(&r, MIB(64), 1, 0), 0);
	run_for(&r, 100000000);
	CHECK(r.v->irq); /* the timer's period is 55 ms */
	CHECK_EQ(r.v->bus.irq_ack(r.v->bus.opaque), 8);
	gpa_read(r.pc->map, 8 * 4, ivt, 4);
	code = gpa_ptr(r.pc->map, load_le16(ivt) + load_le16(ivt + 2) * 16u, 32, false);
	CHECK_EQ(code[0], 0x50);
	CHECK_EQ(in(&r, 0x21, 1), 0xfa);
	CHECK_EQ(in(&r, 0xa1, 1), 0xff);
	rig_free(&r);
}

static void t_processors(void)
{
	struct rig r;
	struct engine_vcpu *ap;
	u64 val;

	CHECK_EQ(rig_make(&r, MIB(64), CPUS, 0), 0);
	ap = r.pc->vcpu[2];
	CHECK_EQ(rd(&r, 0xfee00020, 4) >> 24, 0);
	CHECK_EQ(ap->bus.mmio_read(ap->bus.opaque, 0xfee00020, 4) >> 24, 2);
	wr(&r, 0xfee000f0, 4, 0x1ff);
	wr(&r, 0xfee00310, 4, 2u << 24);
	wr(&r, 0xfee00300, 4, 0x4500);
	wr(&r, 0xfee00300, 4, 0x4608);
	CHECK_EQ(ap->inits, 1);
	CHECK_EQ(ap->sipis, 1);
	CHECK_EQ(ap->sipi_vector, 8);
	CHECK_EQ(r.v->bus.msr_read(r.v->bus.opaque, 0x1b, &val), 0);
	CHECK_EQ(val, 0xfee00900);
	CHECK_EQ(r.v->bus.msr_read(r.v->bus.opaque, 0x12345, &val), -E_NOENT);
	loop_lock(r.loop);
	board_pc.nmi(r.pc);
	loop_unlock(r.loop);
	CHECK(r.v->nmis && ap->nmis);
	rig_free(&r);
}

static void t_events(void)
{
	struct rig r;

	CHECK_EQ(rig_make(&r, MIB(64), 1, 0), 0);
	out(&r, 0x604, 2, 5 << 10 | 1 << 13);
	CHECK(r.events == 1 && r.event == BOARD_EVENT_POWEROFF);
	out(&r, 0xcf9, 1, 6);
	CHECK(r.events == 2 && r.event == BOARD_EVENT_RESET);
	out(&r, 0x64, 1, 0xfe);
	CHECK(r.events == 3 && r.event == BOARD_EVENT_RESET);
	out(&r, 0xf4, 4, 77);
	CHECK(r.events == 4 && r.event == BOARD_EVENT_EXIT && r.value == 77);
	out(&r, 0x505, 1, 1);
	CHECK(r.events == 5 && r.event == BOARD_EVENT_PANIC && r.value == 1);
	rig_free(&r);
}

static void t_reset_loads_again(void)
{
	struct rig r;
	u8 *p;

	CHECK_EQ(rig_make(&r, MIB(64), CPUS, 0), 0);
	p = gpa_ptr(r.pc->map, MIB(2), 4096, true);
	memset(p, 0, 4096);
	r.v->st.rip = 0;
	wr(&r, 0xfee000f0, 4, 0x1ff);
	loop_lock(r.loop);
	CHECK_EQ(board_pc.reset(r.pc, &r.e), 0);
	loop_unlock(r.loop);
	CHECK_EQ(load_le32(p), 0x1badb002);
	CHECK_EQ(r.v->st.rip, MIB(2) + 0x40);
	CHECK_EQ(rd(&r, 0xfee000f0, 4), 0xff);
	CHECK_EQ(r.pc->vcpu[2]->resets, 2);
	rig_free(&r);
}

/* With interrupt controllers in the engine the board has none, and uses the engine's. */
static void t_engine_irqchip(void)
{
	struct rig r;

	CHECK_EQ(rig_make(&r, MIB(64), 1, ENGINE_CAP_IRQCHIP), 0);
	CHECK_EQ(rd(&r, 0xfec00000, 4), 0xffffffff);
	CHECK_EQ(rd(&r, 0xfee00030, 4), 0xffffffff);
	CHECK_EQ(rd(&r, 0xfed00000, 4), 0xffffffff);
	out(&r, 0x602, 2, 0x100);
	loop_lock(r.loop);
	board_pc.power_button(r.pc);
	loop_unlock(r.loop);
	CHECK(container_of(r.v, struct engine_vm, cpu[0])->gsi_sets);
	CHECK_EQ(container_of(r.v, struct engine_vm, cpu[0])->gsi, 9);
	rig_free(&r);
}

/* The descriptor an engine would signal for a write to gpa, or -1. */
static int kick_fd(const struct engine_vm *vm, u64 gpa)
{
	for (unsigned i = 0; i < ARRAY_LEN(vm->io); i++)
		if (vm->io[i].gpa == gpa)
			return vm->io[i].fd;
	return -1;
}

/* Brings the entropy device in slot 1 up with its queue at 1 MiB; where its registers are. */
static u64 rng_start(struct rig *r)
{
	u64 cfg = 0xb0008000, bar, table, cap = rd(r, cfg + 0x34, 1);

	while (rd(r, cfg + cap, 1) != 0x11)
		cap = rd(r, cfg + cap + 1, 1);
	wr(r, cfg + 4, 2, 6); /* memory, bus master */
	wr(r, cfg + cap + 2, 2, 0x8000);
	table = rd(r, cfg + 0x14, 4) & ~0xfull;
	bar = rd(r, cfg + 0x20, 4) & ~0xfull;
	wr(r, table, 4, 0xfee00000);
	wr(r, table + 4, 4, 0);
	wr(r, table + 8, 4, 0x41);
	wr(r, table + 12, 4, 0);
	wr(r, bar + 0x14, 1, 3);
	wr(r, bar + 8, 4, 1);
	wr(r, bar + 12, 4, 1); /* VERSION_1 */
	wr(r, bar + 0x14, 1, 11);
	wr(r, bar + 0x16, 2, 0);
	wr(r, bar + 0x18, 2, 8);
	wr(r, bar + 0x1a, 2, 0);
	wr(r, bar + 0x20, 4, MIB(1));
	wr(r, bar + 0x28, 4, MIB(1) + 0x1000);
	wr(r, bar + 0x30, 4, MIB(1) + 0x2000);
	wr(r, bar + 0x1c, 2, 1);
	wr(r, bar + 0x14, 1, 15);
	return bar;
}

/*
 * An engine that signals descriptors: notifications come through them wherever
 * the registers move, and a message that comes often goes out through one.
 */
static void t_engine_eventfds(void)
{
	struct rig r;
	struct engine_vm *vm;
	struct virtq_desc *d;
	u16 *avail, *used;
	u64 bar, one = 1, count = 0;
	int fd;

	CHECK_EQ(rig_make(&r, MIB(64), 1, ENGINE_CAP_IRQCHIP), 0);
	vm = container_of(r.v, struct engine_vm, cpu[0]);
	bar = rng_start(&r);
	fd = kick_fd(vm, bar + 0x3000);
	CHECK(fd >= 0);
	CHECK_EQ(kick_fd(vm, bar + 0x3004), (u64)-1); /* it has one queue */
	d = gpa_ptr(r.pc->map, MIB(1), 16, true);
	avail = gpa_ptr(r.pc->map, MIB(1) + 0x1000, 32, true);
	used = gpa_ptr(r.pc->map, MIB(1) + 0x2000, 32, true);
	*d = (struct virtq_desc){.addr = MIB(2), .len = 16, .flags = VIRTQ_DESC_F_WRITE};
	for (unsigned i = 1; i <= 20; i++) {
		avail[1] = (u16)i;
		CHECK_EQ(write(fd, &one, 8), 8);
		for (unsigned tries = 0; used[1] != i && tries < 5000; tries++)
			run_for(&r, 1000000);
		CHECK_EQ(used[1], i);
	}
	CHECK_EQ(vm->msi_addr, 0xfee00000);
	CHECK_EQ(vm->msis, 15);
	CHECK_EQ(vm->irq_addr, 0xfee00000);
	CHECK_EQ(vm->irq_data, 0x41);
	CHECK_EQ(read(vm->irq_fd, &count, 8), 8);
	CHECK_EQ(count, 5);
	wr(&r, 0xb0008020, 4, 0xd0000000);
	CHECK_EQ(kick_fd(vm, bar + 0x3000), (u64)-1);
	CHECK_EQ(kick_fd(vm, 0xd0003000), (u64)fd);
	loop_lock(r.loop);
	CHECK_EQ(board_pc.reset(r.pc, &r.e), 0);
	loop_unlock(r.loop);
	CHECK_EQ(vm->irq_fd, (u64)-1);
	CHECK_EQ(kick_fd(vm, 0xd0003000), (u64)-1);
	rig_free(&r);
}

static int cmos(struct rig *r, u8 index)
{
	u32 v;

	out(r, 0x70, 1, index);
	v = in(r, 0x71, 1);
	return (int)((v >> 4) * 10 + (v & 15));
}

static void t_another_date(void)
{
	const s64 offset = -600000000; /* some 19 years */
	s64 before = (s64)time(NULL), shown;
	struct rig r;
	struct tm tm;

	CHECK_EQ(rig_make_at(&r, MIB(64), 1, 0, offset), 0);
	CHECK_EQ(container_of(r.v, struct engine_vm, cpu[0])->wall_offset, (u64)offset + 1);
	out(&r, 0x70, 1, 0x0b);
	out(&r, 0x71, 1, 0x82); /* the time stands still */
	tm = (struct tm){.tm_year = cmos(&r, 0x32) * 100 + cmos(&r, 9) - 1900,
			 .tm_mon = cmos(&r, 8) - 1,
			 .tm_mday = cmos(&r, 7),
			 .tm_hour = cmos(&r, 4),
			 .tm_min = cmos(&r, 2),
			 .tm_sec = cmos(&r, 0)};
	shown = (s64)timegm(&tm) - offset;
	CHECK(shown >= before && shown <= (s64)time(NULL));
	rig_free(&r);
}

static void t_bad_configurations(void)
{
	static const struct {
		u64 memory;
		unsigned ncpus;
		const char *says;
	} bad[] = {
		{MIB(64), 0, "CPUs"},	{MIB(64), 65, "CPUs"},	       {MIB(3), 1, "memory"},
		{GIB(65), 1, "memory"}, {MIB(64) + 4096, 1, "memory"},
	};
	struct rig r;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(rig_make(&r, bad[i].memory, bad[i].ncpus, 0) < 0);
		CHECK(strstr(r.e.msg, bad[i].says));
		rig_free(&r);
	}
}

int main(void)
{
	RUN(t_memory_layout);
	RUN(t_pci_both_ways);
	RUN(t_bars_move);
	RUN(t_interrupt_path);
	RUN(t_bios_tick);
	RUN(t_processors);
	RUN(t_events);
	RUN(t_reset_loads_again);
	RUN(t_engine_irqchip);
	RUN(t_engine_eventfds);
	RUN(t_another_date);
	RUN(t_bad_configurations);
	return test_done();
}
