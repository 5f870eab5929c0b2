/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI images for whoever runs them, as container or as machine: open the
 * store, resolve a reference to an image with its configuration, get its layers
 * as directories, mount them as one root, or have the root as one EROFS file.
 * What fills the store stands in image/transfer.h and image/build.h. Knows
 * nothing of containers and machines.
 *
 * The store is an OCI image layout (image-spec 1.1, image-layout.md) with what
 * is made from it beside the blobs, all below DATA/images:
 *
 *	oci-layout, index.json, blobs/sha256/HEX
 *	layers/HEX/fs		the layer whose diff_id is sha256:HEX, unpacked:
 *				an overlayfs lower directory
 *	erofs/HEX.erofs		merged roots as file systems, by chain ID
 *	pins/NAME		who uses which manifest (image_pin)
 *	empty/, empty2/		lower directories where an image has less than two layers
 *
 * An object is written elsewhere and renamed into place, names last, so that
 * SIGKILL at any moment leaves a consistent store and at worst garbage, which
 * `hull prune` takes away. A layer that power loss may have hurt (unpacked in
 * another boot of the host and not known to be on disk) is unpacked again.
 *
 * A store handle belongs to one thread. While it is open prune waits, so close
 * it as soon as the image is pinned. A struct image needs no store once
 * resolved; its files stay as long as a name or a pin refers to them.
 */
#ifndef HULL_IMAGE_IMAGE_H
#define HULL_IMAGE_IMAGE_H

#include "host/paths.h"

struct image_store;

/* "sha256:" and 64 hexadecimal digits. */
#define IMAGE_DIGEST_MAX 72
/* Longest reference, with registry, tag and digest. */
#define IMAGE_NAME_MAX 384
/* overlayfs takes no more lower directories (fs/overlayfs/params.c, OVL_MAX_STACK). */
#define IMAGE_MAX_LAYERS 500

struct image_platform {
	char os[32], arch[32], variant[32]; /* "linux", "amd64", "" */
};

struct image_health {
	char **test; /* as in the config: {"CMD", ...}, {"CMD-SHELL", line}, {"NONE"}; NULL: none */
	u64 interval_ns, timeout_ns, start_period_ns; /* 0: the engine's default */
	unsigned retries;
};

/* image-spec config.md. Lists end with NULL and are NULL when empty; strings are never NULL. */
struct image_config {
	char **env;	   /* "NAME=value" */
	char **entrypoint; /* argv */
	char **cmd;	   /* argv */
	char **ports;	   /* "80/tcp" */
	char **volumes;	   /* "/data" */
	char **labels;	   /* "key=value" */
	char **shell;	   /* argv in front of shell forms */
	char *user;	   /* "", "name", "uid", "name:group" */
	char *workdir;	   /* "" or absolute */
	char *stop_signal; /* "", "SIGTERM", "15" */
	struct image_health health;
};

struct image {
	char name[IMAGE_NAME_MAX];	 /* as stored; empty if found by ID only */
	char id[IMAGE_DIGEST_MAX];	 /* digest of the config */
	char manifest[IMAGE_DIGEST_MAX]; /* digest of the image manifest */
	char chain[IMAGE_DIGEST_MAX];	 /* chain ID of all layers; of nothing: "sha256:" + zeros */
	char created[40];		 /* RFC 3339, may be empty */
	struct image_platform platform;
	struct image_config config;
	u64 size;	 /* of the blobs, bytes */
	char **layers;	 /* absolute directories, lowest first, NULL at the end */
	char **diff_ids; /* their digests */
	unsigned nlayers;
	char *store; /* absolute directory of the store */
};

enum image_store_mode {
	IMAGE_STORE_READ,  /* a missing store is an empty one */
	IMAGE_STORE_WRITE, /* creates what is missing */
};

/* dir NULL: DATA/images. Takes a shared lock until closed. */
int image_store_open(const char *dir, enum image_store_mode mode, struct image_store **out,
		     struct err *e);
/* NULL ok. */
void image_store_close(struct image_store *s);

/* The host's own: "linux" and GOARCH's name of this processor. */
void image_platform_host(struct image_platform *out);
/* "arm64", "linux/arm64", "linux/arm/v7"; x86_64 and aarch64 are understood. */
int image_platform_parse(const char *text, struct image_platform *out, struct err *e);

/*
 * ref: a name ("busybox" is docker.io/library/busybox:latest), name@digest, or
 * the start of an ID. want NULL: the host's platform; an image of a single
 * other platform is only found with its platform given. -ENOENT: not stored
 * (the message says `hull pull`). Layers whose unpacked form is missing or in
 * doubt are unpacked again. The result is the caller's: image_free.
 */
int image_resolve(struct image_store *s, const char *ref, const struct image_platform *want,
		  struct image **out, struct err *e);
void image_free(struct image *im);

/*
 * Keeps an image's blobs and layers from prune and rmi until image_unpin of the
 * same owner, across processes and reboots. owner: "container-ID", at most 128
 * of letters, digits, "-._". Pinning again replaces. Unpinning what is not
 * pinned is no error.
 */
int image_pin(struct image_store *s, const struct image *im, const char *owner, struct err *e);
int image_unpin(struct image_store *s, const char *owner, struct err *e);

struct image_mount_config {
	const char *upper, *work; /* existing directories on one file system; NULL: read-only */
	bool volatile_;		  /* do not sync the upper layer: faster, lost with the host */
};

/*
 * A detached overlay mount of the image's root, for move_mount(2) into any
 * mount namespace; nothing is attached anywhere. Needs CAP_SYS_ADMIN in the
 * user namespace that owns the mount namespace. The descriptor is the caller's
 * (>= 0), or a negative errno. Linux >= 6.8; -EOPNOTSUPP before: use
 * image_mount.
 */
int image_mount_fd(const struct image *im, const struct image_mount_config *c, struct err *e);

/*
 * The same attached at target, an existing directory. Falls back to mount(2) on
 * older kernels and, not root and refused by the kernel, to the fuse-overlayfs
 * program (HULL_OVERLAY=fuse in the environment: at once), a child of this
 * process that dies with it. Undone by umount2(target) or image_unmount.
 */
int image_mount(const struct image *im, const struct image_mount_config *c, const char *target,
		struct err *e);
/* Also ends fuse-overlayfs. Nothing mounted there: -EINVAL. */
int image_unmount(const char *target, struct err *e);

/*
 * The merged root as a read-only EROFS file, made by mkfs.erofs the first time
 * and cached by chain ID. path holds PATHS_MAX bytes. Volumes, devices and
 * ownership are as in the image. -ENOENT: mkfs.erofs is not installed.
 */
int image_rootfs_block(struct image_store *s, const struct image *im, char *path, struct err *e);

#endif
