/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the text form.
 */
#include "engine/jit/ir/text.h"

#include "engine/jit/ir/text_names.h"

struct out {
	char *p;
	size_t room, n;
};

static void put_char(struct out *o, char c)
{
	if (o->n + 1 < o->room)
		o->p[o->n] = c;
	o->n++;
}

static void put_text(struct out *o, const char *s)
{
	while (*s)
		put_char(o, *s++);
}

static void put_number(struct out *o, u64 v, unsigned base)
{
	char digits[24];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put_char(o, digits[--n]);
}

static void put_hex(struct out *o, u64 v)
{
	if ((s64)v < 0 && (s64)v > -65536) {
		put_char(o, '-');
		v = -v;
	}
	put_text(o, "0x");
	put_number(o, v, 16);
}

static void put_suffixes(struct out *o, const struct ir_op *op, const struct ir_info *info)
{
	if (ir_has_type(info)) {
		put_char(o, '.');
		put_text(o, op->type <= IR_V128 ? ir_type_name[op->type] : "?");
	}
	if (info->sizes) {
		put_char(o, '.');
		put_number(o, op->size, 10);
	}
	if (info->flags & IR_F_CC) {
		put_char(o, '.');
		put_text(o, op->sub <= IR_UNO ? ir_cc_name[op->sub] : "?");
	} else if (info->flags & IR_F_KIND) {
		put_char(o, '.');
		put_text(o, op->sub <= IR_RETURN ? ir_kind_name[op->sub] : "?");
	} else if ((info->flags & IR_F_MEM || op->op == IR_GET) && op->sub) {
		put_char(o, '.');
		if (op->sub & IR_SIGNED)
			put_char(o, 's');
		if (op->sub & IR_SWAP)
			put_char(o, 'w');
	}
}

static void put_operands(struct out *o, const struct ir_op *op)
{
	const ir_val v[3] = {op->a, op->b, op->c};
	unsigned n = 3;

	while (n && !v[n - 1])
		n--;
	for (unsigned i = 0; i < n; i++) {
		put_text(o, i ? ", %" : " %");
		put_number(o, v[i], 10);
	}
}

static void put_imm(struct out *o, const struct ir_unit *u, const struct ir_op *op, u16 flags,
		    bool comma)
{
	u16 any = IR_F_IMM | IR_F_OFF | IR_F_MEM | IR_F_LANE | IR_F_ROUND | IR_F_POOL;

	if (!(flags & (any | IR_F_LABEL)))
		return;
	put_text(o, comma ? ", " : " ");
	if (flags & IR_F_LABEL) {
		put_char(o, 'L');
		put_number(o, op->imm, 10);
	} else if (flags & IR_F_POOL) {
		put_char(o, '#');
		put_hex(o, op->imm < u->npool ? u->pool[op->imm].lo : 0);
		put_char(o, ':');
		put_hex(o, op->imm < u->npool ? u->pool[op->imm].hi : 0);
	} else {
		put_char(o, '#');
		put_hex(o, op->imm);
	}
}

static void put_op(struct out *o, const struct ir_unit *u, u32 i)
{
	const struct ir_op *op = &u->op[i];
	const struct ir_info *info = ir_info(op->op);

	if (ir_result(op) != IR_VOID) {
		put_char(o, '%');
		put_number(o, i, 10);
		put_text(o, " = ");
	}
	put_text(o, info->text);
	put_suffixes(o, op, info);
	if (info->flags & IR_F_HELPER) {
		put_char(o, ' ');
		put_text(o, (u32)op->imm < u->target->nhelpers
				    ? u->target->helper[(u32)op->imm].name
				    : "?");
		if (op->imm >> 32) {
			put_char(o, ':');
			put_hex(o, op->imm >> 32);
		}
	}
	put_operands(o, op);
	put_imm(o, u, op, info->flags, op->a);
	put_char(o, '\n');
}

size_t ir_print(const struct ir_unit *u, char *out, size_t room)
{
	struct out o = {out, room, 0};

	put_text(&o, "unit ");
	put_hex(&o, u->pc);
	put_char(&o, '\n');
	for (u32 i = 1; i < u->n; i++)
		put_op(&o, u, i);
	if (room)
		out[o.n < room ? o.n : room - 1] = 0;
	return o.n;
}
