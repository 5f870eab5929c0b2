/* SPDX-License-Identifier: Apache-2.0 */
/* What an operating system does: calls, faults, processes, signals, files, threads. */
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t b_getppid(unsigned n)
{
	uint64_t ok = 0;

	for (unsigned i = 0; i < n; i++)
		ok += syscall(SYS_getppid) >= 0;
	return ok;
}

static uint64_t b_fault(unsigned n)
{
	enum { PAGES = 256 };
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		char *p = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return 0;
		madvise(p, PAGES * 4096, MADV_NOHUGEPAGE);
		for (int k = 0; k < PAGES; k++)
			p[k * 4096] = 1;
		sum += p[4096];
		munmap(p, PAGES * 4096);
	}
	return sum;
}

static uint64_t b_fork(unsigned n)
{
	uint64_t ok = 0;

	for (unsigned i = 0; i < n; i++) {
		int st = -1;
		pid_t pid = fork();

		if (!pid)
			_exit(3);
		waitpid(pid, &st, 0);
		ok += WIFEXITED(st) && WEXITSTATUS(st) == 3;
	}
	return ok;
}

extern const char *bench_self;

static uint64_t b_exec(unsigned n)
{
	uint64_t ok = 0;

	for (unsigned i = 0; i < n; i++) {
		int st = -1;
		pid_t pid = fork();

		if (!pid) {
			execl(bench_self, bench_self, "--exit", "5", (char *)NULL);
			_exit(1);
		}
		waitpid(pid, &st, 0);
		ok += WIFEXITED(st) && WEXITSTATUS(st) == 5;
	}
	return ok;
}

static uint64_t b_pipe(unsigned n)
{
	int a[2], b[2], st;
	uint64_t ok = 0;
	char c = 0;
	pid_t pid;

	if (pipe(a) || pipe(b))
		return 0;
	pid = fork();
	if (!pid) {
		close(a[1]);
		while (read(a[0], &c, 1) == 1)
			if (write(b[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	close(a[0]);
	for (unsigned i = 0; i < n; i++) {
		c = i;
		ok += write(a[1], &c, 1) == 1 && read(b[0], &c, 1) == 1 && c == (char)i;
	}
	close(a[1]);
	waitpid(pid, &st, 0);
	close(b[0]);
	close(b[1]);
	return ok;
}

static volatile sig_atomic_t signals;

static void on_signal(int s)
{
	(void)s;
	signals++;
}

static uint64_t b_signal(unsigned n)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &sa, NULL);
	signals = 0;
	for (unsigned i = 0; i < n; i++)
		raise(SIGUSR1);
	return signals;
}

static uint64_t b_mprotect(unsigned n)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t sum = 0;

	if (p == MAP_FAILED)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		mprotect(p, 4096, PROT_READ);
		sum += p[0];
		mprotect(p, 4096, PROT_READ | PROT_WRITE);
		p[0] = i;
	}
	munmap(p, 8192);
	return sum;
}

static uint64_t b_mmap(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p == MAP_FAILED)
			return 0;
		p[i % 65536] = 1;
		sum += p[i % 65536];
		munmap(p, 65536);
	}
	return sum;
}

static uint64_t b_file(unsigned n)
{
	static char buf[4096];
	char name[] = "/tmp/hull-bench-XXXXXX";
	int fd = mkstemp(name);
	uint64_t sum = 0;

	if (fd < 0)
		return 0;
	unlink(name);
	for (unsigned i = 0; i < n; i++) {
		off_t off = (off_t)(i % 64) * 4096;

		buf[0] = i;
		sum += pwrite(fd, buf, sizeof(buf), off);
		sum += pread(fd, buf, sizeof(buf), off);
	}
	close(fd);
	return sum;
}

static _Atomic uint64_t counter;

static void *adder(void *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	unsigned n = *(unsigned *)arg;

	for (unsigned i = 0; i < n; i++) {
		atomic_fetch_add(&counter, 1);
		if (!(i & 15)) {
			pthread_mutex_lock(&lock);
			counter += 2;
			pthread_mutex_unlock(&lock);
		}
	}
	return NULL;
}

static uint64_t b_threads(unsigned n)
{
	pthread_t t[4];
	uint64_t base;

	counter = 0;
	for (int i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, adder, &n))
			return 0;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	base = counter;
	return base;
}

const struct bench bench_sys[] = {
	{"getppid", G_SYS, b_getppid, 400000},
	{"fault", G_SYS, b_fault, 150},
	{"fork", G_SYS, b_fork, 150},
	{"exec", G_SYS, b_exec, 100},
	{"pipe", G_SYS, b_pipe, 8000},
	{"signal", G_SYS, b_signal, 40000},
	{"mprotect", G_SYS, b_mprotect, 20000},
	{"mmap", G_SYS, b_mmap, 20000},
	{"file", G_SYS, b_file, 80000},
	{"threads", G_OTHER, b_threads, 1500000},
	{NULL},
};
