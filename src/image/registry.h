/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One repository of a registry (distribution-spec 1.1): finding out how it wants
 * to be spoken to, authentication by password or token, requests with a few
 * tries. For pull.c and push.c; several threads may call.
 */
#ifndef HULL_IMAGE_REGISTRY_H
#define HULL_IMAGE_REGISTRY_H

#include "image/http.h"
#include "image/ref.h"
#include "image/transfer.h"

struct registry;

/* Makes contact: TLS, or plain http where the options or a loopback address allow it. */
int registry_open(const struct ref *r, const struct image_registry_options *o, bool push,
		  struct registry **out, struct err *e);
void registry_close(struct registry *g);

/*
 * A request below /v2/NAME/ (path "manifests/latest"), or with an absolute
 * path or URL as a registry's Location gives it. url and the authentication of
 * q are set here. Tries again where that can help, from `from` on as *moved
 * (NULL ok) says. 0 with any answer but 401 and, when tries run out, 5xx.
 */
int registry_do(struct registry *g, struct http_request *q, const char *path, const u64 *moved,
		struct http_reply *reply, struct err *e);

/* An answer that is no success as an error: what was asked for, what the registry says. */
int registry_error(const struct registry *g, const char *what, const struct http_reply *reply,
		   struct err *e);

#endif
