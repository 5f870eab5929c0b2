/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where hull keeps things, and small file helpers.
 *
 *	data     kernels and images: $HULL_DATA, else /var/lib/hull as root, else
 *	         $XDG_DATA_HOME/hull, else ~/.local/share/hull
 *	runtime  control sockets: $HULL_RUNTIME, else /run/hull as root, else
 *	         $XDG_RUNTIME_DIR/hull, else /tmp/hull-UID
 */
#ifndef HULL_HOST_PATHS_H
#define HULL_HOST_PATHS_H

#include "host/err.h"

#define PATHS_MAX 512

/* Writes the directory's name, creates nothing. out holds PATHS_MAX bytes. */
int paths_data(char *out, struct err *e);
int paths_runtime(char *out, struct err *e);

/*
 * Creates a directory and its parents with the given mode. Refuses one that
 * exists but belongs to somebody else (somebody could plant a socket in it).
 */
int paths_make_dir(const char *path, u32 mode, struct err *e);

/* printf into a buffer of PATHS_MAX bytes; -ENAMETOOLONG when it does not fit. */
int paths_format(char *out, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A regular file mapped read-only, copy on write: later changes on disk by
 * others do not reach hull's parsers as long as the file is not truncated.
 * what names it in messages ("kernel"). An empty file is an error.
 */
struct file_map {
	const u8 *data;
	u64 size;
};

int file_map_open(const char *what, const char *path, struct file_map *out, struct err *e);
void file_map_close(struct file_map *f);

#endif
