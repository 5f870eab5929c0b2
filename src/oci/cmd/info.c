/* SPDX-License-Identifier: Apache-2.0 */
/* features, spec, and what is not there. */
#include "oci/caps.h"
#include "oci/cgroup.h"
#include "oci/cmd/cmd.h"
#include "oci/parse.h"
#include "oci/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static json_t *capability_names(void)
{
	json_t *a = json_array();
	char name[40];

	for (int i = 0; i < OCI_CAPS_KNOWN; i++) {
		snprintf(name, sizeof(name), "CAP_%s", oci_cap_name(i));
		json_array_append_new(a, json_string(name));
	}
	return a;
}

/* features.md and features-linux.md of the runtime-spec. */
int cmd_features(const struct globals *g, const struct args *a, struct err *e)
{
	json_t *seccomp = json_pack(
		"{s:b,s:o,s:o,s:o,s:o,s:o}", "enabled", 1, "actions", seccomp_names("actions"),
		"operators", seccomp_names("operators"), "archs", seccomp_names("archs"),
		"knownFlags", seccomp_names("flags"), "supportedFlags", seccomp_names("flags"));
	json_t *lin =
		json_pack("{s:[s,s,s,s,s,s,s,s],s:o,s:{s:b,s:b,s:b,s:b,s:b},s:o,s:{s:b},s:{s:"
			  "b},s:{s:b},s:{s:{s:b}},s:{s:b}}",
			  "namespaces", "cgroup", "ipc", "mount", "network", "pid", "time", "user",
			  "uts", "capabilities", capability_names(), "cgroup", "v1", 1, "v2", 1,
			  "systemd", 1, "systemdUser", 1, "rdma", 0, "seccomp", seccomp, "apparmor",
			  "enabled", 1, "selinux", "enabled", 1, "intelRdt", "enabled", 0,
			  "mountExtensions", "idmap", "enabled", 1, "netDevices", "enabled", 1);
	json_t *j = json_pack(
		"{s:s,s:s,s:[s,s,s,s,s,s],s:o,s:o,s:{s:s,s:s},s:[s]}", "ociVersionMin", "1.0.0",
		"ociVersionMax", OCI_SPEC_VERSION, "hooks", "prestart", "createRuntime",
		"createContainer", "startContainer", "poststart", "poststop", "mountOptions",
		oci_mount_option_names(), "linux", lin, "annotations",
		"org.opencontainers.runc.checkpoint.enabled", "false", "dev.hull.oci.version",
		HULL_VERSION, "potentiallyUnsafeConfigAnnotations", "dev.hull.");

	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(j);
	return 0;
}

/* As runc: with v1 hierarchies a config starts without a cgroup namespace. */
static void drop_cgroup_ns(json_t *root)
{
	json_t *list = json_object_get(json_object_get(root, "linux"), "namespaces"), *ns;
	size_t i;

	json_array_foreach(list, i, ns)
	{
		if (!strcmp(json_string_value(json_object_get(ns, "type")), "cgroup")) {
			json_array_remove(list, i);
			return;
		}
	}
}

int cmd_spec(const struct globals *g, const struct args *a, struct err *e)
{
	const char *bundle = args_get(a, "bundle");
	json_t *j = oci_config_default(args_has(a, "rootless"));
	char path[4096];
	int fd, ret;

	if (!args_has(a, "rootless") && !cgroup_host_is_v2())
		drop_cgroup_ns(j);
	snprintf(path, sizeof(path), "%s/config.json", bundle && *bundle ? bundle : ".");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		ret = errno == EEXIST ? err_set(e, EEXIST, "file %s exists. Remove it first", path)
				      : err_errno(e, "%s", path);
	else
		ret = json_dumpfd(j, fd, JSON_INDENT(4)) ? err_set(e, EIO, "cannot write %s", path)
							 : 0;
	if (fd >= 0)
		close(fd);
	json_decref(j);
	return ret ? CMD_FAILED : 0;
}

int cmd_checkpoint(const struct globals *g, const struct args *a, struct err *e)
{
	err_set(e, ENOTSUP, "%s is not supported: hull-oci does not drive CRIU", a->cmd->name);
	return CMD_FAILED;
}
