/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACE_BUFFER 65536u
#define TRACE_LINE 160u

struct trace {
	struct engine_trace engine;
	pthread_mutex_t lock;
	int fd;
	bool own; /* a file: buffered and closed */
	size_t used;
	char buf[TRACE_BUFFER];
};

static const char *const names[VCPU_TRACE_KINDS] = {
	[VCPU_TRACE_EXC] = "exc",   [VCPU_TRACE_INT] = "int", [VCPU_TRACE_MMIO] = "mmio",
	[VCPU_TRACE_PIO] = "pio",   [VCPU_TRACE_MSR] = "msr", [VCPU_TRACE_CR] = "cr",
	[VCPU_TRACE_EXIT] = "exit",
};

int trace_kind_by_name(const char *name)
{
	for (int i = 0; i < VCPU_TRACE_KINDS; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -1;
}

/* POWER's vectors (ISA III 6.5) are above x86's. */
static const char *power_exception_name(u64 vector)
{
	static const struct {
		u16 vector;
		const char *name;
	} known[] = {
		{0x200, "machine-check"}, {0x300, "DSI"},	{0x380, "DSegI"},
		{0x400, "ISI"},		  {0x480, "ISegI"},	{0x600, "alignment"},
		{0x700, "program"},	  {0x800, "no-FP"},	{0xc00, "syscall"},
		{0xd00, "trace"},	  {0xf20, "no-vector"}, {0xf40, "no-VSX"},
		{0xf60, "facility"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].vector == vector)
			return known[i].name;
	return "?";
}

/* SDM vol. 3A table 6-1. */
static const char *exception_name(u64 vector)
{
	static const char *const known[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
					    "#NM", "#DF", NULL,	 "#TS", "#NP", "#SS", "#GP",
					    "#PF", NULL,  "#MF", "#AC", "#MC", "#XM"};

	if (vector >= 0x100)
		return power_exception_name(vector);
	return vector < ARRAY_LEN(known) && known[vector] ? known[vector] : "?";
}

static const char *exit_name(u64 kind)
{
	static const char *const known[] = {
		[VCPU_EXIT_KICK] = "kick",   [VCPU_EXIT_SHUTDOWN] = "shutdown",
		[VCPU_EXIT_DEBUG] = "debug", [VCPU_EXIT_ERROR] = "error",
		[VCPU_EXIT_RESET] = "reset",
	};

	return kind < ARRAY_LEN(known) ? known[kind] : "?";
}

static int format_rest(const struct vcpu_trace_event *ev, char *buf, size_t size)
{
	const char *way = ev->write ? "write" : "read";
	unsigned long long where = ev->where, value = ev->value, aux = ev->aux;

	switch (ev->kind) {
	case VCPU_TRACE_EXC:
		if (aux)
			return snprintf(buf, size, "%s error %llx at %llx", exception_name(where),
					value, aux);
		return snprintf(buf, size, "%s error %llx", exception_name(where), value);
	case VCPU_TRACE_INT:
		return snprintf(buf, size, "%02llx%s", where, ev->write ? " by instruction" : "");
	case VCPU_TRACE_MMIO:
	case VCPU_TRACE_PIO:
		return snprintf(buf, size, "%s %u %llx = %llx", way, ev->size, where, value);
	case VCPU_TRACE_MSR:
		if (ev->failed)
			return snprintf(buf, size, "%s %llx: #GP", way, where);
		return snprintf(buf, size, "%s %llx = %llx", way, where, value);
	case VCPU_TRACE_CR:
		return snprintf(buf, size, "cr%llu = %llx", where, value);
	default:
		return snprintf(buf, size, "%s", exit_name(where));
	}
}

int trace_format(const struct vcpu_trace_event *ev, char *buf, size_t size)
{
	int n = snprintf(buf, size, "cpu %u %llx %s ", ev->cpu, (unsigned long long)ev->rip,
			 ev->kind < VCPU_TRACE_KINDS ? names[ev->kind] : "?");

	if (n < 0 || (size_t)n >= size)
		return n;
	return n + format_rest(ev, buf + n, size - (size_t)n);
}

/* With the lock held. */
static void flush(struct trace *t)
{
	for (size_t done = 0; done < t->used;) {
		ssize_t n = write(t->fd, t->buf + done, t->used - done);

		if (n <= 0)
			break; /* a full disk or closed stderr costs the trace, not the guest */
		done += (size_t)n;
	}
	t->used = 0;
}

static void on_event(void *opaque, const struct vcpu_trace_event *ev)
{
	struct trace *t = opaque;
	int n;

	pthread_mutex_lock(&t->lock);
	if (sizeof(t->buf) - t->used < TRACE_LINE)
		flush(t);
	n = trace_format(ev, t->buf + t->used, TRACE_LINE - 1);
	if (n > 0) {
		t->used += (size_t)n < TRACE_LINE - 2 ? (size_t)n : TRACE_LINE - 2;
		t->buf[t->used++] = '\n';
	}
	if (!t->own)
		flush(t);
	pthread_mutex_unlock(&t->lock);
}

int trace_create(u32 kinds, const char *file, struct trace **out, struct err *e)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		return err_set(e, ENOMEM, "no memory for a trace");
	t->fd = STDERR_FILENO;
	t->own = file != NULL;
	if (file)
		t->fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0644);
	if (t->fd < 0) {
		free(t);
		return err_errno(e, "trace file %s", file);
	}
	pthread_mutex_init(&t->lock, NULL);
	t->engine = (struct engine_trace){.kinds = kinds, .event = on_event, .opaque = t};
	*out = t;
	return 0;
}

void trace_destroy(struct trace *t)
{
	if (!t)
		return;
	flush(t);
	if (t->own)
		close(t->fd);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

const struct engine_trace *trace_engine(const struct trace *t)
{
	return t ? &t->engine : NULL;
}
