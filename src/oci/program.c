/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/program.h"

#include "oci/init.h"
#include "oci/sys.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *env_get(const struct oci_strings *env, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;

	for (unsigned i = 0; i < env->n; i++)
		if (!strncmp(env->v[i], name, len) && env->v[i][len] == '=')
			found = env->v[i] + len + 1;
	return found;
}

static bool executable(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return false;
	}
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
		return true;
	/* A filter older than faccessat2(2) refuses the question, not the file. */
	return (errno == EPERM || errno == ENOSYS) && st.st_mode & 0111;
}

const char *program_reason(int error, char *out, size_t size)
{
	snprintf(out, size, "%s", strerror(error));
	out[0] = (char)tolower((unsigned char)out[0]);
	return out;
}

int program_find(const struct oci_process *pr, char *out, size_t size, struct err *e)
{
	const char *name = pr->args.v[0], *path = env_get(&pr->env, "PATH");
	char text[80];
	int worst = ENOENT;

	if (strchr(name, '/')) {
		if (snprintf(out, size, "%s", name) < (int)size && executable(out))
			return 0;
		return err_set(e, errno, "exec: \"%s\": stat %s: %s", name, name,
			       program_reason(errno, text, sizeof(text)));
	}
	for (const char *s = path; s && *s; s += *s == ':') {
		int n = (int)strcspn(s, ":");

		if (n && snprintf(out, size, "%.*s/%s", n, s, name) < (int)size) {
			if (executable(out))
				return 0;
			worst = errno == EACCES ? EACCES : worst;
		}
		s += n;
	}
	if (worst == EACCES)
		return err_set(e, EACCES, "exec: \"%s\": permission denied", name);
	return err_set(e, ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
}

/* True if a later entry has the same name: that one counts. */
static bool set_again(const struct oci_strings *env, unsigned i)
{
	size_t len = strcspn(env->v[i], "=") + 1;

	for (unsigned k = i + 1; k < env->n && env->n < 1024; k++)
		if (!strncmp(env->v[k], env->v[i], len))
			return true;
	return false;
}

const char **program_env(const struct oci_process *pr, int listen_fds)
{
	const struct oci_strings *env = &pr->env;
	const char **out = calloc(env->n + 4, sizeof(*out));
	char home[4096], text[32];
	char *var;
	unsigned n = 0;

	if (!out)
		return env->v;
	for (unsigned i = 0; i < env->n; i++)
		if (!set_again(env, i) && strcmp(env->v[i], "HOME="))
			out[n++] = env->v[i];
	/* An empty one counts as none. */
	if (!env_get(env, "HOME") || !*env_get(env, "HOME")) {
		if (!user_home(pr->uid, home, sizeof(home)) || !home[0])
			strcpy(home, "/");
		if (asprintf(&var, "HOME=%s", home) > 0)
			out[n++] = var;
	}
	if (listen_fds) {
		snprintf(text, sizeof(text), "LISTEN_FDS=%d", listen_fds);
		out[n++] = strdup(text);
		snprintf(text, sizeof(text), "LISTEN_PID=%d", getpid());
		out[n++] = strdup(text);
	}
	return out;
}
