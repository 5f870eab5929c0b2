/* SPDX-License-Identifier: Apache-2.0 */
/* A share's requests on open files and directories, by their handles; see share_ops.c. */
#include "run/share_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int share_read(struct server *s, struct request *r)
{
	const struct fuse_read_in *in = request_fixed(r, sizeof(*in));
	int fd = in ? handle_get(s, in->fh) : -EINVAL;
	ssize_t n;

	if (fd < 0 || in->size > SHARE_DATA)
		return fd < 0 ? fd : -EINVAL;
	n = pread(fd, r->reply, in->size, (off_t)in->offset);
	if (n < 0)
		return -errno;
	r->reply_len = (size_t)n;
	return 0;
}

int share_write(struct server *s, struct request *r)
{
	const struct fuse_write_in *in = request_fixed(r, sizeof(*in));
	struct fuse_write_out *out = (void *)r->reply;
	int fd = in ? handle_get(s, in->fh) : -EINVAL;
	ssize_t n;

	if (fd < 0 || in->size > r->len - sizeof(*in))
		return fd < 0 ? fd : -EINVAL;
	n = pwrite(fd, r->args + sizeof(*in), in->size, (off_t)in->offset);
	if (n < 0)
		return -errno;
	*out = (struct fuse_write_out){.size = (u32)n};
	r->reply_len = sizeof(*out);
	return 0;
}

int share_release(struct server *s, struct request *r)
{
	const struct fuse_release_in *in = request_fixed(r, sizeof(*in));

	if (in)
		handle_drop(s, in->fh);
	return 0;
}

int share_fsync(struct server *s, struct request *r)
{
	const struct fuse_fsync_in *in = request_fixed(r, sizeof(*in));
	int fd = in ? handle_get(s, in->fh) : -EINVAL;

	if (fd < 0)
		return fd;
	return (in->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(fd) : fsync(fd)) ? -errno : 0;
}

/* getdents64(2)'s record. */
struct record {
	u64 ino;
	s64 off;
	u16 len;
	u8 type;
	char name[];
};

static size_t put_dirent(u8 *to, size_t room, const struct record *d)
{
	struct fuse_dirent *out = (void *)to;
	size_t n = strlen(d->name), size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + n);

	if (size > room)
		return 0;
	memset(to, 0, size);
	*out = (struct fuse_dirent){
		.ino = d->ino, .off = (u64)d->off, .namelen = (u32)n, .type = d->type};
	memcpy(to + FUSE_NAME_OFFSET, d->name, n);
	return size;
}

int share_readdir(struct server *s, struct request *r)
{
	const struct fuse_read_in *in = request_fixed(r, sizeof(*in));
	int fd = in ? handle_get(s, in->fh) : -EINVAL;
	size_t room;
	u8 buf[4096] __attribute__((aligned(8)));
	long n;

	if (fd < 0)
		return fd;
	room = in->size < SHARE_DATA ? in->size : SHARE_DATA;
	if (lseek(fd, (off_t)in->offset, SEEK_SET) < 0)
		return -errno;
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < n;) {
			const struct record *d = (const void *)(buf + at);
			size_t size = put_dirent(r->reply + r->reply_len, room - r->reply_len, d);

			if (!size)
				return 0; /* the guest goes on at the last one's off */
			r->reply_len += size;
			at += d->len;
		}
	}
	return n < 0 && !r->reply_len ? -errno : 0;
}

int share_lseek(struct server *s, struct request *r)
{
	const struct fuse_lseek_in *in = request_fixed(r, sizeof(*in));
	struct fuse_lseek_out *out = (void *)r->reply;
	int fd = in ? handle_get(s, in->fh) : -EINVAL;
	off_t at;

	if (fd < 0)
		return fd;
	at = lseek(fd, (off_t)in->offset, (int)in->whence);
	if (at < 0)
		return -errno;
	out->offset = (u64)at;
	r->reply_len = sizeof(*out);
	return 0;
}

int share_fallocate(struct server *s, struct request *r)
{
	const struct fuse_fallocate_in *in = request_fixed(r, sizeof(*in));
	int fd = in ? handle_get(s, in->fh) : -EINVAL;

	if (fd < 0)
		return fd;
	return fallocate(fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) ? -errno : 0;
}
