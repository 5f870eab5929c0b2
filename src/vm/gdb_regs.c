/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/gdb_regs.h"

#include "base/bits.h"
#include "base/endian.h"

#include <stdio.h>
#include <string.h>

/* Where a register lives in struct x86_state. */
enum kind { K_GPR, K_RIP, K_FLAGS, K_SEG, K_ST, K_FPU, K_XMM, K_MXCSR, K_BASE, K_KGS, K_CR };

/* Legacy XSAVE area, SDM vol. 1 table 10-2. */
enum {
	XS_FCW = 0,
	XS_FSW = 2,
	XS_FTW = 4,
	XS_FOP = 6,
	XS_FIP = 8,
	XS_FCS = 12,
	XS_FDP = 16,
	XS_FDS = 20,
	XS_MXCSR = 24,
	XS_ST = 32,
	XS_XMM = 160
};
enum { FPU_FCTRL, FPU_FSTAT, FPU_FTAG, FPU_FISEG, FPU_FIOFF, FPU_FOSEG, FPU_FOOFF, FPU_FOP };
enum { CR_0, CR_2, CR_3, CR_4, CR_8, CR_EFER };
#define MSR_KERNEL_GS_BASE 0xc0000102u

/* clang-format off */
#define GPR(n, i) {n, "int64", NULL, 8, K_GPR, i}
#define SEG(n, i) {n, "int32", NULL, 4, K_SEG, i}
#define ST(n, i) {n, "i387_ext", NULL, 10, K_ST, i}
#define FPU(n, i) {n, "int", "float", 4, K_FPU, i}
#define XMM(n, i) {n, "vec128", NULL, 16, K_XMM, i}
#define SYS(n, k, i) {n, "int64", "system", 8, k, i}

static const struct gdb_reg regs[] = {
	/* org.gnu.gdb.i386.core */
	GPR("rax", X86_RAX), GPR("rbx", X86_RBX), GPR("rcx", X86_RCX), GPR("rdx", X86_RDX),
	GPR("rsi", X86_RSI), GPR("rdi", X86_RDI),
	{"rbp", "data_ptr", NULL, 8, K_GPR, X86_RBP}, {"rsp", "data_ptr", NULL, 8, K_GPR, X86_RSP},
	GPR("r8", 8), GPR("r9", 9), GPR("r10", 10), GPR("r11", 11),
	GPR("r12", 12), GPR("r13", 13), GPR("r14", 14), GPR("r15", 15),
	{"rip", "code_ptr", NULL, 8, K_RIP, 0}, {"eflags", "int32", NULL, 4, K_FLAGS, 0},
	SEG("cs", X86_CS), SEG("ss", X86_SS), SEG("ds", X86_DS),
	SEG("es", X86_ES), SEG("fs", X86_FS), SEG("gs", X86_GS),
	ST("st0", 0), ST("st1", 1), ST("st2", 2), ST("st3", 3),
	ST("st4", 4), ST("st5", 5), ST("st6", 6), ST("st7", 7),
	FPU("fctrl", FPU_FCTRL), FPU("fstat", FPU_FSTAT), FPU("ftag", FPU_FTAG),
	FPU("fiseg", FPU_FISEG), FPU("fioff", FPU_FIOFF), FPU("foseg", FPU_FOSEG),
	FPU("fooff", FPU_FOOFF), FPU("fop", FPU_FOP),
	/* org.gnu.gdb.i386.sse */
	XMM("xmm0", 0), XMM("xmm1", 1), XMM("xmm2", 2), XMM("xmm3", 3),
	XMM("xmm4", 4), XMM("xmm5", 5), XMM("xmm6", 6), XMM("xmm7", 7),
	XMM("xmm8", 8), XMM("xmm9", 9), XMM("xmm10", 10), XMM("xmm11", 11),
	XMM("xmm12", 12), XMM("xmm13", 13), XMM("xmm14", 14), XMM("xmm15", 15),
	{"mxcsr", "int32", "vector", 4, K_MXCSR, 0},
	/* org.gnu.gdb.i386.segments */
	SYS("fs_base", K_BASE, X86_FS), SYS("gs_base", K_BASE, X86_GS),
	/* ours */
	SYS("k_gs_base", K_KGS, 0), SYS("cr0", K_CR, CR_0), SYS("cr2", K_CR, CR_2),
	SYS("cr3", K_CR, CR_3), SYS("cr4", K_CR, CR_4), SYS("cr8", K_CR, CR_8),
	SYS("efer", K_CR, CR_EFER),
};
/* clang-format on */

static const char vector_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
	"<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
	"<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
	"<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
	"<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
	"<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/>"
	"</union>";

static const struct gdb_feature features[] = {
	{"org.gnu.gdb.i386.core", 40, NULL},
	{"org.gnu.gdb.i386.sse", 57, vector_types},
	{"org.gnu.gdb.i386.segments", 59, NULL},
	{"org.hull.system", ARRAY_LEN(regs), NULL},
};

static u64 *state_msr(struct x86_state *s, u32 index)
{
	for (u32 i = 0; i < s->nmsrs && i < X86_STATE_MSRS; i++)
		if (s->msr[i].index == index)
			return &s->msr[i].value;
	return NULL;
}

/* Where 64-bit values live. NULL: not in this state. */
static u64 *state_u64(struct x86_state *s, const struct gdb_reg *r)
{
	switch (r->kind) {
	case K_GPR:
		return &s->gpr[r->index];
	case K_RIP:
		return &s->rip;
	case K_FLAGS:
		return &s->rflags;
	case K_BASE:
		return &s->seg[r->index].base;
	case K_KGS:
		return state_msr(s, MSR_KERNEL_GS_BASE);
	case K_CR:
		switch (r->index) {
		case CR_0:
			return &s->cr0;
		case CR_2:
			return &s->cr2;
		case CR_3:
			return &s->cr3;
		case CR_4:
			return &s->cr4;
		case CR_8:
			return &s->cr8;
		default:
			return &s->efer;
		}
	default:
		return NULL;
	}
}

/* Registers that are bytes in the XSAVE area: where, and how many of them. */
static u8 *state_xsave(struct x86_state *s, const struct gdb_reg *r, unsigned *len)
{
	static const u8 fpu_off[] = {XS_FCW, XS_FSW, XS_FTW, XS_FCS,
				     XS_FIP, XS_FDS, XS_FDP, XS_FOP};
	static const u8 fpu_len[] = {2, 2, 1, 2, 4, 2, 4, 2};

	switch (r->kind) {
	case K_ST:
		*len = 10;
		return s->xsave + XS_ST + r->index * 16;
	case K_XMM:
		*len = 16;
		return s->xsave + XS_XMM + r->index * 16;
	case K_MXCSR:
		*len = 4;
		return s->xsave + XS_MXCSR;
	case K_FPU:
		*len = fpu_len[r->index];
		return s->xsave + fpu_off[r->index];
	default:
		return NULL;
	}
}

/* GDB has two bits a register (3 = empty), the XSAVE area one (1 = not empty). */
static u16 tag_word(u8 abridged)
{
	u16 tag = 0;

	for (unsigned i = 0; i < 8; i++)
		if (!(abridged & 1u << i))
			tag |= (u16)(3u << i * 2);
	return tag;
}

static u8 tag_abridged(u16 tag)
{
	u8 a = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((tag >> i * 2 & 3) != 3)
			a |= (u8)(1u << i);
	return a;
}

static bool is_ftag(const struct gdb_reg *r)
{
	return r->kind == K_FPU && r->index == FPU_FTAG;
}

static void get(const union gdb_state *cs, const struct gdb_reg *r, u8 *out)
{
	struct x86_state *s = (struct x86_state *)&cs->x86; /* only to share the lookup */
	unsigned len = 0;
	const u8 *x = state_xsave(s, r, &len);
	const u64 *v = state_u64(s, r);

	memset(out, 0, r->size);
	if (is_ftag(r))
		store_le16(out, tag_word(*x));
	else if (x)
		memcpy(out, x, len);
	else if (r->kind == K_SEG)
		store_le32(out, s->seg[r->index].sel);
	else if (v)
		store_le(out, r->size, *v);
}

static void set(union gdb_state *s, const struct gdb_reg *r, const u8 *in)
{
	unsigned len = 0;
	u8 *x = state_xsave(&s->x86, r, &len);
	u64 *v = state_u64(&s->x86, r);

	if (is_ftag(r))
		*x = tag_abridged(load_le16(in));
	else if (x)
		memcpy(x, in, len);
	else if (v)
		*v = load_le(in, r->size);
	/* Segment selectors have hidden parts that GDB knows nothing of: not written. */
}

static void set_pc(union gdb_state *s, u64 pc)
{
	s->x86.rip = pc;
}

static const char *activity(const union gdb_state *s)
{
	static const char *const mp[] = {"running", "halted", "not started"};

	return mp[s->x86.mp_state % 3];
}

static int load(const struct engine_ops *ops, struct engine_vcpu *v, union gdb_state *s)
{
	return ops->vcpu_get_state(v, &s->x86);
}

static int store(const struct engine_ops *ops, struct engine_vcpu *v, const union gdb_state *s)
{
	return ops->vcpu_set_state(v, &s->x86);
}

const struct gdb_arch gdb_arch_x86 = {
	.name = "i386:x86-64",
	.regs = regs,
	.nregs = ARRAY_LEN(regs),
	.features = features,
	.nfeatures = ARRAY_LEN(features),
	.get = get,
	.set = set,
	.set_pc = set_pc,
	.activity = activity,
	.load = load,
	.store = store,
};

/* ---- any architecture ---- */

struct text {
	char *buf;
	unsigned len, cap;
};

static void text_add(struct text *t, const char *s)
{
	while (*s && t->len < t->cap)
		t->buf[t->len++] = *s++;
}

static void text_reg(struct text *t, const struct gdb_reg *r)
{
	char line[160];

	snprintf(line, sizeof(line), "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"%s%s%s/>\n",
		 r->name, r->size * 8u, r->type, r->group ? " group=\"" : "",
		 r->group ? r->group : "", r->group ? "\"" : "");
	text_add(t, line);
}

unsigned gdb_target_xml(const struct gdb_arch *a, char *buf, unsigned cap)
{
	struct text t = {.buf = buf, .cap = cap};
	unsigned n = 0;

	text_add(&t, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
		     "<target><architecture>");
	text_add(&t, a->name);
	text_add(&t, "</architecture>\n");
	for (unsigned f = 0; f < a->nfeatures; f++) {
		text_add(&t, "<feature name=\"");
		text_add(&t, a->features[f].name);
		text_add(&t, "\">\n");
		if (a->features[f].types)
			text_add(&t, a->features[f].types);
		for (; n < a->features[f].end; n++)
			text_reg(&t, &a->regs[n]);
		text_add(&t, "</feature>\n");
	}
	text_add(&t, "</target>\n");
	return t.len;
}

const struct gdb_arch *gdb_arch_of(const struct engine_ops *ops)
{
	return ops->arch == ENGINE_ARCH_PPC64 ? &gdb_arch_ppc : &gdb_arch_x86;
}
