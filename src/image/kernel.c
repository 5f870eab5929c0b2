/* SPDX-License-Identifier: Apache-2.0 */
#include "image/kernel.h"

#include "host/proc.h"
#include "host/progress.h"
#include "image/apt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The aliases and the Debian meta packages that name their current version. */
static const struct {
	const char *alias, *package;
} kernel_aliases[] = {
	{"cloud", "linux-image-cloud-amd64"},
	{"generic", "linux-image-amd64"},
	{"ppc64le", "linux-image-powerpc64le"},
};

/* Guest architectures as hull and as Debian call them, and what to fetch if nothing is said. */
static const struct {
	const char *arch, *debian, *alias;
} kernel_archs[] = {
	{"x86_64", NULL, "cloud"}, /* the host's own */
	{"amd64", NULL, "cloud"},
	{"ppc64le", "ppc64el", "ppc64le"},
	{"ppc64el", "ppc64el", "ppc64le"},
};

static int store_dir(char *out, struct err *e)
{
	char data[PATHS_MAX];
	int ret = paths_data(data, e);

	return ret ? ret : paths_format(out, e, "%s/kernels", data);
}

/* Names become path components and package names: letters, digits and "-._+" only. */
static int check_name(const char *name, struct err *e)
{
	static const char ok[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._+";
	size_t n = strlen(name);

	if (!n || n > 100 || name[0] == '.' || name[0] == '-' || strspn(name, ok) != n)
		return err_set(e, EINVAL, "%.100s is no kernel name: use letters, digits and -._+",
			       name);
	return 0;
}

/* ---- reading the store ---- */

static void read_line(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");

	out[0] = 0;
	if (!f)
		return;
	if (!fgets(out, (int)size, f))
		out[0] = 0;
	out[strcspn(out, "\n")] = 0;
	fclose(f);
}

static int entry_read(const char *dir, const char *name, struct kernel_entry *k, struct err *e)
{
	char path[PATHS_MAX];
	ssize_t n;

	*k = (struct kernel_entry){0};
	snprintf(k->name, sizeof(k->name), "%s", name);
	if (paths_format(k->path, e, "%s/%s/vmlinuz", dir, name) ||
	    paths_format(k->modules, e, "%s/%s/modules", dir, name) ||
	    paths_format(path, e, "%s/%s/origin", dir, name))
		return -ENAMETOOLONG;
	if (access(k->path, R_OK))
		return err_set(e, ENOENT,
			       "no kernel named %s: see `hull kernel list`, or `hull kernel fetch`",
			       name);
	if (access(k->modules, R_OK))
		k->modules[0] = 0;
	read_line(path, k->origin, sizeof(k->origin));
	if (paths_format(path, e, "%s/%s", dir, name))
		return -ENAMETOOLONG;
	n = readlink(path, k->target, sizeof(k->target) - 1);
	k->target[n > 0 ? n : 0] = 0;
	return 0;
}

int kernel_find(const char *name, struct kernel_entry *out, struct err *e)
{
	char dir[PATHS_MAX];
	int ret = check_name(name, e);

	if (ret || (ret = store_dir(dir, e)))
		return ret;
	return entry_read(dir, name, out, e);
}

int kernel_resolve(const char *spec, char *path, struct err *e)
{
	struct kernel_entry k;
	int ret;

	if (strchr(spec, '/') || !access(spec, F_OK))
		return paths_format(path, e, "%s", spec);
	ret = kernel_find(spec, &k, e);
	if (ret == -ENOENT)
		return err_set(e, ENOENT,
			       "kernel %s: no such file, and no stored kernel of that name "
			       "(see `hull kernel list`)",
			       spec);
	return ret ? ret : paths_format(path, e, "%s", k.path);
}

int kernel_list(void (*fn)(void *opaque, const struct kernel_entry *k), void *opaque, struct err *e)
{
	char dir[PATHS_MAX];
	struct dirent **names;
	int n, ret = store_dir(dir, e);

	if (ret)
		return ret;
	n = scandir(dir, &names, NULL, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : err_errno(e, "%s", dir);
	for (int i = 0; i < n; i++) {
		struct kernel_entry k;

		if (names[i]->d_name[0] != '.' && !entry_read(dir, names[i]->d_name, &k, NULL))
			fn(opaque, &k);
		free(names[i]);
	}
	free(names);
	return 0;
}

/* ---- storing ---- */

static int remove_tree(const char *path)
{
	return proc_run((const char *const[]){"rm", "-rf", "--", path, NULL}, NULL, NULL, 0, NULL);
}

/* A fresh directory beside the final one, so that the last step is one rename. */
static int temp_dir(const char *store, char *out, struct err *e)
{
	int ret = paths_make_dir(store, 0755, e);

	if (ret || (ret = paths_format(out, e, "%s/.new-XXXXXX", store)))
		return ret;
	if (!mkdtemp(out))
		return err_errno(e, "cannot create a directory in %s", store);
	if (chmod(out, 0755))
		return err_errno(e, "%s", out);
	return 0;
}

static int write_origin(const char *dir, const char *text, struct err *e)
{
	char path[PATHS_MAX];
	FILE *f;
	int ret = paths_format(path, e, "%s/origin", dir);

	if (ret)
		return ret;
	f = fopen(path, "we");
	if (!f || fprintf(f, "%s\n", text) < 0 || fclose(f))
		return err_errno(e, "cannot write %s", path);
	return 0;
}

/* Puts the finished directory in place; an older one of that name goes. */
static int commit(const char *tmp, const char *store, const char *name, struct err *e)
{
	char final[PATHS_MAX];
	int ret = paths_format(final, e, "%s/%s", store, name);

	if (ret)
		return ret;
	if (rename(tmp, final)) {
		remove_tree(final);
		if (rename(tmp, final))
			return err_errno(e, "cannot rename %s to %s", tmp, final);
	}
	return 0;
}

static int add_into(const char *tmp, const char *image, const char *modules, struct err *e)
{
	char dst[PATHS_MAX], origin[200];
	struct file_map f;
	int ret = file_map_open("kernel", image, &f, e);

	if (ret)
		return ret;
	file_map_close(&f);
	if ((ret = paths_format(dst, e, "%s/vmlinuz", tmp)))
		return ret;
	ret = proc_run((const char *const[]){"cp", "--", image, dst, NULL}, NULL, NULL, 0, e);
	if (ret)
		return ret;
	if (modules) {
		paths_format(dst, NULL, "%s/modules", tmp);
		ret = proc_run((const char *const[]){"cp", "-rT", "--", modules, dst, NULL}, NULL,
			       NULL, 0, e);
		if (ret)
			return ret;
	}
	snprintf(origin, sizeof(origin), "file %s", image);
	return write_origin(tmp, origin, e);
}

int kernel_add(const char *name, const char *image, const char *modules, struct err *e)
{
	char store[PATHS_MAX], tmp[PATHS_MAX];
	int ret = check_name(name, e);

	if (ret || (ret = store_dir(store, e)) || (ret = temp_dir(store, tmp, e)))
		return ret;
	ret = add_into(tmp, image, modules, e);
	if (!ret)
		ret = commit(tmp, store, name, e);
	if (ret)
		remove_tree(tmp);
	return ret;
}

/* ---- fetching from Debian ---- */

static const char *alias_package(const char *alias)
{
	for (unsigned i = 0; i < ARRAY_LEN(kernel_aliases); i++)
		if (!strcmp(alias, kernel_aliases[i].alias))
			return kernel_aliases[i].package;
	return NULL;
}

/* The versioned image package that a meta package depends on. */
static int resolve_meta(const struct apt *apt, const char *meta, char *out, size_t size,
			struct err *e)
{
	static const char key[] = "Depends: linux-image-";
	char text[4096], *s;
	int ret = apt_run(apt, "apt-cache", (const char *const[]){"depends", meta, NULL}, NULL,
			  text, sizeof(text), NULL, NULL, e);

	if (ret)
		return err_wrap(e, "cannot look up %s (does `apt-get update` work here?)", meta);
	s = strstr(text, key);
	if (!s)
		return err_set(e, EIO, "%s names no kernel package: run `apt-get update`", meta);
	s += strlen("Depends: ");
	snprintf(out, size, "%.*s", (int)strcspn(s, " \n"), s);
	return 0;
}

struct package {
	char name[128]; /* linux-image-6.1.0-56-cloud-amd64 */
	char file[160]; /* name_version_arch.deb */
	u64 size;
};

/* What apt would download: 'uri' file size hash. */
static int package_look_up(const struct apt *apt, struct package *p, struct err *e)
{
	char text[2048];
	unsigned long long size;
	int ret = apt_run(apt, "apt-get",
			  (const char *const[]){"download", "--print-uris", "-qq", p->name, NULL},
			  NULL, text, sizeof(text), NULL, NULL, e);

	if (ret)
		return err_wrap(e, "cannot look up package %s (try `apt-get update`)", p->name);
	if (sscanf(text, "'%*[^']' %159s %llu", p->file, &size) != 2 || strchr(p->file, '/'))
		return err_set(e, EIO, "apt-get names no file to download for %s", p->name);
	p->size = size;
	return 0;
}

struct download {
	struct progress bar;
	const char *file;
};

static void download_tick(void *opaque)
{
	struct download *d = opaque;
	struct stat st;

	progress_at(&d->bar, stat(d->file, &st) ? 0 : (u64)st.st_size);
}

static int download(const struct apt *apt, const struct package *p, const char *tmp, struct err *e)
{
	char path[PATHS_MAX], what[160];
	struct download d = {.file = path};
	int ret = paths_format(path, e, "%s/%s", tmp, p->file);

	if (ret)
		return ret;
	snprintf(what, sizeof(what), "downloading %.100s", p->name);
	progress_begin(&d.bar, what, p->size);
	ret = apt_run(apt, "apt-get", (const char *const[]){"download", "-qq", p->name, NULL}, tmp,
		      NULL, 0, download_tick, &d, e);
	progress_end(&d.bar, !ret);
	return ret;
}

static void unpack_tick(void *opaque)
{
	progress_at(opaque, 0);
}

/* POWER's kernels are not compressed and called vmlinux. */
static int image_move(const char *x, const char *release, const char *to, struct err *e)
{
	static const char *const names[] = {"vmlinuz", "vmlinux"};
	char from[PATHS_MAX];

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		int ret = paths_format(from, e, "%s/boot/%s-%s", x, names[i], release);

		if (ret || !rename(from, to))
			return ret;
	}
	return err_errno(e, "the package holds no boot/vmlinuz-%s", release);
}

/* Unpacks into tmp/x and moves kernel and modules to where the store has them. */
static int unpack(const struct package *p, const char *tmp, struct err *e)
{
	const char *release = p->name + strlen("linux-image-");
	char deb[PATHS_MAX], x[PATHS_MAX], from[PATHS_MAX], to[PATHS_MAX];
	struct progress bar;
	int ret;

	if ((ret = paths_format(deb, e, "%s/%s", tmp, p->file)) ||
	    (ret = paths_format(x, e, "%s/x", tmp)))
		return ret;
	progress_begin(&bar, "unpacking", 0);
	ret = proc_run_ticking((const char *const[]){"dpkg-deb", "-x", deb, x, NULL}, NULL, NULL, 0,
			       unpack_tick, &bar, e);
	progress_end(&bar, !ret);
	if (ret)
		return ret;
	if ((ret = paths_format(to, e, "%s/vmlinuz", tmp)) || (ret = image_move(x, release, to, e)))
		return ret;
	paths_format(from, NULL, "%s/lib/modules/%s", x, release);
	paths_format(to, NULL, "%s/modules", tmp);
	if (rename(from, to) && errno != ENOENT)
		return err_errno(e, "cannot store the modules of %s", p->name);
	unlink(deb);
	return remove_tree(x);
}

static int fetch_package(const struct apt *apt, const struct package *p, const char *store,
			 const char *name, struct err *e)
{
	char tmp[PATHS_MAX];
	int ret = temp_dir(store, tmp, e);

	if (ret)
		return ret;
	if ((ret = download(apt, p, tmp, e)) || (ret = unpack(p, tmp, e)) ||
	    (ret = write_origin(tmp, p->file, e)) || (ret = commit(tmp, store, name, e)))
		remove_tree(tmp);
	return ret;
}

static int point_alias(const char *store, const char *alias, const char *name, struct err *e)
{
	char link[PATHS_MAX], tmp[PATHS_MAX];
	int ret;

	if ((ret = paths_format(link, e, "%s/%s", store, alias)) ||
	    (ret = paths_format(tmp, e, "%s/.link-%u", store, (unsigned)getpid())))
		return ret;
	unlink(tmp);
	if (symlink(name, tmp) || rename(tmp, link))
		return err_errno(e, "cannot point %s at %s", link, name);
	return 0;
}

/* The row of an architecture: its Debian name, and what to fetch if nothing is said. */
static int arch_find(const char *arch, const char **debian, const char **what, struct err *e)
{
	for (unsigned i = 0; i < ARRAY_LEN(kernel_archs); i++) {
		if (strcmp(arch, kernel_archs[i].arch) != 0)
			continue;
		*debian = kernel_archs[i].debian;
		*what = *what ? *what : kernel_archs[i].alias;
		return 0;
	}
	return err_set(e, EINVAL, "--arch %.40s: give x86_64 or ppc64le", arch);
}

int kernel_fetch(const char *arch, const char *what, char *out, struct err *e)
{
	const char *meta, *name, *debian = NULL;
	char store[PATHS_MAX];
	struct package p = {0};
	struct kernel_entry have;
	struct apt apt;
	int ret = arch_find(arch, &debian, &what, e);

	if (ret || (ret = check_name(what, e)) || (ret = store_dir(store, e)))
		return ret;
	meta = alias_package(what);
	if (!meta && strncmp(what, "linux-image-", 12))
		return err_set(e, EINVAL,
			       "%s is neither cloud, generic nor a linux-image-... package", what);
	if ((ret = apt_open(&apt, debian, e)))
		return ret;
	snprintf(p.name, sizeof(p.name), "%s", what);
	if (meta && (ret = resolve_meta(&apt, meta, p.name, sizeof(p.name), e)))
		return ret;
	if ((ret = check_name(p.name, e)) || (ret = package_look_up(&apt, &p, e)))
		return ret;
	name = p.name + strlen("linux-image-");
	if (kernel_find(name, &have, NULL) || strcmp(have.origin, p.file))
		ret = fetch_package(&apt, &p, store, name, e);
	if (!ret && meta)
		ret = point_alias(store, what, name, e);
	if (!ret)
		snprintf(out, 128, "%.127s", name);
	return ret;
}
