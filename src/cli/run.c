/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull run`: options and the image's configuration -> struct run_spec -> a
 * thing of either kind, and this process's stdio on it until it ends.
 */
#include "cli/run.h"

#include "run/client.h"
#include "run/net.h"
#include "run/root.h"
#include "run/start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum run_option {
	RUN_AS,
	RUN_NAME,
	RUN_ENTRYPOINT,
	RUN_USER,
	RUN_WORKDIR,
	RUN_HOSTNAME,
	RUN_NETWORK,
	RUN_RESTART,
	RUN_STOP_SIGNAL,
	RUN_ENGINE,
	RUN_KVM_DEVICE,
	RUN_KERNEL,
	RUN_ARCH,
	RUN_ENV,
	RUN_ENV_FILE,
	RUN_VOLUME,
	RUN_TMPFS,
	RUN_PUBLISH,
	RUN_CAP_ADD,
	RUN_CAP_DROP,
	RUN_SECURITY,
	RUN_DEVICE,
	RUN_ADD_HOST,
	RUN_ULIMIT,
	RUN_SYSCTL,
	RUN_ALIAS,
	RUN_INTERACTIVE,
	RUN_TTY,
	RUN_DETACH,
	RUN_RM,
	RUN_READ_ONLY,
	RUN_PRIVILEGED,
	RUN_INIT,
	RUN_MEMORY,
	RUN_CPUS,
	RUN_PIDS,
	RUN_LOG_SIZE,
	RUN_HEALTH_INTERVAL, /* in the order of enum health_option */
	RUN_HEALTH_TIMEOUT,
	RUN_HEALTH_START,
	RUN_HEALTH_RETRIES,
	RUN_HEALTH_CMD,
	RUN_NO_HEALTH,
	RUN_COUNT,
};
static_assert(RUN_COUNT == RUN_OPTIONS, "one row each");

/* clang-format off */
const struct cli_option run_options[RUN_OPTIONS] = {
	{"as", 0, "KIND", "container or vm: whose kernel runs it (container)", "container vm", RUN_AS},
	{"name", 0, "NAME", "name for the other commands (12 random digits)", NULL, RUN_NAME},
	{"entrypoint", 0, "PROGRAM", "instead of the image's; arguments then come from COMMAND alone", NULL, RUN_ENTRYPOINT},
	{"user", 'u', "USER[:GROUP]", "by name or number (the image's)", NULL, RUN_USER},
	{"workdir", 'w', "DIR", "working directory (the image's)", NULL, RUN_WORKDIR},
	{"hostname", 0, "NAME", "host name inside (the name)", NULL, RUN_HOSTNAME},
	{"network", 0, "KIND|NAME[,ip=ADDRESS]", "user, none, host (containers only) or a named network (user)", "user none host", RUN_NETWORK},
	{"restart", 0, "POLICY", "no, always, unless-stopped or on-failure[:TIMES] (no)", "no always unless-stopped on-failure", RUN_RESTART},
	{"stop-signal", 0, "SIGNAL", "what `hull stop` sends (the image's, else TERM)", NULL, RUN_STOP_SIGNAL},
	{"engine", 0, "NAME", "vm: auto, kvm or jit (auto)", "auto kvm jit", RUN_ENGINE},
	{"kvm-device", 0, "PATH", "vm: device node of engine kvm (/dev/kvm)", "@file", RUN_KVM_DEVICE},
	{"kernel", 0, "NAME", "vm: a stored kernel (cloud)", NULL, RUN_KERNEL},
	{"arch", 0, "ARCH", "of the image: amd64 or ppc64le (this computer's)", "amd64 ppc64le", RUN_ARCH},
	{"env", 'e', "KEY[=VALUE]", "environment; without value from here", NULL, RUN_ENV},
	{"env-file", 0, "FILE", "the same, a line each", "@file", RUN_ENV_FILE},
	{"volume", 'v', "HOST:PATH[:ro]", "a directory or file of the host's inside", "@file", RUN_VOLUME},
	{"tmpfs", 0, "PATH[:OPTIONS]", "memory as a file system inside", NULL, RUN_TMPFS},
	{"publish", 'p', "[ADDRESS:]HOST:GUEST[/udp]", "a port of the host's (127.0.0.1) leads inside", NULL, RUN_PUBLISH},
	{"cap-add", 0, "NAME", "one more capability, or all", NULL, RUN_CAP_ADD},
	{"cap-drop", 0, "NAME", "one less, or all", NULL, RUN_CAP_DROP},
	{"security-opt", 0, "OPTION", "no-new-privileges[=false], seccomp=unconfined or seccomp=FILE", NULL, RUN_SECURITY},
	{"device", 0, "PATH", "container: a device of the host's", "@file", RUN_DEVICE},
	{"add-host", 0, "NAME:ADDRESS", "a line of /etc/hosts", NULL, RUN_ADD_HOST},
	{"ulimit", 0, "NAME=SOFT[:HARD]", "a resource limit", NULL, RUN_ULIMIT},
	{"sysctl", 0, "KEY=VALUE", "container: a kernel parameter of its name spaces", NULL, RUN_SYSCTL},
	{"network-alias", 0, "NAME", "one more name of it on its named network", NULL, RUN_ALIAS},
	{"interactive", 'i', NULL, "standard input from here", NULL, RUN_INTERACTIVE},
	{"tty", 't', NULL, "a terminal; Ctrl-P Ctrl-Q leaves it running", NULL, RUN_TTY},
	{"detach", 'd', NULL, "print the name and come back at once", NULL, RUN_DETACH},
	{"rm", 0, NULL, "remove it when it has ended", NULL, RUN_RM},
	{"read-only", 0, NULL, "nothing can be written to the root", NULL, RUN_READ_ONLY},
	{"privileged", 0, NULL, "all capabilities, no system-call filter, nothing masked", NULL, RUN_PRIVILEGED},
	{"init", 0, NULL, "container: hull-init as process 1, which reaps", NULL, RUN_INIT},
	{"memory", 'm', "SIZE", "limit, or a machine's memory (container: none, vm: 512M)", NULL, RUN_MEMORY},
	{"cpus", 0, "N", "limit, or a machine's CPUs (container: none, vm: 1)", NULL, RUN_CPUS},
	{"pids-limit", 0, "N", "container: most processes at a time", NULL, RUN_PIDS},
	{"log-size", 0, "SIZE", "of one log file before the next is begun; three are kept (8M)", NULL, RUN_LOG_SIZE},
	{"health-interval", 0, "TIME", "from one health check to the next (the image's, else 30s)", NULL, RUN_HEALTH_INTERVAL},
	{"health-timeout", 0, "TIME", "after which one has failed (the image's, else 30s)", NULL, RUN_HEALTH_TIMEOUT},
	{"health-start-period", 0, "TIME", "from the start, in which failures do not count (the image's, else 0s)", NULL, RUN_HEALTH_START},
	{"health-retries", 0, "N", "failures in a row that make it unhealthy (the image's, else 3)", NULL, RUN_HEALTH_RETRIES},
	{"health-cmd", 0, "COMMAND", "a shell command as health check, or none (the image's)", NULL, RUN_HEALTH_CMD},
	{"no-healthcheck", 0, NULL, "no health check, whatever the image says", NULL, RUN_NO_HEALTH},
};
/* clang-format on */

const char run_more_help[] =
	"The same image runs as a container on this kernel (--as container, the default) or as a\n"
	"machine with a kernel of its own (--as vm); nothing else of the command changes.\n"
	"\n"
	"Exit status: that of the command; 125 hull failed; 126 the command cannot be run;\n"
	"127 there is no such command or image; 128+N it was ended by signal N.\n";

/* Where the options that only store something store it. */
static void *member_of(struct run_spec *s, enum run_option id)
{
	void *const at[RUN_COUNT] = {
		[RUN_AS] = &s->as,
		[RUN_NAME] = &s->name,
		[RUN_USER] = &s->user,
		[RUN_WORKDIR] = &s->cwd,
		[RUN_HOSTNAME] = &s->hostname,
		[RUN_NETWORK] = &s->network,
		[RUN_RESTART] = &s->restart,
		[RUN_STOP_SIGNAL] = &s->stop_signal,
		[RUN_ENGINE] = &s->engine,
		[RUN_KVM_DEVICE] = &s->kvm_device,
		[RUN_KERNEL] = &s->kernel,
		[RUN_VOLUME] = &s->volumes,
		[RUN_TMPFS] = &s->tmpfs,
		[RUN_PUBLISH] = &s->ports,
		[RUN_CAP_ADD] = &s->cap_add,
		[RUN_CAP_DROP] = &s->cap_drop,
		[RUN_SECURITY] = &s->security,
		[RUN_DEVICE] = &s->devices,
		[RUN_ADD_HOST] = &s->hosts,
		[RUN_ULIMIT] = &s->ulimits,
		[RUN_SYSCTL] = &s->sysctls,
		[RUN_ALIAS] = &s->aliases,
		[RUN_INTERACTIVE] = &s->interactive,
		[RUN_TTY] = &s->tty,
		[RUN_DETACH] = &s->detach,
		[RUN_RM] = &s->rm,
		[RUN_READ_ONLY] = &s->read_only,
		[RUN_PRIVILEGED] = &s->privileged,
		[RUN_INIT] = &s->init,
	};

	return at[id];
}

struct run {
	struct run_spec spec;
	struct strv env; /* of the command line, over the image's */
	struct image *image;
	const char *entrypoint;
	char **command; /* argv from the first word after IMAGE */
	int ncommand;
};

/* ---- options ---- */

/* KEY=VALUE, or KEY: then what it is here, if anything. */
static int add_env(struct strv *env, const char *text, struct err *e)
{
	const char *value = strchr(text, '=') ? NULL : getenv(text);
	char *both;
	int ret;

	if (text[0] == '=' || !text[0])
		return err_set(e, EINVAL, "environment %.60s: give KEY=VALUE", text);
	if (strchr(text, '='))
		return strv_add(env, text, e);
	if (!value)
		return 0;
	if (asprintf(&both, "%s=%s", text, value) < 0)
		return err_set(e, ENOMEM, "out of memory");
	ret = strv_add(env, both, e);
	free(both);
	return ret;
}

static int add_env_file(struct strv *env, const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	if (!f)
		return err_errno(e, "env-file %s", path);
	while (!ret && getline(&line, &size, f) > 0) {
		line[strcspn(line, "\r\n")] = 0;
		if (line[0] && line[0] != '#')
			ret = add_env(env, line, e);
	}
	free(line);
	fclose(f);
	return ret;
}

static int set_cpus(struct run_spec *s, const char *text, struct err *e)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || *end || !(n >= 0.01 && n <= 1024))
		return err_set(e, EINVAL, "cpus %.40s: give a number such as 2 or 0.5", text);
	s->millicpus = (u64)(n * 1000);
	return 0;
}

static int set_special(struct run *r, enum run_option id, const char *v, struct err *e)
{
	switch (id) {
	case RUN_ENTRYPOINT:
		r->entrypoint = v;
		return 0;
	case RUN_ARCH:
		return spec_arch(&r->spec, v, e);
	case RUN_ENV:
		return add_env(&r->env, v, e);
	case RUN_ENV_FILE:
		return add_env_file(&r->env, v, e);
	case RUN_MEMORY:
		return cli_parse_size(v, 1, &r->spec.memory, e);
	case RUN_LOG_SIZE:
		return cli_parse_size(v, 1, &r->spec.log_size, e);
	case RUN_CPUS:
		return set_cpus(&r->spec, v, e);
	case RUN_PIDS:
		return cli_parse_uint("pids-limit", v, 1, 1u << 22, &r->spec.pids, e);
	default:
		return health_option(&r->spec, (enum health_option)(id - RUN_HEALTH_INTERVAL), v,
				     e);
	}
}

static int set(struct run *r, const struct cli_option *o, const char *v, struct err *e)
{
	void *member = member_of(&r->spec, (enum run_option)o->id);

	if (!member)
		return set_special(r, (enum run_option)o->id, v, e);
	if (!o->arg) {
		*(bool *)member = true;
		return 0;
	}
	/* What can be given several times is a list; those start at RUN_ENV. */
	return o->id > RUN_ENV ? strv_add(member, v, e) : spec_text(member, v, e);
}

static int parse(const struct cli_command *self, int argc, char **argv, struct run *r,
		 struct err *e)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	int ret;

	while ((ret = cli_next(&p, &opt, e)) > 0) {
		if (!opt) {
			r->command = argv + p.at;
			r->ncommand = argc - p.at;
			return spec_text(&r->spec.image, p.value, e);
		}
		ret = set(r, opt, p.value, e);
		if (ret)
			return ret;
	}
	return ret ? ret : err_set(e, EINVAL, "give an image (see `hull images`)");
}

/* ---- what the options leave open ---- */

static int default_name(struct run_spec *s, struct err *e)
{
	char name[13];
	u8 bytes[6];

	if (s->name)
		return 0;
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_errno(e, "no random name");
	for (unsigned i = 0; i < sizeof(bytes); i++)
		snprintf(name + 2 * i, 3, "%02x", bytes[i]);
	return spec_text(&s->name, name, e);
}

static int created_now(struct run_spec *s, struct err *e)
{
	char text[32];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return spec_text(&s->created, text, e);
}

static int defaults(struct run *r, struct err *e)
{
	struct run_spec *s = &r->spec;
	int ret = default_name(s, e);

	if (!ret && !s->as)
		ret = spec_text(&s->as, "container", e);
	if (!ret && !s->network)
		ret = spec_text(&s->network, "user", e);
	return ret ? ret : created_now(s, e);
}

static bool has_env(const struct strv *env, const char *key)
{
	for (unsigned i = 0; i < env->n; i++)
		if (!strncmp(env->v[i], key, strlen(key)))
			return true;
	return false;
}

static int default_env(struct run_spec *s, struct err *e)
{
	char host[RUN_NAME_MAX + 16];
	int ret = 0;

	if (!has_env(&s->env, "PATH="))
		ret = strv_add(&s->env,
			       "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			       e);
	if (!ret && s->tty && !has_env(&s->env, "TERM="))
		ret = strv_add(&s->env, "TERM=xterm", e);
	snprintf(host, sizeof(host), "HOSTNAME=%.64s", s->hostname ?: s->name);
	if (!ret && !has_env(&s->env, "HOSTNAME="))
		ret = strv_add(&s->env, host, e);
	return ret ?: has_env(&s->env, "container=") ? ret : strv_add(&s->env, "container=hull", e);
}

static int add_words(struct strv *l, char *const *words, int n, struct err *e)
{
	int ret = 0;

	for (int i = 0; !ret && words && (n < 0 ? words[i] != NULL : i < n); i++)
		ret = strv_add(l, words[i], e);
	return ret;
}

/* image-spec conversion.md: entrypoint and cmd, the command line's instead of the image's cmd. */
static int command(struct run *r, const struct image_config *im, struct err *e)
{
	struct strv *args = &r->spec.args;
	int ret;

	if (r->entrypoint)
		ret = *r->entrypoint ? strv_add(args, r->entrypoint, e) : 0;
	else
		ret = add_words(args, im->entrypoint, -1, e);
	if (!ret && r->ncommand)
		ret = add_words(args, r->command, r->ncommand, e);
	else if (!ret && !r->entrypoint)
		ret = add_words(args, im->cmd, -1, e);
	if (!ret && !args->n)
		ret = err_set(e, EINVAL, "the image %s has no command: give one", r->spec.image);
	return ret;
}

static int from_image(struct run *r, struct err *e)
{
	struct run_spec *s = &r->spec;
	const struct image_config *c;
	int ret = root_image(s, &r->image, e);

	if (ret)
		return ret;
	c = &r->image->config;
	ret = command(r, c, e);
	if (!ret)
		ret = add_words(&s->env, c->env, -1, e);
	if (!ret)
		ret = strv_merge(&s->env, &r->env, e);
	if (!ret && !s->user)
		ret = spec_text(&s->user, c->user, e);
	if (!ret && !s->cwd)
		ret = spec_text(&s->cwd, c->workdir, e);
	if (!ret && !s->stop_signal && *c->stop_signal)
		ret = spec_text(&s->stop_signal, c->stop_signal, e);
	if (!ret)
		ret = health_from_image(s, &c->health, e);
	return ret ? ret : default_env(s, e);
}

/* Before anything is made. */
static int check_network(const struct run_spec *s, struct err *e)
{
	struct run_network n;
	struct net net;
	int ret = spec_network(s, &n, e);

	if (ret || !n.named || (ret = net_find(n.name, &net, e)))
		return ret;
	return net.internal && s->ports.n
		       ? err_set(e, EINVAL, "network %s is internal: -p leads to nothing on it",
				 n.name)
		       : 0;
}

static int check_terminal(const struct run_spec *s, struct err *e)
{
	if (s->tty && s->interactive && !s->detach && !isatty(STDIN_FILENO))
		return err_set(e, EINVAL, "-it: standard input is no terminal; give -i alone");
	return 0;
}

/* ---- running ---- */

/* The thing has ended: what the monitor leaves to the one who waited. */
static void clean_up(const struct run_spec *s, const struct thing *t)
{
	struct err e = {0};
	int ret = 0;

	if (s->restart && strcmp(s->restart, "no"))
		return; /* the monitor starts it again */
	if (access(t->dir, F_OK))
		return; /* it did not wait for us */
	ret = thing_finish(t, &e);
	if (!ret && s->rm)
		ret = thing_remove(t, &e);
	if (ret)
		fprintf(stderr, "hull run: %s\n", e.msg);
}

static int report(const struct cli_command *self, const struct run_spec *s, const struct thing *t,
		  const struct client_result *r)
{
	switch (r->end) {
	case CLIENT_STARTED:
		printf("%s\n", s->name);
		return CLI_OK;
	case CLIENT_EXITED:
		clean_up(s, t);
		return r->status;
	case CLIENT_ERROR:
		fprintf(stderr, "hull %s: %s\n", self->name, r->text);
		clean_up(s, t);
		return r->status;
	case CLIENT_DETACHED:
		fprintf(stderr, "\nhull run: %s runs on; `hull attach %s`\n", s->name, s->name);
		return CLI_OK;
	case CLIENT_LOST:
		break;
	}
	fprintf(stderr, "hull %s: the monitor of %s was killed\n", self->name, s->name);
	thing_status(t, &(struct thing_status){0}, NULL); /* cleans up after it */
	return CLI_SIGNAL + SIGKILL;
}

static int run(const struct cli_command *self, struct run_spec *s, const struct image *im,
	       struct err *e)
{
	const struct client_config cfg = {
		.tty = s->tty, .in = s->interactive, .signals = !s->tty, .only_start = s->detach};
	struct client_result result;
	struct thing t;
	sigset_t before;
	int fd, ret;

	client_signals(&before);
	ret = thing_create(s, &t, e);
	if (ret)
		return cli_fail(self, e);
	ret = root_pin(&t, im, e);
	fd = ret ? ret : thing_start(&t, e);
	if (fd < 0) {
		thing_remove(&t, NULL);
		return cli_fail(self, e);
	}
	ret = client_run(fd, &cfg, &result, e);
	ret = ret ? cli_fail(self, e) : report(self, s, &t, &result);
	close(fd);
	return ret;
}

int cmd_run(const struct cli_command *self, int argc, char **argv)
{
	struct run r = {0};
	struct err e = {0};
	int ret = parse(self, argc, argv, &r, &e);

	if (!ret)
		ret = defaults(&r, &e);
	if (!ret)
		ret = spec_check(&r.spec, &e);
	if (!ret)
		ret = check_network(&r.spec, &e);
	if (!ret)
		ret = check_terminal(&r.spec, &e);
	if (!ret)
		ret = from_image(&r, &e);
	ret = ret ? cli_parse_end(self, ret, &e) : run(self, &r.spec, r.image, &e);
	image_free(r.image);
	spec_free(&r.spec);
	strv_free(&r.env);
	return ret;
}

static int fd_of(const char *text, const char *key)
{
	size_t n = strlen(key);
	int fd = strncmp(text, key, n) ? -1 : atoi(text + n);

	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

int cmd_end(int argc, char **argv)
{
	struct err e = {0};
	struct thing t = {0};
	const char *slash = argc == 4 ? strrchr(argv[1], '/') : NULL;

	if (!slash)
		return CLI_ERROR;
	snprintf(t.dir, sizeof(t.dir), "%s", argv[1]);
	snprintf(t.name, sizeof(t.name), "%s", slash + 1);
	if (thing_end(&t, fd_of(argv[2], "lock="), fd_of(argv[3], "listen="), &e)) {
		fprintf(stderr, "hull: %s: %s\n", t.name, e.msg);
		return CLI_ERROR;
	}
	return CLI_OK;
}
