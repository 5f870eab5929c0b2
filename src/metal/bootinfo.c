/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/bootinfo.h"

#include "abi/multiboot.h"
#include "base/span.h"

#include <string.h>

static void copy_text(char *to, u64 cap, const u8 *from, u64 len)
{
	u64 n = 0;

	for (; n + 1 < cap && n < len && from[n]; n++)
		to[n] = from[n] >= ' ' && from[n] < 0x7f ? (char)from[n] : '?';
	to[n] = 0;
}

bool bootinfo_add(struct bootinfo *b, const char *name, u64 len, u64 addr, u64 size)
{
	struct boot_module *m;

	if (b->nmodules == BOOT_MODULES_MAX)
		return false;
	m = &b->module[b->nmodules++];
	*m = (struct boot_module){.addr = addr, .size = size};
	copy_text(m->name, sizeof(m->name), (const u8 *)name, len);
	return true;
}

struct boot_module *bootinfo_find(struct bootinfo *b, const char *name)
{
	for (unsigned i = 0; i < b->nmodules; i++)
		if (!strcmp(b->module[i].name, name))
			return &b->module[i];
	return NULL;
}

static void add_region(struct bootinfo *b, u64 addr, u64 size, u32 type)
{
	if (size && b->nregions < BOOT_REGIONS_MAX)
		b->region[b->nregions++] = (struct boot_region){addr, size, type};
}

/* ---- multiboot2, section 3.6 ------------------------------------------------------ */

/* A module's name is the first word of its string, without directories. */
static void mb2_module(struct bootinfo *b, struct span *tag)
{
	u64 start = span_le32(tag, 8), end = span_le32(tag, 12), len = 0, from = 0;
	const u8 *s = tag->len > 16 ? tag->p + 16 : NULL;

	for (; s && len < tag->len - 16 && s[len] && s[len] != ' '; len++)
		if (s[len] == '/')
			from = len + 1;
	if (!tag->bad)
		bootinfo_add(b, s ? (const char *)s + from : "", len - from, start,
			     end > start ? end - start : 0);
}

static void mb2_memory(struct bootinfo *b, struct span *tag)
{
	u32 step = span_le32(tag, 8);

	for (u64 at = 16; step >= 24 && at + 24 <= tag->len; at += step)
		add_region(b, span_le64(tag, at), span_le64(tag, at + 8), span_le32(tag, at + 16));
}

static void mb2_tag(struct bootinfo *b, u32 type, struct span *tag)
{
	enum { ACPI_OLD = 14 };

	switch (type) {
	case MB2_I_CMDLINE:
		copy_text(b->cmdline, sizeof(b->cmdline), tag->p + 8, tag->len - 8);
		break;
	case MB2_I_MODULE:
		mb2_module(b, tag);
		break;
	case MB2_I_MMAP:
		mb2_memory(b, tag);
		break;
	case ACPI_OLD:
	case MB2_I_ACPI_NEW:
		if (b->rsdp_copy && type == ACPI_OLD)
			break;
		b->rsdp_copy = true;
		memcpy(b->rsdp_bytes, tag->p + 8, min_u64(tag->len - 8, sizeof(b->rsdp_bytes)));
		break;
	default:
		break;
	}
}

static int parse_mb2(u64 info, const struct boot_memory *m, struct bootinfo *b)
{
	const u8 *head = m->at(m->opaque, info, 8), *all;
	struct span s;
	u64 at = 8;

	all = head ? m->at(m->opaque, info, load_le32(head)) : NULL;
	if (!all || load_le32(head) < 16)
		return -E_INVAL;
	s = span_of(all, load_le32(head));
	while (at + 8 <= s.len) {
		u32 type = span_le32(&s, at), size = span_le32(&s, at + 4);
		struct span tag;

		if (type == MB2_I_END)
			break;
		tag = span_sub(&s, at, size);
		if (size < 8 || tag.bad)
			return -E_INVAL;
		mb2_tag(b, type, &tag);
		at += align_up(size, 8);
	}
	b->loader = "multiboot2";
	return 0;
}

/* ---- PVH, Xen's start_info.h ---------------------------------------------------------- */

static void pvh_modules(struct bootinfo *b, const struct boot_memory *m, u64 list, u32 n)
{
	for (u32 i = 0; i < n && i < BOOT_MODULES_MAX; i++) {
		const u8 *p = m->at(m->opaque, list + (u64)i * PVH_MOD_SIZE, PVH_MOD_SIZE);
		const u8 *name = p && load_le64(p + 16)
					 ? m->at(m->opaque, load_le64(p + 16), BOOT_NAME_MAX)
					 : NULL;
		u64 len = 0;

		if (!p)
			return;
		while (name && len < BOOT_NAME_MAX && name[len] && name[len] != ' ')
			len++;
		bootinfo_add(b, name ? (const char *)name : "", len, load_le64(p),
			     load_le64(p + 8));
	}
}

static int parse_pvh(const u8 *p, const struct boot_memory *m, struct bootinfo *b)
{
	u64 cmdline = load_le64(p + PVH_CMDLINE), map = load_le64(p + PVH_MEMMAP);
	u32 n = load_le32(p + PVH_MEMMAP_ENTRIES);
	const u8 *text;

	if (!load_le32(p + PVH_VERSION))
		return -E_INVAL;
	text = cmdline ? m->at(m->opaque, cmdline, sizeof(b->cmdline)) : NULL;
	if (text)
		copy_text(b->cmdline, sizeof(b->cmdline), text, sizeof(b->cmdline));
	b->rsdp = load_le64(p + PVH_RSDP);
	for (u32 i = 0; i < n && i < BOOT_REGIONS_MAX; i++) {
		const u8 *r = m->at(m->opaque, map + (u64)i * PVH_MEMMAP_SIZE, PVH_MEMMAP_SIZE);

		if (!r)
			return -E_INVAL;
		add_region(b, load_le64(r), load_le64(r + 8), load_le32(r + 16));
	}
	pvh_modules(b, m, load_le64(p + PVH_MODLIST), load_le32(p + PVH_NR_MODULES));
	b->loader = "PVH";
	return 0;
}

int bootinfo_parse(u32 magic, u64 info, const struct boot_memory *m, struct bootinfo *out)
{
	const u8 *p = m->at(m->opaque, info, PVH_SIZE);

	memset(out, 0, sizeof(*out));
	out->loader = "unknown";
	if (magic == MB2_BOOT_MAGIC)
		return parse_mb2(info, m, out);
	if (p && load_le32(p) == PVH_MAGIC)
		return parse_pvh(p, m, out);
	return -E_INVAL;
}

/* ---- checks --------------------------------------------------------------------------- */

static bool overlap(u64 a, u64 a_len, u64 b, u64 b_len)
{
	return a < b + b_len && b < a + a_len;
}

static bool in_ram(const struct bootinfo *b, u64 addr, u64 size)
{
	for (unsigned i = 0; i < b->nregions; i++)
		if (b->region[i].type == BOOT_RAM && addr >= b->region[i].addr &&
		    range_inside(addr - b->region[i].addr, size, b->region[i].size))
			return true;
	return false;
}

void bootinfo_check(struct bootinfo *b, u64 image, u64 image_end, u64 max)
{
	for (unsigned i = 0; i < b->nmodules; i++) {
		struct boot_module *m = &b->module[i];

		if (!m->size)
			m->bad = "it is empty";
		else if (!range_inside(m->addr, m->size, max) || !in_ram(b, m->addr, m->size))
			m->bad = "it does not lie in memory";
		else if (overlap(m->addr, m->size, image, image_end - image))
			m->bad = "it overlaps the hypervisor";
		for (unsigned k = 0; !m->bad && k < i; k++)
			if (!b->module[k].bad &&
			    overlap(m->addr, m->size, b->module[k].addr, b->module[k].size))
				m->bad = "it overlaps another module";
		m->data = m->bad ? NULL : (const u8 *)(uintptr_t)m->addr;
	}
}

/* ---- cpio, Linux Documentation/driver-api/early-userspace/buffer-format.rst ------------- */

enum { CPIO_HEADER = 110, CPIO_MODE = 14, CPIO_SIZE = 54, CPIO_NAME_SIZE = 94 };

static bool hex8(const u8 *p, u64 *out)
{
	*out = 0;
	for (unsigned i = 0; i < 8; i++) {
		u8 c = p[i] | 0x20;

		if (p[i] >= '0' && p[i] <= '9')
			*out = *out << 4 | (u64)(p[i] - '0');
		else if (c >= 'a' && c <= 'f')
			*out = *out << 4 | (u64)(c - 'a' + 10);
		else
			return false;
	}
	return true;
}

int bootinfo_unpack(struct bootinfo *b, const struct boot_module *archive)
{
	struct span s = span_of(archive->data, archive->size);
	u64 at = 0, mode, size, namelen, data;
	int n = 0;

	for (;; at = align_up(data + size, 4)) {
		const u8 *h = span_at(&s, at, CPIO_HEADER), *name;

		if (!h || memcmp(h, "070701", 6) || !hex8(h + CPIO_MODE, &mode) ||
		    !hex8(h + CPIO_SIZE, &size) || !hex8(h + CPIO_NAME_SIZE, &namelen))
			return -E_INVAL;
		name = span_at(&s, at + CPIO_HEADER, namelen);
		data = align_up(at + CPIO_HEADER + namelen, 4);
		if (!name || !namelen || name[namelen - 1])
			return -E_INVAL;
		if (!strcmp((const char *)name, "TRAILER!!!"))
			return n;
		if (!span_at(&s, data, size))
			return -E_INVAL;
		if ((mode & 0170000) != 0100000)
			continue;
		if (!bootinfo_add(b, (const char *)name, namelen, archive->addr + data, size))
			return -E_INVAL;
		b->module[b->nmodules - 1].data = archive->data + data;
		n++;
	}
}
