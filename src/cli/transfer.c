/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull load` and `import`: images from files into the store.
 */
#include "cli/image.h"
#include "image/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { OPT_PLATFORM, OPT_QUIET, OPT_NAME, OPT_INPUT };

struct transfer_args {
	struct image_platform platform;
	bool has_platform, quiet;
	const char *name, *input;
};

static int transfer_option(void *opaque, const struct cli_option *o, const char *value,
			   struct err *e)
{
	struct transfer_args *a = opaque;

	switch (o->id) {
	case OPT_PLATFORM:
		a->has_platform = true;
		return image_platform_parse(value, &a->platform, e);
	case OPT_NAME:
		a->name = value;
		return 0;
	case OPT_INPUT:
		a->input = value;
		return 0;
	default:
		a->quiet = true;
		return 0;
	}
}

static void print_loaded(void *opaque, const char *name)
{
	printf("%s\n", name);
}

static int cmd_load(const struct cli_command *self, int argc, char **argv)
{
	struct transfer_args a = {0};
	struct image_store *s = NULL;
	struct cli_words w = {0};
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, transfer_option, &a, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (w.n > 1 || (w.n && a.input))
		ret = err_set(&e, EINVAL, "give one archive or directory");
	if (w.n)
		a.input = w.v[0];
	ret = ret ? ret : image_store_open(NULL, IMAGE_STORE_WRITE, &s, &e);
	ret = ret ? ret
		  : image_load(s, a.input ? a.input : "-", a.name, a.quiet, print_loaded, NULL, &e);
	image_store_close(s);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

static int cmd_import(const struct cli_command *self, int argc, char **argv)
{
	struct transfer_args a = {0};
	struct image_store *s = NULL;
	struct cli_words w = {0};
	char id[IMAGE_DIGEST_MAX];
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, transfer_option, &a, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (w.n != 2)
		ret = err_set(&e, EINVAL, "give a tar file (or -) and the image's name");
	ret = ret ? ret : image_store_open(NULL, IMAGE_STORE_WRITE, &s, &e);
	ret = ret ? ret
		  : image_import(s, w.v[0], w.v[1], a.has_platform ? &a.platform : NULL, id, &e);
	image_store_close(s);
	if (!ret)
		printf("%s\n", id);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

static const struct cli_option load_options[] = {
	{.name = "input",
	 .letter = 'i',
	 .arg = "PATH",
	 .help = "the same as the argument",
	 .words = "@file",
	 .id = OPT_INPUT},
	{.name = "name",
	 .arg = "NAME",
	 .help = "only that one, or under that name",
	 .id = OPT_NAME},
	{.name = "quiet", .letter = 'q', .help = "no progress", .id = OPT_QUIET},
};

static const struct cli_option import_options[] = {
	{.name = "platform",
	 .arg = "PLATFORM",
	 .help = "OS/ARCH[/VARIANT] or ARCH; default the host's",
	 .id = OPT_PLATFORM},
};

#define OPTIONS(o) .options = o, .noptions = ARRAY_LEN(o)

const struct cli_command cli_load = {
	.name = "load",
	.args = "[ARCHIVE | DIRECTORY]",
	.help = "Load images from a docker-archive, an oci-archive, an "
		"OCI layout, or standard input",
	OPTIONS(load_options),
	.words = "@file",
	.run = cmd_load};
const struct cli_command cli_import = {.name = "import",
				       .args = "ROOTFS.tar NAME[:TAG]",
				       .help = "Make an image from the tar of a root file system",
				       OPTIONS(import_options),
				       .words = "@file",
				       .run = cmd_import};
