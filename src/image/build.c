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

static struct stage *current(struct build *b)
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

static struct stage *find_stage(struct build *b, const char *name)
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
	struct stage *st = &b->stages[b->nstages], *base = find_stage(b, words[0]);
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

/* From the cache, or by fn on the mounted root; text is what the step is known by. */
static int cached_step(struct build *b, struct stage *st, const char *text,
		       const struct digest *more,
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
	struct stage *st = current(b);
	struct run_step s = {.b = b};
	struct image_platform platform = {0};
	char **argv = NULL, **env = NULL, *text = NULL;
	json_t *c = stage_config(st), *doc;
	int ret = stage_environment(st, &env, e);

	if (!b->o->ops)
		ret = err_set(e, EOPNOTSUPP, "no container engine to run it with");
	if (!ret && !strncmp(x->args, "<<", 2))
		ret = err_set(e, EOPNOTSUPP, "here-documents are not supported");
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
	ret = ret ? ret : cached_step(b, st, text, NULL, run_mounted, &s, e);
	list_free(argv);
	list_free(env);
	free(text);
	return ret;
}

/* Absolute, from WORKDIR if it is not; out holds 4096 bytes. */
static int absolute(struct stage *st, const char *path, char *out, struct err *e)
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
	struct stage *st = current(b);
	const struct cf_vars vars = {stage_variable, st, b->file.escape};
	char path[4096], text[4200], *value;
	int ret = cf_expand(x->args, &vars, &value, e);

	if (!ret && !*value)
		ret = err_set(e, EINVAL, "a directory is missing");
	ret = ret ? ret : absolute(st, value, path, e);
	free(value);
	if (ret)
		return ret;
	json_object_set_new(stage_config(st), "WorkingDir", json_string(path));
	snprintf(text, sizeof(text), "WORKDIR %s", path);
	return cached_step(b, st, text, NULL, make_workdir, path, e);
}

/* ---- COPY and ADD ---- */

struct copy_step {
	struct copy c;
	const char *chown;
};

static int copy_mounted(void *opaque, const char *root, struct err *e)
{
	struct copy_step *s = opaque;
	int ret = 0;

	s->c.root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->c.root < 0)
		return err_errno(e, "%s", root);
	if (s->chown)
		ret = copy_owner(s->c.root, s->chown, &s->c.uid, &s->c.gid, e);
	ret = ret ? ret : copy_files(&s->c, e);
	close(s->c.root);
	return ret;
}

static int copy_flags(struct build *b, const struct cf_instruction *x, struct copy_step *s,
		      struct err *e)
{
	const char *mode = cf_flag(x, "chmod");
	char *end;

	s->chown = cf_flag(x, "chown");
	s->c.mode = -1;
	if (mode) {
		unsigned long v = strtoul(mode, &end, 8);

		if (end == mode || *end || v > 07777)
			return err_set(e, EINVAL, "--chmod=%s: give an octal mode", mode);
		s->c.mode = (int)v;
	}
	for (unsigned i = 0; i < x->nflags; i++)
		if (strcmp(x->flags[i].name, "chown") && strcmp(x->flags[i].name, "chmod") &&
		    (strcmp(x->flags[i].name, "from") || !strcmp(x->name, "ADD")))
			return err_set(e, EOPNOTSUPP, "--%s is not supported", x->flags[i].name);
	return 0;
}

/* Sources and destination: all words but the last, and the last. */
static int copy_words(struct build *b, const struct cf_instruction *x, struct copy_step *s,
		      char **words, char *dest, struct err *e)
{
	unsigned n = 0;
	const char *last;
	int ret;

	while (words && words[n])
		n++;
	if (n < 2)
		return err_set(e, EINVAL, "give sources and a destination");
	last = words[n - 1];
	ret = absolute(current(b), last, dest, e);
	s->c.sources = words;
	s->c.nsources = n - 1;
	s->c.dest = dest;
	s->c.dest_is_dir = n > 2 || last[strlen(last) - 1] == '/' || !strcmp(last, ".") ||
			   (strlen(last) > 1 && !strcmp(last + strlen(last) - 2, "/.")) ||
			   glob_has_magic(words[0]);
	for (unsigned i = 0; !ret && i < n - 1; i++) {
		if (strstr(words[i], "://") || !strncmp(words[i], "git@", 4))
			ret = err_set(e, EOPNOTSUPP, "%.60s: only local files can be added",
				      words[i]);
		if (!strncmp(words[i], "<<", 2))
			ret = err_set(e, EOPNOTSUPP, "here-documents are not supported");
	}
	return ret;
}

static int copy_cached(struct build *b, struct stage *st, struct copy_step *s, const char *text,
		       struct err *e)
{
	struct digest d;
	int ret = copy_digest(&s->c, &d, e);

	return ret ? ret : cached_step(b, st, text, &d, copy_mounted, s, e);
}

/* The other image's root needs no child process: the build's mounts are private already. */
static int copy_from(struct build *b, struct copy_step *s, const char *from, const char *text,
		     struct err *e)
{
	const struct image_mount_config ro = {0};
	struct stage *other = find_stage(b, from), *st = current(b);
	struct image *im = NULL;
	char tmp[100], dir[PATHS_MAX];
	int ret;

	if (other == st)
		return err_set(e, EINVAL, "--from=%s is this very stage", from);
	ret = other ? step_image(b, other, &im, e)
		    : image_resolve(b->store, from, b->o->platform, &im, e);
	if (ret == -ENOENT && b->o->pull && !b->o->pull(b->o->opaque, b->store, from, NULL))
		ret = image_resolve(b->store, from, b->o->platform, &im, e);
	ret = ret ? ret : store_temp_dir(b->store, tmp, e);
	if (ret) {
		image_free(im);
		return ret;
	}
	ret = paths_format(dir, e, "%s/%s", b->store->dir, tmp);
	ret = ret ? ret : image_mount(im, &ro, dir, e);
	if (!ret) {
		s->c.from = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ret = s->c.from < 0 ? err_errno(e, "%s", dir) : copy_cached(b, st, s, text, e);
		if (s->c.from >= 0)
			close(s->c.from);
		image_unmount(dir, NULL);
	}
	image_free(im);
	store_tree_remove(b->store->fd, tmp);
	return ret;
}

static int do_copy(struct build *b, const struct cf_instruction *x, struct err *e)
{
	struct stage *st = current(b);
	const struct cf_vars vars = {stage_variable, st, b->file.escape};
	const char *from = cf_flag(x, "from");
	struct copy_step s = {.c = {.from = b->context, .ignore = &b->ignore}};
	char **words = NULL, dest[4096], *text = NULL;
	int ret = copy_flags(b, x, &s, e);

	s.c.unpack = !strcmp(x->name, "ADD");
	if (!ret && !x->exec)
		ret = cf_words(x->args, &vars, &words, e);
	ret = ret ? ret : copy_words(b, x, &s, x->exec ? x->exec : words, dest, e);
	if (!ret && asprintf(&text, "%s %s%s%s%s in %s", x->name, s.chown ? "--chown=" : "",
			     s.chown ? s.chown : "", s.chown ? " " : "", x->args, dest) < 0)
		ret = err_set(e, ENOMEM, "no memory");
	if (!ret && from) {
		s.c.ignore = NULL;
		ret = copy_from(b, &s, from, text, e);
	} else if (!ret) {
		ret = copy_cached(b, st, &s, text, e);
	}
	list_free(words);
	free(text);
	return ret;
}

/* ---- the whole file ---- */

static int do_config(struct build *b, const struct cf_instruction *x, struct err *e)
{
	struct stage *st = current(b);
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

static int do_instruction(struct build *b, const struct cf_instruction *x, struct err *e)
{
	say(b, "%u/%u %s %s", ++b->step, b->file.n, x->name, x->args);
	if (!strcmp(x->name, "ARG"))
		return do_arg(b, x, b->nstages ? current(b) : NULL, e);
	if (!strcmp(x->name, "FROM"))
		return do_from(b, x, e);
	if (!b->nstages)
		return err_set(e, EINVAL, "before the first FROM only ARG may stand");
	if (!strcmp(x->name, "RUN"))
		return do_run(b, x, e);
	if (!strcmp(x->name, "WORKDIR"))
		return do_workdir(b, x, e);
	if (!strcmp(x->name, "COPY") || !strcmp(x->name, "ADD"))
		return do_copy(b, x, e);
	return do_config(b, x, e);
}

static bool is_target(struct build *b)
{
	return b->o->target && b->nstages && find_stage(b, b->o->target);
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
	struct stage *st = current(b);
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
