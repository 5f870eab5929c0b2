/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hullbench [NAME...]: runs the kernels and prints `bench NAME GROUP NS CHECKSUM`
 * a line each. As PID 1 it first prints HULL-INIT, takes names from the kernel
 * command line's `bench=a,b,c` (all if absent, `none` for a bare boot), and
 * powers the machine off.
 */
#include "bench.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *bench_self = "/proc/self/exe";

static const char *const group_name[] = {"int", "chase", "fp", "sys", "other"};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static bool wanted(const char *list, const char *name)
{
	size_t n = strlen(name);

	if (!list || !*list)
		return true;
	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, name, n) && (!p[n] || p[n] == ','))
			return true;
	}
	return false;
}

static void run_all(const char *list)
{
	const struct bench *const groups[] = {bench_int, bench_mem, bench_fp, bench_sys};

	for (unsigned g = 0; g < 4; g++)
		for (const struct bench *b = groups[g]; b->name; b++) {
			uint64_t t, sum;

			if (!wanted(list, b->name))
				continue;
			b->run(b->n / 50 + 1); /* warm caches, fault pages in */
			t = now();
			sum = b->run(b->n);
			t = now() - t;
			printf("bench %s %s %" PRIu64 " %" PRIx64 "\n", b->name,
			       group_name[b->group], t, sum);
			fflush(stdout);
		}
}

static void run_as_init(void)
{
	char *list = getenv("bench");

	printf("HULL-INIT\n");
	fflush(stdout);
	mkdir("/proc", 0755);
	mkdir("/tmp", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) || mount("tmp", "/tmp", "tmpfs", 0, NULL))
		perror("hullbench: mount");
	run_all(list);
	printf("HULL-DONE\n");
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	char list[1024] = "";

	if (argc == 3 && !strcmp(argv[1], "--exit"))
		return atoi(argv[2]);
	if (getpid() == 1) {
		run_as_init();
		return 0;
	}
	for (int i = 1; i < argc; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i > 1 ? "," : "",
			 argv[i]);
	run_all(list);
	return 0;
}
