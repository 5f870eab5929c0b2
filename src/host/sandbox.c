/* SPDX-License-Identifier: Apache-2.0 */
/* See sandbox.h. The steps stand in the order they run in sandbox_enter, at the end. */
#include "host/sandbox.h"

#include "host/rootless.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define NOBODY 65534u

static void missing(struct sandbox_report *r, const char *fmt, ...)
{
	size_t n = strlen(r->missing);
	va_list ap;

	if (n && n + 3 < sizeof(r->missing)) {
		strcpy(r->missing + n, "; ");
		n += 2;
	}
	va_start(ap, fmt);
	vsnprintf(r->missing + n, sizeof(r->missing) - n, fmt, ap);
	va_end(ap);
}

/* ---- namespaces ---- */

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -EIO;
}

static void enter_namespaces(struct sandbox_report *r)
{
	int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;
	unsigned uid = geteuid(), gid = getegid();
	char map[64];

	if (uid == 0 && !rootless()) {
		r->namespaces = unshare(flags) == 0;
	} else if (unshare(flags | CLONE_NEWUSER) == 0) {
		/*
		 * Keep our own ids: files made so far stay ours. user_namespaces(7). Who is
		 * root of a user's namespace is nobody in here, and still that user outside.
		 */
		snprintf(map, sizeof(map), "%u %u 1", uid ? uid : NOBODY, uid);
		r->namespaces = write_file("/proc/self/setgroups", "deny") == 0 &&
				write_file("/proc/self/uid_map", map) == 0;
		snprintf(map, sizeof(map), "%u %u 1", gid ? gid : NOBODY, gid);
		r->namespaces = r->namespaces && write_file("/proc/self/gid_map", map) == 0;
	}
	if (!r->namespaces)
		missing(r, "namespaces: %s", strerror(errno));
}

/* ---- an empty root ---- */

/* mkdir -p of path below the directory fd `root`. */
static int make_dirs(int root, const char *path)
{
	char part[PATH_MAX];

	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; path[i]; i++) {
		if (path[i] != '/' && path[i + 1])
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)(path[i] == '/' ? i - 1 : i), path + 1);
		if (mkdirat(root, part, 0755) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int build_root(const char *base, const struct sandbox_config *cfg)
{
	char target[PATH_MAX];
	int root;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", base, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755"))
		return -errno;
	root = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	for (unsigned i = 0; i < cfg->ndirs; i++) {
		if (make_dirs(root, cfg->dirs[i]))
			continue;
		snprintf(target, sizeof(target), "%s%s", base, cfg->dirs[i]);
		/* A directory below `base` itself is hidden by the tmpfs; it is then left out. */
		if (mount(cfg->dirs[i], target, NULL, MS_BIND, NULL) == 0)
			mount(NULL, target, NULL,
			      MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	}
	close(root);
	return 0;
}

static void enter_empty_root(const struct sandbox_config *cfg, struct sandbox_report *r)
{
	/* Any directory that exists everywhere serves as the mount point; it is left at once. */
	static const char base[] = "/mnt";

	if (!r->namespaces)
		return;
	if (build_root(base, cfg) == 0 && chdir(base) == 0 &&
	    syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 &&
	    chdir("/") == 0 &&
	    mount(NULL, "/", NULL,
		  MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		r->empty_root = true;
	else
		missing(r, "empty root: %s", strerror(errno));
}

/* ---- credentials ---- */

static int drop_root(const struct sandbox_config *cfg, struct sandbox_report *r, struct err *e)
{
	unsigned uid = cfg->uid ? cfg->uid : NOBODY, gid = cfg->gid ? cfg->gid : NOBODY;
	int death = 0;

	if (geteuid() != 0) {
		r->unprivileged = true;
		return 0;
	}
	prctl(PR_GET_PDEATHSIG, &death);
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return err_errno(e, "sandbox: cannot become user %u", uid);
	prctl(PR_SET_PDEATHSIG, death); /* a change of user clears it, prctl(2) */
	r->unprivileged = setuid(0) != 0;
	return r->unprivileged ? 0 : err_set(e, EPERM, "sandbox: root could be regained");
}

static void set_limits(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_MSGQUEUE, &none);
}

/* ---- Landlock: raw calls, glibc 2.36 has no wrappers (Linux 6.1, userspace-api/landlock) ---- */

static void enter_landlock(const struct sandbox_config *cfg, struct sandbox_report *r)
{
	/* Every right of ABI 1; make_sock and read_dir stay allowed below cfg->dirs. */
	struct landlock_ruleset_attr attr = {.handled_access_fs =
						     (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	int fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (fd < 0) {
		missing(r, "landlock: %s", strerror(errno));
		return;
	}
	for (unsigned i = 0; i < cfg->ndirs; i++) {
		struct landlock_path_beneath_attr rule = {
			.allowed_access = LANDLOCK_ACCESS_FS_READ_DIR |
					  LANDLOCK_ACCESS_FS_MAKE_SOCK |
					  LANDLOCK_ACCESS_FS_REMOVE_FILE,
			.parent_fd = open(cfg->dirs[i], O_PATH | O_CLOEXEC)};

		if (rule.parent_fd < 0)
			continue;
		syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
		close(rule.parent_fd);
	}
	r->landlock = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
	if (!r->landlock)
		missing(r, "landlock: %s", strerror(errno));
	close(fd);
}

/* ---- seccomp ---- */

/* What a running machine calls, whatever the arguments. */
static const int plain_calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(preadv),
	SCMP_SYS(pwritev),
	SCMP_SYS(preadv2),
	SCMP_SYS(pwritev2),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(lseek),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(futex),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_gettime),
	SCMP_SYS(ppoll),
	SCMP_SYS(poll),
	SCMP_SYS(fcntl),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(fallocate),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fsync),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(ftruncate),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(gettid),
	SCMP_SYS(alarm),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getrandom),
	SCMP_SYS(membarrier),
	SCMP_SYS(uname),
	SCMP_SYS(getrusage),
	SCMP_SYS(wait4),
	SCMP_SYS(waitid),
	SCMP_SYS(pipe2),
	SCMP_SYS(dup),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(getcpu),
	SCMP_SYS(timer_settime),
};

static const unsigned tty_ioctls[] = {TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ, FIONREAD};

static int add_filters(scmp_filter_ctx f, const struct sandbox_config *cfg)
{
	int rc = 0;

	for (unsigned i = 0; i < sizeof(plain_calls) / sizeof(plain_calls[0]); i++)
		rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, plain_calls[i], 0);
	/* New threads, never processes; clone3's flags are out of reach, glibc falls back to clone.
	 */
	rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			       SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	rc |= seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* Memory, never executable: what generated code needs was mapped before. */
	rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/*
	 * KVM's (type AEh) and block devices' (12h) ioctls; of terminals only what
	 * cannot put keys into the user's shell (TIOCSTI).
	 */
	rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			       SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, 0xae00));
	rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			       SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, 0x1200));
	for (unsigned i = 0; i < sizeof(tty_ioctls) / sizeof(tty_ioctls[0]); i++)
		rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, tty_ioctls[i]));
	/* Signals to our own threads only. */
	rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
			       SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	if (cfg->sockets) {
		rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				       SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
		rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
	}
	return rc;
}

static int enter_seccomp(const struct sandbox_config *cfg, struct sandbox_report *r, struct err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (!f)
		return err_set(e, ENOMEM, "sandbox: seccomp_init failed");
	rc = add_filters(f, cfg);
	if (!rc)
		rc = seccomp_load(f);
	seccomp_release(f);
	r->seccomp = rc == 0;
	return rc ? err_set(e, EPERM, "sandbox: the kernel refused the seccomp filter") : 0;
}

int sandbox_enter(const struct sandbox_config *cfg, struct sandbox_report *r, struct err *e)
{
	int rc;

	*r = (struct sandbox_report){0};
	enter_namespaces(r);
	enter_empty_root(cfg, r);
	rc = drop_root(cfg, r, e);
	if (rc)
		return rc;
	set_limits();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_errno(e, "sandbox: no_new_privs");
	enter_landlock(cfg, r);
	return enter_seccomp(cfg, r, e);
}
