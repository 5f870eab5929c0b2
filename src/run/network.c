/* SPDX-License-Identifier: Apache-2.0 */
#include "run/network.h"

#include "host/paths.h"
#include "host/rootless.h"
#include "net/passt.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 5000
#define ARGS_FIXED 28u
#define PORTS_MAX 32u

struct args {
	const char *v[ARGS_FIXED + 2 * PORTS_MAX + 3];
	unsigned n;
	char ns[32], pid[32], port[PORTS_MAX][48];
};

static int loopback_up(struct err *e)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) ? err_errno(e, "network: loopback") : 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

/* A process in a new name space with loopback, until the other end of `hold` is closed. */
static __attribute__((noreturn)) void space_child(int hold)
{
	struct err e = {0};

	if (unshare(CLONE_NEWNET))
		err_errno(&e, "network: no name space");
	else
		loopback_up(&e);
	if (send(hold, &e, sizeof(e), MSG_NOSIGNAL) == (ssize_t)sizeof(e))
		recv(hold, &e, 1, 0);
	_exit(0);
}

static int space_of(pid_t pid, int hold, int *ns, struct err *e)
{
	struct err why = {0};
	char path[32];

	if (recv(hold, &why, sizeof(why), 0) != (ssize_t)sizeof(why))
		return err_set(e, EIO, "network: no name space");
	why.msg[sizeof(why.msg) - 1] = 0;
	if (why.status)
		return err_set(e, why.status, "%s", why.msg);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	*ns = open(path, O_RDONLY | O_CLOEXEC);
	return *ns < 0 ? err_errno(e, "network") : 0;
}

/* A new name space with loopback. By a child: who is not root could not come back to the host's. */
static int make_space(int *ns, struct err *e)
{
	int pair[2], ret;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_errno(e, "network: socketpair");
	pid = fork();
	if (!pid) {
		close(pair[0]);
		space_child(pair[1]);
	}
	close(pair[1]);
	ret = pid < 0 ? err_errno(e, "network: cannot start a process")
		      : space_of(pid, pair[0], ns, e);
	close(pair[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return ret;
}

/* ---- pasta ---- */

/* pasta would say no more than that it cannot. */
static int check_port(const struct run_port *p, struct err *e)
{
	FILE *f = rootless() ? fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re") : NULL;
	unsigned first = 0;

	if (f && fscanf(f, "%u", &first) != 1)
		first = 0;
	if (f)
		fclose(f);
	if (p->host >= first)
		return 0;
	return err_set(e, EACCES,
		       "port %u: below %u only root may listen (sysctl "
		       "net.ipv4.ip_unprivileged_port_start): give a higher one",
		       p->host, first);
}

static int port_args(struct args *a, const struct run_spec *spec, struct err *e)
{
	struct run_port p;
	bool tcp = false, udp = false;

	if (spec->ports.n > PORTS_MAX)
		return err_set(e, EINVAL, "at most %u ports", PORTS_MAX);
	for (unsigned i = 0; i < spec->ports.n; i++) {
		int ret = spec_port(spec->ports.v[i], &p, e);

		if (!ret)
			ret = check_port(&p, e);
		if (ret)
			return ret;
		snprintf(a->port[i], sizeof(a->port[i]), "%s/%u:%u", p.addr, p.host, p.guest);
		a->v[a->n++] = p.udp ? "-u" : "-t";
		a->v[a->n++] = a->port[i];
		tcp |= !p.udp;
		udp |= p.udp;
	}
	if (!tcp) {
		a->v[a->n++] = "-t";
		a->v[a->n++] = "none";
	}
	if (!udp) {
		a->v[a->n++] = "-u";
		a->v[a->n++] = "none";
	}
	a->v[a->n] = NULL;
	return 0;
}

/* -T, -U none: what listens inside the container is not reached by the host's loopback. */
static int build_args(struct args *a, const struct run_spec *spec, int ns, int ready, struct err *e)
{
	const char *const fixed[] = {"pasta",	     "--foreground", "--stderr",
				     "--quiet",	     "--config-net", "--no-netns-quit",
				     "--netns-only", "--runas",	     "0",
				     "--ipv4-only",  "--address",    PASST_GUEST,
				     "--netmask",    PASST_NETMASK,  "--gateway",
				     PASST_GATEWAY,  "--ns-ifname",  "eth0",
				     "-T",	     "none",	     "-U",
				     "none",	     "--netns",	     a->ns,
				     "--pid",	     a->pid};

	static_assert(ARRAY_LEN(fixed) <= ARGS_FIXED, "room for the arguments");
	snprintf(a->ns, sizeof(a->ns), "/proc/self/fd/%d", ns);
	snprintf(a->pid, sizeof(a->pid), "/proc/self/fd/%d", ready);
	memcpy(a->v, fixed, sizeof(fixed));
	a->n = ARRAY_LEN(fixed);
	return port_args(a, spec, e);
}

static __attribute__((noreturn)) void pasta(const struct args *a, int ns, int ready, int words)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL); /* it takes an ignored one for an error */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(words, STDERR_FILENO);
	fcntl(ns, F_SETFD, 0);
	fcntl(ready, F_SETFD, 0);
	execvp(a->v[0], (char *const *)a->v);
	dprintf(STDERR_FILENO, "%s\n",
		errno == ENOENT ? "pasta is not installed (Debian: passt)" : strerror(errno));
	_exit(127);
}

static int start_pasta(const struct run_spec *spec, struct network *n, struct err *e)
{
	struct args a = {.n = 0};
	int ready[2], words[2], ret;

	if (pipe2(ready, O_CLOEXEC) || pipe2(words, O_CLOEXEC))
		return err_errno(e, "network: pipe");
	ret = build_args(&a, spec, n->ns, ready[1], e);
	if (!ret) {
		n->helper = fork();
		if (!n->helper)
			pasta(&a, n->ns, ready[1], words[1]);
		if (n->helper < 0)
			ret = err_errno(e, "network: cannot start pasta");
	}
	close(ready[1]);
	close(words[1]);
	n->ready = ready[0];
	n->words = words[0];
	return ret;
}

int network_start(const struct run_spec *spec, struct network *n, struct err *e)
{
	const char *kind = spec->network ?: "user";
	int ret;

	*n = (struct network){.ns = -1, .ready = -1, .words = -1};
	if (!strcmp(kind, "host"))
		return 0;
	ret = make_space(&n->ns, e);
	return ret || strcmp(kind, "user") ? ret : start_pasta(spec, n, e);
}

/* The last line of what pasta said that is not about its own log. */
static void last_words(int fd, char *out, size_t size)
{
	char text[2048], *save, *line;
	ssize_t n = read(fd, text, sizeof(text) - 1);

	snprintf(out, size, "it did not say why");
	text[n > 0 ? n : 0] = 0;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, "Failed to send", 14))
			snprintf(out, size, "%s", line);
}

int network_wait(struct network *n, struct err *e)
{
	struct pollfd pf = {.fd = n->ready, .events = POLLIN};
	char pid[16], why[200];
	int ret = 0;

	if (!n->helper)
		return 0;
	if (poll(&pf, 1, START_MS) <= 0 || read(n->ready, pid, sizeof(pid)) <= 0) {
		kill(n->helper, SIGKILL);
		waitpid(n->helper, NULL, 0);
		n->helper = 0;
		last_words(n->words, why, sizeof(why));
		ret = err_set(e, EIO, "network user: pasta gave up: %s", why);
	}
	close(n->ready);
	close(n->words);
	return ret;
}
