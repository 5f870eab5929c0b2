// SPDX-License-Identifier: Apache-2.0
/* Manifests, indexes and configs: src/image/manifest.c, config.c, doc.c. */
#include "image/manifest.h"
#include "tests/test.h"

#include <errno.h>

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define LAYER "{\"mediaType\":\"" MEDIA_LAYER_GZIP "\",\"digest\":\"" D2 "\",\"size\":7}"
#define CONFIG "{\"mediaType\":\"" MEDIA_CONFIG "\",\"digest\":\"" D1 "\",\"size\":3}"

static int parse(const char *text, const char *media, struct manifest *m, struct err *e)
{
	return manifest_parse("test", text, strlen(text), media, m, e);
}

static void t_manifest(void)
{
	struct manifest m;

	CHECK(!parse("{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER "," LAYER "]}",
		     "", &m, NULL));
	CHECK(!m.is_index && m.nitems == 2 && m.items[1].size == 7);
	CHECK(!strcmp(m.config.digest.s, D1) && !strcmp(m.media, MEDIA_MANIFEST));
	manifest_fini(&m);
}

static void t_index(void)
{
	struct image_platform want = {.os = "linux", .arch = "arm64"};
	struct manifest m;
	struct err e = {0};

	CHECK(!parse(
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_INDEX "\",\"manifests\":["
		"{\"mediaType\":\"" MEDIA_MANIFEST "\",\"digest\":\"" D1 "\",\"size\":1,"
		"\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
		"{\"mediaType\":\"" MEDIA_MANIFEST "\",\"digest\":\"" D2 "\",\"size\":1,"
		"\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}}]}",
		MEDIA_INDEX, &m, NULL));
	CHECK(m.is_index);
	CHECK_EQ(manifest_choose(&m, &want, NULL), 1);
	snprintf(want.arch, sizeof(want.arch), "s390x");
	CHECK_EQ(manifest_choose(&m, &want, &e), (int)-ENOENT);
	CHECK(strstr(e.msg, "linux/amd64") && strstr(e.msg, "linux/arm64"));
	manifest_fini(&m);
}

static void t_refused(void)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{",
		"{\"schemaVersion\":1}",
		"{\"schemaVersion\":2}",
		"{\"schemaVersion\":2,\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}",
		"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":{}}",
		"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"manifests\":[]}",
		"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[1]}",
		"{\"schemaVersion\":2,\"config\":{\"digest\":\"" D1
		"\",\"size\":-1},\"layers\":[]}",
		"{\"schemaVersion\":2,\"config\":{\"digest\":\"" D1
		"\",\"size\":9e99},\"layers\":[]}",
		"{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:x\",\"size\":1},\"layers\":[]"
		"}",
		"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[{\"mediaType\":\"text/x\","
		"\"digest\":\"" D1 "\",\"size\":1}]}",
	};
	struct manifest m;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};

		CHECK(parse(bad[i], "", &m, &e) < 0);
		CHECK(e.status && !strncmp(e.msg, "test", 4));
	}
	CHECK(parse("{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}", MEDIA_INDEX, &m,
		    NULL) < 0);
}

static void t_bounds(void)
{
	size_t n = DOC_MAX + 10;
	char *text = malloc(n);
	json_t *doc;
	struct err e;

	CHECK(text);
	memset(text, ' ', n);
	text[0] = '{';
	text[n - 1] = '}';
	CHECK_EQ(doc_parse("big", text, n, &doc, &e), (int)-EFBIG);
	memset(text, '[', 2 * DOC_MAX_VALUES);
	CHECK_EQ(doc_parse("deep", text, 2 * DOC_MAX_VALUES, &doc, &e), (int)-EFBIG);
	CHECK(doc_parse("deep", text, 100000, &doc, &e) < 0);
	free(text);
}

static void t_config(void)
{
	static const char text[] =
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2026-01-01T00:00:00Z\","
		"\"config\":{\"Env\":[\"A=1\"],\"Cmd\":[\"sh\"],\"Entrypoint\":null,\"User\":"
		"\"web\","
		"\"WorkingDir\":\"/w\",\"ExposedPorts\":{\"80/tcp\":{}},\"Volumes\":{\"/v\":{}},"
		"\"Labels\":{\"a\":\"b\"},\"StopSignal\":\"SIGINT\","
		"\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":5,\"Retries\":3}},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\",\"" D2 "\"]}}";
	struct image *im = calloc(1, sizeof(*im));
	struct digest chain;

	CHECK(im && !config_parse("c", text, strlen(text), im, NULL));
	CHECK(!strcmp(im->config.env[0], "A=1") && !im->config.env[1] && !im->config.entrypoint);
	CHECK(!strcmp(im->config.user, "web") && !strcmp(im->config.stop_signal, "SIGINT"));
	CHECK(!strcmp(im->config.ports[0], "80/tcp") && !strcmp(im->config.labels[0], "a=b"));
	CHECK(im->config.health.interval_ns == 5 && im->config.health.retries == 3);
	CHECK_EQ(im->nlayers, 2);
	/* config.md, "Layer ChainID": the digest of "D1 D2". */
	CHECK(!digest_of(D1 " " D2, strlen(D1 " " D2), &chain, NULL));
	CHECK(!strcmp(im->chain, chain.s));
	image_free(im);
}

static void t_config_refused(void)
{
	static const char *const bad[] = {
		"{}",
		"{\"rootfs\":{\"type\":\"x\"}}",
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]}}",
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}",
		"{\"config\":{\"Env\":{}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}",
		"{\"config\":{\"Labels\":[]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}",
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct image *im = calloc(1, sizeof(*im));

		CHECK(im && config_parse("c", bad[i], strlen(bad[i]), im, NULL) < 0);
		image_free(im);
	}
}

int main(void)
{
	RUN(t_manifest);
	RUN(t_index);
	RUN(t_refused);
	RUN(t_bounds);
	RUN(t_config);
	RUN(t_config_refused);
	return test_done();
}
