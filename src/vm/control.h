/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket of a running machine: RUNTIME/NAME.sock, one JSON object a
 * line in each direction.
 *
 *	{"do":"NAME", ...}  ->  {"ok":true, ...} or {"error":"text"}
 *
 * "console" turns its connection into the raw console stream after the reply.
 * The directory is the user's own with mode 0700: who can open the socket may
 * do everything.
 */
#ifndef HULL_VM_CONTROL_H
#define HULL_VM_CONTROL_H

#include "host/loop.h"
#include "host/paths.h"

#include <jansson.h>

#define CONTROL_LINE_MAX 4096u
#define CONTROL_CLIENTS_MAX 16u

/* ---- the machine's side; machine lock held ---- */

struct control;

/*
 * Handles one request. Fills in members of reply, or the error. *console: the
 * client wants the console stream; the connection is then handed to stream().
 */
struct control_ops {
	int (*request)(void *opaque, const char *what, json_t *request, json_t *reply,
		       bool *console, struct err *e);
	int (*stream)(void *opaque, int fd, struct err *e); /* takes fd over if it gives 0 */
};

/*
 * Claims the name: creates the socket, removing one nobody listens on any
 * more. -EEXIST if a machine of that name runs.
 */
int control_create(struct loop *l, const char *name, const struct control_ops *ops, void *opaque,
		   struct control **out, struct err *e);
/* NULL ok. Clients see the connection close. Leaves the file to control_unlink. */
void control_destroy(struct control *c);

/* Removes the socket file of a machine that has ended. Nobody needs the lock. */
void control_unlink(const char *name);

/* ---- the client's side ---- */

/* Connects; -ENOENT when no such machine runs. Returns the descriptor. */
int control_connect(const char *name, struct err *e);

/*
 * Sends a request and waits for the reply; takes the request's reference. The
 * reply is the caller's to json_decref. An {"error"} reply becomes the error.
 */
int control_call(int fd, json_t *request, json_t **reply, struct err *e);

/* Calls fn for every running machine, sorted by name; cleans up stale sockets. */
int control_each(void (*fn)(void *opaque, const char *name, int fd), void *opaque, struct err *e);

#endif
