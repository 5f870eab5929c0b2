/* SPDX-License-Identifier: Apache-2.0 */
#include "run/share.h"

#include "base/endian.h"
#include "run/share_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- inodes ---- */

static u32 *bucket_of(struct server *s, dev_t dev, ino_t ino)
{
	u64 h = ((u64)ino ^ (u64)dev << 40) * 0x9e3779b97f4a7c15ull;

	return &s->bucket[h >> 54 & (ARRAY_LEN(s->bucket) - 1)];
}

struct node *node_get(struct server *s, u64 id)
{
	if (!id || id > s->nnodes || s->node[id - 1].fd < 0)
		return NULL;
	return &s->node[id - 1];
}

static u32 node_find(struct server *s, const struct stat *st)
{
	u32 i = *bucket_of(s, st->st_dev, st->st_ino);

	while (i && (s->node[i - 1].ino != st->st_ino || s->node[i - 1].dev != st->st_dev))
		i = s->node[i - 1].next;
	return i;
}

static u32 node_new(struct server *s)
{
	u32 i = s->free_node;

	if (i)
		s->free_node = s->node[i - 1].next;
	else if (s->nnodes < SHARE_NODES)
		i = ++s->nnodes;
	return i;
}

int node_add(struct server *s, int fd, u64 *id, struct stat *st)
{
	u32 i, *bucket;

	if (fstat(fd, st)) {
		close(fd);
		return -EIO;
	}
	i = node_find(s, st);
	if (i) {
		close(fd);
	} else {
		i = node_new(s);
		if (!i) {
			close(fd);
			return -ENFILE;
		}
		bucket = bucket_of(s, st->st_dev, st->st_ino);
		s->node[i - 1] = (struct node){
			.fd = fd, .dev = st->st_dev, .ino = st->st_ino, .next = *bucket};
		*bucket = i;
	}
	s->node[i - 1].lookups++;
	*id = i;
	return 0;
}

void node_forget(struct server *s, u64 id, u64 lookups)
{
	struct node *n = id == FUSE_ROOT_ID ? NULL : node_get(s, id);
	u32 *link;

	if (!n)
		return;
	n->lookups -= lookups < n->lookups ? lookups : n->lookups;
	if (n->lookups)
		return;
	link = bucket_of(s, n->dev, n->ino);
	while (*link != id)
		link = &s->node[*link - 1].next;
	*link = n->next;
	close(n->fd);
	n->fd = -1;
	n->next = s->free_node;
	s->free_node = (u32)id;
}

/* ---- open files ---- */

int handle_add(struct server *s, int fd, u64 *fh)
{
	for (u32 i = 0; i < SHARE_HANDLES; i++) {
		if (s->handle[i] < 0) {
			s->handle[i] = fd;
			*fh = i;
			return 0;
		}
	}
	close(fd);
	return -ENFILE;
}

int handle_get(const struct server *s, u64 fh)
{
	return fh < SHARE_HANDLES && s->handle[fh] >= 0 ? s->handle[fh] : -EBADF;
}

void handle_drop(struct server *s, u64 fh)
{
	if (handle_get(s, fh) < 0)
		return;
	close(s->handle[fh]);
	s->handle[fh] = -1;
}

int node_open(struct server *s, const struct node *n, int flags)
{
	char name[16];
	struct stat st;
	int fd;

	if (fstat(n->fd, &st) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return -EACCES;
	snprintf(name, sizeof(name), "%d", n->fd);
	fd = openat(s->proc, name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* ---- the loop ---- */

/* Answers the message of n bytes in s->in; the length of the answer, 0: none is due. */
static size_t serve_one(struct server *s, size_t n)
{
	const struct fuse_in_header *h = (const void *)(s->in + 8);
	struct fuse_out_header *out = (void *)(s->out + 8);
	struct request r = {
		.h = h, .args = s->in + 8 + sizeof(*h), .reply = s->out + 8 + sizeof(*out)};
	int ret;

	if (n < sizeof(*h))
		return 0;
	memcpy(s->out + 4, s->in + 4, 4); /* the slot */
	r.len = n - sizeof(*h);
	s->in[8 + n] = 0;
	ret = h->len == n ? share_answer(s, &r) : -EIO;
	if (h->opcode == FUSE_FORGET || h->opcode == FUSE_BATCH_FORGET)
		return 0;
	if (ret < 0)
		r.reply_len = 0;
	*out = (struct fuse_out_header){.len = (u32)(sizeof(*out) + r.reply_len),
					.error = ret < 0 ? ret : 0,
					.unique = h->unique};
	return sizeof(*out) + r.reply_len;
}

static struct server *server_new(int fd, int root, int proc, bool read_only)
{
	struct server *s = calloc(1, sizeof(*s));
	struct stat st;
	u64 id;

	if (!s)
		return NULL;
	s->node = calloc(SHARE_NODES, sizeof(*s->node));
	s->handle = malloc(SHARE_HANDLES * sizeof(*s->handle));
	if (s->handle)
		memset(s->handle, 0xff, SHARE_HANDLES * sizeof(*s->handle));
	s->proc = proc;
	s->sock = fd;
	s->read_only = read_only;
	if (s->node && s->handle && !node_add(s, root, &id, &st))
		return s;
	free(s->node);
	free(s->handle);
	free(s);
	return NULL;
}

static void server_free(struct server *s)
{
	for (u32 i = 0; i < s->nnodes; i++)
		if (s->node[i].fd >= 0)
			close(s->node[i].fd);
	for (u32 i = 0; i < SHARE_HANDLES; i++)
		handle_drop(s, i);
	free(s->node);
	free(s->handle);
	free(s);
}

void share_serve(int fd, int root, int proc, bool read_only, bool ppc64)
{
	struct server *s = server_new(fd, root, proc, read_only);
	ssize_t n;

	if (s)
		s->ppc64 = ppc64;
	while (s && (n = recv(fd, s->in + 4, sizeof(s->in) - 5, 0)) >= 4) {
		size_t len = serve_one(s, (size_t)n - 4);

		if (len && send(fd, s->out + 4, 4 + len, MSG_NOSIGNAL) < 0)
			break;
	}
	if (s)
		server_free(s);
}

/* ---- the process ---- */

/* A directory with the file in it, in memory of this name space. */
static int enter_file(const char *host)
{
	static const char dir[] = "/tmp";
	int file = open(host, O_PATH | O_CLOEXEC), fd;
	char from[40];

	if (file < 0 || mount("none", dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=16k") || chdir(dir))
		return -errno;
	fd = open("file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", file);
	if (fd < 0 || mount(from, "file", NULL, MS_BIND, NULL))
		return -errno;
	close(fd);
	close(file);
	return 0;
}

/* The directory becomes all there is. */
static int enter(const char *host, int *root, int *proc)
{
	struct stat st;

	*proc = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*proc < 0 || stat(host, &st))
		return -errno;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	if (!S_ISDIR(st.st_mode)) {
		int ret = enter_file(host);

		if (ret)
			return ret;
	} else if (chdir(host)) {
		return -errno;
	}
	*root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *root < 0 || chroot(".") || chdir("/") ? -errno : 0;
}

static void limits(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	umask(0);
}

static __attribute__((noreturn)) void child(const char *host, bool read_only, bool ppc64, int fd)
{
	int root = -1, proc = -1, ret;
	s32 word;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_NAME, "hull-share");
	limits();
	ret = enter(host, &root, &proc);
	word = ret;
	if (send(fd, &word, sizeof(word), MSG_NOSIGNAL) < 0 || ret)
		_exit(1);
	share_serve(fd, root, proc, read_only, ppc64);
	_exit(0);
}

int share_start(const char *host, bool read_only, bool ppc64, int *fd, pid_t *pid, struct err *e)
{
	int pair[2], size = 1 << 20;
	s32 word = -EIO;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_errno(e, "volume %s", host);
	for (int i = 0; i < 2; i++) /* a hint; what the host allows is enough */
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	*pid = fork();
	if (!*pid) {
		close_range(3, (unsigned)pair[1] - 1, 0);
		close_range((unsigned)pair[1] + 1, ~0u, 0);
		child(host, read_only, ppc64, pair[1]);
	}
	close(pair[1]);
	if (*pid < 0 || recv(pair[0], &word, sizeof(word), 0) != (ssize_t)sizeof(word) || word) {
		close(pair[0]);
		return err_set(e, word == -ENOENT ? ENOENT : EIO, "volume %s: %s", host,
			       strerror(-word));
	}
	*fd = pair[0];
	return 0;
}
