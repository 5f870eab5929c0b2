/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image config (image-spec config.md, and healthchecks as Docker writes
 * them) as struct image_config.
 */
#include "image/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int text(const json_t *o, const char *key, char **out, struct err *e)
{
	*out = strdup(doc_text(o, key));
	return *out ? 0 : err_set(e, ENOMEM, "no memory");
}

static int health(const json_t *o, struct image_health *h, struct err *e)
{
	if (!json_is_object(o))
		return 0;
	h->interval_ns = doc_uint(o, "Interval");
	h->timeout_ns = doc_uint(o, "Timeout");
	h->start_period_ns = doc_uint(o, "StartPeriod");
	h->retries = (unsigned)doc_uint(o, "Retries");
	return doc_list(o, "Test", &h->test, e);
}

static int run_config(const json_t *o, struct image_config *c, struct err *e)
{
	int ret = text(o, "User", &c->user, e);

	ret = ret ? ret : text(o, "WorkingDir", &c->workdir, e);
	ret = ret ? ret : text(o, "StopSignal", &c->stop_signal, e);
	ret = ret ? ret : doc_list(o, "Env", &c->env, e);
	ret = ret ? ret : doc_list(o, "Entrypoint", &c->entrypoint, e);
	ret = ret ? ret : doc_list(o, "Cmd", &c->cmd, e);
	ret = ret ? ret : doc_list(o, "Shell", &c->shell, e);
	ret = ret ? ret : doc_keys(o, "ExposedPorts", false, &c->ports, e);
	ret = ret ? ret : doc_keys(o, "Volumes", false, &c->volumes, e);
	ret = ret ? ret : doc_keys(o, "Labels", true, &c->labels, e);
	return ret ? ret : health(json_object_get(o, "Healthcheck"), &c->health, e);
}

static int layers(const json_t *doc, struct image *im, struct err *e)
{
	const json_t *rootfs = json_object_get(doc, "rootfs");
	struct digest d;
	int ret;

	if (!json_is_object(rootfs))
		return err_set(e, EINVAL, "no rootfs: not the config of a container image");
	if (strcmp(doc_text(rootfs, "type"), "layers"))
		return err_set(e, EOPNOTSUPP, "rootfs of the unknown type %.40s",
			       doc_text(rootfs, "type"));
	ret = doc_list(rootfs, "diff_ids", &im->diff_ids, e);
	if (ret)
		return ret;
	for (; im->diff_ids && im->diff_ids[im->nlayers]; im->nlayers++)
		if ((ret = digest_parse(im->diff_ids[im->nlayers], &d, e)))
			return err_wrap(e, "diff_ids");
	if (im->nlayers > IMAGE_MAX_LAYERS)
		return err_set(e, EFBIG, "%u layers, more than %u", im->nlayers, IMAGE_MAX_LAYERS);
	ret = chain_id(im->diff_ids, im->nlayers, &d, e);
	snprintf(im->chain, sizeof(im->chain), "%s", ret ? "" : d.s);
	return ret;
}

static int parse(const json_t *doc, struct image *im, struct err *e)
{
	struct image_platform *p = &im->platform;
	int ret = run_config(json_object_get(doc, "config"), &im->config, e);

	ret = ret ? ret : doc_copy("os", doc_text(doc, "os"), p->os, sizeof(p->os), e);
	ret = ret ? ret
		  : doc_copy("architecture", doc_text(doc, "architecture"), p->arch,
			     sizeof(p->arch), e);
	ret = ret ? ret
		  : doc_copy("variant", doc_text(doc, "variant"), p->variant, sizeof(p->variant),
			     e);
	ret = ret ? ret
		  : doc_copy("created", doc_text(doc, "created"), im->created, sizeof(im->created),
			     e);
	return ret ? ret : layers(doc, im, e);
}

int config_parse(const char *what, const void *data, size_t len, struct image *im, struct err *e)
{
	json_t *doc;
	int ret = doc_parse(what, data, len, &doc, e);

	if (ret)
		return ret;
	ret = parse(doc, im, e);
	json_decref(doc);
	return ret ? err_wrap(e, "%s", what) : 0;
}

static void config_fini(struct image_config *c)
{
	char ***const lists[] = {&c->env,     &c->entrypoint, &c->cmd,	 &c->ports,
				 &c->volumes, &c->labels,     &c->shell, &c->health.test};

	for (unsigned i = 0; i < ARRAY_LEN(lists); i++)
		list_free(*lists[i]);
	free(c->user);
	free(c->workdir);
	free(c->stop_signal);
}

void image_free(struct image *im)
{
	if (!im)
		return;
	config_fini(&im->config);
	list_free(im->layers);
	list_free(im->diff_ids);
	free(im->store);
	free(im);
}
