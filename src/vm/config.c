/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/config.h"

#include "vm/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void vm_config_default(struct vm_config *cfg)
{
	*cfg = (struct vm_config){
		.engine = VM_ENGINE_AUTO,
		.ncpus = 1,
		.memory = MIB(512),
		.append = "",
		.console = VM_CONSOLE_STDIO,
		.sandbox = true,
	};
	snprintf(cfg->name, sizeof(cfg->name), "vm-%u", (unsigned)getpid());
}

int vm_config_arch(struct vm_config *cfg, const char *text, struct err *e)
{
	static const struct {
		const char *name;
		enum vm_arch arch;
	} names[] = {
		{"x86_64", VM_ARCH_X86_64}, {"amd64", VM_ARCH_X86_64}, {"ppc64le", VM_ARCH_PPC64},
		{"ppc64el", VM_ARCH_PPC64}, {"ppc64", VM_ARCH_PPC64},
	};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if (!strcmp(text, names[i].name)) {
			cfg->arch = names[i].arch;
			return 0;
		}
	}
	return err_set(e, EINVAL, "arch %.40s: give x86_64 or ppc64le", text);
}

int vm_config_mmu(struct vm_config *cfg, const char *text, struct err *e)
{
	cfg->hash_mmu = !strcmp(text, "hash");
	if (!cfg->hash_mmu && strcmp(text, "radix") != 0)
		return err_set(e, EINVAL, "mmu %.40s: give radix or hash", text);
	return 0;
}

int vm_config_name(struct vm_config *cfg, const char *text, struct err *e)
{
	static const char ok[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	size_t n = strlen(text);

	if (!n || n >= sizeof(cfg->name) || text[0] == '.' || text[0] == '-' ||
	    strspn(text, ok) != n)
		return err_set(e, EINVAL,
			       "name %.80s: use up to %u letters, digits and -._ and start with a "
			       "letter or digit",
			       text, VM_NAME_MAX - 1);
	memcpy(cfg->name, text, n + 1);
	return 0;
}

int vm_config_engine(struct vm_config *cfg, const char *text, struct err *e)
{
	static const char *const names[] = {"auto", "kvm", "jit"};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if (!strcmp(text, names[i])) {
			cfg->engine = i;
			return 0;
		}
	}
	if (!strcmp(text, "kvm,irqchip=user")) {
		cfg->engine = VM_ENGINE_KVM;
		cfg->user_irqchip = true;
		return 0;
	}
	return err_set(e, EINVAL, "engine %.40s: give auto, kvm or jit", text);
}

/* Cuts the next comma-separated piece off *rest into out; false at the end. */
static bool next_piece(const char **rest, char *out, size_t size, bool *too_long)
{
	size_t n;

	if (!*rest)
		return false;
	n = strcspn(*rest, ",");
	*too_long = n >= size;
	snprintf(out, size, "%.*s", (int)n, *rest);
	*rest = (*rest)[n] ? *rest + n + 1 : NULL;
	return true;
}

/* The value of key= if the piece starts with it, else NULL. */
static const char *value_of(const char *piece, const char *key)
{
	size_t n = strlen(key);

	return !strncmp(piece, key, n) && piece[n] == '=' ? piece + n + 1 : NULL;
}

int vm_config_disk(struct vm_config *cfg, const char *text, struct err *e)
{
	struct vm_disk d = {0};
	char piece[sizeof(d.path)];
	bool first = true, too_long;

	if (cfg->ndisks == VM_DISKS_MAX)
		return err_set(e, EINVAL, "at most %u disks", VM_DISKS_MAX);
	for (; next_piece(&text, piece, sizeof(piece), &too_long); first = false) {
		const char *serial = value_of(piece, "serial");

		if (too_long || (first && !*piece))
			return err_set(e, EINVAL, "disk %.60s: give PATH[,ro][,mmio][,serial=TEXT]",
				       piece);
		if (first)
			memcpy(d.path, piece, sizeof(d.path));
		else if (!strcmp(piece, "ro"))
			d.readonly = true;
		else if (!strcmp(piece, "mmio"))
			d.mmio = true;
		else if (serial && *serial && strlen(serial) < sizeof(d.serial))
			memcpy(d.serial, serial, strlen(serial) + 1);
		else
			return err_set(e, EINVAL,
				       "disk %.200s: unknown part %.60s; give ro, mmio or "
				       "serial=TEXT (up to "
				       "%zu characters)",
				       d.path, piece, sizeof(d.serial) - 1);
	}
	cfg->disk[cfg->ndisks++] = d;
	return 0;
}

static int net_forward(struct vm_net *n, const char *text, struct err *e)
{
	unsigned host, guest;
	char end[8] = "";
	int got = sscanf(text, "%5u:%5u%7s", &host, &guest, end);
	bool udp = !strcmp(end, "/udp");

	if (got < 2 || !host || !guest || host > 65535 || guest > 65535 ||
	    (got == 3 && !udp && strcmp(end, "/tcp") != 0))
		return err_set(e, EINVAL,
			       "net: forward=%.40s: give HOSTPORT:GUESTPORT, then perhaps /udp",
			       text);
	if (n->nforwards == VM_FORWARDS_MAX)
		return err_set(e, EINVAL, "net: at most %u forwards", VM_FORWARDS_MAX);
	n->forward[n->nforwards++] =
		(struct vm_forward){.host = (u16)host, .guest = (u16)guest, .udp = udp};
	return 0;
}

static int net_piece(struct vm_net *n, const char *piece, bool first, struct err *e)
{
	const char *tap = value_of(piece, "tap"), *forward = value_of(piece, "forward");

	if (first && !strcmp(piece, "user"))
		return 0;
	if (first && tap && *tap && strlen(tap) < sizeof(n->tap)) {
		n->kind = VM_NET_TAP;
		memcpy(n->tap, tap, strlen(tap) + 1);
		return 0;
	}
	if (!first && forward && n->kind == VM_NET_USER)
		return net_forward(n, forward, e);
	if (!first && !strcmp(piece, "ipv4") && n->kind == VM_NET_USER) {
		n->ipv4 = true;
		return 0;
	}
	return err_set(e, EINVAL,
		       "net %.60s: give user[,ipv4][,forward=HOSTPORT:GUESTPORT[/udp]]..., "
		       "tap=INTERFACE or none",
		       piece);
}

int vm_config_net(struct vm_config *cfg, const char *text, struct err *e)
{
	struct vm_net n = {.kind = VM_NET_USER};
	char piece[64];
	bool first = true, too_long;

	if (!strcmp(text, "none")) {
		cfg->no_net = true;
		return 0;
	}
	if (cfg->nnets == VM_NETS_MAX)
		return err_set(e, EINVAL, "at most %u network cards", VM_NETS_MAX);
	for (; next_piece(&text, piece, sizeof(piece), &too_long); first = false) {
		int ret = net_piece(&n, piece, first, e);

		if (ret)
			return ret;
	}
	cfg->net[cfg->nnets++] = n;
	return 0;
}

int vm_config_console(struct vm_config *cfg, const char *text, struct err *e)
{
	const char *file = value_of(text, "file");

	if (!strcmp(text, "stdio"))
		cfg->console = VM_CONSOLE_STDIO;
	else if (!strcmp(text, "pty"))
		cfg->console = VM_CONSOLE_PTY;
	else if (file && *file) {
		cfg->console = VM_CONSOLE_FILE;
		cfg->console_file = file;
	} else
		return err_set(e, EINVAL, "console %.60s: give stdio, file=PATH or pty", text);
	return 0;
}

int vm_config_port(struct vm_config *cfg, const char *text, struct err *e)
{
	struct vm_port *p = &cfg->port[cfg->nports];
	size_t n = strcspn(text, "=");

	if (cfg->nports == VM_PORTS_MAX)
		return err_set(e, EINVAL, "at most %u ports", VM_PORTS_MAX);
	if (!n || n >= sizeof(p->name) || !text[n] || !text[n + 1])
		return err_set(e, EINVAL,
			       "port %.80s: give NAME=PATH, a name of up to %zu characters", text,
			       sizeof(p->name) - 1);
	snprintf(p->name, sizeof(p->name), "%.*s", (int)n, text);
	p->path = text + n + 1;
	for (unsigned i = 0; i < cfg->nports; i++)
		if (!strcmp(cfg->port[i].name, p->name))
			return err_set(e, EINVAL, "port %s is there twice", p->name);
	cfg->nports++;
	return 0;
}

/* YYYY-MM-DD or YYYY-MM-DDThh:mm:ss, a date there is; false: it is not. */
static bool parse_date(const char *text, time_t *out)
{
	static const char form[] = "0000-00-00T00:00:00";
	struct tm tm = {0}, want;
	size_t n = strlen(text);

	if (n != 10 && n != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
	       &tm.tm_min, &tm.tm_sec);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	want = tm;
	*out = timegm(&tm); /* makes a date of any fields, another one if they are wrong */
	return tm.tm_mon == want.tm_mon && tm.tm_mday == want.tm_mday &&
	       tm.tm_hour == want.tm_hour && tm.tm_min == want.tm_min && tm.tm_sec == want.tm_sec &&
	       tm.tm_year >= 70 && tm.tm_year <= 205;
}

int vm_config_rtc(struct vm_config *cfg, const char *text, struct err *e)
{
	const char *base = value_of(text, "base"); /* as QEMU has it */
	time_t now = time(NULL), date = now;
	struct tm tm;

	if (!base)
		base = text;
	cfg->rtc_local = !strcmp(base, "localtime");
	if (cfg->rtc_local && localtime_r(&now, &tm))
		date = now + tm.tm_gmtoff;
	else if (strcmp(base, "utc") != 0 && !cfg->rtc_local && !parse_date(base, &date))
		return err_set(e, EINVAL,
			       "--rtc %.60s: give utc, localtime or a date from 1970-01-01 to "
			       "2105-12-31, with a time of day if you like: 2006-06-17T16:01:21",
			       text);
	cfg->rtc_offset = date - now;
	return 0;
}

int vm_config_trace(struct vm_config *cfg, const char *text, struct err *e)
{
	char piece[32];
	bool too_long;

	while (text) {
		const char *file = value_of(text, "file");
		int kind;

		if (file && *file) { /* the rest: a path may hold commas */
			cfg->trace_file = file;
			break;
		}
		next_piece(&text, piece, sizeof(piece), &too_long);
		kind = trace_kind_by_name(piece);
		if (!strcmp(piece, "all"))
			cfg->trace |= (1u << VCPU_TRACE_KINDS) - 1;
		else if (kind >= 0 && !too_long)
			cfg->trace |= 1u << kind;
		else
			return err_set(e, EINVAL,
				       "--trace: no events \"%s\"; give all or some of " TRACE_NAMES
				       ", then perhaps file=PATH",
				       piece);
	}
	return cfg->trace ? 0 : err_set(e, EINVAL, "--trace: which events? " TRACE_NAMES);
}

static int check_ppc64(const struct vm_config *cfg, struct err *e)
{
	if (cfg->engine == VM_ENGINE_KVM)
		return err_set(e, EINVAL,
			       "--engine kvm runs x86_64 only; leave it out for ppc64le");
	if (cfg->firmware)
		return err_set(e, EINVAL, "--firmware: a ppc64le machine starts a --kernel");
	if (cfg->memory < MIB(128))
		return err_set(e, EINVAL, "-m: a ppc64le machine has at least 128 MiB");
	return 0;
}

int vm_config_check(const struct vm_config *cfg, struct err *e)
{
	int ret = cfg->arch == VM_ARCH_PPC64 ? check_ppc64(cfg, e) : 0;

	if (ret)
		return ret;
	if (cfg->testdev && cfg->arch != VM_ARCH_X86_64)
		return err_set(e, EINVAL, "--test-device is for --arch x86_64");
	if (cfg->hash_mmu && cfg->arch != VM_ARCH_PPC64)
		return err_set(e, EINVAL, "--mmu is for --arch ppc64le");
	if (cfg->kernel && cfg->firmware)
		return err_set(e, EINVAL, "give --kernel or --firmware, not both");
	if (!cfg->kernel && !cfg->firmware)
		return err_set(
			e, EINVAL,
			"nothing to boot: give --kernel FILE (or the name of a stored kernel, "
			"see `hull kernel`) or --firmware FILE");
	if (!cfg->kernel && (cfg->ninitrds || *cfg->append))
		return err_set(e, EINVAL, "--initrd and --append need --kernel");
	if (cfg->ncpus < 1 || cfg->ncpus > VM_CPUS_MAX)
		return err_set(e, EINVAL, "--cpus %u: give 1 to %u", cfg->ncpus, VM_CPUS_MAX);
	if (cfg->memory < VM_MEMORY_MIN || cfg->memory > VM_MEMORY_MAX || cfg->memory % MIB(1))
		return err_set(e, EINVAL, "-m: give 4 MiB to 64 GiB in whole MiB, not %llu bytes",
			       (unsigned long long)cfg->memory);
	if (strlen(cfg->append) >= VM_CMDLINE_MAX)
		return err_set(e, EINVAL, "--append: longer than the %u bytes Linux takes",
			       VM_CMDLINE_MAX - 1);
	if (cfg->no_net && cfg->nnets)
		return err_set(e, EINVAL, "--net none and another --net");
	return 0;
}
