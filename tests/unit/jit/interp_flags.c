/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integer instructions of the interpreter against the host CPU: the same bytes
 * run natively and interpreted, on random registers and flags. Flags that the
 * manual leaves undefined are masked out per snippet.
 */
#include "flat.h"
#include "tests/test.h"

struct regs {
	u64 r[8]; /* rax rcx rdx rbx rsi r8 r9 r10 */
	u64 flags;
};

static const u8 reg_no[8] = {X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSI, X86_R8, X86_R9, X86_R10};

void host_run(struct regs *r, const void *code);
__asm__(".text\nhost_run:\n"
	"push %rbx; push %rdi; push %rsi\n"
	"pushq 64(%rdi); popfq\n"
	"mov 0(%rdi),%rax; mov 8(%rdi),%rcx; mov 16(%rdi),%rdx; mov 24(%rdi),%rbx\n"
	"mov 32(%rdi),%rsi; mov 40(%rdi),%r8; mov 48(%rdi),%r9; mov 56(%rdi),%r10\n"
	"call *(%rsp)\n"
	"pushfq; pop %r11; pop %rdi; pop %rdi\n" /* drop code, get regs */
	"mov %rax,0(%rdi); mov %rcx,8(%rdi); mov %rdx,16(%rdi); mov %rbx,24(%rdi)\n"
	"mov %rsi,32(%rdi); mov %r8,40(%rdi); mov %r9,48(%rdi); mov %r10,56(%rdi)\n"
	"mov %r11,64(%rdi); pop %rbx; ret\n");

struct snippet {
	const char *text;
	const u8 *code, *end;
	u64 undef;
};

/* clang-format off */
#define SNIPPETS(X) \
	X(add64, "add rax, rbx", 0) X(add32, "add eax, ebx", 0) X(add16, "add ax, bx", 0) \
	X(add8, "add al, bh", 0) X(addi, "add rcx, -5", 0) X(adc64, "adc rax, rbx", 0) \
	X(adc8, "adc ah, bl", 0) X(sbb64, "sbb rax, rbx", 0) X(sbb32, "sbb eax, ebx", 0) \
	X(sbb8, "sbb al, bl", 0) X(sub16, "sub ax, bx", 0) X(cmp64, "cmp rax, rbx", 0) \
	X(cmp8, "cmp al, 0x80", 0) X(and64, "and rax, rbx", 0x10) X(or32, "or eax, ebx", 0x10) \
	X(xor16, "xor ax, bx", 0x10) X(test8, "test al, bl", 0x10) X(inc32, "inc eax", 0) \
	X(dec8, "dec bh", 0) X(neg64, "neg rax", 0) X(neg8, "neg al", 0) X(not32, "not eax", 0) \
	X(shl1, "shl rax, 1", 0x10) X(shlcl, "shl rax, cl", 0x810) X(shlcl32, "shl eax, cl", 0x810) \
	X(shlcl8, "shl al, cl", 0x811) X(shr1, "shr eax, 1", 0x10) X(shrcl, "shr rax, cl", 0x810) \
	X(sar1, "sar al, 1", 0x10) X(sarcl, "sar rax, cl", 0x810) X(sarcl16, "sar ax, cl", 0x811) \
	X(rol1, "rol rax, 1", 0) X(rolcl, "rol eax, cl", 0x800) X(ror8, "ror al, 3", 0x800) \
	X(ror1, "ror ax, 1", 0) X(rcl1, "rcl rax, 1", 0) X(rclcl, "rcl eax, cl", 0x800) \
	X(rcl8, "rcl al, cl", 0x800) X(rcr1, "rcr al, 1", 0) X(rcrcl, "rcr rax, cl", 0x800) \
	X(rcr16, "rcr ax, cl", 0x800) X(shld, "shld rax, rbx, cl", 0x810) \
	X(shld32, "shld eax, ebx, 7", 0x810) X(shld1, "shld eax, ebx, 1", 0x10) \
	X(shrd, "shrd rax, rbx, cl", 0x810) X(shrd16, "shrd ax, bx, 5", 0x810) \
	X(mul64, "mul rbx", 0xd4) X(mul8, "mul bl", 0xd4) X(imul32, "imul ebx", 0xd4) \
	X(imul8, "imul bl", 0xd4) X(imul2, "imul rax, rbx", 0xd4) X(imul3, "imul ax, bx, -300", 0xd4) \
	X(div64, "or rbx, 1; xor edx, edx; div rbx", 0x8d5) \
	X(div64w, "mov edx, edx; bts rbx, 40; div rbx", 0x8d5) \
	X(div8, "and ax, 255; or bl, 1; div bl", 0x8d5) \
	X(idiv32, "or ebx, 2; cdq; shr ebx, 1; or ebx, 1; idiv ebx", 0x8d5) \
	X(idiv64, "shr rbx, 2; or rbx, 1; cqo; idiv rbx", 0x8d5) \
	X(bt64, "bt rax, rbx", 0x894) X(bts32, "bts eax, ebx", 0x894) X(btr16, "btr ax, 9", 0x894) \
	X(btc64, "btc rax, rcx", 0x894) X(bsf, "bsf rax, rbx", 0x895) X(bsr32, "or ebx, 16; bsr eax, ebx", 0x895) \
	X(tzcnt, "tzcnt rax, rbx", 0x894) X(lzcnt32, "lzcnt eax, ebx", 0x894) \
	X(tzcnt16, "xor bl, bl; tzcnt ax, bx", 0x894) X(popcnt, "popcnt rax, rbx", 0) \
	X(bswap, "bswap rax", 0) X(bswap32, "bswap ebx", 0) X(crc8, "crc32 eax, bl", 0) \
	X(crc64, "crc32 rax, rbx", 0) X(andn, "andn rax, rbx, rcx", 0x14) \
	X(bextr, "bextr eax, ebx, ecx", 0x94) X(blsi, "blsi rax, rbx", 0x14) \
	X(blsr, "blsr eax, ebx", 0x14) X(blsmsk, "blsmsk rax, rbx", 0x14) \
	X(bzhi, "bzhi rax, rbx, rcx", 0x14) X(pdep, "pdep rax, rbx, rcx", 0) \
	X(pext, "pext eax, ebx, ecx", 0) X(mulx, "mulx rax, r8, rbx", 0) \
	X(rorx, "rorx rax, rbx, 13", 0) X(sarx, "sarx eax, ebx, ecx", 0) \
	X(shlx, "shlx rax, rbx, rcx", 0) X(shrx, "shrx rax, rbx, rcx", 0) \
	X(adcx, "adcx rax, rbx", 0) X(adox, "adox eax, ebx", 0) \
	X(movzx, "movzx eax, bl", 0) X(movsx, "movsx rax, bx", 0) X(movsxd, "movsxd rax, ebx", 0) \
	X(cbw, "cbw", 0) X(cwde, "cwde", 0) X(cdqe, "cdqe", 0) X(cwd, "cwd", 0) X(cqo, "cqo", 0) \
	X(cmovl, "cmovl rax, rbx", 0) X(cmovbe, "cmovbe eax, ebx", 0) X(cmovp, "cmovp ax, bx", 0) \
	X(setg, "setg al", 0) X(setno, "setno bh", 0) X(lahf, "lahf", 0) X(sahf, "sahf", 0) \
	X(cmc, "cmc", 0) X(stc, "stc", 0) X(clc, "clc", 0) X(xchg, "xchg rax, rbx", 0) \
	X(xchg8, "xchg al, bh", 0) X(xadd, "xadd rax, rbx", 0) X(xaddself, "xadd eax, eax", 0) \
	X(cmpxchg, "cmpxchg rbx, rcx", 0) X(cmpxchg32, "mov ebx, eax; cmpxchg ebx, ecx", 0) \
	X(cmpxchg32n, "cmpxchg ebx, ecx", 0) X(lea, "lea rax, [rbx+rcx*4+123]", 0) \
	X(lea32, "lea eax, [ebx+ecx*8-7]", 0) X(lea16, "lea ax, [rbx+rcx]", 0) \
	X(jcc, "cmp rax, rbx; jl 1f; mov ecx, 5; 1: jp 2f; inc rdx; 2: nop", 0) \
	X(loop, "and ecx, 15; inc ecx; 1: add rax, rbx; loop 1b", 0) \
	X(jrcxz, "and ecx, 1; jrcxz 1f; xor rax, rbx; 1: nop", 0x10) \
	X(call, "call 1f; add rax, 3; jmp 2f; 1: lea rbx, [rbx+1]; ret; 2: nop", 0) \
	X(stack, "push rax; push rbx; pop rax; pop rbx; push -3; pop rcx", 0) \
	X(push16, "push ax; push bx; pop cx; pop dx", 0) \
	X(enter, "push rbp; enter 16, 0; mov [rbp-8], rax; mov rbx, [rbp-8]; leave; pop rbp", 0) \
	X(memop, "push rax; add qword ptr [rsp], rbx; adc byte ptr [rsp+1], 7; pop rax", 0) \
	X(memlock, "push rax; lock xadd [rsp], rbx; lock btc dword ptr [rsp], 3; lock not word ptr [rsp]; pop rax", 0x894) \
	X(movbe, "push rbx; movbe rax, [rsp]; movbe [rsp], cx; pop rbx", 0) \
	X(cx8, "push rcx; mov r8, rbx; mov ebx, eax; lock cmpxchg8b [rsp]; mov rbx, r8; pop rcx", 0) \
	X(bitstr, "push rax; push rbx; and ecx, 127; bts [rsp], rcx; pop rbx; pop rax", 0x894)
/* clang-format on */

#define DEFINE(name, text, undef) FLAT_ASM(sn_##name, text "\nret\nhlt")
SNIPPETS(DEFINE)

static const struct snippet snippets[] = {
#define ROW(name, text, undef) {text, sn_##name##_start, sn_##name##_end, undef},
	SNIPPETS(ROW)};

static u64 seed = 0x1234567;

static u64 rnd(void)
{
	u64 x = seed += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static u64 rnd_value(void)
{
	static const u64 special[] = {0,	  1,	      0x7f,	    0x80,
				      0xff,	  0x7fff,     0x8000,	    0x7fffffff,
				      0x80000000, 0xffffffff, ~0ULL >> 1,   1ULL << 63,
				      ~0ULL,	  15,	      0x5555555555, 63};
	u64 r = rnd();

	return r & 3 ? rnd() : special[r >> 8 & 15];
}

static struct flat *f;

/* Interpret the snippet, called like a function, until it returns to the hlt. */
static bool interp_run(const struct snippet *s, struct regs *r)
{
	size_t size = (size_t)(s->end - s->code);

	flat_load(f, s->code, size);
	for (unsigned i = 0; i < 8; i++)
		f->c->gpr[reg_no[i]] = r->r[i];
	f->c->rflags = (r->flags & X86_F_STATUS) | RF_FIXED;
	f->c->gpr[X86_RSP] -= 8;
	*(u64 *)(f->ram + f->c->gpr[X86_RSP]) = FLAT_CODE + size - 1;
	if (flat_run(f, 200) != 0)
		return false;
	for (unsigned i = 0; i < 8; i++)
		r->r[i] = f->c->gpr[reg_no[i]];
	r->flags = f->c->rflags;
	return f->c->gpr[X86_RSP] == FLAT_STACK;
}

static bool same(const struct snippet *s, const struct regs *a, const struct regs *b)
{
	u64 mask = X86_F_STATUS & ~s->undef;

	return !memcmp(a->r, b->r, sizeof(a->r)) && !((a->flags ^ b->flags) & mask);
}

static void t_snippets(void)
{
	f = flat_create();
	CHECK(f);
	for (unsigned i = 0; i < ARRAY_LEN(snippets); i++) {
		const struct snippet *s = &snippets[i];

		for (unsigned k = 0; k < 500; k++) {
			struct regs in, a, b;

			for (unsigned j = 0; j < 8; j++)
				in.r[j] = rnd_value();
			in.flags = (rnd() & X86_F_STATUS) | RF_FIXED;
			a = b = in;
			host_run(&a, s->code);
			if (interp_run(s, &b) && same(s, &a, &b))
				continue;
			snprintf(test_state.why, sizeof(test_state.why),
				 "%s: host rax %" PRIx64 " rbx %" PRIx64 " fl %" PRIx64
				 ", hull rax %" PRIx64 " rbx %" PRIx64 " fl %" PRIx64
				 "; from rax %" PRIx64 " rbx %" PRIx64 " rcx %" PRIx64
				 " fl %" PRIx64 " exc %d",
				 s->text, a.r[0], a.r[3], a.flags, b.r[0], b.r[3], b.flags, in.r[0],
				 in.r[3], in.r[1], in.flags,
				 f->c->exc.pending ? f->c->exc.vector : -1);
			printf("# %s\n", test_state.why);
			break;
		}
	}
	flat_destroy(f);
}

int main(void)
{
	RUN(t_snippets);
	return test_done();
}
