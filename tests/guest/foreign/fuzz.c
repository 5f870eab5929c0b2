/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz SEED ROUNDS: system calls with random arguments, those that the emulator
 * does more about than to pass them on. Each round is a process of its own,
 * which must end by itself whatever the calls answered. Compiled for the foreign
 * ISA by tests/integration/foreign.py, run in an empty directory.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Not here: what ends, forks, sleeps for good, maps over the emulator or lowers limits. */
static const short numbers[] = {
	SYS_open,
	SYS_creat,
	SYS_link,
	SYS_unlink,
	SYS_execve,
	SYS_time,
	SYS_mknod,
	SYS_chmod,
	SYS_lchown,
	SYS_utime,
	SYS_access,
	SYS_rename,
	SYS_mkdir,
	SYS_rmdir,
	SYS_pipe,
	SYS_ioctl,
	SYS_fcntl,
	SYS_dup2,
	SYS_select,
	SYS_symlink,
	SYS_readlink,
	SYS_socketcall,
	SYS_stat,
	SYS_lstat,
	SYS_fstat,
	SYS_uname,
	SYS__llseek,
	SYS_poll,
	SYS_epoll_create,
	SYS_epoll_ctl,
	SYS_epoll_wait,
	SYS_epoll_pwait,
	SYS_statfs64,
	SYS_fstatfs64,
	SYS_openat,
	SYS_newfstatat,
	SYS_readlinkat,
	SYS_faccessat,
	SYS_signalfd,
	SYS_eventfd,
	SYS_sync_file_range2,
	SYS_pipe2,
	SYS_send,
	SYS_recv,
	SYS_setsockopt,
	SYS_getsockopt,
	SYS_execveat,
	SYS_statx,
	SYS_openat2,
	439 /* faccessat2 */,
	SYS_close,
	436 /* close_range */,
	SYS_dup3,
	SYS_sigaltstack,
	SYS_utimes,
	SYS_chown,
	SYS_socket,
	SYS_rt_sigtimedwait,
	SYS_ipc,
	SYS_semctl,
	SYS_shmctl,
	SYS_msgctl,
	SYS_shmget,
	SYS_semget,
	SYS_io_uring_setup,
	SYS_ptrace,
	SYS_clone3,
	SYS_rseq,
	SYS_personality,
	SYS_getcwd,
	SYS_getdents64,
	459,
};

static uint64_t state;
static unsigned char *buffer; /* four pages, the last is not there */

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static uint64_t argument(void)
{
	switch (rnd() % 10) {
	case 0:
		return rnd() % 8; /* a descriptor, a small number */
	case 1:
		return rnd();
	case 2:
		return ~0ull << rnd() % 64;
	case 3:
		return 1ull << rnd() % 64;
	case 4:
		return (uint64_t)buffer + 3 * 65536 - rnd() % 64; /* across the end */
	case 5:
		return 0;
	case 6:
		return rnd() % 70000;
	default:
		return (uint64_t)buffer + rnd() % (3 * 65536 - 256);
	}
}

/* Small numbers, pointers, names of files that may be there, noise. */
static void fill(void)
{
	for (unsigned i = 0; i < 64; i++) {
		uint64_t *p = (uint64_t *)(buffer + rnd() % (3 * 65536 - 64) / 8 * 8);

		switch (rnd() % 5) {
		case 0:
			*p = rnd();
			break;
		case 1:
			*p = argument();
			break;
		case 2:
			*p = rnd() % 100;
			break;
		case 3:
			strcpy((char *)p, (const char *[]){"a", "b/c", "d"}[rnd() % 3]);
			break;
		default:
			*p = ~0ull;
		}
	}
}

static void nothing(int sig)
{
}

static void round_of(unsigned calls)
{
	struct itimerval it = {{0, 20000}, {0, 20000}};
	struct sigaction sa = {.sa_handler = nothing};

	sigaction(SIGALRM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	setitimer(ITIMER_REAL, &it, NULL); /* whatever waits is interrupted */
	for (unsigned i = 0; i < calls; i++) {
		if (i % 8 == 0)
			fill();
		syscall(numbers[rnd() % (sizeof(numbers) / sizeof(*numbers))], argument(),
			argument(), argument(), argument(), argument(), argument());
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 2 ? atoi(argv[2]) : 10;
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	int st;

	buffer = mmap(NULL, 4 * 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(buffer + 3 * 65536, 65536);
	if (unshare(CLONE_NEWIPC)) {
		printf("not without a name space of its own\n");
		return 3;
	}
	for (unsigned i = 0; i < rounds; i++) {
		pid_t pid = fork();

		if (!pid) {
			state = 1 + seed * 0x9e3779b97f4a7c15ull + i * 0xbf58476d1ce4e5b9ull;
			close(1);
			close(2);
			round_of(200);
			_exit(0);
		}
		if (waitpid(pid, &st, 0) != pid || st) {
			printf("round %u of seed %llu: status %#x\n", i, (unsigned long long)seed,
			       st);
			return 1;
		}
	}
	printf("%u rounds\n", rounds);
	return 0;
}
