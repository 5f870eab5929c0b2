/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging in at a registry: the password is tried, then kept where docker, podman
 * and skopeo keep theirs (containers-auth.json(5)), in the clear as they do.
 */
#include "image/credentials.h"
#include "image/doc.h"
#include "image/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A registry's name alone; what it is asked needs some repository. */
static int registry_ref(const char *name, struct ref *out, struct err *e)
{
	char text[300];
	int ret;

	if (strchr(name, '/') || strchr(name, '@') || strlen(name) > 255 || !*name)
		return err_set(e, EINVAL, "%.80s: give the name of a registry, HOST[:PORT]", name);
	/* A word without dot or port would be taken for a repository. */
	if (!strpbrk(name, ".:") && strcmp(name, "localhost"))
		return err_set(e, EINVAL, "%.80s: a registry's name has a dot or a port", name);
	snprintf(text, sizeof(text), "%s/login", name);
	ret = ref_parse(text, out, e);
	return ret;
}

static int try_password(const struct ref *r, const struct image_registry_options *o, struct err *e)
{
	struct http_request q = {.method = "GET"};
	struct http_reply reply = {0};
	struct registry *g;
	int ret = registry_open(r, o, false, &g, e);

	if (ret)
		return ret;
	ret = registry_do(g, &q, "/v2/", NULL, &reply, e);
	if (!ret && reply.status != 200)
		ret = registry_error(g, "login", &reply, e);
	http_reply_fini(&reply);
	registry_close(g);
	return ret;
}

int image_login(const char *registry, const struct image_registry_options *o, struct err *e)
{
	struct ref r;
	int ret = registry_ref(registry, &r, e);

	if (!ret && (!o->creds || !strchr(o->creds, ':')))
		ret = err_set(e, EINVAL, "login needs a name and a password");
	if (!ret)
		ret = try_password(&r, o, e);
	return ret ? ret : credentials_keep(r.registry, o->creds, o->auth_file, e);
}

int image_logout(const char *registry, const char *file, struct err *e)
{
	struct ref r;
	int ret = registry_ref(registry, &r, e);

	return ret ? ret : credentials_keep(r.registry, NULL, file, e);
}
