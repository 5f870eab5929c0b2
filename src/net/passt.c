/* SPDX-License-Identifier: Apache-2.0 */
/* passt as a child process. Contract in passt.h. */
#include "net/passt.h"

#include "base/endian.h"
#include "host/log.h"
#include "net/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_FD 3 /* the socket, in the child */
#define ARGS_FIXED 24
#define ARGS_MAX (ARGS_FIXED + 2 * PASST_FORWARDS_MAX + 1)
#define START_MS 5000	  /* until it answers */
#define LAST_WORDS_MS 200 /* that it may still have to say */
#define STOP_MS 1000	  /* until it ends after its socket is closed */

struct passt {
	struct net_stream stream;
	struct loop *loop;
	pid_t pid;
	int err_fd; /* its standard error */
	struct loop_fd err_watch;
	char words[512]; /* the line of standard error being read */
	size_t nwords;
	char last[256]; /* last line worth telling */
};

struct args {
	const char *v[ARGS_MAX];
	unsigned n;
	char forward[PASST_FORWARDS_MAX][64];
};

static struct passt *passt_of(struct io_net *n)
{
	return container_of(n, struct passt, stream.io);
}

static void arg(struct args *a, const char *s)
{
	a->v[a->n++] = s;
}

/* A line of /proc/net/route whose destination and mask are 0. */
static bool have_default_route(void)
{
	FILE *f = fopen("/proc/net/route", "re");
	char line[256];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		unsigned long dest, gw, flags, mask;

		found = sscanf(line, "%*s %lx %lx %lx %*d %*d %*d %lx", &dest, &gw, &flags,
			       &mask) == 4 &&
			!dest && !mask;
	}
	if (f)
		fclose(f);
	return found;
}

/* The same for IPv6: destination ::/0 by a device other than the loopback's unreachable route. */
static bool have_default_route_6(void)
{
	FILE *f = fopen("/proc/net/ipv6_route", "re");
	char line[256], dest[40], device[32];
	bool found = false;
	unsigned bits;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%39s %x %*s %*s %*s %*s %*s %*s %*s %31s", dest, &bits,
			       device) == 3 &&
			!bits && strspn(dest, "0") == 32 && strcmp(device, "lo") != 0;
	if (f)
		fclose(f);
	return found;
}

bool passt_host_has_ipv6(void)
{
	return have_default_route() && have_default_route_6();
}

static int add_forwards(struct args *a, const struct passt_config *cfg, struct err *e)
{
	if (cfg->nforwards > PASST_FORWARDS_MAX)
		return err_set(e, EINVAL, "at most %u port forwards", PASST_FORWARDS_MAX);
	for (unsigned i = 0; i < cfg->nforwards; i++) {
		const struct passt_forward *f = &cfg->forward[i];
		const char *addr = f->addr ? f->addr : "127.0.0.1";
		struct in_addr in;

		if (!inet_aton(addr, &in))
			return err_set(e, EINVAL, "port forward: %.40s is not an IPv4 address",
				       addr);
		if (!f->host || !f->guest)
			return err_set(e, EINVAL, "port forward: 0 is not a port");
		snprintf(a->forward[i], sizeof(a->forward[i]), "%s/%u:%u", inet_ntoa(in), f->host,
			 f->guest);
		arg(a, f->udp ? "-u" : "-t");
		arg(a, a->forward[i]);
	}
	return 0;
}

static int build_args(struct args *a, const struct passt_config *cfg, struct err *e)
{
	static const char *const fixed[] = {
		"passt",     "--foreground", "--stderr",   "--quiet",	     "--fd",
		"3",	     "--address",    PASST_GUEST,  "--netmask",	     PASST_NETMASK,
		"--gateway", PASST_GATEWAY,  "--mac-addr", PASST_GATEWAY_MAC};
	bool v4 = have_default_route();
	int err;

	static_assert(ARRAY_LEN(fixed) + 3 <= ARGS_FIXED, "room for the arguments");
	for (unsigned i = 0; i < ARRAY_LEN(fixed); i++)
		arg(a, fixed[i]);
	if (cfg->ipv4_only || !passt_host_has_ipv6())
		arg(a, "--ipv4-only");
	if (!v4) {
		arg(a, "--interface");
		arg(a, "lo");
	}
	err = add_forwards(a, cfg, e);
	arg(a, NULL);
	return err;
}

/* --- its standard error --- */

static void line_done(struct passt *p)
{
	p->words[p->nwords] = 0;
	p->nwords = 0;
	/* Without a system log it complains about every line; that is not news. */
	if (!p->words[0] || !strncmp(p->words, "Failed to send", 14))
		return;
	log_debug("passt: %s", p->words);
	snprintf(p->last, sizeof(p->last), "%.*s", (int)sizeof(p->last) - 1, p->words);
}

/* False at the end of it. */
static bool read_words(struct passt *p)
{
	char buf[512];
	ssize_t n = read(p->err_fd, buf, sizeof(buf));

	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n')
			line_done(p);
		else if (p->nwords < sizeof(p->words) - 1)
			p->words[p->nwords++] = buf[i];
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void words_ready(void *opaque, u32 events)
{
	struct passt *p = opaque;

	if (!read_words(p))
		loop_fd_del(p->loop, &p->err_watch);
}

static void lost(void *opaque, const char *why)
{
	struct passt *p = opaque;

	log_error("network: passt is gone (%s); the guest's network is down%s%s", why,
		  p->last[0] ? ": " : "", p->last);
}

/* --- starting --- */

static int spawn(struct passt *p, const struct args *a, int sock, int err_fd, struct err *e)
{
	posix_spawn_file_actions_t fa;
	int ret;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, err_fd, 2);
	posix_spawn_file_actions_adddup2(&fa, sock, CHILD_FD);
	ret = posix_spawnp(&p->pid, a->v[0], &fa, NULL, (char *const *)a->v, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (!ret)
		return 0;
	p->pid = 0;
	if (ret == ENOENT)
		return err_set(e, ENOENT,
			       "user networking needs passt; install it (apt-get install passt) or "
			       "use --net none");
	return err_set(e, ret, "cannot start passt: %s", strerror(ret));
}

/* An ARP request for the gateway: the first thing that proves passt is there. */
static int probe(struct passt *p, int fd, const u8 mac[6])
{
	u8 f[4 + 42] = {[3] = 42};
	u8 *eth = f + 4, *arp = eth + 14;

	memset(eth, 0xff, 6);
	memcpy(eth + 6, mac, 6);
	store_be16(eth + 12, 0x0806);
	memcpy(arp, (const u8[]){0, 1, 8, 0, 6, 4, 0, 1}, 8);
	memcpy(arp + 8, mac, 6);
	inet_pton(AF_INET, PASST_GUEST, arp + 14);
	inet_pton(AF_INET, PASST_GATEWAY, arp + 24);
	return send(fd, f, sizeof(f), MSG_NOSIGNAL) == sizeof(f) ? 0 : -errno;
}

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

/* Until the answer, whose bytes stay in the socket (the guest ignores it), or the end. */
static int await(struct passt *p, int fd, struct err *e)
{
	u64 end = now_ms() + START_MS;

	for (;;) {
		struct pollfd pf[2] = {{fd, POLLIN, 0}, {p->err_fd, POLLIN, 0}};
		u64 now = now_ms();
		char c;

		if (now >= end)
			return err_set(e, ETIMEDOUT, "passt does not answer");
		if (poll(pf, 2, (int)(end - now)) < 0 && errno != EINTR)
			return err_errno(e, "passt");
		if (pf[1].revents & POLLIN)
			read_words(p);
		if (!pf[0].revents)
			continue;
		if (recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
			return 0;
		while (poll(&pf[1], 1, LAST_WORDS_MS) == 1 && read_words(p))
			;
		return err_set(e, EIO, "passt gave up: %s",
			       p->last[0] ? p->last : "it did not say why");
	}
}

static void reap(struct passt *p)
{
	struct timespec t = {.tv_nsec = 5000000};

	if (!p->pid)
		return;
	for (unsigned ms = 0; ms < STOP_MS; ms += 5) {
		if (waitpid(p->pid, NULL, WNOHANG))
			return;
		nanosleep(&t, NULL);
	}
	/* It may belong to another user by now; then it is left to its own one-off exit. */
	if (!kill(p->pid, SIGKILL))
		waitpid(p->pid, NULL, 0);
}

static int connect_child(struct passt *p, const struct args *a, int *fd, struct err *e)
{
	int pair[2], pipefd[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_errno(e, "network: socketpair");
	if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK)) {
		close(pair[0]);
		close(pair[1]);
		return err_errno(e, "network: pipe");
	}
	err = spawn(p, a, pair[1], pipefd[1], e);
	close(pair[1]);
	close(pipefd[1]);
	*fd = pair[0];
	p->err_fd = pipefd[0];
	return err;
}

static int start(struct passt *p, const struct passt_config *cfg, int *fd, struct err *e)
{
	struct args a = {.n = 0};
	int err = build_args(&a, cfg, e);

	if (!err)
		err = connect_child(p, &a, fd, e);
	if (err)
		return err;
	probe(p, *fd, cfg->mac);
	return await(p, *fd, e);
}

int passt_start(struct loop *l, const struct passt_config *cfg, struct io_net **out, struct err *e)
{
	struct passt *p = calloc(1, sizeof(*p));
	int fd = -1, err;

	if (!p)
		return err_set(e, ENOMEM, "network: out of memory");
	p->err_fd = -1;
	p->loop = l;
	p->stream.fd = -1;
	p->stream.loop = l;
	err = start(p, cfg, &fd, e);
	if (!err) {
		err = net_stream_init(&p->stream, l, fd, e);
		fd = -1;
	}
	if (!err)
		err = loop_fd_add(l, &p->err_watch, p->err_fd, EPOLLIN, words_ready, p, e);
	if (err) {
		if (fd >= 0)
			close(fd);
		passt_stop(&p->stream.io);
		return err;
	}
	p->stream.lost = lost;
	p->stream.opaque = p;
	memcpy(p->stream.io.mac, cfg->mac, 6);
	p->stream.io.mtu = PASST_MTU;
	*out = &p->stream.io;
	return 0;
}

void passt_stop(struct io_net *n)
{
	struct passt *p;

	if (!n)
		return;
	p = passt_of(n);
	net_stream_fini(&p->stream);
	loop_fd_del(p->loop, &p->err_watch);
	if (p->err_fd >= 0)
		close(p->err_fd);
	reap(p);
	free(p);
}
