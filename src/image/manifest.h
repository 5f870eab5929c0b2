/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of an image: manifest and index (image-spec manifest.md,
 * image-index.md, and Docker's schema 2 of the same), config (config.md), and
 * choice of a platform. All input is hostile. Pure: no files, no network.
 */
#ifndef HULL_IMAGE_MANIFEST_H
#define HULL_IMAGE_MANIFEST_H

#include "image/digest.h"
#include "image/doc.h"
#include "image/image.h"

#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_LAYER_GZIP MEDIA_LAYER "+gzip"
#define MEDIA_LAYER_ZSTD MEDIA_LAYER "+zstd"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+prettyjws"

/* Annotation that holds the name in an index.json (image-spec annotations.md). */
#define ANNOTATION_REF "org.opencontainers.image.ref.name"

/* Manifests in one index, and nested indexes, at most. */
#define MANIFEST_MAX_ITEMS 1000u
#define MANIFEST_MAX_DEPTH 4u

struct descriptor {
	char media[128];
	struct digest digest;
	u64 size;
	struct image_platform platform; /* of an index entry; os[0] == 0: not said */
	char name[IMAGE_NAME_MAX];	/* ANNOTATION_REF, else empty */
};

struct manifest {
	bool is_index;
	char media[128];
	struct descriptor config; /* of a manifest */
	struct descriptor *items; /* layers, or the manifests of an index */
	unsigned nitems;
};

/*
 * what names the document in messages; media: its type as said by whoever
 * referred to it, may be empty. Zeroes *out first; manifest_fini on success.
 */
int manifest_parse(const char *what, const void *data, size_t len, const char *media,
		   struct manifest *out, struct err *e);
void manifest_fini(struct manifest *m);

/* One descriptor, as in an index.json. */
int descriptor_parse(const json_t *object, struct descriptor *out, struct err *e);
/* The descriptor as JSON, the caller's; NULL without memory. */
json_t *descriptor_json(const struct descriptor *d);

bool media_is_index(const char *media);
bool media_is_manifest(const char *media);
/* Layers hull can unpack: tar plain, gzip, zstd, in OCI's and Docker's names. */
bool media_is_layer(const char *media);

/*
 * Index of the entry that fits best, or -ENOENT with a message that lists what
 * there is. An entry that does not say its platform fits when it is the only
 * one.
 */
int manifest_choose(const struct manifest *index, const struct image_platform *want, struct err *e);
/* Does an image of platform have run where want is wanted? An empty variant fits all. */
bool platform_fits(const struct image_platform *have, const struct image_platform *want);
/* "linux/arm64/v8"; out holds 100 bytes. */
void platform_format(const struct image_platform *p, char *out);

/*
 * Reads a config into config, platform, created and diff_ids of *im, which the
 * caller frees by image_free also after errors.
 */
int config_parse(const char *what, const void *data, size_t len, struct image *im, struct err *e);

/* Chain ID of the first n diff_ids (config.md, "Layer ChainID"). */
int chain_id(char *const *diff_ids, unsigned n, struct digest *out, struct err *e);

#endif
