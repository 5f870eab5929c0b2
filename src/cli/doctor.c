/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull doctor`: what this host can do for hull, one line each.
 */
#include "cli/cli.h"
#include "core/engine.h"
#include "host/paths.h"
#include "host/proc.h"
#include "host/rootless.h"
#include "run/initrd.h"
#include "vm/engines.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

struct doctor {
	json_t *array; /* NULL: print text */
};

static void report(struct doctor *d, bool ok, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void report(struct doctor *d, bool ok, const char *what, const char *fmt, ...)
{
	char text[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (d->array)
		json_array_append_new(d->array, json_pack("{s:s, s:b, s:s}", "check", what, "ok",
							  ok, "note", text));
	else
		printf("%-5s %-16s %s\n", ok ? "ok" : "warn", what, text);
}

static void check_host(struct doctor *d)
{
	struct utsname u;

	uname(&u);
	report(d, true, "host", "%s %s on %s, %ld CPUs, %llu MiB RAM", u.sysname, u.release,
	       u.machine, sysconf(_SC_NPROCESSORS_ONLN),
	       (unsigned long long)sysconf(_SC_PHYS_PAGES) * (u64)sysconf(_SC_PAGESIZE) >> 20);
}

static void check_engines(struct doctor *d)
{
	for (unsigned i = 0; i < ENGINES; i++) {
		const struct engine_ops *ops = engines_all[i];
		struct engine_info info = {0};
		char what[32];

		ops->probe(&info, NULL);
		snprintf(what, sizeof(what), "engine %s", ops->name);
		report(d, info.usable && info.fast, what, "%s%s%s",
		       !info.usable ? "unusable"
		       : !info.fast ? "usable, but slow"
				    : "usable",
		       info.note[0] ? ": " : "", info.note);
	}
}

struct feature {
	const char *name;
	u32 leaf, reg, bit; /* reg: 0 eax, 1 ebx, 2 ecx, 3 edx; subleaf 0 */
};

/* Intel SDM vol. 2A, CPUID. What the jit engine makes use of. */
static const struct feature features[] = {
	{"sse4.2", 1, 2, 20}, {"avx", 1, 2, 28},     {"avx2", 7, 1, 5},	    {"bmi1", 7, 1, 3},
	{"bmi2", 7, 1, 8},    {"fsgsbase", 7, 1, 0}, {"avx512f", 7, 1, 16}, {"pku", 7, 2, 3},
	{"aes", 1, 2, 25},    {"xsave", 1, 2, 26},
};

static void check_cpu(struct doctor *d)
{
	char have[160] = "", missing[160] = "";
	bool need = true;

	for (unsigned i = 0; i < ARRAY_LEN(features); i++) {
		const struct feature *f = &features[i];
		u32 r[4] = {0};
		char *to;

		if (!__get_cpuid_count(f->leaf, 0, &r[0], &r[1], &r[2], &r[3]))
			continue;
		to = r[f->reg] >> f->bit & 1 ? have : missing;
		strcat(strcat(to, " "), f->name);
		if (to == missing && (!strcmp(f->name, "fsgsbase") || !strcmp(f->name, "xsave")))
			need = false;
	}
	report(d, need, "cpu features", "has%s%s%s", have, missing[0] ? "; lacks" : "", missing);
}

/* Tries an unshare in a child, so that nothing changes here. */
static bool can_unshare(int flags)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(flags) ? 1 : 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void check_isolation(struct doctor *d)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	bool user = can_unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC);

	report(d, user, "namespaces",
	       user ? "user, mount, net, ipc: available"
		    : "cannot create user namespaces here: %s the sandbox does without",
	       geteuid() ? "unprivileged," : "");
	if (abi > 0)
		report(d, true, "landlock", "version %ld", abi);
	else
		report(d, false, "landlock", "not in this kernel: the sandbox does without");
	report(d, !access("/sys/fs/cgroup/cgroup.controllers", R_OK), "cgroups",
	       access("/sys/fs/cgroup/cgroup.controllers", R_OK) ? "no cgroup v2 at /sys/fs/cgroup"
								 : "version 2");
}

#define IMAGE_IDS 65536u /* 16 bits: what an image's owners are by custom */

/* What a user's containers and images have for owners other than himself. */
static void check_ids(struct doctor *d)
{
	struct rootless_ids ids;

	rootless_look(&ids);
	if (!ids.helpers)
		report(d, !geteuid(), "subordinate IDs",
		       "newuidmap and newgidmap are not installed (Debian: uidmap): containers and "
		       "images of users who are not root have one owner");
	else if (!geteuid())
		report(d, true, "subordinate IDs",
		       "root needs none; newuidmap and newgidmap are there for other users");
	else if (ids.uids && ids.gids)
		report(d, ids.uids >= IMAGE_IDS && ids.gids >= IMAGE_IDS, "subordinate IDs",
		       "%llu user IDs, %llu group IDs (images use up to %u); newuidmap and "
		       "newgidmap found",
		       (unsigned long long)ids.uids, (unsigned long long)ids.gids, IMAGE_IDS);
	else
		report(d, false, "subordinate IDs",
		       "no %s for %s: containers and images of yours have one owner; as root, "
		       "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s, with a "
		       "range nobody else has there",
		       ids.uids ? "/etc/subgid" : "/etc/subuid",
		       ids.name[0] ? ids.name : "this user", ids.name[0] ? ids.name : "NAME");
}

/* Programs hull runs, and what is missing without them. */
static const struct {
	const char *name, *purpose;
} tools[] = {
	{"apt-get", "hull kernel fetch"},
	{"dpkg-deb", "hull kernel fetch"},
	{"passt", "--net user"},
};

static void check_tools(struct doctor *d)
{
	char dir[PATHS_MAX];
	struct err e = {0};
	struct statvfs vfs;

	for (unsigned i = 0; i < ARRAY_LEN(tools); i++) {
		bool found = proc_found(tools[i].name);

		report(d, found, tools[i].name, "%s, needed for %s", found ? "found" : "not found",
		       tools[i].purpose);
	}
	if (paths_data(dir, &e))
		report(d, false, "data directory", "%s", e.msg);
	else if (statvfs(dir, &vfs))
		report(d, true, "data directory", "%s (not there yet)", dir);
	else
		report(d, true, "data directory", "%s, %llu MiB free", dir,
		       (unsigned long long)vfs.f_bavail * vfs.f_bsize >> 20);
}

/* Linux Documentation/admin-guide/binfmt-misc.rst; ELF64, little-endian, program, EM_PPC64. */
#define BINFMT_NAME "hull-ppc64le"
#define BINFMT_MAGIC "\\x7fELF\\x02\\x01\\x01" ZEROS "\\x02\\x00\\x15\\x00"
#define ZEROS "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
#define BINFMT_MASK                                                                                \
	"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfc\\xff\\xff"                                       \
	"\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff"

static void check_foreign(struct doctor *d)
{
	char program[PATHS_MAX];
	struct err e = {0};

	if (program_path("hull-foreign", program, &e))
		report(d, false, "foreign programs", "%s", e.msg);
	else if (!access("/proc/sys/fs/binfmt_misc/" BINFMT_NAME, F_OK))
		report(d, true, "foreign programs", "ppc64le: the kernel starts them by itself");
	else
		report(d, true, "foreign programs",
		       "ppc64le by hull exec-foreign; by the kernel itself after, as root, "
		       "printf '%%s' ':%s:M::%s:%s:%.200s:PF' >/proc/sys/fs/binfmt_misc/register",
		       BINFMT_NAME, BINFMT_MAGIC, BINFMT_MASK, program);
}

int cmd_doctor(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	struct doctor d = {0};
	struct err e = {0};
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0) {
		if (!opt)
			return cli_parse_end(self, err_set(&e, EINVAL, "takes no arguments"), &e);
		if (!d.array)
			d.array = json_array();
	}
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	check_host(&d);
	check_engines(&d);
	check_cpu(&d);
	check_isolation(&d);
	check_ids(&d);
	check_tools(&d);
	check_foreign(&d);
	if (d.array) {
		ret = json_dumpf(d.array, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(d.array);
	}
	return ret ? CLI_ERROR : CLI_OK;
}
