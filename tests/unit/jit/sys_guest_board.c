/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/jit/sys_guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/endian.h"

static u64 bus_read(void *o, u64 gpa, unsigned size)
{
	return ~0ULL;
}

static void bus_write(void *o, u64 gpa, unsigned size, u64 v)
{
}

static u32 bus_in(void *o, u16 port, unsigned size)
{
	return ~0U;
}

static void bus_out(void *o, u16 port, unsigned size, u32 v)
{
	struct board_cpu *p = o;
	struct board *b = p->b;

	pthread_mutex_lock(&b->lock);
	switch (port) {
	case 0xe9:
		if (b->nout < sizeof(b->out) - 1)
			b->out[b->nout++] = (char)v;
		break;
	case 0x500:
		engine_jit_ops.vcpu_init(b->cpu[1]);
		engine_jit_ops.vcpu_sipi(b->cpu[1], 9);
		break;
	case 0x501:
		engine_jit_ops.vcpu_irq(b->cpu[p->n], true);
		break;
	case 0x502:
		engine_jit_ops.vcpu_kick(b->cpu[p->n]);
		break;
	case 0x503:
		engine_jit_ops.vcpu_nmi(b->cpu[p->n]);
		break;
	case 0xf4:
		b->exited = true;
		engine_jit_ops.vcpu_kick(b->cpu[0]);
		if (b->cpu[1])
			engine_jit_ops.vcpu_kick(b->cpu[1]);
	}
	pthread_mutex_unlock(&b->lock);
}

static int bus_rdmsr(void *o, u32 msr, u64 *v)
{
	return -E_NOENT;
}

static int bus_wrmsr(void *o, u32 msr, u64 v)
{
	return -E_NOENT;
}

static int bus_ack(void *o)
{
	struct board_cpu *p = o;

	engine_jit_ops.vcpu_irq(p->b->cpu[p->n], false);
	return 0x22;
}

static u8 bus_cr8(void *o)
{
	return 0;
}

static void bus_set_cr8(void *o, u8 v)
{
}

static void *ram_of(int fd)
{
	void *p = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED || ftruncate(fd, RAM) ? NULL : p;
}

static void *zeroed(size_t n)
{
	return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

void board_start_cpus(struct board *b, struct board_cpu p[2], bool interpret, unsigned n)
{
	struct engine_vm_config cfg = {.map = &b->map, .ncpus = n, .interpret = interpret};
	struct gpa_slot ram = {.size = RAM, .fd = memfd_create("guest-ram", 0)},
			rom = {.gpa = 0xffff0000, .size = 65536, .readonly = true, .fd = -1};

	memset(b, 0, sizeof(*b));
	pthread_mutex_init(&b->lock, NULL);
	b->fd = ram.fd;
	b->ram = ram.host = ram_of(b->fd);
	b->rom = rom.host = zeroed(65536);
	b->flags = zeroed(4096);
	ram.page_flags = b->flags;
	rom.page_flags = b->flags + RAM / 4096;
	gpa_slot_add(&b->map, &ram);
	gpa_slot_add(&b->map, &rom);
	memcpy(b->rom + 0xfff0, "\xea\x00\x80\x00\x00", 5); /* jmp 0:0x8000 */
	memcpy(b->ram + 0x8000, guest_start, (size_t)(guest_end - guest_start));
	memcpy(b->ram + 0x9000, ap_start, (size_t)(ap_end - ap_start));
	store_le64(b->ram + 0x3004, 0x5000); /* TSS RSP0 */
	if (engine_jit_ops.vm_create(&cfg, &b->vm))
		abort();
	for (unsigned i = 0; i < n; i++) {
		struct vcpu_bus bus = {bus_read,    bus_write, bus_in,	bus_out,
				       bus_rdmsr,   bus_wrmsr, bus_ack, bus_cr8,
				       bus_set_cr8, NULL,      &p[i]};

		p[i] = (struct board_cpu){b, i};
		if (engine_jit_ops.vcpu_create(b->vm, i, &bus, &b->cpu[i]))
			abort();
	}
}

void board_start(struct board *b, struct board_cpu p[2], bool interpret)
{
	board_start_cpus(b, p, interpret, 2);
}

void board_stop(struct board *b)
{
	for (unsigned i = 0; i < 2; i++)
		if (b->cpu[i])
			engine_jit_ops.vcpu_destroy(b->cpu[i]);
	engine_jit_ops.vm_destroy(b->vm);
	close(b->fd);
	munmap(b->ram, RAM);
	munmap(b->rom, 65536);
	munmap((void *)b->flags, 4096);
}

static void *run_ap(void *opaque)
{
	struct board *b = opaque;
	struct vcpu_exit e;

	engine_jit_ops.vcpu_run(b->cpu[1], &e);
	return NULL;
}

/* What happens when the guest's system call asks for an exit. */
static void swap_state(struct board *b)
{
	static struct x86_state s;

	if (engine_jit_ops.vcpu_get_state(b->cpu[0], &s))
		abort();
	engine_jit_ops.vcpu_reset(b->cpu[0]);
	if (engine_jit_ops.vcpu_set_state(b->cpu[0], &s))
		abort();
}

int board_run(struct board *b)
{
	struct vcpu_exit e;

	pthread_create(&b->ap, NULL, run_ap, b);
	do {
		engine_jit_ops.vcpu_run(b->cpu[0], &e);
		if (e.kind == VCPU_EXIT_KICK && !b->exited)
			swap_state(b);
	} while (e.kind == VCPU_EXIT_KICK && !b->exited);
	engine_jit_ops.vcpu_kick(b->cpu[1]);
	pthread_join(b->ap, NULL);
	return (int)e.kind;
}
