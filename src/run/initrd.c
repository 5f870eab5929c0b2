/* SPDX-License-Identifier: Apache-2.0 */
#include "run/initrd.h"

#include "host/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What hull-init asks for by name; what they need comes along. */
static const char *const modules[] = {
	"virtio_pci", "vmw_vsock_virtio_transport", "virtio_blk", "erofs", "overlay", "virtio_net",
	"virtiofs",
};

#define MODULES_MAX 40u
#define DEPTH_MAX 16u
#define NAME_LEN 64u

struct archive {
	FILE *f;
	unsigned ino;
	const char *dir; /* the kernel's modules */
	char done[MODULES_MAX][NAME_LEN];
	unsigned ndone;
};

int program_path(const char *name, char *path, struct err *e)
{
	char self[PATHS_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return err_errno(e, "/proc/self/exe");
	self[n] = 0;
	slash = strrchr(self, '/');
	*slash = 0;
	if (paths_format(path, e, "%s/%s", self, name) || !access(path, X_OK))
		return 0;
	if (paths_format(path, e, "%s/../libexec/hull/%s", self, name) || !access(path, X_OK))
		return 0;
	return err_set(e, ENOENT, "%s is neither in %s nor in %s/../libexec/hull", name, self,
		       self);
}

/* ---- cpio, Linux Documentation/driver-api/early-userspace/buffer-format.rst ---- */

static void pad(struct archive *a)
{
	while (ftell(a->f) % 4)
		fputc(0, a->f);
}

static void entry(struct archive *a, const char *name, u32 mode, const void *data, u64 size,
		  unsigned major, unsigned minor)
{
	fprintf(a->f, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++a->ino, mode,
		0, 0, 1, 0, (unsigned)size, 0, 0, major, minor, (unsigned)strlen(name) + 1, 0);
	fwrite(name, strlen(name) + 1, 1, a->f);
	pad(a);
	if (size)
		fwrite(data, size, 1, a->f);
	pad(a);
}

static int add_file(struct archive *a, const char *name, const char *path, u32 mode, struct err *e)
{
	struct file_map f;
	int ret = file_map_open("initial RAM disk", path, &f, e);

	if (ret)
		return ret;
	entry(a, name, S_IFREG | mode, f.data, f.size, 0, 0);
	file_map_close(&f);
	return 0;
}

/* ---- modules ---- */

/* Module names have '_' where file names may have '-'. */
static bool same_module(const char *file, const char *name)
{
	for (; *name; file++, name++)
		if (*file != *name && !(*file == '-' && *name == '_'))
			return false;
	return !strcmp(file, ".ko");
}

static bool find_below(const char *dir, const char *name, unsigned depth, char *out)
{
	DIR *d = depth ? opendir(dir) : NULL;
	struct dirent *de;
	bool found = false;

	while (d && !found && (de = readdir(d))) {
		if (de->d_name[0] == '.' || paths_format(out, NULL, "%s/%s", dir, de->d_name))
			continue;
		if (de->d_type == DT_DIR) {
			char sub[PATHS_MAX];

			memcpy(sub, out, sizeof(sub));
			found = find_below(sub, name, depth - 1, out);
		} else {
			found = same_module(de->d_name, name);
		}
	}
	if (d)
		closedir(d);
	return found;
}

/* A text of a module's .modinfo section by its key ("\0depends=", n bytes), or "". */
static void module_text(const struct file_map *f, const char *key, size_t n, char *out, size_t size)
{
	const char *at = memmem(f->data, f->size, key, n);

	out[0] = 0;
	if (at && memchr(at + n, 0, f->size - (size_t)(at - (const char *)f->data) - n))
		snprintf(out, size, "%s", at + n);
}

static bool is_done(const struct archive *a, const char *name)
{
	for (unsigned i = 0; i < a->ndone; i++)
		if (!strcmp(a->done[i], name))
			return true;
	return false;
}

static int add_module(struct archive *a, const char *name, char *line, size_t size, unsigned depth,
		      struct err *e);

/*
 * "depends=a,b" and "softdep=pre: c post: d". The soft ones may be another name of a
 * module: of the kernel's algorithms the portable form is taken (c_generic).
 */
static int add_needed(struct archive *a, const struct file_map *f, char *line, size_t size,
		      unsigned depth, struct err *e)
{
	static const char depends[] = "\0depends=", soft[] = "\0softdep=pre:";
	char needs[512], generic[NAME_LEN], *save, *need;
	int ret = 0;

	module_text(f, depends, sizeof(depends) - 1, needs, sizeof(needs));
	for (need = strtok_r(needs, ",", &save); !ret && need; need = strtok_r(NULL, ",", &save))
		ret = add_module(a, need, line, size, depth, e);
	module_text(f, soft, sizeof(soft) - 1, needs, sizeof(needs));
	for (need = strtok_r(needs, " ", &save); !ret && need && !strchr(need, ':');
	     need = strtok_r(NULL, " ", &save)) {
		ret = add_module(a, need, line, size, depth, e);
		snprintf(generic, sizeof(generic), "%.*s_generic", (int)NAME_LEN - 10, need);
		if (!ret)
			ret = add_module(a, generic, line, size, depth, e);
	}
	return ret;
}

/* Adds a module after those it needs, appends all their names to line. Built in ones have none. */
static int add_module(struct archive *a, const char *name, char *line, size_t size, unsigned depth,
		      struct err *e)
{
	char path[PATHS_MAX], entry_name[NAME_LEN + 16];
	struct file_map f;
	int ret = 0;

	if (!depth || strlen(name) >= NAME_LEN || !find_below(a->dir, name, 8, path))
		return 0;
	if ((ret = file_map_open("kernel module", path, &f, e)))
		return ret;
	ret = add_needed(a, &f, line, size, depth - 1, e);
	if (!ret && !is_done(a, name) && a->ndone < MODULES_MAX) {
		snprintf(entry_name, sizeof(entry_name), "modules/%s.ko", name);
		entry(a, entry_name, S_IFREG | 0644, f.data, f.size, 0, 0);
		strcpy(a->done[a->ndone++], name);
	}
	file_map_close(&f);
	snprintf(line + strlen(line), size - strlen(line), " %s", name);
	return ret;
}

static int add_modules(struct archive *a, struct err *e)
{
	char order[8192] = "", line[1024];
	int ret = 0;

	for (unsigned i = 0; !ret && i < ARRAY_LEN(modules); i++) {
		snprintf(line, sizeof(line), "%s", modules[i]);
		ret = add_module(a, modules[i], line, sizeof(line), DEPTH_MAX, e);
		snprintf(order + strlen(order), sizeof(order) - strlen(order), "%s\n", line);
	}
	entry(a, "modules/order", S_IFREG | 0644, order, strlen(order), 0, 0);
	return ret;
}

/* ---- the archive ---- */

static int write_archive(struct archive *a, const char *init, struct err *e)
{
	static const char *const dirs[] = {"dev", "proc", "sys", "modules"};
	int ret;

	for (unsigned i = 0; i < ARRAY_LEN(dirs); i++)
		entry(a, dirs[i], S_IFDIR | 0755, NULL, 0, 0, 0);
	entry(a, "dev/console", S_IFCHR | 0600, NULL, 0, 5, 1);
	ret = add_file(a, "init", init, 0755, e);
	if (!ret && a->dir[0])
		ret = add_modules(a, e);
	entry(a, "TRAILER!!!", 0, NULL, 0, 0, 0);
	while (ftell(a->f) % 512)
		fputc(0, a->f);
	return ret;
}

static int make(const struct kernel_entry *k, const char *init, const char *path, struct err *e)
{
	struct archive *a;
	char tmp[PATHS_MAX];
	int ret = paths_format(tmp, e, "%s.%u", path, (unsigned)getpid());

	if (ret)
		return ret;
	a = calloc(1, sizeof(*a));
	if (!a)
		return err_set(e, ENOMEM, "no memory for an initial RAM disk");
	a->dir = k->modules;
	a->f = fopen(tmp, "we");
	ret = a->f ? write_archive(a, init, e) : err_errno(e, "%s", tmp);
	if (a->f && (fclose(a->f) || (!ret && rename(tmp, path))) && !ret)
		ret = err_errno(e, "cannot write %s", path);
	if (ret)
		unlink(tmp);
	free(a);
	return ret;
}

/* hull-init, or hull-init.ARCH. */
static int init_path(const char *arch, char *path, struct err *e)
{
	char name[48];
	int ret;

	snprintf(name, sizeof(name), "hull-init%s%.32s", arch ? "." : "", arch ?: "");
	ret = program_path(name, path, e);
	if (ret == -ENOENT && arch)
		return err_set(
			e, ENOSYS,
			"hull was built without %s, which a %s machine needs: install "
			"gcc-powerpc64le-linux-gnu and libc6-dev-ppc64el-cross, then build it "
			"anew",
			name, arch);
	return ret;
}

int initrd_get(const struct kernel_entry *k, const char *arch, char *path, struct err *e)
{
	char dir[PATHS_MAX], data[PATHS_MAX], init[PATHS_MAX];
	const char *name = k->target[0] ? k->target : k->name;
	struct stat st;
	int ret = init_path(arch, init, e);

	if (ret || (ret = paths_data(data, e)) || (ret = paths_format(dir, e, "%s/cache", data)) ||
	    (ret = paths_make_dir(dir, 0755, e)))
		return ret;
	if (stat(init, &st))
		return err_errno(e, "%s", init);
	/* A hull-init made anew makes a new archive. */
	ret = paths_format(path, e, "%s/initrd-%s-%llx-%llx", dir, name,
			   (unsigned long long)st.st_mtim.tv_sec, (unsigned long long)st.st_size);
	if (ret || !access(path, R_OK))
		return ret;
	return make(k, init, path, e);
}
