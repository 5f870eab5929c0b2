/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry.h"

#include "image/credentials.h"
#include "image/doc.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* In vain, and in all. */
#define TRIES 4u
#define TRIES_MAX 100u
#define FIRST_DELAY_MS 200u
#define DEFAULT_TIMEOUT_S 30u

struct registry {
	struct http *http;
	struct ref ref;
	bool push, basic; /* basic: password with each request */
	struct credentials creds;
	char base[300];	  /* "https://host:port" */
	char realm[1024]; /* where tokens come from; empty: none are wanted */
	char service[256];
	char ca[PATHS_MAX], cert[PATHS_MAX], key[PATHS_MAX];
	pthread_mutex_t lock; /* token */
	char *token;	      /* NULL: none yet */
	unsigned token_no;    /* changes with each new token */
};

/* ---- certificates ---- */

static bool cert_file(const char *dir, const char *name, char *out)
{
	if (paths_format(out, NULL, "%s/%s", dir, name) || access(out, R_OK))
		out[0] = 0;
	return out[0];
}

/* containers-certs.d(5), and Docker's directory of the same form. */
static void find_certs(struct registry *g, const char *own)
{
	static const char *const dirs[] = {"/etc/containers/certs.d", "/etc/docker/certs.d"};
	char dir[PATHS_MAX];

	for (unsigned i = 0; i < ARRAY_LEN(dirs); i++) {
		if (own ? paths_format(dir, NULL, "%s", own)
			: paths_format(dir, NULL, "%s/%s", dirs[i], g->ref.registry))
			continue;
		cert_file(dir, "ca.crt", g->ca);
		if (cert_file(dir, "client.cert", g->cert))
			cert_file(dir, "client.key", g->key);
		if (own || g->ca[0] || g->cert[0])
			return;
	}
}

/* ---- tokens ---- */

/* The value of key="..." in a WWW-Authenticate line (RFC 9110 11.6.1). */
static void parameter(const char *line, const char *key, char *out, size_t size)
{
	size_t n = strlen(key);

	out[0] = 0;
	for (const char *s = line; (s = strcasestr(s, key)); s += n) {
		const char *v = s + n;
		size_t len;

		if (strncmp(v, "=\"", 2) || (s > line && !strchr(" ,", s[-1])))
			continue;
		len = strcspn(v + 2, "\"");
		if (len < size)
			snprintf(out, size, "%.*s", (int)len, v + 2);
		return;
	}
}

static void url_escape(const char *in, char *out, size_t size)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:,";
	size_t at = 0;

	for (; *in && at + 4 < size; in++) {
		if (strchr(plain, *in))
			out[at++] = *in;
		else
			at += (size_t)snprintf(out + at, 4, "%%%02X", (u8)*in);
	}
	out[at] = 0;
}

static int token_of(const struct http_reply *r, char **out, struct err *e)
{
	json_t *doc;
	const char *text;
	int ret = doc_parse("token", r->body ? r->body : "", r->len, &doc, e);

	if (ret)
		return ret;
	text = doc_text(doc, "token");
	if (!*text)
		text = doc_text(doc, "access_token");
	*out = *text ? strdup(text) : NULL;
	if (!*out)
		ret = err_set(e, EPROTO, "the registry's token server gave no token");
	json_decref(doc);
	return ret;
}

/* Docker's token specification: by GET with a password, by POST with an identity token. */
static int fetch_token(struct registry *g, char **out, struct err *e)
{
	char scope[400], service[600], url[2600], body[8192];
	struct http_request q = {.method = "GET", .url = url, .user = g->creds.user};
	struct http_reply r;
	int ret;

	snprintf(scope, sizeof(scope), "repository:%s:pull%s", g->ref.path, g->push ? ",push" : "");
	url_escape(g->service, service, sizeof(service));
	snprintf(url, sizeof(url), "%s%cservice=%s&scope=%s", g->realm,
		 strchr(g->realm, '?') ? '&' : '?', service, scope);
	if (g->creds.token) {
		char refresh[6000];

		url_escape(g->creds.token, refresh, sizeof(refresh));
		q = (struct http_request){.method = "POST",
					  .url = g->realm,
					  .data = body,
					  .content_type = "application/x-www-form-urlencoded"};
		q.len = (u64)snprintf(body, sizeof(body),
				      "grant_type=refresh_token&service=%s&scope=%s&client_id=hull&"
				      "refresh_token=%s",
				      service, scope, refresh);
	}
	ret = http_do(g->http, &q, &r, e);
	if (!ret && (r.status < 200 || r.status > 299))
		ret = err_set(e, EACCES, "%s refuses %s (status %ld)%s", g->ref.registry,
			      g->push ? "to let anything be put" : "access", r.status,
			      g->creds.user || g->creds.token
				      ? ": the credentials are wrong or not enough"
				      : ": it wants credentials, give --creds or log in");
	if (!ret)
		ret = token_of(&r, out, e);
	http_reply_fini(&r);
	return ret;
}

/* What to do about a 401: 1 to try again with something new, or the error. */
static int authenticate(struct registry *g, const struct http_reply *r, unsigned token_no,
			struct err *e)
{
	char *token = NULL;
	int ret = 1;

	if (strncasecmp(r->challenge, "Bearer", 6) || !g->realm[0])
		return err_set(e, EACCES, "%s: %s", g->ref.registry,
			       g->creds.user ? "the credentials are wrong"
					     : "it wants credentials: give --creds or log in by "
					       "docker, podman or skopeo");
	pthread_mutex_lock(&g->lock);
	/* Another thread may have got one meanwhile. */
	if (token_no == g->token_no) {
		ret = fetch_token(g, &token, e);
		if (!ret) {
			free(g->token);
			g->token = token;
			g->token_no++;
			ret = 1;
		}
	}
	pthread_mutex_unlock(&g->lock);
	return ret;
}

/* ---- requests ---- */

static void nap(unsigned ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

/* One try, with the present token or password. */
static int try_once(struct registry *g, struct http_request *q, struct http_reply *reply,
		    unsigned *token_no, struct err *e)
{
	char *token;
	int ret;

	pthread_mutex_lock(&g->lock);
	token = g->token ? strdup(g->token) : NULL;
	*token_no = g->token_no;
	pthread_mutex_unlock(&g->lock);
	q->bearer = token;
	q->user = g->basic ? g->creds.user : NULL;
	ret = http_do(g->http, q, reply, e);
	q->bearer = NULL;
	free(token);
	return ret;
}

static bool worth_again(int ret, const struct http_reply *r)
{
	return ret ? r->retry : r->status == 429 || r->status >= 500;
}

static int request_url(const struct registry *g, const char *path, char *url, size_t size,
		       struct err *e)
{
	int n;

	if (!strncmp(path, "http://", 7) || !strncmp(path, "https://", 8))
		n = snprintf(url, size, "%s", path);
	else if (*path == '/')
		n = snprintf(url, size, "%s%s", g->base, path);
	else
		n = snprintf(url, size, "%s/v2/%s/%s", g->base, g->ref.path, path);
	if (n < 0 || (size_t)n >= size)
		return err_set(e, EINVAL, "%s gave an address that is too long", g->ref.registry);
	/* A password must not follow a Location to somebody else, or out of TLS. */
	if (strncmp(url, g->base, strlen(g->base)) && strncmp(url, "https://", 8) &&
	    !strncmp(g->base, "https://", 8))
		return err_set(e, EPROTO, "%s sends us from https to http: refused",
			       g->ref.registry);
	return 0;
}

/* One try, and a second one when the first only told what to authenticate for. */
static int try_authenticated(struct registry *g, struct http_request *q, struct http_reply *reply,
			     struct err *e)
{
	unsigned token_no;
	int ret = try_once(g, q, reply, &token_no, e);

	if (ret || reply->status != 401)
		return ret;
	ret = authenticate(g, reply, token_no, e);
	http_reply_fini(reply);
	return ret < 0 ? ret : try_once(g, q, reply, &token_no, e);
}

static int try_often(struct registry *g, struct http_request *q, const u64 *moved,
		     struct http_reply *reply, struct err *e)
{
	u64 start = q->from, before = moved ? *moved : 0;
	unsigned vain = 0;
	int ret = 0;

	for (unsigned i = 0; i < TRIES_MAX; i++) {
		u64 seen = moved ? *moved : 0;

		http_reply_fini(reply);
		q->from = start + seen - before;
		ret = try_authenticated(g, q, reply, e);
		/* As long as something comes, a broken connection is not yet in vain. */
		vain = moved && *moved != seen ? 0 : vain + 1;
		if (!worth_again(ret, reply) || vain == TRIES)
			return ret;
		nap(FIRST_DELAY_MS << (vain < 4 ? vain : 4));
	}
	return ret;
}

int registry_do(struct registry *g, struct http_request *q, const char *path, const u64 *moved,
		struct http_reply *reply, struct err *e)
{
	char url[4096];
	int ret = request_url(g, path, url, sizeof(url), e);

	*reply = (struct http_reply){0};
	if (ret)
		return ret;
	q->url = url;
	ret = try_often(g, q, moved, reply, e);
	q->url = NULL;
	return ret;
}

int registry_error(const struct registry *g, const char *what, const struct http_reply *reply,
		   struct err *e)
{
	json_t *doc = NULL, *first;
	char said[200] = "";
	int status = reply->status == 404			    ? ENOENT
		     : reply->status == 401 || reply->status == 403 ? EACCES
								    : EIO;

	if (reply->body && !doc_parse("error", reply->body, reply->len, &doc, NULL)) {
		first = json_array_get(json_object_get(doc, "errors"), 0);
		snprintf(said, sizeof(said), ": %.80s %.100s", doc_text(first, "code"),
			 doc_text(first, "message"));
		json_decref(doc);
	}
	/* Bytes of somebody else go to a terminal: printable ones only. */
	for (char *s = said; *s; s++)
		if ((u8)*s < ' ' || *s == 0x7f)
			*s = '?';
	return err_set(e, status, "%s %s: the registry answers %ld%s", g->ref.registry, what,
		       reply->status, said);
}

/* ---- making contact ---- */

/* The registry's first answer says how it wants to be authenticated to. */
static int read_challenge(struct registry *g, const struct http_reply *r, struct err *e)
{
	if (r->status != 401)
		return 0;
	if (!strncasecmp(r->challenge, "Basic", 5)) {
		g->basic = true;
		return 0;
	}
	parameter(r->challenge, "realm", g->realm, sizeof(g->realm));
	parameter(r->challenge, "service", g->service, sizeof(g->service));
	if (strncasecmp(r->challenge, "Bearer", 6) || !g->realm[0])
		return err_set(e, EPROTO, "%s wants an authentication hull does not know: %.80s",
			       g->ref.registry, r->challenge);
	if (!strncmp(g->base, "https://", 8) && strncmp(g->realm, "https://", 8))
		return err_set(e, EPROTO, "%s wants the password in the clear at %.80s: refused",
			       g->ref.registry, g->realm);
	return 0;
}

static int ping(struct registry *g, bool tls, bool *no_tls, struct err *e)
{
	const char *host =
		!strcmp(g->ref.registry, "docker.io") ? "registry-1.docker.io" : g->ref.registry;
	char url[320];
	struct http_request q = {.method = "GET", .url = url};
	struct http_reply r;
	int ret = 0;

	snprintf(g->base, sizeof(g->base), "%s://%.256s", tls ? "https" : "http", host);
	snprintf(url, sizeof(url), "%s/v2/", g->base);
	for (unsigned i = 0; i < TRIES; i++) {
		ret = http_do(g->http, &q, &r, e);
		*no_tls = ret && r.tls;
		if (!worth_again(ret, &r) || ret == -ECONNREFUSED)
			break;
		if (i + 1 < TRIES) {
			http_reply_fini(&r);
			nap(FIRST_DELAY_MS << i);
		}
	}
	if (!ret && r.status != 200 && r.status != 401)
		ret = registry_error(g, "is no image registry", &r, e);
	if (!ret)
		ret = read_challenge(g, &r, e);
	http_reply_fini(&r);
	return ret;
}

static int make_contact(struct registry *g, const struct image_registry_options *o, struct err *e)
{
	bool no_tls = false, open_ok = o->no_verify || ref_is_loopback(&g->ref);
	struct err first = {0};
	int ret = ping(g, true, &no_tls, &first);

	if (ret && no_tls && open_ok)
		ret = ping(g, false, &no_tls, &first);
	else if (ret && no_tls)
		err_set(&first, EPROTO,
			"%s does not speak TLS: --tls-verify=false lets hull talk to it in the "
			"clear",
			g->ref.registry);
	if (ret && e)
		*e = first;
	return ret;
}

int registry_open(const struct ref *r, const struct image_registry_options *o, bool push,
		  struct registry **out, struct err *e)
{
	struct registry *g = calloc(1, sizeof(*g));
	struct http_config c = {.no_verify = o->no_verify};
	int ret;

	*out = NULL;
	if (!g)
		return err_set(e, ENOMEM, "no memory");
	g->ref = *r;
	g->push = push;
	pthread_mutex_init(&g->lock, NULL);
	find_certs(g, o->cert_dir);
	c.timeout_s = o->timeout_s ? o->timeout_s : DEFAULT_TIMEOUT_S;
	c.ca = g->ca[0] ? g->ca : NULL;
	c.cert = g->cert[0] ? g->cert : NULL;
	c.key = g->key[0] ? g->key : NULL;
	ret = credentials_find(r, o->creds, o->auth_file, &g->creds, e);
	if (!ret)
		ret = http_open(&c, &g->http, e);
	if (!ret)
		ret = make_contact(g, o, e);
	if (ret)
		registry_close(g);
	else
		*out = g;
	return ret;
}

void registry_close(struct registry *g)
{
	if (!g)
		return;
	http_close(g->http);
	credentials_fini(&g->creds);
	free(g->token);
	pthread_mutex_destroy(&g->lock);
	free(g);
}
