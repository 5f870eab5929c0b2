/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program: the table of commands and the first word of the command line.
 */
#include "cli/boot.h"
#include "cli/cli.h"
#include "cli/image.h"
#include "cli/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct cli_option json_only[] = {
	{.name = "json", .help = "print JSON"},
};

static const struct cli_option ps_options[] = {
	{.name = "json", .help = "print JSON", .id = 0},
	{.name = "quiet", .letter = 'q', .help = "print names only", .id = 1},
};

static const struct cli_option stop_options[] = {
	{.name = "timeout", .letter = 't', .arg = "SECONDS",
	 .help = "kill the machine if it has not powered off by then (30)"},
};

#define OPTIONS(o) .options = o, .noptions = ARRAY_LEN(o)

static const struct cli_command boot = {
	"boot", "", "Boot a machine and stay with its console until it ends",
	boot_options, BOOT_OPTIONS, NULL, cmd_boot, boot_more_help};
static const struct cli_command run = {
	"run", "IMAGE [COMMAND...]", "Run an image as a container or as a machine",
	run_options, RUN_OPTIONS, NULL, cmd_run, run_more_help};
static const struct cli_command ps = {
	.name = "ps", .args = "", .help = "List running machines", OPTIONS(ps_options), .run = cmd_ps};
static const struct cli_command stop = {
	.name = "stop", .args = "NAME...",
	.help = "Press the power button of machines and wait until they are off",
	OPTIONS(stop_options), .words = "@machine", .run = cmd_control};
static const struct cli_command kill_ = {
	.name = "kill", .args = "NAME...", .help = "End machines at once, as if unplugged",
	.words = "@machine", .run = cmd_control};
static const struct cli_command pause_ = {
	.name = "pause", .args = "NAME...", .help = "Hold machines still; their time stops",
	.words = "@machine", .run = cmd_control};
static const struct cli_command resume = {
	.name = "resume", .args = "NAME...", .help = "Let paused machines go on",
	.words = "@machine", .run = cmd_control};
static const struct cli_command console = {
	.name = "console", .args = "NAME", .help = "Attach to a machine's console; Ctrl-] q leaves",
	.words = "@machine", .run = cmd_console};
static const struct cli_command inspect = {
	.name = "inspect", .args = "NAME...", .help = "Print what machines are and have done, as JSON",
	.words = "@machine", .run = cmd_control};
static const struct cli_command kernel = {
	.name = "kernel", .args = "list | fetch [cloud|generic|PACKAGE] | add NAME IMAGE [MODULES]",
	.help = "List, download from Debian, or store guest kernels", OPTIONS(json_only),
	.words = "list fetch add cloud generic", .run = cmd_kernel};
static const struct cli_command doctor = {
	.name = "doctor", .args = "", .help = "Say what this host can do for hull",
	OPTIONS(json_only), .run = cmd_doctor};
static const struct cli_command completion = {
	.name = "completion", .args = "bash", .help = "Print the shell completion script",
	.words = "bash", .run = cmd_completion};
static const struct cli_command version = {
	.name = "version", .args = "", .help = "Print the version", .run = cmd_version};
/* clang-format on */

const struct cli_command *const cli_commands[] = {
	&boot,	  &run,	      &ps,	 &stop,	      &kill_,	   &pause_,    &resume,
	&console, &inspect,   &cli_load, &cli_import, &cli_images, &cli_image, &cli_tag,
	&cli_rmi, &cli_prune, &kernel,	 &doctor,     &completion, &version,   NULL,
};

static void print_usage(FILE *f)
{
	fprintf(f, "usage: hull COMMAND [ARGUMENT]...\n\n");
	for (unsigned i = 0; cli_commands[i]; i++)
		fprintf(f, "  %-11s %s\n", cli_commands[i]->name, cli_commands[i]->help);
	fprintf(f, "\n`hull COMMAND --help` says more. Manual page: hull(1).\n");
}

static const char *nth_command(void *opaque, unsigned i)
{
	return cli_commands[i] ? cli_commands[i]->name : NULL;
}

static int unknown_command(const char *word)
{
	const char *near = cli_closest(word, nth_command, NULL);
	struct err e = {0};

	if (near)
		err_set(&e, EINVAL, "unknown command %.40s: did you mean %s?", word, near);
	else
		err_set(&e, EINVAL, "unknown command %.40s: see `hull --help`", word);
	return cli_fail(NULL, &e);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		print_usage(stderr);
		return CLI_ERROR;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return CLI_OK;
	}
	if (!strcmp(argv[1], "--version"))
		return cmd_version(&version, 0, NULL);
	if (!strcmp(argv[1], "_end"))
		return cmd_end(argc - 1, argv + 1);
	for (unsigned i = 0; cli_commands[i]; i++)
		if (!strcmp(argv[1], cli_commands[i]->name))
			return cli_commands[i]->run(cli_commands[i], argc - 1, argv + 1);
	return unknown_command(argv[1]);
}
