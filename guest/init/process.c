/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts one process as a container runtime would: name space, stdio, user,
 * capabilities, working directory, program. See hull_init.h.
 *
 * The child says what went wrong through a pipe that exec closes: one byte
 * (exit status) and a text.
 */
#include "hull_init.h"
#include "run/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX (64u << 10) /* of /etc/passwd, /etc/group */
#define STATUS_HULL 125
#define STATUS_UNUSABLE 126
#define STATUS_NOT_FOUND 127

struct ends {
	int child[3], mine[3]; /* stdin, stdout, stderr */
	int why[2];
};

static __attribute__((noreturn, format(printf, 3, 4))) void give_up(int fd, int status,
								    const char *fmt, ...)
{
	char text[250];
	va_list ap;
	int n;

	text[0] = (char)status;
	va_start(ap, fmt);
	n = vsnprintf(text + 1, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(text) - 1)
		n = sizeof(text) - 2;
	if (write(fd, text, (size_t)n + 1) < 0)
		_exit(STATUS_HULL);
	_exit(status);
}

/* ---- user ---- */

static char *read_text(const char *path)
{
	char *text = calloc(1, TEXT_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && text && read(fd, text, TEXT_MAX - 1) < 0)
		text[0] = 0;
	if (fd >= 0)
		close(fd);
	return text;
}

static void set_caps(u64 caps, int why)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {
		{.effective = (u32)caps, .permitted = (u32)caps},
		{.effective = (u32)(caps >> 32), .permitted = (u32)(caps >> 32)}};

	if (syscall(SYS_capset, &h, d))
		give_up(why, STATUS_HULL, "cannot set capabilities: %s", strerror(errno));
}

static void become(const struct job *job, const struct user *u, int why)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct have[2] = {0};
	u64 caps;

	for (unsigned i = 0; !job->all_caps && i < 64; i++)
		if (!(job->caps >> i & 1) && prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	syscall(SYS_capget, &h, have);
	caps = have[0].permitted | (u64)have[1].permitted << 32;
	if (setgroups(u->ngroups, u->groups) || setresgid(u->gid, u->gid, u->gid) ||
	    setresuid(u->uid, u->uid, u->uid))
		give_up(why, STATUS_HULL, "cannot become user %u: %s", u->uid, strerror(errno));
	if (!job->all_caps)
		set_caps(u->uid ? 0 : caps & job->caps, why);
	if (!job->new_privs)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void find_user(const struct job *job, struct user *u, int why)
{
	char *passwd = read_text("/etc/passwd"), *group = read_text("/etc/group");

	if (!passwd || !group || !user_find(job->user, passwd, group, u))
		give_up(why, STATUS_UNUSABLE, "the image has no user or group %s",
			job->user ?: "root");
	free(passwd);
	free(group);
}

/* ---- environment and program ---- */

static const char *env_of(const struct job *job, const char *key)
{
	size_t n = strlen(key);

	for (unsigned i = 0; i < job->nenv; i++)
		if (!strncmp(job->env[i], key, n) && job->env[i][n] == '=')
			return job->env[i] + n + 1;
	return NULL;
}

static void run_program(struct job *job, const struct user *u, int why)
{
	char home[USER_HOME_MAX + 8];
	const char *path = env_of(job, "PATH"), *name = job->arg[0];
	int error;

	if (!env_of(job, "HOME")) {
		snprintf(home, sizeof(home), "HOME=%s", u->home);
		job->env[job->nenv++] = home;
	}
	job->env[job->nenv] = NULL;
	job->arg[job->nargs] = NULL;
	if (path)
		setenv("PATH", path, 1);
	else
		unsetenv("PATH");
	execvpe(name, (char *const *)job->arg, (char *const *)job->env);
	error = errno;
	if (error == ENOENT || error == ENOTDIR)
		give_up(why, STATUS_NOT_FOUND, "%s: %s", name,
			strchr(name, '/') ? "no such file in the image"
					  : "no such program in the image's PATH");
	give_up(why, STATUS_UNUSABLE, "%s: %s", name, strerror(error));
}

static void enter_directory(const struct job *job, const struct user *u, int why)
{
	const char *dir = job->cwd && *job->cwd ? job->cwd : "/";
	struct stat st;

	if (stat(dir, &st) && root_mkdirs(dir))
		give_up(why, STATUS_UNUSABLE, "working directory %s: %s", dir, strerror(errno));
	if (chdir(dir))
		give_up(why, STATUS_UNUSABLE, "working directory %s: %s", dir, strerror(errno));
}

/* ---- name spaces and stdio ---- */

static void enter_spaces(bool first, int within, int why)
{
	if (!first) {
		if (setns(within, CLONE_NEWNS))
			give_up(why, STATUS_HULL, "cannot join: %s", strerror(errno));
		return;
	}
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL))
		give_up(why, STATUS_HULL, "cannot mount /proc: %s", strerror(errno));
}

static void reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static __attribute__((noreturn)) void child(struct job *job, bool first, int within,
					    const struct ends *s)
{
	struct user u;
	int why = s->why[1];

	setsid();
	reset_signals();
	enter_spaces(first, within, why);
	for (int i = 0; i < 3; i++)
		if (dup2(s->child[i], i) < 0)
			give_up(why, STATUS_HULL, "stdio: %s", strerror(errno));
	if (job->tty)
		ioctl(0, TIOCSCTTY, 0);
	if (job->op) {
		close(why);
		_exit(serve_run(job));
	}
	find_user(job, &u, why);
	if (job->tty && fchown(0, u.uid, (gid_t)-1))
		give_up(why, STATUS_HULL, "terminal: %s", strerror(errno));
	enter_directory(job, &u, why);
	become(job, &u, why);
	run_program(job, &u, why);
	_exit(STATUS_HULL);
}

static void close_all(const int *fd, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static int open_terminal(const struct job *job, struct ends *s)
{
	struct winsize w = {.ws_col = (u16)job->cols, .ws_row = (u16)job->rows};
	char name[40];
	int n, unlock = 0;

	s->mine[0] = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s->mine[0] < 0 || ioctl(s->mine[0], TIOCSPTLCK, &unlock) ||
	    ioctl(s->mine[0], TIOCGPTN, &n))
		return init_fail("no terminal: %s", strerror(errno));
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	s->child[0] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s->child[0] < 0)
		return init_fail("no terminal: %s", strerror(errno));
	if (w.ws_col)
		ioctl(s->mine[0], TIOCSWINSZ, &w);
	s->child[1] = fcntl(s->child[0], F_DUPFD_CLOEXEC, 3);
	s->child[2] = fcntl(s->child[0], F_DUPFD_CLOEXEC, 3);
	return 0;
}

static int open_pipes(const struct job *job, struct ends *s)
{
	int p[2];

	if (job->in) {
		if (pipe2(p, O_CLOEXEC))
			return init_fail("no pipe: %s", strerror(errno));
		s->child[0] = p[0];
		s->mine[0] = p[1];
	} else {
		s->child[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	for (int i = 1; i < 3; i++) {
		if (pipe2(p, O_CLOEXEC))
			return init_fail("no pipe: %s", strerror(errno));
		s->child[i] = p[1];
		s->mine[i] = p[0];
	}
	return 0;
}

/* Waits for exec or for what went wrong before it. */
static int await_start(int fd, pid_t pid, int *status)
{
	char text[256];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = 0;
	*status = (u8)text[0];
	waitpid(pid, NULL, 0);
	return init_fail("%s", text + 1);
}

/*
 * fork; the first process gets a name space of process ids of its own, the
 * others are born into it: where children go is this process's to set and to
 * set back.
 */
static pid_t fork_into(bool first, int within)
{
	int own;
	pid_t pid;

	if (first)
		return (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, 0);
	own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (own < 0 || setns(within, CLONE_NEWPID))
		return -1;
	pid = fork();
	if (pid && setns(own, CLONE_NEWPID))
		init_fail("lost the name space: %s", strerror(errno));
	close(own);
	return pid;
}

int process_start(const struct job *job, bool first, int within, struct process *out, int *status)
{
	struct ends s = {{-1, -1, -1}, {-1, -1, -1}, {-1, -1}};
	pid_t pid;
	int ret;

	*status = STATUS_HULL;
	ret = job->tty ? open_terminal(job, &s) : open_pipes(job, &s);
	if (!ret && pipe2(s.why, O_CLOEXEC))
		ret = init_fail("no pipe: %s", strerror(errno));
	if (!ret) {
		pid = fork_into(first, within);
		if (!pid)
			child((struct job *)job, first, within, &s);
		if (pid < 0)
			ret = init_fail("cannot fork: %s", strerror(errno));
	}
	close_all(s.child, 3);
	if (s.why[1] >= 0)
		close(s.why[1]);
	if (!ret)
		ret = await_start(s.why[0], pid, status);
	if (s.why[0] >= 0)
		close(s.why[0]);
	if (ret) {
		close_all(s.mine, 3);
		return -1;
	}
	for (int i = 0; i < 3; i++)
		if (s.mine[i] >= 0)
			fcntl(s.mine[i], F_SETFL, O_NONBLOCK);
	*out = (struct process){
		.pid = pid, .in = s.mine[0], .out = s.mine[1], .err = s.mine[2], .tty = job->tty};
	return 0;
}
