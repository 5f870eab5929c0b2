/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull images`, `rmi`, `tag`, `prune` and `hull image inspect`: what the image
 * store holds.
 */
#include "cli/image.h"

#include "cli/build.h"
#include "image/ref.h"
#include "image/store.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int cli_collect(const struct cli_command *self, int argc, char **argv,
		int (*fn)(void *opaque, const struct cli_option *o, const char *value,
			  struct err *e),
		void *opaque, struct cli_words *words, struct err *e)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	int ret;

	while ((ret = cli_next(&p, &opt, e)) > 0) {
		if (opt && (ret = fn(opaque, opt, p.value, e)))
			return ret;
		if (opt)
			continue;
		if (words->n == ARRAY_LEN(words->v))
			return err_set(e, EINVAL, "too many arguments");
		words->v[words->n++] = p.value;
	}
	return ret;
}

static int set_flag(void *opaque, const struct cli_option *o, const char *value, struct err *e)
{
	bool *flags = opaque;

	flags[o->id] = true;
	return 0;
}

/* ---- listing ---- */

enum { LIST_JSON, LIST_QUIET, LIST_FLAGS };

struct listing {
	struct image_store *s;
	json_t *array; /* NULL: text */
	bool quiet;
	const char *name; /* of the entry being listed */
};

static void size_text(u64 bytes, char out[24])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes;
	unsigned i = 0;

	for (; v >= 1000 && i + 1 < ARRAY_LEN(units); i++)
		v /= 1024;
	snprintf(out, 24, i ? "%.1f %s" : "%.0f %s", v, units[i]);
}

static void list_json(struct listing *l, const struct image *im)
{
	char platform[100];

	platform_format(&im->platform, platform);
	json_array_append_new(l->array,
			      json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:i}", "name", l->name,
					"id", im->id, "digest", im->manifest, "platform", platform,
					"created", im->created, "size", (json_int_t)im->size,
					"layers", (int)im->nlayers));
}

static int list_one(void *opaque, const struct descriptor *at, const struct manifest *m)
{
	struct listing *l = opaque;
	char platform[100], size[24];
	struct image *im;
	struct err e = {0};

	if (store_image(l->s, at, m, &im, &e)) {
		fprintf(stderr, "hull images: %s: %s\n", l->name, e.msg);
		return 0;
	}
	platform_format(&im->platform, platform);
	size_text(im->size, size);
	if (l->array)
		list_json(l, im);
	else if (l->quiet)
		printf("%s\n", im->id);
	else
		printf("%-48s %.12s  %-14s %-10.10s %10s\n", l->name, im->id + DIGEST_PREFIX,
		       platform, im->created, size);
	image_free(im);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct descriptor *)a)->name, ((const struct descriptor *)b)->name);
}

static int list_all(struct listing *l, const struct cli_words *w, struct err *e)
{
	struct index_entries x;
	int ret = index_load(l->s, &x, e);

	if (ret)
		return ret;
	if (x.n)
		qsort(x.v, x.n, sizeof(*x.v), by_name);
	for (unsigned i = 0; !ret && i < x.n; i++) {
		l->name = x.v[i].name;
		if (!w->n || strstr(l->name, w->v[0]))
			ret = store_each_manifest(l->s, &x.v[i], list_one, l, e);
	}
	index_free(&x);
	return ret;
}

static int cmd_images(const struct cli_command *self, int argc, char **argv)
{
	struct cli_words w = {0};
	bool flags[LIST_FLAGS] = {0};
	struct listing l = {0};
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, set_flag, flags, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (w.n > 1)
		return cli_parse_end(self, err_set(&e, EINVAL, "give at most one name part"), &e);
	l.quiet = flags[LIST_QUIET];
	if (flags[LIST_JSON])
		l.array = json_array();
	else if (!l.quiet)
		printf("%-48s %-12s  %-14s %-10s %10s\n", "NAME", "ID", "PLATFORM", "CREATED",
		       "SIZE");
	ret = image_store_open(NULL, IMAGE_STORE_READ, &l.s, &e);
	if (!ret)
		ret = list_all(&l, &w, &e);
	image_store_close(l.s);
	if (!ret && l.array)
		ret = json_dumpf(l.array, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
	json_decref(l.array);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

/* ---- names ---- */

static int tag(struct image_store *s, const char *from, const char *to, struct err *e)
{
	char name[IMAGE_NAME_MAX];
	struct descriptor d;
	struct ref r;
	int ret = ref_parse(to, &r, e);

	if (!ret && r.digest.s[0])
		ret = err_set(e, EINVAL, "%s: a new name has no digest", to);
	ret = ret ? ret : ref_format(&r, name, e);
	ret = ret ? ret : store_find(s, from, &d, e);
	return ret ? ret : index_tag(s, name, &d, e);
}

static int cmd_tag(const struct cli_command *self, int argc, char **argv)
{
	struct image_store *s = NULL;
	struct cli_words w = {0};
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, set_flag, NULL, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (w.n != 2)
		ret = err_set(&e, EINVAL, "give an image and its new name");
	ret = ret ? ret : image_store_open(NULL, IMAGE_STORE_WRITE, &s, &e);
	ret = ret ? ret : tag(s, w.v[0], w.v[1], &e);
	image_store_close(s);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

/* By name only that name goes; by ID or digest all names of the image. */
static int remove_one(struct image_store *s, const char *ref, bool force, struct err *e)
{
	struct index_entries x;
	struct descriptor d;
	int ret = store_find(s, ref, &d, e);

	if (ret)
		return ret;
	if (!force && store_is_pinned(s, &d))
		return err_set(e, EBUSY, "image %s is in use: remove what runs it, or give --force",
			       ref);
	if (d.name[0]) {
		ret = index_untag(s, d.name, e);
		if (!ret)
			printf("untagged %s\n", d.name);
		return ret;
	}
	ret = index_load(s, &x, e);
	for (unsigned i = 0; !ret && i < x.n; i++) {
		if (!store_holds(s, &x.v[i], &d.digest))
			continue;
		ret = index_untag(s, x.v[i].name, e);
		if (!ret)
			printf("untagged %s\n", x.v[i].name);
	}
	index_free(&x);
	return ret;
}

static int cmd_rmi(const struct cli_command *self, int argc, char **argv)
{
	struct image_store *s = NULL;
	struct prune_result gone;
	struct cli_words w = {0};
	bool force = false;
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, set_flag, &force, &w, &e), bad = 0;

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (!w.n)
		ret = err_set(&e, EINVAL, "give the name or ID of an image");
	ret = ret ? ret : image_store_open(NULL, IMAGE_STORE_WRITE, &s, &e);
	for (unsigned i = 0; !ret && i < w.n; i++)
		if (remove_one(s, w.v[i], force, &e))
			bad = cli_fail(self, &e);
	/* Somebody else at work only means that prune has to do it. */
	if (!ret)
		store_prune(s, false, false, &gone, NULL);
	image_store_close(s);
	return ret ? cli_fail(self, &e) : bad;
}

static int cmd_prune(const struct cli_command *self, int argc, char **argv)
{
	struct image_store *s = NULL;
	struct prune_result r;
	struct cli_words w = {0};
	bool all = false;
	char size[24];
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, set_flag, &all, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (w.n)
		ret = err_set(&e, EINVAL, "takes no arguments");
	ret = ret ? ret : image_store_open(NULL, IMAGE_STORE_WRITE, &s, &e);
	ret = ret ? ret : store_prune(s, all, true, &r, &e);
	image_store_close(s);
	if (ret)
		return cli_fail(self, &e);
	size_text(r.bytes, size);
	printf("removed %u names, %u blobs, %u layers, %u block images: %s and the layers\n",
	       r.names, r.blobs, r.layers, r.blocks, size);
	return CLI_OK;
}

/* ---- hull image ---- */

static json_t *strings(char *const *list)
{
	json_t *a = json_array();

	for (; list && *list; list++)
		json_array_append_new(a, json_string(*list));
	return a;
}

static json_t *health_json(const struct image_health *h)
{
	if (!h->test)
		return json_null();
	return json_pack("{s:o, s:I, s:I, s:I, s:i}", "test", strings(h->test), "interval_ns",
			 (json_int_t)h->interval_ns, "timeout_ns", (json_int_t)h->timeout_ns,
			 "start_period_ns", (json_int_t)h->start_period_ns, "retries",
			 (int)h->retries);
}

static json_t *image_json(const struct image *im)
{
	const struct image_config *c = &im->config;
	char platform[100];

	platform_format(&im->platform, platform);
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, "
		"s:s, s:o, s:o}",
		"name", im->name, "id", im->id, "digest", im->manifest, "chain", im->chain,
		"platform", platform, "created", im->created, "size", (json_int_t)im->size, "env",
		strings(c->env), "entrypoint", strings(c->entrypoint), "cmd", strings(c->cmd),
		"ports", strings(c->ports), "volumes", strings(c->volumes), "labels",
		strings(c->labels), "shell", strings(c->shell), "user", c->user, "workdir",
		c->workdir, "stop_signal", c->stop_signal, "healthcheck", health_json(&c->health),
		"layers", strings(im->layers));
}

static int inspect(const char *const *refs, unsigned n, const struct image_platform *want,
		   struct err *e)
{
	struct image_store *s = NULL;
	json_t *array = json_array();
	int ret = image_store_open(NULL, IMAGE_STORE_READ, &s, e);

	for (unsigned i = 0; !ret && i < n; i++) {
		struct image *im;

		ret = image_resolve(s, refs[i], want, &im, e);
		if (!ret)
			json_array_append_new(array, image_json(im));
		if (!ret)
			image_free(im);
	}
	image_store_close(s);
	if (!ret)
		ret = json_dumpf(array, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
	json_decref(array);
	return ret;
}

enum {
	IMAGE_PLATFORM,
	IMAGE_TAG,
	IMAGE_FILE,
	IMAGE_ARG,
	IMAGE_TARGET,
	IMAGE_NETWORK,
	IMAGE_NO_CACHE,
	IMAGE_QUIET,
};

struct image_args {
	struct image_platform platform;
	struct build_args b;
};

static int add_text(const char *what, const char *value, const char **list, unsigned *n,
		    struct err *e)
{
	if (*n == BUILD_MAX_LIST)
		return err_set(e, EINVAL, "more than %u times --%s", BUILD_MAX_LIST, what);
	list[(*n)++] = value;
	return 0;
}

static int image_option(void *opaque, const struct cli_option *o, const char *value, struct err *e)
{
	struct image_args *a = opaque;

	switch (o->id) {
	case IMAGE_PLATFORM:
		a->b.platform = &a->platform;
		return image_platform_parse(value, &a->platform, e);
	case IMAGE_TAG:
		return add_text(o->name, value, a->b.tags, &a->b.ntags, e);
	case IMAGE_ARG:
		return add_text(o->name, value, a->b.args, &a->b.nargs, e);
	case IMAGE_FILE:
		a->b.file = value;
		return 0;
	case IMAGE_TARGET:
		a->b.target = value;
		return 0;
	case IMAGE_NETWORK:
		a->b.no_network = !strcmp(value, "none");
		if (!a->b.no_network && strcmp(value, "host"))
			return err_set(e, EINVAL, "--network %s: give host or none", value);
		return 0;
	case IMAGE_NO_CACHE:
		a->b.no_cache = true;
		return 0;
	default:
		a->b.quiet = true;
		return 0;
	}
}

static int cmd_image(const struct cli_command *self, int argc, char **argv)
{
	struct image_args a = {0};
	struct cli_words w = {0};
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, image_option, &a, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (w.n >= 2 && !strcmp(w.v[0], "inspect")) {
		ret = inspect(w.v + 1, w.n - 1, a.b.platform, &e);
	} else if (w.n == 2 && !strcmp(w.v[0], "build")) {
		a.b.context = w.v[1];
		ret = build_image(&a.b, &e);
	} else {
		ret = err_set(&e, EINVAL, "give inspect and images, or build and a directory");
	}
	return ret ? cli_fail(self, &e) : CLI_OK;
}

/* ---- the table's rows ---- */

static const struct cli_option list_options[] = {
	{.name = "json", .help = "print JSON", .id = LIST_JSON},
	{.name = "quiet", .letter = 'q', .help = "print IDs only", .id = LIST_QUIET},
};

static const struct cli_option rmi_options[] = {
	{.name = "force", .letter = 'f', .help = "even if something uses it"},
};

static const struct cli_option prune_options[] = {
	{.name = "all", .letter = 'a', .help = "also every image that nothing uses"},
};

/* clang-format off */
static const struct cli_option image_options[] = {
	{.name = "platform", .arg = "PLATFORM", .id = IMAGE_PLATFORM,
	 .help = "OS/ARCH[/VARIANT] or ARCH; default the host's"},
	{.name = "tag", .letter = 't', .arg = "NAME", .id = IMAGE_TAG,
	 .help = "build: name of the result; can be repeated"},
	{.name = "file", .letter = 'f', .arg = "FILE", .words = "@file", .id = IMAGE_FILE,
	 .help = "build: default Containerfile or Dockerfile of the directory"},
	{.name = "build-arg", .arg = "NAME=VALUE", .id = IMAGE_ARG,
	 .help = "build: value of an ARG; can be repeated"},
	{.name = "target", .arg = "STAGE", .id = IMAGE_TARGET, .help = "build: stop after that stage"},
	{.name = "network", .arg = "host|none", .words = "host none", .id = IMAGE_NETWORK,
	 .help = "build: what RUN steps reach (host)"},
	{.name = "no-cache", .id = IMAGE_NO_CACHE, .help = "build: do every step anew"},
	{.name = "quiet", .letter = 'q', .id = IMAGE_QUIET, .help = "build: no progress"},
};
/* clang-format on */

#define OPTIONS(o) .options = o, .noptions = ARRAY_LEN(o)

const struct cli_command cli_images = {.name = "images",
				       .args = "[PART-OF-NAME]",
				       .help = "List stored images",
				       OPTIONS(list_options),
				       .run = cmd_images};
const struct cli_command cli_rmi = {.name = "rmi",
				    .rootless = ROOTLESS_ENTER,
				    .args = "IMAGE...",
				    .help = "Remove images, and what only they used",
				    OPTIONS(rmi_options),
				    .words = "@image",
				    .run = cmd_rmi};
const struct cli_command cli_tag = {.name = "tag",
				    .args = "IMAGE NAME",
				    .help = "Give an image another name",
				    .words = "@image",
				    .run = cmd_tag};
const struct cli_command cli_prune = {.name = "prune",
				      .rootless = ROOTLESS_ENTER,
				      .args = "",
				      .help = "Remove what no image uses any more",
				      OPTIONS(prune_options),
				      .run = cmd_prune};
const struct cli_command cli_image = {
	.name = "image",
	.rootless = ROOTLESS_TELL,
	.args = "inspect IMAGE... | build DIRECTORY",
	.help = "Print what images are, as JSON, or build one from a Containerfile",
	OPTIONS(image_options),
	.words = "inspect build",
	.run = cmd_image};
