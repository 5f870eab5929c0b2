/* SPDX-License-Identifier: Apache-2.0 */
/* The process object of config.json, also given alone to exec. */
#include "oci/caps.h"
#include "oci/parse.h"

#include "host/log.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <string.h>

static const struct {
	const char *name;
	int resource;
} rlimits[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
};

static void parse_rlimits(struct parse *p, json_t *obj, struct oci_process *out)
{
	json_t *a = parse_array(p, obj, "rlimits", &out->nrlimits);

	out->rlimits = parse_alloc(p, out->nrlimits, sizeof(*out->rlimits));
	for (unsigned i = 0; out->rlimits && i < out->nrlimits; i++) {
		json_t *o = parse_item(p, a, i);
		const char *type = o ? parse_str(p, o, "type") : NULL;
		struct oci_rlimit *r = &out->rlimits[i];

		r->resource = -1;
		for (unsigned k = 0; type && k < ARRAY_LEN(rlimits); k++)
			if (!strcmp(type, rlimits[k].name))
				r->resource = rlimits[k].resource;
		if (r->resource < 0) {
			parse_fail(p, "wrong rlimit value: %.40s", type ? type : "(no type)");
			return;
		}
		for (unsigned k = 0; k < i; k++)
			if (out->rlimits[k].resource == r->resource)
				parse_fail(p, "rlimit %s is given twice", type);
		r->lim.rlim_cur = parse_u64(p, o, "soft", 0);
		r->lim.rlim_max = parse_u64(p, o, "hard", 0);
	}
}

static u64 parse_cap_set(struct parse *p, json_t *obj, const char *key)
{
	struct oci_strings s;
	u64 set = 0;

	parse_strings(p, obj, key, &s);
	for (unsigned i = 0; i < s.n; i++) {
		int cap = oci_cap_by_name(s.v[i]);

		if (cap >= 0)
			set |= 1ull << cap;
		else
			log_warn("ignoring unknown capability %s", s.v[i]);
	}
	return set;
}

static void parse_caps(struct parse *p, json_t *obj, struct oci_process *out)
{
	json_t *o = parse_obj(p, obj, "capabilities");

	if (!o)
		return;
	out->have_caps = true;
	out->caps.bounding = parse_cap_set(p, o, "bounding");
	out->caps.effective = parse_cap_set(p, o, "effective");
	out->caps.inheritable = parse_cap_set(p, o, "inheritable");
	out->caps.permitted = parse_cap_set(p, o, "permitted");
	out->caps.ambient = parse_cap_set(p, o, "ambient");
}

static void parse_user(struct parse *p, json_t *obj, struct oci_process *out)
{
	json_t *u = parse_obj(p, obj, "user"), *a;

	out->umask = -1;
	if (!u)
		return;
	out->uid = (uid_t)parse_int(p, u, "uid", 0, INT32_MAX, 0);
	out->gid = (gid_t)parse_int(p, u, "gid", 0, INT32_MAX, 0);
	out->umask = parse_int(p, u, "umask", 0, 0777, -1);
	a = parse_array(p, u, "additionalGids", &out->ngids);
	out->gids = parse_alloc(p, out->ngids, sizeof(*out->gids));
	for (unsigned i = 0; out->gids && i < out->ngids; i++) {
		json_t *v = json_array_get(a, i);
		double d = json_number_value(v);

		if (!json_is_number(v) || d < 0 || d > INT32_MAX)
			parse_fail(p, "additionalGids: item %u is no group id", i);
		else
			out->gids[i] = (gid_t)d;
	}
}

/* sched(7): runtime <= deadline <= period, each from 1024 ns (DL_SCALE) to 2^63 - 1 ns. */
static void check_deadline(struct parse *p, json_t *o, const struct oci_process *out)
{
	static const char *const what = "sched_setattr: `SCHED_DEADLINE`";
	const u64 min = 1024, max = INT64_MAX;

	if (!parse_has(o, "runtime"))
		parse_fail(p, "%s requires `runtime`", what);
	else if (!parse_has(o, "deadline"))
		parse_fail(p, "%s requires `deadline`", what);
	else if (!out->sched_runtime)
		parse_fail(p, "%s runtime must be greater than 0", what);
	else if (out->sched_runtime > out->sched_deadline)
		parse_fail(p, "%s runtime (%llu) must be <= deadline (%llu)", what,
			   (unsigned long long)out->sched_runtime,
			   (unsigned long long)out->sched_deadline);
	else if (out->sched_period && out->sched_deadline > out->sched_period)
		parse_fail(p, "%s deadline (%llu) must be <= period (%llu)", what,
			   (unsigned long long)out->sched_deadline,
			   (unsigned long long)out->sched_period);
	else if (out->sched_runtime < min || out->sched_runtime > max)
		parse_fail(p, "%s runtime (%llu) must be between %llu and %llu", what,
			   (unsigned long long)out->sched_runtime, (unsigned long long)min,
			   (unsigned long long)max);
}

/* "Scheduler" of config.md; names from sched(7). */
static void parse_scheduler(struct parse *p, json_t *obj, struct oci_process *out)
{
	static const char *const names[] = {
		[SCHED_OTHER] = "SCHED_OTHER",
		[SCHED_FIFO] = "SCHED_FIFO",
		[SCHED_RR] = "SCHED_RR",
		[SCHED_BATCH] = "SCHED_BATCH",
		[4] = "SCHED_ISO",
		[SCHED_IDLE] = "SCHED_IDLE",
		[SCHED_DEADLINE] = "SCHED_DEADLINE",
	};
	/* include/uapi/linux/sched.h, SCHED_FLAG_*. */
	static const char *const flags[] = {
		"SCHED_FLAG_RESET_ON_FORK",  "SCHED_FLAG_RECLAIM",     "SCHED_FLAG_DL_OVERRUN",
		"SCHED_FLAG_KEEP_POLICY",    "SCHED_FLAG_KEEP_PARAMS", "SCHED_FLAG_UTIL_CLAMP_MIN",
		"SCHED_FLAG_UTIL_CLAMP_MAX",
	};
	json_t *o = parse_obj(p, obj, "scheduler");
	struct oci_strings given;
	const char *policy;

	out->sched_policy = -1;
	if (!o)
		return;
	policy = parse_str(p, o, "policy");
	for (unsigned i = 0; policy && i < ARRAY_LEN(names); i++)
		if (names[i] && !strcmp(policy, names[i]))
			out->sched_policy = (int)i;
	if (out->sched_policy < 0)
		parse_fail(p, "invalid scheduler policy: %.40s", policy ? policy : "");
	out->sched_nice = (int)parse_int(p, o, "nice", -20, 19, 0);
	out->sched_priority = (int)parse_int(p, o, "priority", 0, 99, 0);
	out->sched_runtime = parse_u64(p, o, "runtime", 0);
	out->sched_deadline = parse_u64(p, o, "deadline", 0);
	out->sched_period = parse_u64(p, o, "period", 0);
	parse_strings(p, o, "flags", &given);
	for (unsigned i = 0; i < given.n; i++) {
		unsigned k = 0;

		while (k < ARRAY_LEN(flags) && strcmp(flags[k], given.v[i]))
			k++;
		if (k == ARRAY_LEN(flags))
			parse_fail(p, "unknown scheduler flag %.40s", given.v[i]);
		else
			out->sched_flags |= 1ull << k;
	}
	if (out->sched_policy == SCHED_DEADLINE)
		check_deadline(p, o, out);
	if (out->sched_priority && out->sched_policy != SCHED_FIFO && out->sched_policy != SCHED_RR)
		parse_fail(p,
			   "scheduler.priority can only be specified for SCHED_FIFO or SCHED_RR");
	if ((out->sched_runtime || out->sched_deadline || out->sched_period) &&
	    out->sched_policy != SCHED_DEADLINE)
		parse_fail(p, "scheduler runtime/deadline/period can only be specified for "
			      "SCHED_DEADLINE");
}

static void parse_ioprio(struct parse *p, json_t *obj, struct oci_process *out)
{
	static const char *const names[] = {"", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE",
					    "IOPRIO_CLASS_IDLE"};
	json_t *o = parse_obj(p, obj, "ioPriority");
	const char *class;
	int n = 0;

	if (!o)
		return;
	class = parse_str(p, o, "class");
	for (int i = 1; class && i < (int)ARRAY_LEN(names); i++)
		if (!strcmp(class, names[i]))
			n = i;
	if (!n)
		parse_fail(p, "invalid ioPriority.class: %.40s", class ? class : "");
	out->have_ioprio = true;
	out->ioprio = IOPRIO_PRIO_VALUE(n, (int)parse_int(p, o, "priority", 0, 7, 0));
}

static void parse_exec_extras(struct parse *p, json_t *obj, struct oci_process *out)
{
	json_t *aff = parse_obj(p, obj, "execCPUAffinity");
	json_t *size = parse_obj(p, obj, "consoleSize");

	if (aff) {
		out->cpu_initial = parse_str(p, aff, "initial");
		out->cpu_final = parse_str(p, aff, "final");
	}
	if (size) {
		out->rows = (unsigned short)parse_int(p, size, "height", 0, UINT16_MAX, 0);
		out->cols = (unsigned short)parse_int(p, size, "width", 0, UINT16_MAX, 0);
	}
}

void parse_process(struct parse *p, json_t *obj, struct oci_process *out)
{
	p->in = "process";
	*out = (struct oci_process){.given = true, .json = obj};
	out->terminal = parse_bool(p, obj, "terminal");
	out->no_new_privs = parse_bool(p, obj, "noNewPrivileges");
	out->cwd = parse_str(p, obj, "cwd");
	out->apparmor = parse_str(p, obj, "apparmorProfile");
	out->selinux = parse_str(p, obj, "selinuxLabel");
	parse_strings(p, obj, "args", &out->args);
	parse_strings(p, obj, "env", &out->env);
	parse_user(p, obj, out);
	parse_caps(p, obj, out);
	parse_rlimits(p, obj, out);
	parse_scheduler(p, obj, out);
	parse_ioprio(p, obj, out);
	parse_exec_extras(p, obj, out);
	out->have_oom = parse_has(obj, "oomScoreAdj");
	out->oom_score_adj = (int)parse_int(p, obj, "oomScoreAdj", -1000, 1000, 0);
	if (!out->cwd || out->cwd[0] != '/')
		parse_fail(p, out->cwd && out->cwd[0] ? "Cwd must be an absolute path"
						      : "Cwd property must not be empty");
	if (!out->args.n || !out->args.v[0][0])
		parse_fail(p, "args must not be empty");
}

int oci_process_parse(json_t *obj, struct oci_config *holder, struct oci_process *out,
		      struct err *e)
{
	struct parse p = {.config = holder, .e = e, .in = "process"};

	if (!json_is_object(obj))
		return parse_fail(&p, "must be an object");
	parse_process(&p, obj, out);
	return p.ret;
}
