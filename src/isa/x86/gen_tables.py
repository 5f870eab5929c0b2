#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Make ops.h (enum x86_op, enum x86_feature) and tables.c from insns.txt.

usage: gen_tables.py insns.txt ops.h tables.c
The format of insns.txt is described at its head.
"""
import re
import sys

GPR = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi',
       'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15']
SEGS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS']
FLAG = {'c': 0, 'p': 2, 'a': 4, 'z': 6, 's': 7, 'd': 10, 'o': 11}
PP = {'np': 0, '66': 1, 'f3': 2, 'f2': 3}
SIZES = {'b': '1', 'w': '2', 'd': '4', 'q': '8', 'dq': '16', 'qq': '32', 'oo': '64', 't': '10',
         '': '0', 'n': '0', 'v': 'X86_SZ_V', 'z': 'X86_SZ_Z', 'y': 'X86_SZ_Y', 'f': 'X86_SZ_F',
         'p': 'X86_SZ_P', 's': 'X86_SZ_S', 'a': 'X86_SZ_A', 'env': 'X86_SZ_ENV',
         'save': 'X86_SZ_SAVE', 'x': 'X86_SZ_X', 'h': 'X86_SZ_H', 'f4': 'X86_SZ_Q',
         'e': 'X86_SZ_E', '2v': 'X86_SZ_V2', '8v': 'X86_SZ_V8'}
DIMS = [('pp', 4, 'X86_DIM_PP'), ('mod', 2, 'X86_DIM_MOD'), ('reg', 8, 'X86_DIM_REG'),
        ('rm', 8, 'X86_DIM_RM'), ('w', 2, 'X86_DIM_W'), ('wm', 2, 'X86_DIM_WM'),
        ('l', 4, 'X86_DIM_L'), ('mode', 2, 'X86_DIM_MODE'), ('rexb', 2, 'X86_DIM_REXB')]
TABLES = {('legacy', '1b'): 0, ('legacy', '0f'): 1, ('legacy', '0f38'): 2, ('legacy', '0f3a'): 3,
          ('vex', '0f'): 4, ('vex', '0f38'): 5, ('vex', '0f3a'): 6,
          ('evex', '0f'): 7, ('evex', '0f38'): 8, ('evex', '0f3a'): 9}
FORM_ATTRS = {'anymod': 'ANYMOD', 'shiftimm': 'SHIFTIMM', 'kreq': 'KREQ', 'er': 'ER', 'sae': 'SAE',
              'erig': 'ERIG', 'lig': 'LIG', 'vi=h': 'VIHALF'}
ROW_ATTRS = {'lock': 'LOCKABLE', 'no64': 'NO64', 'm64': 'ONLY64', 'undoc': 'UNDOC', 'notreal': 'NOT_PROT',
             'fpu': 'FPU', 'mmx': 'MMX', 'masked': 'MASKED', 'bitstr': 'BIT_STRING',
             'fnowait': 'FPU_NOWAIT'}
STACK = {'push': ('Kv', '='), 'pop': ('Kv', ''), 'push2': ('K2v', '='), 'pop2': ('K2v', ''),
         'smem=1w': ('Kv', '='), 'smem=1r': ('Kv', ''), 'smem=8w': ('K8v', '='),
         'smem=8r': ('K8v', ''), 'smem=br': ('Kb', ''), 'smem=qw': ('Kq', '='),
         'smem=dqw': ('Kdq', '=')}
FIXED = {'AL': (0, 'b'), 'AX': (0, 'w'), 'rAX': (0, 'v'), 'zAX': (0, 'z'), 'CL': (1, 'b'), 'DX': (2, 'w')}


class Row:
    """One line of insns.txt, or one opcode of a line that covers several."""


def fail(n, msg):
    sys.exit(f'insns.txt:{n}: {msg}')


def parse_opcode(spec, n):
    """Yield (table, opcode, constraints) for every opcode a line covers."""
    con, words = {}, spec.split()
    enc, mp = 'legacy', '1b'
    if words[0].startswith(('vex.', 'evex.')):
        enc, pp, mp, w = words.pop(0).split('.')
        con['pp'] = {PP[pp]}
        if w != 'wig':
            con['w'] = {int(w[1])}
    elif all(w in PP for w in words[0].split(',')) and len(words) > 1 and \
            words[1] in ('0f', '0f38', '0f3a', '90'):
        con['pp'] = {PP[w] for w in words.pop(0).split(',')}
    if words[0] in ('0f', '0f38', '0f3a') and enc == 'legacy' and len(words) > 1:
        mp = words.pop(0)
    m = re.fullmatch(r'([0-9a-f]{2})(?:\+(r|\d))?', words.pop(0))
    if not m:
        fail(n, f'bad opcode in "{spec}"')
    first = int(m[1], 16)
    count = {None: 1, 'r': 8}.get(m[2]) or int(m[2])
    for w in words:
        parse_constraint(w, con, n)
    for op in range(first, first + count):
        yield enc, mp, op, con


def parse_constraint(w, con, n):
    """One word after the opcode: /digit, /m, /r, exact ModRM, w0, w1, l0..., b0, b1, wm."""
    m = re.fullmatch(r'/([0-7])?([mr])?', w)
    if m:
        if m[1]:
            con['reg'] = {int(m[1])}
        if m[2]:
            con['mod'] = {0 if m[2] == 'm' else 1}
        return
    m = re.fullmatch(r'([c-f][0-9a-f])(?:\+(i|\d))?', w)
    if m:
        rm = int(m[1], 16)
        con['mod'], con['reg'] = {1}, {(rm >> 3) & 7}
        cnt = {None: 1, 'i': 8}.get(m[2]) or int(m[2])
        con['rm'] = set(range(rm & 7, (rm & 7) + cnt))
    elif re.fullmatch(r'w[01]', w):
        con['w'] = {int(w[1])}
    elif w == 'wm':
        con['wm'] = con.pop('w')
    elif re.fullmatch(r'l[0-2]+', w):
        con['l'] = {int(x) for x in w[1:]}
    elif re.fullmatch(r'b[01]', w):
        con['rexb'] = {int(w[1])}
    else:
        fail(n, f'unknown word "{w}"')


def size_code(tok, vec):
    if vec and tok == 'f':
        tok = 'f4'
    return SIZES[tok]


def parse_operand(tok, n):
    """Operand token to (src, rsize, msize, reg, read, write)."""
    read, write = {'=': (0, 1), '+': (1, 1), '~': (0, 0)}.get(tok[0], (1, 0))
    tok = tok.lstrip('=+~')
    if tok in FIXED:
        reg, sz = FIXED[tok]
        return ('FIXED', SIZES[sz], '0', reg, read, write)
    if tok in SEGS:
        return ('SEG', '2', '0', SEGS.index(tok), read, write)
    simple = {'ST0': ('ST0', '10'), 'STi': ('STI', '10'), 'XMM0': ('XMM0', '16'), '1': ('ONE', '1'),
              'KR': ('KR', '8'), 'KV': ('KV', '8'), 'KM': ('KM', '8'), 'Sw': ('SREG', '2'),
              'Ap': ('FAR', '0'), 'I2b': ('IMM2', '1')}
    if tok in simple:
        return (*simple[tok], '0', 0, read, write)
    msize = None
    if '/' in tok:
        tok, mem = tok.split('/')
        msize = SIZES[mem[1:]]
    m = re.fullmatch(r'(VM|[A-Z])(\w*)', tok)
    if not m and tok != 'KM':
        fail(n, f'bad operand "{tok}"')
    if tok == 'KM':
        return ('KM', '8', msize, 0, read, write)
    k, sz = m[1], m[2]
    if k == 'I':
        return ('IMM', {'b': '1', 'bs': 'X86_SZ_V', 'w': '2', 'z': 'X86_SZ_V', 'v': 'X86_SZ_V'}[sz], '0', 0, 1, 0)
    if k == 'J':
        return ('REL', '0', '0', 0, 1, 0)
    src = {'E': 'E', 'G': 'G', 'R': 'R', 'M': 'M', 'Z': 'Z', 'B': 'B', 'O': 'O', 'X': 'STR', 'Y': 'STR',
           'K': 'STACK', 'C': 'CREG', 'D': 'DREG', 'P': 'P', 'Q': 'Q', 'N': 'N', 'V': 'V', 'W': 'W',
           'U': 'U', 'H': 'H', 'L': 'L', 'VM': 'VM'}[k]
    if msize is not None:
        src = {'R': 'E', 'U': 'W', 'N': 'Q'}[src]
    if k == 'R' and sz == 'n':
        return (src, 'X86_SZ_N', '0', 0, read, write)
    if k == 'G' and sz == 'n':
        return (src, 'X86_SZ_N', '0', 0, read, write)
    s = size_code(sz, k in 'VWUHLM')
    if k == 'M' and sz == 'f':
        fail(n, 'Mf')
    return (src, s, s if msize is None else msize, {'X': 6, 'Y': 7}.get(k, 0), read, write)


def imm_kind(toks):
    toks = [t.lstrip('=+~') for t in toks]
    if 'Iw' in toks and 'I2b' in toks:
        return 'WB'
    if 'Ib' in toks and 'I2b' in toks:
        return 'BB'
    for t in toks:
        k = {'Ib': 'B', 'Ibs': 'BS', 'Iw': 'W', 'Iz': 'Z', 'Iv': 'V', 'Jb': 'BS', 'Jz': 'Z', 'Ap': 'FAR',
             'Ob': 'MOFFS', 'Ov': 'MOFFS', 'Lx': 'B'}.get(t)
        if k:
            return k
    return 'NONE'


def opsize_rule(toks, attrs):
    if 'd64' in attrs:
        return 'D64'
    if 'f64' in attrs:
        return 'F64'
    toks = [t.lstrip('=+~') for t in toks]
    if 'nobyte' in attrs or any(re.fullmatch(r'[A-Z]+[vzy]|rAX|zAX', t) for t in toks):
        return 'STD'
    return 'BYTE' if any(t in ('Eb', 'Gb', 'Zb', 'AL', 'Xb', 'Yb', 'Ob') for t in toks) else 'STD'


def flag_mask(s):
    return sum(1 << FLAG[c] for c in s)


def gpr_mask(s):
    return sum(1 << GPR.index(r) for r in s.split(',')) if s else 0


def expand_far(descs):
    """A far pointer shows as two operands: selector and offset."""
    out = []
    for d in descs:
        if d[0] == 'FAR':
            out += [('IMM2', '2', '0', 0, 1, 0), ('IMM', 'X86_SZ_V', '0', 0, 1, 0)]
        else:
            out.append(d)
    return out


def row_flags(r, toks, attrs, descs):
    fl = {ROW_ATTRS[a] for a in attrs if a in ROW_ATTRS}
    kinds = {d[0] for d in descs}
    vec = kinds & {'V', 'W', 'U', 'H', 'XMM0'} or any(a in ('ldmxcsr', 'stmxcsr', 'vldmxcsr', 'vstmxcsr',
                                                             'vzeroall', 'vzeroupper') for a in [r.name])
    if kinds & {'P', 'Q', 'N'} or 'mmx' in attrs:
        fl.add('MMX')
    if r.enc == 'legacy' and vec:
        fl.add('SSE')
    if r.enc == 'vex' and vec:
        fl.add('AVX')
    if r.enc == 'evex' or kinds & {'KR', 'KM', 'KV'}:
        fl |= {'AVX', 'AVX512'}
    if r.enc != 'legacy':
        fl.add('NOT_PROT')
    if 'priv' in attrs:
        fl.add('PRIV')
    if 'VM' in kinds:
        fl |= {'VSIB', 'MASKED'}
    if 'align' in attrs or (r.enc == 'legacy' and 'unal' not in attrs and
                            any(d[0] in 'WM' and d[2] in ('X86_SZ_X', '16') and d[0] == 'W' for d in descs)):
        fl.add('MEM_ALIGN')
    if kinds & {'STR', 'STACK'}:
        fl.add('IMPLICIT_MEM')
    if any(a in attrs for a in ('push', 'pop', 'push2', 'pop2', 'irsp')):
        fl.add('IMPLICIT_RSP')
    if 'repok' in attrs:
        fl.add('REPZ_IGNORED')
    return fl


def implicit_regs(attrs, toks, descs):
    rd = wr = 0
    for a in attrs:
        if a.startswith('ir='):
            rd |= gpr_mask(a[3:])
        elif a.startswith('iw='):
            wr |= gpr_mask(a[3:])
    for d in descs:
        if d[0] in ('FIXED', 'STR'):
            rd |= (1 << d[3]) if d[0] == 'STR' or d[4] else 0
            wr |= (1 << d[3]) if d[0] == 'FIXED' and d[5] else 0
    if any(a in attrs for a in ('push', 'pop', 'push2', 'pop2', 'irsp')):
        rd |= 1 << 4
        wr |= 1 << 4
    return rd, wr


def parse_row(line, n, features):
    cols = [c.strip() for c in line.split('|')]
    if len(cols) not in (2, 3):
        fail(n, 'expected "opcode | instruction | attributes"')
    name, _, ops = cols[1].partition(' ')
    toks = [t for t in ops.replace(' ', '').split(',') if t]
    attrs = cols[2].split() if len(cols) == 3 else []
    for enc, mp, op, con in parse_opcode(cols[0], n):
        r = Row()
        r.name, r.enc, r.map, r.opcode, r.line = name, enc, mp, op, n
        r.con = dict(con)
        if 'm64' in attrs:
            r.con['mode'] = {1}
        if 'no64' in attrs:
            r.con['mode'] = {0}
        descs = [parse_operand(t, n) for t in toks]
        r.modrm = bool({'mod', 'reg', 'rm'} & set(con)) or enc != 'legacy' and name not in ('vzeroall', 'vzeroupper') \
            or mp in ('0f38', '0f3a') or any(d[0] in ('E', 'G', 'R', 'M', 'SREG', 'CREG', 'DREG', 'P', 'Q', 'N', 'V',
                                                        'W', 'U', 'STI', 'KR', 'KM', 'VM') for d in descs)
        r.imm = imm_kind(toks)
        descs = expand_far(descs)
        for a in attrs:
            if a in STACK:
                tok, acc = STACK[a]
                descs.append(parse_operand(acc + tok, n))
        r.descs = descs
        if any(d[0] == 'R' and 'anymod' not in attrs or d[0] in ('U', 'N') for d in descs):
            r.con.setdefault('mod', {1})
        if any(d[0] in ('M', 'VM') for d in descs):
            r.con.setdefault('mod', {0})
        set_length(r, attrs, descs)
        r.osz = opsize_rule(toks, attrs)
        form = {FORM_ATTRS[a] for a in attrs if a in FORM_ATTRS}
        if enc == 'legacy' and con.get('pp') == {1}:
            form.add('MAND66')
        if any(d[0] in ('H', 'B', 'KV') for d in descs):
            form.add('VVVV')
        if 'wm' in con or 'wgpr' in attrs or any('X86_SZ_Y' in d[1:3] for d in descs):
            form.add('WGPR')
        if 'k' in attrs or 'kz' in attrs:
            form.add('K')
        if 'kz' in attrs:
            form.add('Z')
        r.form = form
        r.bcast = next((int(a[1:]) for a in attrs if re.fullmatch(r'b[248]', a)), 0)
        r.scale = next((int(a[1:]) for a in attrs if re.fullmatch(r'n[1248]', a)), 0)
        r.flags = row_flags(r, toks, attrs, descs)
        r.cls = next((c for a, c in (('priv', 'SYSTEM'), ('sys', 'SYSTEM'), ('br', 'BRANCH'), ('str', 'STRING'),
                                     ('ud', 'UD')) if a in attrs), 'ORDINARY')
        fl = {a[0]: flag_mask(a[2:]) for a in attrs if re.match(r'[rwu]=', a)}
        r.fr, r.fw, r.fu = (fl.get(k, 0) for k in 'rwu')
        r.ir, r.iw = implicit_regs(attrs, toks, descs)
        known = {'d64', 'f64', 'br', 'sys', 'priv', 'str', 'ud', 'push', 'pop', 'push2', 'pop2', 'irsp', 'imem', 'far',
                 'nobyte', 'unal', 'align', 'repok', 'k', 'kz', 'kpair', 'xd', 'gpr', 'vi=x', 'wgpr'}
        feats = [a for a in attrs if a in features]
        for a in attrs:
            if a not in known and a not in FORM_ATTRS and a not in ROW_ATTRS and a not in STACK and \
                    a not in features and not re.match(r'(ir=|iw=|[rwu]=|b[248]$|n[1248]$)', a):
                fail(n, f'unknown attribute "{a}"')
        r.feature = feats[0] if feats else 'none'
        yield r


def set_length(r, attrs, descs):
    """Allowed vector lengths when the line does not say."""
    if r.enc == 'legacy':
        return
    if 'lig' in attrs:
        r.con['l'] = {0, 1, 2} if r.enc == 'evex' else {0, 1}
        return
    vl = any(s in ('X86_SZ_X', 'X86_SZ_H', 'X86_SZ_Q', 'X86_SZ_E') for d in descs for s in d[1:3])
    full = {0, 1, 2} if r.enc == 'evex' else {0, 1}
    r.con.setdefault('l', full if vl else {0})


class Tables:
    """The selection trie, with equal nodes shared."""

    def __init__(self):
        self.words, self.seen = [], {}

    def build(self, rows, dims):
        if not rows:
            return 0
        while dims and all(dims[0][0] not in r.con for r in rows):
            dims = dims[1:]
        if not dims:
            if len(rows) > 1:
                fail(rows[1].line, f'{rows[1].name} has the same encoding as line {rows[0].line}')
            return rows[0].index + 1
        name, n, cname = dims[0]
        kids = tuple(self.build([r for r in rows if v in r.con.get(name, range(n))], dims[1:]) for v in range(n))
        key = (cname, kids)
        if key not in self.seen:
            self.seen[key] = len(self.words)
            self.words += [cname, *kids]
        return 0x8000 | self.seen[key]


def parse(path):
    features, rows = {}, []
    with open(path, encoding='ascii') as f:
        for n, line in enumerate(f, 1):
            line = line.split('#')[0].strip()
            if not line:
                continue
            if line.startswith('feature '):
                _, name, leaf, sub, reg, bit = line.split()
                features[name] = (int(leaf, 16), int(sub, 16), 'abcd'.index(reg), int(bit))
                continue
            rows += parse_row(line, n, features)
    return features, rows


def add_zero_counts(rows):
    """After each shift by an immediate put its twin for a masked count of 0."""
    out = []
    for r in rows:
        r.hidden = False
        out.append(r)
        if 'SHIFTIMM' in r.form:
            z = Row()
            z.__dict__.update(r.__dict__)
            z.fr = z.fw = z.fu = 0
            z.hidden = True
            out.append(z)
    for i, r in enumerate(out):
        r.index = i
    return out


def bits(names, prefix):
    return ' | '.join(prefix + x for x in sorted(names)) or '0'


def write_ops(path, features, rows):
    with open(path, 'w', encoding='ascii') as f:
        f.write('/* Generated by gen_tables.py from insns.txt. */\n#ifndef HULL_ISA_X86_OPS_H\n'
                '#define HULL_ISA_X86_OPS_H\n\nenum x86_op {\n')
        for name in sorted({r.name for r in rows}):
            f.write(f'\tX86_OP_{name.upper()},\n')
        f.write('\tX86_NOPS,\n};\n\nenum x86_feature {\n\tX86_FEAT_NONE,\n')
        for name in features:
            f.write(f'\tX86_FEAT_{name.upper()},\n')
        f.write('\tX86_NFEATURES,\n};\n\n#endif\n')


def write_tables(path, features, rows):
    tabs, descs = Tables(), {}
    index = [[tabs.build([r for r in rows if not r.hidden and TABLES[r.enc, r.map] == t and r.opcode == op], DIMS)
              for op in range(256)] for t in range(10)]
    with open(path, 'w', encoding='ascii') as f:
        f.write('/* Generated by gen_tables.py from insns.txt. */\n#include "isa/x86/tables.h"\n\n')
        f.write('const struct x86_row x86_rows[] = {\n')
        for r in rows:
            f.write(f'\t{{"{r.name}", X86_OP_{r.name.upper()}, X86_C_{r.cls}, {bits(r.flags, "X86_R_")}, '
                    f'0x{r.fr:x}, 0x{r.fw | r.fu:x}, 0x{r.fu:x}, 0x{r.ir:x}, 0x{r.iw:x}, '
                    f'X86_FEAT_{r.feature.upper()}}},\n')
        f.write('};\nconst unsigned x86_nrows = sizeof(x86_rows) / sizeof(x86_rows[0]);\n\n')
        f.write('const struct x86_form x86_forms[] = {\n')
        for r in rows:
            ids = [descs.setdefault(d, len(descs)) for d in r.descs]
            f.write(f'\t{{{bits(r.form, "X86_FORM_")}, X86_OSZ_{r.osz}, X86_IMM_{r.imm}, {r.bcast}, {r.scale}, '
                    f'{len(ids)}, {{{", ".join(map(str, ids)) or 0}}}}},\n')
        f.write('};\n\nconst struct x86_opdesc x86_opdescs[] = {\n')
        for d in descs:
            f.write(f'\t{{X86_SRC_{d[0]}, {d[1]}, {d[2]}, {d[3]}, {d[4]}, {d[5]}}},\n')
        f.write('};\n\nconst u16 x86_nodes[] = {\n')
        for i in range(0, len(tabs.words), 12):
            f.write('\t' + ', '.join(str(w) for w in tabs.words[i:i + 12]) + ',\n')
        f.write('};\n\nconst u16 x86_index[X86_NTABLES][256] = {\n')
        for t in index:
            f.write('\t{' + ', '.join(map(str, t)) + '},\n')
        f.write('};\n\nconst u32 x86_has_modrm[X86_NTABLES][8] = {\n')
        for t in range(10):
            m = {r.opcode for r in rows if TABLES[r.enc, r.map] == t and r.modrm}
            f.write('\t{' + ', '.join(hex(sum(1 << b for b in range(32) if w * 32 + b in m)) for w in range(8)) + '},\n')
        f.write('};\n\nstruct x86_cpuid_bit x86_feature_cpuid(unsigned feature)\n{\n'
                '\tstatic const struct x86_cpuid_bit bits[X86_NFEATURES] = {\n\t\t{0, 0, 0, 0},\n')
        for leaf, sub, reg, bit in features.values():
            f.write(f'\t\t{{0x{leaf:x}, {sub}, {reg}, {bit}}},\n')
        f.write('\t};\n\n\treturn bits[feature < X86_NFEATURES ? feature : 0];\n}\n')
    if len(descs) > 255 or len(rows) > 0x7ffe or len(tabs.words) > 0x7fff:
        sys.exit('insns.txt: tables grew past their index types')


def main():
    features, rows = parse(sys.argv[1])
    rows = add_zero_counts(rows)
    write_ops(sys.argv[2], features, rows)
    write_tables(sys.argv[3], features, rows)


if __name__ == '__main__':
    main()
