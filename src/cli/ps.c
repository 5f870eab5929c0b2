/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull ps` and `hull stats`: things of `hull run`'s of both kinds and machines
 * of `hull boot`'s in one list.
 */
#include "cli/run.h"

#include "run/life.h"
#include "vm/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct ps {
	bool json, quiet, all;
	json_t *array;
};

#define ROW "%-20s %-9s %-19s %-7s %4lld %7lld %8lld %6.0f  %s\n"

static const char *text_of(const json_t *o, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : otherwise;
}

static long long number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* Takes the row. */
static void put_row(struct ps *ps, json_t *row)
{
	const char *health = text_of(row, "health", "");
	char state[40];

	snprintf(state, sizeof(state), "%s%s%s%s", text_of(row, "state", "?"), *health ? " (" : "",
		 health, *health ? ")" : "");
	if (ps->json) {
		json_array_append_new(ps->array, row);
		return;
	}
	if (ps->quiet)
		printf("%s\n", text_of(row, "name", "?"));
	else
		printf(ROW, text_of(row, "name", "?"), text_of(row, "kind", "?"), state,
		       text_of(row, "engine", "-"), number_of(row, "cpus"),
		       number_of(row, "memory_mib"), number_of(row, "pid"),
		       json_number_value(json_object_get(row, "uptime_s")),
		       text_of(row, "image", ""));
	json_decref(row);
}

/* ---- things ---- */

static const char *state_of(const struct thing *t, const struct thing_status *st)
{
	if (st->state == THING_RUNNING && thing_is_paused(t))
		return "paused";
	return thing_state_name(st->state);
}

static double uptime(const struct thing_status *st)
{
	struct timespec now;

	if (st->state != THING_RUNNING)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)st->started_ns / 1e9;
}

static json_t *command_of(const struct run_spec *spec)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < spec->args.n; i++)
		json_array_append_new(a, json_string(spec->args.v[i]));
	return a;
}

static json_t *ports_of(const struct run_spec *spec)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < spec->ports.n; i++)
		json_array_append_new(a, json_string(spec->ports.v[i]));
	return a;
}

/* What only the machine's own process knows. */
static void add_machine(const struct thing *t, json_t *row)
{
	static const char *const keys[] = {"engine", "cpus", "memory_mib"};
	int fd = control_connect(t->name, NULL);
	json_t *r;

	if (fd < 0)
		return;
	if (!control_call(fd, json_pack("{s:s}", "do", "status"), &r, NULL)) {
		for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
			json_object_set(row, keys[i], json_object_get(r, keys[i]));
		json_decref(r);
	}
	close(fd);
}

static void thing_row(void *opaque, const struct thing *t)
{
	struct ps *ps = opaque;
	struct thing_status st;
	struct run_spec spec;
	json_t *row;

	if (thing_status(t, &st, NULL) || thing_spec(t, &spec, NULL))
		return; /* it went away just now */
	if (ps->all || st.state == THING_RUNNING || st.state == THING_STARTING) {
		row = json_pack("{s:s, s:s, s:s, s:s*, s:i, s:f, s:I, s:I, s:o, s:o}", "name",
				t->name, "kind", spec_is_machine(&spec) ? "vm" : "container",
				"state", state_of(t, &st), "image", spec.image, "pid", (int)st.pid,
				"uptime_s", uptime(&st), "cpus",
				(json_int_t)(spec.millicpus + 999) / 1000, "memory_mib",
				(json_int_t)(spec.memory >> 20), "command", command_of(&spec),
				"ports", ports_of(&spec));
		if (st.state == THING_RUNNING && st.health[0])
			json_object_set_new(row, "health", json_string(st.health));
		if (st.state == THING_EXITED)
			json_object_set_new(row, "exit", json_integer(st.exit));
		else if (spec_is_machine(&spec))
			add_machine(t, row);
		put_row(ps, row);
	}
	spec_free(&spec);
}

/* ---- machines of hull boot ---- */

static void machine_row(void *opaque, const char *name, int fd)
{
	struct thing t;
	json_t *r;

	if (!thing_open(name, &t, NULL) && !strcmp(t.name, name))
		return; /* listed already */
	if (control_call(fd, json_pack("{s:s}", "do", "status"), &r, NULL))
		return; /* it ended just now */
	json_object_del(r, "ok");
	json_object_set_new(r, "kind", json_string("machine"));
	put_row(opaque, r);
}

int cmd_ps(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	struct ps ps = {0};
	struct err e = {0};
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0) {
		if (!opt)
			return cli_parse_end(self, err_set(&e, EINVAL, "takes no arguments"), &e);
		ps.json |= opt->id == PS_JSON;
		ps.quiet |= opt->id == PS_QUIET;
		ps.all |= opt->id == PS_ALL;
	}
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	ps.array = json_array();
	if (!ps.json && !ps.quiet)
		printf("%-20s %-9s %-19s %-7s %4s %7s %8s %6s  %s\n", "NAME", "KIND", "STATE",
		       "ENGINE", "CPUS", "MIB", "PID", "UP(s)", "IMAGE");
	ret = thing_each(thing_row, &ps, &e);
	if (!ret)
		ret = control_each(machine_row, &ps, &e);
	if (!ret && ps.json)
		ret = json_dumpf(ps.array, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
	json_decref(ps.array);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

/* ---- stats ---- */

#define SAMPLE_MS 200u

struct stats {
	bool json;
	const char *only;
	json_t *array;
};

static void stats_row(void *opaque, const struct thing *t)
{
	const struct timespec wait = {.tv_nsec = SAMPLE_MS * 1000000l};
	struct stats *s = opaque;
	struct thing_use a, b;
	double cpu;

	if ((s->only && strcmp(s->only, t->name)) || thing_usage(t, &a, NULL))
		return;
	nanosleep(&wait, NULL);
	if (thing_usage(t, &b, NULL))
		return;
	cpu = (double)(b.cpu_ns - a.cpu_ns) / (SAMPLE_MS * 10000.0);
	if (s->json)
		json_array_append_new(s->array,
				      json_pack("{s:s, s:f, s:f, s:I, s:I, s:I}", "name", t->name,
						"cpu_percent", cpu, "cpu_s", (double)b.cpu_ns / 1e9,
						"memory", (json_int_t)b.memory, "memory_limit",
						(json_int_t)b.memory_limit, "processes",
						(json_int_t)b.processes));
	else
		printf("%-20s %6.1f %9.2f %9.1f %9.1f %6llu\n", t->name, cpu,
		       (double)b.cpu_ns / 1e9, (double)b.memory / MIB(1),
		       (double)b.memory_limit / MIB(1), (unsigned long long)b.processes);
}

int cmd_stats(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	struct stats s = {0};
	struct thing t;
	struct err e = {0};
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0) {
		s.json |= opt != NULL;
		if (!opt && (ret = thing_open(p.value, &t, &e)) < 0)
			break;
		s.only = opt ? s.only : t.name;
	}
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	s.array = json_array();
	if (!s.json)
		printf("%-20s %6s %9s %9s %9s %6s\n", "NAME", "CPU %", "CPU s", "MIB", "LIMIT",
		       "PIDS");
	ret = thing_each(stats_row, &s, &e);
	if (!ret && s.json)
		ret = json_dumpf(s.array, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
	json_decref(s.array);
	return ret ? cli_fail(self, &e) : CLI_OK;
}
