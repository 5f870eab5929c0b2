/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user namespace in which somebody who is not root does what wants root's
 * rights over files, mounts and namespaces: his own ID is 0 in it and his
 * subordinate IDs (subuid(5), subgid(5)) are 1 and up, written by newuidmap(1)
 * and newgidmap(1); without such IDs there is only the one.
 *
 * All processes of one user that enter share one such namespace for as long as
 * any of them lives: what one has made (a mount namespace, a network, a process
 * of a subordinate ID) another may then enter, signal and remove. They find it
 * by the file RUNTIME/userns, a line "PID INODE" each, guarded by flock(2);
 * nothing but the living processes keeps it, so nothing stays behind.
 *
 * Called by the command line before anything else, with one thread; knows
 * nothing of containers and images.
 */
#ifndef HULL_HOST_ROOTLESS_H
#define HULL_HOST_ROOTLESS_H

#include "host/err.h"

/* Neither root nor root's equal: a user, or root of a user namespace that does not have all IDs. */
bool rootless(void);
/* ... and there is but one user ID here. */
bool rootless_single_id(void);
/* Whose namespace this is, as the host has it: the user ID that is 0 here, or our own outside. */
u32 rootless_owner(void);

/*
 * Enters the user's namespace, or makes it, unless this process is root (of
 * whatever namespace). Before, HULL_DATA and HULL_RUNTIME are set in the
 * environment to what they are for this user. 0 or an error that says what the
 * host does not allow or lacks; then the process is what it was.
 */
int rootless_enter(struct err *e);

/* What a user's namespace would be made of; 0 IDs: there will only be his own. */
struct rootless_ids {
	char name[64];	/* empty: the user has none */
	u64 uids, gids; /* of /etc/subuid and /etc/subgid */
	bool helpers;	/* newuidmap and newgidmap, which map them, are installed */
};

/* For whoever calls, also for root, who needs none of it. Changes nothing. */
void rootless_look(struct rootless_ids *out);

/* After fork(2): notes this process too, so that the namespace is found while it alone is left. */
void rootless_note(void);

/* ---- for the tests ---- */

#define ROOTLESS_RANGES 32u

struct id_range {
	u32 start, count;
};

/*
 * The ranges of subuid(5)'s text that belong to a user by name or number; at
 * most ROOTLESS_RANGES, returns how many. Lines that make no sense are passed over.
 */
unsigned rootless_ranges(const char *text, const char *name, u32 uid, struct id_range *out);

#endif
