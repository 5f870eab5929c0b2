/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/pseries_internal.h"

#include "base/bits.h"

#include <stdlib.h>

/* ---- wires ---- */

static void wire_pin(void *opaque, unsigned server, bool level)
{
	struct pseries *ps = opaque;

	if (ps->vcpus[server])
		ps->cfg.engine->vcpu_irq(ps->vcpus[server], level);
}

static void on_vty_input(void *opaque)
{
	struct pseries *ps = opaque;

	xics_message(&ps->xics, PSERIES_IRQ_VTY);
}

static void on_test_exit(void *opaque, u32 value)
{
	struct pseries *ps = opaque;

	ps->cfg.event(ps->cfg.opaque, BOARD_EVENT_EXIT, value);
}

/* ---- parts ---- */

static int memory_init(struct pseries *ps, struct err *e)
{
	u64 size = ps->cfg.memory;
	int err;

	if (size < PSERIES_MEMORY_MIN || size > PSERIES_MEMORY_MAX || size % MIB(1))
		return err_set(e, E_INVAL,
			       "memory of %llu bytes: a POWER machine has 128 MiB to 64 GiB in "
			       "whole MiB",
			       (unsigned long long)size);
	err = mem_create("hull-ram", size, &ps->ram, e);
	return err ? err : mem_map(ps->ram, &ps->map, 0, 0, size, false, e);
}

/* Hardware start state, then what firmware does, then the kernel. */
static int reset(struct pseries *ps, struct err *e)
{
	bus_reset(&ps->mmio);
	for (unsigned i = 0; i < PCI_SLOTS; i++)
		if (ps->pci.func[i])
			pci_func_reset(ps->pci.func[i]);
	xics_reset(&ps->xics);
	vty_reset(&ps->vty);
	ps->power_pressed = false;
	pseries_cpus_reset(ps);
	if (pci_assign_bars(&ps->pci))
		return err_set(e, E_NOSPC, "board: the PCI windows are too small for its devices");
	return pseries_boot_start(ps, e);
}

static int init(struct pseries *ps, struct err *e)
{
	int err = memory_init(ps, e);

	if (err)
		return err;
	xics_init(&ps->xics, ps->cfg.ncpus, wire_pin, ps);
	vty_init(&ps->vty, ps->cfg.serial, on_vty_input, ps);
	test_exit_init(&ps->test_exit, on_test_exit, ps);
	pseries_nvram_init(ps);
	err = bus_add(&ps->mmio, PSERIES_TEST_EXIT, TEST_EXIT_WINDOW, &test_exit_ops,
		      &ps->test_exit);
	if (err)
		return err_set(e, -err, "board: no room on the bus");
	err = pseries_cpus_init(ps, e);
	if (!err)
		err = pseries_pci_init(ps, e);
	return err ? err : reset(ps, e);
}

/* ---- struct board_ops ---- */

static struct pseries *pseries_of(struct board *b)
{
	return container_of(b, struct pseries, board);
}

static void pseries_destroy(struct board *b)
{
	struct pseries *ps = pseries_of(b);

	loop_lock(ps->cfg.loop);
	pseries_cpus_fini(ps);
	loop_unlock(ps->cfg.loop);
	virtio_set_fini(&ps->virtio);
	mem_destroy(ps->ram);
	free(ps);
}

static int pseries_create(const struct board_config *cfg, struct board **out, struct err *e)
{
	struct pseries *ps = calloc(1, sizeof(*ps));
	int err;

	if (!ps)
		return err_set(e, E_NOMEM, "no memory for the board");
	ps->cfg = *cfg;
	ps->rtc_offset = cfg->rtc_offset;
	if (!cfg->nports) /* the VTY is the console; a second one would only confuse */
		ps->cfg.console = NULL;
	ps->board = (struct board){.ops = &board_pseries, .vcpu = ps->vcpus, .map = &ps->map};
	loop_lock(cfg->loop);
	err = init(ps, e);
	loop_unlock(cfg->loop);
	if (err) {
		pseries_destroy(&ps->board);
		return err;
	}
	*out = &ps->board;
	return 0;
}

static int pseries_reset(struct board *b, struct err *e)
{
	return reset(pseries_of(b), e);
}

static void pseries_freeze(struct board *b, bool frozen)
{
	struct pseries *ps = pseries_of(b);

	ps->cfg.engine->vm_freeze(ps->vm, frozen);
}

static void pseries_nmi(struct board *b)
{
	struct pseries *ps = pseries_of(b);

	for (unsigned i = 0; i < ps->cfg.ncpus; i++)
		ps->cfg.engine->vcpu_nmi(ps->vcpus[i]);
}

/* An environmental and power warning; the guest asks RTAS what it is about. */
static void pseries_power_button(struct board *b)
{
	struct pseries *ps = pseries_of(b);

	ps->power_pressed = true;
	xics_message(&ps->xics, PSERIES_IRQ_EPOW);
}

static void pseries_balloon_set(struct board *b, u64 bytes)
{
	virtio_set_balloon(&pseries_of(b)->virtio, bytes);
}

static void pseries_balloon_get(struct board *b, struct board_balloon *out)
{
	virtio_set_balloon_get(&pseries_of(b)->virtio, out);
}

const struct board_ops board_pseries = {
	.create = pseries_create,
	.destroy = pseries_destroy,
	.reset = pseries_reset,
	.freeze = pseries_freeze,
	.balloon_set = pseries_balloon_set,
	.balloon_get = pseries_balloon_get,
	.power_button = pseries_power_button,
	.nmi = pseries_nmi,
};
