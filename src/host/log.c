/* SPDX-License-Identifier: Apache-2.0 */
#include "host/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Lines a guest may cause: this many at once, then one per interval. */
#define GUEST_BURST 20u
#define GUEST_INTERVAL_NS 200000000u

static struct log_state {
	pthread_mutex_t lock;
	_Atomic int level;
	_Atomic bool raw;
	void (*sink)(void *opaque, enum log_level level, const char *text);
	void *opaque; /* of the sink */
	u64 start_ns; /* of the first line */
	u64 guest_ns; /* when the last guest token was given */
	unsigned guest_tokens;
	u64 guest_dropped;
} log_state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_WARN, .guest_tokens = GUEST_BURST};

static const char *const level_names[LOG_LEVELS] = {"error", "warn", "info", "debug"};

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

void log_set_level(enum log_level level)
{
	log_state.level = level;
}

enum log_level log_get_level(void)
{
	return log_state.level;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

int log_level_by_name(const char *name)
{
	for (int i = 0; i < LOG_LEVELS; i++)
		if (!strcmp(name, level_names[i]))
			return i;
	return -1;
}

void log_set_raw_terminal(bool raw)
{
	log_state.raw = raw;
}

void log_set_sink(void (*sink)(void *opaque, enum log_level level, const char *text), void *opaque)
{
	log_state.sink = sink;
	log_state.opaque = opaque;
}

/* Control characters in a message could drive the terminal: show them as '?'. */
static void scrub(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

/* With the lock held. */
static void emit(enum log_level level, const char *fmt, va_list ap)
{
	char text[600], line[700];
	u64 now = now_ns();
	int n;

	if (!log_state.start_ns)
		log_state.start_ns = now;
	now -= log_state.start_ns;
	vsnprintf(text, sizeof(text), fmt, ap);
	scrub(text);
	if (log_state.sink) {
		log_state.sink(log_state.opaque, level, text);
		return;
	}
	n = snprintf(line, sizeof(line), "hull: [%4u.%03u] %s: %s%s\n",
		     (unsigned)(now / 1000000000u), (unsigned)(now / 1000000u % 1000u),
		     level_names[level], text, log_state.raw ? "\r" : "");
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to say it */
}

static void emit_args(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
}

void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if ((int)level > log_state.level)
		return;
	pthread_mutex_lock(&log_state.lock);
	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&log_state.lock);
}

/* True if the guest may write a line now. With the lock held. */
static bool guest_token(void)
{
	u64 now = now_ns(), fresh = (now - log_state.guest_ns) / GUEST_INTERVAL_NS;

	if (fresh) {
		log_state.guest_ns = now;
		fresh += log_state.guest_tokens;
		log_state.guest_tokens = fresh > GUEST_BURST ? GUEST_BURST : (unsigned)fresh;
	}
	if (!log_state.guest_tokens) {
		log_state.guest_dropped++;
		return false;
	}
	log_state.guest_tokens--;
	return true;
}

void log_guest(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if ((int)level > log_state.level)
		return;
	pthread_mutex_lock(&log_state.lock);
	if (guest_token()) {
		if (log_state.guest_dropped)
			emit_args(level, "%llu more messages caused by the guest left out",
				  (unsigned long long)log_state.guest_dropped);
		log_state.guest_dropped = 0;
		va_start(ap, fmt);
		emit(level, fmt, ap);
		va_end(ap);
	}
	pthread_mutex_unlock(&log_state.lock);
}
