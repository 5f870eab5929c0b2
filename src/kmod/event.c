// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Interrupt routing, eventfds that make interrupts (irqfd) and that tell of the guest's
 * writes (ioeventfd), and writes that user space fetches later (coalesced MMIO).
 * api.rst 4.52, 4.59, 4.75, 4.116.
 */
#include "kmod/kmod.h"

#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

/* ---- routing ------------------------------------------------------------------------ */

static int route_from(const struct kvm_irq_routing_entry *k, struct chip_route *r)
{
	*r = (struct chip_route){.gsi = k->gsi};
	if (k->flags || k->gsi >= KMOD_ROUTES)
		return -EINVAL;
	if (k->type == KVM_IRQ_ROUTING_MSI) {
		r->to = CHIP_MSI;
		r->addr = (u64)k->u.msi.address_hi << 32 | k->u.msi.address_lo;
		r->data = k->u.msi.data;
		return 0;
	}
	if (k->type != KVM_IRQ_ROUTING_IRQCHIP || k->u.irqchip.irqchip > KVM_IRQCHIP_IOAPIC ||
	    k->u.irqchip.pin >= (k->u.irqchip.irqchip == KVM_IRQCHIP_IOAPIC ? 24 : 8))
		return -EINVAL;
	r->to = k->u.irqchip.irqchip; /* the same numbers: chip.h */
	r->pin = k->u.irqchip.pin;
	return 0;
}

int kmod_routing(struct kmod_vm *vm, const struct kvm_irq_routing __user *u)
{
	struct kvm_irq_routing_entry k;
	struct kvm_irq_routing head;
	struct chip_route *r;
	int err = 0;

	if (!vm->chip)
		return -EINVAL;
	if (copy_from_user(&head, u, sizeof(head)))
		return -EFAULT;
	if (head.nr > KMOD_ROUTES || head.flags)
		return -EINVAL;
	r = vmalloc(sizeof(*r) * (head.nr + 1));
	if (!r)
		return -ENOMEM;
	for (u32 i = 0; !err && i < head.nr; i++)
		err = copy_from_user(&k, &u->entries[i], sizeof(k)) ? -EFAULT
								    : route_from(&k, &r[i]);
	if (!err)
		r = chip_routes(vm->chip, r, head.nr);
	vfree(r);
	return err;
}

/* Lines 0 to 15 to both, 16 to 23 to the I/O APIC. */
int kmod_routing_default(struct kmod_vm *vm)
{
	struct chip_route *r = vmalloc(sizeof(*r) * 40);
	unsigned n = 0;

	if (!r)
		return -ENOMEM;
	for (unsigned i = 0; i < 24; i++) {
		r[n++] = (struct chip_route){.gsi = i, .to = CHIP_IOAPIC, .pin = i};
		if (i < 16)
			r[n++] = (struct chip_route){.gsi = i,
						     .to = i < 8 ? CHIP_PIC_MASTER : CHIP_PIC_SLAVE,
						     .pin = i & 7};
	}
	vfree(chip_routes(vm->chip, r, n));
	return 0;
}

/* ---- irqfd ------------------------------------------------------------------------------- */

struct irqfd {
	struct list_head link;
	struct kmod_vm *vm;
	struct eventfd_ctx *ctx;
	u32 gsi;
	wait_queue_entry_t wait;
	wait_queue_head_t *head;
	poll_table pt;
};

/* In the writer's context, interrupts off. */
static int irqfd_wake(wait_queue_entry_t *w, unsigned mode, int sync, void *key)
{
	struct irqfd *i = container_of(w, struct irqfd, wait);
	u64 count;

	if (!(key_to_poll(key) & EPOLLIN))
		return 0;
	eventfd_ctx_do_read(i->ctx, &count);
	chip_line(i->vm->chip, i->gsi, true);
	chip_line(i->vm->chip, i->gsi, false);
	return 1;
}

static void irqfd_queue(struct file *f, wait_queue_head_t *head, poll_table *pt)
{
	struct irqfd *i = container_of(pt, struct irqfd, pt);

	i->head = head;
	add_wait_queue_priority(head, &i->wait);
}

static void irqfd_free(struct irqfd *i)
{
	u64 count;

	list_del(&i->link);
	i->vm->nirqfds--;
	eventfd_ctx_remove_wait_queue(i->ctx, &i->wait, &count);
	eventfd_ctx_put(i->ctx);
	kfree(i);
}

static int irqfd_remove(struct kmod_vm *vm, struct eventfd_ctx *ctx, u32 gsi)
{
	struct irqfd *i, *next;

	list_for_each_entry_safe(i, next, &vm->irqfds, link) if (i->ctx == ctx && i->gsi == gsi)
		irqfd_free(i);
	return 0;
}

static int irqfd_add(struct kmod_vm *vm, struct file *f, struct eventfd_ctx *ctx, u32 gsi)
{
	struct irqfd *i;

	list_for_each_entry(i, &vm->irqfds, link) if (i->ctx == ctx) return -EBUSY;
	if (vm->nirqfds == KMOD_EVENTS)
		return -ENOSPC;
	i = kzalloc(sizeof(*i), GFP_KERNEL_ACCOUNT);
	if (!i)
		return -ENOMEM;
	i->vm = vm;
	i->ctx = ctx;
	i->gsi = gsi;
	init_waitqueue_func_entry(&i->wait, irqfd_wake);
	init_poll_funcptr(&i->pt, irqfd_queue);
	list_add(&i->link, &vm->irqfds);
	vm->nirqfds++;
	if (vfs_poll(f, &i->pt) & EPOLLIN) { /* signalled before we listened */
		chip_line(vm->chip, gsi, true);
		chip_line(vm->chip, gsi, false);
	}
	return 0;
}

/* The VM's lock is held. */
int kmod_irqfd(struct kmod_vm *vm, const struct kvm_irqfd *k)
{
	bool add = !(k->flags & KVM_IRQFD_FLAG_DEASSIGN);
	struct eventfd_ctx *ctx;
	struct fd f;
	int err;

	if (k->flags & ~KVM_IRQFD_FLAG_DEASSIGN || k->gsi >= KMOD_ROUTES)
		return -EINVAL;
	f = fdget(k->fd);
	if (!f.file)
		return -EBADF;
	ctx = eventfd_ctx_fileget(f.file);
	if (IS_ERR(ctx)) {
		fdput(f);
		return PTR_ERR(ctx);
	}
	err = add ? irqfd_add(vm, f.file, ctx, k->gsi) : irqfd_remove(vm, ctx, k->gsi);
	if (!add || err)
		eventfd_ctx_put(ctx);
	fdput(f);
	return err;
}

/* ---- ioeventfd ------------------------------------------------------------------------------- */

struct ioeventfd {
	struct list_head link;
	struct eventfd_ctx *ctx;
	u64 addr, match;
	u32 len; /* 0: any */
	bool pio, matches;
};

static bool ioeventfd_same(const struct ioeventfd *i, const struct kvm_ioeventfd *k)
{
	return i->addr == k->addr && i->pio == !!(k->flags & KVM_IOEVENTFD_FLAG_PIO) &&
	       i->len == k->len && i->matches == !!(k->flags & KVM_IOEVENTFD_FLAG_DATAMATCH) &&
	       (!i->matches || i->match == k->datamatch);
}

static int ioeventfd_add(struct kmod_vm *vm, struct eventfd_ctx *ctx, const struct kvm_ioeventfd *k)
{
	struct ioeventfd *i = kzalloc(sizeof(*i), GFP_KERNEL_ACCOUNT), *other;
	int err = vm->nioeventfds == KMOD_EVENTS ? -ENOSPC : 0;

	if (!i)
		return -ENOMEM;
	*i = (struct ioeventfd){.ctx = ctx,
				.addr = k->addr,
				.match = k->datamatch,
				.len = k->len,
				.pio = k->flags & KVM_IOEVENTFD_FLAG_PIO,
				.matches = k->flags & KVM_IOEVENTFD_FLAG_DATAMATCH};
	spin_lock(&vm->event_spin);
	list_for_each_entry(other, &vm->ioeventfds, link) if (ioeventfd_same(other, k)) err =
		-EEXIST;
	if (!err) {
		list_add(&i->link, &vm->ioeventfds);
		vm->nioeventfds++;
	}
	spin_unlock(&vm->event_spin);
	if (err)
		kfree(i);
	return err;
}

static int ioeventfd_remove(struct kmod_vm *vm, struct eventfd_ctx *ctx,
			    const struct kvm_ioeventfd *k)
{
	struct ioeventfd *i, *found = NULL;

	spin_lock(&vm->event_spin);
	list_for_each_entry(i, &vm->ioeventfds, link) if (i->ctx == ctx && ioeventfd_same(i, k))
		found = i;
	if (found) {
		list_del(&found->link);
		vm->nioeventfds--;
	}
	spin_unlock(&vm->event_spin);
	if (!found)
		return -ENOENT;
	eventfd_ctx_put(found->ctx);
	kfree(found);
	return 0;
}

int kmod_ioeventfd(struct kmod_vm *vm, const struct kvm_ioeventfd *k)
{
	const u32 known =
		KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN;
	struct eventfd_ctx *ctx;
	bool add = !(k->flags & KVM_IOEVENTFD_FLAG_DEASSIGN);
	int err;

	if (k->flags & ~known || k->len > 8 || hweight32(k->len) > 1 ||
	    k->addr + k->len < k->addr || (!k->len && k->flags & KVM_IOEVENTFD_FLAG_DATAMATCH))
		return -EINVAL;
	ctx = eventfd_ctx_fdget(k->fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	err = add ? ioeventfd_add(vm, ctx, k) : ioeventfd_remove(vm, ctx, k);
	if (!add || err)
		eventfd_ctx_put(ctx);
	return err;
}

bool kmod_ioeventfd_write(struct kmod_vm *vm, bool pio, u64 addr, unsigned size, u64 val)
{
	struct ioeventfd *i;
	bool hit = false;

	if (list_empty(&vm->ioeventfds))
		return false;
	spin_lock(&vm->event_spin);
	list_for_each_entry(i, &vm->ioeventfds, link)
	{
		if (i->pio != pio || i->addr != addr || (i->len && i->len != size) ||
		    (i->matches && i->match != val))
			continue;
		eventfd_signal(i->ctx, 1);
		hit = true;
		break;
	}
	spin_unlock(&vm->event_spin);
	return hit;
}

void kmod_events_free(struct kmod_vm *vm)
{
	struct irqfd *i, *next;
	struct ioeventfd *e, *enext;

	mutex_lock(&vm->lock);
	list_for_each_entry_safe(i, next, &vm->irqfds, link) irqfd_free(i);
	spin_lock(&vm->event_spin);
	list_for_each_entry_safe(e, enext, &vm->ioeventfds, link)
	{
		list_del(&e->link);
		eventfd_ctx_put(e->ctx);
		kfree(e);
	}
	vm->nioeventfds = 0;
	spin_unlock(&vm->event_spin);
	mutex_unlock(&vm->lock);
}

/* ---- coalesced writes ---------------------------------------------------------------------- */

int kmod_zone(struct kmod_vm *vm, const struct kvm_coalesced_mmio_zone *z, bool add)
{
	int err = 0;

	if (z->pio > 1)
		return -EINVAL;
	spin_lock(&vm->event_spin);
	if (add && vm->nzones < KMOD_ZONES)
		vm->zone[vm->nzones++] = *z;
	else if (add)
		err = -ENOSPC;
	for (unsigned i = 0; !add && i < vm->nzones; i++)
		if (vm->zone[i].addr == z->addr && vm->zone[i].size == z->size &&
		    vm->zone[i].pio == z->pio)
			vm->zone[i--] = vm->zone[--vm->nzones];
	spin_unlock(&vm->event_spin);
	return err;
}

/* The ring is shared with user space: its indices are only believed as far as they fit. */
bool kmod_coalesce(struct kmod_vm *vm, bool pio, u64 addr, unsigned size, u64 val)
{
	struct kvm_coalesced_mmio_ring *ring = vm->ring;
	struct kvm_coalesced_mmio *e;
	bool hit = false;
	u32 first, last;

	if (!vm->nzones)
		return false;
	spin_lock(&vm->event_spin);
	for (unsigned i = 0; i < vm->nzones; i++)
		hit |= vm->zone[i].pio == pio && addr >= vm->zone[i].addr &&
		       addr - vm->zone[i].addr + size <= vm->zone[i].size;
	first = READ_ONCE(ring->first);
	last = READ_ONCE(ring->last);
	if (!hit || last >= KVM_COALESCED_MMIO_MAX ||
	    (last + 1) % KVM_COALESCED_MMIO_MAX == first) {
		spin_unlock(&vm->event_spin);
		return false;
	}
	e = &ring->coalesced_mmio[last];
	*e = (struct kvm_coalesced_mmio){.phys_addr = addr, .len = size, .pio = pio};
	memcpy(e->data, &val, size);
	smp_wmb(); /* the entry before the index that shows it */
	WRITE_ONCE(ring->last, (last + 1) % KVM_COALESCED_MMIO_MAX);
	spin_unlock(&vm->event_spin);
	return true;
}
