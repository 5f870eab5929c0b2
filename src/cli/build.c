/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull image build`: the builder of image/ with the container engine of oci/
 * for its RUN steps.
 */
#include "cli/build.h"

#include "image/build.h"
#include "image/transfer.h"
#include "oci/oci.h"
#include "run/user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the usual engines let a container keep (docs.docker.com, "Runtime privilege"). */
static const char *const capabilities[] = {
	"CAP_CHOWN",	   "CAP_DAC_OVERRIDE",	   "CAP_FSETID",  "CAP_FOWNER",
	"CAP_MKNOD",	   "CAP_SETGID",	   "CAP_SETUID",  "CAP_SETFCAP",
	"CAP_SETPCAP",	   "CAP_SYS_CHROOT",	   "CAP_NET_RAW", "CAP_KILL",
	"CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE",
};

#define USERS_MAX (256 * 1024)

/* A file of the image's root as text; "" if there is none. The links in it stay inside. */
static char *read_in_root(const char *root, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	char *text = calloc(1, USERS_MAX + 1);
	int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

	if (text && fd >= 0 && read(fd, text, USERS_MAX) < 0)
		text[0] = 0;
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return text;
}

static json_t *strings(char *const *list)
{
	json_t *a = json_array();

	for (; list && *list; list++)
		json_array_append_new(a, json_string(*list));
	return a;
}

static int set_user(json_t *process, const struct image_run *r, struct err *e)
{
	char *passwd = read_in_root(r->root, "etc/passwd"),
	     *group = read_in_root(r->root, "etc/group");
	struct user u;
	json_t *more = json_array();
	bool found = passwd && group && user_find(r->user, passwd, group, &u);

	free(passwd);
	free(group);
	for (unsigned i = 0; found && i < u.ngroups; i++)
		json_array_append_new(more, json_integer(u.groups[i]));
	if (!found) {
		json_decref(more);
		return err_set(e, ENOENT, "USER %s: no such user or group in the image", r->user);
	}
	json_object_set_new(process, "user",
			    json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)u.uid, "gid",
				      (json_int_t)u.gid, "additionalGids", more));
	return 0;
}

static void set_capabilities(json_t *process)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ARRAY_LEN(capabilities); i++)
		json_array_append_new(list, json_string(capabilities[i]));
	json_object_set_new(process, "capabilities",
			    json_pack("{s:O, s:O, s:o}", "bounding", list, "effective", list,
				      "permitted", list));
}

/* The host's network: its namespace, and its resolver if the image has a place for it. */
static void share_network(json_t *config, const struct image_run *r)
{
	json_t *spaces = json_object_get(json_object_get(config, "linux"), "namespaces"), *n;
	char path[PATHS_MAX];
	size_t i;

	json_array_foreach(spaces, i, n)
	{
		const char *type = json_string_value(json_object_get(n, "type"));

		if (type && !strcmp(type, "network")) {
			json_array_remove(spaces, i);
			break;
		}
	}
	if (!paths_format(path, NULL, "%s/etc/resolv.conf", r->root) && !access(path, F_OK) &&
	    !access("/etc/resolv.conf", R_OK))
		json_array_append_new(json_object_get(config, "mounts"),
				      json_pack("{s:s, s:s, s:s, s:[s, s]}", "destination",
						"/etc/resolv.conf", "type", "bind", "source",
						"/etc/resolv.conf", "options", "bind", "ro"));
}

static int make_config(const struct build_args *a, const struct image_run *r, json_t **out,
		       struct err *e)
{
	json_t *config = oci_config_default(false), *p = json_object_get(config, "process");
	int ret = config ? set_user(p, r, e) : err_set(e, ENOMEM, "no memory");

	*out = config;
	if (ret)
		return ret;
	json_object_set_new(p, "terminal", json_false());
	json_object_set_new(p, "noNewPrivileges", json_false());
	json_object_del(p, "rlimits");
	json_object_set_new(p, "args", strings(r->argv));
	json_object_set_new(p, "env", strings(r->env));
	json_object_set_new(p, "cwd", json_string(*r->workdir ? r->workdir : "/"));
	json_object_set_new(config, "root",
			    json_pack("{s:s, s:b}", "path", r->root, "readonly", 0));
	set_capabilities(p);
	if (!a->no_network)
		share_network(config, r);
	return 0;
}

static int run_config(const struct oci_where *w, const struct oci_config *config,
		      const char *bundle, int *status, struct err *e)
{
	struct oci_create_options o;
	struct oci_container *c;
	int ret;

	oci_create_options_init(&o);
	o.bundle = bundle;
	o.cgroups = OCI_CGROUPS_NONE;
	o.keep_pdeathsig = true;
	/* What the command says is not what hull says. */
	o.stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	o.stdio[1] = STDERR_FILENO;
	ret = oci_run(w, config, &o, &c, e);
	if (!ret) {
		ret = oci_wait(oci_pidfd(c), status, e);
		oci_delete(c, true, NULL);
		oci_close(c);
	}
	if (o.stdio[0] >= 0)
		close(o.stdio[0]);
	return ret;
}

static int run_step(void *opaque, const struct image_run *r, int *status, struct err *e)
{
	char run[PATHS_MAX], root[PATHS_MAX], id[40];
	const struct oci_where w = {.root = root, .id = id};
	struct oci_config *config = NULL;
	json_t *json = NULL;
	int ret = paths_runtime(run, e);

	ret = ret ? ret : paths_format(root, e, "%s/build", run);
	ret = ret ? ret : paths_make_dir(root, 0700, e);
	ret = ret ? ret : make_config(opaque, r, &json, e);
	ret = ret ? ret : oci_config_from_json(json, &config, e);
	snprintf(id, sizeof(id), "build-%d", getpid());
	ret = ret ? ret : run_config(&w, config, r->root, status, e);
	oci_config_free(config);
	json_decref(json);
	return ret;
}

static int pull_base(void *opaque, struct image_store *s, const char *ref, struct err *e)
{
	const struct build_args *a = opaque;
	const struct image_registry_options o = {.platform = a->platform, .quiet = a->quiet};
	char id[IMAGE_DIGEST_MAX];

	return image_pull(s, ref, &o, id, e);
}

/* Mounts of a build end with it, however that comes. */
static int private_mounts(struct err *e)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return err_errno(e, "cannot make a mount namespace");
	return 0;
}

int build_image(const struct build_args *a, struct err *e)
{
	const struct image_build_ops ops = {run_step, (void *)a};
	const struct image_build_options o = {
		.context = a->context,
		.file = a->file,
		.tags = a->tags,
		.args = a->args,
		.target = a->target,
		.platform = a->platform,
		.ops = &ops,
		.no_cache = a->no_cache,
		.quiet = a->quiet,
		.pull = pull_base,
		.opaque = (void *)a,
	};
	struct image_store *s = NULL;
	char id[IMAGE_DIGEST_MAX];
	int ret = private_mounts(e);

	ret = ret ? ret : image_store_open(NULL, IMAGE_STORE_WRITE, &s, e);
	ret = ret ? ret : image_build(s, &o, id, e);
	image_store_close(s);
	if (!ret)
		printf("%s\n", id);
	return ret;
}
