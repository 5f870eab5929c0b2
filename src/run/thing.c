/* SPDX-License-Identifier: Apache-2.0 */
#include "run/thing.h"

#include "host/proc.h"
#include "run/internal.h"
#include "run/net.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

const char *thing_state_name(enum thing_state s)
{
	static const char *const names[] = {"created", "starting", "running", "exited"};

	return names[s];
}

/* A thing's directory is made under another name and removed under another: NEW or GONE, process
 * id. */
#define NEW ".new-"
#define GONE ".gone-"

/* ---- directories ---- */

static int things_dir(char *out, struct err *e)
{
	char data[PATHS_MAX];
	int ret = paths_data(data, e);

	return ret ? ret : paths_format(out, e, "%s/things", data);
}

int thing_at(const char *name, struct thing *t, struct err *e)
{
	char dir[PATHS_MAX];
	int ret = things_dir(dir, e);

	snprintf(t->name, sizeof(t->name), "%.*s", (int)sizeof(t->name) - 1, name);
	return ret ? ret : paths_format(t->dir, e, "%s/%s", dir, t->name);
}

int thing_path(const struct thing *t, const char *name, char *path, struct err *e)
{
	return paths_format(path, e, "%s/%s", t->dir, name);
}

static int write_spec(const struct thing *t, const struct run_spec *spec, struct err *e)
{
	char path[PATHS_MAX];
	json_t *o = spec_to_json(spec);
	int ret = thing_path(t, "spec.json", path, e);

	if (!ret && json_dump_file(o, path, JSON_COMPACT))
		ret = err_errno(e, "cannot write %s", path);
	json_decref(o);
	return ret;
}

int thing_create(const struct run_spec *spec, struct thing *t, struct err *e)
{
	struct thing tmp = {0};
	char dir[PATHS_MAX];
	int ret = things_dir(dir, e);

	if (ret || (ret = paths_make_dir(dir, 0700, e)) || (ret = thing_at(spec->name, t, e)) ||
	    (ret = paths_format(tmp.dir, e, "%s/" NEW "%u", dir, (unsigned)getpid())))
		return ret;
	if (mkdir(tmp.dir, 0700))
		return err_errno(e, "%s", tmp.dir);
	ret = write_spec(&tmp, spec, e);
	if (!ret && rename(tmp.dir, t->dir))
		ret = errno == ENOTEMPTY || errno == EEXIST
			      ? err_set(e, EEXIST,
					"there is already something named %s (`hull rm %s`?)",
					t->name, t->name)
			      : err_errno(e, "%s", t->dir);
	if (ret)
		tree_remove(tmp.dir);
	return ret;
}

/* What a process that was killed while it made or removed a thing has left. */
static void sweep(const char *name)
{
	const char *pid = !strncmp(name, NEW, strlen(NEW))     ? name + strlen(NEW)
			  : !strncmp(name, GONE, strlen(GONE)) ? name + strlen(GONE)
							       : NULL;
	char dir[PATHS_MAX], path[PATHS_MAX];

	if (!pid || !kill(atoi(pid), 0) || errno != ESRCH || things_dir(dir, NULL) ||
	    paths_format(path, NULL, "%s/%s", dir, name))
		return;
	tree_remove(path);
}

static int names_of(struct dirent ***names, struct err *e)
{
	char dir[PATHS_MAX];
	int n, ret = things_dir(dir, e);

	if (ret)
		return ret;
	n = scandir(dir, names, NULL, alphasort);
	if (n < 0 && errno != ENOENT)
		return err_errno(e, "%s", dir);
	if (n < 0)
		*names = NULL;
	return n < 0 ? 0 : n;
}

int thing_open(const char *name, struct thing *t, struct err *e)
{
	struct dirent **names = NULL;
	int found = 0, n;

	if (strchr(name, '/') || name[0] == '.' || !*name || strlen(name) >= RUN_NAME_MAX)
		return err_set(e, ENOENT, "%.80s is no name", name);
	n = names_of(&names, e);
	for (int i = 0; names && i < n; i++) {
		const char *have = names[i]->d_name;

		if (have[0] != '.' && !strcmp(have, name)) {
			found = 1;
			thing_at(have, t, e);
			break;
		}
		if (have[0] != '.' && !strncmp(have, name, strlen(name)) && !found++)
			thing_at(have, t, e);
	}
	for (int i = 0; names && i < n; i++)
		free(names[i]);
	if (n > 0)
		free(names);
	if (found > 1)
		return err_set(e, EINVAL, "%.80s is the beginning of several names", name);
	return found ? 0 : err_set(e, ENOENT, "there is no %.80s (see `hull ps --all`)", name);
}

int thing_each(void (*fn)(void *opaque, const struct thing *t), void *opaque, struct err *e)
{
	struct dirent **names = NULL;
	struct thing t;
	int n = names_of(&names, e);

	for (int i = 0; names && i < n; i++) {
		if (names[i]->d_name[0] == '.')
			sweep(names[i]->d_name);
		else if (!thing_at(names[i]->d_name, &t, NULL))
			fn(opaque, &t);
		free(names[i]);
	}
	if (n > 0)
		free(names);
	return n < 0 ? n : 0;
}

int thing_spec(const struct thing *t, struct run_spec *spec, struct err *e)
{
	char path[PATHS_MAX];
	json_error_t je;
	json_t *o;
	int ret = thing_path(t, "spec.json", path, e);

	*spec = (struct run_spec){0};
	if (ret)
		return ret;
	o = json_load_file(path, JSON_REJECT_DUPLICATES, &je);
	if (!o)
		return err_set(e, ENOENT, "%s: %s", path, je.text);
	ret = spec_from_json(o, spec, e);
	json_decref(o);
	return ret;
}

/* ---- state ---- */

static void state_line(struct thing_status *st, const char *key, const char *v)
{
	static const char *const words[] = {"created", "starting", "running", "exited"};

	if (!strcmp(key, "state"))
		for (unsigned i = 0; i < ARRAY_LEN(words); i++)
			st->state = strcmp(v, words[i]) ? st->state : (enum thing_state)i;
	else if (!strcmp(key, "monitor"))
		st->monitor = atoi(v);
	else if (!strcmp(key, "pid"))
		st->pid = atoi(v);
	else if (!strcmp(key, "helper"))
		st->helper = atoi(v);
	else if (!strcmp(key, "started"))
		st->started_ns = strtoull(v, NULL, 10);
	else if (!strcmp(key, "finished"))
		st->finished_ns = strtoull(v, NULL, 10);
	else if (!strcmp(key, "exit"))
		st->exit = (u32)strtoul(v, NULL, 10);
	else if (!strcmp(key, "health"))
		snprintf(st->health, sizeof(st->health), "%s", v);
	else if (!strcmp(key, "failures"))
		st->failures = (unsigned)strtoul(v, NULL, 10);
	else if (!strcmp(key, "error"))
		snprintf(st->error, sizeof(st->error), "%s", v);
}

static void state_read(const struct thing *t, struct thing_status *st)
{
	char path[PATHS_MAX], line[256];
	FILE *f;

	*st = (struct thing_status){.state = THING_CREATED};
	if (thing_path(t, "state", path, NULL))
		return;
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *eq = strchr(line, '=');

		line[strcspn(line, "\n")] = 0;
		if (!eq)
			continue;
		*eq = 0;
		state_line(st, line, eq + 1);
	}
	if (f)
		fclose(f);
}

static int state_killed(const struct thing *t, struct err *e)
{
	char path[PATHS_MAX];
	struct timespec now;
	FILE *f;
	int ret = thing_path(t, "state", path, e);

	if (ret)
		return ret;
	clock_gettime(CLOCK_REALTIME, &now);
	f = fopen(path, "we");
	if (!f ||
	    fprintf(f, "state=exited\nfinished=%llu\nexit=137\nerror=its monitor was killed\n",
		    (unsigned long long)now.tv_sec * 1000000000ull) < 0)
		ret = err_errno(e, "%s", path);
	if (f && fclose(f) && !ret)
		ret = err_errno(e, "%s", path);
	return ret;
}

int thing_lock(const struct thing *t, bool wait, struct err *e)
{
	char path[PATHS_MAX];
	int fd, ret = thing_path(t, "lock", path, e);

	if (ret)
		return ret;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "%s", path);
	if (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB))) {
		close(fd);
		return err_set(e, EBUSY, "%s is running", t->name);
	}
	return fd;
}

/* Its monitor is gone without a word. The caller has the lock. */
static int bury(const struct thing *t, const struct thing_status *st, struct err *e)
{
	struct run_spec spec;
	int ret = thing_spec(t, &spec, e);

	if (ret)
		return ret;
	if (st->helper > 0)
		helper_kill(st->helper);
	ret = thing_finish(t, e);
	if (!ret)
		ret = spec.rm ? thing_remove(t, e) : state_killed(t, e);
	if (!ret && spec.rm)
		ret = err_set(e, ENOENT, "%s has ended", t->name);
	spec_free(&spec);
	return ret;
}

int thing_status(const struct thing *t, struct thing_status *st, struct err *e)
{
	char live[PATHS_MAX];
	int lock, ret = thing_path(t, "live", live, e);

	if (ret)
		return ret;
	if (access(t->dir, F_OK))
		return err_set(e, ENOENT, "there is no %s", t->name);
	state_read(t, st);
	if (access(live, F_OK))
		return 0;
	lock = thing_lock(t, false, NULL);
	if (lock < 0) {
		if (st->state != THING_RUNNING)
			st->state = THING_STARTING;
		return 0;
	}
	state_read(t, st);
	ret = access(live, F_OK) ? 0 : bury(t, st, e);
	if (!ret)
		state_read(t, st);
	close(lock);
	return ret;
}

/* ---- the end ---- */

int thing_finish(const struct thing *t, struct err *e)
{
	struct run_spec spec;
	char live[PATHS_MAX];
	int ret = thing_spec(t, &spec, e);

	if (ret || (ret = thing_path(t, "live", live, e)))
		return ret;
	net_leave(t, &spec);
	ret = spec_is_machine(&spec) ? machine_finish(t, &spec, e) : container_finish(t, &spec, e);
	spec_free(&spec);
	if (!ret && unlink(live) && errno != ENOENT)
		ret = err_errno(e, "%s", live);
	return ret;
}

int thing_remove(const struct thing *t, struct err *e)
{
	char gone[PATHS_MAX], dir[PATHS_MAX];
	const char *const argv[] = {"rm", "-rf", "--one-file-system", "--", gone, NULL};
	int ret = things_dir(dir, e);

	if (ret || (ret = paths_format(gone, e, "%s/" GONE "%u", dir, (unsigned)getpid())))
		return ret;
	thing_unpin(t);
	if (rename(t->dir, gone))
		return errno == ENOENT ? 0 : err_errno(e, "cannot remove %s", t->dir);
	return tree_remove(gone) ? proc_run(argv, NULL, NULL, 0, e) : 0;
}

/* ---- talking to the monitor ---- */

int socket_connect(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int saved, fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || !connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return fd;
	saved = errno;
	close(fd);
	return -saved;
}

int thing_attach(const struct thing *t, struct err *e)
{
	char path[PATHS_MAX];
	int fd, ret = thing_path(t, "attach.sock", path, e);

	fd = ret ? ret : socket_connect(path);
	return fd >= 0 ? fd : err_set(e, ENOENT, "%s is not running", t->name);
}

int thing_signal(const struct thing *t, int sig, struct err *e)
{
	u8 frame[WIRE_HEAD + 4];
	int fd = thing_attach(t, e), ret = 0;

	if (fd < 0)
		return fd;
	memcpy(frame + wire_head(frame, WIRE_SIGNAL, 4), &(u32){(u32)sig}, 4);
	if (send(fd, frame, sizeof(frame), MSG_NOSIGNAL) != (ssize_t)sizeof(frame))
		ret = err_errno(e, "%s", t->name);
	close(fd);
	return ret;
}
