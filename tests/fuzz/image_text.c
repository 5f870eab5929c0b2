// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: what people write: image references, Containerfiles, ignore
 * files, platforms. Byte 0 picks the kind.
 */
#include <stdlib.h>
#include <string.h>

#include "image/containerfile.h"
#include "image/doc.h"
#include "image/ignore.h"
#include "image/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *get(void *opaque, const char *name, size_t len)
{
	return len & 1 ? "value" : NULL;
}

/* A canonical name is one fixed point of parsing. */
static void reference(const char *text)
{
	char once[IMAGE_NAME_MAX], twice[IMAGE_NAME_MAX];
	struct ref r;

	if (ref_parse(text, &r, NULL) || ref_format(&r, once, NULL))
		return;
	if (ref_parse(once, &r, NULL) || ref_format(&r, twice, NULL) || strcmp(once, twice))
		abort();
	if (strstr(r.path, "..") || strpbrk(once, "\n\033 "))
		abort();
}

static void file(const char *text, size_t len)
{
	const struct cf_vars vars = {get, NULL, '\\'};
	struct containerfile f;
	char **words, *one;
	u64 ns;

	if (!containerfile_parse(text, len, &f, NULL))
		for (unsigned i = 0; i < f.n; i++) {
			if (!cf_words(f.v[i].args, &vars, &words, NULL))
				list_free(words);
			if (!cf_expand(f.v[i].args, &vars, &one, NULL))
				free(one);
			cf_duration(f.v[i].args, &ns, NULL);
		}
	containerfile_free(&f);
}

static void ignore(const char *text, size_t len)
{
	struct ignore x = {0};

	if (!ignore_parse(text, len, &x, NULL)) {
		ignore_match(&x, "a/b/c.txt");
		ignore_match(&x, text);
	}
	ignore_fini(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_platform p;
	char *text = size ? malloc(size) : NULL;

	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	switch (data[0] & 3) {
	case 0:
		reference(text);
		break;
	case 1:
		file(text, size - 1);
		break;
	case 2:
		if (size < 300)
			ignore(text, strlen(text));
		break;
	default:
		image_platform_parse(text, &p, NULL);
		break;
	}
	free(text);
	return 0;
}
