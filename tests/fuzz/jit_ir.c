/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IR from hostile hands. The input is text to be parsed, or what a random unit is made of.
 * What the verifier lets pass must come back from text as it was, and mean the same to the
 * interpreter and as emitted code.
 */
#include "tests/unit/jit/ir_rig.h"

#include "engine/jit/ir/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ir_unit again;

static void round_trip(void)
{
	static char text[1 << 18], text2[1 << 18];
	u32 line;

	if (ir_print(&unit, text, sizeof(text)) >= sizeof(text))
		return;
	if (ir_parse(&again, &toy_target, text, strlen(text), &line))
		abort();
	ir_print(&again, text2, sizeof(text2));
	if (strcmp(text, text2))
		abort();
}

static struct irrun *create(void)
{
	struct irrun_config cfg = {.ops = &tlb_ops, .cache_bytes = MIB(16)};
	struct irrun *r;

	if (!rig_create() || irrun_create(&r, &cfg) < 0 || irrun_cpu_add(r, got) < 0)
		return NULL;
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct irrun *r; /* one for all inputs */
	struct toy_rng rng = {.bytes = data, .n = size}, state = {.s = 1 + size};
	u32 line;

	if (!size || (!r && !(r = create())))
		return 0;
	if (data[0] == 'u') {
		if (ir_parse(&unit, &toy_target, (const char *)data, size, &line))
			return 0;
	} else {
		toy_unit(&unit, &rng, 400, START, SEEN, MEMORY);
	}
	if (ir_verify(&unit, &line))
		return 0;
	round_trip();
	unit.pc = START;
	if (rig_compare(r, &state, false))
		abort();
	return 0;
}
