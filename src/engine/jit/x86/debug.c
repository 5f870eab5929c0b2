/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug registers (SDM vol. 3B chapter 18) and the debugger's own breakpoints
 * and watchpoints, which the guest cannot see. While any is armed the vCPU is
 * interpreted; pages with data breakpoints stay out of the soft TLB.
 */
#include "engine/jit/x86/sys.h"

enum { BP_EXEC, BP_WRITE, BP_IO, BP_RW };

static bool bp_enabled(const struct x86_vcpu *c, unsigned i)
{
	return c->dr7 >> (2 * i) & 3;
}

static unsigned bp_kind(const struct x86_vcpu *c, unsigned i)
{
	return c->dr7 >> (16 + 4 * i) & 3;
}

static unsigned bp_len(const struct x86_vcpu *c, unsigned i)
{
	static const u8 len[] = {1, 2, 8, 4};

	return len[c->dr7 >> (18 + 4 * i) & 3];
}

static bool overlap(u64 a, u64 alen, u64 b, u64 blen)
{
	return a < b + blen && b < a + alen;
}

int x86_raise_db(struct x86_vcpu *c, u64 bits)
{
	c->dr6 = (c->dr6 & ~0xfULL) | DR6_INIT | bits;
	c->dr7 &= ~DR7_GD;
	return x86_raise(c, X86_DB);
}

bool x86_debug_active(const struct x86_vcpu *c)
{
	return (c->dr7 & 0xff) || c->dbg_on;
}

void x86_debug_update(struct x86_vcpu *c)
{
	unsigned n = c->dbg_on ? c->dbg.nwatch : 0;

	for (unsigned i = 0; i < 4; i++)
		if (bp_enabled(c, i) && (bp_kind(c, i) & 1))
			n++;
	if (n || c->sys->nwatch)
		x86_tlb_flush(c, true);
	c->sys->nwatch = n;
	/* While nothing is armed RF may be left over from a return: instructions since ended it. */
	c->rflags &= ~(u64)RF_RF;
	x86_mode_update(c);
	x86_look(c);
}

bool x86_debug_watched(const struct x86_vcpu *c, u64 page)
{
	for (unsigned i = 0; i < 4; i++)
		if (bp_enabled(c, i) && (bp_kind(c, i) & 1) &&
		    overlap(align_down(c->dr[i], bp_len(c, i)), bp_len(c, i), page, 4096))
			return true;
	for (unsigned i = 0; c->dbg_on && i < c->dbg.nwatch; i++)
		if (overlap(c->dbg.watch[i].addr, c->dbg.watch[i].len, page, 4096))
			return true;
	return false;
}

void x86_debug_access(struct x86_vcpu *c, u64 linear, unsigned n, enum x86_access a)
{
	bool write = a == X86_WRITE;

	for (unsigned i = 0; i < 4; i++) {
		unsigned kind = bp_kind(c, i), len = bp_len(c, i);

		if (bp_enabled(c, i) && (kind == BP_RW || (kind == BP_WRITE && write)) &&
		    overlap(align_down(c->dr[i], len), len, linear, n))
			c->sys->db_bits |= 1u << i;
	}
	for (unsigned i = 0; c->dbg_on && i < c->dbg.nwatch; i++) {
		bool wanted = write ? c->dbg.watch[i].on_write : c->dbg.watch[i].on_read;

		if (wanted && overlap(c->dbg.watch[i].addr, c->dbg.watch[i].len, linear, n)) {
			c->sys->dbg_hit = true;
			c->sys->dbg_addr = c->dbg.watch[i].addr;
		}
	}
}

void x86_debug_io(struct x86_vcpu *c, u16 port, unsigned n)
{
	if (!(c->cr4 & CR4_DE))
		return;
	for (unsigned i = 0; i < 4; i++) {
		unsigned len = bp_len(c, i);

		if (bp_enabled(c, i) && bp_kind(c, i) == BP_IO &&
		    overlap(align_down(c->dr[i], len), len, port, n))
			c->sys->db_bits |= 1u << i;
	}
}

u32 x86_debug_exec(const struct x86_vcpu *c, u64 linear)
{
	u32 bits = 0;

	for (unsigned i = 0; i < 4; i++)
		if (bp_enabled(c, i) && bp_kind(c, i) == BP_EXEC && c->dr[i] == linear)
			bits |= 1u << i;
	return bits;
}
