/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector and x87 instructions of the interpreter: natively run stubs, FP
 * exceptions, masked accesses over broken pages, gathers, state images.
 */
#include "flat.h"
#include "tests/test.h"

#define PAGE_B (FLAT_DATA + 0x2000)

static u64 *gpr(struct flat *f, unsigned r)
{
	return &f->c->gpr[r];
}

#define RUN_OK(f, name)                                                                            \
	do {                                                                                       \
		FLAT_LOAD(f, name);                                                                \
		if (flat_run(f, 200)) {                                                            \
			printf("# exception %d at +0x%x\n", (f)->c->exc.vector,                    \
			       (unsigned)(f->c->rip - FLAT_CODE));                                 \
			CHECK(!"runs to its hlt");                                                 \
		}                                                                                  \
	} while (0)

#define RUN_FAULT(f, name, vec, offset)                                                            \
	do {                                                                                       \
		FLAT_LOAD(f, name);                                                                \
		CHECK_EQ(flat_run(f, 200), -1);                                                    \
		CHECK_EQ((f)->c->exc.vector, vec);                                                 \
		CHECK_EQ((f)->c->rip, FLAT_CODE + (offset));                                       \
	} while (0)

FLAT_ASM(sse, "cvtsi2sd xmm0, rax; sqrtsd xmm1, xmm0; addsd xmm1, xmm1; cvttsd2si rcx, xmm1;"
	      "movq [rbx], xmm1; mulsd xmm1, [rbx]; cvtsd2si esp, xmm1; movd r9d, xmm1;"
	      "movq r12, xmm0; comisd xmm1, xmm0; setb dl; pextrw ebp, xmm0, 3; movmskpd r8d, xmm0;"
	      "mov r10d, 77; pinsrd xmm2, r10d, 1; pextrd [rbx+8], xmm2, 1; hlt")
FLAT_ASM(x87, "fninit; fldpi; fld1; faddp; fistp dword ptr [rbx]; fild word ptr [rbx]; fld st(0);"
	      "fmulp; fstp tbyte ptr [rbx+16]; fnstsw ax; fld1; fldz; fucomip st, st(1);"
	      "setb cl; fcmovb st, st(0); fnstcw [rbx+4]; hlt")
FLAT_ASM(avx, "vmovups ymm0, [rbx]; vaddps ymm1, ymm0, [rbx]; vmovups [rbx+32], ymm1;"
	      "vpmovmskb eax, ymm1; vptest ymm1, ymm1; setz dl; vblendvps xmm14, xmm0, xmm1, xmm15;"
	      "vmovd r11d, xmm1; vzeroupper; hlt")

static void t_native(void)
{
	struct flat *f = flat_create();

	CHECK(f);
	*gpr(f, X86_RAX) = 625;
	*gpr(f, X86_RBX) = FLAT_DATA;
	RUN_OK(f, sse);
	CHECK_EQ(*gpr(f, X86_RCX), 50);
	CHECK_EQ(*gpr(f, X86_RSP), 2500);
	CHECK_EQ((u8)*gpr(f, X86_RDX), 0);
	CHECK_EQ(*gpr(f, X86_R12), 0x4083880000000000);
	CHECK_EQ(*gpr(f, X86_RBP), 0x4083);
	CHECK_EQ(load_le32(f->ram + FLAT_DATA + 8), 77);
	RUN_OK(f, x87);
	CHECK_EQ(load_le32(f->ram + FLAT_DATA), 4);
	CHECK_EQ(load_le64(f->ram + FLAT_DATA + 16), 0x8000000000000000);
	CHECK_EQ(load_le16(f->ram + FLAT_DATA + 24), 0x4003);
	CHECK_EQ((u16)*gpr(f, X86_RAX), 0x20);
	CHECK_EQ((u8)*gpr(f, X86_RCX), 1);
	CHECK_EQ(load_le16(f->ram + FLAT_DATA + 4), 0x37f);
	if (f->c->mode_key & X86_KEY_AVX) {
		for (unsigned i = 0; i < 8; i++)
			store_le32(f->ram + FLAT_DATA + i * 4, 0x3f800000);
		RUN_OK(f, avx);
		CHECK_EQ(load_le32(f->ram + FLAT_DATA + 60), 0x40000000);
		CHECK_EQ(*gpr(f, X86_R11), 0x40000000);
	}
	flat_destroy(f);
}

FLAT_ASM(xm, "mov dword ptr [rbx], 0x1d00; ldmxcsr [rbx]; xorps xmm1, xmm1; movq xmm0, rax;"
	     "divsd xmm0, xmm1; hlt")
FLAT_ASM(mxcsr_bad, "mov dword ptr [rbx], 0x1f80; ldmxcsr [rbx]; mov word ptr [rbx+2], 0xfff0;"
		    "ldmxcsr [rbx]; hlt")
FLAT_ASM(mf, "fninit; mov word ptr [rbx], 0x37b; fldcw [rbx]; fld1; fldz; fdivp; fnstsw ax; nop;"
	     "fld1; hlt")
FLAT_ASM(align, "movaps xmm0, [rbx+1]; hlt")
FLAT_ASM(ts, "addps xmm0, xmm0; hlt")
FLAT_ASM(ts87, "fld1; hlt")

static void t_exceptions(void)
{
	struct flat *f = flat_create();
	u8 mxcsr[4];

	CHECK(f);
	*gpr(f, X86_RAX) = 0x3ff0000000000000;
	*gpr(f, X86_RBX) = FLAT_DATA;
	for (unsigned i = 0; i < 100; i++) /* signals, again and again */
		RUN_FAULT(f, xm, X86_XM, xm_end - xm_start - 5);
	x86_fpu_park(f->c);
	memcpy(mxcsr, f->c->xsave + 24, 4);
	CHECK_EQ(load_le32(mxcsr), 0x1d04);
	f->c->cr4 &= ~0x400ull;
	RUN_FAULT(f, xm, X86_UD, xm_end - xm_start - 5);
	RUN_FAULT(f, mxcsr_bad, X86_GP, mxcsr_bad_end - mxcsr_bad_start - 4);
	RUN_FAULT(f, mf, X86_MF, mf_end - mf_start - 3);
	CHECK_EQ(*gpr(f, X86_RAX) & 0x8084, 0x8084);
	RUN_FAULT(f, align, X86_GP, 0);
	f->c->cr0 |= 8;
	RUN_FAULT(f, ts, X86_NM, 0);
	RUN_FAULT(f, ts87, X86_NM, 0);
	f->c->cr0 ^= 8 | 4;
	RUN_FAULT(f, ts, X86_UD, 0);
	RUN_FAULT(f, ts87, X86_NM, 0);
	f->c->cr0 ^= 4;
	f->c->mode_key &= ~X86_KEY_AVX;
	RUN_FAULT(f, avx, X86_UD, 0);
	flat_destroy(f);
}

FLAT_ASM(maskmov, "vpcmpeqd xmm1, xmm1, xmm1; vpsrldq xmm1, xmm1, 8; vpmaskmovd xmm0, xmm1, [rbx];"
		  "vpmaskmovd [rbx], xmm1, xmm1; hlt")
FLAT_ASM(masked512, "mov eax, 0xff; kmovw k1, eax; vmovdqu32 zmm0{k1}{z}, [rbx];"
		    "vpaddd zmm1{k1}, zmm0, [rbx]; vmovdqu32 [rbx]{k1}, zmm1; kmovw ecx, k1; hlt")
FLAT_ASM(masked512_bad, "mov eax, 0x1ff; kmovw k1, eax; vmovdqu32 zmm0{k1}{z}, [rbx]; hlt")
FLAT_ASM(maskmovdqu, "pcmpeqd xmm1, xmm1; psrldq xmm1, 12; movdqa xmm2, xmm1;"
		     "mov rdi, rbx; maskmovdqu xmm1, xmm2; hlt")

static void t_masked(void)
{
	struct flat *f = flat_create();
	u8 *b;

	CHECK(f);
	if (!(f->c->mode_key & X86_KEY_AVX)) {
		flat_destroy(f);
		SKIP("no AVX");
	}
	/* The masked-off upper half lies in a page that is not there. */
	flat_set_page(f, PAGE_B, FLAT_NONE);
	b = f->ram + PAGE_B - 8;
	store_le64(b, 0x0000000200000001);
	*gpr(f, X86_RBX) = PAGE_B - 8;
	RUN_OK(f, maskmov);
	CHECK_EQ(load_le64(b), ~0ULL);
	*gpr(f, X86_RBX) = PAGE_B - 4;
	RUN_FAULT(f, maskmov, X86_PF, 9);
	CHECK_EQ(f->c->cr2, PAGE_B);
	*gpr(f, X86_RBX) = PAGE_B - 16;
	store_le64(b - 8, 0);
	RUN_OK(f, maskmovdqu);
	CHECK_EQ(load_le64(b - 8), 0xffffffff);
	flat_destroy(f);
}

static void t_masked512(void)
{
	struct flat *f = flat_create();
	u8 *b;

	CHECK(f);
	if (!(f->c->mode_key & X86_KEY_AVX512)) {
		flat_destroy(f);
		SKIP("no AVX-512");
	}
	flat_set_page(f, PAGE_B, FLAT_NONE);
	b = f->ram + PAGE_B - 32;
	for (unsigned i = 0; i < 8; i++)
		store_le32(b + 4 * i, i + 1);
	*gpr(f, X86_RBX) = PAGE_B - 32;
	RUN_OK(f, masked512);
	CHECK_EQ(load_le32(b + 28), 16);
	CHECK_EQ(*gpr(f, X86_RCX), 0xff);
	f->c->cr2 = 0;
	RUN_FAULT(f, masked512_bad, X86_PF, masked512_bad_end - masked512_bad_start - 7);
	CHECK_EQ(f->c->cr2, PAGE_B);
	flat_destroy(f);
}

FLAT_ASM(gather,
	 "vpcmpeqd ymm2, ymm2, ymm2; vmovdqu ymm1, [rbx]; vpgatherdd ymm0, [rbx+ymm1*4+32], ymm2;"
	 "vmovdqu [rbx+32], ymm0; vmovmskps eax, ymm2; hlt")
FLAT_ASM(gather_host,
	 "push rbp; mov rbp, rsp; vpcmpeqd ymm2, ymm2, ymm2; vmovdqu ymm1, [rdi];"
	 "vpgatherdd ymm0, [rdi+ymm1*4+32], ymm2; vmovdqu [rsi], ymm0; vzeroupper; leave; ret")
FLAT_ASM(scatter, "mov eax, 0x5; kmovw k3, eax; vmovdqu64 zmm17, [rbx]; vmovdqu64 zmm30, [rbx+64];"
		  "vpscatterqq [rdx+zmm17*8]{k3}, zmm30; kmovw ecx, k3; hlt")

static void t_gather(void)
{
	struct flat *f = flat_create();
	u8 want[32], *d;

	CHECK(f);
	if (!(f->c->mode_key & X86_KEY_AVX)) {
		flat_destroy(f);
		SKIP("no AVX");
	}
	d = f->ram + FLAT_DATA;
	for (unsigned i = 0; i < 64; i++)
		store_le32(d + 32 + 4 * i, 1000 + i);
	for (unsigned i = 0; i < 8; i++)
		store_le32(d + 4 * i, (i * 5) & 31);
	((void (*)(void *, void *))(uintptr_t)gather_host_start)(d, want);
	*gpr(f, X86_RBX) = FLAT_DATA;
	RUN_OK(f, gather);
	CHECK(!memcmp(d + 32, want, 32));
	CHECK_EQ(*gpr(f, X86_RAX), 0);
	/* An index into a missing page: the elements before it are done. */
	flat_set_page(f, PAGE_B, FLAT_NONE);
	store_le32(d + 12, (PAGE_B - FLAT_DATA - 32) / 4);
	RUN_FAULT(f, gather, X86_PF, 8);
	CHECK_EQ(f->c->cr2, PAGE_B);
	flat_set_page(f, PAGE_B, FLAT_RW);
	CHECK_EQ(flat_run(f, 5), 0);
	CHECK_EQ(load_le32(d + 32 + 8), load_le32(want + 8));
	if (f->c->mode_key & X86_KEY_AVX512) {
		for (unsigned i = 0; i < 8; i++)
			store_le64(d + 8 * i, i * 3);
		for (unsigned i = 0; i < 8; i++)
			store_le64(d + 64 + 8 * i, 70 + i);
		*gpr(f, X86_RDX) = FLAT_DATA + 0x800;
		RUN_OK(f, scatter);
		CHECK_EQ(load_le64(d + 0x800), 70);
		CHECK_EQ(load_le64(d + 0x800 + 24), 0);
		CHECK_EQ(load_le64(d + 0x800 + 48), 72);
		CHECK_EQ(*gpr(f, X86_RCX), 0);
	}
	flat_destroy(f);
}

FLAT_ASM(images, "fninit; fld1; fldpi; movq xmm1, rsi; movq xmm9, rsi; fxsave [rbx]; fninit;"
		 "pxor xmm1, xmm1; pxor xmm9, xmm9; fxrstor [rbx]; movq r8, xmm1; movq r9, xmm9;"
		 "fstp qword ptr [rbx+0x300]; mov eax, -1; mov edx, eax; xsave [rbx+0x400]; fninit;"
		 "pxor xmm9, xmm9; mov eax, -1; mov edx, eax; xrstor [rbx+0x400]; movq r10, xmm9;"
		 "fstp qword ptr [rbx+0x308]; mov eax, 3; xor edx, edx; xsavec [rbx+0x1000];"
		 "mov eax, 2; pxor xmm9, xmm9; xrstor [rbx+0x1000]; movq r11, xmm9; hlt")
FLAT_ASM(xrstor_bad, "mov eax, -1; mov edx, eax; xrstor [rbx]; hlt")
FLAT_ASM(fenv, "fninit; fld1; fnstenv [rbx]; fnsave [rbx+64]; frstor [rbx+64]; fldenv [rbx];"
	       "fstp qword ptr [rbx+256]; hlt")

static void t_images(void)
{
	struct flat *f = flat_create();
	u8 *d;

	CHECK(f);
	d = f->ram + FLAT_DATA;
	*gpr(f, X86_RSI) = 0x1122334455667788;
	*gpr(f, X86_RBX) = FLAT_DATA;
	RUN_OK(f, images);
	for (unsigned r = X86_R8; r <= X86_R11; r++)
		CHECK_EQ(*gpr(f, r), 0x1122334455667788);
	CHECK_EQ(load_le64(d + 0x300), 0x400921fb54442d18);
	CHECK_EQ(load_le64(d + 0x308), 0x3ff0000000000000);
	CHECK_EQ(load_le64(d + 0x400 + 512) & 3, 3);
	CHECK_EQ(load_le64(d + 0x400 + 520), 0);
	CHECK_EQ(load_le64(d + 0x1000 + 520), 1ULL << 63 | 3);
	CHECK_EQ(load_le64(d + 8), 0); /* no host address leaks */
	store_le64(d + 0x400 + 520, 5);
	*gpr(f, X86_RBX) = FLAT_DATA + 0x400;
	RUN_FAULT(f, xrstor_bad, X86_GP, xrstor_bad_end - xrstor_bad_start - 4);
	store_le64(d + 0x400 + 520, 0);
	store_le64(d + 0x400 + 512, 1ULL << 40);
	RUN_FAULT(f, xrstor_bad, X86_GP, xrstor_bad_end - xrstor_bad_start - 4);
	*gpr(f, X86_RBX) = FLAT_DATA + 0x404;
	RUN_FAULT(f, xrstor_bad, X86_GP, xrstor_bad_end - xrstor_bad_start - 4);
	*gpr(f, X86_RBX) = FLAT_DATA;
	RUN_OK(f, fenv);
	CHECK_EQ(load_le64(d + 256), 0x3ff0000000000000);
	CHECK_EQ(load_le32(d + 12), 0);
	flat_destroy(f);
}

FLAT_ASM_MODE(vex32, "code32",
	      "vmovd xmm1, eax; .byte 0xc4, 0xe1, 0xf9, 0x6e, 0xd0; vpaddd xmm3, xmm1, xmm2;"
	      "vmovd ecx, xmm3; movd xmm4, [ebx]; fld1; fistp dword ptr [ebx]; hlt")

static void t_32bit(void)
{
	struct flat *f = flat_create();

	CHECK(f);
	flat_mode(f, X86_MODE_32);
	if (!(f->c->mode_key & X86_KEY_AVX))
		SKIP("no AVX");
	*gpr(f, X86_RAX) = 0xffffffff00000004;
	*gpr(f, X86_RBX) = FLAT_DATA;
	RUN_OK(f, vex32);
	CHECK_EQ(*gpr(f, X86_RCX), 8);
	CHECK_EQ(load_le32(f->ram + FLAT_DATA), 1);
	flat_destroy(f);
}

int main(void)
{
	RUN(t_native);
	RUN(t_exceptions);
	RUN(t_masked);
	RUN(t_masked512);
	RUN(t_gather);
	RUN(t_images);
	RUN(t_32bit);
	return test_done();
}
