/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine is wired to on the host's side: console, control socket,
 * disks and networks.
 */
#include "base/endian.h"
#include "base/hash.h"
#include "block/raw.h"
#include "block/share.h"
#include "net/passt.h"
#include "net/vsock_unix.h"
#include "net/tap.h"
#include "vm/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- console ---- */

static int console_file_open(struct vm *vm, struct err *e)
{
	const char *path = vm->cfg->console_file;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
	int ret;

	if (fd < 0)
		return err_errno(e, "console file %s", path);
	ret = console_add(vm->console, &(struct console_sink){.in = -1, .out = fd, .own = true}, e);
	if (ret)
		close(fd);
	return ret;
}

static int console_pty_open(struct vm *vm, struct err *e)
{
	struct termios raw;
	int in, fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || grantpt(fd) || unlockpt(fd) ||
	    ptsname_r(fd, vm->pty_name, sizeof(vm->pty_name)))
		return err_errno(e, "cannot make a pseudo terminal");
	vm->ptyfd = open(vm->pty_name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	in = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (vm->ptyfd < 0 || in < 0 || tcgetattr(vm->ptyfd, &raw))
		return err_errno(e, "pseudo terminal %s", vm->pty_name);
	cfmakeraw(&raw);
	tcsetattr(vm->ptyfd, TCSANOW, &raw);
	fprintf(stderr, "hull: console on %s\n", vm->pty_name);
	return console_add(vm->console, &(struct console_sink){.in = in, .out = fd, .own = true},
			   e);
}

int vm_console_open(struct vm *vm, const struct console_menu *menu, struct err *e)
{
	struct console_sink stdio = {.in = STDIN_FILENO, .out = STDOUT_FILENO};
	u16 cols, rows;
	int ret;

	if (vm->cfg->console == VM_CONSOLE_FILE)
		return console_file_open(vm, e);
	if (vm->cfg->console == VM_CONSOLE_PTY)
		return console_pty_open(vm, e);
	if (isatty(STDIN_FILENO)) {
		stdio.key = menu->key;
		stdio.opaque = menu->opaque;
	}
	/* Started in the background: reading the terminal shall fail, not stop us. */
	signal(SIGTTIN, SIG_IGN);
	ret = console_add(vm->console, &stdio, e);
	if (!ret && tty_window(STDOUT_FILENO, &cols, &rows))
		console_resize(vm->console, cols, rows);
	return ret;
}

/* ---- control socket ---- */

static void add_status(struct vm *vm, json_t *r)
{
	const char *state = vm->result.end != VM_END_NONE ? "ending"
			    : vm->paused		  ? "paused"
							  : "running";

	json_object_set_new(r, "name", json_string(vm->cfg->name));
	json_object_set_new(r, "state", json_string(state));
	json_object_set_new(r, "engine", json_string(vm->ops->name));
	json_object_set_new(r, "cpus", json_integer(vm->cfg->ncpus));
	json_object_set_new(r, "memory_mib", json_integer((json_int_t)(vm->cfg->memory >> 20)));
	json_object_set_new(r, "pid", json_integer(vm->pid));
	json_object_set_new(r, "uptime_s", json_real((double)io_now(loop_clock(vm->loop)) / 1e9));
}

static void add_optional(json_t *r, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(r, key, json_string(text));
}

static json_t *vcpu_counters(struct vm *vm, unsigned i)
{
	struct engine_counters c = {0};

	vm->ops->vcpu_counters(vm->board->vcpu[i], &c);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "instructions",
			 (json_int_t)c.instructions, "blocks_translated",
			 (json_int_t)c.blocks_translated, "tlb_misses", (json_int_t)c.tlb_misses,
			 "exits", (json_int_t)c.exits, "interrupts", (json_int_t)c.interrupts,
			 "invalidations", (json_int_t)c.invalidations, "code_bytes",
			 (json_int_t)c.code_bytes);
}

/* Memory of this process in KiB, by kind; opened before the sandbox closed /proc. */
static void add_memory(struct vm *vm, json_t *r)
{
	static const char *const keys[] = {"RssAnon", "RssFile", "RssShmem"};
	char text[4096];
	ssize_t n = pread(vm->statusfd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		const char *at = strstr(text, keys[i]);

		if (at)
			json_object_set_new(
				r, keys[i],
				json_integer(strtoll(at + strlen(keys[i]) + 1, NULL, 10)));
	}
}

static void add_mib(json_t *r, const char *key, u64 bytes)
{
	if (bytes != ~0ULL)
		json_object_set_new(r, key, json_integer((json_int_t)(bytes >> 20)));
}

static void add_balloon(struct vm *vm, json_t *r)
{
	struct board_balloon b;

	vm->board->ops->balloon_get(vm->board, &b);
	add_mib(r, "target_mib", b.target);
	add_mib(r, "given_mib", b.given);
	add_mib(r, "released_mib", b.released);
	add_mib(r, "guest_free_mib", b.guest_free);
	add_mib(r, "guest_usable_mib", b.guest_usable);
}

/* {"do":"balloon", "mib":N}; without mib it only tells. */
static int request_balloon(struct vm *vm, json_t *request, json_t *reply, struct err *e)
{
	json_t *mib = json_object_get(request, "mib");
	json_int_t n = json_integer_value(mib), max = (json_int_t)(vm->cfg->memory >> 20);

	if (mib && (n < VM_BALLOON_MIN_MIB || n > max))
		return err_set(e, EINVAL, "the guest has %lld MiB: give %d to %lld MiB to leave it",
			       (long long)max, VM_BALLOON_MIN_MIB, (long long)max);
	if (mib)
		vm->board->ops->balloon_set(vm->board, (u64)n << 20);
	add_balloon(vm, reply);
	return 0;
}

static void add_inspect(struct vm *vm, json_t *r)
{
	json_t *balloon = json_object();
	json_t *cpus = json_array(), *disks = json_array(), *mem = json_object();

	add_status(vm, r);
	add_optional(r, "kernel", vm->cfg->kernel);
	add_optional(r, "firmware", vm->cfg->firmware);
	add_optional(r, "append", vm->cfg->append);
	add_optional(r, "pty", vm->pty_name);
	json_object_set_new(r, "boot", json_string(vm->board->boot_name));
	json_object_set_new(r, "resets", json_integer(vm->resets));
	for (unsigned i = 0; i < vm->cfg->ndisks; i++)
		json_array_append_new(disks, json_pack("{s:s, s:b}", "path", vm->cfg->disk[i].path,
						       "readonly", vm->cfg->disk[i].readonly));
	for (unsigned i = 0; i < vm->cfg->ncpus && vm->ops->vcpu_counters; i++)
		json_array_append_new(cpus, vcpu_counters(vm, i));
	add_memory(vm, mem);
	json_object_set_new(r, "disks", disks);
	json_object_set_new(r, "vcpus", cpus);
	json_object_set_new(r, "memory_kib", mem);
	add_balloon(vm, balloon);
	json_object_set_new(r, "balloon", balloon);
}

static void request_window(struct vm *vm, json_t *request)
{
	json_int_t cols = json_integer_value(json_object_get(request, "cols"));
	json_int_t rows = json_integer_value(json_object_get(request, "rows"));

	if (cols > 0 && cols <= UINT16_MAX && rows > 0 && rows <= UINT16_MAX)
		console_resize(vm->console, (u16)cols, (u16)rows);
}

static int on_request(void *opaque, const char *what, json_t *request, json_t *reply, bool *console,
		      struct err *e)
{
	struct vm *vm = opaque;

	if (!strcmp(what, "status"))
		add_status(vm, reply);
	else if (!strcmp(what, "inspect"))
		add_inspect(vm, reply);
	else if (!strcmp(what, "stop"))
		vm_power_button(vm);
	else if (!strcmp(what, "kill"))
		vm_finish(vm, VM_END_KILLED, SIGKILL, "killed by `hull kill`");
	else if (!strcmp(what, "pause"))
		vm_pause(vm);
	else if (!strcmp(what, "resume"))
		vm_resume(vm);
	else if (!strcmp(what, "reset"))
		vm_request_reset(vm);
	else if (!strcmp(what, "balloon"))
		return request_balloon(vm, request, reply, e);
	else if (!strcmp(what, "console") || !strcmp(what, "resize")) {
		request_window(vm, request);
		*console = !strcmp(what, "console");
	} else
		return err_set(e, EINVAL, "unknown request");
	return 0;
}

static int on_stream(void *opaque, int fd, struct err *e)
{
	struct vm *vm = opaque;
	int ret, in = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (in < 0)
		return err_errno(e, "console");
	ret = console_add(vm->console, &(struct console_sink){.in = in, .out = fd, .own = true}, e);
	if (ret)
		close(in);
	return ret;
}

int vm_control_open(struct vm *vm, struct err *e)
{
	static const struct control_ops ops = {.request = on_request, .stream = on_stream};

	vm->pid = getpid();
	vm->statusfd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	return control_create(vm->loop, vm->cfg->name, &ops, vm, &vm->control, e);
}

/* ---- back ends ---- */

static int open_disk(struct vm *vm, unsigned i, struct board_config *board, struct err *e)
{
	const struct vm_disk *d = &vm->cfg->disk[i];
	const struct raw_config rc = {
		.path = d->path, .readonly = d->readonly, .serial = d->serial};
	int ret = raw_open(vm->loop, &rc, &vm->disk[i], e);

	if (ret)
		return ret;
	board->disk_mmio[board->ndisks] = d->mmio;
	board->disk[board->ndisks++] = vm->disk[i];
	return 0;
}

/*
 * A locally administered address (IEEE 802: bit 1 of the first byte) that stays
 * the same for a machine's name: a hash of the name and the card's number.
 */
static void make_mac(const char *name, unsigned card, u8 mac[6])
{
	store_le(mac, 6, hash_byte(hash_text(name), (u8)card));
	mac[0] = 0x02;
}

static int open_net(struct vm *vm, unsigned i, struct board_config *board, struct err *e)
{
	const struct vm_net *n = &vm->cfg->net[i];
	struct passt_forward forward[VM_FORWARDS_MAX];
	struct passt_config pt = {
		.forward = forward, .nforwards = n->nforwards, .ipv4_only = n->ipv4};
	int ret;

	make_mac(vm->cfg->name, i, pt.mac);
	for (unsigned k = 0; k < n->nforwards; k++)
		forward[k] = (struct passt_forward){.host = n->forward[k].host,
						    .guest = n->forward[k].guest,
						    .udp = n->forward[k].udp};
	switch (n->kind) {
	case VM_NET_TAP:
		ret = tap_open(vm->loop, n->tap, pt.mac, &vm->net[i], e);
		break;
	case VM_NET_FD:
		ret = tap_adopt(vm->loop, n->fd, n->mtu, n->mac, &vm->net[i], e);
		break;
	default:
		ret = passt_start(vm->loop, &pt, &vm->net[i], e);
	}
	if (!ret)
		board->net[board->nnets++] = vm->net[i];
	return ret;
}

static int open_ports(struct vm *vm, struct board_config *board, struct err *e)
{
	int ret = ports_open(vm->loop, vm->cfg, &vm->ports, e);

	for (unsigned i = 0; !ret && i < vm->cfg->nports; i++)
		board->port[board->nports++] =
			(struct board_port){vm->cfg->port[i].name, ports_char(vm->ports, i)};
	return ret;
}

int backends_open(struct vm *vm, struct board_config *board, struct err *e)
{
	int ret = 0;

	for (unsigned i = 0; !ret && i < vm->cfg->ndisks; i++)
		ret = open_disk(vm, i, board, e);
	for (unsigned i = 0; !ret && i < vm->cfg->nnets; i++)
		ret = open_net(vm, i, board, e);
	for (unsigned i = 0; !ret && i < vm->cfg->nshares; i++) {
		ret = share_open(vm->loop, vm->cfg->share[i].tag, vm->cfg->share[i].fd,
				 &vm->share[i], e);
		board->share[board->nshares++] = vm->share[i];
	}
	if (!ret && vm->cfg->vsock) {
		ret = vsock_unix_open(vm->loop, vm->cfg->vsock, &vm->vsock, e);
		board->vsock = vm->vsock;
	}
	return ret ? ret : open_ports(vm, board, e);
}

void backends_drain(struct vm *vm)
{
	for (unsigned i = 0; i < VM_DISKS_MAX; i++)
		if (vm->disk[i])
			raw_drain(vm->disk[i]);
}

void backends_close(struct vm *vm)
{
	if (!vm->loop)
		return;
	loop_lock(vm->loop);
	for (unsigned i = 0; i < VM_DISKS_MAX; i++)
		raw_close(vm->disk[i]);
	for (unsigned i = 0; i < VM_NETS_MAX; i++) {
		if (!vm->net[i])
			continue;
		if (vm->cfg->net[i].kind == VM_NET_USER)
			passt_stop(vm->net[i]);
		else
			tap_close(vm->net[i]);
	}
	for (unsigned i = 0; i < VM_SHARES_MAX; i++)
		share_close(vm->share[i]);
	vsock_unix_close(vm->vsock);
	loop_unlock(vm->loop);
	ports_close(vm->ports);
}

void vm_cleanup(const struct vm_config *cfg)
{
	if (cfg->vsock)
		vsock_unix_unlink(cfg->vsock);
	ports_unlink(cfg);
}
