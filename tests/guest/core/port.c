/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/port.h for the test image: a page pool above the image, one CPU, interrupts
 * let in between runs of the guest, a vCPU's turn ends with a timer tick.
 */
#include "tests/guest/core/image.h"

#include <stdarg.h>

#include "core/cpu/hw.h"

enum { POOL_PAGES = 4096 };

static u8 pool[POOL_PAGES][4096] __attribute__((aligned(32768)));
static u8 used[POOL_PAGES];
static struct hv_cpu cpu;
static u32 turn;

void *memset(void *d, int c, size_t n);
void *memset(void *d, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile u8 *)d)[i] = (u8)c;
	return d;
}

void *memcpy(void *d, const void *s, size_t n);
void *memcpy(void *d, const void *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile u8 *)d)[i] = ((const u8 *)s)[i];
	return d;
}

int memcmp(const void *a, const void *b, size_t n);
int memcmp(const void *a, const void *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((const u8 *)a)[i] != ((const u8 *)b)[i])
			return ((const u8 *)a)[i] - ((const u8 *)b)[i];
	return 0;
}

static void putch(char c)
{
	while (!(inb(0x3fd) & 0x20))
		;
	outb(0x3f8, (u8)c);
}

static void number(u64 val, unsigned base)
{
	char buf[24];
	unsigned n = 0;

	do
		buf[n++] = "0123456789abcdef"[val % base];
	while (val /= base);
	while (n)
		putch(buf[--n]);
}

static void vprint(const char *fmt, va_list ap)
{
	unsigned longs;
	u64 val;

	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			putch(*fmt);
			continue;
		}
		for (longs = 0; *++fmt == 'l'; longs++)
			;
		if (*fmt == 's') {
			for (const char *s = va_arg(ap, const char *); *s; s++)
				putch(*s);
			continue;
		}
		val = longs ? va_arg(ap, u64) : va_arg(ap, u32);
		if (*fmt == 'c')
			putch((char)val);
		else
			number(val, *fmt == 'x' ? 16 : 10);
	}
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
}

/* The local APIC's timer, periodic, masked legacy controllers. SDM vol. 3A 11.5.4. */
void port_init(void)
{
	volatile u32 *apic = (volatile u32 *)0xfee00000;

	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	apic[0xf0 / 4] = 0x1ff;
	apic[0x3e0 / 4] = 0xb;
	apic[0x320 / 4] = 0x20000 | TIMER_VECTOR;
	apic[0x380 / 4] = 2000000;
}

static bool fits(unsigned at, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (used[at + i])
			return false;
	return true;
}

void *port_page_alloc(unsigned order)
{
	unsigned n = 1u << order;

	for (unsigned i = 0; i + n <= POOL_PAGES; i += n) {
		if (!fits(i, n))
			continue;
		memset(&used[i], 1, n);
		memset(pool[i], 0, (size_t)n * 4096);
		return pool[i];
	}
	return NULL;
}

void port_page_free(void *va, unsigned order)
{
	if (va)
		memset(&used[((u8 *)va - pool[0]) / 4096], 0, 1u << order);
}

unsigned port_pages_used(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < POOL_PAGES; i++)
		n += used[i];
	return n;
}

u64 port_pa(const void *va)
{
	return (u64)(uintptr_t)va;
}

void *port_va(u64 pa)
{
	return (void *)(uintptr_t)pa;
}

struct hv_cpu *port_cpu(void)
{
	return &cpu;
}

void port_cpu_call(unsigned id, void (*fn)(void *arg), void *arg)
{
	fn(arg);
}

bool port_guest_enter(struct hv_vcpu *v)
{
	/* Bochs' VMRUN does not load CR2. */
	if (v->dirty & HV_G_CR)
		__asm__ volatile("mov %0, %%cr2" ::"r"(v->st.cr2));
	if (turn == image_ticks)
		return true;
	turn = image_ticks;
	return false;
}

void port_guest_leave(struct hv_vcpu *v)
{
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
}

void port_kick(struct hv_vcpu *v)
{
}

u64 port_wall_ns(void)
{
	return 1700000000ULL * 1000000000;
}

u32 port_tsc_khz(void)
{
	return 1000000;
}

u64 port_steal_ns(struct hv_vcpu *v)
{
	return 0;
}

void port_lock(struct port_lock *l)
{
}

void port_unlock(struct port_lock *l)
{
}
