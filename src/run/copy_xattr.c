/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes in the stream of copy.h: NAME, a zero byte, the value's
 * length in four bytes, the value; one after the other. What the kernel keeps
 * for itself (overlayfs' marks, security labels) stays behind.
 */
#include "run/copy.h"

#include "base/endian.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#define NAMES_MAX (64u << 10) /* linux/limits.h, XATTR_LIST_MAX */
#define LENGTH 4u

static bool is_users(const char *name)
{
	return !strncmp(name, "user.", 5) && strncmp(name, "user.overlay.", 13);
}

static bool is_wanted(const char *name)
{
	return is_users(name) || !strcmp(name, "security.capability") ||
	       !strcmp(name, "system.posix_acl_access") ||
	       !strcmp(name, "system.posix_acl_default");
}

/* The next attribute of what is left: false if it makes no sense. Moves *p and *len behind it. */
static bool next(const u8 **p, u32 *len, const char **name, const u8 **value, u32 *n)
{
	const u8 *end = memchr(*p, 0, *len);
	u32 used;

	if (!end || end == *p)
		return false;
	used = (u32)(end - *p) + 1;
	if (*len - used < LENGTH)
		return false;
	*n = load_le32(*p + used);
	if (*n > *len - used - LENGTH)
		return false;
	*name = (const char *)*p;
	*value = *p + used + LENGTH;
	used += LENGTH + *n;
	*p += used;
	*len -= used;
	return true;
}

bool copy_xattrs_ok(const u8 *p, u32 len)
{
	const char *name;
	const u8 *value;
	u32 n;

	while (len)
		if (!next(&p, &len, &name, &value, &n) || !is_wanted(name))
			return false;
	return true;
}

int copy_xattrs_read(int fd, struct copy_entry *c)
{
	char names[NAMES_MAX];
	ssize_t all = flistxattr(fd, names, sizeof(names));

	c->nxattrs = 0;
	for (const char *s = names; all > 0 && s < names + all; s += strlen(s) + 1) {
		size_t name = strlen(s) + 1, at = c->nxattrs + name + LENGTH;
		ssize_t n;

		if (!is_wanted(s))
			continue;
		n = at < COPY_XATTRS_MAX ? fgetxattr(fd, s, c->xattrs + at, COPY_XATTRS_MAX - at)
					 : -1;
		if (n < 0 && (errno == ENODATA || errno == EPERM) && at < COPY_XATTRS_MAX)
			continue; /* it went away, or is not for us */
		if (n < 0 || n + at > COPY_XATTRS_MAX)
			return -1;
		memcpy(c->xattrs + c->nxattrs, s, name);
		store_le32(c->xattrs + at - LENGTH, (u32)n);
		c->nxattrs = (u32)(at + (size_t)n);
	}
	return 0;
}

int copy_xattrs_set(int fd, const struct copy_entry *c, unsigned flags)
{
	const u8 *p = c->xattrs, *value;
	u32 len = c->nxattrs, n;
	const char *name;

	while (len && next(&p, &len, &name, &value, &n)) {
		if (flags & COPY_USER && !is_users(name))
			continue;
		/* EINVAL: an ACL with an ID that is not known here. */
		if (fsetxattr(fd, name, value, n, 0) && errno != ENOTSUP && errno != EPERM &&
		    errno != EINVAL)
			return -1;
	}
	return 0;
}
