/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux programs of another ISA as ordinary processes of this host: their
 * instructions run on the software CPU, their system calls are the host
 * kernel's, with numbers, constants and structures converted where the two
 * differ. Guest addresses are host addresses. This is convenience, not
 * isolation: the program can do what its user can.
 *
 * Now: ppc64le (ELF ABI version 2).
 */
#ifndef HULL_FOREIGN_FOREIGN_H
#define HULL_FOREIGN_FOREIGN_H

#include "host/err.h"

struct foreign_options {
	const char *sysroot; /* absolute file names are tried below it first; NULL = none */
	const char *argv0;   /* what the program sees as argv[0]; NULL = argv[0] of the call */
	bool trace;	     /* write each system call to standard error */
	bool interpret;	     /* do not translate: the IR interpreter runs everything */
	/* Where this process's own arguments stand, to be overwritten by the program's: what
	 * /proc/PID/cmdline shows. NULL = leave them. sysroot must not be in it. */
	char *title;
	size_t title_room;
};

/*
 * Loads the program, or the interpreter of a script, and runs it in this process; on success it
 * never returns, the process ends with the program's status or signal. argv[0] is the file to load.
 * -ENOENT, -EACCES, -ENOEXEC (not an ELF program of a known ISA) or others with the reason in e.
 */
int foreign_run(const struct foreign_options *o, char **argv, char **envp, struct err *e);

/* True if the first bytes of a file are those of a program that foreign_run takes. */
bool foreign_is_program(const u8 *head, u64 len);

#endif
