/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The devices of a virtio set that hull-metal's boards do without, for want of
 * somebody behind them: named console ports, shares, vsock, balloon. Called by virtio_set.c only.
 */
#include "machine/virtio_set.h"

#include "base/endian.h"
#include "dev/virtio/balloon.h"
#include "dev/virtio/console.h"
#include "dev/virtio/fs.h"
#include "dev/virtio/vsock.h"
#include "host/mem.h"

const struct virtio_console_multi *const virtio_more_ports = &virtio_console_multiport;

static int vsock_init(struct virtio_set *s, struct err *e)
{
	struct virtio_vsock *d = virtio_set_new(s, sizeof(*d), e);

	if (!d)
		return -E_NOMEM;
	virtio_vsock_init(d, s->w.map, s->cfg->vsock, BOARD_VSOCK_CID);
	return virtio_set_attach(s, &d->dev, PCI_CLASS_OTHER, e);
}

static int share_init(struct virtio_set *s, struct io_fs *back, struct err *e)
{
	struct virtio_fs *d = virtio_set_new(s, sizeof(*d), e);

	if (!d)
		return -E_NOMEM;
	virtio_fs_init(d, s->w.map, back);
	return virtio_set_attach(s, &d->dev, PCI_CLASS_STORAGE, e);
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
	struct virtio_balloon *d = virtio_set_new(s, sizeof(*d), e);

	if (!d)
		return -E_NOMEM;
	s->reclaim = (struct io_reclaim){.release = ram_release, .opaque = s};
	virtio_balloon_init(d, s->w.map, &s->reclaim);
	s->balloon = d;
	return virtio_set_attach(s, &d->dev, PCI_CLASS_OTHER, e);
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

int virtio_more_init(struct virtio_set *s, struct err *e)
{
	int err = 0;

	for (unsigned i = 0; !err && i < s->cfg->nshares; i++)
		err = share_init(s, s->cfg->share[i], e);
	if (!err && s->cfg->vsock)
		err = vsock_init(s, e);
	return err ? err : balloon_init(s, e);
}
