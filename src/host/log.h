/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's log: lines on stderr, time since start, a level. One per
 * process (the only mutable state that is), any thread. Never used for results
 * or for errors that a caller returns (host/err.h).
 *
 * What a guest can provoke goes through log_guest(), which lets through a few
 * lines a second and counts the rest.
 */
#ifndef HULL_HOST_LOG_H
#define HULL_HOST_LOG_H

#include "base/types.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVELS };

/* Default LOG_WARN. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* "error", "warn", "info" or "debug". */
const char *log_level_name(enum log_level level);
/* Level by name ("error", "warn", "info", "debug"), or -1. */
int log_level_by_name(const char *name);

/*
 * Where lines end. The terminal in raw mode needs a carriage return too; the
 * owner of the terminal says so here.
 */
void log_set_raw_terminal(bool raw);

/* Lines go there instead of to stderr, without time and level; NULL: back to stderr. */
void log_set_sink(void (*sink)(void *opaque, enum log_level level, const char *text), void *opaque);

void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_guest(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
