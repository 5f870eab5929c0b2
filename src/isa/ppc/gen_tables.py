#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Make ops.h (enum ppc_op) and tables.c from insns.txt.

usage: gen_tables.py insns.txt ops.h tables.c
The format of insns.txt is described at its head.
"""
import sys

# Extended opcode: (lowest bit from the right, width), and bits that are always set.
FORMS = {'D': (0, 0), 'DS': (0, 2), 'DQ': (0, 3), 'DQ16': (0, 0), 'X': (1, 10), 'XO': (1, 9), 'XS': (2, 9),
         'XL': (1, 10), 'M': (0, 0), 'MD': (2, 3), 'MDS': (1, 4), 'A': (1, 5), 'VX': (0, 11), 'VC': (0, 10),
         'VA': (0, 6), 'XX1': (1, 10), 'XX2': (2, 9), 'XX3': (3, 8), 'XC': (3, 7), 'XX4': (4, 2), 'XDM': (3, 5),
         'BCD': (0, 9), 'Z23': (1, 8), 'DX': (1, 5), 'I': (0, 0), 'B': (0, 0), 'SC': (0, 2), 'XD': (3, 8)}
SELECT = {'A': (25, 1), 'RA': (16, 5), 'OC': (20, 1), 'Rc': (0, 1), 'CP': (21, 1)}
# Operand: the bits it takes.
R = {'RT': 21, 'RA': 16, 'RB': 11, 'RC': 6}
OPERANDS = {'RS': 0x1f << 21, 'RTp': 0x1f << 21, 'RSp': 0x1f << 21, 'RA0': 0x1f << 16, 'FRTp': 0x1f << 21,
            'FRSp': 0x1f << 21, 'XT': 0x1f << 21 | 1, 'XA': 0x1f << 16 | 4, 'XB': 0x1f << 11 | 2,
            'XC': 0x1f << 6 | 8, 'XTQ': 0x1f << 21 | 8, 'SI': 0xffff, 'UI': 0xffff,
            'D(RA0)': 0x1fffff, 'D(RA)': 0x1fffff, 'DS(RA0)': 0x1ffffc, 'DS(RA)': 0x1ffffc, 'DQ(RA0)': 0x1ffff0,
            'BF': 7 << 23, 'BFF': 7 << 23, 'BFA': 7 << 18, 'L': 1 << 21, 'BI': 0x1f << 16, 'BO': 0x1f << 21, 'BH': 3 << 11,
            'BD': 0xfffc, 'LI': 0x3fffffc, 'TO': 0x1f << 21, 'SH': 0x1f << 11, 'MB': 0x1f << 6, 'ME': 0x1f << 1,
            'SH6': 0x1f << 11 | 2, 'MB6': 0x3f << 5, 'ME6': 0x3f << 5, 'FXM': 0xff << 12, 'SPR': 0x3ff << 11,
            'FLM': 0xff << 17, 'W': 1 << 16, 'LB': 1 << 25, 'U': 0xf << 12, 'BT': 0x1f << 21, 'BA': 0x1f << 16,
            'BB': 0x1f << 11, 'BC': 0x1f << 6, 'BTF': 0x1f << 21, 'NB': 0x1f << 11, 'SIM': 0x1f << 16,
            'UIM5': 0x1f << 16, 'UIM4': 0xf << 16, 'UIM3': 7 << 16, 'UIM2': 3 << 16, 'SHB': 0xf << 6,
            'ST': 1 << 15, 'SIX': 0xf << 11, 'PS': 1 << 9, 'DM': 3 << 8, 'SHW': 3 << 8, 'IMM8': 0xff << 11,
            'DCMX': 0x7f << 16, 'DCMXS': 0x1f << 16 | 1 << 6 | 4, 'LS': 3 << 21, 'LF': 3 << 21, 'WC': 3 << 21,
            'LM': 1 << 16, 'LDARN': 3 << 16, 'TH': 0x1f << 21, 'CT': 0xf << 21, 'EH': 1, 'LEV': 0x7f << 5,
            'RQ': 1 << 16, 'RMC': 3 << 9, 'RIC': 3 << 18, 'PRS': 1 << 17, 'R': 1 << 16, 'FC': 0x1f << 11,
            'BHRBE': 0x3ff << 11, 'A25': 1 << 25, 'R21': 1 << 21, 'L21': 1 << 21, 'SI5': 0x1f << 11,
            'CY': 3 << 9, 'DX': 0x3ff << 6 | 0x1f << 16 | 1, 'S': 1 << 11, 'IH': 7 << 21, 'DRM': 7 << 11,
            'RM': 3 << 11}
for _n, _s in R.items():
    OPERANDS[_n] = 0x1f << _s
    OPERANDS['F' + _n] = OPERANDS['V' + _n] = 0x1f << _s
OPERANDS['FRS'] = OPERANDS['VRS'] = 0x1f << 21
# Attribute: (bit, flag) of bits that the row leaves open.
OPEN = {'rc': 'RC', 'oe': 'OE', 'lk': 'LK', 'aa': 'AA', 'ro': 'RO', 'rx': 'RX'}
FLAGS = {'v3': 'V3', 'priv': 'PRIV', 'hv': 'HV', 'end': 'END', 'ld': 'LD', 'st': 'ST', 'tm': 'TM'}
FACS = {'fp': 'FP', 'vec': 'VEC', 'vsx': 'VSX', 'sx': 'SX', 'sxq': 'SXQ', 'fx': 'FX', 'none': 'NONE'}


def fail(n, msg):
    sys.exit(f'insns.txt:{n}: {msg}')


def open_bit(attr, form):
    if attr == 'rc':
        return 1 << 10 if form in ('VC', 'XC') else 1
    return {'oe': 1 << 10, 'lk': 1, 'aa': 2, 'ro': 1, 'rx': 1}[attr]


def facility(opnds, attrs):
    for a in attrs:
        if a.startswith('fac='):
            return FACS[a[4:]]
    kinds = {o[0] for o in opnds if o.startswith(('FR', 'VR', 'XT', 'XA', 'XB'))}
    return 'VSX' if 'X' in kinds else 'VEC' if 'V' in kinds else 'FP' if 'F' in kinds else 'NONE'


def parse(n, line):
    w = line.split()
    if len(w) < 4 or w[1] not in FORMS:
        fail(n, 'not MNEMONIC FORM OPCODE OPERANDS')
    name, form, opnds, attrs = w[0], w[1], [] if w[3] == '-' else w[3].split(','), w[4:]
    code, *sel = w[2].split('/')
    prim, _, ext = code.partition('.')
    low, width = FORMS[form]
    mask = 0x3f << 26 | ((1 << width) - 1) << low
    value = int(prim) << 26 | int(ext or 0) << low
    if int(ext or 0) >> width:
        fail(n, 'extended opcode too large')
    if form == 'BCD':
        value |= 1 << 10
    if form == 'XD':
        mask &= ~(1 << 6)
    base, chosen = (value, mask), 0
    for s in sel:
        k, v = s.split('=')
        low, width = SELECT[k]
        value |= int(v) << low
        chosen |= ((1 << width) - 1) << low
    loose, flags = 0, []
    for o in opnds:
        if o not in OPERANDS:
            fail(n, f'unknown operand {o}')
        if OPERANDS[o] & (mask | loose):
            fail(n, f'operand {o} overlaps')
        loose |= OPERANDS[o]
    for a in attrs:
        if a in OPEN:
            loose |= open_bit(a, form)
            flags.append(OPEN[a])
        elif a.startswith('dc='):
            loose |= int(a[3:], 0)
        elif a in FLAGS:
            flags.append(FLAGS[a])
        elif not a.startswith('fac='):
            fail(n, f'unknown attribute {a}')
    if loose & mask:
        fail(n, 'open bits overlap the opcode')
    if form in ('VC', 'XC') and 'RC' in flags:
        flags[flags.index('RC')] = 'RC21'
    return dict(name=name, mask=~loose & 0xffffffff, value=value, base=base, chosen=chosen, flags=flags, opnds=opnds,
                fac=facility(opnds, attrs))


def fix_opcodes(rows):
    """Bits that tell one instruction from another; the rest of mask is reserved fields."""
    chosen = {}
    for r in rows:
        chosen[r['base']] = chosen.get(r['base'], 0) | r['chosen']
    for r in rows:
        r['fixed'] = (r['base'][1] | chosen[r['base']]) & r['mask'] | r['chosen']


def ident(name):
    return name.upper().replace('.', '_')


def opnd_ident(o):
    return 'PPC_OPND_' + o.replace('(', '_').replace(')', '').upper()


def buckets(rows):
    """For each primary opcode and low 11 bits the rows to try, as lists in one pool."""
    pool, seen, index = [], {}, []

    def put(ids):
        if tuple(ids) not in seen:
            seen[tuple(ids)] = len(pool)
            pool.extend(ids + [0xffff])
        return seen[tuple(ids)]
    for p in range(64):
        mine = [i for i, r in enumerate(rows) if r['value'] >> 26 == p]
        mine.sort(key=lambda i: -bin(rows[i]['mask']).count('1'))
        if not any(rows[i]['fixed'] & 0x7ff for i in mine):
            index.append((put(mine), None))
            continue
        index.append((0, [put([i for i in mine if (k ^ rows[i]['value']) & rows[i]['fixed'] & 0x7ff == 0])
                          for k in range(2048)]))
    return pool, index


def write_ops(f, rows):
    f.write('/* SPDX-License-Identifier: MIT OR GPL-2.0-only */\n/* Made by gen_tables.py from insns.txt. */\n'
            '#ifndef HULL_ISA_PPC_OPS_H\n#define HULL_ISA_PPC_OPS_H\n\nenum ppc_op {\n\tPPC_OP_NONE,\n')
    names = []
    for r in rows:
        if ident(r['name']) not in names:
            names.append(ident(r['name']))
    f.write(''.join(f'\tPPC_OP_{n},\n' for n in names))
    f.write('\tPPC_OP_COUNT\n};\n\n/* Calls X(NAME) for every one. */\n#define PPC_OPS(X) \\\n')
    f.write(' \\\n'.join(f'\tX({n})' for n in names) + '\n\nenum ppc_opnd {\n\tPPC_OPND_NONE,\n')
    f.write(''.join(f'\t{opnd_ident(o)},\n' for o in OPERANDS) + '};\n\n#endif\n')


def write_tables(f, rows):
    pool, index = buckets(rows)
    f.write('/* SPDX-License-Identifier: MIT OR GPL-2.0-only */\n/* Made by gen_tables.py from insns.txt. */\n'
            '#include "isa/ppc/tables.h"\n\nconst struct ppc_row ppc_rows[] = {\n')
    for r in rows:
        fl = ' | '.join('PPC_F_' + x for x in r['flags']) or '0'
        ops = ', '.join(opnd_ident(o) for o in r['opnds']) or 'PPC_OPND_NONE'
        f.write(f'\t{{0x{r["mask"]:08x}, 0x{r["fixed"]:08x}, 0x{r["value"]:08x}, PPC_OP_{ident(r["name"])}, {fl}, PPC_FAC_{r["fac"]}, '
                f'{{{ops}}}, "{r["name"]}"}},\n')
    f.write(f'}};\nconst unsigned ppc_nrows = {len(rows)};\n\nconst u16 ppc_pool[] = {{')
    for i, v in enumerate(pool):
        f.write(('\n\t' if i % 16 == 0 else ' ') + f'{v},')
    f.write('\n};\n')
    for p, (_, ext) in enumerate(index):
        if ext:
            f.write(f'\nstatic const u16 ext{p}[2048] = {{')
            for i, v in enumerate(ext):
                f.write(('\n\t' if i % 16 == 0 else ' ') + f'{v},')
            f.write('\n};\n')
    f.write('\nconst struct ppc_primary ppc_primaries[64] = {\n')
    f.write(''.join(f'\t{{{one}, {f"ext{p}" if ext else "NULL"}}},\n' for p, (one, ext) in enumerate(index)))
    f.write('};\n')


def main():
    src, ops, tables = sys.argv[1:]
    with open(src) as f:
        rows = [parse(n, x) for n, x in enumerate(f, 1) if x.strip() and x[0] != '#']
    fix_opcodes(rows)
    with open(ops, 'w') as f:
        write_ops(f, rows)
    with open(tables, 'w') as f:
        write_tables(f, rows)


main()
