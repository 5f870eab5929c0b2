/* SPDX-License-Identifier: Apache-2.0 */
#include "host/rootless.h"

#include "host/paths.h"
#include "host/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMBERS_MAX 4096u      /* processes in RUNTIME/userns */
#define SUBID_BYTES (1u << 20) /* of /etc/subuid */
#define NAME_MAX_LEN 64u       /* of a user */
#define ALL_IDS 0xffffffffu    /* user_namespaces(7): the initial map is 0 0 4294967295 */
#define MAP_ARGS (2 + 3 * (1 + ROOTLESS_RANGES) + 1)

/* ---- subordinate IDs ---- */

static bool number(const char *s, size_t len, u32 *out)
{
	u64 n = 0;

	if (!len || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (u64)(s[i] - '0');
	}
	*out = (u32)n;
	return n < ALL_IDS;
}

/* One line NAME:START:COUNT, without its end. */
static bool parse_line(const char *s, size_t len, const char *name, u32 uid, struct id_range *out)
{
	const char *a = memchr(s, ':', len), *b;
	size_t who = a ? (size_t)(a - s) : 0;
	u32 id;

	if (!who || !(b = memchr(a + 1, ':', len - who - 1)))
		return false;
	if (!(who == strlen(name) && !memcmp(s, name, who)) && !(number(s, who, &id) && id == uid))
		return false;
	return number(a + 1, (size_t)(b - a - 1), &out->start) &&
	       number(b + 1, len - (size_t)(b + 1 - s), &out->count) && out->count && out->start &&
	       (u64)out->start + out->count <= ALL_IDS;
}

unsigned rootless_ranges(const char *text, const char *name, u32 uid, struct id_range *out)
{
	unsigned n = 0;

	while (*text && n < ROOTLESS_RANGES) {
		size_t len = strcspn(text, "\n");

		n += parse_line(text, len, name, uid, &out[n]);
		text += len + (text[len] == '\n');
	}
	return n;
}

/* The file's ranges of this user; a file that is not there has none. */
static unsigned ranges_of(const char *path, const char *name, u32 uid, struct id_range *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : calloc(1, SUBID_BYTES);
	unsigned n = 0;

	if (text && read(fd, text, SUBID_BYTES - 1) > 0)
		n = rootless_ranges(text, name, uid, out);
	free(text);
	if (fd >= 0)
		close(fd);
	return n;
}

/* ---- the maps ---- */

struct ids {
	char name[NAME_MAX_LEN];
	u32 uid, gid;
	struct id_range u[ROOTLESS_RANGES], g[ROOTLESS_RANGES];
	unsigned nu, ng;
};

static void find_ids(struct ids *ids)
{
	struct passwd *pw;

	*ids = (struct ids){.uid = geteuid(), .gid = getegid()};
	pw = getpwuid(ids->uid);
	snprintf(ids->name, sizeof(ids->name), "%s", pw ? pw->pw_name : "");
	ids->nu = ranges_of("/etc/subuid", ids->name, ids->uid, ids->u);
	ids->ng = ranges_of("/etc/subgid", ids->name, ids->uid, ids->g);
}

static u64 count_ids(const struct id_range *r, unsigned n)
{
	u64 sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += r[i].count;
	return sum;
}

static bool have_helpers(void)
{
	return proc_found("newuidmap") && proc_found("newgidmap");
}

void rootless_look(struct rootless_ids *out)
{
	struct ids *ids = malloc(sizeof(*ids));

	*out = (struct rootless_ids){.helpers = have_helpers()};
	if (!ids)
		return;
	find_ids(ids);
	snprintf(out->name, sizeof(out->name), "%s", ids->name);
	out->uids = count_ids(ids->u, ids->nu);
	out->gids = count_ids(ids->g, ids->ng);
	free(ids);
}

/* newuidmap PID 0 OWN 1 1 START COUNT ... */
static int run_newmap(const char *program, pid_t pid, u32 own, const struct id_range *r, unsigned n,
		      struct err *e)
{
	char text[MAP_ARGS][12];
	const char *argv[MAP_ARGS + 1] = {program};
	unsigned at = 1;
	u64 next = 1;

	snprintf(text[at++], 12, "%d", pid);
	snprintf(text[at++], 12, "0");
	snprintf(text[at++], 12, "%u", own);
	snprintf(text[at++], 12, "1");
	for (unsigned i = 0; i < n && next + r[i].count < ALL_IDS; next += r[i++].count) {
		snprintf(text[at++], 12, "%u", (u32)next);
		snprintf(text[at++], 12, "%u", r[i].start);
		snprintf(text[at++], 12, "%u", r[i].count);
	}
	for (unsigned i = 1; i < at; i++)
		argv[i] = text[i];
	argv[at] = NULL;
	return proc_run(argv, NULL, NULL, 0, e);
}

/* In a process that stays outside: maps the process pid once it says that it is inside. */
static __attribute__((noreturn)) void map_from_outside(const struct ids *ids, pid_t pid, int go,
						       int report)
{
	struct err e = {0};
	char byte;
	int ret;

	if (read(go, &byte, 1) != 1)
		_exit(1);
	ret = run_newmap("newuidmap", pid, ids->uid, ids->u, ids->nu, &e);
	if (!ret)
		ret = run_newmap("newgidmap", pid, ids->gid, ids->g, ids->ng, &e);
	if (ret && write(report, &e, sizeof(e)) != sizeof(e))
		_exit(2);
	_exit(ret ? 1 : 0);
}

static int unshare_user(struct err *e)
{
	if (!unshare(CLONE_NEWUSER))
		return 0;
	return err_set(
		e, errno,
		"this host lets you make no user namespace (%s): as root, look at the sysctls "
		"user.max_user_namespaces and kernel.unprivileged_userns_clone, or run hull "
		"as root",
		strerror(errno));
}

static int wait_mapped(pid_t helper, int report, struct err *e)
{
	struct err why = {0};
	ssize_t n = read(report, &why, sizeof(why));
	int status = 1;

	while (waitpid(helper, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	why.msg[sizeof(why.msg) - 1] = 0;
	return err_set(e, EPERM, "the IDs of /etc/subuid and /etc/subgid cannot be used: %s",
		       n == sizeof(why) && why.status ? why.msg : "newuidmap did not end well");
}

static int map_ranges(const struct ids *ids, struct err *e)
{
	int go[2], report[2], ret;
	pid_t self = getpid(), helper;

	if (!have_helpers())
		return err_set(e, ENOENT,
			       "%s has IDs in /etc/subuid, but newuidmap and newgidmap are not "
			       "installed (Debian: uidmap)",
			       ids->name);
	if (pipe2(go, O_CLOEXEC) || pipe2(report, O_CLOEXEC))
		return err_errno(e, "pipe");
	helper = fork();
	if (!helper) {
		close(go[1]);
		map_from_outside(ids, self, go[0], report[1]);
	}
	close(report[1]);
	ret = helper < 0 ? err_errno(e, "cannot start a process") : unshare_user(e);
	if (!ret && write(go[1], "", 1) != 1)
		ret = err_errno(e, "cannot start newuidmap");
	close(go[1]);
	if (helper > 0 && !ret)
		ret = wait_mapped(helper, report[0], e);
	else if (helper > 0)
		waitpid(helper, NULL, 0);
	close(go[0]);
	close(report[0]);
	return ret;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok ? 0 : -1;
}

/* user_namespaces(7): one ID may be mapped by its owner, a group only once setgroups is denied. */
static int map_one(const struct ids *ids, struct err *e)
{
	char uid[40], gid[40];
	int ret = unshare_user(e);

	if (ret)
		return ret;
	snprintf(uid, sizeof(uid), "0 %u 1\n", ids->uid);
	snprintf(gid, sizeof(gid), "0 %u 1\n", ids->gid);
	if (write_text("/proc/self/setgroups", "deny") || write_text("/proc/self/uid_map", uid) ||
	    write_text("/proc/self/gid_map", gid))
		return err_errno(e, "cannot map the user ID");
	return 0;
}

static int make_space(struct err *e)
{
	struct ids *ids = malloc(sizeof(*ids));
	int ret;

	if (!ids)
		return err_set(e, ENOMEM, "out of memory");
	find_ids(ids);
	ret = ids->nu && ids->ng ? map_ranges(ids, e) : map_one(ids, e);
	free(ids);
	return ret;
}

/* ---- who is in it ---- */

struct member {
	int pid;
	unsigned long long inode; /* of its user namespace */
};

struct members {
	struct member v[MEMBERS_MAX];
	unsigned n;
};

static void space_path(int pid, char out[40])
{
	if (pid)
		snprintf(out, 40, "/proc/%d/ns/user", pid);
	else
		snprintf(out, 40, "/proc/self/ns/user");
}

/* Its user namespace: 0 if there is no such process, or not ours to see. */
static unsigned long long space_of(int pid)
{
	struct stat st;
	char path[40];

	space_path(pid, path);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* Those that are still there. */
static void members_read(FILE *f, struct members *m)
{
	struct member x;

	m->n = 0;
	while (m->n < MEMBERS_MAX && fscanf(f, "%d %llu", &x.pid, &x.inode) == 2)
		if (x.pid > 0 && x.inode && space_of(x.pid) == x.inode)
			m->v[m->n++] = x;
}

static void members_write(FILE *f, const struct members *m)
{
	rewind(f);
	if (ftruncate(fileno(f), 0))
		return; /* stale lines do no harm */
	for (unsigned i = 0; i < m->n; i++)
		fprintf(f, "%d %llu\n", m->v[i].pid, m->v[i].inode);
	fprintf(f, "%d %llu\n", getpid(), space_of(0));
}

static bool join(const struct members *m)
{
	char path[40];

	for (unsigned i = 0; i < m->n; i++) {
		int fd, ret;

		space_path(m->v[i].pid, path);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ret = fd < 0 ? -1 : setns(fd, CLONE_NEWUSER);
		if (fd >= 0)
			close(fd);
		if (!ret)
			return true;
	}
	return false;
}

/* The list, locked until it is closed. */
static FILE *open_list(struct err *e)
{
	char dir[PATHS_MAX], path[PATHS_MAX];
	FILE *f;
	int fd;

	if (paths_runtime(dir, e) || paths_make_dir(dir, 0700, e) ||
	    paths_format(path, e, "%s/userns", dir)) {
		err_wrap(e, "no runtime directory (set XDG_RUNTIME_DIR to one of yours)");
		return NULL;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	f = fd < 0 || flock(fd, LOCK_EX) ? NULL : fdopen(fd, "r+e");
	if (!f) {
		err_errno(e, "runtime directory: %s", path);
		if (fd >= 0)
			close(fd);
	}
	return f;
}

static int fix_paths(struct err *e)
{
	char data[PATHS_MAX], run[PATHS_MAX];
	int ret = paths_data(data, e);

	if (ret || (ret = paths_runtime(run, e)))
		return ret;
	return setenv("HULL_DATA", data, 1) || setenv("HULL_RUNTIME", run, 1)
		       ? err_errno(e, "environment")
		       : 0;
}

int rootless_enter(struct err *e)
{
	struct members *m;
	FILE *f;
	int ret;

	if (!geteuid())
		return 0;
	ret = fix_paths(e);
	if (ret)
		return ret;
	f = open_list(e);
	if (!f)
		return e && e->status ? -e->status : -EIO;
	m = malloc(sizeof(*m));
	if (!m) {
		fclose(f);
		return err_set(e, ENOMEM, "out of memory");
	}
	members_read(f, m);
	ret = join(m) ? 0 : make_space(e);
	if (!ret)
		members_write(f, m);
	fclose(f);
	free(m);
	return ret;
}

void rootless_note(void)
{
	FILE *f = rootless() ? open_list(NULL) : NULL;

	if (!f)
		return;
	fseek(f, 0, SEEK_END);
	fprintf(f, "%d %llu\n", getpid(), space_of(0));
	fclose(f);
}
