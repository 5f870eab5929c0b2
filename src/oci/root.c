/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/root.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RESOLVE (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
#define MAX_LINKS 40  /* path_resolution(7) */
#define MAX_RETRY 128 /* openat2(2): EAGAIN while something is renamed */

int root_open(int root, const char *path, int flags, unsigned mode)
{
	int fd = -1;

	for (int i = 0; i < MAX_RETRY; i++) {
		fd = sys_openat2(root, path, (u64)flags, mode, RESOLVE);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd >= 0 ? fd : -errno;
}

/*
 * One step of making a path: name in the directory dir, which prefix leads to.
 * A dangling link is followed by rewriting path; returns 1 then.
 */
static int make_step(int dir, const char *prefix, const char *name, const char *rest, char *path,
		     unsigned mode)
{
	char link[PATH_MAX], full[PATH_MAX];
	ssize_t n;
	int len;

	if (mkdirat(dir, name, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	n = readlinkat(dir, name, link, sizeof(link) - 1);
	if (n <= 0)
		return 0; /* somebody else made it meanwhile */
	link[n] = 0;
	len = snprintf(full, sizeof(full), "%s/%s/%s", link[0] == '/' ? "" : prefix, link, rest);
	if (len >= (int)sizeof(full))
		return -(errno = ENAMETOOLONG);
	memcpy(path, full, (size_t)len + 1);
	return 1;
}

/* Walks path from the root, making what is missing: directory fd, or -errno. *again: path was
 * rewritten. */
static int make_walk(int root, char *path, unsigned mode, bool *again)
{
	int dir = root_open(root, "/", O_PATH | O_DIRECTORY, 0), next, ret;
	char prefix[PATH_MAX] = "/", name[NAME_MAX + 1];
	size_t plen = 1;

	for (const char *s = path; dir >= 0;) {
		size_t n;

		s += strspn(s, "/");
		n = strcspn(s, "/");
		if (!n)
			break;
		if (n > NAME_MAX || plen + n + 2 > sizeof(prefix)) {
			close(dir);
			return -(errno = ENAMETOOLONG);
		}
		memcpy(name, s, n);
		name[n] = 0;
		memcpy(prefix + plen, name, n + 1);
		next = root_open(root, prefix, O_PATH | O_DIRECTORY, 0);
		if (next == -ENOENT) {
			prefix[plen] = 0;
			ret = make_step(dir, prefix, name, s + n, path, s[n] ? 0755 : mode);
			prefix[plen] = name[0];
			if (ret) {
				close(dir);
				*again = ret > 0;
				return ret < 0 ? ret : -ELOOP;
			}
			next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			next = next < 0 ? -errno : next;
		}
		close(dir);
		dir = next;
		plen += n;
		prefix[plen++] = '/';
		prefix[plen] = 0;
		s += n;
	}
	return dir;
}

int root_make_dir(int root, const char *path, unsigned mode)
{
	int fd = root_open(root, path, O_PATH | O_DIRECTORY, 0);
	char copy[PATH_MAX];

	if (fd != -ENOENT)
		return fd;
	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -(errno = ENAMETOOLONG);
	for (int i = 0; i < MAX_LINKS; i++) {
		bool again = false;

		fd = make_walk(root, copy, mode, &again);
		if (!again)
			break;
	}
	if (fd < 0)
		errno = -fd;
	return fd;
}

int root_make_parent(int root, const char *path, const char **name)
{
	size_t len = strlen(path);
	const char *slash;
	char dir[PATH_MAX];

	slash = memrchr(path, '/', len);
	*name = slash ? slash + 1 : path;
	if (!**name || !strcmp(*name, ".") || !strcmp(*name, ".."))
		return -(errno = EINVAL);
	len = slash ? (size_t)(slash - path) : 0;
	if (len >= sizeof(dir))
		return -(errno = ENAMETOOLONG);
	memcpy(dir, path, len);
	dir[len] = 0;
	return root_make_dir(root, len ? dir : "/", 0755);
}

/* A file where a (possibly dangling) link stands: made at the link's end, inside the root. */
static int make_file_at(int root, char *path, bool *again)
{
	char link[PATH_MAX], full[PATH_MAX];
	const char *name;
	int dir = root_make_parent(root, path, &name), fd;
	ssize_t n;

	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST) {
		n = readlinkat(dir, name, link, sizeof(link) - 1);
		if (n > 0) {
			link[n] = 0;
			if (snprintf(full, sizeof(full), "%.*s/%s",
				     link[0] == '/' ? 0 : (int)(name - path), path,
				     link) < (int)sizeof(full)) {
				strcpy(path, full);
				*again = true;
			}
		}
	}
	n = errno;
	close(dir);
	errno = (int)n;
	if (fd < 0)
		return -errno;
	close(fd);
	*again = true; /* resolve it once more, whole */
	return -EAGAIN;
}

int root_make_file(int root, const char *path)
{
	char copy[PATH_MAX];
	int fd = -ELOOP;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -(errno = ENAMETOOLONG);
	for (int i = 0; i < MAX_LINKS; i++) {
		bool again = false;

		fd = root_open(root, copy, O_PATH, 0);
		if (fd != -ENOENT)
			break;
		fd = make_file_at(root, copy, &again);
		if (!again)
			break;
	}
	if (fd < 0)
		errno = -fd;
	return fd;
}
