/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text form both ways, what the verifier refuses, what the passes make of small units.
 */
#include "ir_toy.h"
#include "../../test.h"

#include "engine/jit/ir/text.h"

static struct ir_unit unit, again;
static char text[1 << 20], text2[1 << 20];

static void t_round_trip(void)
{
	struct toy_rng rng = {.s = 12345};
	u32 line;

	for (unsigned i = 0; i < 500; i++) {
		toy_unit(&unit, &rng, 10 + toy_rand(&rng, 200), 0x1000 * i, 0x10000, 4096);
		CHECK(ir_print(&unit, text, sizeof(text)) < sizeof(text));
		CHECK(!ir_parse(&again, &toy_target, text, strlen(text), &line));
		CHECK_EQ(again.n, unit.n);
		ir_print(&again, text2, sizeof(text2));
		CHECK(!strcmp(text, text2));
	}
}

static const char *parse(const char *s)
{
	u32 line;

	return ir_parse(&unit, &toy_target, s, strlen(s), &line);
}

static void t_parse_errors(void)
{
	static const char *const bad[] = {
		"",
		"units 0x1\n",
		"unit\n",
		"unit 0x1\nfrob\n",
		"unit 0x1\n%2 = const #1\n",
		"unit 0x1\n%1 = const 1\n",
		"unit 0x1\n%1 = get.i64 #0\n",
		"unit 0x1\n%1 = get.q64.8 #0\n",
		"unit 0x1\n%1 = get.i64.99 #0\n",
		"unit 0x1\nexit.odd #1\n",
		"unit 0x1\n%1 = const #1 x\n",
		"unit 0x1\n%1 = call nobody\n",
		"unit 0x1\n%1 = vconst #1\n",
		"unit 0x1\n%1 = load.i64.8.q %1, #0\n",
		"unit 0x1\nbr L999\n",
		"unit 0x1\n%1 = add.8 %9999, %1\n",
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		if (!parse(bad[i]))
			printf("# accepted: %s\n", bad[i]);
		CHECK(parse(bad[i]) != NULL);
	}
}

static void t_verifier_refuses(void)
{
	static const struct {
		const char *body, *why;
	} bad[] = {
		{"%1 = const #1", "the unit has no end"},
		{"%1 = add.8 %2, %2\nexit.plain #0", "operand is not defined yet"},
		{"%1 = add.8 %1, %1\nexit.plain #0", "operand is not defined yet"},
		{"%1 = add.8\nexit.plain #0", "operand missing"},
		{"%1 = const #1\n%2 = add.2 %1, %1\nexit.plain #0", "no such size"},
		{"%1 = const #1\n%2 = neg.8 %1, %1\nexit.plain #0", "operand too many"},
		{"%1 = const #1\n%2 = fabs.f64 %1\nexit.plain #0", "operand has another type"},
		{"%1 = const #1\n%2 = bitsf.i64 %1\nexit.plain #0", "a floating type is wanted"},
		{"%1 = get.f64.4 #0\nexit.plain #0", "size and type do not fit"},
		{"%1 = get.i64.8 #0x7ffffff\nexit.plain #0", "outside the state"},
		{"%1 = get.i64.8 #-0x8\nexit.plain #0", "outside the state"},
		{"%1 = const #1\nlabel L0\nput.i64.8 %1, #0\nexit.plain #0",
		 "operand is from before a label"},
		{"label L0\nlabel L0\nexit.plain #0", "label is there twice"},
		{"br L3", "label is nowhere"},
		{"%1 = const #1\n%2 = vsplat.1 %1\n%3 = vext.4 %2, #4\nexit.plain #0",
		 "no such lane or count"},
		{"%1 = const #1\n%2 = set.8.uno %1, %1\nexit.plain #0", "no such condition"},
		{"%1 = get.f64.8 #0\n%2 = fset.f64.ltu %1, %1\nexit.plain #0", "no such condition"},
	};
	char s[512];
	u32 at;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		const char *why;

		snprintf(s, sizeof(s), "unit 0x1000\n%s\n", bad[i].body);
		CHECK(!parse(s));
		why = ir_verify(&unit, &at);
		if (!why || strcmp(why, bad[i].why))
			printf("# %s: %s\n", bad[i].body, why ? why : "accepted");
		CHECK(why && !strcmp(why, bad[i].why));
	}
}

/* Random damage: whatever the verifier lets pass has operands it could have. */
static void t_verifier_holds(void)
{
	struct toy_rng rng = {.s = 99};
	unsigned refused = 0;
	u32 at;

	for (unsigned i = 0; i < 3000; i++) {
		u8 *bytes = (u8 *)&unit.op[1];

		toy_unit(&unit, &rng, 40, 0x1000, 0x10000, 4096);
		bytes[toy_rand(&rng, (unit.n - 1) * (u32)sizeof(struct ir_op))] ^=
			(u8)(1u << toy_rand(&rng, 8));
		if (ir_verify(&unit, &at)) {
			refused++;
			continue;
		}
		for (u32 n = 1; n < unit.n; n++)
			CHECK(unit.op[n].a < n && unit.op[n].b < n && unit.op[n].c < n);
	}
	CHECK(refused > 500 && refused < 2900);
}

/* ---- passes ---- */

static void optimise(const char *body)
{
	static u8 work[1 << 20] __attribute__((aligned(16)));
	char s[2048];

	snprintf(s, sizeof(s), "unit 0x1000\n%s\n", body);
	test_state.why[0] = 0;
	if (parse(s) || ir_optimise_bytes() > sizeof(work)) {
		snprintf(test_state.why, sizeof(test_state.why), "cannot parse %s", body);
		return;
	}
	ir_optimise(&unit, work);
	ir_print(&unit, text, sizeof(text));
}

/* How many operations of that name are left, constants that nobody uses aside. */
static unsigned left(unsigned op)
{
	unsigned n = 0;

	for (u32 i = 1; i < unit.n; i++)
		n += unit.op[i].op == op && (op != IR_CONST || unit.op[i].uses);
	return n;
}

static void t_state_is_forwarded(void)
{
	optimise("%1 = get.i64.8 #0x18\n%2 = const #5\n%3 = add.8 %1, %2\nput.i64.8 %3, #0x18\n"
		 "%5 = get.i64.8 #0x18\n%6 = add.8 %5, %2\nput.i64.8 %6, #0x18\nexit.plain #0");
	CHECK_EQ(left(IR_GET), 1);
	CHECK_EQ(left(IR_PUT), 1);
	/* a part of it is another thing, and a fault in between keeps the first */
	optimise("%1 = get.i64.8 #0x18\nput.i64.4 %1, #0x18\n%3 = get.i64.8 #0x18\n"
		 "put.i64.8 %3, #0x20\nexit.plain #0");
	CHECK_EQ(left(IR_GET), 2);
	optimise("%1 = const #5\nput.i64.8 %1, #0x18\n%3 = load.i64.8 %1, #0\n"
		 "put.i64.8 %3, #0x18\nexit.plain #0");
	CHECK_EQ(left(IR_PUT), 2);
	optimise("%1 = const #5\nput.i64.8 %1, #0x18\n%3 = call writes %1\n%4 = get.i64.8 #0x18\n"
		 "put.i64.8 %4, #0x20\nexit.plain #0");
	CHECK_EQ(left(IR_GET), 1);
	/* what is there already is not put again */
	optimise("%1 = get.i64.8 #0x18\nput.i64.8 %1, #0x18\nexit.plain #0");
	CHECK_EQ(left(IR_PUT), 0);
	optimise("%1 = get.i64.8 #0x18\n%2 = const #5\nput.i64.8 %2, #0x18\n"
		 "%4 = load.i64.8 %2, #0\nput.i64.8 %1, #0x18\nexit.plain #0");
	CHECK_EQ(left(IR_PUT), 2);
}

#define FLAG "#0x110"
static void t_dead_flags_go(void)
{
	/* overwritten after a fault, on every path */
	optimise("%1 = get.i64.8 #0x18\n%2 = const #0\n%3 = set.8.lts %1, %2\nput.i64.1 %3, " FLAG
		 "\n%5 = load.i64.8 %1, #0\nput.i64.1 %2, " FLAG "\nexit.plain #0");
	CHECK_EQ(left(IR_PUT), 1);
	CHECK_EQ(left(IR_SET), 0);
	/* read again behind what may fault, where the unit can be entered anew: the store stays */
	optimise("%1 = get.i64.8 #0x18\n%2 = const #0\n%3 = set.8.lts %1, %2\nput.i64.1 %3, " FLAG
		 "\n%5 = load.i64.8 %1, #0\n%6 = get.i64.1 " FLAG
		 "\nput.i64.8 %6, #0x20\nput.i64.1 %2, " FLAG "\nexit.plain #0");
	CHECK_EQ(left(IR_PUT), 3);
	CHECK_EQ(left(IR_GET), 2);
	/* a way out in between looks */
	optimise("%1 = get.i64.8 #0x18\n%2 = const #0\n%3 = set.8.lts %1, %2\nput.i64.1 %3, " FLAG
		 "\nexitif %1, #0x2000\nput.i64.1 %2, " FLAG "\nexit.plain #0");
	CHECK_EQ(left(IR_PUT), 2);
	/* round a loop: set before it is read */
	optimise("label L0\n%2 = get.i64.8 #0x18\n%3 = const #0\n%4 = set.8.lts %2, %3\n"
		 "put.i64.1 %4, " FLAG "\n%6 = get.i64.1 " FLAG "\nbrif %6, L0\n"
		 "put.i64.1 %3, " FLAG "\nexit.plain #0");
	CHECK_EQ(left(IR_PUT), 1);
	CHECK_EQ(left(IR_GET), 1);
}

static void t_folding(void)
{
	optimise(
		"%1 = const #6\n%2 = const #7\n%3 = mul.8 %1, %2\nput.i64.8 %3, #0\nexit.plain #0");
	CHECK_EQ(left(IR_MUL), 0);
	CHECK(strstr(text, "const #0x2a"));
	optimise("%1 = get.i64.8 #0x18\n%2 = const #8\n%3 = add.8 %1, %2\n"
		 "%4 = load.i64.8 %3, #0x10\nput.i64.8 %4, #0\nexit.plain #0");
	CHECK_EQ(left(IR_ADD), 0);
	CHECK(strstr(text, "load.i64.8 %1, #0x18"));
	optimise("%1 = get.i64.8 #0x18\n%2 = const #1\n%3 = not.8 %1\n%4 = get.i64.8 #0x20\n"
		 "%5 = addco.8 %3, %4, %2\nput.i64.1 %5, #0\nexit.plain #0");
	CHECK_EQ(left(IR_ADDCO), 0);
	CHECK(strstr(text, "set.8.geu %4, %1"));
	optimise(
		"%1 = get.i64.8 #0x18\n%2 = const #0\n%3 = set.4.lts %1, %2\n%4 = set.8.eq %3, %2\n"
		"exitif %4, #0x2000\nexit.plain #0");
	CHECK(strstr(text, "set.4.ges %1, %2"));
	CHECK_EQ(left(IR_SET), 1);
	/* halves swapped twice */
	optimise("%1 = get.v128.16 #0x140\n%2 = valign %1, %1, #0x8\nput.v128.16 %2, #0x150\n"
		 "%4 = valign %2, %2, #0x8\nput.v128.16 %4, #0x160\nexit.plain #0");
	CHECK_EQ(left(IR_VALIGN), 1);
	CHECK(strstr(text, "put.v128.16 %1, #0x160"));
	/* a constant that forwarding has given a second user is not changed */
	optimise("%1 = const #0x10\nput.i64.8 %1, #0x18\n%3 = get.i64.8 #0x20\n%4 = const #0x70\n"
		 "%5 = add.8 %3, %4\n%6 = get.i64.8 #0x18\n%7 = add.8 %5, %6\n"
		 "put.i64.8 %7, #0x28\nexit.plain #0");
	CHECK(strstr(text, "const #0x10\n"));
}

int main(void)
{
	RUN(t_round_trip);
	RUN(t_parse_errors);
	RUN(t_verifier_refuses);
	RUN(t_verifier_holds);
	RUN(t_state_is_forwarded);
	RUN(t_dead_flags_go);
	RUN(t_folding);
	return test_done();
}
