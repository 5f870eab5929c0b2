/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/state.h"
#include "oci/door.h"
#include "oci/sys.h"

#include "host/paths.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

int state_check_id(const char *id, struct err *e)
{
	size_t n = id ? strlen(id) : 0;
	bool ok = n > 0 && n <= OCI_ID_MAX && id[0] != '.';

	for (size_t i = 0; ok && i < n; i++)
		ok = isalnum((unsigned char)id[i]) || strchr("_+-.", id[i]);
	if (ok)
		return 0;
	return err_set(
		e, EINVAL,
		"invalid container ID format \"%.60s\": invalid character in container ID; use "
		"letters, digits and _ + - . (not first), at most %d",
		id ? id : "", OCI_ID_MAX);
}

static struct oci_container *handle(const struct oci_where *w)
{
	struct oci_container *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->dir = c->pidfd = -1;
	c->root = strdup(w->root);
	c->id = strdup(w->id);
	if (c->root && c->id)
		return c;
	oci_close(c);
	return NULL;
}

static char *now(void)
{
	struct timespec ts;
	struct tm tm;
	char day[32], *out;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	return asprintf(&out, "%s.%09ldZ", day, ts.tv_nsec) < 0 ? NULL : out;
}

/* Opens ROOT/ID, making it; the usual case of an existing ROOT first. */
static int make_dir(struct oci_container *c, struct err *e)
{
	char path[4096];
	int ret;

	if (snprintf(path, sizeof(path), "%s/%s", c->root, c->id) >= (int)sizeof(path))
		return err_set(e, ENAMETOOLONG, "state directory's name is too long");
	ret = mkdir(path, 0711) ? -errno : 0;
	if (ret == -ENOENT) {
		ret = paths_make_dir(c->root, 0700, e);
		if (ret)
			return ret;
		ret = mkdir(path, 0711) ? -errno : 0;
	}
	if (ret == -EEXIST)
		return err_set(e, EEXIST, "container with given ID already exists: %s", c->id);
	c->dir = ret ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir >= 0)
		return 0;
	if (ret)
		errno = -ret;
	return err_errno(e, "state directory %s", path);
}

int state_create(const struct oci_where *w, const char *bundle, struct oci_container **out,
		 struct err *e)
{
	struct oci_container *c;
	int ret = state_check_id(w->id, e);

	*out = NULL;
	if (ret)
		return ret;
	c = handle(w);
	if (!c)
		return err_set(e, ENOMEM, "out of memory");
	c->bundle = realpath(bundle, NULL);
	c->created = now();
	ret = c->bundle ? 0 : err_errno(e, "bundle %s", bundle);
	if (!ret)
		ret = make_dir(c, e);
	if (ret) {
		oci_close(c);
		return ret;
	}
	*out = c;
	return 0;
}

/* A new file replaces the old one whole. */
static int write_json(struct oci_container *c, const char *name, json_t *j, struct err *e)
{
	char *text = json_dumps(j, JSON_COMPACT), tmp[64];
	size_t len = text ? strlen(text) : 0;
	int fd, ret = 0;

	snprintf(tmp, sizeof(tmp), ".%s", name);
	fd = text ? openat(c->dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	if (fd < 0 || write(fd, text, len) != (ssize_t)len || renameat(c->dir, tmp, c->dir, name))
		ret = err_errno(e, "write %s/%s/%s", c->root, c->id, name);
	fd_close(&fd);
	free(text);
	return ret;
}

int state_save_config(struct oci_container *c, const struct oci_config *config, struct err *e)
{
	return write_json(c, "config.json", config->root, e);
}

int state_save(struct oci_container *c, struct err *e)
{
	json_t *j = json_pack("{s:s,s:s,s:i,s:I,s:s,s:s,s:s,s:o}", "ociVersion", OCI_SPEC_VERSION,
			      "id", c->id, "pid", c->pid, "startTime", (json_int_t)c->start_time,
			      "bundle", c->bundle, "rootfs", c->rootfs, "created", c->created,
			      "cgroup", cgroup_to_json(&c->cgroup));
	int ret = j ? write_json(c, "state.json", j, e) : err_set(e, ENOMEM, "out of memory");

	json_decref(j);
	return ret;
}

u64 state_start_time(pid_t pid)
{
	char path[32], text[1024], *s;
	u64 start = 0;
	char st;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (pid <= 0 || fd_read_text(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return 0;
	/* The name in parentheses may hold anything; the last ")" ends it. */
	s = strrchr(text, ')');
	if (!s || sscanf(s + 1, " %c", &st) != 1 || st == 'Z' || st == 'X')
		return 0;
	/* Field 3 follows the name; 22 is 19 fields on. */
	s += 2;
	for (int i = 3; s && i < 22; i++) {
		s = strchr(s, ' ');
		s += s != NULL;
	}
	return s && sscanf(s, "%llu", (unsigned long long *)&start) == 1 ? start : 0;
}

static int read_json(struct oci_container *c, const char *name, json_t **out, struct err *e)
{
	int fd = openat(c->dir, name, O_RDONLY | O_CLOEXEC);
	json_error_t je;
	char *text;
	size_t len;

	if (fd < 0)
		return err_errno(e, "open %s/%s/%s", c->root, c->id, name);
	text = fd_read_all(fd, OCI_CONFIG_BYTES * 2, &len);
	close(fd);
	*out = text ? json_loadb(text, len, 0, &je) : NULL;
	if (text && !*out && json_error_code(&je) == json_error_numeric_overflow)
		*out = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, &je);
	free(text);
	return *out ? 0 : err_set(e, EINVAL, "%s/%s/%s is damaged", c->root, c->id, name);
}

int state_load_config(struct oci_container *c, struct err *e)
{
	json_t *j = NULL;
	int ret;

	if (c->config)
		return 0;
	ret = read_json(c, "config.json", &j, e);
	if (ret)
		return ret;
	ret = oci_config_from_json(j, &c->config, e);
	json_decref(j);
	return ret;
}

static char *dup_str(json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return strdup(s ? s : "");
}

static int fill(struct oci_container *c, json_t *j, struct err *e)
{
	c->bundle = dup_str(j, "bundle");
	c->rootfs = dup_str(j, "rootfs");
	c->created = dup_str(j, "created");
	c->pid = (pid_t)json_integer_value(json_object_get(j, "pid"));
	c->start_time = (u64)json_integer_value(json_object_get(j, "startTime"));
	if (!c->bundle || !c->rootfs || !c->created)
		return err_set(e, ENOMEM, "out of memory");
	if (c->pid > 0) {
		c->pidfd = sys_pidfd_open(c->pid);
		/* The number may be somebody else's by now. */
		if (c->pidfd >= 0 && state_start_time(c->pid) != c->start_time)
			fd_close(&c->pidfd);
	}
	return cgroup_from_json(json_object_get(j, "cgroup"), &c->cgroup, e);
}

int oci_open(const struct oci_where *w, struct oci_container **out, struct err *e)
{
	struct oci_container *c;
	char path[4096];
	json_t *j = NULL;
	int ret = state_check_id(w->id, e);

	*out = NULL;
	if (ret)
		return ret;
	c = handle(w);
	if (!c)
		return err_set(e, ENOMEM, "out of memory");
	if (snprintf(path, sizeof(path), "%s/%s", w->root, w->id) < (int)sizeof(path))
		c->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir < 0)
		ret = errno == ENOENT ? err_set(e, ENOENT, "container does not exist: %s", w->id)
				      : err_errno(e, "open %s", path);
	/* Without state.json creating it was cut short: still there to be deleted. */
	if (!ret && faccessat(c->dir, "state.json", F_OK, 0) == 0)
		ret = read_json(c, "state.json", &j, e);
	if (!ret)
		ret = fill(c, j, e);
	json_decref(j);
	if (ret) {
		oci_close(c);
		return ret;
	}
	*out = c;
	return 0;
}

void oci_close(struct oci_container *c)
{
	if (!c)
		return;
	fd_close(&c->dir);
	fd_close(&c->pidfd);
	cgroup_free(&c->cgroup);
	oci_config_free(c->config);
	free(c->root);
	free(c->id);
	free(c->bundle);
	free(c->rootfs);
	free(c->created);
	free(c);
}

void state_remove(struct oci_container *c)
{
	static const char *const files[] = {STATE_FIFO,	   DOOR_NAME,	  "state.json",
					    "config.json", ".state.json", ".config.json"};
	char path[4096];

	if (c->removed)
		return;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlinkat(c->dir, files[i], 0);
	if (snprintf(path, sizeof(path), "%s/%s", c->root, c->id) < (int)sizeof(path))
		rmdir(path);
	c->removed = true;
}

bool state_is_created(const struct oci_container *c)
{
	return faccessat(c->dir, STATE_FIFO, F_OK, 0) == 0;
}
