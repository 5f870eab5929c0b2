/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execve: a program of the foreign ISA, or a script whose interpreter is one,
 * becomes a new emulator process with the same options; anything else is the
 * host's own. So a shell of one ISA starts programs of both.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "foreign/calls.h"

enum {
	ARGS_MAX = 65536,	 /* pointers of one vector */
	ARG_BYTES_MAX = 8 << 20, /* of all its strings; Linux allows a quarter of the stack */
	SCRIPT_LINE = 256,	 /* BINPRM_BUF_SIZE, linux/binfmts.h */
	SCRIPT_DEPTH = 4,	 /* fs/exec.c */
	EMULATOR_ARGS = 8,	 /* put before the program's */
};

struct strings {
	char **v;
	unsigned n;
};

static void strings_free(struct strings *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strings){0};
}

static s64 copy_string(struct task *t, u64 at, char **out, u64 *bytes)
{
	s64 n = mem_strlen(t, at, 131072); /* MAX_ARG_STRLEN */

	if (n < 0)
		return n == -ENAMETOOLONG ? -E2BIG : n;
	*bytes += (u64)n + 1;
	*out = *bytes > ARG_BYTES_MAX ? NULL : malloc((size_t)n + 1);
	if (!*out)
		return -E2BIG;
	if (mem_read(t, *out, at, (u64)n)) {
		free(*out);
		return -EFAULT;
	}
	(*out)[n] = 0;
	return 0;
}

/* A NULL-terminated vector of the guest; at 0 is an empty one. */
static s64 copy_vector(struct task *t, u64 at, struct strings *s)
{
	u64 p = 0, bytes = 0;
	s64 ret = 0;

	*s = (struct strings){.v = calloc(ARGS_MAX + 1, sizeof(char *))};
	if (!s->v)
		return -ENOMEM;
	for (; at; at += 8) {
		if (mem_read(t, &p, at, 8))
			ret = -EFAULT;
		if (ret || !p)
			break;
		ret = s->n == ARGS_MAX ? -E2BIG : copy_string(t, p, &s->v[s->n], &bytes);
		if (ret)
			break;
		s->n++;
	}
	if (ret)
		strings_free(s);
	return ret;
}

static ssize_t read_head(const char *path, u8 head[SCRIPT_LINE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, head, SCRIPT_LINE);
	close(fd);
	return n < 0 ? -errno : n;
}

/* "#! NAME [ARGUMENT]": 1 if it is one; name and arg point into line, arg may be NULL. */
static int parse_script(char *line, ssize_t n, char **name, char **arg)
{
	char *end;

	if (n < 3 || line[0] != '#' || line[1] != '!')
		return 0;
	line[n < SCRIPT_LINE ? n : SCRIPT_LINE - 1] = 0; /* as the kernel cuts it */
	line[strcspn(line, "\n")] = 0;
	*name = line + 2 + strspn(line + 2, " \t");
	end = *name + strcspn(*name, " \t");
	*arg = *end ? end + strspn(end, " \t") : NULL;
	*end = 0;
	if (*arg) {
		char *e = *arg + strlen(*arg);

		while (e > *arg && (e[-1] == ' ' || e[-1] == '\t'))
			*--e = 0;
		if (!**arg)
			*arg = NULL;
	}
	return **name ? 1 : 0;
}

void exec_script(struct space *sp, char ***argv)
{
	char buf[PATH_MAX], *line, *name, *arg, **v;
	unsigned n = 0;

	while ((*argv)[n])
		n++;
	for (unsigned depth = 0; depth < SCRIPT_DEPTH; depth++) {
		const char *path = sysroot_path(sp, (*argv)[0], buf);

		line = malloc(SCRIPT_LINE);
		v = calloc(n + 3, sizeof(*v));
		if (!line || !v || !parse_script(line, read_head(path, (u8 *)line), &name, &arg)) {
			free(v);
			free(line);
			break;
		}
		v[0] = name;
		v[1] = arg;
		memcpy(v + 1 + !!arg, *argv, n * sizeof(*v));
		n += 1 + !!arg;
		*argv = v; /* for the life of the process, as the line */
		sp->opt.argv0 = NULL;
	}
}

struct exec {
	struct task *t;
	const char *path; /* of the file to start, as the guest names it */
	struct strings argv, envp;
	char script[SCRIPT_DEPTH][SCRIPT_LINE]; /* lines that names point into */
};

static s64 run_emulator(struct exec *x, const char *path, const char **argv, unsigned n)
{
	struct space *sp = x->t->sp;
	const char **v = calloc(EMULATOR_ARGS + n + 2, sizeof(*v));
	unsigned k = 0;
	s64 ret;

	if (!v)
		return -ENOMEM;
	v[k++] = "hull-foreign";
	if (sp->opt.sysroot) {
		v[k++] = "--sysroot";
		v[k++] = sp->opt.sysroot;
	}
	if (sp->opt.trace)
		v[k++] = "--trace";
	if (sp->opt.interpret)
		v[k++] = "--interpret";
	v[k++] = "--argv0";
	v[k++] = n ? argv[0] : "";
	v[k++] = path;
	for (unsigned i = 1; i < n; i++)
		v[k++] = argv[i];
	ret = self_exec(sp, v, x->envp.v);
	free(v);
	return ret;
}

static s64 start(struct exec *x, const char *path, const char **argv, unsigned n, unsigned depth)
{
	char buf[PATH_MAX], *name, *arg, *line = x->script[depth];
	const char *real = sysroot_path(x->t->sp, path, buf);
	const char **v;
	ssize_t got;
	s64 ret;

	if (faccessat(AT_FDCWD, real, X_OK, AT_EACCESS))
		return -errno;
	got = read_head(real, (u8 *)line);
	if (got >= 64 && foreign_is_program((u8 *)line, (u64)got))
		return run_emulator(x, path, argv, n);
	if (got < 0 || depth + 1 == SCRIPT_DEPTH || !parse_script(line, got, &name, &arg)) {
		execve(real, (char **)argv, x->envp.v);
		return -errno;
	}
	v = calloc(n + 4, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v[0] = name;
	v[1] = arg;
	memcpy(v + 1 + !!arg, argv, n * sizeof(*v));
	if (n)
		v[1 + !!arg] = path;
	ret = start(x, name, v, n + 1 + !!arg, depth + 1);
	free(v);
	return ret;
}

static s64 name_of(struct task *t, int dirfd, u64 path, int flags, char out[PATH_MAX])
{
	char name[PATH_MAX];
	s64 n = mem_strlen(t, path, PATH_MAX);

	if (n < 0 || mem_read(t, name, path, (u64)n + 1))
		return n < 0 ? n : -EFAULT;
	name[n] = 0;
	if (!n && flags & AT_EMPTY_PATH)
		snprintf(out, PATH_MAX, "/proc/self/fd/%d", dirfd);
	else if (dirfd == AT_FDCWD || name[0] == '/')
		memcpy(out, name, (size_t)n + 1);
	else if (snprintf(out, PATH_MAX, "/proc/self/fd/%d/%s", dirfd, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!strcmp(out, "/proc/self/exe"))
		memcpy(out, t->sp->exe, PATH_MAX);
	return 0;
}

s64 task_execve(struct task *t, int dirfd, u64 path, u64 argv, u64 envp, int flags)
{
	char name[PATH_MAX];
	struct exec *x = calloc(1, sizeof(*x));
	s64 ret;

	if (!x)
		return -ENOMEM;
	x->t = t;
	ret = name_of(t, dirfd, path, flags, name);
	if (!ret)
		ret = copy_vector(t, argv, &x->argv);
	if (!ret)
		ret = copy_vector(t, envp, &x->envp);
	if (!ret)
		ret = start(x, name, (const char **)x->argv.v, x->argv.n, 0);
	strings_free(&x->argv);
	strings_free(&x->envp);
	free(x);
	return ret;
}
