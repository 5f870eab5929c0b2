/* SPDX-License-Identifier: Apache-2.0 */
/* The linux object of config.json: namespaces, id maps, devices, sysctl, paths. */
#include "oci/parse.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int flag;
} namespaces[] = {
	{"pid", CLONE_NEWPID},	     {"network", CLONE_NEWNET}, {"mount", CLONE_NEWNS},
	{"ipc", CLONE_NEWIPC},	     {"uts", CLONE_NEWUTS},	{"user", CLONE_NEWUSER},
	{"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME},
};

static void parse_namespaces(struct parse *p, json_t *obj)
{
	struct oci_config *c = p->config;
	json_t *a = parse_array(p, obj, "namespaces", &c->nns);

	c->ns = parse_alloc(p, c->nns, sizeof(*c->ns));
	for (unsigned i = 0; c->ns && i < c->nns; i++) {
		json_t *o = parse_item(p, a, i);
		const char *type = o ? parse_str(p, o, "type") : NULL;

		for (size_t k = 0; type && k < ARRAY_LEN(namespaces); k++)
			if (!strcmp(type, namespaces[k].name))
				c->ns[i].flag = namespaces[k].flag;
		if (!c->ns[i].flag) {
			parse_fail(p, "namespace \"%.40s\" does not exist", type ? type : "");
			return;
		}
		if (c->ns_flags & c->ns[i].flag)
			parse_fail(p, "namespace \"%s\" is given twice", type);
		c->ns_flags |= c->ns[i].flag;
		c->ns[i].path = parse_str(p, o, "path");
		if (c->ns[i].path && !c->ns[i].path[0])
			c->ns[i].path = NULL;
		if (c->ns[i].path && c->ns[i].path[0] != '/')
			parse_fail(p, "namespace \"%s\": path must be absolute", type);
	}
}

static void parse_time_offsets(struct parse *p, json_t *obj)
{
	static const char *const clocks[] = {"monotonic", "boottime"};
	json_t *o = parse_obj(p, obj, "timeOffsets");

	for (int i = 0; o && i < 2; i++) {
		json_t *clock = parse_obj(p, o, clocks[i]);

		if (!clock)
			continue;
		p->config->have_time_offsets = true;
		p->config->time_secs[i] = parse_int(p, clock, "secs", INT64_MIN, INT64_MAX, 0);
		p->config->time_nsecs[i] = parse_int(p, clock, "nanosecs", 0, 999999999, 0);
	}
}

/* Without slashes at its end. */
static const char *without_slashes(struct parse *p, const char *path)
{
	size_t len = strlen(path);
	char *copy;

	if (len < 2 || path[len - 1] != '/')
		return path;
	while (len > 1 && path[len - 1] == '/')
		len--;
	copy = parse_alloc(p, len + 1, 1);
	return copy ? memcpy(copy, path, len) : path;
}

static void parse_devices(struct parse *p, json_t *obj)
{
	struct oci_config *c = p->config;
	json_t *a = parse_array(p, obj, "devices", &c->ndevices);

	c->devices = parse_alloc(p, c->ndevices, sizeof(*c->devices));
	for (unsigned i = 0; c->devices && i < c->ndevices; i++) {
		struct oci_device *d = &c->devices[i];
		json_t *o = parse_item(p, a, i);
		const char *type = o ? parse_str(p, o, "type") : NULL;

		if (!o)
			return;
		d->path = parse_str(p, o, "path");
		if (!d->path || d->path[0] != '/' || !type || strlen(type) != 1 ||
		    !strchr("cubp", type[0])) {
			parse_fail(p,
				   "devices: item %u needs an absolute path and a type of c, b, "
				   "u or p",
				   i);
			return;
		}
		d->type = type[0] == 'u' ? 'c' : type[0];
		d->path = without_slashes(p, d->path);
		d->major = (unsigned)parse_int(p, o, "major", 0, UINT32_MAX, 0);
		d->minor = (unsigned)parse_int(p, o, "minor", 0, UINT32_MAX, 0);
		d->mode = (unsigned)parse_int(p, o, "fileMode", 0, UINT32_MAX, 0666) & 07777;
		d->uid = (uid_t)parse_int(p, o, "uid", 0, INT32_MAX, 0);
		d->gid = (gid_t)parse_int(p, o, "gid", 0, INT32_MAX, 0);
	}
}

static void parse_sysctl(struct parse *p, json_t *obj)
{
	unsigned n;
	struct oci_pair *pairs = parse_pairs(p, obj, "sysctl", &n);
	struct oci_sysctl *s = parse_alloc(p, n, sizeof(*s));

	for (unsigned i = 0; s && i < n; i++)
		s[i] = (struct oci_sysctl){pairs[i].key, pairs[i].value};
	p->config->sysctl = s;
	p->config->nsysctl = s ? n : 0;
}

static void parse_personality(struct parse *p, json_t *obj)
{
	json_t *o = parse_obj(p, obj, "personality");
	const char *domain = o ? parse_str(p, o, "domain") : NULL;
	unsigned nflags = 0;

	if (!o)
		return;
	if (o)
		parse_array(p, o, "flags", &nflags);
	p->config->have_personality = true;
	if (domain && !strcmp(domain, "LINUX32"))
		p->config->personality = 0x0008; /* PER_LINUX32, personality(2) */
	else if (!domain || strcmp(domain, "LINUX"))
		parse_fail(p, "personality: domain must be LINUX or LINUX32");
	if (nflags)
		parse_fail(p, "personality flags are not supported");
}

/* "0-3,5" into bits. */
static void parse_nodes(struct parse *p, const char *list)
{
	const char *s = list;

	while (*s) {
		char *end;
		unsigned long a = strtoul(s, &end, 10), b = a;

		if (end != s && *end == '-')
			b = strtoul(s = end + 1, &end, 10);
		if (end == s || b < a || b >= OCI_MEM_NODES || (*end && *end != ',')) {
			parse_fail(p, "memoryPolicy: invalid memory policy nodes \"%.60s\"", list);
			return;
		}
		for (; a <= b; a++)
			p->config->mem_nodes[a / 64] |= 1ul << a % 64;
		s = *end ? end + 1 : end;
	}
	p->config->have_mem_nodes = true;
}

/* set_mempolicy(2) says EINVAL to nodes where there must be none; say why. */
static void check_nodes(struct parse *p, const char *mode)
{
	unsigned n = 0;

	if (p->ret || (strcmp(mode, "MPOL_DEFAULT") && strcmp(mode, "MPOL_LOCAL")))
		return;
	for (size_t i = 0; i < ARRAY_LEN(p->config->mem_nodes); i++)
		n += (unsigned)__builtin_popcountl(p->config->mem_nodes[i]);
	if (n)
		parse_fail(p, "memoryPolicy: %s mode requires 0 nodes but got %u", mode, n);
}

/* Values of include/uapi/linux/mempolicy.h: modes in their order, flags from the top. */
static void parse_mempolicy(struct parse *p, json_t *obj)
{
	static const char *const modes[] = {"MPOL_DEFAULT",
					    "MPOL_PREFERRED",
					    "MPOL_BIND",
					    "MPOL_INTERLEAVE",
					    "MPOL_LOCAL",
					    "MPOL_PREFERRED_MANY",
					    "MPOL_WEIGHTED_INTERLEAVE"};
	static const char *const flags[] = {"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES",
					    "MPOL_F_STATIC_NODES"};
	json_t *o = parse_obj(p, obj, "memoryPolicy");
	const char *mode = o ? parse_str(p, o, "mode") : NULL, *nodes;
	struct oci_strings given;
	size_t k = 0;

	if (!o)
		return;
	while (k < ARRAY_LEN(modes) && (!mode || strcmp(mode, modes[k])))
		k++;
	if (k == ARRAY_LEN(modes))
		parse_fail(p, "memoryPolicy: invalid memory policy mode \"%.40s\"",
			   mode ? mode : "");
	p->config->have_mempolicy = true;
	p->config->mempolicy = (int)k;
	parse_strings(p, o, "flags", &given);
	for (unsigned i = 0; i < given.n; i++) {
		for (k = 0; k < ARRAY_LEN(flags) && strcmp(given.v[i], flags[k]); k++)
			;
		if (k == ARRAY_LEN(flags))
			parse_fail(p, "memoryPolicy: invalid memory policy flag \"%.40s\"",
				   given.v[i]);
		else
			p->config->mempolicy |= 1 << (13 + k);
	}
	nodes = parse_str(p, o, "nodes");
	if (nodes && nodes[0])
		parse_nodes(p, nodes);
	check_nodes(p, mode);
}

/* As dev_valid_name() of the kernel's net/core/dev.c has it. */
static bool device_name_ok(const char *s)
{
	return s[0] && strlen(s) < IFNAMSIZ && strcmp(s, ".") && strcmp(s, "..") &&
	       !strpbrk(s, "/: \t\n\v\f\r");
}

static void parse_netdevs(struct parse *p, json_t *obj)
{
	json_t *all = parse_obj(p, obj, "netDevices"), *o;
	struct oci_config *c = p->config;
	const char *name;

	c->netdevs = parse_alloc(p, json_object_size(all), sizeof(*c->netdevs));
	if (!all || !c->netdevs)
		return;
	json_object_foreach(all, name, o)
	{
		const char *inner = json_is_object(o) ? parse_str(p, o, "name") : NULL;
		struct oci_pair *d = &c->netdevs[c->nnetdevs++];

		d->key = name;
		d->value = inner && inner[0] ? inner : NULL;
		if (!json_is_object(o))
			parse_fail(p, "netDevices: %.20s must be an object", name);
		if (!device_name_ok(name) || (d->value && !device_name_ok(d->value)))
			parse_fail(p, "netDevices: \"%.40s\" is no name of a network device",
				   d->value ? d->value : name);
	}
}

static void parse_rdt(struct parse *p, json_t *obj)
{
	json_t *o = parse_obj(p, obj, "intelRdt");

	if (!o)
		return;
	p->config->rdt = true;
	p->config->rdt_closid = parse_str(p, o, "closID");
	p->config->rdt_l3 = parse_str(p, o, "l3CacheSchema");
	p->config->rdt_mem = parse_str(p, o, "memBwSchema");
}

static void parse_propagation(struct parse *p, json_t *obj)
{
	const char *name = parse_str(p, obj, "rootfsPropagation");

	if (!name || !name[0])
		return;
	p->config->rootfs_propagation = oci_propagation_by_name(name);
	if (!p->config->rootfs_propagation)
		parse_fail(p, "rootfsPropagation=%.40s is not supported", name);
}

void parse_linux(struct parse *p, json_t *obj)
{
	struct oci_config *c = p->config;
	json_t *resources;

	p->in = "linux";
	parse_namespaces(p, obj);
	parse_idmaps(p, obj, "uidMappings", "gidMappings", &c->maps);
	parse_time_offsets(p, obj);
	parse_devices(p, obj);
	parse_sysctl(p, obj);
	parse_strings(p, obj, "maskedPaths", &c->masked);
	parse_strings(p, obj, "readonlyPaths", &c->readonly);
	parse_personality(p, obj);
	parse_mempolicy(p, obj);
	parse_netdevs(p, obj);
	parse_rdt(p, obj);
	parse_propagation(p, obj);
	c->cgroups_path = parse_str(p, obj, "cgroupsPath");
	c->mount_label = parse_str(p, obj, "mountLabel");
	c->seccomp = parse_obj(p, obj, "seccomp");
	resources = parse_obj(p, obj, "resources");
	if (resources)
		parse_resources(p, resources, &c->resources);
}
