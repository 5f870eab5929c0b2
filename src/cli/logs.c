/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull logs`: what a thing has printed, from its log files in the form of the
 * CRI (src/run/monitor/log.c): "TIME stdout|stderr F|P TEXT", P: the line goes
 * on in the next one of that stream.
 */
#include "cli/run.h"

#include "run/life.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES 3
#define FOLLOW_MS 100

struct logs {
	bool follow, times;
	u64 tail, skip; /* lines; tail 0: all */
	const char *name;
};

/* Prints one line of a log file. */
static void put(const struct logs *l, const char *line, size_t n)
{
	const char *stream = memchr(line, ' ', n), *mode, *text;
	FILE *to;

	if (!stream || !(mode = memchr(stream + 1, ' ', n - (size_t)(stream + 1 - line))) ||
	    (size_t)(mode + 3 - line) > n)
		return; /* not whole: the disk was full */
	text = mode + 3;
	to = strncmp(stream, " stderr", 7) ? stdout : stderr;
	if (l->times)
		fprintf(to, "%.*s ", (int)(stream - line), line);
	fwrite(text, 1, n - (size_t)(text - line), to);
	if (mode[1] == 'F')
		fputc('\n', to);
}

/* Prints what the file has from here on. */
static void drain(struct logs *l, FILE *f)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	clearerr(f);
	while ((n = getline(&line, &size, f)) > 0) {
		if (line[n - 1] != '\n') { /* being written */
			fseek(f, -n, SEEK_CUR);
			break;
		}
		if (l->skip)
			l->skip--;
		else
			put(l, line, (size_t)n - 1);
	}
	fflush(stdout);
	fflush(stderr);
	free(line);
}

static u64 count(FILE *f)
{
	u64 n = 0;
	int c;

	while ((c = getc_unlocked(f)) != EOF)
		n += c == '\n';
	rewind(f);
	return n;
}

/* Opens the files that are there, oldest first. */
static unsigned open_files(const struct thing *t, FILE *f[FILES])
{
	static const char *const names[FILES] = {"log.2", "log.1", "log"};
	char path[PATHS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < FILES; i++)
		if (!thing_path(t, names[i], path, NULL) && (f[n] = fopen(path, "re")))
			n++;
	return n;
}

/* Goes on with the file, or with the one that took its name, until the thing has ended. */
static void follow(struct logs *l, const struct thing *t, FILE *f)
{
	const struct timespec wait = {.tv_nsec = FOLLOW_MS * 1000000};
	char path[PATHS_MAX];
	struct thing_status st;
	struct stat a, b;
	bool running = true;

	while (running && !thing_path(t, "log", path, NULL)) {
		running = !thing_status(t, &st, NULL) &&
			  (st.state == THING_RUNNING || st.state == THING_STARTING);
		drain(l, f);
		if (!fstat(fileno(f), &a) && !stat(path, &b) && a.st_ino != b.st_ino) {
			f = freopen(path, "re", f);
			if (!f)
				return;
			continue;
		}
		if (running)
			nanosleep(&wait, NULL);
	}
}

static int logs(struct logs *l, struct err *e)
{
	struct thing t;
	FILE *f[FILES];
	unsigned n;
	u64 lines = 0;
	int ret = thing_open(l->name, &t, e);

	if (ret)
		return ret;
	n = open_files(&t, f);
	for (unsigned i = 0; l->tail && i < n; i++)
		lines += count(f[i]);
	l->skip = l->tail && lines > l->tail ? lines - l->tail : 0;
	for (unsigned i = 0; i < n; i++)
		drain(l, f[i]);
	if (l->follow && n)
		follow(l, &t, f[n - 1]);
	for (unsigned i = 0; i < n; i++)
		fclose(f[i]);
	return 0;
}

int cmd_logs(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	struct logs l = {0};
	struct err e = {0};
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0) {
		if (!opt)
			l.name = p.value;
		else if (opt->id == LOGS_FOLLOW)
			l.follow = true;
		else if (opt->id == LOGS_TIMES)
			l.times = true;
		else if ((ret = cli_parse_uint("tail", p.value, 1, 1u << 30, &l.tail, &e)) < 0)
			break;
	}
	if (!ret && !l.name)
		ret = err_set(&e, EINVAL, "give a name (see `hull ps --all`)");
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	return logs(&l, &e) ? cli_fail(self, &e) : CLI_OK;
}
