/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP requests by libcurl, which is loaded when the first one is made: programs
 * that only run images do not pay for it. Every answer is bounded in size and
 * in silence. Knows nothing of registries.
 */
#ifndef HULL_IMAGE_HTTP_H
#define HULL_IMAGE_HTTP_H

#include "host/err.h"

#include <sys/types.h>

struct http;

struct http_config {
	bool no_verify;		     /* any certificate is good */
	unsigned timeout_s;	     /* for connecting, and without progress */
	const char *ca, *cert, *key; /* PEM files, NULL: none beyond the system's */
};

/* -ENOENT: no libcurl. The strings of c must live on. Requests may then run in several threads. */
int http_open(const struct http_config *c, struct http **out, struct err *e);
void http_close(struct http *h);

struct http_request {
	const char *method; /* "GET", "HEAD", "POST", "PUT" */
	const char *url;
	const char *accept;	  /* NULL: anything */
	const char *content_type; /* of what is sent */
	const char *user;	  /* "name:password" for basic authentication, or NULL */
	const char *bearer;	  /* token, or NULL */
	bool no_redirect;
	/* Sent: len bytes of data, or of a file from its start. */
	const void *data;
	int file; /* used if data is NULL and len is not 0 */
	u64 len;
	/* Received: body of a success to sink, from an offset on; sink NULL: into the reply. */
	u64 from;
	int (*sink)(void *opaque, const void *data, size_t len, struct err *e);
	void (*sent)(void *opaque, u64 bytes); /* how much more is uploaded, NULL ok */
	void *opaque;
};

#define HTTP_BODY_MAX (MIB(4) + 1)

struct http_reply {
	long status;
	char type[128], digest[128], location[2048], challenge[1024]; /* header lines */
	char *body; /* NUL-terminated; of an error at most its first bytes */
	size_t len;
	bool retry; /* of a failure: trying again may help */
	bool tls;   /* of a failure: the other side does not speak TLS */
};

/*
 * 0 with an answer, whatever its status; -errno without one. http_reply_fini in
 * either case. A sink's error ends the transfer and is passed on.
 */
int http_do(struct http *h, const struct http_request *q, struct http_reply *r, struct err *e);
void http_reply_fini(struct http_reply *r);

#endif
