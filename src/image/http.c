/* SPDX-License-Identifier: Apache-2.0 */
#include "image/http.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Slower than this for the whole time-out is as good as silent. */
#define MIN_BYTES_PER_SECOND 64L
#define MAX_REDIRECTS 8L
#define ERROR_BODY_MAX KIB(64)

/* What is used of libcurl, looked up by name. */
struct http {
	void *lib;
	struct http_config c;
	CURLcode (*global_init)(long flags);
	CURL *(*easy_init)(void);
	void (*easy_cleanup)(CURL *);
	CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
	CURLcode (*easy_perform)(CURL *);
	CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
	const char *(*easy_strerror)(CURLcode);
	struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
	void (*slist_free_all)(struct curl_slist *);
};

/* One request in the making. */
struct transfer {
	struct http *h;
	CURL *curl;
	const struct http_request *q;
	struct http_reply *r;
	struct curl_slist *headers;
	u64 skip; /* of a whole answer where a part was asked for */
	u64 upload_at;
	bool seen_body;
	int ret; /* of the sink */
	struct err *e;
};

static bool look_up(struct http *h)
{
	const struct {
		const char *name;
		void *to;
	} wanted[] = {
		{"curl_global_init", &h->global_init},
		{"curl_easy_init", &h->easy_init},
		{"curl_easy_cleanup", &h->easy_cleanup},
		{"curl_easy_setopt", &h->easy_setopt},
		{"curl_easy_perform", &h->easy_perform},
		{"curl_easy_getinfo", &h->easy_getinfo},
		{"curl_easy_strerror", &h->easy_strerror},
		{"curl_slist_append", &h->slist_append},
		{"curl_slist_free_all", &h->slist_free_all},
	};

	for (unsigned i = 0; i < ARRAY_LEN(wanted); i++) {
		void *sym = dlsym(h->lib, wanted[i].name);

		if (!sym)
			return false;
		memcpy(wanted[i].to, &sym, sizeof(sym));
	}
	return true;
}

int http_open(const struct http_config *c, struct http **out, struct err *e)
{
	struct http *h = calloc(1, sizeof(*h));

	*out = NULL;
	if (!h)
		return err_set(e, ENOMEM, "no memory");
	h->c = *c;
	h->lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!h->lib || !look_up(h) || h->global_init(CURL_GLOBAL_DEFAULT)) {
		http_close(h);
		return err_set(e, ENOENT, "libcurl is not installed (package libcurl4)");
	}
	*out = h;
	return 0;
}

/* The library stays: it registers handlers with the C library that outlive it. */
void http_close(struct http *h)
{
	free(h);
}

void http_reply_fini(struct http_reply *r)
{
	free(r->body);
	*r = (struct http_reply){0};
}

/* ---- receiving ---- */

static long status(const struct transfer *t)
{
	long code = 0;

	t->h->easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
	return code;
}

static size_t keep_body(struct transfer *t, const char *data, size_t len, size_t max)
{
	struct http_reply *r = t->r;
	char *grown;

	if (r->len + len > max) {
		t->ret = err_set(t->e, EFBIG, "an answer of more than %zu bytes", max);
		return 0;
	}
	grown = realloc(r->body, r->len + len + 1);
	if (!grown) {
		t->ret = err_set(t->e, ENOMEM, "no memory");
		return 0;
	}
	r->body = grown;
	memcpy(grown + r->len, data, len);
	r->len += len;
	grown[r->len] = 0;
	return len;
}

static size_t on_body(char *data, size_t size, size_t n, void *opaque)
{
	struct transfer *t = opaque;
	size_t len = size * n, drop;
	long code = status(t);

	if (code < 200 || code > 299) {
		size_t room = ERROR_BODY_MAX - t->r->len;

		keep_body(t, data, len < room ? len : room, ERROR_BODY_MAX);
		return len;
	}
	if (!t->q->sink)
		return keep_body(t, data, len, HTTP_BODY_MAX);
	if (!t->seen_body && code != 206)
		t->skip = t->q->from;
	t->seen_body = true;
	drop = t->skip < len ? (size_t)t->skip : len;
	t->skip -= drop;
	t->ret = len > drop ? t->q->sink(t->q->opaque, data + drop, len - drop, t->e) : 0;
	return t->ret ? 0 : len;
}

static void header(const char *line, size_t len, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n))
		return;
	while (n < len && (line[n] == ' ' || line[n] == '\t'))
		n++;
	while (len > n && strchr("\r\n \t", line[len - 1]))
		len--;
	snprintf(out, size, "%.*s", (int)(len - n), line + n);
}

static size_t on_header(char *data, size_t size, size_t n, void *opaque)
{
	struct transfer *t = opaque;
	struct http_reply *r = t->r;
	size_t len = size * n;

	/* Each answer of a chain of redirects begins anew. */
	if (len > 5 && !memcmp(data, "HTTP/", 5))
		r->type[0] = r->digest[0] = r->location[0] = r->challenge[0] = 0;
	header(data, len, "content-type:", r->type, sizeof(r->type));
	header(data, len, "docker-content-digest:", r->digest, sizeof(r->digest));
	header(data, len, "location:", r->location, sizeof(r->location));
	header(data, len, "www-authenticate:", r->challenge, sizeof(r->challenge));
	return len;
}

/* ---- sending ---- */

static size_t on_upload(char *to, size_t size, size_t n, void *opaque)
{
	struct transfer *t = opaque;
	const struct http_request *q = t->q;
	u64 left = q->len - t->upload_at;
	size_t want = size * n < left ? size * n : (size_t)left;
	ssize_t got = (ssize_t)want;

	if (q->data)
		memcpy(to, (const char *)q->data + t->upload_at, want);
	else
		got = pread(q->file, to, want, (off_t)t->upload_at);
	if (got < 0) {
		t->ret = err_errno(t->e, "cannot read what is to be sent");
		return CURL_READFUNC_ABORT;
	}
	t->upload_at += (u64)got;
	if (q->sent)
		q->sent(q->opaque, (u64)got);
	return (size_t)got;
}

/* After a redirect or a second try of libcurl's own. */
static int on_seek(void *opaque, curl_off_t offset, int origin)
{
	struct transfer *t = opaque;

	if (origin != SEEK_SET || offset < 0 || (u64)offset > t->q->len)
		return CURL_SEEKFUNC_FAIL;
	t->upload_at = (u64)offset;
	return CURL_SEEKFUNC_OK;
}

/* ---- the request ---- */

static void add_header(struct transfer *t, const char *name, const char *value)
{
	char line[1024];
	struct curl_slist *longer;

	snprintf(line, sizeof(line), "%s: %s", name, value);
	longer = t->h->slist_append(t->headers, line);
	if (longer)
		t->headers = longer;
}

static void set_security(struct transfer *t)
{
	struct http *h = t->h;
	const struct http_config *c = &h->c;

	h->easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "https,http");
	/* A redirect must not lead from a verified connection to an open one. */
	h->easy_setopt(t->curl, CURLOPT_REDIR_PROTOCOLS_STR,
		       !strncmp(t->q->url, "https:", 6) && !c->no_verify ? "https" : "https,http");
	h->easy_setopt(t->curl, CURLOPT_SSL_VERIFYPEER, c->no_verify ? 0L : 1L);
	h->easy_setopt(t->curl, CURLOPT_SSL_VERIFYHOST, c->no_verify ? 0L : 2L);
	if (c->ca)
		h->easy_setopt(t->curl, CURLOPT_CAINFO, c->ca);
	if (c->cert)
		h->easy_setopt(t->curl, CURLOPT_SSLCERT, c->cert);
	if (c->key)
		h->easy_setopt(t->curl, CURLOPT_SSLKEY, c->key);
	if (t->q->bearer) {
		h->easy_setopt(t->curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		h->easy_setopt(t->curl, CURLOPT_XOAUTH2_BEARER, t->q->bearer);
	} else if (t->q->user) {
		h->easy_setopt(t->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		h->easy_setopt(t->curl, CURLOPT_USERPWD, t->q->user);
	}
}

static void set_method(struct transfer *t)
{
	struct http *h = t->h;
	const struct http_request *q = t->q;

	if (!strcmp(q->method, "HEAD"))
		h->easy_setopt(t->curl, CURLOPT_NOBODY, 1L);
	else if (strcmp(q->method, "GET"))
		h->easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, q->method);
	if (!strcmp(q->method, "POST") || !strcmp(q->method, "PUT")) {
		h->easy_setopt(t->curl, CURLOPT_UPLOAD, 1L);
		h->easy_setopt(t->curl, CURLOPT_READFUNCTION, on_upload);
		h->easy_setopt(t->curl, CURLOPT_READDATA, t);
		h->easy_setopt(t->curl, CURLOPT_SEEKFUNCTION, on_seek);
		h->easy_setopt(t->curl, CURLOPT_SEEKDATA, t);
		h->easy_setopt(t->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->len);
		add_header(t, "Expect", "");
	}
	if (q->content_type)
		add_header(t, "Content-Type", q->content_type);
	if (q->accept)
		add_header(t, "Accept", q->accept);
}

static void set_all(struct transfer *t, char *why)
{
	struct http *h = t->h;
	char range[40];

	h->easy_setopt(t->curl, CURLOPT_URL, t->q->url);
	h->easy_setopt(t->curl, CURLOPT_ERRORBUFFER, why);
	h->easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
	h->easy_setopt(t->curl, CURLOPT_USERAGENT, "hull/" HULL_VERSION);
	h->easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, t->q->no_redirect ? 0L : 1L);
	h->easy_setopt(t->curl, CURLOPT_MAXREDIRS, MAX_REDIRECTS);
	h->easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT, (long)h->c.timeout_s);
	h->easy_setopt(t->curl, CURLOPT_LOW_SPEED_LIMIT, MIN_BYTES_PER_SECOND);
	h->easy_setopt(t->curl, CURLOPT_LOW_SPEED_TIME, (long)h->c.timeout_s);
	h->easy_setopt(t->curl, CURLOPT_BUFFERSIZE, 256L * 1024);
	h->easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
	h->easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
	h->easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
	h->easy_setopt(t->curl, CURLOPT_HEADERDATA, t);
	set_security(t);
	set_method(t);
	if (t->q->from) {
		snprintf(range, sizeof(range), "%llu-", (unsigned long long)t->q->from);
		h->easy_setopt(t->curl, CURLOPT_RANGE, range);
	}
	if (t->headers)
		h->easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers);
}

static int failed(struct transfer *t, CURLcode code, const char *why)
{
	const char *text = *why ? why : t->h->easy_strerror(code);

	if (t->ret)
		return t->ret;
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return err_set(
			t->e, EPROTO,
			"%s: the certificate is not trusted (%s): --tls-verify=false accepts "
			"it",
			t->q->url, text);
	case CURLE_SSL_CONNECT_ERROR:
		t->r->tls = true;
		return err_set(t->e, EPROTO, "%s: %s", t->q->url, text);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		t->r->retry = true;
		return err_set(t->e, ECONNREFUSED, "%s: %s", t->q->url, text);
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(t->e, ETIMEDOUT, "%s: nothing came for %u s", t->q->url,
			       t->h->c.timeout_s);
	default:
		t->r->retry = true;
		return err_set(t->e, EIO, "%s: %s", t->q->url, text);
	}
}

int http_do(struct http *h, const struct http_request *q, struct http_reply *r, struct err *e)
{
	struct transfer t = {.h = h, .q = q, .r = r, .e = e, .curl = h->easy_init()};
	char why[CURL_ERROR_SIZE] = "";
	CURLcode code;
	int ret = 0;

	*r = (struct http_reply){0};
	if (!t.curl)
		return err_set(e, ENOMEM, "no memory for a connection");
	set_all(&t, why);
	code = h->easy_perform(t.curl);
	r->status = status(&t);
	if (code || t.ret)
		ret = failed(&t, code, why);
	h->slist_free_all(t.headers);
	h->easy_cleanup(t.curl);
	return ret;
}
