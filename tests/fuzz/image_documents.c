// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: manifests, indexes and configs. Byte 0 picks the kind, the rest is
 * JSON. What is accepted must keep the promises of its header.
 */
#include <stdlib.h>
#include <string.h>

#include "image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void manifest(const char *text, size_t len)
{
	struct image_platform host;
	struct manifest m;
	int n;

	if (manifest_parse("fuzz", text, len, "", &m, NULL))
		return;
	require(m.nitems <= MANIFEST_MAX_ITEMS);
	image_platform_host(&host);
	if (m.is_index) {
		n = manifest_choose(&m, &host, NULL);
		require(n < (int)m.nitems);
	} else {
		require(m.nitems <= IMAGE_MAX_LAYERS && m.config.digest.s[0]);
	}
	for (unsigned i = 0; i < m.nitems; i++) {
		json_t *o = descriptor_json(&m.items[i]);
		struct descriptor again;

		if (o)
			require(!descriptor_parse(o, &again, NULL) &&
				again.size == m.items[i].size);
		json_decref(o);
	}
	manifest_fini(&m);
}

static void config(const char *text, size_t len)
{
	struct image *im = calloc(1, sizeof(*im));

	if (!im)
		return;
	if (!config_parse("fuzz", text, len, im, NULL)) {
		require(im->config.user && im->config.workdir && im->config.stop_signal);
		require(im->nlayers <= IMAGE_MAX_LAYERS && im->chain[0]);
	}
	image_free(im);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] & 1)
		manifest((const char *)data + 1, size - 1);
	else
		config((const char *)data + 1, size - 1);
	return 0;
}
