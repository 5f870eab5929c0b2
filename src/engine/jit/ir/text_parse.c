/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the text form. The text may be anything: every step is bounded by its length.
 */
#include "engine/jit/ir/text.h"

#include "engine/jit/ir/text_names.h"

struct in {
	const char *p, *end;
	struct ir_unit *u;
	const char *why;
};

static bool at_end(const struct in *t)
{
	return t->p == t->end;
}

static void skip_space(struct in *t)
{
	while (!at_end(t) && (*t->p == ' ' || *t->p == '\t'))
		t->p++;
}

static bool take(struct in *t, char c)
{
	skip_space(t);
	if (at_end(t) || *t->p != c)
		return false;
	t->p++;
	return true;
}

static bool fail(struct in *t, const char *why)
{
	if (!t->why)
		t->why = why;
	return false;
}

/* A word of letters and digits; its length, 0 = none. */
static size_t word(struct in *t, const char **w)
{
	skip_space(t);
	*w = t->p;
	while (!at_end(t) &&
	       ((*t->p >= 'a' && *t->p <= 'z') || (*t->p >= '0' && *t->p <= '9') || *t->p == '_'))
		t->p++;
	return (size_t)(t->p - *w);
}

static bool same(const char *name, const char *w, size_t n)
{
	size_t i = 0;

	while (i < n && name[i] && name[i] == w[i])
		i++;
	return i == n && !name[i];
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

static bool number(struct in *t, u64 *v)
{
	bool minus = take(t, '-');
	int base = 10;
	const char *from;

	skip_space(t);
	if (t->end - t->p > 2 && t->p[0] == '0' && t->p[1] == 'x') {
		base = 16;
		t->p += 2;
	}
	from = t->p;
	*v = 0;
	while (!at_end(t) && digit(*t->p) < base)
		*v = *v * (u64)base + (u64)digit(*t->p++);
	if (minus)
		*v = -*v;
	return t->p != from || fail(t, "a number is wanted");
}

static int lookup(const char *const *names, unsigned n, const char *w, size_t len)
{
	for (unsigned i = 0; i < n; i++)
		if (same(names[i], w, len))
			return (int)i;
	return -1;
}

static bool named(struct in *t, const char *const *names, unsigned n, u8 *out)
{
	const char *w;
	size_t len;
	int i;

	if (!take(t, '.'))
		return fail(t, "a suffix is wanted");
	len = word(t, &w);
	i = lookup(names, n, w, len);
	if (i < 0)
		return fail(t, "no such suffix");
	*out = (u8)i;
	return true;
}

static bool flags(struct in *t, struct ir_op *op)
{
	const char *w;
	size_t n;

	if (!take(t, '.'))
		return true;
	n = word(t, &w);
	for (size_t i = 0; i < n; i++) {
		if (w[i] == 's')
			op->sub |= IR_SIGNED;
		else if (w[i] == 'w')
			op->sub |= IR_SWAP;
		else
			return fail(t, "no such flag");
	}
	return true;
}

static bool suffixes(struct in *t, struct ir_op *op, const struct ir_info *info)
{
	u64 v;

	if (ir_has_type(info) && !named(t, ir_type_name, ARRAY_LEN(ir_type_name), &op->type))
		return false;
	if (info->sizes) {
		if (!take(t, '.') || !number(t, &v) || v > 16)
			return fail(t, "a size is wanted");
		op->size = (u8)v;
	}
	if (info->flags & IR_F_CC)
		return named(t, ir_cc_name, ARRAY_LEN(ir_cc_name), &op->sub);
	if (info->flags & IR_F_KIND)
		return named(t, ir_kind_name, ARRAY_LEN(ir_kind_name), &op->sub);
	if (info->flags & IR_F_MEM || op->op == IR_GET)
		return flags(t, op);
	return true;
}

static bool helper(struct in *t, struct ir_op *op)
{
	const struct ir_target *target = t->u->target;
	const char *w;
	size_t n = word(t, &w);
	u64 extra = 0;

	if (take(t, ':') && !number(t, &extra))
		return false;
	for (u32 i = 0; i < target->nhelpers; i++) {
		if (same(target->helper[i].name, w, n)) {
			op->imm = extra << 32 | i;
			return true;
		}
	}
	return fail(t, "no such helper");
}

static bool pool(struct in *t, struct ir_op *op, u64 lo)
{
	struct ir_unit *u = t->u;
	u64 hi;

	if (!take(t, ':') || !number(t, &hi))
		return fail(t, "two numbers are wanted");
	if (u->npool == IR_MAX_POOL)
		return fail(t, "too many constants");
	op->imm = u->npool;
	u->pool[u->npool++] = (struct ir_v128){lo, hi};
	return true;
}

static bool label(struct in *t, struct ir_op *op)
{
	if (!number(t, &op->imm) || op->imm >= IR_MAX_LABELS)
		return fail(t, "no such label");
	if (op->imm >= t->u->nlabels)
		t->u->nlabels = (u32)op->imm + 1;
	return true;
}

/* One operand, label or number. */
static bool argument(struct in *t, struct ir_op *op, const struct ir_info *info, unsigned *n)
{
	ir_val *slot[3] = {&op->a, &op->b, &op->c};
	u64 v;

	if (take(t, '%')) {
		if (*n == 3 || !number(t, &v) || v >= IR_MAX_OPS)
			return fail(t, "no such operand");
		*slot[(*n)++] = (ir_val)v;
		return true;
	}
	if (take(t, 'L'))
		return label(t, op);
	if (!take(t, '#') || !number(t, &v))
		return fail(t, "an operand is wanted");
	if (info->flags & IR_F_POOL)
		return pool(t, op, v);
	op->imm = v;
	return true;
}

static bool line_end(struct in *t)
{
	skip_space(t);
	return at_end(t) || *t->p == '\n' || *t->p == ';';
}

static bool operation(struct in *t)
{
	struct ir_op op = {0};
	const struct ir_info *info;
	const char *w;
	unsigned n = 0;
	size_t len;
	bool more;
	u64 v;

	if (take(t, '%') && (!number(t, &v) || v != t->u->n || !take(t, '=')))
		return fail(t, "the result's number is not the operation's");
	len = word(t, &w);
	for (op.op = IR_OPCODES - 1; op.op && !same(ir_info(op.op)->text, w, len);)
		op.op--;
	if (!op.op)
		return fail(t, "no such operation");
	info = ir_info(op.op);
	if (!suffixes(t, &op, info))
		return false;
	if (info->flags & IR_F_HELPER && !helper(t, &op))
		return false;
	more = !line_end(t);
	while (more) {
		if (!argument(t, &op, info, &n))
			return false;
		more = take(t, ',');
	}
	ir_add_op(t->u, op);
	return !t->u->full || fail(t, "too many operations");
}

static bool head(struct in *t, const struct ir_target *target)
{
	const char *w;
	size_t n = word(t, &w);
	u64 pc;

	if (!same("unit", w, n) || !number(t, &pc))
		return fail(t, "a unit starts with: unit ADDRESS");
	ir_begin(t->u, target, pc);
	return true;
}

const char *ir_parse(struct ir_unit *u, const struct ir_target *target, const char *text,
		     size_t len, u32 *line)
{
	struct in t = {.p = text, .end = text + len, .u = u};
	bool begun = false;

	ir_begin(u, target, 0);
	for (*line = 1; !at_end(&t); ++*line) {
		if (!line_end(&t)) {
			if (!(begun ? operation(&t) : head(&t, target)))
				return t.why;
			begun = true;
			if (!line_end(&t))
				return "something follows";
		}
		while (!at_end(&t) && *t.p != '\n')
			t.p++;
		if (!at_end(&t))
			t.p++;
	}
	return begun ? NULL : "there is no unit";
}
