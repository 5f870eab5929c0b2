/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From an instruction word to its row of insns.txt.
 */
#include "isa/ppc/tables.h"

const struct ppc_row *ppc_decode(u32 word)
{
	const struct ppc_primary *p = &ppc_primaries[word >> 26];
	const struct ppc_row *loose = NULL;
	unsigned at = p->ext ? p->ext[word & 0x7ff] : p->one;

	for (; ppc_pool[at] != PPC_POOL_END; at++) {
		const struct ppc_row *r = &ppc_rows[ppc_pool[at]];
		u32 differ = word ^ r->value;

		if (!(differ & r->mask))
			return r;
		/* The longest opcode wins. */
		if (!(differ & r->fixed) && (!loose || (loose->fixed & r->fixed) == loose->fixed))
			loose = r;
	}
	return loose;
}
