/* SPDX-License-Identifier: Apache-2.0 */
#include "image/apt.h"

#include "host/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OPTIONS 6u
#define ARGS_MAX 12u

/* The directory tree that apt wants below its state and cache. */
static int dirs_make(const struct apt *a, struct err *e)
{
	static const char *const sub[] = {"/lists/partial", "/archives/partial"};
	char path[PATHS_MAX];
	int fd, ret = 0;

	for (unsigned i = 0; !ret && i < ARRAY_LEN(sub); i++) {
		ret = paths_format(path, e, "%s%s", a->dir, sub[i]);
		ret = ret ? ret : paths_make_dir(path, 0755, e);
	}
	if (ret || (ret = paths_format(path, e, "%s/status", a->dir)))
		return ret;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(e, "cannot create %s", path);
	close(fd);
	return 0;
}

int apt_open(struct apt *a, const char *arch, struct err *e)
{
	char data[PATHS_MAX];
	struct err update = {0};
	int ret;

	*a = (struct apt){.arch = arch};
	if (!arch)
		return 0;
	ret = paths_data(data, e);
	if (ret || (ret = paths_format(a->dir, e, "%s/apt/%s", data, arch)) ||
	    (ret = dirs_make(a, e)))
		return ret;
	/* Some of the host's sources may not have the architecture: what is missing shows later. */
	apt_run(a, "apt-get", (const char *const[]){"update", "-qq", NULL}, NULL, data,
		sizeof(data), NULL, NULL, &update);
	return 0;
}

int apt_run(const struct apt *a, const char *program, const char *const args[], const char *dir,
	    char *out, size_t size, void (*tick)(void *opaque), void *opaque, struct err *e)
{
	char option[OPTIONS][PATHS_MAX + 40];
	const char *argv[2 + 2 * OPTIONS + ARGS_MAX] = {program};
	unsigned n = 1, nopt = 0;

	/* apt's own sandbox user cannot write to our directory; we verify nothing less. */
	snprintf(option[nopt++], sizeof(option[0]), "APT::Sandbox::User=root");
	if (a->arch) {
		snprintf(option[nopt++], sizeof(option[0]), "APT::Architecture=%s", a->arch);
		snprintf(option[nopt++], sizeof(option[0]), "APT::Architectures=%s", a->arch);
		snprintf(option[nopt++], sizeof(option[0]), "Dir::State=%s", a->dir);
		snprintf(option[nopt++], sizeof(option[0]), "Dir::State::status=%s/status", a->dir);
		snprintf(option[nopt++], sizeof(option[0]), "Dir::Cache=%s", a->dir);
	}
	for (unsigned i = 0; i < nopt; i++) {
		argv[n++] = "-o";
		argv[n++] = option[i];
	}
	for (unsigned i = 0; args[i]; i++) {
		if (i == ARGS_MAX)
			return err_set(e, E2BIG, "too many arguments for %s", program);
		argv[n++] = args[i];
	}
	return proc_run_ticking(argv, dir, out, size, tick, opaque, e);
}
