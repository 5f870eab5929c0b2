/* SPDX-License-Identifier: Apache-2.0 */
#include "image/build.h"

#include "image/build_internal.h"
#include "image/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define MAX_STAGES 64u

static void say(const struct build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct build *b, const char *fmt, ...)
{
	va_list ap;

	if (b->o->quiet)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

struct stage *build_current(struct build *b)
{
	return &b->stages[b->nstages - 1];
}

/* ---- ARG ---- */

static const char *global_variable(void *opaque, const char *name, size_t len)
{
	const struct build *b = opaque;
	char key[256];

	if (len >= sizeof(key))
		return NULL;
	snprintf(key, sizeof(key), "%.*s", (int)len, name);
	return json_string_value(json_object_get(b->global_args, key));
}

/* ARG NAME[=default]...: --build-arg goes over the default, a global ARG fills an empty one. */
static int do_arg(struct build *b, const struct cf_instruction *x, struct stage *st, struct err *e)
{
	const struct cf_vars vars = {st ? stage_variable : global_variable,
				     st ? (void *)st : (void *)b, b->file.escape};
	json_t *to = st ? st->args : b->global_args, *given;
	char **words;
	int ret = cf_words(x->args, &vars, &words, e);

	for (unsigned i = 0; !ret && words[i]; i++) {
		char *eq = strchr(words[i], '=');

		if (eq)
			*eq = 0;
		given = json_object_get(b->args, words[i]);
		if (!given && !eq)
			given = json_object_get(b->global_args, words[i]);
		if (given)
			json_object_set(to, words[i], given);
		else if (eq)
			json_object_set_new(to, words[i], json_string(eq + 1));
	}
	list_free(words);
	return ret;
}

/* ---- FROM ---- */

struct stage *build_find_stage(struct build *b, const char *name)
{
	char *end;
	unsigned long n = strtoul(name, &end, 10);

	for (unsigned i = 0; i < b->nstages; i++)
		if (b->stages[i].name[0] && !strcasecmp(b->stages[i].name, name))
			return &b->stages[i];
	return *name && !*end && n < b->nstages ? &b->stages[n] : NULL;
}

static json_t *new_config(const struct image_platform *p)
{
	return json_pack("{s:s, s:s, s:s*, s:{}}", "architecture", p->arch, "os", p->os, "variant",
			 p->variant[0] ? p->variant : NULL, "config");
}

static int from_image(struct build *b, struct stage *st, const char *ref,
		      const struct image_platform *want, struct err *e)
{
	struct image *im;
	struct descriptor d;
	int ret = store_find(b->store, ref, &d, e);

	if (ret == -ENOENT && b->o->pull)
		ret = b->o->pull(b->o->opaque, b->store, ref, e);
	ret = ret ? ret : image_resolve(b->store, ref, want, &im, e);
	if (ret)
		return ret;
	ret = stage_load(b->store, im, st, e);
	if (!ret)
		snprintf(st->key.s, sizeof(st->key.s), "%s", im->id);
	image_free(im);
	return ret;
}

/* A copy of an earlier stage. */
static int from_stage(struct stage *st, const struct stage *base, struct err *e)
{
	memcpy(st->layers, base->layers, sizeof(st->layers));
	memcpy(st->diff_ids, base->diff_ids, sizeof(st->diff_ids));
	st->nlayers = base->nlayers;
	st->key = base->key;
	st->config = json_deep_copy(base->config);
	return st->config ? 0 : err_set(e, ENOMEM, "no memory");
}

static int begin_stage(struct build *b, const struct cf_instruction *x, char **words, struct err *e)
{
	struct image_platform platform;
	const struct image_platform *want = b->o->platform;
	const char *flag = cf_flag(x, "platform");
	struct stage *st = &b->stages[b->nstages], *base = build_find_stage(b, words[0]);
	int ret = 0;

	image_platform_host(&platform);
	if (want)
		platform = *want;
	if (flag) {
		ret = image_platform_parse(flag, &platform, e);
		want = &platform;
	}
	st->args = json_object();
	if (!ret && words[1])
		ret = doc_copy("stage name", words[2], st->name, sizeof(st->name), e);
	if (ret)
		return ret;
	if (!strcmp(words[0], "scratch")) {
		st->config = new_config(&platform);
		snprintf(st->key.s, sizeof(st->key.s), "sha256:%064d", 0);
		ret = st->config ? 0 : err_set(e, ENOMEM, "no memory");
	} else {
		ret = base ? from_stage(st, base, e) : from_image(b, st, words[0], want, e);
	}
	b->nstages++;
	return ret;
}

static int do_from(struct build *b, const struct cf_instruction *x, struct err *e)
{
	const struct cf_vars vars = {global_variable, b, b->file.escape};
	char **words;
	unsigned n = 0;
	int ret = cf_words(x->args, &vars, &words, e);

	if (ret)
		return ret;
	while (words[n])
		n++;
	if (n != 1 && (n != 3 || strcasecmp(words[1], "AS")))
		ret = err_set(e, EINVAL, "give FROM image [AS name]");
	else if (b->nstages == MAX_STAGES)
		ret = err_set(e, EFBIG, "more than %u stages", MAX_STAGES);
	else
		ret = begin_stage(b, x, words, e);
	list_free(words);
	return ret;
}

/* ---- steps that make layers ---- */

int build_step(struct build *b, struct stage *st, const char *text, const struct digest *more,
	       int (*fn)(void *opaque, const char *root, struct err *e), void *opaque,
	       struct err *e)
{
	bool empty = false;
	int ret = cache_key(st, text, more, e);

	if (ret)
		return ret;
	if (cache_find(b, st, &empty)) {
		say(b, "  from the cache");
	} else {
		ret = step_layer(b, st, fn, opaque, &empty, e);
		if (ret)
			return ret;
		cache_keep(b, st, empty);
	}
	return stage_history(st, text, empty, e);
}

struct run_step {
	struct build *b;
	struct image_run r;
};

static int run_mounted(void *opaque, const char *root, struct err *e)
{
	struct run_step *s = opaque;
	const struct image_build_ops *ops = s->b->o->ops;
	int status = 0, ret;

	s->r.root = root;
	ret = ops->run(ops->opaque, &s->r, &status, e);
	if (!ret && status)
		ret = err_set(e, ECHILD, "the command ended with status %d", status);
	return ret;
}

static int do_run(struct build *b, const struct cf_instruction *x, struct err *e)
{
	struct stage *st = build_current(b);
	struct run_step s = {.b = b};
	struct image_platform platform = {0};
	char **argv = NULL, **env = NULL, *text = NULL;
	json_t *c = stage_config(st), *doc;
	int ret = stage_environment(st, &env, e);

	if (!b->o->ops)
		ret = err_set(e, EOPNOTSUPP, "no container engine to run it with");
	if (!ret && x->nflags)
		ret = err_set(e, EOPNOTSUPP, "--%s is not supported", x->flags[0].name);
	doc = ret ? NULL : json_pack("{s:o}", "v", stage_argv(st, x));
	ret = ret ? ret : doc_list(doc, "v", &argv, e);
	json_decref(doc);
	if (!ret && !argv)
		ret = err_set(e, EINVAL, "a command is missing");
	/* The environment is part of what the step is known by: ARG values change it. */
	for (char **v = env; !ret && v && *v; v++) {
		struct digest d;

		ret = digest_of(*v, strlen(*v), &d, e);
		ret = ret ? ret : cache_key(st, "env", &d, e);
	}
	snprintf(platform.os, sizeof(platform.os), "%s", doc_text(st->config, "os"));
	snprintf(platform.arch, sizeof(platform.arch), "%s", doc_text(st->config, "architecture"));
	s.r = (struct image_run){.argv = argv,
				 .env = env,
				 .workdir = doc_text(c, "WorkingDir"),
				 .user = doc_text(c, "User"),
				 .platform = &platform};
	if (!ret && asprintf(&text, "RUN %s", x->args) < 0)
		ret = err_set(e, ENOMEM, "no memory");
	ret = ret ? ret : build_step(b, st, text, NULL, run_mounted, &s, e);
	list_free(argv);
	list_free(env);
	free(text);
	return ret;
}

int build_absolute(struct stage *st, const char *path, char *out, struct err *e)
{
	const char *dir = doc_text(stage_config(st), "WorkingDir");
	int n = snprintf(out, 4096, "%s%s%s",
			 *path == '/' ? ""
			 : *dir	      ? dir
				      : "/",
			 *path == '/' || !*dir || dir[strlen(dir) - 1] == '/' ? "" : "/", path);

	return n < 4096 ? 0 : err_set(e, ENAMETOOLONG, "%.60s...: too long", path);
}

static int make_workdir(void *opaque, const char *root, struct err *e)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return err_errno(e, "%s", root);
	ret = copy_make_dirs(fd, opaque, e);
	close(fd);
	if (ret >= 0)
		close(ret);
	return ret < 0 ? ret : 0;
}

static int do_workdir(struct build *b, const struct cf_instruction *x, struct err *e)
{
	struct stage *st = build_current(b);
	const struct cf_vars vars = {stage_variable, st, b->file.escape};
	char path[4096], text[4200], *value;
	int ret = cf_expand(x->args, &vars, &value, e);

	if (!ret && !*value)
		ret = err_set(e, EINVAL, "a directory is missing");
	ret = ret ? ret : build_absolute(st, value, path, e);
	free(value);
	if (ret)
		return ret;
	json_object_set_new(stage_config(st), "WorkingDir", json_string(path));
	snprintf(text, sizeof(text), "WORKDIR %s", path);
	return build_step(b, st, text, NULL, make_workdir, path, e);
}

/* ---- the whole file ---- */

static int do_config(struct build *b, const struct cf_instruction *x, struct err *e)
{
	struct stage *st = build_current(b);
	char *text;
	int ret = config_instruction(st, x, b->file.escape, e);

	if (ret <= 0)
		return ret ? ret
			   : err_set(e, EINVAL, "unknown or unsupported instruction %s", x->name);
	if (asprintf(&text, "%s %s", x->name, x->args) < 0)
		return err_set(e, ENOMEM, "no memory");
	ret = cache_key(st, text, NULL, e);
	ret = ret ? ret : stage_history(st, text, true, e);
	free(text);
	return ret;
}

static int do_instruction(struct build *b, const struct cf_instruction *x, struct err *e);

static int run_trigger(struct build *b, const char *text, struct err *e)
{
	struct containerfile f;
	int ret = containerfile_parse(text, strlen(text), &f, e);

	b->triggers += ret ? 0 : f.n;
	for (unsigned i = 0; !ret && i < f.n; i++)
		ret = onbuild_allowed(f.v[i].name) ? do_instruction(b, &f.v[i], e)
						   : err_set(e, EINVAL, "%s", f.v[i].name);
	containerfile_free(&f);
	return ret ? err_wrap(e, "ONBUILD of the base: %.60s", text) : 0;
}

/* What the base said is to be done in those made from it; they do not hand it on. */
static int run_triggers(struct build *b, struct stage *st, struct err *e)
{
	json_t *list = json_incref(json_object_get(stage_config(st), "OnBuild")), *v;
	int ret = 0;
	size_t i;

	json_object_del(stage_config(st), "OnBuild");
	json_array_foreach(list, i, v)
	{
		if (!ret)
			ret = run_trigger(b, json_string_value(v) ?: "", e);
	}
	json_decref(list);
	return ret;
}

static int do_instruction(struct build *b, const struct cf_instruction *x, struct err *e)
{
	say(b, "%u/%u %s %.*s", ++b->step, b->file.n + b->triggers, x->name,
	    (int)strcspn(x->args, "\n"), x->args);
	if (!strcmp(x->name, "ARG"))
		return do_arg(b, x, b->nstages ? build_current(b) : NULL, e);
	if (!strcmp(x->name, "FROM")) {
		int ret = do_from(b, x, e);

		return ret ? ret : run_triggers(b, build_current(b), e);
	}
	if (!b->nstages)
		return err_set(e, EINVAL, "before the first FROM only ARG may stand");
	if (!strcmp(x->name, "RUN"))
		return do_run(b, x, e);
	if (!strcmp(x->name, "WORKDIR"))
		return do_workdir(b, x, e);
	if (!strcmp(x->name, "COPY") || !strcmp(x->name, "ADD"))
		return build_copy(b, x, e);
	return do_config(b, x, e);
}

static bool is_target(struct build *b)
{
	return b->o->target && b->nstages && build_find_stage(b, b->o->target);
}

static int do_all(struct build *b, struct err *e)
{
	for (unsigned i = 0; i < b->file.n; i++) {
		const struct cf_instruction *x = &b->file.v[i];
		int ret;

		/* What follows the wanted stage is not wanted. */
		if (!strcmp(x->name, "FROM") && is_target(b))
			break;
		ret = do_instruction(b, x, e);
		if (ret)
			return err_wrap(e, "line %u: %s", x->line, x->name);
	}
	if (!b->nstages)
		return err_set(e, EINVAL, "there is no FROM in it");
	if (b->o->target && !is_target(b))
		return err_set(e, ENOENT, "no stage %s in it", b->o->target);
	return 0;
}

static int finish(struct build *b, char *id, struct err *e)
{
	struct stage *st = build_current(b);
	struct descriptor d;
	struct digest cid;
	char full[IMAGE_NAME_MAX];
	struct ref r;
	int ret = compose_image(b->store, st->config, st->layers, st->diff_ids, st->nlayers, &d,
				&cid, e);

	if (!ret && (!b->o->tags || !*b->o->tags)) {
		snprintf(full, sizeof(full), "localhost/built@%s", d.digest.s);
		ret = index_tag(b->store, full, &d, e);
	}
	for (const char *const *t = b->o->tags; !ret && t && *t; t++) {
		ret = ref_parse(*t, &r, e);
		ret = ret ? ret : ref_format(&r, full, e);
		ret = ret ? ret : index_tag(b->store, full, &d, e);
	}
	snprintf(id, IMAGE_DIGEST_MAX, "%s", ret ? "" : cid.s);
	return ret;
}

/* ---- what is given ---- */

static int read_file(struct build *b, const char *path, struct err *e)
{
	struct file_map f;
	int ret = file_map_open("Containerfile", path, &f, e);

	if (ret)
		return ret;
	ret = containerfile_parse((const char *)f.data, f.size, &b->file, e);
	file_map_close(&f);
	return ret;
}

static int find_file(struct build *b, char *path, struct err *e)
{
	int ret;

	if (b->o->file)
		return paths_format(path, e, "%s", b->o->file);
	ret = paths_format(path, e, "%s/Containerfile", b->o->context);
	if (!ret && access(path, F_OK))
		ret = paths_format(path, e, "%s/Dockerfile", b->o->context);
	return ret;
}

static int read_ignore(struct build *b, struct err *e)
{
	static const char *const names[] = {".containerignore", ".dockerignore"};
	char path[PATHS_MAX];
	struct file_map f;

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		int ret = paths_format(path, e, "%s/%s", b->o->context, names[i]);

		if (ret)
			return ret;
		if (access(path, F_OK) || file_map_open("ignore file", path, &f, NULL))
			continue;
		ret = ignore_parse((const char *)f.data, f.size, &b->ignore, e);
		file_map_close(&f);
		return ret;
	}
	return 0;
}

static int read_args(struct build *b, struct err *e)
{
	for (const char *const *a = b->o->args; a && *a; a++) {
		const char *eq = strchr(*a, '='), *value = eq ? eq + 1 : getenv(*a);
		char *name = strndup(*a, eq ? (size_t)(eq - *a) : strlen(*a));

		if (!name)
			return err_set(e, ENOMEM, "no memory");
		if (value)
			json_object_set_new(b->args, name, json_string(value));
		free(name);
	}
	return 0;
}

static void build_fini(struct build *b)
{
	for (unsigned i = 0; b->stages && i < MAX_STAGES; i++) {
		json_decref(b->stages[i].config);
		json_decref(b->stages[i].args);
	}
	free(b->stages);
	containerfile_free(&b->file);
	ignore_fini(&b->ignore);
	json_decref(b->args);
	json_decref(b->global_args);
	if (b->context >= 0)
		close(b->context);
}

int image_build(struct image_store *s, const struct image_build_options *o, char *id, struct err *e)
{
	struct build b = {.store = s, .o = o, .context = -1};
	char path[PATHS_MAX];
	int ret = 0;

	b.args = json_object();
	b.global_args = json_object();
	b.stages = calloc(MAX_STAGES, sizeof(*b.stages));
	if (!b.stages)
		ret = err_set(e, ENOMEM, "no memory");
	b.context = ret ? -1 : open(o->context, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!ret && b.context < 0)
		ret = err_errno(e, "build context %s", o->context);
	ret = ret ? ret : find_file(&b, path, e);
	ret = ret ? ret : read_args(&b, e);
	ret = ret ? ret : read_ignore(&b, e);
	ret = ret ? ret : read_file(&b, path, e);
	if (!ret) {
		ret = do_all(&b, e);
		ret = ret ? err_wrap(e, "%s", path) : finish(&b, id, e);
	}
	build_fini(&b);
	return ret;
}
