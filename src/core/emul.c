/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The instruction emulator: one instruction of the guest whose memory operand is
 * a device (or ROM), or string I/O, decoded by isa/x86 and done on copies of the
 * registers; they become the guest's only when it is complete. Memory that is RAM
 * is read and written through the slots, the rest through the bus.
 *
 * A bus call that defers ends it without a trace; started anew later, the accesses
 * answered meanwhile are taken from v->replay. So nothing an instruction does
 * before its last bus access may be visible: RAM is written last.
 *
 * REP forms do up to BURST elements, each complete in itself.
 */
#include "core/emul.h"

enum { BURST = 512 };

/* ---- the bus, by way of the log ------------------------------------------------- */

static u64 bus_call(struct hv_vcpu *v, enum hv_access_kind kind, u64 addr, unsigned size, u64 val)
{
	const struct vcpu_bus *b = &v->bus;

	switch (kind) {
	case HV_PIO_IN:
		return b->pio_read(b->opaque, (u16)addr, size);
	case HV_PIO_OUT:
		b->pio_write(b->opaque, (u16)addr, size, (u32)val);
		return val;
	case HV_MMIO_READ:
		return b->mmio_read(b->opaque, addr, size);
	case HV_MMIO_WRITE:
	default:
		b->mmio_write(b->opaque, addr, size, val);
		return val;
	}
}

static bool same_access(const struct hv_replay *r, enum hv_access_kind kind, u64 addr,
			unsigned size)
{
	return r->kind == kind && r->addr == addr && r->size == size && r->answered;
}

bool hv_bus_access(struct hv_vcpu *v, enum hv_access_kind kind, u64 addr, unsigned size, u64 *val)
{
	struct hv_replay *r = &v->replay[v->replay_at];

	if (v->replay_at < v->nreplay && same_access(r, kind, addr, size)) {
		*val = r->val;
		v->replay_at++;
		return true;
	}
	v->nreplay = v->replay_at; /* another instruction than before: its log is void */
	*val = bus_call(v, kind, addr, size, *val) & mask_bytes(size);
	if (v->nreplay < HV_REPLAY) {
		*r = (struct hv_replay){.kind = (u8)kind,
					.addr = addr,
					.size = (u8)size,
					.val = *val,
					.answered = !v->deferred};
		v->replay_at = ++v->nreplay;
	}
	return !v->deferred;
}

void hv_replay_reset(struct hv_vcpu *v)
{
	v->nreplay = v->replay_at = 0;
}

/* ---- faults -------------------------------------------------------------------------- */

static bool stop(struct emul *e, enum emul_result why)
{
	e->stop = why;
	return false;
}

static bool raise(struct emul *e, u8 vector, bool has_error, u32 error)
{
	hv_raise(e->v, vector, has_error, error);
	return stop(e, EMUL_FAULT);
}

static bool page_fault(struct emul *e, u64 linear, u32 error)
{
	e->v->st.cr2 = linear;
	hv_touch(e->v, HV_G_CR);
	return raise(e, X86_EXC_PF, true, error);
}

/* ---- memory ---------------------------------------------------------------------------- */

static bool in_limit(const struct x86_seg *s, u64 off, unsigned n)
{
	u64 last = off + n - 1;
	bool down = (s->attr & 0x1c) == 0x14; /* data, expand down: SDM vol. 3A 3.4.5.1 */

	if (!down)
		return last <= s->limit;
	return off > s->limit && last <= (s->attr & SEG_DB ? 0xffffffffu : 0xffffu);
}

static bool linear_of(struct emul *e, unsigned seg, u64 off, unsigned n, bool write, u64 *linear)
{
	const struct x86_seg *s = &e->v->st.seg[seg];
	u8 vector = seg == X86_SS ? X86_EXC_SS : X86_EXC_GP;

	if (e->in.mode == X86_MODE_64) {
		*linear = off + (seg >= X86_FS ? s->base : 0);
		if (!x86_canonical(*linear) || !x86_canonical(*linear + n - 1))
			return raise(e, vector, true, 0);
		return true;
	}
	*linear = (u32)(s->base + off);
	if ((s->attr & X86_SEG_UNUSABLE) || !in_limit(s, off, n) ||
	    (write && (e->v->st.cr0 & CR0_PE) && !(e->v->rflags & FL_VM) && (s->attr & 0xa) != 2))
		return raise(e, vector, true, 0);
	return true;
}

static bool translate(struct emul *e, u64 linear, u32 access, u64 *gpa)
{
	u32 error = 0;

	if (hv_walk(e->v, linear, access, gpa, &error))
		return page_fault(e, linear, error);
	return true;
}

static bool device_access(struct emul *e, u64 gpa, unsigned n, bool write, u64 *val)
{
	enum hv_access_kind kind = write ? HV_MMIO_WRITE : HV_MMIO_READ;
	u64 byte, out = 0;

	if (is_pow2(n) && !(gpa & (n - 1)))
		return hv_bus_access(e->v, kind, gpa, n, val) || stop(e, EMUL_DEFER);
	for (unsigned i = 0; i < n; i++) {
		byte = *val >> (i * 8) & 0xff;
		if (!hv_bus_access(e->v, kind, gpa + i, 1, &byte))
			return stop(e, EMUL_DEFER);
		out |= byte << (i * 8);
	}
	*val = out;
	return true;
}

/* Bytes that lie in one page. */
static bool phys_access(struct emul *e, u64 gpa, unsigned n, bool write, u64 *val)
{
	struct hv_vm *vm = e->v->vm;
	struct hv_slot s;
	int err;

	if (!hv_slot_find(vm, gpa, &s) || (write && (s.flags & HV_SLOT_READONLY)))
		return device_access(e, gpa, n, write, val);
	if (!write)
		*val = 0;
	err = write ? hv_write(vm, gpa, val, n) : hv_read(vm, gpa, val, n);
	if (!err)
		return true;
	e->v->fail = "guest memory is gone";
	return stop(e, EMUL_CANNOT);
}

static bool mem_access(struct emul *e, unsigned seg, u64 off, unsigned n, bool write, u64 *val)
{
	u32 access = (write ? PF_W : 0) | (e->user ? PF_U : 0);
	unsigned first;
	u64 linear, gpa, gpa2, part;

	if (!linear_of(e, seg, off, n, write, &linear) || !translate(e, linear, access, &gpa))
		return false;
	first = (unsigned)min_u64(n, 4096 - (linear & 4095));
	if (first == n)
		return phys_access(e, gpa, n, write, val);
	if (!translate(e, linear + first, access, &gpa2))
		return false;
	part = *val >> (first * 8);
	if (!phys_access(e, gpa, first, write, val) ||
	    !phys_access(e, gpa2, n - first, write, &part))
		return false;
	*val = (*val & mask_bytes(first)) | part << (first * 8);
	return true;
}

bool emul_read(struct emul *e, unsigned seg, u64 off, unsigned n, u64 *val)
{
	*val = 0;
	return mem_access(e, seg, off, n, false, val);
}

bool emul_write(struct emul *e, unsigned seg, u64 off, unsigned n, u64 val)
{
	val &= mask_bytes(n);
	return mem_access(e, seg, off, n, true, &val);
}

/* ---- string instructions ------------------------------------------------------------------ */

static void reg_add(struct emul *e, unsigned reg, s64 delta)
{
	unsigned n = e->in.adsize;

	emul_gpr_set(e, reg, n, false, e->gpr[reg] + (u64)delta);
}

static u64 reg_addr(const struct emul *e, unsigned reg)
{
	return e->gpr[reg] & mask_bytes(e->in.adsize);
}

static bool port_access(struct emul *e, enum hv_access_kind kind, unsigned n, u64 *val)
{
	return hv_bus_access(e->v, kind, e->gpr[X86_RDX] & 0xffff, n, val) || stop(e, EMUL_DEFER);
}

/* Where a string instruction reads and writes. */
struct string_row {
	u16 op;
	bool from_si, from_port, to_di, to_port, compare;
};

static const struct string_row string_rows[] = {
	{X86_OP_MOVS, .from_si = true, .to_di = true},
	{X86_OP_STOS, .to_di = true},
	{X86_OP_LODS, .from_si = true},
	{X86_OP_CMPS, .from_si = true, .compare = true},
	{X86_OP_SCAS, .compare = true},
	{X86_OP_INS, .from_port = true, .to_di = true},
	{X86_OP_OUTS, .from_si = true, .to_port = true},
};

static const struct string_row *string_row(const struct x86_insn *in)
{
	for (unsigned i = 0; i < ARRAY_LEN(string_rows); i++)
		if (string_rows[i].op == in->row->op)
			return &string_rows[i];
	return NULL;
}

/* One element; registers move on only if all of it worked. */
static bool string_element(struct emul *e, const struct string_row *r, unsigned n)
{
	s64 delta = e->rflags & FL_DF ? -(s64)n : (s64)n;
	u64 val = e->gpr[X86_RAX] & mask_bytes(n), other;

	if (r->from_si && !emul_read(e, e->in.seg, reg_addr(e, X86_RSI), n, &val))
		return false;
	if (r->from_port && !port_access(e, HV_PIO_IN, n, &val))
		return false;
	if (r->to_di && !emul_write(e, X86_ES, reg_addr(e, X86_RDI), n, val))
		return false;
	if (r->to_port && !port_access(e, HV_PIO_OUT, n, &val))
		return false;
	if (r->compare) {
		if (!emul_read(e, X86_ES, reg_addr(e, X86_RDI), n, &other))
			return false;
		emul_alu(X86_OP_CMP, n, val, other, &e->rflags);
	}
	if (r->op == X86_OP_LODS)
		emul_gpr_set(e, X86_RAX, n, false, val);
	if (r->from_si)
		reg_add(e, X86_RSI, delta);
	if (r->to_di || r->compare)
		reg_add(e, X86_RDI, delta);
	return true;
}

static void commit(struct emul *e)
{
	for (unsigned i = 0; i < 16; i++)
		e->v->gpr[i] = e->gpr[i];
	e->v->rflags = e->rflags;
	hv_replay_reset(e->v);
}

/* True when the instruction is over, RIP may move on. */
static bool string_repeat(struct emul *e, const struct string_row *r, unsigned n)
{
	for (unsigned i = 0; i < BURST; i++) {
		if (!reg_addr(e, X86_RCX))
			return true;
		if (!string_element(e, r, n))
			return false;
		reg_add(e, X86_RCX, -1);
		commit(e);
		if (r->compare && !(e->rflags & FL_ZF) == e->in.rep)
			return true;
		if (!reg_addr(e, X86_RCX))
			return true;
		if ((atomic_load(&e->v->request) & HV_REQ_NEWS) || atomic_load(&e->v->irq_level))
			break;
	}
	e->more = true;
	return true;
}

static bool exec_string(struct emul *e, const struct string_row *r)
{
	unsigned n = e->in.opsize;

	if ((r->from_port || r->to_port) && n == 8)
		n = 4;
	if (e->in.rep || e->in.repne)
		return string_repeat(e, r, n);
	return string_element(e, r, n);
}

/* ---- one instruction ------------------------------------------------------------------------- */

static enum x86_mode code_mode(struct hv_vcpu *v)
{
	unsigned size = hv_vcpu_code_size(v);

	return size == 8 ? X86_MODE_64 : size == 4 ? X86_MODE_32 : X86_MODE_16;
}

/* As many of the bytes at RIP as can be read, up to 15. */
static unsigned fetch(struct emul *e, u8 *buf)
{
	struct hv_vcpu *v = e->v;
	u64 linear = v->rip + (e->in.mode == X86_MODE_64 ? 0 : v->st.seg[X86_CS].base), gpa;
	u32 error = 0, access = PF_I | (e->user ? PF_U : 0);
	unsigned got = 0, n;

	if (e->in.mode != X86_MODE_64)
		linear = (u32)linear;
	while (got < X86_INSN_MAX) {
		if (hv_walk(v, linear + got, access, &gpa, &error)) {
			if (!got)
				page_fault(e, linear, error);
			return got;
		}
		n = (unsigned)min_u64(X86_INSN_MAX - got, 4096 - ((linear + got) & 4095));
		if (hv_read(v->vm, gpa, buf + got, n))
			break;
		got += n;
	}
	if (!got) {
		v->fail = "the guest runs code that is not in its memory";
		stop(e, EMUL_CANNOT);
	}
	return got;
}

static bool decode(struct emul *e)
{
	u8 buf[X86_INSN_MAX];
	unsigned n = fetch(e, buf);
	u64 next;

	if (!n)
		return false;
	switch (x86_decode(&e->in, e->in.mode, buf, n)) {
	case X86_DECODE_OK:
		return true;
	case X86_DECODE_SHORT:
		next = e->v->rip + n + (e->in.mode == X86_MODE_64 ? 0 : e->v->st.seg[X86_CS].base);
		return page_fault(e, next, PF_I | (e->user ? PF_U : 0));
	case X86_DECODE_LONG:
		return raise(e, X86_EXC_GP, true, 0);
	default:
		return raise(e, X86_EXC_UD, false, 0);
	}
}

static bool exec(struct emul *e)
{
	const struct string_row *r = string_row(&e->in);

	if (r)
		return exec_string(e, r);
	if (emul_ordinary(e))
		return true;
	if (e->stop == EMUL_DONE) {
		e->v->fail = e->in.row->name;
		e->stop = EMUL_CANNOT;
	}
	return false;
}

static void begin(struct emul *e, struct hv_vcpu *v)
{
	e->v = v;
	e->stop = EMUL_DONE;
	e->more = false;
	e->in.mode = code_mode(v);
	e->user = hv_vcpu_cpl(v) == 3;
	e->rflags = v->rflags;
	for (unsigned i = 0; i < 16; i++)
		e->gpr[i] = v->gpr[i];
}

enum emul_result hv_emulate(struct hv_vcpu *v)
{
	struct emul e;

	begin(&e, v);
	v->replay_at = 0;
	if (!decode(&e) || !exec(&e)) {
		if (e.stop != EMUL_DEFER)
			hv_replay_reset(v);
		return e.stop;
	}
	commit(&e);
	if (!e.more)
		hv_advance(v, e.in.len);
	v->stats.emulated++;
	return EMUL_DONE;
}

/* ---- lengths ------------------------------------------------------------------------------------
 */

static unsigned len_line(const struct hv_vcpu *v, u64 rip)
{
	return (rip ^ rip >> 5) % ARRAY_LEN(v->len_cache);
}

unsigned hv_len_known(const struct hv_vcpu *v, u64 rip, u64 cr3, enum vt_exit_kind kind)
{
	const struct hv_len_line *l = &v->len_cache[len_line(v, rip)];

	return l->rip == rip && l->cr3 == cr3 && l->kind == kind ? l->len : 0;
}

unsigned hv_insn_len(struct hv_vcpu *v)
{
	struct emul e;
	unsigned len;

	if (v->exit.len)
		return v->exit.len;
	hv_want(v, HV_G_CR);
	len = hv_len_known(v, v->rip, v->st.cr3, v->exit.kind);
	if (len)
		return len;
	hv_want(v, HV_G_SEG);
	begin(&e, v);
	if (!decode(&e))
		return 0;
	v->len_cache[len_line(v, v->rip)] = (struct hv_len_line){
		.rip = v->rip, .cr3 = v->st.cr3, .kind = (u8)v->exit.kind, .len = e.in.len};
	return e.in.len;
}
