/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core's test image: what its files share. One CPU, memory one to one, a
 * serial line; see main.c.
 */
#ifndef HULL_TESTS_GUEST_CORE_IMAGE_H
#define HULL_TESTS_GUEST_CORE_IMAGE_H

#include "core/user.h"

#define TIMER_VECTOR 0x20

extern volatile u32 image_ticks;

static inline void outb(u16 port, u8 val)
{
	__asm__ volatile("outb %0, %1" ::"a"(val), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 val;

	__asm__ volatile("inb %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

/* %s %c %d %u %x %lx %lu %llx %llu, as core/port.h asks. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void image_exit(int status);
void port_init(void);
/* Pages handed out and not given back. */
unsigned port_pages_used(void);

#endif
