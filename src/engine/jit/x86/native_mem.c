/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory operands of natively run instructions: straight to guest RAM when one
 * page of it holds the operand, else through a bounce buffer. Instructions
 * that suppress faults by a mask (AVX-512 masking, VMASKMOV, MASKMOVDQU) get
 * their faulting pages as pages of ours without access.
 */
#include "engine/jit/x86/native.h"

enum { GUARD_BUF = 0, GUARD_NONE = 4096, GUARD_AFTER = 8192 };

/* FLDENV, FNSTENV, FRSTOR, FNSAVE: their size depends on the operand size (SDM vol. 1, 8.1.10). */
static bool is_x87_image(const struct x86_insn *in)
{
	unsigned reg = in->modrm >> 3 & 7;

	return in->map == X86_MAP_1B && (in->opcode == 0xd9 || in->opcode == 0xdd) &&
	       (reg == 4 || reg == 6);
}

static unsigned x87_image_size(const struct x86_insn *in)
{
	unsigned env = in->opsize == 2 ? 14 : 28;

	return in->opcode == 0xdd ? env + 80 : env;
}

/* The instruction and data pointers in a stored image are addresses of ours. */
static void x87_image_scrub(const struct native_mem *m)
{
	bool small = m->n == 14 || m->n == 94;

	store_le(m->ptr + (small ? 6 : 12), small ? 2 : 4, 0);
	store_le(m->ptr + (small ? 10 : 20), small ? 2 : 4, 0);
}

/* Does the instruction touch only the elements its mask names? */
static bool is_masked(const struct x86_insn *in)
{
	if (in->enc == X86_ENC_EVEX)
		return in->evex_aaa != 0;
	if (native_is_maskmov(in))
		return true;
	return in->enc == X86_ENC_VEX && in->map == X86_MAP_0F38 &&
	       ((in->opcode >= 0x2c && in->opcode <= 0x2f) || in->opcode == 0x8c ||
		in->opcode == 0x8e);
}

static void mem_describe(const struct x86_insn *in, struct native_mem *m)
{
	m->n = 0;
	m->read = m->write = false;
	for (unsigned i = 0; i < in->nopnds; i++) {
		const struct x86_opnd *o = &in->opnd[i];

		if (o->kind != X86_OPND_MEM)
			continue;
		m->n = o->size;
		m->read = o->read;
		m->write = o->write;
	}
	/* A store that an unmasked x87 exception cancels leaves memory as it was. */
	if (in->row->flags & X86_R_FPU)
		m->read = true;
	m->x87_image = is_x87_image(in);
	if (m->x87_image) {
		m->n = x87_image_size(in);
		m->write = (in->modrm >> 3 & 7) == 6;
		m->read = !m->write;
	}
	if (native_is_maskmov(in)) {
		m->n = m->n ? m->n : in->row->flags & X86_R_MMX ? 8 : 16;
		m->write = true;
	}
	m->masked = is_masked(in);
	if (m->masked && m->n > sizeof(m->old))
		m->n = sizeof(m->old);
}

/* Pieces that x86_read and x86_write take. */
static int mem_copy(struct x86_vcpu *c, u64 linear, u8 *buf, unsigned n, bool write)
{
	for (unsigned i = 0, k; i < n; i += k) {
		u64 at = c->code_mode == X86_MODE_64 ? linear + i : (u32)(linear + i);

		k = n - i < 64 ? n - i : 64;
		if (write ? x86_write(c, at, buf + i, k) < 0 : x86_read(c, at, buf + i, k) < 0)
			return -1;
	}
	return 0;
}

static int open_plain(struct x86_vcpu *c, struct native_mem *m)
{
	void *host = NULL;

	if (m->write && x86_rmw_ptr(c, m->linear, m->n, &host) < 0)
		return -1;
	m->ptr = host;
	m->buffered = !host || m->x87_image;
	if (!m->buffered)
		return 0;
	/* As misaligned as the guest's: the CPU decides whether that is a fault. */
	m->ptr = c->native_guard + GUARD_BUF + (m->linear & 63);
	return m->read || !m->write ? mem_copy(c, m->linear, m->ptr, m->n, false) : 0;
}

/* Is part i (first page, second page) there? Its bytes go to old[]. */
static void part_probe(struct x86_vcpu *c, struct native_mem *m, unsigned i)
{
	unsigned at = i ? m->first : 0, len = i ? m->n - m->first : m->first;
	u64 cr2 = c->cr2, linear = m->linear + at;
	void *host;

	if (c->code_mode != X86_MODE_64)
		linear = (u32)linear;
	m->bad[i] = (m->write && x86_rmw_ptr(c, linear, len, &host) < 0) ||
		    mem_copy(c, linear, m->old + at, len, false) < 0;
	if (!m->bad[i])
		return;
	m->exc[i] = c->exc;
	m->cr2[i] = c->cr2;
	c->exc.pending = false;
	c->cr2 = cr2;
}

static void open_masked(struct x86_vcpu *c, struct native_mem *m)
{
	bool two;

	m->first = (unsigned)min_u64(m->n, GPA_PAGE_SIZE - (m->linear & (GPA_PAGE_SIZE - 1)));
	two = m->first < m->n;
	for (unsigned i = 0; i < sizeof(m->old); i++)
		m->old[i] = 0;
	m->bad[1] = false;
	part_probe(c, m, 0);
	if (two)
		part_probe(c, m, 1);
	m->buffered = true;
	m->ptr = c->native_guard + GUARD_BUF + (m->linear & 63);
	if (m->bad[0])
		m->ptr = c->native_guard + (two && !m->bad[1]
						    ? GUARD_AFTER - m->first
						    : GUARD_NONE + 2048 + (m->linear & 63));
	else if (m->bad[1])
		m->ptr = c->native_guard + GUARD_NONE - m->first;
	for (unsigned i = 0; i < m->n; i++)
		if (!m->bad[i >= m->first])
			m->ptr[i] = m->old[i];
}

/* An address that no element may be accessed at; perhaps the mask names none. */
static int open_unreachable(struct x86_vcpu *c, struct native_mem *m)
{
	for (unsigned i = 0; i < 2; i++) {
		m->bad[i] = true;
		m->exc[i] = c->exc;
		m->cr2[i] = c->cr2;
	}
	c->exc.pending = false;
	m->first = m->n;
	m->buffered = true;
	m->ptr = c->native_guard + GUARD_NONE + 2048;
	return 0;
}

int native_mem_open(struct x86_vcpu *c, const struct x86_insn *in, struct native_mem *m)
{
	bool maskmov = native_is_maskmov(in);
	u64 off;
	void *p;

	off = maskmov ? c->gpr[X86_RDI] & mask_bytes(in->adsize) : interp_ea(c, in);
	mem_describe(in, m);
	if (!m->n)
		return x86_raise(c, X86_UD);
	m->buffered = false;
	if (linear_quick(c, in->seg, off, m->n, &m->linear) && !m->x87_image &&
	    !(c->mode_key & X86_KEY_ALIGN) &&
	    !((in->row->flags & X86_R_MEM_ALIGN) && (m->linear & (m->n - 1)))) {
		p = m->write ? tlb_wr(c, m->linear, m->n) : tlb_rd(c, m->linear, m->n);
		if (p) {
			m->ptr = p;
			return 0;
		}
	}
	if (interp_linear(c, in->seg, off, m->n, m->write ? X86_WRITE : X86_READ, &m->linear) < 0)
		return m->masked ? open_unreachable(c, m) : -1;
	if (!m->masked && (in->row->flags & X86_R_MEM_ALIGN) && (m->linear & (m->n - 1)))
		return x86_raise_err(c, X86_GP, 0);
	if (!m->masked)
		return open_plain(c, m);
	open_masked(c, m);
	return 0;
}

int native_mem_close(struct x86_vcpu *c, struct native_mem *m)
{
	if (!m->write)
		return 0;
	if (m->x87_image)
		x87_image_scrub(m);
	if (!m->masked)
		return mem_copy(c, m->linear, m->ptr, m->n, true);
	/* Only what the mask let through: other bytes may be somebody else's by now. */
	for (unsigned i = 0; i < m->n; i++) {
		if (m->bad[i >= m->first] || m->ptr[i] == m->old[i])
			continue;
		if (mem_copy(c, m->linear + i, m->ptr + i, 1, true) < 0)
			return -1;
	}
	return 0;
}

int native_mem_fault(struct x86_vcpu *c, struct native_mem *m, u64 addr)
{
	unsigned i;

	if (!m->buffered || !m->masked || !(m->bad[0] || m->bad[1]))
		return x86_raise_err(c, X86_GP, 0);
	i = m->bad[0] && m->bad[1] ? addr >= (uintptr_t)m->ptr + m->first : m->bad[1];
	c->exc = m->exc[i];
	c->cr2 = m->cr2[i];
	return -1;
}
