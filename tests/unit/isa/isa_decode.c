// SPDX-License-Identifier: Apache-2.0
/*
 * Hand-picked encodings in all modes: text, length, operands, flags, and what
 * must be rejected.
 */
#include "isa/x86/insn.h"
#include "isa/x86/ops.h"
#include "tests/test.h"

static struct x86_insn in;

/* Decode a hex string such as "48 89 d8". */
static int dec(enum x86_mode mode, const char *hex)
{
	u8 b[32];
	unsigned n = 0, v;
	int used;

	while (n < sizeof(b) && sscanf(hex, "%2x%n", &v, &used) == 1) {
		b[n++] = v;
		hex += used;
	}
	return x86_decode(&in, mode, b, n);
}

/* The text of an encoding, or "(error)". */
static const char *dis(enum x86_mode mode, const char *hex)
{
	static char buf[128];

	if (dec(mode, hex))
		return "(error)";
	x86_disasm(&in, 0x1000, buf, sizeof(buf));
	return buf;
}

struct text_case {
	enum x86_mode mode;
	const char *hex, *text;
};

/* clang-format off */
static const struct text_case texts[] = {
	{X86_MODE_64, "4889d8", "mov    rax,rbx"},
	{X86_MODE_64, "88e0", "mov    al,ah"},
	{X86_MODE_64, "4088e0", "mov    al,spl"},
	{X86_MODE_64, "48b8efcdab8967452301", "mov    rax,0x123456789abcdef"},
	{X86_MODE_64, "8b0544332211", "mov    eax,DWORD PTR [rip+0x11223344]"},
	{X86_MODE_64, "678b042500100000", "mov    eax,DWORD PTR [0x1000]"},
	{X86_MODE_64, "2e8b03", "mov    eax,DWORD PTR [rbx]"},
	{X86_MODE_64, "648b03", "mov    eax,DWORD PTR fs:[rbx]"},
	{X86_MODE_64, "4a8d44a508", "lea    rax,[rbp+r12*4+0x8]"},
	{X86_MODE_64, "66e800000000", "call   0x1006"},
	{X86_MODE_64, "eb fe", "jmp    0x1000"},
	{X86_MODE_64, "63c3", "movsxd eax,ebx"},
	{X86_MODE_32, "63c3", "arpl   bx,ax"},
	{X86_MODE_32, "40", "inc    eax"},
	{X86_MODE_32, "c500", "lds    eax,FWORD PTR [eax]"},
	{X86_MODE_32, "9a112233445566", "callf  0x6655,0x44332211"},
	{X86_MODE_16, "8b4702", "mov    ax,WORD PTR [bx+0x2]"},
	{X86_MODE_16, "8b02", "mov    ax,WORD PTR [bp+si]"},
	{X86_MODE_16, "668b061234", "mov    eax,DWORD PTR [0x3412]"},
	{X86_MODE_16, "67668b4304", "mov    eax,DWORD PTR [ebx+0x4]"},
	{X86_MODE_16, "e3fe", "jcxz   0x1000"},
	{X86_MODE_16, "98", "cbw"},
	{X86_MODE_64, "4898", "cdqe"},
	{X86_MODE_64, "90", "nop"},
	{X86_MODE_64, "4190", "xchg   r8d,eax"},
	{X86_MODE_64, "f390", "pause"},
	{X86_MODE_64, "d1d2", "rcl    edx,0x1"},
	{X86_MODE_64, "f30f1efa", "endbr64"},
	{X86_MODE_64, "f3a4", "rep movs   BYTE PTR es:[rdi],BYTE PTR ds:[rsi]"},
	{X86_MODE_64, "f30fb8c1", "popcnt eax,ecx"},
	{X86_MODE_64, "66f20f38f1c1", "crc32  eax,cx"},
	{X86_MODE_64, "66f30f10c1", "movss  xmm0,xmm1"},
	{X86_MODE_64, "f266440f1000", "movsd  xmm8,QWORD PTR [rax]"},
	{X86_MODE_64, "c5f058c2", "vaddps xmm0,xmm1,xmm2"},
	{X86_MODE_64, "c4e2f198c2", "vfmadd132pd xmm0,xmm1,xmm2"},
	{X86_MODE_64, "62f174485842 01", "vaddps zmm0,zmm1,ZMMWORD PTR [rdx+0x40]"},
	{X86_MODE_64, "62f174d95842 01", "vaddps zmm0{k1}{z},zmm1,DWORD PTR [rdx+0x4]{1to16}"},
	{X86_MODE_64, "62b17c4058c9", "vaddps zmm1,zmm16,zmm17"},
	{X86_MODE_64, "d9e8", "fld1"},
	{X86_MODE_64, "dec1", "faddp  st(1),st(0)"},
	{X86_MODE_64, "0f20c0", "mov    rax,cr0"},
	{X86_MODE_64, "440f22c0", "mov    cr8,rax"},
};
/* clang-format on */

static void t_text(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		char hex[64], *o = hex;
		const char *got;

		for (const char *p = texts[i].hex; *p; p++)
			if (*p != ' ')
				*o++ = *p;
		*o = 0;
		got = dis(texts[i].mode, hex);
		if (strcmp(got, texts[i].text))
			printf("# %s: got \"%s\", expected \"%s\"\n", hex, got, texts[i].text);
		CHECK(!strcmp(got, texts[i].text));
		CHECK_EQ(in.len, strlen(hex) / 2);
	}
}

static void t_undefined(void)
{
	static const struct {
		enum x86_mode mode;
		const char *hex;
	} ud[] = {
		{X86_MODE_64, "06"},		 /* push es */
		{X86_MODE_64, "f089d8"},	 /* lock mov */
		{X86_MODE_64, "f001d8"},	 /* lock add to a register */
		{X86_MODE_64, "f00303"},	 /* lock add from memory */
		{X86_MODE_64, "f0833b00"},	 /* lock cmp */
		{X86_MODE_64, "66c5f058c2"},	 /* 66 before VEX */
		{X86_MODE_64, "48c5f058c2"},	 /* REX before VEX */
		{X86_MODE_64, "c5f010c1"},	 /* vmovups with vvvv used */
		{X86_MODE_64, "c5fc6ec1"},	 /* vmovd with L1 */
		{X86_MODE_64, "62f17cd858c2"},	 /* {z} without mask */
		{X86_MODE_64, "8ec8"},		 /* mov cs */
		{X86_MODE_64, "8ef8"},		 /* mov to segment 7 */
		{X86_MODE_64, "0f20c8"},	 /* cr1 */
		{X86_MODE_64, "8fe97800c0"},	 /* XOP */
		{X86_MODE_64, "c4e26992140a"},	 /* gather, destination == mask */
		{X86_MODE_64, "62f27d48920408"}, /* gather without mask */
	};

	for (unsigned i = 0; i < ARRAY_LEN(ud); i++) {
		if (dec(ud[i].mode, ud[i].hex) != X86_DECODE_UD)
			printf("# %s\n", ud[i].hex);
		CHECK_EQ(dec(ud[i].mode, ud[i].hex), X86_DECODE_UD);
	}
	CHECK_EQ(dec(X86_MODE_64, "0f0b"), 0); /* ud2 has a row */
	CHECK_EQ(in.row->cls, X86_C_UD);
}

static void t_lengths(void)
{
	/* Too few bytes, and too many. */
	CHECK_EQ(dec(X86_MODE_64, "48"), X86_DECODE_SHORT);
	CHECK_EQ(dec(X86_MODE_64, "48b8112233"), X86_DECODE_SHORT);
	CHECK_EQ(dec(X86_MODE_64, "666666666666666666666666666690"), 0);
	CHECK_EQ(dec(X86_MODE_64, "66666666666666666666666666666690"), X86_DECODE_LONG);
	CHECK_EQ(dec(X86_MODE_64, "2e2e2e2e2e2e2e2e2e2e2ec7050000000000000000"), X86_DECODE_LONG);
}

static void t_offsets(void)
{
	CHECK_EQ(dec(X86_MODE_64, "6648c7842411223344aabbccdd"), 0);
	CHECK_EQ(in.opsize, 8);
	CHECK_EQ(in.pfx_len, 1);
	CHECK_EQ(in.op_off, 2);
	CHECK_EQ(in.modrm_off, 3);
	CHECK_EQ(in.disp_off, 5);
	CHECK_EQ(in.disp_size, 4);
	CHECK_EQ(in.imm_off, 9);
	CHECK_EQ(in.imm, (s64)(s32)0xddccbbaa);
	CHECK_EQ(in.mem_base, 4);
	CHECK_EQ(in.mem_index, X86_REG_NONE);
	CHECK_EQ(in.seg, 2);
	/* A REX not directly before the opcode is dropped. */
	CHECK_EQ(dec(X86_MODE_64, "486689d8"), 0);
	CHECK_EQ(in.rex, 0);
	CHECK_EQ(in.opsize, 2);
}

static void t_flags(void)
{
	CHECK_EQ(dec(X86_MODE_64, "ffc0"), 0); /* inc keeps CF */
	CHECK_EQ(in.row->f_written, X86_F_STATUS & ~X86_F_CF);
	CHECK_EQ(dec(X86_MODE_64, "d3e0"), 0); /* shl eax,cl may keep all */
	CHECK_EQ(in.row->f_read, X86_F_STATUS);
	CHECK_EQ(dec(X86_MODE_64, "c1e003"), 0);
	CHECK_EQ(in.row->f_read, 0);
	CHECK_EQ(in.row->f_written, X86_F_STATUS);
	CHECK_EQ(dec(X86_MODE_64, "c1e020"), 0); /* count 32 is 0 */
	CHECK_EQ(in.row->f_written, 0);
	CHECK_EQ(dec(X86_MODE_64, "48c1e020"), 0);
	CHECK_EQ(in.row->f_written, X86_F_STATUS);
	CHECK_EQ(dec(X86_MODE_64, "0f44c1"), 0);
	CHECK_EQ(in.row->f_read, X86_F_ZF);
	for (unsigned i = 0; i < x86_nrows; i++)
		CHECK_EQ(x86_rows[i].f_undef & ~x86_rows[i].f_written, 0);
}

static void t_implicit(void)
{
	CHECK_EQ(dec(X86_MODE_64, "50"), 0);
	CHECK_EQ(in.nopnds, 2);
	CHECK_EQ(in.opnd[1].kind, X86_OPND_MEM);
	CHECK_EQ(in.opnd[1].size, 8);
	CHECK_EQ(in.opnd[1].write, 1);
	CHECK_EQ(in.row->flags & (X86_R_IMPLICIT_MEM | X86_R_IMPLICIT_RSP),
		 X86_R_IMPLICIT_MEM | X86_R_IMPLICIT_RSP);
	CHECK_EQ(dec(X86_MODE_64, "48f7e1"), 0);
	CHECK_EQ(in.row->gpr_read, 1);
	CHECK_EQ(in.row->gpr_write, 5);
	CHECK_EQ(dec(X86_MODE_64, "0fc70e"), 0);
	CHECK_EQ(in.opnd[0].size, 8);
	CHECK_EQ(dec(X86_MODE_64, "480fc70e"), 0);
	CHECK_EQ(in.opnd[0].size, 16);
	CHECK_EQ(in.row->op, X86_OP_CMPXCHG16B);
	/* Legacy 16-byte operands must be aligned, unaligned moves and VEX not. */
	CHECK_EQ(dec(X86_MODE_64, "0f5800"), 0);
	CHECK(in.row->flags & X86_R_MEM_ALIGN);
	CHECK_EQ(dec(X86_MODE_64, "0f1000"), 0);
	CHECK(!(in.row->flags & X86_R_MEM_ALIGN));
	CHECK_EQ(dec(X86_MODE_64, "c5f85800"), 0);
	CHECK(!(in.row->flags & X86_R_MEM_ALIGN));
}

int main(void)
{
	RUN(t_text);
	RUN(t_undefined);
	RUN(t_lengths);
	RUN(t_offsets);
	RUN(t_flags);
	RUN(t_implicit);
	return test_done();
}
