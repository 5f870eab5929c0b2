/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thing as a machine: kernel, initial RAM disk, the image's root as a block
 * device, and what the guest's init is told (run/wire.h, START).
 */
#include "run/initrd.h"
#include "run/bridge.h"
#include "run/internal.h"
#include "run/root.h"
#include "run/share.h"

#include "base/bits.h"
#include "net/passt.h"
#include "vm/control.h"
#include "vm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_DEFAULT MIB(512)
#define HOSTS_TAG "hosts"
/* Quiet, no waiting for hardware that is not there, entropy from the host. */
#define CMDLINE                                                                                    \
	"quiet loglevel=3 panic=-1 random.trust_cpu=on "                                           \
	"systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all mitigations=off "

/* What differs between the architectures of machines; those of others have no engine to choose. */
static const struct arch {
	const char *name, *kernel, *cmdline; /* name: as in run_spec */
} archs[] = {
	{NULL, "cloud",
	 CMDLINE "console=ttyS0 tsc=reliable no_timer_check 8250.nr_uarts=1 i8042.noaux "
		 "i8042.nokbd pci=lastbus=0"},
	{"ppc64le", "ppc64le", CMDLINE "console=hvc0"},
};

struct machine {
	struct vm_config cfg;
	struct kernel_entry kernel;
	char block[PATHS_MAX], initrd[PATHS_MAX], vsock[PATHS_MAX], console[PATHS_MAX];
	struct net_place place; /* on a named network; ns -1: on none */
};

/* A named network that is not internal. */
static bool way_out(const struct machine *m)
{
	return m->place.ns >= 0 && !m->place.net.internal;
}

/* ---- START ---- */

static void fields_bytes(struct fields *f, const char *p, size_t n)
{
	if (f->failed || f->len + n > WIRE_HEAD + WIRE_START_MAX) {
		f->failed = true;
		return;
	}
	if (f->len + n > f->cap) {
		size_t cap = 2 * (f->len + n) + 4096;
		u8 *more = realloc(f->p, cap);

		if (!more) {
			f->failed = true;
			return;
		}
		f->p = more;
		f->cap = cap;
	}
	memcpy(f->p + f->len, p, n);
	f->len += n;
}

void fields_add(struct fields *f, const char *key, const char *value)
{
	if (!f->len)
		fields_bytes(f, "\0\0\0\0\0\0\0", WIRE_HEAD); /* the head comes last */
	if (!value)
		return;
	fields_bytes(f, key, strlen(key));
	fields_bytes(f, "=", 1);
	fields_bytes(f, value, strlen(value) + 1);
}

void fields_list(struct fields *f, const char *key, const struct strv *l)
{
	for (unsigned i = 0; i < l->n; i++)
		fields_add(f, key, l->v[i]);
}

void fields_format(struct fields *f, const char *key, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) >= (int)sizeof(text))
		f->failed = true;
	va_end(ap);
	fields_add(f, key, text);
}

void fields_process(struct fields *f, const struct run_spec *spec)
{
	u64 caps = 0;

	spec_caps(spec, &caps, NULL);
	fields_list(f, "arg", &spec->args);
	fields_list(f, "env", &spec->env);
	fields_add(f, "cwd", spec->cwd);
	fields_add(f, "user", spec->user);
	if (spec->privileged)
		fields_add(f, "allcaps", "1");
	fields_format(f, "caps", "%llx", (unsigned long long)caps);
	if (!spec_no_new_privs(spec))
		fields_add(f, "newprivs", "1");
	if (spec->tty)
		fields_add(f, "tty", "1");
	if (spec->interactive)
		fields_add(f, "stdin", "1");
}

/* NAME ADDRESS/BITS MTU [GATEWAY] of each card. */
static int fields_network(struct fields *f, const struct machine *m, const struct run_spec *spec,
			  struct err *e)
{
	bool named = m->place.ns >= 0, out = spec_network_is(spec, "user") || way_out(m);
	struct strv lines = {0};
	int ret;

	if (named)
		fields_format(f, "card", "eth0 %s/%u %u", m->place.ip, m->place.net.bits,
			      BRIDGE_MTU);
	if (out) {
		fields_format(f, "card", "%s %s/24 %u %s", named ? "eth1" : "eth0", PASST_GUEST,
			      PASST_MTU, PASST_GATEWAY);
		ret = etc_resolv(spec, &lines, e);
		fields_list(f, "dns", &lines);
		strv_free(&lines);
		if (ret)
			return ret;
	}
	if (named) { /* changes while it runs: a volume (share_hosts) */
		fields_add(f, "volume", HOSTS_TAG ":rof:/etc/hosts");
		return 0;
	}
	ret = etc_hosts(spec, out ? PASST_GUEST : NULL, &lines, e);
	fields_list(f, "host", &lines);
	strv_free(&lines);
	return ret;
}

static void fields_volumes(struct fields *f, const struct run_spec *spec)
{
	struct run_volume v;
	struct stat st;

	for (unsigned i = 0; i < spec->volumes.n; i++) {
		if (spec_volume(spec->volumes.v[i], &v, NULL))
			continue;
		fields_format(f, "volume", "hull%u:%s%s:%s", i, v.ro ? "ro" : "rw",
			      !stat(v.host, &st) && !S_ISDIR(st.st_mode) ? "f" : "", v.path);
	}
}

/* The whole START frame in a file without a name. */
static int payload(const struct machine *m, const struct run_spec *spec, struct err *e)
{
	struct fields f = {0};
	struct timespec now;
	int ret, fd;

	clock_gettime(CLOCK_REALTIME, &now);
	fields_process(&f, spec);
	fields_add(&f, "root", "/dev/vda");
	fields_add(&f, "hostname", spec->hostname ?: spec->name);
	fields_format(&f, "time", "%lld%09ld", (long long)now.tv_sec, now.tv_nsec);
	fields_list(&f, "tmpfs", &spec->tmpfs);
	if (spec->read_only)
		fields_add(&f, "readonly", "1");
	fields_volumes(&f, spec);
	ret = fields_network(&f, m, spec, e);
	if (!ret && f.failed)
		ret = err_set(e, E2BIG, "arguments and environment are more than %u KiB",
			      WIRE_START_MAX >> 10);
	fd = ret ? -1 : memfd_create("start", MFD_CLOEXEC);
	if (fd >= 0) {
		wire_head(f.p, WIRE_START, (u32)(f.len - WIRE_HEAD));
		if (write(fd, f.p, f.len) != (ssize_t)f.len || lseek(fd, 0, SEEK_SET))
			ret = err_errno(e, "cannot keep the settings");
	}
	free(f.p);
	return ret ? ret : fd;
}

/* ---- configuration ---- */

/* The card on a named network is the first, as in a container. */
static int configure_net(struct machine *m, const struct run_spec *spec, struct err *e)
{
	struct vm_config *cfg = &m->cfg;
	struct vm_net *n = &cfg->net[0];
	int ret = 0;

	if (m->place.ns >= 0) {
		n->fd = bridge_tap(&m->place, e);
		if (n->fd < 0)
			return n->fd;
		n->kind = VM_NET_FD;
		n->mtu = BRIDGE_MTU;
		bridge_mac(m->place.ip, n->mac);
		cfg->nnets++;
		n++;
	}
	if (!spec_network_is(spec, "user") && !way_out(m)) {
		cfg->no_net = !cfg->nnets;
		return 0;
	}
	cfg->nnets++;
	n->kind = VM_NET_USER;
	for (unsigned i = 0; !ret && i < spec->ports.n; i++) {
		struct run_port p;

		ret = spec_port(spec->ports.v[i], &p, e);
		if (!ret && n->nforwards == VM_FORWARDS_MAX)
			ret = err_set(e, EINVAL, "at most %u ports", VM_FORWARDS_MAX);
		if (!ret)
			n->forward[n->nforwards++] =
				(struct vm_forward){.host = p.host, .guest = p.guest, .udp = p.udp};
	}
	return ret;
}

static const struct arch *arch_of(const struct run_spec *spec)
{
	for (unsigned i = 1; spec->arch && i < ARRAY_LEN(archs); i++)
		if (!strcmp(spec->arch, archs[i].name))
			return &archs[i];
	return &archs[0];
}

static int find_kernel(const struct run_spec *spec, struct kernel_entry *k, struct err *e)
{
	const struct arch *a = arch_of(spec);
	const char *name = spec->kernel ?: a->kernel;
	char fetched[128];
	int ret = kernel_find(name, k, e);

	if (ret != -ENOENT || spec->kernel)
		return ret;
	*e = (struct err){0};
	ret = kernel_fetch(a->name ?: "x86_64", a->kernel, fetched, e);
	if (ret)
		return err_wrap(e, "a machine needs a kernel (`hull kernel fetch`)");
	return kernel_find(name, k, e);
}

static int configure(struct machine *m, const struct start *s, struct err *e)
{
	const struct run_spec *spec = s->spec;
	struct vm_config *cfg = &m->cfg;
	int ret;

	vm_config_default(cfg);
	if ((ret = vm_config_name(cfg, spec->name, e)) ||
	    (spec->arch && (ret = vm_config_arch(cfg, spec->arch, e))) ||
	    (ret = vm_config_engine(cfg, spec->engine ?: "auto", e)) ||
	    (ret = find_kernel(spec, &m->kernel, e)) ||
	    (ret = initrd_get(&m->kernel, spec->arch, m->initrd, e)) ||
	    (ret = configure_net(m, spec, e)) || (ret = thing_path(s->t, "v/vsock", m->vsock, e)) ||
	    (ret = thing_path(s->t, "console", m->console, e)))
		return ret;
	cfg->kvm_device = spec->kvm_device;
	cfg->kernel = m->kernel.path;
	cfg->initrd[cfg->ninitrds++] = m->initrd;
	cfg->append = arch_of(spec)->cmdline;
	cfg->vsock = m->vsock;
	cfg->console = VM_CONSOLE_FILE;
	cfg->console_file = m->console;
	cfg->memory = spec->memory ? align_up(spec->memory, MIB(1)) : MEMORY_DEFAULT;
	cfg->ncpus = spec->millicpus ? (unsigned)((spec->millicpus + 999) / 1000) : 1;
	snprintf(cfg->disk[0].path, sizeof(cfg->disk[0].path), "%s", m->block);
	cfg->disk[0].readonly = true;
	cfg->ndisks = 1;
	return vm_config_check(cfg, e);
}

/* A process for each volume; they end when the machine's process does. */
static int start_shares(struct vm_config *cfg, const struct run_spec *spec, struct err *e)
{
	struct run_volume v;
	pid_t pid;
	int ret = 0;

	for (unsigned i = 0; !ret && i < spec->volumes.n; i++) {
		if (i == VM_SHARES_MAX)
			return err_set(e, EINVAL, "at most %u volumes", VM_SHARES_MAX);
		ret = spec_volume(spec->volumes.v[i], &v, e);
		if (!ret)
			ret = share_start(v.host, v.ro, cfg->arch == VM_ARCH_PPC64,
					  &cfg->share[i].fd, &pid, e);
		if (ret)
			break;
		snprintf(cfg->share[i].tag, sizeof(cfg->share[i].tag), "hull%u", i);
		cfg->nshares++;
	}
	return ret;
}

/* /etc/hosts of a named network, which changes as others come and go. */
static int share_hosts(struct machine *m, const struct thing *t, struct err *e)
{
	struct vm_config *cfg = &m->cfg;
	char path[PATHS_MAX];
	pid_t pid;
	int ret = thing_path(t, "hosts", path, e);

	if (m->place.ns < 0 || ret)
		return ret;
	if (cfg->nshares == VM_SHARES_MAX)
		return err_set(e, EINVAL, "on a named network at most %u volumes",
			       VM_SHARES_MAX - 1);
	ret = share_start(path, true, cfg->arch == VM_ARCH_PPC64, &cfg->share[cfg->nshares].fd,
			  &pid, e);
	if (ret)
		return ret;
	snprintf(cfg->share[cfg->nshares].tag, sizeof(cfg->share[0].tag), HOSTS_TAG);
	cfg->nshares++;
	return 0;
}

/* What the machine's process has of its own by now. */
static void close_parts(const struct vm_config *cfg)
{
	for (unsigned i = 0; i < cfg->nshares; i++)
		close(cfg->share[i].fd);
	if (cfg->nnets && cfg->net[0].kind == VM_NET_FD)
		close(cfg->net[0].fd);
}

/* ---- the process ---- */

/* Where the guest's init reports: v/vsock_PORT. The directory is all the sandbox leaves. */
static int listen_wire(const struct thing *t, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char dir[PATHS_MAX], stale[PATHS_MAX];
	int fd, n, ret = thing_path(t, "v", dir, e);

	if (ret)
		return ret;
	if (mkdir(dir, 0755) && errno != EEXIST)
		return err_errno(e, "%s", dir);
	if (!thing_path(t, "v/vsock", stale, NULL))
		unlink(stale);
	n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/vsock_%u", dir, WIRE_PORT_MAIN);
	if (n >= (int)sizeof(sa.sun_path))
		return err_set(e, ENAMETOOLONG,
			       "%s is too long for a socket: set HULL_DATA to a shorter directory",
			       dir);
	unlink(sa.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1) ||
	    chmod(sa.sun_path, 0666)) {
		ret = err_errno(e, "%s", sa.sun_path);
		if (fd >= 0)
			close(fd);
		return ret;
	}
	return fd;
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static __attribute__((noreturn)) void machine_main(const struct vm_config *cfg, int report)
{
	struct vm_result result = {0};
	struct err e = {0};
	struct vm *vm = NULL;
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	block_signals();
	ret = vm_create(cfg, &vm, &e);
	if (ret && write(report, &e, sizeof(e)) < 0)
		_exit(125);
	close(report);
	if (!ret)
		ret = vm_run(vm, &result, &e);
	if (ret || result.text[0])
		fprintf(stderr, "hull: %s\n", ret ? e.msg : result.text);
	vm_destroy(vm);
	_exit(ret ? 125 : 0);
}

/* Waits until the machine's process has everything open, or said what is wrong. */
static int await_machine(int fd, struct err *e)
{
	struct err said;
	ssize_t n = read(fd, &said, sizeof(said));

	if (n == (ssize_t)sizeof(said)) {
		said.msg[sizeof(said.msg) - 1] = 0;
		return err_set(e, said.status, "%s", said.msg);
	}
	return n ? err_set(e, EIO, "the machine's process ended at once") : 0;
}

static int run_machine(struct start *s, const struct vm_config *cfg, struct err *e)
{
	int p[2], ret;

	if (pipe2(p, O_CLOEXEC))
		return err_errno(e, "pipe");
	s->child = fork();
	if (!s->child) {
		close(p[0]);
		close(s->lock);
		close(s->listener);
		if (s->owner >= 0)
			close(s->owner);
		close(s->wire);
		close(s->payload);
		if (s->net >= 0)
			close(s->net);
		machine_main(cfg, p[1]);
	}
	close(p[1]);
	ret = s->child < 0 ? err_errno(e, "cannot start the machine's process")
			   : await_machine(p[0], e);
	close(p[0]);
	return ret;
}

static int join(struct machine *m, struct start *s, struct err *e)
{
	struct run_network n;
	int ret = spec_network(s->spec, &n, e);

	if (ret || !n.named)
		return ret;
	ret = net_join(s->t, s->spec, &m->place, e);
	s->net = m->place.ns;
	return ret;
}

int machine_start(struct start *s, struct err *e)
{
	struct machine *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return err_set(e, ENOMEM, "no memory for a machine");
	m->place.ns = -1;
	ret = root_block(s->spec, m->block, e);
	if (!ret)
		ret = join(m, s, e);
	if (!ret)
		ret = configure(m, s, e);
	if (!ret)
		ret = s->wire = listen_wire(s->t, e);
	if (ret >= 0)
		ret = s->payload = payload(m, s->spec, e);
	if (ret >= 0)
		ret = start_shares(&m->cfg, s->spec, e);
	if (ret >= 0)
		ret = share_hosts(m, s->t, e);
	if (ret >= 0)
		ret = run_machine(s, &m->cfg, e);
	close_parts(&m->cfg);
	free(m);
	return ret < 0 ? ret : 0;
}

int machine_finish(const struct thing *t, const struct run_spec *spec, struct err *e)
{
	static const char *const sockets[] = {"v/vsock", "v/vsock_1024"};
	char path[PATHS_MAX];

	control_unlink(t->name);
	for (unsigned i = 0; i < ARRAY_LEN(sockets); i++)
		if (!thing_path(t, sockets[i], path, NULL))
			unlink(path);
	return 0;
}
