/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hull-exit STATUS: ends the machine at once with an exit status, by writing it
 * to the isa-debug-exit device (port 0xf4; on a pseries a word of memory), once
 * the terminal has shown what was printed before. Static, run as root in a guest.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <sys/io.h>

#define EXIT_PORT 0xf4

static int tell(int status)
{
	if (ioperm(EXIT_PORT, 1, 1))
		return -1;
	outb((unsigned char)status, EXIT_PORT);
	return 0;
}
#else
#define EXIT_ADDR 0x1fff00000000l /* PSERIES_TEST_EXIT, src/machine/pseries_internal.h */

static int tell(int status)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	volatile unsigned char *p;

	if (fd < 0)
		return -1;
	p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 EXIT_ADDR);
	if (p == MAP_FAILED)
		return -1;
	*p = (unsigned char)status;
	return 0;
}
#endif

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: hull-exit STATUS\n");
		return 2;
	}
	sync();
	tcdrain(STDOUT_FILENO);
	tcdrain(STDERR_FILENO);
	if (tell(atoi(argv[1]))) {
		perror("hull-exit");
		return 1;
	}
	fprintf(stderr, "hull-exit: this machine has no isa-debug-exit device\n");
	return 1;
}
