/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Virtio PCI transport, virtio 1.2 section 4.1. Contract in pci.h. */
#include "dev/virtio/pci.h"

#include "base/bits.h"
#include "base/endian.h"

static void raise_irq(struct virtio_pci *p, u16 vector, u8 isr)
{
	if (pci_msix_enabled(&p->func)) {
		if (vector != VIRTIO_PCI_NO_VECTOR)
			pci_msix_notify(&p->func, vector);
		return;
	}
	p->isr |= isr;
	pci_intx_set(&p->func, true);
}

static void queue_irq(void *opaque, unsigned q)
{
	struct virtio_pci *p = opaque;

	raise_irq(p, p->queue_vector[q], VIRTIO_PCI_ISR_QUEUE);
}

static void config_irq(void *opaque)
{
	struct virtio_pci *p = opaque;

	raise_irq(p, p->config_vector, VIRTIO_PCI_ISR_CONFIG);
}

/* What a device reset clears of the transport (4.1.4.3.1: vectors become unmapped). */
static void forget_driver(struct virtio_pci *p)
{
	p->config_vector = VIRTIO_PCI_NO_VECTOR;
	for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
		p->queue_vector[i] = VIRTIO_PCI_NO_VECTOR;
	p->device_feature_select = p->driver_feature_select = 0;
	p->queue_select = 0;
	p->isr = 0;
	pci_intx_set(&p->func, false);
}

static void common_image(struct virtio_pci *p, struct virtio_pci_common *c)
{
	struct virtio_dev *d = p->dev;
	const struct virtq *q = virtio_queue(d, p->queue_select);

	*c = (struct virtio_pci_common){
		.device_feature_select = HULL_LE(32, p->device_feature_select),
		.device_feature = HULL_LE(32, virtio_get_features(d, p->device_feature_select)),
		.driver_feature_select = HULL_LE(32, p->driver_feature_select),
		.driver_feature =
			HULL_LE(32, virtio_get_driver_features(d, p->driver_feature_select)),
		.config_msix_vector = HULL_LE(16, p->config_vector),
		.num_queues = HULL_LE(16, (u16)d->nvqs),
		.device_status = virtio_get_status(d),
		.config_generation = d->config_generation,
		.queue_select = HULL_LE(16, p->queue_select),
		.queue_msix_vector = HULL_LE(16, VIRTIO_PCI_NO_VECTOR),
	};
	if (!q)
		return;
	c->queue_size = HULL_LE(16, q->size);
	c->queue_msix_vector = HULL_LE(16, p->queue_vector[q->index]);
	c->queue_enable = HULL_LE(16, (u16)q->enabled);
	c->queue_notify_off = HULL_LE(16, q->index);
	c->queue_desc = HULL_LE(64, q->desc_gpa);
	c->queue_driver = HULL_LE(64, q->avail_gpa);
	c->queue_device = HULL_LE(64, q->used_gpa);
}

static u64 common_read(struct virtio_pci *p, u64 off, unsigned size)
{
	struct virtio_pci_common c;

	if (!range_inside(off, size, sizeof(c)))
		return 0;
	common_image(p, &c);
	return load_le((const u8 *)&c + off, size);
}

/* A vector the function does not have cannot be set: it reads back as none (4.1.5.1.2). */
static u16 vector_or_none(const struct virtio_pci *p, u64 val)
{
	return val < p->func.msix.n ? (u16)val : VIRTIO_PCI_NO_VECTOR;
}

static void status_write(struct virtio_pci *p, u8 val)
{
	virtio_set_status(p->dev, val);
	if (!val)
		forget_driver(p);
}

#define FIELD(name) offsetof(struct virtio_pci_common, name)

/* The fields of the selected queue; q is NULL if there is no such queue. */
static void queue_write(struct virtio_pci *p, struct virtq *q, u64 off, unsigned size, u64 val)
{
	unsigned shift = (off & 4) * 8;

	if (!q)
		return;
	switch (off) {
	case FIELD(queue_size):
		virtq_set_size(q, (u16)val);
		break;
	case FIELD(queue_msix_vector):
		p->queue_vector[q->index] = vector_or_none(p, val);
		break;
	case FIELD(queue_enable):
		if (val == 1)
			virtq_enable(q);
		break;
	case FIELD(queue_desc):
	case FIELD(queue_desc) + 4:
		virtq_set_addr(q, &q->desc_gpa, shift, size, val);
		break;
	case FIELD(queue_driver):
	case FIELD(queue_driver) + 4:
		virtq_set_addr(q, &q->avail_gpa, shift, size, val);
		break;
	case FIELD(queue_device):
	case FIELD(queue_device) + 4:
		virtq_set_addr(q, &q->used_gpa, shift, size, val);
		break;
	}
}

static_assert(FIELD(queue_desc) % 8 == 0 && FIELD(queue_device) % 8 == 0, "shift by offset bit 2");

static void common_write(struct virtio_pci *p, u64 off, unsigned size, u64 val)
{
	switch (off) {
	case FIELD(device_feature_select):
		p->device_feature_select = (u32)val;
		break;
	case FIELD(driver_feature_select):
		p->driver_feature_select = (u32)val;
		break;
	case FIELD(driver_feature):
		virtio_set_driver_features(p->dev, p->driver_feature_select, (u32)val);
		break;
	case FIELD(config_msix_vector):
		p->config_vector = vector_or_none(p, val);
		break;
	case FIELD(device_status):
		status_write(p, (u8)val);
		break;
	case FIELD(queue_select):
		p->queue_select = (u16)val;
		break;
	default:
		queue_write(p, virtio_queue(p->dev, p->queue_select), off, size, val);
	}
}

static u64 isr_read(struct virtio_pci *p)
{
	u8 isr = p->isr;

	p->isr = 0;
	pci_intx_set(&p->func, false);
	return isr;
}

static u64 regs_read(void *opaque, u64 off, unsigned size)
{
	struct virtio_pci *p = opaque;
	u64 in = off % VIRTIO_PCI_AREA_SIZE;

	switch (off - in) {
	case VIRTIO_PCI_COMMON_OFF:
		return common_read(p, in, size);
	case VIRTIO_PCI_ISR_OFF:
		return in ? 0 : isr_read(p);
	case VIRTIO_PCI_DEVICE_OFF:
		return virtio_config_read(p->dev, in, size);
	}
	return 0;
}

static void regs_write(void *opaque, u64 off, unsigned size, u64 val)
{
	struct virtio_pci *p = opaque;
	u64 in = off % VIRTIO_PCI_AREA_SIZE;

	switch (off - in) {
	case VIRTIO_PCI_COMMON_OFF:
		common_write(p, in, size, val);
		break;
	case VIRTIO_PCI_DEVICE_OFF:
		virtio_config_write(p->dev, in, size, val);
		break;
	case VIRTIO_PCI_NOTIFY_OFF:
		virtio_notify(p->dev, (u32)(in / VIRTIO_PCI_NOTIFY_STEP));
		break;
	}
}

static const struct device_ops regs_ops = {
	.name = "virtio-pci",
	.read = regs_read,
	.write = regs_write,
};

/* Configuration access capability (4.1.4.9): the window's place and size, then 4 data bytes. */
#define CFG_DATA sizeof(struct virtio_pci_cap)

static bool cfg_window(const struct virtio_pci *p, u64 *off, unsigned *size)
{
	const u8 *cap = &p->func.config[p->cfg_cap];

	*off = load_le32(cap + offsetof(struct virtio_pci_cap, offset));
	*size = load_le32(cap + offsetof(struct virtio_pci_cap, length));
	return cap[offsetof(struct virtio_pci_cap, bar)] == VIRTIO_PCI_BAR_REGS &&
	       (*size == 1 || *size == 2 || *size == 4) && *off % *size == 0 &&
	       range_inside(*off, *size, VIRTIO_PCI_REGS_SIZE);
}

static bool touches_cfg_data(const struct virtio_pci *p, unsigned off, unsigned len)
{
	unsigned data = p->cfg_cap + CFG_DATA;

	return off < data + 4 && off + len > data;
}

static void config_reading(void *opaque, unsigned off, unsigned len)
{
	struct virtio_pci *p = opaque;
	unsigned size;
	u64 at;

	if (touches_cfg_data(p, off, len) && cfg_window(p, &at, &size))
		store_le(&p->func.config[p->cfg_cap + CFG_DATA], size, regs_read(p, at, size));
}

static void config_written(void *opaque, unsigned off, unsigned len)
{
	struct virtio_pci *p = opaque;
	unsigned size;
	u64 at;

	if (touches_cfg_data(p, off, len) && cfg_window(p, &at, &size))
		regs_write(p, at, size, load_le(&p->func.config[p->cfg_cap + CFG_DATA], size));
	if (off < PCI_CFG_COMMAND + 2 && off + len > PCI_CFG_COMMAND)
		virtio_set_dma(p->dev, pci_bus_master(&p->func));
}

static void pci_reset(void *opaque)
{
	struct virtio_pci *p = opaque;

	status_write(p, 0);
	virtio_set_dma(p->dev, false);
}

static const struct pci_func_ops func_ops = {
	.reset = pci_reset,
	.config_reading = config_reading,
	.config_written = config_written,
};

static int cap_add(struct virtio_pci *p, enum virtio_pci_cap_type type, unsigned extra, u32 off,
		   u32 len)
{
	unsigned size = sizeof(struct virtio_pci_cap) + extra;
	int at = pci_cap_add(&p->func, PCI_CAP_VENDOR, size);
	u8 *cap;

	if (at < 0)
		return at;
	cap = &p->func.config[at];
	cap[offsetof(struct virtio_pci_cap, cap_len)] = (u8)size;
	cap[offsetof(struct virtio_pci_cap, cfg_type)] = (u8)type;
	cap[offsetof(struct virtio_pci_cap, bar)] = VIRTIO_PCI_BAR_REGS;
	store_le32(cap + offsetof(struct virtio_pci_cap, offset), off);
	store_le32(cap + offsetof(struct virtio_pci_cap, length), len);
	return at;
}

static int caps_add(struct virtio_pci *p)
{
	int common = cap_add(p, VIRTIO_PCI_CAP_COMMON, 0, VIRTIO_PCI_COMMON_OFF,
			     sizeof(struct virtio_pci_common));
	int notify =
		cap_add(p, VIRTIO_PCI_CAP_NOTIFY, 4, VIRTIO_PCI_NOTIFY_OFF, VIRTIO_PCI_AREA_SIZE);
	int isr = cap_add(p, VIRTIO_PCI_CAP_ISR, 0, VIRTIO_PCI_ISR_OFF, 4);
	int dev = cap_add(p, VIRTIO_PCI_CAP_DEVICE, 0, VIRTIO_PCI_DEVICE_OFF, VIRTIO_PCI_AREA_SIZE);
	int cfg = cap_add(p, VIRTIO_PCI_CAP_PCI, 4, 0, 0);

	if (common < 0 || notify < 0 || isr < 0 || dev < 0 || cfg < 0)
		return -E_NOSPC;
	store_le32(&p->func.config[notify + (int)sizeof(struct virtio_pci_cap)],
		   VIRTIO_PCI_NOTIFY_STEP);
	p->cfg_cap = (unsigned)cfg;
	p->func.writable[cfg + (int)offsetof(struct virtio_pci_cap, bar)] = 0xff;
	/* offset, length and the data */
	for (unsigned i = offsetof(struct virtio_pci_cap, offset); i < CFG_DATA + 4; i++)
		p->func.writable[(unsigned)cfg + i] = 0xff;
	return 0;
}

int virtio_pci_init(struct virtio_pci *p, struct virtio_dev *dev, u32 class_code)
{
	const struct pci_ids ids = {
		.vendor = VIRTIO_PCI_VENDOR,
		.device = (u16)(VIRTIO_PCI_DEVICE_BASE + dev->id),
		.subvendor = VIRTIO_PCI_VENDOR,
		.subdevice = (u16)(VIRTIO_PCI_DEVICE_BASE + dev->id),
		.class_code = class_code,
		.revision = 1, /* 4.1.2.1 */
	};
	int err;

	*p = (struct virtio_pci){.dev = dev};
	dev->transport = (struct virtio_transport){queue_irq, config_irq, p};
	pci_func_init(&p->func, dev->ops->name, &ids, &func_ops, p);
	forget_driver(p);
	dev->dma_off = true;
	err = pci_msix_add(&p->func, VIRTIO_PCI_BAR_MSIX, dev->nvqs + 1);
	if (err)
		return err;
	err = pci_bar_add(&p->func, VIRTIO_PCI_BAR_REGS, PCI_BAR_MEM32, VIRTIO_PCI_REGS_SIZE,
			  &regs_ops, p);
	return err ? err : caps_add(p);
}
