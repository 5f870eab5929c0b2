/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/pvclock.h"

#include "base/endian.h"

/* struct pvclock_vcpu_time_info and struct pvclock_wall_clock. */
enum {
	TIME_VERSION = 0,
	TIME_TSC = 8,
	TIME_SYSTEM = 16,
	TIME_MUL = 24,
	TIME_SHIFT = 28,
	TIME_FLAGS = 29,
	TIME_SIZE = 32,
	TIME_F_TSC_STABLE = 1,
	TIME_F_STOPPED = 2,
	WALL_VERSION = 0,
	WALL_SEC = 4,
	WALL_NSEC = 8,
	WALL_SIZE = 12,
	SYSTEM_ENABLE = 1,
};
#define NS_PER_S 1000000000ull

bool pvclock_is_msr(u32 msr)
{
	return msr == MSR_KVM_WALL_CLOCK || msr == MSR_KVM_SYSTEM_TIME ||
	       msr == MSR_KVM_WALL_CLOCK_NEW || msr == MSR_KVM_SYSTEM_TIME_NEW;
}

static bool is_wall(u32 msr)
{
	return msr == MSR_KVM_WALL_CLOCK || msr == MSR_KVM_WALL_CLOCK_NEW;
}

u64 pvclock_read(const struct pvclock *p, u32 msr)
{
	return is_wall(msr) ? p->wall_msr : p->system_msr;
}

/* ns = (ticks << shift) * mul >> 32, with mul as large as 32 bits allow. */
static void tsc_scale(u64 khz, u32 *mul, s8 *shift)
{
	u64 hz = khz * 1000, scaled = NS_PER_S;

	*shift = 0;
	while (hz > scaled * 2 || hz >> 32) {
		hz >>= 1;
		(*shift)--;
	}
	while (hz <= scaled) {
		hz <<= 1;
		(*shift)++;
	}
	*mul = (u32)(((unsigned __int128)scaled << 32) / hz);
}

/* The guest reads until the version is even and unchanged. */
static void version_set(u8 *page, u32 version)
{
	__atomic_store_n((u32 *)page, version, __ATOMIC_SEQ_CST);
}

static void time_publish(struct pvclock *p, const struct pvclock_tsc *now, u8 flags)
{
	u64 gpa = p->system_msr & ~3ull;
	u8 *page = gpa_ptr(p->map, gpa, TIME_SIZE, true);
	u32 version, mul;
	s8 shift;

	if (!(p->system_msr & SYSTEM_ENABLE) || !page || !now->khz)
		return;
	tsc_scale(now->khz, &mul, &shift);
	version = load_le32(page + TIME_VERSION) | 1;
	version_set(page, version);
	store_le64(page + TIME_TSC, now->tsc);
	store_le64(page + TIME_SYSTEM, io_now(p->clock));
	store_le32(page + TIME_MUL, mul);
	page[TIME_SHIFT] = (u8)shift;
	page[TIME_FLAGS] = TIME_F_TSC_STABLE | flags;
	version_set(page, version + 1);
	gpa_written(p->map, gpa, TIME_SIZE);
}

/* Wall clock at the moment when system time was 0. */
static void wall_publish(struct pvclock *p)
{
	u64 gpa = p->wall_msr & ~3ull;
	u8 *page = gpa_ptr(p->map, gpa, WALL_SIZE, true);
	u64 up = io_now(p->clock), wall = p->clock->ops->wall_s(p->clock->opaque) * NS_PER_S;
	u64 boot = wall > up ? wall - up : 0;
	u32 version;

	if (!page)
		return;
	version = load_le32(page + WALL_VERSION) | 1;
	version_set(page, version);
	store_le32(page + WALL_SEC, (u32)(boot / NS_PER_S));
	store_le32(page + WALL_NSEC, (u32)(boot % NS_PER_S));
	version_set(page, version + 1);
	gpa_written(p->map, gpa, WALL_SIZE);
}

void pvclock_write(struct pvclock *p, u32 msr, u64 val, const struct pvclock_tsc *now)
{
	if (is_wall(msr)) {
		p->wall_msr = val;
		wall_publish(p);
		return;
	}
	p->system_msr = val;
	time_publish(p, now, 0);
}

void pvclock_resumed(struct pvclock *p, const struct pvclock_tsc *now)
{
	time_publish(p, now, TIME_F_STOPPED);
}
