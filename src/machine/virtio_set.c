/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/virtio_set.h"

#include "base/bits.h"
#include "dev/virtio/blk.h"
#include "dev/virtio/console.h"
#include "dev/virtio/net.h"
#include "dev/virtio/rng.h"
#include "host/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void *virtio_set_new(struct virtio_set *s, size_t size, struct err *e)
{
	struct virtio_at *v;

	if (s->n + 1 == PCI_SLOTS) {
		err_set(e, E_NOSPC, "board: more devices than the %u PCI slots", PCI_SLOTS - 1);
		return NULL;
	}
	v = calloc(1, sizeof(*v));
	if (v)
		s->at[++s->n] = v;
	if (!v || !(v->model = calloc(1, size))) {
		err_set(e, E_NOMEM, "board: no memory for a device");
		return NULL;
	}
	return v->model;
}

/* A driver's fault: the guest may do it as often as it likes, so the log is limited. */
static void on_broken(struct virtio_dev *d)
{
	log_guest(LOG_WARN, "%s: the guest's driver broke it (%s); it waits for a reset",
		  d->ops->name, d->broken);
}

int virtio_set_attach(struct virtio_set *s, struct virtio_dev *dev, u32 class_code, struct err *e)
{
	unsigned slot = s->n;
	struct irq_line intx = s->w.intx_line(s->w.opaque, slot);
	struct virtio_pci *p = &s->at[slot]->pci;
	int err = virtio_pci_init(p, dev, class_code);

	dev->on_broken = on_broken;
	if (!err)
		err = pci_attach(s->w.pci, slot, &p->func, &intx, s->w.intx_gsi(s->w.opaque, slot));
	if (err)
		return err_set(e, -err, "board: cannot attach %s in PCI slot %u", dev->ops->name,
			       slot);
	return 0;
}

static int mmio_attach(struct virtio_set *s, struct virtio_dev *dev, struct err *e)
{
	if (!s->w.attach_mmio)
		return err_set(e, E_INVAL, "board: it has no virtio-mmio; leave out \",mmio\"");
	dev->on_broken = on_broken;
	return s->w.attach_mmio(s->w.opaque, dev, e);
}

static int console_init(struct virtio_set *s, struct err *e)
{
	struct virtio_console_port_config port[1 + BOARD_MAX_PORTS] = {
		{.chr = s->cfg->console, .is_console = true}};
	struct virtio_console *d = virtio_set_new(s, sizeof(*d), e);

	if (!d)
		return -E_NOMEM;
	for (unsigned i = 0; i < s->cfg->nports && i < BOARD_MAX_PORTS; i++)
		port[1 + i] = (struct virtio_console_port_config){.chr = s->cfg->port[i].chr,
								  .name = s->cfg->port[i].name};
	virtio_console_init(d, s->w.map, port, 1 + s->cfg->nports, virtio_more_ports);
	return virtio_set_attach(s, &d->dev, PCI_CLASS_COMMUNICATION, e);
}

static int disk_init(struct virtio_set *s, struct io_block *back, bool mmio, struct err *e)
{
	struct virtio_blk *d = virtio_set_new(s, sizeof(*d), e);

	if (!d)
		return -E_NOMEM;
	virtio_blk_init(d, s->w.map, back, s->cfg->ncpus);
	return mmio ? mmio_attach(s, &d->dev, e)
		    : virtio_set_attach(s, &d->dev, PCI_CLASS_STORAGE, e);
}

static int net_init(struct virtio_set *s, struct io_net *back, struct err *e)
{
	struct virtio_net *d = virtio_set_new(s, sizeof(*d), e);

	if (!d)
		return -E_NOMEM;
	virtio_net_init(d, s->w.map, back);
	return virtio_set_attach(s, &d->dev, PCI_CLASS_ETHERNET, e);
}

static void random_fill(void *opaque, void *buf, size_t len)
{
	u8 *p = buf;

	while (len) {
		ssize_t n = getrandom(p, min_u64(len, 256), 0); /* up to 256 never fails */

		if (n <= 0)
			continue;
		p += n;
		len -= (size_t)n;
	}
}

static int rng_init(struct virtio_set *s, struct err *e)
{
	static const struct io_entropy source = {.fill = random_fill};
	struct virtio_rng *d = virtio_set_new(s, sizeof(*d), e);

	if (!d)
		return -E_NOMEM;
	virtio_rng_init(d, s->w.map, &source);
	return virtio_set_attach(s, &d->dev, PCI_CLASS_OTHER, e);
}

int virtio_set_init(struct virtio_set *s, const struct board_config *cfg,
		    const struct virtio_set_wires *w, struct err *e)
{
	int err;

	*s = (struct virtio_set){.w = *w, .cfg = cfg};
	err = cfg->console ? console_init(s, e) : 0;

	for (unsigned i = 0; !err && i < s->cfg->ndisks; i++)
		err = disk_init(s, s->cfg->disk[i], s->cfg->disk_mmio[i], e);
	for (unsigned i = 0; !err && i < s->cfg->nnets; i++)
		err = net_init(s, s->cfg->net[i], e);
	if (!err && !cfg->no_rng)
		err = rng_init(s, e);
	return err ? err : virtio_more_init(s, e);
}

void virtio_set_fini(struct virtio_set *s)
{
	for (unsigned i = 0; i < PCI_SLOTS; i++) {
		if (s->at[i])
			free(s->at[i]->model);
		free(s->at[i]);
	}
}
