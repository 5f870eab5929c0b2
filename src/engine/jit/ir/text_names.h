/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the text form; private to text.c and text_parse.c. */
#ifndef HULL_ENGINE_JIT_IR_TEXT_NAMES_H
#define HULL_ENGINE_JIT_IR_TEXT_NAMES_H

#include "engine/jit/ir/ir.h"

static const char *const ir_type_name[] = {"void", "i64", "f64", "f32", "v128"};
static const char *const ir_cc_name[] = {"eq",	"ne",  "lts", "les", "gts", "ges",
					 "ltu", "leu", "gtu", "geu", "uno"};
static const char *const ir_kind_name[] = {"plain", "sub", "ret"};

static inline bool ir_has_type(const struct ir_info *info)
{
	for (const char *s = info->sig; *s; s++)
		if (*s == 't')
			return true;
	return false;
}

#endif
