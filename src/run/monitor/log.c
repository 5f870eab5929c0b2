/* SPDX-License-Identifier: Apache-2.0 */
/* The log and its rotation; see monitor.h. */
#include "monitor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define KEPT 3 /* files: log, log.1, log.2 */
#define SIZE_DEFAULT (8u << 20)

void log_open(struct monitor *m)
{
	struct stat st;

	m->log.fd = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	m->log.size = m->log.fd >= 0 && !fstat(m->log.fd, &st) ? (u64)st.st_size : 0;
	if (!m->log.max)
		m->log.max = SIZE_DEFAULT;
}

static void rotate(struct monitor *m)
{
	char from[16], to[16];

	for (int i = KEPT - 1; i > 0; i--) {
		snprintf(to, sizeof(to), "log.%d", i);
		snprintf(from, sizeof(from), i > 1 ? "log.%d" : "log", i - 1);
		rename(from, to);
	}
	close(m->log.fd);
	log_open(m);
}

/* One line, or a part of one. */
static void put(struct log *l, enum wire_type stream, bool full, const u8 *p, size_t n)
{
	char head[80];
	struct timespec t;
	struct tm tm;
	int k;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	k = (int)strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &tm);
	k += snprintf(head + k, sizeof(head) - (size_t)k, ".%09ldZ %s %c ", t.tv_nsec,
		      stream == WIRE_STDERR ? "stderr" : "stdout", full ? 'F' : 'P');
	struct iovec v[3] = {{head, (size_t)k}, {(void *)(uintptr_t)p, n}, {(char[]){'\n'}, 1}};
	ssize_t w = writev(l->fd, v, 3);

	l->size += w > 0 ? (u64)w : 0;
}

void log_bytes(struct monitor *m, enum wire_type stream, const u8 *p, size_t n)
{
	while (n && m->log.fd >= 0) {
		const u8 *nl = memchr(p, '\n', n);
		size_t len = nl ? (size_t)(nl - p) : n;

		put(&m->log, stream, nl, p, len);
		len += nl ? 1 : 0;
		p += len;
		n -= len;
	}
	if (m->log.size > m->log.max)
		rotate(m);
}
