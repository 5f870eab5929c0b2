/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operation of the IR: X(NAME, text, signature, sizes, flags). Read by ir.h, the verifier,
 * the text form and the interpreter; the meaning of each stands in ir.h.
 *
 * Signature: result, then operands a b c. i I64, d F64, s F32, v V128, t what ir_op.type says,
 * - nothing. Sizes: bytes that ir_op.size may name, as a set of 1 2 4 8 16; 0 = size unused.
 */
#ifndef HULL_ENGINE_JIT_IR_OPS_H
#define HULL_ENGINE_JIT_IR_OPS_H

/* clang-format off */
#define IR_OPS(X)                                                                                  \
	X(NONE,    "none",    "-",    0, 0)                                                        \
	X(CONST,   "const",   "i",    0, IR_F_IMM)                                                 \
	X(VCONST,  "vconst",  "v",    0, IR_F_POOL)                                                \
	X(GET,     "get",     "t",    1|2|4|8|16, IR_F_OFF)                                        \
	X(PUT,     "put",     "-t",   1|2|4|8|16, IR_F_OFF | IR_F_EFFECT)                          \
	X(ADD,     "add",     "iii",  4|8, 0)                                                      \
	X(SUB,     "sub",     "iii",  4|8, 0)                                                      \
	X(MUL,     "mul",     "iii",  4|8, 0)                                                      \
	X(MULHU,   "mulhu",   "iii",  4|8, 0)                                                      \
	X(MULHS,   "mulhs",   "iii",  4|8, 0)                                                      \
	X(DIVU,    "divu",    "iii",  4|8, 0)                                                      \
	X(DIVS,    "divs",    "iii",  4|8, 0)                                                      \
	X(REMU,    "remu",    "iii",  4|8, 0)                                                      \
	X(REMS,    "rems",    "iii",  4|8, 0)                                                      \
	X(AND,     "and",     "iii",  4|8, 0)                                                      \
	X(OR,      "or",      "iii",  4|8, 0)                                                      \
	X(XOR,     "xor",     "iii",  4|8, 0)                                                      \
	X(ANDN,    "andn",    "iii",  4|8, 0)                                                      \
	X(SHL,     "shl",     "iii",  4|8, 0)                                                      \
	X(SHR,     "shr",     "iii",  4|8, 0)                                                      \
	X(SAR,     "sar",     "iii",  4|8, 0)                                                      \
	X(ROTL,    "rotl",    "iii",  4|8, 0)                                                      \
	X(NEG,     "neg",     "ii",   4|8, 0)                                                      \
	X(NOT,     "not",     "ii",   4|8, 0)                                                      \
	X(CLZ,     "clz",     "ii",   4|8, 0)                                                      \
	X(CTZ,     "ctz",     "ii",   4|8, 0)                                                      \
	X(POPCNT,  "popcnt",  "ii",   4|8, 0)                                                      \
	X(BSWAP,   "bswap",   "ii",   2|4|8, 0)                                                    \
	X(SEXT,    "sext",    "ii",   1|2|4, 0)                                                    \
	X(ZEXT,    "zext",    "ii",   1|2|4, 0)                                                    \
	X(ADDCO,   "addco",   "iiii", 4|8, 0)                                                      \
	X(ADDOV,   "addov",   "iiii", 4|8, 0)                                                      \
	X(MULOV,   "mulov",   "iii",  4|8, 0)                                                      \
	X(SET,     "set",     "iii",  4|8, IR_F_CC)                                                \
	X(SEL,     "sel",     "titt", 0, 0)                                                        \
	X(FADD,    "fadd",    "ttt",  0, IR_F_FP | IR_F_STICKY)                                    \
	X(FSUB,    "fsub",    "ttt",  0, IR_F_FP | IR_F_STICKY)                                    \
	X(FMUL,    "fmul",    "ttt",  0, IR_F_FP | IR_F_STICKY)                                    \
	X(FDIV,    "fdiv",    "ttt",  0, IR_F_FP | IR_F_STICKY)                                    \
	X(FSQRT,   "fsqrt",   "tt",   0, IR_F_FP | IR_F_STICKY)                                    \
	X(FMA,     "fma",     "tttt", 0, IR_F_FP | IR_F_STICKY)                                    \
	X(FABS,    "fabs",    "tt",   0, 0)                                                        \
	X(FNEG,    "fneg",    "tt",   0, 0)                                                        \
	X(FSET,    "fset",    "itt",  0, IR_F_CC | IR_F_FP)                                        \
	X(F2S,     "f2s",     "sd",   0, IR_F_FP | IR_F_STICKY)                                    \
	X(S2F,     "s2f",     "ds",   0, IR_F_FP)                                                  \
	X(I2F,     "i2f",     "ti",   4|8, IR_F_FP | IR_F_STICKY)                                  \
	X(U2F,     "u2f",     "ti",   8, IR_F_FP | IR_F_STICKY)                                    \
	X(F2I,     "f2i",     "it",   4|8, IR_F_FP | IR_F_STICKY)                                  \
	X(F2IZ,    "f2iz",    "it",   4|8, IR_F_FP | IR_F_STICKY)                                  \
	X(FROUND,  "fround",  "tt",   0, IR_F_ROUND | IR_F_FP | IR_F_STICKY)                       \
	X(FBITS,   "fbits",   "it",   0, 0)                                                        \
	X(BITSF,   "bitsf",   "ti",   0, 0)                                                        \
	X(FFIX,    "ffix",    "tt",   0, IR_F_HELPER | IR_F_FP | IR_F_STICKY)                      \
	X(VAND,    "vand",    "vvv",  0, 0)                                                        \
	X(VOR,     "vor",     "vvv",  0, 0)                                                        \
	X(VXOR,    "vxor",    "vvv",  0, 0)                                                        \
	X(VANDN,   "vandn",   "vvv",  0, 0)                                                        \
	X(VNOT,    "vnot",    "vv",   0, 0)                                                        \
	X(VSEL,    "vsel",    "vvvv", 0, 0)                                                        \
	X(VADD,    "vadd",    "vvv",  1|2|4|8, 0)                                                  \
	X(VSUB,    "vsub",    "vvv",  1|2|4|8, 0)                                                  \
	X(VADDSS,  "vaddss",  "vvv",  1|2, 0)                                                      \
	X(VADDUS,  "vaddus",  "vvv",  1|2, 0)                                                      \
	X(VSUBSS,  "vsubss",  "vvv",  1|2, 0)                                                      \
	X(VSUBUS,  "vsubus",  "vvv",  1|2, 0)                                                      \
	X(VMUL,    "vmul",    "vvv",  2|4, 0)                                                      \
	X(VMULEU,  "vmuleu",  "vvv",  4, 0)                                                        \
	X(VMULES,  "vmules",  "vvv",  4, 0)                                                        \
	X(VMINS,   "vmins",   "vvv",  1|2|4, 0)                                                    \
	X(VMINU,   "vminu",   "vvv",  1|2|4, 0)                                                    \
	X(VMAXS,   "vmaxs",   "vvv",  1|2|4, 0)                                                    \
	X(VMAXU,   "vmaxu",   "vvv",  1|2|4, 0)                                                    \
	X(VAVGU,   "vavgu",   "vvv",  1|2, 0)                                                      \
	X(VCMPEQ,  "vcmpeq",  "vvv",  1|2|4|8, 0)                                                  \
	X(VCMPGTS, "vcmpgts", "vvv",  1|2|4|8, 0)                                                  \
	X(VCMPGTU, "vcmpgtu", "vvv",  1|2|4|8, 0)                                                  \
	X(VSHL,    "vshl",    "vvv",  4|8, 0)                                                      \
	X(VSHR,    "vshr",    "vvv",  4|8, 0)                                                      \
	X(VSAR,    "vsar",    "vvv",  4, 0)                                                        \
	X(VSHLI,   "vshli",   "vv",   2|4|8|16, IR_F_LANE)                                         \
	X(VSHRI,   "vshri",   "vv",   2|4|8|16, IR_F_LANE)                                         \
	X(VSARI,   "vsari",   "vv",   2|4, IR_F_LANE)                                              \
	X(VALIGN,  "valign",  "vvv",  0, IR_F_LANE)                                                \
	X(VUNPKL,  "vunpkl",  "vvv",  1|2|4|8, 0)                                                  \
	X(VUNPKH,  "vunpkh",  "vvv",  1|2|4|8, 0)                                                  \
	X(VPACKSS, "vpackss", "vvv",  2|4, 0)                                                      \
	X(VPACKSU, "vpacksu", "vvv",  2|4, 0)                                                      \
	X(VSXTL,   "vsxtl",   "vv",   1|2|4, 0)                                                    \
	X(VSHUF,   "vshuf",   "vvv",  0, 0)                                                        \
	X(VPERM,   "vperm",   "vvvv", 0, 0)                                                        \
	X(VBSWAP,  "vbswap",  "vv",   2|4|8|16, 0)                                                 \
	X(VSPLAT,  "vsplat",  "vi",   1|2|4|8, 0)                                                  \
	X(VEXT,    "vext",    "iv",   1|2|4|8, IR_F_LANE)                                          \
	X(VINS,    "vins",    "vvi",  1|2|4|8, IR_F_LANE)                                          \
	X(VCAT,    "vcat",    "vii",  0, 0)                                                        \
	X(VMASK,   "vmask",   "iv",   1|4|8, 0)                                                    \
	X(VFADD,   "vfadd",   "vvv",  4|8, IR_F_FP | IR_F_STICKY)                                  \
	X(VFSUB,   "vfsub",   "vvv",  4|8, IR_F_FP | IR_F_STICKY)                                  \
	X(VFMUL,   "vfmul",   "vvv",  4|8, IR_F_FP | IR_F_STICKY)                                  \
	X(VFDIV,   "vfdiv",   "vvv",  4|8, IR_F_FP | IR_F_STICKY)                                  \
	X(VFMA,    "vfma",    "vvvv", 4|8, IR_F_FP | IR_F_STICKY)                                  \
	X(VFSQRT,  "vfsqrt",  "vv",   4|8, IR_F_FP | IR_F_STICKY)                                  \
	X(VFSET,   "vfset",   "vvv",  4|8, IR_F_CC | IR_F_FP)                                      \
	X(VFIX,    "vfix",    "vv",   4|8, IR_F_HELPER | IR_F_FP | IR_F_STICKY)                    \
	X(LOAD,    "load",    "ti",   1|2|4|8|16, IR_F_MEM | IR_F_EFFECT)                          \
	X(STORE,   "store",   "-it",  1|2|4|8|16, IR_F_MEM | IR_F_EFFECT)                          \
	X(CAS,     "cas",     "iiii", 1|2|4|8, IR_F_MEM | IR_F_EFFECT)                             \
	X(FENCE,   "fence",   "-",    0, IR_F_EFFECT)                                              \
	X(INSN,    "insn",    "-",    0, IR_F_IMM | IR_F_EFFECT)                                   \
	X(CALL,    "call",    "iiii", 0, IR_F_HELPER | IR_F_EFFECT | IR_F_OPTARGS)                 \
	X(LABEL,   "label",   "-",    0, IR_F_LABEL | IR_F_EFFECT)                                 \
	X(BR,      "br",      "-",    0, IR_F_LABEL | IR_F_EFFECT | IR_F_ENDS)                     \
	X(BRIF,    "brif",    "-i",   0, IR_F_LABEL | IR_F_EFFECT)                                 \
	X(EXIT,    "exit",    "-",    0, IR_F_IMM | IR_F_KIND | IR_F_EFFECT | IR_F_ENDS)           \
	X(EXITIF,  "exitif",  "-i",   0, IR_F_IMM | IR_F_EFFECT)                                   \
	X(EXITIND, "exitind", "-i",   0, IR_F_KIND | IR_F_EFFECT | IR_F_ENDS)                      \
	X(EXITRT,  "exitrt",  "-",    0, IR_F_IMM | IR_F_EFFECT | IR_F_ENDS)
/* clang-format on */

#endif
