/* SPDX-License-Identifier: Apache-2.0 */
/* Start of hull-init; see hull_init.h. */
#include "hull_init.h"

#include "base/endian.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h> /* wants sys/socket.h before it */
#if defined(__x86_64__)
#include <sys/io.h>
#endif

#define MODULES_DIR "/modules"
#define EXIT_PORT 0xf4 /* isa-debug-exit of hull's board */
#define CONNECT_TRIES 50u

static char *why_buffer(void)
{
	static char why[256];

	return why;
}

const char *init_why(void)
{
	return why_buffer();
}

int init_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why_buffer(), 256, fmt, ap);
	va_end(ap);
	fprintf(stderr, "hull-init: %s\n", why_buffer());
	return -1;
}

void init_power_off(void)
{
	sync();
#if defined(__x86_64__)
	if (!ioperm(EXIT_PORT, 1, 1)) /* at once, without ACPI's detours */
		outb(0, EXIT_PORT);
#endif
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* ---- modules: MODULES_DIR/order has a line "NAME NEEDED NEEDED ..." for each ---- */

static int module_insert(const char *name)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), MODULES_DIR "/%s.ko", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* built in, or not there: who needs it will say so */
	ret = (int)syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	if (ret && errno != EEXIST)
		return init_fail("module %s: %s", name, strerror(errno));
	unlink(path);
	return 0;
}

int module_load(const char *name)
{
	FILE *f = fopen(MODULES_DIR "/order", "re");
	char line[512];
	int ret = 0;

	while (f && fgets(line, sizeof(line), f)) {
		char *save, *word = strtok_r(line, " \n", &save);

		if (!word || strcmp(word, name))
			continue;
		while (!ret && (word = strtok_r(NULL, " \n", &save)))
			ret = module_insert(word);
		break;
	}
	if (f)
		fclose(f);
	return ret ? ret : module_insert(name);
}

/* ---- the host ---- */

static int host_connect(void)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = WIRE_PORT_MAIN};

	for (unsigned i = 0; i < CONNECT_TRIES; i++) {
		int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof(a)))
			return fd;
		if (fd >= 0)
			close(fd);
		usleep(20000);
	}
	return init_fail("cannot reach the host: %s", strerror(errno));
}

static int host_listen(void)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = WIRE_PORT_EXEC};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 16))
		return init_fail("cannot listen on vsock: %s", strerror(errno));
	return fd;
}

static bool read_all(int fd, u8 *to, size_t len)
{
	while (len) {
		ssize_t n = read(fd, to, len);

		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
	}
	return true;
}

/*
 * The first frame and nothing of what may follow it; it stays allocated for the
 * life of the machine.
 */
static int first_frame(int fd, struct wire_frame *f)
{
	u8 *buf = malloc(WIRE_HEAD + WIRE_START_MAX);
	u32 len;

	if (!buf || !read_all(fd, buf, WIRE_HEAD))
		return init_fail("the host said nothing");
	len = load_le32(buf);
	if (len > WIRE_START_MAX || !read_all(fd, buf + WIRE_HEAD, len) ||
	    wire_parse(buf, WIRE_HEAD + len, f) <= 0 || f->type != WIRE_START)
		return init_fail("the host's first message makes no sense");
	return 0;
}

/* ---- order of events ---- */

static void mount_early(void)
{
	mount("dev", "/dev", "devtmpfs", MS_NOSUID, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
}

static void set_clock(const char *ns)
{
	unsigned long long t = ns ? strtoull(ns, NULL, 10) : 0;
	struct timespec ts = {.tv_sec = (time_t)(t / 1000000000u),
			      .tv_nsec = (long)(t % 1000000000u)};

	if (t)
		clock_settime(CLOCK_REALTIME, &ts);
}

static int prepare(const struct setup *s)
{
	set_clock(s->time);
	if (s->hostname)
		sethostname(s->hostname, strlen(s->hostname));
	return net_setup(s) || root_enter(s) ? -1 : 0;
}

static void report(int fd, const char *text)
{
	u8 head[WIRE_HEAD + 4];
	u32 n = (u32)strlen(text);

	wire_head(head, WIRE_ERROR, n + 4);
	memcpy(head + WIRE_HEAD, &(u32){125}, 4);
	if (write(fd, head, sizeof(head)) != (ssize_t)sizeof(head) ||
	    write(fd, text, n) != (ssize_t)n)
		fprintf(stderr, "hull-init: the host does not listen\n");
}

static int machine_main(void)
{
	static struct setup setup;
	static struct job job;
	struct wire_frame f;
	int fd, listener;

	mount_early();
	signal(SIGPIPE, SIG_IGN);
	if (module_load("virtio_pci") || module_load("vmw_vsock_virtio_transport") ||
	    (fd = host_connect()) < 0)
		init_power_off();
	listener = host_listen();
	if (first_frame(fd, &f) || !job_parse(&f, &job, &setup) || listener < 0 || prepare(&setup))
		report(fd, init_why());
	else
		session_loop(fd, &job, listener);
	/* What was written last must reach the host before the power goes. */
	shutdown(fd, SHUT_WR);
	if (read(fd, &(char){0}, 1) < 0)
		usleep(10000);
	init_power_off();
}

/* ---- as process 1 of a container: hull-init --argv0 NAME -- PROGRAM ARGUMENT... ---- */

static void run_child(const char *program, char **argv)
{
	sigset_t all;

	/* Still blocked: a process that takes the terminal would be stopped for it. */
	setpgid(0, 0);
	tcsetpgrp(0, getpid());
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	execv(program, argv);
	fprintf(stderr, "hull-init: %s: %s\n", program, strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Passes signals on, reaps, ends as the program ended. argv[0] is the program's file. */
static int container_main(char *name, char **argv)
{
	const char *program = argv[0];
	sigset_t all;
	pid_t child;
	int status, sig;

	argv[0] = name;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	child = fork();
	if (!child)
		run_child(program, argv);
	while (child > 0 && (sig = sigwaitinfo(&all, NULL))) {
		pid_t pid;

		if (sig > 0 && sig != SIGCHLD)
			kill(child, sig);
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == child)
				return WIFEXITED(status) ? WEXITSTATUS(status)
							 : 128 + WTERMSIG(status);
	}
	return 125;
}

int main(int argc, char **argv)
{
	if (argc > 4 && !strcmp(argv[1], "--argv0") && !strcmp(argv[3], "--"))
		return container_main(argv[2], argv + 4);
	if (getpid() != 1) {
		fprintf(stderr, "hull-init: runs as process 1 of a machine or container\n");
		return 2;
	}
	return machine_main();
}
