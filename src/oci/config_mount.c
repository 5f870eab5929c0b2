/* SPDX-License-Identifier: Apache-2.0 */
/* mounts of config.json: the options of fstab turned into flags, attributes and data. */
#include "oci/parse.h"

#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256 /* include/uapi/linux/mount.h, since 5.10 */
#endif

/*
 * flag: for mount(2) of a new file system. attr: the same for mount_setattr(2),
 * which bind mounts get. clear: the option takes it away.
 */
struct option {
	const char *name;
	bool clear;
	unsigned long flag;
	u64 attr;
};

/* clang-format off */
static const struct option options[] = {
	{"defaults", false, 0, 0},
	{"ro", false, MS_RDONLY, MOUNT_ATTR_RDONLY},
	{"rw", true, MS_RDONLY, MOUNT_ATTR_RDONLY},
	{"nosuid", false, MS_NOSUID, MOUNT_ATTR_NOSUID},
	{"suid", true, MS_NOSUID, MOUNT_ATTR_NOSUID},
	{"nodev", false, MS_NODEV, MOUNT_ATTR_NODEV},
	{"dev", true, MS_NODEV, MOUNT_ATTR_NODEV},
	{"noexec", false, MS_NOEXEC, MOUNT_ATTR_NOEXEC},
	{"exec", true, MS_NOEXEC, MOUNT_ATTR_NOEXEC},
	{"noatime", false, MS_NOATIME, MOUNT_ATTR_NOATIME},
	{"atime", true, MS_NOATIME, MOUNT_ATTR_NOATIME},
	{"nodiratime", false, MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
	{"diratime", true, MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
	{"relatime", false, MS_RELATIME, MOUNT_ATTR__ATIME},
	{"norelatime", true, MS_RELATIME, MOUNT_ATTR__ATIME},
	{"strictatime", false, MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
	{"nostrictatime", true, MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
	{"nosymfollow", false, MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
	{"symfollow", true, MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
	{"sync", false, MS_SYNCHRONOUS, 0},
	{"async", true, MS_SYNCHRONOUS, 0},
	{"dirsync", false, MS_DIRSYNC, 0},
	{"mand", false, MS_MANDLOCK, 0},
	{"nomand", true, MS_MANDLOCK, 0},
	{"iversion", false, MS_I_VERSION, 0},
	{"noiversion", true, MS_I_VERSION, 0},
	{"lazytime", false, MS_LAZYTIME, 0},
	{"nolazytime", true, MS_LAZYTIME, 0},
	{"silent", false, MS_SILENT, 0},
	{"loud", true, MS_SILENT, 0},
	{"acl", false, MS_POSIXACL, 0},
	{"noacl", true, MS_POSIXACL, 0},
};

static const struct option recursive[] = {
	{"rro", false, 0, MOUNT_ATTR_RDONLY},
	{"rrw", true, 0, MOUNT_ATTR_RDONLY},
	{"rnosuid", false, 0, MOUNT_ATTR_NOSUID},
	{"rsuid", true, 0, MOUNT_ATTR_NOSUID},
	{"rnodev", false, 0, MOUNT_ATTR_NODEV},
	{"rdev", true, 0, MOUNT_ATTR_NODEV},
	{"rnoexec", false, 0, MOUNT_ATTR_NOEXEC},
	{"rexec", true, 0, MOUNT_ATTR_NOEXEC},
	{"rnodiratime", false, 0, MOUNT_ATTR_NODIRATIME},
	{"rdiratime", true, 0, MOUNT_ATTR_NODIRATIME},
	{"rrelatime", false, 0, MOUNT_ATTR__ATIME},
	{"rnorelatime", true, 0, MOUNT_ATTR__ATIME},
	{"rnoatime", false, 0, MOUNT_ATTR_NOATIME},
	{"ratime", true, 0, MOUNT_ATTR_NOATIME},
	{"rstrictatime", false, 0, MOUNT_ATTR_STRICTATIME},
	{"rnostrictatime", true, 0, MOUNT_ATTR_STRICTATIME},
	{"rnosymfollow", false, 0, MOUNT_ATTR_NOSYMFOLLOW},
	{"rsymfollow", true, 0, MOUNT_ATTR_NOSYMFOLLOW},
};

static const struct option propagation[] = {
	{"private", false, MS_PRIVATE, 0},
	{"rprivate", false, MS_PRIVATE | MS_REC, 0},
	{"shared", false, MS_SHARED, 0},
	{"rshared", false, MS_SHARED | MS_REC, 0},
	{"slave", false, MS_SLAVE, 0},
	{"rslave", false, MS_SLAVE | MS_REC, 0},
	{"unbindable", false, MS_UNBINDABLE, 0},
	{"runbindable", false, MS_UNBINDABLE | MS_REC, 0},
};
/* clang-format on */

static const struct option *find(const struct option *t, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(t[i].name, name))
			return &t[i];
	return NULL;
}

unsigned long oci_propagation_by_name(const char *name)
{
	const struct option *o = find(propagation, ARRAY_LEN(propagation), name);

	return o ? o->flag : 0;
}

/* MOUNT_ATTR__ATIME is a field of which one value is set, not a bit. */
static void attr_change(u64 *set, u64 *clr, const struct option *o)
{
	if (o->attr & MOUNT_ATTR__ATIME) {
		*set &= ~(u64)MOUNT_ATTR__ATIME;
		*clr |= MOUNT_ATTR__ATIME;
		if (!o->clear && o->attr != MOUNT_ATTR__ATIME)
			*set |= o->attr;
	} else if (o->clear) {
		*set &= ~o->attr;
		*clr |= o->attr;
	} else {
		*set |= o->attr;
		*clr &= ~o->attr;
	}
}

static bool plain_option(struct oci_mount *m, const char *name)
{
	const struct option *o = find(options, ARRAY_LEN(options), name);

	if (o) {
		m->flags = o->clear ? m->flags & ~o->flag : m->flags | o->flag;
		if (o->attr)
			attr_change(&m->attr_set, &m->attr_clr, o);
		return true;
	}
	o = find(recursive, ARRAY_LEN(recursive), name);
	if (o)
		attr_change(&m->rec_set, &m->rec_clr, o);
	return o != NULL;
}

static bool special_option(struct parse *p, struct oci_mount *m, const char *name)
{
	const struct option *o = find(propagation, ARRAY_LEN(propagation), name);
	unsigned i = 0;

	if (o) {
		while (m->propagation[i])
			i++;
		if (i + 1 < ARRAY_LEN(m->propagation))
			m->propagation[i] = o->flag;
		else
			parse_fail(p, "%s: more than %u propagation options", m->dest, i);
		return true;
	}
	if (!strcmp(name, "bind") || !strcmp(name, "rbind")) {
		m->bind = true;
		m->rec |= name[0] == 'r';
	} else if (!strcmp(name, "remount")) {
		m->remount = true;
	} else if (!strcmp(name, "tmpcopyup")) {
		m->copyup = true;
	} else if (!strcmp(name, "idmap") || !strcmp(name, "ridmap")) {
		m->idmap = true;
		m->idmap_rec = name[0] == 'r';
	} else if (!strcmp(name, "copy-symlink")) {
		m->copy_symlink = true;
	} else if (!strcmp(name, "dest-nofollow")) {
		m->dest_nofollow = true;
	} else if (!strcmp(name, "src-nofollow")) {
		m->src_nofollow = true;
	} else {
		return false;
	}
	return true;
}

/* crun's way of an explicit map: idmap=uids=0-1000-10#...;gids=..., per mount. */
static void parse_map_option(struct parse *p, const char *text, struct oci_mount *m)
{
	const char *s = text;

	while (*s && !p->ret) {
		bool uid = !strncmp(s, "uids=", 5), rel;
		struct oci_idmap **list = uid ? &m->maps.uid : &m->maps.gid;
		unsigned *n = uid ? &m->maps.nuid : &m->maps.ngid;
		long long a, b, c;
		int used;

		if ((!uid && strncmp(s, "gids=", 5)) || *list) {
			parse_fail(p, "%s: cannot read id map \"%.60s\"", m->dest, text);
			return;
		}
		*list = parse_alloc(p, OCI_ID_MAPS, sizeof(**list));
		s += 5;
		while (*list && *n < OCI_ID_MAPS) {
			rel = *s == '@';
			if (rel || sscanf(s, "%lld-%lld-%lld%n", &a, &b, &c, &used) != 3 || a < 0 ||
			    b < 0 || c < 0 || a > UINT32_MAX || b > UINT32_MAX || c > UINT32_MAX) {
				parse_fail(p, "%s: cannot read id map \"%.60s\"", m->dest, text);
				return;
			}
			(*list)[(*n)++] = (struct oci_idmap){(u32)a, (u32)b, (u32)c};
			s += used;
			if (*s != '#')
				break;
			s++;
		}
		if (*s == ';')
			s++;
	}
}

void parse_mount_options(struct parse *p, json_t *opts, unsigned n, struct oci_mount *m)
{
	size_t len = 0, at = 0;

	for (unsigned i = 0; i < n; i++)
		len += json_string_length(json_array_get(opts, i)) + 1;
	m->data = parse_alloc(p, len + 1, 1);
	for (unsigned i = 0; i < n && m->data && !p->ret; i++) {
		const char *o = json_string_value(json_array_get(opts, i));

		if (!o) {
			parse_fail(p, "%s: option %u must be a string", m->dest, i);
		} else if (!strncmp(o, "idmap=", 6) || !strncmp(o, "ridmap=", 7)) {
			m->idmap = true;
			m->idmap_rec = o[0] == 'r';
			parse_map_option(p, strchr(o, '=') + 1, m);
		} else if (!plain_option(m, o) && !special_option(p, m, o)) {
			at += (size_t)sprintf(m->data + at, "%s%s", at ? "," : "", o);
		}
	}
}

static void check_mount(struct parse *p, struct oci_mount *m)
{
	if (!m->type && !m->bind && !m->remount && !m->propagation[0])
		m->type = m->source && m->source[0] == '/' ? "bind" : "";
	if (m->type && !strcmp(m->type, "bind"))
		m->bind = true;
	if (m->bind && (!m->source || !m->source[0]))
		parse_fail(p, "%s: a bind mount needs a source", m->dest);
	if (m->maps.nuid || m->maps.ngid)
		m->idmap = true;
	if (m->idmap && !m->bind)
		parse_fail(p, "%s: id-mapped mounts must be bind mounts", m->dest);
	if (m->idmap && !m->maps.nuid != !m->maps.ngid)
		parse_fail(p, "%s: id-mapped mounts need both uid and gid mappings", m->dest);
	if (m->copyup && (!m->type || strcmp(m->type, "tmpfs")))
		parse_fail(p, "%s: only tmpfs mounts may use tmpcopyup", m->dest);
}

void parse_mounts(struct parse *p, json_t *root)
{
	struct oci_config *c = p->config;
	json_t *a, *opts;
	unsigned nopts;

	p->in = "mounts";
	a = parse_array(p, root, "mounts", &c->nmounts);
	c->mounts = parse_alloc(p, c->nmounts, sizeof(*c->mounts));
	for (unsigned i = 0; c->mounts && i < c->nmounts; i++) {
		struct oci_mount *m = &c->mounts[i];
		json_t *o = parse_item(p, a, i);

		if (!o)
			return;
		m->dest = parse_str(p, o, "destination");
		m->type = parse_str(p, o, "type");
		m->source = parse_str(p, o, "source");
		if (!m->dest || !m->dest[0]) {
			parse_fail(p, "item %u: destination must be given", i);
			return;
		}
		opts = parse_array(p, o, "options", &nopts);
		parse_mount_options(p, opts, nopts, m);
		if (parse_has(o, "uidMappings") || parse_has(o, "gidMappings"))
			parse_idmaps(p, o, "uidMappings", "gidMappings", &m->maps);
		if (!p->ret)
			check_mount(p, m);
	}
}

json_t *oci_mount_option_names(void)
{
	static const char *const more[] = {"bind",	   "rbind",	   "remount",
					   "tmpcopyup",	   "idmap",	   "ridmap",
					   "copy-symlink", "src-nofollow", "dest-nofollow"};
	json_t *a = json_array();

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		json_array_append_new(a, json_string(options[i].name));
	for (size_t i = 0; i < ARRAY_LEN(recursive); i++)
		json_array_append_new(a, json_string(recursive[i].name));
	for (size_t i = 0; i < ARRAY_LEN(propagation); i++)
		json_array_append_new(a, json_string(propagation[i].name));
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		json_array_append_new(a, json_string(more[i]));
	return a;
}
