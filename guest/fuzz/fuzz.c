/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile guest: random accesses to every port, to every MMIO window and
 * through virtio rings full of nonsense. 32-bit, no operating system, no
 * interrupts. Command line: `seed=N rounds=N`. Ends through isa-debug-exit
 * (port 0xf4, value 0); any other end is a finding, or the guest's own doing
 * (triple fault) which the caller sees in the exit status.
 *
 * Left alone, because they end the run rather than test anything: the exit,
 * reset and power-off registers, and INIT/SIPI to ourselves.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

enum {
	ARENA = 16 << 20, /* scratch RAM the rings and buffers live in */
	ARENA_SIZE = 8 << 20,
	MAX_DEVS = 32,
	ECAM_DEFAULT = 0xb0000000,
};

static u64 rng = 1;

static u32 rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (u32)(rng >> 16);
}

static u32 below(u32 n)
{
	return rnd() % n;
}

static void out(u16 port, unsigned size, u32 v)
{
	if (size == 1)
		__asm__ volatile("outb %b0, %w1" : : "a"(v), "Nd"(port));
	else if (size == 2)
		__asm__ volatile("outw %w0, %w1" : : "a"(v), "Nd"(port));
	else
		__asm__ volatile("outl %0, %w1" : : "a"(v), "Nd"(port));
}

static u32 in(u16 port, unsigned size)
{
	u32 v = 0;

	if (size == 1)
		__asm__ volatile("inb %w1, %b0" : "+a"(v) : "Nd"(port));
	else if (size == 2)
		__asm__ volatile("inw %w1, %w0" : "+a"(v) : "Nd"(port));
	else
		__asm__ volatile("inl %w1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void poke(u32 addr, unsigned size, u32 v)
{
	if (size == 1)
		*(volatile u8 *)addr = v;
	else if (size == 2)
		*(volatile u16 *)addr = v;
	else
		*(volatile u32 *)addr = v;
}

static u32 peek(u32 addr, unsigned size)
{
	return size == 1   ? *(volatile u8 *)addr
	       : size == 2 ? *(volatile u16 *)addr
			   : *(volatile u32 *)addr;
}

static void say(const char *s)
{
	while (*s)
		out(0x3f8, 1, *s++);
}

static u32 number(const char *s, const char *key, u32 dflt)
{
	for (; s && *s; s++) {
		size_t i = 0;
		u32 v = 0;

		while (key[i] && s[i] == key[i])
			i++;
		if (key[i])
			continue;
		for (s += i; *s >= '0' && *s <= '9'; s++)
			v = v * 10 + (*s - '0');
		return v;
	}
	return dflt;
}

/* ---- ports ---- */

static bool port_ends_run(u16 port)
{
	return (port >= 0xf1 && port <= 0xf7) || (port >= 0xcf6 && port <= 0xcfb) ||
	       (port >= 0x8f && port <= 0x92) || (port >= 0x61 && port <= 0x64) ||
	       (port >= 0x5fd && port <= 0x60c) || (port >= 0x502 && port <= 0x508);
}

static void fuzz_port(void)
{
	static const u16 base[] = {0x20,  0x21,	 0x40,	0x43,  0x60,  0x70,  0x71,  0xa0,
				   0xa1,  0xe9,	 0x3f8, 0x3f9, 0x3fb, 0x402, 0x4d0, 0x510,
				   0x511, 0x514, 0x518, 0xcf8, 0xcfc, 0x600, 0x80,  0xb2};
	u16 port = below(4) ? base[below(sizeof(base) / sizeof(*base))] + below(4) : rnd();
	unsigned size = 1 << below(3);

	if (port_ends_run(port))
		return;
	if (below(3))
		out(port, size, below(2) ? rnd() : below(256));
	else
		in(port, size);
}

/* ---- PCI ---- */

struct dev {
	u32 bdf;
	u32 bar[6], bar_size[6];
	u32 common, notify, notify_mult, isr, devcfg;
	bool virtio;
};

static struct dev devs[MAX_DEVS];
/* A balloon fed with nonsense soon takes the page this runs from: only some runs do. */
static bool leave_balloon;
static unsigned ndevs;

static u32 cfg_read(u32 bdf, u32 off)
{
	out(0xcf8, 4, 0x80000000 | bdf << 8 | (off & 0xfc));
	return in(0xcfc, 4);
}

static void cfg_write(u32 bdf, u32 off, u32 v)
{
	out(0xcf8, 4, 0x80000000 | bdf << 8 | (off & 0xfc));
	out(0xcfc, 4, v);
}

static void find_bars(struct dev *d)
{
	static u32 next = 0xe0000000;

	for (int i = 0; i < 6; i++) {
		u32 off = 0x10 + 4 * i, old = cfg_read(d->bdf, off), size;
		bool is64 = (old & 7) == 4;

		cfg_write(d->bdf, off, ~0u);
		size = ~(cfg_read(d->bdf, off) & ~15u) + 1;
		if ((old & 1) || !size || size > 16 << 20) {
			cfg_write(d->bdf, off, old);
		} else {
			next = (next + size - 1) & ~(size - 1);
			cfg_write(d->bdf, off, next);
			if (is64)
				cfg_write(d->bdf, off + 4, 0);
			d->bar[i] = next;
			d->bar_size[i] = size;
			next += size;
		}
		i += is64;
	}
	cfg_write(d->bdf, 4, 7);
}

/* Virtio 1.2 section 4.1.4: vendor capabilities name the register blocks. */
static void find_caps(struct dev *d)
{
	u32 cap = cfg_read(d->bdf, 0x34) & 0xfc;

	for (int n = 0; cap && n < 32; n++) {
		u32 h = cfg_read(d->bdf, cap), bar = cfg_read(d->bdf, cap + 4) & 0xff;
		u32 at = bar < 6 ? d->bar[bar] + cfg_read(d->bdf, cap + 8) : 0;

		if ((h & 0xff) == 9 && bar < 6 && d->bar[bar]) {
			switch (h >> 24) {
			case 1:
				d->common = at;
				break;
			case 2:
				d->notify = at;
				d->notify_mult = cfg_read(d->bdf, cap + 16);
				break;
			case 3:
				d->isr = at;
				break;
			case 4:
				d->devcfg = at;
				break;
			}
		}
		cap = h >> 8 & 0xfc;
	}
	d->virtio =
		d->common && d->notify && !(leave_balloon && cfg_read(d->bdf, 0) >> 16 == 0x1045);
}

static void scan(void)
{
	for (u32 slot = 0; slot < 32 && ndevs < MAX_DEVS; slot++) {
		struct dev *d = &devs[ndevs];

		d->bdf = slot << 3;
		if ((cfg_read(d->bdf, 0) & 0xffff) == 0xffff)
			continue;
		find_bars(d);
		find_caps(d);
		ndevs++;
	}
}

static void fuzz_config(void)
{
	struct dev *d = &devs[below(ndevs)];
	u32 off = below(64) * 4;

	/* Moving BARs is fair, losing track of them is not useful. */
	if (off >= 0x10 && off < 0x28)
		return;
	if (below(2))
		cfg_write(d->bdf, off, off == 4 ? 7 : rnd());
	else
		cfg_read(d->bdf, off);
	if (!below(8))
		cfg_write(d->bdf, 4, 7);
}

/* ---- MMIO ---- */

static void fuzz_mmio(void)
{
	static const u32 window[] = {0xfec00000, 0xfed00000, 0xfee00000, ECAM_DEFAULT,
				     0xe0000000, 0xfed40000, 0xd0000000, 0xfffc0000};
	struct dev *d = &devs[below(ndevs)];
	unsigned bar = below(6), size = 1 << below(3);
	u32 addr;

	if (below(3) && d->bar[bar])
		addr = d->bar[bar] + below(d->bar_size[bar]);
	else
		addr = window[below(8)] + below(4096);
	/* ICR: INIT and start-up to ourselves would stop us. */
	if (addr >= 0xfee002fd && addr < 0xfee00320)
		return;
	if (below(2))
		poke(addr, size, rnd());
	else
		peek(addr, size);
}

/* ---- virtio ---- */

static u64 some_address(void)
{
	switch (below(24)) {
	case 0:
		return 0xfffffffffffff000ULL;
	case 1:
		return 0xfee00000;
	case 2:
		return 0xfffff000;
	case 3:
		return (u64)rnd() << 32 | rnd();
	case 4:
		return devs[below(ndevs)].bar[0];
	case 5:
		return ~0ULL;
	default:
		return ARENA + below(ARENA_SIZE - 65536);
	}
}

static void put64(u32 at, u64 v)
{
	poke(at, 4, (u32)v);
	poke(at + 4, 4, v >> 32);
}

static void fill_ring(u32 desc, u32 avail, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		u32 at = desc + i * 16;

		put64(at, some_address());
		poke(at + 8, 4, below(16) ? below(8192) : rnd());
		poke(at + 12, 2, below(12) ? below(4) : rnd());
		poke(at + 14, 2, below(12) ? (i + 1) % n : rnd());
	}
	poke(avail, 2, below(4));
	for (unsigned i = 0; i < n; i++)
		poke(avail + 4 + i * 2, 2, below(12) ? below(n) : rnd());
	poke(avail + 2, 2, below(8) ? below(n + 1) : rnd());
	/* Some buffers that look like requests: block type and sector, net header, ... */
	for (int i = 0; i < 64; i++)
		poke(ARENA + below(ARENA_SIZE - 64), 4, below(20));
}

static void fuzz_virtio(void)
{
	struct dev *d = &devs[below(ndevs)];
	unsigned q, n, queues;

	if (!d->virtio)
		return;
	if (!below(4)) { /* initialize it, more or less as section 3.1.1 says */
		poke(d->common + 20, 1, 0);
		poke(d->common + 20, 1, 3);
		for (u32 w = 0; w < 2; w++) {
			u32 f;

			poke(d->common, 4, w);
			f = peek(d->common + 4, 4);
			poke(d->common + 8, 4, w);
			poke(d->common + 12, 4, below(3) ? f : f & rnd());
		}
		poke(d->common + 20, 1, 11);
		poke(d->common + 20, 1, 15);
	}
	queues = peek(d->common + 18, 2);
	if (!queues)
		return;
	q = below(8) ? below(queues) : rnd() & 0xffff;
	poke(d->common + 22, 2, q);
	n = peek(d->common + 24, 2);
	if (n > 256 || !n)
		n = 256;
	if (!below(3)) {
		u32 ring = ARENA + below(64) * 65536;

		fill_ring(ring, ring + 16384, n);
		if (!below(4))
			poke(d->common + 24, 2, below(2) ? 1u << below(9) : rnd());
		put64(d->common + 32, below(10) ? ring : some_address());
		put64(d->common + 40, below(10) ? ring + 16384 : some_address());
		put64(d->common + 48, below(10) ? ring + 32768 : some_address());
		poke(d->common + 26, 2, below(4));
		poke(d->common + 28, 2, 1);
	}
	poke(d->notify + (below(8) ? q * d->notify_mult : below(4096)), 2, q);
	if (d->devcfg && !below(4))
		poke(d->devcfg + below(64), 1 << below(3), rnd());
}

/* ---- interrupts ---- */

/*
 * A device we provoke may raise anything, an NMI included: return from all of
 * it. An exception of our own would then repeat for ever, which is the caller's
 * time limit to end.
 */
extern const char ignore_interrupt[];
static u64 idt[256];

static void catch_all(void)
{
	struct __attribute__((packed)) {
		u16 limit;
		u32 base;
	} idtr = {sizeof(idt) - 1, (u32)(uintptr_t)idt};
	u32 at = (u32)(uintptr_t)ignore_interrupt;
	u16 cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	for (int i = 0; i < 256; i++) /* 32-bit interrupt gate, SDM vol. 3A section 6.11 */
		idt[i] = (at & 0xffff) | (u64)cs << 16 | 0x8e0000000000ULL | (u64)(at >> 16) << 48;
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

void fuzz_main(const char *cmdline);

void fuzz_main(const char *cmdline)
{
	u32 rounds = number(cmdline, "rounds=", 200000);

	rng = number(cmdline, "seed=", 1) * 0x9e3779b97f4a7c15ULL + 1;
	leave_balloon = number(cmdline, "seed=", 1) % 4 != 0;
	catch_all();
	say("FUZZ-START\r\n");
	scan();
	for (u32 i = 0; i < rounds && ndevs; i++)
		switch (below(8)) {
		case 0:
			fuzz_port();
			break;
		case 1:
			fuzz_config();
			break;
		case 2:
		case 3:
			fuzz_mmio();
			break;
		default:
			fuzz_virtio();
			break;
		}
	say("\r\nFUZZ-DONE\r\n");
	out(0xf4, 1, 0);
}
