/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files: open flags, struct stat, older calls as their newer forms, and file
 * names seen through the sysroot.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/linux_ppc64.h"
#include "foreign/calls.h"

/* ---- flags: asm/fcntl.h of POWER against asm-generic/fcntl.h as the host has it ---- */

static u64 flags_to_host(u64 f)
{
	return (f & ~0xffffffffull) | ppc64_open_flags_to_generic((u32)f);
}

static u64 flags_to_guest(u64 h)
{
	return ppc64_open_flags_from_generic((u32)h) | PPC64_O_LARGEFILE;
}

/* ---- names ---- */

/*
 * The name to give to the host's call: the guest's own pointer, or what the
 * sysroot makes of it in buf. Bad pointers are left to the kernel to refuse.
 */
static u64 name_at(struct task *t, u64 name, char buf[PATH_MAX])
{
	char own[PATH_MAX];
	const char *p;
	s64 n;

	if (!t->sp->opt.sysroot)
		return name;
	n = mem_strlen(t, name, PATH_MAX);
	if (n < 0 || mem_read(t, own, name, (u64)n + 1))
		return name;
	own[PATH_MAX - 1] = 0;
	p = sysroot_path(t->sp, own, buf);
	return p == buf ? (u64)buf : name;
}

static bool is_self_exe(struct task *t, u64 name)
{
	static const char self[] = "/proc/self/exe";
	char buf[sizeof(self)];

	return !mem_read(t, buf, name, sizeof(self)) && !memcmp(buf, self, sizeof(self));
}

/* ---- opening ---- */

static s64 open_at(struct task *t, u64 dir, u64 name, u64 flags, u64 mode)
{
	char buf[PATH_MAX];

	if (is_self_exe(t, name))
		return host_call(t, SYS_openat, (u64)AT_FDCWD, (u64)t->sp->exe,
				 flags_to_host(flags), mode, 0, 0);
	return host_call(t, SYS_openat, dir, name_at(t, name, buf), flags_to_host(flags), mode, 0,
			 0);
}

s64 call_open(struct task *t, const u64 a[6])
{
	return open_at(t, (u64)AT_FDCWD, a[0], a[1], a[2]);
}

s64 call_openat(struct task *t, const u64 a[6])
{
	return open_at(t, a[0], a[1], a[2], a[3]);
}

s64 call_creat(struct task *t, const u64 a[6])
{
	return open_at(t, (u64)AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, a[1]);
}

s64 call_openat2(struct task *t, const u64 a[6])
{
	u64 how[3]; /* struct open_how: flags, mode, resolve */
	char buf[PATH_MAX];

	if (a[3] < sizeof(how))
		return -EINVAL;
	if (a[3] > sizeof(how))
		return -E2BIG;
	if (mem_read(t, how, a[2], sizeof(how)))
		return -EFAULT;
	how[0] = flags_to_host(how[0]);
	return host_call(t, SYS_openat2, a[0], name_at(t, a[1], buf), (u64)how, sizeof(how), 0, 0);
}

/* ---- struct stat, asm/stat.h ---- */

struct stat_ppc {
	u64 dev, ino, nlink;
	u32 mode, uid, gid, pad;
	u64 rdev;
	s64 size, blksize, blocks;
	u64 atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	u64 unused[3];
};
static_assert(sizeof(struct stat_ppc) == 144, "asm/stat.h");

static s64 put_stat(struct task *t, u64 to, const struct stat *st)
{
	struct stat_ppc s = {
		.dev = st->st_dev,
		.ino = st->st_ino,
		.nlink = st->st_nlink,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = st->st_rdev,
		.size = st->st_size,
		.blksize = st->st_blksize,
		.blocks = st->st_blocks,
		.atime = (u64)st->st_atim.tv_sec,
		.atime_nsec = (u64)st->st_atim.tv_nsec,
		.mtime = (u64)st->st_mtim.tv_sec,
		.mtime_nsec = (u64)st->st_mtim.tv_nsec,
		.ctime = (u64)st->st_ctim.tv_sec,
		.ctime_nsec = (u64)st->st_ctim.tv_nsec,
	};

	return mem_write(t, to, &s, sizeof(s)) ? -EFAULT : 0;
}

static s64 stat_at(struct task *t, u64 dir, u64 name, u64 to, u64 flags)
{
	char buf[PATH_MAX];
	struct stat st;
	s64 n = mem_strlen(t, name, PATH_MAX);

	if (n < 0)
		return n;
	if (is_self_exe(t, name) && !(flags & AT_SYMLINK_NOFOLLOW))
		name = (u64)t->sp->exe;
	if (fstatat((int)dir, (const char *)name_at(t, name, buf), &st, (int)flags))
		return -errno;
	return put_stat(t, to, &st);
}

s64 call_stat(struct task *t, const u64 a[6])
{
	return stat_at(t, (u64)AT_FDCWD, a[0], a[1], 0);
}

s64 call_lstat(struct task *t, const u64 a[6])
{
	return stat_at(t, (u64)AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW);
}

s64 call_newfstatat(struct task *t, const u64 a[6])
{
	return stat_at(t, a[0], a[1], a[2], a[3]);
}

s64 call_fstat(struct task *t, const u64 a[6])
{
	struct stat st;

	return fstat((int)a[0], &st) ? -errno : put_stat(t, a[1], &st);
}

s64 call_statx(struct task *t, const u64 a[6])
{
	char buf[PATH_MAX];

	return host_call(t, SYS_statx, a[0], name_at(t, a[1], buf), a[2], a[3], a[4], 0);
}

/* ---- names without opening ---- */

s64 call_access(struct task *t, const u64 a[6])
{
	char buf[PATH_MAX];

	return host_call(t, SYS_faccessat, (u64)AT_FDCWD, name_at(t, a[0], buf), a[1], 0, 0, 0);
}

s64 call_faccessat(struct task *t, const u64 a[6])
{
	char buf[PATH_MAX];

	return host_call(t, SYS_faccessat, a[0], name_at(t, a[1], buf), a[2], 0, 0, 0);
}

s64 call_faccessat2(struct task *t, const u64 a[6])
{
	char buf[PATH_MAX];

	return host_call(t, SYS_faccessat2, a[0], name_at(t, a[1], buf), a[2], a[3], 0, 0);
}

static s64 readlink_at(struct task *t, u64 dir, u64 name, u64 to, u64 size)
{
	char buf[PATH_MAX];
	u64 n;

	if (!is_self_exe(t, name))
		return host_call(t, SYS_readlinkat, dir, name_at(t, name, buf), to, size, 0, 0);
	if ((s64)size <= 0)
		return -EINVAL;
	n = strlen(t->sp->exe);
	n = n < size ? n : size;
	return mem_write(t, to, t->sp->exe, n) ? -EFAULT : (s64)n;
}

s64 call_readlink(struct task *t, const u64 a[6])
{
	return readlink_at(t, (u64)AT_FDCWD, a[0], a[1], a[2]);
}

s64 call_readlinkat(struct task *t, const u64 a[6])
{
	return readlink_at(t, a[0], a[1], a[2], a[3]);
}

/* ---- descriptors ---- */

s64 call_fcntl(struct task *t, const u64 a[6])
{
	s64 ret;

	switch ((int)a[1]) {
	case F_GETFL:
		ret = host_call(t, SYS_fcntl, a[0], a[1], 0, 0, 0, 0);
		return ret < 0 ? ret : (s64)flags_to_guest((u64)ret);
	case F_SETFL:
		return host_call(t, SYS_fcntl, a[0], a[1], flags_to_host(a[2]), 0, 0, 0);
	default:
		return host_call(t, SYS_fcntl, a[0], a[1], a[2], 0, 0, 0);
	}
}

/* _llseek(fd, high, low, result, whence): what the C library of POWER uses in 64-bit programs too
 */
s64 call_llseek(struct task *t, const u64 a[6])
{
	u64 to = a[1] << 32 | (u32)a[2];
	s64 at = host_call(t, SYS_lseek, a[0], to, a[4], 0, 0, 0);

	if (at < 0)
		return at;
	return mem_write(t, a[3], &at, 8) ? -EFAULT : 0;
}

/* statfs64(name, size, buffer): struct statfs64 is struct statfs, asm-generic/statfs.h */
enum { STATFS_SIZE = 120 };

s64 call_statfs64(struct task *t, const u64 a[6])
{
	return a[1] != STATFS_SIZE ? -EINVAL : host_call(t, SYS_statfs, a[0], a[2], 0, 0, 0, 0);
}

s64 call_fstatfs64(struct task *t, const u64 a[6])
{
	return a[1] != STATFS_SIZE ? -EINVAL : host_call(t, SYS_fstatfs, a[0], a[2], 0, 0, 0, 0);
}

s64 call_pipe(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_pipe2, a[0], 0, 0, 0, 0, 0);
}

s64 call_pipe2(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_pipe2, a[0], flags_to_host(a[1]), 0, 0, 0, 0);
}

s64 call_dup2(struct task *t, const u64 a[6])
{
	if (a[0] == a[1]) {
		s64 ret = host_call(t, SYS_fcntl, a[0], F_GETFD, 0, 0, 0, 0);

		return ret < 0 ? ret : (s64)a[1];
	}
	return call_dup3(t, (const u64[6]){a[0], a[1]});
}

/* The flags are the second argument here: Linux arch/powerpc/kernel/sys_ppc32.c, syscalls.h */
s64 call_sync_file_range2(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_sync_file_range, a[0], a[2], a[3], a[1], 0, 0);
}

/* ---- older calls ---- */

#define HERE ((u64)AT_FDCWD)

s64 call_mkdir(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_mkdirat, HERE, a[0], a[1], 0, 0, 0);
}

s64 call_rmdir(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_unlinkat, HERE, a[0], AT_REMOVEDIR, 0, 0, 0);
}

s64 call_unlink(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_unlinkat, HERE, a[0], 0, 0, 0, 0);
}

s64 call_link(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_linkat, HERE, a[0], HERE, a[1], 0, 0);
}

s64 call_symlink(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_symlinkat, a[0], HERE, a[1], 0, 0, 0);
}

s64 call_rename(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_renameat2, HERE, a[0], HERE, a[1], 0, 0);
}

s64 call_chmod(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_fchmodat, HERE, a[0], a[1], 0, 0, 0);
}

s64 call_chown(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_fchownat, HERE, a[0], a[1], a[2], 0, 0);
}

s64 call_lchown(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_fchownat, HERE, a[0], a[1], a[2], AT_SYMLINK_NOFOLLOW, 0);
}

s64 call_mknod(struct task *t, const u64 a[6])
{
	return host_call(t, SYS_mknodat, HERE, a[0], a[1], a[2], 0, 0);
}
