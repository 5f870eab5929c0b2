/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest x87/vector state: moving it between the host's registers and c->xsave,
 * and the instructions that save and restore it as an image (SDM vol. 1,
 * chapter 13; FXSAVE: vol. 1, 10.5).
 *
 * The image layout is the host's own, which CPUID leaf 0xD shows to the guest.
 * The x87 instruction and data pointers would be host addresses: they read as
 * zero. FOP is what the hardware keeps.
 */
#include "engine/jit/x86/native.h"

enum { XS_X87 = 1, XS_SSE = 2, XS_AVX = 4 };
enum {
	XS_OFF_FIP = 8,
	XS_OFF_MXCSR = 24,
	XS_OFF_MASK = 28,
	XS_OFF_ST = 32,
	XS_OFF_XMM = 160,
	XS_OFF_XMM8 = 288,
	XS_OFF_BV = 512,
	XS_OFF_COMP = 520,
	XS_OFF_EXT = 576,
	XS_FXSAVE = 512
};
#define XS_COMPACT BIT(63)
#define MXCSR_INIT 0x1f80u
#define XS_LAST 62 /* bit 63 of the component bitmap is not a component */

static u64 xstate_bv(const struct x86_vcpu *c)
{
	return load_le64(c->xsave + XS_OFF_BV);
}

static u32 mxcsr_mask(const struct x86_vcpu *c)
{
	u32 mask = load_le32(c->xsave + XS_OFF_MASK);

	return mask ? mask : 0xffbf; /* SDM vol. 1, 11.6.6 */
}

/* ---- residency -------------------------------------------------------------------- */

/* XRSTOR must not fault whatever a state file put into the image. */
static void image_sanitize(struct x86_vcpu *c)
{
	u8 *x = c->xsave;

	store_le64(x + XS_OFF_BV, xstate_bv(c) & c->vm->xcr0_host);
	for (unsigned i = XS_OFF_COMP; i < XS_OFF_EXT; i += 8)
		store_le64(x + i, 0);
	store_le32(x + XS_OFF_MXCSR, load_le32(x + XS_OFF_MXCSR) & mxcsr_mask(c));
}

void x86_fpu_load(struct x86_vcpu *c)
{
	u64 mask = c->vm->xcr0_host;

	if (c->fpu_live)
		return;
	image_sanitize(c);
	__asm__ volatile("xrstor64 %0"
			 :
			 : "m"(c->xsave), "a"((u32)mask), "d"((u32)(mask >> 32))
			 : "memory");
	c->fpu_live = true;
}

void x86_fpu_park(struct x86_vcpu *c)
{
	static const u32 mxcsr = MXCSR_INIT;
	u64 mask = c->vm->xcr0_host;

	if (!c->fpu_live)
		return;
	__asm__ volatile("xsave64 %0"
			 : "+m"(c->xsave)
			 : "a"((u32)mask), "d"((u32)(mask >> 32))
			 : "memory");
	store_le64(c->xsave + XS_OFF_FIP, 0);
	store_le64(c->xsave + XS_OFF_FIP + 8, 0);
	/* What the host's C code expects: control words, no upper halves in use. */
	if (xstate_bv(c) & XS_X87)
		__asm__ volatile("fninit");
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	if (mask & XS_AVX)
		__asm__ volatile("vzeroupper");
	c->fpu_live = false;
}

/* ---- images in guest memory ---------------------------------------------------------- */

struct image {
	u64 linear;
	bool wide; /* 64-bit mode: 16 (32) registers, else 8 */
};

static u64 image_at(const struct image *m, u64 off)
{
	return m->wide ? m->linear + off : (u32)(m->linear + off);
}

static void image_clear(u8 *p, size_t n)
{
	__asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(0) : "memory");
}

static void image_copy(void *to, const void *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

/* Bytes from `off` of the image on that are on one page. */
static unsigned image_run(const struct image *m, u64 off, unsigned n)
{
	unsigned room = GPA_PAGE_SIZE - (image_at(m, off) & (GPA_PAGE_SIZE - 1));

	return n < room ? n : room;
}

/* One page's part, where there is no host address for it. */
static int image_piece(struct x86_vcpu *c, u64 linear, u8 *p, unsigned n, bool write)
{
	for (unsigned i = 0, k; i < n; i += k) {
		k = n - i < 64 ? n - i : 64;
		if ((write ? x86_write(c, linear + i, p + i, k)
			   : x86_read(c, linear + i, p + i, k)) < 0)
			return -1;
	}
	return 0;
}

/* c->xsave[from..from+n) to the image at `to`. */
static int image_put(struct x86_vcpu *c, const struct image *m, u64 to, const u8 *from, unsigned n)
{
	for (unsigned i = 0, k; i < n; i += k) {
		u64 linear = image_at(m, to + i);
		void *p;

		k = image_run(m, to + i, n - i);
		p = tlb_wr(c, linear, k);
		if (p)
			image_copy(p, from + i, k);
		else if (image_piece(c, linear, (u8 *)(uintptr_t)(from + i), k, true) < 0)
			return -1;
	}
	return 0;
}

static int image_get(struct x86_vcpu *c, const struct image *m, u64 from, u8 *to, unsigned n)
{
	for (unsigned i = 0, k; i < n; i += k) {
		u64 linear = image_at(m, from + i);
		const void *p;

		k = image_run(m, from + i, n - i);
		p = tlb_rd(c, linear, k);
		if (p)
			image_copy(to + i, p, k);
		else if (image_piece(c, linear, to + i, k, false) < 0)
			return -1;
	}
	return 0;
}

struct component {
	unsigned off, size; /* in the standard format */
	unsigned used;	    /* bytes that this mode can reach */
	bool align;	    /* to 64 in the compacted format */
};

static struct interp_xcomp component_ask(struct x86_vcpu *c, unsigned i)
{
	u32 out[4];

	x86_cpuid(c, 0xd, i, out);
	if (out[1] > X86_XSAVE_MAX || out[0] > X86_XSAVE_MAX - out[1])
		return (struct interp_xcomp){.off = XS_OFF_EXT, .known = true};
	return (struct interp_xcomp){(u16)out[1], (u16)out[0], out[2] & 2, true};
}

static struct component component(struct x86_vcpu *c, unsigned i, bool wide)
{
	struct interp_xcomp *kept = &interp_data(c)->xcomp[i & 15], far;
	struct component x;

	if (i >= ARRAY_LEN(interp_data(c)->xcomp)) {
		far = component_ask(c, i);
		kept = &far;
	} else if (!kept->known) {
		*kept = component_ask(c, i);
	}
	x = (struct component){kept->off, kept->size, kept->size, kept->align};
	if (!wide && (i == 2 || i == 6)) /* upper parts of registers 0..7 */
		x.used = x.size / 2;
	if (!wide && i == 7) /* registers 16..31 */
		x.used = 0;
	return x;
}

#define XS_PKRU 9u

void x86_fpu_settle(struct x86_vcpu *c)
{
	struct component x = component(c, XS_PKRU, true);

	x86_fpu_load(c);
	x86_fpu_park(c);
	if (x.size < 8)
		return;
	store_le64(c->xsave + x.off, c->pkru);
	store_le64(c->xsave + XS_OFF_BV,
		   (xstate_bv(c) & ~X86_XCR0_PKRU) | (c->pkru ? X86_XCR0_PKRU : 0));
}

void x86_fpu_replaced(struct x86_vcpu *c)
{
	struct component x = component(c, XS_PKRU, true);

	if (x.size >= 8)
		x86_set_pkru(c, xstate_bv(c) & X86_XCR0_PKRU ? load_le32(c->xsave + x.off) : 0);
}

u64 x86_fpu_xinuse(struct x86_vcpu *c)
{
	x86_fpu_settle(c);
	return xstate_bv(c) | flag_if(load_le32(c->xsave + XS_OFF_MXCSR) != MXCSR_INIT, XS_SSE);
}

static unsigned xmm_bytes(bool wide)
{
	return (wide ? 16 : 8) * 16;
}

/* Where component i is in an image: fixed, or after those before it. *next moves on. */
static unsigned component_place(const struct component *x, bool compact, unsigned *next)
{
	unsigned at = x->off;

	if (compact) {
		at = x->align ? (unsigned)align_up(*next, 64) : *next;
		*next = at + x->size;
	}
	return at;
}

static int put_legacy(struct x86_vcpu *c, const struct image *m, u64 what, bool mxcsr)
{
	const u8 *x = c->xsave;

	if ((what & XS_X87) && (image_put(c, m, 0, x, XS_OFF_MXCSR) < 0 ||
				image_put(c, m, XS_OFF_ST, x + XS_OFF_ST, 128) < 0))
		return -1;
	if (mxcsr && image_put(c, m, XS_OFF_MXCSR, x + XS_OFF_MXCSR, 8) < 0)
		return -1;
	if (what & XS_SSE)
		return image_put(c, m, XS_OFF_XMM, x + XS_OFF_XMM, xmm_bytes(m->wide));
	return 0;
}

static int put_components(struct x86_vcpu *c, const struct image *m, u64 rfbm, u64 what,
			  bool compact)
{
	unsigned next = XS_OFF_EXT;

	for (unsigned i = 2; i <= XS_LAST && rfbm >> i; i++) {
		struct component x;
		unsigned at;

		if (!(rfbm >> i & 1))
			continue;
		x = component(c, i, m->wide);
		at = component_place(&x, compact, &next);
		if ((what >> i & 1) && image_put(c, m, at, c->xsave + x.off, x.used) < 0)
			return -1;
	}
	return 0;
}

/*
 * vzeroupper, vzeroall outside 64-bit mode: registers 8 and up keep their value
 * (SDM vol. 2, VZEROALL), which running them natively would not do.
 */
void x86_fpu_vzero(struct x86_vcpu *c, bool all)
{
	x86_fpu_settle(c);
	if (all)
		image_clear(c->xsave + XS_OFF_XMM, xmm_bytes(false));
	for (unsigned i = 2; i <= 6; i += 4) { /* upper halves of YMM, of ZMM */
		struct component x = component(c, i, false);

		if (c->vm->xcr0_host >> i & 1)
			image_clear(c->xsave + x.off, x.used);
	}
}

enum xsave_kind { XSAVE_PLAIN, XSAVE_OPT, XSAVE_COMPACT };

static int image_save(struct x86_vcpu *c, const struct image *m, u64 rfbm, enum xsave_kind kind)
{
	u64 used = x86_fpu_xinuse(c) & rfbm, what = kind == XSAVE_PLAIN ? rfbm : used;
	bool compact = kind == XSAVE_COMPACT;
	u64 head[2] = {used, rfbm | XS_COMPACT};

	if (put_legacy(c, m, what, compact ? what & XS_SSE : rfbm & (XS_SSE | XS_AVX)) < 0 ||
	    put_components(c, m, rfbm, what, compact) < 0)
		return -1;
	if (compact)
		return image_put(c, m, XS_OFF_BV, (u8 *)head, 16);
	if (image_get(c, m, XS_OFF_BV, (u8 *)&head[1], 8) < 0)
		return -1;
	head[0] |= head[1] & ~rfbm;
	return image_put(c, m, XS_OFF_BV, (u8 *)head, 8);
}

/* The header rules of XRSTOR and XRSTORS (SDM vol. 1, 13.8.1 and 13.12). */
static bool header_valid(const u64 head[8], u64 xcr0, bool compact)
{
	u64 rest = 0;

	if (!compact)
		return !(head[0] & ~xcr0) && !head[1] && !head[2];
	for (unsigned i = 2; i < 8; i++)
		rest |= head[i];
	return !(head[1] & ~(xcr0 | XS_COMPACT)) && !(head[0] & ~head[1]) && !rest;
}

/* Legacy part into x. `init`: components of rfbm that the image does not hold. */
static int get_legacy(struct x86_vcpu *c, const struct image *m, u8 *x, u64 load, bool mxcsr)
{
	u8 buf[8];

	if (load & XS_X87) {
		if (image_get(c, m, 0, x, 8) < 0 || image_get(c, m, XS_OFF_ST, x + XS_OFF_ST, 128))
			return -1;
		for (unsigned i = 0; i < 8; i++) /* 80 bits of each 16-byte slot */
			image_clear(x + XS_OFF_ST + i * 16 + 10, 6);
	}
	if (mxcsr) {
		if (image_get(c, m, XS_OFF_MXCSR, buf, 4) < 0)
			return -1;
		if (load_le32(buf) & ~mxcsr_mask(c))
			return x86_raise_err(c, X86_GP, 0);
		store_le32(x + XS_OFF_MXCSR, load_le32(buf));
	}
	if (load & XS_SSE)
		return image_get(c, m, XS_OFF_XMM, x + XS_OFF_XMM, xmm_bytes(m->wide));
	return 0;
}

static int get_components(struct x86_vcpu *c, const struct image *m, u8 *to, u64 comp, u64 rfbm,
			  u64 bv, bool compact)
{
	unsigned next = XS_OFF_EXT;

	for (unsigned i = 2; i <= XS_LAST && comp >> i; i++) {
		struct component x;
		unsigned at;

		if (!(comp >> i & 1))
			continue;
		x = component(c, i, m->wide);
		at = component_place(&x, compact, &next);
		if (!(rfbm >> i & 1))
			continue;
		if (!(bv >> i & 1))
			image_clear(to + x.off, x.used);
		else if (image_get(c, m, at, to + x.off, x.used) < 0)
			return -1;
	}
	return 0;
}

/* The part of c->xsave that components take, PKRU included where the host has none. */
static unsigned area_bytes(struct x86_vcpu *c)
{
	u64 mask = c->vm->xcr0_host | x86_xcr0_allowed(c->vm);
	unsigned end = XS_OFF_EXT;

	for (unsigned i = 2; i <= XS_LAST && mask >> i; i++) {
		struct component x = component(c, i, true);

		if ((mask >> i & 1) && x.off + x.size > end)
			end = x.off + x.size;
	}
	return (unsigned)align_up(end, 64);
}

/*
 * Components holding registers 8 and up: outside 64-bit mode these keep their
 * value when the rest of the component is initialized (SDM vol. 1, 13.8), so
 * the component as a whole is not in its initial state.
 */
enum { XS_HIGH_REGS = XS_SSE | XS_AVX | 1 << 6 | 1 << 7 };

static int image_restore(struct x86_vcpu *c, const struct image *m, u64 rfbm, bool supervisor)
{
	u64 xcr0 = c->xcr0 & x86_xcr0_allowed(c->vm), head[8], bv, comp, keep;
	u8 x[X86_XSAVE_MAX] __attribute__((aligned(8)));
	unsigned area = area_bytes(c);
	bool compact, mxcsr;

	if (image_get(c, m, XS_OFF_BV, (u8 *)head, sizeof(head)) < 0)
		return -1;
	compact = head[1] & XS_COMPACT;
	if (!header_valid(head, xcr0, compact) || (supervisor && !compact))
		return x86_raise_err(c, X86_GP, 0);
	x86_fpu_settle(c);
	image_copy(x, c->xsave, area);
	bv = head[0] & rfbm;
	comp = compact ? head[1] : xcr0;
	mxcsr = compact ? bv & XS_SSE : rfbm & (XS_SSE | XS_AVX);
	if (get_legacy(c, m, x, bv, mxcsr) < 0 ||
	    get_components(c, m, x, comp, rfbm, bv, compact) < 0)
		return -1;
	if (compact && (rfbm & XS_SSE) && !(bv & XS_SSE))
		store_le32(x + XS_OFF_MXCSR, MXCSR_INIT);
	keep = m->wide ? ~rfbm : ~rfbm | XS_HIGH_REGS;
	if (!m->wide && (rfbm & ~bv & XS_SSE))
		image_clear(x + XS_OFF_XMM, xmm_bytes(false));
	store_le64(x + XS_OFF_BV, (xstate_bv(c) & keep) | bv);
	image_copy(c->xsave, x, area);
	if (rfbm & X86_XCR0_PKRU)
		x86_fpu_replaced(c);
	return 0;
}

/* ---- FXSAVE, FXRSTOR --------------------------------------------------------------------- */

/* AMD's fast FXSAVE leaves the XMM registers out (EFER.FFXSR, 64-bit mode, CPL 0). */
static bool fx_without_xmm(const struct x86_vcpu *c)
{
	return (c->efer & CTL_EFER_FFXSR) && c->code_mode == X86_MODE_64 && c->cpl == 0;
}

static u64 fx_parts(const struct x86_vcpu *c)
{
	bool sse = (c->cr4 & CTL_CR4_OSFXSR) && !fx_without_xmm(c);

	return XS_X87 | flag_if(sse, XS_SSE);
}

static int exec_fxsave(struct x86_vcpu *c, const struct image *m)
{
	x86_fpu_settle(c);
	return put_legacy(c, m, fx_parts(c), true);
}

static int exec_fxrstor(struct x86_vcpu *c, const struct image *m)
{
	u8 x[X86_XSAVE_MAX] __attribute__((aligned(8)));

	x86_fpu_settle(c);
	image_copy(x, c->xsave, XS_OFF_EXT);
	if (get_legacy(c, m, x, fx_parts(c), true) < 0)
		return -1;
	store_le64(x + XS_OFF_BV, xstate_bv(c) | fx_parts(c));
	image_copy(c->xsave, x, XS_OFF_EXT);
	return 0;
}

/* ---- the instructions ----------------------------------------------------------------------- */

enum {
	AE_FXSAVE,
	AE_FXRSTOR,
	AE_XSAVE = 4,
	AE_XRSTOR,
	AE_XSAVEOPT,
	C7_XRSTORS = 3 + 8,
	C7_XSAVEC = 4 + 8,
	C7_XSAVES = 5 + 8,
	FPU_STATE_NONE = 16
};

/* ModRM.reg of 0F AE, or 8 + that of 0F C7. */
static unsigned fpu_state_kind(const struct x86_insn *in)
{
	unsigned reg = in->modrm >> 3 & 7;

	if (in->enc != X86_ENC_LEGACY || in->map != X86_MAP_0F || !in->has_mem || in->rep ||
	    in->repne || in->p66)
		return FPU_STATE_NONE;
	if (in->opcode == 0xae && reg != 2 && reg != 3 && reg != 7)
		return reg;
	if (in->opcode == 0xc7 && reg >= 3 && reg <= 5)
		return reg + 8;
	return FPU_STATE_NONE;
}

bool fpu_state_is(const struct x86_insn *in)
{
	return fpu_state_kind(in) != FPU_STATE_NONE;
}

static int fpu_state_check(struct x86_vcpu *c, unsigned kind)
{
	if (kind <= AE_FXRSTOR)
		return c->cr0 & (CTL_CR0_EM | CTL_CR0_TS) ? x86_raise(c, X86_NM) : 0;
	if (!(c->cr4 & CTL_CR4_OSXSAVE))
		return x86_raise(c, X86_UD);
	if ((kind == C7_XRSTORS || kind == C7_XSAVES) && c->cpl)
		return x86_raise_err(c, X86_GP, 0);
	return c->cr0 & CTL_CR0_TS ? x86_raise(c, X86_NM) : 0;
}

static int fpu_state_run(struct x86_vcpu *c, unsigned kind, const struct image *m)
{
	u64 rfbm =
		((u32)c->gpr[X86_RAX] | c->gpr[X86_RDX] << 32) & c->xcr0 & x86_xcr0_allowed(c->vm);

	switch (kind) {
	case AE_FXSAVE:
		return exec_fxsave(c, m);
	case AE_FXRSTOR:
		return exec_fxrstor(c, m);
	case AE_XSAVE:
		return image_save(c, m, rfbm, XSAVE_PLAIN);
	case AE_XSAVEOPT:
		return image_save(c, m, rfbm, XSAVE_OPT);
	case C7_XSAVEC:
	case C7_XSAVES:
		return image_save(c, m, rfbm, XSAVE_COMPACT);
	default:
		return image_restore(c, m, rfbm, kind == C7_XRSTORS);
	}
}

int x86_exec_fpu_state(struct x86_vcpu *c, const struct x86_insn *in)
{
	unsigned kind = fpu_state_kind(in);
	struct image m = {.wide = in->mode == X86_MODE_64};

	if (kind == FPU_STATE_NONE)
		return native_exec(c, in);
	if (fpu_state_check(c, kind) < 0 ||
	    interp_linear(c, in->seg, interp_ea(c, in), XS_FXSAVE, X86_READ, &m.linear) < 0)
		return -1;
	if (m.linear & (kind <= AE_FXRSTOR ? 15 : 63))
		return x86_raise_err(c, X86_GP, 0);
	if (fpu_state_run(c, kind, &m) < 0)
		return -1;
	return interp_next(c, in);
}
