/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs ask of the kernel, one test an argument; prints the same on every
 * machine. Compiled for the foreign ISA by tests/integration/foreign.py.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define SHOW(x) printf("%s = %lld\n", #x, (long long)(x))

extern char **environ;

static void test_start(int argc, char **argv)
{
	struct utsname u;

	for (int i = 2; i < argc; i++)
		printf("arg %s\n", argv[i]);
	printf("env %s\n", getenv("FOREIGN_TEST") ? getenv("FOREIGN_TEST") : "none");
	uname(&u);
	printf("machine %s\n", u.machine);
	SHOW(getauxval(AT_PHENT));
	SHOW(getauxval(AT_RANDOM) != 0);
	SHOW(getauxval(AT_HWCAP) & 0x10000000 /* ALTIVEC */);
	printf("%.17g %a %Lg\n", 0.1 + 0.2, 1e300, 3.25L);
}

static void test_files(void)
{
	char name[] = "/tmp/foreign-XXXXXX", buf[64] = "";
	struct stat st, st2;
	int fd = mkstemp(name), fd2;

	SHOW(write(fd, "hello world", 11));
	SHOW(pwrite(fd, "H", 1, 0));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(read(fd, buf, sizeof(buf)));
	printf("%s\n", buf);
	fstat(fd, &st);
	stat(name, &st2);
	SHOW(st.st_size);
	SHOW(st.st_ino == st2.st_ino && st.st_mtim.tv_nsec == st2.st_mtim.tv_nsec);
	SHOW(st.st_mode);
	SHOW(st.st_nlink);
	SHOW(fcntl(fd, F_GETFL) & O_ACCMODE);
	SHOW(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
	SHOW((fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK)) == (O_APPEND | O_NONBLOCK));
	SHOW(open(name, O_RDONLY | O_DIRECTORY) < 0 ? errno : 0);
	fd2 = open("/tmp", O_RDONLY | O_DIRECTORY);
	SHOW(fd2 >= 0);
	SHOW(faccessat(fd2, name + 5, R_OK, 0));
	SHOW(symlink(name, "/tmp/foreign-link"));
	SHOW(open("/tmp/foreign-link", O_RDONLY | O_NOFOLLOW) < 0 ? errno : 0);
	SHOW(unlink("/tmp/foreign-link"));
	SHOW(truncate(name, 5));
	stat(name, &st);
	SHOW(st.st_size);
	SHOW(unlink(name));
	SHOW(access(name, F_OK) ? errno : 0);
	SHOW(read(-1, buf, 1) < 0 ? errno : 0);
	SHOW(read(fd, (void *)8, 1) <= 0);
	SHOW(stat("/tmp", (struct stat *)16) < 0 ? errno : 0);
}

/* ---- signals ---- */

static volatile int count, last;
static int expected; /* the address is to be shown; QEMU has none for a fetch */
static sigjmp_buf env;

static void on_usr(int sig)
{
	count++;
	last = sig;
}

static void on_info(int sig, siginfo_t *si, void *uc)
{
	count++;
	last = si->si_value.sival_int;
	printf("info sig %d code %d pid ok %d\n", sig, si->si_code, si->si_pid == getpid());
}

static void on_segv(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	if (expected)
		printf("at %p ", si->si_addr);
	printf("segv code ok %d nip ok %d\n",
	       si->si_code == SEGV_MAPERR || si->si_code == SEGV_ACCERR,
	       uc->uc_mcontext.gp_regs[32] != 0);
	siglongjmp(env, sig);
}

/* Steps over the faulting instruction. */
static void on_ill(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	printf("signal %d code %d at its pc %d\n", sig, si->si_code,
	       (unsigned long)si->si_addr == uc->uc_mcontext.gp_regs[32]);
	uc->uc_mcontext.gp_regs[32] += 4;
	uc->uc_mcontext.gp_regs[14] = 4711;
}

static void *alt_base;
static void on_alt(int sig)
{
	char here;

	printf("on the alternate stack: %d\n",
	       (char *)&here >= (char *)alt_base && (char *)&here < (char *)alt_base + 65536);
}

static void set_handler(int sig, void (*fn)(int), int flags)
{
	struct sigaction sa = {.sa_handler = fn, .sa_flags = flags};

	sigaction(sig, &sa, NULL);
}

static void set_info(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = {.sa_sigaction = fn, .sa_flags = flags | SA_SIGINFO};

	sigaction(sig, &sa, NULL);
}

static void test_signals(void)
{
	sigset_t set, old, pending;
	union sigval v = {.sival_int = 1234};
	stack_t ss = {.ss_size = 65536};

	set_handler(SIGUSR1, on_usr, 0);
	raise(SIGUSR1);
	SHOW(count);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	SHOW(count);
	sigpending(&pending);
	SHOW(sigismember(&pending, SIGUSR1));
	sigsuspend(&old);
	SHOW(count);
	sigprocmask(SIG_SETMASK, &old, NULL);
	set_info(SIGRTMIN + 1, on_info, 0);
	sigqueue(getpid(), SIGRTMIN + 1, v);
	SHOW(last);
	ss.ss_sp = alt_base = malloc(65536);
	sigaltstack(&ss, NULL);
	set_handler(SIGUSR2, on_alt, SA_ONSTACK);
	raise(SIGUSR2);
	set_info(SIGSEGV, on_segv, 0);
	expected = 1;
	if (!sigsetjmp(env, 1))
		*(volatile int *)0x1000 = 1;
	if (!sigsetjmp(env, 1))
		count += *(volatile int *)0x2000;
	expected = 0;
	if (!sigsetjmp(env, 1))
		((void (*)(void))(((unsigned long)ss.ss_sp + 8191) & ~4095UL))();
	set_info(SIGILL, on_ill, 0);
	{
		register long r14 asm("r14") = 1;

		asm volatile(".long 0" : "+r"(r14)); /* never an instruction */
		SHOW(r14);
		set_info(SIGTRAP, on_ill, 0);
		asm volatile("trap" : "+r"(r14));
		SHOW(r14);
	}
}

static void test_restart(void)
{
	struct itimerval it = {.it_value.tv_usec = 50000};
	int p[2];
	char c;

	pipe(p);
	count = 0;
	set_handler(SIGALRM, on_usr, 0);
	setitimer(ITIMER_REAL, &it, NULL);
	SHOW(read(p[0], &c, 1));
	SHOW(errno == EINTR);
	SHOW(count);
	set_handler(SIGALRM, on_usr, SA_RESTART);
	setitimer(ITIMER_REAL, &it, NULL);
	if (!fork()) {
		usleep(200000);
		write(p[1], "x", 1);
		_exit(0);
	}
	SHOW(read(p[0], &c, 1));
	SHOW(count);
	wait(NULL);
	/* a loop without system calls is interrupted too */
	count = 0;
	setitimer(ITIMER_REAL, &it, NULL);
	while (!count)
		;
	SHOW(count);
}

/* ---- processes ---- */

static void test_processes(char **argv)
{
	char *child[] = {argv[0], "child", "a b", NULL}, *none[] = {"/nonexistent", NULL};
	int st, p[2];
	char buf[256];
	pid_t pid;
	FILE *f;

	fflush(stdout);
	if (!(pid = fork()))
		_exit(7);
	SHOW(waitpid(pid, &st, 0) == pid);
	SHOW(WEXITSTATUS(st));
	if (!(pid = fork()))
		raise(SIGKILL);
	waitpid(pid, &st, 0);
	SHOW(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	if (!(pid = fork()))
		abort();
	waitpid(pid, &st, 0);
	SHOW(WIFSIGNALED(st) && WTERMSIG(st) == SIGABRT);
	if (!(pid = fork()))
		*(volatile int *)0 = 0;
	waitpid(pid, &st, 0);
	SHOW(WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV);
	pipe(p);
	if (!(pid = fork())) {
		dup2(p[1], 1);
		execve(argv[0], child, environ);
		_exit(99);
	}
	close(p[1]);
	memset(buf, 0, sizeof(buf));
	read(p[0], buf, sizeof(buf) - 1);
	waitpid(pid, &st, 0);
	printf("child said: %s", buf);
	SHOW(WEXITSTATUS(st));
	SHOW(posix_spawn(&pid, argv[0], NULL, NULL, child, environ));
	waitpid(pid, &st, 0);
	SHOW(WEXITSTATUS(st));
	SHOW(execv(none[0], none) < 0 ? errno : 0);
	f = popen("echo from the shell", "r");
	printf("%s", fgets(buf, sizeof(buf), f));
	SHOW(pclose(f));
	f = fopen("/tmp/foreign-script", "w");
	fprintf(f, "#!%s child\n", realpath(argv[0], NULL));
	fclose(f);
	chmod("/tmp/foreign-script", 0755);
	fflush(stdout);
	if (!(pid = fork())) {
		execl("/tmp/foreign-script", "script", "one", NULL);
		_exit(99);
	}
	waitpid(pid, &st, 0);
	SHOW(WEXITSTATUS(st));
	unlink("/tmp/foreign-script");
}

/* All descriptors but the first three are closed, one is laid over; execve must still work. */
static void test_closing(char **argv)
{
	char *child[] = {argv[0], "child", "closed", NULL}, line[4096] = "", *tail;
	int fd;

	for (fd = 3; fd < 2000; fd++)
		close(fd);
	SHOW(close_range(3, ~0u, 0));
	SHOW(dup2(0, 1023) == 1023 && close(1023) == 0);
	fd = open("/proc/self/cmdline", O_RDONLY);
	if (fd >= 0) {
		SHOW(read(fd, line, sizeof(line) - 1) > 0);
		tail = line + strlen(line) + 1;
		printf("%s %s\n", strrchr(line, '/') + 1, tail);
		close(fd);
	}
	execv(argv[0], child);
	printf("%s\n", strerror(errno));
}

static int child(int argc, char **argv)
{
	printf("I am %s with %d: %s\n", strrchr(argv[0], '/') + 1, argc,
	       strncmp(argv[2], "/tmp", 4) ? argv[2] : argv[3]);
	return 42;
}

/* ---- threads ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long plain, atomic;
static __thread int own = 5;

static void *worker(void *arg)
{
	own += (int)(long)arg;
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&lock);
		plain++;
		pthread_mutex_unlock(&lock);
		__atomic_fetch_add(&atomic, 1, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_lock(&lock);
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&lock);
	return (void *)(long)own;
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void test_threads(void)
{
	pthread_t th[4];
	void *ret;

	for (long i = 0; i < 4; i++)
		pthread_create(&th[i], NULL, worker, (void *)i);
	for (int i = 0; i < 4; i++) {
		pthread_join(th[i], &ret);
		SHOW((long)ret);
	}
	SHOW(plain);
	SHOW(atomic);
	SHOW(own);
	pthread_create(&th[0], NULL, sleeper, NULL);
	usleep(20000);
	SHOW(pthread_cancel(th[0]));
	pthread_join(th[0], &ret);
	SHOW(ret == PTHREAD_CANCELED);
	for (int i = 0; i < 200; i++) {
		pthread_create(&th[0], NULL, worker, NULL);
		pthread_join(th[0], NULL);
	}
	SHOW(plain);
}

/* ---- memory ---- */

/* What the compiler's __clear_cache does not do here: Power ISA Book II, 1.8. */
static void code_written(void *p)
{
	asm volatile("dcbst 0,%0; sync; icbi 0,%0; sync; isync" ::"r"(p) : "memory");
}

static void test_memory(void)
{
	/* li r3,N; blr */
	uint32_t *code =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int (*fn)(void) = (int (*)(void))code;
	void *brk0 = sbrk(0);
	char *p;

	for (int i = 1; i <= 3; i++) {
		mprotect(code, 8192, PROT_READ | PROT_WRITE);
		code[0] = 0x38600000u | (unsigned)i;
		code[1] = 0x4e800020;
		mprotect(code, 8192, PROT_READ | PROT_EXEC);
		code_written(code);
		SHOW(fn());
	}
	mprotect(code, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
	for (int i = 1; i <= 100; i++) {
		code[0] = 0x38600000u | (unsigned)i;
		code_written(code);
		count += fn();
	}
	SHOW(count);
	mprotect(code, 8192, PROT_READ | PROT_WRITE);
	set_info(SIGSEGV, on_segv, 0);
	if (!sigsetjmp(env, 1))
		SHOW(fn());
	SHOW(sbrk(100000) == brk0);
	memset(brk0, 1, 100000);
	SHOW((char *)sbrk(0) - (char *)brk0);
	p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!fork()) {
		p[100] = 42;
		_exit(0);
	}
	wait(NULL);
	SHOW(p[100]);
	SHOW(munmap(p, 65536));
	SHOW(mmap(NULL, 0, 0, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0);
	p = malloc(10 << 20);
	memset(p, 7, 10 << 20);
	p = realloc(p, 40 << 20);
	SHOW(p[(10 << 20) - 1]);
	free(p);
}

/* ---- waiting and sockets ---- */

static void test_sockets(void)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, out[4];
	struct timeval tv = {.tv_usec = 1000};
	struct pollfd pf;
	int s[2], ep, v, fd;
	socklen_t len = sizeof(v);
	struct ucred cred;
	char buf[16];
	fd_set set;

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s);
	ep = epoll_create1(0);
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &ev));
	SHOW(epoll_wait(ep, out, 4, 0));
	SHOW(send(s[1], "abc", 3, 0));
	SHOW(epoll_wait(ep, out, 4, 1000));
	SHOW(out[0].data.u64 == 0x1122334455667788);
	pf = (struct pollfd){.fd = s[0], .events = POLLIN};
	SHOW(poll(&pf, 1, 1000));
	FD_ZERO(&set);
	FD_SET(s[0], &set);
	SHOW(select(s[0] + 1, &set, NULL, NULL, NULL));
	SHOW(recv(s[0], buf, sizeof(buf), 0));
	SHOW(select(s[0] + 1, &set, NULL, NULL, &tv));
	tv = (struct timeval){.tv_sec = 3};
	SHOW(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	len = sizeof(cred);
	SHOW(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &len));
	SHOW(cred.pid == getpid());
	v = 1;
	SHOW(setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &v, sizeof(v)));
	len = sizeof(v);
	SHOW(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, &len));
	SHOW(v);
	write(s[1], "12345", 5);
	SHOW(ioctl(s[0], FIONREAD, &v));
	SHOW(v);
	v = 1;
	SHOW(ioctl(s[0], FIONBIO, &v));
	read(s[0], buf, 5);
	SHOW(read(s[0], buf, 5) < 0 ? errno == EAGAIN : 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	SHOW(fd >= 0);
}

static void test_tty(void)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY), s;
	struct winsize w = {.ws_row = 25, .ws_col = 80};
	struct termios t;
	char buf[64];

	grantpt(m);
	unlockpt(m);
	s = open(ptsname(m), O_RDWR | O_NOCTTY);
	SHOW(isatty(s));
	SHOW(ioctl(m, TIOCSWINSZ, &w));
	memset(&w, 0, sizeof(w));
	SHOW(ioctl(s, TIOCGWINSZ, &w));
	SHOW(w.ws_col);
	tcgetattr(s, &t);
	SHOW((t.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG));
	SHOW(t.c_oflag & ONLCR);
	SHOW((t.c_cflag & CSIZE) == CS8);
	SHOW(t.c_cc[VINTR]);
	SHOW(t.c_cc[VEOF]);
	SHOW(cfgetospeed(&t) == B38400);
	cfmakeraw(&t);
	cfsetspeed(&t, B115200);
	SHOW(tcsetattr(s, TCSANOW, &t));
	tcgetattr(s, &t);
	SHOW(t.c_lflag & (ICANON | ECHO | ISIG));
	SHOW(cfgetospeed(&t) == B115200);
	SHOW(t.c_cc[VMIN]);
	write(m, "q", 1);
	SHOW(read(s, buf, sizeof(buf)));
}

/* ---- contexts ---- */

static ucontext_t main_ctx, other_ctx;
static double shared = 1.5;

static void other(int n)
{
	for (int i = 0; i < n; i++) {
		shared *= 2;
		swapcontext(&other_ctx, &main_ctx);
	}
}

static void test_contexts(void)
{
	getcontext(&other_ctx);
	other_ctx.uc_stack.ss_sp = malloc(65536);
	other_ctx.uc_stack.ss_size = 65536;
	other_ctx.uc_link = &main_ctx;
	makecontext(&other_ctx, (void (*)(void))other, 1, 3);
	for (int i = 0; i < 3; i++) {
		swapcontext(&main_ctx, &other_ctx);
		printf("%g\n", shared);
	}
}

static void test_time(void)
{
	struct timespec a, b, d = {.tv_nsec = 20000000};
	struct timeval tv;
	time_t t = time(NULL);

	clock_gettime(CLOCK_MONOTONIC, &a);
	nanosleep(&d, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	SHOW((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 20000000);
	gettimeofday(&tv, NULL);
	SHOW(tv.tv_sec - t <= 1);
	SHOW(__builtin_ppc_get_timebase() != 0);
}

/* ---- System V IPC: by the C library's one call, and by the separate ones ---- */

static void semaphores(void)
{
	union {
		int val;
		struct semid_ds *buf;
		unsigned short *array;
	} u;
	struct sembuf down = {1, -2, IPC_NOWAIT}, up = {1, 1, 0}, wait = {1, -9, 0};
	struct timespec ts = {.tv_nsec = 10000000};
	unsigned short all[3] = {4, 5, 6};
	struct semid_ds ds = {0};
	int id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0640);

	u.array = all;
	SHOW(semctl(id, 0, SETALL, u));
	SHOW(semop(id, &down, 1));
	SHOW(semop(id, &up, 1));
	SHOW(semctl(id, 1, GETVAL));
	SHOW(semtimedop(id, &wait, 1, &ts) < 0 ? errno : 0);
	u.val = 77;
	SHOW(semctl(id, 2, SETVAL, u));
	SHOW(syscall(394, id, 2, GETVAL, 0));
	u.buf = &ds;
	SHOW(semctl(id, 0, IPC_STAT, u));
	SHOW(ds.sem_nsems);
	SHOW(ds.sem_perm.mode);
	SHOW(ds.sem_perm.uid == geteuid() && ds.sem_otime > 1000000 && ds.sem_ctime > 1000000);
	ds.sem_perm.mode = 0600;
	SHOW(semctl(id, 0, IPC_SET, u));
	SHOW(syscall(394, id, 0, IPC_STAT, &ds));
	SHOW(ds.sem_perm.mode);
	SHOW(semctl(id, 0, IPC_RMID));
	SHOW(semctl(id, 0, IPC_STAT, u) < 0 ? errno : 0);
}

static void shared_memory(void)
{
	struct shmid_ds ds = {0};
	int id = shmget(IPC_PRIVATE, 100000, IPC_CREAT | 0600), st;
	char *p = shmat(id, NULL, 0), *q;

	SHOW(p != (void *)-1);
	strcpy(p + 70000, "before");
	fflush(stdout);
	if (!fork()) {
		strcpy(p + 70000, "from the child");
		_exit(0);
	}
	wait(&st);
	printf("%s\n", p + 70000);
	q = shmat(id, NULL, SHM_RDONLY);
	SHOW(shmctl(id, IPC_STAT, &ds));
	SHOW(ds.shm_segsz);
	SHOW(ds.shm_nattch);
	SHOW(ds.shm_cpid == getpid());
	SHOW(q != p && !strcmp(q + 70000, "from the child"));
	SHOW(shmctl(id, IPC_RMID, NULL));
	SHOW(shmdt(p));
	SHOW(shmdt(q));
	SHOW(shmdt(q) < 0 ? errno : 0);
	SHOW(shmat(id, NULL, 0) == (void *)-1 ? errno : 0);
}

static void messages(void)
{
	struct {
		long type;
		char text[16];
	} m = {5, "five"}, got = {0};
	struct msqid_ds ds = {0};
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

	SHOW(msgsnd(id, &m, 5, 0));
	m.type = 3;
	SHOW(msgsnd(id, &m, 10, 0));
	SHOW(msgctl(id, IPC_STAT, &ds));
	SHOW(ds.msg_qnum);
	SHOW(ds.msg_lspid == getpid());
	SHOW(msgrcv(id, &got, sizeof(got.text), -4, 0));
	SHOW(got.type);
	SHOW(msgrcv(id, &got, sizeof(got.text), 0, 0));
	printf("%ld %s\n", got.type, got.text);
	SHOW(msgrcv(id, &got, sizeof(got.text), 0, IPC_NOWAIT) < 0 ? errno : 0);
	SHOW(msgctl(id, IPC_RMID, NULL));
	SHOW(syscall(117, 99, 0, 0, 0, 0, 0) < 0 ? errno : 0);
}

static void test_ipc(void)
{
	semaphores();
	shared_memory();
	messages();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IONBF, 0);
	if (!strcmp(what, "start"))
		test_start(argc, argv);
	else if (!strcmp(what, "files"))
		test_files();
	else if (!strcmp(what, "signals"))
		test_signals();
	else if (!strcmp(what, "restart"))
		test_restart();
	else if (!strcmp(what, "processes"))
		test_processes(argv);
	else if (!strcmp(what, "closing"))
		test_closing(argv);
	else if (!strcmp(what, "child"))
		return child(argc, argv);
	else if (!strcmp(what, "threads"))
		test_threads();
	else if (!strcmp(what, "memory"))
		test_memory();
	else if (!strcmp(what, "sockets"))
		test_sockets();
	else if (!strcmp(what, "tty"))
		test_tty();
	else if (!strcmp(what, "contexts"))
		test_contexts();
	else if (!strcmp(what, "ipc"))
		test_ipc();
	else if (!strcmp(what, "time"))
		test_time();
	else
		return 2;
	return 0;
}
