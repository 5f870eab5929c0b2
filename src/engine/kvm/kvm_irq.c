/* SPDX-License-Identifier: Apache-2.0 */
/* KVM's own interrupt controllers: lines, messages, and eventfds wired to them. */
#include "engine/kvm/kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define IOAPIC_PINS 24u
#define PIC_LINES 16u
#define TIMER_PIN 2u /* where line 0 goes on the I/O APIC, as the MADT says */
#define ROUTES_FIXED (PIC_LINES + IOAPIC_PINS)

static void route_chip(struct kvm_irq_routing *t, u32 gsi, u32 chip, u32 pin)
{
	t->entries[t->nr++] = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = {.irqchip = chip, .pin = pin},
	};
}

/* The lines of a PC, as dev/irq/gsi.h wires them. */
static void routes_fixed(struct kvm_irq_routing *t)
{
	for (u32 i = 0; i < PIC_LINES; i++)
		route_chip(t, i, i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, i & 7);
	for (u32 i = 0; i < IOAPIC_PINS; i++)
		if (i != TIMER_PIN)
			route_chip(t, i, KVM_IRQCHIP_IOAPIC, i == 0 ? TIMER_PIN : i);
}

static int routes_set(struct engine_vm *vm)
{
	struct kvm_irq_routing *t =
		calloc(1, sizeof(*t) + (ROUTES_FIXED + KVM_ROUTES_MAX) * sizeof(t->entries[0]));
	int ret;

	if (!t)
		return -E_NOMEM;
	routes_fixed(t);
	for (u32 i = 0; i < KVM_ROUTES_MAX; i++) {
		const struct kvm_msi_route *r = &vm->route[i];

		if (r->fd < 0)
			continue;
		t->entries[t->nr++] = (struct kvm_irq_routing_entry){
			.gsi = IOAPIC_PINS + i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = (u32)r->addr,
				  .address_hi = (u32)(r->addr >> 32),
				  .data = r->data},
		};
	}
	ret = ioctl(vm->fd, KVM_SET_GSI_ROUTING, t) ? -errno : 0;
	free(t);
	return ret;
}

int kvm_irqchip_create(struct engine_vm *vm)
{
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	int ret;

	for (unsigned i = 0; i < KVM_ROUTES_MAX; i++)
		vm->route[i].fd = -1;
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) || ioctl(vm->fd, KVM_CREATE_PIT2, &pit))
		return -errno;
	ret = routes_set(vm);
	for (u32 i = 0; !ret && i < 3; i++) {
		vm->chip[i].chip_id = i;
		ret = ioctl(vm->fd, KVM_GET_IRQCHIP, &vm->chip[i]) ? -errno : 0;
	}
	if (!ret && ioctl(vm->fd, KVM_GET_PIT2, &vm->pit))
		ret = -errno;
	return ret;
}

int kvm_irqchip_reset(struct engine_vm *vm)
{
	for (u32 i = 0; i < 3; i++)
		if (ioctl(vm->fd, KVM_SET_IRQCHIP, &vm->chip[i]))
			return -errno;
	return ioctl(vm->fd, KVM_SET_PIT2, &vm->pit) ? -errno : 0;
}

int kvm_gsi_set(struct engine_vm *vm, unsigned gsi, bool level)
{
	struct kvm_irq_level l = {.irq = gsi, .level = level};

	if (vm->user_irqchip)
		return -E_NOTSUP;
	return ioctl(vm->fd, KVM_IRQ_LINE, &l) ? -errno : 0;
}

int kvm_msi_send(struct engine_vm *vm, u64 addr, u32 data)
{
	struct kvm_msi m = {.address_lo = (u32)addr, .address_hi = (u32)(addr >> 32), .data = data};

	if (vm->user_irqchip)
		return -E_NOTSUP;
	return ioctl(vm->fd, KVM_SIGNAL_MSI, &m) < 0 ? -errno : 0;
}

static struct kvm_msi_route *route_of(struct engine_vm *vm, int fd)
{
	for (unsigned i = 0; i < KVM_ROUTES_MAX; i++)
		if (vm->route[i].fd == fd)
			return &vm->route[i];
	return NULL;
}

static int irqfd_add(struct engine_vm *vm, int fd, u64 addr, u32 data)
{
	struct kvm_msi_route *r = route_of(vm, fd), *known = r;
	struct kvm_irqfd k = {.fd = (u32)fd};
	int ret;

	if (!r)
		r = route_of(vm, -1);
	if (!r)
		return -E_NOSPC;
	*r = (struct kvm_msi_route){.fd = fd, .addr = addr, .data = data};
	ret = routes_set(vm);
	if (ret || known) /* a changed message reaches the irqfd by the new table */
		return ret;
	k.gsi = IOAPIC_PINS + (u32)(r - vm->route);
	if (!ioctl(vm->fd, KVM_IRQFD, &k))
		return 0;
	ret = -errno;
	r->fd = -1;
	return ret;
}

static int irqfd_remove(struct engine_vm *vm, int fd)
{
	struct kvm_msi_route *r = route_of(vm, fd);
	struct kvm_irqfd k = {.fd = (u32)fd, .flags = KVM_IRQFD_FLAG_DEASSIGN};

	if (!r)
		return -E_NOENT;
	k.gsi = IOAPIC_PINS + (u32)(r - vm->route);
	if (ioctl(vm->fd, KVM_IRQFD, &k))
		return -errno;
	r->fd = -1;
	return routes_set(vm);
}

int kvm_irqfd(struct engine_vm *vm, int fd, u64 addr, u32 data, bool add)
{
	int ret;

	if (vm->user_irqchip)
		return -E_NOTSUP;
	if (fd < 0)
		return -E_INVAL;
	pthread_mutex_lock(&vm->lock);
	ret = add ? irqfd_add(vm, fd, addr, data) : irqfd_remove(vm, fd);
	pthread_mutex_unlock(&vm->lock);
	return ret;
}

int kvm_ioeventfd(struct engine_vm *vm, int fd, u64 gpa, unsigned len, u64 match, bool add)
{
	struct kvm_ioeventfd k = {
		.datamatch = len ? match : 0,
		.addr = gpa,
		.len = len,
		.fd = fd,
		.flags = (len ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
			 (add ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &k) ? -errno : 0;
}
