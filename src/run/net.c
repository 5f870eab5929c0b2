/* SPDX-License-Identifier: Apache-2.0 */
/* What a network is, on disk; see net.h. Who is on it: members.c. */
#include "run/net.h"

#include "run/internal.h"
#include "run/net_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BITS_MIN 8u
#define BITS_MAX 29u
#define FIRST_FREE 0x0a590000u /* 10.89.0.0/24 and up to 10.89.255.0/24 */
#define FREE_BITS 24u
#define FREE_COUNT 256u
/* What net/passt.h gives every thing with a way out. */
#define USER_BASE 0x0a000200u
#define USER_BITS 24u

/* ---- files ---- */

int net_dir(char *out, struct err *e)
{
	char data[PATHS_MAX];
	int ret = paths_data(data, e);

	return ret ? ret : paths_format(out, e, "%s/networks", data);
}

int net_path(const char *net, const char *file, char *out, struct err *e)
{
	char dir[PATHS_MAX];
	int ret = net_dir(dir, e);

	return ret ? ret : paths_format(out, e, "%s/%s/%s", dir, net, file);
}

int net_member_path(const char *net, const char *thing, char *out, struct err *e)
{
	char dir[PATHS_MAX];
	int ret = net_path(net, "members", dir, e);

	return ret ? ret : paths_format(out, e, "%s/%s", dir, thing);
}

/* The lock of all networks: a descriptor to close, or -errno. */
int net_lock(struct err *e)
{
	char dir[PATHS_MAX], path[PATHS_MAX];
	int fd, ret = net_dir(dir, e);

	if (ret || (ret = paths_make_dir(dir, 0700, e)) ||
	    (ret = paths_format(path, e, "%s/.lock", dir)))
		return ret;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && !flock(fd, LOCK_EX))
		return fd;
	ret = err_errno(e, "%s", path);
	if (fd >= 0)
		close(fd);
	return ret;
}

/* ---- subnets ---- */

static bool overlap(u32 a, unsigned abits, u32 b, unsigned bbits)
{
	u32 mask = net_mask(abits < bbits ? abits : bbits);

	return (a & mask) == (b & mask);
}

void net_subnet_text(const struct net *n, char out[INET_ADDRSTRLEN + 4])
{
	struct in_addr in = {htonl(n->base)};
	char ip[INET_ADDRSTRLEN];

	snprintf(out, INET_ADDRSTRLEN + 4, "%s/%u",
		 inet_ntop(AF_INET, &in, ip, sizeof(ip)) ? ip : "?", n->bits);
}

int net_subnet(const char *text, struct net *n, struct err *e)
{
	const char *slash = strchr(text, '/');
	char ip[INET_ADDRSTRLEN], *end = NULL;
	struct in_addr in;
	unsigned long bits = slash ? strtoul(slash + 1, &end, 10) : 0;

	if (!slash || slash[1] < '0' || slash[1] > '9' || *end ||
	    (size_t)(slash - text) >= sizeof(ip))
		return err_set(e, EINVAL, "subnet %.60s: give ADDRESS/BITS such as 10.5.0.0/16",
			       text);
	snprintf(ip, sizeof(ip), "%.*s", (int)(slash - text), text);
	if (inet_pton(AF_INET, ip, &in) != 1 || bits < BITS_MIN || bits > BITS_MAX)
		return err_set(e, EINVAL,
			       "subnet %.60s: give an IPv4 address and %u to %u bits, such as "
			       "10.5.0.0/16",
			       text, BITS_MIN, BITS_MAX);
	n->base = ntohl(in.s_addr);
	n->bits = (unsigned)bits;
	if (n->base & ~net_mask(n->bits))
		return err_set(e, EINVAL, "subnet %.60s: the address has bits behind the first %u",
			       text, n->bits);
	if (overlap(n->base, n->bits, 0, 8) || overlap(n->base, n->bits, 0x7f000000u, 8) ||
	    n->base >= 0xe0000000u)
		return err_set(e, EINVAL, "subnet %.60s: these are no addresses of computers",
			       text);
	if (overlap(n->base, n->bits, USER_BASE, USER_BITS))
		return err_set(e, EINVAL,
			       "subnet %.60s: 10.0.2.0/24 is every thing's way out; give another",
			       text);
	return 0;
}

/* ---- what a network is ---- */

int net_read(const char *name, struct net *n)
{
	char path[PATHS_MAX];
	const char *subnet;
	json_t *o;
	int ret;

	*n = (struct net){.base = 0};
	if (spec_name("network", name, NULL) || net_path(name, "net.json", path, NULL))
		return -ENOENT;
	snprintf(n->name, sizeof(n->name), "%s", name);
	o = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (!o)
		return access(path, F_OK) ? -ENOENT : -EINVAL;
	subnet = json_string_value(json_object_get(o, "subnet"));
	n->internal = json_is_true(json_object_get(o, "internal"));
	ret = subnet ? net_subnet(subnet, n, NULL) : -EINVAL;
	json_decref(o);
	return ret;
}

int net_find(const char *name, struct net *n, struct err *e)
{
	int ret = net_read(name, n);

	if (ret == -ENOENT)
		return err_set(e, ENOENT, "there is no network %.80s (`hull network create %.80s`)",
			       name, name);
	return ret ? err_set(e, EINVAL,
			     "network %s: its net.json makes no sense; `hull network rm %s`", name,
			     name)
		   : 0;
}

int net_names(const char *dir, struct dirent ***names, struct err *e)
{
	int n = scandir(dir, names, NULL, alphasort);

	if (n >= 0)
		return n;
	*names = NULL;
	return errno == ENOENT ? 0 : err_errno(e, "%s", dir);
}

void net_names_free(struct dirent **names, int n)
{
	for (int i = 0; names && i < n; i++)
		free(names[i]);
	free(names);
}

/* The name of a network with some of these addresses. */
static bool taken(const struct net *want, struct dirent **names, int n, struct net *by)
{
	for (int i = 0; names && i < n; i++)
		if (!net_read(names[i]->d_name, by) &&
		    overlap(want->base, want->bits, by->base, by->bits))
			return true;
	return false;
}

/* Does the host itself have an address there? */
static bool is_hosts(const struct net *n)
{
	struct ifaddrs *list, *a;
	bool found = false;

	if (getifaddrs(&list))
		return false;
	for (a = list; a && !found; a = a->ifa_next) {
		const struct sockaddr_in *ip = (const void *)a->ifa_addr,
					 *mask = (const void *)a->ifa_netmask;

		if (!ip || !mask || ip->sin_family != AF_INET)
			continue;
		found = overlap(n->base, n->bits, ntohl(ip->sin_addr.s_addr),
				(unsigned)__builtin_popcount(mask->sin_addr.s_addr));
	}
	freeifaddrs(list);
	return found;
}

static int choose_subnet(struct net *n, struct dirent **names, int count, struct err *e)
{
	char text[INET_ADDRSTRLEN + 4];
	struct net by;

	if (n->base) {
		net_subnet_text(n, text);
		return taken(n, names, count, &by)
			       ? err_set(e, EEXIST, "subnet %s: network %s has some of it", text,
					 by.name)
			       : 0;
	}
	n->bits = FREE_BITS;
	for (unsigned i = 0; i < FREE_COUNT; i++) {
		n->base = FIRST_FREE + (i << (32 - FREE_BITS));
		if (!taken(n, names, count, &by) && !is_hosts(n))
			return 0;
	}
	return err_set(e, ENOSPC, "no subnet is free: give --subnet");
}

static int write_net(const struct net *n, struct err *e)
{
	char path[PATHS_MAX], tmp[PATHS_MAX], dir[PATHS_MAX], text[INET_ADDRSTRLEN + 4];
	json_t *o;
	int ret = net_path(n->name, "members", dir, e);

	if (ret || (ret = paths_make_dir(dir, 0700, e)) ||
	    (ret = net_path(n->name, "net.json", path, e)) ||
	    (ret = net_path(n->name, "net.json.new", tmp, e)))
		return ret;
	net_subnet_text(n, text);
	o = json_pack("{s:s, s:b}", "subnet", text, "internal", (int)n->internal);
	if (json_dump_file(o, tmp, JSON_COMPACT) || rename(tmp, path))
		ret = err_errno(e, "%s", path);
	json_decref(o);
	return ret;
}

int net_create(struct net *n, struct err *e)
{
	char dir[PATHS_MAX];
	struct dirent **names;
	struct net have;
	int lock, count, ret = spec_name("network", n->name, e);
	const struct run_spec reserved = {.network = n->name};
	struct run_network kind;

	if (ret || (ret = net_dir(dir, e)))
		return ret;
	if (!spec_network(&reserved, &kind, NULL) && !kind.named)
		return err_set(e, EINVAL,
			       "network %s: user, none and host are kinds; give another "
			       "name",
			       n->name);
	lock = net_lock(e);
	if (lock < 0)
		return lock;
	count = net_names(dir, &names, e);
	if (count < 0)
		ret = count;
	else if (net_read(n->name, &have) != -ENOENT)
		ret = err_set(e, EEXIST, "there is a network %s already", n->name);
	else if (!(ret = choose_subnet(n, names, count, e)))
		ret = write_net(n, e);
	net_names_free(names, count);
	close(lock);
	return ret;
}

/* ---- removing ---- */

struct users {
	const char *net;
	char text[200]; /* their names */
};

static void note_user(void *opaque, const struct thing *t)
{
	struct users *u = opaque;
	struct run_network n;
	struct run_spec spec;
	size_t len = strlen(u->text);

	if (thing_spec(t, &spec, NULL))
		return;
	if (!spec_network(&spec, &n, NULL) && n.named && !strcmp(n.name, u->net))
		snprintf(u->text + len, sizeof(u->text) - len, "%s%s", len ? ", " : "", t->name);
	spec_free(&spec);
}

int net_remove(const char *name, struct err *e)
{
	struct users users = {.net = name};
	char path[PATHS_MAX], dir[PATHS_MAX];
	struct net n;
	int lock, ret;

	if (net_read(name, &n) == -ENOENT)
		return net_find(name, &n, e);
	lock = net_lock(e);
	if (lock < 0)
		return lock;
	ret = thing_each(note_user, &users, e);
	if (!ret && users.text[0])
		ret = err_set(e, EBUSY, "network %s is used by %s: `hull rm` them first", name,
			      users.text);
	if (!ret)
		ret = net_path(name, "net.json", path, e);
	if (!ret)
		ret = net_path(name, "", dir, e);
	if (!ret && unlink(path))
		ret = err_errno(e, "%s", path);
	if (!ret && tree_remove(dir))
		ret = err_errno(e, "%s", dir);
	close(lock);
	return ret;
}
