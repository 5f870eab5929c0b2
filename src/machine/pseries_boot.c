/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pseries starts: the kernel where it is linked to, then RTAS, the device
 * tree and the initrds behind it. vCPU 0 enters the kernel in real mode with r3 =
 * device tree, r4 = r5 = 0: no Open Firmware (Power.org ePAPR 5.4.3, and what
 * kexec does; Linux, arch/powerpc/kernel/head_64.S).
 */
#include "machine/pseries_internal.h"

#include "base/bits.h"
#include "base/endian.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN KIB(64)
#define FDT_MAX KIB(512)

static int initrd_load(struct pseries *ps, u64 at, struct err *e)
{
	const struct board_config *cfg = &ps->cfg;

	ps->initrd = at;
	for (unsigned i = 0; i < cfg->ninitrd; i++) {
		const struct boot_blob *b = &cfg->initrd[i];

		at = align_up(at, 4);
		if (gpa_write(&ps->map, at, b->data, b->len))
			return err_set(e, E_NOMEM,
				       "initrd %s does not fit in the guest's memory; give it "
				       "more with -m",
				       b->name);
		at += b->len;
	}
	ps->initrd_size = at - ps->initrd;
	return 0;
}

static void rtas_load(struct pseries *ps)
{
	u32 code[PSERIES_RTAS_CODE];
	u8 bytes[4 * PSERIES_RTAS_CODE];

	pseries_rtas_code(code);
	for (unsigned i = 0; i < PSERIES_RTAS_CODE; i++)
		store_be32(bytes + 4 * i, code[i]);
	gpa_write(&ps->map, ps->rtas, bytes, sizeof(bytes));
}

static int fdt_load(struct pseries *ps, struct err *e)
{
	void *buf = malloc(FDT_MAX);
	u32 size = buf ? pseries_fdt_build(ps, buf, FDT_MAX) : 0;
	int err = 0;

	if (!size || gpa_write(&ps->map, ps->fdt, buf, size))
		err = err_set(e, E_NOSPC, "the device tree does not fit");
	free(buf);
	return err;
}

int pseries_boot_start(struct pseries *ps, struct err *e)
{
	const struct board_config *cfg = &ps->cfg;
	struct pseries_image image;
	int err;

	if (!cfg->kernel.data)
		return err_set(e, E_INVAL, "nothing to start: no kernel");
	err = pseries_elf_load(&cfg->kernel, &ps->map, cfg->memory, &image, e);
	if (err)
		return err;
	ps->rtas = align_up(image.end, ALIGN);
	ps->fdt = ps->rtas + PSERIES_RTAS_SIZE;
	err = initrd_load(ps, ps->fdt + FDT_MAX, e);
	if (!err)
		err = fdt_load(ps, e);
	if (err)
		return err;
	rtas_load(ps);
	ps->board.boot_name = "POWER kernel, flat device tree";
	err = cfg->engine->vcpu_start(ps->vcpus[0], image.entry, ps->fdt);
	return err ? err_set(e, -err, "engine %s: cannot start the boot CPU", cfg->engine->name)
		   : 0;
}
