/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event descriptors between the engine and the virtio devices, where the engine
 * can signal them and be signalled by them (KVM): a driver's notification does
 * not leave the guest's vCPU waiting for the machine lock, and interrupts that
 * come often reach the engine by a write to a descriptor instead of a call.
 *
 * All descriptors are made before the process confines itself. Only pc*.c calls
 * this; without the engine's help everything works by ordinary accesses.
 */
#include "machine/pc_internal.h"

#include "base/bits.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A message sent this often gets a descriptor: wiring one costs more than some sends. */
#define MESSAGE_OFTEN 16u

/* ---- notifications ---- */

static void on_kick(void *opaque, u32 events)
{
	struct pc_kick *k = opaque;
	u64 count;

	if (read(k->fd, &count, sizeof(count)) == sizeof(count))
		virtio_notify(k->dev, k->queue);
}

static int kick_init(struct pc *pc, struct pc_kick *k, struct virtio_dev *dev, unsigned queue,
		     struct err *e)
{
	k->dev = dev;
	k->queue = queue;
	k->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (k->fd < 0)
		return err_errno(e, "board: event descriptor");
	return loop_fd_add(pc->cfg.loop, &k->watch, k->fd, EPOLLIN, on_kick, k, e);
}

/* The device's registers appear at addr, or go away from there. */
void pc_events_map(struct pc *pc, unsigned slot, u64 addr, bool map)
{
	for (unsigned i = 0; i < PC_KICKS; i++) {
		struct pc_kick *k = &pc->kick[slot][i];
		u64 gpa = addr + VIRTIO_PCI_NOTIFY_OFF + k->queue * VIRTIO_PCI_NOTIFY_STEP;

		if (!k->dev || k->wired == map)
			continue;
		/* Refused (no room, another BAR is there): the access exits to the bus as ever. */
		if (!pc->cfg.engine->ioeventfd(pc->vm, k->fd, gpa, 0, 0, map) || !map)
			k->wired = map;
	}
}

/* ---- messages ---- */

static struct pc_message *message_of(struct pc *pc, u64 addr, u32 data)
{
	struct pc_message *rarest = NULL;

	for (unsigned i = 0; i < PC_MESSAGES; i++) {
		struct pc_message *m = &pc->message[i];

		if (m->count && m->addr == addr && m->data == data)
			return m;
		if (!m->wired && (!rarest || m->count < rarest->count))
			rarest = m;
	}
	if (rarest) {
		rarest->addr = addr;
		rarest->data = data;
		rarest->count = 0;
	}
	return rarest;
}

/* Takes descriptors back from messages that no longer come. */
static void messages_forget(struct pc *pc)
{
	for (unsigned i = 0; i < PC_MESSAGES; i++) {
		struct pc_message *m = &pc->message[i];

		if (m->wired)
			pc->cfg.engine->irqfd(pc->vm, m->fd, 0, 0, false);
		m->wired = false;
		m->count = 0;
	}
}

bool pc_events_message(struct pc *pc, u64 addr, u32 data)
{
	struct pc_message *m = pc->events ? message_of(pc, addr, data) : NULL;
	u64 one = 1;

	if (!m)
		return false;
	if (!m->wired && ++m->count >= MESSAGE_OFTEN) {
		m->wired = !pc->cfg.engine->irqfd(pc->vm, m->fd, addr, data, true);
		m->count = m->wired; /* refused: not again soon */
	}
	return m->wired && write(m->fd, &one, sizeof(one)) == sizeof(one);
}

/* ---- life ---- */

void pc_events_none(struct pc *pc)
{
	for (unsigned i = 0; i < PC_MESSAGES; i++)
		pc->message[i].fd = -1;
}

int pc_events_init(struct pc *pc, struct err *e)
{
	int err = 0;

	if (!pc->irqchip || !pc->cfg.engine->ioeventfd || !pc->cfg.engine->irqfd)
		return 0;
	for (unsigned i = 0; i < PC_MESSAGES; i++) {
		pc->message[i].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (pc->message[i].fd < 0)
			return err_errno(e, "board: event descriptor");
	}
	for (unsigned s = 1; s < PCI_SLOTS; s++) {
		struct virtio_dev *dev = pc->pci.func[s] ? pc->virtio.at[s]->pci.dev : NULL;

		for (unsigned i = 0; !err && dev && i < PC_KICKS && i < dev->nvqs; i++)
			err = kick_init(pc, &pc->kick[s][i], dev, i, e);
	}
	pc->events = !err;
	return err;
}

void pc_events_reset(struct pc *pc)
{
	if (pc->events)
		messages_forget(pc);
}

void pc_events_fini(struct pc *pc)
{
	for (unsigned s = 0; s < PCI_SLOTS; s++) {
		for (unsigned i = 0; i < PC_KICKS; i++) {
			struct pc_kick *k = &pc->kick[s][i];

			if (!k->dev)
				continue;
			loop_fd_del(pc->cfg.loop, &k->watch);
			if (k->fd >= 0)
				close(k->fd);
		}
	}
	for (unsigned i = 0; i < PC_MESSAGES; i++)
		if (pc->message[i].fd >= 0)
			close(pc->message[i].fd);
}
