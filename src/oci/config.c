/* SPDX-License-Identifier: Apache-2.0 */
/* The top of config.json: version, root, hooks, annotations, and what must hold between members. */
#include "oci/config.h"
#include "oci/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const hook_names[HOOK_KINDS] = {
	[HOOK_PRESTART] = "prestart",
	[HOOK_CREATE_RUNTIME] = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer",
	[HOOK_START_CONTAINER] = "startContainer",
	[HOOK_POSTSTART] = "poststart",
	[HOOK_POSTSTOP] = "poststop",
};

static void parse_hook_list(struct parse *p, json_t *obj, enum oci_hook_kind kind,
			    struct oci_hooks *out)
{
	json_t *a = parse_array(p, obj, hook_names[kind], &out->n[kind]);
	struct oci_hook *h = parse_alloc(p, out->n[kind], sizeof(*h));

	for (unsigned i = 0; h && i < out->n[kind]; i++) {
		json_t *o = parse_item(p, a, i);

		if (!o)
			return;
		h[i].path = parse_str(p, o, "path");
		parse_strings(p, o, "args", &h[i].args);
		parse_strings(p, o, "env", &h[i].env);
		h[i].env_given = parse_has(o, "env");
		h[i].timeout = parse_int(p, o, "timeout", INT32_MIN, INT32_MAX, 0);
		if (parse_has(o, "timeout") && h[i].timeout <= 0)
			parse_fail(p, "%s: timeout must be greater than zero", hook_names[kind]);
		if (!h[i].path || h[i].path[0] != '/')
			parse_fail(p, "%s: path of hook %u must be absolute", hook_names[kind], i);
	}
	out->v[kind] = h;
}

void parse_hooks(struct parse *p, json_t *root)
{
	json_t *o = parse_obj(p, root, "hooks");

	if (!o)
		return;
	p->in = "hooks";
	for (int k = 0; k < HOOK_KINDS && !p->ret; k++)
		parse_hook_list(p, o, k, &p->config->hooks);
}

static void parse_root(struct parse *p, json_t *root)
{
	json_t *o = parse_obj(p, root, "root");

	p->in = "root";
	if (!o) {
		parse_fail(p, "must be given: {\"path\": \"rootfs\"}");
		return;
	}
	p->config->rootfs = parse_str(p, o, "path");
	if (!p->config->rootfs || !p->config->rootfs[0])
		parse_fail(p, "path must be given");
	p->config->rootfs_readonly = parse_bool(p, o, "readonly");
}

static bool same_ns_as_host(const struct oci_ns *ns, const char *name)
{
	char mine[64];
	struct stat a, b;

	snprintf(mine, sizeof(mine), "/proc/self/ns/%s", name);
	return ns->path && stat(mine, &a) == 0 && stat(ns->path, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/* Sysctls that would reach past the container; as runc's validator has them. */
static void check_sysctl(struct parse *p)
{
	static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb",	    "kernel.msgmni",
					  "kernel.sem",	   "kernel.shmall",	    "kernel.shmmax",
					  "kernel.shmmni", "kernel.shm_rmid_forced"};
	struct oci_config *c = p->config;

	p->in = "linux.sysctl";
	for (unsigned i = 0; i < c->nsysctl && !p->ret; i++) {
		const char *given = c->sysctl[i].key;
		char key[256];
		int need = 0;

		if (snprintf(key, sizeof(key), "%s", given) >= (int)sizeof(key)) {
			parse_fail(p, "a name is too long");
			return;
		}
		if (strchr(key, '/') && (!strchr(key, '.') || strchr(key, '/') < strchr(key, '.')))
			for (char *s = key; *s; s++)
				*s = *s == '/' ? '.' : *s == '.' ? '/' : *s;
		for (unsigned k = 0; k < ARRAY_LEN(ipc); k++)
			if (!strcmp(key, ipc[k]))
				need = CLONE_NEWIPC;
		if (!strncmp(key, "fs.mqueue.", 10))
			need = CLONE_NEWIPC;
		else if (!strncmp(key, "net.", 4))
			need = CLONE_NEWNET;
		else if (!strcmp(key, "kernel.domainname"))
			need = CLONE_NEWUTS;
		if (need == CLONE_NEWUTS && c->domainname && c->domainname[0] &&
		    strcmp(c->domainname, c->sysctl[i].value))
			parse_fail(p, "sysctl %s conflicts with the domainname member", given);
		if (!strcmp(key, "kernel.hostname"))
			parse_fail(p, "sysctl %s conflicts with the hostname member", given);
		if (!need)
			parse_fail(p, "sysctl \"%s\" is not in a separate kernel namespace", given);
		else if (!(c->ns_flags & need))
			parse_fail(p, "sysctl \"%s\" is not allowed in the host's namespace",
				   given);
		else if (need == CLONE_NEWNET &&
			 same_ns_as_host(oci_config_ns(c, CLONE_NEWNET), "net"))
			parse_fail(p, "sysctl \"%s\" is not allowed in host network namespace",
				   given);
	}
}

static void check_netdevs(struct parse *p)
{
	struct oci_config *c = p->config;

	p->in = "linux.netDevices";
	if (!c->nnetdevs)
		return;
	if (!(c->ns_flags & CLONE_NEWNET))
		parse_fail(p, "unable to move network devices without a private NET namespace");
	else if (same_ns_as_host(oci_config_ns(c, CLONE_NEWNET), "net"))
		parse_fail(p, "unable to move network devices into the host's own namespace");
	else if (geteuid())
		parse_fail(p, "network devices are not supported without root");
}

static void check_user_ns(struct parse *p)
{
	struct oci_config *c = p->config;
	const struct oci_ns *ns = oci_config_ns(c, CLONE_NEWUSER);

	p->in = "linux";
	if (!ns && (c->maps.nuid || c->maps.ngid))
		parse_fail(p, "uidMappings and gidMappings need a user namespace");
	if (ns && !ns->path && geteuid() == 0 && (!c->maps.nuid || !c->maps.ngid))
		parse_fail(p, "user namespaces enabled, but no uid mappings or gid mappings found");
	if (c->have_time_offsets &&
	    (!(c->ns_flags & CLONE_NEWTIME) || oci_config_ns(c, CLONE_NEWTIME)->path))
		parse_fail(p, "timeOffsets need a new time namespace");
}

/* What must hold between members. */
static void check(struct parse *p)
{
	struct oci_config *c = p->config;

	p->in = "config";
	if ((c->hostname || c->domainname) && !(c->ns_flags & CLONE_NEWUTS))
		parse_fail(p,
			   "unable to set hostname or domainname without a private UTS namespace");
	if ((c->masked.n || c->readonly.n) && !(c->ns_flags & CLONE_NEWNS))
		parse_fail(p, "unable to restrict sys entries without a private MNT namespace");
	check_user_ns(p);
	check_netdevs(p);
	check_sysctl(p);
}

static void parse_version(struct parse *p, json_t *root)
{
	const char *v = parse_str(p, root, "ociVersion");
	unsigned major, minor, patch;

	p->config->version = v;
	p->in = "ociVersion";
	if (!v)
		parse_fail(p, "must be given, for example \"" OCI_SPEC_VERSION "\"");
	else if (sscanf(v, "%u.%u.%u", &major, &minor, &patch) != 3)
		parse_fail(p, "\"%.40s\" is no version", v);
	else if (major != 1)
		parse_fail(p, "version %u is not supported, only 1.x is", major);
	else
		p->config->minor = minor;
}

struct oci_config *oci_config_new(void)
{
	struct oci_config *c = calloc(1, sizeof(*c));

	if (c) {
		c->process.umask = -1;
		c->process.sched_policy = -1;
	}
	return c;
}

void oci_config_free(struct oci_config *c)
{
	if (!c)
		return;
	while (c->arena) {
		struct oci_arena *next = c->arena->next;

		free(c->arena);
		c->arena = next;
	}
	json_decref(c->root);
	free(c);
}

static void parse_all(struct parse *p, json_t *root)
{
	struct oci_config *c = p->config;

	parse_version(p, root);
	parse_root(p, root);
	p->in = "config";
	c->hostname = parse_str(p, root, "hostname");
	c->domainname = parse_str(p, root, "domainname");
	c->annotations = parse_pairs(p, root, "annotations", &c->nannotations);
	json_t *process = parse_obj(p, root, "process");
	json_t *lin = parse_obj(p, root, "linux");

	if (process)
		parse_process(p, process, &c->process);
	if (lin && !p->ret)
		parse_linux(p, lin);
	if (!p->ret)
		parse_mounts(p, root);
	if (!p->ret)
		parse_hooks(p, root);
	if (!p->ret)
		check(p);
}

int oci_config_from_json(json_t *root, struct oci_config **out, struct err *e)
{
	struct oci_config *c = oci_config_new();
	struct parse p = {.config = c, .e = e};

	*out = NULL;
	if (!c)
		return err_set(e, ENOMEM, "config: out of memory");
	c->root = json_incref(root);
	p.in = "config.json";
	if (!json_is_object(root))
		parse_fail(&p, "must be an object");
	else
		parse_all(&p, root);
	if (p.ret) {
		oci_config_free(c);
		return p.ret;
	}
	*out = c;
	return 0;
}

int oci_config_parse(const char *text, size_t len, struct oci_config **out, struct err *e)
{
	json_error_t je;
	json_t *root;
	int ret;

	*out = NULL;
	if (len > OCI_CONFIG_BYTES)
		return err_set(e, EFBIG, "config.json is larger than %u bytes", OCI_CONFIG_BYTES);
	root = json_loadb(text, len, 0, &je);
	/* An integer above 2^63 - 1, such as RLIM_INFINITY. */
	if (!root && json_error_code(&je) == json_error_numeric_overflow)
		root = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, &je);
	if (!root)
		return err_set(e, EINVAL, "config.json: line %d, column %d: %s", je.line, je.column,
			       je.text);
	ret = oci_config_from_json(root, out, e);
	json_decref(root);
	return ret;
}

int oci_config_load(const char *bundle, struct oci_config **out, struct err *e)
{
	char path[4096];
	char *text = NULL;
	size_t len = 0, size = 0;
	ssize_t got = 1;
	int fd, ret;

	*out = NULL;
	if (snprintf(path, sizeof(path), "%s/config.json", bundle) >= (int)sizeof(path))
		return err_set(e, ENAMETOOLONG, "bundle: name is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT
			       ? err_set(e, ENOENT, "JSON specification file %s not found", path)
			       : err_errno(e, "open %s", path);
	while (got > 0 && len <= OCI_CONFIG_BYTES) {
		if (len == size) {
			char *more = realloc(text, size = size ? size * 2 : 16384);

			if (!more)
				break;
			text = more;
		}
		got = read(fd, text + len, size - len);
		len += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	ret = got ? err_set(e, EIO, "cannot read %s", path) : oci_config_parse(text, len, out, e);
	free(text);
	return ret;
}

const struct oci_ns *oci_config_ns(const struct oci_config *c, int flag)
{
	for (unsigned i = 0; i < c->nns; i++)
		if (c->ns[i].flag == flag)
			return &c->ns[i];
	return NULL;
}

const char *oci_config_annotation(const struct oci_config *c, const char *key)
{
	for (unsigned i = 0; i < c->nannotations; i++)
		if (!strcmp(c->annotations[i].key, key))
			return c->annotations[i].value;
	return NULL;
}

bool oci_config_terminal(const struct oci_config *c)
{
	return c->process.terminal;
}
