/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What flows between a command line, the monitor of a running thing and the
 * init of a guest, always the same frames (docs/run-protocol.md):
 *
 *	command line <-> monitor        RUN/NAME/attach.sock
 *	monitor      <-> guest init     vsock, the guest connects to port WIRE_PORT_MAIN
 *	command line <-> guest init     vsock, the host connects to port WIRE_PORT_EXEC
 *
 * A frame is a little-endian length of the payload, a type and the payload.
 * Both ends take the other for hostile: a frame of an unknown type or longer
 * than its type allows ends the connection.
 *
 * Used by src/run, by guest/init and by the monitor; no allocation, no system
 * calls.
 */
#ifndef HULL_RUN_WIRE_H
#define HULL_RUN_WIRE_H

#include "base/types.h"

#define WIRE_PORT_MAIN 1024u /* host's port: the guest reports for its main process */
#define WIRE_PORT_EXEC 1025u /* guest's port: further processes */

#define WIRE_HEAD 8u
#define WIRE_DATA_MAX (16u << 10)
#define WIRE_START_MAX (512u << 10)

enum wire_type {
	WIRE_START = 1, /* to the process side: fields (wire_field), what to run */
	WIRE_STDIN,	/* bytes */
	WIRE_STDIN_END, /* no payload: standard input is at its end */
	WIRE_SIGNAL,	/* u32 signal number, for the process */
	WIRE_WINDOW,	/* u32 columns, u32 rows */
	WIRE_STDOUT,	/* from the process side: bytes */
	WIRE_STDERR,
	WIRE_STARTED, /* u32 process id, as the process side sees it */
	WIRE_EXIT,    /* u32 wait status, as of waitpid(2) */
	WIRE_ERROR,   /* u32 exit status (125 to 127), then text: it was not started */
	WIRE_TYPES,
};

struct wire_frame {
	enum wire_type type;
	const u8 *data;
	u32 len;
};

/*
 * The frame at the start of buf, data pointing into buf. Returns the bytes it
 * takes, 0 if more are needed, -1 if this can never be a frame.
 */
long wire_parse(const u8 *buf, size_t len, struct wire_frame *f);

/* Writes a frame's head; returns WIRE_HEAD. */
unsigned wire_head(u8 *out, enum wire_type type, u32 len);

/* The i-th u32 of the payload, 0 if it has none. */
u32 wire_u32(const struct wire_frame *f, unsigned i);

/*
 * The payload of WIRE_START is a list of "key=value" strings, each ended by a
 * zero byte. Walks it: *at starts at 0. False at the end or at a string
 * without end or without '='; then *bad says which. key is at most
 * WIRE_KEY_MAX - 1 bytes and copied; *value points into the payload.
 */
#define WIRE_KEY_MAX 16u
bool wire_field(const struct wire_frame *f, size_t *at, char *key, const char **value, bool *bad);

#endif
