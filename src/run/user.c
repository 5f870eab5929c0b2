/* SPDX-License-Identifier: Apache-2.0 */
#include "run/user.h"

#include <string.h>

#define FIELDS 7
#define LINE_MAX_LEN 4096u
#define NAME_LEN 128u

struct field {
	const char *s;
	size_t len;
};

/* Splits the line at *text at its colons; false at the end of the text. */
static bool next_line(const char **text, struct field f[FIELDS], unsigned *n)
{
	const char *s = *text;
	size_t len = strcspn(s, "\n");

	if (!*s)
		return false;
	*text = s + len + (s[len] == '\n');
	*n = 0;
	while (*n < FIELDS && len <= LINE_MAX_LEN) {
		size_t k = 0;

		while (k < len && s[k] != ':')
			k++;
		f[(*n)++] = (struct field){s, k};
		if (k == len)
			break;
		s += k + 1;
		len -= k + 1;
	}
	return true;
}

static bool number(struct field f, u32 *out)
{
	u64 n = 0;

	if (!f.len || f.len > 10)
		return false;
	for (size_t i = 0; i < f.len; i++) {
		if (f.s[i] < '0' || f.s[i] > '9')
			return false;
		n = n * 10 + (u64)(f.s[i] - '0');
	}
	*out = (u32)n;
	return n < 0xffffffffu;
}

static bool same(struct field f, struct field name)
{
	return f.len == name.len && !memcmp(f.s, name.s, f.len);
}

static struct field text(const char *s)
{
	return (struct field){s, strlen(s)};
}

/* The passwd entry of who, by name or number; its login name goes to *login. */
static bool find_passwd(const char *passwd, struct field who, struct user *u, struct field *login)
{
	struct field f[FIELDS];
	unsigned n;
	u32 want = 0, uid, gid;
	bool numeric = number(who, &want);

	while (next_line(&passwd, f, &n)) {
		if (n < 6 || !number(f[2], &uid) || !number(f[3], &gid))
			continue;
		if (!same(f[0], who) && !(numeric && uid == want))
			continue;
		u->uid = uid;
		u->gid = gid;
		*login = f[0];
		if (f[5].len && f[5].len < USER_HOME_MAX) {
			memcpy(u->home, f[5].s, f[5].len);
			u->home[f[5].len] = 0;
		}
		return true;
	}
	if (numeric)
		u->uid = want;
	return numeric;
}

static bool find_group(const char *group, struct field who, u32 *gid)
{
	struct field f[FIELDS];
	unsigned n;
	u32 id;

	while (next_line(&group, f, &n)) {
		if (n >= 3 && same(f[0], who) && number(f[2], &id)) {
			*gid = id;
			return true;
		}
	}
	return number(who, gid);
}

static bool is_member(struct field members, struct field login)
{
	while (members.len) {
		size_t k = 0;

		while (k < members.len && members.s[k] != ',')
			k++;
		if (k == login.len && !memcmp(members.s, login.s, k))
			return true;
		k += k < members.len;
		members.s += k;
		members.len -= k;
	}
	return false;
}

static void add_groups(const char *group, struct field login, struct user *u)
{
	struct field f[FIELDS];
	unsigned n;
	u32 gid;

	while (login.len && next_line(&group, f, &n))
		if (n >= 4 && u->ngroups < USER_GROUPS_MAX && number(f[2], &gid) &&
		    is_member(f[3], login))
			u->groups[u->ngroups++] = gid;
}

bool user_find(const char *who, const char *passwd, const char *group, struct user *out)
{
	struct field name = text(who && *who ? who : "0"), login = {"", 0}, grp = {"", 0};
	const char *colon = memchr(name.s, ':', name.len);

	*out = (struct user){.home = "/"};
	if (colon) {
		grp = text(colon + 1);
		name.len = (size_t)(colon - name.s);
	}
	if (!name.len || name.len > NAME_LEN || !find_passwd(passwd, name, out, &login))
		return false;
	if (colon)
		return grp.len && find_group(group, grp, &out->gid);
	add_groups(group, login, out);
	return true;
}
