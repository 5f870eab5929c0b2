/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioctl: POWER has its own encoding of direction and size (asm/ioctl.h), its own
 * numbers for terminals and files (asm/ioctls.h), and a struct termios with other
 * flags (asm/termbits.h). Arguments of encoded requests are taken to be alike.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "foreign/calls.h"

/* ---- request numbers ---- */

enum ppc_dir { PPC_NONE = 1, PPC_READ = 2, PPC_WRITE = 4 };
#define PPC_IOC(dir, type, nr, size)                                                               \
	((u32)(dir) << 29 | (u32)(size) << 16 | (u32)(type) << 8 | (nr))

static const struct request {
	u32 ppc, host;
} requests[] = {
	{PPC_IOC(PPC_NONE, 'f', 1, 0), FIOCLEX},      {PPC_IOC(PPC_NONE, 'f', 2, 0), FIONCLEX},
	{PPC_IOC(PPC_WRITE, 'f', 125, 4), FIOASYNC},  {PPC_IOC(PPC_WRITE, 'f', 126, 4), FIONBIO},
	{PPC_IOC(PPC_READ, 'f', 127, 4), FIONREAD},   {PPC_IOC(PPC_READ, 'f', 128, 8), FIOQSIZE},
	{PPC_IOC(PPC_NONE, 't', 29, 0), TCSBRK},      {PPC_IOC(PPC_NONE, 't', 30, 0), TCXONC},
	{PPC_IOC(PPC_NONE, 't', 31, 0), TCFLSH},      {PPC_IOC(PPC_WRITE, 't', 103, 8), TIOCSWINSZ},
	{PPC_IOC(PPC_READ, 't', 104, 8), TIOCGWINSZ}, {PPC_IOC(PPC_READ, 't', 115, 4), TIOCOUTQ},
	{PPC_IOC(PPC_WRITE, 't', 118, 4), TIOCSPGRP}, {PPC_IOC(PPC_READ, 't', 119, 4), TIOCGPGRP},
};

enum { /* struct termios of 44 bytes, asm/ioctls.h */
       PPC_TCGETS = 0x402c7413,
       PPC_TCSETS = 0x802c7414,
       PPC_TCSETSW = 0x802c7415,
       PPC_TCSETSF = 0x802c7416,
};

static u32 request_to_host(u32 r)
{
	u32 dir = r >> 29, size = r >> 16 & 0x1fff, low = r & 0xffff, hd = 0;

	for (unsigned i = 0; i < ARRAY_LEN(requests); i++)
		if (requests[i].ppc == r)
			return requests[i].host;
	if (!dir)
		return r; /* not encoded: 0x5400 and up are the host's numbers */
	hd |= dir & PPC_READ ? _IOC_READ : 0;
	hd |= dir & PPC_WRITE ? _IOC_WRITE : 0;
	return hd << _IOC_DIRSHIFT | size << _IOC_SIZESHIFT | low;
}

/* ---- struct termios ---- */

struct termios_ppc {
	u32 iflag, oflag, cflag, lflag;
	u8 cc[19], line;
	u32 ispeed, ospeed;
};
static_assert(sizeof(struct termios_ppc) == 44, "asm/termbits.h");

/* A value within a field of flags on both sides; alike bits are not listed. */
struct bits {
	u32 ppc_mask, ppc, host_mask, host;
};
#define FLAG(p, h)                                                                                 \
	{                                                                                          \
		p, p, h, h                                                                         \
	}
#define SAME(m)                                                                                    \
	{                                                                                          \
		m, m, m, m                                                                         \
	}

static const struct bits iflags[] = {SAME(1),
				     SAME(2),
				     SAME(4),
				     SAME(8),
				     SAME(0x10),
				     SAME(0x20),
				     SAME(0x40),
				     SAME(0x80),
				     SAME(0x100),
				     SAME(0x800),
				     SAME(0x2000),
				     SAME(0x4000),
				     FLAG(0x200, IXON),
				     FLAG(0x400, IXOFF),
				     FLAG(0x1000, IUCLC)};
static const struct bits oflags[] = {
	SAME(1),
	SAME(8),
	SAME(0x10),
	SAME(0x20),
	SAME(0x40),
	SAME(0x80),
	FLAG(2, ONLCR),
	FLAG(4, OLCUC),
	{0x300, 0x100, NLDLY, NL1},
	{0xc00, 0x400, TABDLY, TAB1},
	{0xc00, 0x800, TABDLY, TAB2},
	{0xc00, 0xc00, TABDLY, TAB3},
	{0x3000, 0x1000, CRDLY, CR1},
	{0x3000, 0x2000, CRDLY, CR2},
	{0x3000, 0x3000, CRDLY, CR3},
	FLAG(0x4000, FF1),
	FLAG(0x8000, BS1),
	FLAG(0x10000, VT1),
};
static const struct bits cflags[] = {
	{0x300, 0x100, CSIZE, CS6},
	{0x300, 0x200, CSIZE, CS7},
	{0x300, 0x300, CSIZE, CS8},
	FLAG(0x400, CSTOPB),
	FLAG(0x800, CREAD),
	FLAG(0x1000, PARENB),
	FLAG(0x2000, PARODD),
	FLAG(0x4000, HUPCL),
	FLAG(0x8000, CLOCAL),
	SAME(CMSPAR),
	SAME(CRTSCTS),
};
static const struct bits lflags[] = {
	FLAG(0x80, ISIG),	FLAG(0x100, ICANON),
	FLAG(0x4000, XCASE),	FLAG(8, ECHO),
	FLAG(2, ECHOE),		FLAG(4, ECHOK),
	FLAG(0x10, ECHONL),	FLAG(0x80000000, NOFLSH),
	FLAG(0x400000, TOSTOP), FLAG(0x40, ECHOCTL),
	FLAG(0x20, ECHOPRT),	FLAG(1, ECHOKE),
	FLAG(0x800000, FLUSHO), FLAG(0x20000000, PENDIN),
	FLAG(0x400, IEXTEN),	FLAG(0x10000000, EXTPROC),
};
/* Index on the host of each of POWER's control characters. */
static const u8 cc_host[] = {VINTR, VQUIT,   VERASE,   VKILL, VEOF,   VMIN,  VEOL,   VTIME,   VEOL2,
			     VSWTC, VWERASE, VREPRINT, VSUSP, VSTART, VSTOP, VLNEXT, VDISCARD};

static u32 to_host(const struct bits *b, unsigned n, u32 v)
{
	u32 out = 0;

	for (unsigned i = 0; i < n; i++)
		if ((v & b[i].ppc_mask) == b[i].ppc)
			out |= b[i].host;
	return out;
}

static u32 to_guest(const struct bits *b, unsigned n, u32 v)
{
	u32 out = 0;

	for (unsigned i = 0; i < n; i++)
		if ((v & b[i].host_mask) == b[i].host)
			out |= b[i].ppc;
	return out;
}

/* Speeds: B0 to B38400 are 0 to 15 on both sides, faster ones follow at 16 and at CBAUDEX | 1. */
enum { PPC_CBAUD = 0xff, PPC_BOTHER = 0x1f, SPEED_FAST = 16, SPEED_LAST = 30 };

static u32 speed_to_host(u32 c)
{
	c &= PPC_CBAUD;
	if (c < SPEED_FAST)
		return c;
	return c == PPC_BOTHER ? BOTHER : c <= SPEED_LAST ? CBAUDEX | (c - SPEED_FAST + 1) : B0;
}

static u32 speed_to_guest(u32 h)
{
	h &= CBAUD;
	if (h < SPEED_FAST)
		return h;
	return h == BOTHER ? PPC_BOTHER : (h & ~(u32)CBAUDEX) + SPEED_FAST - 1;
}

static s64 get_termios(struct task *t, u64 fd, u64 to)
{
	struct termios2 h;
	struct termios_ppc g = {0};
	s64 ret = host_call(t, SYS_ioctl, fd, TCGETS2, (u64)&h, 0, 0, 0);

	if (ret < 0)
		return ret;
	g.iflag = to_guest(iflags, ARRAY_LEN(iflags), h.c_iflag);
	g.oflag = to_guest(oflags, ARRAY_LEN(oflags), h.c_oflag);
	g.cflag = to_guest(cflags, ARRAY_LEN(cflags), h.c_cflag) | speed_to_guest(h.c_cflag);
	g.lflag = to_guest(lflags, ARRAY_LEN(lflags), h.c_lflag);
	for (unsigned i = 0; i < sizeof(cc_host); i++)
		g.cc[i] = h.c_cc[cc_host[i]];
	g.line = h.c_line;
	g.ispeed = h.c_ispeed;
	g.ospeed = h.c_ospeed;
	return mem_write(t, to, &g, sizeof(g)) ? -EFAULT : 0;
}

static s64 set_termios(struct task *t, u64 fd, u32 request, u64 from)
{
	struct termios2 h = {0};
	struct termios_ppc g;

	if (mem_read(t, &g, from, sizeof(g)))
		return -EFAULT;
	h.c_iflag = to_host(iflags, ARRAY_LEN(iflags), g.iflag);
	h.c_oflag = to_host(oflags, ARRAY_LEN(oflags), g.oflag);
	h.c_cflag = to_host(cflags, ARRAY_LEN(cflags), g.cflag) | speed_to_host(g.cflag);
	h.c_lflag = to_host(lflags, ARRAY_LEN(lflags), g.lflag);
	for (unsigned i = 0; i < sizeof(cc_host); i++)
		h.c_cc[cc_host[i]] = g.cc[i];
	h.c_line = g.line;
	h.c_ispeed = g.ispeed;
	h.c_ospeed = g.ospeed;
	return host_call(t, SYS_ioctl, fd, request, (u64)&h, 0, 0, 0);
}

s64 call_ioctl(struct task *t, const u64 a[6])
{
	switch ((u32)a[1]) {
	case PPC_TCGETS:
		return get_termios(t, a[0], a[2]);
	case PPC_TCSETS:
		return set_termios(t, a[0], TCSETS2, a[2]);
	case PPC_TCSETSW:
		return set_termios(t, a[0], TCSETSW2, a[2]);
	case PPC_TCSETSF:
		return set_termios(t, a[0], TCSETSF2, a[2]);
	default:
		return host_call(t, SYS_ioctl, a[0], request_to_host((u32)a[1]), a[2], 0, 0, 0);
	}
}
