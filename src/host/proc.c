/* SPDX-License-Identifier: Apache-2.0 */
#include "host/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 100

/* Exit status of the child when the program cannot be started, as shells have it. */
#define CANNOT_START 127

struct proc {
	pid_t pid;
	int out, err; /* read ends, -1 when closed or unused */
	char *buf;
	size_t len, size;
	char last[200]; /* end of stderr */
	size_t last_len;
};

static void child_exec(const char *const argv[], const char *dir, int out, int err)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(out >= 0 ? out : STDERR_FILENO, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (dir && chdir(dir))
		_exit(CANNOT_START);
	setenv("LC_ALL", "C.UTF-8", 1);
	execvp(argv[0], (char *const *)argv);
	_exit(CANNOT_START);
}

static int proc_start(struct proc *p, const char *const argv[], const char *dir, struct err *e)
{
	int out[2] = {-1, -1}, err[2];

	if (pipe2(err, O_CLOEXEC) || (p->buf && pipe2(out, O_CLOEXEC)))
		return err_errno(e, "cannot start %s", argv[0]);
	p->pid = fork();
	if (p->pid == 0)
		child_exec(argv, dir, out[1], err[1]);
	close(err[1]);
	if (out[1] >= 0)
		close(out[1]);
	p->out = out[0];
	p->err = err[0];
	if (p->pid < 0)
		return err_errno(e, "cannot start %s", argv[0]);
	return 0;
}

static void drain_out(struct proc *p)
{
	char drop[4096];
	bool room = p->len + 1 < p->size;
	ssize_t n = read(p->out, room ? p->buf + p->len : drop,
			 room ? p->size - 1 - p->len : sizeof(drop));

	if (n <= 0) {
		close(p->out);
		p->out = -1;
	} else if (room) {
		p->len += (size_t)n;
	}
}

/* Keeps the last bytes, for the message. */
static void drain_err(struct proc *p)
{
	char buf[sizeof(p->last)];
	ssize_t n = read(p->err, buf, sizeof(buf));
	size_t keep;

	if (n <= 0) {
		close(p->err);
		p->err = -1;
		return;
	}
	keep = sizeof(p->last) - (size_t)n;
	if (keep > p->last_len)
		keep = p->last_len;
	memmove(p->last, p->last + p->last_len - keep, keep);
	memcpy(p->last + keep, buf, (size_t)n);
	p->last_len = keep + (size_t)n;
}

static int proc_finish(struct proc *p, const char *name, struct err *e)
{
	int status;
	char *text = p->last, *nl;

	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_START && !p->last_len)
		return err_set(e, ENOENT, "cannot run %s: is it installed?", name);
	p->last[p->last_len < sizeof(p->last) ? p->last_len : sizeof(p->last) - 1] = 0;
	for (size_t n = strlen(text); n && text[n - 1] == '\n'; n--)
		text[n - 1] = 0;
	nl = strrchr(text, '\n');
	return err_set(e, EIO, "%s failed: %s", name, nl ? nl + 1 : text);
}

int proc_run_ticking(const char *const argv[], const char *dir, char *out, size_t size,
		     void (*tick)(void *opaque), void *opaque, struct err *e)
{
	struct proc p = {.buf = out, .size = size};
	int ret = proc_start(&p, argv, dir, e);

	if (ret)
		return ret;
	while (p.out >= 0 || p.err >= 0) {
		struct pollfd pf[2] = {{.fd = p.out, .events = POLLIN},
				       {.fd = p.err, .events = POLLIN}};

		if (poll(pf, 2, TICK_MS) < 0 && errno != EINTR)
			break;
		if (pf[0].revents)
			drain_out(&p);
		if (pf[1].revents)
			drain_err(&p);
		if (tick)
			tick(opaque);
	}
	if (out)
		out[p.len] = 0;
	return proc_finish(&p, argv[0], e);
}

int proc_run(const char *const argv[], const char *dir, char *out, size_t size, struct err *e)
{
	return proc_run_ticking(argv, dir, out, size, NULL, NULL, e);
}

bool proc_found(const char *name)
{
	const char *path = getenv("PATH");
	char file[512];

	while (path && *path) {
		size_t n = strcspn(path, ":");

		if (snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, name) <
			    (int)sizeof(file) &&
		    !access(file, X_OK))
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}
