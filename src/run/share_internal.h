/* SPDX-License-Identifier: Apache-2.0 */
/* The table of inodes and handles of one share; see share.h. */
#ifndef HULL_RUN_SHARE_INTERNAL_H
#define HULL_RUN_SHARE_INTERNAL_H

#include "base/types.h"

#include <linux/fuse.h>
#include <sys/stat.h>

#define SHARE_NODES 16384u /* inodes the guest remembers at a time */
#define SHARE_HANDLES 4096u
#define SHARE_DATA (64u << 10) /* of one read or write */

struct node {
	int fd; /* O_PATH; -1: free */
	dev_t dev;
	ino_t ino;
	u64 lookups;
	u32 next; /* of the same hash, index + 1 */
};

struct server {
	int proc, sock;
	bool read_only, ppc64;
	struct node *node; /* SHARE_NODES; the guest's id is the index + 1 */
	u32 bucket[1024];  /* index + 1 */
	u32 nnodes, free_node;
	int *handle; /* SHARE_HANDLES; -1: free */
	/* From offset 4 the slot and from 8, aligned, the message. */
	u8 in[8 + SHARE_DATA + 4096] __attribute__((aligned(8)));
	u8 out[8 + sizeof(struct fuse_out_header) + SHARE_DATA + 512] __attribute__((aligned(8)));
};

/* One request; args is NUL-terminated behind its last byte. */
struct request {
	const struct fuse_in_header *h;
	const u8 *args;
	size_t len;
	u8 *reply; /* SHARE_DATA + 512 bytes */
	size_t reply_len;
};

/* The request's fixed part, or NULL if it is shorter. */
static inline const void *request_fixed(const struct request *r, size_t size)
{
	return r->len >= size ? r->args : NULL;
}

/* The node of an id, NULL if the guest invented it. */
struct node *node_get(struct server *s, u64 id);
/* The node for a descriptor (O_PATH), which it takes over; counts a lookup. 0 or -errno. */
int node_add(struct server *s, int fd, u64 *id, struct stat *st);
void node_forget(struct server *s, u64 id, u64 lookups);

int handle_add(struct server *s, int fd, u64 *fh);
int handle_get(const struct server *s, u64 fh); /* -EBADF */
void handle_drop(struct server *s, u64 fh);

/* Opens a node's file itself; only regular files and directories. */
int node_open(struct server *s, const struct node *n, int flags);

/* share_ops.c: answers one request; 0 or -errno, and r->reply. */
int share_answer(struct server *s, struct request *r);

/* share_file.c: one request each, as share_answer. */
int share_read(struct server *s, struct request *r);
int share_write(struct server *s, struct request *r);
int share_release(struct server *s, struct request *r);
int share_fsync(struct server *s, struct request *r);
int share_readdir(struct server *s, struct request *r);
int share_lseek(struct server *s, struct request *r);
int share_fallocate(struct server *s, struct request *r);

#endif
