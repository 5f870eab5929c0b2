/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host asks for that is no program of the image's: files in and out
 * (run/copy.h), the list of processes. In the child, whose standard input and
 * output lead to the host. See hull_init.h.
 */
#include "hull_init.h"
#include "run/copy.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_FAILED 1

/*
 * This child never execs, so what init has open would stay open here too: the writing
 * end of its own standard input, which then never ends, and other sessions' pipes.
 */
static void close_inherited(void)
{
	int changes = root_changes();
	unsigned keep = changes < 3 ? 2 : (unsigned)changes;

	if (keep > 3)
		close_range(3, keep - 1, 0);
	close_range(keep + 1, ~0U, 0);
}

static int files_out(const struct job *job)
{
	return copy_out(stdout, job->path ?: "/", 0) ? STATUS_FAILED : 0;
}

static int files_in(const struct job *job)
{
	return copy_in(stdin, job->path ?: "/", 0) ? STATUS_FAILED : 0;
}

/* What the machine changed, as overlayfs keeps it. */
static int changes_out(const struct job *job)
{
	if (fchdir(root_changes()) || chroot(".")) {
		perror("changes");
		return STATUS_FAILED;
	}
	return copy_out(stdout, ".", COPY_OVERLAY) ? STATUS_FAILED : 0;
}

static void print_process(const char *pid)
{
	char path[300], text[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < n; i++)
		text[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
	text[n > 0 ? n : 0] = 0;
	if (n > 0)
		printf("%8s  %s\n", pid, text);
}

static int processes(const struct job *job)
{
	DIR *d = opendir("/proc");
	struct dirent *de;

	printf("%8s  %s\n", "PID", "COMMAND");
	while (d && (de = readdir(d)))
		if (isdigit((unsigned char)de->d_name[0]) && atoi(de->d_name) != getpid())
			print_process(de->d_name);
	if (d)
		closedir(d);
	return fflush(stdout) ? STATUS_FAILED : 0;
}

int serve_run(const struct job *job)
{
	static const struct {
		const char *op;
		int (*fn)(const struct job *job);
	} ops[] = {{"copyout", files_out},
		   {"copyin", files_in},
		   {"changes", changes_out},
		   {"top", processes}};

	close_inherited();
	for (unsigned i = 0; i < ARRAY_LEN(ops); i++)
		if (!strcmp(job->op, ops[i].op))
			return ops[i].fn(job);
	fprintf(stderr, "this init does not know the operation %s\n", job->op);
	return STATUS_FAILED;
}
