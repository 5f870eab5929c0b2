/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: one table of commands, each with a table of options, from
 * which parsing, --help, the man page's synopsis and shell completion come.
 */
#ifndef HULL_CLI_CLI_H
#define HULL_CLI_CLI_H

#include "host/err.h"

/*
 * Exit statuses of hull (man page, section EXIT STATUS). Those of `hull boot`
 * below 125 are the guest's own.
 */
enum cli_status {
	CLI_OK = 0,
	CLI_TRIPLE_FAULT = 124, /* the guest's CPU shut down */
	CLI_ERROR = 125,	/* hull's own error, bad usage included */
	CLI_UNUSABLE = 126,	/* a given file was found but cannot be used */
	CLI_NOT_FOUND = 127,	/* a given file or machine does not exist */
	CLI_SIGNAL = 128,	/* + signal number */
};

struct cli_option {
	const char *name; /* without the dashes */
	char letter;	  /* 0 = none */
	const char *arg;  /* name of its value, NULL = a flag */
	const char *help;
	const char *words; /* completion: "a b c", "@file", "@machine", "@image" or NULL */
	int id;		   /* the command's own */
};

/* What a command needs of a user who is not root (host/rootless.h). */
enum cli_rootless {
	ROOTLESS_AS_IS, /* nothing */
	ROOTLESS_TRY,	/* his user namespace if there can be one */
	ROOTLESS_ENTER, /* his user namespace */
	ROOTLESS_TELL,	/* and says so if that has one ID only */
};

struct cli_command {
	const char *name;
	const char *args; /* positional arguments as shown in the usage line */
	const char *help; /* one line */
	const struct cli_option *options;
	unsigned noptions;
	const char *words; /* completion of positional arguments, as above */
	int (*run)(const struct cli_command *self, int argc, char **argv);
	const char *more; /* further help text, NULL = none */
	enum cli_rootless rootless;
};

extern const struct cli_command *const cli_commands[]; /* NULL-terminated */

/* Walks the arguments of a command (argv[0] is the command's name). */
struct cli_parser {
	const struct cli_command *cmd;
	int argc, at;
	char **argv;
	bool only_positional;
	const char *letters; /* left of a word like -it */
	const char *value;   /* of the option, or the positional argument itself */
};

/*
 * Next option or positional argument: 1 and *opt set (NULL for a positional
 * argument), 0 at the end, negative on an error. --help is an option that every
 * command has: it is printed here and gives -ECANCELED.
 */
int cli_next(struct cli_parser *p, const struct cli_option **opt, struct err *e);

void cli_print_help(const struct cli_command *c);

/* Prints the error as "hull COMMAND: message" and gives the exit status it maps to. */
int cli_fail(const struct cli_command *c, const struct err *e);

/*
 * Ends a failed cli_next loop: 0 after --help, else the status of the printed
 * error.
 */
int cli_parse_end(const struct cli_command *c, int ret, const struct err *e);

/* A size with suffix K, M, G or T (powers of 1024); plain numbers are bytes * unit. */
int cli_parse_size(const char *text, u64 unit, u64 *out, struct err *e);
int cli_parse_uint(const char *what, const char *text, u64 min, u64 max, u64 *out, struct err *e);

/* The name in a NULL-terminated list closest to word, or NULL when none is near. */
const char *cli_closest(const char *word, const char *(*nth)(void *opaque, unsigned i),
			void *opaque);

enum { KERNEL_JSON, KERNEL_ARCH }; /* options of cmd_kernel */

int cmd_boot(const struct cli_command *self, int argc, char **argv);
int cmd_balloon(const struct cli_command *self, int argc, char **argv);
int cmd_console(const struct cli_command *self, int argc, char **argv);
int cmd_kernel(const struct cli_command *self, int argc, char **argv);
int cmd_doctor(const struct cli_command *self, int argc, char **argv);
int cmd_completion(const struct cli_command *self, int argc, char **argv);
int cmd_version(const struct cli_command *self, int argc, char **argv);

#endif
