/* SPDX-License-Identifier: Apache-2.0 */
#include "image/credentials.h"

#include "host/rootless.h"
#include "host/log.h"
#include "image/doc.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Docker's own name for its hub in config.json. */
#define DOCKER_HUB_KEY "https://index.docker.io/v1/"

static void wipe(char *s)
{
	if (s)
		OPENSSL_cleanse(s, strlen(s));
	free(s);
}

void credentials_fini(struct credentials *c)
{
	wipe(c->user);
	wipe(c->token);
	*c = (struct credentials){0};
}

/* Base64 of "name:password" (config.json "auth"). */
static int decode_auth(const char *b64, struct credentials *out, struct err *e)
{
	size_t n = strlen(b64);
	char *text = malloc(n + 4);
	int len;

	if (!text)
		return err_set(e, ENOMEM, "no memory");
	len = n && n % 4 == 0 && n < 65536 ? EVP_DecodeBlock((u8 *)text, (const u8 *)b64, (int)n)
					   : -1;
	/* EVP_DecodeBlock counts what stands for the padding too. */
	for (size_t i = n; len > 0 && i-- > 0 && b64[i] == '=';)
		len--;
	if (len <= 0 || memchr(text, 0, (size_t)len) || !memchr(text, ':', (size_t)len)) {
		free(text);
		return err_set(e, EINVAL, "an \"auth\" that is no base64 of NAME:PASSWORD");
	}
	text[len] = 0;
	out->user = text;
	return 0;
}

static int take_entry(const json_t *o, struct credentials *out, struct err *e)
{
	const char *auth = doc_text(o, "auth"), *user = doc_text(o, "username"),
		   *token = doc_text(o, "identitytoken");

	if (*token)
		out->token = strdup(token);
	if (*auth)
		return decode_auth(auth, out, e);
	if (*user && asprintf(&out->user, "%s:%s", user, doc_text(o, "password")) < 0) {
		out->user = NULL;
		return err_set(e, ENOMEM, "no memory");
	}
	return 0;
}

/* containers-auth.json(5): the longest "registry/path" that fits, then the registry, then URLs. */
static const json_t *entry_for(const json_t *auths, const struct ref *r)
{
	char key[600];
	const json_t *o;
	char *slash;

	snprintf(key, sizeof(key), "%s/%s", r->registry, r->path);
	for (;;) {
		o = json_object_get(auths, key);
		slash = strrchr(key, '/');
		if (o || !slash)
			break;
		*slash = 0;
	}
	if (!o && !strcmp(r->registry, "docker.io"))
		o = json_object_get(auths, DOCKER_HUB_KEY);
	for (unsigned i = 0; !o && i < 4; i++) {
		snprintf(key, sizeof(key), "%s://%s%s", i & 1 ? "http" : "https", r->registry,
			 i & 2 ? "/v1/" : "");
		o = json_object_get(auths, key);
	}
	return o;
}

static bool wants_helper(const json_t *doc, const struct ref *r)
{
	return json_object_get(json_object_get(doc, "credHelpers"), r->registry) ||
	       *doc_text(doc, "credsStore");
}

/* 1: found, 0: nothing in it, -ENOENT: no such file. */
static int read_file(const char *path, const struct ref *r, struct credentials *out, struct err *e)
{
	struct file_map f;
	const json_t *o;
	json_t *doc;
	int ret = file_map_open("credentials file", path, &f, e);

	if (ret)
		return ret;
	ret = doc_parse(path, f.data, f.size, &doc, e);
	file_map_close(&f);
	if (ret)
		return ret;
	o = entry_for(json_object_get(doc, "auths"), r);
	if (o)
		ret = take_entry(o, out, e);
	if (!ret && o && !out->user && !out->token && wants_helper(doc, r))
		log_warn("%s keeps the credentials of %s in a helper program, which hull does not "
			 "call: give --creds",
			 path, r->registry);
	json_decref(doc);
	if (ret)
		return err_wrap(e, "%s", path);
	return out->user || out->token;
}

static int usual_places(const struct ref *r, struct credentials *out, struct err *e)
{
	const char *run = getenv("XDG_RUNTIME_DIR"), *conf = getenv("XDG_CONFIG_HOME"),
		   *home = getenv("HOME"), *docker = getenv("DOCKER_CONFIG");
	char path[5][PATHS_MAX] = {"", "", "", "", ""};
	int ret = 0;

	if (run && *run)
		paths_format(path[0], NULL, "%s/containers/auth.json", run);
	paths_format(path[1], NULL, "/run/containers/%u/auth.json", (unsigned)rootless_owner());
	if (conf && *conf)
		paths_format(path[2], NULL, "%s/containers/auth.json", conf);
	else if (home && *home)
		paths_format(path[2], NULL, "%s/.config/containers/auth.json", home);
	if (docker && *docker)
		paths_format(path[3], NULL, "%s/config.json", docker);
	else if (home && *home)
		paths_format(path[3], NULL, "%s/.docker/config.json", home);
	for (unsigned i = 0; !ret && i < ARRAY_LEN(path); i++) {
		if (!path[i][0] || access(path[i], R_OK))
			continue;
		ret = read_file(path[i], r, out, e);
	}
	return ret < 0 ? ret : 0;
}

int credentials_find(const struct ref *r, const char *creds, const char *file,
		     struct credentials *out, struct err *e)
{
	const char *env = getenv("REGISTRY_AUTH_FILE");
	int ret;

	*out = (struct credentials){0};
	if (creds) {
		if (!strchr(creds, ':'))
			return err_set(e, EINVAL, "--creds: give NAME:PASSWORD");
		out->user = strdup(creds);
		return out->user ? 0 : err_set(e, ENOMEM, "no memory");
	}
	if (!file && env && *env)
		file = env;
	if (!file)
		return usual_places(r, out, e);
	ret = read_file(file, r, out, e);
	return ret < 0 ? ret : 0;
}

/* ---- keeping them ------------------------------------------------------- */

static int own_file(const char *file, char *out, struct err *e)
{
	const char *env = getenv("REGISTRY_AUTH_FILE"), *docker = getenv("DOCKER_CONFIG"),
		   *home = getenv("HOME");
	char dir[PATHS_MAX];
	int ret;

	if (!file && env && *env)
		file = env;
	if (file)
		return paths_format(out, e, "%s", file);
	if (docker && *docker)
		ret = paths_format(dir, e, "%s", docker);
	else if (home && *home)
		ret = paths_format(dir, e, "%s/.docker", home);
	else
		return err_set(e, ENOENT, "no HOME: say where by --authfile");
	if (!ret)
		ret = paths_make_dir(dir, 0700, e);
	return ret ? ret : paths_format(out, e, "%s/config.json", dir);
}

static int write_doc(const char *path, const json_t *doc, struct err *e)
{
	char tmp[PATHS_MAX];
	int fd, ret = paths_format(tmp, e, "%s.%d", path, getpid());

	if (ret)
		return ret;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "%s", tmp);
	ret = json_dumpfd(doc, fd, JSON_INDENT(4)) || write(fd, "\n", 1) != 1 || fsync(fd);
	if (close(fd) || ret || rename(tmp, path)) {
		ret = err_errno(e, "write %s", path);
		unlink(tmp);
	}
	return ret;
}

/* The file's document; an empty one if there is no file yet. */
static int read_doc(const char *path, json_t **out, struct err *e)
{
	struct file_map f;
	int ret;

	*out = NULL;
	if (access(path, F_OK) && errno == ENOENT) {
		*out = json_object();
		return *out ? 0 : err_set(e, ENOMEM, "no memory");
	}
	ret = file_map_open("credentials file", path, &f, e);
	if (ret)
		return ret;
	ret = doc_parse(path, f.data, f.size, out, e);
	file_map_close(&f);
	return ret;
}

static int set_entry(json_t *doc, const char *registry, const char *creds, struct err *e)
{
	const char *key = !strcmp(registry, "docker.io") ? DOCKER_HUB_KEY : registry;
	json_t *auths = json_object_get(doc, "auths");
	size_t n = creds ? strlen(creds) : 0;
	char *b64;
	int ret;

	if (!creds)
		return json_object_del(auths, key)
			       ? err_set(e, ENOENT, "not logged in at %s", registry)
			       : 0;
	if (!json_is_object(auths)) {
		json_object_set_new(doc, "auths", json_object());
		auths = json_object_get(doc, "auths");
	}
	b64 = n < 16384 ? malloc(n / 3 * 4 + 5) : NULL;
	if (!b64)
		return err_set(e, E2BIG, "name and password are too long");
	EVP_EncodeBlock((u8 *)b64, (const u8 *)creds, (int)n);
	ret = json_object_set_new(auths, key, json_pack("{s:s}", "auth", b64))
		      ? err_set(e, ENOMEM, "no memory")
		      : 0;
	wipe(b64);
	return ret;
}

int credentials_keep(const char *registry, const char *creds, const char *file, struct err *e)
{
	char path[PATHS_MAX];
	json_t *doc;
	int ret = own_file(file, path, e);

	if (!ret)
		ret = read_doc(path, &doc, e);
	if (ret)
		return ret;
	ret = set_entry(doc, registry, creds, e);
	if (!ret)
		ret = write_doc(path, doc, e);
	json_decref(doc);
	return ret;
}
