/* SPDX-License-Identifier: Apache-2.0 */
#include "run/files.h"

#include "host/rootless.h"
#include "image/image.h"
#include "image/build.h"
#include "run/copy.h"
#include "run/internal.h"
#include "run/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the tree of one side, in a process of its own ---- */

/* The root and mounts of a container's process. */
static int enter_running(pid_t pid, struct err *e)
{
	char path[40];
	int ns, root, ret = 0;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ns < 0 || root < 0 || setns(ns, CLONE_NEWNS) || fchdir(root) || chroot("."))
		ret = err_errno(e, "cannot enter the container");
	if (ns >= 0)
		close(ns);
	if (root >= 0)
		close(root);
	return ret;
}

static int enter_ended(const struct thing *t, const struct run_spec *spec, struct err *e)
{
	char path[PATHS_MAX];
	int ret;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return err_errno(e, "no mount name space");
	ret = root_mount(t, spec, e);
	if (!ret)
		ret = thing_path(t, "root", path, e);
	if (!ret && (chdir(path) || chroot(".")))
		ret = err_errno(e, "%s", path);
	return ret;
}

static int enter(const struct thing *t, const struct run_spec *spec, struct err *e)
{
	struct thing_status st;
	int ret = thing_status(t, &st, e);

	if (ret)
		return ret;
	ret = st.state == THING_RUNNING ? enter_running(st.pid, e) : enter_ended(t, spec, e);
	return ret || !chdir("/") ? ret : err_errno(e, "/");
}

static int machine_side(const struct files_side *s, bool out, int fd, struct err *e)
{
	struct thing_status st;
	int ret = thing_status(s->thing, &st, e);

	if (!ret && st.state != THING_RUNNING)
		ret = err_set(e, ENOENT, "%s has ended; a machine's changes end with it",
			      s->thing->name);
	if (ret)
		return ret;
	return machine_op(s->thing, out ? "copyout" : "copyin", s->path, NULL, out ? -1 : fd,
			  out ? fd : -1, e);
}

static int own_side(const struct files_side *s, bool out, int fd, unsigned flags, struct err *e)
{
	FILE *f = fdopen(fd, out ? "w" : "r");
	int ret;

	if (!f)
		return err_errno(e, "copy");
	ret = out ? copy_out(f, s->path, flags) : copy_in(f, s->path, flags);
	fclose(f);
	return ret ? err_set(e, EIO, "%s", "") : 0; /* it has said why */
}

static int run_side(const struct files_side *s, bool out, int fd, struct err *e)
{
	/* Asked before the root changes and with it /proc. */
	unsigned flags = (s->thing ? rootless_single_id() : rootless()) ? COPY_USER : 0;
	struct run_spec spec;
	int ret;

	if (!s->thing)
		return own_side(s, out, fd, flags, e);
	ret = thing_spec(s->thing, &spec, e);
	if (ret)
		return ret;
	if (spec_is_machine(&spec)) {
		ret = machine_side(s, out, fd, e);
	} else {
		ret = enter(s->thing, &spec, e);
		if (!ret)
			ret = own_side(s, out, fd, flags, e);
	}
	spec_free(&spec);
	return ret;
}

static pid_t start_side(const struct files_side *s, bool out, int fd, int other, int words)
{
	pid_t pid = fork();
	struct err e = {0};
	int ret;

	if (pid)
		return pid;
	signal(SIGPIPE, SIG_IGN);
	close(other);
	dup2(words, STDERR_FILENO);
	ret = run_side(s, out, fd, &e);
	if (ret && e.msg[0])
		dprintf(STDERR_FILENO, "%s\n", e.msg);
	_exit(ret ? 1 : 0);
}

/* The first line that either side had to say. */
static int copy_error(int words, struct err *e)
{
	char text[400];
	ssize_t n = read(words, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	return err_set(e, strstr(text, strerror(ENOENT)) ? ENOENT : EIO, "%s",
		       text[0] ? text : "the copy failed");
}

int files_copy(const struct files_side *from, const struct files_side *to, struct err *e)
{
	int p[2], words[2], a = 1, b = 1;
	pid_t out, in;

	if (pipe2(p, O_CLOEXEC) || pipe2(words, O_CLOEXEC))
		return err_errno(e, "pipe");
	out = start_side(from, true, p[1], p[0], words[1]);
	in = start_side(to, false, p[0], p[1], words[1]);
	close(p[0]);
	close(p[1]);
	close(words[1]);
	if (out < 0 || waitpid(out, &a, 0) != out)
		a = 1;
	if (in < 0 || waitpid(in, &b, 0) != in)
		b = 1;
	a = a || b ? copy_error(words[0], e) : 0;
	close(words[0]);
	return a;
}

/* ---- commit ---- */

/* What a machine changed, into the directory `upper`. */
static int fetch_changes(const struct thing *t, const char *upper, struct err *e)
{
	int p[2], status = 1, ret;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC))
		return err_errno(e, "pipe");
	pid = fork();
	if (!pid) {
		FILE *f = fdopen(p[0], "r");
		unsigned flags = COPY_OVERLAY | (rootless_single_id() ? COPY_USER : 0);

		close(p[1]);
		_exit(!f || chroot(upper) || chdir("/") || copy_in(f, "/", flags));
	}
	close(p[0]);
	ret = machine_op(t, "changes", NULL, NULL, -1, p[1], e);
	close(p[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = 1;
	return ret ? ret : status ? err_set(e, EIO, "the machine's changes did not arrive") : 0;
}

static int commit_upper(const struct run_spec *spec, const char *upper, const char *name,
			const char *const *changes, const char *comment, char *id, struct err *e)
{
	struct image_store *store;
	struct image *im;
	int ret = root_resolve(spec, &store, &im, e);

	if (ret)
		return ret;
	ret = image_commit(store, im, upper, name, changes, comment, id, e);
	image_free(im);
	image_store_close(store);
	return ret;
}

static int commit_machine(const struct thing *t, const struct run_spec *spec, const char *name,
			  const char *const *changes, const char *comment, char *id, struct err *e)
{
	struct thing_status st;
	char upper[PATHS_MAX];
	int ret = thing_status(t, &st, e);

	if (!ret && st.state != THING_RUNNING)
		ret = err_set(e, ENOENT, "%s has ended; a machine's changes end with it", t->name);
	if (ret || (ret = thing_path(t, "changes", upper, e)))
		return ret;
	tree_remove(upper);
	if (mkdir(upper, 0755))
		return err_errno(e, "%s", upper);
	ret = fetch_changes(t, upper, e);
	if (!ret)
		ret = commit_upper(spec, upper, name, changes, comment, id, e);
	tree_remove(upper);
	return ret;
}

int files_commit(const struct thing *t, const char *name, const char *const *changes,
		 const char *comment, char *id, struct err *e)
{
	struct run_spec spec;
	char upper[PATHS_MAX];
	int ret = thing_spec(t, &spec, e);

	if (ret)
		return ret;
	if (spec_is_machine(&spec))
		ret = commit_machine(t, &spec, name, changes, comment, id, e);
	else if (!(ret = thing_path(t, "upper", upper, e)))
		ret = commit_upper(&spec, upper, name, changes, comment, id, e);
	spec_free(&spec);
	return ret;
}
