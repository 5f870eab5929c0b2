/* SPDX-License-Identifier: Apache-2.0 */
/* create, run, start, exec. */
#include "oci/cmd/cmd.h"
#include "oci/console.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The socket an option names, or -1 in *out if it was not given. */
static int connect_socket(const struct args *a, const char *option, int *out, struct err *e)
{
	const char *path = args_get(a, option);

	*out = path && *path ? console_connect(path, e) : -1;
	return *out < -1 ? *out : 0;
}

/* --preserve-fds and sockets by the LISTEN_FDS protocol, which counts as preserved too. */
static int preserved(const struct args *a, int *n, int *listen, struct err *e)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	s64 v = 0;

	if (args_int(a, "preserve-fds", 0, 1 << 20, &v, e))
		return -EINVAL;
	*listen = fds && (!pid || atoi(pid) == getpid()) ? atoi(fds) : 0;
	if (*listen < 0 || *listen > 1024)
		*listen = 0;
	*n = (int)v + *listen;
	return oci_reserve_fds(*n, e);
}

static int check_console(const struct args *a, bool terminal, bool detached, struct err *e)
{
	const char *socket = args_get(a, "console-socket");

	if (!terminal && socket)
		return err_set(e, EINVAL,
			       "cannot use console socket if runc will not detach or "
			       "allocate tty");
	if (terminal && detached && !socket)
		return err_set(e, EINVAL,
			       "cannot allocate tty if runc will detach without setting console "
			       "socket");
	return 0;
}

static enum oci_cgroups cgroups_of(const struct globals *g)
{
	return g->systemd_cgroup ? OCI_CGROUPS_SYSTEMD
	       : g->no_cgroup	 ? OCI_CGROUPS_NONE
				 : OCI_CGROUPS_AUTO;
}

static char *read_file(const char *path, size_t *len, struct err *e)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(0);
	char *text = malloc(8 << 20);
	ssize_t n = 0;

	*len = 0;
	if (fd < 0 || !text) {
		err_errno(e, "open %s", path);
	} else {
		while ((n = read(fd, text + *len, (8 << 20) - *len)) > 0)
			*len += (size_t)n;
		if (n == 0 && *len < 8 << 20) {
			close(fd);
			return text;
		}
		err_set(e, EIO, "cannot read %s, or it is larger than 8 MiB", path);
	}
	if (fd >= 0)
		close(fd);
	free(text);
	return NULL;
}

static int load_config(const struct args *a, const char *bundle, struct oci_config **out,
		       struct err *e)
{
	const char *file = args_get(a, "config");
	char path[4096];
	size_t len;
	char *text;
	int ret;

	if (!file)
		return oci_config_load(bundle, out, e);
	snprintf(path, sizeof(path), "%s%s%s", file[0] == '/' ? "" : bundle,
		 file[0] == '/' ? "" : "/", file);
	text = read_file(path, &len, e);
	ret = text ? oci_config_parse(text, len, out, e) : -ENOENT;
	free(text);
	return ret;
}

struct launch {
	struct oci_create_options o;
	struct oci_config *config;
	struct oci_where where;
	char *pid_file; /* absolute: made before anything changes the directory */
};

static int prepare(const struct globals *g, const struct args *a, bool detached, struct launch *l,
		   struct err *e)
{
	const char *bundle = args_get(a, "bundle");
	int ret;

	oci_create_options_init(&l->o);
	l->config = NULL;
	l->where = (struct oci_where){.root = g->root, .id = a->pos[0]};
	l->o.bundle = bundle && *bundle ? bundle : ".";
	l->o.pid_file = args_get(a, "pid-file");
	l->o.no_pivot = args_has(a, "no-pivot");
	l->o.no_new_keyring = args_has(a, "no-new-keyring");
	l->o.cgroups = cgroups_of(g);
	ret = preserved(a, &l->o.preserve_fds, &l->o.listen_fds, e);
	if (!ret)
		ret = load_config(a, l->o.bundle, &l->config, e);
	if (!ret)
		ret = check_console(a, oci_config_terminal(l->config), detached, e);
	if (!ret)
		ret = connect_socket(a, "console-socket", &l->o.console_socket, e);
	if (!ret)
		ret = connect_socket(a, "pidfd-socket", &l->o.pidfd_socket, e);
	return ret;
}

int cmd_create(const struct globals *g, const struct args *a, struct err *e)
{
	struct oci_container *c = NULL;
	struct launch l;
	int ret = prepare(g, a, true, &l, e);

	if (!ret)
		ret = oci_create(&l.where, l.config, &l.o, &c, e);
	oci_close(c);
	oci_config_free(l.config);
	return ret ? CMD_FAILED : 0;
}

int cmd_start(const struct globals *g, const struct args *a, struct err *e)
{
	struct oci_container *c = NULL;
	int ret = cmd_open(g, a->pos[0], &c, e);

	if (!ret)
		ret = oci_start(c, e);
	oci_close(c);
	return ret ? CMD_FAILED : 0;
}

int cmd_run(const struct globals *g, const struct args *a, struct err *e)
{
	bool detach = args_has(a, "detach");
	struct oci_container *c = NULL;
	int master = -1, status = 0, ret;
	struct launch l;

	ret = prepare(g, a, detach, &l, e);
	if (!ret && !detach && l.o.console_socket < 0)
		l.o.console_master = &master;
	l.o.console_plain = !isatty(1);
	if (!ret)
		ret = oci_run(&l.where, l.config, &l.o, &c, e);
	if (!ret && !detach) {
		status = relay_wait(oci_pidfd(c), master, e);
		ret = status < 0 ? status : 0;
		if (!args_has(a, "keep") && oci_delete(c, true, ret ? NULL : e) && !ret)
			ret = -EIO;
	}
	oci_close(c);
	oci_config_free(l.config);
	return ret ? CMD_FAILED : status;
}

#define EXEC_MAX_CGROUPS 16 /* --cgroup options: one a v1 hierarchy at most */

/* ---- exec --------------------------------------------------------------- */

static int set_user(json_t *process, const char *text, struct err *e)
{
	json_t *user = json_object();
	char *end;
	unsigned long uid = strtoul(text, &end, 10), gid = 0;
	bool ok = end != text && uid <= INT32_MAX;

	if (ok && *end == ':') {
		const char *s = end + 1;

		gid = strtoul(s, &end, 10);
		ok = end != s && gid <= INT32_MAX;
	}
	if (!ok || *end) {
		json_decref(user);
		return err_set(e, EINVAL, "--user %.60s: must be UID or UID:GID, in numbers", text);
	}
	json_object_set_new(user, "uid", json_integer((json_int_t)uid));
	json_object_set_new(user, "gid", json_integer((json_int_t)gid));
	json_object_set_new(process, "user", user);
	return 0;
}

/* The capability in every set a program of that user gets it from. */
static void add_caps(json_t *process, const struct args *a)
{
	static const char *const sets[] = {"bounding", "effective", "permitted", "ambient"};
	json_t *caps = json_object_get(process, "capabilities");
	bool inheritable = json_array_size(json_object_get(caps, "inheritable")) > 0;
	const char *cap;

	if (!args_get(a, "cap"))
		return;
	caps = caps ? json_deep_copy(caps) : json_object();
	for (size_t k = 0; k < ARRAY_LEN(sets); k++) {
		json_t *list = json_object_get(caps, sets[k]);

		/* Ambient capabilities need inheritable ones: only where the config has some. */
		if (!strcmp(sets[k], "ambient") && !inheritable)
			continue;
		if (!list) {
			json_object_set_new(caps, sets[k], json_array());
			list = json_object_get(caps, sets[k]);
		}
		for (unsigned i = 0; (cap = args_nth(a, "cap", i)); i++)
			json_array_append_new(list, json_string(cap));
	}
	json_object_set_new(process, "capabilities", caps);
}

static void add_list(json_t *process, const char *key, const struct args *a, const char *option)
{
	json_t *list = json_object_get(process, key);
	const char *v;

	list = list ? json_deep_copy(list) : json_array();
	for (unsigned i = 0; (v = args_nth(a, option, i)); i++)
		json_array_append_new(list, json_string(v));
	json_object_set_new(process, key, list);
}

static int add_groups(json_t *process, const struct args *a, struct err *e)
{
	json_t *user = json_object_get(process, "user"), *list;
	const char *v;

	if (!args_get(a, "additional-gids"))
		return 0;
	if (!user) {
		json_object_set_new(process, "user", json_object());
		user = json_object_get(process, "user");
	}
	list = json_array();
	json_object_set_new(user, "additionalGids", list);
	for (unsigned i = 0; (v = args_nth(a, "additional-gids", i)); i++) {
		char *end;
		unsigned long n = strtoul(v, &end, 10);

		if (end == v || *end || n > INT32_MAX)
			return err_set(e, EINVAL, "--additional-gids %.60s: must be a number", v);
		json_array_append_new(list, json_integer((json_int_t)n));
	}
	return 0;
}

/* The container's own process with what the options say instead. */
static int process_from_options(struct oci_container *c, const struct args *a, json_t **out,
				struct err *e)
{
	json_t *own = oci_process_json(c), *p = own ? json_copy(own) : NULL, *argv = json_array();
	const char *v;

	*out = p;
	for (int i = 1; i < a->npos; i++)
		json_array_append_new(argv, json_string(a->pos[i]));
	if (!p) {
		json_decref(argv);
		return err_set(e, EIO, "the container's config cannot be read");
	}
	json_object_set_new(p, "args", argv);
	/* user may be shared with the config: give it a copy before groups are added. */
	if (json_object_get(p, "user"))
		json_object_set_new(p, "user", json_deep_copy(json_object_get(p, "user")));
	json_object_set_new(p, "terminal", json_boolean(args_has(a, "tty")));
	if (args_has(a, "no-new-privs"))
		json_object_set_new(p, "noNewPrivileges", json_true());
	if ((v = args_get(a, "cwd")))
		json_object_set_new(p, "cwd", json_string(v));
	if ((v = args_get(a, "apparmor")))
		json_object_set_new(p, "apparmorProfile", json_string(v));
	if ((v = args_get(a, "process-label")))
		json_object_set_new(p, "selinuxLabel", json_string(v));
	add_list(p, "env", a, "env");
	add_caps(p, a);
	if ((v = args_get(a, "user")) && set_user(p, v, e))
		return -EINVAL;
	return add_groups(p, a, e);
}

static int process_from_file(const char *path, json_t **out, struct err *e)
{
	json_error_t je;
	size_t len;
	char *text = read_file(path, &len, e);

	if (!text)
		return -ENOENT;
	*out = json_loadb(text, len, 0, &je);
	if (!*out && json_error_code(&je) == json_error_numeric_overflow)
		*out = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, &je);
	free(text);
	return *out ? 0 : err_set(e, EINVAL, "%s: line %d: %s", path, je.line, je.text);
}

static int exec_prepare(const struct args *a, struct oci_container *c, struct oci_exec_options *o,
			int *master, struct err *e)
{
	const char *file = args_get(a, "process"), *socket = args_get(a, "console-socket");
	bool detach = args_has(a, "detach");
	int ret;

	if (!file && a->npos < 2)
		return err_set(e, EINVAL, "process args cannot be empty");
	ret = file ? process_from_file(file, &o->process, e)
		   : process_from_options(c, a, &o->process, e);
	if (ret)
		return ret;
	if (file && args_has(a, "tty"))
		json_object_set_new(o->process, "terminal", json_true());
	ret = check_console(a, json_is_true(json_object_get(o->process, "terminal")), detach, e);
	if (!ret)
		ret = connect_socket(a, "console-socket", &o->console_socket, e);
	if (!ret)
		ret = connect_socket(a, "pidfd-socket", &o->pidfd_socket, e);
	if (!socket && !detach)
		o->console_master = master;
	o->console_plain = !socket && !isatty(1);
	o->pid_file = args_get(a, "pid-file");
	o->ignore_paused = args_has(a, "ignore-paused");
	return ret;
}

int cmd_exec(const struct globals *g, const struct args *a, struct err *e)
{
	struct oci_container *c = NULL;
	struct oci_exec_options o;
	const char *groups[EXEC_MAX_CGROUPS];
	int master = -1, pidfd = -1, status = 0, listen, ret;
	pid_t pid;

	oci_exec_options_init(&o);
	o.cgroups = groups;
	while (o.ncgroups < EXEC_MAX_CGROUPS &&
	       (groups[o.ncgroups] = args_nth(a, "cgroup", o.ncgroups)))
		o.ncgroups++;
	ret = preserved(a, &o.preserve_fds, &listen, e);
	if (!ret)
		ret = cmd_open(g, a->pos[0], &c, e);
	if (!ret)
		ret = exec_prepare(a, c, &o, &master, e);
	if (!ret)
		ret = oci_exec(c, &o, &pid, &pidfd, e);
	if (!ret && !args_has(a, "detach")) {
		status = relay_wait(pidfd, master, e);
		ret = status < 0 ? status : 0;
	}
	if (pidfd >= 0)
		close(pidfd);
	json_decref(o.process);
	oci_close(c);
	return ret ? CMD_FAILED : status;
}
