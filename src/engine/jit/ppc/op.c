/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The helper of an instruction, whichever family has it.
 */
#include "engine/jit/ppc/vec.h"

struct ppc_op_row ppc_op_row(unsigned op)
{
	static struct ppc_op_row (*const families[])(unsigned) = {
		ppc_op_vint, ppc_op_vperm,  ppc_op_vsxmove, ppc_op_fp,	ppc_op_vsxfp,
		ppc_op_vfp,  ppc_op_vcrypt, ppc_op_quad,    ppc_op_vbcd};

	for (unsigned i = 0; i < ARRAY_LEN(families); i++) {
		struct ppc_op_row r = families[i](op);

		if (r.fn)
			return r;
	}
	return (struct ppc_op_row){0};
}
