/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default system-call filter of containers, as the container tools of
 * Debian agree on it (golang-github-containers-common, seccomp.json), without
 * io_uring: what is allowed to all, what a capability brings, what is answered
 * "not permitted" rather than "no such call". As linux.seccomp of the
 * runtime-spec (config-linux.md); names the processor has not are passed over
 * by the runtime.
 */
#include "run/internal.h"

#include <string.h>

/* clang-format off */
static const char allowed[] =
	"_llseek _newselect accept accept4 access adjtimex alarm arch_prctl bind brk capget "
	"capset chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres "
	"clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
	"clock_nanosleep_time64 clone clone3 close close_range connect copy_file_range creat "
	"dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait "
	"epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit "
	"exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark "
	"fchdir fchmod fchmodat fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
	"flistxattr flock fork fremovexattr fsconfig fsetxattr fsmount fsopen fspick fstat "
	"fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_time64 "
	"futimesat get_mempolicy get_robust_list get_thread_area getcpu getcwd getdents "
	"getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 "
	"getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid "
	"getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt "
	"gettid gettimeofday getuid getuid32 getxattr inotify_add_watch inotify_init "
	"inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_setup io_submit "
	"ioctl ioprio_get ioprio_set ipc keyctl kill landlock_add_rule "
	"landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat "
	"listen listxattr llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise mbind "
	"membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock "
	"mlock2 mlockall mmap mmap2 modify_ldt mount mount_setattr move_mount mprotect "
	"mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
	"mq_timedsend_time64 mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock "
	"munlockall munmap name_to_handle_at nanosleep newfstatat open open_tree openat "
	"openat2 pause pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pivot_root "
	"pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv "
	"preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 "
	"pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readdir readlink "
	"readlinkat readv reboot recv recvfrom recvmmsg recvmmsg_time64 recvmsg "
	"remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir rseq "
	"rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
	"rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max "
	"sched_get_priority_min sched_getaffinity sched_getattr sched_getparam "
	"sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
	"sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield "
	"seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile "
	"sendfile64 sendmmsg sendmsg sendto set_mempolicy set_robust_list set_thread_area "
	"set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups "
	"setgroups32 setitimer setns setpgid setpriority setregid setregid32 setresgid "
	"setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt "
	"setuid setuid32 setxattr shmat shmctl shmdt shmget shutdown sigaction sigaltstack "
	"signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend socketcall "
	"socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat sync "
	"sync_file_range syncfs syscall sysinfo syslog tee tgkill time timer_create "
	"timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
	"timer_settime64 timerfd timerfd_create timerfd_gettime timerfd_gettime64 "
	"timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask "
	"umount umount2 uname unlink unlinkat unshare utime utimensat utimensat_time64 utimes "
	"vfork wait4 waitid waitpid write writev";

static const char not_permitted[] =
	"bdflush io_pgetevents kexec_file_load kexec_load migrate_pages move_pages nfsservctl "
	"nice oldfstat oldlstat oldolduname oldstat olduname pciconfig_iobase pciconfig_read "
	"pciconfig_write sgetmask ssetmask swapcontext swapoff swapon sysfs uselib "
	"userfaultfd ustat vm86 vm86old vmsplice";

static const struct {
	unsigned cap; /* linux/capability.h */
	const char *names;
} of_capability[] = {
	{2, "open_by_handle_at"},
	{21, "bpf fanotify_init lookup_dcookie perf_event_open quotactl setdomainname sethostname setns"},
	{18, "chroot"},
	{16, "delete_module finit_module init_module query_module"},
	{20, "acct"},
	{19, "kcmp process_madvise"},
	{17, "ioperm iopl"},
	{25, "clock_settime clock_settime64 settimeofday stime"},
	{26, "vhangup"},
};
/* clang-format on */

/* Execution domains personality(2) may change to: Linux, PER_LINUX32 and UNAME26 with either. */
static const u32 personalities[] = {0, 8, 0x20000, 0x20008, 0xffffffff};

static json_t *names_of(const char *text)
{
	json_t *a = json_array();

	while (*text) {
		size_t n = strcspn(text, " ");

		json_array_append_new(a, json_stringn(text, n));
		text += n + (text[n] == ' ');
	}
	return a;
}

static void allow(json_t *rules, const char *names)
{
	json_array_append_new(rules, json_pack("{s:o, s:s}", "names", names_of(names), "action",
					       "SCMP_ACT_ALLOW"));
}

static void refuse(json_t *rules, const char *names)
{
	json_array_append_new(rules, json_pack("{s:o, s:s, s:i}", "names", names_of(names),
					       "action", "SCMP_ACT_ERRNO", "errnoRet", 1));
}

static void add_socket(json_t *rules, u64 caps)
{
	/* NETLINK_AUDIT (16, 9) only with CAP_AUDIT_WRITE. */
	static const struct {
		unsigned index, value;
	} except[] = {{0, 16}, {2, 9}};

	if (caps >> 29 & 1) {
		allow(rules, "socket");
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(except); i++)
		json_array_append_new(rules, json_pack("{s:[s], s:s, s:[{s:i, s:i, s:s}]}", "names",
						       "socket", "action", "SCMP_ACT_ALLOW", "args",
						       "index", except[i].index, "value",
						       except[i].value, "op", "SCMP_CMP_NE"));
}

json_t *seccomp_default(u64 caps)
{
	json_t *rules = json_array();

	allow(rules, allowed);
	refuse(rules, not_permitted);
	for (unsigned i = 0; i < ARRAY_LEN(of_capability); i++) {
		if (caps >> of_capability[i].cap & 1)
			allow(rules, of_capability[i].names);
		else
			refuse(rules, of_capability[i].names);
	}
	for (unsigned i = 0; i < ARRAY_LEN(personalities); i++)
		json_array_append_new(rules,
				      json_pack("{s:[s], s:s, s:[{s:i, s:I, s:s}]}", "names",
						"personality", "action", "SCMP_ACT_ALLOW", "args",
						"index", 0, "value", (json_int_t)personalities[i],
						"op", "SCMP_CMP_EQ"));
	add_socket(rules, caps);
	return json_pack("{s:s, s:i, s:[s,s,s], s:o}", "defaultAction", "SCMP_ACT_ERRNO",
			 "defaultErrnoRet", 38, "architectures", "SCMP_ARCH_X86_64",
			 "SCMP_ARCH_X86", "SCMP_ARCH_X32", "syscalls", rules);
}
