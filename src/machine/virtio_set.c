/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/virtio_set.h"

#include "base/bits.h"
#include "base/endian.h"
#include "host/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* PCI class codes, PCI Code and ID Assignment Specification 1.11 section 1. */
enum {
	CLASS_STORAGE = 0x018000,
	CLASS_ETHERNET = 0x020000,
	CLASS_COMMUNICATION = 0x078000,
	CLASS_OTHER = 0xff0000,
};

/* Room for a device in the next slot, or NULL. */
static struct virtio_at *virtio_new(struct virtio_set *s, struct err *e)
{
	struct virtio_at *v;

	if (s->n + 1 == PCI_SLOTS) {
		err_set(e, E_NOSPC, "board: more devices than the %u PCI slots", PCI_SLOTS - 1);
		return NULL;
	}
	v = calloc(1, sizeof(*v));
	if (!v) {
		err_set(e, E_NOMEM, "board: no memory for a device");
		return NULL;
	}
	s->at[++s->n] = v;
	return v;
}

/* A driver's fault: the guest may do it as often as it likes, so the log is limited. */
static void on_broken(struct virtio_dev *d)
{
	log_guest(LOG_WARN, "%s: the guest's driver broke it (%s); it waits for a reset",
		  d->ops->name, d->broken);
}

/* Puts the device that virtio_new gave last into its slot. */
static int virtio_attach(struct virtio_set *s, struct virtio_dev *dev, u32 class_code,
			 struct err *e)
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
	return s->w.attach_mmio(s->w.opaque, &s->at[s->n]->mmio, dev, e);
}

static int console_init(struct virtio_set *s, struct err *e)
{
	struct virtio_console_port_config port[1 + BOARD_MAX_PORTS] = {
		{.chr = s->cfg->console, .is_console = true}};
	struct virtio_at *v = virtio_new(s, e);

	if (!v)
		return -E_NOMEM;
	for (unsigned i = 0; i < s->cfg->nports && i < BOARD_MAX_PORTS; i++)
		port[1 + i] = (struct virtio_console_port_config){.chr = s->cfg->port[i].chr,
								  .name = s->cfg->port[i].name};
	virtio_console_init(&v->console, s->w.map, port, 1 + s->cfg->nports);
	return virtio_attach(s, &v->console.dev, CLASS_COMMUNICATION, e);
}

static int disk_init(struct virtio_set *s, struct io_block *back, bool mmio, struct err *e)
{
	struct virtio_at *v = virtio_new(s, e);

	if (!v)
		return -E_NOMEM;
	virtio_blk_init(&v->blk, s->w.map, back, s->cfg->ncpus);
	return mmio ? mmio_attach(s, &v->blk.dev, e)
		    : virtio_attach(s, &v->blk.dev, CLASS_STORAGE, e);
}

static int net_init(struct virtio_set *s, struct io_net *back, struct err *e)
{
	struct virtio_at *v = virtio_new(s, e);

	if (!v)
		return -E_NOMEM;
	virtio_net_init(&v->net, s->w.map, back);
	return virtio_attach(s, &v->net.dev, CLASS_ETHERNET, e);
}

static int vsock_init(struct virtio_set *s, struct err *e)
{
	struct virtio_at *v = virtio_new(s, e);

	if (!v)
		return -E_NOMEM;
	virtio_vsock_init(&v->vsock, s->w.map, s->cfg->vsock, BOARD_VSOCK_CID);
	return virtio_attach(s, &v->vsock.dev, CLASS_OTHER, e);
}

static int share_init(struct virtio_set *s, struct io_fs *back, struct err *e)
{
	struct virtio_at *v = virtio_new(s, e);

	if (!v)
		return -E_NOMEM;
	virtio_fs_init(&v->fs, s->w.map, back);
	return virtio_attach(s, &v->fs.dev, CLASS_STORAGE, e);
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
	struct virtio_at *v = virtio_new(s, e);

	if (!v)
		return -E_NOMEM;
	virtio_rng_init(&v->rng, s->w.map, &source);
	return virtio_attach(s, &v->rng.dev, CLASS_OTHER, e);
}

/* Free pages of the guest go back to the host. */
static void ram_release(void *opaque, u64 gpa, u64 len)
{
	struct virtio_set *s = opaque;
	const u8 *host = gpa_ptr(s->w.map, gpa, len, true);

	if (host)
		mem_discard(s->w.ram, (u64)(host - mem_host(s->w.ram)), len);
}

static int balloon_init(struct virtio_set *s, struct err *e)
{
	struct virtio_at *v = virtio_new(s, e);

	if (!v)
		return -E_NOMEM;
	s->reclaim = (struct io_reclaim){.release = ram_release, .opaque = s};
	virtio_balloon_init(&v->balloon, s->w.map, &s->reclaim);
	s->balloon = &v->balloon;
	return virtio_attach(s, &v->balloon.dev, CLASS_OTHER, e);
}

void virtio_set_balloon(struct virtio_set *s, u64 bytes)
{
	u64 take = bytes < s->cfg->memory ? s->cfg->memory - bytes : 0;

	virtio_balloon_set_target(s->balloon, (u32)(take / GPA_PAGE_SIZE));
}

static u64 balloon_stat(const struct virtio_balloon *b, enum virtio_balloon_tag tag)
{
	return b->stats_known >> tag & 1 ? b->stat[tag] : ~0ULL;
}

void virtio_set_balloon_get(struct virtio_set *s, struct board_balloon *out)
{
	struct virtio_balloon *b = s->balloon;
	u64 take = (u64)load_le32(&b->config.num_pages) * GPA_PAGE_SIZE;

	*out = (struct board_balloon){
		.target = s->cfg->memory - take,
		.given = (u64)virtio_balloon_actual(b) * GPA_PAGE_SIZE,
		.released = b->released,
		.guest_free = balloon_stat(b, VIRTIO_BALLOON_S_MEMFREE),
		.guest_usable = balloon_stat(b, VIRTIO_BALLOON_S_AVAIL),
	};
	virtio_balloon_poll_stats(b);
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
	for (unsigned i = 0; !err && i < s->cfg->nshares; i++)
		err = share_init(s, s->cfg->share[i], e);
	if (!err && s->cfg->vsock)
		err = vsock_init(s, e);
	if (!err)
		err = rng_init(s, e);
	return err ? err : balloon_init(s, e);
}

void virtio_set_fini(struct virtio_set *s)
{
	for (unsigned i = 0; i < PCI_SLOTS; i++)
		free(s->at[i]);
}
