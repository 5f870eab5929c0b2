/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/cmd/cmd.h"

#include "host/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
static const struct option_def globals_opts[] = {
	{"root", 0, "DIR", "where containers are recorded (default /run/hull-oci)"},
	{"log", 0, "FILE", "append errors to FILE (default: standard error)"},
	{"log-format", 0, "text|json", "form of the log"},
	{"debug", 0, NULL, "log what is being done"},
	{"systemd-cgroup", 0, NULL, "let systemd make cgroups; cgroupsPath is slice:prefix:name"},
	{"cgroup-manager", 0, "cgroupfs|systemd|disabled", "the same in crun's words"},
	{"rootless", 0, "auto|true|false", "accepted; found out by itself"},
	{"criu", 0, "PATH", "accepted and not used"},
	{"version", 'v', NULL, "print the version"},
	{"help", 'h', NULL, "print this"},
	{0},
};

#define BUNDLE {"bundle", 'b', "DIR", "bundle directory (default: here)"}
#define IO \
	{"console-socket", 0, "PATH", "unix socket that gets the terminal's master"}, \
	{"pidfd-socket", 0, "PATH", "unix socket that gets a pidfd of the process"}, \
	{"pid-file", 0, "FILE", "write the process's pid to FILE"}, \
	{"preserve-fds", 0, "N", "pass N descriptors from 3 on to the container"}

static const struct option_def create_opts[] = {
	BUNDLE, IO,
	{"config", 'f', "FILE", "another file than BUNDLE/config.json"},
	{"no-pivot", 0, NULL, "move the root instead of pivot_root"},
	{"no-new-keyring", 0, NULL, "keep the caller's session keyring"},
	{0},
};
static const struct option_def run_opts[] = {
	BUNDLE, IO,
	{"config", 'f', "FILE", "another file than BUNDLE/config.json"},
	{"detach", 'd', NULL, "return when it runs"},
	{"keep", 0, NULL, "do not delete it when it ends"},
	{"no-subreaper", 0, NULL, "accepted"},
	{"no-pivot", 0, NULL, "move the root instead of pivot_root"},
	{"no-new-keyring", 0, NULL, "keep the caller's session keyring"},
	{0},
};
static const struct option_def exec_opts[] = {
	IO,
	{"process", 'p', "FILE", "process object (process.json)"},
	{"detach", 'd', NULL, "return when it runs"},
	{"tty", 't', NULL, "with a terminal"},
	{"cwd", 0, "DIR", "working directory"},
	{"env", 'e', "NAME=VALUE", "set an environment variable"},
	{"user", 'u', "UID[:GID]", "user and group"},
	{"additional-gids", 'g', "GID", "further group"},
	{"process-label", 0, "LABEL", "SELinux label"},
	{"apparmor", 0, "PROFILE", "AppArmor profile"},
	{"no-new-privs", 0, NULL, "set no_new_privs"},
	{"cap", 'c', "CAP", "add a capability"},
	{"no-subreaper", 0, NULL, "accepted"},
	{"cgroup", 0, "PATH", "cgroup below the container's, CONTROLLER:PATH on v1"},
	{"ignore-paused", 0, NULL, "also in a paused container"},
	{0},
};
static const struct option_def kill_opts[] = {
	{"all", 'a', NULL, "every process of the container"},
	{0},
};
static const struct option_def delete_opts[] = {
	{"force", 'f', NULL, "kill it first; a missing one is no error"},
	{"regex", 'r', NULL, "every container whose name matches ID, a regular expression"},
	{0},
};
static const struct option_def list_opts[] = {
	{"format", 'f', "table|json", "form of the output"},
	{"quiet", 'q', NULL, "names only"},
	{0},
};
static const struct option_def ps_opts[] = {
	{"format", 'f', "table|json", "form of the output"},
	{0},
};
static const struct option_def update_opts[] = {
	{"resources", 'r', "FILE", "linux.resources as JSON, - for standard input"},
	{"blkio-weight", 0, "N", "10 to 1000"},
	{"cpu-period", 0, "US", "CPU period in microseconds"},
	{"cpu-quota", 0, "US", "CPU time a period"},
	{"cpu-burst", 0, "US", "CPU time above the quota"},
	{"cpu-share", 0, "N", "CPU shares"},
	{"cpu-rt-period", 0, "US", "real-time period"},
	{"cpu-rt-runtime", 0, "US", "real-time CPU time a period"},
	{"cpu-idle", 0, "0|1", "idle scheduling"},
	{"cpuset-cpus", 0, "LIST", "CPUs"},
	{"cpuset-mems", 0, "LIST", "memory nodes"},
	{"memory", 0, "BYTES", "memory limit"},
	{"memory-reservation", 0, "BYTES", "soft memory limit"},
	{"memory-swap", 0, "BYTES", "memory and swap together, -1: no limit"},
	{"kernel-memory", 0, "BYTES", "accepted and not used"},
	{"kernel-memory-tcp", 0, "BYTES", "kernel memory of TCP buffers"},
	{"pids-limit", 0, "N", "processes, -1: no limit"},
	{0},
};
static const struct option_def events_opts[] = {
	{"stats", 0, NULL, "figures once, then end"},
	{"interval", 0, "DURATION", "between figures (default 5s)"},
	{0},
};
static const struct option_def spec_opts[] = {
	BUNDLE,
	{"rootless", 0, NULL, "for a user without privilege"},
	{0},
};
static const struct option_def no_opts[] = {{0}};

static const struct command commands[] = {
	{"create", "create [OPTION...] ID", "make a container", create_opts, false, 1, 1, cmd_create},
	{"start", "start ID", "run a created container's program", no_opts, false, 1, 1, cmd_start},
	{"run", "run [OPTION...] ID", "create and start", run_opts, false, 1, 1, cmd_run},
	{"exec", "exec [OPTION...] ID [COMMAND ARG...]", "run a further process", exec_opts, true, 1, -1, cmd_exec},
	{"state", "state ID", "print a container's state", no_opts, false, 1, 1, cmd_state},
	{"kill", "kill [OPTION...] ID [SIGNAL]", "send a signal, SIGTERM if none is given", kill_opts, false, 1, 2, cmd_kill},
	{"delete", "delete [OPTION...] ID", "remove a stopped container", delete_opts, false, 1, 1, cmd_delete},
	{"list", "list [OPTION...]", "list containers", list_opts, false, 0, 0, cmd_list},
	{"ps", "ps [OPTION...] ID [PS-OPTION...]", "list a container's processes", ps_opts, true, 1, -1, cmd_ps},
	{"pause", "pause ID", "freeze all processes", no_opts, false, 1, 1, cmd_pause},
	{"resume", "resume ID", "let them go on", no_opts, false, 1, 1, cmd_resume},
	{"update", "update [OPTION...] ID", "change resource limits", update_opts, false, 1, 1, cmd_update},
	{"events", "events [OPTION...] ID", "print resource figures", events_opts, false, 1, 1, cmd_events},
	{"features", "features", "print what this runtime can do", no_opts, false, 0, 0, cmd_features},
	{"spec", "spec [OPTION...]", "write a config.json to start from", spec_opts, false, 0, 0, cmd_spec},
	{"checkpoint", "checkpoint ID", "not there: says so", no_opts, true, 0, -1, cmd_checkpoint},
	{"restore", "restore ID", "not there: says so", no_opts, true, 0, -1, cmd_checkpoint},
};
/* clang-format on */

/* ---- options ------------------------------------------------------------ */

const char *args_nth(const struct args *a, const char *name, unsigned i)
{
	for (unsigned k = 0; k < a->nopt; k++)
		if (!strcmp(a->opt[k].def->name, name) && i-- == 0)
			return a->opt[k].value;
	return NULL;
}

const char *args_get(const struct args *a, const char *name)
{
	const char *found = NULL;

	for (unsigned k = 0; k < a->nopt; k++)
		if (!strcmp(a->opt[k].def->name, name))
			found = a->opt[k].value;
	return found;
}

bool args_has(const struct args *a, const char *name)
{
	const char *v = args_get(a, name);

	return v && strcmp(v, "false");
}

int args_int(const struct args *a, const char *name, s64 min, s64 max, s64 *out, struct err *e)
{
	const char *v = args_get(a, name);
	char *end;
	long long n;

	if (!v)
		return 0;
	errno = 0;
	n = strtoll(v, &end, 10);
	if (errno || end == v || *end || n < min || n > max)
		return err_set(e, EINVAL, "--%s %s: must be a number from %lld to %lld", name, v,
			       (long long)min, (long long)max);
	*out = n;
	return 0;
}

static const struct option_def *find_long(const struct option_def *t, const char *name, size_t len)
{
	for (; t->name; t++)
		if (strlen(t->name) == len && !memcmp(t->name, name, len))
			return t;
	return NULL;
}

static const struct option_def *find_letter(const struct option_def *t, char c)
{
	for (; t->name; t++)
		if (t->letter && t->letter == c)
			return t;
	return NULL;
}

static int add(struct args *a, const struct option_def *d, const char *value, struct err *e)
{
	if (a->nopt == CMD_MAX_OPTIONS)
		return err_set(e, E2BIG, "too many options");
	a->opt[a->nopt++] = (struct option_value){d, value ? value : ""};
	return 0;
}

/* -abc: flags in one word, the last may take the rest or the next word. */
static int take_letters(struct args *a, const struct option_def *t, const char *word, char **argv,
			int *i, struct err *e)
{
	for (const char *s = word + 1; *s; s++) {
		const struct option_def *d = find_letter(t, *s);

		if (!d)
			return err_set(e, EINVAL, "flag provided but not defined: -%c (try --help)",
				       *s);
		if (!d->arg) {
			if (add(a, d, NULL, e))
				return -E2BIG;
			continue;
		}
		if (s[1])
			return add(a, d, s[1] == '=' ? s + 2 : s + 1, e);
		if (!argv[*i + 1])
			return err_set(e, EINVAL, "flag needs an argument: -%c", *s);
		return add(a, d, argv[++*i], e);
	}
	return 0;
}

/* One word that begins with a dash; Go's programs take -name for --name. */
static int take_option(struct args *a, const struct option_def *t, char **argv, int *i,
		       struct err *e)
{
	const char *word = argv[*i], *name = word + (word[1] == '-' ? 2 : 1);
	size_t len = strcspn(name, "=");
	const struct option_def *d = find_long(t, name, len);

	if (!d && word[1] != '-')
		return take_letters(a, t, word, argv, i, e);
	if (!d)
		return err_set(e, EINVAL, "flag provided but not defined: --%.*s (try --help)",
			       (int)len, name);
	if (name[len] == '=')
		return add(a, d, name + len + 1, e);
	if (!d->arg)
		return add(a, d, NULL, e);
	if (!argv[*i + 1])
		return err_set(e, EINVAL, "flag needs an argument: --%s", d->name);
	return add(a, d, argv[++*i], e);
}

static int parse_args(struct args *a, char **argv, struct err *e)
{
	bool only_positional = false;

	a->pos = argv; /* filled in place: never ahead of what is read */
	for (int i = 0; argv[i]; i++) {
		if (!only_positional && !strcmp(argv[i], "--")) {
			only_positional = true;
		} else if (!only_positional && argv[i][0] == '-' && argv[i][1]) {
			if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
				return -ECANCELED;
			if (take_option(a, a->cmd->options, argv, &i, e))
				return -EINVAL;
		} else {
			a->pos[a->npos++] = argv[i];
			only_positional |= a->cmd->stop_at_first;
		}
	}
	a->pos[a->npos] = NULL;
	if (a->npos < a->cmd->min || (a->cmd->max >= 0 && a->npos > a->cmd->max))
		return err_set(e, EINVAL, "wrong number of arguments: hull-oci %s", a->cmd->usage);
	return 0;
}

/* ---- help and errors ---------------------------------------------------- */

static void print_options(const struct option_def *t)
{
	char name[64];

	for (; t->name; t++) {
		int n = t->letter ? snprintf(name, sizeof(name), "-%c, ", t->letter) : 0;

		snprintf(name + n, sizeof(name) - (size_t)n, "--%s%s%s", t->name, t->arg ? " " : "",
			 t->arg ? t->arg : "");
		printf("  %-34s %s\n", name, t->help);
	}
}

static int help(void)
{
	printf("usage: hull-oci [GLOBAL-OPTION...] COMMAND [OPTION...] [ARGUMENT...]\n"
	       "OCI container runtime, called as runc is.\n\ncommands:\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-12s %s\n", commands[i].name, commands[i].help);
	printf("\nglobal options:\n");
	print_options(globals_opts);
	return 0;
}

static int command_help(const struct command *c)
{
	printf("usage: hull-oci %s\n%s\n", c->usage, c->help);
	if (c->options->name)
		printf("\noptions:\n");
	print_options(c->options);
	return 0;
}

/* For the text form, msg="...". */
static void print_quoted(int fd, const char *when, const char *level, const char *text)
{
	char line[1400];
	size_t n = (size_t)snprintf(line, 100, "time=\"%s\" level=%s msg=\"", when, level);

	for (; *text && n < sizeof(line) - 4; text++) {
		if (*text == '"' || *text == '\\')
			line[n++] = '\\';
		line[n++] = *text;
	}
	line[n++] = '"';
	line[n++] = '\n';
	(void)!write(fd, line, n);
}

/* A line for the log that engines read the reason from, or for standard error. */
static void log_line(void *opaque, enum log_level level, const char *text)
{
	const struct globals *g = opaque;
	/* logrus's words, which callers know. */
	const char *name = level == LOG_WARN ? "warning" : log_level_name(level);
	char when[40] = "";
	time_t now = time(NULL);
	struct tm tm;
	int fd = g->log ? open(g->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644)
			: 2;

	if (gmtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (fd < 0)
		return;
	if (g->log && g->log_json) {
		json_t *j = json_pack("{s:s,s:s,s:s}", "level", name, "msg", text, "time", when);
		char *line = j ? json_dumps(j, JSON_COMPACT) : NULL;

		dprintf(fd, "%s\n", line ? line : "{\"level\":\"error\"}");
		json_decref(j);
		free(line);
	} else {
		print_quoted(fd, when, name, text);
	}
	if (g->log)
		close(fd);
}

/* Standard error gets it too. */
static void report(struct globals *g, const struct err *e)
{
	if (g->log)
		log_line(g, LOG_ERROR, e->msg);
	fprintf(stderr, "hull-oci: %s\n", e->msg);
}

/* ---- globals ------------------------------------------------------------ */

static int set_global(struct globals *g, const struct option_value *o, struct err *e)
{
	const char *n = o->def->name, *v = o->value;

	if (!strcmp(n, "root"))
		g->root = v;
	else if (!strcmp(n, "log"))
		g->log = v;
	else if (!strcmp(n, "log-format"))
		g->log_json = !strcmp(v, "json");
	else if (!strcmp(n, "debug"))
		g->debug = strcmp(v, "false") != 0;
	else if (!strcmp(n, "systemd-cgroup"))
		g->systemd_cgroup = strcmp(v, "false") != 0;
	else if (!strcmp(n, "cgroup-manager") && !strcmp(v, "systemd"))
		g->systemd_cgroup = true;
	else if (!strcmp(n, "cgroup-manager") && !strcmp(v, "disabled"))
		g->no_cgroup = true;
	if (!strcmp(n, "log-format") && strcmp(v, "json") && strcmp(v, "text"))
		return err_set(e, EINVAL, "unknown log-format \"%s\": text or json", v);
	if (!strcmp(n, "cgroup-manager") && strcmp(v, "systemd") && strcmp(v, "disabled") &&
	    strcmp(v, "cgroupfs"))
		return err_set(e, EINVAL,
			       "unknown cgroup-manager \"%s\": cgroupfs, systemd or disabled", v);
	return 0;
}

static void default_root(struct globals *g)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (g->root && g->root[0])
		return;
	if (geteuid() == 0 || !dir || !*dir)
		snprintf(g->root_buf, sizeof(g->root_buf), "%s",
			 geteuid() ? "/tmp/hull-oci" : "/run/hull-oci");
	else
		snprintf(g->root_buf, sizeof(g->root_buf), "%s/hull-oci", dir);
	g->root = g->root_buf;
}

/* A log nobody can write would hide every later error. */
static int check_log(struct globals *g, struct err *e)
{
	int fd = open(g->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644), ret;

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	ret = err_errno(e, "log %s", g->log);
	g->log = NULL;
	return ret;
}

static int version(void)
{
	printf("hull-oci version " HULL_VERSION "\nspec: " OCI_SPEC_VERSION "\n");
	return 0;
}

int cmd_open(const struct globals *g, const char *id, struct oci_container **out, struct err *e)
{
	struct oci_where w = {.root = g->root, .id = id};

	return oci_open(&w, out, e);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static bool starts_processes(const struct command *c)
{
	return c->run == cmd_create || c->run == cmd_run || c->run == cmd_exec;
}

static int run_command(const struct globals *g, char **argv, char **all, struct err *e)
{
	struct args a = {.cmd = find_command(argv[0])};
	int ret;

	if (!a.cmd) {
		err_set(e, EINVAL, "unknown command \"%.60s\" (try --help)", argv[0]);
		return CMD_FAILED;
	}
	if (starts_processes(a.cmd) && oci_protect_program(all, e))
		return CMD_FAILED;
	ret = parse_args(&a, argv + 1, e);
	if (ret == -ECANCELED)
		return command_help(a.cmd);
	return ret ? CMD_FAILED : a.cmd->run(g, &a, e);
}

int main(int argc, char **argv)
{
	struct args top = {0};
	struct globals g = {0};
	struct err e = {0};
	int i = 1, ret = 0;

	for (; argv[i] && argv[i][0] == '-' && !ret; i++)
		ret = take_option(&top, globals_opts, argv, &i, &e);
	for (unsigned k = 0; k < top.nopt && !ret; k++)
		ret = set_global(&g, &top.opt[k], &e);
	if (!ret && args_has(&top, "version"))
		return version();
	if (!ret && (args_has(&top, "help") || !argv[i] || !strcmp(argv[i], "help")))
		return help();
	log_set_level(g.debug ? LOG_DEBUG : LOG_WARN);
	log_set_sink(log_line, &g);
	default_root(&g);
	if (!ret && g.log)
		ret = check_log(&g, &e);
	ret = ret ? CMD_FAILED : run_command(&g, argv + i, argv, &e);
	if (ret != CMD_FAILED)
		return ret;
	report(&g, &e);
	/* runc's exit status of a failed exec, by which callers tell it from the program's own. */
	return argv[i] && !strcmp(argv[i], "exec") ? 255 : 1;
}
