/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hull completion bash`: the completion script, printed from the command table.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The shell code that fills COMPREPLY for a words spec. */
static void print_reply(const char *words)
{
	if (!words)
		printf("COMPREPLY=()");
	else if (!strcmp(words, "@file"))
		printf("COMPREPLY=($(compgen -f -- \"$cur\"))");
	else if (!strcmp(words, "@machine"))
		printf("COMPREPLY=($(compgen -W \"$(hull ps --quiet 2>/dev/null)\" -- \"$cur\"))");
	else if (!strcmp(words, "@image"))
		printf("COMPREPLY=($(compgen -W \"$(hull images 2>/dev/null | awk 'NR>1{print "
		       "$1}')\""
		       " -- \"$cur\"))");
	else
		printf("COMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))", words);
}

static void print_command(const struct cli_command *c)
{
	printf("\t%s)\n\t\tcase \"$prev\" in\n", c->name);
	for (unsigned i = 0; i < c->noptions; i++) {
		const struct cli_option *o = &c->options[i];

		if (!o->arg)
			continue;
		printf("\t\t--%s", o->name);
		if (o->letter)
			printf("|-%c", o->letter);
		printf(") ");
		print_reply(o->words);
		printf("; return ;;\n");
	}
	printf("\t\tesac\n\t\tif [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"--help");
	for (unsigned i = 0; i < c->noptions; i++)
		printf(" --%s", c->options[i].name);
	printf("\" -- \"$cur\"))\n\t\telse ");
	print_reply(c->words);
	printf("; fi ;;\n");
}

static void print_bash(void)
{
	printf("# bash completion of hull; source it or put it into /etc/bash_completion.d\n"
	       "_hull() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\tCOMPREPLY=($(compgen -W \"--help "
	       "--version");
	for (unsigned i = 0; cli_commands[i]; i++)
		printf(" %s", cli_commands[i]->name);
	printf("\" -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase \"${COMP_WORDS[1]}\" in\n");
	for (unsigned i = 0; cli_commands[i]; i++)
		print_command(cli_commands[i]);
	printf("\tesac\n}\ncomplete -o filenames -F _hull hull\n");
}

int cmd_completion(const struct cli_command *self, int argc, char **argv)
{
	struct cli_parser p = {.cmd = self, .argc = argc, .argv = argv};
	const struct cli_option *opt;
	struct err e = {0};
	const char *shell = NULL;
	int ret;

	while ((ret = cli_next(&p, &opt, &e)) > 0)
		shell = p.value;
	if (ret < 0)
		return cli_parse_end(self, ret, &e);
	if (!shell || strcmp(shell, "bash")) {
		err_set(&e, EINVAL, "give a shell: bash is the only one so far");
		return cli_fail(self, &e);
	}
	print_bash();
	return CLI_OK;
}
