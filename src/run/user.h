/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and groups of an image: "NAME|UID[:NAME|GID]" looked up in the image's
 * own /etc/passwd and /etc/group. Used by src/run for containers and by
 * guest/init for machines, so that both give the same answer. The files are
 * hostile: read to a limit, lines that make no sense are passed over.
 */
#ifndef HULL_RUN_USER_H
#define HULL_RUN_USER_H

#include "base/types.h"

#define USER_GROUPS_MAX 64u
#define USER_HOME_MAX 256u

struct user {
	u32 uid, gid;
	u32 groups[USER_GROUPS_MAX]; /* supplementary */
	unsigned ngroups;
	char home[USER_HOME_MAX]; /* "/" if the image does not say */
};

/*
 * passwd and group are the files' texts, NUL-terminated ("" if there are none).
 * who "" or NULL is root. False: who is no such user or group of the image.
 */
bool user_find(const char *who, const char *passwd, const char *group, struct user *out);

#endif
