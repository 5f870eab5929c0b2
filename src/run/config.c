/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime-spec configuration (config.md, config-linux.md) of a container
 * from its spec: what the big container tools give by default.
 */
#include "run/internal.h"
#include "run/network.h"
#include "run/user.h"

#include "host/rootless.h"
#include "oci/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <linux/openat2.h>
#include <unistd.h>

#define TEXT_MAX (64u << 10) /* of /etc/passwd, /etc/group */
#define CPU_PERIOD 100000

static json_t *strings(const struct strv *l)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < l->n; i++)
		json_array_append_new(a, json_string(l->v[i]));
	return a;
}

/* ---- the process ---- */

/* A file of the image's, links resolved inside the image only. */
static char *image_text(const struct thing *t, pid_t pid, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	char root[PATHS_MAX], *text = calloc(1, TEXT_MAX);
	int dir, fd;

	if (pid)
		snprintf(root, sizeof(root), "/proc/%d/root", pid);
	else if (thing_path(t, "root", root, NULL))
		root[0] = 0;
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd >= 0 && text && read(fd, text, TEXT_MAX - 1) < 0)
		text[0] = 0;
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return text;
}

/* Is that ID one of this user namespace's? */
static bool is_mapped(const char *map, u32 id)
{
	FILE *f = fopen(map, "re");
	u32 inside, outside, count;
	bool found = !f;

	while (f && !found && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3)
		found = id >= inside && id - inside < count;
	if (f)
		fclose(f);
	return found;
}

static int check_mapped(const struct user *u, struct err *e)
{
	if (is_mapped("/proc/self/uid_map", u->uid) && is_mapped("/proc/self/gid_map", u->gid))
		return 0;
	return err_set(e, ENOEXEC,
		       "user %u:%u: beyond the IDs that you have in /etc/subuid and /etc/subgid",
		       u->uid, u->gid);
}

static int find_user(const struct thing *t, pid_t pid, const struct run_spec *spec, struct user *u,
		     struct err *e)
{
	char *passwd = image_text(t, pid, "etc/passwd"), *group = image_text(t, pid, "etc/group");
	int ret = 0;

	if (!passwd || !group)
		ret = err_set(e, ENOMEM, "out of memory");
	else if (!user_find(spec->user, passwd, group, u))
		ret = err_set(e, ENOEXEC, "the image has no user or group %s", spec->user);
	free(passwd);
	free(group);
	return ret ? ret : check_mapped(u, e);
}

static json_t *caps_json(u64 caps, bool root)
{
	json_t *all = json_array(), *o;

	for (int i = 0; i < OCI_CAPS_KNOWN; i++)
		if (caps >> i & 1)
			json_array_append_new(all, json_string(oci_cap_name(i)));
	o = json_pack("{s:O}", "bounding", all);
	if (root) {
		json_object_set(o, "effective", all);
		json_object_set(o, "permitted", all);
	}
	json_decref(all);
	return o;
}

static json_t *env_json(const struct run_spec *spec, const struct user *u)
{
	json_t *env = strings(&spec->env);
	char home[USER_HOME_MAX + 8];
	bool given = false;

	for (unsigned i = 0; i < spec->env.n; i++)
		given |= !strncmp(spec->env.v[i], "HOME=", 5);
	snprintf(home, sizeof(home), "HOME=%s", u->home);
	if (!given)
		json_array_append_new(env, json_string(home));
	return env;
}

static int ulimits_json(const struct run_spec *spec, json_t *process, struct err *e)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < spec->ulimits.n; i++) { /* NAME=SOFT[:HARD] */
		const char *text = spec->ulimits.v[i], *eq = strchr(text, '=');
		long long soft = -2, hard = -2;
		char name[24] = "", type[40], *end = NULL;

		if (eq && (size_t)(eq - text) < sizeof(name)) {
			snprintf(name, sizeof(name), "%.*s", (int)(eq - text), text);
			soft = strtoll(eq + 1, &end, 10);
			hard = *end == ':' ? strtoll(end + 1, &end, 10) : soft;
		}
		if (!end || *end || soft < -1 || hard < -1) {
			json_decref(a);
			return err_set(e, EINVAL, "ulimit %.60s: give NAME=SOFT[:HARD]", text);
		}
		snprintf(type, sizeof(type), "RLIMIT_%s", name);
		for (char *c = type; *c; c++)
			*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
		json_array_append_new(a, json_pack("{s:s, s:I, s:I}", "type", type, "soft",
						   (json_int_t)soft, "hard", (json_int_t)hard));
	}
	if (spec->ulimits.n)
		json_object_set(process, "rlimits", a);
	json_decref(a);
	return 0;
}

static int process_json(const struct thing *t, pid_t pid, const struct run_spec *spec, json_t **out,
			struct err *e)
{
	json_t *gids = json_array();
	struct user u = {0};
	u64 caps = 0;
	int ret = find_user(t, pid, spec, &u, e);

	if (!ret)
		ret = spec_caps(spec, &caps, e);
	for (unsigned i = 0; !ret && i < u.ngroups; i++)
		json_array_append_new(gids, json_integer(u.groups[i]));
	if (ret) {
		json_decref(gids);
		return ret;
	}
	*out = json_pack("{s:b, s:{s:I, s:I, s:o}, s:o, s:o, s:s, s:o, s:b}", "terminal",
			 (int)spec->tty, "user", "uid", (json_int_t)u.uid, "gid", (json_int_t)u.gid,
			 "additionalGids", gids, "args", strings(&spec->args), "env",
			 env_json(spec, &u), "cwd", spec->cwd && *spec->cwd ? spec->cwd : "/",
			 "capabilities", caps_json(caps, !u.uid), "noNewPrivileges",
			 (int)spec_no_new_privs(spec));
	return ulimits_json(spec, *out, e);
}

int container_process(const struct thing *t, const struct run_spec *spec, json_t **out,
		      struct err *e)
{
	struct thing_status st;
	int ret = thing_status(t, &st, e);

	return ret ? ret : process_json(t, st.pid, spec, out, e);
}

/* ---- mounts ---- */

static void mount_add(json_t *a, const char *dest, const char *type, const char *source,
		      const char *options)
{
	json_t *list = json_array();

	while (*options) {
		size_t n = strcspn(options, ",");

		json_array_append_new(list, json_stringn(options, n));
		options += n + (options[n] == ',');
	}
	json_array_append_new(a, json_pack("{s:s, s:s, s:s, s:o}", "destination", dest, "type",
					   type, "source", source, "options", list));
}

static void mounts_fixed(json_t *a, const struct run_spec *spec)
{
	const char *ro = spec->privileged ? "nosuid,noexec,nodev" : "nosuid,noexec,nodev,ro";

	mount_add(a, "/proc", "proc", "proc", "nosuid,noexec,nodev");
	mount_add(a, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
	mount_add(a, "/dev/pts", "devpts", "devpts",
		  rootless_single_id() ? "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"
				       : "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	mount_add(a, "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k");
	mount_add(a, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
	mount_add(a, "/sys", "sysfs", "sysfs", ro);
	mount_add(a, "/sys/fs/cgroup", "cgroup", "cgroup", ro);
}

static int mounts_given(json_t *a, const struct run_spec *spec, struct err *e)
{
	struct run_volume v;

	for (unsigned i = 0; i < spec->tmpfs.n; i++) {
		const char *text = spec->tmpfs.v[i], *colon = strchr(text, ':');
		char dest[PATHS_MAX], options[200];

		snprintf(dest, sizeof(dest), "%.*s", colon ? (int)(colon - text) : 500, text);
		snprintf(options, sizeof(options), "nosuid,nodev,%.150s",
			 colon ? colon + 1 : "mode=1777");
		mount_add(a, dest, "tmpfs", "tmpfs", options);
	}
	for (unsigned i = 0; i < spec->volumes.n; i++) {
		int ret = spec_volume(spec->volumes.v[i], &v, e);

		if (!ret && access(v.host, F_OK))
			ret = err_errno(e, "volume %s", v.host);
		if (ret)
			return ret;
		mount_add(a, v.path, "bind", v.host, v.ro ? "rbind,rprivate,ro" : "rbind,rprivate");
	}
	return 0;
}

/* A file of the thing's own, bound over one of the image's. lines NULL: it is written already. */
static int etc_file(json_t *a, const struct thing *t, const char *name, const struct strv *lines,
		    struct err *e)
{
	char path[PATHS_MAX], dest[40];
	int ret = thing_path(t, name, path, e);

	if (!ret && lines)
		ret = etc_write(path, lines, e);
	if (ret)
		return ret;
	snprintf(dest, sizeof(dest), "/etc/%s", name);
	mount_add(a, dest, "bind", path, "bind,rprivate");
	return 0;
}

static int mounts_etc(json_t *a, const struct thing *t, const struct run_spec *spec,
		      const struct network *net, struct err *e)
{
	struct strv hosts = {0}, resolv = {0}, name = {0};
	int ret = net->named ? 0 : etc_hosts(spec, *net->ip ? net->ip : NULL, &hosts, e);

	if (!ret)
		ret = etc_file(a, t, "hosts", net->named ? NULL : &hosts, e);
	if (!ret && !net->internal)
		ret = etc_resolv(spec, &resolv, e);
	if (!ret && resolv.n)
		ret = etc_file(a, t, "resolv.conf", &resolv, e);
	if (!ret)
		ret = strv_add(&name, spec->hostname ?: spec->name, e);
	if (!ret)
		ret = etc_file(a, t, "hostname", &name, e);
	strv_free(&hosts);
	strv_free(&resolv);
	strv_free(&name);
	return ret;
}

static int mounts_json(const struct thing *t, const struct run_spec *spec,
		       const struct network *net, json_t **out, struct err *e)
{
	json_t *a = json_array();
	int ret;

	mounts_fixed(a, spec);
	ret = mounts_etc(a, t, spec, net, e);
	if (!ret)
		ret = mounts_given(a, spec, e);
	if (ret)
		json_decref(a);
	else
		*out = a;
	return ret;
}

/* ---- linux ---- */

static json_t *namespaces_json(const struct run_spec *spec, const struct network *net)
{
	json_t *a = json_pack("[{s:s}, {s:s}, {s:s}, {s:s}, {s:s}]", "type", "pid", "type", "mount",
			      "type", "ipc", "type", "uts", "type", "cgroup");
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), net->ns);
	if (net->ns >= 0)
		json_array_append_new(a, json_pack("{s:s, s:s}", "type", "network", "path", path));
	return a;
}

/* Everything is denied but what every container has, which the runtime adds. */
static json_t *resources_json(const struct run_spec *spec)
{
	json_t *o = json_pack("{s:[{s:b, s:s}]}", "devices", "allow", (int)spec->privileged,
			      "access", "rwm");

	if (spec->memory)
		json_object_set_new(o, "memory",
				    json_pack("{s:I}", "limit", (json_int_t)spec->memory));
	if (spec->millicpus)
		json_object_set_new(o, "cpu",
				    json_pack("{s:I, s:i}", "quota",
					      (json_int_t)(spec->millicpus * CPU_PERIOD / 1000),
					      "period", CPU_PERIOD));
	if (spec->pids)
		json_object_set_new(o, "pids", json_pack("{s:I}", "limit", (json_int_t)spec->pids));
	return o;
}

static int devices_json(const struct run_spec *spec, json_t *linux_, struct err *e)
{
	json_t *list = json_array(),
	       *rules = json_object_get(json_object_get(linux_, "resources"), "devices");
	struct stat st;
	int ret = 0;

	for (unsigned i = 0; !ret && i < spec->devices.n; i++) {
		const char *path = spec->devices.v[i], *type;

		if (stat(path, &st) || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))) {
			ret = err_set(e, ENOENT, "device %s: there is no such device", path);
			break;
		}
		type = S_ISCHR(st.st_mode) ? "c" : "b";
		json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i, s:i}", "path", path,
						      "type", type, "major", (int)major(st.st_rdev),
						      "minor", (int)minor(st.st_rdev), "fileMode",
						      (int)(st.st_mode & 0777)));
		json_array_append_new(rules,
				      json_pack("{s:b, s:s, s:i, s:i, s:s}", "allow", 1, "type",
						type, "major", (int)major(st.st_rdev), "minor",
						(int)minor(st.st_rdev), "access", "rwm"));
	}
	if (!ret && spec->devices.n)
		json_object_set(linux_, "devices", list);
	json_decref(list);
	return ret;
}

static int sysctls_json(const struct run_spec *spec, json_t *linux_, struct err *e)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < spec->sysctls.n; i++) {
		const char *eq = strchr(spec->sysctls.v[i], '=');
		char key[128];

		if (!eq || (size_t)(eq - spec->sysctls.v[i]) >= sizeof(key)) {
			json_decref(o);
			return err_set(e, EINVAL, "sysctl %.60s: give KEY=VALUE",
				       spec->sysctls.v[i]);
		}
		snprintf(key, sizeof(key), "%.*s", (int)(eq - spec->sysctls.v[i]),
			 spec->sysctls.v[i]);
		json_object_set_new(o, key, json_string(eq + 1));
	}
	if (spec->sysctls.n)
		json_object_set(linux_, "sysctl", o);
	json_decref(o);
	return 0;
}

/* The filter: the default, none, or the linux.seccomp in a file of the user's. */
static int seccomp_json(const struct run_spec *spec, json_t *linux_, struct err *e)
{
	json_error_t je;
	json_t *profile;
	u64 caps;
	int ret = spec_caps(spec, &caps, e);

	for (unsigned i = 0; i < spec->security.n; i++) {
		if (strncmp(spec->security.v[i], "seccomp=", 8))
			continue;
		if (!strcmp(spec->security.v[i] + 8, "unconfined"))
			return 0;
		profile = json_load_file(spec->security.v[i] + 8, JSON_REJECT_DUPLICATES, &je);
		if (!profile)
			return err_set(e, EINVAL, "seccomp profile %s: %s", spec->security.v[i] + 8,
				       je.text);
		json_object_set_new(linux_, "seccomp", profile);
		return 0;
	}
	if (!ret && !spec->privileged)
		json_object_set_new(linux_, "seccomp", seccomp_default(caps));
	return ret;
}

static void add_masks(json_t *linux_)
{
	json_object_set_new(linux_, "maskedPaths",
			    json_pack("[s,s,s,s,s,s,s,s,s,s,s]", "/proc/acpi", "/proc/asound",
				      "/proc/kcore", "/proc/keys", "/proc/latency_stats",
				      "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
				      "/proc/scsi", "/sys/firmware",
				      "/sys/devices/virtual/powercap"));
	json_object_set_new(linux_, "readonlyPaths",
			    json_pack("[s,s,s,s,s]", "/proc/bus", "/proc/fs", "/proc/irq",
				      "/proc/sys", "/proc/sysrq-trigger"));
}

static int linux_json(const struct thing *t, const struct run_spec *spec, const struct network *net,
		      json_t **out, struct err *e)
{
	char cgroup[RUN_CGROUP_MAX + 1];
	json_t *o;
	int ret;

	/* A user's is below the group he is in, if anywhere. */
	cgroup[0] = '/';
	cgroup_name(t, cgroup + !rootless());
	o = json_pack("{s:o, s:o, s:s}", "namespaces", namespaces_json(spec, net), "resources",
		      resources_json(spec), "cgroupsPath", cgroup);
	if (!spec->privileged)
		add_masks(o);
	ret = devices_json(spec, o, e);
	if (!ret)
		ret = sysctls_json(spec, o, e);
	if (!ret)
		ret = seccomp_json(spec, o, e);
	if (ret)
		json_decref(o);
	else
		*out = o;
	return ret;
}

int container_config(const struct thing *t, const struct run_spec *spec, const struct network *net,
		     json_t **out, struct err *e)
{
	json_t *process = NULL, *mounts = NULL, *linux_ = NULL;
	char root[PATHS_MAX];
	int ret = thing_path(t, "root", root, e);

	if (ret || (ret = process_json(t, 0, spec, &process, e)) ||
	    (ret = mounts_json(t, spec, net, &mounts, e)) ||
	    (ret = linux_json(t, spec, net, &linux_, e))) {
		json_decref(process);
		json_decref(mounts);
		return ret;
	}
	*out = json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o}", "ociVersion", OCI_SPEC_VERSION,
			 "process", process, "root", "path", root, "readonly", (int)spec->read_only,
			 "hostname", spec->hostname ?: spec->name, "mounts", mounts, "linux",
			 linux_);
	return *out ? 0 : err_set(e, EINVAL, "the settings of %s are no text", t->name);
}
