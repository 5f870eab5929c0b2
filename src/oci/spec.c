/* SPDX-License-Identifier: Apache-2.0 */
/* The config that `spec` prints: a shell with a terminal and little privilege. */
#include "oci/oci.h"

#include <unistd.h>

static const char text[] =
	"{\"ociVersion\":\"" OCI_SPEC_VERSION
	"\",\"process\":{\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},"
	"\"args\":[\"sh\"],\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/"
	"sbin:/bin\","
	"\"TERM=xterm\"],\"cwd\":\"/\",\"capabilities\":{"
	"\"bounding\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"],"
	"\"effective\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"],"
	"\"permitted\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],"
	"\"noNewPrivileges\":true},"
	"\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"hull\",\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
	"\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
	"\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\","
	"\"gid=5\"]},"
	"{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
	"{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
	"{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},"
	"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}],"
	"\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},"
	"\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},"
	"{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}],"
	"\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\","
	"\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\","
	"\"/sys/firmware\",\"/proc/scsi\"],"
	"\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\","
	"\"/proc/sysrq-trigger\"]}}";

/* What a user without privilege cannot have: the network namespace's sysfs, gid 5, cgroups. */
static void make_rootless(json_t *root)
{
	json_t *lin = json_object_get(root, "linux"), *mounts = json_object_get(root, "mounts"), *m;
	size_t i;

	json_object_del(lin, "resources");
	json_object_set_new(lin, "uidMappings",
			    json_pack("[{s:i,s:I,s:i}]", "containerID", 0, "hostID",
				      (json_int_t)geteuid(), "size", 1));
	json_object_set_new(lin, "gidMappings",
			    json_pack("[{s:i,s:I,s:i}]", "containerID", 0, "hostID",
				      (json_int_t)getegid(), "size", 1));
	m = json_object_get(lin, "namespaces");
	json_array_remove(m, 1);
	json_array_append_new(m, json_pack("{s:s}", "type", "user"));
	/* devpts without gid=5; /sys bound, as the network namespace is the host's. */
	json_array_remove(json_object_get(json_array_get(mounts, 2), "options"), 5);
	for (i = 0; i < json_array_size(mounts); i++) {
		m = json_array_get(mounts, i);
		if (json_is_string(json_object_get(m, "type")) &&
		    json_string_value(json_object_get(m, "type"))[0] == 's')
			json_object_update_new(m,
					       json_pack("{s:s,s:s,s:[s,s,s,s,s]}", "type", "none",
							 "source", "/sys", "options", "rbind",
							 "nosuid", "noexec", "nodev", "ro"));
	}
}

json_t *oci_config_default(bool rootless)
{
	json_t *root = json_loads(text, 0, NULL);

	if (root && rootless)
		make_rootless(root);
	return root;
}
