/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thing's health check: every interval `hull _health DIR MS` runs the
 * image's test inside and ends with 0 (healthy), 1 (not) or anything else (it
 * could not be asked). As Docker has it: "starting" until the first success or
 * until the start period is over, "unhealthy" after so many failures in a row.
 */
#include "monitor.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS 5000u /* after the timeout, which the child itself keeps */
#define OUTPUT "health.log"

static u64 clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

const char *health_name(const struct monitor *m)
{
	static const char *const names[] = {"starting", "healthy", "unhealthy"};

	return m->health.interval_ms ? names[m->health.state] : NULL;
}

void health_begin(struct monitor *m)
{
	struct health *h = &m->health;

	h->due_ms = clock_ms() + h->interval_ms;
	h->start_end_ms = clock_ms() + h->start_ms;
}

static __attribute__((noreturn)) void child(const struct monitor *m)
{
	int out = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char ms[24];
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (out >= 0) {
		dup2(out, 1);
		dup2(out, 2);
	}
	close_range(3, ~0u, 0);
	snprintf(ms, sizeof(ms), "%llu", (unsigned long long)m->health.timeout_ms);
	execl(m->hull, "hull", "_health", m->dir, ms, NULL);
	_exit(127);
}

int health_timeout(const struct monitor *m)
{
	u64 now = clock_ms(), left = m->health.due_ms > now ? m->health.due_ms - now : 0;

	if (!m->health.interval_ms || m->ended || !m->hull)
		return -1;
	return left > INT_MAX ? INT_MAX : (int)left;
}

void health_step(struct monitor *m)
{
	struct health *h = &m->health;

	if (health_timeout(m) != 0)
		return;
	if (h->pid > 0) { /* it has not kept its own time */
		kill(h->pid, SIGKILL);
		h->due_ms = clock_ms() + h->interval_ms;
		return;
	}
	h->pid = fork();
	if (!h->pid)
		child(m);
	h->due_ms = clock_ms() + h->timeout_ms + GRACE_MS;
}

bool health_reaped(struct monitor *m, pid_t pid, int status)
{
	struct health *h = &m->health;
	enum health_state was = h->state;
	unsigned before = h->failures;

	if (pid != h->pid || !h->interval_ms)
		return false;
	h->pid = 0;
	h->due_ms = clock_ms() + h->interval_ms;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		h->failures = 0;
		h->state = HEALTH_HEALTHY;
	} else if (WIFSIGNALED(status) || WEXITSTATUS(status) == 1) {
		if (h->state != HEALTH_STARTING || clock_ms() >= h->start_end_ms)
			h->failures++;
		if (h->failures >= h->retries)
			h->state = HEALTH_UNHEALTHY;
	}
	return was != h->state || before != h->failures;
}

void health_end(struct monitor *m)
{
	if (m->health.pid > 0) {
		kill(m->health.pid, SIGKILL);
		waitpid(m->health.pid, NULL, 0);
	}
	m->health.pid = 0;
}
