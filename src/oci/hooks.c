/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/hooks.h"
#include "oci/sys.h"

#include "host/log.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

const char *hooks_name(enum oci_hook_kind kind)
{
	static const char *const names[HOOK_KINDS] = {"prestart",	 "createRuntime",
						      "createContainer", "startContainer",
						      "poststart",	 "poststop"};

	return names[kind];
}

char *hooks_state(const struct oci_config *c, const char *id, const char *bundle, pid_t pid,
		  const char *status)
{
	json_t *ann = json_object();
	json_t *j;
	char *text;

	for (unsigned i = 0; i < c->nannotations; i++)
		json_object_set_new(ann, c->annotations[i].key,
				    json_string(c->annotations[i].value));
	j = json_pack("{s:s,s:s,s:s,s:i,s:s,s:o}", "ociVersion", c->version, "id", id, "status",
		      status, "pid", pid, "bundle", bundle, "annotations", ann);
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

static _Noreturn void hook_main(const struct oci_hook *h, const struct hooks_where *w, int in,
				int out)
{
	const char *argv[2] = {h->path, NULL};
	sigset_t set;

	const char *const *env = h->env_given ? h->env.v : w->env;

	if (w->dir)
		(void)!chdir(w->dir);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	execve(h->path, (char *const *)(h->args.n ? h->args.v : argv),
	       env ? (char *const *)env : environ);
	dprintf(2, "%s", strerror(errno));
	_exit(127);
}

/* Waits at most timeout seconds; kills then. Exit status as of waitpid, or -1 after a time-out. */
static int wait_hook(pid_t pid, int pidfd, s64 timeout)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	bool late = false;
	int status = 0;

	if (pidfd < 0) /* under a filter without pidfds nobody's time is measured */
		timeout = 0;
	if (timeout > 0 && poll(&p, 1, timeout > 86400 ? 86400000 : (int)timeout * 1000) == 0) {
		sys_pidfd_send_signal(pidfd, SIGKILL);
		late = true;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return late ? -1 : status;
}

/* In the words of Go's programs, which engines show. */
static const char *signal_text(int sig)
{
	switch (sig) {
	case SIGSYS:
		return "bad system call";
	case SIGKILL:
		return "killed";
	default:
		return sigdescr_np(sig) ? sigdescr_np(sig) : "unknown";
	}
}

static int judge(const struct oci_hook *h, const char *kind, unsigned i, int status, int out,
		 struct err *e)
{
	char said[200] = "";
	ssize_t n;

	if (status == 0)
		return 0;
	n = pread(out, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = 0;
	for (char *s = said; *s; s++)
		if (*s == '\n')
			*s = s[1] ? ' ' : 0;
	if (status == -1)
		return err_set(e, ETIMEDOUT,
			       "error running %s hook #%u: %s: timed out after %lld s", kind, i,
			       h->path, (long long)h->timeout);
	if (WIFSIGNALED(status))
		return err_set(e, EIO, "error running %s hook #%u: %s: killed by signal %d (%s)",
			       kind, i, h->path, WTERMSIG(status), signal_text(WTERMSIG(status)));
	return err_set(e, EIO, "error running %s hook #%u: %s: exit status %d, output: %s", kind, i,
		       h->path, WEXITSTATUS(status), said);
}

static int run_one(const struct oci_hook *h, const char *kind, unsigned i,
		   const struct hooks_where *w, const char *state, struct err *e)
{
	int in = memfd_create("state", MFD_CLOEXEC), out = memfd_create("said", MFD_CLOEXEC);
	int pidfd = -1, pipe_fd[2] = {-1, -1}, ret;
	size_t len = strlen(state);
	pid_t pid = -1;

	/* A pipe if the state fits in (pipe(7): 64 KiB), as hooks expect; else a file. */
	if (len < 60000 && pipe2(pipe_fd, O_CLOEXEC) == 0) {
		fd_close(&in);
		in = pipe_fd[0];
		ret = write(pipe_fd[1], state, len) == (ssize_t)len;
		fd_close(&pipe_fd[1]);
	} else {
		ret = in >= 0 && write(in, state, len) == (ssize_t)len &&
		      lseek(in, 0, SEEK_SET) == 0;
	}
	if (ret && out >= 0)
		pid = sys_clone3(0, &pidfd, -1);
	/* A container's filter may refuse clone3(2), whose flags it cannot see, but not fork. */
	if (pid < 0 && out >= 0 && (errno == ENOSYS || errno == EPERM))
		pid = fork();
	if (pid == 0)
		hook_main(h, w, in, out);
	if (pid < 0)
		ret = err_errno(e, "%s hook %s", kind, h->path);
	else
		ret = judge(h, kind, i, wait_hook(pid, pidfd, h->timeout), out, e);
	fd_close(&pidfd);
	fd_close(&in);
	fd_close(&out);
	return ret;
}

int hooks_run(const struct oci_hooks *h, enum oci_hook_kind kind, const struct hooks_where *w,
	      const char *state, struct err *e)
{
	for (unsigned i = 0; i < h->n[kind]; i++) {
		struct err why = {0};
		int ret = run_one(&h->v[kind][i], hooks_name(kind), i, w, state, &why);

		/* The container is gone already (runtime.md, "Lifecycle", step 13). */
		if (ret && kind == HOOK_POSTSTOP)
			log_warn("%s", why.msg);
		else if (ret)
			return err_set(e, why.status, "%s", why.msg);
	}
	return 0;
}
