/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull pull`, `push`, `load`, `save`, `import`, `export`: images in and out.
 */
#include "cli/image.h"
#include "image/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	OPT_PLATFORM,
	OPT_ALL_PLATFORMS,
	OPT_QUIET,
	OPT_NAME,
	OPT_INPUT,
	OPT_OUTPUT,
	OPT_FORMAT,
	OPT_TLS_VERIFY,
	OPT_CREDS,
	OPT_AUTHFILE,
	OPT_CERT_DIR,
	OPT_PARALLEL,
	OPT_TIMEOUT,
};

struct transfer_args {
	struct image_platform platform;
	bool has_platform;
	const char *name, *input, *output;
	enum image_format format;
	struct image_registry_options r;
};

static int parse_format(const char *text, enum image_format *out, struct err *e)
{
	static const char *const names[] = {[IMAGE_DOCKER_ARCHIVE] = "docker-archive",
					    [IMAGE_OCI_ARCHIVE] = "oci-archive",
					    [IMAGE_OCI_DIR] = "oci-dir"};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(text, names[i])) {
			*out = (enum image_format)i;
			return 0;
		}
	return err_set(e, EINVAL, "--format %s: give docker-archive, oci-archive or oci-dir", text);
}

static int parse_bool(const char *text, bool *out, struct err *e)
{
	*out = !strcmp(text, "false");
	if (!*out && strcmp(text, "true"))
		return err_set(e, EINVAL, "--tls-verify %s: give true or false", text);
	return 0;
}

static int registry_option(struct transfer_args *a, const struct cli_option *o, const char *value,
			   struct err *e)
{
	u64 n;
	int ret = 0;

	switch (o->id) {
	case OPT_TLS_VERIFY:
		return parse_bool(value, &a->r.no_verify, e);
	case OPT_CREDS:
		a->r.creds = value;
		return 0;
	case OPT_AUTHFILE:
		a->r.auth_file = value;
		return 0;
	case OPT_CERT_DIR:
		a->r.cert_dir = value;
		return 0;
	case OPT_PARALLEL:
		ret = cli_parse_uint("--parallel", value, 1, 16, &n, e);
		a->r.parallel = ret ? 0 : (unsigned)n;
		return ret;
	default:
		ret = cli_parse_uint("--timeout", value, 1, 86400, &n, e);
		a->r.timeout_s = ret ? 0 : (unsigned)n;
		return ret;
	}
}

static int transfer_option(void *opaque, const struct cli_option *o, const char *value,
			   struct err *e)
{
	struct transfer_args *a = opaque;

	switch (o->id) {
	case OPT_PLATFORM:
		a->has_platform = true;
		a->r.platform = &a->platform;
		return image_platform_parse(value, &a->platform, e);
	case OPT_ALL_PLATFORMS:
		a->r.all_platforms = true;
		return 0;
	case OPT_NAME:
		a->name = value;
		return 0;
	case OPT_INPUT:
		a->input = value;
		return 0;
	case OPT_OUTPUT:
		a->output = value;
		return 0;
	case OPT_FORMAT:
		return parse_format(value, &a->format, e);
	case OPT_QUIET:
		a->r.quiet = true;
		return 0;
	default:
		return registry_option(a, o, value, e);
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
		  : image_load(s, a.input ? a.input : "-", a.name, a.r.quiet, print_loaded, NULL,
			       &e);
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

/* ---- registries ---- */

static int cmd_pull(const struct cli_command *self, int argc, char **argv)
{
	struct transfer_args a = {0};
	struct image_store *s = NULL;
	struct cli_words w = {0};
	char id[IMAGE_DIGEST_MAX];
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, transfer_option, &a, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (!w.n)
		ret = err_set(&e, EINVAL, "give the name of an image");
	ret = ret ? ret : image_store_open(NULL, IMAGE_STORE_WRITE, &s, &e);
	for (unsigned i = 0; !ret && i < w.n; i++) {
		ret = image_pull(s, w.v[i], &a.r, id, &e);
		if (!ret)
			printf("%s\n", id);
	}
	image_store_close(s);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

static int cmd_push(const struct cli_command *self, int argc, char **argv)
{
	struct transfer_args a = {0};
	struct image_store *s = NULL;
	struct cli_words w = {0};
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, transfer_option, &a, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (w.n != 1 && w.n != 2)
		ret = err_set(&e, EINVAL, "give an image, and where to if not by its own name");
	ret = ret ? ret : image_store_open(NULL, IMAGE_STORE_READ, &s, &e);
	ret = ret ? ret : image_push(s, w.v[0], w.n == 2 ? w.v[1] : NULL, &a.r, &e);
	image_store_close(s);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

/* ---- to files ---- */

static int check_output(const struct transfer_args *a, struct err *e)
{
	if (a->format == IMAGE_OCI_DIR && !a->output)
		return err_set(e, EINVAL, "--format oci-dir: give --output DIRECTORY");
	if (!a->output && isatty(STDOUT_FILENO))
		return err_set(e, EINVAL,
			       "this would go to the terminal: give --output FILE or redirect");
	return 0;
}

static int cmd_save(const struct cli_command *self, int argc, char **argv)
{
	struct transfer_args a = {0};
	struct image_store *s = NULL;
	struct cli_words w = {0};
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, transfer_option, &a, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (!w.n)
		ret = err_set(&e, EINVAL, "give an image");
	ret = ret ? ret : check_output(&a, &e);
	ret = ret ? ret : image_store_open(NULL, IMAGE_STORE_READ, &s, &e);
	ret = ret ? ret
		  : image_save(s, w.v, w.n, a.format, a.r.platform, a.output ? a.output : "-", &e);
	image_store_close(s);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

static int cmd_export(const struct cli_command *self, int argc, char **argv)
{
	struct transfer_args a = {0};
	struct image_store *s = NULL;
	struct cli_words w = {0};
	struct err e = {0};
	int ret = cli_collect(self, argc, argv, transfer_option, &a, &w, &e);

	if (ret)
		return cli_parse_end(self, ret, &e);
	if (w.n != 1)
		ret = err_set(&e, EINVAL, "give an image");
	ret = ret ? ret : check_output(&a, &e);
	ret = ret ? ret : image_store_open(NULL, IMAGE_STORE_WRITE, &s, &e);
	ret = ret ? ret : image_export(s, w.v[0], a.r.platform, a.output ? a.output : "-", &e);
	image_store_close(s);
	return ret ? cli_fail(self, &e) : CLI_OK;
}

/* ---- the table's rows ---- */

/* clang-format off */
#define REGISTRY_OPTIONS                                                                           \
	{.name = "tls-verify", .arg = "BOOL", .words = "true false", .id = OPT_TLS_VERIFY,         \
	 .help = "false: accept any certificate, and plain http"},                                 \
	{.name = "creds", .arg = "NAME:PASSWORD", .id = OPT_CREDS,                                 \
	 .help = "instead of what docker, podman or skopeo login stored"},                         \
	{.name = "authfile", .arg = "FILE", .words = "@file", .id = OPT_AUTHFILE,                  \
	 .help = "where logins are stored"},                                                       \
	{.name = "cert-dir", .arg = "DIRECTORY", .words = "@file", .id = OPT_CERT_DIR,             \
	 .help = "ca.crt, client.cert, client.key for the registry"},                              \
	{.name = "timeout", .arg = "SECONDS", .id = OPT_TIMEOUT,                                   \
	 .help = "give up when nothing comes for so long (30)"},                                   \
	{.name = "quiet", .letter = 'q', .help = "no progress", .id = OPT_QUIET}

static const struct cli_option pull_options[] = {
	{.name = "platform", .arg = "PLATFORM", .id = OPT_PLATFORM,
	 .help = "OS/ARCH[/VARIANT] or ARCH; default the host's"},
	{.name = "all-platforms", .id = OPT_ALL_PLATFORMS, .help = "whatever the image is made for"},
	{.name = "parallel", .arg = "N", .id = OPT_PARALLEL, .help = "layers at once, 1 to 16 (4)"},
	REGISTRY_OPTIONS,
};

static const struct cli_option push_options[] = {
	{.name = "platform", .arg = "PLATFORM", .id = OPT_PLATFORM,
	 .help = "only that one of several"},
	REGISTRY_OPTIONS,
};

static const struct cli_option save_options[] = {
	{.name = "output", .letter = 'o', .arg = "PATH", .words = "@file", .id = OPT_OUTPUT,
	 .help = "instead of standard output"},
	{.name = "format", .arg = "FORMAT", .words = "docker-archive oci-archive oci-dir",
	 .id = OPT_FORMAT, .help = "docker-archive (default), oci-archive or oci-dir"},
	{.name = "platform", .arg = "PLATFORM", .id = OPT_PLATFORM,
	 .help = "only that one of several"},
};

static const struct cli_option export_options[] = {
	{.name = "output", .letter = 'o', .arg = "FILE", .words = "@file", .id = OPT_OUTPUT,
	 .help = "instead of standard output"},
	{.name = "platform", .arg = "PLATFORM", .id = OPT_PLATFORM,
	 .help = "OS/ARCH[/VARIANT] or ARCH; default the host's"},
};
/* clang-format on */

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
	.rootless = ROOTLESS_TELL,
	.args = "[ARCHIVE | DIRECTORY]",
	.help = "Load images from a docker-archive, an oci-archive, an "
		"OCI layout, or standard input",
	OPTIONS(load_options),
	.words = "@file",
	.run = cmd_load};
const struct cli_command cli_import = {.name = "import",
				       .rootless = ROOTLESS_TELL,
				       .args = "ROOTFS.tar NAME[:TAG]",
				       .help = "Make an image from the tar of a root file system",
				       OPTIONS(import_options),
				       .words = "@file",
				       .run = cmd_import};
const struct cli_command cli_pull = {.name = "pull",
				     .rootless = ROOTLESS_TELL,
				     .args = "IMAGE...",
				     .help = "Get images from their registries",
				     OPTIONS(pull_options),
				     .run = cmd_pull};
const struct cli_command cli_push = {.name = "push",
				     .args = "IMAGE [NAME]",
				     .help = "Put an image to a registry",
				     OPTIONS(push_options),
				     .words = "@image",
				     .run = cmd_push};
const struct cli_command cli_save = {.name = "save",
				     .args = "IMAGE...",
				     .help = "Write images as an archive or an OCI layout",
				     OPTIONS(save_options),
				     .words = "@image",
				     .run = cmd_save};
const struct cli_command cli_export = {.name = "export",
				       .rootless = ROOTLESS_ENTER,
				       .args = "IMAGE",
				       .help = "Write an image's root file system as a tar",
				       OPTIONS(export_options),
				       .words = "@image",
				       .run = cmd_export};
