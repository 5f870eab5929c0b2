/* SPDX-License-Identifier: Apache-2.0 */
/* POWER's registers as GDB names them (GDB manual, "PowerPC Features"), always little-endian. */
#include "vm/gdb_regs.h"

#include "base/bits.h"
#include "base/endian.h"

#include <string.h>

/* Where a register lives in struct ppc_state. */
enum kind { K_GPR, K_SYS, K_FPR, K_VR, K_VSH };
enum { S_PC, S_MSR, S_CR, S_LR, S_CTR, S_XER, S_FPSCR, S_VSCR, S_VRSAVE };

/* clang-format off */
#define GPR(n) {"r" #n, "uint64", NULL, 8, K_GPR, n}
#define FPR(n) {"f" #n, "ieee_double", "float", 8, K_FPR, n}
#define VR(n) {"vr" #n, "vec128", "vector", 16, K_VR, n}
#define VSH(n) {"vs" #n "h", "uint64", NULL, 8, K_VSH, n}

static const struct gdb_reg regs[] = {
	/* org.gnu.gdb.power.core */
	GPR(0), GPR(1), GPR(2), GPR(3), GPR(4), GPR(5), GPR(6), GPR(7), GPR(8), GPR(9), GPR(10),
	GPR(11), GPR(12), GPR(13), GPR(14), GPR(15), GPR(16), GPR(17), GPR(18), GPR(19), GPR(20),
	GPR(21), GPR(22), GPR(23), GPR(24), GPR(25), GPR(26), GPR(27), GPR(28), GPR(29), GPR(30),
	GPR(31),
	{"pc", "code_ptr", NULL, 8, K_SYS, S_PC}, {"msr", "uint64", NULL, 8, K_SYS, S_MSR},
	{"cr", "uint32", NULL, 4, K_SYS, S_CR}, {"lr", "code_ptr", NULL, 8, K_SYS, S_LR},
	{"ctr", "uint64", NULL, 8, K_SYS, S_CTR}, {"xer", "uint32", NULL, 4, K_SYS, S_XER},
	/* org.gnu.gdb.power.fpu */
	FPR(0), FPR(1), FPR(2), FPR(3), FPR(4), FPR(5), FPR(6), FPR(7), FPR(8), FPR(9), FPR(10),
	FPR(11), FPR(12), FPR(13), FPR(14), FPR(15), FPR(16), FPR(17), FPR(18), FPR(19), FPR(20),
	FPR(21), FPR(22), FPR(23), FPR(24), FPR(25), FPR(26), FPR(27), FPR(28), FPR(29), FPR(30),
	FPR(31),
	{"fpscr", "uint64", "float", 8, K_SYS, S_FPSCR},
	/* org.gnu.gdb.power.altivec */
	VR(0), VR(1), VR(2), VR(3), VR(4), VR(5), VR(6), VR(7), VR(8), VR(9), VR(10), VR(11), VR(12),
	VR(13), VR(14), VR(15), VR(16), VR(17), VR(18), VR(19), VR(20), VR(21), VR(22), VR(23),
	VR(24), VR(25), VR(26), VR(27), VR(28), VR(29), VR(30), VR(31),
	{"vscr", "uint32", "vector", 4, K_SYS, S_VSCR},
	{"vrsave", "uint32", "vector", 4, K_SYS, S_VRSAVE},
	/* org.gnu.gdb.power.vsx */
	VSH(0), VSH(1), VSH(2), VSH(3), VSH(4), VSH(5), VSH(6), VSH(7), VSH(8), VSH(9), VSH(10),
	VSH(11), VSH(12), VSH(13), VSH(14), VSH(15), VSH(16), VSH(17), VSH(18), VSH(19), VSH(20),
	VSH(21), VSH(22), VSH(23), VSH(24), VSH(25), VSH(26), VSH(27), VSH(28), VSH(29), VSH(30),
	VSH(31),
};
/* clang-format on */

static const char vector_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
	"<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
	"<union id=\"vec128\"><field name=\"uint128\" type=\"uint128\"/>"
	"<field name=\"v4_float\" type=\"v4f\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
	"<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
	"</union>";

static const struct gdb_feature features[] = {
	{"org.gnu.gdb.power.core", 38, NULL},
	{"org.gnu.gdb.power.fpu", 71, NULL},
	{"org.gnu.gdb.power.altivec", 105, vector_types},
	{"org.gnu.gdb.power.vsx", ARRAY_LEN(regs), NULL},
};

static u64 *state_u64(struct ppc_state *s, unsigned index)
{
	switch (index) {
	case S_PC:
		return &s->nip;
	case S_MSR:
		return &s->msr;
	case S_LR:
		return &s->lr;
	case S_CTR:
		return &s->ctr;
	case S_XER:
		return &s->xer;
	default:
		return &s->fpscr;
	}
}

static u32 *state_u32(struct ppc_state *s, unsigned index)
{
	switch (index) {
	case S_CR:
		return &s->cr;
	case S_VSCR:
		return &s->vscr;
	case S_VRSAVE:
		return &s->vrsave;
	default:
		return NULL;
	}
}

/* A vector register's two doublewords, the less significant one first; else one number. */
static u64 *state_dw(struct ppc_state *s, const struct gdb_reg *r)
{
	switch (r->kind) {
	case K_GPR:
		return &s->gpr[r->index];
	case K_FPR:
		return &s->vsr[r->index].hi;
	case K_VSH:
		return &s->vsr[r->index].lo;
	case K_VR:
		return &s->vsr[32 + r->index].lo;
	default:
		return state_u64(s, r->index);
	}
}

static void get(const union gdb_state *cs, const struct gdb_reg *r, u8 *out)
{
	struct ppc_state *s = (struct ppc_state *)&cs->ppc; /* only to share the lookup */
	const u32 *w = r->kind == K_SYS ? state_u32(s, r->index) : NULL;

	store_le(out, (unsigned)min_u64(r->size, 8), w ? *w : *state_dw(s, r));
	if (r->kind == K_VR)
		store_le64(out + 8, s->vsr[32 + r->index].hi);
}

static void set(union gdb_state *u, const struct gdb_reg *r, const u8 *in)
{
	struct ppc_state *s = &u->ppc;
	u32 *w = r->kind == K_SYS ? state_u32(s, r->index) : NULL;

	if (w)
		*w = load_le32(in);
	else
		*state_dw(s, r) = load_le(in, (unsigned)min_u64(r->size, 8));
	if (r->kind == K_VR)
		s->vsr[32 + r->index].hi = load_le64(in + 8);
}

static void set_pc(union gdb_state *s, u64 pc)
{
	s->ppc.nip = pc;
}

static const char *activity(const union gdb_state *s)
{
	return s->ppc.stopped ? "not started" : "running";
}

static int load(const struct engine_ops *ops, struct engine_vcpu *v, union gdb_state *s)
{
	return ops->vcpu_get_ppc(v, &s->ppc);
}

static int store(const struct engine_ops *ops, struct engine_vcpu *v, const union gdb_state *s)
{
	return ops->vcpu_set_ppc(v, &s->ppc);
}

const struct gdb_arch gdb_arch_ppc = {
	.name = "powerpc:common64",
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
