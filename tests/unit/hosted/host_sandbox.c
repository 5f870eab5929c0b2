/* SPDX-License-Identifier: Apache-2.0 */
/* Each test enters the sandbox in a child, which answers with its exit status. */
#include "tests/test.h"

#include "host/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sys/mman.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exit status of fn run inside the sandbox; 200 if the sandbox failed. */
static int inside(const struct sandbox_config *cfg, int (*fn)(const struct sandbox_report *))
{
	pid_t pid = fork();
	int st;

	if (!pid) {
		struct sandbox_report r;
		struct err e = {0};

		if (sandbox_enter(cfg, &r, &e)) {
			fprintf(stderr, "# %s\n", e.msg);
			_exit(200);
		}
		_exit(fn(&r));
	}
	waitpid(pid, &st, 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 201;
}

static const struct sandbox_config plain;

static int try_open(const struct sandbox_report *r)
{
	return open("/etc/passwd", O_RDONLY) < 0 && open("/", O_RDONLY) < 0 &&
			       open("/proc/self/mem", O_RDWR) < 0
		       ? 0
		       : 1;
}

static void t_opens_nothing(void)
{
	CHECK_EQ(inside(&plain, try_open), 0);
}

static int try_exec(const struct sandbox_report *r)
{
	char *argv[] = {"true", NULL};

	execv("/bin/true", argv);
	return errno == EPERM ? 0 : 1;
}

static void t_executes_nothing(void)
{
	CHECK_EQ(inside(&plain, try_exec), 0);
}

static int try_sockets(const struct sandbox_report *r)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 && socket(AF_UNIX, SOCK_STREAM, 0) < 0 &&
			       socket(AF_NETLINK, SOCK_RAW, 0) < 0
		       ? 0
		       : 1;
}

static void t_no_sockets(void)
{
	CHECK_EQ(inside(&plain, try_sockets), 0);
}

static int try_exec_memory(const struct sandbox_report *r)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0)
		return 1;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? 0
		       : 2;
}

static void t_no_new_executable_memory(void)
{
	CHECK_EQ(inside(&plain, try_exec_memory), 0);
}

static int try_process(const struct sandbox_report *r)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 && kill(1, 0) < 0 && syscall(SYS_ptrace, 0, 0, 0, 0) < 0 ? 0 : 1;
}

static void t_no_processes_no_signals(void)
{
	CHECK_EQ(inside(&plain, try_process), 0);
}

static int try_root(const struct sandbox_report *r)
{
	return r->unprivileged && geteuid() != 0 && setuid(0) < 0 ? 0 : 1;
}

static void t_not_root(void)
{
	if (getuid() != 0)
		SKIP("not started as root");
	CHECK_EQ(inside(&plain, try_root), 0);
}

static void *thread(void *arg)
{
	*(int *)arg = open("/etc/passwd", O_RDONLY) < 0;
	return NULL;
}

static int try_thread(const struct sandbox_report *r)
{
	pthread_t t;
	int denied = 0;

	if (pthread_create(&t, NULL, thread, &denied) || pthread_join(t, NULL))
		return 1;
	return denied ? 0 : 2;
}

static void t_threads_work_and_inherit(void)
{
	CHECK_EQ(inside(&plain, try_thread), 0);
}

static int kept_pipe[2];

static int try_kept_fd(const struct sandbox_report *r)
{
	return write(kept_pipe[1], "x", 1) == 1 ? 0 : 1;
}

static void t_open_files_stay(void)
{
	CHECK(pipe(kept_pipe) == 0);
	CHECK_EQ(inside(&plain, try_kept_fd), 0);
}

static char socket_dir[] = "/tmp/hull-sandbox-XXXXXX";

static int try_connect(const struct sandbox_report *r)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", socket_dir);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return 1;
	return open("/etc/passwd", O_RDONLY) < 0 ? 0 : 2;
}

static void t_named_directory_keeps_its_sockets(void)
{
	struct sandbox_config cfg = {.dirs = {socket_dir}, .ndirs = 1, .sockets = true};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), got;

	CHECK(mkdtemp(socket_dir));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", socket_dir);
	chmod(socket_dir, 0755);
	CHECK(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0);
	chmod(a.sun_path, 0777);
	got = inside(&cfg, try_connect);
	unlink(a.sun_path);
	rmdir(socket_dir);
	close(fd);
	CHECK_EQ(got, 0);
}

int main(void)
{
	RUN(t_opens_nothing);
	RUN(t_executes_nothing);
	RUN(t_no_sockets);
	RUN(t_no_new_executable_memory);
	RUN(t_no_processes_no_signals);
	RUN(t_not_root);
	RUN(t_threads_work_and_inherit);
	RUN(t_open_files_stay);
	RUN(t_named_directory_keeps_its_sockets);
	return test_done();
}
