/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Virtio network device, virtio 1.2 section 5.1. Contract in net.h. */
#include "dev/virtio/net.h"

#include "base/bits.h"
#include "base/endian.h"

/* Queues, section 5.1.2. */
#define RX 0
#define TX 1
#define CTRL 2

#define HDR sizeof(struct virtio_net_hdr)
#define ETH_HDR 14u
#define ETH_GROUP_BIT 1u

static struct virtio_net *net_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_net, dev);
}

/* Section 5.1.6.5: unicast frames for somebody else, unless promiscuous. */
static bool frame_wanted(const struct virtio_net *n, const u8 *frame)
{
	return n->promiscuous || frame[0] & ETH_GROUP_BIT || !__builtin_memcmp(frame, n->mac, 6);
}

/*
 * Spreads header and frame over as many chains as it takes (one, unless buffers
 * are mergeable) and publishes them together. *used says how many there were;
 * on failure they have been put back.
 */
static bool place_frame(struct virtio_net *n, const u8 *frame, size_t len, unsigned *used)
{
	struct virtq *q = &n->vq[RX];
	bool merge = virtio_has(&n->dev, VIRTIO_NET_F_MRG_RXBUF);
	struct virtio_net_hdr h = {0};
	u64 done = 0;
	u8 count[2];
	VIRTQ_CHAIN(first);
	VIRTQ_CHAIN(c);

	for (*used = 0; done < len; ++*used) {
		struct virtq_chain *to = *used ? &c : &first;
		u64 room, at = 0, part;

		if ((*used && !merge) || *used == q->size || !virtq_pop(q, to))
			break;
		if (!*used)
			at = virtq_write(to, 0, &h, HDR);
		room = to->in_len - at;
		part = min_u64(room, len - done);
		virtq_write(to, at, frame + done, part);
		done += part;
		virtq_fill(q, to, (u32)(at + part), *used);
	}
	if (done < len) {
		virtq_unpop(q, *used);
		return false;
	}
	store_le16(count, (u16)*used);
	virtq_write(&first, offsetof(struct virtio_net_hdr, num_buffers), count, 2);
	virtq_publish(q, *used);
	return true;
}

/* A frame that no single buffer of a driver without merging can ever hold is dropped. */
static bool too_large(const struct virtio_net *n, unsigned used)
{
	return used == 1 && !virtio_has(&n->dev, VIRTIO_NET_F_MRG_RXBUF);
}

static bool receive(void *opaque, const void *frame, size_t len)
{
	struct virtio_net *n = opaque;
	struct virtq *q = &n->vq[RX];
	unsigned used;

	if (!virtio_running(&n->dev)) {
		n->rx_dropped++;
		return true;
	}
	if (len < ETH_HDR || len > IO_NET_FRAME_MAX || !frame_wanted(n, frame)) {
		n->rx_dropped++;
		return true;
	}
	while (!place_frame(n, frame, len, &used)) {
		if (!virtio_running(&n->dev) || used == q->size || too_large(n, used)) {
			n->rx_dropped++;
			return true;
		}
		if (!virtq_wait_beyond(q, used))
			return false;
	}
	n->rx_frames++;
	virtq_interrupt(q);
	return true;
}

/* Strips the virtio header off the front and hands the rest over where it lies. */
static u32 send_frame(void *opaque, struct virtq_chain *c)
{
	struct virtio_net *n = opaque;
	u64 skip = HDR;
	unsigned i = 0;

	if (c->out_len < HDR + ETH_HDR || c->out_len > HDR + IO_NET_FRAME_MAX) {
		n->tx_dropped++;
		return 0;
	}
	for (; skip >= c->iov[i].len; i++)
		skip -= c->iov[i].len;
	c->iov[i].base = (u8 *)c->iov[i].base + skip;
	c->iov[i].len -= skip;
	n->back->ops->tx(n->back, &c->iov[i], c->nout - i);
	n->tx_frames++;
	return 0;
}

/* Section 5.1.6.5.1 and 5.1.6.5.2. All multicast is accepted always. */
static u8 control(struct virtio_net *n, u8 class, u8 command, const struct virtq_chain *c)
{
	u8 arg[6];

	if (class == VIRTIO_NET_CTRL_RX) {
		if (virtq_read(c, 2, arg, 1) != 1)
			return VIRTIO_NET_ERR;
		if (command == VIRTIO_NET_CTRL_RX_PROMISC)
			n->promiscuous = arg[0];
		else if (command != VIRTIO_NET_CTRL_RX_ALLMULTI)
			return VIRTIO_NET_ERR;
		return VIRTIO_NET_OK;
	}
	if (class != VIRTIO_NET_CTRL_MAC)
		return VIRTIO_NET_ERR;
	if (command == VIRTIO_NET_CTRL_MAC_TABLE_SET)
		return VIRTIO_NET_OK;
	if (command != VIRTIO_NET_CTRL_MAC_ADDR_SET || virtq_read(c, 2, arg, 6) != 6)
		return VIRTIO_NET_ERR;
	__builtin_memcpy(n->mac, arg, 6);
	__builtin_memcpy(n->config.mac, arg, 6);
	return VIRTIO_NET_OK;
}

static u32 control_serve(void *opaque, struct virtq_chain *c)
{
	u8 head[2], ack = VIRTIO_NET_ERR;

	if (virtq_read(c, 0, head, 2) == 2)
		ack = control(opaque, head[0], head[1], c);
	return (u32)virtq_write(c, 0, &ack, 1);
}

static void net_notify(struct virtio_dev *d, unsigned q)
{
	struct virtio_net *n = net_of(d);

	if (q == TX)
		virtq_serve(&n->vq[TX], send_frame, n);
	else if (q == CTRL)
		virtq_serve(&n->vq[CTRL], control_serve, n);
	else
		n->back->ops->rx_ready(n->back);
}

static bool net_reset(struct virtio_dev *d)
{
	struct virtio_net *n = net_of(d);

	n->promiscuous = false;
	__builtin_memcpy(n->mac, n->back->mac, 6);
	__builtin_memcpy(n->config.mac, n->back->mac, 6);
	return true;
}

/* A back end that holds a frame back since before a reset is told to go on. */
static void net_start(struct virtio_dev *d)
{
	struct virtio_net *n = net_of(d);

	n->back->ops->rx_ready(n->back);
}

static const struct virtio_ops net_ops = {
	.name = "virtio-net",
	.reset = net_reset,
	.start = net_start,
	.notify = net_notify,
};

void virtio_net_init(struct virtio_net *n, struct gpa_map *mem, struct io_net *back)
{
	virtio_init(&n->dev, &net_ops, VIRTIO_ID_NET, mem, n->vq, ARRAY_LEN(n->vq));
	virtio_queue_size(&n->dev, CTRL, 64);
	n->back = back;
	n->config = (struct virtio_net_config){
		.status = HULL_LE(16, VIRTIO_NET_S_LINK_UP),
		.max_virtqueue_pairs = HULL_LE(16, 1),
		.mtu = HULL_LE(16, back->mtu),
	};
	n->rx_frames = n->tx_frames = n->rx_dropped = n->tx_dropped = 0;
	net_reset(&n->dev);
	n->dev.features |= BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_MRG_RXBUF) |
			   BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_CTRL_VQ) |
			   BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) |
			   (back->mtu ? BIT(VIRTIO_NET_F_MTU) : 0);
	n->dev.config = (u8 *)&n->config;
	n->dev.config_len = sizeof(n->config);
	back->receive = receive;
	back->opaque = n;
}
