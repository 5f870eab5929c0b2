/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references: [REGISTRY[:PORT]/]PATH[:TAG][@DIGEST], with the defaults
 * everybody is used to (docker.io, library/, latest). The grammar is that of
 * distribution-spec 1.1 ("Pulling manifests") and github.com/distribution/reference.
 * Pure: no files, no network.
 */
#ifndef HULL_IMAGE_REF_H
#define HULL_IMAGE_REF_H

#include "image/digest.h"
#include "image/image.h"

struct ref {
	char registry[256];   /* "docker.io", "localhost:5000", "[::1]:5000" */
	char path[256];	      /* "library/busybox" */
	char tag[129];	      /* empty with only a digest given */
	struct digest digest; /* s[0] == 0: none */
	bool short_name;      /* no registry was given */
};

int ref_parse(const char *text, struct ref *out, struct err *e);

/* The canonical text: REGISTRY/PATH[:TAG][@DIGEST]. out holds IMAGE_NAME_MAX bytes. */
int ref_format(const struct ref *r, char *out, struct err *e);

/* True if the text may be the start of an image ID: 4 to 64 hexadecimal digits. */
bool ref_is_id(const char *text);

/* True if the registry is this machine: localhost, 127.x, [::1], whatever the port. */
bool ref_is_loopback(const struct ref *r);

#endif
