/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest kernels in hull's data directory:
 *
 *	DATA/kernels/NAME/vmlinuz	the kernel image
 *	DATA/kernels/NAME/modules/	its /lib/modules/RELEASE, may be missing
 *	DATA/kernels/NAME/origin	one line: where it came from
 *	DATA/kernels/ALIAS -> NAME	the newest one fetched for an alias
 *
 * Kernels come from Debian packages, which apt downloads and checks against
 * the archive's signatures and dpkg-deb unpacks; nothing is installed on the
 * host. Used by the cli; knows nothing of machines.
 */
#ifndef HULL_IMAGE_KERNEL_H
#define HULL_IMAGE_KERNEL_H

#include "host/paths.h"

struct kernel_entry {
	char name[128];	  /* "6.1.0-56-cloud-amd64", or an alias */
	char target[128]; /* an alias' kernel, else empty */
	char origin[200];
	char path[PATHS_MAX];	 /* of the image */
	char modules[PATHS_MAX]; /* empty if there are none */
};

/* Calls fn for every stored kernel and alias, sorted by name. 0 or the error. */
int kernel_list(void (*fn)(void *opaque, const struct kernel_entry *k), void *opaque,
		struct err *e);

/* The stored kernel or alias of that name. -ENOENT if there is none. */
int kernel_find(const char *name, struct kernel_entry *out, struct err *e);

/*
 * What --kernel means: a file if there is one of that name or it has a slash,
 * else a stored kernel. path holds PATHS_MAX bytes.
 */
int kernel_resolve(const char *spec, char *path, struct err *e);

/*
 * Downloads the kernel of an alias ("cloud", "generic", "ppc64le"; NULL: the
 * usual one) or of a Debian package name ("linux-image-...") for a guest
 * architecture ("x86_64", "ppc64le"); shows progress on stderr. Does nothing if the very
 * version is there already. The stored name goes to out (128 bytes).
 */
int kernel_fetch(const char *arch, const char *what, char *out, struct err *e);

/* Stores a copy of an image file, and of a modules directory unless NULL. */
int kernel_add(const char *name, const char *image, const char *modules, struct err *e);

#endif
