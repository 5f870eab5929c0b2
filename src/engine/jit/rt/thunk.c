/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam between C and generated code, itself generated: into it (enter), and
 * out of it to a C handler and back in (the thunks). Guest r14 and r15 are in
 * memory at every seam; everything else moves between host registers and
 * x86_vcpu here.
 */
#include "engine/jit/rt/jit.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
/* Host registers of the C ABI that a callee keeps (System V ABI 3.2.1). */
static const u8 kept[] = {RBX, RBP, 12, 13, 14, 15};
#define FLAG_BITS (X86_F_STATUS | X86_F_DF)

static void push(struct emit *e, unsigned r)
{
	if (r & 8)
		emit_u8(e, 0x41);
	emit_u8(e, (u8)(0x50 | (r & 7)));
}

static void pop(struct emit *e, unsigned r)
{
	if (r & 8)
		emit_u8(e, 0x41);
	emit_u8(e, (u8)(0x58 | (r & 7)));
}

/* Guest state into host registers, then jump to temp[0]. The C stack pointer is in host_rsp. */
static void thunk_load(struct emit *e)
{
	static const u8 lean[] = {
		0x89, 0xc1,	  /* mov ecx, eax */
		0xc1, 0xe9, 0x0b, /* shr ecx, 11: OF */
		0x83, 0xe1, 0x01, /* and ecx, 1 */
		0x88, 0xc4,	  /* mov ah, al */
		0x88, 0xc8,	  /* mov al, cl */
		0x04, 0x7f,	  /* add al, 0x7f: sets OF from bit 0 */
		0x9e,		  /* sahf */
	};
	static const u8 full[] = {
		0x25, 0xd5, 0x0c, 0, 0, /* and eax, FLAG_BITS */
		0x83, 0xc8, 0x02,	/* or eax, 2 */
		0x50, 0x9d,		/* push rax; popfq */
	};
	u32 df, done;

	emit_gs(e, OP_MOV_RM, true, RAX, GS_OFF(rflags));
	emit_u8(e, 0xa9); /* test eax, DF */
	emit_u32(e, X86_F_DF);
	df = emit_jcc(e, CC_NE, 0);
	emit_bytes(e, lean, sizeof(lean));
	done = emit_jmp(e, 0);
	emit_patch(e->base, df, e->pos);
	emit_bytes(e, full, sizeof(full));
	emit_patch(e->base, done, e->pos);
	for (unsigned r = 0; r < 16; r++)
		emit_gs(e, OP_MOV_RM, true, r, GS_GPR(r));
	emit_jmp_gs(e, EMIT_NONE, GS_RT(temp));
}

static void thunk_enter(struct jit *j, struct emit *e)
{
	j->thunk.enter = e->pos;
	for (unsigned i = 0; i < sizeof(kept); i++)
		push(e, kept[i]);
	emit_grp1_ri(e, 5, true, RSP, 8);
	emit_gs(e, OP_MOV_MR, true, RSP, GS_OFF(host_rsp));
	emit_gs(e, OP_MOV_MR, true, RSI, GS_RT(temp));
	thunk_load(e);
}

static void thunk_save(struct emit *e)
{
	u32 no_df;

	for (unsigned r = 0; r < 16; r++)
		if (r != JIT_S1 && r != JIT_S2)
			emit_gs(e, OP_MOV_MR, true, r, GS_GPR(r));
	emit_gs(e, OP_MOV_RM, true, RSP, GS_OFF(host_rsp));
	emit_u8(e, 0x9c); /* pushfq */
	pop(e, RAX);
	emit_gs(e, OP_MOV_RM, true, RCX, GS_OFF(rflags));
	emit_u8(e, 0x25); /* and eax, FLAG_BITS */
	emit_u32(e, FLAG_BITS);
	emit_grp1_ri(e, 4, true, RCX, ~FLAG_BITS);
	emit_rr(e, OP_OR_RM, true, RCX, RAX);
	emit_gs(e, OP_MOV_MR, true, RCX, GS_OFF(rflags));
	emit_u8(e, 0xa9);
	emit_u32(e, X86_F_DF);
	no_df = emit_jcc(e, CC_E, 0);
	emit_u8(e, 0xfc); /* cld */
	emit_patch(e->base, no_df, e->pos);
}

typedef const void *(*handler_fn)(struct x86_vcpu *c, u64 value, u32 site);

/* Save, call fn(vcpu, r15, r14), go where it says; to `leave` if it says NULL. */
static u32 thunk_call(struct emit *e, handler_fn fn, u32 leave, u32 resume)
{
	u32 at = e->pos;

	thunk_save(e);
	emit_gs(e, OP_MOV_RM, true, RDI, GS_OFF(self));
	emit_mov_rr(e, RSI, JIT_S1);
	emit_rr(e, OP_MOV_RM, false, RDX, JIT_S2);
	emit_mov_ri(e, RAX, (u64)(uintptr_t)fn);
	emit_u8(e, 0xff); /* call rax */
	emit_u8(e, 0xd0);
	emit_rr(e, OP_TEST, true, RAX, RAX);
	emit_jcc(e, CC_E, leave);
	emit_jmp(e, resume);
	return at;
}

static void put(struct emit *e, unsigned reg, unsigned temp)
{
	emit_gs(e, OP_MOV_MR, true, reg, GS_RT(temp) + 8 * temp);
}

static void get(struct emit *e, unsigned reg, unsigned temp)
{
	emit_gs(e, OP_MOV_RM, true, reg, GS_RT(temp) + 8 * temp);
}

static struct emit_mem site_field(size_t off)
{
	return emit_at(RBX, (s32)off);
}

/* rbx: the site; rcx: offset of the TLB entry; rdx: the page, which it has. r14, r15 are free. */
static void refill_copy(struct emit *e, enum x86_mmu mmu, enum x86_access a, u32 tlb)
{
	static const u8 set_bit[] = {0x4d, 0x0f, 0xab, 0xfe}; /* bts r14, r15 */
	struct emit_mem number = site_field(offsetof(struct jit_site, slot_no));
	struct emit_mem slot = site_field(offsetof(struct jit_site, slot));
	struct emit_mem page = {RCX, EMIT_NONE, 1, true, (s32)tlb};
	struct emit_mem add = {RCX, EMIT_NONE, 1, true, (s32)tlb + 8};
	struct emit_mem to_page = {JIT_S1, EMIT_NONE, 1, true, 0};
	struct emit_mem to_add = {JIT_S1, EMIT_NONE, 1, true, 8};
	u32 same;

	emit_rm(e, OP_MOV_RM, false, JIT_S1, &slot);
	emit_rm(e, OP_MOV_RM, true, JIT_S2, &add);
	emit_rm(e, OP_MOV_MR, true, JIT_S2, &to_add);
	if (a == X86_READ) {
		emit_rm(e, OP_MOV_MR, true, RDX, &to_page);
	} else {
		/* x86_tlb_protect empties the entry, then looks for slots: one of us notices. */
		emit_mov_rr(e, JIT_S2, RDX);
		emit_rm(e, OP_XCHG, true, JIT_S2, &to_page);
		emit_rm(e, OP_CMP_RM, true, RDX, &page);
		same = emit_jcc(e, CC_E, 0);
		emit_mov_ri(e, JIT_S2, JIT_SLOT_EMPTY);
		emit_rm(e, OP_MOV_MR, true, JIT_S2, &to_page);
		emit_patch(e->base, same, e->pos);
	}
	emit_rm(e, OP_MOV_RM, false, JIT_S1, &number);
	emit_gs(e, OP_MOV_RM, true, JIT_S2, GS_RT(slot_used) + 8u * mmu);
	emit_bytes(e, set_bit, sizeof(set_bit));
	emit_gs(e, OP_MOV_MR, true, JIT_S2, GS_RT(slot_used) + 8u * mmu);
}

/* Copy the TLB entry for the address in r15 to the slot of site r14 and try again there. */
static void thunk_refill(struct jit *j, struct emit *e, enum x86_mmu mmu, enum x86_access a)
{
	static const u8 save_flags[] = {0x9f, 0x0f, 0x90, 0xc0}; /* lahf; seto al */
	static const u8 site_index[] = {0x41, 0x69, 0xde};	 /* imul ebx, r14d, imm32 */
	static const u8 load_flags[] = {0x04, 0x7f, 0x9e};	 /* add al, 0x7f; sahf */
	struct emit_mem size = site_field(offsetof(struct jit_site, size));
	struct emit_mem retry = site_field(offsetof(struct jit_site, retry));
	struct emit_mem fail = site_field(offsetof(struct jit_site, fail));
	u32 tlb = (u32)(offsetof(struct x86_vcpu, tlb) + mmu * sizeof(struct x86_tlb) +
			(a == X86_WRITE ? offsetof(struct x86_tlb, wr) : 0));
	struct emit_mem page = {RCX, EMIT_NONE, 1, true, (s32)tlb};
	u32 sample, miss, cross, go[2];

	j->thunk.refill[mmu][a] = e->pos;
	put(e, JIT_S1, 3);
	put(e, RAX, 4);
	emit_bytes(e, save_flags, sizeof(save_flags));
	put(e, RCX, 5);
	put(e, RDX, 6);
	put(e, RBX, 7);
	emit_bytes(e, site_index, sizeof(site_index));
	emit_u32(e, sizeof(struct jit_site));
	emit_gs(e, OP_ADD_RM, true, RBX, GS_RT(sites));
	emit_grp1_gsi(e, 5, false, GS_RT(slot_credit), 1);
	sample = emit_jcc(e, CC_S, 0);
	emit_rr(e, OP_MOV_RM, false, RCX, JIT_S1);
	emit_shift_ri(e, 5, false, RCX, 8);
	emit_gs(e, OP_AND_RM, false, RCX, GS_OFF(tlb_mask) + 4u * mmu);
	emit_mov_rr(e, RDX, JIT_S1);
	emit_grp1_ri(e, 4, true, RDX, -4096);
	emit_rm(e, OP_CMP_RM, true, RDX, &page);
	miss = emit_jcc(e, CC_NE, 0);
	emit_rr(e, OP_SUB_RM, true, JIT_S1, RDX);
	emit_u8(e, 0x66);
	emit_rm(e, OP_ADD_RM, false, JIT_S1, &size);
	emit_grp1_ri(e, 7, false, JIT_S1, GPA_PAGE_SIZE);
	cross = emit_jcc(e, CC_A, 0);
	refill_copy(e, mmu, a, tlb);
	emit_rm(e, OP_MOV_RM, false, RDX, &retry);
	go[0] = emit_jmp(e, 0);
	emit_patch(e->base, sample, e->pos);
	emit_mov_ri(e, RDX, j->thunk.sample);
	go[1] = emit_jmp(e, 0);
	emit_patch(e->base, miss, e->pos);
	emit_patch(e->base, cross, e->pos);
	emit_rm(e, OP_MOV_RM, false, RDX, &fail);
	emit_patch(e->base, go[0], e->pos);
	emit_patch(e->base, go[1], e->pos);
	emit_gs(e, OP_ADD_RM, true, RDX, GS_RT(code));
	put(e, RDX, 0);
	get(e, RBX, 7);
	get(e, RDX, 6);
	get(e, RCX, 5);
	emit_bytes(e, load_flags, sizeof(load_flags));
	get(e, RAX, 4);
	get(e, JIT_S1, 3);
	emit_jmp_gs(e, EMIT_NONE, GS_RT(temp));
}

void jit_thunks_emit(struct jit *j)
{
	struct emit *e = &j->hot;
	u32 leave, resume;

	emit_align(e, 64, 0);
	thunk_enter(j, e);
	leave = j->thunk.leave = e->pos;
	emit_grp1_ri(e, 0, true, RSP, 8);
	for (unsigned i = sizeof(kept); i-- > 0;)
		pop(e, kept[i]);
	emit_u8(e, 0xc3);
	resume = e->pos;
	emit_gs(e, OP_MOV_MR, true, RAX, GS_RT(temp));
	thunk_load(e);
	j->thunk.miss = thunk_call(e, jit_on_miss, leave, resume);
	j->thunk.stale = thunk_call(e, jit_on_stale, leave, resume);
	j->thunk.flags = thunk_call(e, jit_on_flags, leave, resume);
	j->thunk.link = thunk_call(e, jit_on_link, leave, resume);
	j->thunk.mem = thunk_call(e, jit_on_mem, leave, resume);
	j->thunk.exec = thunk_call(e, jit_on_exec, leave, resume);
	j->thunk.poll = thunk_call(e, jit_on_poll, leave, resume);
	j->thunk.fpu = thunk_call(e, jit_on_fpu, leave, resume);
	j->thunk.wide = thunk_call(e, jit_on_wide, leave, resume);
	j->thunk.sample = thunk_call(e, jit_on_sample, leave, resume);
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		thunk_refill(j, e, m, X86_READ);
		thunk_refill(j, e, m, X86_WRITE);
	}
	emit_align(e, 64, 0);
	j->code_begin = e->pos;
}
