/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments, the loop and the end of hull-monitor; see monitor.h. */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OWNER_MS 10000	   /* for the owner to clean up */
#define POWER_OFF_MS 10000 /* for a machine to be off after its process ended */

u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

/* ---- arguments ---- */

static void set_number(struct monitor *m, const char *key, long v)
{
	const struct {
		const char *key;
		int *fd;
	} fds[] = {{"lock", &m->lock},	 {"listen", &m->listener}, {"in", &m->in},
		   {"out", &m->out},	 {"err", &m->err},	   {"wire", &m->wire_listener},
		   {"start", &m->start}, {"child", &m->child},	   {"helper", &m->helper}};

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (!strcmp(key, fds[i].key))
			*fds[i].fd = (int)v;
	if (!strcmp(key, "owner"))
		client_add(m, (int)v, true);
	else if (!strcmp(key, "log"))
		m->log.max = (u64)v;
	else if (!strcmp(key, "machine"))
		m->machine = v;
	else if (!strcmp(key, "tty"))
		m->tty = v;
	else if (!strcmp(key, "restart"))
		m->restart = v;
	else if (!strcmp(key, "health-interval"))
		m->health.interval_ms = (u64)v;
	else if (!strcmp(key, "health-timeout"))
		m->health.timeout_ms = (u64)v;
	else if (!strcmp(key, "health-start"))
		m->health.start_ms = (u64)v;
	else if (!strcmp(key, "health-retries"))
		m->health.retries = (unsigned)v;
}

static void parse(struct monitor *m, char **argv)
{
	for (; *argv; argv++) {
		char *eq = strchr(*argv, '=');

		if (!eq)
			continue;
		*eq++ = 0;
		if (!strcmp(*argv, "dir"))
			m->dir = eq;
		else if (!strcmp(*argv, "hull"))
			m->hull = eq;
		else
			set_number(m, *argv, strtol(eq, NULL, 10));
	}
}

/* ---- state ---- */

static u32 exit_code(const struct monitor *m)
{
	if (m->failed)
		return m->error_status;
	return WIFSIGNALED(m->status) ? 128u + (u32)WTERMSIG(m->status)
				      : (u32)WEXITSTATUS(m->status);
}

void state_write(const struct monitor *m, const char *state)
{
	int fd = open("state.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	dprintf(fd, "state=%s\nmonitor=%d\npid=%d\nhelper=%d\nstarted=%llu\n", state, getpid(),
		m->child, m->helper, (unsigned long long)m->started_ns);
	if (health_name(m))
		dprintf(fd, "health=%s\nfailures=%u\n", health_name(m), m->health.failures);
	if (m->ended)
		dprintf(fd, "finished=%llu\nexit=%u\n", (unsigned long long)now_ns(), exit_code(m));
	if (m->failed)
		dprintf(fd, "error=%s\n", m->error);
	close(fd);
	rename("state.new", "state");
}

/* ---- children and signals ---- */

static void reap(struct monitor *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->helper)
			m->helper = 0;
		if (health_reaped(m, pid, status))
			state_write(m, "running");
		if (pid != m->child)
			continue;
		m->ended = true;
		if (!m->machine)
			m->status = (u32)status;
		else if (!m->told) { /* the machine went away under its process */
			m->status = SIGKILL;
			m->told = true;
		}
	}
}

static void on_signal(struct monitor *m)
{
	struct signalfd_siginfo si;
	u8 frame[WIRE_HEAD + 4];
	struct wire_frame f;
	size_t used = 0;

	while (read(m->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			continue;
		/* Who signals the monitor means the thing. */
		memcpy(frame + wire_head(frame, WIRE_SIGNAL, 4), &si.ssi_signo, 4);
		if (wire_parse(frame, sizeof(frame), &f) > 0)
			feed_input(m, &f, &used);
	}
	reap(m);
}

static void on_listen(struct monitor *m)
{
	int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		client_add(m, fd, false);
}

/* ---- the loop ---- */

static void step(struct monitor *m, int timeout)
{
	struct pollfd pf[2 + FEED_FDS + CLIENTS_MAX];
	int health = health_timeout(m);

	if (health >= 0 && (timeout < 0 || health < timeout))
		timeout = health;

	pf[0] = (struct pollfd){m->signals, POLLIN, 0};
	pf[1] = (struct pollfd){m->listener, POLLIN, 0};
	feed_poll(m, pf + 2);
	clients_poll(m, pf + 2 + FEED_FDS);
	if (poll(pf, 2 + FEED_FDS + CLIENTS_MAX, timeout) < 0)
		return;
	if (pf[0].revents)
		on_signal(m);
	health_step(m);
	clients_step(m, pf + 2 + FEED_FDS);
	feed_step(m, pf + 2);
	if (pf[1].revents)
		on_listen(m);
}

/* A machine whose process has ended switches itself off; one that does not is switched off. */
static void machine_off(struct monitor *m)
{
	u64 end = now_ns() + POWER_OFF_MS * 1000000ull;

	if (m->wire >= 0)
		shutdown(m->wire, SHUT_RDWR);
	while (!m->ended && now_ns() < end)
		step(m, 100);
	if (!m->ended)
		kill(m->child, SIGKILL);
	while (!m->ended)
		step(m, 100);
}

static void run(struct monitor *m)
{
	if (!m->machine) {
		while (!m->ended || !feed_is_dry(m))
			step(m, -1);
		return;
	}
	while (!m->told || !feed_is_dry(m))
		step(m, -1);
	machine_off(m);
}

/* ---- the end ---- */

static void tell(struct monitor *m)
{
	u8 frame[WIRE_HEAD + 4 + sizeof(m->error)];
	u32 len = 4 + (m->failed ? (u32)strlen(m->error) : 0);
	unsigned at = wire_head(frame, m->failed ? WIRE_ERROR : WIRE_EXIT, len);

	memcpy(frame + at, m->failed ? &m->error_status : &m->status, 4);
	memcpy(frame + at + 4, m->error, len - 4);
	clients_last(m, frame, WIRE_HEAD + len);
}

/* Waits until the owner has closed its connection: it has cleaned up then, or is gone. */
static void await_owner(struct monitor *m)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &m->client[i];
		struct pollfd pf = {c->fd, POLLIN, 0};

		while (c->fd >= 0 && c->owner && poll(&pf, 1, OWNER_MS) > 0 &&
		       recv(c->fd, c->in, sizeof(c->in), MSG_DONTWAIT) > 0)
			;
		client_drop(c);
	}
}

static void become_end(struct monitor *m)
{
	char lock[24], listener[24];

	if (access("live", F_OK) || !m->hull)
		return;
	/* What else was handed to us (a network's name space) ends here. */
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	fcntl(m->lock, F_SETFD, 0);
	fcntl(m->listener, F_SETFD, 0);
	snprintf(lock, sizeof(lock), "lock=%d", m->lock);
	snprintf(listener, sizeof(listener), "listen=%d", m->listener);
	execl(m->hull, "hull", "_end", m->dir, lock, listener, NULL);
}

static int open_signals(void)
{
	static const int sigs[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaddset(&set, sigs[i]);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void started(struct monitor *m)
{
	u32 pid = (u32)m->child;

	if (m->machine)
		return; /* the guest's init says when */
	m->output_len = wire_head(m->output, WIRE_STARTED, 4) + 4;
	memcpy(m->output + WIRE_HEAD, &pid, 4);
	clients_flush(m);
}

int main(int argc, char **argv)
{
	static struct monitor m;

	m = (struct monitor){.lock = -1,
			     .listener = -1,
			     .in = -1,
			     .out = -1,
			     .err = -1,
			     .wire_listener = -1,
			     .wire = -1,
			     .start = -1};
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		m.client[i].fd = -1;
	parse(&m, argv + 1);
	if (!m.dir || chdir(m.dir) || !m.child) {
		fprintf(stderr, "hull-monitor: started by `hull run` only\n");
		return 2;
	}
	m.signals = open_signals();
	m.started_ns = now_ns();
	log_open(&m);
	health_begin(&m);
	state_write(&m, "running");
	started(&m);
	reap(&m); /* it may have ended before the signals were watched */
	run(&m);
	health_end(&m);
	if (m.helper > 0)
		kill(m.helper, SIGKILL);
	state_write(&m, "exited");
	tell(&m);
	await_owner(&m);
	become_end(&m);
	return 0;
}
