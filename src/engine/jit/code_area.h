/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for generated code and its tables, of the host OS. Used by both run times.
 */
#ifndef HULL_ENGINE_JIT_CODE_AREA_H
#define HULL_ENGINE_JIT_CODE_AREA_H

#include "base/types.h"

#define CODE_AREA_DEFAULT MIB(128)
#define CODE_AREA_MIN MIB(2)
#define CODE_AREA_MAX MIB(1024) /* rel32 reach */

/* A size the caller asked for, made usable; 0 asks for the default. */
u64 code_area_size(u64 bytes);
/*
 * Memory mapped twice, to be written and to be executed, never both through one mapping. 0 or
 * -errno; on failure both pointers are NULL or to be unmapped with code_area_unmap.
 */
int code_area_map(u64 bytes, u8 **rw, const u8 **rx);
/* Lazily backed, zeroed memory; NULL if there is none. */
void *code_area_table(size_t bytes);
void code_area_unmap(const void *p, size_t bytes);

#endif
