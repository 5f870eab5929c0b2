/* SPDX-License-Identifier: Apache-2.0 */
#include "run/spec.h"

#include "image/image.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- lists ---- */

int spec_text(char **member, const char *text, struct err *e)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return err_set(e, ENOMEM, "out of memory");
	free(*member);
	*member = copy;
	return 0;
}

int strv_add(struct strv *l, const char *text, struct err *e)
{
	char **v, *copy;

	if (l->n >= RUN_LIST_MAX)
		return err_set(e, E2BIG, "more than %u of one kind", RUN_LIST_MAX);
	v = realloc(l->v, (l->n + 2) * sizeof(*v));
	copy = v ? strdup(text) : NULL;
	if (v)
		l->v = v;
	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	v[l->n++] = copy;
	v[l->n] = NULL;
	return 0;
}

int strv_merge(struct strv *env, const struct strv *over, struct err *e)
{
	int ret = 0;

	for (unsigned i = 0; !ret && i < over->n; i++) {
		size_t key = strcspn(over->v[i], "=") + 1;
		unsigned k = 0;

		while (k < env->n && strncmp(env->v[k], over->v[i], key))
			k++;
		ret = k < env->n ? spec_text(&env->v[k], over->v[i], e)
				 : strv_add(env, over->v[i], e);
	}
	return ret;
}

void strv_free(struct strv *l)
{
	for (unsigned i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strv){0};
}

/* ---- the members ---- */

enum member_type { TEXT, LIST, FLAG, NUMBER };

static const struct member {
	const char *key;
	enum member_type type;
	size_t at;
} members[] = {
#define M(name, type)                                                                              \
	{                                                                                          \
#name, type, offsetof(struct run_spec, name)                                       \
	}
	M(name, TEXT),
	M(as, TEXT),
	M(image, TEXT),
	M(digest, TEXT),
	M(hostname, TEXT),
	M(created, TEXT),
	M(args, LIST),
	M(env, LIST),
	M(user, TEXT),
	M(cwd, TEXT),
	M(stop_signal, TEXT),
	M(tty, FLAG),
	M(interactive, FLAG),
	M(init, FLAG),
	M(volumes, LIST),
	M(tmpfs, LIST),
	M(ports, LIST),
	M(cap_add, LIST),
	M(cap_drop, LIST),
	M(security, LIST),
	M(devices, LIST),
	M(hosts, LIST),
	M(ulimits, LIST),
	M(sysctls, LIST),
	M(aliases, LIST),
	M(network, TEXT),
	M(restart, TEXT),
	M(read_only, FLAG),
	M(rm, FLAG),
	M(privileged, FLAG),
	M(detach, FLAG),
	M(memory, NUMBER),
	M(pids, NUMBER),
	M(millicpus, NUMBER),
	M(log_size, NUMBER),
	M(engine, TEXT),
	M(kvm_device, TEXT),
	M(kernel, TEXT),
	M(arch, TEXT),
	M(health, LIST),
	M(health_interval, NUMBER),
	M(health_timeout, NUMBER),
	M(health_start, NUMBER),
	M(health_retries, NUMBER),
#undef M
};

static void *member_at(const struct run_spec *s, const struct member *m)
{
	return (char *)(uintptr_t)s + m->at;
}

void spec_free(struct run_spec *s)
{
	for (unsigned i = 0; i < ARRAY_LEN(members); i++) {
		if (members[i].type == TEXT)
			free(*(char **)member_at(s, &members[i]));
		else if (members[i].type == LIST)
			strv_free(member_at(s, &members[i]));
	}
	*s = (struct run_spec){0};
}

static json_t *member_json(const struct run_spec *s, const struct member *m)
{
	const void *p = member_at(s, m);
	const struct strv *l = p;
	json_t *a;

	switch (m->type) {
	case TEXT:
		return *(char *const *)p ? json_string(*(char *const *)p) : NULL;
	case FLAG:
		return *(const bool *)p ? json_true() : NULL;
	case NUMBER:
		return *(const u64 *)p ? json_integer((json_int_t) * (const u64 *)p) : NULL;
	case LIST:
		a = l->n ? json_array() : NULL;
		for (unsigned i = 0; a && i < l->n; i++)
			json_array_append_new(a, json_string(l->v[i]));
		return a;
	}
	return NULL;
}

json_t *spec_to_json(const struct run_spec *s)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < ARRAY_LEN(members); i++) {
		json_t *v = member_json(s, &members[i]);

		if (v)
			json_object_set_new(o, members[i].key, v);
	}
	return o;
}

static int list_from(const json_t *v, struct strv *l, struct err *e)
{
	const json_t *item;
	size_t i;
	int ret = json_is_array(v) ? 0 : -EINVAL;

	json_array_foreach(v, i, item)
	{
		if (ret)
			break;
		ret = json_is_string(item) ? strv_add(l, json_string_value(item), e) : -EINVAL;
	}
	return ret;
}

static int member_from(const json_t *v, const struct member *m, struct run_spec *s, struct err *e)
{
	void *p = member_at(s, m);

	switch (m->type) {
	case TEXT:
		return json_is_string(v) ? spec_text(p, json_string_value(v), e) : -EINVAL;
	case FLAG:
		*(bool *)p = json_is_true(v);
		return json_is_boolean(v) ? 0 : -EINVAL;
	case NUMBER:
		*(u64 *)p = (u64)json_integer_value(v);
		return json_is_integer(v) && json_integer_value(v) >= 0 ? 0 : -EINVAL;
	case LIST:
		return list_from(v, p, e);
	}
	return -EINVAL;
}

int spec_from_json(const json_t *o, struct run_spec *s, struct err *e)
{
	*s = (struct run_spec){0};
	for (unsigned i = 0; i < ARRAY_LEN(members); i++) {
		const json_t *v = json_object_get(o, members[i].key);
		int ret = v ? member_from(v, &members[i], s, e) : 0;

		if (ret) {
			spec_free(s);
			return err_set(e, EINVAL, "stored settings: %s makes no sense",
				       members[i].key);
		}
	}
	return 0;
}

/* ---- architecture ---- */

int spec_arch(struct run_spec *s, const char *text, struct err *e)
{
	struct image_platform p, host;

	image_platform_host(&host);
	if (image_platform_parse(text, &p, NULL) || strcmp(p.os, "linux") ||
	    (strcmp(p.arch, host.arch) && strcmp(p.arch, "ppc64le")))
		return err_set(e, EINVAL, "--arch %.40s: give %s or ppc64le", text, host.arch);
	return spec_text(&s->arch, strcmp(p.arch, host.arch) ? p.arch : NULL, e);
}

/* ---- volumes and ports ---- */

int spec_volume(const char *text, struct run_volume *v, struct err *e)
{
	const char *colon = strchr(text, ':'), *end;

	*v = (struct run_volume){0};
	end = colon ? strchr(colon + 1, ':') : NULL;
	if (end && !strcmp(end, ":ro"))
		v->ro = true;
	else if (end && strcmp(end, ":rw"))
		return err_set(e, EINVAL, "volume %.200s: after the second colon give ro or rw",
			       text);
	if (!colon || text[0] != '/' || colon[1] != '/')
		return err_set(e, EINVAL,
			       "volume %.200s: give HOST:PATH[:ro], both beginning with /", text);
	if ((size_t)(colon - text) >= sizeof(v->host) ||
	    (end ? (size_t)(end - colon) : strlen(colon)) > sizeof(v->path))
		return err_set(e, ENAMETOOLONG, "volume %.80s...: too long a path", text);
	memcpy(v->host, text, (size_t)(colon - text));
	snprintf(v->path, sizeof(v->path), "%.*s",
		 end ? (int)(end - colon - 1) : (int)strlen(colon + 1), colon + 1);
	return 0;
}

int spec_port(const char *text, struct run_port *p, struct err *e)
{
	char buf[64], *proto, *guest, *host, *addr;
	struct in_addr in;
	unsigned h, g;
	char end;

	*p = (struct run_port){.addr = "127.0.0.1"};
	if (snprintf(buf, sizeof(buf), "%s", text) >= (int)sizeof(buf))
		goto bad;
	proto = strchr(buf, '/');
	if (proto)
		*proto++ = 0;
	p->udp = proto && !strcmp(proto, "udp");
	guest = strrchr(buf, ':');
	if (!guest || (proto && !p->udp && strcmp(proto, "tcp")))
		goto bad;
	*guest++ = 0;
	host = strrchr(buf, ':');
	addr = host ? buf : NULL;
	if (host)
		*host++ = 0;
	if (sscanf(host ?: buf, "%5u%c", &h, &end) != 1 || sscanf(guest, "%5u%c", &g, &end) != 1 ||
	    !h || !g || h > 65535 || g > 65535)
		goto bad;
	if (addr && !inet_pton(AF_INET, addr, &in))
		goto bad;
	if (addr)
		inet_ntop(AF_INET, &in, p->addr, sizeof(p->addr));
	p->host = (u16)h;
	p->guest = (u16)g;
	return 0;
bad:
	return err_set(e, EINVAL, "port %.60s: give [ADDRESS:]HOSTPORT:GUESTPORT[/tcp|/udp]", text);
}

/* ---- network ---- */

bool spec_network_is(const struct run_spec *s, const char *kind)
{
	return !strcmp(s->network ?: "user", kind);
}

int spec_network(const struct run_spec *s, struct run_network *n, struct err *e)
{
	const char *text = s->network ?: "user", *comma = strchr(text, ',');
	size_t len = comma ? (size_t)(comma - text) : strlen(text);
	struct in_addr in;

	*n = (struct run_network){.named = true};
	snprintf(n->name, sizeof(n->name), "%.*s", (int)len, text);
	if (spec_network_is(s, "user") || spec_network_is(s, "none") ||
	    spec_network_is(s, "host")) {
		n->named = false;
		return 0;
	}
	if (len >= sizeof(n->name) || spec_name("network", n->name, NULL))
		return err_set(e, EINVAL,
			       "network %.80s: give user, none, host or NAME[,ip=ADDRESS] of a "
			       "network (`hull network ls`)",
			       text);
	if (!comma)
		return 0;
	if (strncmp(comma, ",ip=", 4) || inet_pton(AF_INET, comma + 4, &in) != 1)
		return err_set(e, EINVAL,
			       "network %.80s: after the comma give ip=ADDRESS, an IPv4 "
			       "address of the network",
			       text);
	inet_ntop(AF_INET, &in, n->ip, sizeof(n->ip));
	return 0;
}

/* ---- capabilities ---- */

/* In the order of their numbers, linux/capability.h. */
static const char *const cap_names[] = {
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"kill",
	"setgid",
	"setuid",
	"setpcap",
	"linux_immutable",
	"net_bind_service",
	"net_broadcast",
	"net_admin",
	"net_raw",
	"ipc_lock",
	"ipc_owner",
	"sys_module",
	"sys_rawio",
	"sys_chroot",
	"sys_ptrace",
	"sys_pacct",
	"sys_admin",
	"sys_boot",
	"sys_nice",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"mknod",
	"lease",
	"audit_write",
	"audit_control",
	"setfcap",
	"mac_override",
	"mac_admin",
	"syslog",
	"wake_alarm",
	"block_suspend",
	"audit_read",
	"perfmon",
	"bpf",
	"checkpoint_restore",
};

static int caps_of(const struct strv *l, u64 *out, struct err *e)
{
	*out = 0;
	for (unsigned k = 0; k < l->n; k++) {
		const char *name = l->v[k];
		unsigned i = 0;

		if (!strncasecmp(name, "cap_", 4))
			name += 4;
		while (i < ARRAY_LEN(cap_names) && strcasecmp(name, cap_names[i]))
			i++;
		if (i == ARRAY_LEN(cap_names) && strcasecmp(name, "all"))
			return err_set(e, EINVAL, "there is no capability %.40s", l->v[k]);
		*out |= i == ARRAY_LEN(cap_names) ? (1ull << i) - 1 : 1ull << i;
	}
	return 0;
}

int spec_caps(const struct run_spec *s, u64 *caps, struct err *e)
{
	u64 add, drop, all = (1ull << ARRAY_LEN(cap_names)) - 1;
	int ret = caps_of(&s->cap_add, &add, e);

	if (ret || (ret = caps_of(&s->cap_drop, &drop, e)))
		return ret;
	*caps = s->privileged ? all : RUN_CAPS_DEFAULT;
	if (drop == all) /* --cap-drop all --cap-add X leaves X */
		*caps = add;
	else
		*caps = (*caps | add) & ~drop;
	return 0;
}

bool spec_no_new_privs(const struct run_spec *s)
{
	bool on = !s->privileged;

	for (unsigned i = 0; i < s->security.n; i++) {
		const char *v = s->security.v[i];

		if (!strncmp(v, "no-new-privileges", 17))
			on = strcmp(v + 17, "=false") && strcmp(v + 17, ":false");
	}
	return on;
}

/* ---- signals ---- */

int spec_signal(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end != text && !*end)
		return n > 0 && n < NSIG ? (int)n : 0;
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	for (int i = 1; i < NSIG; i++) {
		const char *name = sigabbrev_np(i);

		if (name && !strcasecmp(name, text))
			return i;
	}
	return 0;
}

/* ---- check ---- */

int spec_name(const char *what, const char *name, struct err *e)
{
	static const char ok[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	size_t n = strlen(name);

	if (!n || n >= RUN_NAME_MAX || name[0] == '.' || name[0] == '-' || strspn(name, ok) != n)
		return err_set(e, EINVAL,
			       "%s %.80s: use up to %u letters, digits and -._ and start with a "
			       "letter or digit",
			       what, name, RUN_NAME_MAX - 1);
	return 0;
}

static int check_restart(const char *r, struct err *e)
{
	static const char *const words[] = {"no", "always", "unless-stopped", "on-failure"};
	char *end;

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(r, words[i]))
			return 0;
	if (!strncmp(r, "on-failure:", 11) && r[11] && strtoul(r + 11, &end, 10) && !*end)
		return 0;
	return err_set(e, EINVAL,
		       "restart %.40s: give no, always, unless-stopped or on-failure[:TIMES]", r);
}

static int check_security(const struct strv *l, struct err *e)
{
	static const char *const known[] = {"no-new-privileges",       "no-new-privileges=true",
					    "no-new-privileges=false", "no-new-privileges:true",
					    "no-new-privileges:false", "seccomp=unconfined"};

	for (unsigned i = 0; i < l->n; i++) {
		unsigned k = 0;

		while (k < ARRAY_LEN(known) && strcmp(l->v[i], known[k]))
			k++;
		if (k == ARRAY_LEN(known) && strncmp(l->v[i], "seccomp=/", 9))
			return err_set(e, EINVAL,
				       "security-opt %.60s: give no-new-privileges[=false], "
				       "seccomp=unconfined or seccomp=/PROFILE.json",
				       l->v[i]);
	}
	return 0;
}

static int check_lists(const struct run_spec *s, struct err *e)
{
	struct run_volume v;
	struct run_port p;
	u64 caps;
	int ret = spec_caps(s, &caps, e);

	for (unsigned i = 0; !ret && i < s->volumes.n; i++)
		ret = spec_volume(s->volumes.v[i], &v, e);
	for (unsigned i = 0; !ret && i < s->ports.n; i++)
		ret = spec_port(s->ports.v[i], &p, e);
	for (unsigned i = 0; !ret && i < s->tmpfs.n; i++)
		if (s->tmpfs.v[i][0] != '/')
			ret = err_set(e, EINVAL, "tmpfs %.80s: give a path beginning with /",
				      s->tmpfs.v[i]);
	return ret ? ret : check_security(&s->security, e);
}

static int check_network(const struct run_spec *s, struct err *e)
{
	struct run_network n;
	int ret = spec_network(s, &n, e);

	if (ret)
		return ret;
	if (spec_network_is(s, "host") && spec_is_machine(s))
		return err_set(e, EINVAL,
			       "a machine has its own kernel and cannot use the host's network: "
			       "give --network user or none");
	if (s->ports.n && !n.named && !spec_network_is(s, "user"))
		return err_set(e, EINVAL, "-p needs --network user or a named one, not %s", n.name);
	if (s->aliases.n && !n.named)
		return err_set(e, EINVAL, "--network-alias needs a named network, not %s", n.name);
	for (unsigned i = 0; !ret && i < s->aliases.n; i++)
		ret = spec_name("network-alias", s->aliases.v[i], e);
	return ret;
}

int spec_check(const struct run_spec *s, struct err *e)
{
	int ret = spec_name("name", s->name, e);

	if (ret || (ret = check_lists(s, e)) ||
	    (s->restart && (ret = check_restart(s->restart, e))))
		return ret;
	if (strcmp(s->as, "container") && strcmp(s->as, "vm"))
		return err_set(e, EINVAL, "--as %.40s: give container or vm", s->as);
	if (s->cwd && s->cwd[0] && s->cwd[0] != '/')
		return err_set(e, EINVAL, "workdir %.80s: give a path beginning with /", s->cwd);
	if (s->rm && s->restart && strcmp(s->restart, "no"))
		return err_set(e, EINVAL, "--rm and --restart exclude each other");
	if (s->stop_signal && !spec_signal(s->stop_signal))
		return err_set(e, EINVAL, "there is no signal %.40s", s->stop_signal);
	return check_network(s, e);
}
