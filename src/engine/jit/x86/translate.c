/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/jit/x86/translate.h"

#include "base/bits.h"

/* ---- what an instruction is ---- */

static bool fpu_usable(u32 key, u32 row_flags)
{
	if (key & X86_KEY_NOFPU)
		return false;
	if ((row_flags & (X86_R_SSE | X86_R_AVX | X86_R_AVX512)) && (key & X86_KEY_NOSSE))
		return false;
	if ((row_flags & X86_R_AVX) && !(key & X86_KEY_AVX))
		return false;
	return !(row_flags & X86_R_AVX512) || (key & X86_KEY_AVX512);
}

enum { FPU_ROW = X86_R_FPU | X86_R_MMX | X86_R_SSE | X86_R_AVX | X86_R_AVX512 };

static unsigned modrm_reg(const struct x86_insn *in)
{
	return in->modrm >> 3 & 7;
}

static bool is_1b(const struct x86_insn *in)
{
	return in->enc == X86_ENC_LEGACY && in->map == X86_MAP_1B;
}

static bool is_0f(const struct x86_insn *in)
{
	return in->enc == X86_ENC_LEGACY && in->map == X86_MAP_0F;
}

static const struct x86_opnd *mem_opnd(const struct x86_insn *in)
{
	for (unsigned i = 0; i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_MEM)
			return &in->opnd[i];
	return NULL;
}

bool xl_system_ends(const struct x86_insn *in)
{
	unsigned op = in->opcode;

	if (is_1b(in))
		return op == 0xcf || op == 0xcc || op == 0xcd || op == 0xf1 || op == 0xea ||
		       op == 0x9a || op == 0xca || op == 0xcb || op == 0xf4 ||
		       (op == 0xff && (modrm_reg(in) == 3 || modrm_reg(in) == 5));
	return is_0f(in) && (op == 0x05 || op == 0x07 || op == 0x34 || op == 0x35);
}

static enum xl_kind branch_kind(const struct xl *x, const struct x86_insn *in)
{
	unsigned op = in->opcode;

	if (in->p66 || (is_1b(in) && op >= 0xe0 && op <= 0xe3 && in->adsize == 2))
		return XL_EXEC;
	if (is_0f(in) && (op & 0xf0) == 0x80)
		return XL_JCC;
	if (!is_1b(in))
		return XL_EXEC;
	if ((op & 0xf0) == 0x70)
		return XL_JCC;
	switch (op) {
	case 0xeb:
	case 0xe9:
		return XL_JMP;
	case 0xe8:
		return XL_CALL;
	case 0xc2:
	case 0xc3:
		return XL_RET;
	case 0xe0:
	case 0xe1:
	case 0xe2:
	case 0xe3:
		return XL_LOOP;
	case 0xff:
		if (!in->has_mem && (in->opnd[0].reg == RSP))
			return XL_EXEC;
		return modrm_reg(in) == 2 ? XL_CALL_IND : modrm_reg(in) == 4 ? XL_JMP_IND : XL_EXEC;
	}
	return XL_EXEC;
}

static enum xl_kind stack_kind(const struct xl *x, const struct x86_insn *in)
{
	unsigned op = in->opcode;

	if (!is_1b(in) || in->opsize != (x->m64 ? 8 : 4))
		return XL_EXEC;
	if (op >= 0x50 && op <= 0x57)
		return XL_PUSH_REG;
	if ((op >= 0x58 && op <= 0x5f) || (op == 0x8f && !in->has_mem))
		return XL_POP;
	if (op == 0x68 || op == 0x6a)
		return XL_PUSH_IMM;
	if (op == 0xff && modrm_reg(in) == 6)
		return in->has_mem ? XL_PUSH_MEM : XL_PUSH_REG;
	return op == 0xc9 ? XL_LEAVE : XL_EXEC;
}

/* Memory forms that do not access [operand, operand + size) and no more, or show host addresses. */
static bool mem_odd(const struct x86_insn *in)
{
	unsigned op = in->opcode;

	if (is_0f(in)) /* bt, bts, btr, btc with a register: any distance away */
		return op == 0xa3 || op == 0xab || op == 0xb3 || op == 0xbb || op == 0xae;
	if (is_1b(in)) /* x87 environment */
		return (op == 0xd9 && (modrm_reg(in) == 4 || modrm_reg(in) == 6)) ||
		       (op == 0xdd && (modrm_reg(in) == 4 || modrm_reg(in) == 6));
	return in->map == X86_MAP_3DNOW;
}

static enum xl_kind mem_kind(const struct xl *x, const struct x86_insn *in)
{
	const struct x86_opnd *m = mem_opnd(in);
	u32 v = xl_victims(in);

	if (!m || !m->size || m->size > 64 || mem_odd(in) || (in->row->flags & X86_R_VSIB))
		return XL_EXEC;
	if (v == (BIT(S1) | BIT(S2)) || in->adsize == 2)
		return XL_EXEC;
	if (!x->m64 && (in->seg == X86_FS || in->seg == X86_GS))
		return XL_EXEC;
	return XL_MEM;
}

static enum xl_kind ordinary_kind(const struct xl *x, const struct x86_insn *in)
{
	unsigned op = in->opcode;

	if (in->row->flags & X86_R_IMPLICIT_RSP)
		return stack_kind(x, in);
	if (is_1b(in) && op == 0x8d)
		return in->adsize == 2 ? XL_EXEC : XL_LEA;
	if (is_1b(in) && op == 0x90 && !(in->rex & 1) && !in->rep)
		return XL_SKIP;
	if (is_1b(in) && op == 0x90 && in->rep && x->j->vm->yield)
		return XL_EXEC;
	if (is_0f(in) && (op == 0x0d || (op >= 0x18 && op <= 0x1f)) && in->has_mem)
		return XL_SKIP;
	if (in->row->flags & X86_R_IMPLICIT_MEM)
		return XL_EXEC;
	if (!x->m64 && (in->row->flags & X86_R_NO64))
		return is_1b(in) && (op & 0xf0) == 0x40 ? XL_INCDEC : XL_EXEC;
	if (!x->m64 && is_1b(in) && (op & 0xf0) == 0x40)
		return XL_INCDEC;
	if (in->has_mem || mem_opnd(in))
		return mem_kind(x, in);
	return XL_COPY;
}

static bool exec_opcode(const struct jit *j, const struct x86_insn *in)
{
	u32 op = (u32)in->map << 8 | in->opcode;

	return j->exec_hi && op >= j->exec_lo && op <= j->exec_hi;
}

/*
 * 32-bit code whose bytes mean something else in 64-bit code: W that sizes a
 * general register, vzeroupper and vzeroall, which leave registers 8 and up alone,
 * a register number in an immediate (vblendv*), whose top bit is ignored.
 */
static bool differs_in_64(const struct xl *x, const struct x86_insn *in)
{
	const u8 *p = in->bytes + in->pfx_len;

	if (x->m64 || in->enc == X86_ENC_LEGACY)
		return false;
	if (in->enc == X86_ENC_VEX && in->map == X86_MAP_0F && in->opcode == 0x77)
		return true;
	if (in->enc == X86_ENC_VEX && in->map == X86_MAP_0F3A && in->opcode >= 0x4a &&
	    in->opcode <= 0x4c)
		return in->imm & 0x80;
	return p[0] != 0xc5 && (p[2] >> 7) != in->w;
}

static void classify(struct xl *x, struct xl_insn *t)
{
	const struct x86_insn *in = &t->in;

	switch (in->row->cls) {
	case X86_C_BRANCH:
		t->kind = branch_kind(x, in);
		t->ends = t->kind != XL_JCC && t->kind != XL_LOOP;
		break;
	case X86_C_ORDINARY:
		t->kind = differs_in_64(x, in) ? XL_EXEC : ordinary_kind(x, in);
		if (in->row->flags & FPU_ROW) {
			if (!fpu_usable(x->map->key, in->row->flags))
				t->kind = XL_EXEC;
			else if (t->kind != XL_EXEC)
				x->u->fpu = true;
		}
		break;
	case X86_C_STRING:
		t->kind = XL_EXEC;
		break;
	case X86_C_SYSTEM:
		t->kind = xl_sys_kind(x, in);
		t->ends = xl_system_ends(in) || t->kind == XL_MODE;
		break;
	default:
		t->kind = XL_EXEC;
		t->ends = true;
	}
	if (x->j->exec_kinds >> t->kind & 1 || exec_opcode(x->j, in)) {
		t->kind = XL_EXEC;
		t->ends = in->row->cls == X86_C_BRANCH || xl_system_ends(in);
	}
	if (t->kind == XL_MODE)
		t->to = t->rip + in->len;
	if (t->kind == XL_JMP || t->kind == XL_JCC || t->kind == XL_CALL || t->kind == XL_LOOP) {
		t->to = t->rip + in->len + (u64)in->imm;
		if (!x->m64)
			t->to = (u32)t->to;
	}
}

u32 xl_victims(const struct x86_insn *in)
{
	u32 v = 0;

	for (unsigned i = 0; i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_GPR)
			v |= 1u << in->opnd[i].reg;
	return v & (BIT(S1) | BIT(S2));
}

u32 xl_victims_of_address(const struct x86_insn *in)
{
	u32 v = 0;

	if (in->mem_base < 16)
		v |= 1u << in->mem_base;
	if (in->mem_index < 16)
		v |= 1u << in->mem_index;
	return v & (BIT(S1) | BIT(S2));
}

bool xl_has_high(const struct x86_insn *in)
{
	for (unsigned i = 0; i < in->nopnds; i++)
		if (in->opnd[i].kind == X86_OPND_GPR && in->opnd[i].high)
			return true;
	return false;
}

/* ---- reading guest code ---- */

/* From now on a write to the page is heard of (jit_page_written). */
static void watch_page(struct jit *j, const struct jit_map *m)
{
	struct gpa_slot *s = gpa_slot_find(j->vm->map, m->gpa);
	_Atomic u8 *flags = &s->page_flags[(m->gpa - s->gpa) >> GPA_PAGE_SHIFT];

	if (atomic_load(flags) & GPA_PAGE_CODE)
		return;
	atomic_fetch_or(flags, (u8)GPA_PAGE_CODE);
	x86_tlb_protect(j->vm, m->gpa);
}

struct pending {
	u64 to[JIT_MAX_INSN];
	unsigned n;
};

enum { GAP_MAX = 256 }; /* bytes skipped to reach a pending target */

static void pending_add(struct pending *p, const struct xl_insn *t)
{
	if ((t->kind == XL_JMP || t->kind == XL_JCC || t->kind == XL_LOOP) && t->to > t->rip &&
	    p->n < JIT_MAX_INSN)
		p->to[p->n++] = t->to;
}

/* Where to go on reading after control ended at `rip`: the nearest branch target ahead, or 0. */
static u64 pending_next(const struct pending *p, u64 rip)
{
	u64 best = 0;

	for (unsigned i = 0; i < p->n; i++)
		if (p->to[i] >= rip && p->to[i] - rip < GAP_MAX && (!best || p->to[i] < best))
			best = p->to[i];
	return best;
}

/*
 * Decode at rip. An instruction that crosses into the next page can be had when
 * this vCPU has run code there: x->next is set, and the code will check it.
 */
static bool read_insn(struct xl *x, struct xl_insn *t)
{
	enum x86_mode mode = x->m64 ? X86_MODE_64 : X86_MODE_32;
	unsigned off = t->rip & (GPA_PAGE_SIZE - 1), n = GPA_PAGE_SIZE - off;
	u8 bytes[2 * X86_INSN_MAX];
	int ret = x86_decode(&t->in, mode, x->map->host + off, n);

	if (ret != X86_DECODE_SHORT || n >= X86_INSN_MAX)
		return ret == X86_DECODE_OK;
	x->next = xl_map_of(x, t->rip + n);
	if (!x->next || x->next->key != x->map->key)
		return false;
	for (unsigned i = 0; i < n; i++)
		bytes[i] = x->map->host[off + i];
	for (unsigned i = 0; i < X86_INSN_MAX; i++)
		bytes[n + i] = x->next->host[i];
	watch_page(x->j, x->next);
	return x86_decode(&t->in, mode, bytes, n + X86_INSN_MAX) == X86_DECODE_OK;
}

static void scan(struct xl *x, u64 rip)
{
	struct pending p = {.n = 0};

	while (x->n < JIT_MAX_INSN && align_down(rip, GPA_PAGE_SIZE) == x->map->lin) {
		struct xl_insn *t = &x->insn[x->n];

		t->rip = rip;
		t->to = 0;
		t->target = -1;
		t->ends = t->label = t->save_flags = t->unsure = false;
		t->recipe.size = 0;
		t->ref[0].group = t->ref[1].group = 0;
		t->live_in = t->live_out = 0;
		if (!read_insn(x, t))
			break; /* the interpreter's */
		classify(x, t);
		x->n++;
		pending_add(&p, t);
		rip += t->in.len;
		if (!t->ends)
			continue;
		rip = pending_next(&p, rip);
		if (!rip)
			break;
	}
}

static s16 find_insn(const struct xl *x, u64 rip)
{
	unsigned lo = 0, hi = x->n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (x->insn[mid].rip < rip)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < x->n && x->insn[lo].rip == rip ? (s16)lo : -1;
}

static void resolve_targets(struct xl *x)
{
	for (unsigned i = 0; i < x->n; i++) {
		struct xl_insn *t = &x->insn[i];

		if (t->kind == XL_JMP || t->kind == XL_JCC || t->kind == XL_LOOP ||
		    t->kind == XL_CALL)
			t->target = find_insn(x, t->to);
		if (t->target >= 0)
			x->insn[t->target].label = true;
	}
}

static void trace(const struct xl *x)
{
	unsigned off = x->u->rip & (GPA_PAGE_SIZE - 1);
	u64 len = x->insn[x->n - 1].rip + x->insn[x->n - 1].in.len - x->u->rip;

	x86_fpu_park(x->c);
	jit_host_trace(x->j, x->u, x->map->host + off, (unsigned)min_u64(len, GPA_PAGE_SIZE - off));
}

struct jit_unit *jit_translate(struct jit *j, struct x86_vcpu *c, struct jit_map *m, u64 rip,
			       enum jit_unit_kind kind)
{
	struct xl *x = (struct xl *)j->xl;
	struct jit_unit *u = &j->unit[j->nunits];

	if (!gpa_slot_find(j->vm->map, m->gpa))
		return NULL;
	watch_page(j, m);
	*u = (struct jit_unit){
		.rip = rip, .map = m, .plain = kind == JIT_UNIT_PLAIN, .hot = kind == JIT_UNIT_HOT};
	x->j = j;
	x->c = c;
	x->map = m;
	x->next = NULL;
	x->plain = u->plain;
	x->u = u;
	x->e = &j->hot;
	x->cold = &j->cold;
	x->m64 = (m->key & 3) == X86_MODE_64;
	x->mmu = m->key >> 2 & 3;
	x->n = x->nfix = 0;
	scan(x, rip);
	if (!x->n)
		return NULL;
	resolve_targets(x);
	if (xl_check_calls(x))
		return NULL; /* all that was translated before is dropped first */
	xl_liveness(x);
	xl_groups(x);
	xl_emit_unit(x);
	if (x->e->full || x->cold->full)
		return NULL;
	j->nunits++;
	jit_unit_add(j, u);
	if (j->trace || j->perf)
		trace(x);
	return u;
}
