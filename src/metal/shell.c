/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/shell.h"

#include "metal/clock.h"
#include "metal/console.h"
#include "metal/domain.h"
#include "metal/power.h"
#include "metal/xen.h"

#include <stdlib.h>
#include <string.h>

static struct {
	char line[128];
	unsigned len;
	bool prompted;
} sh;

static const char *state_name(const struct domain *d)
{
	static const char *const name[] = {"-", "building", "running", "paused", "ended", "dying"};

	return name[d->state];
}

static struct domain *find(const char *name)
{
	struct domain *d = domain_by_name(name);

	if (!d)
		console_print("there is no guest %s; `list` shows them\n", name);
	return d;
}

static void cmd_list(const char *arg)
{
	console_print("%-3s %-16s %-9s %4s %8s %8s %10s  %s\n", "ID", "NAME", "STATE", "CPUS",
		      "MIB", "PAGES", "CPU-MS", "");
	for (unsigned i = 0; i < domains.config.nguests; i++) {
		const struct config_guest *g = &domains.config.guest[i];
		struct domain *d = domain_by_name(g->name);
		u64 ran = 0;

		if (!d) {
			console_print("%-3s %-16s %-9s %4u %8lu\n", "-", g->name,
				      g->bad ? "bad" : "not made", g->cpus, (g->memory >> 20));
			continue;
		}
		for (unsigned k = 0; k < d->nvcpus; k++)
			ran += d->vcpu[k] ? d->vcpu[k]->ran_ns : 0;
		console_print("%-3u %-16s %-9s %4u %8lu %8lu %10lu  %s\n", d->id, g->name,
			      state_name(d), g->cpus, (g->memory >> 20),
			      metal.pages.count[d->owner], (ran / 1000000), d->why);
	}
}

static void cmd_console(struct domain *d)
{
	console_print("console of %s; Ctrl-] comes back\n", d->cfg->name);
	console_focus(d);
}

static void cmd_create(const char *arg)
{
	for (unsigned i = 0; i < domains.config.nguests; i++) {
		const struct config_guest *g = &domains.config.guest[i];

		if (strcmp(g->name, arg))
			continue;
		if (domain_by_name(arg))
			console_print("guest %s is there already\n", arg);
		else if (g->bad)
			console_print("guest %s: its configuration has an error\n", arg);
		else if (!domain_create(g))
			console_print("guest %s is made\n", arg);
		return;
	}
	console_print("the configuration has no guest %s\n", arg);
}

static void cmd_destroy(struct domain *d)
{
	domain_destroy(d);
	console_print("guest %s is gone; %lu pages free\n", d->cfg->name,
		      metal.pages.count[OWNER_FREE]);
}

static void stats_domain(struct domain *d)
{
	u64 exits[VT_EXIT_KINDS] = {0}, all = 0, injected = 0, hypercalls = 0, emulated = 0;

	for (unsigned i = 0; i < d->nvcpus; i++) {
		const struct hv_stats *s = &d->vcpu[i]->hv.stats;

		for (unsigned k = 0; k < VT_EXIT_KINDS; k++) {
			exits[k] += s->exits[k];
			all += s->exits[k];
		}
		injected += s->injected;
		hypercalls += s->hypercalls;
		emulated += s->emulated;
	}
	console_print("guest %s: %lu exits, %lu interrupts injected, %lu instructions emulated, "
		      "%lu hypercalls\n",
		      d->cfg->name, all, injected, emulated, hypercalls);
	for (unsigned k = 0; k < VT_EXIT_KINDS; k++)
		if (exits[k])
			console_print("  exit %-10s %10lu\n", hv_exit_name((enum vt_exit_kind)k),
				      exits[k]);
	for (unsigned i = 0; i < d->nvcpus; i++)
		console_print("  cpu %u on %u: ran %lu ms, waited %lu ms\n", i,
			      d->vcpu[i]->cpu ? d->vcpu[i]->cpu->index : 0,
			      (d->vcpu[i]->ran_ns / 1000000), (d->vcpu[i]->waited_ns / 1000000));
	if (d->xen)
		xen_stats(d->xen);
}

static void stats_machine(void)
{
	const u64 *n = metal.pages.count;
	u64 guests = 0;

	for (unsigned i = OWNER_VM; i < OWNERS_MAX; i++)
		guests += n[i];
	console_print("memory in pages: %lu free, %lu hypervisor, %lu modules, %lu guests\n",
		      n[OWNER_FREE], n[OWNER_HYPERVISOR], n[OWNER_MODULES], guests);
	for (unsigned i = 0; i < metal.ncpus; i++)
		console_print("cpu %u (APIC id %u): busy %lu ms, idle %lu ms, %lu ticks, "
			      "%lu kicks\n",
			      i, metal.cpu[i].apic_id, (metal.cpu[i].busy_ns / 1000000),
			      (metal.cpu[i].idle_ns / 1000000), metal.cpu[i].ticks,
			      metal.cpu[i].kicks);
}

static void cmd_stats(const char *arg)
{
	struct domain *d = *arg ? find(arg) : NULL;

	if (!*arg)
		stats_machine();
	for (unsigned i = 0; i < DOMAINS_MAX; i++)
		if (*arg ? d == &domains.d[i] : domains.d[i].board != NULL)
			stats_domain(&domains.d[i]);
}

static void cmd_reboot(const char *arg)
{
	power_reset();
}

static void cmd_poweroff(const char *arg)
{
	power_off();
}

static void cmd_help(const char *arg);

static const struct {
	const char *name, *arg, *help;
	void (*run)(const char *arg);
	void (*guest)(struct domain *d); /* instead: with the guest that arg names */
} commands[] = {
	{"list", "", "guests, their state, memory and CPU time", cmd_list},
	{"console", "GUEST", "its console in front; Ctrl-] comes back", .guest = cmd_console},
	{"create", "GUEST", "makes and starts a guest of the configuration", cmd_create},
	{"destroy", "GUEST", "ends a guest and takes its memory back", .guest = cmd_destroy},
	{"pause", "GUEST", "its CPUs and its time stand still", .guest = domain_pause},
	{"resume", "GUEST", "they go on", .guest = domain_resume},
	{"stats", "[GUEST]", "memory, CPUs, exits by kind", cmd_stats},
	{"reboot", "", "resets the machine", cmd_reboot},
	{"poweroff", "", "switches the machine off", cmd_poweroff},
	{"help", "", "this table", cmd_help},
};

static void cmd_help(const char *arg)
{
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
		console_print("  %-9s %-8s %s\n", commands[i].name, commands[i].arg,
			      commands[i].help);
}

static void execute(char *line)
{
	char *arg, *end;

	while (*line == ' ')
		line++;
	if (!*line)
		return;
	for (arg = line; *arg && *arg != ' '; arg++)
		;
	if (*arg)
		*arg++ = 0;
	while (*arg == ' ')
		arg++;
	for (end = arg + strlen(arg); end > arg && end[-1] == ' ';)
		*--end = 0;
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, line))
			continue;
		if (!*commands[i].arg && *arg)
			console_print("%s takes nothing\n", line);
		else if (*commands[i].arg && *commands[i].arg != '[' && !*arg)
			console_print("%s needs a %s\n", line, commands[i].arg);
		else if (commands[i].run)
			commands[i].run(arg);
		else if (find(arg))
			commands[i].guest(find(arg));
		return;
	}
	console_print("there is no command %s; `help` shows them\n", line);
}

void shell_prompt(void)
{
	sh.prompted = true;
	sh.len = 0;
	console_print("hull> ");
}

void shell_redraw(void)
{
	if (!sh.prompted || this_cpu()->index)
		return;
	sh.line[sh.len] = 0;
	console_print("hull> %s", sh.line);
}

void shell_input(char c)
{
	if (c == '\r' || c == '\n') {
		sh.line[sh.len] = 0;
		sh.prompted = false;
		console_print("\n");
		execute(sh.line);
		sh.len = 0;
		if (!sh.prompted && console_is_ours())
			shell_prompt();
	} else if ((c == '\b' || c == 0x7f) && sh.len) {
		sh.len--;
		console_print("\b \b");
	} else if (c == 0x15) { /* Ctrl-U */
		for (; sh.len; sh.len--)
			console_print("\b \b");
	} else if (c >= ' ' && c < 0x7f && sh.len + 1 < sizeof(sh.line)) {
		sh.line[sh.len++] = c;
		console_print("%c", c);
	}
}
