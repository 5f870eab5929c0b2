/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Virtio 1.2 device types (chapter 5): feature bits, configuration layouts and
 * message structs. All fields are little-endian.
 */
#ifndef HULL_ABI_VIRTIO_DEV_H
#define HULL_ABI_VIRTIO_DEV_H

#include "base/types.h"

/* Block device, section 5.2. */
#define VIRTIO_BLK_F_SEG_MAX 2
#define VIRTIO_BLK_F_RO 5
#define VIRTIO_BLK_F_BLK_SIZE 6
#define VIRTIO_BLK_F_FLUSH 9
#define VIRTIO_BLK_F_TOPOLOGY 10
#define VIRTIO_BLK_F_MQ 12
#define VIRTIO_BLK_F_DISCARD 13
#define VIRTIO_BLK_F_WRITE_ZEROES 14

struct virtio_blk_config { /* 5.2.4 */
	u64 capacity;
	u32 size_max, seg_max;
	u16 cylinders;
	u8 heads, sectors;
	u32 blk_size;
	u8 physical_block_exp, alignment_offset;
	u16 min_io_size;
	u32 opt_io_size;
	u8 writeback, unused0;
	u16 num_queues;
	u32 max_discard_sectors, max_discard_seg, discard_sector_alignment;
	u32 max_write_zeroes_sectors, max_write_zeroes_seg;
	u8 write_zeroes_may_unmap, unused1[3];
};
static_assert(sizeof(struct virtio_blk_config) == 64, "virtio 1.2 5.2.4");

struct virtio_blk_outhdr { /* 5.2.6, struct virtio_blk_req up to data */
	u32 type, reserved;
	u64 sector;
};
static_assert(sizeof(struct virtio_blk_outhdr) == 16, "virtio 1.2 5.2.6");

struct virtio_blk_range { /* 5.2.6, virtio_blk_discard_write_zeroes */
	u64 sector;
	u32 num_sectors;
	u32 flags; /* bit 0: unmap */
};
static_assert(sizeof(struct virtio_blk_range) == 16, "virtio 1.2 5.2.6");

enum virtio_blk_type { /* 5.2.6 */
		       VIRTIO_BLK_T_IN = 0,
		       VIRTIO_BLK_T_OUT = 1,
		       VIRTIO_BLK_T_FLUSH = 4,
		       VIRTIO_BLK_T_GET_ID = 8,
		       VIRTIO_BLK_T_DISCARD = 11,
		       VIRTIO_BLK_T_WRITE_ZEROES = 13,
};

enum virtio_blk_status { /* 5.2.6 */
			 VIRTIO_BLK_S_OK = 0,
			 VIRTIO_BLK_S_IOERR = 1,
			 VIRTIO_BLK_S_UNSUPP = 2,
};
#define VIRTIO_BLK_ID_BYTES 20

/* Network device, section 5.1. */
#define VIRTIO_NET_F_MTU 3
#define VIRTIO_NET_F_MAC 5
#define VIRTIO_NET_F_MRG_RXBUF 15
#define VIRTIO_NET_F_STATUS 16
#define VIRTIO_NET_F_CTRL_VQ 17
#define VIRTIO_NET_F_CTRL_RX 18
#define VIRTIO_NET_F_CTRL_VLAN 19
#define VIRTIO_NET_F_CTRL_MAC_ADDR 23
#define VIRTIO_NET_S_LINK_UP 1

struct virtio_net_config { /* 5.1.4 */
	u8 mac[6];
	u16 status, max_virtqueue_pairs, mtu;
};
static_assert(sizeof(struct virtio_net_config) == 12, "virtio 1.2 5.1.4");

struct virtio_net_hdr { /* 5.1.6 */
	u8 flags, gso_type;
	u16 hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
static_assert(sizeof(struct virtio_net_hdr) == 12, "virtio 1.2 5.1.6");

#define VIRTIO_NET_HDR_F_NEEDS_CSUM 1
enum virtio_net_ctrl { /* 5.1.6.5: class, command, acknowledgement */
		       VIRTIO_NET_CTRL_RX = 0,
		       VIRTIO_NET_CTRL_RX_PROMISC = 0,
		       VIRTIO_NET_CTRL_RX_ALLMULTI = 1,
		       VIRTIO_NET_CTRL_MAC = 1,
		       VIRTIO_NET_CTRL_MAC_TABLE_SET = 0,
		       VIRTIO_NET_CTRL_MAC_ADDR_SET = 1,
		       VIRTIO_NET_OK = 0,
		       VIRTIO_NET_ERR = 1,
};

/* Console device, section 5.3. */
#define VIRTIO_CONSOLE_F_SIZE 0
#define VIRTIO_CONSOLE_F_MULTIPORT 1
#define VIRTIO_CONSOLE_F_EMERG_WRITE 2

struct virtio_console_config { /* 5.3.4 */
	u16 cols, rows;
	u32 max_nr_ports, emerg_wr;
};
static_assert(sizeof(struct virtio_console_config) == 12, "virtio 1.2 5.3.4");

struct virtio_console_control { /* 5.3.6.2 */
	u32 id;
	u16 event, value;
};
static_assert(sizeof(struct virtio_console_control) == 8, "virtio 1.2 5.3.6.2");

enum virtio_console_event { /* 5.3.6.2 */
			    VIRTIO_CONSOLE_DEVICE_READY = 0,
			    VIRTIO_CONSOLE_DEVICE_ADD = 1,
			    VIRTIO_CONSOLE_DEVICE_REMOVE = 2,
			    VIRTIO_CONSOLE_PORT_READY = 3,
			    VIRTIO_CONSOLE_CONSOLE_PORT = 4,
			    VIRTIO_CONSOLE_RESIZE = 5,
			    VIRTIO_CONSOLE_PORT_OPEN = 6,
			    VIRTIO_CONSOLE_PORT_NAME = 7,
};

/* Memory balloon device, section 5.5. */
#define VIRTIO_BALLOON_F_MUST_TELL_HOST 0
#define VIRTIO_BALLOON_F_STATS_VQ 1
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM 2
#define VIRTIO_BALLOON_F_PAGE_REPORTING 5

struct virtio_balloon_config { /* 5.5.4 */
	u32 num_pages, actual, free_page_hint_cmd_id, poison_val;
};
static_assert(sizeof(struct virtio_balloon_config) == 16, "virtio 1.2 5.5.4");

#define VIRTIO_BALLOON_STAT_SIZE 10 /* 5.5.6.3: le16 tag, le64 val, packed */
#define VIRTIO_BALLOON_STATS 10	    /* tags 0..9 */

/* Socket device, section 5.10. */
struct virtio_vsock_hdr { /* 5.10.6; 44 bytes on the wire */
	u64 src_cid, dst_cid;
	u32 src_port, dst_port, len;
	u16 type, op;
	u32 flags, buf_alloc, fwd_cnt;
} __attribute__((packed));
static_assert(sizeof(struct virtio_vsock_hdr) == 44, "virtio 1.2 5.10.6");

#define VIRTIO_VSOCK_TYPE_STREAM 1
#define VIRTIO_VSOCK_CID_HOST 2
enum virtio_vsock_op { /* 5.10.6 */
		       VIRTIO_VSOCK_OP_INVALID = 0,
		       VIRTIO_VSOCK_OP_REQUEST = 1,
		       VIRTIO_VSOCK_OP_RESPONSE = 2,
		       VIRTIO_VSOCK_OP_RST = 3,
		       VIRTIO_VSOCK_OP_SHUTDOWN = 4,
		       VIRTIO_VSOCK_OP_RW = 5,
		       VIRTIO_VSOCK_OP_CREDIT_UPDATE = 6,
		       VIRTIO_VSOCK_OP_CREDIT_REQUEST = 7,
};
#define VIRTIO_VSOCK_SHUTDOWN_RCV 1
#define VIRTIO_VSOCK_SHUTDOWN_SEND 2

/* File system device, section 5.11. */
struct virtio_fs_config { /* 5.11.4 */
	u8 tag[36];	  /* padded with zero bytes */
	u32 num_request_queues;
};
static_assert(sizeof(struct virtio_fs_config) == 40, "virtio 1.2 5.11.4");

#endif
