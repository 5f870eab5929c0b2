/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a foreign process: guest addresses are the host's. Guest pages
 * are never executable on the host; which ones the guest may execute is kept in
 * the space's exec_map, and translations go when a mapping changes.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "foreign/exec_map.h"
#include "foreign/task.h"

/* asm/mman.h of POWER: two flags whose numbers differ from asm-generic/mman.h */
enum {
	PPC_MAP_NORESERVE = 0x40,
	PPC_MAP_LOCKED = 0x80,
	PPC_MAP_DIFFERS = 0x60c0, /* these, and the bits they have on this side */
};

/* ---- copies ---- */

int mem_read(struct task *t, void *dst, u64 src, u64 len)
{
	int ret = 0;

	if (!sigsetjmp(t->guard, 0)) {
		t->guarded = 1;
		__asm__ volatile("" ::: "memory");
		memcpy(dst, (const void *)src, len);
		__asm__ volatile("" ::: "memory");
	} else {
		ret = -EFAULT;
	}
	t->guarded = 0;
	return ret;
}

int mem_write(struct task *t, u64 dst, const void *src, u64 len)
{
	int ret = 0;

	if (!sigsetjmp(t->guard, 0)) {
		t->guarded = 1;
		__asm__ volatile("" ::: "memory");
		memcpy((void *)dst, src, len);
		__asm__ volatile("" ::: "memory");
	} else {
		ret = -EFAULT;
	}
	t->guarded = 0;
	return ret;
}

s64 mem_strlen(struct task *t, u64 s, u64 max)
{
	volatile s64 n = -EFAULT;

	if (!sigsetjmp(t->guard, 0)) {
		t->guarded = 1;
		__asm__ volatile("" ::: "memory");
		n = (s64)strnlen((const char *)s, max);
		if ((u64)n == max)
			n = -ENAMETOOLONG;
		__asm__ volatile("" ::: "memory");
	}
	t->guarded = 0;
	return n;
}

/* ---- what may be executed ---- */

bool mem_executable(struct space *sp, u64 addr)
{
	bool yes;

	pthread_mutex_lock(&sp->lock);
	yes = exec_map_has(&sp->exec, addr);
	pthread_mutex_unlock(&sp->lock);
	return yes;
}

int mem_set_exec(struct space *sp, u64 start, u64 end, bool on)
{
	bool had;
	int ret;

	pthread_mutex_lock(&sp->lock);
	had = exec_map_meets(&sp->exec, start, end);
	ret = had || on ? exec_map_set(&sp->exec, start, end, on) : 0;
	pthread_mutex_unlock(&sp->lock);
	if (had)
		cpu_code_changed(sp, start, end);
	return ret;
}

static int host_prot(int prot)
{
	if (prot & PROT_EXEC)
		prot = (prot & ~PROT_EXEC) | PROT_READ;
	return prot;
}

static u64 page_up(u64 n)
{
	return (n + FOREIGN_PAGE - 1) & ~(FOREIGN_PAGE - 1);
}

/* ---- system calls ---- */

s64 mem_mmap(struct task *t, u64 addr, u64 len, int prot, int flags, int fd, u64 off)
{
	int hf = flags & ~PPC_MAP_DIFFERS;
	void *p;

	if (flags & PPC_MAP_NORESERVE)
		hf |= MAP_NORESERVE;
	if (flags & PPC_MAP_LOCKED)
		hf |= MAP_LOCKED;
	p = mmap((void *)addr, len, host_prot(prot), hf, fd, (off_t)off);
	if (p == MAP_FAILED)
		return -errno;
	if (mem_set_exec(t->sp, (u64)p, (u64)p + page_up(len), prot & PROT_EXEC)) {
		munmap(p, len);
		return -ENOMEM;
	}
	return (s64)p;
}

s64 mem_munmap(struct task *t, u64 addr, u64 len)
{
	if (munmap((void *)addr, len))
		return -errno;
	mem_set_exec(t->sp, addr, addr + page_up(len), false);
	return 0;
}

s64 mem_mprotect(struct task *t, u64 addr, u64 len, int prot)
{
	if (mprotect((void *)addr, len, host_prot(prot)))
		return -errno;
	return mem_set_exec(t->sp, addr, addr + page_up(len), prot & PROT_EXEC);
}

s64 mem_mremap(struct task *t, u64 old, u64 old_len, u64 len, int flags, u64 to)
{
	bool exec = mem_executable(t->sp, old);
	void *p = mremap((void *)old, old_len, len, flags, (void *)to);

	if (p == MAP_FAILED)
		return -errno;
	if (exec) {
		mem_set_exec(t->sp, old, old + page_up(old_len), false);
		mem_set_exec(t->sp, (u64)p, (u64)p + page_up(len), true);
	}
	return (s64)p;
}

s64 mem_brk(struct task *t, u64 to)
{
	struct space *sp = t->sp;
	u64 now;

	pthread_mutex_lock(&sp->lock);
	if (to >= sp->brk_start && to < sp->brk_start + GIB(16)) {
		u64 end = page_up(to);
		void *p = (void *)sp->brk_mapped;

		if (end < sp->brk_mapped) {
			munmap((void *)end, sp->brk_mapped - end);
			sp->brk_mapped = end;
			sp->brk = to;
		} else if (end == sp->brk_mapped ||
			   mmap(p, end - sp->brk_mapped, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p) {
			sp->brk_mapped = end;
			sp->brk = to;
		}
	}
	now = sp->brk;
	pthread_mutex_unlock(&sp->lock);
	return (s64)now;
}
