/* SPDX-License-Identifier: Apache-2.0 */
#include "host/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SHOW_EVERY_NS 100000000u

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

void progress_begin(struct progress *p, const char *what, u64 total)
{
	*p = (struct progress){.total = total, .start_ns = now_ns(), .tty = isatty(STDERR_FILENO)};
	snprintf(p->what, sizeof(p->what), "%s", what);
	fprintf(stderr, p->tty ? "%s ..." : "%s ...\n", p->what);
}

void progress_at(struct progress *p, u64 done)
{
	u64 now = now_ns();

	if (!p->tty || now - p->shown_ns < SHOW_EVERY_NS)
		return;
	p->shown_ns = now;
	if (p->total)
		fprintf(stderr, "\r\033[K%s: %3u%% of %.1f MiB", p->what,
			(unsigned)(done >= p->total ? 100 : done * 100 / p->total),
			(double)p->total / (1 << 20));
	else
		fprintf(stderr, "\r\033[K%s: %.1f s", p->what, (double)(now - p->start_ns) / 1e9);
}

void progress_end(struct progress *p, bool ok)
{
	fprintf(stderr, "%s%s: %s, %.1f s\n", p->tty ? "\r\033[K" : "", p->what,
		ok ? "done" : "failed", (double)(now_ns() - p->start_ns) / 1e9);
}
