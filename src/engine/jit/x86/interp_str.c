/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreter: movs, cmps, stos, lods, scas, with REP by batches. A batch is as
 * many elements as lie in the current page(s); after each the registers are up
 * to date, so a fault, an interrupt (c->kick) or a single step finds the state
 * of the last completed element with RIP at the instruction (SDM vol. 2, REP).
 */
#include "engine/jit/x86/interp.h"

enum str_kind { STR_MOVS, STR_CMPS, STR_STOS, STR_LODS, STR_SCAS };

struct str {
	enum str_kind kind;
	unsigned n, shift, adsize, src_seg; /* n = 1 << shift */
	bool rep, compare, back;
	bool until; /* ZF value at which a compare ends: REPNE 1, REPE 0 */
	bool uses_si, uses_di;
	u64 amask, si, di, count;
	u64 fl;	     /* flags of the last compare */
	bool fl_set; /* there was one */
};

static enum str_kind str_kind(u8 opcode)
{
	switch (opcode & 0xfe) {
	case 0xa4:
		return STR_MOVS;
	case 0xa6:
		return STR_CMPS;
	case 0xaa:
		return STR_STOS;
	case 0xac:
		return STR_LODS;
	default:
		return STR_SCAS;
	}
}

static void str_init(struct str *s, const struct x86_vcpu *c, const struct x86_insn *in)
{
	*s = (struct str){.kind = str_kind(in->opcode), .adsize = in->adsize};
	s->n = in->opcode & 1 ? in->opsize : 1;
	s->shift = (unsigned)__builtin_ctz(s->n);
	s->src_seg = in->seg_override ? in->seg : X86_DS;
	s->compare = s->kind == STR_CMPS || s->kind == STR_SCAS;
	s->rep = in->rep || in->repne;
	s->until = in->repne;
	s->back = c->rflags & RF_DF;
	s->uses_si = s->kind == STR_MOVS || s->kind == STR_CMPS || s->kind == STR_LODS;
	s->uses_di = s->kind != STR_LODS;
	s->amask = mask_bytes(s->adsize);
	s->si = c->gpr[X86_RSI] & s->amask;
	s->di = c->gpr[X86_RDI] & s->amask;
	s->count = s->rep ? c->gpr[X86_RCX] & s->amask : 1;
}

/* `k` elements are done: move on and show it in the registers. */
static void str_advance(struct x86_vcpu *c, struct str *s, u64 k)
{
	u64 step = s->back ? -(k * s->n) : k * s->n;

	if (s->uses_si) {
		s->si = (s->si + step) & s->amask;
		gpr_set(c, X86_RSI, s->adsize, false, s->si);
	}
	if (s->uses_di) {
		s->di = (s->di + step) & s->amask;
		gpr_set(c, X86_RDI, s->adsize, false, s->di);
	}
	s->count -= k;
	if (s->rep)
		gpr_set(c, X86_RCX, s->adsize, false, s->count);
}

static void str_compare(struct str *s, u64 a, u64 b)
{
	alu_sub(&s->fl, a, b, false, s->n);
	s->fl_set = true;
}

/* One element through the checked accessors. */
static int str_one(struct x86_vcpu *c, struct str *s)
{
	u64 a = gpr_get(c, X86_RAX, s->n, false), b;

	if (s->uses_si && interp_read(c, s->src_seg, s->si, s->n, &a) < 0)
		return -1;
	switch (s->kind) {
	case STR_MOVS:
	case STR_STOS:
		if (interp_write(c, X86_ES, s->di, s->n, a) < 0)
			return -1;
		break;
	case STR_LODS:
		gpr_set(c, X86_RAX, s->n, false, a);
		break;
	case STR_CMPS:
	case STR_SCAS:
		if (interp_read(c, X86_ES, s->di, s->n, &b) < 0)
			return -1;
		str_compare(s, a, b);
		break;
	}
	str_advance(c, s, 1);
	return 0;
}

/*
 * Host address of the run of elements at seg:off that lies in one page, and
 * how many there are (at most *k); NULL: go element by element.
 */
static u8 *str_run(struct x86_vcpu *c, const struct str *s, unsigned seg, u64 off, bool write,
		   u64 *k)
{
	u64 linear, in_page, room;
	void *p, *ignored;

	if (!linear_quick(c, seg, off, s->n, &linear) || (c->mode_key & X86_KEY_ALIGN))
		return NULL;
	in_page = linear & (GPA_PAGE_SIZE - 1);
	room = s->back ? (in_page + s->n <= GPA_PAGE_SIZE ? (in_page >> s->shift) + 1 : 0)
		       : (GPA_PAGE_SIZE - in_page) >> s->shift;
	/* Not beyond the end of the address size either. */
	room = min_u64(room, s->back ? (off >> s->shift) + 1 : (s->amask - off) >> s->shift);
	*k = min_u64(*k, room);
	if (!*k)
		return NULL;
	p = write ? tlb_wr(c, linear, s->n) : tlb_rd(c, linear, s->n);
	if (p)
		return p;
	/* A fault here is found again, and reported, by the element path. */
	if (x86_tlb_fill(c, linear, write ? X86_WRITE : X86_READ, &ignored) < 0) {
		c->exc.pending = false;
		return NULL;
	}
	return write ? tlb_wr(c, linear, s->n) : tlb_rd(c, linear, s->n);
}

/* The host's own string instructions copy with the same overlap rules, element by element. */
static void host_movs(u8 *d, const u8 *p, u64 k, unsigned n, bool back)
{
	if (back)
		__asm__ volatile("std" ::: "cc");
	switch (n) {
	case 1:
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(p), "+c"(k)::"memory");
		break;
	case 2:
		__asm__ volatile("rep movsw" : "+D"(d), "+S"(p), "+c"(k)::"memory");
		break;
	case 4:
		__asm__ volatile("rep movsl" : "+D"(d), "+S"(p), "+c"(k)::"memory");
		break;
	default:
		__asm__ volatile("rep movsq" : "+D"(d), "+S"(p), "+c"(k)::"memory");
	}
	__asm__ volatile("cld" ::: "cc");
}

static void host_stos(u8 *d, u64 a, u64 k, unsigned n, bool back)
{
	if (back)
		__asm__ volatile("std" ::: "cc");
	switch (n) {
	case 1:
		__asm__ volatile("rep stosb" : "+D"(d), "+c"(k) : "a"(a) : "memory");
		break;
	case 2:
		__asm__ volatile("rep stosw" : "+D"(d), "+c"(k) : "a"(a) : "memory");
		break;
	case 4:
		__asm__ volatile("rep stosl" : "+D"(d), "+c"(k) : "a"(a) : "memory");
		break;
	default:
		__asm__ volatile("rep stosq" : "+D"(d), "+c"(k) : "a"(a) : "memory");
	}
	__asm__ volatile("cld" ::: "cc");
}

/* Compare up to k elements; returns how many were, the ending one included. */
static u64 host_compare(struct x86_vcpu *c, struct str *s, const u8 *a, const u8 *b, u64 k)
{
	s64 step = s->back ? -(s64)s->n : (s64)s->n;
	u64 i = 0, x = gpr_get(c, X86_RAX, s->n, false), y = 0;

	while (i < k) {
		if (a)
			x = host_load(a + (s64)i * step, s->n);
		y = host_load(b + (s64)i * step, s->n);
		i++;
		if ((x == y) == s->until)
			break;
	}
	str_compare(s, x, y);
	return i;
}

/* One batch of a repeated instruction. 0 or -1. */
static int str_batch(struct x86_vcpu *c, struct str *s)
{
	u8 *src = NULL, *dst = NULL;
	u64 k = s->count;

	if (c->mode_key & X86_KEY_STEP)
		return str_one(c, s);
	if (s->uses_si && !(src = str_run(c, s, s->src_seg, s->si, false, &k)))
		return str_one(c, s);
	if (s->uses_di && !(dst = str_run(c, s, X86_ES, s->di, !s->compare, &k)))
		return str_one(c, s);
	/* Filling the second page may have dropped the first from the TLB; its memory stays. */
	switch (s->kind) {
	case STR_MOVS:
		host_movs(dst, src, k, s->n, s->back);
		break;
	case STR_STOS:
		host_stos(dst, c->gpr[X86_RAX], k, s->n, s->back);
		break;
	case STR_LODS:
		gpr_set(c, X86_RAX, s->n, false,
			host_load(src + (s->back ? -1 : 1) * (s64)((k - 1) * s->n), s->n));
		break;
	case STR_CMPS:
	case STR_SCAS:
		k = host_compare(c, s, src, dst, k);
		break;
	}
	str_advance(c, s, k);
	return 0;
}

static bool str_done(const struct str *s)
{
	return !s->count || (s->compare && s->fl_set && ((s->fl & RF_ZF) != 0) == s->until);
}

int interp_string(struct x86_vcpu *c, const struct x86_insn *in)
{
	struct str s;

	str_init(&s, c, in);
	if (!s.rep) {
		if (str_one(c, &s) < 0)
			return -1;
		if (s.fl_set)
			flags_set(c, X86_F_STATUS, s.fl);
		return interp_next(c, in);
	}
	while (s.count) {
		if (str_batch(c, &s) < 0)
			return -1;
		if (str_done(&s))
			break;
		if ((c->mode_key & X86_KEY_STEP) ||
		    atomic_load_explicit(&c->kick, memory_order_relaxed))
			return 0; /* RIP stays: the rest comes after whatever it is */
	}
	if (s.fl_set)
		flags_set(c, X86_F_STATUS, s.fl);
	return interp_next(c, in);
}
