/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink(7) requests: built in place, sent, and the kernel's one answer
 * awaited. Used by who moves or makes network devices; knows none of them.
 */
#ifndef HULL_HOST_RTNL_H
#define HULL_HOST_RTNL_H

#include "base/types.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#define RTNL_ATTRS 512u

struct rtnl_request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
	};
	char attrs[RTNL_ATTRS];
};

/* A socket of the calling thread's network name space: descriptor or -1 with errno. */
int rtnl_open(void);
/* One of the name space ns; the thread is back in own (its own) afterwards. */
int rtnl_open_in(int ns, int own);

/* An empty request; body: bytes of the structure after the header. */
void rtnl_start(struct rtnl_request *r, u16 type, u16 flags, size_t body);
/* Adds an attribute. The callers' attributes are of fixed size and fit RTNL_ATTRS. */
void rtnl_attr(struct rtnl_request *r, u16 type, const void *data, size_t len);
/* Bytes without a head of their own, such as the ifinfomsg of VETH_INFO_PEER. */
void rtnl_raw(struct rtnl_request *r, const void *data, size_t len);
/* An attribute that holds those added until rtnl_end; gives where it begins. */
u32 rtnl_nest(struct rtnl_request *r, u16 type);
void rtnl_end(struct rtnl_request *r, u32 nest);
/* Sends and waits for the kernel's word: 0, or -1 with errno. */
int rtnl_talk(int sock, struct rtnl_request *r);

int rtnl_set_up(int sock, int index, bool up);
/* The index of an interface in the socket's name space, -1 with errno. */
int rtnl_index(int sock, const char *name);

#endif
