// SPDX-License-Identifier: Apache-2.0
/* Image references, digests and platforms: src/image/ref.c, digest.c, platform.c. */
#include "image/manifest.h"
#include "image/ref.h"
#include "tests/test.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *text, *canonical;
} good[] = {
	{"busybox", "docker.io/library/busybox:latest"},
	{"busybox:1.36", "docker.io/library/busybox:1.36"},
	{"team/app", "docker.io/team/app:latest"},
	{"docker.io/busybox", "docker.io/library/busybox:latest"},
	{"index.docker.io/busybox", "docker.io/library/busybox:latest"},
	{"localhost/x", "localhost/x:latest"},
	{"localhost:5000/x/y:v1", "localhost:5000/x/y:v1"},
	{"[::1]:5000/x", "[::1]:5000/x:latest"},
	{"quay.io/a/b/c:T_a-g.1", "quay.io/a/b/c:T_a-g.1"},
	{"a/b__c/d-e.f", "docker.io/a/b__c/d-e.f:latest"},
	{"x@sha256:" HEX, "docker.io/library/x@sha256:" HEX},
	{"h.io/x:1@sha256:" HEX, "h.io/x:1@sha256:" HEX},
};

static const char *const bad[] = {
	"",
	"UPPER",
	"a//b",
	"/a",
	"a/",
	":tag",
	"a:",
	"a:b:c",
	"a@sha256:12",
	"a:.x",
	"a b",
	"-a",
	"a-/b",
	"a..b",
	"a/../b",
	"h.io:99999999/x",
	"h.io:x/y",
	"[::1/x",
	"-h.io/x",
	"a@" HEX,
	"a\n",
	"a:\x1b[31m",
	"a/\xc3\xa9",
	"a@sha512:" HEX HEX,
};

static void t_good(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		char out[IMAGE_NAME_MAX];
		struct ref r, again;

		CHECK(!ref_parse(good[i].text, &r, NULL));
		CHECK(!ref_format(&r, out, NULL));
		CHECK(!strcmp(out, good[i].canonical));
		CHECK(!ref_parse(out, &again, NULL));
		CHECK(!strcmp(again.path, r.path) && !strcmp(again.tag, r.tag));
	}
}

static void t_bad(void)
{
	char longest[2000];
	struct ref r;
	struct err e;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		e.status = 0;
		CHECK(ref_parse(bad[i], &r, &e) < 0);
		CHECK(e.status && e.msg[0]);
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	CHECK(ref_parse(longest, &r, &e) < 0);
}

static void t_loopback(void)
{
	static const char *const yes[] = {"127.0.0.1/x", "127.9.9.9:1/x", "localhost/x",
					  "localhost:1/x", "[::1]:1/x"};
	static const char *const no[] = {"localhost.evil.io/x", "128.0.0.1/x", "quay.io/x", "x"};
	struct ref r;

	for (unsigned i = 0; i < ARRAY_LEN(yes); i++)
		CHECK(!ref_parse(yes[i], &r, NULL) && ref_is_loopback(&r));
	for (unsigned i = 0; i < ARRAY_LEN(no); i++)
		CHECK(!ref_parse(no[i], &r, NULL) && !ref_is_loopback(&r));
}

static void t_digest(void)
{
	struct digest d, parsed;

	/* FIPS 180-4, of "abc". */
	CHECK(!digest_of("abc", 3, &d, NULL));
	CHECK(!strcmp(d.s,
		      "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
	CHECK(!digest_parse(d.s, &parsed, NULL) && digest_equal(&d, &parsed));
	CHECK(digest_parse(NULL, &d, NULL) < 0);
	CHECK(digest_parse("sha256:" HEX "0", &d, NULL) < 0);
	CHECK(digest_parse("sha256:../../../../../../../../../../../../../../../../../etc/passwd/x",
			   &d, NULL) < 0);
	CHECK(ref_is_id("abcd") && !ref_is_id("abc") && !ref_is_id("abcg") && !ref_is_id(HEX "0"));
}

static void t_platforms(void)
{
	struct image_platform p, q;
	struct err e;

	CHECK(!image_platform_parse("aarch64", &p, NULL));
	CHECK(!strcmp(p.os, "linux") && !strcmp(p.arch, "arm64") && !p.variant[0]);
	CHECK(!image_platform_parse("linux/arm64/v8", &q, NULL) && platform_fits(&q, &p));
	CHECK(!image_platform_parse("linux/arm/v7", &p, NULL) && !strcmp(p.variant, "v7"));
	CHECK(!image_platform_parse("linux/arm/v6", &q, NULL) && !platform_fits(&q, &p));
	CHECK(!image_platform_parse("arm", &q, NULL) && platform_fits(&q, &p));
	CHECK(!image_platform_parse("windows/amd64", &q, NULL) && !platform_fits(&q, &p));
	CHECK(image_platform_parse("a/b/c/d", &p, &e) < 0);
	CHECK(image_platform_parse("", &p, &e) < 0 && image_platform_parse("linux/", &p, &e) < 0);
}

int main(void)
{
	RUN(t_good);
	RUN(t_bad);
	RUN(t_loopback);
	RUN(t_digest);
	RUN(t_platforms);
	return test_done();
}
