/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "metal/domain.h"

#include "base/bits.h"
#include "metal/clock.h"
#include "metal/console.h"
#include "metal/engine.h"
#include "metal/heap.h"
#include "metal/sched.h"
#include "metal/smp.h"
#include "metal/switch.h"
#include "metal/xen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct domains domains;

struct domain *domain_by_name(const char *name)
{
	for (unsigned i = 0; i < DOMAINS_MAX; i++)
		if (domains.d[i].state != DOMAIN_NONE && !strcmp(domains.d[i].cfg->name, name))
			return &domains.d[i];
	return NULL;
}

bool domains_active(void)
{
	for (unsigned i = 0; i < DOMAINS_MAX; i++)
		if (domains.d[i].state != DOMAIN_NONE && domains.d[i].state != DOMAIN_ENDED)
			return true;
	return false;
}

/* ---- ends ------------------------------------------------------------------------------ */

/* Every CPU of it looks at its state. */
static void kick_all(struct domain *d)
{
	for (unsigned i = 0; i < d->nvcpus; i++)
		if (d->vcpu[i] && d->vcpu[i]->cpu)
			smp_kick(d->vcpu[i]->cpu);
}

void domain_end(struct domain *d, const char *fmt, ...)
{
	u32 running = DOMAIN_RUNNING;
	va_list ap;

	if (!__atomic_compare_exchange_n(&d->state, &running, DOMAIN_ENDED, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return;
	va_start(ap, fmt);
	vsnprintf(d->why, sizeof(d->why), fmt, ap);
	va_end(ap);
	metal_log("guest %s ended: %s", d->cfg->name, d->why);
	kick_all(d);
	smp_kick(&metal.cpu[0]);
}

static void on_event(void *opaque, enum board_event ev, u32 value)
{
	struct domain *d = opaque;

	switch (ev) {
	case BOARD_EVENT_POWEROFF:
		domain_end(d, "power off");
		break;
	case BOARD_EVENT_RESET:
		d->reset_wanted = true;
		kick_all(d);
		break;
	case BOARD_EVENT_EXIT:
		domain_end(d, "exit with %u", value);
		break;
	case BOARD_EVENT_PANIC:
		domain_end(d, "its kernel panicked");
		break;
	}
}

void domain_reset(struct domain *d)
{
	struct err e = {0};
	int err;

	for (unsigned i = 0; i < d->nvcpus; i++) {
		if (!d->vcpu[i]->running)
			continue;
		smp_kick(d->vcpu[i]->cpu);
		smp_kick(this_cpu()); /* comes here again */
		return;
	}
	metal_log("guest %s resets", d->cfg->name);
	this_cpu()->owner = d->owner;
	loop_lock(&d->loop);
	if (d->xen)
		xen_reset(d->xen);
	err = d->board->ops->reset(d->board, &e);
	loop_unlock(&d->loop);
	this_cpu()->owner = OWNER_HYPERVISOR;
	if (err)
		domain_end(d, "reset: %s", e.msg);
	d->reset_wanted = false;
	kick_all(d);
}

void domain_pause(struct domain *d)
{
	u32 running = DOMAIN_RUNNING;

	if (!__atomic_compare_exchange_n(&d->state, &running, DOMAIN_PAUSED, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		console_print("guest %s does not run\n", d->cfg->name);
		return;
	}
	sched_stop(d);
	loop_lock(&d->loop);
	loop_pause(&d->loop);
	d->board->ops->freeze(d->board, true);
	loop_unlock(&d->loop);
}

void domain_resume(struct domain *d)
{
	if (d->state != DOMAIN_PAUSED) {
		console_print("guest %s is not paused\n", d->cfg->name);
		return;
	}
	loop_lock(&d->loop);
	loop_resume(&d->loop);
	d->board->ops->freeze(d->board, false);
	loop_unlock(&d->loop);
	d->state = DOMAIN_RUNNING;
	kick_all(d);
}

/* ---- building ------------------------------------------------------------------------------ */

static const struct boot_module *module(const struct config_guest *g, const char *name)
{
	struct boot_module *m = bootinfo_find(&metal.boot, name);

	if (!m)
		metal_log("guest %s: there is no module %s", g->name, name);
	else if (m->bad)
		metal_log("guest %s: module %s: %s", g->name, name, m->bad);
	return m && !m->bad ? m : NULL;
}

static int find_blobs(const struct config_guest *g, struct boot_blob *kernel,
		      struct boot_blob *initrd)
{
	const struct boot_module *m = module(g, g->kernel);

	if (!m)
		return -E_NOENT;
	*kernel = (struct boot_blob){g->kernel, m->data, m->size};
	for (unsigned i = 0; i < g->ninitrd; i++) {
		m = module(g, g->initrd[i]);
		if (!m)
			return -E_NOENT;
		initrd[i] = (struct boot_blob){g->initrd[i], m->data, m->size};
	}
	return 0;
}

/* Does another guest write the module? Or would this one while others read it? */
static bool disk_taken(const struct domain *d, const u8 *data, bool readonly)
{
	for (unsigned i = 0; i < DOMAINS_MAX; i++)
		for (unsigned k = 0; k < CONFIG_DISKS_MAX; k++) {
			const struct memdisk *m = domains.d[i].disk[k];

			if (&domains.d[i] != d && m && m->data == data &&
			    !(readonly && m->block.readonly))
				return true;
		}
	return false;
}

static int make_disk(struct domain *d, unsigned n, struct board_config *c)
{
	const struct config_disk *cd = &d->cfg->disk[n];
	const struct boot_module *m = cd->module[0] ? module(d->cfg, cd->module) : NULL;
	u64 size = m ? m->size : cd->size;
	u8 *data = m ? (u8 *)m->data : NULL;

	if (cd->module[0] && !m)
		return -E_NOENT;
	if (m && (size < 512 || disk_taken(d, data, cd->readonly))) {
		metal_log("guest %s: disk %s: %s", d->cfg->name, cd->module,
			  size < 512 ? "no whole sector"
				     : "another guest has it and one of them writes");
		return -E_BUSY;
	}
	if (!m)
		data = page_alloc_zeroed(align_up(size, PAGE_SIZE) / PAGE_SIZE);
	d->disk[n] = data ? calloc(1, sizeof(*d->disk[n])) : NULL;
	if (!d->disk[n]) {
		metal_log("guest %s: no memory for a disk of %lu MiB", d->cfg->name, (size >> 20));
		return -E_NOMEM;
	}
	memdisk_init(d->disk[n], &d->loop, data, size, cd->readonly);
	c->disk[c->ndisks++] = &d->disk[n]->block;
	return 0;
}

static int make_net(struct domain *d, unsigned n, struct board_config *c)
{
	static const u8 none[6];
	const struct config_net *cn = &d->cfg->net[n];
	u8 mac[6] = {0x02, 'h', 'u', 'l', (u8)n, (u8)d->id};

	d->net[n] = switch_add(d, cn->segment, memcmp(cn->mac, none, 6) ? cn->mac : mac);
	if (!d->net[n]) {
		metal_log("guest %s: no memory for a network card", d->cfg->name);
		return -E_NOMEM;
	}
	c->net[c->nnets++] = switch_net(d->net[n]);
	return 0;
}

static int make_board(struct domain *d)
{
	const struct config_guest *g = d->cfg;
	struct boot_blob initrd[CONFIG_INITRDS_MAX];
	struct board_config c = {
		.loop = &d->loop,
		.engine = &engine_metal_ops,
		.ncpus = g->cpus,
		.memory = g->memory,
		.initrd = initrd,
		.ninitrd = g->ninitrd,
		.cmdline = g->cmdline,
		.pvh = g->entry == CONFIG_PVH,
		.no_rng = !g->rng,
		.event = on_event,
		.opaque = d,
	};
	struct err e = {0};
	int err = find_blobs(g, &c.kernel, initrd);

	if (g->console == CONFIG_VIRTIO)
		c.console = &d->console.chr;
	else
		c.serial = &d->console.chr;
	for (unsigned i = 0; !err && i < g->ndisks; i++)
		err = make_disk(d, i, &c);
	for (unsigned i = 0; !err && i < g->nnets; i++)
		err = make_net(d, i, &c);
	if (!err && g->pv == CONFIG_PV_XEN)
		err = xen_create(d, &d->xen);
	if (err)
		return err;
	err = board_pc.create(&c, &d->board, &e);
	if (err)
		metal_log("guest %s: %s", g->name, e.msg);
	return err;
}

/* Puts the vCPUs on CPUs. */
static int place(struct domain *d)
{
	const struct config_guest *g = d->cfg;

	for (unsigned i = 0; i < g->cpus; i++) {
		struct cpu *c = g->npins ? NULL : sched_place();

		if (g->npins && g->pin[i] < metal.ncpus)
			c = &metal.cpu[g->pin[i]];
		if (!c) {
			metal_log("guest %s: no CPU for its CPU %u (this machine has %u)", g->name,
				  i, metal.ncpus);
			return -E_NODEV;
		}
		sched_add(d->vcpu[i], c, g->weight, g->cap);
	}
	d->home = d->vcpu[0]->cpu;
	return 0;
}

/* Everything of it back, whatever there is. */
static void unmake(struct domain *d)
{
	u64 left;

	this_cpu()->owner = d->owner;
	if (d->board)
		d->board->ops->destroy(d->board);
	d->board = NULL;
	xen_destroy(d->xen);
	d->xen = NULL;
	for (unsigned i = 0; i < CONFIG_NETS_MAX; i++)
		switch_remove(d->net[i]);
	this_cpu()->owner = OWNER_HYPERVISOR;
	memset(d->net, 0, sizeof(d->net));
	memset(d->disk, 0, sizeof(d->disk));
	left = heap_release(d->owner);
	if (metal.pages.count[d->owner])
		metal_log("guest %s: %lu of %lu pages are lost", d->cfg->name,
			  metal.pages.count[d->owner], left);
	d->home = NULL;
	d->state = DOMAIN_NONE;
}

int domain_create(const struct config_guest *g)
{
	struct domain *d = NULL;
	int err;

	for (unsigned i = 0; i < DOMAINS_MAX && !d; i++)
		if (domains.d[i].state == DOMAIN_NONE) {
			d = &domains.d[i];
			memset(d, 0, sizeof(*d));
			d->id = i + 1;
		}
	if (!d) {
		metal_log("guest %s: there are %u already", g->name, DOMAINS_MAX);
		return -E_NOSPC;
	}
	d->owner = OWNER_VM + d->id - 1;
	d->cfg = g;
	d->nvcpus = g->cpus;
	d->state = DOMAIN_BUILDING;
	loop_init(&d->loop, d);
	console_attach(d);
	domains.building = d;
	this_cpu()->owner = d->owner;
	err = make_board(d);
	this_cpu()->owner = OWNER_HYPERVISOR;
	domains.building = NULL;
	if (!err)
		err = place(d);
	if (err) {
		metal_log("guest %s is not started", g->name);
		unmake(d);
		return err;
	}
	d->state = DOMAIN_RUNNING;
	kick_all(d);
	return 0;
}

void domain_destroy(struct domain *d)
{
	d->state = DOMAIN_DYING;
	console_detach(d);
	sched_stop(d);
	for (unsigned i = 0; i < d->nvcpus; i++)
		if (d->vcpu[i])
			sched_remove(d->vcpu[i]);
	unmake(d);
}
