/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a PC through a firmware image (pc_firmware.c). Called by pc_extra.c only.
 */
#ifndef HULL_MACHINE_PC_FIRMWARE_H
#define HULL_MACHINE_PC_FIRMWARE_H

#include "machine/pc_internal.h"

int pc_firmware_init(struct pc *pc, struct err *e);
void pc_firmware_fini(struct pc *pc);
int pc_firmware_tables(struct pc *pc, struct err *e); /* once acpi and smbios are built */
void pc_firmware_start(struct pc *pc);		      /* at every reset */

#endif
