/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/cgroup.h"
#include "oci/sys.h"

#include "host/log.h"
#include "host/rootless.h"

#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

bool cgroup_host_is_v2(void)
{
	struct statfs fs;

	return statfs(CGROUP_ROOT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* ---- where -------------------------------------------------------------- */

/* Our own group in the hierarchy of that controller, from /proc/self/cgroup: "N:controllers:path".
 */
static void own_group(const char *table, const char *controllers, char *out, size_t size)
{
	snprintf(out, size, "/");
	for (const char *s = table; s && *s; s = strchr(s, '\n'), s += s != NULL) {
		const char *a = strchr(s, ':'), *b = a ? strchr(a + 1, ':') : NULL;
		size_t n = b ? (size_t)(b - a - 1) : 0;

		if (b && n == strlen(controllers) && !memcmp(a + 1, controllers, n)) {
			snprintf(out, size, "%.*s", (int)strcspn(b + 1, "\n"), b + 1);
			return;
		}
	}
}

static int add_dir(struct oci_cgroup *cg, const char *controllers, const char *mount,
		   const char *root, const char *inner, struct err *e)
{
	struct cgroup_dir *d = &cg->d[cg->n];
	size_t len;

	if (cg->n == CGROUP_MAX)
		return 0;
	d->controllers = strdup(controllers);
	d->root = strdup(root);
	if (asprintf(&d->path, "%s/%s", mount, inner + (*inner == '/')) < 0)
		d->path = NULL;
	cg->n++;
	if (!d->controllers || !d->path || !d->root)
		return err_set(e, ENOMEM, "cgroup: out of memory");
	d->made = access(d->path, F_OK) != 0;
	d->mount_len = strlen(mount);
	len = strlen(d->path);
	while (len > d->mount_len + 1 && d->path[len - 1] == '/')
		d->path[--len] = 0;
	return 0;
}

/* The group's path below a hierarchy whose own group is `own`. */
static int inner_path(const char *path, const char *own, const char *root, char *out, size_t size,
		      struct err *e)
{
	size_t rlen = strlen(root);
	int n;

	/* In a cgroup namespace or container the mount's root is not "/": take it off. */
	if (rlen > 1 && !strncmp(own, root, rlen))
		own += rlen;
	n = path[0] == '/' ? snprintf(out, size, "%s", path)
			   : snprintf(out, size, "%s/%s", !strcmp(own, "/") ? "" : own, path);
	return n < (int)size ? 0 : err_set(e, ENAMETOOLONG, "cgroupsPath is too long");
}

/* No "..": the path names a place below the hierarchy's root whatever it says. */
static void clean_path(const char *in, char *out, size_t size)
{
	size_t n = 0;

	if (*in == '/')
		out[n++] = '/';
	while (*in && n + 1 < size) {
		size_t len;

		in += strspn(in, "/");
		len = strcspn(in, "/");
		if (len == 2 && !memcmp(in, "..", 2)) {
			while (n && out[n - 1] == '/')
				n--;
			while (n && out[n - 1] != '/')
				n--;
		} else if (len && !(len == 1 && *in == '.')) {
			if (n && out[n - 1] != '/')
				out[n++] = '/';
			for (size_t i = 0; i < len && n + 1 < size; i++)
				out[n++] = in[i];
		}
		in += len;
	}
	out[n] = 0;
}

/* Controllers of a v1 mount: its super block options that are not generic ones. */
static void v1_controllers(const char *opts, char *out, size_t size)
{
	static const char *const known[] = {
		"cpu",	"cpuacct", "cpuset",   "memory",     "devices", "freezer", "blkio",
		"pids", "net_cls", "net_prio", "perf_event", "hugetlb", "rdma",	   "misc"};
	char copy[512], *save = NULL;
	size_t n = 0;

	out[0] = 0;
	snprintf(copy, sizeof(copy), "%s", opts);
	for (char *s = strtok_r(copy, ",\n", &save); s; s = strtok_r(NULL, ",\n", &save)) {
		bool take = !strncmp(s, "name=", 5);

		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			take |= !strcmp(s, known[i]);
		if (take && n + strlen(s) + 2 < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "", s);
	}
}

/* A line of mountinfo, proc(5): adds a directory if it is a cgroup mount below CGROUP_ROOT. */
static int plan_mount(struct oci_cgroup *cg, char *line, const char *own_table, const char *path,
		      struct err *e)
{
	char root[PATH_MAX], mount[PATH_MAX], type[32], opts[512], controllers[200];
	char own[PATH_MAX], inner[PATH_MAX];
	char *sep = strstr(line, " - ");
	int ret;

	if (!sep || (strncmp(sep + 3, "cgroup ", 7) && strncmp(sep + 3, "cgroup2 ", 8)))
		return 0;
	if (sscanf(line, "%*d %*d %*s %4095s %4095s", root, mount) != 2 ||
	    sscanf(sep + 3, "%31s %*s %511s", type, opts) != 2 ||
	    strncmp(mount, CGROUP_ROOT, sizeof(CGROUP_ROOT) - 1))
		return 0;
	controllers[0] = 0;
	if (strcmp(type, "cgroup2"))
		v1_controllers(opts, controllers, sizeof(controllers));
	for (unsigned i = 0; i < cg->n; i++)
		if (!strcmp(cg->d[i].controllers, controllers))
			return 0;
	own_group(own_table, controllers, own, sizeof(own));
	ret = inner_path(path, own, root, inner, sizeof(inner), e);
	return ret ? ret : add_dir(cg, controllers, mount, root, inner, e);
}

static int plan_mixed(struct oci_cgroup *cg, const char *own_table, const char *path, struct err *e)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), ret = 0;
	char *text, *save = NULL;
	size_t len;

	if (fd < 0)
		return err_errno(e, "open /proc/self/mountinfo");
	text = fd_read_all(fd, 4 << 20, &len);
	close(fd);
	if (!text)
		return err_errno(e, "read /proc/self/mountinfo");
	for (char *s = strtok_r(text, "\n", &save); s && !ret; s = strtok_r(NULL, "\n", &save))
		ret = plan_mount(cg, s, own_table, path, e);
	free(text);
	return ret;
}

/* Something that only a cgroup can do; device rules alone are not. */
static bool has_limits(const struct oci_resources *r)
{
	bool throttled = false;

	for (unsigned i = 0; i < OCI_THROTTLES; i++)
		throttled |= r->nthrottle[i] != 0;
	return r->have || r->cpus || r->mems || throttled || r->nweight_device || r->nhugepages ||
	       r->nnet_priorities || r->nunified;
}

int cgroup_plan(struct oci_cgroup *cg, const struct oci_config *config, const char *id,
		enum oci_cgroups how, struct err *e)
{
	const char *given = config->cgroups_path;
	char path[PATH_MAX], own[PATH_MAX], inner[PATH_MAX], table[8192];
	int ret;

	*cg = (struct oci_cgroup){.rootless = rootless(),
				  .limited = has_limits(&config->resources),
				  .named = given && given[0] ? given : NULL};
	if (how == OCI_CGROUPS_NONE)
		return 0;
	cg->wanted = true;
	cg->v2 = cgroup_host_is_v2();
	if (how == OCI_CGROUPS_SYSTEMD) {
		ret = cgroup_systemd_plan(cg, config, id, path, sizeof(path), e);
		if (ret)
			return ret;
	} else {
		clean_path(given && given[0] ? given : id, path, sizeof(path));
		/* runc puts a container without cgroupsPath at the top, by its name. */
		if (!given || !given[0])
			snprintf(path, sizeof(path), "/%s", id);
	}
	if (!strcmp(path, "/") || !path[0])
		return err_set(e, EINVAL, "cgroupsPath \"%s\" is the root group", given);
	if (fd_read_text(AT_FDCWD, "/proc/self/cgroup", table, sizeof(table)) < 0)
		return err_errno(e, "read /proc/self/cgroup");
	if (!cg->v2)
		return plan_mixed(cg, table, path, e);
	own_group(table, "", own, sizeof(own));
	ret = inner_path(path, own, "/", inner, sizeof(inner), e);
	return ret ? ret : add_dir(cg, "", CGROUP_ROOT, "/", inner, e);
}

const struct cgroup_dir *cgroup_find(const struct oci_cgroup *cg, const char *controller)
{
	size_t len = strlen(controller);

	for (unsigned i = 0; i < cg->n; i++) {
		const char *s = cg->d[i].controllers;

		if (!len && !*s)
			return &cg->d[i];
		while (len && (s = strstr(s, controller))) {
			if ((s == cg->d[i].controllers || s[-1] == ',') &&
			    (s[len] == 0 || s[len] == ','))
				return &cg->d[i];
			s += len;
		}
	}
	return NULL;
}

/* ---- files -------------------------------------------------------------- */

int cgroup_write(const struct cgroup_dir *d, const char *file, const char *text, struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", d->path, file);
	if (fd_write_text(AT_FDCWD, path, text) == 0)
		return 0;
	return err_errno(e, "write \"%.60s\" to %s", text, path);
}

int cgroup_write_num(const struct cgroup_dir *d, const char *file, s64 v, struct err *e)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)v);
	return cgroup_write(d, file, text, e);
}

bool cgroup_has(const struct cgroup_dir *d, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", d->path, file);
	return access(path, F_OK) == 0;
}

/* ---- life --------------------------------------------------------------- */

/* mkdir -p below the mount; *made says whether the last one is new. */
static int make_dirs(struct cgroup_dir *d)
{
	if (mkdir(d->path, 0755) == 0) {
		d->made = true;
		return 0;
	}
	if (errno == EEXIST) {
		d->made = false;
		return 0;
	}
	if (errno != ENOENT)
		return -errno;
	for (char *s = d->path + d->mount_len + 1; (s = strchr(s, '/')); s++) {
		*s = 0;
		int ret = mkdir(d->path, 0755) && errno != EEXIST ? -errno : 0;

		if (!ret && strstr(d->controllers, "cpuset"))
			ret = cgroup_v1_cpuset(d, NULL);
		*s = '/';
		if (ret)
			return ret;
	}
	if (mkdir(d->path, 0755) && errno != EEXIST)
		return -errno;
	d->made = true;
	return 0;
}

const struct cgroup_dir *cgroup_main_dir(const struct oci_cgroup *cg)
{
	static const char *const order[] = {"pids", "memory", "devices", "freezer", ""};
	const struct cgroup_dir *d = NULL;

	for (size_t i = 0; i < ARRAY_LEN(order) && !d; i++)
		d = cgroup_find(cg, order[i]);
	return d ? d : cg->n ? &cg->d[0] : NULL;
}

int cgroup_create(struct oci_cgroup *cg, struct err *e)
{
	for (unsigned i = 0; i < cg->n; i++) {
		struct cgroup_dir *d = &cg->d[i];
		int ret = make_dirs(d);

		if (ret && (cg->rootless || ret == -EROFS)) {
			free(d->path);
			free(d->controllers);
			free(d->root);
			memmove(d, d + 1, (--cg->n - i) * sizeof(*d));
			i--;
			continue;
		}
		if (ret) {
			errno = -ret;
			ret = err_errno(e, "mkdir %s", d->path);
			cgroup_destroy(cg, NULL);
			return ret;
		}
		if (!d->controllers[0])
			cgroup_v2_delegate(d);
		if (strstr(d->controllers, "cpuset") && (ret = cgroup_v1_cpuset(d, e))) {
			cgroup_destroy(cg, NULL);
			return ret;
		}
	}
	if (cg->rootless && cg->named && !cg->n && !cg->limited)
		log_warn("cgroupsPath \"%s\": this user may not make it; the container runs "
			 "without a cgroup of its own",
			 cg->named);
	return 0;
}

static bool already_in(const struct cgroup_dir *d)
{
	char table[8192], own[PATH_MAX];
	const char *path = d->path + d->mount_len;

	if (fd_read_text(AT_FDCWD, "/proc/self/cgroup", table, sizeof(table)) < 0)
		return false;
	own_group(table, d->controllers, own, sizeof(own));
	return !strcmp(own, path);
}

int cgroup_subs(const struct oci_cgroup *cg, const char *const *given, unsigned n, const char **out,
		struct err *e)
{
	for (unsigned i = 0; i < n; i++) {
		const char *colon = strchr(given[i], ':'), *path = colon ? colon + 1 : given[i];
		const char *c = given[i];

		if (strstr(path, "..") || strlen(path) >= NAME_MAX)
			return err_set(
				e, EINVAL,
				"bad sub cgroup path: %.100s: `..` components are not allowed",
				path);
		if (!colon && n > 1)
			return err_set(e, EINVAL, "--cgroup %.100s: needs a controller in front",
				       path);
		for (unsigned k = 0; k < cg->n && !colon; k++)
			out[k] = path;
		while (colon && c < colon) {
			char name[64];
			size_t len = strcspn(c, ",:");
			const struct cgroup_dir *d;

			snprintf(name, sizeof(name), "%.*s", (int)len, c);
			d = len ? cgroup_find(cg, name) : NULL;
			if (!d)
				return err_set(e, EINVAL, "--cgroup %.100s: unknown controller %s",
					       given[i], name);
			out[d - cg->d] = path;
			c += len + 1;
		}
	}
	return 0;
}

/* Into one directory; 1 if it is not there. */
static int join_dir(const struct oci_cgroup *cg, const struct cgroup_dir *d, const char *sub,
		    struct err *e)
{
	bool v2 = !d->controllers[0];
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s%s%s/%s", d->path, sub ? "/" : "", sub ? sub : "",
		     v2 ? "cgroup.procs" : "tasks") >= (int)sizeof(path))
		return err_set(e, ENAMETOOLONG, "cgroup: name is too long");
	if ((v2 && !sub && already_in(d)) || fd_write_text(AT_FDCWD, path, "0") == 0)
		return 0;
	err_errno(e, "error adding pid %d to cgroups: %s", getpid(), path);
	return errno == ENOENT || (cg->rootless && !cg->limited) ? 1 : -errno;
}

/* --cgroup without a controller: the same for every hierarchy. */
static bool one_name(const struct oci_cgroup *cg, const char *const *sub)
{
	for (unsigned i = 0; i < cg->n; i++)
		if (!sub || !sub[i] || sub[i] != sub[0])
			return false;
	return true;
}

int cgroup_join_self(const struct oci_cgroup *cg, const char *const *sub, struct err *e)
{
	bool may_miss = cg->rootless && !cg->limited;
	unsigned missing = 0;

	for (unsigned i = 0; i < cg->n; i++) {
		int ret = join_dir(cg, &cg->d[i], sub ? sub[i] : NULL, e);

		if (ret < 0)
			return ret;
		/* One name for all hierarchies need not be in each of them. */
		if (ret && !may_miss && !one_name(cg, sub))
			return -ENOENT;
		missing += ret > 0;
	}
	if (!missing || missing < cg->n)
		return 0;
	return may_miss ? 1 : -ENOENT;
}

int cgroup_join_process(pid_t pid, struct err *e)
{
	char file[32], table[8192], own[PATH_MAX - 64], path[PATH_MAX];

	snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	if (fd_read_text(AT_FDCWD, file, table, sizeof(table)) < 0)
		return err_errno(e, "read %s", file);
	own_group(table, "", own, sizeof(own));
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cgroup.procs", own);
	return fd_write_text(AT_FDCWD, path, "0") == 0
		       ? 0
		       : err_errno(e, "error adding pid %d to cgroups: %s", getpid(), path);
}

int cgroup_into_fd(const struct oci_cgroup *cg)
{
	const struct cgroup_dir *d = cgroup_find(cg, "");

	return d ? open(d->path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
}

int cgroup_set(const struct oci_cgroup *cg, const struct oci_resources *r, bool create,
	       struct err *e)
{
	int ret;

	if (!cg->n && has_limits(r) && cg->rootless && cg->wanted)
		return err_set(e, EPERM,
			       "cannot set limits: no cgroup could be made, none is delegated to "
			       "this user");
	if (!cg->n && r->have && cg->wanted)
		return err_set(
			e, EROFS,
			"the config has limits, but no cgroup could be made: the cgroup file "
			"systems are read-only");
	if (!cg->n)
		return 0;
	if (cg->v2)
		ret = cgroup_v2_set(&cg->d[0], r, create, e);
	else
		ret = cgroup_v1_set(cg, r, create, e);
	if (!ret && cg->unit && cg->v2 && has_limits(r))
		ret = cgroup_systemd_tell(cg, e);
	if (ret && cg->rootless && create && !has_limits(r))
		return 0;
	return ret;
}

/* ---- in the state file -------------------------------------------------- */

json_t *cgroup_to_json(const struct oci_cgroup *cg)
{
	json_t *j = json_object(), *dirs = json_array();

	json_object_set_new(j, "v2", json_boolean(cg->v2));
	if (cg->unit)
		json_object_set_new(j, "unit", json_string(cg->unit));
	for (unsigned i = 0; i < cg->n; i++)
		json_array_append_new(dirs, json_pack("{s:s,s:s,s:s,s:I,s:b}", "controllers",
						      cg->d[i].controllers, "path", cg->d[i].path,
						      "root", cg->d[i].root, "mountLength",
						      (json_int_t)cg->d[i].mount_len, "made",
						      cg->d[i].made));
	json_object_set_new(j, "dirs", dirs);
	return j;
}

int cgroup_from_json(json_t *j, struct oci_cgroup *cg, struct err *e)
{
	json_t *dirs = json_object_get(j, "dirs"), *d;
	const char *unit = json_string_value(json_object_get(j, "unit"));
	size_t i;

	*cg = (struct oci_cgroup){.v2 = json_is_true(json_object_get(j, "v2")),
				  .rootless = rootless()};
	if (unit)
		cg->unit = strdup(unit);
	json_array_foreach(dirs, i, d)
	{
		const char *c = json_string_value(json_object_get(d, "controllers"));
		const char *p = json_string_value(json_object_get(d, "path"));
		const char *r = json_string_value(json_object_get(d, "root"));
		struct cgroup_dir *out = &cg->d[cg->n];

		if (!c || !p || !r || cg->n == CGROUP_MAX)
			return err_set(e, EINVAL, "state: bad cgroup entry");
		out->controllers = strdup(c);
		out->path = strdup(p);
		out->root = strdup(r);
		out->mount_len = (size_t)json_integer_value(json_object_get(d, "mountLength"));
		out->made = json_is_true(json_object_get(d, "made"));
		cg->n++;
		if (!out->controllers || !out->path || !out->root)
			return err_set(e, ENOMEM, "out of memory");
	}
	return 0;
}
