// SPDX-License-Identifier: Apache-2.0
/* Layers as one root, in a mount namespace of the test's own: src/image/mount.c, private.c. */
#include "rig.h"
#include "tests/test.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static bool private_mounts(void)
{
	return !geteuid() && !unshare(CLONE_NEWNS) &&
	       !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static void t_mount(void)
{
	char upper[100], work[100], root[100], path[200];
	struct image_mount_config c = {0};
	struct image *im;
	struct err e = {0};
	struct rig r;

	if (!private_mounts())
		SKIP("only root can mount here");
	for (unsigned layers = 0; layers < 4; layers++) {
		CHECK(rig_open(&r));
		CHECK(!rig_image(&r, "docker.io/library/x:latest", layers, &e));
		CHECK(!image_resolve(r.s, "x", NULL, &im, &e));
		snprintf(upper, sizeof(upper), "%s/tmp/u", r.dir);
		snprintf(work, sizeof(work), "%s/tmp/w", r.dir);
		snprintf(root, sizeof(root), "%s/tmp/r", r.dir);
		CHECK(!mkdir(upper, 0755) && !mkdir(work, 0755) && !mkdir(root, 0755));
		c = (struct image_mount_config){0};
		CHECK(!image_mount(im, &c, root, &e));
		snprintf(path, sizeof(path), "%s/f%u", root, layers ? layers - 1 : 0);
		CHECK(!layers || !access(path, R_OK));
		snprintf(path, sizeof(path), "%s/new", root);
		CHECK(open(path, O_CREAT | O_WRONLY, 0644) < 0 && errno == EROFS);
		CHECK(!image_unmount(root, &e));
		c = (struct image_mount_config){.upper = upper, .work = work, .volatile_ = true};
		CHECK(!image_mount(im, &c, root, &e));
		CHECK(!mkdir(path, 0755));
		CHECK(!image_unmount(root, &e) && image_unmount(root, &e) < 0);
		snprintf(path, sizeof(path), "%s/new", upper);
		CHECK(!access(path, F_OK));
		image_free(im);
		rig_close(&r);
	}
}

static void t_detached(void)
{
	const struct image_mount_config c = {0};
	struct image *im;
	struct stat st;
	struct err e = {0};
	struct rig r;
	int fd;

	if (!private_mounts())
		SKIP("only root can mount here");
	CHECK(rig_open(&r));
	CHECK(!rig_image(&r, "docker.io/library/x:latest", 2, &e));
	CHECK(!image_resolve(r.s, "x", NULL, &im, &e));
	fd = image_mount_fd(im, &c, &e);
	if (fd == -EOPNOTSUPP) {
		image_free(im);
		rig_close(&r);
		SKIP("this kernel's overlayfs takes no single layers");
	}
	CHECK(fd >= 0 && !fstatat(fd, "f0", &st, 0) && !fstatat(fd, "f1", &st, 0));
	close(fd);
	image_free(im);
	rig_close(&r);
}

static void t_block(void)
{
	char path[PATHS_MAX], again[PATHS_MAX];
	struct image *im;
	struct err e = {0};
	struct rig r;
	u32 magic = 0;
	int fd, ret;

	CHECK(rig_open(&r));
	CHECK(!rig_image(&r, "docker.io/library/x:latest", 3, &e));
	CHECK(!image_resolve(r.s, "x", NULL, &im, &e));
	ret = image_rootfs_block(r.s, im, path, &e);
	if (ret == -ENOENT || ret == -EPERM) {
		image_free(im);
		rig_close(&r);
		SKIP("no mkfs.erofs, or no mounts");
	}
	CHECK_EQ(ret, 0);
	fd = open(path, O_RDONLY);
	/* The superblock's magic (kernel fs/erofs/erofs_fs.h). */
	CHECK(fd >= 0 && pread(fd, &magic, 4, 1024) == 4 && magic == 0xe0f5e1e2);
	close(fd);
	CHECK(!image_rootfs_block(r.s, im, again, &e) && !strcmp(path, again));
	image_free(im);
	rig_close(&r);
}

int main(void)
{
	RUN(t_mount);
	RUN(t_detached);
	RUN(t_block);
	return test_done();
}
