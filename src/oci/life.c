/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of and done to a container that exists. */
#include "oci/container.h"
#include "oci/hooks.h"

#include <dirent.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define KILL_WAIT_MS 10000

pid_t oci_pid(const struct oci_container *c)
{
	return c->pidfd >= 0 ? c->pid : 0;
}

int oci_pidfd(const struct oci_container *c)
{
	return c->pidfd;
}

const char *oci_status_name(enum oci_status s)
{
	static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};

	return names[s];
}

enum oci_status oci_status(struct oci_container *c)
{
	if (!c->pid)
		return OCI_CREATING;
	/* A zombie is nobody: state_start_time gives 0 for it. */
	if (c->pidfd < 0 || state_start_time(c->pid) != c->start_time)
		return OCI_STOPPED;
	if (cgroup_frozen(&c->cgroup))
		return OCI_PAUSED;
	return state_is_created(c) ? OCI_CREATED : OCI_RUNNING;
}

/* The user's name without getpwuid, which a static program cannot have. */
static void owner_name(uid_t uid, char *out, size_t size)
{
	char text[65536], *save = NULL, *rest;

	snprintf(out, size, "%s", uid ? "" : "root");
	if (!uid || fd_read_text(AT_FDCWD, "/etc/passwd", text, sizeof(text)) <= 0)
		return;
	for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		rest = strchr(s, ':');
		rest = rest ? strchr(rest + 1, ':') : NULL;
		if (rest && (uid_t)strtoul(rest + 1, NULL, 10) == uid) {
			snprintf(out, size, "%.*s", (int)strcspn(s, ":"), s);
			return;
		}
	}
}

json_t *oci_state_json(struct oci_container *c)
{
	enum oci_status s = oci_status(c);
	json_t *ann = json_object();
	char owner[64] = "";
	const char *version = OCI_SPEC_VERSION;
	struct stat st;

	if (state_load_config(c, NULL) == 0) {
		version = c->config->version;
		for (unsigned i = 0; i < c->config->nannotations; i++)
			json_object_set_new(ann, c->config->annotations[i].key,
					    json_string(c->config->annotations[i].value));
	}
	if (fstat(c->dir, &st) == 0)
		owner_name(st.st_uid, owner, sizeof(owner));
	return json_pack("{s:s,s:s,s:i,s:s,s:s,s:s,s:s,s:o,s:s}", "ociVersion", version, "id",
			 c->id, "pid", s == OCI_STOPPED ? 0 : (int)c->pid, "status",
			 oci_status_name(s), "bundle", c->bundle ? c->bundle : "", "rootfs",
			 c->rootfs ? c->rootfs : "", "created", c->created ? c->created : "",
			 "annotations", ann, "owner", owner);
}

int oci_wait(int pidfd, int *status, struct err *e)
{
	siginfo_t si = {0};
	int ret;

	do
		ret = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &si, WEXITED | __WALL);
	while (ret && errno == EINTR);
	if (ret)
		return err_errno(e, "wait");
	*status = si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
	return 0;
}

/* ---- kill --------------------------------------------------------------- */

static bool own_pid_ns(struct oci_container *c)
{
	const struct oci_ns *ns;

	if (state_load_config(c, NULL))
		return true;
	ns = oci_config_ns(c->config, CLONE_NEWPID);
	return ns && !ns->path;
}

static bool has_processes(struct oci_container *c)
{
	pid_t *pids;
	size_t n;

	if (cgroup_pids(&c->cgroup, &pids, &n, NULL))
		return false;
	free(pids);
	return n > 0;
}

int oci_kill(struct oci_container *c, int sig, bool all, struct err *e)
{
	enum oci_status s = oci_status(c);
	/* Without a pid namespace of its own, init's death ends nobody else; who has no cgroup has
	 * but init. */
	bool group = all || (sig == SIGKILL && s != OCI_CREATING && !own_pid_ns(c));
	int ret = 0;

	if (!all && (s == OCI_STOPPED || c->pidfd < 0) && !(group && has_processes(c)))
		return err_set(e, ESRCH, "container not running");
	if (group && (c->cgroup.n || c->pidfd < 0))
		ret = cgroup_kill(&c->cgroup, sig, e);
	else if (sys_pidfd_send_signal(c->pidfd, sig))
		ret = errno == ESRCH ? err_set(e, ESRCH, "container not running")
				     : err_errno(e, "send signal %d", sig);
	/* A v1 freezer holds even SIGKILL back. */
	if (!ret && s == OCI_PAUSED && sig == SIGKILL)
		ret = cgroup_freeze(&c->cgroup, false, e);
	return ret;
}

static int kill_and_wait(struct oci_container *c, struct err *e)
{
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
	int ret = oci_kill(c, SIGKILL, false, e);

	if (ret && ret != -ESRCH)
		return ret;
	if (poll(&p, 1, KILL_WAIT_MS) == 0)
		return err_set(e, EBUSY, "container init still running");
	/* Ours to reap only in the process that made it. */
	waitpid(c->pid, NULL, __WALL | WNOHANG);
	return 0;
}

int oci_delete(struct oci_container *c, bool force, struct err *e)
{
	struct hooks_where w = {.dir = c->bundle};
	enum oci_status s = oci_status(c);
	char *state;
	int ret = 0;

	/* One being created may have a creator: only who insists may take it away. */
	if (s == OCI_RUNNING || s == OCI_PAUSED || s == OCI_CREATING) {
		if (!force)
			return err_set(e, EBUSY,
				       "cannot delete container %s that is not stopped: %s", c->id,
				       oci_status_name(s));
	}
	/* Only created: it never ran, nobody misses it (runc does the same). */
	if (s != OCI_STOPPED && s != OCI_CREATING)
		ret = kill_and_wait(c, e);
	if (ret)
		return ret;
	state_load_config(c, NULL);
	if (!own_pid_ns(c) || s == OCI_CREATING)
		cgroup_kill(&c->cgroup, SIGKILL, NULL);
	if (cgroup_frozen(&c->cgroup))
		cgroup_freeze(&c->cgroup, false, NULL);
	ret = cgroup_destroy(&c->cgroup, e);
	if (ret)
		return ret;
	state_remove(c);
	if (!c->config || !c->config->hooks.n[HOOK_POSTSTOP])
		return 0;
	state = hooks_state(c->config, c->id, c->bundle, 0, "stopped");
	/* The container is gone whatever they say (runtime.md, "Lifecycle"). */
	if (state)
		hooks_run(&c->config->hooks, HOOK_POSTSTOP, &w, state, NULL);
	free(state);
	return 0;
}

/* ---- cgroups ------------------------------------------------------------ */

int oci_pause(struct oci_container *c, struct err *e)
{
	enum oci_status s = oci_status(c);

	if (s != OCI_RUNNING && s != OCI_CREATED)
		return err_set(e, EBUSY, "container not running or created: %s",
			       oci_status_name(s));
	return cgroup_freeze(&c->cgroup, true, e);
}

int oci_resume(struct oci_container *c, struct err *e)
{
	if (oci_status(c) != OCI_PAUSED)
		return err_set(e, EBUSY, "container not paused");
	return cgroup_freeze(&c->cgroup, false, e);
}

/* The new values into the saved config too, so that the next reader sees them. */
static void remember(struct oci_container *c, json_t *resources)
{
	json_t *lin = json_object_get(c->config->root, "linux"), *old, *value;
	const char *key;

	if (!lin)
		return;
	old = json_object_get(lin, "resources");
	if (!old) {
		json_object_set_new(lin, "resources", json_object());
		old = json_object_get(lin, "resources");
	}
	json_object_foreach(resources, key, value)
	{
		json_t *was = json_object_get(old, key);

		if (json_is_object(was) && json_is_object(value))
			json_object_update(was, value);
		else
			json_object_set(old, key, value);
	}
	state_save_config(c, c->config, NULL);
}

int oci_update(struct oci_container *c, json_t *resources, struct err *e)
{
	struct oci_config *holder = oci_config_new();
	struct oci_resources r = {0};
	int ret = holder ? state_load_config(c, e) : err_set(e, ENOMEM, "out of memory");

	if (!ret && oci_status(c) == OCI_STOPPED)
		ret = err_set(e, ESRCH, "cannot update a container that is stopped");
	if (!ret && holder) {
		holder->minor = c->config->minor;
		ret = oci_resources_parse(resources, holder, &r, e);
	}
	if (!ret)
		ret = cgroup_set(&c->cgroup, &r, false, e);
	oci_config_free(holder);
	if (!ret)
		remember(c, resources);
	return ret;
}

/* The PID namespace of a process by its inode, 0: there is none to see. */
static ino_t pid_space(const char *pid)
{
	char path[48];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.16s/ns/pid", pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* Who is without a cgroup to look into: what is in the PID namespace of its init, unless that is
 * ours. */
static int pids_of_space(struct oci_container *c, pid_t **pids, size_t *n, struct err *e)
{
	char name[16];
	struct dirent *de;
	ino_t space;
	DIR *d;
	int ret = 0;

	snprintf(name, sizeof(name), "%d", oci_pid(c));
	space = pid_space(name);
	if (!space || space == pid_space("self"))
		return 0;
	d = opendir("/proc");
	while (d && !ret && (de = readdir(d))) {
		pid_t *more;

		if (de->d_name[0] < '1' || de->d_name[0] > '9' || pid_space(de->d_name) != space)
			continue;
		more = reallocarray(*pids, *n + 1, sizeof(**pids));
		if (!more)
			ret = err_set(e, ENOMEM, "out of memory");
		else
			(*pids = more)[(*n)++] = atoi(de->d_name);
	}
	if (d)
		closedir(d);
	return ret;
}

int oci_pids(struct oci_container *c, pid_t **pids, size_t *n, struct err *e)
{
	int ret = cgroup_pids(&c->cgroup, pids, n, e);

	return ret || c->cgroup.n || oci_pid(c) <= 0 ? ret : pids_of_space(c, pids, n, e);
}

json_t *oci_stats_json(struct oci_container *c, struct err *e)
{
	if (oci_status(c) == OCI_STOPPED) {
		err_set(e, ESRCH, "container is not running");
		return NULL;
	}
	return cgroup_stats(&c->cgroup);
}

int oci_oom_open(struct oci_container *c, u64 *seen)
{
	return cgroup_oom_open(&c->cgroup, seen);
}

bool oci_oom_take(struct oci_container *c, int fd, u64 *seen)
{
	return cgroup_oom_take(&c->cgroup, fd, seen);
}

json_t *oci_process_json(struct oci_container *c)
{
	return state_load_config(c, NULL) == 0 ? c->config->process.json : NULL;
}
