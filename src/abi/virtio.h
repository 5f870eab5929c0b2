/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Virtio 1.2 (OASIS committee specification 01): status, features, split
 * rings, PCI and MMIO transports. Device specific numbers: abi/virtio_dev.h.
 * All fields are little-endian.
 */
#ifndef HULL_ABI_VIRTIO_H
#define HULL_ABI_VIRTIO_H

#include "base/types.h"

/* Device status, section 2.1. */
#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER 2
#define VIRTIO_STATUS_DRIVER_OK 4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_NEEDS_RESET 64
#define VIRTIO_STATUS_FAILED 128

/* Reserved feature bits, section 6. */
#define VIRTIO_F_INDIRECT_DESC 28
#define VIRTIO_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32

/* Device ids, section 5. */
enum virtio_id {
	VIRTIO_ID_NET = 1,
	VIRTIO_ID_BLOCK = 2,
	VIRTIO_ID_CONSOLE = 3,
	VIRTIO_ID_RNG = 4,
	VIRTIO_ID_BALLOON = 5,
	VIRTIO_ID_VSOCK = 19,
	VIRTIO_ID_FS = 26,
};

/* Split virtqueues, section 2.7. */
struct virtq_desc { /* 2.7.5 */
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};
static_assert(sizeof(struct virtq_desc) == 16, "virtio 1.2 2.7.5");

#define VIRTQ_DESC_F_NEXT 1
#define VIRTQ_DESC_F_WRITE 2
#define VIRTQ_DESC_F_INDIRECT 4

struct virtq_avail { /* 2.7.6; after ring[size]: u16 used_event */
	u16 flags;
	u16 idx;
	u16 ring[];
};
static_assert(sizeof(struct virtq_avail) == 4, "virtio 1.2 2.7.6");

#define VIRTQ_AVAIL_F_NO_INTERRUPT 1

struct virtq_used_elem { /* 2.7.8 */
	u32 id;
	u32 len;
};

struct virtq_used { /* 2.7.8; after ring[size]: u16 avail_event */
	u16 flags;
	u16 idx;
	struct virtq_used_elem ring[];
};
static_assert(sizeof(struct virtq_used) == 4, "virtio 1.2 2.7.8");

#define VIRTQ_USED_F_NO_NOTIFY 1

/* PCI transport, section 4.1. */
#define VIRTIO_PCI_VENDOR 0x1af4      /* 4.1.2 */
#define VIRTIO_PCI_DEVICE_BASE 0x1040 /* plus the device id */
#define VIRTIO_PCI_NO_VECTOR 0xffff   /* 4.1.4.3 */
#define VIRTIO_PCI_ISR_QUEUE 1	      /* 4.1.4.5 */
#define VIRTIO_PCI_ISR_CONFIG 2

enum virtio_pci_cap_type { /* 4.1.4 */
			   VIRTIO_PCI_CAP_COMMON = 1,
			   VIRTIO_PCI_CAP_NOTIFY = 2,
			   VIRTIO_PCI_CAP_ISR = 3,
			   VIRTIO_PCI_CAP_DEVICE = 4,
			   VIRTIO_PCI_CAP_PCI = 5,
};

struct virtio_pci_cap { /* 4.1.4 */
	u8 cap_vndr, cap_next, cap_len, cfg_type;
	u8 bar, id, padding[2];
	u32 offset, length;
};
static_assert(sizeof(struct virtio_pci_cap) == 16, "virtio 1.2 4.1.4");

struct virtio_pci_common { /* 4.1.4.3 */
	u32 device_feature_select, device_feature;
	u32 driver_feature_select, driver_feature;
	u16 config_msix_vector, num_queues;
	u8 device_status, config_generation;
	u16 queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
	u64 queue_desc, queue_driver, queue_device;
};
static_assert(sizeof(struct virtio_pci_common) == 56, "virtio 1.2 4.1.4.3");

/* MMIO transport registers, section 4.2.2. */
#define VIRTIO_MMIO_MAGIC 0x000
#define VIRTIO_MMIO_MAGIC_VALUE 0x74726976
#define VIRTIO_MMIO_VERSION 0x004
#define VIRTIO_MMIO_DEVICE_ID 0x008
#define VIRTIO_MMIO_VENDOR_ID 0x00c
#define VIRTIO_MMIO_DEVICE_FEATURES 0x010
#define VIRTIO_MMIO_DEVICE_FEATURES_SEL 0x014
#define VIRTIO_MMIO_DRIVER_FEATURES 0x020
#define VIRTIO_MMIO_DRIVER_FEATURES_SEL 0x024
#define VIRTIO_MMIO_QUEUE_SEL 0x030
#define VIRTIO_MMIO_QUEUE_NUM_MAX 0x034
#define VIRTIO_MMIO_QUEUE_NUM 0x038
#define VIRTIO_MMIO_QUEUE_READY 0x044
#define VIRTIO_MMIO_QUEUE_NOTIFY 0x050
#define VIRTIO_MMIO_INTERRUPT_STATUS 0x060
#define VIRTIO_MMIO_INTERRUPT_ACK 0x064
#define VIRTIO_MMIO_STATUS 0x070
#define VIRTIO_MMIO_QUEUE_DESC_LOW 0x080
#define VIRTIO_MMIO_QUEUE_DESC_HIGH 0x084
#define VIRTIO_MMIO_QUEUE_DRIVER_LOW 0x090
#define VIRTIO_MMIO_QUEUE_DRIVER_HIGH 0x094
#define VIRTIO_MMIO_QUEUE_DEVICE_LOW 0x0a0
#define VIRTIO_MMIO_QUEUE_DEVICE_HIGH 0x0a4
#define VIRTIO_MMIO_SHM_LEN_LOW 0x0b0
#define VIRTIO_MMIO_SHM_LEN_HIGH 0x0b4
#define VIRTIO_MMIO_SHM_BASE_LOW 0x0b8
#define VIRTIO_MMIO_SHM_BASE_HIGH 0x0bc
#define VIRTIO_MMIO_CONFIG_GENERATION 0x0fc
#define VIRTIO_MMIO_CONFIG 0x100
#define VIRTIO_MMIO_SIZE 0x200

#endif
