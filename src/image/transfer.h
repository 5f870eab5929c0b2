/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images in and out of the store: registries, archives, root file systems. For
 * the commands of cli/; what the store holds is used through image/image.h.
 */
#ifndef HULL_IMAGE_TRANSFER_H
#define HULL_IMAGE_TRANSFER_H

#include "image/image.h"

/* Called with the name (or, without one, the ID) of each image loaded. */
typedef void image_loaded_fn(void *opaque, const char *name);

/*
 * Loads every image of a docker-archive, an oci-archive (both plain, gzip or
 * zstd) or a directory in OCI layout. path "-": standard input. name not NULL:
 * only the one of that name, or, of a source without names, under that name.
 */
int image_load(struct image_store *s, const char *path, const char *name, bool quiet,
	       image_loaded_fn *loaded, void *opaque, struct err *e);

enum image_format { IMAGE_DOCKER_ARCHIVE, IMAGE_OCI_ARCHIVE, IMAGE_OCI_DIR };

/*
 * Writes stored images. path: a new file or "-", or for IMAGE_OCI_DIR a
 * directory, made if missing. Exactly one platform of each goes into a
 * docker-archive (want, NULL: the host's), everything stored into the others.
 */
int image_save(struct image_store *s, const char *const refs[], unsigned n,
	       enum image_format format, const struct image_platform *want, const char *path,
	       struct err *e);

/*
 * Makes an image of one layer from the tar (plain, gzip, zstd) of a root file
 * system. id (IMAGE_DIGEST_MAX) gets the image's ID.
 */
int image_import(struct image_store *s, const char *path, const char *name,
		 const struct image_platform *platform, char *id, struct err *e);

/* The merged root of an image as a tar, to path or "-". */
int image_export(struct image_store *s, const char *ref, const struct image_platform *want,
		 const char *path, struct err *e);

/*
 * A directory (a container's merged root, say) as a tar to an open descriptor,
 * names without a leading slash, hard links and xattrs kept.
 */
int image_export_dir(const char *dir, int fd, struct err *e);

struct image_registry_options {
	const struct image_platform *platform; /* NULL: the host's */
	bool all_platforms;
	bool no_verify;	       /* accept any certificate, and plain http */
	bool quiet;	       /* no progress */
	unsigned parallel;     /* downloads at once; 0: 4 */
	unsigned timeout_s;    /* without any progress; 0: 30 */
	const char *creds;     /* "user:password", NULL: from the files below */
	const char *auth_file; /* NULL: $REGISTRY_AUTH_FILE, then the usual places */
	const char *cert_dir;  /* with ca.crt, client.cert, client.key; NULL: the usual places */
};

/* Gets an image from its registry and gives it its name. id as in image_import. */
int image_pull(struct image_store *s, const char *ref, const struct image_registry_options *o,
	       char *id, struct err *e);
/* Puts a stored image to a registry; dest NULL: under its own name. */
int image_push(struct image_store *s, const char *ref, const char *dest,
	       const struct image_registry_options *o, struct err *e);

/* Tries creds at a registry (HOST[:PORT]) and keeps them in auth_file, by default Docker's. */
int image_login(const char *registry, const struct image_registry_options *o, struct err *e);
/* Forgets them. file: as auth_file. */
int image_logout(const char *registry, const char *file, struct err *e);

#endif
