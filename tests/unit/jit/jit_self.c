/* SPDX-License-Identifier: Apache-2.0 */
#include "jit_self.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "base/endian.h"
#include "engine/jit/rt/jit.h"

#define STACK_BYTES MIB(8)
#define SPACE_BITS 47

static struct {
	struct x86_vcpu *c;
	struct x86_vm vm;
	struct gpa_map map;
	u8 *code; /* one instruction between loading and saving the guest's registers */
	u64 stack, interpreted;
	u64 watched, watched_writes;
} self;

static void *pages(u64 n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

/* ---- the system half's part ---- */

int x86_fetch_page(struct x86_vcpu *c, u64 linear, u64 *gpa, const u8 **host)
{
	*gpa = linear & ~0xfffULL;
	*host = (const u8 *)(uintptr_t)*gpa;
	return 0;
}

int x86_tlb_fill(struct x86_vcpu *c, u64 linear, enum x86_access a, void **host)
{
	struct x86_tlb *t = &c->tlb[c->mmu];
	u64 page = linear & ~0xfffULL;
	unsigned i = (unsigned)(linear >> 12) & (X86_TLB_MAX - 1);
	struct x86_tlb_entry *e = a == X86_WRITE ? &t->wr[i] : &t->rd[i];

	self.watched_writes += a == X86_WRITE && page == self.watched;
	*e = (struct x86_tlb_entry){page, 0};
	*host = (void *)(uintptr_t)linear;
	return 0;
}

void x86_tlb_protect(struct x86_vm *vm, u64 gpa)
{
}

void x86_fpu_load(struct x86_vcpu *c)
{
	c->fpu_live = true;
}

void x86_fpu_park(struct x86_vcpu *c)
{
}

u64 x86_native_fixup(u64 host_rip)
{
	return 0;
}

/* ---- the interpreter's part ---- */

static void moves(struct emit *e, unsigned op)
{
	for (unsigned r = 0; r < 16; r++)
		emit_gs(e, op, true, r, GS_GPR(r));
}

static void flags_move(struct emit *e, bool load)
{
	static const u8 pop_to[] = {0x9c, 0x65, 0x8f, 0x04, 0x25}; /* pushfq; pop gs:[] */
	static const u8 push_of[] = {0x65, 0xff, 0x34, 0x25};	   /* push gs:[] */

	if (load) {
		emit_bytes(e, push_of, sizeof(push_of));
		emit_u32(e, GS_OFF(rflags));
		emit_u8(e, 0x9d);
	} else {
		emit_bytes(e, pop_to, sizeof(pop_to));
		emit_u32(e, GS_OFF(rflags));
	}
}

static void run_natively(struct x86_vcpu *c, const struct x86_insn *in)
{
	static const u8 head[] = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57};
	static const u8 tail[] = {0xfc, 0x41, 0x5f, 0x41, 0x5e, 0x41,
				  0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3};
	struct emit e = {.base = self.code, .end = 4096};
	u64 rsp = c->host_rsp;

	emit_bytes(&e, head, sizeof(head));
	emit_gs(&e, OP_MOV_MR, true, X86_RSP, GS_OFF(host_rsp));
	flags_move(&e, true);
	moves(&e, OP_MOV_RM);
	emit_bytes(&e, in->bytes, in->len);
	if (in->mem_base == X86_REG_RIP) /* the code page is near the program */
		store_le32(self.code + e.pos - in->len + in->disp_off,
			   (u32)((u64)in->disp + c->rip - (u64)(uintptr_t)self.code -
				 (e.pos - in->len)));
	moves(&e, OP_MOV_MR);
	emit_gs(&e, OP_MOV_RM, true, X86_RSP, GS_OFF(host_rsp));
	flags_move(&e, false);
	emit_bytes(&e, tail, sizeof(tail));
	__asm__ volatile("wrgsbase %0" : : "r"(c));
	((void (*)(void))(uintptr_t)self.code)();
	c->host_rsp = rsp;
}

static bool holds(u64 flags, unsigned cc)
{
	bool cf = flags & 1, pf = flags & 4, zf = flags & 0x40, sf = flags & 0x80,
	     of = flags & 0x800;
	const bool is[8] = {of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of};

	return is[cc >> 1 & 7] != (cc & 1);
}

/* What a near call or jump through a register or memory aims at. */
static u64 aim(const struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 at = (u64)in->disp;

	if (!in->has_mem)
		return c->gpr[(in->modrm & 7) | (in->rex & 1) << 3];
	if (in->mem_base == X86_REG_RIP)
		at += c->rip + in->len;
	else if (in->mem_base != X86_REG_NONE)
		at += c->gpr[in->mem_base];
	if (in->mem_index != X86_REG_NONE)
		at += c->gpr[in->mem_index] * in->mem_scale;
	return *(u64 *)(uintptr_t)at;
}

static void push(struct x86_vcpu *c, u64 v)
{
	c->gpr[X86_RSP] -= 8;
	*(u64 *)(uintptr_t)c->gpr[X86_RSP] = v;
}

/*
 * Near branches: what the translator may leave to us at the end of a page, and calls whose push
 * finds its page not in the TLB.
 */
static bool run_branch(struct x86_vcpu *c, const struct x86_insn *in)
{
	u64 next = c->rip + in->len;
	bool one = in->map == X86_MAP_1B;
	unsigned op = in->opcode, reg = in->modrm >> 3 & 7;

	if (one && op == 0xe8) {
		push(c, next);
	} else if (one && op == 0xff && (reg == 2 || reg == 4)) {
		u64 to = aim(c, in);

		if (reg == 2)
			push(c, next);
		c->rip = to;
		return true;
	} else if (one && op == 0xc3) {
		c->rip = *(u64 *)(uintptr_t)c->gpr[X86_RSP];
		c->gpr[X86_RSP] += 8;
		return true;
	} else if ((one && (op & 0xf0) == 0x70) || (!one && (op & 0xf0) == 0x80)) {
		if (!holds(c->rflags, op & 15)) {
			c->rip = next;
			return true;
		}
	} else if (!one || (op != 0xe9 && op != 0xeb)) {
		return false;
	}
	c->rip = next + (u64)in->imm;
	return true;
}

int x86_interp_step(struct x86_vcpu *c)
{
	struct x86_insn in;
	int bad;

	self.interpreted++;
	bad = x86_decode(&in, X86_MODE_64, (const u8 *)(uintptr_t)c->rip, X86_INSN_MAX);
	if (!bad && in.row->cls == X86_C_BRANCH && run_branch(c, &in))
		return 0;
	if (bad || in.row->cls == X86_C_BRANCH) {
		fprintf(stderr, "cannot run %02x %02x %02x at %llx\n", in.bytes[0], in.bytes[1],
			in.bytes[2], (unsigned long long)c->rip);
		abort();
	}
	if (in.opcode == 0xcc && in.map == X86_MAP_1B) {
		c->kick |= X86_KICK_EXIT;
		return 0;
	}
	run_natively(c, &in);
	c->rip += in.len;
	return 0;
}

/* ---- the guest ---- */

void self_watch(const void *page)
{
	self.watched = (u64)(uintptr_t)page;
	self.watched_writes = 0;
}

u64 self_watched_writes(void)
{
	return self.watched_writes;
}

/* A page within 2 GiB of the program, for instructions with RIP-relative operands. */
static u8 *near_code(void)
{
	u64 at = ((u64)(uintptr_t)&self & ~0xfffULL) - MIB(256);
	void *p = mmap((void *)(uintptr_t)at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

struct x86_vcpu *self_guest(void)
{
	struct gpa_slot all = {
		.gpa = 4096, .host = (u8 *)4096, .size = (1ULL << SPACE_BITS) - 4096};
	struct x86_vcpu *c;

	if (!(getauxval(AT_HWCAP2) & 2))
		return NULL;
	if (self.c)
		return self.c;
	all.page_flags = pages(1ULL << (SPACE_BITS - 12), PROT_READ | PROT_WRITE);
	if (gpa_slot_add(&self.map, &all))
		abort();
	c = self.c = pages(sizeof(*c), PROT_READ | PROT_WRITE);
	self.code = near_code();
	self.stack = (u64)(uintptr_t)pages(STACK_BYTES, PROT_READ | PROT_WRITE) + STACK_BYTES - 64;
	self.vm.map = &self.map;
	self.vm.ncpus = 1;
	self.vm.jit = jit_create(&self.vm, MIB(32));
	self.vm.jit->hot_visits = 0;
	c->vm = &self.vm;
	c->mode_key = X86_MODE_64 | X86_MMU_USER << 2 | X86_KEY_FLAT | X86_KEY_AVX |
		      X86_KEY_AVX512 | X86_KEY_CPL3 | X86_KEY_PAGING;
	c->mmu = X86_MMU_USER;
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		c->tlb_mask[m] = (X86_TLB_MAX - 1) * 16;
		c->tlb[m].rd[0].page = c->tlb[m].wr[0].page = X86_TLB_EMPTY;
	}
	c->rflags = 0x202;
	__asm__ volatile("rdfsbase %0" : "=r"(c->seg_base[X86_FS]));
	jit_vcpu_init(c);
	self.vm.vcpu[0] = c;
	return c;
}

uint64_t self_interpreted(void)
{
	return self.interpreted;
}

/* Padded: the decoder is handed the 15 bytes an instruction can have. */
static const u8 stop[16] = {0xcc};

uint64_t self_call(struct x86_vcpu *c, uint64_t (*fn)(uint64_t, uint64_t, uint64_t), uint64_t a,
		   uint64_t b, uint64_t c3)
{
	u64 sp = self.stack - 8;

	*(u64 *)(uintptr_t)sp = (u64)(uintptr_t)stop;
	c->gpr[X86_RSP] = sp;
	c->gpr[X86_RDI] = a;
	c->gpr[X86_RSI] = b;
	c->gpr[X86_RDX] = c3;
	c->rip = (u64)(uintptr_t)fn;
	c->kick = 0;
	while (!(c->kick & X86_KICK_EXIT)) {
		c->exc.pending = false;
		jit_run(c);
		if (c->exc.pending) {
			fprintf(stderr, "exception %u at %llx\n", c->exc.vector,
				(unsigned long long)c->rip);
			abort();
		}
	}
	return c->gpr[X86_RAX];
}

int x86_exec(struct x86_vcpu *c, const struct x86_insn *in)
{
	return x86_interp_step(c);
}
