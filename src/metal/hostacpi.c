/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/hostacpi.h"

#include "base/span.h"

#include <string.h>

enum { HEADER = 36, RSDP_OLD = 20, RSDP_NEW = 36, TABLE_MAX = 1 << 20 };

static u8 sum(const u8 *p, u64 n)
{
	u8 s = 0;

	while (n--)
		s = (u8)(s + *p++);
	return s;
}

static bool is_rsdp(const u8 *p)
{
	return p && !memcmp(p, "RSD PTR ", 8) && !sum(p, RSDP_OLD);
}

/* Where BIOS leaves it: the EBDA's first KiB and the ROM area, section 5.2.5.1. */
static const u8 *scan(const struct boot_memory *m, u64 from, u64 to)
{
	for (u64 at = from; at < to; at += 16) {
		const u8 *p = m->at(m->opaque, at, RSDP_NEW);

		if (is_rsdp(p))
			return p;
	}
	return NULL;
}

static const u8 *find_rsdp(const struct bootinfo *b, const struct boot_memory *m)
{
	const u8 *p = b->rsdp_copy ? b->rsdp_bytes : NULL;

	if (!is_rsdp(p) && b->rsdp)
		p = m->at(m->opaque, b->rsdp, RSDP_NEW);
	if (!is_rsdp(p))
		p = scan(m, 0x9fc00, 0xa0000);
	return is_rsdp(p) ? p : scan(m, 0xe0000, 0x100000);
}

/* A table with a sound header and checksum, or an empty bad span. */
static struct span table_at(const struct boot_memory *m, u64 addr, struct hostacpi *a)
{
	struct span bad = {.bad = true};
	const u8 *h = addr ? m->at(m->opaque, addr, HEADER) : NULL;
	u32 len = h ? load_le32(h + 4) : 0;

	if (!h || len < HEADER || len > TABLE_MAX || !m->at(m->opaque, addr, len)) {
		a->complaint = "a table lies outside memory or has no sensible length";
		return bad;
	}
	if (sum(h, len)) {
		a->complaint = "a table's checksum is wrong";
		return bad;
	}
	return span_of(h, len);
}

static void add_cpu(struct hostacpi *a, u32 id, u32 flags)
{
	if (!(flags & 1))
		return;
	for (unsigned i = 0; i < a->ncpus; i++)
		if (a->apic_id[i] == id)
			return;
	if (a->ncpus == HOSTACPI_CPUS_MAX)
		a->more++;
	else
		a->apic_id[a->ncpus++] = id;
}

/* Section 5.2.12: 0 local APIC, 1 I/O APIC, 9 local x2APIC. */
static void parse_madt(struct span *t, struct hostacpi *a)
{
	for (u64 at = 44; at + 2 <= t->len;) {
		u8 type = span_u8(t, at), len = span_u8(t, at + 1);

		if (len < 2 || at + len > t->len) {
			a->complaint = "the MADT is cut short";
			return;
		}
		if (type == 0 && len >= 8)
			add_cpu(a, span_u8(t, at + 3), span_le32(t, at + 4));
		else if (type == 9 && len >= 16)
			add_cpu(a, span_le32(t, at + 4), span_le32(t, at + 8));
		else if (type == 1 && len >= 12 && !a->ioapic)
			a->ioapic = span_le32(t, at + 4);
		at += len;
	}
}

/* An integer of a package: byte prefix 0Ah, ZeroOp, OneOp (section 20.2.3). */
static bool small_int(struct span *t, u64 *at, u8 *v)
{
	u8 op = span_u8(t, *at);

	if (op == 0x0a) {
		*v = span_u8(t, *at + 1);
		*at += 2;
		return !t->bad;
	}
	*v = op;
	*at += 1;
	return op <= 1 && !t->bad;
}

/* Name (\_S5_, Package (n) {a, b, ...}) somewhere in the DSDT. */
static void parse_dsdt(struct span *t, struct hostacpi *a)
{
	for (u64 at = HEADER; at + 8 < t->len; at++) {
		u64 p = at + 4;

		if (memcmp(t->p + at, "_S5_", 4) || t->p[p] != 0x12)
			continue;
		p += 1 + (t->p[p + 1] >> 6) + 2; /* package length, number of elements */
		if (small_int(t, &p, &a->s5_a) && small_int(t, &p, &a->s5_b)) {
			a->have_s5 = true;
			return;
		}
	}
}

static void parse_fadt(struct span *t, const struct boot_memory *m, struct hostacpi *a)
{
	enum { DSDT = 40, PM1A = 64, PM1B = 68, RESET = 116, RESET_VALUE = 128, X_DSDT = 140 };
	u64 dsdt = t->len >= X_DSDT + 8 ? load_le64(t->p + X_DSDT) : 0;
	struct span d;

	a->pm1a_cnt = (u16)span_le32(t, PM1A);
	a->pm1b_cnt = (u16)span_le32(t, PM1B);
	if (t->len > RESET_VALUE && t->p[RESET] <= 1) {
		a->reset_space = t->p[RESET];
		a->reset_addr = load_le64(t->p + RESET + 4);
		a->reset_value = t->p[RESET_VALUE];
	}
	d = table_at(m, dsdt ? dsdt : span_le32(t, DSDT), a);
	if (!d.bad)
		parse_dsdt(&d, a);
}

int hostacpi_parse(const struct bootinfo *b, const struct boot_memory *m, struct hostacpi *a)
{
	const u8 *rsdp = find_rsdp(b, m);
	unsigned step;
	struct span root;
	u64 addr;

	memset(a, 0, sizeof(*a));
	if (!rsdp)
		return -E_NOENT;
	step = rsdp[15] >= 2 && load_le64(rsdp + 24) ? 8 : 4;
	addr = step == 8 ? load_le64(rsdp + 24) : load_le32(rsdp + 16);
	root = table_at(m, addr, a);
	if (root.bad)
		return -E_NOENT;
	for (u64 at = HEADER; at + step <= root.len; at += step) {
		struct span t = table_at(m, load_le(root.p + at, step), a);

		if (t.bad)
			continue;
		if (!memcmp(t.p, "APIC", 4))
			parse_madt(&t, a);
		else if (!memcmp(t.p, "FACP", 4))
			parse_fadt(&t, m, a);
	}
	return 0;
}
