/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that change an image's config only: ENV, LABEL, CMD and so on
 * (image/build.h).
 */
#include "image/build_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char default_path[] =
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

json_t *stage_config(struct stage *st)
{
	json_t *c = json_object_get(st->config, "config");

	if (json_is_object(c))
		return c;
	json_object_set_new(st->config, "config", json_object());
	return json_object_get(st->config, "config");
}

/* A member of the config of a type, made anew if it is missing or another. */
static json_t *member(struct stage *st, const char *key, bool array)
{
	json_t *c = stage_config(st), *m = json_object_get(c, key);

	if (array ? json_is_array(m) : json_is_object(m))
		return m;
	json_object_set_new(c, key, array ? json_array() : json_object());
	return json_object_get(c, key);
}

static void set_text(struct stage *st, const char *key, const char *value)
{
	json_object_set_new(stage_config(st), key, json_string(value));
}

/* ---- variables ---- */

static const char *env_value(const json_t *env, const char *name, size_t len)
{
	const json_t *v;
	size_t i;

	json_array_foreach(env, i, v)
	{
		const char *s = json_string_value(v);

		if (s && !strncmp(s, name, len) && s[len] == '=')
			return s + len + 1;
	}
	return NULL;
}

const char *stage_variable(void *opaque, const char *name, size_t len)
{
	const struct stage *st = opaque;
	const json_t *env = json_object_get(json_object_get(st->config, "config"), "Env");
	const char *v = env_value(env, name, len);
	char key[256];

	if (v || len >= sizeof(key))
		return v;
	snprintf(key, sizeof(key), "%.*s", (int)len, name);
	return json_string_value(json_object_get(st->args, key));
}

static void set_env(struct stage *st, const char *name, size_t len, const char *value)
{
	json_t *env = member(st, "Env", true);
	char *text;

	for (size_t i = json_array_size(env); i-- > 0;) {
		const char *s = json_string_value(json_array_get(env, i));

		if (s && !strncmp(s, name, len) && s[len] == '=')
			json_array_remove(env, i);
	}
	if (asprintf(&text, "%.*s=%s", (int)len, name, value) < 0)
		return;
	json_array_append_new(env, json_string(text));
	free(text);
}

int stage_environment(struct stage *st, char ***out, struct err *e)
{
	const json_t *env = json_object_get(stage_config(st), "Env"), *v;
	json_t *all = json_array(), *doc;
	const char *key;
	char *text;
	size_t i;
	int ret;

	/* ARG values count, but ENV goes over them (Dockerfile reference, "ARG"). */
	json_object_foreach(st->args, key,
			    v) if (json_is_string(v) && !env_value(env, key, strlen(key)) &&
				   asprintf(&text, "%s=%s", key, json_string_value(v)) >= 0)
	{
		json_array_append_new(all, json_string(text));
		free(text);
	}
	json_array_foreach(env, i, v) json_array_append(all, (json_t *)v);
	if (!env_value(all, "PATH", 4))
		json_array_append_new(all, json_string(default_path));
	doc = json_pack("{s:o}", "v", all);
	ret = doc_list(doc, "v", out, e);
	json_decref(doc);
	return ret;
}

int stage_history(struct stage *st, const char *text, bool empty, struct err *e)
{
	json_t *h = json_object_get(st->config, "history"), *entry;
	char now[40];

	if (!json_is_array(h)) {
		json_object_set_new(st->config, "history", json_array());
		h = json_object_get(st->config, "history");
	}
	compose_time(now);
	entry = json_pack("{s:s, s:s}", "created", now, "created_by", text);
	if (entry && empty)
		json_object_set_new(entry, "empty_layer", json_true());
	json_object_set_new(st->config, "created", json_string(now));
	return entry && !json_array_append_new(h, entry) ? 0 : err_set(e, ENOMEM, "no memory");
}

/* ---- NAME=value ---- */

/* Each word of ENV or LABEL; the old form "NAME rest of the line" too. */
static int each_pair(struct stage *st, const struct cf_instruction *x, char escape,
		     void (*fn)(struct stage *st, const char *name, size_t len, const char *value),
		     struct err *e)
{
	const struct cf_vars vars = {stage_variable, st, escape};
	size_t n = strcspn(x->args, " \t=");
	char **words, *value;
	int ret;

	if (n && x->args[n] && x->args[n] != '=') {
		ret = cf_expand(x->args + n + strspn(x->args + n, " \t"), &vars, &value, e);
		if (!ret)
			fn(st, x->args, n, value);
		free(value);
		return ret;
	}
	/* All words see the environment from before the instruction. */
	ret = cf_words(x->args, &vars, &words, e);
	for (unsigned i = 0; !ret && words[i]; i++) {
		const char *eq = strchr(words[i], '=');

		if (!eq || eq == words[i])
			ret = err_set(e, EINVAL, "%.60s is no NAME=value", words[i]);
		else
			fn(st, words[i], (size_t)(eq - words[i]), eq + 1);
	}
	if (!ret && !words[0])
		ret = err_set(e, EINVAL, "NAME=value is missing");
	list_free(words);
	return ret;
}

static void set_label(struct stage *st, const char *name, size_t len, const char *value)
{
	char *key = strndup(name, len);

	if (key)
		json_object_set_new(member(st, "Labels", false), key, json_string(value));
	free(key);
}

/* ---- lists ---- */

/* An argv in exec form, or the shell's with the text. */
static json_t *argv_json(struct stage *st, const struct cf_instruction *x, const char *text,
			 char **exec)
{
	json_t *a = json_array(), *shell = json_object_get(stage_config(st), "Shell");

	for (; exec && *exec; exec++)
		json_array_append_new(a, json_string(*exec));
	if (x->exec)
		return a;
	if (json_array_size(shell)) {
		json_array_extend(a, shell);
	} else {
		json_array_append_new(a, json_string("/bin/sh"));
		json_array_append_new(a, json_string("-c"));
	}
	json_array_append_new(a, json_string(text));
	return a;
}

json_t *stage_argv(struct stage *st, const struct cf_instruction *x)
{
	return argv_json(st, x, x->args, x->exec);
}

static int set_argv(struct stage *st, const struct cf_instruction *x, const char *key,
		    struct err *e)
{
	if (!*x->args)
		return err_set(e, EINVAL, "a command is missing");
	json_object_set_new(stage_config(st), key, argv_json(st, x, x->args, x->exec));
	return 0;
}

static int do_cmd(struct stage *st, const struct cf_instruction *x, char escape, struct err *e)
{
	st->has_cmd = true;
	return set_argv(st, x, "Cmd", e);
}

static int do_entrypoint(struct stage *st, const struct cf_instruction *x, char escape,
			 struct err *e)
{
	/* A base image's CMD was meant for its own entrypoint. */
	if (!st->has_cmd)
		json_object_del(stage_config(st), "Cmd");
	return set_argv(st, x, "Entrypoint", e);
}

static int do_shell(struct stage *st, const struct cf_instruction *x, char escape, struct err *e)
{
	if (!x->exec || !*x->exec)
		return err_set(e, EINVAL, "give a JSON list: SHELL [\"/bin/bash\", \"-c\"]");
	json_object_set_new(stage_config(st), "Shell", argv_json(st, x, "", x->exec));
	return 0;
}

static int do_env(struct stage *st, const struct cf_instruction *x, char escape, struct err *e)
{
	return each_pair(st, x, escape, set_env, e);
}

static int do_label(struct stage *st, const struct cf_instruction *x, char escape, struct err *e)
{
	return each_pair(st, x, escape, set_label, e);
}

/* "80", "80/tcp", "8000-8010/udp" as keys of an object. */
static int expose(json_t *ports, const char *word, struct err *e)
{
	char key[40], proto[8] = "tcp";
	unsigned lo, hi;
	int n = 0;

	if (sscanf(word, "%5u%n", &lo, &n) != 1)
		return err_set(e, EINVAL, "%.40s is no port", word);
	word += n;
	hi = lo;
	if (*word == '-' && sscanf(word + 1, "%5u%n", &hi, &n) == 1)
		word += 1 + n;
	if (*word == '/')
		snprintf(proto, sizeof(proto), "%s", word + 1);
	else if (*word)
		return err_set(e, EINVAL, "a port ends in %.20s", word);
	if (!lo || lo > hi || hi > 65535 ||
	    (strcmp(proto, "tcp") && strcmp(proto, "udp") && strcmp(proto, "sctp")))
		return err_set(e, EINVAL, "port %u-%u/%s: give 1 to 65535, /tcp, /udp or /sctp", lo,
			       hi, proto);
	for (; lo <= hi; lo++) {
		snprintf(key, sizeof(key), "%u/%s", lo, proto);
		json_object_set_new(ports, key, json_object());
	}
	return 0;
}

static int do_expose(struct stage *st, const struct cf_instruction *x, char escape, struct err *e)
{
	const struct cf_vars vars = {stage_variable, st, escape};
	char **words;
	int ret = cf_words(x->args, &vars, &words, e);

	for (unsigned i = 0; !ret && words[i]; i++)
		ret = expose(member(st, "ExposedPorts", false), words[i], e);
	list_free(words);
	return ret;
}

static int do_volume(struct stage *st, const struct cf_instruction *x, char escape, struct err *e)
{
	const struct cf_vars vars = {stage_variable, st, escape};
	char **words = NULL;
	int ret = x->exec ? 0 : cf_words(x->args, &vars, &words, e);

	for (char **w = x->exec ? x->exec : words; !ret && w && *w; w++)
		json_object_set_new(member(st, "Volumes", false), *w, json_object());
	list_free(words);
	return ret;
}

static int one_text(struct stage *st, const struct cf_instruction *x, char escape, const char *key,
		    struct err *e)
{
	const struct cf_vars vars = {stage_variable, st, escape};
	char *value;
	int ret = cf_expand(x->args, &vars, &value, e);

	if (!ret && !*value)
		ret = err_set(e, EINVAL, "a value is missing");
	if (!ret)
		set_text(st, key, value);
	free(value);
	return ret;
}

static int do_user(struct stage *st, const struct cf_instruction *x, char escape, struct err *e)
{
	return one_text(st, x, escape, "User", e);
}

static int do_stopsignal(struct stage *st, const struct cf_instruction *x, char escape,
			 struct err *e)
{
	return one_text(st, x, escape, "StopSignal", e);
}

static int do_maintainer(struct stage *st, const struct cf_instruction *x, char escape,
			 struct err *e)
{
	json_object_set_new(st->config, "author", json_string(x->args));
	return 0;
}

/* ---- HEALTHCHECK ---- */

static int health_flags(const struct cf_instruction *x, json_t *h, struct err *e)
{
	static const struct {
		const char *flag, *key;
	} known[] = {{"interval", "Interval"},
		     {"timeout", "Timeout"},
		     {"start-period", "StartPeriod"},
		     {"retries", "Retries"}};
	u64 n;

	for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
		const char *v = cf_flag(x, known[i].flag);
		char *end;
		int ret = 0;

		if (!v)
			continue;
		if (i == 3) {
			n = strtoull(v, &end, 10);
			if (end == v || *end || n > 1000000)
				ret = err_set(e, EINVAL, "--retries %s is no number", v);
		} else {
			ret = cf_duration(v, &n, e);
		}
		if (ret)
			return ret;
		json_object_set_new(h, known[i].key, json_integer((json_int_t)n));
	}
	return 0;
}

static int do_healthcheck(struct stage *st, const struct cf_instruction *x, char escape,
			  struct err *e)
{
	struct cf_instruction cmd = *x;
	json_t *h = json_object(), *test, *argv;
	int ret = 0;

	if (!strcmp(x->args, "NONE")) {
		json_object_set_new(h, "Test", json_pack("[s]", "NONE"));
		json_object_set_new(stage_config(st), "Healthcheck", h);
		return 0;
	}
	ret = health_flags(x, h, e);
	if (!ret && (strncmp(x->args, "CMD", 3) || !strchr(" \t", x->args[3]) || !x->args[3]))
		ret = err_set(e, EINVAL, "give NONE, or [OPTIONS] CMD command");
	if (ret) {
		json_decref(h);
		return ret;
	}
	cmd.args = x->args + 3 + strspn(x->args + 3, " \t");
	argv = json_loads(cmd.args, 0, NULL);
	if (json_is_array(argv)) {
		test = json_pack("[s]", "CMD");
		json_array_extend(test, argv);
	} else {
		test = json_pack("[s, s]", "CMD-SHELL", cmd.args);
	}
	json_decref(argv);
	json_object_set_new(h, "Test", test);
	json_object_set_new(stage_config(st), "Healthcheck", h);
	return 0;
}

/* ---- ONBUILD ---- */

bool onbuild_allowed(const char *name)
{
	static const char *const not [] = {"FROM", "ONBUILD", "MAINTAINER"};

	for (unsigned i = 0; i < ARRAY_LEN(not ); i++)
		if (!strcasecmp(name, not [i]))
			return false;
	return true;
}

/* Kept as text, as Docker keeps it; done by FROM of the image. */
static int do_onbuild(struct stage *st, const struct cf_instruction *x, char escape, struct err *e)
{
	json_t *c = stage_config(st), *list = json_object_get(c, "OnBuild");
	char name[16];

	(void)escape;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(x->args, " \t"), x->args);
	if (!*name || !onbuild_allowed(name))
		return err_set(e, EINVAL,
			       "give an instruction other than FROM, ONBUILD or MAINTAINER");
	if (strstr(x->args, " <<"))
		return err_set(e, EOPNOTSUPP, "no here-documents here");
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(c, "OnBuild", list);
	}
	return json_array_append_new(list, json_string(x->args)) ? err_set(e, ENOMEM, "no memory")
								 : 0;
}

/* ---- all of them ---- */

static const struct {
	const char *name;
	int (*fn)(struct stage *st, const struct cf_instruction *x, char escape, struct err *e);
} config_instructions[] = {
	{"ENV", do_env},
	{"LABEL", do_label},
	{"CMD", do_cmd},
	{"ENTRYPOINT", do_entrypoint},
	{"SHELL", do_shell},
	{"EXPOSE", do_expose},
	{"VOLUME", do_volume},
	{"USER", do_user},
	{"STOPSIGNAL", do_stopsignal},
	{"HEALTHCHECK", do_healthcheck},
	{"MAINTAINER", do_maintainer},
	{"ONBUILD", do_onbuild},
};

int config_instruction(struct stage *st, const struct cf_instruction *x, char escape, struct err *e)
{
	for (unsigned i = 0; i < ARRAY_LEN(config_instructions); i++) {
		int ret;

		if (strcmp(x->name, config_instructions[i].name))
			continue;
		ret = config_instructions[i].fn(st, x, escape, e);
		return ret ? ret : 1;
	}
	return 0;
}
