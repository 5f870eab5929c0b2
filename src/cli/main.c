/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program: the table of commands and the first word of the command line.
 */
#include "cli/boot.h"
#include "cli/cli.h"
#include "cli/image.h"
#include "cli/run.h"

#include "host/rootless.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct cli_option json_only[] = {
	{.name = "json", .help = "print JSON"},
};

static const struct cli_option kernel_options[] = {
	{.name = "json", .help = "print JSON", .id = KERNEL_JSON},
	{.name = "arch", .arg = "ARCH", .words = "x86_64 ppc64le", .id = KERNEL_ARCH,
	 .help = "fetch: for guests of that architecture, x86_64 or ppc64le (x86_64)"},
};

static const struct cli_option network_options[] = {
	{.name = "subnet", .arg = "ADDRESS/BITS", .help = "create: its addresses (a free one of 10.89.0.0/16)",
	 .id = NETWORK_SUBNET},
	{.name = "internal", .help = "create: nothing leads outside", .id = NETWORK_INTERNAL},
	{.name = "json", .help = "ls: print JSON", .id = NETWORK_JSON},
};

static const struct cli_option ps_options[] = {
	{.name = "json", .help = "print JSON", .id = PS_JSON},
	{.name = "quiet", .letter = 'q', .help = "print names only", .id = PS_QUIET},
	{.name = "all", .letter = 'a', .help = "what has ended too", .id = PS_ALL},
};

static const struct cli_option stop_options[] = {
	{.name = "timeout", .letter = 't', .arg = "SECONDS", .id = THINGS_TIMEOUT,
	 .help = "kill it if it has not ended by then (10; a machine of `hull boot` 30)"},
	{.name = "all", .letter = 'a', .help = "all things of `hull run`", .id = THINGS_ALL},
};

static const struct cli_option kill_options[] = {
	{.name = "signal", .letter = 's', .arg = "SIGNAL", .id = THINGS_SIGNAL,
	 .help = "by name or number (KILL)"},
};

static const struct cli_option rm_options[] = {
	{.name = "force", .letter = 'f', .help = "kill what is running first", .id = THINGS_FORCE},
	{.name = "all", .letter = 'a', .help = "all things of `hull run`", .id = THINGS_ALL},
};

static const struct cli_option logs_options[] = {
	{.name = "follow", .letter = 'f', .help = "go on until it ends", .id = LOGS_FOLLOW},
	{.name = "timestamps", .letter = 't', .help = "with times", .id = LOGS_TIMES},
	{.name = "tail", .letter = 'n', .arg = "N", .help = "the last N lines only", .id = LOGS_TAIL},
};

static const struct cli_option exec_options[] = {
	{.name = "interactive", .letter = 'i', .help = "standard input from here", .id = EXEC_INTERACTIVE},
	{.name = "tty", .letter = 't', .help = "a terminal", .id = EXEC_TTY},
	{.name = "detach", .letter = 'd', .help = "come back at once", .id = EXEC_DETACH},
	{.name = "privileged", .help = "with all capabilities", .id = EXEC_PRIVILEGED},
	{.name = "env", .letter = 'e', .arg = "KEY=VALUE", .help = "environment", .id = EXEC_ENV},
	{.name = "user", .letter = 'u', .arg = "USER[:GROUP]", .help = "by name or number", .id = EXEC_USER},
	{.name = "workdir", .letter = 'w', .arg = "DIR", .help = "working directory", .id = EXEC_WORKDIR},
};

static const struct cli_option foreign_options[] = {
	{.name = "sysroot", .letter = 'L', .arg = "DIR", .help = "look for absolute file names below DIR first",
	 .words = "@file", .id = FOREIGN_SYSROOT},
	{.name = "argv0", .arg = "NAME", .help = "what the program sees as its name", .id = FOREIGN_ARGV0},
	{.name = "trace", .help = "write each system call to standard error", .id = FOREIGN_TRACE},
	{.name = "interpret", .help = "interpret, never translate (slow; a reference)", .id = FOREIGN_INTERPRET},
};

static const struct cli_option commit_options[] = {
	{.name = "message", .letter = 'm', .arg = "TEXT", .help = "comment in the image's history", .id = COMMIT_MESSAGE},
	{.name = "change", .letter = 'c', .arg = "INSTRUCTION", .id = COMMIT_CHANGE,
	 .help = "a Containerfile instruction on the configuration, such as CMD [\"sh\"]"},
};

static const struct cli_option attach_options[] = {
	{.name = "no-stdin", .help = "look on only"},
};

#define OPTIONS(o) .options = o, .noptions = ARRAY_LEN(o)

static const struct cli_command boot = {
	"boot", "", "Boot a machine and stay with its console until it ends",
	boot_options, BOOT_OPTIONS, NULL, cmd_boot, boot_more_help};
static const struct cli_command run = {
	"run", "IMAGE [COMMAND...]", "Run an image as a container or as a machine",
	run_options, RUN_OPTIONS, NULL, cmd_run, run_more_help, ROOTLESS_TELL};
static const struct cli_command ps = {
	.name = "ps", .rootless = ROOTLESS_TRY, .args = "", .help = "List running containers and machines", OPTIONS(ps_options),
	.run = cmd_ps};
static const struct cli_command exec = {
	.name = "exec", .rootless = ROOTLESS_ENTER, .args = "NAME COMMAND...", .help = "Run one more command in a running container or machine",
	OPTIONS(exec_options), .words = "@machine", .run = cmd_exec};
static const struct cli_command exec_foreign = {
	.name = "exec-foreign", .args = "PROGRAM [ARGUMENT...]",
	.help = "Run a Linux program of another ISA (ppc64le) as a process of this host",
	OPTIONS(foreign_options), .words = "@file", .run = cmd_exec_foreign};
static const struct cli_command logs = {
	.name = "logs", .rootless = ROOTLESS_TRY, .args = "NAME", .help = "Print what a container or machine has printed",
	OPTIONS(logs_options), .words = "@machine", .run = cmd_logs};
static const struct cli_command attach = {
	.name = "attach", .rootless = ROOTLESS_TRY, .args = "NAME", .help = "Attach this terminal to a container's or machine's command",
	OPTIONS(attach_options), .words = "@machine", .run = cmd_attach};
static const struct cli_command stop = {
	.name = "stop", .rootless = ROOTLESS_TRY, .args = "NAME...",
	.help = "Ask containers and machines to end, and wait until they have",
	OPTIONS(stop_options), .words = "@machine", .run = cmd_things};
static const struct cli_command kill_ = {
	.name = "kill", .rootless = ROOTLESS_TRY, .args = "NAME...", .help = "End containers and machines at once, or send a signal",
	OPTIONS(kill_options), .words = "@machine", .run = cmd_things};
static const struct cli_command start_ = {
	.name = "start", .rootless = ROOTLESS_ENTER, .args = "NAME...", .help = "Start ended containers and machines again",
	.words = "@machine", .run = cmd_things};
static const struct cli_command restart = {
	.name = "restart", .rootless = ROOTLESS_ENTER, .args = "NAME...", .help = "Stop and start again",
	OPTIONS(stop_options), .words = "@machine", .run = cmd_things};
static const struct cli_command rm = {
	.name = "rm", .rootless = ROOTLESS_TRY, .args = "NAME...", .help = "Remove ended containers and machines",
	OPTIONS(rm_options), .words = "@machine", .run = cmd_things};
static const struct cli_command wait_ = {
	.name = "wait", .rootless = ROOTLESS_TRY, .args = "NAME...", .help = "Wait for the end, print the exit status",
	.words = "@machine", .run = cmd_things};
static const struct cli_command pause_ = {
	.name = "pause", .rootless = ROOTLESS_TRY, .args = "NAME...", .help = "Hold containers and machines still",
	.words = "@machine", .run = cmd_things};
static const struct cli_command resume = {
	.name = "resume", .rootless = ROOTLESS_TRY, .args = "NAME...", .help = "Let paused ones go on",
	.words = "@machine", .run = cmd_things};
static const struct cli_command cp = {
	.name = "cp", .rootless = ROOTLESS_ENTER, .args = "NAME:PATH PATH | PATH NAME:PATH", .help = "Copy files out of or into a container or machine",
	.words = "@machine", .run = cmd_cp};
static const struct cli_command commit = {
	.name = "commit", .rootless = ROOTLESS_ENTER, .args = "NAME [IMAGE]", .help = "Make an image of a container's or machine's changes",
	OPTIONS(commit_options), .words = "@machine", .run = cmd_commit};
static const struct cli_command stats = {
	.name = "stats", .rootless = ROOTLESS_TRY, .args = "[NAME]", .help = "Print what running containers and machines use",
	OPTIONS(json_only), .words = "@machine", .run = cmd_stats};
static const struct cli_command top = {
	.name = "top", .rootless = ROOTLESS_TRY, .args = "NAME", .help = "List the processes of a container or machine",
	.words = "@machine", .run = cmd_top};
static const struct cli_command console = {
	.name = "console", .args = "NAME", .help = "Attach to a machine's console; Ctrl-] q leaves",
	.words = "@machine", .run = cmd_console};
static const struct cli_command inspect = {
	.name = "inspect", .rootless = ROOTLESS_TRY, .args = "NAME...", .help = "Print what containers and machines are, as JSON",
	.words = "@machine", .run = cmd_things};
static const struct cli_command balloon = {
	.name = "balloon", .args = "NAME [SIZE]",
	.help = "Ask a machine to live with SIZE of its memory; say how that goes",
	.words = "@machine", .run = cmd_balloon};
static const struct cli_command network = {
	.name = "network", .rootless = ROOTLESS_TRY, .args = "create NAME | ls | rm NAME... | inspect NAME...",
	.help = "Make, list and remove networks that containers and machines share", OPTIONS(network_options),
	.words = "create ls rm inspect", .run = cmd_network};
static const struct cli_command kernel = {
	.name = "kernel", .args = "list | fetch [cloud|generic|ppc64le|PACKAGE] | add NAME IMAGE [MODULES]",
	.help = "List, download from Debian, or store guest kernels", OPTIONS(kernel_options),
	.words = "list fetch add cloud generic ppc64le", .run = cmd_kernel};
static const struct cli_command doctor = {
	.name = "doctor", .args = "", .help = "Say what this host can do for hull",
	OPTIONS(json_only), .run = cmd_doctor};
static const struct cli_command completion = {
	.name = "completion", .args = "bash", .help = "Print the shell completion script",
	.words = "bash", .run = cmd_completion};
static const struct cli_command version = {
	.name = "version", .args = "", .help = "Print the version", .run = cmd_version};
/* clang-format on */

/* clang-format off */
const struct cli_command *const cli_commands[] = {
	&run, &boot, &ps, &exec, &exec_foreign, &logs, &attach, &stop, &kill_, &start_, &restart, &rm, &wait_,
	&pause_, &resume, &cp, &commit, &stats, &top, &balloon, &inspect, &console,
	&cli_pull, &cli_push, &cli_load, &cli_save, &cli_import, &cli_export,
	&cli_login, &cli_logout,
	&cli_images, &cli_image, &cli_tag, &cli_rmi, &cli_prune,
	&network, &kernel, &doctor, &completion, &version, NULL,
};
/* clang-format on */

static void print_usage(FILE *f)
{
	fprintf(f, "usage: hull COMMAND [ARGUMENT]...\n\n");
	for (unsigned i = 0; cli_commands[i]; i++)
		fprintf(f, "  %-12s %s\n", cli_commands[i]->name, cli_commands[i]->help);
	fprintf(f, "\n`hull COMMAND --help` says more. Manual page: hull(1).\n");
}

static const char *nth_command(void *opaque, unsigned i)
{
	return cli_commands[i] ? cli_commands[i]->name : NULL;
}

/* What other programs of this kind call what hull calls otherwise. */
static const char *other_word(const char *word)
{
	static const char *const words[][2] = {
		{"build", "image build"}, {"unpause", "resume"}, {"info", "doctor"},
		{"create", "run -d"},	  {"ls", "ps"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(word, words[i][0]))
			return words[i][1];
	return NULL;
}

static int unknown_command(const char *word)
{
	const char *other = other_word(word);
	const char *near = other ? other : cli_closest(word, nth_command, NULL);
	struct err e = {0};

	if (near)
		err_set(&e, EINVAL, "unknown command %.40s: did you mean %s?", word, near);
	else
		err_set(&e, EINVAL, "unknown command %.40s: see `hull --help`", word);
	return cli_fail(NULL, &e);
}

static int run_command(const struct cli_command *c, int argc, char **argv)
{
	bool help = argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
	struct err e = {0};

	if (c->rootless != ROOTLESS_AS_IS && !help) {
		if (rootless_enter(&e) && c->rootless != ROOTLESS_TRY)
			return cli_fail(c, &e);
		if (c->rootless == ROOTLESS_TELL && rootless_single_id())
			fprintf(stderr,
				"hull %s: you have no IDs in /etc/subuid and /etc/subgid: all "
				"files and processes of images belong to one user\n",
				c->name);
	}
	return c->run(c, argc, argv);
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
	if (!strcmp(argv[1], "_health"))
		return cmd_health(argc - 1, argv + 1);
	for (unsigned i = 0; cli_commands[i]; i++)
		if (!strcmp(argv[1], cli_commands[i]->name))
			return run_command(cli_commands[i], argc - 1, argv + 1);
	return unknown_command(argv[1]);
}
