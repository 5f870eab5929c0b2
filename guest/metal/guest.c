/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small kernel for tests of hull-metal. Command line: `do=WHAT`:
 *	hello	 says so and ends
 *	ticks	 says so again and again, with a pause
 *	triple	 faults with no interrupt table
 *	spin	 loops with interrupts off
 *	timers	 exits without end while its local APIC's timer fires, which it never lets in
 *	clocks	 says how far TSC and local APIC timer have come apart, in thousandths of a second
 *	touch	 reads and writes everything below 4 GiB behind its memory (`mem=` MiB)
 *	flood	 exits as often as it can, `rounds=` times
 *	calls	 hypercalls with random numbers and arguments, `rounds=` times
 *	msrs	 reads and writes random MSRs, `rounds=` times
 * What ends ends through isa-debug-exit (port 0xf4, value 0).
 */
#include <stdbool.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

void guest_main(const char *cmdline);

static u64 random_state = 88172645463325252ull;

static u64 rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void outb(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static u8 inb(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void say(const char *s)
{
	for (; *s; s++) {
		while (!(inb(0x3fd) & 0x20))
			;
		outb(0x3f8, (u8)*s);
	}
}

static void say_number(u64 v)
{
	char text[24];
	unsigned at = sizeof(text) - 1;

	text[at] = 0;
	do
		text[--at] = (char)('0' + v % 10);
	while (v /= 10);
	say(text + at);
}

static bool starts(const char *s, const char *with)
{
	while (*with)
		if (*s++ != *with++)
			return false;
	return true;
}

/* The text behind `key` in the command line, or "". */
static const char *option(const char *cmdline, const char *key)
{
	for (const char *p = cmdline; *p; p++) {
		if (!starts(p, key))
			continue;
		while (*key)
			p++, key++;
		return p;
	}
	return "";
}

static u64 number(const char *s, u64 otherwise)
{
	u64 v = 0;

	if (*s < '0' || *s > '9')
		return otherwise;
	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (u64)(*s - '0');
	return v;
}

static void triple(void)
{
	const struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) none = {0, 0};

	__asm__ volatile("lidt %0; int3" : : "m"(none));
}

static void spin(void)
{
	__asm__ volatile("cli; 1: jmp 1b");
}

/* SDM vol. 3A 11.5.4: divide by 1, periodic. */
static void timers(void)
{
	volatile u32 *apic = (volatile u32 *)0xfee00000;

	apic[0xf0 / 4] = 0x1ff;
	apic[0x3e0 / 4] = 0xb;
	apic[0x320 / 4] = 0x20040;
	apic[0x380 / 4] = 50000;
	for (;;)
		inb(0x80);
}

static u64 tsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

/* Both at one moment: the closest of several looks. The timer: divide by 128, masked, 4 G down. */
static void both(u64 *ticks, u64 *elapsed)
{
	volatile u32 *apic = (volatile u32 *)0xfee00000;
	u64 best = ~0ull;

	*ticks = *elapsed = 0;
	for (unsigned i = 0; i < 20; i++) {
		u64 before = tsc(), count = apic[0x390 / 4], took = tsc() - before;

		if (took >= best)
			continue;
		best = took;
		*ticks = before;
		*elapsed = 0xffffffff - count;
	}
}

static void clocks(void)
{
	volatile u32 *apic = (volatile u32 *)0xfee00000;
	u64 t0, e0, t1, e1, t, e;

	apic[0xf0 / 4] = 0x1ff;
	apic[0x3e0 / 4] = 0xa;
	apic[0x320 / 4] = 0x10040;
	apic[0x380 / 4] = 0xffffffff;
	both(&t0, &e0);
	for (unsigned i = 0; i < 20000; i++)
		inb(0x80);
	both(&t1, &e1);
	t1 -= t0;
	e1 -= e0;
	for (;;) {
		both(&t, &e);
		e = (e - e0) * t1 / e1; /* the timer's time in ticks of the TSC */
		t -= t0;
		say("apart ");
		/* The timer runs at 1 GHz: 7812500 counts a second. */
		say_number((t > e ? t - e : e - t) * 1000 / (t1 * 7812500 / e1));
		say("\n");
		for (unsigned i = 0; i < 20000; i++)
			inb(0x80);
	}
}

/* Local APIC and I/O APIC answer; whatever else does must not be memory. */
static void touch(u64 from)
{
	u64 changed = 0;

	for (u64 at = from; at < 1ull << 32; at += at < 0xb0000000 ? 65536 : 1 << 20) {
		volatile u64 *p = (volatile u64 *)at;
		u64 before = *p;

		if (at >= 0xb0000000 || before == ~0ull)
			continue;
		*p = 0x1234567812345678;
		changed += *p == 0x1234567812345678;
	}
	say("touch: places that kept a value: ");
	say_number(changed);
	say("\n");
}

static void flood(u64 rounds)
{
	for (u64 i = 0; i < rounds; i++) {
		u32 a = (u32)i, b, c = 0, d;

		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		inb(0x80);
	}
}

/* Xen's sched_op (29) may end us: that is no test. */
static void calls(u64 rounds)
{
	for (u64 i = 0; i < rounds; i++) {
		u64 nr = rnd() % 4 ? rnd() % 48 : rnd(), a = rnd() % 2 ? rnd() % 48 : rnd();
		u64 b = rnd() % 2 ? rnd() % (1 << 24) : rnd(), c = rnd() % 2 ? rnd() % 64 : rnd();
		register u64 d __asm__("r10") = rnd();

		if (nr == 29)
			continue;
		__asm__ volatile("vmmcall"
				 : "+a"(nr), "+D"(a), "+S"(b), "+d"(c), "+r"(d)
				 :
				 : "memory");
	}
}

/* Faults come back to the next instruction: one gate for #GP (13). */
extern u64 faults;
u64 faults;
__asm__(".text; on_gp: incq faults(%rip); add $8, %rsp; addq $2, (%rsp); iretq");
extern char on_gp[];
static struct {
	u16 low, selector, type, middle;
	u32 high, zero;
} idt[14];

static void msrs(u64 rounds)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) idtr = {sizeof(idt) - 1, (u64)idt};
	static const u32 base[] = {0, 0x800, 0x40000000, 0x4b564d00, 0xc0000080, 0xc0010000};
	/* What ends the guest, and no test: its own base registers and modes. */
	static const u32 not [] = {0x1b, 0xc0000080, 0xc0000100, 0xc0000101};

	idt[13].low = (u16)(u64)on_gp;
	idt[13].selector = 8;
	idt[13].type = 0x8e00;
	idt[13].middle = (u16)((u64)on_gp >> 16);
	__asm__ volatile("lidt %0" : : "m"(idtr));
	for (u64 i = 0; i < rounds; i++) {
		u32 msr = base[rnd() % 6] + (u32)(rnd() % 512), lo = 0, hi = 0;
		bool skip = msr == 0x830; /* an IPI to ourselves may be an INIT */

		for (unsigned k = 0; k < sizeof(not ) / sizeof(not [0]); k++)
			skip |= msr == not [k];
		if (skip)
			continue;
		__asm__ volatile("rdmsr" : "+a"(lo), "+d"(hi) : "c"(msr) : "memory");
		if (rnd() % 2) {
			lo = (u32)rnd();
			hi = rnd() % 2 ? 0 : (u32)rnd();
		}
		__asm__ volatile("wrmsr" : : "a"(lo), "d"(hi), "c"(msr) : "memory");
	}
	say("msrs: faults: ");
	say_number(faults);
	say("\n");
}

static void ticks(void)
{
	for (u64 n = 0;; n++) {
		say("tick ");
		say_number(n);
		say("\n");
		for (unsigned i = 0; i < 20000; i++)
			inb(0x80);
	}
}

void guest_main(const char *cmdline)
{
	const char *what = option(cmdline, "do=");
	u64 rounds = number(option(cmdline, "rounds="), 1000);

	say("test kernel: ");
	say(cmdline);
	say("\n");
	if (starts(what, "triple"))
		triple();
	else if (starts(what, "spin"))
		spin();
	else if (starts(what, "timers"))
		timers();
	else if (starts(what, "clocks"))
		clocks();
	else if (starts(what, "touch"))
		touch(number(option(cmdline, "mem="), 16) << 20);
	else if (starts(what, "flood"))
		flood(rounds);
	else if (starts(what, "calls"))
		calls(rounds);
	else if (starts(what, "msrs"))
		msrs(rounds);
	else if (starts(what, "ticks"))
		ticks();
	say("test kernel: done\n");
	outb(0xf4, 0);
}
