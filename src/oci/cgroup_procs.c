/* SPDX-License-Identifier: Apache-2.0 */
/* The processes in a container's groups: freezing, listing, killing them, and removing the groups.
 */
#include "oci/cgroup.h"
#include "oci/sys.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_DEPTH 32 /* of groups a container may have made below its own */

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static const char *freezer_file(const struct oci_cgroup *cg, const struct cgroup_dir **d)
{
	*d = cgroup_find(cg, "freezer");
	if (*d)
		return "freezer.state";
	*d = cgroup_find(cg, "");
	return "cgroup.freeze";
}

bool cgroup_frozen(const struct oci_cgroup *cg)
{
	const struct cgroup_dir *d;
	const char *file = freezer_file(cg, &d);
	char path[PATH_MAX], text[32];

	if (!d)
		return false;
	snprintf(path, sizeof(path), "%s/%s", d->path, file);
	if (fd_read_text(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return false;
	return !strcmp(text, "FROZEN") || !strcmp(text, "FREEZING") || !strcmp(text, "1");
}

int cgroup_check_free(const struct oci_cgroup *cg, struct err *e)
{
	const struct cgroup_dir *d, *freezer;
	char path[PATH_MAX], text[32];

	freezer_file(cg, &freezer);
	d = cgroup_main_dir(cg);
	if (!d || cg->unit)
		return 0;
	/* What is put into a frozen group never gets as far as to say so. */
	if (freezer && !freezer->made && cgroup_frozen(cg))
		return err_set(e, EBUSY, "container's cgroup unexpectedly frozen: %s",
			       freezer->path);
	if (d->made)
		return 0;
	snprintf(path, sizeof(path), "%s/cgroup.procs", d->path);
	if (fd_read_text(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return 0;
	return err_set(e, EBUSY, "container's cgroup is not empty: %s has processes", d->path);
}

static bool reached(const struct cgroup_dir *d, bool v1, bool freeze)
{
	char path[PATH_MAX], text[256];

	snprintf(path, sizeof(path), "%s/%s", d->path, v1 ? "freezer.state" : "cgroup.events");
	if (fd_read_text(AT_FDCWD, path, text, sizeof(text)) < 0)
		return true;
	if (v1)
		return !strcmp(text, freeze ? "FROZEN" : "THAWED");
	return strstr(text, freeze ? "frozen 1" : "frozen 0") != NULL;
}

int cgroup_freeze(const struct oci_cgroup *cg, bool freeze, struct err *e)
{
	const struct cgroup_dir *d;
	const char *file = freezer_file(cg, &d);
	bool v1 = file[0] == 'f';
	const char *want = v1 ? (freeze ? "FROZEN" : "THAWED") : (freeze ? "1" : "0");
	int ret;

	if (!d)
		return err_set(e, ENOTSUP, "no cgroup that could be frozen");
	for (int i = 0; i < 1000; i++) {
		ret = cgroup_write(d, file, want, e);
		if (ret)
			return ret;
		if (reached(d, v1, freeze))
			return 0;
		/* A v1 group that forks while it freezes can hang half way: thaw and try again. */
		if (v1 && freeze && i % 50 == 49)
			cgroup_write(d, file, "THAWED", NULL);
		sleep_ms(i < 50 ? 1 : 10);
	}
	cgroup_write(d, file, v1 ? "THAWED" : "0", NULL);
	return err_set(e, EBUSY, "cgroup %s does not %s", d->path, freeze ? "freeze" : "thaw");
}

/* ---- processes ---------------------------------------------------------- */

struct pids {
	pid_t *v;
	size_t n, size;
};

static int add_pid(struct pids *p, pid_t pid)
{
	if (p->n == p->size) {
		size_t size = p->size ? p->size * 2 : 64;
		pid_t *v = realloc(p->v, size * sizeof(*v));

		if (!v)
			return -ENOMEM;
		p->v = v;
		p->size = size;
	}
	p->v[p->n++] = pid;
	return 0;
}

static int read_procs(const char *dir, struct pids *out)
{
	char path[PATH_MAX], line[32];
	FILE *f;
	int ret = 0;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!ret && fgets(line, sizeof(line), f))
		ret = add_pid(out, atoi(line));
	fclose(f);
	return ret;
}

/* Calls fn on every group below dir, deepest first. */
static int walk(const char *dir, unsigned depth, int (*fn)(const char *, void *), void *opaque)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	char path[PATH_MAX];
	int ret = 0;

	while (d && !ret && depth < MAX_DEPTH && (de = readdir(d))) {
		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, de->d_name) < (int)sizeof(path))
			ret = walk(path, depth + 1, fn, opaque);
	}
	if (d)
		closedir(d);
	return ret ? ret : fn(dir, opaque);
}

static int walk_procs(const char *dir, void *opaque)
{
	int ret = read_procs(dir, opaque);

	/* A threaded group answers EOPNOTSUPP, one that just went ENOENT or ENODEV. */
	return ret == -ENOMEM ? ret : 0;
}

int cgroup_pids(const struct oci_cgroup *cg, pid_t **pids, size_t *n, struct err *e)
{
	const struct cgroup_dir *d = cgroup_main_dir(cg);
	struct pids p = {0};

	*pids = NULL;
	*n = 0;
	if (d && walk(d->path, 0, walk_procs, &p)) {
		free(p.v);
		return err_set(e, ENOMEM, "out of memory");
	}
	*pids = p.v;
	*n = p.n;
	return 0;
}

bool cgroup_is_ours(const struct oci_cgroup *cg)
{
	const struct cgroup_dir *d = cgroup_main_dir(cg);

	return d && d->made;
}

int cgroup_kill(const struct oci_cgroup *cg, int sig, struct err *e)
{
	const struct cgroup_dir *v2 = cgroup_find(cg, "");
	size_t n = 0, before = (size_t)-1;
	pid_t *pids;
	int ret;

	if (sig == SIGKILL && v2 && cg->v2 && cgroup_write(v2, "cgroup.kill", "1", NULL) == 0)
		return 0;
	for (int i = 0; i < 10; i++) {
		ret = cgroup_pids(cg, &pids, &n, e);
		if (ret)
			return ret;
		for (size_t k = 0; k < n; k++)
			kill(pids[k], sig);
		free(pids);
		if (!n || sig != SIGKILL || (before == n && i > 3))
			break;
		before = n;
		sleep_ms(1);
	}
	return 0;
}

static int walk_rmdir(const char *dir, void *opaque)
{
	bool *busy = opaque;

	if (rmdir(dir) && errno != ENOENT)
		*busy = true;
	return 0;
}

int cgroup_destroy(const struct oci_cgroup *cg, struct err *e)
{
	int ret = 0;

	if (cg->unit)
		cgroup_systemd_stop(cg);
	for (unsigned i = 0; i < cg->n; i++) {
		const struct cgroup_dir *d = &cg->d[i];
		bool busy = false;

		if (!d->made || rmdir(d->path) == 0 || errno == ENOENT)
			continue;
		/* The last process may still be on its way out. */
		for (int k = 0; k < 500; k++) {
			busy = false;
			walk(d->path, 0, walk_rmdir, &busy);
			if (!busy)
				break;
			sleep_ms(k < 20 ? 1 : 10);
		}
		if (busy && !ret)
			ret = err_set(e, EBUSY,
				      "cgroup %s cannot be removed: processes remain in it",
				      d->path);
	}
	return ret;
}

void cgroup_free(struct oci_cgroup *cg)
{
	for (unsigned i = 0; i < cg->n; i++) {
		free(cg->d[i].controllers);
		free(cg->d[i].path);
		free(cg->d[i].root);
	}
	free(cg->unit);
	*cg = (struct oci_cgroup){0};
}
