/* SPDX-License-Identifier: Apache-2.0 */
/* Who is on a network, the members' places and /etc/hosts; see net.h. */
#include "run/net.h"

#include "run/bridge.h"
#include "run/internal.h"
#include "run/net_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct member {
	struct thing t;
	json_t *o; /* address, names, pid, fd, inode */
	u32 ip;
};

struct members {
	struct member *v;
	unsigned n;
};

static void members_free(struct members *all)
{
	for (unsigned i = 0; i < all->n; i++)
		json_decref(all->v[i].o);
	free(all->v);
	*all = (struct members){0};
}

/* Nobody has its lock: it has ended without a word. */
static bool has_ended(const struct thing *t)
{
	int lock = access(t->dir, F_OK) ? -ENOENT : thing_lock(t, false, NULL);

	if (lock >= 0)
		close(lock);
	return lock != -EBUSY;
}

/* One file of members/; false: it is no member's any more. */
static bool read_member(const char *path, const char *name, struct member *m)
{
	struct in_addr in;
	const char *ip;

	*m = (struct member){.o = json_load_file(path, JSON_REJECT_DUPLICATES, NULL)};
	ip = json_string_value(json_object_get(m->o, "address"));
	if (ip && inet_pton(AF_INET, ip, &in) == 1 && !thing_at(name, &m->t, NULL) &&
	    !has_ended(&m->t)) {
		m->ip = ntohl(in.s_addr);
		return true;
	}
	json_decref(m->o);
	return false;
}

/* Who is on it now; files of who is not go. The lock of the networks is held. */
static int members_read(const char *net, struct members *all, struct err *e)
{
	char dir[PATHS_MAX], path[PATHS_MAX];
	struct dirent **names;
	int n, ret = net_path(net, "members", dir, e);

	*all = (struct members){0};
	if (ret)
		return ret;
	n = net_names(dir, &names, e);
	all->v = n > 0 ? calloc((size_t)n, sizeof(*all->v)) : NULL;
	for (int i = 0; all->v && i < n; i++) {
		if (names[i]->d_name[0] == '.' ||
		    net_member_path(net, names[i]->d_name, path, NULL))
			continue;
		if (read_member(path, names[i]->d_name, &all->v[all->n]))
			all->n++;
		else
			unlink(path);
	}
	net_names_free(names, n);
	return n < 0 ? n : n && !all->v ? err_set(e, ENOMEM, "out of memory") : 0;
}

/* ---- hosts ---- */

static int add_hosts(const struct members *all, struct strv *lines, struct err *e)
{
	char line[INET_ADDRSTRLEN + RUN_NAME_MAX + 2];
	int ret = 0;

	for (unsigned i = 0; !ret && i < all->n; i++) {
		const json_t *o = all->v[i].o, *name;
		size_t k;

		json_array_foreach(json_object_get(o, "names"), k, name)
		{
			snprintf(line, sizeof(line), "%s\t%s",
				 json_string_value(json_object_get(o, "address")),
				 json_string_value(name) ?: "-");
			ret = ret ?: strv_add(lines, line, e);
		}
	}
	return ret;
}

static int write_hosts(const struct members *all, const struct member *m, struct err *e)
{
	struct strv lines = {0};
	struct run_spec spec;
	char path[PATHS_MAX];
	int ret = thing_spec(&m->t, &spec, e);

	if (ret)
		return ret;
	ret = etc_hosts(&spec, json_string_value(json_object_get(m->o, "address")), &lines, e);
	if (!ret)
		ret = add_hosts(all, &lines, e);
	if (!ret)
		ret = thing_path(&m->t, "hosts", path, e);
	if (!ret)
		ret = etc_write(path, &lines, e);
	strv_free(&lines);
	spec_free(&spec);
	return ret;
}

/* Another member's file that cannot be written is that one's trouble. */
static int tell_all(const struct members *all, const struct thing *self, struct err *e)
{
	int ret = 0;

	for (unsigned i = 0; i < all->n; i++) {
		bool own = self && !strcmp(all->v[i].t.name, self->name);
		int one = write_hosts(all, &all->v[i], own ? e : NULL);

		ret = own ? one : ret;
	}
	return ret;
}

/* ---- joining ---- */

static bool has_ip(const struct members *all, u32 ip)
{
	for (unsigned i = 0; i < all->n; i++)
		if (all->v[i].ip == ip)
			return true;
	return false;
}

/* The first address is left out: many take it for a gateway. */
static int choose_ip(const struct net *n, const struct members *all, const char *asked, u32 *ip,
		     struct err *e)
{
	u32 last = n->base | ~net_mask(n->bits);
	struct in_addr in;

	if (*asked) {
		inet_pton(AF_INET, asked, &in);
		*ip = ntohl(in.s_addr);
		if (*ip <= n->base || *ip >= last)
			return err_set(e, EINVAL, "network %s: %s is not one of its addresses",
				       n->name, asked);
		return has_ip(all, *ip) ? err_set(e, EADDRINUSE, "network %s: somebody has %s",
						  n->name, asked)
					: 0;
	}
	for (*ip = n->base + 2; *ip < last; ++*ip)
		if (!has_ip(all, *ip))
			return 0;
	return err_set(e, EADDRNOTAVAIL, "network %s: no address is free", n->name);
}

/* The name space as a living member holds it, or a new one. */
static int find_space(const struct members *all, int *ns, struct err *e)
{
	char path[40];
	struct stat st;

	for (unsigned i = 0; i < all->n; i++) {
		const json_t *o = all->v[i].o;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d",
			 (int)json_integer_value(json_object_get(o, "pid")),
			 (int)json_integer_value(json_object_get(o, "fd")));
		if (stat(path, &st) ||
		    st.st_ino != (ino_t)json_integer_value(json_object_get(o, "inode")) ||
		    !S_ISREG(st.st_mode))
			continue; /* it is ending just now */
		*ns = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (*ns >= 0)
			return 0;
	}
	return bridge_make(ns, e);
}

static json_t *names_of(const struct thing *t, const struct run_spec *spec)
{
	json_t *names = json_pack("[s]", t->name);

	if (spec->hostname && strcmp(spec->hostname, t->name) &&
	    !spec_name("hostname", spec->hostname, NULL))
		json_array_append_new(names, json_string(spec->hostname));
	for (unsigned i = 0; i < spec->aliases.n; i++)
		json_array_append_new(names, json_string(spec->aliases.v[i]));
	return names;
}

static int write_member(const struct thing *t, const struct run_spec *spec,
			const struct net_place *p, struct err *e)
{
	char path[PATHS_MAX];
	struct stat st;
	json_t *o;
	int ret = net_member_path(p->net.name, t->name, path, e);

	if (ret)
		return ret;
	if (fstat(p->ns, &st))
		return err_errno(e, "network %s", p->net.name);
	o = json_pack("{s:s, s:o, s:i, s:i, s:I}", "address", p->ip, "names", names_of(t, spec),
		      "pid", (int)getpid(), "fd", p->ns, "inode", (json_int_t)st.st_ino);
	if (!o || json_dump_file(o, path, JSON_COMPACT))
		ret = err_errno(e, "%s", path);
	json_decref(o);
	return ret;
}

static int take_place(const struct thing *t, const struct run_spec *spec, const char *asked,
		      struct net_place *p, struct err *e)
{
	struct members all;
	struct in_addr in;
	u32 ip = 0;
	int ret = members_read(p->net.name, &all, e);

	if (!ret)
		ret = choose_ip(&p->net, &all, asked, &ip, e);
	if (!ret)
		ret = find_space(&all, &p->ns, e);
	members_free(&all);
	if (ret)
		return ret;
	in.s_addr = htonl(ip);
	inet_ntop(AF_INET, &in, p->ip, sizeof(p->ip));
	ret = write_member(t, spec, p, e);
	if (!ret)
		ret = members_read(p->net.name, &all, e);
	if (!ret) {
		ret = tell_all(&all, t, e);
		members_free(&all);
	}
	return ret;
}

int net_join(const struct thing *t, const struct run_spec *spec, struct net_place *p, struct err *e)
{
	struct run_network want;
	int lock, ret = spec_network(spec, &want, e);

	*p = (struct net_place){.ns = -1};
	if (ret)
		return ret;
	lock = net_lock(e);
	if (lock < 0)
		return lock;
	ret = net_find(want.name, &p->net, e);
	if (!ret)
		ret = take_place(t, spec, want.ip, p, e);
	close(lock);
	return ret;
}

void net_leave(const struct thing *t, const struct run_spec *spec)
{
	struct run_network n;
	struct members all;
	char path[PATHS_MAX];
	int lock;

	if (spec_network(spec, &n, NULL) || !n.named ||
	    net_member_path(n.name, t->name, path, NULL) || access(path, F_OK))
		return;
	lock = net_lock(NULL);
	if (lock < 0)
		return;
	if (!unlink(path) && !members_read(n.name, &all, NULL)) {
		tell_all(&all, NULL, NULL);
		members_free(&all);
	}
	close(lock);
}

/* ---- telling ---- */

static json_t *one_json(const char *name, struct err *e)
{
	char subnet[INET_ADDRSTRLEN + 4];
	json_t *list = json_array();
	struct members all;
	struct net n;

	if (net_find(name, &n, e) || members_read(name, &all, e)) {
		json_decref(list);
		return NULL;
	}
	for (unsigned i = 0; i < all.n; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:O, s:O}", "name", all.v[i].t.name,
						"address", json_object_get(all.v[i].o, "address"),
						"names", json_object_get(all.v[i].o, "names")));
	members_free(&all);
	net_subnet_text(&n, subnet);
	return json_pack("{s:s, s:s, s:b, s:o}", "name", name, "subnet", subnet, "internal",
			 (int)n.internal, "members", list);
}

static json_t *all_json(struct err *e)
{
	char dir[PATHS_MAX], path[PATHS_MAX];
	json_t *list = json_array(), *o;
	struct dirent **names = NULL;
	int n = net_dir(dir, e) ? -1 : net_names(dir, &names, e);

	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] == '.' ||
		    net_path(names[i]->d_name, "net.json", path, NULL) || access(path, F_OK))
			continue; /* being made or removed */
		o = one_json(names[i]->d_name, NULL);
		if (o)
			json_array_append_new(list, o);
	}
	net_names_free(names, n);
	if (n >= 0)
		return list;
	json_decref(list);
	return NULL;
}

json_t *net_json(const char *name, struct err *e)
{
	json_t *o;
	int lock = net_lock(e);

	if (lock < 0)
		return NULL;
	o = name ? one_json(name, e) : all_json(e);
	close(lock);
	return o;
}
