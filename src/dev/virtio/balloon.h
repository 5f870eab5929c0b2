/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Virtio memory balloon (virtio 1.2 section 5.5): the host asks the guest to
 * give up pages (set_target), the guest reports free pages on its own account
 * (page reporting), both go to io/reclaim.h. Statistics are kept as the guest
 * last told them.
 */
#ifndef HULL_DEV_VIRTIO_BALLOON_H
#define HULL_DEV_VIRTIO_BALLOON_H

#include "abi/virtio_dev.h"
#include "dev/virtio/virtio.h"
#include "io/reclaim.h"

struct virtio_balloon {
	struct virtio_dev dev;
	struct virtq vq[4];
	struct virtio_balloon_config config;
	struct io_reclaim reclaim;
	u64 stat[VIRTIO_BALLOON_STATS]; /* by tag, section 5.5.6.3 */
	u32 stats_known;		/* bit per tag */
	bool stats_held;		/* the driver's buffer waits for the next poll */
	u16 stats_head;
	u64 released; /* bytes, in total */
};

/* Tags of statistics, section 5.5.6.3; their values are bytes. */
enum virtio_balloon_tag { VIRTIO_BALLOON_S_MEMFREE = 4, VIRTIO_BALLOON_S_AVAIL = 6 };

void virtio_balloon_init(struct virtio_balloon *b, struct gpa_map *mem,
			 const struct io_reclaim *reclaim);

/* How many 4 KiB pages the guest shall give up; actual() says how far it got. */
void virtio_balloon_set_target(struct virtio_balloon *b, u32 pages);
u32 virtio_balloon_actual(const struct virtio_balloon *b);

/* Ask for new statistics; they arrive in b->stat some time later. */
void virtio_balloon_poll_stats(struct virtio_balloon *b);

#endif
