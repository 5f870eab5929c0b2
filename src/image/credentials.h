/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who one is at a registry: the files in which `docker login`, `podman login` and
 * `skopeo login` keep it (containers-auth.json(5), Docker's config.json).
 */
#ifndef HULL_IMAGE_CREDENTIALS_H
#define HULL_IMAGE_CREDENTIALS_H

#include "image/ref.h"

struct credentials {
	char *user;  /* "name:password", or NULL: anonymous */
	char *token; /* identity token (OAuth 2 refresh token), or NULL */
};

/*
 * creds: given by the user, or NULL; file: given by the user, or NULL for
 * $REGISTRY_AUTH_FILE and then the usual places. A named file that is missing
 * or malformed is an error. Free by credentials_fini also after errors.
 */
int credentials_find(const struct ref *r, const char *creds, const char *file,
		     struct credentials *out, struct err *e);
/*
 * Puts NAME:PASSWORD of a registry into a credentials file, or with NULL takes it out
 * (-ENOENT if it is not there). file NULL: $REGISTRY_AUTH_FILE, else Docker's, which is
 * made if it is missing. The file is replaced whole and readable by its owner alone.
 */
int credentials_keep(const char *registry, const char *creds, const char *file, struct err *e);
void credentials_fini(struct credentials *c);

#endif
