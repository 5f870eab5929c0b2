/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hull-foreign: runs a Linux program of another ISA in this process. Started by
 * `hull exec-foreign`, by itself for each execve of such a program, or by the
 * kernel through binfmt_misc (flags P and F). Static, so that it works inside any
 * root directory.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "foreign/foreign.h"

extern char **environ;

enum { UNUSABLE = 126, NOT_FOUND = 127, FAILED = 125 };

/* linux/binfmts.h: binfmt_misc kept argv[0], it stands behind the file name. */
enum { FLAGS_PRESERVE_ARGV0 = 1 };

static const char usage[] =
	"usage: hull-foreign [OPTION]... PROGRAM [ARGUMENT]...\n"
	"\n"
	"Run a Linux program of another ISA (ppc64le).\n"
	"\n"
	"  -L, --sysroot DIR   look for absolute file names below DIR first\n"
	"      --argv0 NAME    what the program sees as its name\n"
	"      --trace         write each system call to standard error\n"
	"      --interpret     interpret, never translate (slow; a reference)\n"
	"      --version       print the version\n"
	"\n"
	"Exit status: the program's; 125 hull failed, 126 PROGRAM cannot be run, 127 it\n"
	"does not exist.\n";

static const struct option options[] = {
	{"sysroot", required_argument, NULL, 'L'},
	{"argv0", required_argument, NULL, '0'},
	{"trace", no_argument, NULL, 't'},
	{"interpret", no_argument, NULL, 'i'},
	{"version", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

/* Returns the index of PROGRAM, or exits. */
static int parse(int argc, char **argv, struct foreign_options *o)
{
	int c;

	if (getauxval(AT_FLAGS) & FLAGS_PRESERVE_ARGV0 && argc >= 3) {
		o->argv0 = argv[2];
		argv[2] = argv[1];
		return 2;
	}
	while ((c = getopt_long(argc, argv, "+L:h", options, NULL)) != -1) {
		switch (c) {
		case 'L':
			free((char *)o->sysroot);
			o->sysroot = strdup(optarg); /* not where o.title is */
			break;
		case '0':
			o->argv0 = optarg;
			break;
		case 't':
			o->trace = true;
			break;
		case 'i':
			o->interpret = true;
			break;
		case 'v':
			printf("hull-foreign %s\n", HULL_VERSION);
			exit(0);
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			exit(FAILED);
		}
	}
	if (optind >= argc) {
		fputs("hull-foreign: no program given; --help says more\n", stderr);
		exit(FAILED);
	}
	return optind;
}

int main(int argc, char **argv)
{
	struct foreign_options o = {0};
	struct err e = {0};
	int at = parse(argc, argv, &o);

	o.title = argv[0];
	o.title_room = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) + 1 - argv[0]);
	foreign_run(&o, argv + at, environ, &e);
	fprintf(stderr, "hull-foreign: %s\n", e.msg);
	return e.status == ENOENT ? NOT_FOUND : e.status == ENOMEM ? FAILED : UNUSABLE;
}
