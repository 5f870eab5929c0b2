/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time, limits, waiting for events, sockets: older calls as their newer forms,
 * and the constants and structures that differ.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "foreign/calls.h"

/* ---- time ---- */

s64 call_time(struct task *t, const u64 a[6])
{
	s64 now = time(NULL);

	if (a[0] && mem_write(t, a[0], &now, 8))
		return -EFAULT;
	return now;
}

/* struct utimbuf: two seconds; struct timeval[2]: seconds and microseconds */
static s64 set_times(struct task *t, u64 name, u64 from, unsigned words, u64 unit)
{
	struct timespec ts[2];
	s64 v[4];

	if (!from)
		return host_call(t, SYS_utimensat, (u64)AT_FDCWD, name, 0, 0, 0, 0);
	if (mem_read(t, v, from, words * 8))
		return -EFAULT;
	for (unsigned i = 0; i < 2; i++) {
		ts[i].tv_sec = v[i * words / 2];
		ts[i].tv_nsec = words == 4 ? v[i * 2 + 1] * (s64)unit : 0;
	}
	return host_call(t, SYS_utimensat, (u64)AT_FDCWD, name, (u64)ts, 0, 0, 0);
}

s64 call_utime(struct task *t, const u64 a[6])
{
	return set_times(t, a[0], a[1], 2, 0);
}

s64 call_utimes(struct task *t, const u64 a[6])
{
	return set_times(t, a[0], a[1], 4, 1000);
}

s64 call_alarm(struct task *t, const u64 a[6])
{
	(void)t;
	return alarm((unsigned)a[0]);
}

s64 call_pause(struct task *t, const u64 a[6])
{
	(void)a;
	host_call(t, SYS_ppoll, 0, 0, 0, 0, 0, 0);
	return -EINTR;
}

s64 call_nice(struct task *t, const u64 a[6])
{
	(void)t;
	errno = 0;
	if (nice((int)a[0]) == -1 && errno)
		return -errno;
	return 0;
}

/* ---- who and what ---- */

s64 call_getpgrp(struct task *t, const u64 a[6])
{
	(void)a;
	return host_call(t, SYS_getpgid, 0, 0, 0, 0, 0, 0);
}

s64 call_uname(struct task *t, const u64 a[6])
{
	struct utsname u;

	if (uname(&u))
		return -errno;
	memset(u.machine, 0, sizeof(u.machine));
	memcpy(u.machine, "ppc64le", 8);
	return mem_write(t, a[0], &u, sizeof(u)) ? -EFAULT : 0;
}

/* The process's own memory layout and filters are the emulator's. */
s64 call_prctl(struct task *t, const u64 a[6])
{
	switch ((int)a[0]) {
	case PR_SET_SECCOMP:
	case PR_SET_MM:
		return -EINVAL;
	default:
		return host_call(t, SYS_prctl, a[0], a[1], a[2], a[3], a[4], 0);
	}
}

s64 call_personality(struct task *t, const u64 a[6])
{
	(void)t;
	return (u32)a[0] == 0xffffffff || (u32)a[0] == 0 ? 0 : -EINVAL;
}

/* The emulator needs address space and stack of its own: these limits are not passed on. */
static bool limit_is_ours(u64 which)
{
	return which == RLIMIT_AS || which == RLIMIT_DATA || which == RLIMIT_STACK;
}

s64 call_setrlimit(struct task *t, const u64 a[6])
{
	if (limit_is_ours(a[0]))
		return 0;
	return host_call(t, SYS_prlimit64, 0, a[0], a[1], 0, 0, 0);
}

s64 call_prlimit64(struct task *t, const u64 a[6])
{
	u64 set = limit_is_ours(a[1]) ? 0 : a[2];

	return host_call(t, SYS_prlimit64, a[0], a[1], set, a[3], 0, 0);
}

/* ---- waiting ---- */

s64 call_poll(struct task *t, const u64 a[6])
{
	s64 ms = (int)a[2];
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	return host_call(t, SYS_ppoll, a[0], a[1], ms < 0 ? 0 : (u64)&ts, 0, 0, 0);
}

s64 call_select(struct task *t, const u64 a[6])
{
	struct timespec ts;
	s64 tv[2], ret;

	if (a[4]) {
		if (mem_read(t, tv, a[4], sizeof(tv)))
			return -EFAULT;
		ts.tv_sec = tv[0] + tv[1] / 1000000;
		ts.tv_nsec = tv[1] % 1000000 * 1000;
	}
	ret = host_call(t, SYS_pselect6, a[0], a[1], a[2], a[3], a[4] ? (u64)&ts : 0, 0);
	if (a[4]) { /* the time left */
		tv[0] = ts.tv_sec;
		tv[1] = ts.tv_nsec / 1000;
		mem_write(t, a[4], tv, sizeof(tv));
	}
	return ret;
}

s64 call_epoll_create(struct task *t, const u64 a[6])
{
	if ((s32)a[0] <= 0)
		return -EINVAL;
	return host_call(t, SYS_epoll_create1, 0, 0, 0, 0, 0, 0);
}

struct epoll_ppc { /* struct epoll_event, naturally aligned */
	u32 events, pad;
	u64 data;
};

s64 call_epoll_ctl(struct task *t, const u64 a[6])
{
	struct epoll_event ev = {0};
	struct epoll_ppc g;

	if (a[3]) {
		if (mem_read(t, &g, a[3], sizeof(g)))
			return -EFAULT;
		ev.events = g.events;
		ev.data.u64 = g.data;
	}
	return host_call(t, SYS_epoll_ctl, a[0], a[1], a[2], a[3] ? (u64)&ev : 0, 0, 0);
}

static s64 epoll_wait_for(struct task *t, const u64 a[6], u64 mask, u64 masksize)
{
	enum { MOST = 1024 };
	s64 max = (s32)a[2], ret;
	struct epoll_event *ev;

	if (max <= 0)
		return -EINVAL;
	max = max < MOST ? max : MOST;
	ev = calloc((size_t)max, sizeof(*ev));
	if (!ev)
		return -ENOMEM;
	ret = host_call(t, SYS_epoll_pwait, a[0], (u64)ev, (u64)max, a[3], mask, masksize);
	for (s64 i = 0; i < ret; i++) {
		struct epoll_ppc g = {.events = ev[i].events, .data = ev[i].data.u64};

		if (mem_write(t, a[1] + (u64)i * sizeof(g), &g, sizeof(g))) {
			ret = -EFAULT;
			break;
		}
	}
	free(ev);
	return ret;
}

s64 call_epoll_wait(struct task *t, const u64 a[6])
{
	return epoll_wait_for(t, a, 0, 0);
}

s64 call_epoll_pwait(struct task *t, const u64 a[6])
{
	return epoll_wait_for(t, a, a[4], a[5]);
}

s64 call_eventfd(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_eventfd2, a[0], 0, 0, 0, 0, 0);
}

s64 call_signalfd(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_signalfd4, a[0], a[1], a[2], 0, 0, 0);
}

s64 call_inotify_init(struct task *t, const u64 a[6])
{
	(void)a;
	return host_call(t, SYS_inotify_init1, 0, 0, 0, 0, 0, 0);
}

/* ---- sockets ---- */

s64 call_send(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_sendto, a[0], a[1], a[2], a[3], 0, 0);
}

s64 call_recv(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_recvfrom, a[0], a[1], a[2], a[3], 0, 0);
}

/* asm/socket.h of POWER, from 16 up, against the host's */
static u64 option_to_host(u64 level, u64 option)
{
	static const u8 host[] = {SO_RCVLOWAT, SO_SNDLOWAT, SO_RCVTIMEO,
				  SO_SNDTIMEO, SO_PASSCRED, SO_PEERCRED};

	return level == SOL_SOCKET && option >= 16 && option < 16 + sizeof(host) ? host[option - 16]
										 : option;
}

s64 call_setsockopt(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_setsockopt, a[0], a[1], option_to_host(a[1], a[2]), a[3], a[4], 0);
}

s64 call_getsockopt(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_getsockopt, a[0], a[1], option_to_host(a[1], a[2]), a[3], a[4], 0);
}

/* linux/net.h SYS_SOCKET = 1 and up */
s64 call_socketcall(struct task *t, const u64 a[6])
{
	static const struct {
		u16 number; /* of the separate call, asm/unistd_64.h */
		u8 nargs;
	} call[] = {{0, 0},   {326, 3}, {327, 3}, {328, 3}, {329, 2}, {330, 3}, {331, 3},
		    {332, 3}, {333, 4}, {334, 4}, {336, 4}, {335, 6}, {337, 6}, {338, 2},
		    {339, 5}, {340, 5}, {341, 3}, {342, 3}, {344, 4}, {343, 5}, {349, 4}};
	const struct call_entry *e;
	u64 args[6] = {0};

	if (!a[0] || a[0] >= ARRAY_LEN(call))
		return -EINVAL;
	if (mem_read(t, args, a[1], call[a[0]].nargs * 8u))
		return -EFAULT;
	e = call_find(call[a[0]].number);
	if (e->fn)
		return e->fn(t, args);
	return host_call(t, e->host, args[0], args[1], args[2], args[3], args[4], args[5]);
}
