/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What GDB asks for, packet by packet: memory, registers, breakpoints, threads,
 * running on. Contract in gdb_internal.h.
 */
#include "vm/gdb_internal.h"

#include "base/endian.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- requests: memory and registers --------------------------------------------------- */

enum { GDB_EFAULT = 14, GDB_EINVAL = 22, GDB_ENOSPC = 28 };

static void gdb_reply_error(struct gdb *g, unsigned code)
{
	char text[8];

	snprintf(text, sizeof(text), "E%02x", code);
	gdb_out_text(g, text);
}

/* One piece of a linear range, up to the page's end; its guest-physical address or ~0. */
static u64 linear_piece(struct gdb *g, u64 linear, u64 len, u64 *piece)
{
	*piece = min_u64(len, GPA_PAGE_SIZE - linear % GPA_PAGE_SIZE);
	return g->t.ops->vcpu_translate(gdb_vcpu(g, g->cpu), linear);
}

/* Reads as much as there is; GDB accepts less than it asked for. */
static void read_memory(struct gdb *g, const char *p)
{
	u8 buf[PACKET_MAX / 2];
	u64 addr, len, done = 0, piece;

	if (!gdb_parse_hex(&p, &addr) || !gdb_parse_char(&p, ',') || !gdb_parse_hex(&p, &len)) {
		gdb_reply_error(g, GDB_EINVAL);
		return;
	}
	for (len = min_u64(len, sizeof(buf)); done < len; done += piece) {
		u64 gpa = linear_piece(g, addr + done, len - done, &piece);

		if (gpa == ~0ULL || gpa_read(g->t.map, gpa, buf + done, piece))
			break;
	}
	if (len && !done)
		gdb_reply_error(g, GDB_EFAULT);
	gdb_out_bytes(g, buf, done);
}

static void write_memory(struct gdb *g, const char *p)
{
	u8 buf[PACKET_MAX / 2];
	u64 addr, len, done = 0, piece;

	if (!gdb_parse_hex(&p, &addr) || !gdb_parse_char(&p, ',') || !gdb_parse_hex(&p, &len) ||
	    !gdb_parse_char(&p, ':') || len > sizeof(buf) || !gdb_parse_bytes(&p, buf, len)) {
		gdb_reply_error(g, GDB_EINVAL);
		return;
	}
	for (; done < len; done += piece) {
		u64 gpa = linear_piece(g, addr + done, len - done, &piece);

		if (gpa == ~0ULL || gpa_write(g->t.map, gpa, buf + done, piece)) {
			gdb_reply_error(g, GDB_EFAULT);
			return;
		}
	}
	gdb_out_text(g, "OK");
}

static bool state_get(struct gdb *g)
{
	if (!g->arch->load(g->t.ops, gdb_vcpu(g, g->cpu), &g->state))
		return true;
	gdb_reply_error(g, GDB_EFAULT);
	return false;
}

static void state_set(struct gdb *g)
{
	if (g->arch->store(g->t.ops, gdb_vcpu(g, g->cpu), &g->state))
		gdb_reply_error(g, GDB_EINVAL);
	else
		gdb_out_text(g, "OK");
}

static void read_registers(struct gdb *g)
{
	u8 reg[GDB_REG_MAX];

	if (!state_get(g))
		return;
	for (unsigned n = 0; n < g->arch->nregs; n++) {
		g->arch->get(&g->state, &g->arch->regs[n], reg);
		gdb_out_bytes(g, reg, g->arch->regs[n].size);
	}
}

static void write_registers(struct gdb *g, const char *p)
{
	u8 reg[GDB_REG_MAX];

	if (!state_get(g))
		return;
	for (unsigned n = 0; n < g->arch->nregs; n++) {
		if (!gdb_parse_bytes(&p, reg, g->arch->regs[n].size)) {
			gdb_reply_error(g, GDB_EINVAL);
			return;
		}
		g->arch->set(&g->state, &g->arch->regs[n], reg);
	}
	state_set(g);
}

static void one_register(struct gdb *g, const char *p, bool write)
{
	const struct gdb_reg *r = g->arch->regs;
	u8 reg[GDB_REG_MAX];
	u64 n;

	if (!gdb_parse_hex(&p, &n) || n >= g->arch->nregs ||
	    (write && (!gdb_parse_char(&p, '=') || !gdb_parse_bytes(&p, reg, r[n].size)))) {
		gdb_reply_error(g, GDB_EINVAL);
		return;
	}
	if (!state_get(g))
		return;
	if (write) {
		g->arch->set(&g->state, &r[n], reg);
		state_set(g);
		return;
	}
	g->arch->get(&g->state, &r[n], reg);
	gdb_out_bytes(g, reg, r[n].size);
}

/* ---- requests: breakpoints, threads, running -------------------------------------------- */

static bool break_change(struct gdb *g, u64 addr, bool add)
{
	struct vcpu_debug *d = &g->dbg;

	for (unsigned i = 0; i < d->nbreaks; i++) {
		if (d->breaks[i] != addr)
			continue;
		if (!add)
			d->breaks[i] = d->breaks[--d->nbreaks];
		return true;
	}
	if (add && d->nbreaks == BREAKS)
		return false;
	if (add)
		d->breaks[d->nbreaks++] = addr;
	return true;
}

static bool watch_change(struct gdb *g, char type, u64 addr, u64 len, bool add)
{
	struct vcpu_debug *d = &g->dbg;
	bool rd = type != '2', wr = type != '3';

	for (unsigned i = 0; i < d->nwatch; i++) {
		if (d->watch[i].addr != addr || d->watch[i].len != len ||
		    d->watch[i].on_read != rd || d->watch[i].on_write != wr)
			continue;
		if (!add)
			d->watch[i] = d->watch[--d->nwatch];
		return true;
	}
	if (add && (d->nwatch == WATCHES || !len || len > GPA_PAGE_SIZE))
		return false;
	if (add) {
		d->watch[d->nwatch].addr = addr;
		d->watch[d->nwatch].len = (u32)len;
		d->watch[d->nwatch].on_read = rd;
		d->watch[d->nwatch++].on_write = wr;
	}
	return true;
}

/* Z and z: TYPE,ADDR,KIND. 0 and 1 execution, 2 write, 3 read, 4 access. */
static void breakpoint(struct gdb *g, const char *p, bool add)
{
	char type = *p;
	u64 addr, kind;
	bool ok;

	if (type < '0' || type > '4')
		return;
	p++;
	if (!gdb_parse_char(&p, ',') || !gdb_parse_hex(&p, &addr) || !gdb_parse_char(&p, ',') ||
	    !gdb_parse_hex(&p, &kind)) {
		gdb_reply_error(g, GDB_EINVAL);
		return;
	}
	ok = type <= '1' ? break_change(g, addr, add) : watch_change(g, type, addr, kind, add);
	if (ok)
		gdb_out_text(g, "OK");
	else
		gdb_reply_error(g, GDB_ENOSPC);
}

/* A thread id; 0 and -1 (any, all) keep the current CPU. */
static bool parse_thread(struct gdb *g, const char **p, unsigned *cpu)
{
	u64 id;

	*cpu = g->cpu;
	if (!strncmp(*p, "-1", 2)) {
		*p += 2;
		return true;
	}
	if (!gdb_parse_hex(p, &id) || id > g->t.ncpus)
		return false;
	*cpu = id ? (unsigned)id - 1 : g->cpu;
	return true;
}

static void thread_select(struct gdb *g, const char *p)
{
	bool general = *p == 'g';
	unsigned cpu;

	if (!*p++ || !parse_thread(g, &p, &cpu)) {
		gdb_reply_error(g, GDB_EINVAL);
		return;
	}
	if (general)
		g->cpu = cpu;
	gdb_out_text(g, "OK");
}

static void thread_alive(struct gdb *g, const char *p)
{
	unsigned cpu;

	if (parse_thread(g, &p, &cpu))
		gdb_out_text(g, "OK");
	else
		gdb_reply_error(g, GDB_EINVAL);
}

static void thread_list(struct gdb *g)
{
	char text[16];

	for (unsigned i = 0; i < g->t.ncpus; i++) {
		snprintf(text, sizeof(text), "%c%x", i ? ',' : 'm', i + 1);
		gdb_out_text(g, text);
	}
}

static void thread_info(struct gdb *g, const char *p)
{
	unsigned cpu, keep = g->cpu;
	char text[48];

	if (!parse_thread(g, &p, &cpu)) {
		gdb_reply_error(g, GDB_EINVAL);
		return;
	}
	g->cpu = cpu;
	if (state_get(g)) {
		snprintf(text, sizeof(text), "CPU %u [%s]", cpu, g->arch->activity(&g->state));
		gdb_out_bytes(g, (const u8 *)text, strlen(text));
	}
	g->cpu = keep;
}

/* vCont;ACTION[:THREAD]... : the first step wins, the rest runs. False: no reply needed now. */
static bool vcont(struct gdb *g, const char *p)
{
	int step = -1;

	while (gdb_parse_char(&p, ';')) {
		char action = *p;
		unsigned cpu = g->cpu;
		u64 signal;

		if (!strchr("cCsS", action) || !action)
			return true;
		p++;
		if ((action == 'C' || action == 'S') && !gdb_parse_hex(&p, &signal))
			return true;
		if (gdb_parse_char(&p, ':') && !parse_thread(g, &p, &cpu))
			return true;
		if ((action == 's' || action == 'S') && step < 0)
			step = (int)cpu;
	}
	gdb_machine_go(g, step);
	return false;
}

/* s and c, optionally with an address to go on at. */
static bool resume(struct gdb *g, const char *p, bool step)
{
	u64 addr;

	if (gdb_parse_hex(&p, &addr)) {
		if (!state_get(g))
			return true;
		g->arch->set_pc(&g->state, addr);
		if (g->arch->store(g->t.ops, gdb_vcpu(g, g->cpu), &g->state)) {
			gdb_reply_error(g, GDB_EINVAL);
			return true;
		}
	}
	gdb_machine_go(g, step ? (int)g->cpu : -1);
	return false;
}

/* ---- requests: the rest ----------------------------------------------------------------- */

static void features_read(struct gdb *g, const char *p)
{
	u64 off, len;

	if (!gdb_parse_hex(&p, &off) || !gdb_parse_char(&p, ',') || !gdb_parse_hex(&p, &len) ||
	    off > g->xml_len) {
		gdb_reply_error(g, GDB_EINVAL);
		return;
	}
	len = min_u64(min_u64(len, g->xml_len - off), PACKET_MAX - 16);
	g->out[g->out_len++] = off + len < g->xml_len ? 'm' : 'l';
	memcpy(g->out + g->out_len, g->xml + off, len); /* nothing in it needs escaping */
	g->out_len += len;
}

static const char *after(const char *p, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(p, prefix, n) ? NULL : p + n;
}

static void query(struct gdb *g, const char *p)
{
	static const char target_xml[] = "qXfer:features:read:target.xml:";
	char text[128];

	if (after(p, "qSupported")) {
		snprintf(text, sizeof(text),
			 "PacketSize=%x;qXfer:features:read+;vContSupported+;QStartNoAckMode+",
			 PACKET_MAX);
		gdb_out_text(g, text);
	} else if (after(p, target_xml)) {
		features_read(g, after(p, target_xml));
	} else if (after(p, "qfThreadInfo")) {
		thread_list(g);
	} else if (after(p, "qsThreadInfo")) {
		gdb_out_text(g, "l");
	} else if (after(p, "qThreadExtraInfo,")) {
		thread_info(g, after(p, "qThreadExtraInfo,"));
	} else if (!strcmp(p, "qC")) {
		snprintf(text, sizeof(text), "QC%x", g->cpu + 1);
		gdb_out_text(g, text);
	} else if (after(p, "qAttached")) {
		gdb_out_text(g, "1");
	}
}

static bool v_packet(struct gdb *g, const char *p)
{
	if (!strcmp(p, "vCont?")) {
		gdb_out_text(g, "vCont;c;C;s;S");
	} else if (after(p, "vCont")) {
		return vcont(g, after(p, "vCont"));
	} else if (after(p, "vKill")) {
		gdb_out_text(g, "OK");
		gdb_send_packet(g);
		g->t.kill(g->t.opaque);
		return false;
	}
	return true;
}

static void detach(struct gdb *g)
{
	gdb_out_text(g, "OK");
	gdb_send_packet(g);
	gdb_client_close(g);
}

/* One request. True if what out_* collected (perhaps nothing: "unknown") is the reply. */
bool gdb_request(struct gdb *g, const char *p)
{
	switch (*p) {
	case '?':
		gdb_stop_reply(g, SIG_TRAP, g->cpu, NULL);
		return false;
	case 'g':
		read_registers(g);
		return true;
	case 'G':
		write_registers(g, p + 1);
		return true;
	case 'p':
	case 'P':
		one_register(g, p + 1, *p == 'P');
		return true;
	case 'm':
		read_memory(g, p + 1);
		return true;
	case 'M':
		write_memory(g, p + 1);
		return true;
	case 'Z':
	case 'z':
		breakpoint(g, p + 1, *p == 'Z');
		return true;
	case 'H':
		thread_select(g, p + 1);
		return true;
	case 'T':
		thread_alive(g, p + 1);
		return true;
	case 'q':
		query(g, p);
		return true;
	case 'Q':
		g->no_ack |= !strcmp(p, "QStartNoAckMode");
		if (!strcmp(p, "QStartNoAckMode"))
			gdb_out_text(g, "OK");
		return true;
	case 'v':
		return v_packet(g, p);
	case 'c':
	case 's':
		return resume(g, p + 1, *p == 's');
	case 'D':
		detach(g);
		return false;
	case 'k':
		g->t.kill(g->t.opaque);
		return false;
	default:
		return true;
	}
}
