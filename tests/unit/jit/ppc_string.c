// SPDX-License-Identifier: Apache-2.0
/* lswx over the end of the registers, where ppc_diff's programs keep their own. */
#include "engine/jit/ppc/lift.h"
#include "engine/jit/ppc/sys.h"
#include "tests/test.h"

#define LSWX(rt, ra, rb) (31u << 26 | (rt) << 21 | (ra) << 16 | (rb) << 11 | 533u << 1)

int ppc_mem_read(struct ppc_vcpu *c, u64 ea, void *buf, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		((u8 *)buf)[i] = (u8)(ea + i);
	return 0;
}

int ppc_mem_write(struct ppc_vcpu *c, u64 ea, const void *buf, unsigned n)
{
	return -1;
}

int ppc_mem_cas(struct ppc_vcpu *c, u64 ea, const void *old, const void *new, unsigned n)
{
	return -1;
}

static bool lswx(struct ppc_vcpu *c, u32 word, u32 bytes)
{
	*c = (struct ppc_vcpu){.xer_rest = bytes};
	ppc_target.helper[H_LSW].fn(c, word, 1, PPC_OP_LSWX);
	return !c->exc.pending;
}

static void t_wrap(void)
{
	static struct ppc_vcpu c;

	CHECK(lswx(&c, LSWX(31, 0, 5), 8)); /* no RA: r0 is only loaded */
	CHECK_EQ(c.gpr[31], 0x01020304);
	CHECK_EQ(c.gpr[0], 0x05060708);
	CHECK(!lswx(&c, LSWX(31, 2, 5), 16)); /* over RA */
	CHECK_EQ(c.gpr[31], 0);
	CHECK(!lswx(&c, LSWX(31, 0, 0), 8)); /* over RB */
	CHECK(lswx(&c, LSWX(31, 0, 0), 0));
}

int main(void)
{
	RUN(t_wrap);
	return test_done();
}
