/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of the gdb server (contract in gdb.h):
 *
 *	gdb.c          connection, packets, stopping and going on
 *	gdb_request.c  what a packet asks for
 *	gdb_text.c     hexadecimal in and out
 *	gdb_regs*.c    registers as GDB numbers them
 *
 * All on the event thread with the machine lock held.
 */
#ifndef HULL_VM_GDB_INTERNAL_H
#define HULL_VM_GDB_INTERNAL_H

#include "base/bits.h"
#include "vm/gdb.h"
#include "vm/gdb_regs.h"

enum {
	PACKET_MAX = 0x4000, /* characters between $ and #, announced to GDB */
	XML_MAX = 16384,
	WATCHES = ARRAY_LEN(((struct vcpu_debug *)0)->watch),
	BREAKS = ARRAY_LEN(((struct vcpu_debug *)0)->breaks),
	SIG_INT = 2, /* GDB's signal numbers, not the host's */
	SIG_TRAP = 5,
	INTERRUPT = 3, /* the byte that Ctrl-C sends */
	SEND_PATIENCE_MS = 2000,
};

struct gdb {
	struct loop *loop;
	struct gdb_target t;
	int listener, client;
	struct loop_fd listen_watch, client_watch;
	bool stopped, no_ack;
	unsigned cpu;	       /* of g, m and so on */
	struct vcpu_debug dbg; /* breakpoints and watchpoints; step is per CPU */

	/* A vCPU's debug exit, on its way to the event thread. */
	struct loop_work stop_work;
	bool stop_seen;
	unsigned stop_cpu;
	u64 stop_addr;

	u8 in[PACKET_MAX + 8];
	size_t in_len;
	char out[PACKET_MAX + 8];
	size_t out_len;
	char xml[XML_MAX];
	unsigned xml_len;
	const struct gdb_arch *arch;
	union gdb_state state; /* scratch */
};

static inline struct engine_vcpu *gdb_vcpu(const struct gdb *g, unsigned cpu)
{
	return g->t.vcpu[cpu];
}

/* ---- gdb_text.c ---- */

/* The value of a hexadecimal digit, or -1. */
int gdb_hex_value(char c);
/* A hexadecimal number; *p moves past it. False if there is none. */
bool gdb_parse_hex(const char **p, u64 *v);
/* The character c, passed over. */
bool gdb_parse_char(const char **p, char c);
/* n bytes in hexadecimal. */
bool gdb_parse_bytes(const char **p, u8 *out, u64 n);
/* Add to the packet to be sent. What does not fit is left out. */
void gdb_out_text(struct gdb *g, const char *s);
void gdb_out_bytes(struct gdb *g, const u8 *p, u64 n);

/* ---- gdb.c ---- */

/* Sends what gdb_out_* collected as one packet. */
void gdb_send_packet(struct gdb *g);
/* The machine goes on; one CPU (-1: none) by a single step. */
void gdb_machine_go(struct gdb *g, int step_cpu);
/* Drops the client; the machine goes on without breakpoints. */
void gdb_client_close(struct gdb *g);
/* Says why CPU cpu stopped; addr NULL: no watchpoint. */
void gdb_stop_reply(struct gdb *g, unsigned signal, unsigned cpu, const u64 *addr);

/* ---- gdb_request.c ---- */

/* Carries out a packet's request; true if what it put out is to be sent. */
bool gdb_request(struct gdb *g, const char *p);

#endif
