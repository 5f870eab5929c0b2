/* SPDX-License-Identifier: Apache-2.0 */
/* The emitter, byte for byte (checked once against an assembler). */
#include "engine/jit/host/x86_64/emit.h"

#include "tests/test.h"

static u8 buf[256];
static struct emit e;

static void start(void)
{
	memset(buf, 0, sizeof(buf));
	e = (struct emit){.base = buf, .end = sizeof(buf)};
}

#define IS(...)                                                                                    \
	do {                                                                                       \
		const u8 want[] = {__VA_ARGS__};                                                   \
		CHECK_EQ(e.pos, sizeof(want));                                                     \
		CHECK(!memcmp(buf, want, sizeof(want)));                                           \
	} while (0)

static void t_addresses(void)
{
	struct emit_mem m = {4, EMIT_NONE, 1, false, -8}; /* mov [rsp-8], rdi */

	start();
	emit_rm(&e, OP_MOV_MR, true, 7, &m);
	IS(0x48, 0x89, 0x7c, 0x24, 0xf8);
	start();
	m = (struct emit_mem){13, 12, 4, false, 0}; /* lea r11d, [r13+r12*4] */
	emit_lea(&e, false, 11, &m);
	IS(0x47, 0x8d, 0x5c, 0xa5, 0x00);
	start();
	emit_gs(&e, OP_XOR_RM, true, 10, 0x1234); /* xor r10, gs:[0x1234] */
	IS(0x65, 0x4c, 0x33, 0x14, 0x25, 0x34, 0x12, 0, 0);
	start();
	m = (struct emit_mem){EMIT_NONE, 9, 8, false,
			      0x1234}; /* [r9*8+0x1234], 0 in the reg field */
	emit_modrm_disp32(&e, 0, &m);
	IS(0x04, 0xcd, 0x34, 0x12, 0, 0);
	start();
	m = (struct emit_mem){EMIT_NONE, EMIT_NONE, 1, false, 0x1234}; /* [0x1234] */
	emit_modrm_disp32(&e, 3, &m);
	IS(0x1c, 0x25, 0x34, 0x12, 0, 0);
}

static void t_immediates(void)
{
	start();
	emit_mov_ri(&e, 10, 5);
	IS(0x41, 0xba, 5, 0, 0, 0);
	start();
	emit_mov_ri(&e, 11, ~0ULL);
	IS(0x49, 0xc7, 0xc3, 0xff, 0xff, 0xff, 0xff);
	start();
	emit_grp1_ri(&e, 7, true, 11, 4088);
	IS(0x49, 0x81, 0xfb, 0xf8, 0x0f, 0, 0);
	start();
	emit_rorx32(&e, 10, 11, 8); /* rorx r10d, r11d, 8 */
	IS(0xc4, 0x43, 0x7b, 0xf0, 0xd3, 8);
}

static void t_branches(void)
{
	start();
	e.pos = 6;
	CHECK_EQ(emit_jmp_patchable(&e, 100) & 7, 0); /* 7 would cross a quadword */
	start();
	emit_patch(buf, emit_jcc(&e, CC_NE, 0), 0x20);
	IS(0x0f, 0x85, 0x1a, 0, 0, 0);
	start();
	emit_jmp_gs(&e, 10, 0x100);
	IS(0x65, 0x42, 0xff, 0x24, 0xd5, 0, 1, 0, 0);
}

static void t_full_is_sticky(void)
{
	start();
	e.end = 3;
	emit_u32(&e, 0x01020304);
	CHECK(e.full);
	CHECK_EQ(e.pos, 3);
}

int main(void)
{
	RUN(t_addresses);
	RUN(t_immediates);
	RUN(t_branches);
	RUN(t_full_is_sticky);
	return test_done();
}
