/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Ground types. Freestanding; included by everything, includes nothing of hull.
 */
#ifndef HULL_BASE_TYPES_H
#define HULL_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define static_assert _Static_assert

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define KIB(n) ((u64)(n) << 10)
#define MIB(n) ((u64)(n) << 20)
#define GIB(n) ((u64)(n) << 30)

/*
 * Error numbers of freestanding code: 0 or -E_x. The values are Linux's on
 * x86-64 (include/uapi/asm-generic/errno-base.h), so hosted callers may treat
 * them as errno.
 */
enum {
	E_PERM = 1,
	E_NOENT = 2,
	E_INTR = 4,
	E_IO = 5,
	E_2BIG = 7,
	E_NOEXEC = 8,
	E_AGAIN = 11,
	E_NOMEM = 12,
	E_ACCES = 13,
	E_FAULT = 14,
	E_BUSY = 16,
	E_EXIST = 17,
	E_NODEV = 19,
	E_INVAL = 22,
	E_NOSPC = 28,
	E_RANGE = 34,
	E_NOSYS = 38,
	E_OVERFLOW = 75,
	E_NOTSUP = 95,
};

#endif
