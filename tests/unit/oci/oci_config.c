/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/caps.h"
#include "oci/config.h"
#include "tests/test.h"

#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>

static struct err error;

static struct oci_config *parse(const char *text)
{
	struct oci_config *c = NULL;

	error = (struct err){0};
	oci_config_parse(text, strlen(text), &c, &error);
	return c;
}

#define HEAD "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"}"
#define PROC ",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]"

static void t_minimal(void)
{
	struct oci_config *c = parse(HEAD PROC "}}");

	CHECK(c);
	CHECK(!strcmp(c->rootfs, "r"));
	CHECK_EQ(c->process.args.n, 1);
	CHECK(c->process.umask == -1);
	oci_config_free(c);
}

/* Each text must fail, with the word in the message. */
static void t_errors_name_what_is_wrong(void)
{
	static const struct {
		const char *text, *word;
	} bad[] = {
		{"", "line 1"},
		{"[]", "object"},
		{"{}", "ociVersion"},
		{"{\"ociVersion\":\"2.0.0\",\"root\":{\"path\":\"r\"}}", "version 2"},
		{"{\"ociVersion\":\"1.0.2\"}", "root"},
		{HEAD PROC ",\"terminal\":3}}", "terminal"},
		{HEAD ",\"process\":{\"cwd\":\"x\",\"args\":[\"a\"]}}", "Cwd"},
		{HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[]}}", "args"},
		{HEAD PROC ",\"rlimits\":[{\"type\":\"RLIMIT_X\"}]}}", "RLIMIT_X"},
		{HEAD ",\"mounts\":[{\"type\":\"proc\"}]}", "destination"},
		{HEAD ",\"mounts\":[{\"destination\":\"/a\",\"options\":[\"bind\"]}]}", "source"},
		{HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"pids\"}]}}", "pids"},
		{HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}}",
		 "twice"},
		{HEAD ",\"linux\":{\"sysctl\":{\"kernel.sysrq\":\"1\"}}}", "kernel.sysrq"},
		{HEAD ",\"linux\":{\"sysctl\":{\"net.a\":\"1\"}}}", "net.a"},
		{HEAD ",\"linux\":{\"uidMappings\":[{\"hostID\":-1}]}}", "hostID"},
		{HEAD ",\"hostname\":\"x\"}", "UTS"},
		{HEAD ",\"hooks\":{\"prestart\":[{\"path\":\"x\"}]}}", "absolute"},
		{HEAD ",\"linux\":{\"resources\":{\"devices\":[{\"access\":\"x\"}]}}}", "access"},
		{HEAD ",\"linux\":{\"resources\":{\"unified\":{\"../x\":\"1\"}}}}", "unified"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct oci_config *c = parse(bad[i].text);

		CHECK(!c);
		if (!strstr(error.msg, bad[i].word))
			printf("# %zu: %s\n", i, error.msg);
		CHECK(strstr(error.msg, bad[i].word));
	}
}

static void t_mount_options(void)
{
	struct oci_config *c = parse(
		HEAD ",\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
		     "\"options\":[\"nosuid\",\"size=1k\",\"ro\",\"rw\",\"mode=755\",\"rshared\"]},"
		     "{\"destination\":\"/b\",\"source\":\"/x\",\"options\":[\"rbind\",\"rro\","
		     "\"strictatime\",\"idmap=uids=0-1-2#5-6-7;gids=0-1-2\"]}]}");

	CHECK(c);
	CHECK_EQ(c->mounts[0].flags, MS_NOSUID);
	CHECK(!strcmp(c->mounts[0].data, "size=1k,mode=755"));
	CHECK_EQ(c->mounts[0].propagation[0], MS_SHARED | MS_REC);
	CHECK_EQ(c->mounts[0].attr_clr, MOUNT_ATTR_RDONLY);
	CHECK(c->mounts[1].bind && c->mounts[1].rec && c->mounts[1].idmap);
	CHECK_EQ(c->mounts[1].rec_set, MOUNT_ATTR_RDONLY);
	CHECK_EQ(c->mounts[1].attr_set, MOUNT_ATTR_STRICTATIME);
	CHECK_EQ(c->mounts[1].attr_clr, MOUNT_ATTR__ATIME);
	CHECK_EQ(c->mounts[1].maps.nuid, 2);
	CHECK_EQ(c->mounts[1].maps.uid[1].host, 6);
	oci_config_free(c);
}

static void t_numbers_past_s64(void)
{
	struct oci_config *c = parse(HEAD PROC ",\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":5,"
					       "\"hard\":18446744073709551615}]}}");

	CHECK(c);
	CHECK_EQ(c->process.rlimits[0].lim.rlim_max, RLIM_INFINITY);
	CHECK_EQ(c->process.rlimits[0].lim.rlim_cur, 5);
	oci_config_free(c);
}

static void t_capability_names(void)
{
	CHECK_EQ(oci_cap_by_name("CAP_CHOWN"), 0);
	CHECK_EQ(oci_cap_by_name("cap_sys_admin"), 21);
	CHECK_EQ(oci_cap_by_name("CAP_CHECKPOINT_RESTORE"), 40);
	CHECK(oci_cap_by_name("CAP_NONSENSE") == -1);
	for (int i = 0; i < OCI_CAPS_KNOWN; i++)
		CHECK_EQ(oci_cap_by_name(oci_cap_name(i)), i);
	CHECK(!oci_cap_name(OCI_CAPS_KNOWN));
}

static void t_namespaces(void)
{
	struct oci_config *c = parse(HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"pid\"},"
					  "{\"type\":\"network\",\"path\":\"/proc/1/ns/net\"}]}}");

	CHECK(c);
	CHECK_EQ(c->ns_flags, CLONE_NEWPID | CLONE_NEWNET);
	CHECK(!strcmp(oci_config_ns(c, CLONE_NEWNET)->path, "/proc/1/ns/net"));
	CHECK(!oci_config_ns(c, CLONE_NEWPID)->path);
	CHECK(!oci_config_ns(c, CLONE_NEWIPC));
	oci_config_free(c);
}

int main(void)
{
	RUN(t_minimal);
	RUN(t_errors_name_what_is_wrong);
	RUN(t_mount_options);
	RUN(t_numbers_past_s64);
	RUN(t_capability_names);
	RUN(t_namespaces);
	return test_done();
}
