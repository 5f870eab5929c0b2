/* SPDX-License-Identifier: Apache-2.0 */
#include "run/network.h"

#include "host/paths.h"
#include "host/rootless.h"
#include "net/passt.h"
#include "run/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
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
static int build_args(struct args *a, const struct run_spec *spec, const struct network *n,
		      int ready, struct err *e)
{
	const char *card = n->named ? "eth1" : "eth0";
	/* clang-format off */
	const char *const fixed[] = {
		"pasta", "--foreground", "--stderr", "--quiet", "--config-net",
		"--no-netns-quit", "--netns-only", "--runas", "0",
		"--address", PASST_GUEST, "--netmask", PASST_NETMASK, "--gateway", PASST_GATEWAY,
		"--ns-ifname", card, "-T", "none", "-U", "none", "--netns", a->ns, "--pid", a->pid};
	/* clang-format on */

	static_assert(ARRAY_LEN(fixed) + 1 <= ARGS_FIXED, "room for the arguments");
	snprintf(a->ns, sizeof(a->ns), "/proc/self/fd/%d", n->ns);
	snprintf(a->pid, sizeof(a->pid), "/proc/self/fd/%d", ready);
	memcpy(a->v, fixed, sizeof(fixed));
	a->n = ARRAY_LEN(fixed);
	if (!passt_host_has_ipv6())
		a->v[a->n++] = "--ipv4-only";
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
	ret = build_args(&a, spec, n, ready[1], e);
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

/* The card on a named network. */
static int join(const struct thing *t, const struct run_spec *spec, struct network *n,
		struct err *e)
{
	struct net_place p;
	int ret = net_join(t, spec, &p, e);

	if (ret)
		return ret;
	n->bridge = p.ns;
	n->internal = p.net.internal;
	snprintf(n->ip, sizeof(n->ip), "%s", p.ip);
	return bridge_card(&p, n->ns, e);
}

int network_start(const struct thing *t, const struct run_spec *spec, struct network *n,
		  struct err *e)
{
	struct run_network kind;
	int ret = spec_network(spec, &kind, e);

	*n = (struct network){
		.ns = -1, .bridge = -1, .ready = -1, .words = -1, .named = kind.named};
	if (ret || spec_network_is(spec, "host"))
		return ret;
	ret = bridge_space(&n->ns, e);
	if (!ret && n->named)
		ret = join(t, spec, n, e);
	if (spec_network_is(spec, "user"))
		snprintf(n->ip, sizeof(n->ip), "%s", PASST_GUEST);
	n->internal |= spec_network_is(spec, "none");
	return ret || n->internal ? ret : start_pasta(spec, n, e);
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
