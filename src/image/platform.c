/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platforms: the host's, as text, and which entry of an index fits
 * (image/image.h, image/manifest.h). Names are Go's GOOS and GOARCH, as
 * image-index.md asks.
 */
#include "image/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* What uname and people say, and GOARCH. */
static const struct {
	const char *name, *arch, *variant;
} platform_aliases[] = {
	{"x86_64", "amd64", ""},      {"x86-64", "amd64", ""},
	{"aarch64", "arm64", ""},     {"armv7l", "arm", "v7"},
	{"armhf", "arm", "v7"},	      {"armv6l", "arm", "v6"},
	{"i386", "386", ""},	      {"i686", "386", ""},
	{"ppc64el", "ppc64le", ""},   {"powerpc64le", "ppc64le", ""},
	{"mips64el", "mips64le", ""},
};

static void canonical(struct image_platform *p)
{
	for (unsigned i = 0; i < ARRAY_LEN(platform_aliases); i++) {
		if (strcmp(p->arch, platform_aliases[i].name))
			continue;
		snprintf(p->arch, sizeof(p->arch), "%s", platform_aliases[i].arch);
		if (!p->variant[0])
			snprintf(p->variant, sizeof(p->variant), "%s", platform_aliases[i].variant);
	}
	/* Every arm64 is v8; saying so or not means the same. */
	if (!strcmp(p->arch, "arm64") && !strcmp(p->variant, "v8"))
		p->variant[0] = 0;
}

void image_platform_host(struct image_platform *out)
{
	struct utsname u;

	*out = (struct image_platform){.os = "linux", .arch = "amd64"};
	if (!uname(&u))
		snprintf(out->arch, sizeof(out->arch), "%.31s", u.machine);
	canonical(out);
}

int image_platform_parse(const char *text, struct image_platform *out, struct err *e)
{
	char part[3][32] = {"", "", ""};
	const char *s = text;
	unsigned n = 0;

	for (;; s++) {
		size_t len = strcspn(s, "/");

		if (n == 3 || !len || len >= sizeof(part[0]))
			return err_set(e, EINVAL,
				       "%.60s is no platform: give OS/ARCH[/VARIANT] or ARCH",
				       text);
		memcpy(part[n++], s, len);
		s += len;
		if (!*s)
			break;
	}
	*out = (struct image_platform){.os = "linux"};
	if (n > 1)
		memcpy(out->os, part[0], sizeof(out->os));
	memcpy(out->arch, part[n > 1], sizeof(out->arch));
	memcpy(out->variant, part[2], sizeof(out->variant));
	canonical(out);
	return 0;
}

void platform_format(const struct image_platform *p, char *out)
{
	snprintf(out, 100, "%s/%s%s%s", p->os, p->arch, p->variant[0] ? "/" : "", p->variant);
}

bool platform_fits(const struct image_platform *have, const struct image_platform *want)
{
	struct image_platform h = *have;

	canonical(&h);
	return !strcmp(h.os, want->os) && !strcmp(h.arch, want->arch) &&
	       (!h.variant[0] || !want->variant[0] || !strcmp(h.variant, want->variant));
}

/* "linux/amd64, linux/arm64" of the first few entries. */
static void list_platforms(const struct manifest *index, char *out, size_t size)
{
	size_t at = 0;

	out[0] = 0;
	for (unsigned i = 0; i < index->nitems && at + 110 < size; i++) {
		char one[100];

		if (!index->items[i].platform.os[0] ||
		    !strcmp(index->items[i].platform.os, "unknown"))
			continue;
		platform_format(&index->items[i].platform, one);
		at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", one);
	}
}

int manifest_choose(const struct manifest *index, const struct image_platform *want, struct err *e)
{
	char wanted[100], have[400];

	/* An exact variant first, then whatever fits. */
	for (unsigned i = 0; i < index->nitems; i++)
		if (platform_fits(&index->items[i].platform, want) &&
		    !strcmp(index->items[i].platform.variant, want->variant))
			return (int)i;
	for (unsigned i = 0; i < index->nitems; i++)
		if (platform_fits(&index->items[i].platform, want))
			return (int)i;
	if (index->nitems == 1 && !index->items[0].platform.os[0])
		return 0;
	platform_format(want, wanted);
	list_platforms(index, have, sizeof(have));
	return err_set(e, ENOENT, "not made for %s, only for %s: give --platform", wanted,
		       have[0] ? have : "no platform that is named");
}
