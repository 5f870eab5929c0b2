/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hull-exit STATUS: ends the machine at once with an exit status, by writing it
 * to the isa-debug-exit device (port 0xf4), once the terminal has shown what was
 * printed before. Static, run as root in a guest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_PORT 0xf4

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: hull-exit STATUS\n");
		return 2;
	}
	sync();
	tcdrain(STDOUT_FILENO);
	tcdrain(STDERR_FILENO);
	if (ioperm(EXIT_PORT, 1, 1)) {
		perror("hull-exit: ioperm");
		return 1;
	}
	outb((unsigned char)atoi(argv[1]), EXIT_PORT);
	fprintf(stderr, "hull-exit: this machine has no isa-debug-exit device\n");
	return 1;
}
