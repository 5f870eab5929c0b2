/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY and ADD as instructions (image/build.h): flags and words, here-documents,
 * other stages and images as sources. What they copy is build_copy.c's.
 */
#include "image/build_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
	ret = build_absolute(build_current(b), last, dest, e);
	s->c.sources = words;
	s->c.nsources = n - 1;
	s->c.dest = dest;
	s->c.dest_is_dir = n > 2 || last[strlen(last) - 1] == '/' || !strcmp(last, ".") ||
			   (strlen(last) > 1 && !strcmp(last + strlen(last) - 2, "/.")) ||
			   glob_has_magic(words[0]);
	for (unsigned i = 0; !ret && i < n - 1; i++) {
		if (strstr(words[i], "://") || !strncmp(words[i], "git@", 4))
			ret = err_set(
				e, EOPNOTSUPP,
				"%.60s: nothing is fetched in a build; fetch it before and COPY "
				"it, or RUN what downloads and checks it",
				words[i]);
	}
	return ret;
}

static int copy_cached(struct build *b, struct stage *st, struct copy_step *s, const char *text,
		       struct err *e)
{
	struct digest d;
	int ret = copy_digest(&s->c, &d, e);

	return ret ? ret : build_step(b, st, text, &d, copy_mounted, s, e);
}

/* The other image's root needs no child process: the build's mounts are private already. */
static int copy_from(struct build *b, struct copy_step *s, const char *from, const char *text,
		     struct err *e)
{
	const struct image_mount_config ro = {0};
	struct stage *other = build_find_stage(b, from), *st = build_current(b);
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

static int write_doc(int dir, const struct cf_doc *d, const struct cf_vars *vars, struct err *e)
{
	char *text = NULL;
	int fd, ret = d->expand ? cf_expand_text(d->text, vars, &text, e) : 0;
	const char *s = text ? text : d->text;
	size_t n = strlen(s);

	if (ret)
		return ret;
	fd = openat(dir, d->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || fchmod(fd, 0644) || write(fd, s, n) != (ssize_t)n)
		ret = err_errno(e, "here-document %s", d->name);
	if (fd >= 0)
		close(fd);
	free(text);
	return ret;
}

/* Here-documents as files in a directory of their own, which is the source then. */
static int copy_docs(struct build *b, const struct cf_instruction *x, struct copy_step *s,
		     const char *text, struct err *e)
{
	struct stage *st = build_current(b);
	const struct cf_vars vars = {stage_variable, st, b->file.escape};
	char tmp[100];
	int ret;

	if (s->c.nsources != x->ndocs || cf_flag(x, "from"))
		return err_set(e, EOPNOTSUPP, "here-documents and files in one %s: give two",
			       x->name);
	ret = store_temp_dir(b->store, tmp, e);
	if (ret)
		return ret;
	s->c.from = openat(b->store->fd, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->c.unpack = false;
	ret = s->c.from < 0 ? err_errno(e, "%s", tmp) : 0;
	for (unsigned i = 0; !ret && i < x->ndocs; i++)
		ret = write_doc(s->c.from, &x->docs[i], &vars, e);
	ret = ret ? ret : copy_cached(b, st, s, text, e);
	if (s->c.from >= 0)
		close(s->c.from);
	store_tree_remove(b->store->fd, tmp);
	return ret;
}

/* The words that stand for here-documents become their names. */
static int name_docs(const struct cf_instruction *x, char **words, struct err *e)
{
	unsigned k = 0;

	for (unsigned i = 0; words && words[i] && k < x->ndocs; i++) {
		char *name;

		if (strncmp(words[i], "<<", 2))
			continue;
		name = strdup(x->docs[k++].name);
		if (!name)
			return err_set(e, ENOMEM, "no memory");
		free(words[i]);
		words[i] = name;
	}
	return 0;
}

int build_copy(struct build *b, const struct cf_instruction *x, struct err *e)
{
	struct stage *st = build_current(b);
	const struct cf_vars vars = {stage_variable, st, b->file.escape};
	const char *from = cf_flag(x, "from");
	struct copy_step s = {.c = {.from = b->context, .ignore = &b->ignore}};
	char **words = NULL, dest[4096], *text = NULL;
	int ret = copy_flags(b, x, &s, e);

	s.c.unpack = !strcmp(x->name, "ADD");
	if (!ret && !x->exec)
		ret = cf_words(x->args, &vars, &words, e);
	ret = ret ? ret : name_docs(x, words, e);
	ret = ret ? ret : copy_words(b, x, &s, x->exec ? x->exec : words, dest, e);
	if (!ret && asprintf(&text, "%s %s%s%s%s in %s", x->name, s.chown ? "--chown=" : "",
			     s.chown ? s.chown : "", s.chown ? " " : "", x->args, dest) < 0)
		ret = err_set(e, ENOMEM, "no memory");
	if (!ret && x->ndocs) {
		s.c.ignore = NULL;
		ret = copy_docs(b, x, &s, text, e);
	} else if (!ret && from) {
		s.c.ignore = NULL;
		ret = copy_from(b, &s, from, text, e);
	} else if (!ret) {
		ret = copy_cached(b, st, &s, text, e);
	}
	list_free(words);
	free(text);
	return ret;
}
