/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The FUSE requests of a share, one function each, in the order of the table
 * at the end. Structures and numbers: linux/fuse.h, protocol 7.38. See share.h.
 */
#include "abi/linux_ppc64.h"
#include "run/share_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define OPEN_FLAGS (O_ACCMODE | O_APPEND | O_TRUNC | O_SYNC | O_DSYNC | O_NOATIME | O_DIRECTORY)

/* ---- arguments ---- */

/* The name at offset `at`: one component, ended within the request. */
static const char *name_at(const struct request *r, size_t at)
{
	const char *name;
	size_t n;

	if (!r->args || at >= r->len)
		return NULL;
	name = (const char *)r->args + at;
	n = strnlen(name, r->len - at);
	if (!n || n == r->len - at || n > NAME_MAX || strchr(name, '/') || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return NULL;
	return name;
}

static struct node *self(struct server *s, const struct request *r)
{
	return node_get(s, r->h->nodeid);
}

/* ---- answers ---- */

static void put_attr(struct fuse_attr *a, const struct stat *st)
{
	*a = (struct fuse_attr){
		.ino = st->st_ino,
		.size = (u64)st->st_size,
		.blocks = (u64)st->st_blocks,
		.atime = (u64)st->st_atim.tv_sec,
		.mtime = (u64)st->st_mtim.tv_sec,
		.ctime = (u64)st->st_ctim.tv_sec,
		.atimensec = (u32)st->st_atim.tv_nsec,
		.mtimensec = (u32)st->st_mtim.tv_nsec,
		.ctimensec = (u32)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (u32)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = (u32)st->st_rdev,
		.blksize = (u32)st->st_blksize,
	};
}

static int reply_attr(struct request *r, int fd)
{
	struct fuse_attr_out *out = (void *)r->reply;
	struct stat st;

	if (fstatat(fd, "", &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -errno;
	*out = (struct fuse_attr_out){0}; /* not valid for any time: others may change it */
	put_attr(&out->attr, &st);
	r->reply_len = sizeof(*out);
	return 0;
}

static int reply_entry(struct server *s, struct request *r, const struct node *dir,
		       const char *name)
{
	struct fuse_entry_out *out = (void *)r->reply;
	struct stat st;
	u64 id;
	int ret, fd = openat(dir->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ret = node_add(s, fd, &id, &st);
	if (ret)
		return ret;
	*out = (struct fuse_entry_out){.nodeid = id};
	put_attr(&out->attr, &st);
	r->reply_len = sizeof(*out);
	return 0;
}

static int reply_open(struct server *s, struct request *r, int fd, size_t at)
{
	struct fuse_open_out *out = (void *)(r->reply + at);
	int ret;

	if (fd < 0)
		return fd;
	*out = (struct fuse_open_out){0};
	ret = handle_add(s, fd, &out->fh);
	r->reply_len = at + sizeof(*out);
	return ret;
}

/* What is created belongs to whoever asked. */
static void as_caller(const struct request *r)
{
	setfsgid(r->h->gid);
	setfsuid(r->h->uid);
}

static void as_self(void)
{
	setfsuid(0);
	setfsgid(0);
}

/* ---- requests ---- */

static int do_init(struct server *s, struct request *r)
{
	const struct fuse_init_in *in = request_fixed(r, offsetof(struct fuse_init_in, flags2));
	struct fuse_init_out *out = (void *)r->reply;

	if (!in)
		return -EINVAL;
	*out = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead,
		.flags = in->flags & (FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ATOMIC_O_TRUNC |
				      FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES),
		.max_background = 16,
		.congestion_threshold = 12,
		.max_write = SHARE_DATA,
		.time_gran = 1,
		.max_pages = SHARE_DATA / 4096,
	};
	r->reply_len = sizeof(*out);
	return 0;
}

static int do_lookup(struct server *s, struct request *r)
{
	const struct node *dir = self(s, r);
	const char *name = name_at(r, 0);

	return dir && name ? reply_entry(s, r, dir, name) : -EINVAL;
}

static int do_forget(struct server *s, struct request *r)
{
	const struct fuse_forget_in *in = request_fixed(r, sizeof(*in));

	if (in)
		node_forget(s, r->h->nodeid, in->nlookup);
	return 0;
}

static int do_batch_forget(struct server *s, struct request *r)
{
	const struct fuse_batch_forget_in *in = request_fixed(r, sizeof(*in));
	const struct fuse_forget_one *one = (const void *)(r->args + sizeof(*in));
	size_t n = in ? (r->len - sizeof(*in)) / sizeof(*one) : 0;

	for (size_t i = 0; in && i < n && i < in->count; i++)
		node_forget(s, one[i].nodeid, one[i].nlookup);
	return 0;
}

static int do_getattr(struct server *s, struct request *r)
{
	const struct node *n = self(s, r);

	return n ? reply_attr(r, n->fd) : -ENOENT;
}

static int set_times(struct server *s, const struct node *n, const struct fuse_setattr_in *in)
{
	struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
	char name[16];

	if (in->valid & FATTR_ATIME)
		t[0] = (struct timespec){(time_t)in->atime, in->atimensec};
	if (in->valid & FATTR_ATIME_NOW)
		t[0].tv_nsec = UTIME_NOW;
	if (in->valid & FATTR_MTIME)
		t[1] = (struct timespec){(time_t)in->mtime, in->mtimensec};
	if (in->valid & FATTR_MTIME_NOW)
		t[1].tv_nsec = UTIME_NOW;
	snprintf(name, sizeof(name), "%d", n->fd);
	return utimensat(s->proc, name, t, 0) ? -errno : 0;
}

static int set_size(struct server *s, const struct node *n, const struct fuse_setattr_in *in)
{
	int ret, fd = node_open(s, n, O_WRONLY);

	if (fd < 0)
		return fd;
	ret = ftruncate(fd, (off_t)in->size) ? -errno : 0;
	close(fd);
	return ret;
}

static int set_mode(struct server *s, const struct node *n, mode_t mode)
{
	struct stat st;
	char name[16];

	if (fstat(n->fd, &st) || S_ISLNK(st.st_mode))
		return -EOPNOTSUPP; /* links have no mode */
	snprintf(name, sizeof(name), "%d", n->fd);
	return fchmodat(s->proc, name, mode & 07777, 0) ? -errno : 0;
}

static int do_setattr(struct server *s, struct request *r)
{
	const struct fuse_setattr_in *in = request_fixed(r, sizeof(*in));
	const struct node *n = self(s, r);
	int ret = 0;

	if (!in || !n)
		return -EINVAL;
	if (in->valid & (FATTR_UID | FATTR_GID) &&
	    fchownat(n->fd, "", in->valid & FATTR_UID ? in->uid : (uid_t)-1,
		     in->valid & FATTR_GID ? in->gid : (gid_t)-1, AT_EMPTY_PATH))
		ret = -errno;
	if (!ret && in->valid & FATTR_MODE)
		ret = set_mode(s, n, in->mode);
	if (!ret && in->valid & FATTR_SIZE)
		ret = set_size(s, n, in);
	if (!ret && in->valid & (FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW))
		ret = set_times(s, n, in);
	return ret ? ret : reply_attr(r, n->fd);
}

static int do_readlink(struct server *s, struct request *r)
{
	const struct node *n = self(s, r);
	ssize_t len = n ? readlinkat(n->fd, "", (char *)r->reply, PATH_MAX) : -1;

	if (len < 0)
		return n ? -errno : -ENOENT;
	r->reply_len = (size_t)len;
	return 0;
}

static int do_symlink(struct server *s, struct request *r)
{
	const struct node *dir = self(s, r);
	const char *name = name_at(r, 0), *target;
	int ret;

	if (!dir || !name)
		return -EINVAL;
	target = name + strlen(name) + 1; /* ends at the zero byte behind the request */
	as_caller(r);
	ret = symlinkat(target, dir->fd, name) ? -errno : 0;
	as_self();
	return ret ? ret : reply_entry(s, r, dir, name);
}

static int do_mknod(struct server *s, struct request *r)
{
	const struct fuse_mknod_in *in = request_fixed(r, sizeof(*in));
	const char *name = name_at(r, sizeof(*in));
	const struct node *dir = self(s, r);
	int ret;

	if (!in || !name || !dir)
		return -EINVAL;
	as_caller(r);
	ret = mknodat(dir->fd, name, in->mode & ~in->umask, in->rdev) ? -errno : 0;
	as_self();
	return ret ? ret : reply_entry(s, r, dir, name);
}

static int do_mkdir(struct server *s, struct request *r)
{
	const struct fuse_mkdir_in *in = request_fixed(r, sizeof(*in));
	const char *name = name_at(r, sizeof(*in));
	const struct node *dir = self(s, r);
	int ret;

	if (!in || !name || !dir)
		return -EINVAL;
	as_caller(r);
	ret = mkdirat(dir->fd, name, in->mode & ~in->umask) ? -errno : 0;
	as_self();
	return ret ? ret : reply_entry(s, r, dir, name);
}

static int remove_name(struct server *s, struct request *r, int flags)
{
	const struct node *dir = self(s, r);
	const char *name = name_at(r, 0);

	if (!dir || !name)
		return -EINVAL;
	return unlinkat(dir->fd, name, flags) ? -errno : 0;
}

static int do_unlink(struct server *s, struct request *r)
{
	return remove_name(s, r, 0);
}

static int do_rmdir(struct server *s, struct request *r)
{
	return remove_name(s, r, AT_REMOVEDIR);
}

static int rename_to(struct server *s, struct request *r, u64 newdir, unsigned flags, size_t at)
{
	const struct node *from = self(s, r), *to = node_get(s, newdir);
	const char *old = name_at(r, at), *new = old ? name_at(r, at + strlen(old) + 1) : NULL;

	if (!from || !to || !new)
		return -EINVAL;
	return renameat2(from->fd, old, to->fd, new, flags) ? -errno : 0;
}

static int do_rename(struct server *s, struct request *r)
{
	const struct fuse_rename_in *in = request_fixed(r, sizeof(*in));

	return in ? rename_to(s, r, in->newdir, 0, sizeof(*in)) : -EINVAL;
}

static int do_rename2(struct server *s, struct request *r)
{
	const struct fuse_rename2_in *in = request_fixed(r, sizeof(*in));

	return in ? rename_to(s, r, in->newdir, in->flags, sizeof(*in)) : -EINVAL;
}

static int do_link(struct server *s, struct request *r)
{
	const struct fuse_link_in *in = request_fixed(r, sizeof(*in));
	const struct node *dir = self(s, r), *old = in ? node_get(s, in->oldnodeid) : NULL;
	const char *name = name_at(r, sizeof(*in));

	if (!dir || !old || !name)
		return -EINVAL;
	if (linkat(old->fd, "", dir->fd, name, AT_EMPTY_PATH))
		return -errno;
	return reply_entry(s, r, dir, name);
}

/* FUSE carries them as the guest's architecture numbers them. */
static int open_flags(const struct server *s, u32 flags)
{
	return (int)(s->ppc64 ? ppc64_open_flags_to_generic(flags) : flags);
}

static int do_open(struct server *s, struct request *r)
{
	const struct fuse_open_in *in = request_fixed(r, sizeof(*in));
	const struct node *n = self(s, r);
	int flags;

	if (!in || !n)
		return -EINVAL;
	flags = open_flags(s, in->flags);
	if (s->read_only && ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC))
		return -EROFS;
	return reply_open(s, r, node_open(s, n, flags & OPEN_FLAGS), 0);
}

static int do_create(struct server *s, struct request *r)
{
	const struct fuse_create_in *in = request_fixed(r, sizeof(*in));
	const char *name = name_at(r, sizeof(*in));
	const struct node *dir = self(s, r);
	int ret, fd;

	if (!in || !name || !dir)
		return -EINVAL;
	as_caller(r);
	fd = openat(dir->fd, name,
		    (open_flags(s, in->flags) & (OPEN_FLAGS | O_EXCL)) | O_CREAT | O_NOFOLLOW |
			    O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		    in->mode & ~in->umask & 07777);
	ret = fd < 0 ? -errno : 0;
	as_self();
	if (ret)
		return ret;
	ret = reply_entry(s, r, dir, name);
	if (ret) {
		close(fd);
		return ret;
	}
	return reply_open(s, r, fd, sizeof(struct fuse_entry_out));
}

static int do_statfs(struct server *s, struct request *r)
{
	struct fuse_statfs_out *out = (void *)r->reply;
	const struct node *n = self(s, r);
	struct statvfs v;

	if (!n || fstatvfs(n->fd, &v))
		return n ? -errno : -ENOENT;
	*out = (struct fuse_statfs_out){.st = {.blocks = v.f_blocks,
					       .bfree = v.f_bfree,
					       .bavail = v.f_bavail,
					       .files = v.f_files,
					       .ffree = v.f_ffree,
					       .bsize = (u32)v.f_bsize,
					       .namelen = (u32)v.f_namemax,
					       .frsize = (u32)v.f_frsize}};
	r->reply_len = sizeof(*out);
	return 0;
}

static int do_nothing(struct server *s, struct request *r)
{
	return 0;
}

static const struct {
	int (*fn)(struct server *s, struct request *r);
	bool writes;
} ops[] = {
	[FUSE_LOOKUP] = {do_lookup},
	[FUSE_FORGET] = {do_forget},
	[FUSE_GETATTR] = {do_getattr},
	[FUSE_SETATTR] = {do_setattr, true},
	[FUSE_READLINK] = {do_readlink},
	[FUSE_SYMLINK] = {do_symlink, true},
	[FUSE_MKNOD] = {do_mknod, true},
	[FUSE_MKDIR] = {do_mkdir, true},
	[FUSE_UNLINK] = {do_unlink, true},
	[FUSE_RMDIR] = {do_rmdir, true},
	[FUSE_RENAME] = {do_rename, true},
	[FUSE_LINK] = {do_link, true},
	[FUSE_OPEN] = {do_open},
	[FUSE_READ] = {share_read},
	[FUSE_WRITE] = {share_write, true},
	[FUSE_STATFS] = {do_statfs},
	[FUSE_RELEASE] = {share_release},
	[FUSE_FSYNC] = {share_fsync},
	[FUSE_FLUSH] = {do_nothing},
	[FUSE_INIT] = {do_init},
	[FUSE_OPENDIR] = {do_open},
	[FUSE_READDIR] = {share_readdir},
	[FUSE_RELEASEDIR] = {share_release},
	[FUSE_FSYNCDIR] = {share_fsync},
	[FUSE_CREATE] = {do_create, true},
	[FUSE_INTERRUPT] = {do_nothing},
	[FUSE_DESTROY] = {do_nothing},
	[FUSE_BATCH_FORGET] = {do_batch_forget},
	[FUSE_FALLOCATE] = {share_fallocate, true},
	[FUSE_RENAME2] = {do_rename2, true},
	[FUSE_LSEEK] = {share_lseek},
};

int share_answer(struct server *s, struct request *r)
{
	u32 op = r->h->opcode;

	if (op >= ARRAY_LEN(ops) || !ops[op].fn)
		return -ENOSYS;
	return ops[op].writes && s->read_only ? -EROFS : ops[op].fn(s, r);
}
