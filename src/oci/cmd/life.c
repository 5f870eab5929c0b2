/* SPDX-License-Identifier: Apache-2.0 */
/* state, kill, delete, list, ps, pause, resume, update, events. */
#include "oci/cmd/cmd.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int cmd_state(const struct globals *g, const struct args *a, struct err *e)
{
	struct oci_container *c;
	json_t *j;

	if (cmd_open(g, a->pos[0], &c, e))
		return CMD_FAILED;
	j = oci_state_json(c);
	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(j);
	oci_close(c);
	return 0;
}

/* TERM, SIGTERM, 15, RTMIN+3. */
static int signal_by_name(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (isdigit((unsigned char)s[0]))
		return *end || n < 0 || n > SIGRTMAX ? -1 : (int)n;
	if (!strncasecmp(s, "SIG", 3))
		s += 3;
	if (!strncasecmp(s, "RTMIN", 5) || !strncasecmp(s, "RTMAX", 5)) {
		n = s[5] ? strtol(s + 5, &end, 10) : 0;
		n += toupper((unsigned char)s[3]) == 'I' ? 34 : 64; /* the kernel's, signal(7) */
		return n >= 34 && n <= 64 ? (int)n : -1;
	}
	for (int i = 1; i < 32; i++)
		if (sigabbrev_np(i) && !strcasecmp(sigabbrev_np(i), s))
			return i;
	return -1;
}

int cmd_kill(const struct globals *g, const struct args *a, struct err *e)
{
	const char *name = a->npos > 1 ? a->pos[1] : "TERM";
	int sig = signal_by_name(name), ret;
	struct oci_container *c;

	if (sig < 0) {
		err_set(e, EINVAL, "unknown signal \"%.40s\"", name);
		return CMD_FAILED;
	}
	if (cmd_open(g, a->pos[0], &c, e))
		return CMD_FAILED;
	ret = oci_kill(c, sig, args_has(a, "all"), e);
	oci_close(c);
	return ret ? CMD_FAILED : 0;
}

static int delete_matching(const struct globals *g, const char *pattern, bool force, struct err *e)
{
	struct oci_container *c;
	struct dirent *de;
	regex_t re;
	int ret = 0;
	DIR *d;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
		return err_set(e, EINVAL, "--regex: \"%.100s\" is no regular expression", pattern);
	d = opendir(g->root);
	while (d && !ret && (de = readdir(d))) {
		if (de->d_name[0] == '.' || regexec(&re, de->d_name, 0, NULL, 0) ||
		    cmd_open(g, de->d_name, &c, NULL))
			continue;
		ret = oci_delete(c, force, e);
		oci_close(c);
	}
	if (d)
		closedir(d);
	regfree(&re);
	return ret;
}

int cmd_delete(const struct globals *g, const struct args *a, struct err *e)
{
	bool force = args_has(a, "force");
	struct oci_container *c;
	int ret;

	if (args_has(a, "regex"))
		return delete_matching(g, a->pos[0], force, e) ? CMD_FAILED : 0;
	ret = cmd_open(g, a->pos[0], &c, e);
	if (ret == -ENOENT && force)
		return 0;
	if (!ret) {
		ret = oci_delete(c, force, e);
		oci_close(c);
	}
	return ret ? CMD_FAILED : 0;
}

/* ---- list --------------------------------------------------------------- */

static const char *str(json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static void print_table(json_t *all)
{
	size_t i;
	json_t *j;

	printf("%-25s %-10s %-10s %-40s %-32s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED",
	       "OWNER");
	json_array_foreach(all, i, j)
		printf("%-25s %-10lld %-10s %-40s %-32s %s\n", str(j, "id"),
		       (long long)json_integer_value(json_object_get(j, "pid")), str(j, "status"),
		       str(j, "bundle"), str(j, "created"), str(j, "owner"));
}

static json_t *all_states(const struct globals *g)
{
	json_t *all = json_array();
	struct oci_container *c;
	struct dirent **names = NULL;
	int n = scandir(g->root, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.' && cmd_open(g, names[i]->d_name, &c, NULL) == 0) {
			json_array_append_new(all, oci_state_json(c));
			oci_close(c);
		}
		free(names[i]);
	}
	free(names);
	return all;
}

int cmd_list(const struct globals *g, const struct args *a, struct err *e)
{
	const char *format = args_get(a, "format");
	json_t *all, *j;
	size_t i;

	if (format && strcmp(format, "table") && strcmp(format, "json")) {
		err_set(e, EINVAL, "invalid format option \"%.40s\": table or json", format);
		return CMD_FAILED;
	}
	all = all_states(g);
	if (args_has(a, "quiet")) {
		json_array_foreach(all, i, j) printf("%s\n", str(j, "id"));
	} else if (format && !strcmp(format, "json")) {
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_table(all);
	}
	json_decref(all);
	return 0;
}

/* ---- ps ----------------------------------------------------------------- */

static bool has_pid(const pid_t *pids, size_t n, long pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Column of "PID" in ps's heading, or -1. */
static int pid_column(char *line)
{
	char *save = NULL;
	int i = 0;

	for (char *s = strtok_r(line, " \n", &save); s; s = strtok_r(NULL, " \n", &save), i++)
		if (!strcmp(s, "PID"))
			return i;
	return -1;
}

static long pid_in(const char *line, int column)
{
	for (int i = 0; i < column; i++) {
		line += strspn(line, " ");
		line += strcspn(line, " ");
	}
	return strtol(line, NULL, 10);
}

/* The host's ps with the caller's options, reduced to the container's processes. */
static int ps_table(const struct args *a, const pid_t *pids, size_t n, struct err *e)
{
	static char *const usual[] = {"ps", "-ef", NULL};
	char line[4096], copy[4096];
	int fd[2], column, status;
	pid_t child;
	FILE *f;

	if (pipe2(fd, 0) || (child = fork()) < 0)
		return err_errno(e, "start ps");
	if (child == 0) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		/* The container's name stands where ps's own goes. */
		a->pos[0] = (char *)"ps";
		execvp("ps", a->npos > 1 ? a->pos : usual);
		_exit(127);
	}
	close(fd[1]);
	f = fdopen(fd[0], "r");
	column = -1;
	while (f && fgets(line, sizeof(line), f)) {
		if (column < 0) {
			strcpy(copy, line);
			column = pid_column(copy);
			if (column < 0)
				break;
			fputs(line, stdout);
		} else if (has_pid(pids, n, pid_in(line, column))) {
			fputs(line, stdout);
		}
	}
	if (f)
		fclose(f);
	waitpid(child, &status, 0);
	return column >= 0 ? 0 : err_set(e, EINVAL, "ps failed, or its output has no PID column");
}

int cmd_ps(const struct globals *g, const struct args *a, struct err *e)
{
	const char *format = args_get(a, "format");
	struct oci_container *c;
	json_t *j;
	pid_t *pids;
	size_t n;
	int ret;

	if (format && strcmp(format, "table") && strcmp(format, "json")) {
		err_set(e, EINVAL, "invalid format option \"%.40s\": table or json", format);
		return CMD_FAILED;
	}
	if (cmd_open(g, a->pos[0], &c, e))
		return CMD_FAILED;
	ret = oci_pids(c, &pids, &n, e);
	if (!ret && format && !strcmp(format, "json")) {
		j = json_array();
		for (size_t i = 0; i < n; i++)
			json_array_append_new(j, json_integer(pids[i]));
		json_dumpf(j, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(j);
	} else if (!ret) {
		ret = ps_table(a, pids, n, e);
	}
	free(pids);
	oci_close(c);
	return ret ? CMD_FAILED : 0;
}

/* ---- cgroups ------------------------------------------------------------ */

int cmd_pause(const struct globals *g, const struct args *a, struct err *e)
{
	struct oci_container *c;
	int ret = cmd_open(g, a->pos[0], &c, e);

	if (!ret)
		ret = oci_pause(c, e);
	oci_close(c);
	return ret ? CMD_FAILED : 0;
}

int cmd_resume(const struct globals *g, const struct args *a, struct err *e)
{
	struct oci_container *c;
	int ret = cmd_open(g, a->pos[0], &c, e);

	if (!ret)
		ret = oci_resume(c, e);
	oci_close(c);
	return ret ? CMD_FAILED : 0;
}

/* A size with suffix k, m, g as runc takes it, or a plain number. */
static int size_value(const char *option, const char *v, s64 *out, struct err *e)
{
	char *end;
	long long n = strtoll(v, &end, 10);
	int shift = 0;

	switch (tolower((unsigned char)*end)) {
	case 'k':
		shift = 10;
		break;
	case 'm':
		shift = 20;
		break;
	case 'g':
		shift = 30;
		break;
	case 't':
		shift = 40;
		break;
	default:
		break;
	}
	if (shift)
		end += tolower((unsigned char)end[1]) == 'b' ? 2 : 1;
	if (end == v || *end || n > INT64_MAX >> shift)
		return err_set(e, EINVAL, "invalid value \"%.40s\" for %s", v, option);
	*out = n < 0 ? n : (s64)((u64)n << shift);
	return 0;
}

static json_t *member(json_t *root, const char *key)
{
	json_t *o = json_object_get(root, key);

	if (!o) {
		json_object_set_new(root, key, json_object());
		o = json_object_get(root, key);
	}
	return o;
}

static int resources_from_options(const struct args *a, json_t *root, struct err *e)
{
	static const struct {
		const char *option, *group, *key;
		bool text;
	} map[] = {
		{"blkio-weight", "blockIO", "weight", false},
		{"cpu-period", "cpu", "period", false},
		{"cpu-quota", "cpu", "quota", false},
		{"cpu-burst", "cpu", "burst", false},
		{"cpu-share", "cpu", "shares", false},
		{"cpu-rt-period", "cpu", "realtimePeriod", false},
		{"cpu-rt-runtime", "cpu", "realtimeRuntime", false},
		{"cpu-idle", "cpu", "idle", false},
		{"cpuset-cpus", "cpu", "cpus", true},
		{"cpuset-mems", "cpu", "mems", true},
		{"memory", "memory", "limit", false},
		{"memory-reservation", "memory", "reservation", false},
		{"memory-swap", "memory", "swap", false},
		{"kernel-memory", "memory", "kernel", false},
		{"kernel-memory-tcp", "memory", "kernelTCP", false},
		{"pids-limit", "pids", "limit", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(map); i++) {
		const char *v = args_get(a, map[i].option);
		s64 n = 0;

		if (!v)
			continue;
		if (!map[i].text && size_value(map[i].option, v, &n, e))
			return -EINVAL;
		json_object_set_new(member(root, map[i].group), map[i].key,
				    map[i].text ? json_string(v) : json_integer(n));
	}
	return 0;
}

static json_t *resources_from_file(const char *path, struct err *e)
{
	json_error_t je;
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	json_t *j = f ? json_loadf(f, 0, &je) : NULL;

	if (!f)
		err_errno(e, "open %s", path);
	else if (!j)
		err_set(e, EINVAL, "%s: line %d: %s", path, je.line, je.text);
	if (f && f != stdin)
		fclose(f);
	return j;
}

int cmd_update(const struct globals *g, const struct args *a, struct err *e)
{
	const char *file = args_get(a, "resources");
	json_t *root = file ? resources_from_file(file, e) : json_object();
	struct oci_container *c = NULL;
	int ret = root ? cmd_open(g, a->pos[0], &c, e) : -EINVAL;

	/* With a file the other options do not count, as runc documents. */
	if (!ret && !file)
		ret = resources_from_options(a, root, e);
	if (!ret)
		ret = oci_update(c, root, e);
	json_decref(root);
	oci_close(c);
	return ret ? CMD_FAILED : 0;
}

/* ---- events ------------------------------------------------------------- */

static int print_stats(struct oci_container *c, const char *id, struct err *e)
{
	json_t *data = oci_stats_json(c, e), *j;

	if (!data)
		return -1;
	j = json_pack("{s:s,s:s,s:o}", "type", "stats", "id", id, "data", data);
	json_dumpf(j, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(j);
	return 0;
}

/* "5s", "100ms", "1m". */
static s64 duration_ms(const char *s)
{
	char *end;
	double n = strtod(s, &end);

	if (end == s || n <= 0)
		return -1;
	return (s64)(n * (!strcmp(end, "ms") ? 1 : !strcmp(end, "m") ? 60000 : 1000));
}

/* Until the container ends: figures every ms milliseconds, and a line for every time memory ran
 * out. */
static int follow(struct oci_container *c, const char *id, s64 ms, struct err *e)
{
	u64 seen;
	int oom = oci_oom_open(c, &seen), ret = print_stats(c, id, e);
	struct pollfd p[2] = {{.fd = oci_pidfd(c), .events = POLLIN},
			      {.fd = oom, .events = POLLIN}};

	while (!ret) {
		int n = poll(p, 2, ms > INT_MAX ? INT_MAX : (int)ms);

		if (n > 0 && p[1].revents && oci_oom_take(c, oom, &seen)) {
			printf("{\"type\":\"oom\",\"id\":\"%s\"}\n", id);
			fflush(stdout);
		}
		if (n > 0 && p[0].revents)
			break;
		if (n == 0)
			ret = oci_status(c) == OCI_STOPPED ? 0 : print_stats(c, id, e);
	}
	if (oom >= 0)
		close(oom);
	return ret;
}

int cmd_events(const struct globals *g, const struct args *a, struct err *e)
{
	const char *interval = args_get(a, "interval");
	s64 ms = interval ? duration_ms(interval) : 5000;
	struct oci_container *c;
	int ret;

	if (ms <= 0) {
		err_set(e, EINVAL, "duration interval must be greater than 0");
		return CMD_FAILED;
	}
	if (cmd_open(g, a->pos[0], &c, e))
		return CMD_FAILED;
	ret = args_has(a, "stats") ? print_stats(c, a->pos[0], e) : follow(c, a->pos[0], ms, e);
	oci_close(c);
	return ret ? CMD_FAILED : 0;
}
