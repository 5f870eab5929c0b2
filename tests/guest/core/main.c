/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core's test image: boots on an emulated machine with SVM or VMX, runs the
 * guests of guest/test on the virtualization core and prints what they stored and
 * which accesses they made to devices, in the words of tests/unit/kvm/outcome.c,
 * where the software CPU's outcome comes from. tests/integration/core_emulated.py
 * compares. The devices are those of tests/unit/kvm/rig.c.
 */
#include "tests/guest/core/image.h"

#include "base/bits.h"
#include "dev/irq/gsi.h"
#include "dev/irq/lapic.h"

/* guest/test/guest.inc */
enum {
	PORT_DONE = 0xf4,
	PORT_GSI = 0x500,
	PORT_MSI = 0x504,
	PORT_NMI = 0x508,
	PORT_VECTOR = 0x511,
	PORT_ECHO = 0x600,
};
#define MULTIBOOT2 0x36d76289u
enum { LOG = 512, RESULTS = 0x6000, NRESULTS = 256, CPUS = 2 };

struct access {
	char kind;
	u8 size;
	u32 addr;
	u64 val;
};

struct machine {
	struct hv_vm vm;
	struct hv_vcpu v[CPUS];
	struct lapic lapic[CPUS];
	struct apic_bus bus;
	struct ioapic ioapic;
	struct pic pic;
	struct gsi_wiring gsi;
	unsigned ncpus, nlog, deferrals;
	bool done, defer_all;
	struct access log[LOG];
	u64 answer;
};

static u8 ram[MIB(2)] __attribute__((aligned(2097152)));
static u8 rom[4096] __attribute__((aligned(4096)));
static struct machine m;

static u64 clock_now(void *opaque)
{
	return 0;
}

static void timer_arm(void *opaque, struct io_timer *t, u64 deadline_ns)
{
}

static void timer_cancel(void *opaque, struct io_timer *t)
{
}

static const struct io_clock_ops clock_ops = {.now_ns = clock_now,
					      .wall_s = clock_now,
					      .timer_arm = timer_arm,
					      .timer_cancel = timer_cancel};
static const struct io_clock clock = {.ops = &clock_ops};

/* ---- the bus ---------------------------------------------------------------------- */

static unsigned index_of(void *opaque)
{
	return (unsigned)((struct hv_vcpu *)opaque - m.v);
}

static void log_access(char kind, unsigned size, u64 addr, u64 val)
{
	if (m.nlog < LOG)
		m.log[m.nlog++] = (struct access){
			.kind = kind, .size = (u8)size, .addr = (u32)addr, .val = val};
}

static u64 pattern(u64 addr, unsigned size)
{
	return 0xa0b0c0d0e0f01020ULL * (addr + 1) & mask_bytes(size);
}

/* In "later" runs every access to the echo ranges is answered by the host afterwards. */
static bool later(struct hv_vcpu *v, u64 val)
{
	if (!m.defer_all)
		return false;
	m.deferrals++;
	m.answer = val;
	hv_vcpu_defer(v);
	return true;
}

static u64 mmio_read(void *opaque, u64 gpa, unsigned size)
{
	struct lapic *l = &m.lapic[index_of(opaque)];

	if (gpa - lapic_base(l) < LAPIC_WINDOW)
		return lapic_ops.read(l, gpa & 0xfff, size);
	if (gpa - IOAPIC_BASE < IOAPIC_WINDOW)
		return ioapic_ops.read(&m.ioapic, gpa & 0xfff, size);
	log_access('r', size, gpa, pattern(gpa, size));
	return later(opaque, pattern(gpa, size)) ? 0x5a : pattern(gpa, size);
}

static void mmio_write(void *opaque, u64 gpa, unsigned size, u64 val)
{
	struct lapic *l = &m.lapic[index_of(opaque)];

	if (gpa - lapic_base(l) < LAPIC_WINDOW) {
		lapic_ops.write(l, gpa & 0xfff, size, val);
	} else if (gpa - IOAPIC_BASE < IOAPIC_WINDOW) {
		ioapic_ops.write(&m.ioapic, gpa & 0xfff, size, val);
	} else if (gpa - 0xc0000 >= sizeof(rom)) {
		log_access('w', size, gpa, val);
		later(opaque, 0);
	}
}

static const struct device_ops *pic_port(u16 port)
{
	return port >> 1 == 0x20 >> 1	? &pic_master_ops
	       : port >> 1 == 0xa0 >> 1 ? &pic_slave_ops
					: NULL;
}

static u32 pio_read(void *opaque, u16 port, unsigned size)
{
	const struct device_ops *pic = pic_port(port);

	if (pic)
		return (u32)pic->read(&m.pic, port & 1, 1);
	if (port == PORT_VECTOR)
		return 1;
	log_access('i', size, port, (u32)pattern(port, size));
	return later(opaque, pattern(port, size)) ? 0x5a : (u32)pattern(port, size);
}

static void port_command(u16 port, u32 val)
{
	if (port == PORT_DONE) {
		m.done = true;
		for (unsigned i = 0; i < m.ncpus; i++)
			hv_vcpu_kick(&m.v[i]);
	} else if (port == PORT_GSI) {
		gsi_set(&m.gsi, val, true);
		gsi_set(&m.gsi, val, false);
	} else if (port == PORT_MSI) {
		apic_bus_msi(&m.bus, 0xfee00000, val);
	} else if (port == PORT_NMI) {
		hv_vcpu_nmi(&m.v[val & 1]);
	}
}

static void pio_write(void *opaque, u16 port, unsigned size, u32 val)
{
	const struct device_ops *pic = pic_port(port);

	if (pic) {
		pic->write(&m.pic, port & 1, 1, val);
		return;
	}
	log_access('o', size, port, val);
	port_command(port, val);
	if (port >= PORT_ECHO)
		later(opaque, 0);
}

static int msr_read(void *opaque, u32 msr, u64 *val)
{
	return lapic_msr_read(&m.lapic[index_of(opaque)], msr, val);
}

static int msr_write(void *opaque, u32 msr, u64 val)
{
	return lapic_msr_write(&m.lapic[index_of(opaque)], msr, val);
}

static int irq_ack(void *opaque)
{
	return lapic_ack(&m.lapic[index_of(opaque)]);
}

static u8 cr8_read(void *opaque)
{
	return lapic_cr8_read(&m.lapic[index_of(opaque)]);
}

static void cr8_write(void *opaque, u8 val)
{
	lapic_cr8_write(&m.lapic[index_of(opaque)], val);
}

static void hypercall(void *opaque, u64 r[6])
{
	r[0] = ~0ULL;
}

/* ---- wires -------------------------------------------------------------------------- */

static void wire_intr(void *opaque, unsigned cpu, bool level)
{
	hv_vcpu_irq(&m.v[cpu], level);
}

static void wire_nmi(void *opaque, unsigned cpu)
{
	hv_vcpu_nmi(&m.v[cpu]);
}

static void wire_init(void *opaque, unsigned cpu)
{
	hv_vcpu_init_signal(&m.v[cpu]);
}

static void wire_sipi(void *opaque, unsigned cpu, u8 vector)
{
	hv_vcpu_sipi(&m.v[cpu], vector);
}

static int wire_pic_ack(void *opaque)
{
	return pic_ack(&m.pic);
}

static u64 wire_tsc_to_ns(void *opaque, unsigned cpu, u64 tsc)
{
	return ~0ULL;
}

static void irq_init(void)
{
	static const struct lapic_wires wires = {.intr = wire_intr,
						 .nmi = wire_nmi,
						 .init = wire_init,
						 .sipi = wire_sipi,
						 .pic_ack = wire_pic_ack,
						 .tsc_to_ns = wire_tsc_to_ns};

	apic_bus_init(&m.bus);
	for (unsigned i = 0; i < m.ncpus; i++)
		lapic_init(&m.lapic[i], i, &m.bus, &clock, &wires);
	ioapic_init(&m.ioapic, &m.bus);
	pic_init(&m.pic, (struct irq_line){.set = apic_bus_pic_intr, .opaque = &m.bus});
	m.gsi = (struct gsi_wiring){.pic = &m.pic, .ioapic = &m.ioapic};
}

/* ---- a machine ------------------------------------------------------------------------ */

static const struct hv_vm_ops vm_ops;

static void slot(u32 id, u64 gpa, u64 size, u8 *va, u32 flags)
{
	struct hv_slot s = {
		.id = id, .gpa = gpa, .size = size, .va = va, .pa = port_pa(va), .flags = flags};

	if (hv_slot_set(&m.vm, &s))
		print("slot %u refused\n", id);
}

static int machine_init(const struct vt_ops *vt, const u8 *image, size_t size, unsigned ncpus)
{
	const struct hv_vm_config cfg = {.ops = &vm_ops, .ncpus = ncpus, .pv = HV_PV_KVM};
	static struct x86_state s;
	struct vcpu_bus bus = {.mmio_read = mmio_read,
			       .mmio_write = mmio_write,
			       .pio_read = pio_read,
			       .pio_write = pio_write,
			       .msr_read = msr_read,
			       .msr_write = msr_write,
			       .irq_ack = irq_ack,
			       .cr8_read = cr8_read,
			       .cr8_write = cr8_write,
			       .hypercall = hypercall};
	int err = hv_vm_init(&m.vm, vt, &cfg);

	if (err)
		return err;
	__builtin_memset(ram, 0, sizeof(ram));
	__builtin_memcpy(ram + 0x8000, image, size);
	for (unsigned i = 0; i < sizeof(rom); i++)
		rom[i] = (u8)i;
	slot(0, 0, 0x80000, ram, HV_SLOT_PREMAP);
	slot(1, 0xc0000, 0x1000, rom, HV_SLOT_READONLY);
	slot(2, 0x100000, 0x100000, ram + 0x100000, 0);
	m.ncpus = ncpus;
	irq_init();
	for (unsigned i = 0; i < ncpus && !err; i++) {
		bus.opaque = &m.v[i];
		err = hv_vcpu_init(&m.v[i], &m.vm, i, &bus);
	}
	if (err)
		return err;
	hv_vcpu_get(&m.v[0], &s);
	s.seg[X86_CS].sel = 0;
	s.seg[X86_CS].base = 0;
	s.rip = 0x8000;
	return hv_vcpu_set(&m.v[0], &s);
}

static void machine_fini(void)
{
	for (unsigned i = 0; i < m.ncpus; i++)
		hv_vcpu_fini(&m.v[i]);
	hv_vm_fini(&m.vm);
}

/* Each vCPU a turn until the guest is done; the exit that ended it. */
static void machine_run(struct hv_exit *e)
{
	unsigned halted = 0;

	for (unsigned i = 0; !m.done; i = (i + 1) % m.ncpus) {
		hv_vcpu_run(&m.v[i], e);
		halted = e->kind == HV_EXIT_HALT ? halted + 1 : 0;
		if (e->kind == HV_EXIT_DEFER) {
			hv_vcpu_answer(&m.v[i], m.answer);
			i += m.ncpus - 1; /* its turn again */
		}
		if ((e->kind > HV_EXIT_DEFER && e->kind != HV_EXIT_YIELD) || halted > 1000)
			return;
	}
}

/* ---- what is printed --------------------------------------------------------------------- */

static void print_outcome(const char *name, const struct hv_exit *e)
{
	const u32 *result = (const u32 *)(ram + RESULTS);

	print("guest %s\n", name);
	if (!m.done)
		print("end %u %s\n", e->kind, e->reason);
	for (unsigned i = 0; i < NRESULTS; i++)
		if (result[i])
			print("result %u %x\n", i, result[i]);
	for (unsigned i = 0; i < m.nlog; i++)
		print("access %c %u %x %llx\n", m.log[i].kind, m.log[i].size, m.log[i].addr,
		      (unsigned long long)m.log[i].val);
	print("end of %s\n", name);
}

static void print_exits(const struct hv_vcpu *v)
{
	print("exits");
	for (unsigned i = 0; i < VT_EXIT_KINDS; i++)
		if (v->stats.exits[i])
			print(" %s=%llu", hv_exit_name(i), (unsigned long long)v->stats.exits[i]);
	print("\n");
}

struct guest {
	const char *name;
	const u8 *start, *end;
	unsigned ncpus;
	bool later;
};

#define GUEST(n, cpus, defer)                                                                      \
	{                                                                                          \
#n, guest_##n, guest_##n##_end, cpus, defer                                        \
	}
#define DECLARE(n) extern const u8 guest_##n[], guest_##n##_end[]
DECLARE(real16);
DECLARE(prot32);
DECLARE(page32);
DECLARE(long64);
DECLARE(call64);
DECLARE(irq64);
DECLARE(smp64);
DECLARE(move64);
DECLARE(core64);

static const struct guest guests[] = {
	GUEST(real16, 1, false), GUEST(prot32, 1, false), GUEST(page32, 1, false),
	GUEST(long64, 1, false), GUEST(call64, 1, false), GUEST(irq64, 1, false),
	GUEST(core64, 1, false), GUEST(real16, 1, true),  GUEST(long64, 1, true),
	GUEST(smp64, 2, false),
};

static bool run_guest(const struct vt_ops *vt, const struct guest *g)
{
	struct hv_exit e;
	bool done;

	__builtin_memset(&m, 0, sizeof(m));
	m.defer_all = g->later;
	if (machine_init(vt, g->start, (size_t)(g->end - g->start), g->ncpus)) {
		print("guest %s: no machine\n", g->name);
		return false;
	}
	machine_run(&e);
	print_outcome(g->name, &e);
	print("deferred %u\n", m.deferrals);
	print_exits(&m.v[0]);
	done = m.done;
	machine_fini();
	return done;
}

void image_fault(u64 rip, u64 error, u64 cr2);
void image_fault(u64 rip, u64 error, u64 cr2)
{
	print("fault: %llx %llx %llx\n", (unsigned long long)rip, (unsigned long long)error,
	      (unsigned long long)cr2);
	image_exit(1);
}

void image_exit(int status)
{
	static const char off[] = "Shutdown"; /* bochs */

	print("image ends: %d\n", status);
	outb(0xf4, (u8)status);
	for (const char *p = off; *p; p++)
		outb(0x8900, (u8)*p);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void image_main(u32 magic);
void image_main(u32 magic)
{
	const struct vt_ops *vt;
	const char *why = "";
	unsigned bad = 0;

	outb(0x3f9, 0);
	outb(0x3fb, 3);
	port_init();
	if (hv_probe(&vt, &why)) {
		print("no virtualization: %s\n", why);
		image_exit(2);
	}
	print("core on %s, ticks %u\n", vt->name, image_ticks);
	if (hv_cpu_prepare(port_cpu(), vt) || hv_cpu_enable()) {
		print("cannot enable\n");
		image_exit(2);
	}
	for (unsigned i = 0; i < ARRAY_LEN(guests); i++) {
		/* Bochs, which GRUB boots, interrupts no SVM guest that has IF clear. */
		if (guests[i].ncpus > 1 && vt == &svm_ops && magic == MULTIBOOT2)
			print("%s left out\n", guests[i].name);
		else
			bad += !run_guest(vt, &guests[i]);
	}
	hv_cpu_disable();
	hv_cpu_release(port_cpu());
	print("pages left %u, ticks %u\n", port_pages_used(), image_ticks);
	image_exit(bad != 0);
}
